"""How often somebody may do something: buckets that fill up again, counted in Redis for all processes together, or in
each process by itself where Redis doesn't answer.

The generic cell rate algorithm (ITU-T I.371): of each bucket one moment is kept, at which it will be full again. One
script asks and takes in one way to Redis and back; what Redis refused is refused by the process itself until then.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app import crypto

log = logging.getLogger(__name__)

PATIENCE_S = 0.1  # Redis on the same machine or beside it answers within a thousandth of that
QUIET_S = 5.0  # after it didn't, one request in so many seconds tries again; the others don't wait
MOST_BUCKETS = 50_000  # in the memory of one process, some 12 MB; the least recently used is forgotten

# KEYS: the bucket. ARGV: microseconds until one more is allowed, how many at once. Answers microseconds to wait, 0
# where one was taken. Redis' own clock, so that all processes agree; a moment further away than an empty bucket can be
# comes of a clock that was set back, and is forgotten. Numbers are written out: Lua would round them.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local every, at_once = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or now)
if full < now or full > now + every * at_once then full = now end
local wait = full + every - every * at_once - now
if wait > 0 then return string.format('%.0f', wait) end
full = full + every
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return '0'
"""


@dataclass(frozen=True)
class Limit:
    """So many at once, then one more each `every_s` seconds. `shared`: counted in Redis for all processes; else each
    process counts by itself, which costs no way to Redis and allows as many times more as there are processes.
    """

    name: str
    at_once: int
    every_s: float
    shared: bool = True


class Moments:
    """By key the moment at which something ends, the least recently used forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ends: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable, limit: Limit, now: float) -> float:
        """Seconds to wait, 0.0 where one was taken."""
        with self._lock:
            full = max(self._ends.get(key, now), now)
            wait = full - limit.every_s * (limit.at_once - 1) - now
            # The sum of many small steps isn't exact: a nanosecond is no wait.
            if wait > 1e-9:
                self._ends.move_to_end(key)  # who goes on asking isn't forgotten
                return wait
            self._put(key, full + limit.every_s)
            return 0.0

    def left(self, key: Hashable, now: float) -> float:
        """Seconds until its moment; 0.0 when that is over."""
        with self._lock:
            end = self._ends.get(key)
            if end is None or end > now:
                return end - now if end is not None else 0.0
            del self._ends[key]
            return 0.0

    def note(self, key: Hashable, end: float) -> None:
        """Its moment is `end`."""
        with self._lock:
            self._put(key, end)

    def _put(self, key: Hashable, end: float) -> None:
        self._ends[key] = end
        self._ends.move_to_end(key)
        while len(self._ends) > self._most:
            self._ends.popitem(last=False)

    def __len__(self) -> int:
        return len(self._ends)


class Limiter:
    """The buckets of one process."""

    def __init__(self, redis: Redis | None, *, most: int = MOST_BUCKETS) -> None:
        self._script = redis.register_script(_TAKE) if redis is not None else None
        self._own = Moments(most)
        self._shut = Moments(most)
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def take(self, limit: Limit, who: object) -> float:
        """Take one of `who`'s bucket: 0.0, or how many seconds to wait until one is there (and none was taken)."""
        now = time.monotonic()
        key = limit.name, who
        if not limit.shared:
            return self._own.take(key, limit, now)
        if wait := self._shut.left(key, now):
            return wait
        told = self._asked(limit, who, now)
        wait = self._own.take(key, limit, now) if told is None else told
        if wait:
            self._shut.note(key, now + wait)
        return wait

    def shut(self, limit: Limit, who: object) -> float:
        """How many seconds nothing more will be given to `who`, as far as this process was told. Asks nobody."""
        return self._shut.left((limit.name, who), time.monotonic())

    def held(self) -> int:
        """How many buckets this process keeps by itself."""
        return len(self._own)

    def _asked(self, limit: Limit, who: object, now: float) -> float | None:
        """What Redis says; None where it doesn't answer, or didn't a moment ago."""
        if self._script is None or not self._may_ask(now):
            return None
        # Who it is stays with us: Redis holds a keyed hash, and that no longer than the bucket needs.
        bucket = crypto.keys().keyed_hash(f"{limit.name}\0{who}", "rates")[:16].hex()
        try:
            micros = int(self._script(keys=[f"rate:{bucket}"], args=[_micros(limit.every_s), limit.at_once]))
        except RedisError as e:
            self._quiet_until = time.monotonic() + QUIET_S
            log.warning("limits are counted in each process by itself: %s", type(e).__name__)
            return None
        self._quiet_until = 0.0
        return micros / 1_000_000

    def _may_ask(self, now: float) -> bool:
        """After a failure only the first of all threads asks again, once in QUIET_S."""
        if self._quiet_until == 0.0:
            return True
        with self._lock:
            if now < self._quiet_until:
                return False
            self._quiet_until = now + QUIET_S
            return True


def _micros(seconds: float) -> int:
    return max(1, round(seconds * 1_000_000))


def impatient(url: str) -> Redis:
    """A client of the Redis at `url` that no request waits for: at most twice PATIENCE_S."""
    return Redis.from_url(
        url,
        socket_connect_timeout=PATIENCE_S,
        socket_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 1),  # once more, for a connection that a restart of Redis broke
    )


_limiter: Limiter | None = None


def configure(url: str, *, on: bool = True) -> None:
    """Count in the Redis at `url`; `on=False`: allow everything. Connects to nothing yet."""
    global _limiter
    _limiter = None
    if on:
        _limiter = Limiter(impatient(url))


def take(limit: Limit, who: object) -> int:
    """Take one of `who`'s bucket: 0, or how many whole seconds to wait until one is there (and none was taken)."""
    return 0 if _limiter is None else math.ceil(_limiter.take(limit, who))


def shut(limit: Limit, who: object) -> int:
    """Whole seconds for which this process knows that nothing more is given to `who`; 0 where it knows nothing."""
    return 0 if _limiter is None else math.ceil(_limiter.shut(limit, who))
