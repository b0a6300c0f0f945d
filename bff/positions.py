"""Positions on the wire, the same for every face."""

from __future__ import annotations

from typing import Any

from app.places.coordinates import Crs, Point, to_gcj02, to_wgs84
from app.tickets.errors import BadPosition
from app.tickets.service import Location


def location_in(place: dict[str, Any] | None) -> Location | None:
    """The place of a report in WGS-84, from lng, lat, crs, accuracy_m (metres) and address. Raises BadPosition."""
    if not place:
        return None
    point = Point(place["lng"], place["lat"])
    try:
        point = to_wgs84(point) if place["crs"] is Crs.GCJ02 else point
    except (ValueError, OverflowError) as e:
        raise BadPosition(errors={"location": [(BadPosition.zh, BadPosition.en)]}) from e
    return Location(point, place["accuracy_m"], place["address"])


def location_out(point: Point, accuracy_m: float | None = None, address: str | None = None) -> dict[str, Any]:
    """A stored WGS-84 position as the mini-program's map wants it (GCJ-02, about 0.1 m)."""
    there = to_gcj02(point)
    return {
        "lng": round(there.lng, 6),
        "lat": round(there.lat, 6),
        "crs": Crs.GCJ02.value,
        "accuracy_m": accuracy_m,
        "address": address,
    }
