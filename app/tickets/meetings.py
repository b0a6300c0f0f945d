"""Writing the notes of a coordination meeting (工单协调会): who leads, who assists, the plan, until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app import clock
from app.ids import Ref
from app.people.scopes import StaffActor
from app.tickets import holding, steps
from app.tickets.errors import BadMeeting, BeyondLimit, LeadElsewhere
from app.tickets.models import Ticket, TicketStatus, Visibility
from app.tickets.moves import Move

TASK = "按协调会商定的方案协办"  # the plan itself stands in the timeline, sealed


def record(
    ref: Ref,
    *,
    held_at: datetime,
    org_ids: Sequence[UUID],
    lead_org_id: UUID | None,
    plan: str,
    deadline: datetime | None,
    acting_user: StaffActor,
    version: int | None = None,
) -> Ticket:
    """Note what was agreed; the units that assist and aren't called in yet are called in by it, and anew those that had
    done their part before the ticket was reopened or failed its check.

    The lead is the unit that has the ticket; only of a returned one, which nobody works on, it may be another, to
    which the desk sends it next. `deadline` lies within the ticket's limit: notes are no way around an extension.
    Raises BadMeeting, LeadElsewhere, BeyondLimit.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.MEETING, version)
    now = clock.now()
    lead = lead_org_id or ticket.org_id
    assisting = [org_id for org_id in dict.fromkeys(org_ids) if org_id != lead]
    reported_at = ticket.first_reported_at or ticket.reported_at
    # Minutes name the minute.
    if not reported_at.replace(second=0, microsecond=0) <= held_at <= now:
        raise _bad("held_at", "协调会应在上报之后、现在之前。", "It lies between the report and now.")
    if lead is None:
        raise _bad("lead_org_id", "请写明主办单位。", "Please name the unit that leads.")
    if ticket.status != TicketStatus.RETURNED and lead != ticket.org_id:
        raise LeadElsewhere
    if not all(holding.may_be_given(ticket, org_id) for org_id in [lead, *assisting]):
        raise _bad("orgs", "有的单位不在这里办理工单。", "Some of these units don't work here.")
    if deadline is not None and deadline > ticket.due_at:
        raise BeyondLimit(extra={"due_at": clock.rfc3339(ticket.due_at)})
    if deadline is not None and deadline <= now:
        raise _bad("deadline", "商定的期限应晚于现在。", "The agreed deadline lies in the past.")
    called = holding.called_in(ticket)
    if ticket.status != TicketStatus.RETURNED and ticket.org_id is not None:
        called.add(ticket.org_id)
    for org_id in assisting:
        if org_id not in called:
            holding.add_part(ticket, org_id, TASK)
    if ticket.status != TicketStatus.RETURNED:
        holding.set_lead(ticket)
    agreed: dict[str, Any] = {"deadline": deadline.isoformat()} if deadline is not None else {}
    before = steps.go(ticket, Move.MEETING)
    steps.event(
        ticket,
        Move.MEETING,
        acting_user.actor,
        from_status=before,
        words=plan,
        org_id=lead,
        visibility=Visibility.INTERNAL,
        held_at=held_at.isoformat(),
        lead=str(lead),
        orgs=[str(org_id) for org_id in [lead, *assisting]],
        **agreed,
    )
    return ticket


def _bad(field: str, zh: str, en: str) -> BadMeeting:
    return BadMeeting(errors={field: [(zh, en)]})
