"""Pages of public revenue: all estates, and what one estate's books hold."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import marshmallow as ma
from flask import g, request

from app import ids
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.revenue import allowed, queries
from app.revenue.errors import NothingPublished
from app.revenue.models import RevenueContract, RevenueDraft, RevenueLine, RevenuePeriod
from app.revenue.service import open_period
from app.revenue.spans import Rhythm
from app.revenue.summary import summary
from app.voting import queries as voting
from app.voting.models import DecisionStatus, LegalMode
from bff import revenue as shown
from bff.admin import revenue_contract_schemas as cs
from bff.admin import revenue_schemas as s
from bff.admin.auth import requires
from bff.admin.console.face import blp, fragment, page, query
from bff.admin.console.revenue_words import KINDS, SPANS, WORDS, kind_name, span_label
from bff.admin.revenue import category_out, draft_out, drafts_page
from bff.admin.revenue_contracts import contracts_of_estate
from bff.admin.revenue_papers import papers_of
from bff.admin.revenue_periods import estates_out, periods_out
from bff.http import read_cursor, reads, write_cursor
from bff.schemas import PageQuery

HERE = "revenue"
SHOWN = {"limit": 100}
V = Allow.REVENUE_VIEW
MOST_DECISIONS = 100  # the newest that a line or budget may name
_TAKEN = (DecisionStatus.CERTIFIED, DecisionStatus.POSTED, DecisionStatus.ARCHIVED)


class Tab(NamedTuple):
    """A page of an estate's books. `path`: below the estate."""

    key: str
    name: str
    path: str


TABS = (
    Tab("periods", "周期与公布", ""),
    Tab("ledger", "记账", "/ledger"),
    Tab("lines", "已公布的账", "/lines"),
    Tab("contracts", "合同", "/contracts"),
    Tab("budgets", "预算", "/budgets"),
    Tab("objections", "异议", "/objections"),
    Tab("charts", "图表", "/charts"),
    Tab("rules", "规则与科目", "/rules"),
)
_MAY = {
    "edit": Allow.REVENUE_EDIT,
    "review": Allow.REVENUE_REVIEW,
    "publish": Allow.REVENUE_PUBLISH,
    "settings": Allow.REVENUE_SETTINGS,
}


def book(estate: Ref, tab: str) -> dict[str, Any]:
    """What every page of an estate's books shows, and what she may do in them. Raises NotFound."""
    found = queries.estate_for(g.staff, V, estate)
    return {
        **WORDS,
        "estate_id": ids.encode(Kind.ESTATE, estate),
        "estate_name": found.name,
        "books": f"/admin/revenue/{ids.encode(Kind.ESTATE, estate)}",
        "api": "/admin/api/v1",
        "tab": tab,
        "tabs": TABS,
        "may": {name: estate in registry_reach(g.staff, needs) for name, needs in _MAY.items()},
    }


def of_estate(row: RevenueDraft | RevenueLine | RevenueContract | RevenuePeriod) -> Ref:
    """In whose books it stands."""
    return Ref(row.community_id, row.estate_id)


def categories(estate: Ref) -> list[dict[str, Any]]:
    """The estate's categories as the JSON face gives them."""
    rows = [category_out(row) for row in queries.categories_of(estate)]
    return [dict(one) for one in s.RevenueCategoryOut(many=True).dump(rows)]


def begun(estate: Ref) -> dict[str, Any] | None:
    """The period that isn't published yet."""
    found = open_period(estate)
    if found is None:
        return None
    return dict(s.RevenueStaffPeriodOut().dump(periods_out(queries.period_view(found))[0]))


def decided(estate: Ref, chosen: str | None = None) -> list[tuple[str, str]]:
    """(wire id, title) of what the estate's owners decided, with a certified result, the newest first: what a line or
    budget may rest on. `chosen` is among them however old it is.
    """
    found = voting.decisions_of(
        {estate}, statuses=_TAKEN, announced_only=True, page=voting.Page(MOST_DECISIONS)
    )
    rows = [
        (ids.encode(Kind.DECISION, voting.ref_of(row)), row.title)
        for row in found
        if row.certified_at is not None and row.legal_mode != LegalMode.POLL
    ]
    if chosen and all(chosen != wire for wire, _ in rows):
        old = ids.decode_ref(Kind.DECISION, chosen).id
        rows += [(chosen, one.title) for one in allowed.decisions(estate.community_id, [old]).values()]
    return rows


# --- all estates -------------------------------------------------------------------------------------------


class WhichQuery(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE

    show = ma.fields.String(load_default="", validate=ma.validate.OneOf(["", "late", "waiting", "doubts"]))


@blp.route("/revenue", methods=["GET"])
@requires(V)
@reads
def revenue_home() -> str:
    """Every estate of mine: what is published, who is late, what waits."""
    which = query(WhichQuery)["show"]
    found = s.RevenueOverviewOut().dump(estates_out())["items"]
    groups = {
        "": found,
        "late": [one for one in found if one["is_late"]],
        "waiting": [
            one for one in found if one["open_period"] and one["open_period"]["state"] == "in_review"
        ],
        "doubts": [one for one in found if one["open_objections"]],
    }
    names = {"": "全部小区", "late": "超期未公布", "waiting": "等待审核或公布", "doubts": "有异议待答复"}
    return page(
        "revenue/overview.html",
        here=HERE,
        **WORDS,
        groups=groups,
        names=names,
        which=which,
        rows=groups[which],
    )


# --- the ledger --------------------------------------------------------------------------------------------


@blp.route("/revenue/<ref(est):ref>/ledger", methods=["GET"])
@requires(V)
@reads
def revenue_ledger(ref: Ref) -> str:
    """What isn't published yet, row by row, with the figures below."""
    known = book(ref, "ledger")
    args = query(PageQuery) | SHOWN
    found = s.RevenueDraftList().dump(drafts_page(ref, args))
    return page(
        "revenue/ledger.html",
        here=HERE,
        **known,
        **_choices(ref),
        list=found,
        begun=begun(ref),
        has_rules=bool(queries.settings_of(ref)),
        is_first=not args["cursor"],
    )


def _choices(estate: Ref) -> dict[str, Any]:
    order = list(KINDS)
    known = sorted(categories(estate), key=lambda one: order.index(one["kind"]))  # as they stand in the list
    return {
        "categories": known,
        "category_names": {one["category_id"]: one["name"] for one in known},
        "numbers": {one["category_id"]: place for place, one in enumerate(known, 1)},
        "contracts": [
            {
                "contract_id": ids.encode(Kind.REVENUE_CONTRACT, Ref(c.community_id, c.id)),
                "name": c.number,
                "party": c.party,
            }
            for c in (view.contract for view in queries.contracts_of(estate, until=date.min))
        ],
    }


@blp.route("/revenue/<ref(est):ref>/totals", methods=["GET"])
@requires(V)
@reads
def revenue_draft_totals(ref: Ref) -> str:
    """The figures below the ledger."""
    queries.estate_for(g.staff, V, ref)
    total = shown.RevenueTotalsOut().dump(shown.totals_out(queries.draft_totals(ref)))
    return fragment("revenue/_totals.html", **WORDS, total=total, estate_id=ids.encode(Kind.ESTATE, ref))


def _draft(ref: Ref) -> dict[str, Any]:
    found = queries.one_for(g.staff, V, RevenueDraft, ref)
    estate = of_estate(found)
    draft = s.RevenueDraftOut().dump(draft_out(found))
    return {
        **book(estate, "ledger"),
        **_choices(estate),
        "draft": draft,
        "decisions": decided(estate, draft["decision_id"]),
        "papers": papers_of(ref),
    }


@blp.route("/revenue/entries/<ref(rev):ref>", methods=["GET"])
@requires(V)
@reads
def revenue_draft(ref: Ref) -> str:
    """A line that isn't published yet, with what the grid has no room for."""
    return page("revenue/draft.html", here=HERE, **_draft(ref))


@blp.route("/revenue/entries/<ref(rev):ref>/detail", methods=["GET"])
@requires(V)
@reads
def revenue_draft_detail(ref: Ref) -> str:
    """The same for the drawer."""
    return fragment("revenue/_draft.html", **_draft(ref))


@blp.route("/revenue/entries/<ref(rev):ref>/row", methods=["GET"])
@requires(V)
@reads
def revenue_draft_row(ref: Ref) -> str:
    """The same as a row of the ledger."""
    return fragment("revenue/_rows.html", **_draft(ref))


@blp.route("/revenue/entries/<ref(rev):ref>/now", methods=["GET"])
@requires(V)
@reads
def revenue_draft_now(ref: Ref) -> str:
    """How it stands now: for whom somebody was faster."""
    return fragment("revenue/_draft_now.html", **_draft(ref))


# --- what is published -------------------------------------------------------------------------------------


@blp.route("/revenue/<ref(est):ref>/lines", methods=["GET"])
@requires(V)
@reads
def revenue_lines(ref: Ref) -> str:
    """The published lines of a filter, with what they add up to."""
    known = book(ref, "lines")
    args = query(shown.RevenueEntryQuery) | {"limit": 50}
    where = shown.filter_of(ref, args)
    after = read_cursor(args["cursor"], date.fromisoformat, UUID)
    rows = queries.lines(where, limit=51, after=(after[0], after[1]) if after else None)
    last = rows[49] if len(rows) > 50 else None
    found = shown.RevenueLineList().dump(
        {
            "total": shown.totals_out(queries.totals(where)),
            "items": shown.lines_out(rows[:50]),
            "next_cursor": write_cursor(last.day.isoformat(), last.id) if last is not None else None,
        }
    )
    given = {name: value for name, value in request.args.items() if value.strip() and name != "cursor"}
    following = urlencode(given | {"cursor": found["next_cursor"]}) if found["next_cursor"] else None
    return page(
        "revenue/lines.html",
        here=HERE,
        **known,
        list=found,
        given=given,
        export=urlencode(given),
        following=following,
        categories=categories(ref),
        decisions=decided(ref, ids.encode(Kind.DECISION, args["decision"]) if args["decision"] else None),
    )


def _line(ref: Ref) -> dict[str, Any]:
    row = queries.one_for(g.staff, V, RevenueLine, ref)
    line = s.RevenueStaffLineOut().dump(
        shown.line_detail(row) | {"vouchers": [one | {"file_id": UUID(one["id"])} for one in row.vouchers]}
    )
    return {**book(of_estate(row), "lines"), "line": line, "begun": begun(of_estate(row))}


@blp.route("/revenue/lines/<ref(rev):ref>", methods=["GET"])
@requires(V)
@reads
def revenue_line_page(ref: Ref) -> str:
    """A published line with its vouchers as everybody sees them, and its correction."""
    return page("revenue/line.html", here=HERE, **_line(ref))


@blp.route("/revenue/lines/<ref(rev):ref>/detail", methods=["GET"])
@requires(V)
@reads
def revenue_line_detail(ref: Ref) -> str:
    """The same for the drawer."""
    return fragment("revenue/_line.html", **_line(ref))


# --- contracts, budgets, doubts ----------------------------------------------------------------------------


def _contracts(estate: Ref) -> dict[str, Any]:
    return dict(cs.RevenueStaffContractList().dump(contracts_of_estate(estate)))


@blp.route("/revenue/<ref(est):ref>/contracts", methods=["GET"])
@requires(V)
@reads
def revenue_contracts_page(ref: Ref) -> str:
    """Contracts with what is missing, and what waits for a second person."""
    known = book(ref, "contracts")
    return page(
        "revenue/contracts.html", here=HERE, **known, list=_contracts(ref), categories=categories(ref)
    )


def _contract(ref: Ref) -> dict[str, Any]:
    row = queries.one_for(g.staff, V, RevenueContract, ref)
    estate = of_estate(row)
    every = _contracts(estate)
    wanted = ids.encode(Kind.REVENUE_CONTRACT, ref)
    names = {one["category_id"]: one["name"] for one in categories(estate)}
    return {
        **book(estate, "contracts"),
        "contract": next(one for one in every["items"] if one["contract_id"] == wanted),
        "until": every["until"],
        "category_names": names,
        "papers": papers_of(ref),
    }


@blp.route("/revenue/contracts/<ref(rcn):ref>", methods=["GET"])
@requires(V)
@reads
def revenue_contract_page(ref: Ref) -> str:
    """A contract on a page of its own."""
    return page("revenue/contract.html", here=HERE, **_contract(ref))


@blp.route("/revenue/contracts/<ref(rcn):ref>/detail", methods=["GET"])
@requires(V)
@reads
def revenue_contract_detail(ref: Ref) -> str:
    """The same for the drawer."""
    return fragment("revenue/_contract.html", **_contract(ref))


@blp.route("/revenue/<ref(est):ref>/budgets", methods=["GET"])
@requires(V)
@reads
def revenue_budgets_page(ref: Ref) -> str:
    """What was planned, and what came of it."""
    known = book(ref, "budgets")
    found = shown.RevenueBudgetList().dump(shown.budgets_out(ref))
    usable = [one for one in categories(ref) if one["is_active"]]
    return page(
        "revenue/budgets.html", here=HERE, **known, list=found, categories=usable, decisions=decided(ref)
    )


@blp.route("/revenue/<ref(est):ref>/objections", methods=["GET"])
@requires(V)
@reads
def revenue_objections_page(ref: Ref) -> str:
    """Which lines were doubted, and the answers."""
    known = book(ref, "objections")
    args = query(PageQuery) | {"limit": 20}
    found = shown.RevenueObjectionList().dump(shown.objection_page(ref, args, reader=None))
    named = {ids.decode_ref(Kind.REVENUE_ENTRY, one["entry_id"]).id for one in found["items"]}
    lines = shown.RevenueLineOut(many=True).dump(
        shown.lines_out(queries.lines_named(ref.community_id, named))
    )
    by_id = {line["entry_id"]: line for line in lines}
    return page(
        "revenue/objections.html",
        here=HERE,
        **known,
        list=found,
        lines=by_id,
        sees_tickets=g.staff.may(Allow.TICKET_VIEW),
    )


# --- charts ------------------------------------------------------------------------------------------------


@blp.route("/revenue/<ref(est):ref>/charts", methods=["GET"])
@requires(V)
@reads
def revenue_charts(ref: Ref) -> str:
    """The published figures by span and by category."""
    known = book(ref, "charts")
    args = query(shown.RevenueSummaryQuery)
    if "by" not in request.args:
        args["by"] = Rhythm.QUARTER.value
    first = queries.first_statement(ref)
    since = args["day_from"] or (first.first_day if first is not None else None)
    try:
        found = summary(ref, day_from=since, day_to=args["day_to"], by=Rhythm(args["by"]))
    except NothingPublished:
        return page("revenue/charts.html", here=HERE, **known, spans=SPANS, asked=args, summary=None, pies=[])
    figures = shown.RevenueSummaryOut().dump(shown.summary_out(found, ref.community_id))
    pies = [pie for pie in figures["pies"] if pie["labels"] and pie["kind"] != "fund"]
    return page(
        "revenue/charts.html",
        here=HERE,
        **known,
        spans=SPANS,
        asked=args,
        summary=figures,
        flows=_flows(figures),
        pies=pies,
    )


def _flows(figures: dict[str, Any]) -> dict[str, Any]:
    series = figures["series"]
    names = ("income", "cost", "uses", "fund")
    return {
        "kind": "bar",
        "unit": "元",
        "labels": [span_label(label) for label in series["labels"]],
        "series": [
            {"name": kind_name("use" if name == "uses" else name), "values": series[f"{name}_fen"]}
            for name in names
        ],
    }


# --- rules and categories ----------------------------------------------------------------------------------


@blp.route("/revenue/<ref(est):ref>/rules", methods=["GET"])
@requires(V)
@reads
def revenue_rules_page(ref: Ref) -> str:
    """How the estate's revenue is kept, and its categories."""
    known = book(ref, "rules")
    rules = s.RevenueRulesList().dump({"items": [shown.rules_out(row) for row in queries.settings_of(ref)]})
    return page("revenue/rules.html", here=HERE, **known, rules=rules["items"], categories=categories(ref))
