"""The faults: how each is made and undone, for how long it lasts, and what is promised meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.chaos import shifted
from bench.chaos.house import House, Stuck, children_of, kill9, says, wait_until
from tools import processes


class Skip(Exception):
    """The machine can't make the fault; the text says why."""


Step = Callable[[House], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault. Seconds.

    `refuses`: writes and reads, or these `kinds` alone, may be answered with 503 and Retry-After, from its beginning
    until `after_s` after its end; without it nobody hears of the fault. `drops`: an answer may be cut off. `back_s`:
    within so long after its end everything that people do has worked again, and `owed_s`: what was promised until then
    is done. `kills`: so many senders are killed, each of which may have had a notice of WeChat on its way.
    """

    name: str
    promise: str
    begin: Step
    end: Step = lambda _: None
    lasts_s: float = 8.0
    refuses: bool = False
    drops: bool = False
    kinds: tuple[str, ...] = ()
    after_s: float = 2.0
    back_s: float = 8.0
    owed_s: float = 60.0
    kills: int = 0


def _kill_web(house: House) -> None:
    """One worker of the two, three times, in the midst of requests."""
    for _ in range(3):
        parent = house.programs["web"].process.pid
        kill9(next(iter(children_of(parent))))
        wait_until(lambda: len(children_of(parent)) == 2, within=20, of="two web workers again")  # noqa: B023
        time.sleep(1.5)


def _kill_workers(house: House) -> None:
    """Those that send, draw and apply, with the job they are at; then the supervisor."""
    for queue in ("sms", "default", "media", "sms", "default"):
        wait_until(house.workers_at_work, within=30, of="all workers are there")
        worker = house.programs["workers"].child(f"jiayuan-{queue}"[:15])
        if worker is not None:
            for pid in (worker, *children_of(worker)):
                kill9(pid)
        time.sleep(1.5)
    house.programs["workers"].kill()
    time.sleep(1)


def _kill_schedule(house: House) -> None:
    workers, name = house.programs["workers"], "jiayuan-schedule"[:15]
    wait_until(lambda: workers.child(name) is not None, within=30, of="the schedule is there")
    schedule = workers.child(name)
    assert schedule is not None
    kill9(schedule)


def _restart_postgres(house: House) -> None:
    """As `pg_ctl restart -m immediate`: no farewell, and the log is read again at the start."""
    assert house.pg.server is not None
    server, port = house.pg.server, house.pg.port
    os.kill(server.pid, signal.SIGQUIT)
    processes.wait_gone(server, 10)
    house.pg.stop()
    house.pg.start()
    if house.pg.port != port:
        raise Stuck("PostgreSQL came back on another port")


def _all_of(house: House, mode: str) -> None:
    """Alibaba fails at whatever it is asked; a third of what it is to send it has sent nevertheless."""
    late = [{"mode": mode, "rate": 0.34, "after": True}, {"mode": mode}]
    house.behave(faults=late, hang_s=30)


def _lose_token(house: House) -> None:
    """Somebody else with our secret fetches a token, and another one soon after."""
    for _ in range(2):
        says(house.wechat, "/_sandbox/tokens/invalidate", {})
        time.sleep(4)


def _wechat(mode: str, delay_s: float = 0) -> Step:
    """All of WeChat's interfaces answer so: logins, tokens, checks and notices."""

    def begin(house: House) -> None:
        says(house.wechat, "/_sandbox/fail", {"api": "*", "mode": mode, "delay_s": delay_s})

    return begin


def _wechat_as_usual(house: House) -> None:
    says(house.wechat, "/_sandbox/fail", {"api": "*", "mode": None})


def _fill_store(house: House) -> None:
    if house.store.why_not:
        raise Skip(f"a small file system can't be mounted: {house.store.why_not}")
    house.store.fill()


def _fill_data(house: House) -> None:
    if house.data.why_not:
        raise Skip(f"a small file system can't be mounted: {house.data.why_not}")
    house.data.fill()


def _free_data(house: House) -> None:
    """Room is made; a server that gave up is started again, as systemd would."""
    house.data.free()
    port = house.pg.port
    time.sleep(1)
    if not house.pg.is_running():
        house.pg.stop()
        house.pg.start()
    if house.pg.port != port:
        raise Stuck("PostgreSQL came back on another port")


def _stall(house: House) -> None:
    os.kill(house.programs["proxy"].process.pid, signal.SIGSTOP)


def _unstall(house: House) -> None:
    os.kill(house.programs["proxy"].process.pid, signal.SIGCONT)


def _empty_redis(house: House) -> None:
    house.valkey.kill9()


def _start_redis(house: House) -> None:
    house.valkey.start()


def _wild_receipts(house: House) -> None:
    """Each comes twice, up to twelve seconds late, in any order, three in a push."""
    house.behave(receipts={"delay_s": [0, 12], "duplicates": 1.0, "shuffle": True, "batch": 3})


def _usual(house: House) -> None:
    house.behave()


def _clock(seconds: float) -> Step:
    return lambda house: shifted.set_to(house.clock, seconds)


def _of_wechat(name: str, promise: str, begin: Step, *, refuses: bool = True) -> Fault:
    return Fault(
        name=name,
        promise=promise,
        begin=begin,
        end=_wechat_as_usual,
        lasts_s=15,
        refuses=refuses,
        kinds=("login",),
        after_s=8,
        owed_s=120,
    )


FAULTS = (
    Fault(
        name="kill-web",
        promise="who gets no answer asks again, and it is done once",
        begin=_kill_web,
        lasts_s=0,
        drops=True,
    ),
    Fault(
        name="kill-worker",
        promise="nobody notices; at most the notice in the air comes twice",
        begin=_kill_workers,
        lasts_s=0,
        kills=6,
    ),
    Fault(name="kill-schedule", promise="nobody notices", begin=_kill_schedule, lasts_s=5),
    Fault(
        name="kill-sequencer",
        promise="ballots are taken; the log catches up",
        begin=lambda house: house.programs["sequencer"].kill(),
        lasts_s=3,
    ),
    Fault(
        name="pg-restart",
        promise="503 while it is away, nothing acknowledged is lost",
        begin=_restart_postgres,
        lasts_s=0,
        refuses=True,
        after_s=3,
    ),
    Fault(
        name="redis-empty",
        promise="everything is answered; what was queued is found in the rows",
        begin=_empty_redis,
        end=_start_redis,
        lasts_s=6,
    ),
    Fault(
        name="sms-5xx",
        promise="errors: the other provider takes over; nobody is texted twice",
        begin=lambda house: _all_of(house, "http503"),
        end=_usual,
        lasts_s=15,
        owed_s=90,
    ),
    Fault(
        name="sms-hang",
        promise="no answer: the other provider takes over; nobody is texted twice",
        begin=lambda house: _all_of(house, "timeout"),
        end=_usual,
        lasts_s=15,
        owed_s=90,
    ),
    Fault(
        name="sms-drip",
        promise="answers byte by byte: the other takes over; nobody is texted twice",
        begin=lambda house: _all_of(house, "drip"),
        end=_usual,
        lasts_s=15,
        owed_s=90,
    ),
    Fault(
        name="wechat-token",
        promise="another token is fetched; no notice is lost",
        begin=_lose_token,
        lasts_s=0,
        owed_s=90,
    ),
    _of_wechat(
        "wechat-5xx",
        "a login is refused with 503, all else goes on; checks and notices come later",
        _wechat("http503"),
    ),
    _of_wechat(
        "wechat-hang", "no answer: a login is refused with 503, nobody else waits", _wechat("timeout", 30)
    ),
    _of_wechat(
        "wechat-slow",
        "each answer takes two seconds: a login waits for it, nobody else does",
        _wechat("slow", 2),
        refuses=False,
    ),
    Fault(
        name="receipts",
        promise="late, twice, in any order: each message ends delivered",
        begin=_wild_receipts,
        end=_usual,
        lasts_s=15,
    ),
    Fault(
        name="disk-photos",
        promise="a photo is refused with 503, all else goes on",
        begin=_fill_store,
        end=lambda house: house.store.free(),
        lasts_s=12,
        refuses=True,
        kinds=("photo",),
    ),
    Fault(
        name="disk-db",
        promise="503 until there is room, nothing acknowledged is lost",
        begin=_fill_data,
        end=_free_data,
        lasts_s=15,
        refuses=True,
        after_s=10,
        back_s=20,
        owed_s=90,
    ),
    Fault(
        name="db-stall",
        promise="half a minute is sat out or refused with 503",
        begin=_stall,
        end=_unstall,
        lasts_s=30,
        refuses=True,
        after_s=5,
        back_s=10,
        owed_s=90,
    ),
    Fault(
        name="clock-ahead",
        promise="an hour ahead and back: staff log in again, work goes on",
        begin=_clock(3600),
        end=_clock(0),
        lasts_s=12,
        owed_s=90,
    ),
    Fault(
        name="clock-behind",
        promise="an hour behind and back: work goes on",
        begin=_clock(-3600),
        end=_clock(0),
        lasts_s=12,
        owed_s=90,
    ),
)
