"""The working calendar: read, loaded, corrected; the clocks of open tickets follow, those of ended ones don't."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app import db
from app.tickets import calendar, queries
from tests.conftest import House, Person, Town
from workers import jobs


@pytest.fixture
def restored(house: House, owner: psycopg.Connection[Any]) -> Iterator[None]:
    """The calendar is everybody's: put back as it was."""
    rows = owner.execute(
        "SELECT day, is_working, is_half, is_confirmed, version FROM calendar_days"
    ).fetchall()
    yield
    owner.execute("DELETE FROM calendar_days")
    with owner.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO calendar_days (day, is_working, is_half, is_confirmed, version)"
            " VALUES (%s, %s, %s, %s, %s)",
            rows,
        )
    queries._calendar.cache_clear()  # no version says what was done here by hand


def on(day: date, kind: str, *, confirmed: bool = True) -> dict[str, Any]:
    return {"day": day.isoformat(), "kind": kind, "confirmed": confirmed}


def whole(year: int, kind: str = "work") -> list[dict[str, Any]]:
    first = date(year, 1, 1)
    return [on(first + timedelta(days=n), kind) for n in range((date(year + 1, 1, 1) - first).days)]


def today() -> date:
    from app.places import queries as places

    return places.today()


def version(town: Town) -> int:
    return int(town.staff("street").get(f"/calendar?year={today().year}").json["version"])


def test_the_calendar_of_a_year_can_be_read_with_what_is_not_announced_yet(town: Town) -> None:
    seen = town.staff("grid").get("/calendar?year=2026").json
    days = {d["day"]: d for d in seen["days"]}
    assert len(days) == 365
    assert (days["2026-09-20"]["kind"], days["2026-10-01"]["kind"]) == ("work", "off")
    assert days["2026-10-01"]["confirmed"] is True
    assert not any(d["confirmed"] for d in town.staff("grid").get("/calendar?year=2027").json["days"])
    assert town.staff("grid").get("/calendar?year=2031").json["days"] == []
    assert town.staff("grid").get("/calendar?year=1500").status_code == 422


def test_a_calendar_with_a_hole_is_refused_and_nothing_changes(restored: None, town: Town) -> None:
    street, before = town.staff("street"), version(town)
    year = today().year
    wrong: dict[str, list[dict[str, Any]]] = {
        "gap": [on(date(year, 3, 1), "work"), on(date(year, 3, 3), "work")],
        "twice": [on(date(year, 3, 1), "work"), on(date(year, 3, 1), "off")],
        "backwards": [on(date(year, 3, 2), "work"), on(date(year, 3, 1), "off")],
        "far from what is loaded": whole(2040),
        "a year without work": whole(year, "off"),
        "none": [],
    }
    for why, days in wrong.items():
        answer = street.post("/calendar", {"days": days})
        assert answer.status_code == 422, why
        assert answer.json["code"] in {"bad_calendar", "invalid"}, why
    for csv in ("day,kind\n2026-03-01,work", "day,kind,confirmed\n2026-03-01,holiday,true", "nothing", "\n"):
        answer = street.post("/calendar", {"csv": csv})
        assert (answer.status_code, answer.json["code"]) == (422, "bad_calendar"), csv
    assert street.post("/calendar", {}).status_code == 422
    assert version(town) == before
    for role in ("community", "grid", "property"):
        assert town.staff(role).post("/calendar", {"days": whole(2028)}).status_code == 403


def test_a_year_is_loaded_from_a_table_and_continues_the_calendar(restored: None, town: Town) -> None:
    street, before = town.staff("street"), version(town)
    lines = ["day,kind,confirmed"]
    lines += [f"{d['day']},{'half' if d['day'] == '2028-01-26' else 'work'},true" for d in whole(2028)]
    loaded = street.post("/calendar", {"csv": "\n".join(lines), "note": "国办 2028"})
    assert loaded.status_code == 201
    assert (loaded.json["version"], loaded.json["changed"]) == (before + 1, 366)
    days = {d["day"]: d["kind"] for d in street.get("/calendar?year=2028").json["days"]}
    assert (days["2028-01-26"], days["2028-02-29"]) == ("half", "work")
    same = street.post("/calendar", {"csv": "\n".join(lines)}).json
    assert (same["version"], same["changed"]) == (before + 2, 0)


def test_a_corrected_calendar_is_replayed_for_open_tickets_only(
    restored: None,
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calendar, "PAGE", 2)
    wang = resident()
    tickets = [str(wang.report(town.a.estate_id, category="noise")["ticket_id"]) for _ in range(5)]
    urgent = str(wang.report(town.a.estate_id, urgent=True)["ticket_id"])
    closed = str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    town.bring(closed, "accept", "dispatch", "start", "resolve", "verify", "close")
    town.bring(tickets[0], "accept", "dispatch", "start")
    town.staff("property").post(f"/tickets/{tickets[0]}/suspend", {"reason": "等", "days": 1})
    everything = [*tickets, urgent, closed]
    before = {t: wang.ticket(t)["promised"]["close_by"] for t in everything}
    # A week of holiday begins tomorrow, and then everybody works on.
    tomorrow = today() + timedelta(days=1)
    days = [on(tomorrow + timedelta(days=n), "off" if n < 7 else "work") for n in range(20)]
    answer = town.staff("street").post("/calendar", {"days": days})
    assert answer.status_code == 201, answer.text
    assert answer.json["communities"] >= 1
    work()
    expected = datetime.fromisoformat(f"{today() + timedelta(days=11)}T00:00:00+08:00")
    after = {t: wang.ticket(t)["promised"]["close_by"] for t in everything}
    assert {datetime.fromisoformat(after[t]) for t in tickets} == {expected}
    assert (after[urgent], after[closed]) == (before[urgent], before[closed])
    # A word on a closed ticket doesn't measure it anew either.
    wang.post(f"/tickets/{closed}/comments", {"text": "谢谢"})
    assert wang.ticket(closed)["promised"]["close_by"] == before[closed]


def test_the_nightly_check_finds_a_clock_that_differs_and_changes_nothing(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    wang = resident()
    for _ in range(3):
        wang.report(town.a.estate_id, category="noise")
    with db.reading():
        found, after = calendar.drift(town.a.id)
    assert (found.compared, found.differing, after) == (3, [], None)
    row = owner.execute(
        "UPDATE tickets SET due_at = due_at + interval '1 minute' WHERE community_id = %s AND id ="
        " (SELECT id FROM tickets WHERE community_id = %s LIMIT 1) RETURNING id, due_at",
        (town.a.id, town.a.id),
    ).fetchone()
    assert row is not None
    with caplog.at_level(logging.ERROR):
        jobs.check_clocks()
    assert [r for r in caplog.records if str(row[0]) in r.getMessage()]
    with db.reading():
        assert calendar.drift(town.a.id)[0].differing == [row[0]]
    kept = owner.execute(
        "SELECT due_at FROM tickets WHERE community_id = %s AND id = %s", (town.a.id, row[0])
    ).fetchone()
    assert kept == (row[1],)


def test_the_limits_that_hold_are_told(town: Town) -> None:
    limits = town.staff("property").get("/limits").json
    assert limits["accept"] == {"amount": 3, "unit": "minutes"}
    assert limits["dispatch"] == {"amount": 5, "unit": "minutes"}
    assert limits["urgent"] == {"amount": 24, "unit": "hours"}
    assert limits["ordinary"] == {"amount": 3, "unit": "working_days"}


def test_a_class_has_its_own_limit_and_a_corrected_class_another(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    limits = {c["code"]: c["limit"] for c in desk.get("/limits").json["classes"]}
    assert limits["rubble"] == {"amount": 2, "unit": "working_days"}

    def due(ticket_id: str) -> datetime:
        return datetime.fromisoformat(wang.ticket(ticket_id)["promised"]["close_by"])

    plain = str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    rubble = str(wang.report(town.a.estate_id, category="rubble", photo_ids=[wang.photo()])["ticket_id"])
    urgent = str(
        wang.report(town.a.estate_id, category="rubble", urgent=True, photo_ids=[wang.photo()])["ticket_id"]
    )
    assert due(rubble) < due(plain)
    assert due(urgent) <= datetime.now().astimezone() + timedelta(hours=24)
    assert desk.post(f"/tickets/{plain}/category", {"category": "rubble"}).status_code == 200
    assert due(plain) == due(rubble)
    with db.reading():
        assert calendar.drift(town.a.id)[0].differing == []
