"""What everybody may see of vouchers and contracts, and the budgets of an estate."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, g, url_for

from app import db
from app.ids import Ref
from app.people.permissions import Permission as Allow
from app.revenue import budgets, public_files, queries, renderings, service
from app.revenue.budgets import Plan
from app.revenue.rendering_models import RenderingState, RevenueRendering
from app.revenue.words import reason
from bff import errors
from bff import revenue as shown
from bff.admin import revenue_schemas as s
from bff.admin.auth import requires
from bff.http import reads, writes
from bff.papers import handed_out
from bff.schemas import Blueprint

blp = Blueprint("staff-revenue-papers", __name__, url_prefix="/admin/api/v1", description="Public revenue")


def _out(made: RevenueRendering) -> dict[str, Any]:
    names = ("page", "x", "y", "width", "height")
    return {
        "reason": reason(made.problem, english=errors.language() == "en") if made.problem else None,
        "boxes": [dict(zip(names, box, strict=True)) for box in made.boxes],
        "pages": shown.pages_out(made) if made.state == RenderingState.READY else [],
        **{name: getattr(made, name) for name in ("file_id", "state", "problem", "asked_at", "made_at")},
    }


def papers_of(ref: Ref) -> list[dict[str, Any]]:
    """The papers of a draft, line or contract, each with its public file where somebody asked for one."""
    made = {one.file_id: one for one in public_files.of(ref.community_id, [ref.id])[ref.id]}
    return [
        shown.RevenueVoucherOut().dump({"file_id": p.id, "kind": p.kind, "sha256": p.sha256.hex()})
        | {"public": s.RevenueCoverOut().dump(_out(made[p.id])) if p.id in made else None}
        for p in queries.vouchers_of(ref.community_id, [ref.id])[ref.id]
    ]


def _boxes(body: dict[str, Any]) -> list[tuple[int, ...]]:
    return [(b["page"], b["x"], b["y"], b["width"], b["height"]) for b in body["boxes"]]


def _accepted(made: RevenueRendering, endpoint: str, ref: Ref) -> Any:
    return _out(made), 202, {"Location": url_for(endpoint, ref=ref, file_id=made.file_id)}


@blp.route("/revenue/entries/<ref(rev):ref>/vouchers/<ref(upl):file_id>/public", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueCoverOut)
def public_voucher(ref: Ref, file_id: UUID) -> dict[str, Any]:
    """The public file of a voucher: what is covered, and its pages once they are drawn."""
    return _out(renderings.rendering_for(g.staff, ref, file_id))


@blp.route("/revenue/entries/<ref(rev):ref>/vouchers/<ref(upl):file_id>/public", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueCoverIn)
@blp.response(202, s.RevenueCoverOut)
def cover_voucher(body: dict[str, Any], ref: Ref, file_id: UUID) -> Any:
    """Say what of a draft's voucher is to be covered; a worker draws its pages anew. A period with a voucher of which
    nobody said so isn't handed in.
    """
    made = renderings.cover_draft(ref, file_id, boxes=_boxes(body), acting_user=g.staff)
    return _accepted(made, "staff-revenue-papers.public_voucher", ref)


@blp.route("/revenue/lines/<ref(rev):ref>/vouchers/<ref(upl):file_id>/public", methods=["POST"])
@requires(Allow.REVENUE_REVIEW)
@writes
@blp.arguments(s.RevenueCoverIn)
@blp.response(202, s.RevenueCoverOut)
def cover_more(body: dict[str, Any], ref: Ref, file_id: UUID) -> Any:
    """Cover more of a published voucher; until it is drawn anew nothing of it is shown."""
    made = renderings.cover_line(ref, file_id, boxes=_boxes(body), acting_user=g.staff)
    return _accepted(made, "staff-revenue-papers.public_voucher", ref)


@blp.route("/revenue/contracts/<ref(rcn):ref>/scans/<ref(upl):file_id>/public", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueCoverOut)
def public_scan(ref: Ref, file_id: UUID) -> dict[str, Any]:
    """The public file of a contract's scan."""
    return _out(renderings.rendering_for(g.staff, ref, file_id))


@blp.route("/revenue/contracts/<ref(rcn):ref>/scans/<ref(upl):file_id>/public", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueCoverIn)
@blp.response(202, s.RevenueCoverOut)
def cover_scan(body: dict[str, Any], ref: Ref, file_id: UUID) -> Any:
    """Say what is to be covered of a contract's scan; it is public once it is drawn, and boxes are only added."""
    made = renderings.cover_scan(ref, file_id, boxes=_boxes(body), acting_user=g.staff)
    return _accepted(made, "staff-revenue-papers.public_scan", ref)


@blp.route("/revenue/contracts/<ref(rcn):ref>/scans", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueScanList)
def contract_scans(ref: Ref) -> dict[str, Any]:
    """The scans of a contract as they were uploaded."""
    queries.paper_holder(g.staff, Allow.REVENUE_VIEW, ref)
    papers = queries.vouchers_of(ref.community_id, [ref.id])[ref.id]
    return {"items": [{"file_id": p.id, "kind": p.kind, "sha256": p.sha256.hex()} for p in papers]}


@blp.route("/revenue/contracts/<ref(rcn):ref>/scans/<ref(upl):file_id>/content", methods=["POST"])
@requires(Allow.REVENUE_VIEW)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def contract_scan(ref: Ref, file_id: UUID) -> Response:
    """A contract's scan as it was uploaded; audited, which is why it is a POST."""
    with db.transaction():
        paper = service.open_voucher(ref, file_id, acting_user=g.staff)
    return handed_out(paper)


@blp.route("/estates/<ref(est):ref>/revenue/budgets", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, shown.RevenueBudgetList)
def staff_budgets(ref: Ref) -> dict[str, Any]:
    """The estate's budgets, the latest first, planned against published."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return shown.budgets_out(ref)


@blp.route("/estates/<ref(est):ref>/revenue/budgets", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueBudgetIn)
@blp.response(201, shown.RevenueBudgetOut)
def enter_budget(body: dict[str, Any], ref: Ref) -> Any:
    """The budget of a year, one line a category; an entry of that category and year belongs to it by itself."""
    view = budgets.enter(
        ref,
        year=body["year"],
        decision=body["decision_id"],
        basis=body["basis"],
        plans=[Plan(p["category_id"], p["amount_fen"], p["note"]) for p in body["lines"]],
        acting_user=g.staff,
    )
    return shown.budget_out(view), 201, {"Location": url_for("staff-revenue-papers.staff_budgets", ref=ref)}


@blp.route("/revenue/budgets/<ref(rbg):ref>", methods=["DELETE"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.response(204)
def withdraw_budget(ref: Ref) -> None:
    """Take a budget back before anything of its year is published."""
    budgets.withdraw(ref, acting_user=g.staff)


@blp.route("/estates/<ref(est):ref>/revenue/expected", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.arguments(shown.RevenueRangeQuery, location="query")
@blp.response(200, shown.RevenueInstalmentList)
def staff_expected(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """What contracts let expect in a range, instalment by instalment, and what of it is missing."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return shown.expected_out(ref, args)
