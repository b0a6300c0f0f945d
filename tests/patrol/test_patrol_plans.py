"""Points and plans: who may make them, what is refused, and that the past stays as it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import ids
from app.ids import Kind
from app.places import queries as places
from app.places.coordinates import Point, distance_m
from tests.conftest import Caller, Town
from tests.patrol.conftest import ALL_DAY, Round, add_point, at, grid_id, staff_id


def today(days: int = 0) -> str:
    return (places.today() + timedelta(days=days)).isoformat()


def body_of(town: Town, points: list[str], **more: Any) -> dict[str, Any]:
    base = {"name": "早巡", "points": points, "windows": ALL_DAY, "org_id": town.a.property_id}
    return base | more


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


def test_a_point_in_an_estate_belongs_to_the_grid_that_covers_it(town: Town) -> None:
    desk = town.staff("community")
    point, place = add_point(desk, town.a, 1)
    shown = desk.get(f"/patrol/points/{point}").json
    assert shown["grid_id"] == grid_id(town.a)
    # Stored as WGS-84, answered as WeChat's map takes it: some hundred metres apart.
    moved = distance_m(Point(shown["location"]["lng"], shown["location"]["lat"]), Point(place.lng, place.lat))
    assert 20 < moved < 1000
    assert shown["location"]["crs"] == "gcj02"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"estate_id": None}, "where"),
        ({"proof": "position", "location": None}, "position_needed"),
        ({"proof": "both", "location": None}, "position_needed"),
        ({"location": {"lng": 2.35, "lat": 48.85, "crs": "wgs84"}}, "bad_position"),
        ({"location": {"lng": 1e308, "lat": -1e308}}, "bad_position"),
        ({"location": {"lng": "NaN", "lat": 29.6}}, "invalid"),
        ({"radius_m": 4}, "invalid"),
        ({"name": "  "}, "invalid"),
    ],
)
def test_a_point_nowhere_is_refused(town: Town, more: dict[str, Any], code: str) -> None:
    body = {"name": "东门", "estate_id": town.a.estate_id, "location": at(town.a.centre)} | more
    refused(town.staff("community").post("/patrol/points", body), 422, code)


def test_points_and_plans_of_another_community_are_not_found(
    town: Town, lay_out: Callable[..., Round]
) -> None:
    round_ = lay_out(1)
    for role in ("community", "grid", "property"):
        stranger = town.staff(role, town.b)
        assert stranger.get(f"/patrol/points/{round_.points[0]}").status_code == 404
        assert stranger.get(f"/patrol/plans/{round_.plan_id}").status_code == 404
        assert stranger.get("/patrol/plans").json["items"] == []
        assert stranger.get("/patrol/points").json["items"] == []
    stranger = town.staff("community", town.b)
    tag = {"If-Match": '"1"'}
    assert stranger.patch(f"/patrol/points/{round_.points[0]}", {"name": "x"}, headers=tag).status_code == 404
    assert stranger.get(f"/patrol/points/{round_.points[0]}/code").status_code == 404
    assert stranger.post(f"/patrol/points/{round_.points[0]}/code").status_code == 404
    assert stranger.patch(f"/patrol/plans/{round_.plan_id}", {"name": "x"}, headers=tag).status_code == 404
    estate = {"name": "东门", "estate_id": town.a.estate_id}
    assert stranger.post("/patrol/points", estate).status_code == 404
    assert town.staff("street").get(f"/patrol/plans/{round_.plan_id}").status_code == 200


def test_who_walks_sees_the_plan_but_plans_nothing(town: Town, lay_out: Callable[..., Round]) -> None:
    for role in ("grid", "property"):
        round_ = lay_out(1, role=role)
        walker = round_.walker
        assert [p["plan_id"] for p in walker.get("/patrol/plans").json["items"]] == [round_.plan_id]
        assert walker.get(f"/patrol/points/{round_.points[0]}").status_code == 200
        assert walker.post("/patrol/plans", {}).status_code == 403
        assert walker.get(f"/patrol/points/{round_.points[0]}/code").status_code == 403
        assert walker.get("/patrol/zones").status_code == 403
        assert walker.post("/patrol/settings", {"max_speed_kmh": 100}).status_code == 403
    # Neither sees the other's plan.
    assert len(town.staff("grid").get("/patrol/plans").json["items"]) == 1
    assert len(town.staff("property").get("/patrol/plans").json["items"]) == 1
    assert len(town.staff("community").get("/patrol/plans").json["items"]) == 2


def test_a_plan_is_made_whole_or_not_at_all(town: Town) -> None:
    desk = town.staff("community")
    town.staff("property")
    point, _ = add_point(desk, town.a, 1)
    other, _ = add_point(desk, town.a, 2)
    foreign, _ = add_point(town.staff("community", town.b), town.b, 1)
    gone = ids.encode(Kind.PATROL_POINT, ids.Ref(town.a.id, uuid4()))
    elsewhere = {"estate_id": ids.encode(Kind.ESTATE, town.a.second_estate)}
    for points, more, code in (
        ([point], {"org_id": None}, "nobody"),
        ([point], {"org_id": town.b.property_id}, "unknown_org"),
        ([point], {"org_id": None, "grid_id": grid_id(town.b)}, "unknown_grid"),
        ([point], {"org_id": None, "grid_id": grid_id(town.a)}, "roster_empty"),  # nobody was hired for it
        ([point], {"walker_ids": [staff_id(desk)]}, "roster_empty"),
        ([point], {"valid_from": today(3), "valid_to": today(3)}, "dates_reversed"),
        ([point], {"valid_from": today(3), "valid_to": today(1)}, "dates_reversed"),
        ([point], {"valid_from": today(-1)}, "past_date"),
        ([point], {"windows": [{"from": "08:00", "to": "08:00"}]}, "bad_window"),
        ([point, other, point], {}, "point_twice"),
        ([point, foreign], {}, "unknown_point"),
        ([point, gone], {}, "unknown_point"),
        ([point], elsewhere, "unknown_point"),
        ([], {}, "invalid"),
        ([point], {"weekdays": [0]}, "invalid"),
        ([point], {"weekdays": []}, "invalid"),
    ):
        refused(desk.post("/patrol/plans", body_of(town, points, **more)), 422, code)
    assert desk.get("/patrol/plans").json["items"] == []
    english = desk.post(
        "/patrol/plans", body_of(town, [point], org_id=None), headers={"Accept-Language": "en"}
    )
    assert english.json["detail"] == "Say which organisation or grid walks this plan."
    assert english.json["errors"]["org_id"]


def test_a_retired_point_joins_no_plan(town: Town) -> None:
    desk = town.staff("community")
    town.staff("property")
    point, _ = add_point(desk, town.a, 1)
    done = desk.patch(f"/patrol/points/{point}", {"retired": True}, headers={"If-Match": '"1"'})
    assert done.json["retired_at"]
    refused(desk.post("/patrol/plans", body_of(town, [point])), 422, "unknown_point")
    assert desk.get("/patrol/points").json["items"] == []
    assert len(desk.get("/patrol/points", query_string={"retired": "true"}).json["items"]) == 1


def test_changes_ask_for_the_version_they_change(town: Town, lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    for path, change in (
        (f"/patrol/plans/{round_.plan_id}", {"name": "新名"}),
        (f"/patrol/points/{round_.points[0]}", {"name": "新名"}),
        (f"/patrol/zones/{grid_id(town.a)}", {"homes": 300}),
    ):
        assert round_.desk.patch(path, change).status_code == 428
        stale = round_.desk.patch(path, change, headers={"If-Match": '"77"'})
        refused(stale, 412, "stale_version")
    tag = round_.desk.get(f"/patrol/plans/{round_.plan_id}").headers["ETag"]
    done = round_.desk.patch(f"/patrol/plans/{round_.plan_id}", {"name": "新名"}, headers={"If-Match": tag})
    assert (done.status_code, done.json["name"], done.json["version"]) == (200, "新名", 2)
    assert done.json["valid_from"] == today()


def test_a_repeated_post_with_its_key_makes_one_plan(town: Town) -> None:
    desk = town.staff("community")
    town.staff("property")
    point, _ = add_point(desk, town.a, 1)
    key = {"Idempotency-Key": uuid4().hex}
    answers = [desk.post("/patrol/plans", body_of(town, [point]), headers=key) for _ in range(2)]
    assert answers[0].data == answers[1].data
    assert len(desk.get("/patrol/plans").json["items"]) == 1


def test_a_change_holds_from_its_day_and_leaves_the_days_before(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(3)
    path = f"/patrol/plans/{round_.plan_id}"
    changed = round_.desk.patch(path, {"points": round_.points[:1]}, headers={"If-Match": '"1"'})
    assert (len(changed.json["stops"]), changed.json["valid_from"]) == (1, today(1))
    assert len(round_.desk.get(path).json["stops"]) == 3
    again = {"points": round_.points[:2], "valid_from": today(1)}
    assert round_.desk.patch(path, again, headers={"If-Match": '"2"'}).status_code == 200
    asked_on = places.today()
    later(days=2)
    desk = town.hire("community", town.a)
    assert len(desk.get(path).json["stops"]) == 2
    for days, due in ((0, 3), (1, 2)):
        day = (asked_on + timedelta(days=days)).isoformat()
        assert round_.coverage(desk, **{"from": day})["totals"]["due"] == due


def test_a_plan_that_was_walked_today_changes_from_tomorrow(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(2)
    round_.start()
    path, tag = f"/patrol/plans/{round_.plan_id}", {"If-Match": '"1"'}
    change = {"points": round_.points[:1], "valid_from": today()}
    refused(round_.desk.patch(path, change, headers=tag), 409, "plan_under_way")
    assert round_.desk.patch(path, {"points": round_.points[:1]}, headers=tag).status_code == 200


def test_a_plan_ends_on_the_day_it_is_told_and_keeps_what_was_before(
    lay_out: Callable[..., Round],
) -> None:
    round_ = lay_out(2)
    path = f"/patrol/plans/{round_.plan_id}"
    refused(
        round_.desk.patch(path, {"valid_to": today()}, headers={"If-Match": '"1"'}), 422, "dates_reversed"
    )
    ended = round_.desk.patch(path, {"valid_to": today(1)}, headers={"If-Match": '"1"'})
    assert (ended.status_code, ended.json["valid_to"], len(ended.json["stops"])) == (200, today(1), 2)
    assert round_.coverage()["totals"]["open"] == 2
    assert round_.coverage(**{"from": today(1)})["totals"]["open"] == 0
    # Taken up again later, it begins with what it last asked for.
    back = round_.desk.patch(path, {"valid_from": today(3), "valid_to": None}, headers={"If-Match": '"2"'})
    assert (back.json["valid_from"], back.json["valid_to"], len(back.json["stops"])) == (today(3), None, 2)
    assert round_.coverage(**{"from": today(1), "to": today(4)})["totals"]["open"] == 4


def test_pages_of_points_follow_each_other_without_gap_or_repetition(town: Town) -> None:
    desk = town.staff("community")
    made = [add_point(desk, town.a, n)[0] for n in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        args = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = desk.get("/patrol/points", query_string=args).json
        seen += [item["point_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    assert desk.get("/patrol/points", query_string={"area": grid_id(town.a)}).json["items"]
    assert desk.get("/patrol/points", query_string={"area": grid_id(town.b)}).json["items"] == []
    assert desk.get("/patrol/points", query_string={"area": "nonsense"}).status_code == 422


def test_planning_leaves_its_mark_in_the_audit(
    lay_out: Callable[..., Round], owner: psycopg.Connection[Any]
) -> None:
    round_ = lay_out(1)
    rows = owner.execute(
        "SELECT action FROM audit_log WHERE community_id = %s AND action LIKE 'patrol.%%' ORDER BY id",
        [round_.where.id],
    ).fetchall()
    assert [action for (action,) in rows] == [
        "patrol.point_added", "patrol.plan_added",
    ]  # fmt: skip


def test_only_plans_in_force_are_listed_for_a_day(town: Town, lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1, valid_from=today(2), valid_to=today(4))

    def on(days: int, desk: Caller = round_.desk) -> int:
        return len(desk.get("/patrol/plans", query_string={"on": today(days)}).json["items"])

    assert [on(days) for days in (0, 1, 2, 3, 4)] == [0, 0, 1, 1, 0]
