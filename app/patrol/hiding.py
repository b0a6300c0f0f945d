"""Small numbers hidden, so that a figure on a screen points at nobody.

A cell below 5 is hidden. Where the total of its group is shown, a hidden cell could be had by subtraction:
then the smallest cells that are shown (all that share the smallest number) are hidden too; and where even that
leaves a cell that follows from the total, the total is hidden. The rule treats equal numbers alike and never
looks at which cell is which: whatever is published fits several tables, in which each hidden cell differs,
also for a reader who knows the rule.

One answer is safe by itself. Comparing answers for overlapping periods or classes is not defended against:
those who may ask can open the tickets themselves; the figures are for walls and reports.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

SMALL = 5

K = TypeVar("K", bound=Hashable)


class Published(NamedTuple, Generic[K]):
    """What is shown of a group: cells and their total; None is hidden."""

    cells: dict[K, int | None]
    total: int | None


def publish(cells: Mapping[K, int]) -> Published[K]:
    """The cells and total of one group as they may be shown."""
    hidden = {key for key, n in cells.items() if n < SMALL}
    total: int | None = sum(cells.values())
    if hidden and not _ambiguous([cells[key] for key in hidden]):
        shown = [n for key, n in cells.items() if key not in hidden]
        if shown:
            # One more number in the residue: which of the hidden cells it is can't be told.
            hidden |= {key for key, n in cells.items() if n == min(shown)}
        else:
            total = None
    return Published({key: None if key in hidden else n for key, n in cells.items()}, total)


def _ambiguous(small: list[int]) -> bool:
    """Do at least two fillings with numbers below SMALL, for every cell, give the sum that a reader can subtract?"""
    most = (SMALL - 1) * len(small)
    return len(small) > 1 and 0 < sum(small) < most


def publish_total(totals: Mapping[K, int | None]) -> int | None:
    """The total over groups: hidden when a group's is, for it would give that one away."""
    if any(n is None for n in totals.values()):
        return None
    return sum(n for n in totals.values() if n is not None)
