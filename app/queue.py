"""Bells: after a commit, wake the worker that will find the rows. The rows are the truth, a bell is a hint."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue as RqQueue
from rq.serializers import JSONSerializer

from app import db

log = logging.getLogger(__name__)


class Queue(StrEnum):
    """One worker process serves exactly one of these (a worker on two can lose a job for ever)."""

    CRITICAL = "critical"  # a person waits
    DEFAULT = "default"
    MEDIA = "media"
    PERIODIC = "periodic"


class Job(StrEnum):
    """Every job by the dotted name of its function, so that `app` never imports `workers`."""

    DRAIN = "workers.jobs.drain"
    DRAIN_NOTICES = "workers.jobs.drain_notices"
    SWEEP = "workers.jobs.sweep"
    EXPIRE_UPLOADS = "workers.jobs.expire_uploads"
    ASK_VERDICTS = "workers.jobs.ask_verdicts"
    ERASE_POSITIONS = "workers.jobs.erase_positions"
    TIDY = "workers.jobs.tidy"
    CHECK_ORPHANS = "workers.jobs.check_orphans"


JOB_TIMEOUT_S = 55  # jobs stay below a minute: a killed worker's job is then soon known to be lost

_redis: Redis | None = None
_ring = True


def configure(url: str, *, ring_bells: bool = True) -> Redis:
    """Make `url` the process's Redis. Timeouts are short: a request never waits long for a bell."""
    global _redis, _ring
    _redis = Redis.from_url(url, socket_connect_timeout=1, socket_timeout=2, health_check_interval=30)
    _ring = ring_bells
    return _redis


def redis() -> Redis:
    """The process's Redis client."""
    if _redis is None:
        raise RuntimeError("app.boot() has not run")
    return _redis


def rq_queue(name: Queue, connection: Redis | None = None) -> RqQueue:
    """The RQ queue of that name; JSON, never pickle: write access to Redis must not mean code execution."""
    return RqQueue(name.value, connection=connection or redis(), serializer=JSONSerializer)


def enqueue(name: Queue, job: Job, *args: Any) -> None:
    """Put a job on its queue now. Raises RedisError when Redis is away."""
    rq_queue(name).enqueue_call(
        job.value, args=args, timeout=JOB_TIMEOUT_S, result_ttl=60, failure_ttl=86400, description=job.name
    )


def enqueue_after_commit(name: Queue, job: Job, *args: Any) -> None:
    """Ring once this transaction is durable. The same bell twice in one transaction rings once.

    When Redis is away the bell is lost and a line says so; the sweeper finds the rows within seconds.
    """
    bells: dict[tuple[Any, ...], None] = db.session().info.setdefault("bells", {})
    if not bells:
        db.after_commit(lambda: _ring_all(list(bells)))
    bells[(name, job, *args)] = None


def _ring_all(bells: list[tuple[Any, ...]]) -> None:
    if not _ring:
        return
    try:
        for name, job, *args in bells:
            enqueue(name, job, *args)
    except RedisError as e:
        log.warning("bell lost, the sweeper takes over: %s", type(e).__name__)


def answers() -> bool:
    """Does Redis answer now?"""
    try:
        return bool(redis().ping())
    except RedisError:
        return False
