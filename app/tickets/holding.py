"""Writing what happens while a unit holds a ticket: taking it, pausing it, asking for time, sharing the work."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import audit, clock, db, ids
from app.audit import Actor
from app.errors import NotFound
from app.ids import Ref
from app.messaging.models import NoticeKind
from app.people import queries as people
from app.people.errors import PermissionMissing
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.tickets import clocks, queries, steps
from app.tickets.errors import (
    AlreadyDecided,
    AlreadyTaken,
    BadExtension,
    ExtensionPending,
    ExtensionTooLate,
    NeverPaused,
    PauseTooLate,
    PauseTooLong,
    UnknownHandler,
    UnknownOrg,
)
from app.tickets.models import Extension, ExtensionState, Part, PartKind, Ticket, Visibility
from app.tickets.moves import Move

MAX_PAUSE_DAYS = 10
USUAL_PAUSE_DAYS = 5
MAX_EXTENSION = timedelta(days=30)


def grab(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """抢单: take a ticket of one's organisation that nobody has taken. Raises AlreadyTaken."""
    ticket = steps.staff_ticket(acting_user, ref, Move.GRAB, version)
    if ticket.handler_id not in (None, acting_user.id):
        raise AlreadyTaken
    before = steps.go(ticket, Move.GRAB)
    ticket.handler_id = acting_user.id
    steps.event(
        ticket,
        Move.GRAB,
        acting_user.actor,
        from_status=before,
        org_id=ticket.org_id,
        visibility=Visibility.INTERNAL,
    )
    return ticket


def assign(ref: Ref, *, staff_id: UUID, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """Give it to one of the organisation's people. Raises UnknownHandler."""
    ticket = steps.staff_ticket(acting_user, ref, Move.ASSIGN, version)
    if ticket.org_id is None or not people.works_for(staff_id, ticket.org_id):
        raise UnknownHandler(errors={"staff_id": [(UnknownHandler.zh, UnknownHandler.en)]})
    before = steps.go(ticket, Move.ASSIGN)
    ticket.handler_id = staff_id
    steps.event(
        ticket,
        Move.ASSIGN,
        acting_user.actor,
        from_status=before,
        org_id=ticket.org_id,
        visibility=Visibility.INTERNAL,
        to=str(staff_id),
    )
    return ticket


def suspend(
    ref: Ref, *, reason: str, days: int | None, acting_user: StaffActor, version: int | None = None
) -> Ticket:
    """Pause with a reason the reporter reads; then the clock starts again by itself.

    All pauses since the report (or its reopening) take at most 10 days together; without `days` it is 5, or what
    is left. Each 24:00 at which the clock stands takes a day. Raises NeverPaused for urgent tickets, PauseTooLate once
    the limit is over, PauseTooLong.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.SUSPEND, version)
    if ticket.is_urgent:
        raise NeverPaused
    if queries.is_late(ticket):
        raise PauseTooLate
    left = (timedelta(days=MAX_PAUSE_DAYS) - clocks.paused(steps.beats_of(ticket), clock.now())).days
    if days is None:
        days = max(1, min(USUAL_PAUSE_DAYS, left))
    if not 1 <= days <= left:
        raise PauseTooLong(days=MAX_PAUSE_DAYS, left=max(0, left))
    before = steps.go(ticket, Move.SUSPEND)
    ticket.standing_until = clock.now() + timedelta(days=days)
    steps.event(
        ticket,
        Move.SUSPEND,
        acting_user.actor,
        from_status=before,
        words=reason,
        org_id=ticket.org_id,
        until=ticket.standing_until.isoformat(),
    )
    steps.tell(
        ticket, NoticeKind.TICKET_SUSPENDED, note=reason, until=steps.clock_words(ticket.standing_until)
    )
    return ticket


def resume(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """Go on before the pause is over."""
    ticket = steps.staff_ticket(acting_user, ref, Move.RESUME, version)
    end_pause(ticket, acting_user.actor)
    return ticket


def resume_by_clock(ref: Ref) -> None:
    """The pause is over. May run twice; the second run finds it going."""
    ticket = db.session().get(Ticket, ref, with_for_update=True)
    if ticket is None or ticket.standing_until is None or ticket.standing_until > clock.now():
        return
    end_pause(ticket, audit.SYSTEM)


def end_pause(ticket: Ticket, actor: Actor) -> None:
    """The work on a locked ticket goes on, and its clock runs again. Raises IllegalMove."""
    steps.refuse_illegal(ticket, Move.RESUME)
    before = steps.go(ticket, Move.RESUME)
    ticket.standing_until = None
    steps.event(ticket, Move.RESUME, actor, from_status=before, org_id=ticket.org_id)
    steps.tell(
        ticket,
        NoticeKind.TICKET_RESUMED,
        org=steps.org_name(ticket),
        close_by=steps.clock_words(ticket.due_at),
    )


# --- more time -------------------------------------------------------------------------------------------


def ask_extension(
    ref: Ref, *, until: datetime, reason: str, acting_user: StaffActor, version: int | None = None
) -> Extension:
    """延期申请, before the limit is over. Raises ExtensionTooLate, BadExtension, ExtensionPending."""
    ticket = steps.staff_ticket(acting_user, ref, Move.ASK_EXTENSION, version)
    now = clock.now()
    if now > ticket.due_at:
        raise ExtensionTooLate
    if not ticket.due_at < until <= ticket.due_at + MAX_EXTENSION:
        raise BadExtension(errors={"until": [(BadExtension.zh, BadExtension.en)]})
    row = Extension(
        community_id=ticket.community_id,
        id=ids.new_id(),
        ticket_id=ticket.id,
        until=until,
        reason=reason,
        state=ExtensionState.PENDING,
        asked_by=acting_user.id,
        asked_at=now,
    )
    try:
        with db.session().begin_nested():
            db.session().add(row)
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_ticket_extensions_pending":
            raise ExtensionPending from e
        raise
    before = steps.go(ticket, Move.ASK_EXTENSION)
    steps.event(
        ticket,
        Move.ASK_EXTENSION,
        acting_user.actor,
        from_status=before,
        words=reason,
        org_id=ticket.org_id,
        visibility=Visibility.INTERNAL,
        until=until.isoformat(),
    )
    return row


def decide_extension(
    ref: Ref, *, approved: bool, note: str | None, acting_user: StaffActor, version: int | None = None
) -> tuple[Ticket, Extension]:
    """延期审核 by the desk; never by who asked. `version` is the ticket's.

    Granted only until the limit is over, also when it was asked for in time: what is late stays late. Raises NotFound,
    AlreadyDecided, PermissionMissing, ExtensionTooLate.
    """
    found = db.session().get(Extension, ref)
    if found is None:
        raise NotFound
    move = Move.EXTEND if approved else Move.KEEP_LIMIT
    ticket = steps.staff_ticket(acting_user, Ref(ref.community_id, found.ticket_id), move, version)
    row = (
        db.session()
        .scalars(
            select(Extension)
            .where(Extension.community_id == ref.community_id, Extension.id == ref.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        .one()
    )
    if row.state != ExtensionState.PENDING:
        raise AlreadyDecided
    if row.asked_by == acting_user.id:
        raise PermissionMissing
    if approved and queries.is_late(ticket):
        raise ExtensionTooLate
    row.state = ExtensionState.APPROVED if approved else ExtensionState.REFUSED
    row.decided_by, row.decided_at, row.decision_note = acting_user.id, clock.now(), note
    before = steps.go(ticket, move)
    steps.event(
        ticket,
        move,
        acting_user.actor,
        from_status=before,
        words=note,
        visibility=Visibility.REPORTER if approved else Visibility.INTERNAL,
        until=row.until.isoformat(),
    )
    if approved:
        # Why the unit asked is a matter among staff; what the reporter reads are the desk's words.
        steps.tell(
            ticket,
            NoticeKind.TICKET_EXTENDED,
            close_by=steps.clock_words(ticket.due_at),
            note=note or "处理还需要一些时间",
        )
    return ticket, row


# --- shared work -----------------------------------------------------------------------------------------


def call_in(
    ref: Ref, *, org_id: UUID, task: str, acting_user: StaffActor, version: int | None = None
) -> Part:
    """吹哨报到: call an assisting unit in with a task of its own and the same deadline; anew when it had done its part
    before the ticket was reopened or failed its check. Raises UnknownOrg.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.PART, version)
    if not may_be_given(ticket, org_id):
        raise UnknownOrg(errors={"org_id": [(UnknownOrg.zh, UnknownOrg.en)]})
    if org_id == ticket.org_id or org_id in called_in(ticket):
        raise UnknownOrg(errors={"org_id": [("这个单位已在办理。", "This unit works on it already.")]})
    part = add_part(ticket, org_id, task)
    set_lead(ticket)
    before = steps.go(ticket, Move.PART)
    steps.event(
        ticket,
        Move.PART,
        acting_user.actor,
        from_status=before,
        words=task,
        org_id=org_id,
        visibility=Visibility.INTERNAL,
    )
    return part


def may_be_given(ticket: Ticket, org_id: UUID) -> bool:
    """Is this an active organisation that answers for something where the ticket is?"""
    org = places.org(org_id)
    return org is not None and org.is_active and org_id in places.orgs_answering_in(ticket.community_id)


def called_in(ticket: Ticket) -> set[UUID]:
    """The units that have a part in the work; not those that had done it before the work began anew."""
    anew = queries.run_began(ticket)
    return {
        part.org_id
        for part in queries.parts_of(ticket)
        if part.done_at is None or anew is None or part.done_at > anew
    }


def add_part(ticket: Ticket, org_id: UUID, task: str) -> Part:
    """The task of an assisting unit, under the ticket's own deadline; a part that was done is opened anew."""
    before = next((part for part in queries.parts_of(ticket) if part.org_id == org_id), None)
    if before is not None:
        before.kind, before.task, before.added_at = PartKind.ASSIST, task, clock.now()
        before.done_at = before.done_by = before.done_note = None
        return before
    part = Part(
        community_id=ticket.community_id,
        id=ids.new_id(),
        ticket_id=ticket.id,
        org_id=org_id,
        kind=PartKind.ASSIST,
        task=task,
        added_at=clock.now(),
    )
    db.session().add(part)
    return part


def finish_part(
    ref: Ref, *, org_id: UUID, note: str, acting_user: StaffActor, version: int | None = None
) -> Part:
    """An assisting unit has done its task; the desk may say so for a unit that doesn't answer.

    Raises NotFound, AlreadyDecided, PermissionMissing, IllegalMove.
    """
    ticket = queries.ticket_for_staff(acting_user, ref, lock=True)
    steps.refuse_stale(ticket, version)
    steps.refuse_illegal(ticket, Move.PART_DONE)
    part = next((p for p in queries.parts_of(ticket) if p.org_id == org_id), None)
    if part is None or part.kind != PartKind.ASSIST:
        raise NotFound
    own = org_id in acting_user.org_ids and queries.may(acting_user, ticket, Permission.TICKET_HANDLE)
    if not own and not queries.may(acting_user, ticket, Permission.TICKET_DISPATCH):
        raise PermissionMissing
    if part.done_at is not None:
        raise AlreadyDecided
    part.done_at, part.done_by, part.done_note = clock.now(), acting_user.id, note
    before = steps.go(ticket, Move.PART_DONE)
    steps.event(
        ticket,
        Move.PART_DONE,
        acting_user.actor,
        from_status=before,
        words=note,
        org_id=org_id,
        visibility=Visibility.INTERNAL,
    )
    return part


def set_lead(ticket: Ticket) -> None:
    """Keep the lead's line in step with who has the ticket, once there are units that assist."""
    parts = queries.parts_of(ticket)
    if ticket.org_id is None or not parts:
        return
    for part in parts:
        if part.org_id == ticket.org_id:
            part.kind = PartKind.LEAD
        elif part.kind == PartKind.LEAD:
            db.session().delete(part)
    if all(part.org_id != ticket.org_id for part in parts):
        db.session().add(
            Part(
                community_id=ticket.community_id,
                id=ids.new_id(),
                ticket_id=ticket.id,
                org_id=ticket.org_id,
                kind=PartKind.LEAD,
                task="主办",
                added_at=clock.now(),
            )
        )


def lapse_extensions(ticket: Ticket) -> None:
    """Nobody needs to decide any more: the unit has handed the ticket back or fixed it."""
    for row in queries.extensions_of(ticket):
        if row.state == ExtensionState.PENDING:
            row.state, row.decided_at = ExtensionState.LAPSED, clock.now()
