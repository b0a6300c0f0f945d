"""What schemathesis found, each by itself: an answer that its document didn't describe, or a document that said what
the software doesn't do.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

from app import ids
from app.ids import Kind, Ref
from tests.conftest import Caller, Person, Town, small_jpeg
from tools import openapi

DOCUMENTS = {face: openapi.committed(face) for face in openapi.FACES}


def answers(face: str, method: str, path: str) -> set[str]:
    return set(DOCUMENTS[face]["paths"][path][method]["responses"])


def patterns(said: Any) -> Iterator[str]:
    """Every regular expression of a document."""
    if isinstance(said, dict):
        if isinstance(said.get("pattern"), str):
            yield said["pattern"]
        for inner in said.values():
            yield from patterns(inner)
    elif isinstance(said, list):
        for inner in said:
            yield from patterns(inner)


def test_a_new_region_says_where_it_is_to_be_seen(town: Town) -> None:
    street = town.staff("street")
    parent = ids.encode(Kind.COMMUNITY, UUID(int=town.street))
    made = street.post(
        "/regions", {"kind": "community", "name": f"社区{uuid4().hex[:6]}", "parent_id": parent}
    )
    assert made.status_code == 201, made.text
    there = street.get(made.headers["Location"].removeprefix("/admin/api/v1")).get_json()["items"]
    assert made.get_json()["region_id"] in {one["region_id"] for one in there}


def test_a_login_that_is_refused_is_described(visitor: Caller) -> None:
    for face, path, body in (
        ("resident", "/bff/v1/session/refresh", {"refresh_token": "x" * 43}),
        ("admin", "/admin/api/v1/session", {"account": "nobody", "password": "wrong"}),
        ("admin", "/admin/api/v1/display-session", {"token": "x" * 43}),
    ):
        assert visitor.post(path, body).status_code == 401, path
        assert "401" in answers(face, "post", path)


def test_revenue_of_which_nothing_is_published_is_described(
    town: Town, resident: Callable[..., Person]
) -> None:
    path = "/bff/v1/estates/{ref}/revenue/summary"
    answer = resident().get(f"/estates/{town.a.estate_id}/revenue/summary?from=2026-01-01&to=2026-12-31")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "nothing_published")
    assert "409" in answers("resident", "get", path)
    assert "409" in answers("resident", "get", "/bff/v1/estates/{ref}/revenue/my-share")


def test_a_body_that_may_be_missing_is_not_said_to_be_required(town: Town) -> None:
    path = "/admin/api/v1/notices/preview"
    assert town.staff("community").post("/notices/preview").status_code == 200
    assert DOCUMENTS["admin"]["paths"][path]["post"]["requestBody"]["required"] is False
    needed = DOCUMENTS["resident"]["paths"]["/bff/v1/tickets"]["post"]["requestBody"]["required"]
    assert needed is True


def test_a_photo_may_come_with_fields_of_the_sender(resident: Callable[..., Person]) -> None:
    data = {"file": (BytesIO(small_jpeg()), "photo.jpg"), "from": "wx"}
    wang = resident()
    answer = wang.call("POST", "/photos", data=data, content_type="multipart/form-data")
    assert answer.status_code == 201, answer.text
    assert "additionalProperties" not in DOCUMENTS["resident"]["components"]["schemas"]["PhotoIn"]


def test_how_many_members_an_object_has_and_what_they_are_called_is_said() -> None:
    """It was called the object's length, which means nothing; of the names nothing was said."""
    said = DOCUMENTS["resident"]["components"]["schemas"]["SubscriptionsIn"]["properties"]["results"]
    assert (said["minProperties"], said["maxProperties"]) == (1, 10)
    assert said["propertyNames"] == {"minLength": 1, "maxLength": 64}


def test_no_pattern_is_written_as_python_alone_reads_it() -> None:
    r"""`\A` and `\Z` are letters in JSON Schema (ECMA-262), and `match` begins where a pattern there need not."""
    found = {text for document in DOCUMENTS.values() for text in patterns(document)}
    assert len(found) > 20
    assert [text for text in found if r"\A" in text or r"\Z" in text] == []
    assert [text for text in found if not text.startswith(("^", r"\S"))] == []


def test_the_ways_of_reporting_that_staff_may_name_are_said() -> None:
    """Machines have others; a report of staff with one of those was refused, although the document offered it."""
    (said,) = (
        one["properties"]
        for one in DOCUMENTS["admin"]["components"]["schemas"].values()
        if {"channel", "reporter", "photo_ids"} <= one.get("properties", {}).keys()
    )
    assert {"phone", "mailbox"} <= set(said["channel"]["enum"])
    assert not {"camera", "mini_program"} & set(said["channel"]["enum"])


def test_a_yes_is_no_number(town: Town, resident: Callable[..., Person]) -> None:
    wang = resident()
    body = {"estate_id": town.a.estate_id, "text": "楼道灯不亮", "client_token": uuid4().hex}
    for wrong in (0, 1, 1.0, "y", "On", None):
        assert wang.post("/tickets", body | {"urgent": wrong}).status_code == 422, wrong
    assert wang.post("/tickets", body | {"urgent": True}).status_code == 201


BIG, NUL, SOME = 2**63, "a\0b", str(UUID(int=7))
CURSORS = [
    base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()
    for parts in (
        *((wrong, SOME) for wrong in (BIG, -BIG - 1, 2**31, NUL, 10**30)),
        *((SOME, wrong) for wrong in (BIG, NUL)),
        *((wrong,) for wrong in (BIG, NUL, 2**31)),
        *((wrong, 1) for wrong in (BIG, 2**31, NUL)),
        *((1, wrong, SOME) for wrong in (BIG, NUL)),
        ("2026-01-01T00:00:00+00:00", NUL),
        ("9999-12-31T23:59:59+00:00", SOME),
    )
]


def test_a_cursor_of_ones_own_making_is_no_error_of_ours(
    town: Town, resident: Callable[..., Person], visitor: Caller
) -> None:
    who = {"resident": resident().get, "admin": town.staff("street").get, "public": visitor.get}
    begins = {"resident": "/bff/v1", "admin": "/admin/api/v1", "public": ""}
    asked = 0
    for face, document in DOCUMENTS.items():
        for path, methods in document["paths"].items():
            said = {one["name"]: one for one in methods.get("get", {}).get("parameters", []) if "name" in one}
            here = path.replace("{estate_id}", town.a.estate_id).removeprefix(begins[face])
            if "cursor" not in said or "{" in here:
                continue
            for cursor in CURSORS:
                answer = who[face](f"{here}?cursor={cursor}")
                assert answer.status_code < 500, (face, path, cursor, answer.text)
                asked += 1
    assert asked > 300


def test_a_value_that_no_column_holds_is_refused(town: Town, visitor: Caller) -> None:
    street = town.staff("street")
    for path in (
        "/stats/flow?category=a%00b",
        "/tickets?q=a%00b",
        f"/estates/{town.a.estate_id}/houses?unit=a%00b",
    ):
        answer = street.get(path)
        assert answer.status_code in {200, 404, 422}, (path, answer.text)
    known = ids.encode(Kind.DECISION, Ref(town.a.id, UUID(int=7)))
    for query in (
        "proof?leaf=0&size=9223372036854775808",
        f"consistency?from={10**30}",
        f"anchor?size={10**30}",
    ):
        answer = visitor.get(f"/public/v1/decisions/{known}/{query}")
        assert answer.status_code in {404, 422}, (query, answer.text)
