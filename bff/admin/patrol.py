"""Patrols: points, plans, shifts, the way, visits; coverage, heat map and the grades of zones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import g, url_for

from app import ids
from app.ids import BadId, Kind, Ref
from app.patrol import figures, queries, service, walking, zones
from app.patrol.errors import BadPosition, TooManyPositions
from app.patrol.models import Plan, Point
from app.patrol.queries import Area
from app.patrol.service import Demand
from app.patrol.thinning import Fix
from app.patrol.walking import Shown
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.places.coordinates import Crs, to_wgs84
from app.places.coordinates import Point as Position
from bff.admin import patrol_schemas as s
from bff.admin import patrol_views as views
from bff.admin.auth import requires
from bff.admin.tickets import BadFilter
from bff.http import (
    Versioned,
    asked_version,
    read_cursor,
    reads,
    revalidated,
    versioned,
    wanted_version,
    write_cursor,
    writes,
)
from bff.schemas import Blueprint

blp = Blueprint("staff-patrol", __name__, url_prefix="/admin/api/v1/patrol", description="Patrols")


def _area(text: str | None) -> Area:
    if not text:
        return Area()
    try:
        if text.startswith(f"{Kind.GRID}_"):
            return Area(grid=ids.decode_ref(Kind.GRID, text))
        return Area(estate=ids.decode_ref(Kind.ESTATE, text))
    except BadId as e:
        raise BadFilter(errors={"area": [(BadFilter.zh, BadFilter.en)]}) from e


def _wgs84(lng: float, lat: float, crs: Crs) -> Position:
    try:
        point = Position(lng, lat)
        return to_wgs84(point) if crs is Crs.GCJ02 else point
    except (ValueError, OverflowError) as e:
        raise BadPosition from e


def _position(place: Mapping[str, Any] | None) -> Position | None:
    return _wgs84(place["lng"], place["lat"], place["crs"]) if place else None


# --- points ----------------------------------------------------------------------------------------------


def _point(point: Point, status: int = 200, **headers: str) -> Versioned:
    return versioned(views.point_out(point), status, **headers)


@blp.route("/points", methods=["GET"])
@requires(Allow.PATROL_VIEW)
@reads
@blp.arguments(s.PatrolPointQuery, location="query")
@blp.response(200, s.PatrolPointList)
def points(args: dict[str, Any]) -> dict[str, Any]:
    """Patrol points in my reach, newest first."""
    after = read_cursor(args["cursor"], UUID)
    rows = queries.points(
        g.staff,
        area=_area(args["area"]),
        retired=args["retired"],
        limit=args["limit"] + 1,
        before=after[0] if after else None,
    )
    page = rows[: args["limit"]]
    return {
        "items": [views.point_out(point) for point in page],
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("/points", methods=["POST"])
@requires(Allow.PATROL_PLAN)
@writes
@blp.arguments(s.PatrolPointIn)
@blp.response(201, s.PatrolPointOut)
def add_point(body: dict[str, Any]) -> Versioned:
    """Add a point in an estate or a grid; proved by its code, by position, or by both."""
    made = service.add_point(
        name=body["name"],
        estate=body["estate_id"],
        grid=body["grid_id"],
        proof=body["proof"],
        position=_position(body["location"]),
        radius_m=body["radius_m"],
        acting_user=g.staff,
    )
    return _point(made, 201, Location=url_for(".point", ref=Ref(made.community_id, made.id)))


@blp.route("/points/<ref(pnt):ref>", methods=["GET"])
@requires(Allow.PATROL_VIEW)
@revalidated
@reads
@blp.response(200, s.PatrolPointOut)
def point(ref: Ref) -> Versioned:
    """One point."""
    return _point(queries.point_for(g.staff, ref))


@blp.route("/points/<ref(pnt):ref>", methods=["PATCH"])
@requires(Allow.PATROL_PLAN)
@writes
@blp.arguments(s.PatrolPointChange)
@blp.response(200, s.PatrolPointOut)
def change_point(body: dict[str, Any], ref: Ref) -> Versioned:
    """Change a point, or retire it."""
    version = wanted_version()
    changes = dict(body)
    if "location" in changes:
        changes["position"] = _position(changes.pop("location"))
    return _point(service.change_point(ref, changes=changes, acting_user=g.staff, version=version))


@blp.route("/points/<ref(pnt):ref>/code", methods=["GET"])
@requires(Allow.PATROL_PLAN)
@reads
@blp.response(200, s.PatrolCodeOut)
def code(ref: Ref) -> dict[str, Any]:
    """The text of the point's QR code, for printing."""
    return views.code_out(queries.point_to_plan(g.staff, ref))


@blp.route("/points/<ref(pnt):ref>/code", methods=["POST"])
@requires(Allow.PATROL_PLAN)
@writes
@blp.response(200, s.PatrolCodeOut)
def renew_code(ref: Ref) -> dict[str, Any]:
    """A new printing of the code; visits with the old one are doubted from now on."""
    return views.code_out(service.renew_code(ref, acting_user=g.staff, version=asked_version()))


@blp.route("/points/<ref(pnt):ref>/visit", methods=["POST"])
@requires(Allow.PATROL_WALK)
@writes
@blp.arguments(s.PatrolVisitIn)
@blp.response(201, s.PatrolVisitOut)
def visit(body: dict[str, Any], ref: Ref) -> Any:
    """打卡: I am at this point. What speaks against it is kept with it as `reasons`; nothing is refused for it."""
    place = body["location"]
    made = walking.visit(
        ref,
        shift_ref=body["shift_id"],
        shown=Shown(
            code=body["code"] or None,
            position=_position(place),
            accuracy_m=place["accuracy_m"] if place else None,
            at=body["at"],
            scan_id=body["scan_id"],
            ticket=body["ticket_id"],
        ),
        acting_user=g.staff,
    )
    where = url_for(".shift", ref=Ref(made.community_id, made.shift_id))
    return views.visits_out([made])[0], 201, {"Location": where}


# --- plans -----------------------------------------------------------------------------------------------


def _plan(plan: Plan, status: int = 200, *, on: date | None = None, **headers: str) -> Versioned:
    return versioned(views.plans_out([plan], on or places.today())[0], status, **headers)


@blp.route("/plans", methods=["GET"])
@requires(Allow.PATROL_VIEW)
@reads
@blp.arguments(s.PatrolPlanQuery, location="query")
@blp.response(200, s.PatrolPlanList)
def plans(args: dict[str, Any]) -> dict[str, Any]:
    """Patrol plans in my reach, newest first, each with the term in force (on `on`, else today)."""
    after = read_cursor(args["cursor"], UUID)
    rows = queries.plans(
        g.staff,
        area=_area(args["area"]),
        on=args["on"],
        limit=args["limit"] + 1,
        before=after[0] if after else None,
    )
    page = rows[: args["limit"]]
    return {
        "items": views.plans_out(page, args["on"] or places.today()),
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


def _windows(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(window["from_"], window["to"]) for window in body["windows"]]


@blp.route("/plans", methods=["POST"])
@requires(Allow.PATROL_PLAN)
@writes
@blp.arguments(s.PatrolPlanIn)
@blp.response(201, s.PatrolPlanOut)
def add_plan(body: dict[str, Any]) -> Versioned:
    """Add a plan: which points in which order, on which days and hours, walked by whom."""
    demand = Demand(
        points=body["points"],
        weekdays=body["weekdays"],
        windows=_windows(body),
        grade=body["grade"],
        org_id=body["org_id"],
        grid=body["grid_id"],
        walkers=body["walker_ids"],
        valid_from=body["valid_from"] or places.today(),
        valid_to=body["valid_to"],
    )
    made = service.add_plan(name=body["name"], estate=body["estate_id"], demand=demand, acting_user=g.staff)
    return _plan(
        made, 201, on=demand.valid_from, Location=url_for(".plan", ref=Ref(made.community_id, made.id))
    )


@blp.route("/plans/<ref(pln):ref>", methods=["GET"])
@requires(Allow.PATROL_VIEW)
@revalidated
@reads
@blp.response(200, s.PatrolPlanOut)
def plan(ref: Ref) -> Versioned:
    """One plan with the term in force today, else the next."""
    return _plan(queries.plan_for(g.staff, ref))


@blp.route("/plans/<ref(pln):ref>", methods=["PATCH"])
@requires(Allow.PATROL_PLAN)
@writes
@blp.arguments(s.PatrolPlanChange)
@blp.response(200, s.PatrolPlanOut)
def change_plan(body: dict[str, Any], ref: Ref) -> Versioned:
    """Change a plan from a day on (tomorrow, unless `valid_from` says otherwise); the past stays as it was."""
    version = wanted_version()
    changes = dict(body)
    name = changes.pop("name", None)
    if "windows" in changes:
        changes["windows"] = _windows(changes)
    for wire, field in (("grid_id", "grid"), ("walker_ids", "walkers")):
        if wire in changes:
            changes[field] = changes.pop(wire)
    done = service.change_plan(ref, name=name, changes=changes, acting_user=g.staff, version=version)
    tomorrow = places.today() + timedelta(days=1)
    return _plan(done, on=(changes.get("valid_from") or tomorrow) if changes else None)


# --- shifts ----------------------------------------------------------------------------------------------


@blp.route("/shifts", methods=["GET"])
@requires(Allow.PATROL_VIEW)
@reads
@blp.arguments(s.PatrolShiftQuery, location="query")
@blp.response(200, s.PatrolShiftList)
def shifts(args: dict[str, Any]) -> dict[str, Any]:
    """My own shifts; for the desk those in its area. Newest first."""
    after = read_cursor(args["cursor"], UUID)
    rows = queries.shifts(
        g.staff,
        plan=args["plan_id"],
        open_only=args["open"],
        limit=args["limit"] + 1,
        before=after[0] if after else None,
    )
    page = rows[: args["limit"]]
    return {
        "items": views.shift_rows(page),
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("/shifts", methods=["POST"])
@requires(Allow.PATROL_WALK)
@writes
@blp.arguments(s.PatrolShiftIn)
@blp.response(201, s.PatrolShiftOut)
def start_shift(body: dict[str, Any]) -> Versioned:
    """Set out on a plan of mine. It ends when I end it, or at the cap."""
    made = walking.start_shift(body["plan_id"], acting_user=g.staff)
    where = url_for(".shift", ref=Ref(made.community_id, made.id))
    return versioned(views.shift_out(made), 201, Location=where)


@blp.route("/shifts/<ref(shf):ref>", methods=["GET"])
@requires(Allow.PATROL_VIEW)
@reads
@blp.response(200, s.PatrolShiftOut)
def shift(ref: Ref) -> Versioned:
    """One shift with its points and visits."""
    return versioned(views.shift_out(queries.shift_for(g.staff, ref)))


@blp.route("/shifts/<ref(shf):ref>/end", methods=["POST"])
@requires(Allow.PATROL_WALK)
@writes
@blp.response(200, s.PatrolShiftOut)
def end_shift(ref: Ref) -> Versioned:
    """I am back."""
    return versioned(views.shift_out(walking.end_shift(ref, acting_user=g.staff, version=asked_version())))


@blp.route("/shifts/<ref(shf):ref>/positions", methods=["POST"])
@requires(Allow.PATROL_WALK)
@writes
@blp.arguments(s.PatrolPositionsIn)
@blp.response(200, s.PatrolTakenOut)
def take_positions(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Add to the way of my open shift, in order, at most 500 at a time. Kept thin, and erased after 30 days."""
    if len(body["positions"]) > walking.MOST_POSITIONS:
        raise TooManyPositions(most=walking.MOST_POSITIONS)
    fixes = [
        Fix(p["at"], _wgs84(p["lng"], p["lat"], body["crs"]), p["accuracy_m"]) for p in body["positions"]
    ]
    taken = walking.take_positions(ref, fixes=fixes, acting_user=g.staff)
    return {
        "shift_id": ref,
        "received": taken.received,
        "kept": taken.kept,
        "late": taken.late,
        "positions": taken.shift.kept,
    }


@blp.route("/shifts/<ref(shf):ref>/positions", methods=["GET"])
@requires(Allow.PATROL_WALK)
@reads
@blp.response(200, s.PatrolTrackOut)
def my_way(ref: Ref) -> dict[str, Any]:
    """The way of my own shift."""
    return views.track_out(queries.own_shift(g.staff, ref), kept=walking.KEPT)


@blp.route("/shifts/<ref(shf):ref>/track", methods=["POST"])
@requires(Allow.PATROL_TRACK)
@writes
@blp.arguments(s.PatrolTrackIn)
@blp.response(200, s.PatrolTrackOut)
def look_at_way(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """For the desk of the area: the way of a shift, for a stated purpose; audited."""
    shift = walking.look_at_way(ref, purpose=body["purpose"], acting_user=g.staff)
    return views.track_out(shift, kept=walking.KEPT)


# --- figures ---------------------------------------------------------------------------------------------


@blp.route("/coverage", methods=["GET"])
@requires(Allow.PATROL_VIEW)
@reads
@blp.arguments(s.PatrolCoverageQuery, location="query")
@blp.response(200, s.PatrolCoverageOut)
def coverage(args: dict[str, Any]) -> dict[str, Any]:
    """What was visited of what should have been; `items` are the gaps, by time. At most 31 days."""
    first = args["from_"] or args["to"] or places.today()
    last = args["to"] or first
    found = figures.coverage(g.staff, area=_area(args["area"]), first=first, last=last)
    gaps = found.gaps
    after = read_cursor(args["cursor"], str, str, str, int)
    if after is not None:
        gaps = [gap for gap in gaps if gap.key > after]
    page = gaps[: args["limit"]]
    return {
        "from_": first,
        "to": last,
        **views.coverage_out(found, page),
        "next_cursor": write_cursor(*page[-1].key) if len(gaps) > len(page) else None,
    }


@blp.route("/heatmap", methods=["GET"])
@requires(Allow.PATROL_VIEW)
@reads
@blp.arguments(s.PatrolHeatQuery, location="query")
@blp.response(200, s.PatrolHeatOut)
def heatmap(args: dict[str, Any]) -> dict[str, Any]:
    """Tickets in my reach by grid, with small numbers hidden. At most 366 days."""
    last = args["to"] or places.today()
    first = args["from_"] or last - timedelta(days=29)
    category = args["category"] or None
    found = figures.heatmap(g.staff, first=first, last=last, category=category)
    return {"from_": first, "to": last, "category": category, **views.heat_out(found)}


@blp.route("/zones", methods=["GET"])
@requires(Allow.PATROL_PLAN)
@reads
@blp.response(200, s.PatrolZoneList)
def zone_list() -> dict[str, Any]:
    """The grids of my area as zones, with the grade in force and what it follows from."""
    return {"items": views.zones_out(g.staff), "next_cursor": None}


@blp.route("/zones/grade", methods=["POST"])
@requires(Allow.PATROL_PLAN)
@writes
@blp.response(200, s.PatrolZoneList)
def grade_zones() -> dict[str, Any]:
    """Compute the grades of my area now; otherwise it happens each night."""
    zones.grade_mine(acting_user=g.staff)
    return {"items": views.zones_out(g.staff), "next_cursor": None}


@blp.route("/zones/<ref(grd):ref>", methods=["PATCH"])
@requires(Allow.PATROL_PLAN)
@writes
@blp.arguments(s.PatrolHomesIn)
@blp.response(200, s.PatrolZoneOut)
def count_homes(body: dict[str, Any], ref: Ref) -> Versioned:
    """Say how many homes a grid has; its grade follows at the next computation."""
    service.count_homes(ref, changes=body, acting_user=g.staff, version=wanted_version())
    return versioned(next(zone for zone in views.zones_out(g.staff) if zone["grid_id"] == ref))


@blp.route("/settings", methods=["GET"])
@requires(Allow.PATROL_PLAN)
@reads
@blp.response(200, s.PatrolSettingsList)
def settings() -> dict[str, Any]:
    """The numbers in force in each community of my area."""
    return {"items": views.settings_out(g.staff), "next_cursor": None}


@blp.route("/settings", methods=["POST"])
@requires(Allow.PATROL_PLAN)
@writes
@blp.arguments(s.PatrolSettingsIn)
@blp.response(200, s.PatrolSettingsList)
def choose(body: dict[str, Any]) -> dict[str, Any]:
    """Choose numbers for every community of my area, from now on."""
    service.choose(values=body, acting_user=g.staff)
    return {"items": views.settings_out(g.staff), "next_cursor": None}
