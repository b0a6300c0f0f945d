"""What residents do with published figures: their share, a doubt, contracts; and what staff take away as a table."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.people import dossier
from app.places import queries as places
from app.places import registry
from app.places.identity import Party
from app.revenue import shares
from app.revenue.money import Rounding, largest_remainder, split, yuan
from app.revenue.queries import statement_of
from app.revenue.spans import Rhythm, first_of, last_of, months_after
from tests.conftest import House, Person
from tests.memberships.conftest import phone
from tests.revenue.conftest import Books
from tests.revenue.test_revenue_overview import seen


def house_of(books: Books, number: str, centi: int | None, *owners: Party) -> str:
    with db.transaction():
        made = registry.add_house(
            estate=books.where.estate,
            building="1栋",
            number=number,
            registered_centi=centi,
            owners=owners,
            acting_user=SYSTEM,
        )
    return ids.encode(Kind.HOUSE, Ref(made.community_id, made.id))


def bind(house: House, who: Person, home: str, name: str, number: str) -> None:
    code = house.order("codes", name=who.name, kind="phone", phone=number)["code"]
    assert who.post("/session/phone", {"code": code}).status_code == 200
    bound = who.post("/memberships", {"house_id": home, "relation": "owner", "name": name})
    assert bound.status_code == 201, bound.text


@given(st.integers(-(10**9), 10**12), st.lists(st.integers(0, 10**7), min_size=1, max_size=60))
def test_shares_sum_to_the_whole_and_none_is_a_fen_away_from_its_fraction(
    total: int, weights: list[int]
) -> None:
    if sum(weights) == 0:
        with pytest.raises(ValueError, match="no weight"):
            largest_remainder(total, weights)
        return
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


def test_the_split_follows_its_rounding_rule() -> None:
    net = 39_034_475  # 70 % ends with half a fen
    assert [split(net, 7000, rule) for rule in (Rounding.HALF_EVEN, Rounding.HALF_UP, Rounding.FLOOR)] == [
        27_324_132,
        27_324_133,
        27_324_132,
    ]
    assert split(15, 5000, Rounding.HALF_EVEN) == 8  # 7.5: to the even one, upwards
    assert split(-100, 7000, Rounding.HALF_UP) == 0
    assert (yuan(-1234), yuan(5), yuan(100)) == ("-12.34", "0.05", "1.00")


@given(st.dates(), st.sampled_from(list(Rhythm)))
def test_spans_cover_the_calendar_without_gap(day: Any, rhythm: Rhythm) -> None:
    if not 2 < day.year < 9990:
        return
    first, last = first_of(day, rhythm), last_of(day, rhythm)
    assert first <= day <= last
    assert first_of(months_after(first, 12), rhythm) == months_after(first, 12)
    assert first_of(last, rhythm) == first


def test_my_share_is_by_area_and_all_shares_sum_exactly(
    books: Books, house: House, resident: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    number = phone()
    mine = house_of(books, "101", 8912, Party(name="张三", phone=number))
    house_of(books, "102", 12738, Party(name="李四", phone=phone()))
    house_of(books, "103", 3333, Party(name="王五", phone=phone()))
    house_of(books, "104", None, Party(name="赵六", phone=phone()))
    # The register begins today: a period that ends before has no houses yet.
    books.rules("2024-01-01", split_bp=0, rhythm="month")
    books.entered("2024-01-15", "income", "停车", 10_001)
    books.entered("2024-01-16", "cost", "税金", 100)
    period = books.begin(first_day="2024-01-01", opening_fen=7)
    books.go(period)
    none_yet = books.reader.get(f"{books.base}/my-share")
    assert (none_yet.status_code, none_yet.json["code"]) == (409, "areas_unknown")
    for table in ("houses", "holdings"):
        owner.execute(
            f"UPDATE {table} SET valid_from = '2020-01-01' WHERE community_id = %s", [books.where.id]
        )
    wang = resident()
    bind(house, wang, mine, "张三", number)
    shown = wang.get(f"{books.base}/my-share?period={period}").get_json()
    (own,) = shown["mine"]
    assert own["house_id"] == mine
    assert (shown["area_centi"], shown["houses_counted"], shown["houses_without_area"]) == (24_983, 3, 1)
    assert (shown["net_fen"], shown["closing_fen"]) == (9_901, 9_908)
    assert "二百八十三" in shown["rule"]
    with db.reading():
        everyone = shares.shares(books.where.estate, statement_of(books.where.estate, None))
    assert sum(h.net_fen for h in everyone.houses) == 9_901
    assert sum(h.closing_fen for h in everyone.houses) == 9_908
    assert own["net_fen"] == next(h.net_fen for h in everyone.houses if h.area_centi == 8912)
    assert own["net_fen"] in {9_901 * 8912 // 24_983, 9_901 * 8912 // 24_983 + 1}
    assert books.read("my-share")["mine"] == []


def test_a_doubt_becomes_a_ticket_with_a_day_and_a_public_answer(
    books: Books, house: House, resident: Callable[..., Person], later: Callable[..., Any]
) -> None:
    number = phone()
    home = house_of(books, "101", 8912, Party(name="张三", phone=number))
    books.entered("2023-02-01", "cost", "停车人工", 960_000)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    (line,) = books.lines()
    path = f"/revenue/entries/{line['entry_id']}/objections"
    stranger = books.reader.post(path, {"text": "为什么这么多？"})
    assert (stranger.status_code, stranger.json["code"]) == (403, "not_a_member")
    wang = resident()
    bind(house, wang, home, "张三", number)
    made = wang.post(path, {"text": "为什么这么多？"})
    assert made.status_code == 201, made.text
    ticket = wang.get(f"/tickets/{made.json['ticket_id']}").get_json()
    assert "9600.00" in ticket["text"]
    assert wang.post(path, {"text": "再问一次"}).json["code"] == "objected_already"
    public = books.read("objections")["items"]
    assert [(o["text"], o["ticket_id"], o["answer"], o["answered_by"]) for o in public] == [(None,) * 4]
    assert books.desk.get(f"{books.base}/objections").json["items"][0]["text"] == "为什么这么多？"
    answer_path = f"/revenue/objections/{made.json['objection_id']}/answer"
    assert books.clerk.post(answer_path, {"text": "三名收费员工资"}).status_code == 403
    said = books.desk.post(answer_path, {"text": "三名收费员工资"})
    assert said.status_code == 200
    assert books.desk.post(answer_path, {"text": "改口"}).json["code"] == "answered_already"
    (answered,) = books.read("objections")["items"]
    assert answered["answer"] == "三名收费员工资"
    with db.reading():
        desk = places.org(books.where.desk)
    assert desk is not None
    assert answered["answered_by"] == said.json["answered_by"] == desk.name
    with db.transaction():
        who = ids.decode_id(Kind.RESIDENT, wang.session["resident"]["id"])
        copied = dossier.copy(resident_id=who)["revenue_objections"]
        assert [item["text"] for item in copied] == ["为什么这么多？"]
    assert wang.delete("/me").status_code in {200, 202, 204}
    assert books.desk.get(f"{books.base}/objections").json["items"][0]["text"] is None
    assert books.read("objections")["items"][0]["answer"] == "三名收费员工资"


def test_an_unanswered_doubt_is_late_after_its_day(
    books: Books, house: House, resident: Callable[..., Person], later: Callable[..., Any]
) -> None:
    number = phone()
    home = house_of(books, "101", 8912, Party(name="张三", phone=number))
    books.entered("2023-02-01", "income", "停车", 100)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    wang = resident()
    bind(house, wang, home, "张三", number)
    line = books.lines(kind="income")[0]
    assert wang.post(f"/revenue/entries/{line['entry_id']}/objections", {"text": "请说明"}).status_code == 201
    states = []
    for days in (7, 1):
        later(days=days)
        books.reader = resident()
        states.append(books.read("objections")["items"][0]["is_late"])
        books.where.staff.clear()  # their logins ended as well
        counted = seen(books)[books.where.estate_id]
        assert (counted["open_objections"], counted["late_objections"]) == (1, int(states[-1]))
    assert states == [False, True]
    doubt = books.read("objections")["items"][0]["objection_id"]
    assert books.desk.post(f"/revenue/objections/{doubt}/answer", {"text": "已说明"}).status_code == 200
    counted = seen(books)[books.where.estate_id]
    assert (counted["open_objections"], counted["late_objections"]) == (0, 0)


def test_contracts_show_what_fell_due_and_what_is_missing(books: Books) -> None:
    body = {
        "category_id": books.category("income", "电梯广告"),
        "number": "GG-01",
        "party": "某广告公司",
        "subject": "12 部电梯轿厢广告",
        "starts_on": "2023-01-10",
        "ends_on": "2023-12-31",
        "price_fen": 1000,
        "rhythm": "quarter",
    }
    backwards = books.clerk.post(f"{books.base}/contracts", body | {"ends_on": "2023-01-01"})
    assert (backwards.status_code, backwards.json["code"]) == (422, "contract_span")
    unfit = books.clerk.post(
        f"{books.base}/contracts", body | {"category_id": books.category("cost", "税金")}
    )
    assert unfit.json["code"] == "unknown_revenue_category"
    made = books.clerk.post(f"{books.base}/contracts", body)
    assert made.status_code == 201, made.text
    contract = made.json["contract_id"]
    books.entered("2023-02-01", "income", "电梯广告", 1500, contract_id=contract)
    assert books.read("contracts")["items"][0]["due_fen"] == 0  # nothing is published yet
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    (shown,) = books.read("contracts")["items"]
    assert (shown["due_fen"], shown["paid_fen"], shown["arrears_fen"]) == (4000, 1500, 2500)
    assert [line["amount_fen"] for line in books.lines(contract=contract)] == [1500]
    books.agree(contract, {"ends_on": "2023-04-09"})
    (ended,) = books.read("contracts")["items"]
    assert (ended["due_fen"], ended["version"]) == (1000, 2)
    stale = books.clerk.patch(f"/revenue/contracts/{contract}", {"party": "他"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


def test_the_export_has_the_figures_of_the_page_and_no_formula(books: Books) -> None:
    bad = '=HYPERLINK("http://example.invalid")'
    books.entered("2023-02-01", "income", "停车", 123_456, counterparty=bad, note="-1+1")
    books.entered("2023-02-02", "adjustment", None, 99, account="income", is_decrease=True, note="@SUM(A1)")
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    page = books.read("entries")
    text = books.desk.get(f"{books.base}/export?format=csv").data.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert [int(row[9]) for row in rows[1:4]] == [line["signed_fen"] for line in page["items"]]
    assert [row[8] for row in rows[1:4]] == [line["amount_text"] for line in page["items"]]
    totals = {row[0]: int(row[9]) for row in rows[4:]}
    assert totals["收入合计"] == page["total"]["income_fen"] == 123_357
    assert totals["净收益"] == page["total"]["net_fen"]
    assert totals["转入维修资金合计"] == page["total"]["fund_fen"]
    cells = [cell for row in rows for at, cell in enumerate(row) if at not in {8, 9}]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    book = books.desk.get(f"{books.base}/export?format=xlsx").data
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(book)).get_sheet_by_index(0).to_python()
    assert [float(str(row[9])) for row in sheet[1:4]] == [line["signed_fen"] for line in page["items"]]
    assert bad in [row[4] for row in sheet]
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


def test_before_anything_is_published_there_is_nothing_to_read(books: Books) -> None:
    nothing = books.reader.get(f"{books.base}/summary")
    assert (nothing.status_code, nothing.json["code"]) == (409, "nothing_published")
    assert books.read("entries")["total"]["lines"] == 0
    assert books.reader.get(f"{books.base}/my-share").status_code == 404
    nowhere = ids.encode(Kind.ESTATE, Ref(books.where.id, UUID(int=uuid4().int)))
    assert books.reader.get(f"/estates/{nowhere}/revenue/entries").status_code == 404
    backwards = books.reader.get(f"{books.base}/entries?from=2024-01-02&to=2024-01-01")
    assert (backwards.status_code, backwards.json["code"]) == (422, "range_backwards")
