"""The registry and notices in a browser: a register applied, a number shown, a request decided, a notice read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.places.identity import Party
from tests.conftest import House, Person, Town, small_jpeg
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well
from tests.memberships.conftest import Estate, paper, phone
from tests.notices.conftest import Board, read
from tests.registry.conftest import HEADINGS, workbook

pytestmark = NEEDS_A_BROWSER


@pytest.fixture
def estate(house: House, town: Town, resident: Callable[..., Person]) -> Estate:
    return Estate(house, town, town.staff("community"), resident)


@pytest.fixture
def board(house: House, town: Town, estate: Estate, work: Callable[..., int]) -> Board:
    return Board(house, town, estate, work)


def test_a_register_goes_from_the_file_to_the_registry_without_its_faulty_row(
    town: Town, window: Callable[..., Any], work: Callable[..., int]
) -> None:
    rows = [
        ["1栋", "1单元", "101", "住宅", 89.5, "张三丰", phone(), ""],
        ["1栋", "1单元", "102", "住宅", -1, "李四光", phone(), ""],
    ]
    page = window("community")
    page.goto("/admin/registry/imports")
    page.get_by_role("link", name="上传一份登记册").click()
    page.get_by_role("button", name="上传并读取").click()
    page.locator("[data-alert]:visible, .field-error").first.wait_for()
    file = {
        "name": "台账.xlsx",
        "mimeType": "application/octet-stream",
        "buffer": workbook([HEADINGS, *rows]),
    }
    page.get_by_label("表格文件").set_input_files(file)
    page.get_by_label("是哪个小区的").select_option(town.a.estate_id)
    page.get_by_role("button", name="上传并读取").click()
    page.get_by_role("heading", name="正在读取").wait_for()
    work()
    page.get_by_role("heading", name="写入后会改什么").wait_for()
    page.get_by_text("面积必须大于 0。").wait_for()
    page.get_by_role("button", name="写入登记册").click()
    page.get_by_role("button", name="确定", exact=True).click()
    assert "1 行内容有误" in page.locator("[data-alert]:visible").inner_text()
    page.get_by_label("跳过写不了的行，先写入其余的").check()
    page.get_by_role("button", name="写入登记册").click()
    page.get_by_role("button", name="确定", exact=True).click()
    page.get_by_role("heading", name="正在写入").wait_for()
    work()
    page.get_by_role("link", name="去看房屋和业主").click()
    page.goto(f"/admin/registry?estate_id={town.a.estate_id}")
    assert page.locator("[data-rows] a[data-drawer]").all_inner_texts() == ["1栋1单元101"]


def test_a_number_is_shown_in_full_for_a_purpose_alone(
    window: Callable[..., Any], estate: Estate, town: Town
) -> None:
    mobile = phone()
    estate.flat("301", Party("张三丰", mobile))
    page = window("community")
    page.goto(f"/admin/registry?estate_id={town.a.estate_id}")
    page.get_by_label("房号").first.fill("301")
    page.get_by_role("button", name="查找", exact=True).click()
    page.get_by_role("link", name="1栋301").click()
    drawer = page.locator("#drawer")
    drawer.get_by_text("查看完整信息").click()
    drawer.get_by_role("button", name="查看", exact=True).click()
    drawer.locator(".field-error").wait_for()
    assert mobile not in drawer.inner_text()
    drawer.locator("input[name=purpose]").fill("核对过户材料")
    drawer.get_by_role("button", name="查看", exact=True).click()
    drawer.get_by_text(mobile).wait_for()
    assert "301" not in page.url.rpartition("/houses/")[0]


def test_the_desk_reads_the_papers_and_approves(window: Callable[..., Any], estate: Estate) -> None:
    flat, who = estate.flat("301", Party("张三丰", phone())), estate.person()
    waiting = estate.waiting(who, flat, "张三丰", evidence_file_ids=[paper(who, small_jpeg())])
    page = window("community")
    page.goto("/admin/memberships")
    page.get_by_role("link", name="从等得最久的开始审核").click()
    page.wait_for_load_state()
    page.get_by_role("button", name="打开材料").click()
    image = page.locator(".papers img")
    image.wait_for()
    assert image.evaluate("one => one.decode().then(() => one.naturalWidth > 0)")
    page.get_by_role("button", name="通过，看下一件").click()
    page.get_by_text("上一件已通过").wait_for()
    assert estate.see(waiting)["voter_level"] == "strong"


def test_a_notice_is_written_checked_published_and_its_readers_counted(
    window: Callable[..., Any], board: Board
) -> None:
    reader, _ = board.home("101")
    board.door("102")
    page = window("community")
    page.goto("/admin/notices")
    page.get_by_role("link", name="写一份通知").click()
    page.get_by_label("标题").fill("明天停水")
    page.get_by_label("正文").fill("停水通知")
    page.get_by_role("button", name="小标题").click()
    page.get_by_label("正文").press("End")
    page.get_by_label("正文").press_sequentially("\n1栋")
    page.get_by_role("button", name="列表").click()
    page.locator(f'[name=area_ids][value="{board.town.a.estate_id}"]').check()
    page.locator("[data-seen] h3", has_text="停水通知").wait_for()
    page.locator("[data-seen] li", has_text="1栋").wait_for()
    page.locator("[data-audience]", has_text="会收到 2").wait_for()
    page.get_by_role("button", name="保存草稿，去核对").click()
    page.get_by_role("button", name="核对后发布").click()
    box = page.locator("#publish")
    assert "2 户" in box.inner_text()
    box.get_by_role("button", name="发布通知").click()
    page.locator(".status-closed", has_text="已发布").wait_for()
    notice = page.url.rpartition("/")[2]
    board.work()
    assert read(reader, notice).status_code == 200
    page.reload()
    page.get_by_text("50.0%").first.wait_for()


@pytest.mark.long
def test_every_page_of_the_registry_can_be_used_by_everybody_and_fits_a_phone(
    window: Callable[..., Any], board: Board, estate: Estate, work: Callable[..., int], town: Town
) -> None:
    flat = estate.flat("301", Party("张三丰", phone()), Party("李四光", phone()), unit="1单元")
    estate.flat("302", Party("张三丰", phone()), unit="2单元")
    waiting = estate.waiting(estate.person(), flat, "赵小明")
    made = board.drafted(text="# 停水\n" + "明天停水，" * 40)
    board.publish(made["notice_id"], version=made["version"])
    rows = [["1栋", "1单元", "101", "住宅", -1, "张三丰", phone(), ""]]
    sent = town.staff("community").upload(
        "/registry/imports",
        workbook([HEADINGS, *rows]),
        "台账.xlsx",
        source="property",
        estate_id=town.a.estate_id,
    )
    work()
    all_is_well(
        window,
        "community",
        f"/admin/registry?estate_id={town.a.estate_id}",
        f"/admin/houses/{flat}",
        f"/admin/owners/{estate.owner_id(flat)}",
        "/admin/registry/same",
        "/admin/registry/imports",
        "/admin/registry/imports/new",
        f"/admin/registry/imports/{sent.json['job_id']}",
        "/admin/memberships",
        f"/admin/memberships/{waiting}",
        f"/admin/registration?estate_id={town.a.estate_id}",
        "/admin/notices",
        "/admin/notices/new",
        f"/admin/notices/{made['notice_id']}",
        f"/admin/notices/{made['notice_id']}/unread",
    )
