"""Tickets as staff see them; an anonymous reporter stays unknown to property staff, everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app import clock, ids
from app.audit import ActorKind
from app.ids import Kind, Ref
from app.media import links
from app.media import queries as media
from app.media.models import Photo
from app.people import queries as people
from app.people.permissions import Permission
from app.people.queries import mask_phone
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Point
from app.sources import queries as sources
from app.tickets import giving
from app.tickets import queries as tickets
from app.tickets.models import Extension, Part, Ticket
from app.tickets.moves import AT_DESK, Move
from bff.admin.dispatch_views import explained
from bff.positions import location_out
from bff.ticket_objections import objection_out

# What a verifier reads beside a doubtful proof.
FLAGS = {
    tickets.ClosureFlag.TAKEN_BEFORE_DISPATCH: "处理后照片拍摄于派单之前",
    tickets.ClosureFlag.TAKEN_LONG_AGO: "处理后照片是 7 天以前拍摄的",
    tickets.ClosureFlag.SAME_AS_BEFORE: "处理后照片与上报照片几乎相同",
    tickets.ClosureFlag.USED_ELSEWHERE: "处理后照片与本单位 180 天内另一工单的照片几乎相同",
    tickets.ClosureFlag.TAKEN_FAR: "处理后照片的拍摄地点离问题位置较远",
}


def _row(
    ticket: Ticket,
    *,
    names: dict[str, str],
    estates: dict[Ref, str],
    orgs: dict[UUID, str],
    staff: dict[UUID, str],
    photos: dict[UUID, list[Photo]],
) -> dict[str, Any]:
    first = next((p for p in photos.get(ticket.id, ()) if media.is_shown(p)), None)
    return {
        "ticket_id": Ref(ticket.community_id, ticket.id),
        "number": ticket.number,
        "status": ticket.status,
        "channel": ticket.channel,
        "category": ticket.category_code,
        "category_name": names.get(ticket.category_code or ""),
        "text": ticket.text,
        "urgent": ticket.is_urgent,
        "estate_name": estates.get(Ref(ticket.community_id, ticket.estate_id)) if ticket.estate_id else None,
        "address": ticket.address,
        "org": orgs.get(ticket.org_id) if ticket.org_id else None,
        "handler": staff.get(ticket.handler_id) if ticket.handler_id else None,
        "reported_at": ticket.reported_at,
        "updated_at": ticket.updated_at,
        "overdue": tickets.is_late(ticket),
        "promised": {
            "accept_by": ticket.accept_by,
            "dispatch_by": ticket.dispatch_by,
            "close_by": ticket.due_at,
        },
        "thumb_url": links.to_photo(Ref(first.community_id, first.id), "thumb") if first else None,
    }


def rows_out(found: Sequence[Ticket]) -> list[dict[str, Any]]:
    """Tickets for the board; a fixed number of queries however many there are."""
    names = tickets.category_names(t.category_code for t in found)
    estates = places.estate_names(Ref(t.community_id, t.estate_id) for t in found if t.estate_id is not None)
    orgs = places.org_names(t.org_id for t in found)
    staff = people.staff_names(t.handler_id for t in found)
    photos = tickets.photos_of(found)
    return [_row(t, names=names, estates=estates, orgs=orgs, staff=staff, photos=photos) for t in found]


def ticket_out(ticket: Ticket, asking: StaffActor) -> dict[str, Any]:
    """The whole ticket as this member of staff may see it."""
    events = tickets.timeline(ticket, for_reporter=False)
    orgs = places.org_names([ticket.org_id, *(e.row.org_id for e in events), *_at_meetings(events)])
    staff = people.staff_names(
        [ticket.handler_id, *(e.row.actor_id for e in events if e.row.actor_kind == ActorKind.STAFF)]
    )
    why_here, last_given = explained(events, ticket, asking)
    photos = tickets.photos_of([ticket])
    refs = [Ref(ticket.community_id, ticket.estate_id)] if ticket.estate_id else []
    point = Point(ticket.lng, ticket.lat) if ticket.lng is not None and ticket.lat is not None else None
    known = tickets.knows_reporter(asking, ticket)
    identity = tickets.may(asking, ticket, Permission.TICKET_IDENTITY)
    rated = ticket.rating_stars is not None and ticket.rated_at is not None
    names = tickets.category_names([ticket.category_code, ticket.suggested_category])
    return {
        **_row(
            ticket,
            names=names,
            estates=places.estate_names(refs),
            orgs=orgs,
            staff=staff,
            photos=photos,
        ),
        "version": ticket.version,
        "clock": {
            "stage_due_at": ticket.stage_due_at,
            "due_at": ticket.due_at,
            "confirmed": tickets.is_confirmed(ticket.reported_at, ticket.due_at),
            "standing_since": ticket.standing_since,
            "standing_until": ticket.standing_until,
            "warned_at": ticket.warned_at,
            "breached_at": ticket.breached_at,
            "stage_breached_at": tickets.stage_breached_at(ticket),
            "stages_late": ticket.stages_late,
            "supervised": ticket.supervised,
            "supervise_level": ticket.supervise_level,
            "urged": ticket.urged,
            "returns": ticket.returns,
        },
        "closure_flags": [{"code": flag.value, "text": FLAGS[flag]} for flag in tickets.closure_flags(ticket)]
        if tickets.may(asking, ticket, Permission.TICKET_VERIFY)
        else [],
        "parts": _parts_out(ticket),
        "extensions": [extension_out(row) for row in tickets.extensions_of(ticket)],
        "me_too": ticket.me_too,
        # Two reports of one person: says of an anonymous one whose it is, whichever of the two is looked at.
        "repeated": ticket.is_repeated if identity else None,
        "excluded": ticket.is_excluded,
        "merged_into": Ref(ticket.community_id, ticket.merged_into) if ticket.merged_into else None,
        "referred_to": _ref(ticket.referred_community, ticket.referred_to),
        "origin": _ref(ticket.origin_community, ticket.origin_id),
        "first_reported_at": ticket.first_reported_at or ticket.reported_at,
        "text_check": ticket.text_check,
        "answers": ticket.answers,
        "location": location_out(point, ticket.accuracy_m, ticket.address) if point else None,
        "reporter": _reporter_out(ticket, bound=identity)
        if known
        else {"anonymous": True, "name": None, "phone_masked": None},
        "dispatch_why": ticket.dispatch_why,
        "dispatch_explained": last_given,
        "suggested_org": _suggestion(ticket),
        "suggested_category": _suggested_category(ticket, names),
        "photos": [
            _photo_out(photo, with_position=known and tickets.may(asking, ticket, Permission.PHOTO_POSITION))
            for photo in photos.get(ticket.id, ())
        ],
        "timeline": _timeline_out(events, ticket, orgs, staff, why_here, known=known),
        "rating": {"stars": ticket.rating_stars, "solved": ticket.rating_solved, "rated_at": ticket.rated_at}
        if rated
        else None,
        "reopened": ticket.reopened,
        "objection": objection_out(ticket),
        "source": sources.origin_of(Ref(ticket.community_id, ticket.id)),
        "moves": [move.value for move in tickets.moves_open_to(asking, ticket)],
    }


def _ref(community_id: int | None, ticket_id: UUID | None) -> Ref | None:
    return Ref(community_id, ticket_id) if community_id is not None and ticket_id is not None else None


def _parts_out(ticket: Ticket) -> list[dict[str, Any]]:
    parts = tickets.parts_of(ticket)
    names = places.org_names(part.org_id for part in parts)
    return [part_out(part, names) for part in parts]


def part_out(part: Part, names: dict[UUID, str]) -> dict[str, Any]:
    """One unit's task."""
    return {
        "org_id": part.org_id,
        "org": names.get(part.org_id, ""),
        "kind": part.kind,
        "task": part.task,
        "added_at": part.added_at,
        "done_at": part.done_at,
        "note": part.done_note,
    }


def extension_out(row: Extension) -> dict[str, Any]:
    """A request for more time."""
    return {
        "extension_id": Ref(row.community_id, row.id),
        "until": row.until,
        "reason": row.reason,
        "state": row.state,
        "asked_at": row.asked_at,
        "decided_at": row.decided_at,
        "note": row.decision_note,
    }


def _reporter_out(ticket: Ticket, *, bound: bool) -> dict[str, Any]:
    """What she left with the report; her own bound number (`bound`) only for those who may know her."""
    name, phone = tickets.reporter_name(ticket), tickets.contact_phone(ticket)
    if ticket.reporter_id is not None:
        resident = people.resident(ticket.reporter_id)
        if resident is not None:
            name = name or people.nickname_of(resident)
            phone = phone or (people.phone_of(resident) if bound else None)
    return {
        "anonymous": ticket.is_anonymous,
        "name": name,
        "phone_masked": mask_phone(phone) if phone else None,
    }


def _suggestion(ticket: Ticket) -> dict[str, Any] | None:
    """Where a dispatch would go, as long as one is to come."""
    if ticket.status not in AT_DESK:
        return None
    found = giving.find_unit(giving.case_of(ticket))
    if found is None:
        return None
    rule = found.rule.name if found.rule is not None else None
    return {"org_id": found.org.id, "name": found.org.name, "why": found.why, "rule": rule}


def _suggested_category(ticket: Ticket, names: dict[str, str]) -> dict[str, Any] | None:
    code = ticket.suggested_category
    if code is None:
        return None
    return {"code": code, "name": names.get(code, code), "why": ticket.suggested_why or []}


def _photo_out(photo: Photo, *, with_position: bool) -> dict[str, Any]:
    ref = Ref(photo.community_id, photo.id)
    position = media.position_of(photo) if with_position else None
    return {
        "photo_id": photo.id,
        "photo_ref": ref,
        "status": photo.status,
        "check_state": photo.check_state,
        "stage": photo.stage,
        "taken_at": photo.taken_at,
        "position": location_out(position) if position else None,
        "thumb_url": links.to_photo(ref, "thumb"),
        "url": links.to_photo(ref, "full"),
    }


def _timeline_out(
    events: Sequence[tickets.Event],
    ticket: Ticket,
    orgs: dict[UUID, str],
    staff: dict[UUID, str],
    why_here: dict[UUID, str],
    *,
    known: bool,
) -> list[dict[str, Any]]:
    """One timeline, also of what happened in the communities that it was referred from."""
    homes = {event.row.community_id for event in events}
    names = {home: region.name for home in homes if (region := places.region(home))} if len(homes) > 1 else {}
    came = ticket.origin_id is not None
    return [
        _event_out(event, ticket, orgs, staff, known=known, why_here=why_here.get(event.row.id))
        | ({"seq": seq, "community": names.get(event.row.community_id)} if came else {})
        for seq, event in enumerate(events, 1)
    ]


def _at_meetings(events: Sequence[tickets.Event]) -> list[UUID]:
    return [UUID(org_id) for e in events if e.row.kind == Move.MEETING for org_id in e.row.data["orgs"]]


# What is written there may name an anonymous reporter.
_OF_HER = frozenset({Move.EXCLUDE, Move.CALLBACK})
# What of an event's own facts staff read; ids of other things are put on the wire one by one.
_SHOWN = frozenset(
    {"why", "old", "new", "stars", "solved", "until", "level", "stage", "held_at", "deadline", "ground"}
    | {"urgent", "exclusion_lifted"}
)


def _event_out(
    event: tickets.Event,
    ticket: Ticket,
    orgs: dict[UUID, str],
    staff: dict[UUID, str],
    *,
    known: bool,
    why_here: str | None,
) -> dict[str, Any]:
    row = event.row
    if row.actor_kind == ActorKind.STAFF and row.actor_id is not None:
        actor = staff.get(row.actor_id)
    elif row.actor_kind == ActorKind.RESIDENT:
        own = row.actor_id == ticket.reporter_id
        # Where the reporter has closed her account, nobody can tell her from the others.
        others = "其他居民" if ticket.reporter_id is not None else "居民"
        actor = ("上报人" if known else "匿名居民") if own else others
    else:
        actor = "系统"
    data = {key: value for key, value in row.data.items() if key in _SHOWN}
    data |= {
        key: ids.encode(Kind.TICKET, Ref(row.community_id, UUID(row.data[key])))
        for key in ("into", "merged")
        if key in row.data
    }
    if why_here is not None:
        data["explained"] = why_here
    if row.kind == Move.MEETING:
        units = [UUID(org_id) for org_id in row.data["orgs"]]  # the lead stands first
        data["orgs"] = [{"org_id": ids.encode(Kind.ORG, u), "name": orgs.get(u)} for u in units]
        data["lead"] = data["orgs"][0]
    if "until" in row.data:
        data["until"] = clock.in_shanghai(datetime.fromisoformat(row.data["until"])).isoformat()
    if "against" in row.data:
        data["against"] = ids.encode(Kind.ORG, UUID(row.data["against"]))
    return {
        "seq": row.seq,
        "at": row.at,
        "kind": row.kind,
        "from_status": row.from_status,
        "status": row.to_status,
        "visibility": row.visibility,
        "actor_kind": row.actor_kind,
        "actor": actor,
        "org": orgs.get(row.org_id) if row.org_id else None,
        # Why a complaint was left out of scores speaks of who complained.
        "text": event.words if known or row.kind not in _OF_HER else None,
        "data": data,
    }
