"""The dated tree of regions: a district that merges is a new term, nothing else. What lies below keeps its rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError

from app import audit, db
from app.audit import Actor
from app.errors import Conflict, Invalid, NotFound
from app.places import queries, service
from app.places.models import Region, RegionKind, RegionTerm

# Regions added by hand are numbered from here, above every nine-digit code of the statistics office.
FIRST_BY_HAND = 3_000_000_000
_ORDER = [RegionKind.CITY, RegionKind.DISTRICT, RegionKind.STREET, RegionKind.COMMUNITY]
_TRIES = 5


class NotAfter(Invalid):
    """A change is dated before the one that holds now."""

    code = "not_after"
    zh = "生效日期必须晚于现有记录的生效日期。"
    en = "The change must begin after the present one did."


class NotBelow(Conflict):
    """A community lies in a street, a street in a district, a district in a city."""

    code = "not_below"
    zh = "上级区划的级别不对：应为 市 > 区县 > 街道 > 社区。"
    en = "The parent is of no higher kind: city > district > street > community."


class Placed(NamedTuple):
    """A region and what it lay in on a day."""

    region: Region
    parent_id: int | None


def tree_on(day: date) -> list[Placed]:
    """Every region with its parent on that day, by id."""
    parents = dict(
        db.session()
        .execute(
            select(RegionTerm.region_id, RegionTerm.parent_id).where(
                RegionTerm.valid_from <= day, or_(RegionTerm.valid_to.is_(None), RegionTerm.valid_to > day)
            )
        )
        .all()
    )
    return [Placed(region, parents.get(region.id)) for region in queries.regions()]


def add(
    reach: Collection[int],
    *,
    kind: RegionKind,
    name: str,
    parent_id: int | None,
    since: date | None,
    official_code: str | None,
    acting_user: Actor,
) -> Region:
    """A new region, below what is mine or lies above it. Raises NotFound, NotBelow."""
    if parent_id is not None:
        parent = _region(parent_id)
        if not _is_mine(reach, parent) and parent_id not in _above(reach):
            raise NotFound
        _check_order(parent, kind)
    for attempt in range(_TRIES):
        try:
            with db.session().begin_nested():
                return service.add_region(
                    region_id=_next_id(),
                    kind=kind,
                    name=name,
                    parent_id=parent_id,
                    since=since or queries.today(),
                    official_code=official_code,
                    acting_user=acting_user,
                )
        except IntegrityError:  # somebody else took the number
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def _next_id() -> int:
    last = db.session().scalar(select(func.max(Region.id)).where(Region.id >= FIRST_BY_HAND))
    return last + 1 if last is not None else FIRST_BY_HAND


def move(
    reach: Collection[int], region_id: int, *, parent_id: int, since: date | None, acting_user: Actor
) -> Region:
    """From a day on (today) a region belongs to another parent: 江北区 merged on 2025-11-06.

    Streets and communities can be given away, never taken: whoever may move them has all of them in reach. What lies
    above one's own is moved by whoever it lies above. Raises NotFound, NotBelow, NotAfter.
    """
    region, parent = _region(region_id), _region(parent_id)
    if not _is_mine(reach, region) and region_id not in _above(reach):
        raise NotFound
    _check_order(parent, RegionKind(region.kind))
    since = since or queries.today()
    session = db.session()
    now = session.scalar(
        select(RegionTerm)
        .where(RegionTerm.region_id == region_id, RegionTerm.valid_to.is_(None))
        .with_for_update()
    )
    if now is not None:
        if now.parent_id == parent_id:
            return region
        if since <= now.valid_from:
            raise NotAfter(errors={"since": [(NotAfter.zh, NotAfter.en)]})
        now.valid_to = since
    session.add(RegionTerm(region_id=region_id, parent_id=parent_id, valid_from=since))
    audit.record(
        acting_user,
        "region.moved",
        community_id=region_id,
        object_kind="region",
        object_id=None,
        region_id=region_id,
        parent_id=parent_id,
        since=since.isoformat(),
    )
    return region


def _region(region_id: int) -> Region:
    found = queries.region(region_id)
    if found is None:
        raise NotFound
    return found


def _is_mine(reach: Collection[int], region: Region) -> bool:
    under = queries.communities_under(region.id)
    return bool(under) and set(under) <= set(reach)


def _above(reach: Collection[int]) -> set[int]:
    """What lies above mine and is no street: whose staff would gain or lose what they see."""
    above = {region_id for community in reach for region_id in queries.regions_above(community)}
    return {r.id for r in queries.regions() if r.id in above and r.kind in _ORDER[:2]}


def _check_order(parent: Region, kind: RegionKind) -> None:
    if _ORDER.index(RegionKind(parent.kind)) >= _ORDER.index(kind):
        raise NotBelow(errors={"parent_id": [(NotBelow.zh, NotBelow.en)]})
