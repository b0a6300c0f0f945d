"""People: residents and staff, how they log in, what they agreed to, what staff may do where."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, Integer, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class IdentityKind(StrEnum):
    """What is unique across the whole installation."""

    OPENID = "openid"
    PHONE = "phone"


class ConsentKey(StrEnum):
    """What a resident may agree to, each by itself (个人信息保护法 29)."""

    PHOTO_POSITION = "photo_position"


class Resident(db.Base):
    """A resident of the mini-program (居民). Openid and phone are encrypted; look-up goes through identity_keys."""

    __tablename__ = "residents"
    __table_args__ = {"info": db.distributed("id")}  # noqa: RUF012

    id: Mapped[UUID] = mapped_column(primary_key=True)
    openid_sealed: Mapped[bytes] = mapped_column(info=db.sealed("openid:{id}"))
    nickname_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("nickname:{id}"))
    phone_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("phone:{id}"))
    phone_verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class IdentityKey(db.Base):
    """Who holds an openid or a phone, by keyed hash; claimed in the transaction that needs it."""

    __tablename__ = "identity_keys"
    __table_args__ = (Index("ix_identity_keys_person_id", "person_id"), {"info": db.global_hash("key_hash")})

    key_hash: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(info=db.soft("residents.id"))
    claimed_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]  # when it last went over from somebody else


class MarkKind(StrEnum):
    """What is remembered of an openid or a phone, whoever holds it now."""

    TAKEN = "taken"  # this phone went over from somebody else
    REFUSED = "refused"  # who held this was refused somewhere: the hash is of both


class IdentityMark(db.Base):
    """What stays known of an openid or a phone when its account is closed or another number is verified. Keyed hashes:
    names nobody, and leads to no account.
    """

    __tablename__ = "identity_marks"
    __table_args__ = (Index("ix_identity_marks_at", "kind", "at"), {"info": db.global_hash("key_hash")})

    key_hash: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    at: Mapped[datetime]


class PersonKey(db.Base):
    """The key of who writes into append-only tables (a resident, a member of staff, another system; nil: the house).
    Closing an account destroys it.
    """

    __tablename__ = "person_keys"
    __table_args__ = {"info": db.distributed("person_id")}  # noqa: RUF012

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes] = mapped_column(info=db.sealed("person_key:{person_id}"))


class ResidentSession(db.Base):
    """A login and the family of its rotating refresh tokens. WeChat's session_key never leaves this row."""

    __tablename__ = "resident_sessions"
    __table_args__ = {"info": db.distributed("resident_id")}  # noqa: RUF012

    resident_id: Mapped[UUID] = mapped_column(ForeignKey("residents.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    refresh_hash: Mapped[bytes]
    session_key_sealed: Mapped[bytes] = mapped_column(info=db.sealed("session_key:{id}"))
    created_at: Mapped[datetime]
    rotated_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(24))  # logout | reuse


class Consent(db.Base):
    """One consent in its latest version; giving and withdrawing are audited."""

    __tablename__ = "consents"
    __table_args__ = {"info": db.distributed("resident_id")}  # noqa: RUF012

    resident_id: Mapped[UUID] = mapped_column(ForeignKey("residents.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(SmallInteger)
    granted_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class ResidentIndex(db.Base):
    """What is mine, wherever it lives: read by 'my tickets' and home. Soft references, checked nightly."""

    __tablename__ = "resident_index"
    __table_args__ = (
        Index("ix_resident_index_latest", "resident_id", "kind", "updated_at", "object_id"),
        {"info": db.distributed("resident_id")},
    )

    resident_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    object_id: Mapped[UUID] = mapped_column(primary_key=True, info=db.soft("tickets.id", "memberships.id"))
    updated_at: Mapped[datetime]


class StaffStatus(StrEnum):
    """May this account log in?"""

    ACTIVE = "active"
    DISABLED = "disabled"


class Staff(db.Base):
    """A member of grid, property, community or street staff (工作人员), with what proves who it is."""

    __tablename__ = "staff"
    __table_args__ = (UniqueConstraint("account"), {"info": db.reference()})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(
        String(40)
    )  # official capacity: shown to colleagues, never to residents
    password_hash: Mapped[str] = mapped_column(String(160))
    status: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime]
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("orgs.id"))  # whose administrators look after it
    must_change: Mapped[bool] = mapped_column(Boolean, server_default="false")  # the password was given out
    password_at: Mapped[datetime | None]
    totp_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("totp:{id}"))
    # Shown, not yet confirmed by a code.
    totp_pending: Mapped[bytes | None] = mapped_column(info=db.sealed("totp_pending:{id}"))
    totp_step: Mapped[int | None] = mapped_column(db.BigInt)  # the last one used; none counts twice
    totp_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class RecoveryCode(db.Base):
    """A code that stands in once for a lost authenticator; stored as a hash."""

    __tablename__ = "staff_recovery_codes"
    __table_args__ = {"info": db.reference()}  # noqa: RUF012

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    used_at: Mapped[datetime | None]


class LoginAttempts(db.Base):
    """Wrong passwords and codes in a row for an account name, whether or not there is such an account: locking
    must not tell which names exist. Likewise for an address, where `locked_until` is the end of the time counted.
    """

    __tablename__ = "login_attempts"
    __table_args__ = (
        Index("ix_login_attempts_last_at", "last_at"),
        {"info": db.global_hash("account_hash")},
    )

    account_hash: Mapped[bytes] = mapped_column(primary_key=True)  # keyed, of the name or the address
    failed: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    locked_until: Mapped[datetime | None]
    last_at: Mapped[datetime]


class Role(StrEnum):
    """What somebody is, within a reach (`app.people.scopes` says which kind of reach each has)."""

    STREET = "street"
    COMMUNITY = "community"
    GRID = "grid"
    PROPERTY = "property"  # a manager there, and of a department of the street
    PROPERTY_WORKER = "property_worker"
    DUTY_ROOM = "duty_room"
    COMMITTEE = "committee"
    FINANCE = "finance"
    # The three that keep each other in check (三员分立).
    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDITOR = "auditor"


class StaffRole(db.Base):
    """A role within a scope, dated: a region (street, community), a grid, or an organisation (property company)."""

    __tablename__ = "staff_roles"
    __table_args__ = (Index("ix_staff_roles_staff_id", "staff_id"), {"info": db.reference()})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    role: Mapped[str] = mapped_column(String(16))
    region_id: Mapped[int | None] = mapped_column(db.BigInt, ForeignKey("regions.id"))
    grid_community_id: Mapped[int | None] = mapped_column(db.BigInt)
    grid_id: Mapped[UUID | None] = mapped_column(info=db.soft("grids.id"))
    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # exclusive
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class SessionMode(StrEnum):
    """How a login is carried."""

    COOKIE = "cookie"  # by the console: HttpOnly, with a CSRF token beside it
    TOKEN = "token"  # by a script, as a bearer token  # noqa: S105


class StaffSession(db.Base):
    """A staff login; the token itself is never stored."""

    __tablename__ = "staff_sessions"
    __table_args__ = (Index("ix_staff_sessions_staff_id", "staff_id"), {"info": db.global_hash("token_hash")})

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    staff_id: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    created_at: Mapped[datetime]  # of the login: a refreshed one keeps it
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    mode: Mapped[str] = mapped_column(String(8), server_default="token")
    seen_at: Mapped[datetime | None]  # to the minute
    client: Mapped[str | None] = mapped_column(String(120))  # how the program calls itself
    address: Mapped[str | None] = mapped_column(String(45))
