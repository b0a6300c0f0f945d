"""The list of published lines, which everybody opens behind every figure: dumped by hand.

A schema's dump of a page takes longer than the database needs for it. `RevenueLineList` is the description, and a test
holds both equal.
"""

from __future__ import annotations

import functools
from datetime import date
from typing import Any
from uuid import UUID

from app import db, ids
from app.ids import Kind, Ref
from app.places import queries as places
from app.revenue import line_pages
from app.revenue.line_pages import LineRow
from app.revenue.models import Account
from app.revenue.money import yuan
from bff.http import read_cursor, write_cursor
from bff.revenue import filter_of, totals_out


def page_out(estate: Ref, args: dict[str, Any]) -> dict[str, Any]:
    """A page of published lines with the figures of all that the filter finds, ready for the wire. Raises NotFound."""
    after = read_cursor(args["cursor"], date.fromisoformat, UUID)
    limit = args["limit"]
    found = line_pages.page(
        filter_of(estate, args), most=limit + 1, after=(after[0], after[1]) if after else None
    )
    if not found.totals.lines:
        with db.reading():
            places.estate(estate)
    shown = found.lines[:limit]
    last = shown[-1] if len(found.lines) > limit else None
    return {
        "total": totals_out(found.totals),
        "items": [line_out(estate.community_id, row) for row in shown],
        "next_cursor": write_cursor(last.day.isoformat(), last.id) if last is not None else None,
    }


@functools.lru_cache(maxsize=16_384)  # the same few stand in every line
def _often(kind: Kind, community_id: int, id_: UUID) -> str:
    return ids.encode(kind, Ref(community_id, id_))


def line_out(community_id: int, row: LineRow) -> dict[str, Any]:
    """A line as `RevenueLineOut` dumps it."""

    def named(kind: Kind, id_: UUID | None) -> str | None:
        return ids.encode(kind, Ref(community_id, id_)) if id_ is not None else None

    def often(kind: Kind, id_: UUID | None) -> str | None:
        return _often(kind, community_id, id_) if id_ is not None else None

    comes = row.debit == Account.BANK
    account = row.credit if comes else row.debit
    signed_fen = row.amount_fen if (account == Account.INCOME) == comes else -row.amount_fen
    return {
        "entry_id": named(Kind.REVENUE_ENTRY, row.id),
        "period_id": often(Kind.REVENUE_PERIOD, row.period_id),
        "day": row.day.isoformat(),
        "kind": row.kind,
        "account": account,
        "category_id": often(Kind.REVENUE_CATEGORY, row.category_id),
        "category": row.category,
        "debit": row.debit,
        "credit": row.credit,
        "amount_fen": row.amount_fen,
        "signed_fen": signed_fen,
        "amount_text": yuan(signed_fen),
        "counterparty": row.counterparty,
        "contract_id": often(Kind.REVENUE_CONTRACT, row.contract_id),
        "decision_id": often(Kind.DECISION, row.decision_id),
        "note": row.note,
        "voucher_count": row.voucher_count,
        "reverses": named(Kind.REVENUE_ENTRY, row.reverses_id),
        "reversed_by": named(Kind.REVENUE_ENTRY, row.reversed_by_id),
    }
