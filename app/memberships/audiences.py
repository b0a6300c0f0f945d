"""Owners as the registry knows them, as audiences of campaigns: of estates, of buildings, of what a grid covers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, func, or_, select

from app import clock, db
from app.errors import NotFound
from app.ids import Kind, Ref
from app.messaging import audience
from app.messaging.audience import Number, Page, Recipient, Spec
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.models import Building, Estate
from app.places.registry_models import Holding, HoldingOwner, House, Owner, Unit

HOUSES = 5_000  # of a page; most have one or two owners


# What `numbers_of` needs of an owner. Rows, not objects: an estate of thousands is read at once.
NUMBERS = (Owner.id, Owner.phone_sealed, Owner.phone_hash, Owner.phone2_sealed, Owner.phone2_hash)


def numbers_of(of_owner: Sequence[Any]) -> tuple[Number, ...]:
    """An owner's numbers (of what `NUMBERS` asks for), the first one first."""
    owner_id, phone_sealed, phone_hash, phone2_sealed, phone2_hash = of_owner
    found = []
    if phone_sealed is not None:
        found.append(Number(phone_hash, phone_sealed, f"owner_phone:{owner_id}"))
    if phone2_sealed is not None:
        found.append(Number(phone2_hash, phone2_sealed, f"owner_phone2:{owner_id}"))
    return tuple(found)


class Places(NamedTuple):
    """Whole estates, and buildings, of one community."""

    community_id: int
    estates: Collection[UUID]
    buildings: Collection[UUID]

    @property
    def houses(self) -> ColumnElement[bool]:
        """A condition on `House`."""
        return (House.community_id == self.community_id) & or_(
            House.estate_id.in_(self.estates), House.building_id.in_(self.buildings)
        )


def owners_page(of: Places, *, after: str | None, limit: int, on: date) -> Page:
    """The owners of about `limit` houses, by house, as they were that day."""
    home = of.community_id
    limit = min(limit, HOUSES)
    wanted = of.houses & (House.valid_from <= on) & or_(House.valid_to.is_(None), House.valid_to > on)
    if after is not None:
        wanted &= House.id > UUID(after)
    page = select(House.id).where(wanted).order_by(House.id).limit(limit).subquery()
    # Plain rows: what the session does to each of thousands would cost more than reading them.
    connection = db.session().connection()
    count, last = connection.execute(
        select(func.count(), func.max(cast(page.c.id, Text))).select_from(page)
    ).one()
    if not count:
        return Page([], None)
    rows = connection.execute(
        select(cast(Owner.id, Text), *NUMBERS[1:], Estate.name, Building.name, Unit.name, House.number)
        .join(HoldingOwner, (HoldingOwner.community_id == home) & (HoldingOwner.owner_id == Owner.id))
        .join(Holding, (Holding.community_id == home) & (Holding.id == HoldingOwner.holding_id))
        .join(House, (House.community_id == home) & (House.id == Holding.house_id))
        .join(Estate, (Estate.community_id == home) & (Estate.id == House.estate_id))
        .outerjoin(Building, (Building.community_id == home) & (Building.id == House.building_id))
        .outerjoin(Unit, (Unit.community_id == home) & (Unit.id == House.unit_id))
        .where(
            Owner.community_id == home,
            wanted,
            House.id <= UUID(last),
            Holding.valid_from <= on,
            or_(Holding.valid_to.is_(None), Holding.valid_to > on),
        )
        .order_by(House.id, HoldingOwner.position)
    ).all()
    people = [
        Recipient(numbers_of(of_owner), {"estate": estate, "room": f"{building or ''}{unit or ''}{number}"})
        for *of_owner, estate, building, unit, number in rows
    ]
    return Page(people, last if count == limit else None)


def day_of(at: datetime) -> date:
    """The day in Shanghai."""
    return clock.in_shanghai(at).date()


class _Owners(audience.Informal):
    """What the three have in common. A spec holds `estates` and `buildings`: [[community_id, uuid], …]."""

    def communities(self, spec: Spec) -> list[int]:
        """See `Audience.communities`."""
        return sorted({home for name in ("estates", "buildings") for home, _ in spec[name]})

    def page(self, spec: Spec, community_id: int, *, after: str | None, limit: int, at: datetime) -> Page:
        """See `Audience.page`."""
        mine = {
            name: [UUID(thing) for home, thing in spec[name] if home == community_id]
            for name in ("estates", "buildings")
        }
        where = Places(community_id, mine["estates"], mine["buildings"])
        return owners_page(where, after=after, limit=limit, on=day_of(at))


def _listed(refs: Collection[Ref]) -> list[list[int | str]]:
    return [[ref.community_id, str(ref.id)] for ref in sorted(refs)]


def governed(staff: StaffActor) -> frozenset[Ref]:
    """The estates to whose owners the member of staff may write."""
    return frozenset(
        estate for g in staff.grants if Permission.CAMPAIGN_EDIT in g.permissions for estate in g.estates
    )


class EstateOwners(_Owners):
    """The owners of estates."""

    def resolve(self, staff: StaffActor, ids_: Sequence[str]) -> Spec:
        """See `Audience.resolve`: estates that one's community or street governs."""
        wanted = audience.refs(Kind.ESTATE, ids_)
        if not set(wanted) <= governed(staff):
            raise NotFound
        return {"estates": _listed(wanted), "buildings": []}


class BuildingOwners(_Owners):
    """The owners of buildings."""

    def resolve(self, staff: StaffActor, ids_: Sequence[str]) -> Spec:
        """See `Audience.resolve`: buildings of such estates."""
        wanted = audience.refs(Kind.BUILDING, ids_)
        mine = governed(staff)
        for ref in wanted:
            if Ref(ref.community_id, places.building(ref).estate_id) not in mine:
                raise NotFound
        return {"estates": [], "buildings": _listed(wanted)}


class GridOwners(_Owners):
    """The owners of what grids cover today."""

    def resolve(self, staff: StaffActor, ids_: Sequence[str]) -> Spec:
        """See `Audience.resolve`: grids that cover nothing but such estates."""
        covers = [c for ref in audience.refs(Kind.GRID, ids_) for c in places.covers_of(ref)]
        if not {c.estate for c in covers} <= governed(staff) or not covers:
            raise NotFound
        whole = {c.estate for c in covers if c.building is None}
        parts = {c.building for c in covers if c.building is not None and c.estate not in whole}
        return {"estates": _listed(whole), "buildings": _listed(parts)}
