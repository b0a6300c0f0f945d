"""Who did what, in the same transaction as what was done. Append-only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app import clock, db, ids


class ActorKind(StrEnum):
    """Who acts."""

    RESIDENT = "resident"
    STAFF = "staff"
    MACHINE = "machine"  # another system; the id is its source
    SYSTEM = "system"


class Actor(NamedTuple):
    """The one who acts, as audit rows name it."""

    kind: ActorKind
    id: UUID | None


SYSTEM = Actor(ActorKind.SYSTEM, None)


class AuditRow(db.Base):
    """One act. Holds ids and words, never a name, a phone or a text somebody wrote."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_object", "community_id", "object_kind", "object_id"),
        Index("ix_audit_log_actor", "community_id", "actor_id", "at"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(12))
    actor_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(64))
    object_kind: Mapped[str] = mapped_column(String(24))
    object_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]]


def record(
    actor: Actor,
    action: str,
    *,
    community_id: int,
    object_kind: str,
    object_id: UUID | None,
    **details: Any,
) -> None:
    """Add the audit row of `action` to this transaction. `community_id`: of the object, or the person's lane."""
    db.session().add(
        AuditRow(
            community_id=community_id,
            id=ids.new_id(),
            at=clock.now(),
            actor_kind=actor.kind,
            actor_id=actor.id,
            action=action,
            object_kind=object_kind,
            object_id=object_id,
            details=details,
        )
    )
