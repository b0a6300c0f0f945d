"""The books as staff keep them: rules, categories, contracts, drafts, periods."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.ids import Kind
from app.revenue.ledger_headings import Field
from app.revenue.models import Account, EntryKind, Keeper
from app.revenue.money import Rounding
from app.revenue.service import MAX_VOUCHERS
from app.revenue.spans import Rhythm
from bff.revenue import (
    FIGURES,
    KINDS,
    RevenueLineDetailOut,
    RevenuePageOut,
    RevenuePeriodOut,
    RevenueRulesOut,
    RevenueTotalsOut,
    RevenueVoucherOut,
)
from bff.schemas import Date, Fen, Query, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate
_FIGURES = [a.value for a in Account if a is not Account.BANK]


class RevenueRulesIn(Schema):
    valid_from = Date(required=True)
    split_bp = f.Integer(
        required=True,
        strict=True,
        validate=v.Range(0, 10_000),
        metadata={"description": "0.01 %: 7000 is 70 %"},
    )
    rounding = f.String(load_default=Rounding.HALF_EVEN.value, validate=v.OneOf([r.value for r in Rounding]))
    rhythm = f.String(required=True, validate=v.OneOf([r.value for r in Rhythm]))
    posting_days = f.Integer(load_default=15, strict=True, validate=v.Range(1, 365))
    answer_days = f.Integer(load_default=7, strict=True, validate=v.Range(1, 60))
    keeper = f.String(required=True, validate=v.OneOf([k.value for k in Keeper]))
    keeper_name = Text(most=80, least=2, required=True)
    basis = Text(
        most=200, least=2, required=True, metadata={"description": "the rule or decision it rests on"}
    )


class RevenueRulesList(Schema):
    items = f.List(f.Nested(RevenueRulesOut), required=True)


class RevenueCategoryIn(Schema):
    kind = f.String(required=True, validate=v.OneOf(["income", "cost", "use"]))
    name = Text(most=40, least=1, required=True)


class RevenueCategoryChange(Schema):
    is_active = f.Boolean()
    name = Text(most=40, metadata={"description": "refused: a category keeps its name"})
    kind = f.String(metadata={"description": "refused: a category keeps its kind"})

    @ma.validates_schema
    def _says_something(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ma.ValidationError({"is_active": ["required"]})


class RevenueCategoryOut(Schema):
    category_id = WireId(Kind.REVENUE_CATEGORY, required=True)
    kind = f.String(required=True)
    name = f.String(required=True)
    is_active = f.Boolean(required=True)
    version = f.Integer(required=True)


class RevenueCategoryList(Schema):
    items = f.List(f.Nested(RevenueCategoryOut), required=True)


def files() -> f.List:
    """Papers to be hung at a line or contract."""
    return f.List(
        WireId(Kind.UPLOAD),
        load_default=list,
        validate=v.Length(max=MAX_VOUCHERS),
        metadata={"description": "papers of one's own (`POST /files`, purpose evidence)"},
    )


class _EntryFields(Schema):
    counterparty = Text(most=80, allow_none=True)
    contract_id = WireId(Kind.REVENUE_CONTRACT, allow_none=True, data_key="contract_id", attribute="contract")
    decision_id = WireId(
        Kind.DECISION,
        allow_none=True,
        attribute="decision",
        metadata={"description": "the owners' decision that allowed it"},
    )
    category_id = WireId(Kind.REVENUE_CATEGORY, allow_none=True, attribute="category")
    account = f.String(
        allow_none=True,
        validate=v.OneOf(_FIGURES),
        metadata={"description": "of an adjustment: which figure it changes"},
    )
    is_decrease = f.Boolean(allow_none=True, truthy={True}, falsy={False})
    note = Text(most=500)
    file_ids = files()


class RevenueEntryIn(_EntryFields):
    day = Date(required=True)
    kind = f.String(required=True, validate=v.OneOf(KINDS))
    amount_fen = Fen(least=1, required=True)

    @ma.post_load
    def _as_facts(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return _typed(data)


class RevenueEntryChange(_EntryFields):
    day = Date()
    kind = f.String(validate=v.OneOf(KINDS))
    amount_fen = Fen(least=1)

    @ma.post_load
    def _as_facts(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return _typed(data)


def _typed(data: dict[str, Any]) -> dict[str, Any]:
    if data.get("kind") is not None:
        data["kind"] = EntryKind(data["kind"])
    if data.get("account") is not None:
        data["account"] = Account(data["account"])
    return data


class RevenueDraftOut(Schema):
    entry_id = WireId(Kind.REVENUE_ENTRY, required=True)
    state = f.String(required=True, metadata={"description": "open | submitted"})
    day = Date(required=True)
    kind = f.String(required=True)
    account = f.String(required=True)
    category_id = WireId(Kind.REVENUE_CATEGORY, required=True, allow_none=True)
    debit = f.String(required=True)
    credit = f.String(required=True)
    amount_fen = f.Integer(required=True)
    signed_fen = f.Integer(required=True)
    counterparty = f.String(required=True, allow_none=True)
    contract_id = WireId(Kind.REVENUE_CONTRACT, required=True, allow_none=True)
    decision_id = WireId(Kind.DECISION, required=True, allow_none=True)
    note = f.String(required=True)
    reverses = WireId(Kind.REVENUE_ENTRY, required=True, allow_none=True)
    is_computed = f.Boolean(required=True, metadata={"description": "the split, added by submitting"})
    vouchers = f.List(f.Nested(RevenueVoucherOut), required=True)
    version = f.Integer(required=True)


class RevenueStaffLineOut(RevenueLineDetailOut):
    vouchers = f.List(f.Nested(RevenueVoucherOut), required=True)


class RevenueDraftList(Schema):
    total = f.Nested(
        RevenueTotalsOut, required=True, metadata={"description": "of everything that isn't published yet"}
    )
    items = f.List(f.Nested(RevenueDraftOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class RevenuePeriodIn(Schema):
    first_day = Date(load_default=None, metadata={"description": "of the estate's first period alone"})
    opening_fen = Fen(least=0, load_default=None, allow_none=True)
    opening_note = Text(most=200, load_default=None, metadata={"description": "who checked it"})


class RevenuePeriodChange(Schema):
    first_day = Date(load_default=None)
    opening_fen = Fen(least=0, load_default=None)
    opening_note = Text(most=200, load_default=None, metadata={"description": "who checked it"})


class RevenueStaffPeriodOut(RevenuePeriodOut):
    submitted_by = f.String(required=True, allow_none=True)
    submitted_at = Time(required=True, allow_none=True)
    reviewed_by = f.String(required=True, allow_none=True)
    reviewed_at = Time(required=True, allow_none=True)
    review_note = f.String(required=True, allow_none=True)
    opening_note = f.String(required=True, allow_none=True)
    version = f.Integer(required=True)


class RevenueStaffPeriodList(Schema):
    items = f.List(f.Nested(RevenueStaffPeriodOut), required=True)


class RevenueReviewIn(Schema):
    passed = f.Boolean(required=True)
    note = Text(most=200, load_default=None)


class RevenueCorrectIn(Schema):
    entry_id = WireId(Kind.REVENUE_ENTRY, required=True)
    reason = Text(most=500, least=2, required=True)
    day = Date(load_default=None)


class RevenueAnswerIn(Schema):
    text = Text(most=1000, least=2, required=True)


class RevenueExportQuery(Query):
    day_from = Date(load_default=None, data_key="from")
    day_to = Date(load_default=None, data_key="to")
    kind = f.String(load_default=None, validate=v.OneOf(KINDS))
    account = f.String(load_default=None, validate=v.OneOf(FIGURES))
    category = WireId(Kind.REVENUE_CATEGORY, load_default=None)
    no_category = f.Boolean(load_default=False)
    contract = WireId(Kind.REVENUE_CONTRACT, load_default=None)
    decision = WireId(Kind.DECISION, load_default=None)
    q = Text(most=40, load_default=None)
    format = f.String(load_default="xlsx", validate=v.OneOf(["csv", "xlsx"]))


MOST_BOXES = 200


class RevenueBox(Schema):
    page = f.Integer(required=True, strict=True, validate=v.Range(1, 20))
    x = f.Integer(required=True, strict=True, validate=v.Range(0, 9_999))
    y = f.Integer(required=True, strict=True, validate=v.Range(0, 9_999))
    width = f.Integer(required=True, strict=True, validate=v.Range(1, 10_000))
    height = f.Integer(required=True, strict=True, validate=v.Range(1, 10_000))

    @ma.validates_schema
    def _lies_on_the_page(self, data: dict[str, Any], **_: Any) -> None:
        if data["x"] + data["width"] > 10_000 or data["y"] + data["height"] > 10_000:
            raise ma.ValidationError("遮盖框超出页面。|The box leaves the page.")


class RevenueCoverIn(Schema):
    boxes = f.List(
        f.Nested(RevenueBox),
        required=True,
        validate=v.Length(max=MOST_BOXES),
        metadata={"description": "what is covered, in 1/10,000 of the page; empty where nothing is personal"},
    )


class RevenueCoverOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    state = f.String(required=True, metadata={"description": "making | ready | failed"})
    problem = f.String(required=True, allow_none=True)
    reason = f.String(required=True, allow_none=True)
    boxes = f.List(f.Nested(RevenueBox), required=True)
    pages = f.List(f.Nested(RevenuePageOut), required=True)
    asked_at = Time(required=True)
    made_at = Time(required=True, allow_none=True)


class RevenueScanList(Schema):
    items = f.List(f.Nested(RevenueVoucherOut), required=True)


class RevenuePlanIn(Schema):
    category_id = WireId(Kind.REVENUE_CATEGORY, required=True)
    amount_fen = Fen(least=1, required=True)
    note = Text(most=200, load_default="")


class RevenueBudgetIn(Schema):
    year = f.Integer(required=True, strict=True, validate=v.Range(2000, 2100))
    decision_id = WireId(
        Kind.DECISION, load_default=None, metadata={"description": "the owners' certified decision"}
    )
    basis = Text(most=200, least=2, required=True)
    lines = f.List(f.Nested(RevenuePlanIn), required=True, validate=v.Length(1, 100))


class RevenueImportForm(Schema):
    makes_categories = f.Boolean(
        load_default=False,
        metadata={"description": "add categories that the file names and the estate doesn't have"},
    )


class RevenueImportJob(Schema):
    job_id = WireId(Kind.REVENUE_IMPORT, required=True)
    status_url = f.String(required=True)


class RevenueImportCell(Schema):
    sheet = f.String(required=True)
    row = f.Integer(required=True)
    column = f.String(required=True, allow_none=True, metadata={"description": "its letter"})
    field = f.String(required=True, allow_none=True)
    code = f.String(required=True)
    reason = f.String(required=True)


class RevenueImportCells(Schema):
    items = f.List(f.Nested(RevenueImportCell), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class RevenueHeading(Schema):
    sheet = f.String(required=True)
    column = f.String(required=True)
    heading = f.String(required=True)
    field = f.String(required=True, allow_none=True)


class RevenueImportSums(Schema):
    income = f.Integer(required=True)
    cost = f.Integer(required=True)
    use = f.Integer(required=True)
    fund = f.Integer(required=True)


class RevenueNewCategory(Schema):
    kind = f.String(required=True)
    name = f.String(required=True)


class RevenueImportRow(Schema):
    sheet = f.String(required=True)
    row = f.Integer(required=True)
    day = f.String(required=True)
    kind = f.String(required=True)
    category = f.String(required=True)
    is_new_category = f.Boolean(required=True)
    amount_fen = f.Integer(required=True)
    counterparty = f.String(required=True)
    note = f.String(required=True)


class RevenueImportOut(Schema):
    import_id = WireId(Kind.REVENUE_IMPORT, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    state = f.String(
        required=True, metadata={"description": "reading mapping previewed applying applied failed"}
    )
    done = f.Integer(required=True)
    total = f.Integer(required=True)
    message = f.String(required=True)
    code = f.String(required=True, allow_none=True, metadata={"description": "why it failed or waits"})
    file_sha256 = f.String(required=True)
    created_at = Time(required=True)
    applied_at = Time(required=True, allow_none=True)
    headings = f.List(f.Nested(RevenueHeading), required=True)
    fields_ = f.List(f.String(), required=True, data_key="fields", metadata={"description": "to map to"})
    missing = f.List(f.String(), required=True, metadata={"description": "fields without a column"})
    sheets_skipped = f.List(f.String(), required=True)
    new = f.Integer(required=True, metadata={"description": "rows that would be entered"})
    bad = f.Integer(required=True, metadata={"description": "rows that can't be"})
    sums_fen = f.Nested(RevenueImportSums, required=True, allow_none=True)
    new_categories = f.List(f.Nested(RevenueNewCategory), required=True)
    rows = f.List(f.Nested(RevenueImportRow), required=True, metadata={"description": "the first fifty"})
    problems = f.List(f.Nested(RevenueImportCell), required=True)
    problems_total = f.Integer(required=True)
    error_sheet_url = f.String(required=True, allow_none=True)


class RevenueImportItem(Schema):
    import_id = WireId(Kind.REVENUE_IMPORT, required=True)
    state = f.String(required=True)
    created_at = Time(required=True)
    applied_at = Time(required=True, allow_none=True)


class RevenueImportList(Schema):
    items = f.List(f.Nested(RevenueImportItem), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class RevenueMappingIn(Schema):
    mapping = f.Dict(
        keys=f.String(validate=v.Length(1, 60)),
        values=f.String(validate=v.OneOf([x.value for x in Field])),
        required=True,
        validate=v.Length(max=200),
        metadata={"description": "heading → field"},
    )


class RevenueOddityOut(Schema):
    flag = f.String(required=True, metadata={"description": "category_fell | contract_over | round_cost"})
    reason = f.String(required=True)
    entry_id = WireId(Kind.REVENUE_ENTRY, required=True, allow_none=True)
    contract_id = WireId(Kind.REVENUE_CONTRACT, required=True, allow_none=True)


class RevenueOpenPeriodOut(Schema):
    period_id = WireId(Kind.REVENUE_PERIOD, required=True)
    first_day = Date(required=True)
    last_day = Date(required=True)
    state = f.String(required=True, metadata={"description": "draft | in_review"})
    is_reviewed = f.Boolean(required=True, metadata={"description": "a second person said it is right"})


class RevenueEstateOut(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    name = f.String(required=True)
    has_rules = f.Boolean(required=True)
    published_until = Date(required=True, allow_none=True)
    published_at = Time(required=True, allow_none=True)
    published_by = f.String(required=True, allow_none=True)
    closing_fen = f.Integer(required=True, allow_none=True)
    open_period = f.Nested(
        RevenueOpenPeriodOut,
        required=True,
        allow_none=True,
        metadata={"description": "the one that isn't published yet"},
    )
    due_on = Date(
        required=True,
        allow_none=True,
        metadata={"description": "the last day on which the next period is published in time"},
    )
    is_late = f.Boolean(required=True)
    open_objections = f.Integer(required=True)
    late_objections = f.Integer(required=True)
    oddities = f.List(f.Nested(RevenueOddityOut), required=True)


class RevenueOverviewOut(Schema):
    items = f.List(f.Nested(RevenueEstateOut), required=True)
