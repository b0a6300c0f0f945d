"""Co-owners choose the one of them who votes for their head (指导规则: co-owners are one head with one voter).

Each verified co-owner names somebody; it holds when all of them name the same one. Who names another one later takes it
back: a head whose owners don't agree has no voter until they do. A co-owner who is bound to nothing isn't waited for.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app import clock, db, ids
from app.audit import Actor, ActorKind
from app.errors import NotFound
from app.ids import Ref
from app.memberships import queries, telling
from app.memberships.errors import NotACoOwner, WeakIdentity
from app.memberships.models import OPEN, Membership, Relation, VoterChoice
from app.places import households, registry, voters


class CoOwner(NamedTuple):
    """One of the owners: whose membership votes for her (None: bound to nothing), and whom she chose."""

    owner_id: UUID
    membership: Membership | None
    chosen: UUID | None


class VoterView(NamedTuple):
    """Who votes for the house, and what its owners say of it."""

    house: Ref
    voter: UUID | None
    co_owners: list[CoOwner]

    @property
    def is_agreed(self) -> bool:
        """Have all verified co-owners named the one who votes?"""
        return self.voter is not None and all(
            c.chosen == self.voter for c in self.co_owners if c.membership is not None
        )


def voter_of(house: Ref, *, resident_id: UUID) -> VoterView:
    """Who votes for my house. Raises NotFound for anybody who isn't a member of it as an owner."""
    households.house(house)
    if not any(
        m.resident_id == resident_id and m.relation == Relation.OWNER and queries.holds(m)
        for m in queries.of_house(house)
    ):
        raise NotFound
    return _view(house)


def _view(house: Ref) -> VoterView:
    holding = households.holding_of(house)
    owners = households.owners_of(house)
    if holding is None:
        return VoterView(house, None, [])
    verified = [m for m in queries.of_house(house) if queries.vote_of(m).may and m.owner_id is not None]
    named = dict(
        db.session()
        .execute(
            select(VoterChoice.owner_id, VoterChoice.chosen_id)
            .where(VoterChoice.community_id == house.community_id, VoterChoice.holding_id == holding.id)
            .order_by(VoterChoice.id)  # the newest last
        )
        .all()
    )
    everyone = {m.owner_id for m in verified if m.owner_id} | set(named) | set(named.values())
    if holding.voter_id is not None:
        everyone.add(holding.voter_id)
    root = households.standing_for(house.community_id, everyone)
    by_owner = {root[m.owner_id]: m for m in verified if m.owner_id}
    choices = {root[owner]: root[chosen] for owner, chosen in named.items()}
    voter = root[holding.voter_id] if holding.voter_id is not None else None
    return VoterView(
        house,
        voter if voter in {o.owner.id for o in owners} else None,
        [CoOwner(o.owner.id, by_owner.get(o.owner.id), choices.get(o.owner.id)) for o in owners],
    )


def choose(house: Ref, *, resident: UUID, acting_user: UUID) -> VoterView:
    """Name the co-owner who votes. Once all verified co-owners name the same one, she does, for all their houses.

    Raises NotFound (no member of the house), WeakIdentity (a member without a vote), NotACoOwner.
    """
    registry.touch(house.community_id)
    home = households.house(house, lock=True)
    mine = [m for m in queries.of_house(house, statuses=OPEN) if m.resident_id == acting_user]
    if not mine:
        raise NotFound
    if not queries.vote_of(mine[0]).may:
        raise WeakIdentity
    view = _view(house)
    me = next((c for c in view.co_owners if c.membership is not None and c.membership.id == mine[0].id), None)
    target = next(
        (c for c in view.co_owners if c.membership is not None and c.membership.resident_id == resident), None
    )
    holding = households.holding_of(house)
    if me is None or holding is None:
        raise WeakIdentity
    if target is None:
        raise NotACoOwner(errors={"resident": [(NotACoOwner.zh, NotACoOwner.en)]})
    actor = Actor(ActorKind.RESIDENT, acting_user)
    if me.chosen != target.owner_id:
        db.session().add(
            VoterChoice(
                community_id=house.community_id,
                id=ids.new_id(),
                holding_id=holding.id,
                owner_id=me.owner_id,
                chosen_id=target.owner_id,
                resident_id=acting_user,
                at=clock.now(),
            )
        )
        db.session().flush()  # it is counted with the others'
        view = _view(house)
    verified = [c for c in view.co_owners if c.membership is not None]
    agreed = all(c.chosen == target.owner_id for c in verified)
    wanted = target.owner_id if agreed else None if view.voter != target.owner_id else view.voter
    if wanted != view.voter:
        voters.set_voter(home, voter=wanted, acting_user=actor)
    if not agreed:
        assert target.membership is not None
        for other in verified:
            if other.chosen != target.owner_id and other.membership is not None:
                telling.voter_chosen(other.membership, telling.name_words(target.membership), target.owner_id)
    return _view(house)
