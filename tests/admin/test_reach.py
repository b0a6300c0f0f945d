"""Each role counts by its own reach: part-time grid workers, and what grid and property staff keep from each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.people import service as people
from app.people.models import Role
from app.places import queries as places
from app.places import service as place_writes
from tests.conftest import PASSWORD, Caller, Person, Town

PHONE = "13912345678"


@pytest.fixture
def second_grid(town: Town) -> Ref:
    """A grid over the other estate of community a, of which the property company has nothing else."""
    with db.transaction():
        grid = place_writes.add_grid(
            community_id=town.a.id,
            code="02",
            name="第二网格",
            covers=[town.a.second_estate],
            since=places.today(),
            acting_user=SYSTEM,
        )
    return Ref(town.a.id, grid.id)


@pytest.fixture
def part_timer(town: Town, second_grid: Ref) -> Caller:
    """Works for the property company, and is grid worker of the second grid."""
    account = f"both-{uuid4().hex[:12]}"
    with db.transaction():
        staff = people.add_staff(account=account, name="兼职", password=PASSWORD, acting_user=SYSTEM)
        given: dict[str, Any] = {"staff_id": staff.id, "since": places.today(), "acting_user": SYSTEM}
        people.grant_role(role=Role.PROPERTY, org_id=town.a.keeper, **given)
        people.grant_role(role=Role.GRID, org_id=town.a.desk, grid=second_grid, **given)
    return town.log_in(account)


def anonymous(resident: Callable[..., Person], estate: Ref) -> tuple[Person, str]:
    wang = resident()
    estate_id = ids.encode(Kind.ESTATE, estate)
    made = wang.report(
        estate_id, category="lighting", anonymous=True, contact_phone=PHONE, photo_ids=[wang.photo()]
    )
    return wang, made["ticket_id"]


def test_a_part_time_grid_worker_knows_the_reporter_in_her_grid_and_not_at_her_company(
    town: Town, resident: Callable[..., Person], part_timer: Caller
) -> None:
    _, at_work = anonymous(resident, town.a.estate)
    town.bring(at_work, "accept", "dispatch")
    _, in_grid = anonymous(resident, town.a.second_estate)
    seen, known = (part_timer.get(f"/tickets/{ticket}").json for ticket in (at_work, in_grid))
    assert seen["reporter"] == {"anonymous": True, "name": None, "phone_masked": None}
    assert known["reporter"]["phone_masked"] == "139****5678"
    unmask = {"fields": ["contact_phone"], "purpose": "上门核实"}
    assert part_timer.post("/unmask", unmask | {"object": in_grid}).json["contact_phone"] == PHONE
    assert PHONE not in part_timer.post("/unmask", unmask | {"object": at_work}).text


def test_a_part_time_grid_worker_verifies_in_her_grid_and_handles_for_her_company(
    town: Town, resident: Callable[..., Person], part_timer: Caller
) -> None:
    _, at_work = anonymous(resident, town.a.estate)
    _, in_grid = anonymous(resident, town.a.second_estate)
    town.bring(at_work, "accept", "dispatch")
    town.bring(in_grid, "accept")
    desk = town.staff("community")
    assert desk.post(f"/tickets/{in_grid}/dispatch", {"org_id": town.a.desk_id}).status_code == 200
    # Held by the community's desk, for which she is a grid worker there; not by her company.
    assert part_timer.get(f"/tickets/{at_work}").json["moves"]
    assert part_timer.post(f"/tickets/{at_work}/start").status_code == 200
    assert part_timer.post(f"/tickets/{at_work}/verify", {"passed": True}).status_code == 403
    assert part_timer.post(f"/tickets/{in_grid}/start").status_code == 200


def test_a_role_elsewhere_lends_nothing_to_another_role(town: Town, resident: Callable[..., Person]) -> None:
    """Finance for the property company's community gives no hold on what the company was given."""
    account = f"money-{uuid4().hex[:12]}"
    with db.transaction():
        staff = people.add_staff(account=account, name="财务", password=PASSWORD, acting_user=SYSTEM)
        given: dict[str, Any] = {"staff_id": staff.id, "since": places.today(), "acting_user": SYSTEM}
        people.grant_role(role=Role.FINANCE, org_id=town.a.keeper, region_id=town.a.id, **given)
        people.grant_role(role=Role.GRID, org_id=town.a.desk, grid=town.a.grid, **given)
    both = town.log_in(account)
    _, ticket = anonymous(resident, town.a.estate)
    town.bring(ticket, "accept", "dispatch")
    assert both.get(f"/tickets/{ticket}").status_code == 200  # of her grid
    assert both.post(f"/tickets/{ticket}/start").status_code == 403  # held by the company
    desk = town.staff("property")
    assigned = desk.post(f"/tickets/{ticket}/assign", {"staff_id": both.get("/me").json["id"]})
    assert assigned.status_code == 422


@pytest.mark.parametrize("role", ["property", "property_worker", "duty_room"])
def test_property_staff_never_learn_who_reported_anonymously(
    town: Town, resident: Callable[..., Person], role: str
) -> None:
    wang, ticket = anonymous(resident, town.a.estate)
    town.bring(ticket, "accept", "dispatch")
    them = town.staff(role)
    name = f"家住{uuid4().hex[:8]}"
    tag = wang.get("/me").headers["ETag"]
    assert wang.patch("/me", {"nickname": name}, headers={"If-Match": tag}).status_code == 200
    for path in (f"/tickets/{ticket}", "/tickets", f"/tickets?q={PHONE}", f"/tickets?q={name}"):
        text = them.get(path).text
        assert not any(
            word in text for word in (name, PHONE, "139****5678", ids.encode(Kind.RESIDENT, wang.id))
        ), path
    assert them.get(f"/tickets?q={PHONE}").json["items"] == []


def test_a_worker_repairs_and_the_manager_calls(town: Town, resident: Callable[..., Person]) -> None:
    ticket = resident().report(town.a.estate_id, category="noise", contact_phone=PHONE)["ticket_id"]
    town.bring(ticket, "accept", "dispatch")
    worker, manager, duty = (town.staff(role) for role in ("property_worker", "property", "duty_room"))
    unmask = {"object": ticket, "fields": ["contact_phone"], "purpose": "上门维修"}
    assert worker.post("/unmask", unmask).status_code == 403
    assert (
        worker.post(f"/tickets/{ticket}/assign", {"staff_id": worker.get("/me").json["id"]}).status_code
        == 403
    )
    for who in (manager, duty):
        assert who.post("/unmask", unmask).json["contact_phone"] == PHONE
        assigned = who.post(f"/tickets/{ticket}/assign", {"staff_id": worker.get("/me").json["id"]})
        assert assigned.status_code == 200, assigned.text
    assert worker.post(f"/tickets/{ticket}/start").status_code == 200
    assert worker.post(f"/tickets/{ticket}/resolve", {"note": "已换灯泡"}).status_code == 200


def test_places_are_those_of_the_grid_and_of_the_company(town: Town, part_timer: Caller) -> None:
    def estates(who: Caller) -> set[str]:
        return {row["estate_id"] for row in who.get("/areas").json["items"]}

    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    assert estates(town.staff("grid")) == {town.a.estate_id}
    assert estates(town.staff("property")) == {town.a.estate_id}
    assert estates(part_timer) == {town.a.estate_id, second}
    assert town.staff("grid").get(f"/buildings?estate_id={second}").status_code == 404


def test_neither_sees_where_the_other_walked(town: Town) -> None:
    """A shift is its walker's and the desk's (`PATROL_TRACK`)."""
    desk, grid, keeper = (town.staff(role) for role in ("community", "grid", "property"))
    centre = town.a.centre
    point = {
        "name": "岗亭",
        "estate_id": town.a.estate_id,
        "location": {"lng": centre.lng, "lat": centre.lat, "crs": "wgs84"},
    }
    point_id = desk.post("/patrol/points", point).json["point_id"]
    plan = {"name": "夜巡", "estate_id": town.a.estate_id, "points": [point_id]}
    plan |= {"windows": [{"from": "00:00", "to": "24:00"}]}
    shifts = {}
    for who, by in (
        (grid, {"grid_id": ids.encode(Kind.GRID, town.a.grid)}),
        (keeper, {"org_id": town.a.property_id}),
    ):
        plan_id = desk.post("/patrol/plans", plan | by).json["plan_id"]
        started = who.post("/patrol/shifts", {"plan_id": plan_id})
        assert started.status_code == 201, started.text
        shifts[who.token] = started.json["shift_id"]
    for who, other in ((grid, keeper), (keeper, grid)):
        path = f"/patrol/shifts/{shifts[other.token]}"
        assert who.get(path).status_code == 404
        assert who.get(f"{path}/positions").status_code == 404
        assert who.post(f"{path}/track", {"purpose": "想看看"}).status_code == 403
        assert shifts[other.token] not in who.get("/patrol/shifts").text
        assert desk.get(path).status_code == 200
