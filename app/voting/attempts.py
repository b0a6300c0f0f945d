"""Attempts to cast that were refused: kept for disputes, read by the desk. No choice is among them."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, select

from app import db
from app.ids import Ref
from app.voting.roll_models import RollHead, VoteAttempt


class Attempt(NamedTuple):
    """An attempt, and the rooms of its head."""

    row: VoteAttempt
    label: str


def listed(ref: Ref, *, limit: int, after: UUID | None = None, head_id: UUID | None = None) -> list[Attempt]:
    """The refused attempts of a decision, or of one head, oldest first."""
    query = (
        select(VoteAttempt, RollHead.label)
        .join(
            RollHead,
            and_(
                RollHead.community_id == VoteAttempt.community_id,
                RollHead.decision_id == VoteAttempt.decision_id,
                RollHead.id == VoteAttempt.head_id,
            ),
        )
        .where(VoteAttempt.community_id == ref.community_id, VoteAttempt.decision_id == ref.id)
        .order_by(VoteAttempt.id)
        .limit(limit)
    )
    if head_id is not None:
        query = query.where(VoteAttempt.head_id == head_id)
    if after is not None:
        query = query.where(VoteAttempt.id > after)
    return [Attempt(row, label) for row, label in db.session().execute(query)]
