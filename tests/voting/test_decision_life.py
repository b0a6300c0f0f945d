"""A decision from its draft to the archive, by its clock and by its staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock, db
from app.audit import SYSTEM
from app.ids import Kind, Ref, encode
from app.places.registry_models import HoldingState, HouseKind
from app.voting import boards, queries, roll, verify
from app.voting.ledger_models import BallotLeaf
from tests.conftest import Person
from tests.memberships.conftest import paper
from tests.voting.conftest import MOTION, BallotBox, candidate, company, owner


def test_a_decision_is_drafted_reviewed_announced_opened_and_closed_by_its_clock(box: BallotBox) -> None:
    box.houses(10_000, 20_000)
    vote = box.announced()
    assert vote.body["status"] == "announced"
    assert vote.see()["objections_until"] is not None
    vote.open()
    seen = vote.see()
    assert (seen["status"], seen["heads"], seen["area_centi"]) == ("open", 2, 30_000)
    vote.close()
    # A poll is counted as soon as its ballots are opened, and posted then.
    assert vote.see()["status"] == "posted"
    kinds = [event["kind"] for event in vote.see()["timeline"]]
    assert kinds == ["created", "submitted", "reviewed", "announced", "frozen", "opened", "closed", "posted"]


def test_the_roll_counts_heads_as_the_law_does(box: BallotBox) -> None:
    zhang, li, wang = owner("张三"), owner("李四"), owner("王五")
    first = box.flat("101", zhang, area=9_000)
    box.flat("102", zhang, area=12_000)
    box.flat("103", li, wang, area=10_000, voter=1)
    box.flat("104", owner(), owner(), area=10_000)
    dev = company("青山置业有限公司")
    box.flat("201", dev, area=8_000, state=HoldingState.UNSOLD)
    box.flat("202", dev, area=8_000, state=HoldingState.UNSOLD)
    box.flat("1", zhang, area=3_000, kind=HouseKind.PARKING, building="")
    vote = box.announced().freeze()
    heads = {row.label: row for row in vote.head_rows()}
    assert {label: (row.area_centi, row.houses) for label, row in heads.items()} == {
        "1栋101、1栋102": (21_000, 2),
        "1栋103": (10_000, 1),
        "1栋104": (10_000, 1),
        "1栋201、1栋202": (16_000, 2),
    }
    assert heads["1栋101、1栋102"].voter_id == box.owner_of(first)
    assert heads["1栋104"].voter_id is None
    assert [row.label for row in heads.values() if row.is_developer] == ["1栋201、1栋202"]
    assert vote.see()["heads"] == 4
    leaves = sorted(heads.values(), key=lambda row: row.number)
    hashes = [
        verify.leaf_hash(
            verify.canonical(
                verify.roll_entry(number=row.number, tag=row.tag_hash.hex(), area_centi=row.area_centi)
            )
        )
        for row in leaves
    ]
    assert vote.see()["roll_root"] == verify.root_of(hashes).hex()


def test_what_was_announced_is_fixed(box: BallotBox) -> None:
    box.houses(10_000)
    vote = box.announced()
    tag = {"If-Match": "*"}
    closes_at = clock.rfc3339(clock.now() + timedelta(days=40))
    for body in (
        {"text": "另一个说法"},
        {"closes_at": closes_at},
        {"motions": [MOTION]},
        {"building_ids": None},
    ):
        answer = box.desk.patch(f"/decisions/{vote.id}", body, headers=tag)
        assert (answer.status_code, answer.json["code"]) == (409, "already_announced")
    # The estate's new rules are for the next decision.
    box.rules(change_allowed=True)
    assert vote.see()["rules"]["change_allowed"] is False
    assert box.draft().see()["rules"]["change_allowed"] is True


def test_a_draft_is_edited_by_who_has_seen_it(box: BallotBox) -> None:
    vote = box.draft(MOTION, MOTION | {"title": "使用维修资金", "matter": 5})
    assert box.desk.patch(f"/decisions/{vote.id}", {"title": "新"}).status_code == 428
    stale = box.desk.patch(f"/decisions/{vote.id}", {"title": "新"}, headers={"If-Match": '"99"'})
    assert stale.status_code == 412
    second, first = vote.motions[1], vote.motions[0]
    swapped = [
        {"motion_id": second, "title": "使用维修资金", "matter": 5},
        {"motion_id": first} | MOTION,
        MOTION | {"title": "其他", "matter": 9},
    ]
    done = box.desk.patch(
        f"/decisions/{vote.id}", {"title": "新", "motions": swapped}, headers={"If-Match": '"1"'}
    )
    assert done.status_code == 200, done.text
    assert [m["motion_id"] for m in done.json["motions"]][:2] == [second, first]
    assert (done.json["title"], done.json["version"]) == ("新", 2)
    other = box.draft()
    foreign = box.desk.patch(
        f"/decisions/{vote.id}",
        {"motions": [{"motion_id": other.motions[0]} | MOTION]},
        headers={"If-Match": "*"},
    )
    assert (foreign.status_code, foreign.json["code"]) == (422, "bad_motions")
    vote.go("submit")
    busy = box.desk.patch(f"/decisions/{vote.id}", {"title": "又"}, headers={"If-Match": "*"})
    assert (busy.status_code, busy.json["code"]) == (409, "in_review")


def test_a_second_person_reviews_and_sends_back_with_a_reason(box: BallotBox) -> None:
    vote = box.draft()
    assert vote.go("announce", {}).json["code"] == "illegal_move"
    assert vote.go("submit").status_code == 200
    assert vote.go("announce", {}).json["code"] == "illegal_move"
    own = vote.go("review", {"passed": True})
    assert (own.status_code, own.json["code"]) == (403, "second_person")
    silent = vote.go("review", {"passed": False}, box.reviewer)
    assert (silent.status_code, silent.json["code"]) == (422, "reason_needed")
    back = vote.go("review", {"passed": False, "reason": "议题不明确"}, box.reviewer)
    assert (back.status_code, back.json["status"]) == (200, "draft")
    assert back.json["timeline"][-1]["details"] == {"reason": "议题不明确"}
    # What was passed once isn't passed any more after it came back.
    vote.go("submit")
    assert vote.see()["reviewed"] is False
    assert vote.go("review", {"passed": True}, box.reviewer).json["reviewed"] is True
    assert vote.go("announce", {}).status_code == 200


def test_the_committee_drafts_and_nothing_more(box: BallotBox) -> None:
    committee = box.town.staff("committee")
    opens_at = clock.now() + timedelta(days=16)
    body = {
        "estate_id": box.town.a.estate_id,
        "kind": "meeting",
        "title": "业主大会",
        "motions": [MOTION],
        "opens_at": clock.rfc3339(opens_at),
        "closes_at": clock.rfc3339(opens_at + timedelta(days=7)),
    }
    made = committee.post("/decisions", body)
    assert made.status_code == 201, made.text
    where = f"/decisions/{made.json['decision_id']}"
    assert committee.post(f"{where}/submit").status_code == 200
    for move, more in (
        ("review", {"passed": True}),
        ("announce", {}),
        ("open", None),
        ("close", None),
        ("cancel", {"reason": "不办了"}),
    ):
        assert committee.post(f"{where}/{move}", more).status_code == 403
    for role in ("property", "property_worker"):
        assert box.town.staff(role).get(where).status_code in {403, 404}
    assert box.town.staff("community", box.town.b).get(where).status_code == 404


def test_notice_and_window_are_those_of_the_law(box: BallotBox) -> None:
    vote = box.reviewed()
    now = clock.now()

    def announce(after: float, days: float) -> tuple[int, str]:
        opens_at = now + timedelta(days=after)
        answer = vote.go(
            "announce",
            {
                "opens_at": clock.rfc3339(opens_at),
                "closes_at": clock.rfc3339(opens_at + timedelta(days=days)),
            },
        )
        return answer.status_code, (answer.json or {}).get("code", "")

    assert announce(14, 7) == (422, "notice_too_short")
    assert announce(-1, 60) == (422, "times_missing")
    assert announce(16, -1) == (422, "times_missing")
    assert announce(16, 4.99) == (422, "bad_window")
    assert announce(16, 60.01) == (422, "bad_window")
    assert announce(15, 5) == (200, "")


def test_motions_fit_the_kind_of_decision(box: BallotBox) -> None:
    def drafted(kind: str, *motions: dict[str, Any]) -> tuple[int, str]:
        body = {"estate_id": box.town.a.estate_id, "kind": kind, "title": "表决", "motions": list(motions)}
        answer = box.desk.post("/decisions", body)
        return answer.status_code, (answer.json or {}).get("code", "")

    bare = {"title": "加装电梯"}
    assert drafted("meeting", bare) == (422, "bad_motions")
    assert drafted("meeting", bare | {"matter": 10})[0] == 422
    assert drafted("poll", bare | {"matter": 7}) == (422, "bad_motions")
    assert drafted("poll", bare) == (201, "")
    assert drafted("election", bare | {"matter": 3}) == (422, "bad_motions")
    assert drafted("election", bare | {"matter": 4, "seats": 5}) == (422, "bad_motions")
    assert drafted("election", bare | {"matter": 3, "seats": 5}) == (201, "")
    assert drafted("meeting", bare | {"matter": 3, "seats": 5}) == (422, "bad_motions")


def test_who_wrote_at_a_draft_does_not_review_it(box: BallotBox) -> None:
    vote = box.draft()
    edited = box.reviewer.patch(f"/decisions/{vote.id}", {"title": "改过的标题"}, headers={"If-Match": "*"})
    assert edited.status_code == 200, edited.text
    assert vote.go("submit").status_code == 200
    refused = vote.go("review", {"passed": True}, box.reviewer)
    assert (refused.status_code, refused.json["code"]) == (403, "second_person")
    assert vote.go("review", {"passed": True}, box.town.staff("street")).status_code == 200


def test_an_election_needs_more_candidates_than_seats_with_their_posting_over(box: BallotBox) -> None:
    box.allow()
    vote = box.draft({"title": "选举业委会", "matter": 3, "seats": 2}, kind="election")
    candidate(vote, "张三")
    candidate(vote, "李四")
    vote.go("submit")
    vote.go("review", {"passed": True}, box.reviewer)
    assert vote.go("announce", {}).json["code"] == "too_few_candidates"
    candidate(vote, "王五", status="nominated")
    assert vote.go("announce", {}).json["code"] == "candidates_not_final"
    with db.transaction() as session:
        for row in queries.candidates_of(vote.ref, statuses=("nominated",)):
            row.status = "accepted"
            session.add(row)
    done = vote.go("announce", {})
    assert done.status_code == 200, done.text
    with db.reading():
        assert sorted(c.number or 0 for c in queries.candidates_of(vote.ref)) == [1, 2, 3]


def test_only_the_street_gives_votes_a_legal_effect_by_a_document(box: BallotBox) -> None:
    where = f"/estates/{box.town.a.estate_id}/voting-mode"
    assert box.desk.post(where, {"mode": "paper_backed", "document": "文件"}).status_code == 403
    street = box.town.staff("street")
    bare = street.post(where, {"mode": "paper_backed"})
    assert (bare.status_code, bare.json["code"]) == (422, "document_missing")
    assert box.draft().body["legal_mode"] == "poll"
    refused = box.desk.post(
        "/decisions",
        {
            "estate_id": box.town.a.estate_id,
            "kind": "meeting",
            "title": "业主大会",
            "motions": [MOTION],
            "legal_mode": "paper_backed",
        },
    )
    assert (refused.status_code, refused.json["code"]) == (409, "mode_not_allowed")
    named = {"mode": "paper_backed", "document": "渝建〔2026〕1号"}
    only_named = street.post(where, named)
    assert (only_named.status_code, only_named.json["code"]) == (422, "document_missing")
    assert street.post(where, named | {"file_ids": [paper(street)]}).status_code == 201
    assert "书面表决票" in box.draft().body["legal_mode_text"]
    assert box.draft({"title": "停车"}, kind="poll").body["legal_mode"] == "poll"
    vote = box.reviewed()
    street.post(where, {"mode": "poll"})
    assert vote.go("announce", {}).json["code"] == "mode_not_allowed"


def test_rules_that_rest_on_the_owners_own_text_name_it(box: BallotBox) -> None:
    where = f"/estates/{box.town.a.estate_id}/procedure-rules"
    street = box.town.staff("street")
    bare = street.post(where, {"rules": {"electronic_admitted": True}})
    assert (bare.status_code, bare.json["code"]) == (422, "document_missing")
    named = {"document": "议事规则", "clause": "第十二条", "adopted_on": "2026-01-01"}
    only_named = street.post(where, named | {"rules": {"electronic_admitted": True}})
    assert (only_named.status_code, only_named.json["code"]) == (422, "document_missing")
    assert street.post(where, {"rules": {"notice_days": 3}}).status_code == 422
    assert street.post(where, {"rules": {"threshold": "1/2"}}).status_code == 422
    box.rules(electronic_admitted=True)
    box.rules(window_days_min=10)
    now = box.desk.get(where).json
    assert (now["version"], now["rules"]["electronic_admitted"], now["rules"]["window_days_min"]) == (
        2,
        True,
        10,
    )
    assert box.desk.post(where, {"rules": {}}).status_code == 403


def test_the_roll_is_frozen_once_and_later_changes_do_not_touch_it(box: BallotBox) -> None:
    flat = box.flat("101", owner("张三"))
    vote = box.announced().freeze()
    before = vote.see()
    sold = box.desk.post(
        f"/houses/{encode(Kind.HOUSE, flat)}/transfer", {"owners": [{"name": "李四", "phone": "13711112222"}]}
    )
    assert sold.status_code == 200, sold.text
    box.flat("102", owner())
    with db.transaction():
        roll.freeze(vote.ref, acting_user=SYSTEM)
    after = vote.see()
    assert (
        (after["heads"], after["roll_root"])
        == (before["heads"], before["roll_root"])
        == (1, before["roll_root"])
    )


def test_a_freeze_by_hand_waits_for_the_objections(box: BallotBox) -> None:
    box.houses(10_000)
    vote = box.announced()
    early = vote.go("open")
    assert (early.status_code, early.json["code"]) == (409, "too_early")
    assert box.desk.get(f"/decisions/{vote.id}/opening").json["state"] == "waiting"
    box.reach(clock.now() + timedelta(days=9))
    asked = vote.go("open")
    assert asked.status_code == 202
    assert box.desk.get(f"/decisions/{vote.id}/opening").json["state"] == "working"
    box.work()
    assert box.desk.get(f"/decisions/{vote.id}/opening").json["state"] == "done"
    # Frozen early, it still opens at its announced time.
    assert vote.see()["status"] == "announced"
    assert vote.tick().status == "announced"


def test_a_missing_freeze_shifts_the_window_and_never_shortens_it(box: BallotBox) -> None:
    (zhang,) = box.houses(10_000)
    vote = box.announced()
    was = vote.row
    assert was.opens_at is not None
    assert was.closes_at is not None
    box.reach(was.opens_at + timedelta(hours=3, seconds=20))
    # Nobody was there to freeze it in time.
    assert vote.see()["status"] == "announced"
    vote.tick()
    now = vote.row
    assert now.opens_at is not None
    assert now.closes_at is not None
    assert now.opens_at - was.opens_at == timedelta(hours=3, minutes=1)
    assert now.closes_at - now.opens_at == was.closes_at - was.opens_at
    box.again(zhang)
    assert "decision_shifted" in told(zhang)
    box.reach(now.opens_at)
    assert vote.tick().status == "open"


def test_a_roll_that_takes_past_the_opening_shifts_the_window_too(
    box: BallotBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.houses(10_000)
    vote = box.announced()
    was = vote.row
    assert was.opens_at is not None
    assert was.closes_at is not None
    write = roll._write

    def slowly(*args: Any) -> bytes:
        box.later(minutes=40)
        return write(*args)

    monkeypatch.setattr(roll, "_write", slowly)
    vote.freeze()
    now = vote.row
    assert now.opens_at is not None
    assert now.closes_at is not None
    assert now.frozen_at is not None
    assert now.opens_at > now.frozen_at > was.opens_at
    assert now.closes_at - now.opens_at == was.closes_at - was.opens_at


def test_reads_know_the_time_also_when_no_worker_runs(box: BallotBox) -> None:
    (zhang,) = box.houses(10_000)
    vote = box.announced().freeze()
    row = vote.row
    assert row.opens_at is not None
    assert row.closes_at is not None
    box.reach(row.opens_at)
    assert vote.see()["status"] == "open"
    box.reach(row.closes_at)
    box.again(zhang)
    assert vote.see()["status"] == "closed"
    assert zhang.get(f"/decisions/{vote.id}").json["status"] == "closed"
    assert vote.row.status == "announced"
    # A worker that comes late does it all.
    assert vote.tick().status == "posted"


def test_it_closes_early_only_when_all_have_cast(box: BallotBox) -> None:
    zhang, li = box.houses(10_000, 20_000)
    vote = box.opened()
    early = vote.go("close")
    assert (early.status_code, early.json["code"]) == (409, "too_early")
    box.again(zhang, li)
    for who in (zhang, li):
        assert vote.go("close").json["code"] == "too_early"
        cast = who.call("PUT", f"/decisions/{vote.id}/ballot", json={"choices": {vote.motions[0]: "for"}})
        assert cast.status_code == 201, cast.text
    assert vote.go("close").json["status"] == "closed"


def test_it_is_extended_once_before_it_closes_and_everybody_hears_of_it(box: BallotBox) -> None:
    (zhang,) = box.houses(10_000)
    vote = box.opened()
    row = vote.row
    assert row.closes_at is not None
    later = {"closes_at": clock.rfc3339(row.closes_at + timedelta(days=3)), "reason": "参与人数不足"}
    assert vote.go("extend", later | {"reason": ""}).json["code"] == "reason_needed"
    for days in (-1, 0, 31):
        wrong = vote.go("extend", later | {"closes_at": clock.rfc3339(row.closes_at + timedelta(days=days))})
        assert (wrong.status_code, wrong.json["code"]) == (422, "bad_extension")
    done = vote.go("extend", later)
    assert done.status_code == 200, done.text
    assert done.json["announced_closes_at"] == clock.rfc3339(row.closes_at)
    assert vote.go("extend", later).json["code"] == "no_extension"
    box.work()
    box.again(zhang)
    assert "decision_extended" in told(zhang)
    with db.reading() as session:
        leaves = session.scalars(
            select(BallotLeaf.leaf)
            .where(BallotLeaf.community_id == vote.ref.community_id, BallotLeaf.decision_id == vote.ref.id)
            .order_by(BallotLeaf.leaf_index)
        ).all()
    assert '"type":"notice"' in leaves[-1]
    assert "extended" in leaves[-1]
    box.reach(row.closes_at + timedelta(hours=1))
    assert vote.tick().status == "open"
    vote.close()
    assert vote.go("extend", later).json["code"] == "illegal_move"


def test_an_extension_that_the_rules_do_not_allow_is_refused(box: BallotBox) -> None:
    box.rules(may_extend=False)
    box.houses(10_000)
    vote = box.opened()
    assert vote.row.closes_at is not None
    closes_at = clock.rfc3339(vote.row.closes_at + timedelta(days=1))
    assert vote.go("extend", {"closes_at": closes_at, "reason": "x"}).json["code"] == "no_extension"


def test_a_cancelled_decision_says_why_and_takes_no_ballot(box: BallotBox) -> None:
    (zhang,) = box.houses(10_000)
    vote = box.opened()
    assert vote.go("cancel", {}).json["code"] == "reason_needed"
    assert vote.go("cancel", {"reason": "公告有误"}).json["status"] == "cancelled"
    file = box.house.app.test_client().get(f"/public/v1/decisions/{vote.id}/file")
    assert (file.status_code, (file.json or {})["result"]) == (200, None)
    with db.reading():
        about, size = boards.sealed_file(vote.ref)
        assert about["cancelled_at"]
        assert (about["result"], '"what":"cancelled"' in boards.leaves(vote.ref, size - 1, size - 1)[0]) == (
            None,
            True,
        )
    box.work()
    box.again(zhang)
    assert told(zhang)[0] == "decision_cancelled"
    seen = zhang.get(f"/decisions/{vote.id}").json
    assert (seen["status"], seen["cancel_reason"]) == ("cancelled", "公告有误")
    cast = zhang.call("PUT", f"/decisions/{vote.id}/ballot", json={"choices": {vote.motions[0]: "for"}})
    assert (cast.status_code, cast.json["code"]) == (409, "cancelled")
    assert vote.go("cancel", {"reason": "又"}).json["code"] == "illegal_move"
    assert vote.tick().status == "cancelled"
    # The next try names it.
    again = box.draft(previous_id=vote.id)
    assert again.body["previous_id"] == vote.id
    running = box.announced()
    wrong = box.desk.patch(f"/decisions/{again.id}", {"previous_id": running.id}, headers={"If-Match": "*"})
    assert (wrong.status_code, wrong.json["code"]) == (422, "bad_previous")


def test_a_decision_that_is_cancelled_after_its_close_stays_sealed(box: BallotBox) -> None:
    (zhang,) = box.houses(10_000)
    box.allow()
    box.rules(electronic_admitted=True, disclosure="by_room_to_owners")
    vote = box.opened()
    box.again(zhang)
    choices = {"choices": {vote.motions[0]: "for"}}
    assert zhang.call("PUT", f"/decisions/{vote.id}/ballot", json=choices).status_code == 201
    vote.close()
    box.work()
    assert vote.go("cancel", {"reason": "公告有误"}).json["status"] == "cancelled"
    public = box.house.app.test_client()
    file = public.get(f"/public/v1/decisions/{vote.id}/file")
    assert (file.status_code, (file.json or {})["result"]) == (200, None)
    assert (file.json or {})["cancelled_at"] is not None
    box.again(zhang)
    auditor = box.town.hire("auditor", box.town.a)
    assert auditor.get(f"/decisions/{vote.id}/openings").json["code"] == "not_opened"
    assert zhang.get(f"/decisions/{vote.id}/openings").status_code in {404, 409}
    assert zhang.get(f"/decisions/{vote.id}/result").json["code"] == "not_certified"
    assert box.reviewer.post(f"/decisions/{vote.id}/certify").status_code == 409
    assert zhang.get(f"/decisions/{vote.id}/ballot").json["opening"]["choices"] == choices["choices"]


def test_a_poll_is_posted_when_it_is_counted_and_archived_after_its_days(box: BallotBox) -> None:
    (zhang,) = box.houses(10_000)
    vote = box.opened({"title": "小区门禁时间"}, kind="poll")
    vote.close()
    box.work()
    assert vote.tick().status == "posted"
    box.work()
    box.again(zhang)
    assert told(zhang)[0] == "decision_result"
    until = vote.row.posted_until
    assert until is not None
    assert until - clock.now() > timedelta(days=15)
    objection = zhang.post(f"/decisions/{vote.id}/objections", {"about": "result", "text": "票数不对"})
    assert objection.status_code == 201, objection.text
    box.reach(until)
    # Not while somebody's objection to the result is open.
    assert vote.tick().status == "posted"
    answered = box.desk.post(f"/tickets/{objection.json['ticket_id']}/reject", {"reason": "已核对无误"})
    assert answered.status_code == 200, answered.text
    assert vote.tick().status == "archived"


def test_a_decision_of_some_buildings_has_their_heads(box: BallotBox) -> None:
    box.houses(10_000, 10_000)
    box.houses(8_000, building="2栋")
    building = next(
        b["building_id"]
        for b in box.desk.get("/buildings", query_string={"estate_id": box.town.a.estate_id}).json["items"]
        if b["name"] == "2栋"
    )
    vote = box.announced(building_ids=[building]).freeze()
    assert (vote.see()["heads"], vote.see()["area_centi"]) == (1, 8_000)
    foreign = encode(Kind.BUILDING, Ref(box.town.b.id, vote.ref.id))
    wrong = box.desk.patch(
        f"/decisions/{box.draft().id}", {"building_ids": [foreign]}, headers={"If-Match": "*"}
    )
    assert (wrong.status_code, wrong.json["code"]) == (422, "bad_buildings")


def test_an_empty_registry_opens_nothing(box: BallotBox) -> None:
    vote = box.announced()
    row = vote.row
    assert row.opens_at is not None
    box.reach(row.opens_at)
    vote.tick()
    assert vote.see()["status"] == "announced"
    box.houses(10_000)
    box.reach(clock.now() + timedelta(hours=2))
    vote.tick()
    assert vote.row.frozen_at is not None


def told(who: Person) -> list[str]:
    """The kinds of her messages, newest first."""
    return [item["kind"] for item in who.get("/inbox").json["items"]]
