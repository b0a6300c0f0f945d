"""A result and the turnout, made out for whichever face shows them."""

from __future__ import annotations

from typing import Any

from app import ids
from app.ids import Kind, Ref
from app.places import queries as places
from app.voting import disclosure, queries, texts, turnout, words
from app.voting.models import CandidateStatus, Decision
from app.voting.results import Published


def result_out(found: Published, *, english: bool) -> dict[str, Any]:
    """A published result with the names of its candidates, which the result itself doesn't hold."""
    row, result = found.row, found.result
    return {
        "decision_id": queries.ref_of(row),
        "title": row.title,
        "heading": result["title"],
        "kind": row.kind,
        "legal_mode": row.legal_mode,
        "legal_mode_text": words.mode(row.legal_mode, english=english),
        "legal_effect": result["legal_effect"],
        "scope": result["scope"],
        "source": result["source"],
        "reference": result.get("reference"),
        "roll_reason": result.get("roll_reason"),
        "certified_at": found.certified.certified_at if found.certified else None,
        "log_size": found.certified.log_size if found.certified else None,
        "totals": result["totals"],
        "rules": result["rules"],
        "motions": _with_names(row, result["motions"]),
        "rooms_disclosed": disclosure.shows_choices(row),
    }


def candidate_names(row: Decision) -> dict[str, tuple[int | None, str]]:
    """Candidate (wire id) → her number on the ballot and her name."""
    stood = queries.candidates_of(
        queries.ref_of(row), statuses=(CandidateStatus.ACCEPTED, CandidateStatus.WITHDRAWN)
    )
    return {
        ids.encode(Kind.CANDIDATE, Ref(c.community_id, c.id)): (c.number, texts.name_of(c)) for c in stood
    }


def _with_names(row: Decision, motions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not any(motion["election"] for motion in motions):
        return motions
    names = candidate_names(row)

    def named(candidate: dict[str, Any]) -> dict[str, Any]:
        number, name = names[candidate["candidate_id"]]
        return candidate | {"number": number, "name": name}

    return [
        motion
        | {
            "election": motion["election"]
            | {"candidates": [named(c) for c in motion["election"]["candidates"]]}
        }
        if motion["election"]
        else motion
        for motion in motions
    ]


def turnout_out(row: Decision) -> dict[str, object]:
    """How many have voted, by area and heads and by building; never what."""
    names = {building.id: building.name for building in places.buildings_of(queries.estate_of(row))}
    return turnout.as_json(turnout.of(row), names)
