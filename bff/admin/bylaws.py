"""What a street sets for an estate's votes: rules of procedure (议事规则) and legal effect, each with its document."""

from __future__ import annotations

from typing import Any

from flask import g, request, url_for

from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.voting import bylaws, queries, words
from app.voting.models import LegalMode
from bff.admin import bylaw_schemas as s
from bff.admin.auth import requires
from bff.http import reads, writes
from bff.schemas import Blueprint

blp = Blueprint("bylaws", __name__, url_prefix="/admin/api/v1", description="Rules of procedure")


def _rules(estate: Ref) -> dict[str, Any]:
    row = queries.procedure_of(estate)
    return {
        "estate_id": estate,
        "version": row.version if row is not None else 0,
        "rules": queries.rules_for(estate).as_json(),
        "document": row.document if row is not None else None,
        "clause": row.clause if row is not None else None,
        "adopted_on": row.adopted_on if row is not None else None,
        "set_by": people.staff_names([row.set_by]).get(row.set_by) if row is not None else None,
        "set_at": row.set_at if row is not None else None,
    }


def _mode(estate: Ref) -> dict[str, Any]:
    row, mode = queries.mode_row(estate), queries.mode_of(estate)
    english = request.accept_languages.best_match(["zh-CN", "zh", "en"]) == "en"
    return {
        "estate_id": estate,
        "mode": mode,
        "mode_text": words.mode(mode, english=english),
        "document": row.document if row is not None else None,
        "system": row.system if row is not None else None,
        "set_by": people.staff_names([row.set_by]).get(row.set_by) if row is not None else None,
        "set_at": row.set_at if row is not None else None,
    }


@blp.route("/estates/<ref(est):ref>/procedure-rules", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.response(200, s.ProcedureRulesOut)
def rules(ref: Ref) -> dict[str, Any]:
    """The rules by which the estate's next decision runs; without any of its own, what the law says."""
    return _rules(queries.estate_for_staff(g.staff, ref, Allow.DECISION_VIEW))


@blp.route("/estates/<ref(est):ref>/procedure-rules", methods=["POST"])
@requires(Allow.DECISION_MODE)
@writes
@blp.arguments(s.ProcedureRulesIn)
@blp.response(201, s.ProcedureRulesOut)
def set_rules(body: dict[str, Any], ref: Ref) -> Any:
    """A new version. Decisions that are announced keep their copy. Electronic ballots, and what an unreturned paper
    counts as, rest on the owners' own text: its document, clause, date and file are needed.
    """
    bylaws.set_rules(
        g.staff,
        ref,
        changes=body["rules"],
        document=body["document"],
        clause=body["clause"],
        adopted_on=body["adopted_on"],
        file_ids=body["file_ids"],
    )
    return _rules(ref), 201, {"Location": url_for("bylaws.rules", ref=ref)}


@blp.route("/estates/<ref(est):ref>/voting-mode", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.response(200, s.VotingModeOut)
def mode(ref: Ref) -> dict[str, Any]:
    """The legal effect that the estate's votes may have."""
    return _mode(queries.estate_for_staff(g.staff, ref, Allow.DECISION_VIEW))


@blp.route("/estates/<ref(est):ref>/voting-mode", methods=["POST"])
@requires(Allow.DECISION_MODE)
@writes
@blp.arguments(s.VotingModeIn)
@blp.response(201, s.VotingModeOut)
def set_mode(body: dict[str, Any], ref: Ref) -> Any:
    """Allow votes with legal effect, by a document with its file; the street alone does."""
    bylaws.set_mode(
        g.staff,
        ref,
        mode=LegalMode(body["mode"]),
        document=body["document"],
        system=body["system"],
        file_ids=body["file_ids"],
    )
    return _mode(ref), 201, {"Location": url_for("bylaws.mode", ref=ref)}
