"""`make bench NAME=bff`: what residents open, under the production server with the full street, beside a bare view.

A throw-away PostgreSQL and Valkey with the real schema: 34 estates, 49,800 homes, 78,000 residents, 100,000 tickets, a
vote open in each estate, two years of books, notices. Servers side by side, each gunicorn as deploy/gunicorn.py sets it
up: the application, a bare Flask view, and `bench.bff_five`: what the first screen shows by five requests of ORM and
marshmallow. They take turns in slices of a second, in three rounds; ratios are medians over the slices. Asked are, by
ever other residents over 8 connections: `home`, `list20` (her tickets), `detail` (one of them), `decision`, `revenue`
(the last year by month), `ballot`. Then 16 clients report with a photo of 12 MP each (`report_…`: upload and report
together), to the application and to views that read and forget them, in turns of three rounds, while a worker works
on the photos. Queries are counted in this process, by the same application.
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
from dataclasses import dataclass
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
REPORTERS, REPORT_S, WARM_S = 16, 8.0, 2.0
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


@dataclass
class Reported:
    """What so many clients reported. `seconds`: of each that was timed, in order; `cpu_ms`: of the server, each."""

    seconds: list[float]
    bad: int
    cpu_ms: float

    @property
    def rate(self) -> float:
        """A second."""
        return len(self.seconds) / REPORT_S

    def quantile_ms(self, part: float) -> float:
        """So many of them took less."""
        if not self.seconds:
            return float("nan")
        return self.seconds[min(len(self.seconds) - 1, int(part * len(self.seconds)))] * 1000


def together(rounds: Sequence[Reported]) -> Reported:
    """All of them as one."""
    seconds = sorted(itertools.chain.from_iterable(one.seconds for one in rounds))
    return Reported(seconds, sum(one.bad for one in rounds), statistics.median(one.cpu_ms for one in rounds))


def photo_request(token: str, photo: bytes) -> tuple[bytes, dict[str, str]]:
    """(body, headers) of an upload."""
    kind, body = multipart({}, "lamp.jpg", photo)
    return body, {"Authorization": f"Bearer {token}", "Content-Type": kind}


def reports(
    server: Server, readers: Readers, owners: Sequence[tuple[Ref, Any]], photo: bytes, warm_s: float
) -> Reported:
    """What 16 clients report, one after the other each; none of these owners has reported anything with such a tap
    before. What begins in the first `warm_s` seconds isn't timed: there all send their photo in the same moment.
    """
    times: list[float] = []
    bad = 0
    lock = threading.Lock()
    warm = time.perf_counter() + warm_s
    until = warm + REPORT_S
    before = server.cpu_seconds()
    done = 0

    def report(some: Iterator[tuple[Ref, Any]]) -> None:
        nonlocal bad, done
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number, (estate, who) in enumerate(some):
            if time.perf_counter() > until:
                break
            body, headers = photo_request(readers.token(who.resident), photo)
            began = time.perf_counter()
            connection.request("POST", "/bff/v1/photos", body, headers)
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
                done += 1
        connection.close()

    threads = [
        threading.Thread(target=report, args=(iter(owners[at::REPORTERS]),)) for at in range(REPORTERS)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    cpu_s = server.cpu_seconds() - before
    return Reported(sorted(times), bad, cpu_s * 1000 / max(1, done))


def compare_reports(
    servers_of: Mapping[str, Server], readers: Readers, owners: Sequence[tuple[Ref, Any]], photo: bytes
) -> dict[str, list[Reported]]:
    """Three rounds of each, in turns; prints them."""
    reported: dict[str, list[Reported]] = {name: [] for name in servers_of}
    for number in range(harness.ROUNDS):
        for name, server in servers_of.items():
            one = reports(server, readers, owners[number :: harness.ROUNDS], photo, WARM_S)
            reported[name].append(one)
            print(
                f"round {number + 1}  {name:<12} {one.rate:6.1f}/s  p50 {one.quantile_ms(0.5):6.1f} ms"
                f"  p99 {one.quantile_ms(0.99):6.1f} ms  CPU {one.cpu_ms:6.2f} ms",
                flush=True,
            )
    return reported


def tell_reports(report: Report, reported: Mapping[str, list[Reported]], yardstick: Yardstick) -> int:
    """The figures of all rounds; how many reports weren't taken."""
    rates = {name: [one.rate for one in rounds] for name, rounds in reported.items()}
    report.figure("report_of_bare", harness.ratio(rates["report"], rates["bare_report"]))
    for name, rounds in reported.items():
        all_of = together(rounds)
        target = Target("<=", 400, yardstick.slowdown) if name == "report" else None
        report.figure(f"{name}_p99_ms", all_of.quantile_ms(0.99), target)
        report.figure(f"{name}_p50_ms", all_of.quantile_ms(0.5))
        report.figure(f"{name}_per_s", statistics.median(rates[name]))
        report.figure(f"{name}_cpu_ms", all_of.cpu_ms)
    return sum(one.bad for rounds in reported.values() for one in rounds)


def queries_of_report(asked: Asked, app: Flask, token: str, estate: Ref, photo: bytes) -> int:
    """The statements of an upload and its report, counted in this process."""
    body, headers = photo_request(token, photo)
    before = asked.count
    with app.test_client() as client:
        kept = client.post("/bff/v1/photos", data=body, headers=headers)
        told = {
            "estate_id": ids.encode(Kind.ESTATE, estate),
            "text": "3栋路灯不亮",
            "photo_ids": [kept.get_json()["photo_id"]],
            "client_token": "counted-before-the-rounds",
        }
        answer = client.post(
            "/bff/v1/tickets", json=told, headers={"Authorization": headers["Authorization"]}
        )
    if answer.status_code != 201:
        raise RuntimeError(f"a report was answered with {answer.status_code}")
    return asked.count - before


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
        serving("bench.bff_bare:app", environment, folder) as bare,
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
        (estate, who), *others = readers.owners
        report_queries = queries_of_report(counter, app, readers.token(who.resident), estate, photo)
        with photo_worker(environment, folder):
            time.sleep(3)
            reported = compare_reports({"report": ours, "bare_report": bare}, readers, others, photo)
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
    refused = tell_reports(report, reported, yardstick)
    report.figure("report_queries", report_queries)
    report.figure("photo_mb", len(photo) / 1e6)
    report.figure("bad", refused + sum(s.bad for some in taken.values() for s in some), Target("=", 0))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
