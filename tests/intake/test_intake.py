"""Reports by machine: who may, what becomes of them, and what a wrong or repeated one gets."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock
from app.places.coordinates import to_gcj02
from tests.conftest import Town
from tests.intake.conftest import Hotline, Machine, signature
from workers import jobs


def test_a_report_by_machine_becomes_a_ticket_that_says_where_it_came_from(
    machine: Machine, number: str
) -> None:
    answer = machine.report(
        external_number=number,
        title="路灯问题",
        text="3 栋门口路灯不亮三天",
        category="lighting",
        reporter={"name": "王女士", "phone": "13800138000"},
        occurred_at="2026-01-02T08:00:00+08:00",
    )
    assert answer.status_code == 201, answer.text
    assert set(answer.json or {}) == {"ticket_id", "number", "status", "promised"}
    assert answer.json["promised"].keys() == {"accept_by", "dispatch_by", "close_by"}
    seen = machine.town.staff("community").get(f"/tickets/{answer.json['ticket_id']}").json
    assert (seen["number"], seen["status"], seen["channel"]) == (answer.json["number"], "received", "hotline")
    assert seen["text"] == "路灯问题\n3 栋门口路灯不亮三天"
    assert seen["category"] == "lighting"
    assert seen["source"] == {"name": "12345 热线", "source": machine.code, "external_number": number}
    assert seen["reporter"] == {"anonymous": False, "name": "王女士", "phone_masked": "138****8000"}
    assert seen["answers"] == {"occurred_at": "2026-01-02T08:00:00+08:00"}
    assert [(e["kind"], e["actor_kind"]) for e in seen["timeline"]] == [("report", "machine")]


def test_the_same_number_with_the_same_content_is_the_same_ticket(machine: Machine, number: str) -> None:
    first = machine.report(external_number=number, text="漏水", location=None)
    again = machine.report(text="漏水", external_number=number)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == first.json
    assert len(machine.tickets()) == 1


def test_the_same_number_after_a_move_answers_the_present_status(machine: Machine, number: str) -> None:
    first = machine.report(external_number=number)
    machine.town.bring(first.json["ticket_id"], "accept")
    assert machine.report(external_number=number).json["status"] == "accepted"


def test_another_content_under_a_number_is_refused_and_changes_nothing(machine: Machine, number: str) -> None:
    machine.report(external_number=number, text="漏水")
    other = machine.report(external_number=number, text="停电")
    assert (other.status_code, other.json["code"]) == (409, "number_reused")
    assert [t["text"] for t in machine.tickets()] == ["漏水"]


def test_two_sources_may_use_the_same_number(make_machine: Callable[..., Machine], number: str) -> None:
    one, two = make_machine(), make_machine()
    tickets = {m.report(external_number=number).json["ticket_id"] for m in (one, two)}
    assert len(tickets) == 2


def test_eight_at_once_under_one_number_make_one_ticket(machine: Machine, number: str) -> None:
    body = json.dumps({"external_number": number, "text": "漏水"}).encode()

    def send(_: int) -> tuple[int, str]:
        answer = requests.post(
            machine.town.house.url + machine.path, data=body, headers=machine.headers(body), timeout=30
        )
        return answer.status_code, answer.json().get("ticket_id", "")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert sorted(status for status, _ in answers) == [200] * 7 + [201]
    assert len({ticket for _, ticket in answers}) == 1
    assert len(machine.tickets()) == 1


# --- proof ----------------------------------------------------------------------------------------------


def _wrong_secret(m: Machine, body: bytes) -> dict[str, str]:
    good = m.headers(body)
    signed = signature("x" * 43, "POST", m.path, good["X-Timestamp"], good["X-Nonce"], body)
    return good | {"X-Signature": signed}


FORGERIES: dict[str, Callable[[Machine, bytes], dict[str, str]]] = {
    "another secret": _wrong_secret,
    "another body": lambda m, body: m.headers(body + b" "),
    "another path": lambda m, body: m.headers(body, path="/callbacks/intake/other"),
    "another nonce": lambda m, body: m.headers(body) | {"X-Nonce": uuid4().hex},
    "another time": lambda m, body: m.headers(body) | {"X-Timestamp": str(int(clock.now().timestamp()) + 7)},
    "unknown key": lambda m, body: m.headers(body, X_Key_Id="jk_0000000000000000"),
    "no headers": lambda *_: {"Content-Type": "application/json"},
    "no signature": lambda m, body: m.headers(body) | {"X-Signature": ""},
    "NUL in the key": lambda m, body: m.headers(body, X_Key_Id="jk_%00"),
    "a short nonce": lambda m, body: m.headers(body, nonce="abc"),
    "a fractional time": lambda m, body: m.headers(body) | {"X-Timestamp": "1.5e9"},
    "not Latin": lambda m, body: m.headers(body) | {"X-Signature": "é" * 64},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_request_is_a_401_and_changes_nothing(machine: Machine, forgery: str) -> None:
    body = json.dumps({"external_number": "1", "text": "漏水"}).encode()
    answer = machine.post(body, FORGERIES[forgery](machine, body))
    assert answer.status_code == 401, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "bad_signature"
    assert machine.tickets() == []


def test_a_key_opens_its_own_source_only(make_machine: Callable[..., Machine]) -> None:
    one, two = make_machine(), make_machine()
    body = b'{"external_number": "1", "text": "x"}'
    answer = two.post(body, one.headers(body, path=two.path))
    assert (answer.status_code, answer.json["code"]) == (401, "bad_signature")


@pytest.mark.parametrize(("skew", "status"), [(-300, 201), (300, 201), (-301, 401), (301, 401), (86400, 401)])
def test_a_clock_may_be_five_minutes_off(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, skew: int, status: int
) -> None:
    now = datetime.now(UTC).replace(microsecond=700_000)
    monkeypatch.setattr(clock, "now", lambda: now)
    answer = machine.report(at=int(now.timestamp()) + skew)
    assert answer.status_code == status, answer.text
    if status == 401:
        assert answer.json["code"] == "stale_timestamp"
        assert answer.json["now"] == clock.rfc3339(now)


def test_a_replay_is_refused_also_after_redis_was_emptied(machine: Machine) -> None:
    body = b'{"external_number": "77", "text": "x"}'
    headers = machine.headers(body)
    assert machine.post(body, headers).status_code == 201
    redis.Redis.from_url(machine.town.house.valkey.url).flushall()
    again = machine.post(body, headers)
    assert (again.status_code, again.json["code"]) == (401, "replayed")
    assert len(machine.tickets()) == 1


def test_a_nonce_is_used_up_by_a_report_that_was_refused(machine: Machine) -> None:
    body = b'{"external_number": "78"}'
    headers = machine.headers(body)
    assert machine.post(body, headers).status_code == 422
    assert machine.post(body, headers).json["code"] == "replayed"


def test_one_of_eight_at_once_with_one_nonce_gets_through(machine: Machine) -> None:
    body = b'{"external_number": "79", "text": "x"}'
    headers = machine.headers(body)

    def send(_: int) -> int:
        url = machine.town.house.url + machine.path
        return requests.post(url, data=body, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(8))) == [201] + [401] * 7


def test_spent_nonces_are_forgotten_only_when_their_timestamps_are_stale(
    machine: Machine, owner: psycopg.Connection[Any], later: Callable[..., datetime]
) -> None:
    body = b'{"external_number": "80", "text": "x"}'
    headers = machine.headers(body, at=int(clock.now().timestamp()) + 290)
    assert machine.post(body, headers).status_code == 201
    later(minutes=9, seconds=30)
    jobs.tidy()
    assert machine.post(body, headers).json["code"] == "replayed"
    later(hours=2)
    before = owner.execute("SELECT count(*) FROM source_nonces").fetchone()
    jobs.tidy()
    after = owner.execute("SELECT count(*) FROM source_nonces").fetchone()
    assert after < before  # type: ignore[operator]
    assert machine.post(body, headers).json["code"] == "stale_timestamp"


def test_a_source_that_is_off_or_over_hands_nothing_in(
    machine: Machine, later: Callable[..., datetime]
) -> None:
    machine.change(active=False)
    assert machine.report().status_code == 401
    tomorrow = clock.in_shanghai(clock.now()).date() + timedelta(days=1)
    machine.change(active=True, valid_to=tomorrow.isoformat())
    assert machine.report().status_code == 201
    later(days=1)
    assert machine.report().status_code == 401


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.dictionaries(
        st.sampled_from(["X-Key-Id", "X-Timestamp", "X-Nonce", "X-Signature"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80),
    ),
    body=st.binary(max_size=200),
)
def test_whatever_is_sent_unsigned_is_a_401(machine: Machine, headers: dict[str, str], body: bytes) -> None:
    answer = machine.client.post(machine.path, data=body, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path", ["/callbacks/intake/nobody", "/callbacks/intake/%00", "/callbacks/intake/A'b"]
)
def test_an_unknown_source_looks_like_a_wrong_signature(machine: Machine, path: str) -> None:
    body = b'{"external_number": "1", "text": "x"}'
    answer = machine.client.post(path, data=body, headers=machine.headers(body, path=path))
    assert (answer.status_code, answer.json["code"]) == (401, "bad_signature")


# --- content ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": ""}, "text"),
        ({"external_number": ""}, "external_number"),
        ({"external_number": "x" * 65}, "external_number"),
        ({"photo_urls": ["http://169.254.169.254/"]}, "photo_urls"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"reporter": {"phone": "12"}}, "reporter"),
        ({"occurred_at": "2999-01-01T00:00:00+08:00"}, "occurred_at"),
        ({"occurred_at": "2026-01-01T00:00:00"}, "occurred_at"),
        ({"location": {"lng": 0, "lat": 0, "crs": "wgs84"}}, "location"),
        ({"location": {"lng": 106.5, "lat": 29.5}}, "location"),
        ({"text": "a\u0000b"}, "text"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    machine: Machine, fields: dict[str, Any], field: str
) -> None:
    answer = machine.report(**fields)
    assert answer.status_code == 422, answer.text
    assert field in answer.json["errors"]
    assert machine.tickets() == []


def test_after_a_refusal_the_number_is_still_free(machine: Machine, number: str) -> None:
    refused = machine.report(external_number=number, location={"lng": 0, "lat": 0, "crs": "wgs84"})
    assert refused.status_code == 422
    assert machine.report(external_number=number).status_code == 201


def test_a_category_of_theirs_is_kept_as_their_word(machine: Machine) -> None:
    ticket = machine.report(category="市容-015").json["ticket_id"]
    seen = machine.office.get(f"/tickets/{ticket}").json
    assert (seen["category"], seen["answers"]) == (None, {"source_category": "市容-015"})


def _place(machine: Machine, **fields: Any) -> tuple[str | None, str]:
    """Estate and the reason for it."""
    answer = machine.report(**fields)
    assert answer.status_code == 201, answer.text
    seen = machine.office.get(f"/tickets/{answer.json['ticket_id']}").json
    return seen["estate_name"], seen["timeline"][0]["data"]["why"]


def test_a_place_is_found_by_estate_position_address_community_or_goes_to_the_desk(
    machine: Machine, town: Town
) -> None:
    names = {e["estate_id"]: e["name"] for e in machine.office.get("/areas").json["items"]}
    mine, other = names[town.a.estate_id], names[town.b.estate_id]
    there = to_gcj02(town.b.centre)
    assert _place(machine, estate_id=town.b.estate_id) == (other, "estate")
    assert _place(machine, estate=mine) == (mine, "estate")
    assert _place(machine, location={"lng": there.lng, "lat": there.lat, "crs": "gcj02"}) == (
        other,
        "position",
    )
    assert _place(machine, address=f"{mine}3栋2单元") == (mine, "address")
    assert _place(machine, text=f"市民反映{other}停水") == (other, "address")
    community = next(a["community"] for a in machine.office.get("/areas").json["items"] if a["name"] == other)
    assert _place(machine, community=community) == (None, "community")
    assert _place(machine, address="不知道在哪里") == (None, "desk")


def test_what_lies_outside_the_scope_goes_to_the_desk(
    make_machine: Callable[..., Machine], town: Town
) -> None:
    of_a = make_machine(scope_org_id=town.a.desk_id, desk_org_id=None)
    there = to_gcj02(town.b.centre)
    assert _place(of_a, estate_id=town.b.estate_id) == (None, "desk")
    assert _place(of_a, location={"lng": there.lng, "lat": there.lat, "crs": "gcj02"}) == (None, "desk")
    seen_by_a = town.staff("community", town.a).get("/tickets").json["items"]
    assert len(seen_by_a) == 2
    assert town.staff("community", town.b).get("/tickets").json["items"] == []


def test_phone_and_name_are_sealed_and_in_no_log_line(
    machine: Machine, number: str, owner: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    machine.report(external_number=number, reporter={"name": "欧阳某某", "phone": "13912345678"})
    assert not any("13912345678" in r.getMessage() or "欧阳" in r.getMessage() for r in caplog.records)
    row = owner.execute(
        "SELECT t::text FROM tickets t JOIN source_tickets s ON s.ticket_id = t.id WHERE external_number = %s",
        (number,),
    ).fetchone()
    assert row is not None
    assert "13912345678" not in row[0]
    assert "欧阳" not in row[0]


def test_staff_take_in_what_reached_them_by_hotline_or_mailbox_but_not_by_camera(town: Town) -> None:
    desk = town.staff("community")
    for channel, status in (
        ("hotline", 201),
        ("mailbox", 201),
        ("other", 201),
        ("camera", 422),
        ("drone", 422),
    ):
        answer = desk.post("/tickets", {"channel": channel, "estate_id": town.a.estate_id, "text": "漏水"})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        ("signature", "bad_signature"),
        ("body", "bad_signature"),
        ("stale", "stale_timestamp"),
        ("unsigned", "bad_signature"),
        ("replay", "replayed"),
    ],
)
def test_the_sandbox_can_play_whoever_forges(hotline: Hotline, number: str, tamper: str, code: str) -> None:
    hotline.calls(number, text="漏水")
    answer = hotline.order(
        "hotline/intake", report={"external_number": f"{number}-2", "text": "x"}, tamper=tamper
    )
    assert (answer["http"], answer["answer"]["code"]) == (401, code)
