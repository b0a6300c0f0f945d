"""How many have voted (参与情况), never what: read from roll and ballots alone, live until the close.

A sheet that can't be counted is left out where the rules don't count invalid ones as participation. The heads of each
building never change, and neither do ballots that were cast a while ago: a process counts those once, and with each
look only what came since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from app import clock, db
from app.ids import Ref
from app.once import Once
from app.places import rooms
from app.voting import queries
from app.voting.counting import percent
from app.voting.matters import QUORUM
from app.voting.models import Decision, DecisionKind

# No ballot that is cast before this may still be on its way (`statement_timeout` 30 s, idle transactions 60 s).
SETTLED = timedelta(minutes=5)
ADVANCE = timedelta(minutes=5)  # what is counted anew with each look is at most so much longer
_KEPT = 1000  # decisions

_ROLL_SQL = """
    SELECT h.building_id, count(*), coalesce(sum(h.area_centi), 0)
    FROM roll_heads AS h
    WHERE h.community_id = :community AND h.decision_id = :decision
    GROUP BY h.building_id
"""
_ROLL = text(_ROLL_SQL), db.Plain(_ROLL_SQL)
# The first ballot of a head stands for all of hers.
_CAST_SQL = """
    SELECT h.building_id, count(*), coalesce(sum(h.area_centi), 0)
    FROM ballots AS b
    JOIN roll_heads AS h ON h.community_id = b.community_id AND h.decision_id = b.decision_id AND h.id = b.head_id
    WHERE b.community_id = :community AND b.decision_id = :decision AND b.rev = 1
      AND b.cast_at > :after AND b.cast_at <= :until
    GROUP BY h.building_id
"""
_CAST = text(_CAST_SQL), db.Plain(_CAST_SQL)
# Heads of whose ballots the last one is a sheet that can't be counted.
_VOID_SQL = """
    SELECT h.building_id, count(*), coalesce(sum(h.area_centi), 0)
    FROM paper_ballots AS p
    JOIN roll_heads AS h ON h.community_id = p.community_id AND h.decision_id = p.decision_id AND h.id = p.head_id
    WHERE p.community_id = :community AND p.decision_id = :decision AND p.status = 'confirmed'
      AND p.invalid_reason IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM ballots AS later
          WHERE later.community_id = p.community_id AND later.decision_id = p.decision_id
            AND later.head_id = p.head_id AND later.rev > p.ballot_rev)
    GROUP BY h.building_id
"""
_VOID = text(_VOID_SQL), db.Plain(_VOID_SQL)
# Everything that can have changed since what is settled was counted, at one moment.
_LATELY = db.Plain(f"""
    SELECT statement_timestamp() + :ahead,
           (SELECT json_agg(json_build_array(c.building, c.heads, c.area))
            FROM ({_CAST_SQL}) AS c(building, heads, area))::text,
           (SELECT json_agg(json_build_array(v.building, v.heads, v.area))
            FROM ({_VOID_SQL}) AS v(building, heads, area))::text,
           (SELECT json_object_agg(b.id, b.name) FROM buildings AS b
            WHERE b.community_id = :community AND b.estate_id = :estate)::text
""")  # noqa: S608  names of this program alone


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
    """The turnout at this moment."""
    ref = queries.ref_of(row)
    before = _counted(row, queries.database_now(), _in_session)
    since = _in_session(_CAST, ref, after=before.until, until=_FOREVER)
    return _of(row, before, since, _in_session(_VOID, ref))


def _of(row: Decision, before: _Settled, since: _Counts, void: _Counts) -> Turnout:
    cast = _add(before.cast, since, 1)
    if not queries.rules_of(row).invalid_takes_part:
        cast = _add(cast, void, -1)
    none = Weight(0, 0)
    found = [
        Building(
            building,
            Part(cast.get(building, none).heads, roll.heads, None),
            Part(cast.get(building, none).area, roll.area, None),
        )
        for building, roll in before.roll.items()
    ]
    is_poll = row.kind == DecisionKind.POLL
    return Turnout(
        _summed([b.heads for b in found], is_poll=is_poll),
        _summed([b.area for b in found], is_poll=is_poll),
        found,
    )


class _Count(NamedTuple):
    shown: dict[str, object]
    at: datetime


GOOD_FOR_S = 1.0
_counts: Once[Ref, _Count] = Once("turnout", good_for_s=GOOD_FOR_S, most=_KEPT)


def lately(row: Decision, *, since: datetime | None) -> dict[str, object]:
    """The turnout as `as_json` shows it, counted at most a second ago; and after `since`, when the reader's last ballot
    was cast, so that she finds it counted at once. Not to be changed: others get the same.

    However many ask, a process counts once a second. Not inside transaction() or reading().
    """

    def is_good(found: _Count) -> bool:
        return since is None or found.at > since

    return _counts.get(queries.ref_of(row), lambda: _count(row), is_good=is_good).shown


def _count(row: Decision) -> _Count:
    ref, now = queries.ref_of(row), clock.now()
    before = _counted(row, now, _plainly)
    found = _LATELY.ask(
        {
            "community": ref.community_id,
            "decision": ref.id,
            "estate": row.estate_id,
            "after": before.until,
            "until": _FOREVER,
            "ahead": clock.ahead(),
        }
    )
    assert found is not None  # it is one row, always
    at, cast, void, names = found
    turnout = _of(row, before, _read(cast), _read(void))
    return _Count(
        as_json(turnout, {UUID(building): name for building, name in orjson.loads(names or "{}").items()}), at
    )


def _read(rows: str | None) -> _Counts:
    found = orjson.loads(rows) if rows is not None else []
    return {
        UUID(building) if building is not None else None: Weight(heads, int(area))
        for building, heads, area in found
    }


class Weight(NamedTuple):
    """Heads, and their area in 0.01 m²."""

    heads: int
    area: int


_Counts = dict[UUID | None, Weight]
_Query = tuple[TextClause, db.Plain]  # for a unit of work, and for none
_Ask = Callable[..., _Counts]


class _Settled(NamedTuple):
    """The roll by building, and what was cast until then."""

    roll: _Counts
    cast: _Counts
    until: datetime


_FOREVER = datetime.max.replace(tzinfo=UTC)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_kept: dict[Ref, _Settled] = {}


def _counted(row: Decision, now: datetime, ask: _Ask) -> _Settled:
    """What a process has counted of a decision; carried on to five minutes ago when that is ten minutes behind."""
    ref = queries.ref_of(row)
    if row.frozen_at is None:
        return _Settled({}, {}, _LONG_AGO)
    known = _kept.get(ref) or _Settled(ask(_ROLL, ref), {}, _LONG_AGO)
    until = now - SETTLED
    if until - known.until >= ADVANCE:
        more = ask(_CAST, ref, after=known.until, until=until)
        known = _Settled(known.roll, _add(known.cast, more, 1), until)
    if len(_kept) >= _KEPT and ref not in _kept:
        _kept.clear()
    _kept[ref] = known
    return known


def _in_session(query: _Query, ref: Ref, **more: datetime) -> _Counts:
    rows = db.session().execute(query[0], {"community": ref.community_id, "decision": ref.id} | more)
    return {building: Weight(heads, int(area)) for building, heads, area in rows}


def _plainly(query: _Query, ref: Ref, **more: datetime) -> _Counts:
    rows = query[1].rows({"community": ref.community_id, "decision": ref.id} | more)
    return {building: Weight(heads, int(area)) for building, heads, area in rows}


def _add(one: _Counts, other: _Counts, sign: int) -> _Counts:
    none = Weight(0, 0)
    return one | {
        building: Weight(
            one.get(building, none).heads + sign * more.heads, one.get(building, none).area + sign * more.area
        )
        for building, more in other.items()
    }


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
            key=lambda shown: rooms.natural_key(str(shown["building"])),
        ),
    }
