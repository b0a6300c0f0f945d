"""Ballots on paper: a signed sheet entered with its photo, read by a second person, and then a ballot like any other.

Both steps come before the close, because the log's last head is signed then; a sheet that waits longer stays listed
and counts for nothing. What a sheet says is shown to nobody: the second person reads the photo and may type in what
she reads, which is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import and_, func, select
from sqlalchemy.exc import IntegrityError

from app import audit, clock, crypto, db, ids
from app.audit import Actor, ActorKind
from app.errors import AppError, NotFound, StaleVersion
from app.ids import Ref
from app.media import papers
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.voting import ballot_form, casting, proxies, queries, standing
from app.voting.ballot_errors import (
    AlreadyVoted,
    BadSigningDay,
    Decided,
    NotTheVoter,
    PaperMissing,
    RequestOpen,
    SecondPerson,
    SheetDiffers,
    SheetWaits,
    UnknownProxy,
)
from app.voting.ballot_form import Choices
from app.voting.ballot_models import PaperBallot, PaperStatus
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import PaperRequest

OBJECT_KIND = "paper_ballot"
UNSIGNED = "未签字"


class Sheet(NamedTuple):
    """A sheet as somebody reads it. `choices`: None where it can't be counted."""

    head_id: UUID
    choices: Mapping[str, Any] | None
    is_signed: bool
    invalid_reason: str | None
    signed_on: date | None
    proxy_id: UUID | None
    file_ids: Sequence[UUID]


def enter(ref: Ref, sheet: Sheet, *, acting_user: StaffActor) -> PaperBallot | AppError:
    """Take in a sheet of an open decision. An unsigned one, or one with a reason why it can't be counted, is invalid in
    every motion. A refusal that is recorded (the head has cast what a sheet doesn't replace) comes back as a value.

    Raises NotFound, Forbidden, what the decision's state refuses, PaperMissing, UnknownProxy, NotTheVoter (the proxy's,
    of a head that was sold since), BadSigningDay,
    SheetWaits, and what `Form.checked` and `papers.attach` raise.
    """
    queries.decision_for_staff(acting_user, ref, Permission.PAPER_ENTER)
    decision = casting.held_open(ref)
    head = queries.head_of(ref, sheet.head_id)
    form = ballot_form.of(decision)
    if not sheet.file_ids:
        raise PaperMissing(errors={"file_ids": [(PaperMissing.zh, PaperMissing.en)]})
    if sheet.proxy_id is not None:
        why = casting.why_no_proxy(sheet.proxy_id, head, form.rules)
        if why == "sold":
            raise NotTheVoter(extra={"reason": why})
        if why is not None:
            raise UnknownProxy(errors={"proxy_id": [(UnknownProxy.zh, UnknownProxy.en)]})
    _ensure_day(decision, sheet.signed_on)
    reason = sheet.invalid_reason or (None if sheet.is_signed else UNSIGNED)
    choices = form.invalid() if reason is not None else form.checked(sheet.choices or {})
    before = standing.latest_ballots(ref, [head.id]).get(head.id)
    by_proxy = sheet.proxy_id is not None
    if before is not None and not standing.sheet_replaces(
        before, form.rules, is_valid=reason is None, by_proxy=by_proxy
    ):
        casting.record_attempt(head, None, "paper_after_ballot", against=before)
        return AlreadyVoted(extra={"channel": before.channel, "rev": before.rev})
    paper_id = ids.new_id()
    row = PaperBallot(
        community_id=ref.community_id,
        id=paper_id,
        decision_id=ref.id,
        head_id=head.id,
        choices_sealed=crypto.keys().encrypt(orjson.dumps(choices), f"paper_ballot:{paper_id}"),
        is_signed=sheet.is_signed,
        invalid_reason=reason,
        signed_on=sheet.signed_on,
        proxy_id=sheet.proxy_id,
        status=PaperStatus.ENTERED,
        entered_by=acting_user.id,
        entered_at=clock.now(),
        version=1,
    )
    db.session().add(row)
    try:
        db.session().flush()  # one waiting sheet a head: the index decides between two
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_paper_ballots_open":
            raise SheetWaits from e
        raise
    papers.attach(
        owner_id=acting_user.id,
        file_ids=sheet.file_ids,
        community_id=ref.community_id,
        object_kind=OBJECT_KIND,
        object_id=paper_id,
    )
    _record(acting_user.actor, "paper.entered", row)
    return row


def _ensure_day(decision: Decision, signed_on: date | None) -> None:
    """Raises BadSigningDay: nobody signs tomorrow, nor what wasn't announced yet."""
    assert decision.announced_at is not None
    if signed_on is None:
        return
    if not clock.in_shanghai(decision.announced_at).date() <= signed_on <= places.today():
        raise BadSigningDay(errors={"signed_on": [(BadSigningDay.zh, BadSigningDay.en)]})


def confirm(
    ref: Ref, *, choices: Mapping[str, Any] | None, version: int | None, acting_user: StaffActor
) -> PaperBallot | AppError:
    """A second person has read the sheet: it is a ballot now. `choices`: what she reads, to be compared.

    A recorded refusal comes back as a value. Raises NotFound, Forbidden, StaleVersion, Decided, SecondPerson,
    SheetDiffers, and what the decision's state refuses.
    """
    row, decision = _waiting(ref, version, acting_user)
    if row.entered_by == acting_user.id:
        raise SecondPerson
    entered: Choices = orjson.loads(crypto.keys().decrypt(row.choices_sealed, f"paper_ballot:{row.id}"))
    if choices is not None:
        casting.held_open(queries.ref_of(decision))
        if row.invalid_reason is not None or ballot_form.of(decision).checked(choices) != entered:
            raise SheetDiffers
    done = casting.insert_paper(row, entered, acting_user=acting_user.actor)
    if isinstance(done, AppError):
        return done
    row.status, row.ballot_rev = PaperStatus.CONFIRMED, done.ballot.rev
    row.confirmed_by, row.confirmed_at = acting_user.id, clock.now()
    row.version += 1
    _record(acting_user.actor, "paper.confirmed", row)
    return row


def refuse(ref: Ref, *, reason: str, version: int | None, acting_user: StaffActor) -> PaperBallot:
    """The sheet isn't what was entered, or not of this head. Raises NotFound, Forbidden, StaleVersion, Decided."""
    row, _ = _waiting(ref, version, acting_user)
    row.status, row.reason = PaperStatus.REFUSED, reason
    row.version += 1
    _record(acting_user.actor, "paper.refused", row)
    return row


def _waiting(ref: Ref, version: int | None, acting_user: StaffActor) -> tuple[PaperBallot, Decision]:
    found = db.session().get(PaperBallot, ref)
    if found is None:
        raise NotFound
    decision = queries.decision_for_staff(
        acting_user, Ref(ref.community_id, found.decision_id), Permission.PAPER_CONFIRM
    )
    row = db.session().get_one(PaperBallot, ref, with_for_update=True, populate_existing=True)
    if version is not None and version != row.version:
        raise StaleVersion
    if row.status != PaperStatus.ENTERED:
        raise Decided
    return row, decision


def seen_by_staff(ref: Ref, *, permission: Permission, acting_user: StaffActor) -> PaperBallot:
    """One sheet, without what it says. Raises NotFound, Forbidden."""
    row = db.session().get(PaperBallot, ref)
    if row is None:
        raise NotFound
    queries.decision_for_staff(acting_user, Ref(ref.community_id, row.decision_id), permission)
    return row


def listed(
    ref: Ref, *, status: str | None, limit: int, after: UUID | None, acting_user: StaffActor
) -> list[PaperBallot]:
    """The sheets of a decision, oldest first. Raises NotFound, Forbidden."""
    queries.decision_for_staff(acting_user, ref, Permission.PAPER_ENTER)
    found = select(PaperBallot).where(
        PaperBallot.community_id == ref.community_id, PaperBallot.decision_id == ref.id
    )
    if status is not None:
        found = found.where(PaperBallot.status == status)
    if after is not None:
        found = found.where(PaperBallot.id > after)
    return list(db.session().scalars(found.order_by(PaperBallot.id).limit(limit)))


class WaitingSheets(NamedTuple):
    """How many sheets of a decision wait for a second person."""

    decision: Decision
    sheets: int


def waiting_for(staff: StaffActor, *, limit: int) -> list[WaitingSheets]:
    """The decisions with sheets that this member of staff may confirm because somebody else entered them; those that
    close first come first.
    """
    estates = queries.reach(staff, Permission.PAPER_CONFIRM)
    if not estates:
        return []
    waiting = (
        select(PaperBallot.community_id, PaperBallot.decision_id, func.count().label("sheets"))
        .where(
            PaperBallot.community_id.in_({estate.community_id for estate in estates}),
            PaperBallot.status == PaperStatus.ENTERED,
            PaperBallot.entered_by != staff.id,
        )
        .group_by(PaperBallot.community_id, PaperBallot.decision_id)
        .subquery()
    )
    rows = db.session().execute(
        select(Decision, waiting.c.sheets)
        .join(
            waiting,
            and_(Decision.community_id == waiting.c.community_id, Decision.id == waiting.c.decision_id),
        )
        .where(
            Decision.community_id.in_({estate.community_id for estate in estates}),
            Decision.estate_id.in_({estate.id for estate in estates}),
            Decision.status == DecisionStatus.OPEN,
        )
        .order_by(Decision.closes_at, Decision.id)
        .limit(limit)
    )
    return [WaitingSheets(decision, count) for decision, count in rows]


def _record(acting_user: Actor, action: str, row: PaperBallot) -> None:
    audit.record(
        acting_user,
        action,
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        head_id=str(row.head_id),
    )


# --- who would like a sheet, or a visit --------------------------------------------------------------------


def ask(ref: Ref, head_id: UUID, *, wants: str, acting_user: UUID) -> PaperRequest:
    """One of a head's people asks for a sheet or a visit. Raises NotFound, RequestOpen, and of `ensure_under_way`."""
    decision = queries.decision(ref)
    here = standing.standing_of(acting_user, decision, head_id)
    if here is None or not here.is_hers:
        raise NotFound
    proxies.ensure_under_way(decision)
    return _request(decision, head_id, wants, Actor(ActorKind.RESIDENT, acting_user))


def note(ref: Ref, head_id: UUID, *, wants: str, acting_user: StaffActor) -> PaperRequest:
    """Staff note it for somebody without a phone. Raises NotFound, Forbidden, RequestOpen."""
    decision = queries.decision_for_staff(acting_user, ref, Permission.PAPER_ENTER)
    proxies.ensure_under_way(decision)
    return _request(decision, queries.head_of(ref, head_id).id, wants, acting_user.actor)


def _request(decision: Decision, head_id: UUID, wants: str, acting_user: Actor) -> PaperRequest:
    ref = queries.ref_of(decision)
    if open_request(ref, head_id) is not None:
        raise RequestOpen
    by_resident = acting_user.kind is ActorKind.RESIDENT
    row = PaperRequest(
        community_id=ref.community_id,
        id=ids.new_id(),
        decision_id=ref.id,
        head_id=head_id,
        wants=wants,
        resident_id=acting_user.id if by_resident else None,
        entered_by=None if by_resident else acting_user.id,
        created_at=clock.now(),
    )
    db.session().add(row)
    audit.record(
        acting_user,
        "paper.requested",
        community_id=ref.community_id,
        object_kind="roll_head",
        object_id=head_id,
        wants=wants,
    )
    return row


def open_request(ref: Ref, head_id: UUID, *, lock: bool = False) -> PaperRequest | None:
    """What a head has asked for and nobody has brought."""
    found = select(PaperRequest).where(
        PaperRequest.community_id == ref.community_id,
        PaperRequest.decision_id == ref.id,
        PaperRequest.head_id == head_id,
        PaperRequest.done_at.is_(None),
    )
    return db.session().scalar(found.limit(1).with_for_update() if lock else found.limit(1))


def brought(ref: Ref, head_id: UUID, *, acting_user: StaffActor) -> PaperRequest:
    """The sheet was brought, or the visit made. Raises NotFound, Forbidden, Decided (nothing is asked for)."""
    queries.decision_for_staff(acting_user, ref, Permission.PAPER_ENTER)
    row = open_request(ref, head_id, lock=True)
    if row is None:
        raise Decided
    row.done_by, row.done_at = acting_user.id, clock.now()
    audit.record(
        acting_user.actor,
        "paper.brought",
        community_id=ref.community_id,
        object_kind="roll_head",
        object_id=head_id,
    )
    return row


def requests_of(
    ref: Ref, *, is_open: bool | None, limit: int, after: UUID | None, acting_user: StaffActor
) -> list[PaperRequest]:
    """A page of who asked for a sheet or a visit, oldest first. Raises NotFound, Forbidden."""
    queries.decision_for_staff(acting_user, ref, Permission.PAPER_ENTER)
    found = select(PaperRequest).where(
        PaperRequest.community_id == ref.community_id, PaperRequest.decision_id == ref.id
    )
    if is_open is not None:
        found = found.where(PaperRequest.done_at.is_(None) if is_open else PaperRequest.done_at.is_not(None))
    if after is not None:
        found = found.where(PaperRequest.id > after)
    return list(db.session().scalars(found.order_by(PaperRequest.id).limit(limit)))
