"""The live board: what changed since the page looked last, and how many notices wait."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import g

from app.ids import Kind, Ref
from app.messaging import staff as messages
from app.people.permissions import Permission as Allow
from app.tickets import changes as ticket_changes
from app.tickets.moves import Move
from bff.admin.auth import requires
from bff.http import read_cursor, reads, revalidated, write_cursor
from bff.schemas import Blueprint, Query, Schema, Time, WireId

f = ma.fields

blp = Blueprint("events", __name__, url_prefix="/admin/api/v1", description="What changed, for live pages")

# How a ticket comes into somebody's sight for the first time.
_ARRIVALS = frozenset({Move.REPORT, Move.REFERRED_IN, Move.DISPATCH})


class EventsQuery(Query):
    since = f.String(
        load_default=None,
        validate=ma.validate.Length(max=120),
        metadata={"description": "`next` of the last answer"},
    )


class ChangeOut(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    seq = f.Integer(required=True, metadata={"description": "of the step; with ticket_id it is named once"})
    number = f.String(required=True)
    kind = f.String(required=True)
    status = f.String(required=True, metadata={"description": "as the ticket stands now"})
    at = Time(required=True)
    is_new = f.Boolean(required=True, metadata={"description": "came in, or was given to my organisation"})


class EventsOut(Schema):
    items = f.List(f.Nested(ChangeOut), required=True)
    unread = f.Integer(required=True, metadata={"description": "notices in my inbox"})
    next = f.String(required=True, metadata={"description": "for `since`"})


@blp.route("/events", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@revalidated
@reads
@blp.arguments(EventsQuery, location="query")
@blp.response(200, EventsOut)
def events(args: dict[str, Any]) -> dict[str, Any]:
    """Steps of the tickets in my reach, oldest first. Those of the last ten seconds are told again: know them by
    ticket_id and seq. Without `since`: the last ten seconds.

    A page that asks by itself sends `X-Background: 1`, so that its asking doesn't keep an idle login open.
    """
    since = read_cursor(args["since"], UUID)
    changes = ticket_changes.changes(g.staff, since=since[0] if since else None)
    mine = g.staff.org_ids
    return {
        "items": [
            {
                "ticket_id": Ref(ticket.community_id, ticket.id),
                "seq": event.seq,
                "number": ticket.number,
                "kind": event.kind,
                "status": ticket.status,
                "at": event.at,
                "is_new": event.kind in _ARRIVALS and (event.kind != Move.DISPATCH or event.org_id in mine),
            }
            for ticket, event in changes.found
        ],
        "unread": messages.unread(g.staff.id),
        "next": write_cursor(changes.next),
    }
