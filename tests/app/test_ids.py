"""Ids: made by the application, sorted as they were made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app import clock, ids


def test_ids_of_one_millisecond_sort_as_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: at)
    made = [ids.new_id() for _ in range(2000)]
    assert made == sorted(made)
    assert {(i.version, i.variant) for i in made} == {(7, "specified in RFC 4122")}
    assert {i.int >> 80 for i in made} == {int(at.timestamp() * 1000)}
    assert made[0] >= ids.first_of(at)


def test_threads_never_make_the_same_id() -> None:
    def many(_: int) -> list[UUID]:
        return [ids.new_id() for _ in range(2000)]

    with ThreadPoolExecutor(4) as pool:
        lists = list(pool.map(many, range(4)))
    assert all(one == sorted(one) for one in lists)
    assert len({i for one in lists for i in one}) == 8000
