"""Who takes part, room by room of one building, for those who go to the doors: never what anybody chose."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, case, or_, select

from app import db
from app.places import rooms
from app.places.registry_models import House, Unit
from app.voting import deliveries, pushing, queries
from app.voting.models import Decision
from app.voting.roll_models import RollHead, RollHouse

_FLOOR = re.compile(r"(\d+?)\d{2}(?!\d)")  # 301 and 1201: the last two digits number the door on its floor


class Part(StrEnum):
    """Whether a room's owner takes part, and whether anything reaches her."""

    CAST = "cast"
    WAITING = "waiting"  # reached: a resident is bound as its owner, or there is proof of delivery
    UNREACHED = "unreached"


class RoomPart(NamedTuple):
    """A room of the roll. `floor`: as its number says it; None where it doesn't. Area in 0.01 m²."""

    unit: str
    number: str
    floor: int | None
    label: str
    head_id: UUID
    area_centi: int
    part: Part


def rooms_of(row: Decision, building_id: UUID | None) -> list[RoomPart]:
    """The rooms of a building on the frozen roll (None: those of no building), by unit and number. An owner with
    several rooms casts once: all of them show it.
    """
    is_cast = pushing.has_cast(queries.rules_of(row))
    is_reached = or_(pushing.is_bound(), deliveries.has_proof())
    found = db.session().execute(
        select(
            Unit.name,
            House.number,
            RollHouse.label,
            RollHouse.head_id,
            RollHouse.area_centi,
            case((is_cast, Part.CAST.value), (is_reached, Part.WAITING.value), else_=Part.UNREACHED.value),
        )
        .select_from(RollHouse)
        .join(
            RollHead,
            and_(
                RollHead.community_id == RollHouse.community_id,
                RollHead.decision_id == RollHouse.decision_id,
                RollHead.id == RollHouse.head_id,
            ),
        )
        .join(House, and_(House.community_id == RollHouse.community_id, House.id == RollHouse.house_id))
        .outerjoin(Unit, and_(Unit.community_id == House.community_id, Unit.id == House.unit_id))
        .where(
            RollHouse.community_id == row.community_id,
            RollHouse.decision_id == row.id,
            RollHouse.building_id.is_(None) if building_id is None else RollHouse.building_id == building_id,
        )
    )
    shown = [
        RoomPart(unit or "", number, floor_of(number), label, head_id, area or 0, Part(part))
        for unit, number, label, head_id, area, part in found
    ]
    return sorted(shown, key=lambda room: (rooms.natural_key(room.unit), rooms.natural_key(room.number)))


def floor_of(number: str) -> int | None:
    """The floor that a door number names: 301 → 3, 1201室 → 12; None for what names none."""
    found = _FLOOR.search(number)
    return int(found[1]) if found else None
