"""What all moves have in common: who may, the state, the event, the clock, and telling people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app import audit, clock, crypto, db, ids
from app.audit import Actor, ActorKind
from app.errors import StaleVersion
from app.ids import Kind, Ref
from app.media import service as media
from app.media.models import Photo
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.people import service as people
from app.people.errors import PermissionMissing
from app.people.scopes import StaffActor
from app.places import queries as places
from app.sources import service as sources
from app.tickets import clocks, queries
from app.tickets.clocks import Beat, Clock, Limit, Unit
from app.tickets.errors import IllegalMove
from app.tickets.models import CategoryTerm, LimitUnit, Ticket, TicketEvent, Visibility
from app.tickets.moves import BY_HOLDER, ENDED, MOVES, Move, allowed_from
from app.tickets.queries import INDEX_KIND, OBJECT_KIND

# The events that a clock is read from.
CLOCK_KINDS = (
    Move.REPORT,
    Move.REFERRED_IN,
    Move.ACCEPT,
    Move.CLASSIFY,
    Move.REOPEN,
    Move.RETURN,
    Move.SUSPEND,
    Move.RESUME,
    Move.EXTEND,
)


def refuse_illegal(ticket: Ticket, move: Move) -> None:
    """Raises IllegalMove, naming what this state allows, when the table doesn't know the move from here."""
    if ticket.status not in MOVES[move].sources:
        raise IllegalMove(extra={"ticket_status": ticket.status, "allowed": allowed_from(ticket.status)})


def staff_ticket(staff: StaffActor, ref: Ref, move: Move, version: int | None) -> Ticket:
    """The locked ticket, once everything that speaks against the move has been asked.

    Raises NotFound, PermissionMissing, StaleVersion, IllegalMove.
    """
    ticket = queries.ticket_for_staff(staff, ref, lock=True)
    permission = MOVES[move].permission
    if permission is None or not queries.may(staff, ticket, permission):
        raise PermissionMissing
    if version is not None and ticket.version != version:
        raise StaleVersion
    refuse_illegal(ticket, move)
    if move in BY_HOLDER and ticket.org_id not in staff.org_ids:
        raise PermissionMissing
    return ticket


def resident_ticket(resident_id: UUID, ref: Ref, move: Move, version: int | None = None) -> Ticket:
    """The reporter's own ticket, locked for the move. Raises NotFound, StaleVersion, IllegalMove."""
    ticket = queries.ticket_for(resident_id, ref, lock=True)
    if version is not None and ticket.version != version:
        raise StaleVersion
    refuse_illegal(ticket, move)
    return ticket


def go(ticket: Ticket, move: Move) -> str:
    """Set the state that the table names; returns the one before."""
    before = ticket.status
    target = MOVES[move].target
    if target is not None:
        ticket.status = target
    ticket.version += 1
    return before


def event(
    ticket: Ticket,
    move: Move,
    actor: Actor,
    *,
    from_status: str | None,
    words: str | None = None,
    visibility: Visibility = Visibility.REPORTER,
    org_id: UUID | None = None,
    photos: Sequence[Photo] = (),
    at: datetime | None = None,
    **data: Any,
) -> TicketEvent:
    """Add the event of a move, its audit row, and what follows for the clock.

    `at`: the moment that the ticket's own columns name, where the clock is read from both.
    """
    event_id = ids.new_id()
    sealed, key_of = None, None
    if words:
        context = queries.words_context(event_id)
        if actor.kind is ActorKind.RESIDENT and actor.id is not None:
            sealed, key_of = people.seal_words(person_id=actor.id, words=words, context=context), actor.id
        else:
            sealed = crypto.keys().encrypt(words.encode(), context)
    ticket.last_seq += 1
    ticket.updated_at = at or clock.now()
    if photos:
        data["photo_ids"] = [str(photo.id) for photo in photos]
    row = TicketEvent(
        community_id=ticket.community_id,
        id=event_id,
        ticket_id=ticket.id,
        seq=ticket.last_seq,
        at=ticket.updated_at,
        kind=move,
        from_status=from_status,
        to_status=ticket.status,
        visibility=visibility,
        actor_kind=actor.kind,
        actor_id=actor.id,
        org_id=org_id,
        words_sealed=sealed,
        words_key_of=key_of,
        data=data,
    )
    db.session().add(row)
    audit.record(
        actor,
        f"ticket.{move.value}",
        community_id=ticket.community_id,
        object_kind=OBJECT_KIND,
        object_id=ticket.id,
    )
    if from_status != ticket.status:
        _tell_sources(ticket, row, words)
    if ticket.reporter_id is not None:
        people.remember(
            resident_id=ticket.reporter_id, kind=INDEX_KIND, ref=Ref(ticket.community_id, ticket.id)
        )
    if from_status is not None and (move in CLOCK_KINDS or from_status != ticket.status):
        reclock(ticket)
    return row


def _tell_sources(ticket: Ticket, row: TicketEvent, words: str | None) -> None:
    """Owe the systems that handed in the ticket, or one merged into it, its new status; what is internal stays so."""
    note = words if row.visibility == Visibility.REPORTER else None
    told = [(ticket, note)]
    if from_elsewhere := queries.merged_into(ticket):
        # What the reporter of this one wrote is not for who handed in another.
        told += [(other, note if row.actor_kind != ActorKind.RESIDENT else None) for other in from_elsewhere]
    for each, note_of_it in told:
        sources.status_changed(
            Ref(each.community_id, each.id),
            status=ticket.status,
            at=row.at,
            org_id=ticket.org_id,
            note=note_of_it,
        )


def beats_of(ticket: Ticket) -> list[Beat]:
    """The events that the ticket's clock is read from, in order; of a referred one, from its first report on."""
    db.session().flush()  # the event just added is one of them
    rows = db.session().execute(
        select(TicketEvent.kind, TicketEvent.at, TicketEvent.data)
        .where(
            TicketEvent.community_id == ticket.community_id,
            TicketEvent.ticket_id == ticket.id,
            TicketEvent.kind.in_([kind.value for kind in CLOCK_KINDS]),
        )
        .order_by(TicketEvent.seq)
    )
    beats: list[Beat] = []
    for kind, at, data in rows:
        beats += [Beat(k, datetime.fromisoformat(when), d) for k, when, d in data.get("carried", ())]
        beats.append(Beat(kind, at, data))
    return beats


def carried(ticket: Ticket) -> list[list[Any]]:
    """The beats of a ticket as the first event of its successor elsewhere keeps them."""
    kept = {"limit", "until"}
    return [
        [beat.kind, beat.at.isoformat(), {key: beat.data[key] for key in kept & beat.data.keys()}]
        for beat in beats_of(ticket)
    ]


def clock_of(ticket: Ticket) -> Clock:
    """What the events and the calendar say of the ticket's deadlines. Raises BeyondCalendar."""
    beats = beats_of(ticket)
    calendar = queries.calendar_from(beats[0].at)
    # Tickets older than the limits in events were promised what urgency alone says.
    promised = clocks.limit_for(urgent=ticket.is_urgent)
    return clocks.read(beats, calendar, status=ticket.status, limit=promised)


def reclock(ticket: Ticket) -> None:
    """Write what the events and the calendar say into the columns that cache it.

    A ticket that has ended keeps its limit: what it was measured by doesn't change afterwards.
    """
    if ticket.status in ENDED:
        ticket.stage_due_at = ticket.standing_since = ticket.standing_until = ticket.watch_at = None
        return
    state = clock_of(ticket)
    ticket.due_at, ticket.stage_due_at = state.due_at, state.stage_due_at
    ticket.standing_since = state.standing_since
    at = ticket.standing_since or clock.now()
    if ticket.breached_at is not None and at <= ticket.due_at:
        # Granted time or a corrected calendar cured it: the ladder begins anew.
        ticket.breached_at, ticket.supervise_level = None, 0
    if ticket.warned_at is not None and at < ticket.due_at - clocks.WARN_BEFORE:
        ticket.warned_at = None
    look_again(ticket)


def look_again(ticket: Ticket) -> None:
    """Note when the watch over the limits has something to do next."""
    ticket.watch_at = clocks.next_look(
        ticket.due_at,
        standing_until=ticket.standing_until if ticket.standing_since is not None else None,
        is_warned=ticket.warned_at is not None,
        is_breached=ticket.breached_at is not None,
        level=ticket.supervise_level,
    )


_UNITS = {
    LimitUnit.WALL_MINUTES: Unit.MINUTES,
    LimitUnit.WALL_HOURS: Unit.HOURS,
    LimitUnit.WORKING_HOURS: Unit.WORKING_HOURS,
    LimitUnit.WORKING_DAYS: Unit.WORKING_DAYS,
}


def limit_for(term: CategoryTerm | None, *, urgent: bool) -> Limit:
    """The limit to close of a ticket of this class."""
    own = None
    if term is not None and term.limit_amount is not None and term.limit_unit is not None:
        own = Limit(term.limit_amount, _UNITS[LimitUnit(term.limit_unit)])
    return clocks.limit_for(urgent=urgent, own=own)


def limit_of(ticket: Ticket) -> Limit:
    """The limit to close that the ticket's class gives it today."""
    return limit_for(queries.class_of(ticket.category_code), urgent=ticket.is_urgent)


def sealed(value: str | None, context: str) -> bytes | None:
    """The value under the installation's key, or None."""
    return crypto.keys().encrypt(value.encode(), context) if value else None


def clock_words(at: datetime) -> str:
    """A deadline as people say it: a day ends at 24:00, not at 0:00 of the next."""
    there = clock.in_shanghai(at)
    if there.hour == there.minute == 0:
        there -= timedelta(minutes=1)
        return f"{there.month}月{there.day}日24:00"
    return f"{there.month}月{there.day}日{there:%H:%M}"


def tell(ticket: Ticket, kind: NoticeKind, *, only_reporter: bool = False, **params: str) -> None:
    """Tell the reporter, and everybody who has the same problem, in this transaction; each once a step."""
    told = {ticket.reporter_id} if ticket.reporter_id is not None else set()
    if ticket.me_too and not only_reporter:
        told |= queries.audience(ticket).keys()
    # In one order: two moves that spend the same people's credits must not wait for each other.
    for resident_id in sorted(told):
        messaging.notify(
            resident_id=resident_id,
            kind=kind,
            community_id=ticket.community_id,
            idem=f"ticket:{ticket.id}:{ticket.last_seq}",
            params={"number": ticket.number, **params},
            target=("ticket", ids.encode(Kind.TICKET, Ref(ticket.community_id, ticket.id))),
        )


def attach(ticket: Ticket, owner: UUID, upload_ids: Sequence[UUID], *, stage: str) -> list[Photo]:
    """Give one's uploads to the ticket. Raises PhotoUnknown, PhotoUnusable."""
    if not upload_ids:
        return []
    return media.attach(
        owner_id=owner,
        upload_ids=upload_ids,
        community_id=ticket.community_id,
        object_kind=OBJECT_KIND,
        object_id=ticket.id,
        stage=stage,
    )


def org_name(ticket: Ticket) -> str:
    """The name of the organisation that has it, for a sentence."""
    if ticket.org_id is None:
        return "处理单位"
    return places.org_names([ticket.org_id]).get(ticket.org_id, "处理单位")
