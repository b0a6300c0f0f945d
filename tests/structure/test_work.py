"""Jobs, outbox kinds, queues and the schedule fit together, and nothing of them is ever pickled."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from redis import Redis
from rq import Worker
from rq.serializers import JSONSerializer

from app import clock, queue
from app.queue import JOB_TIMEOUT_S, Job, Queue
from app.settings import Settings
from tests.conftest import TOP, House
from workers import __main__ as entry
from workers import config, jobs, schedule
from workers.handlers import HANDLERS


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module there, one after the other: all of them at once are a million objects."""
    for folder in folders:
        for path in sorted((TOP / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_every_job_is_a_function_of_the_workers_and_every_such_function_is_a_job() -> None:
    functions = {
        f"workers.jobs.{name}"
        for name, thing in vars(jobs).items()
        if inspect.isfunction(thing) and thing.__module__ == jobs.__name__ and not name.startswith("_")
    }
    assert functions == {job.value for job in Job}


def test_every_promise_has_a_handler_and_every_handler_a_promise() -> None:
    promised = set()
    for path, tree in sources("app", "bff", "workers"):
        module = ".".join(path.relative_to(TOP).with_suffix("").parts)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "outbox.put":
                continue
            kind = next(keyword.value for keyword in node.keywords if keyword.arg == "kind")
            assert isinstance(kind, ast.Name), f"{path.name}: the kind of a promise is a named constant"
            promised.add(getattr(importlib.import_module(module), kind.id))
    assert promised == set(HANDLERS)


def test_every_queue_has_one_worker_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor's children, as it makes them: nothing is started, and it stops at once."""
    made: list[entry.Child] = []

    class Noted(entry.Child):
        def look(self) -> None:
            made.append(self)
            raise KeyboardInterrupt

    def first_round() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            entry.supervise()

    children: list[entry.Child] = []

    def make(name: str, work: Callable[[], int]) -> entry.Child:
        children.append(Noted(name, work))
        return children[-1]

    monkeypatch.setattr(entry, "Child", make)
    monkeypatch.setattr(config, "boot", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    first_round()
    assert sorted(child.name for child in children) == sorted([*(q.value for q in Queue), "schedule"])


def test_what_waits_in_redis_is_json_and_ends_below_a_minute(house: House) -> None:
    queue.enqueue(Queue.CRITICAL, Job.DRAIN, 1, "critical", job_id="structure-test")
    with contextlib.closing(Redis.from_url(house.settings.redis_url)) as redis:
        stored: dict[bytes, bytes] = redis.hgetall("rq:job:structure-test")  # type: ignore[assignment]
        name, _, args, kwargs = json.loads(zlib.decompress(stored[b"data"]))
        assert (name, args, kwargs) == (Job.DRAIN.value, [1, "critical"], {})
        assert int(stored[b"timeout"]) == JOB_TIMEOUT_S < house.settings.lease_s
        queue.rq_queue(Queue.CRITICAL).remove("structure-test")


def test_queue_worker_and_schedule_all_speak_json(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(queue.rq_queue(name).serializer is JSONSerializer for name in Queue)

    workers: list[Worker] = []
    monkeypatch.setattr(entry.OneQueueWorker, "work", lambda self, **_: workers.append(self))
    monkeypatch.setattr(config, "boot", lambda: house.settings)
    monkeypatch.setattr("os.register_at_fork", lambda **_: None)
    assert entry.run_worker(Queue.MEDIA) == 0
    assert workers[0].serializer is JSONSerializer
    assert [q.name for q in workers[0].queues] == ["media"], "a worker on two queues can lose a job for ever"
    assert (workers[0].worker_ttl, workers[0].maintenance_interval) == (45, 15)
    workers[0].connection.close()


def test_the_schedule_enqueues_json_and_each_job_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[schedule.Schedule] = []
    monkeypatch.setattr(schedule.Schedule, "start", lambda self: planned.append(self))  # noqa: PLW0108  a builtin would not be bound
    with contextlib.closing(Redis.from_url(house.settings.redis_url)) as redis:
        schedule.run(redis, house.settings)
        wanted = {job.value for job in Job if not job.name.startswith("DRAIN")}
        assert {cron.func_name for cron in planned[0].get_jobs()} == wanted
        for cron in planned[0].get_jobs():
            for _ in range(2):
                cron.enqueue(redis)
        waiting = queue.rq_queue(Queue.PERIODIC)
        for cron in planned[0].get_jobs():
            job_id = f"cron-{cron.func_name.rpartition('.')[2]}"
            assert waiting.job_ids.count(job_id) == 1
            stored = redis.hget(f"rq:job:{job_id}", "data")
            assert isinstance(stored, bytes)
            assert json.loads(zlib.decompress(stored))[0] == cron.func_name
            waiting.remove(job_id)


@pytest.mark.parametrize("hours", [1, -1])
def test_the_schedule_goes_on_when_the_machine_s_clock_is_set(
    house: House, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    planned: list[schedule.Schedule] = []
    monkeypatch.setattr(schedule.Schedule, "start", lambda self: planned.append(self))  # noqa: PLW0108  as above
    rung: list[str] = []
    monkeypatch.setattr(schedule.JsonCronJob, "enqueue", lambda self, _: rung.append(self.name))
    with contextlib.closing(Redis.from_url(house.settings.redis_url)) as redis:
        schedule.run(redis, house.settings)
        planned[0].enqueue_jobs()
        rung.clear()
        with time_machine.travel(time.time() + hours * 3600):
            planned[0].enqueue_jobs()
            assert "SWEEP" in rung
            assert planned[0].calculate_sleep_interval() <= house.settings.sweep_s
            nightly = [job.next_enqueue_time for job in planned[0].get_jobs() if job.cron]
            assert all(at and at <= clock.now() + timedelta(days=1) for at in nightly)


def test_no_module_pickles() -> None:
    for path, tree in sources("app", "bff", "workers", "tools"):
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {"pickle", "shelve", "marshal", "dill"} & set(names), path


def test_the_sweep_as_shipped_keeps_the_promise_of_ten_seconds() -> None:
    # Made, asked about, verdict: a photo passes three sweeps when every bell is lost.
    shipped = next(row.default for row in fields(Settings) if row.name == "sweep_s")
    assert isinstance(shipped, int)
    assert 3 * shipped <= 7
