"""The decision page: one statement says what the domain's questions say, and nothing that is kept is out of date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest
from flask import g
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock, crypto, db, ids, own_decision
from app.ids import Kind, Ref
from app.memberships.models import Level, Membership, Review
from app.once import Once
from app.own_decision import OwnDecision
from app.voting import ledger, roll, turnout
from app.voting.models import Decision, DecisionKind, DecisionStatus, LegalMode
from app.voting.own_heads import BallotState, HeadView
from app.voting.roll_models import RollHead, RollHouse
from app.voting.rules import Transfer
from bff.http import dumped
from bff.resident import decision_page
from bff.resident.decision_page import detail_out, page_out
from bff.resident.decision_schemas import OwnDecisionOut
from tests.conftest import House, Person, Town
from tests.memberships.conftest import phone
from tests.voting.conftest import BallotBox, Vote, candidate, owner
from tests.voting.staging import Stage, staged
from tests.voting.test_casting import cast, head_of, refused, rules, sell
from tests.voting.test_elections import ELECTION
from tests.voting.test_own_heads import id_of, statements
from tests.voting.test_paper import confirmed, give, known

Owner = psycopg.Connection[Any]


def plain(who: Person, ref: Ref) -> OwnDecision | None:
    """What the one statement says."""
    return own_decision.of(id_of(who), session_of(who), ref)


def session_of(who: Person) -> Any:
    from app.people import tokens

    secret = who.client.application.config["SETTINGS"].secret_key
    return tokens.read_access_token(who.token, secret=secret).session_id


def shown(who: Person, vote: Vote) -> dict[str, Any]:
    """The page, which says what the domain's questions say, byte for byte but for the moment of the turnout."""
    answer = who.get(f"/decisions/{vote.id}")
    assert answer.status_code == 200, answer.text
    with who.client.application.test_request_context(), db.reading() as session:
        g.resident_id = id_of(who)
        asked = detail_out(session.get_one(Decision, vote.ref))
    page: dict[str, Any] = answer.get_json()
    assert list(page) == list(asked)
    assert orjson.dumps(page | {"turnout": 0}) == orjson.dumps(asked | {"turnout": 0})
    assert orjson.dumps(page) == answer.get_data()
    return page


@pytest.fixture
def counted_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The turnout of each answer is that of its moment."""
    monkeypatch.setattr(turnout, "_counts", Once("turnout", good_for_s=0, most=1))


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """What is kept grows older by these seconds only."""
    at = 1_000_000.0

    def grow(seconds: float) -> None:
        nonlocal at
        at += seconds

    monkeypatch.setattr("app.once.monotonic", lambda: at)
    return grow


# --- it says what the domain says --------------------------------------------------------------------------------


def test_it_says_the_same_whatever_she_is_to_the_decision_and_wherever_that_stands(
    box: BallotBox, town: Town
) -> None:
    shared = box.flat("101", owner("甲"), owner("乙"), voter=0)
    unnamed = box.flat("102", owner("丙"), owner("丁"))
    both = owner("戊")
    first, second = box.flat("10-1", both), box.flat("2-1", both)  # one head, the second before the first
    box.flat("107", both, owner("己"), voter=1)  # hers as well, and somebody else votes for it
    sold, given_, alone = box.flat("103", owner()), box.flat("104", owner()), box.flat("105", owner())
    parking = box.flat("106", owner(), area=None)
    elsewhere = box.flat("201", owner(), estate=town.a.second_estate)
    voter, other = box.resident(shared, at=0), box.resident(shared, at=1)
    of_two, seller, giver = box.resident(unnamed, at=0), box.resident(sold), box.resident(given_)
    weak, tenant = box.resident(alone, level=Level.WEAK), box.resident(alone, level=None)
    several, one_of_two = box.resident(alone, given_, parking), box.resident(first)
    family = box.resident(second, level=None)
    number = phone()
    proxy, neighbour = known(box, number), box.resident(elsewhere)
    rules(box, transfer=Transfer.NEW_OWNER_UNLESS_CAST, change_allowed=True)
    vote = box.announced()
    everybody = [voter, other, of_two, seller, giver, weak, tenant, several, one_of_two, family]

    def look(*by_questions: Person) -> None:
        box.again(*everybody, proxy, neighbour, seller)
        for who in everybody:
            page = shown(who, vote)
            assert (plain(who, vote.ref) is None) == (who in by_questions)
            assert page["decision_id"] == vote.id
        for stranger in [who for who in (proxy, neighbour, seller) if who not in everybody]:
            assert stranger.get(f"/decisions/{vote.id}").status_code == 404
            assert plain(stranger, vote.ref) is None

    look()
    assert sorted(len(e["houses"]) for e in shown(one_of_two, vote)["my_roll_entry"]["entries"]) == [1, 2]
    vote.freeze()
    look()
    entries = shown(one_of_two, vote)["my_roll_entry"]["entries"]
    assert [[h["label"] for h in e["houses"]] for e in entries] == [["1栋2-1", "1栋10-1"], ["1栋107"]]
    assert [e["is_voter"] for e in entries] == [True, False]
    vote.open()
    sell(box, sold, "新业主")
    buyer = box.resident(sold)
    everybody.append(buyer)
    everybody.remove(seller)  # bound to nothing here any more
    box.again(giver)
    assert give(giver, vote, number).status_code == 201
    everybody.append(proxy)
    by_questions = (buyer, proxy)
    look(*by_questions)
    assert cast(voter, vote).status_code == 201
    assert cast(one_of_two, vote, "against").status_code == 201
    look(*by_questions)
    with db.transaction():
        ledger.seal(vote.ref)
    assert confirmed(vote, head_of(vote, "105"), is_signed=False).status_code == 200
    assert confirmed(vote, head_of(vote, "104"), "for").status_code == 200
    look(*by_questions)
    assert shown(voter, vote)["heads"][0]["ballot"]["state"] == "sealed"
    assert cast(one_of_two, vote, "for").status_code == 200
    assert shown(one_of_two, vote)["heads"][0]["ballot"]["rev"] == 2
    with db.transaction() as session:
        session.query(Membership).filter(
            Membership.community_id == vote.ref.community_id, Membership.resident_id == voter.id
        ).update({"review": Review.OBJECTED}, synchronize_session=False)
        session.query(Membership).filter(
            Membership.community_id == vote.ref.community_id, Membership.resident_id == other.id
        ).update({"vote_held_until": clock.now() + timedelta(days=3)}, synchronize_session=False)
    look(*by_questions)
    vote.close()
    look(*by_questions)


def test_so_it_does_of_one_owner_with_two_rows_and_of_who_sold_after_she_had_cast(
    box: BallotBox, sql_owner: Owner
) -> None:
    flats = [box.flat(str(101 + n), owner()) for n in range(3)]
    wang, li, zhao = (box.resident(flat) for flat in flats)
    vote = box.opened()
    box.again(wang, li, zhao)
    assert cast(zhao, vote).status_code == 201
    sell(box, flats[2], "新业主")
    assert plain(li, vote.ref) is not None
    same, root = box.owner_of(flats[1]), box.owner_of(flats[0])
    sql_owner.execute(
        "UPDATE owners SET same_as = %s WHERE community_id = %s AND id = %s",
        (root, vote.ref.community_id, same),
    )
    sql_owner.commit()
    for who, is_plain in ((wang, True), (li, False), (zhao, False)):
        shown(who, vote)
        assert (plain(who, vote.ref) is not None) == is_plain


@pytest.mark.parametrize("mode", [LegalMode.PAPER_BACKED, LegalMode.OFFICIAL])
def test_so_it_does_where_nothing_is_cast_here(box: BallotBox, mode: LegalMode) -> None:
    (wang,) = box.houses(9_000)
    box.allow(mode)
    vote = box.announced(legal_mode=mode.value).open()
    box.again(wang)
    page = shown(wang, vote)
    assert plain(wang, vote.ref) is not None
    assert page["my_ballot"] == ("on_paper" if mode is LegalMode.PAPER_BACKED else "elsewhere")
    assert (page["turnout"] is None) == (mode is LegalMode.OFFICIAL)


def test_nobody_reads_it_with_a_login_that_has_ended_or_before_it_is_announced(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    draft, vote = box.draft(), box.opened()
    box.again(wang)
    assert wang.get(f"/decisions/{draft.id}").status_code == 404
    assert wang.get(f"/decisions/{vote.id}").status_code == 200
    token = wang.token
    assert wang.delete("/session").status_code == 204
    again = wang.client.get(f"/bff/v1/decisions/{vote.id}", headers={"Authorization": f"Bearer {token}"})
    assert again.status_code == 401


def test_english_readers_get_their_own_words(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    vote = box.announced()
    english = {"Accept-Language": "en"}
    path = f"/decisions/{vote.id}"
    said = [wang.get(path, headers=more).json["legal_mode_text"] for more in ({}, english, {})]
    assert said[0] == said[2] == "意见征询，不具有法律效力。"
    assert said[1] == "An opinion poll without legal effect."


# --- in how many statements --------------------------------------------------------------------------------------


def test_it_costs_one_statement_and_one_count_a_second(
    box: BallotBox, moment: Callable[[float], None]
) -> None:
    flats = [box.flat(str(101 + n), owner("甲") if n < 3 else owner()) for n in range(5)]
    wang, li = box.resident(flats[4]), box.resident(flats[3])
    for flat in flats[:3]:
        box.bind(wang, flat)
    rules(box, login_is_delivery=True)
    vote = box.opened()
    box.again(wang, li)
    for who in (wang, li):  # what is shared is made, the login noted
        shown(who, vote)
    path = f"/decisions/{vote.id}"

    def sent(who: Person) -> list[str]:
        with statements() as found:
            assert who.get(path).status_code == 200
        return found

    assert [len(sent(who)) for who in (wang, li, wang)] == [1, 1, 1]
    assert "resident_sessions" in sent(li)[0]
    moment(1)
    assert [len(sent(who)) for who in (wang, li, wang)] == [2, 1, 1]
    moment(59)  # what is shared is a minute old
    assert len(sent(li)) > 2
    assert len(sent(wang)) == 1


def test_an_answer_that_is_at_hand_is_not_sent_again(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened()
    box.again(wang)
    path = f"/decisions/{vote.id}"
    tag = wang.get(path).headers["ETag"]
    assert wang.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert vote.go("cancel", {"reason": "公告有误"}).status_code == 200
    assert wang.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_many_readers_at_once_make_what_they_share_once(
    box: BallotBox, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = box.houses(9_000, 9_000, 9_000, 9_000)
    vote = box.opened()
    box.again(*people)
    made: list[Ref] = []
    make = decision_page._shared_of

    def slowly(ref: Ref) -> Any:
        made.append(ref)
        db_time.wait(0.3)
        return make(ref)

    import threading

    db_time = threading.Event()
    monkeypatch.setattr(decision_page, "_shared_of", slowly)
    monkeypatch.setattr(
        decision_page, "_SHARED", Once("decision_page", good_for_s=60, most=1_000_000, weigh=len)
    )

    def read(who: Person) -> Any:
        client = house.app.test_client()
        return client.get(
            f"/bff/v1/decisions/{vote.id}", headers={"Authorization": f"Bearer {who.token}"}
        ).get_json()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, people))
    assert made == [vote.ref]
    assert len({orjson.dumps(page["motions"]) for page in found}) == 1
    assert len({page["my_roll_entry"]["entries"][0]["head_id"] for page in found}) == 4


# --- what is kept is never out of date ---------------------------------------------------------------------------


def test_whatever_happens_to_a_decision_is_there_with_the_next_request(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    vote = box.announced()

    def look() -> dict[str, Any]:
        box.again(wang)
        assert plain(wang, vote.ref) is not None
        return shown(wang, vote)

    assert [e["kind"] for e in look()["timeline"]][-1] == "announced"
    vote.freeze()
    assert [e["kind"] for e in look()["timeline"]][-1] == "frozen"
    vote.open()
    assert look()["status"] == "open"
    closes_at = vote.row.closes_at
    assert closes_at is not None
    later = {"closes_at": clock.rfc3339(closes_at + timedelta(days=2)), "reason": "参与不足"}
    assert vote.go("extend", later).status_code == 200
    page = look()
    assert (page["closes_at"], page["extension_reason"]) == (later["closes_at"], "参与不足")
    assert page["timeline"][-1]["kind"] == "extended"
    assert vote.go("cancel", {"reason": "公告有误"}).status_code == 200
    page = look()
    assert (page["status"], page["cancel_reason"]) == ("cancelled", "公告有误")
    assert page["timeline"][-1]["kind"] == "cancelled"


def test_it_is_followed_to_its_end(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    vote = box.opened()
    box.again(wang)
    assert cast(wang, vote).status_code == 201
    assert shown(wang, vote)["my_ballot"] == "cast"
    vote.close()
    seen = []
    for days in (0, 1, 30):
        box.reach(clock.now() + timedelta(days=days))
        vote.tick()
        box.again(wang)
        seen.append(shown(wang, vote)["status"])
    assert seen[-1] == "archived"
    assert len(shown(wang, vote)["timeline"]) > 4


@pytest.fixture(scope="module")
def stage(house: House, make_town: Callable[[], Town]) -> Iterator[Stage]:
    with staged(house, make_town()) as made:
        yield made


def test_candidates_are_shown_as_they_stand_now_whoever_changed_them(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    play = stage.play(*[10_000] * 3)
    named: list[str] = []

    def nominate(vote: Vote) -> None:
        named.extend(candidate(vote, name) for name in "甲乙丙")

    stage.announce(play, ELECTION, kind=DecisionKind.ELECTION, before=nominate)
    vote = play.vote
    assert vote is not None
    who = stage.voter(play.flats[0])

    def names() -> list[str]:
        page = shown(who, vote)
        assert [c["name"] for c in page["texts"]["candidates"]] == [
            c["name"] for c in page["motions"][0]["candidates"]
        ]
        return [c["name"] for c in page["motions"][0]["candidates"]]

    assert names() == ["甲", "乙", "丙"]
    gone = stage.box.desk.post(f"/decisions/{play.id}/candidates/{named[2]}/withdraw", {"reason": "本人申请"})
    assert gone.status_code == 200, gone.text
    assert names() == ["甲", "乙"]
    # Another process, and nothing of ours: a name corrected, then erased.
    sql: Owner = request.getfixturevalue("owner")
    ref = ids.decode_ref(Kind.CANDIDATE, named[1])
    sealed = crypto.keys().encrypt("乙乙".encode(), f"candidate_name:{ref.id}")
    sql.execute("UPDATE candidates SET name_sealed = %s WHERE community_id = %s AND id = %s", (sealed, *ref))
    sql.commit()
    assert names() == ["甲", "乙乙"]
    sql.execute("DELETE FROM candidates WHERE community_id = %s AND id = %s", ref)
    sql.commit()
    assert names() == ["甲"]


def test_what_changed_without_a_version_is_there_within_a_minute(
    box: BallotBox, sql_owner: Owner, moment: Callable[[float], None]
) -> None:
    (wang,) = box.houses(9_000)
    vote = box.announced()
    assert shown(wang, vote)["text"] == "请各位业主表决。"
    sql_owner.execute("UPDATE decisions SET text = '更正' WHERE community_id = %s AND id = %s", vote.ref)
    sql_owner.commit()
    path = f"/decisions/{vote.id}"
    moment(59)
    assert wang.get(path).json["text"] == "请各位业主表决。"
    moment(1)
    assert shown(wang, vote)["text"] == "更正"


@pytest.fixture
def sql_owner(request: pytest.FixtureRequest) -> Owner:
    """The schema's owner; `owner` is a party in this file."""
    found: Owner = request.getfixturevalue("owner")
    return found


# --- turnout -----------------------------------------------------------------------------------------------------


def test_who_casts_finds_herself_counted_and_others_within_a_second(
    box: BallotBox, moment: Callable[[float], None]
) -> None:
    wang, li, zhao = box.houses(9_000, 8_000, 7_000)
    vote = box.opened()
    box.again(wang, li, zhao)

    def counted(who: Person) -> int:
        return int(who.get(f"/decisions/{vote.id}").json["turnout"]["heads"]["cast"])

    assert [counted(who) for who in (wang, li)] == [0, 0]
    moment(0.5)
    assert cast(wang, vote).status_code == 201
    assert counted(li) == 0
    assert counted(wang) == 1
    assert counted(li) == 1  # by the count that was made for her
    assert cast(zhao, vote).status_code == 201
    moment(0.9)
    assert counted(li) == 1
    moment(0.1)
    assert counted(li) == 2


@pytest.mark.usefixtures("counted_always")
def test_the_turnout_is_the_one_that_staff_read(box: BallotBox) -> None:
    people = box.houses(9_000, 8_000, 7_000)
    people += box.houses(6_000, 5_000, building="10栋")
    box.flat("201", owner(), building="2栋")
    vote = box.opened()
    box.again(*people)

    def both() -> tuple[Any, Any]:
        with people[0].client.application.test_request_context(), db.reading() as session:
            row = session.get_one(Decision, vote.ref)
            g.resident_id = id_of(people[0])
            asked = detail_out(row)["turnout"]
        return people[0].get(f"/decisions/{vote.id}").json["turnout"], asked

    for who in (people[0], people[4]):
        assert cast(who, vote).status_code == 201
        page, asked = both()
        assert page == asked
    assert confirmed(vote, head_of(vote, "1栋102"), is_signed=False).status_code == 200
    page, asked = both()
    assert page == asked
    assert page["heads"]["cast"] == 2
    assert [b["building"] for b in page["buildings"]] == ["1栋", "2栋", "10栋"]
    box.reach(clock.now() + timedelta(minutes=20))  # what is settled is counted on, once
    box.again(*people)
    page, asked = both()
    assert page == asked
    assert page["heads"]["cast"] == 2


# --- a login that is proof ---------------------------------------------------------------------------------------


def test_a_login_is_noted_once_and_written_only_when_there_is_something_to_note(box: BallotBox) -> None:
    wang, li = box.houses(9_000, 8_000)
    rules(box, login_is_delivery=True)
    vote = box.announced().freeze()
    box.again(wang, li)
    assert wang.get(f"/decisions/{vote.id}").status_code == 200
    assert box.desk.get(f"/decisions/{vote.id}/deliveries").json["items"] == []  # it isn't open
    vote.open()
    box.again(wang, li)
    writes = []
    for _ in range(3):
        with statements() as sent:
            assert wang.get(f"/decisions/{vote.id}").status_code == 200
        writes.append(sum("INSERT" in statement for statement in sent))
    assert writes == [1, 0, 0]
    ways = [(p["label"], p["way"]) for p in box.desk.get(f"/decisions/{vote.id}/deliveries").json["items"]]
    assert ways == [("1栋101", "login")]


def test_a_vote_elsewhere_refuses_as_before(box: BallotBox) -> None:
    (wang,) = box.houses(9_000)
    vote = box.announced()
    box.again(wang)
    refused(cast(wang, vote), "not_open")
    assert shown(wang, vote)["my_ballot"] is None


# --- the dump by hand --------------------------------------------------------------------------------------------

refs = st.builds(Ref, st.integers(1, 2**32 - 1), st.uuids())
times = st.datetimes(datetime(2000, 1, 2), datetime(2100, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
words = st.text(max_size=4)
some = st.none() | words
maybe = st.none() | times
houses = st.lists(
    st.builds(RollHouse, label=words, area_centi=st.none() | st.integers(0, 10**6), area_basis=some),
    max_size=2,
)
decisions = st.builds(
    Decision,
    community_id=st.integers(1, 2**32 - 1),
    id=st.uuids(),
    estate_id=st.uuids(),
    previous_id=st.none() | st.uuids(),
    kind=st.sampled_from(["meeting", "election", "poll"]),
    title=words,
    text=words,
    rules=st.just({}),
    status=st.sampled_from([s.value for s in DecisionStatus]),
    legal_mode=st.sampled_from([m.value for m in LegalMode]),
    announced_at=times,
    opens_at=times,
    closes_at=times,
    announced_closes_at=maybe,
    extended_at=maybe,
    extension_reason=some,
    cancel_reason=some,
    posted_until=maybe,
    objections_until=maybe,
    frozen_at=maybe,
)
heads = st.builds(
    RollHead,
    community_id=st.integers(1, 9),
    id=st.uuids(),
    area_centi=st.integers(0, 10**9),
    voter_id=st.none() | st.uuids(),
)
pages = st.builds(
    OwnDecision,
    decision=decisions,
    key=words,
    heads=st.lists(
        st.builds(
            HeadView,
            head_id=refs,
            label=words,
            area_centi=st.integers(0, 10**9),
            as_=words,
            ballot=st.none()
            | st.builds(
                BallotState,
                state=words,
                receipt=words,
                rev=st.integers(1, 99),
                channel=words,
                cast_at=times,
                is_valid=st.booleans(),
            ),
            may_cast=st.booleans(),
            why_not=some,
            reason=some,
            held_until=maybe,
        ),
        max_size=2,
    ),
    entries=st.lists(st.builds(roll.Entry, head=heads, houses=houses, is_voter=st.booleans()), max_size=2),
    previews=st.just([]),
    login_counts=st.booleans(),
    cast_at=maybe,
)
previews = st.lists(
    st.builds(
        roll.Preview,
        houses=houses,
        area_centi=st.integers(0, 10**9),
        is_voter=st.booleans(),
        has_voter=st.booleans(),
    ),
    max_size=2,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(pages, previews)
def test_the_dump_by_hand_is_the_schemas(house: House, page: OwnDecision, before: list[roll.Preview]) -> None:
    if page.decision.frozen_at is None:
        page = page._replace(entries=[], previews=before)
    kept = decision_page._Shared(b'"\xe6\x96\x87"', b'{"a":1}', b"[]", b"{}", b"[]")
    with pytest.MonkeyPatch.context() as patch, house.app.test_request_context():
        patch.setattr(decision_page, "_shared_of", lambda _: kept)
        patch.setattr(turnout, "lately", lambda *_, **__: {"heads": {"cast": 1}})
        by_hand = page_out(page)
    row = page.decision
    said = (
        orjson.loads(orjson.dumps(by_hand, default=str))
        | {name: getattr(row, name) for name in OwnDecisionOut().fields if hasattr(row, name)}
        | orjson.loads(b'{"text":"\xe6\x96\x87","rules":{"a":1},"motions":[],"texts":{},"timeline":[]}')
        | {
            "decision_id": Ref(row.community_id, row.id),
            "estate_id": Ref(row.community_id, row.estate_id),
            "previous_id": Ref(row.community_id, row.previous_id) if row.previous_id else None,
            "status": by_hand["status"],
            "my_roll_entry": {
                "frozen": row.frozen_at is not None,
                "objections_until": row.objections_until,
                "entries": [
                    {
                        "head_id": Ref(e.head.community_id, e.head.id),
                        "houses": e.houses,
                        "area_centi": e.head.area_centi,
                        "is_voter": e.is_voter,
                        "has_voter": e.head.voter_id is not None,
                    }
                    for e in page.entries
                ]
                + [p._asdict() | {"head_id": None} for p in page.previews],
            },
            "heads": [h._asdict() for h in page.heads],
        }
    )
    assert dumped(by_hand).get_data() == orjson.dumps(OwnDecisionOut().dump(said))
