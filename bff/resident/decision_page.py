"""A decision as one of those reads it whom it binds: what everybody opens after a text message, so dumped by hand.

What is the same for everybody is dumped by its schemas once and kept in the process, until anything of it changes:
`own_decision` names it by a key that is read with each request, so there is nothing to invalidate. `OwnDecisionOut` is
the description, and a test holds both equal.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from flask import g
from flask.globals import request_ctx
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from app import db, ids
from app.clock import rfc3339
from app.ids import Kind, Ref
from app.once import Once
from app.own_decision import OwnDecision
from app.places import queries as places
from app.voting import own_heads, queries, roll, texts, turnout, words
from app.voting.matters import NAMES, Matter, threshold_of
from app.voting.models import Candidate, Decision, DecisionStatus, LegalMode, Motion
from app.voting.roll_models import RollHouse
from bff.resident import decision_schemas as s


def in_english() -> bool:
    """Does who asks read English rather than Chinese?"""
    said = request_ctx.request.environ.get("HTTP_ACCEPT_LANGUAGE")
    return said is not None and _is_english(said)


@functools.lru_cache(maxsize=1024)
def _is_english(said: str) -> bool:
    languages = parse_accept_header(said, LanguageAccept)
    return languages.best_match(["zh-CN", "zh", "en"]) == "en"


def row_out(row: Decision, heads: list[own_heads.HeadView]) -> dict[str, Any]:
    """A line of a list, with how far I am where it is open."""
    status = queries.status_of(row)
    return {
        "decision_id": queries.ref_of(row),
        "estate_id": queries.estate_of(row),
        "kind": row.kind,
        "title": row.title,
        "status": status,
        "legal_mode": row.legal_mode,
        "legal_mode_text": words.mode(row.legal_mode, english=in_english()),
        "announced_at": row.announced_at,
        "opens_at": row.opens_at,
        "closes_at": row.closes_at,
        "my_ballot": own_heads.my_ballot(row, heads) if status is DecisionStatus.OPEN else None,
    }


def _motion(motion: Motion, candidates: list[Candidate]) -> dict[str, Any]:
    matter = Matter(motion.matter) if motion.matter is not None else None
    return {
        "motion_id": Ref(motion.community_id, motion.id),
        "number": motion.number,
        "matter": motion.matter,
        "matter_name": NAMES[matter] if matter is not None else None,
        "threshold": threshold_of(matter)._asdict() if matter is not None else None,
        "title": motion.title,
        "text": motion.text,
        "seats": motion.seats,
        "alternates": motion.alternates,
        "candidates": [
            {
                "candidate_id": Ref(c.community_id, c.id),
                "number": c.number,
                "name": texts.name_of(c),
                "statement": texts.statement_of(c),
            }
            for c in candidates
            if c.motion_id == motion.id
        ],
    }


def _house(house: RollHouse) -> dict[str, Any]:
    return {"label": house.label, "area_centi": house.area_centi, "area_basis": house.area_basis}


def _my_roll(row: Decision) -> dict[str, Any]:
    if row.frozen_at is not None:
        entries = [
            {
                "head_id": Ref(entry.head.community_id, entry.head.id),
                "houses": [_house(house) for house in entry.houses],
                "area_centi": entry.head.area_centi,
                "is_voter": entry.is_voter,
                "has_voter": entry.head.voter_id is not None,
            }
            for entry in roll.entries_of(g.resident_id, row, with_vote=False)
        ]
    elif row.cancelled_at is None:
        entries = [
            {
                "head_id": None,
                "houses": [_house(house) for house in preview.houses],
                "area_centi": preview.area_centi,
                "is_voter": preview.is_voter,
                "has_voter": preview.has_voter,
            }
            for preview in roll.preview_of(g.resident_id, row)
        ]
    else:
        entries = []
    return {
        "frozen": row.frozen_at is not None,
        "objections_until": row.objections_until,
        "entries": entries,
    }


def _is_cast_here(row: Decision) -> bool:
    return row.frozen_at is not None and row.legal_mode != LegalMode.OFFICIAL


def _turnout(row: Decision) -> dict[str, Any] | None:
    if not _is_cast_here(row):
        return None
    names = {building.id: building.name for building in places.buildings_of(queries.estate_of(row))}
    return turnout.as_json(turnout.of(row), names)


class _Shared(NamedTuple):
    """What everybody reads alike, dumped."""

    text: bytes
    rules: bytes
    motions: bytes
    texts: bytes
    timeline: bytes


# The key says whatever changes through a door of ours. A minute, because the end of a retention period needs none.
_SHARED: Once[tuple[Ref, str], _Shared] = Once(
    "decision_page",
    good_for_s=60,
    most=32 * 1024 * 1024,  # bytes of one process; some thousand decisions
    weigh=lambda found: sum(map(len, found)),
)


def _shared_of(ref: Ref) -> _Shared:
    with db.reading():
        row = queries.decision(ref)
        shown = _everybodys(row)
    dumped = s.OwnDecisionOut(only=_Shared._fields).dump(shown)
    return _Shared._make([orjson.dumps(dumped[name]) for name in _Shared._fields])


def _everybodys(row: Decision) -> dict[str, Any]:
    ref = queries.ref_of(row)
    candidates = queries.candidates_of(ref)
    return {
        "text": row.text,
        "rules": row.rules,
        "motions": [_motion(motion, candidates) for motion in queries.motions_of(ref)],
        "texts": texts.document_of(row),
        "timeline": [
            {"kind": event.kind, "at": event.at, "details": event.details}
            for event in queries.timeline(ref, public_only=True)
        ],
    }


def detail_out(row: Decision) -> dict[str, Any]:
    """The page asked question by question, of whatever she is to the decision. Inside a unit of work."""
    heads = own_heads.heads_for(g.resident_id, row)
    same = "announced_closes_at extended_at extension_reason cancel_reason posted_until"
    shown = (
        row_out(row, heads)
        | _everybodys(row)
        | {name: getattr(row, name) for name in same.split()}
        | {
            "previous_id": Ref(row.community_id, row.previous_id) if row.previous_id else None,
            "turnout": _turnout(row),
            "my_roll_entry": _my_roll(row),
            "heads": [
                head._asdict() | {"ballot": head.ballot._asdict() if head.ballot else None} for head in heads
            ],
        }
    )
    found: dict[str, Any] = s.OwnDecisionOut().dump(shown)
    return found


# --- by hand -----------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def _often(kind: Kind, community_id: int, id_: UUID) -> str:
    return ids.encode(kind, Ref(community_id, id_))


def page_out(page: OwnDecision) -> dict[str, Any]:
    """The page as `OwnDecisionOut` dumps it. Not inside a unit of work."""
    row = page.decision
    ref = queries.ref_of(row)
    shared = _SHARED.get((ref, page.key), lambda: _shared_of(ref))
    status = queries.status_of(row)
    return {
        "decision_id": _often(Kind.DECISION, *ref),
        "estate_id": _often(Kind.ESTATE, row.community_id, row.estate_id),
        "kind": row.kind,
        "title": row.title,
        "status": status.value,
        "legal_mode": row.legal_mode,
        "legal_mode_text": words.mode(row.legal_mode, english=in_english()),
        "announced_at": _time(row.announced_at),
        "opens_at": _time(row.opens_at),
        "closes_at": _time(row.closes_at),
        "my_ballot": own_heads.my_ballot(row, page.heads).value if status is DecisionStatus.OPEN else None,
        "text": orjson.Fragment(shared.text),
        "rules": orjson.Fragment(shared.rules),
        "motions": orjson.Fragment(shared.motions),
        "announced_closes_at": _time(row.announced_closes_at),
        "extended_at": _time(row.extended_at),
        "extension_reason": row.extension_reason,
        "cancel_reason": row.cancel_reason,
        "posted_until": _time(row.posted_until),
        "previous_id": _often(Kind.DECISION, row.community_id, row.previous_id) if row.previous_id else None,
        "turnout": turnout.lately(row, since=page.cast_at) if _is_cast_here(row) else None,
        "my_roll_entry": {
            "frozen": row.frozen_at is not None,
            "objections_until": _time(row.objections_until),
            "entries": [_entry(entry) for entry in page.entries]
            or [_preview(preview) for preview in page.previews],
        },
        "heads": [_head(head) for head in page.heads],
        "texts": orjson.Fragment(shared.texts),
        "timeline": orjson.Fragment(shared.timeline),
    }


def _time(at: datetime | None) -> str | None:
    return rfc3339(at) if at is not None else None


def _entry(entry: roll.Entry) -> dict[str, Any]:
    head = entry.head
    return {
        "head_id": ids.encode(Kind.HEAD, Ref(head.community_id, head.id)),
        "houses": [_house(house) for house in entry.houses],
        "area_centi": head.area_centi,
        "is_voter": entry.is_voter,
        "has_voter": head.voter_id is not None,
    }


def _preview(preview: roll.Preview) -> dict[str, Any]:
    return {
        "head_id": None,
        "houses": [_house(house) for house in preview.houses],
        "area_centi": preview.area_centi,
        "is_voter": preview.is_voter,
        "has_voter": preview.has_voter,
    }


def _head(head: own_heads.HeadView) -> dict[str, Any]:
    ballot = head.ballot
    return {
        "head_id": ids.encode(Kind.HEAD, head.head_id),
        "label": head.label,
        "area_centi": head.area_centi,
        "as": head.as_,
        "ballot": ballot._asdict() | {"cast_at": rfc3339(ballot.cast_at)} if ballot is not None else None,
        "may_cast": head.may_cast,
        "why_not": head.why_not,
        "reason": head.reason,
        "held_until": _time(head.held_until),
    }
