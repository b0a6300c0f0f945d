"""Decisions in a browser: the wizard to the announcement, a sheet and its second person, the two-click reminder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.voting.models import LegalMode
from tests.conftest import Town, small_jpeg
from tests.console.eyes import NEEDS_A_BROWSER, all_is_well
from tests.voting.conftest import BallotBox, Vote

pytestmark = NEEDS_A_BROWSER

COUNTS_CLICKS = (
    "window.clicked = 0; addEventListener('click', (e) => { if (e.isTrusted) window.clicked += 1; }, true);"
)


def opened(box: BallotBox) -> tuple[Vote, list[Any]]:
    """A vote that is open, with three owners: 100, 200 and 300 m²."""
    box.allow()
    box.rules(electronic_admitted=True)
    people = box.houses(10_000, 20_000, 30_000)
    vote = box.announced().open()
    box.again(*people)
    return vote, people


def test_a_vote_goes_from_the_wizard_to_its_announcement_by_two_people(
    box: BallotBox, window: Callable[..., Any]
) -> None:
    box.allow()
    box.houses(10_000, 20_000)
    page = window("community")
    page.goto("/admin/decisions")
    page.get_by_role("main").get_by_role("link", name="发起表决").click()
    page.get_by_label("哪个小区").select_option(box.town.a.estate_id)
    page.get_by_label("选聘和解聘物业服务企业或者其他管理人").check()
    page.get_by_role("button", name="下一步：写内容").click()
    page.get_by_role("button", name="保存草稿").click()
    assert "必填" in page.locator(".field-error").first.inner_text()
    page.get_by_label("表决名称").fill("更换物业公司")
    page.get_by_label("表决说明").fill("现有合同年底到期。")
    page.get_by_label("议题名称").first.fill("选聘新物业")
    page.get_by_label("具体内容").first.fill("三年，每平方米 2.1 元。")
    page.get_by_role("button", name="保存草稿").click()
    page.get_by_text("内容已齐，等审核通过就可以公告。").wait_for()
    page.get_by_role("button", name="送审", exact=True).click()
    page.get_by_role("button", name="确定送审").click()
    page.get_by_text("您参与了起草，须由另一位同事审核。").wait_for()
    where = page.url
    street = window("street")
    street.goto(where)
    street.get_by_role("button", name="审核通过", exact=True).click()
    street.get_by_role("button", name="确定审核通过").click()
    street.get_by_text("审核已经通过，可以公告。").wait_for()
    page.reload()
    page.get_by_role("button", name="公告", exact=True).click()
    assert "都不能再改" in page.locator("#step-announce").inner_text()
    page.get_by_role("button", name="确定公告").click()
    page.get_by_text("已公告，业主可以对名册提出异议。").wait_for()


def test_a_nomination_and_the_authoritys_result_are_typed_in(
    box: BallotBox, window: Callable[..., Any], tmp_path: Path, work: Callable[..., int]
) -> None:
    box.allow(LegalMode.OFFICIAL)
    box.houses(10_000, 20_050)
    election = box.draft({"title": "选举业委会", "matter": 3, "seats": 1}, kind="election")
    page = window("community")
    page.goto(f"/admin/decisions/{election.id}/candidates")
    page.get_by_text("登记党组织、居委会的推荐").click()
    page.get_by_role("combobox", name="推荐哪一位业主").fill("102")
    page.locator(".pick-list [role=option]").first.click()
    page.get_by_label("推荐说明").fill("热心公益")
    page.get_by_role("button", name="登记推荐").click()
    page.locator(".sheets").get_by_text("热心公益").wait_for()
    vote = box.announced(legal_mode="official").open()
    vote.close()
    work()
    answer = tmp_path / "result.jpg"
    answer.write_bytes(small_jpeg())
    page = window("community")
    page.goto(f"/admin/decisions/{vote.id}")
    page.get_by_role("link", name="录入主管部门的结果").click()
    page.get_by_label("结果文号").fill("渝表决〔2026〕77号")
    page.get_by_label("结果文件").set_input_files(answer)
    page.get_by_label("同意票 人数").fill("1")
    page.get_by_label("同意票 面积").fill("200.50")
    page.get_by_label("全体业主 人数").fill("3")
    page.get_by_role("button", name="保存结果").click()
    page.locator(".field-error").wait_for()
    page.get_by_label("与名册不同的原因").fill("主管部门多计一户")
    page.get_by_role("button", name="保存结果").click()
    page.get_by_text("主管部门的结果是您录入的").wait_for()
    street = window("street")
    street.goto(f"/admin/decisions/{vote.id}")
    street.get_by_role("button", name="认定结果", exact=True).click()
    street.get_by_role("button", name="确定认定结果").click()
    street.get_by_text("结果已认定").first.wait_for()
    street.goto(f"/admin/decisions/{vote.id}/result")
    street.get_by_text("200.50 m² ÷ 300.50 m²").first.wait_for()


def test_a_sheet_is_typed_in_by_keyboard_and_counts_once_a_second_person_has_read_it(
    box: BallotBox, window: Callable[..., Any], tmp_path: Path
) -> None:
    vote, _ = opened(box)
    photo = tmp_path / "sheet.jpg"
    photo.write_bytes(small_jpeg())
    page = window("community")
    page.goto(f"/admin/decisions/{vote.id}/paper")
    page.locator("#sheet-file").set_input_files(photo)
    page.locator("#sheet-head").focus()
    page.keyboard.type("102")
    page.locator("#sheet-head-list [role=option]").wait_for()
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    page.get_by_role("button", name="录入，下一张").click()
    page.locator("[data-sheet]").get_by_text("须由另一位同事复核").wait_for()
    assert page.locator("#sheet [name=head_id]").input_value() == ""
    street = window("street")
    street.goto(f"/admin/decisions/{vote.id}/paper")
    waiting = street.locator("[data-sheet]")
    waiting.get_by_role("button", name="看第 1 张原件").click()
    waiting.get_by_alt_text("原件的照片").wait_for()
    waiting.get_by_label("反对票").check()
    waiting.get_by_role("button", name="复核通过").click()
    waiting.locator("[data-alert]:visible").wait_for()  # she reads something else than was typed in
    waiting.get_by_label("同意票").check()
    waiting.get_by_role("button", name="复核通过").click()
    street.get_by_text("没有等待复核的票。").wait_for()
    assert box.desk.get(f"/decisions/{vote.id}/turnout").get_json()["heads"]["cast"] == 1


def test_who_has_not_voted_is_reminded_in_two_clicks(box: BallotBox, window: Callable[..., Any]) -> None:
    vote, _ = opened(box)
    page = window("community")
    page.goto(f"/admin/decisions/{vote.id}")
    page.evaluate(COUNTS_CLICKS)
    page.get_by_role("button", name="提醒未投票业主").click()
    page.locator("#remind [data-remind-heads]").wait_for()
    assert page.locator("#remind [data-remind-heads]").inner_text() == "3"
    page.locator("#remind").get_by_role("button", name="发送", exact=True).click()
    page.get_by_text("提醒已发出").wait_for()
    assert page.evaluate("window.clicked") == 2
    assert "reminded" in [event["kind"] for event in vote.see()["timeline"]]


def test_who_may_not_write_reads_and_is_offered_nothing(
    box: BallotBox, window: Callable[..., Any], town: Town
) -> None:
    vote, _ = opened(box)
    page = window("committee")
    page.goto(f"/admin/decisions/{vote.id}")
    page.get_by_text("正在表决。").wait_for()
    assert page.get_by_role("button", name="提醒未投票业主").count() == 0
    assert page.get_by_role("link", name="纸质票").count() == 0
    assert page.goto(f"/admin/decisions/{vote.id}/paper").status == 403


@pytest.mark.long
def test_the_pages_of_decisions_can_be_used_by_everybody_and_fit_a_phone(
    box: BallotBox, window: Callable[..., Any], work: Callable[..., int]
) -> None:
    vote, people = opened(box)
    for who in people:
        body = {"choices": dict.fromkeys(vote.motions, "for")}
        assert who.call("PUT", f"/decisions/{vote.id}/ballot", json=body).status_code in {200, 201}
    own = f"/admin/decisions/{vote.id}"
    estate = box.town.a.estate_id
    all_is_well(
        window,
        "community",
        "/admin/decisions",
        "/admin/decisions/new",
        f"/admin/decisions/new?estate_id={estate}&kind=meeting&matter=4",
        own,
        f"{own}/turnout",
        f"{own}/roll",
        f"{own}/paper",
        f"{own}/proxies",
        f"{own}/visits",
        f"{own}/disputes",
    )
    vote.close()
    work()
    assert vote.go("certify", None, box.reviewer).status_code == 200
    all_is_well(window, "community", f"{own}/result", f"{own}/print")
