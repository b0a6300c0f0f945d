"""Addresses of many houses at once."""

from __future__ import annotations

from uuid import uuid4

from app import db
from app.places import households
from tests.conftest import Town


def test_more_houses_than_a_statement_takes_parameters_are_asked_for_at_once(town: Town) -> None:
    with db.reading():
        assert households.addresses(town.a.id, [uuid4() for _ in range(70_000)]) == {}
