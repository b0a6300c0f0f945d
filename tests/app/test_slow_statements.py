"""A slow statement is named in the log, without its values; a quick one isn't, and the setting turns it off."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import bindparam, text
from sqlalchemy.exc import DBAPIError

from app import db, logs, meters, queue
from app.settings import Settings
from tests import guard
from tests.conftest import House

PHONE = "13912345678"


@pytest.fixture
def said(house: House) -> Iterator[io.StringIO]:
    """What the log gets meanwhile, in the shape that it is written in, with statements slow from 50 ms on."""
    out = io.StringIO()
    root = logging.getLogger()
    handler = logging.StreamHandler(out)
    handler.setFormatter(root.handlers[0].formatter)
    root.addHandler(handler)
    db.configure(house.settings.database_url, slow_ms=50, pooler=house.settings.database_pooler)
    guard.install(db.engine())
    yield out
    root.removeHandler(handler)
    db.configure(
        house.settings.database_url,
        slow_ms=house.settings.slow_query_ms,
        pooler=house.settings.database_pooler,
    )
    guard.install(db.engine())


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines() if "slow statement" in line]


def test_a_slow_statement_is_named_without_its_values(said: io.StringIO) -> None:
    with logs.of_request("a-request-of-ours"), db.reading() as session:
        session.execute(
            text("SELECT pg_sleep(0.08), CAST(:phone AS text) WHERE 1 IN :many").bindparams(
                bindparam("many", expanding=True)
            ),
            {"phone": PHONE, "many": [1, 2, 3, 4]},
        )
        session.execute(text("SELECT 1"))
    (line,) = lines(said)
    assert PHONE not in said.getvalue()
    assert "pg_sleep" in str(line["statement"])
    assert "%(phone)s" in str(line["statement"])
    assert "many_1_2" not in str(line["statement"])  # a list of a thousand is one word
    assert int(str(line["ms"])) >= 80
    assert line["request_id"] == "a-request-of-ours"


def test_a_plain_statement_is_named_as_well(said: io.StringIO) -> None:
    statement = db.Plain("SELECT pg_sleep(0.08), CAST(:phone AS text)")
    db.Plain.made.remove(statement)
    statement.row({"phone": PHONE})
    (line,) = lines(said)
    assert "%(phone)s" in str(line["statement"])
    assert PHONE not in said.getvalue()


def test_one_that_was_cut_short_is_named_as_well(said: io.StringIO) -> None:
    with db.reading() as session:
        session.execute(text("SET LOCAL statement_timeout = '80ms'"))
        with pytest.raises(DBAPIError):
            session.execute(text("SELECT pg_sleep(5)"))
    (line,) = lines(said)
    assert "pg_sleep(5)" in str(line["statement"])


def test_a_plain_one_that_fails_late_is_named_as_well(said: io.StringIO) -> None:
    statement = db.Plain("SELECT CAST(:word || pg_sleep(0.08)::text AS integer)")
    db.Plain.made.remove(statement)
    with pytest.raises(DBAPIError):
        statement.row({"word": "x"})
    (line,) = lines(said)
    assert ":word" not in str(line["statement"])
    assert "pg_sleep(0.08)" in str(line["statement"])


def test_rows_that_are_copied_in_slowly_are_named_as_well(said: io.StringIO) -> None:
    def rows() -> Iterator[tuple[str]]:
        time.sleep(0.08)
        yield (PHONE,)  # no number, so that nothing comes of it

    with db.transaction() as session:
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with pytest.raises(psycopg.Error):
            db.copy_rows(driver, "tickets", ["community_id"], rows())
        session.rollback()
    (line,) = lines(said)
    assert line["statement"] == "COPY tickets"
    assert PHONE not in said.getvalue()


def test_it_is_counted(said: io.StringIO) -> None:
    meters.flush()
    before = meters.totals(queue.redis()).get((meters.SLOW.name,), 0)
    with db.reading() as session:
        session.execute(text("SELECT pg_sleep(0.08)"))
    meters.flush()
    assert meters.totals(queue.redis())[meters.SLOW.name,] == before + 1


def test_zero_turns_it_off(house: House, said: io.StringIO) -> None:
    assert Settings.slow_query_ms == 500
    db.configure(house.settings.database_url, slow_ms=0, pooler=house.settings.database_pooler)
    guard.install(db.engine())
    with db.reading() as session:
        session.execute(text("SELECT pg_sleep(0.08)"))
    assert lines(said) == []
