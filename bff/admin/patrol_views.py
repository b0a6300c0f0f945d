"""Patrols as staff see them. Positions are answered in GCJ-02, as WeChat's map takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from app import clock
from app.ids import Ref
from app.patrol import codes, queries, windows
from app.patrol.figures import LEFT_OUT, Count, Coverage, Duty, Heat
from app.patrol.models import Basis, Plan, Point, Shift, Visit, ZoneGrade
from app.patrol.thinning import Fix
from app.people import queries as people
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Crs, to_gcj02
from app.places.coordinates import Point as Position
from bff.positions import location_out


def _lng_lat(position: Position) -> dict[str, float]:
    there = to_gcj02(position)
    return {"lng": round(there.lng, 6), "lat": round(there.lat, 6)}


def _location(lng: float | None, lat: float | None) -> dict[str, Any] | None:
    if lng is None or lat is None:
        return None
    return location_out(Position(lng, lat))


def point_out(point: Point) -> dict[str, Any]:
    """One point; its code is never part of it."""
    home = point.community_id
    return {
        "point_id": Ref(home, point.id),
        "name": point.name,
        "estate_id": Ref(home, point.estate_id) if point.estate_id else None,
        "grid_id": Ref(home, point.grid_id) if point.grid_id else None,
        "proof": point.proof,
        "location": _location(point.lng, point.lat),
        "radius_m": point.radius_m,
        "printing": point.code_no,
        "retired_at": point.retired_at,
        "version": point.version,
    }


def code_out(point: Point) -> dict[str, Any]:
    """What goes onto the sign."""
    ref = Ref(point.community_id, point.id)
    return {
        "point_id": ref,
        "name": point.name,
        "printing": point.code_no,
        "payload": codes.payload(ref, point.code_no),
    }


def plans_out(found: Sequence[Plan], on: date) -> list[dict[str, Any]]:
    """Plans with the term of a day; a fixed number of queries however many there are."""
    routes = queries.routes(found, on)
    points: dict[UUID, Point] = {}
    for community_id in {plan.community_id for plan in found}:
        wanted = {
            stop.point_id
            for route in routes.values()
            for stop in route.stops
            if stop.community_id == community_id
        }
        points |= queries.points_named(community_id, wanted)
    orgs = places.org_names(route.term.org_id for route in routes.values())
    names = people.staff_names(UUID(walker) for route in routes.values() for walker in route.term.walkers)
    return [_plan_out(plan, routes[plan.id], points, orgs, names) for plan in found]


def _plan_out(
    plan: Plan,
    route: queries.Route,
    points: Mapping[UUID, Point],
    orgs: Mapping[UUID, str],
    names: Mapping[UUID, str],
) -> dict[str, Any]:
    home, term = plan.community_id, route.term
    walkers = [UUID(walker) for walker in term.walkers]
    return {
        "plan_id": Ref(home, plan.id),
        "name": plan.name,
        "estate_id": Ref(home, plan.estate_id) if plan.estate_id else None,
        "grade": term.grade,
        "org_id": term.org_id,
        "org": orgs.get(term.org_id) if term.org_id else None,
        "grid_id": Ref(home, term.grid_id) if term.grid_id else None,
        "walkers": [{"staff_id": walker, "name": names.get(walker, "")} for walker in walkers],
        "weekdays": term.weekdays,
        "windows": [{"from_": w["from"], "to": w["to"]} for w in windows.write(term.windows)],
        "valid_from": term.valid_from,
        "valid_to": term.valid_to,
        "stops": [
            {
                "seq": stop.seq,
                "point_id": Ref(home, stop.point_id),
                "name": points[stop.point_id].name,
                "proof": points[stop.point_id].proof,
                "location": _location(points[stop.point_id].lng, points[stop.point_id].lat),
                "radius_m": points[stop.point_id].radius_m,
            }
            for stop in route.stops
        ],
        "version": plan.version,
    }


# --- shifts ----------------------------------------------------------------------------------------------


def shift_rows(found: Sequence[Shift]) -> list[dict[str, Any]]:
    """Shifts for a list; a fixed number of queries however many there are."""
    plans = queries.plans_named(Ref(shift.community_id, shift.plan_id) for shift in found)
    staff = people.staff_names(shift.staff_id for shift in found)
    orgs = places.org_names(shift.org_id for shift in found)
    now = clock.now()
    return [
        {
            "shift_id": Ref(shift.community_id, shift.id),
            "plan_id": Ref(shift.community_id, shift.plan_id),
            "plan": plans[Ref(shift.community_id, shift.plan_id)].name,
            "staff_id": shift.staff_id,
            "staff": staff.get(shift.staff_id),
            "org": orgs.get(shift.org_id),
            "open": shift.is_open(now),
            "started_at": shift.started_at,
            "cap_at": shift.cap_at,
            "ended_at": shift.ended_at,
            "end_reason": shift.end_reason,
            "positions": shift.kept,
            "version": shift.version,
        }
        for shift in found
    ]


def shift_out(shift: Shift) -> dict[str, Any]:
    """One shift with the points of its plan and the visits made."""
    visits = queries.visits_of(shift)
    term = queries.term_on(shift.community_id, shift.plan_id, clock.in_shanghai(shift.started_at).date())
    stops = queries.stops_of(term) if term is not None else []
    names = queries.points_named(shift.community_id, (stop.point_id for stop in stops))
    clean = {visit.point_id for visit in visits if not visit.reasons}
    seen = {visit.point_id for visit in visits}
    return {
        **shift_rows([shift])[0],
        "stops": [
            {
                "seq": stop.seq,
                "point_id": Ref(shift.community_id, stop.point_id),
                "name": names[stop.point_id].name,
                "state": "visited"
                if stop.point_id in clean
                else "suspect"
                if stop.point_id in seen
                else "open",
            }
            for stop in stops
        ],
        "visits": visits_out(visits),
    }


def visits_out(found: Sequence[Visit]) -> list[dict[str, Any]]:
    """Visits of one shift."""
    if not found:
        return []
    home = found[0].community_id
    points = queries.points_named(home, (visit.point_id for visit in found))
    return [
        {
            "visit_id": Ref(home, visit.id),
            "shift_id": Ref(home, visit.shift_id),
            "point_id": Ref(home, visit.point_id),
            "point": points[visit.point_id].name,
            "at": visit.at,
            "received_at": visit.received_at,
            "code": visit.has_code,
            "distance_m": visit.distance_m,
            "suspect": bool(visit.reasons),
            "reasons": visit.reasons,
            "ticket_id": Ref(home, visit.ticket_id) if visit.ticket_id else None,
        }
        for visit in found
    ]


def track_out(shift: Shift, *, kept: timedelta) -> dict[str, Any]:
    """The way of a shift, and where the visits were made."""
    readings = queries.readings_of(shift)
    return {
        "shift_id": Ref(shift.community_id, shift.id),
        "crs": Crs.GCJ02.value,
        "kept_until": shift.started_at + kept,
        "positions": [_fix_out(fix) for fix in queries.track_of(shift)],
        "readings": [
            {"visit_id": Ref(shift.community_id, visit_id), **_fix_out(fix)}
            for visit_id, fix in sorted(readings.items(), key=lambda pair: pair[1].at)
        ],
    }


def _fix_out(fix: Fix) -> dict[str, Any]:
    return {"at": fix.at, **_lng_lat(fix.point), "accuracy_m": fix.accuracy_m}


# --- figures ---------------------------------------------------------------------------------------------


def _count_out(count: Count) -> dict[str, Any]:
    return {
        "due": count.due,
        "visited": count.visited,
        "suspect": count.suspect,
        "missed": count.missed,
        "open": count.open,
        "visited_rate": {"numerator": count.visited, "denominator": count.due},
    }


def coverage_out(found: Coverage, page: Sequence[Duty]) -> dict[str, Any]:
    """The counts of all, and one page of the gaps."""
    orgs = places.org_names(gap.term.org_id for gap in page)
    return {
        "totals": _count_out(found.total),
        "visits_beside_plan": found.beside,
        "plans": [
            {
                "plan_id": Ref(plan.community_id, plan.id),
                "plan": plan.name,
                "grade": term.grade,
                **_count_out(count),
            }
            for plan, term, count in found.plans.values()
        ],
        "items": [
            {
                "plan_id": Ref(gap.plan.community_id, gap.plan.id),
                "plan": gap.plan.name,
                "grade": gap.term.grade,
                "org": orgs.get(gap.term.org_id) if gap.term.org_id else None,
                "point_id": Ref(gap.point.community_id, gap.point.id),
                "point": gap.point.name,
                "seq": gap.stop.seq,
                "day": gap.window.day,
                "from_": gap.window.start,
                "to": gap.window.end,
                "state": gap.state.value,
                "final": gap.is_final,
                "reasons": list(gap.reasons),
            }
            for gap in page
        ],
    }


def _hidable(n: int | None) -> dict[str, Any]:
    return {"n": n, "hidden": n is None}


def heat_out(found: Heat) -> dict[str, Any]:
    """The map with its totals."""
    names = places.region_names()
    return {
        "items": [
            {
                **_hidable(cell.n),
                "grid_id": cell.grid,
                "code": cell.code,
                "name": cell.name,
                "community": names.get(cell.community_id, ""),
                "grade": cell.grade,
                "middle": _location(*cell.middle) if cell.middle else None,
            }
            for cell in found.cells
        ],
        "communities": [
            {**_hidable(n), "community": names.get(community, "")}
            for community, n in sorted(found.communities.items())
        ],
        "totals": _hidable(found.total),
        "without_grid": _hidable(found.without_grid),
        "left_out": list(LEFT_OUT),
        "next_cursor": None,
    }


def zones_out(staff: StaffActor) -> list[dict[str, Any]]:
    """The grids of her area as zones."""
    grids = queries.grids_in_reach(staff, Permission.PATROL_PLAN)
    refs = [Ref(grid.community_id, grid.id) for grid in grids]
    known, grades = queries.zones(refs), queries.grades(refs)
    return [
        {
            "grid_id": ref,
            "code": grid.code,
            "name": grid.name,
            "homes": known[ref].homes if ref in known else None,
            "grade": _grade_out(grades[ref]) if ref in grades else None,
            "version": known[ref].version if ref in known else 0,
        }
        for grid, ref in zip(grids, refs, strict=True)
    ]


def _grade_out(grade: ZoneGrade) -> dict[str, Any]:
    return {
        "grade": grade.grade,
        "graded_at": grade.graded_at,
        "since": grade.since,
        "numerator": grade.tickets,
        "denominator": grade.size,
        "basis": grade.basis,
        "per": 100 if grade.basis == Basis.HOMES else 1,
        "regular_from": grade.regular_from,
        "key_from": grade.key_from,
    }


def settings_out(staff: StaffActor) -> list[dict[str, Any]]:
    """The numbers in force, by community."""
    communities = staff.communities_with(Permission.PATROL_PLAN)
    names = places.region_names(communities)
    chosen = queries.settings_of(communities)
    return [
        {"community": names.get(community, ""), "values": values}
        for community, values in sorted(chosen.items())
    ]
