"""Reading messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select

from app import clock, db
from app.messaging.models import InboxMessage, NoticeState, SubscribeCredit, WeChatNotice


def inbox(resident_id: UUID, *, limit: int, before: UUID | None = None) -> list[InboxMessage]:
    """The resident's messages, newest first (ids sort by time); `before` continues after that message."""
    query = select(InboxMessage).where(InboxMessage.resident_id == resident_id)
    if before is not None:
        query = query.where(InboxMessage.id < before)
    return list(db.session().scalars(query.order_by(InboxMessage.id.desc()).limit(limit)))


def unread(resident_id: UUID) -> int:
    """How many messages wait to be read."""
    query = select(func.count()).where(
        InboxMessage.resident_id == resident_id, InboxMessage.read_at.is_(None)
    )
    return int(db.session().scalar(query) or 0)


def credit_of(resident_id: UUID) -> dict[str, int]:
    """Template id → messages still allowed."""
    rows = db.session().execute(
        select(SubscribeCredit.template_id, SubscribeCredit.credits + SubscribeCredit.hinted).where(
            SubscribeCredit.resident_id == resident_id
        )
    )
    return dict(rows.all())


def told_of(
    community_id: int, resident_ids: Iterable[UUID], *, target: tuple[str, str], before: datetime | None
) -> set[UUID]:
    """Those of these residents to whom WeChat has taken a notice about this thing, before that time."""
    query = select(WeChatNotice.resident_id).where(
        WeChatNotice.community_id == community_id,
        WeChatNotice.resident_id.in_(set(resident_ids)),
        WeChatNotice.state == NoticeState.SENT,
        WeChatNotice.page.endswith(f"?id={target[1]}", autoescape=True),
    )
    if before is not None:
        query = query.where(WeChatNotice.settled_at < before)
    return set(db.session().scalars(query))


def read_at(resident_ids: Iterable[UUID], *, idem: str) -> dict[UUID, datetime]:
    """Those of these residents who have read the message of that name, and when."""
    query = select(InboxMessage.resident_id, InboxMessage.read_at).where(
        InboxMessage.resident_id.in_(set(resident_ids)),
        InboxMessage.idem == idem,
        InboxMessage.read_at.is_not(None),
    )
    return {resident: at for resident, at in db.session().execute(query) if at is not None}


def notices_waiting() -> int:
    """WeChat notices that are still to be sent; for /metrics."""
    return int(
        db.session().scalar(
            select(func.count())
            .where(WeChatNotice.state == NoticeState.QUEUED)
            .execution_options(cross_community="metrics")
        )
        or 0
    )


def notices_due_everywhere() -> list[int]:
    """Communities with a WeChat notice due now; for the sweeper."""
    now = clock.now()
    rows = db.session().scalars(
        select(WeChatNotice.community_id)
        .where(
            WeChatNotice.state == NoticeState.QUEUED,
            WeChatNotice.not_before <= now,
            or_(WeChatNotice.lease_until.is_(None), WeChatNotice.lease_until <= now),
        )
        .distinct()
        .execution_options(cross_community="sweeper")
    )
    return list(rows)
