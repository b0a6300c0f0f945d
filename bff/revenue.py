"""Published revenue, as it is for everybody: the same shapes in the faces of residents and staff."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import marshmallow as ma

from app.ids import Kind, Ref
from app.media import links
from app.places import queries as places
from app.revenue import allowed, budgets, chain, contracts, public_files, queries
from app.revenue.budgets import BudgetView
from app.revenue.contract_models import RevenueContractChange
from app.revenue.errors import RangeBackwards
from app.revenue.models import RevenueLine, RevenueObjection, RevenueSetting
from app.revenue.money import yuan
from app.revenue.preview import Preview
from app.revenue.queries import ContractView, LineFilter, PeriodView, Totals
from app.revenue.rendering_models import RenderingState, RevenueRendering
from app.revenue.shares import HouseShare, Shares
from app.revenue.spans import Rhythm
from app.revenue.summary import Share, Summary
from bff.http import read_cursor, write_cursor
from bff.schemas import Date, PageQuery, Query, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

FIGURES = ["income", "cost", "use", "fund"]
KINDS = ["income", "cost", "use", "fund", "adjustment"]
GROUPS = [Rhythm.MONTH, Rhythm.QUARTER, Rhythm.YEAR]
SHARE_RULE = (
    "按专有部分面积分摊（民法典第二百八十三条）：先各取整到分，余下的分按小数部分从大到小逐分分配，"
    "相同的按房屋登记顺序；各户之和等于总额。"
)


# --- questions -------------------------------------------------------------------------------------------


class RevenueSummaryQuery(Query):
    day_from = Date(load_default=None, data_key="from")
    day_to = Date(load_default=None, data_key="to")
    by = f.String(load_default="month", validate=v.OneOf([g.value for g in GROUPS]))


class RevenueEntryQuery(PageQuery):
    day_from = Date(load_default=None, data_key="from")
    day_to = Date(load_default=None, data_key="to")
    kind = f.String(load_default=None, validate=v.OneOf(KINDS))
    account = f.String(
        load_default=None,
        validate=v.OneOf(FIGURES),
        metadata={"description": "the figure it belongs to, adjustments of it as well"},
    )
    category = WireId(Kind.REVENUE_CATEGORY, load_default=None)
    no_category = f.Boolean(load_default=False)
    contract = WireId(Kind.REVENUE_CONTRACT, load_default=None)
    decision = WireId(
        Kind.DECISION, load_default=None, metadata={"description": "what one decision of the owners allowed"}
    )
    q = Text(
        most=40,
        load_default=None,
        metadata={"description": "in notes, counterparties, names of categories, numbers of contracts"},
    )


class RevenueRangeQuery(Query):
    day_from = Date(required=True, data_key="from")
    day_to = Date(required=True, data_key="to")


# --- answers ---------------------------------------------------------------------------------------------


class RevenueTotalsOut(Schema):
    lines = f.Integer(required=True)
    income_fen = f.Integer(required=True)
    cost_fen = f.Integer(required=True)
    net_fen = f.Integer(required=True, metadata={"description": "income − cost"})
    uses_fen = f.Integer(required=True)
    fund_fen = f.Integer(required=True, metadata={"description": "transferred to the maintenance fund"})


class RevenueBucketOut(RevenueTotalsOut):
    label = f.String(required=True)
    first_day = Date(required=True)
    last_day = Date(required=True)
    opening_fen = f.Integer(required=True)
    closing_fen = f.Integer(required=True)


class RevenueSliceOut(Schema):
    kind = f.String(required=True)
    category_id = WireId(Kind.REVENUE_CATEGORY, required=True, allow_none=True)
    name = f.String(required=True)
    amount_fen = f.Integer(required=True)
    share_bp = f.Integer(
        required=True, allow_none=True, metadata={"description": "of its kind, 0.01 %; together 10000"}
    )
    amounts_fen = f.List(
        f.Integer(), required=True, metadata={"description": "one for each of `items`: spans side by side"}
    )


class RevenueSeriesOut(Schema):
    labels = f.List(f.String(), required=True)
    income_fen = f.List(f.Integer(), required=True)
    cost_fen = f.List(f.Integer(), required=True)
    net_fen = f.List(f.Integer(), required=True)
    uses_fen = f.List(f.Integer(), required=True)
    fund_fen = f.List(f.Integer(), required=True)
    closing_fen = f.List(f.Integer(), required=True)


class RevenuePieOut(Schema):
    kind = f.String(required=True)
    labels = f.List(f.String(), required=True)
    amounts_fen = f.List(f.Integer(), required=True)
    share_bp = f.List(f.Integer(), required=True)


class RevenueSummaryOut(Schema):
    first_day = Date(required=True, metadata={"description": "nothing before it is answered for"})
    last_day = Date(required=True)
    by = f.String(required=True)
    total = f.Nested(RevenueBucketOut, required=True)
    items = f.List(f.Nested(RevenueBucketOut), required=True)
    categories = f.List(f.Nested(RevenueSliceOut), required=True)
    series = f.Nested(RevenueSeriesOut, required=True)
    pies = f.List(
        f.Nested(RevenuePieOut),
        required=True,
        metadata={"description": "one a figure; none where a category is below nothing"},
    )


class RevenueVoucherOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    kind = f.String(required=True)
    sha256 = f.String(required=True)


class RevenueLineOut(Schema):
    entry_id = WireId(Kind.REVENUE_ENTRY, required=True)
    period_id = WireId(Kind.REVENUE_PERIOD, required=True)
    day = Date(required=True)
    kind = f.String(required=True)
    account = f.String(required=True, metadata={"description": "the figure it belongs to"})
    category_id = WireId(Kind.REVENUE_CATEGORY, required=True, allow_none=True)
    category = f.String(required=True, allow_none=True)
    debit = f.String(required=True)
    credit = f.String(required=True)
    amount_fen = f.Integer(required=True)
    signed_fen = f.Integer(required=True, metadata={"description": "by how much its figure grows"})
    amount_text = f.String(required=True)
    counterparty = f.String(required=True, allow_none=True)
    contract_id = WireId(Kind.REVENUE_CONTRACT, required=True, allow_none=True)
    decision_id = WireId(Kind.DECISION, required=True, allow_none=True)
    note = f.String(required=True)
    voucher_count = f.Integer(required=True)
    reverses = WireId(Kind.REVENUE_ENTRY, required=True, allow_none=True)
    reversed_by = WireId(Kind.REVENUE_ENTRY, required=True, allow_none=True)


class RevenuePageOut(Schema):
    page = f.Integer(required=True)
    width = f.Integer(required=True)
    height = f.Integer(required=True)
    url = f.String(required=True, metadata={"description": "a JPEG; the link holds for an hour or two"})


class RevenuePublicFileOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    is_shown = f.Boolean(required=True, metadata={"description": "false while its public file is made anew"})
    pages = f.List(f.Nested(RevenuePageOut), required=True)


class RevenueDecisionOut(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    title = f.String(required=True)
    certified_at = Time(required=True, allow_none=True)


class RevenueLineDetailOut(RevenueLineOut):
    budget_line_id = WireId(Kind.REVENUE_BUDGET_LINE, required=True, allow_none=True)
    decision = f.Nested(RevenueDecisionOut, required=True, allow_none=True)
    public_files = f.List(f.Nested(RevenuePublicFileOut), required=True)


class RevenueLineList(Schema):
    total = f.Nested(RevenueTotalsOut, required=True)
    items = f.List(f.Nested(RevenueLineOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class RevenuePeriodOut(Schema):
    period_id = WireId(Kind.REVENUE_PERIOD, required=True)
    first_day = Date(required=True)
    last_day = Date(required=True)
    state = f.String(
        required=True, metadata={"description": "draft | in_review | published | posted | closed"}
    )
    opening_fen = f.Integer(required=True, allow_none=True)
    income_fen = f.Integer(required=True, allow_none=True)
    cost_fen = f.Integer(required=True, allow_none=True)
    net_fen = f.Integer(required=True, allow_none=True)
    uses_fen = f.Integer(required=True, allow_none=True)
    fund_fen = f.Integer(required=True, allow_none=True)
    closing_fen = f.Integer(required=True, allow_none=True)
    lines = f.Integer(required=True, allow_none=True)
    split_bp = f.Integer(required=True, allow_none=True)
    rounding = f.String(required=True, allow_none=True)
    published_at = Time(required=True, allow_none=True)
    posted_from = Date(required=True, allow_none=True)
    closed_from = Date(required=True, allow_none=True)
    hash = f.String(required=True, allow_none=True)
    prev_hash = f.String(required=True, allow_none=True)


class RevenueRulesOut(Schema):
    valid_from = Date(required=True)
    split_bp = f.Integer(required=True)
    rounding = f.String(required=True)
    rhythm = f.String(required=True)
    posting_days = f.Integer(required=True)
    answer_days = f.Integer(required=True)
    keeper = f.String(required=True)
    keeper_name = f.String(required=True)
    basis = f.String(required=True)


class RevenueChainOut(Schema):
    periods = f.Integer(required=True, metadata={"description": "computed anew and found as published"})
    head = f.String(required=True)
    broken_at = WireId(Kind.REVENUE_PERIOD, required=True, allow_none=True)


class RevenuePreviewOut(Schema):
    period = f.Nested(RevenuePeriodOut, required=True)
    total = f.Nested(RevenueTotalsOut, required=True)
    items = f.List(f.Nested(RevenueLineDetailOut), required=True)


class RevenuePeriodList(Schema):
    items = f.List(f.Nested(RevenuePeriodOut), required=True)
    rules = f.Nested(RevenueRulesOut, required=True, allow_none=True, metadata={"description": "of today"})


class RevenueFieldChangeOut(Schema):
    field = f.String(required=True, metadata={"description": "number | party | subject | ends_on"})
    before = f.String(required=True)
    after = f.String(required=True)


class RevenueContractHistoryOut(Schema):
    changed_at = Time(required=True)
    changed = f.List(f.Nested(RevenueFieldChangeOut), required=True)


class RevenueContractOut(Schema):
    contract_id = WireId(Kind.REVENUE_CONTRACT, required=True)
    category_id = WireId(Kind.REVENUE_CATEGORY, required=True)
    number = f.String(required=True)
    party = f.String(required=True)
    subject = f.String(required=True)
    starts_on = Date(required=True)
    ends_on = Date(required=True)
    price_fen = f.Integer(required=True, metadata={"description": "of each instalment"})
    rhythm = f.String(required=True)
    due_fen = f.Integer(required=True, metadata={"description": "fell due until `until`"})
    paid_fen = f.Integer(required=True, metadata={"description": "published until `until`"})
    arrears_fen = f.Integer(required=True)
    scans = f.List(f.Nested(RevenuePublicFileOut), required=True)
    changes = f.List(
        f.Nested(RevenueContractHistoryOut),
        required=True,
        metadata={"description": "what was changed since something was published under it"},
    )
    version = f.Integer(required=True)


class RevenueContractList(Schema):
    until = Date(required=True, allow_none=True, metadata={"description": "the last published day"})
    items = f.List(f.Nested(RevenueContractOut), required=True)


class RevenueInstalmentOut(Schema):
    contract_id = WireId(Kind.REVENUE_CONTRACT, required=True)
    number = f.String(required=True)
    party = f.String(required=True)
    due_on = Date(required=True)
    amount_fen = f.Integer(required=True)
    missing_fen = f.Integer(required=True, metadata={"description": "payments cover the oldest first"})


class RevenueInstalmentList(Schema):
    until = Date(required=True, allow_none=True, metadata={"description": "the last published day"})
    expected_fen = f.Integer(required=True)
    missing_fen = f.Integer(required=True)
    items = f.List(f.Nested(RevenueInstalmentOut), required=True)


class RevenueBudgetLineOut(Schema):
    budget_line_id = WireId(Kind.REVENUE_BUDGET_LINE, required=True)
    category_id = WireId(Kind.REVENUE_CATEGORY, required=True)
    kind = f.String(required=True)
    name = f.String(required=True)
    amount_fen = f.Integer(required=True)
    actual_fen = f.Integer(required=True, metadata={"description": "published of this category in this year"})
    left_fen = f.Integer(required=True)
    note = f.String(required=True)


class RevenueBudgetOut(Schema):
    budget_id = WireId(Kind.REVENUE_BUDGET, required=True)
    year = f.Integer(required=True)
    basis = f.String(required=True)
    published_until = Date(
        required=True,
        allow_none=True,
        metadata={
            "description": "the last day of its year that was published when it was entered; none: before all"
        },
    )
    decision = f.Nested(RevenueDecisionOut, required=True, allow_none=True)
    lines = f.List(f.Nested(RevenueBudgetLineOut), required=True)


class RevenueBudgetList(Schema):
    items = f.List(f.Nested(RevenueBudgetOut), required=True)


class RevenueHouseShareOut(Schema):
    house_id = WireId(Kind.HOUSE, required=True)
    area_centi = f.Integer(required=True)
    net_fen = f.Integer(required=True)
    closing_fen = f.Integer(required=True)


class RevenueShareOut(Schema):
    period_id = WireId(Kind.REVENUE_PERIOD, required=True)
    first_day = Date(required=True)
    last_day = Date(required=True)
    net_fen = f.Integer(required=True)
    closing_fen = f.Integer(required=True)
    area_centi = f.Integer(required=True, metadata={"description": "of all houses that count"})
    houses_counted = f.Integer(required=True)
    houses_without_area = f.Integer(required=True)
    rule = f.String(required=True)
    mine = f.List(f.Nested(RevenueHouseShareOut), required=True)


class RevenueObjectionOut(Schema):
    objection_id = WireId(Kind.REVENUE_OBJECTION, required=True)
    entry_id = WireId(Kind.REVENUE_ENTRY, required=True)
    created_at = Time(required=True)
    answer_by = Date(required=True)
    is_late = f.Boolean(required=True)
    answer = f.String(required=True, allow_none=True)
    answered_at = Time(required=True, allow_none=True)
    answered_by = f.String(required=True, allow_none=True, metadata={"description": "the organisation"})
    text = f.String(
        required=True, allow_none=True, metadata={"description": "for its author and staff alone"}
    )
    ticket_id = WireId(
        Kind.TICKET,
        required=True,
        allow_none=True,
        metadata={"description": "for its author and staff alone"},
    )


class RevenueObjectionList(Schema):
    items = f.List(f.Nested(RevenueObjectionOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


# --- how they are made -----------------------------------------------------------------------------------


def _ref(community_id: int, id_: UUID | None) -> Ref | None:
    return Ref(community_id, id_) if id_ is not None else None


def totals_out(found: Totals) -> dict[str, Any]:
    """Figures of a set of lines."""
    return found._asdict() | {"net_fen": found.net_fen}


def summary_out(found: Summary, community_id: int) -> dict[str, Any]:
    """A summary with its series for charts."""
    items = [
        totals_out(b.totals)
        | {
            "label": b.label,
            "first_day": b.first_day,
            "last_day": b.last_day,
            "opening_fen": b.opening_fen,
            "closing_fen": b.closing_fen,
        }
        for b in found.buckets
    ]
    return {
        "first_day": found.day_from,
        "last_day": found.day_to,
        "by": found.by,
        "total": totals_out(found.totals)
        | {
            "label": f"{found.day_from.isoformat()} 至 {found.day_to.isoformat()}",
            "first_day": found.day_from,
            "last_day": found.day_to,
            "opening_fen": found.opening_fen,
            "closing_fen": found.closing_fen,
        },
        "items": items,
        "categories": [
            {
                "kind": s.kind,
                "category_id": _ref(community_id, s.category.id if s.category else None),
                "name": _name(s),
                "amount_fen": s.amount_fen,
                "share_bp": s.share_bp,
                "amounts_fen": s.by_bucket,
            }
            for s in found.shares
        ],
        "pies": [_pie(kind, [s for s in found.shares if s.kind == kind]) for kind in FIGURES],
        "series": {
            "labels": [item["label"] for item in items],
            **{
                name: [item[name] for item in items]
                for name in (*("income_fen", "cost_fen", "net_fen", "uses_fen", "fund_fen", "closing_fen"),)
            },
        },
    }


def _name(share: Share) -> str:
    if share.category is not None:
        return share.category.name
    return "转入维修资金" if share.kind == "fund" else "调整"


def _pie(kind: str, shares: list[Share]) -> dict[str, Any]:
    fit = [s for s in shares if s.share_bp is not None]
    return {
        "kind": kind,
        "labels": [_name(s) for s in fit],
        "amounts_fen": [s.amount_fen for s in fit],
        "share_bp": [s.share_bp for s in fit],
    }


def filter_of(estate: Ref, args: dict[str, Any]) -> LineFilter:
    """The filter of a question. What is named of another community finds nothing."""
    named = {key: args[key] for key in ("category", "contract", "decision") if args.get(key) is not None}
    foreign = any(ref.community_id != estate.community_id for ref in named.values())
    return LineFilter(
        estate,
        day_from=args["day_from"],
        day_to=args["day_to"],
        kind=args["kind"],
        q=args["q"] or None,
        account=args["account"],
        no_category=args["no_category"],
        **{key: UUID(int=0) if foreign else ref.id for key, ref in named.items()},
    )


def lines_out(rows: Sequence[RevenueLine]) -> list[dict[str, Any]]:
    """Published lines with the names of their categories and both ends of a correction."""
    if not rows:
        return []
    home = rows[0].community_id
    names = {c.id: c.name for c in queries.categories_of(Ref(home, rows[0].estate_id))}
    reversed_by = queries.reversals_of(home, [row.id for row in rows])
    return [
        {
            "entry_id": Ref(home, row.id),
            "period_id": Ref(home, row.period_id),
            "day": row.day,
            "kind": row.kind,
            "account": row.account,
            "category_id": _ref(home, row.category_id),
            "category": names[row.category_id] if row.category_id else None,
            "debit": row.debit,
            "credit": row.credit,
            "amount_fen": row.amount_fen,
            "signed_fen": row.signed_fen,
            "amount_text": yuan(row.signed_fen),
            "counterparty": row.counterparty,
            "contract_id": _ref(home, row.contract_id),
            "decision_id": _ref(home, row.decision_id),
            "note": row.note,
            "voucher_count": len(row.vouchers),
            "reverses": _ref(home, row.reverses_id),
            "reversed_by": _ref(home, reversed_by.get(row.id)),
        }
        for row in rows
    ]


def line_details(rows: Sequence[RevenueLine]) -> list[dict[str, Any]]:
    """Lines of one estate with what allowed each, its budget line and its vouchers as everybody sees them."""
    if not rows:
        return []
    home, estate_id = rows[0].community_id, rows[0].estate_id
    made = public_files.of(home, [row.id for row in rows])
    planned = budgets.line_of(Ref(home, estate_id), rows)
    decisions = decisions_out(home, {row.decision_id for row in rows if row.decision_id is not None})
    found = []
    for row, line in zip(rows, lines_out(rows), strict=True):
        files = {one.file_id: one for one in made[row.id]}
        found.append(
            line
            | {
                "budget_line_id": _ref(home, planned.get(row.id)),
                "decision": decisions.get(row.decision_id) if row.decision_id is not None else None,
                "public_files": [
                    public_file(Ref(home, UUID(v["id"])), files.get(UUID(v["id"]))) for v in row.vouchers
                ],
            }
        )
    return found


def line_detail(row: RevenueLine) -> dict[str, Any]:
    """One line with all that hangs at it."""
    return line_details([row])[0]


def decisions_out(community_id: int, wanted: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """What decisions that allowed something are called."""
    known = allowed.decisions(community_id, wanted)
    return {
        id_: {
            "decision_id": Ref(community_id, id_),
            "title": known[id_].title if id_ in known else "",
            "certified_at": known[id_].certified_at if id_ in known else None,
        }
        for id_ in wanted
    }


def decision_out(community_id: int, decision_id: UUID | None) -> dict[str, Any] | None:
    """What the decision that allowed something is called."""
    return decisions_out(community_id, [decision_id])[decision_id] if decision_id is not None else None


def public_file(file: Ref, made: RevenueRendering | None) -> dict[str, Any]:
    """What is shown of a paper."""
    is_shown = made is not None and made.state == RenderingState.READY
    return {
        "file_id": file.id,
        "is_shown": is_shown,
        "pages": pages_out(made) if made is not None and is_shown else [],
    }


def pages_out(made: RevenueRendering) -> list[dict[str, Any]]:
    """The pages of a public file, with links."""
    file = Ref(made.community_id, made.file_id)
    return [
        {"page": number, "width": width, "height": height, "url": links.to_page(file, number)}
        for number, (_, width, height) in enumerate(made.pages, 1)
    ]


def period_out(view: PeriodView) -> dict[str, Any]:
    """A period with its figures, once there are any."""
    period, row = view.period, view.statement
    figures: dict[str, Any] = dict.fromkeys(RevenuePeriodOut().fields)
    if row is not None:
        figures |= {
            name: getattr(row, name) for name in figures if name.endswith("_fen") and name != "net_fen"
        }
        figures |= {
            "net_fen": row.income_fen - row.cost_fen,
            "lines": row.line_count,
            "split_bp": row.split_bp,
            "rounding": row.rounding,
            "published_at": row.published_at,
            "posted_from": row.posted_from,
            "closed_from": row.closed_from,
            "hash": row.own_hash.hex(),
            "prev_hash": row.prev_hash.hex(),
        }
    else:
        figures["opening_fen"] = period.opening_fen
    return figures | {
        "period_id": Ref(period.community_id, period.id),
        "first_day": period.first_day,
        "last_day": period.last_day,
        "state": view.state(places.today()),
    }


def preview_out(found: Preview) -> dict[str, Any]:
    """A period as everybody would see it."""
    figures = totals_out(found.totals) | {"opening_fen": found.opening_fen, "closing_fen": found.closing_fen}
    return {
        "period": period_out(PeriodView(found.period, None)) | figures,
        "total": totals_out(found.totals),
        "items": line_details(found.lines),
    }


def rules_out(row: RevenueSetting | None) -> dict[str, Any] | None:
    """The estate's rules of a day."""
    return {name: getattr(row, name) for name in RevenueRulesOut().fields} if row is not None else None


def chain_out(estate: Ref) -> dict[str, Any]:
    """The chain, computed anew."""
    found = chain.check(estate)
    return {
        "periods": found.periods,
        "head": found.head.hex(),
        "broken_at": _ref(estate.community_id, found.broken_at),
    }


def changed_fields(change: RevenueContractChange) -> list[dict[str, str]]:
    """What a change of a contract says, field by field."""
    return [
        {"field": field, "before": before, "after": after}
        for field, (before, after) in sorted(change.fields.items())
    ]


def contract_out(
    view: ContractView, files: list[RevenueRendering], changes: list[RevenueContractChange]
) -> dict[str, Any]:
    """A contract with what is missing, and its scans as everybody may see them."""
    c = view.contract
    names = ("number", "party", "subject", "starts_on", "ends_on", "price_fen", "rhythm", "version")
    return {name: getattr(c, name) for name in names} | {
        "contract_id": Ref(c.community_id, c.id),
        "category_id": Ref(c.community_id, c.category_id),
        "due_fen": view.due_fen,
        "paid_fen": view.paid_fen,
        "arrears_fen": view.arrears_fen,
        "scans": [public_file(Ref(c.community_id, made.file_id), made) for made in files],
        "changes": [{"changed_at": row.decided_at, "changed": changed_fields(row)} for row in changes],
    }


def contracts_out(estate: Ref) -> dict[str, Any]:
    """The estate's contracts as of the last published day: what isn't published yet is neither due nor paid."""
    last = queries.last_statement(estate)
    until = last.last_day if last is not None else None
    views = queries.contracts_of(estate, until=until or date.min)
    named = [view.contract.id for view in views]
    files = public_files.of(estate.community_id, named)
    changes = contracts.changes_of(estate.community_id, named, is_open=False)
    return {
        "until": until,
        "items": [contract_out(view, files[view.contract.id], changes[view.contract.id]) for view in views],
    }


def expected_out(estate: Ref, args: dict[str, Any]) -> dict[str, Any]:
    """What contracts let expect in a range, and how much of it was not paid until the last published day."""
    if args["day_from"] > args["day_to"]:
        raise RangeBackwards(errors={"from": [(RangeBackwards.zh, RangeBackwards.en)]})
    last = queries.last_statement(estate)
    until = last.last_day if last is not None else None
    found = queries.expected(
        estate, day_from=args["day_from"], day_to=args["day_to"], until=until or date.min
    )
    return {
        "until": until,
        "expected_fen": sum(one.contract.price_fen for one in found),
        "missing_fen": sum(one.missing_fen for one in found),
        "items": [
            {
                "contract_id": Ref(estate.community_id, one.contract.id),
                "number": one.contract.number,
                "party": one.contract.party,
                "due_on": one.due_on,
                "amount_fen": one.contract.price_fen,
                "missing_fen": one.missing_fen,
            }
            for one in found
        ],
    }


def budget_out(view: BudgetView) -> dict[str, Any]:
    """A budget, planned against published."""
    home = view.budget.community_id
    return {
        "budget_id": Ref(home, view.budget.id),
        "year": view.budget.year,
        "basis": view.budget.basis,
        "published_until": view.budget.published_until,
        "decision": decision_out(home, view.budget.decision_id),
        "lines": [
            {
                "budget_line_id": Ref(home, plan.line.id),
                "category_id": Ref(home, plan.line.category_id),
                "kind": plan.category.kind,
                "name": plan.category.name,
                "amount_fen": plan.line.amount_fen,
                "actual_fen": plan.actual_fen,
                "left_fen": plan.line.amount_fen - plan.actual_fen,
                "note": plan.line.note,
            }
            for plan in view.lines
        ],
    }


def budgets_out(estate: Ref) -> dict[str, Any]:
    """The estate's budgets, the latest first."""
    return {"items": [budget_out(view) for view in budgets.budgets_of(estate)]}


def share_out(found: Shares, own: list[HouseShare]) -> dict[str, Any]:
    """The shares of a period, and mine."""
    row = found.statement
    return {
        "period_id": Ref(row.community_id, row.period_id),
        "first_day": row.first_day,
        "last_day": row.last_day,
        "net_fen": found.net_fen,
        "closing_fen": row.closing_fen,
        "area_centi": found.area_centi,
        "houses_counted": len(found.houses),
        "houses_without_area": found.without_area,
        "rule": SHARE_RULE,
        "mine": [
            {
                "house_id": Ref(row.community_id, h.house_id),
                "area_centi": h.area_centi,
                "net_fen": h.net_fen,
                "closing_fen": h.closing_fen,
            }
            for h in own
        ],
    }


def objections_out(rows: Sequence[RevenueObjection], *, reader: UUID | None) -> list[dict[str, Any]]:
    """Objections; in full for who wrote one and for staff (no `reader`). Who answered is an organisation."""
    names = places.org_names({row.answered_org_id for row in rows})
    return [_objection(row, names, in_full=reader is None or row.resident_id == reader) for row in rows]


def _objection(row: RevenueObjection, names: Mapping[UUID, str], *, in_full: bool) -> dict[str, Any]:
    return {
        "objection_id": Ref(row.community_id, row.id),
        "entry_id": Ref(row.community_id, row.line_id),
        "created_at": row.created_at,
        "answer_by": row.answer_by,
        "is_late": row.answered_at is None and places.today() > row.answer_by,
        "answer": row.answer,
        "answered_at": row.answered_at,
        "answered_by": names.get(row.answered_org_id) if row.answered_org_id else None,
        "text": row.text if in_full else None,
        "ticket_id": Ref(row.community_id, row.ticket_id) if in_full else None,
    }


def objection_page(estate: Ref, args: dict[str, Any], *, reader: UUID | None) -> dict[str, Any]:
    """A page of the estate's objections, the latest first. `reader`: a resident; None for staff, who read all."""
    before = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    rows = queries.objections_of(estate, limit=limit + 1, before=before[0] if before else None)
    page = rows[:limit]
    return {
        "items": objections_out(page, reader=reader),
        "next_cursor": write_cursor(page[-1].id) if len(rows) > limit else None,
    }
