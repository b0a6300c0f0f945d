"""Where a member of staff may read or set focus groups: whole estates, or the buildings of her grid."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, false, or_

from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.queries import Cover
from app.places.registry_models import House


@dataclass(frozen=True)
class Reach:
    """Estates, or buildings of them."""

    covers: frozenset[Cover]

    @property
    def communities(self) -> set[int]:
        """The home shards of everything in it."""
        return {cover.estate.community_id for cover in self.covers}

    @property
    def estates(self) -> set[Ref]:
        """The estates of which it holds anything."""
        return {cover.estate for cover in self.covers}

    def holds(self, house: House) -> bool:
        """Does the house lie in it?"""
        estate = Ref(house.community_id, house.estate_id)
        building = Ref(house.community_id, house.building_id) if house.building_id else None
        return any(c.estate == estate and (c.building is None or c.building == building) for c in self.covers)

    @property
    def houses(self) -> ColumnElement[bool]:
        """A condition on `House`: it lies in the reach."""
        if not self.covers:
            return false()
        whole = {c.estate.id for c in self.covers if c.building is None}
        parts = {c.building.id for c in self.covers if c.building is not None}
        return and_(
            House.community_id.in_(self.communities),
            or_(House.estate_id.in_(whole), House.building_id.in_(parts)),
        )


def focus_reach(staff: StaffActor, permission: Permission) -> Reach:
    """Where the member of staff has this permission: the estates her community governs today, the covers of her grid.

    What an organisation was given to look after opens nothing here.
    """
    found: set[Cover] = set()
    for grant in staff.grants:
        if permission in grant.permissions:
            found |= {Cover(estate) for estate in grant.estates}
            if grant.grid is not None:
                found |= set(places.covers_of(grant.grid))
    return Reach(frozenset(found))
