"""What an owner sees of the roll and may object to, whom a vote is told to, and at whose door to knock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app import clock, db
from app.ids import Kind, Ref, encode
from app.memberships.models import Level, Membership, Review
from app.messaging import service as messaging
from app.voting import petitions, verify
from app.voting.models import Petition
from tests.conftest import TEMPLATE, Caller, Person
from tests.memberships.conftest import paper
from tests.voting.conftest import MOTION, BallotBox, owner


def told(who: Person) -> list[str]:
    """The kinds of her messages, newest first."""
    return [item["kind"] for item in who.get("/inbox").json["items"]]


def test_an_owner_checks_her_entry_before_the_freeze_and_proves_it_after(box: BallotBox) -> None:
    zhang_party, li_party = owner("张三"), owner("李四")
    first = box.flat("101", zhang_party, area=9_000)
    box.flat("102", zhang_party, area=12_050)
    shared = box.flat("103", zhang_party, li_party, area=8_000)
    box.houses(10_000, building="2栋")
    zhang = box.resident(first)
    box.bind(zhang, shared)
    li = box.resident(shared, at=1)
    vote = box.announced()
    seen = zhang.get(f"/decisions/{vote.id}").json["my_roll_entry"]
    assert (seen["frozen"], [e["area_centi"] for e in seen["entries"]]) == (False, [21_050, 8_000])
    assert [e["is_voter"] for e in seen["entries"]] == [True, False]
    assert seen["entries"][1]["has_voter"] is False
    assert seen["entries"][0]["houses"][1] == {
        "label": "1栋102",
        "area_centi": 12_050,
        "area_basis": "registered",
    }
    vote.freeze()
    box.again(zhang, li)
    detail = zhang.get(f"/decisions/{vote.id}").json
    entries = detail["my_roll_entry"]["entries"]
    assert [e["area_centi"] for e in entries] == [21_050, 8_000]
    where = f"/decisions/{vote.id}/heads/{entries[0]['head_id']}/roll-entry"
    proof = zhang.get(where).json
    leaf = verify.leaf_hash(verify.canonical(proof["entry"]))
    path = [bytes.fromhex(part) for part in proof["path"]]
    root = bytes.fromhex(proof["root"])
    assert proof["entry"]["area_centi"] == 21_050
    assert verify.is_included(leaf, proof["entry"]["number"] - 1, proof["size"], path, root)
    assert proof["root"] == vote.see()["roll_root"]
    assert proof["size"] == 3
    # Her neighbour sees the head that they share, and not hers alone.
    assert li.get(where).status_code == 404
    assert [e["area_centi"] for e in li.get(f"/decisions/{vote.id}").json["my_roll_entry"]["entries"]] == [
        8_000
    ]


def test_who_belongs_to_the_estate_reads_what_was_announced(box: BallotBox) -> None:
    flat = box.flat("101", owner())
    mine, tenant, stranger = box.resident(flat), box.resident(flat, level=None), box.log_in()
    draft = box.draft()
    assert mine.get(f"/decisions/{draft.id}").status_code == 404
    assert mine.get("/decisions").json["items"] == []
    vote = box.announced()
    listed = mine.get("/decisions", query_string={"estate_id": box.town.a.estate_id}).json["items"]
    assert [(row["decision_id"], row["my_ballot"]) for row in listed] == [(vote.id, None)]
    assert "意见征询" in listed[0]["legal_mode_text"]
    seen = tenant.get(f"/decisions/{vote.id}")
    assert (seen.status_code, seen.json["my_roll_entry"]["entries"]) == (200, [])
    assert stranger.get(f"/decisions/{vote.id}").status_code == 404
    vote.open()
    box.again(mine, tenant)
    shown = mine.get(f"/decisions/{vote.id}").json or {}
    assert shown["turnout"]["heads"] == {"cast": 0, "total": 1, "needed": 1, "percent": "0.00"}
    assert [(h["label"], h["as"], h["may_cast"]) for h in shown["heads"]] == [("1栋101", "owner", True)]
    assert shown["motions"][0]["threshold"] == {"numerator": 1, "denominator": 2, "is_strict": True}
    assert mine.get("/decisions").json["items"][0]["my_ballot"] == "to_cast"
    assert tenant.get("/decisions").json["items"][0]["my_ballot"] == "not_mine"
    choices = {vote.motions[0]: "for"}
    assert mine.call("PUT", f"/decisions/{vote.id}/ballot", json={"choices": choices}).status_code == 201
    assert mine.get("/decisions").json["items"][0]["my_ballot"] == "cast"
    assert mine.get(f"/decisions/{vote.id}").json["turnout"]["heads"]["cast"] == 1


def test_an_objection_to_the_roll_is_a_ticket_due_before_the_opening(box: BallotBox) -> None:
    (zhang,) = box.houses(10_000)
    flat = box.flat("201", owner())
    weak = box.resident(flat, level=Level.WEAK)
    vote = box.announced()
    where, body = f"/decisions/{vote.id}/objections", {"about": "roll", "text": "面积少了十平米"}
    # Who is only weakly known reads her own entry, and may say that it is wrong; a tenant has none.
    (entry,) = weak.get(f"/decisions/{vote.id}").json["my_roll_entry"]["entries"]
    assert (entry["area_centi"], entry["is_voter"]) == (10_000, True)
    assert weak.post(where, body).status_code == 201
    assert weak.post(where, body | {"about": "candidate"}).json["code"] == "weak_identity"
    tenant = box.resident(flat, level=None)
    assert tenant.post(where, body).json["code"] == "weak_identity"
    assert box.log_in().post(where, body).status_code == 404
    assert zhang.post(where, body | {"about": "result"}).json["code"] == "objections_over"
    made = zhang.post(where, body)
    assert made.status_code == 201, made.text
    row = vote.row
    assert row.opens_at is not None
    assert made.json["due_at"] < clock.rfc3339(row.opens_at)
    assert zhang.post(where, body).json["code"] == "already_objected"
    ticket = box.desk.get(f"/tickets/{made.json['ticket_id']}").json
    assert "面积少了十平米" in ticket["text"]
    linked = {"decision_id": vote.id, "title": "业主大会", "about": "roll", "due_at": made.json["due_at"]}
    assert ticket["objection"] == linked
    assert zhang.get(f"/tickets/{made.json['ticket_id']}").json["objection"] == linked
    first = box.desk.get(where, query_string={"limit": 1}).json
    (seen,) = box.desk.get(where, query_string={"cursor": first["next_cursor"]}).json["items"]
    assert (len(first["items"]), seen["about"]) == (1, "roll")
    assert (seen["ticket_id"], seen["about"], seen["status"]) == (made.json["ticket_id"], "roll", "received")
    assert zhang.get(where).json["items"][0]["number"] == ticket["number"]
    assert row.objections_until is not None
    box.reach(row.objections_until)
    box.again(zhang)
    assert zhang.post(where, body | {"text": "又"}).json["code"] == "objections_over"


@pytest.fixture
def with_template() -> Iterator[None]:
    """The installation has a WeChat template for votes."""
    before = messaging.template_ids()
    messaging.configure(before | {"decision_notice": TEMPLATE})
    yield
    messaging.configure(before)


def test_owners_are_told_once_of_each_step_and_only_who_has_not_voted_is_reminded(
    box: BallotBox, with_template: None
) -> None:
    zhang, li = box.houses(10_000, 20_000)
    tenant = box.log_in()
    box.house.order("subscribe", name=zhang.name, template_id=TEMPLATE, result="accept")
    box.work()
    vote = box.announced()
    box.work()
    assert told(zhang) == ["decision_announced"]
    assert told(tenant) == []
    text = zhang.get("/inbox").json["items"][0]["text"]
    assert "《业主大会》" in text
    assert "不具有法律效力" in text
    sent = box.house.ledger(zhang.name)
    assert [m["data"]["phrase2"] for m in sent] == ["已公告"]
    assert sent[0]["page"] == f"pages/decision/detail?id={vote.id}"
    vote.open()
    box.work()
    box.again(zhang, li)
    assert told(zhang) == ["decision_opened", "decision_announced"]
    choices = {vote.motions[0]: "for"}
    assert zhang.call("PUT", f"/decisions/{vote.id}/ballot", json={"choices": choices}).status_code == 201
    assert vote.go("reminders").status_code == 204
    assert vote.go("reminders").json["code"] == "reminded_today"
    box.work()
    assert told(zhang).count("decision_reminder") == 0
    assert told(li).count("decision_reminder") == 1
    # A day before the end by itself, to whom it still concerns.
    row = vote.row
    assert row.closes_at is not None
    box.reach(row.closes_at - timedelta(hours=23))
    box.work()
    box.again(zhang, li)
    assert told(zhang).count("decision_reminder") == 0
    assert told(li).count("decision_reminder") == 2
    vote.close()
    box.again(li)
    assert box.town.staff("community").post(f"/decisions/{vote.id}/reminders").json["code"] == "illegal_move"


def test_staff_see_whom_nobody_reached_and_enter_their_visits(box: BallotBox) -> None:
    (zhang,) = box.houses(10_000)
    box.flat("901", owner(), area=8_000)
    box.flat("902", owner(), area=8_000)
    vote = box.opened()
    heads = vote.heads()
    where = f"/decisions/{vote.id}"
    doors = box.desk.get(f"{where}/visit-list").json["items"]
    assert [(d["label"], d["why"]) for d in doors] == [("1栋901", ["unreached"]), ("1栋902", ["unreached"])]

    def told(who: Caller, way: str, *named: str, **more: Any) -> Any:
        return who.post(f"{where}/{way}", {"head_ids": list(named), "file_ids": [paper(who)]} | more)

    keeper, grid = box.town.staff("property"), box.town.staff("grid")
    assert told(keeper, "visits", heads["1栋901"]).status_code == 403
    assert told(grid, "visits", heads["1栋901"], file_ids=[]).status_code == 422
    visit = told(grid, "visits", heads["1栋901"])
    assert (visit.status_code, visit.json["status"], visit.json["labels"]) == (201, "entered", ["1栋901"])
    # A notice is for whom nothing else reaches: not who was visited, not who reads messages.
    for reached in ("1栋901", "1栋101"):
        refused = told(box.desk, "posted-notices", heads["1栋902"], heads[reached])
        assert (refused.status_code, refused.json["code"]) == (409, "reached_otherwise")
    notice = told(box.desk, "posted-notices", heads["1栋902"]).json
    foreign = encode(Kind.HEAD, Ref(box.town.b.id, vote.ref.id))
    assert told(grid, "visits", foreign).status_code == 404
    assert box.desk.get(f"{where}/visit-list").json["items"] == []
    # Proof it is once somebody else has read the receipt, or seen the notice.
    assert box.desk.get(f"{where}/deliveries").json["items"] == []
    entry = f"/delivery-entries/{visit.json['entry_id']}"
    assert grid.post(f"{entry}/confirm", {}).status_code == 403
    assert box.desk.post(f"{entry}/content", {}).data[:5] == b"%PDF-"
    assert box.desk.post(f"{entry}/confirm", {}).json["status"] == "confirmed"
    assert box.desk.post(f"{entry}/confirm", {}).json["code"] == "illegal_move"
    assert box.desk.post(f"{entry}/content", {}).status_code == 409
    own = f"/delivery-entries/{notice['entry_id']}"
    assert box.desk.post(f"{own}/confirm", {}).json["code"] == "second_person"
    assert box.reviewer.post(f"{own}/confirm", {}).status_code == 200
    proofs = box.desk.get(f"{where}/deliveries").json
    assert [(p["label"], p["way"]) for p in proofs["items"]] == [("1栋901", "visit"), ("1栋902", "posted")]
    totals = {"wechat": 0, "sms": 0, "visit": 1, "login": 0, "posted": 1, "any": 2, "none": 1}
    assert proofs["totals"] == totals
    box.again(zhang)
    asked = zhang.post(f"{where}/paper-request", {"wants": "visit"})
    assert asked.status_code in {200, 201}, asked.text
    assert [d["why"] for d in box.desk.get(f"{where}/visit-list").json["items"]] == [["visit"]]
    third = told(grid, "visits", heads["1栋101"]).json["entry_id"]
    assert box.desk.get(f"{where}/visit-list").json["items"] == []
    # One whose papers don't show it proves nothing.
    refuse = f"/delivery-entries/{third}/refuse"
    assert box.desk.post(refuse, {"reason": ""}).status_code == 422
    assert box.desk.post(refuse, {"reason": "没有签字"}).json["status"] == "refused"
    waiting = box.desk.get(f"{where}/delivery-entries?status=entered").json["items"]
    assert (waiting, box.desk.get(f"{where}/deliveries").json["totals"]["visit"]) == ([], 1)
    late = told(grid, "visits", heads["1栋101"]).json["entry_id"]
    vote.close()
    assert box.desk.post(f"/delivery-entries/{late}/confirm", {}).json["code"] == "illegal_move"


def test_a_notice_that_hangs_for_less_than_seven_days_reaches_nobody(box: BallotBox) -> None:
    box.flat("902", owner(), area=8_000)
    vote = box.opened()
    box.reach(clock.now() + timedelta(days=1))
    body = {"head_ids": list(vote.heads().values()), "file_ids": [paper(box.desk)]}
    late = box.desk.post(f"/decisions/{vote.id}/posted-notices", body)
    assert (late.status_code, late.json["code"]) == (409, "posted_late")
    assert box.desk.get(f"/decisions/{vote.id}/deliveries").json["items"] == []


def test_a_login_or_a_message_is_proof_only_where_the_rules_say_so(
    box: BallotBox, with_template: None
) -> None:
    zhang, li = box.houses(10_000, 20_000)
    plain = box.announced()
    box.rules(login_is_delivery=True, message_is_delivery=True)
    vote = box.announced().open()
    plain.tick()
    plain.tick()
    box.house.order("subscribe", name=li.name, template_id=TEMPLATE, result="accept")
    box.work()
    box.again(zhang, li)
    for decision in (plain, vote):
        assert zhang.get(f"/decisions/{decision.id}").status_code == 200
    row = vote.row
    assert row.closes_at is not None
    extended = {"closes_at": clock.rfc3339(row.closes_at + timedelta(days=2)), "reason": "参与不足"}
    assert vote.go("extend", extended).status_code == 200
    box.work()
    box.reach(clock.now() + timedelta(hours=3))
    box.work()
    ways = [(p["label"], p["way"]) for p in box.desk.get(f"/decisions/{vote.id}/deliveries").json["items"]]
    assert ways == [("1栋101", "login"), ("1栋102", "wechat")]
    assert box.desk.get(f"/decisions/{plain.id}/deliveries").json["items"] == []


@pytest.mark.parametrize(("code", "word", "proven"), [("0", "success", True), ("-1", "system failed", False)])
def test_what_wechat_took_and_did_not_deliver_is_no_proof(
    box: BallotBox, with_template: None, code: str, word: str, proven: bool
) -> None:
    (li,) = box.houses(20_000)
    box.rules(message_is_delivery=True)
    vote = box.announced().open()
    box.house.order("subscribe", name=li.name, template_id=TEMPLATE, result="accept")
    box.work()
    row = vote.row
    assert row.closes_at is not None
    extended = {"closes_at": clock.rfc3339(row.closes_at + timedelta(days=2)), "reason": "参与不足"}
    assert vote.go("extend", extended).status_code == 200
    sent_at = int(clock.now().timestamp())
    told = {"TemplateId": TEMPLATE, "MsgID": "1", "ErrorCode": code, "ErrorStatus": word}
    fields = {"CreateTime": sent_at, "List": told}
    # It may be here before our own record of the sending.
    box.house.order("push", name=li.name, event="subscribe_msg_sent_event", fields=fields)
    box.work()
    box.reach(clock.now() + timedelta(minutes=1))
    box.work()
    box.reach(clock.now() + timedelta(hours=3))
    box.work()
    items = box.desk.get(f"/decisions/{vote.id}/deliveries").json["items"]
    assert [item["way"] for item in items] == (["wechat"] if proven else [])


def test_who_is_under_review_is_told_nothing_by_her_login(box: BallotBox) -> None:
    zhang, li = box.houses(10_000, 20_000)
    box.rules(login_is_delivery=True)
    vote = box.opened()
    with db.transaction() as session:
        session.query(Membership).filter(
            Membership.community_id == vote.ref.community_id, Membership.resident_id == zhang.id
        ).update({"review": Review.OBJECTED}, synchronize_session=False)
    box.again(zhang, li)
    for who in (zhang, li):
        assert who.get(f"/decisions/{vote.id}").status_code == 200
    told = box.desk.get(f"/decisions/{vote.id}/deliveries").json["items"]
    assert [(d["label"], d["way"]) for d in told] == [("1栋102", "login")]


def test_the_roll_is_listed_by_rooms_with_its_totals_and_no_names(box: BallotBox) -> None:
    box.houses(10_000, 20_000)
    box.houses(5_000, building="2栋")
    vote = box.announced().freeze()
    where = f"/decisions/{vote.id}/roll"
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = box.desk.get(where, query_string={"limit": 2, "cursor": cursor}).json
        seen += [row["label"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["1栋101", "1栋102", "2栋101"]
    assert page["totals"] == {"heads": 3, "area_centi": 35_000}
    building = page["items"][0]["building_id"]
    of_one = box.desk.get(where, query_string={"building_id": building}).json
    assert of_one["totals"] == {"heads": 1, "area_centi": 5_000}
    assert "业主" not in box.desk.get(where).text
    # The auditor reads openings by head: she is never told which rooms a head has.
    auditor = box.town.staff("auditor")
    for of_rooms in ("roll", "deliveries", "visit-list"):
        assert auditor.get(f"/decisions/{vote.id}/{of_rooms}").status_code == 403


def test_owners_of_a_fifth_of_heads_and_area_start_a_draft(box: BallotBox) -> None:
    people = box.houses(*[10_000] * 9, 30_000)
    box.flat("999", owner(), area=None)
    weak = box.resident(box.flat("998", owner(), area=2_000), level=Level.WEAK)
    body = {
        "estate_id": box.town.a.estate_id,
        "title": "召开业主大会",
        "text": "讨论更换物业",
        "motions": [MOTION],
    }
    assert weak.post("/petitions", body).json["code"] == "weak_identity"
    assert box.log_in().post("/petitions", body).status_code == 404
    started = people[0].post("/petitions", body)
    assert started.status_code == 201, started.text
    petition = started.json["petition_id"]
    assert (started.json["support"]["heads"], started.json["support"]["total_heads"]) == (1, 12)
    assert people[0].post(f"/petitions/{petition}/sign").json["code"] == "already_signed"
    # 2 of 12 heads, 40,000 of 122,000: enough area, not enough heads.
    assert people[9].post(f"/petitions/{petition}/sign").json["status"] == "open"
    # Within the hour it isn't counted anew, but for what would be enough.
    box.flat("997", owner(), area=1_000)
    assert people[3].get(f"/petitions/{petition}").json["support"] == {
        "heads": 2,
        "total_heads": 12,
        "area_centi": 40_000,
        "total_area_centi": 122_000,
    }
    done = people[1].post(f"/petitions/{petition}/sign").json
    assert (done["support"]["total_heads"], done["support"]["total_area_centi"]) == (13, 123_000)
    assert (done["status"], done["support"]["heads"], done["signed"]) == ("reached", 3, True)
    assert people[2].post(f"/petitions/{petition}/sign").json["code"] == "petition_over"
    (draft,) = box.desk.get("/decisions").json["items"]
    assert (draft["title"], draft["status"]) == ("召开业主大会", "draft")
    seen = box.desk.get(f"/decisions/{draft['decision_id']}").json
    assert (seen["petition_id"], seen["motions"][0]["matter"]) == (petition, 4)
    assert people[3].get("/petitions", query_string={"estate_id": box.town.a.estate_id}).json["items"][0][
        "status"
    ] == ("reached")


def test_a_petition_runs_out_and_only_its_starter_takes_it_back(box: BallotBox) -> None:
    people = box.houses(*[10_000] * 6)
    body = {"estate_id": box.town.a.estate_id, "title": "开会", "motions": [MOTION]}
    first = people[0].post("/petitions", body).json["petition_id"]
    assert people[1].post(f"/petitions/{first}/withdraw").status_code == 404
    assert people[0].post(f"/petitions/{first}/withdraw").json["status"] == "withdrawn"
    second = people[0].post("/petitions", body).json["petition_id"]
    box.later(days=61)
    box.again(*people[:2])
    assert people[1].get(f"/petitions/{second}").json["status"] == "expired"
    assert people[1].post(f"/petitions/{second}/sign").json["code"] == "petition_over"


@pytest.mark.parametrize(
    ("heads", "total", "area", "whole", "enough"),
    [
        (1, 5, 20, 100, True),
        (1, 6, 50, 100, False),
        (3, 5, 19_999, 100_000, False),
        (0, 0, 0, 0, False),
        (2, 10, 20, 100, True),
    ],
)
def test_a_fifth_is_a_fifth_of_both(heads: int, total: int, area: int, whole: int, enough: bool) -> None:
    assert petitions.Support(heads, total, area, whole).is_enough is enough


def test_closing_an_account_takes_the_person_out_of_votes_and_leaves_the_ballot(box: BallotBox) -> None:
    zhang, li = box.houses(10_000, 20_000)
    body = {"estate_id": box.town.a.estate_id, "title": "开会", "motions": [MOTION]}
    petition = Ref(box.town.a.id, box.town.a.estate.id)
    started = zhang.post("/petitions", body)
    assert started.status_code == 201, started.text
    vote = box.announced()
    zhang.post(f"/decisions/{vote.id}/objections", {"about": "roll", "text": "面积不对"})
    vote.open()
    box.again(zhang, li)
    choices = {vote.motions[0]: "against"}
    assert zhang.call("PUT", f"/decisions/{vote.id}/ballot", json={"choices": choices}).status_code == 201
    copy = zhang.get("/me/export").json["sections"]
    assert [b["choices"] for b in copy["ballots"]] == [choices]
    assert {item["what"] for item in copy["votes"]} == {"objection", "petition"}
    assert "against" not in li.get("/me/export").text
    gone = zhang.delete("/me")
    assert gone.status_code in {200, 204}, gone.text
    with db.reading() as session:
        rows = session.query(Petition).filter(Petition.community_id == petition.community_id).all()
        assert [row.started_by for row in rows] == [None]
    assert vote.see()["heads"] == 2
    (seen,) = box.desk.get(f"/decisions/{vote.id}/objections").json["items"]
    assert seen["about"] == "roll"
