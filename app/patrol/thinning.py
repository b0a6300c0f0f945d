"""A track as thin as it is useful: where a member of staff walked, not every step she took.

A position is kept when at least 20 s have passed *and* at least 15 m lie between it and the one kept before
(whichever comes later); the first is always kept, and the end of the way is shown whatever the rule says.
Thinning piece by piece gives the same as thinning the whole, so a track may arrive in batches.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from app.places.coordinates import Point, distance_m

EVERY = timedelta(seconds=20)
EVERY_M = 15.0


class Fix(NamedTuple):
    """Where she was at a moment: WGS-84, accuracy in metres when the phone told it."""

    at: datetime
    point: Point
    accuracy_m: float | None = None


def in_order(fixes: Iterable[Fix], *, after: datetime | None = None) -> list[Fix]:
    """The fixes by time, one a moment; those not later than `after` have been received before and go."""
    first_of: dict[datetime, Fix] = {}
    for fix in fixes:
        if after is None or fix.at > after:
            first_of.setdefault(fix.at, fix)
    return [first_of[at] for at in sorted(first_of)]


def thin(fixes: Iterable[Fix], *, after: Fix | None = None) -> list[Fix]:
    """Those of the ordered fixes that are kept; `after` is the one kept last before them."""
    kept: list[Fix] = []
    last = after
    for fix in fixes:
        if last is None or (fix.at - last.at >= EVERY and distance_m(fix.point, last.point) >= EVERY_M):
            kept.append(fix)
            last = fix
    return kept


def with_end(kept: list[Fix], end: Fix | None) -> list[Fix]:
    """The track as it is shown: what was kept, then where it ended."""
    return [*kept, end] if end is not None and (not kept or end.at > kept[-1].at) else kept
