"""The board and the moves of staff."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import g, url_for
from marshmallow import ValidationError

from app import ids
from app.errors import Invalid
from app.ids import BadId, Kind, Ref
from app.memberships import review as memberships
from app.people import unmasking
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import registry
from app.tickets import board as boards
from app.tickets import queries as tickets
from app.tickets import service
from app.tickets.models import Ticket, TicketStatus
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.views import rows_out, ticket_out
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
from bff.positions import location_in
from bff.schemas import Blueprint, WireId

blp = Blueprint("staff-tickets", __name__, url_prefix="/admin/api/v1", description="Tickets")


class BadFilter(Invalid):
    """A filter names a state or an area that doesn't exist."""

    code = "bad_filter"
    zh = "筛选条件不正确。"
    en = "A filter is not valid."


def area_of(wire: str | None) -> dict[str, Any]:
    """The field of a board that a wire id of an estate, a grid or a community narrows."""
    if not wire:
        return {}
    try:
        match wire.partition("_")[0]:
            case Kind.GRID:
                return {"grid": ids.decode_ref(Kind.GRID, wire)}
            case Kind.COMMUNITY:
                return {"community": WireId(Kind.COMMUNITY).deserialize(wire).int}
            case _:
                return {"estate": ids.decode_ref(Kind.ESTATE, wire)}
    except (BadId, ValidationError) as e:
        raise BadFilter(errors={"area": [(BadFilter.zh, BadFilter.en)]}) from e


def board_of(args: dict[str, Any]) -> boards.Board:
    """What `args` (of TicketQuery) narrow the board to. Raises BadFilter."""
    status = None
    if args["status"]:
        status = frozenset(part.strip() for part in args["status"].split(",") if part.strip())
        if not status <= set(TicketStatus):
            raise BadFilter(errors={"status": [(BadFilter.zh, BadFilter.en)]})
    return boards.Board(
        status=status,
        **area_of(args["area"]),
        category=args["category"],
        overdue=args["overdue"],
        assigned_to=args["assigned_to"],
        q=args["q"],
        callback_due=args["callback_due"],
        due=args["due"],
    )


@blp.route("/tickets", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
@blp.arguments(s.TicketQuery, location="query")
@blp.response(200, s.TicketList)
def board(args: dict[str, Any]) -> dict[str, Any]:
    """Tickets in my reach, newest first; with `sort=due` the open ones, the most pressing first."""
    return listed(args)


def listed(args: dict[str, Any]) -> dict[str, Any]:
    """The page of the board that `args` (of TicketQuery) ask for. Raises BadFilter, BadCursor."""
    wanted, most = board_of(args), args["limit"] + 1
    if args["sort"] == "due":
        place = read_cursor(args["cursor"], datetime.fromisoformat, UUID)
        rows = boards.soonest(g.staff, wanted, limit=most, after=boards.Due(*place) if place else None)
    else:
        after = read_cursor(args["cursor"], UUID)
        rows = boards.board(g.staff, wanted, limit=most, before=after[0] if after else None)
    page = rows[: args["limit"]]
    last = page[-1] if len(rows) > len(page) else None
    place_of = [last.due_at, last.id] if last and args["sort"] == "due" else [last.id] if last else []
    return {"items": rows_out(page), "next_cursor": write_cursor(*place_of) if last else None}


def _answer(ticket: Ticket) -> Versioned:
    return versioned(ticket_out(ticket, g.staff))


@blp.route("/tickets/<ref(tkt):ref>", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@revalidated
@reads
@blp.response(200, s.TicketOut)
def ticket(ref: Ref) -> Versioned:
    """One ticket with timeline, photos, and what I can do with it."""
    return _answer(tickets.ticket_for_staff(g.staff, ref))


@blp.route("/tickets", methods=["POST"])
@requires(Allow.TICKET_INTAKE, Allow.PATROL_REPORT)
@writes
@blp.arguments(s.TicketIn)
@blp.response(201, s.TicketOut)
def take_in(body: dict[str, Any]) -> Any:
    """Take a report in on somebody's behalf: by phone, visit or patrol; property staff what they see on patrol."""
    taken = service.take_in(
        service.Report(
            location=location_in(body["location"]),
            estate=body["estate_id"],
            category=body["category"] or None,
            text=body["text"] or None,
            answers=body["answers"],
            photo_ids=body["photo_ids"],
            urgent=body["urgent"],
            anonymous=body["anonymous"],
            address=body["address"],
        ),
        channel=body["channel"],
        acting_user=g.staff,
        reporter_name=body["reporter"].get("name"),
        reporter_phone=body["reporter"].get("phone"),
        reporter_house=body["reporter"].get("house_id"),
    )
    ref = Ref(taken.community_id, taken.id)
    there = (
        "staff-tickets.ticket" if tickets.may(g.staff, taken, Allow.TICKET_VIEW) else "staff-reports.report"
    )
    return versioned(ticket_out(taken, g.staff), 201, Location=url_for(there, ref=ref))


@blp.route("/tickets/<ref(tkt):ref>/accept", methods=["POST"])
@requires(Allow.TICKET_ACCEPT)
@writes
@blp.response(200, s.TicketOut)
def accept(ref: Ref) -> Versioned:
    """受理."""
    return _answer(service.accept(ref, acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/reject", methods=["POST"])
@requires(Allow.TICKET_REJECT)
@writes
@blp.arguments(s.RejectIn)
@blp.response(200, s.TicketOut)
def reject(body: dict[str, Any], ref: Ref) -> Versioned:
    """不予受理, with the ground and the reason that the reporter reads."""
    done = service.reject(
        ref, reason=body["reason"], ground=body["ground"], acting_user=g.staff, version=asked_version()
    )
    return _answer(done)


@blp.route("/tickets/<ref(tkt):ref>/category", methods=["POST"])
@requires(Allow.TICKET_CLASSIFY)
@writes
@blp.arguments(s.CategoryIn)
@blp.response(200, s.TicketOut)
def classify(body: dict[str, Any], ref: Ref) -> Versioned:
    """Set or correct the category."""
    done = service.classify(ref, category=body["category"], acting_user=g.staff, version=asked_version())
    return _answer(done)


@blp.route("/tickets/<ref(tkt):ref>/dispatch", methods=["POST"])
@requires(Allow.TICKET_DISPATCH)
@writes
@blp.arguments(s.DispatchIn)
@blp.response(200, s.TicketOut)
def dispatch(body: dict[str, Any], ref: Ref) -> Versioned:
    """派单. Without org_id: by the dispatch rules, else who answers for class and place, else the desk.

    `co_orgs` assist: each gets a task of its own, the note or 协助办理.
    """
    done = service.dispatch(
        ref,
        org_id=body["org_id"],
        staff_id=body["staff_id"],
        co_orgs=body["co_orgs"],
        note=body["note"],
        acting_user=g.staff,
        version=asked_version(),
    )
    return _answer(done)


@blp.route("/tickets/<ref(tkt):ref>/start", methods=["POST"])
@requires(Allow.TICKET_HANDLE)
@writes
@blp.response(200, s.TicketOut)
def start(ref: Ref) -> Versioned:
    """开始处理."""
    return _answer(service.start(ref, acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/return", methods=["POST"])
@requires(Allow.TICKET_HANDLE)
@writes
@blp.arguments(s.ReasonIn)
@blp.response(200, s.TicketOut)
def return_ticket(body: dict[str, Any], ref: Ref) -> Versioned:
    """退单, with a reason, back to the desk. The answer is the ticket as it was handed back."""
    done = service.return_ticket(ref, reason=body["reason"], acting_user=g.staff, version=asked_version())
    return _answer(done)


@blp.route("/tickets/<ref(tkt):ref>/resolve", methods=["POST"])
@requires(Allow.TICKET_HANDLE)
@writes
@blp.arguments(s.ResolveIn)
@blp.response(200, s.TicketOut)
def resolve(body: dict[str, Any], ref: Ref) -> Versioned:
    """处理完毕, with a note and after-photos."""
    done = service.resolve(
        ref,
        note=body["note"],
        photo_ids=body["photo_ids"],
        acting_user=g.staff,
        version=asked_version(),
    )
    return _answer(done)


@blp.route("/tickets/<ref(tkt):ref>/verify", methods=["POST"])
@requires(Allow.TICKET_VERIFY)
@writes
@blp.arguments(s.VerifyIn)
@blp.response(200, s.TicketOut)
def verify(body: dict[str, Any], ref: Ref) -> Versioned:
    """核实, by somebody else than who resolved it; failed, it goes back to work."""
    done = service.verify(
        ref,
        passed=body["passed"],
        note=body["note"],
        acting_user=g.staff,
        version=asked_version(),
    )
    return _answer(done)


@blp.route("/tickets/<ref(tkt):ref>/close", methods=["POST"])
@requires(Allow.TICKET_CLOSE)
@writes
@blp.response(200, s.TicketOut)
def close(ref: Ref) -> Versioned:
    """结案."""
    return _answer(service.close(ref, acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/reopen", methods=["POST"])
@requires(Allow.TICKET_REOPEN)
@writes
@blp.arguments(s.ReasonIn)
@blp.response(200, s.TicketOut)
def reopen(body: dict[str, Any], ref: Ref) -> Versioned:
    """重新办理."""
    done = service.reopen_as_staff(ref, reason=body["reason"], acting_user=g.staff, version=asked_version())
    return _answer(done)


@blp.route("/tickets/<ref(tkt):ref>/comment", methods=["POST"])
@requires(Allow.TICKET_COMMENT)
@writes
@blp.arguments(s.CommentIn)
@blp.response(200, s.TicketOut)
def comment(body: dict[str, Any], ref: Ref) -> Versioned:
    """A word to the reporter, or among colleagues."""
    done = service.comment_as_staff(
        ref,
        text=body["text"],
        visibility=body["visibility"],
        acting_user=g.staff,
        version=asked_version(),
    )
    return _answer(done)


class NotAField(Invalid):
    """What is asked for is no field of that thing."""

    code = "not_a_field"
    zh = "该对象没有要查看的这一项信息。"
    en = "This object has no such field."


@blp.route("/unmask", methods=["POST"])
@requires(Allow.TICKET_UNMASK, Allow.REGISTRY_UNMASK, Allow.MEMBERSHIPS_REVIEW)
@writes
@blp.arguments(s.UnmaskIn)
@blp.response(200, s.UnmaskOut)
def unmask(body: dict[str, Any]) -> dict[str, Any]:
    """Show the whole phone number of a report, or fields of an owner or a member, for a stated purpose; audited.

    `unmasked_today` counts her own of the last 24 hours; the auditor is shown every 50th.
    """
    shown = _unmasked(*body["object"], fields=body["fields_"], purpose=body["purpose"])
    return {**shown, "unmasked_today": unmasking.note_rate(g.staff)}


def _unmasked(kind: Kind, ref: Ref, *, fields: list[str], purpose: str) -> dict[str, str | None]:
    if not s.UNMASKABLE[kind].issuperset(fields):
        raise NotAField(errors={"fields": [(NotAField.zh, NotAField.en)]})
    if kind is Kind.OWNER:
        return registry.unmask(
            registry_reach(g.staff, Allow.REGISTRY_UNMASK),
            ref,
            fields=fields,
            purpose=purpose,
            acting_user=g.staff.actor,
        )
    if kind is Kind.MEMBERSHIP:
        return memberships.unmask(
            registry_reach(g.staff, Allow.MEMBERSHIPS_REVIEW),
            ref,
            fields=fields,
            purpose=purpose,
            acting_user=g.staff.actor,
        )
    return {"contact_phone": service.unmask_phone(ref, purpose=purpose, acting_user=g.staff)}
