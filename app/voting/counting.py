"""Counting (计票): from the roll and the ballots to what was decided, with the whole arithmetic. Pure, whole numbers.

Who takes part in a motion are those whose ballot answers it: for, against, abstaining; an invalid paper only where the
rules of procedure say so, and a paper that was delivered with proof and never came back only where they say so
(domain.md §2.2). Two thirds of area and of heads have to take part; of these more than half, or for matters 6 to 8
three quarters, have to be for it, by area and by heads (民法典 278). Everything is compared by cross-multiplication.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from app.voting import seats
from app.voting.matters import QUORUM, Matter, Threshold, threshold_of
from app.voting.models import DecisionKind
from app.voting.rules import Rules, Unreturned
from app.voting.seats import Weight

FOR, AGAINST, ABSTAIN, INVALID = "for", "against", "abstain", "invalid"
CHOSE = "chose"  # in an election: at least one candidate
OPINIONS = (FOR, AGAINST, ABSTAIN)

# What somebody answers to a motion: one of the words above, or in an election the candidates she chose.
Answer = str | Sequence[str]


class Outcome(StrEnum):
    """What came of a motion."""

    PASSED = "passed"
    FAILED = "failed"
    NO_QUORUM = "no_quorum"
    ELECTED = "elected"  # every seat
    SECOND_ROUND = "second_round"  # too few won
    TIED = "tied"  # equal votes for the last seats: a run-off or a lot, never decided here
    NO_EFFECT = "no_legal_effect"  # a poll


@dataclass(frozen=True, kw_only=True)
class Question:
    """A motion as it is counted. `seats` and `candidates` (in the order of the ballot) make it an election."""

    id: str
    number: int
    title: str = ""
    matter: Matter | None = None
    seats: int | None = None
    alternates: int = 0
    candidates: tuple[str, ...] = ()


class HeadWeight(NamedTuple):
    """A head of the frozen roll. `told`: there is proof, of a kind the rules accept, that the ballot reached her."""

    id: str
    area_centi: int
    told: bool = False


@dataclass(frozen=True)
class Tally:
    """The answers to one motion, added up: by word, and in an election by candidate."""

    answers: Mapping[str, Weight] = field(default_factory=dict)
    candidates: Mapping[str, Weight] = field(default_factory=dict)

    def of(self, answer: str) -> Weight:
        """Who answered so."""
        return self.answers.get(answer, Weight())


class Totals(NamedTuple):
    """The whole roll, and of it those who were told with proof and handed nothing in."""

    roll: Weight
    unreturned: Weight


class Share(NamedTuple):
    """A part of a whole against what the law asks of it."""

    part: int
    whole: int
    threshold: Threshold

    @property
    def is_reached(self) -> bool:
        """Is it enough?"""
        return self.threshold.reached(self.part, self.whole)

    def as_json(self) -> dict[str, Any]:
        """The numbers, and a percentage for reading that is cut off, never rounded up."""
        return {
            "part": self.part,
            "whole": self.whole,
            "percent": percent(self.part, self.whole),
            "needs": f"{self.threshold.numerator}/{self.threshold.denominator}",
            "more_than": self.threshold.is_strict,
            "reached": self.is_reached,
        }


class Shares(NamedTuple):
    """The same share by area and by heads; both have to be reached."""

    area: Share
    heads: Share

    @property
    def are_reached(self) -> bool:
        """Both?"""
        return self.area.is_reached and self.heads.is_reached

    def as_json(self) -> dict[str, Any]:
        """Area first, as the law names it."""
        return {"area": self.area.as_json(), "heads": self.heads.as_json()}

    @classmethod
    def of(cls, part: Weight, whole: Weight, threshold: Threshold) -> Shares:
        """Of these weights."""
        return cls(
            Share(part.area_centi, whole.area_centi, threshold), Share(part.heads, whole.heads, threshold)
        )


@dataclass(frozen=True, kw_only=True)
class MotionResult:
    """What came of one motion. `unreturned_as`: as what papers count that never came back (`Unreturned`, or the opinion
    they follow). `in_favour`: with those.

    `quorum` and `approval` are None in a poll, `approval` in an election, whose `places` say who won.
    """

    question: Question
    tally: Tally
    totals: Totals
    participating: Weight
    invalid_counts: bool
    unreturned_as: str
    in_favour: Weight
    quorum: Shares | None
    approval: Shares | None
    places: seats.Places | None
    outcome: Outcome

    @property
    def is_passed(self) -> bool | None:
        """Passed, or every seat filled; None: a poll decides nothing."""
        if self.outcome is Outcome.NO_EFFECT:
            return None
        return self.outcome in {Outcome.PASSED, Outcome.ELECTED}


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a decision, motion by motion."""

    kind: DecisionKind
    totals: Totals
    rules: Rules
    motions: tuple[MotionResult, ...]


class UnknownHead(ValueError):
    """A ballot of a head that isn't on the roll."""


def percent(part: int, whole: int) -> str | None:
    """Hundredths of a percent, cut off, so that nothing looks reached that isn't; None of nothing."""
    if whole <= 0:
        return None
    hundredths = part * 10_000 // whole
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def count(
    motions: Sequence[Question],
    heads: Iterable[HeadWeight],
    votes: Mapping[str, Mapping[str, Answer]],
    rules: Rules,
    *,
    kind: DecisionKind = DecisionKind.MEETING,
) -> Result:
    """The result from single ballots: `votes` has, of each head that cast, motion id → answer.

    A head counts once, with the ballot that holds. Raises UnknownHead.
    """
    roll = {head.id: head for head in heads}
    if unknown := votes.keys() - roll.keys():
        raise UnknownHead(min(unknown))
    whole, silent = Weight(), Weight()
    for head in roll.values():
        weight = Weight(head.area_centi, 1)
        whole += weight
        if head.told and head.id not in votes:
            silent += weight
    return conclude(
        motions,
        Totals(whole, silent),
        {
            motion.id: _added_up(
                (Weight(roll[head].area_centi, 1), answers[motion.id])
                for head, answers in votes.items()
                if motion.id in answers
            )
            for motion in motions
        },
        rules,
        kind=kind,
    )


def _added_up(given: Iterable[tuple[Weight, Answer]]) -> Tally:
    answers: dict[str, Weight] = {}
    candidates: dict[str, Weight] = {}
    for weight, answer in given:
        word = answer if isinstance(answer, str) else CHOSE if answer else ABSTAIN
        answers[word] = answers.get(word, Weight()) + weight
        for candidate in () if isinstance(answer, str) else set(answer):
            candidates[candidate] = candidates.get(candidate, Weight()) + weight
    return Tally(answers, candidates)


def conclude(
    motions: Sequence[Question],
    totals: Totals,
    tallies: Mapping[str, Tally],
    rules: Rules,
    *,
    kind: DecisionKind,
) -> Result:
    """The result from answers that were added up already (`app.voting.tally`)."""
    return Result(
        kind=kind,
        totals=totals,
        rules=rules,
        motions=tuple(
            _of_motion(
                motion, totals, tallies.get(motion.id, Tally()), rules, is_poll=kind == DecisionKind.POLL
            )
            for motion in motions
        ),
    )


def _of_motion(
    motion: Question, totals: Totals, tally: Tally, rules: Rules, *, is_poll: bool
) -> MotionResult:
    taking_part = sum((w for a, w in tally.answers.items() if a != INVALID), Weight())
    if rules.invalid_takes_part:
        taking_part += tally.of(INVALID)
    unreturned_as: str = Unreturned.NOT_COUNTED
    if rules.unreturned is not Unreturned.NOT_COUNTED:
        taking_part += totals.unreturned
        follows = rules.unreturned is Unreturned.JOINS_MAJORITY and motion.seats is None
        unreturned_as = (_majority(tally) if follows else None) or Unreturned.TAKES_PART
    in_favour = tally.of(FOR) + (totals.unreturned if unreturned_as == FOR else Weight())
    quorum = None if is_poll else Shares.of(taking_part, totals.roll, QUORUM)
    approval, places = None, None
    if motion.seats is not None:
        places = seats.fill(
            motion.seats,
            motion.alternates,
            {c: tally.candidates.get(c, Weight()) for c in motion.candidates},
            taking_part,
            is_open=quorum is not None and quorum.are_reached,
        )
    elif not is_poll:
        approval = Shares.of(in_favour, taking_part, threshold_of(motion.matter or Matter.OTHER))
    return MotionResult(
        question=motion,
        tally=tally,
        totals=totals,
        participating=taking_part,
        invalid_counts=rules.invalid_takes_part,
        unreturned_as=unreturned_as,
        in_favour=in_favour,
        quorum=quorum,
        approval=approval,
        places=places,
        outcome=_outcome(quorum, approval, places),
    )


def _majority(tally: Tally) -> str | None:
    """The opinion with more area and more heads than each other one, of those who said theirs; none where area and
    heads differ, or two are equal.
    """
    for opinion in OPINIONS:
        own = tally.of(opinion)
        others = [tally.of(other) for other in OPINIONS if other != opinion]
        if all(own.area_centi > w.area_centi and own.heads > w.heads for w in others):
            return opinion
    return None


def _outcome(quorum: Shares | None, approval: Shares | None, places: seats.Places | None) -> Outcome:
    if quorum is None:
        return Outcome.NO_EFFECT
    if not quorum.are_reached:
        return Outcome.NO_QUORUM
    if places is not None:
        if places.tied:
            return Outcome.TIED
        return Outcome.SECOND_ROUND if places.left_open else Outcome.ELECTED
    return Outcome.PASSED if approval is not None and approval.are_reached else Outcome.FAILED
