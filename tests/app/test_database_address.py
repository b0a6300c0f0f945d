"""Whether the database is on this machine, by its address."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from app import db


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost/jiayuan", True),
        ("127.0.0.1:6432/jiayuan", True),
        ("[::1]/jiayuan", True),
        ("/jiayuan", True),
        ("/jiayuan?host=/run/postgresql", True),
        ("%2Frun%2Fpostgresql/jiayuan", True),
        ("db.example.com/jiayuan", False),
        ("/jiayuan?host=db.example.com", False),
        ("/jiayuan?host=/run/postgresql,db.example.com", False),
        ("localhost/jiayuan?hostaddr=192.0.2.7", False),
        ("/jiayuan?service=far", False),
        ("localhost/jiayuan?prepare_threshold=5", False),
    ],
)
def test_the_address_says_whether_the_database_is_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, address: str, expected: bool
) -> None:
    monkeypatch.setattr(db, "_engine", create_engine(f"postgresql+psycopg://jiayuan:a%40b@{address}"))
    monkeypatch.setattr(db, "_prepares", True)
    assert db.is_here() is expected


def test_what_stands_behind_a_pooler_is_elsewhere_and_no_database_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(db, "_engine", create_engine("postgresql+psycopg://jiayuan@localhost/jiayuan"))
    monkeypatch.setattr(db, "_prepares", False)
    assert not db.is_here()
    monkeypatch.setattr(db, "_engine", None)
    assert db.is_here()
