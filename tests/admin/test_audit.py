"""The audit log: for the auditor only, of her area only, page by page, without anybody's words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app import clock, ids
from app.ids import Kind
from app.places import queries as places
from tests.conftest import PASSWORD, Caller, Person, Town, next_code


def rows(auditor: Caller, **query: Any) -> list[dict[str, Any]]:
    """Every row there is, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(50):
        answer = auditor.get("/audit", query_string=query | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found += answer.json["items"]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found
    raise AssertionError("the list has no end")


def test_who_did_what_to_a_ticket_is_there_in_order(town: Town, resident: Callable[..., Person]) -> None:
    wang = resident()
    ticket = wang.report(town.a.estate_id, contact_phone="13800000000")["ticket_id"]
    town.bring(ticket, "accept")
    desk, auditor = town.staff("community"), town.staff("auditor")
    looked = {"object": ticket, "fields": ["contact_phone"], "purpose": "回访居民"}
    assert desk.post("/unmask", looked).status_code == 200
    found = rows(auditor, object=ticket)
    assert [row["action"] for row in found][:2] == ["ticket.phone_unmasked", "ticket.accept"]
    assert found[0]["actor"] == {
        "kind": "staff",
        "id": desk.get("/me").json["id"],
        "name": desk.get("/me").json["name"],
    }
    assert found[0]["details"]["purpose"] == "回访居民"
    assert {row["object"]["id"] for row in found} == {ticket}
    assert found[-1]["actor"]["kind"] == "resident"
    assert ids.decode_id(Kind.RESIDENT, found[-1]["actor"]["id"]) == wang.id
    assert found[-1]["actor"]["name"] is None
    assert "13800000000" not in str(found)


def test_pages_hold_every_row_once_and_the_newest_first(town: Town, resident: Callable[..., Person]) -> None:
    for _ in range(3):
        resident().report(town.a.estate_id)
    auditor = town.staff("auditor")
    whole = rows(auditor, limit=100, until=(until := clock.now().isoformat()))
    in_pages = rows(auditor, limit=2, until=until)
    assert in_pages == whole
    assert [row["at"] for row in whole] == sorted((row["at"] for row in whole), reverse=True)
    assert len(whole) > 6


def test_an_auditor_reads_of_her_area_and_of_its_staff_only(
    town: Town, make_town: Callable[[], Town], resident: Callable[..., Person]
) -> None:
    far = make_town()
    there = resident().report(town.b.estate_id)["ticket_id"]
    strangers = [town.staff("community", town.b), far.staff("grid")]
    own = town.staff("grid")
    auditor = town.staff("auditor")
    assert rows(auditor, object=there) == []
    for who in strangers:
        assert rows(auditor, actor=who.get("/me").json["id"]) == []
    assert "login.succeeded" in {row["action"] for row in rows(auditor, actor=own.get("/me").json["id"])}
    # A resident belongs to no community: what she does with her own account is for the top of the tree.
    wang = resident()
    assert rows(auditor, actor=ids.encode(Kind.RESIDENT, wang.id)) == []


def test_filters_by_action_and_by_time(town: Town, later: Callable[..., Any]) -> None:
    account = town.staff("grid").get("/me").json["account"]
    began = clock.now()
    later(days=40)
    town.log_in(account)
    auditor = town.hire("auditor", town.a)
    logins = rows(auditor, action="login.")
    assert {row["action"] for row in logins} == {"login.succeeded"}
    assert rows(auditor, action="login") == []
    assert rows(auditor, action="role.granted", until=began.isoformat()) != []
    # Without a beginning: the last 31 days, so that no question reads years.
    assert {row["at"] > clock.rfc3339(began) for row in rows(auditor)} == {True}
    assert len(rows(auditor, since="2026-01-01T00:00:00+08:00")) > len(rows(auditor))


def test_what_belongs_to_no_community_stands_in_the_log_of_whoever_audits_who_did_it(
    town: Town, make_town: Callable[[], Town]
) -> None:
    """A published assessment may speak of several communities: its row is community 0's."""
    desk = town.staff("community")
    day = (places.today() - timedelta(days=1)).isoformat()
    made = desk.post("/stats/assessments", {"title": "考核", "period": {"from": day, "to": day}})
    assert made.status_code == 201, made.text
    asked = {"action": "assessment.", "actor": desk.get("/me").json["id"]}
    (found,) = rows(town.staff("auditor"), **asked)
    assert found["action"] == "assessment.published"
    assert found["actor"]["name"] == desk.get("/me").json["name"]
    assert rows(make_town().staff("auditor"), **asked) == []


def test_failed_logins_say_which_factor(visitor: Caller, town: Town) -> None:
    account = town.staff("grid").get("/me").json["account"]
    body = {"account": account, "password": "wrong password!!", "totp": next_code(account)}
    visitor.post("/admin/api/v1/session", body)
    visitor.post("/admin/api/v1/session", body | {"password": PASSWORD, "totp": f"no-{uuid4().hex}"[:30]})
    found = rows(town.staff("auditor"), action="login.failed")
    assert [row["details"]["factor"] for row in found] == ["totp", "password"]


@pytest.mark.parametrize(
    "query", ["object=nothing", "actor=stf_", "object=tkt_aaaa", "since=yesterday", "cursor=%00", "limit=101"]
)
def test_a_question_that_makes_no_sense_is_refused(town: Town, query: str) -> None:
    assert town.staff("auditor").get(f"/audit?{query}").status_code == 422
