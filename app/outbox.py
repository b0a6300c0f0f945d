"""The outbox: what was promised in a business transaction and is still to be done outside it.

A row is written with the business rows, leased by a worker (`SKIP LOCKED`), done, and marked. Killing the
worker, emptying Redis or restarting PostgreSQL delays it; nothing loses it. Handlers may run twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Index, SmallInteger, String, UniqueConstraint, bindparam, delete, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app import clock, db, ids, logs, queue

MAX_ATTEMPTS = 40
# Seconds before the next try: soon at first, because most trouble is over in moments.
_BACKOFF = (2, 5, 15, 30, 60, 120, 300, 600, 900)


class OutboxState(StrEnum):
    """open → done, or failed after MAX_ATTEMPTS (shown in /metrics, kept for a person to look at)."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


class Outbox(db.Base):
    """One promise. `community_id` is a community, or the lane of a person (`ids.lane_of`)."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("community_id", "idem"),
        Index(
            "ix_outbox_due", "community_id", "queue", "not_before", postgresql_where=text("state = 'open'")
        ),
        Index("ix_outbox_sweep", "not_before", postgresql_where=text("state = 'open'")),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(48))
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(8), server_default=OutboxState.OPEN)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    idem: Mapped[str] = mapped_column(String(120))
    last_error: Mapped[str | None] = mapped_column(String(120))
    created_at: Mapped[datetime]


class Leased(NamedTuple):
    """A row this worker holds until its lease ends."""

    community_id: int
    id: UUID
    kind: str
    payload: dict[str, Any]
    attempts: int
    created_at: datetime
    request_id: str | None = None  # of the request that promised it, for the log


_REQUEST = "_request_id"  # beside what the handler reads


_PUT = db.Plain(
    """
    INSERT INTO outbox (community_id, id, queue, kind, payload, idem, not_before, created_at)
    VALUES (:community_id, :id, :queue, :kind, :payload::jsonb, :idem, :not_before, :created_at)
    ON CONFLICT (community_id, idem) DO NOTHING
    """
)


def put(
    *,
    community_id: int,
    kind: str,
    payload: dict[str, Any],
    idem: str,
    on: queue.Queue = queue.Queue.DEFAULT,
    not_before: datetime | None = None,
) -> None:
    """Promise `kind` in this transaction, at most once for `idem` in the community, and ring after the commit."""
    now = clock.now()
    _PUT.write(_promise(community_id, kind, payload, idem, on, not_before or now, now))
    if not_before is None or not_before <= now:
        queue.enqueue_after_commit(on, queue.Job.DRAIN, community_id, on.value)


def put_alone(
    *,
    community_id: int,
    kind: str,
    payload: dict[str, Any],
    idem: str,
    on: queue.Queue,
    not_before: datetime,
) -> None:
    """Promise `kind` for later, and nothing beside it: a transaction by itself, in one way to the database and back.
    Not inside transaction(); nothing rings.
    """
    _PUT.rows(_promise(community_id, kind, payload, idem, on, not_before, clock.now()))


def _promise(
    community_id: int,
    kind: str,
    payload: dict[str, Any],
    idem: str,
    on: queue.Queue,
    not_before: datetime,
    now: datetime,
) -> dict[str, Any]:
    request = logs.request_id()
    told = payload if request is None else payload | {_REQUEST: logs.scrub(request)}
    return {
        "community_id": community_id,
        "id": ids.new_id(),
        "queue": on.value,
        "kind": kind,
        "payload": orjson.dumps(told).decode(),
        "idem": idem,
        "not_before": not_before,
        "created_at": now,
    }


def lease(community_id: int, on: str, *, limit: int, seconds: int) -> list[Leased]:
    """Up to `limit` due rows of one community and queue, the first promised first, held by the caller for `seconds`."""
    now = clock.now()
    due = (
        select(Outbox.id)
        .where(
            Outbox.community_id == community_id,
            Outbox.queue == on,
            Outbox.state == OutboxState.OPEN,
            Outbox.not_before <= now,
            (Outbox.lease_until.is_(None)) | (Outbox.lease_until <= now),
        )
        .order_by(Outbox.not_before)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # A plain subquery may be run again for each row, and each time it would skip what is locked and lock more.
        .cte("due")
    )
    rows = db.session().execute(
        update(Outbox)
        .where(Outbox.community_id == community_id, Outbox.id.in_(select(due.c.id)))
        .values(lease_until=now + timedelta(seconds=seconds), attempts=Outbox.attempts + 1)
        .returning(
            Outbox.community_id, Outbox.id, Outbox.kind, Outbox.payload, Outbox.attempts, Outbox.created_at
        )
        .execution_options(synchronize_session=False)
    )
    leased = sorted((_leased(*row) for row in rows), key=lambda row: row.id)  # RETURNING knows no order
    for row in leased:
        if row.attempts > MAX_ATTEMPTS:
            # Each try ended without a word: what it does kills its worker.
            _settle(row, state=OutboxState.FAILED, lease_until=None, last_error="no try came to an end")
    return [row for row in leased if row.attempts <= MAX_ATTEMPTS]


def _leased(
    community_id: int, id_: UUID, kind: str, payload: dict[str, Any], attempts: int, created_at: datetime
) -> Leased:
    request_id = payload.get(_REQUEST)
    own = {name: value for name, value in payload.items() if name != _REQUEST}
    return Leased(community_id, id_, kind, own, attempts, created_at, request_id)


def done(row: Leased) -> None:
    """The promise is kept. The row stays a week, so that the same `idem` is not promised again."""
    _settle(row, state=OutboxState.DONE, lease_until=None, last_error=None)


def again(row: Leased, *, error: str, after_s: int | None = None) -> None:
    """Not kept yet: due again after `after_s` seconds (by default a growing pause); failed after MAX_ATTEMPTS.

    `error` is a short word for operators, never a person's data.
    """
    pause = _BACKOFF[min(row.attempts, len(_BACKOFF)) - 1] if after_s is None else after_s
    state = OutboxState.FAILED if row.attempts >= MAX_ATTEMPTS else OutboxState.OPEN
    _settle(
        row,
        state=state,
        lease_until=None,
        last_error=error[:120],
        not_before=clock.now() + timedelta(seconds=pause),
    )


def hold(row: Leased, *, seconds: int) -> None:
    """Keep the row for so long from now: its work takes longer than a lease."""
    _settle(row, lease_until=clock.now() + timedelta(seconds=seconds))


def give_back(row: Leased) -> None:
    """Not begun: anybody may lease it at once, and it doesn't count as a try."""
    # Counting down is safe: whoever leases next counts up again before working.
    _settle(row, lease_until=None, attempts=row.attempts - 1)


def _settle(row: Leased, **values: Any) -> None:
    # `attempts` fences: a worker whose lease ran out must not settle the row that another one now holds.
    db.session().execute(
        update(Outbox)
        .where(Outbox.community_id == row.community_id, Outbox.id == row.id, Outbox.attempts == row.attempts)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def due_everywhere() -> Sequence[tuple[int, str]]:
    """(community_id, queue) pairs with something due now; for the sweeper, across communities, without locks."""
    now = clock.now()
    rows = db.session().execute(
        select(Outbox.community_id, Outbox.queue)
        .where(
            Outbox.state == OutboxState.OPEN,
            Outbox.not_before <= now,
            (Outbox.lease_until.is_(None)) | (Outbox.lease_until <= now),
        )
        .distinct()
        .execution_options(cross_community="sweeper")
    )
    return [(community_id, name) for community_id, name in rows]


_BROUGHT_FORWARD = text(
    "UPDATE outbox SET created_at = CASE WHEN created_at > :soon THEN CAST(:now AS timestamptz) ELSE created_at END,"
    " not_before = CASE WHEN attempts > 0 AND not_before > :soon THEN CAST(:now AS timestamptz)"
    " WHEN created_at > :soon THEN not_before - (created_at - CAST(:now AS timestamptz)) ELSE not_before END,"
    " lease_until = CASE WHEN lease_until > :long THEN CAST(:now AS timestamptz) ELSE lease_until END"
    " WHERE outbox.state = 'open'"
    " AND (created_at > :soon OR lease_until > :long OR (attempts > 0 AND not_before > :long))"
)


def bring_forward() -> int:
    """What was promised, put off or leased while a clock was ahead is due as if it had been right; how many rows."""
    result = db.session().execute(
        _BROUGHT_FORWARD.execution_options(cross_community="a clock was set back"), clock.made_ahead()
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # as above


def backlog() -> list[tuple[str, str, int]]:
    """(kind, state, rows) of everything open or failed; for /metrics."""
    rows = db.session().execute(
        text("SELECT kind, state, count(*) FROM outbox WHERE state <> :done GROUP BY kind, state")
        .bindparams(bindparam("done", OutboxState.DONE.value))
        .execution_options(cross_community="metrics")
    )
    return [(kind, state, rows_) for kind, state, rows_ in rows]


def oldest_due() -> float:
    """Seconds for which the oldest row that is due has waited for a worker; 0 when none waits. For /metrics."""
    now = clock.now()
    since = db.session().scalar(
        select(Outbox.not_before)
        .where(
            Outbox.state == OutboxState.OPEN,
            Outbox.not_before <= now,
            (Outbox.lease_until.is_(None)) | (Outbox.lease_until <= now),
        )
        .order_by(Outbox.not_before)
        .limit(1)
        .execution_options(cross_community="metrics")
    )
    return (now - since).total_seconds() if since is not None else 0.0


def forget_done(*, before: datetime) -> int:
    """Delete rows that were done and created before that time; how many."""
    result = db.session().execute(
        delete(Outbox)
        .where(Outbox.state == OutboxState.DONE, Outbox.created_at < before)
        .execution_options(synchronize_session=False, cross_community="retention")
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE or DELETE gives a CursorResult
