"""Everything that can be set from outside, in one typed list."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class SettingsError(Exception):
    """The start can't go on: names every setting that is missing or unreadable, in one sentence."""


class Unreadable(ValueError):
    """What is wrong with a value, in words that don't repeat it."""


def _text(raw: str) -> str:
    return raw


def _flag(raw: str) -> bool:
    if raw.lower() in {"1", "true", "yes", "on"}:
        return True
    if raw.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise Unreadable("expected 0 or 1")


def _long_secret(raw: str) -> str:
    if len(raw) < 32:
        raise Unreadable("needs at least 32 characters")
    return raw


def _key32(raw: str) -> bytes:
    try:
        key = base64.b64decode(raw, validate=True)
    except binascii.Error as e:
        raise Unreadable("not base64") from e
    if len(key) != 32:
        raise Unreadable("needs 32 bytes in base64")
    return key


def _keyring(raw: str) -> dict[int, bytes]:
    ring: dict[int, bytes] = {}
    for part in raw.split(","):
        version, _, key = part.strip().partition(":")
        ring[int(version)] = _key32(key)
    if not all(0 < version < 256 for version in ring):
        raise Unreadable("key versions go from 1 to 255")
    return ring


def read_database_url(raw: str) -> str:
    """SQLAlchemy 2.1 knows no `postgres://`; `postgresql://` means psycopg 3 there."""
    if raw.startswith("postgres://"):
        raw = "postgresql://" + raw.removeprefix("postgres://")
    if not raw.startswith(("postgresql://", "postgresql+psycopg://")):
        raise Unreadable("must start with postgresql://")
    return raw


def _templates(raw: str) -> dict[str, str]:
    value = json.loads(raw)
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise Unreadable(
            'expected JSON such as {"ticket_progress": "template id", "decision_notice": "template id"}'
        )
    return value


def _base_url(raw: str) -> str:
    if not raw.startswith(("http://", "https://")):
        raise Unreadable("must start with http:// or https://")
    return raw.rstrip("/")


def _seconds(raw: str) -> float:
    value = float(raw)
    if not 0.1 <= value <= 300:
        raise Unreadable("expected seconds from 0.1 to 300")
    return value


def _settle_time(raw: str) -> float:
    value = float(raw)
    if not 1 <= value <= 86_400:
        raise Unreadable("expected seconds from 1 to 86400")
    return value


def _in_flight(raw: str) -> int:
    value = int(raw)
    if not 1 <= value <= 32:
        raise Unreadable("expected 1 to 32")
    return value


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _path_tokens(raw: str) -> tuple[str, ...]:
    tokens = tuple(part.strip() for part in raw.split(","))
    if len(tokens) > 2 or not all(re.fullmatch(r"[A-Za-z0-9_-]{32,128}", token) for token in tokens):
        raise Unreadable("expected one or two of 32 to 128 letters, digits, - and _")
    return tokens


def _networks(raw: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in raw.split(","))


def _required_or_optional(raw: str) -> str:
    if raw not in {"required", "optional"}:
        raise Unreadable("expected required or optional")
    return raw


def _owasp_or_cheap(raw: str) -> str:
    if raw not in {"owasp", "cheap"}:
        raise Unreadable("expected owasp or cheap")
    return raw


def _on_or_off(raw: str) -> bool:
    if raw not in {"on", "off"}:
        raise Unreadable("expected on or off")
    return raw == "on"


def _proxies(raw: str) -> int:
    value = int(raw)
    if not 0 <= value <= 8:
        raise Unreadable("expected 0 to 8")
    return value


def _pooler(raw: str) -> str:
    if raw != "transaction":
        raise Unreadable("expected transaction, or nothing")
    return raw


def _lawful_or_any(raw: str) -> str:
    if raw not in {"lawful", "any"}:
        raise Unreadable("expected lawful or any")
    return raw


def _classes(raw: str) -> int:
    if raw not in {"0", "1", "2", "3", "4"}:
        raise Unreadable("expected 0 to 4")
    return int(raw)


_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(24:00|(?:[01]\d|2[0-3]):[0-5]\d)")


def _window(raw: str) -> tuple[time, time]:
    found = _HOURS.fullmatch(raw)
    if found is None:
        raise Unreadable("expected hours such as 08:00-21:00")
    first = time.fromisoformat(f"{found[1]}:{found[2]}")
    end = time.max if found[3] == "24:00" else time.fromisoformat(found[3])
    if first >= end:
        raise Unreadable("it must end after it begins")
    return first, end


def _count(raw: str) -> int:
    value = int(raw)
    if value < 0:
        raise Unreadable("expected a number from 0 on")
    return value


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}


def setting(env: str, read: Callable[[str], Any] = _text, *, default: Any = ..., secret: bool = False) -> Any:
    """One row of the list: the environment name, how it is read, what holds when it is absent."""
    meta = {"env": env, "read": read, "required": default is ...}
    if default is ...:
        return field(metadata=meta, repr=not secret)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=meta, repr=not secret)
    return field(default=default, metadata=meta, repr=not secret)


# Useless one without the others.
KEYS_OF_A_VENDOR = (
    ("ALIYUN_SMS_KEY_ID", "ALIYUN_SMS_KEY_SECRET"),
    ("TENCENT_SMS_SECRET_ID", "TENCENT_SMS_SECRET_KEY", "TENCENT_SMS_APP_ID"),
)


# Values that stand in this repository: in tests, stand-ins and documents, for everybody to read.
_PUBLISHED = frozenset(
    {"sandbox-secret", "push-token", "password", "postgres", "secret", "changeme", "…", "..."}
)
DEMO_MARK = "demo-"  # what `make run` puts before the SECRET_KEY it makes
_DIFFERENT = 8  # a random secret of 16 characters or 32 bytes has more different ones, all but certainly


def _is_made_up(value: str | bytes) -> bool:
    """Would somebody who guesses find it? One that is published, of few different signs, or counted up."""
    if isinstance(value, str) and (value.lower() in _PUBLISHED or value.startswith(DEMO_MARK)):
        return True
    signs = value.encode() if isinstance(value, str) else value
    steps = {b - a for a, b in itertools.pairwise(signs)}
    return len(set(signs)) < _DIFFERENT or len(steps) == 1


def _no_secrets(values: Mapping[str, Any]) -> list[str]:
    """Which of these settings, by name, are secret to nobody: what no production may start with."""
    found = []
    for row in fields(Settings):
        value = values.get(row.name)
        if row.repr or not value:
            continue
        given: Iterable[Any] = (
            value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        )
        if row.metadata["env"].endswith("_URL"):
            given = [password for url in given if (password := _password_of(url))]
        if any(_is_made_up(one) for one in given):
            found.append(row.metadata["env"])
    if values.get("hash_key") in values.get("data_keys", {}).values():
        found.append("HASH_KEY (the same as a data key)")
    return found


def _password_of(url: str) -> str | None:
    """The password in an address, but for those that don't guard anything: none, and a store's long key."""
    try:
        parts = urlsplit(url)
        (named,) = parse_qs(parts.query).get("password", [None])[-1:]
        return unquote(parts.password) if parts.password else named
    except ValueError:
        return None


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """`env` (by default the process's), with each secret whose `NAME_FILE` names a file read from there.

    Raises SettingsError naming every file that can't be read and every secret that is given twice.
    """
    found = dict(os.environ if env is None else env)
    wrong: list[str] = []
    for name in secret_names():
        path = found.get(f"{name}_FILE", "")
        if not path:
            continue
        if found.get(name):
            wrong.append(f"{name} (given twice, by itself and by {name}_FILE)")
            continue
        try:
            found[name] = Path(path).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, ValueError):
            wrong.append(f"{name}_FILE (the file can't be read)")
    if wrong:
        raise SettingsError("Jiayuan can't start: these settings can't be read: " + ", ".join(wrong) + ".")
    return found


def secret_names() -> list[str]:
    """The settings that are secret, or half of a secret: what may come from a file."""
    secret = [row.metadata["env"] for row in fields(Settings) if not row.repr]
    return secret + [name for names in KEYS_OF_A_VENDOR for name in names if name not in secret]


def _not_together(values: Mapping[str, Any]) -> Iterator[str]:
    """What is right by itself, and not with the others."""
    if values.get("staff_totp") == "optional" and not values.get("demo"):
        yield "STAFF_TOTP (optional only with DEMO=1)"
    if values.get("vote_periods") == "any" and not values.get("demo"):
        yield "VOTE_PERIODS (any only with DEMO=1)"
    if values.get("staff_password_hash") == "cheap" and not _is_loopback(values.get("public_base_url", "")):
        yield "STAFF_PASSWORD_HASH (cheap only for tests, with PUBLIC_BASE_URL on loopback)"
    if values.get("rate_limits") is False and not _is_loopback(values.get("public_base_url", "")):
        yield "RATE_LIMITS (off only for tests, with PUBLIC_BASE_URL on loopback)"


def _halves(env: Mapping[str, str]) -> list[str]:
    """What is missing beside a key that is there."""
    return [
        name
        for names in KEYS_OF_A_VENDOR
        if any(env.get(other) for other in names)
        for name in names
        if not env.get(name)
    ]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. A missing required one stops the start (`from_env`)."""

    # Where the data lives. The app role may not rewrite append-only tables; migrations run as the owner.
    database_url: str = setting("DATABASE_URL", read_database_url, secret=True)
    migration_database_url: str = setting(
        "MIGRATION_DATABASE_URL", read_database_url, default="", secret=True
    )
    # The role that may delete old rows of append-only tables, and nothing else; empty: they only grow.
    retention_database_url: str = setting(
        "RETENTION_DATABASE_URL", read_database_url, default="", secret=True
    )
    # What stands between us and PostgreSQL: `transaction`, a pooler that lends a connection for one transaction, and
    # knows no prepared statements.
    database_pooler: str = setting("DATABASE_POOLER", _pooler, default="")
    redis_url: str = setting("REDIS_URL", secret=True)
    storage_url: str = setting("STORAGE_URL", secret=True)

    # Secrets. DATA_KEYS holds versions ("1:<base64>,2:<base64>"); the highest one encrypts, all decrypt.
    secret_key: str = setting("SECRET_KEY", _long_secret, secret=True)
    data_keys: dict[int, bytes] = setting("DATA_KEYS", _keyring, secret=True)
    hash_key: bytes = setting("HASH_KEY", _key32, secret=True)

    # How the world reaches us: signed photo links and WeChat's media check use it.
    public_base_url: str = setting("PUBLIC_BASE_URL", _base_url)
    trusted_proxies: int = setting("TRUSTED_PROXIES", _proxies, default=0)

    # How often somebody may do something; off for measurements and tests.
    rate_limits: bool = setting("RATE_LIMITS", _on_or_off, default=True)

    # WeChat mini-program (mp.weixin.qq.com > 开发管理).
    wechat_api_base: str = setting("WECHAT_API_BASE", default="https://api.weixin.qq.com/")
    wechat_appid: str = setting("WECHAT_APPID")
    wechat_secret: str = setting("WECHAT_SECRET", secret=True)
    wechat_push_token: str = setting("WECHAT_PUSH_TOKEN", secret=True)
    wechat_push_aes_key: str = setting("WECHAT_PUSH_AES_KEY", secret=True)
    wechat_templates: dict[str, str] = setting("WECHAT_TEMPLATES", _templates, default={})
    wechat_timeout_s: float = setting("WECHAT_TIMEOUT_S", float, default=5.0)
    wechat_state: str = setting("WECHAT_STATE", default="formal")

    # SMS. A vendor without keys isn't used. A call that was answered too late is *unknown*: better long than short.
    aliyun_sms_endpoint: str = setting(
        "ALIYUN_SMS_ENDPOINT", _base_url, default="https://dysmsapi.aliyuncs.com"
    )
    aliyun_sms_key_id: str = setting("ALIYUN_SMS_KEY_ID", default="")
    aliyun_sms_key_secret: str = setting("ALIYUN_SMS_KEY_SECRET", default="", secret=True)
    tencent_sms_endpoint: str = setting(
        "TENCENT_SMS_ENDPOINT", _base_url, default="https://sms.tencentcloudapi.com"
    )
    tencent_sms_region: str = setting("TENCENT_SMS_REGION", default="ap-guangzhou")
    tencent_sms_secret_id: str = setting("TENCENT_SMS_SECRET_ID", default="")
    tencent_sms_secret_key: str = setting("TENCENT_SMS_SECRET_KEY", default="", secret=True)
    tencent_sms_app_id: str = setting("TENCENT_SMS_APP_ID", default="")
    sms_connect_timeout_s: float = setting("SMS_CONNECT_TIMEOUT_S", _seconds, default=3.0)
    sms_timeout_s: float = setting("SMS_TIMEOUT_S", _seconds, default=10.0)
    # Calls of one worker at the same time; and how long after a call the vendor's "not listed" is believed.
    sms_in_flight: int = setting("SMS_IN_FLIGHT", _in_flight, default=8)
    sms_settle_s: float = setting("SMS_SETTLE_S", _settle_time, default=600.0)
    sms_slow_s: float = setting("SMS_SLOW_S", _seconds, default=2.0)
    # The secrets in the callbacks' addresses, two while they rotate; and who may call them ("1.2.3.0/24,…").
    sms_callback_tokens: tuple[str, ...] = setting(
        "SMS_CALLBACK_TOKENS", _path_tokens, default=(), secret=True
    )
    sms_callback_networks: tuple[Network, ...] = setting("SMS_CALLBACK_NETWORKS", _networks, default=())
    # Text messages leave between these hours in Shanghai, emergencies at any; 00:00-24:00: always.
    sms_window: tuple[time, time] = setting("SMS_WINDOW", _window, default=(time(8), time(21)))
    # A campaign to more recipients than this needs a second person.
    sms_approval_above: int = setting("SMS_APPROVAL_ABOVE", _count, default=200)

    # Work behind the request. Seconds.
    ring_bells: bool = setting("RING_BELLS", _flag, default=True)
    lease_s: int = setting("LEASE_S", int, default=60)
    # A photo needs three sweeps when every bell is lost (made, asked about, verdict), within ten seconds.
    sweep_s: int = setting("SWEEP_S", int, default=2)

    # Sessions. Seconds.
    access_token_s: int = setting("ACCESS_TOKEN_S", int, default=1800)
    refresh_token_s: int = setting("REFRESH_TOKEN_S", int, default=30 * 86400)
    staff_session_s: int = setting("STAFF_SESSION_S", int, default=12 * 3600)
    staff_idle_s: int = setting("STAFF_IDLE_S", int, default=1800)

    # Staff logins. Rotation and composition are off (ASVS 5.0 6.2.5, 6.2.10); an audit after 等保 may ask for them.
    staff_totp: str = setting("STAFF_TOTP", _required_or_optional, default="required")
    staff_password_hash: str = setting("STAFF_PASSWORD_HASH", _owasp_or_cheap, default="owasp")
    staff_password_days: int = setting("STAFF_PASSWORD_DAYS", int, default=0)
    staff_password_classes: int = setting("STAFF_PASSWORD_CLASSES", _classes, default=0)

    # Notice of 15 days, a window of 5 to 60, postings: the minimum periods of votes.
    vote_periods: str = setting("VOTE_PERIODS", _lawful_or_any, default="lawful")

    # A statement that takes longer is named in the log, without its values; 0: none is.
    slow_query_ms: int = setting("SLOW_QUERY_MS", _count, default=500)

    log_level: str = setting("LOG_LEVEL", default="INFO")
    metrics_port: int = setting("METRICS_PORT", int, default=0)
    demo: bool = setting("DEMO", _flag, default=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """The settings that `env` (by default the process's) gives.

        A secret may come from a file: `NAME_FILE`. An installation that isn't for demonstration (`DEMO`) and isn't
        reached on loopback refuses secrets that everybody can know. Raises SettingsError naming every missing or
        unreadable setting at once, never its value.
        """
        env = environment(env)
        missing: list[str] = []
        unreadable: list[str] = []
        values: dict[str, Any] = {}
        for row in fields(cls):
            name = row.metadata["env"]
            raw = env.get(name, "")
            if raw == "":
                if row.metadata["required"]:
                    missing.append(name)
                continue
            try:
                values[row.name] = row.metadata["read"](raw)
            except Unreadable as e:
                unreadable.append(f"{name} ({e})")
            except (ValueError, TypeError):
                # Python's own sentence would quote the value: half a key, perhaps.
                unreadable.append(name)
        unreadable += _not_together(values)
        missing += _halves(env)
        is_production = not values.get("demo") and not _is_loopback(values.get("public_base_url", ""))
        open_to_all = _no_secrets(values) if is_production else []
        if missing or unreadable or open_to_all:
            parts = []
            if missing:
                parts.append("these settings are missing: " + ", ".join(missing))
            if unreadable:
                parts.append("these settings can't be read: " + ", ".join(unreadable))
            if open_to_all:
                parts.append(
                    "these secrets come from a demonstration or can be guessed, make your own: "
                    + ", ".join(open_to_all)
                )
            raise SettingsError("Jiayuan can't start: " + "; ".join(parts) + ".")
        values.setdefault("migration_database_url", values["database_url"])
        return cls(**values)
