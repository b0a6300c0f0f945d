"""Which dispatch rule counts. Pure: terms and a situation in, the rules that hold and those passed over out.

The most specific rule wins: first by class (the class itself before the one above it, all classes last), then by
place (estate, grid, community), then by urgency (named before either), then by time (a window, then working or other
hours, then always). Between equals the higher priority, at last the smaller id: the order never depends on chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from app import clock
from app.duty.hours import Span
from app.tickets.clocks import Calendar
from app.tickets.routing_models import DaysKind, RoutingTerm, TimeKind


class Why(StrEnum):
    """Why a rule was passed over."""

    OTHER_CLASS = "other_class"
    OTHER_PLACE = "other_place"
    OTHER_URGENCY = "other_urgency"
    OTHER_TIME = "other_time"
    UNIT_ENDED = "unit_ended"
    UNIT_ELSEWHERE = "unit_elsewhere"
    DISPUTE = "dispute"
    OTHER_UNIT = "other_unit"  # the desk named another unit
    LESS_SPECIFIC = "less_specific"


@dataclass(frozen=True)
class Situation:
    """What is asked: `classes` from the class itself upwards; `calendar` knows the day of `at` and the one before."""

    estate_id: UUID | None
    grid_id: UUID | None
    classes: Sequence[str]
    urgent: bool
    at: datetime
    calendar: Calendar


class Passed(NamedTuple):
    """A rule that doesn't count here."""

    term: RoutingTerm
    why: Why


Rank = tuple[int, int, int, int, int, str]


def miss(term: RoutingTerm, now: Situation) -> Why | None:
    """Why the rule doesn't hold here, or None."""
    if term.category_code is not None and term.category_code not in now.classes:
        return Why.OTHER_CLASS
    if term.estate_id is not None and term.estate_id != now.estate_id:
        return Why.OTHER_PLACE
    if term.grid_id is not None and term.grid_id != now.grid_id:
        return Why.OTHER_PLACE
    if term.urgent is not None and term.urgent != now.urgent:
        return Why.OTHER_URGENCY
    return None if holds_at(term, now.at, now.calendar) else Why.OTHER_TIME


def holds_at(term: RoutingTerm, at: datetime, calendar: Calendar) -> bool:
    """Does the rule hold at that moment? A window that runs past midnight is judged by the day it began on."""
    kind = TimeKind(term.time_kind)
    today = clock.in_shanghai(at).date()
    if kind is TimeKind.ALWAYS:
        return True
    if kind is not TimeKind.WINDOW:
        worked = any(start <= at < end for start, end in calendar.hours(today))
        return worked is (kind is TimeKind.WORKING_HOURS)
    if term.starts is None or term.ends is None:
        return False
    for day in (today, today - timedelta(days=1)):
        start, end = Span(term.starts, term.ends).on(day)
        if start <= at < end and day.isoweekday() in term.weekdays:
            days = DaysKind(term.days)
            if days is DaysKind.ANY or calendar.is_working(day) is (days is DaysKind.WORKING):
                return True
    return False


def rank(term: RoutingTerm, now: Situation) -> Rank:
    """The smaller, the more specific."""
    return (
        len(now.classes) if term.category_code is None else now.classes.index(term.category_code),
        0 if term.estate_id is not None else 1 if term.grid_id is not None else 2,
        1 if term.urgent is None else 0,
        _time_level(term),
        -term.priority,
        str(term.rule_id),
    )


def sift(terms: Iterable[RoutingTerm], now: Situation) -> tuple[list[RoutingTerm], list[Passed]]:
    """The rules that hold here, the one that counts first; and the others with why not."""
    holding: list[RoutingTerm] = []
    passed: list[Passed] = []
    for term in terms:
        why = miss(term, now)
        if why is None:
            holding.append(term)
        else:
            passed.append(Passed(term, why))
    holding.sort(key=lambda term: rank(term, now))
    passed.sort(key=lambda each: str(each.term.rule_id))
    return holding, passed


def _time_level(term: RoutingTerm) -> int:
    return {TimeKind.WINDOW: 0, TimeKind.ALWAYS: 2}.get(TimeKind(term.time_kind), 1)


# --- ties ------------------------------------------------------------------------------------------------


def tie(one: RoutingTerm, other: RoutingTerm) -> bool:
    """Is there a report for which nothing but the id says which of the two counts?"""
    same = ("category_code", "estate_id", "grid_id", "urgent", "priority")
    if any(getattr(one, name) != getattr(other, name) for name in same):
        return False
    if not _overlap_in_dates(one, other) or _time_level(one) != _time_level(other):
        return False
    if one.time_kind != TimeKind.WINDOW:
        return one.time_kind == other.time_kind
    return _windows_meet(one, other)


def _overlap_in_dates(one: RoutingTerm, other: RoutingTerm) -> bool:
    return (one.valid_to is None or other.valid_from < one.valid_to) and (
        other.valid_to is None or one.valid_from < other.valid_to
    )


def _windows_meet(one: RoutingTerm, other: RoutingTerm) -> bool:
    """Do they ever hold at once? Working and free days never begin together, but a night may reach into the other."""
    week = 7 * 1440
    for day in one.weekdays:
        for near in other.weekdays:
            if day == near and DaysKind.ANY not in {one.days, other.days} and one.days != other.days:
                continue
            first, second = (day - 1) * 1440, (near - 1) * 1440
            for shift in (-week, 0, week):
                starts = max(first + (one.starts or 0), second + shift + (other.starts or 0))
                ends = min(first + (one.ends or 0), second + shift + (other.ends or 0))
                if starts < ends:
                    return True
    return False
