"""Which estate is here, and find it by name."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.errors import Invalid
from app.ids import Ref
from app.places import queries as places
from app.places import registry_queries as registry
from app.places import rooms
from app.places.coordinates import Crs, Point, in_china, to_wgs84
from bff.http import read_cursor, reads, revalidated, write_cursor
from bff.resident import schemas as s
from bff.resident.house_schemas import HouseList, HouseQuery
from bff.resident.views import community_names, estate_out
from bff.schemas import Blueprint

blp = Blueprint("places", __name__, url_prefix="/bff/v1", description="Where I am")


class NotInChina(Invalid):
    """NaN, infinite or abroad."""

    code = "bad_position"
    zh = "位置不正确，请重新定位。"
    en = "The position is not valid."


def wgs84(lng: float, lat: float, crs: Crs) -> Point:
    """The caller's position in WGS-84. Raises NotInChina."""
    point = Point(lng, lat)
    if not in_china(point):
        raise NotInChina(errors={"location": [(NotInChina.zh, NotInChina.en)]})
    return to_wgs84(point) if crs is Crs.GCJ02 else point


@blp.route("/places/here", methods=["GET"])
@reads
@blp.arguments(s.HereQuery, location="query")
@blp.response(200, s.HereOut)
def here(args: dict[str, Any]) -> dict[str, Any]:
    """The estate at a position, or null."""
    estate = places.estate_at(wgs84(**args))
    return {"estate": estate_out(estate, community_names()) if estate else None}


@blp.route("/estates", methods=["GET"])
@revalidated
@reads
@blp.arguments(s.EstateQuery, location="query")
@blp.response(200, s.EstateList)
def estates(args: dict[str, Any]) -> dict[str, Any]:
    """Estates by name or address."""
    found = places.estates_named(args["q"], limit=args["limit"])
    names = community_names()
    return {"items": [estate_out(estate, names) for estate in found], "next_cursor": None}


@blp.route("/estates/<ref(est):ref>/houses", methods=["GET"])
@revalidated
@reads
@blp.arguments(HouseQuery, location="query")
@blp.response(200, HouseList)
def houses(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Choose my house: the buildings of the estate, and the houses of one of them. Nothing about who lives there."""
    places.estate(ref)
    buildings = places.buildings_of(ref)
    wanted = None
    if args["building"] is not None:
        key = rooms.building_key(args["building"])
        wanted = next((b.id for b in buildings if rooms.building_key(b.name) == key), None)
        if wanted is None:
            return {"buildings": [b.name for b in buildings], "items": [], "next_cursor": None}
    after = read_cursor(args["cursor"], str, UUID)
    limit = args["limit"]
    found = registry.doors(
        ref, building=wanted, limit=limit + 1, after=(after[0], after[1]) if after else None
    )
    page = found[:limit]
    more = len(found) > limit
    return {
        "buildings": [b.name for b in buildings],
        "items": [door._asdict() for door in page],
        "next_cursor": write_cursor(page[-1].key, page[-1].house_id.id) if more else None,
    }
