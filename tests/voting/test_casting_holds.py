"""Whatever order people cast, change and repeat in, and whenever it is sealed: ballots, revs and leaves agree."""

from __future__ import annotations

from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from app import db
from app.voting import ledger, verify
from tests.voting.conftest import BallotBox
from tests.voting.test_casting import cast, choices, mine, rules

PEOPLE = 3
STEPS = st.lists(
    st.tuples(
        st.integers(0, PEOPLE),  # who; the last one is the sequencer
        st.sampled_from(["for", "against", "abstain"]),
    ),
    min_size=1,
    max_size=6,
)


def test_ballots_revs_and_leaves_agree_in_any_order(box: BallotBox, owner: psycopg.Connection[Any]) -> None:
    people = box.houses(*[9_000] * PEOPLE)
    rules(box, change_allowed=True)
    vote = box.opened()
    box.again(*people)
    said: dict[int, list[str]] = {n: [] for n in range(PEOPLE)}
    receipts: dict[int, list[str]] = {n: [] for n in range(PEOPLE)}

    @settings(max_examples=8, deadline=None)
    @given(STEPS)
    def any_order(steps: list[tuple[int, str]]) -> None:
        for who, answer in steps:
            if who == PEOPLE:
                with db.transaction():
                    ledger.seal(vote.ref)
                continue
            got = cast(people[who], vote, answer)
            if said[who][-1:] == [answer]:
                assert got.status_code == 200
            else:
                assert got.status_code == (200 if said[who] else 201), got.text
                said[who].append(answer)
                receipts[who].append(got.json["receipt"])
            assert got.json["receipt"] == receipts[who][-1]
            assert got.json["opening"]["rev"] == len(said[who])
            assert got.json["opening"]["choices"] == choices(vote, answer)

    any_order()
    with db.transaction():
        ledger.seal(vote.ref)
    leaves = owner.execute(
        "SELECT l.leaf, b.leaf_hash, b.rev, l.head_id FROM ballot_leaves l"
        " JOIN ballots b USING (community_id, decision_id, head_id, rev)"
        " WHERE l.community_id = %s AND l.decision_id = %s",
        vote.ref,
    ).fetchall()
    assert {digest.hex() for _, digest, _, _ in leaves} == {r for some in receipts.values() for r in some}
    assert len(leaves) == sum(map(len, said.values()))
    assert all(verify.leaf_hash(leaf.encode()) == digest for leaf, digest, _, _ in leaves)
    revs: dict[Any, list[int]] = {}
    for _, _, rev, head in leaves:
        revs.setdefault(head, []).append(rev)
    assert all(sorted(some) == list(range(1, len(some) + 1)) for some in revs.values())
    for n, who in enumerate(people):
        if said[n]:
            assert mine(who, vote).json["opening"]["choices"] == choices(vote, said[n][-1])
