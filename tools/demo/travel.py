"""The clock of this process, set to the moments of the past at which the demonstration happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest import mock

from app import clock
from app.tickets import queries


@contextmanager
def one_calendar() -> Iterator[None]:
    """The calendar doesn't change while the stories are played: it is read once, not with each step."""
    whole = queries.calendar_from(clock.now() - timedelta(days=1))
    with mock.patch.object(queries, "calendar_from", return_value=whole):
        yield


@contextmanager
def travelling() -> Iterator[Traveller]:
    """Within the block this process's clock shows what `to` was given last."""
    traveller = Traveller(clock.now())
    with mock.patch.object(clock, "now", traveller.now):
        yield traveller


class Traveller:
    """The hands of the clock."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def to(self, at: datetime) -> None:
        """It is `at` now."""
        self._now = at

    def now(self) -> datetime:
        """What the services read; moves on by itself, so that ids keep the order in which they were made."""
        self._now += timedelta(milliseconds=1)
        return self._now
