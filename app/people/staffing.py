"""Administering staff: accounts by the system administrator, roles and second factors by the security administrator.

Neither can take over alone an account that has its second factor: who gives out a password doesn't touch the factor,
and who takes a factor away doesn't learn the password. While there is no factor, the password is all there is, and the
system administrator who gave it out could use it before its owner does; that shows (her password no longer fits) and
stands in the audit log. Nobody administers herself, nor
anybody whose roles reach beyond the administrator's own area.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from app import audit, clock, db, ids
from app.errors import NotFound, StaleVersion
from app.ids import Ref
from app.people import logins, passwords, roster
from app.people import service as people
from app.people.areas import area_of
from app.people.errors import AboveYou, AccountDisabled, BadReach, BadSpan, OwnAccount
from app.people.models import Role, Staff, StaffRole, StaffStatus
from app.people.permissions import Permission
from app.people.scopes import BY_GRID, BY_REGION, StaffActor
from app.places import queries as places
from app.places.models import RegionKind

# A role of a level belongs to a region of that level.
_LEVEL = {Role.STREET: RegionKind.STREET, Role.COMMUNITY: RegionKind.COMMUNITY}


class NewAccount(NamedTuple):
    """An account and the password that is told once."""

    staff: Staff
    password: str


def add_account(*, account: str, name: str, org_id: UUID, acting_user: StaffActor) -> NewAccount:
    """A new account of an organisation in her area, with a password for the first login.

    Raises NotFound for an organisation outside it, AccountTaken.
    """
    if not area_of(acting_user, Permission.STAFF_EDIT).holds_org(org_id):
        raise NotFound
    password = passwords.given_out()
    staff = people.add_staff(
        account=account,
        name=name,
        password=password,
        org_id=org_id,
        is_given_out=True,
        acting_user=acting_user.actor,
    )
    return NewAccount(staff, password)


def _managed(acting_user: StaffActor, staff_id: UUID, permission: Permission) -> Staff:
    """The account, locked, when she may administer it. Raises NotFound, OwnAccount, AboveYou."""
    staff = roster.account(acting_user, staff_id, permission=permission, lock=True)
    if staff.id == acting_user.id:
        raise OwnAccount
    area = area_of(acting_user, permission)
    if any(
        roster.reaches_beyond(area, row)
        for row in roster.roles_of([staff_id], since=places.today())[staff_id]
    ):
        raise AboveYou
    return staff


def change_account(
    staff_id: UUID, *, changes: Mapping[str, Any], version: int | None, acting_user: StaffActor
) -> Staff:
    """Rename, move to another organisation, disable or enable; disabling ends every login at once.

    `changes`: name, org_id, status. Raises NotFound, OwnAccount, AboveYou, StaleVersion.
    """
    staff = _managed(acting_user, staff_id, Permission.STAFF_EDIT)
    if version is not None and staff.version != version:
        raise StaleVersion
    if "org_id" in changes and not area_of(acting_user, Permission.STAFF_EDIT).holds_org(changes["org_id"]):
        raise NotFound
    for name in ("name", "org_id", "status"):
        if name in changes:
            setattr(staff, name, changes[name])
    if staff.status == StaffStatus.DISABLED:
        logins.end_all(staff.id)
    staff.version += 1
    _record(acting_user, "staff.changed", staff.id, fields=sorted(changes), status=staff.status)
    return staff


def give_password(staff_id: UUID, *, acting_user: StaffActor) -> NewAccount:
    """Another password for one first login; all logins end. The second factor stays.

    Raises NotFound, OwnAccount, AboveYou, AccountDisabled.
    """
    staff = _managed(acting_user, staff_id, Permission.STAFF_EDIT)
    if staff.status != StaffStatus.ACTIVE:
        raise AccountDisabled
    return renew_password(staff, acting_user=acting_user.actor)


def renew_password(staff: Staff, *, acting_user: audit.Actor) -> NewAccount:
    """The same for a locked row, without asking who may: for commands on the server."""
    password = passwords.given_out()
    staff.password_hash = passwords.hash_password(password)
    staff.must_change, staff.password_at = True, clock.now()
    staff.version += 1
    logins.end_all(staff.id)
    audit.record(
        acting_user,
        "password.given_out",
        community_id=ids.lane_of(staff.id),
        object_kind="staff",
        object_id=staff.id,
    )
    return NewAccount(staff, password)


def take_totp(staff_id: UUID, *, acting_user: StaffActor) -> Staff:
    """Take a lost second factor away, with its recovery codes; all logins end, the next one sets up another.

    Raises NotFound, OwnAccount, AboveYou.
    """
    return drop_totp(_managed(acting_user, staff_id, Permission.STAFF_SECURE), acting_user=acting_user.actor)


def drop_totp(staff: Staff, *, acting_user: audit.Actor) -> Staff:
    """The same for a locked row, without asking who may: for commands on the server."""
    staff.totp_sealed = staff.totp_pending = staff.totp_step = staff.totp_at = None
    staff.version += 1
    logins.forget_codes(staff.id)
    logins.end_all(staff.id)
    audit.record(
        acting_user,
        "totp.taken_away",
        community_id=ids.lane_of(staff.id),
        object_kind="staff",
        object_id=staff.id,
    )
    return staff


def end_logins(staff_id: UUID, *, acting_user: StaffActor) -> int:
    """End every login of an account; how many. Raises NotFound, OwnAccount, AboveYou."""
    staff = _managed(acting_user, staff_id, Permission.STAFF_SECURE)
    ended = logins.end_all(staff.id)
    _record(acting_user, "sessions.ended", staff.id, count=ended)
    return ended


# --- roles -----------------------------------------------------------------------------------------------


def give_role(
    *,
    staff_id: UUID,
    role: Role,
    org_id: UUID,
    community_id: int | None,
    grid: Ref | None,
    since: date,
    until: date | None,
    acting_user: StaffActor,
) -> StaffRole:
    """Give a role for an organisation, from a day on.

    A role by region reaches over the organisation's region, or over one community of it (`community_id`); a role by
    grid over that grid; a role by organisation over what the organisation answers for. Raises NotFound for what
    lies outside the area, OwnAccount, AboveYou, AccountDisabled, BadReach, BadSpan, RolesApart, RoleHeld.
    """
    staff = roster.account(acting_user, staff_id, permission=Permission.ROLE_GRANT, lock=True)
    if staff.id == acting_user.id:
        raise OwnAccount
    if staff.status != StaffStatus.ACTIVE:
        raise AccountDisabled
    area = area_of(acting_user, Permission.ROLE_GRANT)
    org = places.org(org_id)
    if org is None or not (area.is_whole or org.region_id in area.regions or area.holds_org(org_id)):
        raise NotFound
    region_id = region_of(role, org.region_id, community_id, grid)
    if not area.holds_role(role, org_id, region_id=region_id, grid=grid):
        raise AboveYou
    if since < places.today() or (until is not None and until <= since):
        raise BadSpan
    return people.grant_role(
        staff_id=staff.id,
        role=role,
        org_id=org_id,
        region_id=region_id,
        grid=grid,
        since=since,
        until=until,
        acting_user=acting_user.actor,
    )


def region_of(role: Role, seat: int, community_id: int | None, grid: Ref | None) -> int | None:
    """The region that a role by region reaches over; None for other roles. Raises BadReach."""
    if (grid is not None) != (role in BY_GRID):
        raise BadReach(errors={"grid_id": [(BadReach.zh, BadReach.en)]})
    if grid is not None and not any(g.id == grid.id for g in places.grids_in([grid.community_id])):
        raise BadReach(errors={"grid_id": [(BadReach.zh, BadReach.en)]})
    if role not in BY_REGION:
        if community_id is not None:
            raise BadReach(errors={"community_id": [(BadReach.zh, BadReach.en)]})
        return None
    if community_id is not None and community_id not in places.communities_under(seat):
        raise BadReach(errors={"community_id": [(BadReach.zh, BadReach.en)]})
    chosen = community_id or seat
    region = places.region(chosen)
    if role in _LEVEL and (region is None or region.kind != _LEVEL[role]):
        raise BadReach(errors={"role": [(BadReach.zh, BadReach.en)]})
    return chosen


def end_role(role_id: UUID, *, until: date | None, version: int | None, acting_user: StaffActor) -> StaffRole:
    """Let a role end before that day (today: at once); None takes a later end back.

    Raises NotFound, OwnAccount, AboveYou, StaleVersion, BadSpan, RolesApart, RoleHeld.
    """
    row = roster.role_for(acting_user, role_id, permission=Permission.ROLE_GRANT, lock=True)
    if row.staff_id == acting_user.id:
        raise OwnAccount
    if roster.reaches_beyond(area_of(acting_user, Permission.ROLE_GRANT), row):
        raise AboveYou
    if version is not None and row.version != version:
        raise StaleVersion
    today = places.today()
    if (row.valid_to is not None and row.valid_to <= today) or (until is not None and until < today):
        raise BadSpan  # what has been is not rewritten
    people.end_role(row, until=until)
    _record(
        acting_user,
        "role.ended" if until is not None else "role.kept",
        row.staff_id,
        role_id=str(row.id),
        role=row.role,
        until=until.isoformat() if until else None,
    )
    return row


def _record(acting_user: StaffActor, action: str, staff_id: UUID, **details: Any) -> None:
    audit.record(
        acting_user.actor,
        action,
        community_id=ids.lane_of(staff_id),
        object_kind="staff",
        object_id=staff_id,
        **details,
    )


def named(account: str) -> Staff | None:
    """The account of that name, locked; for commands on the server."""
    return db.session().scalar(select(Staff).where(Staff.account == account).with_for_update())
