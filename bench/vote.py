"""`make bench NAME=vote`: owners cast over HTTP under the production server, 64 clients, beside three baselines.

A throw-away PostgreSQL (with fsync) gets the real schema by the real migrations and one estate of 40,000 homes with an
owner each, bound and logged in. Three servers stand side by side, each gunicorn as deploy/gunicorn.py sets it up: the
application, its twin without a database (`bench.vote_twin`), and a bare Flask view; beside them pgbench sends the same
SQL statement. They take turns in slices of a second, in three rounds, so that what else the machine does hits all
alike; a ratio is the median over the slices. Then, with the sequencer at work, every owner casts in a fresh decision:
how long it takes, how soon a ballot is in the log, and whether each answer is in the final log once.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import logging
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from app import boot, db, ids
from app.ids import Kind, Ref
from app.settings import Settings
from app.voting import casting, ledger
from bench import harness, load, vote_town
from bench.harness import Report, Target, Yardstick
from bench.load import Clients, Load
from bench.vote_town import Owner, Vote
from tools import development, servers
from tools.postgres_server import find_postgres

CLIENTS = 64
SLICES, SLICE_S = 6, 1.0
DATABASE = "bench"
BARE_REFERENCE = 3_160.0


@dataclass
class Server:
    """A gunicorn on loopback."""

    process: subprocess.Popen[bytes]
    port: int

    def stop(self) -> None:
        """Let it go."""
        self.process.terminate()
        self.process.wait(30)

    def cpu_seconds(self) -> float:
        """Of the parent and its workers so far."""
        return sum(_cpu_of(pid) for pid in (self.process.pid, *_children_of(self.process.pid)))


def _children_of(pid: int) -> list[int]:
    try:
        said = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in said.split()]


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextmanager
def serving(module: str, environment: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """The production server with this application."""
    port = free_port()
    with (folder / f"{module.partition(':')[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(harness.ROOT / "deploy/gunicorn.py"), module],
            cwd=harness.ROOT,
            env={
                "RATE_LIMITS": "off",  # a few ask as fast as they can in place of thousands
                "WEB_MAX_REQUESTS": "0",  # the clients that cost nothing don't look for a new connection
                **environment,
                "PORT": str(port),
                "PYTHONPATH": f"{folder}:{harness.ROOT}",
            },
            stdout=log,
            stderr=log,
        )
    server = Server(process, port)
    try:
        for _ in range(2400):  # two minutes: a busy machine takes its time to import the application
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"{module} did not start")
        if process.poll() is not None:
            raise RuntimeError(
                (folder / f"{module.partition(':')[0]}.log").read_text(errors="replace")[-2000:]
            )
        time.sleep(
            1
        )  # the port is open before all processes are there, and the first would take every connection
        yield server
    finally:
        server.stop()


BARE = """
from flask import Flask
app = Flask("bare")
@app.get("/")
def answer():
    return {"ok": True}
"""


def cast_of_each(vote: Vote, tokens: Mapping[Any, str]) -> Iterator[tuple[str, bytes, str]]:
    """(path, body, token) of each owner, once."""
    decision = ids.encode(Kind.DECISION, vote.ref)
    answers = ("for", "against", "abstain")
    for n, (resident, head) in enumerate(vote.head_of.items()):
        choices = {motion: answers[(n + k) % 3] for k, motion in enumerate(vote.motions)}
        head_id = ids.encode(Kind.HEAD, Ref(vote.ref.community_id, head))
        path = f"/bff/v1/decisions/{decision}/heads/{head_id}/ballot"
        yield path, json.dumps({"choices": choices}).encode(), tokens[resident]


def casts(vote: Vote, tokens: Mapping[Any, str]) -> Iterator[bytes]:
    """The request of each owner, once."""
    for path, body, token in cast_of_each(vote, tokens):
        yield load.request_of("PUT", path, token=token, body=body)


# --- pgbench with the same SQL ---------------------------------------------------------------------------


def pgbench_script(dsn: str, vote: Vote, everyone: Sequence[Owner], folder: Path) -> Path:
    """The statement of `casting.take` for pgbench: each transaction the next owner of a table made for it."""
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE SEQUENCE bench_next")
        connection.execute(
            "CREATE TABLE bench_owners (n bigint PRIMARY KEY, resident_id uuid, session_id uuid, head_id uuid)"
        )
        with connection.cursor().copy("COPY bench_owners FROM STDIN") as copy:
            for n, who in enumerate(everyone, 1):
                copy.write_row((n, who.resident, who.session, vote.head_of[who.resident]))
        connection.execute("GRANT ALL ON bench_owners, bench_next TO PUBLIC")
    statement = casting.TAKE.sql.replace("\n", " ")
    given = {
        "community_id": str(vote.ref.community_id),
        "decision_id": f"'{vote.ref.id}'",
        "ahead": "interval '0'",
        "now": "now()",
        "today": "current_date",
        "suspending": "'{objected,owner_parted,owners_merged}'::text[]",
        "leaf_hash": "'\\x" + "00" * 32 + "'",
        "commitment_hash": "'\\x" + "00" * 32 + "'",
        "opening_sealed": "'\\x" + "00" * 400 + "'",
        "key_id": "'0123456789abcdef'",
        "promised_at": "'2026-01-01T00:00:00+08:00'",
        "within_s": "600",
        "signature": "'" + "00" * 64 + "'",
    }
    for name, value in given.items():
        statement = statement.replace(f"%({name})s", value)
    statement = re.sub(r"%\((\w+)\)s", r":\1", statement)  # the owner's, of the line before
    script = folder / "cast.sql"
    pick = "SELECT resident_id, session_id, head_id FROM bench_owners WHERE n = (SELECT nextval('bench_next')) \\gset\n"
    script.write_text(pick + statement.strip() + ";\n", encoding="utf-8")
    return script


def pgbench_rate(dsn: str, script: Path, casts_each: int) -> float:
    """Transactions a second with 8 connections that cast so often each: every owner casts once."""
    pgbench = [str(find_postgres().bin / "pgbench"), "-n", "-f", str(script), "-c", "8", "-j", "2"]
    done = subprocess.run(
        [*pgbench, "-M", "prepared", "-t", str(casts_each), dsn],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


# --- slices ----------------------------------------------------------------------------------------------


@dataclass
class Slice:
    """One turn of a variant."""

    rate: float
    p50_ms: float
    p99_ms: float
    bad: int
    cpu_ms: float  # of server and PostgreSQL, a request


def _slice(clients: Clients, requests: Iterator[bytes], good: int, used: Callable[[], float]) -> Slice:
    before = used()
    done = clients.drive(requests, SLICE_S)
    cpu = (used() - before) * 1000 / max(1, len(done.answers))
    bad = sum(answer.status != good for answer in done.answers)
    return Slice(done.rate, done.quantile_ms(0.5), done.quantile_ms(0.99), bad, cpu)


def compare(turns: Mapping[str, Callable[[], Slice]]) -> dict[str, list[Slice]]:
    """Every variant in each slice, in turning order, three rounds of slices; prints each round's medians."""
    taken: dict[str, list[Slice]] = {name: [] for name in turns}
    names = list(turns)
    for number in range(harness.ROUNDS):
        for at in range(SLICES):
            turn = (number + at) % len(names)
            for name in names[turn:] + names[:turn]:
                taken[name].append(turns[name]())
        for name in names:
            last = taken[name][-SLICES:]
            print(
                f"round {number + 1}  {name:<10} {statistics.median(s.rate for s in last):8,.0f}/s"
                f"  p50 {statistics.median(s.p50_ms for s in last):6.1f} ms"
                f"  p99 {statistics.median(s.p99_ms for s in last):6.1f} ms"
                f"  CPU {statistics.median(s.cpu_ms for s in last):5.2f} ms",
                flush=True,
            )
    return taken


def ratio(taken: Mapping[str, list[Slice]], ours: str, baseline: str) -> float:
    """The median of the slices' own ratios."""
    return harness.ratio([s.rate for s in taken[ours]], [s.rate for s in taken[baseline]])


# --- everybody casts -------------------------------------------------------------------------------------


@contextmanager
def sequencing(environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """The sequencer at work."""
    with (folder / "sequencer.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.sequencer"],
            cwd=harness.ROOT,
            env=dict(environment),
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def recount(dsn: str, ref: Ref, receipts: Counter[str]) -> tuple[int, int]:
    """(lost, double): answered ballots that are not in the log, and heads or receipts that are there twice."""
    with db.transaction():
        ledger.finish(ref)
    with psycopg.connect(dsn) as connection:
        leaves = connection.execute(
            "SELECT encode(leaf_hash, 'hex'), head_id FROM ballot_leaves"
            " WHERE community_id = %s AND decision_id = %s AND head_id IS NOT NULL",
            ref,
        ).fetchall()
    logged = Counter(leaf for leaf, _ in leaves)
    heads = Counter(head for _, head in leaves)
    lost = sum(1 for receipt in receipts if logged[receipt] != 1)
    double = sum(n - 1 for n in heads.values()) + sum(n - 1 for n in receipts.values())
    return lost, double + max(0, len(leaves) - len(receipts))


def sealed_after(dsn: str, ref: Ref) -> tuple[float, float]:
    """Seconds from a ballot to its leaf: the median, and within which 99 % were."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM sealed_at - cast_at))"
            " FROM ballots b JOIN ballot_leaves l USING (community_id, decision_id, head_id, rev)"
            " WHERE b.community_id = %s AND b.decision_id = %s",
            ref,
        ).fetchone()
    assert row is not None
    return tuple(row[0])


# --- the bench -------------------------------------------------------------------------------------------


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--owners", type=int, default=harness.scaled(40_000))
    parser.add_argument("--slices-only", action="store_true", help="leave out the run of everybody")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a bench that is stopped tidies up as well
    with house() as (pg, environment, folder):
        return _measure(pg, environment, Settings.from_env(environment), folder, asked)


@contextmanager
def house() -> Iterator[tuple[servers.Postgres, dict[str, str], Path]]:
    """A migrated database with fsync, the environment of its programs, and a folder; this process booted on them."""
    with house_with_queue() as (pg, _, environment, folder):
        yield pg, environment, folder


@contextmanager
def house_with_queue() -> Iterator[tuple[servers.Postgres, servers.Valkey, dict[str, str], Path]]:
    """The same, and its Valkey, which keeps nothing over a restart."""
    with (
        servers.postgres(buffers="512MB") as pg,
        servers.valkey() as valkey,
        tempfile.TemporaryDirectory(prefix="bench-vote-") as place,
    ):
        folder = Path(place)
        (folder / "bare.py").write_text(BARE, encoding="utf-8")
        pg.create_database(DATABASE)
        environment = development.environment(
            folder,
            1,
            database=pg.local_url("app", DATABASE),
            owner=pg.url("owner", DATABASE),
            redis=valkey.url,
        )
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=harness.ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
        boot(Settings.from_env(environment))
        logging.getLogger().setLevel(logging.ERROR)
        try:
            yield pg, valkey, environment, folder
        finally:
            db.dispose()


def _measure(
    pg: servers.Postgres,
    environment: Mapping[str, str],
    settings: Settings,
    folder: Path,
    asked: argparse.Namespace,
) -> int:
    dsn = pg.url("owner", DATABASE)
    began = time.perf_counter()
    estate = vote_town.lay_out()
    everyone = vote_town.people_in(dsn, estate, asked.owners)
    tokens = vote_town.access_tokens(everyone, settings.secret_key)
    votes = [vote_town.open_vote(dsn, estate, everyone) for _ in range(2 if asked.slices_only else 3)]
    print(
        f"{len(everyone):,} owners, {len(votes)} decisions: {time.perf_counter() - began:.0f} s", flush=True
    )
    twins = {**environment, "BENCH_DECISIONS": json.dumps([ids.encode(Kind.DECISION, votes[0].ref)])}
    script = pgbench_script(dsn, votes[1], everyone, folder)
    casts_each = len(everyone) // (harness.ROUNDS * SLICES * 8)
    report = Report("vote")
    with (
        serving("wsgi:app", environment, folder) as web,
        serving("bench.vote_twin:app", twins, folder) as twin,
        serving("bare:app", environment, folder) as bare,
    ):
        ours, theirs, plain = (Clients(s.port, CLIENTS) for s in (web, twin, bare))
        requests = casts(votes[0], tokens)
        again = itertools.cycle(list(itertools.islice(casts(votes[0], tokens), 500)))
        nothing = itertools.repeat(load.request_of("GET", "/"))
        for clients, some in ((ours, requests), (theirs, again), (plain, nothing)):
            clients.drive(itertools.islice(some, 500))  # caches, prepared statements
        taken = compare(
            {
                "bare": lambda: _slice(plain, nothing, 200, bare.cpu_seconds),
                "twin": lambda: _slice(theirs, again, 201, twin.cpu_seconds),
                "cast": lambda: _slice(ours, requests, 201, lambda: web.cpu_seconds() + _postgres_cpu(pg)),
                "pgbench": lambda: Slice(
                    pgbench_rate(pg.url("app", DATABASE), script, casts_each), 0.0, 0.0, 0, 0.0
                ),
            }
        )
        bare_rate = statistics.median(s.rate for s in taken["bare"])
        yardstick = Yardstick("bare Flask view", bare_rate, BARE_REFERENCE, "requests/s")
        yardstick.show()
        report.figure("of_no_db_twin", ratio(taken, "cast", "twin"), Target(">=", 0.35))
        report.figure("of_bare", ratio(taken, "cast", "bare"))
        report.figure("of_pgbench", ratio(taken, "cast", "pgbench"))
        for name, slices in taken.items():
            report.figure(f"{name}_per_s", statistics.median(s.rate for s in slices))
            report.figure(f"{name}_cpu_ms", statistics.median(s.cpu_ms for s in slices))
        report.figure("bad_answers", sum(s.bad for some in taken.values() for s in some), Target("=", 0))
        theirs.close()
        plain.close()
        if not asked.slices_only:
            _everybody(pg, report, yardstick, votes[2], tokens, (ours, web), (environment, folder))
        ours.close()
    return report.finish()


def _everybody(
    pg: servers.Postgres,
    report: Report,
    yardstick: Yardstick,
    vote: Vote,
    tokens: Mapping[Any, str],
    at: tuple[Clients, Server],
    running: tuple[Mapping[str, str], Path],
) -> None:
    clients, web = at
    dsn = pg.url("owner", DATABASE)
    with sequencing(*running):
        requests = casts(vote, tokens)
        first = clients.drive(itertools.islice(requests, 1))
        wait_sealed(dsn, vote.ref)  # the sequencer is there, as it is long before a vote opens
        used, postgres = web.cpu_seconds(), _postgres_cpu(pg)
        everyone: Load = clients.drive(requests)
        cpu = web.cpu_seconds() - used + _postgres_cpu(pg) - postgres
        wait_sealed(dsn, vote.ref)
    answers = first.answers + everyone.answers
    good = [json.loads(answer.body)["receipt"] for answer in answers if answer.status == 201]
    lost, double = recount(dsn, vote.ref, Counter(good))
    half, most = sealed_after(dsn, vote.ref)
    slower = yardstick.slowdown
    report.figure("ballots", len(good), Target("=", len(vote.head_of)))
    report.figure("ballots_per_s", everyone.rate)
    report.figure("all_owners_s", everyone.seconds, Target("<=", 180, slower))
    report.figure("p50_ms", everyone.quantile_ms(0.5))
    report.figure("p99_ms", everyone.quantile_ms(0.99), Target("<=", 200, slower))
    report.figure("cpu_ms_a_ballot", cpu * 1000 / max(1, len(everyone.answers)))
    report.figure("sealed_p50_s", half)
    report.figure("sealed_s", most, Target("<=", 2, slower))
    report.figure("lost", lost, Target("=", 0))
    report.figure("double", double, Target("=", 0))


def _postgres_cpu(pg: servers.Postgres) -> float:
    """CPU of the server's processes that are there now; its connections stay for the whole run."""
    with psycopg.connect(pg.url("superuser", DATABASE)) as connection:
        pids = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
    return sum(_cpu_of(pid) for (pid,) in pids)


def wait_sealed(dsn: str, ref: Ref) -> None:
    """Until every ballot has its leaf, or a minute is over."""
    give_up_at = time.monotonic() + 60
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < give_up_at:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM ballots WHERE community_id = %(c)s AND decision_id = %(d)s),"
                " (SELECT count(*) FROM ballot_leaves WHERE community_id = %(c)s AND decision_id = %(d)s"
                " AND head_id IS NOT NULL)",
                {"c": ref.community_id, "d": ref.id},
            ).fetchone()
            if row is not None and row[0] == row[1]:
                return
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
