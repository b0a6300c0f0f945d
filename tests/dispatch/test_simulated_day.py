"""A day of 500 tickets and 12 handlers: three posts of two units, shifts that change, people of different speed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from app import clock, db, ids
from app.ids import Kind, Ref
from app.people.scopes import StaffActor
from app.tickets import service
from app.tickets.models import Channel
from tests.conftest import Town, acting
from tests.dispatch.conftest import Office, Worker, community_id, in_days, turn

TICKETS = 500
GAP = 3
DAY_MINUTES = 1440
ENGINEERING = ("noise", "property", "other")
COUNTER = ("dogs", "ownership")


class Hours(NamedTuple):
    """A turn in minutes after 06:00, when the day of the test begins."""

    starts: int
    ends: int

    def holds(self, minute: float) -> bool:
        return self.starts <= minute < self.ends


EARLY, LATE, NIGHT = Hours(0, 480), Hours(480, 960), Hours(960, 1440)
WRITTEN = {EARLY: ("06:00", "14:00"), LATE: ("14:00", "22:00"), NIGHT: ("22:00", "06:00")}


class Handler:
    """Somebody who works: what she has on her hands, in the order it came, and how long one takes."""

    def __init__(self, who: Worker, hours: list[Hours], minutes_each: int) -> None:
        self.who, self.hours, self.minutes_each = who, hours, minutes_each
        self.actor: StaffActor
        self.hands: list[Ref] = []
        self.done_at: float = 0
        self.given = 0

    def is_there(self, minute: float) -> bool:
        return any(hours.holds(minute) for hours in self.hours)

    def work(self, minute: float) -> None:
        """Start and fix one after the other, as far as her time goes."""
        while self.hands and self.is_there(minute) and self.done_at <= minute:
            ticket = self.hands.pop(0)
            with db.transaction():
                service.start(ticket, acting_user=self.actor)
                service.resolve(ticket, note="已处理", photo_ids=[], acting_user=self.actor)
            self.done_at = minute + self.minutes_each


def _crew(office: Office, role: str, plan: list[tuple[Hours, int]]) -> list[Handler]:
    return [
        Handler(who, [hours], minutes)
        for who, (hours, minutes) in zip(office.hire(len(plan), role), plan, strict=True)
    ]


def _roster(office: Office, name: str, crew: list[Handler], **more: Any) -> str:
    turns = [turn(h.who, *WRITTEN[h.hours[0]]) for h in crew]
    return str(office.post(*turns, name=name, gap=GAP, **more)["roster_id"])


def _taken_in(town: Town, code: str, clerk: StaffActor) -> Ref:
    """Somebody calls and the desk accepts it, without HTTP: 1,000 answers that nobody reads would take a minute."""
    report = service.Report(estate=town.a.estate, category=code, text="模拟的一天")
    with db.transaction():
        made = service.take_in(report, channel=Channel.PHONE, acting_user=clerk)
        ref = Ref(made.community_id, made.id)
        service.accept(ref, acting_user=clerk)
    return ref


@pytest.mark.long
@pytest.mark.timeout(600)  # 500 dispatches over HTTP: 50 s on a quiet machine
def test_a_day_of_500_tickets_and_12_handlers(
    office: Office, town: Town, later: Callable[..., datetime], move_to: Callable[..., datetime]
) -> None:
    rng = random.Random(20261125)
    move_to(hour=6, weekday=3)
    town.a.staff.clear()
    engineers = _crew(
        office,
        "property",
        [(EARLY, 5), (EARLY, 9), (EARLY, 20), (LATE, 5), (LATE, 9), (LATE, 20), (NIGHT, 7), (NIGHT, 25)],
    )
    clerks = _crew(office, "community", [(EARLY, 4), (EARLY, 15), (LATE, 4), (LATE, 15)])
    crew = engineers + clerks
    assert len(crew) == 12
    # One of the afternoon comes for two more hours in the morning; she is fast and there longer than the others.
    extra = {"day": in_days(0), "comes_id": engineers[3].who.id, "from": "10:00", "to": "12:00"}
    engineers[3].hours.append(Hours(240, 360))
    workshop = _roster(office, "工程班", engineers, days=[extra])
    counter = _roster(office, "社区窗口", clerks, org_id=town.a.desk_id)
    for code in ENGINEERING:
        office.rule(name=f"物业·{code}", category=code, roster_id=workshop)
    for code in COUNTER:
        office.rule(name=f"社区·{code}", category=code, org_id=town.a.desk_id, roster_id=counter)
    by_id = {h.who.id: h for h in crew}
    for handler in crew:
        handler.actor = acting(handler.who.caller)

    desk, minute, began, nobody = office.desk, 0.0, clock.now(), 0
    clerk = acting(desk)
    for moment in sorted(rng.uniform(0, DAY_MINUTES - 1) for _ in range(TICKETS)):
        if int(moment) // 600 > int(minute) // 600:  # a login lasts 12 hours
            town.a.staff.clear()
            desk = office.desk
        later(seconds=(began + timedelta(minutes=moment) - clock.now()).total_seconds())
        minute = moment
        for handler in crew:
            handler.work(minute)
        code = rng.choice(ENGINEERING * 2 + COUNTER)
        ticket_id = ids.encode(Kind.TICKET, _taken_in(town, code, clerk))
        sent: Any = desk.post(f"/tickets/{ticket_id}/dispatch", {}).json

        why = sent["dispatch_explained"]
        team = engineers if code in ENGINEERING else clerks
        there = {h.who.id: h for h in team if h.is_there(minute)}
        assert (sent["status"], sent["dispatch_why"]) == ("dispatched", "rule")
        assert why["rule"].endswith(code)
        assert {one["staff_id"]: one["open"] for one in why["on_shift"]} == {
            staff: len(h.hands) for staff, h in there.items()
        }
        if not there:  # at night nobody is at the counter
            nobody += 1
            assert (sent["handler"], why["because"]) == (None, "nobody_on_shift")
            assert "抢单" in why["text"]
            continue
        assert why["staff_id"] in there, "given to somebody who isn't on shift"
        taken = by_id[why["staff_id"]]
        assert taken.who.name in why["text"]
        assert f"手上 {len(taken.hands)} 件" in why["text"]
        taken.given += 1
        taken.hands.append(ids.decode_ref(Kind.TICKET, ticket_id))

    given = Counter({h.who.id: h.given for h in crew})
    assert sum(given.values()) + nobody == TICKETS
    assert 0 < nobody < TICKETS / 8
    for team in (engineers, clerks):
        for hours in (EARLY, LATE, NIGHT):
            together = [h.given for h in team if h.hours == [hours]]
            if together:
                assert max(together) - min(together) <= GAP, (hours, together)
                assert min(together) > 10
    board = desk.get(f"/duty-rosters?community_id={community_id(town.a)}").json["items"]
    assert {row["name"] for row in board} == {"工程班", "社区窗口"}
