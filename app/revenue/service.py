"""Keeping the books: rules, categories, contracts, drafts. Everything an estate's books change by takes its lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import audit, clock, db, ids
from app.audit import Actor
from app.errors import NotFound, StaleVersion
from app.ids import Ref
from app.media import papers
from app.media.errors import PaperUnknown
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.models import Estate
from app.revenue import allowed, public_files, queries
from app.revenue.errors import (
    AdjustmentUnclear,
    CategoryFixed,
    CategoryMissing,
    CategoryTaken,
    DayBeforeBooks,
    DayInFuture,
    DraftFrozen,
    PeriodClosed,
    ReversalFixed,
    SettingsInsidePeriod,
    SettingsTooEarly,
    TooManyVouchers,
    UnknownCategory,
    UnknownContract,
    VoucherRefused,
)
from app.revenue.models import (
    Account,
    DraftState,
    EntryKind,
    Keeper,
    PeriodState,
    RevenueCategory,
    RevenueContract,
    RevenueDraft,
    RevenuePeriod,
    RevenueSetting,
)
from app.revenue.money import Rounding
from app.revenue.queries import PeriodView
from app.revenue.spans import Rhythm, last_of

P = Permission
MAX_VOUCHERS = 9


def lock(estate: Ref) -> None:
    """From here to the commit nobody else changes this estate's books; what points to the estate isn't held up."""
    db.session().get(Estate, estate, with_for_update={"key_share": True}, populate_existing=True)


def note(actor: Actor, action: str, ref: Ref, object_kind: str, /, **details: Any) -> None:
    """The audit row of a change of the books: ids and words, no text that somebody wrote."""
    audit.record(
        actor,
        f"revenue.{action}",
        community_id=ref.community_id,
        object_kind=object_kind,
        object_id=ref.id,
        **details,
    )


def check_version(have: int, version: int | None) -> None:
    """Raises StaleVersion when the one who asks saw another one."""
    if version is not None and version != have:
        raise StaleVersion


# --- rules -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """How an estate's revenue is kept. `split_bp`: of the net to the maintenance fund, in 0.01 %."""

    split_bp: int
    rounding: Rounding
    rhythm: Rhythm
    posting_days: int
    answer_days: int
    keeper: Keeper
    keeper_name: str
    basis: str


def set_rules(estate: Ref, rules: Rules, *, valid_from: date, acting_user: StaffActor) -> RevenueSetting:
    """Rules from a day on. What is published, or in review, keeps those it was made under; the same day again
    replaces. A period in draft that begins then or later takes the new rhythm.

    A period is one sum with one split, so what decides about it (split, rounding, rhythm, days of posting) changes on
    the first day of a period alone: a year whose net was cut in the middle would give the fund another amount than
    either rule. Who keeps the money, and how fast doubts are answered, changes on any day.

    Raises NotFound, SettingsTooEarly, SettingsInsidePeriod.
    """
    queries.estate_for(acting_user, P.REVENUE_SETTINGS, estate)
    lock(estate)
    periods = queries.periods_of(estate, published_only=False)
    if any(v.period.state != PeriodState.DRAFT and valid_from <= v.period.last_day for v in periods):
        raise SettingsTooEarly(errors={"valid_from": [(SettingsTooEarly.zh, SettingsTooEarly.en)]})
    row = db.session().get(RevenueSetting, (estate.community_id, estate.id, valid_from))
    before = None
    if row is None:
        row = RevenueSetting(community_id=estate.community_id, estate_id=estate.id, valid_from=valid_from)
        db.session().add(row)
    else:
        before = {"split_bp": row.split_bp, "rhythm": row.rhythm, "rounding": row.rounding}
    row.split_bp, row.rounding, row.rhythm = rules.split_bp, rules.rounding, rules.rhythm
    row.posting_days, row.answer_days = rules.posting_days, rules.answer_days
    row.keeper, row.keeper_name, row.basis = rules.keeper, rules.keeper_name, rules.basis
    row.set_by, row.set_at = acting_user.id, clock.now()
    db.session().flush()  # the rules of a day are read from the table
    begins = _next_first_day(periods)
    if begins is not None:
        check_rules(estate, begins)
    for view in periods:
        if view.period.state == PeriodState.DRAFT:
            rule = queries.setting_on(estate, view.period.first_day)
            if rule is not None:
                view.period.last_day = last_of(view.period.first_day, Rhythm(rule.rhythm))
                view.period.version += 1
    note(
        acting_user.actor,
        "rules_set",
        estate,
        "estate",
        valid_from=valid_from.isoformat(),
        split_bp=rules.split_bp,
        rhythm=rules.rhythm.value,
        rounding=rules.rounding.value,
        before=before,
    )
    return row


def _next_first_day(periods: Sequence[PeriodView]) -> date | None:
    """The first day of the period in draft, or of the one after the last; None before the books begin."""
    if not periods:
        return None
    latest = periods[0].period
    return latest.first_day if latest.state == PeriodState.DRAFT else latest.last_day + queries.DAY


def check_rules(estate: Ref, begins: date) -> None:
    """Raises SettingsInsidePeriod when rules would begin, and count, inside one of the periods from this day on."""
    rules = sorted(queries.settings_of(estate), key=lambda rule: rule.valid_from)
    for before, rule in pairwise(rules):
        while begins < rule.valid_from:
            begun = [r for r in rules if r.valid_from <= begins]
            if not begun:
                break
            last = last_of(begins, Rhythm(begun[-1].rhythm))
            if rule.valid_from <= last and _of_period(before) != _of_period(rule):
                span: dict[str, Any] = {
                    "day": rule.valid_from.isoformat(),
                    "first": begins.isoformat(),
                    "last": last.isoformat(),
                    "next": (last + queries.DAY).isoformat(),
                }
                said = SettingsInsidePeriod.zh.format(**span), SettingsInsidePeriod.en.format(**span)
                raise SettingsInsidePeriod(errors={"valid_from": [said]}, **span)
            if rule.valid_from <= last:
                break
            begins = last + queries.DAY


def _of_period(rule: RevenueSetting) -> tuple[int, str, str, int]:
    return rule.split_bp, rule.rounding, rule.rhythm, rule.posting_days


# --- categories ------------------------------------------------------------------------------------------


def add_category(estate: Ref, *, kind: EntryKind, name: str, acting_user: StaffActor) -> RevenueCategory:
    """A category of income, cost or use. Raises NotFound, CategoryTaken."""
    queries.estate_for(acting_user, P.REVENUE_EDIT, estate)
    made = RevenueCategory(
        community_id=estate.community_id, id=ids.new_id(), estate_id=estate.id, kind=kind, name=name
    )
    db.session().add(made)
    try:
        db.session().flush()  # the constraint decides between two clerks
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_revenue_categories_community_id_estate_id_kind_name":
            raise CategoryTaken from e
        raise
    note(
        acting_user.actor,
        "category_added",
        Ref(made.community_id, made.id),
        "revenue_category",
        kind=kind.value,
    )
    return made


def change_category(
    ref: Ref, *, changes: Mapping[str, Any], version: int | None, acting_user: StaffActor
) -> RevenueCategory:
    """End a category, or use it again (`is_active`). Its name and kind stay, because published lines are read by them:
    another name is another category. Raises NotFound, StaleVersion, CategoryFixed.
    """
    found = queries.one_for(acting_user, P.REVENUE_EDIT, RevenueCategory, ref)
    lock(Ref(ref.community_id, found.estate_id))
    # As it is now that nobody else writes.
    found = queries.one_for(acting_user, P.REVENUE_EDIT, RevenueCategory, ref)
    check_version(found.version, version)
    fixed = sorted({"name", "kind"} & set(changes))
    if fixed:
        raise CategoryFixed(errors={field: [(CategoryFixed.zh, CategoryFixed.en)] for field in fixed})
    found.is_active = changes["is_active"]
    found.version += 1
    note(acting_user.actor, "category_switched", ref, "revenue_category", is_active=found.is_active)
    return found


def attach(ref: Ref, file_ids: Sequence[UUID], staff: StaffActor) -> None:
    """Hang uploaded papers at a draft or contract. Raises VoucherRefused, TooManyVouchers."""
    if not file_ids:
        return
    if len(queries.vouchers_of(ref.community_id, [ref.id])[ref.id]) + len(file_ids) > MAX_VOUCHERS:
        said = TooManyVouchers.zh.format(most=MAX_VOUCHERS), TooManyVouchers.en.format(most=MAX_VOUCHERS)
        raise TooManyVouchers(most=MAX_VOUCHERS, errors={"file_ids": [said]})
    if any(papers.paper_of(staff.id, file_id) is None for file_id in file_ids):
        raise VoucherRefused(errors={"file_ids": [(VoucherRefused.zh, VoucherRefused.en)]})
    try:
        papers.attach(
            owner_id=staff.id,
            file_ids=file_ids,
            community_id=ref.community_id,
            object_kind=queries.PAPERS,
            object_id=ref.id,
        )
    except PaperUnknown as e:
        raise VoucherRefused(errors={"file_ids": [(VoucherRefused.zh, VoucherRefused.en)]}) from e


# --- drafts ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What a clerk says of a line. `account` and `is_decrease`: of an adjustment, and of nothing else."""

    day: date
    kind: EntryKind
    amount_fen: int
    category: Ref | None = None
    account: Account | None = None
    is_decrease: bool | None = None
    counterparty: str | None = None
    contract: Ref | None = None
    decision: Ref | None = None
    note: str = ""


_CATEGORY_OF = {Account.INCOME: EntryKind.INCOME, Account.COST: EntryKind.COST, Account.USE: EntryKind.USE}


def accounts_of(
    kind: EntryKind, account: Account | None, is_decrease: bool | None
) -> tuple[Account, Account]:
    """Debit and credit of a line. Raises AdjustmentUnclear."""
    is_adjustment = kind is EntryKind.ADJUSTMENT
    if is_adjustment != (account is not None) or is_adjustment != (is_decrease is not None):
        raise AdjustmentUnclear(errors={"account": [(AdjustmentUnclear.zh, AdjustmentUnclear.en)]})
    figure = account if account is not None else Account(kind)
    brings = (figure is Account.INCOME) != bool(is_decrease)
    return (Account.BANK, figure) if brings else (figure, Account.BANK)


def category_of(estate: Ref, ref: Ref, kinds: set[EntryKind]) -> UUID:
    """The id of a category of this estate and one of these kinds that is in use. Raises UnknownCategory."""
    found = db.session().get(RevenueCategory, ref, populate_existing=True)
    if (
        found is None
        or Ref(found.community_id, found.estate_id) != estate
        or not found.is_active
        or found.kind not in kinds
    ):
        raise UnknownCategory(errors={"category_id": [(UnknownCategory.zh, UnknownCategory.en)]})
    return found.id


def check_day(estate: Ref, day: date) -> None:
    """Raises DayInFuture, PeriodClosed, DayBeforeBooks."""
    if day > places.today():
        raise DayInFuture(errors={"day": [(DayInFuture.zh, DayInFuture.en)]})
    last = queries.last_statement(estate)
    if last is not None and day <= last.last_day:
        raise PeriodClosed(errors={"day": [(PeriodClosed.zh, PeriodClosed.en)]})
    begun = open_period(estate) if last is None else None
    if begun is not None and day < begun.first_day:
        raise DayBeforeBooks(errors={"day": [(DayBeforeBooks.zh, DayBeforeBooks.en)]})


def _write(draft: RevenueDraft, facts: Facts) -> None:
    estate = Ref(draft.community_id, draft.estate_id)
    check_day(estate, facts.day)
    debit, credit = accounts_of(facts.kind, facts.account, facts.is_decrease)
    figure = credit if debit is Account.BANK else debit
    category_id = None
    if facts.category is not None:
        wanted = _CATEGORY_OF.get(figure)
        category_id = category_of(estate, facts.category, {wanted} if wanted else set())
    elif facts.kind in {EntryKind.INCOME, EntryKind.COST, EntryKind.USE}:
        raise CategoryMissing(errors={"category_id": [(CategoryMissing.zh, CategoryMissing.en)]})
    if facts.contract is not None:
        contract = db.session().get(RevenueContract, facts.contract)
        if contract is None or Ref(contract.community_id, contract.estate_id) != estate:
            raise UnknownContract(errors={"contract_id": [(UnknownContract.zh, UnknownContract.en)]})
    decision_id = allowed.check(estate, facts.decision) if facts.decision is not None else None
    draft.day, draft.kind, draft.amount_fen = facts.day, facts.kind, facts.amount_fen
    draft.debit, draft.credit, draft.category_id = debit, credit, category_id
    draft.counterparty, draft.note = facts.counterparty, facts.note
    draft.contract_id = facts.contract.id if facts.contract is not None else None
    draft.decision_id = decision_id
    draft.updated_at = clock.now()


def new_draft(estate: Ref, staff: StaffActor) -> RevenueDraft:
    """An empty draft of this clerk, not yet in the session."""
    return RevenueDraft(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        state=DraftState.OPEN,
        drafted_by=staff.id,
        is_computed=False,
        version=1,
        created_at=clock.now(),
        updated_at=clock.now(),
    )


def add_draft(
    estate: Ref, facts: Facts, *, file_ids: Sequence[UUID], acting_user: StaffActor
) -> RevenueDraft:
    """Enter a line, with its vouchers (one's own uploads). Nobody but staff sees it before its period is published.

    Raises NotFound, DayInFuture, PeriodClosed, DayBeforeBooks, UnknownCategory, CategoryMissing, AdjustmentUnclear,
    UnknownContract, UnknownDecision, DecisionNotCertified, VoucherRefused, TooManyVouchers.
    """
    queries.estate_for(acting_user, P.REVENUE_EDIT, estate)
    lock(estate)
    draft = new_draft(estate, acting_user)
    _write(draft, facts)
    db.session().add(draft)
    ref = Ref(draft.community_id, draft.id)
    attach(ref, file_ids, acting_user)
    note(
        acting_user.actor,
        "draft_added",
        ref,
        "revenue_entry",
        amount_fen=facts.amount_fen,
        kind=facts.kind.value,
    )
    return draft


def _own_draft(ref: Ref, version: int | None, staff: StaffActor) -> RevenueDraft:
    found = queries.one_for(staff, P.REVENUE_EDIT, RevenueDraft, ref)
    lock(Ref(ref.community_id, found.estate_id))
    found = queries.one_for(staff, P.REVENUE_EDIT, RevenueDraft, ref)  # as it is now that nobody else writes
    check_version(found.version, version)
    if found.state != DraftState.OPEN:
        raise DraftFrozen
    return found


def facts_of(draft: RevenueDraft) -> Facts:
    """What was said of a draft."""
    home = draft.community_id
    is_adjustment = draft.kind == EntryKind.ADJUSTMENT
    return Facts(
        day=draft.day,
        kind=EntryKind(draft.kind),
        amount_fen=draft.amount_fen,
        category=Ref(home, draft.category_id) if draft.category_id else None,
        account=draft.account if is_adjustment else None,
        is_decrease=draft.signed_fen < 0 if is_adjustment else None,
        counterparty=draft.counterparty,
        contract=Ref(home, draft.contract_id) if draft.contract_id else None,
        decision=Ref(home, draft.decision_id) if draft.decision_id else None,
        note=draft.note,
    )


def change_draft(
    ref: Ref,
    *,
    changes: Mapping[str, Any],
    file_ids: Sequence[UUID],
    version: int | None,
    acting_user: StaffActor,
) -> RevenueDraft:
    """Correct a line that isn't handed in, and add vouchers to it. Fields of `Facts`; another kind takes its category
    and its direction anew. Raises as `add_draft`, StaleVersion, DraftFrozen, ReversalFixed.
    """
    draft = _own_draft(ref, version, acting_user)
    if draft.reverses_id is not None:
        if set(changes) - {"day", "note"}:
            raise ReversalFixed
        if "day" in changes:
            check_day(Ref(ref.community_id, draft.estate_id), changes["day"])
        for field, value in changes.items():
            setattr(draft, field, value)
        draft.updated_at = clock.now()
    else:
        before = facts_of(draft)
        if changes.get("kind", before.kind) != before.kind:
            before = Facts(**(before.__dict__ | {"category": None, "account": None, "is_decrease": None}))
        _write(draft, Facts(**(before.__dict__ | dict(changes))))
    draft.version += 1
    attach(ref, file_ids, acting_user)
    note(
        acting_user.actor, "draft_changed", ref, "revenue_entry", fields=sorted(changes), files=len(file_ids)
    )
    return draft


def drop_draft(ref: Ref, *, version: int | None, acting_user: StaffActor) -> None:
    """Throw a line away that isn't handed in, with its vouchers. Raises NotFound, StaleVersion, DraftFrozen."""
    draft = _own_draft(ref, version, acting_user)
    papers.throw_away(object_kind=queries.PAPERS, ref=ref)
    public_files.forget(ref)
    note(
        acting_user.actor,
        "draft_dropped",
        ref,
        "revenue_entry",
        amount_fen=draft.amount_fen,
        kind=draft.kind,
        day=draft.day.isoformat(),
    )
    db.session().delete(draft)


def open_voucher(ref: Ref, file_id: UUID, *, acting_user: StaffActor) -> papers.Evidence:
    """A voucher of a draft or line as it was uploaded; audited. Raises NotFound."""
    queries.paper_holder(acting_user, P.REVENUE_VIEW, ref)
    for paper in papers.of(queries.PAPERS, ref):
        if paper.id == file_id:
            note(acting_user.actor, "voucher_seen", ref, "revenue_entry", file_id=str(file_id))
            return paper
    raise NotFound


def open_period(estate: Ref) -> RevenuePeriod | None:
    """The period that isn't published yet."""
    return db.session().scalar(
        select(RevenuePeriod)
        .where(
            RevenuePeriod.community_id == estate.community_id,
            RevenuePeriod.estate_id == estate.id,
            RevenuePeriod.state != PeriodState.PUBLISHED,
        )
        .execution_options(populate_existing=True)
    )
