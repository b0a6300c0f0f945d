"""The access token of the mini-program: one, shared by all processes, fetched once."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from app import meters, threads
from app.adapters.wechat import WeChatUnavailable

log = logging.getLogger(__name__)

# stable_token hands out a new token only in the last five minutes of the old one, and both work then
# (WeChat, getStableAccessToken). Four minutes early is therefore the first safe moment to ask.
REFRESH_EARLY_S = 240

# WeChat refuses, or silently ignores, forced refreshes less than 30 s apart, and allows 20 a day.
FORCE_GAP_S = 31
FORCE_A_DAY = 12

# After a fetch that failed, the others who wait don't try one after the other: they share the failure.
FAILURE_SHARED_S = 1.0
# A Redis that just failed is left alone for a moment; else every call would pay its connect time-out.
REDIS_REST_S = 3.0

# Delete or release only what is still ours: between our read and our write somebody may have renewed it.
_DELETE_IF_EQUAL = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
)


@dataclass(frozen=True, slots=True)
class FetchedToken:
    """What stable_token answered; `expires_in` in seconds from now."""

    value: str = field(repr=False)
    expires_in: int


@dataclass(slots=True)
class _Local:
    """The process's own copy: the only cache while Redis is away. Shared by all clients of one app id."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str | None = field(default=None, repr=False)
    fresh_until: float = 0.0
    failed_until: float = 0.0
    failed_errcode: int | None = None
    forced_at: float = float("-inf")
    redis_rests_until: float = 0.0


_locals: dict[tuple[str, str], _Local] = {}
_locals_lock = threading.Lock()


class _RedisAway(Exception):
    """Redis can't be asked now; the process's own cache has to do."""


class TokenCache:
    """Gives the current access token and replaces it when WeChat says that it is no longer good.

    `fetch(force)` makes one stable_token call and raises WeChatUnavailable when it fails. With Redis up,
    any number of cold threads and processes make one fetch. With Redis down each process keeps its own
    copy: stable_token answers all of them with the same token, so they don't invalidate one another.
    """

    def __init__(
        self,
        *,
        appid: str,
        authority: str,
        fetch: Callable[[bool], FetchedToken],
        redis: Redis | None,
        fetch_timeout_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._redis = redis
        self._clock = clock
        # Long enough for a fetch that ends by time-out (connect and read), so that a slow holder is not
        # overtaken; a holder that was killed blocks the others no longer than this.
        self._lock_s = 2 * fetch_timeout_s + 2
        prefix = f"wechat:{appid}:"
        self._token_key = prefix + "token"
        self._lock_key = prefix + "token-lock"
        self._failed_key = prefix + "token-failed"
        self._forced_key = prefix + "token-forced"
        self._forced_today_key = prefix + "token-forced-today"
        with _locals_lock:
            self._local = _locals.setdefault((authority, appid), _Local())

    def get(self) -> str:
        """A token to use now. Raises WeChatUnavailable when none can be had."""
        return self._obtain(stale=None)

    def renew(self, stale: str) -> str | None:
        """A token other than `stale`, which WeChat just refused; None when there is none to be had now.

        Asks in plain mode first. Only when WeChat insists on the very token it refuses is a forced refresh
        spent, and not more often than WeChat allows. Raises WeChatUnavailable when the fetch fails.
        """
        token = self._obtain(stale=stale)
        return None if token == stale else token

    # With Redis

    def _obtain(self, stale: str | None) -> str:
        try:
            return self._obtain_shared(stale)
        except _RedisAway:
            return self._obtain_alone(stale)

    def _obtain_shared(self, stale: str | None) -> str:
        give_up_at = time.monotonic() + self._lock_s + 1
        while True:
            raw = self._ask("get", self._token_key)
            token = self._read(raw)
            if token is not None and token != stale:
                meters.add(meters.CACHE, "wechat_token", "hit")
                return token
            failed = self._ask("get", self._failed_key)
            if failed is not None:
                raise WeChatUnavailable(int(failed) if failed not in (b"", "") else None)
            holder = uuid.uuid4().hex
            if self._ask("set", self._lock_key, holder, nx=True, px=int(self._lock_s * 1000)):
                try:
                    # Somebody may have finished between our look and our lock.
                    token = self._read(self._ask("get", self._token_key))
                    if token is not None and token != stale:
                        return token
                    return self._fetch_shared(stale)
                finally:
                    self._release(holder)
            if time.monotonic() > give_up_at:
                raise WeChatUnavailable(None)
            with threads.aside():
                time.sleep(0.03)

    def _fetch_shared(self, stale: str | None) -> str:
        meters.add(meters.CACHE, "wechat_token", "miss")
        try:
            fetched = self._fetch(False)
            if stale is not None and fetched.value == stale and self._may_force():
                log.warning("wechat insists on a token it refuses; forcing a new one")
                fetched = self._fetch(True)
        except WeChatUnavailable as e:
            code = "" if e.errcode is None else str(e.errcode)
            self._try("set", self._failed_key, code, px=int(FAILURE_SHARED_S * 1000))
            raise
        fresh_s = _fresh_for(fetched.expires_in)
        self._keep(fetched.value, fresh_s)
        value = json.dumps({"token": fetched.value, "fresh_until": int(self._clock() + fresh_s)})
        # When Redis dies just here the token is good all the same: it is used, and kept by this process.
        self._try("set", self._token_key, value, ex=fresh_s)
        return fetched.value

    def _may_force(self) -> bool:
        try:
            if not self._ask("set", self._forced_key, "1", nx=True, ex=FORCE_GAP_S):
                return False
            today = int(self._ask("incr", self._forced_today_key))
            if today == 1:
                self._ask("expire", self._forced_today_key, 86400)
            return today <= FORCE_A_DAY
        except _RedisAway:
            return self._may_force_alone()

    def _read(self, raw: Any) -> str | None:
        """The token in a Redis value; a value nobody can read counts as absent."""
        if raw is None:
            return None
        try:
            value = json.loads(raw)
            token, fresh_until = value["token"], float(value["fresh_until"])
        except (ValueError, TypeError, KeyError):
            return None
        if not isinstance(token, str) or not token:
            return None
        if token != self._local.token:
            # What another process fetched serves this one too, should Redis go away.
            self._keep(token, fresh_until - self._clock())
        return token

    def _release(self, holder: str) -> None:
        self._try("eval", _DELETE_IF_EQUAL, 1, self._lock_key, holder)

    def _ask(self, command: str, *args: Any, **kwargs: Any) -> Any:
        if self._redis is None or time.monotonic() < self._local.redis_rests_until:
            raise _RedisAway
        try:
            return getattr(self._redis, command)(*args, **kwargs)
        except (RedisError, OSError) as e:
            self._local.redis_rests_until = time.monotonic() + REDIS_REST_S
            log.warning("redis is away; this process keeps its own wechat token (%s)", type(e).__name__)
            raise _RedisAway from None

    def _try(self, command: str, *args: Any, **kwargs: Any) -> None:
        # Said in the log by _ask; what was to be written is only a convenience for the others.
        with contextlib.suppress(_RedisAway):
            self._ask(command, *args, **kwargs)

    # Without Redis

    def _obtain_alone(self, stale: str | None) -> str:
        local = self._local
        with local.lock:
            if local.token is not None and local.token != stale and self._clock() < local.fresh_until:
                return local.token
            if time.monotonic() < local.failed_until:
                raise WeChatUnavailable(local.failed_errcode)
            try:
                fetched = self._fetch(False)
                if stale is not None and fetched.value == stale and self._may_force_alone():
                    fetched = self._fetch(True)
            except WeChatUnavailable as e:
                local.failed_until = time.monotonic() + FAILURE_SHARED_S
                local.failed_errcode = e.errcode
                raise
            self._keep(fetched.value, _fresh_for(fetched.expires_in))
            return fetched.value

    def _may_force_alone(self) -> bool:
        # No shared count here, so the gap alone has to hold the 20 a day: about one in 75 minutes.
        if time.monotonic() - self._local.forced_at < 4500:
            return False
        self._local.forced_at = time.monotonic()
        return True

    def _keep(self, token: str, fresh_s: float) -> None:
        self._local.fresh_until = self._clock() + fresh_s
        self._local.token = token


def _fresh_for(expires_in: int) -> int:
    """Seconds for which a token is handed out without asking again; never zero, which Redis refuses."""
    return max(expires_in - REFRESH_EARLY_S, 30)
