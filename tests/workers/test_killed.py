"""Workers killed with -9 in the middle of their work: what was promised is kept."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from tests.workers.conftest import NAMES, Plant, children_of, kill9, wait_for
from tools.processes import Identity, wait_gone

pytestmark = pytest.mark.long


def big_jpeg() -> bytes:
    """27 megapixels, which take a worker a moment."""
    buffer = BytesIO()
    noise = Image.effect_noise((1000, 750), 60).convert("RGB")
    noise.resize((6000, 4500), Image.Resampling.NEAREST).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()


@pytest.mark.parametrize("victims", ["work-horse", "worker", "both"])
def test_a_notice_is_sent_when_its_sender_is_killed_while_wechat_answers(plant: Plant, victims: str) -> None:
    wang = plant.resident()
    wang.allow_notices(2)
    plant.order("fail", api="subscribe_send", mode="slow", delay_s=1.5, times=1)
    wang.reports(2)
    wait_for(lambda: not plant.faults(), within=60, of="WeChat has the call")
    worker, horses = plant.worker("default"), plant.horses("default")
    assert worker is not None
    assert len(horses) == 1
    if victims != "work-horse":
        kill9(worker)
    if victims != "worker":
        kill9(horses[0])
    took = wait_for(lambda: plant.numbers(wang) == 2, within=25, of="both notices came")
    plant.record(f"notices after kill -9 of {victims}", took)
    plant.settled()
    # The call in flight may have reached WeChat before the kill; nothing else is sent twice.
    assert 2 <= len(wang.received()) <= 3


def test_a_photo_becomes_ready_when_its_worker_is_killed_in_the_middle(plant: Plant) -> None:
    wang = plant.resident()
    photo = wang.photo(big_jpeg())
    wait_for(lambda: plant.horses("media"), within=15, of="the picture is being worked on")
    worker, horses = plant.worker("media"), plant.horses("media")
    assert worker is not None
    kill9(worker)
    for horse in horses:
        kill9(horse)
    assert {status for status, _ in plant.photo_states([photo])} == {"processing"}
    took = wait_for(
        lambda: plant.photo_states([photo]) == {("ready", "passed")}, within=30, of="the photo is ready"
    )
    plant.record("photo ready and checked after kill -9 of worker and work-horse", took)
    plant.settled()


def test_work_goes_on_when_every_worker_and_the_schedule_are_killed_at_once(plant: Plant) -> None:
    wang = plant.resident()
    wang.allow_notices(3)
    photo = wang.photo()
    tickets = wang.reports(3)
    killed = {name: plant.worker(name) for name in NAMES}
    for pid in killed.values():
        assert pid is not None
        kill9(pid)
    took = plant.settled(within=40)
    plant.record("everything after kill -9 of all workers and the schedule", took)
    assert plant.photo_states([photo]) == {("ready", "passed")}
    assert plant.text_checks(tickets) == {"passed"}
    assert plant.numbers(wang) == 3
    wait_for(plant.all_at_work, within=30, of="all workers at work")
    assert not set(killed.values()) & {plant.worker(name) for name in NAMES}


def test_workers_do_not_outlive_a_killed_supervisor(plant: Plant) -> None:
    supervisor = plant.processes.pop("workers")
    family = [Identity.of(pid) for pid in children_of(supervisor.pid)]
    assert len(family) == len(NAMES)
    kill9(supervisor.pid)
    supervisor.wait()
    assert all(who is None or wait_gone(who, 10) for who in family)
    wang = plant.resident()
    tickets = wang.reports(1)
    plant.workers()
    plant.settled()
    assert plant.text_checks(tickets) == {"passed"}
