"""Where a member of staff may act, resolved once a request from dated roles and the dated tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.audit import Actor, ActorKind
from app.ids import Ref
from app.people.models import Role, SessionMode
from app.people.permissions import GRANTS, Permission

# How far a role reaches: over a region with all that lies in it, over one grid, or over what an organisation
# answers for and was given.
BY_REGION = frozenset(
    {Role.STREET, Role.COMMUNITY, Role.FINANCE, Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDITOR}
)
BY_GRID = frozenset({Role.GRID})
BY_ORG = frozenset({Role.PROPERTY, Role.PROPERTY_WORKER, Role.DUTY_ROOM, Role.COMMITTEE})


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
    region_id: int | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role may do inside this reach."""
        return GRANTS[self.role]

    @property
    def of_org(self) -> bool:
        """Is the organisation the whole reach?"""
        return self.role in BY_ORG

    @property
    def homes(self) -> frozenset[int]:
        """The home shards in which rows of this reach can lie."""
        if self.grid is not None:
            return frozenset({self.grid.community_id})
        return self.communities | {e.community_id for e in self.estates}


class Need(StrEnum):
    """What has to be done before a login opens anything else."""

    PASSWORD = "password"  # was given out, or is too old  # noqa: S105
    TOTP = "totp"  # the roles ask for a second factor and there is none


@dataclass(frozen=True)
class Login:
    """The login by which a member of staff asks."""

    id: UUID
    mode: SessionMode
    expires_at: datetime
    seen_at: datetime
    has_totp: bool
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class StaffActor:
    """The member of staff who asks, with everything that decides what she may see and do."""

    id: UUID
    account: str
    name: str
    session_hash: bytes = b""
    grants: tuple[Grant, ...] = field(default=())
    session: Login | None = None

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

    def communities_with(self, permission: Permission) -> frozenset[int]:
        """The communities in which one of the roles has this permission."""
        return frozenset(
            community
            for grant in self.grants
            if permission in grant.permissions
            for community in grant.communities
        )
