"""Soft references: what points nowhere is counted."""

from __future__ import annotations

from uuid import uuid4

from app import clock, db, orphans
from app.people.models import IdentityKey
from tests.conftest import House


def test_a_reference_to_nobody_is_counted(house: House) -> None:
    with db.reading():
        before = orphans.count()
    with db.transaction() as session:
        session.add(
            IdentityKey(key_hash=uuid4().bytes * 2, kind="openid", person_id=uuid4(), claimed_at=clock.now())
        )
    with db.reading():
        after = orphans.count()
    assert after["identity_keys.person_id"] == before["identity_keys.person_id"] + 1
    assert "tickets.reporter_id" in after
