"""From a closed decision to its certified result, which nobody rewrites; and who may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app import clock, db, ids
from app.ids import Ref
from app.media import papers
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.voting import proofs, pushing, queries, steps, tally, verdicts
from app.voting.ballot_models import Channel, PaperBallot, PaperStatus
from app.voting.counting import INVALID, Question, Tally, Totals, conclude
from app.voting.ledger_models import CertifiedResult, Ledger, OfficialResult, Opening, PollResult
from app.voting.models import Decision, DecisionKind, DecisionStatus, LegalMode
from app.voting.result_errors import (
    BadOfficial,
    BallotsDiffer,
    NotCertified,
    NotCounted,
    NotOfficial,
    OfficialMissing,
    OnlyPoll,
    OtherRoll,
    SameCertifier,
    SheetsMissing,
)
from app.voting.rules import Unreturned
from app.voting.seats import Weight

OFFICIAL_PAPER = "official_result"  # object kind of the file of an authority's result


@dataclass(frozen=True, kw_only=True)
class OfficialMotion:
    """What the authority's system says of one motion (wire ids)."""

    motion_id: str
    answers: Mapping[str, Weight]
    candidates: Mapping[str, Weight]


# --- certifying ----------------------------------------------------------------------------------------------


def certify(staff: StaffActor, ref: Ref, *, version: int | None) -> Decision:
    """Certify the result of a closed decision, with its arithmetic, by somebody other than who announced it, and other
    than who entered the authority's result, or brought or read a proof of delivery that counts.

    Raises NotFound, Forbidden, StaleVersion, IllegalMove, OnlyPoll, SameCertifier, NotCounted, SheetsMissing,
    BallotsDiffer, OfficialMissing.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_CERTIFY, lock=True)
    steps.fresh(row, version)
    if row.legal_mode == LegalMode.POLL:
        raise OnlyPoll
    steps.from_(row, DecisionStatus.CLOSED)
    announced = queries.latest_event(ref, "announced")
    if announced is not None and announced.actor_id == staff.id:
        raise SameCertifier
    rules = queries.rules_of(row)
    if rules.unreturned is not Unreturned.NOT_COUNTED and proofs.has_worked_on(ref, staff.id):
        raise SameCertifier
    is_official = row.legal_mode == LegalMode.OFFICIAL
    ledger = db.session().get(Ledger, ref)
    now = clock.now()
    db.session().add(
        CertifiedResult(
            community_id=ref.community_id,
            decision_id=ref.id,
            result=_official(row, staff) if is_official else from_ballots(row),
            log_size=ledger.size if ledger is not None else None,
            certified_by=staff.id,
            certified_at=now,
        )
    )
    row.certified_at = now
    row.filing_due_at = now + timedelta(days=rules.filing_days)
    steps.go(row, DecisionStatus.CERTIFIED, "certified", staff.actor)
    pushing.result(row)
    return row


def from_ballots(row: Decision) -> dict[str, Any]:
    """The result counted from our own ballots, as it is certified.

    Raises NotCounted (before they were opened), BallotsDiffer, SheetsMissing.
    """
    ref, rules = queries.ref_of(row), queries.rules_of(row)
    if not is_counted(ref):
        raise NotCounted
    with db.in_bulk():
        is_whole = tally.wholeness(ref).is_whole
    if not is_whole:
        raise BallotsDiffer
    if not rules.electronic_admitted and (missing := heads_without_sheet(ref)):
        raise SheetsMissing(heads=missing, extra={"heads": missing})
    return recounted(row)


def is_counted(ref: Ref) -> bool:
    """Are the ballots opened, so that the result can be certified?"""
    ledger = db.session().get(Ledger, ref)
    return ledger is not None and ledger.unsealed_at is not None


def heads_without_sheet(ref: Ref) -> int:
    """Heads that count by an online ballot and have no signed sheet that a second person confirmed."""
    has_sheet = (
        select(PaperBallot.id)
        .where(
            PaperBallot.community_id == Opening.community_id,
            PaperBallot.decision_id == Opening.decision_id,
            PaperBallot.head_id == Opening.head_id,
            PaperBallot.status == PaperStatus.CONFIRMED,
            PaperBallot.is_signed,
        )
        .exists()
    )
    return (
        db.session().scalar(
            select(func.count()).where(
                Opening.community_id == ref.community_id,
                Opening.decision_id == ref.id,
                Opening.counts,
                Opening.channel == Channel.ONLINE,
                ~has_sheet,
            )
        )
        or 0
    )


def recounted(row: Decision) -> dict[str, Any]:
    """The result of the opened ballots, counted again now: what a certified or kept one has to be equal to."""
    return _counted(row) | {"source": "ballots"}


def _counted(row: Decision) -> dict[str, Any]:
    counted = tally.result_of(row, questions_of(row), queries.rules_of(row), kind=_counted_as(row))
    return _with_scope(row, verdicts.written(counted))


def _counted_as(row: Decision) -> DecisionKind:
    """Without legal effect everything is a poll, whatever it is called."""
    return DecisionKind.POLL if row.legal_mode == LegalMode.POLL else DecisionKind(row.kind)


def questions_of(row: Decision) -> list[Question]:
    """The motions of a decision as they are counted."""
    ref = queries.ref_of(row)
    return tally.questions(queries.motions_of(ref), queries.candidates_of(ref))


def _with_scope(row: Decision, written: dict[str, Any]) -> dict[str, Any]:
    scope = "estate" if row.building_ids is None else "buildings"
    return written | {"scope": scope, "legal_mode": row.legal_mode}


# --- the authority's result ------------------------------------------------------------------------------------


def enter_official(
    staff: StaffActor,
    ref: Ref,
    *,
    roll: Weight,
    motions: Sequence[OfficialMotion],
    reference: str,
    file_ids: Sequence[UUID],
    roll_reason: str | None = None,
) -> OfficialResult:
    """Keep what the authority's system answered, with its file. A correction is entered again; the newest holds.
    `roll_reason`: why the authority counted other heads or another area than the frozen roll has.

    Raises NotFound, Forbidden, NotOfficial, IllegalMove (not closed), BadOfficial, OtherRoll, PaperUnknown.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_CERTIFY, lock=True)
    if row.legal_mode != LegalMode.OFFICIAL:
        raise NotOfficial
    steps.from_(row, DecisionStatus.CLOSED)
    asked = {question.id: question for question in questions_of(row)}
    _check_official(asked, roll, motions)
    frozen = Weight(row.area_centi or 0, row.heads or 0)
    if roll != frozen and not roll_reason:
        raise OtherRoll(
            errors={"roll": [(OtherRoll.zh, OtherRoll.en)]},
            extra={"heads": frozen.heads, "area_centi": frozen.area_centi},
        )
    entered = OfficialResult(
        community_id=ref.community_id,
        id=ids.new_id(),
        decision_id=ref.id,
        totals={
            "roll": _weight_json(roll),
            "roll_reason": roll_reason if roll != frozen else None,
            "motions": [
                {
                    "motion_id": m.motion_id,
                    "answers": {word: _weight_json(w) for word, w in m.answers.items()},
                    "candidates": {c: _weight_json(w) for c, w in m.candidates.items()},
                }
                for m in motions
            ],
        },
        reference=reference,
        entered_by=staff.id,
        at=clock.now(),
    )
    db.session().add(entered)
    papers.attach(
        owner_id=staff.id,
        file_ids=file_ids,
        community_id=ref.community_id,
        object_kind=OFFICIAL_PAPER,
        object_id=entered.id,
    )
    steps.note(row, "official_result", staff.actor, is_public=False, reference=reference)
    return entered


def _check_official(asked: Mapping[str, Question], roll: Weight, said: Sequence[OfficialMotion]) -> None:
    if sorted(m.motion_id for m in said) != sorted(asked):
        raise BadOfficial
    for motion in said:
        part = sum(motion.answers.values(), Weight())
        valid = sum((w for word, w in motion.answers.items() if word != INVALID), Weight())
        beyond = part.heads > roll.heads or part.area_centi > roll.area_centi
        too_many = any(
            w.heads > valid.heads or w.area_centi > valid.area_centi for w in motion.candidates.values()
        )
        if beyond or too_many or set(motion.candidates) != set(asked[motion.motion_id].candidates):
            raise BadOfficial


def _official(row: Decision, staff: StaffActor) -> dict[str, Any]:
    entered = latest_official(queries.ref_of(row))
    if entered is None:
        raise OfficialMissing
    if entered.entered_by == staff.id:
        raise SameCertifier
    said = entered.totals
    tallies = {
        m["motion_id"]: Tally(
            {word: _weight(w) for word, w in m["answers"].items()},
            {c: _weight(w) for c, w in m["candidates"].items()},
        )
        for m in said["motions"]
    }
    totals = Totals(_weight(said["roll"]), Weight())
    counted = conclude(questions_of(row), totals, tallies, queries.rules_of(row), kind=DecisionKind(row.kind))
    return _with_scope(row, verdicts.written(counted)) | {
        "source": "official",
        "reference": entered.reference,
        "roll_reason": said["roll_reason"],
    }


def latest_official(ref: Ref) -> OfficialResult | None:
    """What was entered last of the authority's answers."""
    return db.session().scalar(
        select(OfficialResult)
        .where(OfficialResult.community_id == ref.community_id, OfficialResult.decision_id == ref.id)
        .order_by(OfficialResult.id.desc())
        .limit(1)
    )


def _weight(said: Mapping[str, int]) -> Weight:
    return Weight(said["area_centi"], said["heads"])


def _weight_json(weight: Weight) -> dict[str, int]:
    return {"area_centi": weight.area_centi, "heads": weight.heads}


# --- reading ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Published:
    """A result that may be read. A poll's isn't certified by anybody: it is published when its ballots are opened."""

    row: Decision
    result: Mapping[str, Any]
    certified: CertifiedResult | None


def result_of(row: Decision) -> Published:
    """The certified result, or that of a poll that is over. Raises NotCertified."""
    ref = queries.ref_of(row)
    certified = db.session().get(CertifiedResult, ref)
    if certified is not None:
        return Published(row=row, result=certified.result, certified=certified)
    ledger = db.session().get(Ledger, ref)
    is_over = row.status in {DecisionStatus.CLOSED, DecisionStatus.POSTED, DecisionStatus.ARCHIVED}
    if row.legal_mode != LegalMode.POLL or not is_over or ledger is None or ledger.unsealed_at is None:
        raise NotCertified
    kept = db.session().get(PollResult, ref)
    result = kept.result if kept is not None else recounted(row)
    return Published(row=row, result=result, certified=None)


def keep_poll(ref: Ref) -> None:
    """Count a poll whose ballots have just been opened, once: everybody who looks at it reads this. Nothing is kept of
    a decision that is certified. May run twice.
    """
    row, ledger = queries.decision(ref), db.session().get(Ledger, ref)
    is_open = ledger is not None and ledger.unsealed_at is not None
    if row.legal_mode != LegalMode.POLL or not is_open or db.session().get(PollResult, ref) is not None:
        return
    db.session().add(
        PollResult(
            community_id=ref.community_id,
            decision_id=ref.id,
            result=recounted(row),
            counted_at=clock.now(),
        )
    )


def result_for(resident_id: UUID, ref: Ref) -> Published:
    """The same, for an owner or resident of the estate. Raises NotFound, NotCertified."""
    return result_of(queries.decision_for(resident_id, ref))


def result_for_staff(staff: StaffActor, ref: Ref) -> Published:
    """The same, for staff of the estate. Raises NotFound, NotCertified."""
    return result_of(queries.decision_for_staff(staff, ref, Permission.DECISION_VIEW))
