"""Papers: deeds, ID cards, leases, signatures. Sealed in the store, never behind a link, never shown to WeChat."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class Paper(db.Base):
    """An uploaded paper (picture or PDF), its uploader's until it is attached."""

    __tablename__ = "papers"
    __table_args__ = {"info": db.distributed("owner_id")}  # noqa: RUF012

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_kind: Mapped[str] = mapped_column(String(8))
    kind: Mapped[str] = mapped_column(String(8))  # jpeg png webp heic pdf
    size_bytes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[bytes]
    created_at: Mapped[datetime]
    attached_community_id: Mapped[int | None] = mapped_column(db.BigInt)


class AttachedPaper(db.Base):
    """A paper of a thing of a community; its id is that of the upload, and so is its file."""

    __tablename__ = "attached_papers"
    __table_args__ = (
        Index("ix_attached_papers_object", "community_id", "object_kind", "object_id", "position"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    object_kind: Mapped[str] = mapped_column(String(16))
    object_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(SmallInteger)
    owner_kind: Mapped[str] = mapped_column(String(8))
    owner_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(8))
    size_bytes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[bytes]
    attached_at: Mapped[datetime]
