"""How far an administrator or auditor reaches: her regions, and the organisations that lie wholly within them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.ids import Ref
from app.people.models import Role
from app.people.permissions import Permission
from app.people.queries import reach
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.models import Org


@dataclass(frozen=True)
class Area:
    """`regions`: hers and all below; `communities`: those among them; `is_whole`: nothing lies outside it."""

    regions: frozenset[int]
    communities: frozenset[int]
    is_whole: bool

    def holds_org(self, org_id: UUID) -> bool:
        """Is the organisation seated or at work in the area, and nowhere else?"""
        org = places.org(org_id)
        if org is None:
            return False
        works_in = places.communities_of_org(org_id)
        return self.communities.issuperset(works_in) and (org.region_id in self.regions or bool(works_in))

    def orgs(self) -> list[Org]:
        """The organisations in the area, active ones: those that `holds_org` takes, in three queries for all."""
        return places.orgs_within(self.regions, self.communities)

    def holds_role(self, role: Role, org_id: UUID, *, region_id: int | None, grid: Ref | None) -> bool:
        """Does what the role reaches over lie in the area, with the organisation?"""
        if region_id is not None and region_id not in self.regions:
            return False
        if grid is not None and grid.community_id not in self.communities:
            return False
        return reach(role, org_id, region_id=region_id, grid=grid) is not None and self.holds_org(org_id)


def area_of(staff: StaffActor, permission: Permission) -> Area:
    """Where she has the permission, by those of her roles that give it."""
    regions: set[int] = set()
    whole = False
    for grant in staff.grants:
        if permission in grant.permissions and grant.region_id is not None:
            regions |= places.regions_within(grant.region_id)
            whole = whole or places.is_top(grant.region_id)
    return Area(frozenset(regions), staff.communities_with(permission), whole)
