"""What the draining jobs promise when they meet each other, bad rows, slow rows, and a database that blinks."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest
import time_machine
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app import clock, db, ids, outbox, queue
from app.adapters.wechat.fields import fit
from app.outbox import MAX_ATTEMPTS, Leased
from app.queue import Job, Queue
from tests.conftest import TEMPLATE, House, Person, Town
from tools import processes
from workers import batches, handlers, jobs
from workers.handlers import HANDLERS, Later

KIND = "test.work"
_communities = itertools.count(5_000_000)


class Rows:
    """Outbox rows of a community of the test's own."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.community = next(_communities)

    def put(self, count: int, kind: str = KIND) -> None:
        with db.transaction():
            for number in range(count):
                outbox.put(
                    community_id=self.community,
                    kind=kind,
                    payload={"number": number},
                    idem=f"{kind}:{ids.new_id()}",
                )

    def lease(self, seconds: int = 60, limit: int = 20) -> list[Leased]:
        with db.transaction():
            return outbox.lease(self.community, "default", limit=limit, seconds=seconds)

    def drain(self) -> None:
        jobs.drain(self.community, "default")

    def bells(self) -> int:
        """How many jobs were rung for these rows, and not taken by a worker."""
        waiting = queue.rq_queue(Queue.DEFAULT).jobs
        return sum(job.args == [self.community, "default"] for job in waiting)

    def lose_bells(self) -> None:
        """As when a worker is killed that has just taken them."""
        waiting = queue.rq_queue(Queue.DEFAULT)
        for job in waiting.jobs:
            if job.args == [self.community, "default"]:
                waiting.remove(job.id)

    def states(self) -> list[tuple[str, int, bool, str | None]]:
        """(state, attempts, leased, last error), in the order of their promise."""
        with db.reading() as session:
            rows = session.execute(
                text(
                    "SELECT state, attempts, lease_until IS NOT NULL, last_error FROM outbox"
                    " WHERE outbox.community_id = :c ORDER BY id"
                ),
                {"c": self.community},
            )
            return [(row[0], row[1], row[2], row[3]) for row in rows]

    def change(self, what: str) -> None:
        with db.transaction() as session:
            session.execute(
                text(f"UPDATE outbox SET {what} WHERE outbox.community_id = :c"), {"c": self.community}
            )

    def forget(self) -> None:
        with db.transaction() as session:
            session.execute(text("DELETE FROM outbox WHERE outbox.community_id = :c"), {"c": self.community})


@pytest.fixture
def rows(house: House) -> Iterator[Rows]:
    made = Rows(house)
    yield made
    made.forget()


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the rows that were handled, in order."""
    numbers: list[int] = []
    monkeypatch.setitem(HANDLERS, KIND, lambda row: numbers.append(row.payload["number"]))
    return numbers


@pytest.fixture
def dead_redis(house: House) -> Iterator[None]:
    """The process's Redis refuses connections."""
    alive = house.settings.redis_url
    queue.configure(f"redis://127.0.0.1:{processes.free_port()}/0", ring_bells=True)
    yield
    queue.configure(alive, ring_bells=house.settings.ring_bells)


def passing_trouble() -> OperationalError:
    return OperationalError("UPDATE", {}, psycopg.errors.AdminShutdown("terminating connection"))


# --- each row once ---------------------------------------------------------------------------------------


def test_drains_of_one_community_at_once_do_each_row_once(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Counter[int] = Counter()
    together = threading.Barrier(4)

    def handle(row: Leased) -> None:
        time.sleep(0.005)
        done[row.payload["number"]] += 1

    def work() -> None:
        together.wait()
        for _ in range(4):
            rows.drain()

    monkeypatch.setitem(HANDLERS, KIND, handle)
    rows.put(60)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == dict.fromkeys(range(60), 1)
    assert {state for state, *_ in rows.states()} == {"done"}


def test_drains_of_notices_at_once_send_each_once(
    house: House, town: Town, resident: Callable[..., Person], work: Callable[..., int]
) -> None:
    wang = resident()
    allow(house, wang, 8)
    for _ in range(8):
        wang.report(town.a.estate_id)
    together = threading.Barrier(3)

    def send() -> None:
        together.wait()
        jobs.drain_notices(town.a.id)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(house.ledger(wang.name)) == 8
    assert len({str(message) for message in house.ledger(wang.name)}) == 8


# --- leases ----------------------------------------------------------------------------------------------


def test_a_worker_whose_lease_ran_out_does_not_settle_the_row_of_another(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    calls = itertools.count(1)

    def handle(row: Leased) -> None:
        if next(calls) == 1:
            begun.set()
            assert may_end.wait(10)
            return
        raise Later("the other one is not ready")

    monkeypatch.setitem(HANDLERS, KIND, handle)
    rows.put(1)
    slow = threading.Thread(target=rows.drain)
    slow.start()
    assert begun.wait(10)
    rows.change("lease_until = created_at")
    rows.drain()
    assert rows.states() == [("open", 2, False, "the other one is not ready")]
    may_end.set()
    slow.join()
    assert rows.states() == [("open", 2, False, "the other one is not ready")]


def test_a_leased_row_is_nobody_elses_until_its_lease_ends(rows: Rows) -> None:
    rows.put(2)
    assert len(rows.lease()) == 2
    assert rows.lease() == []
    rows.change("lease_until = created_at")
    assert [row.attempts for row in rows.lease()] == [2, 2]


def test_a_lease_takes_no_more_rows_than_it_asked_for(rows: Rows) -> None:
    # `id IN (SELECT … LIMIT … FOR UPDATE)` may be run once for each row, and then takes them all.
    rows.put(45)
    assert [len(rows.lease(limit=20)) for _ in range(4)] == [20, 20, 5, 0]


def test_rows_that_a_shift_has_no_time_for_are_given_back_untried(
    rows: Rows, handled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Short:
        def __init__(self, _: float) -> None:
            self.left = 3

        def is_over(self) -> bool:
            self.left -= 1
            return self.left < 0

    monkeypatch.setattr(jobs, "Shift", Short)
    rows.put(5)
    rows.drain()
    assert handled == [0, 1, 2]
    assert [state[:3] for state in rows.states()] == [("done", 1, False)] * 3 + [("open", 0, False)] * 2
    rows.drain()
    assert handled == [0, 1, 2, 3, 4]


def test_a_shift_ends_before_its_leases_do(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("workers.batches.time.monotonic", lambda: now[0])
    shift = batches.Shift(60)
    # The last row may take as long as a WeChat call with its retry takes: connect 3 s and read 5 s, twice.
    now[0] += 25
    assert not shift.is_over()
    now[0] += 5
    assert shift.is_over()


def test_the_alarm_of_a_job_ends_the_batch(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def handle(row: Leased) -> None:
        tried.append(row.payload["number"])
        raise JobTimeoutException("too long")

    monkeypatch.setitem(HANDLERS, KIND, handle)
    rows.put(3)
    with pytest.raises(JobTimeoutException):
        rows.drain()
    assert tried == [0]
    assert rows.states()[0] == ("open", 1, False, "took too long")
    # Nobody lost the other two: their lease ends by itself.
    assert [state[:3] for state in rows.states()[1:]] == [("open", 1, True)] * 2


# --- bad rows --------------------------------------------------------------------------------------------


def test_a_bad_row_does_not_hold_up_the_others(rows: Rows, handled: list[int]) -> None:
    rows.put(1, kind="test.nobody_knows")
    rows.put(3)
    rows.drain()
    assert handled == [0, 1, 2]
    assert rows.states()[0] == ("open", 1, False, "KeyError")


def test_a_row_that_kills_its_worker_does_not_starve_its_neighbours(rows: Rows) -> None:
    rows.put(5)
    batch = rows.lease()
    assert batches.in_turn(batch) == batch
    rows.change("lease_until = created_at")
    again = rows.lease()
    firsts = {batches.in_turn(again)[0].payload["number"] for _ in range(300)}
    assert firsts == {0, 1, 2, 3, 4}


def test_a_row_whose_tries_never_end_is_given_up(rows: Rows, handled: list[int]) -> None:
    rows.put(1)
    rows.change(f"attempts = {MAX_ATTEMPTS}, lease_until = created_at")
    rows.drain()
    assert handled == []
    assert rows.states() == [("failed", MAX_ATTEMPTS + 1, False, "no try came to an end")]


def test_a_row_that_always_fails_is_given_up_and_kept_for_a_person(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handle(_: Leased) -> None:
        raise Later("never")

    monkeypatch.setitem(HANDLERS, KIND, handle)
    rows.put(1)
    rows.change(f"attempts = {MAX_ATTEMPTS - 2}")
    rows.drain()
    assert rows.states()[0][0] == "open"
    rows.change("not_before = created_at")
    rows.drain()
    assert rows.states() == [("failed", MAX_ATTEMPTS, False, "never")]


def test_a_notice_that_fails_by_our_mistake_does_not_hold_up_the_others(
    house: House, town: Town, resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    wang = resident()
    allow(house, wang, 2)
    bad, good = (wang.report(town.a.estate_id)["number"] for _ in range(2))

    def breaking(key: str, value: str) -> str:
        if value == bad:
            raise ValueError("a mistake")
        return fit(key, value)

    monkeypatch.setattr("workers.handlers.fit", breaking)
    jobs.drain_notices(town.a.id)
    assert [good in str(message) for message in house.ledger(wang.name)] == [True]
    assert notices(house, town.a.id) == [("sent",), ("unknown",)]


# --- a database that blinks ------------------------------------------------------------------------------


def test_a_row_whose_handler_meets_a_lost_connection_is_tried_again(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handle(_: Leased) -> None:
        raise passing_trouble()

    monkeypatch.setitem(HANDLERS, KIND, handle)
    rows.put(1)
    rows.drain()
    assert rows.states() == [("open", 1, False, "OperationalError")]


def test_settling_survives_a_lost_connection(
    rows: Rows, handled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    done, failures = outbox.done, iter([True, True])

    def blinking(row: Leased) -> None:
        if next(failures, False):
            raise passing_trouble()
        done(row)

    monkeypatch.setattr(outbox, "done", blinking)
    rows.put(1)
    rows.drain()
    assert handled == [0]
    assert rows.states() == [("done", 1, False, None)]


# --- bells -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("dead_redis")
def test_a_full_batch_is_done_also_when_redis_goes_away_meanwhile(rows: Rows, handled: list[int]) -> None:
    rows.put(jobs.BATCH + 1)
    rows.drain()
    assert len(handled) == jobs.BATCH


@pytest.mark.usefixtures("dead_redis")
def test_a_lost_bell_costs_the_writer_next_to_nothing(rows: Rows) -> None:
    began = time.monotonic()
    rows.put(1)
    assert time.monotonic() - began < 1
    assert len(rows.states()) == 1


def test_a_storm_of_writes_rings_one_bell_as_long_as_nobody_has_heard_it(
    rows: Rows, handled: list[int]
) -> None:
    for _ in range(5):
        rows.put(1)
    assert rows.bells() == 1
    rows.drain()
    assert len(handled) == 5


def test_who_writes_after_the_bell_was_heard_is_heard_as_well(rows: Rows, handled: list[int]) -> None:
    rows.put(1)
    rows.drain()
    rows.put(1)
    assert rows.bells() == 2
    rows.drain()
    assert len(handled) == 2


def test_who_writes_while_the_job_runs_rings_again(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    def another(_: Leased) -> None:
        rows.put(1, kind="test.another")

    monkeypatch.setitem(HANDLERS, KIND, another)
    rows.put(1)
    rows.drain()
    assert rows.bells() == 2


def test_a_reminder_that_still_waits_is_not_repeated(rows: Rows) -> None:
    rows.put(1)
    for _ in range(3):
        queue.remind([(Queue.DEFAULT, Job.DRAIN, rows.community, "default")])
    assert rows.bells() == 1


def test_the_sweeper_rings_for_whatever_is_due_and_lost_its_bell(rows: Rows) -> None:
    rows.put(1)
    with db.reading():
        assert (rows.community, "default") in outbox.due_everywhere()
    rows.lose_bells()
    for _ in range(2):
        jobs.sweep()
    assert rows.bells() == 1


def test_a_reminder_that_overtakes_a_bell_leaves_it_rung(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    rows.put(1)
    monkeypatch.setattr(queue, "get_current_job", lambda: SimpleNamespace(id="another"))
    rows.drain()
    rows.put(1)
    assert rows.bells() == 1


def test_without_redis_the_sweep_fails_and_says_so(rows: Rows, dead_redis: None) -> None:
    rows.put(1)
    with pytest.raises(RedisError):
        jobs.sweep()


# --- clocks that are set -----------------------------------------------------------------------------------


def an_hour_ahead() -> time_machine.travel:
    return time_machine.travel(time.time() + 3600)


def test_what_was_promised_by_a_clock_that_was_ahead_is_not_waited_for(
    rows: Rows, handled: list[int]
) -> None:
    with an_hour_ahead():
        rows.put(1)
    rows.drain()
    assert not handled
    jobs.bring_forward()
    rows.drain()
    assert handled == [0]


def test_what_was_put_off_or_leased_by_such_a_clock_is_not_waited_for(rows: Rows, handled: list[int]) -> None:
    rows.put(2)
    with an_hour_ahead():
        put_off, _ = rows.lease()
        with db.transaction():
            outbox.again(put_off, error="away")
    jobs.bring_forward()
    rows.drain()
    assert sorted(handled) == [0, 1]


def test_what_is_put_off_for_a_reason_stays_put_off(rows: Rows) -> None:
    with db.transaction():
        outbox.put(
            community_id=rows.community,
            kind=KIND,
            payload={"number": 0},
            idem="tomorrow",
            not_before=clock.now() + timedelta(days=1),
        )
    with an_hour_ahead(), db.transaction():
        outbox.put(
            community_id=rows.community,
            kind=KIND,
            payload={"number": 1},
            idem="tomorrow, an hour ahead",
            not_before=clock.now() + timedelta(days=1),
        )
    for _ in range(2):
        jobs.bring_forward()
    with db.reading() as session:
        waits = session.scalars(
            text("SELECT extract(epoch FROM not_before - now()) FROM outbox WHERE outbox.community_id = :c"),
            {"c": rows.community},
        ).all()
    assert all(abs(float(wait) - 86_400) < 60 for wait in waits)


# --- periodic jobs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", [j for j in Job if not j.name.startswith("DRAIN")])
def test_a_periodic_job_may_run_twice_and_every_statement_says_where_it_looks(house: House, job: Job) -> None:
    function = getattr(jobs, job.value.rsplit(".", 1)[1])
    function()
    function()


# --- WeChat away -----------------------------------------------------------------------------------------


def allow(house: House, person: Person, count: int) -> None:
    """So many credits, in the sandbox and here."""
    openid = house.sandbox.state.meet(name=person.name)
    for _ in range(count):
        house.sandbox.state.grant(openid, TEMPLATE)
        person.post("/subscriptions", {"results": {TEMPLATE: "accept"}})


def notices(house: House, community: int) -> list[tuple[Any, ...]]:
    """(state,) of the community's notices, sorted."""
    with db.reading() as session:
        found = session.execute(
            text("SELECT state FROM wechat_notices WHERE wechat_notices.community_id = :c ORDER BY 1"),
            {"c": community},
        )
        return [tuple(row) for row in found]


def make_due(community: int) -> None:
    """The pauses of this community's notices are over."""
    with db.transaction() as session:
        session.execute(
            text("UPDATE wechat_notices SET not_before = created_at WHERE wechat_notices.community_id = :c"),
            {"c": community},
        )


@pytest.fixture
def wechat(house: House) -> Iterator[House]:
    yield house
    house.order("fail", api="*", mode=None)
    for api in ("subscribe_send", "msg_sec_check", "media_check_async", "stable_token"):
        house.order("fail", api=api, mode=None)
    house.sandbox.state.release()


@pytest.mark.parametrize("mode", ["-1", "45009", "40001"])
def test_a_throttled_notice_waits_and_goes_when_wechat_is_back(
    wechat: House, town: Town, resident: Callable[..., Person], mode: str
) -> None:
    wang = resident()
    allow(wechat, wang, 1)
    wechat.order("fail", api="subscribe_send", mode=mode)
    wang.report(town.a.estate_id)
    for _ in range(2):
        make_due(town.a.id)
        jobs.drain_notices(town.a.id)
    assert wechat.ledger(wang.name) == []
    assert notices(wechat, town.a.id) == [("queued",)]
    wechat.order("fail", api="subscribe_send", mode=None)
    jobs.drain_notices(town.a.id)
    assert wechat.ledger(wang.name) == [], "it has its pause"
    make_due(town.a.id)
    jobs.drain_notices(town.a.id)
    assert len(wechat.ledger(wang.name)) == 1
    assert notices(wechat, town.a.id) == [("sent",)]


@pytest.mark.parametrize("mode", ["timeout", "html200", "close"])
def test_a_notice_of_unknown_outcome_is_not_sent_again(
    wechat: House, town: Town, resident: Callable[..., Person], mode: str
) -> None:
    wang = resident()
    allow(wechat, wang, 2)
    wechat.order("fail", api="subscribe_send", mode=mode, after=True, times=1)
    opened = wang.report(town.a.estate_id)
    jobs.drain_notices(town.a.id)
    make_due(town.a.id)
    jobs.drain_notices(town.a.id)
    assert notices(wechat, town.a.id) == [("unknown",)]
    # WeChat had taken it; the inbox holds it in any case.
    assert len(wechat.ledger(wang.name)) == 1
    assert opened["number"] in wang.get("/inbox").json["items"][0]["text"]


@pytest.mark.parametrize("mode", ["-1", "timeout", "html200", "45009", "40001"])
def test_a_report_is_accepted_and_its_words_are_checked_later_when_wechat_fails(
    wechat: House, town: Town, resident: Callable[..., Person], mode: str
) -> None:
    wang = resident()
    wechat.order("fail", api="msg_sec_check", mode=mode)
    ticket = wang.report(town.a.estate_id)
    jobs.drain(town.a.id, "default")
    with db.transaction() as session:
        row = session.execute(
            text("SELECT state, last_error FROM outbox WHERE outbox.community_id = :c"), {"c": town.a.id}
        ).one()
        assert tuple(row) == ("open", "wechat away")
        session.execute(
            text("UPDATE outbox SET not_before = created_at WHERE outbox.community_id = :c"),
            {"c": town.a.id},
        )
    wechat.order("fail", api="msg_sec_check", mode=None)
    jobs.drain(town.a.id, "default")
    seen = town.staff("community").get(f"/tickets/{ticket['ticket_id']}").json
    assert seen["text_check"] == "passed"


def test_a_picture_that_wechat_could_not_be_asked_about_for_two_hours_goes_to_a_person(
    wechat: House, resident: Callable[..., Person], work: Callable[..., int]
) -> None:
    wang = resident()
    wechat.order("fail", api="media_check_async", mode="-1")
    upload_id = ids.decode_id(ids.Kind.UPLOAD, wang.photo())
    work()

    def asked(ago: timedelta) -> Leased:
        payload = {"owner_id": str(wang.id), "upload_id": str(upload_id), "round": 1}
        made = clock.now() - ago
        return Leased(ids.lane_of(wang.id), UUID(int=1), "media.check", payload, 5, made)

    with pytest.raises(Later):
        handlers.check_photo(asked(timedelta(minutes=119)))
    handlers.check_photo(asked(timedelta(minutes=121)))
    with db.reading() as session:
        state = session.scalar(
            text("SELECT check_state FROM uploads WHERE uploads.owner_id = :o AND id = :u"),
            {"o": wang.id, "u": upload_id},
        )
    assert state == "review"
