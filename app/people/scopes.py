"""Where a member of staff may act, resolved once a request from dated roles and the dated tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from app.audit import Actor, ActorKind
from app.ids import Ref
from app.people.models import Role
from app.people.permissions import GRANTS, Permission


@dataclass(frozen=True)
class Grant:
    """One role with its reach.

    `communities`: rows without an estate are seen through these; `estates`: rows in these estates, named by
    their home; `grid`: only rows of this grid; `org_id`: the organisation the person works for. For property
    staff the organisation is the whole reach: what was dispatched to it.
    """

    role: Role
    org_id: UUID
    communities: frozenset[int] = frozenset()
    estates: frozenset[Ref] = frozenset()
    grid: Ref | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role may do inside this reach."""
        return GRANTS[self.role]

    @property
    def homes(self) -> frozenset[int]:
        """The home shards in which rows of this reach can lie."""
        if self.grid is not None:
            return frozenset({self.grid.community_id})
        return self.communities | {e.community_id for e in self.estates}


@dataclass(frozen=True)
class StaffActor:
    """The member of staff who asks, with everything that decides what she may see and do."""

    id: UUID
    account: str
    name: str
    session_hash: bytes = b""
    grants: tuple[Grant, ...] = field(default=())

    @property
    def actor(self) -> Actor:
        """For audit and events."""
        return Actor(ActorKind.STAFF, self.id)

    @property
    def org_ids(self) -> frozenset[UUID]:
        """The organisations the person works for."""
        return frozenset(g.org_id for g in self.grants)

    def may(self, permission: Permission) -> bool:
        """Has any of the roles this permission, wherever?"""
        return any(permission in g.permissions for g in self.grants)
