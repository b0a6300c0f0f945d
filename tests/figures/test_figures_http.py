"""Figures over HTTP: what a desk reads, lists, exports and publishes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import event

from app import clock, db, ids
from app.ids import Kind
from app.places import queries as places
from app.tickets import calendar, figures, stints
from app.tickets.figure_rules import Metric
from app.tickets.figures import Figure, Row
from bff.admin import figure_csv, figure_views
from tests.conftest import Caller, Person, Town
from workers import jobs

DONE = ("accept", "dispatch", "start", "resolve", "verify", "close")


def reported(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"])


def read(who: Caller, path: str, **query: Any) -> dict[str, Any]:
    answer = who.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def figure(found: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    return next(one for one in found if one["metric"] == metric)


def today() -> str:
    return places.today().isoformat()


# --- figures ----------------------------------------------------------------------------------------------


def test_a_ticket_is_counted_as_soon_as_it_moves(resident: Callable[..., Person], town: Town) -> None:
    desk, wang = town.staff("community"), resident("wang")
    closed, open_one = reported(wang, town), reported(wang, town)
    town.bring(closed, *DONE)
    assert wang.post(f"/tickets/{closed}/rating", {"stars": 3, "solved": True}).status_code == 200
    total = read(desk, "/stats/sla")["total"]
    accepted = figure(total, "accept_on_time")
    assert (accepted["numerator"], accepted["denominator"], accepted["percent"]) == (1, 1, "100.00%")
    assert [(left["reason"], left["count"]) for left in accepted["left_out"]] == [("waiting", 1)]
    satisfied, rated = figure(total, "satisfied"), figure(total, "rated")
    assert (satisfied["numerator"], satisfied["denominator"]) == (1, 1)
    assert (rated["numerator"], rated["denominator"]) == (1, 1)
    overdue = figure(total, "overdue")
    assert (overdue["denominator"], overdue["percent"]) == (0, None)
    assert figure(total, "handling_time")["days"] == "0.00"
    town.bring(open_one, "reject")
    left = figure(read(desk, "/stats/sla")["total"], "accept_on_time")["left_out"]
    assert [(one["reason"], one["count"]) for one in left] == [("rejected", 1)]


def test_dissatisfaction_and_what_came_after_count_against_who_closed_it(
    resident: Callable[..., Person], town: Town
) -> None:
    desk, wang = town.staff("street"), resident("wang")
    ticket_id = reported(wang, town)
    town.bring(ticket_id, *DONE)
    assert wang.post(f"/tickets/{ticket_id}/rating", {"stars": 1, "solved": False}).status_code == 200
    answer = town.staff("community").post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id})
    assert answer.status_code == 200, answer.text
    rows = {row["key"]: row["figures"] for row in read(desk, "/stats/sla", by="unit")["rows"]}
    against = figure(rows[town.a.property_id], "satisfied")
    assert (against["numerator"], against["denominator"]) == (0, 1)
    reopened = figure(rows[town.a.property_id], "handling_time")
    assert (reopened["denominator"], reopened["left_out"][0]["reason"]) == (0, "reopened")
    assert figure(rows[town.a.desk_id], "satisfied")["denominator"] == 0
    assert figure(rows[town.a.desk_id], "dispatch_on_time")["denominator"] == 1


def test_an_excluded_complaint_is_left_out_with_its_reason(
    resident: Callable[..., Person], town: Town
) -> None:
    desk, wang = town.staff("community"), resident("wang")
    ticket_id = reported(wang, town)
    town.bring(ticket_id, *DONE)
    assert desk.post(f"/tickets/{ticket_id}/exclude", {"reason": "同一诉求已多次答复"}).status_code == 200
    assert wang.post(f"/tickets/{ticket_id}/rating", {"stars": 1, "solved": True}).status_code == 200
    satisfied = figure(read(desk, "/stats/sla")["total"], "satisfied")
    assert (satisfied["denominator"], satisfied["left_out"]) == (
        0,
        [{"reason": "excluded", "name": "不合理诉求，已剔除", "count": 1}],
    )
    listed = read(desk, "/stats/items", metric="satisfied", share="left_out", reason="excluded")
    assert listed["count"] == 1
    assert listed["items"][0]["ticket_id"] == ticket_id
    assert listed["items"][0]["excluded_because"] == "同一诉求已多次答复"
    assert "剔除" not in str(wang.ticket(ticket_id))


def test_a_property_company_sees_only_what_was_given_to_it(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident("wang")
    mine, other = reported(wang, town), reported(wang, town)
    town.bring(mine, "accept", "dispatch", "return")
    town.bring(other, "accept")
    keeper, desk = town.staff("property"), town.staff("community")
    assert desk.post(f"/tickets/{mine}/dispatch", {"org_id": town.a.desk_id}).status_code == 200
    rows = read(keeper, "/stats/sla", by="unit")["rows"]
    assert [row["key"] for row in rows] == [town.a.property_id]
    returned = figure(rows[0]["figures"], "returned")
    assert (returned["numerator"], returned["denominator"]) == (1, 1)
    listed = read(keeper, "/stats/items", metric="returned", share="numerator")
    assert [(item["ticket_id"], item["unit"]) for item in listed["items"]] == [(mine, rows[0]["name"])]
    assert figure(read(town.staff("grid"), "/stats/sla")["total"], "returned")["numerator"] == 1
    assert (
        figure(read(town.staff("community", town.b), "/stats/sla")["total"], "returned")["denominator"] == 0
    )
    people = read(keeper, "/stats/sla", by="person")["rows"]
    assert sum(figure(row["figures"], "returned")["numerator"] for row in people) == 1


def test_counts_say_what_became_of_everything_received(resident: Callable[..., Person], town: Town) -> None:
    wang, desk = resident("wang"), town.staff("community")
    town.bring(reported(wang, town), "accept")
    gone = reported(wang, town, category="dogs")
    assert wang.post(f"/tickets/{gone}/withdraw").status_code == 200
    found = read(desk, "/stats/tickets", by="class")
    assert found["total"]["received"] == 2
    assert {row["key"]: row["count"] for row in found["total"]["by_status"]} == {
        "accepted": 1,
        "withdrawn": 1,
    }
    assert {row["key"]: row["received"] for row in found["rows"]} == {"noise": 1, "dogs": 1}
    assert found["total"]["left_out"] == [{"reason": "withdrawn", "name": "居民撤回", "count": 1}]
    days = read(desk, "/stats/tickets", by="day")["rows"]
    assert days[-1]["received"] == 2
    assert days[-1]["period"] == {"from": today(), "to": today()}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"from": "2026-02-02", "to": "2026-02-01"}, "period_reversed"),
        ({"from": "2020-01-01", "to": "2026-02-01"}, "period_too_long"),
        ({"from": "2026-01-01", "to": "2026-12-31", "by": "day"}, "period_too_long"),
        ({"from": "yesterday"}, "invalid"),
        ({"by": "weather"}, "invalid"),
        ({"unit": "org_x"}, "invalid"),
    ],
)
def test_a_wrong_question_is_refused(town: Town, query: dict[str, str], code: str) -> None:
    answer = town.staff("community").get("/stats/sla", query_string=query)
    assert (answer.status_code, answer.json["code"]) == (422, code), answer.text


def test_a_reason_that_the_figure_does_not_know_is_refused(town: Town) -> None:
    query = {"metric": "rework", "share": "left_out", "reason": "standing"}
    answer = town.staff("community").get("/stats/items", query_string=query)
    assert (answer.status_code, answer.json["code"]) == (422, "bad_reason")


# --- ranking ----------------------------------------------------------------------------------------------


def row(name: str, numerator: int, denominator: int) -> Row:
    found = {metric: Figure() for metric in Metric}
    found[Metric.CLOSED_ON_TIME] = Figure(numerator, denominator)
    found[Metric.OVERDUE] = Figure(denominator - numerator, denominator)
    return Row(name, found)


def test_a_unit_with_one_ticket_never_tops_a_ranking() -> None:
    rows = [
        row("one", 1, 1),
        row("good", 99, 100),
        row("same", 198, 200),
        row("poor", 10, 20),
        row("few", 19, 19),
    ]
    found = [(one.row.key, one.rank) for one in figures.ranked(rows, Metric.CLOSED_ON_TIME)]
    assert found == [("good", 1), ("same", 1), ("poor", 3), ("few", None), ("one", None)]
    found = [(one.row.key, one.rank) for one in figures.ranked(rows, Metric.OVERDUE)]
    assert found == [("good", 1), ("same", 1), ("poor", 3), ("few", None), ("one", None)]


def test_a_small_sample_is_said_to_be_one(resident: Callable[..., Person], town: Town) -> None:
    town.bring(reported(resident(), town), "accept", "dispatch")
    found = read(town.staff("street"), "/stats/units", metric="dispatch_on_time")
    assert [(one["key"], one["rank"], one["note"]) for one in found["rows"]] == [
        (town.a.property_id, None, "样本不足")
    ]
    assert found["minimum_sample"] == 20


def test_percentages_are_rounded_half_up_from_whole_numbers() -> None:
    def shown(numerator: int, denominator: int) -> Any:
        return figure_views.figure_out(Metric.CLOSED, Figure(numerator, denominator))["percent"]

    assert [shown(1, 3), shown(2, 3), shown(1, 800), shown(517, 517)] == [
        "33.33%",
        "66.67%",
        "0.13%",
        "100.00%",
    ]
    assert shown(0, 0) is None
    mean = figure_views.figure_out(Metric.HANDLING_TIME, Figure(2 * 86400 + 432, 1))
    assert (mean["days"], mean["percent"]) == ("2.01", None)


# --- export -----------------------------------------------------------------------------------------------


def test_the_export_says_what_was_asked_for_and_adds_up(resident: Callable[..., Person], town: Town) -> None:
    town.bring(reported(resident(), town), *DONE)
    answer = town.staff("community").get("/stats/export", query_string={"by": "unit", "category": "noise"})
    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.data.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    head = {line[0]: line[1] for line in lines[:6]}
    assert head["统计期"].endswith(today())
    assert "类别：" in head["筛选"]
    assert head["排名最小样本"] == "20"
    assert head["工作日历版本"]
    assert head["截至"]
    closings = [line for line in lines if len(line) > 4 and line[1] == "办结率"]
    assert [line[2:5] for line in closings] == [["1", "1", "100.00%"]] * 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert figure_csv.safe(text) == f"'{text}"
    written = figure_csv.write([[text, "甲小区", 12]]).decode("utf-8-sig")
    assert next(csv.reader(io.StringIO(written, newline="")))[1:] == ["甲小区", "12"]


# --- assessments ------------------------------------------------------------------------------------------


def publish(who: Caller, first: str, last: str) -> Any:
    return who.post("/stats/assessments", {"title": "六月考核", "period": {"from": first, "to": last}})


def test_a_published_assessment_stays_whatever_is_corrected_afterwards(
    resident: Callable[..., Person],
    town: Town,
    later: Callable[..., datetime],
    owner: psycopg.Connection[Any],
) -> None:
    wang, day = resident("wang"), today()
    ticket_id = reported(wang, town)
    town.bring(ticket_id, *DONE)
    assert publish(town.staff("community"), day, day).json["code"] == "period_not_over"
    later(hours=25)
    town.a.staff.clear()
    desk = town.staff("community")
    answer = publish(desk, day, day)
    assert answer.status_code == 201, answer.text
    made = answer.json
    assert figure(made["total"], "rated")["denominator"] == 1
    assert made["calendar_version"] >= 1
    assert desk.post(f"/tickets/{ticket_id}/exclude", {"reason": "重复"}).status_code == 200
    assert figure(read(desk, "/stats/sla", **{"from": day, "to": day})["total"], "rated")["denominator"] == 0
    again = read(desk, f"/stats/assessments/{made['assessment_id']}")
    assert again == made
    assert read(desk, "/stats/assessments")["items"][0]["assessment_id"] == made["assessment_id"]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("UPDATE assessments SET title = 'x'")


def test_an_assessment_is_published_by_a_desk_and_read_where_it_speaks_of(
    town: Town, make_town: Callable[[], Town]
) -> None:
    yesterday = (places.today() - timedelta(days=1)).isoformat()
    for role in ("grid", "property"):
        assert publish(town.staff(role), yesterday, yesterday).status_code == 403
    made = publish(town.staff("street"), yesterday, yesterday)
    assert made.status_code == 201, made.text
    where = made.headers["Location"].removeprefix("/admin/api/v1")
    assert town.staff("community").get(where).status_code == 200
    assert town.staff("property").get(where).status_code == 403
    stranger = make_town().staff("street")
    assert stranger.get(where).status_code == 404
    assert made.json["assessment_id"] not in stranger.get("/stats/assessments").text


# --- the first screen -------------------------------------------------------------------------------------


def test_the_first_screen_shows_what_waits_and_the_month_beside_others(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    wang = resident("wang")
    late, done = reported(wang, town, urgent=True), reported(wang, town)
    town.bring(done, *DONE)
    later(hours=25)
    town.a.staff.clear()
    fresh = reported(resident("wang"), town)
    town.bring(fresh, "accept")
    found = read(town.staff("community"), "/dashboard")
    waiting = {line["status"]: (line["count"], line["overdue"]) for line in found["waiting"]}
    assert waiting == {"received": (1, 1), "accepted": (1, 0)}
    assert [ticket["ticket_id"] for ticket in found["worst"]] == [late]
    assert (found["today"]["received"], found["today"]["closed"]) == (1, 0)
    month = found["month"]
    assert month["period"]["to"] == today()
    accept = figure(month["figures"], "accept_on_time")
    assert accept["month_before"]["denominator"] == accept["year_before"]["denominator"] == 0
    assert accept["change_month"] is None


def test_the_first_screen_takes_as_many_queries_however_much_there_is(
    resident: Callable[..., Person], town: Town
) -> None:
    desk, wang = town.staff("community"), resident("wang")
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    def asked() -> int:
        seen.clear()
        read(desk, "/dashboard")
        return len(seen)

    reported(wang, town)
    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        few = asked()
        for _ in range(4):
            town.bring(reported(wang, town), "accept", "dispatch")
        assert asked() <= few + 3  # names of units and estates are asked for once there are any
        many = len(seen)
        for _ in range(4):
            town.bring(reported(wang, town), "accept", "dispatch")
        assert asked() == many
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)
    assert many < 50


# --- kept, filled, compared -------------------------------------------------------------------------------


def test_what_is_kept_with_each_move_is_what_is_read_from_the_events(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident("wang")
    first, second = reported(wang, town), reported(wang, town)
    town.bring(first, *DONE, "reopen", "dispatch", "start", "resolve")
    town.bring(second, "accept", "dispatch", "return", "dispatch", "start")
    since = clock.now() - timedelta(days=1)
    with db.reading():
        found, _ = stints.drift(town.a.id, since=since)
    assert (found.compared, found.differing) == (2, [])


def test_a_referred_ticket_is_left_out_here_and_its_time_runs_on_there(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    ticket_id = reported(resident(), town)
    town.bring(ticket_id, "accept")
    later(hours=2)
    where = ids.encode(Kind.COMMUNITY, UUID(int=town.b.id))
    answer = town.staff("community").post(
        f"/tickets/{ticket_id}/refer", {"community_id": where, "reason": "属于邻社区"}
    )
    assert answer.status_code == 200, answer.text
    desk, keeper = town.staff("community", town.b), town.staff("property", town.b)
    successor = desk.get("/tickets").json["items"][0]["ticket_id"]
    for who, move, body in (
        (desk, "accept", None),
        (desk, "dispatch", {"org_id": town.b.property_id}),
        (keeper, "start", None),
        (keeper, "resolve", {"note": "已处理"}),
        (desk, "verify", {"passed": True}),
        (desk, "close", None),
    ):
        answer = who.post(f"/tickets/{successor}/{move}", body)
        assert answer.status_code == 200, answer.text
    here = figure(read(town.staff("community"), "/stats/sla")["total"], "closed")
    assert (here["denominator"], here["left_out"][0]["reason"]) == (0, "referred")
    there = figure(read(desk, "/stats/sla")["total"], "handling_time")
    assert there["denominator"] == 1
    assert 7200 <= there["numerator"] < 9000
    for community in (town.a, town.b):
        with db.reading():
            found, _ = stints.drift(community.id, since=clock.now() - timedelta(days=1))
        assert (found.compared, found.differing) == (1, [])


def test_a_stint_that_differs_from_the_events_is_found_and_filled_anew(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = town.staff("community")
    town.bring(reported(resident(), town), *DONE)
    before = read(desk, "/stats/sla")["total"]
    owner.execute(
        "UPDATE ticket_stints SET is_rated = true, outcome = 0 WHERE community_id = %s", (town.a.id,)
    )
    caplog.clear()
    jobs.check_stints()
    assert f"stints differ from the events: community {town.a.id}" in caplog.text
    with db.transaction():
        assert stints.fill_page(town.a.id, after=None) is None
    assert read(desk, "/stats/sla")["total"] == before
    caplog.clear()
    jobs.check_stints()
    assert f"community {town.a.id}," not in caplog.text


def test_the_tickets_there_already_are_filled_page_by_page(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    work: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, wang = town.staff("community"), resident("wang")
    for _ in range(3):
        town.bring(reported(wang, town), "accept")
    before = read(desk, "/stats/sla")["total"]
    owner.execute("DELETE FROM ticket_stints WHERE community_id = %s", (town.a.id,))
    assert figure(read(desk, "/stats/sla")["total"], "closed")["denominator"] == 0
    monkeypatch.setattr(stints, "PAGE", 2)
    with db.transaction():
        stints.fill(town.a.id, after=None, run="first")
    work()
    assert read(desk, "/stats/sla")["total"] == before
    owner.execute("DELETE FROM ticket_stints WHERE community_id = %s", (town.a.id,))
    with db.transaction():
        stints.fill(town.a.id, after=None, run="second")
    work()
    assert read(desk, "/stats/sla")["total"] == before


def test_a_limit_that_is_read_anew_moves_what_is_due(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    reported(resident(), town)
    for table in ("tickets", "ticket_stints"):
        owner.execute(
            f"UPDATE {table} SET due_at = due_at + interval '3 days' WHERE community_id = %s", (town.a.id,)
        )
    with db.transaction():
        calendar.reclock_page(town.a.id, version=1, after=None)
    due = owner.execute(
        "SELECT t.due_at, s.due_at FROM tickets t JOIN ticket_stints s ON s.ticket_id = t.id"
        " WHERE t.community_id = %s AND s.community_id = t.community_id",
        (town.a.id,),
    ).fetchall()
    assert len(due) == 1
    assert due[0][0] == due[0][1]
