"""What the draining jobs share: how long a batch may go on, in which order, and settling it for certain."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import db
from app.ids import Ref
from app.queue import JOB_TIMEOUT_S

log = logging.getLogger(__name__)

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


def committed_alone(
    unit: Callable[Concatenate[Ref, P], T], ref: Ref, *args: P.args, **kwargs: P.kwargs
) -> T | None:
    """The same for one thing of many, which must not hold up the others: what fails is logged, and gives None.

    Raises what concerns them all: the job's alarm, and a database that is away or has no connection free.
    """
    try:
        return committed(unit, ref, *args, **kwargs)
    except (JobTimeoutException, PoolTimeout):
        raise
    except Exception as e:
        if isinstance(e, DBAPIError) and db.is_passing(e):
            raise
        log.exception("left for the next round: %s %s", getattr(unit, "__name__", "unit"), ref.id)
        return None
