"""The books of an estate: rules, categories, drafts and their vouchers, objections, export."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask import Response, g, url_for

from app import db, ids
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.revenue import objections, queries, service
from app.revenue.models import (
    EntryKind,
    Keeper,
    RevenueCategory,
    RevenueDraft,
    RevenueLine,
)
from app.revenue.money import Rounding
from app.revenue.service import Facts, Rules
from app.revenue.spans import Rhythm
from bff import revenue as shown
from bff.admin import revenue_schemas as s
from bff.admin.auth import requires
from bff.admin.revenue_sheets import WRITERS, table
from bff.http import Versioned, read_cursor, reads, versioned, wanted_version, write_cursor, writes
from bff.papers import handed_out
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("staff-revenue", __name__, url_prefix="/admin/api/v1", description="Public revenue")
_LINES = frozenset(
    {"day_from", "day_to", "kind", "account", "category", "no_category", "contract", "decision", "q"}
)


# --- rules -----------------------------------------------------------------------------------------------


@blp.route("/estates/<ref(est):ref>/revenue/settings", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueRulesList)
def revenue_settings(ref: Ref) -> dict[str, Any]:
    """How the estate's revenue is kept, the latest rules first."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return {"items": [shown.rules_out(row) for row in queries.settings_of(ref)]}


@blp.route("/estates/<ref(est):ref>/revenue/settings", methods=["POST"])
@requires(Allow.REVENUE_SETTINGS)
@writes
@blp.arguments(s.RevenueRulesIn)
@blp.response(201, shown.RevenueRulesOut)
def set_revenue_rules(body: dict[str, Any], ref: Ref) -> Any:
    """Rules from a day on: the split to the fund, its rounding, the rhythm, posting days, who keeps the money."""
    rules = Rules(
        split_bp=body["split_bp"],
        rounding=Rounding(body["rounding"]),
        rhythm=Rhythm(body["rhythm"]),
        posting_days=body["posting_days"],
        answer_days=body["answer_days"],
        keeper=Keeper(body["keeper"]),
        keeper_name=body["keeper_name"],
        basis=body["basis"],
    )
    row = service.set_rules(ref, rules, valid_from=body["valid_from"], acting_user=g.staff)
    return shown.rules_out(row), 201, {"Location": url_for("staff-revenue.revenue_settings", ref=ref)}


# --- categories ------------------------------------------------------------------------------------------


def category_out(row: RevenueCategory) -> dict[str, Any]:
    """A category."""
    return {
        "category_id": Ref(row.community_id, row.id),
        "kind": row.kind,
        "name": row.name,
        "is_active": row.is_active,
        "version": row.version or 1,
    }


@blp.route("/estates/<ref(est):ref>/revenue/categories", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueCategoryList)
def revenue_categories(ref: Ref) -> dict[str, Any]:
    """The estate's categories, also ended ones."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return {"items": [category_out(row) for row in queries.categories_of(ref)]}


@blp.route("/estates/<ref(est):ref>/revenue/categories", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueCategoryIn)
@blp.response(201, s.RevenueCategoryOut)
def add_revenue_category(body: dict[str, Any], ref: Ref) -> Versioned:
    """A category of income, cost or use. Its name stays, because published lines are read by it."""
    made = service.add_category(ref, kind=EntryKind(body["kind"]), name=body["name"], acting_user=g.staff)
    return versioned(category_out(made), 201, Location=url_for("staff-revenue.revenue_categories", ref=ref))


@blp.route("/revenue/categories/<ref(rct):ref>", methods=["PATCH"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueCategoryChange)
@blp.response(200, s.RevenueCategoryOut)
def switch_revenue_category(body: dict[str, Any], ref: Ref) -> Versioned:
    """End a category for new lines, or use it again. Another name is another category."""
    done = service.change_category(ref, changes=body, version=wanted_version(), acting_user=g.staff)
    return versioned(category_out(done))


# --- drafts ----------------------------------------------------------------------------------------------


def draft_out(row: RevenueDraft) -> dict[str, Any]:
    """A line that is not published yet."""
    home = row.community_id
    vouchers = queries.vouchers_of(home, [row.id])[row.id]
    return {
        "entry_id": Ref(home, row.id),
        **{name: getattr(row, name) for name in ("state", "day", "kind", "account", "debit", "credit")},
        **{name: getattr(row, name) for name in ("amount_fen", "signed_fen", "counterparty", "note")},
        "category_id": Ref(home, row.category_id) if row.category_id else None,
        "contract_id": Ref(home, row.contract_id) if row.contract_id else None,
        "decision_id": Ref(home, row.decision_id) if row.decision_id else None,
        "reverses": Ref(home, row.reverses_id) if row.reverses_id else None,
        "is_computed": row.is_computed,
        "vouchers": [{"file_id": p.id, "kind": p.kind, "sha256": p.sha256.hex()} for p in vouchers],
        "version": row.version,
    }


@blp.route("/estates/<ref(est):ref>/revenue/entries", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.RevenueDraftList)
def revenue_drafts(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """What is not published yet, by day."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return drafts_page(ref, args)


def drafts_page(ref: Ref, args: dict[str, Any]) -> dict[str, Any]:
    """A page of the estate's drafts, with the figures of all."""
    after = read_cursor(args["cursor"], date.fromisoformat, UUID)
    limit = args["limit"]
    rows = queries.drafts_of(ref, limit=limit + 1, after=(after[0], after[1]) if after else None)
    page = rows[:limit]
    last = page[-1] if len(rows) > limit else None
    return {
        "total": shown.totals_out(queries.draft_totals(ref)),
        "items": [draft_out(row) for row in page],
        "next_cursor": write_cursor(last.day.isoformat(), last.id) if last is not None else None,
    }


@blp.route("/estates/<ref(est):ref>/revenue/entries", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueEntryIn)
@blp.response(201, s.RevenueDraftOut)
def add_revenue_entry(body: dict[str, Any], ref: Ref) -> Versioned:
    """Enter a line with its vouchers. It is public when its period is."""
    file_ids = body.pop("file_ids")
    made = service.add_draft(ref, Facts(**body), file_ids=file_ids, acting_user=g.staff)
    where = url_for("staff-revenue.revenue_entry", ref=Ref(made.community_id, made.id))
    return versioned(draft_out(made), 201, Location=where)


@blp.route("/revenue/entries/<ref(rev):ref>", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueDraftOut)
def revenue_entry(ref: Ref) -> Versioned:
    """One line that isn't published yet."""
    return versioned(draft_out(queries.one_for(g.staff, Allow.REVENUE_VIEW, RevenueDraft, ref)))


@blp.route("/revenue/entries/<ref(rev):ref>", methods=["PATCH"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueEntryChange)
@blp.response(200, s.RevenueDraftOut)
def change_revenue_entry(body: dict[str, Any], ref: Ref) -> Versioned:
    """Correct a line that isn't handed in, or add vouchers to it."""
    file_ids = body.pop("file_ids")
    version = wanted_version()
    done = service.change_draft(ref, changes=body, file_ids=file_ids, version=version, acting_user=g.staff)
    return versioned(draft_out(done))


@blp.route("/revenue/entries/<ref(rev):ref>", methods=["DELETE"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.response(204)
def drop_revenue_entry(ref: Ref) -> None:
    """Throw a line away that isn't handed in, with its vouchers."""
    service.drop_draft(ref, version=wanted_version(), acting_user=g.staff)


@blp.route("/revenue/entries/<ref(rev):ref>/vouchers/<ref(upl):file_id>/content", methods=["POST"])
@requires(Allow.REVENUE_VIEW)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def revenue_voucher(ref: Ref, file_id: UUID) -> Response:
    """A voucher as it was uploaded; audited, which is why it is a POST."""
    with db.transaction():
        paper = service.open_voucher(ref, file_id, acting_user=g.staff)
    return handed_out(paper)


# --- what is published -----------------------------------------------------------------------------------


@blp.route("/revenue/lines/<ref(rev):ref>", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueStaffLineOut)
def revenue_line(ref: Ref) -> dict[str, Any]:
    """A published line with its vouchers."""
    row = queries.one_for(g.staff, Allow.REVENUE_VIEW, RevenueLine, ref)
    return shown.line_detail(row) | {
        "vouchers": [voucher | {"file_id": UUID(voucher["id"])} for voucher in row.vouchers]
    }


@blp.route("/estates/<ref(est):ref>/revenue/export", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.arguments(s.RevenueExportQuery, location="query")
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def export_revenue(args: dict[str, Any], ref: Ref) -> Response:
    """The published lines of a filter as a table, with the figures of the page."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    where = shown.filter_of(ref, {name: args[name] for name in _LINES})
    lines = shown.lines_out(queries.lines(where))
    names = [ids.encode(Kind.REVENUE_ENTRY, line["entry_id"]) for line in lines]
    data = WRITERS[args["format"]](table(lines, shown.totals_out(queries.totals(where)), names))
    name = f"revenue-{places.today().isoformat()}.{args['format']}"
    return Response(
        data,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@blp.route("/estates/<ref(est):ref>/revenue/objections", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, shown.RevenueObjectionList)
def staff_objections(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Which lines were doubted, in what words, and by when an answer is due."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return shown.objection_page(ref, args, reader=None)


@blp.route("/revenue/objections/<ref(rob):ref>/answer", methods=["POST"])
@requires(Allow.REVENUE_REVIEW)
@writes
@blp.arguments(s.RevenueAnswerIn)
@blp.response(200, shown.RevenueObjectionOut)
def answer_objection(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Answer it for everybody to read, once."""
    done = objections.answer(ref, text=body["text"], acting_user=g.staff)
    return shown.objections_out([done], reader=None)[0]
