"""Registers into the registry: upload, say what the headings mean, look at what would change, apply."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, g, url_for

from app import db
from app.adapters.storage import ObjectMissing
from app.errors import NotFound
from app.ids import Ref
from app.people import queries as people
from app.people.errors import PermissionMissing
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import import_sheets, imports
from app.places.headings import Field
from app.places.registry_models import ImportProblem, ImportState, RegistryImport, Source
from app.places.words import reason
from bff import errors
from bff.admin import registry_schemas as s
from bff.admin.auth import requires
from bff.http import read_cursor, reads, write_cursor, writes
from bff.registers import error_sheet as stored_sheet
from bff.registers import takes_register
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("registry-imports", __name__, url_prefix="/admin/api/v1", description="Import of registers")

SHOWN = 100
_MESSAGES = {
    ImportState.READING: ("正在读取，请稍候。", "Being read."),
    ImportState.MAPPING: ("请指明每一列是什么。", "Say what the columns are."),
    ImportState.PREVIEWED: ("请核对预览，确认后写入。", "Look at the preview, then apply."),
    ImportState.APPLYING: ("正在写入，请稍候。", "Being written."),
    ImportState.APPLIED: ("已写入。", "Written."),
    ImportState.FAILED: ("没有成功。", "It failed."),
}


def _reach() -> frozenset[Ref]:
    return registry_reach(g.staff, Allow.REGISTRY_IMPORT)


def _home() -> int:
    """The first community of the importer's reach; imports are kept under it."""
    with db.reading():
        reach = _reach()
    if not reach:
        raise PermissionMissing
    return min(estate.community_id for estate in reach)


def _import(ref: Ref, *, lock: bool = False) -> RegistryImport:
    return imports.import_for(_reach(), ref, lock=lock)


def _english() -> bool:
    return errors.language() == "en"


def _problem(row: ImportProblem) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "sheet": row.sheet,
        "row": row.row,
        "column": row.column,
        "field": row.field,
        "code": row.code,
        "reason": reason(row.code, other_row=row.other_row, english=_english()),
    }


def _message(imported: RegistryImport) -> str:
    said = _MESSAGES[ImportState(imported.state)][1 if _english() else 0]
    return reason(imported.problem, english=_english()) if imported.problem else said


def _out(imported: RegistryImport) -> dict[str, Any]:
    ref = Ref(imported.community_id, imported.id)
    counts = imported.counts or {}
    return {
        "import_id": ref,
        "state": imported.state,
        "done": imported.done,
        "total": imported.total,
        "message": _message(imported),
        "code": imported.problem,
        "source": imported.source,
        "file_sha256": imported.file_sha256.hex(),
        "created_at": imported.created_at,
        "applied_at": imported.applied_at,
        "headings": imported.headings or [],
        "fields_": [field.value for field in Field],
        "missing": counts.get("missing", []),
        "sheets": counts.get("sheets", []),
        "sheets_skipped": counts.get("sheets_skipped", []),
        "counts": counts if "rows" in counts else None,
        "problems": [_problem(row) for row in imports.problems(ref, limit=SHOWN)],
        "problems_total": counts.get("problems", 0),
        "error_sheet_url": url_for("registry-imports.error_sheet", ref=ref) if imported.errors_kept else None,
    }


def _accepted(imported: RegistryImport) -> Any:
    ref = Ref(imported.community_id, imported.id)
    where = url_for("registry-imports.registry_import", ref=ref)
    return {"job_id": ref, "status_url": where}, 202, {"Location": where}


@blp.route("/registry/imports", methods=["POST"])
@requires(Allow.REGISTRY_IMPORT)
@takes_register(_home)
@writes
@blp.arguments(s.RegisterFile, location="files")
@blp.arguments(s.ImportForm, location="form")
@blp.response(202, s.JobOut)
def upload(_: dict[str, Any], form: dict[str, Any]) -> Any:
    """Upload a register (.xlsx, .xls, .csv; at most 20 MB, 65,000 rows). Nothing is written before `apply`."""
    taken = g.register
    imported = imports.begin(
        home=taken.home,
        import_id=taken.import_id,
        reach=_reach(),
        source=Source(form["source"]),
        file_sha256=taken.sha256,
        file_bytes=taken.size_bytes,
        file_kind=taken.kind,
        estate=form["estate_id"],
        staff_id=g.staff.id,
        acting_user=g.staff.actor,
    )
    return _accepted(imported)


@blp.route("/registry/imports", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.ImportList)
def registry_imports(args: dict[str, Any]) -> dict[str, Any]:
    """The imports of my estates, the newest first."""
    return listed(args)


def listed(args: dict[str, Any]) -> dict[str, Any]:
    """The rows of imports, for this face and its pages."""
    after = read_cursor(args["cursor"], UUID)
    rows = imports.recent(_reach(), limit=args["limit"] + 1, after=after[0] if after else None)
    page = rows[: args["limit"]]
    names = people.staff_names([row.created_by for row in page])
    return {
        "items": [_row(row) | {"by": names.get(row.created_by)} for row in page],
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


def _row(imported: RegistryImport) -> dict[str, Any]:
    counts = imported.counts or {}
    return {
        "import_id": Ref(imported.community_id, imported.id),
        "state": imported.state,
        "message": _message(imported),
        "source": imported.source,
        "rows": counts.get("rows"),
        "problems_total": counts.get("problems", 0),
        "created_at": imported.created_at,
        "applied_at": imported.applied_at,
    }


@blp.route("/registry/imports/template", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
@blp.response(200, content_type=import_sheets.XLSX)
def template() -> Response:
    """An empty register to fill in."""
    return _workbook(import_sheets.template(), "jiayuan-register.xlsx")


def _workbook(data: bytes, name: str) -> Response:
    return Response(
        data,
        content_type=import_sheets.XLSX,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


@blp.route("/registry/imports/<ref(imp):ref>", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
@blp.response(200, s.ImportOut)
def registry_import(ref: Ref) -> dict[str, Any]:
    """How far it is, what it would change, and each cell that can't be taken."""
    return found(ref)


def found(ref: Ref) -> dict[str, Any]:
    """An import as it stands, for this face and its pages. Raises NotFound."""
    return _out(_import(ref))


@blp.route("/registry/imports/<ref(imp):ref>/problems", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.ProblemList)
def problems(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """All cells that can't be taken or differ, in the order of the file."""
    return problems_of(args, ref)


def problems_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The rows of problems, for this face and its pages. Raises NotFound."""
    _import(ref)
    after = read_cursor(args["cursor"], int)
    rows = imports.problems(ref, limit=args["limit"] + 1, after=after[0] if after else -1)
    page = rows[: args["limit"]]
    more = len(rows) > len(page)
    return {
        "items": [_problem(row) for row in page],
        "next_cursor": write_cursor(page[-1].seq) if more else None,
    }


@blp.route("/registry/imports/<ref(imp):ref>/errors", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
@blp.response(200, content_type=import_sheets.XLSX)
def error_sheet(ref: Ref) -> Response:
    """The bad rows as a workbook, each with its reasons, to be corrected and uploaded again."""
    if not _import(ref).errors_kept:
        raise NotFound
    try:
        return _workbook(stored_sheet(ref.id), "jiayuan-errors.xlsx")
    except ObjectMissing as e:
        raise NotFound from e


@blp.route("/registry/imports/<ref(imp):ref>/mapping", methods=["POST"])
@requires(Allow.REGISTRY_IMPORT)
@writes
@blp.arguments(s.MappingIn)
@blp.response(202, s.JobOut)
def mapping(body: dict[str, Any], ref: Ref) -> Any:
    """Say what headings mean; the file is read again."""
    imported = _import(ref, lock=True)
    imports.remap(imported, mapping=body["mapping"], acting_user=g.staff.actor)
    return _accepted(imported)


@blp.route("/registry/imports/<ref(imp):ref>/apply", methods=["POST"])
@requires(Allow.REGISTRY_IMPORT)
@writes
@blp.arguments(s.ApplyIn)
@blp.response(202, s.JobOut)
def apply(body: dict[str, Any], ref: Ref) -> Any:
    """Write it, all or nothing. Where the registry has changed since, nothing is written and the preview is new."""
    imported = _import(ref, lock=True)
    imports.apply(
        imported,
        skip_bad=body["skip_bad"],
        reach=_reach(),
        staff_id=g.staff.id,
        acting_user=g.staff.actor,
    )
    return _accepted(imported)
