"""What a source is told: every status once and in order, whatever happens to it, to us and to the network."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from app import clock, db, ids
from app.adapters.callbacks import client
from app.ids import Kind, Ref, new_id
from app.sources import queries as owed
from app.sources import service as sources
from app.sources.models import StatusState
from tests.conftest import Town
from tests.intake.conftest import Hotline, Machine
from workers import jobs

WHOLE_LIFE = ("accept", "dispatch", "start", "resolve", "verify", "close")
STATUSES = ["received", "accepted", "dispatched", "in_progress", "resolved", "verified", "closed"]


def _handed_in(hotline: Hotline, number: str, **more: Any) -> str:
    town = hotline.machine.town
    report = {"text": "楼道灯不亮", "category": "property", "estate_id": town.a.estate_id, **more}
    return str(hotline.calls(number, **report)["ticket_id"])


def _in_step(hotline: Hotline, offset: float = 0) -> None:
    """Set the hotline's clock to the house's, which the test has moved."""
    ahead = (clock.now() - datetime.now(clock.SHANGHAI)).total_seconds()
    hotline.order(skew_s=ahead + offset)


def test_a_source_hears_the_whole_life_of_its_ticket_in_order(
    hotline: Hotline, town: Town, work: Callable[..., int], number: str
) -> None:
    ticket = _handed_in(hotline, number)
    shown = town.bring(ticket, *WHOLE_LIFE)
    work()
    heard = hotline.ledger(number)
    assert [s["status"] for s in heard["statuses"]] == STATUSES
    assert [s["seq"] for s in heard["statuses"]] == [1, 2, 3, 4, 5, 6, 7]
    assert {s["number"] for s in heard["statuses"]} == {shown["number"]}
    assert heard["oddities"] == []
    resolved = heard["statuses"][4]
    assert resolved["org"].endswith("物业")
    assert resolved["note_for_reporter"] == "已处理"
    assert [e["at"] for e in shown["timeline"]] == [s["at"] for s in heard["statuses"]]


def test_what_changes_no_status_or_is_internal_is_not_told(
    hotline: Hotline, town: Town, work: Callable[..., int], number: str
) -> None:
    ticket = _handed_in(hotline, number)
    town.bring(ticket, "accept", "dispatch")
    desk = town.staff("community")
    desk.post(f"/tickets/{ticket}/comment", {"text": "内部：业主难缠", "visibility": "internal"})
    desk.post(f"/tickets/{ticket}/comment", {"text": "师傅明天到", "visibility": "reporter"})
    town.bring(ticket, "return")
    work()
    heard = hotline.ledger(number)["statuses"]
    assert [s["status"] for s in heard] == ["received", "accepted", "dispatched", "returned"]
    assert "note_for_reporter" not in heard[-1]
    assert "难缠" not in str(heard)
    assert "不属于" not in str(heard)


@pytest.mark.parametrize("mode", ["close", "http500", "http302"])
def test_while_a_source_is_away_its_statuses_wait_for_hours_and_then_come_once_and_in_order(
    hotline: Hotline,
    town: Town,
    work: Callable[..., int],
    later: Callable[..., datetime],
    number: str,
    mode: str,
) -> None:
    ticket = _handed_in(hotline, number)
    hotline.order(mode=mode)
    for move in WHOLE_LIFE:
        town.bring(ticket, move)
        work()
        later(minutes=13)
    for _ in range(8):
        later(minutes=30)
        _in_step(hotline)
        work()
    assert hotline.heard(number) == []
    assert hotline.machine.shown()["failures"] >= 14
    hotline.order(mode="up")
    later(minutes=5)
    _in_step(hotline)
    work()
    heard = hotline.ledger(number)
    assert [s["status"] for s in heard["statuses"]] == STATUSES
    assert heard["oddities"] == []
    shown = hotline.machine.shown()
    assert (shown["failures"], shown["last_error"], shown["statuses_open"]) == (0, None, 0)


def test_a_lane_is_tried_less_and_less_often_but_at_least_every_five_minutes(
    hotline: Hotline,
    town: Town,
    later: Callable[..., datetime],
    number: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hotline.order(mode="http500")
    _handed_in(hotline, number)
    source_id = ids.decode_id(Kind.SOURCE, hotline.machine.api_key_id)
    tries: list[datetime] = []
    post = client.HttpCallbacks.post

    def counted(*args: Any, **kwargs: Any) -> Any:
        tries.append(clock.now())
        return post(*args, **kwargs)

    monkeypatch.setattr(client.HttpCallbacks, "post", counted)
    for _ in range(70):
        jobs.drain_statuses(town.a.id, str(source_id))
        later(seconds=15)
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(tries)]
    assert gaps[0] <= 20
    assert all(290 <= gap <= 330 for gap in gaps[-1:])


def test_no_answer_in_time_is_tried_again_with_the_same_seq(
    hotline: Hotline,
    work: Callable[..., int],
    later: Callable[..., datetime],
    number: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_S", (1.0, 0.3))
    _handed_in(hotline, number)
    hotline.order(mode="late-timeout", delay_s=2)
    work()
    assert hotline.heard(number) == ["received"]
    assert hotline.machine.shown()["last_error"] == "timeout"
    hotline.order(mode="up")
    later(seconds=3)
    work()
    ledger = hotline.ledger(number)
    assert [s["seq"] for s in ledger["statuses"]] == [1]
    assert [o["what"] for o in ledger["oddities"]] == ["duplicate"]


def test_a_worker_killed_between_sending_and_recording_repeats_the_seq_and_nothing_else(
    hotline: Hotline,
    town: Town,
    work: Callable[..., int],
    later: Callable[..., datetime],
    number: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        """As a kill -9 leaves it: nothing after this line runs."""

    settle = sources.settle

    def die(due: Any, **more: Any) -> None:
        if due.ref.community_id == town.a.id:  # another test's lane lives on
            raise Killed
        settle(due, **more)

    ticket = _handed_in(hotline, number)
    town.bring(ticket, "accept")
    with monkeypatch.context() as patched:
        patched.setattr(sources, "settle", die)
        with pytest.raises(Killed):
            work()
    assert hotline.heard(number) == ["received"]
    work()
    assert hotline.heard(number) == ["received"], "the lane is still held"
    later(seconds=town.house.settings.lease_s + 1)
    town.bring(ticket, "dispatch")
    work()
    ledger = hotline.ledger(number)
    assert [s["status"] for s in ledger["statuses"]] == ["received", "accepted", "dispatched"]
    assert [(o["what"], o["said"]["seq"]) for o in ledger["oddities"]] == [("duplicate", 1)]


def test_two_workers_don_t_tell_one_source_at_the_same_time(
    hotline: Hotline, town: Town, number: str
) -> None:
    tickets = [_handed_in(hotline, f"{number}-{n}") for n in range(6)]
    for ticket in tickets:
        town.bring(ticket, "accept", "dispatch")
    source_id = str(ids.decode_id(Kind.SOURCE, hotline.machine.api_key_id))
    together = threading.Barrier(4)

    def run() -> None:
        together.wait()
        jobs.drain_statuses(town.a.id, source_id)

    workers = [threading.Thread(target=run) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    jobs.drain_statuses(town.a.id, source_id)
    for n in range(6):
        ledger = hotline.ledger(f"{number}-{n}")
        assert [s["status"] for s in ledger["statuses"]] == ["received", "accepted", "dispatched"]
        assert ledger["oddities"] == []


def test_who_woke_up_late_doesn_t_free_the_lane_that_another_one_holds(
    hotline: Hotline, town: Town, number: str, later: Callable[..., datetime]
) -> None:
    _handed_in(hotline, number)
    source_id = ids.decode_id(Kind.SOURCE, hotline.machine.api_key_id)
    with db.transaction():
        slow = sources.lease_lane(town.a.id, source_id, seconds=60)
    assert slow is not None
    with db.transaction():
        assert sources.lease_lane(town.a.id, source_id, seconds=60) is None
    later(seconds=61)
    with db.transaction():
        assert sources.lease_lane(town.a.id, source_id, seconds=60) is not None
    with db.transaction():
        sources.release_lane(slow)
    with db.transaction():
        assert sources.lease_lane(town.a.id, source_id, seconds=60) is None


def test_a_status_that_will_never_be_taken_is_shown_and_doesn_t_hold_up_the_next(
    hotline: Hotline, town: Town, work: Callable[..., int], number: str
) -> None:
    hotline.order(mode="http422")
    ticket = _handed_in(hotline, number)
    work()
    hotline.order(mode="up")
    town.bring(ticket, "accept")
    work()
    ledger = hotline.ledger(number)
    assert [(s["seq"], s["status"]) for s in ledger["statuses"]] == [(2, "accepted")]
    assert [o["what"] for o in ledger["oddities"]] == ["gap"]
    assert hotline.machine.shown()["statuses_refused"] == 1


def test_the_sweeper_finds_what_no_bell_rang_for(hotline: Hotline, town: Town, number: str) -> None:
    _handed_in(hotline, number)
    with db.reading():
        assert town.a.id in {community for community, _ in owed.due_lanes()}


def test_a_source_that_is_switched_off_hears_nothing_until_it_is_on_again(
    hotline: Hotline, town: Town, work: Callable[..., int], later: Callable[..., datetime], number: str
) -> None:
    ticket = _handed_in(hotline, number)
    hotline.machine.change(active=False)
    town.bring(ticket, "accept")
    work()
    assert hotline.heard(number) == []
    hotline.machine.change(active=True)
    later(minutes=6)
    _in_step(hotline)
    work()
    assert hotline.heard(number) == ["received", "accepted"]


def test_a_source_without_a_callback_is_owed_nothing(machine: Machine, town: Town, number: str) -> None:
    ticket = machine.report(external_number=number).json["ticket_id"]
    town.bring(ticket, "accept")
    assert machine.shown()["statuses_open"] == 0


def test_while_secrets_are_exchanged_statuses_are_signed_so_that_both_sides_know_the_secret(
    hotline: Hotline, town: Town, work: Callable[..., int], number: str
) -> None:
    ticket = _handed_in(hotline, number)
    fresh = hotline.machine.change(rotate="start")
    work()
    assert hotline.heard(number) == ["received"], "the hotline doesn't know the new secret yet"
    hotline.order(key_id=fresh["key_id"], secret=fresh["secret"])
    hotline.machine.change(rotate="finish")
    town.bring(ticket, "accept")
    work()
    assert hotline.heard(number) == ["received", "accepted"]


def test_a_referred_ticket_s_successor_goes_on_counting_and_takes_over_what_is_owed(
    hotline: Hotline, town: Town, work: Callable[..., int], number: str
) -> None:
    ticket = _handed_in(hotline, number)
    town.bring(ticket, "accept")
    old, new = ids.decode_ref(Kind.TICKET, ticket), Ref(town.b.id, new_id())
    with db.transaction():
        sources.status_changed(old, status="referred", at=clock.now(), note="转到乙社区")
        sources.hand_over(old, new)
        sources.status_changed(new, status="received", at=clock.now())
    work()
    heard = hotline.ledger(number)
    assert [(s["seq"], s["status"]) for s in heard["statuses"]] == [
        (1, "received"),
        (2, "accepted"),
        (3, "referred"),
        (4, "received"),
    ]
    assert len({s["number"] for s in heard["statuses"]}) == 1
    assert heard["statuses"][2]["note_for_reporter"] == "转到乙社区"
    assert heard["oddities"] == []
    with db.reading():
        assert owed.origin_of(old) is None
        origin = owed.origin_of(new)
    assert origin is not None
    assert origin.external_number == number


def test_a_note_waits_sealed(hotline: Hotline, town: Town, number: str, owner: Any) -> None:
    ticket = _handed_in(hotline, number)
    town.bring(ticket, "accept", "dispatch", "start", "resolve")
    rows = owner.execute(
        "SELECT s::text, state FROM source_statuses s JOIN source_tickets t USING (ticket_id)"
        " WHERE external_number = %s",
        (number,),
    ).fetchall()
    assert len(rows) == 5
    assert {state for _, state in rows} == {StatusState.OPEN}
    assert not any("已处理" in text for text, _ in rows)
