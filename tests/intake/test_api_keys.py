"""Keys of other systems: who gives them out, what is shown of them, and how they are exchanged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import ids
from app.ids import Kind
from tests.conftest import Town
from tests.intake.conftest import Machine


def _wanted(town: Town, **fields: Any) -> dict[str, Any]:
    return {
        "source": f"src-{uuid4().hex[:12]}",
        "name": "12345 热线",
        "channel": "hotline",
        "scope_org_id": ids.encode(Kind.ORG, town.street_office),
        "desk_org_id": town.a.desk_id,
    } | fields


def test_a_secret_is_shown_once_and_lies_sealed(
    machine: Machine, owner: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = machine.shown()
    assert machine.secret not in str(shown)
    assert "secret" not in shown
    assert [key["key_id"] for key in shown["keys"]] == [machine.key_id]
    assert machine.secret not in machine.office.get("/api-keys").text
    row = owner.execute(
        "SELECT secret_sealed FROM source_keys WHERE key_id = %s", (machine.key_id,)
    ).fetchone()
    assert row is not None
    assert machine.secret.encode() not in row[0]
    machine.report()
    assert not any(machine.secret in record.getMessage() for record in caplog.records)


def test_what_is_done_to_keys_is_audited(machine: Machine, owner: psycopg.Connection[Any]) -> None:
    machine.change(rotate="start")
    machine.change(rotate="finish", name="市长热线")
    source_id = ids.decode_id(Kind.SOURCE, machine.api_key_id)
    rows = owner.execute(
        "SELECT action, actor_kind, details::text FROM audit_log WHERE object_id = %s ORDER BY at, id",
        (source_id,),
    ).fetchall()
    assert {(action, kind) for action, kind, _ in rows} == {
        ("source.added", "staff"),
        ("source.rotation_started", "staff"),
        ("source.changed", "staff"),
        ("source.key_ended", "staff"),
    }
    assert not any(machine.secret in details for _, _, details in rows)


def test_both_secrets_hold_until_the_rotation_is_finished(machine: Machine) -> None:
    old = machine.key_id, machine.secret
    fresh = machine.change(rotate="start")
    assert machine.report().status_code == 201
    machine.key_id, machine.secret = fresh["key_id"], fresh["secret"]
    assert machine.report().status_code == 201
    assert [key["key_id"] for key in machine.shown()["keys"]] == [old[0], fresh["key_id"]]
    finished = machine.change(rotate="finish")
    assert [key["key_id"] for key in finished["keys"]] == [fresh["key_id"]]
    assert "secret" not in finished
    assert machine.report().status_code == 201
    machine.key_id, machine.secret = old
    assert machine.report().status_code == 401


def test_a_third_secret_and_an_end_without_a_beginning_are_refused(machine: Machine) -> None:
    def ask(rotate: str) -> tuple[int, str]:
        headers = {"If-Match": f'"{machine.version}"'}
        answer = machine.office.patch(f"/api-keys/{machine.api_key_id}", {"rotate": rotate}, headers=headers)
        return answer.status_code, answer.json["code"]

    assert ask("finish") == (409, "not_rotating")
    machine.change(rotate="start")
    assert ask("start") == (409, "already_rotating")


def test_a_change_needs_the_version(machine: Machine) -> None:
    path = f"/api-keys/{machine.api_key_id}"
    assert machine.office.patch(path, {"name": "x"}).status_code == 428
    stale = machine.office.patch(path, {"name": "x"}, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    assert machine.shown()["name"] == "12345 热线"


@pytest.mark.parametrize("role", ["community", "grid", "property"])
def test_only_the_street_gives_keys_out(machine: Machine, town: Town, role: str) -> None:
    staff = town.staff(role)
    assert staff.get("/api-keys").status_code == 403
    assert staff.post("/api-keys", _wanted(town)).status_code == 403
    changed = staff.patch(f"/api-keys/{machine.api_key_id}", {"active": False}, headers={"If-Match": '"1"'})
    assert changed.status_code == 403


def test_another_street_s_source_is_not_there(machine: Machine, make_town: Callable[[], Town]) -> None:
    stranger = make_town().staff("street")
    path = f"/api-keys/{machine.api_key_id}"
    assert stranger.get(path).status_code == 404
    assert stranger.patch(path, {"active": False}, headers={"If-Match": '"1"'}).status_code == 404
    assert machine.api_key_id not in stranger.get("/api-keys").text
    assert machine.report().status_code == 201


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"desk_org_id": None}, "desk_needed"),
        ({"callback_url": "ftp://example.org/x"}, "bad_callback_url"),
        ({"callback_url": "http://user:pw@example.org/"}, "bad_callback_url"),
        ({"callback_url": "http://169.254.169.254/latest"}, "bad_callback_url"),
        ({"callback_url": "http://[fe80::1]/x"}, "bad_callback_url"),
        ({"callback_url": "http://0.0.0.0/x"}, "bad_callback_url"),
        ({"callback_url": "http://example.org:99999/"}, "bad_callback_url"),
        ({"callback_url": "http:///x"}, "bad_callback_url"),
        ({"callback_url": "javascript:alert(1)"}, "bad_callback_url"),
        ({"callback_url": "http://a b/"}, "bad_callback_url"),
        ({"valid_from": "2026-05-02", "valid_to": "2026-05-02"}, "bad_span"),
        ({"source": "A B"}, "invalid"),
        ({"channel": "mini_program"}, "invalid"),
    ],
)
def test_a_source_that_can_t_be_is_refused(town: Town, fields: dict[str, Any], code: str) -> None:
    answer = town.staff("street").post("/api-keys", _wanted(town, **fields))
    assert (answer.status_code, answer.json["code"]) == (422, code), answer.text


def test_a_scope_outside_one_s_reach_is_refused(town: Town, make_town: Callable[[], Town]) -> None:
    there = make_town()
    office = town.staff("street")
    for fields in (
        {"scope_org_id": ids.encode(Kind.ORG, there.street_office), "desk_org_id": there.a.desk_id},
        {"desk_org_id": there.a.desk_id},
        {"scope_org_id": town.a.property_id},
    ):
        answer = office.post("/api-keys", _wanted(town, **fields))
        assert (answer.status_code, answer.json["code"]) == (422, "bad_scope"), answer.text


def test_a_name_in_paths_belongs_to_one_source(machine: Machine, town: Town) -> None:
    answer = town.staff("street").post("/api-keys", _wanted(town, source=machine.code))
    assert (answer.status_code, answer.json["code"]) == (409, "source_taken")
