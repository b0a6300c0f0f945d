"""A community with a thing of every kind, and a resident who lives there."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from app.ids import Kind
from tests.conftest import House, Person, Town
from tests.contract.asking import Asker
from tests.structure.test_permission_matrix import Home, build_home


def _log_in(house: House) -> Person:
    name = f"{uuid4().hex[:12]}"
    client = house.app.test_client()
    answer = client.post("/bff/v1/session", json={"code": f"demo-{name}"})
    assert answer.status_code == 201, answer.text
    return Person(name, answer.get_json(), client)


@pytest.fixture(scope="session")
def asker(house: House, make_town: Callable[[], Town]) -> Asker:
    """Asks any operation of any face as somebody who may."""
    town = make_town()
    home = build_home(house, town, town.a, whole=True)
    return Asker(house, home, lambda: _log_in(house), _settle(_log_in(house), home))


def _settle(wang: Person, home: Home) -> Person:
    """She has a house, a report that is open and one that was answered."""
    claim = {"house_id": home.things[Kind.HOUSE, "other"], "relation": "owner", "name": "张三"}
    made = wang.post("/memberships", claim)
    assert made.status_code in {201, 202}, made.text
    desk = home.town.staff("community", home.where)
    home.things[Kind.MEMBERSHIP, "hers"] = membership = made.get_json()["membership_id"]
    approved = desk.post(f"/memberships/{membership}/approve", {"owner_id": home.things[Kind.OWNER, "other"]})
    assert approved.status_code == 200, approved.text
    for key in ("hers", "hers and closed"):
        home.things[Kind.TICKET, key] = wang.report(home.where.estate_id, category="noise")["ticket_id"]
    home.town.bring(
        home.things[Kind.TICKET, "hers and closed"],
        "accept",
        "dispatch",
        "start",
        "resolve",
        "verify",
        "close",
    )
    return wang
