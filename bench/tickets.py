"""`make bench NAME=tickets`: board, overdue list and search for the same problem over half a million tickets.

A throw-away PostgreSQL, with the memory that docs/guide/operating.md asks for, gets the real schema by the real
migrations and the street of `bench.tickets_town`. Timed is
what a request does with the database and the rows: the query, loading, and the rows as the page gets them
(`…_p99_ms`, judged: over the calls, each by the median of its three rounds; `…_raw_p99_ms`: the median of the rounds'
own), and beside it the whole request through the application in this process (`…_request_p99_ms`). The board is asked
by state, place, class, handler and page; looking for words on it is told by itself (`words_…`), without a target: what
is rare among half a million takes longer. A year's figures of the street are asked for over HTTP.
No plan and no call may read `tickets` or `ticket_events` from end to end: plans are looked at one by one, and
PostgreSQL's own counters over all calls.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from flask import Flask
from sqlalchemy import event, text

import bff
from app import clock, create_app, db, ids
from app.ids import Kind, Ref
from app.people import queries as people
from app.people import tokens
from app.people.models import Resident, ResidentSession, Role
from app.people.policy import StaffPolicy
from app.people.scopes import StaffActor
from app.places.coordinates import Point
from app.settings import Settings
from app.tickets import board as boards
from app.tickets import match, queries, service
from app.tickets.models import TicketStatus
from app.tickets.moves import ENDED, OPEN
from bench import harness
from bench import match as bench_match
from bench import tickets_town as town
from bench.harness import Report, Target, Yardstick
from bff.admin.views import rows_out
from bff.resident.views import similar_out
from tools import development, servers
from tools.postgres_server import find_postgres

PAGE = 50
WATCHED = ("tickets", "ticket_events")
DATABASE = "bench"


class Call(NamedTuple):
    """One thing that is asked: the query alone, and the same as a request."""

    name: str
    ask: Callable[[], object]
    request: Callable[[], int]  # its HTTP status


@dataclass
class House:
    """The application, and everybody who asks it."""

    app: Flask
    street: town.Street
    staff: dict[str, StaffActor]
    tokens: dict[str, str]


# --- the house -------------------------------------------------------------------------------------------


@contextmanager
def house(pg: servers.Postgres, count: int) -> Iterator[House]:
    """The application over `count` tickets; nothing stays."""
    pg.create_database(DATABASE)
    owner = pg.url("owner", DATABASE)
    with servers.valkey() as valkey, tempfile.TemporaryDirectory(prefix="bench-tickets-") as folder:
        environment = development.environment(
            Path(folder), 1, database=pg.url("app", DATABASE), owner=owner, redis=valkey.url
        )
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=harness.ROOT,
            env=os.environ | environment,
            check=True,
            capture_output=True,
        )
        settings = Settings.from_env(environment | {"RATE_LIMITS": "off"})
        app = create_app(settings)
        bff.init_app(app)
        logging.getLogger().setLevel(logging.ERROR)  # a line for each request would be timed with it
        try:
            street = town.lay_out()
            rows = town.fill(owner, street, count)
            print(
                "generated: " + ", ".join(f"{number:,} {name}" for name, number in rows.items()), flush=True
            )
            yield _everybody(app, settings, street)
        finally:
            db.dispose()


def _everybody(app: Flask, settings: Settings, street: town.Street) -> House:
    found = House(app, street, {}, {})
    client = app.test_client()
    for role, account in street.accounts.items():
        answer = client.post("/admin/api/v1/session", json={"account": account, "password": town.PASSWORD})
        found.tokens[role] = answer.get_json()["token"]
        with db.reading():
            found.staff[role] = people.staff_by_token(
                tokens.hash_of(found.tokens[role]), StaffPolicy.of(settings)
            )
    resident, login = ids.new_id(), ids.new_id()
    now = clock.now()
    with db.transaction() as session:
        session.add(Resident(id=resident, openid_sealed=b"-", created_at=now, last_seen_at=now))
        session.flush()
        session.add(
            ResidentSession(
                resident_id=resident,
                id=login,
                refresh_hash=b"-",
                session_key_sealed=b"-",
                created_at=now,
                rotated_at=now,
                expires_at=now.replace(year=now.year + 1, day=1),
            )
        )
    found.tokens["resident"] = tokens.access_token(resident, login, secret=settings.secret_key, seconds=7200)
    return found


# --- what is asked ---------------------------------------------------------------------------------------


def _staff_call(
    home: House, name: str, role: str, wanted: boards.Board, before: UUID | None = None, **more: str
) -> Call:
    """`more`: what the query string has beyond what `wanted` says."""
    query: dict[str, str] = {"limit": str(PAGE)} | more
    if wanted.status is not None:
        query["status"] = ",".join(sorted(wanted.status))
    if wanted.estate is not None:
        query["area"] = ids.encode(Kind.ESTATE, wanted.estate)
    if wanted.assigned_to is not None:
        query["assigned_to"] = ids.encode(Kind.STAFF, wanted.assigned_to)
    for key in ("category", "q"):
        if (value := getattr(wanted, key)) is not None:
            query[key] = value
    for key in ("overdue", "callback_due"):
        if (value := getattr(wanted, key)) is not None:
            query[key] = "true" if value else "false"
    if before is not None:
        from bff.http import write_cursor

        query["cursor"] = write_cursor(before)
    client, headers = home.app.test_client(), {"Authorization": f"Bearer {home.tokens[role]}"}

    def ask() -> object:
        with db.reading():
            return rows_out(boards.board(home.staff[role], wanted, limit=PAGE + 1, before=before)[:PAGE])

    def request() -> int:
        return client.get("/admin/api/v1/tickets", query_string=query, headers=headers).status_code

    return Call(f"{role}: {name}", ask, request)


def board_calls(home: House, chance: random.Random, count: int) -> list[Call]:
    """Every role with every filter, on first and deep pages; `count` calls in random order."""
    some = [
        "lighting", "water", "road", "dogs", "parking", "dispute", "no-such-class",
    ]  # fmt: skip
    every: list[Callable[[str], Call]] = []

    def add(name: str, wanted: Callable[[], boards.Board], *, deep: bool = False) -> None:
        def made(role: str) -> Call:
            before = town.new_ticket_moment(chance.random()) if deep else None
            return _staff_call(home, name, role, wanted(), before)

        every.append(made)

    board = boards.Board
    add("everything", board)
    add("everything, deep", board, deep=True)
    add("open", lambda: board(status=frozenset(OPEN)))
    for status in TicketStatus:
        add(f"status {status}", lambda s=status: board(status=frozenset({s})))  # type: ignore[misc]
    add("status closed, deep", lambda: board(status=frozenset({TicketStatus.CLOSED})), deep=True)
    add("status merged, deep", lambda: board(status=frozenset({TicketStatus.MERGED})), deep=True)
    add("every end, deep", lambda: board(status=frozenset(ENDED)), deep=True)
    add("estate", lambda: board(estate=chance.choice(home.street.estates)))
    add("estate, deep", lambda: board(estate=chance.choice(home.street.estates)), deep=True)
    add("estate, open", lambda: board(estate=chance.choice(home.street.estates), status=frozenset(OPEN)))
    add("class", lambda: board(category=chance.choice(some)))
    add("class, deep", lambda: board(category=chance.choice(some)), deep=True)
    add(
        "class, estate",
        lambda: board(category=chance.choice(some), estate=chance.choice(home.street.estates)),
        deep=True,
    )
    add(
        "class, rejected",
        lambda: board(category=chance.choice(some), status=frozenset({TicketStatus.REJECTED})),
    )
    add("handler", lambda: board(assigned_to=chance.choice(home.street.handlers)))
    add("handler, deep", lambda: board(assigned_to=chance.choice(home.street.handlers)), deep=True)
    add(
        "handler, at work",
        lambda: board(
            assigned_to=chance.choice(home.street.handlers), status=frozenset({TicketStatus.IN_PROGRESS})
        ),
    )
    add("not overdue", lambda: board(overdue=False))
    add("not overdue, open", lambda: board(overdue=False, status=frozenset(OPEN)))
    add("to call back", lambda: board(callback_due=True))
    add("to call back, second page", lambda: board(callback_due=True), deep=True)
    add("q common word", lambda: board(q=town.COMMON_WORD))
    add("q common word, deep", lambda: board(q=town.COMMON_WORD), deep=True)
    add("q rare word", lambda: board(q=town.RARE_WORD))
    add("q rare letter", lambda: board(q=town.RARE_LETTER))
    add("q nowhere", lambda: board(q="独角兽"))
    add("q place", lambda: board(q=f"{chance.randint(1, 20)}栋{chance.randint(1, 4)}单元"))
    add("q number", lambda: board(q=_number(chance)))
    add("q end of a number", lambda: board(q=_number(chance)[-6:]))
    add("q and status", lambda: board(q=town.COMMON_WORD, status=frozenset({TicketStatus.REJECTED})))
    add("q and class", lambda: board(q="老人", category="road"))
    roles = (Role.STREET, Role.COMMUNITY, Role.PROPERTY, Role.GRID)
    pairs = [(made, role) for made in every for role in roles]
    calls = [made(role) for n in range(-(-count // len(pairs))) for made, role in pairs]
    chance.shuffle(calls)
    return calls[: max(count, len(pairs))]


def _number(chance: random.Random) -> str:
    return f"BS{chance.choice(town.COMMUNITIES):04d}-{clock.now():%y}-{chance.randint(1, 500_000):06d}"


def overdue_calls(home: House, chance: random.Random, count: int) -> list[Call]:
    """The overdue list of every role, whole and narrowed, first and further pages."""
    board = boards.Board
    kinds: list[tuple[str, Callable[[], boards.Board], bool]] = [
        ("overdue", lambda: board(overdue=True), False),
        ("overdue, further", lambda: board(overdue=True), True),
        ("overdue in an estate", lambda: board(overdue=True, estate=chance.choice(home.street.estates)), False),
        ("overdue of a class", lambda: board(overdue=True, category="road"), False),
        ("overdue at work", lambda: board(overdue=True, status=frozenset({TicketStatus.IN_PROGRESS})), False),
        ("overdue with a handler", lambda: board(overdue=True, assigned_to=chance.choice(home.street.handlers)), False),
        ("overdue, q", lambda: board(overdue=True, q=town.COMMON_WORD), False),
    ]  # fmt: skip
    calls: list[Call] = []
    while len(calls) < count:
        for name, wanted, deep in kinds:
            for role in (Role.STREET, Role.COMMUNITY, Role.PROPERTY, Role.GRID):
                before = town.new_ticket_moment(chance.uniform(0.9, 1)) if deep else None
                calls.append(_staff_call(home, name, role, wanted(), before))
    chance.shuffle(calls)
    return calls


def similar_calls(home: House, chance: random.Random, count: int) -> list[Call]:
    """A resident asks whether it has been reported: at the spots where most is, and between them."""
    client, headers = home.app.test_client(), {"Authorization": f"Bearer {home.tokens['resident']}"}
    calls = []
    for n in range(count):
        # The first estates have most tickets; every other question is asked there.
        centre = home.street.centres[0] if n % 2 else chance.choice(home.street.centres)
        spread = 0.0016 if n % 4 < 2 else 0.0004
        point = Point(
            centre.lng + chance.uniform(-spread, spread), centre.lat + chance.uniform(-spread, spread)
        )
        category = chance.choice([None, "road", "lighting"])

        def ask(point: Point = point, category: str | None = category) -> object:
            with db.reading():
                return similar_out(queries.similar(point, category=category))

        def request(point: Point = point, category: str | None = category) -> int:
            query = {"lng": str(point.lng), "lat": str(point.lat), "crs": "wgs84"}
            query |= {"category": category} if category else {}
            return client.get("/bff/v1/tickets/similar", query_string=query, headers=headers).status_code

        calls.append(Call(f"resident: {category or 'any class'}", ask, request))
    return calls


# --- plans -----------------------------------------------------------------------------------------------


def plans(calls: Sequence[Call]) -> int:
    """Prints the plan of each kind of call, shortly; how many read a watched table from end to end."""
    seen: set[str] = set()
    bad = 0
    for call in sorted(calls, key=lambda c: c.name):
        if call.name in seen:
            continue
        seen.add(call.name)
        for statement, parameters in _statements(call):
            with db.engine().connect() as connection:
                driver: Any = connection.connection.driver_connection
                row = driver.execute("EXPLAIN (FORMAT JSON) " + statement, parameters).fetchone()
            nodes = list(_nodes(row[0][0]["Plan"]))
            scanned = {n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"} & set(WATCHED)
            bad += bool(scanned)
            print(f"plan  {call.name:<34} {' < '.join(_shown(nodes))}{'   SEQ SCAN' if scanned else ''}")
    return bad


def _statements(call: Call) -> list[tuple[str, Any]]:
    """The statements of a call that ask a watched table."""
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if any(f" {table}" in statement for table in WATCHED):
            sent.append((statement, parameters))

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        call.ask()
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)
    return sent


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _shown(nodes: Sequence[dict[str, Any]]) -> Iterator[str]:
    plain = {"Result", "Subquery Scan", "Function Scan", "Unique"}
    for node in nodes:
        if node["Node Type"] not in plain:
            of = node.get("Index Name") or node.get("Relation Name")
            yield f"{node['Node Type']}({of})" if of else node["Node Type"]


def sequential_scans(dsn: str) -> int:
    """How often a watched table has been read from end to end so far, by PostgreSQL's own count."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT sum(seq_scan)::int FROM pg_stat_user_tables WHERE relname = ANY(%s)", [list(WATCHED)]
        ).fetchone()
    return row[0] if row else 0


def postgres_cpu_seconds(dsn: str) -> float:
    """CPU time so far of the backends that the application is connected to."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'jiayuan'"
        ).fetchall()
    ticks = 0
    for (pid,) in rows:
        used = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(used[11]) + int(used[12])
    return ticks / os.sysconf("SC_CLK_TCK")


# --- timing ----------------------------------------------------------------------------------------------


def _p(share: float, times: Sequence[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


class Timer:
    """Times calls round by round, and keeps every time."""

    def __init__(self, dsn: str) -> None:
        self.by_name: dict[str, list[float]] = {}
        self._rounds: list[list[float]] = []
        self._dsn = dsn

    def settled(self, share: float) -> float:
        """A percentile over the calls, each by the median of its rounds: what it costs, not a neighbour's work."""
        return _p(share, [statistics.median(times) for times in zip(*self._rounds, strict=True)])

    def query(self, calls: Sequence[Call]) -> harness.Sample:
        """p50 and p99 in ms of what the calls ask, and the CPU time of one, ours and PostgreSQL's."""
        taken = []
        ours, theirs = harness.cpu_seconds(), postgres_cpu_seconds(self._dsn)
        for call in calls:
            began = time.perf_counter()
            call.ask()
            taken.append((time.perf_counter() - began) * 1000)
            self.by_name.setdefault(call.name, []).append(taken[-1])
        self._rounds.append(taken)
        ours, theirs = harness.cpu_seconds() - ours, postgres_cpu_seconds(self._dsn) - theirs
        return {
            "p50_ms": statistics.median(taken),
            "p99_ms": _p(0.99, taken),
            "max_ms": max(taken),
            "cpu_ms": ours * 1000 / len(calls),
            "pg_cpu_ms": theirs * 1000 / len(calls),
        }

    def request(self, calls: Sequence[Call]) -> harness.Sample:
        """p50 and p99 in ms of the whole requests."""
        taken = []
        for call in calls:
            began = time.perf_counter()
            status = call.request()
            taken.append((time.perf_counter() - began) * 1000)
            if status != 200:
                raise RuntimeError(f"{call.name} was answered with {status}")
        return {"p50_ms": statistics.median(taken), "p99_ms": _p(0.99, taken), "max_ms": max(taken)}

    def show(self, most: int = 12) -> None:
        """Prints the slowest kinds of calls."""
        worst = sorted(self.by_name.items(), key=lambda kind: -_p(0.99, kind[1]))
        for name, times in worst[:most]:
            print(
                f"slowest  {name:<40} n {len(times):<4} p50 {statistics.median(times):7.1f}  p99 {_p(0.99, times):7.1f}"
            )


def select_1() -> harness.Sample:
    """The same way to the database and back with nothing to find, in ms."""
    taken = []
    for _ in range(300):
        began = time.perf_counter()
        with db.reading() as session:
            session.scalar(text("SELECT 1"))
        taken.append((time.perf_counter() - began) * 1000)
    return {"p50_ms": statistics.median(taken), "p99_ms": _p(0.99, taken)}


def year(home: House, by: str | None = None) -> harness.Sample:
    """Seconds until the street has all its figures of a year, over HTTP."""
    last = clock.in_shanghai(clock.now()).date()
    query = {"from": (last - timedelta(days=364)).isoformat(), "to": last.isoformat()} | (
        {"by": by} if by else {}
    )
    headers = {"Authorization": f"Bearer {home.tokens[Role.STREET]}"}
    began = time.perf_counter()
    answer = home.app.test_client().get("/admin/api/v1/stats/sla", query_string=query, headers=headers)
    took = time.perf_counter() - began
    if answer.status_code != 200:
        raise RuntimeError(f"the figures of a year were answered with {answer.status_code}")
    return {"s": took}


def moves(home: House, count: int) -> float:
    """Moves a second by the services, one transaction each: accept, dispatch; information only."""
    desk = home.staff[Role.STREET]
    with db.reading():
        wanted = boards.Board(status=frozenset({TicketStatus.RECEIVED}))
        found = boards.board(desk, wanted, limit=count)
    refs = [Ref(ticket.community_id, ticket.id) for ticket in found]
    began, done = time.perf_counter(), 0
    for ref in refs:
        for move in (service.accept, service.dispatch):
            with db.transaction():
                move(ref, acting_user=desk)
            done += 1
    return done / (time.perf_counter() - began)


# --- all of it -------------------------------------------------------------------------------------------


def main() -> int:
    """0 when every target holds."""
    parser = argparse.ArgumentParser(description="Board, overdue list and similar search over many tickets.")
    parser.add_argument("--tickets", type=int, default=harness.scaled(500_000))
    parser.add_argument("--calls", type=int, default=400, help="of the board, in each round")
    parser.add_argument("--buffers", default="1GB", help="shared_buffers of PostgreSQL, as operating.md says")
    asked = parser.parse_args()
    print(f"shared_buffers {asked.buffers}", flush=True)
    # A bench that is stopped tidies up as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with servers.postgres(fast=True, buffers=asked.buffers) as pg:
        pg.create_database("yardstick")
        with house(pg, asked.tickets) as home:
            return _measure(pg, home, asked.calls)


def _measure(pg: servers.Postgres, home: House, count: int) -> int:
    pgbench, yardstick_dsn = find_postgres().bin / "pgbench", pg.url("owner", "yardstick")
    chance = random.Random(42)
    every_look = board_calls(home, chance, count)
    # Looking for words is another question than looking at the board, and is told by itself.
    board = [call for call in every_look if ": q " not in call.name]
    words = [call for call in every_look if ": q " in call.name]
    overdue = overdue_calls(home, chance, count // 2)
    similar = similar_calls(home, chance, count // 2)
    every = [*board, *words, *overdue, *similar]
    bad = plans(every)
    for call in every:  # every kind once before anything is timed: caches, prepared statements
        call.ask()
    scans = sequential_scans(pg.url("superuser", DATABASE))
    calls = {"board": board, "words": words, "overdue": overdue, "similar": similar}
    timers = {name: Timer(pg.url("superuser", DATABASE)) for name in calls}
    variants: dict[str, Callable[[], harness.Sample]] = {
        "pgbench -S": lambda: {"tps": harness.pgbench_yardstick(pgbench, yardstick_dsn, 2).value},
        "SELECT 1": select_1,
    }
    for name, timer in timers.items():
        variants[name] = lambda name=name, timer=timer: timer.query(calls[name])  # type: ignore[misc]
        variants[f"{name}, request"] = lambda name=name, timer=timer: timer.request(calls[name])  # type: ignore[misc]
    for by in (None, "unit", "class"):
        variants["year" if by is None else f"year by {by}"] = lambda by=by: year(home, by)  # type: ignore[misc]
    taken = harness.rounds(variants)
    for timer in timers.values():
        timer.show()
    tps = statistics.median(taken["pgbench -S"]["tps"])
    yardstick = Yardstick("pgbench -S", tps, harness.PGBENCH_REFERENCE, "transactions/s")
    yardstick.show()

    report = Report("tickets")
    for name, bound in (("board", 60), ("words", None), ("overdue", 60), ("similar", 40)):
        target = Target("<=", bound, yardstick.slowdown) if bound is not None else None
        report.figure(f"{name}_p99_ms", timers[name].settled(0.99), target)
        report.figure(f"{name}_p50_ms", timers[name].settled(0.5))
        report.figure(f"{name}_raw_p99_ms", statistics.median(taken[name]["p99_ms"]))
        report.figure(
            f"{name}_of_select_1", harness.ratio(taken[name]["p50_ms"], taken["SELECT 1"]["p50_ms"])
        )
        requests = taken[f"{name}, request"]
        report.figure(f"{name}_request_p50_ms", statistics.median(requests["p50_ms"]))
        report.figure(f"{name}_request_p99_ms", statistics.median(requests["p99_ms"]))
    target = Target("<=", 1, yardstick.slowdown)
    report.figure("year_metrics_s", statistics.median(taken["year"]["s"]), target)
    for by in ("unit", "class"):
        report.figure(f"year_by_{by}_s", statistics.median(taken[f"year by {by}"]["s"]))
    report.figure("figures_unlike_events", town.differing(), Target("=", 0))
    report.figure("plans_with_seq_scan", bad, Target("=", 0))
    db.dispose()  # a backend tells its counts at its end
    report.figure("seq_scans", sequential_scans(pg.url("superuser", DATABASE)) - scans, Target("=", 0))
    report.figure("moves_per_s", moves(home, 40))
    _class_figures(report)
    _match_figures(report)
    return report.finish()


def _class_figures(report: Report) -> None:
    """What `bench.classes` measures, from its own last line."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.classes"], cwd=harness.ROOT, capture_output=True, text=True, check=False
    )
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    for key in ("first", "among_three"):
        sense, bound = figures[key]["target"].split()
        report.figure(f"class_{key}", figures[key]["value"], Target(sense, float(bound)))


def _match_figures(report: Report) -> None:
    """What `bench.match` measures where duplicates are suggested."""
    shares, _ = bench_match.measured()
    for part, _, threshold, precision, recall in shares:
        if threshold == match.SUGGEST_AT and part != "tuned on":
            key = f"match_{part.replace(' ', '_')}"
            report.figure(f"{key}_precision", precision, Target(">=", bench_match.PRECISION))
            report.figure(f"{key}_recall", recall, Target(">=", bench_match.RECALL))


if __name__ == "__main__":
    sys.exit(main())
