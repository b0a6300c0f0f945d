"""Tidying of uploads is not held up by those that must stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app import db, ids
from app.ids import Kind
from app.media import service as media
from tests.conftest import Person, Town


@pytest.mark.parametrize("stays", ["review", "refused"])
def test_uploads_that_wait_for_somebody_do_not_keep_others_from_going(
    resident: Callable[..., Person],
    town: Town,
    later: Callable[..., Any],
    owner: psycopg.Connection[Any],
    stays: str,
) -> None:
    wang = resident()
    with db.transaction():
        media.expire_uploads()
    waiting = wang.photo()
    wang.report(town.a.estate_id, photo_ids=[waiting])
    column = "check_state" if stays == "review" else "status"
    owner.execute(
        f"UPDATE uploads SET {column} = %s WHERE owner_id = %s AND id = %s",
        (stays, wang.id, ids.decode_id(Kind.UPLOAD, waiting)),
    )
    unused = wang.photo()
    later(hours=25)
    for _ in range(2000):  # other tests' uploads are older, and may be many
        with db.transaction():
            if media.expire_uploads(limit=1) == (0, 0):
                break
    left = {key for (key,) in owner.execute("SELECT id FROM uploads WHERE owner_id = %s", (wang.id,))}
    assert ids.decode_id(Kind.UPLOAD, unused) not in left
    if stays == "review":
        assert ids.decode_id(Kind.UPLOAD, waiting) in left
