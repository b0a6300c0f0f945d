"""The board in other orders and shapes: the most pressing first, as a table to take away, as a plan of places."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from app import db
from app.ids import Kind, decode_ref
from app.tickets.models import Ticket
from tests.conftest import Person, Town, acting


@pytest.fixture
def report(town: Town, resident: Callable[..., Person]) -> Callable[..., dict[str, Any]]:
    wang = resident()
    return lambda **more: wang.report(town.a.estate_id, **more)


def due_in(ticket_id: str, hours: int) -> None:
    """Move the limit of a ticket."""
    with db.transaction() as session:
        row = session.get_one(Ticket, decode_ref(Kind.TICKET, ticket_id))
        row.due_at = row.reported_at + timedelta(hours=hours)


def test_the_most_pressing_come_first_page_by_page_and_what_has_ended_is_left_out(
    town: Town, report: Callable[..., dict[str, Any]]
) -> None:
    desk = town.staff("community")
    limits = (50, 5, 20, 20, 90)
    made = [report(text=f"第{n}件")["ticket_id"] for n in range(len(limits))]
    for ticket, hours in zip(made, limits, strict=True):
        due_in(ticket, hours)
    town.bring(made[4], "reject")
    seen: list[str] = []
    path = "/tickets?sort=due&limit=2"
    while True:
        answer = desk.get(path).json
        seen += [row["ticket_id"] for row in answer["items"]]
        if answer["next_cursor"] is None:
            break
        path = f"/tickets?sort=due&limit=2&cursor={answer['next_cursor']}"
    assert seen == [made[1], made[2], made[3], made[0]]
    assert desk.get("/tickets?sort=due&status=closed,rejected").json["items"] == []
    assert desk.get("/tickets?sort=due&q=第2件").json["items"][0]["ticket_id"] == made[2]
    newest = desk.get("/tickets?limit=1").json["next_cursor"]
    assert desk.get(f"/tickets?sort=due&cursor={newest}").json["code"] == "bad_cursor"
    assert desk.get("/tickets?sort=oldest").status_code == 422


def test_the_table_has_what_the_filter_shows_no_formula_and_nothing_of_the_reporter(
    town: Town, report: Callable[..., dict[str, Any]], owner: psycopg.Connection[Any]
) -> None:
    desk, keeper = town.staff("community"), town.staff("property")
    first = report(text="=HYPERLINK(1)", contact_phone="13812345678")
    second = report(text="第二件")
    town.bring(second["ticket_id"], "accept", "dispatch")
    answer = desk.get("/tickets/export?status=received")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Cache-Control"] == "private, no-store"
    head, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert [row[0] for row in rows] == [first["number"]]
    assert dict(zip(head, rows[0], strict=True))["内容"] == "'=HYPERLINK(1)"
    assert "5678" not in answer.text
    assert second["number"] in keeper.get("/tickets/export?sort=due").text
    assert first["number"] not in keeper.get("/tickets/export").text
    assert desk.get("/tickets/export?status=nothing").json["code"] == "bad_filter"
    found = owner.execute(
        "SELECT details FROM audit_log WHERE action = 'tickets.exported' AND actor_id = %s",
        (acting(desk).id,),
    )
    assert [(row[0]["status"], row[0]["with_words"]) for row in found] == [(["received"], False)]


def test_the_plan_has_outlines_in_reach_and_the_open_tickets_at_their_places(
    town: Town, report: Callable[..., dict[str, Any]]
) -> None:
    desk, keeper = town.staff("community"), town.staff("property")
    sent, done = report(), report()
    town.bring(done["ticket_id"], "reject")
    west, south = town.a.centre.lng, town.a.centre.lat
    ring = [[west, south], [west + 0.001, south], [west, south + 0.001], [west, south]]
    drawn = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}],
    }
    assert desk.post(f"/areas/{town.a.estate_id}/outlines", drawn).status_code == 200
    plan = desk.get("/tickets/plan").json
    areas = {area["id"]: area for area in plan["areas"]}
    assert areas[town.a.estate_id]["outline"]["coordinates"] == [ring]
    assert town.b.estate_id not in areas
    assert {area["kind"] for area in areas.values()} == {"estate", "grid"}
    assert [(one["ticket_id"], one["estate_id"]) for one in plan["items"]] == [
        (sent["ticket_id"], town.a.estate_id)
    ]
    assert keeper.get("/tickets/plan").json["items"] == []
    alone = desk.get(f"/tickets/plan?area={town.a.estate_id}").json
    assert [area["id"] for area in alone["areas"] if area["kind"] == "estate"] == [town.a.estate_id]


def test_an_intake_names_the_home_of_the_reporter_and_that_is_the_place(town: Town) -> None:
    desk, beside = town.staff("community"), town.staff("community", town.b)
    flat = {"building": "1栋", "unit": "2单元", "number": "301", "registered_area_centi": 9000, "owners": []}
    house = desk.post(f"/estates/{town.a.estate_id}/houses", flat).json["house_id"]
    body = {"channel": "phone", "text": "家里停水", "reporter": {"house_id": house}}
    taken = desk.post("/tickets", body)
    assert (taken.status_code, taken.json["address"]) == (201, "1栋2单元301")
    assert taken.json["estate_name"]
    elsewhere = desk.post("/tickets", body | {"address": "南门"})
    assert elsewhere.json["address"] == "南门"
    assert beside.post("/tickets", body).status_code == 404
    patrol = body | {"channel": "patrol", "estate_id": town.a.estate_id}
    assert town.staff("property").post("/tickets", patrol).status_code == 404


def test_staff_who_leave_the_place_out_are_told_to_choose_the_estate_at_its_field(town: Town) -> None:
    answer = town.staff("community").post("/tickets", {"channel": "phone", "text": "停水"})
    assert (answer.status_code, answer.json["code"]) == (422, "where")
    assert "位置" not in answer.json["errors"]["estate_id"][0]
