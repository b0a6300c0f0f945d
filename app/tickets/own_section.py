"""The reports of a resident, and those she joined: her copy, and what is left of them when she goes.

The street has to keep the file of each matter (一事一档); what it doesn't need is who reported it. A ticket that is
open goes on to its end without her: the lamp is broken for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from app import audit, db, ids, logs
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.media import links
from app.media import queries as media
from app.media.models import Photo
from app.people import queries as people
from app.people.dossier import Item, Section, at
from app.tickets import letters, queries
from app.tickets.models import ClientToken, Follower, Ticket
from app.tickets.queries import INDEX_KIND

OBJECT_KIND = queries.OBJECT_KIND
# What `logs.scrub` writes, in the words of those who read the file later.
_CUT_OUT = {"[phone]": "［电话已删除］", "[id-number]": "［证件号已删除］", "[token]": "", "[openid]": ""}


def _hers(resident_id: UUID) -> list[Ticket]:
    """Every ticket that she reported, in every community it went through, by id."""
    found = queries.tickets_by_ref(set(people.all_mine(resident_id, INDEX_KIND)))
    chains = {part.id: part for ticket in found.values() for part in queries.chain_of(ticket)}
    return sorted((t for t in chains.values() if t.reporter_id == resident_id), key=lambda t: t.id)


def _copy(resident_id: UUID) -> list[Item]:
    tickets = _hers(resident_id)
    names = queries.category_names({t.category_code for t in tickets})
    photos = queries.photos_of(tickets)
    return [_ticket(resident_id, t, names, photos.get(t.id, [])) for t in tickets]


def _ticket(resident_id: UUID, ticket: Ticket, names: dict[str, str], photos: Iterable[Photo]) -> Item:
    ref = Ref(ticket.community_id, ticket.id)
    return {
        "ticket_id": ids.encode(Kind.TICKET, ref),
        "number": ticket.number,
        "status": ticket.status,
        "category": names.get(ticket.category_code) if ticket.category_code else None,
        "text": ticket.text,
        "answers": ticket.answers,
        "anonymous": ticket.is_anonymous,
        "contact_phone": queries.contact_phone(ticket),
        "location": {"lng": ticket.lng, "lat": ticket.lat, "crs": "wgs84", "address": ticket.address},
        "reported_at": at(ticket.reported_at),
        "closed_at": at(ticket.closed_at),
        "rating": {"stars": ticket.rating_stars, "solved": ticket.rating_solved, "at": at(ticket.rated_at)},
        "photos": [
            {
                "url": links.to_photo(Ref(photo.community_id, photo.id), "full"),
                "stage": photo.stage,
                "taken_at": at(photo.taken_at),
                "position": _position(photo),
            }
            for photo in photos
            if media.is_shown(photo) or photo.owner_id == resident_id
        ],
        "timeline": [
            {
                "at": at(event.row.at),
                "kind": event.row.kind,
                "by_me": event.row.actor_id == resident_id,
                "text": event.words,
            }
            for event in queries.timeline(ticket, for_reporter=True)
        ],
    }


def _position(photo: Photo) -> dict[str, Any] | None:
    if photo.owner_kind != "resident":
        return None
    place = media.position_of(photo)
    return {"lng": place.lng, "lat": place.lat, "crs": "wgs84"} if place is not None else None


def _forget(resident_id: UUID) -> None:
    tickets = _hers(resident_id)
    for ticket in tickets:
        unname(Ref(ticket.community_id, ticket.id))
    db.session().execute(
        delete(ClientToken)
        .where(ClientToken.resident_id == resident_id)
        .execution_options(synchronize_session=False)
    )


def unname(ref: Ref) -> None:
    """Take the person out of a ticket: who reported it, the phone she left, the numbers in her words, where her
    pictures were taken. What happened, what was done and the pictures themselves stay. Audited; may run twice.
    """
    ticket = db.session().get_one(Ticket, ref, with_for_update=True, populate_existing=True)
    reporter_id = ticket.reporter_id
    ticket.reporter_id = ticket.reporter_name_sealed = None
    ticket.contact_phone_sealed = ticket.contact_hash = None
    cleaned = _without_numbers(ticket.text)
    ticket.answers = {key: _without_numbers(value) for key, value in ticket.answers.items()}
    if cleaned != ticket.text:
        ticket.text = cleaned
        letters.keep(ticket)
    db.session().execute(
        update(Photo)
        .where(
            Photo.community_id == ref.community_id,
            Photo.object_kind == OBJECT_KIND,
            Photo.object_id == ref.id,
            Photo.owner_kind == "resident",
        )
        .values(owner_id=ids.NOBODY, position_sealed=None)
        .execution_options(synchronize_session=False)
    )
    audit.record(
        SYSTEM,
        "ticket.unnamed",
        community_id=ref.community_id,
        object_kind=OBJECT_KIND,
        object_id=ref.id,
        had_resident=reporter_id is not None,
    )


def _without_numbers(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    cleaned = logs.scrub(text)
    for word, told in _CUT_OUT.items():
        cleaned = cleaned.replace(word, told) if word not in text else cleaned
    return cleaned


def _followed(resident_id: UUID) -> list[Follower]:
    where = people.communities_of(resident_id)
    if not where:
        return []
    rows = db.session().scalars(
        select(Follower)
        .where(Follower.community_id.in_(where), Follower.resident_id == resident_id)
        .order_by(Follower.joined_at)
    )
    return list(rows)


def _copy_followed(resident_id: UUID) -> list[Item]:
    return [
        {
            "ticket_id": ids.encode(Kind.TICKET, Ref(row.community_id, row.ticket_id)),
            "joined_at": at(row.joined_at),
        }
        for row in _followed(resident_id)
    ]


def _forget_followed(resident_id: UUID) -> None:
    for row in _followed(resident_id):
        db.session().delete(row)  # how many joined stays with the ticket
    db.session().flush()


SECTIONS = (
    Section("tickets", frozenset({"tickets", "photos", "client_tokens"}), _copy, _forget),
    Section("joined_tickets", frozenset({"ticket_followers"}), _copy_followed, _forget_followed),
)
