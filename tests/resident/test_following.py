"""What the reporter does after the report: read, comment, withdraw, rate, reopen; and her lists."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Person, Town

DONE = ("accept", "dispatch", "start", "resolve", "verify", "close")


def closed(wang: Person, town: Town) -> str:
    ticket_id = str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    town.bring(ticket_id, *DONE)
    return ticket_id


def rate(wang: Person, ticket_id: str, **body: Any) -> Any:
    return wang.post(f"/tickets/{ticket_id}/rating", {"stars": 5, "solved": True} | body)


# --- rating and reopening -------------------------------------------------------------------------------


def test_a_closed_ticket_is_rated_once(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = closed(wang, town)
    assert {"rating", "reopen", "comment"} == set(wang.ticket(ticket_id)["can"])
    first = rate(wang, ticket_id, stars=4, text="还可以")
    assert (first.status_code, first.json["status"]) == (200, "closed")
    assert (first.json["rating"]["stars"], first.json["rating"]["solved"]) == (4, True)
    assert "rating" not in first.json["can"]
    again = rate(wang, ticket_id, stars=1, solved=False)
    assert (again.status_code, again.json["code"]) == (409, "already_rated")
    after = wang.ticket(ticket_id)
    assert (after["status"], after["rating"]["stars"]) == ("closed", 4)


@pytest.mark.parametrize(
    "body",
    [
        {"stars": 0},
        {"stars": 6},
        {"stars": "5"},
        {"stars": 4.5},
        {"stars": None},
        {"solved": None},
        {"text": 5},
    ],
)
def test_a_rating_that_is_none_is_refused(
    resident: Callable[..., Person], town: Town, body: dict[str, Any]
) -> None:
    wang = resident()
    ticket_id = closed(wang, town)
    answer = rate(wang, ticket_id, **body)
    assert answer.status_code == 422
    assert set(answer.json["errors"]) == set(body)
    assert wang.ticket(ticket_id)["rating"] is None


def test_not_solved_reopens_it_and_after_the_next_close_it_is_rated_anew(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = closed(wang, town)
    answer = rate(wang, ticket_id, stars=1, solved=False, text="还是不亮")
    assert (answer.status_code, answer.json["status"]) == (200, "accepted")
    assert [e["kind"] for e in answer.json["timeline"]][-2:] == ["rating", "reopen"]
    assert answer.json["clocks"]["closed_at"] is None
    assert wang.get("/inbox").json["items"][0]["kind"] == "ticket_reopened"
    town.bring(ticket_id, *DONE[1:])
    assert rate(wang, ticket_id, stars=5).json["rating"]["stars"] == 5


def test_rating_and_reopening_end_fifteen_days_after_the_close(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any]
) -> None:
    wang = resident("wang")
    rated_in_time, late = closed(wang, town), closed(wang, town)
    later(days=14, hours=23, minutes=55)
    wang = resident("wang")
    assert rate(wang, rated_in_time).status_code == 200
    later(minutes=10)
    wang = resident("wang")
    for answer in (
        rate(wang, late),
        rate(wang, late, solved=False),
        wang.post(f"/tickets/{late}/reopen", {"reason": "又坏了"}),
    ):
        assert (answer.status_code, answer.json["code"]) == (409, "rating_closed")
    after = wang.ticket(late)
    assert (after["status"], after["rating"], after["can"]) == ("closed", None, ["comment"])


def test_a_reopened_ticket_gets_a_new_limit(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any]
) -> None:
    wang = resident("wang")
    ticket_id = closed(wang, town)
    first = wang.ticket(ticket_id)["promised"]["close_by"]
    later(days=10)
    wang = resident("wang")
    again = wang.post(f"/tickets/{ticket_id}/reopen", {"reason": "灯又灭了"})
    assert (again.status_code, again.json["status"]) == (200, "accepted")
    assert again.json["promised"]["close_by"] > first
    assert again.json["clocks"]["overdue"] is False


def test_a_reason_or_comment_must_say_something(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = closed(wang, town)
    for path, field in (("reopen", "reason"), ("comments", "text")):
        for wrong in ("", "   ", None, "x" * 501, "a\u0000b", 5):
            answer = wang.post(f"/tickets/{ticket_id}/{path}", {field: wrong})
            assert answer.status_code == 422, wrong
            assert field in answer.json["errors"]
    assert wang.ticket(ticket_id)["status"] == "closed"


def test_a_withdrawn_report_needs_nobody_any_more(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    answer = wang.post(f"/tickets/{ticket_id}/withdraw")
    assert (answer.json["status"], answer.json["can"]) == ("withdrawn", [])
    assert wang.get("/home").json["open_tickets"] == []


# --- what she reads --------------------------------------------------------------------------------------


def test_the_timeline_names_no_member_of_staff(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = closed(wang, town)
    for role in ("community", "property", "grid"):
        name = town.staff(role).get("/me").json["name"]
        town.staff(role).post(f"/tickets/{ticket_id}/comment", {"text": "已处理好", "visibility": "reporter"})
        assert name not in wang.get(f"/tickets/{ticket_id}").text
    by = {e["kind"]: e["by"] for e in wang.ticket(ticket_id)["timeline"]}
    assert (by["report"], by["accept"]) == ("我", "社区")
    assert by["start"].endswith("物业")


def test_what_colleagues_tell_each_other_stays_among_them(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    desk.post(f"/tickets/{ticket_id}/comment", {"text": "这位居民常来反映"})
    assert desk.get(f"/tickets/{ticket_id}").json["timeline"][-1]["text"] == "这位居民常来反映"
    assert "常来反映" not in wang.get(f"/tickets/{ticket_id}").text
    assert [m["kind"] for m in wang.get("/inbox").json["items"]] == ["ticket_received"]


def test_a_ticket_that_has_not_changed_is_not_sent_again(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    path = f"/tickets/{wang.report(town.a.estate_id)['ticket_id']}"
    first = wang.get(path)
    same = wang.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    wang.post(f"{path}/comments", {"text": "请尽快"})
    assert wang.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_home_shows_what_is_open_and_unread(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    done, open_ = closed(wang, town), wang.report(town.b.estate_id)["ticket_id"]
    home = wang.get("/home").json
    assert [t["ticket_id"] for t in home["open_tickets"]] == [open_]
    assert {e["estate_id"] for e in home["estates"]} == {town.a.estate_id, town.b.estate_id}
    assert home["unread"] == len(wang.get("/inbox").json["items"]) > 0
    first = wang.get("/home", query_string={"estate_id": town.a.estate_id}).json["estates"][0]
    assert first["estate_id"] == town.a.estate_id
    assert wang.ticket(done)["status"] == "closed"
    wang.post("/inbox/read", {"all_before": "2099-01-01T00:00:00+08:00"})
    assert wang.get("/home").json["unread"] == 0


# --- lists, page by page ---------------------------------------------------------------------------------


def pages(caller: Any, path: str, limits: list[int], **query: Any) -> list[list[dict[str, Any]]]:
    """Every page of a list, each with the next of the limits."""
    found, cursor, turn = [], None, 0
    while True:
        asked = query | {"limit": limits[turn % len(limits)]} | ({"cursor": cursor} if cursor else {})
        answer = caller.get(path, query_string=asked)
        assert answer.status_code == 200, answer.text
        assert len(answer.json["items"]) <= asked["limit"]
        found.append(answer.json["items"])
        cursor, turn = answer.json["next_cursor"], turn + 1
        if cursor is None:
            return found
        assert turn < 100


def test_every_ticket_comes_exactly_once_whatever_the_size_of_the_pages(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    made = [wang.report((town.a if n % 3 else town.b).estate_id)["ticket_id"] for n in range(8)]
    for ticket_id in made[2::3]:
        wang.post(f"/tickets/{ticket_id}/withdraw")
    withdrawn = {t for t in made if wang.ticket(t)["status"] == "withdrawn"}
    in_a = [t for n, t in enumerate(made) if n % 3]
    read = wang.post("/inbox/read", {"all_before": "2099-01-01T00:00:00Z"})
    assert read.status_code == 200

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    def walk(limits: list[int]) -> None:
        mine = [t for page in pages(wang, "/tickets", limits) for t in page]
        assert sorted(t["ticket_id"] for t in mine) == sorted(made)
        assert [t["updated_at"] for t in mine] == sorted((t["updated_at"] for t in mine), reverse=True)
        some = [t["ticket_id"] for page in pages(wang, "/tickets", limits, status="withdrawn") for t in page]
        assert sorted(some) == sorted(withdrawn)
        board = [t["ticket_id"] for page in pages(desk, "/tickets", limits) for t in page]
        assert board == in_a[::-1]
        inbox = [m["id"] for page in pages(wang, "/inbox", limits) for m in page]
        assert len(inbox) == len(set(inbox)) == len(made) + len(withdrawn)

    walk()


def _cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(parts))).rstrip(b"=").decode()


SOME_ID = "01900000-0000-7000-8000-000000000000"
BAD_CURSORS = [
    "x", "%", "中", "AAAA", "a" * 300, "\u0000", _cursor(), _cursor("x"), _cursor(5), _cursor(None),
    _cursor({}), _cursor("2026-01-01", "x"), _cursor("x", SOME_ID), _cursor(5, 5), _cursor(SOME_ID, 1),
    _cursor([[]]), base64.urlsafe_b64encode(b"5").decode(), base64.urlsafe_b64encode(b"{}").decode(),
    base64.urlsafe_b64encode(b'"ab"').decode(), base64.urlsafe_b64encode(b"NaN").decode(),
]  # fmt: skip


def test_a_cursor_that_is_not_ours_is_refused(resident: Callable[..., Person], town: Town) -> None:
    wang, desk = resident(), town.staff("community")
    for who, path in ((wang, "/tickets"), (wang, "/inbox"), (desk, "/tickets"), (desk, "/photos/review")):
        for cursor in BAD_CURSORS:
            answer = who.get(path, query_string={"cursor": cursor})
            assert (answer.status_code, answer.json["code"]) == (422, "bad_cursor"), (path, cursor)


@pytest.mark.parametrize("limit", ["0", "-1", "101", "x", "1.5", "999999999999999999999"])
def test_a_limit_out_of_bounds_is_refused(resident: Callable[..., Person], town: Town, limit: str) -> None:
    wang, desk = resident(), town.staff("community")
    for who, path in ((wang, "/tickets"), (wang, "/inbox"), (desk, "/tickets"), (desk, "/photos/review")):
        answer = who.get(path, query_string={"limit": limit})
        assert answer.status_code == 422
        assert "limit" in answer.json["errors"]


def test_a_list_is_narrowed_to_states_that_exist(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    for given_, found in (("received", [ticket_id]), ("received,closed", [ticket_id]), ("closed", [])):
        answer = wang.get("/tickets", query_string={"status": given_})
        assert [t["ticket_id"] for t in answer.json["items"]] == found
    answer = wang.get("/tickets", query_string={"status": "received,lost"})
    assert (answer.status_code, answer.json["code"]) == (422, "unknown_status")
