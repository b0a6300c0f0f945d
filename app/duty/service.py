"""Writing duty rosters, and noting who was given work."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app import audit, clock, db, ids
from app.duty import elsewhere, hours, queries
from app.duty.choice import Place
from app.duty.errors import (
    BadChange,
    DatesReversed,
    NotOfUnit,
    PastDate,
    PostExists,
    PostRetired,
    RosterEmpty,
    TurnsOverlap,
    UnknownPlace,
    UnknownUnit,
)
from app.duty.hours import Span
from app.duty.models import DayChange, Post, Standing, Turn
from app.duty.queries import OBJECT_KIND
from app.errors import NotFound, StaleVersion
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places

GAP = 3  # what a post begins with
_WEEK = 7 * hours.DAY


@dataclass(frozen=True)
class WeeklyTurn:
    """One person's hours, week by week."""

    staff_id: UUID
    weekdays: Sequence[int]  # 1 Monday … 7 Sunday
    span: Span


@dataclass(frozen=True)
class OneDay:
    """A day that differs: `away` doesn't come, `comes` does (without hours: in those of who is away)."""

    day: date
    away: UUID | None = None
    comes: UUID | None = None
    span: Span | None = None
    note: str | None = None


@dataclass(frozen=True)
class Week:
    """The weekly turns from a day on; `valid_to` is exclusive."""

    turns: Sequence[WeeklyTurn]
    valid_from: date
    valid_to: date | None = None


def add_post(
    *,
    community_id: int,
    org_id: UUID,
    name: str,
    estates: Sequence[Ref],
    gap: int,
    week: Week,
    days: Sequence[OneDay],
    acting_user: StaffActor,
) -> Post:
    """Add a post with its roster. Raises NotFound for a unit or community that isn't hers, UnknownUnit, UnknownPlace,
    RosterEmpty, TurnsOverlap (also with another post), NotOfUnit, DatesReversed, PastDate, BadChange, PostExists.
    """
    if not queries.may(acting_user, community_id, org_id, Permission.DUTY_EDIT):
        raise NotFound
    org = places.org(org_id)
    if org is None or not org.is_active or org_id not in places.orgs_answering_in(community_id):
        raise UnknownUnit(errors={"org_id": [(UnknownUnit.zh, UnknownUnit.en)]})
    now = clock.now()
    post = Post(
        community_id=community_id,
        id=ids.new_id(),
        org_id=org_id,
        name=name,
        estates=_checked_estates(community_id, estates),
        gap=gap,
        given=0,
        version=1,
        created_at=now,
        updated_at=now,
    )
    _write_post(post)
    _write_week(post, week)
    _write_days(post, days)
    elsewhere.refuse_overlaps(post, today=places.today())
    _audit(acting_user, "duty.post_added", post, people=len({t.staff_id for t in week.turns}))
    return post


def change_post(
    ref: Ref, *, changes: Mapping[str, Any], acting_user: StaffActor, version: int | None
) -> Post:
    """Change name, estates, gap, active, `week` (from its first day on; earlier weeks stay) or `days` (all changes of
    single days from today on; earlier ones stay). Raises as `add_post`, StaleVersion, PostRetired, NotFound.
    """
    post = queries.post_for(acting_user, ref, lock=True)
    if not queries.may(acting_user, post.community_id, post.org_id, Permission.DUTY_EDIT):
        raise NotFound
    if version is not None and post.version != version:
        raise StaleVersion
    now = clock.now()
    post.version += 1
    post.updated_at = now
    if "active" in changes and changes["active"] != (post.retired_at is None):
        post.retired_at = None if changes["active"] else now
    if post.retired_at is not None and changes.keys() - {"active", "name"}:
        raise PostRetired
    for field in ("name", "gap"):
        if field in changes:
            setattr(post, field, changes[field])
    if "estates" in changes:
        post.estates = _checked_estates(post.community_id, changes["estates"])
    _write_post(post)
    if "week" in changes:
        _write_week(post, changes["week"])
    if "days" in changes:
        _write_days(post, changes["days"])
    if changes.keys() & {"active", "week", "days"}:
        elsewhere.refuse_overlaps(post, today=places.today())
    _audit(acting_user, "duty.post_changed", post, fields=sorted(changes))
    return post


def _write_post(post: Post) -> None:
    try:
        with db.session().begin_nested():
            db.session().add(post)
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_duty_posts_name":
            raise PostExists(errors={"name": [(PostExists.zh, PostExists.en)]}) from e
        raise


def _checked_estates(community_id: int, estates: Sequence[Ref]) -> list[str]:
    known = places.estates(estates)
    if any(ref.community_id != community_id or ref not in known for ref in estates):
        raise UnknownPlace(errors={"estate_ids": [(UnknownPlace.zh, UnknownPlace.en)]})
    return sorted({str(ref.id) for ref in estates})


# --- the week --------------------------------------------------------------------------------------------


def _write_week(post: Post, week: Week) -> None:
    """Make it the roster from its first day on; what stood after that day is replaced, what stood before stays."""
    if week.valid_from < places.today():
        raise PastDate(errors={"valid_from": [(PastDate.zh, PastDate.en)]})
    if week.valid_to is not None and week.valid_to <= week.valid_from:
        raise DatesReversed(errors={"valid_to": [(DatesReversed.zh, DatesReversed.en)]})
    if not any(turn.weekdays for turn in week.turns):
        raise RosterEmpty(errors={"turns": [(RosterEmpty.zh, RosterEmpty.en)]})
    _of_unit(post, {turn.staff_id for turn in week.turns}, week.valid_from, "turns")
    _refuse_overlaps(week.turns)
    here = (Turn.community_id == post.community_id, Turn.post_id == post.id)
    db.session().execute(delete(Turn).where(*here, Turn.valid_from >= week.valid_from))
    for turn in queries.turns_of([post], since=week.valid_from).get(Ref(post.community_id, post.id), ()):
        turn.valid_to = week.valid_from
    for new in week.turns:
        db.session().add(
            Turn(
                community_id=post.community_id,
                id=ids.new_id(),
                post_id=post.id,
                staff_id=new.staff_id,
                weekdays=sorted(set(new.weekdays)),
                starts=new.span.starts,
                ends=new.span.ends,
                valid_from=week.valid_from,
                valid_to=week.valid_to,
            )
        )
    db.session().flush()  # the days are compared with it


def _of_unit(post: Post, staff: set[UUID], on: date, field: str) -> None:
    """Raises NotOfUnit unless all of them may work for the post's unit on that day (today when it lies before)."""
    if not staff <= people.workers_of(post.org_id, staff, on=max(on, places.today())):
        raise NotOfUnit(errors={field: [(NotOfUnit.zh, NotOfUnit.en)]})


def _refuse_overlaps(turns: Sequence[WeeklyTurn]) -> None:
    """Nobody stands twice at once, on any day of the week; Sunday's night runs into Monday."""
    by_staff: dict[UUID, list[tuple[int, int]]] = {}
    for turn in turns:
        for weekday in turn.weekdays:
            first = (weekday - 1) * hours.DAY
            by_staff.setdefault(turn.staff_id, []).append((first + turn.span.starts, first + turn.span.ends))
    for staff, spans in by_staff.items():
        spans.sort()
        around = [*spans, (spans[0][0] + _WEEK, spans[0][1] + _WEEK)]
        for one, other in itertools.pairwise(around):
            if one[1] > other[0]:
                raise TurnsOverlap(name=people.staff_names([staff]).get(staff, "—"))


# --- single days -----------------------------------------------------------------------------------------


def _write_days(post: Post, days: Sequence[OneDay]) -> None:
    """Make these the changes of single days from today on."""
    today = places.today()
    if any(one.day < today for one in days):
        raise PastDate(errors={"days": [(PastDate.zh, PastDate.en)]})
    db.session().execute(
        delete(DayChange).where(
            DayChange.community_id == post.community_id,
            DayChange.post_id == post.id,
            DayChange.day >= today,
        )
    )
    now = clock.now()
    rows = [
        DayChange(
            community_id=post.community_id,
            id=ids.new_id(),
            post_id=post.id,
            day=one.day,
            away_id=one.away,
            comes_id=one.comes,
            starts=one.span.starts if one.span else None,
            ends=one.span.ends if one.span else None,
            note=one.note,
            created_at=now,
        )
        for one in days
    ]
    for one in days:
        if one.comes is not None:
            _of_unit(post, {one.comes}, one.day, "days")
    turns = queries.turns_of([post], since=today).get(Ref(post.community_id, post.id), [])
    for day in sorted({one.day for one in days}):
        _check_day(day, turns, rows)
    db.session().add_all(rows)
    db.session().flush()  # read again for the answer


def _check_day(day: date, turns: Sequence[Turn], rows: Sequence[DayChange]) -> None:
    """Who is away stands that day; who comes has hours; nobody stands twice, also with the days around."""
    wrong = BadChange(errors={"days": [(BadChange.zh, BadChange.en)]})
    week = {staff for staff, _ in queries.spans_on(day, turns, ())}
    for row in rows:
        if row.day != day:
            continue
        if row.away_id is None and (row.comes_id is None or row.starts is None):
            raise wrong
        if row.away_id is not None and (row.away_id not in week or row.away_id == row.comes_id):
            raise wrong
        if row.comes_id is None and row.starts is not None:
            raise wrong
    away = [
        row.away_id for row in rows if row.day == day and row.away_id is not None and row.comes_id is None
    ]
    if len(set(away)) != len(away):
        raise wrong
    by_staff: dict[UUID, list[tuple[datetime, datetime]]] = {}
    for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
        for staff, span in queries.spans_on(near, turns, rows):
            by_staff.setdefault(staff, []).append(span.on(near))
    for staff, spans in by_staff.items():
        for one, other in itertools.pairwise(sorted(spans)):
            if one[1] > other[0]:
                raise TurnsOverlap(name=people.staff_names([staff]).get(staff, "—"))


# --- whose turn it is ------------------------------------------------------------------------------------


def note_given(post: Post, to: UUID, *, places_now: Mapping[UUID, Place]) -> None:
    """Note that a person at the post was given a ticket. `post` is locked by the caller; `places_now` is where all on
    shift stood at the choice.
    """
    post.given += 1
    rows = {
        row.staff_id: row
        for row in db.session().scalars(
            select(Standing).where(
                Standing.community_id == post.community_id,
                Standing.post_id == post.id,
                Standing.staff_id.in_(places_now),
            )
        )
    }
    for staff, place in places_now.items():
        row = rows.get(staff)
        if row is None:
            row = Standing(community_id=post.community_id, post_id=post.id, staff_id=staff)
            db.session().add(row)
        mine = staff == to
        row.day, row.since = place.day, place.since
        row.score, row.given = place.score + mine, place.given + mine
        row.last_no = post.given if mine else place.last_no
    db.session().flush()  # the next choice of this transaction reads it


def _audit(acting_user: StaffActor, action: str, post: Post, **details: Any) -> None:
    audit.record(
        acting_user.actor,
        action,
        community_id=post.community_id,
        object_kind=OBJECT_KIND,
        object_id=post.id,
        org_id=str(post.org_id),
        **details,
    )
