"""Reading notices: those of an estate, those staff may see, and what a resident has read of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, tuple_

from app import clock, db
from app.errors import Forbidden, NotFound
from app.ids import Ref
from app.memberships import queries as memberships
from app.memberships.models import Membership
from app.notices import reach as reaching
from app.notices.errors import NotOut
from app.notices.models import Notice, NoticePlace, NoticeRead, NoticeRevision, NoticeStatus
from app.notices.reach import Covers
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places.queries import Cover
from app.places.registry_models import House
from app.tickets import queries as tickets

PAPERS = "notice"  # what its files hang at
OUT = frozenset({NoticeStatus.PUBLISHED, NoticeStatus.WITHDRAWN})
READABLE = frozenset({NoticeStatus.PUBLISHED})


def ref_of(row: Notice) -> Ref:
    """Its whole name."""
    return Ref(row.community_id, row.id)


def notice(ref: Ref, *, lock: bool = False) -> Notice:
    """The notice. Raises NotFound."""
    found = db.session().get(Notice, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    return found


def by_ref(refs: Collection[Ref]) -> dict[Ref, Notice]:
    """Those of these notices that exist, in one query."""
    if not refs:
        return {}
    rows = db.session().scalars(
        select(Notice).where(
            Notice.community_id.in_({ref.community_id for ref in refs}),
            tuple_(Notice.community_id, Notice.id).in_(refs),
        )
    )
    return {ref_of(row): row for row in rows}


def covers_of(row: Notice) -> Covers:
    """Where it is told; of a draft, where it would have been when it was last written."""
    return covers_of_all([row])[ref_of(row)]


def covers_of_all(rows: Sequence[Notice]) -> dict[Ref, Covers]:
    """Where each of these is told, in one query."""
    found: dict[Ref, set[Cover]] = {ref_of(row): set() for row in rows}
    homes = {int(home) for row in rows for home in row.homes}
    if homes:
        places_found = db.session().scalars(
            select(NoticePlace).where(
                NoticePlace.community_id.in_(homes), NoticePlace.notice_id.in_([row.id for row in rows])
            )
        )
        for place in places_found:
            ref = Ref(place.notice_community_id, place.notice_id)
            if ref in found:
                home = place.community_id
                building = Ref(home, place.building_id) if place.building_id else None
                found[ref].add(Cover(Ref(home, place.estate_id), building))
    return {ref: Covers(frozenset(covers)) for ref, covers in found.items()}


def revisions_of(ref: Ref) -> list[NoticeRevision]:
    """What residents could read, the first version first."""
    rows = db.session().scalars(
        select(NoticeRevision)
        .where(NoticeRevision.community_id == ref.community_id, NoticeRevision.notice_id == ref.id)
        .order_by(NoticeRevision.number)
    )
    return list(rows)


def due_everywhere() -> list[Ref]:
    """Notices whose time has come; for the periodic job, across communities."""
    rows = db.session().execute(
        select(Notice.community_id, Notice.id)
        .where(Notice.status == NoticeStatus.SCHEDULED, Notice.publish_at <= clock.now())
        .execution_options(cross_community="periodic jobs")
    )
    return [Ref(community_id, notice_id) for community_id, notice_id in rows]


# --- staff -----------------------------------------------------------------------------------------------


def may_see(staff: StaffActor, row: Notice, told: Covers) -> bool:
    """What is published: by who has any of its places; what isn't yet: by who has them all."""
    mine = reaching.reach(staff, Permission.NOTICE_VIEW)
    return bool(told.within(mine)) if row.status in OUT else bool(told) and mine.holds(told)


def notice_for(
    staff: StaffActor, ref: Ref, permission: Permission = Permission.NOTICE_VIEW, *, lock: bool = False
) -> Notice:
    """A notice that the member of staff may see, and for all of whose places she has this permission.

    Raises NotFound, Forbidden (she may see it, but not do this).
    """
    row = notice(ref, lock=lock)
    told = covers_of(row)
    if not may_see(staff, row, told):
        raise NotFound
    if permission is not Permission.NOTICE_VIEW and not reaching.reach(staff, permission).holds(told):
        raise Forbidden
    return row


def out_for(staff: StaffActor, ref: Ref, permission: Permission) -> Notice:
    """What is or was published in any place where the member of staff has this permission.

    Raises NotFound, NotOut (nobody can have read it).
    """
    row = notice_for(staff, ref)
    if not covers_of(row).within(reaching.reach(staff, permission)):
        raise NotFound
    if row.status not in OUT:
        raise NotOut
    return row


class NoticeFilter(NamedTuple):
    """Which notices staff look for."""

    statuses: frozenset[str] = frozenset()
    kind: str | None = None
    estate: Ref | None = None


def listed_for(
    staff: StaffActor, wanted: NoticeFilter, *, limit: int, after: tuple[int, UUID] | None = None
) -> list[Notice]:
    """What the member of staff may see, the newest first. Raises NotFound for an estate outside her reach."""
    mine = reaching.reach(staff, Permission.NOTICE_VIEW)
    if wanted.estate is not None:
        mine = Covers(frozenset({Cover(wanted.estate)})).within(mine)
        if not mine:
            raise NotFound
    if not mine:
        return []
    kept: list[Notice] = []
    # What she may not see yet, or what the filter leaves out, is found by reading: few, so the next page is soon there.
    while len(kept) < limit:
        key = tuple_(NoticePlace.notice_id, NoticePlace.notice_community_id)
        query = select(NoticePlace.notice_id, NoticePlace.notice_community_id).where(mine.places)
        if wanted.kind is not None:
            query = query.where(NoticePlace.kind == wanted.kind)
        if after is not None:
            query = query.where(key < (after[1], after[0]))
        size = 2 * limit
        rows = (
            db.session()
            .execute(
                query.distinct()
                .order_by(NoticePlace.notice_id.desc(), NoticePlace.notice_community_id.desc())
                .limit(size)
            )
            .all()
        )
        refs = [Ref(community_id, notice_id) for notice_id, community_id in rows]
        found = by_ref(refs)
        told = covers_of_all(list(found.values()))
        kept += [
            found[ref]
            for ref in refs
            if (not wanted.statuses or found[ref].status in wanted.statuses)
            and may_see(staff, found[ref], told[ref])
        ]
        if len(rows) < size:
            break
        after = refs[-1]
    return kept[:limit]


def readers(rows: Sequence[Notice]) -> dict[Ref, int]:
    """How many residents have read each of these, whoever they are."""
    homes = {int(home) for row in rows for home in row.homes}
    if not homes:
        return {}
    found = db.session().execute(
        select(
            NoticeRead.notice_community_id,
            NoticeRead.notice_id,
            func.count(NoticeRead.resident_id.distinct()),
        )
        .where(NoticeRead.community_id.in_(homes), NoticeRead.notice_id.in_([row.id for row in rows]))
        .group_by(NoticeRead.notice_community_id, NoticeRead.notice_id)
    )
    return {Ref(community_id, notice_id): count for community_id, notice_id, count in found}


# --- residents -------------------------------------------------------------------------------------------


class Listed(NamedTuple):
    """A notice in the list of an estate. `covers`: where it is told in that estate."""

    notice: Notice
    covers: Covers


def of_estate(
    estate: Ref, *, kind: str | None, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[Listed]:
    """What is published in an estate, or in one of its buildings; the latest first."""
    query = (
        select(
            NoticePlace.notice_community_id,
            NoticePlace.notice_id,
            NoticePlace.listed_at,
            func.array_agg(NoticePlace.building_id),
        )
        .where(
            NoticePlace.community_id == estate.community_id,
            NoticePlace.estate_id == estate.id,
            NoticePlace.listed_at.is_not(None),
        )
        .group_by(NoticePlace.listed_at, NoticePlace.notice_id, NoticePlace.notice_community_id)
        .order_by(NoticePlace.listed_at.desc(), NoticePlace.notice_id.desc())
        .limit(limit)
    )
    if kind is not None:
        query = query.where(NoticePlace.kind == kind)
    if after is not None:
        query = query.where(tuple_(NoticePlace.listed_at, NoticePlace.notice_id) < after)
    rows = db.session().execute(query).all()
    found = by_ref([Ref(row[0], row[1]) for row in rows])
    return [
        Listed(
            found[Ref(community_id, notice_id)],
            Covers(
                frozenset(
                    Cover(estate, Ref(estate.community_id, building) if building else None)
                    for building in buildings
                )
            ),
        )
        for community_id, notice_id, _, buildings in rows
    ]


def public(ref: Ref) -> Notice:
    """What was published, also when it was withdrawn since. Raises NotFound."""
    row = notice(ref)
    if row.status not in OUT:
        raise NotFound
    return row


def readable(ref: Ref) -> Notice:
    """What is published. Raises NotFound, also when it was withdrawn."""
    row = notice(ref)
    if row.status not in READABLE:
        raise NotFound
    return row


@dataclass(frozen=True)
class Standing:
    """The doors at which a resident is bound, and the estates in which she only follows what goes on."""

    doors: frozenset[Cover]
    follows: frozenset[Ref]

    def lives_in(self, told: Covers) -> set[int]:
        """The communities in which one of her doors is among these places."""
        return {
            door.estate.community_id
            for door in self.doors
            if door in told.covers or Cover(door.estate) in told.covers
        }

    def counted_in(self, told: Covers) -> set[int]:
        """Where her reading counts: at her doors; without one there, in what she follows."""
        return self.lives_in(told) or {
            estate.community_id for estate in self.follows if estate in told.estates
        }


def standing_of(resident_id: UUID) -> Standing:
    """Where the resident is bound today, and where she has reported something."""
    mine = [m for m in memberships.mine(resident_id) if memberships.holds(m)]
    return Standing(doors_of(mine), frozenset(tickets.her_estates(resident_id)))


def doors_of(mine: Sequence[Membership]) -> frozenset[Cover]:
    """The buildings of these memberships' houses; the estate, where a house stands in none."""
    buildings: dict[Ref, UUID | None] = {}
    if mine:
        rows = db.session().execute(
            select(House.community_id, House.id, House.building_id).where(
                House.community_id.in_({m.community_id for m in mine}),
                House.id.in_({m.house_id for m in mine}),
            )
        )
        buildings = {Ref(community_id, house): building for community_id, house, building in rows}
    return frozenset(
        Cover(
            Ref(m.community_id, m.estate_id),
            Ref(m.community_id, building)
            if (building := buildings.get(Ref(m.community_id, m.house_id))) is not None
            else None,
        )
        for m in mine
    )


class MyRead(NamedTuple):
    """When a resident first read a notice, and when she had studied it."""

    read_at: datetime
    finished_at: datetime | None


def my_reads(resident_id: UUID, rows: Sequence[Notice]) -> dict[Ref, MyRead]:
    """What the resident has read of these."""
    homes = {int(home) for row in rows for home in row.homes}
    if not homes:
        return {}
    found: dict[Ref, MyRead] = {}
    for read in db.session().scalars(
        select(NoticeRead)
        .where(
            NoticeRead.community_id.in_(homes),
            NoticeRead.notice_id.in_([row.id for row in rows]),
            NoticeRead.resident_id == resident_id,
        )
        .order_by(NoticeRead.read_at)
    ):
        found.setdefault(
            Ref(read.notice_community_id, read.notice_id), MyRead(read.read_at, read.finished_at)
        )
    return found
