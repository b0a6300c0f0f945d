"""A decision as one of those opens it whom it binds, in one statement: 40,000 do so within minutes of a text message.

The statement reads what is hers and what changes with the clock; what everybody sees alike is named by a key that
changes with it, so that a face may keep it. What the rows say is judged by the domain's own code. Where it takes more
than these rows (she acts for somebody, has bought or sold since the freeze, or turned out to be an owner under another
row; no house of hers is in the estate) nothing is said here, and the domain's questions are asked one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson

from app import clock, db
from app.ids import Ref
from app.memberships import bound
from app.memberships import queries as memberships
from app.memberships.models import Membership
from app.people.queries import LOGIN_HOLDS
from app.voting import own_heads, queries, roll, rules
from app.voting.models import Decision, DecisionStatus
from app.voting.own_heads import CastBallot, HeadView
from app.voting.roll import Entry, Preview
from app.voting.roll_models import RollHead, RollHouse
from app.voting.standing import OnRoll

# `wanted`: the heads of her houses, and those of which an owner is who she is; the one who votes for a head may live
# in another one.
_PAGE = db.Plain(
    f"""
    WITH mine AS MATERIALIZED (
        SELECT m.*
        FROM resident_index AS i
        JOIN memberships AS m ON m.community_id = i.community_id AND m.id = i.object_id
        WHERE i.resident_id = :resident_id AND i.kind = '{memberships.INDEX_KIND}' AND i.community_id = :community_id
          AND m.community_id = :community_id
    ), wanted AS MATERIALIZED (
        SELECT h.head_id
        FROM mine AS m
        JOIN roll_houses AS h ON h.community_id = :community_id AND h.decision_id = :decision_id
          AND h.house_id = m.house_id
        UNION
        SELECT o.head_id
        FROM mine AS m
        JOIN roll_owners AS o ON o.community_id = :community_id AND o.decision_id = :decision_id
          AND o.owner_id = m.owner_id
        WHERE m.relation = 'owner' AND m.status = 'verified'
    )
    SELECT
        clock_timestamp() + :ahead,
        EXISTS (SELECT FROM proxies AS p
                WHERE p.community_id = d.community_id AND p.decision_id = d.id
                  AND p.resident_id = :resident_id AND p.status IN ('pending', 'approved')),
        json_build_array(
            d.estate_id, d.kind, d.title, d.status, d.legal_mode, d.building_ids, d.previous_id,
            d.announced_at, d.objections_until, d.opens_at, d.closes_at, d.announced_closes_at, d.extended_at,
            d.extension_reason, d.frozen_at, d.cancelled_at, d.cancel_reason, d.posted_until
        )::text,
        d.rules::text,
        concat_ws('.', d.version, extract(epoch FROM d.updated_at),
            (SELECT md5(string_agg(e.id::text, '' ORDER BY e.id))
             FROM decision_events AS e
             WHERE e.community_id = d.community_id AND e.decision_id = d.id AND e.is_public),
            (SELECT md5(string_agg(concat_ws('.', c.id, c.version, c.number, c.name_sealed), '' ORDER BY c.id))
             FROM candidates AS c
             WHERE c.community_id = d.community_id AND c.decision_id = d.id AND c.status = 'accepted')),
        (SELECT json_agg(json_build_array({bound.COLUMNS}) ORDER BY m.updated_at DESC, m.id DESC)
         FROM mine AS m)::text,
        (SELECT json_agg(json_build_array(
                    h.id, h.number, h.label, h.area_centi, h.voter_id, o.owners, o.is_merged,
                    (SELECT json_agg(json_build_array(r.house_id, r.label, r.area_centi, r.area_basis)
                                     ORDER BY r.house_id)
                     FROM roll_houses AS r
                     WHERE r.community_id = d.community_id AND r.decision_id = d.id AND r.head_id = h.id),
                    EXISTS (SELECT FROM decision_deliveries AS t
                            WHERE t.community_id = d.community_id AND t.decision_id = d.id AND t.head_id = h.id
                              AND t.way = 'login'),
                    (SELECT json_build_array(
                                b.rev, encode(b.leaf_hash, 'hex'), b.channel, b.cast_at, b.cast_by, b.paper_id,
                                b.paper_id IS NOT NULL
                                AND EXISTS (SELECT FROM paper_ballots AS p
                                        WHERE p.community_id = d.community_id AND p.id = b.paper_id
                                          AND p.invalid_reason IS NOT NULL),
                                EXISTS (SELECT FROM ballot_leaves AS l
                                        WHERE l.community_id = d.community_id AND l.decision_id = d.id
                                          AND l.head_id = b.head_id AND l.rev = b.rev))
                     FROM ballots AS b
                     WHERE b.community_id = d.community_id AND b.decision_id = d.id AND b.head_id = h.id
                     ORDER BY b.rev DESC LIMIT 1)
                ) ORDER BY h.sort_key, h.label, h.id)
         FROM wanted AS w
         JOIN roll_heads AS h ON h.community_id = d.community_id AND h.decision_id = d.id AND h.id = w.head_id
         CROSS JOIN LATERAL (
             SELECT json_object_agg(o.owner_id, o.is_voter) AS owners,
                    bool_or(w.same_as IS NOT NULL) AS is_merged
             FROM roll_owners AS o
             LEFT JOIN owners AS w ON w.community_id = d.community_id AND w.id = o.owner_id
             WHERE o.community_id = d.community_id AND o.decision_id = d.id AND o.head_id = h.id
         ) AS o)::text
    FROM decisions AS d
    WHERE d.community_id = :community_id AND d.id = :decision_id AND d.announced_at IS NOT NULL AND {LOGIN_HOLDS}
    """  # noqa: S608  names of this program alone
)


class _Row(NamedTuple):
    """Of a decision, what is shown and what it is judged by; stands for its model."""

    community_id: int
    id: UUID
    rules_text: str
    estate_id: UUID
    kind: str
    title: str
    status: str
    legal_mode: str
    building_ids: list[str] | None
    previous_id: UUID | None
    announced_at: datetime
    objections_until: datetime | None
    opens_at: datetime | None
    closes_at: datetime | None
    announced_closes_at: datetime | None
    extended_at: datetime | None
    extension_reason: str | None
    frozen_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str | None
    posted_until: datetime | None

    @property
    def rules(self) -> Mapping[str, Any]:
        return _loaded(self.rules_text)


@functools.lru_cache(maxsize=1024)
def _loaded(stored: str) -> Mapping[str, Any]:
    found: dict[str, Any] = orjson.loads(stored)
    return found


class _Head(NamedTuple):
    """Of a head of the roll, what its people see of it; stands for its model."""

    community_id: int
    decision_id: UUID
    id: UUID
    number: int
    label: str
    area_centi: int
    voter_id: UUID | None


class _House(NamedTuple):
    house_id: UUID
    label: str
    area_centi: int | None
    area_basis: str | None


class OwnDecision(NamedTuple):
    """A decision with what is hers in it. `key`: of everything else that is shown, which is the same for everybody.

    `entries`: of the frozen roll, `previews`: before. `login_counts`: that she opened it is proof for a head of hers
    and isn't noted yet. `cast_at`: of the last ballot of her heads.
    """

    decision: Decision
    key: str
    heads: list[HeadView]
    entries: list[Entry]
    previews: list[Preview]
    login_counts: bool
    cast_at: datetime | None


def of(resident_id: UUID, session_id: UUID, ref: Ref) -> OwnDecision | None:
    """The decision as she reads it; None where it takes more than this to say whether she may and what it shows: also
    where her login has ended.

    Not inside transaction() or reading(). One question more before the freeze: what the roll would say.
    """
    found = _PAGE.ask(
        {
            "community_id": ref.community_id,
            "decision_id": ref.id,
            "resident_id": resident_id,
            "session_id": session_id,
            "ahead": clock.ahead(),
        }
    )
    if found is None:
        return None
    now, is_proxy, said, rules_text, key, mine_text, heads_text = found
    row = _decision(ref, said, rules_text)
    mine = [bound.of_row(one, resident_id) for one in _listed(mine_text)]
    if is_proxy or not any(memberships.holds(m) and m.estate_id == row.estate_id for m in mine):
        return None
    if row.frozen_at is None:
        return _before_freeze(mine, row, key)
    on_roll = [_on_roll(ref, one) for one in _listed(heads_text)]
    ballots = [one.ballot for one in on_roll if one.ballot is not None]
    by = rules.of_text(rules_text)
    houses = [
        OnRoll(house.house_id, one.head.id, one.owners, one.is_merged, cast(RollHead, one.head))
        for one in on_roll
        for house in one.houses
    ]
    heads = own_heads.heads_plainly(resident_id, row, mine, houses, ballots, by, now)
    if heads is None:
        return None
    return OwnDecision(
        row,
        key,
        heads,
        _entries(mine, on_roll),
        [],
        by.login_is_delivery and _is_news(row, mine, on_roll),
        max((ballot.cast_at for ballot in ballots), default=None),
    )


def _before_freeze(mine: list[Membership], row: Decision, key: str) -> OwnDecision:
    previews = []
    owners = roll.owner_rows_in(mine, with_vote=False)
    if owners and row.cancelled_at is None:
        with db.reading():
            previews = roll.preview_for(owners, row)
    return OwnDecision(row, key, [], [], previews, login_counts=False, cast_at=None)


class _OnRoll(NamedTuple):
    """A head of the roll that she may have to do with."""

    head: _Head
    owners: Mapping[UUID, bool]
    is_merged: bool
    houses: list[_House]
    is_noted: bool
    ballot: CastBallot | None


def _on_roll(ref: Ref, row: list[Any]) -> _OnRoll:
    head_id = UUID(row[0])
    return _OnRoll(
        _Head(*ref, head_id, row[1], row[2], row[3], _id(row[4])),
        {UUID(owner): is_voter for owner, is_voter in (row[5] or {}).items()},
        bool(row[6]),
        [_House(UUID(house[0]), *house[1:]) for house in row[7]],
        row[8],
        _ballot(head_id, row[9]) if row[9] is not None else None,
    )


def _ballot(head_id: UUID, row: list[Any]) -> CastBallot:
    rev, leaf_hash, channel, cast_at, cast_by, paper_id, is_void, is_sealed = row
    return CastBallot(
        head_id,
        rev,
        bytes.fromhex(leaf_hash),
        channel,
        datetime.fromisoformat(cast_at),
        _id(cast_by),
        _id(paper_id),
        is_void,
        is_sealed,
    )


def _entries(mine: list[Membership], on_roll: list[_OnRoll]) -> list[Entry]:
    """As `roll.entries_of` finds them, weakly known owners as well."""
    owners = roll.owner_rows_in(mine, with_vote=False)
    return [
        Entry(
            cast(RollHead, one.head),
            roll.by_rooms(cast(list[RollHouse], one.houses)),
            any(is_voter for owner, is_voter in one.owners.items() if owner in owners),
        )
        for one in on_roll
        if not owners.isdisjoint(one.owners)
    ]


def _is_news(row: Decision, mine: list[Membership], on_roll: list[_OnRoll]) -> bool:
    """As `deliveries.login_counts` says it, by rules that take a login for proof."""
    if queries.status_of(row) is not DecisionStatus.OPEN:
        return False
    owners = roll.owner_rows_in(mine, with_vote=True)
    return any(not one.is_noted and not owners.isdisjoint(one.owners) for one in on_roll)


def _decision(ref: Ref, said: str, rules_text: str) -> Decision:
    estate_id, kind, title, status, mode, buildings, previous_id, *times = orjson.loads(said)
    announced, objections, opens, closes, first_closes, extended, why, frozen, cancelled, why_not, posted = (
        times
    )
    row = _Row(
        *ref,
        rules_text,
        UUID(estate_id),
        kind,
        title,
        status,
        mode,
        buildings,
        _id(previous_id),
        datetime.fromisoformat(announced),
        _time(objections),
        _time(opens),
        _time(closes),
        _time(first_closes),
        _time(extended),
        why,
        _time(frozen),
        _time(cancelled),
        why_not,
        _time(posted),
    )
    return cast(Decision, row)


def _listed(text: str | None) -> list[list[Any]]:
    found: list[list[Any]] = orjson.loads(text) if text is not None else []
    return found


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text is not None else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
