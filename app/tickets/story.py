"""The events of a ticket as its clock and its figures read them, with those that aren't written yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from app import db
from app.tickets.models import Ticket, TicketEvent

COLUMNS = (
    TicketEvent.seq,
    TicketEvent.at,
    TicketEvent.kind,
    TicketEvent.actor_id,
    TicketEvent.org_id,
    TicketEvent.data,
)


class Happened(NamedTuple):
    """What is read of an event."""

    seq: int
    at: datetime
    kind: str
    actor_id: UUID | None
    org_id: UUID | None
    data: Mapping[str, Any]


def of(ticket: Ticket, kinds: Collection[str]) -> list[Happened]:
    """The ticket's events of these kinds in order, also those that this transaction has yet to write."""
    session = db.session()
    with session.no_autoflush:
        rows = session.execute(
            select(*COLUMNS)
            .where(
                TicketEvent.community_id == ticket.community_id,
                TicketEvent.ticket_id == ticket.id,
                TicketEvent.kind.in_([str(kind) for kind in kinds]),
            )
            .order_by(TicketEvent.seq)
        )
        written = [Happened(*row) for row in rows]
    added = (new for new in session.new if isinstance(new, TicketEvent) and new.ticket_id == ticket.id)
    return written + [
        Happened(new.seq, new.at, new.kind, new.actor_id, new.org_id, new.data)
        for new in sorted(added, key=lambda event: event.seq)
        if new.kind in kinds
    ]
