"""Pages of the system in a browser: what is shown once, a clock that changes, a log that tells of it, small screens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from app import ids
from app.ids import Kind
from tests.conftest import Town
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well

pytestmark = NEEDS_A_BROWSER


def confirm(page: Any) -> None:
    page.locator("dialog[open]").get_by_role("button", name="确定", exact=True).click()


def test_a_new_member_of_staff_gets_an_account_a_role_and_logs_in_with_what_was_shown_once(
    town: Town, window: Callable[..., Any]
) -> None:
    account, desk = f"new.{uuid4().hex[:8]}", ids.encode(Kind.ORG, town.a.desk)
    page = window("system_admin")
    page.goto("/admin/staff")
    page.get_by_role("button", name="新建账号").click()
    box = page.locator("#new-account")
    box.get_by_role("button", name="建立账号").click()
    box.locator(".field-error").first.wait_for()
    box.get_by_label("姓名").fill("新来的")
    box.get_by_label("账号").fill(account)
    box.get_by_label("单位").select_option(desk)
    box.get_by_role("button", name="建立账号").click()
    password = box.locator("[data-value=initial_password]")
    password.wait_for()
    given = password.inner_text()
    assert len(given) >= 12
    box.get_by_role("button", name="我抄好了").click()
    page.wait_for_function("given => !document.documentElement.outerHTML.includes(given)", arg=given)

    security = window("security_admin")
    security.goto(f"/admin/staff?q={account}")
    security.get_by_role("link", name="新来的").click()
    sheet = security.locator("#drawer")
    sheet.get_by_label("哪个网格").wait_for(state="hidden")
    sheet.locator("#give-role").select_option("community")
    sheet.get_by_label("管到哪里").wait_for()
    sheet.get_by_role("button", name="授予岗位").click()
    sheet.get_by_role("cell", name="社区").first.wait_for()

    first = window(None)
    first.goto("/admin/login")
    first.get_by_label("账号").fill(account)
    first.get_by_label("密码").fill(given)
    first.get_by_role("button", name="登录").click()
    first.get_by_role("heading", name="首次登录设置").wait_for()


def test_the_street_changes_the_clock_of_a_class_and_the_log_tells(
    town: Town, window: Callable[..., Any]
) -> None:
    code = f"c_{uuid4().hex[:8]}"
    made = town.staff("street").post("/categories", {"code": code, "name": f"新分类{code[-4:]}"})
    assert made.status_code == 201
    page = window("street")
    page.goto(f"/admin/categories/{code}")
    page.locator("#c-amount").wait_for(state="hidden")
    page.locator("#c-clock").select_option("own")
    page.locator("#c-amount").fill("3")
    page.locator("#c-unit").select_option("working_days")
    page.get_by_role("button", name="保存").click()
    page.locator(".dated").get_by_text("3 个工作日").wait_for()
    limit = town.staff("street").get(f"/categories/{code}").json["terms"][-1]["limit"]
    assert limit == {"amount": 3, "unit": "working_days"}
    page.locator("#c-clock").select_option("general")
    page.get_by_role("button", name="保存").click()
    page.locator(".dated").get_by_text("按一般时限").wait_for()
    page.get_by_role("button", name="停用分类").wait_for()


def test_a_key_is_shown_once(window: Callable[..., Any]) -> None:
    page = window("street")
    page.goto("/admin/api-keys")
    page.get_by_role("button", name="新增接入系统").click()
    box = page.locator("#new-source")
    code = f"cam-{uuid4().hex[:6]}"
    box.get_by_label("名称").fill("河边摄像头")
    box.get_by_label("接入代码").fill(code)
    box.get_by_label("来源类型").select_option("camera")
    box.locator("#s-scope").select_option(label=box.locator("#s-desk option").nth(1).inner_text())
    box.get_by_role("button", name="生成密钥").click()
    secret = box.locator("[data-value=secret]")
    secret.wait_for()
    shown = secret.inner_text()
    assert len(shown) > 20
    box.get_by_role("button", name="我抄好了").click()
    page.wait_for_function("shown => !document.documentElement.outerHTML.includes(shown)", arg=shown)
    page.get_by_role("row", name=code).get_by_role("link").click()
    drawer = page.locator("#drawer")
    drawer.get_by_role("button", name="生成新密钥").click()
    confirm(page)
    drawer.locator("#new-secret [data-value=secret]").wait_for()
    drawer.get_by_role("button", name="停用旧密钥").click()
    confirm(page)
    drawer.get_by_role("button", name="生成新密钥").wait_for()


def test_an_outline_is_drawn_before_it_is_sent_and_afterwards(town: Town, window: Callable[..., Any]) -> None:
    ring = [[121.54, 29.87], [121.55, 29.87], [121.55, 29.88], [121.54, 29.87]]
    square = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}}
    text = json.dumps({"type": "FeatureCollection", "features": [square]})
    page = window("community")
    page.goto(f"/admin/areas/{town.a.estate_id}")
    page.get_by_text("上传边界（GeoJSON）").click()
    files = page.locator("#geojson")
    files.set_input_files({"name": "a.json", "mimeType": "application/json", "buffer": b"not json"})
    page.get_by_text("这个文件不是 GeoJSON").wait_for()
    files.set_input_files({"name": "a.geojson", "mimeType": "application/json", "buffer": text.encode()})
    page.locator("[data-drawn] path").wait_for()
    page.get_by_role("button", name="按这个更新边界").click()
    page.get_by_text("蓝线是小区").wait_for()


@pytest.mark.long
def test_the_pages_of_the_system_can_be_used_by_everybody_and_fit_a_phone(
    town: Town, window: Callable[..., Any]
) -> None:
    all_is_well(
        window,
        "street",
        f"/admin/areas/{town.a.estate_id}",
        "/admin/regions",
        "/admin/orgs",
        "/admin/categories/lighting",
        "/admin/calendar",
        "/admin/settings",
        f"/admin/settings/{town.a.estate_id}",
        "/admin/providers",
        "/admin/api-keys",
    )
    all_is_well(window, "system_admin", "/admin/staff", "/admin/settings", "/admin/queues", "/admin/roles")
    all_is_well(window, "auditor", "/admin/audit")
