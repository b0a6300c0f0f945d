"""Outlines of places as a picture: longitude and latitude onto a plane, north up, without a map of anybody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

SIDE = 400  # of the picture's longer side
MARGIN = 10


class Outline(NamedTuple):
    """A named outline in WGS-84. `kind`: estate | building."""

    kind: str
    name: str
    geometry: dict[str, Any]


class Shape(NamedTuple):
    """A path of the picture."""

    kind: str
    name: str
    path: str


class Plan(NamedTuple):
    """A picture: its size and its paths."""

    width: float
    height: float
    shapes: list[Shape]


def _rings(geometry: dict[str, Any]) -> list[list[list[float]]]:
    if geometry["type"] == "MultiPolygon":
        return [ring for polygon in geometry["coordinates"] for ring in polygon]
    return list(geometry["coordinates"])


def draw(outlines: Sequence[Outline]) -> Plan | None:
    """These outlines in one picture, the first one at the bottom; None where there are none."""
    points = [point for outline in outlines for ring in _rings(outline.geometry) for point in ring]
    if not points:
        return None
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    south, north = min(p[1] for p in points), max(p[1] for p in points)
    narrow = math.cos(math.radians((south + north) / 2))
    scale = (SIDE - 2 * MARGIN) / max((east - west) * narrow, north - south, 1e-9)

    def at(point: list[float]) -> str:
        x, y = (point[0] - west) * narrow * scale + MARGIN, (north - point[1]) * scale + MARGIN
        return f"{x:.1f},{y:.1f}"

    shapes = [
        Shape(
            outline.kind,
            outline.name,
            "".join(f"M{'L'.join(map(at, ring))}Z" for ring in _rings(outline.geometry)),
        )
        for outline in outlines
    ]
    width, height = (east - west) * narrow * scale + 2 * MARGIN, (north - south) * scale + 2 * MARGIN
    return Plan(round(width, 1), round(height, 1), shapes)
