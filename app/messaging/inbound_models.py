"""What vendors push to us about text messages: kept raw before it is answered, and applied by a job."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, Integer, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class InboundKind(StrEnum):
    """What a push tells."""

    REPORT = "report"  # the fate of messages
    REPLY = "reply"  # what people answered


class InboundState(StrEnum):
    """waiting → applied; malformed where nothing of it could be read."""

    WAITING = "waiting"
    APPLIED = "applied"
    MALFORMED = "malformed"


class SmsInbound(db.Base):
    """One push. The counts say what became of its entries: `known` were ours and news, `again` ours and none,
    `strange` not ours, `against` contradicted what was final, `unread` could not be read.
    """

    __tablename__ = "sms_inbound"
    __table_args__ = (
        Index("ix_sms_inbound_due", "not_before", postgresql_where=text("state = 'waiting'")),
        Index("ix_sms_inbound_received_at", "received_at"),
        {"info": db.global_hash("id")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    vendor: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(8))
    sealed: Mapped[bytes] = mapped_column(info=db.sealed("sms_inbound:{id}"))
    state: Mapped[str] = mapped_column(String(10), server_default=InboundState.WAITING)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    known: Mapped[int] = mapped_column(Integer, server_default="0")
    again: Mapped[int] = mapped_column(Integer, server_default="0")
    strange: Mapped[int] = mapped_column(Integer, server_default="0")
    against: Mapped[int] = mapped_column(Integer, server_default="0")
    unread: Mapped[int] = mapped_column(Integer, server_default="0")


class SmsSerial(db.Base):
    """Which message a vendor's own number means, for vendors whose receipts don't carry our name for it (Tencent)."""

    __tablename__ = "sms_serials"
    __table_args__ = (Index("ix_sms_serials_created_at", "created_at"), {"info": db.global_hash("serial")})

    serial: Mapped[str] = mapped_column(String(64), primary_key=True)
    community_id: Mapped[int] = mapped_column(db.BigInt)
    batch_id: Mapped[UUID] = mapped_column(info=db.soft("sms_batches.id"))
    created_at: Mapped[datetime]
