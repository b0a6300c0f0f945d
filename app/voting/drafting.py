"""Writing a decision before anybody hears of it: its texts, motions, window, buildings. Nothing after the review."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy import exists as sql_exists

from app import clock, db, ids
from app.audit import Actor, ActorKind
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.voting import events, queries, steps
from app.voting.errors import (
    Announced,
    BadBuildings,
    BadPrevious,
    IllegalMove,
    InReview,
    ModeNotAllowed,
    MotionsWrong,
    TimesMissing,
)
from app.voting.matters import Matter
from app.voting.models import (
    Candidate,
    Decision,
    DecisionKind,
    DecisionStatus,
    LegalMode,
    Motion,
)

MAX_MOTIONS = 20
_ENDED = frozenset(
    {DecisionStatus.CLOSED, DecisionStatus.CERTIFIED, DecisionStatus.POSTED, DecisionStatus.ARCHIVED}
) | {DecisionStatus.CANCELLED}


@dataclass(frozen=True, kw_only=True)
class MotionDraft:
    """A motion as it is drafted; `id` names one that is there already."""

    title: str
    text: str
    matter: int | None = None
    seats: int | None = None
    alternates: int | None = None
    id: UUID | None = None


def create(
    staff: StaffActor,
    *,
    estate: Ref,
    kind: DecisionKind,
    title: str,
    text: str,
    motions: Sequence[MotionDraft],
    legal_mode: LegalMode | None = None,
    building_ids: Collection[Ref] | None = None,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    previous: Ref | None = None,
) -> Decision:
    """Start a draft. Without a `legal_mode` it has the estate's; a poll never has another than `poll`.

    Raises NotFound, Forbidden, MotionsWrong, BadBuildings, BadPrevious, ModeNotAllowed, TimesMissing.
    """
    queries.estate_for_staff(staff, estate, Permission.DECISION_DRAFT)
    return draft(
        estate,
        kind=kind,
        title=title,
        text=text,
        motions=motions,
        legal_mode=legal_mode,
        building_ids=building_ids,
        opens_at=opens_at,
        closes_at=closes_at,
        previous=previous,
        acting_user=staff.actor,
    )


def draft(
    estate: Ref,
    *,
    kind: DecisionKind,
    title: str,
    text: str,
    motions: Sequence[MotionDraft],
    acting_user: Actor,
    legal_mode: LegalMode | None = None,
    building_ids: Collection[Ref] | None = None,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    previous: Ref | None = None,
    petition_id: UUID | None = None,
) -> Decision:
    """A draft of an estate, by staff or out of a petition; `create` asks who may."""
    places.estate(estate)
    now = clock.now()
    row = Decision(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        kind=kind,
        title=title,
        text=text,
        legal_mode=_mode_for(estate, kind, legal_mode),
        status=DecisionStatus.DRAFT,
        building_ids=_buildings(estate, building_ids),
        rules=queries.rules_for(estate).as_json(),
        previous_id=_previous(estate, previous),
        petition_id=petition_id,
        texts_nonce=os.urandom(32).hex(),
        opens_at=opens_at,
        closes_at=closes_at,
        created_by=acting_user.id if acting_user.kind == ActorKind.STAFF else None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    _check_times(row)
    db.session().add(row)
    db.session().flush()  # the motions' foreign key needs it
    _write_motions(row, motions)
    events.add(row, "created", acting_user, is_public=False)
    steps.audited(row, "decision.created", acting_user)
    return row


def edit(
    staff: StaffActor,
    ref: Ref,
    *,
    version: int | None,
    changes: Mapping[str, Any],
    motions: Sequence[MotionDraft] | None = None,
) -> Decision:
    """Change a draft: title, text, legal_mode, building_ids, opens_at, closes_at, previous. `motions` replaces them
    all; one that names its `id` keeps its candidates.

    Raises NotFound, Forbidden, StaleVersion, Announced, InReview, and what `create` raises.
    """
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_DRAFT, lock=True)
    steps.fresh(row, version)
    _only_draft(row)
    estate = queries.estate_of(row)
    for name in ("title", "text", "opens_at", "closes_at"):
        if name in changes:
            setattr(row, name, changes[name])
    if "legal_mode" in changes:
        row.legal_mode = _mode_for(estate, DecisionKind(row.kind), changes["legal_mode"])
    if "building_ids" in changes:
        row.building_ids = _buildings(estate, changes["building_ids"])
    if "previous" in changes:
        row.previous_id = _previous(estate, changes["previous"], but=row.id)
    _check_times(row)
    if motions is not None:
        _write_motions(row, motions)
    steps.touch(row)
    said = sorted({*changes, *(["motions"] if motions is not None else [])})
    events.add(row, "edited", staff.actor, is_public=False, fields=said)
    steps.audited(row, "decision.edited", staff.actor, fields=said)
    return row


def _only_draft(row: Decision) -> None:
    if row.status == DecisionStatus.IN_REVIEW:
        raise InReview
    if row.announced_at is not None:
        raise Announced
    if row.status != DecisionStatus.DRAFT:
        raise IllegalMove


def _check_times(row: Decision) -> None:
    if row.opens_at is not None and row.closes_at is not None and row.closes_at <= row.opens_at:
        raise TimesMissing(errors={"closes_at": [(TimesMissing.zh, TimesMissing.en)]})


def _mode_for(estate: Ref, kind: DecisionKind, wanted: LegalMode | None) -> LegalMode:
    allowed = queries.mode_of(estate)
    if kind is DecisionKind.POLL:
        if wanted not in {None, LegalMode.POLL}:
            raise ModeNotAllowed
        return LegalMode.POLL
    mode = LegalMode(wanted) if wanted is not None else allowed
    if mode not in {LegalMode.POLL, allowed}:
        raise ModeNotAllowed
    return mode


def _buildings(estate: Ref, wanted: Collection[Ref] | None) -> list[Any] | None:
    if wanted is None:
        return None
    known = {building.id for building in places.buildings_of(estate)}
    if not wanted or any(b.community_id != estate.community_id or b.id not in known for b in wanted):
        raise BadBuildings(errors={"building_ids": [(BadBuildings.zh, BadBuildings.en)]})
    return sorted({str(b.id) for b in wanted})


def _previous(estate: Ref, wanted: Ref | None, *, but: UUID | None = None) -> UUID | None:
    if wanted is None:
        return None
    found = db.session().get(Decision, wanted)
    if (
        found is None
        or queries.estate_of(found) != estate
        or found.id == but
        or found.announced_at is None
        or queries.status_of(found) not in _ENDED
    ):
        raise BadPrevious(errors={"previous_id": [(BadPrevious.zh, BadPrevious.en)]})
    return found.id


def _write_motions(row: Decision, wanted: Sequence[MotionDraft]) -> None:
    check_motions(DecisionKind(row.kind), wanted)
    ref = queries.ref_of(row)
    before = {motion.id: motion for motion in queries.motions_of(ref)}
    kept = {draft.id for draft in wanted if draft.id is not None}
    if not kept <= set(before):
        raise MotionsWrong(errors={"motions": [("议题不存在。", "No such motion.")]})
    gone = set(before) - kept
    if gone and db.session().scalar(
        select(
            sql_exists().where(
                Candidate.community_id == row.community_id,
                Candidate.decision_id == row.id,
                Candidate.motion_id.in_(gone),
            )
        )
    ):
        raise MotionsWrong(errors={"motions": [("已有人提名的议题不能删除。", "It has candidates.")]})
    if gone:
        db.session().execute(
            delete(Motion)
            .where(Motion.community_id == row.community_id, Motion.id.in_(gone))
            .execution_options(synchronize_session=False)
        )
    for away, motion in enumerate(before[k] for k in kept if k is not None):
        motion.number = -1 - away  # so that no two have one number while they change places
    db.session().flush()
    for number, wish in enumerate(wanted, 1):
        motion = (
            before[wish.id]
            if wish.id is not None
            else Motion(community_id=row.community_id, id=ids.new_id(), decision_id=row.id)
        )
        motion.number, motion.matter = number, wish.matter
        motion.title, motion.text = wish.title, wish.text
        motion.seats, motion.alternates = wish.seats, wish.alternates
        db.session().add(motion)
    db.session().flush()


def check_motions(kind: DecisionKind, wanted: Sequence[MotionDraft]) -> None:
    """Raises MotionsWrong when they don't fit the kind of decision, or the law."""

    def wrong(zh: str, en: str) -> MotionsWrong:
        return MotionsWrong(errors={"motions": [(zh, en)]})

    if not 1 <= len(wanted) <= MAX_MOTIONS:
        raise wrong(f"请填写 1 至 {MAX_MOTIONS} 项议题。", f"1 to {MAX_MOTIONS} motions.")
    elections = [motion for motion in wanted if motion.seats is not None]
    if kind is DecisionKind.ELECTION and len(elections) != len(wanted):
        raise wrong("选举的议题应填写应选人数。", "An election's motion says how many seats there are.")
    if kind is not DecisionKind.ELECTION and elections:
        raise wrong("只有选举才有应选人数。", "Only an election has seats.")
    for motion in wanted:
        if kind is not DecisionKind.POLL and motion.matter is None:
            raise wrong("请选择议题属于民法典第二百七十八条的哪一项。", "Say which matter of art. 278 it is.")
        if motion.seats is not None and motion.matter != Matter.COMMITTEE:
            raise wrong("选举业主委员会属于第三项。", "An election is matter 3.")
        if motion.alternates is not None and motion.seats is None:
            raise wrong("只有选举才有候补人数。", "Only an election has alternates.")
    if kind is DecisionKind.POLL and any(motion.matter is not None for motion in wanted):
        raise wrong("意见征询没有法定门槛，不选事项。", "A poll has no matter of the law.")
