"""The first screen: what waits for a resident, in as many queries for much as for little."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import update

from app import clock, db
from app.ids import Kind, encode
from app.voting.models import Decision
from tests.conftest import Person
from tests.voting.conftest import BallotBox, owner
from tests.voting.test_casting import cast
from tests.voting.test_own_heads import statements


def home_of(who: Person, **query: Any) -> dict[str, Any]:
    answer = who.get("/home", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def notice(box: BallotBox, title: str) -> str:
    body = {"kind": "works", "title": title, "text": "周三停水。", "area_ids": [box.town.a.estate_id]}
    made = box.desk.post("/notices", body)
    assert made.status_code == 201, made.text
    name = str(made.json["notice_id"])
    out = box.desk.post(f"/notices/{name}/publish", headers={"If-Match": "*"})
    assert out.status_code == 200, out.text
    return name


def test_the_first_screen_costs_as_many_queries_for_much_as_for_little(box: BallotBox) -> None:
    flats = [box.flat(str(101 + n), owner()) for n in range(4)]
    second = box.flat("201", owner(), estate=box.town.a.second_estate)
    elsewhere = box.flat("301", owner(), estate=box.town.b.estate)
    wang, li = box.resident(flats[0]), box.resident(flats[3])
    last = notice(box, "停水通知")
    later = clock.rfc3339(clock.now() + timedelta(days=25))
    votes = [box.announced(title="一", closes_at=later), *(box.announced(title=t) for t in "二三")]
    waits = [str(li.report(box.town.a.estate_id, category="property")["ticket_id"]) for _ in range(3)]
    wang.report(box.town.a.estate_id)
    assert wang.post(f"/tickets/{waits[0]}/join").status_code == 200
    votes[0].open()
    box.again(wang, li)
    wang.get("/home")
    with statements() as little:
        first = home_of(wang)
    assert len(first["memberships"]) == len(first["open_decisions"]) == len(first["notices"]) == 1
    assert len(first["open_tickets"]) == 2
    assert first["memberships"][0]["house"].endswith(" 1栋101")
    # Much of everything.
    for flat in (*flats[1:3], second, elsewhere):
        box.bind(wang, flat)
    for vote in votes[1:]:
        vote.open()
    box.again(wang, li)
    titles = [f"停水通知{n}" for n in range(5)]
    for title in titles:
        last = notice(box, title)
    for ticket in waits[1:]:
        assert wang.post(f"/tickets/{ticket}/join").status_code == 200
    for _ in range(4):
        wang.report(box.town.a.estate_id)
    estate = box.town.a.estate_id
    with statements() as unread_yet:
        home = home_of(wang, estate_id=estate)
    with statements() as much:
        assert home_of(wang, estate_id=estate) == home
    assert len(home["memberships"]) == 5
    assert len(home["open_tickets"]) == 5
    assert home["notices"][0]["notice_id"] == last
    assert [row["title"] for row in home["notices"]] == titles[:1:-1]
    assert {e["estate_id"] for e in home["estates"]} == {
        estate,
        encode(Kind.ESTATE, box.town.a.second_estate),
        box.town.b.estate_id,
    }
    assert len(much) == len(little) == 2
    assert len(unread_yet) == 3  # what the notices say, of all at once


def test_what_waits_for_her_vote_comes_first_and_what_she_has_cast_last(box: BallotBox) -> None:
    flat = box.flat("101", owner())
    wang, tenant = box.resident(flat), box.resident(flat, level=None)
    later = clock.rfc3339(clock.now() + timedelta(days=25))
    votes = [box.announced(title="一", closes_at=later), *(box.announced(title=t) for t in "二三")]
    assert home_of(wang)["open_decisions"] == []
    for vote in votes:
        vote.open()
    box.again(wang, tenant)
    assert cast(wang, votes[1]).status_code == 201
    shown = [(row["title"], row["my_ballot"]) for row in home_of(wang)["open_decisions"]]
    assert shown == [("三", "to_cast"), ("一", "to_cast"), ("二", "cast")]
    assert {row["my_ballot"] for row in home_of(tenant)["open_decisions"]} == {"not_mine"}


def test_a_stranger_sees_what_is_public_of_the_estate_she_chose_and_no_vote(box: BallotBox) -> None:
    box.houses(9_000)
    name = notice(box, "停水通知")
    box.opened()
    stranger = box.log_in()
    empty = home_of(stranger)
    assert (empty["estates"], empty["open_decisions"], empty["notices"]) == ([], [], [])
    assert (empty["open_tickets"], empty["revenue"], empty["memberships"]) == ([], None, [])
    home = home_of(stranger, estate_id=box.town.a.estate_id)
    assert [(row["notice_id"], row["for_me"]) for row in home["notices"]] == [(name, False)]
    assert home["open_decisions"] == []


def test_a_change_of_a_decision_shows_with_the_next_request_whoever_made_it(box: BallotBox) -> None:
    flat = box.flat("101", owner())
    wang = box.resident(flat)
    vote = box.opened(title="增设停车棚")
    box.again(wang)
    assert [row["title"] for row in home_of(wang)["open_decisions"]] == ["增设停车棚"]
    # By hand, as nobody should: no version is counted.
    with db.transaction() as session:
        session.execute(
            update(Decision)
            .where(Decision.community_id == flat.community_id, Decision.id == vote.ref.id)
            .values(title="增设充电棚")
        )
    assert [row["title"] for row in home_of(wang)["open_decisions"]] == ["增设充电棚"]


def test_a_house_she_has_left_shows_her_nothing_of_its_estate(box: BallotBox) -> None:
    flat = box.flat("101", owner())
    wang = box.resident(flat)
    notice(box, "停水通知")
    box.opened()
    box.again(wang)
    full = home_of(wang)
    assert (len(full["memberships"]), len(full["estates"])) == (1, 1)
    assert (len(full["open_decisions"]), len(full["notices"])) == (1, 1)
    ended = wang.delete(f"/memberships/{full['memberships'][0]['membership_id']}")
    assert ended.status_code == 204, ended.text
    left = home_of(wang)
    assert (left["memberships"], left["estates"]) == ([], [])
    assert (left["open_decisions"], left["notices"], left["revenue"]) == ([], [], None)
