"""What every refusal looks like, in both languages, and what HTTP itself refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from app import ids
from app.ids import Kind, Ref
from tests.conftest import Caller, Person, Town


def _is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    body = answer.json
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:jiayuan:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert answer.headers["X-Request-ID"] == body["request_id"]
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text
    return body


def test_a_refusal_is_chinese_unless_english_is_asked_for(resident: Callable[..., Person]) -> None:
    wang = resident()
    ask = {"text": "灯坏了", "client_token": "12345678"}
    chinese = wang.post("/tickets", ask)
    assert _is_problem(chinese, 422, "where")["detail"].startswith("请选择小区")
    assert chinese.headers["Content-Language"] == "zh-CN"
    english = wang.post("/tickets", ask, headers={"Accept-Language": "en"})
    assert _is_problem(english, 422, "where")["detail"].startswith("Please choose")
    assert english.headers["Content-Language"] == "en"
    for other in ("zh-CN,zh;q=0.9,en;q=0.8", "fr", "", "*", ";;;q=x"):
        assert "请选择" in wang.post("/tickets", ask, headers={"Accept-Language": other}).json["detail"]


def test_each_wrong_field_is_named_in_the_readers_language(resident: Callable[..., Person]) -> None:
    wang = resident()
    ask = {
        "text": 5,
        "urgent": "maybe",
        "location": {"lng": "x", "lat": 29.6},
        "photo_ids": ["nope"],
        "surprise": 1,
    }
    chinese = _is_problem(wang.post("/tickets", ask), 422, "invalid")["errors"]
    assert set(chinese) == {"text", "urgent", "location", "photo_ids", "surprise", "client_token"}
    assert chinese["client_token"] == ["必填。"]
    assert chinese["surprise"] == ["没有这一项。"]
    assert chinese["location"] == {"lng": ["应为数字。"]}
    assert chinese["photo_ids"] == {"0": ["编号不正确。"]}
    english = wang.post("/tickets", ask, headers={"Accept-Language": "en"}).json["errors"]
    assert set(english) == set(chinese)
    assert english["client_token"] == ["Missing data for required field."]
    assert english["photo_ids"] == {"0": ["Not a valid id."]}


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[1,2", b"\xff\xfe", b'{"text": NaN}', b'{"text": "\\ud83d"}', b"nul", b'{"a":1}x', b"[" * 5000],
)
def test_what_is_no_json_is_refused(resident: Callable[..., Person], raw: bytes) -> None:
    answer = resident().post("/tickets", data=raw, content_type="application/json")
    assert answer.status_code in {400, 422}
    _is_problem(answer, answer.status_code, {400: "bad_request", 422: "invalid"}[answer.status_code])


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"5", b"null", b"[[]]"])
def test_json_that_is_no_object_is_refused(resident: Callable[..., Person], raw: bytes) -> None:
    answer = resident().post("/tickets", data=raw, content_type="application/json")
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_content_type_than_json_is_unsupported(resident: Callable[..., Person], kind: str) -> None:
    raw = b'{"text": "x", "client_token": "12345678"}'
    _is_problem(resident().post("/tickets", data=raw, content_type=kind), 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.jiayuan+json"])
def test_json_with_a_parameter_or_by_another_name_is_json(
    resident: Callable[..., Person], town: Town, kind: str
) -> None:
    raw = f'{{"text": "x", "client_token": "12345678", "estate_id": "{town.a.estate_id}"}}'
    assert resident().post("/tickets", data=raw, content_type=kind).status_code == 201


def test_a_path_that_is_none_is_not_found(visitor: Caller, resident: Callable[..., Person]) -> None:
    for path in (
        "/bff/v1/nothing",
        "/bff/v1/tickets/",
        "/nothing",
        "/bff/v1/tickets/1/../../me",
        "/%00",
        "/%ff",
    ):
        _is_problem(visitor.get(path), 404, "not_found")


def test_the_wrong_method_is_told_which_are_right(visitor: Caller) -> None:
    answer = visitor.call("PUT", "/bff/v1/tickets")
    _is_problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))


def test_a_body_that_is_far_too_large_is_refused(resident: Callable[..., Person]) -> None:
    wang = resident()
    long = wang.post("/tickets", {"text": "x" * 300_000, "client_token": "12345678"})
    _is_problem(long, 413, "too_large")
    keyed = wang.post("/tickets", {"text": "x" * 300_000}, headers={"Idempotency-Key": "k"})
    _is_problem(keyed, 413, "too_large")
    _is_problem(wang.upload("/photos", bytes(12 * 1024 * 1024)), 413, "too_large")


def test_the_request_id_of_the_caller_is_echoed_and_a_wrong_one_replaced(visitor: Caller) -> None:
    mine = visitor.get("/bff/v1/me", headers={"X-Request-ID": "abc-123.def_456"})
    assert mine.headers["X-Request-ID"] == "abc-123.def_456"
    for wrong in ("short", "x" * 65, "has blank in it", "<script>alert</script>"):
        given = visitor.get("/bff/v1/me", headers={"X-Request-ID": wrong}).headers["X-Request-ID"]
        assert given != wrong
        assert len(given) == 32


@pytest.mark.parametrize("face", ["resident", "staff"])
def test_an_id_of_another_kind_or_of_nothing_is_not_found(
    face: str, resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    who: Caller = wang if face == "resident" else town.staff("community")
    assert who.get(f"/tickets/{ticket_id}").status_code == 200
    community, key = ids.decode_ref(Kind.TICKET, ticket_id)
    strangers = {
        "estate": town.a.estate_id,
        "resident": wang.session["resident"]["id"],
        "shouted": ticket_id.upper(),
        "cut": ticket_id[:-1],
        "longer": ticket_id + "a",
        "other community": ids.encode(Kind.TICKET, Ref(town.b.id, key)),
        "no such community": ids.encode(Kind.TICKET, Ref(2**32 - 1, key)),
        "no such ticket": ids.encode(Kind.TICKET, Ref(community, uuid4())),
        "uuid": str(key),
        "padding bits": ticket_id[:-1] + ("b" if ticket_id[-1] != "b" else "c"),
        "injection": "tkt_' OR 1=1 --",
    }
    answers = {what: who.get(f"/tickets/{given}").status_code for what, given in strangers.items()}
    assert answers == dict.fromkeys(strangers, 404)


def test_an_unexpected_failure_says_nothing_of_itself(
    resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.messaging import queries

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret is 12345")

    wang = resident()
    monkeypatch.setattr(queries, "inbox", broken)
    answer = wang.get("/inbox")
    _is_problem(answer, 500, "error")
    assert "12345" not in answer.text
    assert "RuntimeError" not in answer.text


NASTY = ["\u0000", "a\u0000b", "\ufffe", "'; DROP TABLE tickets; --", "%", "\\", "🌞" * 8]


@pytest.mark.parametrize("nasty", NASTY)
def test_no_text_field_of_a_resident_breaks_the_server(
    resident: Callable[..., Person], town: Town, nasty: str
) -> None:
    wang = resident()
    base = {"estate_id": town.a.estate_id, "text": "灯坏了"}
    tries: list[tuple[str, str, Any]] = [
        ("POST", "/tickets", base | {"category": nasty, "client_token": uuid4().hex}),
        ("POST", "/tickets", base | {"text": nasty, "client_token": uuid4().hex}),
        ("POST", "/tickets", base | {"answers": {nasty: "x"}, "client_token": uuid4().hex}),
        ("POST", "/tickets", base | {"answers": {"x": nasty}, "client_token": uuid4().hex}),
        ("POST", "/tickets", base | {"contact_phone": nasty, "client_token": uuid4().hex}),
        ("POST", "/tickets", base | {"client_token": nasty}),
        ("POST", "/tickets", base | {"estate_id": nasty, "client_token": uuid4().hex}),
        ("POST", "/subscriptions", {"results": {nasty: "accept"}}),
        ("POST", "/inbox/read", {"ids": [nasty]}),
        ("POST", "/inbox/read", {"all_before": nasty}),
        ("POST", "/session/phone", {"code": nasty}),
    ]
    for method, path, body in tries:
        answer = wang.call(method, path, json=body)
        assert answer.status_code < 500, (body, answer.text)
        if "\0" in nasty and path == "/tickets":
            assert answer.status_code == 422, (body, answer.text)
    for query in ("q", "status", "cursor", "estate_id", "limit"):
        for path in ("/estates", "/tickets", "/inbox", "/home", "/report-options"):
            assert wang.get(path, query_string={query: nasty}).status_code < 500, (path, query)


@pytest.mark.parametrize("nasty", NASTY)
def test_no_text_field_of_staff_breaks_the_server(
    resident: Callable[..., Person], visitor: Caller, town: Town, nasty: str
) -> None:
    desk = town.staff("community")
    ticket_id = resident().report(town.a.estate_id, category="noise")["ticket_id"]
    base = {"channel": "phone", "estate_id": town.a.estate_id, "text": "来电反映"}
    tries: list[tuple[str, Any]] = [
        ("/tickets", base | {"category": nasty}),
        ("/tickets", base | {"reporter": {"name": nasty}}),
        ("/tickets", base | {"reporter": {"phone": nasty}}),
        ("/tickets", base | {"channel": nasty}),
        (f"/tickets/{ticket_id}/category", {"category": nasty}),
        (f"/tickets/{ticket_id}/comment", {"text": nasty}),
        (f"/tickets/{ticket_id}/dispatch", {"org_id": nasty}),
        ("/unmask", {"object": ticket_id, "fields": [nasty], "purpose": nasty * 4}),
    ]
    for path, body in tries:
        answer = desk.post(path, body)
        assert answer.status_code < 500, (path, body, answer.text)
    for query in ("q", "status", "area", "category", "assigned_to", "cursor", "overdue"):
        assert desk.get("/tickets", query_string={query: nasty}).status_code < 500, query
    for body in (
        {"account": nasty, "password": "x" * 12},
        {"account": f"nobody-{uuid4().hex[:12]}", "password": nasty},
    ):
        assert visitor.post("/admin/api/v1/session", body).status_code in {401, 422}, body
