"""Limits go on, and so do requests, whatever becomes of Redis."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from app import crypto, rates
from app.rates import Limit, Limiter
from tests.conftest import House, Person
from tests.limits.test_limits import ask, is_refused
from tools import servers

WRITES = Limit("tried", at_once=10, every_s=60)


@contextlib.contextmanager
def hung() -> Iterator[str]:
    """A Redis that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(silent.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        silent.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for one in taken:
            one.close()


@contextlib.contextmanager
def gone() -> Iterator[str]:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
    yield f"redis://127.0.0.1:{port}/0"


def through(limiter: Limiter, limit: Limit, who: object, times: int) -> int:
    """How many of so many, asked by eight at the same time, were allowed."""
    with ThreadPoolExecutor(8) as pool:
        return sum(wait == 0 for wait in pool.map(lambda _: limiter.take(limit, who), range(times)))


@pytest.mark.parametrize("place", [gone, hung])
def test_without_redis_each_process_limits_by_itself_and_nobody_waits_for_it(
    place: Callable[[], contextlib.AbstractContextManager[str]],
    tighten: Callable[..., None],
    resident: Callable[..., Person],
) -> None:
    tighten("writes", at_once=4, every_s=60)
    wang, li = resident(), resident()
    with place() as url:
        rates.configure(url)
        began = time.monotonic()
        assert 429 not in {ask(wang, "writes").status_code for _ in range(4)}
        is_refused(ask(wang, "writes"), within=60)
        assert ask(li, "writes").status_code != 429
        # One request waits for it twice; all others don't.
        assert time.monotonic() - began < 2


def test_only_one_request_in_a_while_waits_for_a_redis_that_hangs() -> None:
    with hung() as url, contextlib.closing(rates.impatient(url)) as redis:
        limiter = Limiter(redis)
        took = []
        for _ in range(50):
            began = time.monotonic()
            limiter.take(WRITES, uuid4())
            took.append(time.monotonic() - began)
    *others, slowest = sorted(took)
    assert slowest < 0.5
    assert others[-1] < 0.05


def test_redis_is_asked_again_once_it_is_back_and_knows_the_script_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "QUIET_S", 0.3)
    with servers.valkey() as server:
        one, other = Limiter(rates.impatient(server.url)), Limiter(rates.impatient(server.url))
        who, fresh = uuid4(), uuid4()
        assert through(one, WRITES, who, 6) == 6
        server.kill9()
        assert through(one, WRITES, who, 30) == WRITES.at_once  # counted by itself
        server.start()
        time.sleep(0.4)
        one.take(WRITES, uuid4())  # finds out; whoever comes meanwhile is counted by the process itself
        assert through(one, WRITES, fresh, 6) == 6
        assert through(other, WRITES, fresh, 20) == 4  # together again


# --- counting --------------------------------------------------------------------------------------------


def test_processes_share_what_is_counted_together_and_nothing_else(house: House) -> None:
    with (
        contextlib.closing(Redis.from_url(house.settings.redis_url)) as a,
        contextlib.closing(Redis.from_url(house.settings.redis_url)) as b,
    ):
        one, other = Limiter(a), Limiter(b)
        who = uuid4()
        assert through(one, WRITES, who, 30) + through(other, WRITES, who, 30) == WRITES.at_once
        apart = Limit("apart", at_once=10, every_s=60, shared=False)
        assert through(one, apart, who, 30) + through(other, apart, who, 30) == 2 * apart.at_once


def test_what_redis_refused_does_not_reach_it_again(house: House) -> None:
    with contextlib.closing(Redis.from_url(house.settings.redis_url)) as redis:
        limiter, who = Limiter(redis), uuid4()
        through(limiter, WRITES, who, 12)
        before = redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
        assert through(limiter, WRITES, who, 500) == 0
        assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] == before


def test_nobody_can_be_read_in_redis_and_nothing_stays_there(house: House) -> None:
    limit = Limit("short", at_once=3, every_s=0.2)
    with contextlib.closing(Redis.from_url(house.settings.redis_url, decode_responses=True)) as redis:
        Limiter(redis).take(limit, "203.0.113.77")
        keys = list(redis.scan_iter("rate:*"))
        assert keys
        assert not [key for key in keys if "203.0" in key or "short" in key]
        bucket = crypto.keys().keyed_hash("short\x00203.0.113.77", "rates")[:16].hex()
        assert f"rate:{bucket}" in keys
        assert 0 < redis.pttl(f"rate:{bucket}") <= 200


def test_a_clock_of_redis_that_was_set_back_shuts_nobody_out(house: House) -> None:
    with contextlib.closing(Redis.from_url(house.settings.redis_url)) as redis:
        limiter, who = Limiter(redis), uuid4()
        bucket = crypto.keys().keyed_hash(f"{WRITES.name}\0{who}", "rates")[:16].hex()
        redis.set(f"rate:{bucket}", int((time.time() + 3600 * 2) * 1_000_000), ex=60)
        assert through(limiter, WRITES, who, 30) == WRITES.at_once


def test_the_memory_of_a_process_is_bounded_and_the_busiest_are_not_forgotten() -> None:
    limiter = Limiter(None, most=100)
    limit = Limit("many", at_once=2, every_s=600, shared=False)
    assert [limiter.take(limit, "busy") for _ in range(2)] == [0, 0]
    for number in range(1000):
        limiter.take(limit, number)
        assert limiter.take(limit, "busy") > 0
    assert limiter.held() <= 100


@given(
    st.lists(st.floats(0, 30), max_size=60),
    st.integers(1, 5),
    st.sampled_from([0.5, 1.0, 7.0]),
)
def test_never_more_than_the_bucket_holds_and_what_refills_it(
    gaps: list[float], at_once: int, every_s: float
) -> None:
    """By a slower way: in any stretch of time there are at most `at_once` and one for each `every_s` of it."""
    limit = Limit("any", at_once=at_once, every_s=every_s)
    moments = rates.Moments(10)
    now, taken = 1000.0, []
    for gap in gaps:
        now += gap
        wait = moments.take("who", limit, now)
        if wait == 0.0:
            taken.append(now)
        else:
            assert moments.take("who", limit, now + wait * 0.99) > 0.0
            # Who comes when she was told to is let in.
            now += wait
            assert moments.take("who", limit, now) == 0.0
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= at_once + (taken[last] - taken[first]) / every_s + 1e-6
