"""What happened to a decision, written with what happened."""

from __future__ import annotations

from typing import Any

from app import clock, db, ids
from app.audit import Actor
from app.voting.models import Decision, DecisionEvent


def add(
    row: Decision, kind: str, acting_user: Actor, *, is_public: bool = True, **details: Any
) -> DecisionEvent:
    """An entry of the timeline. `is_public`: whom the decision binds may read it; so no name, no choice."""
    made = DecisionEvent(
        community_id=row.community_id,
        id=ids.new_id(),
        decision_id=row.id,
        kind=kind,
        at=clock.now(),
        actor_kind=acting_user.kind,
        actor_id=acting_user.id,
        is_public=is_public,
        details=details,
    )
    db.session().add(made)
    return made
