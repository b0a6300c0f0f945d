"""Bells: after a commit, wake the worker that will find the rows. The rows are the truth, a bell is a hint."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from enum import StrEnum
from typing import Any
from uuid import uuid4

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue as RqQueue
from rq import get_current_job
from rq.serializers import JSONSerializer

from app import db, logs

log = logging.getLogger(__name__)


class Queue(StrEnum):
    """One worker process serves exactly one of these (a worker on two can lose a job for ever)."""

    CRITICAL = "critical"  # a person waits
    DEFAULT = "default"
    MEDIA = "media"
    IMPORTS = "imports"  # registers of tens of thousands of houses; nobody else waits behind them
    SMS = "sms"  # text messages: one job keeps several calls going
    PERIODIC = "periodic"


class Job(StrEnum):
    """Every job by the dotted name of its function, so that `app` never imports `workers`."""

    DRAIN = "workers.jobs.drain"
    DRAIN_NOTICES = "workers.jobs.drain_notices"
    DRAIN_STATUSES = "workers.jobs.drain_statuses"
    DRAIN_SMS = "workers.jobs.drain_sms"
    DRAIN_INBOUND = "workers.jobs.drain_inbound"
    MEND_SMS = "workers.jobs.mend_sms"
    RECONCILE_SMS = "workers.jobs.reconcile_sms"
    SWEEP = "workers.jobs.sweep"
    EXPIRE_UPLOADS = "workers.jobs.expire_uploads"
    BRING_FORWARD = "workers.jobs.bring_forward"
    ASK_VERDICTS = "workers.jobs.ask_verdicts"
    ERASE_POSITIONS = "workers.jobs.erase_positions"
    TIDY = "workers.jobs.tidy"
    CHECK_CLOCKS = "workers.jobs.check_clocks"
    CHECK_STINTS = "workers.jobs.check_stints"
    WATCH_LIMITS = "workers.jobs.watch_limits"
    CHECK_ORPHANS = "workers.jobs.check_orphans"
    END_PATROLS = "workers.jobs.end_patrols"
    ERASE_TRACKS = "workers.jobs.erase_tracks"
    GRADE_ZONES = "workers.jobs.grade_zones"
    MATCH_OPEN = "workers.jobs.match_open"
    RETAIN = "workers.jobs.retain"
    ANCHOR_LOGS = "workers.jobs.anchor_logs"
    RUN_DECISIONS = "workers.jobs.run_decisions"
    PUBLISH_NOTICES = "workers.jobs.publish_notices"
    RUN_CAMPAIGNS = "workers.jobs.run_campaigns"


JOB_TIMEOUT_S = 55  # jobs stay below a minute: a killed worker's job is then soon known to be lost
# A register of 50,000 houses takes 20 s on a machine at rest, and several times that on a busy one. Its work holds
# the outbox row as long as it goes on; a killed one is found by its lease as any other.
_LONGER = {Queue.IMPORTS: 600}
WAITS_S = 300  # for so long a bell is believed to wait; whether it does is seen by the sweeper
QUIET_S = 3.0  # a Redis that just failed is left alone so long; else every write would pay its time-outs

_redis: Redis | None = None
_ring = True
_quiet_until = 0.0
_asked: dict[Job, float] = {}  # bells that ring once, and until when this process needn't ask again


def configure(url: str, *, ring_bells: bool = True) -> Redis:
    """Make `url` the process's Redis. Timeouts are short: a request never waits long for a bell."""
    global _redis, _ring, _quiet_until
    _redis = Redis.from_url(
        url,
        socket_connect_timeout=1,
        socket_timeout=2,
        health_check_interval=30,
        # Once more, for a connection that a restart of Redis broke. The library's own ten tries with their
        # pauses held a request for 3 s.
        retry=Retry(NoBackoff(), 1),
    )
    _ring = ring_bells
    _quiet_until = 0.0
    return _redis


def redis() -> Redis:
    """The process's Redis client."""
    if _redis is None:
        raise RuntimeError("app.boot() has not run")
    return _redis


def rq_queue(name: Queue, connection: Redis | None = None) -> RqQueue:
    """The RQ queue of that name; JSON, never pickle: write access to Redis must not mean code execution."""
    return RqQueue(name.value, connection=connection or redis(), serializer=JSONSerializer)


def enqueue(name: Queue, job: Job, *args: Any, job_id: str | None = None) -> None:
    """Put a job on its queue now. Raises RedisError when Redis is away."""
    rq_queue(name).enqueue_call(
        job.value,
        args=args,
        timeout=_LONGER.get(name, JOB_TIMEOUT_S),
        result_ttl=60,
        failure_ttl=86400,
        description=job.name,
        job_id=job_id,
        meta={"request_id": request_id} if (request_id := logs.request_id()) else None,
    )


def ring(name: Queue, job: Job, *args: Any) -> None:
    """Ring now, unless the same bell still waits to be heard. When Redis is away the bell is lost and a line says so;
    the sweeper finds the rows.
    """
    _ring_all([(name, job, *args)])


def heard(name: Queue, job: Job, *args: Any) -> None:
    """The first thing a job says: who rings from now on may have written what it doesn't find any more."""
    with contextlib.suppress(RedisError):  # it forgets by itself
        key, running = _waits(name, job, *args), get_current_job()
        # A reminder that overtook the bell leaves it to the bell.
        if running is None or redis().get(key) == running.id.encode():
            redis().delete(key)


def _ring_unheard(name: Queue, job: Job, *args: Any) -> None:
    job_id = uuid4().hex
    if redis().set(_waits(name, job, *args), job_id, nx=True, ex=WAITS_S):
        enqueue(name, job, *args, job_id=job_id)


def _waits(name: Queue, job: Job, *args: Any) -> str:
    """Under this key stands which bell was rung and isn't heard yet. Whoever wrote before it is heard is found: one job
    for each row would keep a worker busy for hours after a storm, and those who come after it waiting.
    """
    return ":".join(["waits", name.value, job.name.lower(), *map(str, args)])


def ring_once(name: Queue, job: Job, *, every_ms: int) -> None:
    """Ring, unless anybody rang for the same job within `every_ms`: for what comes by the hundreds in a second. What
    the last ones bring is found by the job that runs, or by the sweeper.
    """
    global _quiet_until
    now = time.monotonic()
    if not _ring or now < max(_quiet_until, _asked.get(job, 0.0)):
        return
    _asked[job] = now + every_ms / 4000  # hundreds in a second need not all ask Redis whether somebody rang
    try:
        if redis().set(f"bell:{job.name.lower()}", 1, nx=True, px=every_ms):
            _ring_unheard(name, job)
    except RedisError as e:
        _quiet_until = time.monotonic() + QUIET_S
        log.warning("bell lost, the sweeper takes over: %s", type(e).__name__)


def remind(bells: Iterable[tuple[Any, ...]]) -> None:
    """Ring for what is due, (queue, job, *arguments) each. What was rung for and still waits isn't rung for again, or a
    worker that is long behind would find a queue full of it. Raises RedisError when Redis is away.
    """
    waiting: dict[Queue, set[str]] = {}
    for name, job, *args in bells:
        if name not in waiting:
            waiting[name] = set(rq_queue(name).job_ids)
        key = _waits(name, job, *args)
        rung: Any = redis().get(key)
        if rung is None or rung.decode() not in waiting[name]:  # or it was lost on its way to a worker
            job_id = uuid4().hex
            redis().set(key, job_id, ex=WAITS_S)
            enqueue(name, job, *args, job_id=job_id)


def enqueue_after_commit(name: Queue, job: Job, *args: Any) -> None:
    """Ring once this transaction is durable. The same bell twice in one transaction rings once.

    When Redis is away the bell is lost and a line says so; the sweeper finds the rows within seconds.
    """
    bells: dict[tuple[Any, ...], None] = db.session().info.setdefault("bells", {})
    if not bells:
        db.after_commit(lambda: _ring_all(list(bells)))
    bells[(name, job, *args)] = None


def _ring_all(bells: list[tuple[Any, ...]]) -> None:
    global _quiet_until
    if not _ring or time.monotonic() < _quiet_until:
        return
    try:
        for name, job, *args in bells:
            _ring_unheard(name, job, *args)
    except RedisError as e:
        _quiet_until = time.monotonic() + QUIET_S
        log.warning("bell lost, the sweeper takes over: %s", type(e).__name__)


def noted(text: str, lists: Iterable[str]) -> tuple[str | bytes | None, dict[str, list[Any]]] | None:
    """What lies under the key of a text and those of lists; None while Redis is away, which is not waited for twice."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return None
    names = list(lists)
    try:
        pipe = redis().pipeline(transaction=False)
        pipe.get(text)
        for name in names:
            pipe.lrange(name, 0, -1)
        kept, *told = pipe.execute()
    except RedisError:
        _quiet_until = time.monotonic() + QUIET_S
        return None
    return kept, dict(zip(names, told, strict=True))


def answers() -> bool:
    """Does Redis answer now?"""
    try:
        return bool(redis().ping())
    except RedisError:
        return False
