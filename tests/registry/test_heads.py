"""Counting heads (解释 8-9): the vectors of the law's commentators, and what holds for every register."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.places import heads, queries, registry
from app.places.heads import Held
from app.places.identity import Party
from app.places.registry_models import HoldingState, House, HouseKind
from tests.conftest import Town
from tests.registry.conftest import Clerk

ZHANG, LI, DEVELOPER = UUID(int=1001), UUID(int=1002), UUID(int=1003)
_next = iter(range(1, 10**9))


def held(area_m2: int | None, *owners: UUID, state: HoldingState = HoldingState.OWNED) -> Held:
    return Held(
        UUID(int=next(_next)), area_m2 * 100 if area_m2 is not None else None, state, frozenset(owners)
    )


def other() -> UUID:
    return UUID(int=next(_next) + 10**12)


def total(found: list[heads.Head]) -> tuple[int, int]:
    """(m², heads)."""
    return sum(h.area_centi for h in found) // 100, len(found)


def test_one_owner_of_three_houses_is_one_head_with_the_sum() -> None:
    # domain.md §2.4, vector 6
    found = heads.count(
        [held(90, ZHANG), held(90, ZHANG), held(120, ZHANG), *[held(100, other()) for _ in range(5)]]
    )
    assert total(found) == (800, 6)
    assert next(h for h in found if h.owners == {ZHANG}).area_centi == 30000


def test_what_the_developer_has_not_sold_or_handed_over_is_one_head() -> None:
    # vector 8: 12 sold and 8 unsold
    sold = [held(100, other()) for _ in range(12)]
    unsold = [held(100, state=HoldingState.UNSOLD) for _ in range(8)]
    found = heads.count(sold + unsold)
    assert total(found) == (2000, 13)
    (developer,) = [h for h in found if h.is_developer]
    assert developer.area_centi == 80000
    # vectors 8a and 8b: the developer's vote adds one head and 800 m² to nine of 100 m²
    voting = [h for h in found if not h.is_developer][:9]
    assert total(voting) == (900, 9)
    assert total([*voting, developer]) == (1700, 10)
    waiting = [held(100, other(), state=HoldingState.UNDELIVERED) for _ in range(3)]
    assert total(heads.count(sold + unsold + waiting)) == (2300, 13)


def test_what_the_developer_kept_in_its_own_name_is_no_second_head() -> None:
    found = heads.count(
        [held(100, DEVELOPER, state=HoldingState.UNSOLD), held(50, DEVELOPER), held(80, LI)],
        developers={DEVELOPER},
    )
    assert total(found) == (230, 2)


def test_garages_count_only_where_the_rules_say_so() -> None:
    # vectors 9a and 9b: an investor with 20 garages of 30 m²
    homes = [held(100, other()) for _ in range(10)]
    investor = other()
    garages = [held(30, investor) for _ in range(20)]
    assert total(heads.count(homes)) == (1000, 10)
    assert total(heads.count(homes + garages)) == (1600, 11)


def test_co_owners_are_one_head_and_their_second_house_adds_none() -> None:
    found = heads.count([held(100, ZHANG, LI), held(50, LI, ZHANG), held(80, ZHANG), held(60, other())])
    assert total(found) == (290, 3)
    assert next(h for h in found if h.owners == {ZHANG, LI}).area_centi == 15000


def test_a_house_of_unknown_owner_is_a_head_and_one_without_area_is_named() -> None:
    nobody = held(70)
    unmeasured = held(None, LI)
    found = heads.count([nobody, held(70), unmeasured])
    assert total(found) == (140, 3)
    assert [h.without_area for h in found] == [(), (), (unmeasured.house_id,)]


people = st.integers(1, 6).map(lambda n: UUID(int=n))
anything = st.lists(
    st.builds(
        Held,
        house_id=st.integers(10, 10**6).map(lambda n: UUID(int=n)),
        area_centi=st.none() | st.integers(1, 10**7),
        state=st.sampled_from(list(HoldingState)),
        owners=st.frozensets(people, max_size=3),
        voter=st.none() | people,
    ),
    max_size=40,
    unique_by=lambda h: h.house_id,
)


@given(anything)
def test_no_area_is_lost_or_made_and_each_house_is_in_exactly_one_head(houses: list[Held]) -> None:
    found = heads.count(houses)
    assert sum(h.area_centi for h in found) == sum(h.area_centi or 0 for h in houses)
    counted = [house for head in found for house in head.houses]
    assert sorted(counted) == sorted(h.house_id for h in houses)
    assert sum(h.is_developer for h in found) <= 1
    assert len(found) <= len(houses)


@given(anything)
def test_the_same_owners_are_never_two_heads(houses: list[Held]) -> None:
    found = heads.count(houses)
    known = [h.owners for h in found if h.owners and not h.is_developer]
    assert len(set(known)) == len(known)
    for head in found:
        assert head.voter is None or head.voter in head.owners
        assert head.voter is not None or len(head.owners) != 1


@given(anything, st.randoms())
def test_the_order_of_the_register_changes_nothing(houses: list[Held], random: object) -> None:
    mixed = list(houses)
    random.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis's Random

    def plain(found: list[heads.Head]) -> set[object]:
        return {(frozenset(h.houses), h.area_centi, h.owners, h.is_developer, h.voter) for h in found}

    assert plain(heads.count(houses)) == plain(heads.count(mixed))


# --- from the registry -----------------------------------------------------------------------------------


def estate_heads(estate: Ref, *kinds: HouseKind, days_ago: int = 0) -> list[heads.Head]:
    with db.reading():
        return heads.heads_of(
            estate,
            as_of=queries.today() - timedelta(days=days_ago),
            kinds=kinds or (HouseKind.HOME, HouseKind.SHOP),
        )


def test_identity_goes_by_id_number_else_by_name_and_phone(
    town: Town, add_house: Callable[..., House]
) -> None:
    add_house("101", 9000, Party("张三", "13800000001", id_number="110101199003070011"))
    add_house("102", 9000, Party("张三", id_number="110101199003070011"))
    add_house("103", 10000, Party("李四", "13800000002"))
    add_house("104", 10000, Party("李四", "13800000002"))
    add_house("105", 10000, Party("李四", "13800000003"))
    add_house("106", 10000, Party("李四"))
    found = estate_heads(town.a.estate)
    assert sorted(h.area_centi for h in found) == [10000, 10000, 18000, 20000]


def test_heads_are_those_of_the_day_asked_for(town: Town, add_house: Callable[..., House]) -> None:
    today = queries.today()
    house = add_house("101", 9000, Party("张三"), since=today - timedelta(days=100))
    add_house("102", 8000, Party("李四"), since=today - timedelta(days=10))
    parking = add_house("P1", 1200, Party("张三"), kind=HouseKind.PARKING, since=today - timedelta(days=50))
    with db.transaction():
        registry.transfer(
            [town.a.estate],
            Ref(house.community_id, house.id),
            owners=[Party("王五")],
            since=today - timedelta(days=5),
            acting_user=SYSTEM,
        )
    assert [h.area_centi for h in estate_heads(town.a.estate, days_ago=60)] == [9000]
    before, after = estate_heads(town.a.estate, days_ago=6), estate_heads(town.a.estate, days_ago=5)
    assert (len(before), len(after)) == (2, 2)
    of_house = [next(h.owners for h in found if house.id in h.houses) for found in (before, after)]
    assert of_house[0] != of_house[1]
    with_parking = estate_heads(town.a.estate, HouseKind.HOME, HouseKind.PARKING)
    assert sum(h.area_centi for h in with_parking) == 18200
    assert any(parking.id in h.houses for h in with_parking)


BUILDER = Party("重庆江畔置业有限公司", "13800000077")


@pytest.fixture
def estate_of(town: Town, add_house: Callable[..., House]) -> Callable[..., list[heads.Head]]:
    """The heads of one building: `estate_of("2栋")`; of all: `estate_of()`."""

    def found(building: str | None = None, *kinds: HouseKind) -> list[heads.Head]:
        with db.reading():
            chosen = [b.id for b in queries.buildings_of(town.a.estate) if b.name == building]
            return heads.heads_of(
                town.a.estate,
                as_of=queries.today(),
                kinds=kinds or (HouseKind.HOME, HouseKind.SHOP),
                building_ids=chosen if building else None,
            )

    return found


def test_the_developer_is_one_head_where_only_one_building_votes(
    add_house: Callable[..., House], estate_of: Callable[..., list[heads.Head]]
) -> None:
    add_house("101", 9000, BUILDER, building="1栋", state=HoldingState.UNSOLD)
    add_house("S1", 5000, BUILDER, building="2栋", kind=HouseKind.SHOP)
    add_house("201", 8000, Party("张三"), building="2栋", state=HoldingState.UNDELIVERED)
    add_house("202", 8000, Party("李四"), building="2栋")
    found = estate_of("2栋")
    assert sorted((h.area_centi, h.is_developer) for h in found) == [(8000, False), (13000, True)]
    (developer,) = (h for h in found if h.is_developer)
    assert developer.owners == {developer.voter}


def test_the_developer_is_known_by_what_it_had_not_sold_or_by_a_parking_space(
    add_house: Callable[..., House], estate_of: Callable[..., list[heads.Head]]
) -> None:
    add_house("P1", 1200, BUILDER, kind=HouseKind.PARKING, state=HoldingState.UNSOLD)
    for number in ("101", "102"):
        add_house(number, 9000, state=HoldingState.UNSOLD)  # the list names nobody
    add_house("S1", 5000, BUILDER, kind=HouseKind.SHOP)
    add_house("103", 8000, Party("李四"))
    assert sorted(h.area_centi for h in estate_of()) == [8000, 23000]


def test_the_only_body_that_holds_undelivered_houses_is_the_developer_and_none_of_several(
    add_house: Callable[..., House], estate_of: Callable[..., list[heads.Head]]
) -> None:
    add_house("101", 9000, BUILDER, state=HoldingState.UNDELIVERED)
    add_house("S1", 5000, BUILDER, kind=HouseKind.SHOP)
    add_house("103", 8000, Party("李四"))
    assert sorted(h.area_centi for h in estate_of()) == [8000, 14000]
    add_house("104", 7000, Party("重庆江北商贸有限公司"), state=HoldingState.UNDELIVERED)
    assert sorted(h.area_centi for h in estate_of()) == [5000, 8000, 16000]


def test_a_flat_marked_unsold_does_not_make_its_private_owner_the_developer(
    town: Town,
    clerk: Clerk,
    add_house: Callable[..., House],
    estate_of: Callable[..., list[heads.Head]],
    owner: psycopg.Connection[Any],
) -> None:
    add_house("101", 9000, BUILDER, state=HoldingState.UNSOLD)
    marked = add_house("201", 8000, Party("王五", "13800000009"))
    add_house("202", 7000, Party("王五", "13800000009"))
    owner.execute("UPDATE holdings SET state = 'unsold' WHERE house_id = %s", (marked.id,))
    found = estate_of()
    assert sorted((h.area_centi, h.is_developer) for h in found) == [(7000, False), (17000, True)]
    (developer,) = (h for h in found if h.is_developer)
    assert developer.owners == {developer.voter}
    path = f"/houses/{ids.encode(Kind.HOUSE, Ref(marked.community_id, marked.id))}/transfer"
    version = clerk.house("201")["version"]
    refused = clerk.caller.post(
        path, {"owners": [{"name": "王五"}], "state": "unsold"}, headers={"If-Match": f'"{version}"'}
    )
    assert (refused.status_code, refused.json["code"]) == (422, "unsold_to_a_person")
