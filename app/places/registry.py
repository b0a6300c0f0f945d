"""Writing the registry by hand: houses, their owners and voters, transfers, and who is whom.

Every write counts up the community's stamp, which also makes them one after another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app import audit, clock, db, ids
from app.audit import Actor
from app.errors import StaleVersion
from app.ids import Ref
from app.places import changes, heads, identity, outlines, queries, rooms, voters
from app.places import registry_queries as reading
from app.places.errors import (
    BadCell,
    BadDay,
    HouseTaken,
    NothingToSplit,
    OtherName,
    OtherPerson,
    OwnersMissing,
    SameAlready,
    TooManyOwners,
    UnsoldToAPerson,
)
from app.places.identity import BadValue, Party
from app.places.models import Building
from app.places.registry_models import (
    AreaBasis,
    Holding,
    HoldingOwner,
    HoldingState,
    House,
    HouseKind,
    Mark,
    ObjectKind,
    Owner,
    OwnerKind,
    Source,
    Stamp,
    Unit,
    rank_of,
)
from app.places.registry_queries import Reach
from app.places.words import WORDS

MAX_OWNERS = 20
AREAS = ("registered_centi", "surveyed_centi", "contract_centi")


def party(
    *, name: str, phone: str | None = None, phone2: str | None = None, id_number: str | None = None
) -> Party:
    """An owner as a clerk wrote her, in one spelling. Raises BadCell naming each field that is wrong."""
    wrong: dict[str, list[tuple[str, str]]] = {}
    given: dict[str, str | None] = {}
    for field, value, read in (
        ("name", name, identity.name),
        ("phone", phone, identity.phone),
        ("phone2", phone2, identity.phone),
        ("id_number", id_number, identity.id_number),
    ):
        try:
            given[field] = read(value) if value else None
        except BadValue as e:
            wrong[field] = [WORDS[e.code]]
    if wrong:
        raise BadCell(errors=wrong)
    return Party(name=given["name"] or "", **{k: v for k, v in given.items() if k != "name"})


def spelled(field: str, value: str) -> str:
    """A phone or a name to look for, in the spelling of the registry. Raises BadCell."""
    read = {"phone": identity.phone, "name": identity.name}[field]
    try:
        return read(value)
    except BadValue as e:
        raise BadCell(errors={field: [WORDS[e.code]]}) from e


def touch(community_id: int) -> int:
    """Count a write to the community's registry and hold its lock to the end of the transaction; the new count."""
    return int(
        db.session().scalar(
            insert(Stamp)
            .values(community_id=community_id, count=1)
            .on_conflict_do_update(index_elements=["community_id"], set_={"count": Stamp.count + 1})
            .returning(Stamp.count)
        )
        or 0
    )


def _mark(
    community_id: int,
    kind: ObjectKind,
    object_id: UUID,
    fields: Collection[str],
    *,
    source: Source,
    acting_user: Actor,
) -> None:
    db.session().add(
        Mark(
            community_id=community_id,
            id=ids.new_id(),
            object_kind=kind,
            object_id=object_id,
            fields=sorted(fields),
            source=source,
            rank=rank_of(source),
            at=clock.now(),
            actor_kind=acting_user.kind,
            actor_id=acting_user.id,
        )
    )


# --- houses ----------------------------------------------------------------------------------------------


def add_house(
    *,
    estate: Ref,
    number: str,
    acting_user: Actor,
    building: str = "",
    unit: str = "",
    kind: HouseKind = HouseKind.HOME,
    registered_centi: int | None = None,
    surveyed_centi: int | None = None,
    contract_centi: int | None = None,
    owners: Sequence[Party] = (),
    state: HoldingState = HoldingState.OWNED,
    since: date | None = None,
    source: Source = Source.STAFF,
    is_demo: bool = False,
) -> House:
    """Add a house to an estate, with its building and unit where they are new, and its owners from a day on.

    Areas in 0.01 m². Raises HouseTaken, TooManyOwners, UnsoldToAPerson, OtherName, BadDay.
    """
    touch(estate.community_id)
    since = since or queries.today()
    _check_day(since)
    building_row = _building(estate, building, is_demo=is_demo) if building else None
    unit_row = _unit(building_row, unit) if building_row is not None and unit else None
    now = clock.now()
    house = House(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        building_id=building_row.id if building_row else None,
        unit_id=unit_row.id if unit_row else None,
        kind=kind,
        number=rooms.plain(number),
        key=rooms.house_key(kind, building, unit, number),
        registered_centi=registered_centi,
        surveyed_centi=surveyed_centi,
        contract_centi=contract_centi,
        valid_from=since,
        version=1,
        created_at=now,
        updated_at=now,
        is_demo=is_demo,
    )
    _settle_area(house)
    try:
        with db.session().begin_nested():
            db.session().add(house)
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_houses_community_id_estate_id_key":
            raise HouseTaken(errors={"number": [(HouseTaken.zh, HouseTaken.en)]}) from e
        raise
    given = {"kind", "number"} | {name for name in AREAS if getattr(house, name) is not None}
    if owners or state is not HoldingState.OWNED:
        _open(house, owners, state=state, since=since, reason="correction", source=source, actor=acting_user)
        given.add("owners")
    _mark(house.community_id, ObjectKind.HOUSE, house.id, given, source=source, acting_user=acting_user)
    audit.record(
        acting_user, "house.added", community_id=house.community_id, object_kind="house", object_id=house.id
    )
    return house


def _building(estate: Ref, name: str, *, is_demo: bool) -> Building:
    wanted = rooms.building_key(name)
    for known in queries.buildings_of(estate):
        if rooms.building_key(known.name) == wanted:
            return known
    made = Building(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        name=rooms.plain(name),
        is_demo=is_demo,
    )
    db.session().add(made)
    db.session().flush()  # the house's foreign key needs it
    return made


def _unit(building: Building, name: str) -> Unit:
    wanted = rooms.unit_key(name)
    for known in db.session().scalars(
        select(Unit).where(Unit.community_id == building.community_id, Unit.building_id == building.id)
    ):
        if rooms.unit_key(known.name) == wanted:
            return known
    made = Unit(
        community_id=building.community_id, id=ids.new_id(), building_id=building.id, name=rooms.plain(name)
    )
    db.session().add(made)
    db.session().flush()  # the house's foreign key needs it
    return made


def _settle_area(house: House) -> None:
    """解释 8: registered, else surveyed, else contract."""
    house.area_centi, house.area_basis = None, None
    for basis in AreaBasis:
        area = getattr(house, f"{basis}_centi")
        if area is not None:
            house.area_centi, house.area_basis = area, basis
            return


def change_house(
    reach: Reach,
    ref: Ref,
    *,
    version: int | None,
    changes: dict[str, Any],
    source: Source,
    acting_user: Actor,
) -> House:
    """Change kind, the three areas, the outline, or the day from which the house no longer exists (`valid_to`).

    Raises NotFound, StaleVersion, HouseTaken, BadOutline.
    """
    touch(ref.community_id)
    house = reading.house_for(reach, ref, lock=True)
    if version is not None and house.version != version:
        raise StaleVersion
    if changes.get("outline") is not None:
        changes = changes | {"outline": outlines.outline_of(changes["outline"])}
    allowed = ("kind", *AREAS, "outline", "valid_to")
    changed = [name for name in allowed if name in changes and getattr(house, name) != changes[name]]
    for name in changed:
        setattr(house, name, changes[name])
    if "kind" in changed:
        view = reading.view_of(house)
        house.key = rooms.house_key(house.kind, view.building, view.unit, house.number)
    _settle_area(house)
    house.version += 1
    house.updated_at = clock.now()
    try:
        db.session().flush()  # the kind decides the key, which may be another house's
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_houses_community_id_estate_id_key":
            raise HouseTaken(errors={"kind": [(HouseTaken.zh, HouseTaken.en)]}) from e
        raise
    if changed:
        _mark(house.community_id, ObjectKind.HOUSE, house.id, changed, source=source, acting_user=acting_user)
        audit.record(
            acting_user,
            "house.changed",
            community_id=house.community_id,
            object_kind="house",
            object_id=house.id,
            fields=changed,
        )
    return house


# --- who owns it -----------------------------------------------------------------------------------------


def transfer(
    reach: Reach,
    ref: Ref,
    *,
    owners: Sequence[Party],
    since: date | None = None,
    state: HoldingState = HoldingState.OWNED,
    correction: bool = False,
    version: int | None = None,
    source: Source = Source.STAFF,
    acting_user: Actor,
) -> Holding:
    """From a day on (today) the house has these owners; the former ones stay in its history.

    `correction`: the entry before was wrong and never held; the new one takes its day. Raises NotFound,
    StaleVersion, OwnersMissing, TooManyOwners, UnsoldToAPerson, OtherName, BadDay.
    """
    touch(ref.community_id)
    house = reading.house_for(reach, ref, lock=True)
    if version is not None and house.version != version:
        raise StaleVersion
    if not owners and state is not HoldingState.UNSOLD:
        raise OwnersMissing
    since = since or queries.today()
    before = _close(house, since=since, correction=correction)
    if before is not None and correction:
        since = before.valid_from
    opened = _open(
        house,
        owners,
        state=state,
        since=since,
        reason="correction" if correction else "transfer",
        source=source,
        actor=acting_user,
    )
    house.version += 1
    house.updated_at = clock.now()
    _mark(house.community_id, ObjectKind.HOUSE, house.id, {"owners"}, source=source, acting_user=acting_user)
    audit.record(
        acting_user,
        "house.owners_corrected" if correction else "house.transferred",
        community_id=house.community_id,
        object_kind="house",
        object_id=house.id,
        since=since.isoformat(),
    )
    changes.owners_changed(house.community_id, [house.id], acting_user=acting_user)
    return opened


def _check_day(since: date) -> None:
    if since > queries.today():
        raise BadDay(errors={"since": [(BadDay.zh, BadDay.en)]})


def _close(house: House, *, since: date, correction: bool) -> Holding | None:
    """End the open holding on that day; a correction ends it on the day it began, as if it never held."""
    _check_day(since)
    open_now = db.session().scalar(
        select(Holding)
        .where(
            Holding.community_id == house.community_id,
            Holding.house_id == house.id,
            Holding.valid_to.is_(None),
        )
        .with_for_update()
    )
    if open_now is None:
        return None
    if not correction and since < open_now.valid_from:
        raise BadDay(errors={"since": [(BadDay.zh, BadDay.en)]})
    open_now.valid_to = open_now.valid_from if correction else since
    db.session().flush()  # only one may be open: the next one comes after
    return open_now


def _open(
    house: House,
    owners: Sequence[Party],
    *,
    state: HoldingState,
    since: date,
    reason: str,
    source: Source,
    actor: Actor,
) -> Holding:
    if len(owners) > MAX_OWNERS:
        raise TooManyOwners
    rows = list(dict.fromkeys(_owner(house.community_id, p, source=source, actor=actor) for p in owners))
    if state is HoldingState.UNSOLD and any(row.kind == OwnerKind.PERSON for row in rows):
        raise UnsoldToAPerson
    holding = Holding(
        community_id=house.community_id,
        id=ids.new_id(),
        house_id=house.id,
        state=state,
        voter_id=rows[0].id if len(rows) == 1 else None,
        valid_from=since,
        reason=reason,
        created_at=clock.now(),
    )
    db.session().add(holding)
    db.session().flush()  # the co-owners' foreign keys need it
    for position, owner in enumerate(rows):
        db.session().add(
            HoldingOwner(
                community_id=house.community_id,
                holding_id=holding.id,
                owner_id=owner.id,
                position=position,
            )
        )
    return holding


def _owner(community_id: int, who: Party, *, source: Source, actor: Actor) -> Owner:
    """The owner the registry knows by ID number, else by name and phone; else a new one.

    What is newly learnt of her is written. Raises OtherName.
    """
    name_hash = identity.name_hash(who.name)
    known = _known(community_id, who, name_hash)
    if known is not None and known.name_hash != name_hash:
        raise OtherName
    now = clock.now()
    if known is None:
        known = Owner(
            community_id=community_id,
            id=ids.new_id(),
            kind=who.kind,
            name_hash=name_hash,
            version=0,
            created_at=now,
        )
        known.name_sealed = identity.seal(who.name, "name", known.id)
        db.session().add(known)
    written = _learn(known, who)
    if written or known.version == 0:
        known.version += 1
        known.updated_at = now
        db.session().flush()  # marks and holdings name it
        _mark(
            community_id,
            ObjectKind.OWNER,
            known.id,
            written | ({"name"} if known.version == 1 else set()),
            source=source,
            acting_user=actor,
        )
    return known


def _known(community_id: int, who: Party, name_hash: bytes) -> Owner | None:
    session = db.session()
    if who.id_number is not None:
        by_id = session.scalar(
            select(Owner)
            .where(Owner.community_id == community_id, Owner.id_hash == identity.id_hash(who.id_number))
            .order_by(Owner.same_as.is_not(None), Owner.id)
            .limit(1)
        )
        if by_id is not None:
            return by_id
    if who.phone is None:
        return None
    phone = identity.phone_hash(who.phone)
    candidates = session.scalars(
        select(Owner)
        .where(
            Owner.community_id == community_id,
            Owner.name_hash == name_hash,
            or_(Owner.phone_hash == phone, Owner.phone2_hash == phone),
            ~Owner.is_apart,
            # Whoever has another ID number is another person of that name in the same flat: father and son.
            Owner.id_hash.is_(None) if who.id_number is not None else Owner.id.is_not(None),
        )
        .order_by(Owner.same_as.is_not(None), Owner.id)
    )
    number = who.id_number
    return next((c for c in candidates if number is None or not _is_anothers(c, number)), None)


def _id_hashes(community_id: int, roots: Collection[UUID], same: Mapping[UUID, UUID]) -> dict[UUID, bytes]:
    """The ID numbers known of these persons: row → its hash, whichever of their rows have one."""
    rows = {*roots, *(owner for owner, root in same.items() if root in roots)}
    return {
        owner.id: owner.id_hash
        for owner in reading.owners_by_id(community_id, rows).values()
        if owner.id_hash is not None
    }


def _is_anothers(owner: Owner, id_number: str) -> bool:
    """Does another row of the same person have a different ID number?"""
    same = heads.same_owners(owner.community_id)
    known = _id_hashes(owner.community_id, {same.get(owner.id, owner.id)}, same)
    known.pop(owner.id, None)
    return bool(set(known.values()) - {identity.id_hash(id_number)})


def _learn(owner: Owner, who: Party) -> set[str]:
    """Write what `who` says and the owner's row doesn't; the fields written."""
    written = set()
    if who.phone is not None and identity.phone_hash(who.phone) not in {owner.phone_hash, owner.phone2_hash}:
        owner.phone_sealed = identity.seal(who.phone, "phone", owner.id)
        owner.phone_hash = identity.phone_hash(who.phone)
        written.add("phone")
    if who.phone2 is not None and identity.phone_hash(who.phone2) not in {
        owner.phone_hash,
        owner.phone2_hash,
    }:
        owner.phone2_sealed = identity.seal(who.phone2, "phone2", owner.id)
        owner.phone2_hash = identity.phone_hash(who.phone2)
        written.add("phone2")
    if who.id_number is not None and owner.id_hash != identity.id_hash(who.id_number):
        owner.id_sealed = identity.seal(who.id_number, "id_number", owner.id)
        owner.id_hash = identity.id_hash(who.id_number)
        owner.kind = who.kind
        written.add("id_number")
    return written


def change_owner(
    reach: Reach,
    ref: Ref,
    *,
    version: int | None,
    changes: dict[str, str | None],
    source: Source,
    acting_user: Actor,
) -> Owner:
    """Correct name, phone, phone2 or id_number of an owner; None takes a phone or number away.

    Raises NotFound, StaleVersion, BadCell, OtherPerson (the ID number is another owner's).
    """
    touch(ref.community_id)
    owner = reading.owner_for(reach, ref, lock=True)
    if version is not None and owner.version != version:
        raise StaleVersion
    given = party(
        name=changes.get("name") or identity.unseal(owner.name_sealed, "name", owner.id) or "",
        phone=changes.get("phone"),
        phone2=changes.get("phone2"),
        id_number=changes.get("id_number"),
    )
    written = set()
    if "name" in changes and identity.name_hash(given.name) != owner.name_hash:
        owner.name_sealed = identity.seal(given.name, "name", owner.id)
        owner.name_hash = identity.name_hash(given.name)
        written.add("name")
    for field in ("phone", "phone2"):
        if field in changes and _put(owner, field, getattr(given, field), identity.phone_hash):
            written.add(field)
    if "id_number" in changes:
        if given.id_number is not None:
            holder = _known(
                owner.community_id, Party(name=given.name, id_number=given.id_number), owner.name_hash
            )
            if (holder is not None and holder.id != owner.id) or _is_anothers(owner, given.id_number):
                raise OtherPerson
        if _put(owner, "id", given.id_number, identity.id_hash, sealed_as="id_number"):
            written.add("id_number")
    owner.version += 1
    owner.updated_at = clock.now()
    if written:
        _mark(owner.community_id, ObjectKind.OWNER, owner.id, written, source=source, acting_user=acting_user)
        audit.record(
            acting_user,
            "owner.changed",
            community_id=owner.community_id,
            object_kind="owner",
            object_id=owner.id,
            fields=sorted(written),
        )
    if written & {"phone", "phone2"}:
        _tell_corrected(owner, acting_user)
    return owner


def _tell_corrected(owner: Owner, acting_user: Actor) -> None:
    db.session().flush()  # who follows reads what is written now
    houses = _held_by(owner, *heads.twins(owner.community_id, owner.id))
    changes.owners_changed(
        owner.community_id, houses, acting_user=acting_user, change=changes.Change.CORRECTED
    )


def learn_phone(reach: Reach, ref: Ref, *, phone: str, source: Source, acting_user: Actor) -> Owner:
    """The owner named this number (in the spelling of `spelled`): kept as her second one when she has another already,
    in place of the second when she has two. Raises NotFound.
    """
    owner = reading.owner_for(reach, ref)
    found = identity.phone_hash(phone)
    if found in {owner.phone_hash, owner.phone2_hash}:
        return owner
    field = "phone" if owner.phone_hash is None else "phone2"
    return change_owner(
        reach, ref, version=None, changes={field: phone}, source=source, acting_user=acting_user
    )


def _put(owner: Owner, column: str, value: str | None, hashed: Any, *, sealed_as: str | None = None) -> bool:
    new = hashed(value) if value is not None else None
    if getattr(owner, f"{column}_hash") == new:
        return False
    setattr(owner, f"{column}_hash", new)
    sealed = identity.seal(value, sealed_as or column, owner.id) if value is not None else None
    setattr(owner, f"{column}_sealed", sealed)
    return True


def register_voter(reach: Reach, ref: Ref, *, owner_id: UUID, acting_user: Actor) -> House:
    """The one of the co-owners who votes, for this house and every other that the same owners hold today.

    Raises NotFound, NotAnOwner.
    """
    touch(ref.community_id)
    house = reading.house_for(reach, ref, lock=True)
    voters.set_voter(house, voter=owner_id, acting_user=acting_user)
    return house


# --- who is whom -----------------------------------------------------------------------------------------


def merge(reach: Reach, ref: Ref, *, into: UUID, acting_user: Actor) -> Owner:
    """The owner is the same person as `into` (of the same community): from now on one head. The one that stands for
    both. Splitting undoes it. Raises NotFound, SameAlready, OtherPerson.
    """
    touch(ref.community_id)
    reading.owner_for(reach, ref)
    reading.owner_for(reach, Ref(ref.community_id, into))
    same = heads.same_owners(ref.community_id)
    root = same.get(ref.id, ref.id)
    onto = same.get(into, into)
    if root == onto:
        raise SameAlready
    rows = reading.owners_by_id(ref.community_id, {root, onto})
    merged, kept = rows[root], rows[onto]
    if len(set(_id_hashes(ref.community_id, {root, onto}, same).values())) > 1:
        raise OtherPerson
    merged.same_as = kept.id
    merged.is_apart = False
    merged.version += 1
    kept.version += 1
    merged.updated_at = kept.updated_at = clock.now()
    audit.record(
        acting_user,
        "owner.merged",
        community_id=ref.community_id,
        object_kind="owner",
        object_id=merged.id,
        into=str(kept.id),
    )
    _tell_corrected(kept, acting_user)
    return kept


def split(reach: Reach, ref: Ref, *, houses: Collection[UUID], acting_user: Actor) -> Owner:
    """Part what is not the same person; the one that was parted.

    Without houses: a merged owner is herself again. With some of her houses: these belong to another person of that
    name; a new owner holds them, with the name only. No import joins a parted owner to anybody by name and phone
    again. Raises NotFound, NothingToSplit.
    """
    touch(ref.community_id)
    owner = reading.owner_for(reach, ref, lock=True)
    parted = _unmerge(owner) if not houses else _part(owner, houses)
    changes.owners_changed(
        ref.community_id, _held_by(parted), acting_user=acting_user, change=changes.Change.PARTED
    )
    audit.record(
        acting_user,
        "owner.split",
        community_id=ref.community_id,
        object_kind="owner",
        object_id=owner.id,
        parted=str(parted.id),
        houses=len(houses),
    )
    return parted


def _held_by(owner: Owner, *twins: UUID) -> list[UUID]:
    return list(
        db.session().scalars(
            select(Holding.house_id)
            .join(
                HoldingOwner,
                (HoldingOwner.community_id == Holding.community_id) & (HoldingOwner.holding_id == Holding.id),
            )
            .where(
                Holding.community_id == owner.community_id,
                HoldingOwner.owner_id.in_([owner.id, *twins]),
                Holding.valid_to.is_(None),
            )
            .distinct()
        )
    )


def _unmerge(owner: Owner) -> Owner:
    if owner.same_as is None:
        raise NothingToSplit
    owner.same_as = None
    owner.is_apart = True
    owner.version += 1
    owner.updated_at = clock.now()
    return owner


def _part(owner: Owner, houses: Collection[UUID]) -> Owner:
    rows = list(
        db.session().scalars(
            select(HoldingOwner)
            .join(
                Holding,
                (Holding.community_id == HoldingOwner.community_id) & (Holding.id == HoldingOwner.holding_id),
            )
            .where(
                HoldingOwner.community_id == owner.community_id,
                HoldingOwner.owner_id == owner.id,
                Holding.house_id.in_(houses),
            )
        )
    )
    everything = db.session().scalars(
        select(HoldingOwner.holding_id).where(
            HoldingOwner.community_id == owner.community_id, HoldingOwner.owner_id == owner.id
        )
    )
    if not rows or len(rows) == len(list(everything)):
        raise NothingToSplit
    now = clock.now()
    parted = Owner(
        community_id=owner.community_id,
        id=ids.new_id(),
        kind=owner.kind,
        name_hash=owner.name_hash,
        is_apart=True,
        version=1,
        created_at=now,
        updated_at=now,
        is_demo=owner.is_demo,
    )
    name = identity.unseal(owner.name_sealed, "name", owner.id) or ""
    parted.name_sealed = identity.seal(name, "name", parted.id)
    db.session().add(parted)
    db.session().flush()  # holdings are about to name it
    holdings = [row.holding_id for row in rows]
    for table, column in ((HoldingOwner, "owner_id"), (Holding, "voter_id")):
        key = HoldingOwner.holding_id if table is HoldingOwner else Holding.id
        db.session().execute(
            update(table)
            .where(
                table.community_id == owner.community_id,
                key.in_(holdings),
                getattr(table, column) == owner.id,
            )
            .values({column: parted.id})
            .execution_options(synchronize_session=False)
        )
    db.session().expire_all()
    owner.version += 1
    owner.updated_at = now
    return parted


# --- in full ---------------------------------------------------------------------------------------------

UNMASKED = ("name", "phone", "phone2", "id_number")


def unmask(
    reach: Reach, ref: Ref, *, fields: Collection[str], purpose: str, acting_user: Actor
) -> dict[str, str | None]:
    """These fields of an owner in full, for a stated purpose; audited. Raises NotFound."""
    owner = reading.owner_for(reach, ref)
    audit.record(
        acting_user,
        "owner.unmasked",
        community_id=owner.community_id,
        object_kind="owner",
        object_id=owner.id,
        fields=sorted(fields),
        purpose=purpose,
    )
    sealed = {
        "name": owner.name_sealed,
        "phone": owner.phone_sealed,
        "phone2": owner.phone2_sealed,
        "id_number": owner.id_sealed,
    }
    return {field: identity.unseal(sealed[field], field, owner.id) for field in UNMASKED if field in fields}
