"""The full street that `bench.bff` reads: 34 estates, 49,800 homes, 78,000 residents, two years of books."""

from __future__ import annotations

import hashlib
import itertools
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from app import clock, ids
from app.ids import Kind, Ref
from app.memberships.queries import INDEX_KIND
from bench import revenue_town, tickets_town, vote_town
from bench.revenue_town import Books
from bench.vote_town import Owner, Vote
from tools import servers

HOMES, RESIDENTS, TICKETS, MONTHS = 49_800, 78_000, 100_000, 24
NOTICES = 6


@dataclass
class Town:
    """What the measurements need to know. `votes`: the open decision of each estate."""

    street: tickets_town.Street
    books: list[Books] = field(default_factory=list)
    owners: dict[Ref, list[Owner]] = field(default_factory=dict)
    votes: dict[Ref, Vote] = field(default_factory=dict)

    @property
    def everyone(self) -> list[tuple[Ref, Owner]]:
        """Owners of all estates in turn, with the estate of each."""
        each = ([(estate, who) for who in some] for estate, some in self.owners.items())
        return [one for some in itertools.zip_longest(*each) for one in some if one is not None]


def _named() -> Iterator[UUID]:
    """The residents, by the names that `tickets_town` gives to those who report."""
    for number in itertools.count():
        yield UUID(hashlib.md5(f"resident {number}".encode(), usedforsecurity=False).hexdigest())


def fill(pg: servers.Postgres, database: str, *, share: float = 1.0) -> Town:
    """The street with everything in it; `share` of its size. Only notices are still to be published (`tell`)."""
    owner = pg.url("owner", database)
    town = Town(tickets_town.lay_out())
    rows = tickets_town.fill(owner, town.street, int(TICKETS * share))
    print("generated: " + ", ".join(f"{number:,} {name}" for name, number in rows.items()), flush=True)
    names = _named()
    count = int(HOMES * share) // len(town.street.estates)
    for estate in town.street.estates:
        town.owners[estate] = vote_town.people_in(owner, estate, count, named=names, analysed=False)
    _families(owner, town, int((RESIDENTS - HOMES) * share), names)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO resident_index (resident_id, kind, community_id, object_id, updated_at)"
            " SELECT reporter_id, 'ticket', community_id, id, updated_at FROM tickets"
            " WHERE reporter_id IS NOT NULL"
        )
        connection.execute("VACUUM (ANALYZE)")
    for estate, some in town.owners.items():
        town.votes[estate] = vote_town.open_vote(owner, estate, some)
    town.books = revenue_town.fill(pg.url("superuser", database), MONTHS, town.street)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    homes = sum(len(some) for some in town.owners.values())
    print(f"generated: {homes:,} homes, {len(town.votes)} open decisions", flush=True)
    return town


def _families(dsn: str, town: Town, count: int, names: Iterator[UUID]) -> None:
    """Further residents, each bound to an owner's home."""
    now = clock.now()
    homes = itertools.islice(town.everyone, count)
    rows: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = []
    for (estate, owner), resident in zip(homes, names, strict=False):
        membership = ids.new_id()
        at = {"created_at": now, "updated_at": now}
        rows.append(
            (
                {"id": resident, "openid_sealed": b"-", "created_at": now, "last_seen_at": now},
                {"community_id": estate.community_id, "id": membership, "house_id": owner.house}
                | {
                    "estate_id": estate.id,
                    "resident_id": resident,
                    "relation": "family",
                    "status": "verified",
                }
                | {"voter_level": "weak", "basis": "papers", "name_sealed": b"-", "why": "[]", **at},
                {"resident_id": resident, "kind": INDEX_KIND, "object_id": membership}
                | {"updated_at": now, "community_id": estate.community_id},
            )
        )
    with psycopg.connect(dsn) as connection:
        for number, table in enumerate(("residents", "memberships", "resident_index")):
            vote_town.copy_rows(connection, table, (row[number] for row in rows))


def tell(base: str, street: tickets_town.Street, *, code: str | None = None) -> None:
    """Publish notices to every estate, as the street's office does it. `code`: of its authenticator, if it has one."""
    body = {"account": street.accounts["street"], "password": tickets_town.PASSWORD}
    if code is not None:
        body["totp"] = code
    token = _post(f"{base}/admin/api/v1/session", body)["token"]
    areas = [ids.encode(Kind.ESTATE, estate) for estate in street.estates]
    for number in range(NOTICES):
        draft = {"kind": "works", "title": f"通知{number + 1}", "text": "周三停水，请提前储水。" * 20}
        made = _post(f"{base}/admin/api/v1/notices", draft | {"area_ids": areas}, token)
        path = f"{base}/admin/api/v1/notices/{made['notice_id']}/publish"
        _post(path, {}, token, version=made["version"])


def _post(url: str, body: dict[str, Any], token: str = "", *, version: int | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if version is not None:
        headers["If-Match"] = f'"{version}"'
    asked = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
