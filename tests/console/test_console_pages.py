"""Pages of the console by the test client: who sees what, what is in the address, what goes wrong."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from app import clock, db, ids
from app.ids import Kind
from app.media.models import Photo
from app.tickets.models import Ticket
from bff.admin.console import (
    assets,
    devices,
    english,
    menu,
    words,
)
from tests.conftest import Caller, House, Person, Town
from tests.console.clerk import Clerk

# --- who is there ------------------------------------------------------------------------------------------


def test_without_a_login_every_page_is_the_login_page_and_leads_back(visitor: Caller) -> None:
    answer = visitor.get("/admin/tickets?status=received")
    assert answer.status_code == 401
    assert 'data-next="/admin/tickets?status=received"' in answer.text
    assert 'data-api="POST /admin/api/v1/session"' in answer.text


def test_a_part_of_a_page_without_a_login_is_a_problem_document(visitor: Caller) -> None:
    answer = visitor.get("/admin/tickets", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.json["code"]) == (401, "bad_token")


def test_who_has_to_set_up_first_is_led_there(house: House, town: Town, clerk: Callable[..., Clerk]) -> None:
    grid = clerk("grid")
    with db.transaction() as session:
        from app.people import staffing

        staff = staffing.named(grid.account)
        assert staff is not None
        session.merge(staff).must_change = True
    answer = grid.get("/admin/tickets")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/setup")
    assert "/admin/api/v1/me/password" in grid.get("/admin/setup").text


def test_a_page_that_asks_by_itself_keeps_no_idle_login_open(
    clerk: Callable[..., Clerk], later: Callable[..., Any]
) -> None:
    desk = clerk("community")
    for _ in range(4):
        later(minutes=10)
        answer = desk.client.get("/admin/api/v1/events", headers={"X-Background": "1"})
    assert answer.status_code == 401


def test_the_menu_offers_what_the_role_may_open_and_all_of_it_opens(clerk: Callable[..., Clerk]) -> None:
    for role in ("community", "property", "grid", "street", "auditor", "committee"):
        who = clerk(role)
        page = who.get("/admin/")
        assert page.status_code == 200
        side = page.text.partition('class="side"')[2].partition("</nav>")[0]
        offered = set(re.findall(r'href="([^"]+)"', side))
        for entry in menu.ENTRIES:
            status = who.get(entry.address).status_code
            assert (status == 200) is (entry.address in offered), (role, entry.key, status)


def test_a_page_that_one_may_not_open_says_so_in_chinese(clerk: Callable[..., Clerk]) -> None:
    answer = clerk("property").get("/admin/tickets/new")
    assert answer.status_code == 403
    assert "您没有权限打开这个页面" in answer.text


def test_what_is_not_there_is_a_page_and_below_the_api_a_problem_document(
    clerk: Callable[..., Clerk],
) -> None:
    desk = clerk("community")
    page, api = desk.get("/admin/nothing"), desk.get("/admin/api/v1/nothing")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert (api.status_code, api.mimetype) == (404, "application/problem+json")


def test_a_filter_that_does_not_exist_is_said(clerk: Callable[..., Clerk]) -> None:
    answer = clerk("community").get("/admin/tickets?limit=9999")
    assert answer.status_code == 422
    assert "筛选条件不正确" in answer.text


def test_when_the_database_is_away_the_page_says_that_nothing_is_lost(
    clerk: Callable[..., Clerk], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    desk = clerk("community")

    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("connection refused"), connection_invalidated=True)

    monkeypatch.setattr("bff.admin.console.workbench.boards.board", gone)
    answer = desk.get("/admin/")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "数据没有丢" in answer.text
    assert answer.headers["Retry-After"]


def test_a_form_that_was_sent_before_its_script_came_sends_nothing_and_repeats_nothing(
    visitor: Caller, clerk: Callable[..., Clerk], caplog: pytest.LogCaptureFixture
) -> None:
    desk = clerk("community")
    typed = {"text": "三栋王女士家漏水", "reporter.phone": "13800009999", "password": "a long password"}
    for client, path in (
        (desk.client, "/admin/tickets/new?estate_id=x"),
        (desk.client, "/admin/tickets"),
        (visitor.client, "/admin/login"),
        (visitor.client, "/admin/tickets"),
    ):
        answer = client.post(path, data=typed, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.mimetype) == (405, "text/html")
        assert "什么都没有提交" in answer.text
        assert f'href="{path}"' in answer.text
        assert "GET" in str(answer.headers["Allow"])
        assert not any(word in answer.text + caplog.text for word in typed.values())
    assert desk.client.post("/admin/tickets", json={}).mimetype != "text/html"


# --- headers -----------------------------------------------------------------------------------------------


def test_no_page_runs_a_script_of_its_own_or_is_kept_or_framed(clerk: Callable[..., Clerk]) -> None:
    desk = clerk("community")
    for path in (
        "/admin/",
        "/admin/tickets",
        "/admin/tickets/new",
        "/admin/me",
        "/admin/login",
        "/admin/nothing",
    ):
        answer = desk.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert '<html lang="zh-CN"' in answer.text
        assert not re.search(r"<script(?![^>]*(src=|application/json))", answer.text), path
        assert not re.search(r"\s(style|on\w+)=", answer.text), path


@pytest.mark.skipif(not assets.are_installed(), reason="npm packages are not installed (make dev says why)")
def test_files_have_a_digest_in_their_name_and_stay_for_a_year(visitor: Caller) -> None:
    address = assets.address("tabler.css")
    assert address is not None
    plain, squeezed = visitor.get(address), visitor.get(address, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in plain.headers["Cache-Control"]
    assert len(squeezed.data) < len(plain.data) / 4
    assert visitor.get(address.replace(".css", "0.css")).status_code == 404
    without = {"echarts.js", "charts.js"}
    files = [assets._asset(name) for name in assets.FILES if name not in without]
    every = sum(len(found.squeezed) for found in files if found is not None)
    assert every < 200_000, "what all pages without charts send together, squeezed"


# --- words -------------------------------------------------------------------------------------------------


CHINESE = re.compile("[\u4e00-\u9fff]")


def said() -> Iterator[str]:
    """Every Chinese sentence of the console: in its templates, scripts and modules (but not what errors say)."""
    folder = Path(words.__file__).parent
    for path in (folder / "templates").rglob("*.html"):
        yield from re.findall(r'\b(?:t|say)\("([^"]+)"\)', path.read_text(encoding="utf-8"))
    yield from words.said_by_scripts()
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                silent |= {id(piece) for piece in node.values}
            if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == ["zh"]:
                silent.add(id(node.value))
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and id(node) not in silent and CHINESE.search(text):
                yield text


def test_everything_on_the_screens_has_its_english() -> None:
    assert {text for text in said() if text not in english.ENGLISH} == set()


def test_no_two_areas_have_other_english_for_the_same_words() -> None:
    found: dict[str, set[str]] = {}
    for module in pkgutil.iter_modules(english.__path__):
        for text, meaning in importlib.import_module(f"{english.__name__}.{module.name}").ENGLISH.items():
            found.setdefault(text, set()).add(meaning)
    assert {text: meanings for text, meanings in found.items() if len(meanings) > 1} == {}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0 Safari/537.36 Edg/142.0",
            ("Edge", "Windows"),
        ),
        ("Mozilla/5.0 (Linux; Android 9) Chrome/88.0 Mobile MicroMessenger/8.0", ("微信", "安卓")),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1",
            ("Safari", "iPhone"),
        ),
        ("curl/8.5.0", ("curl/8.5.0",)),
        (None, ("未知设备",)),
    ],
)
def test_a_login_says_in_words_what_it_was_made_with(said: str | None, shown: tuple[str, ...]) -> None:
    assert devices.named(said) == shown


def test_the_reader_switches_the_language(clerk: Callable[..., Clerk]) -> None:
    desk = clerk("community")
    desk.client.set_cookie(words.COOKIE, "en", path="/admin")
    page = desk.get("/admin/tickets/new").text
    assert '<html lang="en"' in page
    assert "New report" in page
    assert "登记诉求" not in page


# --- the list ----------------------------------------------------------------------------------------------


def test_the_list_shows_what_the_json_face_shows_and_narrows_by_its_address(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    first, second = report(text="三栋的灯坏了"), report(text="门口积水")
    town.bring(second["ticket_id"], "accept")
    desk = clerk("community")
    rows = re.findall(r'data-row="(tkt_\w+)"', desk.get("/admin/tickets").text)
    assert rows == [row["ticket_id"] for row in town.staff("community").get("/tickets").json["items"]]
    assert re.findall(r'data-row="(tkt_\w+)"', desk.get("/admin/tickets?status=received").text) == [
        first["ticket_id"]
    ]
    assert "没有符合条件的工单" in desk.get(f"/admin/tickets?q={uuid4().hex[:10]}").text


def test_a_part_of_the_list_comes_without_the_frame(clerk: Callable[..., Clerk]) -> None:
    desk = clerk("community")
    assert "<html" not in desk.get("/admin/tickets", part=True).text
    back = desk.get("/admin/tickets", part=True, **{"HX-History-Restore-Request": "true"})
    assert "<html" in back.text


def test_pages_of_the_list_follow_each_other(
    clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    for n in range(21):
        report(text=f"第{n}件")
    desk = clerk("community")
    page = desk.get("/admin/tickets").text
    following = re.search(r'href="(/admin/tickets\?cursor=[^"]+)" rel="next"', page)
    assert following is not None
    second = desk.get(following[1].replace("&amp;", "&")).text
    assert len(re.findall("data-row=", page)) == 20
    assert len(re.findall("data-row=", second)) == 1
    assert "回到第一页" in second


def test_what_a_resident_wrote_is_text_and_no_markup(
    clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    sent = report(text='<img src=x onerror="alert(1)">')
    desk = clerk("community")
    for path in ("/admin/tickets", f"/admin/tickets/{sent['ticket_id']}", "/admin/"):
        assert "<img src=x" not in desk.get(path).text


def test_the_area_of_the_switcher_narrows_the_list_and_only_within_reach(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    sent = report()
    street = clerk("street")
    from app import ids
    from app.ids import Kind

    for estate, there in ((town.a.estate, True), (town.b.estate, False)):
        street.client.set_cookie("jiayuan_area", ids.encode(Kind.ESTATE, estate), path="/admin")
        assert (sent["ticket_id"] in street.get("/admin/tickets").text) is there
    grid = clerk("grid")
    grid.client.set_cookie("jiayuan_area", ids.encode(Kind.ESTATE, town.b.estate), path="/admin")
    assert sent["ticket_id"] in grid.get("/admin/tickets").text


# --- one ticket --------------------------------------------------------------------------------------------


def buttons(text: str) -> set[str]:
    """The moves that a page offers."""
    below = re.findall(r"/moves/(\w+)", text)
    alone = re.findall(r'data-api="POST /admin/api/v1/tickets/tkt_\w+/(\w+)"', text)
    return set(below) | set(alone)


def test_a_ticket_offers_exactly_the_moves_of_the_json_face_and_each_has_a_form(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    ticket = report(category="noise")["ticket_id"]
    clerks = {role: clerk(role) for role in ("community", "property", "grid")}
    for move in (None, "accept", "dispatch", "start", "resolve", "verify", "close"):
        if move is not None:
            town.bring(ticket, move)
        for role, who in clerks.items():
            answer = town.staff(role).get(f"/tickets/{ticket}")
            page = who.get(f"/admin/tickets/{ticket}")
            assert page.status_code == answer.status_code, (move, role)
            if answer.status_code == 200:
                assert buttons(page.text) == set(answer.json["moves"]), (move, role)
                for one in answer.json["moves"]:
                    form = who.get(f"/admin/tickets/{ticket}/moves/{one}", part=True)
                    assert f'data-version="{answer.json["version"]}"' in form.text, one


def test_a_late_ticket_that_waits_for_a_unit_offers_to_supervise_it_first(
    town: Town,
    clerk: Callable[..., Clerk],
    report: Callable[..., dict[str, Any]],
) -> None:
    def first_buttons() -> str:
        page = clerk("community").get(f"/admin/tickets/{ticket}").text
        return page.split('class="move-buttons"')[1].split("<details")[0]

    ticket = report(category="noise")["ticket_id"]
    for move in ("accept", "dispatch", "start"):
        town.bring(ticket, move)
    assert "督办" not in first_buttons()
    ref = ids.decode_ref(Kind.TICKET, ticket)
    with db.transaction() as session:
        session.execute(
            update(Ticket)
            .where(Ticket.community_id == ref.community_id, Ticket.id == ref.id)
            .values(due_at=clock.now() - timedelta(days=1))
        )
    assert "督办" in first_buttons()


def test_what_is_perhaps_the_same_is_shown_with_its_words(
    clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    report(category="noise", text="3栋隔壁半夜装修，电钻声很大")
    ticket = report(category="noise", text="3栋隔壁半夜装修，电钻声很大！")["ticket_id"]
    part = clerk("community").get(f"/admin/tickets/{ticket}").text.split("可能是同一个问题")[1]
    assert "3栋隔壁半夜装修，电钻声很大" in part


def test_a_move_that_can_no_longer_be_made_says_so(
    clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    ticket = report()["ticket_id"]
    answer = clerk("community").get(f"/admin/tickets/{ticket}/moves/resolve", part=True)
    assert "现在不能办了" in answer.text


def test_the_dispatch_form_begins_with_the_unit_that_answers_for_the_place(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    ticket = report()["ticket_id"]
    town.bring(ticket, "accept")
    form = clerk("community").get(f"/admin/tickets/{ticket}/moves/dispatch", part=True).text
    assert re.search(rf'value="{town.a.property_id}" selected', form)


def test_property_staff_read_nothing_of_an_anonymous_reporter(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    ticket = report(anonymous=True, contact_phone="13812345678")["ticket_id"]
    town.bring(ticket, "accept", "dispatch")
    assert "5678" in clerk("community").get(f"/admin/tickets/{ticket}").text
    assert "5678" not in clerk("property").get(f"/admin/tickets/{ticket}").text


# --- the workbench, the search, the inbox, the intake ------------------------------------------------------


def test_the_workbench_shows_each_role_its_own_next_step(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    ticket = report()["ticket_id"]
    desk, keeper = clerk("community"), clerk("property")
    assert "等您受理" in desk.get("/admin/").text
    assert ticket not in keeper.get("/admin/").text
    town.bring(ticket, "accept", "dispatch")
    assert "等您受理" not in desk.get("/admin/").text
    assert "单位待办" in keeper.get("/admin/").text
    assert ticket in keeper.get("/admin/").text


def test_a_ticket_is_found_by_number_words_and_the_callers_phone(
    town: Town, clerk: Callable[..., Clerk]
) -> None:
    phone = f"139{uuid4().int % 10**8:08d}"
    body = {
        "channel": "phone",
        "estate_id": town.a.estate_id,
        "address": "3栋1单元",
        "text": "水管漏水",
        "reporter": {"phone": phone},
    }
    sent = town.staff("community").post("/tickets", body)
    assert (sent.status_code, sent.json["address"]) == (201, "3栋1单元")
    desk, keeper = clerk("community"), clerk("property")
    for q in (sent.json["number"], "水管漏水", phone):
        assert sent.json["ticket_id"] in desk.get(f"/admin/search?q={q}").text
    town.bring(sent.json["ticket_id"], "accept", "dispatch")
    assert sent.json["ticket_id"] not in keeper.get(f"/admin/search?q={phone}").text
    assert sent.json["ticket_id"] in keeper.get("/admin/search?q=水管漏水").text


def test_a_photo_that_waits_is_looked_at_and_decided(
    house: House, town: Town, clerk: Callable[..., Clerk], resident: Callable[..., Person], owner: Any
) -> None:
    wang = resident()
    ticket = wang.report(town.a.estate_id, photo_ids=[wang.photo()])["ticket_id"]
    desk, caller = clerk("community"), town.staff("community")
    assert "没有等待审核的照片" in desk.get("/admin/photos").text
    with db.transaction() as session:
        ref = ids.decode_ref(Kind.TICKET, ticket)
        session.execute(
            update(Photo)
            .where(Photo.community_id == ref.community_id, Photo.object_id == ref.id)
            .values(check_state="review")
        )
    page = desk.get("/admin/photos").text
    (waiting,) = caller.get("/photos/review").json["items"]
    assert page.count(f'data-api="POST /admin/api/v1/photos/{waiting["photo_ref"]}/verdict"') == 2
    assert ticket in page
    assert waiting["photo_ref"] not in clerk("street").get("/admin/inbox").text
    assert clerk("property").get("/admin/photos").status_code == 403
    assert caller.post(f"/photos/{waiting['photo_ref']}/verdict", {"passed": True}).status_code == 200
    assert "没有等待审核的照片" in desk.get("/admin/photos", part=True).text


def test_what_i_took_in_is_listed_and_shown_as_its_reporter_sees_it(
    town: Town, clerk: Callable[..., Clerk]
) -> None:
    grid = town.staff("grid")
    body = {"channel": "patrol", "estate_id": town.a.estate_id, "text": "井盖松了"}
    sent = grid.post("/tickets", body).json
    town.bring(sent["ticket_id"], "accept", "dispatch")
    mine = clerk("grid")
    assert sent["number"] in mine.get("/admin/reports").text
    page = mine.get(f"/admin/reports/{sent['ticket_id']}").text
    assert "井盖松了" in page
    assert "办理过程" in page
    assert sent["number"] not in clerk("property").get("/admin/reports").text
    assert clerk("property").get(f"/admin/reports/{sent['ticket_id']}").status_code == 404
    assert clerk("committee").get("/admin/reports").status_code == 403


def test_the_bell_counts_and_the_inbox_tells(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]], work: Callable[..., int]
) -> None:
    keeper = clerk("property")
    ticket = report()["ticket_id"]
    town.bring(ticket, "accept", "dispatch")
    work()
    page = keeper.get("/admin/inbox").text
    assert "新工单" in page
    assert f"/admin/tickets/{ticket}" in page
    assert re.search(r"data-unread\s*>1<", page)


def test_typing_finds_classes_and_rooms(town: Town, clerk: Callable[..., Clerk]) -> None:
    desk = clerk("community")
    flat = {"building": "1栋", "unit": "2单元", "number": "301", "registered_area_centi": 9000, "owners": []}
    town.staff("community").post(f"/estates/{town.a.estate_id}/houses", flat)
    rooms = f"/admin/pick/rooms?estate_id={town.a.estate_id}&q="
    assert "301" in desk.get(f"{rooms}1-2-301", part=True).text
    assert "登记册里没有这个房号" in desk.get(f"{rooms}9-9-999", part=True).text
    assert desk.get(f"/admin/pick/rooms?estate_id={town.b.estate_id}&q=1", part=True).status_code == 404
    assert 'data-value="lighting"' in desk.get("/admin/pick/categories?q=照明", part=True).text


# --- what changes ------------------------------------------------------------------------------------------


def test_events_tell_what_is_new_to_whom_it_concerns_and_stay_the_same_while_nothing_is(
    town: Town, report: Callable[..., dict[str, Any]]
) -> None:
    desk, keeper, beside = town.staff("community"), town.staff("property"), town.staff("community", town.b)
    places = {who: who.get("/events").json["next"] for who in (desk, keeper, beside)}
    ticket = report()["ticket_id"]

    def told(who: Caller) -> list[tuple[str, bool]]:
        items = who.get(f"/events?since={places[who]}").json["items"]
        return [(one["kind"], one["is_new"]) for one in items if one["ticket_id"] == ticket]

    assert (told(desk), told(keeper), told(beside)) == ([("report", True)], [], [])
    town.bring(ticket, "accept", "dispatch")
    assert ("dispatch", True) in told(keeper)
    assert ("dispatch", False) in told(desk)
    first = desk.get(f"/events?since={places[desk]}")
    again = desk.get(f"/events?since={places[desk]}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_the_place_of_events_moves_on_once_they_are_settled(
    town: Town, report: Callable[..., dict[str, Any]], later: Callable[..., Any]
) -> None:
    desk = town.staff("community")
    start = desk.get("/events").json["next"]
    ticket = report()["ticket_id"]
    assert desk.get(f"/events?since={start}").json["next"] == start
    later(seconds=15)
    settled = desk.get(f"/events?since={start}").json
    assert settled["next"] != start
    assert [one["ticket_id"] for one in settled["items"]] == [ticket]
    assert desk.get(f"/events?since={settled['next']}").json["items"] == []
    assert desk.get("/events?since=nonsense").status_code == 422


def test_a_limit_reads_as_a_clerk_says_it(house: House) -> None:
    from bff.admin.console import clocks

    with house.app.test_request_context("/admin/"):
        assert clocks.left(clock.now() + timedelta(hours=2, minutes=5, seconds=30)) == "还剩 2小时5分"
        assert clocks.left(clock.now() - timedelta(days=1, hours=3, seconds=30)) == "超时 1天3小时"
        assert clocks.deadline("2026-11-25T00:00:00+08:00").endswith("11月24日 24:00")
