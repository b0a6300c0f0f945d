"""Keeping the places: outlines and who is inside them, buildings, grids, organisations, and the dated tree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app import db, ids
from app.ids import Kind
from app.places import queries
from app.places.coordinates import Point
from app.places.registry_models import House
from tests.conftest import Caller, Person, Town


def community(number: int) -> str:
    return ids.encode(Kind.COMMUNITY, UUID(int=number))


def square(at: Point, half: float = 0.001) -> dict[str, Any]:
    """A square of that many degrees around a point."""
    west, east, south, north = at.lng - half, at.lng + half, at.lat - half, at.lat + half
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def change(caller: Caller, path: str, body: dict[str, Any]) -> Any:
    """PATCH what is there now."""
    seen = caller.get(path)
    assert seen.status_code == 200, seen.text
    return caller.patch(path, body, headers={"If-Match": f'"{seen.json["version"]}"'})


def here(person: Person, at: Point) -> str | None:
    answer = person.get("/places/here", query_string={"lng": at.lng, "lat": at.lat, "crs": "wgs84"})
    assert answer.status_code == 200, answer.text
    return answer.json["estate"] and answer.json["estate"]["estate_id"]


# --- outlines --------------------------------------------------------------------------------------------


def test_an_estate_drawn_anew_is_here_where_its_outline_is(
    town: Town, resident: Callable[..., Person]
) -> None:
    wang = resident()
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    far = Point(town.a.centre.lng + 0.005, town.a.centre.lat + 0.02)
    assert here(wang, far) is None
    drawn = change(town.staff("community"), f"/areas/{second}", {"outline": square(far)})
    assert drawn.status_code == 200, drawn.text
    assert drawn.json["outline"]["type"] == "Polygon"
    assert here(wang, far) == second
    # Where an outline is drawn, near its centre is no longer enough.
    assert here(wang, Point(town.a.centre.lng + 0.005, town.a.centre.lat)) is None


BAD_OUTLINES: dict[str, Any] = {
    "a point": {"type": "Point", "coordinates": [106.5, 29.6]},
    "an open ring": {"type": "Polygon", "coordinates": [[[106, 29], [107, 29], [107, 30], [106, 30]]]},
    "texts for numbers": {
        "type": "Polygon",
        "coordinates": [[["106", "29"], ["107", "29"], ["107", "30"], ["106", "29"]]],
    },
    "abroad": {"type": "Polygon", "coordinates": [[[2, 48], [3, 48], [3, 49], [2, 48]]]},
    "latitude first": {"type": "Polygon", "coordinates": [[[29, 106], [29, 107], [30, 107], [29, 106]]]},
    "no rings": {"type": "Polygon", "coordinates": []},
    "an empty polygon": {"type": "MultiPolygon", "coordinates": [[]]},
    "no coordinates": {"type": "Polygon"},
    "too many points": {
        "type": "Polygon",
        "coordinates": [[[106.5, 29.6], *[[106.5 + n * 1e-6, 29.6] for n in range(5001)], [106.5, 29.6]]],
    },
}


@pytest.mark.parametrize("case", sorted(BAD_OUTLINES))
def test_what_is_no_polygon_is_refused_for_every_kind_of_place(
    town: Town, add_house: Callable[..., House], case: str
) -> None:
    desk = town.staff("community")
    house = add_house("101", 9000)
    building = desk.get("/buildings", query_string={"estate_id": town.a.estate_id}).json["items"][0]
    paths = [
        f"/areas/{town.a.estate_id}",
        f"/buildings/{building['building_id']}",
        f"/grids/{ids.encode(Kind.GRID, town.a.grid)}",
        f"/houses/{ids.encode(Kind.HOUSE, ids.Ref(house.community_id, house.id))}",
    ]
    for path in paths:
        refused = change(desk, path, {"outline": BAD_OUTLINES[case]})
        assert (refused.status_code, refused.json["code"]) == (422, "bad_outline"), path
        kept = desk.get(path).json["outline"]
        assert kept is None or kept["type"] == "Polygon"


def test_a_whole_estate_is_drawn_from_one_file_or_not_at_all(
    town: Town, add_house: Callable[..., House], resident: Callable[..., Person]
) -> None:
    desk = town.staff("community")
    add_house("101", 9000)
    add_house("101", 9000, building="2栋")
    path = f"/areas/{town.a.estate_id}/outlines"
    at = Point(town.a.centre.lng, town.a.centre.lat + 0.02)

    def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
        return {"type": "Feature", "id": 7, "geometry": geometry, "properties": properties}

    good = [
        feature(square(at)),
        feature(square(at, 0.0002), building="01幢"),
        feature(square(at, 0.0003), building="2栋"),
    ]
    bad = [
        *good,
        feature(square(at), building="9栋"),
        feature(BAD_OUTLINES["abroad"]),
        feature(square(at), building="一号楼"),
    ]
    refused = desk.post(path, {"type": "FeatureCollection", "features": bad})
    assert (refused.status_code, refused.json["code"]) == (422, "bad_drawing")
    assert sorted(refused.json["errors"]) == ["features.3", "features.4", "features.5"]
    wang = resident()
    assert here(wang, at) is None
    drawn = desk.post(path, {"type": "FeatureCollection", "features": good})
    assert (drawn.status_code, drawn.json) == (200, {"changed": 3}), drawn.text
    assert desk.post(path, {"type": "FeatureCollection", "features": good}).json == {"changed": 0}
    assert here(wang, at) == town.a.estate_id
    first = desk.get("/buildings", query_string={"estate_id": town.a.estate_id}).json["items"][0]
    assert desk.get(f"/buildings/{first['building_id']}").json["outline"] == square(at, 0.0002)
    stranger = town.staff("community", town.b)
    assert stranger.post(path, {"type": "FeatureCollection", "features": good}).status_code == 404


# --- grids and organisations -----------------------------------------------------------------------------


def test_a_grid_covers_buildings_from_a_day_on(
    town: Town, add_house: Callable[..., House], later: Callable[..., Any]
) -> None:
    desk = town.staff("community")
    add_house("101", 9000)
    building = desk.get("/buildings", query_string={"estate_id": town.a.estate_id}).json["items"][0]
    made = desk.post(
        "/grids",
        {"community_id": community(town.a.id), "code": "02", "name": "第二网格", "covers": []},
    )
    assert made.status_code == 201, made.text
    path = f"/grids/{made.json['grid_id']}"
    tomorrow = (queries.today() + timedelta(days=1)).isoformat()
    covers = [{"estate_id": town.a.estate_id, "building_id": building["building_id"]}]
    assert change(desk, path, {"covers": covers, "since": tomorrow}).status_code == 200
    assert desk.get(path).json["covers"] == []
    later(days=1)
    desk = town.hire("community", town.a)
    assert desk.get(path).json["covers"] == covers
    taken = desk.post("/grids", {"community_id": community(town.a.id), "code": "02", "name": "重号"})
    assert (taken.status_code, taken.json["code"]) == (409, "name_taken")
    foreign = [{"estate_id": town.b.estate_id}]
    assert change(desk, path, {"covers": foreign}).status_code == 404


def test_what_an_organisation_answers_for_is_dated(town: Town, later: Callable[..., Any]) -> None:
    street = town.staff("street")
    made = street.post(
        "/orgs",
        {
            "kind": "property_company",
            "name": "新物业",
            "region_id": community(town.a.id),
            "phone": "023-1234567",
        },
    )
    assert made.status_code == 201, made.text
    path = f"/orgs/{made.json['org_id']}/responsibilities"
    org_id = ids.decode_id(Kind.ORG, made.json["org_id"])
    today = queries.today()
    place = {"community_id": community(town.a.id), "estate_id": town.a.estate_id}

    def serves() -> bool:
        with db.reading():
            return queries.serves(org_id, community_id=town.a.id, estate_id=town.a.estate.id)

    begun = street.post(path, place | {"since": (today + timedelta(days=1)).isoformat()})
    assert begun.status_code == 200, begun.text
    assert not serves()
    later(days=1)
    assert serves()
    street = town.hire("street", town.a)
    ended = street.post(path, place | {"until": (today + timedelta(days=3)).isoformat()})
    assert ended.json["responsibilities"][0]["until"] == (today + timedelta(days=3)).isoformat()
    assert serves()
    later(days=2)
    assert not serves()


def test_an_organisation_answers_for_a_class_of_the_tree_and_for_no_other_word(town: Town) -> None:
    street = town.staff("street")
    path = f"/orgs/{town.a.desk_id}/responsibilities"
    place = {"community_id": community(town.a.id)}
    refused = street.post(path, place | {"category": "no_such_class"})
    assert (refused.status_code, refused.json["code"]) == (422, "unknown_category")
    taken = street.post(path, place | {"category": "lighting"})
    assert taken.status_code == 200, taken.text
    assert [r["category"] for r in taken.json["responsibilities"]] == ["lighting"]


# --- the dated tree --------------------------------------------------------------------------------------


def test_an_estate_that_moves_is_governed_by_the_other_community_and_its_rows_stay(
    town: Town, add_house: Callable[..., House], later: Callable[..., Any], owner: psycopg.Connection[Any]
) -> None:
    add_house("101", 9000)
    path = f"/estates/{town.a.estate_id}/houses"
    before = town.staff("community").get(path).json["items"]
    tomorrow = queries.today() + timedelta(days=1)
    area = f"/areas/{town.a.estate_id}"
    body = {"governed_by": community(town.b.id), "since": tomorrow.isoformat()}
    moved = change(town.staff("street"), area, body)
    assert moved.status_code == 200, moved.text
    # What is decided for tomorrow doesn't hold today.
    assert moved.json["governed_by"] == community(town.a.id)
    assert town.staff("community").get(path).status_code == 200
    assert town.staff("community", town.b).get(path).status_code == 404
    early = change(town.staff("street"), area, body | {"governed_by": community(town.a.id)})
    assert (early.status_code, early.json["code"]) == (422, "not_after")
    later(days=1)
    assert town.hire("community", town.a).get(path).status_code == 404
    new_desk = town.hire("community", town.b)
    assert new_desk.get(path).json["items"] == before
    assert new_desk.get(area).json["governed_by"] == community(town.b.id)
    terms = owner.execute(
        "SELECT governed_by, valid_to FROM estate_terms WHERE community_id = %s AND estate_id = %s ORDER BY valid_from",
        town.a.estate,
    ).fetchall()
    assert terms == [(town.a.id, tomorrow), (town.b.id, None)]


def test_a_district_that_merges_is_a_change_in_data_and_the_old_tree_stays_readable(
    town: Town, later: Callable[..., Any]
) -> None:
    street = town.staff("street")

    def add(kind: str, name: str, parent: str | None = None) -> str:
        made = street.post("/regions", {"kind": kind, "name": name, "parent_id": parent})
        assert made.status_code == 201, made.text
        return str(made.json["region_id"])

    def parent_of(region: str, on: date | None = None) -> str | None:
        rows = street.get("/regions", query_string={"on": on.isoformat()} if on else {}).json["items"]
        return next(row["parent_id"] for row in rows if row["region_id"] == region)

    office = community(town.street)
    old = add("district", "江北区")
    assert street.post(f"/regions/{office}/move", {"parent_id": old}).status_code == 200
    # The merged district lies in the city, and both existed before the day.
    city = add("city", "重庆市")
    assert street.post(f"/regions/{old}/move", {"parent_id": city}).status_code == 200
    new = add("district", "两江新区", city)
    today = queries.today()
    day = today + timedelta(days=10)
    body = {"parent_id": new, "since": day.isoformat()}
    merged = street.post(f"/regions/{office}/move", body)
    assert merged.status_code == 200, merged.text
    assert parent_of(office) == old
    later(days=10)
    street = town.hire("street", town.a)
    assert parent_of(office) == new
    assert parent_of(office, today) == old
    # Everybody still sees what is theirs.
    assert {row["estate_id"] for row in street.get("/areas").json["items"]} >= {
        town.a.estate_id,
        town.b.estate_id,
    }
    assert town.hire("community", town.a).get(f"/areas/{town.a.estate_id}").status_code == 200
    early = street.post(f"/regions/{office}/move", {"parent_id": old, "since": today.isoformat()})
    assert (early.status_code, early.json["code"]) == (422, "not_after")


def test_nobody_takes_a_foreign_community_under_her_own_street(
    town: Town, make_town: Callable[[], Town]
) -> None:
    other = make_town()
    street = town.staff("street")
    taken = street.post(f"/regions/{community(other.a.id)}/move", {"parent_id": community(town.street)})
    assert taken.status_code == 404
    upside_down = street.post(f"/regions/{community(town.street)}/move", {"parent_id": community(town.a.id)})
    assert (upside_down.status_code, upside_down.json["code"]) == (409, "not_below")
    assert town.staff("community").post("/regions", {"kind": "city", "name": "市"}).status_code == 403
