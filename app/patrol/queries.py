"""Reading patrols: each takes who asks, and shows only what she may see.

The desk (street, community) sees what lies in its area; grid and property staff see the plans they walk, each
their own, so neither sees the other's. Where somebody walked is seen by herself and by the desk of the area.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, and_, exists, false, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from app import clock, crypto, db
from app.audit import AuditRow
from app.errors import NotFound
from app.ids import Ref
from app.patrol.models import (
    OpenShift,
    PatrolSetting,
    Plan,
    PlanTerm,
    Point,
    Reading,
    Shift,
    Stop,
    Track,
    Visit,
    Zone,
    ZoneGrade,
)
from app.patrol.thinning import Fix, with_end
from app.people.models import Role, Staff, StaffRole, StaffStatus
from app.people.permissions import GRANTS, Permission
from app.people.scopes import Grant, StaffActor
from app.places import queries as places
from app.places.coordinates import Point as Position
from app.places.models import Grid, GridCover

OBJECT_KIND = "patrol"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DESK = frozenset({Role.STREET, Role.COMMUNITY})
WALKERS = frozenset(role for role in Role if Permission.PATROL_WALK in GRANTS[role])

# What a community may choose otherwise, with the least and the most of it.
SETTINGS: dict[str, tuple[int, int, int]] = {
    "key_per_100_homes": (6, 1, 10_000),  # tickets of 90 days from which a zone is 重点
    "regular_per_100_homes": (2, 1, 10_000),
    "key_per_estate": (20, 1, 100_000),
    "regular_per_estate": (5, 1, 100_000),
    "shift_cap_minutes": (720, 30, 1440),
    "grace_minutes": (15, 0, 120),  # early or late for the hours of a plan
    "max_speed_kmh": (40, 5, 120),  # between two points; a patrol walks or rides
}


# --- who sees what ---------------------------------------------------------------------------------------


def homes(staff: StaffActor, permission: Permission) -> set[int]:
    """The home shards in which she has the permission somewhere."""
    return {home for grant in staff.grants if permission in grant.permissions for home in grant.homes}


def _in_area(grant: Grant, model: type[Plan | Point | Shift]) -> ColumnElement[bool]:
    """Rows of the area that a desk looks after."""
    return and_(
        model.community_id.in_(grant.homes),
        or_(
            model.estate_id.in_({e.id for e in grant.estates}),
            and_(model.estate_id.is_(None), model.community_id.in_(grant.communities)),
        ),
    )


def looks_after(staff: StaffActor, community_id: int, estate_id: UUID | None, permission: Permission) -> bool:
    """Has she, as the desk of the area, this permission for something that lies there?"""
    for grant in staff.grants:
        if grant.role not in DESK or permission not in grant.permissions:
            continue
        if estate_id is None and community_id in grant.communities:
            return True
        if estate_id is not None and Ref(community_id, estate_id) in grant.estates:
            return True
    return False


def _walked_by(grant: Grant) -> ColumnElement[bool]:
    """Terms that the people of this role walk: of their organisation, or of their grid."""
    if grant.role is Role.GRID and grant.grid is not None:
        return and_(
            PlanTerm.community_id == grant.grid.community_id,
            or_(
                PlanTerm.grid_id == grant.grid.id,
                and_(PlanTerm.grid_id.is_(None), PlanTerm.org_id == grant.org_id),
            ),
        )
    if grant.of_org:
        return and_(PlanTerm.community_id.in_(grant.communities), PlanTerm.org_id == grant.org_id)
    return false()


def walks(grant: Grant, term: PlanTerm) -> bool:
    """Does this role make its holder one of those who walk the term?"""
    if Permission.PATROL_WALK not in grant.permissions:
        return False
    if grant.role is Role.GRID and grant.grid is not None:
        if term.community_id != grant.grid.community_id:
            return False
        if term.grid_id is not None:
            return term.grid_id == grant.grid.id
        return term.org_id == grant.org_id
    return term.org_id == grant.org_id and term.community_id in grant.communities


def visible_terms(staff: StaffActor) -> ColumnElement[bool]:
    """The condition over plans joined with their terms under which she sees what a term asks for."""
    return or_(
        false(),
        *(
            _in_area(grant, Plan) if grant.role in DESK else _walked_by(grant)
            for grant in staff.grants
            if Permission.PATROL_VIEW in grant.permissions
        ),
    )


def _visible_plans(staff: StaffActor) -> ColumnElement[bool]:
    grants = [grant for grant in staff.grants if Permission.PATROL_VIEW in grant.permissions]
    hers = [_walked_by(grant) for grant in grants if grant.role not in DESK]
    return or_(
        false(),
        *(_in_area(grant, Plan) for grant in grants if grant.role in DESK),
        exists().where(
            PlanTerm.community_id == Plan.community_id, PlanTerm.plan_id == Plan.id, or_(false(), *hers)
        ),
    )


def _visible_points(staff: StaffActor) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    for grant in staff.grants:
        if Permission.PATROL_VIEW not in grant.permissions:
            continue
        if grant.role in DESK:
            conditions.append(_in_area(grant, Point))
            continue
        if grant.grid is not None:
            conditions.append(
                and_(Point.community_id == grant.grid.community_id, Point.grid_id == grant.grid.id)
            )
        conditions.append(
            exists().where(
                Stop.community_id == Point.community_id,
                Stop.point_id == Point.id,
                PlanTerm.community_id == Stop.community_id,
                PlanTerm.plan_id == Stop.plan_id,
                PlanTerm.valid_from == Stop.valid_from,
                _walked_by(grant),
            )
        )
    return or_(false(), *conditions)


def _visible_shifts(staff: StaffActor) -> ColumnElement[bool]:
    own = and_(Shift.community_id.in_(homes(staff, Permission.PATROL_VIEW)), Shift.staff_id == staff.id)
    return or_(
        own,
        *(
            _in_area(grant, Shift)
            for grant in staff.grants
            if grant.role in DESK and Permission.PATROL_TRACK in grant.permissions
        ),
    )


# --- points ----------------------------------------------------------------------------------------------


def point_for(staff: StaffActor, ref: Ref, *, lock: bool = False) -> Point:
    """The point, locked for a change when asked. Raises NotFound outside her reach."""
    query = select(Point).where(
        Point.community_id == ref.community_id, Point.id == ref.id, _visible_points(staff)
    )
    if lock:
        query = query.with_for_update(of=Point).execution_options(populate_existing=True)
    found = db.session().scalar(query)
    if found is None:
        raise NotFound
    return found


def point_to_plan(staff: StaffActor, ref: Ref) -> Point:
    """The point, for the desk that plans its area (and prints its sign). Raises NotFound."""
    point = point_for(staff, ref)
    if not looks_after(staff, point.community_id, point.estate_id, Permission.PATROL_PLAN):
        raise NotFound
    return point


class Area(NamedTuple):
    """What a list is narrowed to."""

    estate: Ref | None = None
    grid: Ref | None = None


def points(
    staff: StaffActor, *, area: Area, retired: bool, limit: int, before: UUID | None = None
) -> list[Point]:
    """Points in her reach, newest first."""
    query = select(Point).where(
        Point.community_id.in_(homes(staff, Permission.PATROL_VIEW)), _visible_points(staff)
    )
    if area.estate is not None:
        query = query.where(Point.community_id == area.estate.community_id, Point.estate_id == area.estate.id)
    if area.grid is not None:
        query = query.where(Point.community_id == area.grid.community_id, Point.grid_id == area.grid.id)
    if not retired:
        query = query.where(Point.retired_at.is_(None))
    if before is not None:
        query = query.where(Point.id < before)
    return list(db.session().scalars(query.order_by(Point.id.desc()).limit(limit)))


def points_named(community_id: int, point_ids: Iterable[UUID]) -> dict[UUID, Point]:
    """Those points of one community, in one query."""
    wanted = set(point_ids)
    if not wanted:
        return {}
    rows = db.session().scalars(select(Point).where(Point.community_id == community_id, Point.id.in_(wanted)))
    return {point.id: point for point in rows}


# --- plans -----------------------------------------------------------------------------------------------


def plan_for(staff: StaffActor, ref: Ref, *, lock: bool = False) -> Plan:
    """The plan, locked for a change when asked. Raises NotFound outside her reach."""
    query = select(Plan).where(
        Plan.community_id == ref.community_id, Plan.id == ref.id, _visible_plans(staff)
    )
    if lock:
        query = query.with_for_update(of=Plan).execution_options(populate_existing=True)
    found = db.session().scalar(query)
    if found is None:
        raise NotFound
    return found


def plans(
    staff: StaffActor, *, area: Area, on: date | None, limit: int, before: UUID | None = None
) -> list[Plan]:
    """Plans in her reach, newest first; `on`: only those in force on that day (whatever its weekday)."""
    query = select(Plan).where(
        Plan.community_id.in_(homes(staff, Permission.PATROL_VIEW)), _visible_plans(staff)
    )
    if area.estate is not None:
        query = query.where(Plan.community_id == area.estate.community_id, Plan.estate_id == area.estate.id)
    of_plan = and_(PlanTerm.community_id == Plan.community_id, PlanTerm.plan_id == Plan.id)
    if area.grid is not None:
        query = query.where(
            Plan.community_id == area.grid.community_id,
            exists().where(of_plan, PlanTerm.grid_id == area.grid.id),
        )
    if on is not None:
        query = query.where(exists().where(of_plan, in_force(on)))
    if before is not None:
        query = query.where(Plan.id < before)
    return list(db.session().scalars(query.order_by(Plan.id.desc()).limit(limit)))


def plans_named(refs: Iterable[Ref]) -> dict[Ref, Plan]:
    """Those plans, in one query."""
    refs = set(refs)
    if not refs:
        return {}
    rows = db.session().scalars(
        select(Plan).where(
            Plan.community_id.in_({r.community_id for r in refs}), Plan.id.in_({r.id for r in refs})
        )
    )
    return {Ref(plan.community_id, plan.id): plan for plan in rows}


def in_force(on: date) -> ColumnElement[bool]:
    """The condition that a term holds on a day."""
    return and_(PlanTerm.valid_from <= on, or_(PlanTerm.valid_to.is_(None), PlanTerm.valid_to > on))


class Route(NamedTuple):
    """A term with its points in their order."""

    term: PlanTerm
    stops: list[Stop]


def routes(found: Sequence[Plan], on: date) -> dict[UUID, Route]:
    """Of each plan the term in force on a day, else the next one, else the last."""
    if not found:
        return {}
    communities, plan_ids = {p.community_id for p in found}, {p.id for p in found}
    best: dict[UUID, PlanTerm] = {}
    for term in db.session().scalars(
        select(PlanTerm)
        .where(PlanTerm.community_id.in_(communities), PlanTerm.plan_id.in_(plan_ids))
        .order_by(PlanTerm.valid_from)
    ):
        known = best.get(term.plan_id)
        # In order of time: the last that has begun by then, or the first one at all that still lies ahead.
        if known is None or term.valid_from <= on or (known.valid_to is not None and known.valid_to <= on):
            best[term.plan_id] = term
    stops: dict[UUID, list[Stop]] = {}
    for stop in db.session().scalars(
        select(Stop)
        .where(
            Stop.community_id.in_(communities),
            tuple_(Stop.plan_id, Stop.valid_from).in_([(t.plan_id, t.valid_from) for t in best.values()]),
        )
        .order_by(Stop.seq)
    ):
        stops.setdefault(stop.plan_id, []).append(stop)
    return {plan_id: Route(term, stops.get(plan_id, [])) for plan_id, term in best.items()}


def term_on(community_id: int, plan_id: UUID, day: date) -> PlanTerm | None:
    """The term of a plan that is in force on a day, or None."""
    return db.session().scalar(
        select(PlanTerm).where(
            PlanTerm.community_id == community_id, PlanTerm.plan_id == plan_id, in_force(day)
        )
    )


def stops_of(term: PlanTerm) -> list[Stop]:
    """The points of a term in their order."""
    rows = db.session().scalars(
        select(Stop)
        .where(
            Stop.community_id == term.community_id,
            Stop.plan_id == term.plan_id,
            Stop.valid_from == term.valid_from,
        )
        .order_by(Stop.seq)
    )
    return list(rows)


def roster(*, org_id: UUID | None, grid: Ref | None) -> set[UUID]:
    """Who may walk for an organisation or a grid as of today."""
    on = places.today()
    query = (
        select(StaffRole.staff_id)
        .join(Staff, Staff.id == StaffRole.staff_id)
        .where(
            Staff.status == StaffStatus.ACTIVE,
            StaffRole.role.in_(WALKERS),
            StaffRole.valid_from <= on,
            or_(StaffRole.valid_to.is_(None), StaffRole.valid_to > on),
        )
    )
    of_grid = (
        and_(StaffRole.grid_community_id == grid.community_id, StaffRole.grid_id == grid.id)
        if grid is not None
        else false()
    )
    if org_id is None:
        query = query.where(of_grid)
    elif grid is None:
        query = query.where(StaffRole.org_id == org_id)
    else:
        # An organisation for a grid: its own people, and of the grid workers only those of this grid.
        query = query.where(or_(of_grid, and_(StaffRole.org_id == org_id, StaffRole.role != Role.GRID)))
    return set(db.session().scalars(query))


# --- shifts, tracks, visits ------------------------------------------------------------------------------


def shift_for(staff: StaffActor, ref: Ref, *, lock: bool = False) -> Shift:
    """The shift, locked when asked: one's own, or one in the desk's area. Raises NotFound."""
    query = select(Shift).where(
        Shift.community_id == ref.community_id, Shift.id == ref.id, _visible_shifts(staff)
    )
    if lock:
        query = query.with_for_update(of=Shift).execution_options(populate_existing=True)
    found = db.session().scalar(query)
    if found is None:
        raise NotFound
    return found


def own_shift(staff: StaffActor, ref: Ref) -> Shift:
    """Her own shift. Raises NotFound for anybody else's, also where she is the desk."""
    shift = shift_for(staff, ref)
    if shift.staff_id != staff.id:
        raise NotFound
    return shift


def shifts(
    staff: StaffActor, *, plan: Ref | None, open_only: bool, limit: int, before: UUID | None = None
) -> list[Shift]:
    """One's own shifts and those in the desk's area, newest first."""
    query = select(Shift).where(
        Shift.community_id.in_(homes(staff, Permission.PATROL_VIEW)), _visible_shifts(staff)
    )
    if plan is not None:
        query = query.where(Shift.community_id == plan.community_id, Shift.plan_id == plan.id)
    if open_only:
        query = query.where(Shift.ended_at.is_(None), Shift.cap_at > clock.now())
    if before is not None:
        query = query.where(Shift.id < before)
    return list(db.session().scalars(query.order_by(Shift.id.desc()).limit(limit)))


def open_shift_of(staff_id: UUID) -> Ref | None:
    """The shift that she has open, or None."""
    row = db.session().get(OpenShift, staff_id)
    return Ref(row.community_id, row.shift_id) if row is not None else None


def visits_of(shift: Shift) -> list[Visit]:
    """The visits of a shift in the order they were made."""
    rows = db.session().scalars(
        select(Visit)
        .where(Visit.community_id == shift.community_id, Visit.shift_id == shift.id)
        .order_by(Visit.at, Visit.id)
    )
    return list(rows)


class Head(NamedTuple):
    """Where the track of a shift stands: the position kept last, and the one received last."""

    kept: Fix | None
    last: Fix | None


def head_of(shift: Shift) -> Head:
    """The head of the track; nothing before the first position and after the track was erased."""
    if shift.head_sealed is None:
        return Head(None, None)
    kept, last = open_fixes(shift.head_sealed, head_context(shift.id))
    return Head(kept, last)


def track_of(shift: Shift) -> list[Fix]:
    """The thinned way of a shift, in order, with its end; empty once it was erased."""
    rows = db.session().scalars(
        select(Track)
        .where(Track.community_id == shift.community_id, Track.shift_id == shift.id)
        .order_by(Track.from_at)
    )
    kept = [fix for row in rows for fix in open_fixes(row.sealed, track_context(shift.id, row.from_at))]
    return with_end(kept, head_of(shift).last)


def readings_of(shift: Shift) -> dict[UUID, Fix]:
    """The positions that came with the visits of a shift, by visit, as long as they are kept."""
    rows = db.session().scalars(
        select(Reading).where(Reading.community_id == shift.community_id, Reading.shift_id == shift.id)
    )
    return {row.visit_id: open_fixes(row.sealed, reading_context(row.visit_id))[0] for row in rows}


def track_context(shift_id: UUID, from_at: datetime) -> str:
    """What a sealed piece of a track is bound to."""
    return f"patrol_track:{shift_id}:{_ms(from_at)}"


def head_context(shift_id: UUID) -> str:
    """What the sealed head of a track is bound to."""
    return f"patrol_head:{shift_id}"


def reading_context(visit_id: UUID) -> str:
    """What the sealed position of a visit is bound to."""
    return f"patrol_reading:{visit_id}"


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def seal_fixes(fixes: Iterable[Fix], context: str) -> bytes:
    """Positions as they are stored: sealed, to the millisecond and to about 0.1 m."""
    rows: list[list[Any]] = [
        [_ms(f.at), round(f.point.lng, 6), round(f.point.lat, 6), f.accuracy_m] for f in fixes
    ]
    return crypto.keys().encrypt(orjson.dumps(rows), context)


def open_fixes(sealed: bytes, context: str) -> list[Fix]:
    """What `seal_fixes` was given."""
    rows = orjson.loads(crypto.keys().decrypt(sealed, context))
    return [
        Fix(_EPOCH + timedelta(milliseconds=ms), Position(lng, lat), accuracy)
        for ms, lng, lat, accuracy in rows
    ]


# --- settings and zones ----------------------------------------------------------------------------------


def settings_of(community_ids: Iterable[int], at: datetime | None = None) -> dict[int, dict[str, int]]:
    """The numbers in force in these communities at a moment (now), each with every key."""
    wanted = set(community_ids)
    found = {community: {key: row[0] for key, row in SETTINGS.items()} for community in wanted}
    for row in db.session().scalars(
        select(PatrolSetting)
        .where(PatrolSetting.community_id.in_(wanted), PatrolSetting.since <= (at or clock.now()))
        .order_by(PatrolSetting.since)
    ):
        found[row.community_id][row.key] = row.value
    return found


def choices_of(community_ids: Iterable[int], *, limit: int) -> list[AuditRow]:
    """Who chose which numbers for these communities, the latest first."""
    return list(
        db.session().scalars(
            select(AuditRow)
            .where(
                AuditRow.community_id.in_(set(community_ids)),
                AuditRow.object_kind == OBJECT_KIND,
                AuditRow.object_id.is_(None),
                AuditRow.action == "patrol.settings_chosen",
            )
            .order_by(AuditRow.id.desc())
            .limit(limit)
        )
    )


def grids_in_reach(staff: StaffActor, permission: Permission) -> list[Grid]:
    """The grids of her communities, or her own one, by community and code."""
    own: set[Ref] = set()
    whole: set[int] = set()
    for grant in staff.grants:
        if permission in grant.permissions:
            whole |= grant.communities
            own |= {grant.grid} if grant.grid is not None else set()
    return [
        grid
        for grid in places.grids_in(whole | {ref.community_id for ref in own})
        if grid.community_id in whole or Ref(grid.community_id, grid.id) in own
    ]


def zones(refs: Iterable[Ref]) -> dict[Ref, Zone]:
    """What is known of these grids as zones."""
    refs = set(refs)
    rows = db.session().scalars(
        select(Zone).where(
            Zone.community_id.in_({r.community_id for r in refs}), Zone.grid_id.in_({r.id for r in refs})
        )
    )
    return {Ref(z.community_id, z.grid_id): z for z in rows}


def grades(refs: Iterable[Ref]) -> dict[Ref, ZoneGrade]:
    """The grade in force of these grids: the one computed last."""
    refs = set(refs)
    rows = db.session().scalars(
        select(ZoneGrade)
        .where(
            ZoneGrade.community_id.in_({r.community_id for r in refs}),
            ZoneGrade.grid_id.in_({r.id for r in refs}),
        )
        .ext(distinct_on(ZoneGrade.community_id, ZoneGrade.grid_id))
        .order_by(ZoneGrade.community_id, ZoneGrade.grid_id, ZoneGrade.graded_at.desc(), ZoneGrade.id.desc())
    )
    return {Ref(g.community_id, g.grid_id): g for g in rows}


def estates_of_grids(community_ids: Iterable[int]) -> dict[Ref, set[UUID]]:
    """The estates that each grid of these communities covers today, wholly or in part."""
    on = places.today()
    found: dict[Ref, set[UUID]] = {}
    for community_id, grid_id, estate_id in db.session().execute(
        select(GridCover.community_id, GridCover.grid_id, GridCover.estate_id).where(
            GridCover.community_id.in_(set(community_ids)),
            GridCover.valid_from <= on,
            or_(GridCover.valid_to.is_(None), GridCover.valid_to > on),
        )
    ):
        found.setdefault(Ref(community_id, grid_id), set()).add(estate_id)
    return found


def communities_to_grade(*, since: datetime) -> list[int]:
    """Communities with grids of which none was graded since then; for the periodic job."""
    grids = db.session().scalars(
        select(Grid.community_id).distinct().execution_options(cross_community="periodic jobs")
    )
    graded = db.session().scalars(
        select(ZoneGrade.community_id)
        .where(ZoneGrade.graded_at >= since)
        .distinct()
        .execution_options(cross_community="periodic jobs")
    )
    return sorted(set(grids) - set(graded))


def overdue_shifts() -> list[tuple[Ref, UUID]]:
    """(shift, staff) of shifts past their cap that nobody ended; for the periodic job."""
    rows = db.session().execute(
        select(Shift.community_id, Shift.id, Shift.staff_id)
        .where(Shift.ended_at.is_(None), Shift.cap_at <= clock.now())
        .execution_options(cross_community="periodic jobs")
    )
    return [(Ref(community_id, shift_id), staff_id) for community_id, shift_id, staff_id in rows]


def communities_with_tracks(before: datetime) -> list[int]:
    """Communities that still keep whereabouts from before that time; for the periodic job."""
    old = db.session().scalars(
        select(Track.community_id)
        .where(Track.to_at < before)
        .distinct()
        .execution_options(cross_community="periodic jobs")
    )
    heads = db.session().scalars(
        select(Shift.community_id)
        .where(Shift.head_sealed.is_not(None), Shift.cap_at < before)
        .distinct()
        .execution_options(cross_community="periodic jobs")
    )
    read = db.session().scalars(
        select(Reading.community_id)
        .where(Reading.at < before)
        .distinct()
        .execution_options(cross_community="periodic jobs")
    )
    return sorted({*old, *heads, *read})
