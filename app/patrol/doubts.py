"""What speaks against a visit. Values in, reasons out: the database is asked by the caller.

Nothing here blocks: a guard whose phone has no signal in a cellar still hands in what she has, and the desk
sees why it doesn't count by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from app.patrol.models import Proof, Suspicion
from app.places.coordinates import Point, distance_m

# A phone may claim any accuracy; beyond this it would prove nothing.
MOST_ACCURACY_M = 100.0
# Where a sign hangs is surveyed to about so much.
SURVEY_M = 10.0
CLOCK_SLACK = timedelta(minutes=1)


class Seen(NamedTuple):
    """A visit as far as its way is concerned: when, where (WGS-84, if known), and how far off that may be."""

    at: datetime
    place: Point | None
    slack_m: float


def off_by_m(point: Point, reading: Point | None) -> float | None:
    """Metres between a point and the reading at it; None without a reading."""
    return distance_m(point, reading) if reading is not None else None


def of_place(
    *, proof: Proof, radius_m: float, has_code: bool, distance: float | None, accuracy_m: float | None
) -> list[Suspicion]:
    """Was she there? `distance` is None without a reading, or where the point has no position."""
    found = []
    if not has_code and proof in (Proof.QR, Proof.BOTH):
        found.append(Suspicion.NO_CODE)
    if distance is None and proof in (Proof.POSITION, Proof.BOTH):
        found.append(Suspicion.NO_POSITION)
    if distance is not None and distance > radius_m + min(accuracy_m or 0.0, MOST_ACCURACY_M):
        found.append(Suspicion.TOO_FAR)
    return found


def of_time(*, at: datetime, started_at: datetime, ended_at: datetime | None) -> list[Suspicion]:
    """Was it on this shift?"""
    before = at < started_at - CLOCK_SLACK
    after = ended_at is not None and at > ended_at + CLOCK_SLACK
    return [Suspicion.OTHER_SHIFT] if before or after else []


def of_speed(visit: Seen, neighbours: Iterable[Seen | None], *, max_kmh: int) -> list[Suspicion]:
    """Can she have come from the visit before and got to the one after?"""
    for other in neighbours:
        if other is None or other.place is None or visit.place is None:
            continue
        gap = distance_m(visit.place, other.place) - visit.slack_m - other.slack_m
        seconds = max(abs((visit.at - other.at).total_seconds()), 1.0)
        if gap > max_kmh / 3.6 * seconds:
            return [Suspicion.TOO_FAST]
    return []
