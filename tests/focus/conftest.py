"""People in focus groups: a group by consent, one by statute, and houses with somebody in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.places import queries as places
from app.places import registry
from app.places.identity import Party
from app.places.registry_models import House
from tests.conftest import Caller, Town

_doors = itertools.count(101)


@dataclass
class Groups:
    """Two focus groups of the test's own, and what a clerk of community a does with them."""

    town: Town
    consented: str
    statutory: str
    name: str

    @property
    def desk(self) -> Caller:
        return self.town.staff("community")

    def door(self, *owners: Party, building: str = "1栋", estate: Ref | None = None) -> House:
        """A house of the first estate of community a, or of another one."""
        with db.transaction():
            return registry.add_house(
                estate=estate or self.town.a.estate,
                building=building,
                number=str(next(_doors)),
                owners=owners,
                acting_user=SYSTEM,
            )

    def body(self, house: House, *, kind: str | None = None, **more: Any) -> dict[str, Any]:
        """What lists a dweller of this house in the group by consent."""
        consent = {"paper": "同意书2026-01", "given_on": places.today().isoformat()}
        named = {} if "owner_id" in more else {"name": "李奶奶", "phone": "13900001111"}
        given = {"consent": consent} if kind is None else {}
        return {"house_id": wire(house), "kind": kind or self.consented, **named, **given, **more}

    def tag(self, house: House, *, by: Caller | None = None, **more: Any) -> dict[str, Any]:
        answer = (by or self.desk).post("/focus-persons", self.body(house, **more))
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def listed(self, by: Caller | None = None, **query: Any) -> list[str]:
        """The ids of those somebody sees listed."""
        answer = (by or self.desk).get("/focus-persons", query_string={"purpose": "visit"} | query)
        assert answer.status_code == 200, answer.text
        return [row["person_id"] for row in answer.get_json()["items"]]


def wire(house: House) -> str:
    return ids.encode(Kind.HOUSE, Ref(house.community_id, house.id))


def building_of(house: House) -> str:
    """The id of its building."""
    assert house.building_id is not None
    return ids.encode(Kind.BUILDING, Ref(house.community_id, house.building_id))


@pytest.fixture
def groups(town: Town) -> Groups:
    """A group by consent and one by statute, of this test alone: the list serves all towns."""
    street, tail = town.staff("street"), uuid4().hex[:8]
    made = Groups(town, f"alone_{tail}", f"low_income_{tail}", f"独居{tail}")
    for body in (
        {"code": made.consented, "name": made.name, "basis": "consent"},
        {
            "code": made.statutory,
            "name": f"低保{tail}",
            "basis": "statute",
            "duty": "社会救助暂行办法 第九条",
        },
    ):
        answer = street.post("/focus-groups", body)
        assert answer.status_code == 201, answer.text
    return made


@pytest.fixture
def audited(owner: psycopg.Connection[Any]) -> Callable[..., list[dict[str, Any]]]:
    """`audited(community, "focus.seen", person_id)`: the details of those audit rows."""

    def rows(community: int, action: str, person: str | None = None) -> list[dict[str, Any]]:
        found = owner.execute(
            "SELECT object_id, details FROM audit_log WHERE community_id = %s AND action = %s ORDER BY at, id",
            (community, action),
        ).fetchall()
        wanted = ids.decode_ref(Kind.FOCUS_PERSON, person).id if person else None
        return [details for object_id, details in found if object_id == wanted]

    return rows


def day(offset: int = 0) -> str:
    return date.fromordinal(places.today().toordinal() + offset).isoformat()
