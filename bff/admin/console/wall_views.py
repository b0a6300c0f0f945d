"""Figures of a wall as charts want them, and how warm a place is."""

from __future__ import annotations

from datetime import date
from typing import Any

from bff.admin.console import ticket_drawing
from bff.admin.console.words import say

WARMTHS = 4
MOST_SHARES = 7
ONE_LINE = 5  # letters of a name that a grid has room for


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.month}/{day.day}"


def picture(shown: dict[str, Any]) -> dict[str, Any]:
    """The charts: 30 days in and out, the share of each class, open and overdue by area; and the warmth of grids."""
    labels = [_day(one["day"]) for one in shown["days"]]
    received = [one["received"] for one in shown["days"]]
    closed = [one["closed"] for one in shown["days"]]
    return {
        "trend": {
            "kind": "line",
            "unit": say("件"),
            "labels": labels,
            "series": [
                {"name": say("收到"), "values": received},
                {"name": say("办结"), "values": closed},
            ],
        },
        "trend_rows": [list(row) for row in zip(labels, received, closed, strict=True)],
        "share": _share(shown["classes"]),
        "share_rows": [[one["name"], one["count"]] for one in shown["classes"]],
        **_heat(shown["grids"]),
    }


def _heat(grids: list[dict[str, Any]]) -> dict[str, Any]:
    """`heat`: the grids that have an outline as one picture (ticket_drawing.Plan), None where none has; `heat_rows`:
    what is said in it, by the grid's wire id; `hottest`: the same, what
    is most overdue first; `undrawn`: the other grids; `warmth`: of each grid, in the order given.
    """
    warmth = _warmth(grids)
    outlined = [one for one in grids if one["outline"] is not None]
    areas = [
        {"id": one["area"], "kind": "grid", "name": one["name"], "outline": one["outline"], "centre": None}
        for one in outlined
    ]
    rows = [
        one | {"warmth": warm, "lines": _lines(one["name"])} for one, warm in zip(grids, warmth, strict=True)
    ]
    return {
        "warmth": warmth,
        "heat": ticket_drawing.drawn({"areas": areas, "items": []}, tones={}, spread=False),
        "hottest": sorted(
            (one for one in rows if one["outline"] is not None),
            key=lambda one: (-one["overdue"], -one["count"], one["name"]),
        ),
        "heat_rows": {one["area"]: one for one in rows},
        "undrawn": [one for one in rows if one["outline"] is None],
    }


def _lines(name: str) -> list[str]:
    """A name that would be wider than its grid in two lines: 江岸社区 / 第一网格, others in the middle."""
    if len(name) <= ONE_LINE:
        return [name]
    cut = name.find("社区") + 2
    if not 2 < cut < len(name):
        cut = -(-len(name) // 2)
    return [name[:cut], name[cut:]]


def _share(classes: list[dict[str, Any]]) -> dict[str, Any]:
    """The most frequent ones by name, the rest as one."""
    shown, rest = classes[:MOST_SHARES], classes[MOST_SHARES:]
    labels = [one["name"] for one in shown]
    values = [one["count"] for one in shown]
    if rest:
        labels.append(say("其余分类"))
        values.append(sum(one["count"] for one in rest))
    return {
        "kind": "share",
        "unit": say("件"),
        "labels": labels,
        "series": [{"name": say("收到"), "values": values}],
    }


def _warmth(grids: list[dict[str, Any]]) -> list[int]:
    """0 (nothing open) to 4 by open tickets beside the grid that has most; never less than 3 with overdue ones."""
    most = max((one["count"] for one in grids), default=0)
    found = []
    for one in grids:
        warmth = -(-one["count"] * WARMTHS // most) if most else 0
        found.append(max(warmth, 3) if one["overdue"] else warmth)
    return found
