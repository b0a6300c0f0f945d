"""`make bench NAME=tally`: a decision with 100,000 heads from the freeze to the offline check of its result.

A throw-away PostgreSQL with the real schema gets an estate of 100,000 homes, each with one owner. A round freezes the
roll of a new decision by the service (`freeze_s`), gives every head a ballot by COPY, seals them by the sequencer's
function (`seal_s`: information), closes, opens them by the job's function (`unseal_s`), adds them up (`tally_s`), holds
ballots, log and openings against each other and keeps the result (`certify_s`: information), writes the sealed file
over HTTP (`board_s`) and has the shipped verifier, a process of its own, check file and openings (`verify_s`). Times
widen by the yardsticks of this machine: `pgbench -S` where the database works, a single core where Python does.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from flask import Flask

import bff
from app import audit, clock, create_app, db, ids
from app.ids import Kind, Ref
from app.settings import Settings
from app.voting import keys, ledger, openings, queries, results, roll, tally, verify
from app.voting.ledger_models import CertifiedResult
from app.voting.models import DecisionKind, DecisionStatus, LegalMode
from bench import harness, vote_town
from bench.harness import Report, Target
from tools import development, servers
from tools.postgres_server import find_postgres

DATABASE = "bench"
CHOICES = ("for", "for", "for", "against", "abstain")
_BALLOTS = """
    COPY ballots (community_id, decision_id, head_id, rev, leaf_hash, commitment_hash, opening_sealed, channel,
                  capacity, cast_at, key_id, promised_at, within_s, signature) FROM STDIN
"""


class Bench(NamedTuple):
    """Where everything is."""

    app: Flask
    dsn: str
    estate: Ref
    folder: Path


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_transaction(work: Callable[[], Any]) -> Callable[[], Any]:
    """The work in a transaction of its own, as a job does it."""

    def whole() -> Any:
        with db.transaction():
            return work()

    return whole


def cast_everybody(dsn: str, ref: Ref, motions: list[str]) -> None:
    """A ballot of every head by COPY, sealed as the hot path seals it; promises aren't signed."""
    with db.reading():
        known = keys.keys_of(ref)
    name, at = known.decision_id, clock.now()
    with psycopg.connect(dsn) as connection:
        heads = connection.execute(
            "SELECT id, tag_hash, area_centi FROM roll_heads WHERE community_id = %s AND decision_id = %s",
            ref,
        ).fetchall()

        def rows() -> Iterator[tuple[Any, ...]]:
            for n, (head_id, tag, area) in enumerate(heads):
                yield _ballot(known, name, motions, n, (head_id, tag, area), at)

        with connection.cursor() as cursor, cursor.copy(_BALLOTS) as copy:
            for row in rows():
                copy.write_row(row)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) ballots")


def _ballot(
    known: keys.DecisionKeys,
    name: str,
    motions: list[str],
    n: int,
    head: tuple[UUID, bytes, int],
    at: Any,
) -> tuple[Any, ...]:
    head_id, tag, area = head
    opening = verify.opening_of(
        decision_id=name,
        head_id=ids.encode(Kind.HEAD, Ref(known.decision.community_id, head_id)),
        rev=1,
        choices={motion: CHOICES[(n + m) % len(CHOICES)] for m, motion in enumerate(motions)},
        area_centi=area,
    )
    salt, text = os.urandom(32), verify.canonical(opening)
    commitment = verify.sealed_as(salt, text)
    leaf = verify.leaf_hash(
        verify.ballot_leaf(
            decision_id=name, tag=tag.hex(), rev=1, commitment=commitment.hex(), channel="online"
        )
    )
    sealed = known.seal(salt, text, head_id=head_id, rev=1)
    return (
        *(*known.decision, head_id, 1, leaf, commitment, sealed, "online", "owner", at),
        *(known.signer.key_id, clock.rfc3339(at), verify.WITHIN_S, "-"),
    )


def seal_everything(ref: Ref) -> None:
    """Batch by batch, each a transaction of its own."""
    while in_transaction(lambda: ledger.seal(ref))():
        pass


def close(ref: Ref) -> None:
    """The final head, and nothing more is taken."""
    row = queries.decision(ref, lock=True)
    ledger.finish(ref)
    row.status, row.closed_at = DecisionStatus.CLOSED, clock.now()


def add_up(ref: Ref) -> None:
    """What the ballots that were opened add up to, by the rules."""
    row = queries.decision(ref)
    tally.result_of(row, results.questions_of(row), queries.rules_of(row), kind=DecisionKind.MEETING)


def certify(ref: Ref) -> None:
    """Hold ballots, log and openings against each other, add up, and keep the result, as certifying does."""
    row = queries.decision(ref, lock=True)
    db.session().add(
        CertifiedResult(
            community_id=ref.community_id,
            decision_id=ref.id,
            result=results.from_ballots(row),
            certified_by=ids.NOBODY,
            certified_at=clock.now(),
        )
    )
    row.status, row.certified_at = DecisionStatus.CERTIFIED, clock.now()


def one_decision(bench: Bench) -> harness.Sample:
    """A decision from its freeze to the check of its result."""
    ref, rows = vote_town.announced(bench.estate, motions=2, mode=LegalMode.PAPER_BACKED, matter=4)
    motions = [ids.encode(Kind.MOTION, Ref(ref.community_id, row.id)) for row in rows]
    taken = {"freeze_s": timed(in_transaction(lambda: roll.freeze(ref, acting_user=audit.SYSTEM)))}
    cast_everybody(bench.dsn, ref, motions)
    taken["seal_s"] = timed(lambda: seal_everything(ref))
    in_transaction(lambda: close(ref))()
    taken["unseal_s"] = timed(in_transaction(lambda: ledger.unseal(ref)))
    taken["tally_s"] = timed(in_transaction(lambda: add_up(ref)))
    taken["certify_s"] = timed(in_transaction(lambda: certify(ref)))
    board, opened = bench.folder / "board.json", bench.folder / "openings.json"

    def export() -> None:
        answer = bench.app.test_client().get(f"/public/v1/decisions/{ids.encode(Kind.DECISION, ref)}/file")
        assert answer.status_code == 200
        with board.open("wb") as out:
            out.writelines(answer.iter_encoded())

    taken["board_s"] = timed(export)
    with db.reading():
        about = openings.description(queries.decision(ref))
    with opened.open("wb") as out:
        out.writelines(openings.written(ref, about, rooms=False))
    taken["verify_s"] = timed(lambda: _verified(board, opened))
    return taken | {"board_mb": board.stat().st_size / 1e6}


def _verified(board: Path, opened: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(harness.ROOT / "app/voting/verify.py"), str(board), "--openings", str(opened)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"the verifier refuses: {done.stdout[:2000]}{done.stderr[-2000:]}")


def main() -> int:
    """0 when every target holds."""
    parser = argparse.ArgumentParser(description="A decision with many heads, from freeze to offline check.")
    parser.add_argument("--heads", type=int, default=harness.scaled(100_000))
    parser.add_argument("--buffers", default="512MB", help="shared_buffers of PostgreSQL")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    core = harness.cpu_yardstick()
    core.show()
    with (
        servers.postgres(fast=True, buffers=asked.buffers) as pg,
        servers.valkey() as valkey,
        tempfile.TemporaryDirectory(prefix="bench-tally-") as folder,
    ):
        pg.create_database("yardstick")
        pgbench = harness.pgbench_yardstick(find_postgres().bin / "pgbench", pg.url("owner", "yardstick"), 3)
        pgbench.show()
        pg.create_database(DATABASE)
        environment = development.environment(
            Path(folder),
            1,
            database=pg.url("app", DATABASE),
            owner=pg.url("owner", DATABASE),
            redis=valkey.url,
        )
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=harness.ROOT,
            env=os.environ | environment,
            check=True,
            capture_output=True,
        )
        app = create_app(Settings.from_env(environment))
        bff.init_app(app)
        logging.getLogger().setLevel(logging.ERROR)
        try:
            estate = vote_town.lay_out()
            dsn = pg.url("owner", DATABASE)
            took = timed(lambda: vote_town.people_in(dsn, estate, asked.heads))
            print(f"{asked.heads:,} homes and owners written in {took:.0f} s", flush=True)
            bench = Bench(app, dsn, estate, Path(folder))
            taken = harness.rounds({"a decision": lambda: one_decision(bench)})["a decision"]
        finally:
            db.dispose()
    return _report(taken, pgbench.slowdown, core.slowdown)


def _report(taken: dict[str, list[float]], database: float, core: float) -> int:
    report = Report("tally")
    both = max(database, core)
    bounds = {
        "freeze_s": Target("<=", 20, both),
        "unseal_s": Target("<=", 3, both),
        "tally_s": Target("<=", 0.3, database),
        "board_s": Target("<=", 20, both),
        "verify_s": Target("<=", 10, core),
        "seal_s": None,
        "certify_s": None,
        "board_mb": None,
    }
    for key, target in bounds.items():
        report.figure(key, statistics.median(taken[key]), target)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
