"""Where the money went: published figures, lines, contracts, my share, and doubts about a line."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, g, request, url_for

from app.ids import Kind, Ref
from app.people.errors import BadToken
from app.places import queries as places
from app.revenue import heads, objections, queries, shares
from app.revenue.spans import Rhythm
from app.revenue.summary import summary
from bff import revenue as shown
from bff import revenue_lines as lines
from bff.http import reads, revalidated, writes
from bff.kept import until_published
from bff.resident.auth import asks_itself
from bff.schemas import Blueprint, PageQuery, Query, Schema, Text, WireId

blp = Blueprint("revenue", __name__, url_prefix="/bff/v1", description="Public revenue")


class RevenueShareQuery(Query):
    period = WireId(Kind.REVENUE_PERIOD, load_default=None)


class RevenueObjectionIn(Schema):
    text = Text(most=500, least=2, required=True)


# Made once: a class is with each request.
_SUMMARY, _ENTRIES = shown.RevenueSummaryQuery(), shown.RevenueEntryQuery()


def _head_of(estate: Ref) -> bytes | None:
    """What is published of the estate, for a resident whose login holds. Raises BadToken."""
    has_words = bool(request.args.get("q"))
    head = heads.head_for(g.resident_id, g.session_id, estate, has_words=has_words)
    if not head.login_holds:
        raise BadToken
    return head.version


@blp.route("/estates/<ref(est):ref>/revenue/summary", methods=["GET"])
@asks_itself
@until_published(_head_of)
@reads
@blp.arguments(_SUMMARY, location="query")
@blp.alt_response(409, description="nothing_published")
@blp.response(200, shown.RevenueSummaryOut)
def revenue_summary(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Opening, income, cost, net, distribution and closing of a range, by month, quarter or year, and by category."""
    places.estate(ref)
    found = summary(ref, day_from=args["day_from"], day_to=args["day_to"], by=Rhythm(args["by"]))
    return shown.summary_out(found, ref.community_id)


@blp.route("/estates/<ref(est):ref>/revenue/entries", methods=["GET"])
@asks_itself
@until_published(_head_of)
@blp.arguments(_ENTRIES, location="query")
@blp.response(200, shown.RevenueLineList)
def revenue_entries(args: dict[str, Any], ref: Ref) -> Response:
    """The published lines behind every figure, the latest first; `total` is of all that the filter finds."""
    return Response(orjson.dumps(lines.page_out(ref, args)), content_type="application/json")


@blp.route("/revenue/entries/<ref(rev):ref>", methods=["GET"])
@revalidated
@reads
@blp.response(200, shown.RevenueLineDetailOut)
def revenue_entry(ref: Ref) -> dict[str, Any]:
    """One published line with its vouchers: what is personal on them is covered."""
    return shown.line_detail(queries.line(ref))


@blp.route("/estates/<ref(est):ref>/revenue/periods", methods=["GET"])
@revalidated
@reads
@blp.response(200, shown.RevenuePeriodList)
def revenue_periods(ref: Ref) -> dict[str, Any]:
    """The published periods, the latest first, each with its place in the chain; and the rules of today."""
    places.estate(ref)
    views = queries.periods_of(ref, published_only=True)
    rules = queries.setting_on(ref, places.today())
    return {"items": [shown.period_out(view) for view in views], "rules": shown.rules_out(rules)}


@blp.route("/estates/<ref(est):ref>/revenue/chain", methods=["GET"])
@reads
@blp.response(200, shown.RevenueChainOut)
def revenue_chain(ref: Ref) -> dict[str, Any]:
    """Every published period computed anew from its lines and compared with its hash."""
    places.estate(ref)
    return shown.chain_out(ref)


@blp.route("/estates/<ref(est):ref>/revenue/contracts", methods=["GET"])
@revalidated
@reads
@blp.response(200, shown.RevenueContractList)
def revenue_contracts(ref: Ref) -> dict[str, Any]:
    """The contracts that bring income, with what fell due and what is missing at the last published day."""
    places.estate(ref)
    return shown.contracts_out(ref)


@blp.route("/estates/<ref(est):ref>/revenue/expected", methods=["GET"])
@revalidated
@reads
@blp.arguments(shown.RevenueRangeQuery, location="query")
@blp.response(200, shown.RevenueInstalmentList)
def revenue_expected(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """What contracts let expect in a range, instalment by instalment, and what of it is missing."""
    places.estate(ref)
    return shown.expected_out(ref, args)


@blp.route("/estates/<ref(est):ref>/revenue/budgets", methods=["GET"])
@revalidated
@reads
@blp.response(200, shown.RevenueBudgetList)
def revenue_budgets(ref: Ref) -> dict[str, Any]:
    """What was planned for each year, and what came of it."""
    places.estate(ref)
    return shown.budgets_out(ref)


@blp.route("/estates/<ref(est):ref>/revenue/my-share", methods=["GET"])
@reads
@blp.arguments(RevenueShareQuery, location="query")
@blp.alt_response(409, description="nothing_published")
@blp.response(200, shown.RevenueShareOut)
def my_share(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """What of a period falls to my houses by area, in fen; the shares of all houses sum to the whole."""
    places.estate(ref)
    statement = queries.statement_of(ref, args["period"])
    found, own = shares.mine(ref, statement, resident_id=g.resident_id)
    return shown.share_out(found, own)


@blp.route("/revenue/entries/<ref(rev):ref>/objections", methods=["POST"])
@writes
@blp.arguments(RevenueObjectionIn)
@blp.response(201, shown.RevenueObjectionOut)
def object_to_entry(body: dict[str, Any], ref: Ref) -> Any:
    """Doubt a published line: it becomes a ticket, and gets a public answer by a day."""
    made = objections.object_to(ref, text=body["text"], acting_user=g.resident_id)
    where = url_for("revenue.revenue_objections", ref=Ref(made.community_id, made.estate_id))
    return shown.objections_out([made], reader=g.resident_id)[0], 201, {"Location": where}


@blp.route("/estates/<ref(est):ref>/revenue/objections", methods=["GET"])
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, shown.RevenueObjectionList)
def revenue_objections(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Which lines were doubted, and the public answers; words and ticket only of my own."""
    places.estate(ref)
    return shown.objection_page(ref, args, reader=g.resident_id)
