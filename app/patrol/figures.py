"""Figures of patrols: what was visited of what should have been, and where the tickets are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, or_, select

from app import clock, db
from app.errors import NotFound
from app.ids import Ref
from app.patrol import hiding, queries, windows
from app.patrol.errors import DatesReversed, SpanTooLong
from app.patrol.models import Plan, PlanTerm, Point, Shift, Stop, Visit
from app.patrol.queries import Area
from app.patrol.windows import Window
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Point as Position
from app.tickets import queries as tickets
from app.tickets.models import Ticket

MOST_DAYS = 31  # of one coverage
MOST_HEAT_DAYS = 366
# What was taken back, refused, or counted elsewhere is no case of this place.
LEFT_OUT = ("withdrawn", "rejected", "merged", "referred")


def _span(first: date, last: date, *, most: int) -> tuple[datetime, datetime]:
    """Both days whole, in UTC. Raises DatesReversed, SpanTooLong."""
    if last < first:
        raise DatesReversed(errors={"to": [(DatesReversed.zh, DatesReversed.en)]})
    if (last - first).days >= most:
        raise SpanTooLong(most=most)
    ends = (datetime.combine(day, time(), tzinfo=clock.SHANGHAI) for day in (first, last + timedelta(days=1)))
    start, end = (end.astimezone(UTC) for end in ends)
    return start, end


# --- coverage --------------------------------------------------------------------------------------------


class State(StrEnum):
    """What became of a point that was to be visited in a window."""

    VISITED = "visited"
    SUSPECT = "suspect"  # only by visits that something speaks against
    MISSED = "missed"  # the window is over, or everybody who set out in it has come back
    OPEN = "open"  # there is still time; left out of the rates


@dataclass(frozen=True)
class Duty:
    """One point, to be visited in one window of one plan."""

    plan: Plan
    term: PlanTerm
    stop: Stop
    point: Point
    window: Window
    state: State
    is_final: bool  # the window is over: nothing can change any more
    reasons: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Its place in the list of gaps: by time, plan and order."""
        return (
            self.window.day.isoformat(),
            self.window.start.isoformat(),
            str(self.plan.id),
            self.stop.seq,
        )


@dataclass
class Count:
    """How many duties there were, by what became of them."""

    visited: int = 0
    suspect: int = 0
    missed: int = 0
    open: int = 0

    def add(self, state: State) -> None:
        """Count one more."""
        setattr(self, state.value, getattr(self, state.value) + 1)

    @property
    def due(self) -> int:
        """The denominator: all but those that still have time."""
        return self.visited + self.suspect + self.missed


@dataclass
class Coverage:
    """Every duty of some days, counted by plan; and the visits that belong to none."""

    duties: list[Duty] = field(default_factory=list)
    plans: dict[UUID, tuple[Plan, PlanTerm, Count]] = field(default_factory=dict)
    total: Count = field(default_factory=Count)
    beside: int = 0  # visits outside the hours, or of points off the route

    @property
    def gaps(self) -> list[Duty]:
        """Points that were missed, or visited only doubtfully, by time."""
        found = [duty for duty in self.duties if duty.state in (State.MISSED, State.SUSPECT)]
        return sorted(found, key=lambda duty: duty.key)


def coverage(staff: StaffActor, *, area: Area, first: date, last: date) -> Coverage:
    """What the plans in her reach asked for from `first` to `last`, and what was done of it.

    A window that was over when its term was written asks for nothing, nor does a point from its retirement on.
    Raises DatesReversed, SpanTooLong, NotFound for an area outside her reach.
    """
    start, end = _span(first, last, most=MOST_DAYS)
    _in_reach(staff, area)
    made = Coverage()
    asked = _asked(staff, first, last)
    if not asked:
        return made
    communities = {plan.community_id for plan, _ in asked}
    plan_ids = {plan.id for plan, _ in asked}
    route = _routes(communities, plan_ids, area)
    # A window of the last day may run on into the day after, and grace is at most two hours.
    visits = _visits(communities, plan_ids, start - timedelta(hours=2), end + timedelta(hours=26))
    walks = _walks(communities, plan_ids, start - timedelta(days=2), end + timedelta(hours=26))
    chosen = queries.settings_of(communities)
    by_plan: dict[UUID, list[tuple[PlanTerm, Window]]] = {}
    plan_of = {plan.id: plan for plan, _ in asked}
    for plan, term in asked:
        by_plan.setdefault(plan.id, []).extend((term, window) for window in _windows(term, first, last))
    now = clock.now()
    for plan_id, occurrences in by_plan.items():
        plan = plan_of[plan_id]
        grace = timedelta(minutes=chosen[plan.community_id]["grace_minutes"])
        _cover(
            made,
            plan,
            occurrences,
            route=route,
            visits=visits.get(plan_id, []),
            walks=walks.get(plan_id, []),
            grace=grace,
            span=(start, end),
            now=now,
        )
    return made


def _in_reach(staff: StaffActor, area: Area) -> None:
    for ref in (area.estate, area.grid):
        if ref is not None and ref.community_id not in queries.homes(staff, Permission.PATROL_VIEW):
            raise NotFound
    if area.estate is not None:
        places.estate(area.estate)
    if area.grid is not None and area.grid not in {
        Ref(g.community_id, g.id) for g in queries.grids_in_reach(staff, Permission.PATROL_VIEW)
    }:
        raise NotFound


def _asked(staff: StaffActor, first: date, last: date) -> list[tuple[Plan, PlanTerm]]:
    rows = db.session().execute(
        select(Plan, PlanTerm)
        .join(PlanTerm, and_(PlanTerm.community_id == Plan.community_id, PlanTerm.plan_id == Plan.id))
        .where(
            Plan.community_id.in_(queries.homes(staff, Permission.PATROL_VIEW)),
            queries.visible_terms(staff),
            PlanTerm.valid_from <= last,
            or_(PlanTerm.valid_to.is_(None), PlanTerm.valid_to > first),
        )
        .order_by(Plan.id, PlanTerm.valid_from)
    )
    return [(plan, term) for plan, term in rows]


def _routes(
    communities: set[int], plan_ids: set[UUID], area: Area
) -> dict[tuple[UUID, date], list[tuple[Stop, Point]]]:
    query = (
        select(Stop, Point)
        .join(Point, and_(Point.community_id == Stop.community_id, Point.id == Stop.point_id))
        .where(Stop.community_id.in_(communities), Stop.plan_id.in_(plan_ids))
        .order_by(Stop.seq)
    )
    if area.estate is not None:
        query = query.where(Point.community_id == area.estate.community_id, Point.estate_id == area.estate.id)
    if area.grid is not None:
        query = query.where(Point.community_id == area.grid.community_id, Point.grid_id == area.grid.id)
    found: dict[tuple[UUID, date], list[tuple[Stop, Point]]] = {}
    for stop, point in db.session().execute(query):
        found.setdefault((stop.plan_id, stop.valid_from), []).append((stop, point))
    return found


class _Visited(NamedTuple):
    point_id: UUID
    at: datetime
    reasons: list[str]


def _visits(
    communities: set[int], plan_ids: set[UUID], start: datetime, end: datetime
) -> dict[UUID, list[_Visited]]:
    found: dict[UUID, list[_Visited]] = {}
    for plan_id, point_id, at, reasons in db.session().execute(
        select(Visit.plan_id, Visit.point_id, Visit.at, Visit.reasons).where(
            Visit.community_id.in_(communities),
            Visit.plan_id.in_(plan_ids),
            Visit.at >= start,
            Visit.at < end,
        )
    ):
        found.setdefault(plan_id, []).append(_Visited(point_id, at, reasons))
    return found


def _walks(
    communities: set[int], plan_ids: set[UUID], start: datetime, end: datetime
) -> dict[UUID, list[Shift]]:
    found: dict[UUID, list[Shift]] = {}
    for shift in db.session().scalars(
        select(Shift).where(
            Shift.community_id.in_(communities),
            Shift.plan_id.in_(plan_ids),
            Shift.started_at >= start,
            Shift.started_at < end,
        )
    ):
        found.setdefault(shift.plan_id, []).append(shift)
    return found


def _windows(term: PlanTerm, first: date, last: date) -> list[Window]:
    """The windows that the term asks for within the days; those over before it was written ask for nothing."""
    day = max(first, term.valid_from)
    until = min(last, term.valid_to - timedelta(days=1)) if term.valid_to is not None else last
    found: list[Window] = []
    while day <= until:
        if day.isoweekday() in term.weekdays:
            found += [w for w in windows.on(day, term.windows) if w.end > term.created_at]
        day += timedelta(days=1)
    return found


def _cover(
    made: Coverage,
    plan: Plan,
    occurrences: Sequence[tuple[PlanTerm, Window]],
    *,
    route: dict[tuple[UUID, date], list[tuple[Stop, Point]]],
    visits: Sequence[_Visited],
    walks: Sequence[Shift],
    grace: timedelta,
    span: tuple[datetime, datetime],
    now: datetime,
) -> None:
    held: dict[tuple[Window, UUID], list[_Visited]] = {}
    all_windows = [window for _, window in occurrences]
    on_route: dict[Window, set[UUID]] = {
        window: {point.id for _, point in route.get((plan.id, term.valid_from), ())}
        for term, window in occurrences
    }
    for visit in visits:
        window = windows.holding(visit.at, all_windows, grace=grace)
        if window is not None and visit.point_id in on_route[window]:
            held.setdefault((window, visit.point_id), []).append(visit)
        elif span[0] <= visit.at < span[1]:
            made.beside += 1
    for term, window in occurrences:
        back = _everybody_is_back(walks, window, grace, now)
        for stop, point in route.get((plan.id, term.valid_from), ()):
            if point.retired_at is not None and point.retired_at <= window.start:
                continue
            seen = held.get((window, point.id), [])
            state, reasons = _judge(seen, over=window.end <= now, back=back)
            duty = Duty(plan, term, stop, point, window, state, window.end <= now, reasons)
            made.duties.append(duty)
            _, __, count = made.plans.setdefault(plan.id, (plan, term, Count()))
            made.plans[plan.id] = (plan, term, count)
            count.add(state)
            made.total.add(state)


def _judge(seen: Sequence[_Visited], *, over: bool, back: bool) -> tuple[State, tuple[str, ...]]:
    if any(not visit.reasons for visit in seen):
        return State.VISITED, ()
    if seen:
        return State.SUSPECT, tuple(sorted({reason for visit in seen for reason in visit.reasons}))
    return (State.MISSED if over or back else State.OPEN), ()


def _everybody_is_back(walks: Sequence[Shift], window: Window, grace: timedelta, now: datetime) -> bool:
    """Somebody set out in this window, and nobody is on the way any more."""
    there = [
        shift
        for shift in walks
        if shift.started_at < window.end + grace
        and (shift.ended_at or min(shift.cap_at, now)) > window.start - grace
    ]
    return bool(there) and not any(shift.is_open(now) for shift in there)


# --- where the tickets are -------------------------------------------------------------------------------


def _id_floor(at: datetime) -> UUID:
    """The least UUIDv7 of a moment. A ticket's id is made when it is written, never before it was reported: so the
    key's own index finds the tickets since then.
    """
    return UUID(int=int(at.timestamp() * 1000) << 80)


def tickets_by_grid(community_id: int, *, since: datetime, until: datetime) -> dict[UUID, int]:
    """Cases reported in a span of time, by grid; those without a grid are in none."""
    rows = db.session().execute(
        select(Ticket.grid_id, func.count())
        .where(
            Ticket.community_id == community_id,
            Ticket.id >= _id_floor(since),
            Ticket.reported_at >= since,
            Ticket.reported_at < until,
            Ticket.status.not_in(LEFT_OUT),
            Ticket.grid_id.is_not(None),
        )
        .group_by(Ticket.grid_id)
    )
    return {grid_id: n for grid_id, n in rows if grid_id is not None}


class Cell(NamedTuple):
    """One grid of the map: how many tickets (None: hidden), its grade, and its middle (WGS-84)."""

    grid: Ref
    code: str
    name: str
    community_id: int
    n: int | None
    grade: str | None
    middle: Position | None


class Heat(NamedTuple):
    """The map with its totals; None is hidden. `without_grid` stands beside the total, not in it."""

    cells: list[Cell]
    communities: dict[int, int | None]
    total: int | None
    without_grid: int | None


def heatmap(staff: StaffActor, *, first: date, last: date, category: str | None) -> Heat:
    """Tickets in her reach by grid, small numbers hidden (`hiding`). Raises DatesReversed, SpanTooLong."""
    start, end = _span(first, last, most=MOST_HEAT_DAYS)
    grids = queries.grids_in_reach(staff, Permission.PATROL_VIEW)
    counted = _heat(staff, start, end, category)
    groups: dict[int, dict[Ref, int]] = {}
    for grid in grids:
        ref = Ref(grid.community_id, grid.id)
        groups.setdefault(grid.community_id, {})[ref] = counted.get(ref, 0)
    shown = {community: hiding.publish(cells) for community, cells in groups.items()}
    refs = [Ref(grid.community_id, grid.id) for grid in grids]
    grades, middles = queries.grades(refs), _middles(refs)
    inside = {ref for cells in groups.values() for ref in cells}
    outside = sum(n for ref, n in counted.items() if ref not in inside)
    return Heat(
        cells=[
            Cell(
                ref,
                grid.code,
                grid.name,
                grid.community_id,
                shown[grid.community_id].cells[ref],
                grades[ref].grade if ref in grades else None,
                middles.get(ref),
            )
            for grid, ref in zip(grids, refs, strict=True)
        ],
        communities={community: published.total for community, published in shown.items()},
        total=hiding.publish_total({community: published.total for community, published in shown.items()}),
        without_grid=outside if outside >= hiding.SMALL else None,
    )


def _heat(
    staff: StaffActor, start: datetime, end: datetime, category: str | None
) -> dict[tuple[int, UUID | None], int]:
    if not staff.grants:
        return {}
    query = (
        select(Ticket.community_id, Ticket.grid_id, func.count())
        .where(
            tickets.visible_to(staff, Permission.PATROL_VIEW),
            Ticket.id >= _id_floor(start),
            Ticket.reported_at >= start,
            Ticket.reported_at < end,
            Ticket.status.not_in(LEFT_OUT),
        )
        .group_by(Ticket.community_id, Ticket.grid_id)
    )
    if category is not None:
        query = query.where(Ticket.category_code == category)
    return {(community, grid_id): n for community, grid_id, n in db.session().execute(query)}


def _middles(refs: Iterable[Ref]) -> dict[Ref, Position]:
    refs = list(refs)
    covers = queries.estates_of_grids({ref.community_id for ref in refs})
    known = places.estates(
        Ref(ref.community_id, estate_id) for ref in refs for estate_id in covers.get(ref, ())
    )
    found: dict[Ref, Position] = {}
    for ref in refs:
        centres = [
            (e.lng, e.lat)
            for estate_id in covers.get(ref, ())
            if (e := known.get(Ref(ref.community_id, estate_id))) is not None
        ]
        if centres:
            lngs, lats = zip(*centres, strict=True)
            found[ref] = Position(sum(lngs) / len(lngs), sum(lats) / len(lats))
    return found
