"""A member of staff with a smaller reach than hers: what she looks at for the moment. It never gives more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app.people.scopes import Grant, StaffActor
from app.places import queries as places


def within_community(staff: StaffActor, community_id: int) -> StaffActor:
    """Her with what of her reach lies in that community, as it is governed today."""
    governed = frozenset(places.governed_estates([community_id]))

    def narrowed() -> Iterator[Grant]:
        for grant in staff.grants:
            if grant.grid is not None:
                if grant.grid.community_id == community_id:
                    yield grant
                continue
            # An organisation's reach has no estates: what it was given is asked for by the communities.
            communities = grant.communities & {community_id}
            estates = grant.estates & governed
            if communities or estates:
                yield replace(grant, communities=communities, estates=estates)

    return replace(staff, grants=tuple(narrowed()))
