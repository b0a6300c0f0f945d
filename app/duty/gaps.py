"""Hours that the week says are staffed and a single day leaves with nobody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from app.duty import queries
from app.duty.hours import DAY, Span
from app.duty.models import DayChange, Turn


class Gap(NamedTuple):
    """Nobody is there on that day in that span of it."""

    day: date
    span: Span


def gaps(turns: Sequence[Turn], changes: Sequence[DayChange]) -> list[Gap]:
    """The gaps that these changes make, in order; who comes, and turns of the days beside that run over, fill them."""
    found: list[Gap] = []
    for day in sorted({change.day for change in changes if change.away_id is not None}):
        bare = [span for _, span in queries.spans_on(day, turns, ())]
        for offset in (-1, 0, 1):
            near = day + timedelta(days=offset)
            for _, there in queries.spans_on(near, turns, changes):
                begins, ends = there.starts + offset * DAY, there.ends + offset * DAY
                bare = [
                    left
                    for span in bare
                    for left in (
                        Span(span.starts, min(span.ends, begins)),
                        Span(max(span.starts, ends), span.ends),
                    )
                    if left.starts < left.ends
                ]
        found += [_on_its_day(day, span) for span in _joined(bare)]
    return found


def _joined(spans: list[Span]) -> list[Span]:
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.starts <= whole[-1].ends:
            whole[-1] = Span(whole[-1].starts, max(whole[-1].ends, span.ends))
        else:
            whole.append(span)
    return whole


def _on_its_day(day: date, span: Span) -> Gap:
    if span.starts >= DAY:
        return Gap(day + timedelta(days=1), Span(span.starts - DAY, span.ends - DAY))
    return Gap(day, span)
