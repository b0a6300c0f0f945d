"""What a wall shows, and that each figure is as long as the list behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import clock, ids
from app.ids import Kind
from tests.conftest import Caller, Person, Town

OPEN = "received,accepted,returned,dispatched,in_progress,resolved,verified,suspended"


def wall(who: Caller, **query: Any) -> dict[str, Any]:
    answer = who.get("/dashboard/wall", query_string=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def listed(who: Caller, **query: Any) -> int:
    answer = who.get("/tickets", query_string={"limit": 100, "status": OPEN} | query)
    assert answer.status_code == 200, answer.text
    return len(answer.get_json()["items"])


@pytest.fixture
def three(town: Town, resident: Callable[..., Person]) -> Town:
    """Two open tickets and a closed one in the first estate, one open in the second."""
    wang = resident()
    for estate in (town.a.estate_id, town.a.estate_id, ids.encode(Kind.ESTATE, town.a.second_estate)):
        sent = wang.report(estate, category="noise")
    closed = wang.report(town.a.estate_id, category="noise")
    town.bring(closed["ticket_id"], "accept", "dispatch", "start", "resolve", "verify", "close")
    assert sent
    return town


def test_each_figure_of_the_wall_is_as_long_as_the_list_behind_it(
    three: Town, later: Callable[..., Any]
) -> None:
    desk = three.staff("community")
    shown = wall(desk)
    assert shown["open"]["count"] == listed(desk) == 3
    for name, due in (("in_4h", "4h"), ("today", "today"), ("this_week", "week")):
        assert shown["open"][name] == listed(desk, due=due)
    assert [(row["level"], row["count"]) for row in shown["areas"]] == [("estate", 2), ("estate", 1)]
    for row in shown["areas"] + [row for row in shown["grids"] if row["area"]]:
        assert row["count"] == listed(desk, area=row["area"]), row
    assert sum(row["count"] for row in shown["grids"]) == 3
    later(days=30)
    desk = three.hire("community", three.a)
    shown = wall(desk)
    assert shown["open"]["overdue"] == listed(desk, overdue="true") == 3
    assert shown["open"]["in_4h"] == shown["open"]["this_week"] == listed(desk, due="week") == 0


def test_a_limit_runs_out_within_4_hours_today_or_this_week(three: Town, later: Callable[..., Any]) -> None:
    desk = three.staff("community")
    due = desk.get("/tickets", query_string={"status": OPEN}).get_json()["items"][0]["promised"]["close_by"]
    end = datetime.fromisoformat(due)
    later(seconds=(end - timedelta(hours=2) - clock.now()).total_seconds())
    desk = three.hire("community", three.a)
    shown = wall(desk)["open"]
    assert shown["in_4h"] == shown["this_week"] == listed(desk, due="4h") == listed(desk, due="week") == 3
    later(seconds=2 * 3600 + 1)
    assert wall(three.hire("community", three.a))["open"]["overdue"] == 3


def test_an_area_narrows_the_wall_and_gives_nobody_more(three: Town) -> None:
    street, desk = three.staff("street"), three.staff("community")
    rows = wall(street)["areas"]
    assert {row["level"] for row in rows} == {"community"}
    assert sorted(row["count"] for row in rows) == [0, 3]
    first = wall(street, area=three.a.estate_id)
    assert (first["open"]["count"], first["received"]) == (2, 1)
    assert (first["closed"], len(first["days"])) == (1, 30)
    grid = ids.encode(Kind.GRID, three.a.grid)
    assert wall(street, area=grid)["open"]["count"] == 2
    assert wall(desk, area=three.b.estate_id)["open"]["count"] == 0
    assert wall(three.staff("property"))["open"]["count"] == 0
    assert desk.get("/dashboard/wall?area=est_nonsense").status_code == 422


def test_votes_and_books_are_shown_to_whom_they_are_open(three: Town) -> None:
    shown = {role: wall(three.staff(role)) for role in ("community", "property", "grid")}
    assert {role: one["decisions"] is not None for role, one in shown.items()} == {
        "community": True,
        "property": False,
        "grid": True,
    }
    assert [row["name"] for row in shown["property"]["revenue"]] != []
    assert shown["grid"]["revenue"] is None
    assert len(shown["community"]["revenue"]) == 2
