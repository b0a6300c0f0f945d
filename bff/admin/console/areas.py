"""The area switcher: which part of her reach a member of staff looks at. A cookie keeps the choice; it narrows what
pages list and is no permission.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from flask import g, request
from markupsafe import Markup

from app import ids
from app.ids import Kind
from app.places import queries as places
from bff.admin.console.words import say
from bff.admin.places import is_my_grid, my_estates

COOKIE = "jiayuan_area"


class Area(NamedTuple):
    """A community, an estate or a grid that she reaches. `value`: its wire id; `level`: 0 community, 1 below it."""

    value: str
    name: str
    level: int
    kind: str


def mine() -> list[Area]:
    """What she may choose: each community with its estates and grids; read once for a request."""
    if "areas" not in g:
        g.areas = _read()
    found: list[Area] = g.areas
    return found


def _read() -> list[Area]:
    communities = {community for grant in g.staff.grants for community in grant.communities}
    homes = {community for grant in g.staff.grants for community in grant.homes}
    regions, estates, every_grid = places.area_names(my_estates(), communities, homes)
    grids = [(ref, name) for ref, name in every_grid.items() if is_my_grid(ref)]
    found: list[Area] = []
    around = {ref.community_id for ref in estates} | {ref.community_id for ref, _ in grids} | communities
    for community in sorted(around, key=lambda c: regions.get(c, "")):
        if community in communities:
            wire = ids.encode(Kind.COMMUNITY, UUID(int=community))
            found.append(Area(wire, regions.get(community, ""), 0, "社区"))
        inside = sorted((name, ref) for ref, name in estates.items() if ref.community_id == community)
        found += [Area(ids.encode(Kind.ESTATE, ref), name, 1, "小区") for name, ref in inside]
        found += [
            Area(ids.encode(Kind.GRID, ref), name, 1, "网格")
            for ref, name in grids
            if ref.community_id == community
        ]
    return found


def chosen(among: list[Area]) -> Area | None:
    """The one that she looks at; None: everything. A cookie that names something else is nothing."""
    value = request.cookies.get(COOKIE, "")
    return next((area for area in among if area.value == value), None)


def options(among: list[Area]) -> Markup:
    """The lines of the switcher below 全部范围, the one she looks at selected. Every page has them, a street's a
    hundred: they are written once for as long as they are the same.
    """
    area = chosen(among)
    kinds = {area.kind: "" if area.kind == "社区" else f"（{say(area.kind)}）" for area in among}
    return _written(tuple(among), area.value if area is not None else "", tuple(kinds.items()))


@lru_cache(maxsize=256)
def _written(among: tuple[Area, ...], chosen: str, kinds: tuple[tuple[str, str], ...]) -> Markup:
    said = dict(kinds)
    line = Markup('<option value="{}"{}>{}{}{}</option>')
    selected = Markup(" selected")
    return Markup("").join(
        line.format(
            one.value, selected if one.value == chosen else "", "　" * one.level, one.name, said[one.kind]
        )
        for one in among
    )
