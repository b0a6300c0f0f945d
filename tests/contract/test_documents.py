"""The OpenAPI documents are well made: by the standard, and by what clients generated from them need."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.conftest import House
from tests.structure.test_routes import endpoints, is_open
from tools import openapi

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module", params=openapi.FACES)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    """As committed; that it is what the code says is shown elsewhere (tests/structure/test_openapi.py)."""
    return openapi.committed(request.param)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield (
                method,
                path,
                item[method]
                | {"parameters": [*item.get("parameters", []), *item[method].get("parameters", [])]},
            )


def test_each_document_keeps_to_the_standard(document: dict[str, Any]) -> None:
    """A file sent with fields was `in: formData` once, which OpenAPI 3 doesn't know."""
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_each_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = Counter(said["operationId"] for _, _, said in operations(document))
    assert [
        name for name, count in names.items() if count > 1 or not re.fullmatch(r"[a-z][a-z0-9_]+", name)
    ] == []


def test_each_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    seen = 0
    for method, path, said in operations(document):
        for status, answer in said["responses"].items():
            if status[0] in "45" or status == "default":
                seen += 1
                found = answer
                if "$ref" in answer:
                    found = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
                schema = {"$ref": "#/components/schemas/Problem"}
                assert found["content"] == {"application/problem+json": {"schema": schema}}, (
                    method,
                    path,
                    status,
                )
    assert seen > 10


def test_each_operation_says_who_may_not_and_what_is_not_there(document: dict[str, Any]) -> None:
    for method, path, said in operations(document):
        is_secured = bool(said.get("security", document["security"]))
        kinds = {one["in"] for one in said["parameters"]}
        expected = {
            "401": is_secured,
            "403": is_secured,
            "404": "path" in kinds,
            "415": "requestBody" in said,
            "429": True,
            "503": True,
        }
        missing = {
            status for status, is_due in expected.items() if is_due and status not in said["responses"]
        }
        assert missing == set(), (method, path)


def test_an_operation_is_open_exactly_when_its_route_is(house: House) -> None:
    """The document and the list of open routes (tests/structure/test_routes.py) say the same."""
    routes = {
        (endpoint.method.lower(), re.sub(r"<(?:[^<>]*:)?([^<>]+)>", r"{\1}", endpoint.rule.rule)): endpoint
        for endpoint in endpoints(house.app)
    }
    seen = 0
    for face in openapi.FACES:
        found = openapi.committed(face)
        for method, path, said in operations(found):
            seen += 1
            is_secured = bool(said.get("security", found["security"]))
            assert is_secured is not is_open(routes[method, path]), (method, path)
    assert seen > 400


def test_what_is_sent_with_a_file_is_described_with_it() -> None:
    found = openapi.committed("resident")
    body = found["paths"]["/bff/v1/files"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    members = found["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"]
    assert members.keys() == {"file", "purpose"}


def test_each_id_says_what_it_looks_like(document: dict[str, Any]) -> None:
    """A generated client can then refuse a wrong one itself, and a test can make right ones."""
    for method, path, said in operations(document):
        for one in said["parameters"]:
            if one["in"] == "path" and one["name"] in {"ref", "head", "candidate"}:
                assert re.fullmatch(r"\^[a-z]{3}_.*\$", one["schema"]["pattern"]), (method, path)
