"""The end of a decision: turnout, certifying, the authority's result, the filing export."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request, url_for

from app import audit, ids
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.voting import queries, results
from app.voting.results import OfficialMotion
from app.voting.seats import Weight
from bff import result_schemas as shown
from bff import results as views
from bff.admin import result_export
from bff.admin import result_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, asked_version, reads, witnessed, writes
from bff.schemas import Blueprint

blp = Blueprint("staff-results", __name__, url_prefix="/admin/api/v1", description="Results of decisions")


def _english() -> bool:
    return request.accept_languages.best_match(["zh-CN", "zh", "en"]) == "en"


@blp.route("/decisions/<ref(dec):ref>/turnout", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.response(200, shown.TurnoutOut)
def turnout(ref: Ref) -> dict[str, object]:
    """How many have voted, live, by heads and area and by building, and how many are still needed for the quorum. Never
    what they chose.
    """
    return views.turnout_out(queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW))


@blp.route("/decisions/<ref(dec):ref>/certify", methods=["POST"])
@requires(Allow.DECISION_CERTIFY)
@writes
@blp.response(200, shown.ResultOut)
def certify(ref: Ref) -> Versioned:
    """Certify the result of a closed decision, by somebody other than who announced it, entered the authority's result
    or a proof of delivery that counts (403 `second_person`).

    409 `poll_not_certifiable`, `not_counted` (the ballots are still being opened), `sheets_missing` (so many heads
    voted online without a signed sheet), `official_result_missing`, `ballots_differ`.
    """
    row = results.certify(g.staff, ref, version=asked_version())
    body = views.result_out(results.result_of(row), english=_english())
    return body, 200, {"ETag": f'"{row.version}"'}


@blp.route("/decisions/<ref(dec):ref>/official-result", methods=["POST"])
@requires(Allow.DECISION_CERTIFY)
@writes
@blp.arguments(s.OfficialIn)
@blp.response(201, s.OfficialOut)
def official_result(body: dict[str, Any], ref: Ref) -> Any:
    """Enter what the authority's system answered, with its file; somebody else certifies. The newest entry
    holds. 422 `other_roll` where it counted other heads or another area, without the reason.
    """
    entered = results.enter_official(
        g.staff,
        ref,
        roll=Weight(**body["roll"]),
        motions=[
            OfficialMotion(
                motion_id=motion["motion_id"],
                answers={
                    word.rstrip("_"): Weight(**weight) for word, weight in motion["answers"].items() if weight
                },
                candidates={
                    c["candidate_id"]: Weight(c["area_centi"], c["heads"]) for c in motion["candidates"]
                },
            )
            for motion in body["motions"]
        ],
        reference=body["reference"],
        roll_reason=body["roll_reason"],
        file_ids=body["file_ids"],
    )
    body = {"decision_id": ref, "reference": entered.reference, "at": entered.at}
    return body, 201, {"Location": url_for("staff-results.result", ref=ref)}


@blp.route("/decisions/<ref(dec):ref>/result", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.response(200, shown.ResultOut)
def result(ref: Ref) -> dict[str, Any]:
    """The certified result with its arithmetic, or that of a poll that is over; before that 404 `not_certified`."""
    return views.result_out(results.result_for_staff(g.staff, ref), english=_english())


@blp.route("/decisions/<ref(dec):ref>/export", methods=["GET"])
@requires(Allow.DECISION_CERTIFY)
@witnessed
@blp.arguments(s.ExportQuery, location="query")
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def export(args: dict[str, Any], ref: Ref) -> Response:
    """The result for filing, as workbook or CSV: arithmetic, and rooms with what the announced rules show of them.
    Audited; before there is a result 404 `not_certified`.
    """
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_CERTIFY)
    found = results.result_of(row)
    as_csv = args["format"] == "csv"
    data = result_export.as_csv(found) if as_csv else result_export.as_xlsx(found)
    audit.record(
        g.staff.actor,
        "decision.exported",
        community_id=ref.community_id,
        object_kind=queries.OBJECT_KIND,
        object_id=ref.id,
        format=args["format"],
    )
    name = f"result-{ids.encode(Kind.DECISION, ref)[-8:]}.{args['format']}"
    return Response(
        data,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
