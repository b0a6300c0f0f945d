"""Reading accounts and roles as an administrator or auditor may: those of the organisations in her area."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true

from app import db
from app.errors import NotFound
from app.ids import Ref
from app.people.areas import Area, area_of
from app.people.models import RecoveryCode, Role, Staff, StaffRole
from app.people.permissions import Permission
from app.people.queries import holds_today
from app.people.scopes import StaffActor


def _visible(area: Area) -> ColumnElement[bool]:
    # The top of the tree also sees whom no organisation claims.
    return true() if area.is_whole else Staff.org_id.in_([org.id for org in area.orgs()])


def accounts(
    asking: StaffActor,
    *,
    limit: int,
    after: str | None = None,
    q: str | None = None,
    org_id: UUID | None = None,
    role: Role | None = None,
    status: str | None = None,
    on: date,
) -> list[Staff]:
    """Accounts by name of account; `after` continues behind that one. `role`: held on that day."""
    query = select(Staff).where(_visible(area_of(asking, Permission.STAFF_VIEW)))
    if after is not None:
        query = query.where(Staff.account > after)
    if q:
        query = query.where(Staff.account.startswith(q, autoescape=True) | (Staff.name == q))
    if org_id is not None:
        query = query.where(Staff.org_id == org_id)
    if status is not None:
        query = query.where(Staff.status == status)
    if role is not None:
        query = query.where(
            Staff.id.in_(select(StaffRole.staff_id).where(StaffRole.role == role, holds_today(on)))
        )
    return list(db.session().scalars(query.order_by(Staff.account).limit(limit)))


def account(asking: StaffActor, staff_id: UUID, *, permission: Permission, lock: bool = False) -> Staff:
    """The account, locked when asked. Raises NotFound outside the area in which she has the permission."""
    found = db.session().get(Staff, staff_id, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    area = area_of(asking, permission)
    if not area.is_whole and (found.org_id is None or not area.holds_org(found.org_id)):
        raise NotFound
    return found


def everybody() -> list[Staff]:
    """All accounts by name, for commands on the server."""
    return list(db.session().scalars(select(Staff).order_by(Staff.account)))


def visible_ids(asking: StaffActor, permission: Permission) -> tuple[Area, set[UUID]]:
    """Her area, and the accounts in it."""
    area = area_of(asking, permission)
    return area, set(db.session().scalars(select(Staff.id).where(_visible(area))))


def roles_of(staff_ids: Iterable[UUID], *, since: date | None = None) -> dict[UUID, list[StaffRole]]:
    """The roles of these accounts, the newest first; with `since`, those that still counted then or will."""
    wanted = set(staff_ids)
    query = select(StaffRole).where(StaffRole.staff_id.in_(wanted))
    if since is not None:
        query = query.where(StaffRole.valid_to.is_(None) | (StaffRole.valid_to > since))
    found: dict[UUID, list[StaffRole]] = {staff_id: [] for staff_id in wanted}
    for row in db.session().scalars(query.order_by(StaffRole.valid_from.desc(), StaffRole.id.desc())):
        found[row.staff_id].append(row)
    return found


def assignments(
    asking: StaffActor,
    *,
    limit: int,
    before: UUID | None = None,
    staff_id: UUID | None = None,
    org_id: UUID | None = None,
    role: Role | None = None,
    on: date | None = None,
) -> list[StaffRole]:
    """Roles in her area, latest given first; `on`: that count on that day."""
    area = area_of(asking, Permission.STAFF_VIEW)
    query = select(StaffRole).join(Staff, Staff.id == StaffRole.staff_id).where(_visible(area))
    if before is not None:
        query = query.where(StaffRole.id < before)
    if staff_id is not None:
        query = query.where(StaffRole.staff_id == staff_id)
    if org_id is not None:
        query = query.where(StaffRole.org_id == org_id)
    if role is not None:
        query = query.where(StaffRole.role == role)
    if on is not None:
        query = query.where(holds_today(on))
    return list(db.session().scalars(query.order_by(StaffRole.id.desc()).limit(limit)))


def role_for(asking: StaffActor, role_id: UUID, *, permission: Permission, lock: bool = False) -> StaffRole:
    """The role, locked when asked, with its account. Raises NotFound outside the area."""
    found = db.session().get(StaffRole, role_id, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    account(asking, found.staff_id, permission=permission)
    return found


def reaches_beyond(area: Area, row: StaffRole) -> bool:
    """Does the role reach over something outside the area?"""
    grid = Ref(row.grid_community_id, row.grid_id) if row.grid_community_id and row.grid_id else None
    return not area.holds_role(Role(row.role), row.org_id, region_id=row.region_id, grid=grid)


def codes_left(staff_id: UUID) -> int:
    """How many recovery codes have not been used."""
    return int(
        db.session().scalar(
            select(func.count())
            .select_from(RecoveryCode)
            .where(RecoveryCode.staff_id == staff_id, RecoveryCode.used_at.is_(None))
        )
        or 0
    )
