"""What keeps a limit a limit and a check a check: pauses, requests too late, one's own company, what a reopening
begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock, db, ids
from app.audit import SYSTEM
from app.ids import Kind
from app.people import service as people
from app.people.models import Role
from app.places import queries as places
from app.tickets import clocks, pressure
from app.tickets.clocks import Beat
from app.tickets.holding import MAX_PAUSE_DAYS
from tests.conftest import PASSWORD, Caller, Person, Town


def in_work(who: Person, town: Town, **more: Any) -> str:
    ticket_id = str(who.report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"])
    town.bring(ticket_id, "accept", "dispatch", "start")
    return ticket_id


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def seen(town: Town, ticket_id: str) -> dict[str, Any]:
    found: dict[str, Any] = town.staff("community").get(f"/tickets/{ticket_id}").get_json()
    return found


def watched(town: Town, ticket_id: str) -> dict[str, Any]:
    with db.transaction():
        pressure.watch(ids.decode_ref(Kind.TICKET, ticket_id))
    town.a.staff.clear()
    return seen(town, ticket_id)


# --- pauses -----------------------------------------------------------------------------------------------


def test_minutes_over_midnight_give_no_more_days_than_the_cap(
    resident: Callable[..., Person], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: at)
    ticket_id = in_work(resident(), town)
    # The watch doesn't run in between: the limit is still read as it is moved by the pauses.
    evening = clock.in_shanghai(at).replace(hour=23, minute=59, second=30, microsecond=0).astimezone(UTC)
    evening = evening if evening > at else evening + timedelta(days=1)
    answers = []
    for night in range(MAX_PAUSE_DAYS + 2):
        at = evening + timedelta(days=night)
        town.a.staff.clear()
        unit = town.staff("property")
        answers.append(unit.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 1}))
        at += timedelta(minutes=1)
        unit.post(f"/tickets/{ticket_id}/resume")
    assert [answer.status_code for answer in answers[:MAX_PAUSE_DAYS]] == [200] * MAX_PAUSE_DAYS
    assert refused(answers[-1]) == (422, "pause_too_long")


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * 24 * 60),  # minutes of work before it
            st.integers(1, MAX_PAUSE_DAYS),  # days that are asked for
            st.integers(0, MAX_PAUSE_DAYS * 24 * 60 + 60),  # minutes until somebody ends it
        ),
        max_size=40,
    ),
    st.integers(0, 24 * 60 - 1),
)
def test_no_series_of_pauses_gives_back_more_than_the_cap(
    series: list[tuple[int, int, int]], minute: int
) -> None:
    at = datetime(2026, 9, 14, tzinfo=clock.SHANGHAI).astimezone(UTC) + timedelta(minutes=minute)
    beats, nights, stood = [Beat("report", at, {})], 0, timedelta()
    for wait, days, lasts in series:
        at += timedelta(minutes=wait)
        if days > (timedelta(days=MAX_PAUSE_DAYS) - clocks.paused(beats, at)).days:
            continue
        since, until = at, at + timedelta(days=days)
        beats.append(Beat("suspend", since, {"until": until.isoformat()}))
        at += timedelta(minutes=lasts)
        beats.append(Beat("resume", at, {}))
        end = min(at, until)
        stood += end - since
        moment = clock.in_shanghai(since).replace(hour=0, minute=0) + timedelta(days=1)
        while moment <= end:
            nights, moment = nights + 1, moment + timedelta(days=1)
    assert nights <= MAX_PAUSE_DAYS
    assert stood <= timedelta(days=MAX_PAUSE_DAYS)
    assert clocks.paused(beats, at) >= max(stood, timedelta(days=nights))


def test_what_is_over_its_limit_is_not_paused_and_climbs_on(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    ticket_id = in_work(resident(), town)
    limit = datetime.fromisoformat(seen(town, ticket_id)["clock"]["due_at"])
    later(seconds=(limit - clock.now()).total_seconds() + 60)
    assert watched(town, ticket_id)["clock"]["supervise_level"] == 1
    answer = town.staff("property").post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 10})
    assert refused(answer) == (409, "pause_too_late")
    assert "超过办结时限" in answer.json["detail"]
    later(days=8)
    body = watched(town, ticket_id)
    assert (body["status"], body["clock"]["supervise_level"]) == ("in_progress", 4)


# --- more time --------------------------------------------------------------------------------------------


def test_time_that_was_asked_for_in_time_is_not_granted_after_the_breach(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    ticket_id = in_work(resident(), town)
    limit = datetime.fromisoformat(seen(town, ticket_id)["clock"]["due_at"])
    body = {"until": (limit + timedelta(days=9)).isoformat(), "reason": "等配件"}
    asked = town.staff("property").post(f"/tickets/{ticket_id}/extensions", body).json["extension_id"]
    later(seconds=(limit - clock.now()).total_seconds() + 3600)
    breached = watched(town, ticket_id)["clock"]
    assert breached["breached_at"] is not None
    desk = town.staff("community")
    assert refused(desk.post(f"/extensions/{asked}/approve", {})) == (409, "extension_too_late")
    now = seen(town, ticket_id)["clock"]
    assert [now[key] for key in ("breached_at", "supervise_level", "due_at")] == [
        breached[key] for key in ("breached_at", "supervise_level", "due_at")
    ]
    assert desk.post(f"/extensions/{asked}/refuse", {"note": "已超期"}).status_code == 200


def test_time_is_granted_while_the_clock_stands_before_the_limit(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    ticket_id = in_work(resident(), town)
    limit = datetime.fromisoformat(seen(town, ticket_id)["clock"]["due_at"])
    unit = town.staff("property")
    body = {"until": (limit + timedelta(days=9)).isoformat(), "reason": "等配件"}
    asked = unit.post(f"/tickets/{ticket_id}/extensions", body).json["extension_id"]
    assert unit.post(f"/tickets/{ticket_id}/suspend", {"reason": "等配件", "days": 10}).status_code == 200
    later(seconds=(limit - clock.now()).total_seconds() + 3600)
    town.a.staff.clear()
    assert town.staff("community").post(f"/extensions/{asked}/approve", {}).status_code == 200


# --- the check --------------------------------------------------------------------------------------------


def of_both(town: Town) -> Caller:
    """She works for the property company and is also the community's grid worker."""
    account = f"both-{uuid4().hex[:8]}"
    with db.transaction():
        staff = people.add_staff(account=account, name="双岗", password=PASSWORD, acting_user=SYSTEM)
        for role, org, grid in (("property", town.a.keeper, None), ("grid", town.a.desk, town.a.grid)):
            people.grant_role(
                staff_id=staff.id,
                role=Role(role),
                org_id=org,
                since=places.today(),
                acting_user=SYSTEM,
                region_id=None,
                grid=grid,
            )
    return town.log_in(account)


def test_nobody_of_the_company_confirms_its_work(resident: Callable[..., Person], town: Town) -> None:
    ticket_id, colleague = in_work(resident(), town), of_both(town)
    town.bring(ticket_id, "resolve")
    for passed in (True, False):
        assert refused(colleague.post(f"/tickets/{ticket_id}/verify", {"passed": passed})) == (
            409,
            "own_work",
        )
    assert "verify" not in colleague.get(f"/tickets/{ticket_id}").json["moves"]
    assert "verify" in town.staff("grid").get(f"/tickets/{ticket_id}").json["moves"]
    town.bring(ticket_id, "verify")


def test_she_confirms_what_another_unit_has_done(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = str(resident().report(town.a.estate_id, category="noise")["ticket_id"])
    desk, both = town.staff("community"), of_both(town)
    town.bring(ticket_id, "accept")
    desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id})
    desk.post(f"/tickets/{ticket_id}/start")
    desk.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"})
    assert both.post(f"/tickets/{ticket_id}/verify", {"passed": True}).status_code == 200


# --- what a reopening begins anew -------------------------------------------------------------------------


def test_a_reopened_complaint_counts_again(resident: Callable[..., Person], town: Town) -> None:
    ticket_id, desk = in_work(resident(), town), town.staff("community")
    town.bring(ticket_id, "resolve", "verify", "close")
    assert desk.post(f"/tickets/{ticket_id}/exclude", {"reason": "重复诉求"}).json["excluded"] is True

    def counted() -> tuple[int, list[str]]:
        total = desk.get("/stats/sla").json["total"]
        metric = next(x for x in total if x["metric"] == "dispatch_on_time")
        return metric["denominator"], [left["reason"] for left in metric["left_out"]]

    assert counted() == (0, ["excluded"])
    again = desk.post(f"/tickets/{ticket_id}/reopen", {"reason": "核查后应办理"}).json
    assert again["excluded"] is False
    assert again["timeline"][-1]["data"]["exclusion_lifted"] is True
    town.bring(ticket_id, "dispatch")
    assert counted() == (2, [])
    town.bring(ticket_id, "start", "resolve", "verify", "close")
    assert (
        "exclusion_lifted"
        not in desk.post(f"/tickets/{ticket_id}/reopen", {"reason": "又坏了"}).json["timeline"][-1]["data"]
    )


@pytest.mark.parametrize("by", ["desk", "meeting"])
@pytest.mark.parametrize("again", ["reopened", "reworked"])
def test_a_unit_that_had_done_its_part_is_called_in_anew(
    resident: Callable[..., Person], town: Town, again: str, by: str
) -> None:
    ticket_id, desk = in_work(resident(), town), town.staff("community")
    org = town.a.desk_id
    desk.post(f"/tickets/{ticket_id}/parts", {"org_id": org, "task": "封路"})
    assert refused(desk.post(f"/tickets/{ticket_id}/parts", {"org_id": org, "task": "x"}))[0] == 422
    desk.post(f"/tickets/{ticket_id}/parts/done", {"org_id": org, "note": "已封"})
    assert refused(desk.post(f"/tickets/{ticket_id}/parts", {"org_id": org, "task": "x"}))[0] == 422
    town.bring(ticket_id, "resolve")
    if again == "reopened":
        town.bring(ticket_id, "verify", "close", "reopen", "dispatch", "start")
    else:
        town.staff("grid").post(f"/tickets/{ticket_id}/verify", {"passed": False})
    if by == "desk":
        called = desk.post(f"/tickets/{ticket_id}/parts", {"org_id": org, "task": "再封路"})
    else:
        body = {"held_at": clock.rfc3339(clock.now()), "orgs": [town.a.property_id, org], "plan": "再封路"}
        called = desk.post(f"/tickets/{ticket_id}/meetings", body)
    assert called.status_code == 201, called.text
    part = next(p for p in called.json["parts"] if p["org_id"] == org)
    task = "再封路" if by == "desk" else "按协调会商定的方案协办"
    assert (part["kind"], part["task"], part["done_at"], part["note"]) == ("assist", task, None, None)
    unit = town.staff("property")
    assert refused(unit.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"})) == (409, "parts_open")
    desk.post(f"/tickets/{ticket_id}/parts/done", {"org_id": org, "note": "又封了"})
    assert unit.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"}).status_code == 200
