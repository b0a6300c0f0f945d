"""A face: its blueprints, its own OpenAPI file, and our error document instead of flask-smorest's."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_smorest import Api

from bff.http import RefConverter
from bff.schemas import AnyWireId, Date, Phone, Problem, Text, Time, WireId

DESCRIPTION = (
    "Times RFC 3339 with +08:00, money in fen, area in 0.01 m². Errors are RFC 9457 problem documents with a "
    "stable `code`. POST takes `Idempotency-Key`; lists are keyset pages `{items, next_cursor}`."
)


class Face(Api):
    """An Api whose errors are left to `bff.errors`, which serves all faces alike."""

    ERROR_SCHEMA = Problem

    def _register_error_handlers(self) -> None:
        """None of flask-smorest's own."""


def make(app: Flask, *, name: str, title: str, security: dict[str, Any]) -> Face:
    """The face `name` of the application, with its security schemes."""
    prefix = name.upper()
    app.config.update(
        {
            f"{prefix}_API_TITLE": title,
            f"{prefix}_API_VERSION": "v1",
            f"{prefix}_OPENAPI_VERSION": "3.1.0",
        }
    )
    face = Face(
        app,
        config_prefix=prefix,
        spec_kwargs={
            "security": [{scheme: []} for scheme in security],
            "components": {"securitySchemes": security},
            "info": {"description": DESCRIPTION},
        },
    )
    for field in (WireId, AnyWireId, Text, Phone):
        face.register_field(field, "string", None)
    face.register_field(Date, "string", "date")
    face.register_field(Time, "string", "date-time")
    face.register_converter(
        RefConverter, lambda converter: {"type": "string", "example": f"{converter.kind}_…"}
    )
    return face


def document(face: Face) -> dict[str, Any]:
    """The OpenAPI document of a face, as it is committed under `openapi/`."""
    spec: dict[str, Any] = face.spec.to_dict()
    # An error is a problem document whatever its status; flask-smorest would call it plain JSON.
    for response in spec.get("components", {}).get("responses", {}).values():
        content = response.get("content", {})
        if response.get("description") != "Not modified" and "application/json" in content:
            content["application/problem+json"] = content.pop("application/json")
    return spec
