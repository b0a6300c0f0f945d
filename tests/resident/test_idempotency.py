"""Idempotency-Key: a write that is repeated gets the first answer and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests

from tests.conftest import House, Person, Town, small_jpeg


@pytest.fixture
def keyed() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


def report(town: Town, **more: Any) -> dict[str, Any]:
    return {"estate_id": town.a.estate_id, "text": "楼道灯不亮", "client_token": uuid4().hex} | more


def test_a_repeated_write_gets_the_first_answer_byte_for_byte(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str]
) -> None:
    wang, body = resident(), report(town)
    first = wang.post("/tickets", body, headers=keyed)
    again = wang.post("/tickets", body, headers=keyed)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert again.content_type == first.content_type
    assert len(wang.get("/tickets").json["items"]) == 1


def test_a_comment_repeated_with_its_key_is_said_once(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str]
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    path, body = f"/tickets/{ticket_id}/comments", {"text": "请尽快"}
    first = wang.post(path, body, headers=keyed)
    town.bring(ticket_id, "accept")
    again = wang.post(path, body, headers=keyed)  # the answer of then, though the ticket has moved on
    assert again.data == first.data
    kinds = [event["kind"] for event in wang.ticket(ticket_id)["timeline"]]
    assert kinds == ["report", "comment", "accept"]
    assert wang.post(path, body).status_code == 200  # without the key it is another comment
    assert len(wang.ticket(ticket_id)["timeline"]) == 4


@pytest.mark.parametrize("other", ["body", "path", "query"])
def test_the_same_key_for_something_else_is_refused(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str], other: str
) -> None:
    wang, body = resident(), report(town)
    ticket_id = wang.post("/tickets", body, headers=keyed).json["ticket_id"]
    answer = {
        "body": lambda: wang.post("/tickets", body | {"text": "别的"}, headers=keyed),
        "path": lambda: wang.post(f"/tickets/{ticket_id}/comments", body, headers=keyed),
        "query": lambda: wang.post("/tickets?x=1", body, headers=keyed),
    }[other]()
    assert answer.status_code == 422
    # A body that another address doesn't take is refused by its schema or by its key, never carried out.
    assert answer.json["code"] == "idempotency_key_reused"
    assert len(wang.ticket(ticket_id)["timeline"]) == 1


def test_the_same_key_of_another_person_is_another_key(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str]
) -> None:
    body = report(town)
    first = resident().post("/tickets", body, headers=keyed)
    second = resident().post("/tickets", body, headers=keyed)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["ticket_id"] != second.json["ticket_id"]


def test_a_refusal_of_the_domain_is_an_answer_too(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str]
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, category="noise")["ticket_id"]
    path, body = f"/tickets/{ticket_id}/rating", {"stars": 5, "solved": True}
    first = wang.post(path, body, headers=keyed)
    assert (first.status_code, first.json["code"]) == (409, "illegal_move")
    town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    again = wang.post(path, body, headers=keyed)
    assert (again.status_code, again.data) == (409, first.data)
    assert again.content_type == "application/problem+json"
    assert wang.post(path, body, headers={"Idempotency-Key": uuid4().hex}).status_code == 200


def test_a_refused_write_leaves_nothing_but_its_answer(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str], owner: psycopg.Connection[Any]
) -> None:
    wang, body = resident(), report(town, category="lighting")  # needs a photo
    first = wang.post("/tickets", body, headers=keyed)
    assert (first.status_code, first.json["code"]) == (422, "photo_required")
    assert wang.get("/tickets").json["items"] == []
    claimed = owner.execute(
        "SELECT count(*) FROM client_tokens WHERE resident_id = %s", (wang.id,)
    ).fetchone()
    assert claimed == (0,)
    assert wang.post("/tickets", body, headers=keyed).data == first.data


def test_what_the_schema_refuses_may_be_corrected_under_the_same_key(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str]
) -> None:
    wang, body = resident(), report(town)
    assert wang.post("/tickets", body | {"urgent": "maybe"}, headers=keyed).status_code == 422
    assert wang.post("/tickets", body, headers=keyed).status_code == 201


def test_a_key_is_forgotten_after_a_day(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str], later: Callable[..., Any]
) -> None:
    wang, body = resident("wang"), report(town)
    first = wang.post("/tickets", body, headers=keyed)
    later(hours=25)
    wang = resident("wang")
    other = wang.post("/tickets", body | {"client_token": uuid4().hex}, headers=keyed)
    assert other.status_code == 201
    assert other.json["ticket_id"] != first.json["ticket_id"]


@pytest.mark.parametrize("wrong", ["", "x" * 256])
def test_an_empty_or_endless_key_is_refused(resident: Callable[..., Person], town: Town, wrong: str) -> None:
    answer = resident().post("/tickets", report(town), headers={"Idempotency-Key": wrong})
    assert (answer.status_code, answer.json["code"]) == (422, "bad_idempotency_key")


def test_while_the_first_is_running_its_twin_is_told_to_wait(
    house: House,
    resident: Callable[..., Person],
    town: Town,
    keyed: dict[str, str],
    owner: psycopg.Connection[Any],
    held_up: Callable[[int], None],
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    url = f"{house.url}/bff/v1/tickets/{ticket_id}/comments"
    headers = keyed | {"Authorization": f"Bearer {wang.token}"}

    def comment() -> requests.Response:
        return requests.post(url, json={"text": "请尽快"}, headers=headers, timeout=20)

    with ThreadPoolExecutor(1) as pool:
        with owner.transaction():
            owner.execute("SELECT 1 FROM tickets WHERE community_id = %s FOR UPDATE", (town.a.id,))
            first = pool.submit(comment)
            held_up(1)
            twin = comment()
        assert (twin.status_code, twin.json()["code"]) == (409, "in_flight")
        assert int(twin.headers["Retry-After"]) >= 1
        assert first.result().status_code == 200
    assert comment().content == first.result().content
    assert [e["kind"] for e in wang.ticket(ticket_id)["timeline"]] == ["report", "comment"]


def test_a_photo_sent_again_in_another_multipart_wrapping_is_the_same_photo(
    resident: Callable[..., Person], keyed: dict[str, str]
) -> None:
    wang, data = resident(), small_jpeg()

    def wrapped(boundary: str, name: str, data: bytes = data) -> Any:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        raw = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        return wang.post("/photos", data=BytesIO(raw), content_type=kind, headers=keyed)

    first = wrapped("----first", "tmp_1.jpg")
    again = wrapped("----another", "tmp_2.jpg")
    assert first.status_code == 201, first.text
    assert again.data == first.data
    other = wrapped("----first", "tmp_1.jpg", data + b"\0")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")


def test_what_is_kept_of_an_answer_can_be_read_by_nobody(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str], owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, text="我家住三栋二单元")["ticket_id"]
    wang.post(f"/tickets/{ticket_id}/comments", {"text": "请打我电话"}, headers=keyed)
    row = owner.execute(
        "SELECT key_hash, fingerprint, status, headers, body_sealed FROM idempotency_keys WHERE actor_id = %s",
        (wang.id,),
    ).fetchone()
    assert row is not None
    assert row[2] == 200
    raw = row[0] + row[1] + json.dumps(row[3]).encode() + row[4]
    for secret in ("我家住三栋二单元", "请打我电话", keyed["Idempotency-Key"], ticket_id):
        assert secret.encode() not in raw


def test_staff_moves_are_repeated_safely_too(
    resident: Callable[..., Person], town: Town, keyed: dict[str, str]
) -> None:
    ticket_id = resident().report(town.a.estate_id)["ticket_id"]
    desk = town.staff("community")
    first = desk.post(f"/tickets/{ticket_id}/accept", headers=keyed)
    again = desk.post(f"/tickets/{ticket_id}/accept", headers=keyed)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.data == first.data
    assert desk.post(f"/tickets/{ticket_id}/accept").status_code == 409
