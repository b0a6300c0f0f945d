"""Whatever the rules, units and times: there is always a unit that can see the ticket, and always the same one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock, db, ids
from app.ids import Kind
from app.places import queries as places
from app.tickets import giving
from app.tickets.giving import Case
from tests.conftest import Town
from tests.dispatch.conftest import Office, community_id, turn

CLASSES = [None, "noise", "dogs", "local", "dispute", "lighting"]


def test_every_case_has_a_unit_whatever_holds_and_whoever_has_ended(
    office: Office, town: Town, owner: psycopg.Connection[Any]
) -> None:
    one = office.hire(1)[0]
    roster = office.post(turn(one, "08:00", "16:00"))["roster_id"]
    office.rule(name="甲", category="noise", roster_id=roster)
    office.rule(name="乙", category="local", time={"kind": "off_hours"})
    office.rule(name="丙", urgent=True, org_id=town.a.desk_id)
    office.rule(name="丁", estate_id=town.a.estate_id, priority=2)
    cases = st.builds(
        Case,
        community_id=st.just(town.a.id),
        estate_id=st.sampled_from([None, town.a.estate.id, town.a.second_estate.id]),
        grid_id=st.sampled_from([None, town.a.grid.id]),
        category_code=st.sampled_from(CLASSES),
        urgent=st.booleans(),
        at=st.integers(0, 14 * 24).map(lambda hours: clock.now() + timedelta(hours=hours)),
    )

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases)
    def somewhere(case: Case) -> None:
        with db.reading():
            first, again = (giving.staff(found, case, lock=False) for found in _twice(case))
            assert first.as_data() == again.as_data()
            assert first.org.is_active
            assert first.org.id in places.orgs_answering_in(town.a.id)
            if case.category_code == "dispute":
                assert giving.takes_disputes(first.org, town.a.id)
            if first.staff_id is not None:
                assert clock.in_shanghai(case.at).hour in range(8, 16)

    def _twice(case: Case) -> list[giving.Given]:
        found = [giving.find_unit(case) for _ in range(2)]
        return [each for each in found if each is not None]

    somewhere()
    owner.execute("UPDATE responsibilities SET valid_to = valid_from WHERE community_id = %s", [town.a.id])
    somewhere()
    owner.execute("UPDATE orgs SET is_active = false WHERE id = %s", [town.a.keeper])
    somewhere()


def test_of_two_equal_rules_made_at_the_same_moment_one_is_refused(
    office: Office, town: Town, owner: psycopg.Connection[Any], held_up: Callable[[int], None]
) -> None:
    desks = [town.hire("community", town.a) for _ in range(2)]
    got: list[Any] = []

    def make(n: int) -> None:
        body = {"community_id": community_id(town.a), "name": f"规则{n}", "org_id": town.a.property_id}
        got.append(desks[n].post("/routing-rules", body))

    threads = [threading.Thread(target=make, args=(n,)) for n in range(2)]
    with owner.transaction():
        owner.execute("SELECT 1 FROM regions WHERE id = %s FOR UPDATE", [town.a.id])
        for thread in threads:
            thread.start()
        held_up(2)
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in got) == [201, 409]
    assert len(office.desk.get("/routing-rules").json["items"]) == 1


def test_what_was_done_to_rosters_and_rules_is_in_the_audit(
    office: Office, town: Town, owner: psycopg.Connection[Any]
) -> None:
    one = office.hire(1)[0]
    roster = office.post(turn(one))
    office.change("duty-rosters", roster, name="夜班")
    rule = office.rule(roster_id=roster["roster_id"])
    office.change("routing-rules", rule, priority=4)
    rows = owner.execute(
        "SELECT action, actor_id, details FROM audit_log WHERE community_id = %s AND object_id = ANY(%s)"
        " ORDER BY id",
        [
            town.a.id,
            [
                ids.decode_ref(kind, named).id
                for kind, named in (
                    (Kind.DUTY_ROSTER, roster["roster_id"]),
                    (Kind.ROUTING_RULE, rule["rule_id"]),
                )
            ],
        ],
    ).fetchall()
    assert [row[0] for row in rows] == [
        "duty.post_added",
        "duty.post_changed",
        "routing.rule_added",
        "routing.rule_changed",
    ]
    assert {row[1] for row in rows} == {
        UUID(str(ids.decode_id(Kind.STAFF, office.desk.get("/me").json["id"])))
    }
    assert (rows[-1][2]["priority"], rows[-1][2]["version"]) == (4, 2)
    assert "夜班" not in str(rows)
