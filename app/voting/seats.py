"""Who wins a seat (选举): both thresholds first, then the order of votes; what is equal is never decided silently.

A candidate needs more than half of the participating heads and of their area (民法典 278, matter 3). Of those who have
both the seats go by heads, and among equal heads by area: each owner's voice before its size. Who is equal in both and
stands at the last seat is left to a run-off or a lot, which people hold and write down. Who passed and won no seat may
be an alternate (候补), in the same order, at most half as many as seats (舟山).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.voting.matters import ORDINARY


@dataclass(frozen=True, slots=True)
class Weight:
    """Area in 0.01 m² and heads."""

    area_centi: int = 0
    heads: int = 0

    def __add__(self, other: Weight) -> Weight:
        """Both together."""
        return Weight(self.area_centi + other.area_centi, self.heads + other.heads)


class Place(StrEnum):
    """What a candidate became."""

    ELECTED = "elected"
    TIED = "tied"  # for the last seats
    ALTERNATE = "alternate"
    ALTERNATE_TIED = "alternate_tied"
    PASSED_OVER = "passed_over"  # passed both thresholds, and there was no place left
    NOT_ENOUGH = "not_enough"


class Standing(NamedTuple):
    """A candidate with her votes. `rank` counts from 1; equal votes have the same."""

    candidate: str
    votes: Weight
    enough_area: bool
    enough_heads: bool
    rank: int
    place: Place

    @property
    def is_enough(self) -> bool:
        """Both thresholds?"""
        return self.enough_area and self.enough_heads


class Places(NamedTuple):
    """Candidates in the order of their votes; `left_open`: seats that nobody won and no tie is about."""

    standings: tuple[Standing, ...]
    seats: int
    left_open: int
    at_stake: int  # seats that the tied candidates share

    def of(self, place: Place) -> list[str]:
        """The candidates of that place, in their order."""
        return [s.candidate for s in self.standings if s.place is place]

    @property
    def tied(self) -> list[str]:
        """Who is equal at the last seat."""
        return self.of(Place.TIED)


def fill(
    seats: int, alternates: int, votes: Mapping[str, Weight], taking_part: Weight, *, is_open: bool
) -> Places:
    """The places of all candidates. `is_open`: enough take part; otherwise nobody wins anything."""
    order = sorted(votes, key=lambda c: (-votes[c].heads, -votes[c].area_centi))  # stable: as on the ballot
    enough = {
        c: (
            ORDINARY.reached(w.area_centi, taking_part.area_centi),
            ORDINARY.reached(w.heads, taking_part.heads),
        )
        for c, w in votes.items()
    }
    passing = [c for c in order if is_open and all(enough[c])]
    won, tied = _cut(passing, seats, votes)
    place = dict.fromkeys(won, Place.ELECTED) | dict.fromkeys(tied, Place.TIED)
    if not tied:  # who loses the run-off would be the first alternate, so there is none before it
        next_ones, equal = _cut(passing[len(won) :], min(alternates, seats // 2), votes)
        place |= dict.fromkeys(next_ones, Place.ALTERNATE) | dict.fromkeys(equal, Place.ALTERNATE_TIED)
    for candidate in passing:
        place.setdefault(candidate, Place.PASSED_OVER)
    standings = tuple(
        Standing(
            candidate,
            votes[candidate],
            *enough[candidate],
            rank=1 + sum(_is_more(votes[other], votes[candidate]) for other in order),
            place=place.get(candidate, Place.NOT_ENOUGH),
        )
        for candidate in order
    )
    at_stake = seats - len(won) if tied else 0
    return Places(standings, seats, seats - len(won) - at_stake, at_stake)


def _is_more(one: Weight, other: Weight) -> bool:
    return (one.heads, one.area_centi) > (other.heads, other.area_centi)


def _cut(order: list[str], places: int, votes: Mapping[str, Weight]) -> tuple[list[str], list[str]]:
    """Who surely has one of so many places, and who is equal at the last of them."""
    if len(order) <= places:
        return order, []
    if places <= 0:
        return [], []
    last, first_out = votes[order[places - 1]], votes[order[places]]
    if last != first_out:
        return order[:places], []
    return [c for c in order[:places] if votes[c] != last], [c for c in order if votes[c] == last]
