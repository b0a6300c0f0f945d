"""The rules of the figures: which moment puts a stint into a period, what counts for it, what is left out.

Each metric is one line of `RULES`. Counting (`figures.metrics`) and drill-down (`figures.items`) read the same line
through the same SQL, so a list always has as many rows as its figure. The formulas are those of the street's
assessment; a rate is never given without its denominator.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, case, cast, literal
from sqlalchemy import Integer as Int
from sqlalchemy.orm import InstrumentedAttribute

from app.tickets import clocks
from app.tickets.figure_models import Out, Stint
from app.tickets.models import TicketStatus

MIN_SAMPLE = 20  # below so many in the denominator nothing is ranked


class Part(StrEnum):
    """A moment of a stint that figures are counted by."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    DUE = "due"
    CHECKED = "checked"
    CLOSED = "closed"
    VERDICT = "verdict"


MOMENTS: Mapping[Part, InstrumentedAttribute[Any]] = {
    Part.RECEIVED: Stint.received_at,
    Part.ACCEPTED: Stint.accepted_at,
    Part.DISPATCHED: Stint.dispatched_at,
    Part.DUE: Stint.due_at,
    Part.CHECKED: Stint.checked_at,
    Part.CLOSED: Stint.closed_at,
    Part.VERDICT: Stint.verdict_at,
}

# How each part came out, as a number from 1 to MOST[part]; 0: it didn't happen.
MOST: Mapping[Part, int] = {
    Part.RECEIVED: 6,
    Part.ACCEPTED: 2,
    Part.DISPATCHED: 8,
    Part.DUE: 5,
    Part.CHECKED: 2,
    Part.CLOSED: 8,
    Part.VERDICT: 3,
}
BITS = 4
PARTS = tuple(Part)
OUT_SHIFT = BITS * len(PARTS)

_IN_TIME, _LATE, _WAITING = 1, 2, 3  # RECEIVED; 3 more when it repeats an earlier one
_DUE_KEPT, _DUE_LATE, _DUE_OPEN, _DUE_AHEAD, _DUE_STANDING = 1, 2, 3, 4, 5


def _flag(column: InstrumentedAttribute[bool], weight: int) -> ColumnElement[int]:
    return cast(column, Int) * weight


def codes(now: datetime) -> dict[Part, ColumnElement[int]]:
    """How each part of a stint came out, as SQL. `now` decides what is still waiting or not yet due."""
    still = and_(Stint.accepted_at.is_(None), Stint.received_at >= now - clocks.ACCEPT_WITHIN)
    return {
        Part.RECEIVED: case(
            (Stint.is_accepted_in_time, literal(_IN_TIME)), (still, literal(_WAITING)), else_=literal(_LATE)
        )
        + _flag(Stint.is_repeated, 3),
        Part.ACCEPTED: case((Stint.status == TicketStatus.CLOSED, literal(1)), else_=literal(2)),
        Part.DISPATCHED: 1
        + _flag(Stint.is_dispatched_in_time, 1)
        + _flag(Stint.is_returned, 2)
        + _flag(Stint.is_supervised, 4),
        Part.DUE: case(
            (Stint.due_at > now, literal(_DUE_AHEAD)),
            (Stint.is_closed_in_time, literal(_DUE_KEPT)),
            (Stint.closed_at.is_not(None), literal(_DUE_LATE)),
            (Stint.is_standing, literal(_DUE_STANDING)),
            else_=literal(_DUE_OPEN),
        ),
        Part.CHECKED: 1 + _flag(Stint.is_failed, 1),
        Part.CLOSED: 1
        + _flag(Stint.is_rated, 1)
        + _flag(Stint.is_called_back, 2)
        + _flag(Stint.is_reopened, 4),
        Part.VERDICT: cast(Stint.verdict, Int),
    }


def outcome(row: Mapping[str, Any]) -> int:
    """What `codes` says of a stint whose limit is over and whose first minutes have passed, packed into one number.

    It needs no clock: a stint that is touched neither in the last minutes nor by a limit to come keeps it for good.
    """
    due = _DUE_OPEN
    if row["closed_at"] is not None:
        due = _DUE_KEPT if row["is_closed_in_time"] else _DUE_LATE
    elif row["is_standing"]:
        due = _DUE_STANDING
    came_out = {
        Part.RECEIVED: (_IN_TIME if row["is_accepted_in_time"] else _LATE) + 3 * row["is_repeated"],
        Part.ACCEPTED: 1 if row["status"] == TicketStatus.CLOSED else 2,
        Part.DISPATCHED: 1 + row["is_dispatched_in_time"] + 2 * row["is_returned"] + 4 * row["is_supervised"],
        Part.DUE: due,
        Part.CHECKED: 1 + row["is_failed"],
        Part.CLOSED: 1 + row["is_rated"] + 2 * row["is_called_back"] + 4 * row["is_reopened"],
        Part.VERDICT: row["verdict"] or 0,
    }
    packed: int = row["out"] << OUT_SHIFT
    for place, part in enumerate(PARTS):
        if row[MOMENTS[part].key] is not None:
            packed |= came_out[part] << BITS * place
    return packed


class Metric(StrEnum):
    """What is measured."""

    ACCEPT_ON_TIME = "accept_on_time"  # 受理及时率
    DISPATCH_ON_TIME = "dispatch_on_time"  # 交办及时率
    CLOSED_ON_TIME = "closed_on_time"  # 按期办结率
    CLOSED = "closed"  # 办结率
    SATISFIED = "satisfied"  # 满意率
    RATED = "rated"  # 评价率
    CALLED_BACK = "called_back"  # 回访率
    HANDLING_TIME = "handling_time"  # 平均办理时长
    FIRST_RESOLUTION = "first_resolution"  # 首次解决时长
    REPEATED = "repeated"  # 重复投诉率
    REWORK = "rework"  # 返工率
    RETURNED = "returned"  # 退单率
    OVERDUE = "overdue"  # 超期率
    SUPERVISED = "supervised"  # 督办率


class Person(StrEnum):
    """Whom a metric speaks of when it is counted by person: the column's name."""

    HANDLER = "handler_id"
    ACCEPTER = "accepter_id"
    DISPATCHER = "dispatcher_id"


class Rule(NamedTuple):
    """One metric: whose moment lies in the period, which outcomes make the numerator, which are left out and why.

    All other outcomes of counted tickets make the denominator. `apart`: the numerator is counted by a moment of its
    own (repeated reports are no part of what was closed).
    """

    part: Part
    numerator: frozenset[int]
    left: Mapping[str, frozenset[int]] = {}
    apart: Part | None = None
    person: Person = Person.HANDLER
    seconds: str | None = None  # a mean: the column that is summed over the numerator
    more_is_better: bool = True


def _with(base: int, bit: int, size: int) -> frozenset[int]:
    """The outcomes base … size-1 that have the bit."""
    return frozenset(code for code in range(base, size) if (code - base) & bit)


_ALL_CLOSED = frozenset(range(1, 9))
_REOPENED = _with(1, 4, 9)
_DUE_LEFT = {"not_yet_due": frozenset({_DUE_AHEAD}), "standing": frozenset({_DUE_STANDING})}

RULES: Mapping[Metric, Rule] = {
    Metric.ACCEPT_ON_TIME: Rule(
        Part.RECEIVED,
        frozenset({_IN_TIME, _IN_TIME + 3}),
        {"waiting": frozenset({_WAITING, _WAITING + 3})},
        person=Person.ACCEPTER,
    ),
    Metric.DISPATCH_ON_TIME: Rule(Part.DISPATCHED, _with(1, 1, 9), person=Person.DISPATCHER),
    Metric.CLOSED_ON_TIME: Rule(Part.DUE, frozenset({_DUE_KEPT}), _DUE_LEFT),
    Metric.CLOSED: Rule(Part.ACCEPTED, frozenset({1})),
    Metric.SATISFIED: Rule(Part.VERDICT, frozenset({1, 2})),
    Metric.RATED: Rule(Part.CLOSED, _with(1, 1, 9)),
    Metric.CALLED_BACK: Rule(Part.CLOSED, _with(1, 2, 9)),
    Metric.HANDLING_TIME: Rule(
        Part.CLOSED,
        _ALL_CLOSED - _REOPENED,
        {"reopened": _REOPENED},
        seconds="total_s",
        more_is_better=False,
    ),
    Metric.FIRST_RESOLUTION: Rule(
        Part.CLOSED,
        _ALL_CLOSED - _REOPENED,
        {"reopened": _REOPENED},
        seconds="first_s",
        more_is_better=False,
    ),
    Metric.REPEATED: Rule(Part.CLOSED, frozenset({4, 5, 6}), apart=Part.RECEIVED, more_is_better=False),
    Metric.REWORK: Rule(Part.CHECKED, frozenset({2}), more_is_better=False),
    Metric.RETURNED: Rule(Part.DISPATCHED, _with(1, 2, 9), more_is_better=False),
    Metric.OVERDUE: Rule(Part.DUE, frozenset({_DUE_LATE, _DUE_OPEN}), _DUE_LEFT, more_is_better=False),
    Metric.SUPERVISED: Rule(Part.DISPATCHED, _with(1, 4, 9), more_is_better=False),
}


class Share(StrEnum):
    """A part of a figure that can be listed."""

    NUMERATOR = "numerator"
    DENOMINATOR = "denominator"
    MISSED = (
        "missed"  # in the denominator and not in the numerator: of a rate that should be high, what it lacks
    )
    LEFT_OUT = "left_out"


TICKET_REASONS = {out.name.lower(): out for out in Out if out is not Out.COUNTED}


def all_codes(part: Part) -> frozenset[int]:
    """Every outcome of a part that lies in the period."""
    return frozenset(range(1, MOST[part] + 1))


def counted(rule: Rule) -> frozenset[int]:
    """The outcomes that make the denominator."""
    return all_codes(rule.part) - frozenset().union(*rule.left.values())


def has_missed(rule: Rule) -> bool:
    """Is there something between numerator and denominator? Not of a mean, which is made of all, nor where the
    numerator is counted by a moment of its own and so is no part of the denominator.
    """
    return rule.seconds is None and rule.apart is None


def outcomes_of(rule: Rule, share: Share) -> frozenset[int]:
    """The outcomes that make this share; of LEFT_OUT by its reasons instead."""
    if share is Share.NUMERATOR:
        return rule.numerator
    if share is Share.MISSED:
        return counted(rule) - rule.numerator if has_missed(rule) else frozenset()
    return counted(rule)
