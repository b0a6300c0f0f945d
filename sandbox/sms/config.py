"""Whom the gateways know: one account at each vendor."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.config import ConfigError

_NAMES = {
    "aliyun_key_id": "ALIYUN_SMS_KEY_ID",
    "aliyun_key_secret": "ALIYUN_SMS_KEY_SECRET",
    "tencent_secret_id": "TENCENT_SMS_SECRET_ID",
    "tencent_secret_key": "TENCENT_SMS_SECRET_KEY",
    "tencent_app_id": "TENCENT_SMS_APP_ID",
}


@dataclass(frozen=True, kw_only=True)
class SmsConfig:
    """The keys of the two accounts; `clock` gives Unix seconds."""

    aliyun_key_id: str
    aliyun_key_secret: str = field(repr=False)
    tencent_secret_id: str
    tencent_secret_key: str = field(repr=False)
    tencent_app_id: str
    clock: Callable[[], float] = time.time

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> SmsConfig:
        """The accounts in the environment. Raises ConfigError naming everything that is missing."""
        missing = [name for name in _NAMES.values() if not env.get(name)]
        if missing:
            raise ConfigError(
                f"The SMS sandbox can't start: these settings are missing: {', '.join(missing)}."
            )
        return cls(**{key: env[name] for key, name in _NAMES.items()})  # type: ignore[arg-type]
