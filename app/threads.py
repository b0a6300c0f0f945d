"""Many threads of which few run at a time: the others wait for the network, or rest."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)

# Who runs and gets nothing done for so long waits for something: another one may run beside it.
STUCK_S = 0.05

_of_thread = threading.local()


class FewAtOnce:
    """A pool like `concurrent.futures.ThreadPoolExecutor`, first come, first served, that lets `at_once` of its
    `threads` run.

    Python's threads share one processor: more that want it at the same moment get no more done, and push one another
    out of its caches (a fifth of the first screens). More are needed for what waits. Whoever is about to wait for
    somebody outside says so (`aside`) and lets another run; where nobody does and nothing has been finished for
    `STUCK_S` seconds, one more runs, and another one after as long, up to all. Once they come back, they rest.
    """

    def __init__(self, threads: int, at_once: int) -> None:
        """No thread is started before there is work for it."""
        self._threads = threads
        self._at_once = min(at_once, threads)
        self._lock = threading.Lock()
        self._todo: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._resting: list[threading.Lock] = []  # the alarm of each
        self._started = 0
        self._running = 0
        self._lent = 0  # how many more may run, as others are stuck
        self._finished = 0
        self._is_closed = False
        self._watch = threading.Lock()  # held while nobody waits: the watchman sleeps on it
        self._is_watched = False

    def submit(self, call: Callable[..., Any], *values: Any) -> Future[Any]:
        """Have it called by the next thread that may run. Raises RuntimeError after `shutdown`."""
        future: Future[Any] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the pool takes nothing more")
            self._todo.append((future, call, values))
            self._rouse()
            if self._todo and self._running >= self._at_once + self._lent:
                self._have_watched()
        return future

    def shutdown(self, wait: bool = True) -> None:
        """Take nothing more. What was taken is done; with `wait`, before this returns."""
        with self._lock:
            self._is_closed = True
            last = self._todo[-1][0] if self._todo else None
        if wait and last is not None:
            last.exception()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While a thread of this pool waits for somebody else; see `aside` below."""
        with self._lock:
            self._running -= 1
            self._rouse()
        try:
            yield
        finally:
            with self._lock:
                self._running += 1  # for what is left of its work maybe one too many

    def _rouse(self) -> None:
        """With the lock held: let one more run, if there is work and room."""
        if not self._todo or self._running >= self._at_once + self._lent:
            return
        if self._resting:
            self._running += 1
            self._resting.pop().release()  # the one that rests for the shortest time is the warmest
        elif self._started < self._threads:
            self._running += 1
            self._started += 1
            threading.Thread(target=self._work, name=f"request-{self._started}", daemon=True).start()

    def _work(self) -> None:
        _of_thread.pool = self
        alarm = threading.Lock()
        alarm.acquire()
        while True:
            with self._lock:
                if self._todo and self._running <= self._at_once + self._lent:
                    future, call, values = self._todo.popleft()
                else:
                    future = None
                    self._running -= 1
                    self._resting.append(alarm)
            if future is None:
                alarm.acquire()
                continue
            if not future.set_running_or_notify_cancel():
                continue
            try:
                found = call(*values)
            except BaseException as e:  # noqa: BLE001  whoever waits for it gets it
                self._end_one()
                future.set_exception(e)
            else:
                self._end_one()
                future.set_result(found)
            del future, call, values  # or they live until the next request

    def _end_one(self) -> None:
        self._finished += 1
        if self._lent:
            with self._lock:
                self._lent = max(0, self._lent - 1)

    # --- who looks whether anything gets done ------------------------------------------------------------

    def _have_watched(self) -> None:
        """With the lock held."""
        if self._is_watched:
            return
        self._is_watched = True
        if self._watch.locked():
            self._watch.release()
            return
        self._watch.acquire()
        threading.Thread(target=self._look, name="watchman", daemon=True).start()

    def _look(self) -> None:
        pause = threading.Event()
        while True:
            seen = self._finished
            pause.wait(STUCK_S)
            with self._lock:
                if self._todo:
                    if self._finished == seen and self._at_once + self._lent < self._threads:
                        self._lent += 1
                        self._rouse()
                    continue
                self._is_watched = False
            self._watch.acquire()


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
