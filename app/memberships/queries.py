"""Reading memberships: mine, those of my house, those that staff review; and what one is good for now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_

from app import clock, crypto, db
from app.errors import NotFound
from app.ids import Ref
from app.memberships.models import (
    OPEN,
    SUSPENDING,
    Level,
    Membership,
    MembershipAlert,
    MembershipStatus,
    Objection,
    Relation,
)
from app.people import queries as people
from app.places import queries as places

INDEX_KIND = "membership"  # in resident_index
OBJECT_KIND = "membership"


class Vote(NamedTuple):
    """May she vote by this membership now; else why not, and until when it is held."""

    may: bool
    why_not: str | None = None
    held_until: datetime | None = None


def vote_of(membership: Membership) -> Vote:
    """What the membership is good for in a vote at this moment: a strong owner's, undisputed, not held."""
    if not holds(membership):
        return Vote(False, "not_verified")
    if membership.relation != Relation.OWNER:
        return Vote(False, "not_an_owner")
    if membership.voter_level != Level.STRONG:
        return Vote(False, "weak_identity")
    if membership.review in SUSPENDING:
        return Vote(False, "under_review")
    if membership.vote_held_until is not None and membership.vote_held_until > clock.now():
        return Vote(False, "phone_reused", membership.vote_held_until)
    return Vote(True)


def holds(membership: Membership) -> bool:
    """Is it verified, and its lease not over?"""
    return membership.status == MembershipStatus.VERIFIED and not _is_over(membership)


def _is_over(membership: Membership) -> bool:
    return membership.valid_to is not None and membership.valid_to <= places.today()


def status_of(membership: Membership) -> str:
    """Its status; a lease that is over has ended, whether or not the nightly job has been there."""
    if membership.status in OPEN and _is_over(membership):
        return MembershipStatus.ENDED
    return membership.status


def level_of(membership: Membership) -> str | None:
    """`strong`, `weak`, `suspended` while it is objected to, None when it isn't verified."""
    if membership.voter_level == Level.STRONG and membership.review in SUSPENDING:
        return "suspended"
    return membership.voter_level


def name_of(membership: Membership) -> str:
    """The name she gave."""
    return crypto.keys().decrypt(membership.name_sealed, f"member_name:{membership.id}").decode()


def mine(resident_id: UUID) -> list[Membership]:
    """All my memberships, latest first, the ended ones as well."""
    return sorted(
        _by_ref(people.all_mine(resident_id, INDEX_KIND)).values(), key=lambda m: m.updated_at, reverse=True
    )


def my_estates(resident_id: UUID) -> list[Ref]:
    """The estates in which I am a verified member, latest first."""
    return list(dict.fromkeys(Ref(m.community_id, m.estate_id) for m in mine(resident_id) if holds(m)))


def _by_ref(refs: Collection[Ref]) -> dict[Ref, Membership]:
    if not refs:
        return {}
    rows = db.session().scalars(
        select(Membership).where(
            Membership.community_id.in_({ref.community_id for ref in refs}),
            tuple_(Membership.community_id, Membership.id).in_(refs),
        )
    )
    return {Ref(row.community_id, row.id): row for row in rows}


def of_house(house: Ref, *, statuses: Iterable[str] = OPEN) -> list[Membership]:
    """The memberships of a house in these states, oldest first."""
    return list(
        db.session().scalars(
            select(Membership)
            .where(
                Membership.community_id == house.community_id,
                Membership.house_id == house.id,
                Membership.status.in_(list(statuses)),
            )
            .order_by(Membership.id)
        )
    )


def acting_owner(resident_id: UUID, house: Ref) -> Membership | None:
    """The membership by which this resident speaks for the house as its owner now, if there is one."""
    return next(
        (m for m in of_house(house) if m.resident_id == resident_id and vote_of(m).may),
        None,
    )


def seen_by(resident_id: UUID, ref: Ref, *, lock: bool = False) -> Membership:
    """A membership that is mine, or of the house that I own, or one that my phone was told of. Raises NotFound."""
    found = db.session().get(Membership, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    if found.resident_id != resident_id and not concerns(resident_id, found):
        raise NotFound
    return found


def concerns(resident_id: UUID, membership: Membership) -> bool:
    """Is she an owner of the same house, or was her phone told?"""
    if acting_owner(resident_id, Ref(membership.community_id, membership.house_id)) is not None:
        return True
    told = db.session().scalar(
        select(MembershipAlert.membership_id)
        .where(
            MembershipAlert.community_id == membership.community_id,
            MembershipAlert.membership_id == membership.id,
            MembershipAlert.resident_id == resident_id,
        )
        .limit(1)
    )
    return told is not None


# --- staff -----------------------------------------------------------------------------------------------

Reach = Collection[Ref]


def for_staff(reach: Reach, ref: Ref, *, lock: bool = False) -> Membership:
    """A membership in an estate of the reach. Raises NotFound."""
    found = db.session().get(Membership, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or Ref(found.community_id, found.estate_id) not in reach:
        raise NotFound
    return found


class Filter(NamedTuple):
    """Which memberships staff look for."""

    statuses: frozenset[str] = frozenset()
    reviews: frozenset[str] = frozenset()
    needs_review: bool = False
    estate: Ref | None = None
    house: Ref | None = None


def listed(
    reach: Reach, wanted: Filter, *, limit: int, after: tuple[int, UUID] | None = None
) -> list[Membership]:
    """Memberships in the reach by age, oldest first: who waits longest comes first."""
    estates = [wanted.estate] if wanted.estate is not None else list(reach)
    estates = [estate for estate in estates if estate in reach]
    if not estates:
        return []
    query = select(Membership).where(
        Membership.community_id.in_({estate.community_id for estate in estates}),
        Membership.estate_id.in_({estate.id for estate in estates}),
    )
    if wanted.statuses:
        query = query.where(Membership.status.in_(wanted.statuses))
    if wanted.reviews:
        query = query.where(Membership.review.in_(wanted.reviews))
    if wanted.needs_review:
        query = query.where(Membership.review.is_not(None))
    if wanted.house is not None:
        query = query.where(
            Membership.community_id == wanted.house.community_id, Membership.house_id == wanted.house.id
        )
    if after is not None:
        query = query.where(tuple_(Membership.community_id, Membership.id) > after)
    return list(db.session().scalars(query.order_by(Membership.community_id, Membership.id).limit(limit)))


def alerts_of(membership: Membership) -> list[MembershipAlert]:
    """Which phones had to hear of it."""
    return list(
        db.session().scalars(
            select(MembershipAlert)
            .where(
                MembershipAlert.community_id == membership.community_id,
                MembershipAlert.membership_id == membership.id,
            )
            .order_by(MembershipAlert.created_at, MembershipAlert.phone_hash)
        )
    )


def objections_to(membership: Membership) -> list[Objection]:
    """Who objected, oldest first."""
    return list(
        db.session().scalars(
            select(Objection)
            .where(
                Objection.community_id == membership.community_id,
                Objection.membership_id == membership.id,
            )
            .order_by(Objection.created_at, Objection.resident_id)
        )
    )


def words_of(objection: Objection) -> str | None:
    """What somebody wrote with an objection."""
    if objection.words_sealed is None:
        return None
    context = f"objection:{objection.membership_id}:{objection.resident_id}"
    return crypto.keys().decrypt(objection.words_sealed, context).decode()
