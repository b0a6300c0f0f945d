"""No hidden number follows from what is shown, also for a reader who knows the rule."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from app.patrol.hiding import SMALL, Published, publish, publish_total

tables = st.lists(st.integers(0, 9), min_size=1, max_size=4)


def consistent(shown: Published[int], most: int) -> list[tuple[int, ...]]:
    """Every table that would be published like this, found by trying all of them."""
    hidden = [key for key, n in shown.cells.items() if n is None]
    known = sum(n for n in shown.cells.values() if n is not None)
    # A hidden number can't be larger than what the total leaves; without a total nothing bounds it but `most`.
    bound = most if shown.total is None else shown.total - known
    found = []
    for guess in itertools.product(range(bound + 1), repeat=len(hidden)):
        table = {key: n if n is not None else 0 for key, n in shown.cells.items()} | dict(
            zip(hidden, guess, strict=True)
        )
        if publish(table) == shown:
            found.append(tuple(table[key] for key in hidden))
    return found


@settings(deadline=None, max_examples=60)  # each example tries every table there could be
@given(tables)
def test_every_hidden_cell_differs_between_tables_that_are_published_alike(numbers: list[int]) -> None:
    shown = publish(dict(enumerate(numbers)))
    readings = consistent(shown, most=5)
    for position in range(sum(n is None for n in shown.cells.values())):
        assert len({reading[position] for reading in readings}) > 1


def test_the_same_holds_for_every_small_table() -> None:
    for numbers in itertools.product(range(7), repeat=3):
        shown = publish(dict(enumerate(numbers)))
        readings = consistent(shown, most=6)
        for position in range(sum(n is None for n in shown.cells.values())):
            assert len({reading[position] for reading in readings}) > 1, numbers


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_small_numbers_are_never_shown_and_what_is_shown_is_true(numbers: list[int]) -> None:
    shown = publish(dict(enumerate(numbers)))
    assert all(n is None or n >= SMALL for n in shown.cells.values())
    assert all(n is None or n == numbers[key] for key, n in shown.cells.items())
    assert shown.total in (None, sum(numbers))
    if min(numbers) >= SMALL:
        assert None not in shown.cells.values()
        assert shown.total == sum(numbers)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.randoms())
def test_the_order_of_the_cells_makes_no_difference(numbers: list[int], random: object) -> None:
    keys = list(range(len(numbers)))
    random.shuffle(keys)  # type: ignore[attr-defined]
    assert publish({key: numbers[key] for key in keys}) == publish(dict(enumerate(numbers)))


def test_a_single_small_cell_takes_the_smallest_shown_one_with_it() -> None:
    assert publish({"a": 3, "b": 9, "c": 20}) == Published({"a": None, "b": None, "c": 20}, 32)
    assert publish({"a": 3, "b": 9, "c": 9, "d": 20}).cells == {"a": None, "b": None, "c": None, "d": 20}


def test_two_empty_cells_are_not_given_away_by_a_total_of_nothing() -> None:
    assert publish({"a": 0, "b": 0}) == Published({"a": None, "b": None}, None)
    assert publish({"a": 0, "b": 0, "c": 7}) == Published({"a": None, "b": None, "c": None}, 7)


def test_a_total_over_groups_is_hidden_with_the_total_of_any() -> None:
    assert publish_total({"x": 10, "y": 20}) == 30
    assert publish_total({"x": 10, "y": None}) is None
