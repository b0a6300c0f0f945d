"""The moves of the complete loop: taking, pausing, more time, shared work, supervision, merging, referring."""

from __future__ import annotations

from typing import Any

from flask import g, url_for

from app.ids import Ref
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.tickets import handing, holding, joining, pressure, queries
from app.tickets.models import Ticket
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.views import extension_out, part_out, ticket_out
from bff.http import Versioned, asked_version, versioned, writes
from bff.schemas import Blueprint

blp = Blueprint("staff-loop", __name__, url_prefix="/admin/api/v1", description="Tickets: the complete loop")


def _answer(ticket: Ticket) -> Versioned:
    return versioned(ticket_out(ticket, g.staff))


@blp.route("/tickets/<ref(tkt):ref>/grab", methods=["POST"])
@requires(Allow.TICKET_HANDLE)
@writes
@blp.response(200, s.TicketOut)
def grab(ref: Ref) -> Versioned:
    """抢单: take a ticket of my organisation that nobody has taken."""
    return _answer(holding.grab(ref, acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/assign", methods=["POST"])
@requires(Allow.TICKET_ASSIGN)
@writes
@blp.arguments(s.AssignIn)
@blp.response(200, s.TicketOut)
def assign(body: dict[str, Any], ref: Ref) -> Versioned:
    """指派 to one of the organisation's people."""
    return _answer(
        holding.assign(ref, staff_id=body["staff_id"], acting_user=g.staff, version=asked_version())
    )


@blp.route("/tickets/<ref(tkt):ref>/rotate", methods=["POST"])
@requires(Allow.TICKET_HANDLE)
@writes
@blp.arguments(s.ReasonIn)
@blp.response(200, s.TicketOut)
def rotate(body: dict[str, Any], ref: Ref) -> Versioned:
    """轮派: to the next on shift at the same post, with a reason for colleagues."""
    return _answer(handing.rotate(ref, reason=body["reason"], acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/suspend", methods=["POST"])
@requires(Allow.TICKET_HANDLE)
@writes
@blp.arguments(s.SuspendIn)
@blp.response(200, s.TicketOut)
def suspend(body: dict[str, Any], ref: Ref) -> Versioned:
    """暂停 with a reason that the reporter reads, 10 days in all, and never for urgent or overdue tickets."""
    return _answer(
        holding.suspend(
            ref, reason=body["reason"], days=body["days"], acting_user=g.staff, version=asked_version()
        )
    )


@blp.route("/tickets/<ref(tkt):ref>/resume", methods=["POST"])
@requires(Allow.TICKET_HANDLE)
@writes
@blp.response(200, s.TicketOut)
def resume(ref: Ref) -> Versioned:
    """恢复 before the pause is over."""
    return _answer(holding.resume(ref, acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/extensions", methods=["POST"])
@requires(Allow.TICKET_HANDLE)
@writes
@blp.arguments(s.ExtensionIn)
@blp.response(201, s.ExtensionOut)
def ask_extension(body: dict[str, Any], ref: Ref) -> Any:
    """延期申请, before the limit is over."""
    row = holding.ask_extension(
        ref, until=body["until"], reason=body["reason"], acting_user=g.staff, version=asked_version()
    )
    return extension_out(row), 201, {"Location": url_for("staff-tickets.ticket", ref=ref)}


@blp.route("/extensions/<ref(ext):ref>/approve", methods=["POST"])
@requires(Allow.TICKET_DISPATCH)
@writes
@blp.arguments(s.NoteIn)
@blp.response(200, s.ExtensionOut)
def approve_extension(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """延期审核: grant the time, never to oneself, and not once the limit is over.

    If-Match names the version of the ticket.
    """
    _, row = holding.decide_extension(
        ref, approved=True, note=body["note"], acting_user=g.staff, version=asked_version()
    )
    return extension_out(row)


@blp.route("/extensions/<ref(ext):ref>/refuse", methods=["POST"])
@requires(Allow.TICKET_DISPATCH)
@writes
@blp.arguments(s.NoteIn)
@blp.response(200, s.ExtensionOut)
def refuse_extension(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """延期审核: the limit stays. If-Match names the version of the ticket."""
    _, row = holding.decide_extension(
        ref, approved=False, note=body["note"], acting_user=g.staff, version=asked_version()
    )
    return extension_out(row)


@blp.route("/tickets/<ref(tkt):ref>/parts", methods=["POST"])
@requires(Allow.TICKET_DISPATCH)
@writes
@blp.arguments(s.PartIn)
@blp.response(201, s.TicketOut)
def call_in(body: dict[str, Any], ref: Ref) -> Any:
    """吹哨报到: call an assisting unit in with a task of its own."""
    holding.call_in(
        ref, org_id=body["org_id"], task=body["task"], acting_user=g.staff, version=asked_version()
    )
    ticket = queries.ticket_for_staff(g.staff, ref)
    return versioned(ticket_out(ticket, g.staff), 201, Location=url_for("staff-tickets.ticket", ref=ref))


@blp.route("/tickets/<ref(tkt):ref>/parts/done", methods=["POST"])
@requires(Allow.TICKET_HANDLE, Allow.TICKET_DISPATCH)
@writes
@blp.arguments(s.PartDoneIn)
@blp.response(200, s.PartOut)
def finish_part(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """An assisting unit has done its task; the desk may say so for one that doesn't answer."""
    part = holding.finish_part(
        ref, org_id=body["org_id"], note=body["note"], acting_user=g.staff, version=asked_version()
    )
    return part_out(part, places.org_names([part.org_id]))


@blp.route("/tickets/<ref(tkt):ref>/supervise", methods=["POST"])
@requires(Allow.TICKET_SUPERVISE)
@writes
@blp.arguments(s.SuperviseIn)
@blp.response(200, s.TicketOut)
def supervise(body: dict[str, Any], ref: Ref) -> Versioned:
    """督办."""
    return _answer(pressure.supervise(ref, note=body["note"], acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/callback", methods=["POST"])
@requires(Allow.TICKET_CALLBACK)
@writes
@blp.arguments(s.CallbackIn)
@blp.response(200, s.TicketOut)
def call_back(body: dict[str, Any], ref: Ref) -> Versioned:
    """回访: what the reporter said; not solved reopens it."""
    ticket, _ = pressure.call_back(
        ref,
        stars=body["stars"],
        solved=body["solved"],
        note=body["note"],
        acting_user=g.staff,
        version=asked_version(),
    )
    return _answer(ticket)


@blp.route("/tickets/<ref(tkt):ref>/exclude", methods=["POST"])
@requires(Allow.TICKET_EXCLUDE)
@writes
@blp.arguments(s.ReasonIn)
@blp.response(200, s.TicketOut)
def exclude(body: dict[str, Any], ref: Ref) -> Versioned:
    """Leave an unreasonable complaint out of scores; the figures show it, the resident isn't told."""
    return _answer(pressure.exclude(ref, reason=body["reason"], acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/merge", methods=["POST"])
@requires(Allow.TICKET_MERGE)
@writes
@blp.arguments(s.MergeIn)
@blp.response(200, s.TicketOut)
def merge(body: dict[str, Any], ref: Ref) -> Versioned:
    """合并 into another open ticket of the community."""
    return _answer(joining.merge(ref, into=body["into"], acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/unmerge", methods=["POST"])
@requires(Allow.TICKET_MERGE)
@writes
@blp.response(200, s.TicketOut)
def unmerge(ref: Ref) -> Versioned:
    """取消合并: back to where it stood."""
    return _answer(joining.unmerge(ref, acting_user=g.staff, version=asked_version()))


@blp.route("/tickets/<ref(tkt):ref>/refer", methods=["POST"])
@requires(Allow.TICKET_REFER)
@writes
@blp.arguments(s.ReferIn)
@blp.response(200, s.TicketOut)
def refer(body: dict[str, Any], ref: Ref) -> Versioned:
    """转办 to another community; number, reporter, photos and limit go with it."""
    ticket, _ = joining.refer(
        ref,
        community_id=body["community_id"].int,
        reason=body["reason"],
        acting_user=g.staff,
        version=asked_version(),
    )
    return _answer(ticket)
