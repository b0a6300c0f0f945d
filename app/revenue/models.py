"""The books of an estate's public revenue (公共收益): rules, categories, contracts, drafts, posted lines, periods.

Double entry by form: a line is one row with a debit and a credit account, of which one is the money itself.
Drafts may change; lines and statements are written once, at publication, and never again (民法典 282, 943).
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from app import db

MOST_FEN = 10**12  # ten thousand million yuan: what is more is a slip of the hand
_ACCOUNTS = "'bank', 'income', 'cost', 'use', 'fund'"


class Account(StrEnum):
    """The chart of accounts, the same for every estate."""

    BANK = "bank"  # 公共收益专户
    INCOME = "income"  # 收入
    COST = "cost"  # 合理成本
    USE = "use"  # 支出（使用）
    FUND = "fund"  # 转入维修资金


class EntryKind(StrEnum):
    """What a line is."""

    INCOME = "income"
    COST = "cost"
    USE = "use"
    FUND = "fund"
    ADJUSTMENT = "adjustment"


class DraftState(StrEnum):
    """A draft is being written, or lies with the reviewer."""

    OPEN = "open"
    SUBMITTED = "submitted"


class PeriodState(StrEnum):
    """What is kept of a period's state; posted and closed follow from the calendar."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"


class Keeper(StrEnum):
    """Who keeps the money."""

    FUND_CENTRE = "fund_centre"  # 区维修资金中心
    COMMITTEE = "committee"  # 业委会专户
    ENTRUSTED = "entrusted"  # 受托物业专户


class RevenueSetting(db.Base):
    """How an estate's revenue is kept from a day on, until the next row."""

    __tablename__ = "revenue_settings"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        CheckConstraint("split_bp BETWEEN 0 AND 10000", name="split"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    estate_id: Mapped[UUID] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    split_bp: Mapped[int] = mapped_column(SmallInteger)  # of the net to the maintenance fund, 0.01 %
    rounding: Mapped[str] = mapped_column(String(10))
    rhythm: Mapped[str] = mapped_column(String(10))
    posting_days: Mapped[int] = mapped_column(SmallInteger)
    answer_days: Mapped[int] = mapped_column(SmallInteger)  # within which an objection is answered
    keeper: Mapped[str] = mapped_column(String(12))
    keeper_name: Mapped[str] = mapped_column(String(80))
    basis: Mapped[str] = mapped_column(String(200))  # the rule or decision this rests on
    set_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    set_at: Mapped[datetime]


class RevenueCategory(db.Base):
    """A category (科目) of an estate. Its name and kind never change, because published lines are read by them."""

    __tablename__ = "revenue_categories"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        UniqueConstraint("community_id", "estate_id", "kind", "name"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(12))  # income, cost or use
    name: Mapped[str] = mapped_column(String(40))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default="true")
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class RevenueContract(db.Base):
    """A contract that brings income: with whom, for how long, at what price, paid how often."""

    __tablename__ = "revenue_contracts"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(
            ["community_id", "category_id"],
            ["revenue_categories.community_id", "revenue_categories.id"],
            name="fk_revenue_contracts_category",  # the usual name is longer than PostgreSQL keeps
        ),
        Index("ix_revenue_contracts_estate", "community_id", "estate_id", "starts_on"),
        CheckConstraint("ends_on >= starts_on", name="span"),
        CheckConstraint(f"price_fen > 0 AND price_fen < {MOST_FEN}", name="price"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    category_id: Mapped[UUID]
    number: Mapped[str] = mapped_column(String(40))
    party: Mapped[str] = mapped_column(String(80))
    subject: Mapped[str] = mapped_column(String(200))
    starts_on: Mapped[date]
    ends_on: Mapped[date]  # the last day
    price_fen: Mapped[int] = mapped_column(db.BigInt)  # of each instalment
    rhythm: Mapped[str] = mapped_column(String(10))  # an instalment falls due on the first day of each span
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]


class RevenuePeriod(db.Base):
    """A span that is published as one. `opening_fen`: of the first alone; later ones open as the last one closed."""

    __tablename__ = "revenue_periods"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        UniqueConstraint("community_id", "estate_id", "first_day"),
        Index(
            "uq_revenue_periods_open",
            "community_id",
            "estate_id",
            unique=True,
            postgresql_where=text("state <> 'published'"),
        ),
        CheckConstraint("last_day >= first_day", name="span"),
        CheckConstraint("reviewed_by IS NULL OR reviewed_by <> submitted_by", name="second_person"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    first_day: Mapped[date]
    last_day: Mapped[date]
    state: Mapped[str] = mapped_column(String(10))
    opening_fen: Mapped[int | None] = mapped_column(db.BigInt)
    opening_note: Mapped[str | None] = mapped_column(String(200))
    submitted_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    submitted_at: Mapped[datetime | None]
    reviewed_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    reviewed_at: Mapped[datetime | None]
    review_note: Mapped[str | None] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]


class _Entry:
    """What a draft and a line have in common."""

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    day: Mapped[date]
    kind: Mapped[str] = mapped_column(String(12))
    category_id: Mapped[UUID | None]
    debit: Mapped[str] = mapped_column(String(8))
    credit: Mapped[str] = mapped_column(String(8))
    amount_fen: Mapped[int] = mapped_column(db.BigInt)
    counterparty: Mapped[str | None] = mapped_column(String(80))
    contract_id: Mapped[UUID | None]
    note: Mapped[str] = mapped_column(String(500))
    reverses_id: Mapped[UUID | None]

    @declared_attr
    def decision_id(self) -> Mapped[UUID | None]:
        """The owners' decision that allowed it; its table stands in another domain of the same row of domains."""
        return mapped_column(info=db.soft("decisions.id"))

    @declared_attr
    def drafted_by(self) -> Mapped[UUID]:
        """Who entered it."""
        return mapped_column(info=db.soft("staff.id"))

    @property
    def account(self) -> Account:
        """The account that isn't the money."""
        return Account(self.credit if self.debit == Account.BANK else self.debit)

    @property
    def signed_fen(self) -> int:
        """By how much its own figure grows: less than nothing for a reversal."""
        grows = (self.account is Account.INCOME) == (self.debit == Account.BANK)
        return self.amount_fen if grows else -self.amount_fen


def _entry_args(*more: Any, **info: Any) -> tuple[Any, ...]:
    return (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(
            ["community_id", "category_id"], ["revenue_categories.community_id", "revenue_categories.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "contract_id"], ["revenue_contracts.community_id", "revenue_contracts.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "reverses_id"], ["revenue_lines.community_id", "revenue_lines.id"]
        ),
        CheckConstraint(f"amount_fen > 0 AND amount_fen < {MOST_FEN}", name="amount"),
        CheckConstraint(f"debit IN ({_ACCOUNTS})", name="debit"),
        CheckConstraint(f"credit IN ({_ACCOUNTS})", name="credit"),
        CheckConstraint("(debit = 'bank') <> (credit = 'bank')", name="accounts"),
        *more,
        {"info": db.distributed(**info)},
    )


class RevenueDraft(_Entry, db.Base):
    """A line that is being written, or lies with the reviewer. Nobody but staff sees it."""

    __tablename__ = "revenue_drafts"
    __table_args__ = _entry_args(
        Index("ix_revenue_drafts_estate", "community_id", "estate_id", "day", "id"),
        # Two clerks don't prepare the same correction.
        Index(
            "uq_revenue_drafts_reverses",
            "community_id",
            "reverses_id",
            unique=True,
            postgresql_where=text("reverses_id IS NOT NULL"),
        ),
    )

    state: Mapped[str] = mapped_column(String(10))
    # The split, made by submitting.
    is_computed: Mapped[bool] = mapped_column(Boolean, server_default="false")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RevenueLine(_Entry, db.Base):
    """A published line; its id is that of its draft. `vouchers`: [{id, kind, sha256}], as they were then."""

    __tablename__ = "revenue_lines"
    __table_args__ = _entry_args(
        ForeignKeyConstraint(
            ["community_id", "period_id"], ["revenue_periods.community_id", "revenue_periods.id"]
        ),
        Index("ix_revenue_lines_estate", "community_id", "estate_id", "day", "id"),
        Index("ix_revenue_lines_period", "community_id", "period_id"),
        Index(
            "ix_revenue_lines_contract",
            "community_id",
            "contract_id",
            postgresql_where=text("contract_id IS NOT NULL"),
        ),
        Index(
            "uq_revenue_lines_reverses",
            "community_id",
            "reverses_id",
            unique=True,
            postgresql_where=text("reverses_id IS NOT NULL"),
        ),
        append_only=True,
    )

    period_id: Mapped[UUID]
    vouchers: Mapped[list[Any]]
    posted_at: Mapped[datetime]


class RevenueStatement(db.Base):
    """A published period: its figures, computed from its lines in the statement that writes them, and its place in the
    chain of hashes.
    """

    __tablename__ = "revenue_statements"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "period_id"], ["revenue_periods.community_id", "revenue_periods.id"]
        ),
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        UniqueConstraint("community_id", "estate_id", "seq"),
        CheckConstraint(
            "closing_fen = opening_fen + income_fen - cost_fen - fund_fen - uses_fen", name="balance"
        ),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    period_id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    seq: Mapped[int] = mapped_column(Integer)
    first_day: Mapped[date]
    last_day: Mapped[date]
    opening_fen: Mapped[int] = mapped_column(db.BigInt)
    income_fen: Mapped[int] = mapped_column(db.BigInt)
    cost_fen: Mapped[int] = mapped_column(db.BigInt)
    uses_fen: Mapped[int] = mapped_column(db.BigInt)
    fund_fen: Mapped[int] = mapped_column(db.BigInt)
    closing_fen: Mapped[int] = mapped_column(db.BigInt)
    line_count: Mapped[int] = mapped_column(Integer)
    split_bp: Mapped[int] = mapped_column(SmallInteger)
    rounding: Mapped[str] = mapped_column(String(10))
    posted_from: Mapped[date]
    closed_from: Mapped[date]  # the first day after the posting
    submitted_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    reviewed_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    published_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    published_at: Mapped[datetime]
    prev_hash: Mapped[bytes]
    own_hash: Mapped[bytes]


class RevenueObjection(db.Base):
    """A member of the estate doubts a published line. It is a ticket as well; the answer is public."""

    __tablename__ = "revenue_objections"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "line_id"], ["revenue_lines.community_id", "revenue_lines.id"]),
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        Index("ix_revenue_objections_estate", "community_id", "estate_id", "id"),
        Index("ix_revenue_objections_line", "community_id", "line_id"),
        Index("ix_revenue_objections_resident", "community_id", "resident_id"),
        Index(
            "uq_revenue_objections_open",
            "community_id",
            "line_id",
            "resident_id",
            unique=True,
            postgresql_where=text("answered_at IS NULL AND resident_id IS NOT NULL"),
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    line_id: Mapped[UUID]
    # None: she closed her account.
    resident_id: Mapped[UUID | None] = mapped_column(info=db.soft("residents.id"))
    ticket_id: Mapped[UUID] = mapped_column(info=db.soft("tickets.id"))
    text: Mapped[str | None] = mapped_column(String(500))
    answer_by: Mapped[date]  # the last day
    answer: Mapped[str | None] = mapped_column(String(1000))
    answered_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    answered_org_id: Mapped[UUID | None] = mapped_column(info=db.soft("orgs.id"))  # in whose name
    answered_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
