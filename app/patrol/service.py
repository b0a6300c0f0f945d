"""Writing what is to be patrolled: points, plans, the numbers a community chose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app import audit, clock, db, ids
from app.errors import NotFound, StaleVersion
from app.ids import Ref
from app.patrol import queries, windows
from app.patrol.errors import (
    BadPosition,
    DatesReversed,
    Nobody,
    PastDate,
    PlanUnderWay,
    PointTwice,
    PositionNeeded,
    RosterEmpty,
    ThresholdsReversed,
    UnknownGrid,
    UnknownOrg,
    UnknownPoint,
    WhereMissing,
)
from app.patrol.models import Grade, PatrolSetting, Plan, PlanTerm, Point, Proof, Shift, Stop, Zone
from app.patrol.queries import OBJECT_KIND
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Point as Position
from app.places.coordinates import in_china
from app.places.models import OrgKind


def checked(position: Position) -> Position:
    """The WGS-84 position, if it is one in China. Raises BadPosition."""
    if not (math.isfinite(position.lng) and math.isfinite(position.lat) and in_china(position)):
        raise BadPosition
    return position


# --- points ----------------------------------------------------------------------------------------------


def _mine_to_plan(staff: StaffActor, community_id: int, estate_id: UUID | None) -> None:
    if not queries.looks_after(staff, community_id, estate_id, Permission.PATROL_PLAN):
        raise NotFound


def add_point(
    *,
    name: str,
    estate: Ref | None,
    grid: Ref | None,
    proof: Proof,
    position: Position | None,
    radius_m: int,
    acting_user: StaffActor,
) -> Point:
    """Add a patrol point in an estate or a grid; in an estate the grid is the one that covers it.

    Raises WhereMissing, PositionNeeded, BadPosition, UnknownGrid, NotFound for a place outside her area.
    """
    home = estate or grid
    if home is None or (grid is not None and grid.community_id != home.community_id):
        raise WhereMissing(errors={"estate_id": [(WhereMissing.zh, WhereMissing.en)]})
    _mine_to_plan(acting_user, home.community_id, estate.id if estate else None)
    if grid is not None:
        _known_grid(grid)
    if position is None and proof is not Proof.QR:
        raise PositionNeeded(errors={"location": [(PositionNeeded.zh, PositionNeeded.en)]})
    grid_id = grid.id if grid else places.grid_covering(home)
    place = checked(position) if position is not None else None
    now = clock.now()
    point = Point(
        community_id=home.community_id,
        id=ids.new_id(),
        name=name,
        estate_id=estate.id if estate else None,
        grid_id=grid_id,
        proof=proof,
        lng=place.lng if place else None,
        lat=place.lat if place else None,
        radius_m=radius_m,
        code_no=1,
        version=1,
        created_at=now,
        updated_at=now,
    )
    db.session().add(point)
    _audit(acting_user, "patrol.point_added", Ref(point.community_id, point.id))
    return point


def _known_grid(grid: Ref) -> None:
    if grid.id not in {g.id for g in places.grids_in([grid.community_id])}:
        raise UnknownGrid(errors={"grid_id": [(UnknownGrid.zh, UnknownGrid.en)]})


def _point_to_change(ref: Ref, staff: StaffActor, version: int | None) -> Point:
    point = queries.point_for(staff, ref, lock=True)
    _mine_to_plan(staff, point.community_id, point.estate_id)
    if version is not None and point.version != version:
        raise StaleVersion
    point.version += 1
    point.updated_at = clock.now()
    return point


def change_point(
    ref: Ref, *, changes: Mapping[str, Any], acting_user: StaffActor, version: int | None
) -> Point:
    """Change name, proof, position (None takes it away), radius_m or retired. Raises StaleVersion, PositionNeeded,
    BadPosition. A retired point stays in the coverage of the days before.
    """
    point = _point_to_change(ref, acting_user, version)
    if "position" in changes:
        position = checked(changes["position"]) if changes["position"] is not None else None
        point.lng, point.lat = (position.lng, position.lat) if position else (None, None)
    for field in ("name", "proof", "radius_m"):
        if field in changes:
            setattr(point, field, changes[field])
    if "retired" in changes and changes["retired"] != (point.retired_at is not None):
        point.retired_at = clock.now() if changes["retired"] else None
    if point.proof != Proof.QR and point.lng is None:
        raise PositionNeeded(errors={"location": [(PositionNeeded.zh, PositionNeeded.en)]})
    _audit(acting_user, "patrol.point_changed", ref, fields=sorted(changes))
    return point


def renew_code(ref: Ref, *, acting_user: StaffActor, version: int | None) -> Point:
    """A new printing: visits with the old sign, or with a photograph of it, are doubted from now on."""
    point = _point_to_change(ref, acting_user, version)
    point.code_no += 1
    _audit(acting_user, "patrol.code_renewed", ref, printing=point.code_no)
    return point


# --- plans -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Demand:
    """What a plan asks for: which points in which order, when, how closely, by whom."""

    points: Sequence[Ref]
    weekdays: Sequence[int]  # 1 Monday … 7 Sunday
    windows: Sequence[tuple[str, str]]  # ("22:00", "02:00")
    grade: Grade
    org_id: UUID | None
    grid: Ref | None
    walkers: Sequence[UUID]  # by name; none: anybody of the organisation or grid
    valid_from: date
    valid_to: date | None  # exclusive


def add_plan(*, name: str, estate: Ref | None, demand: Demand, acting_user: StaffActor) -> Plan:
    """Add a plan for an estate, or for points of one community.

    Raises UnknownPoint, PointTwice, Nobody, UnknownOrg, UnknownGrid, RosterEmpty, BadWindow, DatesReversed,
    PastDate, NotFound for an area that isn't hers.
    """
    if not demand.points:
        raise UnknownPoint(errors={"points": [(UnknownPoint.zh, UnknownPoint.en)]})
    home = estate.community_id if estate is not None else demand.points[0].community_id
    _mine_to_plan(acting_user, home, estate.id if estate else None)
    now = clock.now()
    plan = Plan(
        community_id=home,
        id=ids.new_id(),
        name=name,
        estate_id=estate.id if estate else None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    db.session().add(plan)
    db.session().flush()  # the term's foreign key needs the plan
    _write_term(plan, demand, acting_user)
    _audit(acting_user, "patrol.plan_added", Ref(plan.community_id, plan.id))
    return plan


def change_plan(
    ref: Ref, *, name: str | None, changes: Mapping[str, Any], acting_user: StaffActor, version: int | None
) -> Plan:
    """Change a plan. `changes` of its demand (fields of `Demand`) make a new term from `valid_from` on: tomorrow
    when nothing is said, today unless it was walked today. `valid_to` alone ends the plan on that day.

    Raises as `add_plan`, StaleVersion, PlanUnderWay.
    """
    plan = queries.plan_for(acting_user, ref, lock=True)
    _mine_to_plan(acting_user, plan.community_id, plan.estate_id)
    if version is not None and plan.version != version:
        raise StaleVersion
    plan.version += 1
    plan.updated_at = clock.now()
    if name is not None:
        plan.name = name
    ends: date | None = changes.get("valid_to")
    if (
        set(changes) == {"valid_to"}
        and ends is not None
        and queries.term_on(plan.community_id, plan.id, ends)
    ):
        _end_plan(plan, ends)
    elif changes:
        since: date = changes.get("valid_from") or places.today() + timedelta(days=1)
        route = queries.routes([plan], since)[plan.id]
        term = route.term
        before: dict[str, Any] = {
            "points": [Ref(plan.community_id, stop.point_id) for stop in route.stops],
            "weekdays": term.weekdays,
            "windows": [(w["from"], w["to"]) for w in windows.write(term.windows)],
            "grade": Grade(term.grade),
            "org_id": term.org_id,
            "grid": Ref(plan.community_id, term.grid_id) if term.grid_id else None,
            "walkers": [UUID(walker) for walker in term.walkers],
            "valid_to": term.valid_to,
        }
        _write_term(plan, Demand(**{**before, **changes, "valid_from": since}), acting_user)
    _audit(acting_user, "patrol.plan_changed", ref, fields=sorted(changes))
    return plan


def _end_plan(plan: Plan, day: date) -> None:
    """Ask for nothing from that day on. Raises PastDate, PlanUnderWay, DatesReversed before its first day."""
    if day < places.today():
        raise PastDate(errors={"valid_to": [(PastDate.zh, PastDate.en)]})
    if day == places.today() and _walked_today(plan):
        raise PlanUnderWay
    if queries.term_on(plan.community_id, plan.id, day - timedelta(days=1)) is None:
        raise DatesReversed(errors={"valid_to": [(DatesReversed.zh, DatesReversed.en)]})
    _cut(plan, day)
    db.session().flush()  # read again for the answer


def _write_term(plan: Plan, demand: Demand, acting_user: StaffActor) -> None:
    """Make the demand the plan's from its first day on; what was asked for after that day is replaced."""
    if demand.valid_to is not None and demand.valid_to <= demand.valid_from:
        raise DatesReversed(errors={"valid_to": [(DatesReversed.zh, DatesReversed.en)]})
    if demand.valid_from < places.today():
        raise PastDate(errors={"valid_from": [(PastDate.zh, PastDate.en)]})
    minutes = windows.read(demand.windows)
    points = _checked_points(plan, demand, acting_user)
    walkers = _checked_walkers(plan, demand)
    if demand.valid_from == places.today() and _walked_today(plan):
        raise PlanUnderWay
    _cut(plan, demand.valid_from)
    db.session().add(
        PlanTerm(
            community_id=plan.community_id,
            plan_id=plan.id,
            valid_from=demand.valid_from,
            valid_to=demand.valid_to,
            grade=demand.grade,
            org_id=demand.org_id,
            grid_id=demand.grid.id if demand.grid else None,
            walkers=[str(walker) for walker in walkers],
            weekdays=sorted(set(demand.weekdays)),
            windows=minutes,
            created_at=clock.now(),
        )
    )
    db.session().flush()  # the stops' foreign key needs the term
    for seq, point_id in enumerate(points, start=1):
        db.session().add(
            Stop(
                community_id=plan.community_id,
                plan_id=plan.id,
                valid_from=demand.valid_from,
                seq=seq,
                point_id=point_id,
            )
        )
    db.session().flush()  # read again for the answer


def _checked_points(plan: Plan, demand: Demand, staff: StaffActor) -> list[UUID]:
    wanted = [ref.id for ref in demand.points]
    if len(set(wanted)) != len(wanted):
        raise PointTwice(errors={"points": [(PointTwice.zh, PointTwice.en)]})
    known = queries.points_named(plan.community_id, wanted)
    for ref in demand.points:
        point = known.get(ref.id) if ref.community_id == plan.community_id else None
        if (
            point is None
            or point.retired_at is not None
            or (plan.estate_id is not None and point.estate_id != plan.estate_id)
            or not queries.looks_after(staff, point.community_id, point.estate_id, Permission.PATROL_PLAN)
        ):
            raise UnknownPoint(errors={"points": [(UnknownPoint.zh, UnknownPoint.en)]})
    return wanted


def _checked_walkers(plan: Plan, demand: Demand) -> Sequence[UUID]:
    if demand.org_id is None and demand.grid is None:
        raise Nobody(errors={"org_id": [(Nobody.zh, Nobody.en)]})
    if demand.org_id is not None and not _works_here(demand.org_id, plan.community_id):
        raise UnknownOrg(errors={"org_id": [(UnknownOrg.zh, UnknownOrg.en)]})
    if demand.grid is not None:
        if demand.grid.community_id != plan.community_id:
            raise UnknownGrid(errors={"grid_id": [(UnknownGrid.zh, UnknownGrid.en)]})
        _known_grid(demand.grid)
    there = queries.roster(org_id=demand.org_id, grid=demand.grid)
    if not there or not there.issuperset(demand.walkers):
        raise RosterEmpty(errors={"walker_ids": [(RosterEmpty.zh, RosterEmpty.en)]})
    return demand.walkers


def _works_here(org_id: UUID, community_id: int) -> bool:
    """Does the organisation work in the community? A property company only where it answers for something: seated
    in the street, it would else walk everywhere.
    """
    org = places.org(org_id)
    if org is None or not org.is_active:
        return False
    if org.kind == OrgKind.PROPERTY_COMPANY:
        return community_id in places.communities_of_org(org_id)
    return org_id in places.orgs_answering_in(community_id)


def _walked_today(plan: Plan) -> bool:
    midnight = clock.in_shanghai(clock.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    return (
        db.session().scalar(
            select(Shift.id)
            .where(
                Shift.community_id == plan.community_id,
                Shift.plan_id == plan.id,
                Shift.started_at >= midnight,
            )
            .limit(1)
        )
        is not None
    )


def _cut(plan: Plan, day: date) -> None:
    """End the term that runs into the day, and take away those that would begin on it or later."""
    of_plan = (PlanTerm.community_id == plan.community_id, PlanTerm.plan_id == plan.id)
    db.session().execute(
        delete(Stop).where(
            Stop.community_id == plan.community_id, Stop.plan_id == plan.id, Stop.valid_from >= day
        )
    )
    db.session().execute(delete(PlanTerm).where(*of_plan, PlanTerm.valid_from >= day))
    running = queries.term_on(plan.community_id, plan.id, day)
    if running is not None:
        running.valid_to = day


# --- what a community chose ------------------------------------------------------------------------------


def choose(*, values: Mapping[str, int], acting_user: StaffActor) -> None:
    """From now on these numbers hold in every community of her area (`queries.SETTINGS` names them).

    Raises ThresholdsReversed.
    """
    now = clock.now()
    communities = acting_user.communities_with(Permission.PATROL_PLAN)
    for community, present in queries.settings_of(communities).items():
        wanted = {**present, **values}
        for per in ("per_100_homes", "per_estate"):
            if wanted[f"key_{per}"] <= wanted[f"regular_{per}"]:
                raise ThresholdsReversed
        for key, value in values.items():
            db.session().add(PatrolSetting(community_id=community, key=key, since=now, value=value))
        audit.record(
            acting_user.actor,
            "patrol.settings_chosen",
            community_id=community,
            object_kind=OBJECT_KIND,
            object_id=None,
            **values,
        )


def count_homes(
    ref: Ref, *, changes: Mapping[str, int | None], acting_user: StaffActor, version: int | None
) -> Zone:
    """Say how many `homes` a grid has (None: not known). A zone that nobody counted has version 0."""
    if ref not in {
        Ref(g.community_id, g.id) for g in queries.grids_in_reach(acting_user, Permission.PATROL_PLAN)
    }:
        raise NotFound
    db.session().execute(
        insert(Zone)
        .values(community_id=ref.community_id, grid_id=ref.id, version=0, updated_at=clock.now())
        .on_conflict_do_nothing(index_elements=["community_id", "grid_id"])
    )
    zone = db.session().get_one(Zone, ref, with_for_update=True, populate_existing=True)
    if version is not None and version != zone.version:
        raise StaleVersion
    if "homes" in changes:
        zone.homes = changes["homes"]
    zone.updated_at = clock.now()
    zone.version += 1
    _audit(acting_user, "patrol.homes_counted", ref, homes=zone.homes)
    return zone


def _audit(acting_user: StaffActor, action: str, ref: Ref, **details: Any) -> None:
    audit.record(
        acting_user.actor,
        action,
        community_id=ref.community_id,
        object_kind=OBJECT_KIND,
        object_id=ref.id,
        **details,
    )
