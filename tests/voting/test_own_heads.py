"""What a resident sees of her own heads in votes: what there is to cast, and why not, for all open votes at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from app import clock, db, ids
from app.ids import Kind
from app.voting import own_heads
from app.voting.models import LegalMode
from tests.conftest import Person
from tests.voting.conftest import BallotBox, Vote, owner
from tests.voting.test_casting import cast, head_of, rules
from tests.voting.test_paper import confirmed


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)


def id_of(who: Person) -> Any:
    return ids.decode_id(Kind.RESIDENT, who.session["resident"]["id"])


def open_for(box: BallotBox, who: Person) -> list[tuple[str, str]]:
    """The titles of open votes with her ballot state."""
    with db.reading():
        found = own_heads.open_for(id_of(who), box.town.a.estate)
    return [(vote.decision.title, vote.my_ballot.value) for vote in found]


def test_open_votes_come_with_her_ballot_state_in_as_many_queries_for_three_as_for_one(
    box: BallotBox,
) -> None:
    flat = box.flat("101", owner())
    mine, tenant, stranger = box.resident(flat), box.resident(flat, level=None), box.log_in()
    later = clock.rfc3339(clock.now() + timedelta(days=25))
    votes = [box.announced(title="一", closes_at=later)]
    votes += [box.announced(title=title) for title in "二三"]
    votes[0].open()
    box.again(mine, tenant, stranger)
    mine_id = id_of(mine)
    with db.reading(), statements() as one:
        assert len(own_heads.open_for(mine_id, box.town.a.estate)) == 1
    for vote in votes[1:]:
        vote.open()
    box.again(mine, tenant, stranger)
    with db.reading(), statements() as three:
        assert len(own_heads.open_for(mine_id, box.town.a.estate)) == 3
    assert len(three) == len(one)
    assert cast(mine, votes[1]).status_code == 201
    assert open_for(box, mine) == [("三", "to_cast"), ("一", "to_cast"), ("二", "cast")]
    assert [state for _, state in open_for(box, tenant)] == ["not_mine"] * 3
    assert open_for(box, stranger) == []
    listed = mine.get("/decisions").json["items"]
    assert {row["title"]: row["my_ballot"] for row in listed} == {
        "三": "to_cast",
        "二": "cast",
        "一": "to_cast",
    }


def test_a_head_says_why_nothing_is_cast_for_it_before_and_after(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    vote = box.announced().freeze()
    box.again(wang)

    def why() -> list[tuple[bool, str | None]]:
        box.again(wang)
        return [(h["may_cast"], h["why_not"]) for h in wang.get(f"/decisions/{vote.id}").json["heads"]]

    assert why() == [(False, "not_open")]
    vote.open()
    assert why() == [(True, None)]
    vote.close()
    assert why() == [(False, "closed")]


def test_a_vote_on_paper_or_elsewhere_is_none_to_cast_here(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    box.allow()
    paper_only = box.announced(title="纸")
    box.allow(LegalMode.OFFICIAL)
    official = box.announced(title="官", legal_mode="official")
    for vote in (paper_only, official):
        vote.open()
    box.again(wang)
    assert dict(open_for(box, wang)) == {"纸": "on_paper", "官": "elsewhere"}
    (head,) = wang.get(f"/decisions/{official.id}").json["heads"]
    assert (head["may_cast"], head["why_not"]) == (False, "cast_elsewhere")


def test_a_sheet_that_cant_be_counted_leaves_her_ballot_to_cast(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    rules(box)
    vote: Vote = box.opened(title="废票")
    box.again(wang)
    assert confirmed(vote, head_of(vote, "101"), is_signed=False).status_code == 200
    assert open_for(box, wang) == [("废票", "to_cast")]
    (head,) = wang.get(f"/decisions/{vote.id}").json["heads"]
    assert (head["ballot"]["is_valid"], head["may_cast"]) == (False, True)
