"""Of many threads few run at a time, and whoever waits makes room."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any

import pytest

from app.threads import FewAtOnce, aside


class Running:
    """How many are inside at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield
        finally:
            with self._lock:
                self.now -= 1


def _results(futures: list[Future[Any]]) -> list[Any]:
    return [future.result(30) for future in futures]


def test_no_more_run_at_a_time_than_may_and_all_get_done_in_their_order() -> None:
    pool, running, begun = FewAtOnce(8, 2), Running(), list[int]()

    def work(number: int) -> int:
        with running.one():
            begun.append(number)
            time.sleep(0.002)
            return number

    assert _results([pool.submit(work, number) for number in range(100)]) == list(range(100))
    assert running.most == 2
    assert all(abs(at - number) < 2 for at, number in enumerate(begun))


def test_who_waits_for_somebody_outside_lets_others_run() -> None:
    pool, together = FewAtOnce(8, 2), threading.Barrier(8, timeout=30)
    running = Running()

    def work() -> None:
        with aside(), aside():  # a wait within a wait counts once
            together.wait()
        with running.one():
            time.sleep(0.002)

    _results([pool.submit(work) for _ in range(8)])
    # Who comes back finishes what it has begun; from then on few run again.
    running.most = 0

    def short() -> None:
        with running.one():
            time.sleep(0.002)

    _results([pool.submit(short) for _ in range(50)])
    assert running.most == 2


def test_where_nothing_gets_done_one_more_runs_and_another_one() -> None:
    pool, together = FewAtOnce(6, 2), threading.Barrier(6, timeout=30)
    _results([pool.submit(together.wait) for _ in range(6)])
    running = Running()

    def short() -> None:
        with running.one():
            time.sleep(0.002)

    _results([pool.submit(short) for _ in range(30)])
    running.most = 0
    _results([pool.submit(short) for _ in range(30)])
    assert running.most == 2
    # And when they are stuck again, it is seen again.
    again = threading.Barrier(6, timeout=30)
    _results([pool.submit(again.wait) for _ in range(6)])


def test_one_thread_is_all_it_needs() -> None:
    pool, running = FewAtOnce(1, 2), Running()

    def work() -> None:
        with running.one(), aside():
            time.sleep(0.001)

    _results([pool.submit(work) for _ in range(20)])
    assert running.most == 1


def test_an_error_reaches_who_asked_and_the_thread_goes_on() -> None:
    pool = FewAtOnce(1, 1)

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        pool.submit(fail).result(30)
    assert pool.submit(lambda: 3).result(30) == 3


def test_what_was_called_off_is_not_begun() -> None:
    pool, gate = FewAtOnce(1, 1), threading.Event()
    held = pool.submit(gate.wait, 30)
    off = pool.submit(pytest.fail)
    assert off.cancel()
    gate.set()
    assert held.result(30)
    with pytest.raises(CancelledError):
        off.result(30)
    assert pool.submit(lambda: 3).result(30) == 3


def test_after_its_end_it_takes_nothing_more_but_does_what_it_took() -> None:
    pool = FewAtOnce(2, 1)
    taken = [pool.submit(time.sleep, 0.01) for _ in range(5)]
    pool.shutdown()
    assert all(future.done() for future in taken[:4])
    with pytest.raises(RuntimeError):
        pool.submit(time.sleep, 0)


def test_nothing_is_lost_whoever_waits_and_however_long() -> None:
    pool, chance = FewAtOnce(6, 2), random.Random(7)
    pauses = [(chance.choice([0, 0, 0.001, 0.08]), chance.random() < 0.3) for _ in range(400)]

    def work(number: int, pause: float, outside: bool) -> int:
        if outside:
            with aside():
                time.sleep(pause)
        elif pause:
            time.sleep(pause)
        return number

    found: list[Future[Any]] = []
    for number, (pause, outside) in enumerate(pauses):
        found.append(pool.submit(work, number, pause, outside))
        if chance.random() < 0.2:
            time.sleep(0.003)
    assert _results(found) == list(range(400))


def test_in_any_other_thread_nothing_happens() -> None:
    with aside():
        pass
