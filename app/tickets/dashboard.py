"""The first screen of a desk: what waits, what came in and went out today, what is worst, how the month goes."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select

from app import clock, db
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.tickets import figures, queries
from app.tickets.figure_rules import Part
from app.tickets.figures import Made, Wanted
from app.tickets.models import Ticket
from app.tickets.moves import ENDED

WORST = 10


class Waiting(NamedTuple):
    """Open tickets of one state: how many, and how many of them are over the limit, stand, or were warned of."""

    status: str
    n: int
    overdue: int
    standing: int
    warned: int


@dataclass
class Dashboard:
    """Everything of the first screen, in a fixed number of queries."""

    as_of: datetime
    waiting: list[Waiting]
    today: dict[Part, int]
    worst: list[Ticket]
    month: Made
    month_before: Made
    year_before: Made


def dashboard(staff: StaffActor) -> Dashboard:
    """The first screen of what she may see.

    The month runs from its first day to today; beside it the same days of the month before (环比) and of the same
    month a year ago (同比).
    """
    today = places.today()
    month = Wanted(today.replace(day=1), today)
    return Dashboard(
        as_of=clock.now(),
        waiting=_waiting(staff),
        today=figures.moments(staff, Wanted(today, today)),
        worst=_worst(staff),
        month=figures.metrics(staff, month),
        month_before=figures.metrics(staff, _same_days(month, months=1)),
        year_before=figures.metrics(staff, _same_days(month, months=12)),
    )


def _same_days(wanted: Wanted, *, months: int) -> Wanted:
    """The same days so many months before; what that month doesn't have ends with it."""
    month = wanted.first.year * 12 + wanted.first.month - 1 - months
    year, number = divmod(month, 12)
    longest = calendar.monthrange(year, number + 1)[1]
    # A whole month is compared with a whole month.
    is_whole = (wanted.last + timedelta(days=1)).day == 1
    day = longest if is_whole else min(wanted.last.day, longest)
    return Wanted(date(year, number + 1, 1), date(year, number + 1, day))


def _waiting(staff: StaffActor) -> list[Waiting]:
    if not staff.grants:
        return []
    rows = db.session().execute(
        select(
            Ticket.status,
            func.count(),
            func.count().filter(_is_over()),
            func.count().filter(Ticket.standing_since.is_not(None)),
            func.count().filter(Ticket.warned_at.is_not(None)),
        )
        .where(queries.visible_to(staff, Permission.STATS_VIEW), Ticket.status.not_in(sorted(ENDED)))
        .group_by(Ticket.status)
        .order_by(Ticket.status)
    )
    return [Waiting(*row) for row in rows]


def _is_over() -> ColumnElement[bool]:
    return and_(
        Ticket.due_at < clock.now(),
        or_(Ticket.standing_since.is_(None), Ticket.due_at < Ticket.standing_since),
    )


def _worst(staff: StaffActor) -> list[Ticket]:
    """What is over its limit for longest."""
    if not staff.grants:
        return []
    rows = db.session().scalars(
        select(Ticket)
        .where(
            queries.visible_to(staff, Permission.STATS_VIEW), Ticket.status.not_in(sorted(ENDED)), _is_over()
        )
        .order_by(Ticket.due_at, Ticket.id)
        .limit(WORST)
    )
    return list(rows)
