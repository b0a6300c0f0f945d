"""Who is in a focus group: set on a ground, read for a purpose, audited, and gone when the consent is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from app import ids
from app.ids import Kind
from app.places import queries as places
from app.places.identity import Party
from tests.conftest import Town
from tests.focus.conftest import Groups, building_of, day, wire
from tests.registry.conftest import id_number

Audited = Callable[..., list[dict[str, Any]]]


# --- the list of groups ----------------------------------------------------------------------------------


def test_the_street_keeps_a_dated_list_and_a_group_by_statute_names_its_law(
    groups: Groups, owner: psycopg.Connection[Any]
) -> None:
    street = groups.town.staff("street")
    found = {row["code"]: row for row in street.get("/focus-groups").json["items"]}
    assert (found[groups.consented]["basis"], found[groups.consented]["duty"]) == ("consent", None)
    assert found[groups.statutory]["duty"] == "社会救助暂行办法 第九条"
    for body in (
        {"code": "no_law", "name": "无依据", "basis": "statute"},
        {"code": "law_and_consent", "name": "两者", "basis": "consent", "duty": "某某条例 第一条"},
    ):
        refused = street.post("/focus-groups", body)
        assert (refused.status_code, refused.json["code"]) == (422, "duty_missing")
    again = street.post("/focus-groups", {"code": groups.consented, "name": "别的", "basis": "consent"})
    assert (again.status_code, again.json["code"]) == (409, "focus_group_taken")
    path, tag = f"/focus-groups/{groups.consented}", {"If-Match": '"1"'}
    changed = street.patch(path, {"name": "独居老人"}, headers=tag)
    assert (changed.status_code, changed.json["name"], changed.json["version"]) == (200, "独居老人", 2)
    assert street.patch(path, {"name": "再改"}, headers=tag).status_code == 412
    assert street.patch(path, {"basis": "statute"}, headers={"If-Match": '"2"'}).status_code == 422
    assert groups.desk.patch(path, {"name": "社区改"}, headers={"If-Match": '"2"'}).status_code == 403


def test_a_renamed_group_keeps_how_it_was_called_before(
    groups: Groups, later: Callable[..., datetime], owner: psycopg.Connection[Any]
) -> None:
    later(days=1)
    groups.town.a.staff.clear()
    path = f"/focus-groups/{groups.consented}"
    assert (
        groups.town.staff("street").patch(path, {"name": "新名称"}, headers={"If-Match": "*"}).status_code
        == 200
    )
    rows = owner.execute(
        "SELECT name, valid_to IS NULL FROM focus_kind_terms WHERE code = %s ORDER BY valid_from",
        (groups.consented,),
    ).fetchall()
    assert rows == [(groups.name, False), ("新名称", True)]


def test_a_group_that_ended_lists_nobody(groups: Groups) -> None:
    person = groups.tag(groups.door())["person_id"]
    assert groups.listed() == [person]
    ended = groups.town.staff("street").patch(
        f"/focus-groups/{groups.consented}", {"valid_to": day()}, headers={"If-Match": "*"}
    )
    assert ended.status_code == 200, ended.text
    assert groups.listed() == []
    assert groups.desk.get(f"/focus-persons/{person}?purpose=visit").status_code == 404
    refused = groups.desk.post("/focus-persons", groups.body(groups.door()))
    assert (refused.status_code, refused.json["code"]) == (422, "unknown_focus_group")


# --- setting ---------------------------------------------------------------------------------------------


def test_nobody_is_listed_by_consent_without_its_paper(groups: Groups) -> None:
    house = groups.door()
    body = groups.body(house)
    tomorrow = body["consent"] | {"given_on": day(1)}
    for wrong, code in (
        ({"consent": None}, "consent_missing"),
        ({"consent": tomorrow}, "bad_focus_day"),
        ({"since": day(1)}, "bad_focus_day"),
        ({"until": day(-1)}, "bad_focus_day"),
        ({"review_on": day(-1)}, "bad_focus_day"),
    ):
        sent = {name: value for name, value in (body | wrong).items() if value is not None}
        refused = groups.desk.post("/focus-persons", sent)
        assert (refused.status_code, refused.json["code"]) == (422, code)
    asked_in_vain = groups.desk.post(
        "/focus-persons", body | {"kind": groups.statutory, "consent": body["consent"]}
    )
    assert (asked_in_vain.status_code, asked_in_vain.json["code"]) == (422, "consent_not_needed")
    assert groups.listed() == []


def test_the_table_itself_refuses_a_consent_without_its_paper(
    groups: Groups, owner: psycopg.Connection[Any]
) -> None:
    ref = ids.decode_ref(Kind.FOCUS_PERSON, groups.tag(groups.door())["person_id"])
    with pytest.raises(psycopg.errors.CheckViolation):
        owner.execute(
            "UPDATE focus_tags SET paper = NULL WHERE community_id = %s AND person_id = %s", tuple(ref)
        )


def test_one_person_is_one_row_in_several_groups(groups: Groups, audited: Audited) -> None:
    house = groups.door()
    first = groups.tag(house)
    assert (first["name_masked"], first["phone_masked"]) == ("李**", "139****1111")
    both = groups.tag(house, kind=groups.statutory, paper="低保证0071")
    assert both["person_id"] == first["person_id"]
    assert [t["kind"] for t in both["tags"]] == sorted([groups.consented, groups.statutory])
    again = groups.desk.post("/focus-persons", groups.body(house))
    assert (again.status_code, again.json["code"]) == (409, "tagged_already")
    other = groups.tag(house, name="王爷爷", phone="13900002222")
    assert other["person_id"] != first["person_id"]
    set_rows = audited(groups.town.a.id, "focus.tagged", first["person_id"])
    assert [row["kind"] for row in set_rows] == [groups.consented, groups.statutory]


def test_an_owner_is_taken_from_the_registry_and_not_written_twice(
    groups: Groups, owner: psycopg.Connection[Any]
) -> None:
    house = groups.door(Party("张三丰", "13812345678", id_number=id_number(3)))
    (shown,) = groups.desk.get(f"/houses/{wire(house)}").json["owners"]
    made = groups.tag(house, owner_id=shown["owner_id"])
    assert (made["is_owner"], made["name_masked"]) == (True, "张**")
    # The same person as the clerk would write her: found by name and phone, and by ID number.
    for more in ({"phone": "138 1234 5678"}, {"phone": None, "id_number": id_number(3)}):
        same = groups.desk.post("/focus-persons", groups.body(house, name="张三丰", **more))
        assert (same.status_code, same.json["code"]) == (409, "tagged_already")
    ref = ids.decode_ref(Kind.FOCUS_PERSON, made["person_id"])
    row = owner.execute(
        "SELECT name_sealed, phone_hash, id_sealed FROM focus_persons WHERE community_id = %s AND id = %s",
        tuple(ref),
    ).fetchone()
    assert row == (None, None, None)
    stranger = groups.door(Party("李四"))
    refused = groups.desk.post("/focus-persons", groups.body(stranger, owner_id=shown["owner_id"]))
    assert (refused.status_code, refused.json["code"]) == (422, "owner_not_here")


def test_names_and_numbers_of_dwellers_are_unreadable_in_the_table(
    groups: Groups, owner: psycopg.Connection[Any]
) -> None:
    made = groups.tag(groups.door(), name="赵老太", phone="13900003333", id_number=id_number(4))
    row = owner.execute(
        "SELECT p::text FROM focus_persons p WHERE community_id = %s AND id = %s",
        tuple(ids.decode_ref(Kind.FOCUS_PERSON, made["person_id"])),
    ).fetchone()
    assert row is not None
    for secret in ("赵老太", "13900003333", id_number(4)):
        assert secret not in row[0]
        assert secret.encode().hex() not in row[0]


def test_a_dweller_is_corrected_here_and_an_owner_in_the_registry(groups: Groups) -> None:
    made = groups.tag(groups.door())
    path, tag = f"/focus-persons/{made['person_id']}", {"If-Match": f'"{made["version"]}"'}
    fixed = groups.desk.patch(path, {"name": "李秀英", "phone": "13900004444"}, headers=tag)
    assert fixed.status_code == 200, fixed.text
    seen = groups.desk.get(f"{path}?purpose=review").json
    assert (seen["name"], seen["phone"]) == ("李秀英", "13900004444")
    assert groups.desk.patch(path, {"name": "李某"}, headers={"If-Match": "*"}).json["code"] == "bad_value"
    assert groups.desk.patch(path, {"name": "李英"}, headers=tag).status_code == 412
    house = groups.door(Party("张三丰", "13812345678"))
    mine = groups.tag(house, name="张三丰", phone="13812345678")
    assert mine["is_owner"]
    refused = groups.desk.patch(
        f"/focus-persons/{mine['person_id']}", {"phone": None}, headers={"If-Match": "*"}
    )
    assert (refused.status_code, refused.json["code"]) == (409, "not_a_dweller")


# --- reading ---------------------------------------------------------------------------------------------


def test_who_reads_says_why_and_leaves_a_row_for_each_person_seen(groups: Groups, audited: Audited) -> None:
    town = groups.town
    person = groups.tag(groups.door())["person_id"]
    for query in ({}, {"purpose": "好奇"}):
        assert groups.desk.get("/focus-persons", query_string=query).status_code == 422
        assert groups.desk.get(f"/focus-persons/{person}", query_string=query).status_code == 422
    assert audited(town.a.id, "focus.seen", person) == []
    assert groups.listed(kind=groups.consented) == [person]
    detail = groups.desk.get(f"/focus-persons/{person}?purpose=emergency")
    assert (detail.json["name"], detail.json["phone"]) == ("李奶奶", "13900001111")
    assert detail.headers["Cache-Control"] == "no-store"
    assert [(row["purpose"], row["kinds"]) for row in audited(town.a.id, "focus.seen", person)] == [
        ("visit", [groups.consented]),
        ("emergency", [groups.consented]),
    ]
    # Who finds nobody has learnt something as well.
    assert groups.listed(kind=groups.statutory) == []
    asked = audited(town.a.id, "focus.listed")
    assert [(row["kind"], row["shown"]) for row in asked] == [(groups.consented, 1), (groups.statutory, 0)]


def test_audit_rows_hold_ids_and_no_names(groups: Groups, owner: psycopg.Connection[Any]) -> None:
    person = groups.tag(groups.door(), name="欧阳修竹", phone="13900005555")["person_id"]
    groups.listed()
    groups.desk.get(f"/focus-persons/{person}?purpose=care")
    groups.desk.post(f"/focus-persons/{person}/end", {"reason": "no_longer"})
    rows = owner.execute(
        "SELECT a::text FROM audit_log a WHERE community_id = %s AND action LIKE 'focus.%%'",
        (groups.town.a.id,),
    ).fetchall()
    assert len(rows) == 5
    for secret in ("欧阳", "13900005555", "同意书", groups.name):
        assert not any(secret in text for (text,) in rows)


def test_the_community_sees_its_own_the_grid_its_grid_and_nobody_else_anything(groups: Groups) -> None:
    town = groups.town
    inside = groups.tag(groups.door())["person_id"]
    outside = groups.tag(groups.door(estate=town.a.second_estate))["person_id"]
    assert set(groups.listed()) == {inside, outside}
    grid = town.staff("grid")
    assert groups.listed(grid) == [inside]
    assert grid.get(f"/focus-persons/{inside}?purpose=visit").status_code == 200
    assert grid.get(f"/focus-persons/{outside}?purpose=visit").status_code == 404
    assert grid.post("/focus-persons", groups.body(groups.door())).status_code == 403
    assert groups.listed(town.staff("community", town.b)) == []
    for path in (f"/focus-persons/{inside}?purpose=visit", f"/focus-persons/{inside}/end"):
        stranger = town.staff("community", town.b)
        answer = stranger.post(path, {"reason": "mistaken"}) if "/end" in path else stranger.get(path)
        assert answer.status_code == 404
    for role in ("property", "street"):
        for path in ("/focus-persons?purpose=visit", f"/focus-persons/{inside}?purpose=visit"):
            assert town.staff(role).get(path).status_code == 403
    keeper = town.staff("property")
    assert keeper.get("/focus-groups").status_code == 403
    assert keeper.get(f"/focus-counts?kind={groups.consented}").status_code == 403
    other_house = groups.body(groups.door(estate=town.b.estate))
    assert groups.desk.post("/focus-persons", other_house).status_code == 404


def test_a_list_narrows_to_an_estate_a_building_or_a_grid(groups: Groups) -> None:
    town = groups.town
    first, second = groups.door(), groups.door(building="2栋")
    one, two = (groups.tag(house)["person_id"] for house in (first, second))
    far = groups.tag(groups.door(estate=town.a.second_estate))["person_id"]
    building = building_of(first)
    assert set(groups.listed(area=town.a.estate_id)) == {one, two}
    assert groups.listed(area=building) == [one]
    assert set(groups.listed(area=ids.encode(Kind.GRID, town.a.grid))) == {one, two}
    assert groups.listed(area=ids.encode(Kind.ESTATE, town.a.second_estate)) == [far]
    grid = town.staff("grid")
    assert groups.listed(grid, area=building) == [one]
    query = {"purpose": "visit", "area": ids.encode(Kind.ESTATE, town.a.second_estate)}
    assert grid.get("/focus-persons", query_string=query).status_code == 404
    query["area"] = town.b.estate_id
    assert groups.desk.get("/focus-persons", query_string=query).status_code == 404


def test_a_grid_of_one_building_sees_that_building_only(groups: Groups) -> None:
    town = groups.town
    mine, others = groups.door(building="7栋"), groups.door(building="8栋")
    seen, hidden = (groups.tag(house)["person_id"] for house in (mine, others))
    cover = {
        "estate_id": town.a.estate_id,
        "building_id": building_of(mine),
    }
    changed = groups.desk.patch(
        f"/grids/{ids.encode(Kind.GRID, town.a.grid)}", {"covers": [cover]}, headers={"If-Match": "*"}
    )
    assert changed.status_code == 200, changed.text
    grid = town.staff("grid")
    assert groups.listed(grid) == groups.listed(grid, area=town.a.estate_id) == [seen]
    assert grid.get(f"/focus-persons/{hidden}?purpose=visit").status_code == 404


def test_pages_show_everybody_once_and_only_who_is_shown_is_audited(groups: Groups, audited: Audited) -> None:
    everybody = {groups.tag(groups.door(), name=f"老人{c}")["person_id"] for c in "甲乙丙"}
    query: dict[str, Any] = {"purpose": "visit", "limit": 2}
    first = groups.desk.get("/focus-persons", query_string=query).json
    shown = {row["person_id"] for row in first["items"]}
    (waiting,) = everybody - shown
    assert audited(groups.town.a.id, "focus.seen", waiting) == []
    rest = groups.desk.get("/focus-persons", query_string=query | {"cursor": first["next_cursor"]}).json
    assert shown | {row["person_id"] for row in rest["items"]} == everybody
    assert rest["next_cursor"] is None


# --- ending ----------------------------------------------------------------------------------------------


def test_a_withdrawn_consent_erases_what_rested_on_it_at_once(
    groups: Groups, owner: psycopg.Connection[Any], audited: Audited
) -> None:
    house = groups.door()
    person = groups.tag(house)["person_id"]
    groups.tag(house, kind=groups.statutory)
    ref = ids.decode_ref(Kind.FOCUS_PERSON, person)

    def kept(table: str, column: str) -> int:
        found = owner.execute(
            f"SELECT count(*) FROM {table} WHERE community_id = %s AND {column} = %s", tuple(ref)
        ).fetchone()
        assert found is not None
        return int(found[0])

    done = groups.desk.post(f"/focus-persons/{person}/end", {"reason": "consent_withdrawn"})
    # What a law makes a duty doesn't end with a consent.
    assert done.json == {"kinds_left": [groups.statutory], "is_erased": False}
    assert (kept("focus_tags", "person_id"), kept("focus_persons", "id")) == (1, 1)
    again = groups.desk.post(f"/focus-persons/{person}/end", {"reason": "consent_withdrawn"})
    assert (again.status_code, again.json["code"]) == (409, "not_listed")
    gone = groups.desk.post(f"/focus-persons/{person}/end", {"reason": "mistaken"})
    assert gone.json == {"kinds_left": [], "is_erased": True}
    assert (kept("focus_tags", "person_id"), kept("focus_persons", "id")) == (0, 0)
    assert [row["reason"] for row in audited(groups.town.a.id, "focus.ended", person)] == [
        "consent_withdrawn",
        "mistaken",
    ]
    assert groups.tag(house)["person_id"] != person


def test_who_is_no_longer_in_a_group_is_not_shown_but_may_see_it_herself(groups: Groups) -> None:
    person = groups.tag(groups.door())["person_id"]
    path = f"/focus-persons/{person}"
    done = groups.desk.post(f"{path}/end", {"kind": groups.consented, "reason": "no_longer"})
    assert done.json == {"kinds_left": [], "is_erased": False}
    assert groups.listed() == []
    assert groups.desk.get(f"{path}?purpose=visit").status_code == 404
    own = groups.desk.get(f"{path}?purpose=own_request").json
    assert [(t["kind"], t["end_reason"]) for t in own["past"]] == [(groups.consented, "no_longer")]


def test_a_group_ends_on_its_last_day_and_may_begin_anew(
    groups: Groups, later: Callable[..., datetime]
) -> None:
    house = groups.door()
    person = groups.tag(house, until=day(3))["person_id"]
    assert groups.listed() == [person]
    later(days=4)
    groups.town.a.staff.clear()
    assert groups.listed() == []
    assert groups.tag(house)["person_id"] == person
    assert groups.listed() == [person]


def test_what_is_to_be_looked_at_again_is_marked(groups: Groups, later: Callable[..., datetime]) -> None:
    house = groups.door(Party("张三丰", "13812345678"))
    made = groups.tag(house, name="张三丰", phone="13812345678")
    assert made["to_check"] == []
    assert made["tags"][0]["review_on"] == (places.today() + timedelta(days=360)).isoformat()
    path, any_version = f"/focus-persons/{made['person_id']}", {"If-Match": "*"}
    sooner = groups.desk.patch(path, {"kind": groups.consented, "review_on": day(1)}, headers=any_version)
    assert sooner.status_code == 200, sooner.text
    assert groups.desk.patch(path, {"review_on": day(1)}, headers=any_version).status_code == 422
    not_hers = {"kind": groups.statutory, "review_on": day(1)}
    assert groups.desk.patch(path, not_hers, headers=any_version).json["code"] == "not_listed"
    sold = groups.desk.post(f"/houses/{wire(house)}/transfer", {"owners": [{"name": "李四"}]})
    assert sold.status_code == 200, sold.text
    later(days=2)
    groups.town.a.staff.clear()
    seen = groups.desk.get(f"{path}?purpose=review").json
    assert (seen["to_check"], seen["name"]) == (["review_due", "owner_changed"], "张三丰")


def test_a_person_found_to_be_another_owner_stays_the_same_person(groups: Groups, town: Town) -> None:
    house = groups.door(Party("张三丰"))
    groups.door(Party("张三丰", "13812345678"))
    made = groups.tag(house, owner_id=groups.desk.get(f"/houses/{wire(house)}").json["owners"][0]["owner_id"])
    one, other = (o["owner_id"] for o in groups.desk.get("/owners?uncertain=true").json["items"])
    mine = groups.desk.get(f"/houses/{wire(house)}").json["owners"][0]["owner_id"]
    into = other if mine == one else one
    assert groups.desk.post(f"/owners/{mine}/merge", {"into": into}).status_code == 200
    seen = groups.desk.get(f"/focus-persons/{made['person_id']}?purpose=visit").json
    assert (seen["name"], seen["phone"], seen["to_check"]) == ("张三丰", "13812345678", [])
    again = groups.desk.post("/focus-persons", groups.body(house, owner_id=into))
    assert (again.status_code, again.json["code"]) == (409, "tagged_already")
