"""Passwords, the console's cookie, idle screens, and the list of one's logins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from app import db
from app.people import passwords
from app.people.errors import PasswordTooSimple, WeakPassword
from app.settings import Settings, SettingsError
from tests.conftest import PASSWORD, Caller, House, Town, next_code, real_secrets, settings_for

SESSION = "/admin/api/v1/session"
ME = "/admin/api/v1/me"
GOOD = "three lamps by the gate"


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


@pytest.fixture
def account(town: Town) -> str:
    return str(town.staff("community").get("/me").json["account"])


@contextmanager
def policy(house: House, **settings: Any) -> Iterator[None]:
    """Other settings for a while."""
    before = {name: getattr(house.settings, name) for name in settings}
    for name, value in settings.items():
        object.__setattr__(house.settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(house.settings, name, value)


def console(house: House, account: str) -> tuple[Any, dict[str, str]]:
    """A browser that is logged in, and the header that its page sends with writes."""
    browser = house.app.test_client()
    body = {"account": account, "password": PASSWORD, "totp": next_code(account), "mode": "cookie"}
    answer = browser.post(SESSION, json=body)
    assert answer.status_code == 201, answer.text
    assert "token" not in answer.get_json()
    return browser, {"X-CSRF-Token": answer.json["csrf_token"]}


# --- passwords -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "qwerty123456",
        "1q2w3e4r5t6y",
        "password1234",
        "Password1234!",
        "dragonmonkey",
        "aaaaaaaaaaaaaaa",
        "abcdefghijklmnop",
        "987654321098",
        "zhangsan-0101111",
        "12345678901234567890",
        "  letmein12345  ",
    ],
)
def test_what_is_guessed_first_is_no_password(password: str) -> None:
    with pytest.raises(WeakPassword):
        passwords.check(password, account="zhangsan-0101")


@pytest.mark.parametrize(
    "password", [GOOD, PASSWORD, "寸滩街道的路灯很亮很亮啊", "kX7-vb2 qq9!L", "jiayuan-desk-2026"]
)
def test_anything_long_and_not_common_is_taken_whatever_its_characters(password: str) -> None:
    passwords.check(password)


def test_composition_is_a_setting() -> None:
    passwords.check("Three lamps by gate 2", classes=4)
    passwords.check("three lamps by the gate", classes=2)
    with pytest.raises(PasswordTooSimple):
        passwords.check("three lamps by the gate", classes=3)


def test_a_password_that_is_given_out_may_be_chosen_by_any_rule() -> None:
    for _ in range(50):
        passwords.check(passwords.given_out(), classes=4)


def test_passwords_are_hashed_at_full_cost_wherever_the_world_can_reach_us(house: House) -> None:
    """The tests themselves hash cheaply: they log in hundreds of times."""
    assert house.settings.staff_password_hash == "cheap"
    environment = settings_for(
        house.pg, "house", REDIS_URL="redis://127.0.0.1:1/0", STORAGE_URL="folder:/nowhere"
    )
    away = environment | real_secrets() | {"PUBLIC_BASE_URL": "https://jiayuan.example"}
    assert Settings.from_env(away).staff_password_hash == "owasp"
    for wrong in ("cheap", "none"):
        with pytest.raises(SettingsError, match="STAFF_PASSWORD_HASH"):
            Settings.from_env(away | {"STAFF_PASSWORD_HASH": wrong})
    try:
        passwords.configure("owasp")
        assert passwords.hash_password(GOOD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert passwords.nobody().startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    finally:
        passwords.configure(house.settings.staff_password_hash)
    assert passwords.matches(passwords.hash_password(GOOD), GOOD)


def test_a_changed_password_ends_all_other_logins(visitor: Caller, town: Town, account: str) -> None:
    here, there = town.staff("community"), town.log_in(account)
    code = next_code(account)
    changed = here.post("/me/password", {"password": PASSWORD, "new_password": GOOD, "totp": code})
    assert changed.status_code == 204, changed.text
    assert (here.get("/me").status_code, there.get("/me").status_code) == (200, 401)
    asked = {"account": account, "totp": next_code(account)}
    refused(visitor.post(SESSION, asked | {"password": PASSWORD}), 401, "login_refused")
    assert visitor.post(SESSION, asked | {"password": GOOD}).status_code == 201


def test_a_password_is_not_changed_without_the_old_one_and_the_code(town: Town, account: str) -> None:
    me, new = town.staff("community"), {"new_password": GOOD}
    code = next_code(account)
    refused(
        me.post("/me/password", new | {"password": "wrong password!!", "totp": code}), 401, "login_refused"
    )
    refused(me.post("/me/password", new | {"password": PASSWORD}), 401, "totp_required")
    weak = {"password": PASSWORD, "new_password": account, "totp": code}
    refused(me.post("/me/password", weak), 422, "weak_password")
    same = {"password": PASSWORD, "new_password": PASSWORD, "totp": code}
    refused(me.post("/me/password", same), 422, "same_password")
    assert town.log_in(account).get("/me").status_code == 200


def test_rotation_is_a_setting(house: House, town: Town, account: str, later: Callable[..., Any]) -> None:
    later(days=89)
    with policy(house, staff_password_days=90):
        assert town.log_in(account).get("/tickets").status_code == 200
        later(days=2)
        me = town.log_in(account)
        answer = me.get("/tickets")
        refused(answer, 403, "set_up_first")
        assert answer.json["needs"] == ["password"]
        body = {"password": PASSWORD, "new_password": GOOD, "totp": next_code(account)}
        assert me.post("/me/password", body).status_code == 204
        assert me.get("/tickets").status_code == 200


# --- the console's cookie --------------------------------------------------------------------------------


def test_a_cookie_writes_only_with_the_token_that_belongs_to_it(house: House, account: str) -> None:
    browser, header = console(house, account)
    assert browser.get(ME).status_code == 200
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "x" * 43},
        {"X-CSRF-Token": "\u0131".encode().decode("latin-1")},
    )
    for bad in wrong:
        refused(browser.post("/admin/api/v1/patrol/zones/grade", headers=bad), 403, "csrf_refused")
        refused(browser.delete(SESSION, headers=bad), 403, "csrf_refused")
    other, others = console(house, account)
    refused(browser.delete(SESSION, headers=others), 403, "csrf_refused")
    assert other.delete(SESSION, headers=others).status_code == 204
    assert browser.delete(SESSION, headers=header).status_code == 204
    assert browser.get(ME).status_code == 401


def test_no_script_can_read_the_cookie_and_no_other_site_can_send_it(house: House, account: str) -> None:
    def cookies() -> dict[str, str]:
        body = {"account": account, "password": PASSWORD, "totp": next_code(account), "mode": "cookie"}
        answer = house.app.test_client().post(SESSION, json=body)
        return {line.partition("=")[0]: line for line in answer.headers.getlist("Set-Cookie")}

    plain = cookies()
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(plain["jiayuan_staff"].split("; "))
    assert "HttpOnly" not in plain["jiayuan_csrf"]
    with policy(house, public_base_url="https://jiayuan.example"):
        assert "Secure" in cookies()["__Host-jiayuan_staff"].split("; ")


def test_a_cookie_is_no_bearer_token_and_a_bearer_token_no_cookie(
    house: House, town: Town, account: str
) -> None:
    browser, _ = console(house, account)
    cookie = browser.get_cookie("jiayuan_staff")
    assert cookie is not None
    fresh = house.app.test_client()
    assert fresh.get(ME, headers={"Authorization": f"Bearer {cookie.value}"}).status_code == 401
    token = town.log_in(account).token
    assert token is not None
    fresh.set_cookie("jiayuan_staff", token)
    assert fresh.get(ME).status_code == 401


def test_a_screen_that_was_left_for_half_an_hour_is_logged_out(
    house: House, account: str, later: Callable[..., Any]
) -> None:
    browser, _ = console(house, account)
    for _ in range(4):
        later(minutes=20)
        assert browser.get(ME).status_code == 200
    later(minutes=31)
    assert browser.get(ME).status_code == 401


# --- one's logins ----------------------------------------------------------------------------------------


def test_a_refreshed_login_has_another_token_and_the_same_end(town: Town, later: Callable[..., Any]) -> None:
    me = town.staff("community")
    later(hours=5)
    answer = me.post("/session/refresh")
    assert answer.status_code == 200, answer.text
    assert abs(answer.json["expires_in"] - 7 * 3600) < 60
    assert me.get("/me").status_code == 401
    fresh = Caller(me.client, me.prefix, answer.json["token"])
    assert [row["current"] for row in fresh.get("/me/sessions").json["items"]] == [True]
    later(hours=6, minutes=59)
    assert fresh.get("/me").status_code == 200
    later(minutes=2)
    assert fresh.get("/me").status_code == 401


def test_a_refresh_that_can_t_be_answered_leaves_the_login_as_it_was(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = town.staff("community")

    def away(*_: Any) -> Any:
        raise db.TookTooLong

    with monkeypatch.context() as patched:
        patched.setattr("bff.admin.session.staff_out", away)
        assert me.post("/session/refresh").status_code == 503
    assert me.post("/session/refresh").status_code == 200


def test_my_logins_are_listed_and_each_can_be_ended(house: House, town: Town, account: str) -> None:
    me = town.staff("community")
    console(house, account)
    other = town.log_in(account)
    rows = me.get("/me/sessions").json["items"]
    assert sorted(row["mode"] for row in rows) == ["cookie", "token", "token"]
    assert [row["current"] for row in rows].count(True) == 1
    assert all(row["address"] == "127.0.0.1" and row["client"] for row in rows)
    theirs = next(r for r in other.get("/me/sessions").json["items"] if r["current"])["session_id"]
    assert me.delete(f"/me/sessions/{theirs}").status_code == 204
    assert other.get("/me").status_code == 401
    assert me.delete(f"/me/sessions/{theirs}").status_code == 404
    assert me.delete("/me/sessions").status_code == 204
    assert len(me.get("/me/sessions").json["items"]) == 1


def test_nobody_ends_or_sees_the_logins_of_somebody_else(town: Town) -> None:
    me, grid = town.staff("community"), town.staff("grid")
    (theirs,) = grid.get("/me/sessions").json["items"]
    assert me.delete(f"/me/sessions/{theirs['session_id']}").status_code == 404
    assert theirs["session_id"] not in me.get("/me/sessions").text
    assert grid.get("/me").status_code == 200


@pytest.mark.parametrize("body", [{"mode": "other"}, {"totp": "1" * 41}, {"totp": 5}, {"remember": True}])
def test_a_login_that_makes_no_sense_is_refused(visitor: Caller, body: dict[str, Any]) -> None:
    asked = {"account": f"nobody-{uuid4().hex[:8]}", "password": "x"} | body
    assert visitor.post(SESSION, asked).status_code == 422
