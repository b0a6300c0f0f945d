"""How far a notice has come: which houses have read it, which haven't, whom that leaves, who has studied it.

A house has read it when one of its members has, or an owner of it who is bound elsewhere in the same community.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Exists,
    Select,
    Uuid,
    and_,
    column,
    exists,
    func,
    literal,
    or_,
    select,
)

from app import db
from app.ids import Ref
from app.memberships.models import Membership, MembershipStatus
from app.notices.models import Notice, NoticeRead
from app.notices.reach import Covers
from app.places import heads
from app.places import queries as places
from app.places import registry_queries as registry
from app.places.models import Building
from app.places.registry_models import Holding, HoldingOwner, House, HouseKind
from app.places.registry_queries import HouseView

LIVED_IN = (HouseKind.HOME.value, HouseKind.SHOP.value)  # nobody reads for a parking space


def _here(home: int, covers: Covers) -> ColumnElement[bool]:
    """Houses of a community that should read it: homes and shops that exist today."""
    return and_(
        House.community_id == home,
        covers.houses,
        House.kind.in_(LIVED_IN),
        or_(House.valid_to.is_(None), House.valid_to > places.today()),
    )


def _is_member() -> ColumnElement[bool]:
    return and_(
        Membership.status == MembershipStatus.VERIFIED,
        Membership.resident_id.is_not(None),
        or_(Membership.valid_to.is_(None), Membership.valid_to > places.today()),
    )


def _reading_houses(row: Notice, home: int, by: datetime | None = None) -> CTE:
    """The houses of a community that had read it by a moment (now): by a member, or by an owner bound to another of her
    houses.
    """
    has_read = and_(
        NoticeRead.community_id == home,
        NoticeRead.notice_id == row.id,
        NoticeRead.notice_community_id == row.community_id,
        *([NoticeRead.read_at <= by] if by is not None else []),
    )
    readers = (
        select(Membership.house_id, Membership.owner_id)
        .join(
            NoticeRead,
            and_(
                NoticeRead.community_id == Membership.community_id,
                NoticeRead.resident_id == Membership.resident_id,
            ),
        )
        .where(Membership.community_id == home, _is_member(), has_read)
        .cte("readers")
    )
    # Rows that are the same person: which one stands for her was followed to the end here.
    same = heads.same_owners(home)
    twins = (
        func.unnest(literal(list(same), ARRAY(Uuid)), literal(list(same.values()), ARRAY(Uuid)))
        .table_valued(column("owner_id", Uuid), column("root_id", Uuid))
        .render_derived(name="twins")
    )
    owners = (
        select(func.coalesce(twins.c.root_id, readers.c.owner_id).label("root_id"))
        .select_from(readers)
        .outerjoin(twins, twins.c.owner_id == readers.c.owner_id)
        .where(readers.c.owner_id.is_not(None))
        .cte("reading_owners")
    )
    held = (
        select(Holding.house_id)
        .join(
            HoldingOwner,
            and_(HoldingOwner.community_id == Holding.community_id, HoldingOwner.holding_id == Holding.id),
        )
        .outerjoin(twins, twins.c.owner_id == HoldingOwner.owner_id)
        .where(
            Holding.community_id == home,
            Holding.valid_to.is_(None),
            func.coalesce(twins.c.root_id, HoldingOwner.owner_id).in_(select(owners.c.root_id)),
        )
    )
    return select(readers.c.house_id).union(held).cte("reading_houses")


def _is_bound() -> Exists:
    """Of a `House`: somebody is a member, whom the mini-program reaches."""
    return exists().where(
        Membership.community_id == House.community_id, Membership.house_id == House.id, _is_member()
    )


# --- numbers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """Houses that should read it, of which somebody is bound, and which have read it."""

    houses: int = 0
    bound: int = 0
    read: int = 0

    @property
    def unread(self) -> int:
        """In which nobody has."""
        return self.houses - self.read

    def plus(self, other: Count) -> Count:
        """Both together."""
        return Count(self.houses + other.houses, self.bound + other.bound, self.read + other.read)


class BuildingCount(NamedTuple):
    """A building (None: houses that stand in none) with its count."""

    estate: Ref
    estate_name: str
    building: Ref | None
    building_name: str
    reach: Count


def by_building(row: Notice, covers: Covers) -> list[BuildingCount]:
    """How far it has come in each building of these places, by estate and name."""
    found: list[BuildingCount] = []
    names = places.estates(covers.estates)
    for home in sorted(covers.communities):
        reading = _reading_houses(row, home)
        has_read = House.id.in_(select(reading.c.house_id))
        rows = db.session().execute(
            select(
                House.estate_id,
                House.building_id,
                func.coalesce(Building.name, ""),
                func.count(),
                func.count().filter(_is_bound()),
                func.count().filter(has_read),
            )
            .select_from(House)
            .outerjoin(
                Building,
                and_(Building.community_id == House.community_id, Building.id == House.building_id),
            )
            .where(_here(home, covers))
            .group_by(House.estate_id, House.building_id, Building.name)
        )
        for estate_id, building_id, building_name, houses, bound, read in rows:
            estate = Ref(home, estate_id)
            building = Ref(home, building_id) if building_id is not None else None
            reach = Count(houses, bound, read)
            found.append(BuildingCount(estate, names[estate].name, building, building_name, reach))
    return sorted(found, key=lambda b: (b.estate_name, b.estate, len(b.building_name), b.building_name))


def audience(covers: Covers) -> Count:
    """The houses of these places, and those in which somebody is bound; nobody can have read anything yet."""
    whole = Count()
    for home in sorted(covers.communities):
        houses, bound = (
            db.session()
            .execute(
                select(func.count(), func.count().filter(_is_bound()))
                .select_from(House)
                .where(_here(home, covers))
            )
            .one()
        )
        whole = whole.plus(Count(houses, bound))
    return whole


def total(found: list[BuildingCount]) -> Count:
    """All buildings together."""
    whole = Count()
    for one in found:
        whole = whole.plus(one.reach)
    return whole


# --- whom that leaves ------------------------------------------------------------------------------------

Position = tuple[int, UUID]  # community and house, after which a page goes on


def _unread(row: Notice, covers: Covers, home: int, by: datetime | None = None) -> Select[Any]:
    reading = _reading_houses(row, home, by)
    return select(House).where(_here(home, covers), House.id.not_in(select(reading.c.house_id)))


class Waiting(NamedTuple):
    """A house in which nobody has read it, with its owners of today."""

    view: HouseView
    is_bound: bool


def unread_houses(
    row: Notice, covers: Covers, *, limit: int, after: Position | None = None, by: datetime | None = None
) -> list[Waiting]:
    """The houses in these places in which nobody has read it (or had by a moment), in the order of their references."""
    found: list[Waiting] = []
    for home in sorted(covers.communities):
        if after is not None and home < after[0]:
            continue
        query = _unread(row, covers, home, by).add_columns(_is_bound())
        if after is not None and home == after[0]:
            query = query.where(House.id > after[1])
        rows = db.session().execute(query.order_by(House.id).limit(limit - len(found))).all()
        views = registry.views_of([house for house, _ in rows])
        found += [Waiting(views[Ref(house.community_id, house.id)], bound) for house, bound in rows]
        if len(found) == limit:
            break
    return found


# --- who has studied it ----------------------------------------------------------------------------------


class Learner(NamedTuple):
    """A member of a house, and how far she is."""

    membership: Membership
    read_at: datetime | None
    finished_at: datetime | None


def learners(
    row: Notice, covers: Covers, *, finished: bool | None, limit: int, after: Position | None = None
) -> list[Learner]:
    """The members of the houses in these places with their reading, in the order of their references; `finished`
    narrows.
    """
    found: list[Learner] = []
    for home in sorted(covers.communities):
        if after is not None and home < after[0]:
            continue
        query = (
            select(Membership, NoticeRead.read_at, NoticeRead.finished_at)
            .join(House, and_(House.community_id == Membership.community_id, House.id == Membership.house_id))
            .outerjoin(
                NoticeRead,
                and_(
                    NoticeRead.community_id == Membership.community_id,
                    NoticeRead.resident_id == Membership.resident_id,
                    NoticeRead.notice_id == row.id,
                    NoticeRead.notice_community_id == row.community_id,
                ),
            )
            .where(Membership.community_id == home, _here(home, covers), _is_member())
            .order_by(Membership.id)
            .limit(limit - len(found))
        )
        if finished is not None:
            query = query.where(
                NoticeRead.finished_at.is_not(None) if finished else NoticeRead.finished_at.is_(None)
            )
        if after is not None and home == after[0]:
            query = query.where(Membership.id > after[1])
        found += [Learner(*found_row) for found_row in db.session().execute(query)]
        if len(found) == limit:
            break
    return found


class People(NamedTuple):
    """Residents who have read it (also who only follow), and who have finished it."""

    read: int
    finished: int


def people(row: Notice, covers: Covers) -> People:
    """How many residents of these communities have read and finished it."""
    read, finished = (
        db.session()
        .execute(
            select(
                func.count(NoticeRead.resident_id.distinct()),
                func.count(NoticeRead.resident_id.distinct()).filter(NoticeRead.finished_at.is_not(None)),
            ).where(
                NoticeRead.community_id.in_(covers.communities),
                NoticeRead.notice_id == row.id,
                NoticeRead.notice_community_id == row.community_id,
            )
        )
        .one()
    )
    return People(read, finished)
