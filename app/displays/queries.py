"""Reading displays: who carries this token and what it may show; which displays a member of staff looks after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import or_, select

from app import clock, db
from app.displays.errors import DisplayRefused
from app.displays.models import Display
from app.errors import NotFound
from app.ids import NOBODY, Ref
from app.people import tokens
from app.people.models import Role
from app.people.permissions import Permission
from app.people.scopes import Grant, StaffActor
from app.places import queries as places

NOTED_EVERY = timedelta(minutes=5)  # `last_used_at` is no closer than this
MOST = 200
# What a display shows is counted by the queries that staff ask, with these permissions and no other.
SHOWN = frozenset({Permission.STATS_VIEW, Permission.DECISION_VIEW, Permission.REVENUE_VIEW})


class Place(NamedTuple):
    """What a display is bound to: a region, or one estate or grid in it."""

    region_id: int
    estate: Ref | None = None
    grid: Ref | None = None


@dataclass(frozen=True)
class DisplayGrant(Grant):
    """The reach of a display: figures of one area. The role says how far it reaches, and nothing of what it may."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """Figures alone."""
        return SHOWN


def place_of(display: Display) -> Place:
    """What it is bound to."""
    home = display.home_id
    return Place(
        display.region_id,
        Ref(home, display.estate_id) if home is not None and display.estate_id is not None else None,
        Ref(home, display.grid_id) if home is not None and display.grid_id is not None else None,
    )


def communities_of(place: Place) -> frozenset[int]:
    """The communities that the place lies in, as the tree stands today."""
    return frozenset(places.communities_under(place.region_id))


def reader_of(display: Display) -> StaffActor:
    """Who asks for the figures on this display: nobody of the staff, with the reach of its area."""
    place = place_of(display)
    if place.grid is not None:
        grant = DisplayGrant(Role.GRID, NOBODY, grid=place.grid)
    elif place.estate is not None:
        grant = DisplayGrant(Role.COMMUNITY, NOBODY, estates=frozenset({place.estate}))
    else:
        inside = communities_of(place)
        estates = frozenset(places.governed_estates(inside))
        grant = DisplayGrant(Role.STREET, NOBODY, communities=inside, estates=estates)
    return StaffActor(id=NOBODY, account="", name="", grants=(grant,))


def display_by_token(token: str) -> Display:
    """The display that carries this token. Raises DisplayRefused for one that isn't ours, is revoked or over."""
    found = db.session().scalar(select(Display).where(Display.token_hash == tokens.hash_of(token)))
    if found is None or not is_open(found):
        raise DisplayRefused
    return found


def is_open(display: Display) -> bool:
    """Does its token count?"""
    return display.revoked_at is None and (display.expires_at is None or clock.now() < display.expires_at)


def is_worth_noting(display: Display) -> bool:
    """Was its last use noted long enough ago?"""
    last = display.last_used_at
    return last is None or clock.now() - last >= NOTED_EVERY


def looks_after(staff: StaffActor, place: Place) -> bool:
    """May she make and revoke displays of this place? All of it has to lie in her reach."""
    mine = staff.communities_with(Permission.SCREEN_EDIT)
    if place.grid is not None:
        return place.grid.community_id in mine
    if place.estate is not None:
        return any(
            place.estate in grant.estates
            for grant in staff.grants
            if Permission.SCREEN_EDIT in grant.permissions
        )
    inside = communities_of(place)
    return bool(inside) and mine >= inside


def displays_for(staff: StaffActor) -> list[Display]:
    """Those that she looks after, the newest first; revoked ones for 30 days more, 200 at most."""
    lately = clock.now() - timedelta(days=30)
    rows = db.session().scalars(
        select(Display)
        .where(or_(Display.revoked_at.is_(None), Display.revoked_at > lately))
        .order_by(Display.id.desc())
    )
    return [row for row in rows if looks_after(staff, place_of(row))][:MOST]


def display_for(staff: StaffActor, display_id: UUID, *, lock: bool = False) -> Display:
    """One of them, locked for a change when asked. Raises NotFound."""
    found = db.session().get(
        Display, display_id, with_for_update=True if lock else None, populate_existing=lock
    )
    if found is None or not looks_after(staff, place_of(found)):
        raise NotFound
    return found
