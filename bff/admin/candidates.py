"""Candidates of an election: the nomination window, nominations, checks by the preparation group, withdrawals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g, url_for

from app.errors import NotFound
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.voting import candidates, queries
from app.voting.models import Candidate, Decision, NominatedBy
from bff import candidates as views
from bff.admin import candidate_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, reads, versioned, writes
from bff.schemas import Blueprint

blp = Blueprint("staff-candidates", __name__, url_prefix="/admin/api/v1", description="Candidates")


def _out(row: Decision, found: Sequence[Candidate]) -> list[dict[str, Any]]:
    names = people.staff_names(c.checked_by for c in found)
    return [
        shown
        | {
            "owner_id": Ref(c.community_id, c.owner_id) if c.owner_id else None,
            "reason": c.reason,
            "checker": names.get(c.checked_by) if c.checked_by else None,
            "checked_at": c.checked_at,
            "version": c.version,
        }
        for shown, c in zip(views.candidates_out(row, found), found, strict=True)
    ]


def _one(ref: Ref, found: Candidate, status: int = 200) -> Versioned:
    where = {"Location": url_for("staff-candidates.listed", ref=ref)} if status == 201 else {}
    return versioned(_out(queries.decision(ref), [found])[0], status, **where)


def _of(ref: Ref, candidate: Ref) -> Ref:
    if candidate.community_id != ref.community_id:
        raise NotFound
    return candidate


@blp.route("/decisions/<ref(dec):ref>/nominations", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.NominationsIn)
@blp.response(200, s.NominationsOut)
def open_nominations(body: dict[str, Any], ref: Ref) -> Versioned:
    """Let owners nominate until then; sent again, the end is moved. Before the election is announced."""
    row = candidates.open_nominations(g.staff, ref, until=body["until"])
    return versioned({"decision_id": ref, "nominations_until": row.nominations_until, "version": row.version})


@blp.route("/decisions/<ref(dec):ref>/candidates", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.response(200, s.StaffCandidateList)
def listed(ref: Ref) -> dict[str, Any]:
    """Everybody who was nominated, in any state, with who checked them and why."""
    return candidates_of(ref)


def candidates_of(ref: Ref) -> dict[str, Any]:
    """Everybody who was nominated. Raises NotFound."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    return {"items": _out(row, candidates.all_of(ref))}


@blp.route("/decisions/<ref(dec):ref>/candidates", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.NomineeIn)
@blp.response(201, s.StaffCandidate)
def nominate(body: dict[str, Any], ref: Ref) -> Versioned:
    """Enter a nomination by the Party organisation or the residents' committee."""
    made = candidates.nominate_by_staff(
        g.staff,
        ref,
        motion=body["motion_id"],
        by=NominatedBy(body["nominated_by"]),
        owner=body["owner_id"],
        statement=body["statement"] or None,
    )
    return _one(ref, made, 201)


@blp.route("/decisions/<ref(dec):ref>/candidates/<ref(cnd):candidate>/check", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.CheckIn)
@blp.response(200, s.StaffCandidate)
def check(body: dict[str, Any], ref: Ref, candidate: Ref) -> Versioned:
    """What the preparation group found: she is posted for objections, or refused; with the reason either way."""
    done = candidates.check(
        g.staff,
        ref,
        _of(ref, candidate).id,
        accepted=body["accepted"],
        reason=body["reason"],
        owner=body["owner_id"],
    )
    return _one(ref, done)


@blp.route("/decisions/<ref(dec):ref>/candidates/<ref(cnd):candidate>/withdraw", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.WithdrawIn)
@blp.response(200, s.StaffCandidate)
def withdraw(body: dict[str, Any], ref: Ref, candidate: Ref) -> Versioned:
    """Enter that she has withdrawn, in writing; until the roll is frozen."""
    done = candidates.withdraw_by_staff(g.staff, ref, _of(ref, candidate).id, reason=body["reason"])
    return _one(ref, done)


@blp.route("/decisions/<ref(dec):ref>/candidates/carry-over", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.CarryIn)
@blp.response(201, s.StaffCandidateList)
def carry_over(body: dict[str, Any], ref: Ref) -> Any:
    """Take over, into a second round, those of the round before (`previous_id`) who tied, or else won no seat."""
    made = candidates.carry_over(g.staff, ref, motion=body["motion_id"])
    where = {"Location": url_for("staff-candidates.listed", ref=ref)}
    return {"items": _out(queries.decision(ref), made)}, 201, where
