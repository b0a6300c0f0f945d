"""Reading a part of the tree asks for that part alone, and gives what a reading of the whole would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from app import db
from app.audit import SYSTEM
from app.people.areas import Area
from app.places import queries as places
from app.places import service
from app.places.models import OrgKind, RegionKind, RegionTerm
from tests.conftest import Town


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are made within."""
    made: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        made.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)


def company(town: Town, name: str, *communities: int) -> None:
    """One that is seated in the first community and works in all of these."""
    with db.transaction() as session:
        made = service.add_org(
            kind=OrgKind.PROPERTY_COMPANY, name=name, region_id=town.a.id, acting_user=SYSTEM
        )
        session.flush()
        for community in communities:
            service.make_responsible(
                community_id=community, org_id=made.id, since=places.today(), acting_user=SYSTEM
            )


def test_what_lies_below_and_above_is_what_the_whole_tree_says(town: Town) -> None:
    yesterday = places.today() - timedelta(days=1)
    with db.transaction() as session:
        # It lay in the first community's street until yesterday, and lies in none now.
        service.add_region(
            region_id=town.street + 100_000_000,
            kind=RegionKind.COMMUNITY,
            name="迁走的社区",
            parent_id=None,
            since=places.today(),
            acting_user=SYSTEM,
        )
        session.flush()
        session.add(
            RegionTerm(
                region_id=town.street + 100_000_000,
                parent_id=town.street,
                valid_from=yesterday,
                valid_to=places.today(),
            )
        )
    with db.reading():
        tree = places.region_tree()
        for region in (town.street, town.a.id, town.b.id, 2**31):
            assert places.regions_within(region) == tree.within(region)
            assert places.communities_under(region) == tree.communities_under(region)
        assert places.communities_under(town.street) == sorted([town.a.id, town.b.id])
        assert places.regions_above(town.a.id) == [town.street]
        assert places.regions_above(town.street) == []


def test_the_organisations_of_an_area_are_those_that_lie_wholly_in_it(town: Town) -> None:
    company(town, "本社区的", town.a.id)
    company(town, "只在邻社区干活的", town.b.id)
    company(town, "两边都干活的", town.a.id, town.b.id)
    company(town, "还没有活干的")
    with db.reading():
        for communities in ({town.a.id}, {town.b.id}, {town.a.id, town.b.id}, set[int]()):
            area = Area(frozenset(communities), frozenset(communities), is_whole=False)
            held = [org.id for org in places.orgs() if area.holds_org(org.id)]
            assert [org.id for org in area.orgs()] == held
            assert bool(held) == bool(communities)


def test_an_auditor_s_page_asks_no_more_where_there_are_more_organisations(town: Town) -> None:
    auditor = town.staff("auditor")
    assert auditor.get("/audit").status_code == 200
    with counted() as before:
        auditor.get("/audit")
    for n in range(4):
        company(town, f"又一家{n}", town.a.id)
    with counted() as after:
        assert auditor.get("/audit").status_code == 200
    assert len(after) == len(before)
