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
