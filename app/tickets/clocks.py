"""What is promised, until when, and what a pause or an extension does to it.

Limits of the Longquan centre: 3 minutes to accept, 5 to dispatch, urgent within 24 hours by the wall clock,
everything else within 3 working days. 民法典 201, 203: the first day isn't counted; a limit in days ends at
24:00 of its last day. Working days follow the State Council's calendar with its make-up days (调休); half days
have their morning only.

The truth of a clock is its events and the calendar; `due_at` and `stage_due_at` of a ticket cache what
`deadline` and `stage` say. All functions are pure: aware datetimes in, aware UTC out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from app import clock
from app.tickets.errors import BeyondCalendar

ACCEPT_WITHIN = timedelta(minutes=3)
DISPATCH_WITHIN = timedelta(minutes=5)
RATE_WITHIN = timedelta(days=15)
WARN_BEFORE = timedelta(hours=4)
# The ladder of supervision after the limit: 网格 at once, 社区 a day later, 街道 after three, 区 after seven.
LADDER = (timedelta(0), timedelta(days=1), timedelta(days=3), timedelta(days=7))
# A step at the desk that is late: the desk itself hears of it at once, the street half an hour later.
STAGE_LADDER = (timedelta(0), timedelta(minutes=30))
AT_DESK = frozenset({"received", "accepted", "returned"})  # states whose step has a limit of its own
# How many days without an end of the limit show that the calendar must be wrong.
HORIZON_DAYS = 400

MORNING = (time(9), time(12))
AFTERNOON = (time(14), time(18))


class DayKind(StrEnum):
    """What a calendar day is."""

    OFF = "off"
    WORK = "work"
    HALF = "half"  # the morning only


class Unit(StrEnum):
    """How a limit is counted."""

    MINUTES = "minutes"  # by the wall clock
    HOURS = "hours"  # by the wall clock
    WORKING_HOURS = "working_hours"  # 工作时
    WORKING_DAYS = "working_days"  # 工作日


class Limit(NamedTuple):
    """So much of a unit."""

    amount: int
    unit: Unit

    def as_data(self) -> dict[str, Any]:
        """As an event keeps it."""
        return {"amount": self.amount, "unit": self.unit.value}


URGENT = Limit(24, Unit.HOURS)
ORDINARY = Limit(3, Unit.WORKING_DAYS)


class Calendar:
    """Which days are worked. Days without a row: Monday to Friday (unconfirmed)."""

    def __init__(self, days: Mapping[date, DayKind], version: int = 0) -> None:
        self._days = dict(days)
        self.version = version

    def kind(self, day: date) -> DayKind:
        """What that day is."""
        known = self._days.get(day)
        if known is not None:
            return known
        return DayKind.WORK if day.weekday() < 5 else DayKind.OFF

    def is_working(self, day: date) -> bool:
        """Does the day count as a working day? Half days do."""
        return self.kind(day) is not DayKind.OFF

    def hours(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The spans of that day in which working hours run."""
        kind = self.kind(day)
        if kind is DayKind.OFF:
            return
        for first, last in (MORNING,) if kind is DayKind.HALF else (MORNING, AFTERNOON):
            yield (
                datetime.combine(day, first, tzinfo=clock.SHANGHAI).astimezone(UTC),
                datetime.combine(day, last, tzinfo=clock.SHANGHAI).astimezone(UTC),
            )


class Pause(NamedTuple):
    """From when to when the clock stood; `until` is None while it still does."""

    since: datetime
    until: datetime | None


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=clock.SHANGHAI).astimezone(UTC)


def _stood_at(pauses: Sequence[Pause], moment: datetime) -> bool:
    return any(p.since < moment and (p.until is None or p.until >= moment) for p in pauses)


def deadline(start: datetime, limit: Limit, calendar: Calendar, pauses: Sequence[Pause] = ()) -> datetime:
    """When a limit that began at `start` ends.

    Wall clock: the time of pauses is added. Working hours: only hours worked and not paused count. Working
    days: a day counts unless the clock stood at its 24:00. A pause that is still open moves nothing yet: callers
    show the clock as standing. Raises BeyondCalendar.
    """
    if limit.unit in (Unit.MINUTES, Unit.HOURS):
        step = (
            timedelta(minutes=limit.amount) if limit.unit is Unit.MINUTES else timedelta(hours=limit.amount)
        )
        return _by_wall(start, step, pauses)
    if limit.unit is Unit.WORKING_HOURS:
        return _by_hours(start, timedelta(hours=limit.amount), calendar, pauses)
    return _by_days(start, limit.amount, calendar, pauses)


def _closed(pauses: Iterable[Pause]) -> list[tuple[datetime, datetime]]:
    return sorted((p.since, p.until) for p in pauses if p.until is not None and p.until > p.since)


def _by_wall(start: datetime, step: timedelta, pauses: Sequence[Pause]) -> datetime:
    end = start + step
    for since, until in _closed(pauses):
        if until <= start:
            continue
        if since < end:
            end += until - max(since, start)
    return end.astimezone(UTC)


def _by_hours(start: datetime, left: timedelta, calendar: Calendar, pauses: Sequence[Pause]) -> datetime:
    closed = _closed(pauses)
    day = clock.in_shanghai(start).date()
    for _ in range(HORIZON_DAYS):
        for span in calendar.hours(day):
            for first, last in _without(span, closed):
                begin = max(first, start)
                if begin >= last:
                    continue
                if last - begin >= left:
                    return (begin + left).astimezone(UTC)
                left -= last - begin
        day += timedelta(days=1)
    raise BeyondCalendar


def _without(
    span: tuple[datetime, datetime], pauses: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a span in which the clock ran."""
    at, end = span
    for since, until in pauses:
        if until <= at or since >= end:
            continue
        if since > at:
            yield at, since
        at = max(at, until)
    if at < end:
        yield at, end


def _by_days(start: datetime, days: int, calendar: Calendar, pauses: Sequence[Pause]) -> datetime:
    closed = [p for p in pauses if p.until is not None]
    day = clock.in_shanghai(start).date()
    for _ in range(HORIZON_DAYS):
        day += timedelta(days=1)
        if calendar.is_working(day) and not _stood_at(closed, _midnight_after(day)):
            days -= 1
            if days == 0:
                return _midnight_after(day)
    raise BeyondCalendar


def limit_for(*, urgent: bool, own: Limit | None = None) -> Limit:
    """The limit to close: the class's own, else three working days; urgent ends within 24 hours whatever the class."""
    if not urgent:
        return own or ORDINARY
    wall = {Unit.MINUTES: 1, Unit.HOURS: 60}
    is_shorter = own is not None and own.unit in wall and own.amount * wall[own.unit] < 24 * 60
    return own if own is not None and is_shorter else URGENT


class Promise(NamedTuple):
    """Until when it will be accepted, dispatched and closed; aware UTC."""

    accept_by: datetime
    dispatch_by: datetime
    close_by: datetime


def promise(reported_at: datetime, *, limit: Limit, calendar: Calendar) -> Promise:
    """What is promised at the moment of the report. It is never made later than this by a slow desk."""
    accept_by = reported_at + ACCEPT_WITHIN
    return Promise(accept_by, accept_by + DISPATCH_WITHIN, deadline(reported_at, limit, calendar))


# --- the clock of a ticket, from its events --------------------------------------------------------------


class Beat(NamedTuple):
    """What the clock needs of an event."""

    kind: str
    at: datetime
    data: Mapping[str, Any]


class Clock(NamedTuple):
    """The deadlines of a ticket now. `stage_due_at` is that of the step which waits; None when it has ended."""

    due_at: datetime
    stage_due_at: datetime | None
    standing_since: datetime | None


ENDED = frozenset({"closed", "rejected", "withdrawn", "merged", "referred"})


def read(beats: Sequence[Beat], calendar: Calendar, *, status: str, limit: Limit = ORDINARY) -> Clock:
    """The clock of a ticket from its events, in order.

    A limit runs from the report or from the last reopening, which begins anew: a slow desk can't make it later.
    `suspend` and `resume` bound the pauses, which never last longer than they were given, however late somebody
    ends them; an approved `extend` carries until when time was granted, and the
    pauses after it move that too. A beat that names a limit changes it; `limit` holds until one does. What a beat calls
    urgent never stands, and time granted before it became so doesn't count while it is. A ticket
    referred from elsewhere brings the beats of its origin along, so its clock runs on.
    Raises BeyondCalendar.
    """
    began = stage_began = beats[0].at
    pauses: list[Pause] = []
    cap: datetime | None = None
    granted: tuple[datetime, datetime] | None = None
    named_urgent: bool | None = None  # beats older than the word say it by their limit
    was_granted_urgent = False
    for beat in beats:
        limit = _limit_of(beat, limit)
        named_urgent = beat.data.get("urgent", named_urgent)
        is_urgent = limit == URGENT if named_urgent is None else named_urgent
        if beat.kind in {"report", "reopen"}:
            began, stage_began, pauses, cap, granted = beat.at, beat.at, [], None, None
        elif beat.kind in {"accept", "return", "referred_in"}:
            stage_began = beat.at
        elif beat.kind == "suspend":
            pauses.append(Pause(beat.at, None))
            cap = _cap_of(beat)
        elif beat.kind == "resume" and pauses and pauses[-1].until is None:
            pauses[-1] = Pause(pauses[-1].since, min(beat.at, cap or beat.at))
        elif beat.kind == "extend":
            granted = beat.at, datetime.fromisoformat(beat.data["until"])
            was_granted_urgent = is_urgent
    due_at = deadline(began, limit, calendar, [] if is_urgent else pauses)
    if granted is not None and (was_granted_urgent or not is_urgent):
        since, until = granted
        due_at = max(due_at, _by_wall(since, until - since, [] if is_urgent else pauses))
    standing = pauses[-1].since if pauses and pauses[-1].until is None else None
    return Clock(due_at, _stage(status, stage_began, due_at), standing)


def paused(beats: Sequence[Beat], now: datetime) -> timedelta:
    """What the pauses since the report or the last reopening are charged with.

    Each with its length, and at least with a day for every 24:00 at which the clock stood, since that gives a day back.
    """
    total, since, cap = timedelta(0), None, None
    for beat in beats:
        if beat.kind in {"report", "reopen"}:
            total, since = timedelta(0), None
        elif beat.kind == "suspend":
            since, cap = beat.at, _cap_of(beat)
        elif beat.kind == "resume" and since is not None:
            total, since = total + _charge(since, min(beat.at, cap or beat.at)), None
    return total + (_charge(since, now) if since is not None else timedelta(0))


def _charge(since: datetime, until: datetime) -> timedelta:
    # As in `_stood_at`: the 24:00 with which a pause ends counts, that with which it begins doesn't.
    return max(until - since, clock.in_shanghai(until).date() - clock.in_shanghai(since).date())


def _cap_of(beat: Beat) -> datetime | None:
    until = beat.data.get("until")
    return datetime.fromisoformat(until) if until else None


def _limit_of(beat: Beat, fallback: Limit) -> Limit:
    given = beat.data.get("limit")
    return Limit(int(given["amount"]), Unit(given["unit"])) if given else fallback


def _stage(status: str, stage_began: datetime, due_at: datetime) -> datetime | None:
    if status in ENDED:
        return None
    if status == "received":
        return stage_began + ACCEPT_WITHIN
    if status in {"accepted", "returned"}:
        return stage_began + DISPATCH_WITHIN
    return due_at


def next_look(
    due_at: datetime, *, standing_until: datetime | None, is_warned: bool, is_breached: bool, level: int
) -> datetime | None:
    """When the watch has something to do next for an open ticket; None when nothing is left.

    `level`: how many rungs of the ladder it has climbed.
    """
    if standing_until is not None:
        return standing_until
    if is_breached:
        return due_at + LADDER[level] if level < len(LADDER) else None
    return due_at if is_warned else due_at - WARN_BEFORE


def next_stage_look(stage_due_at: datetime, *, level: int) -> datetime | None:
    """When the watch has to tell somebody that a step at the desk is late; None when all have been told.

    `level`: how many have been told of this very step, the desk first.
    """
    return stage_due_at + STAGE_LADDER[level] if level < len(STAGE_LADDER) else None
