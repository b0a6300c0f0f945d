"""Which estate is here, and finding it by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app import db
from app.audit import SYSTEM
from app.places import queries as places_queries
from app.places import service as places
from app.places.coordinates import Point, to_gcj02
from tests.conftest import Person, Town


def here(person: Person, point: Point, crs: str) -> Any:
    answer = person.get("/places/here", query_string={"lng": point.lng, "lat": point.lat, "crs": crs})
    assert answer.status_code == 200, answer.text
    return answer.json["estate"]


def test_the_same_spot_in_either_system_finds_the_same_estate(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, centre = resident(), town.a.centre
    # The corner of the outline is nearer than the two systems lie apart.
    for spot in (centre, Point(centre.lng + 0.0019, centre.lat - 0.0019)):
        assert here(wang, spot, "wgs84")["estate_id"] == town.a.estate_id
        assert here(wang, to_gcj02(spot), "gcj02")["estate_id"] == town.a.estate_id
    outside = Point(centre.lng - 0.0021, centre.lat)
    assert here(wang, outside, "wgs84") is None
    assert here(wang, to_gcj02(outside), "gcj02") is None
    default = wang.get("/places/here", query_string=dict(zip(("lng", "lat"), to_gcj02(centre), strict=True)))
    assert default.json["estate"]["estate_id"] == town.a.estate_id  # WeChat's map is what callers have


def test_an_estate_without_an_outline_reaches_three_hundred_metres(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, centre = resident(), Point(town.a.centre.lng + 0.005, town.a.centre.lat)
    near, far = Point(centre.lng, centre.lat + 0.0026), Point(centre.lng, centre.lat + 0.0028)
    assert here(wang, near, "wgs84")["name"].endswith("二期")
    assert here(wang, far, "wgs84") is None


@pytest.mark.parametrize(
    "spot",
    [
        {"lng": "nan", "lat": "29"},
        {"lng": "106", "lat": "inf"},
        {"lng": "-106", "lat": "29"},
        {"lng": "1e999", "lat": "29"},
        {"lng": "106.6,1", "lat": "29"},
        {"lng": "106.6"},
        {"lng": "106.6", "lat": "29.6", "crs": "bd09"},
        {"lng": "106.6", "lat": "29.6", "crs": ""},
    ],
)
def test_a_position_that_is_none_is_refused(resident: Callable[..., Person], spot: dict[str, str]) -> None:
    answer = resident().get("/places/here", query_string=spot)
    assert answer.status_code == 422
    assert answer.json["errors"]


def test_an_estate_is_found_by_any_part_of_its_name_taken_literally(
    resident: Callable[..., Person], town: Town
) -> None:
    names = ["百分%百小区", "下划_线苑", "引'号\"园", "反\\斜杠", "普通花园"]
    mark = f"标{town.street}"
    with db.transaction():
        for name in names:
            places.add_estate(
                community_id=town.a.id,
                name=mark + name,
                centre=town.a.centre,
                since=places_queries.today(),
                acting_user=SYSTEM,
            )
    wang = resident()

    def found(q: str) -> list[str]:
        answer = wang.get("/estates", query_string={"q": q, "limit": 100})
        assert answer.status_code == 200, answer.text
        return sorted(
            e["name"].removeprefix(mark) for e in answer.json["items"] if e["name"].startswith(mark)
        )

    assert found(mark) == sorted(names)
    for name in names:
        assert found(name) == [name]
    assert found("分%百") == ["百分%百小区"]
    assert found("划_线") == ["下划_线苑"]
    assert found("百_百") == []
    assert found("划%线") == []
    assert found("斜\\") == []
    assert found("\\") == ["反\\斜杠"]
    assert found("' OR '1'='1") == []


def test_the_list_of_estates_keeps_to_its_limit(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    assert len(wang.get("/estates", query_string={"limit": 2}).json["items"]) == 2
    for wrong in ("0", "101", "-1", "x", "1.5"):
        assert wang.get("/estates", query_string={"limit": wrong}).status_code == 422


def test_a_list_that_has_not_changed_is_not_sent_again(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    first = wang.get("/estates", query_string={"q": f"甲{town.a.id}社区"})
    again = wang.get(
        "/estates",
        query_string={"q": f"甲{town.a.id}社区"},
        headers={"If-None-Match": first.headers["ETag"]},
    )
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
