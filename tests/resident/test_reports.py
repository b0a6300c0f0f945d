"""The one-tap report: what is taken, what is refused, and what is promised."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests

from app import ids
from app.ids import Kind, Ref
from app.places.coordinates import Point, to_gcj02
from tests.conftest import House, Person, Town


def ask(**body: Any) -> dict[str, Any]:
    return {"text": "路灯不亮", "client_token": uuid4().hex} | body


def where(point: Point, crs: str = "wgs84", **more: Any) -> dict[str, Any]:
    return {"lng": point.lng, "lat": point.lat, "crs": crs} | more


def mine(person: Person) -> list[str]:
    return [t["ticket_id"] for t in person.get("/tickets").json["items"]]


def refused(person: Person, body: dict[str, Any], code: str, field: str | None = None) -> dict[str, Any]:
    answer = person.post("/tickets", body)
    assert (answer.status_code, answer.get_json().get("code")) == (422, code), answer.text
    if field is not None:
        assert field in answer.json["errors"]
    assert mine(person) == []
    return answer.get_json()


def test_a_report_answers_with_number_and_promise(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    answer = wang.post("/tickets", ask(estate_id=town.a.estate_id))
    assert answer.status_code == 201
    body: dict[str, Any] = answer.get_json()
    assert set(body) == {"ticket_id", "number", "status", "promised"}
    assert (body["status"], body["number"][:6]) == ("received", f"BS{town.a.id:04d}")
    assert answer.headers["Location"].endswith(f"/bff/v1/tickets/{body['ticket_id']}")
    times = {name: datetime.fromisoformat(at) for name, at in body["promised"].items()}
    assert {at.utcoffset() for at in times.values()} == {timedelta(hours=8)}
    assert times["dispatch_by"] - times["accept_by"] == timedelta(minutes=5)
    assert (times["close_by"].hour, times["close_by"].minute) == (0, 0)


def test_numbers_of_a_community_run_without_gaps(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    wang.report(town.a.estate_id)
    wang.post("/tickets", ask(estate_id=town.a.estate_id, category="lighting"))  # refused: no photo
    wang.report(town.b.estate_id)
    last = wang.report(town.a.estate_id)["number"]
    assert last.endswith("-000002")


def test_a_place_is_enough_where_an_estate_lies(resident: Callable[..., Person], town: Town) -> None:
    wang, spot = resident(), town.a.centre
    for location in (
        where(spot),
        where(to_gcj02(spot), "gcj02"),
        where(spot, accuracy_m=15.5, address="3 栋前"),
    ):
        answer = wang.post("/tickets", ask(location=location))
        assert answer.status_code == 201, answer.text
        ticket = wang.ticket(answer.json["ticket_id"])
        assert ticket["estate_name"].endswith("一期")
        assert ticket["location"]["crs"] == "gcj02"
        shown = to_gcj02(spot)
        assert ticket["location"]["lng"] == pytest.approx(shown.lng, abs=2e-6)
        assert ticket["location"]["lat"] == pytest.approx(shown.lat, abs=2e-6)
    assert ticket["location"]["address"] == "3 栋前"


def test_the_estate_she_names_counts_more_than_where_she_stands(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    answer = wang.post("/tickets", ask(estate_id=town.b.estate_id, location=where(town.a.centre)))
    assert wang.ticket(answer.json["ticket_id"])["estate_name"].startswith("乙")


def test_a_report_needs_a_photo_or_a_text(resident: Callable[..., Person], town: Town) -> None:
    for text in ("", "   ", None):
        refused(resident(), ask(estate_id=town.a.estate_id, text=text), "nothing_reported")


def test_a_photo_alone_is_a_report(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    body = {"estate_id": town.a.estate_id, "photo_ids": [wang.photo()], "client_token": uuid4().hex}
    assert wang.post("/tickets", body).status_code == 201


def test_a_report_without_a_place_offers_the_estates_she_reported_in(
    resident: Callable[..., Person], town: Town
) -> None:
    assert refused(resident(), ask(), "where")["estates"] == []
    wang = resident()
    wang.report(town.a.estate_id)
    wang.report(town.b.estate_id)
    wang.report(town.a.estate_id)
    offered = wang.post("/tickets", ask()).json["estates"]
    assert [e["estate_id"] for e in offered] == [town.a.estate_id, town.b.estate_id]
    assert offered[0]["name"].endswith("一期")


def test_a_place_in_china_that_nobody_serves_offers_her_estates(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    wang.report(town.a.estate_id)
    answer = wang.post("/tickets", ask(location=where(Point(87.6, 43.8))))
    assert (answer.status_code, answer.json["code"]) == (422, "where")
    assert [e["estate_id"] for e in answer.json["estates"]] == [town.a.estate_id]
    assert len(mine(wang)) == 1


@pytest.mark.parametrize(
    ("lng", "lat"),
    [
        ("NaN", 29.6), (106.6, "nan"), ("Infinity", 29.6), (106.6, "-inf"), (1e308, 29.6), (0, 0),
        (-106.6, 29.6), (29.6, 106.6), (None, 29.6), ([], 29.6), ("106.6x", 29.6), (106.6, 91),
    ],
)  # fmt: skip
def test_a_position_that_is_none_is_refused_even_with_an_estate(
    resident: Callable[..., Person], town: Town, lng: Any, lat: Any
) -> None:
    wang = resident()
    body = ask(estate_id=town.a.estate_id, location={"lng": lng, "lat": lat, "crs": "wgs84"})
    answer = wang.post("/tickets", body)
    assert answer.status_code == 422
    assert "location" in answer.json["errors"]
    assert mine(wang) == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_coordinate_that_is_no_number_of_json_is_refused(
    resident: Callable[..., Person], town: Town, number: str
) -> None:
    wang = resident()
    raw = (
        f'{{"text": "x", "client_token": "{uuid4().hex}", "estate_id": "{town.a.estate_id}",'
        f' "location": {{"lng": {number}, "lat": 29.6}}}}'
    )
    answer = wang.post("/tickets", data=raw, content_type="application/json")
    assert answer.status_code in {400, 422}
    assert mine(wang) == []


def test_an_unknown_category_field_or_estate_is_refused(resident: Callable[..., Person], town: Town) -> None:
    here = {"estate_id": town.a.estate_id}
    refused(resident(), ask(**here, category="ufo"), "unknown_category", "category")
    refused(resident(), ask(**here, status="closed"), "invalid", "status")
    nowhere = ids.encode(Kind.ESTATE, Ref(town.a.id, uuid4()))
    refused(resident(), ask(estate_id=nowhere), "unknown_estate", "estate_id")
    elsewhere = ids.encode(Kind.ESTATE, Ref(town.b.id, town.a.estate.id))
    refused(resident(), ask(estate_id=elsewhere), "unknown_estate", "estate_id")


@pytest.mark.parametrize("text", ["亮\u0000灯", "\u0000", "\u001b[31m", "x" * 20_000, "长" * 2001])
def test_a_text_that_cannot_be_kept_is_refused(
    resident: Callable[..., Person], town: Town, text: str
) -> None:
    refused(resident(), ask(estate_id=town.a.estate_id, text=text), "invalid", "text")


@pytest.mark.parametrize(
    "text",
    ["灯坏了💡🧑‍🔧", "第一行\n第二行\t缩进", "字" * 2000, "𠀀𪚥", "e\u0301", "<script>alert(1)</script>"],
)
def test_a_text_is_kept_as_it_was_written(resident: Callable[..., Person], town: Town, text: str) -> None:
    wang = resident()
    opened = wang.report(town.a.estate_id, text=text)
    kept = wang.ticket(opened["ticket_id"])["text"]
    assert kept == ("é" if text == "e\u0301" else text)  # composed, so that a search finds it


@pytest.mark.parametrize("token", ["short", "x" * 65, "with blank", "中文中文中文中文", "", None, 12345678])
def test_a_tap_needs_a_token_of_its_own(resident: Callable[..., Person], town: Town, token: Any) -> None:
    refused(resident(), ask(estate_id=town.a.estate_id, client_token=token), "invalid", "client_token")


def test_a_double_tap_makes_one_ticket_and_tells_once(
    house: House, resident: Callable[..., Person], town: Town
) -> None:
    wang, body = resident(), ask(estate_id=town.a.estate_id)

    def tap(_: int) -> requests.Response:
        headers = {"Authorization": f"Bearer {wang.token}"}
        return requests.post(f"{house.url}/bff/v1/tickets", json=body, headers=headers, timeout=20)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(tap, range(8)))
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    assert len({a.json()["ticket_id"] for a in answers}) == 1
    assert len({a.text for a in answers}) == 1
    assert len(mine(wang)) == 1
    assert [m["kind"] for m in wang.get("/inbox").json["items"]] == ["ticket_received"]


def test_the_same_tap_finds_the_first_ticket_whatever_else_it_says(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, token = resident(), uuid4().hex
    first = wang.report(town.a.estate_id, client_token=token)
    again = wang.post("/tickets", ask(estate_id=town.b.estate_id, text="别的", client_token=token))
    assert (again.status_code, again.json) == (200, first)
    assert mine(wang) == [first["ticket_id"]]
    assert resident().report(town.a.estate_id, client_token=token)["ticket_id"] != first["ticket_id"]


def test_a_refused_tap_may_be_corrected_and_tapped_again(resident: Callable[..., Person], town: Town) -> None:
    wang, token = resident(), uuid4().hex
    assert wang.post("/tickets", ask(client_token=token)).status_code == 422
    assert wang.post("/tickets", ask(client_token=token, estate_id=town.a.estate_id)).status_code == 201


def test_urgent_is_promised_within_twenty_four_hours(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    for body in ({"urgent": True}, {"category": "fire", "photo_ids": [wang.photo()]}):
        opened = wang.report(town.a.estate_id, **body)
        ticket = wang.ticket(opened["ticket_id"])
        assert ticket["urgent"] is True
        reported, end = (
            datetime.fromisoformat(at) for at in (ticket["reported_at"], ticket["promised"]["close_by"])
        )
        assert end - reported == timedelta(hours=24)


def test_a_slow_desk_does_not_move_the_promise(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any]
) -> None:
    opened = resident("wang").report(town.a.estate_id)
    urgent = resident("wang").report(town.a.estate_id, urgent=True)
    later(days=3)
    desk = town.hire("community", town.a)
    for promised in (opened, urgent):
        accepted = desk.post(f"/tickets/{promised['ticket_id']}/accept").json
        assert accepted["promised"]["close_by"] == promised["promised"]["close_by"]


def test_answers_to_a_categorys_questions_are_kept(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    opened = wang.report(town.a.estate_id, answers={"floor": "3 层", "since": "昨晚"})
    assert wang.ticket(opened["ticket_id"])["answers"] == {"floor": "3 层", "since": "昨晚"}
    wrong: Any
    for wrong in ({"x" * 41: "y"}, {"x": "y" * 201}, {"x": 5}, {str(n): "y" for n in range(21)}, []):
        answer = wang.post("/tickets", ask(estate_id=town.a.estate_id, answers=wrong))
        assert answer.status_code == 422, wrong


def test_the_phone_she_leaves_is_sealed_and_shown_masked(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    opened = wang.report(town.a.estate_id, contact_phone="+86 138-1234-5678")
    assert wang.ticket(opened["ticket_id"])["contact_phone_masked"] == "138****5678"
    _, key = ids.decode_ref(Kind.TICKET, opened["ticket_id"])
    row = owner.execute("SELECT t::text FROM tickets t WHERE community_id = %s AND id = %s", (town.a.id, key))
    assert "13812345678" not in str(row.fetchone())
    for wrong in ("12", "abcdefgh", "1381234567890", "138１234５678"):
        answer = wang.post("/tickets", ask(estate_id=town.a.estate_id, contact_phone=wrong))
        assert answer.status_code == 422, wrong


def test_nobody_elses_ticket_is_found(resident: Callable[..., Person], town: Town) -> None:
    wang, li = resident(), resident()
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    assert li.get(f"/tickets/{ticket_id}").status_code == 404
    moves = {
        "comments": {"text": "x"},
        "withdraw": None,
        "rating": {"stars": 5, "solved": True},
        "reopen": {"reason": "x"},
    }
    for move, body in moves.items():
        assert li.post(f"/tickets/{ticket_id}/{move}", body).status_code == 404
    assert mine(li) == []
    assert wang.ticket(ticket_id)["version"] == 1


def test_the_form_lists_categories_and_emergency_numbers(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    answer = wang.get("/report-options", query_string={"estate_id": town.a.estate_id})
    codes = {c["code"]: c for c in answer.json["categories"]}
    assert codes["lighting"]["needs_photo"] is True
    assert codes["dispute"]["needs_photo"] is False
    assert {n["phone"] for n in answer.json["emergency_numbers"]} == {"110", "119", "120"}
    nowhere = ids.encode(Kind.ESTATE, Ref(town.a.id, uuid4()))
    assert wang.get("/report-options", query_string={"estate_id": nowhere}).status_code == 404
