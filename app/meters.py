"""Counts of what happens in any process: web, workers, the short-lived process of each job. Redis adds them up, and
/metrics reads them there, so that no process needs a port of its own.

Counting costs a dictionary entry; once a second, and at the end of a job, what was counted goes to Redis. While it is
away nothing is counted; one that lost its memory begins anew, as Prometheus expects of counters.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError


class Meter(NamedTuple):
    """A counter: what it counts, and the names of its labels, whose values are few and come from the code."""

    name: str
    help: str
    labels: tuple[str, ...]


JOBS = Meter("jiayuan_jobs", "Jobs that came to an end.", ("queue", "job", "outcome"))
JOB_SECONDS = Meter("jiayuan_job_seconds", "Time that jobs took.", ("queue", "job"))
CALLS = Meter("jiayuan_provider_calls", "Calls to others.", ("provider", "call", "outcome"))
CALL_SECONDS = Meter("jiayuan_provider_seconds", "Time that calls to others took.", ("provider", "call"))
CACHE = Meter("jiayuan_cache_lookups", "Looks into a cache.", ("cache", "result"))
SLOW = Meter("jiayuan_slow_statements", "Statements slower than SLOW_QUERY_MS.", ())
BREACHES = Meter("jiayuan_clock_breaches", "Limits that passed before the work was done.", ("clock",))
ALL = (JOBS, JOB_SECONDS, CALLS, CALL_SECONDS, CACHE, SLOW, BREACHES)

KEY = "meters"
EVERY_S = 1.0

_redis: Redis | None = None
_lock = threading.Lock()
_counted: dict[tuple[str, ...], float] = {}
_timer: threading.Timer | None = None


def configure(redis: Redis) -> None:
    """Where this process's counts go (called once by `app.boot`)."""
    global _redis
    _redis = redis


def add(meter: Meter, *labels: str, by: float = 1) -> None:
    """Count. Never fails and never waits."""
    global _timer
    key = (meter.name, *labels)
    with _lock:
        _counted[key] = _counted.get(key, 0) + by
        if _timer is None and _redis is not None:
            _timer = threading.Timer(EVERY_S, flush)
            _timer.daemon = True
            _timer.start()


def flush() -> None:
    """Hand what was counted to Redis now; what it doesn't take is lost."""
    global _counted, _timer
    with _lock:
        counted, _counted, _timer = _counted, {}, None
    if _redis is None or not counted:
        return
    try:
        with _redis.pipeline(transaction=False) as pipe:
            for key, by in counted.items():
                pipe.hincrbyfloat(KEY, json.dumps(key), by)
            pipe.execute()
    except RedisError:
        return  # a part may have been taken: rather too few in a picture than the same twice


def totals(redis: Redis) -> Mapping[tuple[str, ...], float]:
    """(name, *labels) → the sum over all processes since Redis was empty. Raises RedisError."""
    found = redis.hgetall(KEY)
    assert isinstance(found, dict)
    return {tuple(json.loads(key)): float(value) for key, value in found.items()}


@contextmanager
def timed(meter: Meter, *labels: str) -> Iterator[None]:
    """Count the seconds of the block, however it ends."""
    began = time.perf_counter()
    try:
        yield
    finally:
        add(meter, *labels, by=time.perf_counter() - began)


def _forget() -> None:
    """In a child: what the parent counted is the parent's, and its timer doesn't run here."""
    global _lock, _counted, _timer
    _lock, _counted, _timer = threading.Lock(), {}, None


os.register_at_fork(after_in_child=_forget)
