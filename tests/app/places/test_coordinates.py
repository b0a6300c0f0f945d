"""Between what WeChat's map says and what GPS says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.places.coordinates import Point, contains, distance_m, in_china, to_gcj02, to_wgs84

lngs = st.floats(73.5, 135.0, allow_nan=False)
lats = st.floats(3.9, 53.5, allow_nan=False)


@given(lngs, lats)
def test_there_and_back_is_within_ten_centimetres_everywhere_in_china(lng: float, lat: float) -> None:
    point = Point(lng, lat)
    assert distance_m(to_wgs84(to_gcj02(point)), point) < 0.1
    assert distance_m(to_gcj02(to_wgs84(point)), point) < 0.1


def test_the_two_systems_lie_half_a_kilometre_apart_in_chongqing() -> None:
    # Taking one for the other would send a handler to another estate.
    chongqing = Point(106.61, 29.61)
    assert 300 < distance_m(chongqing, to_gcj02(chongqing)) < 700


def test_neither_nan_nor_infinity_nor_abroad_is_in_china() -> None:
    inside = Point(106.61, 29.61)
    assert in_china(inside)
    nan, inf = float("nan"), float("inf")
    for wrong in (nan, inf, -inf, 0.0, 180.0, -106.61, 1e308):
        assert not in_china(Point(wrong, inside.lat))
        assert not in_china(Point(inside.lng, wrong))


def test_an_outline_contains_its_inside_but_not_its_hole() -> None:
    square = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0], [0.0, 0.0]]
    hole = [[1.0, 1.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0], [1.0, 1.0]]
    far = [[[9.0, 9.0], [10.0, 9.0], [10.0, 10.0], [9.0, 9.0]]]
    polygon: dict[str, object] = {"type": "Polygon", "coordinates": [square, hole]}
    both: dict[str, object] = {"type": "MultiPolygon", "coordinates": [[square, hole], far]}
    for outline in (polygon, both):
        assert contains(outline, Point(3.0, 3.0))
        assert not contains(outline, Point(1.5, 1.5))
        assert not contains(outline, Point(5.0, 3.0))
    assert contains(both, Point(9.8, 9.5))
    assert not contains(polygon, Point(9.8, 9.5))
