"""The opened ballots of a certified decision, room by room, where the owners' own rules say so."""

from __future__ import annotations

from flask import Response, g

from app import db
from app.ids import Ref
from app.voting import openings
from bff.schemas import Blueprint

blp = Blueprint("openings", __name__, url_prefix="/bff/v1", description="Opened ballots")


@blp.route("/decisions/<ref(dec):ref>/openings", methods=["GET"])
@blp.response(200, {"type": "object"}, content_type="application/json")
@blp.alt_response(409, description="not_opened")
def owners_openings(ref: Ref) -> Response:
    """Rooms and choices, no name: every verified owner can count again with `verify --openings`.

    404 for anybody else, and where the rules disclose totals only.
    """
    with db.reading():
        about = openings.for_owner(g.resident_id, ref)
    answer = Response(openings.written(ref, about, rooms=True), content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
