"""A resident's heads in decisions as she sees them: for which she may cast, why not, and how far each ballot is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import select, tuple_

from app import db
from app.ids import Ref
from app.memberships import queries as memberships
from app.memberships.models import Membership
from app.voting import queries, standing
from app.voting.ballot_models import Ballot
from app.voting.ledger_models import BallotLeaf
from app.voting.models import Decision, DecisionStatus, LegalMode
from app.voting.rules import Rules
from app.voting.standing import Standing


class MyBallot(StrEnum):
    """How far somebody is with an open decision, all her heads together."""

    TO_CAST = "to_cast"  # she may cast for a head that has no ballot that counts
    CAST = "cast"
    ON_PAPER = "on_paper"  # only signed sheets count, and one of her heads has none
    ELSEWHERE = "elsewhere"  # in the authority's own system
    NOT_MINE = "not_mine"  # nothing to cast for her, or something has to be settled first


class BallotState(NamedTuple):
    """That a head has cast: `accepted`, or in the log (`sealed`). `is_valid`: no sheet that can't be counted."""

    state: str
    receipt: str
    rev: int
    channel: str
    cast_at: datetime
    is_valid: bool


class HeadView(NamedTuple):
    """A head as its people see it. `ballot`: that one was cast and its receipt, never what it says."""

    head_id: Ref
    label: str
    area_centi: int
    as_: str
    ballot: BallotState | None
    may_cast: bool
    why_not: str | None
    reason: str | None
    held_until: datetime | None


class OpenVote(NamedTuple):
    """An open decision with what she has still to do in it."""

    decision: Decision
    my_ballot: MyBallot
    heads: list[HeadView]


def open_for(resident_id: UUID, estate: Ref) -> list[OpenVote]:
    """The decisions of an estate that are open at this moment, with this resident's ballot state; what she has still to
    cast comes first, then what closes first.

    For her first screen: as many queries for ten decisions as for one. Of an estate where she isn't bound only those in
    which she acts for somebody.
    """
    now = queries.database_now()
    rows = db.session().scalars(
        select(Decision).where(
            Decision.community_id == estate.community_id,
            Decision.estate_id == estate.id,
            Decision.status.in_([DecisionStatus.ANNOUNCED, DecisionStatus.OPEN]),
            Decision.frozen_at.is_not(None),
            Decision.opens_at <= now,
            Decision.closes_at > now,
        )
    )
    found = list(rows)
    heads = heads_in(resident_id, found)
    is_bound = bool(found) and estate in memberships.my_estates(resident_id)
    seen = [
        OpenVote(row, my_ballot(row, mine), mine)
        for row in found
        if (mine := heads[queries.ref_of(row)]) or is_bound
    ]
    return sorted(seen, key=lambda vote: turn(vote.decision, vote.my_ballot))


def turn(row: Decision, ballot: MyBallot) -> tuple[bool, datetime | None, UUID]:
    """What an open decision is sorted by on her first screen."""
    return ballot is not MyBallot.TO_CAST, row.closes_at, row.id


class CastBallot(NamedTuple):
    """The ballot of a head that counts, as one statement of somebody else's found it; `is_sealed`: it is in the log."""

    head_id: UUID
    rev: int
    leaf_hash: bytes
    channel: str
    cast_at: datetime
    cast_by: UUID | None
    paper_id: UUID | None
    is_void: bool
    is_sealed: bool


class Seen(NamedTuple):
    """How far she is with an open decision; `is_hers`: she has a head in it."""

    is_hers: bool
    my_ballot: MyBallot


def plainly(
    resident_id: UUID,
    row: Decision,
    mine: Collection[Membership],
    on_roll: Collection[standing.OnRoll],
    ballots: Mapping[UUID, standing.LastBallot],
    rules: Rules,
) -> Seen | None:
    """What `open_for` says of a decision that is open at this moment, without a question, of who acts for nobody else;
    None where it takes more (`standing.plainly`). `ballots`: by head.
    """
    found = standing.plainly(mine, on_roll, rules)
    if found is None:
        return None
    shut = "cast_elsewhere" if row.legal_mode == LegalMode.OFFICIAL else None
    if row.legal_mode == LegalMode.PAPER_BACKED and not rules.electronic_admitted:
        shut = "paper_only"
    heads = []
    for s in found:
        if s.is_hers:
            ballot = ballots.get(s.head.id)
            is_void = ballot is not None and ballot.is_void
            heads.append(
                (ballot is None or is_void, _why_not(s, ballot, resident_id, rules, is_void=is_void) or shut)
            )
    return Seen(bool(heads), _how_far(row, heads))


def heads_plainly(
    resident_id: UUID,
    row: Decision,
    mine: Collection[Membership],
    on_roll: Collection[standing.OnRoll],
    ballots: Collection[CastBallot],
    rules: Rules,
    now: datetime,
) -> list[HeadView] | None:
    """What `heads_for` says of a frozen decision, without a question, of who acts for nobody else; None where it takes
    more (`standing.plainly`). `on_roll` with the heads' rows; `now`: the database's clock.
    """
    found = standing.plainly(mine, on_roll, rules)
    if found is None:
        return None
    last = _Cast(
        {ballot.head_id: cast(Ballot, ballot) for ballot in ballots},
        {(ballot.head_id, ballot.rev) for ballot in ballots if ballot.is_sealed},
        {ballot.paper_id for ballot in ballots if ballot.is_void and ballot.paper_id is not None},
    )
    shut = _shut(row, now, rules)
    return [_view(s, last, resident_id, rules, shut) for s in found if s.is_hers]


def my_ballot(row: Decision, heads: Iterable[HeadView]) -> MyBallot:
    """How far she is with an open decision."""
    return _how_far(row, [(h.ballot is None or not h.ballot.is_valid, h.why_not) for h in heads])


def _how_far(row: Decision, heads: Sequence[tuple[bool, str | None]]) -> MyBallot:
    """`heads`: whether each has no ballot that counts, and why she can't cast for it."""
    if row.legal_mode == LegalMode.OFFICIAL:
        return MyBallot.ELSEWHERE if heads else MyBallot.NOT_MINE
    waiting = [why_not for waits, why_not in heads if waits]
    if None in waiting:
        return MyBallot.TO_CAST
    if "paper_only" in waiting:
        return MyBallot.ON_PAPER
    return MyBallot.CAST if len(waiting) < len(heads) else MyBallot.NOT_MINE


def heads_for(resident_id: UUID, decision: Decision) -> list[HeadView]:
    """The heads of a frozen roll for which she votes, or can't although they are hers, and why not; empty before."""
    return heads_in(resident_id, [decision])[queries.ref_of(decision)]


def heads_in(resident_id: UUID, decisions: Sequence[Decision]) -> dict[Ref, list[HeadView]]:
    """The same in each of several decisions, in as many queries as for one of each community."""
    found: dict[Ref, list[HeadView]] = {queries.ref_of(row): [] for row in decisions}
    frozen = [row for row in decisions if row.frozen_at is not None]
    if not frozen:
        return found
    now = queries.database_now()
    standings = standing.standings_in(resident_id, frozen)
    for community_id in {row.community_id for row in frozen}:
        here = [row for row in frozen if row.community_id == community_id]
        mine = {row.id: [s for s in standings[queries.ref_of(row)] if s.is_hers] for row in here}
        last = _cast(community_id, {s.head.id for some in mine.values() for s in some}, mine.keys())
        for row in here:
            rules = queries.rules_of(row)
            found[queries.ref_of(row)] = [
                _view(s, last, resident_id, rules, _shut(row, now, rules)) for s in mine[row.id]
            ]
    return found


class _Cast(NamedTuple):
    """The last ballot of each head, which of them are in the log, and which are sheets that can't be counted."""

    ballots: dict[UUID, Ballot]
    sealed: set[tuple[UUID, int]]
    void: set[UUID]


def _cast(community_id: int, heads: Collection[UUID], decisions: Collection[UUID]) -> _Cast:
    if not heads:
        return _Cast({}, set(), set())
    rows = db.session().scalars(
        select(Ballot)
        .where(
            Ballot.community_id == community_id,
            Ballot.decision_id.in_(decisions),
            Ballot.head_id.in_(heads),
        )
        .order_by(Ballot.rev)
    )
    ballots = {ballot.head_id: ballot for ballot in rows}
    named = [(ballot.head_id, ballot.rev) for ballot in ballots.values()]
    sealed = db.session().execute(
        select(BallotLeaf.head_id, BallotLeaf.rev).where(
            BallotLeaf.community_id == community_id,
            BallotLeaf.decision_id.in_(decisions),
            tuple_(BallotLeaf.head_id, BallotLeaf.rev).in_(named),
        )
    )
    return _Cast(
        ballots,
        {(head_id, rev) for head_id, rev in sealed if head_id is not None and rev is not None},
        standing.void_sheets(community_id, ballots.values()),
    )


def _shut(row: Decision, now: datetime, rules: Rules) -> str | None:
    """Why nobody casts in it here at this moment, by the code that casting is refused with."""
    status = queries.status_of(row, now)
    if status is DecisionStatus.CANCELLED:
        return "cancelled"
    if row.legal_mode == LegalMode.OFFICIAL:
        return "cast_elsewhere"
    if status is DecisionStatus.ANNOUNCED:
        return "not_open"
    if status is not DecisionStatus.OPEN:
        return "closed"
    is_paper_only = row.legal_mode == LegalMode.PAPER_BACKED and not rules.electronic_admitted
    return "paper_only" if is_paper_only else None


def _view(s: Standing, last: _Cast, resident_id: UUID, rules: Rules, shut: str | None) -> HeadView:
    state, is_void = None, False
    ballot = last.ballots.get(s.head.id)
    if ballot is not None:
        word = "sealed" if (ballot.head_id, ballot.rev) in last.sealed else "accepted"
        is_void = ballot.paper_id in last.void
        state = BallotState(
            word, ballot.leaf_hash.hex(), ballot.rev, ballot.channel, ballot.cast_at, not is_void
        )
    why_not = _why_not(s, ballot, resident_id, rules, is_void=is_void) or shut
    return HeadView(
        Ref(s.head.community_id, s.head.id),
        s.head.label,
        s.head.area_centi,
        s.as_,
        state,
        why_not is None,
        why_not,
        s.reason,
        s.held_until,
    )


def _why_not(
    s: Standing,
    ballot: Ballot | standing.LastBallot | None,
    resident_id: UUID,
    rules: Rules,
    *,
    is_void: bool,
) -> str | None:
    if ballot is None or not s.may or standing.may_replace(s, ballot, resident_id, rules, is_void=is_void):
        return s.why_not
    return "already_voted"
