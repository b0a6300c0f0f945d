"""A date from before or after any life of this system is refused in plain words, never an error of ours."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app import ids
from app.ids import Kind
from tests.conftest import Town

FAR = ("0001-01-01", "1999-12-31", "2101-01-01", "9999-12-31")
INSTANTS = (
    "0001-01-01T00:00:00+14:00",
    "1999-12-31T23:59:59+08:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-12:00",
)


def refused(answer: Any, field: str) -> None:
    assert answer.status_code == 422, answer.text
    assert field in answer.text
    assert "2000 年到 2100 年" in answer.text


@pytest.mark.parametrize("day", FAR)
@pytest.mark.parametrize(
    "path", ["/stats/sla", "/stats/tickets", "/stats/export", "/patrol/coverage", "/patrol/heatmap"]
)
def test_figures_of_a_far_day_are_refused(town: Town, path: str, day: str) -> None:
    refused(town.staff("community").get(path, query_string={"from": day, "to": day}), "from")


@pytest.mark.parametrize("day", FAR)
def test_lists_on_a_far_day_are_refused(town: Town, day: str) -> None:
    desk = town.staff("community")
    for path in ("/routing-rules", "/categories", "/patrol/plans"):
        refused(desk.get(path, query_string={"on": day}), "on")


@pytest.mark.parametrize("day", FAR)
def test_a_far_day_in_a_roster_is_refused(town: Town, day: str) -> None:
    desk = town.staff("community")
    me = desk.get("/me").json["id"]
    body = {
        "community_id": ids.encode(Kind.COMMUNITY, UUID(int=town.a.id)),
        "org_id": town.a.property_id,
        "name": "白班",
        "turns": [{"staff_id": me, "from": "08:00", "to": "16:00"}],
    }
    refused(desk.post("/duty-rosters", body | {"days": [{"day": day, "away_id": me}]}), "day")
    refused(desk.post("/duty-rosters", body | {"valid_from": day}), "valid_from")


@pytest.mark.parametrize("at", INSTANTS)
def test_a_far_moment_is_refused(town: Town, at: str) -> None:
    desk = town.staff("community")
    refused(desk.post("/routing-rules/try", {"estate_id": town.a.estate_id, "at": at}), "at")
    refused(desk.get("/duty-rosters", query_string={"at": at}), "at")
    refused(desk.post("/inbox/read", {"all_before": at}), "all_before")


def test_the_english_reader_is_told_the_bounds_in_english(town: Town) -> None:
    answer = town.staff("community").get(
        "/stats/sla", query_string={"to": "9999-12-31"}, headers={"Accept-Language": "en"}
    )
    assert "between 2000-01-01 and 2100-12-31" in answer.text


def test_the_first_and_the_last_day_are_taken(town: Town) -> None:
    desk = town.staff("community")
    for day in ("2000-01-01", "2100-12-31"):
        for path in ("/stats/sla", "/patrol/coverage", "/patrol/heatmap"):
            answer = desk.get(path, query_string={"from": day, "to": day})
            assert answer.status_code in {200, 422}, answer.text
            assert "2000 年到" not in answer.text
        assert (
            desk.post(
                "/routing-rules/try", {"estate_id": town.a.estate_id, "at": f"{day}T00:00:00+08:00"}
            ).status_code
            == 200
        )


def test_a_far_day_in_a_table_for_the_calendar_is_refused(town: Town) -> None:
    table = "day,kind,confirmed\n9999-12-31,work,true\n9999-12-31,work,true\n"
    answer = town.staff("street").post("/calendar", {"csv": table})
    assert (answer.status_code, answer.json["code"]) == (422, "bad_calendar")
