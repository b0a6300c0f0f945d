"""The pace of each provider, shared by all workers: a token bucket in Redis, and what its last calls were like.

Redis is only a hint here as well: emptied, buckets are full and providers presumed well; away, each process keeps a
pace of its own.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

import orjson
from redis.exceptions import RedisError

from app import queue
from app.messaging import failover
from app.messaging.failover import Call, Standing
from app.messaging.pulse import CALLS, STANDINGS

# Of each provider: a busy one must not push out what one on its trickle showed.
KEPT_CALLS = 2 * failover.LAST
_JUDGING = "sms:judging"
_EVERY_S = 0.5  # between two looks at what other workers saw

# One moving point in time for each bucket (GCRA): no counter to refill, and the clock is Redis's own.
# KEYS: the bucket. ARGV: microseconds between two calls, and how many of them may come at once.
# Gives 0 when the call may go now, else the microseconds until it may.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local step, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = tonumber(redis.call('GET', KEYS[1]) or '0')
if due < now then due = now end
local wait = due - now - step * (burst - 1)
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', due + step), 'PX', math.ceil((due + step - now) / 1000) + 1000)
return 0
"""


class Pace:
    """One process's view. Safe to share between threads."""

    def __init__(self, *, slow_ms: float = 2000.0) -> None:
        self._slow_ms = slow_ms
        self._lock = threading.Lock()
        self._running: dict[int, tuple[str, float]] = {}
        self._last: dict[str, float] = {}
        self._own_due: dict[str, float] = {}
        self._calls: dict[str, deque[Call]] = {}
        self._standings: dict[str, Standing] = {}
        self._looked_at = 0.0
        self._numbers = 0

    def wait_s(self, provider: str, *, rate: float, burst: int = 1) -> float:
        """0.0 when a call may go now (it is then counted), else how long to wait before asking again. Seconds.

        `rate`: calls a second over all workers; 0 or less: no limit.
        """
        if rate <= 0:
            return 0.0
        step = 1 / rate
        try:
            said: Any = queue.redis().eval(_TAKE, 1, f"sms:pace:{provider}", step * 1e6, max(1, burst))
            return float(said) / 1e6
        except RedisError:
            with self._lock:
                now = time.monotonic()
                due = self._own_due.get(provider, 0.0)
                if due > now:
                    return due - now
                self._own_due[provider] = now + step
                return 0.0

    def choose(self, weights: Mapping[str, float]) -> str:
        """Who carries the next call, of those named, by their weights and how they do."""
        now = time.time()
        self._look(weights, now)
        with self._lock:
            chosen = failover.choose(weights, self._standings, dice=random.random(), last=self._last, now=now)
            self._last[chosen] = now
            return chosen

    def begin(self, provider: str) -> int:
        """A call begins; the number is for `end`."""
        with self._lock:
            self._numbers += 1
            self._running[self._numbers] = (provider, time.time())
            return self._numbers

    def end(self, number: int, *, failed: bool) -> None:
        """It ended. `failed`: the provider or the way there was at fault, not the message."""
        now = time.time()
        with self._lock:
            provider, at = self._running.pop(number)
        call = Call(provider, at, (now - at) * 1000, failed)
        try:
            key, pipe = CALLS + provider, queue.redis().pipeline(transaction=False)
            pipe.lpush(key, orjson.dumps(list(call)))
            pipe.ltrim(key, 0, KEPT_CALLS - 1)
            pipe.expire(key, 300)
            pipe.execute()
        except RedisError:
            with self._lock:
                self._calls.setdefault(provider, deque(maxlen=KEPT_CALLS)).append(call)

    def standings(self) -> dict[str, Standing]:
        """As this process knows them."""
        with self._lock:
            return dict(self._standings)

    def _look(self, names: Collection[str], now: float) -> None:
        """Every half second: read what all workers saw, judge, and leave the judgement for them."""
        with self._lock:
            if now - self._looked_at < _EVERY_S:
                return
            self._looked_at = now
            running = [Call(p, at, (now - at) * 1000, False) for p, at in self._running.values()]
            own = [call for calls in self._calls.values() for call in calls]
            known = dict(self._standings)
        try:
            redis = queue.redis()
            kept = redis.get(STANDINGS)
            known = {n: Standing(*s) for n, s in orjson.loads(kept).items()} if kept else {}
            told = [line for name in {*names, *known} for line in redis.lrange(CALLS + name, 0, -1)]
            calls = [Call(*orjson.loads(line)) for line in told]
            mine = bool(redis.set(_JUDGING, 1, nx=True, px=int(_EVERY_S * 800)))
        except (RedisError, orjson.JSONDecodeError, TypeError):
            calls, mine = own, True
        # A call that runs counts once it is slow; before that nothing can be said of it.
        calls += [call for call in running if call.ms >= self._slow_ms]
        known = {**{name: Standing() for name in names}, **known}
        decided = failover.judge(known, calls, now=now, slow_ms=self._slow_ms) if mine else known
        if mine and decided != known:
            with contextlib.suppress(RedisError):
                queue.redis().set(
                    STANDINGS, orjson.dumps({name: list(one) for name, one in decided.items()}), ex=3600
                )
        with self._lock:
            self._standings = decided
