"""Whatever claims to be a login and isn't one opens nothing, on any face."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app import db
from app.audit import SYSTEM
from app.people import passwords, tokens
from app.people import service as people
from tests.conftest import PASSWORD, Caller, House, Person, Town, next_code

FACES = ("/bff/v1/me", "/admin/api/v1/me")


def hire(account: str) -> None:
    """An account without any role."""
    with db.transaction():
        people.add_staff(account=account, name="某人", password=PASSWORD, acting_user=SYSTEM)


def opens(visitor: Caller, token: str) -> set[str]:
    """The faces that this token opens."""
    headers = {"Authorization": f"Bearer {token}"}
    found = {path: visitor.get(path, headers=headers).status_code for path in FACES}
    assert set(found.values()) <= {200, 401}, found
    return {path for path, status in found.items() if status == 200}


def claims_of(who: Person) -> dict[str, Any]:
    return jwt.decode(who.token, options={"verify_signature": False})


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}."


def test_no_forged_or_foreign_token_opens_a_face(
    house: House, visitor: Caller, town: Town, resident: Callable[..., Person]
) -> None:
    wang, desk = resident(), town.staff("community")
    assert opens(visitor, wang.token) == {FACES[0]}
    assert opens(visitor, desk.token or "") == {FACES[1]}
    claims, secret = claims_of(wang), house.settings.secret_key
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    staff_claims = claims | {"aud": "jiayuan-staff", "role": "street", "permissions": ["*"]}
    for what, token in {
        "alg none": unsigned(claims, {"alg": "none", "typ": "JWT"}),
        "alg none as staff": unsigned(staff_claims, {"alg": "none", "typ": "JWT"}),
        "another key": jwt.encode(claims, "another-secret-of-forty-characters-length", "HS256"),
        "an empty key": unsigned(claims, {"alg": "HS256"}) + "AAAA",
        "an asymmetric algorithm": jwt.encode(claims, private, "RS256"),
        "a key named in the header": jwt.encode(
            claims, "x" * 40, "HS256", headers={"kid": "../../dev/null", "jku": "http://127.0.0.1:1/keys"}
        ),
        "expired": jwt.encode(claims | {"exp": claims["iat"] - 1}, secret, "HS256"),
        "our key, staff's audience": jwt.encode(staff_claims, secret, "HS256"),
        "a login that never was": jwt.encode(claims | {"sid": str(uuid4())}, secret, "HS256"),
        "the refresh token": str(wang.session["refresh_token"]),
        "the hash of staff's token": tokens.hash_of(desk.token or "").hex(),
        "the secret itself": secret,
    }.items():
        assert opens(visitor, token) == set(), what


def test_a_token_in_the_address_or_in_a_foreign_cookie_opens_nothing(
    house: House, town: Town, resident: Callable[..., Person]
) -> None:
    wang, desk = resident(), town.staff("community")
    for path, token in zip(FACES, (wang.token, desk.token), strict=True):
        client = house.app.test_client()
        for name in ("access_token", "token", "authorization"):
            assert client.get(path, query_string={name: token}).status_code == 401
        for name in ("jiayuan_staff", "session", "access_token"):
            client.set_cookie(name, str(token))
        assert client.get(path).status_code == 401


def test_a_replayed_refresh_token_ends_the_login_it_was_stolen_from(
    visitor: Caller, resident: Callable[..., Person], later: Callable[..., Any]
) -> None:
    wang = resident()
    first = wang.session["refresh_token"]
    second = visitor.post("/bff/v1/session/refresh", {"refresh_token": first}).get_json()
    assert opens(visitor, second["access_token"]) == {FACES[0]}
    later(minutes=2)  # an answer that was lost may be asked for again at once
    assert visitor.post("/bff/v1/session/refresh", {"refresh_token": first}).status_code == 401
    assert opens(visitor, second["access_token"]) == set()
    again = visitor.post("/bff/v1/session/refresh", {"refresh_token": second["refresh_token"]})
    assert again.status_code == 401


# --- the console's cookie ----------------------------------------------------------------------------------


def test_a_cookie_that_was_planted_before_the_login_is_worth_nothing_after_it(
    house: House, town: Town
) -> None:
    """Session fixation: the server makes the token anew at each login and takes none from the browser."""
    town.staff("community")
    account = f"fixed-{uuid4().hex[:8]}"
    hire(account)
    planted = "A" * 43
    victim, attacker = house.app.test_client(), house.app.test_client()
    for client in (victim, attacker):
        client.set_cookie("jiayuan_staff", planted)
        client.set_cookie("jiayuan_csrf", planted)
    body = {"account": account, "password": PASSWORD, "totp": next_code(account), "mode": "cookie"}
    assert victim.post("/admin/api/v1/session", json=body).status_code == 201
    cookie = victim.get_cookie("jiayuan_staff")
    assert cookie is not None
    assert cookie.value != planted
    assert victim.get(FACES[1]).status_code == 200
    assert attacker.get(FACES[1]).status_code == 401
    # A second login has a third token: none is ever given twice.
    again = body | {"totp": next_code(account)}
    assert victim.post("/admin/api/v1/session", json=again).status_code == 201
    second = victim.get_cookie("jiayuan_staff")
    assert second is not None
    assert second.value not in {planted, cookie.value}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
def test_another_site_writes_nothing_with_somebodys_cookie(house: House, town: Town, origin: str) -> None:
    """CSRF: a form of another site sends the cookie at most, never the token that belongs to it."""
    account = f"csrf-{uuid4().hex[:8]}"
    hire(account)
    browser = house.app.test_client()
    body = {"account": account, "password": PASSWORD, "totp": next_code(account), "mode": "cookie"}
    assert browser.post("/admin/api/v1/session", json=body).status_code == 201
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        answer = browser.post(
            "/admin/api/v1/me/password",
            data='{"password": "x", "new_password": "y"}',
            content_type=kind,
            headers={"Origin": origin},
        )
        assert answer.status_code in {403, 415}, kind
    answer = browser.delete("/admin/api/v1/session", headers={"Origin": origin})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "csrf_refused")
    assert browser.get(FACES[1]).status_code == 200


# --- what a guesser learns ---------------------------------------------------------------------------------


def test_an_unknown_account_costs_as_much_as_a_wrong_password(
    house: House, visitor: Caller, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clock is needed to see it: both check one hash of the same cost, and answer the same."""
    account = f"known-{uuid4().hex[:8]}"
    hire(account)
    checked: list[str] = []
    real = passwords.matches

    def counted(stored: str, password: str) -> bool:
        checked.append("$".join(stored.split("$")[:4]))
        return real(stored, password)

    monkeypatch.setattr(passwords, "matches", counted)
    answers = []
    for name in (account, f"unknown-{uuid4().hex[:8]}"):
        answer = visitor.post("/admin/api/v1/session", {"account": name, "password": "wrong " + PASSWORD})
        answers.append((answer.status_code, answer.get_json()["code"], answer.get_json()["detail"]))
    assert answers[0] == answers[1]
    assert len(checked) == 2
    assert checked[0] == checked[1]


# --- what stands in the path -------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is written to the log meanwhile, as it is written."""
    out = io.StringIO()
    root = logging.getLogger()
    handler = logging.StreamHandler(out)
    handler.setFormatter(root.handlers[0].formatter)
    root.addHandler(handler)
    yield out
    root.removeHandler(handler)


def test_a_secret_in_a_path_or_query_is_in_no_line_of_the_log(
    house: House, visitor: Caller, log: io.StringIO
) -> None:
    secret = "pathtoken" + "Zz9" * 10
    visitor.post(f"/callbacks/sms/aliyun/{secret}/report", [])
    visitor.get(f"/public/v1/photos/{secret}")
    visitor.get("/admin/api/v1/tickets", query_string={"q": secret})
    visitor.get(f"/nothing/{secret}")
    assert "/callbacks/sms/" in log.getvalue()
    assert secret not in log.getvalue()


def test_a_line_break_from_outside_makes_no_second_line(visitor: Caller, log: io.StringIO) -> None:
    visitor.get(
        "/healthz%0a%7B%22level%22%3A%22forged%22%7D", headers={"User-Agent": 'x\t{"level":"forged"}'}
    )
    for line in log.getvalue().splitlines():
        assert json.loads(line)["level"] != "forged"
