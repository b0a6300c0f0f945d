"""How many are in a focus group: small numbers hidden, exact for a purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from app import ids
from app.ids import Kind
from app.places.registry_models import House
from tests.focus.conftest import Groups, building_of


def counts(asker: Any, **query: Any) -> dict[str, Any]:
    answer = asker.get("/focus-counts", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def people(groups: Groups, house: House, number: int) -> None:
    for n in range(number):
        groups.tag(house, name=f"老人{'甲乙丙丁戊己庚辛'[n]}", phone=f"139000000{n:02d}")


def test_the_street_sees_numbers_by_grid_and_no_small_ones(groups: Groups) -> None:
    town = groups.town
    people(groups, groups.door(), 6)
    people(groups, groups.door(estate=town.a.second_estate), 2)  # in no grid
    seen = counts(town.staff("street"), kind=groups.consented)
    assert seen["is_exact"] is False
    mine = {cell["grid_id"]: cell["count"] for cell in seen["items"] if cell["count"] != 0}
    # Two are hidden; so is the six, or the total would give the two away.
    assert mine[ids.encode(Kind.GRID, town.a.grid)] is None
    assert mine[None] is None
    totals = {row["community_id"]: row["count"] for row in seen["totals"]}
    assert totals[ids.encode(Kind.COMMUNITY, UUID(int=town.a.id))] == 8
    # Nobody in community b: nothing there says whether there are a few or none.
    assert totals[ids.encode(Kind.COMMUNITY, UUID(int=town.b.id))] is None


def test_a_number_of_five_is_shown(groups: Groups) -> None:
    people(groups, groups.door(), 5)
    seen = counts(groups.town.staff("street"), kind=groups.consented)
    shown = {cell["grid_id"]: cell["count"] for cell in seen["items"]}
    assert shown[ids.encode(Kind.GRID, groups.town.a.grid)] == 5


def test_other_cuts_of_the_same_people_need_a_purpose_and_who_may_read_the_list(
    groups: Groups, audited: Callable[..., list[dict[str, Any]]]
) -> None:
    town = groups.town
    house = groups.door(building="3栋")
    people(groups, house, 2)
    street, grid = town.staff("street"), town.staff("grid")
    query = {"kind": groups.consented, "by": "building"}
    for asker in (street, groups.desk):
        refused = asker.get("/focus-counts", query_string=query)
        assert (refused.status_code, refused.json["code"]) == (422, "purpose_missing")
        area = {"kind": groups.consented, "area": town.a.estate_id}
        assert asker.get("/focus-counts", query_string=area).json["code"] == "purpose_missing"
    # The street doesn't see the list, so no purpose opens the exact number for it.
    assert street.get("/focus-counts", query_string=query | {"purpose": "care"}).status_code == 403
    # Who may read the list of her grid only, has nothing to hide small numbers in.
    assert (
        grid.get("/focus-counts", query_string={"kind": groups.consented}).json["code"] == "purpose_missing"
    )
    building = building_of(house)
    for asker in (groups.desk, grid):
        seen = counts(asker, **query, purpose="care")
        assert seen["is_exact"] is True
        assert [(c["building_id"], c["count"]) for c in seen["items"]] == [(building, 2)]
    assert [row["purpose"] for row in audited(town.a.id, "focus.counted")] == ["care", "care"]


def test_somebody_in_two_groups_counts_once_in_each_and_who_left_doesn_t(groups: Groups) -> None:
    house = groups.door()
    person = groups.tag(house)["person_id"]
    groups.tag(house, kind=groups.statutory)
    groups.desk.post(f"/focus-persons/{person}/end", {"kind": groups.consented, "reason": "no_longer"})
    for kind, n in ((groups.consented, 0), (groups.statutory, 1)):
        seen = counts(groups.desk, kind=kind, purpose="review")
        assert sum(row["count"] for row in seen["totals"]) == n
