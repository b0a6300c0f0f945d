"""Classes of a test's own: made over HTTP, gone afterwards, because all tests of a process share one tree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app.places import queries as places
from tests.conftest import Caller, Town


def in_days(days: int) -> str:
    """The day so many days from today, as the API writes it."""
    return (places.today() + timedelta(days=days)).isoformat()


def today() -> date:
    return places.today()


class Classes:
    """The street's hand on the tree."""

    def __init__(self, street: Caller) -> None:
        self.street = street
        self.mark = f"t{uuid4().hex[:8]}"
        self.count = 0

    def code(self) -> str:
        self.count += 1
        return f"{self.mark}_{self.count}"

    def add(self, **body: Any) -> dict[str, Any]:
        """A new class for staff alone; the answer's body."""
        whole = {"code": self.code(), "name": "试用类别", "for_residents": False} | body
        answer = self.street.post("/categories", whole)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json or {}
        return found

    def change(self, code: str, version: int | None = None, **body: Any) -> Any:
        """PATCH with the version given, or the one that is there now."""
        if version is None:
            version = self.get(code)["version"]
        return self.street.patch(f"/categories/{code}", body, headers={"If-Match": f'"{version}"'})

    def get(self, code: str) -> dict[str, Any]:
        answer = self.street.get(f"/categories/{code}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json or {}
        return body

    def on(self, day: str | None = None) -> dict[str, dict[str, Any]]:
        """The tree of a day, by code."""
        answer = self.street.get("/categories", query_string={"on": day} if day else None)
        assert answer.status_code == 200, answer.text
        return {row["code"]: row for row in answer.json["items"]}


@pytest.fixture
def classes(town: Town, owner: psycopg.Connection[Any]) -> Iterator[Classes]:
    made = Classes(town.staff("street"))
    yield made
    like = f"{made.mark}%"
    owner.execute("UPDATE tickets SET category_code = NULL WHERE category_code LIKE %s", [like])
    owner.execute("DELETE FROM category_terms WHERE code LIKE %s", [like])
    owner.execute("DELETE FROM categories WHERE code LIKE %s", [like])
