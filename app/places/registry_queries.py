"""Reading the registry: houses with their owners, one owner with her houses, who is perhaps the same.

Who asks is a `reach`: the estates she may see. Personal data come out sealed; what is shown of them is for the face.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, or_, select, tuple_

from app import db
from app.errors import NotFound
from app.ids import Ref
from app.places import heads, identity, rooms
from app.places.errors import SearchTooWide
from app.places.models import Building
from app.places.registry_models import (
    Holding,
    HoldingOwner,
    House,
    Mark,
    Owner,
    RegistryImport,
    Unit,
)

Reach = Collection[Ref]
MOST_ROOMS = 500  # of one number in an estate: one for each staircase


@dataclass(frozen=True)
class HouseView:
    """A house with the names of its place and its owners of today, in their order."""

    house: House
    building: str
    unit: str
    holding: Holding | None
    owners: list[Owner] = field(default_factory=list)


class HouseSearch(NamedTuple):
    """What a clerk looks for. Names are found exactly, or by surname together with a room; never by a part."""

    building: str | None = None
    unit: str | None = None
    room: str | None = None
    phone: str | None = None
    name: str | None = None
    surname: str | None = None
    kind: str | None = None


def house_for(reach: Reach, ref: Ref, *, lock: bool = False) -> House:
    """The house. Raises NotFound when it isn't there or lies in another's estate."""
    found = db.session().get(House, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or Ref(found.community_id, found.estate_id) not in reach:
        raise NotFound
    return found


def view_of(house: House) -> HouseView:
    """The house with its place and owners of today."""
    return _views([house])[0]


def views_of(houses: Sequence[House]) -> dict[Ref, HouseView]:
    """The houses by reference with their places and owners of today, in a few queries for each community."""
    by_home: dict[int, list[House]] = defaultdict(list)
    for house in houses:
        by_home[house.community_id].append(house)
    return {
        Ref(view.house.community_id, view.house.id): view
        for some in by_home.values()
        for view in _views(some)
    }


def _views(houses: Sequence[House]) -> list[HouseView]:
    if not houses:
        return []
    session = db.session()
    community_id = houses[0].community_id
    ids = [house.id for house in houses]
    buildings = _names(Building, community_id, {h.building_id for h in houses})
    units = _names(Unit, community_id, {h.unit_id for h in houses})
    holdings = {
        holding.house_id: holding
        for holding in session.scalars(
            select(Holding).where(
                Holding.community_id == community_id, Holding.house_id.in_(ids), Holding.valid_to.is_(None)
            )
        )
    }
    owners = owners_of(community_id, [h.id for h in holdings.values()])
    views = []
    for house in houses:
        holding = holdings.get(house.id)
        views.append(
            HouseView(
                house,
                buildings.get(house.building_id, "") if house.building_id else "",
                units.get(house.unit_id, "") if house.unit_id else "",
                holding,
                owners.get(holding.id, []) if holding else [],
            )
        )
    return views


def _names(model: type[Building | Unit], community_id: int, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    wanted = {i for i in ids if i is not None}
    if not wanted:
        return {}
    return dict(
        db.session()
        .execute(select(model.id, model.name).where(model.community_id == community_id, model.id.in_(wanted)))
        .all()
    )


def owners_of(community_id: int, holding_ids: Iterable[UUID]) -> dict[UUID, list[Owner]]:
    """Holding → its owners in their order; who was merged into another appears as that other."""
    rows = (
        db.session()
        .execute(
            select(HoldingOwner.holding_id, HoldingOwner.owner_id)
            .where(HoldingOwner.community_id == community_id, HoldingOwner.holding_id.in_(set(holding_ids)))
            .order_by(HoldingOwner.holding_id, HoldingOwner.position)
        )
        .all()
    )
    same = heads.same_owners(community_id)
    by_id = owners_by_id(community_id, {same.get(owner_id, owner_id) for _, owner_id in rows})
    found: dict[UUID, list[Owner]] = defaultdict(list)
    for holding_id, owner_id in rows:
        owner = by_id[same.get(owner_id, owner_id)]
        if owner not in found[holding_id]:
            found[holding_id].append(owner)
    return found


def owners_by_id(community_id: int, owner_ids: Iterable[UUID]) -> dict[UUID, Owner]:
    """Those owners, in one query."""
    wanted = set(owner_ids)
    if not wanted:
        return {}
    rows = db.session().scalars(select(Owner).where(Owner.community_id == community_id, Owner.id.in_(wanted)))
    return {owner.id: owner for owner in rows}


def houses_in(
    estate: Ref, search: HouseSearch, *, limit: int, after: tuple[str, UUID] | None = None
) -> list[HouseView]:
    """Houses of an estate by key. The caller has made sure that the estate may be seen.

    A surname is compared as a whole, among the rooms of one number. Raises SearchTooWide.
    """
    if search.surname is not None and search.room is None:
        raise SearchTooWide
    query = select(House).where(House.community_id == estate.community_id, House.estate_id == estate.id)
    if search.building is not None:
        wanted = rooms.building_key(search.building)
        ids = [b.id for b in _buildings(estate) if rooms.building_key(b.name) == wanted]
        query = query.where(House.building_id.in_(ids))
    if search.unit is not None:
        query = query.where(House.key.like(f"%|{_escaped(rooms.unit_key(search.unit))}|%"))
    if search.room is not None:
        query = query.where(House.key.like(f"%|{_escaped(rooms.number_key(search.room))}"))
    if search.kind is not None:
        query = query.where(House.kind == search.kind)
    if search.phone is not None:
        found = identity.phone_hash(search.phone)
        query = query.where(
            House.id.in_(
                _held_by(estate.community_id, or_(Owner.phone_hash == found, Owner.phone2_hash == found))
            )
        )
    if search.name is not None:
        query = query.where(
            House.id.in_(_held_by(estate.community_id, Owner.name_hash == identity.name_hash(search.name)))
        )
    if after is not None:
        query = query.where(tuple_(House.key, House.id) > after)
    # Names are sealed: those of all rooms of this number are read and compared, so the page is cut afterwards.
    most = MOST_ROOMS if search.surname is not None else limit
    views = _views(list(db.session().scalars(query.order_by(House.key, House.id).limit(most))))
    if search.surname is not None:
        views = [v for v in views if any(identity.surname(_name(o)) == search.surname for o in v.owners)]
    return views[:limit]


def houses_called(reach: Reach, text: str, *, limit: int) -> list[HouseView]:
    """Homes in these estates that are spelled as typed, by estate and room: 1栋2单元301, 1-2-301, or 301 alone."""
    room = rooms.split(text)
    number = rooms.number_key(room.number)
    if not reach or not any(c.isdigit() for c in number) or len(number) > 12:
        return []
    query = select(House).where(
        House.community_id.in_({ref.community_id for ref in reach}),
        House.estate_id.in_({r.id for r in reach}),
    )
    if room.building:
        unit = _escaped(rooms.unit_key(room.unit)) if room.unit else "%"
        query = query.where(
            House.key.like(f"{_escaped(rooms.building_key(room.building))}|{unit}|{_escaped(number)}")
        )
    else:
        # As most registers write it: by its index, however many estates there are.
        query = query.where(House.number.in_({room.number, number, f"{number}室", f"{number}号"}))
    found = list(db.session().scalars(query.order_by(House.estate_id, House.key, House.id).limit(limit)))
    views = views_of(found)
    return [views[Ref(house.community_id, house.id)] for house in found]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def homes_of_phones(
    reach: Reach, community_id: int, hashes: Collection[bytes]
) -> dict[bytes, list[HouseView]]:
    """Number (by its hash) → the houses in reach that an owner with this number holds today; for who goes there."""
    estates = {ref.id for ref in reach if ref.community_id == community_id}
    wanted = set(hashes)
    if not wanted or not estates:
        return {}
    query = (
        select(Owner.phone_hash, Owner.phone2_hash, House)
        .join(
            HoldingOwner, and_(HoldingOwner.community_id == community_id, HoldingOwner.owner_id == Owner.id)
        )
        .join(Holding, and_(Holding.community_id == community_id, Holding.id == HoldingOwner.holding_id))
        .join(House, and_(House.community_id == community_id, House.id == Holding.house_id))
        .where(
            Owner.community_id == community_id,
            or_(Owner.phone_hash.in_(wanted), Owner.phone2_hash.in_(wanted)),
            Holding.valid_to.is_(None),
            House.estate_id.in_(estates),
        )
        .order_by(House.estate_id, House.key)
    )
    rows = db.session().execute(query).all()
    views = views_of(list({house.id: house for _, _, house in rows}.values()))
    found: dict[bytes, list[HouseView]] = {}
    for first, second, house in rows:
        for one in {first, second}:
            if one is None or one not in wanted:
                continue
            known = found.setdefault(one, [])
            view = views[Ref(community_id, house.id)]
            if view not in known:
                known.append(view)
    return found


def _held_by(community_id: int, who: object) -> list[UUID]:
    """Houses that these owners, or anybody who is the same as one of them, hold today."""
    found = set(
        db.session().scalars(select(Owner.id).where(Owner.community_id == community_id, who))  # type: ignore[arg-type]  # a column expression
    )
    if not found:
        return []
    same = heads.same_owners(community_id)
    roots = {same.get(owner, owner) for owner in found}
    everyone = roots | {owner for owner, root in same.items() if root in roots}
    return list(
        db.session().scalars(
            select(Holding.house_id)
            .join(
                HoldingOwner,
                and_(
                    HoldingOwner.community_id == Holding.community_id, HoldingOwner.holding_id == Holding.id
                ),
            )
            .where(
                Holding.community_id == community_id,
                Holding.valid_to.is_(None),
                HoldingOwner.owner_id.in_(everyone),
            )
        )
    )


def _name(owner: Owner) -> str:
    return identity.unseal(owner.name_sealed, "name", owner.id) or ""


def staircases(estate: Ref) -> list[tuple[str, str, int]]:
    """(building, unit, houses) of an estate, in the order in which people count; "" where a house stands in none."""
    rows = db.session().execute(
        select(func.coalesce(Building.name, ""), func.coalesce(Unit.name, ""), func.count())
        .select_from(House)
        .outerjoin(
            Building, and_(Building.community_id == House.community_id, Building.id == House.building_id)
        )
        .outerjoin(Unit, and_(Unit.community_id == House.community_id, Unit.id == House.unit_id))
        .where(House.community_id == estate.community_id, House.estate_id == estate.id)
        .group_by(Building.name, Unit.name)
    )
    found = [(building, unit, houses) for building, unit, houses in rows]
    return sorted(found, key=lambda row: (not row[0], _counted(row[0]), _counted(row[1])))


def _counted(name: str) -> list[tuple[int, int | str]]:
    """A name in the order of its numbers: 2栋 before 10栋."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _buildings(estate: Ref) -> list[Building]:
    return list(
        db.session().scalars(
            select(Building).where(
                Building.community_id == estate.community_id, Building.estate_id == estate.id
            )
        )
    )


class Door(NamedTuple):
    """A house as anybody may see it: no owner, no area."""

    house_id: Ref
    building: str
    unit: str
    number: str
    kind: str
    key: str


def doors(estate: Ref, *, building: UUID | None, limit: int, after: tuple[str, UUID] | None) -> list[Door]:
    """The houses of an estate, or one of its buildings, to choose one's own from."""
    query = select(House).where(
        House.community_id == estate.community_id, House.estate_id == estate.id, House.valid_to.is_(None)
    )
    if building is not None:
        query = query.where(House.building_id == building)
    if after is not None:
        query = query.where(tuple_(House.key, House.id) > after)
    houses = list(db.session().scalars(query.order_by(House.key, House.id).limit(limit)))
    buildings = _names(Building, estate.community_id, {h.building_id for h in houses})
    units = _names(Unit, estate.community_id, {h.unit_id for h in houses})
    return [
        Door(
            Ref(h.community_id, h.id),
            buildings.get(h.building_id, "") if h.building_id else "",
            units.get(h.unit_id, "") if h.unit_id else "",
            h.number,
            h.kind,
            h.key,
        )
        for h in houses
    ]


# --- history and provenance ------------------------------------------------------------------------------


class Past(NamedTuple):
    """One holding of a house and who held."""

    holding: Holding
    owners: list[Owner]


def history(house: House) -> list[Past]:
    """Who held the house, newest first; what was corrected away isn't history."""
    holdings = list(
        db.session().scalars(
            select(Holding)
            .where(
                Holding.community_id == house.community_id,
                Holding.house_id == house.id,
                or_(Holding.valid_to.is_(None), Holding.valid_to > Holding.valid_from),
            )
            .order_by(Holding.valid_from.desc(), Holding.created_at.desc())
        )
    )
    owners = owners_of(house.community_id, [h.id for h in holdings])
    return [Past(h, owners.get(h.id, [])) for h in holdings]


class Origin(NamedTuple):
    """Where a field's present value came from."""

    source: str
    rank: int
    at: datetime
    by: UUID | None
    import_ref: Ref | None
    file_sha256: bytes | None
    sheet: str | None
    row: int | None


def origins(community_id: int, object_id: UUID) -> dict[str, Origin]:
    """Field → its provenance."""
    marks = list(
        db.session().scalars(
            select(Mark)
            .where(Mark.community_id == community_id, Mark.object_id == object_id)
            .order_by(Mark.at, Mark.id)
        )
    )
    files = _files({m.import_id for m in marks if m.import_id is not None})
    found: dict[str, Origin] = {}
    for mark in marks:
        file = files.get(mark.import_id) if mark.import_id else None
        origin = Origin(
            mark.source,
            mark.rank,
            mark.at,
            mark.actor_id,
            file[0] if file else None,
            file[1] if file else None,
            mark.sheet,
            mark.row,
        )
        found |= dict.fromkeys(mark.fields, origin)
    return found


def _files(import_ids: set[UUID]) -> dict[UUID, tuple[Ref, bytes]]:
    if not import_ids:
        return {}
    rows = db.session().execute(
        select(RegistryImport.community_id, RegistryImport.id, RegistryImport.file_sha256)
        .where(RegistryImport.id.in_(import_ids))
        .execution_options(cross_community="which file a value came from")
    )
    return {import_id: (Ref(community_id, import_id), sha256) for community_id, import_id, sha256 in rows}


# --- owners ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OwnerView:
    """An owner with the houses of today that the one who asks may see, and the rows merged into her."""

    owner: Owner
    houses: list[HouseView]
    merged: list[Owner]


def owner_for(reach: Reach, ref: Ref, *, lock: bool = False) -> Owner:
    """The owner of a house in reach, today or before. Raises NotFound."""
    found = db.session().get(Owner, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or not _estates_of(found) & set(reach):
        raise NotFound
    return found


def _estates_of(owner: Owner) -> set[Ref]:
    rows = db.session().scalars(
        select(House.estate_id)
        .join(Holding, and_(Holding.community_id == House.community_id, Holding.house_id == House.id))
        .join(
            HoldingOwner,
            and_(HoldingOwner.community_id == Holding.community_id, HoldingOwner.holding_id == Holding.id),
        )
        .where(House.community_id == owner.community_id, HoldingOwner.owner_id.in_(_everyone(owner)))
        .distinct()
    )
    return {Ref(owner.community_id, estate_id) for estate_id in rows}


def _everyone(owner: Owner) -> set[UUID]:
    same = heads.same_owners(owner.community_id)
    root = same.get(owner.id, owner.id)
    return {root} | {other for other, of in same.items() if of == root}


def owner_view(reach: Reach, owner: Owner) -> OwnerView:
    """The owner with her houses in reach."""
    everyone = _everyone(owner)
    houses = db.session().scalars(
        select(House)
        .join(Holding, and_(Holding.community_id == House.community_id, Holding.house_id == House.id))
        .join(
            HoldingOwner,
            and_(HoldingOwner.community_id == Holding.community_id, HoldingOwner.holding_id == Holding.id),
        )
        .where(
            House.community_id == owner.community_id,
            Holding.valid_to.is_(None),
            HoldingOwner.owner_id.in_(everyone),
            House.estate_id.in_({r.id for r in reach if r.community_id == owner.community_id}),
        )
        .order_by(House.estate_id, House.key)
        .distinct()
    )
    merged = owners_by_id(owner.community_id, everyone - {owner.id})
    return OwnerView(owner, _views(list(houses)), sorted(merged.values(), key=lambda o: o.id))


def uncertain(
    reach: Reach, *, limit: int, after: tuple[int, bytes] | None = None
) -> list[tuple[int, bytes, list[Owner]]]:
    """Owners of one name in one community that may be the same: at least one of them has no ID number, and nobody said
    that they are apart. By community and name hash; each with its community and hash for the cursor.
    """
    communities = {r.community_id for r in reach}
    estates = {r.id for r in reach}
    if not communities:
        return []
    in_reach = (
        select(Owner.community_id, Owner.name_hash, Owner.id, Owner.id_hash)
        .join(
            HoldingOwner,
            and_(HoldingOwner.community_id == Owner.community_id, HoldingOwner.owner_id == Owner.id),
        )
        .join(
            Holding, and_(Holding.community_id == Owner.community_id, Holding.id == HoldingOwner.holding_id)
        )
        .join(House, and_(House.community_id == Owner.community_id, House.id == Holding.house_id))
        .where(
            Owner.community_id.in_(communities),
            Owner.same_as.is_(None),
            ~Owner.is_apart,
            Holding.valid_to.is_(None),
            House.estate_id.in_(estates),
        )
        .distinct()
        .subquery()
    )
    groups = (
        select(in_reach.c.community_id, in_reach.c.name_hash)
        .group_by(in_reach.c.community_id, in_reach.c.name_hash)
        .having(func.count() > 1, func.count() > func.count(in_reach.c.id_hash))
        .order_by(in_reach.c.community_id, in_reach.c.name_hash)
        .limit(limit)
    )
    if after is not None:
        groups = groups.where(tuple_(in_reach.c.community_id, in_reach.c.name_hash) > after)
    found = []
    for community_id, name_hash in db.session().execute(groups).all():
        owners = db.session().scalars(
            select(Owner)
            .where(
                Owner.community_id == community_id,
                Owner.name_hash == name_hash,
                Owner.same_as.is_(None),
                ~Owner.is_apart,
            )
            .order_by(Owner.id)
        )
        found.append((community_id, name_hash, list(owners)))
    return found


def owners_found(reach: Reach, *, phone: str | None, name: str | None) -> list[Owner]:
    """Owners of houses in reach by phone or by exact name."""
    communities = {r.community_id for r in reach}
    query = select(Owner).where(Owner.community_id.in_(communities), Owner.same_as.is_(None))
    if phone is not None:
        found = identity.phone_hash(phone)
        query = query.where(or_(Owner.phone_hash == found, Owner.phone2_hash == found))
    if name is not None:
        query = query.where(Owner.name_hash == identity.name_hash(name))
    rows = db.session().scalars(query.order_by(Owner.community_id, Owner.id).limit(200))
    return [owner for owner in rows if _estates_of(owner) & set(reach)]
