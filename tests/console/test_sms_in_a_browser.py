"""Text messages by a browser: from whom to tell to what each number received; the second person, pause, resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.messaging import campaigns
from tests.campaigns.mailroom import Mailroom, phone
from tests.conftest import Town
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well
from tests.console.test_sms_pages import mail, settled
from tests.sms.conftest import gateways, running_gateways
from tests.sms.staging import Gateways
from workers import jobs

pytestmark = NEEDS_A_BROWSER
__all__ = ["gateways", "mail", "running_gateways"]


def once(phones: list[str]) -> Counter[str]:
    return Counter(dict.fromkeys(phones, 1))


def counted(page: Any, status: str, number: int) -> None:
    """Waits until the page, which refreshes by itself, says so many."""
    page.locator(f'[data-count="{status}"]', has_text=f"{number}").wait_for()


def opened(page: Any, name: str) -> Any:
    page.get_by_role("button", name=name, exact=True).click()
    return page.locator("dialog[open]")


def test_a_clerk_gets_from_the_menu_to_every_phone_and_is_told_what_is_wrong_on_the_way(
    mail: Mailroom, gateways: Gateways, window: Callable[..., Any]
) -> None:
    phones = mail.flats(3)
    mail.template(name="停水短信")
    page = window("community")
    page.goto("/admin/")
    page.get_by_role("link", name="短信通知").click()
    page.get_by_role("link", name="新建短信通知").click()
    page.get_by_role("link", name="整个小区的业主").click()
    save = page.get_by_role("button", name="保存，去核对人数和费用")
    save.click()
    page.locator("fieldset", has_text="选哪几个").locator(".field-error").wait_for()
    page.locator('[name="audience.ids"]').first.check()
    blank = page.get_by_label("空白 1")
    blank.fill("明天停水，见 www.a.cn")
    save.click()
    page.locator("[data-params] .field-error").get_by_text("参数里不能有网址或链接。").wait_for()
    blank.fill("明天停水")
    assert page.locator("[data-text]").inner_text() == "【寸滩街道】您好，明天停水，请留意。"
    assert "按 1 条计费" in page.locator("[data-length]").inner_text()
    save.click()
    # It is counted without being asked, and the page finds out by itself.
    page.get_by_role("heading", name="正在计算人数和费用").wait_for()
    page.locator('[hx-trigger^="every 2s"]').wait_for()
    mail.work()
    page.locator("[data-recipients]").get_by_text("3", exact=True).wait_for()
    box = opened(page, "发送")
    box.get_by_text("0.14").wait_for()
    box.get_by_role("button", name="确认发送").click()
    page.locator("#progress").wait_for()
    mail.work()
    counted(page, "total", 3)
    jobs.drain_sms()
    counted(page, "accepted", 3)
    assert gateways.received(phones) == once(phones)
    page.get_by_role("link", name="3", exact=True).first.click()
    page.get_by_role("heading", name="每一条短信").wait_for()
    assert not any(one in page.content() for one in phones)


def test_a_large_one_goes_when_a_second_person_has_looked_at_it(
    mail: Mailroom, gateways: Gateways, window: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "_approval_above", 2)
    phones = mail.flats(3)
    campaign = mail.draft(title="三栋停水")
    mail.preview(campaign)
    page, second = window("community"), window("street")
    page.goto(f"/admin/campaigns/{campaign}")
    box = opened(page, "提交审批")
    box.get_by_role("button", name="确认提交").click()
    page.get_by_text("您起草或提交的，须由另一位工作人员审批").wait_for()
    assert page.get_by_role("button", name="审批", exact=True).count() == 0
    second.goto("/admin/")
    second.get_by_role("link", name="三栋停水").click()
    box = opened(second, "审批")
    box.get_by_role("button", name="退回修改").click()
    box.locator(".field-error").wait_for()
    box.get_by_role("button", name="同意", exact=True).click()
    second.get_by_text("可以发送了").wait_for()
    page.reload()
    opened(page, "发送").get_by_role("button", name="确认发送").click()
    page.locator("#progress").wait_for()
    mail.work()
    jobs.drain_sms()
    counted(page, "accepted", 3)
    assert gateways.received(phones) == once(phones)


def test_while_it_is_paused_nothing_leaves_and_what_was_cancelled_never_does(
    mail: Mailroom, gateways: Gateways, window: Callable[..., Any]
) -> None:
    phones = mail.flats(2)
    campaign = mail.launched(mail.draft())
    page = window("community")
    page.goto(f"/admin/campaigns/{campaign}")
    page.get_by_role("button", name="暂停", exact=True).click()
    page.locator("[data-said]").get_by_text("已暂停。").wait_for()
    jobs.drain_sms()
    assert gateways.received(phones) == Counter()
    page.get_by_role("button", name="继续发送").click()
    page.get_by_role("button", name="暂停", exact=True).wait_for()
    jobs.drain_sms()
    counted(page, "accepted", 2)
    assert gateways.received(phones) == once(phones)
    other = mail.launched(mail.draft())
    page.goto(f"/admin/campaigns/{other}")
    box = opened(page, "取消发送")
    box.locator("[data-stays]").get_by_text("2 条").wait_for()
    box.get_by_role("button", name="确定取消发送").click()
    page.locator("[data-said]").get_by_text("已取消：发出 0 条，没有发出 2 条").wait_for()
    jobs.drain_sms()
    assert gateways.received(phones) == once(phones)


def test_a_page_that_is_open_hears_of_the_pause_that_a_colleague_made(
    mail: Mailroom, gateways: Gateways, window: Callable[..., Any]
) -> None:
    mail.flats(1)
    campaign = mail.launched(mail.draft())
    page = window("community")
    page.goto(f"/admin/campaigns/{campaign}")
    page.get_by_role("button", name="暂停", exact=True).wait_for()
    mail.go(campaign, "pause", by=mail.second)
    page.get_by_role("button", name="继续发送").wait_for()


def test_a_template_is_written_approved_by_another_and_entered_as_the_vendor_calls_it(
    mail: Mailroom, gateways: Gateways, window: Callable[..., Any]
) -> None:
    page = window("street")
    page.goto("/admin/sms-templates")
    page.get_by_role("link", name="新建模板").click()
    page.get_by_label("名称").fill("停电通知")
    page.get_by_label("签名").fill("寸滩街道")
    page.locator("#t-text").fill("您好，")
    page.get_by_role("button", name="插入一处空白").click()
    page.keyboard.type("停电。")
    page.get_by_label("最多几个字").fill("20")
    assert page.locator("[data-text]").inner_text() == "【寸滩街道】您好，空白 1停电。"
    page.get_by_label("这处空白叫什么").fill("停电时间")
    assert page.locator("[data-text]").inner_text() == "【寸滩街道】您好，停电时间停电。"
    page.get_by_role("button", name="保存，等另一人审核").click()
    page.get_by_text("须由另一位同事审核").wait_for()
    template = page.url.rpartition("/")[2]
    part = page.locator(".vendor-part", has_text="阿里云短信")
    part.get_by_label("模板代码").fill("SMS_123456")
    part.get_by_label("审核情况").select_option("approved")
    part.get_by_role("button", name="保存").click()
    page.locator(".vendor-part", has_text="SMS_123456").get_by_text("能发", exact=True).wait_for()
    assert mail.other_street.post(f"/sms-templates/{template}/approve").status_code == 200
    mail.flats(1)
    desk = window("community")
    desk.goto("/admin/campaigns/new?type=estates")
    desk.get_by_label("短信模板").select_option(template)
    desk.get_by_text("【寸滩街道】您好，停电时间停电。").wait_for()
    desk.get_by_label("停电时间").fill("今晚")
    desk.get_by_text("【寸滩街道】您好，今晚停电。").wait_for()


def test_a_sheet_is_uploaded_in_the_wizard_and_its_rows_get_their_own_words(
    mail: Mailroom, gateways: Gateways, window: Callable[..., Any]
) -> None:
    first, second = phone(), phone()
    mail.template(
        text="您排在{day}。", parameters=[{"name": "day", "longest": 4, "fill": "list"}], name="排班短信"
    )
    page = window("community")
    page.goto("/admin/campaigns/new?type=list")
    box = opened(page, "上传名单")
    box.get_by_label("名单叫什么").fill("巡逻志愿者")
    sheet = f"手机号,day\n{first},周一\n{second},周二\n12345,周三\n".encode()
    box.get_by_label("表格文件").set_input_files(
        [{"name": "名单.csv", "mimeType": "text/csv", "buffer": sheet}]
    )
    box.get_by_role("button", name="上传并读取").click()
    page.get_by_text("正在读取刚上传的表格").wait_for()
    mail.work()
    page.get_by_label("巡逻志愿者").check()
    page.get_by_role("button", name="保存，去核对人数和费用").click()
    page.locator('[hx-trigger^="every 2s"]').wait_for()
    mail.work()
    page.get_by_text("【寸滩街道】您排在周一。").first.wait_for()
    page.goto("/admin/recipient-lists")
    page.get_by_role("link", name="巡逻志愿者").click()
    page.get_by_role("cell", name="不是手机号").wait_for()


def test_a_number_is_looked_up_opted_out_and_in_again(
    mail: Mailroom, gateways: Gateways, window: Callable[..., Any]
) -> None:
    number = phone()
    page = window("community")
    page.goto("/admin/opt-outs")
    page.get_by_label("手机号").fill("02367890000")
    page.get_by_role("button", name="查询").click()
    page.locator("[data-alert]").get_by_text("不是有效的手机号。").wait_for()
    page.get_by_label("手机号").fill(number)
    page.get_by_role("button", name="查询").click()
    page.get_by_text("没有退订，会收到短信。").wait_for()
    page.get_by_role("button", name="登记退订").click()
    page.get_by_text("在窗口说过不要短信").wait_for()
    page.get_by_role("button", name="恢复接收").click()
    page.get_by_text("没有退订，会收到短信。").wait_for()
    assert number not in page.url


@pytest.mark.long
def test_every_page_of_text_messages_can_be_used_by_everybody(
    mail: Mailroom, window: Callable[..., Any], town: Town, owner: psycopg.Connection[Any]
) -> None:
    mail.flats(2)
    template = mail.template()
    draft, counted_, gone = mail.draft(template), mail.draft(template), mail.launched(mail.draft(template))
    mail.preview(counted_)
    settled(owner, gone, ("delivered", None, None), ("refused", "number", "isv.MOBILE_NUMBER_ILLEGAL"))
    rows = [{"phone": phone()}, {"phone": "12345"}]
    numbers = mail.clerk.post("/recipient-lists", {"name": "志愿者", "rows": rows}).json["job_id"]
    all_is_well(
        window,
        "community",
        "/admin/campaigns",
        "/admin/campaigns/new",
        "/admin/campaigns/new?type=estates",
        "/admin/campaigns/new?type=buildings",
        "/admin/campaigns/new?type=list",
        f"/admin/campaigns/{draft}/edit",
        f"/admin/campaigns/{counted_}",
        f"/admin/campaigns/{gone}",
        f"/admin/campaigns/{gone}/messages",
        f"/admin/campaigns/{gone}/visits",
        "/admin/recipient-lists",
        f"/admin/recipient-lists/{numbers}",
        "/admin/opt-outs",
        "/admin/sms-templates",
        f"/admin/sms-templates/{template}",
    )
    unfinished = mail.street.post("/sms-templates", mail.template_body()).json["template_id"]
    all_is_well(
        window,
        "street",
        "/admin/sms-templates/new",
        f"/admin/sms-templates/{unfinished}",
        f"/admin/sms-templates/{unfinished}/edit",
        "/admin/providers",
    )
    refused = window("property")
    assert refused.goto("/admin/campaigns").status == 403
    refused.get_by_text("您没有权限打开这个页面").wait_for()
