"""Dated rules and budgets: what is decided for a day holds from that day, or is refused in words, never passed over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.revenue.conftest import Books


@pytest.mark.parametrize(
    "more", [{"split_bp": 5000}, {"rounding": "floor"}, {"rhythm": "quarter"}, {"posting_days": 30}]
)
def test_a_rule_that_would_begin_inside_an_open_period_is_refused_by_its_name(
    books: Books, more: dict[str, Any]
) -> None:
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    refused = books.rules("2023-07-01", **more)
    assert (refused.status_code, refused.json["code"]) == (422, "revenue_settings_inside_period")
    for words in ("2023-07-01", "2023-01-01", "2023-12-31", "2024-01-01"):
        assert words in refused.json["detail"]
    assert set(refused.json["errors"]) == {"valid_from"}
    assert len(books.clerk.get(f"{books.base}/settings").json["items"]) == 1
    # From the first day of the period or of the next one it holds.
    assert books.rules("2023-01-01", split_bp=5000).status_code == 201
    assert books.rules("2024-01-01", **more).status_code == 201
    books.entered("2023-05-01", "income", "停车", 1000)
    assert books.go(period)["fund_fen"] == 500


def test_who_keeps_the_money_and_how_fast_doubts_are_answered_holds_from_any_day(books: Books) -> None:
    books.begin(first_day="2023-01-01", opening_fen=0)
    done = books.rules("2023-07-01", keeper="fund_centre", keeper_name="区维修资金中心", answer_days=3)
    assert done.status_code == 201, done.text


def test_a_rule_for_later_years_begins_with_one_of_their_periods(books: Books) -> None:
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    # None is begun: the periods to come are known all the same.
    refused = books.rules("2025-07-01", split_bp=5000)
    assert refused.json["code"] == "revenue_settings_inside_period"
    for words in ("2025-01-01", "2025-12-31", "2026-01-01"):
        assert words in refused.json["detail"]
    assert books.rules("2025-01-01", rhythm="quarter").status_code == 201
    assert books.rules("2025-07-01", rhythm="quarter", split_bp=5000).status_code == 201
    # And an earlier rule doesn't swallow the day of a later one.
    swallowed = books.rules("2025-01-01", rhythm="year")
    assert swallowed.json["code"] == "revenue_settings_inside_period"


def test_books_do_not_begin_with_a_period_into_which_a_rule_falls(books: Books) -> None:
    assert books.rules("2023-07-01", split_bp=5000).status_code == 201  # nobody knows yet where periods begin
    refused = books.clerk.post(f"{books.base}/periods", {"first_day": "2023-01-01", "opening_fen": 0})
    assert (refused.status_code, refused.json["code"]) == (422, "revenue_settings_inside_period")
    period = books.begin(first_day="2023-07-01", opening_fen=0)
    moved = books.clerk.patch(
        f"/revenue/periods/{period}", {"first_day": "2023-03-01"}, headers={"If-Match": "*"}
    )
    assert moved.json["code"] == "revenue_settings_inside_period"
    # Said as the one before, it is no change any more.
    assert books.rules("2023-07-01").status_code == 201
    moved = books.clerk.patch(
        f"/revenue/periods/{period}", {"first_day": "2023-01-01"}, headers={"If-Match": "*"}
    )
    assert moved.status_code == 200, moved.text


def plan(books: Books, year: int) -> Any:
    body = {
        "year": year,
        "basis": "业主大会决定",
        "lines": [{"category_id": books.category("income", "停车"), "amount_fen": 100}],
    }
    return books.clerk.post(f"{books.base}/budgets", body)


def test_a_budget_after_the_fact_is_refused_or_says_so(books: Books) -> None:
    books.rules("2023-01-01", rhythm="quarter")
    first = books.begin(first_day="2023-01-01", opening_fen=0)
    before = plan(books, 2023)
    assert (before.status_code, before.json["published_until"]) == (201, None)
    assert books.clerk.delete(f"/revenue/budgets/{before.json['budget_id']}").status_code == 204
    books.go(first)
    # In the middle of its year it is a plan for the rest, and everybody sees what was known by then.
    late = plan(books, 2023)
    assert (late.status_code, late.json["published_until"]) == (201, "2023-03-31")
    assert books.read("budgets")["items"][0]["published_until"] == "2023-03-31"
    # A slip is taken back as long as nothing more is published.
    assert books.clerk.delete(f"/revenue/budgets/{late.json['budget_id']}").status_code == 204
    late = plan(books, 2023)
    for _ in range(3):
        books.go(books.begin())
    kept = books.clerk.delete(f"/revenue/budgets/{late.json['budget_id']}")
    assert (kept.status_code, kept.json["code"]) == (409, "budget_in_use")
    # When all of the year is published, there is nothing left to plan.
    books.rules("2024-01-01", rhythm="year")
    assert plan(books, 2024).json["published_until"] is None
    over = plan(books, 2022)
    assert (over.status_code, over.json["code"]) == (409, "budget_too_late")
