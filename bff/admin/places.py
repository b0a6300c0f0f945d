"""What a dispatcher chooses from: areas, grids, buildings, organisations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app.errors import NotFound
from app.ids import Ref
from app.people.permissions import Permission
from app.places import queries as places
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.http import reads, revalidated
from bff.schemas import Blueprint

blp = Blueprint("staff-places", __name__, url_prefix="/admin/api/v1", description="Places and organisations")


def my_estates() -> list[Ref]:
    """The estates in which one of my roles reaches something."""
    found: set[Ref] = set()
    for grant in g.staff.grants:
        if grant.grid is not None:
            found.update(places.estates_in_grid(grant.grid))
        elif grant.of_org:
            found.update(places.estates_named_for(grant.org_id))
        else:
            found |= grant.estates
    return sorted(found)


def is_my_grid(ref: Ref) -> bool:
    """Is it mine, or in a community of mine?"""
    return any(grant.grid == ref or ref.community_id in grant.communities for grant in g.staff.grants)


def my_orgs() -> set[UUID]:
    """The organisations that handle tickets where I work, and those I work for."""
    communities = {community for grant in g.staff.grants for community in grant.homes}
    return set(g.staff.org_ids).union(*(places.orgs_answering_in(community) for community in communities))


@blp.route("/areas", methods=["GET"])
@requires(Permission.PLACE_VIEW)
@revalidated
@reads
@blp.response(200, s.AreaList)
def areas() -> dict[str, Any]:
    """The estates in my reach, with their communities."""
    found = places.estates(my_estates())
    names = places.region_names(ref.community_id for ref in found)
    rows = [
        {
            "community": names.get(ref.community_id, ""),
            "community_id": UUID(int=ref.community_id),
            "estate_id": ref,
            "name": estate.name,
        }
        for ref, estate in found.items()
    ]
    return {"items": sorted(rows, key=lambda row: (row["community"], row["name"])), "next_cursor": None}


@blp.route("/grids", methods=["GET"])
@requires(Permission.PLACE_VIEW)
@revalidated
@reads
@blp.response(200, s.GridList)
def grids() -> dict[str, Any]:
    """The grids in my reach."""
    communities = {community for grant in g.staff.grants for community in grant.homes}
    rows = [
        {"grid_id": ref, "code": grid.code, "name": grid.name}
        for grid in places.grids_in(communities)
        if is_my_grid(ref := Ref(grid.community_id, grid.id))
    ]
    return {"items": rows, "next_cursor": None}


@blp.route("/buildings", methods=["GET"])
@requires(Permission.PLACE_VIEW)
@reads
@blp.arguments(s.BuildingQuery, location="query")
@blp.response(200, s.BuildingList)
def buildings(args: dict[str, Any]) -> dict[str, Any]:
    """The buildings of an estate in my reach."""
    if args["estate_id"] not in my_estates():
        raise NotFound
    rows = places.buildings_of(args["estate_id"])
    return {
        "items": [{"building_id": Ref(b.community_id, b.id), "name": b.name} for b in rows],
        "next_cursor": None,
    }


@blp.route("/orgs", methods=["GET"])
@requires(Permission.PLACE_VIEW)
@revalidated
@reads
@blp.response(200, s.OrgList)
def orgs() -> dict[str, Any]:
    """Organisations that handle tickets where I work."""
    found = places.orgs(my_orgs())
    names = places.region_names(org.region_id for org in found)
    rows = [
        {
            "org_id": org.id,
            "kind": org.kind,
            "name": org.name,
            "region": names.get(org.region_id, ""),
            "phone": org.phone,
        }
        for org in found
    ]
    return {"items": rows, "next_cursor": None}
