"""Pages of papers of the books: what of a voucher is covered before all see it, and a ledger that is imported."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app import ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.revenue import ledger_imports, queries
from app.revenue.import_models import LedgerState
from app.revenue.models import DraftState, RevenueContract, RevenueDraft, RevenueLine
from bff.admin import revenue_schemas as s
from bff.admin.auth import requires
from bff.admin.console.face import blp, fragment, page, query
from bff.admin.console.revenue_pages import HERE, V, book, of_estate
from bff.admin.revenue_imports import import_out, imports_page
from bff.admin.revenue_papers import papers_of
from bff.http import reads
from bff.schemas import PageQuery

_AT_WORK = {LedgerState.READING, LedgerState.APPLYING}


# --- vouchers and scans ------------------------------------------------------------------------------------


def _paper(holder: RevenueDraft | RevenueLine | RevenueContract, file_id: UUID) -> dict[str, Any]:
    ref = Ref(holder.community_id, holder.id)
    wanted = ids.encode(Kind.UPLOAD, file_id)
    paper = next((one for one in papers_of(ref) if one["file_id"] == wanted), None)
    if paper is None:
        raise NotFound
    known = book(of_estate(holder), "contracts" if isinstance(holder, RevenueContract) else "ledger")
    if isinstance(holder, RevenueContract):
        own = f"contracts/{ids.encode(Kind.REVENUE_CONTRACT, ref)}"
        content, cover, may = f"{own}/scans/{wanted}/content", f"{own}/scans/{wanted}/public", "edit"
        address = f"/admin/revenue/{own}/scans/{wanted}"
    else:
        kind = "lines" if isinstance(holder, RevenueLine) else "entries"
        name = ids.encode(Kind.REVENUE_ENTRY, ref)
        own = f"{kind}/{name}"
        content, cover = f"entries/{name}/vouchers/{wanted}/content", f"{own}/vouchers/{wanted}/public"
        may = "review" if isinstance(holder, RevenueLine) else "edit"
        address = f"/admin/revenue/{own}/vouchers/{wanted}"
    is_frozen = isinstance(holder, RevenueDraft) and holder.state != DraftState.OPEN
    return {
        **known,
        "paper": paper,
        "address": address,
        "holder": f"/admin/revenue/{own}",
        "content": f"/admin/api/v1/revenue/{content}",
        "cover": f"/admin/api/v1/revenue/{cover}",
        "may_cover": known["may"][may] and not is_frozen,
        "is_frozen": is_frozen,
        "only_adds": not isinstance(holder, RevenueDraft),
    }


def _shown(found: dict[str, Any]) -> str:
    return page("revenue/paper.html", here=HERE, **found)


@blp.route("/revenue/entries/<ref(rev):ref>/vouchers/<ref(upl):file_id>", methods=["GET"])
@requires(V)
@reads
def revenue_voucher_page(ref: Ref, file_id: UUID) -> str:
    """A draft's voucher: its original, the boxes over it, and its public file."""
    return _shown(_paper(queries.one_for(g.staff, V, RevenueDraft, ref), file_id))


@blp.route("/revenue/entries/<ref(rev):ref>/vouchers/<ref(upl):file_id>/made", methods=["GET"])
@requires(V)
@reads
def revenue_voucher_made(ref: Ref, file_id: UUID) -> str:
    """Its public file alone, while it is drawn."""
    found = _paper(queries.one_for(g.staff, V, RevenueDraft, ref), file_id)
    return fragment("revenue/_made.html", **found)


@blp.route("/revenue/lines/<ref(rev):ref>/vouchers/<ref(upl):file_id>", methods=["GET"])
@requires(V)
@reads
def revenue_line_voucher_page(ref: Ref, file_id: UUID) -> str:
    """A published voucher, of which more can be covered."""
    return _shown(_paper(queries.one_for(g.staff, V, RevenueLine, ref), file_id))


@blp.route("/revenue/lines/<ref(rev):ref>/vouchers/<ref(upl):file_id>/made", methods=["GET"])
@requires(V)
@reads
def revenue_line_voucher_made(ref: Ref, file_id: UUID) -> str:
    """Its public file alone, while it is drawn."""
    return fragment("revenue/_made.html", **_paper(queries.one_for(g.staff, V, RevenueLine, ref), file_id))


@blp.route("/revenue/contracts/<ref(rcn):ref>/scans/<ref(upl):file_id>", methods=["GET"])
@requires(V)
@reads
def revenue_scan_page(ref: Ref, file_id: UUID) -> str:
    """A contract's scan."""
    return _shown(_paper(queries.one_for(g.staff, V, RevenueContract, ref), file_id))


@blp.route("/revenue/contracts/<ref(rcn):ref>/scans/<ref(upl):file_id>/made", methods=["GET"])
@requires(V)
@reads
def revenue_scan_made(ref: Ref, file_id: UUID) -> str:
    """Its public file alone, while it is drawn."""
    return fragment(
        "revenue/_made.html", **_paper(queries.one_for(g.staff, V, RevenueContract, ref), file_id)
    )


# --- imports -----------------------------------------------------------------------------------------------


@blp.route("/revenue/<ref(est):ref>/imports", methods=["GET"])
@requires(Allow.REVENUE_EDIT)
@reads
def revenue_imports_page(ref: Ref) -> str:
    """Upload a ledger; the earlier ones below."""
    known = book(ref, "ledger")
    found = s.RevenueImportList().dump(imports_page(ref, query(PageQuery)))
    return page("revenue/imports.html", here=HERE, **known, list=found)


def _import(ref: Ref) -> dict[str, Any]:
    row = ledger_imports.import_for(g.staff, ref)
    return {
        **book(Ref(row.community_id, row.estate_id), "ledger"),
        "job": s.RevenueImportOut().dump(import_out(row)),
        "at_work": row.state in _AT_WORK,
    }


@blp.route("/revenue/imports/<ref(rim):ref>", methods=["GET"])
@requires(Allow.REVENUE_EDIT)
@reads
def revenue_import_page(ref: Ref) -> str:
    """One import: how far it is, what its columns are, what would be entered, what can't be."""
    return page("revenue/import.html", here=HERE, **_import(ref))


@blp.route("/revenue/imports/<ref(rim):ref>/part", methods=["GET"])
@requires(Allow.REVENUE_EDIT)
@reads
def revenue_import_part(ref: Ref) -> str:
    """The same without the frame, while it goes on."""
    return fragment("revenue/_import.html", **_import(ref))
