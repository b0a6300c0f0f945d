"""What lies in the database is sealed: shown by reading the raw tables after a life was lived there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import LargeBinary

from app import crypto, rekey
from app.tables import metadata
from tests.personal.conftest import Life

# Bytes that hold nothing anybody could read back.
HASHES = {"sha256", "digest", "fingerprint"}


def test_every_column_of_bytes_says_how_it_is_sealed_or_is_a_hash() -> None:
    silent = [
        f"{table.name}.{column.name}"
        for table in metadata().tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
        and not {"sealed", "sealed_by", "sealed_under"} & column.info.keys()
        and column.name.rpartition("_")[2] not in HASHES | {"hash"}
    ]
    assert silent == []


def test_what_people_left_stands_nowhere_in_clear(life: Life, everywhere: Callable[[str], list[str]]) -> None:
    assert "tickets" in everywhere("有人来电反映噪声")  # or nothing was looked at
    for secret in life.secrets:
        assert everywhere(secret) == [], secret


def test_each_sealed_column_holds_values_that_open_only_in_their_own_row(
    life: Life, owner: psycopg.Connection[Any]
) -> None:
    ring, empty = crypto.keys(), []
    for table, columns in rekey.sealed_tables():
        for column, template in columns.items():
            query = f'SELECT * FROM "{table.name}" WHERE {column} IS NOT NULL ORDER BY random() LIMIT 20'
            found = owner.cursor(row_factory=dict_row).execute(query).fetchall()
            if not found:
                empty.append(f"{table.name}.{column}")
            for row in found:
                context = crypto.context_of(template, row)
                ring.decrypt(row[column], context)  # that of a closed account is empty
                with pytest.raises(crypto.Undecryptable):
                    ring.decrypt(row[column], context + "x")
                if "{" in template:
                    assert context != template
    assert empty == []


def test_an_altered_value_and_one_of_an_unknown_algorithm_or_key_do_not_open() -> None:
    ring = crypto.Keyring({1: bytes(32), 3: bytes([7]) * 32}, bytes(32))
    sealed = ring.encrypt("王".encode(), "name:1")
    assert sealed.startswith(ring.newest_prefix)
    assert ring.decrypt(sealed, "name:1").decode() == "王"
    for wrong in (b"", b"\0", b"\0\1", sealed[:3], sealed[:-1], b"\0\2" + sealed[2:], b"\0\1\2" + sealed[3:]):
        with pytest.raises(crypto.Undecryptable):
            ring.decrypt(wrong, "name:1")


def test_a_value_from_before_algorithms_had_a_number_still_opens() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    ring = crypto.Keyring({1: bytes(32)}, bytes(32))
    assert ring.decrypt(b"\1" + crypto.seal(AESGCM(bytes(32)), b"old", "c"), "c") == b"old"
