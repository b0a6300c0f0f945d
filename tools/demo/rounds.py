"""Patrols of the last days in three estates: points, a plan for each, rounds with one gap and one doubted visit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from app import clock, db
from app.ids import Ref
from app.patrol import codes, service, walking, zones
from app.patrol.models import Grade, Proof
from app.patrol.service import Demand
from app.patrol.thinning import Fix
from app.patrol.walking import Shown
from app.places.coordinates import Point
from tools.demo.town import COMMUNITIES, ESTATES, Town
from tools.demo.travel import Traveller

FROM, TO = time(8, 30), time(11, 30)
DAYS = 3
"""How many days before today were walked."""
HOMES_IN_A_BUILDING = 56


class Route(NamedTuple):
    """Who walks where: an estate, the member of staff, and the kind of place for each point."""

    estate: str
    walker: str
    grade: Grade


ROUTES = (
    Route("pearl", "grid1", Grade.KEY),
    Route("garden", "grid3", Grade.REGULAR),
    Route("court", "property3", Grade.REGULAR),
)
POINTS = (
    ("小区大门", Proof.QR),
    ("配电房", Proof.BOTH),
    ("消防通道", Proof.POSITION),
    ("地下车库入口", Proof.QR),
    ("楼顶天台", Proof.QR),
)
# (estate, days ago, point): one not visited, one scanned from a photograph at home.
MISSED = ("pearl", 1, 4)
DOUBTED = ("garden", 2, 1)


def walk(here: Town, hands: Traveller, now: datetime, seed: int) -> None:
    """Points, plans and rounds, each at its moment; then the grades of all zones as of now."""
    rng = random.Random(f"{seed} rounds")
    today = clock.in_shanghai(now).date()
    hands.to(_at(today - timedelta(days=DAYS), time(7, 0)))
    planned = {route: _plan(here, route) for route in ROUTES}
    db.session().flush()  # the walkers read the plans
    for days_ago in range(DAYS, -1, -1):
        day = today - timedelta(days=days_ago)
        if _at(day, TO) > now:
            continue
        for route, (plan, points) in planned.items():
            hands.to(_at(day, FROM) + timedelta(minutes=rng.uniform(2, 40)))
            _round(here, hands, rng, route, plan, points, days_ago)
    hands.to(now)
    _grade(here)


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, tzinfo=clock.SHANGHAI)


def _plan(here: Town, route: Route) -> tuple[Ref, list[tuple[Ref, Point]]]:
    """The plan of an estate, and its points with where they hang."""
    estate, desk = here.estates[route.estate], here.staff[f"community{ESTATES[route.estate].community - 100}"]
    points: list[tuple[Ref, Point]] = []
    for (name, proof), place in zip(POINTS, _places(route.estate), strict=True):
        made = service.add_point(
            name=name,
            estate=estate,
            grid=None,
            proof=proof,
            position=place,
            radius_m=50,
            acting_user=desk,
        )
        points.append((Ref(made.community_id, made.id), place))
    db.session().flush()  # the plan's stops point to them
    walker = here.staff[route.walker]
    by_grid = walker.grants[0].grid is not None
    demand = Demand(
        points=[ref for ref, _ in points],
        weekdays=range(1, 8),
        windows=[(f"{FROM:%H:%M}", f"{TO:%H:%M}")],
        grade=route.grade,
        org_id=None if by_grid else walker.grants[0].org_id,
        grid=here.grids[route.estate] if by_grid else None,
        walkers=[],
        valid_from=clock.in_shanghai(clock.now()).date(),
        valid_to=None,
    )
    plan = service.add_plan(name="日常巡查", estate=estate, demand=demand, acting_user=desk)
    return Ref(plan.community_id, plan.id), points


def _places(estate: str) -> Iterator[Point]:
    """Five places along a way through the estate, in whose cut corner none lies."""
    west, south, east, north = ESTATES[estate].corners
    for part in range(len(POINTS)):
        share = 0.12 + 0.14 * part
        yield Point(round(west + (east - west) * share, 6), round(south + (north - south) * (0.8 - share), 6))


def _round(
    here: Town,
    hands: Traveller,
    rng: random.Random,
    route: Route,
    plan: Ref,
    points: list[tuple[Ref, Point]],
    days_ago: int,
) -> None:
    walker = here.staff[route.walker]
    shift = walking.start_shift(plan, acting_user=walker)
    ref = Ref(shift.community_id, shift.id)
    db.session().flush()  # read again by each visit
    for number, (point, place) in enumerate(points):
        hands.to(clock.now() + timedelta(minutes=rng.uniform(5, 14)))
        if (route.estate, days_ago, number) == MISSED:
            continue
        stands = _near(rng, place)
        is_doubted = (route.estate, days_ago, number) == DOUBTED
        if not is_doubted:
            walking.take_positions(ref, fixes=[Fix(clock.now(), stands, 8.0)], acting_user=walker)
        proof = POINTS[number][1]
        shown = Shown(
            code=codes.payload(point, 1) if proof is not Proof.POSITION else None,
            position=_near(rng, Point(place.lng + 0.006, place.lat)) if is_doubted else stands,
            accuracy_m=8.0,
        )
        walking.visit(point, shift_ref=ref, shown=shown, acting_user=walker)
        db.session().flush()  # the next visit looks at this one
    hands.to(clock.now() + timedelta(minutes=4))
    walking.end_shift(ref, acting_user=walker)
    db.session().flush()  # the same person may set out again


def _near(rng: random.Random, place: Point) -> Point:
    """A reading some metres off."""
    return Point(place.lng + rng.uniform(-8e-5, 8e-5), place.lat + rng.uniform(-8e-5, 8e-5))


def _grade(here: Town) -> None:
    for estate, grid in here.grids.items():
        homes = ESTATES[estate].buildings * HOMES_IN_A_BUILDING
        service.count_homes(grid, changes={"homes": homes}, acting_user=here.staff["street"], version=None)
    db.session().flush()  # the grades follow from the homes
    for community_id in COMMUNITIES:
        zones.grade_community(community_id)
