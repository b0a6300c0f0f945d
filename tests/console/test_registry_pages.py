"""Pages of the registry, its imports, memberships and notices by the test client."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.places.identity import Party
from tests.conftest import House, Person, Town
from tests.console.clerk import Clerk
from tests.memberships.conftest import Estate, paper, phone
from tests.notices.conftest import Board, read
from tests.registry.conftest import HEADINGS, id_number, workbook


@pytest.fixture
def estate(house: House, town: Town, resident: Callable[..., Person]) -> Estate:
    return Estate(house, town, town.staff("community"), resident)


@pytest.fixture
def board(house: House, town: Town, estate: Estate, work: Callable[..., int]) -> Board:
    return Board(house, town, estate, work)


# --- the registry ------------------------------------------------------------------------------------------


def test_the_tree_leads_to_the_houses_of_a_unit_and_the_search_finds_by_room_and_owner(
    town: Town, clerk: Callable[..., Clerk], estate: Estate
) -> None:
    number = phone()
    first = estate.flat("301", Party("张三丰", number), unit="1单元")
    second = estate.flat("302", Party("李四光", phone()), unit="2单元")
    desk, here = clerk("community"), f"/admin/registry?estate_id={town.a.estate_id}"
    page = desk.get(here).text
    assert {first, second} <= set(re.findall(r'data-row="(hou_\w+)"', page))
    assert "2单元" in page
    of_unit = desk.get(f"{here}&building=1栋&unit=2单元").text
    assert re.findall(r'data-row="(hou_\w+)"', of_unit) == [second]
    for asked in ("room=1-1-301", "room=301", f"owner={number}", "owner=张三丰", "owner=张&room=301"):
        part = desk.get(f"{here}&{asked}", part=True).text
        assert re.findall(r'data-row="(hou_\w+)"', part) == [first], asked
        assert "<html" not in part
    assert "张三丰" not in page
    assert desk.get(f"{here}&owner=张").status_code == 422
    assert desk.get(f"/admin/registry?estate_id={town.b.estate_id}").status_code == 404
    assert desk.get(f"/admin/registry/{town.b.estate_id}/tree", part=True).status_code == 404


def test_a_house_shows_each_role_what_it_may_do_and_read(clerk: Callable[..., Clerk], estate: Estate) -> None:
    flat = estate.flat("301", Party("张三丰", phone(), id_number=id_number(7)), Party("李四光", phone()))
    desk, keeper = clerk("community"), clerk("property")
    whole = desk.get(f"/admin/houses/{flat}").text
    assert "90.00 m²" in whole
    for path in ("transfer", "voter"):
        assert f'data-api="POST /admin/api/v1/houses/{flat}/{path}"' in whole
    assert f'data-api="PATCH /admin/api/v1/houses/{flat}"' in whole
    assert "还没有推选谁投票" in whole
    assert 'data-api="POST /admin/api/v1/unmask"' in whole
    shown = keeper.get(f"/admin/houses/{flat}/detail", part=True).text
    assert "张**" in shown
    assert "data-api" not in shown
    assert id_number(7)[-2:] + "<" not in shown
    owner = estate.owner_id(flat)
    assert f'data-api="PATCH /admin/api/v1/owners/{owner}"' in desk.get(f"/admin/owners/{owner}").text
    assert keeper.get("/admin/registry/same").status_code == 403


def test_owners_of_one_name_can_be_joined(clerk: Callable[..., Clerk], estate: Estate) -> None:
    estate.flat("301", Party("欧阳同名", phone()))
    estate.flat("302", Party("欧阳同名", phone()))
    page = clerk("community").get("/admin/registry/same").text
    assert re.search(r'data-api="POST /admin/api/v1/owners/own_\w+/merge"', page)


# --- imports -----------------------------------------------------------------------------------------------


def test_an_import_is_found_again_and_says_what_it_would_change(
    town: Town, clerk: Callable[..., Clerk], work: Callable[..., int]
) -> None:
    rows = [
        ["1栋", "1单元", "101", "住宅", 89.5, "张三丰", phone(), ""],
        ["1栋", "1单元", "", "住宅", 90, "李四光", "", ""],
    ]
    sent = town.staff("community").upload(
        "/registry/imports",
        workbook([HEADINGS, *rows]),
        "台账.xlsx",
        source="property",
        estate_id=town.a.estate_id,
    )
    job = sent.json["job_id"]
    desk = clerk("community")
    waiting = desk.get(f"/admin/registry/imports/{job}").text
    assert 'hx-trigger="every 2s, refresh"' in waiting
    work()
    page = desk.get(f"/admin/registry/imports/{job}").text
    assert "every 2s" not in page
    assert "没有房号" in page
    assert f'data-api="POST /admin/api/v1/registry/imports/{job}/apply"' in page
    assert f"/admin/api/v1/registry/imports/{job}/errors" in page
    assert '<option value="name" selected>' in page
    assert job in desk.get("/admin/registry/imports").text
    listed = town.staff("community").get("/registry/imports").json["items"]
    assert (listed[0]["import_id"], listed[0]["state"], listed[0]["rows"]) == (job, "previewed", 2)
    assert town.staff("community", town.b).get("/registry/imports").json["items"] == []
    assert clerk("property").get("/admin/registry/imports").status_code == 403


# --- memberships -------------------------------------------------------------------------------------------


def test_the_queue_leads_from_one_request_to_the_next(
    town: Town, clerk: Callable[..., Clerk], estate: Estate
) -> None:
    flat = estate.flat("301", Party("张三丰", phone()))
    first = estate.waiting(estate.person(), flat, "赵小明")
    second = estate.waiting(estate.person(), flat, "钱小红")
    desk = clerk("community")
    page = desk.get("/admin/memberships").text
    assert page.index(first) < page.index(second)
    assert "已等" in page
    assert desk.get("/admin/memberships/next").headers["Location"] == f"/admin/memberships/{first}"
    skipped = desk.get(f"/admin/memberships/next?after={first}")
    assert skipped.headers["Location"] == f"/admin/memberships/{second}"
    bench = desk.get("/admin/").text
    assert bench.index(f"/admin/memberships/{first}") < bench.index(f"/admin/memberships/{second}")
    assert "/admin/memberships/mbr_" not in clerk("property").get("/admin/").text
    one = desk.get(f"/admin/memberships/{first}").text
    assert "姓名与登记业主不符" in one
    assert f'data-api="POST /admin/api/v1/memberships/{first}/approve"' in one
    assert estate.decide(first, "refuse", reason="不是业主").status_code == 200
    assert estate.decide(second, "approve", voter_level="weak").status_code == 200
    over = desk.get(f"/admin/memberships/next?after={second}&decided=approved")
    assert over.headers["Location"] == "/admin/memberships?decided=approved"
    assert "都审完了" in desk.get("/admin/memberships?decided=approved").text
    assert first in desk.get("/admin/memberships?tab=refused").text
    assert clerk("property").get("/admin/memberships").status_code == 403


def test_how_far_the_registration_is_stands_by_building(
    town: Town, clerk: Callable[..., Clerk], estate: Estate
) -> None:
    mobile = phone()
    flat = estate.flat("301", Party("张三丰", mobile))
    estate.flat("401", Party("李四光", phone()), building="2栋")
    estate.bound(estate.person(mobile), flat, "张三丰")
    page = clerk("community").get(f"/admin/registration?estate_id={town.a.estate_id}").text
    assert f"/admin/api/v1/estates/{town.a.estate_id}/registration/reminders" in page
    assert "李**" in page
    assert "张**" not in page.partition('id="missing"')[2]


# --- notices -----------------------------------------------------------------------------------------------


def test_a_notice_is_previewed_published_and_counted(clerk: Callable[..., Clerk], board: Board) -> None:
    reader, _ = board.home("101")
    board.door("102")
    text = "# 停水\n**明天**停水：\n- 1栋\n- 2栋\n见 https://example.org/a <b"
    asked = board.desk.post("/notices/preview", {"text": text, "area_ids": [board.town.a.estate_id]}).json
    assert [block["kind"] for block in asked["blocks"]] == ["heading", "paragraph", "list", "paragraph"]
    assert asked["audience"] == {"houses": 2, "bound": 1}
    made = board.drafted(text=text)
    desk, notice = clerk("community"), made["notice_id"]
    draft = desk.get(f"/admin/notices/{notice}").text
    assert "<strong>明天</strong>" in draft
    assert "&lt;b" in draft
    assert f'data-api="POST /admin/api/v1/notices/{notice}/publish"' in draft
    assert "2 户" in draft
    board.publish(notice, version=made["version"])
    board.work()
    assert read(reader, notice).status_code == 200
    assert reader.get(f"/notices/{notice}").json["blocks"][0]["kind"] == "heading"
    (row,) = reader.get("/notices", query_string={"estate_id": board.town.a.estate_id}).json["items"]
    assert row["excerpt"].startswith("停水 明天停水：")
    out = desk.get(f"/admin/notices/{notice}").text
    assert "50.0%" in out
    unread = re.search(rf'href="(/admin/notices/{notice}/unread[^"]+)"', out)
    assert unread is not None
    houses = desk.get(unread[1].replace("&amp;", "&")).text
    assert "102" in houses
    assert "要上门" in houses


def test_who_may_not_publish_writes_a_draft_and_no_more(clerk: Callable[..., Clerk], board: Board) -> None:
    made = board.drafted(by=board.town.staff("property"))
    keeper = clerk("property").get(f"/admin/notices/{made['notice_id']}").text
    assert "等社区发布" in keeper
    assert "/publish" not in keeper
    assert clerk("community").get("/admin/notices?status=draft").text.count(made["notice_id"]) == 1
    assert clerk("auditor").get("/admin/notices").status_code == 403


def test_the_papers_of_a_request_are_opened_by_a_post(clerk: Callable[..., Clerk], estate: Estate) -> None:
    flat, who = estate.flat("301", Party("张三丰", phone())), estate.person()
    waiting = estate.waiting(who, flat, "张三丰", evidence_file_ids=[paper(who)])
    page = clerk("community").get(f"/admin/memberships/{waiting}").text
    assert re.search(rf'data-paper="/admin/api/v1/memberships/{waiting}/files/upl_\w+/content"', page)
