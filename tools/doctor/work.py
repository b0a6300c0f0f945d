"""Work behind the request: does Redis answer, does somebody serve each queue, does anything wait too long?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from app import db, outbox, queue, queue_watch
from app.queue_watch import QueueAway, State
from app.voting import ledger
from tools.doctor.finding import Finding, fine, problem, warning

WAITS_S = 60  # a job at the head of its queue
DUE_S = 120  # a row that is due; the sweep rings every few seconds
SILENT_S = 130  # a schedule is heard of at least each minute
UNSEALED_S = 60


def look() -> Iterator[Finding]:
    """Everything about it."""
    if queue.answers():
        yield fine("redis", "Redis answers.")
        try:
            yield from queues(queue_watch.states())
            yield schedule(queue_watch.schedules())
        except QueueAway:
            yield problem("redis", "Redis stopped answering while it was looked at.")
    else:
        yield problem(
            "redis", "Redis doesn't answer: nothing is lost, but nothing behind a request is done either."
        )
    with db.reading():
        yield from promises(outbox.oldest_due(), outbox.backlog())
        yield ballots(*ledger.backlog())


def queues(states: Sequence[State]) -> Iterator[Finding]:
    """A worker for each, nothing that waits long, nothing failed."""
    sound = True
    for state in states:
        name = state.name.value
        if not state.workers:
            sound = False
            yield problem("queues", f"Nobody works on the queue {name}: is python -m workers running?")
        waits = (datetime.now(UTC) - _aware(state.oldest)).total_seconds() if state.oldest else 0
        if waits > WAITS_S:
            sound = False
            yield problem(
                "queues", f"On the queue {name} {state.waiting} jobs wait, the oldest for {waits:.0f} s."
            )
        if state.failed:
            sound = False
            yield warning(
                "queues", f"{state.failed} jobs of the queue {name} failed within a day: see the log."
            )
    if sound:
        yield fine("queues", "Every queue has its worker, and nothing waits.")


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def schedule(ages: Sequence[float]) -> Finding:
    """One, heard of lately. What a killed one left is silent, and doesn't count."""
    alive = [age for age in ages if age < SILENT_S]
    if not alive:
        return problem(
            "schedule", "No schedule runs: nothing happens by the clock. python -m workers starts it."
        )
    if len(alive) > 1:
        # One that was just replaced is still listed for two minutes.
        return warning("schedule", f"{len(alive)} schedules were heard of lately: start exactly one.")
    return fine("schedule", f"The schedule was heard of {alive[0]:.0f} s ago.")


def promises(oldest_s: float, backlog: Sequence[tuple[str, str, int]]) -> Iterator[Finding]:
    """What is promised in the outbox is done soon, and nothing was given up."""
    if oldest_s > DUE_S:
        yield problem("outbox", f"A promise has been due for {oldest_s:.0f} s, and nobody keeps it.")
    failed = {kind: rows for kind, state, rows in backlog if state == outbox.OutboxState.FAILED}
    if failed:
        kinds = ", ".join(f"{kind} ({rows})" for kind, rows in sorted(failed.items()))
        yield problem(
            "outbox",
            f"Given up after {outbox.MAX_ATTEMPTS} tries: {kinds}. docs/guide/operating.md says what to do.",
        )
    if oldest_s <= DUE_S and not failed:
        yield fine("outbox", "Nothing that is due waits.")


def ballots(waiting: int, seconds: float) -> Finding:
    """A ballot is in its log within seconds; ten minutes are promised to its voter."""
    if waiting and seconds > UNSEALED_S:
        return problem(
            "ballots",
            f"{waiting} ballots aren't in their log, the oldest for {seconds:.0f} s: "
            "is python -m workers.sequencer running?",
        )
    return fine("ballots", "Every ballot is in its log.")
