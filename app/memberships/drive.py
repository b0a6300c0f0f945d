"""The registration drive: which owners of an estate are bound, which can be reminded, whom somebody has to visit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app import audit, clock, db
from app.audit import Actor
from app.errors import NotFound
from app.ids import Ref
from app.memberships import telling
from app.memberships.models import OPEN, Level, Membership, MembershipStatus, RegistrationReminder, Relation
from app.memberships.queries import Reach
from app.people import queries as people
from app.places import households, rooms
from app.places import queries as places
from app.places.households import Address, EstateOwner

MOST_REMINDED = 500  # of one call; the next one goes on


@dataclass(frozen=True)
class Standing:
    """An owner and how far she is. `level`: strong, weak, pending (waits for staff), or None."""

    entry: EstateOwner
    level: str | None
    resident_id: UUID | None  # who holds one of her phones in WeChat
    reminded_on: date | None

    @property
    def is_bound(self) -> bool:
        """May she vote in the mini-program, or did she sign at the door?"""
        return self.level == Level.STRONG


class Count(NamedTuple):
    """Owners of a building (or of all), each once. bound + weak + waiting + unbound = owners; unbound and weak and
    waiting are reachable or to be visited.
    """

    owners: int
    bound: int
    weak: int
    waiting: int
    unbound: int
    reachable: int
    to_visit: int


def standings(reach: Reach, estate: Ref) -> list[Standing]:
    """The owners of an estate, in the order of their first house. Raises NotFound outside the reach."""
    if estate not in reach:
        raise NotFound
    places.estate(estate)
    owners = households.owners_in(estate)
    members = db.session().execute(
        select(Membership.owner_id, Membership.status, Membership.voter_level).where(
            Membership.community_id == estate.community_id,
            Membership.estate_id == estate.id,
            Membership.relation == Relation.OWNER,
            Membership.owner_id.is_not(None),
            Membership.status.in_(OPEN),
        )
    )
    levels: dict[UUID, set[str]] = defaultdict(set)
    rows = [(owner_id, status, level) for owner_id, status, level in members if owner_id is not None]
    root = households.standing_for(estate.community_id, [row[0] for row in rows])
    for owner_id, status, level in rows:
        levels[root[owner_id]].add(level if status == MembershipStatus.VERIFIED and level else "pending")
    holders = people.holders_of(phone for entry in owners for phone in entry.phones)
    reminded = dict(
        db.session()
        .execute(
            select(RegistrationReminder.owner_id, func.max(RegistrationReminder.on_day))
            .where(
                RegistrationReminder.community_id == estate.community_id,
                RegistrationReminder.estate_id == estate.id,
            )
            .group_by(RegistrationReminder.owner_id)
        )
        .all()
    )
    return [
        Standing(
            entry,
            next((word for word in ("strong", "weak", "pending") if word in levels[entry.owner.id]), None),
            next((holders[phone] for phone in sorted(entry.phones) if phone in holders), None),
            reminded.get(entry.owner.id),
        )
        for entry in owners
    ]


def counts(found: list[Standing]) -> tuple[Count, dict[str, Count]]:
    """All owners of the estate, and by building; who owns in two buildings is counted in both, and once in all."""
    by_building: dict[str, list[Standing]] = defaultdict(list)
    for standing in found:
        for building in standing.entry.buildings:
            by_building[building].append(standing)
    return _count(found), {building: _count(some) for building, some in by_building.items()}


def _count(found: list[Standing]) -> Count:
    missing = [s for s in found if not s.is_bound]
    return Count(
        owners=len(found),
        bound=len(found) - len(missing),
        weak=sum(s.level == "weak" for s in found),
        waiting=sum(s.level == "pending" for s in found),
        unbound=sum(s.level is None for s in found),
        reachable=sum(s.resident_id is not None for s in missing),
        to_visit=sum(s.resident_id is None for s in missing),
    )


def addresses(estate: Ref, found: list[Standing]) -> dict[UUID, Address]:
    """The addresses of these owners' houses."""
    return households.addresses(
        estate.community_id, [house_id for s in found for _, _, house_id in s.entry.houses]
    )


class Reminded(NamedTuple):
    """What a call did: told now, told earlier today, to be visited instead, left for the next call."""

    reminded: int
    already_today: int
    to_visit: int
    left: int


def remind(reach: Reach, estate: Ref, *, building: str | None, acting_user: Actor) -> Reminded:
    """Ask the owners who aren't bound with a vote and whose phone somebody holds in WeChat; each at most once a day.
    `building`: in the one spelling of `rooms.building_key`; None: all.

    Those whom nobody can reach are counted, to be visited. Raises NotFound.
    """
    assert acting_user.id is not None
    known = places.estate(estate)
    today = places.today()
    missing = [
        s
        for s in standings(reach, estate)
        if not s.is_bound and (building is None or building in map(rooms.building_key, s.entry.buildings))
    ]
    reachable = [s for s in missing if s.resident_id is not None]
    due = [s for s in reachable if s.reminded_on != today]
    told = 0
    for standing in due[:MOST_REMINDED]:
        assert standing.resident_id is not None
        # Two clerks at one moment: the key lets one of them in.
        fresh = db.session().scalar(
            insert(RegistrationReminder)
            .values(
                community_id=estate.community_id,
                estate_id=estate.id,
                owner_id=standing.entry.owner.id,
                on_day=today,
                resident_id=standing.resident_id,
                reminded_by=acting_user.id,
                at=clock.now(),
            )
            .on_conflict_do_nothing(index_elements=["community_id", "estate_id", "owner_id", "on_day"])
            .returning(RegistrationReminder.owner_id)
        )
        if fresh is not None:
            telling.reminded(standing.resident_id, estate, known.name)
            told += 1
    audit.record(
        acting_user,
        "registration.reminded",
        community_id=estate.community_id,
        object_kind="estate",
        object_id=estate.id,
        reminded=told,
    )
    left = max(0, len(due) - MOST_REMINDED)
    return Reminded(told, len(reachable) - told - left, len(missing) - len(reachable), left)
