"""A plan of estates and open tickets as shapes of an SVG: where each point lies, which dots are drawn as one.

Outlines are WGS-84; within a street the earth is flat: degrees of longitude are shortened by the latitude's cosine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

WIDTH, MOST_HEIGHT = 1000.0, 900.0
MARGIN = 40.0
NOMINAL_M = 60.0  # how far an estate without an outline is drawn around its centre
CELL = 46.0  # dots nearer than this are drawn as one
ABOVE = 16.0  # from an estate's upper edge to its name
RING = 23.0  # between dots that would lie on one another, in a plan of one estate
M_PER_DEGREE = 111_320.0

Pair = tuple[float, float]


class Area(NamedTuple):
    """A shape. `path`: of an SVG; `label_at`: where its name stands; `is_drawn`: not only a guess around its centre."""

    id: str
    kind: str
    name: str
    path: str
    label_at: Pair
    is_drawn: bool


class Dot(NamedTuple):
    """One ticket or several. `tone`: late | soon | calm | standing, of the most pressing of them."""

    at: Pair
    tone: str
    tickets: list[dict[str, Any]]
    estate_id: str | None


class Plan(NamedTuple):
    """What is drawn, and what has no place on it. `undrawn`: estates without an outline."""

    height: float
    areas: list[Area]
    dots: list[Dot]
    undrawn: list[dict[str, Any]]
    nowhere: list[dict[str, Any]]


_ORDER = ("late", "soon", "calm", "standing")


def _rings(outline: dict[str, Any] | None) -> list[list[Pair]]:
    if outline is None:
        return []
    polygons = outline["coordinates"] if outline["type"] == "MultiPolygon" else [outline["coordinates"]]
    return [[(x, y) for x, y, *_ in ring] for polygon in polygons for ring in polygon]


def _around(centre: dict[str, float]) -> list[Pair]:
    """A ring of eight corners around a centre."""
    north = NOMINAL_M / M_PER_DEGREE
    east = north / math.cos(math.radians(centre["lat"]))
    turns = [math.pi * n / 4 for n in range(8)]
    return [(centre["lng"] + east * math.cos(a), centre["lat"] + north * math.sin(a)) for a in turns]


class _Frame:
    """From degrees to the picture."""

    def __init__(self, points: Sequence[Pair]) -> None:
        lngs, lats = [p[0] for p in points], [p[1] for p in points]
        self.west, self.north = min(lngs), max(lats)
        self.squeeze = math.cos(math.radians((min(lats) + max(lats)) / 2))
        wide = max((max(lngs) - min(lngs)) * self.squeeze, 1e-5)
        tall = max(max(lats) - min(lats), 1e-5)
        self.scale = min((WIDTH - 2 * MARGIN) / wide, (MOST_HEIGHT - 2 * MARGIN) / tall)
        self.left = (WIDTH - wide * self.scale) / 2
        self.height = tall * self.scale + 2 * MARGIN

    def at(self, point: Pair) -> Pair:
        return (
            round((point[0] - self.west) * self.squeeze * self.scale + self.left, 1),
            round((self.north - point[1]) * self.scale + MARGIN, 1),
        )

    def path(self, rings: Iterable[Sequence[Pair]]) -> str:
        drawn = ("L".join(f"{x} {y}" for x, y in map(self.at, ring)) for ring in rings)
        return "".join(f"M{ring}Z" for ring in drawn)


def drawn(plan: dict[str, Any], *, tones: dict[str, str], spread: bool) -> Plan | None:
    """The picture of a plan (as the JSON face gives it); None when nothing in it has a place.

    `tones`: by ticket_id; `spread`: dots on one another are fanned out instead of drawn as one.
    """
    estates = {area["id"]: area for area in plan["areas"] if area["kind"] == "estate"}
    shapes = [(area, rings) for area in plan["areas"] if (rings := _rings(area["outline"]))]
    guessed = [(a, [_around(a["centre"])]) for a in estates.values() if a["outline"] is None and a["centre"]]
    framed = [one for one in [*shapes, *guessed] if one[0]["kind"] != "grid"] or shapes
    frame_points = [point for _, rings in framed for ring in rings for point in ring]
    placed: list[tuple[Pair, dict[str, Any]]] = []
    nowhere = []
    for one in plan["items"]:
        where = one["spot"] or (estates.get(one["estate_id"]) or {}).get("centre")
        if where is None:
            nowhere.append(one)
        else:
            placed.append(((where["lng"], where["lat"]), one))
    if not frame_points and not placed:
        return None
    frame = _Frame(frame_points or [point for point, _ in placed])
    areas = [
        Area(
            area["id"], area["kind"], area["name"], frame.path(rings), _named_at(frame, area, rings), is_drawn
        )
        for group, is_drawn in ((shapes, True), (guessed, False))
        for area, rings in group
    ]
    order = {"grid": 0, "estate": 1, "building": 2}
    areas.sort(key=lambda area: order[area.kind])
    on_paper = [(_kept_inside(frame.at(point), frame.height), one) for point, one in placed]
    dots = _fanned(on_paper, tones) if spread else _gathered(on_paper, tones)
    undrawn = [area for area in estates.values() if area["outline"] is None]
    return Plan(round(frame.height, 1), areas, dots, undrawn, nowhere)


def _named_at(frame: _Frame, area: dict[str, Any], rings: Sequence[Sequence[Pair]]) -> Pair:
    """The middle; of an estate above it, where no dots lie on its name."""
    points = [frame.at(point) for point in rings[0]]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    middle = (min(ys) + max(ys)) / 2
    return round((min(xs) + max(xs)) / 2, 1), round(
        min(ys) - ABOVE if area["kind"] == "estate" else middle, 1
    )


def _kept_inside(at: Pair, height: float) -> Pair:
    """A wrong position far away stands at the edge."""
    return min(max(at[0], 12.0), WIDTH - 12.0), min(max(at[1], 12.0), height - 12.0)


def _gathered(placed: Sequence[tuple[Pair, dict[str, Any]]], tones: dict[str, str]) -> list[Dot]:
    cells: dict[tuple[int, int, str | None], list[tuple[Pair, dict[str, Any]]]] = {}
    for at, one in placed:
        cells.setdefault((int(at[0] // CELL), int(at[1] // CELL), one["estate_id"]), []).append((at, one))
    dots = []
    for (_, _, estate), inside in cells.items():
        x = round(sum(at[0] for at, _ in inside) / len(inside), 1)
        y = round(sum(at[1] for at, _ in inside) / len(inside), 1)
        rows = [one for _, one in inside]
        tone = min((tones[one["ticket_id"]] for one in rows), key=_ORDER.index)
        dots.append(Dot((x, y), tone, rows, estate))
    return sorted(dots, key=lambda dot: -_ORDER.index(dot.tone))  # the most pressing is drawn last, on top


def _fanned(placed: Sequence[tuple[Pair, dict[str, Any]]], tones: dict[str, str]) -> list[Dot]:
    """Each ticket a dot of its own: the second on a spot stands beside the first, in rings around it."""
    taken: dict[tuple[int, int], int] = {}
    dots = []
    for at, one in placed:
        cell = (int(at[0] // RING), int(at[1] // RING))
        number = taken.get(cell, 0)
        taken[cell] = number + 1
        ring = math.ceil((math.sqrt(1 + 4 * number / 3) - 1) / 2) if number else 0
        inner = 3 * ring * (ring - 1) + 1
        turn = 2 * math.pi * (number - inner) / (6 * ring) if ring else 0.0
        x, y = at[0] + ring * RING * math.cos(turn), at[1] + ring * RING * math.sin(turn)
        dots.append(Dot((round(x, 1), round(y, 1)), tones[one["ticket_id"]], [one], one["estate_id"]))
    return dots[::-1]
