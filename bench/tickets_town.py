"""The street that `bench.tickets` measures: laid out by the real services, its year of tickets written by SQL.

What is invented: everything. Half a million tickets in a year are ten times what such a street has. Words are the
labelled sentences of `app/tickets/data` with a building and an entrance before them, so a word occurs as often as in
those; two rare words are planted. Events have the kinds, the order and the times of real stories, and no sealed
words. Referred tickets have no successor. Chance is seeded: each run makes the same street, ending at the present.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from app import clock, db
from app.audit import SYSTEM
from app.ids import Ref
from app.people import passwords
from app.people import service as people
from app.people.models import Role
from app.places import queries as places_queries
from app.places import service as places
from app.places.coordinates import Point
from app.places.models import OrgKind, RegionKind
from app.tickets import stints, suggest

STREET = 10
COMMUNITIES = tuple(range(101, 111))
ESTATES = 34
KEEPERS = 9
RESIDENTS = 40_000
PASSWORD = "a bench of half a million"
TABLES = (
    "tickets",
    "ticket_events",
    "ticket_stints",
    "photos",
    "ticket_parts",
    "ticket_callbacks",
    "ticket_followers",
)
COMMON_WORD, RARE_WORD, RARE_LETTER = "路灯", "火烈鸟", "鹮"

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Street:
    """What the measurements need to know."""

    estates: list[Ref] = field(default_factory=list)
    centres: list[Point] = field(default_factory=list)
    grids: list[Ref] = field(default_factory=list)
    keepers: list[UUID] = field(default_factory=list)
    handlers: list[UUID] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)  # role → account


def lay_out() -> Street:
    """Ten communities, 34 estates of a keeper each, a grid for each estate, and one of each kind of staff."""
    street = Street()
    since = places_queries.today().replace(year=places_queries.today().year - 2, day=1)
    with db.transaction() as session:
        _region(STREET, RegionKind.STREET, None, since)
        office = _org(OrgKind.STREET_OFFICE, "街道办", STREET)
        street.keepers = [_org(OrgKind.PROPERTY_COMPANY, f"第{n}物业", STREET) for n in range(KEEPERS)]
        desks = {}
        for community in COMMUNITIES:
            _region(community, RegionKind.COMMUNITY, STREET, since)
            desks[community] = _org(OrgKind.COMMUNITY_COMMITTEE, f"{community}居委会", community)
        session.flush()
        for n in range(ESTATES):
            community, centre = (
                COMMUNITIES[n % len(COMMUNITIES)],
                Point(106.5 + n % 6 * 0.006, 29.6 + n // 6 * 0.006),
            )
            made = places.add_estate(
                community_id=community,
                name=f"{n + 1}号小区",
                centre=centre,
                since=since,
                acting_user=SYSTEM,
                outline=_square(centre),
            )
            estate = Ref(community, made.id)
            grid = places.add_grid(
                community_id=community,
                code=f"{n:02d}",
                name=f"第{n}网格",
                covers=[estate],
                since=since,
                acting_user=SYSTEM,
            )
            session.flush()
            places.make_responsible(
                community_id=community,
                org_id=street.keepers[n % KEEPERS],
                estate_id=made.id,
                since=since,
                acting_user=SYSTEM,
            )
            street.estates.append(estate)
            street.centres.append(centre)
            street.grids.append(Ref(community, grid.id))
        secret = passwords.hash_password(PASSWORD)
        for role, org, region, where in (
            (Role.STREET, office, STREET, None),
            (Role.COMMUNITY, desks[COMMUNITIES[0]], COMMUNITIES[0], None),
            (Role.GRID, desks[COMMUNITIES[0]], None, street.grids[0]),
            *((Role.PROPERTY, keeper, None, None) for keeper in street.keepers for _ in range(3)),
        ):
            account = f"{role}-{len(street.handlers)}" if role is Role.PROPERTY else str(role)
            staff = people.add_staff(account=account, name=account, password=PASSWORD, acting_user=SYSTEM)
            staff.password_hash = secret  # hashed once, not once an account
            people.grant_role(
                staff_id=staff.id,
                role=role,
                org_id=org,
                since=since,
                acting_user=SYSTEM,
                region_id=region,
                grid=where,
            )
            street.accounts.setdefault(role, account)
            if role is Role.PROPERTY:
                street.handlers.append(staff.id)
    return street


def _region(region_id: int, kind: RegionKind, parent_id: int | None, since: date) -> None:
    places.add_region(
        region_id=region_id,
        kind=kind,
        name=f"{region_id}{'街道' if kind is RegionKind.STREET else '社区'}",
        parent_id=parent_id,
        since=since,
        acting_user=SYSTEM,
    )


def _org(kind: OrgKind, name: str, region_id: int) -> UUID:
    return places.add_org(kind=kind, name=name, region_id=region_id, acting_user=SYSTEM).id


def _square(centre: Point) -> dict[str, object]:
    half = 0.0025
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    ring = [[centre.lng + x * half, centre.lat + y * half] for x, y in corners]
    return {"type": "Polygon", "coordinates": [ring]}


# --- a year of tickets -----------------------------------------------------------------------------------

# A UUIDv7 of a moment and a number, as `app.ids.new_id` makes them: ids sort by time.
_ID: LiteralString = """
CREATE FUNCTION pg_temp.id_at(at timestamptz, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3)
          || '8' || substr(h, 4, 15))::uuid FROM (SELECT md5(n::text)) AS made(h)
$$
"""

_PLACES: LiteralString = """
CREATE TEMP TABLE town AS
SELECT n - 1 AS n, e.community_id, e.id AS estate_id, g.grid_id, e.lng, e.lat, r.org_id AS keeper,
       (SELECT array_agg(staff_id) FROM staff_roles s WHERE s.org_id = r.org_id) AS handlers
  FROM unnest(%(estates)s::uuid[]) WITH ORDINALITY AS wanted(id, n)
  JOIN estates e USING (id)
  JOIN grid_covers g ON g.community_id = e.community_id AND g.estate_id = e.id
  JOIN responsibilities r ON r.community_id = e.community_id AND r.estate_id = e.id
"""

_WORDS: LiteralString = """
CREATE TEMP TABLE said AS
SELECT n - 1 AS n, code, words, count(*) OVER () AS of
  FROM unnest(%(codes)s::text[], %(words)s::text[]) WITH ORDINALITY AS given(code, words, n)
"""

# What chance decides about each ticket, one row each. `fate`: how it ends; `lasts`: when, unless it is stuck.
_CHANCE: LiteralString = """
CREATE TEMP TABLE chance AS
SELECT n, %(now)s::timestamptz - '365 days'::interval * (1 - n::float8 / %(count)s) AS at,
       floor(34 * power(random(), 1.3))::int AS place, floor(power(random(), 2) * %(said)s)::int AS said,
       CASE WHEN f < 0.9 THEN 'closed' WHEN f < 0.93 THEN 'rejected' WHEN f < 0.95 THEN 'withdrawn'
            WHEN f < 0.99 THEN 'merged' ELSE 'referred' END AS fate,
       CASE WHEN f < 0.9 THEN -ln(1 - random()) * '36 hours'::interval ELSE random() * '3 hours'::interval END AS lasts,
       random() < 0.001 AS stuck, random() < 0.03 AS urgent, random() AS way, random() AS u, random() AS v,
       random() AS w, (array['mini_program','mini_program','mini_program','mini_program','mini_program','phone','phone',
         'visit','patrol','patrol','hotline','hotline','mailbox','camera','sensor','drone','other'])
         [1 + floor(17 * random())::int] AS channel, floor(power(random(), 1.5) * %(residents)s)::int AS who
  FROM (SELECT n, random() AS f FROM generate_series(1, %(count)s) AS each(n)) AS drawn
"""

# Where it stands now: those that are not through yet are somewhere on their way (`far`, from 0 to 1).
_STANDING: LiteralString = """
CREATE TEMP TABLE standing AS
SELECT *, CASE WHEN ended THEN fate WHEN far < 0.05 THEN 'received' WHEN far < 0.1 THEN 'accepted'
       WHEN fate <> 'closed' THEN 'accepted' WHEN far < 0.25 THEN 'dispatched'
       WHEN far < 0.8 THEN CASE WHEN v < 0.1 THEN 'suspended' WHEN v < 0.13 THEN 'returned' ELSE 'in_progress' END
       WHEN far < 0.9 THEN 'resolved' ELSE 'verified' END AS status
  FROM (SELECT c.*, at + lasts <= %(now)s AND NOT stuck AS ended,
               CASE WHEN stuck THEN 0.1 + 0.9 * u
                    ELSE least(1, extract(epoch FROM %(now)s - at) / extract(epoch FROM lasts)) END AS far
          FROM chance c) AS c
"""

_TICKETS: LiteralString = """
INSERT INTO tickets (community_id, id, number, status, channel, category_code, is_urgent, text, text_check, answers,
  reporter_id, is_anonymous, estate_id, grid_id, lng, lat, accuracy_m, address, org_id, dispatch_why, handler_id,
  resolver_id, reported_at, accepted_at, dispatched_at, started_at, resolved_at, verified_at, closed_at, ended_at,
  first_resolved_at, accept_by, dispatch_by, due_at, standing_since, standing_until, watch_at, closer_org_id,
  rating_stars, rating_solved, rated_at, returns, version, last_seq, updated_at)
SELECT t.community_id, pg_temp.id_at(at, s.n),
       format('BS%%s-%%s-%%s', lpad(t.community_id::text, 4, '0'),
              to_char(at AT TIME ZONE 'Asia/Shanghai', 'YY'), lpad(s.n::text, 6, '0')),
       status, channel, CASE WHEN w < 0.97 THEN code END, urgent,
       1 + floor(u * 20)::int || '栋' || 1 + floor(v * 4)::int || '单元，' || words
         || CASE WHEN s.n %% 50000 = 25000 THEN '，看到一只火烈鸟'
                 WHEN s.n %% 50000 = 35000 THEN '，有只朱鹮' ELSE '' END,
       CASE WHEN channel = 'mini_program' THEN 'passed' ELSE 'none' END, '{}',
       CASE WHEN channel = 'mini_program' THEN md5('resident ' || who)::uuid END, w < 0.1,
       CASE WHEN u < 0.98 THEN t.estate_id END, CASE WHEN u < 0.98 THEN t.grid_id END,
       -- Many stand at the same few spots: the gate, the garage, the square.
       CASE WHEN way < 0.6 THEN t.lng + (floor(v * 5) - 2) * 0.0008 + (w - 0.5) * 0.0003 END,
       CASE WHEN way < 0.6 THEN t.lat + (floor(u * 5) - 2) * 0.0008 + (v * 5 - floor(v * 5) - 0.5) * 0.0003 END,
       CASE WHEN way < 0.6 THEN 15 END,
       CASE WHEN way < 0.5 THEN '海尔路 ' || t.n + 1 || ' 号 ' || 1 + floor(u * 20)::int || '栋' END,
       CASE WHEN sent THEN t.keeper END, CASE WHEN sent THEN 'estate' END,
       CASE WHEN worked THEN handlers[1 + floor(u * array_length(handlers, 1))::int] END,
       CASE WHEN done THEN handlers[1 + floor(u * array_length(handlers, 1))::int] END,
       at, CASE WHEN status <> 'received' AND fate = 'closed' THEN at + lasts * 0.05 END,
       CASE WHEN sent THEN at + lasts * 0.1 END, CASE WHEN worked THEN at + lasts * 0.25 END,
       CASE WHEN done THEN at + lasts * 0.8 END,
       CASE WHEN status IN ('verified', 'closed') THEN at + lasts * 0.9 END,
       CASE WHEN status = 'closed' THEN at + lasts END, CASE WHEN ended THEN at + lasts END,
       CASE WHEN done THEN at + lasts * 0.8 END,
       at + '10 minutes'::interval, at + '15 minutes'::interval, due_at,
       CASE WHEN status = 'suspended' THEN least(%(now)s, at + lasts * 0.5) END,
       CASE WHEN status = 'suspended' THEN %(now)s + '3 days'::interval END,
       CASE WHEN NOT ended THEN due_at - '2 hours'::interval END, CASE WHEN status = 'closed' THEN t.keeper END,
       CASE WHEN rated THEN 5 - floor(4.9 * power(v, 3))::int END, CASE WHEN rated THEN v < 0.95 END,
       CASE WHEN rated THEN at + lasts * 1.05 END,
       CASE WHEN status = 'returned' THEN 1 ELSE 0 END, 8, 20, at + lasts * least(far, 1)
  FROM (SELECT *, fate = 'closed' AND status NOT IN ('received', 'accepted') AS sent,
               fate = 'closed' AND status NOT IN ('received', 'accepted', 'dispatched') AS worked,
               status IN ('resolved', 'verified', 'closed') AS done,
               status = 'closed' AND channel = 'mini_program' AND u < 0.7 AS rated,
               at + CASE WHEN urgent THEN '24 hours'::interval ELSE '72 hours'::interval END AS due_at
          FROM standing) AS s
  JOIN town t ON t.n = s.place JOIN said ON said.n = s.said
 ORDER BY s.n
"""

# The story of each ticket: what happened, at which part of its time, seen by whom, done by whom.
_EVENTS: LiteralString = """
INSERT INTO ticket_events (community_id, id, ticket_id, seq, at, kind, from_status, to_status, visibility,
                           actor_kind, actor_id, org_id, data)
SELECT t.community_id, pg_temp.id_at(t.reported_at + lasts * part, s.n * 16 + seq), t.id, seq,
       t.reported_at + lasts * part, kind, before, after, CASE WHEN inner_word THEN 'internal' ELSE 'reporter' END,
       CASE WHEN by_reporter AND t.reporter_id IS NOT NULL THEN 'resident' ELSE 'staff' END,
       CASE WHEN by_reporter THEN t.reporter_id ELSE t.handler_id END,
       CASE WHEN kind IN ('dispatch', 'start', 'resolve', 'verify') THEN t.org_id END,
       CASE WHEN kind IN ('report', 'accept', 'category') THEN jsonb_build_object('limit', jsonb_build_object(
              'amount', CASE WHEN t.is_urgent THEN 24 ELSE 72 END, 'unit', 'hours'))
            WHEN kind = 'dispatch' THEN '{"why": "estate"}'
            WHEN kind = 'close' THEN jsonb_build_object('due_at', t.due_at)
            WHEN kind = 'rating' THEN jsonb_build_object('stars', t.rating_stars, 'solved', t.rating_solved)
            ELSE '{}' END
  FROM standing s
  JOIN tickets t ON t.community_id = (SELECT community_id FROM town WHERE n = s.place)
                AND t.id = pg_temp.id_at(s.at, s.n)
  CROSS JOIN LATERAL (SELECT row_number() OVER () AS seq, * FROM (VALUES
    ('report', NULL, 'received', 0, true, false, true),
    ('accept', 'received', 'accepted', 0.05, false, false, t.accepted_at IS NOT NULL),
    ('category', 'accepted', 'accepted', 0.06, false, true, t.accepted_at IS NOT NULL AND s.u < 0.3),
    ('dispatch', 'accepted', 'dispatched', 0.1, false, false, t.dispatched_at IS NOT NULL),
    ('comment', 'dispatched', 'dispatched', 0.12, false, true, t.dispatched_at IS NOT NULL AND s.v < 0.5),
    ('start', 'dispatched', 'in_progress', 0.25, false, false, t.started_at IS NOT NULL),
    ('comment', 'in_progress', 'in_progress', 0.3, true, false, t.started_at IS NOT NULL AND s.w < 0.4),
    ('comment', 'in_progress', 'in_progress', 0.4, false, false, t.started_at IS NOT NULL AND s.way < 0.45),
    ('suspend', 'in_progress', 'suspended', 0.5, false, false, t.status = 'suspended'),
    ('return', 'in_progress', 'returned', 0.5, false, true, t.status = 'returned'),
    ('resolve', 'in_progress', 'resolved', 0.8, false, false, t.resolved_at IS NOT NULL),
    ('verify', 'resolved', 'verified', 0.9, false, false, t.verified_at IS NOT NULL),
    ('close', 'verified', 'closed', 1, false, false, t.closed_at IS NOT NULL),
    ('rating', 'closed', 'closed', 1.05, true, false, t.rated_at IS NOT NULL),
    (CASE t.status WHEN 'rejected' THEN 'reject' WHEN 'withdrawn' THEN 'withdraw' WHEN 'merged' THEN 'merge'
          ELSE 'refer' END, 'received', t.status, 1, t.status = 'withdrawn', false,
     t.status IN ('rejected', 'withdrawn', 'merged', 'referred'))
    ) AS story(kind, before, after, part, by_reporter, inner_word, so) WHERE so) AS told
"""

_REST: tuple[LiteralString, ...] = (
    # What a search finds them by, as `app.tickets.letters` writes it of words without capitals.
    r"""
    INSERT INTO ticket_letters (community_id, ticket_id, pieces)
    SELECT community_id, id, array_remove(string_to_array(string_agg(
               regexp_replace(words, '(.)', head, 'g') || chr(31)
               || regexp_replace(left(words, length(words) / 2 * 2), '(..)', head, 'g') || chr(31)
               || regexp_replace(substr(words, 2, (length(words) - 1) / 2 * 2), '(..)', head, 'g'), chr(31))
             || chr(31) || coalesce(community_id || 'class ' || category_code, ''), chr(31)), '')
      FROM (SELECT community_id, id, category_code, community_id || '\1' || chr(31) AS head, words
              FROM tickets CROSS JOIN LATERAL
                   (VALUES (lower(number)), (lower(text)), (coalesce(address, ''))) AS said(words)) AS t
     GROUP BY community_id, id, category_code
    """,
    # What the figures are counted from, as `app.tickets.stints` reads it from these events (`differing` compares).
    """
    INSERT INTO ticket_stints (community_id, ticket_id, seq, first_at, touched_at, received_at, accepted_at,
      dispatched_at, due_at, checked_at, closed_at, verdict_at, total_s, first_s, outcome, out, verdict,
      is_accepted_in_time, is_dispatched_in_time, is_returned, is_supervised, is_closed_in_time, is_standing, is_failed,
      is_reopened, is_rated, is_called_back, is_repeated, org_id, handler_id, accepter_id, dispatcher_id, estate_id,
      grid_id, category_code, channel, status)
    SELECT community_id, id, 1,
           least(reported_at, accepted_at, dispatched_at, due_at, verified_at, closed_at, verdict_at),
           greatest(reported_at, accepted_at, dispatched_at, due_at, verified_at, closed_at, verdict_at),
           reported_at, accepted_at, dispatched_at, due_at, verified_at, closed_at, verdict_at,
           trunc(extract(epoch FROM closed_at - accepted_at)),
           CASE WHEN closed_at IS NOT NULL THEN trunc(extract(epoch FROM first_resolved_at - accepted_at)) END,
           left_out << 28 | CASE WHEN accepted_soon THEN 1 ELSE 2 END
             | (CASE WHEN accepted_at IS NULL THEN 0 WHEN status = 'closed' THEN 1 ELSE 2 END << 4)
             | (CASE WHEN dispatched_at IS NULL THEN 0
                     ELSE 1 + sent_soon::int + 2 * (status = 'returned')::int END << 8)
             | (CASE WHEN closed_at <= due_at THEN 1 WHEN closed_at IS NOT NULL THEN 2
                     WHEN standing THEN 5 ELSE 3 END << 12)
             | (CASE WHEN verified_at IS NULL THEN 0 ELSE 1 END << 16)
             | (CASE WHEN closed_at IS NULL THEN 0 ELSE 1 + (verdict IS NOT NULL)::int END << 20)
             | (coalesce(verdict, 0) << 24),
           left_out, verdict, accepted_soon, sent_soon, status = 'returned', false,
           coalesce(closed_at <= due_at, false), standing, false, false, verdict IS NOT NULL, false, false, org_id,
           handler_id,
           CASE WHEN accepted_at IS NOT NULL THEN handler_id END,
           CASE WHEN dispatched_at IS NOT NULL THEN handler_id END, estate_id, grid_id, category_code, channel, status
      FROM (SELECT t.*, coalesce(accepted_at <= reported_at + '3 minutes'::interval, false) AS accepted_soon,
                   coalesce(dispatched_at <= accepted_at + '5 minutes'::interval, false) AS sent_soon,
                   coalesce(closed_at IS NULL AND standing_since <= due_at, false) AS standing,
                   CASE WHEN rating_stars IS NULL THEN NULL WHEN rating_stars <= 2 OR NOT rating_solved THEN 3
                        WHEN rating_stars = 3 THEN 2 ELSE 1 END AS verdict,
                   CASE WHEN rating_stars IS NOT NULL THEN rated_at END AS verdict_at,
                   CASE status WHEN 'withdrawn' THEN 2 WHEN 'rejected' THEN 3 WHEN 'merged' THEN 4
                               WHEN 'referred' THEN 5 ELSE 0 END AS left_out
              FROM tickets t) AS read
    """,
    # Photos of every fifth report, and of every fifth repair.
    """
    INSERT INTO photos (community_id, id, object_kind, object_id, stage, position, owner_kind, owner_id, status,
                        check_state, sha256, width, height, attached_at)
    SELECT community_id, pg_temp.id_at(at, row_number() OVER ()), 'ticket', id, stage, 0,
           CASE WHEN stage = 'before' THEN 'resident' ELSE 'staff' END, coalesce(reporter_id, id), 'ready', 'passed',
           sha256(convert_to(id::text || stage, 'UTF8')), 1600, 1200, at
      FROM (SELECT community_id, id, reporter_id, 'before' AS stage, reported_at AS at FROM tickets
             WHERE substr(md5(id::text), 1, 2) < '34'
            UNION ALL
            SELECT community_id, id, reporter_id, 'after', resolved_at FROM tickets
             WHERE resolved_at IS NOT NULL AND substr(md5(id::text), 3, 2) < '34') AS shown
    """,
    # Three in a hundred have a second unit called in.
    """
    INSERT INTO ticket_parts (community_id, id, ticket_id, org_id, kind, task, added_at)
    SELECT t.community_id, pg_temp.id_at(t.dispatched_at, row_number() OVER ()), t.id, unit.org_id, unit.kind,
           '共同处理', t.dispatched_at
      FROM tickets t CROSS JOIN LATERAL (
           SELECT t.org_id, 'lead' AS kind
           UNION ALL SELECT (SELECT keeper FROM town WHERE keeper <> t.org_id
                              ORDER BY md5(keeper::text || t.id::text) LIMIT 1), 'assist') AS unit
     WHERE t.dispatched_at IS NOT NULL AND substr(md5(t.id::text), 5, 2) < '08'
    """,
    # A third of those that are to be called back have been.
    """
    INSERT INTO ticket_callbacks (community_id, id, ticket_id, stars, solved, by, at)
    SELECT community_id, pg_temp.id_at(closed_at, row_number() OVER ()), id, 4, true, handler_id,
           closed_at + '1 day'::interval
      FROM tickets WHERE closed_at IS NOT NULL AND substr(md5(id::text), 1, 2) < '08'
    """,
    """
    INSERT INTO ticket_followers (community_id, ticket_id, resident_id, joined_at)
    SELECT community_id, id, md5('follower ' || id)::uuid, reported_at FROM tickets
     WHERE substr(md5(id::text), 7, 2) < '06'
    """,
)


def fill(dsn: str, street: Street, count: int) -> dict[str, int]:
    """Write `count` tickets and all that belongs to them as the owner; rows by table. Every constraint holds."""
    sentences = suggest.sentences()
    given = {
        "now": clock.now(),
        "count": count,
        "said": len(sentences),
        "residents": RESIDENTS,
        "estates": [e.id for e in street.estates],
        "codes": [s.label for s in sentences],
        "words": [s.text for s in sentences],
    }
    with psycopg.connect(dsn, autocommit=True) as connection:
        for setting in ("synchronous_commit = off", "work_mem = '256MB'", "maintenance_work_mem = '512MB'"):
            connection.execute(f"SET {setting}".encode())
        connection.execute("SELECT setseed(0.42)")
        for statement in (_ID, _PLACES, _WORDS, _CHANCE, _STANDING):
            connection.execute(statement, given)
        connection.execute("ANALYZE town; ANALYZE said; ANALYZE standing")
        with _bare(connection, "ticket_events"):
            with _bare(connection, "tickets"):
                with _timed("tickets"):
                    connection.execute(_TICKETS, given)
                connection.execute("ANALYZE tickets")
            with _timed("events"):
                connection.execute(_EVENTS, given)
        with _bare(connection, "ticket_letters"), _timed("photos and the rest"):
            for statement in _REST:
                connection.execute(statement)
        connection.execute(
            """
            INSERT INTO number_counters (community_id, year, last)
            SELECT DISTINCT community_id, extract(year FROM %(now)s::timestamptz)::int, %(count)s + 1 FROM tickets
            """,
            given,
        )
        with _timed("vacuum, analyze"):
            for table in TABLES:
                connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
        counted = {table: _count(connection, table) for table in TABLES}
        overdue = sql.SQL("ended_at IS NULL AND due_at < least(now(), standing_since)")
        return counted | {
            "open": _count(connection, "tickets", sql.SQL("ended_at IS NULL")),
            "overdue": _count(connection, "tickets", overdue),
        }


def differing() -> int:
    """How many of the newest tickets of a community have other rows for the figures than their events give them."""
    since = clock.now() - timedelta(days=2)
    with db.reading():
        found, _ = stints.drift(COMMUNITIES[0], since=since)
    return len(found.differing)


def _count(connection: Connection, table: str, where: sql.SQL | None = None) -> int:
    question = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(
        sql.Identifier(table), where or sql.SQL("true")
    )
    row = connection.execute(question).fetchone()
    return row[0] if row else 0


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"  {what}: {time.monotonic() - began:.0f} s", flush=True)


@contextmanager
def _bare(connection: Connection, table: str) -> Iterator[None]:
    """The table without foreign keys and indexes (but its key, where others point to it) within the block.

    They are put back as they were, which checks every row, and much sooner than row by row.
    """
    constraints = connection.execute(
        """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint c
         WHERE conrelid = %s::regclass AND contype IN ('f', 'u', 'p')
           AND NOT EXISTS (SELECT FROM pg_constraint o
                            WHERE o.conindid = c.conindid AND o.contype = 'f' AND c.contype <> 'f')
         ORDER BY contype = 'f'
        """,
        [table],
    ).fetchall()
    indexes = connection.execute(
        """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
         WHERE indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
        """,
        [table],
    ).fetchall()
    place = sql.Identifier(table)
    for name, _ in constraints:
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(place, sql.Identifier(name)))
    for name, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    yield
    with _timed(f"indexes and keys of {table}"):
        for _, definition in indexes:
            connection.execute(definition.encode())
        for name, definition in constraints:
            head = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(place, sql.Identifier(name))
            connection.execute(head.as_bytes(connection) + definition.encode())


def new_ticket_moment(share: float) -> UUID:
    """The id a ticket would have that was reported when this share of the year had passed; to start a page at."""
    seconds = clock.now().timestamp() - 365 * 86400 * (1 - share)
    return UUID(int=math.floor(seconds * 1000) << 80 | 0x7 << 76 | 0b10 << 62)
