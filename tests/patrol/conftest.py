"""A round to walk: points a hundred metres apart, their signs, and a plan over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app import clock, ids
from app.ids import Kind
from app.places.coordinates import Point
from tests.conftest import Caller, Community, Town

STEP = 0.0009  # degrees of latitude: 100 m
ALL_DAY = [{"from": "00:00", "to": "24:00"}]


def at(point: Point, *, off: float = 0.0, accuracy_m: float | None = 10.0) -> dict[str, Any]:
    """A reading at a place, `off` degrees of latitude beside it (0.0009: 100 m)."""
    return {"lng": point.lng, "lat": point.lat + off, "crs": "wgs84", "accuracy_m": accuracy_m}


@dataclass
class Round:
    """A plan with its points, and those who have to do with it."""

    town: Town
    where: Community
    desk: Caller
    walker: Caller
    places: list[Point]
    points: list[str]
    codes: list[str]
    plan: Any

    @property
    def plan_id(self) -> str:
        return str(self.plan["plan_id"])

    def start(self) -> str:
        answer = self.walker.post("/patrol/shifts", {"plan_id": self.plan_id})
        assert answer.status_code == 201, answer.text
        return str(answer.json["shift_id"])

    def visit(self, n: int, *, off: float = 0.0, **more: Any) -> TestResponse:
        """Point n (from 0) with its code and a reading `off` degrees beside it."""
        body = {"code": self.codes[n], "location": at(self.places[n], off=off)} | more
        return self.walker.post(f"/patrol/points/{self.points[n]}/visit", body)

    def walk(self, shift: str, fixes: list[dict[str, Any]]) -> TestResponse:
        return self.walker.post(f"/patrol/shifts/{shift}/positions", {"crs": "wgs84", "positions": fixes})

    def coverage(self, who: Caller | None = None, /, **args: Any) -> Any:
        answer = (who or self.desk).get("/patrol/coverage", query_string=args)
        assert answer.status_code == 200, answer.text
        return answer.json


def staff_id(who: Caller) -> str:
    return str(who.get("/me").json["id"])


def grid_id(where: Community) -> str:
    return ids.encode(Kind.GRID, where.grid)


def add_point(desk: Caller, where: Community, n: int, **more: Any) -> tuple[str, Point]:
    place = Point(where.centre.lng, where.centre.lat + n * STEP)
    body = {
        "name": f"点位{n}",
        "estate_id": where.estate_id,
        "location": {"lng": place.lng, "lat": place.lat, "crs": "wgs84"},
        "radius_m": 30,
    } | more
    answer = desk.post("/patrol/points", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json["point_id"]), place


@pytest.fixture
def lay_out(town: Town) -> Callable[..., Round]:
    """`lay_out(5)`: a round of 5 points in community a that the grid worker walks all day, every day."""

    def make(n: int, *, role: str = "grid", where: Community | None = None, **plan: Any) -> Round:
        where = where or town.a
        desk, walker = town.staff("community", where), town.staff(role, where)
        made = [add_point(desk, where, i) for i in range(n)]
        points = [point for point, _ in made]
        codes = [desk.get(f"/patrol/points/{point}/code").json["payload"] for point in points]
        by = {"grid_id": grid_id(where)} if role == "grid" else {"org_id": where.property_id}
        body = (
            {"name": "夜巡", "estate_id": where.estate_id, "points": points, "windows": ALL_DAY} | by | plan
        )
        answer = desk.post("/patrol/plans", body)
        assert answer.status_code == 201, answer.text
        places = [place for _, place in made]
        return Round(town, where, desk, walker, places, points, codes, answer.json)

    return make


def fix(place: Point, moment: datetime, **more: Any) -> dict[str, Any]:
    return {"lng": place.lng, "lat": place.lat, "at": clock.rfc3339(moment), **more}


@pytest.fixture(autouse=True)
def noon(later: Callable[..., datetime]) -> None:
    """It is noon in Chongqing: nothing here happens at midnight by chance."""
    here = clock.in_shanghai(clock.now())
    later(seconds=((12 - here.hour) % 24 or 24) * 3600 - here.minute * 60 - here.second)
