"""After the load: is everything that was acknowledged there, and once?"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from app.ids import Kind, decode_ref
from tests.load.street import Street

_OPEN: Mapping[str, LiteralString] = {
    "ballots not in their log": (
        "SELECT (SELECT count(*) FROM ballots)"
        " - (SELECT count(*) FROM ballot_leaves WHERE head_id IS NOT NULL)"
    ),
    "promises due": "SELECT count(*) FROM outbox WHERE state = 'open' AND not_before <= now()",
    "pushes waiting": "SELECT count(*) FROM sms_inbound WHERE state = 'waiting'",
    "photos in the making": "SELECT count(*) FROM uploads WHERE status = 'processing'",
}


@dataclass
class Count:
    """Of one kind: how many were acknowledged, how many of them aren't there, how many are there too often."""

    acknowledged: int = 0
    lost: int = 0
    double: int = 0


def wait_settled(dsn: str, patience_s: float) -> tuple[float, dict[str, int]]:
    """(seconds until nothing was left to do behind the requests, what was still left when patience ended)."""
    began = time.monotonic()
    with psycopg.connect(dsn, autocommit=True) as connection:
        while True:
            left = {name: _one(connection, question) for name, question in _OPEN.items()}
            left = {name: count for name, count in left.items() if count}
            if not left or time.monotonic() - began > patience_s:
                return time.monotonic() - began, left | _promises(connection)
            time.sleep(0.5)


def _promises(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """What is still promised, by its kind."""
    rows = connection.execute(
        "SELECT kind, count(*) FROM outbox WHERE state = 'open' AND not_before <= now() GROUP BY kind"
    ).fetchall()
    return {f"of these {kind}": many for kind, many in rows}


def _one(connection: psycopg.Connection[Any], question: LiteralString) -> int:
    row = connection.execute(question).fetchone()
    return int(row[0]) if row else 0


Said = Mapping[str, Sequence[Mapping[str, Any]]]


def recount(
    dsn: str, street: Street, said: Said, pushes: Sequence[Mapping[str, str]], since: datetime
) -> dict[str, Count]:
    """By kind. `said`: the lines of the clients by their kind; `pushes`: what the vendors had to tell; `since`: when
    the load began.
    """
    owner_of = {street.name(n): who.resident for n, (_, who) in enumerate(street.owners)}
    with psycopg.connect(dsn, autocommit=True) as connection:
        return {
            "ballots": ballots(connection, said),
            "reports": reports(connection, owner_of, said, since),
            "photos": photos(connection, said),
            "moves": moves(connection, said, since),
            "receipts": receipts(connection, said, pushes),
        }


def ballots(connection: psycopg.Connection[Any], said: Said) -> Count:
    """Each receipt is the hash of one leaf of its decision's log; no head has a second ballot."""
    count = Count()
    given = Counter((one["decision"], one["head"], one["receipt"]) for one in said["ballot"])
    count.acknowledged = len(given)
    logged = Counter(
        connection.execute(
            "SELECT community_id, decision_id, head_id, encode(leaf_hash, 'hex') FROM ballot_leaves"
            " WHERE head_id IS NOT NULL"
        ).fetchall()
    )
    for decision, head, receipt in given:
        home, decision_id = decode_ref(Kind.DECISION, decision)
        count.lost += logged[home, decision_id, decode_ref(Kind.HEAD, head).id, receipt] != 1
    heads = Counter(key[:3] for key in logged.elements())
    count.double = sum(many - 1 for many in heads.values())
    return count


def reports(
    connection: psycopg.Connection[Any], owner_of: Mapping[str, UUID], said: Said, since: datetime
) -> Count:
    """Each is the ticket that its tap was told; nobody of those who came has more new tickets than she tapped for."""
    tapped: dict[Any, set[str]] = defaultdict(set)
    for one in said["try"]:
        if one["what"] == "report":
            tapped[owner_of[one["name"]]].add(one["token"])
    count = Count(acknowledged=len(said["report"]))
    rows = connection.execute(
        "SELECT c.resident_id, c.token, t.community_id, t.id FROM client_tokens c"
        " JOIN tickets t ON t.community_id = c.community_id AND t.id = c.ticket_id WHERE c.created_at >= %s",
        [since],
    ).fetchall()
    found = {(who, token): (home, id_) for who, token, home, id_ in rows}
    for one in said["report"]:
        there = found.get((owner_of[one["name"]], one["token"]))
        count.lost += there != tuple(decode_ref(Kind.TICKET, one["ticket"]))
    made = connection.execute(
        "SELECT reporter_id, count(*) FROM tickets WHERE reported_at >= %s AND reporter_id = ANY(%s)"
        " GROUP BY reporter_id",
        [since, list(set(owner_of.values()))],
    ).fetchall()
    count.double = sum(max(0, many - len(tapped[who])) for who, many in made)
    return count


def photos(connection: psycopg.Connection[Any], said: Said) -> Count:
    """Each is at the ticket that it was sent with, and at no other."""
    count = Count(acknowledged=sum(len(one["photos"]) for one in said["report"]))
    rows = connection.execute(
        "SELECT community_id, object_id, count(*) FROM photos WHERE stage = 'before' GROUP BY 1, 2"
    ).fetchall()
    at = {(home, ticket): many for home, ticket, many in rows}
    for one in said["report"]:
        ref = decode_ref(Kind.TICKET, one["ticket"])
        there = at.get((ref.community_id, ref.id), 0)
        count.lost += max(0, len(one["photos"]) - there)
        count.double += max(0, there - len(one["photos"]))
    return count


def moves(connection: psycopg.Connection[Any], said: Said, since: datetime) -> Count:
    """Each has its event in the ticket's timeline; none has more events than somebody sent it."""
    done = Counter((one["ticket"], one["move"]) for one in said["move"])
    tried = Counter((one["ticket"], one["move"]) for one in said["try"] if one["what"] == "move")
    rows = connection.execute(
        "SELECT community_id, ticket_id, kind, count(*) FROM ticket_events WHERE at >= %s AND actor_kind = 'staff'"
        " GROUP BY 1, 2, 3",
        [since],
    ).fetchall()
    events = {(home, ticket, kind): many for home, ticket, kind, many in rows}
    count = Count(acknowledged=done.total())
    for (ticket, move), sent in tried.items():
        many = events.get((*decode_ref(Kind.TICKET, ticket), move), 0)
        count.lost += max(0, done[ticket, move] - many)
        count.double += max(0, many - sent)
    return count


def receipts(connection: psycopg.Connection[Any], said: Said, pushes: Sequence[Mapping[str, str]]) -> Count:
    """Each message whose fate was told is delivered; all pushes together were news as often as there are messages."""
    told = set()
    for one in said["receipts"]:
        push = pushes[one["number"]]
        name = "biz_id" if push["vendor"] == "aliyun" else "sid"
        phone = "phone_number" if push["vendor"] == "aliyun" else "mobile"
        told |= {(push["vendor"], entry[name], entry[phone]) for entry in json.loads(push["body"])}
    delivered = _one(connection, "SELECT count(*) FROM sms_messages WHERE state = 'delivered'")
    news = _one(connection, "SELECT coalesce(sum(known), 0) FROM sms_inbound")
    return Count(
        acknowledged=len(told),
        lost=max(0, len(told) - delivered),
        double=max(0, news - delivered) + max(0, delivered - len(told)),
    )
