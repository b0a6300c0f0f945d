"""Binding to a house: verified when what she says, and WeChat of her phone, matches the registry; else staff look.

The house is locked first, so that two bindings to one house come one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, or_, select

from app import audit, clock, db
from app.audit import Actor, ActorKind
from app.ids import Ref
from app.media import papers
from app.memberships import locks, matching, queries, steps, telling
from app.memberships.errors import (
    AlreadyMember,
    BadName,
    BindingLocked,
    LeaseOnlyForTenants,
    TooManyRequests,
)
from app.memberships.matching import Claim, Match, Why
from app.memberships.models import Basis, Level, Membership, MembershipStatus, Relation, Review
from app.memberships.queries import INDEX_KIND, OBJECT_KIND
from app.people import queries as people_queries
from app.people import service as people
from app.people.models import IdentityKind
from app.people.queries import HeldPhone
from app.places import households, identity
from app.places import queries as places
from app.places.households import HouseOwner
from app.places.identity import BadValue
from app.places.registry_models import House

MAX_WAITING = 10  # requests of one resident that wait at the same time
HOLD = timedelta(
    days=7
)  # a number that went over to somebody else gives no vote so long, unless staff approve


@dataclass(frozen=True)
class Request:
    """What a resident asks: to belong to this house, as what, with which proof. `id_tail`: the last six."""

    house: Ref
    resident_id: UUID
    relation: Relation
    name: str
    id_tail: str | None = None
    file_ids: Sequence[UUID] = field(default=())
    valid_to: date | None = None


class Bound(NamedTuple):
    """What came of asking. `is_matched`: this very call matched; else it waits, whatever it had before."""

    membership: Membership
    is_matched: bool


def bind(asked: Request) -> Bound:
    """Bind a resident to a house, or ask staff to. Verified when it matched; else pending, whatever the reason.

    Asking again before it is decided replaces what was said and keeps the papers. Raises NotFound, BadName,
    AlreadyMember, TooManyRequests, BindingLocked, LeaseOnlyForTenants, PaperUnknown, PhotoUnknown, PhotoUnusable.
    """
    name = _name(asked.name)
    is_lease = asked.relation is Relation.TENANT and (
        asked.valid_to is None or asked.valid_to > places.today()
    )
    if asked.valid_to is not None and not is_lease:
        raise LeaseOnlyForTenants(errors={"valid_to": [(LeaseOnlyForTenants.zh, LeaseOnlyForTenants.en)]})
    home = households.house(asked.house, lock=True)
    name_hash = identity.name_hash(name)
    openid_hash = people_queries.identities_of(asked.resident_id)[IdentityKind.OPENID]
    keys = locks.keys_of(openid_hash=openid_hash, house=asked.house, name_hash=name_hash)
    locked = locks.look(keys)
    if locked.seconds:
        raise BindingLocked(minutes=-(-locked.seconds // 60), retry_after=locked.seconds)
    known = steps.open_one(asked.house, asked.resident_id)
    if known is not None and not _asks_for_more(known, asked.relation):
        raise AlreadyMember
    if known is None and _waiting(asked.resident_id) >= MAX_WAITING:
        raise TooManyRequests
    phone = people_queries.phone_held(asked.resident_id)
    owners = households.owners_of(asked.house)
    found = _found(asked, home, owners, name_hash, phone, guesses_count=not locked.is_deaf)
    if asked.relation is Relation.OWNER and found.level is None:
        locks.count_wrong(keys)
    row = (
        known
        or _adopted(home, found, asked.resident_id)
        or steps.new(home, asked.resident_id, asked.relation)
    )
    before = (row.status, row.voter_level)
    if row.status != MembershipStatus.VERIFIED or found.level is not None:
        steps.say(row, name, asked.relation, asked.id_tail, asked.valid_to)
    if asked.file_ids:
        papers.attach(
            owner_id=asked.resident_id,
            file_ids=asked.file_ids,
            community_id=row.community_id,
            object_kind=OBJECT_KIND,
            object_id=row.id,
        )
    _apply(row, found, phone, has_files=bool(asked.file_ids))
    steps.touch(row)
    people.remember(resident_id=asked.resident_id, kind=INDEX_KIND, ref=Ref(row.community_id, row.id))
    audit.record(
        Actor(ActorKind.RESIDENT, asked.resident_id),
        "membership.asked" if row.status == MembershipStatus.PENDING else "membership.bound",
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        relation=row.relation,
        level=row.voter_level,
        files=len(asked.file_ids),
    )
    _tell(row, owners, before=before, is_new=known is None)
    return Bound(row, found.level is not None)


def _found(
    asked: Request,
    home: House,
    owners: Sequence[HouseOwner],
    name_hash: bytes,
    phone: HeldPhone | None,
    *,
    guesses_count: bool,
) -> Match:
    """What the registry says; the same is compared whatever is asked and whatever stands in the way."""
    claim = Claim(
        name_hash,
        asked.id_tail,
        phone.hash if phone else None,
        phone.verified_at if phone else None,
    )
    found = matching.match(owners, claim, now=clock.now(), guesses_count=guesses_count)
    was_refused = _refused_before(asked.house, asked.resident_id)
    taken = steps.bound_as(home, found.owner_id, but=asked.resident_id) is not None
    if asked.relation is not Relation.OWNER:
        return Match(why=(Why.NOT_AN_OWNER,))
    if was_refused:
        return Match(found.owner_id, why=(*found.why, Why.REFUSED_BEFORE))
    if found.level is Level.STRONG and taken:
        return Match(found.owner_id, why=(Why.OWNER_BOUND,))
    return found


def _refused_before(house: Ref, resident_id: UUID) -> bool:
    """Did staff once say no to her here, or did she leave a doubt open? Then no match by itself says yes: staff do.

    By the account, or by her openid or phone under whatever account.
    """
    by_row = (
        db.session().scalar(
            select(Membership.id)
            .where(
                Membership.community_id == house.community_id,
                Membership.house_id == house.id,
                Membership.resident_id == resident_id,
                or_(
                    Membership.status == MembershipStatus.REFUSED,
                    Membership.end_reason == "ended_by_staff",
                    and_(Membership.status == MembershipStatus.ENDED, Membership.review.is_not(None)),
                ),
            )
            .limit(1)
        )
        is not None
    )
    return steps.is_marked(house, resident_id) or by_row


def _apply(row: Membership, found: Match, phone: HeldPhone | None, *, has_files: bool) -> None:
    row.why = [why.value for why in found.why]
    if found.level is None or found.basis is None:
        if row.status == MembershipStatus.PENDING:
            row.owner_id = found.owner_id
            row.review = row.review or Review.NEW
        elif has_files:
            row.review = row.review or Review.MORE
        return
    row.owner_id = found.owner_id
    if row.voter_level != Level.STRONG:  # what was signed at the door stays that
        steps.verify(row, found.level, found.basis)
    row.vote_held_until, row.review = None, None
    if found.basis is Basis.PHONE and phone is not None:
        row.phone_hash = phone.hash
        if phone.taken_at is not None and clock.now() < phone.taken_at + HOLD:
            row.vote_held_until, row.review = phone.taken_at + HOLD, Review.PHONE_REUSED
    elif has_files:
        row.review = Review.MORE


def _tell(
    row: Membership, owners: Sequence[HouseOwner], *, before: tuple[str, str | None], is_new: bool
) -> None:
    if row.status == MembershipStatus.VERIFIED and (row.status, row.voter_level) != before:
        telling.verified(row)
        if row.voter_level == Level.STRONG:
            telling.the_house(row, owners, known_to=row.phone_hash)
    if row.relation != Relation.OWNER and is_new:
        telling.asked(row)


def _name(text: str) -> str:
    try:
        return identity.name(text)
    except BadValue as e:
        raise BadName(errors={"name": [(BadName.zh, BadName.en)]}) from e


def _asks_for_more(known: Membership, relation: Relation) -> bool:
    """Another try while it waits; or of an owner whom it gives no vote yet."""
    if known.status == MembershipStatus.PENDING:
        return True
    is_owner = relation is Relation.OWNER and known.relation == Relation.OWNER
    return is_owner and known.voter_level == Level.WEAK


def _waiting(resident_id: UUID) -> int:
    return sum(m.status == MembershipStatus.PENDING for m in queries.mine(resident_id))


def _adopted(home: House, found: Match, resident_id: UUID) -> Membership | None:
    """The entry that was made at the door for this owner, who now comes to WeChat with the number the registry has."""
    if found.level is not Level.STRONG:
        return None
    entry = steps.unclaimed(home, found.owner_id)
    if entry is not None:
        entry.resident_id = resident_id
    return entry
