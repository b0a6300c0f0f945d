"""How many tickets are open at this moment, over their limit, or about to be, by where they are: one question."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select

from app import clock, db
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.tickets import queries
from app.tickets.models import Ticket


class Within(StrEnum):
    """How soon a limit runs out. Each holds what is sooner, too, and nothing that is over already."""

    HOURS = "4h"
    TODAY = "today"
    WEEK = "week"  # until Sunday


def until(within: Within) -> datetime:
    """The last moment of it."""
    now = clock.now()
    if within is Within.HOURS:
        return now + timedelta(hours=4)
    today = clock.in_shanghai(now).date()
    last = today if within is Within.TODAY else today + timedelta(days=6 - today.weekday())
    return datetime.combine(last + timedelta(days=1), time(), tzinfo=clock.SHANGHAI)


def runs_out(within: Within) -> ColumnElement[bool]:
    """Open, its clock running, and its limit no further away than that."""
    return and_(
        Ticket.ended_at.is_(None),
        Ticket.standing_since.is_(None),
        Ticket.due_at >= clock.now(),
        Ticket.due_at <= until(within),
    )


def _is_over() -> ColumnElement[bool]:
    late = or_(Ticket.standing_since.is_(None), Ticket.due_at < Ticket.standing_since)
    return and_(Ticket.due_at < clock.now(), late)


class Open(NamedTuple):
    """Open tickets; of them so many over their limit, paused, and with a limit that runs out soon."""

    n: int = 0
    overdue: int = 0
    standing: int = 0
    in_4h: int = 0
    today: int = 0
    this_week: int = 0

    def plus(self, other: Open) -> Open:
        """Both together."""
        return Open._make(a + b for a, b in zip(self, other, strict=True))


class Spot(NamedTuple):
    """Where tickets are: the home shard with the estate and the grid, if any."""

    community_id: int
    estate_id: UUID | None
    grid_id: UUID | None


def open_now(staff: StaffActor, *, estate: Ref | None = None, grid: Ref | None = None) -> dict[Spot, Open]:
    """What is open of what she may count, by where it is."""
    if not staff.grants:
        return {}
    only: list[ColumnElement[bool]] = []
    if estate is not None:
        only.append(and_(Ticket.community_id == estate.community_id, Ticket.estate_id == estate.id))
    if grid is not None:
        only.append(and_(Ticket.community_id == grid.community_id, Ticket.grid_id == grid.id))
    where = (Ticket.community_id, Ticket.estate_id, Ticket.grid_id)
    rows = db.session().execute(
        select(
            *where,
            func.count(),
            func.count().filter(_is_over()),
            func.count().filter(Ticket.standing_since.is_not(None)),
            *(func.count().filter(runs_out(within)) for within in Within),
        )
        .where(queries.visible_to(staff, Permission.STATS_VIEW), Ticket.ended_at.is_(None), *only)
        .group_by(*where)
    )
    return {Spot._make(row[:3]): Open._make(row[3:]) for row in rows}


def by_community(spots: dict[Spot, Open]) -> dict[int, Open]:
    """The same by the community that governs the place today."""
    estates = {Ref(spot.community_id, spot.estate_id) for spot in spots if spot.estate_id is not None}
    governors = places.governors_of(estates)
    found: dict[int, Open] = {}
    for spot, counted in spots.items():
        at = Ref(spot.community_id, spot.estate_id) if spot.estate_id is not None else None
        community = governors[at] if at is not None else spot.community_id
        found[community] = found.get(community, Open()).plus(counted)
    return found


def by_estate(spots: dict[Spot, Open]) -> dict[Ref | None, Open]:
    """The same by estate; None: what lies in none."""
    found: dict[Ref | None, Open] = {}
    for spot, counted in spots.items():
        at = Ref(spot.community_id, spot.estate_id) if spot.estate_id is not None else None
        found[at] = found.get(at, Open()).plus(counted)
    return found


def by_grid(spots: dict[Spot, Open]) -> dict[Ref | None, Open]:
    """The same by grid; None: what lies in none."""
    found: dict[Ref | None, Open] = {}
    for spot, counted in spots.items():
        at = Ref(spot.community_id, spot.grid_id) if spot.grid_id is not None else None
        found[at] = found.get(at, Open()).plus(counted)
    return found
