"""The books by a browser: entered by keyboard, published by two people, a voucher covered, charts drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Town, small_jpeg
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well, is_drawn
from tests.console.test_revenue_pages import books, kept
from tests.memberships.conftest import paper
from tests.revenue.conftest import Books

pytestmark = NEEDS_A_BROWSER
__all__ = ["books", "kept"]


def test_three_lines_are_entered_by_keyboard_alone_and_one_is_mended(
    books: Books, window: Callable[..., Any]
) -> None:
    for name in ("停车", "电梯广告"):
        books.category("income", name)
    books.begin(first_day="2023-07-01", opening_fen=0)
    page = window("property")
    page.goto(f"/admin/revenue/{books.where.estate_id}/ledger")
    keys = page.keyboard
    page.locator("[data-new] [name=day]:focus").wait_for()

    def line(day: str, category: str, amount: str, party: str, note: str) -> None:
        for text in (day, category, amount, party):
            keys.type(text)
            keys.press("Tab")
        keys.type(note)
        keys.press("Enter")

    rows = page.locator("tr[data-line]:not([data-new])")
    line("7-05", "1", "1,234.50", "Car park", "July")
    rows.nth(0).wait_for()
    page.locator("[data-new] [name=day]:focus").wait_for()
    # An amount with three places: it is said at its field, and what was typed stays.
    line("0806", "2", "12.345", "Ads Ltd", "August")
    page.locator("[data-new] .g-amount .field-error").wait_for()
    assert page.locator("[data-new] [name=counterparty]").input_value() == "Ads Ltd"
    page.locator("[data-new] [name=amount_fen]:focus").wait_for()
    keys.press("Control+A")
    keys.type("12.34")
    keys.press("Enter")
    rows.nth(1).wait_for()
    page.locator("[data-new] [name=day]:focus").wait_for()
    line("2023-09-30", "1", "0.01", "", "September")
    rows.nth(2).wait_for()
    page.locator('[data-total="income_fen"]').get_by_text("1,246.85").wait_for()
    # Arrows go up to the line above; what is changed there is saved by Enter as well.
    keys.press("ArrowUp")
    page.locator("tr[data-line]:not([data-new]) [name=day]:focus").wait_for()
    for _ in range(2):
        keys.press("Tab")
    keys.press("Control+A")
    keys.type("0.02")
    keys.press("Enter")
    page.locator('[data-total="income_fen"]').get_by_text("1,246.86").wait_for()
    found = books.clerk.get(f"{books.base}/entries").json["items"]
    assert [(one["day"], one["amount_fen"]) for one in found] == [
        ("2023-07-05", 123_450),
        ("2023-08-06", 1_234),
        ("2023-09-30", 2),
    ]


def test_a_quarter_is_handed_in_by_one_and_reviewed_and_published_by_another(
    books: Books, window: Callable[..., Any]
) -> None:
    books.begin(first_day="2023-01-01", opening_fen=100)
    books.entered("2023-02-01", "income", "停车", 1_234_567)
    clerk, desk = window("property"), window("community")
    clerk.goto("/admin/")
    clerk.get_by_role("link", name="公共收益").click()
    clerk.get_by_role("link", name="2023年第1季度").click()
    clerk.get_by_role("button", name="送审", exact=True).click()
    clerk.get_by_role("button", name="确定").click()
    clerk.get_by_text("等社区、街道或财务人员审核").wait_for()
    desk.goto("/admin/revenue?show=waiting")
    desk.get_by_role("link", name="2023年第1季度").click()
    desk.get_by_role("link", name="看看业主看到的样子").click()
    desk.locator(".phone-view").get_by_text("12345.67 元").wait_for()
    desk.get_by_role("link", name="回到本期").click()
    desk.wait_for_load_state(
        "load"
    )  # faster than any clerk: before that the page answers that nothing was sent
    desk.get_by_role("button", name="审核通过").click()
    desk.get_by_role("button", name="确定").click()
    desk.get_by_role("button", name="公布", exact=True).click()
    desk.get_by_role("button", name="确定").click()
    desk.get_by_text("校验码").wait_for()
    assert books.read("periods")["items"][0]["income_fen"] == 1_234_567


def test_a_box_is_drawn_over_a_voucher_by_mouse_and_by_numbers_and_kept(
    books: Books, window: Callable[..., Any]
) -> None:
    file_id = paper(books.clerk, small_jpeg())
    draft = books.entered("2023-02-01", "cost", "能耗", 100, file_ids=[file_id])["entry_id"]
    page = window("property")
    page.goto(f"/admin/revenue/entries/{draft}/vouchers/{file_id}")
    canvas = page.locator("canvas[data-ready]")
    edge = canvas.bounding_box()
    at = lambda x, y: (edge["x"] + edge["width"] * x, edge["y"] + edge["height"] * y)  # noqa: E731
    page.mouse.move(*at(0.25, 0.25))
    page.mouse.down()
    page.mouse.move(*at(0.5, 0.5))
    page.mouse.up()
    page.get_by_role("button", name="加一个黑框").click()
    for text in ("10", "20", "30", "5.5"):
        page.keyboard.press("Control+A")
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.get_by_role("button", name="生成公开件").click()
    page.locator("#made .spinner-border").wait_for()
    kept = books.clerk.get(f"/revenue/entries/{draft}/vouchers/{file_id}/public").json["boxes"]
    assert kept[1] == {"page": 1, "x": 1000, "y": 2000, "width": 3000, "height": 550}
    assert all(abs(kept[0][side] - 2500) < 60 for side in ("x", "y", "width", "height"))


def test_charts_are_drawn_and_who_may_not_is_refused(
    kept: dict[str, str], window: Callable[..., Any], town: Town
) -> None:
    page = window("community")
    page.goto(f"{kept['home']}/charts")
    for chart in page.locator("[data-chart]").all():
        chart.scroll_into_view_if_needed()
        assert is_drawn(page, chart)
    grid = window("grid")
    assert grid.goto(kept["home"]).status == 403
    grid.get_by_text("您没有权限打开这个页面").wait_for()


@pytest.mark.long
def test_every_page_of_the_books_can_be_used_by_everybody(
    kept: dict[str, str], window: Callable[..., Any]
) -> None:
    home = kept["home"]
    all_is_well(
        window,
        "property",
        "/admin/revenue",
        *(home + tab for tab in ("", "/ledger", "/lines", "/contracts", "/budgets", "/imports", "/rules")),
        kept["open"],
        f"{kept['published']}/preview",
        kept["line"],
        kept["draft"],
        kept["paper"],
    )
