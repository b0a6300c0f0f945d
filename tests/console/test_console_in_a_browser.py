"""What only a browser can show: forms that speak to the JSON face, the drawer, live pages, small screens, access."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conftest import PASSWORD, Town, next_code
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well

pytestmark = NEEDS_A_BROWSER


def test_logging_in_asks_for_the_code_and_leads_to_the_page_that_was_asked_for(
    town: Town, window: Callable[..., Any]
) -> None:
    account = town.staff("community").get("/me").get_json()["account"]
    page = window(None)
    page.goto("/admin/tickets?status=received")
    page.get_by_label("账号").fill(account)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_label("动态码").fill(next_code(account))
    page.get_by_role("button", name="登录").click()
    page.wait_for_url("**/admin/tickets?status=received")


def test_the_desk_accepts_and_dispatches_in_the_drawer(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    sent = report(text="三栋楼道灯不亮")
    page = window("community")
    page.goto("/admin/")
    page.get_by_role("link", name="办理下一件").first.click()
    page.get_by_role("button", name="受理", exact=True).click()
    page.locator("#drawer").get_by_role("button", name="派单", exact=True).click()
    page.get_by_role("button", name="确定派单").click()
    page.locator("#drawer .status-dispatched").wait_for()
    assert town.staff("property").get(f"/tickets/{sent['ticket_id']}").json["status"] == "dispatched"


def test_a_refusal_stands_at_its_field_and_what_was_typed_is_kept(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    ticket = report()["ticket_id"]
    page = window("community")
    page.goto(f"/admin/tickets/{ticket}")
    page.get_by_text("其他办理").click()
    page.get_by_role("button", name="留言", exact=True).click()
    page.get_by_role("button", name="确定留言").click()
    field = page.locator("#move-text")
    assert "必填" in page.locator(".field-error").inner_text()
    field.fill("请先打电话")
    # Somebody else is faster: both versions are shown, and mine is sent all the same.
    town.bring(ticket, "accept")
    page.get_by_role("button", name="确定留言").click()
    box = page.locator("#stale")
    box.get_by_text("请先打电话").wait_for()
    assert "待派单" in box.inner_text()
    box.get_by_role("button", name="仍按我的提交").click()
    page.locator(".timeline-list").get_by_text("请先打电话").wait_for()


def test_a_login_that_ended_is_asked_for_over_the_page_and_the_form_goes_through(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    ticket = report()["ticket_id"]
    account = town.staff("community").get("/me").get_json()["account"]
    page = window("community")
    page.goto(f"/admin/tickets/{ticket}")
    page.context.clear_cookies()
    page.get_by_role("button", name="受理", exact=True).click()
    again = page.locator("#login-again")
    again.get_by_label("密码").fill(PASSWORD)
    again.get_by_role("button", name="登录").click()
    again.get_by_label("动态码").fill(next_code(account))
    again.get_by_role("button", name="登录").click()
    page.locator(".status-accepted").first.wait_for()


def test_a_new_ticket_appears_by_itself(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]]
) -> None:
    page = window("community")
    page.goto("/admin/tickets")
    page.get_by_text("实时更新中").wait_for()
    sent = report()
    page.locator(f'[data-row="{sent["ticket_id"]}"]').wait_for(timeout=10_000)


def test_a_form_that_is_sent_before_its_script_has_come_leaves_nothing_in_the_address(
    window: Callable[..., Any], town: Town
) -> None:
    page = window("community")
    page.route("**/admin/assets/*.js", lambda route: route.abort())
    page.goto("/admin/tickets/new")
    page.locator("textarea[name=text]").fill("三栋王女士家漏水")
    # No button takes a click yet, but a key does.
    page.locator("form[data-api] button:not([type=button])").last.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="什么都没有提交").wait_for()
    assert page.url.endswith("/admin/tickets/new")
    page.get_by_role("link", name="重新打开这一页").click()
    page.locator("textarea[name=text]").wait_for()
    assert town.staff("community").get("/tickets").json["items"] == []


def test_the_drawer_is_called_what_it_shows(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    flat = {"building": "7栋", "unit": "2单元", "number": "1904", "registered_area_centi": 9000}
    party = {"name": "王秀英", "phone": "13800001111"}
    town.staff("community").post(f"/estates/{town.a.estate_id}/houses", flat | {"owners": [party]})
    number = report(text="灯坏了")["number"]
    page = window("community")
    page.goto("/admin/search?q=7-2-1904")
    page.locator("main").get_by_role("link", name="7栋2单元1904").first.click()
    page.get_by_role("dialog", name="房屋详情：7栋2单元1904").wait_for()
    drawer = page.locator("#drawer")
    drawer.locator(".person a").first.click()
    page.get_by_role("dialog", name="业主详情：王").wait_for()
    # A part that is read anew in it changes nothing.
    page.evaluate("htmx.trigger(document.querySelector('#drawer article'), 'refresh')")
    page.wait_for_timeout(500)
    assert page.get_by_role("dialog", name="业主详情：王").count() == 1
    drawer.get_by_role("button", name="关闭").click()
    page.goto("/admin/tickets")
    page.get_by_role("link", name=number).click()
    page.get_by_role("dialog", name="工单详情：").filter(has_text=number).wait_for()
    page = window("system_admin")
    page.goto("/admin/staff")
    page.locator("[data-rows] a[data-drawer]").first.click()
    page.get_by_role("dialog", name="工作人员账号：").wait_for()


def test_a_lost_connection_is_said_and_what_was_sent_arrives_once(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    ticket = report()["ticket_id"]
    page = window("community")
    page.goto(f"/admin/tickets/{ticket}")
    page.context.set_offline(True)
    page.get_by_role("button", name="受理", exact=True).click()
    page.locator("[data-offline]:visible").wait_for()
    page.context.set_offline(False)
    page.locator(".status-accepted").first.wait_for()
    kinds = [step["kind"] for step in town.staff("community").get(f"/tickets/{ticket}").json["timeline"]]
    assert kinds.count("accept") == 1


def test_every_page_can_be_used_by_everybody_and_fits_a_phone(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]]
) -> None:
    ticket = report(text="楼道灯不亮，" * 20)["ticket_id"]
    all_is_well(
        window,
        "community",
        "/admin/",
        "/admin/tickets",
        f"/admin/tickets/{ticket}",
        "/admin/tickets/new",
        "/admin/inbox",
        "/admin/me",
        "/admin/search?q=灯",
        "/admin/reports",
        "/admin/photos",
        "/admin/nothing",
        "/admin/login",
    )
