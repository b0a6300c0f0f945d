"""Counting, with the worked cases of the law by their numbers, and against a second counter that was written apart."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from typing import Any

import pytest

from app.voting import verdicts
from app.voting.counting import (
    ABSTAIN,
    AGAINST,
    CHOSE,
    FOR,
    HeadWeight,
    MotionResult,
    Outcome,
    Question,
    Result,
    Tally,
    Totals,
    UnknownHead,
    conclude,
    count,
    percent,
)
from app.voting.matters import Matter
from app.voting.models import DecisionKind
from app.voting.rules import Rules, Unreturned
from app.voting.seats import Weight
from tests.voting.naive_counter import naive, random_roll

Votes = dict[str, str]


def counted(
    areas: list[int],
    votes: dict[int, str],
    *,
    matter: Matter = Matter.PROPERTY_COMPANY,
    told: frozenset[int] = frozenset(),
    **rules: Any,
) -> MotionResult:
    """One motion among heads with these areas (m²), by the place of each in the list."""
    heads = [HeadWeight(str(i), area * 100, i in told) for i, area in enumerate(areas)]
    given = {str(i): {"m": answer} for i, answer in votes.items()}
    return count([Question(id="m", number=1, matter=matter)], heads, given, Rules(**rules)).motions[0]


def voting(**by: int) -> dict[int, str]:
    """`voting(for_=4, against=2)`: the first four for, the next two against."""
    words = [word.rstrip("_") for word, many in by.items() for _ in range(many)]
    return dict(enumerate(words))


NINE = [100] * 9


# --- the worked cases ----------------------------------------------------------------------------------------


def test_case_1_exactly_two_thirds_is_a_quorum_and_two_thirds_of_it_pass_an_ordinary_matter() -> None:
    assert counted(NINE, voting(for_=4, against=2)).outcome is Outcome.PASSED


def test_case_1_the_same_votes_fail_a_major_matter() -> None:
    found = counted(NINE, voting(for_=4, against=2), matter=Matter.REBUILDING)

    assert found.outcome is Outcome.FAILED
    assert percent(found.in_favour.heads, found.participating.heads) == "66.66"


def test_case_2_exactly_half_is_not_more_than_half() -> None:
    assert counted(NINE, voting(for_=4, against=4)).outcome is Outcome.FAILED


def test_case_3_exactly_three_quarters_pass_a_major_matter() -> None:
    found = counted(NINE, voting(for_=6, against=2), matter=Matter.COMMON_PARTS)

    assert found.outcome is Outcome.PASSED


def test_case_4_much_area_in_few_hands_is_no_quorum() -> None:
    found = counted([1000, *NINE], voting(for_=5))

    assert found.outcome is Outcome.NO_QUORUM
    assert found.quorum is not None
    assert (found.quorum.area.is_reached, found.quorum.heads.is_reached) == (True, False)


def test_case_5_many_heads_with_little_area_are_no_quorum() -> None:
    found = counted([*NINE, 1000], voting(for_=7))

    assert found.outcome is Outcome.NO_QUORUM
    assert found.quorum is not None
    assert (found.quorum.area.is_reached, found.quorum.heads.is_reached) == (False, True)


def test_case_6_one_owner_of_three_houses_is_one_head_with_their_area() -> None:
    found = counted([300, 100, 100, 100, 100, 100], {0: FOR, 1: FOR, 2: AGAINST, 3: AGAINST})

    assert found.outcome is Outcome.FAILED
    assert found.approval is not None
    assert (found.approval.area.is_reached, found.approval.heads.is_reached) == (True, False)


def test_case_7_co_owners_count_once() -> None:
    found = counted(NINE, voting(for_=4, against=2))

    assert (found.participating, found.in_favour) == (Weight(60_000, 6), Weight(40_000, 4))


DEVELOPER = [100] * 12 + [800]


def test_case_8a_a_silent_developer_keeps_the_area_below_the_quorum() -> None:
    found = counted(DEVELOPER, voting(for_=8, against=1))

    assert found.outcome is Outcome.NO_QUORUM
    assert found.quorum is not None
    assert (found.quorum.area.as_json()["percent"], found.quorum.heads.is_reached) == ("45.00", True)


def test_case_8b_a_developer_against_outweighs_eight_heads() -> None:
    found = counted(DEVELOPER, voting(for_=8, against=1) | {12: AGAINST})

    assert found.outcome is Outcome.FAILED
    assert found.approval is not None
    assert (found.approval.heads.is_reached, found.approval.area.as_json()["percent"]) == (True, "47.05")


def test_case_9a_without_parking_it_passes() -> None:
    assert counted([100] * 10, voting(for_=6, against=1)).outcome is Outcome.PASSED


def test_case_9b_with_twenty_garages_of_an_investor_there_is_no_quorum() -> None:
    assert counted([100] * 10 + [600], voting(for_=6, against=1)).outcome is Outcome.NO_QUORUM


def test_case_10_a_signed_paper_turns_a_pass_into_a_fail() -> None:
    online = counted(NINE, voting(for_=5, against=1), matter=Matter.FUND_RAISE)
    with_paper = counted(NINE, voting(for_=4, against=2), matter=Matter.FUND_RAISE)

    assert (online.outcome, with_paper.outcome) == (Outcome.PASSED, Outcome.FAILED)


@pytest.mark.parametrize(("counts", "outcome"), [(False, Outcome.NO_QUORUM), (True, Outcome.PASSED)])
def test_case_11_an_unsigned_paper_takes_part_only_by_rule(counts: bool, outcome: Outcome) -> None:
    found = counted(NINE, voting(for_=4, against=1, invalid=1), invalid_takes_part=counts)

    assert found.outcome is outcome


def test_case_12_who_abstains_takes_part() -> None:
    found = counted(NINE, voting(for_=3, against=1, abstain=3))

    assert found.outcome is Outcome.FAILED
    assert found.approval is not None
    assert found.approval.heads.as_json()["percent"] == "42.85"


def case_13(unreturned: Unreturned) -> MotionResult:
    """2,261 heads; 1,147 handed in, 1,071 were told and silent. Heads only: each has the same area."""
    answers = voting(for_=995, against=27, abstain=125)
    told = frozenset(range(1147, 1147 + 1071))
    return counted([1] * 2261, answers, told=told, unreturned=unreturned)


def test_case_13_strictly_there_is_no_quorum() -> None:
    found = case_13(Unreturned.NOT_COUNTED)

    assert (found.outcome, found.participating.heads) == (Outcome.NO_QUORUM, 1147)
    assert percent(1147, 2261) == "50.72"


def test_case_13_by_rule_the_silent_join_the_majority() -> None:
    found = case_13(Unreturned.JOINS_MAJORITY)

    assert (found.outcome, found.participating.heads) == (Outcome.PASSED, 2218)
    assert (found.in_favour.heads, percent(2066, 2261)) == (2066, "91.37")


def test_case_13_as_taking_part_alone_the_silent_approve_nothing() -> None:
    found = case_13(Unreturned.TAKES_PART)

    assert (found.outcome, found.in_favour.heads) == (Outcome.FAILED, 995)


def test_case_14_the_published_figures_pass() -> None:
    whole = Weight(124_799_30, 1152)
    in_favour = Weight(round(whole.area_centi * 7488 * 6599 / 100_000_000), 589)
    part = Weight(93_449_08, 905)
    tally = Tally({FOR: in_favour, AGAINST: Weight(part.area_centi - in_favour.area_centi, 905 - 589)})
    question = Question(id="m", number=1, matter=Matter.PROPERTY_COMPANY)

    found = conclude(
        [question], Totals(whole, Weight()), {"m": tally}, Rules(), kind=DecisionKind.MEETING
    ).motions[0]

    assert found.outcome is Outcome.PASSED
    assert found.quorum is not None
    assert found.approval is not None
    assert (percent(905, 1152), percent(589, 905)) == ("78.55", "65.08")
    assert (found.quorum.area.as_json()["percent"], found.approval.area.as_json()["percent"]) == (
        "74.87",
        "65.99",
    )


def election(
    votes: dict[str, tuple[int, int]], *, seats: int, alternates: int = 0, taking_part: tuple[int, int]
) -> MotionResult:
    """An election from (area in m², heads) of each candidate."""
    question = Question(
        id="m",
        number=1,
        matter=Matter.COMMITTEE,
        seats=seats,
        alternates=alternates,
        candidates=tuple(votes),
    )
    area, heads = taking_part
    tally = Tally({CHOSE: Weight(area * 100, heads)}, {c: Weight(a * 100, n) for c, (a, n) in votes.items()})
    totals = Totals(Weight(area * 100, heads), Weight())
    return conclude([question], totals, {"m": tally}, Rules(), kind=DecisionKind.ELECTION).motions[0]


def places(found: MotionResult) -> dict[str, str]:
    assert found.places is not None
    return {s.candidate: s.place.value for s in found.places.standings}


CASE_15 = {
    "A": (8000, 80),
    "B": (7100, 70),
    "C": (6500, 66),
    "D": (5900, 58),
    "E": (4990, 51),
    "F": (5300, 49),
}


def test_case_15_four_of_five_are_elected_and_a_second_round_follows() -> None:
    found = election(CASE_15, seats=5, alternates=2, taking_part=(10_000, 100))

    assert found.outcome is Outcome.SECOND_ROUND
    assert places(found) == dict.fromkeys("ABCD", "elected") | dict.fromkeys("EF", "not_enough")
    assert found.places is not None
    enough = {s.candidate: (s.enough_area, s.enough_heads) for s in found.places.standings}
    assert (enough["E"], enough["F"], found.places.left_open) == ((False, True), (True, False), 1)


# --- seats ---------------------------------------------------------------------------------------------------


def test_seats_go_by_heads_and_then_by_area() -> None:
    found = election(
        {"A": (60, 70), "B": (90, 60), "C": (80, 60), "D": (95, 55)}, seats=2, taking_part=(100, 100)
    )

    assert [c for c, place in places(found).items() if place == "elected"] == ["A", "B"]


def test_equal_votes_at_the_last_seat_are_left_to_the_owners() -> None:
    found = election(
        {"A": (90, 90), "B": (60, 60), "C": (60, 60), "D": (55, 55)},
        seats=2,
        alternates=1,
        taking_part=(100, 100),
    )

    assert found.outcome is Outcome.TIED
    assert places(found) == {"A": "elected", "B": "tied", "C": "tied", "D": "passed_over"}
    assert found.places is not None
    assert (found.places.at_stake, found.places.left_open) == (1, 0)
    assert "系统不作决定" in "".join(verdicts.sentences(found))


def test_equal_votes_where_both_have_a_seat_are_no_tie() -> None:
    found = election({"A": (60, 60), "B": (60, 60), "C": (55, 55)}, seats=2, taking_part=(100, 100))

    assert found.outcome is Outcome.ELECTED
    assert places(found) == {"A": "elected", "B": "elected", "C": "passed_over"}


def test_alternates_are_at_most_half_as_many_as_seats() -> None:
    votes = {name: (90 - i, 90 - i) for i, name in enumerate("ABCDEFGH")}
    found = election(votes, seats=5, alternates=5, taking_part=(100, 100))

    assert [c for c, place in places(found).items() if place == "alternate"] == ["F", "G"]


def test_a_loser_below_the_threshold_is_no_alternate() -> None:
    found = election(
        {"A": (90, 90), "B": (80, 80), "C": (50, 60)}, seats=2, alternates=1, taking_part=(100, 100)
    )

    assert places(found)["C"] == "not_enough"


def test_equal_alternates_are_left_to_the_owners_and_the_election_holds() -> None:
    found = election(
        {"A": (90, 90), "B": (80, 80), "C": (60, 60), "D": (60, 60)},
        seats=2,
        alternates=1,
        taking_part=(100, 100),
    )

    assert found.outcome is Outcome.ELECTED
    assert [places(found)[c] for c in "CD"] == ["alternate_tied", "alternate_tied"]


def test_without_a_quorum_nobody_is_elected() -> None:
    question = Question(id="m", number=1, matter=Matter.COMMITTEE, seats=1, candidates=("A", "B"))
    heads = [HeadWeight(str(i), 100) for i in range(9)]

    found = count([question], heads, {str(i): {"m": ["A"]} for i in range(5)}, Rules()).motions[0]

    assert (found.outcome, set(places(found).values())) == (Outcome.NO_QUORUM, {"not_enough"})


def test_choosing_nobody_takes_part() -> None:
    question = Question(id="m", number=1, matter=Matter.COMMITTEE, seats=1, candidates=("A", "B"))
    heads = [HeadWeight(str(i), 100) for i in range(9)]
    votes = {str(i): {"m": ["A"] if i < 3 else []} for i in range(6)}

    found = count([question], heads, votes, Rules()).motions[0]

    assert (found.outcome, found.participating.heads) == (Outcome.SECOND_ROUND, 6)
    assert found.tally.of(ABSTAIN).heads == 3


# --- rules, polls, what can't be counted ------------------------------------------------------------------


def test_the_silent_join_nobody_where_area_and_heads_differ() -> None:
    found = counted(
        [500, 100, 100, 100, 100, 100],
        {0: FOR, 1: AGAINST, 2: AGAINST},
        told=frozenset({3, 4, 5}),
        unreturned=Unreturned.JOINS_MAJORITY,
    )

    assert (found.unreturned_as, found.outcome) == ("takes_part", Outcome.FAILED)


def test_who_was_not_told_with_proof_never_counts() -> None:
    found = counted(NINE, voting(for_=5), unreturned=Unreturned.JOINS_MAJORITY, told=frozenset({5}))

    assert found.participating.heads == 6
    assert counted(NINE, voting(for_=5), unreturned=Unreturned.JOINS_MAJORITY).participating.heads == 5


def test_a_poll_has_no_threshold_and_says_that_it_has_no_effect() -> None:
    heads = [HeadWeight(str(i), 100) for i in range(9)]
    result = count(
        [Question(id="m", number=1, title="健身角")],
        heads,
        {"0": {"m": FOR}},
        Rules(),
        kind=DecisionKind.POLL,
    )

    shown = verdicts.written(result)

    assert (shown["title"], shown["legal_effect"]) == ("意见征询结果", False)
    motion = shown["motions"][0]
    assert (motion["passed"], motion["quorum"], motion["approval"], motion["law"]) == (None, None, None, None)
    assert verdicts.POLL in motion["why"]
    assert not any("通过" in line for line in motion["why"])


def test_a_ballot_of_a_head_that_is_not_on_the_roll_is_refused() -> None:
    with pytest.raises(UnknownHead):
        counted(NINE, {9: FOR})


def test_nobody_voted() -> None:
    found = counted(NINE, {})

    assert found.outcome is Outcome.NO_QUORUM
    assert verdicts.written(count([], [], {}, Rules()))["motions"] == []


def test_a_percentage_is_cut_off_and_never_looks_reached() -> None:
    assert (percent(1999999, 3000000), percent(2, 3), percent(0, 0)) == ("66.66", "66.66", None)


def test_the_result_says_law_fractions_and_why() -> None:
    result = count(
        [Question(id="m", number=1, title="改建大门", matter=Matter.REBUILDING)],
        [HeadWeight(str(i), 10_000) for i in range(9)],
        {str(i): {"m": FOR if i < 4 else AGAINST} for i in range(6)},
        Rules(),
    )

    motion = verdicts.written(result)["motions"][0]

    assert motion["law"]["item"].startswith("《民法典》第二百七十八条第一款第（七）项")
    assert motion["approval"]["heads"] == {
        "part": 4,
        "whole": 6,
        "percent": "66.66",
        "needs": "3/4",
        "more_than": False,
        "reached": False,
    }
    assert "".join(motion["why"]).endswith("人数和面积没有达到，未通过。")
    assert "四分之三以上" in "".join(motion["why"])


# --- against a counter that was written apart -----------------------------------------------------------------


def by_counter(
    areas: list[int], answers: dict[int, Any], told: set[int], matter: int, rules: Rules, seats: int | None
) -> Result:
    question = Question(
        id="m",
        number=1,
        matter=Matter(matter),
        seats=seats,
        candidates=tuple(str(c) for c in range(seats + 2)) if seats is not None else (),
    )
    heads = [HeadWeight(str(i), area, i in told) for i, area in enumerate(areas)]
    votes = {
        str(i): {"m": [str(c) for c in answer] if isinstance(answer, list) else answer}
        for i, answer in answers.items()
    }
    return count([question], heads, votes, rules)


def test_five_thousand_random_rolls_count_as_a_naive_counter_counts_them() -> None:
    rng = random.Random(278)
    seen: dict[str, int] = {}
    on_the_line = 0
    for _ in range(5000):
        roll = random_roll(rng)
        found = by_counter(*roll).motions[0]
        outcome, elected = naive(*roll)
        shown = {int(c) for c, place in places(found).items() if place == "elected"} if roll[5] else set()
        assert (found.outcome.value, shown) == (outcome, elected), roll
        seen[outcome] = seen.get(outcome, 0) + 1
        on_the_line += any(
            share.whole and Fraction(share.part, share.whole) == limit
            for shares, limits in (
                (found.quorum, (Fraction(2, 3),)),
                (found.approval, (Fraction(1, 2), Fraction(3, 4))),
            )
            if shares is not None
            for share in shares
            for limit in limits
        )
    assert on_the_line > 500
    assert all(seen[outcome] > 100 for outcome in ("passed", "failed", "no_quorum", "second_round")), seen
    assert all(seen[outcome] > 20 for outcome in ("elected", "tied")), seen


def test_each_word_of_a_result_is_json() -> None:
    rng = random.Random(9)
    for _ in range(50):
        shown = verdicts.written(by_counter(*random_roll(rng)))
        assert json.loads(json.dumps(shown)) == shown
