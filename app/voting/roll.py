"""The roll (业主名册): frozen once before a decision opens, and what the registry says afterwards doesn't touch it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_

from app import audit, clock, db, ids
from app.audit import Actor
from app.ids import Kind, Ref
from app.memberships import queries as memberships
from app.memberships.models import SUSPENDING, Membership, MembershipStatus, Relation
from app.places import heads, households, registry, rooms
from app.places import queries as places
from app.places.heads import Head
from app.places.registry_models import House, HouseKind
from app.voting import events, keys, ledger, queries, texts, verify
from app.voting.errors import IllegalMove, NotFrozen, NothingOnRoll
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import RollHead, RollHouse, RollOwner
from app.voting.rules import Rules

LABEL = 200  # characters of the rooms that name a head
SORT_KEY = 120


def kinds_of(rules: Rules) -> tuple[HouseKind, ...]:
    """Which houses count: homes and shops, and what the owners' own rules add."""
    kinds = [HouseKind.HOME, HouseKind.SHOP]
    if rules.parking_counted:
        kinds += [HouseKind.GARAGE, HouseKind.PARKING]
    if rules.storage_counted:
        kinds.append(HouseKind.STORAGE)
    return tuple(kinds)


def heads_today(row: Decision, *, as_of: date | None = None) -> list[Head]:
    """The heads as the registry counts them on a day (today), in the decision's buildings and by its rules."""
    return heads.heads_of(
        queries.estate_of(row),
        as_of=as_of or places.today(),
        kinds=kinds_of(queries.rules_of(row)),
        building_ids=_buildings(row),
    )


def freeze(ref: Ref, *, acting_user: Actor, written: Callable[[Decision], None] | None = None) -> Decision:
    """Write the roll, publish its root in leaf 0 of the log, fix what is voted on. Once: later calls change nothing.
    `written` is called between the two, and may still move the decision's times.

    Raises NotFound, IllegalMove (not announced), NothingOnRoll.
    """
    registry.touch(ref.community_id)  # nobody writes the registry while it is read
    row = queries.decision(ref, lock=True)
    if row.frozen_at is not None:
        return row
    if row.status != DecisionStatus.ANNOUNCED or row.opens_at is None or row.closes_at is None:
        raise IllegalMove
    with db.in_bulk():
        found = heads_today(row)
        area = sum(head.area_centi for head in found)
        if not found or area == 0:
            raise NothingOnRoll
        new = keys.new_keys(ref)
        row.roll_root_hash = _write(row, found, new.keys)
    if written is not None:
        written(row)
    row.heads, row.area_centi, row.frozen_at = len(found), area, clock.now()
    row.version += 1
    row.updated_at = clock.now()
    ledger.open_log(row, new, leaf_zero(row))
    events.add(
        row,
        "frozen",
        acting_user,
        heads=len(found),
        area_centi=area,
        roll_root=row.roll_root_hash.hex(),
    )
    audit.record(
        acting_user,
        "decision.frozen",
        community_id=ref.community_id,
        object_kind=queries.OBJECT_KIND,
        object_id=ref.id,
        heads=len(found),
    )
    return row


def leaf_zero(row: Decision) -> dict[str, Any]:
    """Leaf 0 of the log: everything that was announced, and the roll it is decided by."""
    assert row.opens_at is not None
    assert row.closes_at is not None
    assert row.roll_root_hash is not None
    ref = queries.ref_of(row)
    candidates, buildings = queries.candidates_of(ref), _buildings(row)

    def wire(kind: Kind, thing: UUID) -> str:
        return ids.encode(kind, Ref(row.community_id, thing))

    return {
        "type": "opening",
        "v": 1,
        "decision": ids.encode(Kind.DECISION, ref),
        "kind": row.kind,
        "buildings": None if buildings is None else sorted(wire(Kind.BUILDING, b) for b in buildings),
        "texts": texts.digest_of(row),
        "motions": [
            {
                "id": wire(Kind.MOTION, motion.id),
                "number": motion.number,
                "matter": motion.matter,
                "seats": motion.seats,
                "alternates": motion.alternates,
                "candidates": [wire(Kind.CANDIDATE, c.id) for c in candidates if c.motion_id == motion.id],
            }
            for motion in queries.motions_of(ref)
        ],
        "rules": row.rules,
        "legal_mode": row.legal_mode,
        "opens_at": clock.rfc3339(row.opens_at),
        "closes_at": clock.rfc3339(row.closes_at),
        "heads": row.heads,
        "area_centi": row.area_centi,
        "roll_root": row.roll_root_hash.hex(),
    }


def _write(row: Decision, found: Sequence[Head], secret: keys.DecisionKeys) -> bytes:
    """The rows of the roll; the root of its tree."""
    community_id = row.community_id
    named = households.addresses(community_id, [house for head in found for house in head.houses])
    facts = _houses(row)
    rows_of: dict[UUID, list[UUID]] = defaultdict(list)  # everybody's other rows
    for other, root in heads.same_owners(community_id).items():
        rows_of[root].append(other)
    # In no order that says where somebody lives: neighbours in the tree would know each other's place in the log.
    numbers = list(range(1, len(found) + 1))
    random.SystemRandom().shuffle(numbers)
    key = (community_id, row.id)
    head_rows: list[tuple[Any, ...]] = []
    house_rows: list[tuple[Any, ...]] = []
    owner_rows: list[tuple[Any, ...]] = []
    leaves: list[bytes] = [b""] * len(found)
    for number, head in zip(numbers, found, strict=True):
        head_id = ids.new_id()
        tag = secret.tag(head_id)
        entry = verify.roll_entry(number=number, tag=tag, area_centi=head.area_centi)
        leaves[number - 1] = verify.leaf_hash(verify.canonical(entry))
        houses = sorted(head.houses, key=lambda house: rooms.natural_key(named[house].words))
        words = [named[house].words for house in houses]
        voter_rows = {head.voter, *rows_of[head.voter]} if head.voter else set()
        first = facts[houses[0]].building_id
        head_rows.append(
            (
                *(*key, head_id, number, bytes.fromhex(tag), head.area_centi, len(houses), label_of(words)),
                *(rooms.natural_key(words[0])[:SORT_KEY], first, head.voter, head.is_developer),
            )
        )
        house_rows += [
            (*key, house, head_id, *facts[house], name[:140])
            for house, name in zip(houses, words, strict=True)
        ]
        owner_rows += [
            (*key, owner, head_id, owner in voter_rows)
            for root in head.owners
            for owner in (root, *rows_of[root])
        ]
    for model, columns, values in (
        (RollHead, _HEAD, head_rows),
        (RollHouse, _HOUSE, house_rows),
        (RollOwner, _OWNER, owner_rows),
    ):
        db.copy_in(model, columns, values)
    return verify.root_of(leaves)


_DECISION = ("community_id", "decision_id")
_HEAD = (
    *(*_DECISION, "id", "number", "tag_hash", "area_centi", "houses", "label"),
    *("sort_key", "building_id", "voter_id", "is_developer"),
)
_HOUSE = (*_DECISION, "house_id", "head_id", "building_id", "area_centi", "area_basis", "label")
_OWNER = (*_DECISION, "owner_id", "head_id", "is_voter")


def label_of(rooms: Sequence[str]) -> str:
    """What a head is called: its rooms, as many as fit, and how many they are."""
    said = "、".join(rooms)
    if len(said) <= LABEL:
        return said
    more = f"等{len(rooms)}处"
    kept = ""
    for room in rooms:
        if len(kept) + len(room) + 1 + len(more) > LABEL:
            break
        kept = f"{kept}、{room}" if kept else room
    return kept[: LABEL - len(more)] + more


class _House(NamedTuple):
    building_id: UUID | None
    area_centi: int | None
    area_basis: str | None


def _buildings(row: Decision) -> list[UUID] | None:
    return None if row.building_ids is None else [UUID(str(b)) for b in row.building_ids]


def _houses(row: Decision, house_ids: Collection[UUID] | None = None) -> dict[UUID, _House]:
    query = select(House.id, House.building_id, House.area_centi, House.area_basis).where(
        House.community_id == row.community_id, House.estate_id == row.estate_id
    )
    if house_ids is not None:
        query = query.where(House.id.in_(house_ids))
    rows = db.session().execute(query)
    return {house_id: _House(building, area, basis) for house_id, building, area, basis in rows}


# --- reading it --------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """A head with what an owner may know of her own: her houses, and where she stands in the roll's tree."""

    head: RollHead
    houses: list[RollHouse]
    is_voter: bool


class Place(NamedTuple):
    """Where a head stands among the others by its rooms; what a list goes on after."""

    sort_key: str
    label: str
    head_id: UUID


def place_of(head: RollHead) -> Place:
    """Of one head."""
    return Place(head.sort_key, head.label, head.id)


BY_ROOMS = (RollHead.sort_key, RollHead.label, RollHead.id)


class Wanted(NamedTuple):
    """Which heads of a roll. `room`: as people write it (1栋2单元301, 1-2-301), or how it begins; `is_weak`: nobody
    votes for it yet, or nobody knows its area.
    """

    building_id: UUID | None = None
    room: str | None = None
    is_weak: bool = False

    def of(self, ref: Ref) -> ColumnElement[bool]:
        """The heads of this roll that are wanted."""
        found = and_(RollHead.community_id == ref.community_id, RollHead.decision_id == ref.id)
        if self.building_id is not None:
            found &= RollHead.building_id == self.building_id
        if self.is_weak:
            found &= or_(RollHead.voter_id.is_(None), RollHead.area_centi == 0)
        if self.room is not None:
            found &= _has_room(ref, rooms.split(self.room))
        return found


def _has_room(ref: Ref, room: rooms.Room) -> ColumnElement[bool]:
    building, unit = rooms.building_key(room.building), rooms.unit_key(room.unit)
    like = "|".join(
        [
            _literally(building) or "%",
            _literally(unit) or "%",
            _literally(rooms.number_key(room.number)) + "%",
        ]
    )
    return exists().where(
        RollHouse.community_id == ref.community_id,
        RollHouse.decision_id == ref.id,
        RollHouse.head_id == RollHead.id,
        House.community_id == RollHouse.community_id,
        House.id == RollHouse.house_id,
        House.key.like(like, escape="!"),
    )


def _literally(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


_EVERY = Wanted()


def heads_on_roll(
    ref: Ref, *, limit: int, after: Place | None = None, wanted: Wanted = _EVERY
) -> list[RollHead]:
    """The heads of the roll by their rooms."""
    query = select(RollHead).where(wanted.of(ref))
    if after is not None:
        query = query.where(tuple_(*BY_ROOMS) > after)
    return list(db.session().scalars(query.order_by(*BY_ROOMS).limit(limit)))


def houses_of(ref: Ref, head_ids: Sequence[UUID]) -> dict[UUID, list[RollHouse]]:
    """Head → its houses."""
    found: dict[UUID, list[RollHouse]] = {head_id: [] for head_id in head_ids}
    for house in db.session().scalars(
        select(RollHouse)
        .where(
            RollHouse.community_id == ref.community_id,
            RollHouse.decision_id == ref.id,
            RollHouse.head_id.in_(list(head_ids)),
        )
        .order_by(RollHouse.house_id)
    ):
        found[house.head_id].append(house)
    return {head_id: by_rooms(houses) for head_id, houses in found.items()}


def by_rooms(houses: list[RollHouse]) -> list[RollHouse]:
    """Houses in the order in which people count them: 2栋 stands before 10栋."""
    return sorted(houses, key=lambda house: rooms.natural_key(house.label))


def is_owner(resident_id: UUID, estate: Ref) -> bool:
    """Is she bound as an owner of something there, be it weakly, and nobody doubts it?"""
    mine = memberships.mine(resident_id)
    return any(Ref(m.community_id, m.estate_id) == estate and _is_hers(m) for m in mine)


def _is_hers(m: Membership) -> bool:
    return m.relation == Relation.OWNER and memberships.holds(m) and m.review not in SUSPENDING


def owner_rows_of(resident_id: UUID, community_id: int, *, with_vote: bool = True) -> set[UUID]:
    """The rows of the registry as which a resident may vote at this moment, in one community: not while her membership
    is under review or held. Without `with_vote` also those as which she is only weakly known.
    """
    found = db.session().scalars(
        select(Membership).where(
            Membership.community_id == community_id,
            Membership.resident_id == resident_id,
            Membership.relation == Relation.OWNER,
            Membership.status == MembershipStatus.VERIFIED,
        )
    )
    return owner_rows_in(found, with_vote=with_vote)


def owner_rows_in(mine: Iterable[Membership], *, with_vote: bool) -> set[UUID]:
    """The same, of somebody whose memberships in the community are at hand."""
    return {
        m.owner_id
        for m in mine
        if m.owner_id is not None and (memberships.vote_of(m).may if with_vote else _is_hers(m))
    }


def entries_of(resident_id: UUID, row: Decision, *, with_vote: bool = True) -> list[Entry]:
    """The heads of the frozen roll of which she is an owner, whether or not she is the one who votes. Without
    `with_vote` also those of an owner who is only weakly known: her own entry, to be checked.
    """
    ref = queries.ref_of(row)
    mine = owner_rows_of(resident_id, ref.community_id, with_vote=with_vote)
    if not mine:
        return []
    voting: dict[UUID, bool] = {}
    for head_id, is_voter in db.session().execute(
        select(RollOwner.head_id, RollOwner.is_voter).where(
            RollOwner.community_id == ref.community_id,
            RollOwner.decision_id == ref.id,
            RollOwner.owner_id.in_(mine),
        )
    ):
        voting[head_id] = voting.get(head_id, False) or is_voter
    houses = houses_of(ref, list(voting))
    heads_ = db.session().scalars(
        select(RollHead)
        .where(
            RollHead.community_id == ref.community_id,
            RollHead.decision_id == ref.id,
            RollHead.id.in_(voting),
        )
        .order_by(*BY_ROOMS)
    )
    return [Entry(head, houses[head.id], voting[head.id]) for head in heads_]


class Preview(NamedTuple):
    """A head as the registry has it today, before the roll is frozen: what an owner checks, and may object to."""

    houses: list[RollHouse]
    area_centi: int
    is_voter: bool
    has_voter: bool


def preview_of(resident_id: UUID, row: Decision) -> list[Preview]:
    """What the roll would say of her heads if it were frozen now."""
    return preview_for(owner_rows_of(resident_id, row.community_id, with_vote=False), row)


def preview_for(mine: set[UUID], row: Decision) -> list[Preview]:
    """The same, of whoever is these owners of the registry."""
    estate, today = queries.estate_of(row), places.today()
    house_ids = heads.houses_held_by(row.community_id, mine, as_of=today) if mine else set()
    if not house_ids:
        return []
    held = heads.houses_on(
        estate,
        as_of=today,
        kinds=kinds_of(queries.rules_of(row)),
        building_ids=_buildings(row),
        house_ids=house_ids,
    )
    found = heads.count(held, developers=heads.developers_of(estate, as_of=today))
    named = households.addresses(row.community_id, house_ids)
    facts = _houses(row, house_ids)
    roots = set(households.standing_for(row.community_id, mine).values())
    return [
        Preview(
            [
                RollHouse(
                    house_id=house,
                    label=named[house].words,
                    area_centi=facts[house].area_centi,
                    area_basis=facts[house].area_basis,
                )
                for house in head.houses
            ],
            head.area_centi,
            head.voter in roots,
            head.voter is not None,
        )
        for head in found
        if head.owners & roots
    ]


def entry_of(ref: Ref, head_id: UUID) -> dict[str, Any]:
    """The entry of a head as the roll's tree holds it, with the proof that it is in it (RFC 9162 §2.1.3.1).

    Raises NotFrozen, NotFound.
    """
    row = queries.decision(ref)
    if row.roll_root_hash is None:
        raise NotFrozen
    head = queries.head_of(ref, head_id)
    leaves = _leaves(ref)
    at = head.number - 1
    return {
        "entry": verify.roll_entry(number=head.number, tag=head.tag_hash.hex(), area_centi=head.area_centi),
        "size": len(leaves),
        "path": [part.hex() for part in verify.inclusion_proof(leaves, at)],
        "root": row.roll_root_hash.hex(),
    }


def _leaves(ref: Ref) -> list[bytes]:
    """The leaf hashes of a frozen roll; it never changes, so a process keeps the last few."""
    known = _kept.get(ref)
    if known is not None:
        return known
    rows = db.session().execute(
        select(RollHead.number, RollHead.tag_hash, RollHead.area_centi)
        .where(RollHead.community_id == ref.community_id, RollHead.decision_id == ref.id)
        .order_by(RollHead.number)
    )
    known = [
        verify.leaf_hash(verify.canonical(verify.roll_entry(number=number, tag=tag.hex(), area_centi=area)))
        for number, tag, area in rows
    ]
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[ref] = known
    return known


_MOST_KEPT = 4
_kept: dict[Ref, list[bytes]] = {}


def totals_of(ref: Ref, wanted: Wanted = _EVERY) -> tuple[int, int]:
    """(heads, area in 0.01 m²) of the frozen roll, or of some of its heads."""
    query = select(func.count(), func.coalesce(func.sum(RollHead.area_centi), 0)).where(wanted.of(ref))
    heads_, area = db.session().execute(query).one()
    return int(heads_), int(area)
