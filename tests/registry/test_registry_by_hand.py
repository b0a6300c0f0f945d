"""The registry by hand: what each role sees, transfers with their history, who is whom, encryption at rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.places import heads, queries, registry
from app.places.identity import Party
from app.places.registry_models import House
from tests.conftest import Caller, Person, Town
from tests.registry.conftest import Clerk, id_number

PHONE, NUMBER = "13812345678", id_number(7)


def wire(house: House) -> str:
    return ids.encode(Kind.HOUSE, Ref(house.community_id, house.id))


@pytest.fixture
def flat(add_house: Callable[..., House]) -> House:
    return add_house("101", 9000, Party("张三丰", PHONE, id_number=NUMBER), unit="1单元")


def test_everything_personal_is_masked_until_somebody_says_why(
    clerk: Clerk, flat: House, owner: psycopg.Connection[Any]
) -> None:
    (shown,) = clerk.house("101")["owners"]
    assert (shown["name_masked"], shown["phone_masked"]) == ("张**", "138****5678")
    assert shown["id_number_masked"] == NUMBER[:3] + "*" * 13 + NUMBER[-2:]
    body = {"object": shown["owner_id"], "fields": ["name", "phone", "id_number"]}
    assert clerk.caller.post("/unmask", body).status_code == 422
    answer = clerk.caller.post("/unmask", body | {"purpose": "核对产权证"})
    assert answer.json == {"name": "张三丰", "phone": PHONE, "id_number": NUMBER, "unmasked_today": 1}
    ref = ids.decode_ref(Kind.OWNER, shown["owner_id"])
    audited = owner.execute(
        "SELECT details FROM audit_log WHERE community_id = %s AND object_id = %s AND action = 'owner.unmasked'",
        ref,
    ).fetchall()
    assert [row[0]["purpose"] for row in audited] == ["核对产权证"]


def test_a_property_company_sees_its_own_estates_without_id_numbers(town: Town, flat: House) -> None:
    keeper = town.staff("property")
    (seen,) = keeper.get(f"/estates/{town.a.estate_id}/houses").json["items"]
    (shown,) = seen["owners"]
    assert (shown["name_masked"], shown["id_number_masked"]) == ("张**", None)
    body = {"object": shown["owner_id"], "fields": ["phone"], "purpose": "催缴物业费"}
    assert keeper.post("/unmask", body).status_code == 404
    assert keeper.post(f"/houses/{wire(flat)}/transfer", {"owners": []}).status_code == 403
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    assert keeper.get(f"/estates/{second}/houses").status_code == 404
    assert town.staff("grid").get(f"/estates/{town.a.estate_id}/houses").status_code == 403
    stranger = town.staff("community", town.b)
    for path in (f"/houses/{wire(flat)}", f"/owners/{shown['owner_id']}"):
        assert stranger.get(path).status_code == 404


def test_names_are_found_whole_or_by_surname_with_the_room(
    clerk: Clerk, flat: House, add_house: Callable[..., House]
) -> None:
    add_house("102", 9000, Party("李四", "13900000000"))

    def found(**query: str) -> list[str]:
        return [house["number"] for house in clerk.houses(**query)]

    assert found(name="张三丰") == found(phone="138 1234 5678") == found(surname="张", room="101") == ["101"]
    assert found(surname="李", room="101") == found(name="张三") == []
    assert found(building="一号楼", room="0102") == ["102"]
    # Neither does a surname that is a part of the name, and all rooms of a number are looked at.
    assert found(surname="张三", room="101") == []
    for building in ("2栋", "3栋", "4栋"):
        add_house("101", 9000, Party("王五"), building=building)
    add_house("101", 9000, Party("欧阳锋"), building="5栋")
    assert found(surname="欧阳", room="101", limit="1") == ["101"]
    path = f"/estates/{clerk.estate_id}/houses"
    wide = clerk.caller.get(path, query_string={"surname": "张"})
    assert (wide.status_code, wide.json["code"]) == (422, "search_too_wide")


def test_the_search_says_what_it_finds_people_by(clerk: Clerk, flat: House) -> None:
    for path in (f"/estates/{clerk.estate_id}/houses", "/owners"):
        for query in ({"name": "张三丰"}, {"name": "三丰"}, {}):
            answer = clerk.caller.get(path, query_string=query).json
            if query == {"name": "三丰"}:
                assert answer["items"] == []
            assert "完整姓名" in answer["hint"]
            assert "不能按名字的一部分查找" in answer["hint"]
    parameters = clerk.caller.client.get("/openapi/admin.json").json["paths"]["/admin/api/v1/owners"]["get"]
    said = {p["name"]: p.get("description", "") for p in parameters["parameters"]}
    assert "完整姓名" in said["name"]


def test_pages_go_through_all_houses_once(clerk: Clerk, add_house: Callable[..., House]) -> None:
    for number in range(101, 108):
        add_house(str(number), 9000)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = clerk.caller.get(
            f"/estates/{clerk.estate_id}/houses", query_string={"limit": 3, "cursor": cursor}
        )
        seen += [house["number"] for house in answer.json["items"]]
        cursor = answer.json["next_cursor"]
    assert seen == [str(number) for number in range(101, 108)]


def test_a_transfer_keeps_who_owned_before(clerk: Clerk, flat: House) -> None:
    today = queries.today()
    body = {
        "owners": [{"name": "王五", "phone": "13900000001"}, {"name": "赵六"}],
        "since": today.isoformat(),
    }
    done = clerk.caller.post(f"/houses/{wire(flat)}/transfer", body)
    assert done.status_code == 200, done.text
    assert [o["name_masked"] for o in done.json["owners"]] == ["王*", "赵*"]
    wrong = body | {"owners": [{"name": "钱七"}], "correction": True}
    assert clerk.caller.post(f"/houses/{wire(flat)}/transfer", wrong).status_code == 200
    house = clerk.house("101")
    assert [o["name_masked"] for o in house["owners"]] == ["钱*"]
    assert house["owners"][0]["is_voter"]
    for since, code in ((today + timedelta(days=1), "bad_day"), (today - timedelta(days=9), "bad_day")):
        refused = clerk.caller.post(f"/houses/{wire(flat)}/transfer", body | {"since": since.isoformat()})
        assert (refused.status_code, refused.json["code"]) == (422, code)
    nobody = clerk.caller.post(f"/houses/{wire(flat)}/transfer", {"owners": []})
    assert nobody.json["code"] == "owners_missing"
    bad = clerk.caller.post(
        f"/houses/{wire(flat)}/transfer", {"owners": [{"name": "孙八", "id_number": NUMBER[:-1] + "0"}]}
    )
    assert bad.status_code in {422, 409}


def test_history_shows_each_owner_with_her_days(clerk: Clerk, add_house: Callable[..., House]) -> None:
    today = queries.today()
    house = add_house("101", 9000, Party("张三"), since=today - timedelta(days=30))
    body = {"owners": [{"name": "李四"}], "since": (today - timedelta(days=3)).isoformat()}
    done = clerk.caller.post(f"/houses/{wire(house)}/transfer", body).get_json()
    assert [(p["owners"][0]["name_masked"], p["until"]) for p in done["history"]] == [
        ("李*", None),
        ("张*", (today - timedelta(days=3)).isoformat()),
    ]


def test_which_area_counts_is_recorded_and_a_stale_change_is_refused(clerk: Clerk, flat: House) -> None:
    seen = clerk.house("101")
    tag = {"If-Match": f'"{seen["version"]}"'}
    path = f"/houses/{wire(flat)}"
    assert clerk.caller.patch(path, {"surveyed_area_centi": 8800}).status_code == 428
    changed = clerk.caller.patch(
        path, {"registered_area_centi": None, "surveyed_area_centi": 8800}, headers=tag
    )
    assert (changed.json["area_centi"], changed.json["area_basis"]) == (8800, "surveyed")
    assert changed.json["origins"]["surveyed_centi"]["source"] == "staff"
    assert clerk.caller.patch(path, {"surveyed_area_centi": 1}, headers=tag).status_code == 412


def test_owners_of_one_name_are_merged_and_split_again(
    town: Town, clerk: Clerk, add_house: Callable[..., House]
) -> None:
    for number in ("101", "102", "103"):
        add_house(number, 9000, Party("张三"))

    def count() -> int:
        with db.reading():
            return len(heads.heads_of(town.a.estate, as_of=queries.today()))

    assert count() == 3
    group = clerk.caller.get("/owners?uncertain=true").json["items"]
    assert [len(o["maybe_same_as"]) for o in group] == [2, 2, 2]
    first, second, third = (o["owner_id"] for o in group)
    for merged in (second, third):
        answer = clerk.caller.post(f"/owners/{merged}/merge", {"into": first})
        assert answer.status_code == 200, answer.text
    assert len(answer.json["houses"]) == 3
    assert count() == 1
    again = clerk.caller.post(f"/owners/{second}/merge", {"into": first})
    assert (again.status_code, again.json["code"]) == (409, "same_already")
    assert clerk.caller.post(f"/owners/{second}/split", {}).status_code == 200
    assert count() == 2
    nothing = clerk.caller.post(f"/owners/{second}/split", {})
    assert (nothing.status_code, nothing.json["code"]) == (409, "nothing_to_split")
    assert clerk.caller.get("/owners?uncertain=true").json["items"] == []


def test_houses_taken_for_one_owners_are_parted(
    town: Town, clerk: Clerk, add_house: Callable[..., House]
) -> None:
    add_house("101", 9000, Party("张三", PHONE))
    second = add_house("102", 9000, Party("张三", PHONE))
    (shown,) = clerk.house("101")["owners"]
    parted = clerk.caller.post(f"/owners/{shown['owner_id']}/split", {"house_ids": [wire(second)]})
    assert parted.status_code == 200, parted.text
    assert [h["number"] for h in parted.json["houses"]] == ["102"]
    assert parted.json["phone_masked"] is None
    with db.reading():
        assert len(heads.heads_of(town.a.estate, as_of=queries.today())) == 2


def test_two_id_numbers_are_two_persons(clerk: Clerk, add_house: Callable[..., House]) -> None:
    add_house("101", 9000, Party("张三", id_number=id_number(1)))
    add_house("102", 9000, Party("张三", id_number=id_number(2)))
    first, second = (clerk.house(n)["owners"][0]["owner_id"] for n in ("101", "102"))
    refused = clerk.caller.post(f"/owners/{first}/merge", {"into": second})
    assert (refused.status_code, refused.json["code"]) == (409, "other_person")


def test_two_id_numbers_never_meet_behind_a_row_that_has_none(
    clerk: Clerk, add_house: Callable[..., House]
) -> None:
    add_house("101", 9000, Party("周九"))
    add_house("102", 9000, Party("周九", id_number=id_number(1)))
    add_house("103", 9000, Party("周九", id_number=id_number(2)))
    add_house("104", 9000, Party("周九"))
    none, first, second, other = (
        clerk.house(n)["owners"][0]["owner_id"] for n in ("101", "102", "103", "104")
    )
    assert clerk.caller.post(f"/owners/{first}/merge", {"into": none}).status_code == 200
    for one, into in ((second, none), (second, first), (none, second)):
        refused = clerk.caller.post(f"/owners/{one}/merge", {"into": into})
        assert (refused.status_code, refused.json["code"]) == (409, "other_person")
    assert clerk.caller.post(f"/owners/{other}/merge", {"into": none}).status_code == 200
    tag = {"If-Match": f'"{clerk.caller.get(f"/owners/{other}").json["version"]}"'}
    written = clerk.caller.patch(f"/owners/{other}", {"id_number": id_number(3)}, headers=tag)
    assert (written.status_code, written.json["code"]) == (409, "other_person")


def test_an_id_number_learnt_later_is_not_given_to_whom_another_one_was_merged_into(
    clerk: Clerk, add_house: Callable[..., House]
) -> None:
    add_house("101", 9000, Party("周九", PHONE))
    add_house("102", 9000, Party("周九", id_number=id_number(1)))
    none, first = (clerk.house(n)["owners"][0]["owner_id"] for n in ("101", "102"))
    assert clerk.caller.post(f"/owners/{first}/merge", {"into": none}).status_code == 200
    add_house("103", 9000, Party("周九", PHONE, id_number=id_number(2)))
    assert clerk.house("103")["owners"][0]["owner_id"] not in {none, first}


@pytest.fixture
def voter_of(town: Town) -> Callable[[House], tuple[set[str], str | None]]:
    """The head of a house: its owners and who votes."""

    def found(house: House) -> tuple[set[str], str | None]:
        with db.reading():
            (head,) = (
                h for h in heads.heads_of(town.a.estate, as_of=queries.today()) if house.id in h.houses
            )
        owners, voter = (
            [ids.encode(Kind.OWNER, Ref(house.community_id, one)) for one in some if one is not None]
            for some in (head.owners, [head.voter])
        )
        return set(owners), voter[0] if voter else None

    return found


def test_who_was_parted_from_an_owner_does_not_vote_for_the_house(
    clerk: Clerk, add_house: Callable[..., House], voter_of: Callable[[House], tuple[set[str], str | None]]
) -> None:
    house = add_house("101", 9000, Party("张三"), Party("李四"))
    add_house("102", 9000, Party("张三"))
    zhang, li = (o["owner_id"] for o in clerk.house("101")["owners"])
    (other,) = (o["owner_id"] for o in clerk.house("102")["owners"])
    assert clerk.caller.post(f"/owners/{zhang}/merge", {"into": other}).status_code == 200
    with db.transaction():
        registry.register_voter(
            [Ref(house.community_id, house.estate_id)],
            Ref(house.community_id, house.id),
            owner_id=ids.decode_ref(Kind.OWNER, other).id,
            acting_user=SYSTEM,
        )
    assert voter_of(house) == ({other, li}, other)
    assert clerk.caller.post(f"/owners/{zhang}/split", {}).status_code == 200
    assert voter_of(house) == ({zhang, li}, None)


def test_two_co_owners_who_are_one_person_have_a_voter(
    clerk: Clerk, add_house: Callable[..., House], voter_of: Callable[[House], tuple[set[str], str | None]]
) -> None:
    house = add_house("101", 9000, Party("张三", PHONE), Party("张三"))
    one, same = (o["owner_id"] for o in clerk.house("101")["owners"])
    assert clerk.caller.post(f"/owners/{same}/merge", {"into": one}).status_code == 200
    assert voter_of(house) == ({one}, one)


def test_names_phones_and_numbers_are_unreadable_in_the_table(
    flat: House, owner: psycopg.Connection[Any]
) -> None:
    row = owner.execute(
        "SELECT o::text FROM owners o JOIN holding_owners h ON h.owner_id = o.id"
        " JOIN holdings g ON g.id = h.holding_id WHERE g.house_id = %s",
        (flat.id,),
    ).fetchone()
    assert row is not None
    raw = row[0]
    for secret in ("张三丰", PHONE, NUMBER):
        assert secret not in raw
        assert secret.encode().hex() not in raw


def test_a_resident_chooses_a_house_and_learns_nothing_of_who_lives_there(
    town: Town, flat: House, add_house: Callable[..., House], resident: Callable[..., Person]
) -> None:
    add_house("201", 9000, Party("李四"), building="2栋")
    wang: Caller = resident()
    path = f"/estates/{town.a.estate_id}/houses"
    seen = wang.get(path).json
    assert seen["buildings"] == ["1栋", "2栋"]
    assert [row["number"] for row in wang.get(path, query_string={"building": "2号楼"}).json["items"]] == [
        "201"
    ]
    assert set(seen["items"][0]) == {"house_id", "building", "unit", "number", "kind"}
    assert wang.get(path, query_string={"building": "9栋"}).json["items"] == []


def test_marks_cannot_be_rewritten(flat: House, owner: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("UPDATE registry_marks SET rank = 99")
