"""The hours of a plan."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from app.patrol import windows
from app.patrol.errors import BadWindow
from app.patrol.windows import Window

DAY = date(2026, 11, 21)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


def test_a_window_past_midnight_ends_on_the_next_day() -> None:
    stored = windows.read([("22:00", "02:00"), ("08:00", "10:30")])
    assert stored == [[480, 630], [1320, 1560]]
    assert windows.write(stored) == [{"from": "08:00", "to": "10:30"}, {"from": "22:00", "to": "02:00"}]
    assert windows.on(DAY, stored)[1] == Window(DAY, utc("2026-11-21T22:00"), utc("2026-11-22T02:00"))
    assert windows.write(windows.read([("00:00", "24:00")])) == [{"from": "00:00", "to": "24:00"}]


@pytest.mark.parametrize(
    "hours",
    [
        [("08:00", "08:00")],
        [("8:00", "09:00")],
        [("08:00", "24:30")],
        [("24:00", "02:00")],
        [("08:00", "25:00")],
        [("08:00", "10:00"), ("09:59", "11:00")],
        [("22:00", "02:00"), ("01:00", "03:00")],
        [("08:00", "0９:00")],
    ],
)
def test_unreadable_empty_or_overlapping_hours_are_refused(hours: list[tuple[str, str]]) -> None:
    with pytest.raises(BadWindow):
        windows.read(hours)


def test_a_moment_belongs_to_the_window_that_holds_it_before_one_that_is_only_near() -> None:
    first, second = windows.on(DAY, windows.read([("08:00", "10:00"), ("10:00", "12:00")]))
    grace = timedelta(minutes=15)
    assert windows.holding(utc("2026-11-21T09:55"), [first, second], grace=grace) == first
    assert windows.holding(utc("2026-11-21T10:00"), [first, second], grace=grace) == second
    assert windows.holding(utc("2026-11-21T12:15"), [first, second], grace=grace) == second
    assert windows.holding(utc("2026-11-21T07:44"), [first, second], grace=grace) is None
