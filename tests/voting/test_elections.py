"""Candidates: nominated by whom, checked why, posted, numbered, withdrawn; and the second round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from app import clock, ids
from app.ids import Kind, Ref
from app.voting.models import DecisionKind
from tests.conftest import House, Person, Town
from tests.voting.conftest import Vote
from tests.voting.staging import Play, Stage, staged

ELECTION = {"title": "选举业委会", "text": "请投票。", "matter": 3, "seats": 1, "alternates": 0}


@pytest.fixture(scope="module")
def stage(house: House, make_town: Callable[[], Town]) -> Iterator[Stage]:
    with staged(house, make_town()) as made:
        yield made


def drafted(stage: Stage, *areas: int, **more: Any) -> Play:
    """An election of one seat as a draft, in an estate of five equal homes unless told otherwise."""
    play = stage.play(*(areas or (10_000,) * 5))
    estate = ids.encode(Kind.ESTATE, play.estate)
    play.vote = stage.box.draft(ELECTION, estate_id=estate, kind="election", **more)
    return play


def opened(stage: Stage, play: Play, days: int = 3) -> Any:
    until = clock.rfc3339(clock.now() + timedelta(days=days))
    return stage.box.desk.post(f"/decisions/{play.id}/nominations", {"until": until})


def nominated(who: Person, play: Play, by: str = "self", **more: Any) -> Any:
    body = {"motion_id": play.motions[0], "nominated_by": by} | more
    return who.post(f"/decisions/{play.id}/candidates", body)


def checked(stage: Stage, play: Play, candidate: str, **body: Any) -> Any:
    said = {"accepted": True, "reason": "符合条件"} | body
    return stage.box.desk.post(f"/decisions/{play.id}/candidates/{candidate}/check", said)


def owner_id(stage: Stage, flat: Ref) -> str:
    return ids.encode(Kind.OWNER, Ref(flat.community_id, stage.box.owner_of(flat)))


def listed(stage: Stage, play: Play) -> dict[str, Any]:
    items = stage.box.desk.get(f"/decisions/{play.id}/candidates").json["items"]
    return {item["candidate_id"]: item for item in items}


def test_owners_nominate_only_while_the_window_is_open(stage: Stage) -> None:
    play = drafted(stage)
    who = stage.voter(play.flats[0])
    unseen = nominated(who, play)
    assert opened(stage, play).status_code == 200
    found = [n["decision_id"] for n in who.get("/nominations").json["items"]]
    made = nominated(who, play, statement="热心公益")
    twice = nominated(who, play)

    assert unseen.status_code == 404  # a draft that nobody was told of
    assert found == [play.id]
    assert made.status_code == 201, made.text
    assert (made.json["status"], made.json["mine"], made.json["statement"]) == ("nominated", True, "热心公益")
    assert made.json["name"].startswith("业主")  # as the registry has it
    assert twice.json["code"] == "already_nominated"
    past = clock.rfc3339(clock.now() - timedelta(minutes=1))
    late = stage.box.desk.post(f"/decisions/{play.id}/nominations", {"until": past})
    assert late.json["code"] == "nominations_closed"


def test_tenants_and_strangers_nominate_nobody(stage: Stage) -> None:
    play = drafted(stage)
    opened(stage, play)
    tenant = stage.box.resident(play.flats[0], level=None)

    assert nominated(tenant, play).json["code"] == "weak_identity"
    assert nominated(stage.log_in(), play).status_code == 404


def test_a_joint_nomination_needs_its_share_of_owners(stage: Stage) -> None:
    play = drafted(stage, *(10_000,) * 10)  # a fifth of ten heads is two
    opened(stage, play)
    first, second = stage.voter(play.flats[0]), stage.voter(play.flats[1])
    made = nominated(first, play, "joint", name="王五").json
    path = f"/decisions/{play.id}/candidates/{made['candidate_id']}"
    nominee = owner_id(stage, play.flats[2])
    early = checked(stage, play, made["candidate_id"], owner_id=nominee)
    seen = {c["candidate_id"]: c for c in second.get(f"/decisions/{play.id}/candidates").json["items"]}
    backed = second.post(f"{path}/back")
    again = second.post(f"{path}/back")
    without = checked(stage, play, made["candidate_id"])
    done = checked(stage, play, made["candidate_id"], owner_id=nominee)

    her = stage.voter(play.flats[2])
    shown = {c["candidate_id"]: c["mine"] for c in her.get(f"/decisions/{play.id}/candidates").json["items"]}
    by_another = second.post(f"{path}/withdraw")
    by_herself = her.post(f"{path}/withdraw")

    assert shown == {made["candidate_id"]: True}
    assert by_another.status_code == 404
    assert (by_herself.status_code, by_herself.json["status"]) == (200, "withdrawn")
    assert (made["backing"], made["backed_by_me"]) == ({"backed": 1, "needed": 2}, True)
    assert seen[made["candidate_id"]]["backed_by_me"] is False
    assert (early.status_code, early.json["code"]) == (409, "too_few_backers")
    assert backed.json["backing"] == {"backed": 2, "needed": 2}
    assert again.json["code"] == "already_backed"
    assert (without.status_code, without.json["code"]) == (422, "owner_needed")
    assert done.status_code == 200, done.text
    assert done.json["status"] == "accepted"


def test_a_joint_nomination_says_whom(stage: Stage) -> None:
    play = drafted(stage)
    opened(stage, play)

    assert nominated(stage.voter(play.flats[0]), play, "joint").json["code"] == "name_missing"


def test_a_check_gives_its_reason_which_others_do_not_read(stage: Stage) -> None:
    play = drafted(stage)
    opened(stage, play)
    who, other = stage.voter(play.flats[0]), stage.voter(play.flats[1])
    made = nominated(who, play).json["candidate_id"]
    silent = checked(stage, play, made, reason="")
    refused = checked(stage, play, made, accepted=False, reason="不是本小区业主")
    again = checked(stage, play, made)

    assert silent.json["code"] == "reason_needed"
    assert refused.json["status"] == "refused"
    assert again.json["code"] == "already_checked"
    assert other.get(f"/decisions/{play.id}/candidates").json["items"] == []
    mine = who.get(f"/decisions/{play.id}/candidates").json["items"][0]
    assert mine["reason"] == "不是本小区业主"


def test_party_and_committee_nominate_owners_of_the_estate(stage: Stage) -> None:
    play, elsewhere = drafted(stage), stage.play(10_000)
    body = {"motion_id": play.motions[0], "nominated_by": "party"}
    path = f"/decisions/{play.id}/candidates"
    made = stage.box.desk.post(path, body | {"owner_id": owner_id(stage, play.flats[0])})
    foreign = stage.box.desk.post(path, body | {"owner_id": owner_id(stage, elsewhere.flats[0])})
    herself = stage.box.desk.post(
        path, body | {"nominated_by": "self", "owner_id": owner_id(stage, play.flats[1])}
    )

    assert made.status_code == 201, made.text
    assert foreign.json["code"] == "owner_needed"
    assert herself.status_code == 422


def test_only_an_election_has_candidates(stage: Stage) -> None:
    play = stage.play(10_000)
    play.vote = stage.box.draft(estate_id=ids.encode(Kind.ESTATE, play.estate))

    assert opened(stage, play).json["code"] == "not_an_election"


def test_an_election_from_nomination_to_a_second_round(stage: Stage) -> None:
    def stand(vote: Vote) -> None:
        play.vote = vote
        opened(stage, play)
        for n in (0, 1, 2):
            nominees.append(stage.voter(play.flats[n]))
            made = nominated(nominees[n], play).json["candidate_id"]
            assert checked(stage, play, made).status_code == 200
            play.candidates.append(made)
        # Objections to them are possible for seven days, and only then the election is announced.
        stage.box.reach(clock.now() + timedelta(days=9))

    play, nominees = stage.play(*(10_000,) * 6), list[Person]()
    early = drafted(stage)
    opened(stage, early)
    quick = nominated(stage.voter(early.flats[0]), early).json["candidate_id"]
    other = nominated(stage.voter(early.flats[1]), early).json["candidate_id"]
    for candidate in (quick, other):
        checked(stage, early, candidate)
    for move, body, who in (
        ("submit", None, stage.box.desk),
        ("review", {"passed": True}, stage.box.reviewer),
    ):
        assert early.vote is not None
        early.vote.go(move, body, who)
    posted = early.vote.go("announce", {}) if early.vote else None
    assert posted is not None
    assert posted.json["code"] == "candidates_not_final"

    far = clock.now() + timedelta(days=30)
    window = {"opens_at": clock.rfc3339(far), "closes_at": clock.rfc3339(far + timedelta(days=7))}
    stage.announce(play, ELECTION, kind=DecisionKind.ELECTION, before=stand, **window)
    numbers = [listed(stage, play)[c]["number"] for c in play.candidates]
    assert numbers == [1, 2, 3]

    # One withdraws before the freeze, nobody after it.
    third = nominees[2]
    stage.box.again(third)
    path = f"/decisions/{play.id}/candidates/{play.candidates[2]}/withdraw"
    assert stage.voter(play.flats[0]).post(path).status_code == 404
    assert third.post(path).json["status"] == "withdrawn"
    # Of two for one seat nobody goes: what was announced is an election with a choice.
    choice = f"/decisions/{play.id}/candidates/{play.candidates[1]}/withdraw"
    kept = stage.box.desk.post(choice, {"reason": "本人书面退出"})
    assert (kept.status_code, kept.json["code"]) == (409, "too_few_candidates")
    stage.open([play])
    last = f"/decisions/{play.id}/candidates/{play.candidates[1]}/withdraw"
    frozen = stage.box.desk.post(last, {"reason": "本人书面退出"})
    assert frozen.json["code"] == "roll_frozen"

    # Three for each of the two: neither has more than half, so the seat stays open.
    voter = stage.voter(*play.flats)
    for n in range(6):
        answer = play.cast(voter, f"1栋{101 + n}", [play.candidates[n % 2]])
        assert answer.status_code == 201, answer.text
    over = play.cast(voter, "1栋101", play.candidates[:2])
    gone = play.cast(voter, "1栋101", [play.candidates[2]])
    assert (over.status_code, gone.status_code) == (422, 422)
    stage.close([play])
    result = stage.certify(play)
    assert result.json["motions"][0]["outcome"] == "second_round"
    assert [c["name"] for c in result.json["motions"][0]["election"]["candidates"]]

    again = Play(stage, play.estate, play.flats)
    again.vote = stage.box.draft(
        ELECTION, estate_id=ids.encode(Kind.ESTATE, play.estate), kind="election", previous_id=play.id
    )
    where = f"/decisions/{again.id}/candidates/carry-over"
    carried = stage.box.desk.post(where, {"motion_id": again.motions[0]})
    assert carried.status_code == 201, carried.text
    more = stage.box.draft(
        ELECTION | {"seats": 2},
        estate_id=ids.encode(Kind.ESTATE, play.estate),
        kind="election",
        previous_id=play.id,
    )
    other = stage.box.desk.post(f"/decisions/{more.id}/candidates/carry-over", {"motion_id": more.motions[0]})
    assert (other.status_code, other.json["code"]) == (409, "other_seats")
    names = {c["name"] for c in carried.json["items"]}
    before = listed(stage, play)
    assert names == {before[c]["name"] for c in play.candidates[:2]}
    assert {c["status"] for c in carried.json["items"]} == {"accepted"}
    first = stage.box.desk.post(
        f"/decisions/{early.id}/candidates/carry-over", {"motion_id": early.motions[0]}
    )
    assert first.json["code"] == "no_first_round"
