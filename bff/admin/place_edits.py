"""Keeping the places: estates, buildings, grids, organisations, each dated where it matters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import g, url_for

from app.errors import Invalid, NotFound
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.places import tree
from app.places.coordinates import Crs, Point, in_china, to_wgs84
from app.places.models import Building, Estate, Grid, Org, OrgKind
from app.places.queries import Cover
from app.tickets import queries as tickets
from app.tickets.errors import UnknownCategory
from bff.admin.auth import requires
from bff.admin.places import is_my_grid, my_estates, my_orgs
from bff.http import Versioned, reads, versioned, wanted_version, writes
from bff.positions import location_out
from bff.schemas import Blueprint, Date, Schema, Text, WireId

f = ma.fields
v = ma.validate

blp = Blueprint("place-edits", __name__, url_prefix="/admin/api/v1", description="Keeping the places")

_OUTLINE = {"description": "GeoJSON Polygon or MultiPolygon, WGS-84"}


class BadPosition(Invalid):
    """NaN, infinite or abroad."""

    code = "bad_position"
    zh = "位置不正确。"
    en = "The position is not valid."


class PlaceLocationIn(Schema):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    crs = f.Enum(Crs, by_value=True, load_default=Crs.GCJ02)


class AreaIn(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    name = Text(most=80, least=1, required=True)
    address = Text(most=160, load_default=None, allow_none=True)
    location = f.Nested(PlaceLocationIn, required=True)
    outline = f.Dict(load_default=None, allow_none=True, metadata=_OUTLINE)
    since = Date(load_default=None)


class AreaChange(Schema):
    name = Text(most=80, least=1)
    address = Text(most=160)
    location = f.Nested(PlaceLocationIn)
    outline = f.Dict(metadata=_OUTLINE)
    governed_by = WireId(Kind.COMMUNITY, metadata={"description": "another community, from `since` on"})
    since = Date(load_default=None)


class AreaDetail(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    name = f.String(required=True)
    address = f.String(required=True, allow_none=True)
    location = f.Dict(required=True)
    outline = f.Dict(required=True, allow_none=True, metadata=_OUTLINE)
    governed_by = WireId(Kind.COMMUNITY, required=True)
    version = f.Integer(required=True)


class BuildingIn(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    name = Text(most=40, least=1, required=True)


class BuildingChange(Schema):
    name = Text(most=40, least=1, load_default=None)
    outline = f.Dict(load_default=None, metadata=_OUTLINE)


class BuildingDetail(Schema):
    building_id = WireId(Kind.BUILDING, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    name = f.String(required=True)
    outline = f.Dict(required=True, allow_none=True, metadata=_OUTLINE)
    version = f.Integer(required=True)


class CoverIn(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    building_id = WireId(Kind.BUILDING, load_default=None, allow_none=True)


class GridIn(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    code = Text(most=20, least=1, required=True)
    name = Text(most=80, least=1, required=True)
    covers = f.List(f.Nested(CoverIn), load_default=list, validate=v.Length(max=200))
    since = Date(load_default=None)


class GridChange(Schema):
    name = Text(most=80, least=1, load_default=None)
    outline = f.Dict(load_default=None, metadata=_OUTLINE)
    covers = f.List(f.Nested(CoverIn), load_default=None, validate=v.Length(max=200))
    since = Date(load_default=None)


class CoverOut(Schema):
    estate_id = WireId(Kind.ESTATE, required=True, attribute="estate")
    building_id = WireId(Kind.BUILDING, required=True, allow_none=True, attribute="building")


class GridDetail(Schema):
    grid_id = WireId(Kind.GRID, required=True)
    code = f.String(required=True)
    name = f.String(required=True)
    outline = f.Dict(required=True, allow_none=True, metadata=_OUTLINE)
    covers = f.List(f.Nested(CoverOut), required=True)
    version = f.Integer(required=True)


class OrgIn(Schema):
    kind = f.String(required=True, validate=v.OneOf([kind.value for kind in OrgKind]))
    name = Text(most=80, least=1, required=True)
    region_id = WireId(Kind.COMMUNITY, required=True, metadata={"description": "where it has its seat"})
    phone = Text(most=20, load_default=None, allow_none=True)


class OrgChange(Schema):
    name = Text(most=80, least=1)
    phone = Text(most=20, allow_none=True)
    is_active = f.Boolean()


class ResponsibleIn(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    estate_id = WireId(Kind.ESTATE, load_default=None, allow_none=True)
    category = f.String(load_default=None, allow_none=True, validate=v.Length(max=32))
    since = Date(load_default=None)
    until = Date(load_default=None, metadata={"description": "ends what holds now"})


class ResponsibleOut(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    estate_id = WireId(Kind.ESTATE, required=True, allow_none=True)
    category = f.String(required=True, allow_none=True)
    since = Date(required=True)
    until = Date(required=True, allow_none=True)


class OrgDetail(Schema):
    org_id = WireId(Kind.ORG, required=True)
    kind = f.String(required=True)
    name = f.String(required=True)
    region_id = WireId(Kind.COMMUNITY, required=True)
    phone = f.String(required=True, allow_none=True)
    is_active = f.Boolean(required=True)
    responsibilities = f.List(f.Nested(ResponsibleOut), required=True)
    version = f.Integer(required=True)


def _point(location: dict[str, Any]) -> Point:
    point = Point(location["lng"], location["lat"])
    if not in_china(point):
        raise BadPosition(errors={"location": [(BadPosition.zh, BadPosition.en)]})
    return to_wgs84(point) if location["crs"] is Crs.GCJ02 else point


# --- estates ---------------------------------------------------------------------------------------------


def area_out(estate: Estate) -> dict[str, Any]:
    """An estate with its outline."""
    ref = Ref(estate.community_id, estate.id)
    return {
        "estate_id": ref,
        "name": estate.name,
        "address": estate.address,
        "location": location_out(Point(estate.lng, estate.lat)),
        "outline": estate.outline,
        "governed_by": UUID(int=places.governing(ref)),
        "version": estate.version,
    }


@blp.route("/areas", methods=["POST"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(AreaIn)
@blp.response(201, AreaDetail)
def add_area(body: dict[str, Any]) -> Versioned:
    """Add an estate to a community of mine."""
    estate = tree.add_estate(
        g.staff.communities_with(Allow.PLACE_EDIT),
        community_id=body["community_id"].int,
        name=body["name"],
        centre=_point(body["location"]),
        address=body["address"],
        outline=body["outline"],
        since=body["since"],
        acting_user=g.staff.actor,
    )
    estate.version = 1
    ref = Ref(estate.community_id, estate.id)
    return versioned(area_out(estate), 201, Location=url_for("place-edits.area", ref=ref))


@blp.route("/areas/<ref(est):ref>", methods=["GET"])
@requires(Allow.PLACE_VIEW)
@reads
@blp.response(200, AreaDetail)
def area(ref: Ref) -> Versioned:
    """An estate with its outline."""
    if ref not in my_estates():
        raise NotFound
    return versioned(area_out(places.estate(ref)))


@blp.route("/areas/<ref(est):ref>", methods=["PATCH"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(AreaChange)
@blp.response(200, AreaDetail)
def change_area(body: dict[str, Any], ref: Ref) -> Versioned:
    """Rename or draw an estate anew; from a day on another community governs it."""
    location, governed_by = body.get("location"), body.get("governed_by")
    estate = tree.change_estate(
        g.staff.communities_with(Allow.PLACE_EDIT),
        ref,
        version=wanted_version(),
        name=body.get("name"),
        address=body.get("address"),
        centre=_point(location) if location else None,
        outline=body.get("outline"),
        governed_by=governed_by.int if governed_by else None,
        since=body["since"],
        acting_user=g.staff.actor,
    )
    return versioned(area_out(estate))


# --- buildings -------------------------------------------------------------------------------------------


def building_out(building: Building) -> dict[str, Any]:
    """A building."""
    return {
        "building_id": Ref(building.community_id, building.id),
        "estate_id": Ref(building.community_id, building.estate_id),
        "name": building.name,
        "outline": building.outline,
        "version": building.version,
    }


@blp.route("/buildings", methods=["POST"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(BuildingIn)
@blp.response(201, BuildingDetail)
def add_building(body: dict[str, Any]) -> Versioned:
    """Add a building to an estate of mine."""
    building = tree.add_building(
        g.staff.communities_with(Allow.PLACE_EDIT),
        estate=body["estate_id"],
        name=body["name"],
        acting_user=g.staff.actor,
    )
    ref = Ref(building.community_id, building.id)
    return versioned(building_out(building), 201, Location=url_for("place-edits.building", ref=ref))


@blp.route("/buildings/<ref(bld):ref>", methods=["GET"])
@requires(Allow.PLACE_VIEW)
@reads
@blp.response(200, BuildingDetail)
def building(ref: Ref) -> Versioned:
    """A building."""
    found = places.building(ref)
    if Ref(ref.community_id, found.estate_id) not in my_estates():
        raise NotFound
    return versioned(building_out(found))


@blp.route("/buildings/<ref(bld):ref>", methods=["PATCH"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(BuildingChange)
@blp.response(200, BuildingDetail)
def change_building(body: dict[str, Any], ref: Ref) -> Versioned:
    """Rename a building, or draw its outline."""
    changed = tree.change_building(
        g.staff.communities_with(Allow.PLACE_EDIT),
        ref,
        version=wanted_version(),
        acting_user=g.staff.actor,
        **body,
    )
    return versioned(building_out(changed))


# --- grids -----------------------------------------------------------------------------------------------


def _covers(given: Iterable[dict[str, Any]]) -> list[Cover]:
    return [Cover(cover["estate_id"], cover["building_id"]) for cover in given]


def grid_out(grid: Grid) -> dict[str, Any]:
    """A grid with what it covers today."""
    ref = Ref(grid.community_id, grid.id)
    return {
        "grid_id": ref,
        "code": grid.code,
        "name": grid.name,
        "outline": grid.outline,
        "covers": [cover._asdict() for cover in places.covers_of(ref)],
        "version": grid.version,
    }


@blp.route("/grids", methods=["POST"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(GridIn)
@blp.response(201, GridDetail)
def add_grid(body: dict[str, Any]) -> Versioned:
    """Add a grid that covers estates or buildings from a day on."""
    grid = tree.add_grid(
        g.staff.communities_with(Allow.PLACE_EDIT),
        community_id=body["community_id"].int,
        code=body["code"],
        name=body["name"],
        covers=_covers(body["covers"]),
        since=body["since"],
        acting_user=g.staff.actor,
    )
    ref = Ref(grid.community_id, grid.id)
    return versioned(grid_out(grid), 201, Location=url_for("place-edits.grid", ref=ref))


@blp.route("/grids/<ref(grd):ref>", methods=["GET"])
@requires(Allow.PLACE_VIEW)
@reads
@blp.response(200, GridDetail)
def grid(ref: Ref) -> Versioned:
    """A grid with what it covers today."""
    if not is_my_grid(ref):
        raise NotFound
    return versioned(grid_out(places.grid(ref)))


@blp.route("/grids/<ref(grd):ref>", methods=["PATCH"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(GridChange)
@blp.response(200, GridDetail)
def change_grid(body: dict[str, Any], ref: Ref) -> Versioned:
    """Rename a grid; from a day on it covers something else."""
    changed = tree.change_grid(
        g.staff.communities_with(Allow.PLACE_EDIT),
        ref,
        version=wanted_version(),
        name=body["name"],
        outline=body["outline"],
        covers=_covers(body["covers"]) if body["covers"] is not None else None,
        since=body["since"],
        acting_user=g.staff.actor,
    )
    return versioned(grid_out(changed))


# --- organisations ---------------------------------------------------------------------------------------


def org_out(org: Org) -> dict[str, Any]:
    """An organisation with what it answers for in my communities."""
    return {
        "org_id": org.id,
        "kind": org.kind,
        "name": org.name,
        "region_id": UUID(int=org.region_id),
        "phone": org.phone,
        "is_active": org.is_active,
        "responsibilities": [
            {
                "community_id": UUID(int=row.community_id),
                "estate_id": Ref(row.community_id, row.estate_id) if row.estate_id else None,
                "category": row.category_code,
                "since": row.valid_from,
                "until": row.valid_to,
            }
            for row in tree.responsibilities_of(org.id, g.staff.communities_with(Allow.PLACE_VIEW))
        ],
        "version": org.version,
    }


@blp.route("/orgs", methods=["POST"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(OrgIn)
@blp.response(201, OrgDetail)
def add_org(body: dict[str, Any]) -> Versioned:
    """Add an organisation seated in a region of mine."""
    org = tree.add_org(
        g.staff.communities_with(Allow.PLACE_EDIT),
        kind=body["kind"],
        name=body["name"],
        region_id=body["region_id"].int,
        phone=body["phone"],
        acting_user=g.staff.actor,
    )
    org.version = 1
    return versioned(org_out(org), 201, Location=url_for("place-edits.org", org_id=org.id))


@blp.route("/orgs/<ref(org):org_id>", methods=["GET"])
@requires(Allow.PLACE_VIEW)
@reads
@blp.response(200, OrgDetail)
def org(org_id: UUID) -> Versioned:
    """An organisation with what it answers for in my communities."""
    found = (
        places.org(org_id)
        if org_id in my_orgs()
        else tree.org_for(g.staff.communities_with(Allow.PLACE_VIEW), org_id)
    )
    if found is None:
        raise NotFound
    return versioned(org_out(found))


@blp.route("/orgs/<ref(org):org_id>", methods=["PATCH"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(OrgChange)
@blp.response(200, OrgDetail)
def change_org(body: dict[str, Any], org_id: UUID) -> Versioned:
    """Rename an organisation, change its duty line, switch it off or on."""
    changed = tree.change_org(
        g.staff.communities_with(Allow.PLACE_EDIT),
        org_id,
        version=wanted_version(),
        changes=body,
        acting_user=g.staff.actor,
    )
    return versioned(org_out(changed))


@blp.route("/orgs/<ref(org):org_id>/responsibilities", methods=["POST"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(ResponsibleIn)
@blp.response(200, OrgDetail)
def set_responsible(body: dict[str, Any], org_id: UUID) -> Versioned:
    """From a day on the organisation answers for a class that tickets have, or for all, at a place; `until` ends it."""
    # A class that ended meanwhile can still be taken from whoever answered for it.
    code = body["category"]
    if code is not None and body["until"] is None and tickets.category(code) is None:
        raise UnknownCategory(errors={"category": [(UnknownCategory.zh, UnknownCategory.en)]})
    tree.set_responsible(
        g.staff.communities_with(Allow.PLACE_EDIT),
        org_id,
        community_id=body["community_id"].int,
        estate=body["estate_id"],
        category_code=body["category"],
        since=body["since"],
        until=body["until"],
        acting_user=g.staff.actor,
    )
    found = places.org(org_id)
    if found is None:
        raise NotFound
    return versioned(org_out(found))
