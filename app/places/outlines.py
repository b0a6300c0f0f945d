"""Outlines of places: GeoJSON polygons as others send them, checked and kept in one form; estates drawn at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from app import audit, db
from app.audit import Actor
from app.errors import Invalid
from app.ids import Ref
from app.places import queries, rooms
from app.places.coordinates import Point, in_china
from app.places.models import Building
from app.places.queries import NEAR_M

MAX_POINTS = 5_000  # of one outline: an estate has some dozens
Box = tuple[float, float, float, float]


class BadOutline(Invalid):
    """The outline is no closed GeoJSON polygon inside China."""

    code = "bad_outline"
    zh = "边界不正确：应为国内的闭合多边形（GeoJSON）。"
    en = "The outline must be a closed GeoJSON polygon inside China."


class BadDrawing(Invalid):
    """Some features can't be drawn; `errors` names each by its number, and nothing was drawn."""

    code = "bad_drawing"
    zh = "有边界不能使用，请按提示修改；没有写入任何内容。"
    en = "Some outlines can't be taken; nothing was written."


_NO_BUILDING = ("这个小区没有这栋楼。", "The estate has no building of this name.")
_TWICE = ("同一栋楼或小区出现了两次。", "The same building, or the estate, occurs twice.")


def outline_of(given: Any) -> dict[str, Any]:
    """A Polygon or MultiPolygon (RFC 7946) in WGS-84 with its type and two numbers a point, and nothing else.

    Raises BadOutline: no polygon, a ring that isn't closed, more than 5,000 points, a place outside China.
    """
    try:
        kind, coordinates = given["type"], given["coordinates"]
        if kind not in {"Polygon", "MultiPolygon"}:
            raise BadOutline
        polygons = coordinates if kind == "MultiPolygon" else [coordinates]
        kept = [[[_point(point) for point in ring] for ring in polygon] for polygon in polygons]
    except (KeyError, TypeError, ValueError) as e:
        raise BadOutline from e
    rings = [ring for polygon in kept for ring in polygon]
    if not rings or not all(kept) or sum(map(len, rings)) > MAX_POINTS:
        raise BadOutline
    if not all(len(ring) >= 4 and ring[0] == ring[-1] for ring in rings):
        raise BadOutline
    if not all(in_china(Point(x, y)) for ring in rings for x, y in ring):
        raise BadOutline
    return {"type": kind, "coordinates": kept if kind == "MultiPolygon" else kept[0]}


def _point(given: Any) -> list[float]:
    x, y, *_ = given
    # A text would be kept as it is and trouble whoever computes with it later.
    if any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in (x, y)):
        raise BadOutline
    return [float(x), float(y)]


def box(centre: Point, outline: dict[str, Any] | None) -> Box:
    """The box around a kept outline, or around 300 m of a centre: min and max longitude, min and max latitude."""
    if outline is None:
        d_lat = NEAR_M / 111_320
        d_lng = d_lat / math.cos(math.radians(centre.lat))
        return centre.lng - d_lng, centre.lng + d_lng, centre.lat - d_lat, centre.lat + d_lat
    polygons = outline["coordinates"] if outline["type"] == "MultiPolygon" else [outline["coordinates"]]
    points = [point for polygon in polygons for ring in polygon for point in ring]
    lngs, lats = [p[0] for p in points], [p[1] for p in points]
    return min(lngs), max(lngs), min(lats), max(lats)


class Shape(NamedTuple):
    """One feature of a drawing: the building it outlines (any spelling), None for the estate itself."""

    building: str | None
    geometry: Any


def draw(reach: Collection[int], ref: Ref, shapes: Iterable[Shape], *, acting_user: Actor) -> int:
    """Draw an estate and its buildings anew from the features of one GeoJSON file, all or nothing; how many changed.

    Raises NotFound, BadDrawing.
    """
    estate = queries.governed_estate(reach, ref, lock=True)
    buildings = {rooms.building_key(b.name): b for b in queries.buildings_of(ref)}
    wrong: dict[str, list[tuple[str, str]]] = {}
    drawn: dict[str, tuple[Building | None, dict[str, Any]]] = {}
    for number, shape in enumerate(shapes):
        where = f"features.{number}"
        key = rooms.building_key(shape.building) if shape.building is not None else ""
        building = buildings.get(key)
        try:
            outline = outline_of(shape.geometry)
        except BadOutline:
            wrong[where] = [(BadOutline.zh, BadOutline.en)]
            continue
        if shape.building is not None and building is None:
            wrong[where] = [_NO_BUILDING]
        elif key in drawn:
            wrong[where] = [_TWICE]
        else:
            drawn[key] = (building, outline)
    if wrong:
        raise BadDrawing(errors=wrong)
    changed = 0
    for building, outline in drawn.values():
        place = building or estate
        if place.outline == outline:
            continue
        place.outline = outline
        place.version += 1
        changed += 1
        if building is None:
            estate.min_lng, estate.max_lng, estate.min_lat, estate.max_lat = box(
                Point(estate.lng, estate.lat), outline
            )
    db.session().flush()
    audit.record(
        acting_user,
        "estate.drawn",
        community_id=ref.community_id,
        object_kind="estate",
        object_id=ref.id,
        outlines=changed,
    )
    return changed
