"""What staff see on patrol: property staff where their company serves, grid workers in their grid; followed after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg

from app import ids
from app.ids import Kind
from tests.conftest import Caller, Person, Town, small_jpeg


def seen_on_patrol(town: Town, **more: Any) -> dict[str, Any]:
    return {
        "channel": "patrol",
        "estate_id": town.a.estate_id,
        "category": "noise",
        "text": "夜间施工，声音很大",
    } | more


def take_in(who: Caller, body: dict[str, Any]) -> str:
    answer = who.post("/tickets", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json["ticket_id"])


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def test_property_staff_report_what_they_see_where_their_company_serves(town: Town) -> None:
    keeper = town.staff("property")
    photo = keeper.upload("/files", small_jpeg()).json["file_id"]
    made = keeper.post("/tickets", seen_on_patrol(town, photo_ids=[photo], urgent=True))
    assert made.status_code == 201, made.text
    ticket_id = made.json["ticket_id"]
    assert (made.json["channel"], made.json["status"], made.json["moves"]) == ("patrol", "received", [])
    assert made.headers["Location"].endswith(f"/reports/{ticket_id}")
    there = {"lng": town.a.centre.lng, "lat": town.a.centre.lat, "crs": "wgs84"}
    take_in(keeper, seen_on_patrol(town, estate_id=None, location=there))
    # It takes the way of every report: the desk has it, and it isn't hers to handle.
    assert town.staff("community").get(f"/tickets/{ticket_id}").json["moves"]
    assert keeper.get(f"/tickets/{ticket_id}").status_code == 404
    assert keeper.post(f"/tickets/{ticket_id}/start").status_code == 404


def test_and_nothing_else_and_nowhere_else(
    town: Town, make_town: Callable[[], Town], owner: psycopg.Connection[Any]
) -> None:
    keeper = town.staff("property")
    before = keeper.get("/reports").json["items"]
    for channel in ("phone", "visit", "hotline"):
        assert refused(keeper.post("/tickets", seen_on_patrol(town, channel=channel))) == (
            403,
            "permission_missing",
        )
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    for elsewhere in (second, town.b.estate_id, make_town().a.estate_id):
        assert keeper.post("/tickets", seen_on_patrol(town, estate_id=elsewhere)).status_code == 404
    assert keeper.post("/tickets", seen_on_patrol(town, text=None)).status_code == 422
    owner.execute(
        "UPDATE responsibilities SET valid_to = valid_from WHERE community_id = %s AND org_id = %s",
        (town.a.id, town.a.keeper),
    )
    assert keeper.post("/tickets", seen_on_patrol(town)).status_code == 404
    assert before == []


def test_a_grid_worker_reports_within_the_grid(town: Town) -> None:
    grid = town.staff("grid")
    ticket_id = take_in(grid, seen_on_patrol(town))
    assert [r["ticket_id"] for r in grid.get("/reports").json["items"]] == [ticket_id]
    outside = seen_on_patrol(town, estate_id=ids.encode(Kind.ESTATE, town.a.second_estate))
    assert grid.post("/tickets", outside).status_code == 404


def test_who_reported_follows_it_to_its_end_whoever_has_it(
    town: Town, resident: Callable[..., Person]
) -> None:
    keeper, colleague = town.staff("property"), town.hire("property", town.a)
    desk, wang = town.staff("community"), resident()
    ticket_id = take_in(keeper, seen_on_patrol(town))
    second = take_in(keeper, seen_on_patrol(town, text="绿化带有垃圾"))
    secret = "举报人住3号楼502"
    other = str(wang.report(town.a.estate_id, category="noise", text=secret, anonymous=True)["ticket_id"])
    town.bring(ticket_id, "accept")
    assert desk.post(f"/tickets/{other}/merge", {"into": ticket_id}).status_code == 200
    desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id, "note": secret})
    desk.post(f"/tickets/{ticket_id}/comment", {"text": secret, "visibility": "internal"})
    desk.post(f"/tickets/{ticket_id}/comment", {"text": "今晚到现场", "visibility": "reporter"})
    assert keeper.get(f"/tickets/{ticket_id}").status_code == 404
    seen = keeper.get(f"/reports/{ticket_id}")
    assert (seen.status_code, seen.json["status"]) == (200, "dispatched")
    assert "ETag" in seen.headers
    kinds = [(e["kind"], e["text"]) for e in seen.json["timeline"]]
    assert kinds == [("report", None), ("accept", None), ("dispatch", None), ("comment", "今晚到现场")]
    for hidden in (secret, "reporter", "phone", str(wang.id), ids.encode(Kind.RESIDENT, wang.id)):
        assert hidden not in str(seen.json)
    for move, who in (("start", desk), ("resolve", desk), ("verify", town.staff("grid")), ("close", desk)):
        body = {"resolve": {"note": "已劝停"}, "verify": {"passed": True}}.get(move)
        assert who.post(f"/tickets/{ticket_id}/{move}", body).status_code == 200
    end = keeper.get(f"/reports/{ticket_id}").json
    assert (end["status"], end["closed_at"] is not None) == ("closed", True)
    assert "已劝停" in str(end["timeline"])
    # Pages, and only one's own.
    first = keeper.get("/reports?limit=1").json
    rest = keeper.get("/reports", query_string={"limit": 1, "cursor": first["next_cursor"]}).json
    assert [r["ticket_id"] for r in first["items"] + rest["items"]] == [second, ticket_id]
    assert rest["next_cursor"] is None
    assert colleague.get("/reports").json["items"] == []
    for stranger in (colleague, desk, town.staff("property", town.b)):
        assert stranger.get(f"/reports/{ticket_id}").status_code == 404
    assert keeper.get(f"/reports/{other}").status_code == 404


def test_a_report_that_was_referred_shows_where_it_stands(town: Town) -> None:
    keeper = town.staff("property")
    ticket_id = take_in(keeper, seen_on_patrol(town))
    there = ids.encode(Kind.COMMUNITY, UUID(int=town.b.id))
    body = {"community_id": there, "reason": "属于邻社区"}
    moved = town.staff("community").post(f"/tickets/{ticket_id}/refer", body)
    assert moved.status_code == 200, moved.text
    successor = moved.json["referred_to"]
    town.staff("community", town.b).post(f"/tickets/{successor}/accept")
    (row,) = keeper.get("/reports").json["items"]
    assert (row["ticket_id"], row["status"]) == (ticket_id, "accepted")
    seen = keeper.get(f"/reports/{ticket_id}").json
    assert [e["kind"] for e in seen["timeline"]] == ["report", "refer", "referred_in", "accept"]
    assert keeper.get(f"/reports/{successor}").status_code == 404


def test_who_no_longer_works_there_sees_her_reports_no_more(
    town: Town, owner: psycopg.Connection[Any]
) -> None:
    keeper = town.hire("property", town.a)
    ticket_id = take_in(keeper, seen_on_patrol(town))
    me = ids.decode_id(Kind.STAFF, keeper.get("/me").json["id"])
    owner.execute("UPDATE staff_roles SET valid_to = valid_from WHERE staff_id = %s", (me,))
    assert keeper.get("/reports").status_code == 403
    assert keeper.get(f"/reports/{ticket_id}").status_code in {403, 404}


# --- callers who report again -----------------------------------------------------------------------------


def by_phone(town: Town, phone: str | None, **more: Any) -> dict[str, Any]:
    reporter = {"name": "王女士", "phone": phone} if phone else {}
    return seen_on_patrol(town, channel="phone", reporter=reporter) | more


def closed(town: Town, ticket_id: str) -> str:
    town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    return ticket_id


def repeated(desk: Caller, body: dict[str, Any]) -> bool:
    return bool(desk.get(f"/tickets/{take_in(desk, body)}").json["repeated"])


def test_a_caller_with_the_same_phone_place_and_class_is_marked_as_repeated(
    town: Town, resident: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    desk = town.staff("community")
    phone = "13900001111"
    ticket_id = take_in(desk, by_phone(town, phone))
    assert not repeated(desk, by_phone(town, phone)), "nothing was closed before"
    closed(town, ticket_id)
    assert repeated(desk, by_phone(town, "+86 139-0000-1111"))
    assert not repeated(desk, by_phone(town, "13900002222"))
    assert not repeated(desk, by_phone(town, None))
    assert not repeated(desk, by_phone(town, phone, category="dogs"))
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    assert not repeated(desk, by_phone(town, phone, estate_id=second))
    # The class is set later; and the same phone left with a report by the mini-program is the same person.
    late = take_in(desk, by_phone(town, phone, category=None))
    assert desk.post(f"/tickets/{late}/category", {"category": "noise"}).json["repeated"]
    mine = resident().report(town.a.estate_id, category="noise", contact_phone=phone)["ticket_id"]
    assert desk.get(f"/tickets/{mine}").json["repeated"]
    row = owner.execute(
        "SELECT contact_hash FROM tickets WHERE community_id = %s AND id = %s",
        tuple(ids.decode_ref(Kind.TICKET, ticket_id)),
    ).fetchone()
    assert row is not None
    assert len(row[0]) == 32
    assert phone.encode() not in row[0]


def test_after_thirty_days_a_caller_begins_anew(town: Town, later: Callable[..., Any]) -> None:
    closed(town, take_in(town.staff("community"), by_phone(town, "13900003333")))
    later(days=29)
    town.a.staff.clear()
    assert repeated(town.staff("community"), by_phone(town, "13900003333"))
    later(days=2)
    town.a.staff.clear()
    assert not repeated(town.staff("community"), by_phone(town, "13900003333"))
