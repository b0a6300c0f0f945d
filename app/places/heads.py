"""Counting heads (最高法建筑物区分所有权解释 8-9, 民法典 278): who is one owner, and with how much area.

A house is one head. The same owners of several houses are one head with the summed area, co-owners together one.
What the developer has not sold or not handed over is one head. A house whose owner nobody knows is a head by itself.
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
from app.places.registry_models import HoldingState, House, HouseKind, Owner

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

    `voter`: the one who votes, None while co-owners haven't named one, or their houses name different ones.
    `without_area`: houses among them whose area nobody knows; they add nothing to the sum.
    """

    houses: tuple[UUID, ...]
    area_centi: int
    owners: frozenset[UUID]
    voter: UUID | None
    is_developer: bool = False
    without_area: tuple[UUID, ...] = field(default=())


def count(held: Iterable[Held]) -> list[Head]:
    """The heads of these houses, in the order of their first house. Each house belongs to exactly one."""
    houses = list(held)
    developers = {
        owner for h in houses if h.state is HoldingState.UNSOLD and len(h.owners) == 1 for owner in h.owners
    }
    groups: dict[object, list[Held]] = {}
    for h in houses:
        groups.setdefault(_key(h, developers), []).append(h)
    return [_head(key, group) for key, group in groups.items()]


def _key(h: Held, developers: set[UUID]) -> object:
    # What the developer kept in its own name counts with what it hasn't sold: one body is never two heads.
    if h.state in _DEVELOPERS or (len(h.owners) == 1 and h.owners <= developers):
        return "developer"
    return h.owners or h.house_id


def _head(key: object, group: list[Held]) -> Head:
    is_developer = key == "developer"
    voters = {h.voter for h in group if h.voter is not None}
    if is_developer:
        # A buyer who waits for the keys doesn't vote for the developer.
        owners = frozenset().union(*(h.owners for h in group if h.state is not HoldingState.UNDELIVERED))
        voters = {h.voter for h in group if h.voter is not None and h.voter in owners}
    else:
        owners = group[0].owners
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
    return count(houses_on(estate, as_of=as_of, kinds=kinds, building_ids=building_ids))


def houses_on(
    estate: Ref,
    *,
    as_of: date,
    kinds: Collection[HouseKind],
    building_ids: Collection[UUID] | None = None,
) -> list[Held]:
    """The houses of an estate on a day with their owners then, in the order of their keys; owners found to be the same
    are one.
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


def _root(owner: UUID, links: dict[UUID, UUID | None]) -> UUID:
    while (further := links.get(owner)) is not None:
        owner = further
    return owner
