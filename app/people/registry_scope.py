"""Which houses a member of staff may look up, change, import, read in full."""

from __future__ import annotations

from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places


def registry_reach(staff: StaffActor, permission: Permission) -> frozenset[Ref]:
    """The estates in which the member of staff has this permission, named by their homes.

    Street and community: the estates they govern today. A property company: those it answers for.
    """
    found: set[Ref] = set()
    for grant in staff.grants:
        if permission in grant.permissions:
            found |= set(places.estates_of_org(grant.org_id)) if grant.of_org else grant.estates
    return frozenset(found)
