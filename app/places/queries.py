"""Reading places: which estate is here, who governs it, who answers for what."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, and_, literal, or_, select

from app import clock, db
from app.errors import NotFound
from app.ids import Ref
from app.places.coordinates import Point, contains, distance_m, outside_m
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

NEAR_M = 300.0  # an estate without an outline reaches this far from its centre


def today() -> date:
    """The calendar day in Asia/Shanghai, which dated rows are compared with."""
    return clock.in_shanghai(clock.now()).date()


def _valid(
    model: type[RegionTerm | EstateTerm | GridCover | Responsibility], on: date
) -> ColumnElement[bool]:
    return and_(model.valid_from <= on, or_(model.valid_to.is_(None), model.valid_to > on))


def estate_at(point: Point) -> Estate | None:
    """The estate whose outline contains the WGS-84 point, else the nearest within 300 m of its centre, else None."""
    boxes = db.session().scalars(
        select(Estate)
        .where(
            Estate.min_lng <= point.lng,
            Estate.max_lng >= point.lng,
            Estate.min_lat <= point.lat,
            Estate.max_lat >= point.lat,
        )
        .execution_options(cross_community="which estate is here")
    )
    near: list[tuple[float, Estate]] = []
    for estate in boxes:
        if estate.outline is not None and contains(estate.outline, point):
            return estate
        away = distance_m(point, Point(estate.lng, estate.lat))
        if estate.outline is None and away <= NEAR_M:
            near.append((away, estate))
    return min(near, key=lambda pair: pair[0])[1] if near else None


def estates_named(q: str, *, limit: int) -> list[Estate]:
    """Estates whose name or address contains `q`, by name; all of them for an empty `q`."""
    pattern = f"%{q.replace(chr(92), chr(92) * 2).replace('%', chr(92) + '%').replace('_', chr(92) + '_')}%"
    rows = db.session().scalars(
        select(Estate)
        .where(or_(Estate.name.like(pattern), Estate.address.like(pattern)))
        .order_by(Estate.name, Estate.id)
        .limit(limit)
        .execution_options(cross_community="find an estate by name")
    )
    return list(rows)


def estate(ref: Ref) -> Estate:
    """The estate. Raises NotFound."""
    found = db.session().get(Estate, ref)
    if found is None:
        raise NotFound
    return found


def building(ref: Ref) -> Building:
    """The building. Raises NotFound."""
    found = db.session().get(Building, ref)
    if found is None:
        raise NotFound
    return found


def grid(ref: Ref) -> Grid:
    """The grid. Raises NotFound."""
    found = db.session().get(Grid, ref)
    if found is None:
        raise NotFound
    return found


def away_from_m(estate: Estate, point: Point) -> float:
    """Metres from a WGS-84 point to the estate: to its outline (0 inside), or to its centre where none is drawn."""
    if estate.outline is not None:
        return outside_m(estate.outline, point)
    return distance_m(point, Point(estate.lng, estate.lat))


def estates(refs: Iterable[Ref]) -> dict[Ref, Estate]:
    """Those of the named estates that exist, in one query."""
    refs = set(refs)
    if not refs:
        return {}
    rows = db.session().scalars(
        select(Estate).where(
            Estate.community_id.in_({r.community_id for r in refs}), Estate.id.in_({r.id for r in refs})
        )
    )
    return {Ref(e.community_id, e.id): e for e in rows}


_ESTATE_NAMES = db.Plain(
    """
    SELECT e.community_id, e.id, e.name FROM estates AS e
    WHERE e.community_id = ANY(:communities) AND e.id = ANY(:ids)
    """
)


def estate_names(refs: Iterable[Ref]) -> dict[Ref, str]:
    """The names of those of the named estates that exist, in one query, without their outlines."""
    refs = set(refs)
    if not refs:
        return {}
    rows = _ESTATE_NAMES.within(
        {"communities": sorted({r.community_id for r in refs}), "ids": [r.id for r in refs]}
    )
    return {Ref(community_id, id_): name for community_id, id_, name in rows}


def estates_at_home(community_ids: Iterable[int]) -> set[Ref]:
    """The estates whose rows lie with these communities, whoever governs them."""
    wanted = set(community_ids)
    if not wanted:
        return set()
    rows = db.session().execute(select(Estate.community_id, Estate.id).where(Estate.community_id.in_(wanted)))
    return {Ref(community_id, estate_id) for community_id, estate_id in rows}


def buildings_of(ref: Ref) -> list[Building]:
    """The buildings of an estate, by name."""
    rows = db.session().scalars(
        select(Building)
        .where(Building.community_id == ref.community_id, Building.estate_id == ref.id)
        .order_by(Building.name)
    )
    return list(rows)


_GRID_COVERING = db.Plain(
    """
    SELECT c.grid_id
    FROM grid_covers AS c
    JOIN grids AS g ON g.community_id = c.community_id AND g.id = c.grid_id
    WHERE c.community_id = :community_id AND c.estate_id = :estate_id
      AND c.valid_from <= :today AND (c.valid_to IS NULL OR c.valid_to > :today)
    ORDER BY c.building_id IS NOT NULL, g.code
    LIMIT 1
    """
)


def grid_covering(estate_ref: Ref) -> UUID | None:
    """The grid that covers the estate today, or None. Where grids share an estate by building: the first by code."""
    asked = {"community_id": estate_ref.community_id, "estate_id": estate_ref.id, "today": today()}
    return next((grid_id for (grid_id,) in _GRID_COVERING.within(asked)), None)


class Cover(NamedTuple):
    """A whole estate, or one building of it."""

    estate: Ref
    building: Ref | None = None


def covers_in(community_ids: Iterable[int]) -> dict[Ref, list[Cover]]:
    """What the grids of these communities cover today, by grid, in the order in which it was said."""
    rows = db.session().scalars(
        select(GridCover)
        .where(GridCover.community_id.in_(set(community_ids)), _valid(GridCover, today()))
        .order_by(GridCover.id)
    )
    found: dict[Ref, list[Cover]] = {}
    for row in rows:
        home = row.community_id
        building = Ref(home, row.building_id) if row.building_id else None
        found.setdefault(Ref(home, row.grid_id), []).append(Cover(Ref(home, row.estate_id), building))
    return found


def covers_of(grid: Ref) -> list[Cover]:
    """What the grid covers today."""
    return covers_in({grid.community_id}).get(grid, [])


def governed_estates(region_ids: Iterable[int]) -> list[Ref]:
    """Estates that these communities govern today, each by its home."""
    rows = db.session().execute(
        select(EstateTerm.community_id, EstateTerm.estate_id)
        .where(EstateTerm.governed_by.in_(set(region_ids)), _valid(EstateTerm, today()))
        .execution_options(cross_community="which estates a community governs")
    )
    return [Ref(community_id, estate_id) for community_id, estate_id in rows]


def estates_in_grid(grid: Ref) -> list[Ref]:
    """The estates that the grid covers today, wholly or in part."""
    rows = db.session().scalars(
        select(GridCover.estate_id)
        .where(
            GridCover.community_id == grid.community_id,
            GridCover.grid_id == grid.id,
            _valid(GridCover, today()),
        )
        .distinct()
    )
    return [Ref(grid.community_id, estate_id) for estate_id in rows]


def estates_named_for(org_id: UUID) -> list[Ref]:
    """The estates that the organisation answers for by name today."""
    rows = db.session().execute(
        select(Responsibility.community_id, Responsibility.estate_id)
        .where(
            Responsibility.org_id == org_id,
            Responsibility.estate_id.is_not(None),
            _valid(Responsibility, today()),
        )
        .distinct()
        .execution_options(cross_community="where an organisation works")
    )
    return [Ref(community_id, estate_id) for community_id, estate_id in rows if estate_id is not None]


def governed_estate(region_ids: Iterable[int], ref: Ref, *, lock: bool = False) -> Estate:
    """The estate, when one of these communities governs it today. Raises NotFound."""
    found = db.session().get(Estate, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or governing(ref) not in set(region_ids):
        raise NotFound
    return found


def governing(estate_ref: Ref) -> int:
    """The community that governs an estate today: by the dated tree, else its home."""
    found = db.session().scalar(
        select(EstateTerm.governed_by).where(
            EstateTerm.community_id == estate_ref.community_id,
            EstateTerm.estate_id == estate_ref.id,
            _valid(EstateTerm, today()),
        )
    )
    return found if found is not None else estate_ref.community_id


def governors_of(refs: Iterable[Ref]) -> dict[Ref, int]:
    """Which community governs each of these estates today, in one query."""
    refs = set(refs)
    if not refs:
        return {}
    rows = db.session().execute(
        select(EstateTerm.community_id, EstateTerm.estate_id, EstateTerm.governed_by).where(
            EstateTerm.community_id.in_({ref.community_id for ref in refs}),
            EstateTerm.estate_id.in_({ref.id for ref in refs}),
            _valid(EstateTerm, today()),
        )
    )
    found = {Ref(community_id, estate_id): by for community_id, estate_id, by in rows}
    return {ref: found.get(ref, ref.community_id) for ref in refs}


class RegionTree:
    """The regions as they stand today, read once: for who asks about many of them."""

    def __init__(self, children: dict[int, list[int]], communities: Collection[int]) -> None:
        """`children`: what lies directly below each region."""
        self._children, self._communities = children, frozenset(communities)

    def within(self, region_id: int) -> set[int]:
        """The region and everything below it."""
        found: set[int] = set()
        frontier = [region_id]
        while frontier:
            here = frontier.pop()
            if here not in found:
                found.add(here)
                frontier.extend(self._children.get(here, ()))
        return found

    def communities_under(self, region_id: int) -> list[int]:
        """The communities in and below a region."""
        return sorted(self.within(region_id) & self._communities)


def under_as_sql(region: str) -> str:
    """`communities_under` of what an SQL expression names, as an array of ids, for a statement that knows `:today`."""
    return f"""ARRAY(
        WITH RECURSIVE below (id) AS (
            SELECT {region}
            UNION
            SELECT t.region_id FROM region_terms AS t JOIN below ON t.parent_id = below.id
            WHERE t.valid_from <= :today AND (t.valid_to IS NULL OR t.valid_to > :today)
        )
        SELECT r.id FROM below JOIN regions AS r USING (id) WHERE r.kind = '{RegionKind.COMMUNITY}' ORDER BY r.id
    )"""  # noqa: S608  names of this program alone


def region_tree() -> RegionTree:
    """The whole tree, in one query."""
    above = and_(RegionTerm.region_id == Region.id, _valid(RegionTerm, today()))
    children: dict[int, list[int]] = {}
    communities = set()
    for region_id, kind, parent in db.session().execute(
        select(Region.id, Region.kind, RegionTerm.parent_id).outerjoin(RegionTerm, above)
    ):
        if kind == RegionKind.COMMUNITY:
            communities.add(region_id)
        if parent is not None:
            children.setdefault(parent, []).append(region_id)
    return RegionTree(children, communities)


def communities_under(region_id: int) -> list[int]:
    """The communities in and below a region, as the tree stands today."""
    below = _below(region_id)
    wanted = select(Region.id).join(below, Region.id == below.c.id).where(Region.kind == RegionKind.COMMUNITY)
    return list(db.session().scalars(wanted.order_by(Region.id)))


def regions_within(region_id: int) -> set[int]:
    """The region and everything below it, as the tree stands today."""
    below = _below(region_id)
    return {region_id, *db.session().scalars(select(Region.id).join(below, Region.id == below.c.id))}


def _below(region_id: int) -> CTE:
    """The region and everything below it today; a city has thousands, of which one street asks for its own."""
    here = select(literal(region_id, db.BigInt).label("id")).cte("below", recursive=True)
    inside = select(RegionTerm.region_id).join(here, RegionTerm.parent_id == here.c.id)
    return here.union(inside.where(_valid(RegionTerm, today())))


def is_top(region_id: int) -> bool:
    """Does nothing lie above the region today?"""
    parent = select(RegionTerm.parent_id).where(
        RegionTerm.region_id == region_id, _valid(RegionTerm, today())
    )
    return db.session().scalar(parent.limit(1)) is None


def regions() -> list[Region]:
    """The whole tree's nodes."""
    return list(db.session().scalars(select(Region).order_by(Region.id)))


def region_names(of: Iterable[int] | None = None) -> dict[int, str]:
    """Names of these regions, or of the whole tree; without what else is known of them, such as their outlines."""
    wanted = select(Region.id, Region.name)
    if of is not None:
        wanted = wanted.where(Region.id.in_(set(of)))
    return {row.id: row.name for row in db.session().execute(wanted)}


def community_names() -> dict[int, str]:
    """The names of all communities of the city, by their numbers and in that order."""
    wanted = select(Region.id, Region.name).where(Region.kind == RegionKind.COMMUNITY).order_by(Region.id)
    return {row.id: row.name for row in db.session().execute(wanted)}


def region(region_id: int) -> Region | None:
    """One node of the tree."""
    return db.session().get(Region, region_id)


def grids_in(community_ids: Iterable[int]) -> list[Grid]:
    """The grids of these communities, by code."""
    rows = db.session().scalars(
        select(Grid).where(Grid.community_id.in_(set(community_ids))).order_by(Grid.community_id, Grid.code)
    )
    return list(rows)


def grid_names(community_ids: Iterable[int]) -> dict[Ref, str]:
    """The names of the grids of these communities, by code."""
    rows = db.session().execute(
        select(Grid.community_id, Grid.id, Grid.name)
        .where(Grid.community_id.in_(set(community_ids)))
        .order_by(Grid.community_id, Grid.code)
    )
    return {Ref(community_id, id_): name for community_id, id_, name in rows}


class AreaNames(NamedTuple):
    """What areas are called: regions by id, estates and grids by ref, the grids by code."""

    regions: dict[int, str]
    estates: dict[Ref, str]
    grids: dict[Ref, str]


_AREA_NAMES = db.Plain(
    """
    SELECT 'region', r.id, NULL::uuid, r.name, '' FROM regions AS r WHERE r.id = ANY(:regions)
    UNION ALL
    SELECT 'estate', e.community_id, e.id, e.name, '' FROM estates AS e
    WHERE e.community_id = ANY(:estates_in) AND e.id = ANY(:estates)
    UNION ALL
    SELECT 'grid', g.community_id, g.id, g.name, g.code FROM grids AS g WHERE g.community_id = ANY(:grids_in)
    ORDER BY 2, 5
    """
)


def area_names(estates: Iterable[Ref], communities: Iterable[int], grids_of: Iterable[int]) -> AreaNames:
    """The names of those of the named estates that exist and of their communities, of these communities, and of the
    grids of those in `grids_of`, in one query.
    """
    refs, grids_in = set(estates), set(grids_of)
    estates_in = {r.community_id for r in refs}
    rows = _AREA_NAMES.within(
        {
            "regions": sorted(estates_in | grids_in | set(communities)),
            "estates_in": sorted(estates_in),
            "estates": [r.id for r in refs],
            "grids_in": sorted(grids_in),
        }
    )
    found = AreaNames({}, {}, {})
    for kind, community_id, id_, name, _ in rows:
        if kind == "region":
            found.regions[community_id] = name
        else:
            (found.estates if kind == "estate" else found.grids)[Ref(community_id, id_)] = name
    return found


def orgs(of: Collection[UUID] | None = None) -> list[Org]:
    """All active organisations, or those of these that are."""
    wanted = select(Org).where(Org.is_active)
    if of is not None:
        wanted = wanted.where(Org.id.in_(of))
    return list(db.session().scalars(wanted.order_by(Org.kind, Org.name, Org.id)))


def orgs_within(regions: Collection[int], communities: Collection[int]) -> list[Org]:
    """The active organisations that are seated in these regions or at work in these communities today, and at work
    nowhere else.
    """
    working = select(Responsibility.org_id).where(_valid(Responsibility, today()))
    here = db.session().scalars(working.where(Responsibility.community_id.in_(communities)))
    near = select(Org).where(Org.is_active, or_(Org.region_id.in_(regions), Org.id.in_(set(here))))
    found = db.session().scalars(near.order_by(Org.kind, Org.name, Org.id)).all()
    further = working.where(
        Responsibility.org_id.in_([org.id for org in found]), Responsibility.community_id.not_in(communities)
    )
    elsewhere = set(
        db.session().scalars(further.execution_options(cross_community="where an organisation works"))
    )
    return [org for org in found if org.id not in elsewhere]


def org(org_id: UUID) -> Org | None:
    """One organisation, whether active or not."""
    return db.session().get(Org, org_id)


_ORG_NAMES = db.Plain("SELECT id, name FROM orgs WHERE id = ANY(:ids)")


def org_names(org_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Names of organisations, in one query."""
    wanted = {o for o in org_ids if o is not None}
    if not wanted:
        return {}
    return dict(_ORG_NAMES.within({"ids": list(wanted)}))


def orgs_answering_in(community_id: int) -> set[UUID]:
    """Organisations that may be given work of a community: those responsible there today, and the authorities
    of the community and what lies above it. A company seated in the street answers only for what it was given.
    """
    responsible = db.session().scalars(
        select(Responsibility.org_id).where(
            Responsibility.community_id == community_id, _valid(Responsibility, today())
        )
    )
    found = set(responsible)
    above = regions_above(community_id)
    found |= set(
        db.session().scalars(
            select(Org.id).where(
                Org.region_id.in_([community_id, *above]),
                Org.kind.not_in([OrgKind.PROPERTY_COMPANY, OrgKind.OWNERS_COMMITTEE]),
                Org.is_active,
            )
        )
    )
    return found


def serves(org_id: UUID, *, community_id: int, estate_id: UUID | None) -> bool:
    """Does the organisation answer today for something in this estate, or for the whole community?"""
    found = db.session().scalar(
        select(Responsibility.id)
        .where(
            Responsibility.community_id == community_id,
            Responsibility.org_id == org_id,
            or_(Responsibility.estate_id.is_(None), Responsibility.estate_id == estate_id),
            _valid(Responsibility, today()),
        )
        .limit(1)
    )
    return found is not None


def communities_of_org(org_id: UUID) -> list[int]:
    """Communities in which the organisation answers for something today."""
    rows = db.session().scalars(
        select(Responsibility.community_id)
        .where(Responsibility.org_id == org_id, _valid(Responsibility, today()))
        .distinct()
        .execution_options(cross_community="where an organisation works")
    )
    return sorted(rows)


def estates_of_org(org_id: UUID) -> list[Ref]:
    """The estates for which the organisation answers today; for a whole community, all of it."""
    rules = (
        db.session()
        .execute(
            select(Responsibility.community_id, Responsibility.estate_id)
            .where(Responsibility.org_id == org_id, _valid(Responsibility, today()))
            .execution_options(cross_community="where an organisation works")
        )
        .all()
    )
    whole = {community_id for community_id, estate_id in rules if estate_id is None}
    return [
        Ref(community_id, estate_id) for community_id, estate_id in rules if estate_id is not None
    ] + governed_estates(whole)


def regions_above(region_id: int) -> list[int]:
    """The regions that a region lies in today, the nearest first."""
    parent = select(RegionTerm.parent_id.label("id")).where(_valid(RegionTerm, today()))
    nearest = parent.add_columns(literal(1).label("far")).where(RegionTerm.region_id == region_id)
    above = nearest.cte("above", recursive=True)
    further = parent.add_columns(above.c.far + 1).join(above, RegionTerm.region_id == above.c.id)
    # Each kind of region lies in a larger one, so that there are as many steps as kinds.
    above = above.union_all(further.where(above.c.far < len(RegionKind)))
    return list(
        db.session().scalars(select(Region.id).join(above, Region.id == above.c.id).order_by(above.c.far))
    )


def desk_of(community_id: int) -> Org | None:
    """The community's own desk."""
    return db.session().scalar(
        select(Org)
        .where(Org.region_id == community_id, Org.kind == OrgKind.COMMUNITY_COMMITTEE, Org.is_active)
        .order_by(Org.id)
        .limit(1)
    )


class Answer(NamedTuple):
    """Who should handle it, and why there."""

    org: Org
    why: str  # estate_and_category | category | estate | desk


def who_answers(
    *,
    community_id: int,
    estate_id: UUID | None,
    category_code: str | None,
    only: OrgKind | None = None,
) -> Answer | None:
    """The organisation for a category at a place: by rule, else the community's own desk; None if it has no desk.

    `only`: a rule that doesn't name the category counts only for an organisation of this kind.
    """
    rows = (
        db.session()
        .execute(
            select(Responsibility, Org)
            .join(Org, Org.id == Responsibility.org_id)
            .where(
                Responsibility.community_id == community_id,
                _valid(Responsibility, today()),
                or_(Responsibility.estate_id.is_(None), Responsibility.estate_id == estate_id),
                or_(Responsibility.category_code.is_(None), Responsibility.category_code == category_code),
                Org.is_active,
            )
        )
        .all()
    )
    ranks = {(True, True): "estate_and_category", (False, True): "category", (True, False): "estate"}
    best: Answer | None = None
    best_rank = len(ranks)
    for rule, found in rows:
        if only is not None and rule.category_code is None and found.kind != only:
            continue
        why = ranks.get((rule.estate_id is not None, rule.category_code is not None))
        if why is not None and (rank := list(ranks.values()).index(why)) < best_rank:
            best, best_rank = Answer(found, why), rank
    if best is not None:
        return best
    desk = desk_of(community_id)
    return Answer(desk, "desk") if desk is not None else None
