"""Ids: made by the application, sorted as they were made."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock, ids
from app.ids import Kind, Ref


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


@given(raw=st.binary(min_size=16, max_size=16), community=st.integers(0, 2**32 - 1))
def test_an_id_is_spelled_in_base32_and_read_back(raw: bytes, community: int) -> None:
    whole = community.to_bytes(4, "big") + raw
    wire = ids.encode(Kind.TICKET, Ref(community, UUID(bytes=raw)))
    assert wire == "tkt_" + base64.b32encode(whole).decode().rstrip("=").lower()
    assert ids.decode_ref(Kind.TICKET, wire) == (community, UUID(bytes=raw))
    single = ids.encode(Kind.RESIDENT, UUID(bytes=raw))
    assert single == "res_" + base64.b32encode(raw).decode().rstrip("=").lower()
    assert ids.decode_id(Kind.RESIDENT, single) == UUID(bytes=raw)


def test_ids_sort_as_they_were_made_while_the_clock_is_set_back_a_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = datetime.now(UTC) + timedelta(days=400)  # after whatever this process has made
    steps = [timedelta(milliseconds=ms) for ms in (0, 5, 3, 0, 4, 900, 1, 901)]
    made = []
    for step in steps:
        monkeypatch.setattr(clock, "now", lambda step=step: at + step)
        made += [ids.new_id(), ids.new_id()]
    assert made == sorted(made)


def test_many_ids_at_once_sort_as_if_made_one_after_the_other() -> None:
    made = [ids.new_id(), *ids.new_ids(3000), ids.new_id(), *ids.new_ids(3000), ids.new_id()]
    assert len(set(made)) == 6003
    assert made == sorted(made)
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}
