"""The ballot log of a decision (RFC 9162), the keys behind it, and after the close the openings and the result."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db
from app.voting.roll_models import DECISION


class SigningKey(db.Base):
    """A key that signs promises and tree heads. `id`: the first 16 hex digits of SHA-256 over the public key."""

    __tablename__ = "signing_keys"
    __table_args__ = {"info": db.reference()}  # noqa: RUF012

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    alg: Mapped[str] = mapped_column(String(20))
    public_key: Mapped[str] = mapped_column(String(64))  # hex
    private_sealed: Mapped[bytes] = mapped_column(info=db.sealed("signing_key:{id}"))
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]


class Ledger(db.Base):
    """Where a decision's log stands. Who appends holds this row's lock, which is the lease; voters never take it."""

    __tablename__ = "ledgers"
    __table_args__ = (
        ForeignKeyConstraint(*DECISION),
        # What the sequencer looks through.
        Index("ix_ledgers_open", "community_id", "decision_id", postgresql_where=text("NOT is_final")),
        CheckConstraint("size > 0", name="begins_with_leaf_zero"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    tag_key_sealed: Mapped[bytes] = mapped_column(info=db.sealed("ballot_tags:{decision_id}"))
    ballot_key_sealed: Mapped[bytes] = mapped_column(info=db.sealed("ballot_key:{decision_id}"))
    key_id: Mapped[str] = mapped_column(String(16))
    size: Mapped[int] = mapped_column(db.BigInt)
    root_hash: Mapped[bytes]
    sealed_until: Mapped[datetime | None]  # the latest `cast_at` in the log
    anchored_at: Mapped[datetime | None]
    is_final: Mapped[bool] = mapped_column(Boolean, server_default="false")
    unsealed_at: Mapped[datetime | None]
    # At the close: heads with proof that the ballot reached them, where the rules count what never came back.
    told: Mapped[list[Any]] = mapped_column(server_default="[]", deferred=True)


class BallotLeaf(db.Base):
    """A leaf of the log: 0 fixes texts, rules and roll; each other one is a ballot, or what was announced since."""

    __tablename__ = "ballot_leaves"
    __table_args__ = (
        ForeignKeyConstraint(*DECISION),
        UniqueConstraint("community_id", "decision_id", "head_id", "rev"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    leaf_index: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    leaf: Mapped[str] = mapped_column(Text)
    leaf_hash: Mapped[bytes]
    head_id: Mapped[UUID | None]
    rev: Mapped[int | None] = mapped_column(SmallInteger)
    sealed_at: Mapped[datetime]


class LedgerNode(db.Base):
    """The root of a complete subtree of 2^level leaves, for every fifth level; never changes once it is complete."""

    __tablename__ = "ledger_nodes"
    __table_args__ = (ForeignKeyConstraint(*DECISION), {"info": db.distributed(append_only=True)})

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    position: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    node_hash: Mapped[bytes]


class TreeHead(db.Base):
    """A signed tree head: so many leaves had this root. `is_anchor`: printed, and kept outside our power."""

    __tablename__ = "tree_heads"
    __table_args__ = (
        ForeignKeyConstraint(*DECISION),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    root_hash: Mapped[bytes]
    signed_at: Mapped[str] = mapped_column(String(32))  # as it was signed
    key_id: Mapped[str] = mapped_column(String(16))
    signature: Mapped[str] = mapped_column(String(128))  # hex


class Anchor(db.Base):
    """A tree head that was printed and posted, so that nobody can go back behind it."""

    __tablename__ = "anchors"
    __table_args__ = (ForeignKeyConstraint(*DECISION), {"info": db.distributed(append_only=True)})

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(db.BigInt)


class Opening(db.Base):
    """What a ballot said, decrypted once after the close. `counts`: the last one of its head.

    Without a foreign key: each is written from a ballot, which has one, and neither is ever rewritten.
    """

    __tablename__ = "openings"
    __table_args__ = ({"info": db.distributed(append_only=True)},)

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    head_id: Mapped[UUID] = mapped_column(primary_key=True)  # roll_heads.id
    rev: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    salt: Mapped[str] = mapped_column(String(64))  # hex
    choices: Mapped[dict[str, Any]]  # as in `verify.opening_of`
    area_centi: Mapped[int] = mapped_column(db.BigInt)
    channel: Mapped[str] = mapped_column(String(8))
    counts: Mapped[bool] = mapped_column(Boolean)


class OfficialResult(db.Base):
    """What the authority's own system answered, entered with its file; the newest one holds."""

    __tablename__ = "official_results"
    __table_args__ = (
        ForeignKeyConstraint(*DECISION),
        Index("ix_official_results_decision", "community_id", "decision_id"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    totals: Mapped[dict[str, Any]]
    reference: Mapped[str] = mapped_column(String(100))  # its number there
    entered_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    at: Mapped[datetime]


class PollResult(db.Base):
    """What a poll came to, counted once when its ballots were opened; nobody certifies it, and nobody rewrites it."""

    __tablename__ = "poll_results"
    __table_args__ = (ForeignKeyConstraint(*DECISION), {"info": db.distributed(append_only=True)})

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    result: Mapped[dict[str, Any]]
    counted_at: Mapped[datetime]


class CertifiedResult(db.Base):
    """The result with its arithmetic, as certified; never rewritten."""

    __tablename__ = "certified_results"
    __table_args__ = (ForeignKeyConstraint(*DECISION), {"info": db.distributed(append_only=True)})

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    result: Mapped[dict[str, Any]]
    log_size: Mapped[int | None] = mapped_column(Integer)
    certified_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    certified_at: Mapped[datetime]
