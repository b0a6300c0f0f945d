"""Exact money: the split to the fund under a stated rounding rule, and shares that sum to the whole. Integers only."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Rounding(StrEnum):
    """What becomes of a fraction of a fen in the split."""

    HALF_EVEN = "half_even"  # 四舍六入五成双
    HALF_UP = "half_up"  # 四舍五入
    FLOOR = "floor"  # 舍去


WHOLE_BP = 10_000  # basis points


def split(net_fen: int, bp: int, rounding: Rounding) -> int:
    """What of a period's net goes to the maintenance fund, in fen. A loss gives nothing."""
    if net_fen <= 0:
        return 0
    fen, rest = divmod(net_fen * bp, WHOLE_BP)
    twice = 2 * rest
    if rounding is Rounding.HALF_UP:
        return fen + (twice >= WHOLE_BP)
    if rounding is Rounding.HALF_EVEN:
        return fen + (twice > WHOLE_BP or (twice == WHOLE_BP and fen % 2 == 1))
    return fen


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """`total` cut by weight into integers that sum to it exactly: everybody gets the whole part, and what is left goes
    one by one to the largest remainders; of equal ones, to who comes first. A negative total is cut as its mirror.

    Raises ValueError when there is no weight, or a negative one.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("no weight to share by")
    if total < 0:
        return [-part for part in largest_remainder(-total, weights)]
    parts = [divmod(total * weight, whole) for weight in weights]
    shares = [fen for fen, _ in parts]
    left = total - sum(shares)
    for at in sorted(range(len(parts)), key=lambda i: (-parts[i][1], i))[:left]:
        shares[at] += 1
    return shares


def yuan(fen: int) -> str:
    """The amount in yuan with two places, by digits alone: -1234 → "-12.34"."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02d}"
