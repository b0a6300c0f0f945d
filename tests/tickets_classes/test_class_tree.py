"""The dated tree over HTTP: what held stays, what is planned is seen, and a broken tree is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app import db
from app.audit import SYSTEM
from app.tickets import catalogue
from app.tickets import queries as tickets
from tests.conftest import Town
from tests.tickets_classes.conftest import Classes, in_days


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json.get("code")) == (status, code), answer.text
    return dict(answer.json)


def test_the_tree_stands_on_the_national_standard_and_keeps_the_codes_there_were(classes: Classes) -> None:
    tree = classes.on()
    assert {code for code, row in tree.items() if row["parent"] is None} >= {"objects", "events", "local"}
    assert tree["lighting"]["parent"] == "objects_utilities"
    assert tree["objects_utilities"]["parent"] == "objects"
    assert not tree["objects_utilities"]["leaf"]
    assert (tree["lighting"]["depth"], tree["lighting"]["leaf"]) == (2, True)
    assert {
        "lighting", "water", "elevator", "facility", "road", "greening", "waste", "fire", "parking", "dogs",
        "noise", "illegal_building", "property", "ownership", "dispute", "other",
    } <= {code for code, row in tree.items() if row["leaf"]}  # fmt: skip


def test_a_national_code_stands_only_with_its_source(classes: Classes) -> None:
    coded = {row["national_code"]: row for row in classes.on().values() if row["national_code"]}
    assert {code: row["name"] for code, row in coded.items()} == {
        "0101": "违规搭建", "0102": "暴露垃圾", "0103": "积存垃圾渣土", "0104": "道路不洁", "0105": "水域不洁",
        "0106": "绿地脏乱",
    }  # fmt: skip
    assert all(row["national_source"] for row in coded.values())
    unsourced = classes.street.post(
        "/categories", {"code": classes.code(), "name": "暴露垃圾二", "national_code": "0107"}
    )
    assert "national_source" in problem(unsourced, 422, "bad_category")["errors"]


def test_every_class_comes_after_the_one_above_it(classes: Classes) -> None:
    seen: set[str | None] = {None}
    for code, row in classes.on().items():
        assert row["parent"] in seen, code
        seen.add(code)


def test_the_names_to_choose_from_are_those_of_the_classes_to_choose_from(classes: Classes) -> None:
    classes.add(name="新类一", parent=classes.add(name="新组", parent="local")["code"])
    with db.reading():
        groups, inside = tickets.categories_by_group(for_staff=True)
        shown, below = tickets.class_names_by_group()

    assert [(one.code, one.name) for one in shown] == [(one.code, one.name) for one in groups]
    assert {top: [(one.code, one.name) for one in rows] for top, rows in below.items()} == {
        top: [(one.code, one.name) for one in rows] for top, rows in inside.items()
    }


def test_a_change_from_a_day_on_leaves_the_days_before_as_they_were(classes: Classes) -> None:
    code = classes.add(name="旧名", parent="local")["code"]
    changed = classes.change(code, name="新名", parent="events", valid_from=in_days(10))
    assert changed.status_code == 200, changed.text
    assert changed.json["version"] == 2
    assert changed.headers["ETag"].startswith('"2')
    assert [(t["name"], t["parent"], t["valid_from"], t["valid_to"]) for t in changed.json["terms"]] == [
        ("旧名", "local", in_days(0), in_days(10)),
        ("新名", "events", in_days(10), None),
    ]
    assert classes.on()[code]["name"] == "旧名"
    assert classes.on(in_days(9))[code]["parent"] == "local"
    assert classes.on(in_days(10))[code]["parent"] == "events"
    assert code not in classes.on(in_days(-1))


def test_a_change_between_now_and_a_planned_one_ends_where_that_begins(classes: Classes) -> None:
    code = classes.add(name="一")["code"]
    classes.change(code, name="三", valid_from=in_days(20))
    classes.change(code, name="二", valid_from=in_days(10))
    terms = classes.get(code)["terms"]
    assert [(t["name"], t["valid_from"], t["valid_to"]) for t in terms] == [
        ("一", in_days(0), in_days(10)),
        ("二", in_days(10), in_days(20)),
        ("三", in_days(20), None),
    ]


def test_a_second_change_on_the_same_day_replaces_the_first(classes: Classes) -> None:
    code = classes.add(name="写错了")["code"]
    classes.change(code, name="写对了")
    assert [t["name"] for t in classes.get(code)["terms"]] == ["写对了"]


def test_saying_what_holds_anyway_changes_nothing(classes: Classes) -> None:
    code = classes.add(name="不变")["code"]
    assert classes.change(code, name="不变", valid_from=in_days(5)).json["version"] == 1


def test_dates_that_leave_a_gap_or_overlap_are_refused(classes: Classes) -> None:
    code = classes.add()["code"]
    classes.change(code, name="后来", valid_from=in_days(20))
    gap = classes.change(code, name="中间", valid_from=in_days(5), valid_to=in_days(15))
    assert "valid_to" in problem(gap, 409, "dates_gap")["errors"]
    over = classes.change(code, name="中间", valid_from=in_days(5), valid_to=in_days(25))
    assert "valid_to" in problem(over, 409, "dates_overlap")["errors"]
    backwards = classes.change(code, name="中间", valid_from=in_days(5), valid_to=in_days(5))
    problem(backwards, 409, "dates_overlap")
    fits = classes.change(code, name="中间", valid_from=in_days(5), valid_to=in_days(20))
    assert fits.status_code == 200
    assert len(fits.json["terms"]) == 3


def test_a_class_that_ended_goes_on_only_without_a_gap(classes: Classes) -> None:
    code = classes.add(name="短", valid_to=in_days(10))["code"]
    problem(classes.change(code, name="又来", valid_from=in_days(12)), 409, "dates_gap")
    again = classes.change(code, name="接着", valid_from=in_days(10))
    assert again.status_code == 200, again.text
    assert [t["valid_to"] for t in again.json["terms"]] == [in_days(10), None]


def test_yesterday_can_not_be_changed(classes: Classes) -> None:
    code = classes.add()["code"]
    problem(classes.change(code, name="改写历史", valid_from=in_days(-1)), 422, "past_date")
    old = classes.street.post(
        "/categories", {"code": classes.code(), "name": "旧", "valid_from": in_days(-1)}
    )
    problem(old, 422, "past_date")


def test_a_class_can_not_stand_below_itself(classes: Classes) -> None:
    top = classes.add()["code"]
    middle = classes.add(parent=top)["code"]
    low = classes.add(parent=middle)["code"]
    refused = problem(classes.change(top, parent=low), 409, "category_cycle")
    assert set(refused["cycle"]) == {top, middle, low}
    problem(classes.change(top, parent=top), 409, "category_cycle")
    assert classes.on()[top]["parent"] is None


def test_a_cycle_that_would_only_come_later_is_refused_too(classes: Classes) -> None:
    a, b = classes.add()["code"], classes.add()["code"]
    assert classes.change(a, parent=b, valid_from=in_days(10)).status_code == 200
    assert classes.change(b, parent=a, valid_from=in_days(5), valid_to=None).status_code in {409, 422}
    problem(classes.change(b, parent=a, valid_from=in_days(5)), 409, "category_cycle")


def test_an_unknown_parent_is_refused(classes: Classes) -> None:
    answer = classes.street.post("/categories", {"code": classes.code(), "name": "孤", "parent": "no_such"})
    assert "parent" in problem(answer, 422, "unknown_parent")["errors"]
    later = classes.add(valid_from=in_days(10))["code"]
    early = classes.street.post("/categories", {"code": classes.code(), "name": "早", "parent": later})
    problem(early, 422, "unknown_parent")


def test_a_code_is_given_once(classes: Classes) -> None:
    taken = classes.street.post("/categories", {"code": "lighting", "name": "路灯"})
    problem(taken, 409, "category_exists")


def test_what_stands_above_others_can_not_be_ended(classes: Classes) -> None:
    top = classes.add()["code"]
    below = classes.add(parent=top)["code"]
    refused = classes.change(top, active=False, valid_from=in_days(3))
    assert problem(refused, 409, "has_subclasses")["subclasses"] == [below]
    assert classes.change(below, active=False, valid_from=in_days(3)).status_code == 200
    assert classes.change(top, active=False, valid_from=in_days(3)).status_code == 200
    assert top in classes.on(in_days(2))
    assert top not in classes.on(in_days(3))


def test_ending_a_class_drops_what_was_planned_after(classes: Classes) -> None:
    code = classes.add()["code"]
    classes.change(code, name="以后", valid_from=in_days(20))
    ended = classes.change(code, active=False, valid_from=in_days(10))
    assert [(t["valid_from"], t["valid_to"]) for t in ended.json["terms"]] == [(in_days(0), in_days(10))]
    problem(classes.change(code, active=False, name="还改", valid_from=in_days(5)), 422, "invalid")


def test_a_change_needs_the_version_it_was_made_for(classes: Classes) -> None:
    code = classes.add()["code"]
    assert classes.street.patch(f"/categories/{code}", {"name": "无版本"}).status_code == 428
    assert classes.change(code, version=1, name="先到").status_code == 200
    problem(classes.change(code, version=1, name="后到"), 412, "stale_version")
    assert classes.on()[code]["name"] == "先到"
    missing = classes.street.patch("/categories/no_such", {"name": "x"}, headers={"If-Match": '"1"'})
    assert missing.status_code == 404


@pytest.mark.parametrize("role", ["community", "grid", "property"])
def test_only_the_street_edits_and_all_staff_read(role: str, town: Town, classes: Classes) -> None:
    who = town.staff(role)
    assert who.get("/categories").status_code == 200
    assert who.get("/categories/lighting").status_code == 200
    assert who.post("/categories", {"code": classes.code(), "name": "越权"}).status_code == 403
    assert who.patch("/categories/lighting", {"name": "越权"}, headers={"If-Match": '"1"'}).status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("questions", [{"key": "A b", "label": "问", "type": "text"}]),
        ("questions", [{"key": "a", "label": "问", "type": "choice", "options": ["只有一个"]}]),
        ("questions", [{"key": "a", "label": "问", "type": "choice"}]),
        ("questions", [{"key": "a", "label": "问", "type": "text", "options": ["多余", "选项"]}]),
        (
            "questions",
            [{"key": "a", "label": "一", "type": "text"}, {"key": "a", "label": "二", "type": "text"}],
        ),
        ("questions", [{"key": "a", "label": "问", "type": "number"}]),
        ("limit", {"amount": 0, "unit": "working_days"}),
        ("limit", {"amount": 3, "unit": "fortnights"}),
        ("limit", {"amount": 3}),
        ("org_kind", "circus"),
        ("name", ""),
        ("name", "长" * 41),
    ],
)
def test_a_class_that_can_not_be_shown_or_asked_is_refused(field: str, value: Any, classes: Classes) -> None:
    answer = classes.street.post("/categories", {"code": classes.code(), "name": "试"} | {field: value})
    assert answer.status_code == 422, answer.text
    assert field in answer.json["errors"]


def test_all_that_a_class_says_comes_back(classes: Classes) -> None:
    said = {
        "hint": "一句提示",
        "questions": [{"key": "floor", "label": "几楼", "type": "choice", "options": ["一楼", "二楼"]}],
        "needs_photo": True,
        "public": False,
        "urgent": True,
        "limit": {"amount": 4, "unit": "working_hours"},
        "org_kind": "department",
        "closing_text": "办结告知。",
        "sort": 7,
    }
    code = classes.add(**said)["code"]
    row = classes.on()[code]
    assert {name: row[name] for name in said} == said
    cleared = classes.change(code, limit=None, closing_text=None, questions=[])
    assert [cleared.json["terms"][0][name] for name in ("limit", "closing_text", "questions")] == [
        None,
        None,
        [],
    ]


def test_each_change_is_on_record_with_what_was_and_what_is(
    classes: Classes, owner: psycopg.Connection[Any]
) -> None:
    code = classes.add(name="旧名")["code"]
    classes.change(code, name="新名")
    classes.change(code, active=False, valid_from=in_days(1))
    rows = owner.execute(
        "SELECT action, actor_kind, details FROM audit_log WHERE object_kind = 'category'"
        " AND details ->> 'code' = %s ORDER BY id",
        [code],
    ).fetchall()
    assert [(action, kind) for action, kind, _ in rows] == [
        ("category.added", "staff"), ("category.changed", "staff"), ("category.ended", "staff"),
    ]  # fmt: skip
    assert (rows[1][2]["before"], rows[1][2]["after"]) == ({"name": "旧名"}, {"name": "新名"})


def test_two_changes_that_together_make_a_cycle_can_not_both_win(
    classes: Classes, held_up: Callable[[int], None]
) -> None:
    a, b = classes.add()["code"], classes.add()["code"]
    answers: list[Any] = []
    other = threading.Thread(target=lambda: answers.append(classes.change(b, version=1, parent=a)))
    with db.transaction():
        catalogue.change_class(a, changes={"parent_code": b}, version=1, acting_user=SYSTEM)
        other.start()
        held_up(1)
    other.join()
    problem(answers[0], 409, "category_cycle")
    assert classes.on()[a]["parent"] == b
