"""Telling owners of a vote: announced, open, still to vote, moved, over. WeChat first; a page of owners at a time.

Before the freeze it goes to the verified owners of the estate (or of its buildings), after it to those of the roll.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Exists, and_, exists, select

from app import clock, db, ids, outbox
from app.ids import Kind, Ref
from app.memberships.models import Membership, MembershipStatus, Relation
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.messaging.wording import Wording, compose
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.registry_models import House
from app.voting import events, queries, steps, words
from app.voting.ballot_models import Ballot, PaperBallot, Proxy, ProxyStatus
from app.voting.errors import IllegalMove, RemindedToday
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import RollHead, RollOwner
from app.voting.rules import Rules

TELL = "tell_owners"  # outbox kind
PAGE = 200  # memberships, or heads, of one transaction
LAST_CALL = timedelta(days=1)  # before the end, to those who haven't voted


class What(StrEnum):
    """What there is to tell."""

    ANNOUNCED = "announced"
    OPENED = "opened"
    REMINDER = "reminder"
    EXTENDED = "extended"
    SHIFTED = "shifted"
    CANCELLED = "cancelled"
    RESULT = "result"


_KINDS = {
    What.ANNOUNCED: NoticeKind.DECISION_ANNOUNCED,
    What.OPENED: NoticeKind.DECISION_OPENED,
    What.REMINDER: NoticeKind.DECISION_REMINDER,
    What.EXTENDED: NoticeKind.DECISION_EXTENDED,
    What.SHIFTED: NoticeKind.DECISION_SHIFTED,
    What.CANCELLED: NoticeKind.DECISION_CANCELLED,
    What.RESULT: NoticeKind.DECISION_RESULT,
}


def promise(row: Decision, what: What, *, run: str = "1", at: datetime | None = None) -> None:
    """Tell the owners, each once for `run`; from `at` on, by default now."""
    _promise_page(queries.ref_of(row), what, run, after=None, at=at)


def _promise_page(ref: Ref, what: What, run: str, *, after: UUID | None, at: datetime | None = None) -> None:
    outbox.put(
        community_id=ref.community_id,
        kind=TELL,
        payload={
            "decision_id": str(ref.id),
            "what": what.value,
            "run": run,
            "after": str(after) if after is not None else None,
        },
        idem=f"tell:{ref.id}:{what.value}:{run}:{after or ''}",
        not_before=at,
    )


def result(row: Decision) -> None:
    """The result is certified, or a poll counted."""
    promise(row, What.RESULT)


def last_call(row: Decision) -> None:
    """Ask those who haven't voted once more, a day before it closes; not in a vote that is hardly longer."""
    assert row.opens_at is not None
    assert row.closes_at is not None
    if row.closes_at - row.opens_at > 2 * LAST_CALL:
        at = row.closes_at - LAST_CALL
        promise(row, What.REMINDER, run=f"last-{row.closes_at:%Y%m%d%H%M}", at=at)


def remind(staff: StaffActor, ref: Ref) -> Decision:
    """Ask the heads that haven't voted to do so; once a day.

    Raises NotFound, Forbidden, IllegalMove (not open), RemindedToday.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True)
    if queries.status_of(row) is not DecisionStatus.OPEN:
        raise IllegalMove(extra={"status": row.status})
    today = places.today()
    before = queries.latest_event(ref, "reminded")
    if before is not None and clock.in_shanghai(before.at).date() == today:
        raise RemindedToday
    promise(row, What.REMINDER, run=today.isoformat())
    steps.touch(row)
    events.add(row, "reminded", staff.actor, is_public=False)
    steps.audited(row, "decision.reminded", staff.actor)
    return row


# --- a page of it ------------------------------------------------------------------------------------------------


def tell_page(ref: Ref, what: What, *, run: str, after: UUID | None) -> None:
    """Tell one page of owners, and promise the next. May run twice: who was told isn't told again."""
    row = queries.decision(ref)
    if what is What.REMINDER and queries.status_of(row) is not DecisionStatus.OPEN:
        return
    if row.frozen_at is None:
        found, last = _of_estate(row, after)
    else:
        found, last = _of_roll(row, after, only_waiting=what is What.REMINDER)
    said = _words(row)
    for resident_id in found:
        messaging.notify(
            resident_id=resident_id,
            kind=_KINDS[what],
            community_id=row.community_id,
            idem=f"decision:{row.id}:{what.value}:{run}",
            params=said,
            target=("decision", ids.encode(Kind.DECISION, ref)),
        )
    if last is not None:
        _promise_page(ref, what, run, after=last)


def wording(row: Decision, what: What) -> Wording:
    """What owners read of it."""
    return compose(_KINDS[what], _words(row))


def _words(row: Decision) -> dict[str, str]:
    return {
        "title": row.title,
        "mode": words.mode(row.legal_mode),
        "opens_at": _when(row.opens_at),
        "closes_at": _when(row.closes_at),
        "objections_until": _when(row.objections_until),
        "posted_until": _when(row.posted_until),
        "reason": row.cancel_reason or row.extension_reason or "",
    }


def _when(at: datetime | None) -> str:
    return "" if at is None else clock.in_shanghai(at).strftime("%m月%d日%H:%M")


def _of_estate(row: Decision, after: UUID | None) -> tuple[list[UUID], UUID | None]:
    query = (
        select(Membership.id, Membership.resident_id)
        .where(
            Membership.community_id == row.community_id,
            Membership.estate_id == row.estate_id,
            Membership.status == MembershipStatus.VERIFIED,
            Membership.relation == Relation.OWNER,
            Membership.resident_id.is_not(None),
        )
        .order_by(Membership.id)
        .limit(PAGE)
    )
    if row.building_ids is not None:
        query = query.join(
            House, and_(House.community_id == Membership.community_id, House.id == Membership.house_id)
        ).where(House.building_id.in_([UUID(str(b)) for b in row.building_ids]))
    if after is not None:
        query = query.where(Membership.id > after)
    rows = db.session().execute(query).all()
    return _distinct(r for _, r in rows), rows[-1][0] if len(rows) == PAGE else None


def _of_roll(row: Decision, after: UUID | None, *, only_waiting: bool) -> tuple[list[UUID], UUID | None]:
    query = (
        select(RollHead.id)
        .where(RollHead.community_id == row.community_id, RollHead.decision_id == row.id)
        .order_by(RollHead.id)
        .limit(PAGE)
    )
    if only_waiting:
        query = query.where(~has_cast(queries.rules_of(row)))
    if after is not None:
        query = query.where(RollHead.id > after)
    heads = list(db.session().scalars(query))
    reached = residents_of(queries.ref_of(row), heads)
    found = _distinct(resident for head in heads for resident in sorted(reached.get(head, ()), key=str))
    return found, heads[-1] if len(heads) == PAGE else None


def _distinct(residents: Iterable[UUID | None]) -> list[UUID]:
    return list(dict.fromkeys(r for r in residents if r is not None))


def is_bound() -> Exists:
    """Of a `RollHead` in a query: a resident is bound as one of its owners, whom a message reaches."""
    return exists().where(
        RollOwner.community_id == RollHead.community_id,
        RollOwner.decision_id == RollHead.decision_id,
        RollOwner.head_id == RollHead.id,
        Membership.community_id == RollOwner.community_id,
        Membership.owner_id == RollOwner.owner_id,
        Membership.status == MembershipStatus.VERIFIED,
        Membership.relation == Relation.OWNER,
        Membership.resident_id.is_not(None),
    )


def has_cast(rules: Rules) -> Exists:
    """Of a `RollHead` in a query: it has a ballot by which it takes part. A sheet that can't be counted is one only
    where the rules count invalid ones as participation; else the head has still to vote.
    """
    cast = exists().where(
        Ballot.community_id == RollHead.community_id,
        Ballot.decision_id == RollHead.decision_id,
        Ballot.head_id == RollHead.id,
    )
    if rules.invalid_takes_part:
        return cast
    return cast.where(
        ~exists().where(
            PaperBallot.community_id == Ballot.community_id,
            PaperBallot.id == Ballot.paper_id,
            PaperBallot.invalid_reason.is_not(None),
        )
    )


def residents_of(ref: Ref, head_ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """Head → the residents who are bound as its owners, or act for it with an approved authorisation."""
    wanted = list(head_ids)
    found: dict[UUID, set[UUID]] = {}
    if not wanted:
        return found
    owners = (
        select(RollOwner.head_id, Membership.resident_id)
        .join(
            Membership,
            and_(
                Membership.community_id == RollOwner.community_id,
                Membership.owner_id == RollOwner.owner_id,
                Membership.status == MembershipStatus.VERIFIED,
                Membership.relation == Relation.OWNER,
            ),
        )
        .where(
            RollOwner.community_id == ref.community_id,
            RollOwner.decision_id == ref.id,
            RollOwner.head_id.in_(wanted),
        )
    )
    proxies = select(Proxy.head_id, Proxy.resident_id).where(
        Proxy.community_id == ref.community_id,
        Proxy.decision_id == ref.id,
        Proxy.head_id.in_(wanted),
        Proxy.status == ProxyStatus.APPROVED,
    )
    for query in (owners, proxies):
        for head_id, resident_id in db.session().execute(query):
            if resident_id is not None:
                found.setdefault(head_id, set()).add(resident_id)
    return found
