"""Who may see which room chose what, once a result is there: what the announced rules disclose, and no name ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, and_, select, tuple_

from app import db
from app.ids import Ref
from app.voting import queries, results, roll
from app.voting.ledger_models import Opening
from app.voting.models import Decision
from app.voting.result_errors import NotDisclosed
from app.voting.roll_models import RollHead
from app.voting.rules import Disclosure

_AT_ONCE = 2_000  # rows in memory while a whole roll is written out


class Room(NamedTuple):
    """A head by its rooms. `choices`: motion id → answer; None: nothing was handed in, or the rules hide it."""

    head_id: UUID
    number: int
    label: str
    sort_key: str
    area_centi: int
    channel: str | None
    choices: Mapping[str, Any] | None

    @property
    def place(self) -> roll.Place:
        """Where it stands among the others."""
        return roll.Place(self.sort_key, self.label, self.head_id)

    @property
    def has_cast(self) -> bool:
        """Did it hand in a ballot?"""
        return self.channel is not None


def shows_choices(row: Decision) -> bool:
    """Do the rules it was announced with show rooms with their choices to the owners?"""
    return queries.rules_of(row).disclosure is Disclosure.BY_ROOM_TO_OWNERS


def rooms_for(resident_id: UUID, ref: Ref, *, limit: int, after: roll.Place | None) -> list[Room]:
    """Rooms with their choices, for an owner on the roll, by room.

    Raises NotFound, NotCertified, NotDisclosed (the rules say totals alone, or she isn't on the roll).
    """
    row = queries.decision_for(resident_id, ref)
    results.result_of(row)
    if not shows_choices(row) or not roll.entries_of(resident_id, row):
        raise NotDisclosed
    query = _rooms(ref).order_by(*roll.BY_ROOMS).limit(limit)
    if after is not None:
        query = query.where(tuple_(*roll.BY_ROOMS) > after)
    return [_room(found, with_choices=True) for found in db.session().execute(query)]


def every_room(row: Decision) -> Iterator[Room]:
    """All rooms in the order of the roll, for the filing export: choices only where the rules show them.

    Raises NotCertified.
    """
    results.result_of(row)
    shown = shows_choices(row)
    query = _rooms(queries.ref_of(row)).order_by(*roll.BY_ROOMS)
    found = db.session().execute(query.execution_options(yield_per=_AT_ONCE))
    return (_room(one, with_choices=shown) for one in found)


def _rooms(ref: Ref) -> Select[Any]:
    return (
        select(
            RollHead.id,
            RollHead.number,
            RollHead.label,
            RollHead.sort_key,
            RollHead.area_centi,
            Opening.channel,
            Opening.choices,
        )
        .outerjoin(
            Opening,
            and_(
                Opening.community_id == RollHead.community_id,
                Opening.decision_id == RollHead.decision_id,
                Opening.head_id == RollHead.id,
                Opening.counts,
            ),
        )
        .where(RollHead.community_id == ref.community_id, RollHead.decision_id == ref.id)
    )


def _room(found: Any, *, with_choices: bool) -> Room:
    room = Room(*found)
    return room if with_choices else room._replace(choices=None)
