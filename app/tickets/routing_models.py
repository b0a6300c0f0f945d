"""Dispatch rules (派单规则): which unit, post and way of choosing a person for a class at a place at a time."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class TimeKind(StrEnum):
    """When a rule holds: 全天 · 工作时间 · 非工作时间 · 时段."""

    ALWAYS = "always"
    WORKING_HOURS = "working_hours"  # of the working calendar, with make-up days and half days
    OFF_HOURS = "off_hours"  # all other times
    WINDOW = "window"


class DaysKind(StrEnum):
    """On which days of the working calendar the window of a rule begins."""

    ANY = "any"
    WORKING = "working"
    OFF = "off"


class RoutingRule(db.Base):
    """A dispatch rule as such; what it says on a day stands in the term of that day."""

    __tablename__ = "routing_rules"
    __table_args__ = (ForeignKeyConstraint(["community_id"], ["regions.id"]), {"info": db.distributed()})

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RoutingTerm(db.Base):
    """What a rule says from a day on. Empty class: all; empty place: the whole community; empty urgency: both."""

    __tablename__ = "routing_rule_terms"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "rule_id"], ["routing_rules.community_id", "routing_rules.id"]),
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "grid_id"], ["grids.community_id", "grids.id"]),
        ForeignKeyConstraint(["community_id", "post_id"], ["duty_posts.community_id", "duty_posts.id"]),
        # From and to on one day: withdrawn before it ever held for a whole day.
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="order"),
        CheckConstraint("estate_id IS NULL OR grid_id IS NULL", name="one_place"),
        CheckConstraint("(time_kind = 'window') = (starts IS NOT NULL)", name="window_has_hours"),
        CheckConstraint("(starts IS NULL) = (ends IS NULL)", name="whole_hours"),
        Index("ix_routing_rule_terms_dates", "community_id", "valid_to"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    rule_id: Mapped[UUID] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]  # exclusive
    name: Mapped[str] = mapped_column(String(60))
    category_code: Mapped[str | None] = mapped_column(String(32), ForeignKey("categories.code"))
    estate_id: Mapped[UUID | None]
    grid_id: Mapped[UUID | None]
    time_kind: Mapped[str] = mapped_column(String(16))
    days: Mapped[str] = mapped_column(String(8))  # of a window
    weekdays: Mapped[list[Any]]  # of a window: ISO, on which it begins
    starts: Mapped[int | None] = mapped_column(SmallInteger)  # minutes after 00:00; past midnight beyond 1440
    ends: Mapped[int | None] = mapped_column(SmallInteger)
    urgent: Mapped[bool | None] = mapped_column(Boolean)
    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id"))
    post_id: Mapped[UUID | None]
    method: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(SmallInteger)  # between rules that are equally specific
    created_at: Mapped[datetime]
