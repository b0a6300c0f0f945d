"""Casting over HTTP: one ballot a head, by who votes for it, within the window; what is refused, and by which word."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from app import clock, db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.memberships.models import Level
from app.places import registry
from app.voting import ledger, service, verify
from app.voting.models import ProcedureRules
from app.voting.rules import Rules, Transfer
from tests.conftest import House, Person
from tests.voting.conftest import MOTION, BallotBox, Vote, candidate
from tests.voting.conftest import owner as owner_

Owner = psycopg.Connection[Any]
ELECTION = {"title": "选举业委会", "text": "选两人。", "matter": 3, "seats": 2, "alternates": 1}


def head_of(vote: Vote, number: str) -> str:
    """The head of a room, by its number."""
    return next(head for label, head in vote.heads().items() if number in label)


def choices(vote: Vote, *answers: Any) -> dict[str, Any]:
    """Every motion answered; the last answer holds for the rest."""
    said = list(answers or ("for",))
    return {m: said[min(n, len(said) - 1)] for n, m in enumerate(vote.motions)}


def cast(who: Person, vote: Vote, *answers: Any, head: str | None = None, **more: Any) -> Any:
    """Cast; without a head by the short form."""
    path = f"/decisions/{vote.id}/ballot" if head is None else f"/decisions/{vote.id}/heads/{head}/ballot"
    return who.call("PUT", path, json={"choices": more.get("said", choices(vote, *answers))})


def mine(who: Person, vote: Vote, head: str | None = None) -> Any:
    """My ballot."""
    path = f"/decisions/{vote.id}/ballot" if head is None else f"/decisions/{vote.id}/heads/{head}/ballot"
    return who.get(path)


def refused(answer: Any, code: str, status: int = 409) -> dict[str, Any]:
    """Refused with that word; the problem document."""
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    return answer.get_json()


def count(sql: Owner, table: str, vote: Vote) -> int:
    """Rows of the decision."""
    row = sql.execute(
        f"SELECT count(*) FROM {table} WHERE community_id = %s AND decision_id = %s".encode(), vote.ref
    ).fetchone()
    assert row is not None
    return int(row[0])


def attempts(sql: Owner, vote: Vote) -> list[str]:
    """Why attempts were refused, as recorded."""
    rows = sql.execute(
        "SELECT why FROM vote_attempts WHERE community_id = %s AND decision_id = %s ORDER BY id", vote.ref
    )
    return [row[0] for row in rows]


def rules(box: BallotBox, **changes: Any) -> None:
    """The estate's rules of procedure from now on."""
    estate = box.town.a.estate
    with db.transaction() as session:
        session.add(
            ProcedureRules(
                community_id=estate.community_id,
                id=ids.new_id(),
                estate_id=estate.id,
                version=1,
                rules=Rules(**changes).as_json(),
                set_by=ids.NOBODY,
                set_at=clock.now(),
            )
        )


# --- a ballot ----------------------------------------------------------------------------------------------


def test_a_ballot_is_answered_with_a_receipt_that_its_caster_can_check(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened(MOTION, MOTION | {"matter": 9})
    box.again(wang)
    answer = cast(wang, vote, "for", "abstain")
    assert answer.status_code == 201, answer.text
    got = answer.get_json()
    opening = verify.opening_of(
        decision_id=vote.id,
        head_id=got["opening"]["head_id"],
        rev=got["opening"]["rev"],
        choices=got["opening"]["choices"],
        area_centi=got["opening"]["area_centi"],
    )
    commitment = verify.commitment_of(bytes.fromhex(got["opening"]["salt"]), opening)
    leaf = verify.ballot_leaf(
        decision_id=vote.id, tag=got["tag"], rev=1, commitment=commitment, channel="online"
    )
    assert verify.leaf_hash(leaf).hex() == got["receipt"] == got["promise"]["leaf"]
    assert got["opening"]["choices"] == choices(vote, "for", "abstain")
    assert (got["opening"]["area_centi"], got["leaf_index"], got["channel"]) == (9_000, None, "online")
    assert answer.headers["Cache-Control"] == "no-store"
    assert wang.get(answer.headers["Location"].removeprefix("/bff/v1")).json["receipt"] == got["receipt"]

    with db.transaction():
        assert ledger.seal(vote.ref) == 1
    later_on = mine(wang, vote).get_json()
    assert (later_on["receipt"], later_on["leaf_index"]) == (got["receipt"], 1)
    proof = later_on["proof"]
    assert proof["tree_size"] == proof["head"]["size"] == 2
    root = verify.node_hash(bytes.fromhex(proof["path"][0]), bytes.fromhex(got["receipt"]))
    assert root.hex() == proof["head"]["root"]


def test_the_same_ballot_again_is_the_first_answer_and_another_is_refused_and_recorded(
    box: BallotBox, owner: Owner
) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened()
    box.again(wang)
    first = cast(wang, vote, "for")
    again = cast(wang, vote, "for")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.get_json() == first.get_json()
    assert refused(cast(wang, vote, "against"), "already_voted")["rev"] == 1
    refused(cast(wang, vote, "against"), "already_voted")
    assert count(owner, "ballots", vote) == 1
    assert attempts(owner, vote) == ["already_voted"]
    assert mine(wang, vote).json["opening"]["choices"] == choices(vote, "for")


def test_where_the_rules_allow_it_another_choice_is_the_next_rev_and_the_last_one_counts(
    box: BallotBox, owner: Owner
) -> None:
    (wang,) = box.houses(9_000)
    rules(box, change_allowed=True)
    vote = box.opened()
    box.again(wang)
    receipts = {cast(wang, vote, "for").json["receipt"]}
    changed = cast(wang, vote, "against")
    assert (changed.status_code, changed.json["opening"]["rev"]) == (200, 2)
    back = cast(wang, vote, "for")
    assert (back.status_code, back.json["opening"]["rev"]) == (200, 3)
    receipts |= {changed.json["receipt"], back.json["receipt"]}
    assert len(receipts) == count(owner, "ballots", vote) == 3
    assert mine(wang, vote).json["opening"]["rev"] == 3


def test_from_fifty_threads_at_once_one_ballot_is_taken(box: BallotBox, owner: Owner) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened()
    box.again(wang)
    start = threading.Barrier(50)

    def once(n: int) -> Any:
        client = Person(wang.name, wang.session, box.house.app.test_client())
        start.wait()
        return cast(client, vote, "for" if n % 2 else "against")

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(once, range(50)))
    taken = [a for a in answers if a.status_code == 201]
    assert len(taken) == count(owner, "ballots", vote) == 1
    receipt = taken[0].json["receipt"]
    repeated = [a for a in answers if a.status_code == 200]
    assert {a.json["receipt"] for a in repeated} <= {receipt}
    assert len(repeated) == 24
    assert {a.json["code"] for a in answers if a.status_code == 409} == {"already_voted"}
    with db.transaction():
        ledger.seal(vote.ref)
        assert ledger.seal(vote.ref) == 0
    assert count(owner, "ballot_leaves", vote) == 2


# --- what a ballot says --------------------------------------------------------------------------------------


def test_every_motion_is_answered_by_a_choice_it_has(box: BallotBox, owner: Owner) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened(MOTION, MOTION)
    other = box.announced()
    box.again(wang)
    first, second = vote.motions
    problem = refused(cast(wang, vote, said={first: "for"}), "incomplete", 422)
    assert list(problem["errors"]) == [f"choices.{second}"]
    bad: list[Any] = [
        {first: "for", second: "yes"},
        {first: "for", second: "invalid"},
        {first: "for", second: ["for"]},
        {first: "for", second: "for", other.motions[0]: "for"},
        {first: "for", second: "for", "mot_": "for"},
        {first: "for", second: []},
    ]
    for said in bad:
        refused(cast(wang, vote, said=said), "bad_choices", 422)
    bodies: list[Any] = [{}, {"choices": []}, {"choices": {first: 1}}, {"choices": {}, "more": 1}, [1]]
    for body in bodies:
        answer = wang.call("PUT", f"/decisions/{vote.id}/ballot", json=body)
        assert answer.status_code == 422, (body, answer.text)
    assert count(owner, "ballots", vote) == 0


def test_an_election_takes_at_most_as_many_as_there_are_seats(box: BallotBox, owner: Owner) -> None:
    (wang, li) = box.houses(9_000, 9_000)
    vote = box.draft(ELECTION, kind="election")
    names = [candidate(vote, f"候选{n}") for n in "甲乙丙"]
    withdrawn = candidate(vote, "候选丁", status="withdrawn")
    for move, body, who in (
        ("submit", None, box.desk),
        ("review", {"passed": True}, box.reviewer),
        ("announce", {}, box.desk),
    ):
        assert vote.go(move, body, who).status_code == 200
    vote.open()
    box.again(wang, li)
    problem = refused(cast(wang, vote, names), "over_vote", 422)
    assert "2" in problem["detail"]
    stranger = ids.encode(Kind.CANDIDATE, Ref(vote.ref.community_id, ids.new_id()))
    for wrong in ([names[0], names[0]], [stranger], [withdrawn], "for", names[0]):
        refused(cast(wang, vote, wrong), "bad_choices", 422)
    taken = cast(wang, vote, [names[1], names[0]])
    assert taken.status_code == 201, taken.text
    assert taken.json["opening"]["choices"] == {vote.motions[0]: sorted(names[:2])}
    assert cast(wang, vote, [names[0], names[1]]).status_code == 200
    abstains = cast(li, vote, [])
    assert (abstains.status_code, abstains.json["opening"]["choices"]) == (201, {vote.motions[0]: []})
    assert count(owner, "ballots", vote) == 2


# --- when ------------------------------------------------------------------------------------------------------


def test_before_the_opening_and_after_the_close_and_when_it_is_cancelled_nothing_is_taken(
    box: BallotBox, owner: Owner
) -> None:
    (wang,) = box.houses(9_000)
    vote = box.announced()
    refused(cast(wang, vote), "not_open")
    vote.freeze()
    box.again(wang)
    refused(cast(wang, vote), "not_open")
    vote.open()
    box.again(wang)
    closes_at = vote.row.closes_at
    assert closes_at is not None
    box.reach(closes_at)  # nobody has closed it yet: the clock does
    box.again(wang)
    assert vote.row.status == "open"
    refused(cast(wang, vote), "closed")
    vote.close()
    refused(cast(wang, vote), "closed")

    gone = box.announced()
    answer = gone.go("cancel", {"reason": "材料有误"})
    assert answer.status_code == 200, answer.text
    box.again(wang)
    refused(cast(wang, gone), "cancelled")
    gone_open = box.opened()
    assert gone_open.go("cancel", {"reason": "材料有误"}).status_code == 200
    box.again(wang)
    refused(cast(wang, gone_open), "cancelled")
    assert count(owner, "ballots", vote) == count(owner, "ballots", gone_open) == 0
    assert attempts(owner, vote) == []


def test_a_ballot_that_waits_while_the_vote_is_closed_comes_too_late(
    box: BallotBox, owner: Owner, house: House, held_up: Callable[[int], None]
) -> None:
    wang, li = box.houses(9_000, 9_000)
    vote = box.opened()
    box.again(wang, li)
    assert cast(li, vote).status_code == 201
    closes_at = vote.row.closes_at
    assert closes_at is not None
    with psycopg.connect(house.pg.url("owner", "house")) as closing:
        closing.execute("SELECT FROM decisions WHERE community_id = %s AND id = %s FOR UPDATE", vote.ref)
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(cast, wang, vote)
            held_up(1)
            # It asked in time, and its turn comes a millisecond after the close.
            closing.execute(
                "UPDATE decisions SET closes_at = clock_timestamp() + %s - interval '1 millisecond'"
                " WHERE community_id = %s AND id = %s",
                (clock.ahead(), *vote.ref),
            )
            closing.commit()
            refused(late.result(), "closed")
    assert count(owner, "ballots", vote) == 1
    with db.transaction():
        service.advance(vote.ref)
    assert vote.row.status == "closed"
    assert count(owner, "ballot_leaves", vote) == 3  # leaf 0, the ballot, the close


def test_a_lock_that_changes_nothing_lets_nobody_in_after_the_close(
    box: BallotBox, owner: Owner, house: House, held_up: Callable[[int], None]
) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened()
    box.again(wang)
    # The window ends while the cast waits behind somebody who then changes nothing.
    owner.execute(
        "UPDATE decisions SET closes_at = clock_timestamp() + %s + interval '1 second'"
        " WHERE community_id = %s AND id = %s",
        (clock.ahead(), *vote.ref),
    )
    with psycopg.connect(house.pg.url("owner", "house")) as holding:
        holding.execute("SELECT FROM decisions WHERE community_id = %s AND id = %s FOR UPDATE", vote.ref)
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(cast, wang, vote)
            held_up(1)
            holding.execute(
                "SELECT pg_sleep_until(closes_at - %s) FROM decisions WHERE community_id = %s AND id = %s",
                (clock.ahead(), *vote.ref),
            )
            holding.rollback()
            refused(late.result(), "closed")
    assert count(owner, "ballots", vote) == 0


# --- who ---------------------------------------------------------------------------------------------------------


def test_a_co_owner_who_disagrees_is_refused_and_recorded(box: BallotBox, owner: Owner) -> None:
    flat = box.flat("101", owner_("甲"), owner_("乙"), voter=0)
    husband, wife = box.resident(flat, at=0), box.resident(flat, at=1)
    vote = box.opened()
    box.again(husband, wife)
    assert cast(husband, vote, "for").json["capacity"] == "voter"
    head = head_of(vote, "101")
    assert refused(cast(wife, vote, "against", head=head), "not_the_voter")["reason"] == "co_owner"
    refused(cast(wife, vote, "against"), "not_the_voter")
    assert mine(wife, vote, head).status_code == 404
    assert attempts(owner, vote) == ["not_the_voter"]
    assert count(owner, "ballots", vote) == 1


def test_co_owners_without_a_voter_have_no_ballot(box: BallotBox) -> None:
    flat = box.flat("101", owner_("甲"), owner_("乙"))
    wang = box.resident(flat, at=0)
    vote = box.opened()
    box.again(wang)
    assert refused(cast(wang, vote), "not_the_voter")["reason"] == "no_voter"


def test_a_tenant_a_stranger_and_another_s_house_are_refused(
    box: BallotBox, owner: Owner, resident: Callable[..., Person]
) -> None:
    flat = box.flat("101", owner_())
    box.resident(flat)
    tenant = box.resident(flat, level=None)
    li = box.resident(box.flat("102", owner_()))
    vote = box.opened()
    stranger = resident()
    box.again(tenant, li, stranger)
    head = head_of(vote, "101")
    assert refused(cast(tenant, vote, head=head), "not_the_voter")["reason"] == "tenant"
    refused(cast(tenant, vote), "not_the_voter")
    refused(cast(li, vote, head=head), "not_found", 404)
    refused(cast(stranger, vote, head=head), "not_found", 404)
    refused(cast(stranger, vote, said={"x": "for"}, head=head), "not_found", 404)
    refused(cast(stranger, vote), "not_found", 404)
    elsewhere = ids.encode(Kind.HEAD, Ref(box.town.b.id, ids.decode_ref(Kind.HEAD, head).id))
    refused(cast(li, vote, head=elsewhere), "not_found", 404)
    for who in (tenant, li, stranger):
        assert mine(who, vote, head).status_code == 404
    assert count(owner, "ballots", vote) == 0


def test_a_name_and_a_number_alone_carry_no_vote(box: BallotBox, owner: Owner) -> None:
    wang = box.resident(box.flat("101", owner_()), level=Level.WEAK)
    vote = box.opened()
    box.again(wang)
    assert refused(cast(wang, vote), "weak_identity")["reason"] == "id_number"
    assert attempts(owner, vote) == ["weak_identity"]


def test_a_phone_that_somebody_held_until_lately_votes_only_after_its_hold(
    box: BallotBox, owner: Owner, later: Callable[..., Any]
) -> None:
    flat = box.flat("101", owner_())
    wang = box.resident(flat)
    vote = box.opened()
    owner.execute(
        "UPDATE memberships SET review = 'phone_reused', vote_held_until = %s"
        " WHERE community_id = %s AND resident_id = %s",
        (clock.now() + timedelta(days=2), box.town.a.id, wang.id),
    )
    box.again(wang)
    problem = refused(cast(wang, vote), "weak_identity")
    assert problem["reason"] == "phone_reused"
    assert problem["held_until"]
    later(days=2, minutes=1)
    box.again(wang)
    assert cast(wang, vote).status_code == 201


@pytest.mark.parametrize("review", ["objected", "owner_parted", "owners_merged"])
def test_a_membership_under_review_is_suspended(box: BallotBox, owner: Owner, review: str) -> None:
    wang = box.resident(box.flat("101", owner_()))
    vote = box.opened()
    owner.execute(
        "UPDATE memberships SET review = %s WHERE community_id = %s AND resident_id = %s",
        (review, box.town.a.id, wang.id),
    )
    box.again(wang)
    assert refused(cast(wang, vote), "weak_identity")["reason"] == "under_review"


def test_who_holds_several_houses_is_one_head_and_names_it_only_when_there_are_more(box: BallotBox) -> None:
    wang_owner, li_owner = owner_("王"), owner_("李")
    own = [box.flat("101", wang_owner, area=9_000), box.flat("102", wang_owner, area=8_000)]
    shared = box.flat("103", wang_owner, li_owner, voter=0)
    wang = box.resident(*own, shared)
    vote = box.opened()
    box.again(wang)
    problem = refused(cast(wang, vote), "choose_head")
    heads = {head_of(vote, "101"), head_of(vote, "103")}
    assert set(problem["heads"]) == heads
    done = {cast(wang, vote, head=head).json["opening"]["area_centi"] for head in heads}
    assert done == {17_000, 10_000}
    assert refused(mine(wang, vote), "choose_head")
    for head in heads:
        assert mine(wang, vote, head).status_code == 200


def test_where_only_signed_sheets_count_nothing_is_cast_online(box: BallotBox, owner: Owner) -> None:
    (wang,) = box.houses(9_000)
    box.allow()
    vote = box.opened()
    box.again(wang)
    head = head_of(vote, "101")
    for said in (cast(wang, vote, "for"), cast(wang, vote, "for", head=head)):
        assert "书面表决票" in refused(said, "paper_only")["detail"]
    (own,) = wang.get(f"/decisions/{vote.id}").json["heads"]
    assert (own["may_cast"], own["why_not"]) == (False, "paper_only")
    assert count(owner, "ballots", vote) == 0
    asked = wang.post(f"/decisions/{vote.id}/paper-request", {"wants": "paper"})
    assert asked.status_code == 201, asked.text


def test_an_official_vote_is_cast_in_the_authority_s_system(box: BallotBox, owner: Owner) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened()
    owner.execute(
        "UPDATE decisions SET legal_mode = 'official' WHERE community_id = %s AND id = %s", vote.ref
    )
    owner.execute(
        "INSERT INTO voting_modes (community_id, id, estate_id, mode, document, system, set_by, set_at)"
        " VALUES (%s, %s, %s, 'official', 'x', '市业主决策平台', %s, now())",
        (vote.ref.community_id, ids.new_id(), box.town.a.estate.id, ids.new_id()),
    )
    box.again(wang)
    assert "市业主决策平台" in refused(cast(wang, vote), "cast_elsewhere")["detail"]


# --- a house that is sold ------------------------------------------------------------------------------------------


def sell(box: BallotBox, flat: Ref, name: str) -> None:
    """The house goes to somebody new."""
    with db.transaction():
        registry.transfer({box.town.a.estate}, flat, owners=[owner_(name)], acting_user=SYSTEM)


def test_who_bought_the_house_after_the_freeze_votes_and_who_sold_it_does_not(
    box: BallotBox, owner: Owner
) -> None:
    flat = box.flat("101", owner_())
    seller = box.resident(flat)
    vote = box.opened()
    head = head_of(vote, "101")
    sell(box, flat, "新业主")
    buyer = box.resident(flat)
    box.again(seller, buyer)
    assert refused(cast(seller, vote, head=head), "not_the_voter")["reason"] == "sold"
    taken = cast(buyer, vote, "against")
    assert (taken.status_code, taken.json["capacity"]) == (201, "new_owner")
    assert attempts(owner, vote) == ["not_the_voter"]


def test_a_ballot_cast_before_the_sale_stands_and_stays_secret_from_the_buyer(box: BallotBox) -> None:
    flat = box.flat("101", owner_())
    seller = box.resident(flat)
    rules(box, change_allowed=True)
    vote = box.opened()
    box.again(seller)
    assert cast(seller, vote, "for").status_code == 201
    head = head_of(vote, "101")
    sell(box, flat, "新业主")
    buyer = box.resident(flat)
    box.again(buyer, seller)
    for answer in ("for", "against"):  # the right guess learns nothing
        refused(cast(buyer, vote, answer, head=head), "already_voted")
    assert mine(buyer, vote, head).status_code == 404
    assert mine(seller, vote, head).json["opening"]["choices"] == choices(vote, "for")


def test_where_the_rules_say_so_the_roll_holds_whoever_bought(box: BallotBox) -> None:
    flat = box.flat("101", owner_())
    seller = box.resident(flat)
    rules(box, transfer=Transfer.ROLL_HOLDS)
    vote = box.opened()
    head = head_of(vote, "101")
    sell(box, flat, "新业主")
    buyer = box.resident(flat)
    box.again(seller, buyer)
    refused(cast(buyer, vote, head=head), "not_the_voter")
    assert cast(seller, vote, head=head).status_code == 201
