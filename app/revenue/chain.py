"""The chain of published periods: each statement's hash covers its lines and the hash of the one before.

Who kept an earlier hash finds out whether anything under it was changed, also by somebody with all rights on the
database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import select

from app import db
from app.ids import Ref
from app.revenue.models import RevenueLine, RevenueStatement
from app.revenue.queries import lines_of_period

START = bytes(32)


def line_facts(line: RevenueLine) -> dict[str, Any]:
    """What the hash says of a line."""
    return {
        "id": line.id.hex,
        "day": line.day.isoformat(),
        "kind": line.kind,
        "category": line.category_id.hex if line.category_id else None,
        "debit": line.debit,
        "credit": line.credit,
        "amount_fen": line.amount_fen,
        "counterparty": line.counterparty,
        "contract": line.contract_id.hex if line.contract_id else None,
        "decision": line.decision_id.hex if line.decision_id else None,
        "note": line.note,
        "reverses": line.reverses_id.hex if line.reverses_id else None,
        "vouchers": line.vouchers,
    }


def digest(
    *,
    prev_hash: bytes,
    estate_id: UUID,
    period_id: UUID,
    seq: int,
    first_day: date,
    last_day: date,
    opening_fen: int,
    lines: Iterable[RevenueLine],
) -> bytes:
    """SHA-256 over the previous hash and the canonical JSON of the period. Income, cost and closing follow from it."""
    facts = {
        "estate": estate_id.hex,
        "period": period_id.hex,
        "seq": seq,
        "first_day": first_day.isoformat(),
        "last_day": last_day.isoformat(),
        "opening_fen": opening_fen,
        "lines": [line_facts(line) for line in lines],
    }
    return hashlib.sha256(prev_hash + orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).digest()


class Checked(NamedTuple):
    """How far the chain holds. `broken_at`: the first period that isn't what its hash says."""

    periods: int
    head: bytes
    broken_at: UUID | None


def check(estate: Ref) -> Checked:
    """Compute the estate's chain anew from its lines and compare: hashes, order, openings and closings."""
    rows = db.session().scalars(
        select(RevenueStatement)
        .where(RevenueStatement.community_id == estate.community_id, RevenueStatement.estate_id == estate.id)
        .order_by(RevenueStatement.seq)
    )
    prev, count, closing = START, 0, None
    for count, row in enumerate(rows, 1):
        lines = lines_of_period(Ref(row.community_id, row.period_id))
        expected = digest(
            prev_hash=prev,
            estate_id=row.estate_id,
            period_id=row.period_id,
            seq=count,
            first_day=row.first_day,
            last_day=row.last_day,
            opening_fen=row.opening_fen,
            lines=lines,
        )
        sums: dict[str, int] = dict.fromkeys(("income", "cost", "use", "fund"), 0)
        for line in lines:
            sums[line.account] += line.signed_fen
        agrees = (
            row.seq == count
            and row.prev_hash == prev
            and row.own_hash == expected
            and closing in {None, row.opening_fen}
            and sums
            == {"income": row.income_fen, "cost": row.cost_fen, "use": row.uses_fen, "fund": row.fund_fen}
            and row.line_count == len(lines)
        )
        if not agrees:
            return Checked(count - 1, prev, row.period_id)
        prev, closing = row.own_hash, row.closing_fen
    return Checked(count, prev, None)
