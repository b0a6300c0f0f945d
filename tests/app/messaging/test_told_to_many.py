"""What is told to many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from app import db, ids
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from tests.conftest import House, Person


@pytest.fixture
def statements(house: House) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    yield seen
    event.remove(db.engine(), "before_cursor_execute", note)


def tell(people: list[Person], idem: str) -> None:
    with db.transaction():
        messaging.notify_all(
            resident_ids=[one.id for one in people],
            kind=NoticeKind.PHONE_BOUND,
            community_id=ids.lane_of(people[0].id),
            idem=idem,
            params={"phone": "138****0000"},
        )


def test_many_are_told_in_as_many_statements_as_one(
    resident: Callable[..., Person], statements: list[str]
) -> None:
    people = [resident() for _ in range(8)]
    counts = []
    for some in (people[:1], people):
        del statements[:]
        tell(some, f"told:{uuid4().hex}")
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert [one.get("/inbox").json["items"][0]["kind"] for one in people] == ["phone_bound"] * 8


def test_who_was_told_is_not_told_again(resident: Callable[..., Person]) -> None:
    people, idem = [resident() for _ in range(3)], f"told:{uuid4().hex}"
    tell(people[:1], idem)
    tell(people, idem)
    assert [len(one.get("/inbox").json["items"]) for one in people] == [1, 1, 1]
