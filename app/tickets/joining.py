"""Writing what brings tickets together or carries them over: me too, merge and unmerge, referral.

Nobody loses anything by it: who joined or was merged hears of every step, and a referred ticket keeps its
number, reporter, photos, time of first report and running clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from app import clock, db, ids
from app.audit import Actor, ActorKind
from app.errors import NotFound
from app.ids import Ref
from app.media import service as media
from app.messaging.models import NoticeKind
from app.people import service as people
from app.people.errors import PermissionMissing
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Point
from app.places.models import RegionKind
from app.sources import service as sources
from app.tickets import clocks, holding, letters, queries, service, steps
from app.tickets.errors import (
    AlreadyJoined,
    BadMerge,
    BadReferral,
    IllegalMove,
    NotJoinable,
    TooManyReferrals,
)
from app.tickets.models import Follower, Ticket, TicketStatus, Visibility
from app.tickets.moves import ENDED, OPEN, Move, allowed_from
from app.tickets.queries import INDEX_KIND, OBJECT_KIND

_COPIED = (
    "channel",
    "category_code",
    "suggested_category",
    "suggested_why",
    "is_urgent",
    "text",
    "text_check",
    "answers",
    "reporter_id",
    "is_anonymous",
    "contact_hash",
    "lng",
    "lat",
    "accuracy_m",
    "address",
    "reported_at",
    "due_at",
    "first_resolved_at",
    "warned_at",
    "breached_at",
    "supervised",
    "supervise_level",
    "urged",
    "last_urged_at",
    "reopened",
    "me_too",
    "is_repeated",
    "closer_org_id",
    "is_demo",
)


def join(ref: Ref, *, acting_user: UUID, version: int | None = None) -> Ticket:
    """我也遇到: follow somebody else's open ticket of a public class; no text.

    Raises NotFound (also for classes that others aren't told of), NotJoinable, AlreadyJoined.
    """
    ticket = db.session().get(Ticket, ref, with_for_update=True, populate_existing=True)
    if ticket is None:
        raise NotFound
    if ticket.reporter_id == acting_user or queries.follows(acting_user, ticket):
        raise AlreadyJoined
    if not queries.is_public(ticket):
        raise NotFound
    steps.refuse_stale(ticket, version)
    if ticket.status not in OPEN:
        raise NotJoinable
    db.session().add(
        Follower(
            community_id=ref.community_id, ticket_id=ref.id, resident_id=acting_user, joined_at=clock.now()
        )
    )
    ticket.me_too += 1
    people.remember(resident_id=acting_user, kind=INDEX_KIND, ref=ref)
    steps.event(
        ticket,
        Move.JOIN,
        Actor(ActorKind.RESIDENT, acting_user),
        from_status=ticket.status,
        visibility=Visibility.INTERNAL,
    )
    return ticket


def _lock(community_id: int, ticket_ids: Iterable[UUID]) -> list[Ticket]:
    """The tickets, locked in one order: two merges of a pair in opposite directions can't wait for each other."""
    return [
        db.session().get_one(Ticket, Ref(community_id, each), with_for_update=True, populate_existing=True)
        for each in sorted(set(ticket_ids))
    ]


def _above(ticket: Ticket) -> list[Ticket]:
    """What the ticket was merged into, and that into, as it stands now."""
    found: list[Ticket] = []
    while ticket.merged_into is not None:
        ticket = db.session().get_one(Ticket, Ref(ticket.community_id, ticket.merged_into))
        found.append(ticket)
    return found


def merge(ref: Ref, *, into: Ref, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """Merge a ticket that waits at the desk into another open one of the community. Raises BadMerge.

    Its reporter and its followers hear of every step of the other from now on. An urgent one makes the other urgent.
    """
    # Both must be hers to see before either is locked.
    queries.ticket_for_staff(acting_user, ref)
    queries.ticket_for_staff(acting_user, into)
    if ref == into or ref.community_id != into.community_id:
        raise BadMerge
    _lock(ref.community_id, [ref.id, into.id])
    ticket = steps.staff_ticket(acting_user, ref, Move.MERGE, version)
    target = queries.ticket_for_staff(acting_user, into)
    if not queries.may(acting_user, target, Permission.TICKET_MERGE):
        raise PermissionMissing
    if target.status in ENDED:
        raise BadMerge
    before = steps.go(ticket, Move.MERGE)
    ticket.merged_into, ticket.ended_at = target.id, clock.now()
    db.session().flush()  # who is concerned by the target is read from the rows
    concerned = queries.audience(target)
    target.me_too = len(concerned)
    for resident_id in concerned:
        people.remember(resident_id=resident_id, kind=INDEX_KIND, ref=into)
    steps.event(ticket, Move.MERGE, acting_user.actor, from_status=before, into=str(target.id))
    _reached(target, Move.MERGE, ticket, acting_user, is_urgent=target.is_urgent or ticket.is_urgent)
    steps.tell(ticket, NoticeKind.TICKET_MERGED, other=target.number)
    return ticket


def unmerge(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """Take a ticket out again: it goes back to the state it had, its clock having run on. What only this one had made
    urgent no longer is. Raises IllegalMove.
    """
    seen = queries.ticket_for_staff(acting_user, ref)
    _lock(ref.community_id, [ref.id, *(t.id for t in _above(seen))])
    ticket = steps.staff_ticket(acting_user, ref, Move.UNMERGE, version)
    last = queries.last_change(ticket, TicketStatus.MERGED)
    above = _above(ticket)
    if last is None or last.from_status is None or not above:
        raise IllegalMove(extra={"ticket_status": ticket.status, "allowed": allowed_from(ticket.status)})
    before = steps.go(ticket, Move.UNMERGE)
    ticket.status = last.from_status
    ticket.merged_into = ticket.ended_at = None
    db.session().flush()  # who is still concerned by the others is read from the rows
    steps.event(ticket, Move.UNMERGE, acting_user.actor, from_status=before)
    for target in above:
        target.me_too = len(queries.audience(target))
    _forget_beyond(ticket, above[-1])
    for target in above:  # from below: each is urgent by what stays merged into it
        is_urgent = _stays_urgent(target)
        if target is above[0] or is_urgent != target.is_urgent:
            _reached(target, Move.UNMERGE, ticket, acting_user, is_urgent=is_urgent)
    steps.tell(ticket, NoticeKind.TICKET_UNMERGED)
    return ticket


def _reached(target: Ticket, move: Move, other: Ticket, staff: StaffActor, *, is_urgent: bool) -> None:
    """Note on the other ticket what was merged into it or taken out, and whether that changes its urgency. What becomes
    urgent stands no longer.
    """
    changed = {}
    if is_urgent != target.is_urgent:
        target.is_urgent = is_urgent
        changed = steps.urgency(target)
    target.version += 1
    steps.event(
        target,
        move,
        staff.actor,
        from_status=target.status,
        visibility=Visibility.INTERNAL,
        merged=str(other.id),
        **changed,
    )
    if target.is_urgent and target.status == TicketStatus.SUSPENDED:
        holding.end_pause(target, staff.actor)


def _stays_urgent(target: Ticket) -> bool:
    """One that has ended otherwise than by a merge stays what it was."""
    if not target.is_urgent or (target.status in ENDED and target.status != TicketStatus.MERGED):
        return target.is_urgent
    held = queries.class_of(target.category_code)
    return steps.is_called_urgent(target) or (held is not None and held.is_urgent)


def _forget_beyond(ticket: Ticket, top: Ticket) -> None:
    """Where the other went on to another community, those who came along with this ticket hear no more of it."""
    gone = {ticket.id, *(t.id for t in queries.merged_into(ticket))}
    still = queries.audience(top)
    chain = queries.chain_of(top)
    for successor in chain[chain.index(top) + 1 :]:
        rows = db.session().scalars(
            select(Follower).where(
                Follower.community_id == successor.community_id,
                Follower.ticket_id == successor.id,
                Follower.own_ticket_id.in_(gone),
            )
        )
        for row in rows.all():
            if row.resident_id not in still:
                db.session().delete(row)
        db.session().flush()  # the count is read from the rows
        successor.me_too = len(queries.audience(successor))


def refer(
    ref: Ref, *, community_id: int, reason: str, acting_user: StaffActor, version: int | None = None
) -> tuple[Ticket, Ticket]:
    """转办 to another community: closed here as referred, opened there in the same transaction.

    The successor has the same public number, reporter, photos, time of first report, and its limit runs on.
    Raises BadReferral, TooManyReferrals.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.REFER, version)
    if community_id == ref.community_id or community_id >= 2**32:  # what an id on the wire can name
        raise BadReferral
    region = places.region(community_id)
    if region is None or region.kind != RegionKind.COMMUNITY:
        raise BadReferral
    if (
        places.who_answers(community_id=community_id, estate_id=None, category_code=ticket.category_code)
        is None
    ):
        raise BadReferral
    if len(queries.chain_of(ticket)) > queries.MAX_REFERRALS:
        raise TooManyReferrals
    now = clock.now()
    concerned, beats = queries.audience(ticket), steps.carried(ticket)
    called_urgent = steps.is_called_urgent(ticket)
    before = steps.go(ticket, Move.REFER)
    db.session().flush()  # from here on the number is free for a successor in a community that had it before
    successor = _successor(ticket, community_id)
    media.carry_over(
        community_id=ticket.community_id,
        object_kind=OBJECT_KIND,
        object_id=ticket.id,
        to=Ref(successor.community_id, successor.id),
    )
    ticket.referred_community, ticket.referred_to, ticket.ended_at = community_id, successor.id, now
    steps.event(ticket, Move.REFER, acting_user.actor, from_status=before, words=reason, to=str(successor.id))
    # The system that handed it in is told of the referral and then of everything that happens there, in one order.
    sources.hand_over(ref, Ref(successor.community_id, successor.id))
    steps.event(
        successor,
        Move.REFERRED_IN,
        acting_user.actor,
        from_status=None,
        words=reason,
        at=successor.updated_at,
        carried=beats,
        called_urgent=called_urgent,
        origin=str(ticket.id),
    )
    for resident_id, own in concerned.items():
        db.session().add(
            Follower(
                community_id=community_id,
                ticket_id=successor.id,
                resident_id=resident_id,
                own_ticket_id=own,
                joined_at=now,
            )
        )
        people.remember(
            resident_id=resident_id, kind=INDEX_KIND, ref=Ref(successor.community_id, successor.id)
        )
    steps.reclock(successor)
    steps.tell(successor, NoticeKind.TICKET_REFERRED, community=region.name)
    return ticket, successor


def _successor(ticket: Ticket, community_id: int) -> Ticket:
    """The ticket as it begins in the other community."""
    now = clock.now()
    point = Point(ticket.lng, ticket.lat) if ticket.lng is not None and ticket.lat is not None else None
    here = places.estate_at(point) if point is not None else None
    estate = here if here is not None and here.community_id == community_id else None
    successor = Ticket(
        community_id=community_id,
        id=ids.new_id(),
        number=ticket.number,
        status=TicketStatus.RECEIVED,
        **{name: getattr(ticket, name) for name in _COPIED},
        estate_id=estate.id if estate else None,
        grid_id=places.grid_covering(Ref(community_id, estate.id)) if estate else None,
        origin_community=ticket.community_id,
        origin_id=ticket.id,
        first_reported_at=ticket.first_reported_at or ticket.reported_at,
        accept_by=now + clocks.ACCEPT_WITHIN,
        dispatch_by=now + clocks.ACCEPT_WITHIN + clocks.DISPATCH_WITHIN,
        returns=0,
        stages_late=0,
        stage_level=0,
        is_excluded=False,
        version=1,
        last_seq=0,
        updated_at=now,
    )
    phone, name = queries.contact_phone(ticket), queries.reporter_name(ticket)
    successor.contact_phone_sealed = steps.sealed(phone, f"contact_phone:{successor.id}")
    successor.reporter_name_sealed = steps.sealed(name, f"reporter_name:{successor.id}")
    db.session().add(successor)
    letters.keep(successor)
    service.open_counter(community_id)
    return successor
