"""Staff log in; who guesses is locked out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind
from app.people import service as people
from app.people.models import Role
from app.places import queries as places
from tests.conftest import PASSWORD, Caller, Person, Town, next_code


def log_in(visitor: Caller, account: str, password: str = PASSWORD) -> Any:
    body = {"account": account, "password": password}
    if not account.startswith("nobody"):
        body["totp"] = next_code(account)
    return visitor.post("/admin/api/v1/session", body)


@pytest.fixture
def account(town: Town) -> str:
    return str(town.staff("community").get("/me").json["account"])


def test_five_wrong_passwords_lock_the_account_for_a_quarter_of_an_hour(
    visitor: Caller, account: str, later: Callable[..., Any], owner: psycopg.Connection[Any]
) -> None:
    for _ in range(5):
        wrong = log_in(visitor, account, "wrong password!!")
        assert (wrong.status_code, wrong.json["code"]) == (401, "login_refused")
    for password in (PASSWORD, "wrong password!!"):
        locked = log_in(visitor, account, password)
        assert (locked.status_code, locked.json["code"]) == (429, "locked_out")
        assert 0 < int(locked.headers["Retry-After"]) <= 15 * 60
        assert "15 分钟" in locked.json["detail"]
    failures = owner.execute(
        "SELECT count(*) FROM audit_log a JOIN staff s ON s.id = a.object_id"
        " WHERE s.account = %s AND a.action = 'login.failed'",
        (account,),
    ).fetchone()
    assert failures == (5,)
    later(minutes=14)
    assert log_in(visitor, account).status_code == 429
    later(minutes=2)
    assert log_in(visitor, account).status_code == 201


def test_a_right_password_forgives_the_wrong_ones_before(visitor: Caller, account: str) -> None:
    for _ in range(2):
        for _ in range(4):
            assert log_in(visitor, account, "wrong password!!").status_code == 401
        assert log_in(visitor, account).status_code == 201


def test_an_unknown_account_gets_the_same_answer_as_a_wrong_password(visitor: Caller, account: str) -> None:
    known, unknown = (
        log_in(visitor, account, "wrong password!!"),
        log_in(visitor, f"nobody-{uuid4().hex[:8]}"),
    )
    assert known.status_code == unknown.status_code == 401
    differ = {"request_id"}
    assert {k: v for k, v in known.json.items() if k not in differ} == {
        k: v for k, v in unknown.json.items() if k not in differ
    }


def test_a_disabled_account_is_refused_and_its_open_session_ends(
    visitor: Caller, town: Town, account: str, owner: psycopg.Connection[Any]
) -> None:
    desk = town.staff("community")
    owner.execute("UPDATE staff SET status = 'disabled' WHERE account = %s", (account,))
    assert log_in(visitor, account).json["code"] == "login_refused"
    assert desk.get("/me").status_code == 401


def test_logging_out_ends_the_token_at_once_and_only_this_one(
    visitor: Caller, town: Town, account: str
) -> None:
    desk, other = town.staff("community"), town.log_in(account)
    assert desk.delete("/session").status_code == 204
    assert desk.get("/me").status_code == 401
    assert desk.get("/tickets").status_code == 401
    assert other.get("/me").status_code == 200


def test_a_session_ends_after_twelve_hours(town: Town, later: Callable[..., Any]) -> None:
    desk = town.staff("community")
    later(hours=11, minutes=59)
    assert desk.get("/me").status_code == 200
    later(minutes=2)
    assert desk.get("/me").status_code == 401


@pytest.mark.parametrize("token", ["", "x", "Bearer", "\u0131", "a" * 5000])
def test_a_token_that_is_none_is_refused(visitor: Caller, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    answer = visitor.get("/admin/api/v1/me", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, "bad_token")


def test_who_am_i_tells_roles_and_permissions(town: Town) -> None:
    me = town.staff("property").get("/me").json
    (scope,) = me["scopes"]
    assert (scope["role"], scope["org_id"]) == ("property", town.a.property_id)
    assert "ticket.handle" in scope["permissions"]
    assert "ticket.identity" not in scope["permissions"]
    assert "password" not in str(me)


@pytest.mark.parametrize(
    ("begins", "ends", "works"), [(0, None, True), (1, None, False), (-2, 0, False), (-2, 1, True)]
)
def test_a_role_holds_from_its_first_day_to_the_day_before_its_last(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    begins: int,
    ends: int | None,
    works: bool,
) -> None:
    ticket_id = resident().report(town.a.estate_id)["ticket_id"]
    name = f"dated-{uuid4().hex[:12]}"
    today = places.today()
    with db.transaction():
        staff = people.add_staff(account=name, name="某某", password=PASSWORD, acting_user=SYSTEM)
        people.grant_role(
            staff_id=staff.id,
            role=Role.COMMUNITY,
            org_id=town.a.desk,
            since=today + timedelta(days=begins),
            acting_user=SYSTEM,
            region_id=town.a.id,
        )
    if ends is not None:
        owner.execute(
            "UPDATE staff_roles SET valid_to = %s WHERE staff_id = %s",
            (today + timedelta(days=ends), staff.id),
        )
    who = town.log_in(name)
    assert len(who.get("/me").json["scopes"]) == int(works)
    assert who.get("/tickets").status_code == (200 if works else 403)
    assert who.get(f"/tickets/{ticket_id}").status_code == (200 if works else 404)


def test_an_answer_of_logging_in_holds_nothing_of_the_password(visitor: Caller, account: str) -> None:
    answer = log_in(visitor, account)
    assert set(answer.json) == {"token", "expires_in", "staff"}
    assert PASSWORD not in answer.text
    assert "argon2" not in answer.text
    assert ids.decode_id(Kind.STAFF, answer.json["staff"]["id"])
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_account_that_does_not_exist_locks_like_one_that_does(visitor: Caller) -> None:
    body = {"account": f"nobody-{uuid4().hex[:12]}", "password": "wrong password 1"}
    answers = [visitor.post("/admin/api/v1/session", body) for _ in range(6)]
    assert [a.status_code for a in answers] == [401] * 5 + [429]
    assert answers[5].json["code"] == "locked_out"
    assert int(answers[5].headers["Retry-After"]) > 800


@pytest.fixture
def guess(visitor: Caller) -> Callable[..., Any]:
    """`guess("2001:db8::1")`: a wrong password for an account that nobody tried before, from this address."""

    def post(address: str, account: str | None = None, password: str = "wrong password 1") -> Any:
        visitor.client.environ_base["REMOTE_ADDR"] = address
        return log_in(visitor, account or f"nobody-{uuid4().hex[:12]}", password)

    return post


def test_thirty_failures_from_one_address_shut_it_out_for_the_rest_of_a_quarter_of_an_hour(
    guess: Callable[..., Any], account: str, later: Callable[..., Any], owner: psycopg.Connection[Any]
) -> None:
    net = f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}"
    assert guess(f"{net}::1").status_code == 401
    later(minutes=5)
    assert [guess(f"{net}::{n:x}").status_code for n in range(2, 31)] == [401] * 29
    for password in (PASSWORD, "wrong password 1"):
        shut = guess(f"{net}::ff", account, password)
        assert (shut.status_code, shut.json["code"]) == (429, "too_many_failures")
        assert 9 * 60 < int(shut.headers["Retry-After"]) <= 10 * 60
        assert "10 分钟" in shut.json["detail"]
    assert guess(f"2001:db8:{uuid4().hex[:4]}:1::1", account, PASSWORD).status_code == 201
    raw = owner.execute("SELECT string_agg(a::text, ' ') FROM login_attempts a").fetchone()
    assert raw is not None
    assert net not in raw[0]
    later(minutes=11)
    assert guess(f"{net}::ff", account, PASSWORD).status_code == 201
    assert guess(f"{net}::ff").status_code == 401


def test_logging_in_between_does_not_forgive_an_address(guess: Callable[..., Any], account: str) -> None:
    address = f"198.51.{uuid4().int % 256}.{uuid4().int % 256}"
    for _ in range(2):
        assert [guess(address).status_code for _ in range(14)] == [401] * 14
        assert guess(address, account, PASSWORD).status_code == 201
    assert [guess(address).status_code for _ in range(3)] == [401, 401, 429]
