"""A unit with people and a post: everything over HTTP, at noon of a working Wednesday unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from app import clock, ids
from app.ids import Kind
from app.places import queries as places
from tests.conftest import Caller, Community, Person, Town

ALWAYS = {"from": "00:00", "to": "24:00"}


@dataclass
class Worker:
    """A member of staff who stands in a roster."""

    caller: Caller
    id: str
    name: str


def worker(caller: Caller) -> Worker:
    me: Any = caller.get("/me").json
    return Worker(caller, me["id"], me["name"])


def in_days(days: int) -> str:
    return (places.today() + timedelta(days=days)).isoformat()


def community_id(where: Community) -> str:
    return ids.encode(Kind.COMMUNITY, UUID(int=where.id))


def turn(who: Worker, start: str = "00:00", end: str = "24:00", **more: Any) -> dict[str, Any]:
    return {"staff_id": who.id, "from": start, "to": end} | more


@dataclass
class Office:
    """Who keeps rosters and rules in community a, and shortcuts for both."""

    town: Town
    report: Callable[..., str]

    @property
    def desk(self) -> Caller:
        return self.town.staff("community")

    def hire(self, count: int, role: str = "property") -> list[Worker]:
        return [worker(self.town.hire(role, self.town.a)) for _ in range(count)]

    def roster_body(self, *turns: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "community_id": community_id(self.town.a),
            "org_id": self.town.a.property_id,
            "name": f"工程班{len(turns)}",
            "turns": list(turns),
        } | more

    def post(self, *turns: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A post of the property company with this roster."""
        answer = self.desk.post("/duty-rosters", self.roster_body(*turns, **more))
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def try_rule(self, **more: Any) -> TestResponse:
        body = {
            "community_id": community_id(self.town.a),
            "name": "物业",
            "org_id": self.town.a.property_id,
        } | more
        return self.desk.post("/routing-rules", body)

    def rule(self, **more: Any) -> dict[str, Any]:
        answer = self.try_rule(**more)
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def ask(self, **more: Any) -> Any:
        """Try out where a report would go."""
        answer = self.desk.post("/routing-rules/try", {"estate_id": self.town.a.estate_id} | more)
        assert answer.status_code == 200, answer.text
        return answer.json

    def change(self, kind: str, thing: dict[str, Any], **body: Any) -> TestResponse:
        """PATCH of a roster or a rule in the version it has now."""
        path = f"/{kind}/{thing['roster_id' if kind == 'duty-rosters' else 'rule_id']}"
        version = self.desk.get(path).json["version"]
        return self.desk.patch(path, body, headers={"If-Match": f'"{version}"'})

    def dispatch(self, ticket_id: str, **body: Any) -> Any:
        answer = self.desk.post(f"/tickets/{ticket_id}/dispatch", body)
        assert answer.status_code == 200, answer.text
        return answer.json

    def give(self, **more: Any) -> Any:
        """Report, accept and dispatch by the rules; the ticket as the desk sees it."""
        return self.dispatch(self.report(**more))


@pytest.fixture
def office(town: Town, resident: Callable[..., Person]) -> Office:
    def report(**more: Any) -> str:
        made = resident("wang").report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"]
        assert town.staff("community").post(f"/tickets/{made}/accept").status_code == 200
        return str(made)

    return Office(town, report)


@pytest.fixture
def move_to(later: Callable[..., datetime]) -> Callable[..., datetime]:
    """`move_to(weekday=3, hour=12)`: on to the next such moment in Shanghai."""

    def move(*, hour: int, minute: int = 0, weekday: int | None = None) -> datetime:
        here = clock.in_shanghai(clock.now())
        there = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
        while there <= here or (weekday is not None and there.isoweekday() != weekday):
            there += timedelta(days=1)
        return later(seconds=(there - here).total_seconds())

    return move


@pytest.fixture(autouse=True)
def noon(move_to: Callable[..., datetime]) -> None:
    """It is noon in Chongqing on a Wednesday: no test happens at midnight by chance."""
    move_to(hour=12, minute=30, weekday=3)
