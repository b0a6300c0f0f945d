"""Who of an organisation's people a ticket can be given to."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import or_, select

from app import db
from app.people import queries
from app.people.models import Staff, StaffRole, StaffStatus
from app.places import queries as places


class Handler(NamedTuple):
    """One of them."""

    staff_id: UUID
    name: str


def handlers_of(org_id: UUID, *, community_id: int, grid_id: UUID | None) -> list[Handler]:
    """The people of the organisation whose role reaches a ticket there today, by name."""
    on = places.today()
    rows = db.session().execute(
        select(Staff.id, Staff.name)
        .join(StaffRole, StaffRole.staff_id == Staff.id)
        .where(
            StaffRole.org_id == org_id,
            StaffRole.valid_from <= on,
            or_(StaffRole.valid_to.is_(None), StaffRole.valid_to > on),
            Staff.status == StaffStatus.ACTIVE,
        )
    )
    names = {row.id: row.name for row in rows}
    able = queries.able_to_handle(org_id, names, community_id=community_id, grid_id=grid_id)
    return sorted(
        (Handler(staff_id, names[staff_id]) for staff_id in able), key=lambda one: (one.name, one.staff_id)
    )
