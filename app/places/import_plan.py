"""What an import would change: the rows of a file beside the registry as it stands. Writes nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import and_, bindparam, select, text

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
    Owner,
    Source,
    Unit,
    rank_of,
)

_HOUSE_FIELDS = ("kind", "registered_centi", "surveyed_centi", "contract_centi")
_RANKS = text(
    "SELECT object_id, field, rank FROM ("
    " SELECT DISTINCT ON (object_id, field) object_id, field, rank"
    " FROM registry_marks CROSS JOIN LATERAL unnest(fields) AS field"
    " WHERE registry_marks.community_id = :community_id"
    " ORDER BY object_id, field, at DESC, id DESC) AS newest"
    " WHERE rank > :rank"
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


@dataclass
class Plan:
    """Everything an import would write, and what it counts."""

    new_buildings: list[tuple[Ref, UUID, str]] = field(default_factory=list)
    new_units: list[tuple[int, UUID, UUID, str]] = field(default_factory=list)
    new_houses: list[tuple[Row, UUID, UUID | None, UUID | None]] = field(default_factory=list)
    changed_houses: list[tuple[Row, KnownHouse, list[str]]] = field(default_factory=list)
    holdings: list[NewHolding] = field(default_factory=list)
    owners: list[KnownOwner] = field(default_factory=list)
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
        self.above: dict[tuple[UUID, str], int] = {}
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
        for object_id, name, rank in session.execute(
            _RANKS, {"community_id": community_id, "rank": self.rank}
        ):
            self.above[object_id, name] = rank

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
        """new, changed, unchanged or conflicting, and what would be written, for the digest."""
        known = self.houses.get((row.estate, row.key))
        conflicts_before = len(self.made.conflicts)
        what: list[str] = []
        owners = self._owners(row, known, what)
        if known is None:
            self._new_house(row, owners, what)
        else:
            self._known_house(row, known, owners, what)
        if len(self.made.conflicts) > conflicts_before:
            return "conflicting", " ".join(what)
        if known is None:
            return "new", " ".join(what)
        return ("changed" if what else "unchanged"), " ".join(what)

    def _conflict(self, row: Row, name: str, code: str, other_row: int | None = None) -> None:
        letter = self.register.letters.get((row.sheet, Field(name)))
        self.made.conflicts.append(Problem(row.sheet, row.row, letter, name, code, "conflict", other_row))

    def _new_house(self, row: Row, owners: list[KnownOwner] | None, what: list[str]) -> None:
        building_id = self._building(row)
        unit_id = self._unit(row, building_id)
        house_id = ids.new_id()
        self.made.new_houses.append((row, house_id, building_id, unit_id))
        state = row.state or HoldingState.OWNED
        if owners or state is not HoldingState.OWNED:
            self._hold(row, house_id, state, owners or [], None)
            what.append("holding")

    def _known_house(
        self, row: Row, known: KnownHouse, owners: list[KnownOwner] | None, what: list[str]
    ) -> None:
        changed = []
        for name in _HOUSE_FIELDS:
            value = getattr(row, name)
            if value is None or value == getattr(known, name):
                continue
            if (known.id, name) in self.above:
                self._conflict(row, name, "better_source")
            else:
                changed.append(name)
        state = row.state or HoldingState(known.state)
        now = {self.owners[o].root for o in known.owners}
        wanted = {o.root for o in owners} if owners else now
        if wanted != now or state != known.state:
            if (known.id, "owners") in self.above:
                self._conflict(row, "name" if wanted != now else "state", "better_source")
            else:
                kept = owners or [self.owners[o] for o in known.owners]
                self._hold(row, known.id, state, kept, known)
                changed.append("owners")
        if changed:
            self.made.changed_houses.append((row, known, changed))
            what += [str(known.id), *changed]

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

    def _owners(self, row: Row, known: KnownHouse | None, what: list[str]) -> list[KnownOwner] | None:
        """The owners of a row, known or new; None when the row names none, or one who can't be."""
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
            found.append((owner, who, name_hash))
        return [
            self._new_owner(row, who, name_hash, what)
            if owner is None
            else self._learn(row, owner, who, what)
            for owner, who, name_hash in found
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
        if who.id_number is not None and (new := identity.id_hash(who.id_number)) != owner.id_hash:
            self._tell(row, owner, "id_number", who.id_number, new, what)
        for name, phone in (("phone", who.phone), ("phone2", who.phone2)):
            if phone is None:
                continue
            new = identity.phone_hash(phone)
            if new in {owner.phone_hash, owner.phone2_hash}:
                owner.said.add("phone" if new == owner.phone_hash else "phone2")
                continue
            # Two rows of one file give her two phones: the second one is kept beside the first.
            self._tell(row, owner, "phone2" if "phone" in owner.said else name, phone, new, what)
        return owner

    def _tell(self, row: Row, owner: KnownOwner, name: str, value: str, new: bytes, what: list[str]) -> None:
        if name in owner.said:
            self._conflict(row, name, "differs_in_file", owner.first.row if owner.first else None)
        elif (owner.id, name) in self.above:
            self._conflict(row, name, "better_source")
        else:
            self._write(row, owner, name, value, new)
            what.append(name if owner.is_new else f"{owner.id} {name}")

    def _write(self, row: Row, owner: KnownOwner, name: str, value: str, new: bytes) -> None:
        setattr(owner, {"id_number": "id_hash"}.get(name, f"{name}_hash"), new)
        owner.writes[name] = value
        owner.said.add(name)
        owner.first = owner.first or row
        if name == "id_number":
            owner.kind = Party("", id_number=value).kind
            self.by_id[owner.community_id, new] = owner
        else:
            self.by_phone[owner.community_id, owner.name_hash, new].append(owner)
        self.written[owner.id] = owner
