"""Where a member of staff may tell something, and which estates and buildings the chosen areas are today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, false, or_

from app import ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.notices.errors import AreaEmpty
from app.notices.models import NoticePlace
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.queries import Cover
from app.places.registry_models import House

AREA_KINDS = (Kind.COMMUNITY, Kind.ESTATE, Kind.GRID, Kind.BUILDING)
Area = tuple[Kind, Any]  # a kind of `AREA_KINDS` with its id


@dataclass(frozen=True)
class Covers:
    """Estates, or single buildings of them."""

    covers: frozenset[Cover]

    @property
    def communities(self) -> set[int]:
        """The home shards of everything in it."""
        return {cover.estate.community_id for cover in self.covers}

    @property
    def estates(self) -> set[Ref]:
        """The estates of which it holds anything."""
        return {cover.estate for cover in self.covers}

    def __bool__(self) -> bool:
        return bool(self.covers)

    def holds(self, other: Covers) -> bool:
        """Does everything of the other lie in it?"""
        return all(cover in self.covers or Cover(cover.estate) in self.covers for cover in other.covers)

    def within(self, other: Covers) -> Covers:
        """What of it lies in the other as well."""
        return Covers(
            frozenset(
                Cover(a.estate, a.building or b.building)
                for a in self.covers
                for b in other.covers
                if a.estate == b.estate
                and (a.building is None or b.building is None or a.building == b.building)
            )
        )

    def _parts(self) -> tuple[set[Any], set[Any]]:
        whole = {c.estate.id for c in self.covers if c.building is None}
        return whole, {c.building.id for c in self.covers if c.building is not None}

    @property
    def houses(self) -> ColumnElement[bool]:
        """A condition on `House`: it lies here."""
        if not self.covers:
            return false()
        whole, parts = self._parts()
        return and_(
            House.community_id.in_(self.communities),
            or_(House.estate_id.in_(whole), House.building_id.in_(parts)),
        )

    @property
    def places(self) -> ColumnElement[bool]:
        """A condition on `NoticePlace`: it touches this."""
        if not self.covers:
            return false()
        whole, parts = self._parts()
        partly = {c.estate.id for c in self.covers if c.building is not None}
        return and_(
            NoticePlace.community_id.in_(self.communities),
            or_(
                NoticePlace.estate_id.in_(whole),
                NoticePlace.building_id.in_(parts),
                and_(NoticePlace.building_id.is_(None), NoticePlace.estate_id.in_(partly)),
            ),
        )


def reach(staff: StaffActor, permission: Permission) -> Covers:
    """Where the member of staff has this permission: the estates her community governs today, those her company
    answers for, the covers of her grid.
    """
    found: set[Cover] = set()
    for grant in staff.grants:
        if permission not in grant.permissions:
            continue
        if grant.grid is not None:
            found |= set(places.covers_of(grant.grid))
        elif grant.of_org:
            found |= {Cover(estate) for estate in places.estates_of_org(grant.org_id)}
        else:
            found |= {Cover(estate) for estate in grant.estates}
    return Covers(frozenset(found))


class Chosen(NamedTuple):
    """What an author chose: its wire id and name, and what it covers today."""

    id: str
    name: str
    covers: frozenset[Cover]


def choose(areas: Iterable[Area]) -> list[Chosen]:
    """These areas as they are today, each once. Raises NotFound when one doesn't exist."""
    found: dict[str, Chosen] = {}
    for kind, area in areas:
        text = ids.encode(kind, area)
        if text not in found:
            found[text] = Chosen(text, *_look(kind, area))
    return list(found.values())


def _look(kind: Kind, area: Any) -> tuple[str, frozenset[Cover]]:
    if kind is Kind.COMMUNITY:
        region = places.region(area.int)
        if region is None:
            raise NotFound
        estates = places.governed_estates(places.communities_under(region.id))
        return region.name, frozenset(Cover(estate) for estate in estates)
    if kind is Kind.ESTATE:
        return places.estate(area).name, frozenset({Cover(area)})
    if kind is Kind.GRID:
        return places.grid(area).name, frozenset(places.covers_of(area))
    building = places.building(area)
    estate = Ref(building.community_id, building.estate_id)
    return places.estate(estate).name + building.name, frozenset({Cover(estate, area)})


def covers_of(chosen: Iterable[Chosen]) -> Covers:
    """All of it together. Raises AreaEmpty."""
    found = {cover for one in chosen for cover in one.covers}
    # A building says nothing more where its whole estate is told.
    found = {cover for cover in found if cover.building is None or Cover(cover.estate) not in found}
    if not found:
        raise AreaEmpty(errors={"area_ids": [(AreaEmpty.zh, AreaEmpty.en)]})
    return Covers(frozenset(found))


def write(chosen: Iterable[Chosen]) -> list[dict[str, str]]:
    """As they are kept."""
    return [{"id": one.id, "name": one.name} for one in chosen]


def read(kept: Iterable[dict[str, str]]) -> list[Area]:
    """The areas of what `write` gave."""
    found: list[Area] = []
    for one in kept:
        kind = Kind(one["id"].partition("_")[0])
        decode = ids.decode_id if kind is Kind.COMMUNITY else ids.decode_ref
        found.append((kind, decode(kind, one["id"])))
    return found
