"""Notices (通知公告): what was told to which places, each version of it, and who has read it.

A notice lies with one community. Where it is told, and who read it, lies with the estates' own communities, beside
the houses and their members: a notice of the street crosses communities, none of the questions about it does.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class Topic(StrEnum):
    """三务公开 · 政策 · 停水停电 · 施工维护 · 紧急 · 学习（普法）."""

    OPEN_AFFAIRS = "open_affairs"
    POLICY = "policy"
    OUTAGE = "outage"
    WORKS = "works"
    EMERGENCY = "emergency"
    STUDY = "study"


TOPIC_NAMES = {
    Topic.OPEN_AFFAIRS: "公开事项",
    Topic.POLICY: "政策通知",
    Topic.OUTAGE: "停水停电",
    Topic.WORKS: "施工通知",
    Topic.EMERGENCY: "紧急通知",
    Topic.STUDY: "学习通知",
}


class NoticeStatus(StrEnum):
    """draft → (scheduled →) published → withdrawn; what is scheduled can be taken back to draft."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class Notice(db.Base):
    """A notice as it reads today. `community_id`: of one of the estates it was written for."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_due", "publish_at", postgresql_where=text("status = 'scheduled'")),
        CheckConstraint("status <> 'scheduled' OR publish_at IS NOT NULL", name="scheduled_for"),
        CheckConstraint(
            "(status IN ('published', 'withdrawn')) = (published_at IS NOT NULL)", name="published_then"
        ),
        CheckConstraint("(status = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn_then"),
        CheckConstraint("study_minutes IS NULL OR kind = 'study'", name="minutes_of_study"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    title: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(String(5000))
    # [{"id", "name"}, …]: the communities (or street), estates, grids, buildings that were chosen, as named then.
    areas: Mapped[list[Any]]
    homes: Mapped[list[Any]]  # the communities in which its places lie
    status: Mapped[str] = mapped_column(String(12))
    publish_at: Mapped[datetime | None]
    study_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    revision: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # 1 when it is published
    published_at: Mapped[datetime | None]
    published_by: Mapped[UUID | None] = mapped_column(
        info=db.soft("staff.id")
    )  # who published or scheduled it
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    withdrawal: Mapped[str | None] = mapped_column(String(200))  # why, as residents read it
    created_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class NoticeRevision(db.Base):
    """What residents could read, from when: the first when it was published, one more for each correction."""

    __tablename__ = "notice_revisions"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "notice_id"], ["notices.community_id", "notices.id"]),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    notice_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(String(5000))
    file_ids: Mapped[list[Any]]
    reason: Mapped[str | None] = mapped_column(String(200))  # of a correction
    at: Mapped[datetime]
    staff_id: Mapped[UUID | None]  # None: the clock


class NoticePlace(db.Base):
    """A notice is told in an estate, or in one building of it. Fixed when it is published."""

    __tablename__ = "notice_places"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "building_id"], ["buildings.community_id", "buildings.id"]),
        Index("ix_notice_places_notice", "community_id", "notice_id"),
        Index("ix_notice_places_estate", "community_id", "estate_id", "listed_at", "notice_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    notice_community_id: Mapped[int] = mapped_column(db.BigInt)
    notice_id: Mapped[UUID] = mapped_column(info=db.soft("notices.id"))
    estate_id: Mapped[UUID]
    building_id: Mapped[UUID | None]  # None: the whole estate
    kind: Mapped[str] = mapped_column(String(12))
    listed_at: Mapped[datetime | None]  # published, and not withdrawn


class NoticeRead(db.Base):
    """A resident has read a notice, and perhaps studied it. `community_id`: of the estate for which she is counted."""

    __tablename__ = "notice_reads"
    __table_args__ = (
        Index("ix_notice_reads_resident_id", "resident_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    notice_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("notices.id"))
    resident_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("residents.id"))
    notice_community_id: Mapped[int] = mapped_column(db.BigInt)
    revision: Mapped[int] = mapped_column(SmallInteger)  # what she read first
    read_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
