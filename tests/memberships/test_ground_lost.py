"""A membership whose ground is gone is looked at again: the registry is corrected, or who vouched was none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from app.places.identity import Party
from tests.memberships.conftest import Estate, paper, phone, told
from workers import jobs


def _tag(estate: Estate, owner: str) -> dict[str, str]:
    return {"If-Match": estate.desk.get(owner).headers["ETag"]}


def test_a_corrected_phone_puts_what_rested_on_the_old_one_under_review(estate: Estate) -> None:
    wrong, right, second = phone(), phone(), phone()
    flat = estate.flat("101", Party("张三", wrong))
    stranger = estate.person(wrong)
    made = estate.bound(stranger, flat, "张三")
    owner = f"/owners/{estate.owner_id(flat)}"
    # Another number beside it changes nothing for who holds the first one.
    assert estate.desk.patch(owner, {"phone2": second}, headers=_tag(estate, owner)).status_code == 200
    assert estate.see(made)["voter_level"] == "strong"
    assert estate.desk.patch(owner, {"phone": right}, headers=_tag(estate, owner)).status_code == 200
    seen = estate.see(made)
    assert (seen["status"], seen["review"]) == ("pending", "phone_changed")
    assert not stranger.get(f"/memberships/{made}").json["vote"]["may"]
    assert told(stranger)[0] == "membership_review"
    # The owner herself comes with the right number.
    estate.bound(estate.person(right), flat, "张三")


def test_two_who_are_bound_as_one_owner_after_a_merge_have_no_vote_until_staff_decide(estate: Estate) -> None:
    one, two = phone(), phone()
    flat = estate.flat("101", Party("张三", one), Party("张三", two))
    first, second = estate.person(one), estate.person(two)
    mine, hers = estate.bound(first, flat, "张三"), estate.bound(second, flat, "张三")
    owners = [estate.owner_id(flat, at) for at in (0, 1)]
    assert owners[0] != owners[1]
    done = estate.desk.post(f"/owners/{owners[0]}/merge", {"into": owners[1]})
    assert done.status_code == 200, done.text
    for made, who in ((mine, first), (hers, second)):
        seen = estate.see(made)
        assert (seen["review"], seen["voter_level"]) == ("owners_merged", "suspended")
        assert who.get(f"/memberships/{made}").json["vote"]["why_not"] == "under_review"
    assert estate.decide(hers, "refuse", reason="不是本人").status_code == 200
    kept = estate.decide(mine, "approve", reason="已当面核实")
    assert kept.status_code == 200, kept.text
    assert first.get(f"/memberships/{mine}").json["vote"]["may"]


def test_a_merge_leaves_alone_who_is_the_only_one_bound(estate: Estate) -> None:
    number = phone()
    flat, other = estate.flat("101", Party("张三", number)), estate.flat("102", Party("张三", phone()))
    zhang = estate.person(number)
    made = estate.bound(zhang, flat, "张三")
    into = estate.owner_id(other)
    assert estate.desk.post(f"/owners/{estate.owner_id(flat)}/merge", {"into": into}).status_code == 200
    assert estate.see(made)["voter_level"] == "strong"


def test_an_owner_let_in_without_a_row_of_the_registry_is_looked_at_after_a_sale(estate: Estate) -> None:
    flat = estate.flat("101", Party("张三", phone()))
    li = estate.person()
    made = estate.waiting(li, flat, "李四", evidence_file_ids=[paper(li)])
    assert estate.decide(made, "approve", voter_level="weak").status_code == 200
    estate.sell(flat, {"name": "钱七", "phone": phone()})
    seen = estate.see(made)
    assert (seen["status"], seen["review"]) == ("pending", "owners_changed")


@pytest.mark.parametrize("how", ["end", "refuse", "leave"])
def test_whom_somebody_vouched_for_is_looked_at_when_she_is_gone(estate: Estate, how: str) -> None:
    his, hers = phone(), phone()
    flat = estate.flat("101", Party("张三", his), Party("李四", hers))
    zhang, li, wife, tenant = estate.person(his), estate.person(hers), estate.person(), estate.person()
    made = estate.bound(zhang, flat, "张三")
    family = estate.waiting(wife, flat, "王芳", relation="family")
    lease = estate.waiting(tenant, flat, "赵六", relation="tenant")
    for one in (family, lease):
        assert zhang.post(f"/memberships/{one}/confirm").status_code == 200
    estate.bound(li, flat, "李四")
    if how == "leave":
        assert zhang.delete(f"/memberships/{made}").status_code == 204
    else:
        if how == "refuse":
            assert li.post(f"/memberships/{made}/objections", {}).status_code == 200
        assert estate.decide(made, how, reason="冒用").status_code == 200
    seen = estate.see(family)
    assert (seen["status"], seen["review"]) == ("pending", "owners_changed")
    assert told(wife)[0] == "membership_review"
    assert estate.see(lease)["status"] == ("verified" if how == "leave" else "pending")
    # The other owner of the house may vouch instead.
    assert li.post(f"/memberships/{family}/confirm").status_code == 200


def test_what_nobody_decided_in_half_a_year_ends_with_its_papers(
    estate: Estate, work: Callable[..., int], later: Callable[..., datetime]
) -> None:
    flat = estate.flat("101", Party("张三", phone()))
    zhang = estate.person()
    made = estate.waiting(zhang, flat, "张三", evidence_file_ids=[paper(zhang)])
    for days, status, papers in ((179, "pending", 1), (2, "ended", 0)):
        later(days=days)
        estate.desk = estate.town.hire("community", estate.town.a)
        jobs.retain()
        work()
        seen = estate.see(made)
        assert (seen["status"], len(seen["evidence"])) == (status, papers)
    assert seen["end_reason"] == "undecided"
    zhang.session = zhang.client.post("/bff/v1/session", json={"code": f"demo-{zhang.name}"}).get_json()
    assert told(zhang)[0] == "membership_ended"
    # Nobody said no: she may ask again.
    again = estate.waiting(zhang, flat, "张三")
    assert "refused_before" not in [m["code"] for m in estate.see(again)["missing"]]
