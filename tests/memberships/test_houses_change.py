"""Sales, voters, the door, and the registration drive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock, db, ids
from app.ids import Kind
from app.places import households, voters
from app.places.identity import Party
from tests.conftest import Person, small_jpeg
from tests.memberships.conftest import Estate, id_number, paper, phone, told
from tests.registry.conftest import HEADINGS, Clerk, workbook


def choose(who: Person, flat: str, voter: Person) -> Any:
    return who.call("PUT", f"/houses/{flat}/voter", json={"resident": voter.session["resident"]["id"]})


def is_voter(estate: Estate, flat: str) -> list[bool]:
    return [o["is_voter"] for o in estate.desk.get(f"/houses/{flat}").json["owners"]]


# --- sales -----------------------------------------------------------------------------------------------


def test_a_sale_ends_the_seller_and_has_his_family_looked_at_again(estate: Estate) -> None:
    number, buyer = phone(), phone()
    flat = estate.flat("101", Party("张三", number))
    zhang, wife, tenant = estate.person(number), estate.person(), estate.person()
    seller = estate.bound(zhang, flat, "张三")
    family = estate.waiting(wife, flat, "王芳", relation="family")
    lease = estate.waiting(tenant, flat, "赵六", relation="tenant")
    for one in (family, lease):
        assert zhang.post(f"/memberships/{one}/confirm").status_code == 200
    estate.sell(flat, {"name": "钱七", "phone": buyer})
    gone = estate.see(seller)
    assert (gone["status"], gone["end_reason"]) == ("ended", "transferred")
    asked = estate.see(family)
    assert (asked["status"], asked["review"]) == ("pending", "owners_changed")
    assert estate.see(lease)["status"] == "verified"
    assert told(zhang)[0] == "membership_ended"
    assert told(wife)[0] == "membership_review"
    assert estate.bind(zhang, flat, "张三").status_code == 202
    qian = estate.person(buyer)
    estate.bound(qian, flat, "钱七")
    assert qian.post(f"/memberships/{family}/confirm").status_code == 200


def test_who_stays_an_owner_stays_a_member(estate: Estate) -> None:
    number, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", number))
    zhang = estate.person(number)
    made = estate.bound(zhang, flat, "张三")
    estate.sell(flat, {"name": "张三", "phone": number}, {"name": "李四", "phone": hers})
    assert estate.see(made)["status"] == "verified"
    assert is_voter(estate, flat) == [False, False]


def test_an_import_that_sells_the_house_does_the_same(estate: Estate, work: Callable[..., int]) -> None:
    number = phone()
    clerk = Clerk(estate.desk, work, estate.town.a.estate_id)
    clerk.load(workbook([HEADINGS, ["1栋", "1单元", "101", "住宅", 90.0, "张三", number, None]]))
    flat = clerk.house("101")["house_id"]
    zhang = estate.person(number)
    made = estate.bound(zhang, flat, "张三")
    done = clerk.load(
        workbook([HEADINGS, ["1栋", "1单元", "101", "住宅", 90.0, "钱七", phone(), id_number(9)]]),
        source="registration",
    )
    assert done["state"] == "applied", done
    assert clerk.house("101")["owners"][0]["name_masked"] == "钱*"
    assert estate.see(made)["end_reason"] == "transferred"


def test_two_people_found_in_one_row_are_told_apart_by_staff(estate: Estate) -> None:
    number = phone()
    one, two = (estate.flat(n, Party("张三", number)) for n in ("101", "102"))
    zhang = estate.person(number)
    first, second = estate.bound(zhang, one, "张三"), estate.bound(zhang, two, "张三")
    whose = estate.owner_id(two)
    done = estate.desk.post(f"/owners/{whose}/split", {"house_ids": [two]})
    assert done.status_code == 200, done.text
    assert estate.see(first)["voter_level"] == "strong"
    seen = estate.see(second)
    assert (seen["review"], seen["voter_level"]) == ("owner_parted", "suspended")


# --- who votes -------------------------------------------------------------------------------------------


def test_a_voter_holds_once_all_verified_co_owners_named_the_same_one(estate: Estate) -> None:
    his, hers, theirs = phone(), phone(), phone()
    owners = (Party("张三", his), Party("李四", hers), Party("王五", theirs))
    flat, garage = estate.flat("101", *owners), estate.flat("102", *owners)
    zhang, li = estate.person(his), estate.person(hers)
    estate.bound(zhang, flat, "张三")
    estate.bound(li, flat, "李四")
    first = choose(zhang, flat, li)
    assert first.status_code == 200, first.text
    assert (first.json["voter_name_masked"], first.json["agreed"]) == (None, False)
    assert told(li)[0] == "voter_chosen"
    second = choose(li, flat, li)
    assert (second.json["voter_name_masked"], second.json["agreed"]) == ("李*", True)
    assert is_voter(estate, flat) == is_voter(estate, garage) == [False, True, False]
    assert [c["is_verified"] for c in second.json["co_owners"]] == [True, True, False]
    # The third comes later and is of another mind: nobody votes until they agree.
    wang = estate.person(theirs)
    estate.bound(wang, flat, "王五")
    assert is_voter(estate, flat) == [False, True, False]
    assert choose(wang, flat, wang).json["voter_name_masked"] is None
    assert is_voter(estate, garage) == [False, False, False]
    for who in (zhang, li):
        last = choose(who, flat, wang)
    assert last.json["agreed"]
    assert wang.get(f"/houses/{flat}/voter").json == last.json
    stranger = estate.person()
    assert stranger.get(f"/houses/{flat}/voter").status_code == 404
    assert choose(stranger, flat, wang).status_code == 404
    nobody = choose(zhang, flat, stranger)
    assert (nobody.status_code, nobody.json["code"]) == (422, "not_a_co_owner")


def test_who_voted_on_a_day_can_be_read_later(estate: Estate) -> None:
    his, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", his), Party("李四", hers))
    zhang, li = estate.person(his), estate.person(hers)
    estate.bound(zhang, flat, "张三")
    estate.bound(li, flat, "李四")
    ref = ids.decode_ref(Kind.HOUSE, flat)
    moments = [clock.now()]
    for voter in (zhang, li):
        for who in (zhang, li):
            choose(who, flat, voter)
        moments.append(clock.now())
    with db.reading():
        holding = households.holding_of(ref)
        assert holding is not None
        owners = [o.owner.id for o in households.owners_of(ref)]
        found = [voters.voter_at(ref.community_id, holding.id, at) for at in moments]
    assert found == [None, owners[0], owners[1]]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=6))
def test_the_voter_is_whom_all_newest_choices_name(estate: Estate, choices: list[tuple[int, int]]) -> None:
    his, hers = phone(), phone()
    flat = estate.flat(f"9{his[-6:]}", Party("张三", his), Party("李四", hers))
    both = estate.person(his), estate.person(hers)
    for who, name in zip(both, ("张三", "李四"), strict=True):
        estate.bound(who, flat, name)
    newest: dict[int, int] = {}
    for chooser, voter in choices:
        newest[chooser] = voter
        shown = choose(both[chooser], flat, both[voter]).json
        agreed = len(newest) == 2 and len(set(newest.values())) == 1
        assert shown["agreed"] is agreed
        assert [c["is_voter"] for c in shown["co_owners"]] == [agreed and i == voter for i in range(2)]


def test_the_desk_registers_the_voter_whom_the_owners_signed_for(estate: Estate) -> None:
    flat = estate.flat("101", Party("张三", phone()), Party("李四", phone()))
    chosen = estate.owner_id(flat, 1)
    done = estate.desk.post(f"/houses/{flat}/voter", {"owner_id": chosen})
    assert done.status_code == 200, done.text
    assert is_voter(estate, flat) == [False, True]
    stranger = estate.owner_id(estate.flat("102", Party("王五")))
    refused = estate.desk.post(f"/houses/{flat}/voter", {"owner_id": stranger})
    assert refused.status_code == 422
    assert is_voter(estate, flat) == [False, True]


# --- the door --------------------------------------------------------------------------------------------


def test_an_owner_who_signs_at_the_door_votes_and_is_met_again_in_wechat(estate: Estate) -> None:
    flat = estate.flat("101", Party("张三丰"))
    number = phone()
    body = {"house_id": flat, "owner_id": estate.owner_id(flat), "phone": number}
    desk = estate.desk
    unsigned = desk.post("/memberships", body | {"file_ids": [paper(desk)]})
    assert (unsigned.status_code, unsigned.json["code"]) == (422, "signature_missing")
    assert desk.post("/memberships", body).status_code == 422
    signed = desk.post("/memberships", body | {"file_ids": [paper(desk, small_jpeg())]})
    assert signed.status_code == 201, signed.text
    entry = signed.json
    assert (entry["voter_level"], entry["basis"], entry["resident"]) == ("strong", "door_visit", None)
    assert entry["name_masked"] == "张**"
    assert desk.get(f"/houses/{flat}").json["owners"][0]["phone_masked"] == f"{number[:3]}****{number[-4:]}"
    twice = desk.post("/memberships", body | {"file_ids": [paper(desk, small_jpeg())]})
    assert (twice.status_code, twice.json["code"]) == (409, "owner_bound")
    zhang = estate.person(number)
    assert estate.bound(zhang, flat, "张三丰") == entry["membership_id"]
    assert estate.see(entry["membership_id"])["basis"] == "door_visit"
    assert (
        estate.town.staff("community", estate.town.b)
        .post("/memberships", body | {"file_ids": [paper(estate.town.staff("community", estate.town.b))]})
        .status_code
        == 404
    )


def test_whose_phone_wechat_knows_already_is_bound_at_the_door(estate: Estate) -> None:
    flat, number = estate.flat("101", Party("张三")), phone()
    zhang = estate.person(number)
    waiting = estate.waiting(zhang, flat, "张三")
    body = {"house_id": flat, "owner_id": estate.owner_id(flat), "phone": number}
    made = estate.desk.post("/memberships", body | {"file_ids": [paper(estate.desk, small_jpeg())]})
    assert made.json["membership_id"] == waiting
    assert zhang.get(f"/memberships/{waiting}").json["vote"]["may"]
    assert told(zhang)[0] == "membership_verified"


# --- the drive -------------------------------------------------------------------------------------------


def test_the_drive_counts_reminds_and_lists_whom_to_visit(
    estate: Estate, later: Callable[..., datetime]
) -> None:
    bound, known, away = phone(), phone(), phone()
    flat = estate.flat("101", Party("张三", bound))
    estate.flat("102", Party("张三", bound), building="2栋")
    estate.flat("201", Party("李四", known))
    estate.flat("202", Party("王五", away))
    estate.flat("203", Party("钱七", id_number=id_number(3)))
    estate.bound(estate.person(bound), flat, "张三")
    li = estate.person(known)
    path = f"/estates/{estate.town.a.estate_id}/registration"
    shown = estate.desk.get(path).json
    whole = {"owners": 4, "bound": 1, "weak": 0, "waiting": 0, "unbound": 3, "reachable": 1, "to_visit": 2}
    assert shown["total"] == whole
    assert {b["building"]: (b["owners"], b["bound"]) for b in shown["buildings"]} == {
        "1栋": (4, 1),
        "2栋": (1, 1),
    }
    missing = estate.desk.get(f"{path}/missing").json["items"]
    assert [(m["owner"]["name_masked"], m["reachable"]) for m in missing] == [
        ("李*", True),
        ("王*", False),
        ("钱*", False),
    ]
    visit = estate.desk.get(f"{path}/missing", query_string={"to_visit": "true", "limit": 1}).json
    assert visit["items"][0]["houses"] == ["1栋202"]
    rest = estate.desk.get(
        f"{path}/missing",
        query_string={"to_visit": "true", "limit": 1, "cursor": visit["next_cursor"]},
    ).json
    assert (rest["items"][0]["houses"], rest["next_cursor"]) == (["1栋203"], None)
    first = estate.desk.post(f"{path}/reminders", {"building": "一号楼"})
    assert first.json == {"reminded": 1, "already_today": 0, "to_visit": 2, "left": 0}
    again = estate.desk.post(f"{path}/reminders", {})
    assert again.json == {"reminded": 0, "already_today": 1, "to_visit": 2, "left": 0}
    assert told(li).count("bind_reminder") == 1
    later(days=1)
    desk = estate.town.hire("community", estate.town.a)
    assert desk.post(f"{path}/reminders", {}).json["reminded"] == 1
    stranger = estate.town.hire("community", estate.town.b)
    for asked in (
        stranger.get(path),
        stranger.get(f"{path}/missing"),
        stranger.post(f"{path}/reminders", {}),
    ):
        assert asked.status_code == 404


@pytest.mark.parametrize("role", ["property", "grid"])
def test_the_drive_is_no_business_of_property_companies(estate: Estate, role: str) -> None:
    path = f"/estates/{estate.town.a.estate_id}/registration"
    assert estate.town.staff(role).get(path).status_code == 403
