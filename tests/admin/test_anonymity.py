"""An anonymous reporter is unknown to the property company and to neighbours, wherever they look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest

from app import ids
from app.ids import Kind
from tests.conftest import Person, Town, camera

NICKNAME = "住五楼的老王"


def named(person: Person) -> tuple[Person, str]:
    """Give her a nickname and a bound phone; the phone."""
    number = "137" + str(uuid4().int)[:8]
    assert person.post("/session/phone", {"code": f"phone-{number}"}).status_code == 200
    tag = person.get("/me").headers["ETag"]
    assert person.patch("/me", {"nickname": NICKNAME}, headers={"If-Match": tag}).status_code == 200
    return person, number


def reported(wang: Person, town: Town, contact: str, *, anonymous: bool) -> str:
    photo = wang.photo(camera())
    opened = wang.report(
        town.a.estate_id, category="noise", photo_ids=[photo], anonymous=anonymous, contact_phone=contact
    )
    ticket_id = str(opened["ticket_id"])
    town.bring(ticket_id, "accept", "dispatch")
    assert wang.post(f"/tickets/{ticket_id}/comments", {"text": "晚上更吵"}).status_code == 200
    return ticket_id


def test_property_staff_learn_nothing_of_an_anonymous_reporter(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, bound = named(resident())
    wang.consent()
    contact = "136" + str(uuid4().int)[:8]
    ticket_id = reported(wang, town, contact, anonymous=True)
    handler = town.staff("property")

    detail = handler.get(f"/tickets/{ticket_id}")
    assert detail.json["reporter"] == {"anonymous": True, "name": None, "phone_masked": None}
    assert detail.json["photos"][0]["position"] is None
    comment = next(e for e in detail.json["timeline"] if e["kind"] == "comment")
    assert (comment["actor"], comment["text"]) == ("匿名居民", "晚上更吵")

    masked = handler.post(
        "/unmask", {"object": ticket_id, "fields": ["contact_phone"], "purpose": "上门前联系"}
    )
    assert (masked.status_code, masked.json["code"]) == (403, "permission_missing")

    moved = handler.post(f"/tickets/{ticket_id}/start")
    said = handler.post(f"/tickets/{ticket_id}/comment", {"text": "今晚去看", "visibility": "reporter"})
    listed = handler.get("/tickets")
    assert [t["ticket_id"] for t in listed.json["items"]] == [ticket_id]
    for secret in (NICKNAME, bound, contact, wang.session["resident"]["id"], str(wang.id)):
        assert handler.get("/tickets", query_string={"q": secret[:40]}).json["items"] == []
    shown = [detail, masked, moved, said, listed, handler.get(f"/tickets/{ticket_id}")]
    secrets = [
        NICKNAME,
        bound,
        contact,
        bound[-4:],
        contact[-4:],
        wang.session["resident"]["id"],
        str(wang.id),
    ]
    for answer in shown:
        for secret in secrets:
            # Four digits may stand in a time or an id by chance: as a masked number they can't.
            assert (f"****{secret}" if len(secret) == 4 else secret) not in answer.text


def test_street_community_and_grid_know_who_it_was(resident: Callable[..., Person], town: Town) -> None:
    wang, _ = named(resident())
    contact = "136" + str(uuid4().int)[:8]
    ticket_id = reported(wang, town, contact, anonymous=True)
    for role in ("street", "community", "grid"):
        seen = town.staff(role).get(f"/tickets/{ticket_id}")
        assert seen.json["reporter"] == {
            "anonymous": True,
            "name": NICKNAME,
            "phone_masked": f"{contact[:3]}****{contact[-4:]}",
        }
        assert contact not in seen.text


def test_property_staff_know_a_reporter_who_did_not_ask_to_be_hidden(
    resident: Callable[..., Person], town: Town
) -> None:
    # Or the test above would pass with everybody hidden.
    wang, _ = named(resident())
    contact = "136" + str(uuid4().int)[:8]
    ticket_id = reported(wang, town, contact, anonymous=False)
    handler = town.staff("property")
    seen = handler.get(f"/tickets/{ticket_id}").json
    assert seen["reporter"]["name"] == NICKNAME
    body = {"object": ticket_id, "fields": ["contact_phone"], "purpose": "上门前联系"}
    assert handler.post("/unmask", body).json["contact_phone"] == contact


def test_an_intake_may_be_anonymous_too(town: Town) -> None:
    desk, handler = town.staff("community"), town.staff("property")
    body = {
        "channel": "phone",
        "estate_id": town.a.estate_id,
        "category": "noise",
        "text": "楼上装修",
        "anonymous": True,
        "reporter": {"name": "赵女士", "phone": "13512345678"},
    }
    taken = desk.post("/tickets", body)
    assert taken.status_code == 201, taken.text
    ticket_id = taken.json["ticket_id"]
    assert taken.headers["Location"].endswith(f"/admin/api/v1/tickets/{ticket_id}")
    assert taken.json["reporter"] == {"anonymous": True, "name": "赵女士", "phone_masked": "135****5678"}
    town.bring(ticket_id, "accept", "dispatch")
    assert "赵女士" not in handler.get(f"/tickets/{ticket_id}").text
    assert "5678" not in str(handler.get(f"/tickets/{ticket_id}").json["reporter"])


def test_neighbours_find_nothing(resident: Callable[..., Person], town: Town) -> None:
    wang, li = resident(), resident()
    ticket_id = reported(wang, town, "13612345678", anonymous=True)
    li.report(town.a.estate_id)
    assert li.get(f"/tickets/{ticket_id}").status_code == 404
    for path in ("/tickets", "/home", "/inbox", f"/tickets?status={quote('dispatched')}"):
        assert ticket_id not in li.get(path).text


def test_the_whole_phone_is_shown_for_a_stated_purpose_and_that_is_recorded(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    ticket_id = resident().report(town.a.estate_id, contact_phone="13612345678")["ticket_id"]
    desk = town.staff("community")
    body = {"object": ticket_id, "fields": ["contact_phone"]}
    for wrong in ({}, {"purpose": ""}, {"purpose": "  a  "}, {"purpose": "上门前联系", "fields": ["name"]}):
        assert desk.post("/unmask", body | wrong).status_code == 422
    assert (
        town.staff("community", town.b).post("/unmask", body | {"purpose": "上门前联系"}).status_code == 404
    )
    assert desk.post("/unmask", body | {"purpose": "上门前联系"}).json["contact_phone"] == "13612345678"
    _, key = ids.decode_ref(Kind.TICKET, ticket_id)
    rows = owner.execute(
        "SELECT actor_kind, actor_id, details FROM audit_log WHERE community_id = %s AND object_id = %s"
        " AND action = 'ticket.phone_unmasked'",
        (town.a.id, key),
    ).fetchall()
    mine = ids.decode_id(Kind.STAFF, desk.get("/me").json["id"])
    assert rows == [("staff", mine, {"purpose": "上门前联系"})]


@pytest.mark.parametrize("role", ["street", "community", "grid", "property"])
def test_no_list_or_page_shows_a_whole_phone(resident: Callable[..., Person], town: Town, role: str) -> None:
    contact = "136" + str(uuid4().int)[:8]
    ticket_id = reported(resident(), town, contact, anonymous=False)
    who = town.staff(role)
    assert contact not in who.get(f"/tickets/{ticket_id}").text
    assert contact not in who.get("/tickets").text
