"""Where an after-photo was taken: kept for who verifies, compared with where the problem is, then erased."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app import ids
from app.ids import Kind
from app.places.coordinates import Point, distance_m, outside_m, to_wgs84
from tests.conftest import Person, Town, camera
from workers import jobs

M_PER_DEGREE = 111_195.0


def moved(point: Point, *, east_m: float = 0.0, north_m: float = 0.0) -> Point:
    narrow = math.cos(math.radians(point.lat))
    return Point(point.lng + east_m / M_PER_DEGREE / narrow, point.lat + north_m / M_PER_DEGREE)


def proved(town: Town, ticket_id: str, at: Point | None) -> str:
    """Resolve with a photo taken there."""
    town.bring(ticket_id, "accept", "dispatch", "start")
    keeper = town.staff("property")
    lng, lat = at if at is not None else (None, None)
    file_id = keeper.upload("/files", camera(lng=lng, lat=lat), purpose="after_photo").json["file_id"]
    answer = keeper.post(f"/tickets/{ticket_id}/resolve", {"note": "修好了", "photo_ids": [file_id]})
    assert answer.status_code == 200, answer.text
    return ticket_id


def is_flagged(town: Town, ticket_id: str) -> bool:
    flags = town.staff("grid").get(f"/tickets/{ticket_id}").json["closure_flags"]
    assert all(flag["text"] for flag in flags)
    return "taken_far" in {flag["code"] for flag in flags}


def taken_at(town: Town, role: str, ticket_id: str) -> Point | None:
    photos = town.staff(role).get(f"/tickets/{ticket_id}").json["photos"]
    there = next(photo["position"] for photo in photos if photo["stage"] == "after")
    return to_wgs84(Point(there["lng"], there["lat"])) if there else None


def reported(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "property"} | more))["ticket_id"])


def at(point: Point, **more: Any) -> dict[str, Any]:
    return {"location": {"lng": point.lng, "lat": point.lat, "crs": "wgs84"} | more}


def test_a_proof_from_another_place_is_flagged_and_blocks_nothing(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, centre = resident(), town.a.centre
    cases = [
        (at(centre), 0, False),
        (at(centre), 190, False),
        (at(centre), 210, True),
        (at(centre, accuracy_m=100), 290, False),
        (at(centre, accuracy_m=100), 310, True),
    ]
    for place, away, expected in cases:
        ticket_id = proved(town, reported(wang, town, **place), moved(centre, north_m=away))
        assert is_flagged(town, ticket_id) is expected, (place, away)
        done = town.staff("grid").post(f"/tickets/{ticket_id}/verify", {"passed": True})
        assert done.status_code == 200
    assert not is_flagged(town, proved(town, reported(wang, town, **at(centre)), None))


def test_where_only_the_estate_is_known_its_outline_or_centre_counts(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, centre = resident(), town.a.centre
    edge = 0.002 * M_PER_DEGREE  # of the first estate's square; the second has no outline
    for away, expected in ((edge + 490, False), (edge + 510, True)):
        ticket_id = proved(town, reported(wang, town), moved(centre, north_m=away))
        assert is_flagged(town, ticket_id) is expected, away
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    middle = Point(centre.lng + 0.005, centre.lat)
    desk = town.staff("community")
    for away, expected in ((490, False), (510, True)):
        ticket_id = reported(wang, town, estate_id=second)
        proved(town, ticket_id, moved(middle, north_m=away))
        flags = {flag["code"] for flag in desk.get(f"/tickets/{ticket_id}").json["closure_flags"]}
        assert ("taken_far" in flags) is expected, away


def test_it_is_shown_to_who_may_see_positions_and_erased_thirty_days_after_the_end(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any]
) -> None:
    there = moved(town.a.centre, north_m=50)
    ticket_id = proved(town, reported(resident(), town), there)
    for role in ("street", "community"):
        seen = taken_at(town, role, ticket_id)
        assert seen is not None
        assert distance_m(seen, there) < 1
    for role in ("grid", "property"):
        assert taken_at(town, role, ticket_id) is None
    town.bring(ticket_id, "verify", "close")
    for days, is_kept in ((29, True), (2, False)):
        later(days=days)
        jobs.erase_positions()
        town.a.staff.clear()
        assert (taken_at(town, "community", ticket_id) is not None) is is_kept


@pytest.mark.parametrize("purpose", ["after_photo", "report_photo"])
def test_where_staff_stood_is_kept_of_no_other_picture(
    town: Town, owner: psycopg.Connection[Any], purpose: str
) -> None:
    grid = town.staff("grid")
    file_id = grid.upload("/files", camera(), purpose=purpose).json["file_id"]
    upload_id = ids.decode_id(Kind.UPLOAD, file_id)
    kept = "SELECT position_sealed IS NOT NULL FROM {} WHERE id = %s"
    assert owner.execute(kept.format("uploads"), (upload_id,)).fetchone() == (purpose == "after_photo",)
    body = {"channel": "patrol", "estate_id": town.a.estate_id, "category": "noise", "text": "有噪音"}
    answer = grid.post("/tickets", body | {"photo_ids": [file_id]})
    assert answer.status_code == 201, answer.text
    for table in ("uploads", "photos"):
        assert owner.execute(kept.format(table), (upload_id,)).fetchone() == (False,)


def test_how_far_a_point_lies_from_an_outline() -> None:
    middle = Point(116.4, 39.9)
    ring = [
        moved(middle, east_m=e, north_m=n) for e, n in ((-100, -100), (100, -100), (100, 100), (-100, 100))
    ]
    square = {"type": "Polygon", "coordinates": [[list(p) for p in (*ring, ring[0])]]}
    assert outside_m(square, middle) == 0
    assert outside_m(square, moved(middle, east_m=350)) == pytest.approx(250, abs=1)
    assert outside_m(square, moved(middle, east_m=400, north_m=500)) == pytest.approx(500, abs=1)
    both = {
        "type": "MultiPolygon",
        "coordinates": [
            square["coordinates"],
            [[[117.0, 39.9], [117.1, 39.9], [117.0, 40.0], [117.0, 39.9]]],
        ],
    }
    assert outside_m(both, moved(middle, north_m=-160)) == pytest.approx(60, abs=1)
