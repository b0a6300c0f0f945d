"""A property office's ledger into the books: upload, say what headings mean, look at what would be entered, apply."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, g, request, url_for

from app import db
from app.adapters.storage import ObjectMissing
from app.errors import NotFound
from app.ids import Ref
from app.people.permissions import Permission as Allow
from app.places.import_sheets import XLSX
from app.revenue import ledger_imports, ledger_sheets, queries
from app.revenue.import_models import LedgerState, RevenueImport, RevenueImportProblem
from app.revenue.ledger_headings import Field
from app.revenue.words import reason
from bff import errors
from bff.admin import revenue_schemas as s
from bff.admin.auth import requires
from bff.admin.registry_schemas import ApplyIn, RegisterFile
from bff.http import read_cursor, reads, write_cursor, writes
from bff.registers import error_sheet as stored_sheet
from bff.registers import takes_register
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("staff-revenue-imports", __name__, url_prefix="/admin/api/v1", description="Public revenue")

SHOWN = 100
_MESSAGES = {
    LedgerState.READING: ("正在读取，请稍候。", "Being read."),
    LedgerState.MAPPING: ("请指明每一列是什么。", "Say what the columns are."),
    LedgerState.PREVIEWED: ("请核对预览，确认后记入。", "Look at the preview, then apply."),
    LedgerState.APPLYING: ("正在记入，请稍候。", "Being entered."),
    LedgerState.APPLIED: ("已记入草稿，请送审。", "Entered as drafts; hand the period in."),
    LedgerState.FAILED: ("没有成功。", "It failed."),
}


def _home() -> int:
    """The community of the estate in the path, when its books are hers to keep. Raises NotFound."""
    assert request.view_args is not None
    estate: Ref = request.view_args["ref"]
    with db.reading():
        queries.estate_for(g.staff, Allow.REVENUE_EDIT, estate)
    return estate.community_id


def _english() -> bool:
    return errors.language() == "en"


def _cell(row: RevenueImportProblem) -> dict[str, Any]:
    names = ("sheet", "row", "column", "field", "code")
    return {name: getattr(row, name) for name in names} | {"reason": reason(row.code, english=_english())}


def import_out(imported: RevenueImport) -> dict[str, Any]:
    """How far an import is, what it would enter, and what can't be taken."""
    ref = Ref(imported.community_id, imported.id)
    counts = imported.counts or {}
    said = _MESSAGES[LedgerState(imported.state)][1 if _english() else 0]
    why = reason(imported.problem, english=_english()) if imported.problem else ""
    return {
        "import_id": ref,
        "estate_id": Ref(imported.community_id, imported.estate_id),
        "message": why or said,
        "code": imported.problem,
        "file_sha256": imported.file_sha256.hex(),
        "headings": imported.headings or [],
        "fields_": [field.value for field in Field],
        "missing": counts.get("missing", []),
        "sheets_skipped": counts.get("sheets_skipped", []),
        "new": counts.get("new", 0),
        "bad": counts.get("bad", 0),
        "sums_fen": counts.get("sums"),
        "new_categories": [{"kind": kind, "name": name} for kind, name in counts.get("new_categories", [])],
        "rows": imported.sample or [],
        "problems": [_cell(row) for row in ledger_imports.problems(ref, limit=SHOWN)],
        "problems_total": counts.get("problems", 0),
        "error_sheet_url": url_for("staff-revenue-imports.ledger_errors", ref=ref)
        if imported.errors_kept
        else None,
        **{name: getattr(imported, name) for name in ("state", "done", "total", "created_at", "applied_at")},
    }


def _accepted(imported: RevenueImport) -> Any:
    ref = Ref(imported.community_id, imported.id)
    where = url_for("staff-revenue-imports.ledger_import", ref=ref)
    return {"job_id": ref, "status_url": where}, 202, {"Location": where}


@blp.route("/estates/<ref(est):ref>/revenue/imports", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@takes_register(_home, ledger_imports.announce)
@writes
@blp.arguments(RegisterFile, location="files")
@blp.arguments(s.RevenueImportForm, location="form")
@blp.response(202, s.RevenueImportJob)
def upload_ledger(_: dict[str, Any], form: dict[str, Any], ref: Ref) -> Any:
    """Upload a ledger (.xlsx, .xls, .csv; at most 20 MB, 65,000 rows). Nothing is entered before `apply`."""
    taken = g.register
    imported = ledger_imports.begin(
        ref,
        import_id=taken.import_id,
        file_sha256=taken.sha256,
        file_bytes=taken.size_bytes,
        file_kind=taken.kind,
        makes_categories=form["makes_categories"],
        acting_user=g.staff,
    )
    return _accepted(imported)


@blp.route("/estates/<ref(est):ref>/revenue/imports", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.RevenueImportList)
def ledger_import_list(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The imports into the estate's books, the latest first."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return imports_page(ref, args)


def imports_page(ref: Ref, args: dict[str, Any]) -> dict[str, Any]:
    """A page of the estate's imports."""
    before = read_cursor(args["cursor"], UUID)
    rows = ledger_imports.imports_of(ref, limit=args["limit"] + 1, before=before[0] if before else None)
    page = rows[: args["limit"]]
    names = ("state", "created_at", "applied_at")
    return {
        "items": [
            {"import_id": Ref(row.community_id, row.id)} | {name: getattr(row, name) for name in names}
            for row in page
        ],
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("/revenue/imports/template", methods=["GET"])
@requires(Allow.REVENUE_EDIT)
@reads
@blp.response(200, {"type": "string", "format": "binary"}, content_type=XLSX)
def ledger_template() -> Response:
    """An empty ledger to fill in."""
    return _workbook(ledger_sheets.template(), "jiayuan-ledger.xlsx")


def _workbook(data: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, content_type=XLSX, headers=headers)


@blp.route("/revenue/imports/<ref(rim):ref>", methods=["GET"])
@requires(Allow.REVENUE_EDIT)
@reads
@blp.response(200, s.RevenueImportOut)
def ledger_import(ref: Ref) -> dict[str, Any]:
    """How far it is, what it would enter, and each cell that can't be taken."""
    return import_out(ledger_imports.import_for(g.staff, ref))


@blp.route("/revenue/imports/<ref(rim):ref>/problems", methods=["GET"])
@requires(Allow.REVENUE_EDIT)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.RevenueImportCells)
def ledger_problems(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """All cells that can't be taken, in the order of the file."""
    ledger_imports.import_for(g.staff, ref)
    after = read_cursor(args["cursor"], int)
    rows = ledger_imports.problems(ref, limit=args["limit"] + 1, after=after[0] if after else -1)
    page = rows[: args["limit"]]
    return {
        "items": [_cell(row) for row in page],
        "next_cursor": write_cursor(page[-1].seq) if len(rows) > len(page) else None,
    }


@blp.route("/revenue/imports/<ref(rim):ref>/errors", methods=["GET"])
@requires(Allow.REVENUE_EDIT)
@reads
@blp.response(200, {"type": "string", "format": "binary"}, content_type=XLSX)
def ledger_errors(ref: Ref) -> Response:
    """The bad rows as a workbook, each with its reasons, to be corrected and uploaded again."""
    if not ledger_imports.import_for(g.staff, ref).errors_kept:
        raise NotFound
    try:
        return _workbook(stored_sheet(ref.id), "jiayuan-ledger-errors.xlsx")
    except ObjectMissing as e:
        raise NotFound from e


@blp.route("/revenue/imports/<ref(rim):ref>/mapping", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueMappingIn)
@blp.response(202, s.RevenueImportJob)
def map_ledger(body: dict[str, Any], ref: Ref) -> Any:
    """Say what headings mean; the file is read again."""
    return _accepted(ledger_imports.remap(ref, mapping=body["mapping"], acting_user=g.staff))


@blp.route("/revenue/imports/<ref(rim):ref>/apply", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(ApplyIn)
@blp.response(202, s.RevenueImportJob)
def apply_ledger(body: dict[str, Any], ref: Ref) -> Any:
    """Enter it as drafts, all or none. Where the books have changed since, nothing is entered: the preview is new."""
    return _accepted(ledger_imports.apply(ref, skip_bad=body["skip_bad"], acting_user=g.staff))
