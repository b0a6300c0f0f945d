"""Sources, their keys, what they have handed in, and what they are owed."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
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
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class StatusState(StrEnum):
    """open → sent, or refused when the other side will never take it."""

    OPEN = "open"
    SENT = "sent"
    REFUSED = "refused"


class Source(db.Base):
    """Another system. `region_id` is its scope: a community, or a street with all its communities. `desk_id` is the
    community whose desk gets what can't be located.
    """

    __tablename__ = "sources"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="span"),
        {"info": db.reference()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(32))  # its name in the path: /callbacks/intake/{code}
    name: Mapped[str] = mapped_column(String(80))
    channel: Mapped[str] = mapped_column(String(16))
    region_id: Mapped[int] = mapped_column(db.BigInt, ForeignKey("regions.id"))
    desk_id: Mapped[int] = mapped_column(db.BigInt, ForeignKey("regions.id"))
    callback_url: Mapped[str | None] = mapped_column(String(300))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default="true")
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # exclusive
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")

    def is_open(self, today: date) -> bool:
        """May it hand in, and is it told, on that day?"""
        return (
            self.is_active and self.valid_from <= today and (self.valid_to is None or today < self.valid_to)
        )


class SourceKey(db.Base):
    """A secret of a source, sealed: HMAC needs it in clear. Two are valid while they are being exchanged."""

    __tablename__ = "source_keys"
    __table_args__ = (
        Index("ix_source_keys_source_id", "source_id"),
        {"info": db.reference()},
    )

    key_id: Mapped[str] = mapped_column(String(24), primary_key=True)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("sources.id"))
    secret_sealed: Mapped[bytes] = mapped_column(info=db.sealed("source_key:{key_id}"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SourceNonce(db.Base):
    """A nonce that was used. In PostgreSQL, because a Redis that was emptied would let requests be replayed."""

    __tablename__ = "source_nonces"
    __table_args__ = (Index("ix_source_nonces_seen_at", "seen_at"), {"info": db.global_hash("nonce_hash")})

    nonce_hash: Mapped[bytes] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]


class SourceClaim(db.Base):
    """Which ticket a source's own number became; claimed before the community is chosen."""

    __tablename__ = "source_claims"
    __table_args__ = {"info": db.global_hash("number_hash")}  # noqa: RUF012

    number_hash: Mapped[bytes] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes]
    community_id: Mapped[int | None] = mapped_column(db.BigInt)
    ticket_id: Mapped[UUID] = mapped_column(info=db.soft("tickets.id"))
    received_at: Mapped[datetime]


class SourceTicket(db.Base):
    """The tie between a ticket and the source's own number. `last_seq` counts the statuses told, without gaps."""

    __tablename__ = "source_tickets"
    __table_args__ = (
        ForeignKeyConstraint(["source_id"], ["sources.id"]),
        Index("ix_source_tickets_number", "community_id", "source_id", "external_number"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("tickets.id"))
    source_id: Mapped[UUID]
    external_number: Mapped[str] = mapped_column(String(64))
    number: Mapped[str] = mapped_column(String(24))  # the ticket's own; a referred ticket keeps it
    last_seq: Mapped[int] = mapped_column(Integer, server_default="0")


class SourceStatus(db.Base):
    """One status that a source is told: its own outbox row. Sent in the order of `seq`, which the receiver sees."""

    __tablename__ = "source_statuses"
    __table_args__ = (
        ForeignKeyConstraint(["source_id"], ["sources.id"]),
        Index(
            "ix_source_statuses_open",
            "community_id",
            "source_id",
            "ticket_id",
            "seq",
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_source_statuses_queued_at", "queued_at"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("tickets.id"))
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    source_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime]
    org_id: Mapped[UUID | None]
    note_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("source_status:{ticket_id}:{seq}"))
    state: Mapped[str] = mapped_column(String(8), server_default=StatusState.OPEN)
    last_error: Mapped[str | None] = mapped_column(String(60))
    queued_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class SourceLane(db.Base):
    """The way from a community to a source. One worker at a time holds it, so that order is kept; when the other
    side is away, the whole lane waits instead of every status by itself.
    """

    __tablename__ = "source_lanes"
    __table_args__ = (ForeignKeyConstraint(["source_id"], ["sources.id"]), {"info": db.distributed()})

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    hold: Mapped[int] = mapped_column(Integer, server_default="0")  # counts leases; fences who woke up late
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_error: Mapped[str | None] = mapped_column(String(60))
