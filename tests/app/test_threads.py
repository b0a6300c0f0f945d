"""Of many threads few run at a time, and whoever waits makes room."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any

import pytest

from app import threads
from app.threads import aside


@pytest.fixture
def few() -> Iterator[Callable[[int, int], threads.FewAtOnce]]:
    made: list[threads.FewAtOnce] = []

    def make(many: int, at_once: int) -> threads.FewAtOnce:
        made.append(threads.FewAtOnce(many, at_once))
        return made[-1]

    yield make
    for pool in made:
        pool.shutdown()


Few = Callable[[int, int], threads.FewAtOnce]


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


def test_no_more_run_at_a_time_than_may_and_all_get_done_in_their_order(few: Few) -> None:
    pool, running, begun = few(8, 2), Running(), list[int]()

    def work(number: int) -> int:
        with running.one():
            begun.append(number)
            time.sleep(0.002)
            return number

    assert _results([pool.submit(work, number) for number in range(100)]) == list(range(100))
    assert running.most == 2
    assert all(abs(at - number) < 2 for at, number in enumerate(begun))


def test_who_waits_for_somebody_outside_lets_others_run(few: Few) -> None:
    pool, together = few(8, 2), threading.Barrier(8, timeout=30)
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


def test_where_all_that_may_run_are_slow_others_run_and_later_few_again(few: Few) -> None:
    pool = few(6, 2)
    for _ in range(2):
        together = threading.Barrier(6, timeout=30)
        _results([pool.submit(together.wait) for _ in range(6)])
        running = Running()

        def short(running: Running = running) -> None:
            with running.one():
                time.sleep(0.002)

        _results([pool.submit(short) for _ in range(30)])
        assert running.most == 2


@pytest.mark.parametrize("stuck", [1, 2, 5])
def test_some_that_are_stuck_for_long_are_made_up_for_all_the_while(few: Few, stuck: int) -> None:
    pool, gate, running = few(6, 2), threading.Event(), Running()

    def short() -> None:
        with running.one():
            time.sleep(0.002)

    held = [pool.submit(gate.wait, 60) for _ in range(stuck)]
    try:
        time.sleep(0.3)  # by now it shows
        _results([pool.submit(short) for _ in range(200)])
        running.most = 0
        _results([pool.submit(short) for _ in range(200)])
        assert not any(future.done() for future in held)
        assert running.most == min(2, 6 - stuck)
    finally:
        gate.set()
    _results(held)


def test_what_came_while_all_stood_aside_is_done_though_the_first_to_return_gets_stuck(few: Few) -> None:
    pool, gates, stuck = few(3, 1), [threading.Event() for _ in range(3)], threading.Event()
    outside = threading.Barrier(4, timeout=30)

    def work(number: int) -> None:
        with aside():
            outside.wait()
            gates[number].wait(30)
        if number == 0:
            stuck.wait(60)

    held = [pool.submit(work, number) for number in range(3)]
    outside.wait()
    last = pool.submit(lambda: 5)
    gates[0].set()
    time.sleep(0.05)
    gates[1].set()
    gates[2].set()
    try:
        assert last.result(20) == 5
        assert not held[0].done()
    finally:
        stuck.set()
    _results(held)


def test_where_the_system_has_no_room_for_a_thread_the_others_do_it(
    few: Few, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, start, gate = few(4, 1), threading.Thread.start, threading.Event()
    assert pool.submit(lambda: 1).result(30) == 1
    fails = True

    def refuse(thread: threading.Thread) -> None:
        if fails:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    held = pool.submit(gate.wait, 30)
    behind = [pool.submit(lambda: 2) for _ in range(5)]
    time.sleep(0.2)
    fails = False
    more = pool.submit(lambda: 3)  # there is room again, for somebody who looks as well
    assert _results([*behind, more]) == [2] * 5 + [3]
    assert not held.done()
    gate.set()
    assert held.result(30)


def test_one_thread_is_all_it_needs(few: Few) -> None:
    pool, running = few(1, 2), Running()

    def work() -> None:
        with running.one(), aside():
            time.sleep(0.001)

    _results([pool.submit(work) for _ in range(20)])
    assert running.most == 1


def test_an_error_reaches_who_asked_and_the_thread_goes_on(few: Few) -> None:
    pool = few(1, 1)

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        pool.submit(fail).result(30)
    assert pool.submit(lambda: 3).result(30) == 3


def test_what_was_called_off_is_not_begun(few: Few) -> None:
    pool, gate = few(1, 1), threading.Event()
    held = pool.submit(gate.wait, 30)
    off = pool.submit(pytest.fail)
    assert off.cancel()
    gate.set()
    assert held.result(30)
    with pytest.raises(CancelledError):
        off.result(30)
    assert pool.submit(lambda: 3).result(30) == 3


def test_after_its_end_it_takes_nothing_more_but_does_what_it_took(few: Few) -> None:
    pool = few(4, 2)
    taken = [pool.submit(time.sleep, 0.05) for _ in range(9)]
    assert taken[-1].cancel()
    pool.shutdown()
    assert all(future.done() for future in taken)
    assert _results(taken[:-1]) == [None] * 8
    with pytest.raises(RuntimeError):
        pool.submit(time.sleep, 0)


def test_nothing_is_lost_whoever_waits_and_however_long(few: Few) -> None:
    pool, chance = few(6, 2), random.Random(7)
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


def test_what_was_taken_is_done_before_the_end_though_a_thread_begins_meanwhile(few: Few) -> None:
    pool = few(3, 1)
    done = [pool.submit(time.sleep, seconds) for seconds in (0.3, 0.5)]
    pool.shutdown(wait=True)
    assert all(one.done() for one in done)


def test_work_waits_where_the_first_thread_finds_no_room(few: Few, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, refused = threading.Thread.start, 0

    def start(thread: threading.Thread) -> None:
        nonlocal refused
        if thread.name.startswith("request") and not refused:
            refused += 1
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert few(2, 1).submit(lambda: "done").result(5) == "done"
    assert refused == 1
