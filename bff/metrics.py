"""Counters for operators, on a port of their own: requests, their time, and what is owed in the outbox."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import clock, db, meters, outbox, queue, queue_watch
from app.messaging import pipeline
from app.messaging import queries as messages
from app.queue_watch import QueueAway
from app.sources import queries as sources
from app.tickets import pressure
from app.voting import ledger

log = logging.getLogger(__name__)

# Labels come from the route table, never from the request, so their number is bounded.
REQUESTS = Counter("jiayuan_requests_total", "Requests answered.", ["endpoint", "status"])
SECONDS = Histogram(
    "jiayuan_request_seconds",
    "Time to answer.",
    ["endpoint"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSED = Counter("jiayuan_refused_total", "Requests refused by a limit, or for want of room.", ["limit"])


def may_refuse(limits: Iterable[str]) -> None:
    """Show these limits from the start, with nothing refused yet: of a count that appears with its first refusal
    Prometheus sees no increase.
    """
    for limit in limits:
        REFUSED.labels(limit)


def refused(limit: str) -> None:
    """Count a refusal: by the name of a limit, or what there was too little of (`database`, `threads`)."""
    REFUSED.labels(limit).inc()


# Of each process the connections that were in use when it answered last; added up over those that live.
IN_USE = Gauge(
    "jiayuan_pool_in_use", "Database connections that web processes hold.", multiprocess_mode="livesum"
)
MOST_IN_USE = Gauge(
    "jiayuan_pool_most",
    "Database connections that web processes may hold, apart from those for plain statements.",
    multiprocess_mode="livesum",
)


def process_begun() -> None:
    """Show what this web process may use, from its start."""
    global _shown_in_use
    _shown_in_use = -1
    MOST_IN_USE.set(db.most_in_use())


@lru_cache(maxsize=4096)
def _counter(endpoint: str, status: int) -> Counter:
    return REQUESTS.labels(endpoint, str(status))


@lru_cache(maxsize=1024)
def _clock(endpoint: str) -> Histogram:
    return SECONDS.labels(endpoint)


def answered(endpoint: str, status: int, seconds: float) -> None:
    """Count an answer and its time."""
    _counter(endpoint, status).inc()
    _clock(endpoint).observe(seconds)
    global _shown_in_use
    if (now := db.in_use()) != _shown_in_use:
        _shown_in_use = now
        IN_USE.set(now)


_shown_in_use = -1  # each write goes to a file that all processes share


class Backlog(Collector):
    """What is promised and not done yet, asked of the database at each scrape, by indexes of what is open."""

    def collect(self) -> Iterator[Metric]:
        """`up` says whether the database answered; without it there is nothing else."""
        up = GaugeMetricFamily("jiayuan_database_up", "Does the database answer?")
        families = {
            name: GaugeMetricFamily(f"jiayuan_{name}", text, labels=labels)
            for name, text, labels in (
                ("outbox_rows", "Promised, not done.", ["kind", "state"]),
                ("outbox_oldest_due_seconds", "How long the oldest row that is due has waited.", []),
                ("ballots_unsealed", "Ballots not in their log yet.", []),
                ("ballots_unsealed_seconds", "How long the oldest of them has waited.", []),
                ("sms_batches", "Batches of text messages that aren't over.", ["state"]),
                ("wechat_notices_waiting", "WeChat notices still to be sent.", []),
                (
                    "tickets",
                    "Open tickets; of these past their limit, and past the waiting step's.",
                    ["state"],
                ),
                ("database_connections", "Connections of all our processes.", ["state"]),
                ("database_connections_max", "What the server takes from everybody.", []),
            )
        }
        try:
            with db.reading():
                self._ask({name: family.add_metric for name, family in families.items()})
            up.add_metric([], 1)
        except (DBAPIError, PoolTimeout):
            up.add_metric([], 0)
        yield up
        yield from families.values()

    @staticmethod
    def _ask(add: Mapping[str, Callable[[list[str], float], None]]) -> None:
        for kind, state, rows in outbox.backlog():
            add["outbox_rows"]([kind, state], rows)
        for state, rows in sources.backlog():
            add["outbox_rows"](["source_status", state], rows)
        add["outbox_oldest_due_seconds"]([], outbox.oldest_due())
        ballots, seconds = ledger.backlog()
        add["ballots_unsealed"]([], ballots)
        add["ballots_unsealed_seconds"]([], seconds)
        for state, batches in pipeline.backlog():
            add["sms_batches"]([state], batches)
        add["wechat_notices_waiting"]([], messages.notices_waiting())
        for state, tickets in zip(("open", "late", "step_late"), pressure.lateness(), strict=True):
            add["tickets"]([state], tickets)
        for state, number in db.connections():
            add["database_connections"]([state], number)
        add["database_connections_max"]([], db.most_connections())


class Work(Collector):
    """The queues and who serves them, and what all processes counted, asked of Redis at each scrape."""

    def collect(self) -> Iterator[Metric]:
        """`up` says whether Redis answered."""
        up = GaugeMetricFamily("jiayuan_redis_up", "Does Redis answer?")
        jobs = GaugeMetricFamily("jiayuan_queue_jobs", "Jobs on a queue.", labels=["queue", "state"])
        oldest = GaugeMetricFamily(
            "jiayuan_queue_oldest_seconds", "How long the first one has waited.", labels=["queue"]
        )
        workers = GaugeMetricFamily("jiayuan_queue_workers", "Workers of a queue.", labels=["queue"])
        schedules = GaugeMetricFamily("jiayuan_schedules", "Schedules heard of within two minutes.")
        counted = {
            meter.name: CounterMetricFamily(meter.name, meter.help, labels=meter.labels)
            for meter in meters.ALL
        }
        try:
            for state in queue_watch.states():
                name = state.name.value
                jobs.add_metric([name, "waiting"], state.waiting)
                jobs.add_metric([name, "running"], state.running)
                jobs.add_metric([name, "failed"], state.failed)
                workers.add_metric([name], state.workers)
                oldest.add_metric([name], _seconds_since(state.oldest))
            schedules.add_metric([], sum(age < ALIVE_S for age in queue_watch.schedules()))
            for (meter_name, *labels), total in meters.totals(queue.redis()).items():
                if meter_name in counted:  # not of an older version
                    counted[meter_name].add_metric(labels, total)
            up.add_metric([], 1)
        except (QueueAway, RedisError):
            up.add_metric([], 0)
        yield from (up, jobs, oldest, workers, schedules)
        yield from counted.values()


ALIVE_S = 120.0


def _seconds_since(at: datetime | None) -> float:
    if at is None:
        return 0.0
    return (clock.now() - (at if at.tzinfo else at.replace(tzinfo=UTC))).total_seconds()


# Held while files are added up, and while one is put to another: nothing is seen twice or not at all.
_adding = threading.Lock()


class Processes(MultiProcessCollector):
    """What all web processes counted, those that have ended included."""

    def collect(self) -> Iterable[Metric]:
        """The sums over their files."""
        with _adding:
            return super().collect()


def process_ended(pid: int, folder: Path) -> None:
    """Take an ended process's gauges out of the sums, and put what it counted to that of all who ended before it: each
    leaves two files, which would be read at every scrape for as long as the server runs.
    """
    with _adding:
        mark_process_dead(pid, str(folder))
        for kind in ("counter", "histogram"):
            left = folder / f"{kind}_{pid}.db"
            if not left.exists():
                continue
            kept = MmapedDict(str(folder / f"{kind}_ended.db"))
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(left)):
                kept.write_value(key, kept.read_value(key)[0] + value, 0)
            kept.close()
            left.unlink()


def serve_metrics(port: int) -> Any:
    """Serve /metrics of all web processes on the loopback port; call once, in the parent process."""
    import os

    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        Processes(registry)
    else:
        registry = REGISTRY
    registry.register(Backlog())
    registry.register(Work())
    return start_http_server(port, addr="127.0.0.1", registry=registry)
