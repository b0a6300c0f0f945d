"""The grade of a zone (重点 · 常规 · 低风险), by how many cases its people report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from app import audit, clock, db, ids
from app.audit import SYSTEM, Actor
from app.ids import Ref
from app.patrol import queries
from app.patrol.figures import tickets_by_grid
from app.patrol.models import Basis, Grade, ZoneGrade
from app.patrol.queries import OBJECT_KIND
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places

SPAN = timedelta(days=90)


class Measure(NamedTuple):
    """What a zone's tickets are counted against, and from how many on it is regular or key."""

    basis: Basis
    size: int
    per: int  # the thresholds are tickets per so many of the basis
    regular_from: int
    key_from: int

    def grade(self, tickets: int) -> Grade:
        """The grade by cross-multiplication: no fraction is rounded near a threshold."""
        if tickets * self.per >= self.key_from * self.size:
            return Grade.KEY
        if tickets * self.per >= self.regular_from * self.size:
            return Grade.REGULAR
        return Grade.LOW


def measure(*, homes: int | None, estates: int, chosen: dict[str, int]) -> Measure | None:
    """Per 100 homes where they are known, else per estate; None where there is neither."""
    if homes:
        return Measure(Basis.HOMES, homes, 100, chosen["regular_per_100_homes"], chosen["key_per_100_homes"])
    if estates:
        return Measure(Basis.ESTATES, estates, 1, chosen["regular_per_estate"], chosen["key_per_estate"])
    return None


def grade_community(community_id: int, *, actor: Actor = SYSTEM) -> list[ZoneGrade]:
    """Compute the grades of a community's grids anew, with what they follow from. A zone without homes and estates
    gets none.
    """
    now = clock.now()
    refs = [Ref(grid.community_id, grid.id) for grid in places.grids_in([community_id])]
    counted = tickets_by_grid(community_id, since=now - SPAN, until=now)
    known, estates = queries.zones(refs), queries.estates_of_grids([community_id])
    chosen = queries.settings_of([community_id])[community_id]
    made = []
    for ref in refs:
        zone = known.get(ref)
        by = measure(homes=zone.homes if zone else None, estates=len(estates.get(ref, ())), chosen=chosen)
        if by is None:
            continue
        tickets = counted.get(ref.id, 0)
        made.append(
            ZoneGrade(
                community_id=community_id,
                id=ids.new_id(),
                grid_id=ref.id,
                graded_at=now,
                since=now - SPAN,
                grade=by.grade(tickets),
                tickets=tickets,
                basis=by.basis,
                size=by.size,
                regular_from=by.regular_from,
                key_from=by.key_from,
            )
        )
    db.session().add_all(made)
    audit.record(
        actor,
        "patrol.zones_graded",
        community_id=community_id,
        object_kind=OBJECT_KIND,
        object_id=None,
        zones=len(made),
    )
    return made


def grade_mine(*, acting_user: StaffActor) -> datetime:
    """Compute the grades of every community in her area now; the moment of the computation."""
    communities = acting_user.communities_with(Permission.PATROL_PLAN)
    for community in sorted(communities):
        grade_community(community, actor=acting_user.actor)
    db.session().flush()  # read again for the answer
    return clock.now()
