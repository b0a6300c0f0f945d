"""`make upgrade-test`, second part: the project's own migrations, down and up again, on a full street.

A throw-away PostgreSQL (with fsync) gets the street of `bench.bff_town` (49,800 homes, 78,000 residents, 100,000
tickets; `--share` for less). From the newest migration downwards each is taken back, run, and taken back again, so that
it runs while every table that is older than it is full. Where the tickets themselves would have to go, the way down
ends; then all are run again, one after the other. Each runs by the project's own migrations/env.py, with its limits.

Beside it one connection reads the tables that have rows, takes the lock that a writer takes, and writes an open ticket,
without a pause; another looks every few milliseconds which locks that keep readers or writers out of such a table the
migration has. A lock is said to have lasted from the look before it was first seen to the look after it was last seen:
that is never too short, and too long by two looks at most (`resolution_ms` is the longest time between two). Once, a
transaction that has read the tickets stands in the way of a migration that changes them, until it has waited twice.

What has to hold: no lock of a migration on the way up keeps readers or writers out of a table with rows for longer than
half a second, so that nobody waits more than a second for the migration's turn and half a second for the migration;
every table has the rows it had, until the migration goes that made it; the schema is that of an empty database that was
migrated once; and what migrations have to fill in for rows that were there before them (clocks, figures, letters,
organisations of staff) is what it was. The last line is JSON.
"""

from __future__ import annotations

import gc
import io
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy.exc import IntegrityError

from app import db, outbox
from app.outbox import Leased
from app.tickets import letters, stints
from bench import bff_town, harness, vote
from bench.harness import Report, Target
from bench.upgrade import ASKING, LONGER_S, begin
from bench.vote import DATABASE
from tools import check_migrations, servers
from workers.handlers import HANDLERS

EMPTY = "never_filled"
# 0004 brought the classes that most tickets are in: their foreign key refuses to let it go.
BOTTOM = "0004"
HELD_UP = "0015"  # which adds columns to the tickets, with a default
FILLED = 300  # rows from which a table counts as one that somebody may wait for
HELD_S = 0.5
WAITED_S = 0.1
LOOK_EVERY_S = 0.005
READERS_OUT = "AccessExclusiveLock"
OWED = (stints.FILL, letters.FILL)

Shape = dict[str, frozenset[str]]  # columns by table
Connection = psycopg.Connection[tuple[Any, ...]]


# --- migrating -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Revision:
    """A migration, with the one before it and the first words of its docstring."""

    name: str
    before: str
    what: str


def revisions() -> list[Revision]:
    """The project's own, the oldest first."""
    found = ScriptDirectory.from_config(Config(harness.ROOT / "alembic.ini")).walk_revisions()
    return [
        Revision(one.revision, str(one.down_revision or "base"), (one.doc or "").split("\n")[0])
        for one in reversed(list(found))
    ]


class Said(io.StringIO):
    """What a migration says. `patience`: how often it asks again before `enough` is called."""

    def __init__(self, patience: int = 0, enough: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.asked_again, self._patience, self._enough = 0, patience, enough

    def write(self, text: str) -> int:
        """Take it down."""
        if ASKING in text:
            self.asked_again += 1
            if self._enough is not None and self.asked_again == self._patience:
                self._enough()
        return super().write(text)


def migrate(url: str, way: str, to: str, said: Said | None = None) -> int:
    """Go to a revision as a deployment does, in this process; how often it gave up waiting and asked again."""
    said = said or Said()
    # With one role for everything, env.py has no other role to give time-outs to.
    os.environ |= {"MIGRATION_DATABASE_URL": url, "DATABASE_URL": url}
    getattr(command, way)(Config(harness.ROOT / "alembic.ini", stdout=said), to)
    return said.asked_again


def shape_of(connection: Connection) -> Shape:
    """The tables that there are now."""
    rows = connection.execute(
        """
        SELECT c.relname::text, array_agg(a.attname::text)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' GROUP BY 1
        """
    )
    return {table: frozenset(columns) for table, columns in rows}


def shapes_of_empty(pg: servers.Postgres, known: Sequence[Revision]) -> dict[str, Shape]:
    """An empty database, migrated step by step; what there is after each."""
    pg.create_database(EMPTY)
    shapes: dict[str, Shape] = {}
    with psycopg.connect(pg.url("owner", EMPTY), autocommit=True) as connection:
        for revision in known:
            migrate(pg.url("owner", EMPTY), "upgrade", revision.name)
            shapes[revision.name] = shape_of(connection)
    return shapes


# --- who waits -------------------------------------------------------------------------------------------


@dataclass
class Held:
    """The longest that a lock was held, and on what."""

    seconds: float = 0.0
    table: str = ""

    def longer(self, seconds: float, table: str) -> None:
        """Keep it if it is."""
        if seconds > self.seconds:
            self.seconds, self.table = seconds, table


@dataclass
class Seen:
    """One run of a migration. `waits`: questions that took longer than WAITED_S, of all that were asked."""

    seconds: float = 0.0
    writers_out: Held = field(default_factory=Held)
    readers_out: Held = field(default_factory=Held)
    asked: int = 0
    waits: int = 0
    longest_wait_s: float = 0.0
    resolution_s: float = 0.0
    looks: int = 0
    looked_s: float = 0.0
    asked_again: int = 0

    def worse_of(self, other: Seen) -> Seen:
        """The slower of two runs, with the longest of both."""
        both = Seen(max(self.seconds, other.seconds))
        for one in (self, other):
            both.writers_out.longer(one.writers_out.seconds, one.writers_out.table)
            both.readers_out.longer(one.readers_out.seconds, one.readers_out.table)
            both.asked += one.asked
            both.waits += one.waits
            both.longest_wait_s = max(both.longest_wait_s, one.longest_wait_s)
            both.resolution_s = max(both.resolution_s, one.resolution_s)
            both.asked_again += one.asked_again
            both.looks += one.looks
            both.looked_s += one.looked_s
        return both


LOCKS = """
SELECT l.relation::bigint, l.virtualtransaction, l.mode
  FROM pg_locks l JOIN pg_stat_activity a USING (pid)
 WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY(%s::oid[]) AND a.backend_type = 'client backend'
   AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""


def look(dsn: str, tables: Sequence[str], over: threading.Event, seen: Seen) -> None:
    """Look at the locks until it is over."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute(
            "SELECT oid::bigint, relname::text FROM pg_class WHERE oid = ANY(%s::regclass[])", [list(tables)]
        )
        names: dict[int, str] = dict(found.fetchall())
        since: dict[tuple[int, str, str], float] = {}
        before = time.monotonic()
        while True:
            last = over.is_set()
            looked = time.monotonic()
            held = set(connection.execute(LOCKS, [list(names)]).fetchall())
            now = time.monotonic()
            for lock in held:
                since.setdefault(lock, before)
            for lock in [*since] if last else [lock for lock in since if lock not in held]:
                lasted, (relation, _, mode) = now - since.pop(lock), lock
                seen.writers_out.longer(lasted, names[relation])
                if mode == READERS_OUT:
                    seen.readers_out.longer(lasted, names[relation])
            seen.resolution_s = max(seen.resolution_s, now - before)
            seen.looks += 1
            seen.looked_s += now - before
            before = looked
            if last:
                return
            over.wait(LOOK_EVERY_S)


def ask(dsn: str, tables: Sequence[str], over: threading.Event, seen: Seen) -> None:
    """Read and write one table after the other until it is over, and an open ticket after each round."""
    questions: list[bytes] = []
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        for table in tables:
            name = sql.Identifier(table).as_bytes(connection)
            questions.append(b"SELECT FROM " + name + b" LIMIT 1")
            # What INSERT, UPDATE and DELETE begin with, whatever the table looks like.
            questions.append(b"BEGIN; LOCK TABLE " + name + b" IN ROW EXCLUSIVE MODE; COMMIT")
        one = connection.execute(
            "SELECT community_id, id FROM tickets WHERE ended_at IS NULL LIMIT 1"
        ).fetchone()
        assert one is not None
        which = f"community_id = {one[0]} AND id = '{one[1]}'"
        questions.append(f"UPDATE tickets SET updated_at = updated_at WHERE {which}".encode())
        while not over.is_set():
            for question in questions:
                began = time.monotonic()
                connection.execute(question)
                took = time.monotonic() - began
                seen.asked += 1
                seen.waits += took > WAITED_S
                seen.longest_wait_s = max(seen.longest_wait_s, took)
            over.wait(LOOK_EVERY_S)


@contextmanager
def watching(dsn: str, tables: Sequence[str]) -> Iterator[Seen]:
    """What the block does to those who use these tables."""
    seen, over = Seen(), threading.Event()
    failed: list[BaseException] = []

    def run(what: Any) -> None:
        try:
            what(dsn, tables, over, seen)
        except psycopg.Error as e:
            failed.append(e)

    threads = [threading.Thread(target=run, args=(what,)) for what in (look, ask)]
    for thread in threads:
        thread.start()
    time.sleep(0.02)  # both have looked once
    try:
        began = time.monotonic()
        yield seen
        seen.seconds = time.monotonic() - began
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]


# --- the same as before ----------------------------------------------------------------------------------


def fingerprint(connection: Connection, table: str, columns: frozenset[str]) -> tuple[int, int]:
    """How many rows, and a sum over all of what stands in these columns, whatever their order."""
    row = connection.execute(
        sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(ROW({})::text, 0)), 0)::text FROM {}").format(
            sql.SQL(", ").join(sql.Identifier(name) for name in sorted(columns)), sql.Identifier(table)
        )
    ).fetchone()
    assert row is not None
    return row[0], int(row[1])


class Kept:
    """The tables with rows, and what stands in those of their columns that stay as long as they do."""

    def __init__(self, connection: Connection, on_the_way: Sequence[Shape]) -> None:
        """`on_the_way`: what there is from the newest migration down to the oldest that is reached."""
        self._columns: Shape = {}
        self._first: dict[str, tuple[int, int]] = {}
        self._names: list[tuple[int, str]] = []
        self.changed: list[str] = []
        for table, newest in on_the_way[0].items():
            if table == "outbox":
                continue  # what is owed changes by what migrations owe
            columns = newest.intersection(*(shape[table] for shape in on_the_way if table in shape))
            count, total = fingerprint(connection, table, columns)
            if count >= FILLED:
                self._columns[table], self._first[table] = columns, (count, total)
                self._names.append((count, table))

    @property
    def tables(self) -> list[str]:
        """The largest first."""
        return [table for _, table in sorted(self._names, reverse=True)]

    @property
    def rows(self) -> int:
        """Of all of them."""
        return sum(count for count, _ in self._names)

    def compare(self, connection: Connection, tables: Sequence[str], when: str) -> None:
        """Remember those that are not what they were."""
        for table in tables:
            now = fingerprint(connection, table, self._columns[table])
            if now != self._first[table]:
                self.changed.append(f"{table} {when}: {self._first[table]} was, {now} is")


# What a ticket is found by is a set, whatever the order in which it was written.
_PIECES: LiteralString = (
    "(SELECT array_agg(DISTINCT piece ORDER BY piece) FROM unnest(pieces) AS each(piece))"
)
PUT_ASIDE: tuple[LiteralString, ...] = (
    "CREATE SCHEMA aside",
    "CREATE UNLOGGED TABLE aside.tickets AS SELECT community_id, id, watch_at FROM tickets",
    "CREATE UNLOGGED TABLE aside.ticket_stints AS TABLE ticket_stints",
    f"""
    CREATE UNLOGGED TABLE aside.ticket_letters AS
    SELECT community_id, ticket_id, {_PIECES} AS found_by FROM ticket_letters
    """,
    "CREATE UNLOGGED TABLE aside.staff AS SELECT id, org_id FROM staff",
)
# How many rows that a migration filled in are not what they were. Of suspended tickets the figures read since when the
# clock stands, and that went with the column of 0007.
DIFFERING: Mapping[str, LiteralString] = {
    "0009_clocks": """
        SELECT count(*) FROM tickets t FULL JOIN aside.tickets was USING (community_id, id)
         WHERE (t.watch_at IS NULL) IS DISTINCT FROM (was.watch_at IS NULL)
            OR t.stage_due_at IS DISTINCT FROM CASE WHEN was.watch_at IS NULL THEN NULL
                 WHEN t.status = 'received' THEN t.accept_by
                 WHEN t.status IN ('accepted', 'returned') THEN t.dispatch_by ELSE t.due_at END
    """,
    "0013_figures": """
        SELECT (SELECT count(*) FROM (TABLE ticket_stints EXCEPT TABLE aside.ticket_stints) AS new
                 WHERE status <> 'suspended')
             + (SELECT count(*) FROM (TABLE aside.ticket_stints EXCEPT TABLE ticket_stints) AS old
                 WHERE status <> 'suspended')
    """,
    "0018_letters": f"""
        SELECT count(*) FROM ticket_letters l FULL JOIN aside.ticket_letters was USING (community_id, ticket_id)
         WHERE was.found_by IS DISTINCT FROM {_PIECES}
    """,
    "0023_staff": """
        SELECT count(*) FROM staff s FULL JOIN aside.staff was USING (id)
         WHERE s.org_id IS DISTINCT FROM was.org_id OR s.password_at IS NULL
    """,
}


def keep_promises(connection: Connection) -> int:
    """Do what migrations left to the workers, by the workers' own code; how many pages."""
    kept = 0
    while rows := connection.execute(
        "SELECT community_id, id, kind, payload, attempts, created_at FROM outbox"
        " WHERE state = 'open' AND kind = ANY(%s) ORDER BY created_at LIMIT 20",
        [list(OWED)],
    ).fetchall():
        for row in rows:
            promise = Leased(*row)
            HANDLERS[promise.kind](promise)
            with db.transaction():
                outbox.done(promise)
            kept += 1
    return kept


# --- the walk --------------------------------------------------------------------------------------------


@dataclass
class Walk:
    """The way down and up again. `down`, `up`: by revision. `wrong`: where tables or columns weren't those of an empty
    database.
    """

    dsn: str
    shapes: dict[str, Shape]
    kept: Kept
    down: dict[str, Seen] = field(default_factory=dict)
    up: dict[str, Seen] = field(default_factory=dict)
    held_up: Seen = field(default_factory=Seen)
    wrong: list[str] = field(default_factory=list)

    def go(self, connection: Connection, known: Sequence[Revision]) -> bool:
        """Down and up; whether the migration at the bottom refused to go, as it has to."""
        for revision in reversed(known):
            going = [table for table in self.kept.tables if table not in self.shapes[revision.before]]
            there = [table for table in going if table in self.shapes[revision.name]]
            self.kept.compare(connection, there, f"before {revision.name} goes")
            self._step(connection, revision, "downgrade")
            self._step(connection, revision, "upgrade")
            self._step(connection, revision, "downgrade")
        bottom = known[0].before
        refused = False
        try:
            migrate(self.dsn, "downgrade", "-1")
        except IntegrityError:
            refused = True
        staying = [table for table in self.kept.tables if table in self.shapes[bottom]]
        self.kept.compare(connection, staying, "at the bottom")
        for revision in known:
            if revision.name == HELD_UP:
                self._held_up(revision)
                self._step(connection, revision, "downgrade")
            self._step(connection, revision, "upgrade")
        self.kept.compare(connection, staying, "at the end")
        return refused

    def _held_up(self, revision: Revision) -> None:
        """Upgrade against a transaction that has read the tickets, and ends when the migration has waited twice."""
        tables = [table for table in self.kept.tables if table in self.shapes[revision.before]]
        with psycopg.connect(self.dsn) as slow, watching(self.dsn, tables) as self.held_up:
            slow.execute("SELECT count(*) FROM tickets")
            said = Said(2, slow.rollback)
            self.held_up.asked_again = migrate(self.dsn, "upgrade", revision.name, said)

    def _step(self, connection: Connection, revision: Revision, way: str) -> None:
        both = self.shapes[revision.before].keys() & self.shapes[revision.name].keys()
        to, taken = (revision.before, self.down) if way == "downgrade" else (revision.name, self.up)
        with watching(self.dsn, [table for table in self.kept.tables if table in both]) as seen:
            seen.asked_again = migrate(self.dsn, way, to)
        taken[revision.name] = seen.worse_of(taken[revision.name]) if revision.name in taken else seen
        if shape_of(connection) != self.shapes[to]:
            self.wrong.append(f"after {way} to {to}")


def show(known: Sequence[Revision], walk: Walk) -> None:
    """The table, as Markdown has them: each migration, down and up, the worse of its runs."""

    def out(held: Held) -> str:
        return f"{held.seconds * 1000:,.0f} ms ({held.table})" if held.table else "-"

    print("\n| Migration | Down | Writers out | Up | Writers out | Readers out | Longest wait | Waits |")
    print("|---|---|---|---|---|---|---|---|")
    for revision in known:
        down, up = walk.down[revision.name], walk.up[revision.name]
        print(
            f"| {revision.name} {re.split('[:;,.]', revision.what)[0]}"
            f" | {down.seconds:.2f} s | {out(down.writers_out)} | {up.seconds:.2f} s | {out(up.writers_out)}"
            f" | {out(up.readers_out)} | {up.longest_wait_s * 1000:,.0f} ms | {up.waits} of {up.asked:,} |"
        )
    print(flush=True)


@dataclass
class Done:
    """What came of it all."""

    walk: Walk
    refused: bool
    same: bool
    pages: int
    differing: dict[str, int]
    walk_s: float
    fill_s: float


def measure(pg: servers.Postgres, known: Sequence[Revision], walked: Sequence[Revision]) -> Done:
    """Walk, do what the migrations promised, and compare."""
    shapes = shapes_of_empty(pg, known)
    with psycopg.connect(pg.url("superuser", DATABASE), autocommit=True) as connection:
        for statement in PUT_ASIDE:
            connection.execute(statement)
        on_the_way = [shapes[one.name] for one in reversed(walked)] + [shapes[BOTTOM]]
        walk = Walk(pg.url("owner", DATABASE), shapes, Kept(connection, on_the_way))
        print(f"{len(walk.kept.tables)} tables with {walk.kept.rows:,} rows", flush=True)
        began = time.monotonic()
        refused = walk.go(connection, walked)
        walk_s = time.monotonic() - began
        began = time.monotonic()
        pages = keep_promises(connection)
        fill_s = time.monotonic() - began
        differing = {}
        for name, question in DIFFERING.items():
            row = connection.execute(question).fetchone()
            differing[name] = row[0] if row else -1
    same = check_migrations.schema(pg, DATABASE) == check_migrations.schema(pg, EMPTY)
    return Done(walk, refused, same, pages, differing, walk_s, fill_s)


def judge(done: Done) -> int:
    """The exit code."""
    report, walk = Report("upgrade_own"), done.walk
    up, down = Seen(), Seen()
    for revision in walk.up:
        up, down = up.worse_of(walk.up[revision]), down.worse_of(walk.down[revision])
    report.figure("migrations", len(walk.up), Target(">=", 34))
    report.figure("rows", walk.kept.rows)
    report.figure("writers_out_s", up.writers_out.seconds, Target("<=", HELD_S))
    report.figure("readers_out_s", up.readers_out.seconds, Target("<=", HELD_S))
    report.figure("longest_wait_s", up.longest_wait_s, Target("<=", LONGER_S))
    report.figure("waits", up.waits)
    report.figure("asked", up.asked)
    report.figure("held_up_waited_in_vain", walk.held_up.asked_again, Target(">=", 2))
    report.figure("held_up_longest_wait_s", walk.held_up.longest_wait_s, Target("<=", LONGER_S))
    report.figure("asked_again", up.asked_again + down.asked_again)
    report.figure("down_writers_out_s", down.writers_out.seconds)
    report.figure("down_longest_wait_s", down.longest_wait_s)
    report.figure("resolution_ms", max(up.resolution_s, down.resolution_s) * 1000)
    report.figure("mean_resolution_ms", (up.looked_s + down.looked_s) / (up.looks + down.looks) * 1000)
    report.figure("bottom_refuses", float(done.refused), Target("=", 1))
    report.figure("shapes_wrong", len(walk.wrong), Target("=", 0))
    report.figure("schema_same", float(done.same), Target("=", 1))
    report.figure("tables_changed", len(walk.kept.changed), Target("=", 0))
    for name, count in done.differing.items():
        report.figure(f"differing_{name}", count, Target("=", 0))
    report.figure("pages_filled", done.pages, Target(">=", 1))
    report.figure("walk_s", done.walk_s)
    report.figure("fill_s", done.fill_s)
    return report.finish()


def main() -> int:
    """0 when everything held."""
    share = begin(__doc__)
    known = revisions()
    walked = known[[one.name for one in known].index(BOTTOM) + 1 :]
    with vote.house() as (pg, _, _):
        bff_town.fill(pg, DATABASE, share=share)
        db.dispose()
        # Or a round of the garbage collector over what made the street stops those who ask for half a second.
        gc.collect()
        gc.freeze()
        done = measure(pg, known, walked)
    show(walked, done.walk)
    for line in (*done.walk.wrong, *done.walk.kept.changed):
        print(line, flush=True)
    return judge(done)


if __name__ == "__main__":
    sys.exit(main())
