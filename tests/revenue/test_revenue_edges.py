"""Where books go wrong quietly: corrected transfers, days before the first, flags that outlive their cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.revenue.conftest import Books
from tests.revenue.test_revenue_import import HEADINGS, Office, workbook
from tests.revenue.test_revenue_overview import odd


def reversal(books: Books, period: str, entry_id: str, day: str) -> dict[str, Any]:
    body = {"entry_id": entry_id, "reason": "记错", "day": day}
    made = books.clerk.post(f"/revenue/periods/{period}/correct", body)
    assert made.status_code == 201, made.text
    return dict(made.get_json())


def test_a_transfer_to_the_fund_is_corrected_for_good(books: Books) -> None:
    income = books.entered("2023-02-01", "income", "停车", 1000)
    done = books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    assert (done["fund_fen"], done["closing_fen"]) == (700, 300)
    (split,) = books.lines(kind="fund")
    period = books.begin()
    reversal(books, period, income["entry_id"], "2024-01-05")
    reversal(books, period, split["entry_id"], "2024-01-05")
    books.entered("2024-01-06", "income", "停车", 100)
    done = books.go(period)
    # Nothing is left of the wrong 1,000; of a net below nothing the fund gets nothing.
    assert (done["income_fen"], done["fund_fen"], done["closing_fen"]) == (-900, -700, 100)
    assert books.read("summary", by="year")["total"]["closing_fen"] == 100
    # What is transferred by hand counts towards the rules' part; a correction of an earlier year's isn't of this year.
    period = books.begin()
    books.entered("2025-01-06", "income", "停车", 1000)
    books.entered("2025-02-06", "fund", None, 300)
    books.entered("2025-03-06", "adjustment", None, 50, account="fund", is_decrease=True)
    assert books.go(period)["fund_fen"] == 700 - 50


def test_no_line_lies_before_the_first_day_of_the_books(books: Books, work: Callable[..., int]) -> None:
    early = books.entered("2022-12-15", "income", "停车", 1000)
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    refused = books.clerk.post(f"/revenue/periods/{period}/submit")
    assert (refused.status_code, refused.json["code"]) == (409, "drafts_too_early")
    assert refused.json["entries"] == [early["entry_id"]]
    again = books.enter("2022-12-16", "income", "停车", 1000)
    assert (again.status_code, again.json["code"]) == (422, "day_before_books")
    office = Office(books, work)
    seen = office.preview(workbook([HEADINGS, ["2022-12-31", "收入", "停车", "1.00", "", "", ""]]))
    assert [(p["column"], p["code"]) for p in seen["problems"]] == [("A", "day_before_books")]
    path = f"/revenue/entries/{early['entry_id']}"
    moved = books.clerk.patch(path, {"day": "2023-01-02"}, headers={"If-Match": "*"})
    assert moved.status_code == 200, moved.text
    done = books.go(period)
    shown = books.read("summary", by="month")["total"]
    assert (shown["income_fen"], shown["closing_fen"]) == (done["income_fen"], done["closing_fen"])


def test_what_is_corrected_is_odd_no_more(books: Books) -> None:
    body = {
        "category_id": books.category("income", "电梯广告"),
        "number": "GG-01",
        "party": "某公司",
        "subject": "广告",
        "price_fen": 100,
        "rhythm": "year",
        "starts_on": "2022-01-01",
        "ends_on": "2022-12-31",
    }
    contract = books.clerk.post(f"{books.base}/contracts", body).json["contract_id"]
    wrong = books.entered("2023-02-01", "income", "电梯广告", 101, contract_id=contract)  # 100 were due
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    assert odd(books) == ["contract_over"]
    period = books.begin()
    reversal(books, period, wrong["entry_id"], "2024-01-05")
    books.entered("2024-01-06", "income", "电梯广告", 300)
    books.go(period)
    assert odd(books) == []


def test_a_formula_in_a_csv_is_refused_as_in_a_workbook(books: Books, work: Callable[..., int]) -> None:
    office = Office(books, work)
    books.category("income", "停车")
    rows = [HEADINGS, ["2023-03-01", "收入", "停车", "1.00", "=1+1", "", ""]]
    text = "\n".join(
        ",".join(row) for row in [*rows, ["2023-03-02", "收入", "停车", "1.00", "", "", "-5元退款"]]
    )
    for data, name in ((text.encode(), "台账.csv"), (workbook(rows), "台账.xlsx")):
        seen = office.preview(data, name, make=False)
        assert [(p["row"], p["column"], p["code"]) for p in seen["problems"]] == [(2, "E", "formula")]
        assert seen["new"] == (name == "台账.csv")
    assert office.drafts() == []
