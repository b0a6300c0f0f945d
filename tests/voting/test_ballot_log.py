"""The ballot log: leaves in batches, signed heads, proofs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from app import clock, db
from app.ids import Ref
from app.voting import boards, ledger, tree, verify
from app.voting.ledger_models import BallotLeaf, Opening
from tests.conftest import Town
from tests.voting import logs
from workers import jobs, sequencer


def test_ballots_come_into_the_log_in_their_order_each_once(town: Town) -> None:
    log = logs.open_log(town, areas=[5000] * 4)
    for head in (3, 1, 2):
        log.cast(head)
    assert (log.seal(), log.seal()) == (3, 0)
    log.cast(1, "against")
    assert log.seal() == 1
    with db.reading():
        places = [ledger.place_of(log.ref, log.heads[n - 1].id, 1) for n in (3, 1, 2)]
        again = ledger.place_of(log.ref, log.heads[0].id, 2)
        assert ledger.place_of(log.ref, log.heads[3].id, 1) is None
    assert [p.leaf_index for p in (*places, again) if p] == [1, 2, 3, 4]
    for receipt, place in zip(log.receipts, (*places, again), strict=True):
        assert place is not None
        leaf = bytes.fromhex(receipt["receipt"])
        assert verify.is_included(leaf, place.leaf_index, place.head.size, place.path, place.head.root_hash)


def test_a_log_of_any_length_proves_what_it_holds(town: Town) -> None:
    log = logs.open_log(town, areas=[5000])
    with db.transaction():
        held = ledger.ledger_of(log.ref)
        for size in (1, 30, 32, 33, 1000, 1024, 1025, 2100):
            while held.size < size:
                more = [
                    ledger.Leaf(str(n), verify.leaf_hash(str(n).encode()))
                    for n in range(held.size, min(size, held.size + 700))
                ]
                ledger._append(log.ref, held, more)
        stored = tree._stored(log.ref, [(0, n) for n in range(2100)])
        hashes = [stored[0, n] for n in range(2100)]
        assert verify.root_of(hashes) == held.root_hash == tree.root(log.ref, 2100)
        for index, size in (
            (0, 1),
            (0, 2100),
            (31, 32),
            (32, 33),
            (1023, 1024),
            (1024, 2100),
            (2099, 2100),
            (7, 1500),
        ):
            assert tree.inclusion(log.ref, index, size) == verify.inclusion_proof(hashes[:size], index)
        for first, second in ((1, 2100), (32, 2100), (33, 1500), (1024, 1025), (1025, 2100), (2100, 2100)):
            assert tree.consistency(log.ref, first, second) == verify.consistency_proof(
                hashes[:second], first
            )


def test_only_one_at_a_time_seals_and_nobody_waits(town: Town, owner: psycopg.Connection[Any]) -> None:
    log = logs.open_log(town, areas=[5000])
    log.cast(1)
    for held in ("ledgers WHERE decision_id", "decisions WHERE id"):
        with owner.transaction():
            owner.execute(f"SELECT 1 FROM {held} = %s FOR UPDATE", (log.ref.id,))
            assert log.seal() == 0  # another sequencer, or the close
    with owner.transaction():
        owner.execute("SELECT 1 FROM decisions WHERE id = %s FOR SHARE", (log.ref.id,))
        assert log.seal() == 1  # while somebody casts


def test_the_sequencer_seals_what_is_cast_while_it_runs(town: Town) -> None:
    log = logs.open_log(town, areas=[5000, 6000])
    stop = threading.Event()
    running = threading.Thread(target=sequencer.run, args=(stop,))
    running.start()
    try:
        log.cast(1)
        log.cast(2)
        give_up_at = time.monotonic() + 60
        while True:
            with db.reading():
                if ledger.ledger_of(log.ref).size == 3:
                    break
            assert time.monotonic() < give_up_at, "nothing was sealed"
            time.sleep(0.05)
    finally:
        stop.set()
        running.join()


def test_a_ballot_whose_commit_came_late_is_found_by_the_long_look(
    town: Town, owner: psycopg.Connection[Any]
) -> None:
    log = logs.open_log(town, areas=[5000, 6000])
    log.cast(1)
    log.cast(2)
    owner.execute("ALTER TABLE ballots DISABLE TRIGGER append_only")
    owner.execute(
        "UPDATE ballots SET cast_at = cast_at - interval '90 seconds' WHERE decision_id = %s AND head_id = %s",
        (log.ref.id, log.heads[1].id),
    )
    owner.execute("ALTER TABLE ballots ENABLE TRIGGER append_only")
    assert log.seal(limit=1) == 1  # the older one
    with db.transaction():
        held = ledger.ledger_of(log.ref)
        held.sealed_until = clock.now() + timedelta(minutes=1)
    assert log.seal(within=ledger.RECENT) == 0
    assert log.seal() == 1


@pytest.mark.parametrize("first", ["90 seconds", "-90 seconds"])
def test_a_later_ballot_of_a_head_is_never_sealed_before_an_earlier_one(
    town: Town, owner: psycopg.Connection[Any], first: str
) -> None:
    """The first was under way for long, or the clock went back: the second brings it along."""
    log = logs.open_log(town, areas=[5000, 6000])
    log.cast(2)
    assert log.seal() == 1
    log.cast(1)
    log.cast(1, "against")
    owner.execute("ALTER TABLE ballots DISABLE TRIGGER append_only")
    owner.execute(
        "UPDATE ballots SET cast_at = cast_at - %s::interval WHERE decision_id = %s AND head_id = %s AND rev = 1",
        (first, log.ref.id, log.heads[0].id),
    )
    owner.execute("ALTER TABLE ballots ENABLE TRIGGER append_only")
    assert log.seal(within=ledger.RECENT, limit=1) == 2
    with db.reading() as session:
        revs = session.scalars(
            select(BallotLeaf.rev)
            .where(BallotLeaf.community_id == log.ref.community_id, BallotLeaf.decision_id == log.ref.id)
            .order_by(BallotLeaf.leaf_index)
        ).all()
    assert revs == [None, 1, 1, 2]


def test_a_decision_that_cant_be_sealed_holds_up_no_other(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, *others = [logs.open_log(town, areas=[5000]) for _ in range(3)]
    seal = ledger.seal

    def failing(ref: Ref, **more: Any) -> int:
        if ref == broken.ref:
            raise RuntimeError("no key")
        return seal(ref, **more)

    monkeypatch.setattr(ledger, "seal", failing)
    for rev, look in enumerate((lambda: sequencer.seal_all(thoroughly=False), jobs.sweep), 1):
        for log in (broken, *others):
            log.cast(1)
        look()
        with db.reading():
            assert [ledger.ledger_of(log.ref).size for log in others] == [1 + rev, 1 + rev]
            assert ledger.ledger_of(broken.ref).size == 1
    assert str(broken.ref.id) in caplog.text


def test_the_sweep_seals_where_no_sequencer_runs(town: Town, work: Callable[..., int]) -> None:
    log = logs.open_log(town, areas=[5000])
    log.cast(1)
    with db.reading():
        assert ledger.backlog()[0] >= 1
    jobs.sweep()
    with db.reading():
        assert ledger.ledger_of(log.ref).size == 2


def test_a_closed_log_takes_nothing_more_and_is_opened_once(town: Town) -> None:
    log = logs.open_log(town, areas=[5000, 6000])
    log.cast(1)
    log.cast(1, "against")
    log.close()
    with db.reading():
        final = ledger.ledger_of(log.ref)
        assert (final.size, final.is_final) == (4, True)
        opened = final.unsealed_at
    log.cast(2)  # past the guards of casting
    assert log.seal() == 0
    for again in (ledger.finish, ledger.unseal):
        with db.transaction():
            again(log.ref)
    with db.reading() as session:
        same = ledger.ledger_of(log.ref)
        assert (same.size, same.unsealed_at) == (4, opened)
        rows = session.scalars(
            select(Opening).where(
                Opening.community_id == log.ref.community_id, Opening.decision_id == log.ref.id
            )
        ).all()
    assert {(row.rev, row.counts, row.choices[log.motion_id()]) for row in rows} == {
        (1, False, "for"),
        (2, True, "against"),
    }


def test_an_open_decision_is_never_opened(town: Town) -> None:
    log = logs.open_log(town, areas=[5000])
    log.cast(1)
    log.seal()
    with db.transaction():
        ledger.unseal(log.ref)
    with db.reading():
        assert ledger.ledger_of(log.ref).unsealed_at is None


def test_an_anchor_is_made_when_the_log_has_grown(town: Town) -> None:
    log = logs.open_log(town, areas=[5000])
    log.cast(1)
    log.seal()
    with db.reading():
        assert log.ref in ledger.to_anchor()
    jobs.anchor_logs()
    with db.reading():
        assert log.ref not in ledger.to_anchor()
        assert boards.anchor(log.ref)["size"] == 2
        assert boards.anchor(log.ref, 1)["size"] == 1
