"""The supervisor: keeps its children running, and takes them along when it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from redis import Redis
from rq.serializers import JSONSerializer

from tests.conftest import TOP, House
from tests.workers.conftest import NAMES, QUICK, Plant, children_of, kill9, wait_for
from tools.processes import Identity
from workers import __main__ as entry


def family(pid: int) -> list[Identity]:
    """The process's children and theirs."""
    near = list(children_of(pid))
    far = [grandchild for child in near for grandchild in children_of(child)]
    return [who for who in map(Identity.of, [*near, *far]) if who is not None]


@pytest.mark.long
def test_a_killed_worker_is_started_again(plant: Plant) -> None:
    before = plant.worker("critical")
    assert before is not None
    kill9(before)
    took = wait_for(
        lambda: plant.worker("critical") not in {None, before}, within=5, of="a new one is started"
    )
    took += wait_for(plant.all_at_work, within=30, of="it listens")
    plant.record("a killed worker listens again", took)


@pytest.mark.long
def test_sigterm_ends_all_of_them_and_lets_the_running_job_finish(plant: Plant) -> None:
    wang = plant.resident()
    wang.allow_notices(1)
    plant.order("fail", api="subscribe_send", mode="slow", delay_s=1.5, times=1)
    wang.reports(1)
    wait_for(lambda: not plant.faults(), within=60, of="WeChat has the call")
    everybody = family(plant.processes["workers"].pid)
    assert len(everybody) > len(NAMES)
    took = plant.stop("workers")
    plant.record("SIGTERM to the end of all, one job running", took)
    assert took < 10
    assert [who for who in everybody if who.is_alive()] == []
    assert len(wang.received()) == 1
    assert plant.sql("SELECT count(*) FROM wechat_notices WHERE state = 'queued'") == "0"


class Stubborn:
    """A worker with a job that doesn't finish: it ends at the second SIGTERM, as RQ's does."""

    def __init__(self) -> None:
        self.asked = self.killed = 0

    def terminate(self) -> None:
        self.asked += 1

    def kill(self) -> None:
        self.killed += 1

    def is_alive(self) -> bool:
        return self.asked < 2 and not self.killed

    def join(self, timeout: float | None = None) -> None:
        pass


def test_a_job_that_does_not_finish_is_ended_by_a_second_sigterm() -> None:
    stubborn = Stubborn()
    entry._end([stubborn])  # type: ignore[list-item]
    assert (stubborn.asked, stubborn.killed) == (2, 0)


def test_a_child_that_cannot_be_started_does_not_end_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def refuse(**_: object) -> None:
        tries.append(1)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(entry, "_fork", SimpleNamespace(Process=refuse))
    child = entry.Child("media", lambda: 0)
    child.look()
    child.look()
    assert tries == [1], "it is not tried again at once"
    child.not_before = 0.0
    child.look()
    assert tries == [1, 1]


def test_a_worker_is_in_the_lists_again_after_redis_lost_its_memory(house: House) -> None:
    with contextlib.closing(Redis.from_url(house.settings.redis_url)) as redis:
        worker = entry.OneQueueWorker(["media"], connection=redis, serializer=JSONSerializer)
        worker.register_birth()
        redis.delete(worker.key, worker.redis_workers_keys)
        worker.set_state("idle")
        worker.heartbeat()
        assert redis.hget(worker.key, "pid") == str(os.getpid()).encode()
        assert redis.sismember(worker.redis_workers_keys, worker.key)
        worker.register_death()


@pytest.mark.parametrize("how", [[], ["--queue", "media"], ["--schedule"]])
def test_missing_settings_stop_the_start_with_one_sentence(how: list[str]) -> None:
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    done = subprocess.run(
        [sys.executable, "-m", "workers", *how],
        cwd=TOP,
        env=clean | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "these settings are missing" in done.stderr
    assert "REDIS_URL" in done.stderr
    assert "SECRET_KEY" in done.stderr


@pytest.mark.long
def test_workers_that_start_before_redis_wait_for_it(plant: Plant) -> None:
    plant.stop("workers")
    plant.valkey.kill9()
    process = plant.start_workers(**QUICK)
    wait_for(lambda: len(children_of(process.pid)) == len(NAMES), within=10, of="children run")
    before = set(children_of(process.pid))
    time.sleep(4)
    assert set(children_of(process.pid)) == before, "they wait instead of being started again and again"
    plant.valkey.start()
    wait_for(plant.all_at_work, within=30, of="all workers at work")
