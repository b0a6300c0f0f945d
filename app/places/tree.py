"""Changing places: the dated tree, estates, buildings, grids and organisations. What was before stays readable.

Who asks is a `reach`: the communities whose places she may change.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from app import audit, clock, db, ids
from app.audit import Actor
from app.errors import Conflict, NotFound, StaleVersion
from app.ids import Ref
from app.places import outlines, queries, service
from app.places.coordinates import Point
from app.places.models import (
    Building,
    Estate,
    EstateTerm,
    Grid,
    GridCover,
    Org,
    OrgKind,
    Responsibility,
)
from app.places.queries import Cover
from app.places.regions import NotAfter

Communities = Collection[int]


class NameTaken(Conflict):
    """There is one of this name or code already."""

    code = "name_taken"
    zh = "已有同名或同编号的记录。"
    en = "There is one of this name or code already."


def _fresh(row: Estate | Building | Grid | Org, version: int | None) -> None:
    if version is not None and row.version != version:
        raise StaleVersion
    row.version += 1


def _save(name: str = "name") -> None:
    try:
        with db.session().begin_nested():
            db.session().flush()  # a name or code may be taken
    except IntegrityError as e:
        if (db.constraint_of(e) or "").startswith("uq_"):
            raise NameTaken(errors={name: [(NameTaken.zh, NameTaken.en)]}) from e
        raise


def _record(actor: Actor, action: str, community_id: int, kind: str, object_id: UUID, **details: Any) -> None:
    audit.record(actor, action, community_id=community_id, object_kind=kind, object_id=object_id, **details)


# --- estates and buildings ---------------------------------------------------------------------------------


def _last_governor(ref: Ref) -> int:
    """Who governs the estate after everything that is already decided."""
    term = _estate_term(ref)
    return term.governed_by if term is not None else ref.community_id


def _estate_term(ref: Ref, *, lock: bool = False) -> EstateTerm | None:
    query = select(EstateTerm).where(
        EstateTerm.community_id == ref.community_id,
        EstateTerm.estate_id == ref.id,
        EstateTerm.valid_to.is_(None),
    )
    return db.session().scalar(query.with_for_update() if lock else query)


def add_estate(
    reach: Communities,
    *,
    community_id: int,
    name: str,
    centre: Point,
    address: str | None,
    outline: dict[str, Any] | None,
    since: date | None,
    acting_user: Actor,
) -> Estate:
    """A new estate of a community in reach. Raises NotFound, NameTaken, BadOutline."""
    if community_id not in reach:
        raise NotFound
    taken = db.session().scalar(
        select(Estate.id).where(Estate.community_id == community_id, Estate.name == name)
    )
    if taken is not None:
        raise NameTaken(errors={"name": [(NameTaken.zh, NameTaken.en)]})
    return service.add_estate(
        community_id=community_id,
        name=name,
        centre=centre,
        address=address,
        outline=outline,
        since=since or queries.today(),
        acting_user=acting_user,
    )


def change_estate(
    reach: Communities,
    ref: Ref,
    *,
    version: int | None,
    name: str | None = None,
    address: str | None = None,
    centre: Point | None = None,
    outline: dict[str, Any] | None = None,
    governed_by: int | None = None,
    since: date | None = None,
    acting_user: Actor,
) -> Estate:
    """Rename, move or draw an estate anew; `governed_by`: from a day on (today) another community in reach governs it.

    Its rows keep their home. Raises NotFound, StaleVersion, NameTaken, NotAfter, BadOutline.
    """
    estate = queries.governed_estate(reach, ref, lock=True)
    _fresh(estate, version)
    changed = []
    if outline is not None:
        outline = outlines.outline_of(outline)
    for column, value in (("name", name), ("address", address), ("outline", outline)):
        if value is not None and getattr(estate, column) != value:
            setattr(estate, column, value)
            changed.append(column)
    if centre is not None:
        estate.lng, estate.lat = centre.lng, centre.lat
        changed.append("centre")
    if centre is not None or outline is not None:
        box = outlines.box(Point(estate.lng, estate.lat), estate.outline)
        estate.min_lng, estate.max_lng, estate.min_lat, estate.max_lat = box
    if governed_by is not None and governed_by != _last_governor(ref):
        if governed_by not in reach:
            raise NotFound
        _govern(ref, governed_by, since or queries.today())
        changed.append("governed_by")
    _save()
    _record(acting_user, "estate.changed", ref.community_id, "estate", ref.id, fields=changed)
    return estate


def _govern(ref: Ref, community_id: int, since: date) -> None:
    now = _estate_term(ref, lock=True)
    if now is not None:
        if since <= now.valid_from:
            raise NotAfter(errors={"since": [(NotAfter.zh, NotAfter.en)]})
        now.valid_to = since
    db.session().add(
        EstateTerm(
            community_id=ref.community_id, estate_id=ref.id, valid_from=since, governed_by=community_id
        )
    )


def building_for(reach: Communities, ref: Ref, *, lock: bool = False) -> Building:
    """A building of an estate in reach. Raises NotFound."""
    found = db.session().get(Building, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or Ref(ref.community_id, found.estate_id) not in queries.governed_estates(reach):
        raise NotFound
    return found


def add_building(reach: Communities, *, estate: Ref, name: str, acting_user: Actor) -> Building:
    """A new building of an estate in reach. Raises NotFound, NameTaken."""
    queries.governed_estate(reach, estate)
    building = service.add_building(estate=estate, name=name)
    _save()
    _record(acting_user, "building.added", estate.community_id, "building", building.id)
    return building


def change_building(
    reach: Communities,
    ref: Ref,
    *,
    version: int | None,
    name: str | None,
    outline: dict[str, Any] | None,
    acting_user: Actor,
) -> Building:
    """Rename a building, or draw its outline. Raises NotFound, StaleVersion, NameTaken, BadOutline."""
    building = building_for(reach, ref, lock=True)
    _fresh(building, version)
    if name is not None:
        building.name = name
    if outline is not None:
        building.outline = outlines.outline_of(outline)
    _save()
    _record(acting_user, "building.changed", ref.community_id, "building", ref.id)
    return building


# --- grids -----------------------------------------------------------------------------------------------


def grid_for(reach: Communities, ref: Ref, *, lock: bool = False) -> Grid:
    """A grid of a community in reach. Raises NotFound."""
    found = db.session().get(Grid, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or ref.community_id not in reach:
        raise NotFound
    return found


def add_grid(
    reach: Communities,
    *,
    community_id: int,
    code: str,
    name: str,
    covers: Sequence[Cover],
    since: date | None,
    acting_user: Actor,
) -> Grid:
    """A new grid that covers estates or buildings of its community from a day on. Raises NotFound, NameTaken."""
    if community_id not in reach:
        raise NotFound
    grid = Grid(community_id=community_id, id=ids.new_id(), code=code, name=name, version=1)
    db.session().add(grid)
    _save("code")
    _cover(grid, covers, since or queries.today())
    _record(acting_user, "grid.added", community_id, "grid", grid.id)
    return grid


def change_grid(
    reach: Communities,
    ref: Ref,
    *,
    version: int | None,
    name: str | None,
    outline: dict[str, Any] | None,
    covers: Sequence[Cover] | None,
    since: date | None,
    acting_user: Actor,
) -> Grid:
    """Rename a grid; or from a day on (today) it covers other estates or buildings. Raises NotFound, StaleVersion,
    BadOutline.
    """
    grid = grid_for(reach, ref, lock=True)
    _fresh(grid, version)
    if name is not None:
        grid.name = name
    if outline is not None:
        grid.outline = outlines.outline_of(outline)
    if covers is not None:
        since = since or queries.today()
        for row in db.session().scalars(
            select(GridCover).where(
                GridCover.community_id == ref.community_id,
                GridCover.grid_id == ref.id,
                GridCover.valid_to.is_(None),
            )
        ):
            # What began the same day or later never held.
            row.valid_to = max(since, row.valid_from)
        _cover(grid, covers, since)
    _record(acting_user, "grid.changed", ref.community_id, "grid", ref.id, covers=covers is not None)
    return grid


def _cover(grid: Grid, covers: Sequence[Cover], since: date) -> None:
    known = {Ref(grid.community_id, b) for b in _buildings_in(grid.community_id, covers)}
    for cover in covers:
        # A grid lies on one shard with what it covers.
        if cover.estate.community_id != grid.community_id or (
            cover.building is not None and cover.building not in known
        ):
            raise NotFound
        queries.estate(cover.estate)
        db.session().add(
            GridCover(
                community_id=grid.community_id,
                id=ids.new_id(),
                grid_id=grid.id,
                estate_id=cover.estate.id,
                building_id=cover.building.id if cover.building else None,
                valid_from=since,
            )
        )


def _buildings_in(community_id: int, covers: Sequence[Cover]) -> set[UUID]:
    estates = {cover.estate.id for cover in covers}
    return set(
        db.session().scalars(
            select(Building.id).where(Building.community_id == community_id, Building.estate_id.in_(estates))
        )
    )


# --- organisations ---------------------------------------------------------------------------------------


def _seated_in(reach: Communities, region_id: int) -> bool:
    """Are all communities of this region in reach? Who looks after a part of it doesn't change its offices."""
    under = queries.communities_under(region_id)
    return bool(under) and set(under) <= set(reach)


def org_for(reach: Communities, org_id: UUID, *, lock: bool = False) -> Org:
    """An organisation seated in reach. Raises NotFound."""
    found = db.session().get(Org, org_id, with_for_update=lock or None, populate_existing=lock)
    if found is None or not _seated_in(reach, found.region_id):
        raise NotFound
    return found


def orgs_for(reach: Communities, others: Collection[UUID]) -> list[Org]:
    """The organisations seated in reach, and these others; active or not, by kind and name."""
    near = set(reach).union(*(queries.regions_above(community) for community in reach))
    seats = {region_id for region_id in near if _seated_in(reach, region_id)}
    query = select(Org).where(or_(Org.region_id.in_(seats), Org.id.in_(others)))
    return list(db.session().scalars(query.order_by(Org.kind, Org.name, Org.id)))


def add_org(
    reach: Communities,
    *,
    kind: str,
    name: str,
    region_id: int,
    phone: str | None,
    acting_user: Actor,
) -> Org:
    """A new organisation seated in a region in reach. Raises NotFound."""
    if not _seated_in(reach, region_id):
        raise NotFound
    return service.add_org(
        kind=OrgKind(kind), name=name, region_id=region_id, phone=phone, acting_user=acting_user
    )


def change_org(
    reach: Communities,
    org_id: UUID,
    *,
    version: int | None,
    changes: dict[str, Any],
    acting_user: Actor,
) -> Org:
    """Change name, phone, is_active of an organisation. Raises NotFound, StaleVersion."""
    org = org_for(reach, org_id, lock=True)
    _fresh(org, version)
    for column in ("name", "phone", "is_active"):
        if column in changes:
            setattr(org, column, changes[column])
    _record(acting_user, "org.changed", org.region_id, "org", org.id, fields=sorted(changes))
    return org


def responsibilities_of(org_id: UUID, reach: Communities) -> list[Responsibility]:
    """What the organisation answers for, in these communities, today or later."""
    on = queries.today()
    rows = db.session().scalars(
        select(Responsibility)
        .where(
            Responsibility.community_id.in_(set(reach)),
            Responsibility.org_id == org_id,
            or_(Responsibility.valid_to.is_(None), Responsibility.valid_to > on),
        )
        .order_by(Responsibility.community_id, Responsibility.valid_from, Responsibility.id)
    )
    return list(rows)


def set_responsible(
    reach: Communities,
    org_id: UUID,
    *,
    community_id: int,
    estate: Ref | None,
    category_code: str | None,
    since: date | None,
    until: date | None,
    acting_user: Actor,
) -> None:
    """From a day on (today) the organisation answers for a category (or all) at an estate (or the whole community).

    With `until` what holds now ends that day. Raises NotFound.
    """
    if community_id not in reach or queries.org(org_id) is None:
        raise NotFound
    if estate is not None and estate.community_id != community_id:
        raise NotFound
    if estate is not None:
        queries.estate(estate)
    open_now = db.session().scalars(
        select(Responsibility).where(
            Responsibility.community_id == community_id,
            Responsibility.org_id == org_id,
            Responsibility.estate_id == (estate.id if estate else None),
            Responsibility.category_code == category_code,
            Responsibility.valid_to.is_(None),
        )
    )
    found = list(open_now)
    if until is not None:
        if not found:
            raise NotFound
        for row in found:
            row.valid_to = max(until, row.valid_from)
        _record(acting_user, "responsibility.ended", community_id, "org", org_id, until=until.isoformat())
    elif not found:
        db.session().add(
            Responsibility(
                community_id=community_id,
                id=ids.new_id(),
                org_id=org_id,
                estate_id=estate.id if estate else None,
                category_code=category_code,
                valid_from=since or queries.today(),
                created_at=clock.now(),
            )
        )
        _record(acting_user, "responsibility.added", community_id, "org", org_id)
