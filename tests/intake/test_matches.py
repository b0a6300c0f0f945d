"""Suggested merges as a list: strongest or newest first, each pair once, dismissed ones gone for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from app import ids
from app.ids import Kind
from tests.conftest import Caller, Person, Town
from tests.intake.conftest import Machine
from workers import jobs

SAME = "3栋2单元楼下的污水井盖破损"


def listed(who: Caller, **query: Any) -> list[dict[str, Any]]:
    answer = who.get("/tickets/matches", query_string=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


def pair(item: dict[str, Any]) -> tuple[str, str]:
    return item["ticket"]["ticket_id"], item["other"]["ticket_id"]


def hand_in(machine: Machine, town: Town, text: str = SAME, **more: Any) -> str:
    answer = machine.report(estate_id=town.a.estate_id, text=text, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json["ticket_id"])


def test_pairs_are_listed_once_with_both_tickets_and_the_desk_is_told(
    machine: Machine, town: Town, resident: Callable[..., Person], work: Callable[..., int]
) -> None:
    desk = town.staff("community")
    before = resident().report(town.a.estate_id, text="3号楼2单元门口污水井盖烂了", anonymous=True)[
        "ticket_id"
    ]
    first = hand_in(machine, town)
    work()
    (only,) = listed(desk)
    assert pair(only) == (first, before)
    assert only["ticket"]["channel"] == "hotline"
    assert only["other"]["text"] == "3号楼2单元门口污水井盖烂了"
    assert 0.6 <= only["score"] <= 1
    assert only["why"]["agree"] == ["building", "unit"]
    assert "reporter" not in str(only)
    told = [(n["kind"], n["ticket_id"]) for n in desk.get("/inbox").json["items"]]
    assert told == [("matched", first)]
    # Two that came by machine name each other after the daily match: still one line, and no second notice of the first.
    second = hand_in(machine, town)
    work()
    jobs.match_open()
    work()
    found = listed(desk)
    assert sorted(pair(item) for item in found) == sorted(
        [(first, before), (second, before), (second, first)]
    )
    assert [item["score"] for item in found] == sorted((item["score"] for item in found), reverse=True)
    assert [n["ticket_id"] for n in desk.get("/inbox").json["items"]] == [second, first]
    # By what came in last, and in pages.
    newest = listed(desk, order="newest")
    assert [item["ticket"]["ticket_id"] for item in newest] == [second, second, first]
    for order, whole in (("newest", newest), ("strongest", found)):
        paged, cursor = [], None
        for _ in range(3):
            page = desk.get(
                "/tickets/matches", query_string={"order": order, "limit": 1, "cursor": cursor}
            ).json
            paged += [pair(item) for item in page["items"]]
            cursor = page["next_cursor"]
        assert (paged, cursor) == ([pair(item) for item in whole], None)
    # Who has merged one sees what is left.
    assert desk.post(f"/tickets/{second}/merge", {"into": first}).status_code == 200
    assert [pair(item) for item in listed(desk)] == [(first, before)]


def test_a_dismissed_pair_is_not_suggested_again(
    machine: Machine,
    town: Town,
    resident: Callable[..., Person],
    work: Callable[..., int],
    owner: psycopg.Connection[Any],
) -> None:
    desk = town.staff("community")
    before = str(resident().report(town.a.estate_id, text=SAME)["ticket_id"])
    handed = hand_in(machine, town)
    work()
    body = {"ticket_id": before, "other_id": handed, "reason": "两个不同的井盖，已现场核对"}
    done = desk.post("/tickets/matches/dismiss", body)
    assert (done.status_code, done.json["reason"]) == (200, body["reason"])
    again = desk.post(
        "/tickets/matches/dismiss", {"ticket_id": handed, "other_id": before, "reason": "又看了一遍"}
    )
    assert (again.status_code, again.json["reason"]) == (200, body["reason"])
    assert listed(desk) == []
    jobs.match_open()
    work()
    assert listed(desk) == []
    for ticket_id in (before, handed):
        assert desk.get(f"/tickets/{ticket_id}/suggestions").json == []
    rows = owner.execute(
        "SELECT details::text FROM audit_log WHERE community_id = %s AND action = 'ticket.match_dismissed'",
        (town.a.id,),
    ).fetchall()
    assert len(rows) == 1
    assert "井盖" not in rows[0][0]
    # A third one is still compared with each of them.
    third = hand_in(machine, town)
    compared: Any = desk.get(f"/tickets/{third}/suggestions").json
    assert {s["ticket_id"] for s in compared} == {before, handed}


def test_only_who_may_merge_sees_and_dismisses_pairs_and_only_in_reach(
    machine: Machine,
    town: Town,
    resident: Callable[..., Person],
    work: Callable[..., int],
    make_town: Callable[[], Town],
) -> None:
    before = str(resident().report(town.a.estate_id, text=SAME)["ticket_id"])
    handed = hand_in(machine, town)
    foreign = str(resident().report(town.b.estate_id, text=SAME)["ticket_id"])
    work()
    body = {"ticket_id": handed, "other_id": before, "reason": "不是同一个问题"}
    for role in ("grid", "property"):
        assert town.staff(role).get("/tickets/matches").status_code == 403
        assert town.staff(role).post("/tickets/matches/dismiss", body).status_code == 403
    for stranger in (town.staff("community", town.b), make_town().staff("street")):
        assert listed(stranger) == []
        assert stranger.post("/tickets/matches/dismiss", body).status_code == 404
    street, desk = town.staff("street"), town.staff("community")
    assert [pair(item) for item in listed(street)] == [(handed, before)]
    assert desk.post("/tickets/matches/dismiss", body | {"other_id": foreign}).status_code == 404
    for other in (handed, foreign):
        refused = street.post("/tickets/matches/dismiss", body | {"other_id": other})
        assert (refused.status_code, refused.json["code"]) == (422, "not_a_pair")
    for wrong in ({"reason": ""}, {"other_id": "x"}):
        assert desk.post("/tickets/matches/dismiss", body | wrong).status_code == 422
    assert desk.get("/tickets/matches?order=oldest").status_code == 422
    assert desk.get("/tickets/matches?cursor=x").status_code == 422
    assert len(listed(desk)) == 1


def test_classes_that_stand_together_in_the_tree_count_as_related(
    machine: Machine, town: Town, owner: psycopg.Connection[Any]
) -> None:
    rows = owner.execute(
        "SELECT min(code), max(code) FROM category_terms WHERE parent_code IS NOT NULL AND valid_to IS NULL"
        " GROUP BY parent_code HAVING count(*) > 1 ORDER BY 1"
    ).fetchall()
    assert rows
    from app.tickets import match

    one, other = next(pair for pair in rows if match.kin_of(*pair) is match.Kin.OTHER)
    first = hand_in(machine, town, category=one)
    second = hand_in(machine, town, category=other)
    found: Any = town.staff("community").get(f"/tickets/{second}/suggestions").json
    assert [(s["ticket_id"], s["why"]["class"]) for s in found] == [(first, "sibling")]
    assert ids.decode_ref(Kind.TICKET, first).community_id == town.a.id
