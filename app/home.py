"""The first screen of the mini-program, in two statements whatever there is: what lies with the resident herself, and
what lies with the communities that this names. What a decision, a notice and a published period say is the same for
everybody who reads it: the process keeps it under the version that the second statement names, and one statement more
asks for what it hasn't met yet.

40,000 open it within minutes of a text message. What the rows say is judged by the code of the domains; only who may
cast is left to theirs (`own_heads.open_for`, some more statements) where a plain look at the roll doesn't say it:
somebody acts as a proxy, has bought or sold since the freeze, or turned out to be an owner under another row.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

import orjson

from app import clock, db, ids, meters
from app.errors import NotFound
from app.ids import Ref
from app.memberships import bound
from app.memberships import queries as memberships
from app.memberships.models import OPEN, Membership
from app.people.errors import BadToken
from app.people.queries import LOGIN_HOLDS
from app.places import queries as places
from app.places.coordinates import Point
from app.tickets.lines import CONCERNS, LINE, Line, line_of
from app.tickets.moves import OPEN as OPEN_TICKETS
from app.voting import own_heads, rules
from app.voting.models import Decision
from app.voting.own_heads import MyBallot
from app.voting.rules import Rules
from app.voting.standing import LastBallot, OnRoll

K = TypeVar("K")
V = TypeVar("V")

TICKETS, DECISIONS, NOTICES = 5, 5, 3  # what fits without scrolling
EXCERPT = 240  # characters of a notice's text, for its first words
_REPORTED_LAST = 20  # as many of her tickets name estates to her

_HERSELF = db.Plain(
    f"""
    SELECT {LOGIN_HOLDS}, r.nickname_sealed, r.phone_sealed, r.phone_verified_at, r.created_at,
           (SELECT count(*) FROM inbox AS b WHERE b.resident_id = :resident_id AND b.read_at IS NULL),
           coalesce(i.kinds, '{{}}'), coalesce(i.communities, '{{}}'), coalesce(i.objects, '{{}}')
    FROM residents AS r
    LEFT JOIN (
        SELECT array_agg(i.kind::text ORDER BY i.updated_at DESC, i.object_id DESC)::text AS kinds,
               array_agg(i.community_id ORDER BY i.updated_at DESC, i.object_id DESC)::text AS communities,
               array_agg(i.object_id ORDER BY i.updated_at DESC, i.object_id DESC)::text AS objects
        FROM resident_index AS i
        WHERE i.resident_id = :resident_id AND i.kind IN ('membership', 'ticket')
    ) AS i ON true
    WHERE r.id = :resident_id
    """  # noqa: S608  a constant of people
)

_MINE = """m.community_id, m.id, m.house_id, m.estate_id, m.relation, m.status, m.review, m.voter_level,
               m.owner_id, m.valid_to, m.vote_held_until, m.updated_at,
               m.status = 'verified' AND (m.valid_to IS NULL OR m.valid_to > :today) AS holds"""
_HOUSES = """
         JOIN estates AS e ON e.community_id = m.community_id AND e.id = m.estate_id
         JOIN houses AS h ON h.community_id = m.community_id AND h.id = m.house_id
         LEFT JOIN buildings AS b ON b.community_id = h.community_id AND b.id = h.building_id
         LEFT JOIN units AS u ON u.community_id = h.community_id AND u.id = h.unit_id
"""
_OPEN_NOW = """d.status IN ('announced', 'open') AND d.frozen_at IS NOT NULL
           AND d.opens_at <= clock_timestamp() + :ahead AND d.closes_at > clock_timestamp() + :ahead"""
_HOUSE = f"{bound.COLUMNS}, h.building_id, e.name, b.name, u.name, h.number"


def _shown(estate: str, mine: str = "") -> str:
    """What is open, told and published in the estate shown, and how far she is with it. `estate`: what names it, and
    `mine`: what lists her memberships `m`, where the statement around it knows of more than one.

    She reads a notice in a community where she lives or reports (`notices.reading`), so her index names it.
    """
    of, here = (f"{estate} AS here,", "here") if mine else ("", estate)
    return f"""
        (SELECT json_agg(json_build_array(
                    d.id, d.version, d.xmin::text,
                    EXISTS (SELECT FROM proxies AS p
                            WHERE p.community_id = d.community_id AND p.decision_id = d.id
                              AND p.resident_id = :resident_id AND p.status IN ('pending', 'approved')),
                    (SELECT json_agg(json_build_array(
                                h.house_id, h.head_id, o.owners, o.is_merged, c.rev, c.channel, c.cast_by, c.is_void))
                     FROM {mine} roll_houses AS h
                     CROSS JOIN LATERAL (
                         SELECT json_object_agg(o.owner_id, o.is_voter) AS owners,
                                bool_or(w.same_as IS NOT NULL) AS is_merged
                         FROM roll_owners AS o
                         LEFT JOIN owners AS w ON w.community_id = d.community_id AND w.id = o.owner_id
                         WHERE o.community_id = d.community_id AND o.decision_id = d.id AND o.head_id = h.head_id
                     ) AS o
                     LEFT JOIN LATERAL (
                         SELECT b.rev, b.channel, b.cast_by,
                                b.paper_id IS NOT NULL
                                AND EXISTS (SELECT FROM paper_ballots AS p
                                        WHERE p.community_id = d.community_id AND p.id = b.paper_id
                                          AND p.invalid_reason IS NOT NULL) AS is_void
                         FROM ballots AS b
                         WHERE b.community_id = d.community_id AND b.decision_id = d.id AND b.head_id = h.head_id
                         ORDER BY b.rev DESC LIMIT 1
                     ) AS c ON true
                     WHERE m.community_id = d.community_id
                       AND h.community_id = d.community_id AND h.decision_id = d.id AND h.house_id = m.house_id)
                ))
         FROM {of} decisions AS d
         WHERE d.community_id = {here}.community_id AND d.estate_id = {here}.estate_id
           AND {_OPEN_NOW})::text,
        (SELECT json_agg(json_build_array(
                    n.community_id, n.id, n.version, p.buildings, r.read_at, r.finished_at
                ) ORDER BY p.listed_at DESC, p.notice_id DESC)
         FROM (
             SELECT p.notice_community_id, p.notice_id, p.listed_at, array_agg(p.building_id) AS buildings
             FROM {of} notice_places AS p
             WHERE p.community_id = {here}.community_id AND p.estate_id = {here}.estate_id
               AND p.listed_at IS NOT NULL
             GROUP BY p.listed_at, p.notice_id, p.notice_community_id
             ORDER BY p.listed_at DESC, p.notice_id DESC
             LIMIT {NOTICES}
         ) AS p
         JOIN notices AS n ON n.community_id = p.notice_community_id AND n.id = p.notice_id
         LEFT JOIN LATERAL (
             SELECT r.read_at, r.finished_at FROM notice_reads AS r
             WHERE r.community_id = {"m.community_id" if not mine else "ANY(:communities::bigint[])"}
               AND r.notice_id = n.id AND r.resident_id = :resident_id AND r.notice_community_id = n.community_id
             ORDER BY r.read_at LIMIT 1
         ) AS r ON true)::text,
        (SELECT s.period_id
         FROM {of} revenue_statements AS s
         WHERE s.community_id = {here}.community_id AND s.estate_id = {here}.estate_id
         ORDER BY s.seq DESC LIMIT 1)
    """  # noqa: S608  names and numbers of this program alone


# `hers`: the estates she may mean, the one shown first: the one she chose, those where she lives, the latest first,
# those she reported in. A notice may lie with another community than the estate it is told in; its place says which.
_THERE = db.Plain(
    f"""
    WITH wanted AS MATERIALIZED (
        SELECT w.kind, w.community_id, w.id, row_number() OVER (PARTITION BY w.kind ORDER BY w.place) AS place
        FROM unnest(:kinds::text[], :communities::bigint[], :objects::uuid[])
             WITH ORDINALITY AS w(kind, community_id, id, place)
    ), mine AS MATERIALIZED (
        SELECT {_MINE}
        FROM wanted AS w
        JOIN memberships AS m ON m.community_id = w.community_id AND m.id = w.id
        WHERE w.kind = 'membership' AND m.community_id = ANY(:communities::bigint[])
    ), hers AS MATERIALIZED (
        SELECT h.community_id, h.estate_id, min(h.place) AS place
        FROM (
            SELECT :chosen_in::bigint AS community_id, :chosen::uuid AS estate_id, 0 AS place
            WHERE :chosen::uuid IS NOT NULL
            UNION ALL
            SELECT m.community_id, m.estate_id, row_number() OVER (ORDER BY m.updated_at DESC, m.id DESC)
            FROM mine AS m WHERE m.holds
            UNION ALL
            SELECT t.community_id, t.estate_id, 1000000 + w.place
            FROM wanted AS w
            JOIN tickets AS t ON t.community_id = w.community_id AND t.id = w.id
            WHERE w.kind = 'ticket' AND w.place <= {_REPORTED_LAST} AND t.estate_id IS NOT NULL
        ) AS h
        GROUP BY h.community_id, h.estate_id
    ), shown AS MATERIALIZED (
        SELECT h.community_id, h.estate_id FROM hers AS h ORDER BY h.place LIMIT 1
    )
    SELECT
        (SELECT json_agg(json_build_array(
                    h.community_id, h.estate_id, e.name, e.address, e.lng, e.lat, r.name
                ) ORDER BY h.place)
         FROM hers AS h
         LEFT JOIN estates AS e ON e.community_id = h.community_id AND e.id = h.estate_id
         LEFT JOIN regions AS r ON r.id = h.community_id)::text,
        (SELECT json_agg(json_build_array({_HOUSE}) ORDER BY m.updated_at DESC, m.id DESC)
         FROM mine AS m {_HOUSES})::text,
        (SELECT json_agg(o.line ORDER BY o.updated_at DESC, o.id DESC)
         FROM (
             SELECT {LINE} AS line, t.updated_at, t.id
             FROM (
                 SELECT t.* FROM wanted AS w
                 JOIN tickets AS t ON t.community_id = w.community_id AND t.id = w.id
                 WHERE w.kind = 'ticket' AND t.status = ANY(:open) AND {CONCERNS}
                 ORDER BY t.updated_at DESC, t.id DESC
                 LIMIT {TICKETS}
             ) AS t
         ) AS o)::text,
        {_shown("shown", "mine AS m,")}
    """  # noqa: S608  names and numbers of this program alone
)

# The same for who has never reported anything, as most people haven't, and chose no estate: the estates are those of
# her houses. A plan costs as much as there is in it, also of what finds nothing; arrays are hidden (docs/adr/0047).
_AT_HOME = db.Plain(
    f"""
    WITH mine AS MATERIALIZED (
        SELECT {_MINE}
        FROM unnest((SELECT :communities::bigint[]), (SELECT :objects::uuid[])) AS w(community_id, id)
        JOIN memberships AS m ON m.community_id = w.community_id AND m.id = w.id
        WHERE m.community_id = ANY((SELECT :communities::bigint[])::bigint[])
    ), shown AS MATERIALIZED (
        SELECT m.community_id, m.estate_id FROM mine AS m
        WHERE m.holds ORDER BY m.updated_at DESC, m.id DESC LIMIT 1
    )
    SELECT
        NULL,
        (SELECT json_agg(json_build_array({_HOUSE}, m.holds, e.address, e.lng, e.lat, r.name)
                         ORDER BY m.updated_at DESC, m.id DESC)
         FROM mine AS m {_HOUSES}
         LEFT JOIN regions AS r ON r.id = m.community_id)::text,
        NULL,
        {_shown("shown", "mine AS m,")}
    """  # noqa: S608  names and numbers of this program alone
)

# And for the most common of these, who is bound to one house and has never been to another.
_AT_HER_HOUSE = db.Plain(
    f"""
    SELECT
        NULL,
        json_build_array(json_build_array({_HOUSE},
            m.status = 'verified' AND (m.valid_to IS NULL OR m.valid_to > :today),
            e.address, e.lng, e.lat, r.name))::text,
        NULL,
        {_shown("m")}
    FROM memberships AS m {_HOUSES}
    LEFT JOIN regions AS r ON r.id = m.community_id
    WHERE m.community_id = :community_id::bigint AND m.id = :object_id::uuid
    """  # noqa: S608  names and numbers of this program alone
)

# What all its readers see alike, of those that the process hasn't met yet. A decision is named by its version and by
# the transaction that wrote its row last (`xmin`), so nobody who changes one has to know of this.
_SAID = db.Plain(
    f"""
    SELECT
        (SELECT json_agg(json_build_array(
                    n.community_id, n.id, n.version, n.kind, n.title, left(n.text, {EXCERPT}), n.areas,
                    n.published_at, n.revision))
         FROM unnest(:communities::bigint[], :notices::uuid[]) AS w(community_id, id)
         JOIN notices AS n ON n.community_id = w.community_id AND n.id = w.id
         WHERE n.community_id = ANY(:communities::bigint[]))::text,
        (SELECT json_agg(json_build_array(
                    d.id, d.version, d.xmin::text, d.kind, d.title, d.status, d.legal_mode, d.rules::text, d.frozen_at,
                    d.announced_at, d.opens_at, d.closes_at))
         FROM unnest(:decisions::uuid[]) AS w(id)
         JOIN decisions AS d ON d.community_id = :community_id AND d.id = w.id AND d.estate_id = :estate_id
         WHERE {_OPEN_NOW})::text,
        (SELECT json_build_array(
                    s.period_id, s.first_day, s.last_day, s.income_fen, s.cost_fen, s.uses_fen, s.fund_fen,
                    s.closing_fen, s.published_at)
         FROM revenue_statements AS s
         WHERE s.community_id = :community_id AND s.estate_id = :estate_id AND s.period_id = :period_id)::text
    """  # noqa: S608  a number of this program alone
)


class Herself(NamedTuple):
    """What lies with the resident; nickname and phone sealed, as her row holds them."""

    id: UUID
    nickname_sealed: bytes | None
    phone_sealed: bytes | None
    phone_verified_at: datetime | None
    created_at: datetime
    unread: int


@dataclass(frozen=True, eq=False, slots=True)
class HomeEstate:
    """An estate of hers. `point` is WGS-84. One object for as long as it is called so."""

    ref: Ref
    name: str
    address: str | None
    point: Point
    community: str


class HomeMembership(NamedTuple):
    """A house she is bound to or waits for. `house`: 锦绣花园 1栋1单元101."""

    ref: Ref
    house_id: Ref
    estate_id: Ref
    house: str
    relation: str
    status: str
    voter_level: str | None


class HomeVote(NamedTuple):
    """An open decision of the estate shown, and how far she is with it."""

    decision: Decision
    my_ballot: MyBallot


@dataclass(frozen=True, eq=False, slots=True)
class NoticeText:
    """What a notice says to everybody. `text` is its beginning. One object for as long as it says so."""

    ref: Ref
    version: int
    kind: str
    title: str
    text: str
    areas: tuple[str, ...]
    published_at: datetime
    revision: int


class HomeNotice(NamedTuple):
    """A notice of the estate shown. `for_me`: one of her doors is among its places."""

    said: NoticeText
    for_me: bool
    read_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, eq=False, slots=True)
class HomeRevenue:
    """The period published last, in fen. One object for each."""

    period_id: Ref
    first_day: str
    last_day: str
    income_fen: int
    cost_fen: int
    uses_fen: int
    fund_fen: int
    closing_fen: int
    published_at: datetime


class Home(NamedTuple):
    """What the first screen shows. `estates`: the first one is the one shown."""

    me: Herself
    estates: list[HomeEstate]
    memberships: list[HomeMembership]
    tickets: list[Line]
    votes: list[HomeVote]
    notices: list[HomeNotice]
    revenue: HomeRevenue | None


def of(resident_id: UUID, session_id: UUID, *, chosen: Ref | None = None) -> Home:
    """The first screen of a resident whose login holds, for the estate she chose or her own first one.

    Not inside transaction() or reading(). Raises BadToken, NotFound (the account or the estate is none).
    """
    who = {"resident_id": resident_id, "session_id": session_id}
    row = _HERSELF.ask(who)
    if row is None or not row[0]:
        raise BadToken
    kinds, communities, objects = row[6:9]
    is_at_home = chosen is None and _TICKET not in kinds
    # As the database writes an array: {103}, and of an id without quotes.
    is_at_one = is_at_home and kinds == _ONE_MEMBERSHIP
    there = (_AT_HER_HOUSE if is_at_one else _AT_HOME if is_at_home else _THERE).ask(
        who
        | {
            "community_id": communities[1:-1] if is_at_one else None,
            "object_id": objects[1:-1] if is_at_one else None,
            "kinds": kinds,
            "communities": communities,
            "objects": objects,
            "chosen_in": chosen.community_id if chosen is not None else None,
            "chosen": chosen.id if chosen is not None else None,
            "today": places.today(),
            "ahead": clock.ahead(),
            "open": _OPEN_TICKETS,
        }
    )
    if there is None:
        there = _NOTHING  # the membership that the index names has gone
    hers, mine, lines, decisions, told = [
        orjson.loads(part) if part is not None else [] for part in there[:5]
    ]
    if chosen is not None and hers[0][2] is None:
        raise NotFound
    if is_at_home:
        hers = _of_houses(mine)
    estates = [_estate(*one) for one in hers if one[2] is not None]
    shown = Ref(hers[0][0], ids.of_text(hers[0][1])) if hers else None
    if shown is None:
        decisions = told = []  # of a house where she isn't bound any more
    bonds = [bound.of_row(one, resident_id) for one in mine]
    doors = {
        one[11]
        for m, one in zip(bonds, mine, strict=True)
        if memberships.holds(m) and shown == (m.community_id, m.estate_id)
    }
    period = Ref(shown.community_id, there[5]) if shown is not None and there[5] is not None else None
    said = _said(shown, decisions, told, period)
    return Home(
        Herself(resident_id, *row[1:6]),
        estates,
        [_bound(m, one) for m, one in zip(bonds, mine, strict=True) if memberships.status_of(m) in OPEN],
        [line_of(line) for line in lines],
        _votes(resident_id, shown, decisions, said.decisions, bonds, is_bound=bool(doors))
        if shown is not None and decisions
        else [],
        [_notice(text, one, doors) for text, one in zip(said.notices, told, strict=True) if text is not None],
        said.revenue,
    )


_TICKET = "ticket"
_ONE_MEMBERSHIP = "{membership}"
_NOTHING = (None,) * 6


def _of_houses(mine: list[list[Any]]) -> list[list[Any]]:
    """The estates of the houses to which she is bound, as the other statement lists them."""
    found: dict[tuple[int, str], list[Any]] = {}
    for row in mine:
        if row[_HOLDS]:
            found.setdefault((row[0], row[3]), [row[0], row[3], row[12], *row[_HOLDS + 1 :]])
    return list(found.values())


_HOLDS = 16  # where `_AT_HOME` says it, and the rest of the estate follows
_OPEN_TICKETS = sorted(OPEN_TICKETS)
_at = datetime.fromisoformat


@functools.lru_cache(maxsize=1024)  # all who live there read the same
def _estate(
    community_id: int,
    named: str,
    name: str,
    address: str | None,
    lng: float,
    lat: float,
    community: str | None,
) -> HomeEstate:
    return HomeEstate(Ref(community_id, UUID(named)), name, address, Point(lng, lat), community or "")


def _bound(m: Membership, row: list[Any]) -> HomeMembership:
    return HomeMembership(
        Ref(m.community_id, m.id),
        Ref(m.community_id, m.house_id),
        Ref(m.community_id, m.estate_id),
        f"{row[12]} {row[13] or ''}{row[14] or ''}{row[15]}",
        m.relation,
        memberships.status_of(m),
        memberships.level_of(m),
    )


def _notice(text: NoticeText, row: list[Any], doors: set[str | None]) -> HomeNotice:
    """`doors`: the buildings of her houses in the estate; None of a house that stands in none."""
    buildings = row[3]
    return HomeNotice(
        text,
        (bool(doors) and None in buildings) or not doors.isdisjoint(buildings),
        _at(row[4]) if row[4] is not None else None,
        _at(row[5]) if row[5] is not None else None,
    )


# --- what all see alike, kept under its version ----------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class OpenDecision:
    """Of an open decision, what is shown and what it is judged by; stands for its model. One object for as long as the
    row says the same.
    """

    community_id: int
    id: UUID
    estate_id: UUID
    kind: str
    title: str
    status: str
    legal_mode: str
    rules: Rules
    frozen_at: datetime
    announced_at: datetime | None
    opens_at: datetime
    closes_at: datetime


class _Said(NamedTuple):
    """What the things say that the second statement named, in its order; None of what has gone meanwhile."""

    decisions: list[OpenDecision | None]
    notices: list[NoticeText | None]
    revenue: HomeRevenue | None


_MOST = 1024  # of each; a notice to a whole street holds some 3 KB
_open: dict[tuple[int, str, int, str], OpenDecision] = {}  # by community, id, version and `xmin`
_texts: dict[tuple[int, str, int], NoticeText] = {}  # by community, id and version: each change counts one
_periods: dict[Ref, HomeRevenue] = {}  # what is published stays (docs/adr/0039)
_keeping = threading.Lock()


def _said(shown: Ref | None, decisions: list[list[Any]], told: list[list[Any]], period: Ref | None) -> _Said:
    """What is kept of them, and what isn't yet by one statement more."""
    if shown is None:
        return _Said([], [], None)
    here = shown.community_id
    said = _Said(
        [_open.get((here, one[0], one[1], one[2])) for one in decisions],
        [_texts.get((one[0], one[1], one[2])) for one in told],
        _periods.get(period) if period is not None else None,
    )
    asks = None in said.decisions or None in said.notices or (period is not None and said.revenue is None)
    meters.add(meters.CACHE, "first screen", "miss" if asks else "hit")
    return _asked(shown, decisions, told, period, said) if asks else said


def _asked(
    shown: Ref, decisions: list[list[Any]], told: list[list[Any]], period: Ref | None, said: _Said
) -> _Said:
    here = shown.community_id
    votes = [one[0] for one, known in zip(decisions, said.decisions, strict=True) if known is None]
    notices = [one for one, known in zip(told, said.notices, strict=True) if known is None]
    found = _SAID.ask(
        {
            "communities": [one[0] for one in notices],
            "notices": "{" + ",".join(one[1] for one in notices) + "}",
            "community_id": here,
            "estate_id": shown.id,
            "decisions": "{" + ",".join(votes) + "}",
            "ahead": clock.ahead(),
            "period_id": period.id if period is not None else None,
        }
    )
    assert found is not None  # it is one row, always
    told_now = {(row[0], row[1]): _text(row) for row in orjson.loads(found[0] or b"[]")}
    rows = orjson.loads(found[1] or b"[]")
    open_now = {row[0]: _decision(shown, row) for row in rows}
    revenue = said.revenue
    if period is not None and found[2] is not None:
        row = orjson.loads(found[2])
        first_day, last_day, income, cost, uses, fund, closing = row[1:8]
        revenue = HomeRevenue(period, first_day, last_day, income, cost, uses, fund, closing, _at(row[8]))
    with _keeping:
        # By the version they were read with: they may have changed since the other statement.
        for row in rows:
            _keep(_open, (here, row[0], row[1], row[2]), open_now[row[0]])
        for key, text in told_now.items():
            _keep(_texts, (*key, text.version), text)
        if period is not None and revenue is not None:
            _keep(_periods, period, revenue)
    return _Said(
        [known or open_now.get(one[0]) for one, known in zip(decisions, said.decisions, strict=True)],
        [known or told_now.get((one[0], one[1])) for one, known in zip(told, said.notices, strict=True)],
        revenue,
    )


def _decision(estate: Ref, row: list[Any]) -> OpenDecision:
    return OpenDecision(
        estate.community_id,
        UUID(row[0]),
        estate.id,
        row[3],
        row[4],
        row[5],
        row[6],
        rules.of_text(row[7]),
        _at(row[8]),
        _at(row[9]) if row[9] is not None else None,
        _at(row[10]),
        _at(row[11]),
    )


def _text(row: list[Any]) -> NoticeText:
    return NoticeText(
        Ref(row[0], UUID(row[1])),
        row[2],
        row[3],
        row[4],
        row[5],
        tuple(area["name"] for area in row[6]),
        _at(row[7]),
        row[8],
    )


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    while len(kept) >= _MOST:
        del kept[next(iter(kept))]
    kept[key] = value


# --- votes -----------------------------------------------------------------------------------------------


def _votes(
    resident_id: UUID,
    estate: Ref,
    rows: list[list[Any]],
    said: list[OpenDecision | None],
    mine: list[Membership],
    *,
    is_bound: bool,
) -> list[HomeVote]:
    """The open votes as `own_heads.open_for` finds them."""
    here = [m for m in mine if m.community_id == estate.community_id]
    found = []
    for row, one in zip(rows, said, strict=True):
        if one is None:
            continue
        decision = cast(Decision, one)
        houses = row[4] or ()
        seen = None
        if not row[3]:  # no proxy's
            on_roll = [_on_roll(house) for house in houses]
            ballots = {
                house.head_id: _ballot(r)
                for house, r in zip(on_roll, houses, strict=True)
                if r[4] is not None
            }
            seen = own_heads.plainly(resident_id, decision, here, on_roll, ballots, one.rules)
        if seen is None:
            with db.reading():
                votes = own_heads.open_for(resident_id, estate)[:DECISIONS]
            return [HomeVote(vote.decision, vote.my_ballot) for vote in votes]
        if seen.is_hers or is_bound:
            found.append(HomeVote(decision, seen.my_ballot))
    return sorted(found, key=lambda vote: own_heads.turn(*vote))[:DECISIONS]


def _on_roll(row: list[Any]) -> OnRoll:
    owners = {ids.of_text(owner): is_voter for owner, is_voter in (row[2] or {}).items()}
    return OnRoll(ids.of_text(row[0]), ids.of_text(row[1]), owners, bool(row[3]))


def _ballot(row: list[Any]) -> LastBallot:
    return LastBallot(row[5], ids.of_text(row[6]) if row[6] is not None else None, row[7])
