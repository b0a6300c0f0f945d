"""The board of tickets, what is looked up while typing, rooms in the search: by the test client."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Town
from tests.console.clerk import Clerk


def cards(text: str, column: str) -> list[str]:
    """The tickets in a column."""
    inside = re.search(rf'data-column="{column}".*?</ul>', text, re.DOTALL)
    assert inside is not None
    return re.findall(r'data-card="(tkt_\w+)"', inside[0])


def test_the_board_has_each_open_ticket_in_the_column_of_its_state_and_counts_what_it_does_not_show(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    desk = clerk("community")
    made = [report(text=f"第{n}件", category="noise")["ticket_id"] for n in range(17)]
    town.bring(made[0], "accept", "dispatch", "return")
    town.bring(made[1], "accept", "dispatch", "start", "resolve", "verify", "close")
    page = desk.get("/admin/tickets/board").text
    assert cards(page, "accepted") == [made[0]]
    assert cards(page, "closed") == [made[1]]
    assert len(cards(page, "received")) == 15
    assert re.search(r"<span class=\"board-count\">15</span>", page)
    again = [report()["ticket_id"] for _ in range(3)]
    page = desk.get("/admin/tickets/board", part=True).text
    assert "<html" not in page
    assert "还有 3 件" in page
    assert not set(again) & set(cards(page, "received")), "what is due later stands behind"
    assert cards(clerk("property").get("/admin/tickets/board").text, "received") == []


def test_a_drop_gives_the_form_of_the_move_that_leads_there_or_says_why_there_is_none(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    ticket = report(category="noise")["ticket_id"]
    desk, keeper, grid = clerk("community"), clerk("property"), clerk("grid")

    def dropped(who: Clerk, column: str) -> str:
        return str(who.get(f"/admin/tickets/{ticket}/drop/{column}", part=True).text)

    assert f"/{ticket}/accept" in dropped(desk, "accepted")
    assert "“待受理”的工单不能直接移到“处理中”。它可以移到：待派单。" in dropped(desk, "in_progress")
    assert "已经在这一列" in dropped(desk, "received")
    town.bring(ticket, "accept")
    assert 'name="org_id"' in dropped(desk, "dispatched")
    town.bring(ticket, "dispatch")
    assert "要由承办单位来办" in dropped(desk, "in_progress") or "手上" in dropped(desk, "in_progress")
    assert f"/{ticket}/start" in dropped(keeper, "in_progress")
    assert 'name="reason"' in dropped(keeper, "accepted")
    town.bring(ticket, "start", "resolve")
    assert "不能核实自己的处理结果" in dropped(keeper, "verified") or "核实人员" in dropped(
        keeper, "verified"
    )
    assert re.search(r'value="false" data-type="bool" checked', dropped(grid, "in_progress"))
    assert re.search(r'value="true" data-type="bool" checked', dropped(grid, "verified"))


def test_typing_finds_classes_by_the_words_of_residents_and_those_only_staff_choose(
    town: Town, clerk: Callable[..., Clerk]
) -> None:
    desk = clerk("community")
    found = desk.get("/admin/pick/categories?q=灯", part=True).text
    assert 'data-value="lighting"' in found
    assert 'data-value="dogs"' in desk.get("/admin/pick/categories?q=狗", part=True).text


def test_a_room_is_found_in_the_search_and_leads_to_its_card_and_its_tickets(
    town: Town, clerk: Callable[..., Clerk]
) -> None:
    flat = {"building": "7栋", "unit": "2单元", "number": "1904", "registered_area_centi": 9000, "owners": []}
    made = town.staff("community").post(f"/estates/{town.a.estate_id}/houses", flat).json
    picked = clerk("community").get(f"/admin/pick/rooms?estate_id={town.a.estate_id}&q=7-2-1904", part=True)
    assert made["house_id"] in picked.text
    body = {"channel": "phone", "text": "停水", "reporter": {"house_id": made["house_id"]}}
    ticket = town.staff("community").post("/tickets", body).json["ticket_id"]
    for q in ("7-2-1904", "1904", "7栋2单元1904"):
        page = clerk("community").get(f"/admin/search?q={q}").text
        link = re.search(r'href="(/admin/tickets\?area=[^"]+)"', page)
        assert link is not None, q
        assert ticket in clerk("community").get(link[1].replace("&amp;", "&")).text
        card = f"/admin/houses/{made['house_id']}"
        assert f'href="{card}" data-drawer' in page
        assert clerk("community").get(card).status_code == 200
    assert "7栋2单元1904" not in clerk("community").get("/admin/search?q=7-2-1905").text
    assert "看这一户的工单" not in clerk("property").get("/admin/search?q=灯").text


def test_the_table_to_take_away_is_what_the_list_shows(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    first, second = report(text="灯坏了"), report(text="漏水")
    town.bring(second["ticket_id"], "accept")
    desk = clerk("community")
    page = desk.get("/admin/tickets?status=received&limit=5").text
    link = re.search(r'href="(/admin/api/v1/tickets/export[^"]*)"', page)
    assert link is not None
    table = desk.client.get(link[1].replace("&amp;", "&")).text
    assert first["number"] in table
    assert second["number"] not in table


def test_the_map_draws_what_has_an_outline_and_lists_what_has_none(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    sent = report(text="灯坏了")["ticket_id"]
    desk = clerk("community")
    whole = desk.get("/admin/tickets/map").text
    assert "这些小区还没有画边界" in whole
    assert whole.count(f"/admin/tickets/{sent}") >= 2, "as a dot and in the list"
    near = desk.get(f"/admin/tickets/map?area={town.a.estate_id}").text
    assert "看整个范围" in near
    assert sent in near
    assert sent not in desk.get("/admin/tickets/map?overdue=true", part=True).text
    assert sent not in clerk("property").get("/admin/tickets/map").text


def test_a_map_that_is_cut_says_of_how_many_and_leads_to_the_list_of_all(
    town: Town,
    clerk: Callable[..., Clerk],
    report: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = [report(category="noise")["ticket_id"] for _ in range(4)]
    town.bring(report(category="noise")["ticket_id"], "reject")
    desk, caller = clerk("community"), town.staff("community")
    whole = desk.get("/admin/tickets/map").text
    assert "没办结的 4 件" in whole
    assert "在工单列表中查看全部" not in whole
    assert (caller.get("/tickets/plan").json["more"], caller.get("/tickets/plan").json["total"]) == (False, 4)
    monkeypatch.setattr("bff.admin.ticket_plans.MOST_DOTS", 3)
    monkeypatch.setattr("bff.admin.console.ticket_maps.LISTED", 2)
    monkeypatch.setattr("bff.admin.console.ticket_maps.MOST_SPREAD", 1)
    for address in ("/admin/tickets/map?category=noise", f"/admin/tickets/map?area={town.a.estate_id}"):
        page = desk.get(address).text
        assert "图上只画最急的 3 件，共 4 件" in page
        assert "这里列出最急的 2 件，共 4 件" in page
        assert page.count("data-drawer") == 2
        assert "<title>3 件工单" in page
        every = re.search(r'href="(/admin/tickets\?status=[^"]+)">在工单列表中查看全部', page)
        assert every is not None
        rows = desk.get(html.unescape(every[1])).text
        assert re.findall(r'data-row="(tkt_\w+)"', rows) == sorted(sent, key=rows.index)
        assert len(re.findall(r'data-row="(tkt_\w+)"', rows)) == 4
    assert html.unescape(every[1]) in html.unescape(page.partition("<title>3 件工单")[0])


def test_dots_on_one_spot_are_drawn_as_one_and_fanned_out_in_an_estate() -> None:
    from bff.admin.console import ticket_drawing

    centre = {"lng": 106.55, "lat": 29.6}
    estate = {"id": "est_a", "kind": "estate", "name": "甲", "outline": None, "centre": centre}
    items = [
        {"ticket_id": f"t{n}", "estate_id": "est_a", "spot": {"lng": 106.55, "lat": 29.6}} for n in range(12)
    ]
    lost = {"ticket_id": "t99", "estate_id": None, "spot": None}
    tones: dict[str, str] = {str(one["ticket_id"]): "calm" for one in items} | {"t3": "late", "t99": "calm"}
    plan = {"areas": [estate], "items": [*items, lost]}
    far = ticket_drawing.drawn(plan, tones=tones, spread=False)
    near = ticket_drawing.drawn(plan, tones=tones, spread=True)
    assert far is not None
    assert near is not None
    assert [(len(dot.tickets), dot.tone) for dot in far.dots] == [(12, "late")]
    assert len({dot.at for dot in near.dots}) == 12
    assert [one["ticket_id"] for one in far.nowhere] == ["t99"]
    assert ticket_drawing.drawn({"areas": [], "items": []}, tones={}, spread=False) is None
