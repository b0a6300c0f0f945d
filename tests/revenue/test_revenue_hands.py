"""Who had a hand in the books, who was first, and what a file, a period or a contract says that is easily misread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from app.places.identity import Party
from tests.conftest import House, Person, small_jpeg
from tests.memberships.conftest import paper, phone, told
from tests.revenue.conftest import Books, contract
from tests.revenue.test_revenue_import import HEADINGS, Office, workbook
from tests.revenue.test_revenue_overview import odd, seen
from tests.revenue.test_revenue_residents import bind, house_of

ANY = {"If-Match": "*"}
Touch = Callable[[Books, dict[str, Any]], Any]


def change(books: Books, draft: dict[str, Any]) -> Any:
    return books.bookkeeper.patch(f"/revenue/entries/{draft['entry_id']}", {"note": "另写"}, headers=ANY)


def hang(books: Books, draft: dict[str, Any]) -> Any:
    """A voucher by the bookkeeper, which the clerk has drawn."""
    file_id = paper(books.bookkeeper, small_jpeg())
    path = f"/revenue/entries/{draft['entry_id']}"
    hung = books.bookkeeper.patch(path, {"file_ids": [file_id]}, headers=ANY)
    assert books.clerk.post(f"{path}/vouchers/{file_id}/public", {"boxes": []}).status_code == 202
    return hung


def cover(books: Books, draft: dict[str, Any]) -> Any:
    """What of the clerk's voucher isn't shown, says the bookkeeper."""
    file_id = paper(books.clerk, small_jpeg())
    path = f"/revenue/entries/{draft['entry_id']}"
    assert books.clerk.patch(path, {"file_ids": [file_id]}, headers=ANY).status_code == 200
    return books.bookkeeper.post(f"{path}/vouchers/{file_id}/public", {"boxes": []})


def review(books: Books, period: str, *, passed: bool = True) -> Any:
    return books.bookkeeper.post(f"/revenue/periods/{period}/review", {"passed": passed})


@pytest.mark.parametrize("touch", [change, hang, cover])
def test_who_touched_a_line_is_no_second_person(books: Books, touch: Touch) -> None:
    draft = books.entered("2023-02-01", "income", "停车", 1000)
    answer = touch(books, draft)
    assert answer.status_code in {200, 202}, answer.text
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    books.go(period, "submit")
    refused = review(books, period)
    assert (refused.status_code, refused.json["code"]) == (403, "second_person")
    books.go(period, "review")


def test_who_looked_or_worked_on_another_period_is_a_second_person(books: Books) -> None:
    file_id = paper(books.clerk, small_jpeg())
    draft = books.entered("2023-02-01", "income", "停车", 1000, file_ids=[file_id])
    path = f"/revenue/entries/{draft['entry_id']}/vouchers/{file_id}"
    assert books.clerk.post(f"{path}/public", {"boxes": []}).status_code == 202
    assert books.bookkeeper.post(f"{path}/content").status_code == 200
    change(books, books.entered("2024-02-01", "income", "停车", 1000))
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    books.go(period, "submit")
    assert review(books, period).status_code == 200


def test_who_brought_a_file_is_no_second_person(books: Books, work: Callable[..., int]) -> None:
    office = Office(books, work)
    books.category("income", "停车")
    for number, year in enumerate((2023, 2024)):
        data = workbook([HEADINGS, [f"{year}-03-01", "收入", "停车", "1.00", "", "", ""]])
        uploader = (books.bookkeeper, books.clerk)[number]
        sent = uploader.upload(f"{books.base}/imports", data, "台账.xlsx")
        assert sent.status_code == 202, sent.text
        work()
        assert office.apply(sent.json["job_id"])["state"] == "applied"  # by the clerk
        period = books.begin(**({"first_day": "2023-01-01", "opening_fen": 0} if year == 2023 else {}))
        books.go(period, "submit")
        answer = review(books, period)
        assert answer.status_code == (403, 200)[number], answer.text
        if number == 0:
            books.go(period, "review")
        books.go(period, "publish")


@pytest.mark.parametrize("what", ["contracts", "categories"])
def test_of_two_who_saw_the_same_version_the_second_is_refused(
    books: Books, house: House, held_up: Callable[[int], None], what: str
) -> None:
    path: str
    bodies: list[dict[str, Any]]
    if what == "contracts":
        path, bodies = f"/revenue/contracts/{contract(books)}", [{"party": "甲"}, {"number": "B"}]
    else:
        category = books.category("income", "停车")
        path, bodies = f"/revenue/categories/{category}", [{"is_active": False}, {"is_active": True}]
    both_saw = {"If-Match": '"1"'}
    with (
        psycopg.connect(house.pg.url("superuser", "house")) as hold,
        ThreadPoolExecutor(2) as both,
    ):
        hold.execute("SELECT 1 FROM estates WHERE community_id = %s FOR UPDATE", [books.where.id])
        asked = [
            both.submit(who.patch, path, body, headers=both_saw)
            for who, body in zip((books.clerk, books.bookkeeper), bodies, strict=True)
        ]
        held_up(2)
        hold.rollback()
        answers = [one.result() for one in asked]
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    (kept,) = (body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 200)
    items = books.clerk.get(f"{books.base}/{what}").json["items"]
    found = items[-1] if what == "contracts" else next(item for item in items if item["name"] == "停车")
    assert found["version"] == 2
    assert found.items() >= kept.items()


def test_an_entry_is_read_whatever_its_first_word_is(books: Books, work: Callable[..., int]) -> None:
    office = Office(books, work)
    for name in ("审核费用", "累计折旧"):
        books.category("use", name)
    rows = [
        ["科目", "日期", "类型", "金额（元）", "摘要"],
        ["审核费用", "2023-03-01", "支出", "8000.00", "年度审计"],
        ["累计折旧", "2023-03-02", "支出", "1.00", ""],
        ["累计未知", "2023-03-02", "支出", "2.00", ""],
        ["合计", "", "", "8003.00", ""],
        ["本月合计", "2023-03-31", "", "8003.00", ""],
        ["制表：张三", "2023-03-31", "", "", "审核：李四"],
        ["审核：李四", "", "", "", ""],
    ]
    shown = office.preview(workbook(rows), make=False)
    assert (shown["new"], shown["sums_fen"]["use"]) == (2, 800_100)
    assert [(p["row"], p["code"]) for p in shown["problems"]] == [(4, "category_unknown")]
    # Of two columns the one that is filled says what it is.
    rows = [
        ["科目", "日期", "收入金额", "支出金额", "摘要"],
        ["审核费用", "2023-03-05", "", "8000.00", ""],
        ["累计", "2023-03-31", "", "8000.00", ""],
        ["合计", "2023-03-31", "0", "=SUM(D2:D2)", ""],
    ]
    shown = office.preview(workbook(rows), make=False)
    assert (shown["new"], shown["bad"], shown["sums_fen"]["use"]) == (1, 0, 800_000)


def test_the_first_period_is_corrected_while_it_is_in_draft(books: Books) -> None:
    later = books.clerk.post(f"{books.base}/periods", {"first_day": "2099-01-01", "opening_fen": 0})
    assert (later.status_code, later.json["code"]) == (422, "day_in_future")
    assert set(later.json["errors"]) == {"first_day"}
    period = books.begin(first_day="2026-01-01", opening_fen=1)
    path = f"/revenue/periods/{period}"
    assert books.desk.patch(path, {"opening_fen": 2}, headers=ANY).status_code == 403
    assert books.clerk.patch(path, {"opening_fen": 2}).status_code == 428
    assert books.clerk.patch(path, {"opening_fen": 2}, headers={"If-Match": '"7"'}).status_code == 412
    for bad, code in (("2099-01-01", "day_in_future"), ("2022-01-01", "revenue_settings_missing")):
        refused = books.clerk.patch(path, {"first_day": bad}, headers=ANY)
        assert refused.json["code"] == code
    done = books.clerk.patch(
        path, {"first_day": "2023-02-01", "opening_fen": 500}, headers={"If-Match": '"1"'}
    )
    assert done.status_code == 200, done.text
    wanted = {"first_day": "2023-02-01", "last_day": "2023-12-31", "opening_fen": 500, "version": 2}
    assert done.get_json().items() >= wanted.items()
    books.entered("2023-02-01", "income", "停车", 1000)
    books.go(period, "submit")
    assert books.clerk.patch(path, {"opening_fen": 2}, headers=ANY).json["code"] == "illegal_period_move"
    assert books.go(period, "review", "publish")["closing_fen"] == 500 + 300
    assert books.clerk.patch(path, {"opening_fen": 2}, headers=ANY).json["code"] == "already_published"
    second = f"/revenue/periods/{books.begin()}"
    refused = books.clerk.patch(second, {"opening_fen": 2}, headers=ANY)
    assert (refused.status_code, refused.json["code"]) == (422, "period_first_day")


def test_who_set_the_opening_balance_is_no_second_person(books: Books) -> None:
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    changed = books.bookkeeper.patch(f"/revenue/periods/{period}", {"opening_fen": 5}, headers=ANY)
    assert changed.status_code == 200, changed.text
    books.go(period, "submit")
    assert review(books, period).json["code"] == "second_person"


def test_books_that_began_after_their_rules_are_due_by_their_first_period(books: Books) -> None:
    assert seen(books)[books.where.estate_id]["due_on"] == "2024-01-30"  # nobody began at all
    books.begin(first_day="2026-03-01", opening_fen=0)
    shown = seen(books)[books.where.estate_id]
    assert (shown["due_on"], shown["is_late"]) == ("2027-01-30", False)


def test_arrears_and_costs_of_a_contract_that_ended_are_not_odd(books: Books) -> None:
    paid = contract(books)
    books.entered("2023-02-01", "income", "电梯广告", 60, contract_id=paid)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    books.entered("2024-02-01", "income", "电梯广告", 40, contract_id=paid)  # what was missing, to the fen
    books.entered("2024-02-02", "cost", "押金退还", 500, contract_id=paid)
    books.go(books.begin())
    assert odd(books) == []
    books.entered("2025-02-01", "income", "电梯广告", 41, contract_id=paid)
    books.go(books.begin())
    (flag,) = (f for f in seen(books)[books.where.estate_id]["oddities"] if f["flag"] == "contract_over")
    assert flag["contract_id"] == paid
    for words in ("2023-12-31", "2024-02-01", "0.81", "0.40"):
        assert words in flag["reason"]


def test_a_line_takes_nine_vouchers_in_all(books: Books) -> None:
    file_ids = [paper(books.clerk) for _ in range(10)]
    draft = books.entered("2023-02-01", "income", "停车", 1000, file_ids=file_ids[:5])
    path = f"/revenue/entries/{draft['entry_id']}"
    refused = books.clerk.patch(path, {"file_ids": file_ids[5:]}, headers=ANY)
    assert (refused.status_code, refused.json["code"]) == (422, "too_many_vouchers")
    assert "9" in refused.json["errors"]["file_ids"][0]
    assert len(books.clerk.get(path).json["vouchers"]) == 5
    done = books.clerk.patch(path, {"file_ids": file_ids[5:9]}, headers=ANY)
    assert (done.status_code, len(done.json["vouchers"])) == (200, 9)


def test_a_correction_lies_in_the_period_it_is_prepared_in(books: Books) -> None:
    wrong = books.entered("2023-02-01", "income", "停车", 1000)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    path = f"/revenue/periods/{books.begin()}/correct"
    body = {"entry_id": wrong["entry_id"], "reason": "记错"}
    refused = books.clerk.post(path, body | {"day": "2025-01-01"})
    assert (refused.status_code, refused.json["code"]) == (422, "day_outside_period")
    assert set(refused.json["errors"]) == {"day"}
    assert books.clerk.post(path, body | {"day": "2024-12-31"}).status_code == 201


def test_who_objected_is_told_the_answer(books: Books, house: House, resident: Callable[..., Person]) -> None:
    number = phone()
    home = house_of(books, "101", 8912, Party(name="张三", phone=number))
    entry = books.entered("2023-02-01", "income", "停车", 100_00)["entry_id"]
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    wang = resident()
    bind(house, wang, home, "张三", number)
    objected = wang.post(f"/revenue/entries/{entry}/objections", {"text": "为什么这么少？"})
    assert objected.status_code == 201, objected.text
    path = f"/revenue/objections/{objected.json['objection_id']}/answer"
    assert books.desk.post(path, {"text": "只收了一个月"}).status_code == 200
    message = wang.get("/inbox").json["items"][0]
    assert (message["kind"], message["target"]) == (
        "revenue_answered",
        {"type": "revenue_entry", "id": entry},
    )
    for words in ("2023-02-01", "100.00", "只收了一个月"):
        assert words in message["text"]
    assert books.desk.post(path, {"text": "又一次"}).status_code == 409
    assert told(wang).count("revenue_answered") == 1
