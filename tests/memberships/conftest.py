"""Houses with owners, residents with phones, and what a test asks of memberships."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.places import registry
from app.places.identity import Party
from tests.conftest import Caller, House, Person, Town
from tests.registry.conftest import id_number

_PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


@dataclass
class Estate:
    """The first estate of community a, its desk, and people who live there."""

    house: House
    town: Town
    desk: Caller
    log_in: Callable[..., Person]

    def flat(self, number: str, *owners: Party, **more: Any) -> str:
        """A house with these owners; its id."""
        with db.transaction():
            made = registry.add_house(
                estate=more.pop("estate", self.town.a.estate),
                building=more.pop("building", "1栋"),
                number=number,
                registered_centi=9000,
                owners=owners,
                acting_user=SYSTEM,
                **more,
            )
        return ids.encode(Kind.HOUSE, Ref(made.community_id, made.id))

    def person(self, phone: str | None = None) -> Person:
        """A resident; with a phone, WeChat has verified it."""
        who = self.log_in()
        if phone is not None:
            self.verify(who, phone)
        return who

    def verify(self, who: Person, phone: str) -> None:
        """She taps getPhoneNumber in WeChat."""
        code = self.house.order("codes", name=who.name, kind="phone", phone=phone)["code"]
        answer = who.post("/session/phone", {"code": code})
        assert answer.status_code == 200, answer.text

    def bind(self, who: Person, house: str, name: str, **more: Any) -> Any:
        """Ask to be bound, as owner unless something else is said."""
        return who.post("/memberships", {"house_id": house, "relation": "owner", "name": name} | more)

    def bound(self, who: Person, house: str, name: str, **more: Any) -> str:
        """The id of a membership that matched."""
        answer = self.bind(who, house, name, **more)
        assert answer.status_code == 201, answer.text
        return str(answer.json["membership_id"])

    def waiting(self, who: Person, house: str, name: str, **more: Any) -> str:
        """The id of one that staff have to look at."""
        answer = self.bind(who, house, name, **more)
        assert answer.status_code == 202, answer.text
        return str(answer.json["membership_id"])

    def see(self, membership: str) -> dict[str, Any]:
        """As the desk sees it."""
        answer = self.desk.get(f"/memberships/{membership}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def decide(self, membership: str, step: str, **body: Any) -> Any:
        """approve, refuse, end."""
        return self.desk.post(f"/memberships/{membership}/{step}", body)

    def owner_id(self, house: str, at: int = 0) -> str:
        """The registry's owner of a house."""
        return str(self.desk.get(f"/houses/{house}").json["owners"][at]["owner_id"])

    def sell(self, house: str, *owners: dict[str, str], **more: Any) -> None:
        """Transfer a house."""
        answer = self.desk.post(f"/houses/{house}/transfer", {"owners": list(owners)} | more)
        assert answer.status_code == 200, answer.text


def phone() -> str:
    """A number that no other test has."""
    return f"139{secrets.randbelow(10**8):08d}"


def pdf() -> bytes:
    """A small PDF."""
    return _PDF


def paper(who: Caller, data: bytes | None = None, **fields: str) -> str:
    """Upload evidence; its id."""
    answer = who.upload("/files", data or _PDF, "deed.pdf", **({"purpose": "evidence"} | fields))
    assert answer.status_code == 201, answer.text
    return str(answer.json["file_id"])


def told(who: Person) -> list[str]:
    """The kinds of her messages, newest first."""
    return [item["kind"] for item in who.get("/inbox").json["items"]]


@pytest.fixture
def estate(house: House, town: Town, resident: Callable[..., Person]) -> Estate:
    """The estate of this test."""
    return Estate(house, town, town.staff("community"), resident)


__all__ = ["Estate", "id_number", "paper", "pdf", "phone", "told"]
