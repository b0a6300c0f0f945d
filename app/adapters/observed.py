"""Each call to somebody else: counted, timed, and one line in the log that carries the request's id. Meanwhile another
request may run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app import logs, meters, threads

log = logging.getLogger("provider")

OK, REFUSED, NO_ANSWER = "ok", "refused", "no_answer"


class Call:
    """A call under way; who makes it says how it ended."""

    def __init__(self) -> None:
        """Nobody has answered yet."""
        self.outcome = NO_ANSWER


@contextmanager
def call(provider: str, what: str) -> Iterator[Call]:
    """Around one call. `provider` and `what` are words of ours, few in number, never an address or a name."""
    made = Call()
    began = time.perf_counter()
    try:
        with threads.aside():
            yield made
    finally:
        took = time.perf_counter() - began
        meters.add(meters.CALLS, provider, what, made.outcome)
        meters.add(meters.CALL_SECONDS, provider, what, by=took)
        logs.line(
            log, f"{provider} {what} {made.outcome}", provider=provider, call=what, ms=round(took * 1000, 1)
        )
