"""The outside, chosen by settings: one WeChat, one storage, the opener of WeChat's pushes, the SMS vendors, the way to
other systems.

Each is made at its first use, so that a program which needs none of them (the OpenAPI files, a migration)
touches nothing.
"""

from __future__ import annotations

import functools

from redis import Redis

from app.adapters.callbacks import Callbacks
from app.adapters.callbacks.client import HttpCallbacks
from app.adapters.sms import Sms, Vendor
from app.adapters.sms.vendors import configured
from app.adapters.storage import Storage, from_url
from app.adapters.wechat import WeChat
from app.adapters.wechat.client import WeChatClientAdapter
from app.adapters.wechat.push import Push
from app.settings import Settings

_settings: Settings | None = None
_redis: Redis | None = None


def configure(settings: Settings, redis: Redis) -> None:
    """Make what the settings name the process's outside (called once by `app.boot`). Connects to nothing yet."""
    global _settings, _redis
    _settings, _redis = settings, redis
    for made in (wechat, storage, wechat_push, sms, callbacks):
        made.cache_clear()


def _configured() -> Settings:
    if _settings is None:
        raise RuntimeError("app.boot() has not run")
    return _settings


@functools.cache
def wechat() -> WeChat:
    """WeChat's server interfaces."""
    return WeChatClientAdapter.from_settings(_configured(), _redis)


@functools.cache
def storage() -> Storage:
    """Where photos lie."""
    return from_url(_configured().storage_url)


@functools.cache
def wechat_push() -> Push:
    """Opens what claims to be a message push."""
    settings = _configured()
    return Push(settings.wechat_push_token, settings.wechat_push_aes_key, settings.wechat_appid)


@functools.cache
def sms() -> dict[Vendor, Sms]:
    """The SMS vendors that have keys; none where no SMS is set up."""
    return configured(_configured())


@functools.cache
def callbacks() -> Callbacks:
    """Tells other systems what became of what they handed in."""
    return HttpCallbacks()
