"""Bells and what is told to many: nobody's work stands behind a hundred times the same bell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from sqlalchemy import event

from app import db, ids, queue
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.queue import Job, Queue
from tests.conftest import House, Person

ARGS = (-64, "default")


@pytest.fixture
def waiting(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """`waiting()`: how many of these bells wait on the default queue; bells are rung as in production."""
    monkeypatch.setattr(queue, "_ring", True)
    rq = queue.rq_queue(Queue.DEFAULT)
    ours = lambda: [job for job in rq.jobs if tuple(job.args) == ARGS]  # noqa: E731
    yield lambda: len(ours())
    for job in ours():
        rq.remove(job)
    queue.heard("default", "drain", ARGS, queue.redis())


def test_a_bell_that_waits_is_not_rung_again(waiting: Callable[[], int]) -> None:
    for _ in range(5):
        queue.ring(Queue.DEFAULT, Job.DRAIN, *ARGS)
    assert waiting() == 1


def test_who_rings_after_the_job_has_begun_is_heard(waiting: Callable[[], int]) -> None:
    queue.ring(Queue.DEFAULT, Job.DRAIN, *ARGS)
    queue.heard("default", "drain", ARGS, queue.redis())
    queue.ring(Queue.DEFAULT, Job.DRAIN, *ARGS)
    assert waiting() == 2


def test_a_bell_whose_job_was_lost_is_forgotten_after_its_time(waiting: Callable[[], int]) -> None:
    queue.ring(Queue.DEFAULT, Job.DRAIN, *ARGS)
    left = queue.redis().pttl("bell:default:drain:-64:default")
    assert isinstance(left, int)
    assert 0 < left <= queue.BELL_MS


def test_without_redis_nothing_is_heard_and_nothing_breaks() -> None:
    queue.heard("default", "drain", ARGS, Redis.from_url("redis://127.0.0.1:1/0"))


# --- to many -------------------------------------------------------------------------------------------------


@pytest.fixture
def statements(house: House) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    yield seen
    event.remove(db.engine(), "before_cursor_execute", note)


def tell(people: list[Person], idem: str) -> None:
    with db.transaction():
        messaging.notify_all(
            resident_ids=[one.id for one in people],
            kind=NoticeKind.PHONE_BOUND,
            community_id=ids.lane_of(people[0].id),
            idem=idem,
            params={"phone": "138****0000"},
        )


def test_many_are_told_in_as_many_statements_as_one(
    resident: Callable[..., Person], statements: list[str]
) -> None:
    people = [resident() for _ in range(8)]
    counts = []
    for some in (people[:1], people):
        del statements[:]
        tell(some, f"told:{uuid4().hex}")
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert [one.get("/inbox").json["items"][0]["kind"] for one in people] == ["phone_bound"] * 8


def test_who_was_told_is_not_told_again(resident: Callable[..., Person]) -> None:
    people, idem = [resident() for _ in range(3)], f"told:{uuid4().hex}"
    tell(people[:1], idem)
    tell(people, idem)
    assert [len(one.get("/inbox").json["items"]) for one in people] == [1, 1, 1]
