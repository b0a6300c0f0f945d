"""The moves of the complete loop, made by those of the demonstration street whose business they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app import clock
from app.ids import Ref
from app.people.scopes import StaffActor
from app.tickets import holding, joining, meetings, pressure, queries
from app.tickets.models import ExtensionState, Ticket
from app.tickets.moves import Move
from tools.demo.town import ESTATES, Town

ASSISTING = ("roads", "department1")
"""The unit that is called in, and who works there; where it leads itself, another one is called."""
_OTHERWISE = ("enforcement", "department2")


def _helper(here: Town, ticket: Ticket) -> tuple[str, str]:
    return ASSISTING if ticket.org_id != here.orgs[ASSISTING[0]] else _OTHERWISE


def hold(
    move: Move, ticket: Ticket, *, here: Town, holder: StaffActor, desk: StaffActor, **more: Any
) -> None:
    """What happens while a unit has the ticket: taking it, pausing it, asking for time, sharing the work."""
    ref = Ref(ticket.community_id, ticket.id)
    match move:
        case Move.GRAB:
            holding.grab(ref, acting_user=holder)
        case Move.ASSIGN:
            holding.assign(ref, staff_id=holder.id, acting_user=holder)
        case Move.SUSPEND:
            holding.suspend(ref, acting_user=holder, **more)
        case Move.RESUME:
            holding.resume(ref, acting_user=holder)
        case Move.ASK_EXTENSION:
            until = ticket.due_at + timedelta(days=more["days"])
            holding.ask_extension(ref, until=until, reason=more["reason"], acting_user=holder)
        case Move.EXTEND | Move.KEEP_LIMIT:
            asked = next(e for e in queries.extensions_of(ticket) if e.state == ExtensionState.PENDING)
            request = Ref(asked.community_id, asked.id)
            # By the street: where the community's own desk does the work, it may not grant itself time.
            centre = here.staff["street"]
            holding.decide_extension(request, approved=move is Move.EXTEND, acting_user=centre, **more)
        case Move.PART:
            unit, _ = _helper(here, ticket)
            holding.call_in(ref, org_id=here.orgs[unit], acting_user=desk, **more)
        case Move.PART_DONE:
            unit, worker = _helper(here, ticket)
            holding.finish_part(ref, org_id=here.orgs[unit], acting_user=here.staff[worker], **more)
        case Move.MEETING:
            unit, _ = _helper(here, ticket)
            meetings.record(
                ref,
                held_at=clock.now(),
                org_ids=[here.orgs[unit]],
                lead_org_id=None,
                deadline=None,
                acting_user=desk,
                **more,
            )


def press(move: Move, ticket: Ticket, *, here: Town, desk: StaffActor, **more: Any) -> None:
    """What keeps it moving, and what comes after: urging, supervising, calling back, leaving out of scores."""
    ref = Ref(ticket.community_id, ticket.id)
    match move:
        case Move.URGE:
            assert ticket.reporter_id is not None
            pressure.urge(ref, acting_user=ticket.reporter_id)
        case Move.SUPERVISE:
            pressure.supervise(ref, acting_user=here.staff["street"], **more)
        case Move.CALLBACK:
            pressure.call_back(ref, acting_user=desk, **more)
        case Move.EXCLUDE:
            pressure.exclude(ref, acting_user=desk, **more)


def bring_together(
    move: Move, ticket: Ticket, *, here: Town, desk: StaffActor, into: Ticket | None, **more: Any
) -> Ticket:
    """Me too, merge and unmerge, referral; the ticket that the story goes on with."""
    ref = Ref(ticket.community_id, ticket.id)
    match move:
        case Move.JOIN:
            joining.join(ref, acting_user=here.residents[more["name"]])
        case Move.MERGE:
            assert into is not None
            joining.merge(ref, into=Ref(into.community_id, into.id), acting_user=desk)
        case Move.UNMERGE:
            joining.unmerge(ref, acting_user=desk)
        case Move.REFER:
            there = ESTATES[more["estate"]].community
            _, ticket = joining.refer(ref, community_id=there, reason=more["reason"], acting_user=desk)
    return ticket


HOLDING = frozenset(
    {Move.GRAB, Move.ASSIGN, Move.SUSPEND, Move.RESUME, Move.ASK_EXTENSION, Move.EXTEND, Move.KEEP_LIMIT, Move.PART,
     Move.PART_DONE, Move.MEETING}
)  # fmt: skip
PRESSING = frozenset({Move.URGE, Move.SUPERVISE, Move.CALLBACK, Move.EXCLUDE})
TOGETHER = frozenset({Move.JOIN, Move.MERGE, Move.UNMERGE, Move.REFER})
