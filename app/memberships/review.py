"""What staff do with memberships: approve, refuse, end, enter at the door, open a paper."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app import audit, clock, ids
from app.audit import Actor
from app.errors import NotFound, StaleVersion
from app.ids import Kind, Ref
from app.media import papers
from app.memberships import queries, steps, telling
from app.memberships.errors import (
    EvidenceMissing,
    IllegalStep,
    OnlyOwnersVote,
    OwnerBound,
    OwnerNeeded,
    ReasonNeeded,
    SignatureMissing,
)
from app.memberships.models import OPEN, Basis, Level, Membership, MembershipStatus, Relation
from app.memberships.queries import INDEX_KIND, OBJECT_KIND, Reach
from app.people import queries as people_queries
from app.people import service as people
from app.places import households, identity, registry
from app.places.households import HouseOwner
from app.places.registry_models import Source


def approve(
    reach: Reach,
    ref: Ref,
    *,
    level: Level | None,
    owner: Ref | None,
    reason: str | None,
    version: int | None,
    acting_user: Actor,
) -> Membership:
    """Staff have looked: it holds, at this level. Without a level: strong for an owner with papers, else weak.

    Approving what is objected to, or held, clears that. Raises NotFound, StaleVersion, IllegalStep,
    OnlyOwnersVote, OwnerNeeded, EvidenceMissing, OwnerBound.
    """
    home = households.house(Ref(ref.community_id, queries.for_staff(reach, ref).house_id), lock=True)
    row = _for_decision(reach, ref, version)
    if row.status != MembershipStatus.PENDING and row.review is None and level in {None, row.voter_level}:
        raise IllegalStep
    owners = households.owners_of(Ref(row.community_id, row.house_id))
    is_owner = row.relation == Relation.OWNER
    if owner is not None:
        row.owner_id = _one_of(owners, owner)
    has_papers = bool(papers.of(OBJECT_KIND, ref)) or row.basis in {Basis.DOOR_VISIT, Basis.PHONE}
    chosen = level or (Level.STRONG if is_owner and has_papers and row.owner_id else Level.WEAK)
    if chosen is Level.STRONG:
        if not is_owner:
            raise OnlyOwnersVote
        if row.owner_id is None or row.owner_id not in {
            *(o.owner.id for o in owners),
            *_twins(row, owners),
        }:
            raise OwnerNeeded(errors={"owner_id": [(OwnerNeeded.zh, OwnerNeeded.en)]})
        if not has_papers:
            raise EvidenceMissing
        if (
            row.resident_id is not None
            and steps.bound_as(home, row.owner_id, but=row.resident_id) is not None
        ):
            raise OwnerBound
    was = row.voter_level
    basis = Basis(row.basis) if row.basis and was == chosen else None
    steps.verify(row, chosen, basis or (Basis.PAPERS if has_papers else Basis.STAFF))
    row.review, row.why, row.vote_held_until = None, [], None
    _decided(row, "membership.approved", reason, acting_user, level=chosen.value)
    steps.settle(row, "kept")
    steps.settle_earlier(row, "kept")
    if was != row.voter_level:
        telling.verified(row)
        if chosen is Level.STRONG:
            telling.the_house(row, owners, known_to=row.phone_hash)
    return row


def _twins(row: Membership, owners: Sequence[HouseOwner]) -> set[UUID]:
    """The owner of the membership, when the row that stands for her today owns the house."""
    if row.owner_id is None:
        return set()
    root = households.standing_for(row.community_id, [row.owner_id])[row.owner_id]
    return {row.owner_id} if any(o.owner.id == root for o in owners) else set()


def _one_of(owners: Sequence[HouseOwner], ref: Ref) -> UUID:
    root = households.standing_for(ref.community_id, [ref.id])[ref.id]
    if not any(o.owner.community_id == ref.community_id and o.owner.id == root for o in owners):
        raise OwnerNeeded(errors={"owner_id": [(OwnerNeeded.zh, OwnerNeeded.en)]})
    return root


def _for_decision(reach: Reach, ref: Ref, version: int | None, *, may_be_over: bool = False) -> Membership:
    row = queries.for_staff(reach, ref, lock=True)
    if version is not None and row.version != version:
        raise StaleVersion
    if row.status not in OPEN and not (may_be_over and row.review is not None):
        raise IllegalStep
    return row


def _decided(row: Membership, action: str, reason: str | None, actor: Actor, **more: str) -> None:
    row.reason, row.decided_by, row.decided_at = reason or None, actor.id, clock.now()
    steps.touch(row)
    audit.record(
        actor,
        action,
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        **more,
    )


def refuse(reach: Reach, ref: Ref, *, reason: str, version: int | None, acting_user: Actor) -> Membership:
    """Staff have looked: it doesn't hold; or didn't, when its holder left before what was said of it was answered.

    Raises NotFound, StaleVersion, IllegalStep, ReasonNeeded.
    """
    row = _for_decision(reach, ref, version, may_be_over=True)
    if not reason:
        raise ReasonNeeded(errors={"reason": [(ReasonNeeded.zh, ReasonNeeded.en)]})
    if row.status != MembershipStatus.PENDING and row.review is None:
        raise IllegalStep
    row.status, row.review, row.voter_level = MembershipStatus.REFUSED, None, None
    row.id_tail_sealed = row.vote_held_until = None
    steps.mark_refused(row)
    _decided(row, "membership.refused", reason, acting_user)
    steps.settle(row, "ended")
    steps.settle_earlier(row, "ended")
    steps.release(row, acting_user=acting_user)
    telling.refused(row)
    return row


def end_by_staff(
    reach: Reach, ref: Ref, *, reason: str, version: int | None, acting_user: Actor
) -> Membership:
    """She no longer belongs to the house. Raises NotFound, StaleVersion, IllegalStep, ReasonNeeded."""
    row = _for_decision(reach, ref, version)
    if not reason:
        raise ReasonNeeded(errors={"reason": [(ReasonNeeded.zh, ReasonNeeded.en)]})
    row.reason, row.decided_by, row.decided_at = reason, acting_user.id, clock.now()
    steps.end(row, reason="ended_by_staff", acting_user=acting_user)
    steps.settle_earlier(row, "ended")
    telling.ended(row)
    return row


def enter_at_the_door(
    reach: Reach,
    *,
    house: Ref,
    owner: Ref,
    phone: str | None,
    file_ids: Sequence[UUID],
    acting_user: Actor,
) -> Membership:
    """A cadre was at the door: the owner showed her papers and signed. She votes from now on, on paper or, when she
    comes to WeChat with this phone, there.

    `phone`: what she says; the registry learns it. Raises NotFound, OwnerNeeded, OwnerBound, SignatureMissing,
    BadCell, PaperUnknown.
    """
    assert acting_user.id is not None
    registry.touch(house.community_id)  # before the house: a transfer takes them in this order
    home = households.house(house, lock=True)
    if Ref(home.community_id, home.estate_id) not in reach:
        raise NotFound
    owner_id = _one_of(households.owners_of(house), owner)
    if steps.bound_as(home, owner_id, but=None) is not None or steps.unclaimed(home, owner_id) is not None:
        raise OwnerBound
    known = registry.spelled("phone", phone) if phone else None
    if known is not None:
        registry.learn_phone(
            reach,
            Ref(owner.community_id, owner_id),
            phone=known,
            source=Source.STAFF,
            acting_user=acting_user,
        )
    holder = people_queries.holders_of([identity.phone_hash(known)]) if known else {}
    resident_id = next(iter(holder.values()), None)
    row = (steps.open_one(house, resident_id) if resident_id else None) or steps.new(
        home, resident_id, Relation.OWNER
    )
    owners = households.owners_of(house)
    of_her = next(o for o in owners if o.owner.id == owner_id)
    name = identity.unseal(of_her.owner.name_sealed, "name", owner_id) or ""
    steps.say(row, name, Relation.OWNER, None, None)
    row.owner_id, row.phone_hash = owner_id, identity.phone_hash(known) if known else None
    papers.attach(
        owner_id=acting_user.id,
        file_ids=file_ids,
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
    )
    if not any(paper.kind != "pdf" for paper in papers.of(OBJECT_KIND, Ref(row.community_id, row.id))):
        raise SignatureMissing(errors={"file_ids": [(SignatureMissing.zh, SignatureMissing.en)]})
    steps.verify(row, Level.STRONG, Basis.DOOR_VISIT)
    row.review, row.why, row.vote_held_until = None, [], None
    _decided(row, "membership.entered_at_door", None, acting_user)
    if resident_id is not None:
        people.remember(resident_id=resident_id, kind=INDEX_KIND, ref=Ref(row.community_id, row.id))
        telling.verified(row)
    telling.the_house(row, owners, known_to=row.phone_hash)
    return row


def open_paper(reach: Reach, ref: Ref, file_id: UUID, *, acting_user: Actor) -> papers.Evidence:
    """A paper of a membership, to be read by who reviews it; audited. Raises NotFound."""
    row = queries.for_staff(reach, ref)
    found = next((paper for paper in papers.of(OBJECT_KIND, ref) if paper.id == file_id), None)
    if found is None or not found.is_ready:
        raise NotFound
    audit.record(
        acting_user,
        "membership.paper_read",
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        file_id=ids.encode(Kind.UPLOAD, file_id),
    )
    return found


def unmask(
    reach: Reach, ref: Ref, *, fields: Sequence[str], purpose: str, acting_user: Actor
) -> dict[str, str | None]:
    """The name of a member and the phone she holds in full, for a stated purpose; audited. Raises NotFound."""
    row = queries.for_staff(reach, ref)
    audit.record(
        acting_user,
        "membership.unmasked",
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        fields=sorted(fields),
        purpose=purpose,
    )
    resident = people_queries.resident(row.resident_id) if row.resident_id else None
    shown = {
        "name": queries.name_of(row),
        "phone": people_queries.phone_of(resident) if resident is not None else None,
    }
    return {field: shown[field] for field in shown if field in fields}
