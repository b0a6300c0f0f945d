"""Casting a ballot: one statement decides whether it is in time and hers to cast, and takes it.

The decision's row is locked FOR SHARE by the same statement that looks at its window by the database's clock, and what
the ballot is dated is compared once more behind the lock: the close takes the row FOR UPDATE, so no ballot is under way
when the final head is signed. The primary key (community, decision, head, rev) decides between two at one moment. Only
where that statement takes nothing, a second transaction finds out why: a repeated ballot, a changed one, somebody who
casts as a proxy or bought the house, or a refusal, which is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from app import audit, clock, db, ids
from app.audit import Actor, ActorKind
from app.errors import AppError, NotFound, TooMany
from app.ids import Kind, Ref
from app.memberships.models import SUSPENDING
from app.people.queries import LOGIN_HOLDS
from app.places import queries as places
from app.voting import ballot_form, keys, queries, standing, verify
from app.voting.ballot_errors import (
    AlreadyVoted,
    Cancelled,
    CastElsewhere,
    ChooseHead,
    Closed,
    NotOpen,
    NotTheVoter,
    PaperOnly,
    WeakIdentity,
)
from app.voting.ballot_form import Choices, Form
from app.voting.ballot_models import Ballot, Capacity, Channel, PaperBallot, Proxy, ProxyStatus
from app.voting.models import Decision, DecisionStatus, LegalMode
from app.voting.roll_models import RollHead, VoteAttempt
from app.voting.rules import Rules
from app.voting.standing import Standing

MOST_REVS = 100  # of one head, where a ballot may be changed

_REFUSALS: dict[str, type[AppError]] = {
    "not_the_voter": NotTheVoter,
    "weak_identity": WeakIdentity,
    "already_voted": AlreadyVoted,
}


class Cast(NamedTuple):
    """A ballot as its caster gets it: the row, what it says with its salt, and whether this request made it."""

    ballot: Ballot
    salt: bytes
    opening: dict[str, Any]
    is_new: bool


class Sealed(NamedTuple):
    """Everything of a ballot that is computed before it is taken."""

    tag: str
    salt: bytes
    opening: dict[str, Any]
    commitment: bytes
    leaf: bytes
    sealed: bytes
    promise: keys.Promise


def prepare(
    known: keys.DecisionKeys, *, head_id: UUID, rev: int, choices: Choices, area_centi: int, channel: Channel
) -> Sealed:
    """Opening, commitment, leaf and the signed promise of a ballot, under the decision's keys."""
    ref = known.decision
    tag = known.tag(head_id)
    salt = os.urandom(32)
    opening = verify.opening_of(
        decision_id=known.decision_id,
        head_id=ids.encode(Kind.HEAD, Ref(ref.community_id, head_id)),
        rev=rev,
        choices=choices,
        area_centi=area_centi,
    )
    commitment = verify.commitment_of(salt, opening)
    leaf = verify.leaf_hash(
        verify.ballot_leaf(
            decision_id=known.decision_id,
            tag=tag,
            rev=rev,
            commitment=commitment,
            channel=channel,
        )
    )
    sealed = known.seal(salt, verify.canonical(opening), head_id=head_id, rev=rev)
    return Sealed(tag, salt, opening, bytes.fromhex(commitment), leaf, sealed, known.promise(leaf))


# --- the hot path ----------------------------------------------------------------------------------------

# What depends on the clock is the database's; `ahead` is zero but in tests that move the clock.
TAKE = db.Plain(
    f"""
    WITH open AS MATERIALIZED (
        SELECT d.opens_at, d.closes_at
        FROM decisions AS d
        WHERE d.community_id = :community_id AND d.id = :decision_id
          AND d.status IN ('announced', 'open') AND d.frozen_at IS NOT NULL AND (d.legal_mode = 'poll'
               OR d.legal_mode = 'paper_backed' AND (d.rules ->> 'electronic_admitted')::boolean)
          AND d.opens_at <= clock_timestamp() + :ahead AND clock_timestamp() + :ahead < d.closes_at
        FOR SHARE
    ), moment AS MATERIALIZED (
        SELECT open.opens_at, open.closes_at, clock_timestamp() + :ahead AS at FROM open
    ), voter AS MATERIALIZED (
        SELECT EXISTS (
            SELECT FROM roll_owners AS o2
            WHERE o2.community_id = :community_id AND o2.decision_id = :decision_id AND o2.head_id = :head_id
              AND NOT o2.is_voter
        ) AS is_chosen
        FROM roll_owners AS o
        JOIN memberships AS m ON m.community_id = :community_id AND m.owner_id = o.owner_id
        JOIN roll_houses AS h ON h.community_id = :community_id AND h.decision_id = :decision_id
          AND h.house_id = m.house_id AND h.head_id = o.head_id
        WHERE o.community_id = :community_id AND o.decision_id = :decision_id AND o.head_id = :head_id
          AND o.is_voter
          AND m.resident_id = :resident_id AND m.relation = 'owner' AND m.status = 'verified'
          AND m.voter_level = 'strong'
          AND (m.review IS NULL OR m.review <> ALL (:suspending))
          AND (m.vote_held_until IS NULL OR m.vote_held_until <= :now)
          AND (m.valid_to IS NULL OR m.valid_to > :today)
          AND {LOGIN_HOLDS}
        LIMIT 1
    )
    INSERT INTO ballots AS b (
        community_id, decision_id, head_id, rev, leaf_hash, commitment_hash, opening_sealed, channel, capacity,
        cast_at, cast_by, key_id, promised_at, within_s, signature
    )
    SELECT :community_id, :decision_id, :head_id, 1, :leaf_hash, :commitment_hash, :opening_sealed, 'online',
           CASE WHEN voter.is_chosen THEN 'voter' ELSE 'owner' END,
           moment.at, :resident_id, :key_id, :promised_at, :within_s, :signature
    FROM moment CROSS JOIN voter
    WHERE moment.at >= moment.opens_at AND moment.at < moment.closes_at
    ON CONFLICT DO NOTHING
    RETURNING b.cast_at, b.capacity
    """  # noqa: S608  a constant of people
)


class Taken(NamedTuple):
    """A ballot that was taken at the first try."""

    sealed: Sealed
    cast_at: datetime
    capacity: str


def take(form: Form, head_id: UUID, choices: Choices, *, resident_id: UUID, session_id: UUID) -> Taken | None:
    """Take the first ballot of a head from its own voter, whose login holds; None where it isn't one.

    `choices` as `Form.checked` gave them. Taking it is a transaction by itself: not inside another.
    """
    ref = form.decision
    named = {"community_id": ref.community_id, "decision_id": ref.id, "head_id": head_id}
    area = form.areas.of(head_id)
    if area is None:
        return None
    made = prepare(
        form.keys, head_id=head_id, rev=1, choices=choices, area_centi=area, channel=Channel.ONLINE
    )
    row = TAKE.row(
        named
        | {
            "ahead": clock.ahead(),
            "now": clock.now(),
            "today": places.today(),
            "suspending": _SUSPENDING,
            "resident_id": resident_id,
            "session_id": session_id,
            "leaf_hash": made.leaf,
            "commitment_hash": made.commitment,
            "opening_sealed": made.sealed,
            "key_id": made.promise.key_id,
            "promised_at": made.promise.promised_at,
            "within_s": made.promise.within_s,
            "signature": made.promise.signature,
        }
    )
    return None if row is None else Taken(made, *row)


_SUSPENDING = [review.value for review in SUSPENDING]


# --- everything else -------------------------------------------------------------------------------------


def cast(ref: Ref, head_id: UUID, choices: Mapping[str, Any], *, acting_user: UUID) -> Cast | AppError:
    """Take a ballot, or give the one that the head has cast already; a refusal that is recorded comes back as a value,
    for the entry to raise after the commit.

    Same choices again: the first answer. Other choices: the next rev where the rules allow a change. Raises NotFound
    (not her head, or no such decision), NotOpen, Closed, Cancelled, CastElsewhere, PaperOnly, what
    `Form.checked` raises, TooMany.
    """
    decision = queries.decision(ref)
    here = standing.standing_of(acting_user, decision, head_id) if decision.frozen_at is not None else None
    if here is None and (decision.frozen_at is not None or not _knows(acting_user, decision)):
        raise NotFound
    decision = held_open(ref)
    if here is None:  # announced, without a roll: `_ensure_open` has refused it
        raise NotFound
    if queries.is_paper_only(decision):
        raise PaperOnly
    form = ballot_form.of(decision)
    clean = form.checked(choices)
    if here.proxy_id is not None:
        here = _while_given(here)
    if not here.may:
        return _refused(here, acting_user)
    while True:
        before = standing.latest_ballots(ref, [head_id]).get(head_id)
        if before is not None:
            if here.sees(before, acting_user):
                salt, opening = opened(form.keys, before)
                if opening["choices"] == clean:
                    return Cast(before, salt, opening, is_new=False)
            is_void = standing.is_void(before)
            if not standing.may_replace(here, before, acting_user, form.rules, is_void=is_void):
                return _refused(here, acting_user, against=before)
        made = _put(form, decision, here, clean, before=before, cast_by=acting_user)
        if made is not None:
            return made


def _while_given(here: Standing) -> Standing:
    """The standing of a proxy, whose authorisation can't be revoked until this transaction ends."""
    row = db.session().get_one(
        Proxy, (here.head.community_id, here.proxy_id), with_for_update={"read": True}, populate_existing=True
    )
    if row.status == ProxyStatus.APPROVED:
        return here
    return here._replace(why_not="not_the_voter", reason="proxy_pending")


def only_head(ref: Ref, resident_id: UUID) -> UUID:
    """The one head for which she may cast. Raises NotFound, ChooseHead (several), NotTheVoter and WeakIdentity (none),
    and what the decision's state refuses.
    """
    decision = queries.decision(ref)
    found = standing.standings(resident_id, decision) if decision.frozen_at is not None else []
    if not found and not _knows(resident_id, decision):
        raise NotFound
    mine = [s for s in found if s.may] or [s for s in found if s.is_hers] or found
    if len(mine) > 1:
        raise ChooseHead(
            extra={"heads": [ids.encode(Kind.HEAD, Ref(ref.community_id, s.head.id)) for s in mine]}
        )
    if not mine:
        _ensure_open(decision)
        raise NotTheVoter(extra={"reason": "not_on_roll"})
    return mine[0].head.id


def _knows(resident_id: UUID, decision: Decision) -> bool:
    try:
        queries.decision_for(resident_id, queries.ref_of(decision))
    except NotFound:
        return False
    return True


def held_open(ref: Ref) -> Decision:
    """The decision, open, and held so until this transaction ends: its close waits. Raises what `_ensure_open` does."""
    decision = db.session().get_one(Decision, ref, with_for_update={"read": True}, populate_existing=True)
    _ensure_open(decision)
    return decision


def _ensure_open(decision: Decision) -> datetime:
    """The database's time, at which the vote is open. Raises Cancelled, CastElsewhere, NotOpen, Closed."""
    now = queries.database_now()
    status = queries.status_of(decision, now)
    if status is DecisionStatus.CANCELLED:
        raise Cancelled
    if decision.legal_mode == LegalMode.OFFICIAL:
        mode = queries.mode_row(queries.estate_of(decision))
        raise CastElsewhere(system=(mode.system if mode is not None else None) or "主管部门投票系统")
    if status in {DecisionStatus.DRAFT, DecisionStatus.IN_REVIEW, DecisionStatus.ANNOUNCED}:
        raise NotOpen(extra={"opens_at": decision.opens_at and clock.rfc3339(decision.opens_at)})
    if status is not DecisionStatus.OPEN or decision.opens_at is None or now < decision.opens_at:
        raise Closed(extra={"closed_at": decision.closes_at and clock.rfc3339(decision.closes_at)})
    return now


def _put(
    form: Form,
    decision: Decision,
    here: Standing,
    choices: Choices,
    *,
    before: Ballot | None,
    cast_by: UUID | None,
    paper: PaperBallot | None = None,
) -> Cast | None:
    """The next ballot of the head, dated behind the lock; None where somebody else's came first."""
    rev = before.rev + 1 if before is not None else 1
    if rev > MOST_REVS:
        raise TooMany(retry_after=86_400)
    channel = Channel.PAPER if paper is not None else Channel.ONLINE
    made = prepare(
        form.keys,
        head_id=here.head.id,
        rev=rev,
        choices=choices,
        area_centi=here.head.area_centi,
        channel=channel,
    )
    cast_at = _ensure_open(decision)
    row = db.session().scalar(
        insert(Ballot)
        .values(
            community_id=form.decision.community_id,
            decision_id=form.decision.id,
            head_id=here.head.id,
            rev=rev,
            leaf_hash=made.leaf,
            commitment_hash=made.commitment,
            opening_sealed=made.sealed,
            channel=channel,
            capacity=here.capacity,
            cast_at=cast_at,
            cast_by=cast_by,
            paper_id=paper.id if paper is not None else None,
            proxy_id=here.proxy_id,
            key_id=made.promise.key_id,
            promised_at=made.promise.promised_at,
            within_s=made.promise.within_s,
            signature=made.promise.signature,
        )
        .on_conflict_do_nothing()
        .returning(Ballot)
    )
    return None if row is None else Cast(row, made.salt, made.opening, is_new=True)


def opened(known: keys.DecisionKeys, ballot: Ballot) -> tuple[bytes, dict[str, Any]]:
    """(salt, opening) of a ballot. Before the close only for whom `Standing.sees` lets."""
    salt, opening = known.unseal(ballot.opening_sealed, head_id=ballot.head_id, rev=ballot.rev)
    return salt, orjson.loads(opening)


# --- on paper --------------------------------------------------------------------------------------------


def insert_paper(paper: PaperBallot, choices: Choices, *, acting_user: Actor) -> Cast | AppError:
    """The ballot of a confirmed sheet: the next rev of its head, if the rules let a sheet replace what was cast.

    A refusal comes back as a value, with the attempt recorded. Raises what the decision's state refuses.
    """
    ref = Ref(paper.community_id, paper.decision_id)
    decision = held_open(ref)
    form = ballot_form.of(decision)
    head = queries.head_of(ref, paper.head_id)
    here = Standing(head, _paper_capacity(paper, head), proxy_id=paper.proxy_id)
    if paper.proxy_id is not None and (why := why_no_proxy(paper.proxy_id, head, form.rules)) is not None:
        record_attempt(head, None, "not_the_voter", against=None)
        return NotTheVoter(extra={"reason": why})
    while True:
        before = standing.latest_ballots(ref, [head.id]).get(head.id)
        if before is not None:
            is_valid, by_proxy = paper.invalid_reason is None, paper.proxy_id is not None
            if not standing.sheet_replaces(before, form.rules, is_valid=is_valid, by_proxy=by_proxy):
                record_attempt(head, None, "paper_after_ballot", against=before)
                return AlreadyVoted(extra={"channel": before.channel, "rev": before.rev})
            record_attempt(head, None, "replaced_by_paper", against=before)
        made = _put(form, decision, here, choices, before=before, cast_by=None, paper=paper)
        if made is not None:
            audit.record(
                acting_user,
                "ballot.entered",
                community_id=ref.community_id,
                object_kind="paper_ballot",
                object_id=paper.id,
                rev=made.ballot.rev,
            )
            return made


def why_no_proxy(proxy_id: UUID, head: RollHead, rules: Rules) -> str | None:
    """Why an authorisation doesn't vote for this head now: `proxy_revoked` (or never approved), `sold`; None where it
    does, and then it can't be revoked until this transaction ends.
    """
    row = db.session().get(
        Proxy, (head.community_id, proxy_id), with_for_update={"read": True}, populate_existing=True
    )
    if row is None or row.head_id != head.id or row.status != ProxyStatus.APPROVED:
        return "proxy_revoked"
    return "sold" if standing.is_lost_by_sale(head, rules) else None


def _paper_capacity(paper: PaperBallot, head: RollHead) -> Capacity:
    if paper.proxy_id is not None:
        return Capacity.PROXY
    return Capacity.VOTER if standing.has_co_owners(head) else Capacity.OWNER


# --- attempts --------------------------------------------------------------------------------------------


def _refused(here: Standing, resident_id: UUID, *, against: Ballot | None = None) -> AppError:
    """The refusal, with the attempt written down."""
    why = here.why_not or "already_voted"
    record_attempt(here.head, resident_id, why, against=against)
    more: dict[str, Any] = {"reason": here.reason} if here.reason else {}
    if here.held_until is not None:
        more["held_until"] = clock.rfc3339(here.held_until)
    if against is not None:
        more |= {"channel": against.channel, "rev": against.rev}
    return _REFUSALS[why](extra=more)


def record_attempt(head: RollHead, resident_id: UUID | None, why: str, *, against: Ballot | None) -> None:
    """Write down who tried and was refused, once for each reason: no choice is kept."""
    rev = against.rev if against is not None else None
    again = exists().where(
        VoteAttempt.community_id == head.community_id,
        VoteAttempt.decision_id == head.decision_id,
        VoteAttempt.head_id == head.id,
        VoteAttempt.resident_id.is_not_distinct_from(resident_id),
        VoteAttempt.why == why,
        VoteAttempt.rev.is_not_distinct_from(rev),
    )
    if db.session().scalar(select(again)):
        return
    db.session().add(
        VoteAttempt(
            community_id=head.community_id,
            id=ids.new_id(),
            decision_id=head.decision_id,
            head_id=head.id,
            resident_id=resident_id,
            rev=rev,
            why=why,
            at=clock.now(),
        )
    )
    audit.record(
        Actor(ActorKind.RESIDENT, resident_id) if resident_id is not None else audit.SYSTEM,
        "ballot.refused" if why != "replaced_by_paper" else "ballot.replaced_by_paper",
        community_id=head.community_id,
        object_kind="roll_head",
        object_id=head.id,
        why=why,
    )
