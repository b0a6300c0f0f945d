"""Any sequence of moves over HTTP: no illegal state, an actor for every event, and every clock equal to a
recomputation written separately, day by day and minute by minute.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import dict_row

from app import clock, ids
from app.ids import Kind
from tests.conftest import Caller, Person, Town
from workers import jobs

# What the contract says, written down once more: from where, to where (None: it stays), who makes it.
DESK_STATES = {"received", "accepted", "returned"}
AT_WORK = {"dispatched", "in_progress"}
OPEN = DESK_STATES | AT_WORK | {"suspended", "resolved", "verified"}
TABLE: dict[str, tuple[set[str], str | None, str]] = {
    "accept": ({"received"}, "accepted", "desk"),
    "reject": (DESK_STATES, "rejected", "desk"),
    "category": (DESK_STATES, None, "desk"),
    "dispatch": ({"accepted", "returned"}, "dispatched", "desk"),
    "grab": ({"dispatched"}, None, "unit"),
    "start": ({"dispatched"}, "in_progress", "unit"),
    "return": (AT_WORK, "returned", "unit"),
    "suspend": ({"in_progress"}, "suspended", "unit"),
    "resume": ({"suspended"}, "in_progress", "unit"),
    "resolve": ({"in_progress"}, "resolved", "unit"),
    "verify": ({"resolved"}, "verified", "grid"),
    "rework": ({"resolved"}, "in_progress", "grid"),
    "close": ({"verified"}, "closed", "desk"),
    "reopen": ({"closed"}, "accepted", "desk"),
    "comment": (OPEN | {"closed"}, None, "desk"),
    "supervise": (OPEN, None, "desk"),
    "meetings": (AT_WORK | {"returned"}, None, "desk"),
    "callback": ({"closed"}, None, "desk"),
    "exclude": ({"closed"}, None, "desk"),
    "urge": (OPEN, None, "reporter"),
    "withdraw": (DESK_STATES, "withdrawn", "reporter"),
    "resident reopen": ({"closed"}, "accepted", "reporter"),
    "extensions": (AT_WORK, None, "unit"),
    "merge": (DESK_STATES, "merged", "desk"),
    "unmerge": ({"merged"}, None, "desk"),
    "refer": (DESK_STATES, "referred", "desk"),
}
BODIES: dict[str, Any] = {
    "reject": {"reason": "不属于受理范围"},
    "category": {"category": "dogs"},
    "return": {"reason": "不属于本单位"},
    "suspend": {"reason": "等配件", "days": 2},
    "resolve": {"note": "已处理"},
    "verify": {"passed": True},
    "rework": {"passed": False},
    "reopen": {"reason": "又坏了"},
    "resident reopen": {"reason": "又坏了"},
    "comment": {"text": "已联系"},
    "supervise": {"note": "请尽快"},
    "callback": {"stars": 3, "solved": True},
    "exclude": {"reason": "重复"},
}
PATHS = {"rework": "verify", "resident reopen": "reopen"}
# What is refused for a reason of its own, although the state would allow it.
BOUNDS = {
    "return": "too_many_hops",
    "urge": "urged_just_now",
    "extensions": "extension_pending",
    "resident reopen": "rating_closed",
}


# --- a second reading of the clock ------------------------------------------------------------------------


def midnight_after(at: datetime) -> datetime:
    there = clock.in_shanghai(at)
    return (there.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)).astimezone(UTC)


def recomputed(events: list[dict[str, Any]], off: set[date], made_up: set[date], *, urgent: bool) -> datetime:
    """Until when it is promised: read from the rows, a day at a time."""
    pauses: list[list[Any]] = []
    start, grant = events[0]["at"], None
    for event in events:
        if event["kind"] == "reopen":
            start, pauses, grant = event["at"], [], None
        elif event["kind"] == "suspend":
            pauses.append([event["at"], None])
            cap = datetime.fromisoformat(event["data"]["until"])
        elif event["kind"] == "resume":
            pauses[-1][1] = min(event["at"], cap)
        elif event["kind"] == "extend":
            grant = (event["at"], datetime.fromisoformat(event["data"]["until"]))
    over = [(a, b) for a, b in pauses if b is not None]
    if urgent:
        due: datetime = start + timedelta(hours=24)
    else:
        due, days = midnight_after(start), 0
        while days < 3:
            day = clock.in_shanghai(due).date()
            due = midnight_after(due)
            works = day in made_up or (day.weekday() < 5 and day not in off)
            days += works and not any(a < due <= b for a, b in over)
    if grant is not None:
        since, until = grant
        for a, b in over:
            if b > since and a < until:
                until += b - max(a, since)
        due = max(due, until)
    return due


# --- the machine ------------------------------------------------------------------------------------------


class Loop(RuleBasedStateMachine):
    town: Town
    resident: Callable[..., Person]
    owner: psycopg.Connection[Any]
    calendar: tuple[set[date], set[date]]
    ahead = timedelta()
    tickets = 0

    @initialize(urgent=st.sampled_from([False, False, True]), begun=st.sampled_from([0, 3, 3, 6]))
    def report(self, urgent: bool, begun: int) -> None:
        Loop.ahead = timedelta()
        self._log_in()
        body = {"category": "noise", "urgent": urgent}
        self.ticket = str(self.wang.report(self.town.a.estate_id, **body)["ticket_id"])
        self.other = str(self.wang.report(self.town.a.estate_id, category="noise")["ticket_id"])
        self.urgent, self.status, self.before_merge = urgent, "received", ""
        # Most walks would never come to the interesting states by themselves.
        for name in ("accept", "dispatch", "start", "resolve", "verify", "close")[:begun]:
            self._move(name)

    def _log_in(self) -> None:
        self.town.a.staff.clear()
        self.wang = self.resident("wang")

    def _who(self, role: str) -> Caller:
        if role == "reporter":
            return self.wang
        return self.town.staff({"desk": "community", "unit": "property", "grid": "grid"}[role])

    def _body(self, name: str) -> Any:
        if name == "extensions":
            due = datetime.fromisoformat(self._seen()["clock"]["due_at"])
            return {"until": (due + timedelta(days=3)).isoformat(), "reason": "等配件"}
        if name == "merge":
            return {"into": self.other}
        if name == "refer":
            return {
                "community_id": ids.encode(Kind.COMMUNITY, UUID(int=self.town.b.id)),
                "reason": "属于邻社区",
            }
        if name == "meetings":
            org = self.town.a.property_id
            return {"held_at": clock.rfc3339(clock.now()), "orgs": [org], "plan": "物业主办"}
        if name == "dispatch":
            return {"org_id": self.town.a.property_id}
        return BODIES.get(name)

    def _seen(self) -> dict[str, Any]:
        seen: dict[str, Any] = self.town.staff("community").get(f"/tickets/{self.ticket}").json or {}
        return seen

    @rule(name=st.sampled_from(sorted(TABLE)))
    def any_move(self, name: str) -> None:
        self._move(name)

    # Or most walks would end in refusals.
    @precondition(
        lambda self: self.status in {"received", "accepted", "dispatched", "in_progress", "resolved"}
    )
    @rule()
    def forward(self) -> None:
        self._move({"received": "accept", "accepted": "dispatch", "dispatched": "start",
                    "in_progress": "resolve", "resolved": "verify"}[self.status])  # fmt: skip

    @precondition(lambda self: self.status == "in_progress" and not self.urgent)
    @rule(hours=st.sampled_from([3, 26, 40]))
    def stand(self, hours: int) -> None:
        self._move("suspend")
        self.time_passes(hours)
        if self.status == "suspended":
            self._move("resume")

    @precondition(lambda self: self.status == "in_progress")
    @rule(name=st.sampled_from(["suspend", "extensions", "return"]))
    def held_up(self, name: str) -> None:
        self._move(name)

    def _move(self, name: str) -> None:
        sources, target, role = TABLE[name]
        legal = self.status in sources
        # An illegal move is tried by the desk, which sees every ticket, unless it is the reporter's own.
        who = self._who(role if legal or role == "reporter" else "desk")
        before = self._seen()
        answer = who.post(f"/tickets/{self.ticket}/{PATHS.get(name, name)}", self._body(name))
        if not legal:
            assert (answer.status_code, answer.json["code"]) == (409, "illegal_move"), (name, self.status)
            assert set(answer.json["allowed"]) >= {"comment"} or self.status not in OPEN
            assert self._seen()["timeline"] == before["timeline"]
            return
        if answer.status_code not in {200, 201}:
            own = {BOUNDS.get(name)} | ({"never_paused"} if self.urgent else set())
            own |= {"extension_too_late"} if name == "extensions" else set()
            own |= {"pause_too_long", "pause_too_late"} if name == "suspend" else set()
            assert answer.json["code"] in own, (name, answer.text)
            assert self._seen()["timeline"] == before["timeline"]
            return
        if name == "merge":
            self.before_merge = self.status
        self.status = self.before_merge if name == "unmerge" else target or self.status
        if name == "refer":  # its life goes on elsewhere; the walk stays with what is left here
            assert answer.json["referred_to"]

    @precondition(lambda self: self.status in AT_WORK)
    @rule(approved=st.sampled_from([True, True, False]))
    def more_time(self, approved: bool) -> None:
        self._move("extensions")
        if self._pending():
            self.decide(approved)

    @precondition(lambda self: self._pending())
    @rule(approved=st.booleans())
    def decide(self, approved: bool) -> None:
        path = f"/extensions/{self._pending()}/{'approve' if approved else 'refuse'}"
        clocks = self._seen()["clock"]
        stopped = clocks["standing_since"] or clock.rfc3339(clock.now())
        is_late = datetime.fromisoformat(stopped) > datetime.fromisoformat(clocks["due_at"])
        answer = self.town.staff("community").post(path, {})
        if approved and is_late:
            assert (answer.status_code, answer.json["code"]) == (409, "extension_too_late")
        else:
            assert answer.status_code == 200, answer.text

    def _pending(self) -> str | None:
        if getattr(self, "status", None) not in AT_WORK | {"suspended"}:
            return None
        waiting = [x for x in self._seen()["extensions"] if x["state"] == "pending"]
        return str(waiting[0]["extension_id"]) if waiting else None

    @rule(hours=st.sampled_from([1, 7, 12, 20, 31, 50]))
    def time_passes(self, hours: int) -> None:
        Loop.ahead += timedelta(hours=hours)
        self._log_in()
        jobs.watch_limits()
        seen = self._seen()
        if self.status == "suspended" and seen["status"] == "in_progress":
            self.status = "in_progress"  # the pause was over

    @invariant()
    def all_is_as_the_events_say(self) -> None:
        if not hasattr(self, "status"):
            return
        ref = ids.decode_ref(Kind.TICKET, self.ticket)
        with self.owner.cursor(row_factory=dict_row) as cursor:
            ticket = cursor.execute(
                "SELECT * FROM tickets WHERE community_id = %s AND id = %s", (ref.community_id, ref.id)
            ).fetchone()
            events = cursor.execute(
                "SELECT * FROM ticket_events WHERE community_id = %s AND ticket_id = %s ORDER BY seq",
                (ref.community_id, ref.id),
            ).fetchall()
        assert ticket is not None
        assert ticket["status"] == self.status == events[-1]["to_status"]
        assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
        for earlier, event in itertools.pairwise(events):
            assert event["from_status"] == earlier["to_status"]
        for event in events:
            assert event["actor_kind"] in {"resident", "staff", "system"}
            assert (event["actor_id"] is None) is (event["actor_kind"] == "system")
            if event["actor_kind"] == "system":
                assert event["kind"] in {"warn", "supervise", "resume", "stage_late"}
        self._late_steps_are_told_once(events, ticket["stages_late"])
        ended = self.status not in OPEN
        assert (ticket["ended_at"] is not None) is ended
        assert (ticket["watch_at"] is None) or not ended
        assert (ticket["standing_since"] is not None) is (self.status == "suspended")
        assert ticket["due_at"] == recomputed(events, *self.calendar, urgent=self.urgent)
        since = next(
            e["at"] for e in reversed(events) if e["kind"] in {"report", "accept", "reopen", "return"}
        )
        stage = {
            "received": since + timedelta(minutes=3),
            "accepted": since + timedelta(minutes=5),
            "returned": since + timedelta(minutes=5),
        }.get(self.status, None if ended else ticket["due_at"])
        assert ticket["stage_due_at"] == stage

    def _late_steps_are_told_once(self, events: list[dict[str, Any]], counted: int) -> None:
        began, step, told, late = events[0]["at"], "received", 0, 0
        is_counted = False
        limits = {
            "received": timedelta(minutes=3),
            "accepted": timedelta(minutes=5),
            "returned": timedelta(minutes=5),
        }
        for event in events[1:]:
            is_told = event["kind"] == "stage_late"
            is_over = step in limits and event["at"] >= began + limits[step]
            if is_told:
                assert is_over
                assert event["data"]["level"] > told
                told = event["data"]["level"]
            # What comes back by unmerging has left nothing yet: it is counted when it does, or when it is told.
            leaves = event["to_status"] != event["from_status"] and event["kind"] != "unmerge"
            if (is_told or leaves) and is_over and not is_counted:
                late, is_counted = late + 1, True
            # Merging and its undoing leave the step as it was.
            if event["to_status"] != event["from_status"] and event["kind"] not in {"merge", "unmerge"}:
                began, step, told, is_counted = event["at"], event["to_status"], 0, False
        assert counted == late


@pytest.fixture
def moved_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + Loop.ahead)
    yield
    Loop.ahead = timedelta()


@pytest.mark.timeout(600)
def test_no_walk_leaves_the_table_or_the_clock(
    town: Town,
    resident: Callable[..., Person],
    owner: psycopg.Connection[Any],
    moved_clock: None,
) -> None:
    rows = owner.execute("SELECT day, is_working FROM calendar_days").fetchall()
    Loop.town, Loop.resident, Loop.owner = town, staticmethod(resident), owner
    Loop.calendar = (
        {day for day, works in rows if not works and day.weekday() < 5},
        {day for day, works in rows if works and day.weekday() >= 5},
    )
    run_state_machine_as_test(
        Loop,
        settings=settings(
            max_examples=4 if "CI" in os.environ else 8,
            stateful_step_count=18,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
