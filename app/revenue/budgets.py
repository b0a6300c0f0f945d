"""Budgets: what the owners allowed for a year, and what came of it by the published lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app import clock, db, ids
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.revenue import allowed, queries
from app.revenue.budget_models import RevenueBudget, RevenueBudgetLine
from app.revenue.errors import BudgetInUse, BudgetLineTwice, BudgetTaken, BudgetTooLate, UnknownCategory
from app.revenue.models import Account, EntryKind, RevenueCategory, RevenueLine
from app.revenue.service import category_of, lock, note

KINDS = {EntryKind.INCOME, EntryKind.COST, EntryKind.USE}


class Plan(NamedTuple):
    """What is planned for a category."""

    category: Ref
    amount_fen: int
    note: str


class PlanView(NamedTuple):
    """A budget line with what was published of its category in its year."""

    line: RevenueBudgetLine
    category: RevenueCategory
    actual_fen: int


class BudgetView(NamedTuple):
    """A budget with its lines in their order."""

    budget: RevenueBudget
    lines: list[PlanView]


def enter(
    estate: Ref,
    *,
    year: int,
    decision: Ref | None,
    basis: str,
    plans: Sequence[Plan],
    acting_user: StaffActor,
) -> BudgetView:
    """The estate's budget of a year, one line a category. Owners often decide in the middle of it: then it says until
    which day its year was published, for everybody to see what was known. When all of it is, it is no plan any more.

    Raises NotFound, UnknownDecision, DecisionNotCertified, UnknownCategory, BudgetLineTwice, BudgetTaken,
    BudgetTooLate.
    """
    queries.estate_for(acting_user, Permission.REVENUE_EDIT, estate)
    lock(estate)
    last = queries.last_statement(estate)
    if last is not None and last.last_day >= date(year, 12, 31):
        raise BudgetTooLate
    _check_once(plans)
    made = RevenueBudget(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        year=year,
        decision_id=allowed.check(estate, decision) if decision is not None else None,
        basis=basis,
        published_until=last.last_day if last is not None and last.last_day.year == year else None,
        entered_by=acting_user.id,
        entered_at=clock.now(),
    )
    rows = [
        RevenueBudgetLine(
            community_id=estate.community_id,
            id=ids.new_id(),
            budget_id=made.id,
            category_id=_category_of(estate, position, plan),
            position=position,
            amount_fen=plan.amount_fen,
            note=plan.note,
        )
        for position, plan in enumerate(plans)
    ]
    db.session().add(made)
    try:
        db.session().flush()  # the constraint decides between two clerks; the lines point to it
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_revenue_budgets_community_id_estate_id_year":
            raise BudgetTaken from e
        raise
    db.session().add_all(rows)
    db.session().flush()  # the answer is read from the table
    note(acting_user.actor, "budget_entered", Ref(made.community_id, made.id), "revenue_budget", year=year)
    return next(view for view in budgets_of(estate) if view.budget.id == made.id)


def _check_once(plans: Sequence[Plan]) -> None:
    """Raises BudgetLineTwice at each line whose category stands above it already."""
    seen: set[Ref] = set()
    again = []
    for position, plan in enumerate(plans):
        if plan.category in seen:
            again.append(position)
        seen.add(plan.category)
    if again:
        said = (BudgetLineTwice.zh, BudgetLineTwice.en)
        raise BudgetLineTwice(errors={f"lines.{position}.category_id": [said] for position in again})


def _category_of(estate: Ref, position: int, plan: Plan) -> UUID:
    """The category's id. Raises UnknownCategory at the line."""
    try:
        return category_of(estate, plan.category, KINDS)
    except UnknownCategory as e:
        raise UnknownCategory(errors={f"lines.{position}.{at}": said for at, said in e.errors.items()}) from e


def withdraw(ref: Ref, *, acting_user: StaffActor) -> None:
    """Take a budget back before anything (more) of its year is published. Raises NotFound, BudgetInUse."""
    found = queries.one_for(acting_user, Permission.REVENUE_EDIT, RevenueBudget, ref)
    estate = Ref(ref.community_id, found.estate_id)
    lock(estate)
    last = queries.last_statement(estate)
    known = found.published_until or date(found.year - 1, 12, 31)
    if last is not None and last.last_day > known:
        raise BudgetInUse
    rows = db.session().scalars(
        select(RevenueBudgetLine).where(
            RevenueBudgetLine.community_id == ref.community_id, RevenueBudgetLine.budget_id == ref.id
        )
    )
    for row in rows.all():
        db.session().delete(row)
    db.session().flush()  # the lines point to it
    db.session().delete(found)
    note(acting_user.actor, "budget_withdrawn", ref, "revenue_budget", year=found.year)


def budgets_of(estate: Ref, *, year: int | None = None) -> list[BudgetView]:
    """The budgets of the estate, the latest first, each line with what is published of its category."""
    query = select(RevenueBudget).where(
        RevenueBudget.community_id == estate.community_id, RevenueBudget.estate_id == estate.id
    )
    if year is not None:
        query = query.where(RevenueBudget.year == year)
    found = list(db.session().scalars(query.order_by(RevenueBudget.year.desc())))
    if not found:
        return []
    lines = (
        db.session()
        .scalars(
            select(RevenueBudgetLine)
            .where(
                RevenueBudgetLine.community_id == estate.community_id,
                RevenueBudgetLine.budget_id.in_([b.id for b in found]),
            )
            .order_by(RevenueBudgetLine.budget_id, RevenueBudgetLine.position)
        )
        .all()
    )
    known = {c.id: c for c in queries.categories_of(estate)}
    spent = _spent(estate, min(b.year for b in found), max(b.year for b in found))
    return [
        BudgetView(
            budget,
            [
                PlanView(line, known[line.category_id], _actual(spent, budget.year, known[line.category_id]))
                for line in lines
                if line.budget_id == budget.id
            ],
        )
        for budget in found
    ]


def line_of(estate: Ref, entries: Sequence[RevenueLine]) -> Mapping[UUID, UUID]:
    """Published line → the budget line of its category and year, where there is one."""
    if not entries:
        return {}
    rows = db.session().execute(
        select(RevenueBudget.year, RevenueBudgetLine.category_id, RevenueBudgetLine.id)
        .join(
            RevenueBudgetLine,
            (RevenueBudgetLine.community_id == RevenueBudget.community_id)
            & (RevenueBudgetLine.budget_id == RevenueBudget.id),
        )
        .where(
            RevenueBudget.community_id == estate.community_id,
            RevenueBudget.estate_id == estate.id,
            RevenueBudget.year.in_({entry.day.year for entry in entries}),
        )
    )
    planned = {(year, category): line for year, category, line in rows}
    return {
        entry.id: planned[entry.day.year, entry.category_id]
        for entry in entries
        if entry.category_id is not None and (entry.day.year, entry.category_id) in planned
    }


def _spent(estate: Ref, first: int, last: int) -> dict[tuple[int, UUID, Account], int]:
    """(year, category, figure) → what is published."""
    year = func.date_part("year", RevenueLine.day).label("year")
    sums = [func.coalesce(func.sum(queries.grown(account)), 0) for account in queries.FIGURES]
    rows = db.session().execute(
        select(year, RevenueLine.category_id, *sums)
        .where(
            RevenueLine.community_id == estate.community_id,
            RevenueLine.estate_id == estate.id,
            RevenueLine.category_id.is_not(None),
            RevenueLine.day >= date(first, 1, 1),
            RevenueLine.day <= date(last, 12, 31),
        )
        .group_by(year, RevenueLine.category_id)
    )
    return {
        (int(row[0]), row[1], account): int(amount)
        for row in rows
        for account, amount in zip(queries.FIGURES, row[2:], strict=True)
    }


def _actual(spent: Mapping[tuple[int, UUID, Account], int], year: int, category: RevenueCategory) -> int:
    return spent.get((year, category.id, Account(category.kind)), 0)
