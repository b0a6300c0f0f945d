"""A second counter, written apart from the first: by fractions, owner after owner; and random rolls for both."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from app.voting.rules import Rules, Unreturned

Roll = tuple[list[int], dict[int, Any], set[int], int, Rules, int | None]


def naive(
    areas: list[int], answers: dict[int, Any], told: set[int], matter: int, rules: Rules, seats: int | None
) -> tuple[str, set[int]]:
    """The outcome and who is elected. Heads are named by their place in `areas`, candidates 0 to seats + 1."""
    present = [
        i
        for i in range(len(areas))
        if (i in answers and (answers[i] != "invalid" or rules.invalid_takes_part))
        or (i not in answers and i in told and str(rules.unreturned) != "not_counted")
    ]

    def by_area(people: list[int]) -> Fraction:
        return Fraction(sum(areas[i] for i in people))

    everyone = list(range(len(areas)))
    if by_area(everyone) == 0 or by_area(present) / by_area(everyone) < Fraction(2, 3):
        return "no_quorum", set()
    if Fraction(len(present), len(everyone)) < Fraction(2, 3):
        return "no_quorum", set()

    def wins(people: list[int], share: Fraction, *, more: bool) -> bool:
        ratios = (by_area(people) / by_area(present), Fraction(len(people), len(present)))
        return all(r > share if more else r >= share for r in ratios)

    if seats is not None:
        backers = {
            c: [i for i in answers if isinstance(answers[i], list) and c in answers[i]]
            for c in range(seats + 2)
        }
        good = [c for c in backers if wins(backers[c], Fraction(1, 2), more=True)]
        return _seated(seats, {c: (len(backers[c]), by_area(backers[c])) for c in good})

    ayes = [i for i in answers if answers[i] == "for"]
    if str(rules.unreturned) == "joins_majority":
        parties = {w: [i for i in answers if answers[i] == w] for w in ("for", "against", "abstain")}
        rest = [p for w, p in parties.items() if w != "for"]
        if all(by_area(ayes) > by_area(p) and len(ayes) > len(p) for p in rest):
            ayes += [i for i in told if i not in answers]
    is_major = matter in {6, 7, 8}
    won = wins(ayes, Fraction(3, 4) if is_major else Fraction(1, 2), more=not is_major)
    return ("passed" if won else "failed"), set()


def _seated(seats: int, strength: dict[int, tuple[int, Fraction]]) -> tuple[str, set[int]]:
    if len(strength) <= seats:
        return ("elected" if len(strength) == seats else "second_round"), set(strength)
    sure = {c for c, own in strength.items() if sum(o >= own for o in strength.values()) <= seats}
    return ("elected" if len(sure) == seats else "tied"), sure


def random_roll(rng: random.Random, *, among: tuple[tuple[int, ...], ...] = ()) -> Roll:
    """A roll (0.01 m²; one of `among`, if given) with its ballots. One in two lies on or beside 2/3 of those who take
    part, and 1/2, 2/3 or 3/4 of those for it.
    """
    areas = list(rng.choice(among)) if among else _random_areas(rng)
    size = len(areas)
    seats = rng.choice([1, 2, 3]) if rng.random() < 0.3 else None
    cast, ayes = rng.randint(0, size), 0
    if rng.random() < 0.5:
        cast = min(size, size * 2 // 3 + rng.choice([-1, 0, 0, 1]))
        ayes = int(cast * rng.choice([Fraction(1, 2), Fraction(2, 3), Fraction(3, 4)]))
        ayes = min(cast, max(0, ayes + rng.choice([-1, 0, 0, 1])))
    else:
        ayes = rng.randint(0, cast)
    answers: dict[int, Any] = {}
    for place, i in enumerate(rng.sample(range(size), cast)):
        if seats is not None:
            chosen = sorted(rng.sample(range(seats + 2), rng.randint(0, seats)))
            if place < ayes:  # all but one of the first, each left out in turn: equal votes for all of them
                chosen = sorted(set(range(seats + 1)) - {place % (seats + 1)})
            answers[i] = "invalid" if rng.random() < 0.05 else chosen
        else:
            answers[i] = "for" if place < ayes else rng.choice(["against", "abstain", "against", "invalid"])
    told = {i for i in range(size) if rng.random() < 0.5}
    rules = Rules(unreturned=rng.choice(list(Unreturned)), invalid_takes_part=rng.choice([True, False]))
    return areas, answers, told, 3 if seats is not None else rng.randint(1, 9), rules, seats


def _random_areas(rng: random.Random) -> list[int]:
    size = rng.choice([3, 4, 6, 8, 9, 12, 24])
    if rng.random() < 0.5:
        return [100] * size
    return [rng.choice([0, 3000, 8999, 10_000, 12_345]) for _ in range(size)]
