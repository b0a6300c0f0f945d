"""`make upgrade-test`: the next version's migrations on a full street, while this version serves it.

A throw-away PostgreSQL and Valkey with the street of `bench.bff_town` (49,800 homes, 78,000 residents, 100,000
tickets; `--share` for less). The application serves it as deploy/gunicorn.py sets it up; residents open their first
screen, their tickets and one of them, and report, over 8 connections. Meanwhile a next version is made up of what
upgrades consist of, expand before contract: a column, an index and a constraint on the largest table, a backfill, and
at last the column taken away; alembic runs it by the project's own migrations/env.py, once in peace and once against a
transaction that holds the table for longer than a migration waits. Then everything is taken back.

What has to hold: no answer is 5xx, no request waits much longer than a migration waits for its lock, the old version
stays ready (`/readyz`) on a database that is ahead of it, and the blocked migration goes through by itself. The last
line is JSON.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import orjson
import psycopg

from app import ids
from app.ids import Kind
from app.settings import Settings
from bench import bff_town, harness, load, vote
from bench.bff import Readers
from bench.harness import Report, Target
from bench.load import Clients
from bench.vote import DATABASE, serving

CLIENTS = 8
PEACE_S = 10.0
# A migration waits a second for its lock, and who comes meanwhile waits behind it: so much more than in peace.
LONGER_S = 1.5
ASKING = "asking again"  # what migrations/env.py says when it has waited

HEAD = '''"""{what}"""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{revision}", "{before}", None, None

'''
STEPS = {
    "9001": (
        "Expand: a column that the old version doesn't know.",
        """
def upgrade() -> None:
    op.add_column("tickets", sa.Column("next_word", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("tickets", "next_word")
""",
    ),
    "9002": (
        "Expand: fill it in batches, each a transaction of its own, and index it beside the work.",
        """
def upgrade() -> None:
    with op.get_context().autocommit_block():
        bind = op.get_bind()
        batch = sa.text(
            "UPDATE tickets SET next_word = 'x' WHERE (community_id, id) IN"
            " (SELECT community_id, id FROM tickets WHERE next_word IS NULL LIMIT 2000)"
        )
        while bind.execute(batch).rowcount:
            pass
        op.drop_index("ix_next_word", table_name="tickets", postgresql_concurrently=True, if_exists=True)
        op.create_index("ix_next_word", "tickets", ["community_id", "next_word"], postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_next_word", table_name="tickets", postgresql_concurrently=True, if_exists=True)
""",
    ),
    "9003": (
        "Expand: a rule for new rows, then for all.",
        """
def upgrade() -> None:
    op.execute("ALTER TABLE tickets ADD CONSTRAINT next_known CHECK (next_word <> '') NOT VALID")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE tickets VALIDATE CONSTRAINT next_known")


def downgrade() -> None:
    op.execute("ALTER TABLE tickets DROP CONSTRAINT next_known")
""",
    ),
    "9004": (
        "Contract: what only the version before needed.",
        """
def upgrade() -> None:
    op.execute("ALTER TABLE tickets DROP CONSTRAINT next_known")
    op.drop_column("tickets", "next_word")


def downgrade() -> None:
    op.add_column("tickets", sa.Column("next_word", sa.Text(), nullable=True))
    op.execute("ALTER TABLE tickets ADD CONSTRAINT next_known CHECK (next_word <> '') NOT VALID")
""",
    ),
}


@dataclass
class Seen:
    """What residents got while migrations ran."""

    answers: int = 0
    failed: int = 0
    longest_s: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)


def next_version(folder: Path, head: str) -> Path:
    """An alembic.ini that knows the project's migrations and, after them, those of the made-up next version."""
    versions = folder / "next"
    versions.mkdir()
    before = head
    for revision, (what, text) in STEPS.items():
        filled = HEAD.format(what=what, revision=revision, before=before)
        (versions / f"{revision}_next.py").write_text(filled + text, encoding="utf-8")
        before = revision
    ours = harness.ROOT / "migrations"
    ini = folder / "next.ini"
    ini.write_text(
        f"[alembic]\nscript_location = {ours}\nversion_locations = {ours / 'versions'}:{versions}\n"
        "path_separator = os\n",
        encoding="utf-8",
    )
    return ini


def alembic(ini: Path, environment: dict[str, str], *words: str) -> float:
    """Run it as a deployment would; the seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(ini), *words],
        cwd=harness.ROOT,
        env=environment | {"PYTHONPATH": str(harness.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"alembic {' '.join(words)}: {done.stderr[-2000:]}")
    return time.monotonic() - began


def asked(readers: Readers) -> Iterator[bytes]:
    """What residents do, in turn: first screen, list, one of them, a report."""
    for (estate, who), home, listed, one in zip(
        itertools.cycle(readers.owners), readers.home(), readers.lists(), readers.details(), strict=False
    ):
        yield from (home, listed, one)
        body = {"estate_id": ids.encode(Kind.ESTATE, estate), "text": "灯不亮", "client_token": uuid4().hex}
        yield load.request_of(
            "POST", "/bff/v1/tickets", token=readers.token(who.resident), body=orjson.dumps(body)
        )


def drive(port: int, readers: Readers, over: threading.Event, seen: Seen) -> None:
    """Ask without a pause until it is over."""
    clients = Clients(port, CLIENTS)
    requests = asked(readers)
    while not over.is_set():
        for answer in clients.drive(requests, 0.5).answers:
            seen.answers += 1
            seen.statuses[answer.status] = seen.statuses.get(answer.status, 0) + 1
            seen.failed += answer.status >= 500
            seen.longest_s = max(seen.longest_s, answer.seconds)
    clients.close()


def held_up(dsn: str, ini: Path, environment: dict[str, str], revision: str) -> tuple[float, int]:
    """Migrate against a transaction that has read the table and takes its time: (seconds, how often it waited in vain).

    The transaction ends once the migration has waited twice.
    """
    began, waited = time.monotonic(), 0
    command = [sys.executable, "-m", "alembic", "-c", str(ini), "upgrade", revision]
    more = {"PYTHONPATH": str(harness.ROOT), "PYTHONUNBUFFERED": "1"}
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT count(*) FROM tickets")
        with subprocess.Popen(
            command, cwd=harness.ROOT, env=environment | more, stdout=subprocess.PIPE, text=True
        ) as process:
            for line in process.stdout or ():
                waited += ASKING in line
                if waited == 2:
                    connection.rollback()
    if process.returncode:
        raise RuntimeError("the migration that was held up failed")
    return time.monotonic() - began, waited


def is_ready(port: int) -> bool:
    """Would a load balancer go on sending people here?"""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        return bool(answer.status == 200)


def begin(doc: str | None) -> float:
    """The share of the full street that is asked for; what was begun is put away when the program is told to end."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the full size of the street")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return float(parser.parse_args().share)


def main() -> int:
    """0 when everything held."""
    share = begin(__doc__)
    report = Report("upgrade")
    with vote.house() as (pg, environment, folder):
        town = bff_town.fill(pg, DATABASE, share=share)
        dsn = pg.url("owner", DATABASE)
        readers = Readers(town, dsn, Settings.from_env(environment).secret_key)
        with psycopg.connect(dsn) as connection:
            (head,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
        ini = next_version(folder, head)
        seen, over = Seen(), threading.Event()
        with serving("wsgi:app", environment, folder) as server:
            driver = threading.Thread(target=drive, args=(server.port, readers, over, seen))
            driver.start()
            try:
                time.sleep(PEACE_S)
                in_peace = seen.longest_s
                took = {"expand_s": alembic(ini, environment, "upgrade", "9003")}
                ready = is_ready(server.port)
                took["contract_s"] = alembic(ini, environment, "upgrade", "9004")
                took["back_s"] = alembic(ini, environment, "downgrade", head)
                took["held_up_s"], waited = held_up(dsn, ini, environment, "9001")
                took["back_again_s"] = alembic(ini, environment, "downgrade", head)
                ready = ready and is_ready(server.port)
                time.sleep(2)
            finally:
                over.set()
                driver.join()
    print(f"answers by status: {seen.statuses}", flush=True)
    report.figure("answers", seen.answers, Target(">=", 100))
    report.figure("failed", seen.failed, Target("=", 0))
    report.figure("longest_in_peace_s", in_peace)
    report.figure("longest_request_s", seen.longest_s, Target("<=", in_peace + LONGER_S))
    report.figure("waited_in_vain", waited, Target(">=", 2))
    report.figure("ready_throughout", float(ready), Target("=", 1))
    for name, seconds in took.items():
        report.figure(name, seconds)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
