"""What the street sees of many estates: each flag where it belongs, and none where it just misses."""

from __future__ import annotations

from typing import Any

from tests.conftest import Town
from tests.revenue.conftest import Books


def seen(books: Books, role: str = "street") -> dict[str, Any]:
    answer = books.town.staff(role).get("/revenue/overview")
    assert answer.status_code == 200, answer.text
    return {item["estate_id"]: item for item in answer.json["items"]}


def odd(books: Books) -> list[str]:
    return sorted(flag["flag"] for flag in seen(books)[books.where.estate_id]["oddities"])


def test_each_rule_flags_its_case(books: Books) -> None:
    body = {
        "category_id": books.category("income", "电梯广告"),
        "number": "GG-01",
        "party": "某公司",
        "subject": "广告",
        "price_fen": 100,
        "rhythm": "year",
        "starts_on": "2023-01-01",
        "ends_on": "2024-05-31",
    }
    contract = books.clerk.post(f"{books.base}/contracts", body).json["contract_id"]
    books.entered("2023-02-01", "income", "停车", 1001)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    books.entered("2024-02-01", "income", "停车", 500)
    books.entered("2024-06-01", "income", "电梯广告", 201, contract_id=contract)  # two years' 100 were due
    books.entered("2024-03-01", "cost", "停车人工", 1_000_000)
    books.go(books.begin())
    shown = seen(books)[books.where.estate_id]
    assert odd(books) == ["category_fell", "contract_over", "round_cost"]
    reasons = "".join(flag["reason"] for flag in shown["oddities"])
    for words in ("停车", "10.01", "GG-01", "2024-05-31", "10000.00"):
        assert words in reasons
    assert shown["published_until"] == "2024-12-31"
    assert (shown["due_on"], shown["is_late"]) == ("2026-01-30", True)


def test_a_near_miss_is_no_flag(books: Books) -> None:
    body = {
        "category_id": books.category("income", "电梯广告"),
        "number": "GG-01",
        "party": "某公司",
        "subject": "广告",
        "price_fen": 100,
        "rhythm": "year",
        "starts_on": "2023-01-01",
        "ends_on": "2024-05-31",
    }
    contract = books.clerk.post(f"{books.base}/contracts", body).json["contract_id"]
    books.entered("2023-02-01", "income", "停车", 1001)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    books.entered("2024-02-01", "income", "停车", 501)
    books.entered("2024-05-31", "income", "电梯广告", 100, contract_id=contract)
    books.entered("2024-03-01", "cost", "停车人工", 1_000_001)
    books.entered("2024-03-02", "cost", "停车人工", 900_000)
    books.go(books.begin())
    assert odd(books) == []


def test_everybody_sees_the_estates_of_her_own_area(books: Books, town: Town) -> None:
    street = seen(books)
    assert {town.a.estate_id, town.b.estate_id} <= set(street)
    assert not street[town.b.estate_id]["has_rules"]
    assert street[town.b.estate_id]["due_on"] is None
    assert town.b.estate_id not in seen(books, "community")
    assert set(seen(books, "property")) == {town.a.estate_id}
    assert town.staff("grid").get("/revenue/overview").status_code == 403
