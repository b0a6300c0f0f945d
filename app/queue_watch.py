"""What the queues hold, for who looks after the server: names of jobs and numbers, never what a job was given."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from redis.exceptions import RedisError
from rq import Worker
from rq.cron_scheduler_registry import get_registry_key
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from app import queue
from app.errors import Unavailable
from app.queue import Queue

MOST_FAILED = 50  # shown of one queue, the latest


class QueueAway(Unavailable):
    """Redis doesn't answer: what waits there can't be seen, and nothing is lost by it."""

    code = "queue_away"
    zh = "现在看不到后台任务，请过一会儿再看。工作没有丢，恢复后会自动接着做。"
    en = "Background work can't be seen right now; nothing is lost, it goes on by itself."


class State(NamedTuple):
    """A queue: how many jobs wait, go on and have failed, since when the oldest waits, how many workers serve it."""

    name: Queue
    waiting: int
    running: int
    failed: int
    oldest: datetime | None
    workers: int


class Failed(NamedTuple):
    """A job that failed: `job` is the name of its function, `error` the class of what was raised."""

    id: str
    job: str
    at: datetime | None
    error: str


def states() -> list[State]:
    """Every queue as it is now. Raises QueueAway."""
    try:
        serving = [name for worker in Worker.all(connection=queue.redis()) for name in worker.queue_names()]
        return [_state(name, serving.count(name.value)) for name in Queue]
    except RedisError as e:
        raise QueueAway from e


def _state(name: Queue, workers: int) -> State:
    found = queue.rq_queue(name)
    first = found.get_jobs(0, 1)
    return State(
        name,
        waiting=found.count,
        running=found.started_job_registry.get_job_count(cleanup=False),
        failed=found.failed_job_registry.get_job_count(cleanup=False),
        oldest=first[0].enqueued_at if first else None,
        workers=workers,
    )


def schedules() -> list[float]:
    """How many seconds ago each schedule was heard of last; one should run, heard of each minute. Raises QueueAway."""
    try:
        seen: Any = queue.redis().zrange(get_registry_key(), 0, -1, withscores=True)
    except RedisError as e:
        raise QueueAway from e
    return sorted(time.time() - at for _, at in seen)


def failed(name: Queue) -> list[Failed]:
    """The jobs of this queue that failed within a day, the latest first. Raises QueueAway."""
    try:
        found = queue.rq_queue(name)
        ids = found.failed_job_registry.get_job_ids(0, MOST_FAILED - 1, desc=True, cleanup=False)
        jobs = RqJob.fetch_many(ids, connection=queue.redis(), serializer=JSONSerializer)
        return [
            Failed(job.id, job.func_name or "", job.ended_at, _error(job)) for job in jobs if job is not None
        ]
    except RedisError as e:
        raise QueueAway from e


def _error(job: RqJob) -> str:
    """The class alone: what stands behind it may quote what somebody wrote."""
    result = job.latest_result()
    lines = (result.exc_string or "").strip().splitlines() if result is not None else []
    return lines[-1].partition(":")[0].rpartition(".")[2][:80] if lines else ""


def failed_ids(name: Queue) -> list[str]:
    """All failed jobs of this queue by their ids. Raises QueueAway."""
    try:
        return list(queue.rq_queue(name).failed_job_registry.get_job_ids(cleanup=False))
    except RedisError as e:
        raise QueueAway from e


def retry(name: Queue, job_ids: Iterable[str]) -> None:
    """Put these failed jobs of this queue back on it. Raises QueueAway."""
    registry = queue.rq_queue(name).failed_job_registry
    try:
        for job_id in job_ids:
            try:
                registry.requeue(job_id)
            except (InvalidJobOperation, NoSuchJobError):  # somebody else did, or its day is over
                continue
    except RedisError as e:
        raise QueueAway from e
