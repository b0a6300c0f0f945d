"""The worker entry.

`python -m workers`                supervisor: one process a queue and the schedule, restarted when they end
`python -m workers --queue NAME`   one worker
`python -m workers --schedule`     the periodic schedule
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue as RqQueue
from rq import Worker
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from sqlalchemy.orm import configure_mappers

from app import db, logs, meters
from app.queue import Queue
from app.settings import Settings, SettingsError
from workers import config, schedule

log = logging.getLogger("workers")
_fork = multiprocessing.get_context("fork")

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
SICK_S = 5  # a child that lived shorter is restarted with a growing pause
MAX_PAUSE_S = 5
# Pictures take a processor for a tenth of a second each, and nobody waits for one: requests come first.
YIELDING, NICER = frozenset({Queue.MEDIA, Queue.IMPORTS}), 15
FINISH_S = 20.0  # after a stop, jobs that run may finish so long; then they end where they are, and run again


def _blocking_redis(settings: Settings) -> Redis:
    """RQ waits for work on this connection, so it has no read time-out of its own."""
    return Redis.from_url(settings.redis_url, socket_connect_timeout=2, health_check_interval=15)


class OneQueueWorker(Worker):
    """RQ's worker, back at work within seconds once Redis is; its own pauses grow to a minute."""

    max_connection_wait_time = 2.0

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say that we live; after Redis lost its memory, also who we are, or no list would show this worker."""
        if pipeline is None and not self.connection.hexists(self.key, "birth"):
            self.connection.delete(self.key)
            self.register_birth()
        super().heartbeat(timeout, pipeline)

    def perform_job(self, job: RqJob, queue: RqQueue, execution: Execution) -> bool:
        """Its lines carry the id of the request it goes back to; what it came to is counted."""
        name = (job.func_name or "-").rpartition(".")[2]
        with logs.of_request(job.meta.get("request_id")), meters.timed(meters.JOB_SECONDS, queue.name, name):
            is_done = super().perform_job(job, queue, execution)
        meters.add(meters.JOBS, queue.name, name, "done" if is_done else "failed")
        meters.flush()  # this process ends with its job
        return is_done


def _wait_for(redis: Redis) -> None:
    """Wait until Redis answers. Leaving and being started again would import everything every few seconds."""
    said = False
    while True:
        try:
            redis.ping()
        except RedisError as e:
            if not said:
                log.warning("redis is away, waiting: %s", type(e).__name__)
                said = True
            time.sleep(0.5)
        else:
            return


def run_worker(queue: Queue) -> int:
    """Work on one queue until stopped. Imports everything once; each job runs in a fork of this process."""
    settings = config.boot()
    if queue in YIELDING:
        os.nice(NICER)
    # Imported before the fork, or every job would pay for it (7 against 1.2 messages a second when measured).
    import workers.jobs  # noqa: F401

    configure_mappers()  # for the same reason: it takes a quarter of a second, and nothing of it belongs to a job
    os.register_at_fork(after_in_child=db.dispose_after_fork)
    redis = _blocking_redis(settings)
    _wait_for(redis)
    worker = OneQueueWorker(
        [queue.value],
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=45,
        maintenance_interval=15,
        default_result_ttl=60,
        log_job_description=False,
    )
    worker.work(with_scheduler=False, logging_level="WARNING")
    return 0


def run_schedule() -> int:
    """Enqueue the periodic jobs until stopped."""
    settings = config.boot()
    redis = _blocking_redis(settings)
    _wait_for(redis)
    schedule.run(redis, settings)
    return 0


@dataclass
class Child:
    """One supervised process, forked from the supervisor: what that has imported is there at once."""

    name: str
    work: Callable[[], int]
    process: BaseProcess | None = None
    started: float = 0.0
    not_before: float = 0.0
    failures: int = 0

    def start(self) -> None:
        """Start it; it dies with its parent."""
        self.started = time.monotonic()
        process = _fork.Process(target=_be_child, args=(self.name, self.work, os.getpid()))
        process.start()
        self.process = process

    def look(self) -> None:
        """Start it when it isn't running, after a pause that grows while it dies young."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.is_alive():
                return
            young = now - self.started < SICK_S
            self.failures = self.failures + 1 if young else 0
            self.not_before = now + (min(0.5 * self.failures, MAX_PAUSE_S) if young else 0)
            log.warning(
                "worker process %s ended with %s and is started again", self.name, self.process.exitcode
            )
            self.process = None
        if now >= self.not_before:
            try:
                self.start()
            except OSError as e:
                # Out of memory or processes: the others go on, and it is tried again.
                log.warning("worker process %s can't be started: %s", self.name, e)
                self.not_before = now + MAX_PAUSE_S


def _be_child(name: str, work: Callable[[], int], parent: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # What `ps -e` and `top` show; all children have the supervisor's command line.
        libc.prctl(_PR_SET_NAME, f"jiayuan-{name}".encode()[:15], 0, 0, 0)
    if os.getppid() != parent:
        return  # it died before we could ask for its signal
    try:
        code = work()
    except RedisError as e:
        log.warning("redis is away, leaving: %s", type(e).__name__)
        code = 3
    raise SystemExit(code)


def supervise() -> int:
    """Keep one worker a queue and the schedule running until SIGTERM or SIGINT; running jobs then finish."""
    config.boot()
    # Here and not in each child, which would cost seconds of processor time five times over.
    import workers.jobs  # noqa: F401

    children = [Child(queue.value, partial(run_worker, queue)) for queue in Queue]
    children.append(Child("schedule", run_schedule))
    stopping = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopping:
        for child in children:
            child.look()
        time.sleep(0.2)
    _end([child.process for child in children if child.process is not None])
    return 0


def _end(running: list[BaseProcess]) -> None:
    # The first SIGTERM lets a worker finish its job, the second makes it kill its work-horse: a kill -9 of the
    # worker would leave that behind.
    for patience_s in (FINISH_S, 5.0):
        for process in running:
            process.terminate()
        deadline = time.monotonic() + patience_s
        for process in running:
            process.join(max(0.1, deadline - time.monotonic()))
        running = [process for process in running if process.is_alive()]
    for process in running:
        process.kill()
        process.join()


def main() -> int:
    """Run what the command line asks for; exit code 2 with one sentence when settings are missing."""
    parser = argparse.ArgumentParser(prog="python -m workers", description="Jiayuan's workers")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--queue", choices=[queue.value for queue in Queue])
    group.add_argument("--schedule", action="store_true")
    args = parser.parse_args()
    try:
        if args.queue:
            return run_worker(Queue(args.queue))
        return run_schedule() if args.schedule else supervise()
    except SettingsError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    except RedisError as e:
        log.warning("redis is away, leaving: %s", type(e).__name__)
        return 3


if __name__ == "__main__":
    raise SystemExit(main())
