"""Who belongs to a house in the mini-program: as owner, family or tenant, on what it rests, and who objects."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class Relation(StrEnum):
    """业主 · 家人 · 租户."""

    OWNER = "owner"
    FAMILY = "family"
    TENANT = "tenant"


class MembershipStatus(StrEnum):
    """pending → verified | refused; either of the first two → ended."""

    PENDING = "pending"
    VERIFIED = "verified"
    REFUSED = "refused"
    ENDED = "ended"


OPEN = frozenset({MembershipStatus.PENDING, MembershipStatus.VERIFIED})


class Review(StrEnum):
    """Why staff have to look at it."""

    NEW = "new"  # nothing proved it
    MORE = "more"  # known by name and number; now with papers, for the vote
    OBJECTED = "objected"  # somebody of the house says that this isn't the owner
    PHONE_LOST = "phone_lost"  # it rested on a number that somebody else holds now
    PHONE_REUSED = "phone_reused"  # it rests on a number that somebody else held until lately
    OWNERS_CHANGED = "owners_changed"  # whose family she is no longer owns the house
    OWNER_PARTED = "owner_parted"  # the owner's row turned out to be two people
    OWNERS_MERGED = "owners_merged"  # two are bound as what turned out to be one owner
    PHONE_CHANGED = "phone_changed"  # it rested on a number that the registry no longer holds for the owner


# Somebody doubts it: it takes staff to say that it holds, and its ending by itself doesn't answer the doubt. A re-used
# phone is held by its own clock.
DISPUTED = frozenset(Review) - {Review.NEW, Review.MORE, Review.PHONE_REUSED}
# These take the vote until staff have decided.
SUSPENDING = frozenset({Review.OBJECTED, Review.OWNER_PARTED, Review.OWNERS_MERGED})


class Level(StrEnum):
    """What it is good for: weak gives information and tickets, strong a vote as well."""

    STRONG = "strong"
    WEAK = "weak"


class Basis(StrEnum):
    """What it rests on."""

    PHONE = "phone"  # WeChat's word for a number that the registry holds for this owner
    ID_NUMBER = "id_number"  # the name and the last six digits
    PAPERS = "papers"  # staff saw them
    DOOR_VISIT = "door_visit"  # signed at the door
    OWNER = "owner"  # an owner of the house vouches for her
    STAFF = "staff"  # staff know her; no papers


class Membership(db.Base):
    """A resident of a house. Without a resident: an owner who signed at the door and hasn't come to WeChat yet."""

    __tablename__ = "memberships"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "house_id"], ["houses.community_id", "houses.id"]),
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        ForeignKeyConstraint(["community_id", "under_id"], ["memberships.community_id", "memberships.id"]),
        Index("ix_memberships_house", "community_id", "house_id"),
        Index("ix_memberships_estate", "community_id", "estate_id", "status"),
        Index("ix_memberships_owner", "community_id", "owner_id"),
        Index("ix_memberships_under", "community_id", "under_id"),
        Index(
            "uq_memberships_open",
            "community_id",
            "house_id",
            "resident_id",
            unique=True,
            postgresql_where=text("status IN ('pending', 'verified')"),
        ),
        Index(
            "ix_memberships_review",
            "community_id",
            "estate_id",
            "id",
            postgresql_where=text("review IS NOT NULL"),
        ),
        Index("ix_memberships_until", "valid_to", postgresql_where=text("valid_to IS NOT NULL")),
        # Only an owner of whom the registry knows votes; nobody else's level can be strong.
        CheckConstraint(
            "voter_level <> 'strong' OR (relation = 'owner' AND owner_id IS NOT NULL)", name="strong_owner"
        ),
        CheckConstraint("(status = 'verified') = (voter_level IS NOT NULL)", name="level_when_verified"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    house_id: Mapped[UUID]
    estate_id: Mapped[UUID]
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    relation: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(8))
    review: Mapped[str | None] = mapped_column(String(16))
    voter_level: Mapped[str | None] = mapped_column(String(8))
    basis: Mapped[str | None] = mapped_column(String(12))
    owner_id: Mapped[UUID | None]  # which owner of the registry she is
    under_id: Mapped[UUID | None]  # the owner's membership that vouches for family or tenant
    name_sealed: Mapped[bytes] = mapped_column(info=db.sealed("member_name:{id}"))
    # The last six, until it is decided.
    id_tail_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("member_id_tail:{id}"))
    phone_hash: Mapped[bytes | None]  # the number it rests on
    why: Mapped[list[Any]]  # what didn't match, in words of `matching.Why`; for staff
    valid_to: Mapped[date | None]  # exclusive: the end of a lease
    vote_held_until: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(200))  # of the last decision, for staff
    decided_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    decided_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class MembershipAlert(db.Base):
    """A phone that had to hear of a new strong binding of its house: whose it is, and who held it in WeChat then.

    Without a resident nobody was reached; staff see it, and what sends to phones finds the number at the owner's row.
    """

    __tablename__ = "membership_alerts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "membership_id"], ["memberships.community_id", "memberships.id"]
        ),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        Index("ix_membership_alerts_owner", "community_id", "owner_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    membership_id: Mapped[UUID] = mapped_column(primary_key=True)
    phone_hash: Mapped[bytes] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    field: Mapped[str] = mapped_column(String(8))  # phone | phone2 of the owner's row
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    created_at: Mapped[datetime]


class Objection(db.Base):
    """Somebody of the house says that a strong binding is wrong: once for each person."""

    __tablename__ = "membership_objections"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "membership_id"], ["memberships.community_id", "memberships.id"]
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    membership_id: Mapped[UUID] = mapped_column(primary_key=True)
    resident_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("residents.id"))
    words_sealed: Mapped[bytes | None] = mapped_column(
        info=db.sealed("objection:{membership_id}:{resident_id}")
    )
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(8))  # kept | ended


class VoterChoice(db.Base):
    """Whom a co-owner chose to vote for their houses, and when; her newest one counts."""

    __tablename__ = "voter_choices"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "holding_id"], ["holdings.community_id", "holdings.id"]),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        ForeignKeyConstraint(["community_id", "chosen_id"], ["owners.community_id", "owners.id"]),
        Index("ix_voter_choices_holding", "community_id", "holding_id", "id"),
        Index("ix_voter_choices_owner", "community_id", "owner_id"),
        Index("ix_voter_choices_chosen", "community_id", "chosen_id"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    holding_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    chosen_id: Mapped[UUID]
    resident_id: Mapped[UUID]  # leads nowhere once she has closed her account
    at: Mapped[datetime]


class RegistrationReminder(db.Base):
    """An owner was asked on a day to bind; the key keeps it at one a day."""

    __tablename__ = "registration_reminders"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        Index("ix_registration_reminders_owner", "community_id", "owner_id", "on_day"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    estate_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    on_day: Mapped[date] = mapped_column(primary_key=True)
    resident_id: Mapped[UUID] = mapped_column(info=db.soft("residents.id"))
    reminded_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    at: Mapped[datetime]


class BindingTries(db.Base):
    """Wrong tries to bind, by resident, house or name. Rows, because emptying Redis must free nobody."""

    __tablename__ = "binding_tries"
    __table_args__ = (
        Index("ix_binding_tries_last_at", "last_at"),
        {"info": db.global_hash("key_hash")},
    )

    key_hash: Mapped[bytes] = mapped_column(primary_key=True)
    failed: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    locked_until: Mapped[datetime | None]
