"""Tickets (工单): the report, its events, its number, its clocks."""

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
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class TicketStatus(StrEnum):
    """The states of the contract."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    VERIFIED = "verified"
    CLOSED = "closed"
    RETURNED = "returned"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    MERGED = "merged"
    REFERRED = "referred"


class Channel(StrEnum):
    """How the report reached us."""

    MINI_PROGRAM = "mini_program"
    PHONE = "phone"
    VISIT = "visit"
    PATROL = "patrol"
    HOTLINE = "hotline"  # 12345
    MAILBOX = "mailbox"
    CAMERA = "camera"
    SENSOR = "sensor"
    DRONE = "drone"
    OTHER = "other"


BY_PEOPLE = frozenset(  # what staff may take in on somebody's behalf; the rest comes from machines alone
    {Channel.PHONE, Channel.VISIT, Channel.PATROL, Channel.HOTLINE, Channel.MAILBOX, Channel.OTHER}
)
FROM_SOURCES = frozenset(Channel) - {Channel.MINI_PROGRAM, Channel.PHONE, Channel.VISIT, Channel.PATROL}


class Visibility(StrEnum):
    """Who reads an event: the reporter and staff, or staff alone."""

    REPORTER = "reporter"
    INTERNAL = "internal"


class TextCheck(StrEnum):
    """WeChat's verdict on the words of the report; it never blocks the report."""

    NONE = "none"  # no text, or not from a resident
    PENDING = "pending"
    PASSED = "passed"
    REVIEW = "review"
    RISKY = "risky"
    UNCHECKED = "unchecked"  # WeChat would not check it


class LimitUnit(StrEnum):
    """What a class's limit is counted in: the wall clock, or the hours and days that are worked."""

    WALL_MINUTES = "wall_minutes"
    WALL_HOURS = "wall_hours"
    WORKING_HOURS = "working_hours"
    WORKING_DAYS = "working_days"


class Category(db.Base):
    """A class of problems (问题类别) as such; what it is called and asks is in its terms.

    `national_code`: class and subclass of GB/T 30428.2, only where a source names it; `national_source` says which.
    """

    __tablename__ = "categories"
    __table_args__ = (
        CheckConstraint("national_code IS NULL OR national_source IS NOT NULL", name="national_code_sourced"),
        {"info": db.reference()},
    )

    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    national_code: Mapped[str | None] = mapped_column(String(8))
    national_source: Mapped[str | None] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class CategoryTerm(db.Base):
    """What held for a class from a day on: its place in the tree, its words, questions, limit, who answers for it.

    The terms of a class follow each other without gap or overlap; a class that was ended has no term after.
    """

    __tablename__ = "category_terms"
    __table_args__ = (
        CheckConstraint("valid_to > valid_from", name="order"),
        CheckConstraint("(limit_amount IS NULL) = (limit_unit IS NULL)", name="limit_whole"),
        CheckConstraint("limit_amount > 0", name="limit_positive"),
        CheckConstraint("parent_code <> code", name="not_its_own_parent"),
        Index("uq_category_terms_open", "code", unique=True, postgresql_where=text("valid_to IS NULL")),
        {"info": db.reference()},
    )

    code: Mapped[str] = mapped_column(String(32), ForeignKey("categories.code"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]  # exclusive
    parent_code: Mapped[str | None] = mapped_column(String(32), ForeignKey("categories.code"))
    name: Mapped[str] = mapped_column(String(40))
    hint: Mapped[str] = mapped_column(String(120))
    questions: Mapped[list[Any]] = mapped_column(
        server_default="[]"
    )  # [{key, label, type: text|choice, options[]}]
    needs_photo: Mapped[bool] = mapped_column(Boolean)
    is_public: Mapped[bool] = mapped_column(Boolean)  # may others be told that it was reported
    is_urgent: Mapped[bool] = mapped_column(Boolean)
    for_residents: Mapped[bool] = mapped_column(Boolean)  # offered to residents, or to staff alone
    limit_amount: Mapped[int | None] = mapped_column(SmallInteger)  # empty: the general promise
    limit_unit: Mapped[str | None] = mapped_column(String(16))
    org_kind: Mapped[str | None] = mapped_column(String(24))  # the kind of organisation that answers for it
    closing_text: Mapped[str | None] = mapped_column(String(300))  # what the reporter reads when it is closed
    sort: Mapped[int] = mapped_column(SmallInteger)


class CalendarDay(db.Base):
    """Is this a working day? Days that the State Council hasn't announced yet are marked unconfirmed."""

    __tablename__ = "calendar_days"
    __table_args__ = {"info": db.reference()}  # noqa: RUF012

    day: Mapped[date] = mapped_column(primary_key=True)
    is_working: Mapped[bool] = mapped_column(Boolean)
    is_half: Mapped[bool] = mapped_column(Boolean, server_default="false")  # the morning only
    is_confirmed: Mapped[bool] = mapped_column(Boolean)
    version: Mapped[int] = mapped_column(Integer, server_default="1")  # of the calendar that last changed it


class CalendarVersion(db.Base):
    """A state of the calendar; published assessments name the one they used."""

    __tablename__ = "calendar_versions"
    __table_args__ = {"info": db.reference()}  # noqa: RUF012

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    loaded_at: Mapped[datetime]
    loaded_by: Mapped[UUID | None]
    note: Mapped[str] = mapped_column(String(200))


class NumberCounter(db.Base):
    """The next ticket number of a community in a year."""

    __tablename__ = "number_counters"
    __table_args__ = (ForeignKeyConstraint(["community_id"], ["regions.id"]), {"info": db.distributed()})

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    last: Mapped[int] = mapped_column(Integer)


class ClientToken(db.Base):
    """The tap that made a ticket: claimed by its resident before the community is chosen, so a retry finds it."""

    __tablename__ = "client_tokens"
    __table_args__ = {"info": db.distributed("resident_id")}  # noqa: RUF012

    resident_id: Mapped[UUID] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    community_id: Mapped[int | None] = mapped_column(db.BigInt)
    ticket_id: Mapped[UUID] = mapped_column(info=db.soft("tickets.id"))
    created_at: Mapped[datetime]


# One byte of a hash of the id: 26 of 256 are the tenth that is called back, the same whoever asks and when.
SAMPLED = "substr(md5(tickets.id::text), 1, 2) COLLATE \"C\" < '1a'"
# Of these the reporter may have to be asked; as text, because an index is used only where it is asked in its words.
TO_CALL_BACK = f"tickets.status = 'closed' AND (tickets.is_urgent OR tickets.rating_stars <= 2 OR {SAMPLED})"


class Ticket(db.Base):
    """One problem from the report to its end. Position is WGS-84. The `…_at` and `…_by` columns cache the events."""

    __tablename__ = "tickets"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["regions.id"]),
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "grid_id"], ["grids.community_id", "grids.id"]),
        # A ticket that came back from another community has the number of its own past here.
        Index(
            "uq_tickets_number",
            "community_id",
            "number",
            unique=True,
            postgresql_where=text("status <> 'referred'"),
        ),
        CheckConstraint("rating_stars BETWEEN 1 AND 5", name="stars"),
        Index("ix_tickets_board", "community_id", "status", "id"),
        Index("ix_tickets_org", "community_id", "org_id", "status", "id"),
        Index("ix_tickets_grid", "community_id", "grid_id", "id"),
        Index(
            "ix_tickets_reported_by",
            "community_id",
            "reporter_id",
            postgresql_where=text("reporter_id IS NOT NULL"),
        ),
        # With what an organisation asks for beside the estate: of one that isn't its own nothing is read but this.
        Index(
            "ix_tickets_of_estate",
            "community_id",
            "estate_id",
            "id",
            postgresql_include=["org_id", "status"],
        ),
        Index("ix_tickets_category", "community_id", "category_code", "id"),
        Index(
            "ix_tickets_handler",
            "community_id",
            "handler_id",
            "id",
            postgresql_where=text("handler_id IS NOT NULL"),
        ),
        Index("ix_tickets_open_due", "community_id", "due_at", postgresql_where=text("ended_at IS NULL")),
        Index("ix_tickets_watch", "watch_at", "community_id", postgresql_where=text("watch_at IS NOT NULL")),
        # Of what is empty in most rows only the rest: a move writes each index of its ticket anew.
        Index(
            "ix_tickets_merged",
            "community_id",
            "merged_into",
            postgresql_where=text("merged_into IS NOT NULL"),
        ),
        Index(
            "ix_tickets_closed", "community_id", "closed_at", postgresql_where=text("closed_at IS NOT NULL")
        ),
        Index("ix_tickets_to_call_back", "community_id", "closed_at", postgresql_where=text(TO_CALL_BACK)),
        # Looking for duplicates among what is open: around a point, or in an estate (also: in none that is known).
        Index(
            "ix_tickets_open_near", "community_id", "lat", "lng", postgresql_where=text("ended_at IS NULL")
        ),
        Index(
            "ix_tickets_open_estate",
            "community_id",
            "estate_id",
            "reported_at",
            postgresql_where=text("ended_at IS NULL"),
        ),
        # What somebody has on her hands, and who handled the same class at the same place last.
        Index(
            "ix_tickets_on_hand",
            "community_id",
            "handler_id",
            postgresql_where=text("status IN ('dispatched', 'in_progress', 'suspended')"),
        ),
        Index(
            "ix_tickets_handled",
            "community_id",
            "estate_id",
            "category_code",
            "id",
            postgresql_where=text("handler_id IS NOT NULL"),
        ),
        Index(
            "ix_tickets_contact",
            "community_id",
            "contact_hash",
            postgresql_where=text("contact_hash IS NOT NULL"),
        ),
        Index(
            "ix_tickets_taken_in_by",
            "community_id",
            "taken_in_by",
            "id",
            postgresql_where=text("taken_in_by IS NOT NULL"),
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(24))
    status: Mapped[str] = mapped_column(String(12))
    channel: Mapped[str] = mapped_column(String(16))
    category_code: Mapped[str | None] = mapped_column(String(32), ForeignKey("categories.code"))
    # What the words of a report without a category spoke for when it came in, and which words said so.
    suggested_category: Mapped[str | None] = mapped_column(String(32))
    suggested_why: Mapped[list[Any] | None]
    is_urgent: Mapped[bool] = mapped_column(Boolean)
    text: Mapped[str | None] = mapped_column(Text)
    text_check: Mapped[str] = mapped_column(String(10))
    answers: Mapped[dict[str, Any]]

    # Who reported. Soft reference: residents live under their own key. An anonymous reporter is known to the
    # street and the community only.
    reporter_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    is_anonymous: Mapped[bool] = mapped_column(Boolean)
    # Given at an intake on behalf.
    reporter_name_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("reporter_name:{id}"))
    contact_phone_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("contact_phone:{id}"))
    contact_hash: Mapped[bytes | None]  # keyed hash of that phone: has the same caller reported this before?
    taken_in_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))  # who of the staff took it in

    # Where.
    estate_id: Mapped[UUID | None]
    grid_id: Mapped[UUID | None]
    lng: Mapped[float | None]
    lat: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    address: Mapped[str | None] = mapped_column(String(200))

    # Who has it.
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("orgs.id"))
    dispatch_why: Mapped[str | None] = mapped_column(String(24))
    handler_id: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    resolver_id: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))

    reported_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]  # closed, rejected, withdrawn, merged or referred
    first_resolved_at: Mapped[datetime | None]
    accept_by: Mapped[datetime]
    dispatch_by: Mapped[datetime]
    due_at: Mapped[datetime]
    stage_due_at: Mapped[datetime | None]  # of the step that waits
    standing_since: Mapped[datetime | None]  # the clock stands: suspended
    standing_until: Mapped[datetime | None]  # and starts again by itself then
    warned_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    watch_at: Mapped[datetime | None]  # when the watch over the limits looks at it next
    # The deadline of a step at the desk whose passing was noticed last, and how many have been told of that.
    stage_breached_at: Mapped[datetime | None]
    stage_level: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # 1: the desk, 2: the street
    stages_late: Mapped[int] = mapped_column(
        SmallInteger, server_default="0"
    )  # steps at the desk that were late

    # Pressure and history.
    supervised: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    supervise_level: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    urged: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_urged_at: Mapped[datetime | None]
    returns: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    me_too: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    is_repeated: Mapped[bool] = mapped_column(Boolean, server_default="false")
    is_excluded: Mapped[bool] = mapped_column(Boolean, server_default="false")
    closer_org_id: Mapped[UUID | None]  # who had fixed it when it was closed last
    merged_into: Mapped[UUID | None]
    referred_community: Mapped[int | None] = mapped_column(db.BigInt)
    referred_to: Mapped[UUID | None] = mapped_column(info=db.soft("tickets.id"))
    origin_community: Mapped[int | None] = mapped_column(db.BigInt)
    origin_id: Mapped[UUID | None] = mapped_column(info=db.soft("tickets.id"))
    first_reported_at: Mapped[datetime | None]  # of the first of a chain of referrals

    rating_stars: Mapped[int | None] = mapped_column(SmallInteger)
    rating_solved: Mapped[bool | None] = mapped_column(Boolean)
    rated_at: Mapped[datetime | None]
    reopened: Mapped[int] = mapped_column(SmallInteger, server_default="0")

    version: Mapped[int] = mapped_column(Integer)
    last_seq: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime]
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class TicketLetters(db.Base):
    """What a ticket is found by in a search: the letters in it and the pairs of neighbours (`app.tickets.letters`).

    Apart from the ticket, because a move writes all indexes of its ticket anew, and this one is large.
    """

    __tablename__ = "ticket_letters"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        # A row is written once: no pending list, which every search would have to read.
        Index(
            "ix_ticket_letters_pieces",
            "pieces",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(primary_key=True)
    pieces: Mapped[list[str]] = mapped_column(ARRAY(Text))  # each behind the number of its community


class TicketEvent(db.Base):
    """What happened to a ticket; the timeline. Append-only. Words are sealed under the key of who wrote them."""

    __tablename__ = "ticket_events"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        UniqueConstraint("community_id", "ticket_id", "seq"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[UUID]
    seq: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    from_status: Mapped[str | None] = mapped_column(String(12))
    to_status: Mapped[str] = mapped_column(String(12))
    visibility: Mapped[str] = mapped_column(String(8))
    actor_kind: Mapped[str] = mapped_column(String(12))
    actor_id: Mapped[UUID | None]
    org_id: Mapped[UUID | None]  # the organisation the actor stood for, or that the ticket went to
    words_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed_by("words_key_of"))
    words_key_of: Mapped[UUID | None]  # whose key seals the words; empty (older rows): the installation's
    data: Mapped[dict[str, Any]]


class ExtensionState(StrEnum):
    """Asked for, then decided once."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    LAPSED = "lapsed"  # handed back or fixed before anybody decided


class Extension(db.Base):
    """More time asked for (延期申请), decided by the desk."""

    __tablename__ = "ticket_extensions"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        Index("ix_ticket_extensions_ticket", "community_id", "ticket_id"),
        Index(
            "uq_ticket_extensions_pending",
            "community_id",
            "ticket_id",
            unique=True,
            postgresql_where=text("state = 'pending'"),
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[UUID]
    until: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(8))
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    decision_note: Mapped[str | None] = mapped_column(String(500))


class PartKind(StrEnum):
    """主办 / 协办."""

    LEAD = "lead"
    ASSIST = "assist"


class Part(db.Base):
    """One unit's task within a ticket (吹哨报到): all share the ticket's deadline."""

    __tablename__ = "ticket_parts"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        ForeignKeyConstraint(["org_id"], ["orgs.id"]),
        UniqueConstraint("community_id", "ticket_id", "org_id"),
        Index("ix_ticket_parts_org", "community_id", "org_id", "ticket_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[UUID]
    org_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(8))
    task: Mapped[str] = mapped_column(String(500))
    added_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    done_by: Mapped[UUID | None]
    done_note: Mapped[str | None] = mapped_column(String(1000))


class Follower(db.Base):
    """A resident who has the same problem: by 'me too'.

    A ticket referred from elsewhere also has those whose own ticket (`own_ticket_id`, there) was merged into it
    before; within a community they are known by `Ticket.merged_into`.
    """

    __tablename__ = "ticket_followers"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(primary_key=True)
    resident_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("residents.id"))
    own_ticket_id: Mapped[UUID | None]  # the merged one
    joined_at: Mapped[datetime]


class Callback(db.Base):
    """A call back to the reporter (回访): what she said of the result."""

    __tablename__ = "ticket_callbacks"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),
        Index("ix_ticket_callbacks_ticket", "community_id", "ticket_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[UUID]
    stars: Mapped[int] = mapped_column(SmallInteger)
    solved: Mapped[bool] = mapped_column(Boolean)
    note: Mapped[str | None] = mapped_column(String(1000))
    by: Mapped[UUID]
    at: Mapped[datetime]


class TicketMatch(db.Base):
    """Two tickets that are perhaps one problem, as last scored. A suggestion: nothing is merged without a person."""

    __tablename__ = "ticket_matches"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["tickets.community_id", "tickets.id"]),
        ForeignKeyConstraint(["community_id", "other_id"], ["tickets.community_id", "tickets.id"]),
        Index("ix_ticket_matches_other", "community_id", "other_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(primary_key=True)
    other_id: Mapped[UUID] = mapped_column(primary_key=True)
    score: Mapped[float]
    why: Mapped[dict[str, Any]]
    matched_at: Mapped[datetime]


class MatchDismissal(db.Base):
    """Two tickets that a person has looked at and found to be two problems: not suggested again.

    The pair is stored once, the smaller id first.
    """

    __tablename__ = "ticket_match_dismissals"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "one_id"], ["tickets.community_id", "tickets.id"]),
        ForeignKeyConstraint(["community_id", "other_id"], ["tickets.community_id", "tickets.id"]),
        CheckConstraint("one_id < other_id", name="in_order"),
        Index("ix_ticket_match_dismissals_other", "community_id", "other_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    one_id: Mapped[UUID] = mapped_column(primary_key=True)
    other_id: Mapped[UUID] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(500))
    by: Mapped[UUID]
    at: Mapped[datetime]
