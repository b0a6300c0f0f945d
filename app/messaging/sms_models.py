"""Text messages: who carries them, what may be sent, who wants none, and each message with its batch.

**How it goes.** A campaign (`campaign_models`) is expanded, a page at a time, into rows of `sms_messages` and
`sms_batches`; these rows are the truth. A batch belongs to one community and to one campaign and holds at most as many
numbers as the provider of the largest weight takes in a call; who gives it to a provider that takes fewer, cuts it.

A batch may leave when `state = 'queued'`, `not_before <= now`, nobody holds its lease, the `campaign_parts` row of its
community says `running`, and the hour allows it (`app.messaging.windows`). Small `priority` first: emergencies are 0.
What is said to the vendor: the part's `template_id` with the mapping of that provider, values from the message, or from
the part where the message has none.

States of a message: queued → sending → accepted | refused | unknown | failed; accepted → delivered | failed; unknown is
settled to accepted, delivered, failed, or back to queued. queued → cancelled. delivered, failed, refused and cancelled
are final; only `retry-failed` makes new attempts, in new batches. One that waits for WeChat is queued with `channel`
wechat and no batch.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class TemplateKind(StrEnum):
    """What a template is for; fixed when it is made."""

    DECISION_ANNOUNCED = "decision_announced"
    DECISION_OPENED = "decision_opened"
    DECISION_EXTENDED = "decision_extended"
    DECISION_RESULT = "decision_result"
    EMERGENCY = "emergency"
    REMINDER = "reminder"
    TICKET = "ticket"
    NOTICE = "notice"
    REVENUE = "revenue"


class TemplateState(StrEnum):
    """draft → approved → retired. What was approved is never rewritten."""

    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


class MappingState(StrEnum):
    """How far the vendor is with its own copy of the template."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class BatchState(StrEnum):
    """queued → sending → unknown (being settled) → done. cancelled: none of it left, and none will."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DONE = "done"
    CANCELLED = "cancelled"


class MessageState(StrEnum):
    """The states of the contract."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    CANCELLED = "cancelled"


FINAL = frozenset({MessageState.DELIVERED, MessageState.FAILED, MessageState.REFUSED, MessageState.CANCELLED})


class Channel(StrEnum):
    """The way to a person."""

    WECHAT = "wechat"
    SMS = "sms"


class OptOutSource(StrEnum):
    """How we learnt that somebody wants no messages."""

    REPLY = "reply"  # R or TD, answered to a message
    DESK = "desk"  # said so to staff


class SmsProvider(db.Base):
    """A vendor as the street uses it. `weight` 0: only when no other can; `price_centi`: a part, in 0.01 fen."""

    __tablename__ = "sms_providers"
    __table_args__ = (
        CheckConstraint("weight BETWEEN 0 AND 100", name="weight"),
        CheckConstraint("calls_per_s BETWEEN 1 AND 5000", name="rate"),
        CheckConstraint("batch_same BETWEEN 1 AND 1000 AND batch_personal BETWEEN 1 AND 100", name="batch"),
        {"info": db.reference()},
    )

    code: Mapped[str] = mapped_column(String(12), primary_key=True)  # adapters.sms.Vendor
    is_enabled: Mapped[bool] = mapped_column(Boolean, server_default="true")
    weight: Mapped[int] = mapped_column(SmallInteger)
    calls_per_s: Mapped[int] = mapped_column(SmallInteger)
    batch_same: Mapped[int] = mapped_column(SmallInteger)  # numbers of a call with one text for all
    batch_personal: Mapped[int] = mapped_column(SmallInteger)
    price_centi: Mapped[int] = mapped_column(Integer)
    source: Mapped[str] = mapped_column(String(200))  # where rate, sizes and price are from
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    updated_at: Mapped[datetime]


class SmsProviderCap(db.Base):
    """How many messages of ours a number may get through a provider within a day, and where that stands."""

    __tablename__ = "sms_provider_caps"
    __table_args__ = (
        CheckConstraint("most BETWEEN 1 AND 1000", name="most"),
        {"info": db.reference()},
    )

    provider_code: Mapped[str] = mapped_column(String(12), ForeignKey("sms_providers.code"), primary_key=True)
    scope: Mapped[str] = mapped_column(
        String(12), primary_key=True
    )  # number | template: of the same template
    most: Mapped[int] = mapped_column(SmallInteger)
    source: Mapped[str] = mapped_column(String(200))
    as_of: Mapped[date] = mapped_column(Date)


class SmsTemplate(db.Base):
    """A text that may be sent. `parameters`: [{"name", "longest", "fill", "title"}], in the order of the text.

    `fill`: `campaign` (one value for everybody), or `estate`, `room`, `list`: of each recipient.
    """

    __tablename__ = "sms_templates"
    __table_args__ = (
        CheckConstraint("approved_by IS NULL OR approved_by <> created_by", name="second_person"),
        CheckConstraint("state = 'draft' OR approved_by IS NOT NULL", name="approved"),
        Index("ix_sms_templates_region", "region_id", "id"),
        {"info": db.reference()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    region_id: Mapped[int] = mapped_column(db.BigInt)  # the street whose it is
    name: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))
    sign: Mapped[str] = mapped_column(String(12))  # without its 【】
    text: Mapped[str] = mapped_column(String(500))
    parameters: Mapped[list[Any]]
    state: Mapped[str] = mapped_column(String(8), server_default=TemplateState.DRAFT)
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class SmsTemplateMapping(db.Base):
    """The same template at a vendor. `parameters`: our names in the order of the vendor's variables."""

    __tablename__ = "sms_template_mappings"
    __table_args__ = {"info": db.reference()}  # noqa: RUF012

    template_id: Mapped[UUID] = mapped_column(ForeignKey("sms_templates.id"), primary_key=True)
    provider_code: Mapped[str] = mapped_column(String(12), ForeignKey("sms_providers.code"), primary_key=True)
    vendor_code: Mapped[str] = mapped_column(String(40))
    parameters: Mapped[list[Any]]
    longest: Mapped[int | None] = mapped_column(SmallInteger)  # of any variable, where the vendor is stricter
    state: Mapped[str] = mapped_column(String(8))
    updated_by: Mapped[UUID]
    updated_at: Mapped[datetime]


class OptOut(db.Base):
    """A number whose owner wants no messages but those that must reach her."""

    __tablename__ = "opt_outs"
    __table_args__ = (Index("ix_opt_outs_at", "at"), {"info": db.global_hash("phone_hash")})

    phone_hash: Mapped[bytes] = mapped_column(primary_key=True)
    phone_sealed: Mapped[bytes] = mapped_column(info=db.sealed("opt_out"))
    source: Mapped[str] = mapped_column(String(8))
    word: Mapped[str | None] = mapped_column(String(8))  # what she answered
    entered_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    at: Mapped[datetime]


class SmsNumberDay(db.Base):
    """How many messages a number was written into on a day in Shanghai, for the caps."""

    __tablename__ = "sms_number_days"
    __table_args__ = (Index("ix_sms_number_days_day", "day"), {"info": db.global_hash("phone_hash")})

    phone_hash: Mapped[bytes] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    count: Mapped[int] = mapped_column(SmallInteger)


class SmsBatch(db.Base):
    """What goes out in one call. `out_id` at the vendor is made of (community_id, id): `adapters.sms.out_id`."""

    __tablename__ = "sms_batches"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "campaign_id"], ["campaign_parts.community_id", "campaign_parts.campaign_id"]
        ),
        Index("ix_sms_batches_campaign", "community_id", "campaign_id"),
        Index(
            "ix_sms_batches_due",
            "community_id",
            "priority",
            "not_before",
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_sms_batches_sweep",
            "not_before",
            postgresql_where=text("state IN ('queued', 'sending', 'unknown')"),
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(String(10), server_default=BatchState.QUEUED)
    priority: Mapped[int] = mapped_column(SmallInteger)
    size: Mapped[int] = mapped_column(SmallInteger)
    is_personal: Mapped[bool] = mapped_column(Boolean)  # its numbers get values of their own
    provider_code: Mapped[str | None] = mapped_column(String(12))  # chosen when it is leased
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    leased_by: Mapped[str | None] = mapped_column(String(40))
    sent_at: Mapped[datetime | None]  # when the call began whose outcome counts
    settle_after: Mapped[datetime | None]  # when the vendor's "not found" may be believed
    code: Mapped[str | None] = mapped_column(String(80))  # the vendor's word for the call
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class SmsMessage(db.Base):
    """One number's message of a campaign: what went out, when, through whom, with which result."""

    __tablename__ = "sms_messages"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "batch_id"], ["sms_batches.community_id", "sms_batches.id"]),
        Index("ix_sms_messages_campaign", "community_id", "campaign_id", "id"),
        Index("ix_sms_messages_batch", "community_id", "batch_id"),
        Index("ix_sms_messages_phone", "community_id", "phone_hash"),
        Index(
            "ix_sms_messages_resident",
            "resident_id",
            postgresql_where=text("resident_id IS NOT NULL"),
        ),
        # The outcome is written a second and a third time into the same page: no index names what changes.
        {"info": db.distributed(), "postgresql_with": {"fillfactor": 70}},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID]
    batch_id: Mapped[UUID | None]  # none: it waits whether WeChat is read, or went by WeChat alone
    phone_sealed: Mapped[bytes] = mapped_column(info=db.sealed("sms_phone:{id}"))
    phone_hash: Mapped[bytes]
    params: Mapped[list[Any] | None]  # values of its own, in the order of the template; none: the part's
    channel: Mapped[str] = mapped_column(String(8), server_default=Channel.SMS)
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    state: Mapped[str] = mapped_column(String(10), server_default=MessageState.QUEUED)
    provider_code: Mapped[str | None] = mapped_column(String(12))
    vendor_id: Mapped[str | None] = mapped_column(String(64))
    code: Mapped[str | None] = mapped_column(String(80))
    fault: Mapped[str | None] = mapped_column(String(8))
    segments: Mapped[int | None] = mapped_column(SmallInteger)  # as the vendor counted them
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]  # when its state became final
