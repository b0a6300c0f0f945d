"""What the street tells its estates: from a draft to the houses in which nobody has read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app import clock, db, ids, queue
from app.errors import NotFound
from app.ids import Kind, Ref
from app.messaging import service as messaging
from app.notices.audiences import NoticeUnread
from app.places.identity import Party
from tests.conftest import TEMPLATE, Person, acting
from tests.memberships.conftest import paper, phone
from tests.notices.conftest import Board, listed, read, told
from workers import jobs


def community(number: int) -> str:
    return ids.encode(Kind.COMMUNITY, UUID(int=number))


def test_a_notice_is_seen_where_it_is_told_once_it_is_published(board: Board) -> None:
    (zhang, _), outsider = board.home("101"), board.estate.log_in()
    made = board.drafted()
    notice = made["notice_id"]
    assert (made["status"], made["reach"], made["areas"][0]["id"]) == ("draft", None, board.town.a.estate_id)
    assert zhang.get(f"/notices/{notice}").status_code == 404
    assert listed(zhang, board.town.a.estate_id) == []
    answer = board.publish(notice, version=made["version"])
    assert answer.status_code == 200, answer.text
    assert (answer.json["status"], answer.json["reach"]["houses"]) == ("published", 1)
    board.work()
    for who, mine in ((zhang, True), (outsider, False)):
        (row,) = who.get("/notices", query_string={"estate_id": board.town.a.estate_id}).json["items"]
        assert (row["notice_id"], row["for_me"], row["read_at"]) == (notice, mine, None)
        assert row["kind_name"] == "公开事项"
    assert listed(zhang, ids.encode(Kind.ESTATE, board.town.a.second_estate)) == []
    assert told(zhang)[0] == "notice_published"
    assert "notice_published" not in told(outsider)
    one = zhang.get(f"/notices/{notice}").json
    assert one["text"].startswith("2026")
    assert (one["corrections"], one["files"], one["for_me"]) == ([], [], True)


def test_a_notice_of_the_street_reaches_every_community_in_its_areas(board: Board) -> None:
    zhang, _ = board.home("101")
    li, _ = board.home("102", estate=board.town.b.estate)
    notice = board.out(community(board.town.street), by=board.street, title="防汛提示", kind="emergency")
    assert listed(zhang, board.town.a.estate_id) == [notice]
    assert listed(li, board.town.b.estate_id, kind="emergency") == [notice]
    assert listed(li, board.town.b.estate_id, kind="study") == []
    cut = board.out(community(board.town.street), by=board.street, title="今晚停水", kind="outage")
    assert listed(li, board.town.b.estate_id, kind="outage") == [cut]
    # The desk of one community reads of its own houses, and can't change what is the street's.
    there = board.town.staff("community", board.town.b)
    assert board.see(notice, there)["reach"]["houses"] == 1
    assert board.see(notice, board.street)["reach"]["houses"] == 2
    assert there.post(f"/notices/{notice}/withdraw", {"reason": "不适用"}).status_code == 403
    assert board.patch(notice, there, title="改过", reason="改一下").status_code == 403
    read(li, notice)
    assert board.unread(notice, there)["total"] == {"houses": 1, "bound": 1, "read": 1, "unread": 0}
    assert board.waiting(notice, board.street) == ["101"]


def test_each_resident_reads_once_and_only_who_lives_there_or_follows_is_counted(board: Board) -> None:
    (zhang, _), outsider, reporter = board.home("101"), board.estate.log_in(), board.estate.log_in()
    reporter.report(board.town.a.estate_id)
    notice = board.out()
    first = read(zhang, notice)
    assert (first.status_code, first.json["is_counted"]) == (200, True)
    assert read(zhang, notice).json == first.json
    assert read(outsider, notice).json == {"is_counted": False, "read_at": None, "finished_at": None}
    assert read(reporter, notice).json["is_counted"] is True
    reach = board.see(notice)["reach"]
    assert (reach["houses"], reach["read"], reach["rate_bp"], reach["readers"]) == (1, 1, 10_000, 2)
    assert zhang.get(f"/notices/{notice}").json["read_at"] == first.json["read_at"]
    # Her message about it is read with it.
    assert next(m for m in zhang.get("/inbox").json["items"] if m["kind"] == "notice_published")["read_at"]


def test_the_unread_list_by_building_is_exactly_the_rest(board: Board) -> None:
    town = board.town
    (zhang, _), (li, _) = board.home("101"), board.home("102")
    wang, _ = board.home("201", estate=town.a.second_estate, building="2栋")
    board.home("103")
    board.door("104", owners=2)
    board.door("202", estate=town.a.second_estate, building="2栋")
    board.door("999", estate=town.b.estate)
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    notice = board.out(town.a.estate_id, second)
    for who in (zhang, li, wang):
        assert read(who, notice).status_code == 200
    found = board.unread(notice, by="building")
    assert found["total"] == {"houses": 6, "bound": 4, "read": 3, "unread": 3}
    rows = [(r["building"], r["houses"], r["bound"], r["read"], r["unread"]) for r in found["items"]]
    assert sorted(rows) == [("1栋", 4, 3, 2, 2), ("2栋", 2, 1, 1, 1)]
    assert board.waiting(notice) == ["103", "104", "202"]
    assert board.waiting(notice, estate_id=second) == ["202"]
    first = next(r["building_id"] for r in found["items"] if r["building"] == "1栋")
    assert board.waiting(notice, building_id=first) == ["103", "104"]
    row = next(r for r in board.unread(notice, by="house")["items"] if r["number"] == "104")
    assert (row["is_bound"], len(row["owners"])) == (False, 2)
    assert row["owners"][0]["name_masked"].startswith("王*")
    assert "****" in row["owners"][0]["phone_masked"]
    # A grid worker sees her own buildings.
    assert board.waiting(notice, town.staff("grid")) == ["103", "104"]


def test_an_owner_who_reads_by_one_house_has_read_for_her_others(board: Board) -> None:
    mobile = phone()
    zhang = Party("张三", mobile)
    first, _ = board.estate.flat("101", zhang), board.estate.flat("102", zhang)
    board.door("103")
    who = board.estate.person(mobile)
    board.estate.bound(who, first, "张三")
    notice = board.out()
    assert board.waiting(notice) == ["101", "102", "103"]
    read(who, notice)
    assert board.waiting(notice) == ["103"]


def test_a_correction_keeps_what_was_read_before_and_tells_its_readers(board: Board) -> None:
    (zhang, _), (li, _) = board.home("101"), board.home("102")
    notice = board.out(title="停水通知", text="周三停水。", kind="works")
    read(zhang, notice)
    seen = board.see(notice)
    missing = board.patch(notice, text="周四停水。")
    assert (missing.status_code, missing.json["code"]) == (422, "correction_reason_missing")
    stale = board.patch(notice, match=f'"{seen["version"] - 1}"', text="周四停水。", reason="日期写错")
    assert stale.status_code == 412
    done = board.patch(notice, match=f'"{seen["version"]}"', text="周四停水。", reason="日期写错")
    assert (done.status_code, done.json["revision"]) == (200, 2), done.text
    board.work()
    assert told(zhang)[0] == "notice_corrected"
    assert "日期写错" in zhang.get("/inbox").json["items"][0]["text"]
    assert told(li)[0] == "notice_published"
    one = li.get(f"/notices/{notice}").json
    assert one["text"] == "周四停水。"
    assert [(c["number"], c["text"], c["reason"]) for c in one["corrections"]] == [
        (1, "周三停水。", None),
        (2, "周四停水。", "日期写错"),
    ]
    for more in ({"kind": "policy"}, {"area_ids": [board.town.a.estate_id]}, {"publish_at": None}):
        refused = board.patch(notice, reason="改一下", **more)
        assert (refused.status_code, refused.json["code"]) == (409, "notice_is_out")
    assert board.patch(notice, text="周四停水。").json["revision"] == 2


def test_the_history_can_not_be_rewritten(board: Board, owner: psycopg.Connection[Any]) -> None:
    notice = ids.decode_ref(Kind.NOTICE, board.out())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("UPDATE notice_revisions SET text = '' WHERE notice_id = %s", [notice.id])


def test_what_is_withdrawn_leaves_its_title_and_the_reason(board: Board) -> None:
    (zhang, _), (li, _) = board.home("101"), board.home("102")
    notice = board.out(file_ids=[paper(board.desk)])
    read(zhang, notice)
    file = zhang.get(f"/notices/{notice}").json["files"][0]
    assert (
        zhang.client.get(file["url"], headers={"Authorization": f"Bearer {zhang.token}"}).status_code == 200
    )
    assert board.desk.post(f"/notices/{notice}/withdraw", {}).status_code == 422
    gone = board.desk.post(f"/notices/{notice}/withdraw", {"reason": "数据有误，另行公示"})
    assert (gone.status_code, gone.json["status"]) == (200, "withdrawn")
    board.work()
    assert (told(zhang)[0], told(li)[0]) == ("notice_withdrawn", "notice_published")
    assert listed(zhang, board.town.a.estate_id) == []
    one = zhang.get(f"/notices/{notice}").json
    assert (one["status"], one["text"], one["files"]) == ("withdrawn", None, [])
    assert one["withdrawal"] == "数据有误，另行公示"
    assert (
        zhang.client.get(file["url"], headers={"Authorization": f"Bearer {zhang.token}"}).status_code == 404
    )
    refused = read(li, notice)
    assert (refused.status_code, refused.json["code"]) == (409, "notice_withdrawn")
    again = board.desk.post(f"/notices/{notice}/withdraw", {"reason": "再撤一次"})
    assert (again.status_code, again.json["code"]) == (409, "notice_not_out")
    assert board.patch(notice, text="改", reason="改正").status_code == 409
    # Staff still read what it said, and who had read it.
    assert board.see(notice)["reach"]["read"] == 1


def test_a_scheduled_notice_goes_out_at_its_time_though_redis_was_emptied(
    board: Board, later: Callable[..., datetime]
) -> None:
    zhang, _ = board.home("101")
    at = clock.rfc3339(clock.now() + timedelta(hours=2))
    notice = board.drafted(publish_at=at)["notice_id"]
    answer = board.publish(notice)
    assert (answer.status_code, answer.json["status"]) == (200, "scheduled"), answer.text
    assert board.publish(notice).json["code"] == "notice_not_a_draft"
    jobs.publish_notices()
    assert listed(zhang, board.town.a.estate_id) == []
    queue.redis().flushall()
    later(hours=2, seconds=1)
    jobs.publish_notices()
    jobs.publish_notices()
    zhang = board.estate.log_in("again")
    assert listed(zhang, board.town.a.estate_id) == [notice]


def test_what_is_scheduled_can_be_changed_or_taken_back(board: Board) -> None:
    at = clock.rfc3339(clock.now() + timedelta(hours=2))
    notice = board.drafted(publish_at=at)["notice_id"]
    assert board.publish(notice).json["status"] == "scheduled"
    assert board.patch(notice, title="改过的标题").json["status"] == "scheduled"
    back = board.desk.post(f"/notices/{notice}/withdraw", {"reason": "先不发"})
    assert (back.json["status"], back.json["withdrawn_at"]) == ("draft", None)
    assert board.publish(notice).json["status"] == "scheduled"
    assert board.patch(notice, publish_at=None).json["status"] == "draft"
    assert board.publish(notice).json["status"] == "published"


def test_studying_takes_its_time_and_is_noted_for_each_person(
    board: Board, later: Callable[..., datetime]
) -> None:
    (zhang, _), (li, _) = board.home("101"), board.home("102")
    notice = board.out(kind="study", title="民法典学习", study_minutes=3)
    early = read(zhang, notice, finished=True)
    assert (early.status_code, early.json["minutes_left"]) == (409, 3)
    read(zhang, notice)
    assert read(zhang, notice, finished=True).json["code"] == "studied_too_shortly"
    later(minutes=3, seconds=1)
    done = read(zhang, notice, finished=True)
    assert done.status_code == 200, done.text
    assert done.json["finished_at"] > done.json["read_at"]
    assert read(zhang, notice, finished=True).json == done.json
    rows = board.desk.get(f"/notices/{notice}/learners").json["items"]
    assert [(r["number"], r["name_masked"][0], bool(r["finished_at"])) for r in rows] == [
        ("101", "张", True),
        ("102", "张", False),
    ]
    unfinished = board.desk.get(f"/notices/{notice}/learners?finished=false").json["items"]
    assert [r["number"] for r in unfinished] == ["102"]
    assert board.see(notice)["reach"]["finished"] == 1
    plain = board.out()
    assert read(li, plain, finished=True).json["code"] == "notice_not_to_study"


def test_company_and_grid_worker_write_and_the_community_publishes(board: Board) -> None:
    keeper, grid = board.town.staff("property"), board.town.staff("grid")
    made = board.drafted(by=keeper, kind="works", title="电梯检修")
    assert board.publish(made["notice_id"], by=keeper).status_code == 403
    assert board.patch(made["notice_id"], keeper, text="周五检修。").status_code == 200
    # What the desk saw is what it publishes.
    stale = board.publish(made["notice_id"], version=made["version"])
    assert stale.status_code == 412
    assert board.publish(made["notice_id"]).status_code == 200
    assert board.patch(made["notice_id"], keeper, text="周六检修。", reason="改期").status_code == 403
    # The draft of another is not the company's to change, nor is another estate its to tell.
    desks = board.drafted()["notice_id"]
    assert board.patch(desks, keeper, text="改").status_code == 403
    second = ids.encode(Kind.ESTATE, board.town.a.second_estate)
    assert board.draft(second, by=keeper).status_code == 404
    assert board.draft(second, by=grid).status_code == 404
    assert board.draft(ids.encode(Kind.GRID, board.town.a.grid), by=grid).status_code == 201
    assert keeper.get(f"/notices/{made['notice_id']}/unread").status_code == 403
    assert board.draft(by=board.town.staff("property_worker")).status_code == 403


def test_drafts_stay_among_those_who_may_publish_all_of_them(board: Board) -> None:
    both = [board.town.a.estate_id, board.town.b.estate_id]
    assert board.draft(*both).status_code == 404
    notice = board.drafted(*both, by=board.street)["notice_id"]
    assert board.desk.get(f"/notices/{notice}").status_code == 404
    assert board.desk.get("/notices").json["items"] == []
    assert [n["notice_id"] for n in board.street.get("/notices").json["items"]] == [notice]
    assert board.publish(notice).status_code == 404
    assert board.publish(notice, by=board.street).status_code == 200
    there = board.town.staff("community", board.town.b)
    for desk in (board.desk, there):
        assert [n["notice_id"] for n in desk.get("/notices").json["items"]] == [notice]
    mine = board.out()
    assert [n["notice_id"] for n in there.get("/notices?status=published").json["items"]] == [notice]
    page = board.desk.get("/notices?limit=1").json
    assert [n["notice_id"] for n in page["items"]] == [mine]
    rest = board.desk.get("/notices", query_string={"limit": 1, "cursor": page["next_cursor"]}).json
    assert ([n["notice_id"] for n in rest["items"]], rest["next_cursor"]) == ([notice], None)
    assert board.desk.get(f"/notices?estate_id={board.town.b.estate_id}").status_code == 404


def test_files_are_taken_away_from_a_draft_and_stay_with_what_was_published(board: Board) -> None:
    zhang, _ = board.home("101")
    first, second, third = (paper(board.desk) for _ in range(3))
    notice = board.drafted(file_ids=[first, second])["notice_id"]
    left = board.patch(notice, drop_file_ids=[first]).json["files"]
    assert [file["file_id"] for file in left] == [second]
    unknown = board.patch(notice, drop_file_ids=[first])
    assert (unknown.status_code, unknown.json["code"]) == (422, "unknown_notice_file")
    assert board.patch(notice, file_ids=[second]).status_code == 422
    assert board.publish(notice).status_code == 200
    assert board.patch(notice, drop_file_ids=[second], reason="换附件").json["code"] == "notice_is_out"
    more = board.patch(notice, file_ids=[third], reason="补充附件")
    assert [file["file_id"] for file in more.json["files"]] == [second, third]
    shown = zhang.get(f"/notices/{notice}").json["files"]
    assert [file["kind"] for file in shown] == ["pdf", "pdf"]
    assert board.desk.get(f"/notices/{notice}/files/{second}").data.startswith(b"%PDF")
    assert board.desk.get(f"/notices/{notice}/files/{first}").status_code == 404


def test_a_draft_can_be_thrown_away_and_nothing_else(board: Board) -> None:
    notice = board.drafted(file_ids=[paper(board.desk)])["notice_id"]
    anything = {"If-Match": "*"}
    assert board.desk.delete(f"/notices/{notice}").status_code == 428
    assert board.desk.delete(f"/notices/{notice}", headers=anything).status_code == 204
    assert board.desk.get(f"/notices/{notice}").status_code == 404
    published = board.out()
    refused = board.desk.delete(f"/notices/{published}", headers=anything)
    assert (refused.status_code, refused.json["code"]) == (409, "notice_not_a_draft")


BAD: tuple[tuple[dict[str, Any], str | None], ...] = (
    ({"text": "<b>停水</b>"}, "not_plain_text"),
    ({"title": "<script src=x>"}, "not_plain_text"),
    ({"publish_at": "2020-01-01T08:00:00+08:00"}, "bad_publish_time"),
    ({"publish_at": "2099-01-01T08:00:00+08:00"}, "bad_publish_time"),
    ({"publish_at": "2026-13-01T08:00:00+08:00"}, None),
    ({"study_minutes": 5}, "study_time_not_here"),
    ({"kind": "study", "study_minutes": 0}, None),
    ({"kind": "study", "study_minutes": 2.5}, None),
    ({"kind": "party"}, None),
    ({"text": ""}, None),
    ({"text": "字" * 5001}, None),
    ({"title": "字" * 61}, None),
    ({"title": "停\u0000水"}, None),
    ({"area_ids": []}, None),
    ({"area_ids": ["est_x"]}, None),
    ({"area_ids": "est_x"}, None),
    ({"file_ids": [ids.encode(Kind.UPLOAD, UUID(int=7))]}, None),
    ({"html": "x"}, None),
)


def test_a_draft_that_can_not_be_is_refused_in_words(board: Board) -> None:
    for body, code in BAD:
        answer = board.draft(**body)
        assert answer.status_code == 422, (body, answer.text)
        assert answer.json["detail"]
        if code is not None:
            assert answer.json["code"] == code, body
    assert board.desk.get("/notices").json["items"] == []


def test_less_than_and_arrows_are_plain_text(board: Board) -> None:
    assert board.drafted(text="水压 <0.3 MPa 时报修；A <-> B 路段封闭 a<b。")["status"] == "draft"


def test_an_area_that_is_nowhere_or_empty_is_refused(board: Board) -> None:
    ghost = ids.encode(Kind.ESTATE, Ref(board.town.a.id, UUID(int=7)))
    assert board.draft(ghost).status_code == 404
    assert board.draft(community(4_000_000_000)).status_code == 404
    bad = board.estate.log_in().get("/notices", query_string={"estate_id": ghost})
    assert bad.status_code == 404
    assert board.estate.log_in().get("/notices").status_code == 422


def test_a_notice_for_one_building_concerns_its_houses_alone(board: Board) -> None:
    zhang, _ = board.home("101")
    li, _ = board.home("201", building="2栋")
    buildings = board.desk.get("/buildings", query_string={"estate_id": board.town.a.estate_id}).json["items"]
    second = next(b["building_id"] for b in buildings if b["name"] == "2栋")
    notice = board.out(second, kind="works", title="2栋电梯检修")
    assert told(li)[0] == "notice_published"
    assert "notice_published" not in told(zhang)
    for who, mine in ((zhang, False), (li, True)):
        (row,) = who.get("/notices", query_string={"estate_id": board.town.a.estate_id}).json["items"]
        assert row["for_me"] is mine
    assert board.waiting(notice) == ["201"]


@pytest.fixture
def with_template() -> Iterator[None]:
    """The installation has a WeChat template for notices."""
    before = messaging.template_ids()
    messaging.configure(before | {"community_notice": TEMPLATE})
    yield
    messaging.configure(before)


def test_who_asked_for_it_is_told_by_wechat_as_well(board: Board, with_template: None) -> None:
    zhang, _ = board.home("101")
    board.house.order("subscribe", name=zhang.name, template_id=TEMPLATE, result="accept")
    board.work()
    notice = board.out(kind="emergency", title="燃气抢修")
    (sent,) = board.house.ledger(zhang.name)
    assert sent["page"] == f"pages/notice/detail?id={notice}"
    assert (sent["data"]["thing1"], sent["data"]["phrase2"]) == ("燃气抢修", "新通知")


def test_her_copy_names_what_she_read_and_closing_forgets_it(board: Board, visitor: Person) -> None:
    zhang, _ = board.home("101")
    notice = board.out()
    read(zhang, notice)
    copied = zhang.get("/me/export").json
    assert [row["notice_id"] for row in copied["sections"]["notice_reads"]] == [notice]
    assert zhang.delete("/me").status_code in {200, 204}
    assert board.see(notice)["reach"]["readers"] == 0


def test_those_who_have_not_read_are_the_audience_of_a_campaign_page_by_page(
    board: Board, later: Callable[..., datetime]
) -> None:
    (zhang, _), (li, _) = board.home("101"), board.home("102")
    board.door("103", owners=2)
    board.door("999", estate=board.town.b.estate)
    notice = board.out(community(board.town.street), by=board.street)
    read(zhang, notice)
    unread, at, a = NoticeUnread(), clock.now(), board.town.a.id
    desk, street = acting(board.desk), acting(board.street)
    others = [acting(board.town.staff(role)) for role in ("grid", "property")]
    with db.reading():
        spec = unread.resolve(desk, [notice])
        everywhere = unread.resolve(street, [notice])
        assert unread.communities(spec) == [a]
        assert unread.communities(everywhere) == sorted([a, board.town.b.id])
        first = unread.page(spec, a, after=None, limit=1, at=at)
        second = unread.page(spec, a, after=first.cursor, limit=1, at=at)
        assert second.cursor is not None
        assert unread.page(spec, a, after=second.cursor, limit=1, at=at) == ([], None)
        found = [*first.recipients, *second.recipients]
        assert [(r.fields["room"], len(r.numbers)) for r in found] == [
            ("1栋102", 1),
            ("1栋103", 1),
            ("1栋103", 1),
        ]
        assert unread.target(spec) == ("notice", notice)
    # As of the launch who reads later is still among them; page by page she is not.
    later(seconds=5)
    read(li, notice)
    with db.reading():
        rooms = [r.fields["room"] for r in unread.page(spec, a, after=None, limit=9, at=at).recipients]
        assert rooms == ["1栋102", "1栋103", "1栋103"]
        late = [
            r.fields["room"] for r in unread.page(spec, a, after=None, limit=9, at=clock.now()).recipients
        ]
        assert late == ["1栋103", "1栋103"]
        for other in others:
            with pytest.raises(NotFound):
                unread.resolve(other, [notice])
    board.street.post(f"/notices/{notice}/withdraw", {"reason": "另行通知"})
    with db.reading():
        assert unread.page(spec, a, after=None, limit=9, at=clock.now()) == ([], None)
