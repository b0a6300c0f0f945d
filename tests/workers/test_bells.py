"""Bells are hints: without a single one, the sweeper delivers everything; how soon is printed at the end of the run."""

from __future__ import annotations

import pytest

from tests.workers.conftest import Plant, wait_for

pytestmark = pytest.mark.long

NO_BELLS = {"RING_BELLS": "0"}


def test_with_all_bells_dropped_everything_happens(plant: Plant) -> None:
    plant.web(**NO_BELLS)
    # Every other number as shipped. On a machine at rest it takes less than ten seconds, which is the promise; one that
    # runs other tests beside it may need longer.
    plant.workers(quick=False, **NO_BELLS)
    wang = plant.resident()
    wang.allow_notices(2)
    photo = wang.photo()
    tickets = [*wang.reports(1), wang.report(photo_ids=[photo]).json()["ticket_id"]]
    took = wait_for(
        lambda: (
            plant.photo_states([photo]) == {("ready", "passed")}
            and plant.numbers(wang) == 2
            and plant.text_checks(tickets) == {"passed"}
        ),
        within=60,
        of="photo ready and checked, words checked, notices sent",
    )
    plant.record("everything with all bells dropped", took)
    assert len(wang.received()) == 2


def test_without_bells_nothing_but_the_schedule_enqueues(plant: Plant) -> None:
    plant.web(**NO_BELLS)
    plant.stop("workers")
    before = plant.queued()
    wang = plant.resident()
    wang.photo()
    wang.reports(2)
    assert plant.queued() == before
    assert plant.owed() > 0
