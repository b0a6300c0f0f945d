"""Proofs of delivery that staff bring (送达证明): visits with signed receipts, notices that hang; each read by a second
person, and proof only then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update

from app import clock, db, ids
from app.audit import Actor, ActorKind
from app.errors import NotFound, StaleVersion
from app.ids import Ref
from app.media import papers
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.voting import deliveries, events, periods, pushing, queries, roll, steps
from app.voting.ballot_errors import Decided, SecondPerson
from app.voting.errors import IllegalMove, PostedLate, ProofMissing, Reached, ReasonNeeded
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import (
    DeliveryEntry,
    DeliveryEntryHead,
    DeliveryWay,
    EntryStatus,
    PaperRequest,
    RollHead,
)

OBJECT_KIND = "delivery"
POSTED_FOR = timedelta(days=7)  # 舟山


def enter(
    staff: StaffActor, ref: Ref, *, heads: Collection[Ref], way: DeliveryWay, file_ids: Sequence[UUID]
) -> DeliveryEntry:
    """Staff were at these doors, with the signed receipts, or posted a notice for whom nothing else reaches, with its
    photo. A request for a visit is done by it; proof it is once a second person has confirmed it.

    Raises NotFound, Forbidden, IllegalMove (not frozen, or over), ProofMissing, PostedLate, Reached, and what
    `papers.attach` raises.
    """
    row = queries.decision_for_staff(staff, ref, Permission.PAPER_ENTER)
    _ensure_under_way(row)
    known = _heads_of(ref, heads)
    if not file_ids:
        raise ProofMissing(errors={"file_ids": [(ProofMissing.zh, ProofMissing.en)]})
    if way is DeliveryWay.POSTED:
        _ensure_last_way(row, known)
    entry = DeliveryEntry(
        community_id=ref.community_id,
        id=ids.new_id(),
        decision_id=ref.id,
        way=way.value,
        heads=len(known),
        status=EntryStatus.ENTERED,
        entered_by=staff.id,
        entered_at=clock.now(),
        version=1,
    )
    db.session().add(entry)
    db.session().flush()  # its heads name it
    db.session().execute(
        insert(DeliveryEntryHead),
        [
            {
                "community_id": ref.community_id,
                "decision_id": ref.id,
                "head_id": head_id,
                "entry_id": entry.id,
            }
            for head_id in sorted(known)
        ],
    )
    if way is DeliveryWay.VISIT:
        db.session().execute(
            update(PaperRequest)
            .where(
                PaperRequest.community_id == ref.community_id,
                PaperRequest.decision_id == ref.id,
                PaperRequest.head_id.in_(known),
                PaperRequest.wants == "visit",
                PaperRequest.done_at.is_(None),
            )
            .values(done_at=clock.now(), done_by=staff.id)
            .execution_options(synchronize_session=False)
        )
    papers.attach(
        owner_id=staff.id,
        file_ids=file_ids,
        community_id=ref.community_id,
        object_kind=OBJECT_KIND,
        object_id=entry.id,
    )
    _note(row, entry, f"delivery_entered_{way}", staff.actor)
    return entry


def _ensure_under_way(row: Decision) -> None:
    """Raises IllegalMove: a proof is of a roll that is frozen, and comes before the close."""
    under_way = {DecisionStatus.ANNOUNCED, DecisionStatus.OPEN}
    if row.frozen_at is None or queries.status_of(row) not in under_way:
        raise IllegalMove(extra={"status": row.status})


def _heads_of(ref: Ref, heads: Collection[Ref]) -> set[UUID]:
    """The heads that are named, all of this roll. Raises NotFound."""
    wanted = {head.id for head in heads if head.community_id == ref.community_id}
    known = set(
        db.session().scalars(
            select(RollHead.id).where(
                RollHead.community_id == ref.community_id,
                RollHead.decision_id == ref.id,
                RollHead.id.in_(wanted),
            )
        )
    )
    if len(wanted) != len(set(heads)) or known != wanted:
        raise NotFound
    return known


def _ensure_last_way(row: Decision, head_ids: Collection[UUID]) -> None:
    """舟山: a posted notice is for whom nothing else reaches, and hangs for seven days. Raises PostedLate, Reached."""
    assert row.closes_at is not None
    hangs = clock.in_shanghai(row.closes_at).date() - places.today()
    if periods.are_lawful() and hangs < POSTED_FOR:
        raise PostedLate(days=POSTED_FOR.days)
    reached = db.session().scalar(
        select(func.count()).where(
            RollHead.community_id == row.community_id,
            RollHead.decision_id == row.id,
            RollHead.id.in_(head_ids),
            or_(
                pushing.is_bound(),
                deliveries.has_proof(but=DeliveryWay.POSTED),
                deliveries.is_entered(but=DeliveryWay.POSTED),
            ),
        )
    )
    if reached:
        raise Reached(heads=reached, extra={"heads": reached})


def confirm(staff: StaffActor, ref: Ref, *, version: int | None = None) -> DeliveryEntry:
    """A second person has read the receipts, or seen the notice: proof for these heads, dated as it was entered.

    Raises NotFound, Forbidden, StaleVersion, Decided, SecondPerson, IllegalMove (the vote is over).
    """
    entry, row = _waiting(staff, ref, version)
    if entry.entered_by == staff.id:
        raise SecondPerson
    _ensure_under_way(row)
    deliveries.record(
        row,
        _heads_in(ref),
        DeliveryWay(entry.way),
        Actor(ActorKind.STAFF, entry.entered_by),
        at=entry.entered_at,
    )
    _decide(entry, EntryStatus.CONFIRMED, None, staff)
    _note(row, entry, f"delivered_{entry.way}", staff.actor)
    return entry


def refuse(staff: StaffActor, ref: Ref, *, reason: str, version: int | None = None) -> DeliveryEntry:
    """The papers don't show it: no proof. Raises NotFound, Forbidden, StaleVersion, Decided, ReasonNeeded."""
    if not reason:
        raise ReasonNeeded(errors={"reason": [(ReasonNeeded.zh, ReasonNeeded.en)]})
    entry, row = _waiting(staff, ref, version)
    _decide(entry, EntryStatus.REFUSED, reason, staff)
    _note(row, entry, f"delivery_refused_{entry.way}", staff.actor)
    return entry


def _waiting(staff: StaffActor, ref: Ref, version: int | None) -> tuple[DeliveryEntry, Decision]:
    found = db.session().get(DeliveryEntry, ref)
    if found is None:
        raise NotFound
    row = queries.decision_for_staff(
        staff, Ref(ref.community_id, found.decision_id), Permission.PAPER_CONFIRM
    )
    entry = db.session().get_one(DeliveryEntry, ref, with_for_update=True, populate_existing=True)
    if version is not None and version != entry.version:
        raise StaleVersion
    if entry.status != EntryStatus.ENTERED:
        raise Decided
    return entry, row


def _decide(entry: DeliveryEntry, status: EntryStatus, reason: str | None, staff: StaffActor) -> None:
    entry.status, entry.reason = status, reason
    # Who entered it may take it back herself; a second person is only who confirms or refuses another's.
    entry.confirmed_by = staff.id if staff.id != entry.entered_by else None
    entry.confirmed_at = clock.now()
    entry.version += 1


def _note(row: Decision, entry: DeliveryEntry, kind: str, actor: Actor) -> None:
    events.add(row, kind, actor, is_public=False, heads=entry.heads)
    steps.audited(
        row, "decision.delivery", actor, step=kind, way=entry.way, heads=entry.heads, proof=str(entry.id)
    )


# --- reading -------------------------------------------------------------------------------------------------


def _heads_in(ref: Ref) -> list[UUID]:
    return list(
        db.session().scalars(
            select(DeliveryEntryHead.head_id)
            .where(
                DeliveryEntryHead.community_id == ref.community_id,
                DeliveryEntryHead.entry_id == ref.id,
            )
            .order_by(DeliveryEntryHead.head_id)
        )
    )


def seen_by_staff(staff: StaffActor, ref: Ref, *, permission: Permission) -> DeliveryEntry:
    """One entry. Raises NotFound, Forbidden."""
    entry = db.session().get(DeliveryEntry, ref)
    if entry is None:
        raise NotFound
    queries.decision_for_staff(staff, Ref(ref.community_id, entry.decision_id), permission)
    return entry


def listed(
    staff: StaffActor, ref: Ref, *, status: str | None, limit: int, after: UUID | None
) -> list[DeliveryEntry]:
    """The entries of a decision, oldest first. Raises NotFound, Forbidden."""
    queries.decision_for_staff(staff, ref, Permission.PAPER_ENTER)
    query = select(DeliveryEntry).where(
        DeliveryEntry.community_id == ref.community_id, DeliveryEntry.decision_id == ref.id
    )
    if status is not None:
        query = query.where(DeliveryEntry.status == status)
    if after is not None:
        query = query.where(DeliveryEntry.id > after)
    return list(db.session().scalars(query.order_by(DeliveryEntry.id).limit(limit)))


def labels_of(ref: Ref) -> list[str]:
    """The rooms of an entry's heads, in their order."""
    return list(
        db.session().scalars(
            select(RollHead.label)
            .join(
                DeliveryEntryHead,
                (DeliveryEntryHead.community_id == RollHead.community_id)
                & (DeliveryEntryHead.decision_id == RollHead.decision_id)
                & (DeliveryEntryHead.head_id == RollHead.id),
            )
            .where(DeliveryEntryHead.community_id == ref.community_id, DeliveryEntryHead.entry_id == ref.id)
            .order_by(*roll.BY_ROOMS)
        )
    )


def has_worked_on(ref: Ref, staff_id: UUID) -> bool:
    """Has this member of staff entered or confirmed a proof of this decision?"""
    found = db.session().scalar(
        select(DeliveryEntry.id)
        .where(
            DeliveryEntry.community_id == ref.community_id,
            DeliveryEntry.decision_id == ref.id,
            or_(DeliveryEntry.entered_by == staff_id, DeliveryEntry.confirmed_by == staff_id),
        )
        .limit(1)
    )
    return found is not None
