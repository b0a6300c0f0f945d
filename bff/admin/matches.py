"""Suggested merges as a list to work through. Suggestions only: merging is a move of its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import g

from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.tickets import pairs
from app.tickets import queries as tickets
from app.tickets.models import Ticket
from app.tickets.pairs import At, Order
from bff.admin.auth import requires
from bff.admin.suggestions import WhyOut
from bff.http import read_cursor, reads, write_cursor, writes
from bff.schemas import Blueprint, PageQuery, Schema, Text, Time, WireId

f = ma.fields

blp = Blueprint("matches", __name__, url_prefix="/admin/api/v1", description="Suggested merges")


class MatchQuery(PageQuery):
    order = f.Enum(Order, by_value=True, load_default=Order.STRONGEST)


class MatchedTicketOut(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    status = f.String(required=True)
    channel = f.String(required=True)
    category = f.String(allow_none=True)
    category_name = f.String(allow_none=True)
    text = f.String(allow_none=True)
    estate_name = f.String(allow_none=True)
    address = f.String(allow_none=True)
    reported_at = Time(required=True)
    version = f.Integer(required=True)


class MatchOut(Schema):
    ticket = f.Nested(MatchedTicketOut, required=True, metadata={"description": "the one that came in"})
    other = f.Nested(MatchedTicketOut, required=True)
    score = f.Float(required=True, metadata={"description": "0-1"})
    why = f.Nested(WhyOut, required=True)


class MatchList(Schema):
    items = f.List(f.Nested(MatchOut), required=True)
    next_cursor = f.String(allow_none=True)


class DismissIn(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    other_id = WireId(Kind.TICKET, required=True)
    reason = Text(most=500, least=1, required=True)


class DismissedOut(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    other_id = WireId(Kind.TICKET, required=True)
    reason = f.String(required=True)
    at = Time(required=True)


@blp.route("/tickets/matches", methods=["GET"])
@requires(Allow.TICKET_MERGE)
@reads
@blp.arguments(MatchQuery, location="query")
@blp.response(200, MatchList)
def matches(args: dict[str, Any]) -> dict[str, Any]:
    """Pairs of open tickets in my reach that are likely one problem, the strongest (or newest) first, each once."""
    after = read_cursor(args["cursor"], float, UUID, UUID)
    found = pairs.suggested(
        g.staff, order=args["order"], limit=args["limit"] + 1, before=At(*after) if after else None
    )
    page = found[: args["limit"]]
    both = [ticket for pair in page for ticket in (pair.ticket, pair.other)]
    names = tickets.category_names(t.category_code for t in both)
    estates = places.estates(Ref(t.community_id, t.estate_id) for t in both if t.estate_id is not None)

    def out(ticket: Ticket) -> dict[str, Any]:
        estate = estates.get(Ref(ticket.community_id, ticket.estate_id)) if ticket.estate_id else None
        return {
            "ticket_id": Ref(ticket.community_id, ticket.id),
            "number": ticket.number,
            "status": ticket.status,
            "channel": ticket.channel,
            "category": ticket.category_code,
            "category_name": names.get(ticket.category_code or ""),
            "text": ticket.text,
            "estate_name": estate.name if estate else None,
            "address": ticket.address,
            "reported_at": ticket.reported_at,
            "version": ticket.version,
        }

    last = page[-1] if len(found) > len(page) else None
    return {
        "items": [
            {"ticket": out(pair.ticket), "other": out(pair.other), "score": pair.score, "why": pair.why}
            for pair in page
        ],
        "next_cursor": write_cursor(last.score, last.ticket.id, last.other.id) if last else None,
    }


@blp.route("/tickets/matches/dismiss", methods=["POST"])
@requires(Allow.TICKET_MERGE)
@writes
@blp.arguments(DismissIn)
@blp.response(200, DismissedOut)
def dismiss(body: dict[str, Any]) -> dict[str, Any]:
    """These are two problems: don't suggest the pair again."""
    row = pairs.dismiss(body["ticket_id"], other=body["other_id"], reason=body["reason"], acting_user=g.staff)
    return {
        "ticket_id": body["ticket_id"],
        "other_id": body["other_id"],
        "reason": row.reason,
        "at": row.at,
    }
