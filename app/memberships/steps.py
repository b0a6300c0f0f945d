"""What the steps of a membership share: the rows they lock, what a state means for the columns, who else is bound."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import select

from app import audit, clock, crypto, db, ids
from app.audit import Actor
from app.ids import Ref
from app.memberships import queries, telling
from app.memberships.models import (
    DISPUTED,
    OPEN,
    Basis,
    Level,
    Membership,
    MembershipStatus,
    Relation,
    Review,
)
from app.memberships.queries import OBJECT_KIND
from app.people import queries as people_queries
from app.people import service as people
from app.people.models import MarkKind
from app.places import households
from app.places.registry_models import House


def open_one(house: Ref, resident_id: UUID) -> Membership | None:
    """Her membership of this house that isn't over, locked."""
    return db.session().scalar(
        select(Membership)
        .where(
            Membership.community_id == house.community_id,
            Membership.house_id == house.id,
            Membership.resident_id == resident_id,
            Membership.status.in_(OPEN),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def bound_as(home: House, owner_id: UUID | None, *, but: UUID | None) -> Membership | None:
    """The membership by which somebody else votes as this owner of the house.

    Asks the same of the database for no owner at all, so that the time it takes says nothing.
    """
    strong = [
        m
        for m in queries.of_house(Ref(home.community_id, home.id), statuses=[MembershipStatus.VERIFIED])
        if m.voter_level == Level.STRONG and m.owner_id is not None and m.resident_id not in {None, but}
    ]
    named = {m.owner_id for m in strong if m.owner_id is not None} | ({owner_id} if owner_id else set())
    roots = households.standing_for(home.community_id, named)
    if owner_id is None:
        return None
    return next((m for m in strong if m.owner_id and roots[m.owner_id] == roots[owner_id]), None)


def unclaimed(home: House, owner_id: UUID | None) -> Membership | None:
    """The entry made at the door for this owner that no resident has come for yet, locked."""
    return db.session().scalar(
        select(Membership)
        .where(
            Membership.community_id == home.community_id,
            Membership.house_id == home.id,
            Membership.owner_id == owner_id,
            Membership.resident_id.is_(None),
            Membership.status == MembershipStatus.VERIFIED,
        )
        .limit(1)
        .with_for_update()
    )


def new(home: House, resident_id: UUID | None, relation: Relation) -> Membership:
    """A request for this house; `say` fills in who asks."""
    now = clock.now()
    row = Membership(
        community_id=home.community_id,
        id=ids.new_id(),
        house_id=home.id,
        estate_id=home.estate_id,
        resident_id=resident_id,
        relation=relation,
        status=MembershipStatus.PENDING,
        name_sealed=b"",
        why=[],
        version=0,
        created_at=now,
        updated_at=now,
    )
    db.session().add(row)
    return row


def say(row: Membership, name: str, relation: Relation, id_tail: str | None, valid_to: date | None) -> None:
    """Keep what she said, sealed."""
    row.name_sealed = crypto.keys().encrypt(name.encode(), f"member_name:{row.id}")
    row.relation = relation
    row.valid_to = valid_to
    row.id_tail_sealed = (
        crypto.keys().encrypt(id_tail.encode(), f"member_id_tail:{row.id}") if id_tail else None
    )


def say_nothing(row: Membership) -> None:
    """Take the person out of it: no resident, no name, no number it rests on."""
    row.resident_id = row.phone_hash = row.id_tail_sealed = None
    row.name_sealed = crypto.keys().encrypt(b"", f"member_name:{row.id}")
    touch(row)


def verify(row: Membership, level: Level, basis: Basis) -> None:
    """It holds from now on, and what for."""
    row.status, row.voter_level, row.basis = MembershipStatus.VERIFIED, level, basis
    row.id_tail_sealed = None  # it has done its work
    row.end_reason = None


def touch(row: Membership) -> None:
    """Count the change."""
    row.version += 1
    row.updated_at = clock.now()
    db.session().flush()  # alerts and the index name it


# An end that answers a doubt as well: staff decided, or the house is another's.
_ANSWERS = frozenset({"ended_by_staff", "transferred"})


def end(row: Membership, *, reason: str, acting_user: Actor) -> None:
    """End a membership whatever its state was. What somebody doubts about it stays open, and with staff, unless the
    reason is their decision or a sale.
    """
    is_answered = reason in _ANSWERS or row.relation != Relation.OWNER or row.review not in DISPUTED
    if is_answered:
        row.review = None
    row.status, row.voter_level = MembershipStatus.ENDED, None
    row.end_reason = reason
    row.id_tail_sealed = row.vote_held_until = None
    if is_refusal(row):
        mark_refused(row)
    touch(row)
    audit.record(
        acting_user,
        "membership.ended",
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        reason=reason,
    )
    if is_answered:
        settle(row, "ended")
    release(row, acting_user=acting_user)


def release(row: Membership, *, acting_user: Actor) -> None:
    """Nobody vouches any more for those whom this one let in: family; when staff found it wrong, tenants too.

    A lease outlives an owner, but not one who never was.
    """
    relations = [Relation.FAMILY, *([Relation.TENANT] if is_refusal(row) else [])]
    under = db.session().scalars(
        select(Membership)
        .where(
            Membership.community_id == row.community_id,
            Membership.under_id == row.id,
            Membership.relation.in_(relations),
            Membership.status == MembershipStatus.VERIFIED,
        )
        .order_by(Membership.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for known in under.all():
        known.under_id = None
        put_under_review(known, Review.OWNERS_CHANGED, acting_user=acting_user)
        telling.under_review(known)


def put_under_review(row: Membership, review: Review, *, acting_user: Actor) -> None:
    """It no longer holds by itself: pending until staff decide."""
    row.status, row.review, row.voter_level, row.basis = MembershipStatus.PENDING, review, None, None
    row.phone_hash = row.vote_held_until = None
    touch(row)
    audit.record(
        acting_user,
        "membership.under_review",
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        reason=review.value,
    )


def _marks_of(house: Ref, resident_id: UUID) -> list[bytes]:
    hashed = crypto.keys().keyed_hash
    return [
        hashed(f"{house.community_id}:{house.id}:{kind}:{key_hash.hex()}", MarkKind.REFUSED)
        for kind, key_hash in sorted(people_queries.identities_of(resident_id).items())
    ]


def mark_refused(row: Membership) -> None:
    """No match by itself lets in who holds her openid or her phone, for as long as the mark is kept."""
    if row.resident_id is not None:
        house = Ref(row.community_id, row.house_id)
        people.mark(MarkKind.REFUSED, _marks_of(house, row.resident_id))


def is_marked(house: Ref, resident_id: UUID) -> bool:
    """Was somebody with her openid or her phone refused at this house?"""
    return people_queries.marked(MarkKind.REFUSED, _marks_of(house, resident_id)) is not None


def is_refusal(row: Membership) -> bool:
    """Has it ended by staff's no, or with a doubt that nobody answered?"""
    return (
        row.status == MembershipStatus.REFUSED
        or row.end_reason == "ended_by_staff"
        or (row.status == MembershipStatus.ENDED and row.review is not None)
    )


def settle(row: Membership, outcome: str) -> None:
    """What became of the objections that are open (`kept` or `ended`); who made them is told."""
    for objection in queries.objections_to(row):
        if objection.settled_at is None:
            objection.settled_at, objection.outcome = clock.now(), outcome
            telling.settled(row, objection)


def settle_earlier(row: Membership, outcome: str) -> None:
    """Staff decided on this one: that answers what was open about her earlier ones of the same house."""
    earlier = db.session().scalars(
        select(Membership)
        .where(
            Membership.community_id == row.community_id,
            Membership.house_id == row.house_id,
            Membership.resident_id == row.resident_id,
            Membership.status == MembershipStatus.ENDED,
            Membership.review.is_not(None),
        )
        .order_by(Membership.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for known in earlier.all():
        known.review = None
        touch(known)
        settle(known, outcome)
