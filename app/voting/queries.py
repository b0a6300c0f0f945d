"""Reading decisions: what one is made of, where it stands at this moment, and who may see it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, exists, func, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app import clock, db
from app.errors import Forbidden, NotFound
from app.ids import Ref
from app.memberships import queries as memberships
from app.people import queries as people
from app.people.permissions import GRANTS, Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.voting.ballot_models import Ballot, Proxy, ProxyStatus
from app.voting.ledger_models import Ledger
from app.voting.models import (
    Candidate,
    CandidateStatus,
    Decision,
    DecisionEvent,
    DecisionStatus,
    LegalMode,
    Motion,
    ProcedureRules,
    VotingMode,
)
from app.voting.periods import FREEZE_LEAD
from app.voting.roll_models import RollHead
from app.voting.rules import Rules

OBJECT_KIND = "decision"


class SeparateDuties(Forbidden):
    """Who works with the rooms of the roll doesn't see choices, and the other way round."""

    code = "separate_duties"
    zh = "接触过房号与户名册的人不能查看逐票内容；看过逐票内容的人不能查看名册。"
    en = "Who has worked with the rooms of the roll can't read single ballots, and the other way round."


def database_now() -> datetime:
    """The database's clock at this moment, by which votes open and close."""
    at: datetime = db.session().execute(select(func.clock_timestamp())).scalar_one()
    return at + clock.ahead()


# --- a decision and what belongs to it ---------------------------------------------------------------------


def decision(ref: Ref, *, lock: bool = False) -> Decision:
    """The decision; with `lock`, for update: no ballot is on its way while it is held. Raises NotFound."""
    found = db.session().get(Decision, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    return found


def ref_of(row: Decision) -> Ref:
    """Its whole name."""
    return Ref(row.community_id, row.id)


def estate_of(row: Decision) -> Ref:
    """The estate whose owners decide."""
    return Ref(row.community_id, row.estate_id)


def rules_of(row: Decision) -> Rules:
    """The rules it runs by: a copy of the estate's when it was announced."""
    return Rules.of(row.rules)


def is_paper_only(row: Decision) -> bool:
    """Do only signed sheets count: a vote with legal effect whose rules don't admit electronic ballots?"""
    return row.legal_mode == LegalMode.PAPER_BACKED and not rules_of(row).electronic_admitted


def status_of(row: Decision, now: datetime | None = None) -> DecisionStatus:
    """Where it stands at this moment: its clock goes on also while no worker writes that down."""
    now = now or clock.now()
    status = DecisionStatus(row.status)
    if row.opens_at is None or row.closes_at is None:
        return status
    if status is DecisionStatus.ANNOUNCED and row.frozen_at is not None and now >= row.opens_at:
        status = DecisionStatus.OPEN
    if status is DecisionStatus.OPEN and now >= row.closes_at:
        status = DecisionStatus.CLOSED
    return status


def is_counted_poll(row: Decision) -> bool:
    """Is it without legal effect, and its ballots opened? Nobody certifies it."""
    ledger = db.session().get(Ledger, ref_of(row)) if row.legal_mode == LegalMode.POLL else None
    return ledger is not None and ledger.unsealed_at is not None


def motions_of(ref: Ref) -> list[Motion]:
    """Its motions, in their order."""
    return list(
        db.session().scalars(
            select(Motion)
            .where(Motion.community_id == ref.community_id, Motion.decision_id == ref.id)
            .order_by(Motion.number)
        )
    )


def areas_of(ref: Ref) -> tuple[bytes, bytes]:
    """The heads of a frozen roll by id, 16 bytes each, and their areas in 0.01 m², 8 bytes each, the highest first."""
    ids, areas = (
        func.coalesce(func.string_agg(sent, aggregate_order_by(literal(b""), RollHead.id)), b"")
        for sent in (func.uuid_send(RollHead.id), func.int8send(RollHead.area_centi))
    )
    found: tuple[bytes, bytes] = (
        db.session()
        .execute(
            select(ids, areas).where(
                RollHead.community_id == ref.community_id, RollHead.decision_id == ref.id
            )
        )
        .one()
    )
    return found


def candidates_of(ref: Ref, *, statuses: Collection[str] = (CandidateStatus.ACCEPTED,)) -> list[Candidate]:
    """Its candidates in these states, by their number on the ballot (the accepted ones, unless said otherwise)."""
    return list(
        db.session().scalars(
            select(Candidate)
            .where(
                Candidate.community_id == ref.community_id,
                Candidate.decision_id == ref.id,
                Candidate.status.in_(list(statuses)),
            )
            .order_by(Candidate.number.nulls_last(), Candidate.id)
        )
    )


def timeline(ref: Ref, *, public_only: bool) -> list[DecisionEvent]:
    """What happened to it, oldest first."""
    query = select(DecisionEvent).where(
        DecisionEvent.community_id == ref.community_id, DecisionEvent.decision_id == ref.id
    )
    if public_only:
        query = query.where(DecisionEvent.is_public)
    return list(db.session().scalars(query.order_by(DecisionEvent.id)))


def latest_event(ref: Ref, kind: str) -> DecisionEvent | None:
    """The last time this happened to it."""
    return db.session().scalar(
        select(DecisionEvent)
        .where(
            DecisionEvent.community_id == ref.community_id,
            DecisionEvent.decision_id == ref.id,
            DecisionEvent.kind == kind,
        )
        .order_by(DecisionEvent.id.desc())
        .limit(1)
    )


def actors_of(ref: Ref, *kinds: str) -> set[UUID]:
    """Everybody who ever did one of these things to it."""
    found = db.session().scalars(
        select(DecisionEvent.actor_id)
        .where(
            DecisionEvent.community_id == ref.community_id,
            DecisionEvent.decision_id == ref.id,
            DecisionEvent.kind.in_(kinds),
        )
        .distinct()
    )
    return {actor_id for actor_id in found if actor_id is not None}


# --- the estate's settings -----------------------------------------------------------------------------------


def procedure_of(estate: Ref) -> ProcedureRules | None:
    """The newest version of the estate's rules of procedure; None: the law's defaults hold."""
    return db.session().scalar(
        select(ProcedureRules)
        .where(ProcedureRules.community_id == estate.community_id, ProcedureRules.estate_id == estate.id)
        .order_by(ProcedureRules.version.desc())
        .limit(1)
    )


def procedures_of(estate: Ref) -> list[ProcedureRules]:
    """Every version of the estate's rules of procedure, the newest first."""
    return list(
        db.session().scalars(
            select(ProcedureRules)
            .where(ProcedureRules.community_id == estate.community_id, ProcedureRules.estate_id == estate.id)
            .order_by(ProcedureRules.version.desc())
        )
    )


def modes_of(estate: Ref) -> list[VotingMode]:
    """Which legal effect the estate's votes had, the newest first."""
    return list(
        db.session().scalars(
            select(VotingMode)
            .where(VotingMode.community_id == estate.community_id, VotingMode.estate_id == estate.id)
            .order_by(VotingMode.set_at.desc(), VotingMode.id.desc())
        )
    )


def rules_for(estate: Ref) -> Rules:
    """The rules that a decision of the estate announced now runs by."""
    stored = procedure_of(estate)
    return Rules.of(stored.rules) if stored is not None else Rules()


def mode_row(estate: Ref) -> VotingMode | None:
    """Which legal effect the street has given the estate's votes; None: they are polls."""
    return db.session().scalar(
        select(VotingMode)
        .where(VotingMode.community_id == estate.community_id, VotingMode.estate_id == estate.id)
        .order_by(VotingMode.set_at.desc(), VotingMode.id.desc())
        .limit(1)
    )


def mode_of(estate: Ref) -> LegalMode:
    """The legal effect that a vote of the estate may have."""
    row = mode_row(estate)
    return LegalMode(row.mode) if row is not None else LegalMode.POLL


def due_everywhere() -> list[Ref]:
    """Decisions whose clock has something to do by now; for the periodic job, across communities, without locks."""
    now = database_now()
    soon = now + FREEZE_LEAD
    rows = db.session().execute(
        select(Decision.community_id, Decision.id)
        .where(
            or_(
                and_(Decision.status == DecisionStatus.ANNOUNCED, Decision.opens_at <= soon),
                and_(Decision.status == DecisionStatus.OPEN, Decision.closes_at <= now),
                Decision.status == DecisionStatus.CERTIFIED,
                and_(
                    Decision.status == DecisionStatus.CLOSED,
                    Decision.legal_mode == LegalMode.POLL,
                    exists().where(
                        Ledger.community_id == Decision.community_id,
                        Ledger.decision_id == Decision.id,
                        Ledger.unsealed_at.is_not(None),
                    ),
                ),
                and_(Decision.status == DecisionStatus.POSTED, Decision.posted_until <= now),
            )
        )
        .execution_options(cross_community="periodic jobs")
    )
    return [Ref(community_id, decision_id) for community_id, decision_id in rows]


# --- residents -------------------------------------------------------------------------------------------------

# What residents see: everything that was announced, also when it was cancelled afterwards.
_SEEN = Decision.announced_at.is_not(None)


def decision_for(resident_id: UUID, ref: Ref) -> Decision:
    """A decision that was announced in an estate where she is bound, or in which she may act for somebody or did.

    Raises NotFound.
    """
    found = decision(ref)
    if found.announced_at is None:
        raise NotFound
    if estate_of(found) not in memberships.my_estates(resident_id) and not _acts_in(resident_id, ref):
        raise NotFound
    return found


def _acts_in(resident_id: UUID, ref: Ref) -> bool:
    by_proxy = exists().where(
        Proxy.community_id == ref.community_id,
        Proxy.decision_id == ref.id,
        Proxy.resident_id == resident_id,
        Proxy.status.in_([ProxyStatus.PENDING, ProxyStatus.APPROVED]),
    )
    has_cast = exists().where(
        Ballot.community_id == ref.community_id,
        Ballot.decision_id == ref.id,
        Ballot.cast_by == resident_id,
    )
    return bool(db.session().scalar(select(or_(by_proxy, has_cast))))


class Page(NamedTuple):
    """A page of a list: how many at most, and after which row."""

    limit: int
    after: tuple[int, UUID] | None = None


def decisions_of(
    estates: Iterable[Ref], *, statuses: Collection[str] = (), announced_only: bool, page: Page
) -> list[Decision]:
    """Decisions of these estates, the newest first."""
    wanted = list(estates)
    if not wanted:
        return []
    query = select(Decision).where(
        Decision.community_id.in_({estate.community_id for estate in wanted}),
        tuple_(Decision.community_id, Decision.estate_id).in_(wanted),
    )
    if announced_only:
        query = query.where(_SEEN)
    if statuses:
        query = query.where(Decision.status.in_(list(statuses)))
    if page.after is not None:
        # Ids sort by time; of two made in the same moment the community decides.
        community_id, last = page.after
        query = query.where(
            or_(Decision.id < last, and_(Decision.id == last, Decision.community_id < community_id))
        )
    return list(
        db.session().scalars(
            query.order_by(Decision.id.desc(), Decision.community_id.desc()).limit(page.limit)
        )
    )


# --- staff -----------------------------------------------------------------------------------------------------


def reach(staff: StaffActor, permission: Permission) -> frozenset[Ref]:
    """The estates in which the member of staff has this permission: street and community those they govern, an
    organisation those it answers for, a grid worker those of the grid.
    """
    found: set[Ref] = set()
    for grant in staff.grants:
        if permission not in grant.permissions:
            continue
        if grant.grid is not None:
            found |= set(places.estates_in_grid(grant.grid))
        elif grant.of_org:
            found |= set(places.estates_of_org(grant.org_id))
        else:
            found |= grant.estates
    return frozenset(found)


def decision_for_staff(
    staff: StaffActor, ref: Ref, permission: Permission, *, lock: bool = False
) -> Decision:
    """A decision in the reach of a member of staff who has this permission there.

    Raises NotFound (she may not see it), Forbidden (she may, but not do this), SeparateDuties.
    """
    found = decision(ref, lock=lock)
    if estate_of(found) not in reach(staff, permission):
        if estate_of(found) in reach(staff, Permission.DECISION_VIEW):
            raise Forbidden
        raise NotFound
    _ensure_apart(staff, found, permission)
    return found


# Rooms with the ids of their heads; openings name the same ids with their choices.
_OF_ROOMS = frozenset(
    {Permission.ROLL_VIEW, Permission.PAPER_ENTER, Permission.PAPER_CONFIRM, Permission.PROXY_REVIEW}
)
_SEES_ROOMS = frozenset(role for role, granted in GRANTS.items() if granted & _OF_ROOMS)
_SEES_CHOICES = frozenset(role for role, granted in GRANTS.items() if Permission.BALLOT_AUDIT in granted)


def _ensure_apart(staff: StaffActor, row: Decision, permission: Permission) -> None:
    """Nobody sees both the rooms and the choices of a decision, also not in two offices one after the other. Raises
    SeparateDuties.
    """
    if permission is Permission.BALLOT_AUDIT:
        roles, at = _SEES_ROOMS, row.frozen_at
    elif permission in _OF_ROOMS:
        roles, at = _SEES_CHOICES, row.closed_at
    else:
        return
    if at is not None and people.has_held(staff.id, roles, since=clock.in_shanghai(at).date()):
        raise SeparateDuties


def estate_for_staff(staff: StaffActor, estate: Ref, permission: Permission) -> Ref:
    """An estate in which the member of staff has this permission. Raises NotFound, Forbidden."""
    if estate not in reach(staff, permission):
        if estate in reach(staff, Permission.DECISION_VIEW):
            raise Forbidden
        raise NotFound
    return estate


# --- the roll ----------------------------------------------------------------------------------------------------


def labels_of(ref: Ref, head_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Head → what it is called: its rooms."""
    rows = db.session().execute(
        select(RollHead.id, RollHead.label).where(
            RollHead.community_id == ref.community_id,
            RollHead.decision_id == ref.id,
            RollHead.id.in_(set(head_ids)),
        )
    )
    return dict(rows.all())


def head_of(ref: Ref, head_id: UUID) -> RollHead:
    """A head on the roll. Raises NotFound."""
    found = db.session().get(RollHead, (ref.community_id, ref.id, head_id))
    if found is None:
        raise NotFound
    return found
