"""The moves of a decision from review to archive. Each locks its row, checks, and writes row, event and audit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists as sql_exists
from sqlalchemy import select

from app import clock, db, outbox
from app.audit import SYSTEM, Actor
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import registry
from app.queue import Queue
from app.voting import deliveries, ledger, objections, periods, pushing, queries, roll, rounds, steps
from app.voting.ballot_models import PaperBallot, PaperStatus
from app.voting.errors import (
    BadExtension,
    CandidatesMissing,
    CandidatesPosted,
    IllegalMove,
    ModeNotAllowed,
    NoExtension,
    ReasonNeeded,
    SecondPersonNeeded,
    TimesMissing,
    TooEarly,
)
from app.voting.models import (
    CandidateStatus,
    Decision,
    DecisionStatus,
    LegalMode,
)
from app.voting.pushing import What
from app.voting.roll_models import RollHead

FREEZE = "freeze_roll"
COMMIT = timedelta(seconds=5)  # at most, from the written roll to one that voters find
RECEIPTS_AFTER = timedelta(hours=2)  # WeChat has taken or refused what was sent at the opening
# Nobody cancels what was certified: who doubts it objects, or goes to court (民法典 280).
CANCELLABLE = frozenset(
    {DecisionStatus.DRAFT, DecisionStatus.IN_REVIEW, DecisionStatus.ANNOUNCED, DecisionStatus.OPEN}
) | {DecisionStatus.CLOSED}


# --- review and announcement -----------------------------------------------------------------------------------


def submit(staff: StaffActor, ref: Ref, *, version: int | None = None) -> Decision:
    """Hand a draft in for the community's review. Raises NotFound, Forbidden, StaleVersion, IllegalMove."""
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_DRAFT, lock=True)
    steps.fresh(row, version)
    steps.from_(row, DecisionStatus.DRAFT)
    return steps.go(row, DecisionStatus.IN_REVIEW, "submitted", staff.actor, is_public=False)


def review(
    staff: StaffActor, ref: Ref, *, passed: bool, reason: str | None = None, version: int | None = None
) -> Decision:
    """The community's review (选举审核) by somebody who neither wrote at it nor handed it in. Passed, it may be
    announced; else it goes back with the reason.

    Raises NotFound, Forbidden, StaleVersion, IllegalMove, SecondPersonNeeded, ReasonNeeded.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_REVIEW, lock=True)
    steps.fresh(row, version)
    steps.from_(row, DecisionStatus.IN_REVIEW)
    if has_written(row, staff.id):
        raise SecondPersonNeeded
    if passed:
        if is_reviewed(row):
            raise IllegalMove
        return steps.note(
            row, "reviewed", staff.actor, is_public=False, **({"reason": reason} if reason else {})
        )
    if not reason:
        raise ReasonNeeded(errors={"reason": [(ReasonNeeded.zh, ReasonNeeded.en)]})
    return steps.go(row, DecisionStatus.DRAFT, "sent_back", staff.actor, is_public=False, reason=reason)


def has_written(row: Decision, staff_id: UUID) -> bool:
    """Did she draft it, write at it or hand it in? Then somebody else reviews it."""
    return staff_id == row.created_by or staff_id in queries.actors_of(
        queries.ref_of(row), "edited", "submitted"
    )


def is_reviewed(row: Decision) -> bool:
    """Has what was handed in last been passed?"""
    if row.status != DecisionStatus.IN_REVIEW:
        return row.announced_at is not None
    ref = queries.ref_of(row)
    handed_in, passed = queries.latest_event(ref, "submitted"), queries.latest_event(ref, "reviewed")
    return passed is not None and handed_in is not None and passed.at >= handed_in.at


def announce(
    staff: StaffActor,
    ref: Ref,
    *,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    version: int | None = None,
) -> Decision:
    """Announce what was reviewed: texts, times and rules are fixed by it, and the notice period runs.

    `opens_at`, `closes_at`: instead of the draft's. Raises NotFound, Forbidden, StaleVersion, IllegalMove,
    TimesMissing, NoticeTooShort, BadWindow, ModeNotAllowed, CandidatesMissing, CandidatesPosted, OtherSeats.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True)
    steps.fresh(row, version)
    steps.from_(row, DecisionStatus.IN_REVIEW)
    if not is_reviewed(row):
        raise IllegalMove
    estate = queries.estate_of(row)
    if row.legal_mode not in {LegalMode.POLL, queries.mode_of(estate)}:
        raise ModeNotAllowed
    opens_at, closes_at = opens_at or row.opens_at, closes_at or row.closes_at
    if opens_at is None or closes_at is None:
        raise TimesMissing
    now, rules = clock.now(), queries.rules_for(estate)
    periods.check_window(rules, now=now, opens_at=opens_at, closes_at=closes_at)
    rounds.ensure_seats(row, queries.motions_of(ref))
    _number_candidates(row, now)
    row.opens_at, row.closes_at, row.announced_closes_at = opens_at, closes_at, closes_at
    row.announced_at, row.rules = now, rules.as_json()
    row.objections_until = periods.objections_until(rules, now=now, opens_at=opens_at)
    pushing.promise(row, What.ANNOUNCED)
    return steps.go(
        row,
        DecisionStatus.ANNOUNCED,
        "announced",
        staff.actor,
        opens_at=clock.rfc3339(opens_at),
        closes_at=clock.rfc3339(closes_at),
        legal_mode=row.legal_mode,
    )


def _number_candidates(row: Decision, now: datetime) -> None:
    """The ballot's numbers, once who stands is settled: everybody checked, every posting over, more than seats."""
    ref = queries.ref_of(row)
    if queries.candidates_of(ref, statuses=(CandidateStatus.NOMINATED,)):
        raise CandidatesPosted
    accepted = queries.candidates_of(ref)
    if periods.are_lawful() and any(c.posted_until is None or c.posted_until > now for c in accepted):
        raise CandidatesPosted
    for motion in queries.motions_of(ref):
        if motion.seats is None:
            continue
        standing = [c for c in accepted if c.motion_id == motion.id]
        if len(standing) <= motion.seats:
            raise CandidatesMissing
        for number, candidate in enumerate(sorted(standing, key=lambda c: c.id), 1):
            candidate.number = number


# --- the roll and the window -----------------------------------------------------------------------------------


def promise_freeze(staff: StaffActor, ref: Ref) -> Decision:
    """Have the roll frozen now, once objections to it are over. A roll that is frozen stays as it is.

    Raises NotFound, Forbidden, IllegalMove, TooEarly.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True)
    if row.frozen_at is None:
        steps.from_(row, DecisionStatus.ANNOUNCED)
        assert row.objections_until is not None
        if periods.are_lawful() and clock.now() < row.objections_until:
            raise TooEarly(extra={"at": clock.rfc3339(row.objections_until)})
        _promise_freeze(row)
        steps.note(row, "freeze_asked", staff.actor, is_public=False)
    return row


def is_freezing(row: Decision) -> bool:
    """Is its roll being written: was that asked for, or is it time for it?"""
    if row.status != DecisionStatus.ANNOUNCED or row.opens_at is None or row.frozen_at is not None:
        return False
    is_time = clock.now() >= row.opens_at - periods.FREEZE_LEAD
    return is_time or queries.latest_event(queries.ref_of(row), "freeze_asked") is not None


def _promise_freeze(row: Decision) -> None:
    # Not for ever the same name: what failed for good, because the registry was empty, can be asked for again.
    outbox.put(
        community_id=row.community_id,
        kind=FREEZE,
        payload={"decision_id": str(row.id)},
        idem=f"freeze:{row.id}:{clock.now():%Y%m%d%H}",
        on=Queue.IMPORTS,  # a roll of 100,000 heads takes longer than others may wait
    )


def freeze(ref: Ref, *, acting_user: Actor = SYSTEM) -> Decision:
    """Freeze the roll of an announced decision; late, its window is shifted first, and never shortened.

    Raises NotFound, NothingOnRoll. A decision that was cancelled meanwhile stays as it is.
    """
    registry.touch(ref.community_id)  # before the decision: everybody takes them in this order
    row = queries.decision(ref, lock=True)
    if row.status != DecisionStatus.ANNOUNCED or row.frozen_at is not None:
        return row
    # What a large roll takes to be written is looked at too, before its log begins with the times.
    roll.freeze(ref, acting_user=acting_user, written=lambda row: _shift_if_late(row, acting_user))
    return _open_if_due(row)


def _shift_if_late(row: Decision, acting_user: Actor) -> None:
    """Nobody could vote since the announced opening: it opens at the next whole minute and stays open as long as
    announced.
    """
    assert row.opens_at is not None
    assert row.closes_at is not None
    ready = clock.now() + COMMIT
    if ready <= row.opens_at:
        return
    by = timedelta(minutes=-(-(ready - row.opens_at) // timedelta(minutes=1)))
    row.opens_at += by
    row.closes_at += by
    row.announced_closes_at = row.closes_at
    pushing.promise(row, What.SHIFTED, run=f"{row.opens_at:%Y%m%d%H%M}")
    steps.note(
        row,
        "shifted",
        acting_user,
        opens_at=clock.rfc3339(row.opens_at),
        closes_at=clock.rfc3339(row.closes_at),
    )


def advance(ref: Ref) -> Decision:
    """Do what the decision's clock has to do by now: promise the freeze, open, close, post, archive.

    Safe to run at any time and twice; what nobody did in time is done in order. Raises NotFound.
    """
    row = queries.decision(ref, lock=True)
    if row.status == DecisionStatus.ANNOUNCED and row.frozen_at is None:
        assert row.opens_at is not None
        if clock.now() >= row.opens_at - periods.FREEZE_LEAD:
            _promise_freeze(row)
        return row
    _open_if_due(row)
    _close_if_due(row)
    _post_if_due(row)
    return row


def _open_if_due(row: Decision) -> Decision:
    if row.status == DecisionStatus.ANNOUNCED and row.frozen_at is not None:
        assert row.opens_at is not None
        if queries.database_now() >= row.opens_at:
            pushing.promise(row, What.OPENED)
            pushing.last_call(row)
            deliveries.promise_receipts(row, clock.now() + RECEIPTS_AFTER)
            return steps.go(row, DecisionStatus.OPEN, "opened", SYSTEM)
    return row


def _close_if_due(row: Decision) -> None:
    if row.status == DecisionStatus.OPEN:
        assert row.closes_at is not None
        # By the clock that ballots are taken by: none is accepted after this.
        if queries.database_now() >= row.closes_at:
            _close(row, SYSTEM)


def _close(row: Decision, acting_user: Actor, **details: Any) -> Decision:
    """The caller holds the row for update: no cast is under way, so the log has its last leaf."""
    row.closed_at = clock.now()
    deliveries.promise_receipts(row, row.closed_at)
    ledger.finish(queries.ref_of(row))
    return steps.go(row, DecisionStatus.CLOSED, "closed", acting_user, **details)


def close(staff: StaffActor, ref: Ref, *, version: int | None = None) -> Decision:
    """Close before its time, which only works when every head has cast; after its time it closes by itself.

    Raises NotFound, Forbidden, StaleVersion, IllegalMove, TooEarly.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True)
    steps.fresh(row, version)
    _open_if_due(row)
    steps.from_(row, DecisionStatus.OPEN)
    assert row.closes_at is not None
    if queries.database_now() < row.closes_at and not _all_have_cast(row):
        raise TooEarly(extra={"at": clock.rfc3339(row.closes_at)})
    return _close(row, staff.actor)


def _all_have_cast(row: Decision) -> bool:
    waiting = sql_exists().where(
        RollHead.community_id == row.community_id,
        RollHead.decision_id == row.id,
        ~pushing.has_cast(queries.rules_of(row)),
    )
    # A signed sheet may take the place of what was cast: it is read first.
    unread = sql_exists().where(
        PaperBallot.community_id == row.community_id,
        PaperBallot.decision_id == row.id,
        PaperBallot.status == PaperStatus.ENTERED,
    )
    return not db.session().scalar(select(waiting | unread))


def extend(
    staff: StaffActor, ref: Ref, *, closes_at: datetime, reason: str, version: int | None = None
) -> Decision:
    """Keep it open longer, once, before it closes, if the announced rules allow it; in the log and on the timeline.

    Raises NotFound, Forbidden, StaleVersion, IllegalMove, NoExtension, ReasonNeeded, BadExtension.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True)
    steps.fresh(row, version)
    _open_if_due(row)
    steps.from_(row, DecisionStatus.OPEN)
    assert row.closes_at is not None
    if queries.database_now() >= row.closes_at:
        raise IllegalMove
    rules = queries.rules_of(row)
    if not rules.may_extend or row.extended_at is not None:
        raise NoExtension
    if not reason:
        raise ReasonNeeded(errors={"reason": [(ReasonNeeded.zh, ReasonNeeded.en)]})
    latest = row.closes_at + timedelta(days=rules.extension_days_max)
    if not row.closes_at < closes_at <= latest:
        raise BadExtension(days=rules.extension_days_max)
    row.closes_at, row.extended_at, row.extension_reason = closes_at, clock.now(), reason
    pushing.promise(row, What.EXTENDED)
    pushing.last_call(row)
    ledger.announce(row, {"what": "extended", "closes_at": clock.rfc3339(closes_at), "reason": reason})
    return steps.note(row, "extended", staff.actor, closes_at=clock.rfc3339(closes_at), reason=reason)


def cancel(staff: StaffActor, ref: Ref, *, reason: str, version: int | None = None) -> Decision:
    """It doesn't take place, or doesn't count. Nobody votes any more; what was cast stays sealed.

    Raises NotFound, Forbidden, StaleVersion, IllegalMove (certified), ReasonNeeded.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True)
    steps.fresh(row, version)
    if row.status not in CANCELLABLE:
        raise IllegalMove
    if not reason:
        raise ReasonNeeded(errors={"reason": [(ReasonNeeded.zh, ReasonNeeded.en)]})
    row.cancelled_at, row.cancel_reason = clock.now(), reason
    if row.announced_at is not None:
        pushing.promise(row, What.CANCELLED)
    ledger.cancel(row, reason)
    return steps.go(
        row,
        DecisionStatus.CANCELLED,
        "cancelled",
        staff.actor,
        is_public=row.announced_at is not None,
        reason=reason,
    )


# --- after the result ------------------------------------------------------------------------------------------


def file(staff: StaffActor, ref: Ref, *, number: str, version: int | None = None) -> Decision:
    """Note that it was filed with the street (备案), under which number. Moves nothing: filing has its own clock.

    Raises NotFound, Forbidden, StaleVersion, IllegalMove (not certified, or filed).
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True)
    steps.fresh(row, version)
    steps.from_(row, DecisionStatus.CERTIFIED, DecisionStatus.POSTED, DecisionStatus.ARCHIVED)
    if row.filed_at is not None:
        raise IllegalMove
    row.filed_at, row.filing_number = clock.now(), number
    return steps.note(row, "filed", staff.actor, number=number)


def _post_if_due(row: Decision) -> None:
    """A certified result, or a poll that is counted, is posted at once for as long as the rules say; then, and when no
    objection to it is open any more, it goes to the archive.
    """
    now, ref = clock.now(), queries.ref_of(row)
    counted_poll = row.status == DecisionStatus.CLOSED and queries.is_counted_poll(row)
    if counted_poll:
        pushing.result(row)  # of a certified one it is told with the certificate
    if row.status == DecisionStatus.CERTIFIED or counted_poll:
        rules = queries.rules_of(row)
        row.posted_at = now
        row.posted_until = periods.end_of_day(now, rules.posting_days)
        steps.go(row, DecisionStatus.POSTED, "posted", SYSTEM, until=clock.rfc3339(row.posted_until))
    elif row.status == DecisionStatus.POSTED:
        assert row.posted_until is not None
        if now >= row.posted_until and not objections.open_about(ref, objections.RESULT):
            row.archived_at = now
            steps.go(row, DecisionStatus.ARCHIVED, "archived", SYSTEM)
