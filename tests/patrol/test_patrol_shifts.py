"""Shifts and the way: one open at a time, positions only on it, and who may see where somebody walked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
import requests

from app import clock, crypto, db, orphans
from app.ids import Kind, decode_ref
from app.patrol import queries
from app.patrol.models import Shift
from app.places.coordinates import Point
from tests.conftest import Caller, Town
from tests.patrol.conftest import STEP, Round, fix, staff_id
from workers import jobs


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


def test_one_person_has_one_patrol_under_way(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    shift = round_.start()
    again = round_.walker.post("/patrol/shifts", {"plan_id": round_.plan_id})
    refused(again, 409, "shift_already_open")
    assert again.json["shift_id"] == shift
    ended = round_.walker.post(f"/patrol/shifts/{shift}/end")
    assert (ended.json["open"], ended.json["end_reason"]) == (False, "worker")
    refused(round_.walker.post(f"/patrol/shifts/{shift}/end"), 409, "shift_not_open")
    assert round_.start() != shift


def test_starting_twice_at_the_same_moment_opens_one(town: Town, lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    together = threading.Barrier(4)
    statuses: list[int] = []

    def start() -> None:
        together.wait()
        answer = requests.post(
            f"{town.house.url}/admin/api/v1/patrol/shifts",
            json={"plan_id": round_.plan_id},
            headers={"Authorization": f"Bearer {round_.walker.token}"},
            timeout=20,
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409, 409, 409]


def test_a_plan_is_walked_by_its_own_people(town: Town, lay_out: Callable[..., Round]) -> None:
    grid, keeper = town.staff("grid"), town.staff("property")
    other = town.hire("property", town.a)
    round_ = lay_out(1, role="property", walker_ids=[staff_id(keeper)])
    start = {"plan_id": round_.plan_id}
    refused(other.post("/patrol/shifts", start), 403, "not_your_plan")
    refused(grid.post("/patrol/shifts", start), 404, "not_found")
    refused(round_.desk.post("/patrol/shifts", start), 403, "permission_missing")
    refused(town.staff("property", town.b).post("/patrol/shifts", start), 404, "not_found")
    assert keeper.post("/patrol/shifts", start).status_code == 201


def test_a_plan_that_is_not_in_force_is_not_walked(lay_out: Callable[..., Round]) -> None:
    tomorrow = (clock.in_shanghai(clock.now()).date() + timedelta(days=1)).isoformat()
    round_ = lay_out(1, valid_from=tomorrow)
    refused(round_.walker.post("/patrol/shifts", {"plan_id": round_.plan_id}), 409, "plan_not_in_force")


def test_a_shift_that_nobody_ends_ends_at_its_cap(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(1)
    chosen = round_.desk.post("/patrol/settings", {"shift_cap_minutes": 60})
    assert chosen.json["items"][0]["values"]["shift_cap_minutes"] == 60
    shift = round_.start()
    cap_at = round_.walker.get(f"/patrol/shifts/{shift}").json["cap_at"]
    later(minutes=61)
    refused(round_.walk(shift, [fix(round_.places[0], clock.now())]), 409, "shift_not_open")
    assert round_.walker.get(f"/patrol/shifts/{shift}").json["open"] is False
    # The next start ends the old one, also when the job hasn't come by.
    second = round_.start()
    old = round_.walker.get(f"/patrol/shifts/{shift}").json
    assert (old["ended_at"], old["end_reason"]) == (cap_at, "cap")
    later(minutes=61)
    jobs.end_patrols()
    jobs.end_patrols()
    done = round_.walker.get(f"/patrol/shifts/{second}").json
    assert done["end_reason"] == "cap"
    assert round_.start()


# --- positions -------------------------------------------------------------------------------------------


def test_positions_are_kept_thin_and_a_repeated_batch_adds_nothing(
    lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(1)
    shift = round_.start()
    began = clock.now()
    later(minutes=30)
    home = round_.places[0]
    # Every 5 s, 6 m further: kept is every fourth, 24 m and 20 s apart.
    way = [
        fix(Point(home.lng, home.lat + n * STEP * 0.06), began + timedelta(seconds=5 * n)) for n in range(41)
    ]
    first = round_.walk(shift, way[:21]).json
    assert first == {"shift_id": shift, "received": 21, "kept": 6, "late": 0, "positions": 6}
    assert round_.walk(shift, way[:21]).json["late"] == 21
    second = round_.walk(shift, way[10:]).json
    assert (second["late"], second["kept"], second["positions"]) == (11, 5, 11)
    resting = [fix(home, began + timedelta(minutes=10, seconds=30 * n)) for n in range(10)]
    assert round_.walk(shift, resting).json["kept"] == 1
    shown = round_.walker.get(f"/patrol/shifts/{shift}/positions").json
    assert shown["crs"] == "gcj02"
    times = [position["at"] for position in shown["positions"]]
    assert times == sorted(times)
    assert len(times) == 11 + 1 + 1  # the rest's first, and the end of the way
    assert times[-1] == resting[-1]["at"]


def test_positions_off_shift_or_out_of_the_world_are_refused_whole(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(1)
    shift = round_.start()
    later(minutes=10)
    now, home = clock.now(), round_.places[0]
    good = fix(home, now)
    for bad, code in (
        (fix(home, now - timedelta(hours=1)), "off_shift"),
        (fix(home, now + timedelta(hours=1)), "off_shift"),
        (fix(Point(2.35, 48.85), now), "bad_position"),
        (good | {"lng": "NaN"}, "invalid"),
        (good | {"lat": 1e308}, "bad_position"),
        (good | {"accuracy_m": -1}, "invalid"),
        (good | {"at": "2026-11-21T10:00:00"}, "invalid"),
    ):
        refused(round_.walk(shift, [good, bad]), 422, code)
    nan = '{"positions": [{"lng": NaN, "lat": 29.6, "at": "2026-11-21T10:00:00+08:00"}]}'
    raw = round_.walker.post(f"/patrol/shifts/{shift}/positions", data=nan, content_type="application/json")
    assert raw.status_code in {400, 422}
    many = [fix(home, now - timedelta(seconds=1)) for _ in range(501)]
    refused(round_.walk(shift, many), 422, "too_many_positions")
    assert round_.walk(shift, many[:500]).status_code == 200
    english = round_.walker.post(
        f"/patrol/shifts/{shift}/positions", {"positions": many}, headers={"Accept-Language": "en"}
    )
    assert english.json["detail"] == "A batch takes at most 500 positions; please send several."
    colleague = town.hire("grid", town.a)
    body = {"crs": "wgs84", "positions": [good]}
    refused(colleague.post(f"/patrol/shifts/{shift}/positions", body), 404, "not_found")
    assert round_.walker.get(f"/patrol/shifts/{shift}").json["positions"] == 1
    round_.walker.post(f"/patrol/shifts/{shift}/end")
    refused(round_.walk(shift, [good]), 409, "shift_not_open")


def test_where_somebody_walked_is_seen_by_herself_and_the_desk_of_the_area(
    town: Town, lay_out: Callable[..., Round], owner: psycopg.Connection[Any]
) -> None:
    rounds = {role: lay_out(1, role=role) for role in ("grid", "property")}
    shifts = {}
    for role, round_ in rounds.items():
        shifts[role] = round_.start()
        round_.walk(shifts[role], [fix(round_.places[0], clock.now())])

    def seen_by(who: Caller, role: str) -> tuple[int, int, bool]:
        listed = [row["shift_id"] for row in who.get("/patrol/shifts").json["items"]]
        path = f"/patrol/shifts/{shifts[role]}"
        desk = "patrol.track" in who.get("/me").json["scopes"][0]["permissions"]
        other = (
            who.get(f"{path}/positions") if desk else who.post(f"{path}/track", {"purpose": "看看同事在哪里"})
        )
        assert other.status_code == 403  # the desk looks for a purpose, a walker only at her own way
        way = who.post(f"{path}/track", {"purpose": "核查漏巡"}) if desk else who.get(f"{path}/positions")
        return way.status_code, who.get(path).status_code, shifts[role] in listed

    hidden, open_ = (404, 404, False), (200, 200, True)
    refused(town.staff("street").post(f"/patrol/shifts/{shifts['grid']}/track", {}), 422, "invalid")
    for role, other in (("grid", "property"), ("property", "grid")):
        assert seen_by(rounds[role].walker, role) == open_
        assert seen_by(rounds[other].walker, role) == hidden
        assert seen_by(town.hire(role, town.a), role) == hidden
        assert seen_by(town.staff("community"), role) == open_
        assert seen_by(town.staff("street"), role) == open_
        assert seen_by(town.staff("community", town.b), role) == hidden
        refused(town.staff("community").post(f"/patrol/shifts/{shifts[role]}/end"), 403, "permission_missing")
    looked = owner.execute(
        "SELECT count(*) FROM audit_log WHERE community_id = %s AND action = 'patrol.track_seen'", [town.a.id]
    ).fetchone()
    assert looked == (4,)  # each desk once a shift; one's own way isn't noted


def test_whereabouts_are_stored_sealed_and_erased_after_thirty_days(
    town: Town,
    lay_out: Callable[..., Round],
    later: Callable[..., datetime],
    owner: psycopg.Connection[Any],
) -> None:
    round_ = lay_out(1)
    shift = round_.start()
    round_.walk(shift, [fix(round_.places[0], clock.now())])
    assert round_.visit(0).json["reasons"] == []
    round_.walker.post(f"/patrol/shifts/{shift}/end")
    home = town.a.id
    stored = owner.execute(
        "SELECT t.sealed, r.sealed, s.head_sealed FROM patrol_tracks t, patrol_readings r, patrol_shifts s"
        " WHERE t.community_id = %s AND r.community_id = %s AND s.community_id = %s",
        [home] * 3,
    ).fetchone()
    assert stored is not None
    latitude = f"{round_.places[0].lat:.4f}".encode()
    assert not any(latitude in sealed for sealed in stored)

    def kept() -> tuple[int, ...]:
        row = owner.execute(
            "SELECT (SELECT count(*) FROM patrol_tracks WHERE community_id = %s),"
            " (SELECT count(*) FROM patrol_readings WHERE community_id = %s),"
            " (SELECT count(head_sealed) FROM patrol_shifts WHERE community_id = %s),"
            " (SELECT count(*) FROM patrol_visits WHERE community_id = %s)",
            [home] * 4,
        ).fetchone()
        assert row is not None
        return row

    later(days=29)
    jobs.erase_tracks()
    assert kept() == (1, 1, 1, 1)
    later(days=1, hours=1)
    jobs.erase_tracks()
    assert kept() == (0, 0, 0, 1)
    desk = town.hire("community", town.a)
    shown = desk.post(f"/patrol/shifts/{shift}/track", {"purpose": "核查漏巡"}).json
    assert (shown["positions"], shown["readings"]) == ([], [])
    assert len(desk.get(f"/patrol/shifts/{shift}").json["visits"]) == 1


def test_a_sealed_way_opens_only_on_its_own_shift(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    ref = decode_ref(Kind.PATROL_SHIFT, round_.start())
    with db.reading() as session:
        shift = session.get_one(Shift, ref)
        sealed = queries.seal_fixes([], queries.head_context(shift.id))
        with pytest.raises(crypto.Undecryptable):
            queries.open_fixes(sealed, queries.head_context(shift.plan_id))


def test_references_of_patrols_point_somewhere(lay_out: Callable[..., Round]) -> None:
    with db.reading():
        before = orphans.count()
    round_ = lay_out(1)
    round_.start()
    round_.visit(0)
    with db.reading():
        after = orphans.count()
    names = {name for name in after if name.startswith("patrol_")}
    assert "patrol_open_shifts.shift_id" in names
    assert {name: after[name] for name in names} == {name: before[name] for name in names}
