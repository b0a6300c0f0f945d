"""What another system hands in becomes a ticket: once for each of its numbers, at a place inside its scope."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from app import clock, db, ids, outbox
from app.ids import Ref
from app.places import queries as places
from app.places.coordinates import in_china
from app.places.models import Estate
from app.sources import queries as source_queries
from app.sources import service as sources
from app.sources.errors import NumberReused
from app.sources.models import Source
from app.tickets import duplicates, letters, queries, service
from app.tickets.errors import BadPosition, NothingReported
from app.tickets.models import Channel, Ticket
from app.tickets.service import Location, Opened, Report

MATCH = "tickets.match"  # outbox kind: look for what was reported before


@dataclass(frozen=True)
class Handed:
    """What a source handed in. `estate` is a Ref or a name, `community` a name; both only narrow the place down."""

    external_number: str
    title: str | None = None
    text: str | None = None
    category: str | None = None
    location: Location | None = None
    address: str | None = None
    estate: Ref | str | None = None
    community: str | None = None
    reporter_name: str | None = None
    reporter_phone: str | None = None
    urgent: bool = False
    occurred_at: datetime | None = None
    anonymous: bool = False


class Place(NamedTuple):
    """Where a report belongs, and how that was found out: estate | position | address | community | desk."""

    community_id: int
    estate_id: UUID | None
    why: str


def receive(source_id: UUID, handed: Handed) -> Opened:
    """The ticket of a report by machine; the same number with the same content finds the first one.

    What can't be located inside the source's scope goes to its desk; a category that isn't ours is kept as the
    source's word for it. Raises NothingReported, BadPosition, NumberReused.
    """
    source = source_queries.source(source_id)
    text = _text(handed)
    if not text:
        raise NothingReported(errors={"text": [(NothingReported.zh, NothingReported.en)]})
    ticket_id = ids.new_id()
    try:
        first = sources.claim_number(
            source, handed.external_number, body_hash=_digest(handed), ticket_id=ticket_id
        )
    except NumberReused as e:
        raise NumberReused(errors={"external_number": [(NumberReused.zh, NumberReused.en)]}) from e
    if first is not None:
        if first.community_id is None:
            raise RuntimeError("a claimed number points to no ticket")
        found = db.session().get_one(Ticket, Ref(first.community_id, first.ticket_id))
        return Opened(found, fresh=False)
    place = locate(source, handed)
    number = service.next_number(place.community_id, clock.now())
    sources.tie(source, handed.external_number, Ref(place.community_id, ticket_id), number=number)
    category = queries.category(handed.category) if handed.category else None
    answers: dict[str, Any] = {}
    if handed.category and category is None:
        answers["source_category"] = handed.category
    if handed.occurred_at is not None:
        answers["occurred_at"] = clock.rfc3339(handed.occurred_at)
    ticket = service.take_in_from_source(
        Report(
            location=handed.location,
            category=category.code if category else None,
            text=text,
            answers=answers,
            urgent=handed.urgent,
            anonymous=handed.anonymous,
        ),
        ticket_id=ticket_id,
        number=number,
        channel=Channel(source.channel),
        source_id=source.id,
        place=(place.community_id, place.estate_id),
        place_why=place.why,
        reporter_name=handed.reporter_name,
        reporter_phone=handed.reporter_phone,
    )
    if handed.address:
        ticket.address = handed.address
        letters.keep(ticket)
    _match(ticket.community_id, ticket.id, "arrival")
    return Opened(ticket, fresh=True)


def match_again(community_id: int) -> None:
    """Promise a new match of everything from other systems that is open, once a day."""
    today = places.today()
    for ticket_id in duplicates.open_from_sources(community_id):
        _match(community_id, ticket_id, today.isoformat())


def _match(community_id: int, ticket_id: UUID, occasion: str) -> None:
    outbox.put(
        community_id=community_id,
        kind=MATCH,
        payload={"ticket_id": str(ticket_id)},
        idem=f"match:{ticket_id}:{occasion}",
    )


def _text(handed: Handed) -> str:
    title, text = handed.title or "", handed.text or ""
    return text if title in text else f"{title}\n{text}".strip()


def _digest(handed: Handed) -> bytes:
    """What makes two bodies the same: their values, not their spelling in JSON."""
    values = asdict(handed)
    if not handed.anonymous:
        del values["anonymous"]  # numbers claimed before this could be said are still known again
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).digest()


def locate(source: Source, handed: Handed) -> Place:
    """Where it belongs inside the source's scope. The source names an estate, else the position says it, else an
    estate's name stands in the address or the words, else the community; what remains is the source's desk.

    Raises BadPosition for what is no place in China.
    """
    communities = source_queries.communities_of(source)
    estates = places.estates(places.governed_estates(communities))
    named = _named(handed.estate, estates)
    if named is not None:
        return Place(*named, "estate")
    if handed.location is not None:
        point = handed.location.point
        if not (math.isfinite(point.lng) and math.isfinite(point.lat) and in_china(point)):
            raise BadPosition(errors={"location": [(BadPosition.zh, BadPosition.en)]})
        here = places.estate_at(point)
        if here is not None and Ref(here.community_id, here.id) in estates:
            return Place(here.community_id, here.id, "position")
    for words in (handed.address, handed.title, handed.text):
        mentioned = _mentioned(words, estates)
        if mentioned is not None:
            return Place(*mentioned, "address")
    for community_id in communities:
        region = places.region(community_id)
        if region is not None and handed.community in {region.name, region.official_code} - {None}:
            return Place(community_id, None, "community")
    return Place(source.desk_id, None, "desk")


def _named(wanted: Ref | str | None, estates: Mapping[Ref, Estate]) -> Ref | None:
    if wanted is None:
        return None
    if isinstance(wanted, Ref):
        return wanted if wanted in estates else None
    exact = [ref for ref, estate in estates.items() if estate.name == wanted]
    return exact[0] if len(exact) == 1 else None


def _mentioned(words: str | None, estates: Mapping[Ref, Estate]) -> Ref | None:
    """The estate with the longest name in the words; None when two of that length are there."""
    if not words:
        return None
    found = sorted(
        ((len(estate.name), ref) for ref, estate in estates.items() if estate.name in words), reverse=True
    )
    if not found or (len(found) > 1 and found[1][0] == found[0][0]):
        return None
    return found[0][1]
