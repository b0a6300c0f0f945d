"""`make bench NAME=bff`: what residents open, under the production server with the full street, beside a bare view.

A throw-away PostgreSQL and Valkey with the real schema: 34 estates, 49,800 homes, 78,000 residents, 100,000 tickets, a
vote open in each estate, two years of books, notices. Servers side by side, each gunicorn as deploy/gunicorn.py sets it
up: the application, a bare Flask view, and `bench.bff_five`: what the first screen shows by five requests of ORM and
marshmallow. They take turns in slices of a second, in three rounds; ratios are medians over the slices. Asked are, by
ever other residents over 8 connections: `home`, `list20` (her tickets), `detail` (one of them), `decision`, `revenue`
(the last year by month), `ballot`. Then 16 clients report with a photo of 12 MP each, while a worker works on the
photos (`report_p99_ms`: upload and report together). Queries are counted in this process, by
the same application.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from sqlalchemy import event

import bff
from app import create_app, db, ids
from app.ids import Kind, Ref
from app.people import tokens as people_tokens
from app.queue import Queue
from app.settings import Settings
from bench import bff_town, harness, load, revenue_town, vote
from bench.bff_town import Town
from bench.harness import Report, Target, Yardstick
from bench.load import Clients
from bench.vote import BARE_REFERENCE, DATABASE, Server, Slice, compare, ratio, serving
from tools import pictures, servers
from tools.smoke_http import multipart

CLIENTS = 8
SLICE_S = 1.0
REPORTERS, REPORT_S, WARM_S = 16, 20.0, 2.0
FIVE = ("/me", "/tickets", "/decisions", "/notices", "/revenue")
TARGETS = {
    "home": Target(">=", 0.18),
    "list20": Target(">=", 0.15),
    "detail": Target(">=", 0.15),
    "revenue": Target(">=", 0.25),
}


class Readers:
    """Residents who live in the street and are logged in, in turn; each with her tokens, estate and tickets."""

    def __init__(self, town: Town, dsn: str, secret: str) -> None:
        self.owners = town.everyone
        self._of = {who.resident: (estate, who) for estate, who in self.owners}
        # Signed before anything is timed: the clients share the processors with those they measure.
        self._tokens = {
            who.resident: people_tokens.access_token(who.resident, who.session, secret=secret, seconds=7200)
            for _, who in self.owners
        }
        with psycopg.connect(dsn) as connection:
            rows = connection.execute(
                "SELECT reporter_id, array_agg(community_id ORDER BY id), array_agg(id ORDER BY id) FROM tickets"
                " WHERE reporter_id IS NOT NULL GROUP BY reporter_id"
            ).fetchall()
        self.tickets: dict[UUID, list[Ref]] = {
            who: [Ref(*one) for one in zip(homes, found, strict=True)]
            for who, homes, found in rows
            if who in self._of
        }

    def token(self, resident: UUID) -> str:
        """Her access token."""
        return self._tokens[resident]

    def home(self) -> Iterator[bytes]:
        """The first screen of everybody in turn."""
        for _, who in itertools.cycle(self.owners):
            yield load.request_of("GET", "/bff/v1/home", token=self.token(who.resident))

    def five(self) -> Iterator[bytes]:
        """The same in five requests each, of the twin."""
        for _, who in itertools.cycle(self.owners):
            token = self.token(who.resident)
            for path in FIVE:
                yield load.request_of("GET", path, token=token)

    def lists(self) -> Iterator[bytes]:
        """Her tickets, twenty a page."""
        for who in itertools.cycle(self.tickets):
            yield load.request_of("GET", "/bff/v1/tickets?limit=20", token=self.token(who))

    def details(self) -> Iterator[bytes]:
        """One of her tickets."""
        for who, found in itertools.cycle(self.tickets.items()):
            path = f"/bff/v1/tickets/{ids.encode(Kind.TICKET, found[-1])}"
            yield load.request_of("GET", path, token=self.token(who))

    def decisions(self, town: Town) -> Iterator[bytes]:
        """The open decision of her estate."""
        for estate, who in itertools.cycle(self.owners):
            path = f"/bff/v1/decisions/{ids.encode(Kind.DECISION, town.votes[estate].ref)}"
            yield load.request_of("GET", path, token=self.token(who.resident))

    def revenue(self) -> Iterator[bytes]:
        """The books of her estate over the last year."""
        since, until = revenue_town.last_full_year(bff_town.MONTHS)
        for estate, who in itertools.cycle(self.owners):
            path = f"/bff/v1/estates/{ids.encode(Kind.ESTATE, estate)}/revenue/summary"
            yield load.request_of(
                "GET", f"{path}?from={since}&to={until}&by=month", token=self.token(who.resident)
            )

    def ballots(self, town: Town) -> Iterator[bytes]:
        """The ballot of each owner, once."""
        tokens = {who.resident: self.token(who.resident) for _, who in self.owners}
        each = [vote.casts(one, tokens) for one in town.votes.values()]
        for some in itertools.zip_longest(*each):
            yield from (one for one in some if one is not None)


def _slice(clients: Clients, requests: Iterator[bytes], used: Callable[[], float], parts: int = 1) -> Slice:
    """A second of them; a view of the five-request twin is `parts` requests."""
    before = used()
    done = clients.drive(requests, SLICE_S)
    cpu = (used() - before) * 1000 * parts / max(1, len(done.answers))
    bad = sum(answer.status not in (200, 201) for answer in done.answers)
    return Slice(done.rate / parts, done.quantile_ms(0.5), done.quantile_ms(0.99), bad, cpu)


# --- queries ---------------------------------------------------------------------------------------------


class Asked:
    """How many statements this process sends to the database."""

    def __init__(self) -> None:
        self.count = 0
        event.listen(db.engine(), "before_cursor_execute", self._one)
        self._rows = db.Plain.rows
        asked = self

        def counted(plain: db.Plain, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
            asked.count += 1
            return asked._rows(plain, values)

        db.Plain.rows = counted  # type: ignore[method-assign,assignment]

    def _one(self, *_: Any) -> None:
        self.count += 1


def queries(asked: Asked, app: Flask, requests: Iterator[bytes], count: int = 100) -> tuple[float, int]:
    """(mean, most) of the statements of a request, counted in this process by the same application."""
    found = []
    with app.test_client() as client:
        for request in itertools.islice(requests, count):
            head, _, body = request.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            method, path, _ = first.split(" ")
            before = asked.count
            client.open(path, method=method, data=body, headers=dict(line.split(": ", 1) for line in lines))
            found.append(asked.count - before)
    return statistics.mean(found), max(found)


# --- reports with a photo --------------------------------------------------------------------------------


@contextmanager
def photo_worker(environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """The process that makes the renditions."""
    with (folder / "photos.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers", "--queue", Queue.MEDIA],
            cwd=harness.ROOT,
            env=dict(environment),
            stdout=log,
            stderr=log,
        )
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError("the photo worker ended before the bench did")
    finally:
        process.terminate()
        process.wait(30)


def reports(
    server: Server,
    readers: Readers,
    owners: Sequence[tuple[Ref, Any]],
    photo: bytes,
    seconds: float,
    warm_s: float,
) -> tuple[list[float], int]:
    """(seconds of each report with its upload, refusals) that so many clients make, one after the other each; none of
    these owners has reported anything with such a tap before. What begins in the first `warm_s` seconds isn't timed:
    there all send their photo in the same moment.
    """
    times: list[float] = []
    bad = 0
    lock = threading.Lock()
    warm = time.perf_counter() + warm_s
    until = warm + seconds

    def report(some: Iterator[tuple[Ref, Any]]) -> None:
        nonlocal bad
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number, (estate, who) in enumerate(some):
            if time.perf_counter() > until:
                break
            headers = {"Authorization": f"Bearer {readers.token(who.resident)}"}
            kind, body = multipart({}, "lamp.jpg", photo)
            began = time.perf_counter()
            connection.request("POST", "/bff/v1/photos", body, headers | {"Content-Type": kind})
            answer = connection.getresponse()
            kept = json.loads(answer.read())
            is_good = answer.status == 201
            if is_good:
                told = {
                    "estate_id": ids.encode(Kind.ESTATE, estate),
                    "text": "3栋路灯不亮",
                    "photo_ids": [kept["photo_id"]],
                    "client_token": f"{who.resident}-{number}",
                }
                connection.request(
                    "POST",
                    "/bff/v1/tickets",
                    json.dumps(told).encode(),
                    headers | {"Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                answer.read()
                is_good = answer.status == 201
            took = time.perf_counter() - began
            with lock:
                if began >= warm:
                    times.append(took)
                bad += not is_good
        connection.close()

    threads = [
        threading.Thread(target=report, args=(iter(owners[at::REPORTERS]),)) for at in range(REPORTERS)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return times, bad


# --- the bench -------------------------------------------------------------------------------------------


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--share", type=float, default=harness.scaled(100) / 100, help="of the street's size")
    parser.add_argument("--only", help="measure these alone (home,detail,…)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with vote.house() as (pg, environment, folder):
        return _measure(pg, environment, folder, asked.share, asked.only)


def _measure(
    pg: servers.Postgres, environment: dict[str, str], folder: Path, share: float, only: str | None
) -> int:
    town = bff_town.fill(pg, DATABASE, share=share)
    dsn = pg.url("owner", DATABASE)
    readers = Readers(town, dsn, Settings.from_env(environment).secret_key)
    report = Report("bff")
    with (
        serving("wsgi:app", environment, folder) as ours,
        serving("bench.bff_five:app", environment, folder) as five,
        serving("bare:app", environment, folder) as bare,
    ):
        bff_town.tell(f"http://127.0.0.1:{ours.port}", town.street)
        clients, theirs, of_bare = (Clients(s.port, CLIENTS) for s in (ours, five, bare))
        nothing = itertools.repeat(load.request_of("GET", "/"))
        asked = {
            "home": readers.home(),
            "list20": readers.lists(),
            "detail": readers.details(),
            "decision": readers.decisions(town),
            "revenue": readers.revenue(),
            "ballot": readers.ballots(town),
        }
        if only:
            asked = {name: some for name, some in asked.items() if name in only.split(",")}

        def used() -> float:
            return ours.cpu_seconds()

        in_five = readers.five()
        turns: dict[str, Callable[[], Slice]] = {
            "bare": lambda: _slice(of_bare, nothing, bare.cpu_seconds),
            "five": lambda: _slice(theirs, in_five, five.cpu_seconds, len(FIVE)),
        }
        for name, some in asked.items():
            turns[name] = lambda some=some: _slice(clients, some, used)  # type: ignore[misc]
        for turn in turns.values():
            turn()  # once before anything is timed: connections, prepared statements, kept answers
        taken = compare(turns)
        app = create_app(
            Settings.from_env(environment | {"RATE_LIMITS": "off"})
        )  # the same application, in this process
        bff.init_app(app)
        counter = Asked()
        asks = {name: queries(counter, app, some) for name, some in asked.items()}
        clients.close()
        theirs.close()
        of_bare.close()
        photo = pictures.jpeg(pictures.scene(lit=False), pictures.exif())
        with photo_worker(environment, folder):
            time.sleep(3)
            times, refused = reports(ours, readers, readers.owners, photo, REPORT_S, WARM_S)
    yardstick = Yardstick(
        "bare Flask view", statistics.median(s.rate for s in taken["bare"]), BARE_REFERENCE, "requests/s"
    )
    yardstick.show()
    for name in asked:
        report.figure(f"{name}_of_bare", ratio(taken, name, "bare"), TARGETS.get(name))
    if "home" in asked:
        report.figure("home_vs_five", ratio(taken, "home", "five"), Target(">=", 5))
    for name in ("bare", "five", *asked):
        for measure in ("rate", "p50_ms", "p99_ms", "cpu_ms"):
            key = f"{name}_{'per_s' if measure == 'rate' else measure}"
            report.figure(key, statistics.median(getattr(s, measure) for s in taken[name]))
        if name in asks:
            report.figure(f"{name}_queries", asks[name][0])
            report.figure(f"{name}_most_queries", asks[name][1])
    times.sort()
    p99 = times[min(len(times) - 1, int(0.99 * len(times)))] * 1000 if times else float("nan")
    report.figure("report_p99_ms", p99, Target("<=", 400, yardstick.slowdown))
    report.figure("report_p50_ms", statistics.median(times) * 1000 if times else float("nan"))
    report.figure("reports_per_s", len(times) / REPORT_S)
    report.figure("photo_mb", len(photo) / 1e6)
    report.figure("bad", refused + sum(s.bad for some in taken.values() for s in some), Target("=", 0))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
