"""Whom a step of a membership is told. To the one who was refused no reason is given: that is for staff."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from app import clock, db, ids
from app.ids import Kind, Ref
from app.memberships import queries
from app.memberships.models import Level, Membership, MembershipAlert, Objection, Relation
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.people import queries as people
from app.places import households, identity
from app.places import queries as places
from app.places.households import HouseOwner

_RELATIONS = {Relation.OWNER: "业主", Relation.FAMILY: "家人", Relation.TENANT: "租户"}
_RIGHTS = {Level.STRONG: "您可以查看信息、上报问题和投票。", Level.WEAK: "您可以查看信息和上报问题。"}
_OUTCOMES = {"kept": "社区核实后，绑定有效。", "ended": "社区核实后，绑定已解除。"}


def house_words(membership: Membership) -> str:
    """How the house is called in a message: 阳光花园 1栋101."""
    estate = Ref(membership.community_id, membership.estate_id)
    known = places.estates([estate]).get(estate)
    address = households.addresses(membership.community_id, [membership.house_id])[membership.house_id]
    return f"{known.name if known else ''} {address.words}".strip()


def name_words(membership: Membership) -> str:
    """The member's name, as neighbours may read it: 张*."""
    return identity.masked_name(queries.name_of(membership), "person")


def _tell(
    resident_id: UUID | None, kind: NoticeKind, membership: Membership, *, idem: str = "", **params: str
) -> None:
    if resident_id is None:
        return
    ref = Ref(membership.community_id, membership.id)
    messaging.notify(
        resident_id=resident_id,
        kind=kind,
        community_id=membership.community_id,
        idem=f"{kind}:{membership.id}:{idem or membership.version}",
        params={"house": house_words(membership)} | params,
        target=("membership", ids.encode(Kind.MEMBERSHIP, ref)),
    )


def verified(membership: Membership) -> None:
    """She is bound, and what for."""
    rights = _RIGHTS[Level(membership.voter_level)] if membership.voter_level else ""
    _tell(membership.resident_id, NoticeKind.MEMBERSHIP_VERIFIED, membership, rights=rights)


def refused(membership: Membership) -> None:
    """Staff said no."""
    _tell(membership.resident_id, NoticeKind.MEMBERSHIP_REFUSED, membership)


def ended(membership: Membership) -> None:
    """It has ended without her doing."""
    _tell(membership.resident_id, NoticeKind.MEMBERSHIP_ENDED, membership)


def under_review(membership: Membership) -> None:
    """It has to be looked at again."""
    _tell(membership.resident_id, NoticeKind.MEMBERSHIP_REVIEW, membership)


def asked(membership: Membership) -> None:
    """Family or a tenant asks: the owners of the house, who may vouch for her."""
    house = Ref(membership.community_id, membership.house_id)
    for other in queries.of_house(house):
        if queries.vote_of(other).may:
            _tell(
                other.resident_id,
                NoticeKind.MEMBERSHIP_ASKED,
                membership,
                name=name_words(membership),
                relation=_RELATIONS[Relation(membership.relation)],
            )


def settled(membership: Membership, objection: Objection) -> None:
    """What became of an objection."""
    outcome = _OUTCOMES[objection.outcome or "kept"]
    _tell(objection.resident_id, NoticeKind.OBJECTION_SETTLED, membership, outcome=outcome)


def the_house(membership: Membership, owners: Sequence[HouseOwner], *, known_to: bytes | None) -> None:
    """A new strong binding: every other phone that the registry holds for the house, and every other owner bound to it.

    Each phone is noted with who holds it in WeChat; where nobody does, nobody was reached.
    """
    phones = {p.hash: p for owner in owners for p in owner.phones if p.hash != known_to}
    holders = people.holders_of(phones)
    now = clock.now()
    for phone in phones.values():
        db.session().execute(
            insert(MembershipAlert)
            .values(
                community_id=membership.community_id,
                membership_id=membership.id,
                phone_hash=phone.hash,
                owner_id=phone.owner_id,
                field=phone.field,
                resident_id=holders.get(phone.hash),
                created_at=now,
            )
            .on_conflict_do_nothing(index_elements=["community_id", "membership_id", "phone_hash"])
        )
    house = Ref(membership.community_id, membership.house_id)
    bound = {m.resident_id for m in queries.of_house(house) if queries.vote_of(m).may}
    for resident_id in sorted(
        {*holders.values(), *(r for r in bound if r)} - {membership.resident_id}, key=str
    ):
        _tell(resident_id, NoticeKind.MEMBERSHIP_NEW, membership, idem="new", name=name_words(membership))


def voter_chosen(membership: Membership, name: str, chosen: UUID) -> None:
    """A co-owner named somebody to vote: this one has to confirm, or to name somebody else."""
    day = places.today().isoformat()
    _tell(
        membership.resident_id,
        NoticeKind.VOTER_CHOSEN,
        membership,
        idem=f"{chosen.hex[-12:]}:{day}",
        name=name,
    )


def reminded(resident_id: UUID, estate: Ref, name: str) -> None:
    """An owner who isn't bound; once a day for an estate."""
    messaging.notify(
        resident_id=resident_id,
        kind=NoticeKind.BIND_REMINDER,
        community_id=estate.community_id,
        idem=f"bind:{estate.id}:{places.today()}",
        params={"estate": name},
        target=("estate", ids.encode(Kind.ESTATE, estate)),
    )
