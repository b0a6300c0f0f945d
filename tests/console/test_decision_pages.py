"""Pages of decisions by the test client: the wizard's rules, what comes next, turnout by room, the arithmetic."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app import clock, ids
from app.ids import Kind, Ref
from app.voting.models import LegalMode
from app.voting.participation import floor_of
from tests.conftest import Town
from tests.console.clerk import Clerk
from tests.memberships.conftest import paper
from tests.voting.conftest import BallotBox, Vote, candidate, owner


def opened(box: BallotBox, **more: Any) -> tuple[Vote, list[Any]]:
    """A vote that is open, with three owners: 100, 200 and 300 m²."""
    box.allow()
    box.rules(electronic_admitted=True)
    people = box.houses(10_000, 20_000, 30_000)
    vote = box.announced(**more).open()
    box.again(*people)
    return vote, people


def test_the_wizard_says_each_matters_rule_before_anything_is_typed(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    page = clerk("community").get(f"/admin/decisions/new?estate_id={box.town.a.estate_id}").text
    assert page.count("《民法典》第二百七十八条第一款第（") == 9
    assert page.count("四分之三以上同意") == 3
    assert "人数和专有部分面积都要达到三分之二以上" in page


def test_the_wizards_form_knows_the_laws_days_and_asks_for_a_matter(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    box.allow()
    desk = clerk("community")
    where = f"/admin/decisions/new?estate_id={box.town.a.estate_id}&kind=meeting"
    assert "请至少选一项" in desk.get(where).text
    form = desk.get(f"{where}&matter=4&matter=8").text
    first = clock.in_shanghai(clock.now()).date() + timedelta(days=15)
    assert f"{first.month}月{first.day}日" in form
    assert 'name="motions.0.matter" value="4"' in form
    assert 'name="motions.1.matter" value="8"' in form


def test_the_check_list_says_what_is_missing_and_where_it_is_mended(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    box.allow()
    box.flat("101")  # nobody knows who owns it
    box.flat("102", area=None)
    vote = box.draft({"title": "更换物业", "matter": 4}, text="", opens_at=None, closes_at=None)
    desk = clerk("community")
    shown = desk.get(f"/admin/decisions/{vote.id}/checks", part=True).text
    for words in ("还没有写表决说明", "还没有填写开始和截止时间", "有房屋没有面积", "有的户还没有表决人"):
        assert words in shown
    assert f"/admin/decisions/{vote.id}/edit#f-opens" in shown
    checks = box.desk.get(f"/decisions/{vote.id}/checks").get_json()["items"]
    assert {c["need"]: c["amount"] for c in checks if c["need"] in {"areas", "voters"}} == {
        "areas": 1,
        "voters": 2,
    }
    assert desk.get(f"/admin/decisions/{vote.id}/edit").status_code == 200


def test_an_election_needs_more_candidates_than_seats_before_it_is_announced(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    box.allow()
    vote = box.draft({"title": "选举业委会", "matter": 3, "seats": 1}, kind="election")
    candidate(vote, "王秀英")
    desk = clerk("community")
    assert "候选人不够" in desk.get(f"/admin/decisions/{vote.id}/checks", part=True).text
    assert "王秀英" in desk.get(f"/admin/decisions/{vote.id}/candidates").text
    candidate(vote, "胡建国")
    assert "候选人不够" not in desk.get(f"/admin/decisions/{vote.id}/checks", part=True).text


def test_a_nomination_by_the_party_or_the_committee_names_an_owner_found_by_her_room(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    box.allow()
    flat = box.flat("101", owner("李建国"))
    vote = box.draft({"title": "选举业委会", "matter": 3, "seats": 1}, kind="election")
    desk = clerk("community")
    page = desk.get(f"/admin/decisions/{vote.id}/candidates").text
    assert f'data-api="POST /admin/api/v1/decisions/{vote.id}/candidates"' in page
    assert f'name="motion_id" value="{vote.motions[0]}"' in page
    picked = desk.get(f"/admin/decisions/{vote.id}/pick/owners?q=101", part=True).text
    found = ids.encode(Kind.OWNER, Ref(flat.community_id, box.owner_of(flat)))
    assert f'data-value="{found}"' in picked
    assert "李建国" not in picked
    assert "登记册里没有这个房号" in desk.get(f"/admin/decisions/{vote.id}/pick/owners?q=999", part=True).text
    assert clerk("committee").get(f"/admin/decisions/{vote.id}/pick/owners?q=101").status_code == 403
    body = {"motion_id": vote.motions[0], "nominated_by": "party", "owner_id": found}
    assert vote.go("candidates", body).status_code == 201
    shown = desk.get(f"/admin/decisions/{vote.id}/candidates").text
    assert "党组织推荐" in shown
    assert "推荐哪一位业主" not in clerk("committee").get(f"/admin/decisions/{vote.id}/candidates").text


def test_the_authoritys_result_is_entered_by_one_and_certified_by_another(
    box: BallotBox, clerk: Callable[..., Clerk], work: Callable[..., int]
) -> None:
    box.allow(LegalMode.OFFICIAL)
    box.houses(10_000, 20_050)
    vote = box.announced(legal_mode="official").open()
    desk = clerk("community")
    early = desk.get(f"/admin/decisions/{vote.id}/official").text
    assert "现在不能录入" in early
    assert "official-result" not in early
    vote.close()
    work()
    desk, own = clerk("community"), f"/admin/decisions/{vote.id}"
    assert f'href="{own}/official"' in desk.get(own).text
    form = desk.get(f"{own}/official").text
    assert 'name="roll.heads" data-type="int"' in form
    assert 'value="300.50"' in form
    names = set(re.findall(r'name="(motions[^"]+)"', form))
    assert names == {"motions.0.motion_id"} | {
        f"motions.0.answers.{answer}.{of}"
        for answer in ("for", "against", "abstain", "invalid")
        for of in ("heads", "area_centi")
    }
    assert clerk("committee").get(f"{own}/official").status_code == 403
    roll = {"heads": 2, "area_centi": 30_050}
    body = {
        "roll": roll,
        "motions": [{"motion_id": vote.motions[0], "answers": {"for": roll}}],
        "reference": "渝表决〔2026〕77号",
        "file_ids": [paper(box.desk)],
    }
    entered = vote.go("official-result", body)
    assert entered.status_code == 201, entered.text
    mine = desk.get(own).text
    assert "主管部门的结果是您录入的" in mine
    assert "确定认定结果" not in mine
    assert "渝表决〔2026〕77号" in desk.get(f"{own}/official").text
    assert "确定认定结果" in clerk("street").get(own).text


def test_lists_that_are_cut_say_so_and_go_on(
    box: BallotBox, clerk: Callable[..., Clerk], monkeypatch: pytest.MonkeyPatch
) -> None:
    vote, people = opened(box)
    for who in people:
        head = who.get(f"/decisions/{vote.id}").json["heads"][0]["head_id"]
        asked = box.desk.post(f"/decisions/{vote.id}/paper-requests", {"head_id": head, "wants": "paper"})
        assert asked.status_code < 300, asked.text
    desk = clerk("community")
    assert "要纸质票、要上门的（3）" in desk.get(f"/admin/decisions/{vote.id}/paper").text
    for module in ("decision_paper_pages", "decision_progress_pages"):
        monkeypatch.setattr(f"bff.admin.console.{module}.MANY", 2)
    page = desk.get(f"/admin/decisions/{vote.id}/paper").text
    assert "要纸质票、要上门的（2+）" in page
    assert "只列出前 2 条" in page


def test_who_drafted_it_is_told_that_somebody_else_reviews(
    box: BallotBox, clerk: Callable[..., Clerk], town: Town
) -> None:
    vote = box.draft()
    desk = clerk("community")
    assert "确定送审" in desk.get(f"/admin/decisions/{vote.id}").text
    assert vote.go("submit").status_code == 200
    page = desk.get(f"/admin/decisions/{vote.id}").text
    assert "须由另一位同事审核" in page
    assert "确定审核通过" not in page
    assert "确定审核通过" in clerk("street").get(f"/admin/decisions/{vote.id}").text


def test_the_turnout_is_a_picture_of_the_building_that_says_who_voted_and_never_what(
    box: BallotBox, clerk: Callable[..., Clerk], cast: Callable[..., Any]
) -> None:
    vote, people = opened(box)
    box.flat("201", building="2栋")  # after the freeze: not on the roll
    cast(vote, people[0])
    shown = clerk("community").get(f"/admin/decisions/{vote.id}/turnout").text
    assert shown.count('class="room part-cast" title') == 1
    assert shown.count('class="room part-waiting" title') == 2
    assert "33.33%" in shown  # of the heads
    assert "16.66%" in shown  # of the area
    assert "600.00 m²" in shown
    assert "三分之二是" in shown
    rooms = box.desk.get(f"/decisions/{vote.id}/turnout/rooms", query_string={"building_id": building(box)})
    assert {room["number"]: room["part"] for room in rooms.get_json()["rooms"]} == {
        "101": "cast",
        "102": "waiting",
        "103": "waiting",
    }


def building(box: BallotBox) -> str:
    """The first building of the box."""
    found = box.desk.get("/buildings", query_string={"estate_id": box.town.a.estate_id}).get_json()["items"]
    return str(found[0]["building_id"])


@pytest.fixture
def cast(box: BallotBox) -> Callable[..., Any]:
    """An owner casts for everything."""

    def one(vote: Vote, who: Any, answer: str = "for") -> None:
        body = {"choices": dict.fromkeys(vote.motions, answer)}
        done = who.call("PUT", f"/decisions/{vote.id}/ballot", json=body)
        assert done.status_code in {200, 201}, done.text

    return one


def test_who_does_not_go_to_the_doors_sees_no_rooms(box: BallotBox, clerk: Callable[..., Clerk]) -> None:
    vote, _ = opened(box)
    shown = clerk("committee").get(f"/admin/decisions/{vote.id}/turnout")
    assert shown.status_code == 200
    assert "part-waiting" not in shown.text
    assert clerk("property").get(f"/admin/decisions/{vote.id}/paper").status_code == 403


def test_the_reminder_says_how_many_it_reaches_and_what_it_costs(
    box: BallotBox, clerk: Callable[..., Clerk], cast: Callable[..., Any]
) -> None:
    box.flat("901")  # nobody is bound
    vote, people = opened(box)
    cast(vote, people[0])
    shown = clerk("community").get(f"/admin/decisions/{vote.id}/reminder", part=True).text
    assert "<b data-remind-heads>3</b>" in shown
    assert "1 户没有人绑定小程序" in shown
    assert "0.00 元" in shown
    before = box.desk.get(f"/decisions/{vote.id}/reminders").get_json()
    assert (before["heads"], before["reached"], before["people"]) == (3, 2, 2)
    assert vote.go("reminders").status_code == 204
    assert "今天已经提醒过" in clerk("community").get(f"/admin/decisions/{vote.id}/reminder", part=True).text


def test_the_roll_is_searched_by_room_and_shows_what_is_missing(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    box.flat("901", area=None)
    vote, _ = opened(box)
    desk = clerk("community")
    page = desk.get(f"/admin/decisions/{vote.id}/roll?q=1-10").text
    assert all(f"1栋{room}" in page for room in ("101", "102", "103"))
    assert "1栋901" not in page
    weak = desk.get(f"/admin/decisions/{vote.id}/roll?weak=true").text
    assert "1栋901" in weak
    assert "没有面积" in weak
    assert "1栋101" not in weak
    assert "1栋102" in desk.get(f"/admin/decisions/{vote.id}/pick/heads?q=102", part=True).text


def test_a_sheet_waits_for_a_second_person_and_the_first_is_told_so(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    vote, _ = opened(box)
    head = vote.heads()["1栋102"]
    body = {"head_id": head, "choices": dict.fromkeys(vote.motions, "for"), "file_ids": [paper(box.desk)]}
    assert vote.go("paper-ballots", body).status_code == 201
    mine = clerk("community").get(f"/admin/decisions/{vote.id}/paper").text
    assert "须由另一位同事复核" in mine
    other = clerk("street").get(f"/admin/decisions/{vote.id}/paper").text
    assert "复核通过" in other
    assert "1栋102" in other


def test_a_sheet_stands_on_the_workbench_of_the_second_person_alone(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    vote, _ = opened(box)
    choices = dict.fromkeys(vote.motions, "for")
    body = {"head_id": vote.heads()["1栋102"], "choices": choices, "file_ids": [paper(box.desk)]}
    assert vote.go("paper-ballots", body).status_code == 201
    mine = f'href="/admin/decisions/{vote.id}/paper"'
    assert mine in clerk("street").get("/admin/").text
    assert mine not in clerk("community").get("/admin/").text


def test_every_tab_of_an_open_vote_opens(box: BallotBox, clerk: Callable[..., Clerk]) -> None:
    vote, _ = opened(box)
    desk = clerk("community")
    for tab in ("", "/visits", "/disputes", "/proxies", "/paper", "/turnout", "/roll", "/now", "/checks"):
        assert desk.get(f"/admin/decisions/{vote.id}{tab}").status_code == 200, tab
    assert vote.id in desk.get("/admin/decisions").text
    assert "还没有表决" in desk.get("/admin/decisions?status=archived").text


def test_the_result_sheet_writes_the_arithmetic_out(
    box: BallotBox, clerk: Callable[..., Clerk], cast: Callable[..., Any], work: Callable[..., int]
) -> None:
    vote, people = opened(box)
    cast(vote, people[1])
    cast(vote, people[2], "against")
    vote.close()
    work()
    answer = vote.go("certify", None, box.reviewer)
    assert answer.status_code == 200, answer.text
    page = clerk("community").get(f"/admin/decisions/{vote.id}/result").text
    assert "2 ÷ 3 = 66.66%" in page
    assert "3 × 2 = 6 = 6 = 2 × 3" in page
    assert "500.00 m² ÷ 600.00 m² = 83.33%" in page
    assert "1 ÷ 2 = 50.00%" in page
    assert "超过 1/2" in page
    assert "2 × 200.00 = 400.00 &lt; 500.00 = 1 × 500.00" in page
    assert "第二百七十八条第一款第（四）项" in page
    assert "format=xlsx" in page
    printed = clerk("committee").get(f"/admin/decisions/{vote.id}/print").text
    assert "计票人（签名）" in printed
    assert "1 ÷ 2 = 50.00%" in printed


@pytest.mark.parametrize(
    ("number", "floor"), [("301", 3), ("1201室", 12), ("S1", None), ("8", None), ("2-1503", 15)]
)
def test_a_door_number_names_its_floor(number: str, floor: int | None) -> None:
    assert floor_of(number) == floor


def test_an_estate_without_the_streets_word_is_told_that_it_is_a_poll(
    box: BallotBox, clerk: Callable[..., Clerk]
) -> None:
    where = f"/admin/decisions/new?estate_id={box.town.a.estate_id}&kind=meeting&matter=4"
    assert "街道还没有批准" in clerk("community").get(where).text
    box.allow(LegalMode.PAPER_BACKED)
    assert "街道还没有批准" not in clerk("community").get(where).text
