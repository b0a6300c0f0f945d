"""What many ask for at the same moment is made by one of them and kept in the process for a while; the others wait."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from app import db, meters, threads

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Kept(NamedTuple, Generic[V]):
    value: V
    began_at: float
    weight: int


class Once(Generic[K, V]):
    """Values under keys; what was used longest ago goes first where there is no room."""

    def __init__(
        self, name: str, *, good_for_s: float, most: int, weigh: Callable[[V], int] = lambda _: 1
    ) -> None:
        """`name`: in the metrics. `most`: of what `weigh` says of all values together; what weighs more is made and
        not kept. A value is no older than `good_for_s`, counted from when its making began.
        """
        self._name = name
        self._good_for_s = good_for_s
        self._most = most
        self._weigh = weigh
        self._held = 0
        self._kept: OrderedDict[K, _Kept[V]] = OrderedDict()
        self._making: dict[K, Future[V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V], *, is_good: Callable[[V], bool] | None = None) -> V:
        """The value, made now where none is kept or `is_good` refuses it. One whose making began after this was called
        is good. Raises what `make` does, to all who wait for it; where only the time of who made it was over, another
        makes it once more.

        Hold no connection of the database: `make` of another may wait for one.
        """
        has_waited = False
        while True:
            with self._lock:
                found = self._kept.get(key)
                if (
                    found is not None
                    and monotonic() - found.began_at < self._good_for_s
                    and (is_good is None or is_good(found.value))
                ):
                    self._kept.move_to_end(key)
                    break
                making = self._making.get(key)
                if making is None:
                    mine = self._making[key] = Future()
            if making is None:
                meters.add(meters.CACHE, self._name, "miss")
                return self._made(key, mine, make)
            try:
                with threads.aside():
                    value = making.result()
            except db.TookTooLong:  # it was her time that was over, who made it
                if has_waited:
                    raise
                has_waited = True
                continue
            if has_waited or is_good is None or is_good(value):
                meters.add(meters.CACHE, self._name, "waited")
                return value
            has_waited = True  # whatever is made from here on began after the call
        meters.add(meters.CACHE, self._name, "hit")
        return found.value

    def _made(self, key: K, making: Future[V], make: Callable[[], V]) -> V:
        began_at = monotonic()
        try:
            value = make()
            weight = self._weigh(value)
        except BaseException as e:
            with self._lock:
                del self._making[key]
            making.set_exception(e)
            raise
        with self._lock:
            del self._making[key]
            self._drop(key)
            if weight <= self._most:
                self._kept[key] = _Kept(value, began_at, weight)
                self._held += weight
            while self._held > self._most:
                self._drop(next(iter(self._kept)))
        making.set_result(value)
        return value

    def _drop(self, key: K) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._held -= gone.weight
