"""Suggested merges as a list to work through, and the pairs that a person found to be two problems."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app import audit, clock, db
from app.ids import Ref
from app.people.errors import PermissionMissing
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.tickets import queries
from app.tickets.errors import NotAPair
from app.tickets.models import MatchDismissal, Ticket, TicketMatch
from app.tickets.queries import OBJECT_KIND


class Order(StrEnum):
    """Which pairs come first."""

    STRONGEST = "strongest"
    NEWEST = "newest"  # by when the ticket came in


class Pair(NamedTuple):
    """A ticket that came in, one that was there, how likely they are one problem, and why."""

    ticket: Ticket
    other: Ticket
    score: float
    why: dict[str, Any]


class At(NamedTuple):
    """Where a page ended."""

    score: float
    ticket_id: UUID
    other_id: UUID


def suggested(staff: StaffActor, *, order: Order, limit: int, before: At | None = None) -> list[Pair]:
    """Pairs that she may merge: both open and in her reach, dismissed by nobody, each once; `before` continues."""
    homes = {h for g in staff.grants if Permission.TICKET_MERGE in g.permissions for h in g.homes}
    if not homes:
        return []
    m = TicketMatch
    mirror = aliased(TicketMatch)
    query = select(m).where(
        m.community_id.in_(homes),
        _hers(staff, m.ticket_id),
        _hers(staff, m.other_id),
        # Two that came by machine each name the other: the pair stands under the later one.
        or_(
            m.ticket_id > m.other_id,
            ~exists().where(
                mirror.community_id == m.community_id,
                mirror.ticket_id == m.other_id,
                mirror.other_id == m.ticket_id,
            ),
        ),
        ~exists().where(
            MatchDismissal.community_id == m.community_id,
            or_(
                and_(MatchDismissal.one_id == m.ticket_id, MatchDismissal.other_id == m.other_id),
                and_(MatchDismissal.one_id == m.other_id, MatchDismissal.other_id == m.ticket_id),
            ),
        ),
    )
    if order is Order.STRONGEST:
        if before is not None:
            query = query.where(tuple_(m.score, m.ticket_id, m.other_id) < before)
        query = query.order_by(m.score.desc(), m.ticket_id.desc(), m.other_id.desc())
    else:
        if before is not None:
            query = query.where(tuple_(m.ticket_id, m.other_id) < (before.ticket_id, before.other_id))
        query = query.order_by(m.ticket_id.desc(), m.other_id.desc())
    rows = list(db.session().scalars(query.limit(limit)))
    found = queries.tickets_by_ref({Ref(r.community_id, i) for r in rows for i in (r.ticket_id, r.other_id)})
    return [
        Pair(found[Ref(r.community_id, r.ticket_id)], found[Ref(r.community_id, r.other_id)], r.score, r.why)
        for r in rows
    ]


def _hers(staff: StaffActor, ticket_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    return exists().where(
        Ticket.community_id == TicketMatch.community_id,
        Ticket.id == ticket_id,
        Ticket.ended_at.is_(None),
        queries.visible_to(staff, Permission.TICKET_MERGE),
    )


def dismiss(ref: Ref, *, other: Ref, reason: str, acting_user: StaffActor) -> MatchDismissal:
    """These are two problems: the pair isn't suggested again. The second time finds the first dismissal.

    Raises NotFound, PermissionMissing, NotAPair.
    """
    for each in (ref, other):
        ticket = queries.ticket_for_staff(acting_user, each)
        if not queries.may(acting_user, ticket, Permission.TICKET_MERGE):
            raise PermissionMissing
    if ref == other or ref.community_id != other.community_id:
        raise NotAPair(errors={"other_id": [(NotAPair.zh, NotAPair.en)]})
    one_id, other_id = sorted((ref.id, other.id))
    key = (ref.community_id, one_id, other_id)
    fresh = db.session().scalar(
        insert(MatchDismissal)
        .values(
            community_id=ref.community_id,
            one_id=one_id,
            other_id=other_id,
            reason=reason,
            by=acting_user.id,
            at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["community_id", "one_id", "other_id"])
        .returning(MatchDismissal.one_id)
    )
    if fresh is not None:
        m = TicketMatch
        db.session().execute(
            delete(m)
            .where(
                m.community_id == ref.community_id,
                m.ticket_id.in_([one_id, other_id]),
                m.other_id.in_([one_id, other_id]),
            )
            .execution_options(synchronize_session=False)
        )
        audit.record(
            acting_user.actor,
            "ticket.match_dismissed",
            community_id=ref.community_id,
            object_kind=OBJECT_KIND,
            object_id=ref.id,
            other=str(other.id),
        )
    return db.session().get_one(MatchDismissal, key)
