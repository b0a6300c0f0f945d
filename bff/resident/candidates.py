"""Standing for the owners' committee: nominating oneself, or others together; who stands; withdrawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g, url_for

from app.errors import NotFound
from app.ids import Ref
from app.voting import candidates, queries
from app.voting.candidate_errors import NameMissing
from app.voting.models import Candidate, Decision, NominatedBy
from bff import candidates as views
from bff.http import reads, writes
from bff.resident import candidate_schemas as s
from bff.schemas import Blueprint

blp = Blueprint("candidates", __name__, url_prefix="/bff/v1", description="Candidates")


def _out(row: Decision, found: Sequence[Candidate]) -> list[dict[str, Any]]:
    joined = candidates.backed_by(g.resident_id, row, found)
    mine = candidates.hers(g.resident_id, row.community_id, found)
    return [
        shown
        | {
            "mine": c.id in mine,
            "backed_by_me": c.id in joined,
            "reason": c.reason if c.id in mine else None,
        }
        for shown, c in zip(views.candidates_out(row, found), found, strict=True)
    ]


def _one(ref: Ref, found: Candidate) -> dict[str, Any]:
    return _out(queries.decision(ref), [found])[0]


def _of(ref: Ref, candidate: Ref) -> Ref:
    if candidate.community_id != ref.community_id:
        raise NotFound
    return candidate


@blp.route("/nominations", methods=["GET"])
@reads
@blp.response(200, s.NominationList)
def open_now() -> dict[str, Any]:
    """Elections of my estates in which owners nominate now."""
    return {
        "items": [
            {
                "decision_id": queries.ref_of(row),
                "estate_id": queries.estate_of(row),
                "title": row.title,
                "nominations_until": row.nominations_until,
                "motions": [
                    {
                        "motion_id": Ref(m.community_id, m.id),
                        "title": m.title,
                        "seats": m.seats,
                        "alternates": m.alternates,
                    }
                    for m in queries.motions_of(queries.ref_of(row))
                    if m.seats is not None
                ],
            }
            for row in candidates.elections_open_to(g.resident_id)
        ]
    }


@blp.route("/decisions/<ref(dec):ref>/candidates", methods=["GET"])
@reads
@blp.response(200, s.MyCandidateList)
def listed(ref: Ref) -> dict[str, Any]:
    """Who stands, who waits for backers, and my own nomination with what was said of it."""
    row = candidates.election_for(g.resident_id, ref)
    return {"items": _out(row, candidates.seen_by(g.resident_id, row))}


@blp.route("/decisions/<ref(dec):ref>/candidates", methods=["POST"])
@writes
@blp.arguments(s.NomineeIn)
@blp.response(201, s.MyCandidate)
def nominate(body: dict[str, Any], ref: Ref) -> Any:
    """Stand for a seat (`self`), or propose somebody whom others then back (`joint`). For verified owners."""
    statement = body["statement"] or None
    if body["nominated_by"] == NominatedBy.SELF:
        made = candidates.nominate_self(g.resident_id, ref, motion=body["motion_id"], statement=statement)
    else:
        if not body["name"]:
            raise NameMissing(errors={"name": [(NameMissing.zh, NameMissing.en)]})
        made = candidates.nominate_jointly(
            g.resident_id, ref, motion=body["motion_id"], name=body["name"], statement=statement
        )
    return _one(ref, made), 201, {"Location": url_for("candidates.listed", ref=ref)}


@blp.route("/decisions/<ref(dec):ref>/candidates/<ref(cnd):candidate>/back", methods=["POST"])
@writes
@blp.response(200, s.MyCandidate)
def back(ref: Ref, candidate: Ref) -> dict[str, Any]:
    """Join a nomination, for verified owners; each owner counts once."""
    return _one(ref, candidates.back(g.resident_id, ref, _of(ref, candidate).id))


@blp.route("/decisions/<ref(dec):ref>/candidates/<ref(cnd):candidate>/withdraw", methods=["POST"])
@writes
@blp.response(200, s.MyCandidate)
def withdraw(ref: Ref, candidate: Ref) -> dict[str, Any]:
    """I don't stand any more; until the roll is frozen."""
    return _one(ref, candidates.withdraw_self(g.resident_id, ref, _of(ref, candidate).id))
