"""A media queue that stood still for a day loses no photo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from app import clock, outbox, queue
from app import db as database
from app.ids import lane_of
from app.media import service as media
from tests.conftest import Person
from workers.handlers import HANDLERS, Later


def test_the_announced_deletion_waits_for_a_photo_that_is_still_to_be_processed(
    resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch, work: Callable[..., int]
) -> None:
    wang = resident()
    wang.photo()
    tomorrow = clock.now() + timedelta(hours=25)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    with database.transaction():
        rows = outbox.lease(lane_of(wang.id), queue.Queue.MEDIA, limit=50, seconds=60)
    mine = [row for row in rows if "unless_waiting" in row.payload]
    announced = next(row for row in mine if row.payload["unless_waiting"]["owner_id"] == str(wang.id))
    with pytest.raises(Later):
        HANDLERS[media.DISCARD](announced)
    for row in rows:
        with database.transaction():
            outbox.again(row, error="test", after_s=0)
