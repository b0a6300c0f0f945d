"""Is she an owner of this house? What she says and what WeChat says of her phone, against the registry.

The same is read and compared whatever comes of it, so that the time of an answer says no more than its bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.memberships.models import Basis, Level
from app.places.households import HouseOwner

FRESH = timedelta(days=30)  # so long WeChat's word for a phone counts


class Why(StrEnum):
    """What is missing for a match; for staff, never for the one who asks."""

    NO_OWNER = "no_owner"  # the registry knows no owner of this house
    NAME_DIFFERS = "name_differs"
    PHONE_NOT_VERIFIED = "phone_not_verified"  # WeChat has not been asked for her phone
    PHONE_OLD = "phone_old"  # it was, more than 30 days ago
    PHONE_UNKNOWN = "phone_unknown"  # the registry holds no phone of that owner
    PHONE_DIFFERS = "phone_differs"
    PHONE_OF_ANOTHER = "phone_of_another"  # the phone is an owner's, the name isn't hers
    ID_NOT_GIVEN = "id_not_given"
    ID_UNKNOWN = "id_unknown"  # the registry holds no ID number of that owner
    ID_DIFFERS = "id_differs"
    LOCKED = "locked"  # too many wrong tries at this house or name: not compared
    OWNER_BOUND = "owner_bound"  # somebody else is bound as this owner
    REFUSED_BEFORE = "refused_before"  # staff once said no to her at this house
    NOT_AN_OWNER = "not_an_owner"  # family or tenant: an owner or staff vouch for her


WORDS: dict[Why, tuple[str, str]] = {
    Why.NO_OWNER: ("登记中没有这套房屋的业主", "The registry knows no owner of this house."),
    Why.NAME_DIFFERS: ("姓名与登记业主不符", "The name is no owner's."),
    Why.PHONE_NOT_VERIFIED: ("未用微信验证手机号", "No phone verified by WeChat."),
    Why.PHONE_OLD: ("手机号验证已超过 30 天", "The phone was verified more than 30 days ago."),
    Why.PHONE_UNKNOWN: ("登记中没有这位业主的手机号", "The registry holds no phone of this owner."),
    Why.PHONE_DIFFERS: ("手机号与登记不符", "The phone is not the registered one."),
    Why.PHONE_OF_ANOTHER: ("手机号属于登记业主，但姓名不符", "The phone is an owner's, the name isn't."),
    Why.ID_NOT_GIVEN: ("未填身份证后六位", "No last six digits given."),
    Why.ID_UNKNOWN: ("登记中没有这位业主的证件号", "The registry holds no ID number of this owner."),
    Why.ID_DIFFERS: ("身份证后六位与登记不符", "The last six digits differ."),
    Why.LOCKED: ("尝试次数过多，未自动核对", "Too many wrong tries; not compared."),
    Why.OWNER_BOUND: ("已有其他人以这位业主身份绑定", "Somebody else is bound as this owner."),
    Why.REFUSED_BEFORE: ("社区曾拒绝或解除过此人的绑定", "Staff once refused or ended her binding here."),
    Why.NOT_AN_OWNER: ("家人或租户，需业主确认或社区审核", "Family or tenant: an owner or staff confirm."),
}


@dataclass(frozen=True)
class Claim:
    """What is known of the one who asks. `phone`: the hash of the number WeChat verified for her, and when."""

    name_hash: bytes
    id_tail: str | None
    phone: bytes | None
    phone_verified_at: datetime | None


@dataclass(frozen=True)
class Match:
    """Which owner she is and how surely; else what is missing."""

    owner_id: UUID | None = None
    level: Level | None = None
    basis: Basis | None = None
    why: tuple[Why, ...] = ()


def match(owners: Sequence[HouseOwner], claim: Claim, *, now: datetime, guesses_count: bool) -> Match:
    """Compare. Name and fresh phone of one owner: strong. Name and last six: weak, unless guesses don't count."""
    fresh = claim.phone_verified_at is not None and now - claim.phone_verified_at <= FRESH
    named, phoned, numbered = [], [], []
    for owner in owners:
        is_named = _any(owner.name_hashes, claim.name_hash)
        has_phone = _any(owner.phone_hashes, claim.phone or b"")
        has_tail = _any((tail.encode() for tail in owner.id_tails), (claim.id_tail or "").upper().encode())
        if is_named:
            named.append(owner)
        if has_phone:
            phoned.append(owner)
        if is_named and has_tail:
            numbered.append(owner)
    both = [owner for owner in named if owner in phoned]
    why = _why(owners, named, phoned, numbered, claim, fresh=fresh)
    if both and fresh:
        return Match(both[0].owner.id, Level.STRONG, Basis.PHONE)
    if numbered and guesses_count:
        return Match(numbered[0].owner.id, Level.WEAK, Basis.ID_NUMBER, why)
    # Staff see which owner it would be.
    perhaps = named[0].owner.id if len(named) == 1 else None
    return Match(perhaps, why=why if guesses_count else (*why, Why.LOCKED))


def _any(values: Iterable[bytes], wanted: bytes) -> bool:
    # Each is compared, and each in a time that doesn't depend on how much of it is right.
    return sum(hmac.compare_digest(value, wanted) for value in values) > 0


def _why(
    owners: Sequence[HouseOwner],
    named: Sequence[HouseOwner],
    phoned: Sequence[HouseOwner],
    numbered: Sequence[HouseOwner],
    claim: Claim,
    *,
    fresh: bool,
) -> tuple[Why, ...]:
    if not owners:
        return (Why.NO_OWNER,)
    found = []
    if not named:
        found.append(Why.PHONE_OF_ANOTHER if phoned else Why.NAME_DIFFERS)
    if claim.phone is None:
        found.append(Why.PHONE_NOT_VERIFIED)
    elif not fresh:
        found.append(Why.PHONE_OLD)
    elif named and not any(owner.phones for owner in named):
        found.append(Why.PHONE_UNKNOWN)
    elif not phoned:
        found.append(Why.PHONE_DIFFERS)
    if claim.id_tail is None:
        found.append(Why.ID_NOT_GIVEN)
    elif named and not any(owner.id_tails for owner in named):
        found.append(Why.ID_UNKNOWN)
    elif not numbered:
        found.append(Why.ID_DIFFERS)
    return tuple(found)
