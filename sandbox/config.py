"""What the sandbox has to know: one mini-program, its templates, and where its pushes go."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

RISKY_WORDS = {"赌博": 20006, "毒品": 20006, "代开发票": 20008, "刷单": 20008, "色情": 20002}
REVIEW_WORDS = {"加微信": 10001, "扫码领红包": 10001}


class ConfigError(Exception):
    """The sandbox can't start; the text names what is missing or unreadable in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """One mini-program as the sandbox plays it. Times in seconds."""

    appid: str
    secret: str = field(repr=False)
    push_token: str = field(repr=False)
    push_aes_key: str = field(repr=False)
    templates: Mapping[str, str] = field(default_factory=dict)
    """Template ids by our name for them; a message with another id gets 40037."""

    push_url: str | None = None
    state_dir: Path | None = None
    """Where the state is kept between runs; None keeps it in memory."""

    clock: Callable[[], float] = time.time
    token_s: int = 7200
    media_delay_s: float = 0.3
    push_timeout_s: float = 5.0
    push_gap_s: float = 5.0
    push_tries: int = 3
    risky_words: Mapping[str, int] = field(default_factory=lambda: dict(RISKY_WORDS))
    review_words: Mapping[str, int] = field(default_factory=lambda: dict(REVIEW_WORDS))

    @classmethod
    def from_env(cls, env: Mapping[str, str], state_dir: Path | None) -> Config:
        """The configuration in the environment. Raises ConfigError naming everything that is missing."""
        names = ("WECHAT_APPID", "WECHAT_SECRET", "WECHAT_PUSH_TOKEN", "WECHAT_PUSH_AES_KEY")
        missing = [name for name in names if not env.get(name)]
        if missing:
            raise ConfigError(f"The sandbox can't start: these settings are missing: {', '.join(missing)}.")
        try:
            templates = json.loads(env.get("WECHAT_TEMPLATES") or "{}")
        except ValueError:
            templates = None
        if not isinstance(templates, dict) or not all(isinstance(v, str) for v in templates.values()):
            raise ConfigError(
                "The sandbox can't start: WECHAT_TEMPLATES must be JSON such as"
                ' {"ticket_progress": "template id", "decision_notice": "template id"}.'
            )
        appid, secret, push_token, push_aes_key = (env[name] for name in names)
        if not re.fullmatch(r"[A-Za-z0-9+/]{43}", push_aes_key):
            raise ConfigError("The sandbox can't start: WECHAT_PUSH_AES_KEY needs 43 characters of base64.")
        return cls(
            appid=appid,
            secret=secret,
            push_token=push_token,
            push_aes_key=push_aes_key,
            templates=templates,
            push_url=env.get("PUSH_URL") or None,
            state_dir=state_dir,
        )
