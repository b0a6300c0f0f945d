"""A thinned track: never more than the rule allows, its ends and its order kept, in however many pieces it came."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.patrol.thinning import EVERY, EVERY_M, Fix, in_order, thin, with_end
from app.places.coordinates import Point, distance_m

START = datetime(2026, 11, 21, tzinfo=UTC)

steps = st.lists(
    st.tuples(st.integers(0, 60), st.floats(-0.0006, 0.0006), st.floats(-0.0006, 0.0006)), max_size=60
)


def way(moves: list[tuple[int, float, float]]) -> list[Fix]:
    """Fixes some seconds and up to about 90 m apart."""
    at, lng, lat, fixes = START, 106.6, 29.6, []
    for seconds, east, north in moves:
        at, lng, lat = at + timedelta(seconds=seconds), lng + east, lat + north
        fixes.append(Fix(at, Point(lng, lat)))
    return in_order(fixes)


@given(steps)
def test_kept_positions_are_never_closer_than_the_rule_in_time_or_space(moves: list) -> None:
    kept = thin(way(moves))
    for a, b in itertools.pairwise(kept):
        assert b.at - a.at >= EVERY
        assert distance_m(a.point, b.point) >= EVERY_M


@given(steps)
def test_a_track_keeps_its_first_and_last_position_and_its_order(moves: list) -> None:
    fixes = way(moves)
    shown = with_end(thin(fixes), fixes[-1] if fixes else None)
    assert [shown[0], shown[-1]] == [fixes[0], fixes[-1]] if fixes else shown == []
    assert all(a.at < b.at for a, b in itertools.pairwise(shown))
    assert set(shown) <= set(fixes)


@given(steps)
def test_what_was_left_out_was_too_near_to_what_was_kept(moves: list) -> None:
    fixes = way(moves)
    kept = thin(fixes)
    for fix in fixes:
        last = max((k for k in kept if k.at <= fix.at), key=lambda k: k.at)
        if fix is not last:
            assert fix.at - last.at < EVERY or distance_m(fix.point, last.point) < EVERY_M


@given(steps, st.lists(st.integers(0, 60), max_size=5))
def test_a_track_in_batches_is_thinned_as_the_whole(moves: list, cuts: list[int]) -> None:
    fixes = way(moves)
    edges = [0, *sorted(min(cut, len(fixes)) for cut in cuts), len(fixes)]
    kept: list[Fix] = []
    for start, end in itertools.pairwise(edges):
        kept += thin(fixes[start:end], after=kept[-1] if kept else None)
    assert kept == thin(fixes)


def test_a_batch_that_comes_again_or_out_of_order_adds_nothing_older() -> None:
    fixes = way([(30, 0.0005, 0.0)] * 4)
    mixed = [fixes[2], fixes[0], fixes[2], fixes[3]]
    assert in_order(mixed) == [fixes[0], fixes[2], fixes[3]]
    assert in_order(mixed, after=fixes[2].at) == [fixes[3]]
    assert in_order(fixes, after=fixes[3].at) == []
