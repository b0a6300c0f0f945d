"""The described problem document takes what a refusal adds to it (RFC 9457 §3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conftest import Caller, Person, Town


def test_the_openapi_files_allow_the_members_that_a_refusal_adds(
    resident: Callable[..., Person], visitor: Caller
) -> None:
    refused = resident().post("/tickets", {"text": "灯坏了", "client_token": "no-place-given"})
    body: Any = refused.json
    assert "estates" in body
    for face in ("resident", "admin", "public"):
        schemas = visitor.get(f"/openapi/{face}.json").json["components"]["schemas"]
        assert schemas["Problem"]["additionalProperties"] is True


def test_what_a_refusal_adds_never_takes_the_place_of_a_standard_member(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket = wang.report(town.a.estate_id)["ticket_id"]
    assert wang.post(f"/tickets/{ticket}/withdraw").status_code == 200
    refused = wang.post(f"/tickets/{ticket}/withdraw")
    assert refused.status_code == 409
    assert refused.json["status"] == 409
    assert refused.json["ticket_status"] == "withdrawn"
    assert refused.json["allowed"] == []
