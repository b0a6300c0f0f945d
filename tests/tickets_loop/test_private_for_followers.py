"""What became private, or always was, goes on without words for those who only have the same problem."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from app import ids
from app.ids import Kind
from tests.conftest import Person, Town, small_jpeg

PUBLIC, PRIVATE = "property", "dispute"
SECRET, NOTE = "隔壁五零二王某半夜打孩子", "已劝导五零二王某"
STEPS = ["accept", "dispatch", "start", "resolve", "verify", "close"]


def reported(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": PUBLIC} | more))["ticket_id"])


def given_to_the_company(town: Town, ticket_id: str) -> None:
    """A dispute goes nowhere else by itself."""
    town.bring(ticket_id, "accept", "dispatch", "start")


def resolved(town: Town, ticket_id: str) -> None:
    keeper = town.staff("property")
    photo = keeper.upload("/files", small_jpeg()).json["file_id"]
    answer = keeper.post(f"/tickets/{ticket_id}/resolve", {"note": NOTE, "photo_ids": [photo]})
    assert answer.status_code == 200, answer.text


def heard(who: Person, ticket_id: str) -> list[str]:
    items = who.get("/inbox?limit=100").json["items"]
    return [item["text"] for item in items if item["target"] and item["target"]["id"] == ticket_id]


def assert_states_alone(who: Person, town: Town, ticket_id: str) -> None:
    seen = who.ticket(ticket_id)
    assert (seen["role"], seen["status"]) == ("follower", "closed")
    assert [e["kind"] for e in seen["timeline"] if e["kind"] in STEPS] == STEPS
    assert seen["photos"] == []
    row = next(r for r in who.get("/tickets").json["items"] if r["ticket_id"] == ticket_id)
    for page in (seen, row):
        written = json.dumps(page, ensure_ascii=False)
        estate, org = "一期", "物业"
        for word in (SECRET, NOTE, "王某", "矛盾", PRIVATE, estate, org):
            assert word not in written, word
    told = heard(who, ticket_id)
    assert len(told) >= 3
    assert all(NOTE not in text and "物业" not in text for text in told)


def test_a_ticket_that_turns_out_private_tells_its_followers_only_that_it_goes_on(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, li = resident(), resident()
    ticket_id = reported(wang, town, text=SECRET)
    assert li.post(f"/tickets/{ticket_id}/join").status_code == 200
    assert li.ticket(ticket_id)["estate_name"]
    desk = town.staff("community")
    assert desk.post(f"/tickets/{ticket_id}/category", {"category": PRIVATE}).status_code == 200
    given_to_the_company(town, ticket_id)
    resolved(town, ticket_id)
    town.bring(ticket_id, "verify", "close")
    assert_states_alone(li, town, ticket_id)
    # The reporter misses nothing.
    assert NOTE in json.dumps(wang.ticket(ticket_id), ensure_ascii=False)
    assert any(NOTE in text for text in heard(wang, ticket_id))


def test_who_was_merged_into_something_private_hears_only_that_it_goes_on(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, li, zhao = resident(), resident(), resident()
    private = reported(wang, town, category=PRIVATE, text=SECRET, anonymous=True)
    mine = reported(li, town, text="楼上很吵")
    assert zhao.post(f"/tickets/{mine}/join").status_code == 200
    desk = town.staff("community")
    assert desk.post(f"/tickets/{mine}/merge", {"into": private}).status_code == 200
    given_to_the_company(town, private)
    resolved(town, private)
    town.bring(private, "verify", "close")
    for who in (li, zhao):
        assert_states_alone(who, town, private)
    # Her own report stays hers.
    assert li.ticket(mine)["text"] == "楼上很吵"


def test_of_something_public_the_answer_of_who_worked_on_it_is_read_by_all(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, li = resident(), resident()
    ticket_id = reported(wang, town)
    assert li.post(f"/tickets/{ticket_id}/join").status_code == 200
    given_to_the_company(town, ticket_id)
    resolved(town, ticket_id)
    seen = li.ticket(ticket_id)
    assert next(e["text"] for e in seen["timeline"] if e["kind"] == "resolve") == NOTE
    assert (seen["estate_name"] is not None, seen["category"], len(seen["photos"])) == (True, PUBLIC, 1)
    assert any(NOTE in text for text in heard(li, ticket_id))


def test_a_ticket_that_became_private_elsewhere_is_private_for_those_who_followed_it_there(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, li = resident(), resident()
    ticket_id = reported(wang, town, text=SECRET)
    assert li.post(f"/tickets/{ticket_id}/join").status_code == 200
    there = ids.encode(Kind.COMMUNITY, UUID(int=town.b.id))
    went = town.staff("community").post(
        f"/tickets/{ticket_id}/refer", {"community_id": there, "reason": "属于乙社区"}
    )
    desk = town.staff("community", town.b)
    successor = went.json["referred_to"]
    assert desk.post(f"/tickets/{successor}/category", {"category": PRIVATE}).status_code == 200
    assert desk.post(f"/tickets/{successor}/reject", {"reason": NOTE}).status_code == 200
    for each in (ticket_id, successor):
        assert NOTE not in json.dumps(li.ticket(each), ensure_ascii=False)
        assert NOTE in json.dumps(wang.ticket(each), ensure_ascii=False)
    assert all(NOTE not in text for text in heard(li, successor))
