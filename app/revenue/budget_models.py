"""What an estate means to earn and spend in a year, category by category."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db
from app.revenue.models import MOST_FEN


class RevenueBudget(db.Base):
    """The budget of a calendar year, with the decision it rests on. It is withdrawn and entered anew, never changed."""

    __tablename__ = "revenue_budgets"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        UniqueConstraint("community_id", "estate_id", "year"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    year: Mapped[int] = mapped_column(SmallInteger)
    decision_id: Mapped[UUID | None] = mapped_column(info=db.soft("decisions.id"))
    basis: Mapped[str] = mapped_column(String(200))
    published_until: Mapped[date | None]  # the last day of its year that was published when it was entered
    entered_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    entered_at: Mapped[datetime]


class RevenueBudgetLine(db.Base):
    """What is planned for one category: the budget line of every entry of this category in this year."""

    __tablename__ = "revenue_budget_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "budget_id"], ["revenue_budgets.community_id", "revenue_budgets.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "category_id"],
            ["revenue_categories.community_id", "revenue_categories.id"],
            name="fk_revenue_budget_lines_category",  # the usual name is longer than PostgreSQL keeps
        ),
        UniqueConstraint("community_id", "budget_id", "category_id"),
        CheckConstraint(f"amount_fen > 0 AND amount_fen < {MOST_FEN}", name="amount"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID]
    category_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(Integer)
    amount_fen: Mapped[int] = mapped_column(db.BigInt)
    note: Mapped[str] = mapped_column(String(200))
