"""From draft to published: hand in, review by a second person, publish once, correct by reversals alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import func, insert, literal, select

from app import clock, db, ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.media.paper_models import AttachedPaper
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.revenue import chain, public_files, queries
from app.revenue.errors import (
    AlreadyPublished,
    AlreadyReviewed,
    DayInFuture,
    DayOutsidePeriod,
    DraftsLeftOver,
    DraftsTooEarly,
    FirstDayWrong,
    NoSettings,
    PeriodMove,
    PeriodNotOver,
    PeriodOpen,
    ReversalOfReversal,
    ReversedAlready,
    SecondPerson,
    VouchersNotReady,
)
from app.revenue.hands import has_hand_in
from app.revenue.models import (
    Account,
    DraftState,
    EntryKind,
    PeriodState,
    RevenueDraft,
    RevenueLine,
    RevenuePeriod,
    RevenueSetting,
    RevenueStatement,
)
from app.revenue.money import Rounding, split
from app.revenue.queries import PeriodView
from app.revenue.rendering_models import RenderingState
from app.revenue.service import check_day, check_rules, check_version, lock, new_draft, note, open_period
from app.revenue.spans import Rhythm, last_of

KIND = "revenue_period"
FUND_NOTE = "按规则提取转入维修资金"


def begin(
    estate: Ref,
    *,
    first_day: date | None,
    opening_fen: int | None,
    opening_note: str | None,
    acting_user: StaffActor,
) -> PeriodView:
    """The next period, by the rhythm of its first day. The first of an estate names its day and the balance that the
    street checked; later ones follow without gap.

    Raises NotFound, NoSettings, PeriodOpen, FirstDayWrong, DayInFuture, SettingsInsidePeriod.
    """
    queries.estate_for(acting_user, Permission.REVENUE_EDIT, estate)
    lock(estate)
    if open_period(estate) is not None:
        raise PeriodOpen
    last = queries.last_statement(estate)
    if (last is None) != (first_day is not None and opening_fen is not None):
        raise FirstDayWrong(errors={"first_day": [(FirstDayWrong.zh, FirstDayWrong.en)]})
    if last is not None:
        if first_day is not None or opening_fen is not None:
            raise FirstDayWrong(errors={"first_day": [(FirstDayWrong.zh, FirstDayWrong.en)]})
        first_day = last.last_day + queries.DAY
    assert first_day is not None
    if last is None:
        _check_first(first_day)
    rule = _rule(estate, first_day)
    check_rules(estate, first_day)
    made = RevenuePeriod(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        first_day=first_day,
        last_day=last_of(first_day, Rhythm(rule.rhythm)),
        state=PeriodState.DRAFT,
        opening_fen=opening_fen,
        opening_note=opening_note if last is None else None,
        version=1,
        created_at=clock.now(),
    )
    db.session().add(made)
    note(
        acting_user.actor, "period_begun", Ref(made.community_id, made.id), KIND, first=first_day.isoformat()
    )
    return PeriodView(made, None)


def _check_first(day: date) -> None:
    if day > places.today():
        raise DayInFuture(errors={"first_day": [(DayInFuture.zh, DayInFuture.en)]})


def change_first(
    ref: Ref,
    *,
    first_day: date | None,
    opening_fen: int | None,
    opening_note: str | None,
    version: int | None,
    acting_user: StaffActor,
) -> PeriodView:
    """Correct when the books begin and with what balance, while their first period is in draft; what isn't said stays.

    Raises NotFound, StaleVersion, PeriodMove, AlreadyPublished, FirstDayWrong (not the first one), DayInFuture,
    NoSettings, SettingsInsidePeriod.
    """
    period = _locked(ref, Permission.REVENUE_EDIT, version, acting_user)
    estate = Ref(ref.community_id, period.estate_id)
    if period.state != PeriodState.DRAFT:
        raise _refuse(period)
    if queries.last_statement(estate) is not None:
        raise FirstDayWrong(errors={"first_day": [(FirstDayWrong.zh, FirstDayWrong.en)]})
    if first_day is not None:
        _check_first(first_day)
        period.first_day = first_day
        period.last_day = last_of(first_day, Rhythm(_rule(estate, first_day).rhythm))
        check_rules(estate, first_day)
    if opening_fen is not None:
        period.opening_fen = opening_fen
    if opening_note is not None:
        period.opening_note = opening_note
    period.version += 1
    note(acting_user.actor, "period_changed", ref, KIND, first=period.first_day.isoformat())
    return PeriodView(period, None)


def _rule(estate: Ref, day: date) -> RevenueSetting:
    rule = queries.setting_on(estate, day)
    if rule is None:
        raise NoSettings
    return rule


def _locked(ref: Ref, permission: Permission, version: int | None, staff: StaffActor) -> RevenuePeriod:
    found = queries.one_for(staff, permission, RevenuePeriod, ref)
    lock(Ref(ref.community_id, found.estate_id))
    found = queries.one_for(staff, permission, RevenuePeriod, ref)  # as it is now that nobody else writes
    check_version(found.version, version)
    return found


def _refuse(period: RevenuePeriod) -> PeriodMove | AlreadyPublished:
    if period.state == PeriodState.PUBLISHED:
        return AlreadyPublished()
    return PeriodMove(extra={"state": period.state})


def submit(ref: Ref, *, version: int | None, acting_user: StaffActor) -> PeriodView:
    """Hand the period in: its drafts are frozen, and the split to the fund is computed and added as a line.

    Raises NotFound, StaleVersion, PeriodMove, AlreadyPublished, PeriodNotOver, NoSettings, DraftsTooEarly,
    VouchersNotReady.
    """
    period = _locked(ref, Permission.REVENUE_EDIT, version, acting_user)
    estate = Ref(ref.community_id, period.estate_id)
    if period.state != PeriodState.DRAFT:
        raise _refuse(period)
    if period.last_day >= places.today():
        raise PeriodNotOver
    drafts = queries.drafts_until(estate, period.last_day)
    _check_days(period, drafts)
    _check_vouchers(drafts, {RenderingState.MAKING, RenderingState.READY})
    fund = _split(period, drafts, acting_user)
    for draft in drafts:
        draft.state = DraftState.SUBMITTED
        draft.version += 1
    period.state = PeriodState.IN_REVIEW
    period.submitted_by, period.submitted_at = acting_user.id, clock.now()
    period.reviewed_by = period.reviewed_at = period.review_note = None
    period.version += 1
    note(acting_user.actor, "period_submitted", ref, KIND, lines=len(drafts), split_fen=fund)
    return PeriodView(period, None)


def _check_days(period: RevenuePeriod, drafts: list[RevenueDraft]) -> None:
    """Raises DraftsTooEarly for what was entered before anybody said when the books begin: no figure would show it."""
    early = [draft.id for draft in drafts if draft.day < period.first_day]
    if early:
        named = [ids.encode(Kind.REVENUE_ENTRY, Ref(period.community_id, id_)) for id_ in early[:20]]
        raise DraftsTooEarly(count=len(early), extra={"count": len(early), "entries": named})


def _check_vouchers(drafts: list[RevenueDraft], fit: set[RenderingState]) -> None:
    """Raises VouchersNotReady when a voucher has no public file that is fit: every line opens to its vouchers."""
    if not drafts:
        return
    home = drafts[0].community_id
    shown = {
        row.file_id
        for rows in public_files.of(home, [d.id for d in drafts]).values()
        for row in rows
        if row.state in fit
    }
    vouchers = queries.vouchers_of(home, [d.id for d in drafts])
    missing = [paper for found in vouchers.values() for paper in found if paper.id not in shown]
    if missing:
        lines = sorted({paper.object_id for paper in missing})
        named = [ids.encode(Kind.REVENUE_ENTRY, Ref(home, line)) for line in lines[:20]]
        raise VouchersNotReady(count=len(missing), extra={"count": len(missing), "entries": named})


def missing_split(period: RevenuePeriod, drafts: Sequence[RevenueDraft]) -> int:
    """What the fund still gets by the rules, less what was transferred by hand. A correction of an earlier transfer
    isn't one of this period's: counted, it would be made up for at once. Raises NoSettings.
    """
    rule = _rule(Ref(period.community_id, period.estate_id), period.first_day)
    sums = dict.fromkeys(Account, 0)
    for draft in drafts:
        if draft.account is not Account.FUND or (draft.kind == EntryKind.FUND and draft.reverses_id is None):
            sums[draft.account] += draft.signed_fen
    net = sums[Account.INCOME] - sums[Account.COST]
    return max(0, split(net, rule.split_bp, Rounding(rule.rounding)) - sums[Account.FUND])


def split_draft(period: RevenuePeriod, amount_fen: int, staff: StaffActor) -> RevenueDraft:
    """The line that brings the fund this amount, not yet in the session."""
    made = new_draft(Ref(period.community_id, period.estate_id), staff)
    made.day, made.kind, made.amount_fen = period.last_day, EntryKind.FUND, amount_fen
    made.debit, made.credit = Account.FUND, Account.BANK
    made.note, made.state, made.is_computed = FUND_NOTE, DraftState.SUBMITTED, True
    return made


def _split(period: RevenuePeriod, drafts: list[RevenueDraft], staff: StaffActor) -> int:
    missing = missing_split(period, drafts)
    if missing > 0:
        db.session().add(split_draft(period, missing, staff))
    return missing


def review(
    ref: Ref, *, passed: bool, remark: str | None, version: int | None, acting_user: StaffActor
) -> PeriodView:
    """A second person, who had no hand in them, says that the lines are right, or hands them back to be corrected.

    Raises NotFound, StaleVersion, PeriodMove, AlreadyPublished, AlreadyReviewed, SecondPerson.
    """
    period = _locked(ref, Permission.REVENUE_REVIEW, version, acting_user)
    estate = Ref(ref.community_id, period.estate_id)
    if period.state != PeriodState.IN_REVIEW:
        raise _refuse(period)
    if period.reviewed_by is not None and passed:
        raise AlreadyReviewed
    drafts = [d for d in queries.drafts_until(estate, period.last_day) if d.state == DraftState.SUBMITTED]
    hands = {d.drafted_by for d in drafts} | {period.submitted_by}
    if acting_user.id in hands or has_hand_in(period, acting_user.id):
        raise SecondPerson
    period.review_note = remark
    if passed:
        period.reviewed_by, period.reviewed_at = acting_user.id, clock.now()
    else:
        _hand_back(period, drafts)
    period.version += 1
    note(acting_user.actor, "period_reviewed", ref, KIND, passed=passed)
    return PeriodView(period, None)


def _hand_back(period: RevenuePeriod, drafts: list[RevenueDraft]) -> None:
    period.state = PeriodState.DRAFT
    period.submitted_by = period.submitted_at = period.reviewed_by = period.reviewed_at = None
    for draft in drafts:
        if draft.is_computed:
            db.session().delete(draft)
        else:
            draft.state = DraftState.OPEN
            draft.version += 1


def publish(ref: Ref, *, version: int | None, acting_user: StaffActor) -> PeriodView:
    """The reviewed lines become public, for ever. Posting begins on the next day (民法典 201) for the rules' days.

    Raises NotFound, StaleVersion, AlreadyPublished, PeriodMove (not reviewed), DraftsLeftOver, VouchersNotReady.
    """
    period = _locked(ref, Permission.REVENUE_PUBLISH, version, acting_user)
    estate = Ref(ref.community_id, period.estate_id)
    if period.state != PeriodState.IN_REVIEW or period.reviewed_by is None:
        raise _refuse(period)
    drafts = queries.drafts_until(estate, period.last_day)
    left_over = sum(1 for draft in drafts if draft.state != DraftState.SUBMITTED)
    if left_over:
        raise DraftsLeftOver(count=left_over, extra={"count": left_over})
    _check_vouchers(drafts, {RenderingState.READY})
    period.state = PeriodState.PUBLISHED
    period.version += 1
    _post(period, drafts)
    statement = _state(period, estate, acting_user.id)
    note(acting_user.actor, "period_published", ref, KIND, lines=len(drafts), hash=statement.own_hash.hex())
    return PeriodView(period, statement)


def as_line(draft: RevenueDraft, period: RevenuePeriod, vouchers: Sequence[AttachedPaper]) -> RevenueLine:
    """The draft as it is published, not yet in the session."""
    return RevenueLine(
        community_id=draft.community_id,
        id=draft.id,
        estate_id=draft.estate_id,
        period_id=period.id,
        day=draft.day,
        kind=draft.kind,
        category_id=draft.category_id,
        debit=draft.debit,
        credit=draft.credit,
        amount_fen=draft.amount_fen,
        counterparty=draft.counterparty,
        contract_id=draft.contract_id,
        decision_id=draft.decision_id,
        note=draft.note,
        reverses_id=draft.reverses_id,
        drafted_by=draft.drafted_by,
        vouchers=[{"id": str(p.id), "kind": p.kind, "sha256": p.sha256.hex()} for p in vouchers],
        posted_at=clock.now(),
    )


def _post(period: RevenuePeriod, drafts: list[RevenueDraft]) -> None:
    vouchers = queries.vouchers_of(period.community_id, [d.id for d in drafts])
    for draft in drafts:
        db.session().add(as_line(draft, period, vouchers[draft.id]))
        db.session().delete(draft)
    db.session().flush()  # the statement is computed from the table


def _state(period: RevenuePeriod, estate: Ref, staff_id: UUID) -> RevenueStatement:
    """Write the period's figures, added up by the database from its lines in the same statement."""
    last = queries.last_statement(estate)
    rule = _rule(estate, period.first_day)
    if last is None:
        opening, seq, prev_hash = period.opening_fen or 0, 1, chain.START
    else:
        opening, seq, prev_hash = last.closing_fen, last.seq + 1, last.own_hash
    own_hash = chain.digest(
        prev_hash=prev_hash,
        estate_id=period.estate_id,
        period_id=period.id,
        seq=seq,
        first_day=period.first_day,
        last_day=period.last_day,
        opening_fen=opening,
        lines=queries.lines_of_period(Ref(period.community_id, period.id)),
    )
    posted_from = places.today() + queries.DAY
    s, line = RevenueStatement, RevenueLine
    income, cost, uses, fund = (
        func.coalesce(func.sum(queries.grown(account)), 0) for account in queries.FIGURES
    )
    columns = {
        s.community_id: literal(period.community_id, s.community_id.type),
        s.period_id: literal(period.id, s.period_id.type),
        s.estate_id: literal(period.estate_id, s.estate_id.type),
        s.seq: literal(seq),
        s.first_day: literal(period.first_day),
        s.last_day: literal(period.last_day),
        s.opening_fen: literal(opening, s.opening_fen.type),
        s.income_fen: income,
        s.cost_fen: cost,
        s.uses_fen: uses,
        s.fund_fen: fund,
        s.closing_fen: literal(opening, s.opening_fen.type) + income - cost - fund - uses,
        s.line_count: func.count(line.id),
        s.split_bp: literal(rule.split_bp),
        s.rounding: literal(rule.rounding),
        s.posted_from: literal(posted_from),
        s.closed_from: literal(posted_from + timedelta(days=rule.posting_days)),
        s.submitted_by: literal(period.submitted_by, s.submitted_by.type),
        s.reviewed_by: literal(period.reviewed_by, s.reviewed_by.type),
        s.published_by: literal(staff_id, s.published_by.type),
        s.published_at: literal(clock.now(), s.published_at.type),
        s.prev_hash: literal(prev_hash, s.prev_hash.type),
        s.own_hash: literal(own_hash, s.own_hash.type),
    }
    figures = select(*columns.values()).where(
        line.community_id == period.community_id, line.period_id == period.id
    )
    db.session().execute(insert(s).from_select([c.key for c in columns], figures))
    return db.session().get_one(s, (period.community_id, period.id))


def correct(ref: Ref, *, entry: Ref, day: date | None, reason: str, acting_user: StaffActor) -> RevenueDraft:
    """Prepare, in this open period, the reversal of a published line; it becomes public with the period. What is right
    instead is entered as a line of its own. `day`: the period's last day or today, whichever is first, unless said.

    Raises NotFound, AlreadyPublished, PeriodMove, ReversalOfReversal, ReversedAlready, DayInFuture, PeriodClosed,
    DayOutsidePeriod.
    """
    period = _locked(ref, Permission.REVENUE_EDIT, None, acting_user)
    estate = Ref(ref.community_id, period.estate_id)
    if period.state != PeriodState.DRAFT:
        raise _refuse(period)
    line = queries.one_for(acting_user, Permission.REVENUE_EDIT, RevenueLine, entry)
    if Ref(line.community_id, line.estate_id) != estate:
        raise NotFound
    if line.reverses_id is not None:
        raise ReversalOfReversal
    prepared = db.session().scalar(
        select(RevenueDraft.id).where(
            RevenueDraft.community_id == entry.community_id, RevenueDraft.reverses_id == entry.id
        )
    )
    if prepared is not None or queries.reversals_of(entry.community_id, [entry.id]):
        raise ReversedAlready
    on = day or min(period.last_day, places.today())
    check_day(estate, on)
    if not period.first_day <= on <= period.last_day:
        raise DayOutsidePeriod(errors={"day": [(DayOutsidePeriod.zh, DayOutsidePeriod.en)]})
    made = new_draft(estate, acting_user)
    made.day, made.kind, made.amount_fen, made.category_id = on, line.kind, line.amount_fen, line.category_id
    made.debit, made.credit = line.credit, line.debit
    made.counterparty, made.contract_id, made.decision_id = (
        line.counterparty,
        line.contract_id,
        line.decision_id,
    )
    made.note, made.reverses_id = reason, line.id
    db.session().add(made)
    note(
        acting_user.actor,
        "correction_prepared",
        Ref(made.community_id, made.id),
        "revenue_entry",
        reverses=str(line.id),
    )
    return made
