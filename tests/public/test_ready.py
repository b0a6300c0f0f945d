"""What a load balancer is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from app import db
from tests.conftest import Caller, House


@pytest.fixture
def empty_database(house: House) -> Iterator[Engine]:
    """A database that no migration has seen."""
    house.pg.create_database("never_migrated")
    engine = create_engine(house.pg.url("app", "never_migrated"))
    yield engine
    engine.dispose()
    house.pg.drop_database("never_migrated")


def test_a_migrated_house_is_ready(visitor: Caller) -> None:
    answer = visitor.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok", "degraded": []})


def test_a_database_before_its_first_migration_is_not_ready(
    visitor: Caller, empty_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "engine", lambda: empty_database)
    answer = visitor.get("/readyz")
    assert (answer.status_code, answer.json["missing"]) == (503, ["migrations"])


@pytest.mark.parametrize(("revision", "status"), [("0001", 503), ("9999", 200)])
def test_a_house_serves_on_while_its_database_is_ahead_of_it_and_not_while_it_is_behind(
    visitor: Caller,
    house: House,
    empty_database: Engine,
    monkeypatch: pytest.MonkeyPatch,
    revision: str,
    status: int,
) -> None:
    """Migrations run while the old version serves: it stays ready when they are done."""
    house.pg.sql(
        "CREATE TABLE alembic_version (version_num text); GRANT SELECT ON alembic_version TO jiayuan_app;"
        f" INSERT INTO alembic_version VALUES ('{revision}')",
        database="never_migrated",
    )
    monkeypatch.setattr(db, "engine", lambda: empty_database)
    assert visitor.get("/readyz").status_code == status
