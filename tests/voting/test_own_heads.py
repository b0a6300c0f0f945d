"""What a resident sees of her own heads in votes: what there is to cast, and why not, for all open votes at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from app import clock, db, ids
from app.ids import Kind
from app.memberships.models import Level
from app.voting import own_heads
from app.voting.models import LegalMode
from app.voting.rules import Transfer
from tests.conftest import Person
from tests.memberships.conftest import phone
from tests.voting.conftest import BallotBox, Vote, owner
from tests.voting.test_casting import cast, head_of, rules, sell
from tests.voting.test_paper import confirmed, give, known


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent meanwhile, plain ones as well."""
    sent: list[str] = []
    rows = db.Plain.rows

    def plain(statement: db.Plain, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        sent.append(statement.sql)
        return rows(statement, values)

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    db.Plain.rows = plain  # type: ignore[method-assign,assignment]
    try:
        yield sent
    finally:
        db.Plain.rows = rows  # type: ignore[method-assign]
        event.remove(db.engine(), "before_cursor_execute", note)


def id_of(who: Person) -> Any:
    return ids.decode_id(Kind.RESIDENT, who.session["resident"]["id"])


def open_for(box: BallotBox, who: Person) -> list[tuple[str, str]]:
    """The titles of open votes with her ballot state, which her first screen says as well."""
    with db.reading():
        found = own_heads.open_for(id_of(who), box.town.a.estate)
    told = [(vote.decision.title, vote.my_ballot.value) for vote in found]
    home = who.get("/home", query_string={"estate_id": box.town.a.estate_id})
    assert [(row["title"], row["my_ballot"]) for row in home.json["open_decisions"]] == told[:5]
    return told


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


def test_her_first_screen_says_the_same_whatever_she_is_to_a_head(box: BallotBox) -> None:
    shared = box.flat("101", owner("甲"), owner("乙"), voter=0)
    unnamed = box.flat("102", owner("丙"), owner("丁"))
    sold, given, alone = box.flat("103", owner()), box.flat("104", owner()), box.flat("105", owner())
    voter, other = box.resident(shared, at=0), box.resident(shared, at=1)
    of_two, seller, giver = box.resident(unnamed, at=0), box.resident(sold), box.resident(given)
    weak, tenant = box.resident(alone, level=Level.WEAK), box.resident(alone, level=None)
    several = box.resident(alone, given)
    number = phone()
    proxy = known(box, number)
    rules(box, transfer=Transfer.NEW_OWNER_UNLESS_CAST)
    vote = box.opened(title="表决")
    sell(box, sold, "新业主")
    buyer = box.resident(sold)
    everybody = (voter, other, of_two, seller, giver, weak, tenant, several, proxy, buyer)
    box.again(*everybody)
    assert give(giver, vote, number).status_code == 201

    for who in everybody:
        open_for(box, who)

    assert open_for(box, voter) == open_for(box, buyer) == [("表决", "to_cast")]
    assert open_for(box, tenant) == open_for(box, other) == open_for(box, weak) == [("表决", "not_mine")]
    assert cast(voter, vote).status_code == 201
    assert open_for(box, voter) == [("表决", "cast")]
    assert open_for(box, other) == [("表决", "cast")]  # by who votes for both
