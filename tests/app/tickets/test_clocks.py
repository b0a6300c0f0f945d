"""What is promised, by the calendar of the State Council."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock, db
from app.tickets import clocks
from app.tickets.queries import working_days
from tests.conftest import House

OFF_2026 = (
    ("2026-01-01", 3), ("2026-02-15", 9), ("2026-04-04", 3), ("2026-05-01", 5), ("2026-06-19", 3),
    ("2026-09-25", 3), ("2026-10-01", 7),
)  # fmt: skip
MADE_UP_2026 = ("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10")


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=clock.SHANGHAI).astimezone(UTC)


@pytest.fixture
def working(house: House) -> Callable[[datetime], Callable[[date], bool]]:
    def around(start: datetime) -> Callable[[date], bool]:
        with db.reading():
            return working_days(start)

    return around


@pytest.mark.parametrize(
    ("accepted", "ends"),
    [
        ("2026-09-18T16:30", "2026-09-23T00:00"),  # Friday; Sunday the 20th works: 24:00 of Tuesday the 22nd
        ("2026-09-30T10:00", "2026-10-11T00:00"),  # before the holiday; 8, 9 and Saturday the 10th work
        ("2026-09-18T23:59:59", "2026-09-23T00:00"),  # the day it is accepted on is never counted
        ("2026-09-19T00:00", "2026-09-23T00:00"),
        ("2026-02-13T09:00", "2026-02-26T00:00"),  # Saturday the 14th works, then nine days of new year
        ("2026-11-16T09:00", "2026-11-20T00:00"),  # an ordinary week
    ],
)
def test_three_working_days_end_at_midnight_of_the_last(
    working: Callable[[datetime], Callable[[date], bool]], accepted: str, ends: str
) -> None:
    at = shanghai(accepted)
    assert clocks.close_by(at, urgent=False, is_working=working(at)) == shanghai(ends)


def test_the_seeded_calendar_is_the_state_councils(
    working: Callable[[datetime], Callable[[date], bool]],
) -> None:
    off = {date.fromisoformat(first) + timedelta(days=n) for first, days in OFF_2026 for n in range(days)}
    made_up = {date.fromisoformat(day) for day in MADE_UP_2026}
    day, wrong = date(2026, 1, 1), []
    while day.year == 2026:
        is_working = working(shanghai(f"{day}T12:00"))
        for _ in range(30):
            if is_working(day) is not (day in made_up or (day.weekday() < 5 and day not in off)):
                wrong.append(day)
            day += timedelta(days=1)
            if day.year != 2026:
                break
    assert wrong == []


def test_urgent_is_twenty_four_hours_by_the_wall_clock_on_any_day() -> None:
    at = shanghai("2026-10-01T23:30")
    assert clocks.close_by(at, urgent=True, is_working=lambda _: False) == at + timedelta(hours=24)


def test_three_minutes_to_accept_and_five_more_to_dispatch() -> None:
    at = shanghai("2026-11-16T09:00")
    promised = clocks.promise(at, urgent=False, is_working=lambda _: True)
    assert promised.accept_by - at == timedelta(minutes=3)
    assert promised.dispatch_by - promised.accept_by == timedelta(minutes=5)


def test_a_calendar_without_working_days_is_an_error_not_a_hang() -> None:
    with pytest.raises(ValueError, match="calendar"):
        clocks.close_by(shanghai("2026-11-16T09:00"), urgent=False, is_working=lambda _: False)


moments = st.integers(0, 28_000_000).map(lambda s: shanghai("2026-01-01") + timedelta(seconds=s))
# At least one working day a week: any calendar a country could have.
calendars = st.frozensets(st.integers(0, 6), min_size=1).flatmap(
    lambda week: st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=8).map(
        lambda off: lambda day: day.weekday() in week and day not in off
    )
)


@given(moments, calendars, st.integers(1, 4))
def test_a_limit_ends_after_exactly_so_many_working_days(
    start: datetime, is_working: Callable[[date], bool], days: int
) -> None:
    end = clock.in_shanghai(clocks.end_of_working_day(start, days, is_working))
    assert (end.hour, end.minute, end.second, end.microsecond) == (0, 0, 0, 0)
    last, first = end.date() - timedelta(days=1), clock.in_shanghai(start).date()
    assert is_working(last)
    between = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert sum(map(is_working, between)) == days


@given(moments, moments, calendars)
def test_who_is_accepted_later_is_never_promised_an_earlier_end(
    one: datetime, other: datetime, is_working: Callable[[date], bool]
) -> None:
    earlier, later = sorted((one, other))
    first = clocks.close_by(earlier, urgent=False, is_working=is_working)
    second = clocks.close_by(later, urgent=False, is_working=is_working)
    assert first <= second
    assert first > earlier
