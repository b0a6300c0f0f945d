"""The plan of open tickets: drawn by ourselves from the outlines of estates, grids and buildings."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import g, request

from app import ids
from app.ids import Kind
from app.people.permissions import Permission as Allow
from app.tickets.moves import OPEN
from bff.admin.auth import requires
from bff.admin.console import areas, clocks, ticket_drawing
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.ticket_pages import class_options
from bff.admin.console.ticket_words import STATES, status_name
from bff.admin.ticket_plans import PlanOut, PlanQuery, planned
from bff.http import reads

MOST_SPREAD = 500  # dots of their own in one estate; of more, those near each other are drawn as one
LISTED = 100  # beside the plan
OPEN_STATES = ",".join(state for state in STATES if state in OPEN)


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
    spread = in_one and len(plan["items"]) <= MOST_SPREAD
    given = {name: value for name, value in request.args.items() if value.strip()}

    def list_of(area: str | None) -> str:
        """The list of the same tickets, of this area."""
        filters = {"status": OPEN_STATES, "sort": "due", **given, "area": area or asked["area"]}
        return f"/admin/tickets?{urlencode({name: value for name, value in filters.items() if value})}"

    values: dict[str, Any] = {
        "plan": ticket_drawing.drawn(plan, tones=tones, spread=spread),
        "rows": plan["items"],
        "more": plan["more"],
        "total": plan["total"],
        "listed": LISTED,
        "list_of": list_of,
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
        "tickets/map.html",
        here="map",
        class_options=class_options(given.get("category")),
        me=ids.encode(Kind.STAFF, g.staff.id),
        **values,
    )
