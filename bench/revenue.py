"""`make bench NAME=revenue`: residents read ten years of books under the production server, beside a bare view.

A throw-away PostgreSQL gets the real schema by the real migrations, and 34 estates with 120 published months of 200
lines each (816,000 lines). Two servers stand side by side, each gunicorn as deploy/gunicorn.py sets it up: the
application and a bare Flask view. They take turns in slices of a second, in three rounds; a ratio is the median over
the slices. Asked are, by 32 residents over 8 connections: the summary of the last year by month (`summary`, of all
estates in turn); the same for ranges that nobody asked for before (`fresh`, so nothing kept helps); and pages of lines
(`lines`: by month, kind, category and words, first and further pages, hardly one asked twice). At the end a month is
published, and every answer from that moment on has to have it (`stale` counts those that don't).
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import signal
import statistics
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg

from app.settings import Settings
from bench import harness, load, revenue_town
from bench.harness import Report, Target, Yardstick
from bench.load import Clients
from bench.revenue_town import Books
from bench.vote import BARE_REFERENCE, DATABASE, Server, Slice, compare, house, ratio, serving
from tools import servers

CLIENTS = 8
RESIDENTS = 32
SLICE_S = 1.0
ASKED_AFTER = 400  # answers looked at once a month more is published


def summaries(street: list[Books], tokens: list[str], year: tuple[date, date]) -> Iterator[bytes]:
    """The year by month, of every estate in turn."""
    for number in itertools.count():
        books = street[number % len(street)]
        yield load.request_of(
            "GET",
            f"/bff/v1/estates/{books.wire}/revenue/summary?from={year[0]}&to={year[1]}&by=month",
            token=tokens[number % len(tokens)],
        )


def fresh_summaries(street: list[Books], tokens: list[str], months: int) -> Iterator[bytes]:
    """A year by month that begins on any day."""
    chance = random.Random(11)
    for number in itertools.count():
        books = street[number % len(street)]
        since = date(revenue_town.FIRST_YEAR, 1, 1) + timedelta(
            days=chance.randrange(max(1, months * 30 - 365))
        )
        until = since + timedelta(days=364)
        yield load.request_of(
            "GET",
            f"/bff/v1/estates/{books.wire}/revenue/summary?from={since}&to={until}&by=month",
            token=tokens[number % len(tokens)],
        )


def pages(street: list[Books], tokens: list[str], months: int) -> Iterator[bytes]:
    """Pages of lines as people open them: the latest, of a year and kind, of a month, of a category, by a word."""
    chance = random.Random(13)
    for number in itertools.count():
        books = chance.choice(street)
        year = revenue_town.FIRST_YEAR + chance.randrange(max(1, months // 12))
        month = chance.randint(1, 12)
        since, until = date(year, month, 1), date(year, month, 28)
        asked = (
            f"from={year}-01-01&to={year}-12-31&limit={chance.randint(18, 24)}",
            f"from={year}-01-01&to={year}-12-31&kind={chance.choice(['income', 'cost', 'use', 'fund'])}",
            f"from={since}&to={until}&limit={chance.randint(15, 25)}",
            f"from={since}&to={until}&account={chance.choice(['income', 'cost', 'use'])}",
            f"from={since}&to={until}&q={quote(chance.choice(['广告', '维修', '物业']))}",
        )[number % 5]
        yield load.request_of(
            "GET", f"/bff/v1/estates/{books.wire}/revenue/entries?{asked}", token=tokens[number % len(tokens)]
        )


def stale(pg: servers.Postgres, clients: Clients, books: Books, token: str) -> int:
    """How many of the answers after a publication don't have it."""
    path = f"/bff/v1/estates/{books.wire}/revenue/summary?by=year"
    ask = load.request_of("GET", path, token=token)
    clients.drive(iter([ask] * 40))  # every process keeps an answer of before
    with psycopg.connect(pg.url("superuser", DATABASE)) as connection:
        connection.execute("SET session_replication_role = replica")
        revenue_town.publish(connection, books, random.Random(17))
    after = clients.drive(iter([ask] * ASKED_AFTER))
    closings = [json.loads(answer.body)["total"]["closing_fen"] for answer in after.answers]
    return sum(closing != books.closing for closing in closings)


def _slice(clients: Clients, requests: Iterator[bytes], server: Server) -> Slice:
    before = server.cpu_seconds()
    done = clients.drive(requests, SLICE_S)
    cpu = (server.cpu_seconds() - before) * 1000 / max(1, len(done.answers))
    bad = sum(answer.status != 200 for answer in done.answers)
    return Slice(done.rate, done.quantile_ms(0.5), done.quantile_ms(0.99), bad, cpu)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--months", type=int, default=harness.scaled(12 * revenue_town.YEARS))
    asked = parser.parse_args()
    if not 12 <= asked.months <= 200:
        parser.error("12 to 200 months")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a bench that is stopped tidies up as well
    with house() as (pg, environment, folder):
        return _measure(pg, environment, folder, asked.months)


def _measure(pg: servers.Postgres, environment: dict[str, str], folder: Path, months: int) -> int:
    street = revenue_town.fill(pg.url("superuser", DATABASE), months)
    secret = Settings.from_env(environment).secret_key
    tokens = revenue_town.residents(RESIDENTS, secret)
    rows = len(street) * months * revenue_town.LINES_A_MONTH
    print(f"generated: {rows:,} lines of {len(street)} estates", flush=True)
    year = revenue_town.last_full_year(months)
    with serving("wsgi:app", environment, folder) as ours, serving("bare:app", environment, folder) as bare:
        clients, of_bare = Clients(ours.port, CLIENTS), Clients(bare.port, CLIENTS)
        nothing = itertools.repeat(load.request_of("GET", "/"))
        asked = {
            "summary": summaries(street, tokens, year),
            "fresh": fresh_summaries(street, tokens, months),
            "lines": pages(street, tokens, months),
        }
        turns: dict[str, Callable[[], Slice]] = {"bare": lambda: _slice(of_bare, nothing, bare)}
        for name, requests in asked.items():
            turns[name] = lambda requests=requests: _slice(clients, requests, ours)  # type: ignore[misc]
            turns[name]()  # once before anything is timed: connections, prepared statements, kept answers
        taken = compare(turns)
        missed = stale(pg, clients, street[0], tokens[0])
        clients.close()
        of_bare.close()

    yardstick = Yardstick(
        "bare Flask view", statistics.median(s.rate for s in taken["bare"]), BARE_REFERENCE, "requests/s"
    )
    yardstick.show()
    report = Report("revenue")
    report.figure("summary_of_bare", ratio(taken, "summary", "bare"), Target(">=", 0.25))
    report.figure("summary_p99_ms", _median(taken["summary"], "p99_ms"), Target("<=", 60, yardstick.slowdown))
    report.figure("lines_p99_ms", _median(taken["lines"], "p99_ms"), Target("<=", 60, yardstick.slowdown))
    for name in asked:
        report.figure(f"{name}_per_s", _median(taken[name], "rate"))
        report.figure(f"{name}_p50_ms", _median(taken[name], "p50_ms"))
        report.figure(f"{name}_cpu_ms", _median(taken[name], "cpu_ms"))
        if name != "summary":
            report.figure(f"{name}_of_bare", ratio(taken, name, "bare"))
    report.figure("fresh_p99_ms", _median(taken["fresh"], "p99_ms"))
    report.figure("bare_per_s", _median(taken["bare"], "rate"))
    report.figure("lines", rows)
    report.figure("stale", missed, Target("=", 0))
    report.figure("bad", sum(s.bad for turn in taken.values() for s in turn), Target("=", 0))
    return report.finish()


def _median(slices: list[Slice], measure: str) -> float:
    return statistics.median(getattr(one, measure) for one in slices)


if __name__ == "__main__":
    sys.exit(main())
