"""A copy of everything about me, and closing my account."""

from __future__ import annotations

from typing import Any

from flask import g, make_response

from app import clock, db
from app.audit import Actor, ActorKind
from app.people import dossier
from bff.http import writes
from bff.resident import me_schemas as s
from bff.schemas import Blueprint

blp = Blueprint("me", __name__, url_prefix="/bff/v1", description="My data")


@blp.route("/me/export", methods=["GET"])
@blp.response(200, s.CopyOut)
def export_me() -> Any:
    """A copy of everything kept about me, in every community, as one JSON document.

    Links to photos hold for about two hours. That it was asked for is recorded.
    """
    with db.transaction():
        sections = dossier.copy(resident_id=g.resident_id)
    made_at = clock.now()
    name = f"jiayuan-{clock.in_shanghai(made_at):%Y%m%d}.json"
    body = {"made_at": made_at, "sections": sections}
    return body, 200, {"Content-Disposition": f'attachment; filename="{name}"'}


@blp.route("/me", methods=["DELETE"])
@writes
@blp.response(204)
def close_my_account() -> Any:
    """Close my account, at once and for good.

    My phone is free, all my logins end. What only I had is deleted. My reports stay with the street as matters to be
    done, without me: nobody can tell any more who made them, and I can't follow them. Who logs in again is new.
    """
    dossier.close(resident_id=g.resident_id, actor=Actor(ActorKind.RESIDENT, g.resident_id))
    return make_response("", 204)
