"""The board in a browser, and two of the ten tasks from the screens alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.conftest import Person, Town, small_jpeg
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well

pytestmark = NEEDS_A_BROWSER


def card(page: Any, ticket: str, column: str) -> Any:
    return page.locator(f'[data-column="{column}"] [data-card="{ticket}"]')


def test_a_card_that_is_dragged_makes_the_move_and_one_that_may_not_goes_back_and_says_why(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    ticket = report()["ticket_id"]
    page = window("community")
    page.goto("/admin/tickets/board")
    # Not from here to there: it stays, and one sentence says why.
    card(page, ticket, "received").drag_to(page.locator('[data-column="dispatched"]'))
    page.get_by_text("不能直接移到“待处理”。它可以移到：待派单。").wait_for()
    assert card(page, ticket, "received").count() == 1
    # Nothing to fill in: done at once.
    card(page, ticket, "received").drag_to(page.locator('[data-column="accepted"]'))
    card(page, ticket, "accepted").wait_for()
    # Something to fill in: asked first; by its button, without a mouse.
    button = card(page, ticket, "accepted").get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    page.locator("#move-to").get_by_role("button", name="待处理").press("Enter")
    page.get_by_role("button", name="确定派单").click()
    card(page, ticket, "dispatched").wait_for()
    assert town.staff("property").get(f"/tickets/{ticket}").json["status"] == "dispatched"


def test_a_call_is_taken_in_accepted_and_dispatched_from_the_screens_alone(
    window: Callable[..., Any], town: Town
) -> None:
    page = window("community")
    page.goto("/admin/")
    page.locator(".side").get_by_role("link", name="登记诉求").click()
    page.get_by_role("button", name="登记", exact=True).click()
    page.locator(".field-error").first.wait_for()
    assert "位置" not in page.locator("form.intake").locator(".field-error").all_inner_texts()[0]
    page.get_by_label("来电", exact=True).check()
    page.get_by_label("联系电话").fill("13912345678")
    estate = page.locator("#estate")
    estate.select_option(town.a.estate_id)
    page.get_by_role("combobox", name="问题在什么位置").fill("3栋1单元楼道")
    page.get_by_label("问题经过").fill("楼道灯三天不亮，老人下楼看不见")
    page.get_by_role("combobox", name="分类").press_sequentially("灯")
    page.get_by_role("option", name=re.compile("照明|灯")).first.click()
    page.get_by_role("button", name="登记", exact=True).click()
    page.wait_for_url(re.compile(r"/admin/tickets/tkt_\w+$"))
    page.get_by_role("button", name="受理", exact=True).click()
    page.get_by_role("button", name="派单", exact=True).click()
    page.get_by_role("button", name="确定派单").click()
    page.locator(".status-dispatched").first.wait_for()
    found = town.staff("property").get("/tickets?q=楼道灯三天不亮").json["items"]
    assert [one["address"] for one in found] == ["3栋1单元楼道"]


def test_the_overdue_ones_are_found_from_the_workbench_the_most_pressing_first(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], later: Callable[..., Any], town: Town
) -> None:
    first = report(text="很久没人管", urgent=True)
    later(minutes=1)
    report(text="普通")
    later(days=2)
    page = window("community")
    page.goto("/admin/")
    late = page.locator(".queue-late")
    late.get_by_role("link", name="全部").click()
    page.wait_for_url("**/admin/tickets?*overdue=true*")
    rows = page.locator("[data-row]")
    assert rows.first.get_attribute("data-row") == first["ticket_id"]
    assert "超时" in rows.first.inner_text()


def test_several_are_supervised_at_once_with_the_same_words(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    first, second, over = report(), report(), report()
    town.bring(over["ticket_id"], "reject")
    page = window("street")
    page.goto("/admin/tickets")
    for one in (first, second, over):
        page.get_by_label(f"选择 {one['number']}").check()
    page.locator("[data-batch]").get_by_role("button", name="督办").click()
    box = page.get_by_role("dialog", name="督办：3 件工单")
    box.get_by_role("button", name="确定督办").click()
    assert box.locator(".field-error").inner_text() == "请填写督办意见。"
    box.get_by_label("督办意见").fill("今天之内回话")
    box.get_by_role("button", name="确定督办").click()
    said = page.locator("#batch-box [data-batch-rows]")
    said.get_by_text(f"{second['number']}：成功").wait_for()
    # What can't be done to one of them is said of that one, and it stays chosen.
    said.locator(".badly", has_text=over["number"]).wait_for()
    page.get_by_role("button", name="关闭").click()
    page.locator("[data-chosen]:text-is('1')").wait_for()
    desk = town.staff("community")
    for one in (first, second):
        told = desk.get(f"/tickets/{one['ticket_id']}").json["timeline"][-1]
        assert (told["kind"], told["text"]) == ("supervise", "今天之内回话")


def test_who_may_not_supervise_is_not_offered_it(window: Callable[..., Any]) -> None:
    page = window("property")
    page.goto("/admin/tickets")
    assert page.locator("[data-batch-path=start]").count() == 1
    assert page.locator("[data-batch-path=supervise]").count() == 0


def test_a_dot_of_the_map_opens_its_ticket(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    ticket = report()
    page = window("community")
    page.goto("/admin/tickets/map")
    page.locator(f'svg.map a[href="/admin/tickets/{ticket["ticket_id"]}"]').click()
    page.locator("#drawer").get_by_text(ticket["number"]).first.wait_for()


def test_before_and_after_are_compared_by_a_slider(
    window: Callable[..., Any], town: Town, resident: Callable[..., Person]
) -> None:
    wang = resident()
    ticket = wang.report(town.a.estate_id, category="noise", photo_ids=[wang.photo()])["ticket_id"]
    town.bring(ticket, "accept", "dispatch", "start")
    keeper = town.staff("property")
    after = keeper.upload("/files", small_jpeg(), purpose="after_photo").json["file_id"]
    assert (
        keeper.post(f"/tickets/{ticket}/resolve", {"note": "修好了", "photo_ids": [after]}).status_code == 200
    )
    page = window("community")
    page.goto(f"/admin/tickets/{ticket}")
    page.get_by_role("button", name="对比处理前后").click()
    slide = page.get_by_role("slider")
    slide.press("End")
    shown = page.locator("[data-compare-after]").evaluate("image => [image.style.clipPath, image.src]")
    assert "0%" in shown[0]
    assert "100%" not in shown[0]
    assert shown[1] != page.locator("[data-compare-before]").evaluate("image => image.src")


def test_the_pages_of_tickets_can_be_used_by_everybody_and_fit_a_phone(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]]
) -> None:
    report(text="楼道灯不亮，" * 20)
    all_is_well(window, "community", "/admin/tickets/board", "/admin/tickets?sort=due", "/admin/tickets/map")
