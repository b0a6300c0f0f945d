"""What a page offers is what would be done, and what was seen before somebody else acted is not acted upon."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app import clock, ids
from app.ids import Kind
from tests.conftest import House, Person, Town


def reported(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"])


def test_every_move_refuses_a_version_that_is_no_longer_the_tickets(
    house: House, resident: Callable[..., Person], town: Town
) -> None:
    wang, li = resident(), resident()
    # Of a class that others may join, or there would be nothing there for them.
    ticket_id, other = reported(wang, town, category="property"), reported(wang, town)
    desk, unit = town.staff("community"), town.staff("property")
    stale = {"If-Match": desk.get(f"/tickets/{ticket_id}").headers["ETag"]}
    town.bring(ticket_id, "accept", "dispatch", "start")
    until = (clock.now() + timedelta(days=20)).isoformat()
    extension = unit.post(f"/tickets/{ticket_id}/extensions", {"until": until, "reason": "x"}).json
    assert (
        desk.post(f"/tickets/{ticket_id}/parts", {"org_id": town.a.desk_id, "task": "封路"}).status_code
        == 201
    )
    reason, stars = {"reason": "x"}, {"stars": 5, "solved": True}
    staff_moves: dict[str, Any] = {
        "accept": None,
        "reject": reason,
        "category": {"category": "dogs"},
        "dispatch": {"org_id": town.a.property_id},
        "grab": None,
        "assign": {"staff_id": unit.get("/me").json["id"]},
        "rotate": reason,
        "start": None,
        "return": reason,
        "suspend": reason,
        "resume": None,
        "extensions": {"until": until} | reason,
        "parts": {"org_id": town.a.property_id, "task": "x"},
        "parts/done": {"org_id": town.a.desk_id, "note": "x"},
        "meetings": {"held_at": clock.rfc3339(clock.now()), "orgs": [town.a.property_id], "plan": "x"},
        "resolve": {"note": "x"},
        "verify": {"passed": True},
        "close": None,
        "reopen": reason,
        "comment": {"text": "x"},
        "supervise": {"note": "x"},
        "callback": stars,
        "exclude": reason,
        "merge": {"into": other},
        "unmerge": None,
        "refer": {"community_id": ids.encode(Kind.COMMUNITY, UUID(int=town.b.id))} | reason,
    }
    own_moves: dict[str, Any] = {
        "comments": {"text": "x"},
        "withdraw": None,
        "rating": stars,
        "reopen": reason,
        "urge": None,
    }
    by_unit = {"grab", "assign", "rotate", "start", "return", "suspend", "resume", "extensions", "resolve"}
    calls = [
        (unit if move in by_unit else desk, f"/admin/api/v1/tickets/<ref(tkt):ref>/{move}", body)
        for move, body in staff_moves.items()
    ]
    calls += [(wang, f"/bff/v1/tickets/<ref(tkt):ref>/{move}", body) for move, body in own_moves.items()]
    calls += [(li, "/bff/v1/tickets/<ref(tkt):ref>/join", None)]
    calls += [
        (desk, f"/admin/api/v1/extensions/<ref(ext):ref>/{answer}", {}) for answer in ("approve", "refuse")
    ]
    # A move that is added belongs into this list.
    assert {path for _, path, _ in calls} == {
        rule.rule
        for rule in house.app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and ("<ref(tkt):ref>" in rule.rule or "<ref(ext):ref>" in rule.rule)
    }
    before = desk.get(f"/tickets/{ticket_id}").json["timeline"]
    for who, path, body in calls:
        named = path.replace("<ref(tkt):ref>", ticket_id).replace("<ref(ext):ref>", extension["extension_id"])
        face = "/admin/api/v1" if named.startswith("/admin") else "/bff/v1"
        answer = who.post(named.removeprefix(face), body, headers=stale)
        assert (answer.status_code, answer.json["code"]) == (412, "stale_version"), (named, answer.text)
    assert desk.get(f"/tickets/{ticket_id}").json["timeline"] == before
    fresh = {"If-Match": desk.get(f"/tickets/{ticket_id}").headers["ETag"]}
    path = f"/extensions/{extension['extension_id']}/approve"
    assert desk.post(path, {}, headers=fresh).status_code == 200


def test_a_pause_is_offered_only_where_it_would_be_given(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    urgent, ordinary = reported(resident(), town, urgent=True), reported(resident(), town)
    for ticket_id in (urgent, ordinary):
        town.bring(ticket_id, "accept", "dispatch", "start")

    def moves(ticket_id: str) -> set[str]:
        return set(town.staff("property").get(f"/tickets/{ticket_id}").json["moves"])

    assert "suspend" not in moves(urgent)
    assert moves(ordinary) >= {"suspend", "ask_extension"}
    later(days=20)
    town.a.staff.clear()
    assert not moves(ordinary) & {"suspend", "ask_extension"}


def test_handing_back_is_offered_to_each_unit_once(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = reported(resident(), town)
    town.bring(ticket_id, "accept", "dispatch")
    unit = town.staff("property")
    assert "return" in unit.get(f"/tickets/{ticket_id}").json["moves"]
    town.bring(ticket_id, "return", "dispatch")
    assert "return" not in unit.get(f"/tickets/{ticket_id}").json["moves"]
    town.bring(ticket_id, "start", "resolve", "verify", "close", "reopen", "dispatch")
    assert "return" in unit.get(f"/tickets/{ticket_id}").json["moves"]


def test_a_resident_is_told_only_of_what_a_reporter_may_do(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = reported(wang, town)
    town.bring(ticket_id, "accept", "dispatch", "start")
    answer = wang.post(f"/tickets/{ticket_id}/withdraw")
    assert (answer.status_code, answer.json["code"]) == (409, "illegal_move")
    assert sorted(answer.json["allowed"]) == ["comment", "urge"]
