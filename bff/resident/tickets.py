"""The one-tap report, and following it to its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, g, url_for

from app import db, own_ticket
from app.errors import Invalid, NotFound
from app.ids import Ref
from app.people.errors import BadToken
from app.places import queries as places
from app.tickets import joining, lines, pressure, service
from app.tickets import queries as tickets
from app.tickets.models import Ticket, TicketStatus
from bff.http import (
    Versioned,
    asked_version,
    dumped,
    read_cursor,
    reads,
    revalidated,
    versioned,
    write_cursor,
    writes,
)
from bff.resident import schemas as s
from bff.resident.auth import asks_itself, ensure_login
from bff.resident.lines import line_out
from bff.resident.places import wgs84
from bff.resident.views import followed_out, own_ticket_out, promised_out, similar_out, ticket_out
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
    """Categories with hints and own questions, whether a photo is needed, emergency numbers.

    `groups` is the first screen: a few words each, with the codes of what can be chosen below it.
    """
    if args["estate_id"] is not None:
        places.estate(args["estate_id"])
    groups, chosen = tickets.categories_by_group()
    top = {term.code: group.code for group in groups for term in chosen[group.code]}
    return {
        "groups": [
            {
                "code": group.code,
                "name": group.name,
                "hint": group.hint,
                "categories": [term.code for term in chosen[group.code]],
            }
            for group in groups
        ],
        "categories": [
            {
                "code": c.code,
                "name": c.name,
                "hint": c.hint,
                "needs_photo": c.needs_photo,
                "urgent": c.is_urgent,
                "questions": c.questions,
                "group": top[c.code],
            }
            for group in groups
            for c in chosen[group.code]
        ],
        "emergency_numbers": list(EMERGENCY),
        "max_photos": service.MAX_PHOTOS,
    }


@blp.route("/report-options/suggest", methods=["GET"])
@reads
@blp.arguments(s.SuggestQuery, location="query")
@blp.response(200, s.SuggestedOut(many=True))
def suggest(args: dict[str, Any]) -> list[dict[str, Any]]:
    """Up to three categories that these words speak for, the likeliest first, and which words do; maybe none.

    A help for choosing, never a choice: the report takes whatever category it is given, or none.
    """
    return [found._asdict() for found in tickets.suggest_categories(args["text"])]


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
@asks_itself
@blp.described(s.TicketList, query=s.TicketQuery)
def my_tickets() -> Response:
    """My tickets, wherever they are, latest change first."""
    args = blp.query_of(s.TicketQuery)
    page = lines.mine(
        g.resident_id,
        g.session_id,
        limit=args["limit"],
        before=read_cursor(args["cursor"], datetime.fromisoformat, UUID),
        statuses=_statuses(args["status"]),
    )
    if page is None:
        raise BadToken
    return dumped(
        {
            "items": [line_out(line) for line in page.lines],
            "next_cursor": write_cursor(*page.after) if page.after else None,
        }
    )


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
@asks_itself
@revalidated
@blp.described(s.TicketOut)
def ticket(ref: Ref) -> Response:
    """One of my tickets with timeline, photos before and after, clocks."""
    own = own_ticket.of(g.resident_id, g.session_id, ref)
    if own is not None:
        body = own_ticket_out(own)
    else:
        with db.reading() as session:
            ensure_login(session.connection())
            body = s.TicketOut().dump(_seen(ref))
    response = dumped(body)
    response.set_etag(str(body["version"]))
    return response


def _seen(ref: Ref) -> dict[str, Any]:
    try:
        return ticket_out(tickets.ticket_for(g.resident_id, ref))
    except NotFound:
        return followed_out(tickets.followed(g.resident_id, ref))


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


@blp.route("/tickets/<ref(tkt):ref>/urge", methods=["POST"])
@writes
@blp.response(200, s.TicketOut)
def urge(ref: Ref) -> Versioned:
    """催办, once in 12 hours; the third time the ticket is supervised."""
    return _answer(pressure.urge(ref, acting_user=g.resident_id, version=asked_version()))


@blp.route("/tickets/similar", methods=["GET"])
@reads
@blp.arguments(s.SimilarQuery, location="query")
@blp.response(200, s.SimilarList)
def similar(args: dict[str, Any]) -> dict[str, Any]:
    """Has it been reported? Open tickets of public classes within 250 m, without anybody's words."""
    found = tickets.similar(wgs84(args["lng"], args["lat"], args["crs"]), category=args["category"])
    return {"items": similar_out(found), "next_cursor": None}


@blp.route("/tickets/<ref(tkt):ref>/join", methods=["POST"])
@writes
@blp.response(200, s.JoinedOut)
def join(ref: Ref) -> dict[str, Any]:
    """我也遇到: hear of every step; no text."""
    ticket = joining.join(ref, acting_user=g.resident_id, version=asked_version())
    return {"ticket_ref": ref, "status": ticket.status, "me_too": ticket.me_too}
