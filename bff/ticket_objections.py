"""What a ticket objects to, when it is an objection to a vote: as both faces show it."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.ids import Kind, Ref
from app.tickets.models import Ticket
from app.voting import objections, queries
from bff.schemas import Schema, Time, WireId

f = ma.fields


class TicketObjectionOut(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    title = f.String(required=True, metadata={"description": "of the decision"})
    about = f.String(required=True, metadata={"description": "roll | candidate | result"})
    due_at = Time(required=True, metadata={"description": "until when it has to be answered"})


def objection_out(ticket: Ticket) -> dict[str, Any] | None:
    """The decision that the ticket objects to; None for any other ticket."""
    found = objections.of_ticket(Ref(ticket.community_id, ticket.id))
    if found is None:
        return None
    decision = queries.decision(Ref(found.community_id, found.decision_id))
    return {
        "decision_id": queries.ref_of(decision),
        "title": decision.title,
        "about": found.about,
        "due_at": found.due_at,
    }
