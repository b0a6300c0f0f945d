"""What is promised, and until when.

3 minutes to accept, 5 to dispatch, urgent within 24 hours by the wall clock, everything else within 3 working
days (the Longquan centre's limits). 民法典 201, 203: the first day isn't counted; a limit in days ends at 24:00
of its last day; working days follow the State Council's calendar with its make-up days (调休).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from app import clock

ACCEPT_WITHIN = timedelta(minutes=3)
DISPATCH_WITHIN = timedelta(minutes=5)
URGENT_WITHIN = timedelta(hours=24)
WORKING_DAYS = 3
RATE_WITHIN = timedelta(days=15)
# How far the walk over days may go before the calendar must be wrong.
_HORIZON = 60


class Promise(NamedTuple):
    """Until when it will be accepted, dispatched and closed; aware UTC."""

    accept_by: datetime
    dispatch_by: datetime
    close_by: datetime


def end_of_working_day(start: datetime, days: int, is_working: Callable[[date], bool]) -> datetime:
    """24:00 in Asia/Shanghai of the `days`-th working day after the day of `start`, as aware UTC."""
    day = clock.in_shanghai(start).date()
    left = days
    for _ in range(_HORIZON):
        day += timedelta(days=1)
        if is_working(day):
            left -= 1
            if left == 0:
                midnight = datetime.combine(day + timedelta(days=1), time.min, tzinfo=clock.SHANGHAI)
                return midnight.astimezone(start.tzinfo)
    raise ValueError("no working days in sight: the calendar is wrong")


def close_by(accepted_at: datetime, *, urgent: bool, is_working: Callable[[date], bool]) -> datetime:
    """When a ticket accepted then must be closed."""
    if urgent:
        return accepted_at + URGENT_WITHIN
    return end_of_working_day(accepted_at, WORKING_DAYS, is_working)


def promise(reported_at: datetime, *, urgent: bool, is_working: Callable[[date], bool]) -> Promise:
    """What is promised at the moment of the report. It is never made later than this by a slow desk."""
    accept_by = reported_at + ACCEPT_WITHIN
    return Promise(
        accept_by, accept_by + DISPATCH_WITHIN, close_by(reported_at, urgent=urgent, is_working=is_working)
    )
