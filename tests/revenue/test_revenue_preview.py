"""What staff see before they publish is what everybody sees afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conftest import small_jpeg
from tests.memberships.conftest import paper
from tests.revenue.conftest import Books


def figures(period: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in period.items() if name.endswith("_fen")}


def test_the_preview_is_what_everybody_sees_when_it_is_published(
    books: Books, work: Callable[..., int]
) -> None:
    file_id = paper(books.clerk, small_jpeg())
    period = books.begin(first_day="2023-01-01", opening_fen=4_825_030)
    books.entered("2023-02-01", "income", "停车", 1_234_567, counterparty="车主", note="二月")
    cost = books.entered("2023-03-01", "cost", "能耗", 34_567, file_ids=[file_id])
    books.clerk.post(f"/revenue/entries/{cost['entry_id']}/vouchers/{file_id}/public", {"boxes": []})
    work()
    in_draft = books.desk.get(f"/revenue/periods/{period}/preview").json
    books.go(period, "submit")
    frozen = books.desk.get(f"/revenue/periods/{period}/preview").json
    assert [line["amount_fen"] for line in in_draft["items"]] == [
        line["amount_fen"] for line in frozen["items"]
    ]
    assert figures(in_draft["period"]) == figures(frozen["period"])
    books.go(period, "review", "publish")
    published = [books.reader.get(f"/revenue/entries/{line['entry_id']}").json for line in books.lines()]
    assert frozen["items"] == published
    assert figures(frozen["period"]) == figures(books.read("periods")["items"][0])
    assert frozen["total"] == books.read("entries")["total"]
    again = books.desk.get(f"/revenue/periods/{period}/preview")
    assert (again.status_code, again.json["code"]) == (409, "already_published")


def test_the_ledger_says_what_its_drafts_add_up_to(books: Books) -> None:
    books.entered("2023-02-01", "income", "停车", 1_001)
    books.entered("2023-02-01", "cost", "能耗", 2)
    books.entered("2023-02-01", "adjustment", None, 1, account="income", is_decrease=True, note="退款")
    total = books.clerk.get(f"{books.base}/entries", query_string={"limit": 1}).json["total"]
    assert total == {
        "lines": 3,
        "income_fen": 1_000,
        "cost_fen": 2,
        "net_fen": 998,
        "uses_fen": 0,
        "fund_fen": 0,
    }


def test_the_overview_says_which_period_waits_for_whom(books: Books) -> None:
    def waits() -> Any:
        items = books.desk.get("/revenue/overview").json["items"]
        one = next(item for item in items if item["estate_id"] == books.where.estate_id)
        return one["open_period"] and (one["open_period"]["state"], one["open_period"]["is_reviewed"])

    assert waits() is None
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    seen = [waits()]
    for step in ("submit", "review", "publish"):
        books.go(period, step)
        seen.append(waits())
    assert seen == [("draft", False), ("in_review", False), ("in_review", True), None]
