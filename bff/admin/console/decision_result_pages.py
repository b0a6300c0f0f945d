"""The result of a decision with its arithmetic written out, and the same on A4 for the notice board."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from flask import current_app, g, url_for

from app import clock
from app.errors import NotFound
from app.ids import Ref
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.voting import boards, ledger, queries, results
from bff import result_schemas
from bff import results as views
from bff.admin.auth import requires
from bff.admin.console import decision_words as said
from bff.admin.console.decision_pages import may, of_one
from bff.admin.console.face import blp, fragment, page
from bff.admin.console.words import language, say
from bff.http import reads


class Step(NamedTuple):
    """A line of the arithmetic: two whole numbers compared by cross-multiplication, as the verdict compares them."""

    what: str
    sum: str
    share: str
    compared: str
    is_reached: bool


@blp.route("/decisions/<ref(dec):ref>/result", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_result(ref: Ref) -> str:
    """The result, motion by motion, with each step of its arithmetic and how anybody checks it."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    return page(
        "decisions/result.html",
        here="decisions",
        **of_one(row, "result"),
        **_result(ref),
        exports=may(row, Allow.DECISION_CERTIFY),
    )


@blp.route("/decisions/<ref(dec):ref>/print", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_print(ref: Ref) -> str:
    """The same on A4, without the frame: what is signed, filed and hung up."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    estate = places.estate(queries.estate_of(row))
    return fragment(
        "decisions/print.html", **said.helpers(), **_result(ref), estate_name=estate.name, row=row
    )


def _result(ref: Ref) -> dict[str, Any]:
    found = results.result_for_staff(g.staff, ref)
    base = str(current_app.config["SETTINGS"].public_base_url).rstrip("/")
    shown = result_schemas.ResultOut().dump(views.result_out(found, english=language() == "en"))
    return {
        "result": shown,
        "motions": [motion | {"steps": _steps(motion)} for motion in shown["motions"]],
        "log": _log(ref),
        "board": base + url_for("public-decisions.board", ref=ref),
        "log_file": url_for("public-decisions.file", ref=ref),
        "rules": queries.rules_of(found.row),
        "printed_at": clock.now(),
    }


def _log(ref: Ref) -> dict[str, Any] | None:
    """The last signed head of its log, which every receipt leads to."""
    try:
        head = ledger.head_of(ref, ledger.ledger_of(ref).size)
    except NotFound:  # cast in the authority's own system
        return None
    return boards.head_json(ref, head) if head is not None else None


def _steps(motion: dict[str, Any]) -> list[Step]:
    lines = []
    for name, of, shares in (
        (say("参与表决"), say("全体业主"), motion["quorum"]),
        (say("同意"), say("参与表决"), motion["approval"]),
    ):
        if shares is None:
            continue
        for measure, key in ((say("人数"), "heads"), (say("面积"), "area")):
            lines.append(_step(f"{name}{measure} ÷ {of}{measure}", shares[key], is_area=key == "area"))
    return lines


def _step(what: str, share: dict[str, Any], *, is_area: bool) -> Step:
    worded = said.area if is_area else "{:,}".format
    needs = Fraction(share["needs"])
    left, right = needs.denominator * share["part"], needs.numerator * share["whole"]
    over = 100 if is_area else 1  # areas are kept in 0.01 m²
    reached = share["reached"]
    sign = ">" if left > right else "=" if left == right else "<"
    return Step(
        what,
        f"{worded(share['part'])} ÷ {worded(share['whole'])} = {share['percent'] or '—'}%",
        (say("超过") if share["more_than"] else say("不少于")) + f" {share['needs']}",
        f"{needs.denominator} × {_plain(share['part'], over)} = {_plain(left, over)} {sign} "
        f"{_plain(right, over)} = {needs.numerator} × {_plain(share['whole'], over)}",
        reached,
    )


def _plain(number: int, over: int) -> str:
    return f"{number:,}" if over == 1 else f"{number // 100:,}.{number % 100:02d}"
