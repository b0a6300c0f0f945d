"""`python -m workers.sequencer`: puts ballots into the logs of their decisions, in batches, within a second or two.

A process of its own: a queue that is full must not make a voter wait for her proof. It holds nothing between two
batches. Several may run (a decision is sealed by one at a time); killed, it leaves no trace; and while none runs, the
workers' sweep does its work.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from types import FrameType

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import db
from app.settings import SettingsError
from app.voting import ledger
from workers import config
from workers.batches import committed_alone

log = logging.getLogger("sequencer")

PAUSE_S = 0.4  # between two looks: a leaf is sealed within two seconds of its ballot
# Ballots are nearly always found by the short look; the long one finds what was under way for minutes.
LONG_LOOK_S = 10.0


def seal_all(*, thoroughly: bool) -> int:
    """Seal what is waiting, of every decision in turn; how many ballots. One that can't be sealed is logged, and holds
    up no other.
    """
    within = ledger.LATEST if thoroughly else ledger.RECENT
    with db.reading():
        waiting = ledger.waiting(within=within)
    return sum(committed_alone(ledger.seal, ref, within=within) or 0 for ref in waiting)


def run(stop: threading.Event) -> None:
    """Seal until told to stop. A database that is away is waited for; any other trouble is logged, and tried again."""
    long_look = 0.0
    while not stop.is_set():
        thoroughly = time.monotonic() >= long_look
        try:
            sealed = seal_all(thoroughly=thoroughly)
        except (DBAPIError, PoolTimeout) as e:
            log.warning("the database is away, or busy: %s", type(e).__name__)
            stop.wait(1.0)
            continue
        except Exception:
            log.exception("sealing failed")
            stop.wait(1.0)
            continue
        if thoroughly:
            long_look = time.monotonic() + LONG_LOOK_S
        if sealed:
            log.info("%s ballots sealed", sealed)
        if sealed < ledger.BATCH:
            stop.wait(PAUSE_S)


def main() -> int:
    """Run until SIGTERM or SIGINT; exit code 2 with one sentence when settings are missing."""
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        config.boot()
    except SettingsError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    run(stop)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
