"""What staff decide, who objects, and what a number that went over to somebody else is worth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import psycopg
import pytest

from app.places.identity import Party
from tests.conftest import Person, Town
from tests.memberships.conftest import Estate, id_number, paper, phone, told

NUMBER = id_number(7)


def _log_in_again(*people: Person) -> None:
    for who in people:
        who.session = who.client.post("/bff/v1/session", json={"code": f"demo-{who.name}"}).get_json()


def test_papers_that_staff_have_seen_give_a_vote(estate: Estate) -> None:
    flat = estate.flat("101", Party("张三", phone()))
    zhang = estate.person()
    made = estate.waiting(zhang, flat, "张三", evidence_file_ids=[paper(zhang)])
    assert zhang.get(f"/memberships/{made}").json["vote"]["why_not"] == "not_verified"
    queue = estate.desk.get("/memberships", query_string={"status": "pending"}).json["items"]
    assert [(m["membership_id"], m["review"], m["evidence_count"]) for m in queue] == [(made, "new", 1)]
    done = estate.decide(made, "approve", voter_level="strong", reason="房产证已核对")
    assert done.status_code == 200, done.text
    assert (done.json["voter_level"], done.json["basis"]) == ("strong", "papers")
    assert zhang.get(f"/memberships/{made}").json["vote"]["may"]
    assert told(zhang)[0] == "membership_verified"
    again = estate.decide(made, "approve")
    assert (again.status_code, again.json["code"]) == (409, "illegal_step")


def test_no_vote_without_papers_without_an_owner_or_for_family(estate: Estate) -> None:
    flat = estate.flat("101", Party("张三", phone()))
    zhang, li, wife = estate.person(), estate.person(), estate.person()
    bare = estate.waiting(zhang, flat, "张三")
    refused = estate.decide(bare, "approve", voter_level="strong")
    assert (refused.status_code, refused.json["code"]) == (422, "evidence_missing")
    other = estate.waiting(li, flat, "李四", evidence_file_ids=[paper(li)])
    refused = estate.decide(other, "approve", voter_level="strong")
    assert (refused.status_code, refused.json["code"]) == (422, "owner_needed")
    named = estate.decide(other, "approve", voter_level="strong", owner_id=estate.owner_id(flat))
    assert named.json["voter_level"] == "strong"
    family = estate.waiting(wife, flat, "王芳", relation="family")
    refused = estate.decide(family, "approve", voter_level="strong")
    assert (refused.status_code, refused.json["code"]) == (422, "only_owners_vote")
    assert estate.decide(family, "approve").json["voter_level"] == "weak"
    taken = estate.waiting(zhang, flat, "张三", evidence_file_ids=[paper(zhang)])
    second = estate.decide(taken, "approve", voter_level="strong")
    assert (second.status_code, second.json["code"]) == (409, "owner_bound")


def test_a_refusal_needs_a_reason_and_gives_none_to_the_resident(estate: Estate) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", number, id_number=NUMBER))
    thief = estate.person()
    made = estate.waiting(thief, flat, "张三", id_number_last6="123456")
    assert estate.decide(made, "refuse").json["code"] == "reason_needed"
    done = estate.decide(made, "refuse", reason="身份证不是本人")
    assert (done.json["status"], done.json["reason"]) == ("refused", "身份证不是本人")
    assert "本人" not in thief.get("/inbox").text
    assert "本人" not in thief.get(f"/memberships/{made}").text
    assert told(thief)[0] == "membership_refused"
    # Who was refused isn't let in by finding the number after all.
    again = estate.waiting(thief, flat, "张三", id_number_last6=NUMBER[-6:])
    assert "refused_before" in [m["code"] for m in estate.see(again)["missing"]]


def test_staff_see_their_own_area_and_property_companies_nothing(
    estate: Estate, town: Town, owner: psycopg.Connection[None]
) -> None:
    flat = estate.flat("101", Party("张三", id_number=NUMBER))
    made = estate.waiting(estate.person(), flat, "张三")
    stranger = town.staff("community", town.b)
    assert stranger.get(f"/memberships/{made}").status_code == 404
    assert stranger.get("/memberships").json["items"] == []
    assert stranger.post(f"/memberships/{made}/approve", {}).status_code == 404
    assert town.staff("street").get(f"/memberships/{made}").status_code == 200
    for role in ("property", "grid"):
        assert town.staff(role).get(f"/memberships/{made}").status_code == 403
        assert town.staff(role).get("/memberships").status_code == 403
    body = {"object": made, "fields": ["name", "phone"], "purpose": "核对身份"}
    assert estate.desk.post("/unmask", body).json == {"name": "张三", "phone": None, "unmasked_today": 1}
    assert stranger.post("/unmask", body).status_code == 404
    audited = owner.execute(
        "SELECT count(*) FROM audit_log WHERE community_id = %s AND action = 'membership.unmasked'",
        (town.a.id,),
    ).fetchone()
    assert audited == (1,)


def test_pages_and_filters_show_who_waits_longest(estate: Estate) -> None:
    flats = [estate.flat(str(n), Party("张三", id_number=NUMBER)) for n in range(101, 106)]
    made = [estate.waiting(estate.person(), flat, "李四") for flat in flats[:4]]
    weak = estate.bound(estate.person(), flats[4], "张三", id_number_last6=NUMBER[-6:])
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = estate.desk.get("/memberships", query_string={"limit": 2, "cursor": cursor}).json
        seen += [m["membership_id"] for m in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [*made, weak]
    for wanted, found in (
        ({"status": "verified"}, [weak]),
        ({"needs_review": "true"}, made),
        ({"house_id": flats[1]}, [made[1]]),
        ({"estate_id": estate.town.b.estate_id}, []),
        ({"review": "new", "status": "pending"}, made),
    ):
        items = estate.desk.get("/memberships", query_string=wanted).json["items"]
        assert [m["membership_id"] for m in items] == found


def test_a_new_binding_with_a_vote_is_told_to_the_other_phones_of_the_house(estate: Estate) -> None:
    his, hers, nobody = phone(), phone(), phone()
    flat = estate.flat("101", Party("张三", his, nobody), Party("李四", hers))
    li = estate.person(hers)
    zhang = estate.person(his)
    made = estate.bound(zhang, flat, "张三")
    assert told(li)[0] == "membership_new"
    message = li.get("/inbox").json["items"][0]
    assert message["target"] == {"type": "membership", "id": made}
    assert "张*" in message["text"]
    assert "membership_new" not in told(zhang)
    reached = {t["phone_masked"]: t["reached"] for t in estate.see(made)["told"]}
    assert reached == {f"{nobody[:3]}****{nobody[-4:]}": False, f"{hers[:3]}****{hers[-4:]}": True}


def test_an_objection_takes_the_vote_until_staff_have_decided(estate: Estate) -> None:
    his, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", his), Party("李四", hers))
    li, zhang, stranger = estate.person(hers), estate.person(his), estate.person()
    made = estate.bound(zhang, flat, "张三")
    shown = li.get(f"/memberships/{made}").json
    assert (shown["may"], shown["is_mine"]) == (["object"], False)
    assert stranger.post(f"/memberships/{made}/objections", {}).status_code == 404
    assert zhang.post(f"/memberships/{made}/objections", {}).status_code == 404
    done = li.post(f"/memberships/{made}/objections", {"text": "他已经不是我家人"})
    assert done.status_code == 200, done.text
    mine = zhang.get(f"/memberships/{made}").json
    assert (mine["status"], mine["voter_level"]) == ("verified", "suspended")
    assert mine["vote"] == {"may": False, "why_not": "under_review", "held_until": None}
    assert told(zhang)[0] == "membership_review"
    twice = li.post(f"/memberships/{made}/objections", {})
    assert (twice.status_code, twice.json["code"]) == (409, "already_objected")
    seen = estate.see(made)
    assert (seen["review"], seen["objections"][0]["text"]) == ("objected", "他已经不是我家人")
    kept = estate.decide(made, "approve", reason="已当面核实")
    assert kept.json["voter_level"] == "strong"
    assert zhang.get(f"/memberships/{made}").json["vote"]["may"]
    assert told(li)[0] == "objection_settled"
    assert kept.json["objections"][0]["outcome"] == "kept"


def test_an_objection_that_is_right_ends_it(estate: Estate) -> None:
    his, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", his), Party("李四", hers))
    li, zhang = estate.person(hers), estate.person(his)
    made = estate.bound(zhang, flat, "张三")
    li.post(f"/memberships/{made}/objections", {})
    gone = estate.decide(made, "refuse", reason="冒用")
    assert (gone.json["status"], gone.json["objections"][0]["outcome"]) == ("refused", "ended")
    # His number still matches; the vote doesn't come back by itself.
    assert estate.bind(zhang, flat, "张三").status_code == 202


def test_a_number_that_went_over_takes_along_what_rested_on_it(
    estate: Estate, later: Callable[..., datetime]
) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", number))
    former, latest = estate.person(number), estate.person()
    old = estate.bound(former, flat, "张三")
    estate.verify(latest, number)
    lost = former.get(f"/memberships/{old}").json
    assert (lost["status"], lost["voter_level"], lost["vote"]["may"]) == ("pending", None, False)
    assert estate.see(old)["review"] == "phone_lost"
    assert {"phone_lost", "membership_review"} <= set(told(former))
    made = estate.bound(latest, flat, "张三")
    held = latest.get(f"/memberships/{made}").json
    assert (held["voter_level"], held["vote"]["why_not"]) == ("strong", "phone_reused")
    assert estate.see(made)["review"] == "phone_reused"
    later(days=6, hours=23)
    _log_in_again(latest)
    assert not latest.get(f"/memberships/{made}").json["vote"]["may"]
    later(hours=2)
    _log_in_again(latest)
    assert latest.get(f"/memberships/{made}").json["vote"] == {
        "may": True,
        "why_not": None,
        "held_until": None,
    }


def test_staff_may_let_a_reused_number_vote_earlier(estate: Estate) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", number))
    estate.person(number)
    latest = estate.person(number)
    made = estate.bound(latest, flat, "张三")
    assert not latest.get(f"/memberships/{made}").json["vote"]["may"]
    assert estate.decide(made, "approve", reason="已当面核实").status_code == 200
    assert latest.get(f"/memberships/{made}").json["vote"]["may"]


def test_what_papers_proved_survives_the_loss_of_a_number(estate: Estate) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", phone()))
    zhang = estate.person(number)
    made = estate.waiting(zhang, flat, "张三", evidence_file_ids=[paper(zhang)])
    estate.decide(made, "approve", voter_level="strong")
    estate.person(number)
    assert zhang.get(f"/memberships/{made}").json["vote"]["may"]


@pytest.mark.parametrize("relation", ["family", "tenant"])
def test_an_owner_vouches_for_family_and_tenants_and_removes_them(estate: Estate, relation: str) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", number))
    zhang, guest, stranger = estate.person(number), estate.person(), estate.person()
    estate.bound(zhang, flat, "张三")
    made = estate.waiting(guest, flat, "王芳", relation=relation)
    assert told(zhang)[0] == "membership_asked"
    members = zhang.get(f"/houses/{flat}/members").json["items"]
    assert [(m["relation"], m["may"]) for m in members] == [
        ("owner", ["leave"]),
        (relation, ["confirm", "remove"]),
    ]
    for who in (guest, stranger):
        assert who.post(f"/memberships/{made}/confirm").status_code == 404
        assert who.get(f"/houses/{flat}/members").status_code == 404
    done = zhang.post(f"/memberships/{made}/confirm")
    assert (done.status_code, done.json["status"], done.json["voter_level"]) == (200, "verified", "weak")
    assert guest.get(f"/memberships/{made}").json["vote"]["why_not"] == "not_an_owner"
    assert stranger.delete(f"/memberships/{made}").status_code == 404
    assert zhang.delete(f"/memberships/{made}").status_code == 204
    assert guest.get(f"/memberships/{made}").json["status"] == "ended"
    assert told(guest)[0] == "membership_ended"
    again = zhang.delete(f"/memberships/{made}")
    assert (again.status_code, again.json["code"]) == (409, "illegal_step")


def test_co_owners_do_not_remove_each_other_and_everybody_may_leave(estate: Estate) -> None:
    his, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", his), Party("李四", hers))
    zhang, li = estate.person(his), estate.person(hers)
    his_one, her_one = estate.bound(zhang, flat, "张三"), estate.bound(li, flat, "李四")
    assert zhang.delete(f"/memberships/{her_one}").status_code == 404
    assert zhang.delete(f"/memberships/{his_one}").status_code == 204
    assert zhang.get("/memberships").json["items"] == []
    assert estate.bind(zhang, flat, "张三").status_code == 201


def test_a_lease_ends_by_itself(estate: Estate, later: Callable[..., datetime]) -> None:
    from datetime import timedelta

    from app.places import queries as places
    from workers import jobs

    number = phone()
    flat = estate.flat("101", Party("张三", number))
    zhang, tenant = estate.person(number), estate.person()
    estate.bound(zhang, flat, "张三")
    until = places.today() + timedelta(days=10)
    made = estate.waiting(tenant, flat, "王芳", relation="tenant", valid_to=until.isoformat())
    assert zhang.post(f"/memberships/{made}/confirm").json["valid_to"] == until.isoformat()
    later(days=11)
    _log_in_again(tenant)
    assert tenant.get(f"/memberships/{made}").json["status"] == "ended"
    jobs.tidy()
    assert told(tenant)[0] == "membership_ended"
    jobs.tidy()
    assert told(tenant).count("membership_ended") == 1


def test_staff_end_a_membership_with_a_reason(estate: Estate) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", number))
    zhang = estate.person(number)
    made = estate.bound(zhang, flat, "张三")
    stale = estate.desk.post(f"/memberships/{made}/end", {"reason": "已搬走"}, headers={"If-Match": '"999"'})
    assert stale.status_code == 412
    assert estate.decide(made, "end").json["code"] == "reason_needed"
    done = estate.decide(made, "end", reason="已搬走")
    assert (done.json["status"], done.json["end_reason"]) == ("ended", "ended_by_staff")
    assert estate.bind(zhang, flat, "张三").status_code == 202
