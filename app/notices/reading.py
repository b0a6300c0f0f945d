"""Residents read notices: once each, at their own door, and finish what is to be studied."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from app import clock, db, ids
from app.ids import Kind, Ref
from app.messaging import service as messaging
from app.notices import queries
from app.notices.errors import NoticeWithdrawn, NotToStudy, StudiedTooShortly
from app.notices.models import Notice, NoticeRead, NoticeStatus, Topic
from app.notices.queries import MyRead
from app.notices.telling import TARGET


class Reading(NamedTuple):
    """A resident's reading of a notice. `is_counted`: she lives there, or follows what goes on there."""

    is_counted: bool
    read: MyRead | None


def read(ref: Ref, *, finished: bool, acting_user: UUID) -> Reading:
    """Note that a resident has read a notice, and with `finished` that she has studied it; the first time counts.

    Her message about it is read with it. Nothing is noted of who neither lives in its places nor follows them.
    Raises NotFound, NoticeWithdrawn, NotToStudy, StudiedTooShortly.
    """
    row = queries.public(ref)
    if row.status == NoticeStatus.WITHDRAWN:
        raise NoticeWithdrawn
    if finished and row.kind != Topic.STUDY:
        raise NotToStudy
    messaging.mark_read_about(resident_id=acting_user, target=(TARGET, ids.encode(Kind.NOTICE, ref)))
    counted = queries.standing_of(acting_user).counted_in(queries.covers_of(row))
    if not counted:
        return Reading(False, None)
    now = clock.now()
    db.session().execute(
        insert(NoticeRead)
        .values(
            [
                {
                    "community_id": home,
                    "notice_id": row.id,
                    "resident_id": acting_user,
                    "notice_community_id": row.community_id,
                    "revision": row.revision,
                    "read_at": now,
                }
                for home in sorted(counted)
            ]
        )
        .on_conflict_do_nothing(index_elements=["community_id", "notice_id", "resident_id"])
    )
    mine = queries.my_reads(acting_user, [row])[ref]
    if finished and mine.finished_at is None:
        _finish(row, mine, acting_user)
        mine = MyRead(mine.read_at, now)
    return Reading(True, mine)


def _finish(row: Notice, mine: MyRead, resident_id: UUID) -> None:
    least = timedelta(minutes=row.study_minutes or 0)
    left = mine.read_at + least - clock.now()
    if left > timedelta(0):
        minutes = -(-left // timedelta(minutes=1))
        raise StudiedTooShortly(minutes=minutes, extra={"minutes_left": minutes})
    db.session().execute(
        update(NoticeRead)
        .where(
            NoticeRead.community_id.in_(row.homes),
            NoticeRead.notice_id == row.id,
            NoticeRead.resident_id == resident_id,
        )
        .values(finished_at=clock.now())
        .execution_options(synchronize_session=False)
    )
