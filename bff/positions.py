"""Positions on the wire, the same for every face."""

from __future__ import annotations

from typing import Any

from app.places.coordinates import Crs, Point, to_gcj02


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
