"""Reading tickets: each takes who asks, and shows only what she may see."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    false,
    func,
    or_,
    select,
    tuple_,
)

from app import clock, crypto, db
from app.errors import NotFound
from app.ids import Ref
from app.media import queries as media
from app.media.models import Photo
from app.memberships import queries as memberships
from app.people import queries as people
from app.people.permissions import Permission
from app.people.scopes import Grant, StaffActor
from app.places import queries as places
from app.places.coordinates import Point, distance_m
from app.places.models import OrgKind
from app.tickets import suggest
from app.tickets.classes import C, ClassName, in_order
from app.tickets.clocks import Calendar, DayKind
from app.tickets.models import (
    CalendarDay,
    CalendarVersion,
    Category,
    CategoryTerm,
    Extension,
    Follower,
    Part,
    Ticket,
    TicketEvent,
    TicketStatus,
    Visibility,
)
from app.tickets.moves import BY_HOLDER, MOVES, Move, is_offered

INDEX_KIND = "ticket"  # in resident_index
SIMILAR_WITHIN_M = 250.0
OBJECT_KIND = "ticket"  # in photos, audit


# --- classes ---------------------------------------------------------------------------------------------


def _in_force(day: date) -> ColumnElement[bool]:
    return and_(
        CategoryTerm.valid_from <= day, or_(CategoryTerm.valid_to.is_(None), CategoryTerm.valid_to > day)
    )


def classes_on(day: date) -> list[CategoryTerm]:
    """The whole tree as it held on that day, each class before those below it."""
    return in_order(db.session().scalars(select(CategoryTerm).where(_in_force(day))))


def class_numbers() -> dict[str, Category]:
    """What never changes about the classes, by code: national code with its source, and the version."""
    return {found.code: found for found in db.session().scalars(select(Category))}


def class_history(code: str) -> list[CategoryTerm]:
    """All terms of a class, the first one first; none for an unknown code."""
    rows = select(CategoryTerm).where(CategoryTerm.code == code).order_by(CategoryTerm.valid_from)
    return list(db.session().scalars(rows))


def categories(*, for_staff: bool = False) -> list[CategoryTerm]:
    """The classes a resident (`for_staff`: a member of staff) can choose today: what has nothing below it, in the order
    they are shown.
    """
    return _choosable(classes_on(places.today()), for_staff=for_staff)


def _choosable(tree: list[C], *, for_staff: bool) -> list[C]:
    return [term for term in _leaves(tree) if for_staff or term.for_residents]


def _leaves(tree: list[C]) -> list[C]:
    above = {term.parent_code for term in tree}
    return [term for term in tree if term.code not in above]


def categories_by_group(
    *, for_staff: bool = False
) -> tuple[list[CategoryTerm], dict[str, list[CategoryTerm]]]:
    """(groups, what can be chosen in each by its code): today's tree as two levels, for a small screen.

    A group is the top of the tree; it is its own choice when nothing stands below it.
    """
    today = classes_on(places.today())
    return _by_group(today, _choosable(today, for_staff=for_staff))


def _by_group(tree: list[C], choosable: list[C]) -> tuple[list[C], dict[str, list[C]]]:
    named = {term.code: term for term in tree}
    groups: dict[str, C] = {}
    chosen: dict[str, list[C]] = {}
    for term in choosable:
        top = term
        while top.parent_code is not None:
            top = named[top.parent_code]
        groups[top.code] = top
        chosen.setdefault(top.code, []).append(term)
    return list(groups.values()), chosen


_CLASS_NAMES = db.Plain(
    """
    SELECT code, parent_code, sort, name, for_residents FROM category_terms
    WHERE valid_from <= :today AND (valid_to IS NULL OR valid_to > :today)
    ORDER BY code
    """
)


def class_names_by_group() -> tuple[list[ClassName], dict[str, list[ClassName]]]:
    """`categories_by_group` of the staff by names alone; the same object for as long as the tree is the same. Not to be
    changed.
    """
    rows = _CLASS_NAMES.within({"today": places.today()})
    return _named(tuple(ClassName(*row) for row in rows))


@functools.lru_cache(maxsize=8)
def _named(terms: tuple[ClassName, ...]) -> tuple[list[ClassName], dict[str, list[ClassName]]]:
    tree = in_order(terms)
    return _by_group(tree, _leaves(tree))


def _names_for_residents() -> dict[str, str]:
    """Name by code of what a resident can choose today. Not to be changed."""
    rows = _CLASS_NAMES.within({"today": places.today()})
    return _chosen_by_residents(tuple(ClassName(*row) for row in rows))


@functools.lru_cache(maxsize=8)
def _chosen_by_residents(terms: tuple[ClassName, ...]) -> dict[str, str]:
    return {term.code: term.name for term in _choosable(in_order(terms), for_staff=False)}


def category(code: str) -> CategoryTerm | None:
    """One class that a ticket can be given today: it holds and has nothing below it."""
    today = places.today()
    found = db.session().scalar(select(CategoryTerm).where(CategoryTerm.code == code, _in_force(today)))
    if found is None:
        return None
    below = select(CategoryTerm.code).where(CategoryTerm.parent_code == code, _in_force(today)).limit(1)
    return None if db.session().scalar(below) is not None else found


def class_of(code: str | None, on: date | None = None) -> CategoryTerm | None:
    """What a class says on a day (today when not given), or said last when it was ended before.

    Old tickets stay readable through this. None for no code, and for a class that hadn't begun.
    """
    if code is None:
        return None
    return db.session().scalar(
        select(CategoryTerm)
        .where(CategoryTerm.code == code, CategoryTerm.valid_from <= (on or places.today()))
        .order_by(CategoryTerm.valid_from.desc())
        .limit(1)
    )


def class_parents() -> dict[str, str | None]:
    """What each class stands below, today or last; None at the top of the tree."""
    rows = db.session().execute(
        select(CategoryTerm.code, CategoryTerm.parent_code)
        .where(CategoryTerm.valid_from <= places.today())
        .order_by(CategoryTerm.valid_from)  # the last one wins
    )
    return dict(rows.all())


# The term that began last comes last and wins; those yet to begin come before all others.
_CATEGORY_NAMES = db.Plain(
    """
    SELECT code, name FROM category_terms WHERE code = ANY(:codes)
    ORDER BY code, valid_from <= :today, valid_from
    """
)


def category_names(codes: Iterable[str | None]) -> dict[str, str]:
    """Names by code as they are today, or were last, in one query."""
    wanted = {c for c in codes if c is not None}
    if not wanted:
        return {}
    rows = _CATEGORY_NAMES.within({"codes": sorted(wanted), "today": places.today()})
    return dict(rows)


class Suggested(NamedTuple):
    """A class that the words of a report speak for, and which words."""

    code: str
    name: str
    why: tuple[str, ...]


def suggest_categories(text: str, *, most: int = 3) -> list[Suggested]:
    """The classes of today that a resident's words speak for, the strongest first; none when they say nothing."""
    names = _names_for_residents()
    return [Suggested(s.code, names[s.code], s.why) for s in suggest.suggest(text, among=names, most=most)]


def categories_called(word: str) -> dict[str, list[str]]:
    """The classes for which the word list has this word, or a longer one with it in it, and those entries, the shortest
    first: 灯 finds what 路灯 and 楼道灯 speak for.
    """
    found: dict[str, list[str]] = {}
    needle = suggest.clean(word)
    if needle:
        for entry, classes in sorted(suggest.lexicon().items(), key=lambda pair: (len(pair[0]), pair[0])):
            if needle in entry:
                for code in classes:
                    found.setdefault(code, []).append(entry)
    return found


def is_public(ticket: Ticket) -> bool:
    """May others be told that this was reported? Only of a public class.

    Not without a class, whatever the words suggest: nobody has looked yet.
    """
    return bool(public_among([ticket.category_code]))


def public_among(codes: Iterable[str | None]) -> set[str]:
    """Those of these classes that others may be told of, as they are today or were last, in one query."""
    wanted = {code for code in codes if code is not None}
    if not wanted:
        return set()
    rows = db.session().execute(
        select(CategoryTerm.code, CategoryTerm.is_public)
        .where(CategoryTerm.code.in_(wanted), CategoryTerm.valid_from <= places.today())
        .order_by(CategoryTerm.valid_from)  # the last one wins
    )
    return {code for code, is_open in dict(rows.all()).items() if is_open}


def tells_followers(ticket: Ticket) -> bool:
    """May who has the same problem read what was done about it, or only that it goes on?

    Its class may have been corrected to a private one since she joined; also in a community that it was referred to.
    """
    codes = [part.category_code for part in chain_of(ticket)]
    return None not in codes and len(public_among(codes)) == len(set(codes))


def who_answers_at(
    community_id: int, estate_id: UUID | None, category_code: str | None
) -> places.Answer | None:
    """Who should handle it when no dispatch rule says so, and why.

    A class that asks for a mediator's post (矛盾纠纷) is never given to whoever looks after the estate in general: to
    the post, else to the community's desk.
    """
    found = class_of(category_code)
    only = OrgKind.MEDIATION_POST if found and found.org_kind == OrgKind.MEDIATION_POST else None
    return places.who_answers(
        community_id=community_id, estate_id=estate_id, category_code=category_code, only=only
    )


_NEWEST_CALENDAR = db.Plain("SELECT version, loaded_at FROM calendar_versions ORDER BY version DESC LIMIT 1")


def calendar_from(start: datetime) -> Calendar:
    """The calendar from the day of a moment on, as far as it is loaded. The same for as long as no other is loaded."""
    newest = _NEWEST_CALENDAR.within({})
    return _calendar(tuple(newest[0]) if newest else None, clock.in_shanghai(start).date())


@functools.lru_cache(maxsize=32)
def _calendar(_newest: tuple[int, datetime] | None, first: date) -> Calendar:
    rows = db.session().execute(
        select(CalendarDay.day, CalendarDay.is_working, CalendarDay.is_half, CalendarDay.version).where(
            CalendarDay.day >= first
        )
    )
    days: dict[date, DayKind] = {}
    newest = 0
    for day, is_working, is_half, version in rows:
        days[day] = DayKind.HALF if is_half else DayKind.WORK if is_working else DayKind.OFF
        newest = max(newest, version)
    return Calendar(days, newest)


class Calendars(NamedTuple):
    """The days of a year as they are loaded, and the newest version of the calendar."""

    version: int
    days: list[CalendarDay]


def calendar_of(year: int) -> Calendars:
    """The loaded days of a year; what is missing counts as Monday to Friday, unconfirmed."""
    newest = db.session().scalar(select(func.max(CalendarVersion.version))) or 0
    rows = db.session().scalars(
        select(CalendarDay)
        .where(CalendarDay.day.between(date(year, 1, 1), date(year, 12, 31)))
        .order_by(CalendarDay.day)
    )
    return Calendars(newest, list(rows))


def calendar_versions(*, limit: int) -> list[CalendarVersion]:
    """What was loaded, by whom, the latest first."""
    return list(
        db.session().scalars(select(CalendarVersion).order_by(CalendarVersion.version.desc()).limit(limit))
    )


def is_confirmed(start: datetime, end: datetime) -> bool:
    """Has the State Council announced every day of this span?"""
    first, last = clock.in_shanghai(start).date(), clock.in_shanghai(end - timedelta(microseconds=1)).date()
    known = db.session().scalar(
        select(func.count()).where(CalendarDay.day.between(first, last), CalendarDay.is_confirmed)
    )
    return known == (last - first).days + 1


# --- the reporter's side ---------------------------------------------------------------------------------


def ticket_for(resident_id: UUID, ref: Ref, *, lock: bool = False) -> Ticket:
    """The resident's own ticket, locked for a move when asked. Raises NotFound for anyone else's."""
    found = db.session().get(Ticket, ref, with_for_update=True if lock else None, populate_existing=lock)
    if found is None or found.reporter_id != resident_id:
        raise NotFound
    return found


def followed(resident_id: UUID, ref: Ref) -> Ticket:
    """A ticket that the resident joined or that hers was merged into; faces show it without the reporter's part.

    Raises NotFound.
    """
    found = db.session().get(Ticket, ref)
    if found is None or not follows(resident_id, found):
        raise NotFound
    return found


class Similar(NamedTuple):
    """A ticket like the one being reported."""

    ticket: Ticket
    distance_m: float


def similar(point: Point, *, category: str | None, limit: int = 10) -> list[Similar]:
    """Open tickets of public classes within 250 m of the last 60 days, nearest first; never disputes or persons."""
    here = places.estate_at(point)
    if here is None:
        return []
    reach = SIMILAR_WITHIN_M / 111_320
    wide = reach / math.cos(math.radians(point.lat))
    public = [term.code for term in classes_on(places.today()) if term.is_public]
    query = (
        select(Ticket)
        .where(
            Ticket.community_id == here.community_id,
            Ticket.lng.between(point.lng - wide, point.lng + wide),
            Ticket.lat.between(point.lat - reach, point.lat + reach),
            Ticket.ended_at.is_(None),
            Ticket.reported_at >= clock.now() - timedelta(days=60),
            Ticket.category_code.in_(public),
        )
        .order_by(Ticket.reported_at.desc())
        .limit(200)
    )
    if category is not None:
        query = query.where(Ticket.category_code == category)
    found = []
    for ticket in db.session().scalars(query):
        if ticket.lng is None or ticket.lat is None:
            continue
        away = distance_m(point, Point(ticket.lng, ticket.lat))
        if away <= SIMILAR_WITHIN_M:
            found.append(Similar(ticket, away))
    return sorted(found, key=lambda s: s.distance_m)[:limit]


REPEATED_WITHIN = timedelta(days=30)
SAME_PLACE_M = 200.0


def is_repeat(
    *,
    reporter_id: UUID | None,
    contact_hash: bytes | None,
    community_id: int,
    estate_id: UUID | None,
    point: Point | None,
    category: str | None,
    before: datetime | None = None,
) -> bool:
    """Had the same person the same class at the same place closed within the last 30 days?

    The same person: the same account, or a report with the same phone (`contact_hash`, keyed) left with it. The same
    place: the same estate and, where both have a position, not more than 200 m apart.
    """
    persons: list[ColumnElement[bool]] = []
    if reporter_id is not None:
        persons.append(Ticket.reporter_id == reporter_id)
    if contact_hash is not None:
        persons.append(Ticket.contact_hash == contact_hash)
    if not persons or category is None:
        return False
    moment = before or clock.now()
    rows = db.session().execute(
        select(Ticket.lng, Ticket.lat).where(
            Ticket.community_id == community_id,
            or_(*persons),
            Ticket.category_code == category,
            Ticket.estate_id == estate_id if estate_id is not None else Ticket.estate_id.is_(None),
            Ticket.status == TicketStatus.CLOSED,
            Ticket.closed_at.between(moment - REPEATED_WITHIN, moment),
        )
    )
    return any(
        point is None or lng is None or lat is None or distance_m(point, Point(lng, lat)) <= SAME_PLACE_M
        for lng, lat in rows
    )


def tickets_by_ref(refs: Collection[Ref]) -> dict[Ref, Ticket]:
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


def _concerns(resident_id: UUID, ticket: Ticket) -> bool:
    return ticket.reporter_id == resident_id or follows(resident_id, ticket)


def her_estates(resident_id: UUID) -> list[Ref]:
    """Estates in which the resident lives, then those she has reported in, latest first; offered when a report lacks a
    place.
    """
    entries = people.mine(resident_id, INDEX_KIND, limit=20)
    found = tickets_by_ref([e.ref for e in entries])
    refs = memberships.my_estates(resident_id) + [
        Ref(t.community_id, t.estate_id)
        for e in entries
        if (t := found.get(e.ref)) is not None and t.estate_id is not None
    ]
    return list(dict.fromkeys(refs))


# --- the staff's side ------------------------------------------------------------------------------------


def _reach(grant: Grant) -> ColumnElement[bool]:
    if grant.of_org:
        # What was dispatched to the organisation, or where it was called in to assist.
        called_in = exists().where(
            Part.community_id == Ticket.community_id,
            Part.ticket_id == Ticket.id,
            Part.org_id == grant.org_id,
        )
        return and_(
            Ticket.community_id.in_(grant.communities),
            or_(Ticket.org_id == grant.org_id, called_in),
            Ticket.status != TicketStatus.REFERRED,  # it is another community's now
        )
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
    if grant.of_org:
        if ticket.community_id not in grant.communities or ticket.status == TicketStatus.REFERRED:
            return False
        return ticket.org_id == grant.org_id or any(p.org_id == grant.org_id for p in parts_of(ticket))
    if grant.grid is not None:
        return grant.grid == (ticket.community_id, ticket.grid_id)
    if ticket.estate_id is None:
        return ticket.community_id in grant.communities
    return Ref(ticket.community_id, ticket.estate_id) in grant.estates


def may(staff: StaffActor, ticket: Ticket, permission: Permission) -> bool:
    """May she do this with this very ticket?"""
    return any(permission in grant.permissions and _covers(grant, ticket) for grant in staff.grants)


def holds(staff: StaffActor, ticket: Ticket) -> bool:
    """Does she handle it for the organisation that has it? By one and the same of her roles."""
    return any(
        grant.org_id == ticket.org_id and Permission.TICKET_HANDLE in grant.permissions
        for grant in grants_covering(staff, ticket)
    )


def ticket_for_staff(staff: StaffActor, ref: Ref, *, lock: bool = False) -> Ticket:
    """The ticket, locked for a move when asked. Raises NotFound outside her reach."""
    found = db.session().get(Ticket, ref, with_for_update=True if lock else None, populate_existing=lock)
    if found is None or not may(staff, found, Permission.TICKET_VIEW):
        raise NotFound
    return found


def visible_among(staff: StaffActor, refs: Iterable[Ref]) -> dict[Ref, Ticket]:
    """Those of these tickets that she may see now, in one query."""
    wanted = set(refs)
    if not wanted or not staff.grants:
        return {}
    rows = db.session().scalars(
        select(Ticket).where(
            Ticket.community_id.in_({r.community_id for r in wanted}),
            tuple_(Ticket.community_id, Ticket.id).in_([tuple(r) for r in wanted]),
            visible_to(staff),
        )
    )
    return {Ref(t.community_id, t.id): t for t in rows}


def patrols_at(staff: StaffActor, ticket: Ticket) -> bool:
    """Does her company serve the place, so that she may report there what she sees on patrol?"""
    return any(
        Permission.PATROL_REPORT in grant.permissions
        and places.serves(grant.org_id, community_id=ticket.community_id, estate_id=ticket.estate_id)
        for grant in staff.grants
    )


def my_reports(staff: StaffActor, *, limit: int, before: UUID | None = None) -> list[Ticket]:
    """What she took in herself, whoever has it now, newest first; `before` continues after that ticket."""
    query = select(Ticket).where(
        Ticket.community_id.in_({home for grant in staff.grants for home in grant.homes}),
        Ticket.taken_in_by == staff.id,
    )
    if before is not None:
        query = query.where(Ticket.id < before)
    return list(db.session().scalars(query.order_by(Ticket.id.desc()).limit(limit)))


def my_report(staff: StaffActor, ref: Ref) -> Ticket:
    """A ticket that she took in herself; faces show it as to a reporter. Raises NotFound for anybody else's, and
    where she no longer works.
    """
    found = db.session().get(Ticket, ref)
    if (
        found is None
        or found.taken_in_by != staff.id
        or not any(ref.community_id in grant.homes for grant in staff.grants)
    ):
        raise NotFound
    return found


def is_late(ticket: Ticket) -> bool:
    """Is, or was it at its end, over its limit? A clock that stands is judged by when it stopped."""
    if ticket.status in {TicketStatus.REJECTED, TicketStatus.WITHDRAWN, TicketStatus.REFERRED}:
        return False
    return (ticket.ended_at or ticket.standing_since or clock.now()) > ticket.due_at


def stage_breached_at(ticket: Ticket) -> datetime | None:
    """Since when the step that waits at the desk now is late, once the watch or a move has noticed it."""
    is_this_step = ticket.stage_breached_at is not None and ticket.stage_breached_at == ticket.stage_due_at
    return ticket.stage_breached_at if is_this_step else None


def knows_reporter(staff: StaffActor, ticket: Ticket) -> bool:
    """May she know who reported? An anonymous reporter is hidden from property staff and shown to the desk."""
    if not ticket.is_anonymous:
        return True
    return may(staff, ticket, Permission.TICKET_IDENTITY)


def moves_open_to(staff: StaffActor, ticket: Ticket) -> list[Move]:
    """What she can do with this ticket now, for the buttons of a page."""
    open_moves: list[Move] = []
    for move, rule in MOVES.items():
        if ticket.status not in rule.sources or rule.permission is None or not is_offered(move):
            continue
        if not may(staff, ticket, rule.permission):
            continue
        if move in BY_HOLDER and not holds(staff, ticket):
            continue
        if move is Move.VERIFY and is_own_work(staff, ticket):
            continue
        if move is Move.SUSPEND and (ticket.is_urgent or is_late(ticket)):
            continue
        if move is Move.RETURN and not may_be_returned(ticket):
            continue
        if move is Move.ASK_EXTENSION and is_late(ticket):
            continue
        if move is Move.ROTATE and post_of(ticket) is None:
            continue
        open_moves.append(move)
    return open_moves


# --- timeline, photos, contact ---------------------------------------------------------------------------


class Event(NamedTuple):
    """One line of the timeline with its words opened (None when there are none or their key is destroyed)."""

    row: TicketEvent
    words: str | None


def timeline(ticket: Ticket, *, for_reporter: bool) -> list[Event]:
    """The events in their order; internal ones only for staff.

    For the reporter a referred ticket has one timeline, from the first report to the last community. Staff read what
    happened before theirs came to them, while they have it: once it is referred on, only their own part.
    """
    rows: list[TicketEvent] = []
    for part in _parts_shown(ticket, for_reporter=for_reporter):
        query = select(TicketEvent).where(
            TicketEvent.community_id == part.community_id, TicketEvent.ticket_id == part.id
        )
        if for_reporter:
            query = query.where(TicketEvent.visibility == Visibility.REPORTER)
        rows += db.session().scalars(query.order_by(TicketEvent.seq))
    return opened(rows)


def opened(rows: Sequence[TicketEvent]) -> list[Event]:
    """These events with their words, with one more query for the keys."""
    return read(rows, people.ciphers_of({r.words_key_of for r in rows if r.words_key_of is not None}))


def read(rows: Sequence[TicketEvent], ciphers: Mapping[UUID, AESGCM]) -> list[Event]:
    """These events with their words, by the keys that there still are."""
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


def _parts_shown(ticket: Ticket, *, for_reporter: bool) -> list[Ticket]:
    if not for_reporter and ticket.status == TicketStatus.REFERRED:
        return [ticket]
    chain = chain_of(ticket)
    return chain if for_reporter else chain[: chain.index(ticket) + 1]


def words_context(event_id: UUID) -> str:
    """What the sealed words of an event are bound to."""
    return f"ticket_event:{event_id}"


def photos_of(tickets: Sequence[Ticket]) -> dict[UUID, list[Photo]]:
    """The photos of these tickets, in one query."""
    found = media.photos_of(OBJECT_KIND, {Ref(t.community_id, t.id) for t in tickets})
    return {ref.id: photos for ref, photos in found.items()}


class ClosureFlag(StrEnum):
    """What a verifier should look at twice; it never blocks."""

    TAKEN_BEFORE_DISPATCH = "taken_before_dispatch"
    TAKEN_LONG_AGO = "taken_long_ago"
    SAME_AS_BEFORE = "same_as_before"
    USED_ELSEWHERE = "used_elsewhere"
    TAKEN_FAR = "taken_far"


PHOTO_FRESH = timedelta(days=7)
PHOTO_REUSE = timedelta(days=180)
FAR_M = 200.0  # from the ticket's position, beyond what that is unsure of
FAR_FROM_ESTATE_M = 500.0  # where only the estate is known


def closure_flags(ticket: Ticket) -> list[ClosureFlag]:
    """Does the proof of the repair look doubtful?

    The after-photo was taken before the ticket was sent, or more than 7 days before it was handed in; it looks like
    the picture of the report, or like one that the same unit handed in for another ticket here in the last 180 days; it
    was taken more than 200 m from the problem (500 m from the estate, where no position was given).
    """
    if ticket.resolved_at is None:
        return []
    photos = photos_of([ticket]).get(ticket.id, [])
    before = [photo for photo in photos if photo.stage == "before"]
    # A ticket that was reopened keeps the proof of its first round: only the last one's counts.
    since = ticket.dispatched_at or ticket.reported_at
    after = [photo for photo in photos if photo.stage == "after" and photo.attached_at >= since]
    flags: set[ClosureFlag] = set()
    for photo in after:
        if photo.taken_at is not None and photo.taken_at < since:
            flags.add(ClosureFlag.TAKEN_BEFORE_DISPATCH)
        if photo.taken_at is not None and photo.taken_at < photo.attached_at - PHOTO_FRESH:
            flags.add(ClosureFlag.TAKEN_LONG_AGO)
        if any(media.look_alike(photo, other) for other in before):
            flags.add(ClosureFlag.SAME_AS_BEFORE)
    where = [place for photo in after if (place := media.position_of(photo)) is not None]
    if where and (is_far := _far_from(ticket)) is not None and any(is_far(place) for place in where):
        flags.add(ClosureFlag.TAKEN_FAR)
    alike = media.look_alikes(after, since=clock.now() - PHOTO_REUSE)
    others = tickets_by_ref(
        {
            Ref(photo.community_id, photo.object_id)
            for photos_ in alike.values()
            for photo in photos_
            if photo.object_kind == OBJECT_KIND
        }
    )
    if any(other.org_id == ticket.org_id for other in others.values()):
        flags.add(ClosureFlag.USED_ELSEWHERE)
    return sorted(flags)


def _far_from(ticket: Ticket) -> Callable[[Point], bool] | None:
    """Is a WGS-84 point too far from the problem? None when nobody said where that is."""
    if ticket.lng is not None and ticket.lat is not None:
        here, reach = Point(ticket.lng, ticket.lat), FAR_M + (ticket.accuracy_m or 0.0)
        return lambda place: distance_m(here, place) > reach
    if ticket.estate_id is None:
        return None
    estate = places.estate(Ref(ticket.community_id, ticket.estate_id))
    return lambda place: places.away_from_m(estate, place) > FAR_FROM_ESTATE_M


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
    """Tickets of a community that ended in a span of time, however; for erasing what must not stay longer."""
    t = Ticket
    # Two ways in, because each has its index.
    closed = and_(t.closed_at < moment, t.closed_at >= after)
    refused = and_(
        t.status.in_(
            [TicketStatus.REJECTED, TicketStatus.WITHDRAWN, TicketStatus.MERGED, TicketStatus.REFERRED]
        ),
        t.ended_at < moment,
        t.ended_at >= after,
    )
    return list(
        db.session().scalars(select(t.id).where(t.community_id == community_id, or_(closed, refused)))
    )


# --- what happened to it, and with whom it is shared -----------------------------------------------------


def last_change(ticket: Ticket, to: TicketStatus) -> TicketEvent | None:
    """The event that last brought the ticket into this state."""
    return db.session().scalar(
        select(TicketEvent)
        .where(
            TicketEvent.community_id == ticket.community_id,
            TicketEvent.ticket_id == ticket.id,
            TicketEvent.to_status == to,
            TicketEvent.from_status != to,
        )
        .order_by(TicketEvent.seq.desc())
        .limit(1)
    )


def post_of(ticket: Ticket) -> UUID | None:
    """The post through which the ticket was last dispatched, or None."""
    data = db.session().scalar(
        select(TicketEvent.data)
        .where(
            TicketEvent.community_id == ticket.community_id,
            TicketEvent.ticket_id == ticket.id,
            TicketEvent.kind == Move.DISPATCH,
        )
        .order_by(TicketEvent.seq.desc())
        .limit(1)
    )
    named = (data or {}).get("post")
    return UUID(named["id"]) if named else None


MAX_RETURNS = 3


def may_be_returned(ticket: Ticket) -> bool:
    """首接负责: not after three returns, and not by a unit that has handed it back before."""
    return ticket.returns < MAX_RETURNS and not has_returned(ticket, ticket.org_id)


def is_own_work(staff: StaffActor, ticket: Ticket) -> bool:
    """Did she resolve it, or does she work for the property company that did, whatever else she is?"""
    companies = {grant.org_id for grant in staff.grants if grant.of_org}
    return ticket.resolver_id == staff.id or ticket.org_id in companies


def run_began(ticket: Ticket) -> datetime | None:
    """When the work on it began anew: the last reopening or failed check; None when there was none."""
    return db.session().scalar(
        select(func.max(TicketEvent.at)).where(
            TicketEvent.community_id == ticket.community_id,
            TicketEvent.ticket_id == ticket.id,
            TicketEvent.kind.in_([Move.REOPEN, Move.REWORK]),
        )
    )


def has_returned(ticket: Ticket, org_id: UUID | None) -> bool:
    """Has this organisation handed the ticket back before, since it was last reopened?"""
    reopened = (
        select(func.coalesce(func.max(TicketEvent.seq), 0))
        .where(
            TicketEvent.community_id == ticket.community_id,
            TicketEvent.ticket_id == ticket.id,
            TicketEvent.kind == Move.REOPEN,
        )
        .scalar_subquery()
    )
    found = db.session().scalar(
        select(TicketEvent.id)
        .where(
            TicketEvent.community_id == ticket.community_id,
            TicketEvent.ticket_id == ticket.id,
            TicketEvent.kind == Move.RETURN,
            TicketEvent.org_id == org_id,
            TicketEvent.seq > reopened,
        )
        .limit(1)
    )
    return found is not None


def merged_into(ticket: Ticket) -> list[Ticket]:
    """The tickets merged into this one, and those merged into them before."""
    found: dict[UUID, Ticket] = {}
    frontier = [ticket.id]
    while frontier:
        rows = db.session().scalars(
            select(Ticket).where(Ticket.community_id == ticket.community_id, Ticket.merged_into.in_(frontier))
        )
        fresh = [row for row in rows if row.id not in found]
        found |= {row.id: row for row in fresh}
        frontier = [row.id for row in fresh]
    return list(found.values())


def audience(ticket: Ticket) -> dict[UUID, UUID | None]:
    """Residents other than the reporter who hear of every step: resident → her own merged ticket, if by that.

    Those who joined it, and whose own tickets were merged into it, at any depth. Nothing is copied when tickets
    are merged, so nothing has to be put back when they are taken apart.
    """
    merged = merged_into(ticket)
    rows = db.session().scalars(
        select(Follower)
        .where(
            Follower.community_id == ticket.community_id,
            Follower.ticket_id.in_([ticket.id, *(m.id for m in merged)]),
        )
        .order_by(Follower.joined_at)
    )
    heard: dict[UUID, UUID | None] = {}
    for row in rows:
        own = row.own_ticket_id if row.ticket_id == ticket.id else row.ticket_id
        heard[row.resident_id] = None if own is None else heard.get(row.resident_id, own)
    for other in merged:
        if other.reporter_id is not None:
            heard.setdefault(other.reporter_id, other.id)
    if ticket.reporter_id is not None:
        heard.pop(ticket.reporter_id, None)
    return heard


def follows(resident_id: UUID, ticket: Ticket) -> bool:
    """Does this resident have the same problem: joined, or merged into it?"""
    return bool(ticket.me_too) and resident_id in audience(ticket)


MAX_REFERRALS = 3


def chain_of(ticket: Ticket) -> list[Ticket]:
    """The ticket with what it was before it was referred and where it went on, the first report first."""
    chain = [ticket]
    while (first := chain[0]).origin_community is not None and first.origin_id is not None:
        chain.insert(0, db.session().get_one(Ticket, Ref(first.origin_community, first.origin_id)))
    while (last := chain[-1]).referred_community is not None and last.referred_to is not None:
        chain.append(db.session().get_one(Ticket, Ref(last.referred_community, last.referred_to)))
    return chain


def last_of_chains(tickets: Sequence[Ticket]) -> dict[UUID, Ticket]:
    """Where each of these stands today: itself, or what it has become where it was referred to; by its own id.

    One query for each referral of the longest chain, however many there are.
    """
    today = {ticket.id: ticket for ticket in tickets}
    while onward := {
        own: Ref(now.referred_community, now.referred_to)
        for own, now in today.items()
        if now.referred_community is not None and now.referred_to is not None
    }:
        found = tickets_by_ref(set(onward.values()))
        today |= {own: found[ref] for own, ref in onward.items()}
    return today


def parts_of(ticket: Ticket) -> list[Part]:
    """The tasks of the units that work on it, the lead first."""
    rows = db.session().scalars(
        select(Part)
        .where(Part.community_id == ticket.community_id, Part.ticket_id == ticket.id)
        .order_by(Part.kind.desc(), Part.added_at)
    )
    return list(rows)


def extensions_of(ticket: Ticket) -> list[Extension]:
    """Requests for more time, oldest first."""
    rows = db.session().scalars(
        select(Extension)
        .where(Extension.community_id == ticket.community_id, Extension.ticket_id == ticket.id)
        .order_by(Extension.asked_at)
    )
    return list(rows)
