"""Ballots (表决票), and what comes before one on paper or by proxy."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db
from app.voting.roll_models import HEAD


class Channel(StrEnum):
    """How a ballot came."""

    ONLINE = "online"
    PAPER = "paper"


class Capacity(StrEnum):
    """As what somebody casts for a head."""

    OWNER = "owner"  # the sole owner
    VOTER = "voter"  # the one whom the co-owners chose
    PROXY = "proxy"  # 委托代理人
    AGENT = "agent"  # of a company or other body
    NEW_OWNER = "new_owner"  # who bought the house after the freeze, where the rules say so


class PaperStatus(StrEnum):
    """entered → confirmed by a second person (and then a ballot) | refused by her."""

    ENTERED = "entered"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class ProxyStatus(StrEnum):
    """pending → approved | refused; revoked by who gave it, before the proxy cast."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    REVOKED = "revoked"


class Ballot(db.Base):
    """A ballot that was accepted; the highest `rev` of a head counts. Never rewritten.

    `leaf_hash`: of its leaf in the log. `opening_sealed`: 32 bytes of salt and the opening (`verify.opening_of`), under
    the decision's own key (`Ledger.ballot_key_sealed`). `cast_at` is the database's clock.
    """

    __tablename__ = "ballots"
    __table_args__ = (
        ForeignKeyConstraint(*HEAD),
        # What the sequencer looks for.
        Index("ix_ballots_cast", "community_id", "decision_id", "cast_at"),
        Index("ix_ballots_caster", "community_id", "cast_by", "decision_id"),
        CheckConstraint("rev > 0", name="rev_positive"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    head_id: Mapped[UUID] = mapped_column(primary_key=True)
    rev: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    leaf_hash: Mapped[bytes]
    commitment_hash: Mapped[bytes]
    opening_sealed: Mapped[bytes] = mapped_column(
        LargeBinary, info=db.sealed_under("ledgers.ballot_key_sealed")
    )
    channel: Mapped[str] = mapped_column(String(8))
    capacity: Mapped[str] = mapped_column(String(10))
    cast_at: Mapped[datetime]
    cast_by: Mapped[UUID | None]  # a resident; leads nowhere once she has closed her account
    paper_id: Mapped[UUID | None]
    proxy_id: Mapped[UUID | None]
    key_id: Mapped[str] = mapped_column(String(16))
    promised_at: Mapped[str] = mapped_column(String(32))  # as it was signed
    within_s: Mapped[int] = mapped_column(Integer)
    signature: Mapped[str] = mapped_column(String(128))  # hex


class PaperBallot(db.Base):
    """A signed sheet (书面表决票) that staff entered, with its photograph; a ballot once a second person confirmed it.

    `invalid_reason`: why it can't be counted (unsigned, over-voted, unreadable).
    """

    __tablename__ = "paper_ballots"
    __table_args__ = (
        ForeignKeyConstraint(*HEAD),
        Index("ix_paper_ballots_decision", "community_id", "decision_id", "status"),
        Index(
            "uq_paper_ballots_open",
            "community_id",
            "decision_id",
            "head_id",
            unique=True,
            postgresql_where=text("status = 'entered'"),
        ),
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> entered_by", name="second_person"),
        CheckConstraint("is_signed OR invalid_reason IS NOT NULL", name="unsigned_is_invalid"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    head_id: Mapped[UUID]
    choices_sealed: Mapped[bytes] = mapped_column(info=db.sealed("paper_ballot:{id}"))
    is_signed: Mapped[bool] = mapped_column(Boolean)
    invalid_reason: Mapped[str | None] = mapped_column(String(100))
    signed_on: Mapped[date | None]
    proxy_id: Mapped[UUID | None]  # signed by a proxy
    status: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(200))  # why it was refused
    entered_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    entered_at: Mapped[datetime]
    confirmed_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    confirmed_at: Mapped[datetime | None]
    ballot_rev: Mapped[int | None] = mapped_column(SmallInteger)
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class Proxy(db.Base):
    """A written authorisation (委托书): somebody casts for a head, by the owner's stated will. Her paper hangs here."""

    __tablename__ = "proxies"
    __table_args__ = (
        ForeignKeyConstraint(*HEAD),
        Index("ix_proxies_decision", "community_id", "decision_id", "status"),
        Index("ix_proxies_resident", "community_id", "resident_id", "decision_id"),
        Index(
            "uq_proxies_open",
            "community_id",
            "decision_id",
            "head_id",
            unique=True,
            postgresql_where=text("status IN ('pending', 'approved')"),
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    head_id: Mapped[UUID]
    capacity: Mapped[str] = mapped_column(String(10))  # proxy, agent
    name_sealed: Mapped[bytes] = mapped_column(info=db.sealed("proxy_name:{id}"))
    phone_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("proxy_phone:{id}"))
    phone_hash: Mapped[bytes | None]
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))  # who casts, once known
    given_by: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    entered_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    status: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str | None] = mapped_column(String(200))
    decided_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    decided_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
