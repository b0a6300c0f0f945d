"""A street's notices: houses whose members read, and a desk that writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.places import registry
from app.places.identity import Party
from tests.conftest import Caller, House, Person, Town
from tests.memberships.conftest import Estate, phone, told

__all__ = ["Board", "board", "told"]


@dataclass
class Board:
    """The estates of a town with houses, and what is told to them."""

    house: House
    town: Town
    estate: Estate
    work: Callable[..., int]
    houses: dict[str, str] = field(default_factory=dict)

    @property
    def desk(self) -> Caller:
        return self.town.staff("community")

    @property
    def street(self) -> Caller:
        return self.town.staff("street")

    def door(self, number: str, *, estate: Ref | None = None, building: str = "1栋", owners: int = 1) -> str:
        """A house with owners that nobody is bound to; its id."""
        parties = [Party(f"王{number}{i}", phone()) for i in range(owners)]
        with db.transaction():
            made = registry.add_house(
                estate=estate or self.town.a.estate,
                building=building,
                number=number,
                registered_centi=9000,
                owners=parties,
                acting_user=SYSTEM,
            )
        name = ids.encode(Kind.HOUSE, Ref(made.community_id, made.id))
        self.houses[name] = number
        return name

    def home(self, number: str, **more: Any) -> tuple[Person, str]:
        """A house with an owner who is bound to it."""
        mobile = phone()
        made = self.estate.flat(number, Party(f"张{number}", mobile), **more)
        self.houses[made] = number
        who = self.estate.person(mobile)
        self.estate.bound(who, made, f"张{number}")
        return who, made

    def draft(self, *areas: str, by: Caller | None = None, **more: Any) -> Any:
        """POST /notices for these areas (the first estate, unless said)."""
        body = {
            "kind": "open_affairs",
            "title": "公共收益公示",
            "text": "2026 年上半年公共收益已公示，请查看。",
            "area_ids": list(areas) or [self.town.a.estate_id],
        }
        return (by or self.desk).post("/notices", body | more)

    def drafted(self, *areas: str, by: Caller | None = None, **more: Any) -> dict[str, Any]:
        answer = self.draft(*areas, by=by, **more)
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def publish(self, notice: str, *, by: Caller | None = None, version: int | None = None) -> Any:
        match = "*" if version is None else f'"{version}"'
        return (by or self.desk).post(f"/notices/{notice}/publish", headers={"If-Match": match})

    def out(self, *areas: str, by: Caller | None = None, **more: Any) -> str:
        """The id of a published notice; who is to be told has been told."""
        made = self.drafted(*areas, by=by, **more)["notice_id"]
        answer = self.publish(made, by=by)
        assert answer.status_code == 200, answer.text
        self.work()
        return str(made)

    def patch(self, notice: str, by: Caller | None = None, match: str = "*", **body: Any) -> Any:
        return (by or self.desk).patch(f"/notices/{notice}", body, headers={"If-Match": match})

    def see(self, notice: str, by: Caller | None = None) -> dict[str, Any]:
        answer = (by or self.desk).get(f"/notices/{notice}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def unread(self, notice: str, who: Caller | None = None, **query: Any) -> dict[str, Any]:
        answer = (who or self.desk).get(f"/notices/{notice}/unread", query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def waiting(self, notice: str, who: Caller | None = None, **query: Any) -> list[str]:
        """The numbers of the houses in which nobody has read it, through all pages."""
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.unread(notice, who, by="house", limit=2, **query, **cursor)
            found += [row["number"] for row in page["items"]]
            if page["next_cursor"] is None:
                return sorted(found)
            cursor = {"cursor": page["next_cursor"]}


def read(who: Person, notice: str, **body: Any) -> Any:
    return who.post(f"/notices/{notice}/read", body)


def listed(who: Person, estate: str, **query: Any) -> list[str]:
    answer = who.get("/notices", query_string={"estate_id": estate} | query)
    assert answer.status_code == 200, answer.text
    return [row["notice_id"] for row in answer.get_json()["items"]]


@pytest.fixture
def board(house: House, town: Town, resident: Callable[..., Person], work: Callable[..., int]) -> Board:
    """The notices of this test's town."""
    return Board(house, town, Estate(house, town, town.staff("community"), resident), work)
