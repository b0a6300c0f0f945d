"""What people wrote, in a browser that would run it: nothing runs, and it reads as it was written.

Every text of every endpoint is tried in tests/security/test_markup.py; here are the places where a page's own scripts
put words on the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conftest import Person, Town
from tests.console.eyes import NEEDS_A_BROWSER
from tests.console.test_revenue_pages import books
from tests.revenue.conftest import Books

pytestmark = NEEDS_A_BROWSER
__all__ = ["books"]

BAD = "<img class=bad src=x onerror=xss=1>"
QUOTED = "\"'></script><script class=bad>window.xss=1</script>"


def is_harmless(page: Any) -> None:
    """Nothing that was written ran or became an element; what the content policy refused fails the window itself."""
    assert page.evaluate("window.xss === undefined")
    assert page.locator(".bad").count() == 0


def test_a_name_on_a_chart_is_words(books: Books, window: Callable[..., Any]) -> None:
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    # A staff member names a class of income; the one below the pointer is written into a box over the picture.
    books.entered("2023-02-01", "income", BAD, 100)
    books.go(period)
    page = window("community")
    page.goto(f"/admin/revenue/{books.where.estate_id}/charts")
    page.locator(".pies [data-canvas]").first.wait_for()
    for chart in page.locator("[data-canvas]").all():
        chart.scroll_into_view_if_needed()
        chart.locator("canvas").first.wait_for()
        picture = chart.evaluate("at => at.querySelector('canvas').toDataURL()")
        # As the pointer over what it shows first would.
        tip = "at => echarts.getInstanceByDom(at).dispatchAction({type: 'showTip', seriesIndex: 0, dataIndex: 0})"
        chart.evaluate(tip)
        page.wait_for_function(
            "([at, before]) => at.querySelector('canvas').toDataURL() !== before",
            arg=[chart.element_handle(), picture],
        )
        is_harmless(page)


def test_what_a_resident_and_a_clerk_wrote_is_words_in_lists_drawers_boards_and_searches(
    window: Callable[..., Any], town: Town, resident: Callable[..., Person]
) -> None:
    wang, desk = resident(), town.staff("community")
    ticket = wang.report(town.a.estate_id, text=BAD + QUOTED, category="noise")["ticket_id"]
    assert wang.post(f"/tickets/{ticket}/comments", {"text": QUOTED}).status_code == 200
    said = {"text": BAD, "visibility": "internal"}
    assert desk.post(f"/tickets/{ticket}/comment", said).status_code == 200
    notice = {"kind": "works", "title": "停水", "text": "停水", "area_ids": [town.a.estate_id]}
    assert desk.post("/notices", notice).status_code == 201
    page = window("community")
    for address in (
        "/admin/",
        f"/admin/tickets/{ticket}",
        "/admin/tickets/board",
        "/admin/tickets/map",
        "/admin/search?q=%3Cimg%20class%3Dbad%20src%3Dx%3E",
        "/admin/tickets?q=%22%3E%3Cscript%20class%3Dbad%3Ewindow.xss%3D1%3C/script%3E",
        "/admin/login?next=javascript:window.xss=1",
        "/admin/tickets",
    ):
        page.goto(address)
        is_harmless(page)
    page.locator("[data-rows] a[data-drawer]").first.click()
    page.locator("#drawer .ticket").wait_for()
    page.locator("#drawer").get_by_text(QUOTED).first.wait_for()
    is_harmless(page)
    # What is found while one types is drawn by a script.
    page.goto("/admin/tickets/new")
    page.get_by_role("combobox", name="分类").press_sequentially("<img")
    page.wait_for_timeout(400)
    is_harmless(page)
