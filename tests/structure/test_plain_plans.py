"""Plain statements find their rows by indexes, also with a plan that was made while a table was empty."""

from __future__ import annotations

import os

import pytest

from app import db
from tests.conftest import House


def _named(plain: db.Plain) -> str:
    return " ".join(plain.sql.split())[:60]


@pytest.mark.skipif("TEST_POOLER" in os.environ, reason="behind a pooler nothing is set or prepared")
@pytest.mark.parametrize("plain", db.Plain.made, ids=_named)
def test_no_plain_statement_reads_a_table_from_end_to_end(house: House, plain: db.Plain) -> None:
    own = db._Own()
    driver = own.driver
    try:
        driver.execute("SET plan_cache_mode = force_generic_plan")
        driver.pgconn.prepare(b"asked", plain._raw)
        nothing = ", ".join(["NULL"] * len(plain._names))
        rows = driver.execute(
            f"EXPLAIN (COSTS OFF) EXECUTE asked{f'({nothing})' if nothing else ''}"
        ).fetchall()
    finally:
        driver.close()
    plan = "\n".join(line for (line,) in rows)
    assert "Seq Scan on" not in plan, plan
