"""While a unit has the ticket: pauses, more time, assisting units, returns; each with its bounds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import clock
from tests.conftest import Caller, Person, Town


def in_work(who: Person, town: Town, **more: Any) -> str:
    ticket_id = str(who.report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"])
    town.bring(ticket_id, "accept", "dispatch", "start")
    return ticket_id


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


# --- pauses -----------------------------------------------------------------------------------------------


def test_a_pause_is_seen_by_the_reporter_and_capped_in_all(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    wang, handler = resident("wang"), None
    ticket_id = in_work(wang, town)
    handler = town.staff("property")
    for days in (0, 11, 400):
        answer = handler.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": days})
        assert answer.status_code == 422, days
    paused = handler.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 6})
    assert (paused.json["status"], paused.json["clock"]["standing_since"] is not None) == ("suspended", True)
    seen = wang.ticket(ticket_id)
    assert seen["standing_until"] is not None
    assert seen["timeline"][-1]["text"] == "等配件"
    assert refused(handler.post(f"/tickets/{ticket_id}/resolve", {"note": "x"})) == (409, "illegal_move")
    later(days=5, hours=1)
    town.a.staff.clear()
    handler = town.staff("property")
    assert handler.post(f"/tickets/{ticket_id}/resume").json["status"] == "in_progress"
    too_long = handler.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 5})
    assert refused(too_long) == (422, "pause_too_long")
    assert handler.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件"}).status_code == 200
    until = datetime.fromisoformat(handler.get(f"/tickets/{ticket_id}").json["clock"]["standing_until"])
    assert until - clock.now() <= timedelta(days=4)


def test_until_when_it_stands_is_told_in_the_time_of_the_place(
    resident: Callable[..., Person], town: Town
) -> None:
    ticket_id, handler = in_work(resident(), town), town.staff("property")
    paused = handler.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 2}).json
    told = paused["timeline"][-1]["data"]["until"]
    assert told.endswith("+08:00")
    assert told[:16] == paused["clock"]["standing_until"][:16]


def test_an_urgent_ticket_never_stands(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = in_work(resident(), town, urgent=True)
    answer = town.staff("property").post(f"/tickets/{ticket_id}/suspend", {"reason": "等", "days": 1})
    assert refused(answer) == (409, "never_paused")
    seen = town.staff("property").get(f"/tickets/{ticket_id}").json
    assert (seen["status"], seen["clock"]["standing_since"]) == ("in_progress", None)


# --- more time --------------------------------------------------------------------------------------------


def ask(who: Caller, ticket_id: str, until: datetime) -> Any:
    body = {"until": until.isoformat(), "reason": "等配件"}
    return who.post(f"/tickets/{ticket_id}/extensions", body)


def due_of(town: Town, ticket_id: str) -> datetime:
    seen = town.staff("community").get(f"/tickets/{ticket_id}").json
    return datetime.fromisoformat(seen["clock"]["due_at"])


def test_more_time_is_asked_by_the_unit_and_granted_by_the_desk(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = in_work(wang, town)
    handler, desk, due = town.staff("property"), town.staff("community"), due_of(town, ticket_id)
    for wrong in (due, due - timedelta(days=1), due + timedelta(days=30, seconds=1)):
        assert refused(ask(handler, ticket_id, wrong)) == (422, "bad_extension")
    wanted = due + timedelta(days=2)
    asked = ask(handler, ticket_id, wanted)
    assert asked.status_code == 201
    assert due_of(town, ticket_id) == due
    assert refused(ask(handler, ticket_id, wanted)) == (409, "extension_pending")
    path = f"/extensions/{asked.json['extension_id']}"
    assert handler.post(f"{path}/approve", {}).status_code == 403
    granted = desk.post(f"{path}/approve", {"note": "同意"})
    assert granted.json["state"] == "approved"
    assert due_of(town, ticket_id) == wanted
    assert datetime.fromisoformat(wang.ticket(ticket_id)["promised"]["close_by"]) == wanted
    assert "ticket_extended" in [m["kind"] for m in wang.get("/inbox").json["items"]]
    assert refused(desk.post(f"{path}/refuse", {})) == (409, "already_decided")
    second = ask(handler, ticket_id, wanted + timedelta(days=1)).json["extension_id"]
    assert desk.post(f"/extensions/{second}/refuse", {"note": "不同意"}).json["state"] == "refused"
    assert due_of(town, ticket_id) == wanted


def test_nobody_grants_herself_time(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = str(resident().report(town.a.estate_id, category="noise")["ticket_id"])
    desk = town.staff("community")
    desk.post(f"/tickets/{ticket_id}/accept")
    desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id})
    desk.post(f"/tickets/{ticket_id}/start")
    due = due_of(town, ticket_id)
    asked = ask(desk, ticket_id, due + timedelta(days=1)).json["extension_id"]
    assert desk.post(f"/extensions/{asked}/approve", {}).status_code == 403
    assert town.hire("community", town.a).post(f"/extensions/{asked}/approve", {}).status_code == 200


def test_after_the_breach_nothing_can_be_asked_for(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    ticket_id = in_work(resident(), town, urgent=True)
    now = later(hours=24, minutes=1)
    town.a.staff.clear()
    answer = ask(town.staff("property"), ticket_id, now + timedelta(days=1))
    assert refused(answer) == (409, "extension_too_late")


def test_a_request_lapses_when_the_ticket_is_handed_back(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = in_work(resident(), town)
    due = due_of(town, ticket_id)
    asked = ask(town.staff("property"), ticket_id, due + timedelta(days=1)).json["extension_id"]
    town.bring(ticket_id, "return")
    desk = town.staff("community")
    desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id})
    assert refused(desk.post(f"/extensions/{asked}/approve", {})) == (409, "already_decided")
    assert [x["state"] for x in desk.get(f"/tickets/{ticket_id}").json["extensions"]] == ["lapsed"]
    assert due_of(town, ticket_id) == due
    desk.post(f"/tickets/{ticket_id}/start")
    assert ask(desk, ticket_id, due + timedelta(days=1)).status_code == 201


def test_an_extension_of_another_community_is_not_there(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = in_work(resident(), town)
    asked = ask(town.staff("property"), ticket_id, due_of(town, ticket_id) + timedelta(days=1)).json
    for who in (town.staff("community", town.b), town.staff("property", town.b)):
        assert who.post(f"/extensions/{asked['extension_id']}/approve", {}).status_code in {403, 404}
    assert town.staff("community").get(f"/tickets/{ticket_id}").json["extensions"][0]["state"] == "pending"


# --- shared work ------------------------------------------------------------------------------------------


def test_an_assisting_unit_has_its_own_task_and_the_lead_waits_for_it(
    resident: Callable[..., Person], town: Town
) -> None:
    ticket_id = in_work(resident(), town)
    desk, lead, grid = town.staff("community"), town.staff("property"), town.staff("grid")
    assert (
        lead.post(f"/tickets/{ticket_id}/parts", {"org_id": town.a.desk_id, "task": "劝导"}).status_code
        == 403
    )
    called = desk.post(f"/tickets/{ticket_id}/parts", {"org_id": town.a.desk_id, "task": "劝导"})
    assert called.status_code == 201
    assert [(p["kind"], p["task"]) for p in called.json["parts"]] == [("lead", "主办"), ("assist", "劝导")]
    for wrong in (town.a.desk_id, town.a.property_id, town.b.property_id):
        answer = desk.post(f"/tickets/{ticket_id}/parts", {"org_id": wrong, "task": "x"})
        assert refused(answer) == (422, "unknown_org")
    assert refused(lead.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"})) == (409, "parts_open")
    done = {"org_id": town.a.desk_id, "note": "已劝导"}
    assert lead.post(f"/tickets/{ticket_id}/parts/done", done).status_code == 403
    assert grid.post(f"/tickets/{ticket_id}/parts/done", done).json["done_at"] is not None
    assert refused(grid.post(f"/tickets/{ticket_id}/parts/done", done)) == (409, "already_decided")
    assert lead.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"}).status_code == 200


def test_a_former_lead_keeps_nobody_waiting(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = in_work(resident(), town)
    desk = town.staff("community")
    desk.post(f"/tickets/{ticket_id}/parts", {"org_id": town.a.desk_id, "task": "劝导"})
    town.bring(ticket_id, "return")
    again = desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id}).json
    assert [(p["kind"], p["org_id"]) for p in again["parts"]] == [("lead", town.a.desk_id)]
    desk.post(f"/tickets/{ticket_id}/start")
    assert desk.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"}).status_code == 200


def test_the_desk_ends_the_part_of_a_unit_that_does_not_answer(
    resident: Callable[..., Person], town: Town
) -> None:
    ticket_id = str(resident().report(town.a.estate_id, category="noise")["ticket_id"])
    desk = town.staff("community")
    desk.post(f"/tickets/{ticket_id}/accept")
    desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id})
    desk.post(f"/tickets/{ticket_id}/start")
    desk.post(f"/tickets/{ticket_id}/parts", {"org_id": town.a.property_id, "task": "停工"})
    assert town.staff("property").get(f"/tickets/{ticket_id}").status_code == 200
    body = {"org_id": town.a.property_id, "note": "未回复，社区代为办理"}
    assert desk.post(f"/tickets/{ticket_id}/parts/done", body).status_code == 200
    assert desk.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"}).status_code == 200


# --- taking and handing back ------------------------------------------------------------------------------


def test_a_ticket_is_grabbed_once_and_given_to_a_colleague(
    resident: Callable[..., Person], town: Town
) -> None:
    ticket_id = str(resident().report(town.a.estate_id, category="noise")["ticket_id"])
    town.bring(ticket_id, "accept", "dispatch")
    one, other = town.staff("property"), town.hire("property", town.a)
    assert one.post(f"/tickets/{ticket_id}/grab").json["handler"] == one.get("/me").json["name"]
    assert refused(other.post(f"/tickets/{ticket_id}/grab")) == (409, "already_taken")
    colleague = other.get("/me").json
    given = one.post(f"/tickets/{ticket_id}/assign", {"staff_id": colleague["id"]})
    assert given.json["handler"] == colleague["name"]
    stranger = town.staff("property", town.b).get("/me").json["id"]
    assert refused(one.post(f"/tickets/{ticket_id}/assign", {"staff_id": stranger})) == (
        422,
        "unknown_handler",
    )


@pytest.mark.parametrize("again", ["property", "desk"])
def test_a_unit_hands_it_back_once_and_all_of_them_three_times(
    resident: Callable[..., Person], town: Town, again: str
) -> None:
    wang = resident()
    ticket_id = in_work(wang, town)
    desk = town.staff("community")
    body = {"reason": "不属于本单位"}
    assert town.staff("property").post(f"/tickets/{ticket_id}/return", body).status_code == 200
    desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id})
    assert desk.post(f"/tickets/{ticket_id}/return", body).status_code == 200
    org, who = {
        "property": (town.a.property_id, town.staff("property")),
        "desk": (town.a.desk_id, desk),
    }[again]
    desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": org})
    assert refused(who.post(f"/tickets/{ticket_id}/return", body)) == (409, "too_many_hops")
    assert who.get(f"/tickets/{ticket_id}").json["status"] == "dispatched"
    assert "不属于本单位" not in str(wang.ticket(ticket_id))
