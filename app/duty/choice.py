"""Who of those on shift gets the next ticket. Pure: values in, a choice with its reason out.

Everybody on shift has a score: the tickets given to her since she came, beginning where her colleagues stand, so
that who comes at noon is neither flooded nor spared. Nobody whose score is `gap` ahead of the lowest gets another
one: two who work the same hours differ by at most `gap`, however fast one of them is. Among the others the fewest
open tickets decide, then who was given one longest ago.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class Method(StrEnum):
    """How a person is chosen: 最少在手 · 轮流 · 上次处理人 · 抢单."""

    LEAST_LOADED = "least_loaded"
    ROTATE = "rotate"
    LAST_HANDLER = "last_handler"
    GRAB = "grab"


class Because(StrEnum):
    """Why this person, or why nobody."""

    ONLY_ONE = "only_one"
    LEAST_LOADED = "least_loaded"
    LONGEST_AGO = "longest_ago"  # several hold as few; she was given one longest ago
    EVENED_OUT = "evened_out"  # who holds fewest has been given `gap` more than another
    LAST_HANDLER = "last_handler"
    NEXT_IN_TURN = "next_in_turn"
    # Nobody.
    TO_GRAB = "to_grab"
    NOBODY_ON_SHIFT = "nobody_on_shift"


class Place(NamedTuple):
    """Where somebody stands: the day and moment her turn began, her score, tickets given that day."""

    day: date
    since: datetime
    score: int
    given: int
    last_no: int


@dataclass(frozen=True)
class Candidate:
    """Somebody on shift who could take it: `open` tickets on her hands, and where she stands."""

    staff_id: UUID
    open: int
    score: int
    given: int
    last_no: int


class Choice(NamedTuple):
    """The one who gets it (None: nobody) and why."""

    staff_id: UUID | None
    because: Because


def placed(on_shift: Mapping[UUID, tuple[date, datetime]], known: Mapping[UUID, Place]) -> dict[UUID, Place]:
    """Where everybody on shift (staff → day and beginning of her turn) stands now.

    Who begins a new day begins at the lowest score of those already there; who comes back on the same day (a second
    turn) keeps her score, but not below that.
    """
    there: dict[UUID, Place] = {}
    back: list[UUID] = []
    fresh: list[UUID] = []
    for staff, (day, since) in on_shift.items():
        old = known.get(staff)
        if old is not None and old.since == since:
            there[staff] = old
        elif old is not None and old.day == day:
            back.append(staff)
        else:
            fresh.append(staff)
    floor = min((place.score for place in there.values()), default=0)
    for staff in back:
        old = known[staff]
        there[staff] = old._replace(since=on_shift[staff][1], score=max(old.score, floor))
    floor = min((place.score for place in there.values()), default=0)
    for staff in fresh:
        day, since = on_shift[staff]
        last_no = known[staff].last_no if staff in known else 0
        there[staff] = Place(day, since, floor, 0, last_no)
    return there


def choose(
    candidates: Sequence[Candidate], method: Method, *, gap: int, last_handler: UUID | None = None
) -> Choice:
    """The one of `candidates` (all on shift) who gets it.

    `last_handler`: who handled the same at the same place last; preferred by her method while her score allows it and
    she holds at most `gap` more than who holds fewest.
    """
    if method is Method.GRAB:
        return Choice(None, Because.TO_GRAB)
    if not candidates:
        return Choice(None, Because.NOBODY_ON_SHIFT)
    if method is Method.ROTATE:
        return Choice(min(candidates, key=_longest_ago).staff_id, Because.NEXT_IN_TURN)
    lowest, fewest = min(c.score for c in candidates), min(c.open for c in candidates)
    within = [c for c in candidates if c.score - lowest < gap]
    if method is Method.LAST_HANDLER:
        for candidate in within:
            if candidate.staff_id == last_handler and candidate.open - fewest <= gap:
                return Choice(candidate.staff_id, Because.LAST_HANDLER)
    if len(candidates) == 1:
        return Choice(candidates[0].staff_id, Because.ONLY_ONE)
    best = min(within, key=lambda c: (c.open, *_longest_ago(c)))
    if best.open > fewest:
        return Choice(best.staff_id, Because.EVENED_OUT)
    alike = sum(c.open == best.open for c in within) > 1
    return Choice(best.staff_id, Because.LONGEST_AGO if alike else Because.LEAST_LOADED)


def _longest_ago(candidate: Candidate) -> tuple[int, str]:
    return candidate.last_no, str(candidate.staff_id)
