"""The person: on shift, least loaded, last handler, in turn; handing on; two dispatches at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest

from app import ids
from app.ids import Kind
from tests.conftest import Person, Town
from tests.dispatch.conftest import Office, in_days, turn


def why(sent: Any) -> tuple[str | None, str | None]:
    return sent["handler"], sent["dispatch_explained"]["because"]


def by(office: Office, *turns: dict[str, Any], method: str = "least_loaded", **more: Any) -> dict[str, Any]:
    """A post with this roster, and a rule that sends everything there."""
    roster = office.post(*turns, **more)
    office.rule(name=f"按{method}", roster_id=roster["roster_id"], method=method)
    return roster


def test_who_holds_fewest_gets_the_next_one(office: Office) -> None:
    one, other = office.hire(2)
    by(office, turn(one), turn(other))
    first, second = office.give(), office.give()
    assert {first["handler"], second["handler"]} == {one.name, other.name}
    free = one if second["handler"] == one.name else other
    assert free.caller.post(f"/tickets/{second['ticket_id']}/start").status_code == 200
    assert free.caller.post(f"/tickets/{second['ticket_id']}/resolve", {"note": "好了"}).status_code == 200
    assert why(office.give()) == (free.name, "least_loaded")


def test_the_fast_one_is_not_given_everything(office: Office) -> None:
    fast, slow = office.hire(2)
    by(office, turn(fast), turn(slow), gap=2)
    given: Counter[str] = Counter()
    reasons = set()
    for _ in range(10):
        sent = office.give()
        given[sent["handler"]] += 1
        reasons.add(sent["dispatch_explained"]["because"])
        assert abs(given[fast.name] - given[slow.name]) <= 2
        if sent["handler"] == fast.name:
            fast.caller.post(f"/tickets/{sent['ticket_id']}/start")
            done = fast.caller.post(f"/tickets/{sent['ticket_id']}/resolve", {"note": "好了"})
            assert done.status_code == 200
    assert "evened_out" in reasons
    assert given[fast.name] - given[slow.name] == 2


def test_who_comes_later_is_neither_flooded_nor_spared(
    office: Office, move_to: Callable[..., datetime], town: Town
) -> None:
    early, late = office.hire(2)
    by(office, turn(early, "08:00", "20:00"), turn(late, "14:00", "20:00"))
    for _ in range(4):
        sent = office.give()
        assert why(sent) == (early.name, "only_one")
        early.caller.post(f"/tickets/{sent['ticket_id']}/start")
        early.caller.post(f"/tickets/{sent['ticket_id']}/resolve", {"note": "好了"})
    move_to(hour=15)
    assert Counter(office.give()["handler"] for _ in range(6)) == {early.name: 3, late.name: 3}


def test_nobody_on_shift_leaves_it_to_the_unit_and_says_so(office: Office) -> None:
    by(office, turn(office.hire(1)[0], "20:00", "22:00"))
    sent = office.give()
    assert (sent["status"], sent["dispatch_why"], why(sent)) == (
        "dispatched",
        "rule",
        (None, "nobody_on_shift"),
    )
    assert "没有可接单的人在岗" in sent["dispatch_explained"]["text"]
    grabber = office.hire(1)[0]
    assert grabber.caller.post(f"/tickets/{sent['ticket_id']}/grab").json["handler"] == grabber.name


def test_a_rule_may_leave_the_choice_to_who_grabs(office: Office) -> None:
    by(office, turn(office.hire(1)[0]), method="grab")
    assert why(office.give()) == (None, "to_grab")


@pytest.mark.parametrize("ended", ["role", "account"])
def test_who_no_longer_works_there_gets_nothing(
    office: Office, owner: psycopg.Connection[Any], ended: str
) -> None:
    gone, there = office.hire(2)
    by(office, turn(gone), turn(there))
    staff = ids.decode_id(Kind.STAFF, gone.id)
    if ended == "role":
        owner.execute("UPDATE staff_roles SET valid_to = valid_from WHERE staff_id = %s", [staff])
    else:
        owner.execute("UPDATE staff SET status = 'disabled' WHERE id = %s", [staff])
    for _ in range(3):
        assert why(office.give()) == (there.name, "only_one")


def test_a_grid_worker_gets_what_lies_in_her_grid(
    office: Office, town: Town, resident: Callable[..., Person]
) -> None:
    grid = office.hire(1, "grid")[0]
    by_desk = office.post(turn(grid), org_id=town.a.desk_id)
    office.rule(org_id=town.a.desk_id, roster_id=by_desk["roster_id"])
    assert office.give()["handler"] == grid.name
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    made = resident("li").report(second, category="noise")["ticket_id"]
    office.desk.post(f"/tickets/{made}/accept")
    sent = office.dispatch(made)
    assert why(sent) == (None, "nobody_on_shift")
    assert "另有 1 人在岗但不负责这里" in sent["dispatch_explained"]["text"]


def test_the_last_handler_of_the_place_is_preferred_while_her_load_allows(office: Office) -> None:
    one, other = office.hire(2)
    by(office, turn(one), turn(other), method="last_handler", gap=3)
    first = office.give()
    same = first["handler"]
    assert [why(office.give()) for _ in range(2)] == [(same, "last_handler")] * 2
    assert office.give()["handler"] == (other.name if same == one.name else one.name)
    assert office.give(category="dogs")["dispatch_explained"]["because"] != "last_handler"


def test_a_last_handler_off_shift_is_not_preferred(office: Office, move_to: Callable[..., datetime]) -> None:
    one, other = office.hire(2)
    by(office, turn(one, "08:00", "14:00"), turn(other, "14:00", "20:00"), method="last_handler")
    assert office.give()["handler"] == one.name
    move_to(hour=15)
    assert why(office.give()) == (other.name, "only_one")


def test_in_turn_everybody_gets_one_whatever_she_holds(office: Office) -> None:
    crew = office.hire(3)
    by(office, *(turn(who) for who in crew), method="rotate")
    given = [office.give()["handler"] for _ in range(6)]
    assert given[:3] == given[3:]
    assert set(given) == {who.name for who in crew}


def test_the_desk_may_name_somebody_off_shift_and_the_ticket_says_so(office: Office, town: Town) -> None:
    on, off = office.hire(2)
    by(office, turn(on), turn(off, weekdays=[1]))
    sent = office.dispatch(office.report(), org_id=town.a.property_id, staff_id=off.id)
    assert (sent["handler"], sent["dispatch_why"]) == (off.name, "chosen")
    assert sent["dispatch_explained"]["off_shift"] is True
    assert f"指定处理人：{off.name}（现在不在班）" in sent["dispatch_explained"]["text"]
    named = office.dispatch(office.report(), org_id=town.a.property_id, staff_id=on.id)
    assert named["dispatch_explained"]["off_shift"] is False


def test_a_unit_named_by_the_desk_still_gives_it_by_its_own_post(office: Office, town: Town) -> None:
    one = office.hire(1)[0]
    by(office, turn(one))
    office.rule(name="噪声给社区", category="noise", org_id=town.a.desk_id)
    assert office.ask(category="noise")["org_id"] == town.a.desk_id
    sent = office.dispatch(office.report(), org_id=town.a.property_id)
    assert (sent["handler"], sent["dispatch_why"]) == (one.name, "chosen")
    plain = office.dispatch(office.report(category="dogs"), org_id=town.a.desk_id)
    assert (plain["handler"], plain["dispatch_explained"]["roster"]) == (None, None)


def test_a_post_that_does_not_serve_the_estate_gives_it_to_nobody(office: Office, town: Town) -> None:
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    by(office, turn(office.hire(1)[0]), estate_ids=[second])
    assert why(office.give()) == (None, "nobody_on_shift")


# --- handing on -------------------------------------------------------------------------------------------


def test_a_ticket_is_passed_on_to_the_next_on_shift(office: Office, town: Town) -> None:
    one, other = office.hire(2)
    by(office, turn(one), turn(other))
    sent = office.give()
    mine, next_one = (one, other) if sent["handler"] == one.name else (other, one)
    assert "rotate" in mine.caller.get(f"/tickets/{sent['ticket_id']}").json["moves"]
    path = f"/tickets/{sent['ticket_id']}/rotate"
    assert office.desk.post(path, {"reason": "x"}).status_code == 403
    assert town.staff("property", town.b).post(path, {"reason": "x"}).status_code == 404
    assert mine.caller.post(path, {}).status_code == 422
    passed = mine.caller.post(path, {"reason": "去急修电梯"})
    assert (passed.status_code, passed.json["handler"]) == (200, next_one.name)
    event = passed.json["timeline"][-1]
    assert (event["kind"], event["visibility"], event["text"]) == ("rotate", "internal", "去急修电梯")
    assert f"由{mine.name}转出" in event["data"]["explained"]
    told = [[n["kind"] for n in who.caller.get("/inbox").json["items"]] for who in (next_one, mine)]
    assert told == [["assigned"], ["dispatched"]]
    assert next_one.caller.post(f"/tickets/{sent['ticket_id']}/start").status_code == 200
    back = next_one.caller.post(path, {"reason": "不会修"})
    assert (back.json["handler"], back.json["status"]) == (mine.name, "in_progress")


def test_with_nobody_else_on_shift_it_stays_where_it_is(office: Office, town: Town) -> None:
    one = office.hire(1)[0]
    by(office, turn(one))
    sent = office.give()
    refused = one.caller.post(f"/tickets/{sent['ticket_id']}/rotate", {"reason": "有事"})
    assert (refused.status_code, refused.json["code"]) == (409, "nobody_else_on_shift")
    seen = office.desk.get(f"/tickets/{sent['ticket_id']}").json
    assert (seen["handler"], seen["version"]) == (one.name, sent["version"])
    by_hand = office.dispatch(office.report(), org_id=town.a.property_id, staff_id=one.id)
    assert "rotate" not in one.caller.get(f"/tickets/{by_hand['ticket_id']}").json["moves"]
    no_post = one.caller.post(f"/tickets/{by_hand['ticket_id']}/rotate", {"reason": "有事"})
    assert (no_post.status_code, no_post.json["code"]) == (409, "no_post")


def test_what_was_not_started_is_handed_over_when_the_shift_is_over(
    office: Office, town: Town, move_to: Callable[..., datetime]
) -> None:
    day, one, other = office.hire(3)
    roster = by(
        office,
        turn(day, "08:00", "14:00"),
        turn(one, "14:00", "22:00"),
        turn(other, "14:00", "22:00"),
    )
    sent = [office.give()["ticket_id"] for _ in range(5)]
    assert day.caller.post(f"/tickets/{sent[0]}/start").status_code == 200
    path = f"/duty-rosters/{roster['roster_id']}/hand-over"
    body = {"staff_id": day.id, "reason": "交班"}
    early = office.desk.post(path, body)
    assert (early.status_code, early.json["code"]) == (409, "still_on_shift")
    move_to(hour=14, minute=5)
    assert town.staff("property", town.b).post(path, body).status_code == 404
    assert office.desk.get(f"/tickets/{sent[1]}").json["handler"] == day.name, "nothing moves by itself"
    moved = day.caller.post(path, body)
    assert moved.status_code == 200, moved.text
    assert [row["ticket_id"] for row in moved.json["items"]] == sent[1:]
    assert Counter(row["handler"] for row in moved.json["items"]) == {one.name: 2, other.name: 2}
    assert office.desk.get(f"/tickets/{sent[0]}").json["handler"] == day.name
    assert office.desk.post(path, body).json["items"] == []


def test_a_hand_over_without_anybody_there_moves_nothing(
    office: Office, move_to: Callable[..., datetime]
) -> None:
    day = office.hire(1)[0]
    roster = by(office, turn(day, "08:00", "14:00"))
    sent = office.give()
    move_to(hour=15)
    answer = office.desk.post(
        f"/duty-rosters/{roster['roster_id']}/hand-over", {"staff_id": day.id, "reason": "交班"}
    )
    assert (answer.status_code, answer.json["code"]) == (409, "nobody_else_on_shift")
    assert office.desk.get(f"/tickets/{sent['ticket_id']}").json["handler"] == day.name


def test_the_next_unit_does_not_read_who_held_how_much_at_the_one_before(office: Office, town: Town) -> None:
    one = office.hire(1)[0]
    by(office, turn(one))
    sent = office.give()
    assert one.caller.post(f"/tickets/{sent['ticket_id']}/return", {"reason": "不归我们"}).status_code == 200
    office.dispatch(sent["ticket_id"], org_id=town.a.desk_id)
    grid, desk = (who.get(f"/tickets/{sent['ticket_id']}").json for who in (town.staff("grid"), office.desk))
    assert [bool(e["data"].get("explained")) for e in grid["timeline"] if e["kind"] == "dispatch"] == [
        False,
        True,
    ]
    assert [bool(e["data"].get("explained")) for e in desk["timeline"] if e["kind"] == "dispatch"] == [
        True,
        True,
    ]


# --- at the same moment -----------------------------------------------------------------------------------


def test_two_dispatches_at_the_same_moment_find_two_people(
    office: Office, owner: psycopg.Connection[Any], held_up: Callable[[int], None], town: Town
) -> None:
    one, other = office.hire(2)
    roster = by(office, turn(one), turn(other))
    tickets = [office.report(), office.report()]
    desks = [town.hire("community", town.a) for _ in tickets]
    got: list[Any] = []
    post = ids.decode_ref(Kind.DUTY_ROSTER, roster["roster_id"])

    def send(n: int) -> None:
        got.append(desks[n].post(f"/tickets/{tickets[n]}/dispatch", {}))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(2)]
    with owner.transaction():
        owner.execute("SELECT 1 FROM duty_posts WHERE community_id = %s AND id = %s FOR UPDATE", [*post])
        for thread in threads:
            thread.start()
        held_up(2)
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in got] == [200, 200]
    assert {answer.json["handler"] for answer in got} == {one.name, other.name}


def test_a_change_of_today_counts_for_the_next_dispatch(office: Office) -> None:
    one, other = office.hire(2)
    roster = by(office, turn(one))
    assert office.give()["handler"] == one.name
    days = [{"day": in_days(0), "away_id": one.id, "comes_id": other.id}]
    assert office.change("duty-rosters", roster, days=days).status_code == 200
    assert office.give()["handler"] == other.name
