"""Properties of the choice of a rule: the same whatever the order, never a less specific one, never by chance."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from app.tickets.clocks import Calendar, DayKind
from app.tickets.routing import Situation, holds_at, miss, rank, sift, tie
from app.tickets.routing_models import DaysKind, RoutingTerm, TimeKind

DAY = date(2026, 9, 17)  # a Thursday
CALENDAR = Calendar(
    {DAY + timedelta(days=n): kind for n, kind in enumerate([DayKind.WORK, DayKind.HALF, DayKind.OFF] * 3)}
)
ESTATES = [UUID(int=1), UUID(int=2)]
GRIDS = [UUID(int=11), UUID(int=12)]


@st.composite
def terms(draw: Any) -> RoutingTerm:
    place = draw(st.sampled_from(["estate", "grid", "all"]))
    kind = draw(st.sampled_from(list(TimeKind)))
    starts = draw(st.integers(0, 23)) * 60
    ends = starts + draw(st.integers(1, 24)) * 60
    is_window = kind is TimeKind.WINDOW
    since = draw(st.integers(-2, 2))
    until = draw(st.none() | st.integers(since + 1, 4))
    return RoutingTerm(
        community_id=1,
        rule_id=draw(st.uuids(version=4)),
        valid_from=DAY + timedelta(days=since),
        valid_to=None if until is None else DAY + timedelta(days=until),
        name="规则",
        category_code=draw(st.sampled_from([None, "top", "mid", "leaf", "other"])),
        estate_id=draw(st.sampled_from(ESTATES)) if place == "estate" else None,
        grid_id=draw(st.sampled_from(GRIDS)) if place == "grid" else None,
        time_kind=kind,
        days=draw(st.sampled_from(list(DaysKind))) if is_window else DaysKind.ANY,
        weekdays=draw(st.lists(st.integers(1, 7), min_size=1, unique=True)) if is_window else [1],
        starts=starts if is_window else None,
        ends=ends if is_window else None,
        urgent=draw(st.sampled_from([None, True, False])),
        org_id=UUID(int=99),
        priority=draw(st.integers(0, 1)),
    )


situations = st.builds(
    Situation,
    estate_id=st.sampled_from([None, *ESTATES]),
    grid_id=st.sampled_from([None, *GRIDS]),
    classes=st.sampled_from([(), ("other",), ("leaf", "mid", "top"), ("mid", "top")]),
    urgent=st.booleans(),
    at=st.integers(0, 7 * 24 * 4).map(
        lambda quarter: datetime(2026, 9, 17, tzinfo=UTC) + timedelta(minutes=15 * quarter)
    ),
    calendar=st.just(CALENDAR),
)


@given(st.lists(terms(), max_size=8), situations, st.randoms(use_true_random=False))
def test_the_order_in_which_rules_were_made_does_not_matter(
    rules: list[RoutingTerm], now: Situation, rng: Any
) -> None:
    holding, passed = sift(rules, now)
    rng.shuffle(rules)
    again, passed_again = sift(rules, now)
    assert [t.rule_id for t in holding] == [t.rule_id for t in again]
    assert [(p.term.rule_id, p.why) for p in passed] == [(p.term.rule_id, p.why) for p in passed_again]
    assert len(holding) + len(passed) == len(rules)


def is_as_specific(one: RoutingTerm, other: RoutingTerm, now: Situation) -> bool:
    """Written apart from `rank`: says nothing less about class, place, urgency or time than the other."""

    def depth(term: RoutingTerm) -> int:
        return 0 if term.category_code is None else len(now.classes) - now.classes.index(term.category_code)

    def place(term: RoutingTerm) -> int:
        return 2 if term.estate_id else 1 if term.grid_id else 0

    def time(term: RoutingTerm) -> int:
        return {"window": 2, "always": 0}.get(term.time_kind, 1)

    return (
        depth(one) >= depth(other)
        and place(one) >= place(other)
        and (one.urgent is not None or other.urgent is None)
        and time(one) >= time(other)
    )


@given(st.lists(terms(), min_size=2, max_size=8), situations)
def test_no_rule_that_says_more_in_every_way_comes_after_one_that_says_less(
    rules: list[RoutingTerm], now: Situation
) -> None:
    holding, _ = sift(rules, now)
    for n, first in enumerate(holding):
        for later in holding[n + 1 :]:
            if is_as_specific(later, first, now) and not is_as_specific(first, later, now):
                raise AssertionError((rank(first, now), rank(later, now)))


@st.composite
def near_twins(draw: Any) -> tuple[RoutingTerm, RoutingTerm]:
    """Two rules that agree in all but their times and dates: nearly always comparable."""
    one, other = draw(terms()), draw(terms())
    for name in ("category_code", "estate_id", "grid_id", "urgent", "priority"):
        setattr(other, name, getattr(one, name))
    return one, other


@settings(max_examples=200)
@given(near_twins(), situations)
def test_only_rules_that_are_refused_together_could_be_decided_by_their_ids(
    pair: tuple[RoutingTerm, RoutingTerm], now: Situation
) -> None:
    """Two that hold at once and rank alike but for the id are a tie, which is refused when the second is made."""
    one, other = pair
    day = (now.at + timedelta(hours=8)).date()
    in_force = all(t.valid_from <= day and (t.valid_to is None or day < t.valid_to) for t in (one, other))
    both_hold = in_force and miss(one, now) is None and miss(other, now) is None
    if both_hold and rank(one, now)[:-1] == rank(other, now)[:-1]:
        assert tie(one, other)
        assert tie(other, one)


@given(situations)
def test_at_every_moment_either_working_or_other_hours_hold(now: Situation) -> None:
    def term(kind: TimeKind) -> RoutingTerm:
        return RoutingTerm(time_kind=kind, days=DaysKind.ANY, weekdays=[1])

    working = holds_at(term(TimeKind.WORKING_HOURS), now.at, CALENDAR)
    assert working is not holds_at(term(TimeKind.OFF_HOURS), now.at, CALENDAR)
    here = now.at + timedelta(hours=8)
    hours = {DayKind.WORK: [*range(9, 12), *range(14, 18)], DayKind.HALF: list(range(9, 12)), DayKind.OFF: []}
    assert working is (here.hour in hours[CALENDAR.kind(here.date())])
