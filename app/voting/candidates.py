"""Candidates of an election (候选人): nominated, checked with reasons, posted; withdrawn until the roll is frozen.

The Party organisation, the residents' committee, an owner herself, and owners together may nominate; the preparation
group (筹备组) checks each with a reason, and who passes is posted for objections before the election is announced,
which numbers them on the ballot (`service.announce`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app import clock, crypto, db, ids
from app.audit import Actor, ActorKind
from app.errors import NotFound
from app.ids import Kind, Ref
from app.memberships import queries as memberships
from app.memberships.models import Membership
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import heads as head_count
from app.places import households, identity
from app.places import registry_queries as registry
from app.voting import periods, queries, roll, rounds, steps, texts
from app.voting.candidate_errors import (
    AlreadyBacked,
    AlreadyNominated,
    CheckedAlready,
    NoFirstRound,
    NominationsOver,
    NotAnElection,
    NotForBacking,
    NotHerOwner,
    RollIsFrozen,
    TooFewBackers,
    TooFewLeft,
)
from app.voting.counting import Outcome
from app.voting.errors import OwnersOnly, ReasonNeeded
from app.voting.models import (
    Candidate,
    CandidateBacker,
    CandidateStatus,
    Decision,
    DecisionKind,
    DecisionStatus,
    Motion,
    NominatedBy,
)
from app.voting.seats import Place

STANDING = (CandidateStatus.NOMINATED, CandidateStatus.ACCEPTED)
_BEFORE = (DecisionStatus.DRAFT, DecisionStatus.IN_REVIEW)


class Backing(NamedTuple):
    """Owners (heads) who nominate somebody together, and how many it takes."""

    backed: int
    needed: int

    @property
    def is_enough(self) -> bool:
        """May she be checked?"""
        return self.backed >= self.needed


# --- the window ------------------------------------------------------------------------------------------------


def open_nominations(staff: StaffActor, ref: Ref, *, until: datetime) -> Decision:
    """Owners may nominate until then; opened again it is moved. Only before the election is announced.

    Raises NotFound, Forbidden, NotAnElection, IllegalMove, NominationsOver (a time that has passed).
    """
    row = _election(queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True))
    steps.from_(row, *_BEFORE)
    if until <= clock.now():
        raise NominationsOver
    row.nominations_until = until
    return steps.note(row, "nominations_opened", staff.actor, until=clock.rfc3339(until))


def _election(row: Decision) -> Decision:
    if row.kind != DecisionKind.ELECTION:
        raise NotAnElection
    return row


def is_open(row: Decision) -> bool:
    """May owners nominate now?"""
    return row.status in _BEFORE and row.nominations_until is not None and clock.now() < row.nominations_until


def elections_open_to(resident_id: UUID) -> list[Decision]:
    """Elections of her estates in which owners nominate now, the first to end first."""
    estates = memberships.my_estates(resident_id)
    if not estates:
        return []
    found = db.session().scalars(
        select(Decision).where(
            Decision.community_id.in_({e.community_id for e in estates}),
            Decision.estate_id.in_([e.id for e in estates]),
            Decision.status.in_(_BEFORE),
            Decision.nominations_until > clock.now(),
        )
    )
    return sorted(
        (row for row in found if queries.estate_of(row) in estates),
        key=lambda row: (row.nominations_until or clock.now(), row.id),
    )


def election_for(resident_id: UUID, ref: Ref, *, lock: bool = False) -> Decision:
    """An election of one of her estates, from when nominations were opened. Raises NotFound."""
    row = queries.decision(ref, lock=lock)
    seen = row.nominations_until is not None or row.announced_at is not None
    if row.kind != DecisionKind.ELECTION or not seen:
        raise NotFound
    if queries.estate_of(row) not in memberships.my_estates(resident_id):
        raise NotFound
    return row


# --- nominating ------------------------------------------------------------------------------------------------


def nominate_self(resident_id: UUID, ref: Ref, *, motion: Ref, statement: str | None) -> Candidate:
    """An owner stands for a seat, under her name in the registry.

    Raises NotFound, NominationsOver, OwnersOnly, AlreadyNominated.
    """
    row = _for_nomination(resident_id, ref)
    owner_id = _as_owner(resident_id, row)
    return _nominate(
        row,
        motion,
        name=_name_of(row.community_id, owner_id),
        statement=statement,
        owner_id=owner_id,
        resident_id=resident_id,
        by=NominatedBy.SELF,
        acting_user=Actor(ActorKind.RESIDENT, resident_id),
    )


def nominate_jointly(
    resident_id: UUID, ref: Ref, *, motion: Ref, name: str, statement: str | None
) -> Candidate:
    """An owner proposes another one, and is the first to back her. Others join until there are enough.

    Raises NotFound, NominationsOver, OwnersOnly.
    """
    row = _for_nomination(resident_id, ref)
    owner_id = _as_owner(resident_id, row)
    actor = Actor(ActorKind.RESIDENT, resident_id)
    made = _nominate(
        row, motion, name=name, statement=statement, owner_id=None, by=NominatedBy.JOINT, acting_user=actor
    )
    _add_backer(made, owner_id)
    return made


def back(resident_id: UUID, ref: Ref, candidate_id: UUID) -> Candidate:
    """Join a nomination. Raises NotFound, NominationsOver, OwnersOnly, NotForBacking, AlreadyBacked."""
    row = _for_nomination(resident_id, ref)
    owner_id = _as_owner(resident_id, row)
    found = candidate(ref, candidate_id, lock=True)
    if found.nominated_by != NominatedBy.JOINT or found.status != CandidateStatus.NOMINATED:
        raise NotForBacking
    if db.session().get(CandidateBacker, (ref.community_id, found.id, owner_id)) is not None:
        raise AlreadyBacked
    _add_backer(found, owner_id)
    _touch(found)
    steps.audited(row, "candidate.backed", Actor(ActorKind.RESIDENT, resident_id), candidate_id=_wire(found))
    return found


def nominate_by_staff(
    staff: StaffActor,
    ref: Ref,
    *,
    motion: Ref,
    by: NominatedBy,
    owner: Ref,
    statement: str | None,
) -> Candidate:
    """Enter a nomination by the Party organisation or the residents' committee.

    Raises NotFound, Forbidden, NotAnElection, NominationsOver (announced), NotHerOwner, AlreadyNominated.
    """
    row = _election(queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True))
    if row.status not in _BEFORE:
        raise NominationsOver
    owner_id = _owner_of(row, owner)
    return _nominate(
        row,
        motion,
        name=_name_of(row.community_id, owner_id),
        statement=statement,
        owner_id=owner_id,
        by=by,
        acting_user=staff.actor,
    )


def _for_nomination(resident_id: UUID, ref: Ref) -> Decision:
    row = election_for(resident_id, ref, lock=True)
    if not is_open(row):
        raise NominationsOver
    return row


def _as_owner(resident_id: UUID, row: Decision) -> UUID:
    """Whom of the registry she is in this estate, by the row that stands for her."""
    estate = queries.estate_of(row)
    owner_id = next((m.owner_id for m in _votes(resident_id, estate) if m.owner_id is not None), None)
    if owner_id is None:
        raise OwnersOnly
    return head_count.same_owners(row.community_id).get(owner_id, owner_id)


def _votes(resident_id: UUID, estate: Ref) -> list[Membership]:
    return [
        m
        for m in memberships.mine(resident_id)
        if Ref(m.community_id, m.estate_id) == estate and memberships.vote_of(m).may
    ]


def _owner_of(row: Decision, owner: Ref) -> UUID:
    if owner.community_id != row.community_id:
        raise NotHerOwner
    root = head_count.same_owners(row.community_id).get(owner.id, owner.id)
    if not any(root in head.owners for head in roll.heads_today(row)):
        raise NotHerOwner
    return root


def _name_of(community_id: int, owner_id: UUID) -> str:
    known = registry.owners_by_id(community_id, [owner_id])[owner_id]
    return identity.unseal(known.name_sealed, "name", owner_id) or ""


def _nominate(
    row: Decision,
    motion: Ref,
    *,
    name: str,
    statement: str | None,
    owner_id: UUID | None,
    by: NominatedBy,
    acting_user: Actor,
    resident_id: UUID | None = None,
) -> Candidate:
    asked = _seats_of(row, motion)
    if owner_id is not None and _stands(row, owner_id):
        raise AlreadyNominated
    made = _new(row, asked.id, name=name, statement=statement, by=by)
    made.owner_id, made.resident_id = owner_id, resident_id
    steps.audited(row, "candidate.nominated", acting_user, candidate_id=_wire(made), by=by.value)
    return made


def _seats_of(row: Decision, motion: Ref) -> Motion:
    found = next((m for m in queries.motions_of(queries.ref_of(row)) if m.id == motion.id), None)
    if found is None or motion.community_id != row.community_id:
        raise NotFound
    if found.seats is None:
        raise NotAnElection
    return found


def _stands(row: Decision, owner_id: UUID) -> bool:
    return any(c.owner_id == owner_id for c in queries.candidates_of(queries.ref_of(row), statuses=STANDING))


def _new(row: Decision, motion_id: UUID, *, name: str, statement: str | None, by: NominatedBy) -> Candidate:
    now, candidate_id = clock.now(), ids.new_id()
    ring = crypto.keys()
    made = Candidate(
        community_id=row.community_id,
        id=candidate_id,
        decision_id=row.id,
        motion_id=motion_id,
        name_sealed=ring.encrypt(name.encode(), f"candidate_name:{candidate_id}"),
        statement_sealed=ring.encrypt(statement.encode(), f"candidate_statement:{candidate_id}")
        if statement
        else None,
        nominated_by=by,
        status=CandidateStatus.NOMINATED,
        version=1,
        created_at=now,
        updated_at=now,
    )
    db.session().add(made)
    db.session().flush()  # backers name it
    return made


def _add_backer(found: Candidate, owner_id: UUID) -> None:
    db.session().add(
        CandidateBacker(
            community_id=found.community_id, candidate_id=found.id, owner_id=owner_id, at=clock.now()
        )
    )


def _touch(found: Candidate) -> None:
    found.version += 1
    found.updated_at = clock.now()


def _wire(found: Candidate) -> str:
    return ids.encode(Kind.CANDIDATE, Ref(found.community_id, found.id))


# --- checking, withdrawing ---------------------------------------------------------------------------------------


def check(
    staff: StaffActor, ref: Ref, candidate_id: UUID, *, accepted: bool, reason: str | None, owner: Ref | None
) -> Candidate:
    """The preparation group has checked her: she is posted for objections, or refused with the reason.

    `owner`: who she is in the registry, for a joint nomination. An accepted one who is refused later, on an objection,
    goes the same way. Raises NotFound, Forbidden, CheckedAlready, NominationsOver (announced), ReasonNeeded,
    NotHerOwner, AlreadyNominated, TooFewBackers.
    """
    row = _election(queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True))
    found = candidate(ref, candidate_id, lock=True)
    if row.status not in _BEFORE:
        raise NominationsOver
    again = found.status == CandidateStatus.ACCEPTED and not accepted
    if found.status != CandidateStatus.NOMINATED and not again:
        raise CheckedAlready
    if not reason:
        raise ReasonNeeded(errors={"reason": [(ReasonNeeded.zh, ReasonNeeded.en)]})
    if accepted:
        _accept(row, found, owner)
    else:
        found.status, found.posted_until = CandidateStatus.REFUSED, None
    found.reason, found.checked_by, found.checked_at = reason, staff.id, clock.now()
    _touch(found)
    steps.note(
        row,
        "candidate_accepted" if accepted else "candidate_refused",
        staff.actor,
        is_public=accepted,
        candidate_id=_wire(found),
    )
    return found


def _accept(row: Decision, found: Candidate, owner: Ref | None) -> None:
    if owner is not None and found.nominated_by != NominatedBy.SELF:
        owner_id = _owner_of(row, owner)
        if owner_id != found.owner_id and _stands(row, owner_id):
            raise AlreadyNominated
        found.owner_id = owner_id
    if found.owner_id is None:
        raise NotHerOwner(errors={"owner_id": [(NotHerOwner.zh, NotHerOwner.en)]})
    if found.nominated_by == NominatedBy.JOINT:
        backing = backing_of(row, [found])[found.id]
        if not backing.is_enough:
            raise TooFewBackers(backed=backing.backed, needed=backing.needed)
    rules = queries.rules_for(queries.estate_of(row))
    found.status = CandidateStatus.ACCEPTED
    found.posted_until = periods.end_of_day(clock.now(), rules.candidate_posting_days)


def withdraw_self(resident_id: UUID, ref: Ref, candidate_id: UUID) -> Candidate:
    """She doesn't stand any more. Raises NotFound (not hers), RollIsFrozen, CheckedAlready, TooFewLeft."""
    row = election_for(resident_id, ref, lock=True)
    found = candidate(ref, candidate_id, lock=True)
    if found.id not in hers(resident_id, ref.community_id, [found]):
        raise NotFound
    return _withdraw(row, found, None, Actor(ActorKind.RESIDENT, resident_id))


def hers(resident_id: UUID, community_id: int, found: Iterable[Candidate]) -> set[UUID]:
    """Which of these candidates she is: by her own nomination, or as the owner whom others nominated."""
    standing = list(found)
    named = {c.owner_id for c in standing if c.owner_id is not None}
    mine = roll.owner_rows_of(resident_id, community_id) if named else set()
    roots = households.standing_for(community_id, mine | named) if mine else {}
    as_owner = {roots[owner] for owner in mine}
    return {
        c.id
        for c in standing
        if c.resident_id == resident_id or roots.get(c.owner_id or ids.NOBODY) in as_owner
    }


def withdraw_by_staff(staff: StaffActor, ref: Ref, candidate_id: UUID, *, reason: str) -> Candidate:
    """Enter that she has withdrawn, in writing. Raises NotFound, Forbidden, RollIsFrozen, CheckedAlready,
    ReasonNeeded, TooFewLeft.
    """
    row = _election(queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True))
    if not reason:
        raise ReasonNeeded(errors={"reason": [(ReasonNeeded.zh, ReasonNeeded.en)]})
    return _withdraw(row, candidate(ref, candidate_id, lock=True), reason, staff.actor)


def _withdraw(row: Decision, found: Candidate, reason: str | None, acting_user: Actor) -> Candidate:
    if row.frozen_at is not None:
        raise RollIsFrozen
    if found.status not in STANDING:
        raise CheckedAlready
    if row.announced_at is not None:
        _ensure_choice_without(row, found)
    found.status, found.reason = CandidateStatus.WITHDRAWN, reason
    _touch(found)
    steps.note(row, "candidate_withdrawn", acting_user, candidate_id=_wire(found))
    return found


def _ensure_choice_without(row: Decision, found: Candidate) -> None:
    """Raises TooFewLeft: an election that was announced with more candidates than seats (差额选举) stays one."""
    motion = _seats_of(row, Ref(row.community_id, found.motion_id))
    left = [
        c
        for c in queries.candidates_of(queries.ref_of(row))
        if c.motion_id == found.motion_id and c.id != found.id
    ]
    if len(left) <= (motion.seats or 0):
        raise TooFewLeft(left=len(left), seats=motion.seats)


# --- the second round --------------------------------------------------------------------------------------------


def carry_over(staff: StaffActor, ref: Ref, *, motion: Ref) -> list[Candidate]:
    """Who stands in the second round: of the round before the tied ones, or else everybody who won no seat. They were
    checked and posted then, and stand at once; more may be nominated.

    Raises NotFound, Forbidden, NotAnElection, NominationsOver (announced), NoFirstRound, OtherSeats.
    """
    row = _election(queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT, lock=True))
    if row.status not in _BEFORE:
        raise NominationsOver
    asked = _seats_of(row, motion)
    rounds.ensure_seats(row, [asked])
    again = _left_of_first_round(row, asked)
    made = []
    for old in again:
        if old.owner_id is not None and _stands(row, old.owner_id):
            continue
        new = _new(
            row,
            asked.id,
            name=texts.name_of(old),
            statement=texts.statement_of(old),
            by=NominatedBy(old.nominated_by),
        )
        new.owner_id, new.resident_id = old.owner_id, old.resident_id
        new.status, new.posted_until = CandidateStatus.ACCEPTED, clock.now()
        new.reason, new.checked_by, new.checked_at = old.reason, staff.id, clock.now()
        made.append(new)
    steps.note(row, "candidates_carried_over", staff.actor, is_public=False, number=len(made))
    return made


def _left_of_first_round(row: Decision, asked: Motion) -> list[Candidate]:
    before = rounds.first_of(row, asked)
    if before is None or row.previous_id is None:
        raise NoFirstRound
    wanted = {Place.TIED} if before["outcome"] == Outcome.TIED else set(Place) - {Place.ELECTED}
    left = {c["candidate_id"] for c in before["election"]["candidates"] if c["place"] in wanted}
    return [c for c in queries.candidates_of(Ref(row.community_id, row.previous_id)) if _wire(c) in left]


# --- reading -----------------------------------------------------------------------------------------------------


def candidate(ref: Ref, candidate_id: UUID, *, lock: bool = False) -> Candidate:
    """A candidate of this election. Raises NotFound."""
    found = db.session().get(
        Candidate,
        (ref.community_id, candidate_id),
        with_for_update=lock or None,
        populate_existing=lock,
    )
    if found is None or found.decision_id != ref.id:
        raise NotFound
    return found


def all_of(ref: Ref) -> list[Candidate]:
    """Everybody who was nominated, for staff."""
    return queries.candidates_of(ref, statuses=tuple(CandidateStatus))


def seen_by(resident_id: UUID, row: Decision) -> list[Candidate]:
    """The candidates an owner may see: who was accepted, who waits for backers, and her own nomination."""
    found = all_of(queries.ref_of(row))
    mine = hers(resident_id, row.community_id, found)

    def is_seen(c: Candidate) -> bool:
        waits = c.status == CandidateStatus.NOMINATED and c.nominated_by == NominatedBy.JOINT
        return c.status == CandidateStatus.ACCEPTED or waits or c.id in mine

    return [c for c in found if is_seen(c)]


def backed_by(resident_id: UUID, row: Decision, found: Iterable[Candidate]) -> set[UUID]:
    """Which of these nominations she has joined."""
    mine = {m.owner_id for m in _votes(resident_id, queries.estate_of(row)) if m.owner_id is not None}
    same = head_count.same_owners(row.community_id) if mine else {}
    roots = {same.get(owner_id, owner_id) for owner_id in mine}
    return {
        candidate_id for candidate_id, owners in _backers(row.community_id, found).items() if roots & owners
    }


def _backers(community_id: int, found: Iterable[Candidate]) -> dict[UUID, set[UUID]]:
    backers: dict[UUID, set[UUID]] = {c.id: set() for c in found}
    for candidate_id, owner_id in db.session().execute(
        select(CandidateBacker.candidate_id, CandidateBacker.owner_id).where(
            CandidateBacker.community_id == community_id, CandidateBacker.candidate_id.in_(list(backers))
        )
    ):
        backers[candidate_id].add(owner_id)
    return backers


def backing_of(row: Decision, found: Sequence[Candidate]) -> dict[UUID, Backing]:
    """How many heads back each of these joint nominations, of the heads that the registry counts today."""
    joint = [c for c in found if c.nominated_by == NominatedBy.JOINT]
    if not joint:
        return {}
    heads = roll.heads_today(row)
    percent = queries.rules_for(queries.estate_of(row)).joint_nomination_percent
    needed = -(-percent * len(heads) // 100)
    return {
        candidate_id: Backing(sum(1 for head in heads if head.owners & owners), needed)
        for candidate_id, owners in _backers(row.community_id, joint).items()
    }
