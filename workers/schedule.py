"""What happens by the clock: RQ's own cron, with our serializer, and at most one waiting job of each kind."""

from __future__ import annotations

import logging
import os
import time

from redis import Redis
from rq.cron import CronJob, CronScheduler
from rq.job import Job as RqJob

from app import clock
from app.queue import JOB_TIMEOUT_S, Job, Queue, rq_queue
from app.settings import Settings
from workers import jobs

log = logging.getLogger(__name__)

CLOCK_SET_S = 2.0  # a clock that is only corrected moves by less between two looks


class JsonCronJob(CronJob):
    """Enqueues as JSON (RQ's own would pickle) and not at all while the last one still waits."""

    def enqueue(self, connection: Redis) -> RqJob:
        """Put the job on its queue unless it is there already."""
        queue = rq_queue(Queue(self.queue_name), connection)
        assert self.func is not None
        job_id = f"cron-{self.func.__name__}"
        waiting = queue.fetch_job(job_id)
        if waiting is not None and job_id in queue.job_ids:
            return waiting
        return queue.enqueue_call(
            f"{self.func.__module__}.{self.func.__name__}",
            timeout=JOB_TIMEOUT_S,
            result_ttl=60,
            failure_ttl=3600,
            job_id=job_id,
        )


class Schedule(CronScheduler):
    """The periodic jobs of the house."""

    _ahead: float | None = None  # of the wall clock before the one that nobody sets

    def enqueue_jobs(self) -> list[CronJob]:
        """Put on their queue those that are due; when the machine's clock was set, every one that has an interval.

        RQ keeps the moment by the wall clock: set back by an hour, it would ring for nothing during that hour.
        """
        ahead = time.time() - time.monotonic()
        if self._ahead is not None and abs(ahead - self._ahead) > CLOCK_SET_S:
            log.warning("the clock was set by %.0f s: the schedule begins anew", ahead - self._ahead)
            for job in self._cron_jobs:
                job.latest_enqueue_time = None
                if job.cron:
                    job.next_enqueue_time = job.get_next_enqueue_time()
        self._ahead = ahead
        return super().enqueue_jobs()

    def add(self, job: Job, *, interval: int | None = None, cron: str | None = None) -> None:
        """Run `job` every `interval` seconds or by a cron line (local time: Asia/Shanghai)."""
        func = getattr(jobs, job.value.rsplit(".", 1)[1])
        self._cron_jobs.append(
            JsonCronJob(
                queue_name=Queue.PERIODIC.value, func=func, interval=interval, cron=cron, name=job.name
            )
        )


def run(connection: Redis, settings: Settings) -> None:
    """Enqueue what is due until stopped; leaves when Redis is away, and the supervisor starts it again."""
    # Cron lines are read in local time, and the nights meant here are those of the people served.
    os.environ["TZ"] = clock.SHANGHAI.key
    time.tzset()
    schedule = Schedule(connection=connection, name=f"schedule-{clock.now():%Y%m%d%H%M%S%f}")
    schedule.add(Job.SWEEP, interval=settings.sweep_s)
    schedule.add(Job.BRING_FORWARD, interval=30)
    schedule.add(Job.ASK_VERDICTS, interval=60)
    schedule.add(Job.MEND_SMS, interval=60)
    schedule.add(Job.RECONCILE_SMS, interval=300)
    schedule.add(Job.WATCH_LIMITS, interval=30)
    schedule.add(Job.RUN_DECISIONS, interval=5)  # who votes in the first minute isn't turned away
    schedule.add(Job.PUBLISH_NOTICES, interval=10)
    schedule.add(Job.RUN_CAMPAIGNS, interval=5)
    schedule.add(Job.EXPIRE_UPLOADS, interval=600)
    schedule.add(Job.ERASE_POSITIONS, cron="20 3 * * *")
    schedule.add(Job.TIDY, interval=3600)
    schedule.add(Job.CHECK_CLOCKS, cron="10 4 * * *")
    schedule.add(Job.CHECK_STINTS, cron="25 4 * * *")
    schedule.add(Job.MATCH_OPEN, cron="40 4 * * *")
    schedule.add(Job.CHECK_ORPHANS, cron="50 3 * * *")
    schedule.add(Job.END_PATROLS, interval=300)
    schedule.add(Job.ERASE_TRACKS, cron="30 3 * * *")
    schedule.add(Job.RETAIN, cron="*/15 0-5 * * *")  # each run a part, until nothing is left
    schedule.add(Job.GRADE_ZONES, cron="10 1-5 * * *")
    schedule.add(Job.ANCHOR_LOGS, cron="0 * * * *")
    schedule.start()
