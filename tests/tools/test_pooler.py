"""PgBouncer before the database: time-outs hold, migrations go past it, the doctor sees what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import db, timeouts
from app.settings import Settings, SettingsError
from bff import errors
from tests import pooler
from tests.conftest import TOP, House, settings_for
from tests.pooler import Pooler
from tools import postgres_server, servers
from tools.doctor import database
from tools.doctor.finding import Level

PROGRAM = pooler.installed()
with_pgbouncer = pytest.mark.skipif(
    PROGRAM is None, reason="no pgbouncer on this machine: apt-get install pgbouncer"
)


@pytest.fixture(scope="module")
def bouncer(pg: servers.Postgres) -> Iterator[Pooler]:
    """PgBouncer before the tests' PostgreSQL."""
    assert PROGRAM is not None
    started = Pooler(PROGRAM, pg).start()
    yield started
    started.stop()


@contextmanager
def connected(url: str, **how: str) -> Iterator[None]:
    """The application connects so meanwhile."""
    kept = db._engine, db._reading, db._statements, db._prepares
    db._engine = None
    db.configure(url, **how)  # type: ignore[arg-type]
    try:
        yield
    finally:
        db.engine().dispose()
        db._engine, db._reading, db._statements, db._prepares = kept


def shown(name: str) -> str:
    with db.engine().connect() as connection:
        return str(connection.scalar(text(f"SHOW {name}")))


def forget_time_outs(pg: servers.Postgres, name: str) -> None:
    pg.sql(f'ALTER ROLE {postgres_server.ROLE_NAMES["app"]} IN DATABASE "{name}" RESET ALL')


@with_pgbouncer
def test_time_outs_hold_behind_the_pooler(house: House, bouncer: Pooler) -> None:
    with connected(bouncer.url(house.pg.url("app", "house")), pooler="transaction"):
        for name, seconds in timeouts.LONGEST_S.items():
            shows = "1min" if seconds == 60 else f"{seconds}s"
            assert shown(name) == shows
        with db.engine().connect() as connection:
            assert timeouts.is_pooled(connection)
    with connected(house.pg.url("app", "house")), db.engine().connect() as connection:
        assert not timeouts.is_pooled(connection)


@with_pgbouncer
def test_nothing_is_prepared_or_left_behind_on_a_connection_that_goes_on_to_others(
    house: House, bouncer: Pooler
) -> None:
    plain = db.Plain("SELECT pg_backend_pid(), :n::int")
    db.Plain.made.remove(plain)
    wrong: list[BaseException] = []
    answered_by: set[int] = set()

    def ask() -> None:
        try:
            for n in range(50):
                row = plain.row({"n": n})
                assert row is not None
                assert row[1] == n
                answered_by.add(row[0])
                with db.transaction() as session:
                    session.execute(text("SELECT set_config('jiayuan.left', :n, true)"), {"n": str(n)})
                    assert session.scalar(text("SELECT current_setting('jiayuan.left')")) == str(n)
                with db.reading() as session:
                    assert not session.scalar(text("SELECT current_setting('jiayuan.left', true)"))
        except (AssertionError, Exception) as e:  # noqa: BLE001 - told below
            wrong.append(e)

    with connected(bouncer.url(house.pg.url("app", "house")), pooler="transaction"):
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with db.engine().connect() as connection:
            left = connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
    assert wrong == []
    assert left == 0
    assert 1 < len(answered_by) <= pooler.CONNECTIONS


def test_the_migrations_leave_the_application_its_time_outs(house: House, pg: servers.Postgres) -> None:
    def kept() -> list[str]:
        with psycopg.connect(pg.url("app", "house")) as connection:
            return [str(connection.execute(f"SHOW {name}").fetchone()[0]) for name in timeouts.LONGEST_S]

    def upgrade(**changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=TOP,
            env=os.environ | settings_for(pg, "house") | {"DATABASE_URL": pg.url("app", "house")} | changes,
            capture_output=True,
            text=True,
            check=False,
        )

    assert kept() == ["1min", "30s", "10s"]
    forget_time_outs(pg, "house")
    assert kept() == ["0", "0", "0"]
    pg.sql(f"ALTER ROLE {postgres_server.ROLE_NAMES['app']} IN DATABASE \"house\" SET lock_timeout = '5s'")
    assert (
        upgrade(DATABASE_URL="postgresql://jiayuan_app:x@127.0.0.1:1/house").returncode == 0
    )  # done is done
    assert kept() == ["0", "0", "5s"]
    assert upgrade().returncode == 0
    assert kept() == ["1min", "30s", "5s"]  # who wants to wait less is left to it
    forget_time_outs(pg, "house")
    assert upgrade().returncode == 0


@with_pgbouncer
def test_who_waits_too_long_for_one_of_its_connections_is_told_to_come_back(
    app: Flask, pg: servers.Postgres, house: House
) -> None:
    crowded = Pooler(str(PROGRAM), pg, default_pool_size="1", query_wait_timeout="1").start()
    try:
        with connected(crowded.url(pg.url("app", "house")), pooler="transaction"):
            with db.transaction() as session:
                session.execute(text("SELECT 1"))
                other = db.Plain("SELECT 1")
                db.Plain.made.remove(other)
                with ThreadPoolExecutor(1) as pool, pytest.raises(DBAPIError) as refused:
                    pool.submit(other.row, {}).result()
            assert other.row({}) == (1,)
    finally:
        crowded.stop()
    with app.test_request_context("/bff/v1/home"):
        answer = errors.from_anything(refused.value)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


@with_pgbouncer
def test_migrations_refuse_to_go_through_a_pooler(house: House, bouncer: Pooler) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=TOP,
        env=os.environ | {"MIGRATION_DATABASE_URL": bouncer.url(house.pg.url("app", "house"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "not through a pooler" in done.stderr
    assert "Traceback" not in done.stderr


@with_pgbouncer
def test_the_doctor_says_what_is_wrong_with_a_pooler(
    house: House, pg: servers.Postgres, bouncer: Pooler
) -> None:
    pooled = replace(
        house.settings,
        database_url=bouncer.url(pg.url("app", "house")),
        migration_database_url=pg.url("owner", "house"),
        database_pooler="transaction",
    )

    def says(chosen: Settings) -> list[tuple[Level, str]]:
        with connected(chosen.database_url, pooler=chosen.database_pooler):
            return [(found.level, found.sentence) for found in database.pooling(chosen)]

    assert [level for level, _ in says(pooled)] == [Level.FINE]
    direct = replace(pooled, database_url=pg.url("app", "house"), database_pooler="")
    assert says(direct) == []

    ((level, said),) = says(replace(direct, database_pooler="transaction"))
    assert (level, "no pooler is there" in said) == (Level.WARNING, True)
    (level, said), *_ = says(replace(pooled, database_pooler=""))
    assert (level, "max_prepared_statements" in said) == (Level.WARNING, True)
    ((level, said),) = says(replace(pooled, migration_database_url=bouncer.url(pg.url("owner", "house"))))
    assert (level, "leads through the pooler" in said) == (Level.PROBLEM, True)

    forget_time_outs(pg, "house")
    try:
        fresh = Pooler(str(PROGRAM), pg).start()  # its connections begin without
        try:
            ((level, said),) = says(replace(pooled, database_url=fresh.url(pg.url("app", "house"))))
        finally:
            fresh.stop()
        assert level is Level.PROBLEM
        assert "(idle_in_transaction_session_timeout, lock_timeout, statement_timeout)" in said
    finally:
        with connected(pg.url("app", "house")), db.engine().begin() as connection:
            timeouts.keep(connection)


def test_only_what_is_known_is_a_pooler(pg: servers.Postgres) -> None:
    given = settings_for(
        pg, "house", REDIS_URL="redis://h", PUBLIC_BASE_URL="http://127.0.0.1", STORAGE_URL="folder:/x"
    )
    assert Settings.from_env(given | {"DATABASE_POOLER": ""}).database_pooler == ""
    assert Settings.from_env(given | {"DATABASE_POOLER": "transaction"}).database_pooler == "transaction"
    with pytest.raises(SettingsError, match="DATABASE_POOLER"):
        Settings.from_env(given | {"DATABASE_POOLER": "session"})


@with_pgbouncer
def test_a_pooler_that_nobody_told_of_keeps_nothing_of_a_plain_statement_s_settings(
    bouncer: Pooler, house: House
) -> None:
    with connected(bouncer.url(house.pg.url("app", "house"))):
        own = db._Own()
        assert own.driver.execute("SHOW enable_seqscan").fetchone() == ("on",)
        own.driver.close()
    with connected(house.pg.url("app", "house")):
        own = db._Own()
        assert own.driver.execute("SHOW enable_seqscan").fetchone() == ("off",)
        own.driver.close()
