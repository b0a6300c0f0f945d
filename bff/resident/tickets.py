"""The one-tap report, and following it to its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import g, url_for

from app.errors import Invalid
from app.ids import Ref
from app.places import queries as places
from app.tickets import queries as tickets
from app.tickets import service
from app.tickets.models import Ticket, TicketStatus
from bff.http import (
    Versioned,
    asked_version,
    read_cursor,
    reads,
    revalidated,
    versioned,
    write_cursor,
    writes,
)
from bff.resident import schemas as s
from bff.resident.places import wgs84
from bff.resident.views import promised_out, rows_out, ticket_out
from bff.schemas import Blueprint

blp = Blueprint("tickets", __name__, url_prefix="/bff/v1", description="Reports")


class UnknownStatus(Invalid):
    """A filter names a state that doesn't exist."""

    code = "unknown_status"
    zh = "没有这种工单状态。"
    en = "There is no such ticket state."


# Shown beside every report: the software must never look like the way to call them.
EMERGENCY = (
    {"name": "报警", "phone": "110"},
    {"name": "火警", "phone": "119"},
    {"name": "急救", "phone": "120"},
)


@blp.route("/report-options", methods=["GET"])
@revalidated
@reads
@blp.arguments(s.OptionsQuery, location="query")
@blp.response(200, s.ReportOptionsOut)
def report_options(args: dict[str, Any]) -> dict[str, Any]:
    """Categories with hints and own questions, whether a photo is needed, emergency numbers."""
    if args["estate_id"] is not None:
        places.estate(args["estate_id"])
    return {
        "categories": [
            {
                "code": c.code,
                "name": c.name,
                "hint": c.hint,
                "needs_photo": c.needs_photo,
                "urgent": c.is_urgent,
                "questions": c.questions,
            }
            for c in tickets.categories()
        ],
        "emergency_numbers": list(EMERGENCY),
        "max_photos": service.MAX_PHOTOS,
    }


@blp.route("/tickets", methods=["POST"])
@writes
@blp.arguments(s.TicketIn)
@blp.response(201, s.TicketOpened)
@blp.alt_response(200, schema=s.TicketOpened, description="this tap made the ticket before")
def open_ticket(body: dict[str, Any]) -> Any:
    """Report a problem: at least a place (position or estate) and at least a photo or a text.

    Needs neither phone nor membership. The same `client_token` finds the first ticket.
    """
    place = body["location"]
    opened = service.open_ticket(
        service.Report(
            location=service.Location(
                wgs84(place["lng"], place["lat"], place["crs"]), place["accuracy_m"], place["address"]
            )
            if place
            else None,
            estate=body["estate_id"],
            category=body["category"] or None,
            text=body["text"] or None,
            answers=body["answers"],
            photo_ids=body["photo_ids"],
            urgent=body["urgent"],
            anonymous=body["anonymous"],
            contact_phone=body["contact_phone"],
        ),
        client_token=body["client_token"],
        acting_user=g.resident_id,
    )
    ticket = opened.ticket
    ref = Ref(ticket.community_id, ticket.id)
    answer = {
        "ticket_id": ref,
        "number": ticket.number,
        "status": ticket.status,
        "promised": promised_out(ticket),
    }
    return answer, 201 if opened.fresh else 200, {"Location": url_for("tickets.ticket", ref=ref)}


@blp.route("/tickets", methods=["GET"])
@reads
@blp.arguments(s.TicketQuery, location="query")
@blp.response(200, s.TicketList)
def my_tickets(args: dict[str, Any]) -> dict[str, Any]:
    """My tickets, wherever they are, latest change first."""
    page = tickets.my_tickets(
        g.resident_id,
        limit=args["limit"],
        before=read_cursor(args["cursor"], datetime.fromisoformat, UUID),
        statuses=_statuses(args["status"]),
    )
    return {
        "items": rows_out(page.tickets),
        "next_cursor": write_cursor(*page.after) if page.after else None,
    }


def _statuses(text: str | None) -> frozenset[str] | None:
    if not text:
        return None
    wanted = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not wanted <= set(TicketStatus):
        raise UnknownStatus(errors={"status": [(UnknownStatus.zh, UnknownStatus.en)]})
    return wanted


def _answer(ticket: Ticket) -> Versioned:
    return versioned(ticket_out(ticket))


@blp.route("/tickets/<ref(tkt):ref>", methods=["GET"])
@revalidated
@reads
@blp.response(200, s.TicketOut)
def ticket(ref: Ref) -> Versioned:
    """One of my tickets with timeline, photos before and after, clocks."""
    return _answer(tickets.ticket_for(g.resident_id, ref))


@blp.route("/tickets/<ref(tkt):ref>/comments", methods=["POST"])
@writes
@blp.arguments(s.CommentIn)
@blp.response(200, s.TicketOut)
def comment(body: dict[str, Any], ref: Ref) -> Versioned:
    """Say something to those who handle it."""
    return _answer(
        service.comment_as_resident(
            ref, text=body["text"], acting_user=g.resident_id, version=asked_version()
        )
    )


@blp.route("/tickets/<ref(tkt):ref>/withdraw", methods=["POST"])
@writes
@blp.response(200, s.TicketOut)
def withdraw(ref: Ref) -> Versioned:
    """Withdraw the report, as long as nobody has been sent."""
    return _answer(service.withdraw(ref, acting_user=g.resident_id, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/rating", methods=["POST"])
@writes
@blp.arguments(s.RatingIn)
@blp.response(200, s.TicketOut)
def rate(body: dict[str, Any], ref: Ref) -> Versioned:
    """Rate it within 15 days of closing; `solved: false` reopens it."""
    return _answer(
        service.rate(
            ref,
            stars=body["stars"],
            solved=body["solved"],
            text=body["text"] or None,
            acting_user=g.resident_id,
            version=asked_version(),
        )
    )


@blp.route("/tickets/<ref(tkt):ref>/reopen", methods=["POST"])
@writes
@blp.arguments(s.ReasonIn)
@blp.response(200, s.TicketOut)
def reopen(body: dict[str, Any], ref: Ref) -> Versioned:
    """Not fixed after all: reopen it within 15 days of closing."""
    return _answer(
        service.reopen_as_resident(
            ref, reason=body["reason"], acting_user=g.resident_id, version=asked_version()
        )
    )
