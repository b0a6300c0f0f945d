"""Displays and the hashes of their tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class Display(db.Base):
    """A screen that shows the figures of one area: a street or community (`region_id`), or one estate or grid of it,
    which is named with its home. Who has the token reads figures and nothing else; only its hash is kept.
    """

    __tablename__ = "displays"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        CheckConstraint("estate_id IS NULL OR grid_id IS NULL", name="one_place"),
        CheckConstraint("(home_id IS NULL) = (estate_id IS NULL AND grid_id IS NULL)", name="home"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked"),
        {"info": db.reference()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))  # where it hangs
    region_id: Mapped[int] = mapped_column(db.BigInt, ForeignKey("regions.id"))
    home_id: Mapped[int | None] = mapped_column(db.BigInt)  # the shard of the estate or grid
    estate_id: Mapped[UUID | None] = mapped_column(info=db.soft("estates.id"))
    grid_id: Mapped[UUID | None] = mapped_column(info=db.soft("grids.id"))
    token_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    created_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
