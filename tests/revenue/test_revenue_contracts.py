"""A contract under which something is published changes by two people, and everybody sees what it was before."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.conftest import House, Town
from tests.revenue.conftest import Books, contract

ANY = {"If-Match": "*"}


def in_use(books: Books, **more: Any) -> str:
    """A contract with a published line."""
    made = contract(books, **more)
    books.entered("2023-02-01", "income", "电梯广告", 100, contract_id=made)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    return made


def shown(books: Books) -> dict[str, Any]:
    return dict(books.read("contracts")["items"][0])


def waiting(books: Books) -> list[dict[str, Any]]:
    answer = books.desk.get(f"{books.base}/contract-changes")
    assert answer.status_code == 200, answer.text
    return [item for item in answer.json["items"] if item["decided_at"] is None]


def test_a_contract_in_use_changes_when_a_second_person_agrees(books: Books) -> None:
    made = in_use(books)
    path = f"/revenue/contracts/{made}"
    asked = books.bookkeeper.patch(
        path, {"party": "乙公司", "ends_on": "2024-06-30", "number": "GG-01"}, headers={"If-Match": '"1"'}
    )
    assert asked.status_code == 202, asked.text
    assert (asked.json["party"], asked.json["ends_on"], asked.json["version"]) == ("某公司", "2023-12-31", 1)
    before = shown(books)
    assert (before["party"], before["ends_on"], before["changes"]) == ("某公司", "2023-12-31", [])
    (change,) = waiting(books)
    assert change["contract_id"] == made
    wanted = [
        {"field": "ends_on", "before": "2023-12-31", "after": "2024-06-30"},
        {"field": "party", "before": "某公司", "after": "乙公司"},
    ]
    assert change["changed"] == wanted
    decide = f"/revenue/contract-changes/{change['change_id']}/review"
    own = books.bookkeeper.post(decide, {"passed": True})
    assert (own.status_code, own.json["code"]) == (403, "contract_second_person")
    assert books.clerk.post(decide, {"passed": True}).status_code == 403
    second = books.clerk.patch(path, {"subject": "另写"}, headers=ANY)
    assert (second.status_code, second.json["code"]) == (409, "contract_change_open")
    done = books.desk.post(decide, {"passed": True, "note": "见补充协议"})
    assert done.status_code == 200, done.text
    assert (done.json["passed"], done.json["note"]) == (True, "见补充协议")
    after = shown(books)
    assert (after["party"], after["ends_on"], after["version"]) == ("乙公司", "2024-06-30", 2)
    (history,) = after["changes"]
    assert history["changed"] == wanted
    again = books.desk.post(decide, {"passed": False})
    assert (again.status_code, again.json["code"]) == (409, "contract_change_decided")
    assert waiting(books) == []


def test_a_refused_change_leaves_the_contract_and_no_trace_for_residents(books: Books) -> None:
    made = in_use(books)
    before = shown(books)
    asked = books.clerk.patch(f"/revenue/contracts/{made}", {"ends_on": "2030-12-31"}, headers=ANY)
    assert asked.status_code == 202
    (change,) = waiting(books)
    decide = f"/revenue/contract-changes/{change['change_id']}/review"
    assert books.bookkeeper.post(decide, {"passed": False, "note": "没有补充协议"}).status_code == 200
    assert shown(books) == before
    # What was refused may be asked for again.
    assert books.clerk.patch(f"/revenue/contracts/{made}", {"party": "乙"}, headers=ANY).status_code == 202


def test_a_contract_nothing_is_published_of_is_corrected_by_one(books: Books) -> None:
    made = contract(books)
    books.entered("2023-02-01", "income", "电梯广告", 100, contract_id=made)
    done = books.clerk.patch(f"/revenue/contracts/{made}", {"party": "乙公司"}, headers=ANY)
    assert (done.status_code, done.json["party"], done.json["version"]) == (200, "乙公司", 2)
    assert waiting(books) == []
    # Handed in, it is what the reviewer looks at.
    books.go(books.begin(first_day="2023-01-01", opening_fen=0), "submit")
    late = books.clerk.patch(f"/revenue/contracts/{made}", {"party": "丙公司"}, headers=ANY)
    assert late.status_code == 202


def test_a_change_that_changes_nothing_or_ends_too_early_waits_for_nobody(books: Books, town: Town) -> None:
    made = in_use(books)
    path = f"/revenue/contracts/{made}"
    same = books.clerk.patch(path, {"party": "某公司"}, headers=ANY)
    assert (same.status_code, same.json["version"]) == (200, 1)
    backwards = books.clerk.patch(path, {"ends_on": "2022-12-31"}, headers=ANY)
    assert (backwards.status_code, backwards.json["code"]) == (422, "contract_span")
    assert waiting(books) == []
    assert books.clerk.patch(path, {"party": "乙"}, headers=ANY).status_code == 202
    (change,) = waiting(books)
    stranger = town.staff("community", town.b)
    decide = f"/revenue/contract-changes/{change['change_id']}/review"
    assert stranger.post(decide, {"passed": True}).status_code == 404
    assert stranger.get(f"{books.base}/contract-changes").status_code == 404


def test_what_two_decided_is_neither_made_up_nor_rewritten(books: Books, house: House) -> None:
    made = in_use(books)
    books.agree(made, {"party": "乙公司"})
    assert (
        books.clerk.patch(f"/revenue/contracts/{made}", {"party": "丙公司"}, headers=ANY).status_code == 202
    )
    home = {"home": books.where.id}
    changes = "UPDATE revenue_contract_changes SET {} WHERE community_id = %(home)s AND decided_at IS {} NULL"
    for statement, refusal in (
        (changes.format("fields = '{}'", "NOT"), psycopg.errors.InsufficientPrivilege),
        (changes.format("fields = '{}'", ""), psycopg.errors.InsufficientPrivilege),
        (
            changes.format("passed = true, decided_at = now(), decided_by = asked_by", ""),
            psycopg.errors.CheckViolation,
        ),
        (
            "DELETE FROM revenue_contract_changes WHERE community_id = %(home)s",
            psycopg.errors.InsufficientPrivilege,
        ),
        (
            "UPDATE revenue_contracts SET party = '丁公司', version = version + 1 WHERE community_id = %(home)s",
            psycopg.errors.InsufficientPrivilege,
        ),
    ):
        with psycopg.connect(house.pg.url("app", "house")) as connection, pytest.raises(refusal):
            connection.execute(statement, home)
    assert shown(books)["party"] == "乙公司"
