"""The large screen on a wall, which needs no login but a token; its preview; and the page on which screens are looked
after.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from flask import g, make_response
from flask.typing import ResponseReturnValue

from app import ids
from app.displays.errors import DisplayRefused
from app.ids import Kind
from app.people.permissions import Permission as Allow
from app.places import queries as places
from bff.admin import displays, wall
from bff.admin.auth import requires
from bff.admin.console import areas
from bff.admin.console.areas import Area
from bff.admin.console.face import blp, fragment, is_fragment, page
from bff.admin.console.wall_views import picture
from bff.admin.display_schemas import DisplayList
from bff.admin.wall_schemas import WallOut
from bff.http import open_to_all, reads

MOST_ROWS = 6  # of a list: nobody scrolls a wall
MOST_GRIDS = 9
MOST_NAMED = 4  # grids beside their plan
MOST_VOTES = 3


def _screen(shown: dict[str, Any], *, place: str, asks: str) -> str:
    """The screen, or its figures alone when it asks for them anew. `asks`: where it does."""
    figures = WallOut().dump(shown)
    values: dict[str, Any] = {
        "wall": figures,
        "place": place,
        "pictures": picture(figures),
        "most_rows": MOST_ROWS,
        "most_grids": MOST_GRIDS,
        "most_votes": MOST_VOTES,
        "most_named": MOST_NAMED,
    }
    if is_fragment():
        return fragment("screen/_figures.html", **values)
    return fragment("screen/screen.html", asks=asks, **values)


@blp.route("/screen", methods=["GET"])
@open_to_all
@displays.for_displays
@reads
def screen() -> ResponseReturnValue:
    """What a display shows. Without a token: the page that takes one from its address."""
    if g.display is None:
        if is_fragment():
            raise DisplayRefused
        return fragment("screen/pair.html")
    shown = displays.figures_on(g.display)
    answer = make_response(_screen(shown, place=displays.name_of(g.display), asks="/admin/screen"))
    if not is_fragment():
        displays.keep(answer, displays.carried())
    return answer


@blp.route("/screens/preview", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
def screen_preview() -> str:
    """The same for a member of staff, of the area that is chosen; her login ends as it would without it."""
    chosen = areas.chosen(areas.mine())
    asked = wall.asked_of(g.staff, chosen.value if chosen is not None else None)
    return _screen(wall.shown(asked), place=_whole_name(chosen), asks="/admin/screens/preview")


def _whole_name(chosen: Area | None) -> str:
    if chosen is not None:
        return chosen.name
    regions = [
        region for grant in g.staff.grants if grant.region_id and (region := places.region(grant.region_id))
    ]
    return regions[0].name if regions else ""


@blp.route("/screens", methods=["GET"])
@requires(Allow.SCREEN_EDIT)
@reads
def screens() -> str:
    """The displays that I look after: make one, revoke one."""
    shown = DisplayList().dump({"items": displays.listed(), "next_cursor": None})
    if is_fragment():
        return fragment("screen/_screens.html", screens=shown["items"])
    return page(
        "screen/screens.html",
        here="screens",
        screens=shown["items"],
        choices=_choices(),
    )


class Choice(NamedTuple):
    """An area that a screen can be made for."""

    value: str
    name: str
    level: int


def _choices() -> list[Choice]:
    """My streets as a whole, then communities, estates and grids."""
    regions = {grant.region_id for grant in g.staff.grants if Allow.SCREEN_EDIT in grant.permissions}
    names = places.region_names(region for region in regions if region is not None)
    mine = [Choice(area.value, area.name, area.level + 1) for area in areas.mine()]
    known = {one.value for one in mine}
    tops = [
        Choice(wire, names.get(region, ""), 0)
        for region in sorted(one for one in regions if one is not None)
        if (wire := ids.encode(Kind.COMMUNITY, UUID(int=region))) not in known
    ]
    return tops + mine
