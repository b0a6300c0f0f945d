"""Who watches over many estates: what is published, who is late, which doubts are open, and what looks odd, with the
reason for each flag. A flag accuses nobody: it says where to look first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from app import db
from app.ids import Ref
from app.places import queries as places
from app.revenue.models import (
    Account,
    EntryKind,
    PeriodState,
    RevenueCategory,
    RevenueContract,
    RevenueLine,
    RevenueObjection,
    RevenuePeriod,
    RevenueSetting,
    RevenueStatement,
)
from app.revenue.money import yuan
from app.revenue.queries import DAY, grown, instalments
from app.revenue.spans import Rhythm, last_of

GRACE = timedelta(days=30)  # after the end of a period; what is published later is late
ROUND_FROM = 1_000_000  # fen: a cost of 10,000 yuan and more
ROUND_TO = 100_000  # fen: in whole thousands


class Flag(StrEnum):
    """What looks odd."""

    CATEGORY_FELL = "category_fell"
    CONTRACT_OVER = "contract_over"
    ROUND_COST = "round_cost"


@dataclass(frozen=True)
class Oddity:
    """One flag, with the reason in words and what it is about."""

    flag: Flag
    reason: str
    line_id: UUID | None = None
    contract_id: UUID | None = None


@dataclass
class EstateView:
    """How an estate stands."""

    estate: Ref
    name: str
    has_rules: bool = False
    last: RevenueStatement | None = None
    before: RevenueStatement | None = None
    begun: RevenuePeriod | None = None  # the period that isn't published yet
    due_on: date | None = None  # by when the next period has to be published
    open_objections: int = 0
    late_objections: int = 0
    oddities: list[Oddity] = field(default_factory=list)

    @property
    def is_late(self) -> bool:
        """Is the next period not published in time?"""
        return self.due_on is not None and places.today() > self.due_on


def overview(reach: Collection[Ref]) -> list[EstateView]:
    """Every estate of the reach, in the order of names; a constant number of questions, however many estates."""
    known = places.estates(reach)
    found = {ref: EstateView(ref, estate.name) for ref, estate in known.items()}
    if found:
        _published(found)
        _begun(found)
        _due(found)
        _objections(found)
        _fallen(found)
        _over(found)
        _round(found)
    return sorted(found.values(), key=lambda view: (view.name, view.estate))


def _homes(found: dict[Ref, EstateView]) -> set[int]:
    return {ref.community_id for ref in found}


def _published(found: dict[Ref, EstateView]) -> None:
    """The last statement and the one before."""
    s = RevenueStatement
    newest = (
        select(s.community_id, s.estate_id, func.max(s.seq).label("seq"))
        .where(s.community_id.in_(_homes(found)))
        .group_by(s.community_id, s.estate_id)
        .subquery()
    )
    rows = db.session().execute(
        select(s, newest.c.seq)
        .join(newest, and_(newest.c.community_id == s.community_id, newest.c.estate_id == s.estate_id))
        .where(s.community_id.in_(_homes(found)), s.seq >= newest.c.seq - 1)
    )
    for statement, seq in rows:
        view = found.get(Ref(statement.community_id, statement.estate_id))
        if view is None:
            continue
        if statement.seq == seq:
            view.last = statement
        else:
            view.before = statement


def _due(found: dict[Ref, EstateView]) -> None:
    rules: dict[Ref, list[RevenueSetting]] = defaultdict(list)
    rows = db.session().scalars(
        select(RevenueSetting)
        .where(RevenueSetting.community_id.in_(_homes(found)))
        .order_by(RevenueSetting.valid_from)
    )
    for row in rows:
        rules[Ref(row.community_id, row.estate_id)].append(row)
    for ref, view in found.items():
        mine = rules.get(ref)
        if not mine:
            continue
        view.has_rules = True
        begins = mine[0].valid_from
        if view.last is not None:
            begins = view.last.last_day + DAY
        elif view.begun is not None:
            begins = view.begun.first_day
        rule = next((r for r in reversed(mine) if r.valid_from <= begins), mine[0])
        view.due_on = last_of(begins, Rhythm(rule.rhythm)) + GRACE


def _begun(found: dict[Ref, EstateView]) -> None:
    """The period that isn't published yet: books may begin long after their rules."""
    rows = db.session().scalars(
        select(RevenuePeriod).where(
            RevenuePeriod.community_id.in_(_homes(found)), RevenuePeriod.state != PeriodState.PUBLISHED
        )
    )
    for period in rows:
        view = found.get(Ref(period.community_id, period.estate_id))
        if view is not None:
            view.begun = period


def _objections(found: dict[Ref, EstateView]) -> None:
    o = RevenueObjection
    rows = db.session().execute(
        select(o.community_id, o.estate_id, o.answer_by).where(
            o.community_id.in_(_homes(found)), o.answered_at.is_(None)
        )
    )
    for community_id, estate_id, answer_by in rows:
        view = found.get(Ref(community_id, estate_id))
        if view is not None:
            view.open_objections += 1
            view.late_objections += places.today() > answer_by


def _fallen(found: dict[Ref, EstateView]) -> None:
    """An income category brought half or less of what it brought in the period before, which was as long."""
    pairs = {
        statement.period_id: ref
        for ref, view in found.items()
        if view.last is not None and view.before is not None and _as_long(view.last, view.before)
        for statement in (view.last, view.before)
    }
    if not pairs:
        return
    line, category = RevenueLine, RevenueCategory
    sums: dict[tuple[Ref, str], dict[UUID, int]] = defaultdict(dict)
    rows = db.session().execute(
        select(line.period_id, category.name, func.sum(grown(Account.INCOME)))
        .join(category, and_(category.community_id == line.community_id, category.id == line.category_id))
        .where(
            line.community_id.in_(_homes(found)),
            line.period_id.in_(pairs),
            category.kind == EntryKind.INCOME,
        )
        .group_by(line.period_id, category.id, category.name)
        .order_by(category.name)
    )
    for period_id, name, amount in rows:
        sums[pairs[period_id], name][period_id] = int(amount)
    for (ref, name), by_period in sums.items():
        view = found[ref]
        assert view.last is not None
        assert view.before is not None
        now, then = by_period.get(view.last.period_id, 0), by_period.get(view.before.period_id, 0)
        if then > 0 and 2 * now <= then:
            reason = f"“{name}”本期收入 {yuan(now)} 元，不超过上期 {yuan(then)} 元的一半。"
            view.oddities.append(Oddity(Flag.CATEGORY_FELL, reason))


def _as_long(one: RevenueStatement, other: RevenueStatement) -> bool:
    """Leap days and the lengths of months don't make a period longer."""
    return abs((one.last_day - one.first_day) - (other.last_day - other.first_day)) <= timedelta(days=4)


def _over(found: dict[Ref, EstateView]) -> None:
    """Income still comes under a contract that has ended, and is more than what was due until then; what was taken
    back is none.
    """
    line, contract, back = RevenueLine, RevenueContract, aliased(RevenueLine)
    is_after = line.day > contract.ends_on
    income = grown(Account.INCOME)
    before, after = (func.coalesce(func.sum(income).filter(when), 0) for when in (~is_after, is_after))
    rows = db.session().execute(
        select(contract, before, after, func.min(line.day).filter(is_after))
        .join(line, and_(line.community_id == contract.community_id, line.contract_id == contract.id))
        .where(
            contract.community_id.in_(_homes(found)),
            or_(line.debit == Account.INCOME, line.credit == Account.INCOME),
            line.reverses_id.is_(None),
            ~exists().where(back.community_id == line.community_id, back.reverses_id == line.id),
        )
        .group_by(contract.community_id, contract.id)
        .having(after > 0)
        .order_by(contract.id)
    )
    for over, paid, later, first in rows:
        view = found.get(Ref(over.community_id, over.estate_id))
        arrears = max(0, over.price_fen * instalments(over, over.ends_on) - int(paid))
        if view is not None and int(later) > arrears:
            reason = (
                f"合同“{over.number}”已于 {over.ends_on.isoformat()} 到期，"
                f"{first.isoformat()} 起仍按该合同入账 {yuan(int(later))} 元，"
                f"超出到期前应收未收的 {yuan(arrears)} 元。"
            )
            view.oddities.append(Oddity(Flag.CONTRACT_OVER, reason, contract_id=over.id))


def _round(found: dict[Ref, EstateView]) -> None:
    """A large cost of the last period in whole thousands: an invoice seldom ends so."""
    last = {view.last.period_id: view for view in found.values() if view.last is not None}
    if not last:
        return
    line = RevenueLine
    rows = db.session().scalars(
        select(line)
        .where(
            line.community_id.in_(_homes(found)),
            line.period_id.in_(last),
            line.debit == Account.COST,
            line.amount_fen >= ROUND_FROM,
            line.amount_fen % ROUND_TO == 0,
        )
        .order_by(line.day, line.id)
    )
    for row in rows:
        reason = f"{row.day.isoformat()} 一笔成本 {yuan(row.amount_fen)} 元，为整千元大额支出，请核对凭证。"
        last[row.period_id].oddities.append(Oddity(Flag.ROUND_COST, reason, line_id=row.id))
