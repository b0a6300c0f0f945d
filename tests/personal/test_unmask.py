"""Masked by default; in full only with a permission and a purpose, and every time is on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from app import ids
from app.ids import Kind
from app.people import unmasking
from tests.conftest import Caller, Person, Town
from tests.personal.conftest import mobile
from tests.registry.conftest import id_number


@pytest.fixture
def left(resident: Callable[..., Person], town: Town) -> tuple[str, str]:
    """A ticket with a phone left for it, and that phone."""
    number = mobile()
    return resident().report(town.a.estate_id, contact_phone=number)["ticket_id"], number


def ask(who: Caller, thing: str, *fields: str, purpose: str = "回访核实情况") -> Any:
    return who.post("/unmask", {"object": thing, "fields": list(fields), "purpose": purpose})


def test_a_phone_is_masked_until_somebody_says_what_for(
    town: Town, left: tuple[str, str], owner: psycopg.Connection[Any]
) -> None:
    desk, (ticket_id, number) = town.staff("community"), left
    assert number not in desk.get(f"/tickets/{ticket_id}").text
    for purpose in ("", "   ", "abc"):
        assert ask(desk, ticket_id, "contact_phone", purpose=purpose).status_code == 422
    without = desk.post("/unmask", {"object": ticket_id, "fields": ["contact_phone"]})
    assert (without.status_code, list(without.json["errors"])) == (422, ["purpose"])
    _, key = ids.decode_ref(Kind.TICKET, ticket_id)
    sql = "SELECT details FROM audit_log WHERE object_id = %s AND action LIKE '%%unmasked'"
    assert owner.execute(sql, (key,)).fetchall() == [], "nothing was shown, nothing is told"

    shown = ask(desk, ticket_id, "contact_phone")
    assert (shown.json["contact_phone"], shown.json["unmasked_today"]) == (number, 1)
    ((details,),) = owner.execute(sql, (key,)).fetchall()
    assert details == {"purpose": "回访核实情况"}
    assert ask(desk, ticket_id, "contact_phone").json["unmasked_today"] == 2


def test_what_a_thing_has_not_cannot_be_asked_of_it(town: Town, left: tuple[str, str]) -> None:
    desk = town.staff("community")
    for fields in (["id_number"], ["contact_phone", "name"], []):
        assert ask(desk, left[0], *fields).status_code == 422
    assert ask(desk, left[0], "id_number").json["code"] == "not_a_field"


def test_another_community_finds_nothing_to_unmask(town: Town, left: tuple[str, str]) -> None:
    assert ask(town.staff("community", town.b), left[0], "contact_phone").status_code == 404


def test_an_owner_is_masked_to_property_staff_and_shown_whole_to_the_desk_alone(town: Town) -> None:
    desk, keeper = town.staff("community"), town.staff("property")
    number, paper = mobile(), id_number(4711)
    made = desk.post(
        f"/estates/{town.a.estate_id}/houses",
        {"building": "1栋", "number": "101", "registered_area_centi": 9000,
         "owners": [{"name": "赵业主", "phone": number, "id_number": paper}]},
    )  # fmt: skip
    assert made.status_code == 201, made.text
    house_id = made.json["house_id"]
    for who in (desk, keeper):
        seen = who.get(f"/houses/{house_id}")
        assert seen.status_code == 200, seen.text
        assert number not in seen.text
        assert paper not in seen.text
    owner_id = desk.get(f"/houses/{house_id}").json["owners"][0]["owner_id"]
    assert ask(desk, owner_id, "phone", "id_number").json["phone"] == number
    assert ask(keeper, owner_id, "phone", "id_number").status_code in {403, 404}


def test_who_unmasks_very_often_is_shown_to_the_auditor(
    town: Town, left: tuple[str, str], owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unmasking, "MANY", 3)
    desk = town.staff("community")
    me = ids.decode_id(Kind.STAFF, desk.get("/me").json["id"])
    for _ in range(4):
        assert ask(desk, left[0], "contact_phone").status_code == 200
    rows = owner.execute(
        "SELECT details->>'times' FROM audit_log WHERE action = 'unmask.many' AND actor_id = %s", (me,)
    ).fetchall()
    assert rows == [("3",)]


def test_what_lies_further_back_is_not_counted(
    town: Town, left: tuple[str, str], later: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unmasking, "WITHIN", timedelta(hours=1))  # a login doesn't last a day
    desk = town.hire("community", town.a)
    assert ask(desk, left[0], "contact_phone").json["unmasked_today"] == 1
    assert ask(desk, left[0], "contact_phone").json["unmasked_today"] == 2
    later(hours=2)
    assert ask(desk, left[0], "contact_phone").json["unmasked_today"] == 1
