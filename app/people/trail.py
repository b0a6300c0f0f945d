"""Reading the audit log, for auditors: what was done in their area, and what their area's staff did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, cast, func, or_, select, true
from sqlalchemy.orm import aliased

from app import clock, db, ids
from app.audit import AuditRow
from app.ids import Ref
from app.people import roster
from app.people.permissions import Permission
from app.people.scopes import StaffActor

SPAN = timedelta(days=31)  # where no beginning is named


@dataclass(frozen=True)
class Wanted:
    """What the auditor asks for; None: everything.

    `action`: exact, or all that begin with it when it ends in a dot. `object`: with its community where it has one.
    """

    actor_id: UUID | None = None
    action: str | None = None
    object: Ref | UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def entries(asking: StaffActor, wanted: Wanted, *, limit: int, before: UUID | None = None) -> list[AuditRow]:
    """Rows of her communities, and of persons' lanes those that her area's staff did or met; the newest first.

    Without a beginning: the last 31 days. `before` continues after that row.
    """
    area, staff_ids = roster.visible_ids(asking, Permission.AUDIT_VIEW)
    # 0: what all communities share, such as the calendar, the classes and the vendors of text messages.
    homes = [0, *sorted(area.communities), *ids.lanes()]
    if isinstance(wanted.object, Ref):
        homes = [home for home in homes if home == wanted.object.community_id]
    if not homes:
        return []
    conditions = _conditions(wanted)
    if not area.is_whole:
        of_staff = or_(AuditRow.actor_id.in_(staff_ids), AuditRow.object_id.in_(staff_ids))
        conditions.append(or_(AuditRow.community_id > 0, of_staff))
    if before is not None:
        conditions.append(AuditRow.id < before)
    # The newest of each shard by its primary key, then the newest of these: no shard is read to its end.
    home = func.unnest(cast(homes, ARRAY(db.BigInt))).table_valued("home").render_derived()
    newest = (
        select(AuditRow)
        .where(AuditRow.community_id == home.c.home, AuditRow.community_id.in_(homes), *conditions)
        .order_by(AuditRow.id.desc())
        .limit(limit)
        .lateral("newest")
    )
    row = aliased(AuditRow, newest)
    query = select(row).select_from(home).join(newest, true()).order_by(row.id.desc()).limit(limit)
    return list(db.session().scalars(query))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    since = wanted.since or (wanted.until or clock.now()) - SPAN
    found: list[ColumnElement[bool]] = [AuditRow.id >= ids.first_of(since)]
    if wanted.until is not None:
        found.append(AuditRow.id < ids.first_of(wanted.until))
    if wanted.actor_id is not None:
        found.append(AuditRow.actor_id == wanted.actor_id)
    if wanted.action is not None and wanted.action.endswith("."):
        found.append(AuditRow.action.startswith(wanted.action, autoescape=True))
    elif wanted.action is not None:
        found.append(AuditRow.action == wanted.action)
    if wanted.object is not None:
        object_id = wanted.object.id if isinstance(wanted.object, Ref) else wanted.object
        found.append(AuditRow.object_id == object_id)
    return found
