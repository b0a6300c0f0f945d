"""Displays on a wall: made, listed and revoked by staff; and what a display itself does with its token.

A display is no member of staff. Its token opens `/admin/screen` and nothing else: it is carried in a cookie of its own
that is sent to that path alone, and no other view looks at it. See docs/adr/0040.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec
from uuid import UUID

from flask import Response, current_app, g, make_response, request, url_for
from flask.typing import ResponseReturnValue

from app import db, ids
from app.displays import queries, service
from app.displays.errors import DisplayRefused
from app.displays.models import Display
from app.displays.queries import Place
from app.ids import Kind
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.places import queries as places
from bff.admin import display_schemas as s
from bff.admin import wall
from bff.admin.auth import is_https, requires
from bff.http import open_to_all, reads, writes
from bff.schemas import Blueprint

P = ParamSpec("P")

blp = Blueprint("staff-displays", __name__, url_prefix="/admin/api/v1", description="Figures of tickets")

COOKIE = "jiayuan_screen"
PATH = "/admin/screen"
_KEPT_S = 400 * 24 * 3600  # longer no browser keeps a cookie; each look at the page begins it anew


# --- staff -----------------------------------------------------------------------------------------------


def _place(area: tuple[Kind, Any]) -> Place:
    kind, value = area
    if kind is Kind.ESTATE:
        return Place(value.community_id, estate=value)
    if kind is Kind.GRID:
        return Place(value.community_id, grid=value)
    return Place(value.int)


def area_of(display: Display) -> str:
    """The wire id of what a display shows."""
    place = queries.place_of(display)
    if place.estate is not None:
        return ids.encode(Kind.ESTATE, place.estate)
    if place.grid is not None:
        return ids.encode(Kind.GRID, place.grid)
    return ids.encode(Kind.COMMUNITY, UUID(int=place.region_id))


def name_of(display: Display) -> str:
    """What its area is called."""
    place = queries.place_of(display)
    if place.estate is not None:
        return places.estate(place.estate).name
    region = places.region(place.region_id)
    above = region.name if region is not None else ""
    return f"{above} {places.grid(place.grid).name}" if place.grid is not None else above


def _out(rows: Sequence[Display]) -> list[dict[str, Any]]:
    names = people.staff_names(who for row in rows for who in (row.created_by, row.revoked_by))
    same = ("name", "created_at", "expires_at", "last_used_at", "revoked_at")
    return [
        {
            "display_id": row.id,
            "area": area_of(row),
            "area_name": name_of(row),
            "state": "revoked" if row.revoked_at else "open" if queries.is_open(row) else "over",
            "created_by": names.get(row.created_by),
            "revoked_by": names.get(row.revoked_by) if row.revoked_by else None,
            **{name: getattr(row, name) for name in same},
        }
        for row in rows
    ]


@blp.route("/displays", methods=["GET"])
@requires(Allow.SCREEN_EDIT)
@reads
@blp.response(200, s.DisplayList)
def displays() -> dict[str, Any]:
    """The displays of my area, the newest first; revoked ones for 30 days. Tokens are never shown again."""
    return {"items": listed(), "next_cursor": None}


def listed() -> list[dict[str, Any]]:
    """The displays that I look after."""
    return _out(queries.displays_for(g.staff))


@blp.route("/displays/<ref(dsp):display_id>", methods=["GET"])
@requires(Allow.SCREEN_EDIT)
@reads
@blp.response(200, s.DisplayOut)
def display(display_id: UUID) -> dict[str, Any]:
    """One display."""
    return _out([queries.display_for(g.staff, display_id)])[0]


@blp.route("/displays", methods=["POST"])
@requires(Allow.SCREEN_EDIT)
@writes
@blp.arguments(s.DisplayIn)
@blp.response(201, s.DisplayMade)
def make_display(body: dict[str, Any]) -> Any:
    """A display for one area that lies wholly in my reach. Its token is in this answer and in no other."""
    made = service.make(
        name=body["name"],
        place=_place(body["area"]),
        expires_at=body["expires_at"],
        acting_user=g.staff,
    )
    base = current_app.config["SETTINGS"].public_base_url
    # What stands behind the hash a browser sends to nobody: it is in no log.
    address = f"{base}{PATH}#{made.token}"
    where = url_for("staff-displays.display", display_id=made.display.id)
    body = _out([made.display])[0] | {"token": made.token, "address": address}
    return body, 201, {"Location": where}


@blp.route("/displays/<ref(dsp):display_id>/revoke", methods=["POST"])
@requires(Allow.SCREEN_EDIT)
@writes
@blp.response(200, s.DisplayOut)
def revoke_display(display_id: UUID) -> dict[str, Any]:
    """Its token opens nothing any more: the screen says so when it next asks, within half a minute."""
    return _out([service.revoke(display_id, acting_user=g.staff)])[0]


# --- the display itself ----------------------------------------------------------------------------------


@blp.route("/display-session", methods=["POST"])
@open_to_all
@blp.arguments(s.PairIn)
@blp.response(204)
def pair_display(body: dict[str, Any]) -> Response:
    """A screen brings the token that its address holds, and gets it as a cookie that only its own page is sent."""
    with db.transaction():
        found = queries.display_by_token(body["token"])
        service.seen(found.id)
    answer = make_response("", 204)
    keep(answer, body["token"])
    return answer


def keep(answer: Response, token: str) -> None:
    """Let the browser carry the token, to the screen's page alone."""
    answer.set_cookie(
        COOKIE, token, max_age=_KEPT_S, path=PATH, secure=is_https(), httponly=True, samesite="Strict"
    )


def carried() -> str:
    """The token that this request carries; "" for none."""
    return request.cookies.get(COOKIE, "")


def for_displays(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """The view is a display's: `g.display` is the one that asks, None where no token or none that counts came."""

    @functools.wraps(view)
    def entry(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        g.display = None
        if token := carried():
            try:
                with db.reading():
                    g.display = queries.display_by_token(token)
            except DisplayRefused:
                return view(*args, **kwargs)
            if queries.is_worth_noting(g.display):
                with db.transaction():
                    service.seen(g.display.id)
        return view(*args, **kwargs)

    return entry


def figures_on(display: Display) -> dict[str, Any]:
    """What it shows, at this moment."""
    place = queries.place_of(display)
    asked = wall.Asked(queries.reader_of(display), place.estate, place.grid, area=area_of(display))
    return wall.shown(asked)
