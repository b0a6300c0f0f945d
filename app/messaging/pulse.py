"""How the vendors do at the moment: what all workers noted of their last calls, and what follows for their share.

Written by `workers.pace`; Redis is only a hint, so nothing known is nothing said.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

import orjson

from app import queue
from app.messaging.failover import Call, Standing

CALLS, STANDINGS = "sms:calls:", "sms:standings"  # Redis: a list for each vendor; one text for all
LATELY_S = 300.0


class Pulse(NamedTuple):
    """A vendor's last calls of five minutes. `failed`: it or the way there was at fault; `p95_ms`: None without calls;
    `share`: of its weight, below 1 while work is kept away from it.
    """

    calls: int
    failed: int
    p95_ms: int | None
    share: float


def pulses(codes: Iterable[str]) -> dict[str, Pulse] | None:
    """Each of these vendors, by its code; None while Redis is away."""
    noted = queue.noted(STANDINGS, [CALLS + code for code in codes])
    if noted is None:
        return None
    kept, told = noted
    try:
        known = {name: Standing(*one) for name, one in orjson.loads(kept).items()} if kept else {}
        lately = {
            name.removeprefix(CALLS): [Call(*orjson.loads(line)) for line in lines]
            for name, lines in told.items()
        }
    except (orjson.JSONDecodeError, TypeError):
        return None
    since = time.time() - LATELY_S
    found = {}
    for code, kept_calls in lately.items():
        calls = [call for call in kept_calls if call.at >= since]
        times = sorted(call.ms for call in calls)
        p95 = round(times[min(len(times) - 1, int(len(times) * 0.95))]) if times else None
        failed = sum(call.failed for call in calls)
        found[code] = Pulse(len(calls), failed, p95, known.get(code, Standing()).share)
    return found
