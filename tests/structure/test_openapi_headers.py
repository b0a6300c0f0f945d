"""The OpenAPI documents name the headers that an operation takes: retries, versions, what is at hand already."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools import openapi

ROOT = Path(__file__).resolve().parents[2]
Operation = tuple[str, dict[str, bool], dict[str, Any]]


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    found = []
    for face in openapi.FACES:  # what stands there is what the code says: tests/structure/test_openapi.py
        for path, item in openapi.committed(face)["paths"].items():
            for method, said in item.items():
                if method in {"get", "post", "put", "patch", "delete"}:
                    headers = {
                        p["name"]: p["required"] for p in said.get("parameters", []) if p["in"] == "header"
                    }
                    found.append((f"{face} {method.upper()} {path}", headers, said))
    return found


def decorated() -> Iterator[tuple[str, set[str], set[str]]]:
    """(method, names of the decorators, names called within) of each view, read from its source."""
    for path in sorted((ROOT / "bff").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            names, methods = set(), set()
            for each in node.decorator_list:
                call = each.func if isinstance(each, ast.Call) else each
                names.add(call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", ""))
                if isinstance(each, ast.Call) and isinstance(call, ast.Attribute) and call.attr == "route":
                    methods |= {
                        str(m.value)
                        for k in each.keywords
                        if k.arg == "methods" and isinstance(k.value, ast.List)
                        for m in k.value.elts
                        if isinstance(m, ast.Constant)
                    }
            called = {
                n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
            }
            for method in methods:
                yield method, names, called


def count(operations: list[Operation], method: str, header: str, required: bool) -> int:
    return sum(f" {method} " in name and headers.get(header) is required for name, headers, _ in operations)


def test_every_change_of_an_object_requires_if_match(operations: list[Operation]) -> None:
    patches = {name: headers for name, headers, _ in operations if " PATCH " in name}
    assert len(patches) > 5
    assert {name for name, headers in patches.items() if headers.get("If-Match") is not True} == set()


def test_moves_may_name_the_version_they_saw(operations: list[Operation]) -> None:
    asked = sum(method == "POST" and "asked_version" in called for method, _, called in decorated())
    assert count(operations, "POST", "If-Match", False) == asked > 20
    for move in ("accept", "dispatch", "close"):
        path = f"/tickets/{{ref}}/{move}"
        assert [h["If-Match"] for name, h, _ in operations if name.endswith(path)] == [False]


def test_every_post_that_honours_it_names_the_idempotency_key(operations: list[Operation]) -> None:
    honours = sum(method == "POST" and "writes" in names for method, names, _ in decorated())
    assert count(operations, "POST", "Idempotency-Key", False) == honours > 40
    others = [
        name for name, headers, _ in operations if " POST " not in name and "Idempotency-Key" in headers
    ]
    assert others == []


def test_every_answer_that_can_be_unchanged_says_so(operations: list[Operation]) -> None:
    kept = {"revalidated", "until_published"}
    revalidated = sum(method == "GET" and bool(kept & names) for method, names, _ in decorated())
    assert count(operations, "GET", "If-None-Match", False) == revalidated > 5
    for name, headers, said in operations:
        assert ("If-None-Match" in headers) == ("304" in said["responses"]), name
