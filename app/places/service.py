"""Writing places: the tree, estates, grids, organisations and who answers for what."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from app import audit, clock, db, ids
from app.audit import Actor
from app.ids import Ref
from app.places import outlines
from app.places.coordinates import Point
from app.places.models import (
    Building,
    Estate,
    EstateTerm,
    Grid,
    GridCover,
    Org,
    OrgKind,
    Region,
    RegionKind,
    RegionTerm,
    Responsibility,
)


def add_region(
    *,
    region_id: int,
    kind: RegionKind,
    name: str,
    parent_id: int | None,
    since: date,
    acting_user: Actor,
    official_code: str | None = None,
    is_demo: bool = False,
) -> Region:
    """Add a node of the tree under its parent from a day on."""
    region = Region(id=region_id, kind=kind, name=name, official_code=official_code, is_demo=is_demo)
    db.session().add(region)
    db.session().flush()  # the term's foreign key needs the node
    if parent_id is not None:
        db.session().add(RegionTerm(region_id=region_id, parent_id=parent_id, valid_from=since))
    audit.record(
        acting_user,
        "region.added",
        community_id=region_id,
        object_kind="region",
        object_id=None,
        region_id=region_id,
    )
    return region


def add_org(
    *,
    kind: OrgKind,
    name: str,
    region_id: int,
    acting_user: Actor,
    phone: str | None = None,
    is_demo: bool = False,
) -> Org:
    """Add an organisation seated in a region."""
    org = Org(
        id=ids.new_id(),
        kind=kind,
        name=name,
        region_id=region_id,
        phone=phone,
        is_active=True,
        is_demo=is_demo,
    )
    db.session().add(org)
    audit.record(acting_user, "org.added", community_id=region_id, object_kind="org", object_id=org.id)
    return org


def add_estate(
    *,
    community_id: int,
    name: str,
    centre: Point,
    acting_user: Actor,
    since: date,
    address: str | None = None,
    outline: dict[str, Any] | None = None,
    is_demo: bool = False,
) -> Estate:
    """Add an estate (小区) whose home is that community, governed by it from a day on. WGS-84.

    Raises BadOutline.
    """
    outline = outlines.outline_of(outline) if outline is not None else None
    min_lng, max_lng, min_lat, max_lat = outlines.box(centre, outline)
    estate = Estate(
        community_id=community_id,
        id=ids.new_id(),
        name=name,
        address=address,
        lng=centre.lng,
        lat=centre.lat,
        outline=outline,
        min_lng=min_lng,
        max_lng=max_lng,
        min_lat=min_lat,
        max_lat=max_lat,
        is_demo=is_demo,
    )
    db.session().add(estate)
    db.session().flush()  # the term's foreign key needs the estate
    db.session().add(
        EstateTerm(community_id=community_id, estate_id=estate.id, valid_from=since, governed_by=community_id)
    )
    audit.record(
        acting_user, "estate.added", community_id=community_id, object_kind="estate", object_id=estate.id
    )
    return estate


def add_building(*, estate: Ref, name: str, is_demo: bool = False) -> Building:
    """Add a building (楼栋) to an estate."""
    building = Building(
        community_id=estate.community_id, id=ids.new_id(), estate_id=estate.id, name=name, is_demo=is_demo
    )
    db.session().add(building)
    return building


def add_grid(
    *,
    community_id: int,
    code: str,
    name: str,
    covers: list[Ref],
    since: date,
    acting_user: Actor,
    is_demo: bool = False,
) -> Grid:
    """Add a grid (网格) that covers whole estates of its community from a day on."""
    grid = Grid(community_id=community_id, id=ids.new_id(), code=code, name=name, is_demo=is_demo)
    db.session().add(grid)
    db.session().flush()  # the covers' foreign key needs the grid
    for estate in covers:
        db.session().add(
            GridCover(
                community_id=community_id,
                id=ids.new_id(),
                grid_id=grid.id,
                estate_id=estate.id,
                valid_from=since,
            )
        )
    audit.record(acting_user, "grid.added", community_id=community_id, object_kind="grid", object_id=grid.id)
    return grid


def make_responsible(
    *,
    community_id: int,
    org_id: UUID,
    since: date,
    acting_user: Actor,
    estate_id: UUID | None = None,
    category_code: str | None = None,
) -> Responsibility:
    """From a day on the organisation answers for a category (or all) at an estate (or the whole community)."""
    row = Responsibility(
        community_id=community_id,
        id=ids.new_id(),
        org_id=org_id,
        estate_id=estate_id,
        category_code=category_code,
        valid_from=since,
        created_at=clock.now(),
    )
    db.session().add(row)
    audit.record(
        acting_user, "responsibility.added", community_id=community_id, object_kind="org", object_id=org_id
    )
    return row
