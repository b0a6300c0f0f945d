"""How many tickets were received, by what has become of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy import text as sql

from app import clock
from app.people.scopes import StaffActor
from app.tickets import queries
from app.tickets.figure_models import Out, Stint
from app.tickets.figure_rules import Person
from app.tickets.figures import (
    PERIODS,
    By,
    Wanted,
    columns_of,
    concerning,
    key_of,
    midnight,
    periods,
    run,
    times,
    within,
)


@dataclass
class Tally:
    """How many were received, by what they are now; all of them, also those that don't count in scores."""

    received: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    by_channel: dict[str, int] = field(default_factory=dict)
    by_class: dict[str | None, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    def add(self, n: int, *, status: str, channel: str, category: str | None, out: int) -> None:
        """So many more."""
        self.received += n
        self.by_status[status] = self.by_status.get(status, 0) + n
        self.by_channel[channel] = self.by_channel.get(channel, 0) + n
        self.by_class[category] = self.by_class.get(category, 0) + n
        if out != Out.COUNTED:
            reason = Out(out).name.lower()
            self.left_out[reason] = self.left_out.get(reason, 0) + n


@dataclass
class Counts:
    """What was received, in total and by group."""

    wanted: Wanted
    as_of: datetime
    total: Tally
    rows: dict[Any, Tally]


def received(staff: StaffActor, wanted: Wanted, *, by: By | None = None) -> Counts:
    """Tickets received in the period by what they are now. Raises PeriodReversed, PeriodTooLong."""
    now, (start, end) = clock.now(), wanted.span
    made = Counts(wanted, now, Tally(), {})
    spans = periods(wanted.first, wanted.last, by) if by is not None and by in PERIODS else []
    if spans:
        made.rows = {span: Tally() for span in spans}
    if not staff.grants:
        return made
    columns = columns_of(by, Person.HANDLER)
    place = (
        func.width_bucket(Stint.received_at, times([midnight(first) for first, _ in spans]))
        if spans
        else literal(0)
    )
    what = (Stint.status, Stint.channel, Stint.category_code, Stint.out)
    query = (
        select(*columns, place.label("place"), *what, func.count())
        .where(concerning(staff, wanted, Person.HANDLER, start, end), within(Stint.received_at, start, end))
        .group_by(*columns, sql("place"), *what)
    )
    parents = queries.class_parents() if by is By.TOP_CLASS else {}
    for *group, number, status, channel, category, out, n in run(query):
        made.total.add(n, status=status, channel=channel, category=category, out=out)
        if by is not None:
            key = spans[number - 1] if spans else key_of(by, tuple(group), parents)
            made.rows.setdefault(key, Tally()).add(
                n, status=status, channel=channel, category=category, out=out
            )
    return made
