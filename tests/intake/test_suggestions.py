"""What staff are shown as likely duplicates; nothing is merged by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

from app.places.coordinates import to_gcj02
from tests.conftest import Caller, Person, Town
from tests.intake.conftest import Machine
from workers import jobs


def _at(town: Town, east_m: float = 0.0) -> dict[str, Any]:
    there = to_gcj02(town.a.centre)
    return {"lng": there.lng + east_m / 98_000, "lat": there.lat, "crs": "gcj02"}


def _suggested(staff: Caller, ticket_id: str) -> list[dict[str, Any]]:
    answer = staff.get(f"/tickets/{ticket_id}/suggestions")
    assert answer.status_code == 200, answer.text
    return list(answer.json or [])


def test_a_hotline_report_finds_what_a_resident_reported_before(
    machine: Machine, town: Town, resident: Callable[..., Person]
) -> None:
    wang = resident("wang")
    before, *_ = [
        wang.report(
            town.a.estate_id,
            text=text,
            category=category,
            location=_at(town, east_m),
            photo_ids=[wang.photo()],
        )
        for text, category, east_m in (
            ("3号楼2单元门口下水道盖子烂了", "water", 12),
            ("5栋2单元污水井盖破损", "water", 90),
            ("3栋2单元楼道灯不亮", "lighting", 5),
        )
    ]
    handed = machine.report(
        text="市民来电反映：3栋2单元楼下的污水井盖破损", category="water", location=_at(town), urgent=True
    )
    found = _suggested(town.staff("community"), handed.json["ticket_id"])
    assert [s["ticket_id"] for s in found] == [before["ticket_id"]]
    only = found[0]
    assert only.keys() == {"ticket_id", "number", "score", "why", "status"}
    assert (only["number"], only["status"]) == (before["number"], "received")
    assert 0.6 <= only["score"] <= 1
    assert only["why"]["class"] == "same"
    assert only["why"]["agree"] == ["building", "unit"]
    assert 5 <= only["why"]["distance_m"] <= 20
    assert [t["status"] for t in machine.tickets()] == ["received"] * 4


def test_the_same_phone_is_a_reason(machine: Machine, town: Town) -> None:
    desk = town.staff("community")
    body = {
        "channel": "phone",
        "estate_id": town.a.estate_id,
        "text": "电梯坏了",
        "reporter": {"phone": "13800138000"},
    }
    first = desk.post("/tickets", body).json
    handed = machine.report(estate_id=town.a.estate_id, text="电梯坏了", reporter={"phone": "138 0013 8000"})
    found = _suggested(desk, handed.json["ticket_id"])
    assert [(s["ticket_id"], s["why"]["same_phone"]) for s in found] == [(first["ticket_id"], True)]
    assert "13800138000" not in str(found)


def test_an_ended_ticket_or_one_of_another_time_or_community_is_no_duplicate(
    machine: Machine, town: Town, later: Callable[..., datetime]
) -> None:
    text = "3栋2单元楼下的污水井盖破损"
    machine.report(estate_id=town.a.estate_id, text=text)
    later(days=20)
    town.a.staff.clear()  # who logged in three weeks ago logs in again
    gone = machine.report(estate_id=town.a.estate_id, text=text).json["ticket_id"]
    town.bring(gone, "accept", "reject")
    machine.report(estate_id=town.b.estate_id, text=text)
    handed = machine.report(estate_id=town.a.estate_id, text=text).json["ticket_id"]
    assert _suggested(town.staff("street"), handed) == []


def test_suggestions_stay_inside_the_asker_s_reach(machine: Machine, town: Town) -> None:
    text = "3栋2单元楼下的污水井盖破损"
    first = machine.report(estate_id=town.a.estate_id, text=text).json["ticket_id"]
    second = machine.report(estate_id=town.a.estate_id, text=text).json["ticket_id"]
    assert len(_suggested(town.staff("community"), first)) == 1
    other = town.staff("community", town.b)
    assert other.get(f"/tickets/{first}/suggestions").status_code == 404
    town.bring(second, "accept", "dispatch")
    # The property company sees what it was given, and nothing of what it wasn't.
    keeper = town.staff("property")
    assert _suggested(keeper, second) == []
    assert keeper.get(f"/tickets/{first}/suggestions").status_code == 404


def _stored(owner: psycopg.Connection[Any], town: Town) -> int:
    row = owner.execute(
        "SELECT count(*) FROM ticket_matches WHERE community_id = %s", (town.a.id,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_on_arrival_and_every_day_the_best_are_stored_and_an_ended_ticket_keeps_none(
    machine: Machine,
    town: Town,
    work: Callable[..., int],
    resident: Callable[..., Person],
    later: Callable[..., datetime],
    owner: psycopg.Connection[Any],
) -> None:
    text = "6栋1单元电梯停运，18楼老人下不来"
    handed = machine.report(estate_id=town.a.estate_id, text=text, category="elevator").json["ticket_id"]
    work()
    assert _stored(owner, town) == 0
    resident("li").report(town.a.estate_id, text="6号楼1单元电梯又坏了，爬了18楼", category="elevator")
    later(hours=20)
    jobs.match_open()
    work()
    assert _stored(owner, town) == 1
    jobs.match_open()
    work()
    assert _stored(owner, town) == 1
    again = machine.report(estate_id=town.a.estate_id, text=text, category="elevator").json["ticket_id"]
    work()
    assert _stored(owner, town) == 3
    town.bring(handed, "accept", "reject")
    town.bring(again, "accept", "reject")
    later(days=1)
    jobs.match_open()
    work()
    assert _stored(owner, town) == 0
