"""Photos: an upload belongs to the person who made it until it is attached; then the thing has its own row."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class PhotoStatus(StrEnum):
    """processing → ready, or refused (it could not be decoded)."""

    PROCESSING = "processing"
    READY = "ready"
    REFUSED = "refused"


class CheckState(StrEnum):
    """WeChat's verdict on the picture. Until `passed`, only the reporter and staff see it."""

    PENDING = "pending"
    PASSED = "passed"
    RISKY = "risky"
    REVIEW = "review"  # a person decides


class OwnerKind(StrEnum):
    """Who uploaded."""

    RESIDENT = "resident"
    STAFF = "staff"


class Upload(db.Base):
    """An uploaded picture. Kept by its owner; after attaching it only steers processing and is tidied away."""

    __tablename__ = "uploads"
    __table_args__ = (
        Index("ix_uploads_created_at", "created_at"),
        {"info": db.distributed("owner_id")},
    )

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_kind: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(10))
    check_state: Mapped[str] = mapped_column(String(8))
    kind: Mapped[str] = mapped_column(String(8))  # jpeg png webp heic
    size_bytes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[bytes]
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    taken_at: Mapped[datetime | None]
    # WGS-84 "lng,lat": a resident's only with the consent photo_position, staff's only of after-photos.
    position_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("photo_position:{id}"))
    dhash: Mapped[int | None] = mapped_column(BigInteger)  # what it looks like, see imaging.fingerprint
    created_at: Mapped[datetime]
    attached_community_id: Mapped[int | None] = mapped_column(BigInteger)


class Photo(db.Base):
    """A picture of a thing of a community; its id is that of the upload, and so are its files."""

    __tablename__ = "photos"
    __table_args__ = (
        Index("ix_photos_object", "community_id", "object_kind", "object_id", "position"),
        Index("ix_photos_review", "community_id", "id", postgresql_where=text("check_state = 'review'")),
        Index("ix_photos_after", "community_id", "attached_at", postgresql_where=text("stage = 'after'")),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    object_kind: Mapped[str] = mapped_column(String(16))
    object_id: Mapped[UUID]
    stage: Mapped[str] = mapped_column(String(8))  # before | after
    position: Mapped[int] = mapped_column(SmallInteger)
    owner_kind: Mapped[str] = mapped_column(String(8))
    owner_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(String(10))
    check_state: Mapped[str] = mapped_column(String(8))
    sha256: Mapped[bytes]
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    taken_at: Mapped[datetime | None]
    position_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("photo_position:{id}"))
    dhash: Mapped[int | None] = mapped_column(BigInteger)
    attached_at: Mapped[datetime]
    # The same picture with a thing in another community (a referral): verdicts reach every copy.
    carried_from: Mapped[int | None] = mapped_column(BigInteger)
    carried_to: Mapped[int | None] = mapped_column(BigInteger)


class MediaCheck(db.Base):
    """A question put to WeChat's media check; its verdict comes later as an event with this trace_id."""

    __tablename__ = "media_checks"
    __table_args__ = (
        Index("ix_media_checks_open", "asked_at", postgresql_where=text("settled_at IS NULL")),
        {"info": db.global_hash("trace_id")},
    )

    trace_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    owner_id: Mapped[UUID]
    upload_id: Mapped[UUID]
    round: Mapped[int] = mapped_column(SmallInteger)
    asked_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    suggest: Mapped[str | None] = mapped_column(String(8))
