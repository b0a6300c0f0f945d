"""What is promised, by the calendar of the State Council, and what pauses and extensions do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import clock, db
from app.tickets import clocks
from app.tickets.clocks import Beat, Calendar, DayKind, Limit, Pause, Unit
from app.tickets.errors import BeyondCalendar
from app.tickets.queries import calendar_from
from tests.conftest import House

OFF_2026 = (
    ("2026-01-01", 3), ("2026-02-15", 9), ("2026-04-04", 3), ("2026-05-01", 5), ("2026-06-19", 3),
    ("2026-09-25", 3), ("2026-10-01", 7),
)  # fmt: skip
MADE_UP_2026 = ("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10")


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=clock.SHANGHAI).astimezone(UTC)


@pytest.fixture
def calendar(house: House) -> Calendar:
    with db.reading():
        return calendar_from(shanghai("2026-01-01"))


# --- the calendar ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "ends"),
    [
        ("2026-09-18T16:30", "2026-09-23T00:00"),  # Friday; Sunday the 20th works: 24:00 of Tuesday the 22nd
        ("2026-09-30T10:00", "2026-10-11T00:00"),  # before the holiday; 8, 9 and Saturday the 10th work
        ("2026-09-18T23:59:59", "2026-09-23T00:00"),  # the day it is reported on is never counted
        ("2026-09-19T00:00", "2026-09-23T00:00"),
        ("2026-09-19T23:59", "2026-09-23T00:00"),  # the eve of a make-up working day, itself a Saturday off
        ("2026-09-20T00:00", "2026-09-24T00:00"),  # a minute later the make-up day is the one not counted
        ("2026-10-09T09:00", "2026-10-14T00:00"),  # Friday, the eve of Saturday the 10th, which works
        ("2026-02-13T09:00", "2026-02-26T00:00"),  # Saturday the 14th works, then nine days of new year
        ("2026-11-16T09:00", "2026-11-20T00:00"),  # an ordinary week
    ],
)
def test_three_working_days_end_at_midnight_of_the_last(calendar: Calendar, reported: str, ends: str) -> None:
    assert clocks.deadline(shanghai(reported), clocks.ORDINARY, calendar) == shanghai(ends)


def test_the_seeded_calendar_is_the_state_councils(calendar: Calendar) -> None:
    off = {date.fromisoformat(first) + timedelta(days=n) for first, days in OFF_2026 for n in range(days)}
    made_up = {date.fromisoformat(day) for day in MADE_UP_2026}
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    wrong = [
        day
        for day in days
        if calendar.is_working(day) is not (day in made_up or (day.weekday() < 5 and day not in off))
    ]
    assert wrong == []


def test_urgent_is_twenty_four_hours_by_the_wall_clock_on_any_day() -> None:
    at = shanghai("2026-10-01T23:30")
    never = Calendar({at.date() + timedelta(days=n): DayKind.OFF for n in range(30)})
    assert clocks.deadline(at, clocks.limit_for(urgent=True), never) == at + timedelta(hours=24)


def test_three_minutes_to_accept_and_five_more_to_dispatch() -> None:
    at = shanghai("2026-11-16T09:00")
    promised = clocks.promise(at, limit=clocks.ORDINARY, calendar=Calendar({}))
    assert promised.accept_by - at == timedelta(minutes=3)
    assert promised.dispatch_by - promised.accept_by == timedelta(minutes=5)


def test_a_calendar_without_working_days_is_an_error_not_a_hang() -> None:
    at = shanghai("2026-11-16T09:00")
    never = Calendar({at.date() + timedelta(days=n): DayKind.OFF for n in range(1000)})
    for limit in (clocks.ORDINARY, Limit(4, Unit.WORKING_HOURS)):
        with pytest.raises(BeyondCalendar):
            clocks.deadline(at, limit, never)


@pytest.mark.parametrize(
    ("start", "hours", "ends"),
    [
        ("2026-11-16T09:00", 4, "2026-11-16T15:00"),  # over the noon break
        ("2026-11-16T11:30", 1, "2026-11-16T14:30"),
        ("2026-11-16T17:00", 4, "2026-11-17T12:00"),  # one hour today, the morning tomorrow
        ("2026-11-20T17:59", 2, "2026-11-23T10:59"),  # over a weekend
        ("2026-09-19T08:00", 2, "2026-09-20T11:00"),  # the made-up Sunday has hours
        ("2026-11-16T20:00", 7, "2026-11-17T18:00"),
    ],
)
def test_working_hours_run_only_while_people_work(
    calendar: Calendar, start: str, hours: int, ends: str
) -> None:
    limit = Limit(hours, Unit.WORKING_HOURS)
    assert clocks.deadline(shanghai(start), limit, calendar) == shanghai(ends)


def test_a_half_day_has_its_morning_only_and_counts_as_a_working_day() -> None:
    half = Calendar({date(2026, 11, 17): DayKind.HALF})
    start = shanghai("2026-11-16T17:00")
    assert clocks.deadline(start, Limit(5, Unit.WORKING_HOURS), half) == shanghai("2026-11-18T10:00")
    assert clocks.deadline(start, Limit(1, Unit.WORKING_DAYS), half) == shanghai("2026-11-18T00:00")


# --- recomputed by a naive walk ---------------------------------------------------------------------------

KINDS = st.sampled_from(list(DayKind))
FIRST = date(2026, 1, 1)
moments = st.integers(0, 100 * 24 * 60).map(lambda m: shanghai("2026-01-01") + timedelta(minutes=m))


@st.composite
def calendars(draw: st.DrawFn) -> dict[date, DayKind]:
    """200 days of any country, each week with at least one working day."""
    days = {FIRST + timedelta(days=n): draw(KINDS) for n in range(28)}
    days |= {day + timedelta(days=28 * n): kind for day, kind in days.items() for n in range(1, 8)}
    for n in range(3, 224, 7):
        days[FIRST + timedelta(days=n)] = DayKind.WORK
    return days


@st.composite
def pauses_after(draw: st.DrawFn, start: datetime) -> list[Pause]:
    found, at = [], start
    for _ in range(draw(st.integers(0, 3))):
        since = at + timedelta(minutes=draw(st.integers(0, 4 * 24 * 60)))
        until = since + timedelta(minutes=draw(st.integers(1, 5 * 24 * 60)))
        found.append(Pause(since, until))
        at = until
    return found


def naive(start: datetime, limit: Limit, days: Mapping[date, DayKind], pauses: Sequence[Pause]) -> datetime:
    """Minute by minute: does this minute count? Knows nothing of how the clock is built."""
    stands = lambda at: any(p.since <= at < (p.until or datetime.max.replace(tzinfo=UTC)) for p in pauses)  # noqa: E731
    at, left = start, limit.amount
    if limit.unit is Unit.WORKING_DAYS:
        midnight = clock.in_shanghai(start).replace(hour=0, minute=0, second=0, microsecond=0)
        while left:
            midnight += timedelta(days=1)  # 0:00 of the day that is looked at
            ends = midnight + timedelta(days=1)
            # The clock stands at 24:00 when a pause covers the minute before it and goes on to it.
            stood = any(p.since < ends <= (p.until or ends) for p in pauses)
            left -= days[midnight.date()] is not DayKind.OFF and not stood
        return (midnight + timedelta(days=1)).astimezone(UTC)
    minutes = left * (1 if limit.unit is Unit.MINUTES else 60)
    while minutes:
        there = clock.in_shanghai(at)
        counts = not stands(at)
        if limit.unit is Unit.WORKING_HOURS:
            kind, hour = days[there.date()], there.hour
            counts &= (9 <= hour < 12 and kind is not DayKind.OFF) or (
                14 <= hour < 18 and kind is DayKind.WORK
            )
        minutes -= counts
        at += timedelta(minutes=1)
    return at


@settings(deadline=None, max_examples=60)
@given(st.data(), moments, calendars())
def test_any_limit_ends_where_a_walk_minute_by_minute_ends(
    data: st.DataObject, start: datetime, days: dict[date, DayKind]
) -> None:
    limit = data.draw(
        st.one_of(
            st.integers(1, 4).map(lambda n: Limit(n, Unit.WORKING_DAYS)),
            st.integers(1, 12).map(lambda n: Limit(n, Unit.WORKING_HOURS)),
            st.integers(1, 48).map(lambda n: Limit(n, Unit.HOURS)),
            st.integers(1, 90).map(lambda n: Limit(n, Unit.MINUTES)),
        )
    )
    pauses = data.draw(pauses_after(start))
    assert clocks.deadline(start, limit, Calendar(days), pauses) == naive(start, limit, days, pauses)


@given(moments, moments, calendars())
def test_who_reports_later_is_never_promised_an_earlier_end(
    one: datetime, other: datetime, days: dict[date, DayKind]
) -> None:
    earlier, later = sorted((one, other))
    first, second = (clocks.deadline(at, clocks.ORDINARY, Calendar(days)) for at in (earlier, later))
    assert earlier < first <= second


# --- read from events -------------------------------------------------------------------------------------


def beat(kind: str, at: str, **data: object) -> Beat:
    return Beat(kind, shanghai(at), data)


ORDINARY = {"amount": 3, "unit": "working_days"}
REPORT = beat("report", "2026-11-16T09:00", limit=ORDINARY)  # due 11-19 24:00


def due(*beats: Beat, status: str = "in_progress") -> datetime:
    return clocks.read([REPORT, *beats], Calendar({}), status=status).due_at


def test_a_slow_desk_moves_nothing() -> None:
    late = beat("accept", "2026-11-18T12:00", limit=ORDINARY)
    assert due(late) == due() == shanghai("2026-11-20T00:00")


@pytest.mark.parametrize(
    ("since", "until", "ends"),
    [
        ("2026-11-17T10:00", "2026-11-17T15:00", "2026-11-20T00:00"),  # within a day: costs none
        ("2026-11-17T10:00", "2026-11-18T09:00", "2026-11-21T00:00"),  # over one 24:00
        ("2026-11-17T10:00", "2026-11-19T09:00", "2026-11-24T00:00"),  # over two, then the weekend
        ("2026-11-21T10:00", "2026-11-23T09:00", "2026-11-20T00:00"),  # after it was due: cures nothing
    ],
)
def test_a_pause_adds_the_days_at_whose_end_the_clock_stood(since: str, until: str, ends: str) -> None:
    assert due(beat("suspend", since), beat("resume", until)) == shanghai(ends)


def test_a_pause_that_goes_on_moves_nothing_and_is_told() -> None:
    state = clocks.read([REPORT, beat("suspend", "2026-11-17T10:00")], Calendar({}), status="suspended")
    assert state.due_at == shanghai("2026-11-20T00:00")
    assert state.standing_since == shanghai("2026-11-17T10:00")


def test_a_pause_that_nobody_ended_in_time_cost_no_more_than_it_was_given() -> None:
    paused = beat("suspend", "2026-11-17T10:00", until="2026-11-18T10:00:00+08:00")
    assert due(paused, beat("resume", "2026-11-18T10:00")) == shanghai("2026-11-21T00:00")
    assert due(paused, beat("resume", "2026-11-25T16:00")) == shanghai("2026-11-21T00:00")
    beats = [REPORT, paused, beat("resume", "2026-11-25T16:00")]
    assert clocks.paused(beats, shanghai("2026-11-26T00:00")) == timedelta(days=1)


def test_reopening_begins_anew_and_forgets_pauses_and_extensions() -> None:
    beats = (
        beat("suspend", "2026-11-17T10:00"),
        beat("resume", "2026-11-18T10:00"),
        beat("extend", "2026-11-18T11:00", until="2026-12-10T12:00:00+08:00"),
        beat("reopen", "2026-11-23T10:00", limit=ORDINARY),
    )
    assert due(*beats) == shanghai("2026-11-27T00:00")
    stage = clocks.read([REPORT, *beats], Calendar({}), status="accepted").stage_due_at
    assert stage == shanghai("2026-11-23T10:05")


def test_granted_time_holds_and_later_pauses_move_it() -> None:
    granted = beat("extend", "2026-11-18T12:00", until="2026-11-25T12:00:00+08:00")
    assert due(granted) == shanghai("2026-11-25T12:00")
    pause = beat("suspend", "2026-11-19T12:00"), beat("resume", "2026-11-21T12:00")
    assert due(granted, *pause) == shanghai("2026-11-27T12:00")
    earlier = beat("suspend", "2026-11-17T12:00"), beat("resume", "2026-11-17T18:00")
    assert due(*earlier, granted) == shanghai("2026-11-25T12:00")


def test_a_ticket_from_elsewhere_is_accepted_within_three_minutes_of_its_coming() -> None:
    beats = [REPORT, beat("accept", "2026-11-16T09:01"), beat("referred_in", "2026-11-17T09:00")]
    state = clocks.read(beats, Calendar({}), status="received")
    assert state == clocks.Clock(shanghai("2026-11-20T00:00"), shanghai("2026-11-17T09:03"), None)


def test_the_stages_wait_for_their_own_time_and_an_end_for_none() -> None:
    for status, ends in {
        "received": "2026-11-16T09:03",
        "accepted": "2026-11-16T09:05",
        "returned": "2026-11-16T09:05",
        "dispatched": "2026-11-20T00:00",
        "suspended": "2026-11-20T00:00",
    }.items():
        assert clocks.read([REPORT], Calendar({}), status=status).stage_due_at == shanghai(ends), status
    for status in clocks.ENDED:
        assert clocks.read([REPORT], Calendar({}), status=status).stage_due_at is None
