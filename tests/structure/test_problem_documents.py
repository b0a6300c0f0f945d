"""The described problem document takes what a refusal adds to it (RFC 9457 §3.2)."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Caller, Person


def test_the_openapi_files_allow_the_members_that_a_refusal_adds(
    resident: Callable[..., Person], visitor: Caller
) -> None:
    refused = resident().post("/tickets", {"text": "灯坏了", "client_token": "no-place-given"})
    assert "estates" in refused.json
    for face in ("resident", "admin", "public"):
        schemas = visitor.get(f"/openapi/{face}.json").json["components"]["schemas"]
        assert schemas["Problem"]["additionalProperties"] is True
