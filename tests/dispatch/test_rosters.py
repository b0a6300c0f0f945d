"""Duty rosters: who is on shift, what is refused, who may change what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.conftest import Town
from tests.dispatch.conftest import Office, in_days, turn, worker

PATH = "/duty-rosters"


def on_duty(office: Office, roster: dict[str, Any], at: str | None = None) -> list[str]:
    answer = office.desk.get(f"{PATH}/{roster['roster_id']}", query_string={"at": at} if at else None)
    assert answer.status_code == 200, answer.text
    return [one["staff"] for one in answer.json["on_duty"]]


def test_a_roster_says_who_stands_there_at_any_moment_also_past_midnight(office: Office) -> None:
    day, night = office.hire(2)
    roster = office.post(turn(day, "08:00", "20:00"), turn(night, "20:00", "08:00", weekdays=[3]))
    assert on_duty(office, roster) == [day.name]
    today, tomorrow, after = in_days(0), in_days(1), in_days(2)
    assert on_duty(office, roster, f"{today}T19:59:59+08:00") == [day.name]
    assert on_duty(office, roster, f"{today}T20:00:00+08:00") == [night.name]
    assert on_duty(office, roster, f"{tomorrow}T07:59:59+08:00") == [night.name]
    assert on_duty(office, roster, f"{tomorrow}T08:00:00+08:00") == [day.name]
    assert on_duty(office, roster, f"{tomorrow}T21:00:00+08:00") == []
    assert on_duty(office, roster, f"{after}T07:00:00+08:00") == []


def test_a_swap_a_leave_and_an_extra_turn_hold_on_their_day_only(office: Office) -> None:
    one, other, third = office.hire(3)
    roster = office.post(
        turn(one, "08:00", "12:00"), turn(one, "14:00", "18:00"), turn(other, "08:00", "18:00")
    )
    days = [
        {"day": in_days(1), "away_id": one.id, "comes_id": third.id, "note": "调班"},
        {"day": in_days(2), "away_id": other.id},
        {"day": in_days(2), "comes_id": third.id, "from": "20:00", "to": "02:00"},
    ]
    changed = office.change("duty-rosters", roster, days=days)
    assert changed.status_code == 200, changed.text
    assert [d["note"] for d in changed.json["days"]] == ["调班", None, None]

    def at(days: int, hour: int) -> set[str]:
        return set(on_duty(office, roster, f"{in_days(days)}T{hour:02d}:00:00+08:00"))

    assert at(1, 9) == {third.name, other.name}
    assert at(1, 13) == {other.name}
    assert at(2, 9) == {one.name}
    assert (at(2, 21), at(3, 1)) == ({third.name}, {third.name})
    assert at(3, 9) == {one.name, other.name}
    assert office.change("duty-rosters", roster, days=[]).json["days"] == []
    assert at(1, 9) == {one.name, other.name}


def test_a_new_week_begins_on_its_day_and_leaves_the_days_before(office: Office) -> None:
    one, other = office.hire(2)
    roster = office.post(turn(one))
    changed = office.change("duty-rosters", roster, turns=[turn(other)], valid_from=in_days(7))
    assert changed.status_code == 200, changed.text
    assert [(t["staff"], t["valid_from"], t["valid_to"]) for t in changed.json["turns"]] == [
        (one.name, in_days(0), in_days(7)),
        (other.name, in_days(7), None),
    ]
    assert on_duty(office, roster, f"{in_days(6)}T23:00:00+08:00") == [one.name]
    assert on_duty(office, roster, f"{in_days(7)}T00:00:00+08:00") == [other.name]


WRONG: dict[str, tuple[int, str, Callable[[Any], dict[str, Any]]]] = {
    "nobody": (422, "roster_empty", lambda _: {"turns": []}),
    "twice at once": (
        422,
        "turns_overlap",
        lambda w: {"turns": [turn(w, "08:00", "16:00"), turn(w, "15:00", "20:00")]},
    ),
    "twice over midnight": (
        422,
        "turns_overlap",
        lambda w: {
            "turns": [turn(w, "22:00", "06:00", weekdays=[7]), turn(w, "05:00", "09:00", weekdays=[1])]
        },
    ),
    "no such hour": (422, "bad_hours", lambda w: {"turns": [turn(w, "08:00", "25:00")]}),
    "more than a day": (422, "bad_hours", lambda w: {"turns": [turn(w, "00:00", "24:30")]}),
    "no time at all": (422, "bad_hours", lambda w: {"turns": [turn(w, "08:00", "08:00")]}),
    "an eighth weekday": (422, "invalid", lambda w: {"turns": [turn(w, weekdays=[8])]}),
    "an end before the start": (
        422,
        "dates_reversed",
        lambda w: {"turns": [turn(w)], "valid_from": in_days(3), "valid_to": in_days(3)},
    ),
    "yesterday": (422, "past_date", lambda w: {"turns": [turn(w)], "valid_from": in_days(-1)}),
    "a day gone by": (
        422,
        "past_date",
        lambda w: {"turns": [turn(w)], "days": [{"day": in_days(-1), "away_id": w.id}]},
    ),
    "away without a turn": (
        422,
        "bad_change",
        lambda w: {"turns": [turn(w, weekdays=[1])], "days": [{"day": in_days(0), "away_id": w.id}]},
    ),
    "comes without hours": (
        422,
        "bad_change",
        lambda w: {"turns": [turn(w)], "days": [{"day": in_days(0), "comes_id": w.id}]},
    ),
    "instead of oneself": (
        422,
        "bad_change",
        lambda w: {"turns": [turn(w)], "days": [{"day": in_days(0), "away_id": w.id, "comes_id": w.id}]},
    ),
    "comes while there": (
        422,
        "turns_overlap",
        lambda w: {
            "turns": [turn(w, "20:00", "08:00")],
            "days": [{"day": in_days(1), "comes_id": w.id, "from": "07:00", "to": "09:00"}],
        },
    ),
    "half the hours": (
        422,
        "invalid",
        lambda w: {"turns": [turn(w)], "days": [{"day": in_days(0), "comes_id": w.id, "from": "07:00"}]},
    ),
    "a gap of none": (422, "invalid", lambda w: {"turns": [turn(w)], "gap": 0}),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_roster_gets_a_clear_answer_and_nothing_is_kept(office: Office, case: str) -> None:
    status, code, body = WRONG[case]
    who = office.hire(1)[0]
    answer = office.desk.post(PATH, office.roster_body(**body(who)))
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    assert office.desk.get(PATH).json["items"] == []


def test_strangers_to_the_unit_and_estates_elsewhere_are_refused(office: Office, town: Town) -> None:
    own = office.hire(1)[0]
    stranger = worker(town.staff("property", town.b))
    for body, code in (
        ({"turns": [turn(own), turn(stranger)]}, "not_of_unit"),
        (
            {"turns": [turn(own)], "days": [{"day": in_days(0), "away_id": own.id, "comes_id": stranger.id}]},
            "not_of_unit",
        ),
        ({"turns": [turn(own)], "estate_ids": [town.b.estate_id]}, "unknown_estate"),
        ({"turns": [turn(own)], "org_id": town.b.property_id}, "unknown_org"),
    ):
        answer = office.desk.post(PATH, office.roster_body(**body))
        assert (answer.status_code, answer.json["code"]) == (422, code), answer.text
    office.post(turn(own))
    again = office.desk.post(PATH, office.roster_body(turn(own)))
    assert (again.status_code, again.json["code"]) == (409, "post_exists")


def test_a_change_needs_the_version_that_is_there(office: Office) -> None:
    one = office.hire(1)[0]
    roster = office.post(turn(one))
    path = f"{PATH}/{roster['roster_id']}"
    assert office.desk.patch(path, {"name": "夜班"}).status_code == 428
    assert office.desk.patch(path, {"name": "夜班"}, headers={"If-Match": '"1"'}).json["version"] == 2
    stale = office.desk.patch(path, {"name": "早班"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale_version")
    assert office.desk.get(path).json["name"] == "夜班"


def test_a_post_out_of_use_has_nobody_until_it_is_taken_up_again(office: Office) -> None:
    one = office.hire(1)[0]
    roster = office.post(turn(one))
    assert office.change("duty-rosters", roster, active=False).json["on_duty"] == []
    refused = office.change("duty-rosters", roster, turns=[turn(one)])
    assert (refused.status_code, refused.json["code"]) == (409, "post_retired")
    assert office.desk.get(PATH).json["items"] == []
    assert len(office.desk.get(f"{PATH}?retired=true").json["items"]) == 1
    assert len(office.change("duty-rosters", roster, active=True).json["on_duty"]) == 1


def test_a_company_keeps_its_own_rosters_and_sees_no_others(office: Office, town: Town) -> None:
    company, other = town.staff("property"), town.staff("property", town.b)
    mine = office.roster_body(turn(worker(company)), name="物业自排")
    made = company.post(PATH, mine)
    assert made.status_code == 201, made.text
    path = f"{PATH}/{made.json['roster_id']}"
    desks = town.staff("community").post(
        PATH, office.roster_body(turn(worker(town.staff("grid"))), org_id=town.a.desk_id, name="窗口")
    )
    assert desks.status_code == 201
    assert [row["name"] for row in company.get(PATH).json["items"]] == ["物业自排"]
    for not_theirs in (company.get(f"{PATH}/{desks.json['roster_id']}"), other.get(path)):
        assert not_theirs.status_code == 404
    assert other.post(PATH, mine).status_code == 404
    assert other.patch(path, {"name": "x"}, headers={"If-Match": "*"}).status_code == 404
    assert town.staff("community", town.b).get(path).status_code == 404
    grid = town.staff("grid")
    assert [row["name"] for row in grid.get(PATH).json["items"]] == ["窗口"]
    assert grid.patch(f"{PATH}/{desks.json['roster_id']}", {}, headers={"If-Match": "*"}).status_code == 403
    assert town.staff("street").get(path).status_code == 200


def test_rosters_come_page_by_page(office: Office, later: Callable[..., datetime]) -> None:
    people = office.hire(3)
    for n in range(3):
        office.post(turn(people[n]), name=f"岗{n}")
        later(seconds=1)
    first = office.desk.get(f"{PATH}?limit=2").json
    second = office.desk.get(f"{PATH}?limit=2&cursor={first['next_cursor']}").json
    assert [r["name"] for r in first["items"] + second["items"]] == ["岗2", "岗1", "岗0"]
    assert second["next_cursor"] is None
