"""Who of the staff is told of a step (工作提醒), in the transaction of the step.

The ladder of a limit that is over: the handler and the grid worker at once, the desk a day later, the street after
three, and after seven the street is told that it has to report to the district (区), which has no account here.
Whoever acts isn't told of her own act. What nobody is posted for goes one further up, never nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app import db
from app.audit import ActorKind
from app.ids import Ref
from app.messaging import staff as inbox
from app.messaging.models import StaffNoticeKind as Kind
from app.people import queries as people
from app.people.models import Role
from app.people.queries import Post
from app.places import queries as places
from app.tickets.models import Ticket, TicketEvent, TicketStatus
from app.tickets.moves import Move

MOST = 40  # of one group are told at most
_HELD = frozenset({TicketStatus.DISPATCHED, TicketStatus.IN_PROGRESS, TicketStatus.SUSPENDED})
Told = dict[UUID, Kind]


class Crowd:
    """Who has to do with a ticket today, read once: its desk, street, grid worker, and units."""

    def __init__(self, ticket: Ticket, more_orgs: Iterable[UUID] = ()) -> None:
        self._ticket = ticket
        self._orgs = {org_id for org_id in (ticket.org_id, *more_orgs) if org_id is not None}

    @cached_property
    def _posts(self) -> list[Post]:
        ticket = self._ticket
        home = ticket.community_id
        governed_by = places.governing(Ref(home, ticket.estate_id)) if ticket.estate_id else home
        return people.posts_reaching(
            regions=[governed_by, *places.regions_above(governed_by)],
            grid=Ref(home, ticket.grid_id) if ticket.grid_id else None,
            org_ids=self._orgs,
        )

    def _those(self, wanted: Callable[[Post], bool]) -> list[UUID]:
        return list(dict.fromkeys(post.staff_id for post in self._posts if wanted(post)))[:MOST]

    @property
    def street(self) -> list[UUID]:
        """The street office."""
        return self._those(lambda post: post.role is Role.STREET)

    @property
    def desk(self) -> list[UUID]:
        """The community's desk; where it has nobody, the street."""
        return self._those(lambda post: post.role is Role.COMMUNITY) or self.street

    @property
    def grid(self) -> list[UUID]:
        """The workers of the ticket's grid."""
        return self._those(lambda post: post.role is Role.GRID)

    def unit(self, org_id: UUID | None) -> list[UUID]:
        """An organisation's people who reach the ticket; where it has nobody, the desk."""
        return self._those(lambda post: post.org_id == org_id) or self.desk

    @property
    def holder(self) -> list[UUID]:
        """Whose turn it is: the handler, else the unit that has it, else the desk (and the grid, to verify)."""
        ticket = self._ticket
        if ticket.status not in _HELD:
            return self.desk + (self.grid if ticket.status == TicketStatus.RESOLVED else [])
        unit = self.unit(ticket.org_id)
        return [ticket.handler_id] if ticket.handler_id in unit else unit


def staff(ticket: Ticket, row: TicketEvent) -> None:
    """Tell those concerned by the step that this event records, each once."""
    find = _TOLD.get(Move(row.kind))
    if find is None:
        return
    told = find(ticket, row)
    if row.actor_kind == ActorKind.STAFF and row.actor_id is not None:
        told.pop(row.actor_id, None)
    inbox.notify(
        told,
        about=Ref(ticket.community_id, ticket.id),
        idem=f"{ticket.id}:{row.seq}",
        params={"due_at": ticket.due_at.isoformat()} | _numbers(row.data),
    )


def matched(ticket: Ticket) -> None:
    """Tell the desk, once a ticket, that it is perhaps a duplicate of others."""
    inbox.notify(
        dict.fromkeys(Crowd(ticket).desk, Kind.MATCHED),
        about=Ref(ticket.community_id, ticket.id),
        idem=f"{ticket.id}:matched",
        params={},
    )


def _numbers(data: dict[str, Any]) -> dict[str, Any]:
    return {key: data[key] for key in ("level", "stage", "until", "held_at") if key in data}


def _dispatched(ticket: Ticket, _: TicketEvent) -> Told:
    return dict.fromkeys(Crowd(ticket).holder, Kind.DISPATCHED)


def _assigned(_: Ticket, row: TicketEvent) -> Told:
    return {UUID(row.data["to"]): Kind.ASSIGNED}


def _rotated(_: Ticket, row: TicketEvent) -> Told:
    return {UUID(row.data["staff"]): Kind.ASSIGNED}


def _returned(ticket: Ticket, _: TicketEvent) -> Told:
    return dict.fromkeys(Crowd(ticket).desk, Kind.RETURNED)


def _warned(ticket: Ticket, _: TicketEvent) -> Told:
    return dict.fromkeys(Crowd(ticket).holder, Kind.WARNED)


def _urged(ticket: Ticket, _: TicketEvent) -> Told:
    return dict.fromkeys(Crowd(ticket).holder, Kind.URGED)


def _stage_late(ticket: Ticket, row: TicketEvent) -> Told:
    crowd = Crowd(ticket)
    return dict.fromkeys(crowd.desk + (crowd.street if row.data["level"] > 1 else []), Kind.STAGE_LATE)


def _supervised(ticket: Ticket, row: TicketEvent) -> Told:
    crowd, rung = Crowd(ticket), row.data.get("level", 0)
    ladder = crowd.holder
    for above, reaches in ((crowd.grid, 1), (crowd.desk, 2), (crowd.street, 3)):
        ladder = ladder + (above if rung >= reaches else [])
    told = dict.fromkeys(ladder, Kind.SUPERVISED)
    return told | dict.fromkeys(crowd.street, Kind.TO_DISTRICT) if rung >= 4 else told


def _extension_asked(ticket: Ticket, _: TicketEvent) -> Told:
    return dict.fromkeys(Crowd(ticket).desk, Kind.EXTENSION_ASKED)


def _extension_decided(ticket: Ticket, row: TicketEvent) -> Told:
    asked_by = db.session().scalar(
        select(TicketEvent.actor_id)
        .where(
            TicketEvent.community_id == ticket.community_id,
            TicketEvent.ticket_id == ticket.id,
            TicketEvent.kind == Move.ASK_EXTENSION,
        )
        .order_by(TicketEvent.seq.desc())
        .limit(1)
    )
    kind = Kind.EXTENDED if row.kind == Move.EXTEND else Kind.LIMIT_KEPT
    return dict.fromkeys([*Crowd(ticket).holder, *([asked_by] if asked_by is not None else [])], kind)


def _part(ticket: Ticket, row: TicketEvent) -> Told:
    orgs = [row.org_id] if row.org_id is not None else []
    return dict.fromkeys(Crowd(ticket, orgs).unit(row.org_id), Kind.PART)


def _part_done(ticket: Ticket, _: TicketEvent) -> Told:
    return dict.fromkeys(Crowd(ticket).holder, Kind.PART_DONE)


def _meeting(ticket: Ticket, row: TicketEvent) -> Told:
    # A lead that hasn't been given the ticket yet can't see it: it is told when it is sent there.
    orgs = [
        UUID(org_id)
        for org_id in row.data["orgs"]
        if org_id != row.data["lead"] or org_id == str(ticket.org_id)
    ]
    crowd = Crowd(ticket, orgs)
    return {staff_id: Kind.MEETING for org_id in orgs for staff_id in crowd.unit(org_id)}


_TOLD: dict[Move, Callable[[Ticket, TicketEvent], Told]] = {
    Move.DISPATCH: _dispatched,
    Move.ASSIGN: _assigned,
    Move.ROTATE: _rotated,
    Move.RETURN: _returned,
    Move.WARN: _warned,
    Move.URGE: _urged,
    Move.STAGE_LATE: _stage_late,
    Move.SUPERVISE: _supervised,
    Move.ASK_EXTENSION: _extension_asked,
    Move.EXTEND: _extension_decided,
    Move.KEEP_LIMIT: _extension_decided,
    Move.PART: _part,
    Move.PART_DONE: _part_done,
    Move.MEETING: _meeting,
}
