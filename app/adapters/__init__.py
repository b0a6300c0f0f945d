"""The outside, chosen by settings: one WeChat, one storage, the opener of WeChat's pushes."""

from __future__ import annotations

from typing import NamedTuple

from redis import Redis

from app.adapters.storage import Storage, from_url
from app.adapters.wechat import WeChat
from app.adapters.wechat.client import WeChatClientAdapter
from app.adapters.wechat.push import Push
from app.settings import Settings


class _Outside(NamedTuple):
    wechat: WeChat
    storage: Storage
    push: Push


_outside: _Outside | None = None


def configure(settings: Settings, redis: Redis) -> None:
    """Make what the settings name the process's outside (called once by `app.boot`). Connects to nothing yet."""
    global _outside
    _outside = _Outside(
        wechat=WeChatClientAdapter.from_settings(settings, redis),
        storage=from_url(settings.storage_url),
        push=Push(settings.wechat_push_token, settings.wechat_push_aes_key, settings.wechat_appid),
    )


def _configured() -> _Outside:
    if _outside is None:
        raise RuntimeError("app.boot() has not run")
    return _outside


def wechat() -> WeChat:
    """WeChat's server interfaces."""
    return _configured().wechat


def storage() -> Storage:
    """Where photos lie."""
    return _configured().storage


def wechat_push() -> Push:
    """Opens what claims to be a message push."""
    return _configured().push
