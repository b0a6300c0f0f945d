"""What is published stays, also for whoever holds the application's own database role; and who tries is told why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app import ids
from app.ids import Kind
from app.places.identity import Party
from tests.conftest import House, Person, small_jpeg
from tests.memberships.conftest import paper, phone
from tests.revenue.conftest import Books, contract
from tests.revenue.test_revenue_residents import bind, house_of

ANY = {"If-Match": "*"}
BOX = {"page": 1, "x": 2500, "y": 2500, "width": 2500, "height": 1250}
_OF = "community_id = %(home)s AND estate_id = %(estate)s"
_LINE = "community_id = %(home)s AND object_id = %(line)s"
_SCAN = "community_id = %(home)s AND object_id = %(scan)s"
_CONTRACT = (
    "UPDATE revenue_contracts SET version = version + 1, {} WHERE community_id = %(home)s AND id = %(deal)s"
)
_LINE_COLUMNS = (
    "community_id, estate_id, period_id, day, kind, category_id, debit, credit, amount_fen, counterparty,"
    " contract_id, note, reverses_id, decision_id, drafted_by, vouchers, posted_at"
)
_LATE_LINE = (
    f"INSERT INTO revenue_lines (id, {_LINE_COLUMNS}) SELECT gen_random_uuid(), {_LINE_COLUMNS}"
    f" FROM revenue_lines WHERE {_OF} LIMIT 1"
)
ATTEMPTS = (
    f"UPDATE revenue_categories SET name = '其他' WHERE {_OF}",
    f"UPDATE revenue_categories SET kind = 'cost' WHERE {_OF} AND kind = 'income'",
    f"DELETE FROM attached_papers WHERE {_LINE}",
    f"UPDATE attached_papers SET sha256 = '\\x00' WHERE {_LINE}",
    f"UPDATE attached_papers SET object_id = gen_random_uuid() WHERE {_LINE}",
    f"UPDATE attached_papers SET object_kind = 'ticket' WHERE {_LINE}",
    f"DELETE FROM attached_papers WHERE {_SCAN}",
    f"DELETE FROM revenue_renderings WHERE {_LINE}",
    f"UPDATE revenue_renderings SET boxes = '[]' WHERE {_LINE}",
    f"UPDATE revenue_renderings SET boxes = '[[1, 0, 0, 1, 1]]' WHERE {_LINE}",
    f"UPDATE revenue_renderings SET pages = '[]' WHERE {_LINE}",
    f"UPDATE revenue_renderings SET object_id = gen_random_uuid() WHERE {_LINE}",
    f"DELETE FROM revenue_renderings WHERE {_SCAN}",
    f"UPDATE revenue_periods SET state = 'draft' WHERE {_OF} AND state = 'published'",
    f"UPDATE revenue_periods SET last_day = last_day + 1 WHERE {_OF} AND state = 'published'",
    _LATE_LINE,
    f"UPDATE revenue_settings SET split_bp = 1 WHERE {_OF}",
    f"DELETE FROM revenue_settings WHERE {_OF}",
    _CONTRACT.format("party = '别人'"),
    _CONTRACT.format("ends_on = ends_on + 1"),
    _CONTRACT.format("price_fen = 1"),
    _CONTRACT.format("starts_on = starts_on + 1"),
    f"UPDATE revenue_objections SET answer = '改口' WHERE {_OF}",
    f"UPDATE revenue_objections SET answered_at = NULL WHERE {_OF}",
    f"DELETE FROM revenue_objections WHERE {_OF}",
    f"UPDATE revenue_budgets SET basis = '另写' WHERE {_OF}",
    "UPDATE revenue_budget_lines SET amount_fen = 1 WHERE community_id = %(home)s",
    "DELETE FROM revenue_budget_lines WHERE community_id = %(home)s",
)


def published(
    books: Books, house: House, work: Callable[..., int], resident: Callable[..., Person]
) -> dict[str, Any]:
    """A published line with a covered voucher, under a contract with a scan, with a budget and an answered doubt."""
    voucher, scan = paper(books.clerk, small_jpeg()), paper(books.clerk, small_jpeg())
    deal = contract(books, file_ids=[scan])
    draft = books.entered("2023-02-01", "income", "电梯广告", 100, contract_id=deal, file_ids=[voucher])
    path = f"/revenue/entries/{draft['entry_id']}"
    for shown in (f"{path}/vouchers/{voucher}/public", f"/revenue/contracts/{deal}/scans/{scan}/public"):
        assert books.clerk.post(shown, {"boxes": [BOX]}).status_code == 202
    work()
    plan = {"category_id": books.category("income", "电梯广告"), "amount_fen": 100}
    budget = {"year": 2023, "basis": "业主大会决定", "lines": [plan]}
    assert books.clerk.post(f"{books.base}/budgets", budget).status_code == 201
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    number = phone()
    wang = resident()
    bind(house, wang, house_of(books, "101", 8912, Party(name="张三", phone=number)), "张三", number)
    doubt = wang.post(f"{path}/objections", {"text": "请说明"}).json["objection_id"]
    assert books.desk.post(f"/revenue/objections/{doubt}/answer", {"text": "已说明"}).status_code == 200
    return {
        "home": books.where.id,
        "estate": books.where.estate.id,
        "line": ids.decode_ref(Kind.REVENUE_ENTRY, draft["entry_id"]).id,
        "deal": ids.decode_ref(Kind.REVENUE_CONTRACT, deal).id,
        "scan": ids.decode_ref(Kind.REVENUE_CONTRACT, deal).id,
        "entry": draft["entry_id"],
        "voucher": voucher,
    }


def test_the_applications_own_role_changes_nothing_that_is_published(
    books: Books, house: House, work: Callable[..., int], resident: Callable[..., Person]
) -> None:
    it = published(books, house, work, resident)
    before = {name: books.read(name) for name in ("entries", "periods", "budgets", "objections")}
    passed = []
    for role in ("app", "owner"):
        for statement in ATTEMPTS:
            with psycopg.connect(house.pg.url(role, "house")) as connection:
                try:
                    done = connection.execute(statement, it)
                except psycopg.errors.InsufficientPrivilege:
                    continue
                else:
                    passed.append((role, statement, done.rowcount))
                finally:
                    connection.rollback()
    assert passed == []
    assert {name: books.read(name) for name in before} == before


def test_what_is_lawful_goes_on_under_the_walls(
    books: Books, house: House, work: Callable[..., int], resident: Callable[..., Person]
) -> None:
    it = published(books, house, work, resident)
    # More is covered, and drawn anew.
    path = f"/revenue/lines/{it['entry']}/vouchers/{it['voucher']}/public"
    more = {"page": 1, "x": 0, "y": 0, "width": 1000, "height": 1000}
    assert books.desk.post(path, {"boxes": [more]}).json["boxes"] == [BOX, more]
    work()
    (public,) = books.reader.get(f"/revenue/entries/{it['entry']}").json["public_files"]
    assert public["is_shown"]
    # A category ends; a draft goes with its voucher and what was drawn of it.
    category = f"/revenue/categories/{books.category('income', '电梯广告')}"
    assert books.clerk.patch(category, {"is_active": False}, headers=ANY).status_code == 200
    file_id = paper(books.clerk, small_jpeg())
    draft = books.entered("2024-02-01", "cost", "停车人工", 100, file_ids=[file_id])
    path = f"/revenue/entries/{draft['entry_id']}"
    assert books.clerk.post(f"{path}/vouchers/{file_id}/public", {"boxes": []}).status_code == 202
    assert books.clerk.delete(path, headers=ANY).status_code == 204
    # Rules and budgets of what isn't published yet.
    assert books.rules("2024-01-01", split_bp=6000).status_code == 201
    assert books.rules("2024-01-01", split_bp=5000).status_code == 201
    plan = {"category_id": books.category("cost", "停车人工"), "amount_fen": 100}
    body = {"year": 2024, "basis": "业主大会决定", "lines": [plan]}
    budget = books.clerk.post(f"{books.base}/budgets", body).json["budget_id"]
    assert books.clerk.delete(f"/revenue/budgets/{budget}").status_code == 204


@pytest.mark.parametrize(
    "field", [{"name": "停车费"}, {"kind": "cost"}, {"name": "停车费", "is_active": False}]
)
def test_a_category_is_not_renamed_and_who_asks_hears_what_to_do(books: Books, field: dict[str, Any]) -> None:
    path = f"/revenue/categories/{books.category('income', '停车')}"
    refused = books.clerk.patch(path, field, headers=ANY)
    assert (refused.status_code, refused.json["code"]) == (422, "revenue_category_fixed")
    assert "停用" in refused.json["detail"]
    found = books.clerk.get(f"{books.base}/categories").json["items"]
    assert [(c["name"], c["kind"], c["is_active"]) for c in found] == [("停车", "income", True)]
