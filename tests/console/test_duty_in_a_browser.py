"""The week by drag, single days, and the box that tries the rules: in a browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.places import queries as places
from tests.conftest import Town
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well
from tests.console.test_duty_pages import a_post

pytestmark = NEEDS_A_BROWSER


def test_a_turn_is_dragged_to_another_day_and_another_is_added_and_the_week_is_saved(
    window: Callable[..., Any], town: Town
) -> None:
    post, worker = a_post(town, weekdays=[1], **{"from": "08:00", "to": "16:00"})
    page = window("community")
    page.goto("/admin/duty")
    page.locator('.turns[data-day="1"] .turn').drag_to(page.locator('.turns[data-day="3"]').first)
    page.get_by_role("button", name="加班次").click()
    page.get_by_label("周六", exact=True).check()
    page.locator("#turn-from").fill("20:00")
    page.locator("#turn-to").fill("00:00")
    page.locator("#turn-box").get_by_role("button", name="确定").click()
    page.get_by_role("button", name="保存班表").click()
    page.get_by_text("值班表已保存").wait_for()
    turns = town.staff("community").get(f"/duty-rosters/{post['roster_id']}").json["turns"]
    now = sorted((one["weekdays"], one["from"], one["to"]) for one in turns if not one["valid_to"])
    assert now == [([3], "08:00", "16:00"), ([6], "20:00", "24:00")]
    # A day of leave, and taken back.
    day = (places.today() + timedelta(days=(2 - places.today().weekday()) % 7 or 7)).isoformat()
    page.get_by_text("登记请假、替班或加班").click()
    page.get_by_label("哪一天").fill(day)
    page.get_by_label("谁不来").select_option(worker["id"])
    page.locator(".duty-days").get_by_role("button", name="登记", exact=True).click()
    page.get_by_text("不来", exact=False).first.wait_for()
    page.get_by_role("button", name=f"取消这次调班 {day}").click()
    page.locator("dialog[open]").get_by_role("button", name="确定").click()
    page.get_by_text("没有请假、替班或加班。").wait_for()


def test_a_try_says_where_a_report_would_go_and_why_and_a_rule_is_added_and_ended(
    window: Callable[..., Any], town: Town
) -> None:
    post, worker = a_post(town)
    page = window("community")
    page.goto("/admin/routing")
    page.get_by_role("button", name="新增规则").click()
    box = page.locator("#rule-new")
    box.get_by_label("规则名称").fill("漏水给工程班")
    box.get_by_label("派给哪个单位").select_option(town.a.property_id)
    box.get_by_label("值班岗").select_option(post["roster_id"])
    box.get_by_label("分类").select_option("water")
    box.get_by_role("button", name="保存规则").click()
    page.locator("#rules").get_by_text("漏水给工程班").wait_for()
    page.locator("#t-estate").select_option(town.a.estate_id)
    page.locator("#t-class").select_option("water")
    page.get_by_role("button", name="试一试").click()
    tried = page.locator("[data-tried]")
    tried.get_by_text("规则「漏水给工程班」").wait_for()
    assert worker["name"] in tried.inner_text()
    page.get_by_role("button", name="停用 漏水给工程班").click()
    page.locator("dialog[open]").get_by_role("button", name="确定").click()
    page.get_by_text("还没有派单规则").wait_for()


def test_the_pages_of_duty_can_be_used_by_everybody_and_fit_a_phone(
    window: Callable[..., Any], town: Town
) -> None:
    post, _ = a_post(town)
    rule = {"community_id": post["community_id"], "name": "物业", "org_id": town.a.property_id}
    made = town.staff("community").post("/routing-rules", rule).json["rule_id"]
    all_is_well(
        window, "community", "/admin/duty", "/admin/duty/new", "/admin/routing", f"/admin/routing/{made}"
    )
