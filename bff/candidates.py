"""Candidates, made out for whichever face shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.ids import Ref
from app.voting import candidates, texts
from app.voting.models import Candidate, Decision


def candidates_out(row: Decision, found: Sequence[Candidate]) -> list[dict[str, Any]]:
    """What every face shows of them."""
    backing = candidates.backing_of(row, found)
    return [
        {
            "candidate_id": Ref(c.community_id, c.id),
            "motion_id": Ref(c.community_id, c.motion_id),
            "number": c.number,
            "name": texts.name_of(c),
            "statement": texts.statement_of(c),
            "nominated_by": c.nominated_by,
            "status": c.status,
            "posted_until": c.posted_until,
            "backing": backing[c.id]._asdict() if c.id in backing else None,
        }
        for c in found
    ]
