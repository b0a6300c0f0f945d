"""Which estate is here, and find it by name."""

from __future__ import annotations

from typing import Any

from app.errors import Invalid
from app.places import queries as places
from app.places.coordinates import Crs, Point, in_china, to_wgs84
from bff.http import reads, revalidated
from bff.resident import schemas as s
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
