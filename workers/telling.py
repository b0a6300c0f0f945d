"""Tells a source the statuses it is owed: each once and in order, the network between two transactions."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import orjson

from app import adapters, clock, db
from app.adapters.outcome import Outcome
from app.sources import queries as owed
from app.sources import service as sources
from app.sources import signing
from app.sources.models import StatusState
from app.sources.queries import Due
from app.sources.service import Lane
from workers.batches import Shift, committed

log = logging.getLogger(__name__)

PAGE = 50


def tell(lane: Lane, shift: Shift) -> str | None:
    """Send what is waiting; None when all went well, else the word for why the lane must wait. Stops when
    the shift is over, well before the lease ends.

    A crash between sending and recording sends the same `seq` again, which the receiver drops. Nothing is ever
    left out: after anything but an answer about this very message, the same status is the next to be tried.
    """
    while not shift.is_over():
        with db.reading():
            page = owed.waiting(lane.community_id, lane.source_id, limit=PAGE)
        if not page:
            return None
        for due in page:
            if shift.is_over():
                return None
            body = message(due)
            headers = signing.headers(
                lane.secret,
                key_id=lane.key_id,
                path=urlsplit(lane.url).path or "/",
                now=int(clock.now().timestamp()),
                body=body,
            )
            headers["Content-Type"] = "application/json"
            reply = adapters.callbacks().post(lane.url, body=body, headers=headers)
            if reply.outcome not in {Outcome.ACCEPTED, Outcome.REFUSED}:
                log.warning("source not told: %s", reply.word, extra={"source_id": str(lane.source_id)})
                return reply.word
            accepted = reply.outcome is Outcome.ACCEPTED
            if not accepted:
                log.error("source refused a status: %s", reply.word, extra={"source_id": str(lane.source_id)})
            committed(
                sources.settle,
                due,
                state=StatusState.SENT if accepted else StatusState.REFUSED,
                error=None if accepted else reply.word,
            )
    return None


def message(due: Due) -> bytes:
    """The body of one status: `external_number, number, status, at, seq, org, note_for_reporter?`."""
    body: dict[str, Any] = {
        "external_number": due.external_number,
        "number": due.number,
        "status": due.status,
        "at": clock.rfc3339(due.at),
        "seq": due.seq,
        "org": due.org,
    }
    if due.note is not None:
        body["note_for_reporter"] = due.note
    return orjson.dumps(body)
