"""Logging in with WeChat, staying logged in, and every way a token must not be believed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import requests

from app import ids
from app.ids import Kind
from tests.conftest import Caller, House, Person


def me(visitor: Caller, token: str) -> int:
    return visitor.get("/bff/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code


def refresh(visitor: Caller, token: str) -> Any:
    return visitor.post("/bff/v1/session/refresh", {"refresh_token": token})


def test_the_same_openid_is_the_same_resident_at_every_login(resident: Callable[..., Person]) -> None:
    assert resident("wang").id == resident("wang").id
    assert resident("wang").id != resident("li").id


def test_two_first_logins_at_once_make_one_resident(house: House, resident: Callable[..., Person]) -> None:
    code = f"demo-{resident('twice').name}-new"

    def log_in(_: int) -> dict[str, Any]:
        answer = requests.post(f"{house.url}/bff/v1/session", json={"code": code}, timeout=20)
        assert answer.status_code == 201, answer.text
        return answer.json()

    with ThreadPoolExecutor(6) as pool:
        sessions = list(pool.map(log_in, range(6)))
    assert len({s["resident"]["id"] for s in sessions}) == 1
    assert len({s["refresh_token"] for s in sessions}) == 6


def test_each_refresh_gives_new_tokens_that_work(visitor: Caller, resident: Callable[..., Person]) -> None:
    wang = resident()
    first = refresh(visitor, wang.session["refresh_token"])
    assert first.status_code == 200, first.text
    assert first.json["refresh_token"] != wang.session["refresh_token"]
    assert first.json["resident"]["id"] == wang.session["resident"]["id"]
    assert me(visitor, first.json["access_token"]) == 200
    assert refresh(visitor, first.json["refresh_token"]).status_code == 200


def test_an_old_refresh_token_that_comes_back_ends_the_whole_login(
    visitor: Caller, resident: Callable[..., Person]
) -> None:
    wang, other_phone = resident("wang"), resident("wang")
    stolen = wang.session["refresh_token"]
    fresh = refresh(visitor, stolen).json

    again = refresh(visitor, stolen)

    assert (again.status_code, again.json["code"]) == (401, "refresh_reused")
    assert refresh(visitor, fresh["refresh_token"]).status_code == 401
    assert me(visitor, fresh["access_token"]) == 401
    assert me(visitor, wang.token) == 401
    assert me(visitor, other_phone.token) == 200  # another login of the same person goes on


def test_logging_out_ends_both_tokens_at_once(visitor: Caller, resident: Callable[..., Person]) -> None:
    wang = resident()
    assert wang.delete("/session").status_code == 204
    assert me(visitor, wang.token) == 401
    assert refresh(visitor, wang.session["refresh_token"]).status_code == 401


def test_an_access_token_ends_after_half_an_hour_and_a_refresh_goes_on(
    visitor: Caller, resident: Callable[..., Person], later: Callable[..., Any]
) -> None:
    wang = resident()
    later(minutes=29)
    assert me(visitor, wang.token) == 200
    later(minutes=2)
    assert me(visitor, wang.token) == 401
    fresh = refresh(visitor, wang.session["refresh_token"])
    assert me(visitor, fresh.json["access_token"]) == 200


def test_a_refresh_token_unused_for_a_month_is_refused(
    visitor: Caller, resident: Callable[..., Person], later: Callable[..., Any]
) -> None:
    wang = resident()
    later(days=31)
    answer = refresh(visitor, wang.session["refresh_token"])
    assert (answer.status_code, answer.json["code"]) == (401, "refresh_refused")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "..", "ses_aaaa.ses_aaaa.x", "中文.令牌.坏", "\x00"])
def test_a_refresh_token_that_we_never_gave_is_refused(visitor: Caller, token: str) -> None:
    assert refresh(visitor, token).status_code == (422 if token == "" else 401)


def test_a_guessed_secret_does_not_rotate_the_login_of_another(
    visitor: Caller, resident: Callable[..., Person]
) -> None:
    wang = resident()
    prefix, _, _ = wang.session["refresh_token"].rpartition(".")
    assert refresh(visitor, f"{prefix}.{'A' * 43}").status_code == 401


# --- access tokens that we did not sign ------------------------------------------------------------------


def _claims(person: Person) -> dict[str, Any]:
    return jwt.decode(person.token, options={"verify_signature": False})


def _unsigned(claims: dict[str, Any], header: dict[str, str]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in (header, claims))
    return ".".join(parts) + "."


def test_a_token_signed_with_our_secret_for_somebody_logged_in_is_believed(
    house: House, visitor: Caller, resident: Callable[..., Person]
) -> None:
    # Shows that the forgeries below fail for what is forged in them, not for how they are made.
    wang = resident()
    assert me(visitor, jwt.encode(_claims(wang), house.settings.secret_key, "HS256")) == 200


@pytest.mark.parametrize("alg", ["none", "None", "NONE"])
def test_a_token_without_a_signature_is_refused(
    visitor: Caller, resident: Callable[..., Person], alg: str
) -> None:
    assert me(visitor, _unsigned(_claims(resident()), {"alg": alg, "typ": "JWT"})) == 401


def test_forged_tokens_are_refused(house: House, visitor: Caller, resident: Callable[..., Person]) -> None:
    wang, li = resident("wang"), resident("li")
    secret, good = house.settings.secret_key, _claims(wang)
    header, body, tag = wang.token.split(".")
    forged = {
        "other secret": jwt.encode(good, "x" * 40, "HS256"),
        "other algorithm": jwt.encode(good, secret.ljust(64, "s") if len(secret) < 64 else secret, "HS512"),
        "expired": jwt.encode(good | {"exp": good["iat"] - 1}, secret, "HS256"),
        "without end": jwt.encode({k: v for k, v in good.items() if k != "exp"}, secret, "HS256"),
        "other audience": jwt.encode(good | {"aud": "jiayuan-staff"}, secret, "HS256"),
        "without audience": jwt.encode({k: v for k, v in good.items() if k != "aud"}, secret, "HS256"),
        "another's name on my login": jwt.encode(good | {"sub": str(li.id)}, secret, "HS256"),
        "no uuid": jwt.encode(good | {"sub": "1 OR 1=1"}, secret, "HS256"),
        "altered body": f"{header}.{body[:-2]}AA.{tag}",
        "cut signature": f"{header}.{body}.{tag[:-4]}",
        "refresh token": wang.session["refresh_token"],
        "nothing": "",
    }
    assert {what: me(visitor, token) for what, token in forged.items()} == dict.fromkeys(forged, 401)


def test_no_token_or_another_scheme_is_asked_to_log_in(
    visitor: Caller, resident: Callable[..., Person]
) -> None:
    wang = resident()
    for headers in ({}, {"Authorization": f"Basic {wang.token}"}, {"Authorization": wang.token}):
        answer = visitor.get("/bff/v1/me", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, "bad_token")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_staff_token_opens_nothing_of_the_residents_and_the_other_way_round(
    visitor: Caller, resident: Callable[..., Person], town: Any
) -> None:
    desk = town.staff("community")
    assert me(visitor, desk.token) == 401
    wang = resident()
    answer = visitor.get("/admin/api/v1/me", headers={"Authorization": f"Bearer {wang.token}"})
    assert answer.status_code == 401


# --- WeChat's codes --------------------------------------------------------------------------------------


def test_a_code_works_once(house: House, visitor: Caller, resident: Callable[..., Person]) -> None:
    code = house.order("codes", name=resident("wang").name)["code"]
    assert visitor.post("/bff/v1/session", {"code": code}).status_code == 201
    again = visitor.post("/bff/v1/session", {"code": code})
    assert (again.status_code, again.json["code"]) == (422, "code_rejected")
    assert "code" in again.json["errors"]


@pytest.mark.parametrize("code", ["no-such-code", " ", "a b", "\u0000", "demo-", "x" * 200])
def test_a_code_that_wechat_does_not_know_is_refused(visitor: Caller, code: str) -> None:
    answer = visitor.post("/bff/v1/session", {"code": code})
    assert (answer.status_code, answer.json["code"]) == (422, "code_rejected")


def test_a_phone_code_is_no_login_code(
    house: House, visitor: Caller, resident: Callable[..., Person]
) -> None:
    code = house.order("codes", name=resident("wang").name, kind="phone")["code"]
    assert visitor.post("/bff/v1/session", {"code": code}).status_code == 422


@pytest.mark.parametrize("mode", ["-1", "html200", "http502", "40125", "45009"])
def test_while_wechat_is_down_login_says_when_to_come_back(house: House, visitor: Caller, mode: str) -> None:
    house.order("fail", api="jscode2session", mode=mode)
    try:
        answer = visitor.post("/bff/v1/session", {"code": "demo-x"})
    finally:
        house.order("fail", api="jscode2session", mode=None)
    assert (answer.status_code, answer.json["code"]) == (503, "wechat_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.content_type == "application/problem+json"


def test_no_answer_holds_the_openid_or_the_session_key(
    house: House, resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import adapters

    seen = []
    real = adapters.wechat().code_to_session

    def watch(code: str) -> Any:
        seen.append(real(code))
        return seen[-1]

    monkeypatch.setattr(adapters.wechat(), "code_to_session", watch)
    wang = resident()
    answers = [json.dumps(wang.session), wang.get("/me").text, wang.get("/home").text]
    openid, session_key = seen[0].openid, seen[0].session_key
    assert openid
    assert session_key
    for text in answers:
        assert openid not in text
        assert session_key not in text
    assert ids.decode_id(Kind.RESIDENT, wang.session["resident"]["id"]) == wang.id
