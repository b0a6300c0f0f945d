"""Voting without the phone: sheets entered and read by two, authorisations, agents of bodies, requests for paper."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from app import clock, db, ids
from app.ids import Kind, Ref
from app.places import queries as places
from app.voting import ballot_form, casting, queries, standing
from app.voting.ballot_models import Ballot
from app.voting.rules import PaperOverOnline
from tests.conftest import Caller, Person
from tests.memberships.conftest import paper, phone
from tests.voting.conftest import BallotBox, Vote, company
from tests.voting.conftest import owner as owner_
from tests.voting.test_casting import attempts, cast, choices, count, head_of, mine, refused, rules

Owner = psycopg.Connection[Any]


def sheet(vote: Vote, head: str, *answers: Any, who: Caller | None = None, **more: Any) -> Any:
    """Enter a sheet with its photo."""
    desk = who or vote.box.desk
    body = {"head_id": head, "choices": choices(vote, *answers), "file_ids": [paper(desk)]} | more
    return desk.post(f"/decisions/{vote.id}/paper-ballots", body)


def confirmed(vote: Vote, head: str, *answers: Any, **more: Any) -> Any:
    """A sheet that a second person has confirmed."""
    entered = sheet(vote, head, *answers, **more)
    assert entered.status_code == 201, entered.text
    return vote.box.reviewer.post(f"/paper-ballots/{entered.json['paper_id']}/confirm", {})


def said(vote: Vote, head: str) -> tuple[int, dict[str, Any]]:
    """(rev, choices) of the ballot that counts, opened as after the close."""
    head_id = ids.decode_ref(Kind.HEAD, head).id
    with db.reading():
        ballot: Ballot = standing.latest_ballots(vote.ref, [head_id])[head_id]
        form = ballot_form.of(queries.decision(vote.ref))
        return ballot.rev, casting.opened(form.keys, ballot)[1]["choices"]


# --- sheets ------------------------------------------------------------------------------------------------


def test_a_sheet_is_a_ballot_once_a_second_person_has_read_it(box: BallotBox, owner: Owner) -> None:
    flat = box.flat("101", owner_())
    wang = box.resident(flat)
    vote = box.opened()
    box.again(wang)
    head = head_of(vote, "101")
    entered = sheet(vote, head, "against")
    assert (entered.status_code, entered.json["status"]) == (201, "entered"), entered.text
    refused(sheet(vote, head, "for"), "sheet_waits")
    sheet_id = entered.json["paper_id"]
    assert count(owner, "ballots", vote) == 0
    refused(box.desk.post(f"/paper-ballots/{sheet_id}/confirm", {}), "second_person")
    wrong = box.reviewer.post(f"/paper-ballots/{sheet_id}/confirm", {"choices": choices(vote, "for")})
    refused(wrong, "sheet_differs")
    photo = entered.json["files"][0]["file_id"]
    read = box.reviewer.post(f"/paper-ballots/{sheet_id}/content", {"file_id": photo})
    assert (read.status_code, read.data[:5]) == (200, b"%PDF-")
    done = box.reviewer.post(f"/paper-ballots/{sheet_id}/confirm", {"choices": choices(vote, "against")})
    assert (done.status_code, done.json["status"], done.json["rev"]) == (200, "confirmed", 1), done.text
    refused(box.reviewer.post(f"/paper-ballots/{sheet_id}/confirm", {}), "illegal_move")
    refused(box.reviewer.post(f"/paper-ballots/{sheet_id}/content", {"file_id": photo}), "illegal_move")

    refused(cast(wang, vote, "for"), "already_voted")
    own = mine(wang, vote).get_json()
    assert (own["channel"], own["opening"]["choices"]) == ("paper", choices(vote, "against"))
    # Nobody of the staff is shown what it says.
    for answer in (entered, done, box.desk.get(f"/decisions/{vote.id}/paper-ballots")):
        assert "against" not in answer.text


def test_a_signed_sheet_takes_the_place_of_an_online_ballot_where_the_rules_say_so(
    box: BallotBox, owner: Owner
) -> None:
    wang, _ = box.houses(9_000, 9_000)
    vote = box.opened()
    box.again(wang)
    assert cast(wang, vote, "for").status_code == 201
    head = head_of(vote, "101")
    assert confirmed(vote, head, "against").json["rev"] == 2
    assert said(vote, head) == (2, choices(vote, "against"))
    assert attempts(owner, vote) == ["replaced_by_paper"]
    # A second sheet is another ballot, and the rules allow no change.
    refused(sheet(vote, head, "for"), "already_voted")
    assert attempts(owner, vote) == ["replaced_by_paper", "paper_after_ballot"]


def test_where_the_first_ballot_holds_a_later_sheet_is_refused_and_recorded(
    box: BallotBox, owner: Owner
) -> None:
    wang, li = box.houses(9_000, 9_000)
    rules(box, paper_over_online=PaperOverOnline.FIRST)
    vote = box.opened()
    box.again(wang, li)
    assert cast(wang, vote, "for").status_code == 201
    refused(sheet(vote, head_of(vote, "101"), "against"), "already_voted")
    # And one that was entered before the online ballot, when it is confirmed.
    entered = sheet(vote, head_of(vote, "102"), "against").json["paper_id"]
    assert cast(li, vote, "for").status_code == 201
    refused(box.reviewer.post(f"/paper-ballots/{entered}/confirm", {}), "already_voted")
    assert attempts(owner, vote) == ["paper_after_ballot", "paper_after_ballot"]
    assert said(vote, head_of(vote, "102")) == (1, choices(vote, "for"))


def test_an_unsigned_sheet_is_invalid_in_every_motion_and_late_ones_count_for_nothing(box: BallotBox) -> None:
    box.houses(9_000, 9_000)
    vote = box.opened()
    head = head_of(vote, "101")
    done = confirmed(vote, head, "for", is_signed=False)
    assert (done.json["is_signed"], done.json["invalid_reason"]) == (False, "未签字")
    assert said(vote, head) == (1, dict.fromkeys(vote.motions, "invalid"))
    refused(sheet(vote, head_of(vote, "102"), "maybe"), "bad_choices", 422)
    late = sheet(vote, head_of(vote, "102"), "for").json["paper_id"]
    no_photo = {"head_id": head_of(vote, "102"), "choices": choices(vote), "file_ids": []}
    assert box.desk.post(f"/decisions/{vote.id}/paper-ballots", no_photo).status_code == 422
    vote.close()
    refused(box.reviewer.post(f"/paper-ballots/{late}/confirm", {}), "closed")
    refused(sheet(vote, head_of(vote, "102"), "for"), "closed")
    waiting = box.desk.get(f"/decisions/{vote.id}/paper-ballots?status=entered").json["items"]
    assert [row["paper_id"] for row in waiting] == [late]


def test_a_sheet_that_can_t_be_counted_takes_no_vote_away_and_gives_way_to_one_that_can(
    box: BallotBox,
) -> None:
    wang, li = box.houses(9_000, 9_000)
    vote = box.opened()
    box.again(wang, li)
    first, second = head_of(vote, "101"), head_of(vote, "102")
    waiting = sheet(vote, first, is_signed=False).json["paper_id"]
    assert cast(wang, vote, "for").status_code == 201
    refused(box.reviewer.post(f"/paper-ballots/{waiting}/confirm", {}), "already_voted")
    assert said(vote, first) == (1, choices(vote, "for"))
    assert confirmed(vote, second, is_signed=False).status_code == 200
    refused(sheet(vote, second, is_signed=False), "already_voted")
    # Her own vote counts, although these rules allow no change, and then nothing unsigned any more.
    (own,) = li.get(f"/decisions/{vote.id}").json["heads"]
    assert (own["may_cast"], own["ballot"]["rev"]) == (True, 1)
    assert cast(li, vote, "against").status_code == 200
    assert said(vote, second) == (2, choices(vote, "against"))
    refused(sheet(vote, second, is_signed=False), "already_voted")


def test_a_signed_sheet_takes_the_place_of_one_that_can_t_be_counted(box: BallotBox) -> None:
    box.houses(9_000)
    vote = box.opened()
    head = head_of(vote, "101")
    assert confirmed(vote, head, invalid_reason="看不清").status_code == 200
    assert confirmed(vote, head, "for").json["rev"] == 2
    assert said(vote, head) == (2, choices(vote, "for"))


def test_a_sheet_can_be_refused_and_entered_again_and_property_staff_enter_none(box: BallotBox) -> None:
    box.houses(9_000)
    vote = box.opened()
    head = head_of(vote, "101")
    first = sheet(vote, head, "for").json["paper_id"]
    done = box.reviewer.post(f"/paper-ballots/{first}/refuse", {"reason": "房号看不清"})
    assert (done.status_code, done.json["status"]) == (200, "refused")
    assert confirmed(vote, head, "for").status_code == 200
    keeper = box.town.staff("property")
    body = {"head_id": head, "choices": choices(vote), "file_ids": [paper(keeper)]}
    assert keeper.post(f"/decisions/{vote.id}/paper-ballots", body).status_code in {403, 404}


# --- authorisations ------------------------------------------------------------------------------------------


def known(box: BallotBox, number: str, name: str | None = None) -> Person:
    """A resident whom WeChat knows under that number."""
    who = box.log_in(name)
    code = box.house.order("codes", name=who.name, kind="phone", phone=number)["code"]
    assert who.post("/session/phone", {"code": code}).status_code == 200
    return who


def give(who: Caller, vote: Vote, number: str, **more: Any) -> Any:
    """Authorise whoever has the number."""
    body = {"name": "赵六", "phone": number, "file_ids": [paper(who)], "is_property_staff": False} | more
    return who.post(f"/decisions/{vote.id}/proxies", body)


def test_a_proxy_casts_once_her_authorisation_is_approved_and_then_it_can_t_be_revoked(
    box: BallotBox, owner: Owner
) -> None:
    wang, li = box.houses(9_000, 9_000)
    vote = box.opened()
    number = phone()
    zhao = known(box, number)
    box.again(wang, li, zhao)
    head, other = head_of(vote, "101"), head_of(vote, "102")
    refused(cast(zhao, vote, head=head), "not_found", 404)
    proxy = give(wang, vote, number)
    assert (proxy.status_code, proxy.json["status"]) == (201, "pending"), proxy.text
    assert "赵六" not in proxy.text
    refused(give(wang, vote, number), "proxy_exists")
    refused(cast(zhao, vote, head=head), "not_the_voter")
    done = box.desk.post(f"/proxies/{proxy.json['proxy_id']}/approve", {})
    assert (done.status_code, done.json["status"]) == (200, "approved"), done.text
    second = give(li, vote, number).json["proxy_id"]
    assert box.desk.post(f"/proxies/{second}/approve", {}).status_code == 200
    assert li.post(f"/proxies/{second}/revoke").json["status"] == "revoked"
    refused(cast(zhao, vote, head=other), "not_found", 404)
    taken = cast(zhao, vote, "against")
    assert (taken.status_code, taken.json["capacity"]) == (201, "proxy"), taken.text
    refused(wang.post(f"/proxies/{proxy.json['proxy_id']}/revoke"), "already_voted")
    # Whoever authorised her reads her own head's ballot, and casts no second one.
    assert mine(wang, vote).json["opening"]["choices"] == choices(vote, "against")
    refused(cast(wang, vote, "for"), "already_voted")
    assert count(owner, "ballots", vote) == 1


def test_one_person_acts_for_three_at_most_and_staff_of_the_property_company_for_none(box: BallotBox) -> None:
    people_ = box.houses(*[9_000] * 5)
    vote = box.opened()
    number = phone()
    known(box, number)
    box.again(*people_)
    for who in people_[:3]:
        assert give(who, vote, number).status_code == 201
    assert "3" in refused(give(people_[3], vote, number), "too_many_proxies")["detail"]
    refused(give(people_[3], vote, phone(), is_property_staff=True), "property_staff")
    unknown = give(people_[3], vote, phone()).json["proxy_id"]
    refused(box.desk.post(f"/proxies/{unknown}/approve", {}), "proxy_unknown")
    keeper = box.town.staff("property").get("/me").json["name"]
    other = phone()
    known(box, other)
    namesake = give(people_[4], vote, other, name=keeper).json["proxy_id"]
    refused(box.desk.post(f"/proxies/{namesake}/approve", {}), "property_staff_maybe")
    sure = {"is_somebody_else": True}
    assert box.desk.post(f"/proxies/{namesake}/approve", sure).status_code == 200


def test_a_proxy_who_lost_the_phone_has_no_vote(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened()
    number = phone()
    zhao = known(box, number)
    box.again(wang, zhao)
    proxy = give(wang, vote, number).json["proxy_id"]
    assert box.desk.post(f"/proxies/{proxy}/approve", {}).status_code == 200
    known(box, number)  # somebody else has the number now
    head = head_of(vote, "101")
    assert refused(cast(zhao, vote, head=head), "weak_identity")["reason"] == "phone_lost"


def test_a_company_votes_by_its_agent_and_a_person_has_none(box: BallotBox) -> None:
    box.flat("101", company())
    box.flat("102", owner_())
    vote = box.opened()
    number = phone()
    agent = known(box, number)
    box.again(agent)
    body = {"capacity": "agent", "head_id": head_of(vote, "102")}
    refused(give(box.desk, vote, number, **body), "not_a_body", 422)
    entered = give(box.desk, vote, number, **(body | {"head_id": head_of(vote, "101")}))
    assert entered.status_code == 201, entered.text
    proxy = entered.json["proxy_id"]
    refused(box.desk.post(f"/proxies/{proxy}/approve", {}), "second_person")
    assert box.reviewer.post(f"/proxies/{proxy}/approve", {}).status_code == 200
    taken = cast(agent, vote, "for")
    assert (taken.status_code, taken.json["capacity"]) == (201, "agent"), taken.text


def test_the_head_s_own_people_are_told_of_an_authorisation_that_staff_entered_and_revoke_it(
    box: BallotBox,
) -> None:
    wang, li = box.houses(9_000, 9_000)
    vote = box.opened()
    number = phone()
    zhao = known(box, number)
    box.again(wang, li, zhao)
    first, second = head_of(vote, "101"), head_of(vote, "102")
    entered = [give(box.desk, vote, number, head_id=head).json["proxy_id"] for head in (first, second)]
    for proxy in entered:
        assert box.reviewer.post(f"/proxies/{proxy}/approve", {}).status_code == 200
    told = [m for m in wang.get("/inbox").json["items"] if m["kind"] == "proxy_entered"]
    assert len(told) == 1
    assert "撤销" in told[0]["text"]
    assert "赵六" not in told[0]["text"]
    assert [p["proxy_id"] for p in wang.get(f"/decisions/{vote.id}/proxies").json["items"]] == entered[:1]
    refused(wang.post(f"/proxies/{entered[1]}/revoke"), "not_found", 404)
    assert wang.post(f"/proxies/{entered[0]}/revoke").json["status"] == "revoked"
    refused(cast(zhao, vote, head=first), "not_found", 404)
    # Her own vote takes the place of one that wasn't used.
    assert cast(li, vote, "against").status_code == 201
    refused(cast(zhao, vote, "for", head=second), "already_voted")
    assert said(vote, second) == (1, choices(vote, "against"))


# --- requests ------------------------------------------------------------------------------------------------


def test_a_sheet_or_a_visit_is_asked_for_once_and_ticked_off(box: BallotBox) -> None:
    wang, _ = box.houses(9_000, 9_000)
    vote = box.opened()
    box.again(wang)
    asked = wang.post(f"/decisions/{vote.id}/paper-request", {"wants": "visit"})
    assert (asked.status_code, asked.json["wants"]) == (201, "visit"), asked.text
    refused(wang.post(f"/decisions/{vote.id}/paper-request", {"wants": "paper"}), "already_requested")
    head, other = head_of(vote, "101"), head_of(vote, "102")
    noted = box.desk.post(f"/decisions/{vote.id}/paper-requests", {"head_id": other, "wants": "paper"})
    assert noted.status_code == 201, noted.text
    listed = box.desk.get(f"/decisions/{vote.id}/paper-requests?open=true").json["items"]
    assert {row["head_id"] for row in listed} == {head, other}
    done = box.desk.post(f"/decisions/{vote.id}/heads/{head}/paper-request/done")
    assert done.status_code == 200, done.text
    left = box.desk.get(f"/decisions/{vote.id}/paper-requests?open=true").json["items"]
    assert [row["head_id"] for row in left] == [other]
    strange = ids.encode(Kind.HEAD, Ref(vote.ref.community_id, ids.new_id()))
    refused(
        wang.post(f"/decisions/{vote.id}/paper-request", {"head_id": strange, "wants": "paper"}),
        "not_found",
        404,
    )


def test_a_sheet_that_cant_be_counted_is_no_vote_unless_the_rules_count_it(box: BallotBox) -> None:
    wang, _ = box.houses(9_000, 8_000)
    vote = box.opened()
    box.again(wang)
    head = head_of(vote, "101")
    assert confirmed(vote, head, is_signed=False).status_code == 200
    assert confirmed(vote, head_of(vote, "102"), "for").status_code == 200
    turnout = wang.get(f"/decisions/{vote.id}").json["turnout"]
    assert (turnout["heads"]["cast"], turnout["area"]["cast"]) == (1, 8_000)
    refused(vote.go("close"), "too_early")
    assert vote.go("reminders").status_code == 204
    box.work()
    kinds = [item["kind"] for item in wang.get("/inbox").json["items"]]
    assert kinds.count("decision_reminder") == 1
    assert cast(wang, vote, "for").status_code == 200
    assert wang.get(f"/decisions/{vote.id}").json["turnout"]["heads"]["cast"] == 2
    assert vote.go("close").json["status"] == "closed"


def test_where_the_rules_count_invalid_sheets_all_have_cast(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    rules(box, invalid_takes_part=True)
    vote = box.opened()
    box.again(wang)
    assert confirmed(vote, head_of(vote, "101"), is_signed=False).status_code == 200
    assert wang.get(f"/decisions/{vote.id}").json["turnout"]["heads"]["cast"] == 1
    assert vote.go("close").json["status"] == "closed"


def test_a_sheet_is_signed_between_the_announcement_and_today(box: BallotBox) -> None:
    box.houses(9_000)
    vote = box.opened()
    head, today = head_of(vote, "101"), places.today()
    announced_at = vote.row.announced_at
    assert announced_at is not None
    before = clock.in_shanghai(announced_at).date() - timedelta(days=1)
    for day in (today + timedelta(days=1), before):
        refused(sheet(vote, head, signed_on=day.isoformat()), "bad_signing_day", 422)
    assert sheet(vote, head, signed_on=today.isoformat()).status_code == 201


def test_attempts_are_read_by_the_desk_with_rooms_and_reasons(box: BallotBox) -> None:
    wang, li = box.houses(9_000, 8_000)
    vote = box.opened()
    box.again(wang, li)
    for answer in ("for", "against"):
        cast(wang, vote, answer)
    assert cast(li, vote, "for").status_code == 201
    refused(sheet(vote, head_of(vote, "102"), is_signed=False), "already_voted")
    path = f"/decisions/{vote.id}/attempts"
    first = box.desk.get(path, query_string={"limit": 1}).json
    rest = box.desk.get(path, query_string={"cursor": first["next_cursor"]}).json
    said = [(a["label"], a["why"], a["by_resident"]) for a in first["items"] + rest["items"]]
    assert said == [("1栋101", "already_voted", True), ("1栋102", "paper_after_ballot", False)]
    one = box.desk.get(path, query_string={"head_id": head_of(vote, "102")}).json["items"]
    assert [a["rev"] for a in one] == [1]
    assert "against" not in box.desk.get(path).text
    assert box.town.staff("property").get(path).status_code in {403, 404}


def test_requests_come_by_pages_and_rooms_in_the_order_of_their_numbers(box: BallotBox) -> None:
    for building in ("10栋", "2栋", "1栋"):
        box.flat("1002", owner_(), building=building)
        box.flat("201", owner_(), building=building)
    vote = box.opened()
    labels = [f"{building}{room}" for building in ("1栋", "2栋", "10栋") for room in (201, 1002)]
    first = box.desk.get(f"/decisions/{vote.id}/roll", query_string={"limit": 4}).json
    rest = box.desk.get(f"/decisions/{vote.id}/roll", query_string={"cursor": first["next_cursor"]}).json
    assert [head["label"] for head in first["items"] + rest["items"]] == labels
    doors = box.desk.get(f"/decisions/{vote.id}/visit-list").json["items"]
    assert [door["label"] for door in doors] == labels
    turnout = box.desk.get(f"/decisions/{vote.id}/turnout").json
    assert [b["building"] for b in turnout["buildings"]] == ["1栋", "2栋", "10栋"]
    for head in first["items"][:2]:
        asked = box.desk.post(
            f"/decisions/{vote.id}/paper-requests", {"head_id": head["head_id"], "wants": "paper"}
        )
        assert asked.status_code == 201, asked.text
    page = box.desk.get(f"/decisions/{vote.id}/paper-requests", query_string={"limit": 1}).json
    more = box.desk.get(
        f"/decisions/{vote.id}/paper-requests", query_string={"cursor": page["next_cursor"]}
    ).json
    assert [r["label"] for r in page["items"] + more["items"]] == labels[:2]


def test_one_persons_authorisations_are_counted_also_under_another_phone(box: BallotBox) -> None:
    people_ = box.houses(*[9_000] * 2)
    rules(box, proxies_per_person=1)
    vote = box.opened()
    number = phone()
    zhao = known(box, number)
    box.again(*people_)
    first = give(people_[0], vote, number).json["proxy_id"]
    assert box.desk.post(f"/proxies/{first}/approve", {}).status_code == 200
    box.again(zhao)
    other = phone()
    minted = box.house.order("codes", name=zhao.name, kind="phone", phone=other)
    assert zhao.post("/session/phone", {"code": minted["code"]}).status_code in {200, 201}
    refused(give(people_[1], vote, other), "too_many_proxies")
