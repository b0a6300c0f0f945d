"""A page of published lines with the figures of all that the filter finds, in one statement: both are of one moment,
and a page costs one question however it is filtered.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text

from app import db
from app.revenue.models import Account
from app.revenue.queries import LineFilter, Totals

_GROWS = {Account.INCOME: ("credit", "debit")}  # the others grow where they are debited


def _sum(account: Account) -> str:
    grows, shrinks = _GROWS.get(account, ("debit", "credit"))
    return (
        f"coalesce(sum(CASE WHEN {grows} = '{account}' THEN amount_fen"
        f" WHEN {shrinks} = '{account}' THEN -amount_fen END), 0) AS {account}_sum"
    )


_SUMS = ", ".join(_sum(account) for account in (Account.INCOME, Account.COST, Account.USE, Account.FUND))


class LineRow(NamedTuple):
    """A published line as it is listed, with the name of its category and both ends of a correction."""

    id: UUID
    period_id: UUID
    day: date
    kind: str
    category_id: UUID | None
    category: str | None
    debit: str
    credit: str
    amount_fen: int
    counterparty: str | None
    contract_id: UUID | None
    decision_id: UUID | None
    note: str
    voucher_count: int
    reverses_id: UUID | None
    reversed_by_id: UUID | None


_LINE = (
    "line.id, line.period_id, line.day, line.kind, line.category_id, category.name, line.debit, line.credit,"
    " line.amount_fen, line.counterparty, line.contract_id, line.decision_id, line.note,"
    " jsonb_array_length(line.vouchers) AS voucher_count, line.reverses_id, reversal.id AS reversed_by_id"
)


@functools.lru_cache(maxsize=1024)
def _question(condition: str, is_after: bool) -> TextClause:
    after = " AND (revenue_lines.day, revenue_lines.id) < (:after_day, :after_id)" if is_after else ""
    return text(
        f"SELECT figures.*, shown.* FROM (SELECT count(*) AS lines, {_SUMS} FROM revenue_lines"  # noqa: S608
        f" WHERE {condition})"
        f" AS figures LEFT JOIN (SELECT {_LINE} FROM"
        f" (SELECT * FROM revenue_lines WHERE {condition}{after}"
        " ORDER BY revenue_lines.day DESC, revenue_lines.id DESC LIMIT :most) AS line"
        " LEFT JOIN revenue_categories AS category"
        " ON category.community_id = line.community_id AND category.id = line.category_id"
        " LEFT JOIN revenue_lines AS reversal"
        " ON reversal.community_id = line.community_id AND reversal.reverses_id = line.id"
        ") AS shown ON true ORDER BY shown.day DESC, shown.id DESC"
    )


class LinePage(NamedTuple):
    """What the filter finds in figures, and a page of it, the latest first."""

    totals: Totals
    lines: Sequence[LineRow]


def page(where: LineFilter, *, most: int, after: tuple[date, UUID] | None = None) -> LinePage:
    """The page behind a line (a day and an id), or the first one. Not inside a transaction. Raises RangeBackwards."""
    given: dict[str, Any] = where.given | {"most": most}
    if after is not None:
        given |= {"after_day": after[0], "after_id": after[1]}
    with db.statements() as connection:
        rows = connection.execute(_question(where.sql, after is not None), given).all()
    count, income, cost, uses, fund = rows[0][:5]
    totals = Totals(count, int(income), int(cost), int(uses), int(fund))
    return LinePage(totals, [LineRow(*row[5:]) for row in rows if row[5] is not None])
