"""The watch over the limits: warned, breached, supervised up the ladder, each once; urging; what residents see."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app import clock, ids
from app.ids import Kind
from tests.conftest import Person, Town
from workers import jobs


def urgent(who: Person, town: Town) -> str:
    return str(who.report(town.a.estate_id, category="noise", urgent=True)["ticket_id"])


def at(text: str) -> datetime:
    """The second after what an answer says: it leaves out the fraction."""
    return datetime.fromisoformat(text).astimezone(UTC) + timedelta(seconds=1)


@pytest.fixture
def when(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """`when(moment)`: the house's clock stands there."""

    def stand(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    return stand


def staff_of(town: Town) -> Any:
    town.a.staff.clear()  # sessions end when days pass
    return town.staff("community")


def kinds(town: Town, ticket_id: str) -> list[str]:
    return [e["kind"] for e in staff_of(town).get(f"/tickets/{ticket_id}").json["timeline"]]


def supervisions(owner: psycopg.Connection[Any], ticket_id: str) -> list[int]:
    ref = ids.decode_ref(Kind.TICKET, ticket_id)
    rows = owner.execute(
        "SELECT data->>'level' FROM ticket_events WHERE community_id = %s AND ticket_id = %s"
        " AND kind = 'supervise' ORDER BY seq",
        (ref.community_id, ref.id),
    )
    return [int(level) for (level,) in rows]


def test_a_limit_is_warned_of_breached_and_climbs_the_ladder_each_once(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    wang = resident("wang")
    ticket_id = urgent(wang, town)
    due = at(wang.ticket(ticket_id)["promised"]["close_by"])
    expected: list[tuple[timedelta, list[str], bool, list[int]]] = [
        (timedelta(hours=-5), [], False, []),
        (timedelta(hours=-4), ["warn"], False, []),
        (timedelta(seconds=-2), ["warn"], False, []),
        (timedelta(0), ["warn"], True, [1]),
        (timedelta(hours=23), ["warn"], True, [1]),
        (timedelta(days=1), ["warn"], True, [1, 2]),
        (timedelta(days=3), ["warn"], True, [1, 2, 3]),
        (timedelta(days=7), ["warn"], True, [1, 2, 3, 4]),
        (timedelta(days=30), ["warn"], True, [1, 2, 3, 4]),
    ]
    for after, warned, is_breached, levels in expected:
        when(due + after)
        for _ in range(2):
            jobs.watch_limits()
        seen = staff_of(town).get(f"/tickets/{ticket_id}").json
        assert [e["kind"] for e in seen["timeline"] if e["kind"] == "warn"] == warned, after
        assert (seen["clock"]["breached_at"] is not None) is is_breached, after
        assert supervisions(owner, ticket_id) == levels, after
    wang = resident("wang")
    assert wang.ticket(ticket_id)["supervised"] is True
    told = [m["kind"] for m in wang.get("/inbox?limit=100").json["items"]]
    assert told.count("ticket_supervised") == 4
    assert "warn" not in [e["kind"] for e in wang.ticket(ticket_id)["timeline"]]


def test_after_a_standstill_one_word_is_said_and_not_a_flood(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    wang = resident("wang")
    ticket_id = urgent(wang, town)
    due = at(wang.ticket(ticket_id)["promised"]["close_by"])
    when(due + timedelta(days=4))
    for _ in range(3):
        jobs.watch_limits()
    assert supervisions(owner, ticket_id) == [3]
    assert kinds(town, ticket_id) == ["report", "stage_late", "supervise"]
    assert [m["kind"] for m in resident("wang").get("/inbox").json["items"]].count("ticket_supervised") == 1


def test_two_workers_at_once_say_it_once(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    wang = resident("wang")
    tickets = [urgent(wang, town) for _ in range(6)]
    when(at(wang.ticket(tickets[-1])["promised"]["close_by"]) + timedelta(minutes=1))
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(jobs.watch_limits) for _ in range(6)]:
            done.result()
    jobs.watch_limits()
    assert [supervisions(owner, t) for t in tickets] == [[1]] * 6


def test_many_old_breaches_do_not_hide_a_new_one(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from app.tickets import pressure

    wang = resident("wang")
    old = [urgent(wang, town) for _ in range(4)]
    start = at(wang.ticket(old[0])["promised"]["close_by"])
    when(start + timedelta(days=8))
    jobs.watch_limits()
    wang = resident("wang")
    fresh = urgent(wang, town)
    few = pressure.to_watch
    monkeypatch.setattr(pressure, "to_watch", lambda community_id: few(community_id, limit=2))
    when(start + timedelta(days=9, hours=1))
    jobs.watch_limits()
    assert supervisions(owner, fresh) == [1]


def test_a_ticket_that_ended_or_stands_is_left_alone(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    when: Callable[[datetime], None],
) -> None:
    wang = resident("wang")
    ended, standing = urgent(wang, town), str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    town.bring(ended, "reject")
    town.bring(standing, "accept", "dispatch", "start")
    town.staff("property").post(f"/tickets/{standing}/suspend", {"reason": "等配件", "days": 10})
    due = at(wang.ticket(standing)["promised"]["close_by"])
    until = at(wang.ticket(standing)["standing_until"])
    when(max(due, until - timedelta(days=1)))
    jobs.watch_limits()
    assert kinds(town, standing)[-1] == "suspend"
    assert not resident("wang").ticket(standing)["clocks"]["overdue"]
    assert standing not in {t["ticket_id"] for t in staff_of(town).get("/tickets?overdue=true").json["items"]}
    when(until + timedelta(hours=1))
    for _ in range(3):
        jobs.watch_limits()
    assert kinds(town, standing).count("resume") == 1
    wang = resident("wang")
    assert wang.ticket(standing)["status"] == "in_progress"
    assert [m["kind"] for m in wang.get("/inbox").json["items"]].count("ticket_resumed") == 1
    assert kinds(town, ended) == ["report", "reject"]
    assert supervisions(owner, ended) == []


# --- urging -----------------------------------------------------------------------------------------------


def test_the_third_urge_supervises_beside_the_ladder(
    resident: Callable[..., Person],
    town: Town,
    when: Callable[[datetime], None],
) -> None:
    wang = resident("wang")
    ticket_id = str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    began = clock.now()
    answers = []
    for n in range(3):
        when(began + timedelta(hours=12 * n, minutes=n))
        wang = resident("wang")
        answers.append(wang.post(f"/tickets/{ticket_id}/urge"))
    assert [a.status_code for a in answers] == [200, 200, 200]
    assert [a.json["supervised"] for a in answers] == [False, False, True]
    too_soon = wang.post(f"/tickets/{ticket_id}/urge")
    assert (too_soon.status_code, too_soon.json["code"]) == (409, "urged_just_now")
    assert 0 < int(too_soon.headers["Retry-After"]) <= 12 * 3600 + 1
    seen = staff_of(town).get(f"/tickets/{ticket_id}").json
    assert (seen["clock"]["urged"], seen["clock"]["supervised"], seen["clock"]["supervise_level"]) == (
        3,
        1,
        0,
    )
    # The first rung of the ladder is still to come.
    due = at(wang.ticket(ticket_id)["promised"]["close_by"])
    when(due)
    jobs.watch_limits()
    seen = staff_of(town).get(f"/tickets/{ticket_id}").json
    assert (seen["clock"]["supervised"], seen["clock"]["supervise_level"]) == (2, 1)


def test_what_staff_say_among_themselves_stays_there(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    town.bring(ticket_id, "accept", "dispatch", "start")
    desk, handler = town.staff("community"), town.staff("property")
    secret = "此人经常投诉"
    desk.post(f"/tickets/{ticket_id}/supervise", {"note": secret})
    desk.post(f"/tickets/{ticket_id}/comment", {"text": secret, "visibility": "internal"})
    desk.post(f"/tickets/{ticket_id}/parts", {"org_id": town.a.desk_id, "task": secret})
    due = at(wang.ticket(ticket_id)["promised"]["close_by"])
    body = {"until": (due + timedelta(days=1)).isoformat(), "reason": secret}
    asked = handler.post(f"/tickets/{ticket_id}/extensions", body).json
    desk.post(f"/extensions/{asked['extension_id']}/approve", {"note": "配件在路上"})
    desk.post(f"/tickets/{ticket_id}/parts/done", {"org_id": town.a.desk_id, "note": secret})
    handler.post(f"/tickets/{ticket_id}/return", {"reason": secret})
    seen = wang.ticket(ticket_id)
    for view in (seen, wang.get("/inbox?limit=100").json, wang.get("/tickets").json):
        assert secret not in str(view)
    assert (seen["supervised"], seen["status"]) == (True, "returned")
    assert "配件在路上" in str(seen["timeline"])
