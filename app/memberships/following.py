"""What happens to memberships when something else changes: a house is sold, a phone goes over, a lease is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app import audit, crypto, db
from app.audit import Actor, ActorKind
from app.ids import Ref
from app.media import papers
from app.memberships import queries, steps, telling
from app.memberships.models import (
    OPEN,
    SUSPENDING,
    Basis,
    Level,
    Membership,
    MembershipStatus,
    Relation,
    Review,
)
from app.memberships.queries import OBJECT_KIND
from app.people.models import IdentityKind
from app.places import households
from app.places import queries as places
from app.places.changes import Change

_SLICE = 5_000


def owners_changed(
    community_id: int, house_ids: Collection[UUID], *, change: Change, acting_user: Actor
) -> None:
    """Houses have other owners: who is none of them any more is no member as owner, and her family is looked at again.

    Tenants stay: a sale doesn't end a lease (民法典 725). A row that was two people, or two that were one: nobody knows
    which of them is bound; staff decide. So they do when the registry no longer holds the phone that a membership rests
    on. A request that waits is compared with the owners when staff look at it.
    """
    wanted = list(house_ids)
    for at in range(0, len(wanted), _SLICE):
        _follow(community_id, wanted[at : at + _SLICE], change=change, acting_user=acting_user)


def _follow(community_id: int, house_ids: list[UUID], *, change: Change, acting_user: Actor) -> None:
    rows = list(
        db.session().scalars(
            select(Membership)
            .where(
                Membership.community_id == community_id,
                Membership.house_id.in_(house_ids),
                Membership.status.in_(OPEN),
            )
            .order_by(Membership.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
    if not rows:
        return
    now_owned = households.roots_today(community_id, {row.house_id for row in rows})
    roots = households.standing_for(community_id, [row.owner_id for row in rows if row.owner_id])
    gone: set[UUID] = set()
    for row in rows:
        if row.relation != Relation.OWNER:
            continue
        if row.owner_id is None:
            if row.status == MembershipStatus.VERIFIED and change is Change.TRANSFERRED:
                # Staff let her in without saying as which owner: whether she is one still, they know.
                steps.put_under_review(row, Review.OWNERS_CHANGED, acting_user=acting_user)
                telling.under_review(row)
            continue
        if roots[row.owner_id] in now_owned[row.house_id]:
            continue
        if row.status == MembershipStatus.PENDING:
            row.owner_id = None  # it matched somebody who sold
            continue
        if change is Change.PARTED:
            row.review = Review.OWNER_PARTED
            telling.under_review(row)
            continue
        steps.end(row, reason="transferred", acting_user=acting_user)
        telling.ended(row)
        gone.add(row.id)
    _compare(community_id, rows, roots, acting_user)
    left = {
        row.house_id
        for row in rows
        if row.relation == Relation.OWNER and row.status == MembershipStatus.VERIFIED
    }
    for row in rows:
        vouched_by_gone = row.under_id in gone or (row.under_id is None and row.house_id not in left)
        if row.relation == Relation.FAMILY and row.status == MembershipStatus.VERIFIED and vouched_by_gone:
            row.under_id = None
            steps.put_under_review(row, Review.OWNERS_CHANGED, acting_user=acting_user)
            telling.under_review(row)


def _compare(community_id: int, rows: list[Membership], roots: dict[UUID, UUID], acting_user: Actor) -> None:
    """Who rests on a phone that is not the owner's any more, and who share one owner with somebody, is looked at."""
    bound = [row for row in rows if row.voter_level == Level.STRONG and row.owner_id is not None]
    phones = households.phones_of(community_id, [row.owner_id for row in bound if row.owner_id])
    shared: dict[tuple[UUID, UUID], list[Membership]] = defaultdict(list)
    for row in bound:
        assert row.owner_id is not None
        if row.basis == Basis.PHONE and row.phone_hash not in phones[row.owner_id]:
            steps.put_under_review(row, Review.PHONE_CHANGED, acting_user=acting_user)
            telling.under_review(row)
        elif row.resident_id is not None:
            shared[row.house_id, roots[row.owner_id]].append(row)
    for row in (row for some in shared.values() if len(some) > 1 for row in some):
        if row.review not in SUSPENDING:
            row.review = Review.OWNERS_MERGED
            steps.touch(row)
            telling.under_review(row)


def phone_moved(*, former: UUID, phone: str, by: UUID) -> None:
    """A number went over to another resident: what rested on it in the former one's hands waits for staff now."""
    moved = crypto.keys().keyed_hash(phone, IdentityKind.PHONE)
    for known in queries.mine(former):
        row = db.session().get_one(
            Membership, (known.community_id, known.id), with_for_update=True, populate_existing=True
        )
        if row.status == MembershipStatus.VERIFIED and row.basis == Basis.PHONE and row.phone_hash == moved:
            steps.put_under_review(row, Review.PHONE_LOST, acting_user=Actor(ActorKind.RESIDENT, by))
            telling.under_review(row)


def end_undecided(*, before: datetime, limit: int) -> int:
    """Requests that nobody decided on or touched since that moment end and lose their papers; how many.

    That is no refusal: she may ask again. May run twice.
    """
    forgotten = list(
        db.session().scalars(
            select(Membership)
            .where(Membership.status == MembershipStatus.PENDING, Membership.updated_at < before)
            .order_by(Membership.community_id, Membership.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(cross_community="retention", populate_existing=True)
        )
    )
    for row in forgotten:
        steps.end(row, reason="undecided", acting_user=audit.SYSTEM)
        papers.throw_away(object_kind=OBJECT_KIND, ref=Ref(row.community_id, row.id))
        telling.ended(row)
    return len(forgotten)


def end_leases() -> int:
    """Memberships whose last day is over end; how many. Run by the clock; may run twice."""
    over = list(
        db.session().scalars(
            select(Membership)
            .where(
                Membership.valid_to.is_not(None),
                Membership.valid_to <= places.today(),
                Membership.status.in_(OPEN),
            )
            .order_by(Membership.community_id, Membership.id)
            .limit(500)
            .with_for_update(skip_locked=True)
            .execution_options(cross_community="periodic jobs")
        )
    )
    for row in over:
        steps.end(row, reason="lease_over", acting_user=audit.SYSTEM)
        telling.ended(row)
    return len(over)
