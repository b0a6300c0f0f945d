"""A citizen who asks another system for secrecy gets it here too (GB/T 33358): as a resident's anonymous report."""

from __future__ import annotations

from typing import Any

import pytest

from tests.intake.conftest import Machine

SAID: dict[str, Any] = {"reporter": {"name": "王女士", "phone": "13800138000"}, "category": "noise"}


def test_the_property_company_learns_nothing_of_who_asked_for_secrecy(machine: Machine, number: str) -> None:
    town = machine.town
    handed = machine.report(external_number=number, estate_id=town.a.estate_id, anonymous=True, **SAID)
    assert handed.status_code == 201, handed.text
    ticket_id = handed.json["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch")
    seen = town.staff("property").get(f"/tickets/{ticket_id}")
    assert seen.json["reporter"] == {"anonymous": True, "name": None, "phone_masked": None}
    assert "王女士" not in seen.text
    asked = {"object": ticket_id, "fields": ["contact_phone"], "purpose": "上门前联系"}
    refused = town.staff("property").post("/unmask", asked)
    assert (refused.status_code, refused.json["code"]) == (403, "permission_missing")


def test_secrecy_is_part_of_what_was_handed_in(machine: Machine, number: str) -> None:
    first = machine.report(external_number=number, anonymous=False)
    assert first.status_code == 201
    assert machine.report(external_number=number).status_code == 200
    other = machine.report(external_number=number, anonymous=True)
    assert (other.status_code, other.json["code"]) == (409, "number_reused")


@pytest.mark.parametrize("wrong", ["maybe", None, 7])
def test_secrecy_is_yes_or_no(machine: Machine, wrong: object) -> None:
    assert machine.report(anonymous=wrong).status_code == 422
