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
from app.tickets import clocks, queries, stints, story, telling
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
    Move.MERGE,
    Move.UNMERGE,
)


def refuse_stale(ticket: Ticket, version: int | None) -> None:
    """Raises StaleVersion when somebody names another version than that of the locked ticket."""
    if version is not None and ticket.version != version:
        raise StaleVersion


def refuse_illegal(ticket: Ticket, move: Move, *, reporter: bool = False) -> None:
    """Raises IllegalMove when the table doesn't know the move from here, naming what this state allows: staff, or the
    `reporter`.
    """
    if ticket.status not in MOVES[move].sources:
        allowed = allowed_from(ticket.status, reporter=reporter)
        raise IllegalMove(extra={"ticket_status": ticket.status, "allowed": allowed})


def staff_ticket(staff: StaffActor, ref: Ref, move: Move, version: int | None) -> Ticket:
    """The locked ticket, once everything that speaks against the move has been asked.

    Raises NotFound, PermissionMissing, StaleVersion, IllegalMove.
    """
    ticket = queries.ticket_for_staff(staff, ref, lock=True)
    permission = MOVES[move].permission
    if permission is None or not queries.may(staff, ticket, permission):
        raise PermissionMissing
    refuse_stale(ticket, version)
    refuse_illegal(ticket, move)
    if move in BY_HOLDER and not queries.holds(staff, ticket):
        raise PermissionMissing
    return ticket


def resident_ticket(resident_id: UUID, ref: Ref, move: Move, version: int | None = None) -> Ticket:
    """The reporter's own ticket, locked for the move. Raises NotFound, StaleVersion, IllegalMove, which names what she
    herself may do.
    """
    ticket = queries.ticket_for(resident_id, ref, lock=True)
    refuse_stale(ticket, version)
    refuse_illegal(ticket, move, reporter=True)
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
    is_first: bool = False,
    **data: Any,
) -> TicketEvent:
    """Add the event of a move, its audit row, and what follows for the clock.

    `at`: the moment that the ticket's own columns name, where the clock is read from both. `is_first`: the ticket was
    written with its number.
    """
    event_id = ids.new_id()
    sealed, key_of = None, None
    if words:
        sealed, key_of = people.seal_words(actor=actor, words=words, context=queries.words_context(event_id))
    if not is_first:
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
    # Nothing below is read from what this move changes: written at its end, the ticket is written once.
    with db.session().no_autoflush:
        _follow(ticket, move, actor, row, words)
    return row


def _follow(ticket: Ticket, move: Move, actor: Actor, row: TicketEvent, words: str | None) -> None:
    audit.record(
        actor,
        f"ticket.{move.value}",
        community_id=ticket.community_id,
        object_kind=OBJECT_KIND,
        object_id=ticket.id,
    )
    telling.staff(ticket, row)
    if row.from_status != ticket.status:
        _tell_sources(ticket, row, words)
        if (
            row.from_status in clocks.AT_DESK
            and ticket.stage_due_at is not None
            and row.at > ticket.stage_due_at
        ):
            count_late_stage(ticket)  # also when the watch hadn't looked yet
    if ticket.reporter_id is not None:
        people.remember(
            resident_id=ticket.reporter_id, kind=INDEX_KIND, ref=Ref(ticket.community_id, ticket.id)
        )
    if row.from_status is not None and (move in CLOCK_KINDS or row.from_status != ticket.status):
        _reclock(ticket)
    if row.seq == 1:
        stints.keep_first(ticket, row)
    elif move not in stints.UNCOUNTED:
        stints.keep(ticket)


def _tell_sources(ticket: Ticket, row: TicketEvent, words: str | None) -> None:
    """Owe the systems that handed in the ticket, or one merged into it, its new status; what is internal stays so."""
    note = words if row.visibility == Visibility.REPORTER else None
    told = [(ticket, note)]
    is_new = row.seq == 1  # nothing can have been merged into it
    if not is_new and (from_elsewhere := queries.merged_into(ticket)):
        # What the reporter of this one wrote is not for who handed in another; nor is anything said in private.
        is_theirs = row.actor_kind != ActorKind.RESIDENT and queries.tells_followers(ticket)
        told += [(other, note if is_theirs else None) for other in from_elsewhere]
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
    beats: list[Beat] = []
    for step in story.of(ticket, CLOCK_KINDS):
        beats += [Beat(k, datetime.fromisoformat(when), d) for k, when, d in step.data.get("carried", ())]
        beats.append(Beat(step.kind, step.at, step.data))
    return beats


def carried(ticket: Ticket) -> list[list[Any]]:
    """The beats of a ticket as the first event of its successor elsewhere keeps them."""
    kept = {"limit", "until", "urgent"}
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
    """Write what the events and the calendar say into the columns that cache it, and into the figures.

    A ticket that has ended keeps its limit: what it was measured by doesn't change afterwards.
    """
    _reclock(ticket)
    stints.keep(ticket)


def _reclock(ticket: Ticket) -> None:
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


def count_late_stage(ticket: Ticket) -> None:
    """The limit of the step that waits at the desk is over: count that, once a step."""
    if ticket.stage_breached_at != ticket.stage_due_at:
        ticket.stage_breached_at, ticket.stage_level = ticket.stage_due_at, 0
        ticket.stages_late += 1


def stage_told(ticket: Ticket) -> int:
    """How many rungs have been told that the step which waits now is late."""
    return ticket.stage_level if ticket.stage_breached_at == ticket.stage_due_at else 0


def look_again(ticket: Ticket) -> None:
    """Note when the watch over the limits has something to do next."""
    closing = clocks.next_look(
        ticket.due_at,
        standing_until=ticket.standing_until if ticket.standing_since is not None else None,
        is_warned=ticket.warned_at is not None,
        is_breached=ticket.breached_at is not None,
        level=ticket.supervise_level,
    )
    stage = None
    if ticket.status in clocks.AT_DESK and ticket.stage_due_at is not None:
        stage = clocks.next_stage_look(ticket.stage_due_at, level=stage_told(ticket))
    ticket.watch_at = min((at for at in (closing, stage) if at is not None), default=None)


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


def urgency(ticket: Ticket) -> dict[str, Any]:
    """What the event of a change of class or urgency says to the clock."""
    return {"limit": limit_of(ticket).as_data(), "urgent": ticket.is_urgent}


def is_called_urgent(ticket: Ticket) -> bool:
    """Is it urgent whatever its class is: by its reporter's mark, or by an urgent ticket merged into it?

    Tickets whose first event is older than that mark stay as they are.
    """
    marked = db.session().scalar(
        select(TicketEvent.data["called_urgent"].as_boolean()).where(
            TicketEvent.community_id == ticket.community_id,
            TicketEvent.ticket_id == ticket.id,
            TicketEvent.kind.in_([Move.REPORT, Move.REFERRED_IN]),
        )
    )
    if marked is None:
        marked = ticket.is_urgent
    return marked or any(other.is_urgent for other in queries.merged_into(ticket))


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


# What stands in a notice about something private instead of what staff wrote and who handles it.
_SAID_TO_NOBODY_ELSE = {"note": "不公开", "org": "处理单位", "closing": ""}


def tell(ticket: Ticket, kind: NoticeKind, *, only_reporter: bool = False, **params: str) -> None:
    """Tell the reporter, and everybody who has the same problem, in this transaction; each once a step.

    Of what isn't public (any more) those others hear the step alone.
    """
    told = {ticket.reporter_id} if ticket.reporter_id is not None else set()
    step_alone = False
    if ticket.me_too and not only_reporter:
        told |= queries.audience(ticket).keys()
        step_alone = not queries.tells_followers(ticket)
    # In one order: two moves that spend the same people's credits must not wait for each other.
    for resident_id in sorted(told):
        blanks = {"number": ticket.number, **params}
        if step_alone and resident_id != ticket.reporter_id:
            blanks |= {name: _SAID_TO_NOBODY_ELSE[name] for name in _SAID_TO_NOBODY_ELSE.keys() & params}
        messaging.notify(
            resident_id=resident_id,
            kind=kind,
            community_id=ticket.community_id,
            idem=f"ticket:{ticket.id}:{ticket.last_seq}",
            params=blanks,
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
