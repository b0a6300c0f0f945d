"""Counting heads (最高法建筑物区分所有权解释 8-9, 民法典 278): who is one owner, and with how much area.

A house is one head. The same owners of several houses are one head with the summed area, co-owners together one.
What the developer has not sold or not handed over is one head, with what it owns itself. Who the developer is, is read
from the whole estate, also where one building votes. A house whose owner nobody knows is a head by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, or_, select

from app import db
from app.ids import Ref
from app.places.registry_models import Holding as HoldingRow
from app.places.registry_models import HoldingOwner as HoldingOwnerRow
from app.places.registry_models import HoldingState, House, HouseKind, Owner, OwnerKind

_DEVELOPERS = frozenset({HoldingState.UNSOLD, HoldingState.UNDELIVERED})


class Held(NamedTuple):
    """A house on a day: its area (0.01 m², None: nobody knows), whose it is, and who may vote for it."""

    house_id: UUID
    area_centi: int | None
    state: HoldingState = HoldingState.OWNED
    owners: frozenset[UUID] = frozenset()
    voter: UUID | None = None


@dataclass(frozen=True)
class Head:
    """One owner for a vote. Area in 0.01 m²; `owners` is empty when nobody knows them.

    `voter`: the one of `owners` who votes: a sole owner herself, None while co-owners haven't named one, or
    their houses name different ones.
    `without_area`: houses among them whose area nobody knows; they add nothing to the sum.
    """

    houses: tuple[UUID, ...]
    area_centi: int
    owners: frozenset[UUID]
    voter: UUID | None
    is_developer: bool = False
    without_area: tuple[UUID, ...] = field(default=())


def count(held: Iterable[Held], *, developers: Collection[UUID] = ()) -> list[Head]:
    """The heads of these houses, in the order of their first house. Each house belongs to exactly one.

    `developers`: the owners that are the estate's developer (`developers_of`).
    """
    known = frozenset(developers)
    groups: dict[object, list[Held]] = {}
    for h in held:
        groups.setdefault(_key(h, known), []).append(h)
    return [_head(key, group, known) for key, group in groups.items()]


def _key(h: Held, developers: frozenset[UUID]) -> object:
    # What the developer kept in its own name counts with what it hasn't sold: one body is never two heads.
    if h.state in _DEVELOPERS or (h.owners and h.owners <= developers):
        return "developer"
    return h.owners or h.house_id


def _head(key: object, group: list[Held], developers: frozenset[UUID]) -> Head:
    is_developer = key == "developer"
    named = frozenset[UUID]().union(*(h.owners for h in group))
    # A buyer who waits for the keys, or is named for a house marked unsold, doesn't vote for the developer.
    owners = named & developers if is_developer else named
    # Who was named as one person with an owner, and was parted from her since, doesn't vote for her house.
    voters = {h.voter for h in group if h.voter is not None and h.voter in owners}
    if not voters and len(owners) == 1:  # two co-owners who turned out to be one
        voters = set(owners)
    return Head(
        houses=tuple(h.house_id for h in group),
        area_centi=sum(h.area_centi or 0 for h in group),
        owners=owners,
        voter=voters.pop() if len(voters) == 1 else None,
        is_developer=is_developer,
        without_area=tuple(h.house_id for h in group if h.area_centi is None),
    )


def heads_of(
    estate: Ref,
    *,
    as_of: date,
    kinds: Collection[HouseKind] = (HouseKind.HOME, HouseKind.SHOP),
    building_ids: Collection[UUID] | None = None,
) -> list[Head]:
    """The heads of an estate, or of some of its buildings, on a day.

    `kinds`: which houses count; whether garages and parking spaces do is for the owners' own rules (议事规则).
    """
    return count(
        houses_on(estate, as_of=as_of, kinds=kinds, building_ids=building_ids),
        developers=developers_of(estate, as_of=as_of),
    )


def developers_of(estate: Ref, *, as_of: date) -> frozenset[UUID]:
    """The estate's developer, as the register names it: bodies that alone hold, or until that day held, unsold houses
    of any kind in any building. Where no unsold house names one: the body that alone holds undelivered houses on that
    day, if it is only one; any of several may be a buyer. A person is never the developer.
    """
    rows = db.session().execute(
        select(
            HoldingRow.id,
            HoldingRow.state,
            or_(HoldingRow.valid_to.is_(None), HoldingRow.valid_to > as_of),
            HoldingOwnerRow.owner_id,
            Owner.kind,
        )
        .join(House, and_(House.community_id == HoldingRow.community_id, House.id == HoldingRow.house_id))
        .join(
            HoldingOwnerRow,
            and_(
                HoldingOwnerRow.community_id == HoldingRow.community_id,
                HoldingOwnerRow.holding_id == HoldingRow.id,
            ),
        )
        .join(
            Owner,
            and_(
                Owner.community_id == HoldingOwnerRow.community_id,
                Owner.id == HoldingOwnerRow.owner_id,
            ),
        )
        .where(
            House.community_id == estate.community_id,
            House.estate_id == estate.id,
            HoldingRow.state.in_([state.value for state in _DEVELOPERS]),
            HoldingRow.valid_from <= as_of,
            # What was corrected away never held.
            or_(HoldingRow.valid_to.is_(None), HoldingRow.valid_to > HoldingRow.valid_from),
        )
    )
    same = same_owners(estate.community_id)
    holders: dict[UUID, set[tuple[UUID, str]]] = {}
    holdings: dict[UUID, tuple[str, bool]] = {}
    for holding_id, state, holds, owner_id, kind in rows:
        holdings[holding_id] = (state, holds)
        holders.setdefault(holding_id, set()).add((same.get(owner_id, owner_id), kind))
    unsold, undelivered = set(), set()
    for holding_id, (state, holds) in holdings.items():
        named = {owner for owner, _ in holders[holding_id]}
        if len(named) != 1 or any(kind != OwnerKind.ORGANISATION for _, kind in holders[holding_id]):
            continue
        if state == HoldingState.UNSOLD:
            unsold |= named
        elif holds:
            undelivered |= named
    return frozenset(unsold or (undelivered if len(undelivered) == 1 else ()))


def houses_on(
    estate: Ref,
    *,
    as_of: date,
    kinds: Collection[HouseKind],
    building_ids: Collection[UUID] | None = None,
    house_ids: Collection[UUID] | None = None,
) -> list[Held]:
    """The houses of an estate on a day with their owners then, in the order of their keys; owners found to be the same
    are one. `house_ids`: only these.
    """
    on_day = and_(
        HoldingRow.community_id == House.community_id,
        HoldingRow.house_id == House.id,
        HoldingRow.valid_from <= as_of,
        or_(HoldingRow.valid_to.is_(None), HoldingRow.valid_to > as_of),
    )
    query = (
        select(House.id, House.area_centi, HoldingRow.state, HoldingRow.voter_id, HoldingOwnerRow.owner_id)
        .outerjoin(HoldingRow, on_day)
        .outerjoin(
            HoldingOwnerRow,
            and_(
                HoldingOwnerRow.community_id == HoldingRow.community_id,
                HoldingOwnerRow.holding_id == HoldingRow.id,
            ),
        )
        .where(
            House.community_id == estate.community_id,
            House.estate_id == estate.id,
            House.kind.in_([kind.value for kind in kinds]),
            House.valid_from <= as_of,
            or_(House.valid_to.is_(None), House.valid_to > as_of),
        )
        .order_by(House.key)
    )
    if building_ids is not None:
        query = query.where(House.building_id.in_(building_ids))
    if house_ids is not None:
        query = query.where(House.id.in_(house_ids))
    same = same_owners(estate.community_id)
    found: dict[UUID, Held] = {}
    for house_id, area, state, voter, owner_id in db.session().execute(query):
        held = found.get(house_id) or Held(
            house_id,
            area,
            HoldingState(state) if state else HoldingState.OWNED,
            voter=same.get(voter, voter) if voter else None,
        )
        if owner_id is not None:
            held = held._replace(owners=held.owners | {same.get(owner_id, owner_id)})
        found[house_id] = held
    return list(found.values())


def houses_held_by(community_id: int, owner_ids: Collection[UUID], *, as_of: date) -> set[UUID]:
    """The houses of which one of these owners, under whichever row that stands for her, is an owner on that day."""
    same = same_owners(community_id)
    roots = {same.get(owner, owner) for owner in owner_ids}
    rows = roots | {other for other, root in same.items() if root in roots}
    return set(
        db.session().scalars(
            select(HoldingRow.house_id)
            .join(
                HoldingOwnerRow,
                and_(
                    HoldingOwnerRow.community_id == HoldingRow.community_id,
                    HoldingOwnerRow.holding_id == HoldingRow.id,
                ),
            )
            .where(
                HoldingRow.community_id == community_id,
                HoldingOwnerRow.owner_id.in_(rows),
                HoldingRow.valid_from <= as_of,
                or_(HoldingRow.valid_to.is_(None), HoldingRow.valid_to > as_of),
            )
        )
    )


def same_owners(community_id: int) -> dict[UUID, UUID]:
    """Owner → the row that stands for her, for all that were merged into another."""
    links = dict(
        db.session()
        .execute(
            select(Owner.id, Owner.same_as).where(
                Owner.community_id == community_id, Owner.same_as.is_not(None)
            )
        )
        .all()
    )
    return {owner: _root(owner, links) for owner in links}


def twins(community_id: int, owner_id: UUID) -> set[UUID]:
    """The other rows that are the same person as this one."""
    same = same_owners(community_id)
    root = same.get(owner_id, owner_id)
    return ({root} | {other for other, its in same.items() if its == root}) - {owner_id}


def _root(owner: UUID, links: dict[UUID, UUID | None]) -> UUID:
    while (further := links.get(owner)) is not None:
        owner = further
    return owner
