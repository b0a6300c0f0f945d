"""Pages of public revenue by the test client: who sees and may do what; they show what the JSON face gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.places import queries as places
from tests.conftest import House, Person, Town, small_jpeg
from tests.console.clerk import Clerk
from tests.memberships.conftest import paper
from tests.revenue.conftest import Books, contract
from tests.revenue.test_revenue_budgets import decided
from tests.revenue.test_revenue_import import HEADINGS, workbook


@pytest.fixture
def books(house: House, town: Town, resident: Callable[..., Person]) -> Books:
    made = Books(town, town.a, resident())
    assert made.rules(rhythm="quarter").status_code == 201
    return made


@pytest.fixture
def kept(books: Books, work: Callable[..., int]) -> dict[str, str]:
    """Two quarters published (the last with a contract in arrears), one in draft with a voucher; addresses by name."""
    deal = contract(books, rhythm="quarter", price_fen=500_000)
    first = books.begin(first_day="2023-01-01", opening_fen=4_825_030)
    line = books.entered("2023-02-01", "income", "停车", 1_234_567, counterparty="车主", note="二月")
    books.entered("2023-02-01", "cost", "能耗", 34_567)
    books.go(first)
    second = books.begin()
    books.entered("2023-05-01", "income", "电梯广告", 400_000, contract_id=deal)
    books.entered("2023-05-02", "use", "维修", 100_000)
    books.go(second)
    third = books.begin()
    file_id = paper(books.clerk, small_jpeg())
    draft = books.entered("2023-08-01", "cost", "能耗", 20_000, file_ids=[file_id], note="<b>电费</b>")
    home = f"/admin/revenue/{books.where.estate_id}"
    return {
        "home": home,
        "estate": books.where.estate_id,
        "published": f"/admin/revenue/periods/{first}",
        "open": f"/admin/revenue/periods/{third}",
        "period": third,
        "line": f"/admin/revenue/lines/{line['entry_id']}",
        "line_id": line["entry_id"],
        "draft": f"/admin/revenue/entries/{draft['entry_id']}",
        "draft_id": draft["entry_id"],
        "paper": f"/admin/revenue/entries/{draft['entry_id']}/vouchers/{file_id}",
        "file_id": file_id,
        "contract": f"/admin/revenue/contracts/{deal}",
    }


def test_every_page_of_the_books_opens_to_who_keeps_and_who_reviews_them(
    kept: dict[str, str], clerk: Callable[..., Clerk]
) -> None:
    tabs = ("", "/ledger", "/lines", "/contracts", "/budgets", "/objections", "/charts", "/rules")
    pages = ["/admin/revenue", *(kept["home"] + tab for tab in tabs)]
    pages += [kept["published"], f"{kept['published']}/preview", kept["open"], f"{kept['open']}/preview"]
    pages += [kept["line"], kept["draft"], kept["paper"], kept["contract"]]
    parts = [f"{kept[name]}/detail" for name in ("line", "draft", "contract")]
    parts += [
        f"{kept['draft']}/row",
        f"{kept['draft']}/now",
        f"{kept['paper']}/made",
        f"{kept['home']}/totals",
    ]
    for role in ("property", "community"):
        who = clerk(role)
        for path in pages:
            answer = who.get(path)
            assert answer.status_code == 200, (role, path, answer.text[:2000])
            assert not re.search(r"\s(style|on\w+)=", answer.text), path
        for path in [*parts, f"{kept['open']}/now"]:
            assert who.get(path, part=True).status_code == 200, (role, path)


def test_who_does_not_see_the_books_is_refused_and_elsewhere_they_are_not_found(
    kept: dict[str, str], clerk: Callable[..., Clerk], town: Town
) -> None:
    assert clerk("grid").get(kept["home"]).status_code == 403
    from tests.conftest import Caller

    stranger: Caller = town.staff("property", town.b)
    account = stranger.get("/me").get_json()["account"]
    who = Clerk(clerk("grid").client.application.test_client(), account)
    assert who.log_in().status_code == 201
    for name in ("home", "published", "line", "draft", "paper", "contract"):
        assert who.get(kept[name]).status_code == 404, name


def test_forms_are_offered_to_who_may_send_them(kept: dict[str, str], clerk: Callable[..., Clerk]) -> None:
    keeper, desk = clerk("property"), clerk("community")
    assert "data-grid-new" in keeper.get(f"{kept['home']}/ledger").text
    assert "data-grid-new" not in desk.get(f"{kept['home']}/ledger").text
    assert f'POST /admin/api/v1/revenue/periods/{kept["period"]}/submit"' in keeper.get(kept["open"]).text
    assert "/submit" not in desk.get(kept["open"]).text
    assert f"estates/{kept['estate']}/revenue/settings" in desk.get(f"{kept['home']}/rules").text
    assert "revenue/settings" not in keeper.get(f"{kept['home']}/rules").text
    assert clerk("community").get(f"{kept['home']}/imports").status_code == 403
    assert keeper.get(f"{kept['home']}/imports").status_code == 200


def test_what_a_clerk_typed_is_text_and_money_has_two_places(
    kept: dict[str, str], clerk: Callable[..., Clerk]
) -> None:
    keeper = clerk("property")
    ledger = keeper.get(f"{kept['home']}/ledger").text
    assert "<b>电费" not in ledger
    assert 'value="200.00"' in ledger
    lines = keeper.get(f"{kept['home']}/lines").text
    assert "12,345.67" in lines
    assert "4,000.00" in keeper.get(kept["contract"]).text


def test_the_preview_shows_the_lines_that_the_json_face_gives(
    kept: dict[str, str], clerk: Callable[..., Clerk], books: Books
) -> None:
    seen = books.desk.get(f"/revenue/periods/{kept['period']}/preview").json
    page = clerk("community").get(f"{kept['open']}/preview").text
    assert [line["amount_text"] for line in seen["items"]] == re.findall(
        r'<b class="number">([\d.-]+) 元</b>', page
    )
    figures = re.findall(r"<dd>([\d,.-]+)</dd>", page)
    names = ("opening", "income", "cost", "net", "uses", "fund", "closing")
    assert [int(text.replace(",", "").replace(".", "")) for text in figures] == [
        seen["period"][f"{name}_fen"] for name in names
    ]


def test_a_period_that_runs_is_counted_without_the_split_and_not_offered_for_review(
    books: Books, clerk: Callable[..., Clerk]
) -> None:
    today = places.today()
    first_day = today.replace(month=today.month - (today.month - 1) % 3, day=1)
    period = books.begin(first_day=str(first_day), opening_fen=0)
    books.entered(str(today), "income", "停车", 100_000)
    page = clerk("property").get(f"/admin/revenue/periods/{period}").text
    assert "送审时自动记上" in page
    assert re.search(r"账目 1\s+笔", page)
    assert "还没有传凭证" in page
    assert "凭证都有公开件" not in page
    assert "周期结束以后才能送审" in page
    assert f"/revenue/periods/{period}/submit" not in page


def test_a_period_says_what_is_missing_and_who_may_not_review_it(
    kept: dict[str, str], clerk: Callable[..., Clerk], books: Books, work: Callable[..., int]
) -> None:
    assert "还有凭证没有公开件" in clerk("property").get(kept["open"]).text
    cover = f"/revenue/entries/{kept['draft_id']}/vouchers/{kept['file_id']}/public"
    assert books.clerk.post(cover, {"boxes": []}).status_code == 202
    assert "every 2s" in clerk("property").get(f"{kept['paper']}/made", part=True).text
    work()
    assert "every 2s" not in clerk("property").get(f"{kept['paper']}/made", part=True).text
    assert "凭证都有公开件" in clerk("property").get(kept["open"]).text
    books.go(kept["period"], "submit")
    overview = clerk("community").get("/admin/revenue?show=waiting").text
    assert kept["open"] in overview
    assert kept["open"] in clerk("community").get("/admin/").text
    assert kept["open"] not in clerk("property").get("/admin/").text
    assert "审核通过" in clerk("community").get(kept["open"]).text
    bookkeeper = clerk("finance").get(kept["open"]).text
    assert "退回修改" in bookkeeper
    books.go(kept["period"], "review")
    assert "/publish" in clerk("finance").get(kept["open"]).text
    bench = clerk("community").get("/admin/").text
    assert kept["open"] in bench
    assert "等公布" in bench


def test_an_import_is_followed_from_file_to_ledger(
    kept: dict[str, str], clerk: Callable[..., Clerk], books: Books, work: Callable[..., int]
) -> None:
    rows: list[list[Any]] = [
        HEADINGS,
        ["2023-08-02", "收入", "停车", 12.5, "车主", "", "八月"],
        ["2023-08-03", "收入", "停车", -1, "", "", "坏"],
    ]
    sent = books.clerk.upload(f"{books.base}/imports", workbook(rows), "台账.xlsx", makes_categories="true")
    address = f"/admin/revenue/imports/{sent.get_json()['job_id']}"
    keeper = clerk("property")
    assert "every 2s" in keeper.get(f"{address}/part", part=True).text
    work()
    page = keeper.get(address).text
    assert "every 2s" not in page
    assert "金额不能为负数" in page
    assert "/errors" in page
    assert 'data-heading="金额（元）"' in page
    assert address in keeper.get(f"{kept['home']}/imports").text


def test_charts_have_their_figures_as_a_table(kept: dict[str, str], clerk: Callable[..., Clerk]) -> None:
    page = clerk("community").get(f"{kept['home']}/charts?by=year").text
    assert page.count("data-chart>") >= 2
    assert "<th scope=row>2023</th>" in page
    quarters = clerk("community").get(f"{kept['home']}/charts").text
    assert "<th scope=row>2023年第2季度</th>" in quarters
    assert "还没有公布的账" in clerk("community").get(f"{kept['home']}/charts?from=2030-01-01").text


def test_a_line_and_a_budget_may_rest_on_what_the_owners_decided(
    books: Books, kept: dict[str, str], clerk: Callable[..., Clerk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = clerk("property")
    assert 'name="decision_id"' not in desk.get(kept["draft"]).text
    taken = decided(books.where.estate)
    others = (decided(books.where.estate, certified=False), decided(books.where.estate, mode="poll"))
    for address in (kept["draft"], f"{kept['home']}/budgets"):
        page = desk.get(address).text
        assert re.search(
            rf'name="decision_id".*<option value="{taken}" ?>用公共收益更换门禁', page, re.DOTALL
        )
        assert not any(other in page for other in others)
    version = books.clerk.get(f"/revenue/entries/{kept['draft_id']}").headers["ETag"]
    answer = books.clerk.patch(
        f"/revenue/entries/{kept['draft_id']}", {"decision_id": taken}, headers={"If-Match": version}
    )
    assert answer.status_code == 200, answer.text
    # What was chosen is kept, however many decisions came after it.
    monkeypatch.setattr("bff.admin.console.revenue_pages.MOST_DECISIONS", 1)
    decided(books.where.estate)
    assert f'<option value="{taken}" selected>' in desk.get(kept["draft"]).text
    assert f'<option value="{taken}" selected>' in desk.get(f"{kept['home']}/lines?decision={taken}").text
