"""Work behind the requests: what waits, what failed; another try for what failed."""

from __future__ import annotations

import functools
from typing import Any

import marshmallow as ma
from flask import g

from app import audit, db, ids, queue_watch
from app.errors import NotFound
from app.people.permissions import Permission as Allow
from app.queue import Queue
from bff.admin.auth import requires
from bff.http import reads, writes
from bff.schemas import Blueprint, Schema, Time

f = ma.fields
v = ma.validate

blp = Blueprint("queues", __name__, url_prefix="/admin/api/v1", description="Work behind the requests")


class QueueOut(Schema):
    name = f.String(required=True)
    waiting = f.Integer(required=True)
    running = f.Integer(required=True)
    failed = f.Integer(required=True, metadata={"description": "within a day"})
    oldest = Time(required=True, allow_none=True, metadata={"description": "since when the oldest waits"})
    workers = f.Integer(required=True)


class QueueList(Schema):
    items = f.List(f.Nested(QueueOut), required=True)


class FailedJobOut(Schema):
    job_id = f.String(required=True, attribute="id")
    job = f.String(required=True, metadata={"description": "the name of its function"})
    at = Time(required=True, allow_none=True)
    error = f.String(
        required=True, metadata={"description": "the class of what went wrong, without its text"}
    )


class FailedJobList(Schema):
    items = f.List(f.Nested(FailedJobOut), required=True)


class RetryIn(Schema):
    job_ids = f.List(
        f.String(validate=v.Length(1, 100)),
        load_default=None,
        validate=v.Length(1, 200),
        metadata={"description": "all failed ones, when left out"},
    )


class QueueRetriedOut(Schema):
    retried = f.Integer(required=True)


def queues_out() -> list[dict[str, Any]]:
    """Every queue as it is now."""
    return [state._asdict() for state in queue_watch.states()]


@blp.route("/queues", methods=["GET"])
@requires(Allow.QUEUE_VIEW)
@reads
@blp.response(200, QueueList)
def queues() -> dict[str, Any]:
    """The queues: what waits, goes on and has failed."""
    return {"items": queues_out()}


def _named(name: str) -> Queue:
    try:
        return Queue(name)
    except ValueError as e:
        raise NotFound from e


@blp.route("/queues/<name>/failed", methods=["GET"])
@requires(Allow.QUEUE_VIEW)
@reads
@blp.response(200, FailedJobList)
def failed_jobs(name: str) -> dict[str, Any]:
    """The jobs of a queue that failed, the latest first; never what they were given."""
    return {"items": queue_watch.failed(_named(name))}


@blp.route("/queues/<name>/retry", methods=["POST"])
@requires(Allow.QUEUE_RETRY)
@writes
@blp.arguments(RetryIn)
@blp.response(200, QueueRetriedOut)
def retry_jobs(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Give failed jobs another try. A job does what the rows say is still to be done: twice does no harm."""
    queue = _named(name)
    there = queue_watch.failed_ids(queue)
    wanted = there if body["job_ids"] is None else [job for job in there if job in set(body["job_ids"])]
    audit.record(
        g.staff.actor,
        "queue.retried",
        community_id=ids.lane_of(g.staff.id),
        object_kind="queue",
        object_id=None,
        queue=queue.value,
        jobs=len(wanted),
    )
    db.after_commit(functools.partial(queue_watch.retry, queue, wanted))
    return {"retried": len(wanted)}
