"""What has happened lately to the tickets in somebody's reach: what a live board asks every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, column, func, literal, select, true
from sqlalchemy.orm import aliased

from app import clock, db, ids
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.tickets import queries
from app.tickets.models import Ticket, TicketEvent

# A transaction that commits late has older ids than one that was faster: what is that new is looked at again.
AGAIN = timedelta(seconds=10)


class Change(NamedTuple):
    """One step of a ticket that she may see."""

    ticket: Ticket
    event: TicketEvent


class Changes(NamedTuple):
    """The steps after a place, oldest first, and the place to ask from the next time."""

    found: Sequence[Change]
    next: UUID


def changes(staff: StaffActor, *, since: UUID | None, limit: int = 200) -> Changes:
    """What happened after `since` (a place that an earlier answer named; None: the last ten seconds), oldest first.

    A step may be told twice: of the last ten seconds everything is told again.
    """
    recent = ids.first_of(clock.now() - AGAIN)
    after = recent if since is None else since
    homes = sorted(
        {
            home
            for grant in staff.grants
            if Permission.TICKET_VIEW in grant.permissions
            for home in grant.homes
        }
    )
    if not homes:
        return Changes([], recent)
    reach = (
        func.unnest(literal(homes, ARRAY(db.BigInt)))
        .table_valued(column("community_id", db.BigInt))
        .render_derived(name="reach")
    )
    each = aliased(
        TicketEvent,
        select(TicketEvent)
        .where(TicketEvent.community_id == reach.c.community_id, TicketEvent.id > after)
        .order_by(TicketEvent.id)
        .limit(limit)
        .lateral("each"),
    )
    query = select(each).select_from(reach).join(each, true()).order_by(each.id).limit(limit)
    events = list(db.session().scalars(query))
    seen = queries.visible_among(staff, {Ref(event.community_id, event.ticket_id) for event in events})
    found = [
        Change(ticket, event)
        for event in events
        if (ticket := seen.get(Ref(event.community_id, event.ticket_id))) is not None
    ]
    settled = [event.id for event in events if event.id <= recent]
    if len(events) == limit:
        return Changes(found, events[-1].id)
    # The place stays where it is while nothing happens, so that the answer stays the same and needn't be sent.
    return Changes(found, settled[-1] if settled else after)
