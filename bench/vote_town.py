"""The estate that `bench.vote` lets vote: every home with one owner who is bound to it, and logged in. All invented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from app import audit, clock, db, ids
from app.ids import Kind, Ref
from app.memberships.queries import INDEX_KIND
from app.people import tokens
from app.places import queries as places_queries
from app.places import service as places
from app.places.coordinates import Point
from app.places.models import RegionKind
from app.voting import roll
from app.voting.models import Decision, DecisionKind, DecisionStatus, LegalMode, Motion
from app.voting.rules import Rules

STREET, COMMUNITY = 20, 201
AREA = 9_000


class Owner(NamedTuple):
    """An owner with her home and her login."""

    house: UUID
    owner: UUID
    resident: UUID
    session: UUID
    membership: UUID


class Vote(NamedTuple):
    """An open decision, with the head of each owner."""

    ref: Ref
    motions: list[str]
    head_of: dict[UUID, UUID]  # by resident


def lay_out() -> Ref:
    """A street, a community, an estate."""
    since = places_queries.today().replace(year=places_queries.today().year - 1, day=1)
    with db.transaction() as session:
        for region, kind, parent in (
            (STREET, RegionKind.STREET, None),
            (COMMUNITY, RegionKind.COMMUNITY, STREET),
        ):
            places.add_region(
                region_id=region,
                kind=kind,
                name=f"{region}",
                parent_id=parent,
                since=since,
                acting_user=audit.SYSTEM,
            )
            session.flush()  # the community points to its street
        made = places.add_estate(
            community_id=COMMUNITY,
            name="大苑",
            centre=Point(106.5, 29.6),
            since=since,
            acting_user=audit.SYSTEM,
        )
    return Ref(COMMUNITY, made.id)


def people_in(
    dsn: str, estate: Ref, count: int, *, named: Iterator[UUID] | None = None, analysed: bool = True
) -> list[Owner]:
    """So many homes with their owners, written by COPY as the database's owner.

    `named`: the residents' ids. `analysed`: the database's statistics know of them.
    """
    now, since = clock.now(), places_queries.today() - timedelta(days=100)
    everyone = [Owner(*(ids.new_id() for _ in Owner._fields)) for _ in range(count)]
    if named is not None:
        everyone = [who._replace(resident=next(named)) for who in everyone]

    def homes() -> Iterator[dict[str, Any]]:
        for n, who in enumerate(everyone):
            number = f"{n:06d}"
            yield {"community_id": estate.community_id, "id": who.house, "estate_id": estate.id} | {
                "kind": "home",
                "number": number,
                "key": number,
                "registered_centi": AREA,
                "area_centi": AREA,
                "area_basis": "registered",
                "valid_from": since,
                "created_at": now,
                "updated_at": now,
            }

    def holdings() -> Iterator[dict[str, Any]]:
        for who in everyone:
            yield {"community_id": estate.community_id, "id": who.house, "house_id": who.house} | {
                "state": "owned",
                "voter_id": who.owner,
                "valid_from": since,
                "reason": "import",
                "created_at": now,
            }

    community = {"community_id": estate.community_id}
    with psycopg.connect(dsn) as connection:
        copy_rows(connection, "houses", homes())
        copy_rows(
            connection,
            "owners",
            (
                community
                | {"id": w.owner, "kind": "person", "name_sealed": b"-", "name_hash": w.owner.bytes}
                | {"created_at": now, "updated_at": now}
                for w in everyone
            ),
        )
        copy_rows(connection, "holdings", holdings())
        copy_rows(
            connection,
            "holding_owners",
            (community | {"holding_id": w.house, "owner_id": w.owner, "position": 0} for w in everyone),
        )
        copy_rows(
            connection,
            "residents",
            (
                {"id": w.resident, "openid_sealed": b"-", "created_at": now, "last_seen_at": now}
                for w in everyone
            ),
        )
        copy_rows(
            connection,
            "resident_sessions",
            (
                {"resident_id": w.resident, "id": w.session, "refresh_hash": b"-", "session_key_sealed": b"-"}
                | {"created_at": now, "rotated_at": now, "expires_at": now + timedelta(days=30)}
                for w in everyone
            ),
        )
        copy_rows(
            connection,
            "memberships",
            (
                community
                | {"id": w.membership, "house_id": w.house, "estate_id": estate.id, "resident_id": w.resident}
                | {"relation": "owner", "status": "verified", "voter_level": "strong", "basis": "papers"}
                | {"owner_id": w.owner, "name_sealed": b"-", "why": "[]"}
                | {"created_at": now, "updated_at": now}
                for w in everyone
            ),
        )
        copy_rows(
            connection,
            "resident_index",
            (
                {"resident_id": w.resident, "kind": INDEX_KIND, "object_id": w.membership, "updated_at": now}
                | community
                for w in everyone
            ),
        )
    if analysed:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
    return everyone


def copy_rows(connection: psycopg.Connection[Any], table: str, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows of one shape by COPY."""
    first = next(rows)
    columns = sql.SQL(", ").join(map(sql.Identifier, first))
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)) as copy,
    ):
        copy.write_row(list(first.values()))
        for row in rows:
            copy.write_row(list(row.values()))


def announced(
    estate: Ref, *, motions: int, mode: LegalMode = LegalMode.POLL, matter: int = 9
) -> tuple[Ref, list[Motion]]:
    """A decision that is announced, to be frozen and open for a day."""
    now = clock.now()
    ref = Ref(estate.community_id, ids.new_id())
    with db.transaction() as session:
        session.add(
            Decision(
                community_id=ref.community_id,
                id=ref.id,
                estate_id=estate.id,
                kind=DecisionKind.MEETING,
                title="表决",
                text="",
                legal_mode=mode,
                status=DecisionStatus.ANNOUNCED,
                rules=Rules(electronic_admitted=True).as_json(),
                texts_nonce="00" * 32,
                announced_at=now,
                opens_at=now,
                closes_at=now + timedelta(days=1),
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        rows = [
            Motion(
                community_id=ref.community_id,
                id=ids.new_id(),
                decision_id=ref.id,
                number=n + 1,
                matter=matter,
                title=f"议题{n + 1}",
                text="",
            )
            for n in range(motions)
        ]
        session.add_all(rows)
    return ref, rows


def open_vote(dsn: str, estate: Ref, everyone: list[Owner], *, motions: int = 2) -> Vote:
    """A decision whose roll is frozen by the real service, and which is open for a day."""
    ref, rows = announced(estate, motions=motions)
    with db.transaction():
        roll.freeze(ref, acting_user=audit.SYSTEM)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) roll_heads, roll_owners, roll_houses")
        rows_of_roll = connection.execute(
            "SELECT owner_id, head_id FROM roll_owners WHERE community_id = %s AND decision_id = %s", ref
        ).fetchall()
        heads: dict[UUID, UUID] = {row[0]: row[1] for row in rows_of_roll}
    return Vote(
        ref,
        [ids.encode(Kind.MOTION, Ref(ref.community_id, motion.id)) for motion in rows],
        {who.resident: heads[who.owner] for who in everyone},
    )


def access_tokens(everyone: list[Owner], secret: str) -> dict[UUID, str]:
    """The access token of each, for an hour and more."""
    return {
        who.resident: tokens.access_token(who.resident, who.session, secret=secret, seconds=7200)
        for who in everyone
    }
