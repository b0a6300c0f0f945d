"""Visits: what speaks against one is kept with it and never refuses it; what isn't a visit is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import clock
from tests.conftest import Town
from tests.patrol.conftest import Round, add_point, at


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


def reasons(answer: Any) -> list[str]:
    assert answer.status_code == 201, answer.text
    assert answer.json["suspect"] is bool(answer.json["reasons"])
    return list(answer.json["reasons"])


def test_a_visit_with_code_and_position_stands(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    shift = round_.start()
    seen = round_.visit(0, off=0.00015)
    assert reasons(seen) == []
    assert (seen.json["shift_id"], seen.json["distance_m"], seen.json["code"]) == (shift, 17, True)


def test_a_right_code_far_from_its_point_is_doubted(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    round_.start()
    # The point's radius is 30 m; 44.5 m away is beyond it with 10 m of accuracy, and within it with 20.
    beside = at(round_.places[0], off=0.0004)
    assert reasons(round_.visit(0, location=beside)) == ["too_far"]
    assert reasons(round_.visit(0, location=beside | {"accuracy_m": 20})) == []
    # A phone that claims any accuracy at all proves nothing.
    away = at(round_.places[0], off=0.009) | {"accuracy_m": 99999}
    assert reasons(round_.visit(0, location=away)) == ["too_far"]


def test_nobody_flies_from_point_to_point(
    lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(3)
    round_.start()
    assert reasons(round_.visit(0)) == []
    assert reasons(round_.visit(1)) == ["too_fast"]  # 100 m in no time
    later(minutes=5)
    assert reasons(round_.visit(2)) == []
    # Handed in later, but scanned a second before: it still has to fit between the others.
    before = clock.rfc3339(clock.now() - timedelta(seconds=2))
    assert reasons(round_.visit(0, at=before, scan_id="scan-0001")) == ["too_fast"]


def test_a_point_asks_for_the_proof_it_was_given(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    desk = town.staff("community")
    round_ = lay_out(1)
    made = {proof: add_point(desk, town.a, 0, proof=proof)[0] for proof in ("both", "position", "qr")}
    body = {
        "name": "二",
        "points": list(made.values()),
        "windows": [{"from": "00:00", "to": "24:00"}],
        "grid_id": round_.plan["grid_id"],
    }
    plan = desk.post("/patrol/plans", body).json["plan_id"]
    walker = round_.walker
    walker.post("/patrol/shifts", {"plan_id": plan})

    def show(proof: str, **shown: Any) -> Any:
        return walker.post(f"/patrol/points/{made[proof]}/visit", shown)

    code = {proof: desk.get(f"/patrol/points/{made[proof]}/code").json["payload"] for proof in made}
    here = at(round_.places[0])
    assert reasons(show("qr", code=code["qr"])) == []
    assert reasons(show("qr", location=here)) == ["no_code"]
    assert reasons(show("position", location=here)) == []
    assert reasons(show("position", code=code["position"])) == ["no_position"]
    assert reasons(show("both", code=code["both"])) == ["no_position"]
    assert reasons(show("both", location=here)) == ["no_code"]
    assert reasons(show("both", code=code["both"], location=here)) == []
    refused(show("qr"), 422, "nothing_shown")


def test_a_code_of_ours_is_for_its_point_and_nothing_else_is_one(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(2)
    round_.start()
    mine = round_.codes[0]
    body, _, signature = mine.rpartition(".")
    for code in (
        round_.codes[1],
        mine[:-1],
        mine + "a",
        body[:-1] + "9." + signature,
        "https://example.com/pay",
        "...",
        "JY1.",
        "码" * 50,
    ):
        refused(round_.visit(0, code=code), 422, "unknown_code")
    assert round_.walker.get("/patrol/shifts").json["items"][0]["open"]


def test_a_photograph_of_a_replaced_sign_is_doubted(
    lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(1)
    round_.start()
    assert reasons(round_.visit(0)) == []
    renewed = round_.desk.post(f"/patrol/points/{round_.points[0]}/code").json
    assert renewed["printing"] == 2
    assert reasons(round_.visit(0)) == ["old_code"]
    assert reasons(round_.visit(0, code=renewed["payload"])) == []


def test_a_scan_is_handed_in_once_however_often_it_is_sent(
    lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(2)
    shift = round_.start()
    first = round_.visit(0, scan_id="scan-0001")
    again = round_.visit(0, scan_id="scan-0001")
    assert again.json == first.json
    later(minutes=5)
    assert reasons(round_.visit(1, scan_id="scan-0001")) == ["reused_scan"]
    round_.walker.post(f"/patrol/shifts/{shift}/end")
    later(hours=1)
    second = round_.start()
    assert second != shift
    assert "reused_scan" in reasons(round_.visit(0, scan_id="scan-0001"))


def test_the_very_same_reading_on_another_day_is_doubted(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(1)
    shift = round_.start()
    reading = at(round_.places[0], off=0.0000123)
    assert reasons(round_.visit(0, location=reading)) == []
    assert reasons(round_.visit(0, location=reading)) == []  # a phone that rests on the same shift
    round_.walker.post(f"/patrol/shifts/{shift}/end")
    later(hours=3)
    round_.start()
    assert reasons(round_.visit(0, location=reading)) == ["reused_reading"]
    assert reasons(round_.visit(0, location=at(round_.places[0], off=0.0000124))) == []


def test_a_scan_from_before_the_shift_is_of_another_one(
    lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(1)
    later(hours=2)
    round_.start()
    yesterday = clock.rfc3339(clock.now() - timedelta(hours=1))
    assert "other_shift" in reasons(round_.visit(0, at=yesterday))
    refused(round_.visit(0, at=clock.rfc3339(clock.now() + timedelta(hours=1))), 422, "future_time")


def test_visits_that_waited_for_network_belong_to_the_shift_that_has_ended(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(1)
    account = round_.walker.get("/me").json["account"]
    shift = round_.start()
    later(minutes=10)
    scanned = clock.rfc3339(clock.now())
    later(minutes=10)
    round_.walker.post(f"/patrol/shifts/{shift}/end")
    later(minutes=30)
    refused(round_.visit(0), 409, "no_open_shift")
    late = round_.visit(0, shift_id=shift, at=scanned)
    assert reasons(late) == []
    assert late.json["received_at"] > late.json["at"]
    assert reasons(round_.visit(0, shift_id=shift)) == ["other_shift"]
    later(hours=24)
    round_.walker = town.log_in(account)
    refused(round_.visit(0, shift_id=shift, at=scanned), 409, "no_open_shift")


def test_a_visit_beside_the_plan_is_kept_and_doubted(town: Town, lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1, windows=[{"from": "17:00", "to": "18:00"}])
    extra, place = add_point(round_.desk, town.a, 0)
    round_.start()
    assert reasons(round_.visit(0)) == ["outside_plan"]
    code = round_.desk.get(f"/patrol/points/{extra}/code").json["payload"]
    other = round_.walker.post(f"/patrol/points/{extra}/visit", {"code": code, "location": at(place)})
    assert reasons(other) == ["not_in_plan", "outside_plan"]


def test_a_retired_point_is_doubted(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    round_.start()
    round_.desk.patch(f"/patrol/points/{round_.points[0]}", {"retired": True}, headers={"If-Match": '"1"'})
    assert reasons(round_.visit(0)) == ["retired_point"]


def test_what_was_reported_on_the_way_is_a_ticket_she_sees(town: Town, lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    round_.start()
    foreign = town.staff("community", town.b).post(
        "/tickets", {"channel": "patrol", "estate_id": town.b.estate_id, "text": "井盖坏了"}
    )
    refused(round_.visit(0, ticket_id=foreign.json["ticket_id"]), 422, "unknown_ticket")
    visits = round_.walker.get("/patrol/shifts").json["items"]
    assert len(visits) == 1


def test_points_of_others_are_not_visited(town: Town, lay_out: Callable[..., Round]) -> None:
    mine, theirs = lay_out(1), lay_out(1, where=town.b)
    mine.start()
    shown = {"code": theirs.codes[0], "location": at(theirs.places[0])}
    refused(mine.walker.post(f"/patrol/points/{theirs.points[0]}/visit", shown), 404, "not_found")
    keeper = town.staff("property")
    refused(keeper.post(f"/patrol/points/{mine.points[0]}/visit", shown), 404, "not_found")
    refused(mine.desk.post(f"/patrol/points/{mine.points[0]}/visit", shown), 403, "permission_missing")


def test_a_repeated_visit_with_its_key_is_one(lay_out: Callable[..., Round]) -> None:
    round_ = lay_out(1)
    shift = round_.start()
    key = {"Idempotency-Key": uuid4().hex}
    body = {"code": round_.codes[0], "location": at(round_.places[0])}
    path = f"/patrol/points/{round_.points[0]}/visit"
    answers = [round_.walker.post(path, body, headers=key) for _ in range(2)]
    assert answers[0].data == answers[1].data
    assert answers[0].headers["Location"] == f"/admin/api/v1/patrol/shifts/{shift}"
    assert len(round_.walker.get(f"/patrol/shifts/{shift}").json["visits"]) == 1


def test_visits_and_grades_are_never_rewritten(
    town: Town, lay_out: Callable[..., Round], owner: psycopg.Connection[Any]
) -> None:
    round_ = lay_out(1)
    round_.start()
    round_.visit(0, off=0.009)
    town.staff("community").post("/patrol/zones/grade")
    for table, change in (("patrol_visits", "reasons = '[]'"), ("patrol_zone_grades", "grade = 'low'")):
        for statement in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(statement)
            with (
                psycopg.connect(town.house.pg.url("app", "house"), autocommit=True) as app,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                app.execute(statement)
