"""Nobody stands at two posts at the same time; and a day that is left with nobody is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.duty.gaps import gaps
from app.duty.hours import DAY
from app.duty.models import DayChange, Turn
from app.duty.queries import spans_on
from app.ids import new_id
from tests.conftest import Town
from tests.dispatch.conftest import Office, Worker, in_days, turn, worker

PATH = "/duty-rosters"


def weekday(days: int) -> int:
    return date.fromisoformat(in_days(days)).isoweekday()


def refused(answer: Any, other: str) -> None:
    assert (answer.status_code, answer.json["code"]) == (422, "turns_overlap"), answer.text
    assert other in answer.json["detail"]


OVERLAPS: dict[str, Callable[[Worker], dict[str, Any]]] = {
    "the same hours": lambda w: {"turns": [turn(w, "09:00", "17:00")]},
    "a night that ends too late": lambda w: {"turns": [turn(w, "22:00", "08:30")]},
    "a single day": lambda w: {
        "days": [{"day": in_days(3), "comes_id": w.id, "from": "15:00", "to": "18:00"}]
    },
    "from next month": lambda w: {"turns": [turn(w, "09:00", "17:00")], "valid_from": in_days(40)},
    "away in the first week only": lambda w: {
        "turns": [turn(w, "09:00", "17:00", weekdays=[weekday(2)])],
        "days": [{"day": in_days(2), "away_id": w.id}],
    },
}


@pytest.mark.parametrize("case", OVERLAPS)
def test_a_second_post_in_the_same_hours_is_refused_by_name(office: Office, case: str) -> None:
    one, other = office.hire(2)
    office.post(turn(one, "08:00", "16:00"), name="工程班")
    wanted = {"turns": [turn(other)], "name": "保洁班"} | OVERLAPS[case](one)
    refused(office.desk.post(PATH, office.roster_body(**wanted)), "工程班")
    assert [row["name"] for row in office.desk.get(PATH).json["items"]] == ["工程班"]


def test_hours_beside_each_other_and_days_off_are_no_overlap(office: Office) -> None:
    one, other = office.hire(2)
    office.post(turn(one, "08:00", "16:00", weekdays=[weekday(2)]), turn(other), name="工程班")
    made = office.post(
        turn(one, "16:00", "08:00"), turn(one, "08:00", "16:00", weekdays=[weekday(3)]), name="保洁班"
    )
    extra = {"day": in_days(2), "comes_id": one.id, "from": "10:00", "to": "12:00"}
    refused(office.change("duty-rosters", made, days=[extra]), "工程班")
    first = office.desk.get(PATH).json["items"][-1]
    assert (
        office.change("duty-rosters", first, days=[{"day": in_days(2), "away_id": one.id}]).status_code == 200
    )
    assert office.change("duty-rosters", made, days=[extra]).status_code == 200
    refused(office.change("duty-rosters", first, days=[]), "保洁班")


def test_posts_of_another_unit_count_and_those_out_of_use_do_not(office: Office, town: Town) -> None:
    grid = worker(town.staff("grid"))
    desk = office.roster_body(turn(grid, "08:00", "16:00"), org_id=town.a.desk_id, name="窗口")
    window = office.desk.post(PATH, desk).json or {}
    again = desk | {"name": "巡查", "turns": [turn(grid, "15:00", "18:00")]}
    refused(office.desk.post(PATH, again), "窗口")
    assert office.change("duty-rosters", window, active=False).status_code == 200
    assert office.desk.post(PATH, again).status_code == 201
    refused(office.change("duty-rosters", window, active=True), "巡查")


def test_a_day_that_leaves_hours_with_nobody_says_which(office: Office) -> None:
    one, other, third = office.hire(3)
    roster = office.post(turn(one, "08:00", "16:00"), turn(other, "15:00", "20:00"))
    assert roster["gaps"] == []
    days = [
        {"day": in_days(1), "away_id": one.id},
        {"day": in_days(2), "away_id": one.id, "comes_id": third.id},
        {"day": in_days(3), "away_id": one.id},
        {"day": in_days(3), "comes_id": third.id, "from": "10:00", "to": "12:00"},
    ]
    changed = office.change("duty-rosters", roster, days=days)
    assert changed.status_code == 200, changed.text
    expected = [
        {"day": in_days(1), "from": "08:00", "to": "15:00"},
        {"day": in_days(3), "from": "08:00", "to": "10:00"},
        {"day": in_days(3), "from": "12:00", "to": "15:00"},
    ]
    assert changed.json["gaps"] == expected
    assert office.desk.get(f"{PATH}/{roster['roster_id']}").json["gaps"] == expected


def test_a_gap_of_a_night_is_told_on_the_day_it_falls_on(office: Office) -> None:
    one, other = office.hire(2)
    roster = office.post(turn(one, "22:00", "06:00"), turn(other, "08:00", "20:00"))
    days = [
        {"day": in_days(1), "away_id": one.id},
        {"day": in_days(1), "comes_id": other.id, "from": "22:00", "to": "02:00"},
    ]
    changed = office.change("duty-rosters", roster, days=days)
    assert changed.json["gaps"] == [{"day": in_days(2), "from": "02:00", "to": "06:00"}]


spans = st.tuples(st.integers(0, DAY - 1), st.integers(1, DAY)).map(lambda s: (s[0], s[0] + s[1]))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    week=st.lists(st.tuples(st.integers(0, 2), spans), min_size=1, max_size=5),
    away=st.sets(st.integers(0, 2), min_size=1),
    extra=st.lists(spans, max_size=2),
)
def test_a_minute_is_in_a_gap_exactly_if_the_week_has_somebody_and_the_day_nobody(
    week: list[tuple[int, tuple[int, int]]], away: set[int], extra: list[tuple[int, int]]
) -> None:
    people = [new_id() for _ in range(4)]
    day = date(2026, 12, 2)
    turns = [
        Turn(
            staff_id=people[who],
            weekdays=[1, 2, 3, 4, 5, 6, 7],
            starts=start,
            ends=end,
            valid_from=day,
            valid_to=None,
        )
        for who, (start, end) in week
    ]
    changes = [DayChange(day=day, away_id=people[who]) for who in away]
    changes += [DayChange(day=day, comes_id=people[3], starts=s, ends=e) for s, e in extra]

    def minutes(with_changes: bool, on: set[int]) -> set[int]:
        return {
            offset * DAY + minute
            for offset in on
            for _, span in spans_on(
                date.fromordinal(day.toordinal() + offset), turns, changes if with_changes else ()
            )
            for minute in range(span.starts, span.ends)
        }

    said = {
        (gap.day - day).days * DAY + minute
        for gap in gaps(turns, changes)
        for minute in range(gap.span.starts, gap.span.ends)
    }
    assert said == minutes(False, {0}) - minutes(True, {-1, 0, 1})
