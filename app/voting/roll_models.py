"""The roll (业主名册) of a decision, frozen before it opens: heads, their houses, and who may vote for each."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db

DECISION = (["community_id", "decision_id"], ["decisions.community_id", "decisions.id"])
HEAD = (
    ["community_id", "decision_id", "head_id"],
    ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
)


class DeliveryWay(StrEnum):
    """How an owner was reached (送达)."""

    WECHAT = "wechat"
    SMS = "sms"
    VISIT = "visit"
    LOGIN = "login"
    POSTED = "posted"  # for whom nothing else reaches: a notice in the area (舟山: at least 7 days)


class RollHead(db.Base):
    """One owner for this decision (解释 9). `number` counts from 1; `label` are her rooms, never her name.

    `tag_hash`: her name in the ballot log. `voter_id`: who of her owners votes; None while they haven't agreed.
    """

    __tablename__ = "roll_heads"
    __table_args__ = (
        ForeignKeyConstraint(*DECISION),
        # No other index may begin with the decision: on a table that was never analysed PostgreSQL takes any of them
        # for the foreign keys that point here, and for each row of a first large roll it looks through all heads.
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    tag_hash: Mapped[bytes]
    area_centi: Mapped[int] = mapped_column(db.BigInt)
    houses: Mapped[int] = mapped_column(Integer)
    label: Mapped[str] = mapped_column(String(200))
    # Of her first room, numbers as numbers: 2栋 stands before 10栋.
    sort_key: Mapped[str] = mapped_column(String(120), server_default="")
    building_id: Mapped[UUID | None]  # of her first house
    voter_id: Mapped[UUID | None]
    is_developer: Mapped[bool] = mapped_column(Boolean)


class RollHouse(db.Base):
    """A house on the roll, with the area that counts and where that was taken from (解释 8)."""

    __tablename__ = "roll_houses"
    __table_args__ = (
        ForeignKeyConstraint(*HEAD),
        Index("ix_roll_houses_head", "community_id", "decision_id", "head_id"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    house_id: Mapped[UUID] = mapped_column(primary_key=True)
    head_id: Mapped[UUID]
    building_id: Mapped[UUID | None]
    area_centi: Mapped[int | None] = mapped_column(Integer)
    area_basis: Mapped[str | None] = mapped_column(String(10))
    label: Mapped[str] = mapped_column(String(140))


class RollOwner(db.Base):
    """Each owner of a head, under every row of the registry that was her when the roll was frozen."""

    __tablename__ = "roll_owners"
    __table_args__ = (
        ForeignKeyConstraint(*HEAD),
        Index("ix_roll_owners_head", "community_id", "decision_id", "head_id"),
        Index("ix_roll_owners_owner", "community_id", "owner_id"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("owners.id"))
    head_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_voter: Mapped[bool] = mapped_column(Boolean)


class Delivery(db.Base):
    """Proof that a head was told, the first of each way (送达证明)."""

    __tablename__ = "decision_deliveries"
    __table_args__ = (
        ForeignKeyConstraint(*DECISION),
        UniqueConstraint("community_id", "decision_id", "head_id", "way"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    head_id: Mapped[UUID]
    way: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(12))
    actor_id: Mapped[UUID | None]


class EntryStatus(StrEnum):
    """entered → confirmed by a second person, and then proof | refused by her."""

    ENTERED = "entered"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class DeliveryEntry(db.Base):
    """Visits with their receipts, or a posted notice with its photo, as somebody of the staff entered them together;
    proof for their heads once a second person has read the papers, which hang here.
    """

    __tablename__ = "delivery_entries"
    __table_args__ = (
        ForeignKeyConstraint(*DECISION),
        Index("ix_delivery_entries_decision", "community_id", "decision_id", "status"),
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> entered_by", name="second_person"),
        CheckConstraint("status <> 'refused' OR reason IS NOT NULL", name="refused_with_reason"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    way: Mapped[str] = mapped_column(String(8))  # visit, posted
    heads: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(200))  # why it was refused
    entered_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    entered_at: Mapped[datetime]
    confirmed_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))  # or refused
    confirmed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class DeliveryEntryHead(db.Base):
    """A head of such an entry."""

    __tablename__ = "delivery_entry_heads"
    __table_args__ = (
        ForeignKeyConstraint(*HEAD, name="fk_delivery_entry_heads_head"),
        ForeignKeyConstraint(
            ["community_id", "entry_id"], ["delivery_entries.community_id", "delivery_entries.id"]
        ),
        Index("ix_delivery_entry_heads_entry", "community_id", "entry_id"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    head_id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID] = mapped_column(primary_key=True)


class PaperRequest(db.Base):
    """Somebody without a phone, or who would rather sign: a sheet, or a visit."""

    __tablename__ = "paper_requests"
    __table_args__ = (
        ForeignKeyConstraint(*HEAD),
        Index("ix_paper_requests_decision", "community_id", "decision_id", "done_at"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    head_id: Mapped[UUID]
    wants: Mapped[str] = mapped_column(String(8))  # paper, visit
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    entered_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    done_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    done_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class VoteAttempt(db.Base):
    """Somebody tried to cast and was refused, by what; for disputes. No choice is kept."""

    __tablename__ = "vote_attempts"
    __table_args__ = (
        ForeignKeyConstraint(*DECISION),
        Index("ix_vote_attempts_head", "community_id", "decision_id", "head_id"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    head_id: Mapped[UUID]
    resident_id: Mapped[UUID | None]  # leads nowhere once she has closed her account
    rev: Mapped[int | None] = mapped_column(SmallInteger)  # the ballot it ran against
    why: Mapped[str] = mapped_column(String(24))
    at: Mapped[datetime]
