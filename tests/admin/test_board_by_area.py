"""The board of one estate, one grid or one community; a place out of reach has nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from app import ids
from app.ids import Kind
from tests.conftest import Caller, Community, Person, Town


def found(who: Caller, **query: Any) -> list[str]:
    answer = who.get("/tickets", query_string={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    return [t["ticket_id"] for t in answer.json["items"]]


def areas(where: Community) -> dict[str, str]:
    return {
        "estate": where.estate_id,
        "second": ids.encode(Kind.ESTATE, where.second_estate),
        "grid": ids.encode(Kind.GRID, where.grid),
        "community": ids.encode(Kind.COMMUNITY, UUID(int=where.id)),
    }


def test_a_board_of_an_estate_a_grid_or_a_community(resident: Callable[..., Person], town: Town) -> None:
    wang, street = resident(), town.staff("street")
    a, b = areas(town.a), areas(town.b)
    first, second, other = (
        str(wang.report(estate, category="noise", text="夜里吵")["ticket_id"])
        for estate in (a["estate"], a["second"], b["estate"])
    )
    in_grid = found(town.staff("grid"))
    assert in_grid
    for who in (street, town.staff("community")):
        assert found(who, area=a["community"]) == [second, first]
        assert found(who, area=a["grid"]) == in_grid
        assert found(who, area=a["estate"]) == [first]
        assert found(who, area=a["community"], status="received", q="夜里吵") == [second, first]
        assert found(who, area=a["grid"], status="closed") == []
    assert found(street, area=b["community"]) == [other]
    assert found(town.staff("grid"), area=a["community"]) == in_grid
    town.bring(first, "accept", "dispatch")
    assert found(town.staff("property"), area=a["community"]) == [first]
    for who in (town.staff("community"), town.staff("grid"), town.staff("property")):
        assert [found(who, area=b[kind]) for kind in b] == [[], [], [], []]


@pytest.mark.parametrize("wrong", ["com_x", "grd_x", "tkt_", "com_" + "7" * 26])
def test_a_place_that_cannot_be_is_refused(town: Town, wrong: str) -> None:
    answer = town.staff("street").get("/tickets", query_string={"area": wrong})
    assert (answer.status_code, answer.json["code"]) == (422, "bad_filter")


def test_a_community_that_is_not_there_has_no_tickets(town: Town) -> None:
    nowhere = ids.encode(Kind.COMMUNITY, UUID(int=2**32 - 1))
    assert found(town.staff("street"), area=nowhere) == []
    beyond = ids.encode(Kind.COMMUNITY, UUID(int=2**100))
    answer = town.staff("street").get("/tickets", query_string={"area": beyond})
    assert (answer.status_code, answer.json["code"]) == (422, "bad_filter")
    listed = town.staff("street").get("/duty-rosters", query_string={"community_id": beyond})
    assert listed.status_code == 422, listed.text
