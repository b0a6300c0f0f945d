"""A ticket that belongs to another community: one number, one timeline, a clock that runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg

from app import db, ids
from app.ids import Kind
from app.media import service as media
from tests.conftest import Caller, Person, Town, camera


def com(number: int) -> str:
    return ids.encode(Kind.COMMUNITY, UUID(int=number))


def refer(who: Caller, ticket_id: str, community: int) -> Any:
    return who.post(f"/tickets/{ticket_id}/refer", {"community_id": com(community), "reason": "属于邻社区"})


def reported(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "property"} | more))["ticket_id"])


def test_the_successor_has_the_same_number_reporter_photos_and_one_timeline(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    wang = resident()
    ticket_id = reported(wang, town, photo_ids=[wang.photo(camera())], contact_phone="13912345678")
    work()
    town.bring(ticket_id, "accept")
    before = wang.ticket(ticket_id)
    gone = refer(town.staff("community"), ticket_id, town.b.id)
    assert (gone.status_code, gone.json["status"]) == (200, "referred")
    successor = gone.json["referred_to"]
    desk = town.staff("community", town.b)
    there = desk.get(f"/tickets/{successor}").json
    assert there["number"] == before["number"]
    assert (there["status"], there["origin"]) == ("received", ticket_id)
    assert there["reporter"]["phone_masked"] == "139****5678"
    assert there["reported_at"] == there["first_reported_at"] == before["reported_at"]
    assert there["clock"]["due_at"] == before["promised"]["close_by"]
    assert [p["photo_id"] for p in there["photos"]] == [p["photo_id"] for p in before["photos"]]
    mine = wang.ticket(successor)
    assert [e["kind"] for e in mine["timeline"]] == ["report", "accept", "refer", "referred_in"]
    assert [e["seq"] for e in mine["timeline"]] == [1, 2, 3, 4]
    assert len({e["community"] for e in mine["timeline"]}) == 2
    listed = wang.get("/tickets").json["items"]
    assert [t["ticket_id"] for t in listed] == [successor]
    assert [t["ticket_id"] for t in wang.get("/tickets?status=referred").json["items"]] == [ticket_id]
    desk.post(f"/tickets/{successor}/accept")
    assert [m["kind"] for m in wang.get("/inbox").json["items"]][:2] == ["ticket_accepted", "ticket_referred"]
    assert wang.ticket(ticket_id)["timeline"][-1]["kind"] == "accept"
    moved = wang.post(f"/tickets/{ticket_id}/urge")
    assert (moved.status_code, moved.json["code"]) == (409, "illegal_move")


def test_a_verdict_on_the_words_that_comes_after_the_referral_reaches_the_successor(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    ticket_id = reported(resident(), town, text="单元门口的公告栏倒了")
    successor = refer(town.staff("community"), ticket_id, town.b.id).json["referred_to"]
    desk = town.staff("community", town.b)
    assert desk.get(f"/tickets/{successor}").json["text_check"] == "pending"
    work()
    assert desk.get(f"/tickets/{successor}").json["text_check"] == "passed"


def test_the_old_community_keeps_its_end_only_and_its_units_nothing(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = reported(wang, town)
    town.bring(ticket_id, "accept", "dispatch", "return")
    handler = town.staff("property")
    assert handler.get(f"/tickets/{ticket_id}").status_code == 200  # 首接负责: it still has it
    successor = refer(town.staff("community"), ticket_id, town.b.id).json["referred_to"]
    for who in (handler, town.staff("community"), town.staff("grid")):
        assert who.get(f"/tickets/{successor}").status_code == 404
    assert handler.get(f"/tickets/{ticket_id}").status_code == 404
    assert handler.get("/tickets").json["items"] == []
    assert town.staff("community").get(f"/tickets/{ticket_id}").json["status"] == "referred"
    assert town.staff("community", town.b).get(f"/tickets/{ticket_id}").status_code == 404


def test_pauses_and_granted_time_come_along(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any]
) -> None:
    wang = resident("wang")
    ticket_id = reported(wang, town)
    town.bring(ticket_id, "accept", "dispatch", "start")
    handler = town.staff("property")
    handler.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 5})
    later(days=2)
    town.a.staff.clear()
    handler = town.staff("property")
    handler.post(f"/tickets/{ticket_id}/resume")
    returned = handler.post(f"/tickets/{ticket_id}/return", {"reason": "不属于本单位"}).json
    gone = refer(town.staff("community"), ticket_id, town.b.id).json
    there = town.staff("community", town.b).get(f"/tickets/{gone['referred_to']}").json
    assert there["clock"]["due_at"] == returned["clock"]["due_at"]
    accepted = town.staff("community", town.b).post(f"/tickets/{gone['referred_to']}/accept").json
    assert accepted["clock"]["due_at"] == returned["clock"]["due_at"]


def test_a_reopened_ticket_runs_on_from_its_reopening(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any]
) -> None:
    wang = resident("wang")
    ticket_id = reported(wang, town)
    town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    later(days=9)
    town.a.staff.clear()
    wang = resident("wang")
    reopened = wang.post(f"/tickets/{ticket_id}/reopen", {"reason": "又坏了"}).json
    gone = refer(town.staff("community"), ticket_id, town.b.id).json
    there = wang.ticket(gone["referred_to"])
    assert there["promised"]["close_by"] == reopened["promised"]["close_by"]
    assert not there["clocks"]["overdue"]


def test_what_is_decided_on_a_photo_later_reaches_both_communities(
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    work: Callable[..., int],
    eventually: Callable[[Callable[[], Any]], Any],
) -> None:
    wang = resident()
    ticket_id = reported(wang, town, photo_ids=[wang.photo(camera())])
    successor = refer(town.staff("community"), ticket_id, town.b.id).json["referred_to"]
    photo = wang.ticket(successor)["photos"][0]
    assert photo["status"] == "processing"

    def states() -> list[tuple[str, str]]:
        rows = owner.execute(
            "SELECT status, check_state FROM photos WHERE community_id IN (%s, %s)", (town.a.id, town.b.id)
        )
        return rows.fetchall()

    eventually(lambda: set(states()) == {("ready", "passed")})
    assert len(states()) == 2
    owner.execute("UPDATE photos SET check_state = 'review' WHERE community_id IN (%s, %s)",
                  (town.a.id, town.b.id))  # fmt: skip
    ref = town.staff("community", town.b).get(f"/tickets/{successor}").json["photos"][0]["photo_ref"]
    with db.transaction():
        media.review(ids.decode_ref(Kind.PHOTO, ref), passed=False, acting_user=_actor())
    assert set(states()) == {("ready", "risky")}


def _actor() -> Any:
    from app.audit import SYSTEM

    return SYSTEM


def test_it_can_come_back_but_not_for_ever(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = first = reported(wang, town, photo_ids=[wang.photo()])
    for here, there in ((town.a, town.b), (town.b, town.a), (town.a, town.b)):
        answer = refer(town.staff("community", here), ticket_id, there.id)
        assert answer.status_code == 200, answer.text
        ticket_id = answer.json["referred_to"]
    last = refer(town.staff("community", town.b), ticket_id, town.a.id)
    assert (last.status_code, last.json["code"]) == (409, "too_many_referrals")
    seen = wang.ticket(ticket_id)
    assert [e["kind"] for e in seen["timeline"]] == ["report", *["refer", "referred_in"] * 3]
    assert len(seen["photos"]) == 1
    assert seen["number"] == wang.ticket(first)["number"]
    assert len(wang.get("/tickets").json["items"]) == 1


def test_no_community_no_referral(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = reported(resident(), town)
    for target in (999_999_999, town.a.id, town.street):
        answer = refer(town.staff("community"), ticket_id, target)
        assert (answer.status_code, answer.json["code"]) == (422, "bad_referral")
    for beyond in (2**33, 2**100):  # what no id can name
        answer = refer(town.staff("community"), ticket_id, beyond)
        assert (answer.status_code, answer.json["code"]) == (422, "invalid")
    assert town.staff("community").get(f"/tickets/{ticket_id}").json["status"] == "received"


def test_followers_and_merged_reporters_go_along_and_one_who_is_taken_out_stays(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, li, zhao = resident(), resident(), resident()
    a, b = reported(wang, town), reported(li, town)
    zhao.post(f"/tickets/{a}/join")
    desk = town.staff("community")
    desk.post(f"/tickets/{b}/merge", {"into": a})
    successor = refer(desk, a, town.b.id).json["referred_to"]
    other = town.staff("community", town.b)
    other.post(f"/tickets/{successor}/accept")
    for who in (wang, li, zhao):
        kinds = [m["kind"] for m in who.get("/inbox").json["items"]]
        assert kinds.count("ticket_referred") == kinds.count("ticket_accepted") == 1
        assert who.ticket(successor)["me_too"] == 2
    assert desk.post(f"/tickets/{b}/unmerge").json["status"] == "received"
    other.post(f"/tickets/{successor}/dispatch", {"org_id": town.b.desk_id})
    assert li.get(f"/tickets/{successor}").status_code == 404
    assert "ticket_dispatched" not in [m["kind"] for m in li.get("/inbox").json["items"]]
    assert "ticket_dispatched" in [m["kind"] for m in zhao.get("/inbox").json["items"]]
    assert zhao.ticket(successor)["me_too"] == 1
