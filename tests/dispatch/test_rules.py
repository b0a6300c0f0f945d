"""Dispatch rules: which one counts, what is refused, and that nothing ever goes nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app import ids
from app.ids import Kind
from tests.conftest import Person, Town
from tests.dispatch.conftest import Office, community_id, in_days, turn

PATH = "/routing-rules"


def grid_id(town: Town) -> str:
    return ids.encode(Kind.GRID, town.a.grid)


def window(start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"kind": "window", "from": start, "to": end} | more


def test_without_any_rule_it_goes_where_it_went_before(office: Office, town: Town) -> None:
    tried = office.ask(category="noise")
    assert (tried["why"], tried["org_id"], tried["rule_id"]) == ("estate", town.a.property_id, None)
    sent = office.give()
    assert (sent["dispatch_why"], sent["handler"]) == ("estate", None)
    assert "责任单位" in sent["dispatch_explained"]["text"]


def test_what_no_rule_and_no_unit_answers_for_goes_to_the_desk(
    office: Office, town: Town, owner: psycopg.Connection[Any]
) -> None:
    office.rule(category="lighting")
    owner.execute("DELETE FROM responsibilities WHERE community_id = %s", [town.a.id])
    sent = office.give()
    assert (sent["dispatch_why"], sent["org"][-3:]) == ("desk", "居委会")
    assert "社区受理" in sent["dispatch_explained"]["text"]


def test_class_comes_before_place_place_before_urgency_and_urgency_before_time(
    office: Office, town: Town
) -> None:
    """Each rule is more specific than the next: taken away one after the other, the next one counts."""
    rules = [
        office.rule(name="类", category="noise"),
        office.rule(name="上级类", category="local", estate_id=town.a.estate_id),
        office.rule(name="小区", estate_id=town.a.estate_id),
        office.rule(name="网格", grid_id=grid_id(town), urgent=False),
        office.rule(name="不急", urgent=False),
        office.rule(name="时段", time=window("12:00", "13:00")),
        office.rule(name="休息", time={"kind": "off_hours"}),
        office.rule(name="优先", priority=5),
        office.rule(name="一般"),
    ]
    for n, rule in enumerate(rules):
        tried = office.ask(category="noise")
        assert tried["rule"] == rule["name"]
        assert [p["name"] for p in tried["passed"]] == [r["name"] for r in rules[n + 1 :]]
        assert {p["why"] for p in tried["passed"]} <= {"less_specific"}
        ended = office.change("routing-rules", rule, valid_to=in_days(0))
        assert ended.status_code == 200, ended.text
    assert office.ask(category="noise")["why"] == "estate"


def test_rules_about_something_else_are_passed_over_with_the_reason(office: Office, town: Town) -> None:
    office.rule(name="别的类", category="dogs")
    office.rule(name="别的小区", estate_id=ids.encode(Kind.ESTATE, town.a.second_estate))
    office.rule(name="紧急", urgent=True)
    office.rule(name="夜里", time=window("22:00", "06:00"))
    tried = office.ask(category="noise")
    assert (tried["why"], {p["name"]: p["why"] for p in tried["passed"]}) == (
        "estate",
        {
            "别的类": "other_class",
            "别的小区": "other_place",
            "紧急": "other_urgency",
            "夜里": "other_time",
        },
    )
    assert office.ask(category="noise", urgent=True)["rule"] == "紧急"
    assert office.ask(at=f"{in_days(1)}T05:59:00+08:00")["rule"] == "夜里"
    assert office.ask(at=f"{in_days(1)}T06:00:00+08:00")["rule"] is None


def test_two_rules_that_nothing_tells_apart_are_refused(office: Office) -> None:
    first = office.rule(name="甲", category="noise", time=window("22:00", "06:00", weekdays=[5]))
    for same in (
        window("05:00", "09:00", weekdays=[6]),
        window("23:00", "23:30"),
        window("21:00", "23:00", weekdays=[4, 5]),
    ):
        tie = office.try_rule(name="乙", category="noise", time=same)
        assert (tie.status_code, tie.json["code"]) == (409, "rule_tie"), same
        assert (tie.json["rule_id"], tie.json["name"]) == (first["rule_id"], "甲")
    office.rule(name="乙", category="noise", time=window("06:00", "09:00", weekdays=[6]))
    office.rule(name="丙", category="noise", time=window("23:00", "23:30"), priority=1)
    office.rule(name="丁", category="noise", time={"kind": "working_hours"})
    office.rule(name="戊", category="noise", time={"kind": "off_hours"})
    assert office.try_rule(name="己", category="noise", time={"kind": "off_hours"}).json["code"] == "rule_tie"
    later = office.rule(name="己", category="noise", valid_from=in_days(5))
    assert office.try_rule(name="庚", category="noise", valid_to=in_days(6)).json["code"] == "rule_tie"
    office.rule(name="庚", category="noise", valid_to=in_days(5))
    assert office.change("routing-rules", later, priority=3, valid_from=in_days(5)).status_code == 200
    into = office.change("routing-rules", first, time=window("06:30", "07:00", weekdays=[6]))
    assert (into.status_code, into.json["code"]) == (409, "rule_tie")


@pytest.fixture
def odd_days(owner: psycopg.Connection[Any]) -> Iterator[None]:
    """A Saturday that is worked, a Sunday whose morning is, a Monday that is free: far off, for this test."""
    days = [(date(2031, 3, 1), True, False), (date(2031, 3, 2), True, True), (date(2031, 3, 3), False, False)]
    for row in days:
        owner.execute(
            "INSERT INTO calendar_days (day, is_working, is_half, is_confirmed) VALUES (%s, %s, %s, true)",
            row,
        )
    yield
    owner.execute("DELETE FROM calendar_days WHERE day >= '2031-03-01'")


@pytest.mark.usefixtures("odd_days")
def test_times_follow_the_calendar_with_its_make_up_and_half_days(office: Office) -> None:
    office.rule(name="上班", time={"kind": "working_hours"})
    office.rule(name="下班", time={"kind": "off_hours"})
    office.rule(name="上班日夜里", category="noise", time=window("20:00", "06:00", days="working"))
    office.rule(name="休息日白天", category="noise", time=window("08:00", "18:00", days="off"))

    def at(moment: str, **more: Any) -> str:
        return str(office.ask(at=f"2031-03-0{moment}:00+08:00", **more)["rule"])

    assert [at("1T09:00"), at("1T12:00"), at("1T14:00"), at("1T18:00")] == ["上班", "下班", "上班", "下班"]
    assert [at("2T11:59"), at("2T14:00")] == ["上班", "下班"]
    assert [at("3T10:00"), at("4T10:00")] == ["下班", "上班"]
    # A night is of the day on which it begins; the half day is worked.
    noise = {"category": "noise"}
    assert [at("2T21:00", **noise), at("3T05:00", **noise), at("3T21:00", **noise)] == [
        "上班日夜里",
        "上班日夜里",
        "下班",
    ]
    assert [at("1T09:00", **noise), at("3T09:00", **noise)] == ["上班", "休息日白天"]


def test_a_change_holds_from_its_day_and_what_was_said_before_stays(office: Office) -> None:
    rule = office.rule(name="甲", category="noise", urgent=True)
    assert office.desk.patch(f"{PATH}/{rule['rule_id']}", {"name": "乙"}).status_code == 428
    changed = office.change("routing-rules", rule, urgent=None, name="乙", valid_from=in_days(3))
    assert changed.status_code == 200, changed.text
    assert (changed.json["name"], changed.json["urgent"], changed.json["version"]) == ("乙", None, 2)
    assert office.ask(category="noise")["rule"] is None
    assert office.ask(category="noise", urgent=True)["rule"] == "甲"
    assert office.ask(category="noise", at=f"{in_days(3)}T00:00:00+08:00")["rule"] == "乙"
    stale = office.desk.patch(f"{PATH}/{rule['rule_id']}", {"name": "丙"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale_version")
    on = office.desk.get(f"{PATH}?on={in_days(3)}").json["items"]
    assert [row["name"] for row in on] == ["乙"]
    again = office.change("routing-rules", rule, name="丁")
    assert (again.json["name"], again.json["urgent"], again.json["valid_to"]) == ("丁", True, None)
    assert office.ask(category="noise", urgent=True, at=f"{in_days(9)}T09:00:00+08:00")["rule"] == "丁"
    assert office.change("routing-rules", rule, valid_to=in_days(0)).status_code == 200
    assert office.ask(category="noise", urgent=True)["rule"] is None
    ended = office.change("routing-rules", rule, name="戊")
    assert (ended.status_code, ended.json["code"]) == (409, "rule_ended")
    assert office.desk.get(PATH).json["items"] == []


def test_a_wrong_rule_gets_a_clear_answer_and_nothing_is_kept(office: Office, town: Town) -> None:
    one, other = office.hire(2)
    roster = office.post(turn(one))["roster_id"]
    narrow = office.post(turn(other), name="一期岗", estate_ids=[town.a.estate_id])["roster_id"]
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("unknown_category", {"category": "no_such"}),
        ("bad_rule_place", {"estate_id": town.b.estate_id}),
        ("bad_rule_place", {"estate_id": town.a.estate_id, "grid_id": grid_id(town)}),
        ("bad_rule_place", {"grid_id": ids.encode(Kind.GRID, town.b.grid)}),
        ("unknown_org", {"org_id": town.b.property_id}),
        ("bad_rule_post", {"org_id": town.a.desk_id, "roster_id": roster}),
        ("bad_rule_post", {"estate_id": second, "roster_id": narrow}),
        ("method_needs_post", {"method": "least_loaded"}),
        ("bad_rule_time", {"time": {"kind": "window"}}),
        ("bad_rule_time", {"time": {"kind": "always", "from": "08:00", "to": "09:00"}}),
        ("bad_hours", {"time": window("08:00", "08:00")}),
        ("bad_rule_dates", {"valid_from": in_days(-1)}),
        ("bad_rule_dates", {"valid_from": in_days(2), "valid_to": in_days(2)}),
        ("mediator_only", {"category": "dispute"}),
        ("invalid", {"priority": 101}),
    ]
    for code, body in wrong:
        answer = office.try_rule(**body)
        assert (answer.status_code in {409, 422}, answer.json["code"]) == (True, code), answer.text
    assert office.desk.get(PATH).json["items"] == []
    for body in ({}, {"location": {"lng": 0, "lat": 0}}, {"estate_id": town.a.estate_id, "category": "no"}):
        assert office.desk.post(f"{PATH}/try", body).status_code == 422


def test_the_rules_of_a_community_are_its_own_and_the_streets(office: Office, town: Town) -> None:
    rule = office.rule()
    path = f"{PATH}/{rule['rule_id']}"
    neighbour, street = town.staff("community", town.b), town.staff("street")
    assert neighbour.get(path).status_code == 404
    assert neighbour.patch(path, {"name": "x"}, headers={"If-Match": "*"}).status_code == 404
    assert neighbour.get(PATH).json["items"] == []
    body = {"community_id": community_id(town.a), "name": "x", "org_id": town.a.property_id, "urgent": True}
    assert neighbour.post(PATH, body).status_code == 404
    assert neighbour.post(f"{PATH}/try", {"estate_id": town.a.estate_id}).status_code == 404
    assert street.patch(path, {"name": "街道改"}, headers={"If-Match": "*"}).json["name"] == "街道改"
    for role in ("property", "grid"):
        assert town.staff(role).get(PATH).status_code == 403


def test_a_unit_that_has_ended_or_left_is_passed_over(
    office: Office, town: Town, owner: psycopg.Connection[Any]
) -> None:
    office.rule(name="物业规则", category="noise")
    office.rule(name="社区规则", org_id=town.a.desk_id)
    assert office.ask(category="noise")["rule"] == "物业规则"
    owner.execute("UPDATE responsibilities SET valid_to = valid_from WHERE community_id = %s", [town.a.id])
    left = office.ask(category="noise")
    assert (left["rule"], left["passed"][0]["why"]) == ("社区规则", "unit_elsewhere")
    owner.execute("UPDATE orgs SET is_active = false WHERE id = %s", [town.a.keeper])
    assert office.ask(category="noise")["passed"][0]["why"] == "unit_ended"
    sent = office.give()
    assert sent["org"][-3:] == "居委会"
    assert "跳过规则「物业规则」（单位已停用）" in sent["dispatch_explained"]["text"]


def test_a_dispute_goes_to_no_unit_but_mediators_and_the_desk(office: Office, town: Town) -> None:
    office.rule(name="全部给物业")
    tried = office.ask(category="dispute")
    assert (tried["why"], tried["org_id"]) == ("desk", town.a.desk_id)
    assert tried["passed"][0]["why"] == "dispute"
    office.rule(name="纠纷给社区", category="dispute", org_id=town.a.desk_id)
    assert office.ask(category="dispute")["rule"] == "纠纷给社区"
    sent = office.give(category="dispute", text="邻里矛盾")
    assert (sent["org"][-3:], sent["dispatch_why"]) == ("居委会", "rule")


def test_trying_changes_nothing_and_says_what_the_dispatch_will_say(office: Office) -> None:
    one, other = office.hire(2)
    roster = office.post(turn(one), turn(other))
    office.rule(name="夜间漏水→物业", category="noise", roster_id=roster["roster_id"])
    tried = office.ask(category="noise")
    assert office.ask(category="noise") == tried
    sent = office.give()["dispatch_explained"]
    same = ("text", "rule_id", "rule_version", "roster_id", "because", "staff_id", "on_shift")
    assert {key: sent[key] for key in same} == {key: tried[key] for key in same}
    assert sent["text"].startswith("规则「夜间漏水→物业」；值班岗：工程班2；在岗可接 2 人，")
    assert office.ask(category="noise")["staff_id"] != sent["staff_id"]


def test_the_reporter_reads_the_unit_and_nothing_of_its_people(
    office: Office, resident: Callable[..., Person]
) -> None:
    one = office.hire(1)[0]
    office.rule(name="内部规则名", roster_id=office.post(turn(one))["roster_id"])
    sent = office.give()
    assert sent["handler"] == one.name
    hers = resident("wang").ticket(sent["ticket_id"])
    assert hers["handler"] == sent["org"]
    for hidden in (one.name, "内部规则名", "工程班"):
        assert hidden not in str(hers)


def test_rules_come_page_by_page(office: Office, later: Callable[..., Any]) -> None:
    for code in ("noise", "dogs", "other"):
        office.rule(name=code, category=code)
        later(seconds=1)
    first = office.desk.get(f"{PATH}?limit=2").json
    second = office.desk.get(f"{PATH}?limit=2&cursor={first['next_cursor']}").json
    assert [r["name"] for r in first["items"] + second["items"]] == ["other", "dogs", "noise"]


def test_the_rules_of_a_community_that_is_not_hers_are_none(town: Town) -> None:
    """An empty list, by a statement that still names its communities."""
    other = ids.encode(Kind.COMMUNITY, UUID(int=town.b.id))
    answer = town.staff("community").get("/routing-rules", query_string={"community_id": other})
    assert (answer.status_code, answer.json["items"]) == (200, [])
