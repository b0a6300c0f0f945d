"""A resident's tickets as lines of a list, asked in the few statements that everybody sends who opens the mini-program.

What a line shows of other tables is asked on the way; no row is loaded whole, and nothing is asked line by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app import db
from app.ids import Ref
from app.people.queries import LOGIN_HOLDS
from app.places import queries as places
from app.tickets.models import TicketStatus
from app.tickets.queries import INDEX_KIND

# What a line shows of the ticket `t`, in the order of `line_of`. A class is called as it is today, or was last; one
# that is still to begin by what it will be called only when there is no other. The picture is the first that can be
# shown (`media.is_shown`).
LINE = """
    json_build_array(
        t.community_id, t.id, t.number, t.status, t.category_code,
        (SELECT c.name FROM category_terms AS c WHERE c.code = t.category_code
         ORDER BY c.valid_from <= :today DESC, c.valid_from DESC LIMIT 1),
        t.text, t.is_urgent,
        (SELECT e.name FROM estates AS e WHERE e.community_id = t.community_id AND e.id = t.estate_id),
        t.reported_at, t.updated_at, t.accept_by, t.dispatch_by, t.due_at,
        (SELECT p.id FROM photos AS p
         WHERE p.community_id = t.community_id AND p.object_kind = 'ticket' AND p.object_id = t.id
           AND p.status <> 'refused' AND p.check_state <> 'risky'
         ORDER BY p.stage DESC, p.attached_at, p.position LIMIT 1),
        t.reporter_id IS NOT DISTINCT FROM :resident_id,
        CASE WHEN t.reporter_id IS DISTINCT FROM :resident_id THEN
            (SELECT c.is_public FROM category_terms AS c WHERE c.code = t.category_code AND c.valid_from <= :today
             ORDER BY c.valid_from DESC LIMIT 1)
        END
    )
"""
# Whether the ticket `t` is hers, or she has the same problem (`queries.audience`): she joined it or what was merged
# into it, at any depth, or reported that.
CONCERNS = """(
    t.reporter_id = :resident_id
    OR t.me_too > 0 AND EXISTS (
        WITH RECURSIVE below AS (
            SELECT t.id
            UNION
            SELECT m.id FROM below JOIN tickets AS m ON m.community_id = t.community_id AND m.merged_into = below.id
        )
        SELECT FROM below
        WHERE EXISTS (
            SELECT FROM ticket_followers AS f
            WHERE f.community_id = t.community_id AND f.ticket_id = below.id AND f.resident_id = :resident_id
        ) OR EXISTS (
            SELECT FROM tickets AS own
            WHERE own.community_id = t.community_id AND own.id = below.id AND own.reporter_id = :resident_id
        )
    )
)"""


class Line(NamedTuple):
    """A ticket as a list shows it to one resident. `photo_id`: what its thumbnail is of."""

    ref: Ref
    number: str
    status: str
    category: str | None
    category_name: str | None
    text: str | None
    is_urgent: bool
    estate_name: str | None
    reported_at: datetime
    updated_at: datetime
    accept_by: datetime
    dispatch_by: datetime
    due_at: datetime
    photo_id: UUID | None
    is_own: bool
    is_public: bool  # of somebody else's: others may be told of it


def line_of(row: Sequence[Any]) -> Line:
    """What `LINE` gave."""
    at = datetime.fromisoformat
    return Line._make(
        [
            Ref(row[0], UUID(row[1])),
            *row[2:9],
            at(row[9]),
            at(row[10]),
            at(row[11]),
            at(row[12]),
            at(row[13]),
            UUID(row[14]) if row[14] is not None else None,
            row[15],
            bool(row[16]),
        ]
    )


class Lines(NamedTuple):
    """Lines of one page and where the next one starts (None: the end)."""

    lines: list[Line]
    after: tuple[datetime, UUID] | None


_INDEX = db.Plain(
    f"""
    SELECT {LOGIN_HOLDS}, json_agg(json_build_array(i.community_id, i.object_id, i.updated_at))::text
    FROM (
        SELECT i.community_id, i.object_id, i.updated_at
        FROM resident_index AS i
        WHERE i.resident_id = :resident_id AND i.kind = '{INDEX_KIND}'
          AND (i.updated_at, i.object_id) < (:at::timestamptz, :id::uuid)
        ORDER BY i.updated_at DESC, i.object_id DESC
        LIMIT :most
    ) AS i
    """  # noqa: S608  names of this program alone
)
_LINES = db.Plain(
    f"""
    SELECT json_agg(json_build_array(w.place, {LINE}))::text
    FROM unnest((SELECT :communities::bigint[]), (SELECT :tickets::uuid[]))
         WITH ORDINALITY AS w(community_id, id, place)
    JOIN tickets AS t ON t.community_id = w.community_id AND t.id = w.id
    WHERE t.community_id = ANY((SELECT :communities::bigint[])::bigint[])
      AND t.status = ANY((SELECT :statuses::text[])::text[]) AND {CONCERNS}
    """  # noqa: S608  as above
)
_FIRST = ("infinity", "ffffffff-ffff-ffff-ffff-ffffffffffff")


def mine(
    resident_id: UUID,
    session_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    statuses: frozenset[str] | None = None,
) -> Lines | None:
    """My tickets and those I follow, wherever they are, latest change first; `statuses` narrows. None where the login
    of whoever asks has ended.

    A ticket that was referred shows where it went on; by itself only when asked for.
    """
    wanted = sorted(statuses or frozenset(TicketStatus) - {TicketStatus.REFERRED})
    who = {"resident_id": resident_id, "session_id": session_id, "most": limit + 1}
    kept: list[Line] = []
    while True:
        at, id_ = (before[0].isoformat(), str(before[1])) if before is not None else _FIRST
        row = _INDEX.ask(who | {"at": at, "id": id_})
        if row is None or not row[0]:
            return None
        entries = orjson.loads(row[1]) if row[1] is not None else []
        found = _shown(resident_id, entries, wanted)
        for place, (_, ticket_id, updated_at) in enumerate(entries, 1):
            if place in found:
                if len(kept) == limit:
                    return Lines(kept, before)
                kept.append(found[place])
            before = datetime.fromisoformat(updated_at), UUID(ticket_id)
        if len(entries) <= limit:
            return Lines(kept, None)


def _shown(resident_id: UUID, entries: list[list[Any]], statuses: list[str]) -> dict[int, Line]:
    if not entries:
        return {}
    row = _LINES.ask(
        {
            "resident_id": resident_id,
            "today": places.today(),
            "communities": [entry[0] for entry in entries],
            "tickets": "{" + ",".join([entry[1] for entry in entries]) + "}",
            "statuses": statuses,
        }
    )
    lines = orjson.loads(row[0]) if row is not None and row[0] is not None else []
    return {place: line_of(line) for place, line in lines}
