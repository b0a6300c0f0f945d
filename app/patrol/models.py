"""Patrols (巡查): what is to be looked at, who set out, where she was, what she saw, what was left out.

Whereabouts of a member of staff are sensitive (个人信息保护法 28): readings and tracks are sealed and live in
tables of their own, which a periodic job empties; what stays for the figures says only which point was visited.
"""

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
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class Grade(StrEnum):
    """How closely a zone is watched: 重点 · 常规 · 低风险."""

    KEY = "key"
    REGULAR = "regular"
    LOW = "low"


class Proof(StrEnum):
    """What shows that somebody was at a point."""

    QR = "qr"
    POSITION = "position"
    BOTH = "both"


class Suspicion(StrEnum):
    """Why a visit is doubted. It is kept all the same, and doesn't count as visited."""

    TOO_FAR = "too_far"  # the reading lies farther from the point than its radius and the accuracy
    NO_CODE = "no_code"  # the point asks for its code
    NO_POSITION = "no_position"  # the point asks for a position
    OLD_CODE = "old_code"  # the code of a sign that was replaced: photographed before
    TOO_FAST = "too_fast"  # nobody gets there from the visit before in that time
    REUSED_SCAN = "reused_scan"  # the same scan was handed in before, at another point or on another shift
    REUSED_READING = "reused_reading"  # the very same position reading as on another shift
    OTHER_SHIFT = "other_shift"  # scanned before the shift began, or after it ended
    OUTSIDE_PLAN = "outside_plan"  # outside the hours of the plan
    NOT_IN_PLAN = "not_in_plan"  # the point isn't on this route
    RETIRED_POINT = "retired_point"


class EndReason(StrEnum):
    """How a shift ended."""

    WORKER = "worker"
    CAP = "cap"  # nobody ended it; longer than the cap nobody walks


class Basis(StrEnum):
    """What the tickets of a zone are counted against."""

    HOMES = "homes"
    ESTATES = "estates"  # where the number of homes isn't known


class Point(db.Base):
    """A place to look at: a code on the wall, a position (WGS-84) with a radius in metres, or both."""

    __tablename__ = "patrol_points"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["regions.id"]),
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "grid_id"], ["grids.community_id", "grids.id"]),
        CheckConstraint("estate_id IS NOT NULL OR grid_id IS NOT NULL", name="somewhere"),
        CheckConstraint("proof = 'qr' OR lng IS NOT NULL", name="position_to_compare_with"),
        Index("ix_patrol_points_estate", "community_id", "estate_id", "id"),
        Index("ix_patrol_points_grid", "community_id", "grid_id", "id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    estate_id: Mapped[UUID | None]
    grid_id: Mapped[UUID | None]
    proof: Mapped[str] = mapped_column(String(8))
    lng: Mapped[float | None]
    lat: Mapped[float | None]
    radius_m: Mapped[int] = mapped_column(SmallInteger)
    code_no: Mapped[int] = mapped_column(SmallInteger)  # which printing of its code hangs on the wall
    retired_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Plan(db.Base):
    """A route that is walked again and again. What it asks for on a day stands in the term of that day."""

    __tablename__ = "patrol_plans"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["regions.id"]),
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        Index("ix_patrol_plans_estate", "community_id", "estate_id", "id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    estate_id: Mapped[UUID | None]  # empty: the whole community
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PlanTerm(db.Base):
    """What a plan asks for from a day on. A change makes a new term, so coverage of the past stays what it was."""

    __tablename__ = "patrol_plan_terms"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "plan_id"], ["patrol_plans.community_id", "patrol_plans.id"]),
        ForeignKeyConstraint(["community_id", "grid_id"], ["grids.community_id", "grids.id"]),
        CheckConstraint("org_id IS NOT NULL OR grid_id IS NOT NULL", name="somebody"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="forward"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    plan_id: Mapped[UUID] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]  # exclusive
    grade: Mapped[str] = mapped_column(String(8))
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("orgs.id"))
    grid_id: Mapped[UUID | None]
    walkers: Mapped[list[Any]]  # staff ids by name; empty: anybody of the organisation or grid
    weekdays: Mapped[list[Any]]  # ISO: 1 Monday … 7 Sunday
    windows: Mapped[list[Any]]  # [[from, to]] in minutes after 00:00 of the day; beyond 1440: after midnight
    created_at: Mapped[datetime]


class Stop(db.Base):
    """A point on the route of a term, in its order."""

    __tablename__ = "patrol_stops"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "plan_id", "valid_from"],
            ["patrol_plan_terms.community_id", "patrol_plan_terms.plan_id", "patrol_plan_terms.valid_from"],
            name="fk_patrol_stops_term",  # by the convention it would be longer than PostgreSQL keeps
        ),
        ForeignKeyConstraint(
            ["community_id", "point_id"], ["patrol_points.community_id", "patrol_points.id"]
        ),
        UniqueConstraint("community_id", "plan_id", "valid_from", "point_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    plan_id: Mapped[UUID] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    point_id: Mapped[UUID]


class Shift(db.Base):
    """One member of staff walks one plan, from her start to her end or to the cap."""

    __tablename__ = "patrol_shifts"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "plan_id"], ["patrol_plans.community_id", "patrol_plans.id"]),
        Index("ix_patrol_shifts_plan", "community_id", "plan_id", "started_at"),
        Index("ix_patrol_shifts_staff", "community_id", "staff_id", "id"),
        Index("ix_patrol_shifts_open", "community_id", "cap_at", postgresql_where=text("ended_at IS NULL")),
        Index(
            "ix_patrol_shifts_head",
            "community_id",
            "cap_at",
            postgresql_where=text("head_sealed IS NOT NULL"),
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID]
    estate_id: Mapped[UUID | None]  # the plan's, by which the desk of the area is known
    staff_id: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id"))
    role: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime]
    cap_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(8))
    kept: Mapped[int] = mapped_column(Integer)  # positions of the thinned track
    # Where the track stands: the last position kept and the last one received, sealed; erased with the track.
    head_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("patrol_head:{id}"))
    version: Mapped[int] = mapped_column(Integer)

    def is_open(self, now: datetime) -> bool:
        """Is she still on her way? Beyond the cap she isn't, though the job hasn't written it down yet."""
        return self.ended_at is None and now < self.cap_at


class OpenShift(db.Base):
    """The one shift that a member of staff has open, wherever it lies; claimed in the transaction that opens it."""

    __tablename__ = "patrol_open_shifts"
    __table_args__ = {"info": db.distributed("staff_id")}  # noqa: RUF012

    staff_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("staff.id"))
    community_id: Mapped[int] = mapped_column(db.BigInt)
    shift_id: Mapped[UUID] = mapped_column(info=db.soft("patrol_shifts.id"))


class Track(db.Base):
    """A piece of the way, thinned and sealed. Erased 30 days after it was walked."""

    __tablename__ = "patrol_tracks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "shift_id"], ["patrol_shifts.community_id", "patrol_shifts.id"]
        ),
        Index("ix_patrol_tracks_to_at", "community_id", "to_at"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    shift_id: Mapped[UUID] = mapped_column(primary_key=True)
    from_at: Mapped[datetime] = mapped_column(primary_key=True)
    to_at: Mapped[datetime]
    sealed: Mapped[bytes] = mapped_column(info=db.sealed("patrol_track:{shift_id}:{from_at:ms}"))


class Visit(db.Base):
    """Somebody was at a point, or says so. Append-only."""

    __tablename__ = "patrol_visits"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "shift_id"], ["patrol_shifts.community_id", "patrol_shifts.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "point_id"], ["patrol_points.community_id", "patrol_points.id"]
        ),
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        Index("ix_patrol_visits_plan", "community_id", "plan_id", "at"),
        Index("ix_patrol_visits_shift", "community_id", "shift_id", "at"),
        Index("ix_patrol_visits_scan", "community_id", "staff_id", "scan_id"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    shift_id: Mapped[UUID]
    plan_id: Mapped[UUID]
    point_id: Mapped[UUID]
    staff_id: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    at: Mapped[datetime]  # when she scanned; `received_at` is later when she had no network
    received_at: Mapped[datetime]
    scan_id: Mapped[str | None] = mapped_column(String(64))  # the app's own number of this scan
    has_code: Mapped[bool] = mapped_column(Boolean)
    distance_m: Mapped[int | None] = mapped_column(Integer)  # of the reading from the point
    reasons: Mapped[list[Any]]  # Suspicion; empty: nothing speaks against it
    ticket_id: Mapped[UUID | None]  # what she reported there


class Reading(db.Base):
    """The position that came with a visit, sealed. Erased with the tracks."""

    __tablename__ = "patrol_readings"
    __table_args__ = (
        Index("ix_patrol_readings_same", "community_id", "staff_id", "fingerprint"),
        Index("ix_patrol_readings_at", "community_id", "at"),
        Index("ix_patrol_readings_shift", "community_id", "shift_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    visit_id: Mapped[UUID] = mapped_column(primary_key=True)
    shift_id: Mapped[UUID]
    staff_id: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    at: Mapped[datetime]
    fingerprint: Mapped[bytes]  # keyed hash of the very numbers, to find them used again
    sealed: Mapped[bytes] = mapped_column(info=db.sealed("patrol_reading:{visit_id}"))


class Zone(db.Base):
    """What is known of a grid as a patrol zone: its homes, until the registry counts them."""

    __tablename__ = "patrol_zones"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "grid_id"], ["grids.community_id", "grids.id"]),
        CheckConstraint("homes > 0", name="homes"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    grid_id: Mapped[UUID] = mapped_column(primary_key=True)
    homes: Mapped[int | None] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime]


class ZoneGrade(db.Base):
    """The grade of a grid as it was computed at a moment, with what it was computed from. Append-only; the newest
    one is in force.
    """

    __tablename__ = "patrol_zone_grades"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "grid_id"], ["grids.community_id", "grids.id"]),
        Index("ix_patrol_zone_grades_newest", "community_id", "grid_id", "graded_at"),
        Index("ix_patrol_zone_grades_graded_at", "graded_at"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    grid_id: Mapped[UUID]
    graded_at: Mapped[datetime]
    since: Mapped[datetime]  # tickets reported from here to `graded_at`
    grade: Mapped[str] = mapped_column(String(8))
    tickets: Mapped[int] = mapped_column(Integer)  # the numerator
    basis: Mapped[str] = mapped_column(String(8))
    size: Mapped[int] = mapped_column(Integer)  # the denominator: homes, or estates
    regular_from: Mapped[int] = mapped_column(Integer)  # tickets per 100 homes, or per estate
    key_from: Mapped[int] = mapped_column(Integer)


class PatrolSetting(db.Base):
    """A number that a community chose, from a moment on. Where there is no row the default of the house holds."""

    __tablename__ = "patrol_settings"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["regions.id"]),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(Integer)
