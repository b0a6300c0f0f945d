"""Tickets as their reporter sees them: no staff names, no phones, a sentence for each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from app import clock, ids
from app.ids import Kind, Ref
from app.media import links
from app.media import queries as media
from app.media.models import Photo
from app.own_ticket import OwnTicket
from app.people.queries import mask_phone
from app.places import queries as places
from app.places.coordinates import Point
from app.places.models import Estate
from app.tickets import clocks, pressure
from app.tickets import queries as tickets
from app.tickets.models import Ticket
from app.tickets.moves import MOVES, OPEN, Move
from bff.positions import location_out
from bff.resident.lines import line_out
from bff.ticket_objections import objection_out

# What a step is called on screen.
TITLES = {
    Move.REPORT: "已上报",
    Move.ACCEPT: "社区已受理",
    Move.REJECT: "未予受理",
    Move.DISPATCH: "已派给处理单位",
    Move.START: "已开始处理",
    Move.RESOLVE: "已处理，等待核实",
    Move.VERIFY: "已核实",
    Move.REWORK: "核实未通过，重新处理",
    Move.CLOSE: "已办结",
    Move.REOPEN: "重新办理",
    Move.COMMENT: "留言",
    Move.WITHDRAW: "已撤回",
    Move.RATE: "已评价",
    Move.URGE: "您已催办",
    Move.SUSPEND: "处理暂停",
    Move.RESUME: "恢复处理",
    Move.EXTEND: "办结时间延后",
    Move.REFER: "已转给其他社区",
    Move.MERGE: "已与同一问题合并",
    Move.UNMERGE: "已取消合并",
    Move.REFERRED_IN: "由其他社区转来",
}


def estate_out(estate: Estate, communities: dict[int, str]) -> dict[str, Any]:
    """An estate with the name of its community."""
    return {
        "estate_id": Ref(estate.community_id, estate.id),
        "name": estate.name,
        "address": estate.address,
        "community": communities.get(estate.community_id, ""),
        "location": location_out(Point(estate.lng, estate.lat)),
    }


def community_names() -> dict[int, str]:
    """Names of all regions, by id."""
    return places.region_names()


def photo_out(photo: Photo) -> dict[str, Any]:
    """One photo of a ticket; its links hold for one to two hours."""
    ref = Ref(photo.community_id, photo.id)
    return {
        "photo_id": photo.id,
        "status": photo.status,
        "stage": photo.stage,
        "thumb_url": links.to_photo(ref, "thumb"),
        "url": links.to_photo(ref, "full"),
    }


def promised_out(ticket: Ticket) -> dict[str, Any]:
    """Until when it is promised."""
    return {"accept_by": ticket.accept_by, "dispatch_by": ticket.dispatch_by, "close_by": ticket.due_at}


def _row(
    ticket: Ticket, names: dict[str, str], estates: dict[Ref, Estate], photos: dict[UUID, list[Photo]]
) -> dict[str, Any]:
    estate = estates.get(Ref(ticket.community_id, ticket.estate_id)) if ticket.estate_id else None
    first = next((p for p in photos.get(ticket.id, ()) if media.is_shown(p)), None)
    return {
        "ticket_id": Ref(ticket.community_id, ticket.id),
        "number": ticket.number,
        "status": ticket.status,
        "category": ticket.category_code,
        "category_name": names.get(ticket.category_code or ""),
        "text": ticket.text,
        "urgent": ticket.is_urgent,
        "estate_name": estate.name if estate else None,
        "reported_at": ticket.reported_at,
        "updated_at": ticket.updated_at,
        "thumb_url": links.to_photo(Ref(first.community_id, first.id), "thumb") if first else None,
        "promised": promised_out(ticket),
    }


# What a follower never reads in a list, and what no more once it isn't public.
_NOT_HERS = {"text": None, "thumb_url": None}
_PRIVATE = {"category": None, "category_name": None, "estate_name": None}


def can(ticket: Ticket) -> list[str]:
    """What the reporter can do with it now."""
    moves = [move for move, rule in MOVES.items() if rule.reporter and ticket.status in rule.sources]
    rated = (
        ticket.rated_at is not None and ticket.closed_at is not None and ticket.rated_at >= ticket.closed_at
    )
    late = ticket.closed_at is not None and clock.now() > ticket.closed_at + clocks.RATE_WITHIN
    now = clock.now()
    urged = ticket.last_urged_at is not None and now - ticket.last_urged_at < pressure.URGE_PAUSE
    not_now = {
        Move.RATE: rated or late,
        Move.REOPEN: late,
        Move.URGE: urged,
        Move.WITHDRAW: ticket.me_too > 0,  # others have the same problem
    }
    return [move.value for move in moves if not not_now.get(move)]


class _Whole(NamedTuple):
    """What is shown of a whole ticket. `row`: its line; `photos`: those that can be shown."""

    ticket: Ticket
    row: dict[str, Any]
    events: Sequence[tickets.Event]
    orgs: Mapping[UUID, str]
    photos: Sequence[Photo]
    objection: dict[str, Any] | None


def ticket_out(ticket: Ticket) -> dict[str, Any]:
    """The whole ticket with timeline, photos before and after, clocks and rating."""
    events = tickets.timeline(ticket, for_reporter=True)
    photos = tickets.photos_of([ticket])
    names = tickets.category_names([ticket.category_code])
    refs = [Ref(ticket.community_id, ticket.estate_id)] if ticket.estate_id else []
    return _whole_out(
        _Whole(
            ticket,
            _row(ticket, names, places.estates(refs), photos),
            events,
            places.org_names([ticket.org_id, *(e.row.org_id for e in events)]),
            [photo for photo in photos.get(ticket.id, ()) if media.is_shown(photo)],
            objection_out(ticket),
        )
    )


def own_ticket_out(own: OwnTicket) -> dict[str, Any]:
    """Her own ticket as `TicketOut` dumps it, but for the times: `dumped` writes those."""
    found = _whole_out(
        _Whole(own.ticket, line_out(own.line), own.events, own.orgs, own.photos, objection=None)
    )
    merged = found["merged_into"]
    return found | {
        "merged_into": ids.encode(Kind.TICKET, merged) if merged is not None else None,
        "photos": [
            {name: one[name] for name in ("photo_id", "status", "thumb_url", "url", "stage")}
            | {"photo_id": ids.encode(Kind.UPLOAD, one["photo_id"])}
            for one in found["photos"]
        ],
    }


def _whole_out(whole: _Whole) -> dict[str, Any]:
    ticket, orgs = whole.ticket, whole.orgs
    phone = tickets.contact_phone(ticket)
    point = Point(ticket.lng, ticket.lat) if ticket.lng is not None and ticket.lat is not None else None
    rated = ticket.rating_stars is not None and ticket.rated_at is not None
    return {
        **whole.row,
        "role": "reporter",
        "me_too": ticket.me_too,
        "supervised": ticket.supervised > 0,
        "standing_until": ticket.standing_until if ticket.standing_since else None,
        "merged_into": Ref(ticket.community_id, ticket.merged_into) if ticket.merged_into else None,
        "referred_to": Ref(ticket.referred_community, ticket.referred_to)
        if ticket.referred_community is not None and ticket.referred_to is not None
        else None,
        "objection": whole.objection,
        "version": ticket.version,
        "anonymous": ticket.is_anonymous,
        "answers": ticket.answers,
        "location": location_out(point, ticket.accuracy_m, ticket.address) if point else None,
        "contact_phone_masked": mask_phone(phone) if phone else None,
        "handler": orgs.get(ticket.org_id) if ticket.org_id else None,
        "photos": [photo_out(p) for p in whole.photos],
        "timeline": _timeline_out(whole.events, ticket, orgs),
        "clocks": {
            **promised_out(ticket),
            "accepted_at": ticket.accepted_at,
            "dispatched_at": ticket.dispatched_at,
            "started_at": ticket.started_at,
            "resolved_at": ticket.resolved_at,
            "verified_at": ticket.verified_at,
            "closed_at": ticket.closed_at,
            "overdue": tickets.is_late(ticket),
        },
        "rating": {
            "stars": ticket.rating_stars,
            "solved": ticket.rating_solved,
            "rated_at": ticket.rated_at,
        }
        if rated
        else None,
        "can": can(ticket),
    }


def _timeline_out(
    events: Sequence[tickets.Event], ticket: Ticket, orgs: Mapping[UUID, str]
) -> list[dict[str, Any]]:
    """One timeline, numbered through, whichever communities the ticket went through."""
    names = community_names() if any(e.row.community_id != ticket.community_id for e in events) else {}
    return [
        {**_event_out(event, ticket, orgs), "seq": seq, "community": names.get(event.row.community_id)}
        for seq, event in enumerate(events, 1)
    ]


def _event_out(event: tickets.Event, ticket: Ticket, orgs: Mapping[UUID, str]) -> dict[str, Any]:
    row = event.row
    if row.actor_kind == "resident" and row.actor_id == ticket.reporter_id:
        by = "我"
    elif row.kind in {Move.START, Move.RESOLVE, Move.COMMENT} and row.org_id is not None:
        by = orgs.get(row.org_id, "处理单位")
    elif row.actor_kind == "system":
        by = "系统"
    else:
        by = "社区"
    title = TITLES.get(Move(row.kind), row.kind)
    if row.kind == Move.DISPATCH and row.org_id is not None:
        title = f"已派给{orgs.get(row.org_id, '处理单位')}"
    return {
        "seq": row.seq,
        "at": row.at,
        "kind": row.kind,
        "title": title,
        "from_status": row.from_status,
        "status": row.to_status,
        "by": by,
        # Why it was referred stands with the step before.
        "text": event.words if row.kind != Move.REFERRED_IN else None,
    }


# What those who have the same problem may read of a step: the answers of those who work on it.
_PUBLIC_WORDS = frozenset({Move.REJECT, Move.SUSPEND, Move.EXTEND, Move.RESOLVE})
_NOT_THEIRS = frozenset({Move.COMMENT, Move.RATE, Move.URGE})


def _alone(event: dict[str, Any]) -> dict[str, Any]:
    """Of a step without words: neither who works on it."""
    by = event["by"] if event["by"] in {"系统", "社区"} else "居民" if event["by"] == "我" else "处理单位"
    return {"by": by, "title": TITLES.get(Move(event["kind"]), event["kind"]), "text": None}


def followed_out(ticket: Ticket) -> dict[str, Any]:
    """A ticket that somebody else reported, for one who has the same problem: its steps, not the reporter's part.

    Whatever isn't listed here stays unknown to her. Of what isn't public (any more) she reads the states alone.
    """
    whole, is_told = ticket_out(ticket), tickets.tells_followers(ticket)
    shown = [event for event in whole["timeline"] if event["kind"] not in _NOT_THEIRS]
    same = (
        "ticket_id", "number", "status", "category", "category_name", "urgent", "estate_name", "reported_at",
        "updated_at", "promised", "me_too", "supervised", "standing_until", "merged_into", "referred_to",
        "version", "handler", "clocks",
    )  # fmt: skip
    return {
        **{name: whole[name] for name in same},
        **_NOT_HERS,
        **({} if is_told else _PRIVATE | {"handler": None}),
        "role": "follower",
        "objection": None,
        "answers": {},
        "anonymous": True,
        "location": None,
        "contact_phone_masked": None,
        "photos": [photo for photo in whole["photos"] if photo["stage"] == "after" and is_told],
        "timeline": [
            {
                **event,
                "seq": seq,
                "by": "居民" if event["by"] == "我" else event["by"],
                "text": event["text"] if event["kind"] in _PUBLIC_WORDS else None,
                **({} if is_told else _alone(event)),
            }
            for seq, event in enumerate(shown, 1)
        ],
        "rating": None,
        "can": [],
    }


def similar_out(found: Sequence[tickets.Similar]) -> list[dict[str, Any]]:
    """Tickets near by, without words, names or rooms; pictures only after WeChat's check."""
    names = tickets.category_names(s.ticket.category_code for s in found)
    photos = tickets.photos_of([s.ticket for s in found])
    rows = []
    for ticket, distance in found:
        seen = next((p for p in photos.get(ticket.id, ()) if media.is_public(p)), None)
        rows.append(
            {
                "ticket_ref": Ref(ticket.community_id, ticket.id),
                "category": ticket.category_code,
                "category_name": names.get(ticket.category_code or ""),
                "distance_m": round(distance, 1),
                "status": ticket.status,
                "reported_at": ticket.reported_at,
                "me_too": ticket.me_too,
                "thumb_url": links.to_photo(Ref(seen.community_id, seen.id), "thumb") if seen else None,
            }
        )
    return rows


OPEN_STATES = frozenset(state.value for state in OPEN)
