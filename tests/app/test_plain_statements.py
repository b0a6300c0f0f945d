"""Statements that go to the driver as they are: each a transaction by itself, on connections of their own."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import db
from app.ids import new_id
from app.places import queries as places
from app.places.models import Region, RegionKind
from app.tickets import lines
from tests.conftest import House

SUM = "SELECT :a::int + :b::int, 'at 08:00, 100 %'"


@pytest.fixture
def plain(house: House) -> Iterator[db.Plain]:
    made = db.Plain(SUM)
    yield made
    db.Plain.made.remove(made)


def test_it_answers_with_its_first_row(plain: db.Plain) -> None:
    assert plain.row({"a": 1, "b": 2}) == (3, "at 08:00, 100 %")


def test_it_is_no_part_of_a_unit_of_work(plain: db.Plain) -> None:
    with db.transaction(), pytest.raises(RuntimeError):
        plain.row({"a": 1, "b": 2})


def test_inside_a_unit_of_work_it_sees_what_was_changed_there(house: House) -> None:
    names = db.Plain("SELECT name FROM regions WHERE id = :id")
    db.Plain.made.remove(names)

    with db.transaction() as session:
        session.add(Region(id=4294967295, kind=RegionKind.CITY, name="尚未提交的市"))
        found = names.within({"id": 4294967295})
        session.rollback()

    assert found == [("尚未提交的市",)]


def test_a_refused_statement_leaves_a_connection_that_works_and_shows_no_value(plain: db.Plain) -> None:
    with pytest.raises(DBAPIError) as refused:
        plain.row({"a": 2**31 - 1, "b": 13800000000 - 13799999999})

    assert not db.is_passing(refused.value)
    assert "2147483647" not in str(refused.value)
    with db.transaction() as session:  # the same connection, and again one that waits for a commit
        assert session.connection().get_isolation_level() == "READ COMMITTED"
        assert session.scalar(text("SELECT 1")) == 1
    assert plain.row({"a": 1, "b": 2}) is not None


def test_a_connection_that_was_cut_off_is_told_apart_and_not_used_again(plain: db.Plain) -> None:
    cut = db.Plain("SELECT pg_terminate_backend(pg_backend_pid())")
    db.Plain.made.remove(cut)

    with pytest.raises(DBAPIError) as lost:
        cut.row({})

    assert db.is_passing(lost.value)
    assert lost.value.connection_invalidated
    assert plain.row({"a": 1, "b": 2}) is not None


@contextmanager
def another_pool(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pool of one connection to this database; afterwards the house's own is back, with who listens to it."""
    with monkeypatch.context() as patched:
        for name in ("_engine", "_reading", "_statements"):
            patched.setattr(db, name, None)
        patched.setattr(db, "_prepares", db._prepares)
        made = db.configure(url, pool_size=1)
        try:
            yield
        finally:
            made.dispose()


def test_a_value_that_can_t_be_sent_leaves_no_connection_that_commits_by_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = db.Plain("SELECT :said::text")
    db.Plain.made.remove(words)

    with another_pool(str(house.settings.database_url), monkeypatch):
        with pytest.raises(UnicodeEncodeError):
            words.row({"said": "\udcff"})

        with db.transaction() as session:
            one, other = (session.scalar(text("SELECT pg_current_xact_id()::text")) for _ in range(2))
        assert one == other


def test_a_server_that_is_away_is_something_that_passes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = db.Plain("SELECT 1")
    db.Plain.made.remove(asked)
    nowhere = re.sub(r"@[^/]*/", "@127.0.0.1:1/", str(house.settings.database_url))

    with another_pool(nowhere, monkeypatch), pytest.raises(DBAPIError) as away:
        asked.row({})

    assert db.is_passing(away.value)


def test_the_lines_of_a_list_are_planned_once_and_not_at_each_request(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that the planner can see makes each plan look better than the one for all values, and it plans anew."""
    asked = {
        "resident_id": new_id(),
        "today": places.today(),
        "communities": [1, 2],
        "tickets": "{" + ",".join(str(new_id()) for _ in range(2)) + "}",
        "statuses": ["received", "accepted"],
    }
    planned_ones = db.Plain(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE :some"
    )
    db.Plain.made.remove(planned_ones)
    with another_pool(str(house.settings.database_url), monkeypatch):
        for _ in range(20):
            lines._LINES.rows(asked)
        planned = planned_ones.row({"some": "%w.place%"})  # on the same connection: the only one there is

    assert planned == (15, 5)


@pytest.fixture
def in_turn(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "_turns", None)
    db.ask_in_turn(1)
    assert db._turns is not None  # the tests' database is on this machine


def test_who_asks_in_turn_waits_for_no_slow_one(plain: db.Plain, in_turn: None) -> None:
    slow = db.Plain("SELECT pg_sleep(2)")
    db.Plain.made.remove(slow)
    with ThreadPoolExecutor(1) as other:
        sleeping = other.submit(slow.row, {})
        time.sleep(0.2)
        began = time.monotonic()
        assert plain.row({"a": 1, "b": 2}) == (3, "at 08:00, 100 %")
        took = time.monotonic() - began
        assert not sleeping.done()
        sleeping.result()
    assert took < 1.5


def test_a_refused_question_gives_its_turn_back(plain: db.Plain, in_turn: None) -> None:
    for _ in range(3):
        with pytest.raises(DBAPIError):
            plain.row({"a": 2**31 - 1, "b": 1})
    assert db._turns is not None
    assert db._turns.acquire(timeout=0)


def test_several_may_ask_at_once_where_there_are_processors_for_them(plain: db.Plain, in_turn: None) -> None:
    db.ask_in_turn(3)
    with ThreadPoolExecutor(8) as many:
        found = list(many.map(lambda n: plain.row({"a": n, "b": 1}), range(64)))
    assert [row and row[0] for row in found] == list(range(1, 65))
    assert db._turns is not None
    assert [db._turns.acquire(timeout=0) for _ in range(4)] == [True, True, True, False]


@pytest.mark.skipif("TEST_POOLER" in os.environ, reason="behind a pooler nothing is set or prepared")
def test_a_plan_that_was_made_while_a_table_was_empty_is_made_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = db._Own()
    statement = b"SELECT label FROM kept WHERE community = $1::int AND house = $2::int"

    def plan() -> str:
        for _ in range(10):
            own.rows(statement, [1, 2])
        (name,) = own._prepared.values()
        rows = own.driver.execute(f"EXPLAIN (COSTS OFF) EXECUTE {name.decode()}(1, 2)").fetchall()
        return "\n".join(line for (line,) in rows)

    with psycopg.connect(house.pg.url("owner", "house"), autocommit=True) as owner:
        owner.execute(
            """
            CREATE TABLE kept (community int, house int, label text) WITH (autovacuum_enabled = off);
            CREATE INDEX by_key ON kept (community, house);
            GRANT SELECT ON kept TO PUBLIC
            """
        )
        try:
            owner.execute("VACUUM kept")  # known to be empty
            own.driver.execute("SET enable_seqscan = on")  # the plainest way to go wrong
            assert "by_key" not in plan()
            owner.execute("INSERT INTO kept SELECT 1, n, n::text FROM generate_series(1, 20000) AS n")
            assert own.answers()
            assert "by_key" not in plan()
            monkeypatch.setattr(db, "PLANS_HOLD_S", 0.0)
            assert own.answers()
            assert "by_key" in plan()
        finally:
            own.driver.close()
            owner.execute("DROP TABLE kept")
