"""Notices to staff: each step reaches those it concerns, once, and says nothing they may not see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app import clock, db, ids
from app.ids import Kind
from app.tickets import telling
from app.tickets.models import Ticket
from tests.conftest import Caller, Person, Town
from workers import jobs


@pytest.fixture
def when(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """`when(moment)`: the house's clock stands there."""

    def stand(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    return stand


ROLES = ("property", "grid", "community", "street")


def everybody(town: Town) -> dict[str, Caller]:
    return {role: town.staff(role) for role in ROLES}


def notices(who: Caller, **query: Any) -> list[dict[str, Any]]:
    answer = who.get("/inbox?limit=100", query_string=query or None)
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


def kinds(who: Caller) -> list[str]:
    return [n["kind"] for n in reversed(notices(who))]


def report(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"])


def staff_id(who: Caller) -> str:
    return str(who.get("/me").json["id"])


def test_each_step_reaches_whom_it_concerns(resident: Callable[..., Person], town: Town) -> None:
    staff, wang = everybody(town), resident()
    colleague = town.hire("property", town.a)
    ticket_id = report(wang, town)
    assert {role: kinds(who) for role, who in staff.items()} == {role: [] for role in ROLES}
    town.bring(ticket_id, "accept", "dispatch")
    assert kinds(staff["property"]) == kinds(colleague) == ["dispatched"]
    assert [kinds(staff[r]) for r in ("grid", "community", "street")] == [[], [], []]
    to = {"staff_id": staff_id(staff["property"])}
    assert colleague.post(f"/tickets/{ticket_id}/assign", to).status_code == 200
    assert (kinds(staff["property"])[1:], kinds(colleague)[1:]) == (["assigned"], [])
    # From now on it is hers alone.
    wang.post(f"/tickets/{ticket_id}/urge")
    town.bring(ticket_id, "start")
    desk = staff["community"]
    desk.post(f"/tickets/{ticket_id}/supervise", {"note": "请尽快"})
    until = datetime.fromisoformat(wang.ticket(ticket_id)["promised"]["close_by"]) + timedelta(days=1)
    for approved in (False, True):
        body = {"until": until.isoformat(), "reason": "等配件"}
        asked = staff["property"].post(f"/tickets/{ticket_id}/extensions", body).json
        desk.post(f"/extensions/{asked['extension_id']}/{'approve' if approved else 'refuse'}", {})
    desk.post(f"/tickets/{ticket_id}/parts", {"org_id": town.a.desk_id, "task": "劝导"})
    done = {"org_id": town.a.desk_id, "note": "已劝导"}
    desk.post(f"/tickets/{ticket_id}/parts/done", done)
    assert kinds(staff["property"])[2:] == ["urged", "supervised", "limit_kept", "extended", "part_done"]
    staff["property"].post(f"/tickets/{ticket_id}/return", {"reason": "不属于本单位"})
    # Her own acts aren't told her: the desk called itself in, and its grid worker with it.
    assert kinds(desk) == ["extension_asked", "extension_asked", "returned"]
    assert kinds(staff["grid"]) == ["part"]
    assert kinds(colleague) == ["dispatched"]
    assert kinds(staff["street"]) == []
    # Whoever sends a ticket back to the desk is told of nothing more.
    wang.post(f"/tickets/{ticket_id}/urge")
    assert len(kinds(staff["property"])) == 7


def test_the_ladder_reaches_grid_then_desk_then_street_then_the_district_by_the_street(
    resident: Callable[..., Person], town: Town, when: Callable[[datetime], None]
) -> None:
    everybody(town)
    ticket_id = report(resident("wang"), town, urgent=True)
    town.bring(ticket_id, "accept", "dispatch", "start")
    due = datetime.fromisoformat(resident("wang").ticket(ticket_id)["promised"]["close_by"]).astimezone(UTC)
    seen: list[dict[str, list[str]]] = []
    accounts = {role: who.get("/me").json["account"] for role, who in everybody(town).items()}
    for after in (timedelta(hours=-4), *(timedelta(days=d) for d in (0, 1, 3, 7, 9))):
        when(due + after + timedelta(seconds=1))
        for _ in range(2):
            jobs.watch_limits()
        seen.append({r: kinds(town.log_in(account))[r == "property" :] for r, account in accounts.items()})
    up = ["supervised"]
    none: list[str] = []
    assert seen[0] == {"property": ["warned"], "grid": none, "community": none, "street": none}
    assert seen[1] == {"property": ["warned", *up], "grid": up, "community": none, "street": none}
    assert seen[2] == {"property": ["warned", *up * 2], "grid": up * 2, "community": up, "street": none}
    assert seen[3] == {"property": ["warned", *up * 3], "grid": up * 3, "community": up * 2, "street": up}
    last = {
        "property": ["warned", *up * 4],
        "grid": up * 4,
        "community": up * 3,
        "street": [*up, "to_district"],
    }
    assert seen[4] == seen[5] == last
    street = town.log_in(accounts["street"])
    assert "请街道向区里书面报告" in notices(street)[0]["text"]


def test_the_same_step_told_twice_is_told_once(resident: Callable[..., Person], town: Town) -> None:
    desk = town.staff("community")
    ref = ids.decode_ref(Kind.TICKET, report(resident(), town))
    for _ in range(2):
        with db.transaction():
            telling.matched(db.session().get_one(Ticket, ref))
    assert kinds(desk) == ["matched"]


def test_a_notice_says_nothing_of_the_reporter_and_nothing_at_all_once_the_ticket_is_elsewhere(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    staff, wang = everybody(town), resident()
    secret = "张三在3号楼502"
    ticket_id = report(wang, town, text=secret, anonymous=True, contact_phone="13812345678")
    number = wang.ticket(ticket_id)["number"]
    town.bring(ticket_id, "accept", "dispatch")
    wang.post(f"/tickets/{ticket_id}/urge")
    handler = staff["property"]
    (urged, dispatched) = notices(handler)
    assert dispatched["ticket_id"] == ticket_id
    assert (dispatched["number"], urged["title"]) == (number, "居民催办")
    assert number in dispatched["text"]
    rows = owner.execute(
        "SELECT params::text FROM staff_inbox WHERE object_id = %s",
        (ids.decode_ref(Kind.TICKET, ticket_id).id,),
    ).fetchall()
    for text in [str(notices(handler)), *(str(row) for row in rows)]:
        for word in (secret, "张三", "13812345678", "5678", str(wang.id)):
            assert word not in text
    handler.post(f"/tickets/{ticket_id}/return", {"reason": "不属于本单位"})
    staff["community"].post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id})
    for gone in notices(handler):
        assert (gone["ticket_id"], gone["number"]) == (None, None)
        assert gone["title"] == "工单已不在您的范围"
        assert number not in str(gone)
    assert handler.get("/inbox").json["unread"] == 2


def test_reading_is_ones_own_and_pages_go_on(resident: Callable[..., Person], town: Town) -> None:
    handler, colleague = town.staff("property"), town.hire("property", town.a)
    wang = resident()
    for _ in range(3):
        town.bring(report(wang, town), "accept", "dispatch")
    first = handler.get("/inbox?limit=2").json
    assert (len(first["items"]), first["unread"]) == (2, 3)
    second = handler.get("/inbox", query_string={"limit": 2, "cursor": first["next_cursor"]}).json
    assert (len(second["items"]), second["next_cursor"]) == (1, None)
    numbers = [n["number"] for n in first["items"] + second["items"]]
    assert numbers == sorted(numbers, reverse=True)
    mine = [n["id"] for n in notices(handler)]
    # Somebody else's notices stay as they are.
    assert colleague.post("/inbox/read", {"ids": mine}).json == {"changed": 0, "unread": 3}
    assert handler.post("/inbox/read", {"ids": mine[:1]}).json == {"changed": 1, "unread": 2}
    assert handler.post("/inbox/read", {"ids": mine[:1]}).json == {"changed": 0, "unread": 2}
    assert notices(handler)[0]["read_at"] is not None
    before = clock.rfc3339(clock.now() + timedelta(seconds=1))
    assert handler.post("/inbox/read", {"all_before": before}).json == {"changed": 2, "unread": 0}
    assert colleague.get("/inbox").json["unread"] == 3
    refused: list[dict[str, Any]] = [{}, {"ids": mine, "all_before": before}, {"ids": []}, {"ids": ["x"]}]
    for wrong in refused:
        assert handler.post("/inbox/read", wrong).status_code == 422
    assert handler.get("/inbox?cursor=nonsense").status_code == 422


def test_where_a_desk_has_nobody_the_street_is_told_and_a_crowd_is_bounded(
    resident: Callable[..., Person], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    street, handler = town.staff("street"), town.staff("property")
    ticket_id = report(resident(), town)
    for move in ("accept", "dispatch"):
        assert street.post(f"/tickets/{ticket_id}/{move}").status_code == 200
    handler.post(f"/tickets/{ticket_id}/return", {"reason": "不属于本单位"})
    assert kinds(street) == ["returned"]
    monkeypatch.setattr(telling, "MOST", 2)
    crowd = [town.hire("property", town.a) for _ in range(3)]
    street.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.property_id})
    assert sum(kinds(who)[-1:] == ["dispatched"] for who in [handler, *crowd]) == 2


def test_who_has_left_or_works_in_another_grid_is_not_told(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    gone, disabled, there = (town.hire("property", town.a) for _ in range(3))
    elsewhere = town.staff("property", town.b)
    away = [ids.decode_id(Kind.STAFF, staff_id(who)) for who in (gone, disabled)]
    owner.execute("UPDATE staff_roles SET valid_to = valid_from WHERE staff_id = %s", (away[0],))
    owner.execute("UPDATE staff SET status = 'disabled' WHERE id = %s", (away[1],))
    town.bring(report(resident(), town), "accept", "dispatch")
    assert (kinds(there), kinds(elsewhere)) == (["dispatched"], [])
    rows = owner.execute("SELECT kind FROM staff_inbox WHERE staff_id = ANY(%s)", (away,)).fetchall()
    assert rows == []


def test_a_desk_that_governs_an_estate_of_another_home_is_told(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    old, new = town.staff("community"), town.hire("community", town.b)
    owner.execute(
        "UPDATE estate_terms SET governed_by = %s WHERE community_id = %s AND estate_id = %s",
        (town.b.id, *town.a.estate),
    )
    ticket_id = report(resident(), town)
    for move, body in (("accept", None), ("dispatch", {"org_id": town.a.property_id})):
        assert new.post(f"/tickets/{ticket_id}/{move}", body).status_code == 200
    town.hire("property", town.a).post(f"/tickets/{ticket_id}/return", {"reason": "不属于本单位"})
    assert (kinds(old), kinds(new)) == ([], ["returned"])


def test_old_notices_are_forgotten(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    handler = town.staff("property")
    account = handler.get("/me").json["account"]
    town.bring(report(resident(), town), "accept", "dispatch")
    later(days=179)
    jobs.tidy()
    assert kinds(town.log_in(account)) == ["dispatched"]
    later(days=2)
    jobs.tidy()
    assert kinds(town.log_in(account)) == []
