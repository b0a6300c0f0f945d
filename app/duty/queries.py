"""Reading duty rosters: whose roster may be seen and changed, and who is on shift."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, select

from app import clock, db
from app.duty.choice import Place
from app.duty.hours import Span
from app.duty.models import DayChange, Post, Standing, Turn
from app.errors import NotFound
from app.ids import Ref
from app.people.models import Role
from app.people.permissions import Permission
from app.people.scopes import Grant, StaffActor

OBJECT_KIND = "duty_post"
DESK = frozenset({Role.STREET, Role.COMMUNITY})


# --- whose roster ----------------------------------------------------------------------------------------


def _covers(grant: Grant, community_id: int, org_id: UUID) -> bool:
    """The desk reaches all posts of its communities, everybody else those of the own organisation."""
    if grant.role in DESK:
        return community_id in grant.communities
    return grant.org_id == org_id and community_id in grant.homes


def may(staff: StaffActor, community_id: int, org_id: UUID, permission: Permission) -> bool:
    """Has she this permission for a post of that organisation there?"""
    return any(permission in g.permissions and _covers(g, community_id, org_id) for g in staff.grants)


def _reach(grant: Grant) -> ColumnElement[bool]:
    if grant.role in DESK:
        return Post.community_id.in_(grant.communities)
    return and_(Post.community_id.in_(grant.homes), Post.org_id == grant.org_id)


def post_for(staff: StaffActor, ref: Ref, *, lock: bool = False) -> Post:
    """The post, locked for a change when asked. Raises NotFound outside her reach."""
    found = db.session().get(Post, ref, with_for_update=True if lock else None, populate_existing=lock)
    if found is None or not may(staff, found.community_id, found.org_id, Permission.DUTY_VIEW):
        raise NotFound
    return found


def posts(
    staff: StaffActor,
    *,
    community_id: int | None = None,
    org_id: UUID | None = None,
    retired: bool = False,
    limit: int,
    before: UUID | None = None,
) -> list[Post]:
    """Posts in her reach, newest first; `retired` also shows those no longer in use."""
    reach = [_reach(g) for g in staff.grants if Permission.DUTY_VIEW in g.permissions]
    query = select(Post).where(or_(false(), *reach))
    if not reach:
        return []
    if community_id is not None:
        query = query.where(Post.community_id == community_id)
    if org_id is not None:
        query = query.where(Post.org_id == org_id)
    if not retired:
        query = query.where(Post.retired_at.is_(None))
    if before is not None:
        query = query.where(Post.id < before)
    return list(db.session().scalars(query.order_by(Post.id.desc()).limit(limit)))


def post_names(refs: Iterable[Ref]) -> dict[Ref, str]:
    """Names of posts, in one query."""
    wanted = set(refs)
    if not wanted:
        return {}
    rows = db.session().execute(
        select(Post.community_id, Post.id, Post.name).where(
            Post.community_id.in_({r.community_id for r in wanted}), Post.id.in_({r.id for r in wanted})
        )
    )
    return {Ref(community_id, post_id): name for community_id, post_id, name in rows}


def post(ref: Ref, *, lock: bool = False) -> Post | None:
    """The post, whether in use or not; locked while work is given out."""
    return db.session().get(Post, ref, with_for_update=True if lock else None, populate_existing=lock)


def serves(found: Post, estate_id: UUID | None) -> bool:
    """Does the post look after this estate? Without a list it serves its whole community."""
    return not found.estates or (estate_id is not None and str(estate_id) in found.estates)


# --- what stands in it -----------------------------------------------------------------------------------


def turns_of(found: Sequence[Post], *, since: date) -> dict[Ref, list[Turn]]:
    """The turns in force on that day or later, by post, in one query."""
    if not found:
        return {}
    rows = db.session().scalars(
        select(Turn)
        .where(
            Turn.community_id.in_({p.community_id for p in found}),
            Turn.post_id.in_({p.id for p in found}),
            or_(Turn.valid_to.is_(None), Turn.valid_to > since),
        )
        .order_by(Turn.valid_from, Turn.starts, Turn.id)
    )
    sorted_: dict[Ref, list[Turn]] = {}
    for row in rows:
        sorted_.setdefault(Ref(row.community_id, row.post_id), []).append(row)
    return sorted_


def changes_of(found: Sequence[Post], *, since: date) -> dict[Ref, list[DayChange]]:
    """The changes of single days from that day on, by post, in one query."""
    if not found:
        return {}
    rows = db.session().scalars(
        select(DayChange)
        .where(
            DayChange.community_id.in_({p.community_id for p in found}),
            DayChange.post_id.in_({p.id for p in found}),
            DayChange.day >= since,
        )
        .order_by(DayChange.day, DayChange.id)
    )
    sorted_: dict[Ref, list[DayChange]] = {}
    for row in rows:
        sorted_.setdefault(Ref(row.community_id, row.post_id), []).append(row)
    return sorted_


class OnShift(NamedTuple):
    """Somebody at the post: the day on which her turn began, from when to when."""

    staff_id: UUID
    day: date
    since: datetime
    until: datetime


def spans_on(day: date, turns: Iterable[Turn], changes: Iterable[DayChange]) -> list[tuple[UUID, Span]]:
    """Who stands when, of the turns that begin on that day, with its changes applied."""
    week = [
        (turn.staff_id, Span(turn.starts, turn.ends))
        for turn in turns
        if turn.valid_from <= day
        and (turn.valid_to is None or day < turn.valid_to)
        and day.isoweekday() in turn.weekdays
    ]
    of_day = [change for change in changes if change.day == day]
    away = {change.away_id for change in of_day if change.away_id is not None}
    found = [(staff, span) for staff, span in week if staff not in away]
    for change in of_day:
        if change.comes_id is None:
            continue
        if change.starts is not None and change.ends is not None:
            found.append((change.comes_id, Span(change.starts, change.ends)))
        else:
            found += [(change.comes_id, span) for staff, span in week if staff == change.away_id]
    return found


def standing_at(at: datetime, turns: Sequence[Turn], changes: Sequence[DayChange]) -> list[OnShift]:
    """Who is at the post at that moment, each once, by what the roster says."""
    today = clock.in_shanghai(at).date()
    found: dict[UUID, OnShift] = {}
    for day in (today - timedelta(days=1), today):
        for staff, span in spans_on(day, turns, changes):
            since, until = span.on(day)
            if since <= at < until and staff not in found:
                found[staff] = OnShift(staff, day, since, until)
    return sorted(found.values(), key=lambda one: (one.since, str(one.staff_id)))


def on_duty(found: Sequence[Post], at: datetime) -> dict[Ref, list[OnShift]]:
    """Who the rosters name for that moment, by post. Whether they still work there the caller asks."""
    yesterday = clock.in_shanghai(at).date() - timedelta(days=1)
    turns, changes = turns_of(found, since=yesterday), changes_of(found, since=yesterday)
    on: dict[Ref, list[OnShift]] = {}
    for each in found:
        ref = Ref(each.community_id, each.id)
        retired = each.retired_at is not None
        on[ref] = [] if retired else standing_at(at, turns.get(ref, ()), changes.get(ref, ()))
    return on


def posts_of_unit(community_id: int, org_id: UUID) -> list[Post]:
    """The posts in use of an organisation in a community."""
    rows = db.session().scalars(
        select(Post).where(
            Post.community_id == community_id, Post.org_id == org_id, Post.retired_at.is_(None)
        )
    )
    return list(rows)


def places_of(found: Post, staff_ids: Iterable[UUID]) -> Mapping[UUID, Place]:
    """Where these people stood at the post when something was last given out there."""
    rows = db.session().scalars(
        select(Standing)
        .where(
            Standing.community_id == found.community_id,
            Standing.post_id == found.id,
            Standing.staff_id.in_(set(staff_ids)),
        )
        # Read under the lock on the post, also when this session has seen them before.
        .execution_options(populate_existing=True)
    )
    return {row.staff_id: Place(row.day, row.since, row.score, row.given, row.last_no) for row in rows}
