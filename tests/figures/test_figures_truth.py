"""Figures equal a naive reading of random histories; the lists behind them are as long as they say."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app import clock, db
from app.ids import Ref
from app.people.models import Role
from app.people.scopes import Grant, StaffActor
from app.tickets import figure_counts, figure_items, figures, stints
from app.tickets.figure_rules import RULES, Metric, Share
from app.tickets.figures import By, Figures, Wanted
from tests.conftest import Town
from tests.figures.histories import Counted, Sums, naive, summed, write

NOW = datetime(2026, 6, 17, 9, 30, tzinfo=UTC)
START = datetime(2026, 4, 1, 16, 0, tzinfo=UTC)


def desk_of(town: Town) -> StaffActor:
    where = town.a
    grant = Grant(
        Role.COMMUNITY,
        where.desk,
        communities=frozenset({where.id}),
        estates=frozenset({where.estate, where.second_estate}),
    )
    return StaffActor(UUID(int=1), "desk", "desk", grants=(grant,))


def as_sums(found: Figures) -> Sums:
    return {
        metric.value: (figure.numerator, figure.denominator, figure.left_out)
        for metric, figure in found.items()
        if figure.numerator or figure.denominator or figure.left_out
    }


@given(
    seed=st.integers(0, 2**32),
    first=st.dates(date(2026, 4, 1), date(2026, 6, 17)),
    days=st.integers(0, 90),
)
@example(seed=1, first=date(2026, 4, 1), days=77)
@example(seed=2, first=date(2026, 4, 10), days=40)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_figures_equal_a_naive_reading_of_the_events(
    make_town: Callable[[], Town], monkeypatch: pytest.MonkeyPatch, seed: int, first: date, days: int
) -> None:
    town, rng = make_town(), random.Random(seed)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    made = write(
        rng,
        community_id=town.a.id,
        estate_id=town.a.estate.id,
        orgs=[town.a.keeper, town.b.keeper],
        start=START,
        now=NOW,
        n=50,
    )
    with db.transaction():
        assert stints.fill_page(town.a.id, after=None) is None
    wanted, desk = Wanted(first, first + timedelta(days=days)), desk_of(town)
    start, end = wanted.span
    expected: list[Counted] = []
    for history in made:
        expected += naive(history, start=start, end=end, now=NOW)
    with db.reading():
        total = figures.metrics(desk, wanted).total
        by_unit = figures.metrics(desk, wanted, by=By.UNIT)
        by_week = figures.metrics(desk, wanted, by=By.WEEK)
        by_person = figures.metrics(desk, wanted, by=By.PERSON)
        drift, _ = stints.drift(town.a.id, since=START)
    assert as_sums(total) == summed(expected)
    assert drift.compared > 0
    assert drift.differing == []
    assert {row.key: as_sums(row.figures) for row in by_unit.rows if as_sums(row.figures)} == {
        unit: summed(one for one in expected if one.unit == unit) for unit in {one.unit for one in expected}
    }
    # Groups add up to the total, whatever they are by.
    assert by_unit.total == by_week.total == by_person.total == total
    for row in by_week.rows:
        with db.reading():
            assert figures.metrics(desk, Wanted(*row.key)).total == row.figures


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=1 if "CI" in os.environ else 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_list_behind_a_figure_is_as_long_as_the_figure_says(
    make_town: Callable[[], Town], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    town, rng = make_town(), random.Random(seed)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    write(
        rng,
        community_id=town.a.id,
        estate_id=town.a.estate.id,
        orgs=[town.a.keeper, town.b.keeper],
        start=START,
        now=NOW,
        n=20,
    )
    with db.transaction():
        stints.fill_page(town.a.id, after=None)
    desk, whole = desk_of(town), Wanted(date(2026, 4, 20), date(2026, 6, 30))

    def listed(wanted: Wanted, metric: Metric, share: Share, reason: str | None = None) -> int:
        found: list[tuple[UUID, int]] = []
        before = None
        while True:
            page = figure_items.items(desk, wanted, metric, share, reason=reason, limit=7, before=before)
            found += [(stint.ticket_id, stint.seq) for stint in page.stints]
            if len(page.stints) < 7:
                assert len(found) == len(set(found)) == page.total
                return len(found)
            before = found[-1]

    with db.reading():
        for by in (By.UNIT, By.PERSON, By.CLASS, By.TOP_CLASS, By.ESTATE, By.GRID, By.CHANNEL, By.COMMUNITY):
            for row in figures.metrics(desk, whole, by=by).rows[:1]:
                wanted = Wanted(whole.first, whole.last, {by: row.key})
                assert as_sums(figures.metrics(desk, wanted).total) == as_sums(row.figures)
                for metric, figure in row.figures.items():
                    is_mean = RULES[metric].seconds is not None
                    numerator = figure.denominator if is_mean else figure.numerator
                    assert listed(wanted, metric, Share.NUMERATOR) == numerator
                    assert listed(wanted, metric, Share.DENOMINATOR) == figure.denominator
                    missed = figure.denominator - numerator if RULES[metric].apart is None else 0
                    assert listed(wanted, metric, Share.MISSED) == missed
                    assert listed(wanted, metric, Share.LEFT_OUT) == sum(figure.left_out.values())
                    for reason, n in figure.left_out.items():
                        assert listed(wanted, metric, Share.LEFT_OUT, reason) == n
        counts = figure_counts.received(desk, whole, by=By.DAY)
        accept = figures.metrics(desk, whole).total[Metric.ACCEPT_ON_TIME]
    whole_base = accept.denominator + sum(accept.left_out.values())
    assert counts.total.received == whole_base == sum(row.received for row in counts.rows.values())
    assert sum(counts.total.by_status.values()) == counts.total.received


def test_the_grid_worker_and_the_property_company_count_their_own_only(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    made = write(
        random.Random(5),
        community_id=town.a.id,
        estate_id=town.a.estate.id,
        orgs=[town.a.keeper, town.b.keeper],
        start=START,
        now=NOW,
        n=60,
    )
    with db.transaction():
        stints.fill_page(town.a.id, after=None)
    wanted = Wanted(date(2026, 4, 1), date(2026, 6, 17))
    start, end = wanted.span
    grant = Grant(Role.PROPERTY, town.a.keeper, communities=frozenset({town.a.id}))
    keeper = StaffActor(UUID(int=2), "keeper", "keeper", grants=(grant,))
    stranger = StaffActor(
        UUID(int=3), "x", "x", grants=(Grant(Role.GRID, town.a.desk, grid=Ref(town.b.id, UUID(int=4))),)
    )
    expected = [one for history in made for one in naive(history, start=start, end=end, now=NOW)]
    with db.reading():
        own = figures.metrics(keeper, wanted, by=By.UNIT)
        nothing = figures.metrics(stranger, wanted)
    assert as_sums(own.total) == summed(
        one for one in expected if one.unit == town.a.keeper and one.metric != "repeated"
    )  # who reports again is nothing that the company is told
    assert {row.key for row in own.rows} == {town.a.keeper}
    assert as_sums(nothing.total) == {}
