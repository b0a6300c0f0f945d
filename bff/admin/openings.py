"""The opened ballots of a closed decision, for the auditor."""

from __future__ import annotations

from flask import Response, g

from app import db
from app.ids import Ref
from app.people.permissions import Permission as Allow
from app.voting import openings
from bff.admin.auth import requires
from bff.schemas import Blueprint

blp = Blueprint("staff-openings", __name__, url_prefix="/admin/api/v1", description="Opened ballots")


@blp.route("/decisions/<ref(dec):ref>/openings", methods=["GET"])
@requires(Allow.BALLOT_AUDIT)
@blp.response(200, {"type": "object"}, content_type="application/json")
@blp.alt_response(409, description="not_opened")
def audited_openings(ref: Ref) -> Response:
    """Roll, salts and choices after the close, without rooms and names: for `verify --openings`. Who reads is noted."""
    with db.transaction():
        about = openings.for_auditor(g.staff, ref)
    answer = Response(openings.written(ref, about, rooms=False), content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
