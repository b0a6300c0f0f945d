"""Messages to residents: the inbox, WeChat subscribe notices with their credits, and WeChat's own events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class NoticeKind(StrEnum):
    """What a message tells."""

    TICKET_RECEIVED = "ticket_received"
    TICKET_ACCEPTED = "ticket_accepted"
    TICKET_REJECTED = "ticket_rejected"
    TICKET_DISPATCHED = "ticket_dispatched"
    TICKET_STARTED = "ticket_started"
    TICKET_RESOLVED = "ticket_resolved"
    TICKET_VERIFIED = "ticket_verified"
    TICKET_REWORK = "ticket_rework"
    TICKET_CLOSED = "ticket_closed"
    TICKET_REOPENED = "ticket_reopened"
    TICKET_WITHDRAWN = "ticket_withdrawn"
    TICKET_COMMENTED = "ticket_commented"
    TICKET_SUSPENDED = "ticket_suspended"
    TICKET_RESUMED = "ticket_resumed"
    TICKET_EXTENDED = "ticket_extended"
    TICKET_SUPERVISED = "ticket_supervised"
    TICKET_MERGED = "ticket_merged"
    TICKET_UNMERGED = "ticket_unmerged"
    TICKET_REFERRED = "ticket_referred"
    PHONE_BOUND = "phone_bound"
    PHONE_LOST = "phone_lost"
    MEMBERSHIP_VERIFIED = "membership_verified"
    MEMBERSHIP_REFUSED = "membership_refused"
    MEMBERSHIP_ENDED = "membership_ended"
    MEMBERSHIP_REVIEW = "membership_review"  # it has to be looked at again
    MEMBERSHIP_ASKED = "membership_asked"  # family or a tenant asks to join the house
    MEMBERSHIP_NEW = "membership_new"  # somebody is bound as owner of the house
    OBJECTION_SETTLED = "objection_settled"
    VOTER_CHOSEN = "voter_chosen"
    BIND_REMINDER = "bind_reminder"
    DECISION_ANNOUNCED = "decision_announced"
    DECISION_OPENED = "decision_opened"
    DECISION_REMINDER = "decision_reminder"  # she hasn't voted yet
    DECISION_EXTENDED = "decision_extended"
    DECISION_SHIFTED = "decision_shifted"  # opens and closes later than announced
    DECISION_CANCELLED = "decision_cancelled"
    DECISION_RESULT = "decision_result"
    NOTICE_PUBLISHED = "notice_published"
    NOTICE_CORRECTED = "notice_corrected"  # she read it before
    NOTICE_WITHDRAWN = "notice_withdrawn"
    PROXY_ENTERED = "proxy_entered"  # staff took in an authorisation to vote for her
    REVENUE_ANSWERED = "revenue_answered"  # her objection to a line of the public revenue
    CAMPAIGN = "campaign"  # what is sent to many; who hasn't read it here may get a text message


class InboxMessage(db.Base):
    """One message in a resident's inbox; it stays also when WeChat refuses the notice."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("resident_id", "idem"),
        Index("ix_inbox_latest", "resident_id", "id"),
        Index("ix_inbox_unread", "resident_id", postgresql_where=text("read_at IS NULL")),
        {"info": db.distributed("resident_id")},
    )

    resident_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    title: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(String(500))
    target_type: Mapped[str | None] = mapped_column(String(16))
    target_id: Mapped[str | None] = mapped_column(String(60))  # the wire id
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    idem: Mapped[str] = mapped_column(String(80))


class StaffNoticeKind(StrEnum):
    """What a member of staff is told (工作提醒)."""

    DISPATCHED = "dispatched"  # to her organisation, or to her by name
    ASSIGNED = "assigned"
    RETURNED = "returned"  # to the desk
    WARNED = "warned"
    STAGE_LATE = "stage_late"
    SUPERVISED = "supervised"
    TO_DISTRICT = "to_district"  # the last rung: the street has to report to the district
    URGED = "urged"
    EXTENSION_ASKED = "extension_asked"
    EXTENDED = "extended"
    LIMIT_KEPT = "limit_kept"
    PART = "part"
    PART_DONE = "part_done"
    MEETING = "meeting"
    MATCHED = "matched"


class StaffNotice(db.Base):
    """One line in the inbox of a member of staff. Kind and numbers only: the sentence is made when it is read, of
    what the reader may still see.
    """

    __tablename__ = "staff_inbox"
    __table_args__ = (
        UniqueConstraint("staff_id", "idem"),
        Index("ix_staff_inbox_unread", "staff_id", postgresql_where=text("read_at IS NULL")),
        Index("ix_staff_inbox_created_at", "created_at"),
        {"info": db.distributed("staff_id")},
    )

    staff_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("staff.id"))
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    community_id: Mapped[int] = mapped_column(db.BigInt)
    object_id: Mapped[UUID] = mapped_column(info=db.soft("tickets.id"))
    params: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    idem: Mapped[str] = mapped_column(String(80))


class NoticeState(StrEnum):
    """queued → sent | refused | unknown | failed. Unknown: WeChat didn't answer; it is not sent again blindly. What was
    sent has failed once WeChat says that it wasn't delivered.
    """

    QUEUED = "queued"
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"


class WeChatNotice(db.Base):
    """A subscribe message that is owed; this row is its own outbox."""

    __tablename__ = "wechat_notices"
    __table_args__ = (
        Index(
            "ix_wechat_notices_due", "community_id", "not_before", postgresql_where=text("state = 'queued'")
        ),
        Index("ix_wechat_notices_resident", "community_id", "resident_id"),
        Index("ix_wechat_notices_sweep", "not_before", postgresql_where=text("state = 'queued'")),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    resident_id: Mapped[UUID] = mapped_column(info=db.soft("residents.id"))
    template_id: Mapped[str] = mapped_column(String(64))
    page: Mapped[str] = mapped_column(String(200))
    data: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(8), server_default=NoticeState.QUEUED)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    errcode: Mapped[int | None] = mapped_column(Integer)


class SubscribeCredit(db.Base):
    """How many messages of a template the resident still allows: one accept is one send.

    `credits` come from WeChat's push event, which is the truth; `hinted` from the mini-program, until the event.
    """

    __tablename__ = "subscribe_credits"
    __table_args__ = {"info": db.distributed("resident_id")}  # noqa: RUF012

    resident_id: Mapped[UUID] = mapped_column(primary_key=True)
    template_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    credits: Mapped[int] = mapped_column(Integer, server_default="0")
    hinted: Mapped[int] = mapped_column(Integer, server_default="0")
    last_event_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class WeChatEvent(db.Base):
    """A pushed event, stored raw (sealed) before the answer and applied in a job. WeChat repeats; the key doesn't."""

    __tablename__ = "wechat_events"
    __table_args__ = {"info": db.global_hash("dedup_hash")}  # noqa: RUF012

    dedup_hash: Mapped[bytes] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(String(48))
    sealed: Mapped[bytes] = mapped_column(info=db.sealed("wechat_event"))
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
