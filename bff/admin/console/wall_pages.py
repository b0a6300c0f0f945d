"""The dashboard: how the chosen area stands, each figure with what it is counted of and the list behind it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import g

from app.people.permissions import Permission as Allow
from app.tickets.moves import OPEN
from bff.admin import wall
from bff.admin.auth import requires
from bff.admin.console import areas
from bff.admin.console.face import blp, fragment, is_fragment, page
from bff.admin.console.ticket_words import STATES
from bff.admin.console.wall_views import picture
from bff.admin.wall_schemas import WallOut
from bff.http import reads

OPEN_STATES = ",".join(state for state in STATES if state in OPEN)


@blp.route("/dashboard", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
def dashboard() -> str:
    """The figures of the area that is chosen in the head, read anew every minute."""
    chosen = areas.chosen(areas.mine())
    asked = wall.asked_of(g.staff, chosen.value if chosen is not None else None)
    shown = WallOut().dump(wall.shown(asked))
    values: dict[str, Any] = {
        "wall": shown,
        "place": chosen.name if chosen is not None else None,
        "pictures": picture(shown),
        "tickets_of": tickets_of(shown),
        "items_of": items_of(shown),
    }
    if is_fragment():
        return fragment("wall/_dashboard.html", **values)
    return page("wall/dashboard.html", here="dashboard", **values)


def tickets_of(shown: dict[str, Any]) -> Any:
    """`tickets_of(due="4h", area=…)`: the list of open tickets behind a figure, in the area that is shown."""

    def address(**filters: str | None) -> str:
        asked = {"status": OPEN_STATES, "area": shown["area"]} | filters
        return f"/admin/tickets?{urlencode({name: value for name, value in asked.items() if value})}"

    return address


def items_of(shown: dict[str, Any]) -> Any:
    """`items_of("satisfied", "numerator")`: the tickets that a figure of the last 30 days counts."""

    def address(metric: str, share: str = "denominator", **filters: str | None) -> str:
        asked = {"metric": metric, "share": share, **shown["period"], "area": shown["area"]} | filters
        return f"/admin/assessment/items?{urlencode({name: value for name, value in asked.items() if value})}"

    return address
