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
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from types import FrameType

from redis import Redis
from redis.exceptions import RedisError
from rq import Worker
from rq.serializers import JSONSerializer

from app import db
from app.queue import Queue
from app.settings import Settings, SettingsError
from workers import config, schedule

log = logging.getLogger("workers")

_PR_SET_PDEATHSIG = 1
SICK_S = 5  # a child that lived shorter is restarted with a growing pause
MAX_PAUSE_S = 5


def _blocking_redis(settings: Settings) -> Redis:
    """RQ waits for work on this connection, so it has no read time-out of its own."""
    return Redis.from_url(settings.redis_url, socket_connect_timeout=2, health_check_interval=15)


def run_worker(queue: Queue) -> int:
    """Work on one queue until stopped. Imports everything once; each job runs in a fork of this process."""
    settings = config.boot()
    # Imported before the fork, or every job would pay for it (7 against 1.2 messages a second when measured).
    import workers.jobs  # noqa: F401

    os.register_at_fork(after_in_child=db.dispose_after_fork)
    worker = Worker(
        [queue.value],
        connection=_blocking_redis(settings),
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
    schedule.run(_blocking_redis(settings), settings)
    return 0


@dataclass
class Child:
    """One supervised process."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    not_before: float = 0.0
    failures: int = 0

    def start(self) -> None:
        """Start it; it dies with its parent."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workers", *self.arguments],
            preexec_fn=_die_with_parent,  # noqa: PLW1509  the supervisor has one thread
        )

    def look(self) -> None:
        """Start it when it isn't running, after a pause that grows while it dies young."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            young = now - self.started < SICK_S
            self.failures = self.failures + 1 if young else 0
            self.not_before = now + (min(0.5 * self.failures, MAX_PAUSE_S) if young else 0)
            log.warning("worker process %s ended with %s and is started again", self.name, code)
            self.process = None
        if now >= self.not_before:
            self.start()


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def supervise() -> int:
    """Keep one worker a queue and the schedule running until SIGTERM or SIGINT; running jobs then finish."""
    config.boot()
    children = [Child(queue.value, ["--queue", queue.value]) for queue in Queue]
    children.append(Child("schedule", ["--schedule"]))
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
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + 20
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
    return 0


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
