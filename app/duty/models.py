"""Who is at which post when: posts (岗位), their weekly turns, changes of single days, and whose turn it is."""

from __future__ import annotations

from datetime import date, datetime
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


class Post(db.Base):
    """A post (岗位) of an organisation in a community, with its roster. Its row is locked while work is given out."""

    __tablename__ = "duty_posts"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["regions.id"]),
        CheckConstraint("gap BETWEEN 1 AND 50", name="gap"),
        Index(
            "uq_duty_posts_name",
            "community_id",
            "org_id",
            "name",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id"))
    name: Mapped[str] = mapped_column(String(40))
    estates: Mapped[list[Any]]  # ids of the estates it serves; empty: the whole community
    # How many more tickets than the colleague with the fewest one may be given while they stand together.
    gap: Mapped[int] = mapped_column(SmallInteger)
    given: Mapped[int] = mapped_column(Integer, server_default="0")  # how many were given out here so far
    retired_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Turn(db.Base):
    """One person's hours at a post, week by week, dated. Past midnight `ends` goes beyond 1440."""

    __tablename__ = "duty_turns"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "post_id"], ["duty_posts.community_id", "duty_posts.id"]),
        CheckConstraint(
            "starts >= 0 AND starts < 1440 AND ends > starts AND ends <= starts + 1440", name="hours"
        ),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="order"),
        Index("ix_duty_turns_post", "community_id", "post_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    post_id: Mapped[UUID]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    weekdays: Mapped[list[Any]]  # ISO: 1 Monday … 7 Sunday; the day on which it begins
    starts: Mapped[int] = mapped_column(SmallInteger)  # minutes after 00:00 in Asia/Shanghai
    ends: Mapped[int] = mapped_column(SmallInteger)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # exclusive


class DayChange(db.Base):
    """A single day that differs from the week: somebody is away, somebody comes, or one stands in for the other."""

    __tablename__ = "duty_day_changes"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "post_id"], ["duty_posts.community_id", "duty_posts.id"]),
        CheckConstraint(
            "away_id IS NOT NULL OR (comes_id IS NOT NULL AND starts IS NOT NULL)", name="somebody"
        ),
        CheckConstraint("(starts IS NULL) = (ends IS NULL)", name="whole_hours"),
        CheckConstraint(
            "starts >= 0 AND starts < 1440 AND ends > starts AND ends <= starts + 1440", name="hours"
        ),
        Index("ix_duty_day_changes_post", "community_id", "post_id", "day"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    post_id: Mapped[UUID]
    day: Mapped[date]  # on which the turns begin
    away_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    comes_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    starts: Mapped[int | None] = mapped_column(SmallInteger)  # of who comes; empty: the hours of who is away
    ends: Mapped[int | None] = mapped_column(SmallInteger)
    note: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime]


class Standing(db.Base):
    """How far somebody's turn at a post has come; what the next choice reads. It caches what was given out."""

    __tablename__ = "duty_standings"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "post_id"], ["duty_posts.community_id", "duty_posts.id"]),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    post_id: Mapped[UUID] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    day: Mapped[date]  # on which the turn began
    since: Mapped[datetime]  # and when
    score: Mapped[int] = mapped_column(Integer)  # compared among those who stand together
    given: Mapped[int] = mapped_column(Integer)  # tickets given on that day
    last_no: Mapped[int] = mapped_column(Integer)  # the post's count when the last one was given; 0: none yet
