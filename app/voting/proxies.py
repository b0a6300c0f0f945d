"""Authorisations (委托书) and agents of bodies: given with the signed paper, decided by staff, revoked before use.

A proxy casts by the owner's stated will and changes nothing about who the head is; whichever of the two casts first has
cast. Only somebody whom WeChat knows under the number on the paper can be one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.exc import IntegrityError

from app import audit, clock, crypto, db, ids
from app.audit import Actor, ActorKind
from app.errors import NotFound, StaleVersion
from app.ids import Kind, Ref
from app.media import papers
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.people import queries as people
from app.people.models import IdentityKind
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import identity
from app.places import queries as places
from app.places import registry_queries as registry
from app.places.registry_models import OwnerKind
from app.voting import pushing, queries, standing, words
from app.voting.ballot_errors import (
    AgentForPerson,
    AlreadyVoted,
    Cancelled,
    Closed,
    Decided,
    NotFrozenYet,
    NotTheVoter,
    OwnProxy,
    PaperMissing,
    PropertyStaff,
    PropertyStaffPerhaps,
    ProxyExists,
    ProxyUnknown,
    SecondPerson,
    TooManyProxies,
    WeakIdentity,
)
from app.voting.ballot_models import Ballot, Capacity, Proxy, ProxyStatus
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import RollHead, RollOwner

OBJECT_KIND = "proxy"
OPEN = frozenset({ProxyStatus.PENDING, ProxyStatus.APPROVED})


class Wanted(NamedTuple):
    """Whom a head authorises, as what, with which paper."""

    head_id: UUID
    capacity: Capacity
    name: str
    phone: str
    is_property_staff: bool
    file_ids: Sequence[UUID]


def ensure_under_way(decision: Decision) -> None:
    """Raises Cancelled, NotFrozenYet, Closed: what is done for a head needs its roll, and time left."""
    status = queries.status_of(decision)
    if status is DecisionStatus.CANCELLED:
        raise Cancelled
    if status not in {DecisionStatus.ANNOUNCED, DecisionStatus.OPEN}:
        raise Closed
    if decision.frozen_at is None:
        raise NotFrozenYet


def give(ref: Ref, wanted: Wanted, *, acting_user: UUID) -> Proxy:
    """The head's own voter authorises somebody; staff decide.

    Raises NotFound, NotTheVoter, WeakIdentity, and what `ensure_under_way` and `_add` raise.
    """
    decision = queries.decision(ref)
    here = standing.standing_of(acting_user, decision, wanted.head_id)
    if here is None:
        raise NotFound
    ensure_under_way(decision)
    if here.capacity in {Capacity.PROXY, Capacity.AGENT} or here.why_not == "not_the_voter":
        raise NotTheVoter(extra={"reason": here.reason} if here.reason else {})
    if not here.may:
        raise WeakIdentity(extra={"reason": here.reason})
    return _add(decision, here.head, wanted, Actor(ActorKind.RESIDENT, acting_user))


def enter(ref: Ref, wanted: Wanted, *, acting_user: StaffActor) -> Proxy:
    """Staff enter an authorisation that was brought to them. The head's own people are told, and may revoke it.

    Raises NotFound, Forbidden, and what `_add` raises.
    """
    decision = queries.decision_for_staff(acting_user, ref, Permission.PROXY_REVIEW)
    ensure_under_way(decision)
    row = _add(decision, queries.head_of(ref, wanted.head_id), wanted, acting_user.actor)
    for resident_id in sorted(pushing.residents_of(ref, [row.head_id]).get(row.head_id, ())):
        messaging.notify(
            resident_id=resident_id,
            kind=NoticeKind.PROXY_ENTERED,
            community_id=row.community_id,
            idem=f"proxy:{row.id}",
            params={
                "title": decision.title,
                "name": identity.masked_name(wanted.name, OwnerKind.PERSON),
                "mode": words.mode(decision.legal_mode),
            },
            target=(queries.OBJECT_KIND, ids.encode(Kind.DECISION, ref)),
        )
    return row


def _add(decision: Decision, head: RollHead, wanted: Wanted, acting_user: Actor) -> Proxy:
    """Raises PaperMissing, AgentForPerson, PropertyStaff, OwnProxy, AlreadyVoted, ProxyExists, TooManyProxies, and what
    `papers.attach` raises.
    """
    ref, rules = queries.ref_of(decision), queries.rules_of(decision)
    if not wanted.file_ids:
        raise PaperMissing(errors={"file_ids": [(PaperMissing.zh, PaperMissing.en)]})
    if wanted.capacity is Capacity.AGENT and not _is_body(head):
        raise AgentForPerson(errors={"capacity": [(AgentForPerson.zh, AgentForPerson.en)]})
    if wanted.is_property_staff and not rules.property_staff_may_proxy:
        raise PropertyStaff
    phone_hash = crypto.keys().keyed_hash(wanted.phone, IdentityKind.PHONE)
    holder = people.holders_of([phone_hash]).get(phone_hash)
    if acting_user.kind is ActorKind.RESIDENT and holder == acting_user.id:
        raise OwnProxy(errors={"phone": [(OwnProxy.zh, OwnProxy.en)]})
    if standing.latest_ballots(ref, [head.id]):
        raise AlreadyVoted
    _ensure_below_limit(ref, wanted.capacity, phone_hash, rules.proxies_per_person, holder=holder)
    proxy_id = ids.new_id()
    seal = crypto.keys().encrypt
    by_resident = acting_user.id if acting_user.kind is ActorKind.RESIDENT else None
    row = Proxy(
        community_id=ref.community_id,
        id=proxy_id,
        decision_id=ref.id,
        head_id=head.id,
        capacity=wanted.capacity,
        name_sealed=seal(wanted.name.encode(), f"proxy_name:{proxy_id}"),
        phone_sealed=seal(wanted.phone.encode(), f"proxy_phone:{proxy_id}"),
        phone_hash=phone_hash,
        resident_id=holder,
        given_by=by_resident,
        entered_by=acting_user.id if by_resident is None else None,
        status=ProxyStatus.PENDING,
        version=1,
        created_at=clock.now(),
    )
    db.session().add(row)
    try:
        db.session().flush()  # one open authorisation a head: the index decides between two
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_proxies_open":
            raise ProxyExists from e
        raise
    assert acting_user.id is not None
    papers.attach(
        owner_id=acting_user.id,
        file_ids=wanted.file_ids,
        community_id=ref.community_id,
        object_kind=OBJECT_KIND,
        object_id=proxy_id,
    )
    _record(acting_user, "proxy.given", row)
    return row


def _is_body(head: RollHead) -> bool:
    owners = db.session().scalars(
        select(RollOwner.owner_id).where(
            RollOwner.community_id == head.community_id,
            RollOwner.decision_id == head.decision_id,
            RollOwner.head_id == head.id,
        )
    )
    known = registry.owners_by_id(head.community_id, list(owners))
    return any(owner.kind == OwnerKind.ORGANISATION for owner in known.values())


def _ensure_below_limit(
    ref: Ref,
    capacity: str,
    phone_hash: bytes | None,
    most: int,
    *,
    but: UUID | None = None,
    holder: UUID | None = None,
) -> None:
    """Raises TooManyProxies. She is counted by the phone on the papers, and by who she is where she had another one."""
    is_her = Proxy.phone_hash == phone_hash
    if holder is not None:
        is_her = or_(is_her, Proxy.resident_id == holder)
    if capacity != Capacity.PROXY:
        return
    count = db.session().scalar(
        select(func.count()).where(
            Proxy.community_id == ref.community_id,
            Proxy.decision_id == ref.id,
            is_her,
            Proxy.capacity == Capacity.PROXY,
            Proxy.status.in_(OPEN),
            Proxy.id != (but or ids.NOBODY),
        )
    )
    if (count or 0) >= most:
        raise TooManyProxies(most=most)


def approve(ref: Ref, *, is_somebody_else: bool, version: int | None, acting_user: StaffActor) -> Proxy:
    """It holds: the proxy casts from now on. `is_somebody_else`: than the one of the property company who has her name.

    Raises NotFound, Forbidden, StaleVersion, Decided, SecondPerson, ProxyUnknown, OwnProxy, TooManyProxies,
    PropertyStaffPerhaps, AlreadyVoted.
    """
    _lock_all_of_her(ref)
    row, decision = _pending(ref, version, acting_user)
    ensure_under_way(decision)
    rules = queries.rules_of(decision)
    holder = people.holders_of([row.phone_hash]).get(row.phone_hash) if row.phone_hash else None
    if holder is None:
        raise ProxyUnknown
    _ensure_below_limit(
        Ref(ref.community_id, row.decision_id),
        row.capacity,
        row.phone_hash,
        rules.proxies_per_person,
        but=row.id,
        holder=holder,
    )
    if holder == row.given_by:
        raise OwnProxy
    if not (rules.property_staff_may_proxy or is_somebody_else) and is_named_like_property_staff(row):
        raise PropertyStaffPerhaps
    if standing.latest_ballots(Ref(ref.community_id, row.decision_id), [row.head_id]):
        raise AlreadyVoted
    row.resident_id = holder
    return _decide(row, ProxyStatus.APPROVED, None, acting_user)


def _lock_all_of_her(ref: Ref) -> None:
    """Lock every authorisation for whom this one is, in their order: two that are approved at one moment for one person
    are counted one after the other, and neither waits for what the other holds.
    """
    seen = db.session().get(Proxy, ref)
    if seen is None:
        raise NotFound
    db.session().scalars(
        select(Proxy.id)
        .where(
            Proxy.community_id == ref.community_id,
            Proxy.decision_id == seen.decision_id,
            or_(Proxy.id == ref.id, Proxy.phone_hash == seen.phone_hash),
        )
        .order_by(Proxy.id)
        .with_for_update()
    ).all()


def refuse(ref: Ref, *, reason: str, version: int | None, acting_user: StaffActor) -> Proxy:
    """It doesn't hold. Raises NotFound, Forbidden, StaleVersion, Decided."""
    row, _ = _pending(ref, version, acting_user)
    return _decide(row, ProxyStatus.REFUSED, reason, acting_user)


def _pending(ref: Ref, version: int | None, acting_user: StaffActor) -> tuple[Proxy, Decision]:
    row = db.session().get(Proxy, ref, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    decision = queries.decision_for_staff(
        acting_user, Ref(ref.community_id, row.decision_id), Permission.PROXY_REVIEW
    )
    if version is not None and version != row.version:
        raise StaleVersion
    if row.status != ProxyStatus.PENDING:
        raise Decided
    if row.entered_by == acting_user.id:
        raise SecondPerson
    return row, decision


def _decide(row: Proxy, status: ProxyStatus, reason: str | None, acting_user: StaffActor) -> Proxy:
    row.status, row.reason = status, reason
    row.decided_by, row.decided_at = acting_user.id, clock.now()
    row.version += 1
    _record(acting_user.actor, f"proxy.{status}", row)
    return row


def revoke(ref: Ref, *, acting_user: UUID) -> Proxy:
    """Who gave it, or the head's own voter, takes it back, before the proxy has cast.

    Raises NotFound, Decided, AlreadyVoted.
    """
    row = db.session().get(Proxy, ref, with_for_update=True, populate_existing=True)
    if row is None or not (row.given_by == acting_user or _votes_for(acting_user, row)):
        raise NotFound
    if row.status not in OPEN:
        raise Decided
    if has_cast(row):
        raise AlreadyVoted
    row.status = ProxyStatus.REVOKED
    row.version += 1
    _record(Actor(ActorKind.RESIDENT, acting_user), "proxy.revoked", row)
    return row


def _votes_for(resident_id: UUID, row: Proxy) -> bool:
    decision = queries.decision(Ref(row.community_id, row.decision_id))
    here = standing.standing_of(resident_id, decision, row.head_id)
    return here is not None and here.may and here.proxy_id is None


def has_cast(row: Proxy) -> bool:
    """Has the proxy used it?"""
    return bool(
        db.session().scalar(
            select(
                exists().where(
                    Ballot.community_id == row.community_id,
                    Ballot.decision_id == row.decision_id,
                    Ballot.proxy_id == row.id,
                )
            )
        )
    )


def name_of(row: Proxy) -> str:
    """The proxy's name as the paper has it."""
    return crypto.keys().decrypt(row.name_sealed, f"proxy_name:{row.id}").decode()


def is_named_like_property_staff(row: Proxy) -> bool:
    """Has the proxy the name of somebody who works for a company that serves the community?"""
    return name_of(row) in names_of_property_staff(row.community_id)


def names_of_property_staff(community_id: int) -> Collection[str]:
    """The names of everybody who works for a company that serves the community."""
    companies: Collection[UUID] = places.orgs_answering_in(community_id)
    return people.names_of_staff(companies)


def given_or_held(resident_id: UUID, ref: Ref) -> list[Proxy]:
    """The authorisations that she gave, by which she casts, or that somebody brought for a head of hers.

    Raises NotFound where there is none and she may not see the decision.
    """
    decision = queries.decision(ref)
    mine = [s.head.id for s in standing.standings(resident_id, decision) if s.is_hers and s.proxy_id is None]
    found = list(
        db.session().scalars(
            select(Proxy)
            .where(
                Proxy.community_id == ref.community_id,
                Proxy.decision_id == ref.id,
                or_(Proxy.given_by == resident_id, Proxy.resident_id == resident_id, Proxy.head_id.in_(mine)),
            )
            .order_by(Proxy.id)
        )
    )
    if not found:
        queries.decision_for(resident_id, ref)
    return found


def seen_by_staff(ref: Ref, *, acting_user: StaffActor) -> Proxy:
    """One authorisation. Raises NotFound, Forbidden."""
    row = db.session().get(Proxy, ref)
    if row is None:
        raise NotFound
    queries.decision_for_staff(acting_user, Ref(ref.community_id, row.decision_id), Permission.PROXY_REVIEW)
    return row


def listed(
    ref: Ref, *, status: str | None, limit: int, after: UUID | None, acting_user: StaffActor
) -> list[Proxy]:
    """The authorisations of a decision, oldest first. Raises NotFound, Forbidden."""
    queries.decision_for_staff(acting_user, ref, Permission.PROXY_REVIEW)
    found = select(Proxy).where(Proxy.community_id == ref.community_id, Proxy.decision_id == ref.id)
    if status is not None:
        found = found.where(Proxy.status == status)
    if after is not None:
        found = found.where(Proxy.id > after)
    return list(db.session().scalars(found.order_by(Proxy.id).limit(limit)))


def _record(acting_user: Actor, action: str, row: Proxy) -> None:
    audit.record(
        acting_user,
        action,
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        head_id=str(row.head_id),
    )


def known_of(rows: Collection[Proxy]) -> set[UUID]:
    """Those of these for whom somebody has come to the mini-program with the number on the paper."""
    held = people.holders_of([row.phone_hash for row in rows if row.phone_hash is not None])
    return {row.id for row in rows if row.phone_hash in held}
