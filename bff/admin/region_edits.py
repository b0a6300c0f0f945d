"""The dated tree of regions, and the outlines of an estate with its buildings from one GeoJSON file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import g, url_for

from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.places import outlines, regions
from app.places import queries as places
from app.places.models import Region, RegionKind
from app.places.outlines import Shape
from bff.admin.auth import requires
from bff.http import reads, writes
from bff.schemas import Blueprint, Date, Schema, Text, WireId

f = ma.fields
v = ma.validate

blp = Blueprint("region-edits", __name__, url_prefix="/admin/api/v1", description="Regions and outlines")

KINDS = [kind.value for kind in RegionKind]
MAX_FEATURES = 300


class RegionQuery(Schema):
    on = Date(load_default=None, metadata={"description": "the tree of that day; today"})


class RegionOut(Schema):
    region_id = WireId(Kind.COMMUNITY, required=True)
    kind = f.String(required=True, validate=v.OneOf(KINDS))
    name = f.String(required=True)
    official_code = f.String(required=True, allow_none=True)
    parent_id = WireId(Kind.COMMUNITY, required=True, allow_none=True)


class RegionList(Schema):
    items = f.List(f.Nested(RegionOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class RegionIn(Schema):
    kind = f.String(required=True, validate=v.OneOf(KINDS))
    name = Text(most=80, least=1, required=True)
    parent_id = WireId(Kind.COMMUNITY, load_default=None, allow_none=True)
    official_code = f.String(load_default=None, allow_none=True, validate=v.Regexp(r"[0-9]{6,12}\Z"))
    since = Date(load_default=None)


class RegionMove(Schema):
    parent_id = WireId(Kind.COMMUNITY, required=True)
    since = Date(load_default=None, metadata={"description": "the first day under the new parent; today"})


class FeatureIn(Schema):
    type = f.String(required=True, validate=v.Equal("Feature"))
    geometry = f.Dict(required=True, metadata={"description": "Polygon or MultiPolygon, WGS-84"})
    properties = f.Dict(
        load_default=None,
        allow_none=True,
        metadata={"description": "`building`: its name in any spelling; without one the estate itself"},
    )

    class Meta:
        # Drawing programs add id, bbox and others of their own.
        unknown = ma.EXCLUDE


class OutlinesIn(Schema):
    type = f.String(required=True, validate=v.Equal("FeatureCollection"))
    features = f.List(f.Nested(FeatureIn), required=True, validate=v.Length(1, MAX_FEATURES))

    class Meta:
        unknown = ma.EXCLUDE


class DrawnOut(Schema):
    changed = f.Integer(required=True, metadata={"description": "places whose outline is another one now"})


def region_out(region: Region, parent_id: int | None) -> dict[str, Any]:
    """A region with what it lies in."""
    return {
        "region_id": UUID(int=region.id),
        "kind": region.kind,
        "name": region.name,
        "official_code": region.official_code,
        "parent_id": UUID(int=parent_id) if parent_id is not None else None,
    }


@blp.route("/regions", methods=["GET"])
@requires(Allow.PLACE_VIEW)
@reads
@blp.arguments(RegionQuery, location="query")
@blp.response(200, RegionList)
def region_tree(args: dict[str, Any]) -> dict[str, Any]:
    """City, districts, streets and communities, as they lay in one another on a day."""
    rows = regions.tree_on(args["on"] or places.today())
    return {"items": [region_out(*row) for row in rows], "next_cursor": None}


@blp.route("/regions", methods=["POST"])
@requires(Allow.REGION_EDIT)
@writes
@blp.arguments(RegionIn)
@blp.response(201, RegionOut)
def add_region(body: dict[str, Any]) -> Any:
    """Add a region, such as the district that another one merges into."""
    parent = body["parent_id"]
    region = regions.add(
        g.staff.communities_with(Allow.REGION_EDIT),
        kind=RegionKind(body["kind"]),
        name=body["name"],
        parent_id=parent.int if parent else None,
        since=body["since"],
        official_code=body["official_code"],
        acting_user=g.staff.actor,
    )
    # The tree is where a region is to be seen: it has no page of its own.
    return region_out(region, parent.int if parent else None), 201, {"Location": url_for(".region_tree")}


@blp.route("/regions/<ref(com):region_id>/move", methods=["POST"])
@requires(Allow.REGION_EDIT)
@writes
@blp.arguments(RegionMove)
@blp.response(200, RegionOut)
def move_region(body: dict[str, Any], region_id: UUID) -> dict[str, Any]:
    """From a day on a region lies in another one. Its rows, and what they say of former days, stay as they are."""
    parent_id: UUID = body["parent_id"]
    region = regions.move(
        g.staff.communities_with(Allow.REGION_EDIT),
        region_id.int,
        parent_id=parent_id.int,
        since=body["since"],
        acting_user=g.staff.actor,
    )
    return region_out(region, parent_id.int)


@blp.route("/areas/<ref(est):ref>/outlines", methods=["POST"])
@requires(Allow.PLACE_EDIT)
@writes
@blp.arguments(OutlinesIn)
@blp.response(200, DrawnOut)
def draw(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Draw an estate and its buildings from a GeoJSON file, all or nothing; every feature that can't be is named."""
    shapes = [Shape(_building(feature["properties"]), feature["geometry"]) for feature in body["features"]]
    changed = outlines.draw(
        g.staff.communities_with(Allow.PLACE_EDIT), ref, shapes, acting_user=g.staff.actor
    )
    return {"changed": changed}


def _building(properties: dict[str, Any] | None) -> str | None:
    given = (properties or {}).get("building")
    return str(given)[:40] if given not in {None, ""} else None
