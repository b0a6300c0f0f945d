"""What residents do with memberships: leave, remove, vouch, object."""

from __future__ import annotations

from uuid import UUID

from app import audit, clock, crypto, db
from app.audit import Actor, ActorKind
from app.errors import NotFound
from app.ids import Ref
from app.memberships import queries, steps, telling
from app.memberships.errors import AlreadyObjected, IllegalStep
from app.memberships.models import (
    OPEN,
    Basis,
    Level,
    Membership,
    MembershipStatus,
    Objection,
    Relation,
    Review,
)
from app.memberships.queries import OBJECT_KIND


def leave(ref: Ref, *, acting_user: UUID) -> Membership:
    """Leave a house; or, as its owner, remove family or a tenant. Raises NotFound, IllegalStep."""
    row = queries.seen_by(acting_user, ref, lock=True)
    me = Actor(ActorKind.RESIDENT, acting_user)
    is_mine = row.resident_id == acting_user
    if not is_mine and (
        row.relation == Relation.OWNER
        or queries.acting_owner(acting_user, Ref(row.community_id, row.house_id)) is None
    ):
        raise NotFound
    if row.status not in OPEN:
        raise IllegalStep
    steps.end(row, reason="left" if is_mine else "removed_by_owner", acting_user=me)
    if not is_mine:
        telling.ended(row)
    return row


def vouch(ref: Ref, *, acting_user: UUID) -> Membership:
    """An owner of the house says that family or a tenant lives there. Raises NotFound, IllegalStep."""
    row = queries.seen_by(acting_user, ref, lock=True)
    mine = queries.acting_owner(acting_user, Ref(row.community_id, row.house_id))
    if mine is None or row.relation == Relation.OWNER or row.resident_id == acting_user:
        raise NotFound
    if row.status != MembershipStatus.PENDING or queries.status_of(row) == MembershipStatus.ENDED:
        raise IllegalStep
    steps.verify(row, Level.WEAK, Basis.OWNER)
    row.review, row.why, row.under_id = None, [], mine.id
    steps.touch(row)
    audit.record(
        Actor(ActorKind.RESIDENT, acting_user),
        "membership.vouched",
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
    )
    telling.verified(row)
    return row


def object_to(ref: Ref, *, text: str | None, acting_user: UUID) -> Membership:
    """Say that a strong binding is wrong: it gives no vote until staff have decided.

    By an owner of the house or somebody whose phone was told. Raises NotFound, IllegalStep, AlreadyObjected.
    """
    row = queries.seen_by(acting_user, ref, lock=True)
    if row.resident_id == acting_user:
        raise NotFound
    if row.status != MembershipStatus.VERIFIED or row.voter_level != Level.STRONG:
        raise IllegalStep
    known = db.session().get(Objection, (ref.community_id, ref.id, acting_user))
    if known is not None:
        raise AlreadyObjected
    db.session().add(
        Objection(
            community_id=row.community_id,
            membership_id=row.id,
            resident_id=acting_user,
            words_sealed=crypto.keys().encrypt(text.encode(), f"objection:{row.id}:{acting_user}")
            if text
            else None,
            created_at=clock.now(),
        )
    )
    row.review = Review.OBJECTED
    steps.touch(row)
    audit.record(
        Actor(ActorKind.RESIDENT, acting_user),
        "membership.objected",
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
    )
    telling.under_review(row)
    return row
