"""派单 with 协办: units that assist are called in by the dispatch itself, all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Person, Town


def accepted(who: Person, town: Town) -> str:
    ticket_id = str(who.report(town.a.estate_id, category="noise")["ticket_id"])
    town.bring(ticket_id, "accept")
    return ticket_id


def lines(ticket: Any) -> list[tuple[str, str, str]]:
    return sorted((p["kind"], p["org_id"], p["task"]) for p in ticket["parts"])


def test_the_dispatch_calls_assisting_units_in_and_tells_them(
    resident: Callable[..., Person], town: Town
) -> None:
    ticket_id, desk, grid = accepted(resident(), town), town.staff("community"), town.staff("grid")
    company = town.staff("property")
    body = {"org_id": town.a.property_id, "co_orgs": [town.a.desk_id], "note": "请劝导住户"}
    sent = desk.post(f"/tickets/{ticket_id}/dispatch", body)
    assert sent.status_code == 200, sent.text
    assert lines(sent.json) == [
        ("assist", town.a.desk_id, "请劝导住户"),
        ("lead", town.a.property_id, "主办"),
    ]
    assert [e["kind"] for e in sent.json["timeline"]][-3:] == ["dispatch", "part", "comment"]
    told = [n["kind"] for n in grid.get("/inbox").json["items"]]
    assert told == ["part"]
    assert [n["kind"] for n in company.get("/inbox").json["items"]] == ["dispatched"]
    town.bring(ticket_id, "start")
    early = company.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"})
    assert early.json["code"] == "parts_open"


def test_without_a_note_the_task_is_to_assist(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = accepted(resident(), town)
    body = {"org_id": town.a.property_id, "co_orgs": [town.a.desk_id]}
    sent = town.staff("community").post(f"/tickets/{ticket_id}/dispatch", body).json
    assert ("assist", town.a.desk_id, "协助办理") in lines(sent)


@pytest.mark.parametrize("case", ["unknown", "twice", "lead"])
def test_one_wrong_unit_and_nothing_is_dispatched(
    resident: Callable[..., Person], town: Town, case: str
) -> None:
    ticket_id, desk = accepted(resident(), town), town.staff("community")
    wrong = {"unknown": town.b.property_id, "twice": town.a.desk_id, "lead": town.a.property_id}[case]
    body = {"org_id": town.a.property_id, "co_orgs": [town.a.desk_id, wrong]}
    refused = desk.post(f"/tickets/{ticket_id}/dispatch", body)
    assert (refused.status_code, refused.json["code"]) == (422, "unknown_org"), refused.text
    assert list(refused.json["errors"]) == ["co_orgs.1"]
    now = desk.get(f"/tickets/{ticket_id}").json
    assert (now["status"], now["parts"]) == ("accepted", [])
    assert town.staff("grid").get("/inbox").json["items"] == []


def test_who_led_before_may_assist_the_next(resident: Callable[..., Person], town: Town) -> None:
    ticket_id, desk = accepted(resident(), town), town.staff("community")
    first = {"org_id": town.a.property_id, "co_orgs": [town.a.desk_id]}
    assert desk.post(f"/tickets/{ticket_id}/dispatch", first).status_code == 200
    town.bring(ticket_id, "return")
    again = desk.post(
        f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id, "co_orgs": [town.a.property_id]}
    )
    assert again.status_code == 200, again.text
    assert [(kind, org) for kind, org, _ in lines(again.json)] == [
        ("assist", town.a.property_id),
        ("lead", town.a.desk_id),
    ]
