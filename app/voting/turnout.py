"""How many have voted (参与情况), never what: read from roll and ballots alone, live until the close.

Every ballot handed in is counted, also a paper that may turn out invalid: before the close nobody can tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from app import db
from app.voting.counting import percent
from app.voting.matters import QUORUM
from app.voting.models import Decision, DecisionKind

# The first ballot of a head stands for all of hers.
_BY_BUILDING = text("""
    SELECT h.building_id, count(*), coalesce(sum(h.area_centi), 0), count(b.head_id),
           coalesce(sum(h.area_centi) FILTER (WHERE b.head_id IS NOT NULL), 0)
    FROM roll_heads AS h
    LEFT JOIN ballots AS b ON b.community_id = h.community_id AND b.decision_id = h.decision_id
        AND b.head_id = h.id AND b.rev = 1
    WHERE h.community_id = :community AND h.decision_id = :decision
    GROUP BY h.building_id
""")


class Part(NamedTuple):
    """Heads, or area in 0.01 m²: how much has voted of how much; `needed`: still, for the quorum (None: a poll)."""

    cast: int
    total: int
    needed: int | None

    @property
    def percent(self) -> str | None:
        """For reading; cut off."""
        return percent(self.cast, self.total)


class Building(NamedTuple):
    """A building with the heads whose first house is in it. Its parts need nothing by themselves."""

    building_id: UUID | None
    heads: Part
    area: Part


class Turnout(NamedTuple):
    """Both measures, and by building. Before the roll is frozen everything is 0."""

    heads: Part
    area: Part
    buildings: list[Building]


def of(row: Decision) -> Turnout:
    """The turnout at this moment, in one query."""
    found = [
        Building(building, Part(cast, heads, None), Part(int(cast_area), int(area), None))
        for building, heads, area, cast, cast_area in db.session().execute(
            _BY_BUILDING, {"community": row.community_id, "decision": row.id}
        )
    ]
    is_poll = row.kind == DecisionKind.POLL
    return Turnout(
        _summed([b.heads for b in found], is_poll=is_poll),
        _summed([b.area for b in found], is_poll=is_poll),
        found,
    )


def _summed(parts: list[Part], *, is_poll: bool) -> Part:
    cast, total = sum(p.cast for p in parts), sum(p.total for p in parts)
    return Part(cast, total, None if is_poll else still_needed(cast, total))


def still_needed(cast: int, total: int) -> int:
    """The least that has to join so that the quorum (民法典 278: two thirds) is reached."""
    least = -(-QUORUM.numerator * total // QUORUM.denominator)
    return max(0, least - cast)


def as_json(turnout: Turnout, names: Mapping[UUID, str]) -> dict[str, object]:
    """As both faces show it; `names`: of the buildings."""

    def part(one: Part) -> dict[str, object]:
        return {"cast": one.cast, "total": one.total, "needed": one.needed, "percent": one.percent}

    return {
        "heads": part(turnout.heads),
        "area": part(turnout.area),
        "quorum_reached": None
        if turnout.heads.needed is None or turnout.area.needed is None
        else turnout.heads.total > 0 and turnout.heads.needed == turnout.area.needed == 0,
        "buildings": sorted(
            (
                {
                    "building": names.get(b.building_id, "") if b.building_id else "",
                    "heads": part(b.heads),
                    "area": part(b.area),
                }
                for b in turnout.buildings
            ),
            key=lambda shown: str(shown["building"]),
        ),
    }
