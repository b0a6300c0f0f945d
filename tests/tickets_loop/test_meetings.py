"""Coordination meetings: what was agreed is noted, units are called in, and no limit is moved by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg

from app import clock, db, ids
from app.audit import SYSTEM
from app.ids import Kind
from app.places import service as places
from app.places.models import OrgKind
from tests.conftest import Person, Town


def department(town: Town, name: str) -> str:
    """A department of the street: it may be given work in all its communities."""
    with db.transaction():
        org = places.add_org(kind=OrgKind.DEPARTMENT, name=name, region_id=town.street, acting_user=SYSTEM)
        return ids.encode(Kind.ORG, org.id)


def in_work(who: Person, town: Town) -> str:
    ticket_id = str(who.report(town.a.estate_id, category="noise")["ticket_id"])
    town.bring(ticket_id, "accept", "dispatch", "start")
    return ticket_id


def notes(town: Town, *orgs: str, **more: Any) -> dict[str, Any]:
    return {
        "held_at": clock.rfc3339(clock.now()),
        "orgs": [town.a.property_id, *orgs],
        "plan": "物业停工，城管清运",
    } | more


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def test_a_meeting_is_noted_and_calls_the_assisting_units_in(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    wang, desk = resident(), town.staff("community")
    city, water = department(town, "城管所"), department(town, "水务所")
    ticket_id = in_work(wang, town)
    desk.post(f"/tickets/{ticket_id}/parts", {"org_id": water, "task": "查水管"})
    due = datetime.fromisoformat(wang.ticket(ticket_id)["promised"]["close_by"])
    deadline = clock.rfc3339(due - timedelta(hours=2))
    body = notes(town, city, water, city, deadline=deadline)
    made = desk.post(f"/tickets/{ticket_id}/meetings", body)
    assert made.status_code == 201, made.text
    assert made.headers["Location"].endswith(f"/tickets/{ticket_id}")
    seen = desk.get(f"/tickets/{ticket_id}").json
    assert {(p["org"], p["kind"]) for p in seen["parts"]} == {
        ("城管所", "assist"),
        ("水务所", "assist"),
        (seen["org"], "lead"),
    }
    assert [p["task"] for p in seen["parts"] if p["org"] == "水务所"] == ["查水管"]
    event = seen["timeline"][-1]
    assert (event["kind"], event["visibility"], event["text"]) == ("meeting", "internal", body["plan"])
    assert event["data"]["lead"] == {"org_id": town.a.property_id, "name": seen["org"]}
    assert [org["name"] for org in event["data"]["orgs"]] == [seen["org"], "城管所", "水务所"]
    assert datetime.fromisoformat(event["data"]["deadline"]) == datetime.fromisoformat(deadline)
    # The words are sealed, the limit stays, the resident reads nothing of it.
    ref = ids.decode_ref(Kind.TICKET, ticket_id)
    row = owner.execute(
        "SELECT data::text, words_sealed FROM ticket_events WHERE community_id = %s AND ticket_id = %s"
        " AND kind = 'meeting'",
        tuple(ref),
    ).fetchone()
    assert row is not None
    assert "清运" not in row[0]
    assert b"\xe6\xb8\x85\xe8\xbf\x90" not in row[1]
    assert datetime.fromisoformat(seen["clock"]["due_at"]) == due
    assert body["plan"] not in str(wang.ticket(ticket_id))
    # Those who were called in are told, and the lead can't finish before them.
    assert "meeting" in [n["kind"] for n in town.staff("property").get("/inbox").json["items"]]
    done = town.staff("property").post(f"/tickets/{ticket_id}/resolve", {"note": "已处理"})
    assert refused(done) == (409, "parts_open")


def test_a_meeting_neither_moves_the_limit_nor_the_ticket(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    city = department(town, "城管所")
    ticket_id = in_work(wang, town)
    due = datetime.fromisoformat(wang.ticket(ticket_id)["promised"]["close_by"])
    now, path = clock.now(), f"/tickets/{ticket_id}/meetings"
    late = desk.post(path, notes(town, deadline=clock.rfc3339(due + timedelta(seconds=1))))
    assert refused(late) == (409, "extension_needed")
    assert datetime.fromisoformat(late.json["due_at"]) == due
    assert refused(desk.post(path, notes(town, city, lead_org_id=city))) == (409, "lead_elsewhere")
    for wrong in (
        {"deadline": clock.rfc3339(now - timedelta(minutes=1))},
        {"held_at": clock.rfc3339(now + timedelta(hours=1))},
        {"held_at": clock.rfc3339(now - timedelta(days=400))},
        {"orgs": [town.b.property_id]},
    ):
        assert refused(desk.post(path, notes(town) | wrong)) == (422, "bad_meeting"), wrong
    unreadable: list[dict[str, Any]] = [{"orgs": []}, {"plan": ""}, {"held_at": "gestern"}]
    for body in unreadable:
        assert desk.post(path, notes(town) | body).status_code == 422
    seen = desk.get(f"/tickets/{ticket_id}").json
    assert [e["kind"] for e in seen["timeline"]][-1] == "start"
    assert seen["parts"] == []
    for role in ("property", "grid"):
        assert refused(town.staff(role).post(path, notes(town))) == (403, "permission_missing")
    assert town.staff("community", town.b).post(path, notes(town)).status_code == 404


def test_of_a_returned_ticket_another_unit_may_lead_and_has_it_once_it_is_sent_there(
    resident: Callable[..., Person], town: Town
) -> None:
    desk = town.staff("community")
    city = department(town, "城管所")
    ticket_id = in_work(resident(), town)
    town.bring(ticket_id, "return")
    made = desk.post(f"/tickets/{ticket_id}/meetings", notes(town, city, lead_org_id=city))
    assert (made.status_code, made.json["status"]) == (201, "returned")
    sent = desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": city}).json
    assert {(p["org"], p["kind"]) for p in sent["parts"]} == {
        ("城管所", "lead"),
        (sent["timeline"][-2]["data"]["orgs"][1]["name"], "assist"),
    }
    assert town.staff("property").get(f"/tickets/{ticket_id}").status_code == 200


def test_a_meeting_needs_a_ticket_that_somebody_was_sent_to(
    resident: Callable[..., Person], town: Town
) -> None:
    desk = town.staff("community")
    ticket_id = str(resident().report(town.a.estate_id, category="noise")["ticket_id"])
    for move in ("accept", "reject"):
        answer = desk.post(f"/tickets/{ticket_id}/meetings", notes(town))
        assert refused(answer) == (409, "illegal_move")
        town.bring(ticket_id, move)
    assert refused(desk.post(f"/tickets/{ticket_id}/meetings", notes(town))) == (409, "illegal_move")
