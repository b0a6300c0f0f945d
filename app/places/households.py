"""Houses seen from those who live there: who owns one today, and all owners of an estate. For memberships.

No reach is asked for here: who may ask what of which house is decided by the memberships themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, and_, any_, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from app import db
from app.errors import NotFound
from app.ids import Ref
from app.places import heads, identity, queries
from app.places import registry_queries as reading
from app.places.models import Building
from app.places.registry_models import Holding, HoldingOwner, HoldingState, House, HouseKind, Owner, Unit


class KnownPhone(NamedTuple):
    """A number that the registry holds: of which owner's row, in which field."""

    owner_id: UUID
    field: str
    hash: bytes


@dataclass(frozen=True)
class HouseOwner:
    """An owner of a house today, by the row that stands for her, with what any of her rows says of her."""

    owner: Owner
    name_hashes: frozenset[bytes]
    phones: tuple[KnownPhone, ...]
    id_tails: frozenset[str]  # the last six characters of her ID numbers

    @property
    def phone_hashes(self) -> frozenset[bytes]:
        """Her numbers, to be compared unread."""
        return frozenset(phone.hash for phone in self.phones)


def house(ref: Ref, *, lock: bool = False) -> House:
    """The house, as long as it exists. Raises NotFound."""
    found = db.session().get(House, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or (found.valid_to is not None and found.valid_to <= queries.today()):
        raise NotFound
    return found


def holding_of(ref: Ref) -> Holding | None:
    """The holding of today."""
    return db.session().scalar(
        select(Holding).where(
            Holding.community_id == ref.community_id, Holding.house_id == ref.id, Holding.valid_to.is_(None)
        )
    )


def owners_of(ref: Ref) -> list[HouseOwner]:
    """The owners of a house today, in their order; each ID number is read, whatever is asked of it later."""
    open_now = holding_of(ref)
    if open_now is None:
        return []
    roots = reading.owners_of(ref.community_id, [open_now.id]).get(open_now.id, [])
    same = heads.same_owners(ref.community_id)
    twins = defaultdict(list)
    for other, root in same.items():
        twins[root].append(other)
    rows = reading.owners_by_id(
        ref.community_id, [row for root in roots for row in (root.id, *twins[root.id])]
    )
    return [_facts(root, [rows[row] for row in (root.id, *twins[root.id])]) for root in roots]


def _facts(root: Owner, rows: list[Owner]) -> HouseOwner:
    numbers = [identity.unseal(row.id_sealed, "id_number", row.id) for row in rows]
    return HouseOwner(
        root,
        frozenset(row.name_hash for row in rows),
        tuple(
            KnownPhone(row.id, name, known)
            for row in rows
            for name, known in (("phone", row.phone_hash), ("phone2", row.phone2_hash))
            if known is not None
        ),
        frozenset(number[-6:] for number in numbers if number),
    )


def roots_today(community_id: int, house_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """House → the owners it has today, each by the row that stands for her."""
    same = heads.same_owners(community_id)
    found: dict[UUID, set[UUID]] = {house_id: set() for house_id in house_ids}
    rows = db.session().execute(
        select(Holding.house_id, HoldingOwner.owner_id)
        .join(
            HoldingOwner,
            and_(HoldingOwner.community_id == Holding.community_id, HoldingOwner.holding_id == Holding.id),
        )
        .where(
            Holding.community_id == community_id,
            Holding.house_id.in_(house_ids),
            Holding.valid_to.is_(None),
        )
    )
    for house_id, owner_id in rows:
        found[house_id].add(same.get(owner_id, owner_id))
    return found


class Address(NamedTuple):
    """How people name a house."""

    building: str
    unit: str
    number: str

    @property
    def words(self) -> str:
        """1栋1单元101."""
        return f"{self.building}{self.unit}{self.number}"


def addresses_of(houses: Collection[Ref]) -> dict[Ref, Address]:
    """House → its address, in one query, wherever they are."""
    if not houses:
        return {}
    rows = db.session().execute(
        select(House.community_id, House.id, Building.name, Unit.name, House.number)
        .outerjoin(
            Building, and_(Building.community_id == House.community_id, Building.id == House.building_id)
        )
        .outerjoin(Unit, and_(Unit.community_id == House.community_id, Unit.id == House.unit_id))
        .where(
            House.community_id.in_({house.community_id for house in houses}),
            House.id.in_({house.id for house in houses}),
        )
    )
    return {Ref(row[0], row[1]): Address(row[2] or "", row[3] or "", row[4]) for row in rows}


def addresses(community_id: int, house_ids: Iterable[UUID]) -> dict[UUID, Address]:
    """House → its address, in one query, however many they are."""
    # One parameter: a statement takes 65,535, and a roll may have more houses.
    wanted = literal(list(set(house_ids)), ARRAY(Uuid()))
    rows = db.session().execute(
        select(House.id, Building.name, Unit.name, House.number)
        .outerjoin(
            Building, and_(Building.community_id == House.community_id, Building.id == House.building_id)
        )
        .outerjoin(Unit, and_(Unit.community_id == House.community_id, Unit.id == House.unit_id))
        .where(House.community_id == community_id, House.id == any_(wanted))
    )
    return {row[0]: Address(row[1] or "", row[2] or "", row[3]) for row in rows}


@dataclass
class EstateOwner:
    """An owner within an estate: her rows' phones, and her houses by building."""

    owner: Owner
    phones: set[bytes] = field(default_factory=set)
    houses: list[tuple[str, str, UUID]] = field(default_factory=list)  # key, building, house

    @property
    def buildings(self) -> set[str]:
        """The buildings in which she owns something."""
        return {building for _, building, _ in self.houses}


def owners_in(
    estate: Ref, *, kinds: Collection[HouseKind] = (HouseKind.HOME, HouseKind.SHOP)
) -> list[EstateOwner]:
    """The owners of homes and shops of an estate today, in the order of their first house; not the developer's unsold.

    Names stay sealed; one query for the houses, one for the owners.
    """
    same = heads.same_owners(estate.community_id)
    rows = (
        db.session()
        .execute(
            select(House.key, Building.name, House.id, HoldingOwner.owner_id)
            .join(Holding, and_(Holding.community_id == House.community_id, Holding.house_id == House.id))
            .join(
                HoldingOwner,
                and_(
                    HoldingOwner.community_id == Holding.community_id, HoldingOwner.holding_id == Holding.id
                ),
            )
            .outerjoin(
                Building, and_(Building.community_id == House.community_id, Building.id == House.building_id)
            )
            .where(
                House.community_id == estate.community_id,
                House.estate_id == estate.id,
                House.kind.in_([kind.value for kind in kinds]),
                or_(House.valid_to.is_(None), House.valid_to > queries.today()),
                Holding.valid_to.is_(None),
                Holding.state == HoldingState.OWNED,
            )
            .order_by(House.key, HoldingOwner.position)
        )
        .all()
    )
    named = {owner_id for *_, owner_id in rows}
    known = reading.owners_by_id(
        estate.community_id, named | {same.get(owner_id, owner_id) for owner_id in named}
    )
    found: dict[UUID, EstateOwner] = {}
    for key, building, house_id, owner_id in rows:
        root = same.get(owner_id, owner_id)
        entry = found.setdefault(root, EstateOwner(known[root]))
        entry.houses.append((key, building or "", house_id))
        for row in (known[owner_id], known[root]):
            entry.phones |= {phone for phone in (row.phone_hash, row.phone2_hash) if phone is not None}
    return list(found.values())


def phones_of(community_id: int, owner_ids: Iterable[UUID]) -> dict[UUID, set[bytes]]:
    """Owner → the hashes of the phones that the registry holds for her today, in whichever of her rows."""
    same = heads.same_owners(community_id)
    wanted = set(owner_ids)
    roots = {same.get(owner_id, owner_id) for owner_id in wanted}
    rows = reading.owners_by_id(community_id, roots | {row for row, root in same.items() if root in roots})
    by_root: dict[UUID, set[bytes]] = defaultdict(set)
    for row in rows.values():
        known = {phone for phone in (row.phone_hash, row.phone2_hash) if phone is not None}
        by_root[same.get(row.id, row.id)] |= known
    return {owner_id: by_root[same.get(owner_id, owner_id)] for owner_id in wanted}


def standing_for(community_id: int, owner_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Owner → the row that stands for her today."""
    same = heads.same_owners(community_id)
    return {owner_id: same.get(owner_id, owner_id) for owner_id in owner_ids}
