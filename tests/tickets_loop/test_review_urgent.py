"""What makes a ticket urgent: the reporter's mark, its class, an urgent one merged into it; and what takes it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app import clock, ids
from app.ids import Kind
from tests.conftest import Person, Town


def seen(town: Town, ticket_id: str) -> dict[str, Any]:
    found: dict[str, Any] = town.staff("community").get(f"/tickets/{ticket_id}").get_json()
    return found


def due(body: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(body["clock"]["due_at"])


def after(body: dict[str, Any], **span: float) -> datetime:
    return datetime.fromisoformat(body["reported_at"]) + timedelta(**span)


def put(town: Town, ticket_id: str, category: str) -> dict[str, Any]:
    answer = town.staff("community").post(f"/tickets/{ticket_id}/category", {"category": category})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def reported(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"])


def test_the_desk_makes_a_ticket_urgent_by_its_class(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = str(wang.report(town.a.estate_id, text="楼道里着火冒烟")["ticket_id"])
    before = seen(town, ticket_id)
    urgent = put(town, ticket_id, "emergency")
    assert (before["urgent"], urgent["urgent"]) == (False, True)
    assert due(urgent) == after(urgent, hours=24) < due(before)
    assert urgent["timeline"][-1]["data"]["urgent"] is True
    own = wang.ticket(ticket_id)
    assert own["urgent"] is True
    assert datetime.fromisoformat(own["promised"]["close_by"]) == due(urgent)
    town.bring(ticket_id, "accept")
    assert due(seen(town, ticket_id)) == due(urgent)
    town.bring(ticket_id, "dispatch", "start")
    answer = town.staff("property").post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 1})
    assert (answer.status_code, answer.json["code"]) == (409, "never_paused")


def test_what_only_its_class_made_urgent_goes_back_with_the_class(
    resident: Callable[..., Person], town: Town
) -> None:
    for first in ("emergency", "noise"):
        ticket_id = reported(resident(), town, category=first)
        put(town, ticket_id, "emergency")
        assert seen(town, ticket_id)["urgent"] is True
        back = put(town, ticket_id, "dogs")
        assert back["urgent"] is False
        assert due(back) > after(back, hours=48)
        assert back["timeline"][-1]["data"]["urgent"] is False


@pytest.mark.parametrize("carried", [False, True])
def test_what_the_reporter_called_urgent_stays_so_whatever_the_class(
    resident: Callable[..., Person], town: Town, carried: bool
) -> None:
    ticket_id = reported(resident(), town, urgent=True)
    if carried:
        there = ids.encode(Kind.COMMUNITY, UUID(int=town.b.id))
        body = {"community_id": there, "reason": "属于邻社区"}
        ticket_id = town.staff("community").post(f"/tickets/{ticket_id}/refer", body).json["referred_to"]
    desk = town.staff("community", town.b if carried else town.a)
    for category in ("emergency", "dogs"):
        seen_there = desk.post(f"/tickets/{ticket_id}/category", {"category": category}).get_json()
        assert seen_there["urgent"] is True, category
        assert due(seen_there) == after(seen_there, hours=24)


def test_neither_pauses_nor_granted_time_move_the_limit_of_what_has_become_urgent(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    ticket_id = reported(resident(), town)
    town.bring(ticket_id, "accept", "dispatch", "start")
    unit = town.staff("property")
    assert unit.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 2}).status_code == 200
    later(hours=26)
    town.a.staff.clear()
    unit, desk = town.staff("property"), town.staff("community")
    assert unit.post(f"/tickets/{ticket_id}/resume").status_code == 200
    until = (due(seen(town, ticket_id)) + timedelta(days=5)).isoformat()
    asked = unit.post(f"/tickets/{ticket_id}/extensions", {"until": until, "reason": "等配件"}).json
    assert desk.post(f"/extensions/{asked['extension_id']}/approve", {}).status_code == 200
    granted = due(seen(town, ticket_id))
    town.bring(ticket_id, "return")
    urgent = put(town, ticket_id, "emergency")
    assert due(urgent) == after(urgent, hours=24) < clock.now()
    assert urgent["overdue"] is True
    assert due(put(town, ticket_id, "dogs")) == granted


# --- merging ----------------------------------------------------------------------------------------------


def test_an_urgent_ticket_makes_the_one_it_is_merged_into_urgent(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, li = resident(), resident()
    urgent, target = reported(wang, town, urgent=True), reported(li, town)
    before, desk = seen(town, target), town.staff("community")
    assert desk.post(f"/tickets/{urgent}/merge", {"into": target}).status_code == 200
    after_it = seen(town, target)
    assert (after_it["urgent"], due(after_it)) == (True, after(after_it, hours=24))
    assert after_it["timeline"][-1]["visibility"] == "internal"
    assert datetime.fromisoformat(li.ticket(target)["promised"]["close_by"]) == due(after_it)
    assert put(town, target, "dogs")["urgent"] is True
    put(town, target, "noise")
    assert desk.post(f"/tickets/{urgent}/unmerge").status_code == 200
    back = seen(town, target)
    assert (back["urgent"], due(back)) == (False, due(before))


def test_taking_one_of_two_urgent_tickets_out_leaves_it_urgent(
    resident: Callable[..., Person], town: Town
) -> None:
    target, desk = reported(resident(), town), town.staff("community")
    one, two = (reported(resident(), town, urgent=True) for _ in range(2))
    for each in (one, two):
        assert desk.post(f"/tickets/{each}/merge", {"into": target}).status_code == 200
    desk.post(f"/tickets/{one}/unmerge")
    assert seen(town, target)["urgent"] is True
    desk.post(f"/tickets/{two}/unmerge")
    assert seen(town, target)["urgent"] is False


def test_urgency_comes_through_a_chain_of_merges_and_leaves_with_it(
    resident: Callable[..., Person], town: Town
) -> None:
    desk = town.staff("community")
    urgent, middle, top = reported(resident(), town, urgent=True), *(reported(resident(), town) for _ in "12")
    for one, into in ((urgent, middle), (middle, top)):
        assert desk.post(f"/tickets/{one}/merge", {"into": into}).status_code == 200
    assert seen(town, top)["urgent"] is True
    desk.post(f"/tickets/{urgent}/unmerge")
    assert [seen(town, each)["urgent"] for each in (urgent, middle, top)] == [True, False, False]
    desk.post(f"/tickets/{middle}/unmerge")
    back = seen(town, middle)
    assert due(back) > after(back, hours=48)


def test_a_pause_ends_when_an_urgent_ticket_is_merged_into_it(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, li = resident(), resident()
    urgent, target = reported(wang, town, urgent=True), reported(li, town)
    town.bring(target, "accept", "dispatch", "start")
    paused = town.staff("property").post(f"/tickets/{target}/suspend", {"reason": "等配件", "days": 3})
    assert paused.status_code == 200
    assert town.staff("community").post(f"/tickets/{urgent}/merge", {"into": target}).status_code == 200
    body = seen(town, target)
    assert (body["status"], body["clock"]["standing_since"], body["urgent"]) == ("in_progress", None, True)
    assert due(body) == after(body, hours=24)
    assert li.get("/inbox").json["items"][0]["kind"] == "ticket_resumed"
