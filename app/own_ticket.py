"""A ticket as its reporter opens it, in one statement, and one more for the keys of what was written in it.

Most who open one do so from a notice, all at once after a storm. What is rare is left to the domain's own questions: a
ticket that somebody else reported, one that went through several communities, an objection to a vote.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson

from app import db
from app.ids import Ref
from app.media.models import Photo
from app.people import queries as people
from app.people.queries import LOGIN_HOLDS
from app.places import queries as places
from app.tickets import queries as tickets
from app.tickets.lines import LINE, Line, line_of
from app.tickets.models import Ticket, TicketEvent
from app.tickets.queries import Event

_TICKET = db.Plain(
    f"""
    SELECT t.contact_phone_sealed, {LINE}::text,
           json_build_array(
               t.me_too, t.supervised, t.version, t.is_anonymous, t.answers, t.lng, t.lat, t.accuracy_m, t.address,
               t.rating_stars, t.rating_solved, t.merged_into, t.org_id,
               t.standing_since, t.standing_until, t.accepted_at, t.dispatched_at, t.started_at, t.resolved_at,
               t.verified_at, t.closed_at, t.ended_at, t.rated_at, t.last_urged_at,
               (SELECT g.name FROM orgs AS g WHERE g.id = t.org_id)
           )::text,
           (SELECT json_agg(json_build_array(p.id, p.status, p.stage)
                            ORDER BY p.stage DESC, p.attached_at, p.position)
            FROM photos AS p
            WHERE p.community_id = t.community_id AND p.object_kind = 'ticket' AND p.object_id = t.id
              AND p.status <> 'refused' AND p.check_state <> 'risky')::text,
           (SELECT json_agg(json_build_array(
                       e.id, e.seq, e.at, e.kind, e.from_status, e.to_status, e.actor_kind, e.actor_id, e.org_id,
                       encode(e.words_sealed, 'hex'), e.words_key_of, g.name
                   ) ORDER BY e.seq)
            FROM ticket_events AS e
            LEFT JOIN orgs AS g ON g.id = e.org_id
            WHERE e.community_id = t.community_id AND e.ticket_id = t.id AND e.visibility = 'reporter')::text
    FROM tickets AS t
    WHERE t.community_id = :community_id AND t.id = :ticket_id AND t.reporter_id = :resident_id
      AND t.origin_id IS NULL AND t.referred_to IS NULL
      AND NOT EXISTS (SELECT FROM decision_objections AS o
                      WHERE o.community_id = t.community_id AND o.ticket_id = t.id)
      AND {LOGIN_HOLDS}
    """  # noqa: S608  names of this program alone
)


class _Ticket(NamedTuple):
    """Of a ticket, what its reporter is shown and what her moves are judged by."""

    community_id: int
    id: UUID
    reporter_id: UUID
    status: str
    accept_by: datetime
    dispatch_by: datetime
    due_at: datetime
    me_too: int
    supervised: int
    version: int
    is_anonymous: bool
    answers: dict[str, Any]
    lng: float | None
    lat: float | None
    accuracy_m: float | None
    address: str | None
    rating_stars: int | None
    rating_solved: bool | None
    merged_into: UUID | None
    org_id: UUID | None
    standing_since: datetime | None
    standing_until: datetime | None
    accepted_at: datetime | None
    dispatched_at: datetime | None
    started_at: datetime | None
    resolved_at: datetime | None
    verified_at: datetime | None
    closed_at: datetime | None
    ended_at: datetime | None
    rated_at: datetime | None
    last_urged_at: datetime | None
    contact_phone_sealed: bytes | None
    referred_community: None
    referred_to: None


class _Event(NamedTuple):
    community_id: int
    id: UUID
    seq: int
    at: datetime
    kind: str
    from_status: str | None
    to_status: str
    actor_kind: str
    actor_id: UUID | None
    org_id: UUID | None
    words_sealed: bytes | None
    words_key_of: UUID | None


class _Photo(NamedTuple):
    community_id: int
    id: UUID
    status: str
    stage: str


class OwnTicket(NamedTuple):
    """A ticket of hers with its line, its timeline, the pictures that can be shown, and the names of organisations.

    Each row stands for its model with what a face shows of it.
    """

    ticket: Ticket
    line: Line
    events: list[Event]
    photos: list[Photo]
    orgs: dict[UUID, str]


def of(resident_id: UUID, session_id: UUID, ref: Ref) -> OwnTicket | None:
    """The resident's own ticket; None where it takes more than this to say whether she may see it and what it shows:
    also where her login has ended.

    Not inside transaction() or reading().
    """
    row = _TICKET.ask(
        {
            "community_id": ref.community_id,
            "ticket_id": ref.id,
            "resident_id": resident_id,
            "session_id": session_id,
            "today": places.today(),
        }
    )
    if row is None:
        return None
    line = line_of(orjson.loads(row[1]))
    *rest, org_name = orjson.loads(row[2])
    ticket = _Ticket._make(
        [
            *ref,
            resident_id,
            line.status,
            line.accept_by,
            line.dispatch_by,
            line.due_at,
            *rest[:5],
            *map(_number, rest[5:8]),
            *rest[8:11],
            _id(rest[11]),
            _id(rest[12]),
            *map(_time, rest[13:]),
            row[0],
            None,
            None,
        ]
    )
    photos = [_Photo(ref.community_id, UUID(id_), status, stage) for id_, status, stage in _listed(row[3])]
    orgs = {ticket.org_id: org_name} if ticket.org_id is not None and org_name is not None else {}
    events = []
    for *found, name in _listed(row[4]):
        event = _event(ref.community_id, found)
        events.append(cast(TicketEvent, event))
        if event.org_id is not None and name is not None:
            orgs[event.org_id] = name
    ciphers = people.ciphers_alone({e.words_key_of for e in events if e.words_key_of is not None})
    return OwnTicket(
        cast(Ticket, ticket), line, tickets.read(events, ciphers), cast(list[Photo], photos), orgs
    )


def _listed(text: str | None) -> list[list[Any]]:
    found: list[list[Any]] = orjson.loads(text) if text is not None else []
    return found


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text is not None else None


def _number(value: float | None) -> float | None:
    return float(value) if value is not None else None  # 15.0 comes as 15


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _event(community_id: int, row: list[Any]) -> _Event:
    return _Event._make(
        [
            community_id,
            UUID(row[0]),
            row[1],
            datetime.fromisoformat(row[2]),
            *row[3:7],
            _id(row[7]),
            _id(row[8]),
            bytes.fromhex(row[9]) if row[9] is not None else None,
            _id(row[10]),
        ]
    )
