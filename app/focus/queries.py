"""Reading focus groups. Whoever shows what comes out of here leaves an audit row: use `app.focus.service`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_

from app import crypto, db
from app.errors import NotFound
from app.focus.models import FocusPerson, FocusTag
from app.focus.reach import Reach
from app.ids import Kind, Ref
from app.places import heads, identity
from app.places import queries as places
from app.places import registry_queries as registry
from app.places.models import Building
from app.places.queries import Cover
from app.places.registry_models import House, Owner
from app.places.registry_queries import HouseView


class Doubt(StrEnum):
    """Why somebody should be looked at again."""

    REVIEW_DUE = "review_due"
    OWNER_CHANGED = "owner_changed"  # she no longer owns the house; perhaps she moved
    HOUSE_ENDED = "house_ended"


@dataclass(frozen=True)
class PersonView:
    """Somebody with where she lives and the groups she is in today. Name and numbers in clear: the face masks them."""

    person: FocusPerson
    place: HouseView
    tags: list[FocusTag]
    name: str
    phone: str | None
    id_number: str | None
    doubts: list[Doubt]


def seal(value: str, field: str, person_id: UUID) -> bytes:
    """The value encrypted for this field (`name`, `phone`, `id_number`) of this person."""
    return crypto.keys().encrypt(value.encode(), f"focus_{field}:{person_id}")


def _unseal(sealed: bytes | None, field: str, person_id: UUID) -> str | None:
    return crypto.keys().decrypt(sealed, f"focus_{field}:{person_id}").decode() if sealed else None


def holds_on(on: date, kinds: Collection[str]) -> ColumnElement[bool]:
    """A condition on `FocusTag`: it holds on that day, and its group is one of these."""
    return and_(
        FocusTag.kind.in_(kinds),
        FocusTag.ended_at.is_(None),
        FocusTag.valid_from <= on,
        or_(FocusTag.valid_to.is_(None), FocusTag.valid_to > on),
    )


class Area(NamedTuple):
    """A part of one's reach: an estate, a building or a grid."""

    kind: Kind
    ref: Ref


def within(reach: Reach, area: Area | None) -> Reach:
    """What of the reach lies in the area. Raises NotFound when nothing does."""
    if area is None:
        return reach
    if area.kind is Kind.GRID:
        asked = set(places.covers_of(area.ref))
    elif area.kind is Kind.BUILDING:
        building = db.session().get(Building, area.ref)
        asked = (
            {Cover(Ref(building.community_id, building.estate_id), area.ref)}
            if building is not None
            else set()
        )
    else:
        asked = {Cover(area.ref)}
    found = {
        Cover(a.estate, a.building or r.building)
        for a in asked
        for r in reach.covers
        if a.estate == r.estate and (a.building is None or r.building is None or a.building == r.building)
    }
    if not found:
        raise NotFound
    return Reach(frozenset(found))


def persons(
    reach: Reach, *, kinds: Collection[str], on: date, limit: int, after: Ref | None = None
) -> list[PersonView]:
    """Who of the reach is in one of these groups that day, in the order of their references."""
    if not reach.covers:
        return []
    held = exists().where(
        FocusTag.community_id == FocusPerson.community_id,
        FocusTag.person_id == FocusPerson.id,
        holds_on(on, kinds),
    )
    query = (
        select(FocusPerson)
        .join(House, and_(House.community_id == FocusPerson.community_id, House.id == FocusPerson.house_id))
        .where(FocusPerson.community_id.in_(reach.communities), reach.houses, held)
    )
    if after is not None:
        query = query.where(tuple_(FocusPerson.community_id, FocusPerson.id) > after)
    rows = db.session().scalars(query.order_by(FocusPerson.community_id, FocusPerson.id).limit(limit))
    return views(list(rows), kinds=kinds, on=on)


def person_for(reach: Reach, ref: Ref, *, lock: bool = False) -> FocusPerson:
    """Somebody who lives in the reach, whether or not she is in a group today. Raises NotFound."""
    found = db.session().get(FocusPerson, ref, with_for_update=lock or None, populate_existing=lock)
    house = db.session().get(House, Ref(ref.community_id, found.house_id)) if found is not None else None
    if found is None or house is None or not reach.holds(house):
        raise NotFound
    return found


def open_tags(ref: Ref, *, kinds: Collection[str], on: date) -> list[FocusTag]:
    """The groups she is in that day."""
    return _tags({ref}, kinds=kinds, on=on)[ref]


def past_tags(ref: Ref) -> list[FocusTag]:
    """The groups she was in, as far as they are still kept; the latest first."""
    rows = db.session().scalars(
        select(FocusTag)
        .where(
            FocusTag.community_id == ref.community_id,
            FocusTag.person_id == ref.id,
            FocusTag.ended_at.is_not(None),
        )
        .order_by(FocusTag.ended_at.desc())
    )
    return list(rows)


def _tags(refs: set[Ref], *, kinds: Collection[str], on: date) -> dict[Ref, list[FocusTag]]:
    found: dict[Ref, list[FocusTag]] = defaultdict(list)
    rows = db.session().scalars(
        select(FocusTag)
        .where(
            FocusTag.community_id.in_({r.community_id for r in refs}),
            FocusTag.person_id.in_({r.id for r in refs}),
            holds_on(on, kinds),
        )
        .order_by(FocusTag.kind)
    )
    for tag in rows:
        found[Ref(tag.community_id, tag.person_id)].append(tag)
    return found


def views(rows: Sequence[FocusPerson], *, kinds: Collection[str], on: date) -> list[PersonView]:
    """These persons with houses, names and the groups they are in that day."""
    if not rows:
        return []
    houses = db.session().scalars(
        select(House).where(
            House.community_id.in_({p.community_id for p in rows}), House.id.in_({p.house_id for p in rows})
        )
    )
    at = registry.views_of(list(houses))
    tags = _tags({Ref(p.community_id, p.id) for p in rows}, kinds=kinds, on=on)
    owners = _owners(rows)
    return [
        _view(p, at[Ref(p.community_id, p.house_id)], tags[Ref(p.community_id, p.id)], owners, on)
        for p in rows
    ]


def _owners(rows: Sequence[FocusPerson]) -> dict[Ref, Owner]:
    """Person → the owner that stands for her today, also when two of her rows were merged since."""
    found: dict[Ref, Owner] = {}
    for community_id in {p.community_id for p in rows}:
        here = {p.id: p.owner_id for p in rows if p.community_id == community_id and p.owner_id is not None}
        if not here:
            continue
        same = heads.same_owners(community_id)
        roots = {person: same.get(owner, owner) for person, owner in here.items()}
        known = registry.owners_by_id(community_id, roots.values())
        found |= {Ref(community_id, person): known[root] for person, root in roots.items()}
    return found


def _view(
    person: FocusPerson, place: HouseView, tags: list[FocusTag], owners: dict[Ref, Owner], on: date
) -> PersonView:
    doubts = [Doubt.REVIEW_DUE] if any(tag.review_on <= on for tag in tags) else []
    if place.house.valid_to is not None and place.house.valid_to <= on:
        doubts.append(Doubt.HOUSE_ENDED)
    owner = owners.get(Ref(person.community_id, person.id))
    if owner is None:
        return PersonView(
            person,
            place,
            tags,
            _unseal(person.name_sealed, "name", person.id) or "",
            _unseal(person.phone_sealed, "phone", person.id),
            _unseal(person.id_sealed, "id_number", person.id),
            doubts,
        )
    if owner.id not in {o.id for o in place.owners}:
        doubts.append(Doubt.OWNER_CHANGED)
    return PersonView(
        person,
        place,
        tags,
        identity.unseal(owner.name_sealed, "name", owner.id) or "",
        identity.unseal(owner.phone_sealed, "phone", owner.id),
        identity.unseal(owner.id_sealed, "id_number", owner.id),
        doubts,
    )


# --- numbers ---------------------------------------------------------------------------------------------


class Where(NamedTuple):
    """An estate, or a building of it."""

    estate: Ref
    building: UUID | None


def counted(reach: Reach, *, kinds: Collection[str], on: date) -> dict[Where, int]:
    """How many persons are in one of these groups that day, by estate and building."""
    if not reach.covers:
        return {}
    rows = db.session().execute(
        select(House.community_id, House.estate_id, House.building_id, func.count(FocusPerson.id.distinct()))
        .join(
            FocusPerson,
            and_(FocusPerson.community_id == House.community_id, FocusPerson.house_id == House.id),
        )
        .join(
            FocusTag,
            and_(
                FocusTag.community_id == FocusPerson.community_id,
                FocusTag.person_id == FocusPerson.id,
                holds_on(on, kinds),
            ),
        )
        .where(reach.houses)
        .group_by(House.community_id, House.estate_id, House.building_id)
    )
    return {Where(Ref(community, estate), building): n for community, estate, building, n in rows}


def grid_of(communities: Collection[int]) -> dict[Where, Ref]:
    """Which grid covers an estate (building None) or a building today; where several do, the first by code."""
    found: dict[Where, Ref] = {}
    covers = places.covers_in(communities)
    for grid in places.grids_in(communities):
        ref = Ref(grid.community_id, grid.id)
        for cover in covers.get(ref, ()):
            found.setdefault(Where(cover.estate, cover.building.id if cover.building else None), ref)
    return found
