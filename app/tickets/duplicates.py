"""Which open tickets are perhaps the same problem as this one. Suggestions: nothing is merged without a person."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, and_, delete, or_, select, union

from app import clock, crypto, db
from app.ids import Ref
from app.people import queries as people
from app.people.models import Resident
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Point
from app.tickets import match, queries, telling
from app.tickets.models import FROM_SOURCES, MatchDismissal, Ticket, TicketMatch

AROUND_M = 250.0  # positions further apart than this are not one problem
WITHIN = timedelta(days=14)  # nor reports that lie so long apart
LOOKED_AT = 200  # candidates scored at most, latest first
KEPT = 5  # best candidates that are stored
_M_PER_DEGREE = 111_195.0


class Candidate(NamedTuple):
    """Another ticket, and how likely it is the same problem."""

    ticket: Ticket
    score: float
    why: dict[str, Any]


def candidates(
    ticket: Ticket, *, asking: StaffActor | None = None, limit: int = KEPT, at_least: float = match.SUGGEST_AT
) -> list[Candidate]:
    """Open tickets of the same community that are likely the same problem, best first. `asking`: only those that this
    member of staff may see, compared by what she may know; None is the software itself, which shows them to nobody.
    """
    query = select(Ticket).where(
        Ticket.community_id == ticket.community_id,
        Ticket.ended_at.is_(None),
        Ticket.id != ticket.id,
        Ticket.reported_at.between(ticket.reported_at - WITHIN, ticket.reported_at + WITHIN),
        _near(ticket),
        Ticket.id.not_in(_dismissed(ticket)),
    )
    if asking is not None:
        query = query.where(queries.visible_to(asking))
    found = list(db.session().scalars(query.order_by(Ticket.reported_at.desc()).limit(LOOKED_AT)))
    residents = people.residents(t.reporter_id for t in [ticket, *found])
    here = side(ticket, residents, asking)
    words = match.read(here.text)
    parents = {term.code: term.parent_code for term in queries.classes_on(places.today())}
    scored = []
    for other in found:
        there = side(other, residents, asking)
        kin = match.kin_of(here.category, there.category, parents)
        if not _compares_phones(asking, ticket, other):
            there = there._replace(phone_hash=None)
        result = match.score(here, there, kin=kin, words=(words, match.read(there.text)))
        if result.score >= at_least:
            scored.append(Candidate(other, round(result.score, 3), result.why()))
    scored.sort(key=lambda c: (-c.score, c.ticket.id))
    return scored[:limit]


def _dismissed(ticket: Ticket) -> CompoundSelect[tuple[UUID]]:
    """The tickets that a person found to be another problem than this one."""
    pair = MatchDismissal
    return union(
        select(pair.other_id).where(pair.community_id == ticket.community_id, pair.one_id == ticket.id),
        select(pair.one_id).where(pair.community_id == ticket.community_id, pair.other_id == ticket.id),
    )


def _near(ticket: Ticket) -> ColumnElement[bool]:
    """In the box around its position, in its estate, or somewhere nobody has said."""
    unplaced = and_(Ticket.estate_id.is_(None), Ticket.lat.is_(None))
    ways: list[ColumnElement[bool]] = [unplaced]
    if ticket.lat is not None and ticket.lng is not None:
        north = AROUND_M / _M_PER_DEGREE
        east = north / max(0.1, math.cos(math.radians(ticket.lat)))
        ways.append(
            and_(
                Ticket.lat.between(ticket.lat - north, ticket.lat + north),
                Ticket.lng.between(ticket.lng - east, ticket.lng + east),
            )
        )
    if ticket.estate_id is not None:
        ways.append(Ticket.estate_id == ticket.estate_id)
    if ticket.lat is None and ticket.estate_id is None:
        # Known only to be in the community: whatever is open there is near.
        ways.append(Ticket.estate_id.is_not(None))
    return or_(*ways)


def _compares_phones(asking: StaffActor | None, one: Ticket, other: Ticket) -> bool:
    """Would an equal phone tell her no more than she may know?

    Otherwise a report with a guessed phone would confirm whose an anonymous one is: by the word, or by the score.
    """
    if asking is None or not (one.is_anonymous or other.is_anonymous):
        return True
    return all(queries.may(asking, each, Permission.TICKET_IDENTITY) for each in (one, other))


def side(ticket: Ticket, residents: Mapping[UUID, Resident], asking: StaffActor | None = None) -> match.Side:
    """What is compared of a ticket. Phones are compared as keyed hashes that never leave this comparison; a
    reporter's bound one only for who may know her.
    """
    phone = queries.contact_phone(ticket)
    resident = residents.get(ticket.reporter_id) if ticket.reporter_id is not None else None
    if phone is None and resident is not None:
        knows = asking is None or queries.may(asking, ticket, Permission.TICKET_IDENTITY)
        phone = people.phone_of(resident) if knows else None
    point = Point(ticket.lng, ticket.lat) if ticket.lng is not None and ticket.lat is not None else None
    return match.Side(
        text=" ".join(part for part in (ticket.address, ticket.text) if part),
        category=ticket.category_code,
        at=ticket.reported_at,
        point=point,
        accuracy_m=ticket.accuracy_m,
        place=str(ticket.estate_id) if ticket.estate_id is not None else None,
        phone_hash=crypto.keys().keyed_hash(phone, "match") if phone else None,
    )


def remember(ref: Ref) -> int:
    """Score a ticket anew and store its best candidates in place of the last ones; how many. An ended one has none.

    The first time that there are some, the desk is told.
    """
    ticket = db.session().get(Ticket, ref)
    if ticket is None:
        return 0
    db.session().execute(
        delete(TicketMatch)
        .where(TicketMatch.community_id == ref.community_id, TicketMatch.ticket_id == ref.id)
        .execution_options(synchronize_session=False)
    )
    if ticket.ended_at is not None:
        return 0
    found = candidates(ticket)
    for candidate in found:
        db.session().add(
            TicketMatch(
                community_id=ref.community_id,
                ticket_id=ref.id,
                other_id=candidate.ticket.id,
                score=candidate.score,
                why=candidate.why,
                matched_at=clock.now(),
            )
        )
    if found:
        telling.matched(ticket)
    return len(found)


def open_from_sources(community_id: int) -> list[UUID]:
    """Open tickets of a community that other systems handed in, and ended ones with suggestions left; for the
    daily match.
    """
    fresh = db.session().scalars(
        select(Ticket.id).where(
            Ticket.community_id == community_id,
            Ticket.ended_at.is_(None),
            Ticket.channel.in_(sorted(FROM_SOURCES)),
        )
    )
    stored = db.session().scalars(
        select(TicketMatch.ticket_id).where(TicketMatch.community_id == community_id).distinct()
    )
    return sorted(set(fresh) | set(stored))
