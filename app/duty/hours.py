"""Hours of a day, as people write them and as moments: minutes after 00:00 in Asia/Shanghai."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from app import clock
from app.duty.errors import BadHours

DAY = 1440
_HOURS = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


class Span(NamedTuple):
    """From when to when, in minutes after the midnight on which the day begins; beyond 1440 it is the next day."""

    starts: int
    ends: int

    def on(self, day: date) -> tuple[datetime, datetime]:
        """The moments it means on a day, in UTC."""
        midnight = datetime.combine(day, time(), tzinfo=clock.SHANGHAI)
        first, last = (midnight + timedelta(minutes=m) for m in self)
        return first.astimezone(UTC), last.astimezone(UTC)


def read(start: str, end: str) -> Span:
    """The span of "22:00" to "06:00": what doesn't end after it begins ends on the next day. Raises BadHours."""
    starts, ends = _minutes(start), _minutes(end)
    if starts >= DAY or starts == ends:
        raise BadHours
    return Span(starts, ends if ends > starts else ends + DAY)


def _minutes(text: str) -> int:
    found = _HOURS.fullmatch(text)
    if found is None or (minutes := int(found[1]) * 60 + int(found[2])) > DAY:
        raise BadHours
    return minutes


def write(starts: int, ends: int) -> dict[str, str]:
    """`{"from_": "22:00", "to": "06:00"}`; the end of the day is 24:00."""
    return {"from_": _text(starts), "to": _text(ends if ends <= DAY else ends - DAY)}


def _text(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
