"""What the moves of a decision share."""

from __future__ import annotations

from typing import Any

from app import audit, clock
from app.audit import Actor
from app.errors import StaleVersion
from app.voting import events
from app.voting.errors import (
    IllegalMove,
)
from app.voting.models import (
    Decision,
    DecisionStatus,
)
from app.voting.queries import OBJECT_KIND


def fresh(row: Decision, version: int | None) -> None:
    """Raises StaleVersion when somebody has changed it since the caller looked."""
    if version is not None and row.version != version:
        raise StaleVersion


def from_(row: Decision, *statuses: DecisionStatus) -> None:
    """Raises IllegalMove when it stands in none of these."""
    if row.status not in statuses:
        raise IllegalMove(extra={"status": row.status})


def touch(row: Decision) -> None:
    """Count the change."""
    row.version += 1
    row.updated_at = clock.now()


def go(
    row: Decision,
    status: DecisionStatus,
    kind: str,
    acting_user: Actor,
    *,
    is_public: bool = True,
    **details: Any,
) -> Decision:
    """It stands there now; on the timeline as `kind`, and in the audit."""
    row.status = status
    return note(row, kind, acting_user, is_public=is_public, **details)


def note(row: Decision, kind: str, acting_user: Actor, *, is_public: bool = True, **details: Any) -> Decision:
    """Something happened to it that changes where it stands, or not; timeline and audit."""
    touch(row)
    events.add(row, kind, acting_user, is_public=is_public, **details)
    audited(row, f"decision.{kind}", acting_user)
    return row


def audited(row: Decision, action: str, acting_user: Actor, **details: Any) -> None:
    """The audit row of what was done."""
    audit.record(
        acting_user,
        action,
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        **details,
    )
