"""What a ballot of a decision may say: its motions and candidates, fixed from the freeze on."""

from __future__ import annotations

import sys
import threading
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from app import ids
from app.ids import Kind, Ref
from app.voting import keys, queries
from app.voting.ballot_errors import BadChoices, Incomplete, OverVote
from app.voting.models import Decision, LegalMode
from app.voting.rules import Rules

ANSWERS = frozenset({"for", "against", "abstain"})
INVALID = "invalid"  # a paper that can't be counted
Choices = dict[str, Any]


class Question(NamedTuple):
    """A motion as the ballot names it. `seats`: of an election, with the ids of its candidates."""

    number: int
    seats: int | None
    candidates: frozenset[str]


class Areas:
    """The area of each head of a frozen roll in 0.01 m², 24 bytes a head: a ballot commits to it, so it is needed
    before the one statement that takes the ballot.
    """

    def __init__(self, heads: bytes, areas: bytes) -> None:
        """`heads`: ids in their order, 16 bytes each; `areas`: of each of them, 8 bytes, the highest first."""
        self._heads = heads
        self._areas = array("q", areas)
        if sys.byteorder == "little":
            self._areas.byteswap()

    def of(self, head_id: UUID) -> int | None:
        """The head's area, or None where the roll has no such head."""
        wanted = head_id.bytes
        at = bisect_left(range(len(self._areas)), wanted, key=self._head)
        return self._areas[at] if at < len(self._areas) and self._head(at) == wanted else None

    def _head(self, at: int) -> bytes:
        return self._heads[16 * at : 16 * at + 16]


@dataclass(frozen=True)
class Form:
    """The ballot of a decision: what it asks, by the wire ids of its motions, and by which rules."""

    decision: Ref
    estate_id: UUID
    legal_mode: LegalMode
    rules: Rules
    questions: Mapping[str, Question]
    keys: keys.DecisionKeys
    areas: Areas

    def checked(self, choices: Mapping[str, Any]) -> Choices:
        """The choices in the form that is committed to: every motion answered, candidates sorted.

        Raises BadChoices (an unknown or foreign motion or candidate, one named twice, no choice at all), OverVote,
        Incomplete.
        """
        unknown = choices.keys() - self.questions.keys()
        if unknown:
            raise _bad(next(iter(sorted(unknown))), "不是本次表决的议题。", "Not a motion of this decision.")
        clean = {
            motion: _answer(motion, question, choices[motion])
            for motion, question in self.questions.items()
            if motion in choices
        }
        missing = self.questions.keys() - clean.keys()
        if missing:
            raise Incomplete(
                errors={f"choices.{m}": [(Incomplete.zh, Incomplete.en)] for m in sorted(missing)}
            )
        return clean

    def invalid(self) -> Choices:
        """Of a sheet that can't be counted."""
        return dict.fromkeys(self.questions, INVALID)


def _bad(motion: str, zh: str, en: str) -> BadChoices:
    # What was sent as a key is shown back, so not without end.
    return BadChoices(errors={f"choices.{motion[:40]}": [(zh, en)]})


def _answer(motion: str, question: Question, given: Any) -> str | list[str]:
    if question.seats is None:
        if isinstance(given, str) and given in ANSWERS:
            return given
        raise _bad(motion, "请选择同意、反对或弃权。", "Choose for, against or abstain.")
    if not isinstance(given, list) or not all(isinstance(c, str) for c in given):
        raise _bad(motion, "请选择候选人，不选则为弃权。", "Give a list of candidates; none abstains.")
    chosen = set(given)
    if not chosen <= question.candidates:
        raise _bad(motion, "有人不是本次选举的候选人。", "Not a candidate of this election.")
    if len(chosen) != len(given):
        raise _bad(motion, "同一候选人选了两次。", "A candidate is named twice.")
    if len(chosen) > question.seats:
        zh, en = (text.format(seats=question.seats) for text in (OverVote.zh, OverVote.en))
        raise OverVote(seats=question.seats, errors={f"choices.{motion}": [(zh, en)]})
    return sorted(chosen)


_KEPT = 500
_one_reads = threading.Lock()
_forms: dict[Ref, Form] = {}


def known(ref: Ref) -> Form | None:
    """The form, where this process has read it: no database is asked."""
    return _forms.get(ref)


def of(decision: Decision) -> Form:
    """The form of a frozen decision; a process reads it once, because nothing in it changes any more.

    Raises NotFound before the freeze.
    """
    ref = Ref(decision.community_id, decision.id)
    form = _forms.get(ref)
    if form is None:
        with _one_reads:  # when a vote opens, all its threads want the form at once
            form = _forms.get(ref)
            if form is None:
                form = _read(decision, ref)
                if len(_forms) >= _KEPT:
                    _forms.clear()
                _forms[ref] = form
    return form


def _read(decision: Decision, ref: Ref) -> Form:
    by_motion: dict[UUID, set[str]] = {}
    for candidate in queries.candidates_of(ref):
        name = ids.encode(Kind.CANDIDATE, Ref(ref.community_id, candidate.id))
        by_motion.setdefault(candidate.motion_id, set()).add(name)
    questions = {
        ids.encode(Kind.MOTION, Ref(ref.community_id, motion.id)): Question(
            motion.number, motion.seats, frozenset(by_motion.get(motion.id, ()))
        )
        for motion in queries.motions_of(ref)
    }
    return Form(
        decision=ref,
        estate_id=decision.estate_id,
        legal_mode=LegalMode(decision.legal_mode),
        rules=queries.rules_of(decision),
        questions=questions,
        keys=keys.keys_of(ref),
        areas=Areas(*queries.areas_of(ref)),
    )
