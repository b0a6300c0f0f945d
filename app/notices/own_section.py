"""Which notices a resident has read: her copy; when she goes, they go."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select

from app import db, ids
from app.ids import Kind, Ref
from app.notices.models import NoticeRead
from app.people.dossier import Item, Section, at


def _copy(resident_id: UUID) -> list[Item]:
    rows = db.session().scalars(
        select(NoticeRead)
        .where(NoticeRead.resident_id == resident_id)
        .order_by(NoticeRead.read_at, NoticeRead.notice_id, NoticeRead.community_id)
        .execution_options(cross_community="closing an account")
    )
    return [
        {
            "notice_id": ids.encode(Kind.NOTICE, Ref(row.notice_community_id, row.notice_id)),
            "read_at": at(row.read_at),
            "finished_at": at(row.finished_at),
        }
        for row in rows
    ]


def _forget(resident_id: UUID) -> None:
    db.session().execute(
        delete(NoticeRead)
        .where(NoticeRead.resident_id == resident_id)
        .execution_options(synchronize_session=False, cross_community="closing an account")
    )


SECTIONS = (Section("notice_reads", frozenset({"notice_reads"}), _copy, _forget),)
