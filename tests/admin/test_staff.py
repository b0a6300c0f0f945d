"""Accounts and roles: who may make, give and take what, and where (三员分立)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind
from app.people import service as people
from app.people.models import Role
from app.people.permissions import ADMINISTRATORS, GRANTS, HARMLESS, Permission
from app.places import queries as places
from app.places import service as place_writes
from tests.conftest import PASSWORD, Caller, Town

SESSION = "/admin/api/v1/session"


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


def new_account(town: Town, **more: Any) -> dict[str, Any]:
    body = {"account": f"clerk-{uuid4().hex[:12]}", "name": "张敏", "org_id": town.a.desk_id} | more
    answer = town.staff("system_admin").post("/staff", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def give(town: Town, staff_id: str, role: str, **more: Any) -> Any:
    body = {"staff_id": staff_id, "role": role, "org_id": town.a.desk_id} | more
    return town.staff("security_admin").post("/roles", body)


def staff_id(who: Caller) -> str:
    return str(who.get("/me").json["id"])


def change(who: Caller, path: str, body: dict[str, Any]) -> Any:
    return who.patch(path, body, headers={"If-Match": who.get(path).headers.get("ETag", '"1"')})


def day(off: int) -> str:
    return (places.today() + timedelta(days=off)).isoformat()


# --- accounts --------------------------------------------------------------------------------------------


def test_an_account_goes_from_the_one_time_password_to_its_first_ticket(visitor: Caller, town: Town) -> None:
    made = new_account(town)
    assert made["must_change_password"] is True
    assert give(town, made["staff_id"], "community").status_code == 201
    login = {"account": made["account"], "password": made["initial_password"]}
    first = visitor.post(SESSION, login)
    assert first.json["staff"]["needs"] == ["password", "totp"]
    me = Caller(visitor.client, "/admin/api/v1", first.json["token"])
    refused(me.get("/tickets"), 403, "set_up_first")
    body = {"password": made["initial_password"], "new_password": PASSWORD}
    assert me.post("/me/password", body).status_code == 204
    assert me.get("/me").json["needs"] == ["totp"]
    assert town.log_in(made["account"]).get("/tickets").status_code == 200
    refused(visitor.post(SESSION, login), 401, "login_refused")
    seen = town.staff("system_admin").get(f"/staff/{made['staff_id']}").json
    assert seen is not None
    assert "initial_password" not in seen
    assert (seen["must_change_password"], seen["totp"]) == (False, True)
    assert [role["role"] for role in seen["roles"]] == ["community"]


def test_a_one_time_password_that_nobody_used_is_worth_nothing_after_a_week(
    visitor: Caller, town: Town, later: Callable[..., Any]
) -> None:
    made = new_account(town)
    login = {"account": made["account"], "password": made["initial_password"]}
    later(days=6)
    assert visitor.post(SESSION, login).status_code == 201
    later(days=1, minutes=1)
    refused(visitor.post(SESSION, login), 401, "initial_password_expired")


def test_an_account_name_is_taken_once_and_spelt_in_one_way(town: Town) -> None:
    made = new_account(town)
    again = {"account": made["account"], "name": "别人", "org_id": town.a.desk_id}
    refused(town.staff("system_admin").post("/staff", again), 409, "account_taken")
    for bad in ("Ab", "张三", "a b c", "x" * 41, "1abc", "<script>"):
        answer = town.staff("system_admin").post("/staff", again | {"account": bad})
        assert (answer.status_code, "account" in answer.json["errors"]) == (422, True), bad


def test_a_disabled_account_is_out_at_once_and_comes_back_when_enabled(visitor: Caller, town: Town) -> None:
    grid, admin = town.staff("grid"), town.staff("system_admin")
    path = f"/staff/{staff_id(grid)}"
    account = grid.get("/me").json["account"]
    assert change(admin, path, {"status": "disabled"}).json["status"] == "disabled"
    assert grid.get("/me").status_code == 401
    body = {"account": account, "password": PASSWORD}
    refused(visitor.post(SESSION, body), 401, "login_refused")
    refused(admin.post(f"{path}/password"), 409, "account_disabled")
    refused(give(town, path.removeprefix("/staff/"), "community"), 409, "account_disabled")
    assert change(admin, path, {"status": "active", "name": "何强"}).json["name"] == "何强"
    assert town.log_in(account).get("/tickets").status_code == 200


def test_a_stale_change_of_an_account_is_refused(town: Town) -> None:
    admin, path = town.staff("system_admin"), f"/staff/{new_account(town)['staff_id']}"
    stale = {"If-Match": admin.get(path).headers["ETag"]}
    assert admin.patch(path, {"name": "甲"}, headers=stale).status_code == 200
    assert admin.patch(path, {"name": "乙"}, headers=stale).status_code == 412
    assert admin.patch(path, {"name": "乙"}).status_code == 428
    assert admin.get(path).json["name"] == "甲"


def test_a_new_password_ends_all_logins_and_leaves_the_second_factor(visitor: Caller, town: Town) -> None:
    grid = town.staff("grid")
    made = town.staff("system_admin").post(f"/staff/{staff_id(grid)}/password").json
    assert grid.get("/me").status_code == 401
    login = {"account": made["account"], "password": made["initial_password"]}
    refused(visitor.post(SESSION, login), 401, "totp_required")


def test_a_lost_authenticator_is_taken_away_and_the_password_stays(visitor: Caller, town: Town) -> None:
    grid, security = town.staff("grid"), town.staff("security_admin")
    account = grid.get("/me").json["account"]
    assert security.delete(f"/staff/{staff_id(grid)}/totp").status_code == 204
    assert grid.get("/me").status_code == 401
    answer = visitor.post(SESSION, {"account": account, "password": PASSWORD})
    assert answer.json["staff"]["needs"] == ["totp"]


def test_no_administrator_alone_can_take_an_account_over(town: Town) -> None:
    grid = staff_id(town.staff("grid"))
    assert town.staff("system_admin").delete(f"/staff/{grid}/totp").status_code == 403
    assert town.staff("security_admin").post(f"/staff/{grid}/password").status_code == 403
    assert town.staff("system_admin").post("/roles", {}).status_code == 403
    assert town.staff("security_admin").post("/staff", {}).status_code == 403


def test_somebody_s_logins_are_ended_by_the_security_administrator(town: Town) -> None:
    grid = town.staff("grid")
    assert town.staff("security_admin").delete(f"/staff/{staff_id(grid)}/sessions").status_code == 204
    assert grid.get("/me").status_code == 401


def test_the_list_shows_the_area_page_by_page(town: Town) -> None:
    made = {new_account(town)["account"] for _ in range(5)}
    elsewhere = staff_id(town.staff("grid", town.b))
    admin, found, cursor = town.staff("system_admin"), [], ""
    for _ in range(20):
        page = admin.get(f"/staff?limit=2{cursor}").json
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    accounts = [row["account"] for row in found]
    assert accounts == sorted(set(accounts))
    assert made <= set(accounts)
    assert elsewhere not in {row["staff_id"] for row in found}
    by_role = admin.get("/staff?role=system_admin").json["items"]
    assert {role["role"] for row in by_role for role in row["roles"]} == {"system_admin"}
    assert admin.get(f"/staff?q={next(iter(made))}").json["items"][0]["account"] in made
    assert admin.get("/staff?status=disabled").json["items"] == []


# --- nobody above herself --------------------------------------------------------------------------------


def test_nobody_administers_her_own_account(town: Town) -> None:
    for role in ("system_admin", "security_admin"):
        admin = town.staff(role)
        own = staff_id(admin)
        if role == "system_admin":
            refused(change(admin, f"/staff/{own}", {"name": "我"}), 403, "own_account")
            refused(admin.post(f"/staff/{own}/password"), 403, "own_account")
            continue
        refused(admin.delete(f"/staff/{own}/totp"), 403, "own_account")
        refused(give(town, own, "community"), 403, "own_account")
        (mine,) = admin.get(f"/roles?staff_id={own}").json["items"]
        refused(change(admin, f"/roles/{mine['role_id']}", {"valid_to": day(1)}), 403, "own_account")


def test_nobody_gives_a_role_that_reaches_beyond_her_area(town: Town, make_town: Callable[[], Town]) -> None:
    clerk = new_account(town)["staff_id"]
    street = ids.encode(Kind.ORG, town.street_office)
    far = make_town()
    for body in (
        {"role": "street", "org_id": street},
        {"role": "system_admin", "org_id": street},
        {"role": "community", "org_id": town.b.desk_id},
        {"role": "property", "org_id": town.b.property_id},
        {"role": "auditor", "org_id": far.a.desk_id},
    ):
        refused(give(town, clerk, **body), 404, "not_found")
    refused(give(town, staff_id(town.staff("grid", town.b)), "community"), 404, "not_found")
    beyond = give(town, clerk, "grid", grid_id=ids.encode(Kind.GRID, town.b.grid))
    refused(beyond, 403, "outside_your_area")


def test_an_account_with_a_role_above_is_not_touched_from_below(town: Town) -> None:
    """The account's organisation lies in the community; its role reaches over the whole street."""
    made = new_account(town)
    with db.transaction():
        people.grant_role(
            staff_id=ids.decode_id(Kind.STAFF, made["staff_id"]),
            role=Role.STREET,
            org_id=town.street_office,
            region_id=town.street,
            since=places.today(),
            acting_user=SYSTEM,
        )
    path = f"/staff/{made['staff_id']}"
    refused(town.staff("system_admin").post(f"{path}/password"), 403, "outside_your_area")
    refused(change(town.staff("system_admin"), path, {"status": "disabled"}), 403, "outside_your_area")
    refused(town.staff("security_admin").delete(f"{path}/totp"), 403, "outside_your_area")


def test_a_company_that_works_in_two_communities_is_no_affair_of_one(town: Town) -> None:
    with db.transaction():
        place_writes.make_responsible(
            community_id=town.b.id, org_id=town.a.keeper, since=places.today(), acting_user=SYSTEM
        )
    refused(
        give(town, new_account(town)["staff_id"], "property", org_id=town.a.property_id), 404, "not_found"
    )


# --- 三员分立 ----------------------------------------------------------------------------------------------


def test_none_of_the_three_has_a_permission_that_shows_a_resident() -> None:
    administering = {
        Permission.STAFF_VIEW,
        Permission.STAFF_EDIT,
        Permission.STAFF_SECURE,
        Permission.ROLE_GRANT,
        Permission.AUDIT_VIEW,
    }
    # Names of jobs and how many wait; nothing that a job was given.
    serving = {Permission.QUEUE_VIEW, Permission.QUEUE_RETRY}
    # Of a vote: what was announced, and opened ballots by numbers that name neither a person nor a room.
    auditing = {Permission.DECISION_VIEW, Permission.BALLOT_AUDIT}
    for role in ADMINISTRATORS:
        more = {Role.AUDITOR: auditing, Role.SYSTEM_ADMIN: serving}.get(role, set())
        assert GRANTS[role] <= HARMLESS | administering | more
    for one, other in ((a, b) for a in ADMINISTRATORS for b in ADMINISTRATORS if a != b):
        assert not GRANTS[one] & GRANTS[other] - HARMLESS - {Permission.STAFF_VIEW}
    everyday = set(Role) - ADMINISTRATORS
    assert not any(GRANTS[role] & administering for role in everyday)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("system_admin", "security_admin"),
        ("security_admin", "auditor"),
        ("auditor", "system_admin"),
        ("community", "auditor"),
        ("system_admin", "finance"),
    ],
)
def test_one_account_holds_no_two_of_them_at_any_time(town: Town, first: str, second: str) -> None:
    clerk = new_account(town)["staff_id"]
    held = give(town, clerk, first, valid_from=day(0), valid_to=day(30))
    assert held.status_code == 201, held.text
    refused(give(town, clerk, second), 409, "roles_apart")
    refused(give(town, clerk, second, valid_from=day(29)), 409, "roles_apart")
    assert give(town, clerk, second, valid_from=day(30)).status_code == 201
    # The first can't be made longer into the second's time.
    later_end = change(town.staff("security_admin"), f"/roles/{held.json['role_id']}", {"valid_to": day(31)})
    refused(later_end, 409, "roles_apart")


# --- dated roles -----------------------------------------------------------------------------------------


def test_a_role_counts_from_its_day_to_the_day_before_its_end(town: Town, later: Callable[..., Any]) -> None:
    made = new_account(town)["staff_id"]
    role = give(town, made, "community", valid_from=day(2), valid_to=day(4)).json["role_id"]

    def counting() -> list[str]:
        security = town.hire("security_admin", town.a)  # whoever logged in days ago no longer is
        rows = security.get(f"/roles?staff_id={made}&on={day(0)}").json["items"]
        return [row["role_id"] for row in rows]

    assert counting() == []
    later(days=2)
    assert counting() == [role]
    later(days=2)
    assert counting() == []


def test_ending_a_role_today_holds_from_the_next_request(town: Town) -> None:
    grid, security = town.staff("grid"), town.staff("security_admin")
    (role,) = security.get(f"/roles?staff_id={staff_id(grid)}").json["items"]
    assert grid.get("/tickets").status_code == 200
    ended = change(security, f"/roles/{role['role_id']}", {"valid_to": day(0)})
    assert ended.status_code == 200, ended.text
    refused(grid.get("/tickets"), 403, "permission_missing")
    # What has ended is not brought back; it is given anew.
    refused(change(security, f"/roles/{role['role_id']}", {"valid_to": None}), 422, "bad_span")


@pytest.mark.parametrize(("begins", "ends"), [(-1, None), (0, 0), (5, 5), (5, 4), (-10, -5)], ids=str)
def test_dates_that_rewrite_the_past_or_never_begin_are_refused(
    town: Town, begins: int, ends: int | None
) -> None:
    asked = {"valid_from": day(begins), "valid_to": day(ends) if ends is not None else None}
    refused(give(town, new_account(town)["staff_id"], "community", **asked), 422, "bad_span")


def test_the_same_role_is_not_given_twice(town: Town) -> None:
    clerk = new_account(town)["staff_id"]
    assert give(town, clerk, "community").status_code == 201
    refused(give(town, clerk, "community"), 409, "role_held")
    assert give(town, clerk, "finance").status_code == 201


@pytest.mark.parametrize(
    ("role", "more"),
    [
        ("grid", {}),
        ("community", {"grid_id": "own"}),
        ("street", {}),
        ("property", {"community_id": "own"}),
        ("community", {"community_id": "other"}),
        ("grid", {"grid_id": "nothing"}),
    ],
)
def test_a_role_and_its_reach_must_fit(town: Town, role: str, more: dict[str, str]) -> None:
    made = {
        ("grid_id", "own"): ids.encode(Kind.GRID, town.a.grid),
        ("grid_id", "nothing"): ids.encode(Kind.GRID, ids.Ref(town.a.id, ids.new_id())),
        ("community_id", "own"): ids.encode(Kind.COMMUNITY, _as_id(town.a.id)),
        ("community_id", "other"): ids.encode(Kind.COMMUNITY, _as_id(town.b.id)),
    }
    asked = {name: made[name, which] for name, which in more.items()}
    if role == "property":
        asked["org_id"] = town.a.property_id
    refused(give(town, new_account(town)["staff_id"], role, **asked), 422, "bad_reach")


def _as_id(region: int) -> Any:
    return UUID(int=region)


def test_two_administrators_at_once_give_one_account_one_of_two_roles_that_exclude_each_other(
    town: Town, held_up: Callable[[int], None]
) -> None:
    clerk = new_account(town)["staff_id"]
    first, second = town.staff("security_admin"), town.hire("security_admin", town.a)
    answers: list[Any] = []
    body = {"staff_id": clerk, "org_id": town.a.desk_id}
    with db.engine().connect() as hand:
        hand.execute(
            text("SELECT 1 FROM staff WHERE id = :id FOR UPDATE"), {"id": ids.decode_id(Kind.STAFF, clerk)}
        )
        threads = [
            Thread(target=lambda w=who, r=role: answers.append(w.post("/roles", body | {"role": r})))
            for who, role in ((first, "auditor"), (second, "system_admin"))
        ]
        for thread in threads:
            thread.start()
        held_up(2)
        hand.rollback()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201, 409]
