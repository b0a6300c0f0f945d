"""The worked cases of the law, by their numbers, from the registry to the certified result, over HTTP; and 30 random
rolls against a counter that was written apart. All are played at once, by one clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app import clock, db, ids
from app.ids import Kind, Ref
from app.places.registry_models import HoldingState, HouseKind
from app.voting.models import DecisionKind
from app.voting.roll_models import Delivery
from tests.conftest import House, Person, Town
from tests.voting.conftest import Vote, candidate, company, owner
from tests.voting.naive_counter import Roll, naive, random_roll
from tests.voting.staging import Play, Stage, staged

NINE = (10_000,) * 9
FOR, AGAINST, ABSTAIN = "for", "against", "abstain"
ROLLS = 30
# Estates of the random rolls (0.01 m²; 0: an area that nobody knows): exact ties by heads and area, and none.
ROLLS_OF = ((10_000,) * 4, (10_000,) * 6, (3_000, 8_999, 10_000, 12_345, 0, 3_000), (10_000,) * 9)
# The decisions of the estate of nine equal homes, with their matters.
NINES: dict[str, tuple[int, ...]] = {
    "1": (4, 7),
    "2": (4,),
    "3": (8,),
    "10": (6,),
    "10 online": (6,),
    "11": (4,),
    "11 by rule": (4,),
    "12": (4,),
}
# Thirty-odd decisions play in one fixture, also on a busy machine.
pytestmark = pytest.mark.timeout(600)


def motion(matter: int) -> dict[str, Any]:
    return {"title": f"事项{matter}", "text": "请表决。", "matter": matter}


def standing(count: int, into: Play) -> Callable[[Vote], None]:
    """So many candidates, before the election is reviewed."""

    def add(vote: Vote) -> None:
        into.candidates = [candidate(vote, f"候选人{n}") for n in range(count)]

    return add


class Cases:
    """Every case, certified."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.plays: dict[str, Play] = {}
        self.answers: dict[str, Any] = {}
        self.refused: dict[str, Any] = {}
        self.voters: dict[Ref, Person] = {}
        rng = random.Random(278)
        self.rolls: list[Roll] = [random_roll(rng, among=ROLLS_OF) for _ in range(ROLLS)]
        self._announce()
        stage.open(list(self.plays.values()))
        self._vote()
        stage.close(list(self.plays.values()))
        self.results = {name: self._certified(play) for name, play in self.plays.items()}

    # --- what is decided ----------------------------------------------------------------------------------

    def _announce(self) -> None:
        stage = self.stage

        nine = stage.play(*NINE)
        for name, matters in NINES.items():
            self._meet(name, stage.again(nine, invalid_takes_part=name == "11 by rule"), *matters)
        shop = stage.play(*NINE)
        shop.flats.append(stage.box.flat("1", owner(), area=100_000, kind=HouseKind.SHOP, estate=shop.estate))
        self._meet("4", shop)
        self._meet("5", stage.again(shop))
        zhang, six = owner("张三"), stage.play(*(10_000,) * 5)
        for n, area in enumerate((9_000, 9_000, 12_000)):
            six.flats.append(stage.box.flat(str(201 + n), zhang, area=area, estate=six.estate))
        self._meet("6", six)
        seven = stage.play(*(10_000,) * 8)
        couple = stage.box.flat("99", owner(), owner(), area=10_000, voter=0, estate=seven.estate)
        self._meet("7", seven)
        seven.flats.append(couple)
        eight, developer = stage.play(*(10_000,) * 12), company()
        for n in range(8):
            eight.flats.append(
                stage.box.flat(str(201 + n), developer, state=HoldingState.UNSOLD, estate=eight.estate)
            )
        self._meet("8a", eight)
        self._meet("8b", stage.again(eight))
        ten, investor = stage.play(*(10_000,) * 10), owner()
        for n in range(20):
            stage.box.flat(
                str(n + 1), investor, area=3_000, kind=HouseKind.GARAGE, building="车库", estate=ten.estate
            )
        self._meet("9a", ten)
        self._meet("9b", stage.again(ten, parking_counted=True))
        self._meet("15", stage.play(*FIFTEEN), seats=5, stand=6)
        small = {areas: stage.play(*(area or None for area in areas)) for areas in ROLLS_OF}
        for n, (areas, _, _, matter, rules, seats) in enumerate(self.rolls):
            asked = {"unreturned": rules.unreturned, "invalid_takes_part": rules.invalid_takes_part}
            play = stage.again(small[tuple(areas)], **asked)
            self._meet(f"roll {n}", play, matter, seats=seats, stand=seats + 2 if seats else 0)

    def _meet(self, name: str, play: Play, *matters: int, seats: int | None = None, stand: int = 0) -> None:
        self.plays[name] = play
        if seats is None:
            self.stage.announce(play, *map(motion, matters or (4,)))
        else:
            asked = motion(3) | {"seats": seats, "alternates": seats // 2}
            self.stage.announce(play, asked, kind=DecisionKind.ELECTION, before=standing(stand, play))

    # --- the ballots --------------------------------------------------------------------------------------

    def _vote(self) -> None:
        for name, cast in ONLINE.items():
            self._online(name, *cast)
        self._online("4", *[FOR] * 4)
        self._say("4", "1栋1", FOR)
        self._say("6", "1栋201", FOR)
        for room, answer in (("1栋101", FOR), ("1栋102", AGAINST), ("1栋103", AGAINST)):
            self._say("6", room, answer)
        self._co_owners()
        self._say("8b", "1栋201", AGAINST)
        self.sheet("10", "1栋105", AGAINST)
        for name in ("11", "11 by rule"):
            self.sheet(name, "1栋106", FOR, signed=False)
        fifteen = self.plays["15"]
        for n in range(100):
            chosen = [fifteen.candidates[c] for c in chosen_in_fifteen(n)]
            self._say("15", f"1栋{101 + n}", chosen)
        for n, roll in enumerate(self.rolls):
            self._random(f"roll {n}", roll)

    def _online(self, name: str, *answers: str) -> None:
        for n, answer in enumerate(answers):
            self._say(name, f"1栋{101 + n}", answer)

    def _say(self, name: str, room: str, answer: Any) -> None:
        play = self.plays[name]
        if play.estate not in self.voters:
            self.voters[play.estate] = self.stage.voter(*play.flats)
        got = play.cast(self.voters[play.estate], room, *[answer] * len(play.motions))
        assert got.status_code == 201, (name, room, got.text)

    def _co_owners(self) -> None:
        """Of the first house of case 7 one is registered to vote; both press."""
        play = self.plays["7"]
        couple = play.flats.pop()
        registered = self.stage.box.resident(couple, at=0)
        other = self.stage.box.resident(couple, at=1)
        first = play.cast(registered, "1栋99", FOR)
        assert first.status_code == 201, first.text
        self.refused["co-owner"] = play.cast(other, "1栋99", AGAINST)
        for n, answer in enumerate([FOR] * 3 + [AGAINST] * 2):
            self._say("7", f"1栋{101 + n}", answer)

    def sheet(self, name: str, room: str, answer: Any, *, signed: bool = True) -> None:
        """A sheet, entered by one and confirmed by another member of staff."""
        self.plays[name].sheet(room, answer, signed=signed)

    def _random(self, name: str, roll: Roll) -> None:
        _, answers, told, _, _, seats = roll
        play = self.plays[name]
        assert play.vote is not None
        heads = {i: ids.decode_ref(Kind.HEAD, play.head(f"1栋{101 + i}")) for i in told}
        with db.transaction() as session:
            for head in heads.values():
                session.add(
                    Delivery(
                        community_id=head.community_id,
                        id=ids.new_id(),
                        decision_id=play.vote.ref.id,
                        head_id=head.id,
                        way="visit",
                        at=clock.now(),
                        actor_kind="system",
                    )
                )
        for i, answer in answers.items():
            room = f"1栋{101 + i}"
            if answer == "invalid":
                self.sheet(name, room, [] if seats else FOR, signed=False)
            else:
                said = [play.candidates[c] for c in answer] if isinstance(answer, list) else answer
                self._say(name, room, said)

    def _certified(self, play: Play) -> dict[str, Any]:
        answer = self.stage.certify(play)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    # --- what came out ------------------------------------------------------------------------------------

    def outcome(self, name: str, at: int = 0) -> str:
        """What came of a motion."""
        return str(self.results[name]["motions"][at]["outcome"])

    def figures(self, name: str) -> tuple[tuple[int, int], ...]:
        """(area in m², heads) of the roll, of who took part, and of who was for it."""
        motion = self.results[name]["motions"][0]
        weights = (self.results[name]["totals"], motion["participating"], motion["in_favour"])
        return tuple((w["area_centi"] // 100, w["heads"]) for w in weights)


# Rooms 101, 102, … in their order.
ONLINE = {
    "1": [FOR] * 4 + [AGAINST] * 2,
    "2": [FOR] * 4 + [AGAINST] * 4,
    "3": [FOR] * 6 + [AGAINST] * 2,
    "5": [FOR] * 7,
    "8a": [FOR] * 8 + [AGAINST],
    "8b": [FOR] * 8 + [AGAINST],
    "9a": [FOR] * 6 + [AGAINST],
    "9b": [FOR] * 6 + [AGAINST],
    "10": [FOR] * 5 + [AGAINST],
    "10 online": [FOR] * 5 + [AGAINST],
    "11": [FOR] * 4 + [AGAINST],
    "11 by rule": [FOR] * 4 + [AGAINST],
    "12": [FOR] * 3 + [AGAINST] + [ABSTAIN] * 3,
}
# Case 15: 82 plain homes, then 8 large and 8 small ones, one of 90 m² and one of 110 m²: 10,000 m² in 100 heads.
FIFTEEN = (10_000,) * 82 + (15_000,) * 8 + (5_000,) * 8 + (9_000, 11_000)
LARGE, SMALL, NINETY = range(82, 90), range(90, 98), 98
CHOSE = (
    {*range(80)},  # A: 8,000 m², 80 heads
    {*range(41), *range(48, 75), *LARGE[:2]},  # B: 7,100, 70
    {*range(64), *SMALL[:2]},  # C: 6,500, 66
    {*range(56), *LARGE[2:4]},  # D: 5,900, 58
    {*range(48), *SMALL[2:4], NINETY},  # E: 4,990, 51
    {*range(41, 82), *LARGE},  # F: 5,300, 49
)


def chosen_in_fifteen(head: int) -> list[int]:
    """The candidates whom a head of case 15 chooses, at most five."""
    return [c for c, heads in enumerate(CHOSE) if head in heads]


@pytest.fixture(scope="module")
def cases(house: House, make_town: Callable[[], Town]) -> Iterator[Cases]:
    with staged(house, make_town()) as stage:
        yield Cases(stage)


def test_case_1_exactly_two_thirds_pass_an_ordinary_matter_and_fail_a_major_one(cases: Cases) -> None:
    assert cases.figures("1") == ((900, 9), (600, 6), (400, 4))
    assert (cases.outcome("1"), cases.outcome("1", 1)) == ("passed", "failed")


def test_case_2_exactly_half_fails(cases: Cases) -> None:
    assert cases.figures("2") == ((900, 9), (800, 8), (400, 4))
    assert cases.outcome("2") == "failed"


def test_case_3_exactly_three_quarters_pass_a_major_matter(cases: Cases) -> None:
    assert cases.figures("3") == ((900, 9), (800, 8), (600, 6))
    assert cases.outcome("3") == "passed"


def test_case_4_one_shop_with_much_area_makes_no_quorum(cases: Cases) -> None:
    assert cases.figures("4") == ((1900, 10), (1400, 5), (1400, 5))
    assert cases.outcome("4") == "no_quorum"


def test_case_5_many_small_owners_make_no_quorum(cases: Cases) -> None:
    assert cases.figures("5") == ((1900, 10), (700, 7), (700, 7))
    assert cases.outcome("5") == "no_quorum"


def test_case_6_three_homes_of_one_owner_are_one_head(cases: Cases) -> None:
    assert cases.figures("6") == ((800, 6), (600, 4), (400, 2))
    assert cases.outcome("6") == "failed"


def test_case_7_of_co_owners_the_registered_one_counts_and_the_conflict_is_told(cases: Cases) -> None:
    refused = cases.refused["co-owner"]
    assert (refused.status_code, refused.json["code"]) == (409, "not_the_voter")
    assert cases.figures("7") == ((900, 9), (600, 6), (400, 4))
    assert cases.outcome("7") == "passed"


def test_case_8a_a_silent_developer_keeps_it_below_the_quorum(cases: Cases) -> None:
    assert cases.figures("8a") == ((2000, 13), (900, 9), (800, 8))
    assert cases.outcome("8a") == "no_quorum"


def test_case_8b_a_developer_against_it_makes_it_fail(cases: Cases) -> None:
    assert cases.figures("8b") == ((2000, 13), (1700, 10), (800, 8))
    assert cases.outcome("8b") == "failed"


def test_case_9_garages_count_only_where_the_rules_say_so(cases: Cases) -> None:
    assert (cases.figures("9a"), cases.outcome("9a")) == (((1000, 10), (700, 7), (600, 6)), "passed")
    assert (cases.figures("9b"), cases.outcome("9b")) == (((1600, 11), (700, 7), (600, 6)), "no_quorum")


def test_case_10_a_signed_sheet_replaces_the_online_ballot(cases: Cases) -> None:
    assert cases.figures("10 online") == ((900, 9), (600, 6), (500, 5))
    assert cases.figures("10") == ((900, 9), (600, 6), (400, 4))
    assert (cases.outcome("10 online"), cases.outcome("10")) == ("passed", "failed")


def test_case_11_an_unsigned_sheet_takes_part_only_by_rule(cases: Cases) -> None:
    assert (cases.figures("11"), cases.outcome("11")) == (((900, 9), (500, 5), (400, 4)), "no_quorum")
    by_rule = "11 by rule"
    assert (cases.figures(by_rule), cases.outcome(by_rule)) == (((900, 9), (600, 6), (400, 4)), "passed")


def test_case_12_who_abstains_takes_part(cases: Cases) -> None:
    assert cases.figures("12") == ((900, 9), (700, 7), (300, 3))
    assert cases.outcome("12") == "failed"


def test_case_15_four_of_five_seats_are_won_and_a_second_round_follows(cases: Cases) -> None:
    motion = cases.results["15"]["motions"][0]
    found = {c["name"]: c for c in motion["election"]["candidates"]}
    votes = {name: (c["area_centi"] // 100, c["heads"], c["place"]) for name, c in found.items()}

    assert cases.outcome("15") == "second_round"
    assert votes == {
        "候选人0": (8000, 80, "elected"),
        "候选人1": (7100, 70, "elected"),
        "候选人2": (6500, 66, "elected"),
        "候选人3": (5900, 58, "elected"),
        "候选人4": (4990, 51, "not_enough"),
        "候选人5": (5300, 49, "not_enough"),
    }
    assert (motion["election"]["left_open"], motion["election"]["second_round"]) == (1, True)


@pytest.mark.parametrize("number", range(ROLLS))
def test_a_random_roll_comes_out_as_a_naive_counter_has_it(cases: Cases, number: int) -> None:
    outcome, elected = naive(*cases.rolls[number])
    play, motion = cases.plays[f"roll {number}"], cases.results[f"roll {number}"]["motions"][0]

    won = set()
    if motion["election"]:
        won = {
            play.candidates.index(c["candidate_id"])
            for c in motion["election"]["candidates"]
            if c["place"] == "elected"
        }
    assert (motion["outcome"], won) == (outcome, elected)
