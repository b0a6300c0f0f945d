"""Reading tickets: each takes who asks, and shows only what she may see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, select, tuple_

from app import clock, crypto, db
from app.errors import NotFound
from app.ids import Ref
from app.media import queries as media
from app.media.models import Photo
from app.people import queries as people
from app.people.models import Role
from app.people.permissions import Permission
from app.people.scopes import Grant, StaffActor
from app.tickets.models import CalendarDay, Category, Ticket, TicketEvent, TicketStatus, Visibility
from app.tickets.moves import BY_HOLDER, MOVES, Move

INDEX_KIND = "ticket"  # in resident_index
OBJECT_KIND = "ticket"  # in photos, audit
ENDED = (TicketStatus.CLOSED, TicketStatus.REJECTED, TicketStatus.WITHDRAWN)


def categories() -> list[Category]:
    """The categories a report can name, in the order they are shown."""
    return list(db.session().scalars(select(Category).where(Category.is_active).order_by(Category.sort)))


def category(code: str) -> Category | None:
    """One category that can be chosen."""
    found = db.session().get(Category, code)
    return found if found is not None and found.is_active else None


def category_names(codes: Iterable[str | None]) -> dict[str, str]:
    """Names by code, in one query."""
    wanted = {c for c in codes if c is not None}
    if not wanted:
        return {}
    return dict(
        db.session().execute(select(Category.code, Category.name).where(Category.code.in_(wanted))).all()
    )


def working_days(start: datetime, days: int = 60) -> Callable[[date], bool]:
    """The calendar around a moment, in one query. Days without a row: Monday to Friday (unconfirmed)."""
    first = clock.in_shanghai(start).date()
    last = date.fromordinal(first.toordinal() + days)
    known = dict(
        db.session()
        .execute(select(CalendarDay.day, CalendarDay.is_working).where(CalendarDay.day.between(first, last)))
        .all()
    )
    return lambda day: known.get(day, day.weekday() < 5)


# --- the reporter's side ---------------------------------------------------------------------------------


def ticket_for(resident_id: UUID, ref: Ref, *, lock: bool = False) -> Ticket:
    """The resident's own ticket, locked for a move when asked. Raises NotFound for anyone else's."""
    found = db.session().get(Ticket, ref, with_for_update=True if lock else None, populate_existing=lock)
    if found is None or found.reporter_id != resident_id:
        raise NotFound
    return found


def tickets_by_ref(refs: Sequence[Ref]) -> dict[Ref, Ticket]:
    """Tickets by their whole names, in one query."""
    if not refs:
        return {}
    rows = db.session().scalars(
        select(Ticket).where(
            Ticket.community_id.in_({r.community_id for r in refs}),
            tuple_(Ticket.community_id, Ticket.id).in_([tuple(r) for r in refs]),
        )
    )
    return {Ref(t.community_id, t.id): t for t in rows}


class Page(NamedTuple):
    """Rows of one page and where the next one starts (None: the end)."""

    tickets: list[Ticket]
    after: tuple[datetime, UUID] | None


def my_tickets(
    resident_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    statuses: frozenset[str] | None = None,
) -> Page:
    """My tickets wherever they are, latest change first; `statuses` narrows."""
    kept: list[Ticket] = []
    while True:
        entries = people.mine(resident_id, INDEX_KIND, limit=limit + 1, before=before)
        found = tickets_by_ref([e.ref for e in entries])
        for entry in entries:
            ticket = found.get(entry.ref)
            if ticket is not None and (statuses is None or ticket.status in statuses):
                if len(kept) == limit:
                    return Page(kept, before)
                kept.append(ticket)
            before = (entry.updated_at, entry.ref.id)
        if len(entries) <= limit:
            return Page(kept, None)


def her_estates(resident_id: UUID) -> list[Ref]:
    """Estates the resident has reported in, latest first; offered when a report lacks a place."""
    entries = people.mine(resident_id, INDEX_KIND, limit=20)
    found = tickets_by_ref([e.ref for e in entries])
    refs = [
        Ref(t.community_id, t.estate_id)
        for e in entries
        if (t := found.get(e.ref)) is not None and t.estate_id is not None
    ]
    return list(dict.fromkeys(refs))


# --- the staff's side ------------------------------------------------------------------------------------


def _reach(grant: Grant) -> ColumnElement[bool]:
    if grant.role is Role.PROPERTY:
        return and_(Ticket.community_id.in_(grant.communities), Ticket.org_id == grant.org_id)
    if grant.grid is not None:
        return and_(Ticket.community_id == grant.grid.community_id, Ticket.grid_id == grant.grid.id)
    return and_(
        Ticket.community_id.in_(grant.homes),
        or_(
            Ticket.estate_id.in_({e.id for e in grant.estates}),
            and_(Ticket.estate_id.is_(None), Ticket.community_id.in_(grant.communities)),
        ),
    )


def visible_to(staff: StaffActor, permission: Permission = Permission.TICKET_VIEW) -> ColumnElement[bool]:
    """The condition under which this member of staff has the permission for a ticket."""
    return or_(false(), *(_reach(g) for g in staff.grants if permission in g.permissions))


def grants_covering(staff: StaffActor, ticket: Ticket) -> list[Grant]:
    """Those of her roles that reach this ticket."""
    return [grant for grant in staff.grants if _covers(grant, ticket)]


def _covers(grant: Grant, ticket: Ticket) -> bool:
    if grant.role is Role.PROPERTY:
        return ticket.org_id == grant.org_id and ticket.community_id in grant.communities
    if grant.grid is not None:
        return grant.grid == (ticket.community_id, ticket.grid_id)
    if ticket.estate_id is None:
        return ticket.community_id in grant.communities
    return Ref(ticket.community_id, ticket.estate_id) in grant.estates


def may(staff: StaffActor, ticket: Ticket, permission: Permission) -> bool:
    """May she do this with this very ticket?"""
    return any(permission in grant.permissions for grant in grants_covering(staff, ticket))


def ticket_for_staff(staff: StaffActor, ref: Ref, *, lock: bool = False) -> Ticket:
    """The ticket, locked for a move when asked. Raises NotFound outside her reach."""
    found = db.session().get(Ticket, ref, with_for_update=True if lock else None, populate_existing=lock)
    if found is None or not may(staff, found, Permission.TICKET_VIEW):
        raise NotFound
    return found


class Board(NamedTuple):
    """What the list is narrowed to."""

    status: frozenset[str] | None = None
    estate: Ref | None = None
    community_id: int | None = None
    category: str | None = None
    overdue: bool | None = None
    assigned_to: UUID | None = None
    q: str | None = None


def board(staff: StaffActor, wanted: Board, *, limit: int, before: UUID | None = None) -> list[Ticket]:
    """Tickets in her reach, newest first; `before` continues after that ticket."""
    if not staff.grants:
        return []
    query = select(Ticket).where(visible_to(staff))
    if wanted.status is not None:
        query = query.where(Ticket.status.in_(wanted.status))
    if wanted.estate is not None:
        query = query.where(
            Ticket.community_id == wanted.estate.community_id, Ticket.estate_id == wanted.estate.id
        )
    if wanted.community_id is not None:
        query = query.where(Ticket.community_id == wanted.community_id)
    if wanted.category is not None:
        query = query.where(Ticket.category_code == wanted.category)
    if wanted.assigned_to is not None:
        query = query.where(Ticket.handler_id == wanted.assigned_to)
    if wanted.overdue is not None:
        late = and_(Ticket.status.not_in(ENDED), Ticket.due_at < clock.now())
        query = query.where(late if wanted.overdue else ~late)
    if wanted.q:
        pattern = "%" + wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = query.where(
            or_(Ticket.number.ilike(pattern), Ticket.text.ilike(pattern), Ticket.address.ilike(pattern))
        )
    if before is not None:
        query = query.where(Ticket.id < before)
    return list(db.session().scalars(query.order_by(Ticket.id.desc()).limit(limit)))


def knows_reporter(staff: StaffActor, ticket: Ticket) -> bool:
    """May she know who reported? An anonymous reporter is hidden from property staff and shown to the desk."""
    if not ticket.is_anonymous:
        return True
    return may(staff, ticket, Permission.TICKET_IDENTITY)


def moves_open_to(staff: StaffActor, ticket: Ticket) -> list[Move]:
    """What she can do with this ticket now, for the buttons of a page."""
    open_moves: list[Move] = []
    for move, rule in MOVES.items():
        if ticket.status not in rule.sources or rule.permission is None or move is Move.REWORK:
            continue
        if not may(staff, ticket, rule.permission):
            continue
        if move in BY_HOLDER and ticket.org_id not in staff.org_ids:
            continue
        if move is Move.VERIFY and ticket.resolver_id == staff.id:
            continue
        open_moves.append(move)
    return open_moves


# --- timeline, photos, contact ---------------------------------------------------------------------------


class Event(NamedTuple):
    """One line of the timeline with its words opened (None when there are none or their key is destroyed)."""

    row: TicketEvent
    words: str | None


def timeline(ticket: Ticket, *, for_reporter: bool) -> list[Event]:
    """The events in their order; internal ones only for staff."""
    query = select(TicketEvent).where(
        TicketEvent.community_id == ticket.community_id, TicketEvent.ticket_id == ticket.id
    )
    if for_reporter:
        query = query.where(TicketEvent.visibility == Visibility.REPORTER)
    rows = list(db.session().scalars(query.order_by(TicketEvent.seq)))
    ciphers = people.ciphers_of({r.words_key_of for r in rows if r.words_key_of is not None})
    events = []
    for row in rows:
        words = None
        context = words_context(row.id)
        if row.words_sealed is not None:
            if row.words_key_of is None:
                words = crypto.keys().decrypt(row.words_sealed, context).decode()
            elif (cipher := ciphers.get(row.words_key_of)) is not None:
                words = crypto.unseal(cipher, row.words_sealed, context).decode()
        events.append(Event(row, words))
    return events


def words_context(event_id: UUID) -> str:
    """What the sealed words of an event are bound to."""
    return f"ticket_event:{event_id}"


def photos_of(tickets: Sequence[Ticket]) -> dict[UUID, list[Photo]]:
    """The photos of these tickets, one query a community."""
    by_community: dict[int, list[UUID]] = {}
    for ticket in tickets:
        by_community.setdefault(ticket.community_id, []).append(ticket.id)
    found: dict[UUID, list[Photo]] = {}
    for community_id, ticket_ids in by_community.items():
        found |= media.photos_of(community_id, OBJECT_KIND, ticket_ids)
    return found


def contact_phone(ticket: Ticket) -> str | None:
    """The phone left with the report, in clear. Faces mask it."""
    if ticket.contact_phone_sealed is None:
        return None
    return crypto.keys().decrypt(ticket.contact_phone_sealed, f"contact_phone:{ticket.id}").decode()


def reporter_name(ticket: Ticket) -> str | None:
    """The name given at an intake on behalf, in clear."""
    if ticket.reporter_name_sealed is None:
        return None
    return crypto.keys().decrypt(ticket.reporter_name_sealed, f"reporter_name:{ticket.id}").decode()


def ended_before(community_id: int, moment: datetime, *, after: datetime) -> list[UUID]:
    """Tickets of a community closed, rejected or withdrawn in a span of time; for erasing what must not stay longer."""
    t = Ticket
    # Two ways in, because each has its index.
    closed = and_(t.closed_at < moment, t.closed_at >= after)
    refused = and_(
        t.status.in_([TicketStatus.REJECTED, TicketStatus.WITHDRAWN]),
        t.ended_at < moment,
        t.ended_at >= after,
    )
    return list(
        db.session().scalars(select(t.id).where(t.community_id == community_id, or_(closed, refused)))
    )
