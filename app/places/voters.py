"""The one of the co-owners who votes: set for all houses of the same owners, and kept with its dates."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app import audit, clock, db, ids
from app.audit import Actor
from app.places import heads
from app.places import registry_queries as reading
from app.places.errors import NotAnOwner
from app.places.registry_models import Holding, HoldingOwner, HoldingVoter, House


def set_voter(house: House, *, voter: UUID | None, acting_user: Actor) -> None:
    """One of the owners votes from now on, for this house and every other that the same owners hold today; None: nobody
    until they agree. The caller holds the house's lock. Raises NotAnOwner.
    """
    view = reading.view_of(house)
    group = {owner.id for owner in view.owners}
    same = heads.same_owners(house.community_id)
    chosen = same.get(voter, voter) if voter is not None else None
    if view.holding is None or (chosen is not None and chosen not in group):
        raise NotAnOwner
    anyone = next(iter(group))
    rows = {anyone} | {owner for owner, root in same.items() if root == anyone}
    shared = db.session().scalars(
        select(HoldingOwner.holding_id).where(
            HoldingOwner.community_id == house.community_id, HoldingOwner.owner_id.in_(rows)
        )
    )
    of_group = [
        holding_id
        for holding_id, owners in reading.owners_of(house.community_id, shared).items()
        if {owner.id for owner in owners} == group
    ]
    now = clock.now()
    for holding in db.session().scalars(
        select(Holding)
        .where(
            Holding.community_id == house.community_id,
            Holding.id.in_(of_group),
            Holding.valid_to.is_(None),
        )
        .order_by(Holding.id)
        .with_for_update()
    ):
        if holding.voter_id == chosen:
            continue
        holding.voter_id = chosen
        db.session().add(
            HoldingVoter(
                community_id=house.community_id,
                id=ids.new_id(),
                holding_id=holding.id,
                voter_id=chosen,
                at=now,
                actor_kind=acting_user.kind,
                actor_id=acting_user.id,
            )
        )
    house.version += 1
    house.updated_at = now
    audit.record(
        acting_user,
        "house.voter_registered" if chosen is not None else "house.voter_withdrawn",
        community_id=house.community_id,
        object_kind="house",
        object_id=house.id,
        owner_id=str(chosen) if chosen is not None else None,
    )


def voter_at(community_id: int, holding_id: UUID, at: datetime) -> UUID | None:
    """Who voted for the holding at that moment: the newest registration until then of one who is its owner; before any,
    its sole owner.
    """
    entry = db.session().scalar(
        select(HoldingVoter)
        .where(
            HoldingVoter.community_id == community_id,
            HoldingVoter.holding_id == holding_id,
            HoldingVoter.at <= at,
        )
        .order_by(HoldingVoter.at.desc(), HoldingVoter.id.desc())
        .limit(1)
    )
    owners = [owner.id for owner in reading.owners_of(community_id, [holding_id]).get(holding_id, [])]
    if len(owners) == 1:
        return owners[0]
    if entry is None or entry.voter_id is None:
        return None
    voter = heads.same_owners(community_id).get(entry.voter_id, entry.voter_id)
    return voter if voter in owners else None
