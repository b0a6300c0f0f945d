"""Coverage, the heat map, the grades of zones: each number with what it is of, and nobody's by subtraction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import db
from app.audit import SYSTEM
from app.ids import Kind, Ref, decode_ref, encode
from app.patrol.models import Basis, Grade
from app.patrol.zones import Measure
from app.places import queries as places_queries
from app.places import service as places
from app.places.coordinates import Point
from tests.conftest import Caller, Community, Person, Town
from tests.patrol.conftest import ALL_DAY, Round, add_point, grid_id
from workers import jobs


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


def today(days: int = 0) -> str:
    return (places_queries.today() + timedelta(days=days)).isoformat()


# --- coverage --------------------------------------------------------------------------------------------


def test_hours_that_are_over_without_a_visit_are_missed_for_good(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(2, windows=[{"from": "13:00", "to": "14:00"}])
    assert round_.coverage()["totals"]["open"] == 2
    later(hours=3)
    shown = round_.coverage()
    assert shown["totals"]["visited_rate"] == {"numerator": 0, "denominator": 2}
    assert [(gap["state"], gap["final"]) for gap in shown["items"]] == [("missed", True)] * 2
    assert shown["items"][0]["from"] == f"{today()}T13:00:00+08:00"


def test_hours_before_the_plan_was_written_ask_for_nothing(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1, windows=[{"from": "08:00", "to": "12:00"}])
    assert round_.coverage()["totals"]["due"] == 0
    assert round_.coverage()["plans"] == []
    assert round_.coverage(**{"from": today(-3), "to": today()})["totals"]["due"] == 0


def test_a_doubtful_visit_doesnt_count_and_a_clean_one_after_it_does(
    lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(1)
    round_.start()
    round_.visit(0, off=0.009)
    shown = round_.coverage()
    assert (shown["totals"]["suspect"], shown["totals"]["visited"]) == (1, 0)
    later(minutes=2)
    assert round_.visit(0).json["reasons"] == []
    shown = round_.coverage()
    assert (shown["totals"]["suspect"], shown["totals"]["visited"], shown["items"]) == (0, 1, [])


def test_as_long_as_somebody_walks_nothing_is_missed(town: Town, lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(2)
    colleague = town.hire("grid", town.a)
    first = round_.start()
    second = colleague.post("/patrol/shifts", {"plan_id": round_.plan_id}).json["shift_id"]
    round_.walker.post(f"/patrol/shifts/{first}/end")
    assert round_.coverage()["totals"]["open"] == 2
    colleague.post(f"/patrol/shifts/{second}/end")
    assert round_.coverage()["totals"]["missed"] == 2
    # A gap that isn't final is closed by the next one who sets out.
    round_.start()
    round_.visit(0)
    shown = round_.coverage()["totals"]
    assert (shown["visited"], shown["open"], shown["missed"]) == (1, 1, 0)


def test_the_lines_of_the_plans_sum_to_the_totals_for_every_area(
    town: Town, lay_out: Callable[..., Round]
) -> None:
    rounds = [lay_out(2), lay_out(3, role="property"), lay_out(1, where=town.b)]
    rounds[0].start()
    rounds[0].visit(0)
    street = town.staff("street")
    for area, planned in (
        (None, 6),
        (town.a.estate_id, 5),
        (grid_id(town.a), 5),
        (town.b.estate_id, 1),
        (encode(Kind.ESTATE, town.a.second_estate), 0),
    ):
        shown = rounds[0].coverage(street, **({"area": area} if area else {}))
        for part in ("due", "visited", "suspect", "missed", "open"):
            assert sum(line[part] for line in shown["plans"]) == shown["totals"][part]
        assert shown["totals"]["due"] + shown["totals"]["open"] == planned


def test_coverage_shows_each_only_her_own_plans(town: Town, lay_out: Callable[..., Round]) -> None:
    grid, keeper = lay_out(2), lay_out(3, role="property")
    assert grid.coverage(grid.walker)["totals"]["open"] == 2
    assert grid.coverage(keeper.walker)["totals"]["open"] == 3
    assert grid.coverage(town.staff("street"))["totals"]["open"] == 5
    stranger = town.staff("community", town.b)
    assert grid.coverage(stranger)["totals"]["open"] == 0
    for area in (town.a.estate_id, grid_id(town.a)):
        answer = stranger.get("/patrol/coverage", query_string={"area": area})
        refused(answer, 404, "not_found")


def test_gaps_come_in_pages(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(5)
    shift = round_.start()
    round_.walker.post(f"/patrol/shifts/{shift}/end")
    seen: list[int] = []
    args: dict[str, Any] = {"limit": 2}
    while True:
        page = round_.coverage(**args)
        assert page["totals"]["missed"] == 5
        seen += [gap["seq"] for gap in page["items"]]
        if page["next_cursor"] is None:
            break
        args["cursor"] = page["next_cursor"]
    assert seen == [1, 2, 3, 4, 5]
    refused(round_.desk.get("/patrol/coverage", query_string={"cursor": "x"}), 422, "bad_cursor")


def test_a_span_runs_forward_and_not_for_ever(town: Town) -> None:
    desk = town.staff("community")
    for path, days in (("coverage", 31), ("heatmap", 366)):
        reversed_ = {"from": today(), "to": today(-1)}
        refused(desk.get(f"/patrol/{path}", query_string=reversed_), 422, "dates_reversed")
        long = {"from": today(-days), "to": today()}
        refused(desk.get(f"/patrol/{path}", query_string=long), 422, "span_too_long")
        refused(desk.get(f"/patrol/{path}", query_string={"from": "2026-02-30"}), 422, "invalid")
        whole = {"from": today(1 - days), "to": today()}
        assert desk.get(f"/patrol/{path}", query_string=whole).status_code == 200


# --- the heat map ----------------------------------------------------------------------------------------


def add_grid(where: Community, code: str) -> tuple[str, str]:
    """One more grid of the community with an estate of its own; their wire ids."""
    with db.transaction():
        estate = places.add_estate(
            community_id=where.id,
            name=f"新区{code}",
            centre=Point(where.centre.lng, where.centre.lat - 0.02),
            since=places_queries.today(),
            acting_user=SYSTEM,
        )
        ref = Ref(where.id, estate.id)
        grid = places.add_grid(
            community_id=where.id,
            code=code,
            name=f"第{code}网格",
            covers=[ref],
            since=places_queries.today(),
            acting_user=SYSTEM,
        )
        return encode(Kind.GRID, Ref(where.id, grid.id)), encode(Kind.ESTATE, ref)


def heat(who: Caller, **args: Any) -> Any:
    answer = who.get("/patrol/heatmap", query_string=args)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_the_heat_map_hides_small_numbers_and_what_would_give_them_away(
    town: Town, resident: Callable[..., Person]
) -> None:
    grids = {"01": (grid_id(town.a), town.a.estate_id)} | {c: add_grid(town.a, c) for c in ("02", "03")}
    wang = resident()
    for code, n in (("01", 3), ("02", 6), ("03", 8)):
        for _ in range(n):
            wang.report(grids[code][1], category="noise" if n == 8 else None)
    taken_back = wang.report(grids["03"][1])["ticket_id"]
    assert wang.post(f"/tickets/{taken_back}/withdraw").status_code == 200
    shown = heat(town.staff("community"))
    cells = {cell["code"]: (cell["n"], cell["hidden"]) for cell in shown["items"]}
    # 3 is small; with the total of 17 it would be 17 - 6 - 8, so the 6 goes with it.
    assert cells == {"01": (None, True), "02": (None, True), "03": (8, False)}
    assert shown["totals"] == {"n": 17, "hidden": False}
    assert "withdrawn" in shown["left_out"]
    loud = heat(town.staff("community"), category="noise")
    assert {cell["code"]: cell["n"] for cell in loud["items"]} == {"01": None, "02": None, "03": None}
    # A grid worker sees her own grid, of which the total says no more than the cell.
    own = heat(town.staff("grid"))
    assert [(cell["code"], cell["n"]) for cell in own["items"]] == [("01", None)]
    assert own["totals"] == {"n": None, "hidden": True}
    # The street's total would give the other community's away, which is hidden.
    street = heat(town.staff("street"))
    assert street["totals"] == {"n": None, "hidden": True}
    assert sorted(c["hidden"] for c in street["communities"]) == [False, True]
    assert heat(town.staff("community", town.b))["communities"][0]["n"] is None


def test_tickets_outside_the_grids_stand_beside_the_total(
    town: Town, resident: Callable[..., Person]
) -> None:
    wang = resident()
    for _ in range(6):
        wang.report(encode(Kind.ESTATE, town.a.second_estate))
        wang.report(town.a.estate_id)
    shown = heat(town.staff("community"))
    assert shown["without_grid"] == {"n": 6, "hidden": False}
    assert [cell["n"] for cell in shown["items"]] == [6]
    assert shown["totals"]["n"] == 6
    assert heat(town.staff("community"), **{"from": today(-9), "to": today(-1)})["items"][0]["n"] is None


# --- grades ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("homes", "tickets", "grade"),
    [
        (300, 5, Grade.LOW),  # 1.67 per 100
        (300, 6, Grade.REGULAR),  # exactly 2
        (300, 17, Grade.REGULAR),
        (300, 18, Grade.KEY),  # exactly 6
        (7, 0, Grade.LOW),
        (7, 1, Grade.KEY),
    ],
)
def test_a_grade_begins_exactly_at_its_threshold(homes: int, tickets: int, grade: Grade) -> None:
    assert Measure(Basis.HOMES, homes, 100, regular_from=2, key_from=6).grade(tickets) is grade


def test_a_zone_is_graded_by_estates_until_its_homes_are_known(
    town: Town, resident: Callable[..., Person], later: Callable[..., datetime]
) -> None:
    wang, desk = resident(), town.staff("community")
    for _ in range(6):
        wang.report(town.a.estate_id)
    zone = desk.get("/patrol/zones").json["items"][0]
    assert (zone["grade"], zone["homes"], zone["version"]) == (None, None, 0)
    graded = desk.post("/patrol/zones/grade").json["items"][0]["grade"]
    assert {key: graded[key] for key in ("grade", "numerator", "denominator", "basis", "per")} == {
        "grade": "regular", "numerator": 6, "denominator": 1, "basis": "estates", "per": 1,
    }  # fmt: skip
    assert (graded["regular_from"], graded["key_from"]) == (5, 20)
    path = f"/patrol/zones/{grid_id(town.a)}"
    counted = desk.patch(path, {"homes": 100}, headers={"If-Match": '"0"'})
    assert (counted.json["homes"], counted.json["version"]) == (100, 1)
    assert counted.json["grade"]["basis"] == "estates"  # what is in force stays until the next computation
    jobs.grade_zones()  # graded this noon, it has nothing to do
    assert desk.get("/patrol/zones").json["items"][0]["grade"]["basis"] == "estates"
    later(hours=14)
    jobs.grade_zones()
    desk = town.hire("community", town.a)
    graded = desk.get("/patrol/zones").json["items"][0]["grade"]
    assert (graded["grade"], graded["denominator"], graded["basis"]) == ("key", 100, "homes")
    assert heat(desk)["items"][0]["grade"] == "key"
    foreign = f"/patrol/zones/{grid_id(town.b)}"
    assert desk.patch(foreign, {"homes": 5}, headers={"If-Match": '"0"'}).status_code == 404
    refused(desk.patch(path, {"homes": 0}, headers={"If-Match": '"1"'}), 422, "invalid")


def test_cases_older_than_ninety_days_dont_count(
    town: Town, resident: Callable[..., Person], later: Callable[..., datetime]
) -> None:
    wang = resident()
    for _ in range(5):
        wang.report(town.a.estate_id)
    later(days=89)
    assert (
        town.hire("community", town.a).post("/patrol/zones/grade").json["items"][0]["grade"]["numerator"] == 5
    )
    later(days=2)
    graded = town.hire("community", town.a).post("/patrol/zones/grade").json["items"][0]["grade"]
    assert (graded["numerator"], graded["grade"]) == (0, "low")


def test_a_community_chooses_its_thresholds_and_only_its_own(town: Town) -> None:
    desk = town.staff("community")
    desk.post("/patrol/settings", {"key_per_estate": 3, "regular_per_estate": 1})
    refused(desk.post("/patrol/settings", {"key_per_estate": 1}), 422, "thresholds_reversed")
    refused(desk.post("/patrol/settings", {"max_speed_kmh": 1000}), 422, "invalid")
    refused(desk.post("/patrol/settings", {"anything": 1}), 422, "invalid")
    assert desk.get("/patrol/settings").json["items"][0]["values"]["key_per_estate"] == 3
    other = town.staff("community", town.b).get("/patrol/settings").json["items"]
    assert [row["values"]["key_per_estate"] for row in other] == [20]
    assert len(town.staff("street").get("/patrol/settings").json["items"]) == 2


def test_a_point_that_was_retired_asks_for_nothing_from_then_on(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(2)
    round_.desk.patch(f"/patrol/points/{round_.points[0]}", {"retired": True}, headers={"If-Match": '"1"'})
    assert round_.coverage()["totals"]["open"] == 2  # the hours had begun
    assert round_.coverage(**{"from": today(1)})["totals"]["open"] == 1


def test_a_point_of_a_grid_without_an_estate_is_the_communitys(town: Town) -> None:
    desk, grid = town.staff("community"), town.staff("grid")
    body = {"name": "河边", "grid_id": grid_id(town.a)}
    point = desk.post("/patrol/points", body).json["point_id"]
    plan = {"name": "巡河", "points": [point], "windows": ALL_DAY, "grid_id": grid_id(town.a)}
    assert desk.post("/patrol/plans", plan).status_code == 201
    assert grid.get(f"/patrol/points/{point}").status_code == 200
    assert town.staff("street").get(f"/patrol/points/{point}").status_code == 200
    assert decode_ref(Kind.PATROL_POINT, point).community_id == town.a.id
    assert add_point(desk, town.a, 1)
