"""Campaigns: one text to many people, from the draft to the last message; and lists of numbers handed in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
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


class CampaignState(StrEnum):
    """The states of the contract. scheduled: cleared to go (small, or approved), or launched for later."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class PartState(StrEnum):
    """What the campaign's state means for the batches of one community: they may leave only while it is `running`."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class AudienceType(StrEnum):
    """Who is asked for."""

    ESTATES = "estates"
    BUILDINGS = "buildings"
    GRIDS = "grids"
    FOCUS_GROUP = "focus_group"
    DECISION_OWNERS = "decision_owners"
    DECISION_NOT_VOTED = "decision_not_voted"
    NOTICE_UNREAD = "notice_unread"
    LIST = "list"


class AsOf(StrEnum):
    """Of which moment the audience is taken."""

    LAUNCH = "launch"
    EACH_PAGE = "each_page"


class ListState(StrEnum):
    """An uploaded list of numbers is read by a worker."""

    READING = "reading"
    READY = "ready"
    FAILED = "failed"


class Campaign(db.Base):
    """One text to an audience. `community_id`: where it was written (a community or the street), not who gets it.

    `audience`: {"type", "refs": [[community_id, uuid], …], …} as the domain resolved it when it was set.
    """

    __tablename__ = "campaigns"
    __table_args__ = (
        Index("ix_campaigns_latest", "community_id", "id"),
        Index(
            "ix_campaigns_going",
            "state",
            "send_at",
            postgresql_where=text("state IN ('scheduled', 'running', 'paused')"),
        ),
        CheckConstraint("approved_by IS NULL OR approved_by <> submitted_by", name="second_person"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(60))
    template_id: Mapped[UUID] = mapped_column(ForeignKey("sms_templates.id"))
    params: Mapped[dict[str, Any]]  # values of the parameters that the campaign fills
    audience: Mapped[dict[str, Any]]
    as_of: Mapped[str] = mapped_column(String(10))
    channels: Mapped[list[Any]]
    sms_after_min: Mapped[int | None] = mapped_column(
        Integer
    )  # with both: SMS to who hasn't read WeChat by then
    send_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(20), server_default=CampaignState.DRAFT)
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    preview: Mapped[dict[str, Any] | None]
    preview_job: Mapped[dict[str, Any] | None]  # {"id", "state", "version", "message"}
    size: Mapped[int | None] = mapped_column(Integer)  # recipients counted when it was handed in
    communities: Mapped[list[Any]]  # of its parts; empty before the launch
    created_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    created_at: Mapped[datetime]
    submitted_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    submitted_at: Mapped[datetime | None]
    approved_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    approved_at: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(String(200))  # why it was sent back
    launched_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    launched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class CampaignPart(db.Base):
    """A campaign in one community: how far it is expanded, and whether its batches may leave. Made at the start.

    It carries what sending needs, so that a worker asks nothing outside its community. `home_id`: the campaign's own
    `community_id`. `cursor`: where the next page begins; `expanded_at`: there are no more.
    """

    __tablename__ = "campaign_parts"
    __table_args__ = ({"info": db.distributed()},)

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("campaigns.id"))
    home_id: Mapped[int] = mapped_column(db.BigInt)
    state: Mapped[str] = mapped_column(String(10))
    template_id: Mapped[UUID] = mapped_column(ForeignKey("sms_templates.id"))
    params: Mapped[
        list[Any]
    ]  # the values for everybody, in the order of the template; null where each has its own
    priority: Mapped[int] = mapped_column(SmallInteger)
    cursor: Mapped[str | None] = mapped_column(String(200))
    taken: Mapped[int] = mapped_column(Integer, server_default="0")  # messages written
    excluded: Mapped[dict[str, Any]]  # reason → how many
    sms_from: Mapped[datetime | None]  # with WeChat first: when those unread get a text message
    started_at: Mapped[datetime]
    expanded_at: Mapped[datetime | None]


class CampaignRecipient(db.Base):
    """A phone claimed by a campaign, in whichever community came first: who has several houses gets one message."""

    __tablename__ = "campaign_recipients"
    __table_args__ = {"info": db.distributed("campaign_id")}  # noqa: RUF012

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("campaigns.id"))
    phone_hash: Mapped[bytes] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(db.BigInt)
    message_id: Mapped[UUID] = mapped_column(info=db.soft("sms_messages.id"))


class RecipientList(db.Base):
    """Numbers handed in as a file or as rows. `problems`: [{"row", "code"}], the first of them, without the numbers."""

    __tablename__ = "recipient_lists"
    __table_args__ = ({"info": db.distributed()},)

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(8))
    columns: Mapped[list[Any]]  # headings beside the number: values for parameters of kind `list`
    total: Mapped[int] = mapped_column(Integer)
    good: Mapped[int] = mapped_column(Integer)
    problems: Mapped[list[Any]]
    created_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    created_at: Mapped[datetime]


class RecipientListEntry(db.Base):
    """One number of a list, with its values."""

    __tablename__ = "recipient_list_entries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "list_id"], ["recipient_lists.community_id", "recipient_lists.id"]
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    list_id: Mapped[UUID] = mapped_column(primary_key=True)
    phone_hash: Mapped[bytes] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer)
    phone_sealed: Mapped[bytes] = mapped_column(info=db.sealed("list_phone:{list_id}:{seq}"))
    fields: Mapped[dict[str, Any]]
