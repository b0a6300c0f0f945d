"""Reading the books: drafts for who keeps them, everything published for everybody of the estate.

What is published is added up from its lines; no figure is kept beside them but the statements, which never change.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from operator import add
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, TextClause, and_, case, func, select, text, tuple_

from app import db
from app.errors import NotFound
from app.ids import Ref
from app.media.paper_models import AttachedPaper
from app.people.permissions import Permission
from app.people.registry_scope import registry_reach
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.models import Estate
from app.revenue.budget_models import RevenueBudget
from app.revenue.contract_models import RevenueContractChange
from app.revenue.errors import RangeBackwards
from app.revenue.import_models import RevenueImport
from app.revenue.models import (
    Account,
    PeriodState,
    RevenueCategory,
    RevenueContract,
    RevenueDraft,
    RevenueLine,
    RevenueObjection,
    RevenuePeriod,
    RevenueSetting,
    RevenueStatement,
)
from app.revenue.spans import MONTHS, Rhythm, months_after

PAPERS = "revenue_entry"  # what vouchers hang at
DAY = timedelta(days=1)
T = TypeVar(
    "T",
    RevenueCategory,
    RevenueContract,
    RevenueContractChange,
    RevenuePeriod,
    RevenueDraft,
    RevenueLine,
    RevenueObjection,
    RevenueImport,
    RevenueBudget,
)


# --- who may look ----------------------------------------------------------------------------------------


def estate_for(staff: StaffActor, permission: Permission, ref: Ref) -> Estate:
    """The estate, when the member of staff has this permission there. Raises NotFound."""
    if ref not in registry_reach(staff, permission):
        raise NotFound
    return places.estate(ref)


def one_for(staff: StaffActor, permission: Permission, model: type[T], ref: Ref) -> T:
    """A thing of the books of an estate in which she has this permission. Raises NotFound."""
    found = db.session().get(model, ref, populate_existing=True)
    if found is None or Ref(ref.community_id, found.estate_id) not in registry_reach(staff, permission):
        raise NotFound
    return found


def paper_holder(
    staff: StaffActor, permission: Permission, ref: Ref
) -> RevenueDraft | RevenueLine | RevenueContract:
    """The draft, line or contract at which papers hang, when she has this permission in its estate. Raises NotFound."""
    get = db.session().get
    found = get(RevenueDraft, ref) or get(RevenueLine, ref) or get(RevenueContract, ref)
    if found is None or Ref(ref.community_id, found.estate_id) not in registry_reach(staff, permission):
        raise NotFound
    return found


def line(ref: Ref) -> RevenueLine:
    """A published line, which anybody may see. Raises NotFound."""
    found = db.session().get(RevenueLine, ref)
    if found is None:
        raise NotFound
    return found


# --- rules, categories, contracts ------------------------------------------------------------------------


def settings_of(estate: Ref) -> list[RevenueSetting]:
    """All rules of the estate, the latest first."""
    rows = db.session().scalars(
        select(RevenueSetting)
        .where(RevenueSetting.community_id == estate.community_id, RevenueSetting.estate_id == estate.id)
        .order_by(RevenueSetting.valid_from.desc())
    )
    return list(rows)


def setting_on(estate: Ref, day: date) -> RevenueSetting | None:
    """The rules of a day."""
    return next((row for row in settings_of(estate) if row.valid_from <= day), None)


def categories_of(estate: Ref) -> list[RevenueCategory]:
    """The categories of the estate, also ended ones, by kind and age."""
    rows = db.session().scalars(
        select(RevenueCategory)
        .where(RevenueCategory.community_id == estate.community_id, RevenueCategory.estate_id == estate.id)
        .order_by(RevenueCategory.kind, RevenueCategory.id)
    )
    return list(rows)


class ContractView(NamedTuple):
    """A contract with what fell due until a day, what was published as paid, and what is missing."""

    contract: RevenueContract
    due_fen: int
    paid_fen: int

    @property
    def arrears_fen(self) -> int:
        """What is missing; nothing when more was paid than is due."""
        return max(0, self.due_fen - self.paid_fen)


def instalments(contract: RevenueContract, until: date) -> int:
    """How many instalments fell due until that day: one on the first day, then one each span of the rhythm, the last
    one whole.
    """
    last = min(until, contract.ends_on)
    if last < contract.starts_on:
        return 0
    step = MONTHS[Rhythm(contract.rhythm)]
    months = (last.year - contract.starts_on.year) * 12 + last.month - contract.starts_on.month
    count = months // step
    return count + 1 if months_after(contract.starts_on, count * step) <= last else count


class Instalment(NamedTuple):
    """What a contract lets expect on a day, and how much of it is missing: payments cover the oldest first."""

    contract: RevenueContract
    due_on: date
    missing_fen: int


def expected(estate: Ref, *, day_from: date, day_to: date, until: date) -> list[Instalment]:
    """The instalments of all contracts that fall due in the range (paid as published until a day), by day."""
    found = []
    for view in contracts_of(estate, until=until):
        contract = view.contract
        step = MONTHS[Rhythm(contract.rhythm)]
        left = view.paid_fen
        for number in range(instalments(contract, min(day_to, contract.ends_on))):
            due_on = months_after(contract.starts_on, number * step)
            covered = max(0, min(contract.price_fen, left))
            left -= covered
            if due_on >= day_from:
                found.append(Instalment(contract, due_on, contract.price_fen - covered))
    return sorted(found, key=lambda one: (one.due_on, one.contract.id))


def contracts_of(estate: Ref, *, until: date) -> list[ContractView]:
    """The contracts of the estate with their payments until a day; the newest first."""
    rows = db.session().scalars(
        select(RevenueContract)
        .where(RevenueContract.community_id == estate.community_id, RevenueContract.estate_id == estate.id)
        .order_by(RevenueContract.starts_on.desc(), RevenueContract.id.desc())
    )
    paid = dict(
        db.session()
        .execute(
            select(RevenueLine.contract_id, func.coalesce(func.sum(grown(Account.INCOME)), 0))
            .where(
                RevenueLine.community_id == estate.community_id,
                RevenueLine.estate_id == estate.id,
                RevenueLine.contract_id.is_not(None),
                RevenueLine.day <= until,
            )
            .group_by(RevenueLine.contract_id)
        )
        .all()
    )
    return [ContractView(c, c.price_fen * instalments(c, until), int(paid.get(c.id, 0))) for c in rows]


# --- drafts ----------------------------------------------------------------------------------------------


def drafts_of(estate: Ref, *, limit: int, after: tuple[date, UUID] | None = None) -> list[RevenueDraft]:
    """The drafts of the estate by day."""
    query = select(RevenueDraft).where(
        RevenueDraft.community_id == estate.community_id, RevenueDraft.estate_id == estate.id
    )
    if after is not None:
        query = query.where(tuple_(RevenueDraft.day, RevenueDraft.id) > after)
    rows = db.session().scalars(query.order_by(RevenueDraft.day, RevenueDraft.id).limit(limit))
    return list(rows)


def drafts_until(estate: Ref, day: date) -> list[RevenueDraft]:
    """The drafts of that day and before, in the order in which they become lines."""
    rows = db.session().scalars(
        select(RevenueDraft)
        .where(
            RevenueDraft.community_id == estate.community_id,
            RevenueDraft.estate_id == estate.id,
            RevenueDraft.day <= day,
        )
        .order_by(RevenueDraft.day, RevenueDraft.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


def vouchers_of(community_id: int, entry_ids: Collection[UUID]) -> dict[UUID, list[AttachedPaper]]:
    """Entry → its vouchers in their order."""
    found: dict[UUID, list[AttachedPaper]] = defaultdict(list)
    rows = db.session().scalars(
        select(AttachedPaper)
        .where(
            AttachedPaper.community_id == community_id,
            AttachedPaper.object_kind == PAPERS,
            AttachedPaper.object_id.in_(entry_ids),
        )
        .order_by(AttachedPaper.position)
    )
    for row in rows:
        found[row.object_id].append(row)
    return found


# --- periods ---------------------------------------------------------------------------------------------


class PeriodView(NamedTuple):
    """A period with its statement, once it is published."""

    period: RevenuePeriod
    statement: RevenueStatement | None

    def state(self, on: date) -> str:
        """draft, in_review, published on the day it came out, posted while it hangs, closed after."""
        if self.statement is None or self.period.state != PeriodState.PUBLISHED:
            return self.period.state
        if on < self.statement.posted_from:
            return "published"
        return "posted" if on < self.statement.closed_from else "closed"


def periods_of(estate: Ref, *, published_only: bool) -> list[PeriodView]:
    """The periods of the estate, the latest first."""
    join = RevenuePeriod.__table__.join if published_only else RevenuePeriod.__table__.outerjoin
    tables = join(
        RevenueStatement.__table__,
        and_(
            RevenueStatement.community_id == RevenuePeriod.community_id,
            RevenueStatement.period_id == RevenuePeriod.id,
        ),
    )
    rows = db.session().execute(
        select(RevenuePeriod, RevenueStatement)
        .select_from(tables)
        .where(RevenuePeriod.community_id == estate.community_id, RevenuePeriod.estate_id == estate.id)
        .order_by(RevenuePeriod.first_day.desc())
        .execution_options(populate_existing=True)
    )
    return [PeriodView(period, statement) for period, statement in rows]


def waiting_for(staff: StaffActor, *, limit: int) -> list[RevenuePeriod]:
    """The periods that wait for this member of staff: handed in by somebody else, to be reviewed where she reviews,
    then to be published where she publishes; the longest waiting first.
    """
    reviews = registry_reach(staff, Permission.REVENUE_REVIEW)
    publishes = registry_reach(staff, Permission.REVENUE_PUBLISH)
    estates = reviews | publishes
    if not estates:
        return []
    rows = db.session().scalars(
        select(RevenuePeriod)
        .where(
            RevenuePeriod.community_id.in_({estate.community_id for estate in estates}),
            RevenuePeriod.estate_id.in_({estate.id for estate in estates}),
            RevenuePeriod.state == PeriodState.IN_REVIEW,
            RevenuePeriod.submitted_by != staff.id,
        )
        .order_by(RevenuePeriod.submitted_at, RevenuePeriod.id)
        .limit(limit)
    )
    return [
        row
        for row in rows
        if Ref(row.community_id, row.estate_id) in (reviews if row.reviewed_by is None else publishes)
    ]


def period_view(period: RevenuePeriod) -> PeriodView:
    """A period with its statement."""
    return PeriodView(period, db.session().get(RevenueStatement, (period.community_id, period.id)))


def last_statement(estate: Ref, *, before: date | None = None) -> RevenueStatement | None:
    """The latest published period, or the latest that ended before a day."""
    query = select(RevenueStatement).where(
        RevenueStatement.community_id == estate.community_id, RevenueStatement.estate_id == estate.id
    )
    if before is not None:
        query = query.where(RevenueStatement.last_day < before)
    return db.session().scalar(query.order_by(RevenueStatement.seq.desc()).limit(1))


def first_statement(estate: Ref) -> RevenueStatement | None:
    """The first published period."""
    return db.session().scalar(
        select(RevenueStatement).where(
            RevenueStatement.community_id == estate.community_id,
            RevenueStatement.estate_id == estate.id,
            RevenueStatement.seq == 1,
        )
    )


def statement_of(estate: Ref, period: Ref | None) -> RevenueStatement:
    """The statement of a published period of the estate, or the latest one. Raises NotFound."""
    statement = db.session().get(RevenueStatement, period) if period is not None else last_statement(estate)
    if statement is None or Ref(statement.community_id, statement.estate_id) != estate:
        raise NotFound
    return statement


# --- published lines -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LineFilter:
    """Which published lines. `day_from`, `day_to` inclusive."""

    estate: Ref
    day_from: date | None = None
    day_to: date | None = None
    kind: str | None = None
    category: UUID | None = None
    contract: UUID | None = None
    decision: UUID | None = None  # of the owners, which allowed it: what came of one vote
    q: str | None = None
    account: str | None = None  # the figure it belongs to; an adjustment is of one as well
    no_category: bool = False  # the split to the fund, and adjustments without one

    @property
    def given(self) -> dict[str, Any]:
        """What is asked for, by the names that `sql` calls it. Raises RangeBackwards."""
        if self.day_from is not None and self.day_to is not None and self.day_from > self.day_to:
            raise RangeBackwards(errors={"from": [(RangeBackwards.zh, RangeBackwards.en)]})
        asked = {name: getattr(self, name) for name in _ASKED if name != "no_category"}
        if self.q:
            words = self.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            asked["q"] = f"%{words}%"
        return {name: value for name, value in asked.items() if value} | {
            "community_id": self.estate.community_id,
            "estate_id": self.estate.id,
        }

    @property
    def sql(self) -> str:
        """The condition on `revenue_lines`: one of some hundred texts, whatever is asked."""
        return _OF_ESTATE + "".join(sql for name, sql in _ASKED.items() if getattr(self, name))

    @property
    def where(self) -> TextClause:
        """The same for a query by SQLAlchemy. Raises RangeBackwards."""
        return text(self.sql).bindparams(**self.given)


_OF_ESTATE = "revenue_lines.community_id = :community_id AND revenue_lines.estate_id = :estate_id"
_NAMED = (
    "revenue_lines.{column} IN (SELECT named.id FROM {table} AS named WHERE named.community_id = :community_id"
    " AND named.estate_id = :estate_id AND named.{name} ILIKE :q)"
)
_ASKED = {
    "day_from": " AND revenue_lines.day >= :day_from",
    "day_to": " AND revenue_lines.day <= :day_to",
    "kind": " AND revenue_lines.kind = :kind",
    "account": " AND (revenue_lines.debit = :account OR revenue_lines.credit = :account)",
    "no_category": " AND revenue_lines.category_id IS NULL",
    "category": " AND revenue_lines.category_id = :category",
    "contract": " AND revenue_lines.contract_id = :contract",
    "decision": " AND revenue_lines.decision_id = :decision",
    "q": " AND (revenue_lines.note ILIKE :q OR revenue_lines.counterparty ILIKE :q"
    f" OR {_NAMED.format(column='category_id', table='revenue_categories', name='name')}"
    f" OR {_NAMED.format(column='contract_id', table='revenue_contracts', name='number')})",
}


class Totals(NamedTuple):
    """Figures of a set of lines, in fen."""

    lines: int = 0
    income_fen: int = 0
    cost_fen: int = 0
    uses_fen: int = 0
    fund_fen: int = 0

    @property
    def net_fen(self) -> int:
        """Income less cost: what belongs to the owners (民法典 282)."""
        return self.income_fen - self.cost_fen

    @property
    def change_fen(self) -> int:
        """By how much the balance grew."""
        return self.net_fen - self.uses_fen - self.fund_fen

    def plus(self, other: Totals) -> Totals:
        """The figures of both sets."""
        return Totals(*map(add, self, other))


def grown(account: Account, of: type[RevenueLine] | type[RevenueDraft] = RevenueLine) -> ColumnElement[int]:
    """By how much the line, or the draft, lets this figure grow."""
    grows, shrinks = of.debit, of.credit
    if account is Account.INCOME:
        grows, shrinks = shrinks, grows
    return case((grows == account, of.amount_fen), (shrinks == account, -of.amount_fen), else_=0)


FIGURES = (Account.INCOME, Account.COST, Account.USE, Account.FUND)


@functools.cache
def _sums() -> tuple[ColumnElement[Any], ...]:
    return (
        func.count(RevenueLine.id),
        *(func.coalesce(func.sum(grown(account)), 0) for account in FIGURES),
    )


def draft_totals(estate: Ref) -> Totals:
    """The figures of everything of the estate that isn't published yet."""
    sums = (func.coalesce(func.sum(grown(account, RevenueDraft)), 0) for account in FIGURES)
    row = (
        db.session()
        .execute(
            select(func.count(RevenueDraft.id), *sums).where(
                RevenueDraft.community_id == estate.community_id, RevenueDraft.estate_id == estate.id
            )
        )
        .one()
    )
    return Totals(*(int(value) for value in row))


def totals(where: LineFilter) -> Totals:
    """The figures of the filtered lines."""
    row = db.session().execute(select(*_sums()).where(where.where)).one()
    return Totals(*(int(value) for value in row))


def lines(
    where: LineFilter, *, limit: int | None = None, after: tuple[date, UUID] | None = None
) -> list[RevenueLine]:
    """The filtered lines, the latest first."""
    query = select(RevenueLine).where(where.where)
    if after is not None:
        query = query.where(tuple_(RevenueLine.day, RevenueLine.id) < after)
    rows = db.session().scalars(query.order_by(RevenueLine.day.desc(), RevenueLine.id.desc()).limit(limit))
    return list(rows)


def lines_of_period(period: Ref) -> list[RevenueLine]:
    """The lines of a published period in the order of their hash."""
    rows = db.session().scalars(
        select(RevenueLine)
        .where(RevenueLine.community_id == period.community_id, RevenueLine.period_id == period.id)
        .order_by(RevenueLine.day, RevenueLine.id)
    )
    return list(rows)


def lines_named(community_id: int, line_ids: Collection[UUID]) -> list[RevenueLine]:
    """These published lines of one community."""
    rows = db.session().scalars(
        select(RevenueLine).where(RevenueLine.community_id == community_id, RevenueLine.id.in_(line_ids))
    )
    return list(rows)


def reversals_of(community_id: int, line_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Line → the published line that reverses it."""
    rows = db.session().execute(
        select(RevenueLine.reverses_id, RevenueLine.id).where(
            RevenueLine.community_id == community_id, RevenueLine.reverses_id.in_(list(line_ids))
        )
    )
    return {reversed_id: line_id for reversed_id, line_id in rows if reversed_id is not None}


# --- summary ---------------------------------------------------------------------------------------------


class MonthCell(NamedTuple):
    """The figures of a month and category (None: the split to the fund, or an adjustment without one)."""

    month: date
    category_id: UUID | None
    totals: Totals


def by_month(where: LineFilter) -> list[MonthCell]:
    """The filtered lines added up by month and category, in the order of the months."""
    month = func.date_trunc("month", RevenueLine.day).label("month")
    rows = db.session().execute(
        select(month, RevenueLine.category_id, *_sums())
        .where(where.where)
        .group_by(month, RevenueLine.category_id)
        .order_by(month)
    )
    return [MonthCell(row[0].date(), row[1], Totals(*(int(value) for value in row[2:]))) for row in rows]


def balance_before(estate: Ref, day: date) -> int:
    """The balance at the beginning of a day, by what is published."""
    last = last_statement(estate, before=day)
    if last is None:
        first = first_statement(estate)
        opening, since = (first.opening_fen, None) if first is not None else (0, None)
    else:
        opening, since = last.closing_fen, last.last_day + DAY
    if since == day:
        return opening  # the range begins where that period ended
    return opening + totals(LineFilter(estate, day_from=since, day_to=day - DAY)).change_fen


# --- objections ------------------------------------------------------------------------------------------


def objections_of(
    estate: Ref, *, limit: int, before: UUID | None = None, line_id: UUID | None = None
) -> list[RevenueObjection]:
    """The objections of the estate, the latest first."""
    query = select(RevenueObjection).where(
        RevenueObjection.community_id == estate.community_id, RevenueObjection.estate_id == estate.id
    )
    if before is not None:
        query = query.where(RevenueObjection.id < before)
    if line_id is not None:
        query = query.where(RevenueObjection.line_id == line_id)
    return list(db.session().scalars(query.order_by(RevenueObjection.id.desc()).limit(limit)))
