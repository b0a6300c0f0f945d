"""Writing what keeps a ticket moving: urging, supervising, the watch over the limits, calling back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app import audit, clock, db, ids, meters
from app.audit import Actor, ActorKind
from app.ids import Ref
from app.messaging.models import NoticeKind
from app.people.scopes import StaffActor
from app.tickets import clocks, holding, service, steps
from app.tickets.errors import UrgedJustNow
from app.tickets.models import Callback, Ticket, Visibility
from app.tickets.moves import Move

URGE_PAUSE = timedelta(hours=12)
URGES_TO_SUPERVISE = 3


def urge(ref: Ref, *, acting_user: UUID, version: int | None = None) -> Ticket:
    """催办 by the reporter, once in 12 hours; the third time supervises. Raises UrgedJustNow."""
    ticket = steps.resident_ticket(acting_user, ref, Move.URGE, version)
    now = clock.now()
    if ticket.last_urged_at is not None and now - ticket.last_urged_at < URGE_PAUSE:
        raise UrgedJustNow(retry_after=int((ticket.last_urged_at + URGE_PAUSE - now).total_seconds()) + 1)
    before = steps.go(ticket, Move.URGE)
    ticket.urged += 1
    ticket.last_urged_at = now
    steps.event(ticket, Move.URGE, Actor(ActorKind.RESIDENT, acting_user), from_status=before)
    if ticket.urged % URGES_TO_SUPERVISE == 0:
        _supervise(ticket, audit.SYSTEM, f"居民已催办 {ticket.urged} 次")
    return ticket


def supervise(ref: Ref, *, note: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """督办, with a note to who handles it; the reporter sees that it is supervised."""
    ticket = steps.staff_ticket(acting_user, ref, Move.SUPERVISE, version)
    _supervise(ticket, acting_user.actor, note)
    return ticket


def _supervise(ticket: Ticket, actor: Actor, note: str, *, level: int | None = None) -> None:
    """`level`: the rung of the ladder that the clock has climbed; people and urges supervise beside it."""
    before = steps.go(ticket, Move.SUPERVISE)
    ticket.supervised += 1
    rung: dict[str, Any] = {}
    if level is not None:
        ticket.supervise_level = rung["level"] = level
    steps.event(
        ticket,
        Move.SUPERVISE,
        actor,
        from_status=before,
        words=note,
        org_id=ticket.org_id,
        visibility=Visibility.INTERNAL,
        **rung,
    )
    steps.tell(ticket, NoticeKind.TICKET_SUPERVISED)


def to_watch(community_id: int, *, limit: int = 200) -> list[UUID]:
    """Tickets of the community that the watch has something to do with now, the longest due first."""
    rows = db.session().scalars(
        select(Ticket.id)
        .where(Ticket.community_id == community_id, Ticket.watch_at <= clock.now())
        .order_by(Ticket.watch_at)
        .limit(limit)
    )
    return list(rows)


def watch(ref: Ref) -> bool:
    """Tell of a late step at the desk, warn before the limit, note the breach, climb the ladder, end the pause; each
    once. Did anything happen?

    Only tells: the deadlines themselves are read from events and calendar. May run at any time, twice, and by two
    workers at once. After a standstill it says where things stand now, not what was missed on the way.
    """
    ticket = db.session().get(Ticket, ref, with_for_update={"skip_locked": True}, populate_existing=True)
    if ticket is None or ticket.watch_at is None or ticket.watch_at > clock.now():
        return False
    now = clock.now()
    if ticket.standing_since is not None:
        holding.resume_by_clock(ref)
    else:
        _watch_stage(ticket, now)
        _watch_limit(ticket, now)
    steps.look_again(ticket)
    return True


def _watch_limit(ticket: Ticket, now: datetime) -> None:
    if ticket.due_at <= now:
        if ticket.breached_at is None:
            ticket.breached_at = ticket.due_at
            db.after_commit(lambda: meters.add(meters.BREACHES, "limit"))
        level = sum(now >= ticket.due_at + wait for wait in clocks.LADDER)
        if level > ticket.supervise_level:
            _supervise(ticket, audit.SYSTEM, "已超过办结时限", level=level)
    elif ticket.warned_at is None and now >= ticket.due_at - clocks.WARN_BEFORE:
        ticket.warned_at = now
        steps.event(
            ticket, Move.WARN, audit.SYSTEM, from_status=ticket.status, visibility=Visibility.INTERNAL
        )


STAGES = {"received": "accept", "accepted": "dispatch", "returned": "dispatch_again"}


def _watch_stage(ticket: Ticket, now: datetime) -> None:
    """The step that waits at the desk: late once for the desk, and once more for the street."""
    if ticket.status not in clocks.AT_DESK or ticket.stage_due_at is None:
        return
    level = sum(now >= ticket.stage_due_at + wait for wait in clocks.STAGE_LADDER)
    if level <= steps.stage_told(ticket):
        return
    if level == 1:
        db.after_commit(lambda: meters.add(meters.BREACHES, "desk"))
    steps.count_late_stage(ticket)
    ticket.stage_level = level
    steps.event(
        ticket,
        Move.STAGE_LATE,
        audit.SYSTEM,
        from_status=ticket.status,
        visibility=Visibility.INTERNAL,
        stage=STAGES[ticket.status],
        level=level,
    )


def call_back(
    ref: Ref,
    *,
    stars: int,
    solved: bool,
    note: str | None,
    acting_user: StaffActor,
    version: int | None = None,
) -> tuple[Ticket, Callback]:
    """回访: what the reporter said on the phone. Not solved reopens it and counts against who closed it."""
    ticket = steps.staff_ticket(acting_user, ref, Move.CALLBACK, version)
    row = Callback(
        community_id=ticket.community_id,
        id=ids.new_id(),
        ticket_id=ticket.id,
        stars=stars,
        solved=solved,
        note=note,
        by=acting_user.id,
        at=clock.now(),
    )
    db.session().add(row)
    before = steps.go(ticket, Move.CALLBACK)
    steps.event(
        ticket,
        Move.CALLBACK,
        acting_user.actor,
        from_status=before,
        words=note,
        visibility=Visibility.INTERNAL,
        stars=stars,
        solved=solved,
        **service.against(ticket, stars=stars, solved=solved),
    )
    if not solved:
        service.reopen_after_callback(ticket, actor=acting_user.actor, reason=note or "回访：问题没有解决")
    return ticket, row


def exclude(ref: Ref, *, reason: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """Leave an unreasonable complaint out of scores, with a reason that the figures show and the resident doesn't.

    A reopening lifts it: the new run counts.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.EXCLUDE, version)
    before = steps.go(ticket, Move.EXCLUDE)
    ticket.is_excluded = True
    steps.event(
        ticket,
        Move.EXCLUDE,
        acting_user.actor,
        from_status=before,
        words=reason,
        visibility=Visibility.INTERNAL,
    )
    return ticket


def lateness() -> tuple[int, int, int]:
    """Tickets that are open, of these past their limit, and past the time for the step that waits; for /metrics."""
    now = clock.now()
    going = Ticket.standing_since.is_(None)
    row = (
        db.session()
        .execute(
            select(
                func.count(),
                func.count().filter(Ticket.due_at <= now, going),
                func.count().filter(Ticket.stage_due_at <= now, going),
            )
            .where(Ticket.ended_at.is_(None))
            .execution_options(cross_community="metrics")
        )
        .one()
    )
    return int(row[0]), int(row[1]), int(row[2])


def communities_to_watch() -> list[int]:
    """Communities where the watch has something to do now; for the periodic job."""
    rows = db.session().scalars(
        select(Ticket.community_id)
        .where(Ticket.watch_at <= clock.now())
        .distinct()
        .execution_options(cross_community="watch over limits")
    )
    return list(rows)
