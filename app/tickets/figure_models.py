"""What the figures are counted from: one narrow row for each stint of a ticket; and assessments that were published."""

from __future__ import annotations

from datetime import date, datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKeyConstraint, Index, Integer, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class Out(IntEnum):
    """Does the ticket count in scores, and if not, why? The first that holds."""

    COUNTED = 0
    EXCLUDED = 1  # an unreasonable complaint, left out with a reason
    WITHDRAWN = 2
    REJECTED = 3
    MERGED = 4
    REFERRED = 5


class Verdict(IntEnum):
    """What the reporter said of the result, by her own rating or when she was called back."""

    SATISFIED = 1  # 5-4 stars, solved
    BASICALLY = 2  # 3 stars, solved
    DISSATISFIED = 3  # 2-1 stars, or not solved


class Stint(db.Base):
    """One attempt of one unit at a ticket: from a dispatch, a failed check or a reopening to the next of them.

    A ticket has at least one; most have exactly one. A cache of the events, written with each of them
    (`app.tickets.stints`). A stint holds at most one of each moment that a figure is counted by, so a figure is a
    count of rows. What is said of the whole ticket (received, accepted) stands in its last stint, what is said of one
    run of the clock (due) in the last stint of that run.
    """

    __tablename__ = "ticket_stints"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        # A stint concerns a span of time when it began before its end and was touched after its beginning.
        # The first index holds all that the common figures need: they don't read the table.
        Index(
            "ix_ticket_stints_touched",
            "community_id",
            "touched_at",
            postgresql_include=["first_at", "outcome", "total_s", "first_s", "org_id"],
        ),
        Index("ix_ticket_stints_first", "community_id", "first_at"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)  # of the event that began it

    first_at: Mapped[datetime]  # the earliest and the latest of the moments below
    touched_at: Mapped[datetime]
    received_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    verdict_at: Mapped[datetime | None]
    total_s: Mapped[int | None] = mapped_column(Integer)  # from the first acceptance to this closing
    first_s: Mapped[int | None] = mapped_column(Integer)  # from the first acceptance to the first resolution

    # How every moment above came out, four bits each (`figure_rules.outcome`).
    outcome: Mapped[int] = mapped_column(Integer)
    out: Mapped[int] = mapped_column(SmallInteger)
    verdict: Mapped[int | None] = mapped_column(SmallInteger)
    is_accepted_in_time: Mapped[bool] = mapped_column(Boolean)
    is_dispatched_in_time: Mapped[bool] = mapped_column(Boolean)
    is_returned: Mapped[bool] = mapped_column(Boolean)
    is_supervised: Mapped[bool] = mapped_column(Boolean)
    is_closed_in_time: Mapped[bool] = mapped_column(Boolean)
    is_standing: Mapped[bool] = mapped_column(Boolean)
    is_failed: Mapped[bool] = mapped_column(Boolean)  # the check
    is_reopened: Mapped[bool] = mapped_column(Boolean)  # after this closing
    is_rated: Mapped[bool] = mapped_column(Boolean)  # by herself
    is_called_back: Mapped[bool] = mapped_column(Boolean)
    is_repeated: Mapped[bool] = mapped_column(Boolean)

    org_id: Mapped[UUID | None]  # the unit that has, or had, the ticket
    handler_id: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    accepter_id: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    dispatcher_id: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    estate_id: Mapped[UUID | None]
    grid_id: Mapped[UUID | None]
    category_code: Mapped[str | None] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(12))  # of the ticket


class Assessment(db.Base):
    """Figures that were published (考核结果), as they stood then. Append-only."""

    __tablename__ = "assessments"
    __table_args__ = (
        Index("ix_assessments_published_at", "published_at"),
        {"info": db.reference(append_only=True)},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    first_day: Mapped[date]
    last_day: Mapped[date]
    communities: Mapped[list[Any]]  # whose tickets were counted
    calendar_version: Mapped[int] = mapped_column(Integer)
    published_at: Mapped[datetime]  # the moment that the figures were read
    published_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    figures: Mapped[dict[str, Any]]
