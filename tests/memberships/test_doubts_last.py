"""What somebody doubted stays doubted: leaving, a new account or another phone undoes neither objection nor refusal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from app.places.identity import Party
from tests.conftest import Person
from tests.memberships.conftest import Estate, id_number, paper, phone, told


def test_leaving_and_binding_again_does_not_undo_an_objection(estate: Estate) -> None:
    his, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", his), Party("李四", hers))
    li, zhang = estate.person(hers), estate.person(his)
    first = estate.bound(zhang, flat, "张三")
    assert li.post(f"/memberships/{first}/objections", {"text": "不是他本人"}).status_code == 200
    assert zhang.delete(f"/memberships/{first}").status_code == 204
    # Nobody of the staff has decided: it says so, and still asks to be looked at.
    seen = estate.see(first)
    assert (seen["status"], seen["review"]) == ("ended", "objected")
    assert seen["objections"][0]["outcome"] is None
    assert "objection_settled" not in told(li)
    again = estate.waiting(zhang, flat, "张三", evidence_file_ids=[paper(zhang)])
    assert "refused_before" in [m["code"] for m in estate.see(again)["missing"]]
    queue = estate.desk.get("/memberships", query_string={"needs_review": "true"}).json["items"]
    assert [m["membership_id"] for m in queue] == [first, again]
    # The desk looks at both by deciding on the one that waits.
    assert estate.decide(again, "approve", voter_level="strong", reason="已当面核实").status_code == 200
    settled = estate.see(first)
    assert (settled["review"], settled["objections"][0]["outcome"]) == (None, "kept")
    assert told(li)[:2].count("objection_settled") == 1


def test_the_desk_may_find_an_objection_right_after_he_has_left(estate: Estate) -> None:
    his, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", his), Party("李四", hers))
    li, zhang = estate.person(hers), estate.person(his)
    first = estate.bound(zhang, flat, "张三")
    li.post(f"/memberships/{first}/objections", {})
    zhang.delete(f"/memberships/{first}")
    done = estate.decide(first, "refuse", reason="冒用")
    assert (done.json["status"], done.json["objections"][0]["outcome"]) == ("refused", "ended")
    assert told(li)[0] == "objection_settled"
    assert estate.decide(first, "refuse", reason="冒用").status_code == 409
    assert estate.bind(zhang, flat, "张三").status_code == 202


def test_who_leaves_undisputed_comes_back_by_herself(estate: Estate) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", number))
    zhang = estate.person()
    made = estate.waiting(zhang, flat, "张三")
    assert zhang.delete(f"/memberships/{made}").status_code == 204
    assert estate.see(made)["review"] is None
    estate.verify(zhang, number)
    estate.bound(zhang, flat, "张三")


# --- a new account, another phone ------------------------------------------------------------------------


def _starts_anew(who: Person) -> None:
    """She closes her account and logs in again with the same WeChat."""
    assert who.delete("/me").status_code == 204
    who.session = who.client.post("/bff/v1/session", json={"code": f"demo-{who.name}"}).get_json()


def test_a_new_account_does_not_end_the_hold_of_a_reused_phone(estate: Estate) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", number))
    estate.person(number)
    latest = estate.person(number)
    made = estate.bound(latest, flat, "张三")
    assert not latest.get(f"/memberships/{made}").json["vote"]["may"]
    _starts_anew(latest)
    estate.verify(latest, number)
    again = estate.bound(latest, flat, "张三")
    assert latest.get(f"/memberships/{again}").json["vote"]["why_not"] == "phone_reused"


def test_another_phone_in_between_does_not_end_the_hold(
    estate: Estate, later: Callable[..., datetime]
) -> None:
    number = phone()
    flat = estate.flat("101", Party("张三", number))
    estate.person(number)
    latest = estate.person(number)
    for one in (phone(), number):
        estate.verify(latest, one)
    made = estate.bound(latest, flat, "张三")
    assert latest.get(f"/memberships/{made}").json["vote"]["why_not"] == "phone_reused"
    later(days=7, hours=1)
    latest.session = latest.client.post("/bff/v1/session", json={"code": f"demo-{latest.name}"}).get_json()
    assert latest.get(f"/memberships/{made}").json["vote"]["may"]


@pytest.mark.parametrize("same", ["phone", "openid"])
def test_a_new_account_does_not_undo_what_staff_ended(estate: Estate, same: str) -> None:
    number, other = phone(), phone()
    flat = estate.flat("101", Party("张三", number, other))
    zhang = estate.person(number)
    made = estate.bound(zhang, flat, "张三")
    assert estate.decide(made, "end", reason="冒用").status_code == 200
    _starts_anew(zhang)
    if same == "phone":
        zhang = estate.person(number)
    else:
        estate.verify(zhang, other)
    again = estate.waiting(zhang, flat, "张三")
    assert "refused_before" in [m["code"] for m in estate.see(again)["missing"]]


def test_a_new_account_does_not_undo_an_objection(estate: Estate) -> None:
    his, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", his), Party("李四", hers))
    li, zhang = estate.person(hers), estate.person(his)
    made = estate.bound(zhang, flat, "张三")
    li.post(f"/memberships/{made}/objections", {})
    _starts_anew(zhang)
    estate.verify(zhang, his)
    estate.waiting(zhang, flat, "张三")
    seen = estate.see(made)
    assert (seen["status"], seen["review"]) == ("ended", "objected")


def test_a_new_account_does_not_open_the_lock(estate: Estate) -> None:
    thief = estate.person()
    flats = [estate.flat(str(n), Party("张三", id_number=id_number(7))) for n in range(101, 107)]
    for flat in flats[:5]:
        estate.waiting(thief, flat, "张三", id_number_last6="123456")
    assert estate.bind(thief, flats[5], "张三").status_code == 429
    _starts_anew(thief)
    assert estate.bind(thief, flats[5], "张三").status_code == 429
