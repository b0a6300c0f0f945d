"""The board: what is found, how much it asks the database, and intake on behalf."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from app import db
from tests.conftest import Person, Town


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that the house sends meanwhile."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)


def test_a_list_of_twenty_asks_the_database_no_more_than_one_of_two(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")

    def more(count: int) -> None:
        for n in range(count):
            photos = [wang.photo()] if n % 2 else []
            ticket_id = wang.report(town.a.estate_id, category="noise", photo_ids=photos)["ticket_id"]
            town.bring(ticket_id, "accept", "dispatch", *(["start"] if n % 6 == 0 else []))

    def cost() -> dict[str, int]:
        asked = {
            "board": (desk, "/tickets?limit=50"),
            "mine": (wang, "/tickets?limit=50"),
            "home": (wang, "/home"),
            "inbox": (wang, "/inbox?limit=100"),
            "property": (town.staff("property"), "/tickets?limit=50"),
        }
        found = {}
        for name, (who, path) in asked.items():
            who.get(path)
            with counted() as sent:
                assert who.get(path).status_code == 200
            found[name] = len(sent)
        return found

    more(2)
    small = cost()
    more(18)
    assert len(desk.get("/tickets?limit=50").json["items"]) == 20
    assert cost() == small


def test_a_ticket_with_a_long_story_asks_the_database_no_more_than_a_short_one(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    ticket_id = wang.report(town.a.estate_id, category="noise")["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start")

    def cost() -> list[int]:
        found = []
        for who in (wang, desk):
            with counted() as sent:
                assert who.get(f"/tickets/{ticket_id}").status_code == 200
            found.append(len(sent))
        return found

    wang.post(f"/tickets/{ticket_id}/comments", {"text": "请尽快"})
    small = cost()
    for n in range(8):
        wang.post(f"/tickets/{ticket_id}/comments", {"text": f"第 {n} 次"})
        town.staff(("grid", "property")[n % 2]).post(f"/tickets/{ticket_id}/comment", {"text": "好的"})
    assert cost() == small


def found(who: Any, **query: Any) -> list[str]:
    answer = who.get("/tickets", query_string={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    return [t["ticket_id"] for t in answer.json["items"]]


def test_the_board_is_narrowed_by_state_area_category_and_words(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk, street = resident(), town.staff("community"), town.staff("street")
    noise = wang.report(town.a.estate_id, category="noise", text="半夜100%吵_闹")
    dogs = wang.report(town.a.estate_id, category="dogs", text="有人遛狗不牵绳")
    other = wang.report(town.b.estate_id, category="dogs", text="乙社区的狗")
    first, second, third = (t["ticket_id"] for t in (noise, dogs, other))
    desk.post(f"/tickets/{first}/accept")
    assert found(desk) == [second, first]
    assert found(street) == [third, second, first]
    assert found(desk, status="accepted") == [first]
    assert found(desk, status="accepted,received") == [second, first]
    assert found(street, area=town.b.estate_id) == [third]
    assert found(desk, area=town.b.estate_id) == []
    assert found(street, category="dogs") == [third, second]
    assert found(desk, category="no-such") == []
    assert found(desk, q=noise["number"]) == [first]
    assert found(street, q="狗") == [third, second]
    assert found(desk, q="100%吵_") == [first]
    assert found(desk, q="1__%") == []
    assert found(desk, q="%") == [first]
    for wrong in ({"status": "lost"}, {"area": "est_x"}, {"area": first}):
        answer = desk.get("/tickets", query_string=wrong)
        assert (answer.status_code, answer.json["code"]) == (422, "bad_filter")


def test_the_board_finds_what_is_overdue_and_who_has_it(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any]
) -> None:
    wang = resident()
    urgent = wang.report(town.a.estate_id, category="noise", urgent=True)["ticket_id"]
    normal = wang.report(town.a.estate_id, category="noise")["ticket_id"]
    done = wang.report(town.a.estate_id, category="noise", urgent=True)["ticket_id"]
    town.bring(done, "accept", "dispatch", "start", "resolve", "verify", "close")
    town.bring(normal, "accept", "dispatch", "start")
    handler = town.staff("property").get("/me").json["id"]
    later(hours=25)
    desk = town.hire("community", town.a)
    assert found(desk, overdue="true") == [urgent]
    assert found(desk, overdue="false") == [done, normal]
    assert found(desk, assigned_to=handler, status="in_progress") == [normal]
    rows = {t["ticket_id"]: t["overdue"] for t in desk.get("/tickets").json["items"]}
    assert rows == {urgent: True, normal: False, done: False}


def test_a_dispatcher_sees_only_places_and_organisations_in_reach(town: Town) -> None:
    desk, street = town.staff("community"), town.staff("street")
    mine = {e["estate_id"] for e in desk.get("/areas").json["items"]}
    assert town.a.estate_id in mine
    assert town.b.estate_id not in mine
    assert {town.a.estate_id, town.b.estate_id} <= {
        e["estate_id"] for e in street.get("/areas").json["items"]
    }
    orgs = {o["org_id"] for o in desk.get("/orgs").json["items"]}
    assert {town.a.property_id, town.a.desk_id} <= orgs
    assert not {town.b.property_id, town.b.desk_id} & orgs
    assert len(desk.get("/grids").json["items"]) == 1
    assert desk.get("/buildings", query_string={"estate_id": town.b.estate_id}).status_code == 404
    assert desk.get("/buildings", query_string={"estate_id": town.a.estate_id}).json["items"] == []


@pytest.mark.parametrize("channel", ["phone", "visit", "patrol"])
def test_staff_take_a_report_in_on_behalf(town: Town, channel: str) -> None:
    grid, desk = town.staff("grid"), town.staff("community")
    body = {
        "channel": channel,
        "estate_id": town.a.estate_id,
        "category": "lighting",  # a photo is asked of the mini-program only
        "text": "独居老人反映灯不亮",
        "reporter": {"name": "刘奶奶", "phone": "023-61234567"},
    }
    taken = grid.post("/tickets", body)
    assert taken.status_code == 201, taken.text
    assert (taken.json["status"], taken.json["channel"]) == ("received", channel)
    assert taken.json["reporter"]["name"] == "刘奶奶"
    assert "61234567" not in taken.text
    assert desk.post(f"/tickets/{taken.json['ticket_id']}/accept").status_code == 200


def test_an_intake_needs_a_place_in_reach_and_something_to_say(town: Town) -> None:
    grid = town.staff("grid")
    base = {"channel": "phone", "text": "x"}
    assert grid.post("/tickets", base | {"estate_id": town.b.estate_id}).status_code == 404
    assert grid.post("/tickets", base).json["code"] == "where"
    assert grid.post("/tickets", {"channel": "phone", "estate_id": town.a.estate_id}).status_code == 422
    assert grid.post("/tickets", base | {"channel": "mini_program"}).status_code == 422
    for place in ({"lng": 1e308, "lat": 29}, {"lng": "NaN", "lat": 29}, {"lng": 0, "lat": 0}):
        answer = grid.post("/tickets", base | {"location": place})
        assert answer.status_code == 422, place
        assert "location" in answer.json["errors"]
    assert grid.get("/tickets").json["items"] == []
