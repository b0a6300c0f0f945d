"""The second round of an election (第二轮): of which first one it is, and for how many seats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app import db
from app.ids import Ref
from app.voting.candidate_errors import OtherSeats
from app.voting.counting import Outcome
from app.voting.ledger_models import CertifiedResult
from app.voting.models import Decision, Motion


def first_of(row: Decision, asked: Motion) -> dict[str, Any] | None:
    """What the round before certified of this motion, where that left seats open or tied; else None."""
    if row.previous_id is None:
        return None
    certified = db.session().get(CertifiedResult, Ref(row.community_id, row.previous_id))
    motions = [m for m in (certified.result["motions"] if certified else ()) if m["election"]]
    of_same = [m for m in motions if len(motions) == 1 or m["number"] == asked.number]
    if not of_same or of_same[0]["outcome"] not in {Outcome.SECOND_ROUND, Outcome.TIED}:
        return None
    found: dict[str, Any] = of_same[0]
    return found


def ensure_seats(row: Decision, asked: Iterable[Motion]) -> None:
    """Raises OtherSeats where a second round isn't about just the seats that the first one left open."""
    for motion in asked:
        before = first_of(row, motion)
        if before is None:
            continue
        is_tied = before["outcome"] == Outcome.TIED
        left = before["election"]["seats_at_stake" if is_tied else "left_open"]
        if motion.seats != left:
            raise OtherSeats(left=left)
