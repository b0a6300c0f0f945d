"""The second factor: setting it up, using it, losing it (RFC 6238, RFC 4226; ASVS 5.0 6.5, 6.6)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock, db
from app.audit import SYSTEM
from app.people import service as people
from app.people import totp
from app.people.models import Role
from app.people.permissions import GRANTS, HARMLESS
from app.places import queries as places
from app.settings import Settings, SettingsError
from tests.conftest import PASSWORD, Caller, House, Town, settings_for

SESSION = "/admin/api/v1/session"


@pytest.fixture
def newcomer(town: Town) -> str:
    """An account with a role that sees residents, and no authenticator yet."""
    account = f"new-{uuid4().hex[:12]}"
    with db.transaction():
        staff = people.add_staff(account=account, name="新人", password=PASSWORD, acting_user=SYSTEM)
        people.grant_role(
            staff_id=staff.id,
            role=Role.COMMUNITY,
            org_id=town.a.desk,
            since=places.today(),
            acting_user=SYSTEM,
            region_id=town.a.id,
        )
    return account


def log_in(visitor: Caller, account: str, **more: Any) -> Any:
    return visitor.post(SESSION, {"account": account, "password": PASSWORD} | more)


def bearer(visitor: Caller, answer: Any) -> Caller:
    assert answer.status_code == 201, answer.text
    return Caller(visitor.client, "/admin/api/v1", answer.json["token"])


def code_of(secret: str, *, steps: int = 0) -> str:
    return totp.code_at(base64.b32decode(secret), totp.step_of(clock.now()) + steps)


def set_up(me: Caller) -> tuple[str, list[str]]:
    """An authenticator with the step before now as its first code; its secret and recovery codes."""
    started = me.post("/me/totp", {"password": PASSWORD})
    assert started.status_code == 201, started.text
    secret = str(started.json["secret"])
    confirmed = me.post("/me/totp/confirm", {"totp": code_of(secret, steps=-1)})
    assert confirmed.status_code == 200, confirmed.text
    return secret, confirmed.json["recovery_codes"]


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


# RFC 6238, appendix B, SHA-1; the last six of its eight digits.
@pytest.mark.parametrize(
    ("at", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert totp.code_at(b"12345678901234567890", at // 30) == code


@given(now=st.integers(10**9, 4 * 10**9), off=st.integers(-5, 5), used=st.none() | st.integers(-5, 5))
def test_a_code_counts_one_step_around_its_time_and_only_after_the_last_used(
    now: int, off: int, used: int | None
) -> None:
    secret, step = b"12345678901234567890", now // 30
    after = None if used is None else step + used
    found = totp.step_used(
        secret, totp.code_at(secret, step + off), at=datetime.fromtimestamp(now, UTC), after=after
    )
    if abs(off) <= 1 and (used is None or off > used):
        assert found == step + off
    else:
        assert found is None or totp.code_at(secret, found) == totp.code_at(secret, step + off)


def test_a_login_without_an_authenticator_can_only_set_one_up(visitor: Caller, newcomer: str) -> None:
    answer = log_in(visitor, newcomer)
    assert answer.json["staff"]["needs"] == ["totp"]
    me = bearer(visitor, answer)
    for method, path in (
        ("GET", "/tickets"),
        ("GET", "/me/sessions"),
        ("POST", "/unmask"),
        ("GET", "/areas"),
    ):
        closed = me.call(method, path)
        refused(closed, 403, "set_up_first")
        assert closed.json["needs"] == ["totp"]
    assert me.get("/me").json["totp"] is False
    set_up(me)
    assert me.get("/tickets").status_code == 200
    assert (me.get("/me").json["needs"], me.get("/me").json["recovery_codes_left"]) == ([], 10)


def test_a_role_that_sees_nobody_needs_no_second_factor(
    visitor: Caller, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GRANTS, Role.FINANCE, HARMLESS)  # today every role sees somebody, or publishes
    account = f"cashier-{uuid4().hex[:12]}"
    with db.transaction():
        staff = people.add_staff(account=account, name="财务", password=PASSWORD, acting_user=SYSTEM)
        people.grant_role(
            staff_id=staff.id,
            role=Role.FINANCE,
            org_id=town.a.desk,
            region_id=town.a.id,
            since=places.today(),
            acting_user=SYSTEM,
        )
    me = bearer(visitor, log_in(visitor, account))
    assert me.get("/areas").status_code == 200


def test_once_set_up_the_code_is_asked_for_and_counts_once(visitor: Caller, newcomer: str) -> None:
    secret, _ = set_up(bearer(visitor, log_in(visitor, newcomer)))
    refused(log_in(visitor, newcomer), 401, "totp_required")
    code = code_of(secret)
    assert log_in(visitor, newcomer, totp=f"{code[:3]} {code[3:]}").status_code == 201
    refused(log_in(visitor, newcomer, totp=code), 401, "totp_refused")
    refused(log_in(visitor, newcomer, totp=code_of(secret, steps=-1)), 401, "totp_refused")
    assert log_in(visitor, newcomer, totp=code_of(secret, steps=1)).status_code == 201


def test_the_code_that_set_it_up_does_not_count_again(visitor: Caller, newcomer: str) -> None:
    me = bearer(visitor, log_in(visitor, newcomer))
    secret = str(me.post("/me/totp", {"password": PASSWORD}).json["secret"])
    code = code_of(secret)
    assert me.post("/me/totp/confirm", {"totp": code}).status_code == 200
    refused(log_in(visitor, newcomer, totp=code), 401, "totp_refused")


def test_a_code_two_steps_away_is_refused(visitor: Caller, newcomer: str, later: Callable[..., Any]) -> None:
    secret, _ = set_up(bearer(visitor, log_in(visitor, newcomer)))
    code = code_of(secret, steps=2)
    refused(log_in(visitor, newcomer, totp=code), 401, "totp_refused")
    later(seconds=60)
    assert log_in(visitor, newcomer, totp=code).status_code == 201


def test_five_wrong_codes_lock_the_account_and_a_right_password_forgives_none(
    visitor: Caller, newcomer: str, later: Callable[..., Any]
) -> None:
    secret, codes = set_up(bearer(visitor, log_in(visitor, newcomer)))
    wrong = f"{(int(code_of(secret)) + 500_000) % 1_000_000:06d}"
    for attempt in (wrong, "no-such-recovery-code", wrong, wrong):
        refused(log_in(visitor, newcomer, totp=attempt), 401, "totp_refused")
        refused(log_in(visitor, newcomer), 401, "totp_required")
    refused(log_in(visitor, newcomer, totp=wrong), 401, "totp_refused")
    refused(log_in(visitor, newcomer, totp=code_of(secret)), 429, "locked_out")
    refused(log_in(visitor, newcomer, totp=codes[0]), 429, "locked_out")
    later(minutes=16)
    assert log_in(visitor, newcomer, totp=code_of(secret)).status_code == 201


def test_wrong_codes_while_logged_in_lock_as_well(visitor: Caller, newcomer: str) -> None:
    me = bearer(visitor, log_in(visitor, newcomer))
    secret = str(me.post("/me/totp", {"password": PASSWORD}).json["secret"])
    wrong = f"{(int(code_of(secret)) + 500_000) % 1_000_000:06d}"
    for _ in range(5):
        refused(me.post("/me/totp/confirm", {"totp": wrong}), 401, "totp_refused")
    refused(me.post("/me/totp/confirm", {"totp": code_of(secret)}), 429, "locked_out")
    refused(
        me.post("/me/password", {"password": PASSWORD, "new_password": "another good one"}), 429, "locked_out"
    )


def test_a_recovery_code_works_once_however_it_is_written(visitor: Caller, newcomer: str) -> None:
    _, codes = set_up(bearer(visitor, log_in(visitor, newcomer)))
    assert len(set(codes)) == 10
    me = bearer(visitor, log_in(visitor, newcomer, totp=codes[0].upper().replace("-", " ")))
    refused(log_in(visitor, newcomer, totp=codes[0]), 401, "totp_refused")
    assert me.get("/me").json["recovery_codes_left"] == 9
    fresh = me.post("/me/totp/recovery-codes", {"password": PASSWORD, "totp": codes[1]})
    assert fresh.status_code == 200, fresh.text
    assert not set(fresh.json["recovery_codes"]) & set(codes)
    refused(log_in(visitor, newcomer, totp=codes[2]), 401, "totp_refused")


def test_setting_it_up_ends_the_logins_that_were_opened_without_it(visitor: Caller, newcomer: str) -> None:
    first, second = (bearer(visitor, log_in(visitor, newcomer)) for _ in range(2))
    set_up(first)
    assert (first.get("/me").status_code, second.get("/me").status_code) == (200, 401)


def test_another_authenticator_needs_the_present_one(visitor: Caller, newcomer: str) -> None:
    me = bearer(visitor, log_in(visitor, newcomer))
    secret, codes = set_up(me)
    refused(me.post("/me/totp", {"password": "wrong password!!"}), 401, "login_refused")
    refused(me.post("/me/totp", {"password": PASSWORD}), 401, "totp_required")
    started = me.post("/me/totp", {"password": PASSWORD, "totp": code_of(secret)})
    assert started.status_code == 201
    # Until the new one has shown a code, the old one counts.
    assert log_in(visitor, newcomer, totp=codes[0]).status_code == 201
    assert me.post("/me/totp/confirm", {"totp": code_of(started.json["secret"])}).status_code == 200
    refused(log_in(visitor, newcomer, totp=codes[1]), 401, "totp_refused")


def test_nothing_is_confirmed_that_was_not_started(town: Town) -> None:
    refused(town.staff("community").post("/me/totp/confirm", {"totp": "123456"}), 409, "no_totp_pending")


def test_the_secret_lies_sealed_and_the_codes_hashed(
    visitor: Caller, newcomer: str, owner: psycopg.Connection[Any]
) -> None:
    secret, codes = set_up(bearer(visitor, log_in(visitor, newcomer)))
    sealed, hashes = owner.execute(
        "SELECT s.totp_sealed, array_agg(c.code_hash) FROM staff s JOIN staff_recovery_codes c ON c.staff_id = s.id"
        " WHERE s.account = %s GROUP BY 1",
        (newcomer,),
    ).fetchone() or (b"", [])
    assert len(hashes) == 10
    assert base64.b32decode(secret) not in sealed
    assert not any(code.replace("-", "").encode() in b"".join(hashes) for code in codes)


def test_the_password_alone_is_enough_only_where_the_demonstration_says_so(
    visitor: Caller, newcomer: str, house: House
) -> None:
    me = bearer(visitor, log_in(visitor, newcomer))
    assert me.get("/tickets").status_code == 403
    object.__setattr__(house.settings, "staff_totp", "optional")
    try:
        assert me.get("/tickets").status_code == 200
    finally:
        object.__setattr__(house.settings, "staff_totp", "required")
    environment = settings_for(house.pg, "house") | {
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "STORAGE_URL": "folder:/nowhere",
        "PUBLIC_BASE_URL": "http://127.0.0.1:1",
        "STAFF_TOTP": "optional",
    }
    with pytest.raises(SettingsError, match=r"STAFF_TOTP \(optional only with DEMO=1\)"):
        Settings.from_env(environment)
    assert Settings.from_env(environment | {"DEMO": "1"}).staff_totp == "optional"
    with pytest.raises(SettingsError, match="STAFF_TOTP"):
        Settings.from_env(environment | {"DEMO": "1", "STAFF_TOTP": "off"})


def test_no_code_and_no_secret_is_in_the_audit_log(
    visitor: Caller, newcomer: str, owner: psycopg.Connection[Any]
) -> None:
    secret, codes = set_up(bearer(visitor, log_in(visitor, newcomer)))
    log_in(visitor, newcomer, totp=codes[0])
    rows = owner.execute(
        "SELECT a.action, a.details::text FROM audit_log a JOIN staff s ON s.id = a.actor_id WHERE s.account = %s",
        (newcomer,),
    ).fetchall()
    assert {"totp.started", "totp.set_up", "recovery_code.used"} <= {action for action, _ in rows}
    assert not any(secret in details or codes[0] in details for _, details in rows)
