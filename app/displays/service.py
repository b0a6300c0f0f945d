"""Writing about displays: made, revoked, seen."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app import audit, clock, db, ids
from app.displays import queries
from app.displays.errors import BadExpiry
from app.displays.models import Display
from app.displays.queries import Place
from app.errors import NotFound
from app.people import tokens
from app.people.scopes import StaffActor
from app.places import queries as places


class Made(NamedTuple):
    """A new display with the token that is shown once."""

    display: Display
    token: str


def make(*, name: str, place: Place, expires_at: datetime | None, acting_user: StaffActor) -> Made:
    """A display of a place that lies wholly in her reach. Raises NotFound, BadExpiry."""
    place = _whole(place)
    if not queries.looks_after(acting_user, place):
        raise NotFound
    now = clock.now()
    if expires_at is not None and expires_at <= now:
        raise BadExpiry(errors={"expires_at": [(BadExpiry.zh, BadExpiry.en)]})
    token = tokens.new_secret()
    at = place.estate or place.grid
    row = Display(
        id=ids.new_id(),
        name=name,
        region_id=place.region_id,
        home_id=at.community_id if at is not None else None,
        estate_id=place.estate.id if place.estate is not None else None,
        grid_id=place.grid.id if place.grid is not None else None,
        token_hash=tokens.hash_of(token),
        created_at=now,
        created_by=acting_user.id,
        expires_at=expires_at,
    )
    db.session().add(row)
    _record(row, "display.made", acting_user)
    return Made(row, token)


def _whole(place: Place) -> Place:
    """The place with the community that governs it today. Raises NotFound for one that doesn't exist."""
    if place.estate is not None:
        places.estate(place.estate)
        return place._replace(region_id=places.governing(place.estate))
    if place.grid is not None:
        return place._replace(region_id=places.grid(place.grid).community_id)
    return place


def _record(row: Display, action: str, staff: StaffActor) -> None:
    inside = queries.communities_of(queries.place_of(row))
    audit.record(
        staff.actor,
        action,
        community_id=row.region_id if row.region_id in inside else 0,
        object_kind="display",
        object_id=row.id,
        region=row.region_id,
    )


def revoke(display_id: UUID, *, acting_user: StaffActor) -> Display:
    """From now on its token opens nothing; a second time changes nothing. Raises NotFound."""
    row = queries.display_for(acting_user, display_id, lock=True)
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        row.revoked_by = acting_user.id
        _record(row, "display.revoked", acting_user)
    return row


def seen(display_id: UUID) -> None:
    """Its token was used now."""
    row = db.session().get(Display, display_id)
    if row is not None:
        row.last_used_at = clock.now()
