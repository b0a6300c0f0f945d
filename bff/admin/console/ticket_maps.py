"""The plan of open tickets: drawn by ourselves from the outlines of estates, grids and buildings."""

from __future__ import annotations

from typing import Any

from flask import g, request

from app import ids
from app.ids import Kind
from app.people.permissions import Permission as Allow
from bff.admin.auth import requires
from bff.admin.console import areas, clocks, ticket_drawing
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.ticket_pages import classes
from bff.admin.console.ticket_words import status_name
from bff.admin.ticket_plans import PlanOut, PlanQuery, planned
from bff.http import reads


def _tone(one: dict[str, Any]) -> str:
    return "standing" if one["standing"] else clocks.urgency(one["promised"]["close_by"])


@blp.route("/tickets/map", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def ticket_map() -> str:
    """What is open, where it lies; one estate with its buildings where the address names one."""
    asked = query(PlanQuery)
    mine = areas.mine()
    whole = areas.chosen(mine)
    if asked["area"] is None and whole is not None:
        asked["area"] = whole.value
    plan = PlanOut().dump(planned(asked))
    tones = {one["ticket_id"]: _tone(one) for one in plan["items"]}
    in_one = str(asked["area"] or "").startswith(Kind.ESTATE)
    given = {name: value for name, value in request.args.items() if value.strip()}
    values: dict[str, Any] = {
        "plan": ticket_drawing.drawn(plan, tones=tones, spread=in_one),
        "rows": plan["items"],
        "more": plan["more"],
        "tones": tones,
        "in_one": next((one for one in mine if one.value == asked["area"]), None) if in_one else None,
        "given": given,
        "here_address": request.full_path.rstrip("?"),
        "status_name": status_name,
        "width": int(ticket_drawing.WIDTH),
    }
    if is_fragment():
        return fragment("tickets/_map.html", **values)
    return page(
        "tickets/map.html", here="map", classes=classes(), me=ids.encode(Kind.STAFF, g.staff.id), **values
    )
