"""Counters for operators, on a port of their own: requests, their time, and what is owed in the outbox."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from app import db, outbox
from app.sources import queries as sources
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


def refused(limit: str) -> None:
    """Count a refusal: by the name of a limit, or what there was too little of (`database`, `threads`)."""
    REFUSED.labels(limit).inc()


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


class Backlog(Collector):
    """What is promised and not done yet, asked of the database at each scrape."""

    def collect(self) -> Iterator[Metric]:
        """Rows by kind and state; `up` says whether the database answered."""
        up = GaugeMetricFamily("jiayuan_database_up", "Does the database answer?")
        owed = GaugeMetricFamily("jiayuan_outbox_rows", "Promised, not done.", labels=["kind", "state"])
        unsealed = GaugeMetricFamily("jiayuan_ballots_unsealed", "Ballots not in their log yet.")
        oldest = GaugeMetricFamily(
            "jiayuan_ballots_unsealed_seconds", "How long the oldest of them has waited."
        )
        try:
            with db.reading():
                for kind, state, rows in outbox.backlog():
                    owed.add_metric([kind, state], rows)
                for state, rows in sources.backlog():
                    owed.add_metric(["source_status", state], rows)
                ballots, seconds = ledger.backlog()
                unsealed.add_metric([], ballots)
                oldest.add_metric([], seconds)
            up.add_metric([], 1)
        except DBAPIError:
            up.add_metric([], 0)
        yield from (up, owed, unsealed, oldest)


def serve_metrics(port: int) -> Any:
    """Serve /metrics of all web processes on the loopback port; call once, in the parent process."""
    import os

    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    else:
        registry = REGISTRY
    registry.register(Backlog())
    return start_http_server(port, addr="127.0.0.1", registry=registry)
