"""Notes of a coordination meeting (工单协调会) on a ticket."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import g, url_for

from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.tickets import meetings
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.views import ticket_out
from bff.http import asked_version, versioned, writes
from bff.schemas import Blueprint, Schema, Text, Time, WireId

f = ma.fields

blp = Blueprint("meetings", __name__, url_prefix="/admin/api/v1", description="Coordination meetings")


class MeetingIn(Schema):
    held_at = Time(required=True)
    orgs = f.List(
        WireId(Kind.ORG),
        required=True,
        validate=ma.validate.Length(1, 20),
        metadata={"description": "the units that came; those beside the lead assist (协办)"},
    )
    lead_org_id = WireId(
        Kind.ORG,
        load_default=None,
        allow_none=True,
        metadata={"description": "主办; without it the unit that has the ticket"},
    )
    plan = Text(most=2000, least=1, required=True)
    deadline = Time(
        load_default=None,
        allow_none=True,
        metadata={"description": "agreed; within the ticket's limit, else 409 extension_needed"},
    )


@blp.route("/tickets/<ref(tkt):ref>/meetings", methods=["POST"])
@requires(Allow.TICKET_DISPATCH)
@writes
@blp.arguments(MeetingIn)
@blp.response(201, s.TicketOut)
def record(body: dict[str, Any], ref: Ref) -> Any:
    """Note what a coordination meeting agreed. Units that assist are called in where they aren't yet."""
    ticket = meetings.record(
        ref,
        held_at=body["held_at"],
        org_ids=body["orgs"],
        lead_org_id=body["lead_org_id"],
        plan=body["plan"],
        deadline=body["deadline"],
        acting_user=g.staff,
        version=asked_version(),
    )
    return versioned(ticket_out(ticket, g.staff), 201, Location=url_for("staff-tickets.ticket", ref=ref))
