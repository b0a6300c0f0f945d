"""What a decision still needs before it can be announced, each by itself, before somebody runs into it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app import clock
from app.voting import periods, queries, roll, service
from app.voting.errors import BadWindow, NoticeTooShort, TimesMissing
from app.voting.models import CandidateStatus, Decision, DecisionKind, LegalMode


class Need(StrEnum):
    """What is looked at."""

    TEXT = "text"
    MOTION_TEXT = "motion_text"
    TIMES = "times"
    NOTICE = "notice"
    WINDOW = "window"
    MODE = "mode"
    UNCHECKED = "unchecked"
    POSTING = "posting"
    CANDIDATES = "candidates"
    ROLL = "roll"
    AREAS = "areas"
    VOTERS = "voters"
    REVIEW = "review"


class Check(NamedTuple):
    """One of them. `blocks`: it can't be announced without; else it is only better so. `amount`, `of`: how many of how
    many are missing something, or the days that the rules ask for.
    """

    need: Need
    is_met: bool
    blocks: bool
    amount: int | None = None
    of: int | None = None


def checks(row: Decision) -> list[Check]:
    """Everything that announcing asks for, and what an owner would object to afterwards. Of a draft, and of what is in
    review; the estate's rules are those of today.
    """
    now = clock.now()
    return [*_texts(row), *_times(row, now), *_candidates(row, now), *_register(row), _review(row)]


def _texts(row: Decision) -> list[Check]:
    motions = queries.motions_of(queries.ref_of(row))
    bare = [motion for motion in motions if not motion.text.strip()]
    allowed = {LegalMode.POLL.value, queries.mode_of(queries.estate_of(row)).value}
    return [
        Check(Need.TEXT, bool(row.text.strip()), blocks=False),
        Check(Need.MOTION_TEXT, not bare, blocks=False, amount=len(bare), of=len(motions)),
        Check(Need.MODE, row.legal_mode in allowed, blocks=True),
    ]


def _times(row: Decision, now: datetime) -> list[Check]:
    rules = queries.rules_for(queries.estate_of(row))
    if row.opens_at is None or row.closes_at is None:
        return [Check(Need.TIMES, is_met=False, blocks=True)]
    wrong: type[Exception] | None = None
    try:
        periods.check_window(rules, now=now, opens_at=row.opens_at, closes_at=row.closes_at)
    except (TimesMissing, NoticeTooShort, BadWindow) as e:
        wrong = type(e)
    return [
        Check(Need.TIMES, wrong is not TimesMissing, blocks=True),
        Check(Need.NOTICE, wrong is not NoticeTooShort, blocks=True, amount=rules.notice_days),
        Check(
            Need.WINDOW,
            wrong is not BadWindow,
            blocks=True,
            amount=rules.window_days_min,
            of=rules.window_days_max,
        ),
    ]


def _candidates(row: Decision, now: datetime) -> list[Check]:
    if row.kind != DecisionKind.ELECTION:
        return []
    ref = queries.ref_of(row)
    unchecked = len(queries.candidates_of(ref, statuses=(CandidateStatus.NOMINATED,)))
    accepted = queries.candidates_of(ref)
    posted = [c for c in accepted if c.posted_until is None or c.posted_until > now]
    short = [
        motion
        for motion in queries.motions_of(ref)
        if motion.seats is not None
        and sum(candidate.motion_id == motion.id for candidate in accepted) <= motion.seats
    ]
    return [
        Check(Need.UNCHECKED, not unchecked, blocks=True, amount=unchecked),
        Check(Need.POSTING, not (posted and periods.are_lawful()), blocks=True, amount=len(posted)),
        Check(Need.CANDIDATES, not short, blocks=True, amount=len(short)),
    ]


def _register(row: Decision) -> list[Check]:
    heads = roll.heads_today(row)
    areas = sum(len(head.without_area) for head in heads)
    voters = sum(head.voter is None for head in heads)
    return [
        Check(Need.ROLL, bool(heads), blocks=True, amount=len(heads)),
        Check(Need.AREAS, not areas, blocks=False, amount=areas, of=sum(len(h.houses) for h in heads)),
        Check(Need.VOTERS, not voters, blocks=False, amount=voters, of=len(heads)),
    ]


def _review(row: Decision) -> Check:
    return Check(Need.REVIEW, service.is_reviewed(row), blocks=True)
