"""The board of the staff: one page of the tickets in somebody's reach, newest first, however many there are.

A street sees ten communities and more, and half a million tickets. Asked as one condition, PostgreSQL reads and sorts
them all to show fifty. So the question is put in lanes: within one community (and one state, where states are asked
for) an index has the tickets in the order of the page, and a lane gives a page of them at most. The page is merged
from what the lanes gave, and only its rows are loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    column,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    text,
    true,
    tuple_,
    union,
)
from sqlalchemy.orm import InstrumentedAttribute

from app import clock, db
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import Grant, StaffActor
from app.places import queries as places
from app.tickets import letters
from app.tickets.models import SAMPLED, TO_CALL_BACK, Callback, Part, Ticket, TicketLetters, TicketStatus
from app.tickets.moves import OPEN
from app.tickets.open_now import Within, runs_out

_SPLIT = "\x1f"  # between the pieces of a needle

Conditions = Sequence[ColumnElement[bool]]


class Board(NamedTuple):
    """What the list is narrowed to."""

    status: frozenset[str] | None = None
    estate: Ref | None = None
    grid: Ref | None = None
    community: int | None = None
    category: str | None = None
    overdue: bool | None = None
    assigned_to: UUID | None = None
    q: str | None = None
    callback_due: bool | None = None
    due: Within | None = None


def board(staff: StaffActor, wanted: Board, *, limit: int, before: UUID | None = None) -> list[Ticket]:
    """Tickets in her reach, newest first; `before` continues after that ticket."""
    filters = _filters(wanted)
    if wanted.q:
        return _search(staff, wanted, filters, limit, before)
    due = wanted.callback_due is True
    return _load(
        [lane.ids(filters, limit, before=before, gathered=due) for lane in _ways(staff, wanted)], limit
    )


class Due(NamedTuple):
    """A place in the order of limits: when one ends, and whose it is."""

    at: datetime
    ticket_id: UUID


def soonest(staff: StaffActor, wanted: Board, *, limit: int, after: Due | None = None) -> list[Ticket]:
    """The open tickets in her reach, the one whose limit ends first first; `after` continues behind that place."""
    wanted = _open_ones(wanted)
    lanes = _ways(staff, wanted)
    if not lanes or not wanted.status:
        return []
    filters = [*_filters(wanted), *_saying(wanted.q)]
    if after is not None:
        filters.append(tuple_(Ticket.due_at, Ticket.id) > (after.at, after.ticket_id))
    order = (Ticket.due_at, Ticket.id)
    every = union(*(lane.ids(filters, limit, order=order) for lane in lanes)).subquery("every")
    found = select(Ticket).join(every, _same(every)).order_by(*order).limit(limit)
    return list(db.session().scalars(found))


class Column(NamedTuple):
    """The most pressing tickets of a state, and how many it has."""

    tickets: list[Ticket]
    total: int


def columns(staff: StaffActor, wanted: Board, *, each: int) -> dict[str, Column]:
    """What is open in her reach by state, at most `each` of a state, those whose limit ends first; in one query.

    It reads all that is open there: some thousands, however many have been closed.
    """
    wanted = _open_ones(wanted)
    lanes = _ways(staff, wanted)
    if not lanes or not wanted.status:
        return {}
    filters = [*_filters(wanted), *_saying(wanted.q)]
    every = union(*(lane.ids(filters, 0, gathered=True) for lane in lanes)).subquery("every")
    ranked = (
        select(
            Ticket.community_id,
            Ticket.id,
            func.row_number()
            .over(partition_by=Ticket.status, order_by=(Ticket.due_at, Ticket.id))
            .label("place"),
            func.count().over(partition_by=Ticket.status).label("total"),
        )
        .join(every, _same(every))
        .subquery("ranked")
    )
    rows = db.session().execute(
        select(Ticket, ranked.c.total)
        .join(ranked, _same(ranked))
        .where(ranked.c.place <= each)
        .order_by(Ticket.status, ranked.c.place)
    )
    found: dict[str, Column] = {}
    for ticket, total in rows:
        found.setdefault(ticket.status, Column([], total)).tickets.append(ticket)
    return found


def _open_ones(wanted: Board) -> Board:
    return wanted._replace(status=(wanted.status if wanted.status is not None else OPEN) & OPEN)


def _same(found: FromClause) -> ColumnElement[bool]:
    return and_(Ticket.community_id == found.c.community_id, Ticket.id == found.c.id)


def _ways(staff: StaffActor, wanted: Board) -> list[_Lane]:
    found = [
        lane
        for grant in staff.grants
        if Permission.TICKET_VIEW in grant.permissions
        for lane in _lanes(grant, wanted)
    ]
    if wanted.grid is not None:
        inside = Ticket.grid_id == wanted.grid.id
        found = [lane.within({wanted.grid.community_id}, inside) for lane in found]
    if wanted.community is not None:
        found = list(_governed_by(wanted.community, found))
    return [lane for lane in found if lane.communities]


def _governed_by(community: int, lanes: Iterable[_Lane]) -> Iterable[_Lane]:
    """What lies in a community as it is governed today: its estates, wherever their rows are kept, and its tickets
    without an estate.
    """
    governed = places.governed_estates([community])
    inside = Ticket.estate_id == any_(literal([e.id for e in governed], ARRAY(Uuid)))
    elsewhere = {e.community_id for e in governed} - {community}
    for lane in lanes:
        yield lane.within({community}, or_(Ticket.estate_id.is_(None), inside))
        yield lane.within(elsewhere, inside)


# --- lanes -----------------------------------------------------------------------------------------------


class _Lane(NamedTuple):
    """A way into the tickets that one role reaches: by community, each with one of the estates (`estates`, as many as
    communities) or each with every one of the states (`states`). `called_in`: through the tasks of an organisation.
    """

    communities: tuple[int, ...]
    where: tuple[ColumnElement[bool], ...] = ()
    estates: tuple[UUID, ...] | None = None
    states: tuple[str, ...] | None = None
    called_in: UUID | None = None

    def at(self, estate: Ref) -> _Lane:
        """The same in one estate."""
        return self._replace(communities=(estate.community_id,), estates=(estate.id,))

    def within(self, communities: AbstractSet[int], inside: ColumnElement[bool]) -> _Lane:
        """The same in these communities alone, under one more condition."""
        narrowed = self._replace(where=(*self.where, inside))
        if self.estates is None:
            return narrowed._replace(communities=tuple(c for c in self.communities if c in communities))
        kept = [(c, e) for c, e in zip(self.communities, self.estates, strict=True) if c in communities]
        return narrowed._replace(communities=tuple(c for c, _ in kept), estates=tuple(e for _, e in kept))

    def undivided(self) -> _Lane:
        """The same with the states as a condition."""
        if self.states is None:
            return self
        return self._replace(states=None, where=(*self.where, Ticket.status.in_(self.states)))

    def ids(
        self,
        conditions: Conditions,
        limit: int,
        *,
        before: UUID | None = None,
        after: UUID | None = None,
        offset: int | None = None,
        needles: dict[int, str] | None = None,
        gathered: bool = False,
        order: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]] | None = None,
    ) -> Select[int, UUID]:
        """The first of each stretch, newest first (or in `order`), between two ids. `needles`: letters by community
        that must occur.

        `gathered`: all of them, in no order, where the conditions have a better index than the order has.
        """
        keys = list(zip(self.communities, self.estates or [None] * len(self.communities), strict=True))
        rows = [(*key, state) for key in keys for state in self.states or (None,)]
        given: dict[str, tuple[Any, list[Any]]] = {"community_id": (db.BigInt, [row[0] for row in rows])}
        if self.estates is not None:
            given["estate_id"] = (Uuid, [row[1] for row in rows])
        if self.states is not None:
            given["status"] = (Text, [row[2] for row in rows])
        if needles is not None:
            given["needle"] = (Text, [needles[row[0]] for row in rows])
        reach = (
            func.unnest(*(literal(values, ARRAY(kind)) for kind, values in given.values()))
            .table_valued(*(column(name, kind) for name, (kind, _) in given.items()))
            .render_derived(name="reach")
        )
        found = select(Ticket.id).where(
            Ticket.community_id == reach.c.community_id,
            *(getattr(Ticket, name) == reach.c[name] for name in given.keys() & {"estate_id", "status"}),
            *self.where,
            *conditions,
        )
        bounded = [Ticket.id]
        if self.called_in is not None:
            found = found.join(
                Part, and_(Part.community_id == Ticket.community_id, Part.ticket_id == Ticket.id)
            ).where(Part.community_id == reach.c.community_id, Part.org_id == self.called_in)
            bounded.append(Part.ticket_id)  # PostgreSQL doesn't see that the bounds hold for it as well
        for place in bounded:
            found = found.where(*([place < before] if before is not None else []))
            found = found.where(*([place > after] if after is not None else []))
        if needles is not None:
            # The pieces name their community; beside them (+ 0) PostgreSQL would read all that the community has.
            held = TicketLetters.pieces.contains(func.string_to_array(reach.c.needle, _SPLIT))
            same = and_(
                Ticket.community_id == TicketLetters.community_id + 0, Ticket.id == TicketLetters.ticket_id
            )
            found = found.join(TicketLetters, same).where(held)
        if needles is not None or gathered:
            found = found.offset(
                0
            )  # by themselves: as one with the rest, PostgreSQL might walk along the order after all
        else:
            found = found.order_by(*(order or (Ticket.id.desc(),))).limit(limit).offset(offset)
        first = found.lateral("found")
        return select(reach.c.community_id, first.c.id).select_from(reach).join(first, true())


def _lanes(grant: Grant, wanted: Board) -> Iterable[_Lane]:
    """The ways to what this role reaches and the board wants. Together they are what `queries.visible_to` says."""
    states = wanted.status if wanted.status is not None else frozenset(TicketStatus)
    if grant.of_org:
        # What was dispatched to the organisation, or where it was called in to assist; what was referred is another
        # community's now.
        mine = states - {TicketStatus.REFERRED}
        own = _Lane(tuple(sorted(grant.communities)), (Ticket.org_id == grant.org_id,))
        called = _Lane(own.communities, (Ticket.status.in_(mine),), called_in=grant.org_id)
        if wanted.estate is not None:
            if wanted.estate.community_id not in grant.communities:
                return
            own, called = own.at(wanted.estate), called.at(wanted.estate)
        yield _by_state(own, wanted, mine)
        yield called
        return
    if grant.grid is not None:
        lane = _Lane((grant.grid.community_id,), (Ticket.grid_id == grant.grid.id,))
        if wanted.estate is not None:
            if wanted.estate.community_id != grant.grid.community_id:
                return
            lane = lane.at(wanted.estate)
        lane = _by_state(lane, wanted, wanted.status)
        # With what is closed it is nearly all of the grid: a page of that is filled sooner than one of each rare state
        # of the whole community.
        yield lane.undivided() if TicketStatus.CLOSED in (wanted.status or ()) else lane
        return
    if wanted.estate is not None:
        if wanted.estate in grant.estates:
            lane = _Lane((wanted.estate.community_id,), estates=(wanted.estate.id,))
            yield _by_state(lane, wanted, wanted.status)
        return
    whole = tuple(sorted(grant.communities))
    reached = literal([e.id for e in grant.estates], ARRAY(Uuid))
    inside = or_(Ticket.estate_id.is_(None), Ticket.estate_id == any_(reached))
    yield _by_state(_Lane(whole, (inside,)), wanted, wanted.status)
    # Estates that came from another community, which keeps their rows.
    came = sorted(e for e in grant.estates if e.community_id not in grant.communities)
    lane = _Lane(tuple(e.community_id for e in came), estates=tuple(e.id for e in came))
    yield _by_state(lane, wanted, wanted.status)


def _by_state(lane: _Lane, wanted: Board, states: frozenset[str] | None) -> _Lane:
    """The lane through these states: each a stretch of its own, or as a condition where something else is rarer."""
    if states is None:
        return lane
    if states <= OPEN:
        # Few are open: all of those are read sooner than a way is found around the rest.
        return lane._replace(where=(*lane.where, Ticket.ended_at.is_(None), Ticket.status.in_(states)))
    divided = lane._replace(states=tuple(sorted(states)))
    rarer = (
        wanted.overdue,
        wanted.due,
        wanted.callback_due,
        wanted.assigned_to,
        wanted.category,
        wanted.grid,
        lane.estates,
    )
    return divided.undivided() if any(rarer) else divided


def _load(pages: Sequence[Select[int, UUID]], limit: int) -> list[Ticket]:
    """The newest tickets of these pages."""
    if not pages:
        return []
    # A ticket can be in reach by two roles: union, not union all.
    every = (union(*pages) if len(pages) > 1 else pages[0]).subquery("every")
    page = select(every).order_by(every.c.id.desc()).limit(limit).subquery("page")
    found = select(Ticket).join(page, _same(page))
    return list(db.session().scalars(found.order_by(Ticket.id.desc())))


# --- what narrows it -------------------------------------------------------------------------------------

CALLBACK_DAYS = 15


def _filters(wanted: Board) -> list[ColumnElement[bool]]:
    """All but reach, states, place and words."""
    filters: list[ColumnElement[bool]] = []
    if wanted.category is not None:
        filters.append(Ticket.category_code == wanted.category)
    if wanted.assigned_to is not None:
        filters.append(Ticket.handler_id == wanted.assigned_to)
    if wanted.overdue is not None:
        late = and_(
            Ticket.ended_at.is_(None),
            Ticket.due_at < clock.now(),
            or_(Ticket.standing_since.is_(None), Ticket.due_at < Ticket.standing_since),
        )
        filters.append(late if wanted.overdue else ~late)
    if wanted.due is not None:
        filters.append(runs_out(wanted.due))
    if wanted.callback_due is not None:
        due = _callback_due()
        filters.append(due if wanted.callback_due else ~func.coalesce(due, false()))
    return filters


def _callback_due() -> ColumnElement[bool]:
    """Closed lately, not called back since, and urgent, rated badly, or one of the tenth that chance chooses."""
    called = exists().where(
        Callback.community_id == Ticket.community_id,
        Callback.ticket_id == Ticket.id,
        Callback.at >= Ticket.closed_at,
    )
    rated_since = func.coalesce(Ticket.rated_at >= Ticket.closed_at, false())
    return and_(
        text(TO_CALL_BACK),
        or_(Ticket.is_urgent, text(SAMPLED), rated_since),
        Ticket.closed_at >= clock.now() - timedelta(days=CALLBACK_DAYS),
        ~called,
    )


# --- words -----------------------------------------------------------------------------------------------

WINDOW = 3000  # of the newest tickets are simply read before the index of letters is asked
WIDER = 30_000  # the same where something else narrows the list as well


def _saying(q: str | None) -> list[ColumnElement[bool]]:
    """Number, words or address contain this."""
    if not q:
        return []
    pattern = "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return [or_(Ticket.number.ilike(pattern), Ticket.text.ilike(pattern), Ticket.address.ilike(pattern))]


def _search(
    staff: StaffActor, wanted: Board, filters: Conditions, limit: int, before: UUID | None
) -> list[Ticket]:
    """Those whose number, words or address contain `wanted.q`.

    What is often said is found among the newest, and would be long in any index of words. What isn't found often
    enough there is rare, and the index of letters and their pairs finds it.
    """
    q = wanted.q or ""
    lanes = _ways(staff, wanted)
    if not lanes:
        return []
    filters = [*_saying(q), *filters]
    if wanted.overdue or wanted.due or (wanted.status is not None and wanted.status <= OPEN):
        return _load([lane.ids(filters, limit, before=before) for lane in lanes], limit)
    communities = tuple(sorted({c for lane in lanes for c in lane.communities}))
    is_narrowed = wanted._replace(q=None) != Board()
    for window in (WINDOW, WIDER) if is_narrowed else (WINDOW,):
        each = max(1, window // len(communities))
        ends = _Lane(communities).ids((), 1, before=before, offset=each).subquery("ends")
        end = db.session().scalar(select(ends.c.id).order_by(ends.c.id.desc()).limit(1))
        found = _load([lane.ids(filters, limit, before=before, after=end) for lane in lanes], limit)
        if end is None or len(found) == limit:
            return found
    pages = []
    for lane in lanes:
        needles = {c: _SPLIT.join(letters.wanted(c, q, category=wanted.category)) for c in lane.communities}
        # What it is called in for is few, and known without the letters.
        if lane.called_in is None and _SPLIT not in q and all(needles.values()):
            pages.append(lane.undivided().ids(filters, limit, before=before, needles=needles))
        else:
            pages.append(lane.ids(filters, limit, before=before))
    return _load(pages, limit)
