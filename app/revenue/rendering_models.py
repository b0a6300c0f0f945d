"""The public file of a paper: its pages drawn anew, with boxes over what is nobody's business."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class RenderingState(StrEnum):
    """making → ready, or failed (the file can't be drawn)."""

    MAKING = "making"
    READY = "ready"
    FAILED = "failed"


class RevenueRendering(db.Base):
    """What residents see of one uploaded paper. `store_id` names its files; with other boxes it is another one.

    `boxes`: [[page, x, y, width, height], …], the page from 1, the rest in 1/10,000 of its width and height.
    """

    __tablename__ = "revenue_renderings"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        Index("ix_revenue_renderings_object", "community_id", "object_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    file_id: Mapped[UUID] = mapped_column(primary_key=True)  # of the paper
    estate_id: Mapped[UUID]
    object_id: Mapped[UUID]  # the line (and its draft) or contract it hangs at
    store_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(String(8))
    boxes: Mapped[list[Any]]
    pages: Mapped[list[Any]]  # [[sha256, width, height], …] of what is shown
    problem: Mapped[str | None] = mapped_column(String(32))
    asked_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    asked_at: Mapped[datetime]
    made_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
