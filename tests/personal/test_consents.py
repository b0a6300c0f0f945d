"""Consents: each by itself and in a version, withdrawn as easily as given, and a no is not asked about again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.people import service as people
from app.people.models import ConsentKey
from tests.conftest import Caller, Person, Town, camera


def offered(person: Person) -> dict[str, Any]:
    (consent,) = person.get("/me").json["consents"]
    return dict(consent)


def answer(person: Person, granted: bool, version: int = 1) -> dict[str, Any]:
    choice = {"key": "photo_position", "version": version, "granted": granted}
    got = person.patch("/me", {"consents": [choice]}, headers={"If-Match": "*"})
    assert got.status_code == 200, got.text
    return offered(person)


def test_who_was_never_asked_may_be_asked_once_and_a_no_is_kept(resident: Callable[..., Person]) -> None:
    wang = resident()
    first = offered(wang)
    assert (first["may_ask"], first["granted_at"], first["refused_at"]) == (True, None, None)
    assert first["is_sensitive"] is True
    refused = answer(wang, False)
    assert (refused["may_ask"], refused["granted_at"]) == (False, None)
    assert refused["refused_at"].endswith("+08:00")


def test_giving_and_withdrawing_are_the_same_one_step(resident: Callable[..., Person]) -> None:
    wang = resident()
    given = answer(wang, True)
    assert (given["may_ask"], given["refused_at"]) == (False, None)
    assert given["granted_at"]
    withdrawn = answer(wang, False)
    assert (withdrawn["may_ask"], withdrawn["granted_at"]) == (False, None)
    assert answer(wang, True)["granted_at"], "of her own will she may say yes at any time"


def test_a_new_version_asks_those_who_agreed_and_leaves_those_who_refused_in_peace(
    resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed, refused, silent = resident(), resident(), resident()
    answer(agreed, True)
    answer(refused, False)
    monkeypatch.setitem(people.CONSENT_VERSIONS, ConsentKey.PHOTO_POSITION, 2)
    assert [(offered(p)["may_ask"], offered(p)["granted_at"]) for p in (agreed, refused, silent)] == [
        (True, None),  # her old yes doesn't count for the new text
        (False, None),
        (True, None),
    ]
    old = {"key": "photo_position", "version": 1, "granted": True}
    stale = agreed.patch("/me", {"consents": [old]}, headers={"If-Match": "*"})
    assert (stale.status_code, stale.json["code"]) == (422, "unknown_consent")
    assert answer(agreed, True, version=2)["granted_at"]


def test_who_refuses_everything_is_served_all_the_same_and_nothing_of_it_is_kept(
    resident: Callable[..., Person], town: Town, work: Callable[..., int], owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    answer(wang, False)
    assert wang.post("/session/phone", {"code": "phone-13800000001"}).status_code == 200
    ticket_id = wang.report(town.a.estate_id, category="noise", photo_ids=[wang.photo(camera())])["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    work()
    assert wang.post(f"/tickets/{ticket_id}/rating", {"stars": 5, "solved": True}).status_code == 200
    assert len(wang.get("/inbox").json["items"]) > 3
    sql = "SELECT count(*) FROM photos WHERE owner_id = %s AND position_sealed IS NOT NULL"
    assert owner.execute(sql, (wang.id,)).fetchone() == (0,)


def test_withdrawing_erases_what_rested_on_it(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    answer(wang, True)
    wang.report(town.a.estate_id, photo_ids=[wang.photo(camera())])
    wang.photo(camera())
    sql = (
        "SELECT (SELECT count(*) FROM photos WHERE owner_id = %(id)s AND position_sealed IS NOT NULL)"
        " + (SELECT count(*) FROM uploads WHERE owner_id = %(id)s AND position_sealed IS NOT NULL)"
    )
    assert owner.execute(sql, {"id": wang.id}).fetchone() == (2,)
    answer(wang, False)
    assert owner.execute(sql, {"id": wang.id}).fetchone() == (0,)


def test_each_text_that_can_be_agreed_to_can_be_read_first(
    visitor: Caller, resident: Callable[..., Person]
) -> None:
    for consent in resident().get("/me").json["consents"]:
        path = "/public" + consent["text_url"].partition("/public")[2]
        assert path.endswith(f"/{consent['version']}")
        assert visitor.get(path).status_code == 200
