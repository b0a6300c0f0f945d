"""What I took in myself (on patrol, by phone), followed like a reporter, whoever has it now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import g

from app.audit import ActorKind
from app.ids import Kind, Ref
from app.media import links
from app.media import queries as media
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.places.coordinates import Point
from app.tickets import queries as tickets
from app.tickets.models import Ticket
from app.tickets.moves import Move
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.http import read_cursor, reads, revalidated, write_cursor
from bff.positions import location_out
from bff.schemas import Blueprint, PageQuery, Schema, Time, WireId

f = ma.fields

blp = Blueprint("staff-reports", __name__, url_prefix="/admin/api/v1", description="What I reported")


class ReportRow(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    status = f.String(required=True)
    channel = f.String(required=True)
    category = f.String(allow_none=True)
    category_name = f.String(allow_none=True)
    text = f.String(allow_none=True)
    urgent = f.Boolean(required=True)
    estate_name = f.String(allow_none=True)
    org = f.String(allow_none=True, metadata={"description": "who has it now"})
    reported_at = Time(required=True)
    closed_at = Time(allow_none=True)
    overdue = f.Boolean(required=True)
    promised = f.Nested(s.PromisedOut, required=True)


class ReportList(Schema):
    items = f.List(f.Nested(ReportRow), required=True)
    next_cursor = f.String(allow_none=True)


class ReportPhotoOut(Schema):
    stage = f.String(required=True)
    status = f.String(required=True)
    thumb_url = f.String(allow_none=True)
    url = f.String(allow_none=True)


class ReportStepOut(Schema):
    at = Time(required=True)
    kind = f.String(required=True)
    status = f.String(required=True)
    org = f.String(allow_none=True)
    text = f.String(allow_none=True, metadata={"description": "what staff wrote to the reporter"})


class ReportOut(ReportRow):
    location = f.Nested(s.LocationOut, allow_none=True)
    photos = f.List(f.Nested(ReportPhotoOut), required=True)
    timeline = f.List(f.Nested(ReportStepOut), required=True)


def _rows(found: Sequence[Ticket]) -> list[dict[str, Any]]:
    """Each as it was reported, with where it stands today: of a referred one, in its last community."""
    today = tickets.last_of_chains(found)
    names = tickets.category_names(now.category_code for now in today.values())
    estates = places.estates(Ref(t.community_id, t.estate_id) for t in found if t.estate_id is not None)
    orgs = places.org_names(now.org_id for now in today.values())
    rows = []
    for ticket in found:
        now = today[ticket.id]
        estate = estates.get(Ref(ticket.community_id, ticket.estate_id)) if ticket.estate_id else None
        rows.append(
            {
                "ticket_id": Ref(ticket.community_id, ticket.id),
                "number": ticket.number,
                "status": now.status,
                "channel": ticket.channel,
                "category": now.category_code,
                "category_name": names.get(now.category_code or ""),
                "text": ticket.text,
                "urgent": ticket.is_urgent,
                "estate_name": estate.name if estate else None,
                "org": orgs.get(now.org_id) if now.org_id else None,
                "reported_at": ticket.reported_at,
                "closed_at": now.closed_at,
                "overdue": tickets.is_late(now),
                "promised": {
                    "accept_by": ticket.accept_by,
                    "dispatch_by": now.dispatch_by,
                    "close_by": now.due_at,
                },
            }
        )
    return rows


@blp.route("/reports", methods=["GET"])
@requires(Allow.TICKET_INTAKE, Allow.PATROL_REPORT)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, ReportList)
def reports(args: dict[str, Any]) -> dict[str, Any]:
    """What I took in, newest first, also when another unit has it."""
    return page_of(args)


def page_of(args: dict[str, Any]) -> dict[str, Any]:
    """The page of my reports that `args` (of PageQuery) ask for. Raises BadCursor."""
    after = read_cursor(args["cursor"], UUID)
    found = tickets.my_reports(g.staff, limit=args["limit"] + 1, before=after[0] if after else None)
    page = found[: args["limit"]]
    return {
        "items": _rows(page),
        "next_cursor": write_cursor(page[-1].id) if len(found) > len(page) else None,
    }


@blp.route("/reports/<ref(tkt):ref>", methods=["GET"])
@requires(Allow.TICKET_INTAKE, Allow.PATROL_REPORT)
@revalidated
@reads
@blp.response(200, ReportOut)
def report(ref: Ref) -> dict[str, Any]:
    """One report of mine as its reporter sees it: steps, answers, pictures; nothing that staff say among themselves
    and nothing of other people.
    """
    return report_of(ref)


def report_of(ref: Ref) -> dict[str, Any]:
    """One report of mine. Raises NotFound."""
    ticket = tickets.my_report(g.staff, ref)
    now = tickets.chain_of(ticket)[-1]
    events = tickets.timeline(ticket, for_reporter=True)
    orgs = places.org_names(event.row.org_id for event in events)
    point = Point(ticket.lng, ticket.lat) if ticket.lng is not None and ticket.lat is not None else None
    shown = [photo for photo in tickets.photos_of([now]).get(now.id, ()) if media.is_shown(photo)]
    return {
        **_rows([ticket])[0],
        "location": location_out(point, ticket.accuracy_m, ticket.address) if point else None,
        "photos": [
            {
                "stage": photo.stage,
                "status": photo.status,
                "thumb_url": links.to_photo(Ref(photo.community_id, photo.id), "thumb"),
                "url": links.to_photo(Ref(photo.community_id, photo.id), "full"),
            }
            for photo in shown
        ],
        "timeline": [
            {
                "at": event.row.at,
                "kind": event.row.kind,
                "status": event.row.to_status,
                "org": orgs.get(event.row.org_id) if event.row.org_id else None,
                # Why it was referred stands with the step before.
                "text": event.words
                if event.row.actor_kind == ActorKind.STAFF and event.row.kind != Move.REFERRED_IN
                else None,
            }
            for event in events
        ],
    }
