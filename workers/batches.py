"""What the draining jobs share: how long a batch may go on, in which order, and settling it for certain."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar

from app import db
from app.queue import JOB_TIMEOUT_S

P = ParamSpec("P")
T = TypeVar("T")


class Tried(Protocol):
    """A leased row that knows how often it was leased."""

    @property
    def attempts(self) -> int:
        """1 at the first lease."""


Row = TypeVar("Row", bound=Tried)


class Shift:
    """The time in which a job begins rows: half of what lease and alarm leave, so that the last one can end.

    A row begun later could outlive its lease, and another worker would do it as well.
    """

    def __init__(self, lease_s: float) -> None:
        self._ends = time.monotonic() + min(lease_s, JOB_TIMEOUT_S) / 2

    def is_over(self) -> bool:
        """Must no further row be begun?"""
        return time.monotonic() >= self._ends


def in_turn(rows: Sequence[Row]) -> list[Row]:
    """The batch in its order; by chance once one of its rows was tried before.

    A row that kills its worker takes the rest of the batch with it. In a fixed order it would do so each time,
    before the same others had their turn.
    """
    chosen = list(rows)
    if any(row.attempts > 1 for row in chosen):
        random.shuffle(chosen)
    return chosen


def committed(unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `unit` gives, in a transaction of its own, tried again while the database is restarting."""

    def whole() -> T:
        with db.transaction():
            return unit(*args, **kwargs)

    return db.retrying(whole)
