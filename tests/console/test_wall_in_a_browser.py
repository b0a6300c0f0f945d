"""The dashboard drawn and drilled into, a screen on its token until it is revoked, the assessment's tickets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from app import clock, db
from app.places.models import Grid
from tests.conftest import Town
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well, is_drawn, violations
from tools import browser

pytestmark = NEEDS_A_BROWSER


def test_the_charts_are_drawn_and_a_figure_leads_to_its_tickets(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]]
) -> None:
    sent = report(category="noise")
    page = window("community")
    page.goto("/admin/dashboard")
    for chart in page.locator("[data-chart]").all():
        assert is_drawn(page, chart)
    page.locator("a.kpi", has_text="其中暂停计时").click()
    page.locator(f'[data-row="{sent["ticket_id"]}"]').wait_for()


OUTSIDE = """place => {
  const picture = echarts.getInstanceByDom(place);
  const texts = picture.getZr().storage.getDisplayList().filter(one => one.type === "tspan" || one.type === "text");
  const boxes = texts.map(one => {
    const box = one.getBoundingRect().clone();
    if (one.transform) box.applyTransform(one.transform);
    return { text: one.style.text, left: box.x, right: box.x + box.width, top: box.y, bottom: box.y + box.height };
  });
  return {
    outside: boxes.filter(one => one.left < -1 || one.right > picture.getWidth() + 1 || one.top < -1
      || one.bottom > picture.getHeight() + 1).map(one => one.text),
    texts: boxes.map(one => one.text),
  };
}"""


def test_the_shares_of_classes_can_be_read_on_a_phone(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    for category in ("noise", "other", None):
        town.bring(report(category=category)["ticket_id"], "accept")
    page = window("community", browser.PHONE)
    page.goto("/admin/dashboard")
    for chart in page.locator("[data-chart]").all():
        chart.scroll_into_view_if_needed()
        assert is_drawn(page, chart)
        found = chart.locator("[data-canvas]").evaluate(OUTSIDE)
        assert found["outside"] == []
    # The last one: each class with its share, and nothing beside.
    names = [one.text_content() for one in chart.locator(".chart-table tbody th").all()]
    assert len(names) > 1
    assert sorted(text.rpartition(" ")[0] for text in found["texts"]) == sorted(names)
    assert all(re.fullmatch(r"\d+(\.\d+)?%", text.rpartition(" ")[2]) for text in found["texts"])
    page.set_viewport_size(browser.DESKTOP._asdict())
    page.wait_for_timeout(200)
    wide = page.locator("[data-chart] [data-canvas]").last.evaluate(OUTSIDE)
    assert wide["outside"] == []
    assert len(wide["texts"]) >= 2 * len(names)  # beside the ring as well


def test_the_heat_is_a_plan_that_can_be_used_by_everybody_and_hangs_on_the_wall(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    sent = report(category="noise")
    west, south = town.a.centre.lng, town.a.centre.lat
    ring = [
        [west, south],
        [west + 0.01, south],
        [west + 0.01, south + 0.01],
        [west, south + 0.01],
        [west, south],
    ]
    with db.transaction() as session:
        found = session.get(Grid, town.a.grid)
        assert found is not None
        found.outline = {"type": "Polygon", "coordinates": [ring]}
    all_is_well(window, "community", "/admin/dashboard")
    page = window("community")
    page.goto("/admin/screens/preview")
    shape = page.locator(".heat-plan path").first
    shape.wait_for()
    assert shape.bounding_box()["height"] > 50
    page.goto("/admin/dashboard")
    page.locator(".heat-plan a").first.click()
    page.locator(f'[data-row="{sent["ticket_id"]}"]').wait_for()


def test_a_screen_is_hung_shows_figures_and_says_when_it_is_revoked(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    report(category="noise")
    desk = window("community")
    desk.goto("/admin/screens")
    desk.get_by_role("button", name="新建大屏").click()
    desk.get_by_label("挂在哪里").fill("大厅")
    desk.get_by_label("显示哪个范围").select_option(town.a.estate_id)
    desk.get_by_role("button", name="建好并显示网址").click()
    address = desk.locator('#made [data-value="address"]')
    address.wait_for()
    token = address.inner_text().partition("#")[2]

    wall = window(None, browser.SCREEN)
    wall.clock.install(time=clock.now())
    wall.goto(f"/admin/screen#{token}")
    wall.locator(".big-value").first.wait_for()
    assert wall.url.endswith("/admin/screen")  # nothing is left of the token
    assert is_drawn(wall, wall.locator("[data-chart]").first)
    for size in (browser.SCREEN, browser.LARGE_SCREEN):
        wall.set_viewport_size(size._asdict())
        room = """[document.documentElement, document.querySelector("main")].flatMap(
            one => [one.scrollHeight - one.clientHeight, one.scrollWidth - one.clientWidth])"""
        assert all(more <= 0 for more in wall.evaluate(room)), size
    assert violations(wall) == []

    wall.context.set_offline(True)
    wall.clock.run_for(25_000)
    wall.locator("[data-lost]").get_by_text("连接已断开").wait_for()
    wall.context.set_offline(False)

    desk.locator("#screens").get_by_role("button", name="撤销").click()
    desk.locator("dialog[open]").get_by_role("button", name="确定").click()
    desk.locator("#screens").get_by_text("已撤销").wait_for()
    assert desk.locator(
        "#made"
    ).is_hidden()  # an address that opens nothing any more isn't offered for copying
    assert token not in desk.content()
    wall.clock.run_for(25_000)
    wall.locator("[data-lost]").get_by_text("授权已失效").wait_for()
    assert wall.locator(".big-value").count() == 0


def test_a_figure_of_the_assessment_leads_to_the_ticket_it_counts(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    sent = report(category="noise")
    town.bring(sent["ticket_id"], "accept", "dispatch")
    page = window("community")
    page.goto("/admin/assessment?all=true")
    page.get_by_role("row", name="交办及时率").get_by_role("link").first.click()
    page.locator("[data-rows] a[data-drawer]").first.click()
    page.locator("#drawer").get_by_text(sent["number"]).first.wait_for()


def test_who_has_no_figures_is_told_so(window: Callable[..., Any]) -> None:
    page = window("committee")
    page.goto("/admin/dashboard")
    page.get_by_text("您没有权限打开这个页面").wait_for()


def test_the_pages_of_figures_can_be_used_by_everybody_and_fit_a_phone(
    window: Callable[..., Any], report: Callable[..., dict[str, Any]], town: Town
) -> None:
    town.bring(report(category="noise")["ticket_id"], "accept", "dispatch")
    all_is_well(
        window,
        "street",
        "/admin/dashboard",
        "/admin/assessment?all=true",
        "/admin/assessment/items?metric=accept_on_time&share=denominator",
        "/admin/assessment/published",
        "/admin/screens",
        "/admin/screen",
    )
