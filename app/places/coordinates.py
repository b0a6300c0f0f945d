"""WGS-84 (GPS, EXIF) and GCJ-02 (WeChat's map): the same lamp lies about 500 m apart in the two.

The published approximation of the GCJ-02 offset on the Krasovsky 1940 ellipsoid; the way back is found by
iteration and agrees to better than 0.1 m.
"""

from __future__ import annotations

import itertools
import math
from enum import StrEnum
from typing import Any, NamedTuple

_A = 6378245.0  # Krasovsky 1940, metres
_E2 = 0.00669342162296594323
_EARTH_M = 6371008.8  # mean radius, metres


class Crs(StrEnum):
    """The coordinate system that a caller's numbers are in."""

    GCJ02 = "gcj02"
    WGS84 = "wgs84"


class Point(NamedTuple):
    """Longitude and latitude in degrees."""

    lng: float
    lat: float


def in_china(point: Point) -> bool:
    """Is the point inside the box around China (73.4-135.1 E, 3.8-53.6 N)? NaN and infinity are not."""
    return 73.4 <= point.lng <= 135.1 and 3.8 <= point.lat <= 53.6


def _offset(point: Point) -> Point:
    x, y = point.lng - 105.0, point.lat - 35.0
    wave = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + wave
    d_lat += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    d_lat += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    d_lng = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + wave
    d_lng += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    d_lng += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    phi = math.radians(point.lat)
    magic = 1 - _E2 * math.sin(phi) ** 2
    return Point(
        d_lng * 180.0 / (_A / math.sqrt(magic) * math.cos(phi) * math.pi),
        d_lat * 180.0 / (_A * (1 - _E2) / (magic * math.sqrt(magic)) * math.pi),
    )


def to_gcj02(point: Point) -> Point:
    """The GCJ-02 position of a WGS-84 point in China."""
    shift = _offset(point)
    return Point(point.lng + shift.lng, point.lat + shift.lat)


def to_wgs84(point: Point) -> Point:
    """The WGS-84 position of a GCJ-02 point in China."""
    guess = point
    for _ in range(6):
        there = to_gcj02(guess)
        guess = Point(guess.lng + point.lng - there.lng, guess.lat + point.lat - there.lat)
    return guess


def distance_m(a: Point, b: Point) -> float:
    """Metres between two points of the same system, on the sphere (haversine)."""
    phi_a, phi_b = math.radians(a.lat), math.radians(b.lat)
    half = math.sin((phi_b - phi_a) / 2) ** 2
    half += math.cos(phi_a) * math.cos(phi_b) * math.sin(math.radians(b.lng - a.lng) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(half))


def contains(outline: dict[str, Any], point: Point) -> bool:
    """Does a GeoJSON Polygon or MultiPolygon contain the point? Holes are outside (even-odd rule)."""
    coordinates = outline["coordinates"]
    polygons = coordinates if outline["type"] == "MultiPolygon" else [coordinates]
    inside = False
    for ring in itertools.chain.from_iterable(polygons):
        for (x1, y1, *_), (x2, y2, *_) in itertools.pairwise(ring):
            crosses = (y1 > point.lat) != (y2 > point.lat)
            if crosses and point.lng < (x2 - x1) * (point.lat - y1) / (y2 - y1) + x1:
                inside = not inside
    return inside


def outside_m(outline: dict[str, Any], point: Point) -> float:
    """Metres from the point to the outline (GeoJSON Polygon or MultiPolygon); 0 inside. Meant for a few kilometres."""
    if contains(outline, point):
        return 0.0
    coordinates = outline["coordinates"]
    polygons = coordinates if outline["type"] == "MultiPolygon" else [coordinates]
    narrow = math.cos(math.radians(point.lat))
    nearest = math.inf
    for ring in itertools.chain.from_iterable(polygons):
        for (x1, y1, *_), (x2, y2, *_) in itertools.pairwise(ring):
            # On a plane around the point, in degrees of latitude.
            ax, ay, dx, dy = (x1 - point.lng) * narrow, y1 - point.lat, (x2 - x1) * narrow, y2 - y1
            length = dx * dx + dy * dy
            along = min(1.0, max(0.0, -(ax * dx + ay * dy) / length)) if length else 0.0
            nearest = min(nearest, math.hypot(ax + along * dx, ay + along * dy))
    return math.radians(nearest) * _EARTH_M
