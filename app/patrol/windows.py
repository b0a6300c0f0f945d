"""The hours of a plan: minutes after midnight in Asia/Shanghai, and the moments they mean on a day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from app import clock
from app.patrol.errors import BadWindow

DAY = 1440
_HOURS = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


class Window(NamedTuple):
    """One stretch of hours on one day; `day` is the one it begins on."""

    day: date
    start: datetime
    end: datetime


def read(windows: Sequence[tuple[str, str]]) -> list[list[int]]:
    """Minutes of `("22:00", "02:00")`; what ends before it begins ends after midnight. Raises BadWindow."""
    made = sorted([_minutes(start), _minutes(end)] for start, end in windows)
    for window in made:
        if window[0] >= DAY or window[0] == window[1]:
            raise BadWindow
        if window[1] < window[0]:
            window[1] += DAY
    # The last one of a day may run into the first of the next.
    for earlier, later in zip(made, [*made[1:], [made[0][0] + DAY, 0]] if made else [], strict=True):
        if earlier[1] > later[0]:
            raise BadWindow
    return made


def _minutes(text: str) -> int:
    found = _HOURS.fullmatch(text)
    if found is None or (minutes := int(found[1]) * 60 + int(found[2])) > DAY:
        raise BadWindow
    return minutes


def write(minutes: Sequence[Sequence[int]]) -> list[dict[str, str]]:
    """`[{"from": "22:00", "to": "02:00"}]` of stored minutes; the end of the day is 24:00."""
    return [{"from": _text(start), "to": _text(end if end <= DAY else end - DAY)} for start, end in minutes]


def _text(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def on(day: date, minutes: Iterable[Sequence[int]]) -> list[Window]:
    """The windows that begin on a day, in UTC."""
    midnight = datetime.combine(day, time(), tzinfo=clock.SHANGHAI)
    return [
        Window(day, *((midnight + timedelta(minutes=m)).astimezone(UTC) for m in (start, end)))
        for start, end in minutes
    ]


def holding(at: datetime, windows: Iterable[Window], *, grace: timedelta) -> Window | None:
    """The window that holds the moment, else the nearest within `grace` of it, else None."""
    near: list[tuple[timedelta, Window]] = []
    for window in windows:
        if window.start <= at < window.end:
            return window
        away = window.start - at if at < window.start else at - window.end
        if away <= grace:
            near.append((away, window))
    return min(near)[1] if near else None
