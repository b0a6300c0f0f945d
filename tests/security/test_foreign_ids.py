"""Ids of another street's things (IDOR), in every place where an id can be written: each is refused, and nothing is
written.

The places are read from the schemas and paths of the endpoints, so that a new one is tried or named here. The ids in
the paths of the staff face are asked as every role in tests/structure/test_permission_matrix.py as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from app import ids
from app.ids import OF_COMMUNITY, Kind
from app.people.models import Role
from tests.conftest import House, Town
from tests.security import doors
from tests.security.intruder import Intruder, ids_in
from tests.security.story import NOT_TOLD, Story, done, told
from tests.structure.test_permission_matrix import Home, build_home

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
# Places that take the id of anything in the city, and why.
OPEN_TO_ALL = {
    ("POST /bff/v1/tickets", "estate_id"): "whoever stands before a broken lamp reports it, wherever she lives",
    ("POST /bff/v1/tickets/<ref(tkt):ref>/join", "<ref>"): "whoever sees the same joins a report that is public",
}
# Places where the story has no honest request to put a foreign id into, and what refuses it there.
NOT_TRIED: dict[tuple[str, str], str] = {}


def ids_of(home: Home) -> dict[Kind, list[str]]:
    """Every id of a home by its kind."""
    found: dict[Kind, list[str]] = {}
    for (kind, _), text in home.things.items():
        found.setdefault(kind, []).append(text)
    return found


def rows_of(owner: psycopg.Connection[Any], community_id: int) -> dict[str, str]:
    """A digest of the rows of a community by table."""
    tables = owner.execute(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'community_id'"
    ).fetchall()
    found = {}
    for (table,) in tables:
        sql = (
            f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM \"{table}\" t WHERE community_id = %s"
        )
        (found[table],) = owner.execute(sql, [community_id]).fetchone() or ("",)
    return found


def naming(owner: psycopg.Connection[Any], community_id: int, words: str) -> list[str]:
    """The tables in which a row of the community holds one of these words (a pattern)."""
    return [
        table
        for table in rows_of(owner, community_id)
        if owner.execute(
            f'SELECT 1 FROM "{table}" t WHERE community_id = %s AND t::text ~ %s LIMIT 1',
            [community_id, words],
        ).fetchone()
    ]


def test_probe(house, make_town, work, owner):
    far = make_town()
    foreign = build_home(house, far, far.a)
    theirs = ids_of(foreign)
    other = Story.__new__(Story)
    intruder = Intruder(house.app, theirs, left_alone=frozenset(NOT_TOLD), open_to_all=frozenset(OPEN_TO_ALL))
    before = rows_of(owner, far.a.id)
    plain = FlaskClient.open

    def opened(client: FlaskClient, path: Any, *args: Any, **more: Any) -> Any:
        if args or not isinstance(path, str):
            return plain(client, path, *args, **more)
        method = more.pop("method", "GET")
        return intruder.opened(lambda *a, **k: plain(client, *a, **k), path, method, more)

    town = make_town()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FlaskClient, "open", opened)
        with told(house, town, work, owner) as story:
            patch.undo()
            print("changed", [t for t, d in rows_of(owner, far.a.id).items() if before[t] != d])
            words = []
            for kind, texts in theirs.items():
                for text in texts:
                    words.append(text)
                    words.append(
                        str(
                            ids.decode_ref(kind, text).id
                            if kind in OF_COMMUNITY
                            else ids.decode_id(kind, text)
                        )
                    )
            pattern = "|".join(w for w in words if not w.startswith("00000000-0000-0000-0000"))
            for c in (town.a.id, town.b.id):
                print("NAMING", naming(owner, c, pattern))
            for l in sorted(set(intruder.let_in)):
                print("LETIN", l)
            ways = {(a, b) for a, b, k in ids_in(house.app) if a not in NOT_TOLD}
            kinds = {(a, b): k for a, b, k in ids_in(house.app)}
            for w in sorted(ways - intruder.tried):
                print("UNTRIED", *w, kinds[w])
            print("TRIED", len(intruder.tried), "of", len(ways))
