"""The settings of a development run: generated secrets, and checks of servers named from outside."""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tools import processes
from tools.processes import ServerError

REACH_PATIENCE_S = 5
_TEMPLATES = "WECHAT_TEMPLATES"
DEMO_MARK = "demo-"  # `app.settings` refuses a SECRET_KEY that begins so where the world can reach it


def secrets_of(path: Path) -> dict[str, str]:
    """The secrets in `path` (lines NAME=value), made the first time and kept, as the data needs them."""
    if not path.exists():
        processes.write_private(path, "".join(f"{name}={value}\n" for name, value in _fresh().items()))
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ServerError(f"{path} cannot be read: {error.strerror}.") from error
    found = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    # A setting that a newer version added, or a template within one.
    fresh = _fresh()
    added = {name: value for name, value in fresh.items() if name not in found}
    templates = json.loads(found.get(_TEMPLATES, "{}"))
    if missing := json.loads(fresh[_TEMPLATES]).keys() - templates.keys():
        more = {name: secrets.token_urlsafe(32) for name in sorted(missing)}
        added[_TEMPLATES] = json.dumps(templates | more)
    if added:
        processes.write_private(path, "".join(f"{name}={value}\n" for name, value in (found | added).items()))
    return found | added


def _fresh() -> dict[str, str]:
    key = b64encode(secrets.token_bytes(32)).decode()
    return {
        "SECRET_KEY": DEMO_MARK + secrets.token_urlsafe(48),
        "DATA_KEYS": f"1:{key}",
        "HASH_KEY": b64encode(secrets.token_bytes(32)).decode(),
        # In the shapes that WeChat gives them.
        "WECHAT_APPID": f"wx{secrets.token_hex(8)}",
        "WECHAT_SECRET": secrets.token_hex(16),
        "WECHAT_PUSH_TOKEN": secrets.token_hex(12),
        "WECHAT_PUSH_AES_KEY": _aes_key(),
        _TEMPLATES: json.dumps(
            {name: secrets.token_urlsafe(32) for name in ("ticket_progress", "decision_notice")}
        ),
        "ALIYUN_SMS_KEY_ID": f"LTAI{secrets.token_hex(10)}",
        "ALIYUN_SMS_KEY_SECRET": secrets.token_hex(15),
        "TENCENT_SMS_SECRET_ID": f"AKID{secrets.token_hex(16)}",
        "TENCENT_SMS_SECRET_KEY": secrets.token_hex(16),
        "TENCENT_SMS_APP_ID": str(1_400_000_000 + secrets.randbelow(10**8)),
        "SMS_CALLBACK_TOKENS": secrets.token_urlsafe(32),
    }


def _aes_key() -> str:
    """43 letters and digits, base64 of 32 bytes without its `=`; WeChat gives none with + or /."""
    while True:
        key = b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        if key.isalnum():
            return key


def environment(
    var: Path, port: int, *, database: str, owner: str, redis: str, retention: str = ""
) -> dict[str, str]:
    """What the programs of a run find in their environment; what the caller has set there comes first."""
    ours = secrets_of(var / "dev.env") | {
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        "STORAGE_URL": f"folder:{var / 'photos'}",
        "WECHAT_API_BASE": f"http://127.0.0.1:{port + 1}/",
        "ALIYUN_SMS_ENDPOINT": f"http://127.0.0.1:{port + 3}",
        "TENCENT_SMS_ENDPOINT": f"http://127.0.0.1:{port + 3}",
        "SMS_WINDOW": "00:00-24:00",  # what is shown to somebody in the evening goes out in the evening
        "DEMO": "1",
    }
    if os.environ.get("DEMO", "") in ("", "1"):
        ours["VOTE_PERIODS"] = "any"  # a demonstration doesn't wait fifteen days for a vote
    if os.environ.get("DEMO", "") in ("", "1"):
        ours["STAFF_TOTP"] = (
            "optional"  # demo accounts open with a password; the administrators' keep their code
        )
    if os.environ.get("DEMO", "") in ("", "1") and not os.environ.get("PUBLIC_BASE_URL"):
        ours["RATE_LIMITS"] = "off"  # `make smoke` does in two minutes what its people would in months
    given = {name: value for name, value in os.environ.items() if value or name not in ours}
    return (
        ours
        | given
        | {
            "DATABASE_URL": database,
            "MIGRATION_DATABASE_URL": owner,
            "RETENTION_DATABASE_URL": retention,
            "REDIS_URL": redis,
            "PYTHONUNBUFFERED": "1",
        }
    )


def has_own_gateways(env: Mapping[str, str]) -> bool:
    """Whether somebody named the SMS vendors' addresses: the real ones, or a stand-in of theirs."""
    return bool(env.get("ALIYUN_SMS_ENDPOINT") or env.get("TENCENT_SMS_ENDPOINT"))


def gateways(port: int, env: Mapping[str, str]) -> str:
    """How the SMS stand-ins behave: 50 ms a call, receipts and replies within seconds to the web server at `port`."""
    token = env["SMS_CALLBACK_TOKENS"].split(",")[0]
    behaviour = {}
    for vendor in ("aliyun", "tencent"):
        address = f"http://127.0.0.1:{port}/callbacks/sms/{vendor}/{token}"
        receipts = {"url": f"{address}/report", "replies_url": f"{address}/reply", "delay_s": [0.5, 3]}
        behaviour[vendor] = {"latency_ms": 50, "receipts": receipts}
    return json.dumps(behaviour)


def check_database(name: str, url: str) -> None:
    """Return when PostgreSQL answers at `url`; else ServerError with one sentence that names the setting."""
    import psycopg

    _must_begin(name, url, "postgresql://", "postgres://", "postgresql+psycopg://")
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        psycopg.connect(plain, connect_timeout=REACH_PATIENCE_S).close()
    except psycopg.Error as error:
        raise ServerError(
            f"The database of {name} ({_place(url)}) cannot be used: {_one_line(error)}"
        ) from error


def check_redis(name: str, url: str) -> None:
    """Return when Redis answers at `url`; else ServerError with one sentence that names the setting."""
    import redis

    _must_begin(name, url, "redis://", "rediss://", "unix://")
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=REACH_PATIENCE_S, socket_timeout=REACH_PATIENCE_S
        ) as it:
            it.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise ServerError(
            f"The Redis of {name} ({_place(url)}) cannot be used: {_one_line(error)}"
        ) from error


def _must_begin(name: str, url: str, *beginnings: str) -> None:
    """What is no address at all is not repeated: it may hold a password anywhere."""
    if not url.startswith(beginnings):
        raise ServerError(f"{name} must begin with {beginnings[0]}")


def _place(url: str) -> str:
    """The address without user and password; of a socket its folder."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or "".join(parse_qs(parts.query).get("host", [])[:1])
    return f"{host}{parts.path}" or "no address"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith(".") else f"{text}."


def only_one_role(env: Mapping[str, str]) -> bool:
    """Whether the application would connect as the owner of its own tables."""
    owner = env.get("MIGRATION_DATABASE_URL", "")
    return not owner or urlsplit(owner).username == urlsplit(env["DATABASE_URL"]).username
