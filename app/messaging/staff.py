"""The inbox of staff (工作提醒): what each member is told, written with the step that it tells of.

Rows hold a kind and numbers, no words and no name: the face makes the sentence when it is read, of what the reader
may see then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app import clock, db, ids
from app.ids import Ref
from app.messaging.models import StaffNotice, StaffNoticeKind

KEPT = timedelta(days=180)


def notify(told: Mapping[UUID, StaffNoticeKind], *, about: Ref, idem: str, params: Mapping[str, Any]) -> None:
    """Tell members of staff, each once for `idem`, in this transaction."""
    if not told:
        return
    now = clock.now()
    rows = [
        {
            "staff_id": staff_id,
            "id": ids.new_id(),
            "kind": told[staff_id],
            "community_id": about.community_id,
            "object_id": about.id,
            "params": dict(params),
            "created_at": now,
            "idem": idem,
        }
        for staff_id in sorted(
            told
        )  # in one order: two steps that tell the same people must not wait for each other
    ]
    db.session().execute(
        insert(StaffNotice).values(rows).on_conflict_do_nothing(index_elements=["staff_id", "idem"])
    )


def inbox(staff_id: UUID, *, limit: int, before: UUID | None = None) -> list[StaffNotice]:
    """Her notices, newest first (ids sort by time); `before` continues after that one."""
    query = select(StaffNotice).where(StaffNotice.staff_id == staff_id)
    if before is not None:
        query = query.where(StaffNotice.id < before)
    return list(db.session().scalars(query.order_by(StaffNotice.id.desc()).limit(limit)))


def unread(staff_id: UUID) -> int:
    """How many notices wait to be read."""
    query = select(func.count()).where(StaffNotice.staff_id == staff_id, StaffNotice.read_at.is_(None))
    return int(db.session().scalar(query) or 0)


def mark_read(*, acting_user: UUID, notice_ids: Sequence[UUID] | None, all_before: datetime | None) -> int:
    """Mark her notices as read: the named ones, or all created up to a moment. Returns how many changed."""
    query = update(StaffNotice).where(StaffNotice.staff_id == acting_user, StaffNotice.read_at.is_(None))
    if notice_ids is not None:
        query = query.where(StaffNotice.id.in_(list(notice_ids)))
    if all_before is not None:
        query = query.where(StaffNotice.created_at <= all_before)
    result = db.session().execute(
        query.values(read_at=clock.now()).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult


def forget(*, before: datetime) -> None:
    """Delete notices from before a moment, read or not."""
    db.session().execute(
        delete(StaffNotice)
        .where(StaffNotice.created_at < before)
        .execution_options(synchronize_session=False, cross_community="retention")
    )
