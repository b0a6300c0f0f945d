"""Many threads of which few run at a time: the others wait for the network, or rest."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)

# Who has run for so long waits for something, most likely, or computes for long: nobody shall wait behind it.
SLOW_S = 0.1
_LOOKS_EACH_S = SLOW_S / 2

_of_thread = threading.local()


class _Place:
    """What one thread does."""

    __slots__ = ("alarm", "began", "is_slow")

    def __init__(self) -> None:
        self.alarm = threading.Lock()  # it rests on it
        self.alarm.acquire()
        self.began: float | None = None  # its request, while it doesn't stand aside
        self.is_slow = False


class FewAtOnce:
    """A pool like `concurrent.futures.ThreadPoolExecutor`, first come, first served, that lets `at_once` of its
    `threads` run.

    Python's threads share one processor: more that want it at the same moment get no more done, and push one another
    out of its caches. More are needed for what waits. Whoever is about to wait for somebody outside says so (`aside`)
    and lets another run. Who has run for `SLOW_S` seconds isn't counted any more: each such one is made up for by
    another, up to all threads.
    """

    def __init__(self, threads: int, at_once: int) -> None:
        """No thread is started before there is work for it."""
        self._threads = threads
        self._at_once = min(at_once, threads)
        self._lock = threading.RLock()  # a signal's handler may call `shutdown` in the midst of `submit`
        self._todo: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._places: list[_Place] = []
        self._resting: list[_Place] = []
        self._living: set[threading.Thread] = set()
        self._running = 0  # those that are slow as well
        self._slow = 0
        self._is_closed = False
        self._has_watchman = self._is_watched = False
        self._watch = threading.Lock()  # the watchman rests on it
        self._watch.acquire()

    def submit(self, call: Callable[..., Any], *values: Any) -> Future[Any]:
        """Have it called by the next thread that may run. Raises RuntimeError after `shutdown`."""
        future: Future[Any] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the pool takes nothing more")
            self._todo.append((future, call, values))
            if not self._rouse():
                self._have_watched()
        return future

    def shutdown(self, wait: bool = True) -> None:
        """Take nothing more. What was taken is done; with `wait`, before this returns. The process ends after it."""
        with self._lock:
            self._is_closed = True
            self._rouse_all()
        while wait:
            with self._lock:
                one = next(iter(self._living), None)
                if one is None and not self._todo:
                    return
                self._rouse()  # no thread could be started so far
            if one is None:
                time.sleep(_LOOKS_EACH_S)
            else:
                one.join()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While a thread of this pool waits for somebody else; see `aside` below."""
        place: _Place = _of_thread.place
        with self._lock:
            self._leave(place)
            self._rouse()
        try:
            yield
        finally:
            with self._lock:
                self._running += 1  # for what is left of its work maybe one too many
                place.began = time.monotonic()

    def _may_run(self) -> bool:
        """With the lock held: one more?"""
        return self._running - self._slow < self._at_once

    def _leave(self, place: _Place) -> None:
        """With the lock held: it doesn't run any more."""
        self._running -= 1
        self._slow -= place.is_slow
        place.began, place.is_slow = None, False

    def _rouse(self) -> bool:
        """With the lock held: let one more run, if there is work and room. Says whether."""
        if not self._todo or not self._may_run():
            return False
        if self._resting:
            self._running += 1
            self._resting.pop().alarm.release()  # the one that rests for the shortest time is the warmest
            return True
        if len(self._places) >= self._threads:
            return False
        place = _Place()
        name = f"request-{len(self._places) + 1}"
        thread = threading.Thread(target=self._work, args=(place,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The system has no room for one more. Those that run go on with what waits.
            log.warning("no more threads: %s run", len(self._places))
            return False
        self._places.append(place)
        self._living.add(thread)
        self._running += 1
        return True

    def _rouse_all(self) -> None:
        """With the lock held: those who rest may go home."""
        while self._resting:
            self._running += 1
            self._resting.pop().alarm.release()

    def _work(self, place: _Place) -> None:
        _of_thread.pool, _of_thread.place = self, place
        with self._lock:  # until it is counted
            pass
        while True:
            with self._lock:
                task = (
                    self._todo.popleft()
                    if self._todo and self._running - self._slow <= self._at_once
                    else None
                )
                if task is not None:
                    place.began = time.monotonic()
                else:
                    self._leave(place)
                    if self._todo:
                        self._have_watched()  # those for whom it makes room may be stuck
                    elif self._is_closed:
                        self._living.discard(threading.current_thread())
                        self._rouse_all()
                        return
                    self._resting.append(place)
            if task is None:
                place.alarm.acquire()
                continue
            self._do(place, *task)
            del task  # or it lives until the next request

    def _do(
        self, place: _Place, future: Future[Any], call: Callable[..., Any], values: tuple[Any, ...]
    ) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            found = call(*values)
        except BaseException as e:  # noqa: BLE001  whoever waits for it gets it
            self._end(place)
            future.set_exception(e)
        else:
            self._end(place)
            future.set_result(found)

    def _end(self, place: _Place) -> None:
        """It runs still, but nothing slow."""
        place.began = None
        if place.is_slow:
            with self._lock:
                self._slow -= 1
                place.is_slow = False

    # --- who looks whether anybody is slow ---------------------------------------------------------------

    def _have_watched(self) -> None:
        """With the lock held: look every 50 ms for as long as anything waits."""
        if self._is_watched:
            return
        if self._has_watchman:
            self._is_watched = True
            self._watch.release()
            return
        try:
            threading.Thread(target=self._look, name="watchman", daemon=True).start()
        except RuntimeError:
            log.warning("no room for a thread that looks after the others")
            return
        self._has_watchman = self._is_watched = True

    def _look(self) -> None:
        while True:
            time.sleep(_LOOKS_EACH_S)
            with self._lock:
                if self._todo:
                    self._count_slow(time.monotonic() - SLOW_S)
                    while self._rouse():
                        pass
                    continue
                self._is_watched = False
            self._watch.acquire()

    def _count_slow(self, since: float) -> None:
        for place in self._places:
            began = place.began  # may end in between
            if not place.is_slow and began is not None and began < since:
                place.is_slow = True
                self._slow += 1


@contextmanager
def aside() -> Iterator[None]:
    """Around a wait for somebody outside, by whom another thread of this pool may run. Nothing in any other thread, or
    inside another `aside`.
    """
    pool: FewAtOnce | None = getattr(_of_thread, "pool", None)
    if pool is None or getattr(_of_thread, "is_aside", False):
        yield
        return
    _of_thread.is_aside = True
    try:
        with pool.aside():
            yield
    finally:
        _of_thread.is_aside = False
