"""What an import would change: the rows of a file beside the registry as it stands. Writes nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, func, select, text

from app import db, ids
from app.ids import Ref
from app.places import heads, identity, rooms
from app.places.headings import Field
from app.places.identity import Party
from app.places.models import Building
from app.places.register_file import Problem, Register, Row
from app.places.registry_models import (
    Holding,
    HoldingOwner,
    HoldingState,
    House,
    ObjectKind,
    Owner,
    Source,
    Unit,
    rank_of,
)

_HOUSE_FIELDS = ("kind", "registered_centi", "surveyed_centi", "contract_centi")
_HASH = {"phone": "phone_hash", "phone2": "phone2_hash", "id_number": "id_hash"}
# One row for each object, not for each field: there may be hundreds of thousands.
_RANKS = text(
    "SELECT object_id, array_agg(field ORDER BY field),"
    " array_agg(field ORDER BY field) FILTER (WHERE rank > :rank) FROM ("
    " SELECT DISTINCT ON (object_id, field) object_id, field, rank"
    " FROM registry_marks CROSS JOIN LATERAL unnest(fields) AS field"
    " WHERE registry_marks.community_id = :community_id"
    " ORDER BY object_id, field, at DESC, id DESC) AS newest"
    " WHERE rank >= :rank GROUP BY object_id"
).bindparams(bindparam("community_id"), bindparam("rank"))


@dataclass(slots=True)
class KnownHouse:
    """A house as the registry has it."""

    id: UUID
    kind: str
    registered_centi: int | None
    surveyed_centi: int | None
    contract_centi: int | None
    holding_id: UUID | None = None
    state: str = HoldingState.OWNED
    held_since: date | None = None
    owners: tuple[UUID, ...] = ()
    held_before: date | None = (
        None  # until when others held it before; the owners of today can't have come earlier
    )


@dataclass(slots=True)
class KnownOwner:
    """An owner, of the registry or of this file; `writes` is what the file adds, in clear until it is sealed."""

    community_id: int
    id: UUID
    name_hash: bytes
    phone_hash: bytes | None
    phone2_hash: bytes | None
    id_hash: bytes | None
    root: UUID
    is_apart: bool = False
    is_new: bool = False
    kind: str = ""
    writes: dict[str, str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)  # which of her fields this file has named
    first: Row | None = None  # the row that wrote first


class Found(NamedTuple):
    """Somebody whom a row names: the owner she is, None when the registry has her not yet."""

    owner: KnownOwner | None
    who: Party
    name_hash: bytes


@dataclass(slots=True)
class NewHolding:
    """A holding to be opened."""

    row: Row
    house_id: UUID
    state: str
    since: date
    owners: list[UUID]
    closes: UUID | None = None
    closed_on: date | None = None


@dataclass(slots=True)
class Confirmed:
    """What the file says again of a house or an owner, and a lesser source or nobody had said before."""

    row: Row
    kind: ObjectKind
    fields: set[str] = field(default_factory=set)


@dataclass
class Plan:
    """Everything an import would write, and what it counts."""

    new_buildings: list[tuple[Ref, UUID, str]] = field(default_factory=list)
    new_units: list[tuple[int, UUID, UUID, str]] = field(default_factory=list)
    new_houses: list[tuple[Row, UUID, UUID | None, UUID | None]] = field(default_factory=list)
    changed_houses: list[tuple[Row, KnownHouse, list[str]]] = field(default_factory=list)
    holdings: list[NewHolding] = field(default_factory=list)
    owners: list[KnownOwner] = field(default_factory=list)
    confirmed: dict[UUID, Confirmed] = field(default_factory=dict)
    conflicts: list[Problem] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    estates: list[Ref] = field(default_factory=list)
    digest: bytes = b""

    @property
    def communities(self) -> list[int]:
        """Whose registries it writes to."""
        return sorted({estate.community_id for estate in self.estates})


def of(register: Register, *, source: Source, today: date) -> Plan:
    """The plan for a file, against the registry as this transaction sees it."""
    return _Planner(register, source, today).plan()


class _Planner:
    def __init__(self, register: Register, source: Source, today: date) -> None:
        self.register, self.rank, self.today = register, int(rank_of(source)), today
        self.made = Plan(estates=sorted({row.estate for row in register.rows}))
        self.houses: dict[tuple[Ref, str], KnownHouse] = {}
        self.owners: dict[UUID, KnownOwner] = {}
        self.by_id: dict[tuple[int, bytes], KnownOwner] = {}
        self.by_phone: dict[tuple[int, bytes, bytes], list[KnownOwner]] = defaultdict(list)
        self.buildings: dict[tuple[Ref, str], UUID] = {}
        self.units: dict[tuple[UUID, str], UUID] = {}
        # Of each object, the fields that a better source said last, and those that one at least as good did.
        self.above: dict[UUID, tuple[str, ...]] = {}
        self.firm: dict[UUID, tuple[str, ...]] = {}
        self.written: dict[UUID, KnownOwner] = {}

    def plan(self) -> Plan:
        estates: dict[int, list[UUID]] = defaultdict(list)
        for estate in self.made.estates:
            estates[estate.community_id].append(estate.id)
        for community_id, estate_ids in estates.items():
            self._load(community_id, estate_ids)
        counts = dict.fromkeys(("new", "changed", "unchanged", "conflicting"), 0)
        digest = hashlib.sha256()
        for row in self.register.rows:
            state, what = self._row(row)
            counts[state] += 1
            if state != "unchanged":
                digest.update(f"{row.sheet}\0{row.row}\0{state}\0{what}\n".encode())
        made = self.made
        made.owners = list(self.written.values())
        counts["bad"] = len(self.register.bad_rows)
        counts["rows"] = self.register.total
        counts["new_buildings"] = len(made.new_buildings)
        counts["new_owners"] = sum(1 for owner in made.owners if owner.is_new)
        counts["changed_owners"] = len(made.owners) - counts["new_owners"]
        counts["transfers"] = sum(1 for holding in made.holdings if holding.closes is not None)
        made.counts, made.digest = counts, digest.digest()
        return made

    # --- the registry as it stands ------------------------------------------------------------------------

    def _load(self, community_id: int, estate_ids: list[UUID]) -> None:
        session = db.session()
        by_holding: dict[UUID, KnownHouse] = {}
        until = dict(
            session.execute(
                select(Holding.house_id, func.max(Holding.valid_to))
                .where(Holding.community_id == community_id, Holding.valid_to > Holding.valid_from)
                .group_by(Holding.house_id)
            ).all()
        )
        of_houses = (
            select(
                House.estate_id,
                House.key,
                House.id,
                House.kind,
                House.registered_centi,
                House.surveyed_centi,
                House.contract_centi,
                Holding.id,
                Holding.state,
                Holding.valid_from,
            )
            .outerjoin(
                Holding,
                and_(
                    Holding.community_id == House.community_id,
                    Holding.house_id == House.id,
                    Holding.valid_to.is_(None),
                ),
            )
            .where(House.community_id == community_id, House.estate_id.in_(estate_ids))
        )
        for estate_id, key, *known, holding_id, state, since in session.execute(of_houses):
            house = KnownHouse(*known)
            house.held_before = until.get(house.id)
            if holding_id is not None:
                house.holding_id, house.state, house.held_since = holding_id, state, since
                by_holding[holding_id] = house
            self.houses[Ref(community_id, estate_id), key] = house
        if by_holding:
            for holding_id, owner_id in session.execute(
                select(HoldingOwner.holding_id, HoldingOwner.owner_id)
                .join(
                    Holding,
                    and_(
                        Holding.community_id == HoldingOwner.community_id,
                        Holding.id == HoldingOwner.holding_id,
                        Holding.valid_to.is_(None),
                    ),
                )
                .where(HoldingOwner.community_id == community_id)
                .order_by(HoldingOwner.holding_id, HoldingOwner.position)
            ):
                if (held := by_holding.get(holding_id)) is not None:
                    held.owners = (*held.owners, owner_id)
        self._load_owners(community_id)
        self._load_buildings(community_id, estate_ids)
        alike: dict[tuple[str, ...], tuple[str, ...]] = {}  # most objects have the same few fields
        for object_id, firm, above in session.execute(
            _RANKS, {"community_id": community_id, "rank": self.rank}
        ):
            self.firm[object_id] = alike.setdefault(tuple(firm), tuple(firm))
            if above:
                self.above[object_id] = alike.setdefault(tuple(above), tuple(above))

    def _load_owners(self, community_id: int) -> None:
        same = heads.same_owners(community_id)
        rows = db.session().execute(
            select(
                Owner.id, Owner.name_hash, Owner.phone_hash, Owner.phone2_hash, Owner.id_hash, Owner.is_apart
            )
            .where(Owner.community_id == community_id)
            .order_by(Owner.same_as.is_not(None).desc(), Owner.id)
        )
        for owner_id, name_hash, phone_hash, phone2_hash, id_hash, is_apart in rows:
            self._index(
                KnownOwner(
                    community_id,
                    owner_id,
                    name_hash,
                    phone_hash,
                    phone2_hash,
                    id_hash,
                    root=same.get(owner_id, owner_id),
                    is_apart=is_apart,
                )
            )

    def _load_buildings(self, community_id: int, estate_ids: list[UUID]) -> None:
        session = db.session()
        found = session.execute(
            select(Building.estate_id, Building.id, Building.name).where(
                Building.community_id == community_id, Building.estate_id.in_(estate_ids)
            )
        )
        mine = []
        for estate_id, building_id, name in found:
            self.buildings[Ref(community_id, estate_id), rooms.building_key(name)] = building_id
            mine.append(building_id)
        for building_id, unit_id, name in session.execute(
            select(Unit.building_id, Unit.id, Unit.name).where(
                Unit.community_id == community_id, Unit.building_id.in_(mine)
            )
        ):
            self.units[building_id, rooms.unit_key(name)] = unit_id

    def _index(self, owner: KnownOwner) -> None:
        self.owners[owner.id] = owner
        if owner.id_hash is not None:
            self.by_id[owner.community_id, owner.id_hash] = owner
        for phone_hash in {owner.phone_hash, owner.phone2_hash} - {None}:
            assert phone_hash is not None
            self.by_phone[owner.community_id, owner.name_hash, phone_hash].append(owner)

    # --- one row ------------------------------------------------------------------------------------------

    def _row(self, row: Row) -> tuple[str, str]:
        """new, changed, unchanged or conflicting; and for the digest what would be written and what it would replace,
        so that a preview is never applied over something that nobody saw in it.
        """
        known = self.houses.get((row.estate, row.key))
        conflicts_before = len(self.made.conflicts)
        what: list[str] = []
        found = self._found(row, known)
        if known is None:
            self._new_house(row, found, what)
        else:
            self._known_house(row, known, found, what)
        if conflicts := self.made.conflicts[conflicts_before:]:
            what += [f"{conflict.field}!{conflict.code}" for conflict in conflicts]
            return "conflicting", " ".join(what)
        if known is None:
            return "new", " ".join(what)
        return ("changed" if what else "unchanged"), " ".join(what)

    def _conflict(self, row: Row, name: str, code: str, other_row: int | None = None) -> None:
        letter = self.register.letters.get((row.sheet, Field(name)))
        self.made.conflicts.append(Problem(row.sheet, row.row, letter, name, code, "conflict", other_row))

    def _is_above(self, object_id: UUID, name: str) -> bool:
        return name in self.above.get(object_id, ())

    def _confirm(self, row: Row, kind: ObjectKind, object_id: UUID, name: str) -> None:
        """The file says what the registry says: from now on the field is as good as the better of the two."""
        if name not in self.firm.get(object_id, ()):
            self.made.confirmed.setdefault(object_id, Confirmed(row, kind)).fields.add(name)

    def _new_house(self, row: Row, found: list[Found] | None, what: list[str]) -> None:
        owners = self._learned(row, found, what)
        building_id = self._building(row)
        unit_id = self._unit(row, building_id)
        house_id = ids.new_id()
        self.made.new_houses.append((row, house_id, building_id, unit_id))
        state = row.state or HoldingState.OWNED
        if owners or state is not HoldingState.OWNED:
            self._hold(row, house_id, state, owners, None)
            what.append(f"holding {state} of {_roots(owners)}")

    def _known_house(self, row: Row, known: KnownHouse, found: list[Found] | None, what: list[str]) -> None:
        changed = []
        for name in _HOUSE_FIELDS:
            value, now = getattr(row, name), getattr(known, name)
            if value is None:
                continue
            if value == now:
                self._confirm(row, ObjectKind.HOUSE, known.id, name)
            elif self._is_above(known.id, name):
                self._conflict(row, name, "better_source")
            else:
                changed.append(name)
                what.append(f"{known.id} {name} {now}>{value}")
        if self._known_owners(row, known, found, what):
            changed.append("owners")
        if changed:
            self.made.changed_houses.append((row, known, changed))

    def _known_owners(self, row: Row, known: KnownHouse, found: list[Found] | None, what: list[str]) -> bool:
        """Whether the row gives a house other owners or another state. Of owners it may not set, nothing is kept."""
        state = row.state or HoldingState(known.state)
        before = [self.owners[o] for o in known.owners]
        is_other = bool(found) and {who.owner.root if who.owner else None for who in found or ()} != {
            o.root for o in before
        }
        if not is_other and state == known.state:
            self._learned(row, found, what)
            if found or (row.state is not None and known.holding_id is not None and not before):
                self._confirm(row, ObjectKind.HOUSE, known.id, "owners")
            return False
        if self._is_above(known.id, "owners"):
            self._conflict(row, "name" if is_other else "state", "better_source")
            return False
        if known.held_before is not None and (row.since or self.today) < known.held_before:
            self._conflict(row, "since", "since_too_early")
            return False
        owners = self._learned(row, found, what) or before
        self._hold(row, known.id, state, owners, known)
        what.append(
            f"{known.id} {known.holding_id} {known.state} of {_roots(before)}>{state} of {_roots(owners)}"
        )
        return True

    def _hold(
        self, row: Row, house_id: UUID, state: str, owners: list[KnownOwner], known: KnownHouse | None
    ) -> None:
        since = row.since or self.today
        closes = known.holding_id if known else None
        closed_on = None
        if known is not None and known.held_since is not None and closes is not None:
            # A day before the present owners came: theirs was a mistake and never held.
            closed_on = max(since, known.held_since)
        self.made.holdings.append(
            NewHolding(
                row, house_id, state, since, list(dict.fromkeys(o.root for o in owners)), closes, closed_on
            )
        )

    def _building(self, row: Row) -> UUID | None:
        if not row.building:
            return None
        key = (row.estate, rooms.building_key(row.building))
        found = self.buildings.get(key)
        if found is None:
            found = self.buildings[key] = ids.new_id()
            self.made.new_buildings.append((row.estate, found, row.building))
        return found

    def _unit(self, row: Row, building_id: UUID | None) -> UUID | None:
        if not row.unit or building_id is None:
            return None
        key = (building_id, rooms.unit_key(row.unit))
        found = self.units.get(key)
        if found is None:
            found = self.units[key] = ids.new_id()
            self.made.new_units.append((row.estate.community_id, found, building_id, row.unit))
        return found

    # --- who they are -------------------------------------------------------------------------------------

    def _found(self, row: Row, known: KnownHouse | None) -> list[Found] | None:
        """The owners of a row, as far as they are known; None when the row names none, or one who can't be."""
        if not row.owners:
            return None
        living = [self.owners[o] for o in known.owners] if known is not None else []
        found = []
        for who in row.owners:
            name_hash = identity.name_hash(who.name)
            owner = self._who(row.estate.community_id, who, name_hash, living)
            if owner is not None and owner.name_hash != name_hash:
                self._conflict(row, "id_number", "other_name", owner.first.row if owner.first else None)
                return None
            found.append(Found(owner, who, name_hash))
        return found

    def _learned(self, row: Row, found: list[Found] | None, what: list[str]) -> list[KnownOwner]:
        """The owners of a row, with what it says of them; who wasn't known is now."""
        return [
            self._new_owner(row, who, name_hash, what)
            if owner is None
            else self._learn(row, owner, who, what)
            for owner, who, name_hash in found or ()
        ]

    def _who(
        self, community_id: int, who: Party, name_hash: bytes, living: Iterable[KnownOwner]
    ) -> KnownOwner | None:
        number = identity.id_hash(who.id_number) if who.id_number else None
        if number is not None and (by_id := self.by_id.get((community_id, number))) is not None:
            return self.owners[by_id.root]

        def may_be(owner: KnownOwner) -> bool:
            return number is None or owner.id_hash is None

        for phone in (who.phone, who.phone2):
            if phone is None:
                continue
            for owner in self.by_phone.get((community_id, name_hash, identity.phone_hash(phone)), ()):
                if not owner.is_apart and may_be(owner):
                    return self.owners[owner.root]
        # The same name in the same house is the same person, whose phone is new or unknown.
        for owner in living:
            root = self.owners[owner.root]
            if name_hash in {owner.name_hash, root.name_hash} and may_be(root):
                return root
        return None

    def _new_owner(self, row: Row, who: Party, name_hash: bytes, what: list[str]) -> KnownOwner:
        owner_id = ids.new_id()
        owner = KnownOwner(
            row.estate.community_id,
            owner_id,
            name_hash,
            identity.phone_hash(who.phone) if who.phone else None,
            identity.phone_hash(who.phone2) if who.phone2 else None,
            identity.id_hash(who.id_number) if who.id_number else None,
            root=owner_id,
            is_new=True,
            kind=who.kind,
            writes={
                name: value
                for name, value in (
                    ("name", who.name),
                    ("phone", who.phone),
                    ("phone2", who.phone2),
                    ("id_number", who.id_number),
                )
                if value is not None
            },
            first=row,
        )
        owner.said = set(owner.writes)
        self._index(owner)
        self.written[owner.id] = owner
        what.append("owner")
        return owner

    def _learn(self, row: Row, owner: KnownOwner, who: Party, what: list[str]) -> KnownOwner:
        if who.id_number is not None:
            if (new := identity.id_hash(who.id_number)) != owner.id_hash:
                self._tell(row, owner, "id_number", who.id_number, new, what)
            else:
                self._repeat(row, owner, "id_number")
        for name, phone in (("phone", who.phone), ("phone2", who.phone2)):
            if phone is None:
                continue
            new = identity.phone_hash(phone)
            if new in {owner.phone_hash, owner.phone2_hash}:
                self._repeat(row, owner, "phone" if new == owner.phone_hash else "phone2")
                continue
            # Two rows of one file give her two phones: the second one is kept beside the first.
            self._tell(row, owner, "phone2" if "phone" in owner.said else name, phone, new, what)
        return owner

    def _repeat(self, row: Row, owner: KnownOwner, name: str) -> None:
        owner.said.add(name)
        if name not in owner.writes:
            self._confirm(row, ObjectKind.OWNER, owner.id, name)

    def _tell(self, row: Row, owner: KnownOwner, name: str, value: str, new: bytes, what: list[str]) -> None:
        if name in owner.said:
            self._conflict(row, name, "differs_in_file", owner.first.row if owner.first else None)
        elif self._is_above(owner.id, name):
            self._conflict(row, name, "better_source")
        else:
            # Hashes: in the digest nothing of a person can be read.
            before: bytes | None = getattr(owner, _HASH[name])
            what.append(f"{_roots([owner])} {name} {before.hex() if before else ''}>{new.hex()}")
            self._write(row, owner, name, value, new)

    def _write(self, row: Row, owner: KnownOwner, name: str, value: str, new: bytes) -> None:
        setattr(owner, _HASH[name], new)
        owner.writes[name] = value
        owner.said.add(name)
        owner.first = owner.first or row
        if name == "id_number":
            owner.kind = Party("", id_number=value).kind
            self.by_id[owner.community_id, new] = owner
        else:
            self.by_phone[owner.community_id, owner.name_hash, new].append(owner)
        self.written[owner.id] = owner


def _roots(owners: Iterable[KnownOwner]) -> str:
    """Who they are, in any order; a new owner's ID is another one each time the file is read."""
    return ",".join(sorted("new" if owner.is_new else str(owner.root) for owner in owners))
