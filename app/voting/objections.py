"""Objections (异议) to the roll, a candidate or the result: each is a ticket with the desk, linked both ways."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from app import audit, clock, db, ids
from app.audit import Actor, ActorKind
from app.errors import NotFound
from app.ids import Ref
from app.memberships import queries as memberships
from app.tickets import service as tickets
from app.tickets.models import Ticket
from app.voting import events, periods, queries, roll
from app.voting.errors import AlreadyObjected, NotOnRoll, ObjectionsOver, OwnersOnly
from app.voting.models import (
    Candidate,
    CandidateStatus,
    Decision,
    DecisionObjection,
    DecisionStatus,
)

ROLL, CANDIDATE, RESULT = "roll", "candidate", "result"
_SAID = {ROLL: "业主名册", CANDIDATE: "候选人", RESULT: "表决结果"}
_OPEN = frozenset({"received", "accepted", "dispatched", "in_progress", "resolved", "verified"}) | {
    "returned",
    "suspended",
}


class Objected(NamedTuple):
    """An objection, and its ticket."""

    row: DecisionObjection
    ticket: Ticket


def object_to(
    resident_id: UUID,
    ref: Ref,
    *,
    about: str,
    text: str,
    head: Ref | None = None,
    candidate: Ref | None = None,
) -> Objected:
    """Object, as an owner: to the roll until its objection days are over, whatever she may vote for; with a vote also
    to a candidate while she is posted and to the result while it is posted. The desk answers in the ticket, to the roll
    before the opening.

    Raises NotFound, OwnersOnly, ObjectionsOver, NotOnRoll (not her head), AlreadyObjected.
    """
    row = queries.decision(ref, lock=True)
    estate = queries.estate_of(row)
    if estate not in memberships.my_estates(resident_id):
        raise NotFound
    if about != CANDIDATE and row.announced_at is None:
        raise NotFound
    owns = roll.is_owner if about == ROLL else _votes
    if not owns(resident_id, estate):
        raise OwnersOnly
    due_at = _due(row, about, candidate)
    if head is not None:
        mine = {entry.head.id for entry in roll.entries_of(resident_id, row, with_vote=False)}
        if head.community_id != ref.community_id or head.id not in mine:
            raise NotOnRoll
    if _has_open(resident_id, ref, about, candidate):
        raise AlreadyObjected
    objection_id = ids.new_id()
    opened = tickets.open_ticket(
        tickets.Report(estate=estate, text=f"对《{row.title}》{_SAID[about]}的异议：{text}"),
        client_token=f"objection:{objection_id}",
        acting_user=resident_id,
    )
    made = DecisionObjection(
        community_id=ref.community_id,
        id=objection_id,
        decision_id=ref.id,
        about=about,
        head_id=head.id if head is not None else None,
        candidate_id=candidate.id if candidate is not None else None,
        resident_id=resident_id,
        ticket_id=opened.ticket.id,
        due_at=due_at,
        created_at=clock.now(),
    )
    db.session().flush()  # the ticket's row, which the objection names
    db.session().add(made)
    actor = Actor(ActorKind.RESIDENT, resident_id)
    events.add(row, "objected", Actor(ActorKind.RESIDENT, None), is_public=False, about=about)
    audit.record(
        actor,
        "decision.objected",
        community_id=ref.community_id,
        object_kind=queries.OBJECT_KIND,
        object_id=ref.id,
        about=about,
    )
    return Objected(made, opened.ticket)


def _votes(resident_id: UUID, estate: Ref) -> bool:
    return any(
        Ref(m.community_id, m.estate_id) == estate and memberships.vote_of(m).may
        for m in memberships.mine(resident_id)
    )


def _due(row: Decision, about: str, candidate: Ref | None) -> datetime:
    """Until when it has to be answered. Raises ObjectionsOver, NotFound."""
    now = clock.now()
    if about == ROLL:
        if (
            row.status != DecisionStatus.ANNOUNCED
            or row.frozen_at is not None
            or row.objections_until is None
            or row.opens_at is None
            or now >= row.objections_until
        ):
            raise ObjectionsOver
        return row.opens_at - periods.FREEZE_LEAD
    if about == CANDIDATE:
        found = (
            db.session().get(Candidate, candidate)
            if candidate is not None and candidate.community_id == row.community_id
            else None
        )
        if found is None or found.decision_id != row.id:
            raise NotFound
        if (
            found.status != CandidateStatus.ACCEPTED
            or found.posted_until is None
            or now >= found.posted_until
        ):
            raise ObjectionsOver
        return found.posted_until
    if row.status != DecisionStatus.POSTED or row.posted_until is None or now >= row.posted_until:
        raise ObjectionsOver
    return row.posted_until


def _has_open(resident_id: UUID, ref: Ref, about: str, candidate: Ref | None) -> bool:
    found = db.session().scalar(
        select(DecisionObjection.id)
        .join(
            Ticket,
            (Ticket.community_id == DecisionObjection.community_id)
            & (Ticket.id == DecisionObjection.ticket_id),
        )
        .where(
            DecisionObjection.community_id == ref.community_id,
            DecisionObjection.decision_id == ref.id,
            DecisionObjection.resident_id == resident_id,
            DecisionObjection.about == about,
            DecisionObjection.candidate_id == (candidate.id if candidate is not None else None)
            if candidate is not None
            else DecisionObjection.candidate_id.is_(None),
            Ticket.status.in_(_OPEN),
        )
        .limit(1)
    )
    return found is not None


# --- reading -------------------------------------------------------------------------------------------------


def of_decision(
    ref: Ref, *, limit: int, after: UUID | None = None, resident_id: UUID | None = None
) -> list[Objected]:
    """A page of the objections to a decision with their tickets, oldest first; those of one resident alone."""
    query = (
        select(DecisionObjection, Ticket)
        .join(
            Ticket,
            (Ticket.community_id == DecisionObjection.community_id)
            & (Ticket.id == DecisionObjection.ticket_id),
        )
        .where(DecisionObjection.community_id == ref.community_id, DecisionObjection.decision_id == ref.id)
        .order_by(DecisionObjection.id)
        .limit(limit)
    )
    if resident_id is not None:
        query = query.where(DecisionObjection.resident_id == resident_id)
    if after is not None:
        query = query.where(DecisionObjection.id > after)
    return [Objected(row, ticket) for row, ticket in db.session().execute(query)]


def open_about(ref: Ref, about: str) -> int:
    """How many objections to this nobody has settled."""
    return int(
        db.session().scalar(
            select(func.count())
            .select_from(DecisionObjection)
            .join(
                Ticket,
                (Ticket.community_id == DecisionObjection.community_id)
                & (Ticket.id == DecisionObjection.ticket_id),
            )
            .where(
                DecisionObjection.community_id == ref.community_id,
                DecisionObjection.decision_id == ref.id,
                DecisionObjection.about == about,
                Ticket.status.in_(_OPEN),
            )
        )
        or 0
    )


def of_ticket(ticket: Ref) -> DecisionObjection | None:
    """What the ticket objects to, if it does."""
    return db.session().scalar(
        select(DecisionObjection).where(
            DecisionObjection.community_id == ticket.community_id,
            DecisionObjection.ticket_id == ticket.id,
        )
    )
