"""My share by area (民法典 283): of what a period brought, and of what is left, cut over all houses exactly."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.ids import Ref
from app.memberships import queries as memberships
from app.memberships.models import Relation
from app.places import heads
from app.places.registry_models import HouseKind
from app.revenue.errors import AreasUnknown
from app.revenue.models import RevenueStatement
from app.revenue.money import largest_remainder

# As for heads: parking and stores only where the owners' rules say so.
COUNTED = (HouseKind.HOME, HouseKind.SHOP)


@dataclass(frozen=True)
class HouseShare:
    """A house's part, in fen."""

    house_id: UUID
    area_centi: int
    net_fen: int
    closing_fen: int


@dataclass(frozen=True)
class Shares:
    """A period cut over all houses of the estate with a known area, in the order of the register."""

    statement: RevenueStatement
    area_centi: int
    houses: list[HouseShare]
    without_area: int  # houses that get no part, because nobody knows their area

    @property
    def net_fen(self) -> int:
        """What is cut: income less cost."""
        return self.statement.income_fen - self.statement.cost_fen


def shares(estate: Ref, statement: RevenueStatement) -> Shares:
    """The period's net and its closing balance, by area on its last day; what the division leaves goes fen by fen to
    the largest remainders, of equal ones to the earlier house of the register. Raises AreasUnknown.
    """
    held = heads.houses_on(estate, as_of=statement.last_day, kinds=COUNTED)
    known = [(h.house_id, h.area_centi) for h in held if h.area_centi]
    if not known:
        raise AreasUnknown
    areas = [area for _, area in known]
    net = largest_remainder(statement.income_fen - statement.cost_fen, areas)
    closing = largest_remainder(statement.closing_fen, areas)
    return Shares(
        statement,
        sum(areas),
        [HouseShare(known[i][0], areas[i], net[i], closing[i]) for i in range(len(known))],
        len(held) - len(known),
    )


def mine(estate: Ref, statement: RevenueStatement, *, resident_id: UUID) -> tuple[Shares, list[HouseShare]]:
    """The estate's shares, and those of the houses that she owns by a verified membership today."""
    found = shares(estate, statement)
    own = {
        m.house_id
        for m in memberships.mine(resident_id)
        if m.relation == Relation.OWNER
        and memberships.holds(m)
        and Ref(m.community_id, m.estate_id) == estate
    }
    return found, [share for share in found.houses if share.house_id in own]
