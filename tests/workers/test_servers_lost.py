"""Redis and PostgreSQL killed under load: nothing acknowledged is lost, and everything recovers by itself."""

from __future__ import annotations

import threading
import time

import pytest
import requests

from tests.workers.conftest import NAMES, Phone, Plant, wait_for

pytestmark = pytest.mark.long


def test_redis_killed_with_work_in_its_queues_and_come_back_empty_loses_nothing(plant: Plant) -> None:
    wang = plant.resident()
    wang.allow_notices(8)
    # Every worker that matters is busy, and more waits behind.
    plant.order("fail", api="subscribe_send", mode="slow", delay_s=0.7, times=3)
    photos = [wang.photo() for _ in range(3)]
    tickets = wang.reports(6)
    wait_for(lambda: plant.horses("default"), within=15, of="a job is running")
    plant.valkey.kill9()

    began = time.monotonic()
    late = wang.report()
    assert late.status_code == 201
    plant.record("a report while Redis is down", time.monotonic() - began)
    assert time.monotonic() - began < 2
    began = time.monotonic()
    again = wang.report()
    assert again.status_code == 201
    assert time.monotonic() - began < 1
    ready = plant.readyz()
    assert (ready.status_code, ready.json()["degraded"]) == (200, ["redis"])
    photos.append(wang.photo())
    tickets += [answer.json()["ticket_id"] for answer in (late, again)]

    plant.valkey.start()
    took = plant.settled(within=60)
    plant.record("everything after Redis came back empty", took)
    assert plant.photo_states(photos) == {("ready", "passed")}
    assert plant.text_checks(tickets) == {"passed"}
    assert plant.numbers(wang) == 8
    # What was on its way when workers fell may have gone out twice: one call a worker.
    assert 8 <= len(wang.received()) <= 9
    assert plant.readyz().json()["degraded"] == []
    wait_for(plant.all_at_work, within=30, of="all workers at work")


def test_sigterm_ends_the_workers_also_while_redis_is_away(plant: Plant) -> None:
    plant.valkey.kill9()
    took = plant.stop("workers")
    plant.record("SIGTERM to the end of all, Redis away", took)
    assert took < 20
    plant.valkey.start()


class Reporter(threading.Thread):
    """Reports and uploads until told to stop, and keeps what was acknowledged."""

    def __init__(self, phone: Phone) -> None:
        super().__init__(daemon=True)
        self.phone = phone
        self.enough = threading.Event()
        self.tickets: list[str] = []
        self.photos: list[str] = []
        self.others: list[requests.Response] = []

    def run(self) -> None:
        while not self.enough.is_set():
            answer = self.phone.report()
            if answer.status_code == 201:
                self.tickets.append(answer.json()["ticket_id"])
            else:
                self.others.append(answer)
                time.sleep(0.1)
            if len(self.photos) < 4 and len(self.tickets) % 3 == 0:
                sent = self.phone.post("/photos", files={"file": ("p.jpg", Phone.jpeg())})
                if sent.status_code == 201:
                    self.photos.append(sent.json()["photo_id"])


def test_postgresql_killed_under_load_loses_nothing_acknowledged(plant: Plant) -> None:
    wang, li = plant.resident(), plant.resident()
    for phone in (wang, li):
        phone.allow_notices(3)
    reporters = [Reporter(phone) for phone in (wang, li)]
    for reporter in reporters:
        reporter.start()
    wait_for(
        lambda: all(len(r.tickets) >= 3 and r.photos for r in reporters), within=40, of="reports come in"
    )
    plant.pg.kill9()
    wait_for(lambda: all(r.others for r in reporters), within=10, of="the web server says that it can't")
    away = plant.readyz()
    assert (away.status_code, away.json()["missing"]) == (503, ["database"])
    plant.pg.start()
    known = [len(r.tickets) for r in reporters]
    took = wait_for(
        lambda: all(len(r.tickets) > n for r, n in zip(reporters, known, strict=True)),
        within=20,
        of="reports are accepted again",
    )
    plant.record("reports accepted again after PostgreSQL is back", took)
    for reporter in reporters:
        reporter.enough.set()
        reporter.join(20)
    refused = [answer for r in reporters for answer in r.others]
    assert {answer.status_code for answer in refused} == {503}
    assert {answer.json()["code"] for answer in refused} == {"unavailable"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)

    plant.record("everything after PostgreSQL is back", took + plant.settled(within=60))
    tickets = [ticket for r in reporters for ticket in r.tickets]
    assert plant.text_checks(tickets) == {"passed"}
    assert plant.count_tickets(tickets) == len(tickets)
    assert plant.photo_states([p for r in reporters for p in r.photos]) == {("ready", "passed")}
    for phone in (wang, li):
        assert plant.numbers(phone) == 3
        assert len(phone.received()) <= 4
    assert all(plant.worker(name) for name in NAMES)
