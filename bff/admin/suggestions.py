"""What is perhaps the same problem as a ticket. Suggestions only: merging is a move of its own."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import g

from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.tickets import duplicates
from app.tickets import queries as tickets
from app.tickets.models import Ticket
from bff.admin.auth import requires
from bff.http import reads
from bff.schemas import Blueprint, Schema, WireId

f = ma.fields

blp = Blueprint("suggestions", __name__, url_prefix="/admin/api/v1", description="Likely duplicates")


class WhyOut(Schema):
    distance_m = f.Integer(
        allow_none=True,
        required=True,
        metadata={"description": "beyond what both positions are unsure of; null: one has none"},
    )
    class_ = f.String(
        required=True,
        data_key="class",
        attribute="class",
        metadata={"description": "same | sibling | other | unknown"},
    )
    hours = f.Float(required=True)
    text = f.Float(required=True, metadata={"description": "0-1, how alike the words are"})
    agree = f.List(
        f.String(), required=True, metadata={"description": "equal numbers: building, room, pole …"}
    )
    differ = f.List(f.String(), required=True, metadata={"description": "numbers that speak against it"})
    same_phone = f.Boolean(required=True)


class SuggestionOfTicketOut(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    score = f.Float(required=True, metadata={"description": "0-1"})
    why = f.Nested(WhyOut, required=True)
    status = f.String(required=True)


@blp.route("/tickets/<ref(tkt):ref>/suggestions", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
@blp.response(200, SuggestionOfTicketOut(many=True))
def suggestions(ref: Ref) -> list[dict[str, Any]]:
    """Open tickets in my reach that are likely the same problem, best first, each with the parts of its score."""
    return suggested(tickets.ticket_for_staff(g.staff, ref))


def suggested(ticket: Ticket) -> list[dict[str, Any]]:
    """The suggestions for a ticket that I may see. `text` is for the page; the JSON face leaves it out."""
    return [
        {
            "ticket_id": Ref(found.ticket.community_id, found.ticket.id),
            "number": found.ticket.number,
            "score": found.score,
            "why": found.why,
            "status": found.ticket.status,
            "text": found.ticket.text,
        }
        for found in duplicates.candidates(ticket, asking=g.staff)
    ]
