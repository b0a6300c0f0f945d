"""Writing the working calendar, and holding the clocks of open tickets equal to it.

A load makes a new version. The clocks of open tickets are then read anew from their events, a page at a time, by
promises in the outbox that each commit with the next one: a crash loses nothing and repeats at most a page. Tickets
that have ended keep the limit they were measured by.
"""

from __future__ import annotations

import csv
import io
import itertools
import logging
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from app import audit, clock, db, outbox
from app.people.scopes import StaffActor
from app.tickets import steps
from app.tickets.clocks import Clock, DayKind
from app.tickets.errors import BadCalendar, BeyondCalendar
from app.tickets.models import CalendarDay, CalendarVersion, NumberCounter, Ticket
from app.tickets.moves import ENDED

log = logging.getLogger(__name__)

RECLOCK = "tickets.reclock"  # outbox kind
PAGE = 200
FIRST_YEAR, LAST_YEAR = 2020, 2100


class Day(NamedTuple):
    """What a day is; `is_confirmed` once the State Council has announced it."""

    day: date
    kind: DayKind
    is_confirmed: bool


class Loaded(NamedTuple):
    """A new version of the calendar: how many days it changed, in how many communities clocks are read anew."""

    version: int
    changed: int
    communities: int


def from_csv(text: str) -> list[Day]:
    """Days of a table with the columns day, kind and confirmed (true or false). Raises BadCalendar."""
    try:
        rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        truth = {"true": True, "1": True, "false": False, "0": False}
        return [
            Day(
                date.fromisoformat(row["day"].strip()),
                DayKind(row["kind"].strip()),
                truth[row["confirmed"].strip().lower()],
            )
            for row in rows
        ]
    except (KeyError, ValueError, AttributeError, csv.Error) as e:
        raise _bad("表格须有 day、kind、confirmed 三列。", "The table needs day, kind and confirmed.") from e


def _bad(zh: str, en: str) -> BadCalendar:
    return BadCalendar(errors={"days": [(zh, en)]})


def load(days: Sequence[Day], *, note: str, acting_user: StaffActor) -> Loaded:
    """Make these days what they say, as a new version of the calendar.

    They follow each other without gap or repetition and without a gap to what is loaded; every year they touch has
    working days afterwards. Raises BadCalendar.
    """
    session = db.session()
    # One load at a time: each builds on the version before.
    newest = session.scalars(
        select(CalendarVersion).order_by(CalendarVersion.version.desc()).limit(1).with_for_update()
    ).one()
    last = session.scalar(select(func.max(CalendarVersion.version))) or newest.version
    _check(days)
    version = last + 1
    known = {
        row.day: row
        for row in session.scalars(
            select(CalendarDay).where(CalendarDay.day.between(days[0].day, days[-1].day)).with_for_update()
        )
    }
    changed = 0
    for new in days:
        fresh = {
            "is_working": new.kind is not DayKind.OFF,
            "is_half": new.kind is DayKind.HALF,
            "is_confirmed": new.is_confirmed,
        }
        row = known.get(new.day)
        if row is None:
            session.add(CalendarDay(day=new.day, version=version, **fresh))
        elif any(getattr(row, name) != value for name, value in fresh.items()):
            row.version = version
            for name, value in fresh.items():
                setattr(row, name, value)
        else:
            continue
        changed += 1
    session.flush()  # whether the years have working days is read from the rows
    for year in range(days[0].day.year, days[-1].day.year + 1):
        if not _has_working_days(year):
            raise _bad(f"{year} 年没有工作日。", f"{year} would have no working day.")
    session.add(CalendarVersion(version=version, loaded_at=clock.now(), loaded_by=acting_user.id, note=note))
    concerned = communities()
    for community_id in concerned:
        _promise(community_id, version, after=None)
    audit.record(
        acting_user.actor,
        "calendar.loaded",
        community_id=0,
        object_kind="calendar",
        object_id=None,
        version=version,
        changed=changed,
    )
    return Loaded(version, changed, len(concerned))


def _check(days: Sequence[Day]) -> None:
    if not days:
        raise _bad("没有日期。", "There are no days.")
    if not all(FIRST_YEAR <= each.day.year <= LAST_YEAR for each in days):
        raise _bad("年份不正确。", "The year is not valid.")
    for one, other in itertools.pairwise(days):
        if other.day != one.day + timedelta(days=1):
            raise _bad(
                f"{one.day} 之后应是下一天，而不是 {other.day}。", f"{other.day} doesn't follow {one.day}."
            )
    first, last = days[0].day, days[-1].day
    edges = db.session().execute(select(func.min(CalendarDay.day), func.max(CalendarDay.day))).one()
    oldest, newest = edges
    one_day = timedelta(days=1)
    if oldest is not None and (first > newest + one_day or last < oldest - one_day):
        raise _bad(f"与已有日历（{oldest} 至 {newest}）之间有缺口。", f"There is a gap to {oldest}–{newest}.")


def _has_working_days(year: int) -> bool:
    return bool(
        db.session().scalar(
            select(func.count()).where(
                CalendarDay.day.between(date(year, 1, 1), date(year, 12, 31)), CalendarDay.is_working
            )
        )
    )


def _promise(community_id: int, version: int, *, after: UUID | None) -> None:
    outbox.put(
        community_id=community_id,
        kind=RECLOCK,
        payload={"version": version, "after": str(after) if after else None},
        idem=f"reclock:{version}:{after}",
    )


def _open_page(community_id: int, after: UUID | None, *, lock: bool) -> list[Ticket]:
    query = (
        select(Ticket)
        .where(Ticket.community_id == community_id, Ticket.status.not_in(list(ENDED)))
        .order_by(Ticket.id)
        .limit(PAGE)
    )
    if after is not None:
        query = query.where(Ticket.id > after)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return list(db.session().scalars(query))


def reclock_page(community_id: int, *, version: int, after: UUID | None) -> int:
    """Read the clocks of a page of open tickets anew and promise the next page. Returns how many there were.

    May run twice; the second run finds everything as it should be.
    """
    page = _open_page(community_id, after, lock=True)
    for ticket in page:
        try:
            steps.reclock(ticket)
        except BeyondCalendar:
            log.error(
                "no end of a limit in sight: the calendar lacks working days", extra={"version": version}
            )
    if len(page) == PAGE:
        _promise(community_id, version, after=page[-1].id)
    return len(page)


class Drift(NamedTuple):
    """How many open tickets were compared, and the ids of those whose columns differ from their events."""

    compared: int
    differing: list[UUID]


def drift(community_id: int, *, after: UUID | None = None) -> tuple[Drift, UUID | None]:
    """Compare a page of open tickets with what their events say. Changes nothing.

    Returns what it found and where the next page starts (None: that was the last).
    """
    page = _open_page(community_id, after, lock=False)
    differing = []
    for ticket in page:
        cached = Clock(ticket.due_at, ticket.stage_due_at, ticket.standing_since)
        try:
            is_right = steps.clock_of(ticket) == cached
        except BeyondCalendar:
            is_right = False
        if not is_right:
            differing.append(ticket.id)
    return Drift(len(page), differing), page[-1].id if len(page) == PAGE else None


def communities() -> list[int]:
    """Communities that have or had tickets."""
    rows = db.session().scalars(
        select(NumberCounter.community_id).distinct().execution_options(cross_community="periodic jobs")
    )
    return sorted(rows)
