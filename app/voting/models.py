"""Decisions (业主大会的表决): what is decided by which rules, its motions and candidates, and what happened to it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
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


class DecisionKind(StrEnum):
    """业主大会 · 业委会选举 · 意见征询."""

    MEETING = "meeting"
    ELECTION = "election"
    POLL = "poll"  # no legal effect, and said so wherever it is shown


class LegalMode(StrEnum):
    """What effect the ballots have in law. A street officer sets one above `poll`, with the document that allows it."""

    POLL = "poll"
    PAPER_BACKED = "paper_backed"
    OFFICIAL = (
        "official"  # cast in the authority's own system; here it is announced, reminded and its result kept
    )


class DecisionStatus(StrEnum):
    """draft → in_review → announced → open → closed → certified → posted → archived; cancelled until certified.

    Filing with the street (备案) has its own clock and moves nothing.
    """

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    ANNOUNCED = "announced"
    OPEN = "open"
    CLOSED = "closed"
    CERTIFIED = "certified"
    POSTED = "posted"
    ARCHIVED = "archived"
    CANCELLED = "cancelled"


class CandidateStatus(StrEnum):
    """nominated → accepted | refused by the preparation group; withdrawn by herself before the freeze."""

    NOMINATED = "nominated"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class NominatedBy(StrEnum):
    """Who proposes a candidate."""

    PARTY = "party"  # 党组织
    COMMITTEE = "committee"  # 居委会
    SELF = "self"
    JOINT = "joint"  # owners together (聊城: 20 %)


class PetitionStatus(StrEnum):
    """open → reached (a draft was started) | expired | withdrawn."""

    OPEN = "open"
    REACHED = "reached"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class ProcedureRules(db.Base):
    """The estate's rules of procedure from a moment on; the newest version holds. `rules`: `app.voting.rules.Rules`."""

    __tablename__ = "procedure_rules"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        UniqueConstraint("community_id", "estate_id", "version"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(Integer)
    rules: Mapped[dict[str, Any]]
    document: Mapped[str | None] = mapped_column(String(200))  # which text, as its papers are called
    clause: Mapped[str | None] = mapped_column(String(200))
    adopted_on: Mapped[date | None]
    set_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    set_at: Mapped[datetime]


class VotingMode(db.Base):
    """Which legal effect an estate's votes may have, by which document; the newest row holds."""

    __tablename__ = "voting_modes"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        Index("ix_voting_modes_estate", "community_id", "estate_id", "set_at"),
        # Nobody gives votes a legal effect without the document that allows it.
        CheckConstraint("mode = 'poll' OR document IS NOT NULL", name="documented"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    mode: Mapped[str] = mapped_column(String(12))
    document: Mapped[str | None] = mapped_column(String(200))
    system: Mapped[str | None] = mapped_column(String(100))  # the authority's system, for `official`
    set_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    set_at: Mapped[datetime]


class Decision(db.Base):
    """A meeting of owners with its motions, an election, or a poll, of an estate or some of its buildings.

    `rules` are the estate's as copied when it was announced. `closes_at` is what holds; `announced_closes_at` what was
    announced first, once it has been extended. `heads` and `area_centi` are the frozen roll's.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "previous_id"], ["decisions.community_id", "decisions.id"]),
        Index("ix_decisions_estate", "community_id", "estate_id", "status"),
        # What the clock has to do: freeze, open, close, post, archive.
        Index(
            "ix_decisions_running",
            "status",
            "opens_at",
            postgresql_where=text("status IN ('announced', 'open', 'closed', 'certified', 'posted')"),
        ),
        CheckConstraint("closes_at > opens_at", name="window"),
        CheckConstraint("kind <> 'poll' OR legal_mode = 'poll'", name="poll_stays_poll"),
        CheckConstraint("status <> 'cancelled' OR cancel_reason IS NOT NULL", name="cancelled_with_reason"),
        CheckConstraint("status <> 'open' OR frozen_at IS NOT NULL", name="open_when_frozen"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(8))
    title: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)
    legal_mode: Mapped[str] = mapped_column(String(12))
    status: Mapped[str] = mapped_column(String(10))
    building_ids: Mapped[list[Any] | None]  # UUIDs as text; None: the whole estate
    rules: Mapped[dict[str, Any]]
    previous_id: Mapped[UUID | None]  # the round before, for a second round or a new try
    petition_id: Mapped[UUID | None]
    # Leaf 0 fixes the hash of the texts; the nonce keeps names among them from being guessed.
    texts_nonce: Mapped[str] = mapped_column(String(64))
    nominations_until: Mapped[datetime | None]  # of an election; owners nominate until then
    announced_at: Mapped[datetime | None]
    objections_until: Mapped[datetime | None]  # to the roll
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    announced_closes_at: Mapped[datetime | None]
    extended_at: Mapped[datetime | None]
    extension_reason: Mapped[str | None] = mapped_column(String(200))
    frozen_at: Mapped[datetime | None]
    heads: Mapped[int | None] = mapped_column(Integer)
    area_centi: Mapped[int | None] = mapped_column(db.BigInt)
    roll_root_hash: Mapped[bytes | None]
    closed_at: Mapped[datetime | None]
    certified_at: Mapped[datetime | None]
    filing_due_at: Mapped[datetime | None]
    filed_at: Mapped[datetime | None]
    filing_number: Mapped[str | None] = mapped_column(String(60))
    posted_at: Mapped[datetime | None]
    posted_until: Mapped[datetime | None]  # objections to the result until then
    archived_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cancel_reason: Mapped[str | None] = mapped_column(String(200))
    created_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Motion(db.Base):
    """议题: one question of a decision. Its threshold follows from `matter` (民法典 278); a poll has none.

    An election is a motion with seats: who is elected needs both thresholds, and who misses a seat may be an alternate.
    """

    __tablename__ = "motions"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "decision_id"], ["decisions.community_id", "decisions.id"]),
        UniqueConstraint("community_id", "decision_id", "number"),
        CheckConstraint("matter BETWEEN 1 AND 9", name="matter_of_the_law"),
        CheckConstraint("seats IS NULL OR matter = 3", name="election_is_matter_three"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(SmallInteger)
    matter: Mapped[int | None] = mapped_column(SmallInteger)
    title: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)
    seats: Mapped[int | None] = mapped_column(SmallInteger)
    alternates: Mapped[int | None] = mapped_column(SmallInteger)  # at most so many


class Candidate(db.Base):
    """候选人. Her name is sealed here, and shown to the owners whom the election binds."""

    __tablename__ = "candidates"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "decision_id"], ["decisions.community_id", "decisions.id"]),
        ForeignKeyConstraint(["community_id", "motion_id"], ["motions.community_id", "motions.id"]),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        Index("ix_candidates_decision", "community_id", "decision_id"),
        CheckConstraint("status <> 'refused' OR reason IS NOT NULL", name="refused_with_reason"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    motion_id: Mapped[UUID]
    number: Mapped[int | None] = mapped_column(SmallInteger)  # on the ballot, given when it is announced
    name_sealed: Mapped[bytes] = mapped_column(info=db.sealed("candidate_name:{id}"))
    statement_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("candidate_statement:{id}"))
    owner_id: Mapped[UUID | None]  # which owner of the registry she is
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    nominated_by: Mapped[str] = mapped_column(String(12))
    status: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(200))
    checked_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    checked_at: Mapped[datetime | None]
    posted_until: Mapped[datetime | None]  # objections to her until then
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CandidateBacker(db.Base):
    """An owner who nominates a candidate jointly with others (联名推荐)."""

    __tablename__ = "candidate_backers"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "candidate_id"], ["candidates.community_id", "candidates.id"]),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    candidate_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class DecisionEvent(db.Base):
    """What happened to a decision, in order. `is_public`: everyone bound by it may read it. No name, no choice."""

    __tablename__ = "decision_events"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "decision_id"], ["decisions.community_id", "decisions.id"]),
        Index("ix_decision_events_decision", "community_id", "decision_id", "id"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(24))
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(12))
    actor_id: Mapped[UUID | None]
    is_public: Mapped[bool] = mapped_column(Boolean)
    details: Mapped[dict[str, Any]]


class DecisionObjection(db.Base):
    """An objection (异议) to the roll, a candidate or the result. Its words and its end are those of its ticket."""

    __tablename__ = "decision_objections"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "decision_id"], ["decisions.community_id", "decisions.id"]),
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        Index("ix_decision_objections_decision", "community_id", "decision_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]
    about: Mapped[str] = mapped_column(String(10))  # roll, candidate, result
    head_id: Mapped[UUID | None]
    candidate_id: Mapped[UUID | None]
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    ticket_id: Mapped[UUID]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]


class Petition(db.Base):
    """Owners ask for a meeting: 20 % of heads and of area start a draft (物业管理条例 13).

    `heads` and `area_centi` stand behind it, of so many in the estate, as counted at `counted_at` and added to since.
    """

    __tablename__ = "petitions"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        Index("ix_petitions_estate", "community_id", "estate_id", "status"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    title: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)
    motions: Mapped[list[Any]]  # {matter, title, text} each
    status: Mapped[str] = mapped_column(String(10))
    started_by: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    decision_id: Mapped[UUID | None]
    heads: Mapped[int] = mapped_column(Integer, server_default="0")
    area_centi: Mapped[int] = mapped_column(db.BigInt, server_default="0")
    total_heads: Mapped[int] = mapped_column(Integer, server_default="0")
    total_area_centi: Mapped[int] = mapped_column(db.BigInt, server_default="0")
    counted_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]


class PetitionSignature(db.Base):
    """An owner asks for it too."""

    __tablename__ = "petition_signatures"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "petition_id"], ["petitions.community_id", "petitions.id"]),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    petition_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    at: Mapped[datetime]
