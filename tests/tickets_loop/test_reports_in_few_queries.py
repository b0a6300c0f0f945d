"""What I took in is listed with as many statements for many referred tickets as for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import event

from app import db, ids
from app.ids import Kind
from tests.conftest import Town


@contextmanager
def statements() -> Iterator[list[str]]:
    """Those that the house sends meanwhile."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)


def test_referred_reports_are_listed_with_a_fixed_number_of_statements(town: Town) -> None:
    desks = {name: town.staff("community", where) for name, where in (("a", town.a), ("b", town.b))}
    there = {
        name: ids.encode(Kind.COMMUNITY, UUID(int=where.id)) for name, where in (("a", town.a), ("b", town.b))
    }

    def taken_in_and_referred() -> str:
        made = desks["a"].post(
            "/tickets",
            {"channel": "phone", "reporter": {"name": "测", "phone": "13900000000"}, "category": "noise",
             "estate_id": town.a.estate_id, "text": uuid4().hex},
        )  # fmt: skip
        assert made.status_code == 201, made.text
        now = made.json["ticket_id"]
        for by, to in (("a", "b"), ("b", "a")):
            body = {"community_id": there[to], "reason": "属于那边"}
            now = desks[by].post(f"/tickets/{now}/refer", body).json["referred_to"]
        assert desks["a"].post(f"/tickets/{now}/accept").status_code == 200
        return str(made.json["ticket_id"])

    def listed() -> tuple[int, dict[str, str]]:
        with statements() as sent:
            items = desks["a"].get("/reports").json["items"]
        return len(sent), {item["ticket_id"]: item["status"] for item in items}

    expected = {taken_in_and_referred(): "accepted"}
    desks["a"].get("/reports")
    few, seen = listed()
    assert expected.items() <= seen.items()
    expected |= {taken_in_and_referred(): "accepted" for _ in range(4)}
    many, seen = listed()
    assert expected.items() <= seen.items()
    assert many == few
