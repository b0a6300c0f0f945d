"""Focus groups (重点人群): which groups there are, who is in one, and on what ground she may be listed there."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
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


class Basis(StrEnum):
    """Why somebody may be listed (个人信息保护法 13): she agreed, or a law makes it the authority's duty."""

    CONSENT = "consent"
    STATUTE = "statute"


class ConsentBy(StrEnum):
    """Who agreed; for a child under 14, or somebody under guardianship, the guardian (个人信息保护法 31)."""

    SELF = "self"
    GUARDIAN = "guardian"


class Purpose(StrEnum):
    """What somebody looks for. A word of this list, so that no audit row ever holds what a person wrote."""

    VISIT = "visit"  # 走访看望
    CARE = "care"  # 安排服务
    EMERGENCY = "emergency"  # 应急救助
    BENEFIT = "benefit"  # 救助核对
    REVIEW = "review"  # 定期复核
    OWN_REQUEST = "own_request"  # 本人查询、复制 (个人信息保护法 45)


class EndReason(StrEnum):
    """Why somebody is no longer listed."""

    CONSENT_WITHDRAWN = "consent_withdrawn"
    MISTAKEN = "mistaken"
    NO_LONGER = "no_longer"
    MOVED = "moved"
    DIED = "died"
    EXPIRED = "expired"  # its last day was over when it was set anew


class FocusKind(db.Base):
    """A focus group, and on what ground people may be listed in it; the ground never changes."""

    __tablename__ = "focus_kinds"
    __table_args__ = {"info": db.reference()}  # noqa: RUF012

    code: Mapped[str] = mapped_column(String(24), primary_key=True)
    basis: Mapped[str] = mapped_column(String(8))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]


class FocusKindTerm(db.Base):
    """How a focus group is called from a day to before another, under which duty, and when its people are looked at
    again. A group without a term of today lists nobody.
    """

    __tablename__ = "focus_kind_terms"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="span"),
        {"info": db.reference()},
    )

    code: Mapped[str] = mapped_column(String(24), ForeignKey("focus_kinds.code"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    duty: Mapped[str | None] = mapped_column(String(200))  # the law and article, for a group by statute
    review_months: Mapped[int] = mapped_column(SmallInteger)
    valid_to: Mapped[date | None]  # exclusive


class FocusPerson(db.Base):
    """Somebody in a focus group, with the house she lives in: an owner, or a dweller whose name is sealed here.

    An owner's name and phones stand in `owners` alone. Exists only as long as she is listed, or was and it is kept.
    """

    __tablename__ = "focus_persons"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "house_id"], ["houses.community_id", "houses.id"]),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        Index("ix_focus_persons_house", "community_id", "house_id"),
        Index("ix_focus_persons_owner", "community_id", "owner_id"),
        CheckConstraint("(owner_id IS NULL) = (name_sealed IS NOT NULL)", name="named_once"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    house_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    name_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("focus_name:{id}"))
    name_hash: Mapped[bytes | None]
    phone_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("focus_phone:{id}"))
    phone_hash: Mapped[bytes | None]
    id_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("focus_id_number:{id}"))
    id_hash: Mapped[bytes | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FocusTag(db.Base):
    """Somebody is listed in a focus group, from a day on, on this ground; set by whom, to be looked at again when.

    One that rested on a withdrawn consent, or was a mistake, is deleted; others end and are kept for a time.
    """

    __tablename__ = "focus_tags"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "person_id"], ["focus_persons.community_id", "focus_persons.id"]
        ),
        Index(
            "uq_focus_tags_open",
            "community_id",
            "person_id",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_focus_tags_kind", "community_id", "kind"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="span"),
        # Nobody is listed by consent without its paper, whatever the code forgets (个人信息保护法 14, 29).
        CheckConstraint(
            "basis <> 'consent' OR (paper IS NOT NULL AND consented_on IS NOT NULL AND consent_by IS NOT NULL)",
            name="consent_proved",
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(24), ForeignKey("focus_kinds.code"))
    basis: Mapped[str] = mapped_column(String(8))
    paper: Mapped[str | None] = mapped_column(
        String(40)
    )  # number of the signed consent, or of the certificate
    consented_on: Mapped[date | None]
    consent_by: Mapped[str | None] = mapped_column(String(8))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # exclusive
    review_on: Mapped[date]
    set_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    set_at: Mapped[datetime]
    end_reason: Mapped[str | None] = mapped_column(String(20))
    ended_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    ended_at: Mapped[datetime | None]
