"""Steps at the desk that are late: noticed once each, told to the desk, then to the street, and counted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app import clock, db, ids
from app.ids import Kind
from app.tickets import calendar, pressure
from tests.conftest import Caller, Person, Town
from workers import jobs


@pytest.fixture
def when(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """`when(moment)`: the house's clock stands there."""

    def stand(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    return stand


def report(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"])


def late(owner: psycopg.Connection[Any], ticket_id: str) -> list[tuple[str, int]]:
    """(step, who is told) of each notice of a late step, in order."""
    ref = ids.decode_ref(Kind.TICKET, ticket_id)
    rows = owner.execute(
        "SELECT data->>'stage', (data->>'level')::int FROM ticket_events WHERE community_id = %s AND ticket_id = %s"
        " AND kind = 'stage_late' ORDER BY seq",
        (ref.community_id, ref.id),
    )
    return [(stage, level) for stage, level in rows]


def told(who: Caller) -> list[str]:
    return [n["title"] for n in who.get("/inbox?limit=100").json["items"]]


def clocks(who: Caller, ticket_id: str) -> tuple[Any, int]:
    seen = who.get(f"/tickets/{ticket_id}").json["clock"]
    return seen["stage_breached_at"], seen["stages_late"]


def test_each_late_step_is_noticed_once_for_the_desk_and_once_for_the_street(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    desk, street = town.staff("community"), town.staff("street")
    handler = town.staff("property")
    began = datetime.now(UTC)
    when(began)
    ticket_id = report(resident("wang"), town)

    def look(**after: float) -> list[tuple[str, int]]:
        when(began + timedelta(**after))
        for _ in range(2):
            jobs.watch_limits()
        return late(owner, ticket_id)

    assert look(minutes=2, seconds=59) == []
    assert (told(desk), clocks(desk, ticket_id)) == ([], (None, 0))
    assert look(minutes=3) == [("accept", 1)]
    assert (told(desk), told(street)) == (["受理超时"], [])
    assert look(minutes=32, seconds=59) == [("accept", 1)]
    assert look(minutes=33) == [("accept", 1), ("accept", 2)]
    assert (told(desk), told(street)) == (["受理超时"] * 2, ["受理超时"])
    assert clocks(desk, ticket_id) == (clock.rfc3339(began + timedelta(minutes=3)), 1)
    assert look(hours=2) == [("accept", 1), ("accept", 2)]

    town.bring(ticket_id, "accept")
    assert clocks(desk, ticket_id) == (None, 1)
    assert look(hours=2, minutes=5) == [("accept", 1), ("accept", 2), ("dispatch", 1)]
    assert desk.post(f"/tickets/{ticket_id}/category", {"category": "dogs"}).status_code == 200
    assert len(look(hours=2, minutes=6)) == 3, "a class doesn't begin the step anew"
    town.bring(ticket_id, "dispatch")
    assert look(hours=3) == [("accept", 1), ("accept", 2), ("dispatch", 1)]
    assert handler.post(f"/tickets/{ticket_id}/return", {"reason": "不属于本单位"}).status_code == 200
    assert look(hours=3, minutes=5)[3:] == [("dispatch_again", 1)]
    assert clocks(desk, ticket_id)[1] == 3
    assert told(desk)[:2] == ["退单后派单超时", "工单被退回"]
    # The reporter reads nothing of this, and her own limit is untouched by it.
    assert "stage_late" not in str(resident("wang").ticket(ticket_id))
    assert desk.get(f"/tickets/{ticket_id}").json["clock"]["supervise_level"] == 0


def test_a_stopped_scheduler_says_one_word_for_each_ticket_and_counts_what_it_missed(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    wang, desk, street = resident("wang"), town.staff("community"), town.staff("street")
    began = datetime.now(UTC)
    when(began)
    waiting, moved_on = report(wang, town), report(wang, town)
    when(began + timedelta(minutes=40))
    town.bring(moved_on, "accept")
    when(began + timedelta(minutes=44))
    town.bring(moved_on, "dispatch")
    when(began + timedelta(hours=5))
    for _ in range(3):
        jobs.watch_limits()
    assert (late(owner, waiting), late(owner, moved_on)) == ([("accept", 2)], [])
    assert (clocks(desk, waiting)[1], clocks(desk, moved_on)) == (1, (None, 1))
    assert (told(desk), told(street)) == (["受理超时"], ["受理超时"])


def test_a_late_step_leaves_the_ladder_of_the_limit_as_it_is(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    began = datetime.now(UTC)
    when(began)
    ticket_id = report(resident(), town, urgent=True)
    ref = ids.decode_ref(Kind.TICKET, ticket_id)
    kinds: list[list[str]] = []
    for hours in (0.1, 1, 19.9, 20, 23.9, 24, 47.9, 48, 96, 192, 400):
        when(began + timedelta(hours=hours))
        for _ in range(2):
            with db.reading():
                due = ref.id in pressure.to_watch(ref.community_id)
            if due:
                with db.transaction():
                    pressure.watch(ref)
        rows = owner.execute(
            "SELECT kind FROM ticket_events WHERE community_id = %s AND ticket_id = %s ORDER BY seq",
            tuple(ref),
        )
        kinds.append([kind for (kind,) in rows][1:])
    late_twice = ["stage_late"] * 2
    assert kinds == [
        ["stage_late"],
        late_twice,
        late_twice,
        [*late_twice, "warn"],
        [*late_twice, "warn"],
        [*late_twice, "warn", "supervise"],
        [*late_twice, "warn", "supervise"],
        [*late_twice, "warn", "supervise", "supervise"],
        [*late_twice, "warn", "supervise", "supervise", "supervise"],
        [*late_twice, "warn"] + ["supervise"] * 4,
        [*late_twice, "warn"] + ["supervise"] * 4,
    ]
    row = owner.execute(
        "SELECT watch_at FROM tickets WHERE community_id = %s AND id = %s", tuple(ref)
    ).fetchone()
    assert row == (None,)


def test_two_workers_at_once_notice_a_late_step_once(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    wang, desk = resident(), town.staff("community")
    began = datetime.now(UTC)
    when(began)
    tickets = [report(wang, town) for _ in range(5)]
    when(began + timedelta(minutes=4))
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(jobs.watch_limits) for _ in range(6)]:
            done.result()
    jobs.watch_limits()
    assert [late(owner, t) for t in tickets] == [[("accept", 1)]] * 5
    assert told(desk) == ["受理超时"] * 5


def test_neither_a_merge_taken_back_nor_a_corrected_calendar_says_it_again(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
    work: Callable[..., int],
) -> None:
    wang, desk = resident(), town.staff("community")
    began = datetime.now(UTC)
    when(began)
    ticket_id, other = report(wang, town), report(wang, town)
    when(began + timedelta(minutes=35))
    jobs.watch_limits()
    assert desk.post(f"/tickets/{ticket_id}/merge", {"into": other}).status_code == 200
    when(began + timedelta(minutes=50))
    assert desk.post(f"/tickets/{ticket_id}/unmerge").status_code == 200
    with db.transaction():
        for _ in range(2):
            calendar.reclock_page(town.a.id, version=1, after=None)
    for _ in range(2):
        jobs.watch_limits()
    assert late(owner, ticket_id) == late(owner, other) == [("accept", 2)]
    assert [clocks(desk, t)[1] for t in (ticket_id, other)] == [1, 1]
    assert told(desk) == ["受理超时"] * 2


def test_what_is_not_late_is_not_counted(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    began = datetime.now(UTC)
    when(began)
    ticket_id = report(resident(), town)
    when(began + timedelta(minutes=2))
    town.bring(ticket_id, "accept")
    when(began + timedelta(minutes=6))
    town.bring(ticket_id, "dispatch")
    when(began + timedelta(hours=1))
    jobs.watch_limits()
    assert late(owner, ticket_id) == []
    assert clocks(town.staff("community"), ticket_id) == (None, 0)
