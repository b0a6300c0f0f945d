"""A face: its blueprints, its own OpenAPI file, and our error document instead of flask-smorest's."""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma
from flask import Flask
from flask_smorest import Api

from app import ids
from bff.http import RefConverter
from bff.schemas import AnyWireId, Choice, Date, Phone, Problem, Text, Time, WireId

DESCRIPTION = (
    "Times RFC 3339 with +08:00, money in fen, area in 0.01 m². Errors are RFC 9457 problem documents with a "
    "stable `code`. POST takes `Idempotency-Key`; lists are keyset pages `{items, next_cursor}`."
)
METHODS = frozenset({"get", "post", "put", "patch", "delete"})


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
        RefConverter, lambda converter: {"type": "string", "pattern": ids.pattern(converter.kind)}
    )
    face.ma_plugin.converter.add_attribute_function(_said)
    return face


def _said(_: Any, field: ma.fields.Field, **_more: Any) -> dict[str, Any]:
    """What apispec leaves out of a field, or says as Python has it and JSON Schema hasn't."""
    said: dict[str, Any] = {}
    if isinstance(field, ma.fields.Dict):
        said |= _bounds(field, "minProperties", "maxProperties")
        if field.key_field is not None and (names := _pattern(field.key_field) | _bounds(field.key_field)):
            said["propertyNames"] = names
    elif isinstance(field, ma.fields.Enum) and "enum" in field.metadata:
        said["enum"] = field.metadata["enum"]  # fewer than there are
    elif isinstance(field, Choice):
        said |= {"type": ["string", "array"], "items": {"type": "string"}}
    return said | _pattern(field)


def _bounds(field: Any, least: str = "minLength", most: str = "maxLength") -> dict[str, int]:
    lengths = [one for one in field.validators if isinstance(one, ma.validate.Length)]
    bounds = [(name, value) for one in lengths for name, value in ((least, one.min), (most, one.max))]
    return {name: value for name, value in bounds if value is not None}


def _pattern(field: Any) -> dict[str, str]:
    """Python's `match` begins at the beginning without saying so, and has its own words for both ends."""
    for one in field.validators:
        if isinstance(one, ma.validate.Regexp):
            text = str(one.regex.pattern).replace(r"\A", "^").replace(r"\Z", "$")
            return {"pattern": text if text.startswith("^") else f"^{text}"}
    return {}


# --- the document ------------------------------------------------------------------------------------------

_TEXT = {"schema": {"type": "string"}, "required": True}
_SECONDS = {"schema": {"type": "integer", "minimum": 1}, "required": True}
# What can be refused, by status: its name among the document's responses, what it says, and its headers.
REFUSALS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "400": ("NotRead", "no request that can be read: no JSON, or no HTTP", {}),
    "401": ("NotLoggedIn", "no login, or one that has ended", {"WWW-Authenticate": _TEXT}),
    "403": ("NotAllowed", "seen, but not for this caller to do", {}),
    "404": ("NotFound", "nothing there, or nothing that this caller may see", {}),
    "409": ("NotNow", "what is there doesn't allow it as it stands", {}),
    "412": ("Stale", "If-Match names an older version", {}),
    "413": ("TooLarge", "the body is too large", {}),
    "415": ("NotThisKind", "the body is of another media type", {}),
    "422": ("Invalid", "a field, or all of them together, can't be taken", {}),
    "428": ("VersionRequired", "a change names the version that it changes", {}),
    "429": ("TooOften", "too often; to be tried again later", {"Retry-After": _SECONDS}),
    "503": ("Busy", "too much at once, or something is away", {"Retry-After": _SECONDS}),
}


def document(face: Face) -> dict[str, Any]:
    """The OpenAPI document of a face, as it is committed under `openapi/`.

    What is the same for all operations of a kind is said here once and for all: their names, the refusals that each
    can answer with, and the headers of an answer. An error is a problem document whatever its status.
    """
    spec: dict[str, Any] = face.spec.to_dict()
    refusals = {name: _refusal(text, headers) for name, text, headers in REFUSALS.values()}
    default = _refusal("any other refusal", {})
    return spec | {
        "components": spec["components"] | {"responses": refusals | {"Refused": default}},
        "paths": {path: _described_path(path, item, spec) for path, item in spec["paths"].items()},
    }


def _refusal(text: str, headers: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    said = {"description": text, "content": {"application/problem+json": {"schema": schema}}}
    return said | ({"headers": headers} if headers else {})


def _described_path(path: str, item: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {
        word: _described(word, path, item, said, spec) if word in METHODS else said
        for word, said in item.items()
    }


def _described(
    method: str, path: str, item: dict[str, Any], said: dict[str, Any], spec: dict[str, Any]
) -> dict[str, Any]:
    named = [*item.get("parameters", []), *said.get("parameters", [])]
    is_secured = bool(said.get("security", spec.get("security")))
    if (body := said.get("requestBody")) is not None:
        said = said | {"requestBody": body | {"required": _is_needed(body, spec)}}
    answers = {
        status: answer if "$ref" in answer else _with_headers(status, answer, said["responses"])
        for status, answer in said["responses"].items()
    }
    refused = {
        status: _as_problem(answers.get(status), status)
        for status in sorted(_refused(method, named, said, is_secured=is_secured) | answers.keys())
        if status in REFUSALS
    }
    default = {"default": {"$ref": "#/components/responses/Refused"}}
    return {"operationId": operation_id(method, path), **said, "responses": answers | refused | default}


def operation_id(method: str, path: str) -> str:
    """What generated clients call an operation: `post_tickets_by_ref_accept`. It changes with the address alone."""
    words = re.sub(r"^/(bff/v1|admin/api/v1|public/v1)/", "", path).replace("{", "by_").replace("}", "")
    return f"{method}_{re.sub(r'[^a-z0-9]+', '_', words.lower())}"


def _with_headers(status: str, answer: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    if status == "201":
        return answer | {"headers": {"Location": _TEXT}}
    return answer | {"headers": {"ETag": _TEXT}} if status in {"200", "304"} and "304" in answers else answer


def _as_problem(said: dict[str, Any] | None, status: str) -> dict[str, Any]:
    """How a refusal is described: as an operation itself does, or as it is for all."""
    if said is None or "$ref" in said:
        return {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
    return _refusal(said["description"], REFUSALS[status][2])


def _is_needed(body: dict[str, Any], spec: dict[str, Any]) -> bool:
    """Whether there has to be a body: an object all of whose members may be missing may be missing itself."""
    (content,) = body["content"].values()
    schema = content["schema"]
    if "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema.get("type") != "object" or bool(schema.get("required"))


def _refused(method: str, named: list[dict[str, Any]], said: dict[str, Any], *, is_secured: bool) -> set[str]:
    """With which statuses an operation can refuse, by what it takes."""
    found = {"429", "503"} | ({"401", "403"} if is_secured else set())
    headers = {p["name"]: p["required"] for p in named if p["in"] == "header"}
    if "requestBody" in said:
        # Who isn't logged in yet brings what proves who it is.
        found |= {"400", "401", "404", "413", "415", "422"}
    if any(p["in"] in {"path", "query"} for p in named):
        found.add("404")
    if any(p["in"] == "query" for p in named) or "Idempotency-Key" in headers:
        found.add("422")
    if method != "get":
        found.add("409")
    if "If-Match" in headers:
        found |= {"412", "428"} if headers["If-Match"] else {"412"}
    return found
