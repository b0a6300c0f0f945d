"""The figures of a range: opening, income, cost, net, distribution, closing, by month, quarter or year and category."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.ids import Ref
from app.revenue import queries
from app.revenue.errors import NothingPublished, RangeBackwards
from app.revenue.models import Account, RevenueCategory
from app.revenue.money import WHOLE_BP, largest_remainder
from app.revenue.queries import LineFilter, Totals
from app.revenue.spans import MONTHS, Rhythm, first_of, label, months_after


@dataclass(frozen=True)
class Bucket:
    """The figures of one span of the range; its ends are cut off by the range."""

    label: str
    first_day: date
    last_day: date
    opening_fen: int
    totals: Totals

    @property
    def closing_fen(self) -> int:
        """The balance at its end."""
        return self.opening_fen + self.totals.change_fen


@dataclass(frozen=True)
class Share:
    """A category of a figure over the whole range. `share_bp`: of all categories of that figure, in 0.01 %, together
    exactly 10,000; None where reversals leave one below nothing, or there is nothing.
    """

    category: RevenueCategory | None
    kind: Account
    amount_fen: int
    share_bp: int | None
    by_bucket: list[int]  # in the order of the buckets


@dataclass(frozen=True)
class Summary:
    """What was published of a range. `day_from` and `day_to` are what is answered for: no day that isn't published."""

    day_from: date
    day_to: date
    by: Rhythm
    opening_fen: int
    totals: Totals
    buckets: list[Bucket]
    shares: list[Share]

    @property
    def closing_fen(self) -> int:
        """The balance at the end of the range."""
        return self.opening_fen + self.totals.change_fen


def summary(estate: Ref, *, day_from: date | None, day_to: date | None, by: Rhythm) -> Summary:
    """The figures of a range of published days; without one, of the year published last.

    Raises NothingPublished (also for a range with no published day), RangeBackwards.
    """
    first, last = queries.first_statement(estate), queries.last_statement(estate)
    if first is None or last is None:
        raise NothingPublished
    if day_from is not None and day_to is not None and day_from > day_to:
        raise RangeBackwards(errors={"from": [(RangeBackwards.zh, RangeBackwards.en)]})
    end = min(day_to or last.last_day, last.last_day)
    begin = max(day_from or date(end.year, 1, 1), first.first_day)
    if begin > end:
        raise NothingPublished
    where = LineFilter(estate, day_from=begin, day_to=end)
    cells = queries.by_month(where)
    opening = queries.balance_before(estate, begin)
    starts = [first_of(begin, by)]
    while (after := months_after(starts[-1], MONTHS[by])) <= end:
        starts.append(after)
    at = {start: number for number, start in enumerate(starts)}
    figures = [Totals()] * len(starts)
    of_category: dict[UUID | None, list[Totals]] = {}
    for cell in cells:
        number = at[first_of(cell.month, by)]
        figures[number] = figures[number].plus(cell.totals)
        spans = of_category.setdefault(cell.category_id, [Totals()] * len(starts))
        spans[number] = spans[number].plus(cell.totals)
    buckets: list[Bucket] = []
    whole, running = Totals(), opening
    for start, found in zip(starts, figures, strict=True):
        last_day = min(months_after(start, MONTHS[by]) - queries.DAY, end)
        buckets.append(Bucket(label(start, by), max(start, begin), last_day, running, found))
        whole, running = whole.plus(found), buckets[-1].closing_fen
    return Summary(begin, end, by, opening, whole, buckets, _shares(estate, of_category))


_FIELD = {
    Account.INCOME: "income_fen",
    Account.COST: "cost_fen",
    Account.USE: "uses_fen",
    Account.FUND: "fund_fen",
}


def _shares(estate: Ref, found: dict[UUID | None, list[Totals]]) -> list[Share]:
    known = {c.id: c for c in queries.categories_of(estate)}
    shares: list[Share] = []
    for account, field in _FIELD.items():
        rows = [
            (known[category] if category else None, [int(getattr(totals, field)) for totals in spans])
            for category, spans in found.items()
        ]
        rows = [(category, spans) for category, spans in rows if any(spans)]
        rows.sort(key=lambda pair: (-sum(pair[1]), pair[0].id.int if pair[0] else 0))
        values = [sum(spans) for _, spans in rows]
        has_shares = sum(values) > 0 and min(values) >= 0
        parts = largest_remainder(WHOLE_BP, values) if has_shares else []
        shares += [
            Share(category, account, values[at], parts[at] if has_shares else None, spans)
            for at, (category, spans) in enumerate(rows)
        ]
    return shares
