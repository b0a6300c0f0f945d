"""What was changed of a contract after something had been published under it: asked by one, agreed to by another."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class RevenueContractChange(db.Base):
    """One change of a contract in use. It waits until a second person decides; then it stays as it is."""

    __tablename__ = "revenue_contract_changes"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(
            ["community_id", "contract_id"],
            ["revenue_contracts.community_id", "revenue_contracts.id"],
            name="fk_revenue_contract_changes_contract",  # the usual name is longer than PostgreSQL keeps
        ),
        Index("ix_revenue_contract_changes_estate", "community_id", "estate_id", "id"),
        Index(
            "uq_revenue_contract_changes_open",
            "community_id",
            "contract_id",
            unique=True,
            postgresql_where=text("decided_at IS NULL"),
        ),
        CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="second_person"),
        CheckConstraint(
            "(decided_at IS NULL) = (decided_by IS NULL) AND (decided_at IS NULL) = (passed IS NULL)",
            name="decided",
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    contract_id: Mapped[UUID]
    fields: Mapped[dict[str, Any]]  # field → [before, after], as on the wire
    version: Mapped[int] = mapped_column(Integer)  # of the contract, once it holds
    asked_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    decided_at: Mapped[datetime | None]
    passed: Mapped[bool | None]
    note: Mapped[str | None] = mapped_column(String(200))
