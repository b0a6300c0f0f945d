"""The moves of a ticket: which are possible from where, who may make them, and what an illegal one leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import ids
from app.ids import Kind
from tests.conftest import Caller, House, Person, Town, small_jpeg

# What the contract says, written down a second time: from where, to where (None: it stays).
BEFORE_WORK = {"received", "accepted", "returned"}
ENDED = {"closed", "rejected", "withdrawn"}
STATUSES = [
    "received", "accepted", "dispatched", "in_progress", "resolved", "verified", "closed", "returned",
    "rejected", "withdrawn",
]  # fmt: skip
TABLE: dict[str, tuple[set[str], str | None]] = {
    "accept": ({"received"}, "accepted"),
    "reject": (BEFORE_WORK, "rejected"),
    "category": (BEFORE_WORK, None),
    "dispatch": ({"accepted", "returned"}, "dispatched"),
    "start": ({"dispatched"}, "in_progress"),
    "return": ({"dispatched", "in_progress"}, "returned"),
    "resolve": ({"in_progress"}, "resolved"),
    "verify": ({"resolved"}, "verified"),
    "rework": ({"resolved"}, "in_progress"),
    "close": ({"verified"}, "closed"),
    "reopen": ({"closed"}, "accepted"),
    "comment": (set(STATUSES) - {"rejected", "withdrawn"}, None),
    "withdraw": (BEFORE_WORK, "withdrawn"),
    "rating": ({"closed"}, None),
    "resident comment": (set(STATUSES) - {"rejected", "withdrawn"}, None),
    "resident reopen": ({"closed"}, "accepted"),
}
# The other moves of the loop, walked by tests/tickets_loop: in which states they are named as possible.
OPEN = BEFORE_WORK | {"dispatched", "in_progress", "suspended", "resolved", "verified"}
MORE: dict[str, set[str]] = {
    "grab": {"dispatched"},
    "assign": {"dispatched", "in_progress"},
    "rotate": {"dispatched", "in_progress"},  # a button only for what came through a post: tests/dispatch
    "suspend": {"in_progress"},
    "ask_extension": {"dispatched", "in_progress"},
    "part": {"dispatched", "in_progress"},
    "meeting": {"dispatched", "in_progress", "returned"},
    "urge": OPEN,
    "supervise": OPEN,
    "callback": {"closed"},
    "exclude": {"closed"},
    "merge": BEFORE_WORK,
    "refer": BEFORE_WORK,
}
BODIES: dict[str, Any] = {
    "reject": {"reason": "不属于受理范围"},
    "category": {"category": "noise"},
    "dispatch": {},
    "return": {"reason": "不属于本单位"},
    "resolve": {"note": "已处理"},
    "verify": {"passed": True},
    "rework": {"passed": False, "note": "还没好"},
    "reopen": {"reason": "又坏了"},
    "comment": {"text": "已联系", "visibility": "reporter"},
    "rating": {"stars": 4, "solved": True},
    "resident comment": {"text": "谢谢"},
    "resident reopen": {"reason": "又坏了"},
}
PATHS = {"rework": "verify", "resident comment": "comments", "resident reopen": "reopen"}
BY_RESIDENT = {"withdraw", "rating", "resident comment", "resident reopen"}
WAY = {
    "received": [],
    "accepted": ["accept"],
    "dispatched": ["accept", "dispatch"],
    "in_progress": ["accept", "dispatch", "start"],
    "resolved": ["accept", "dispatch", "start", "resolve"],
    "verified": ["accept", "dispatch", "start", "resolve", "verify"],
    "closed": ["accept", "dispatch", "start", "resolve", "verify", "close"],
    "returned": ["accept", "dispatch", "return"],
    "rejected": ["reject"],
}
# What the reporter reads in her inbox of each move; the others tell nothing.
TELLS = {
    "accept": "ticket_accepted",
    "reject": "ticket_rejected",
    "dispatch": "ticket_dispatched",
    "start": "ticket_started",
    "resolve": "ticket_resolved",
    "verify": "ticket_verified",
    "rework": "ticket_rework",
    "close": "ticket_closed",
    "reopen": "ticket_reopened",
    "comment": "ticket_commented",
    "withdraw": "ticket_withdrawn",
    "resident reopen": "ticket_reopened",
}


def move(town: Town, wang: Person, ticket_id: str, name: str, *, legal: bool = True) -> Any:
    """Make a move as whoever makes it; an illegal one as the desk, which sees every ticket."""
    who: Caller
    if name in BY_RESIDENT:
        who = wang
    elif legal and name in {"start", "return", "resolve"}:
        who = town.staff("property")
    else:
        who = town.staff("community")
    return who.post(f"/tickets/{ticket_id}/{PATHS.get(name, name)}", BODIES.get(name))


def opened(wang: Person, town: Town, status: str = "received") -> str:
    ticket_id = str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    if status == "withdrawn":
        wang.post(f"/tickets/{ticket_id}/withdraw")
    else:
        town.bring(ticket_id, *WAY[status])
    return ticket_id


@pytest.mark.parametrize("status", STATUSES)
def test_a_move_that_is_illegal_here_names_the_legal_ones_and_changes_nothing(
    resident: Callable[..., Person], town: Town, status: str
) -> None:
    wang, desk = resident(), town.staff("community")
    ticket_id = opened(wang, town, status)
    before = desk.get(f"/tickets/{ticket_id}")
    assert before.json["status"] == status
    legal = {name for name, (sources, _) in TABLE.items() if status in sources}
    for name in sorted(set(TABLE) - legal):
        answer = move(town, wang, ticket_id, name, legal=False)
        assert (answer.status_code, answer.json["code"]) == (409, "illegal_move"), name
        more = {n for n, sources in MORE.items() if status in sources}
        # A reporter is told only of what a reporter may do.
        by_her = {n.removeprefix("resident ") for n in (legal | more) & (BY_RESIDENT | {"urge"})}
        by_staff = {n for n in legal if n not in {"rework", "resident comment", "resident reopen"}} | more
        assert set(answer.json["allowed"]) == (by_her if name in BY_RESIDENT else by_staff), name
    after = desk.get(f"/tickets/{ticket_id}")
    assert after.json == before.json
    assert [m["kind"] for m in wang.get("/inbox").json["items"]].count("ticket_received") == 1


@pytest.mark.parametrize("status", STATUSES)
def test_a_legal_move_goes_where_the_table_says(
    resident: Callable[..., Person], town: Town, status: str
) -> None:
    wang = resident()
    for name, (sources, target) in TABLE.items():
        if status not in sources:
            continue
        ticket_id = opened(wang, town, status)
        answer = move(town, wang, ticket_id, name)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json["status"] == (target or status), name
        if status in ENDED or name in ENDED:
            assert wang.ticket(ticket_id)["status"] == (target or status)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.sampled_from(sorted(TABLE)), max_size=14), luck=st.randoms(use_true_random=False))
def test_any_sequence_of_moves_follows_the_table_and_leaves_its_whole_trace(
    resident: Callable[..., Person], town: Town, steps: Sequence[str], luck: Any
) -> None:
    wang = resident(uuid4().hex[:8])
    ticket_id = opened(wang, town)
    status, version, rated = "received", 1, False
    kinds, told = ["report"], ["ticket_received"]
    for wild in steps:
        # Half of the moves are chosen among the possible, or most walks would end at once.
        possible = sorted(n for n, (sources, _) in TABLE.items() if status in sources)
        name = luck.choice(possible) if possible and luck.random() < 0.6 else wild
        sources, target = TABLE[name]
        answer = move(town, wang, ticket_id, name, legal=status in sources)
        if status not in sources:
            assert (answer.status_code, answer.json["code"]) == (409, "illegal_move")
            continue
        if name == "rating" and rated:
            assert (answer.status_code, answer.json["code"]) == (409, "already_rated")
            continue
        assert answer.status_code == 200, answer.text
        rated = name == "rating" or (rated and name not in {"reopen", "resident reopen"})
        status = target or status
        kinds.append({"resident comment": "comment", "resident reopen": "reopen"}.get(name, name))
        told += [TELLS[name]] if name in TELLS else []
        assert answer.json["status"] == status
        assert answer.json["version"] > version
        version = answer.json["version"]
    seen = town.staff("community").get(f"/tickets/{ticket_id}").json
    assert (seen["status"], seen["version"]) == (status, version)
    assert [e["kind"] for e in seen["timeline"]] == kinds
    assert [e["seq"] for e in seen["timeline"]] == list(range(1, len(kinds) + 1))
    for earlier, event in zip(seen["timeline"], seen["timeline"][1:], strict=False):
        assert event["from_status"] == earlier["status"]
        assert event["at"] >= earlier["at"]
    inbox = wang.get("/inbox?limit=100").json["items"]
    assert [m["kind"] for m in reversed(inbox)] == told


# --- two at once ----------------------------------------------------------------------------------------


def test_of_two_dispatchers_at_once_one_wins_and_the_other_is_told(
    house: House,
    resident: Callable[..., Person],
    town: Town,
    owner: psycopg.Connection[Any],
    held_up: Callable[[int], None],
) -> None:
    wang = resident()
    ticket_id = opened(wang, town, "accepted")
    first, second = town.staff("community"), town.hire("community", town.a)

    def dispatch(who: Caller, org: str) -> requests.Response:
        return requests.post(
            f"{house.url}/admin/api/v1/tickets/{ticket_id}/dispatch",
            json={"org_id": org},
            headers={"Authorization": f"Bearer {who.token}"},
            timeout=20,
        )

    with ThreadPoolExecutor(2) as pool:
        with owner.transaction():
            owner.execute("SELECT 1 FROM tickets WHERE community_id = %s FOR UPDATE", (town.a.id,))
            answers = [
                pool.submit(dispatch, first, town.a.property_id),
                pool.submit(dispatch, second, town.a.desk_id),
            ]
            held_up(2)
        won, lost = sorted((a.result() for a in answers), key=lambda r: r.status_code)
    assert (won.status_code, lost.status_code) == (200, 409)
    assert lost.json()["code"] == "illegal_move"
    assert "start" in lost.json()["allowed"]
    seen = first.get(f"/tickets/{ticket_id}").json
    assert seen["org"] == won.json()["org"]
    assert [e["kind"] for e in seen["timeline"]] == ["report", "accept", "dispatch"]
    assert [m["kind"] for m in wang.get("/inbox").json["items"]].count("ticket_dispatched") == 1


def test_a_move_on_a_stale_version_is_refused_and_on_the_present_one_taken(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    ticket_id = opened(wang, town)
    version = desk.get(f"/tickets/{ticket_id}").json["version"]
    assert desk.post(f"/tickets/{ticket_id}/comment", {"text": "看一下"}).status_code == 200
    stale = desk.post(f"/tickets/{ticket_id}/accept", headers={"If-Match": f'"{version}"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale_version")
    taken = desk.post(f"/tickets/{ticket_id}/accept", headers={"If-Match": f'"{version + 1}"'})
    assert taken.status_code == 200
    for path, body in (("comments", {"text": "x"}), ("withdraw", None)):
        answer = wang.post(f"/tickets/{ticket_id}/{path}", body, headers={"If-Match": f'"{version}"'})
        assert answer.status_code == 412, path


def test_a_rating_on_a_stale_version_is_refused(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = opened(wang, town, "closed")
    body = {"stars": 5, "solved": True}
    stale = wang.post(f"/tickets/{ticket_id}/rating", body, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale_version")
    version = wang.ticket(ticket_id)["version"]
    assert (
        wang.post(f"/tickets/{ticket_id}/rating", body, headers={"If-Match": f'"{version}"'}).status_code
        == 200
    )


# --- who may see and do what ----------------------------------------------------------------------------


def test_staff_see_only_the_tickets_of_their_own_place(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    in_grid = opened(wang, town, "dispatched")
    out_of_grid = wang.report(_second(town), category="noise")["ticket_id"]
    town.bring(out_of_grid, "accept")
    elsewhere = wang.report(town.b.estate_id)["ticket_id"]
    everything = [in_grid, out_of_grid, elsewhere]
    reach = {
        ("street", "a"): everything,
        ("community", "a"): [in_grid, out_of_grid],
        ("community", "b"): [elsewhere],
        ("grid", "a"): [in_grid],
        ("grid", "b"): [elsewhere],
        ("property", "a"): [in_grid],
        ("property", "b"): [],
    }
    for (role, place), seen in reach.items():
        who = town.staff(role, getattr(town, place))
        answers = {t: who.get(f"/tickets/{t}").status_code for t in everything}
        assert answers == {t: 200 if t in seen else 404 for t in everything}, (role, place)
        listed = who.get("/tickets?limit=100").json["items"]
        assert {t["ticket_id"] for t in listed} == set(seen), (role, place)
        for hidden in set(everything) - set(seen):
            assert who.post(f"/tickets/{hidden}/comment", {"text": "x"}).status_code == 404


def _second(town: Town) -> str:
    return ids.encode(Kind.ESTATE, town.a.second_estate)


def test_a_role_without_the_permission_is_told_so(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = opened(wang, town, "dispatched")
    forbidden = {
        "property": ["accept", "reject", "category", "dispatch", "verify", "close", "reopen"],
        "grid": ["accept", "reject", "category", "dispatch", "close", "reopen"],
    }
    for role, moves in forbidden.items():
        for name in moves:
            answer = town.staff(role).post(f"/tickets/{ticket_id}/{name}", BODIES.get(name))
            assert (answer.status_code, answer.json["code"]) == (403, "permission_missing"), (role, name)
    body = {"channel": "phone", "estate_id": town.a.estate_id, "text": "x"}
    assert town.staff("property").post("/tickets", body).status_code == 403
    assert town.staff("grid").post("/tickets", body).status_code == 201


def test_only_the_organisation_that_has_it_may_handle_it(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = opened(wang, town, "dispatched")
    for role in ("community", "street", "grid"):
        answer = town.staff(role).post(f"/tickets/{ticket_id}/start")
        assert (answer.status_code, answer.json["code"]) == (403, "permission_missing")
    assert town.staff("property").post(f"/tickets/{ticket_id}/start").status_code == 200


def test_a_returned_ticket_goes_to_somebody_else_and_is_gone_from_the_first(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk, handler = resident(), town.staff("community"), town.staff("property")
    ticket_id = opened(wang, town, "returned")
    again = desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id, "note": "社区自己处理"})
    assert again.json["status"] == "dispatched"
    assert handler.get(f"/tickets/{ticket_id}").status_code == 404
    assert handler.post(f"/tickets/{ticket_id}/start").status_code == 404
    assert desk.post(f"/tickets/{ticket_id}/start").status_code == 200
    mine = wang.ticket(ticket_id)
    text = str(mine["timeline"])
    assert "不属于本单位" not in text  # why it was returned is a matter among staff
    assert "社区自己处理" not in text
    assert mine["handler"] == again.json["org"]
    internal = [e for e in desk.get(f"/tickets/{ticket_id}").json["timeline"] if e["text"]]
    assert [e["text"] for e in internal] == ["不属于本单位", "社区自己处理"]


def test_without_an_organisation_named_the_rules_choose_or_else_the_desk(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    by_rule = opened(wang, town, "accepted")
    assert desk.get(f"/tickets/{by_rule}").json["suggested_org"]["org_id"] == town.a.property_id
    answer = desk.post(f"/tickets/{by_rule}/dispatch", {}).json
    assert (answer["org"][-2:], answer["dispatch_why"]) == ("物业", "estate")
    to_desk = wang.report(_second(town), category="noise")["ticket_id"]
    town.bring(to_desk, "accept")
    answer = desk.post(f"/tickets/{to_desk}/dispatch", {}).json
    assert (answer["org"][-3:], answer["dispatch_why"]) == ("居委会", "desk")


def test_a_ticket_goes_only_to_who_works_here(resident: Callable[..., Person], town: Town) -> None:
    wang, desk = resident(), town.staff("community")
    ticket_id = opened(wang, town, "accepted")
    path = f"/tickets/{ticket_id}/dispatch"
    stranger = town.staff("property", town.b).get("/me").json["id"]
    wrong = {
        "unknown_org": [
            {"org_id": ids.encode(Kind.ORG, uuid4())},
            {"org_id": town.b.property_id},
            {"org_id": town.b.desk_id},
        ],
        "unknown_handler": [{"org_id": town.a.property_id, "staff_id": stranger}],
        "invalid": [{"staff_id": stranger}, {"org_id": town.a.estate_id}],
    }
    for code, bodies in wrong.items():
        for body in bodies:
            answer = desk.post(path, body)
            assert (answer.status_code, answer.json["code"]) == (422, code), body
    assert desk.get(f"/tickets/{ticket_id}").json["status"] == "accepted"
    own = town.staff("property").get("/me").json
    done = desk.post(path, {"org_id": town.a.property_id, "staff_id": own["id"]}).json
    assert done["handler"] == own["name"]


def test_who_fixed_it_cannot_confirm_it(resident: Callable[..., Person], town: Town) -> None:
    wang, grid, desk = resident(), town.staff("grid"), town.staff("community")
    ticket_id = opened(wang, town, "accepted")
    desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id})
    grid.post(f"/tickets/{ticket_id}/start")  # the grid worker belongs to the desk
    assert grid.post(f"/tickets/{ticket_id}/resolve", {"note": "好了"}).status_code == 200
    for passed in (True, False):
        own = grid.post(f"/tickets/{ticket_id}/verify", {"passed": passed})
        assert (own.status_code, own.json["code"]) == (409, "own_work")
    assert "verify" not in grid.get(f"/tickets/{ticket_id}").json["moves"]
    assert desk.post(f"/tickets/{ticket_id}/verify", {"passed": True}).status_code == 200


def test_a_repair_is_proven_by_a_photo_of_the_one_who_made_it(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, handler = resident(), town.staff("property")
    before = wang.photo()
    ticket_id = wang.report(town.a.estate_id, category="lighting", photo_ids=[before])["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start")
    path = f"/tickets/{ticket_id}/resolve"
    answer = handler.post(path, {"note": "已换灯泡"})
    assert (answer.status_code, answer.json["code"]) == (422, "photo_required")
    someone_elses = town.staff("community").upload("/files", small_jpeg()).json["file_id"]
    for wrong in (someone_elses, before):
        answer = handler.post(path, {"note": "已换灯泡", "photo_ids": [wrong]})
        assert (answer.status_code, answer.json["code"]) == (422, "photo_unknown")
    assert handler.get(f"/tickets/{ticket_id}").json["status"] == "in_progress"
    own = handler.upload("/files", small_jpeg()).json["file_id"]
    done = handler.post(path, {"note": "已换灯泡", "photo_ids": [own]}).json
    assert [(p["stage"]) for p in done["photos"]] == ["before", "after"]


def test_work_that_did_not_pass_is_done_again_by_the_same_organisation(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = opened(wang, town, "resolved")
    failed = town.staff("grid").post(f"/tickets/{ticket_id}/verify", {"passed": False, "note": "灯还不亮"})
    assert failed.json["status"] == "in_progress"
    assert wang.get("/inbox").json["items"][0]["kind"] == "ticket_rework"
    assert wang.ticket(ticket_id)["clocks"]["resolved_at"] is None
    town.bring(ticket_id, "resolve", "verify", "close")
    assert wang.ticket(ticket_id)["status"] == "closed"


def test_the_buttons_offered_are_exactly_the_moves_that_work(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk, handler = resident(), town.staff("community"), town.staff("property")
    no_buttons = BY_RESIDENT | {"rework"}
    for status in STATUSES:
        ticket_id = opened(wang, town, status)
        legal = {name for name, (sources, _) in TABLE.items() if status in sources}
        # The property company has it, so that the desk is not offered its moves.
        more = {name for name, sources in MORE.items() if status in sources} - {"rotate"}
        of_unit = {"start", "return", "resolve", "grab", "assign", "suspend", "ask_extension"}
        of_desk = (legal | more) - no_buttons - of_unit - {"urge"}
        assert set(desk.get(f"/tickets/{ticket_id}").json["moves"]) == of_desk, status
        assert set(wang.ticket(ticket_id)["can"]) == {
            name.removeprefix("resident ") for name in (legal | more) & (BY_RESIDENT | {"urge"})
        }, status
        seen = handler.get(f"/tickets/{ticket_id}")
        if status in {"dispatched", "in_progress", "resolved", "verified", "closed", "returned"}:
            assert set(seen.json["moves"]) == (legal | more) & (of_unit | {"comment"}), status
        else:
            assert seen.status_code == 404
