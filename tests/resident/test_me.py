"""My profile, my consents, my phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import ids
from tests.conftest import House, Person


def phone() -> str:
    return "139" + str(uuid4().int)[:8]


def bind(person: Person, number: str) -> Any:
    return person.post("/session/phone", {"code": f"phone-{number}"})


def actions(owner: psycopg.Connection[Any], person: Person) -> list[str]:
    rows = owner.execute(
        "SELECT action FROM audit_log WHERE community_id = %s AND object_id = %s ORDER BY id",
        (ids.lane_of(person.id), person.id),
    )
    return [action for (action,) in rows]


def change(person: Person, **body: Any) -> Any:
    tag = person.get("/me").headers["ETag"]
    return person.patch("/me", body, headers={"If-Match": tag})


def test_a_change_needs_the_version_it_was_made_on(resident: Callable[..., Person]) -> None:
    wang = resident()
    seen = wang.get("/me")
    assert seen.headers["ETag"] == f'"{seen.json["version"]}"'

    without = wang.patch("/me", {"nickname": "老王"})
    assert (without.status_code, without.json["code"]) == (428, "version_required")

    changed = wang.patch("/me", {"nickname": "老王"}, headers={"If-Match": seen.headers["ETag"]})
    assert (changed.status_code, changed.json["nickname"]) == (200, "老王")
    assert changed.headers["ETag"] != seen.headers["ETag"]

    stale = wang.patch("/me", {"nickname": "小王"}, headers={"If-Match": seen.headers["ETag"]})
    assert (stale.status_code, stale.json["code"]) == (412, "stale_version")
    assert wang.get("/me").json["nickname"] == "老王"


@pytest.mark.parametrize("tag", ["x", '"x"', '"99999999999999999999"', '"-1"', '"1e3"', ""])
def test_a_version_that_is_none_never_matches(resident: Callable[..., Person], tag: str) -> None:
    answer = resident().patch("/me", {"nickname": "老王"}, headers={"If-Match": tag})
    assert answer.status_code in {412, 428}


def test_a_nickname_is_cleaned_and_can_be_taken_away(resident: Callable[..., Person]) -> None:
    wang = resident()
    assert change(wang, nickname="  老王🌞 ").json["nickname"] == "老王🌞"
    assert change(wang, nickname="").json["nickname"] is None


@pytest.mark.parametrize("nickname", ["王" * 21, "a\u0000b", "\u0007", None, 5, ["x"]])
def test_a_nickname_that_cannot_be_shown_is_refused(resident: Callable[..., Person], nickname: Any) -> None:
    answer = change(resident(), nickname=nickname)
    assert answer.status_code == 422
    assert "nickname" in answer.json["errors"]


def test_a_consent_is_given_and_withdrawn_and_both_are_recorded(
    resident: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    (offered,) = wang.get("/me").json["consents"]
    assert (offered["key"], offered["granted_at"]) == ("photo_position", None)
    assert (
        wang.client.get(offered["text_url"].partition("/public")[2].join(["/public", ""])).status_code == 200
    )
    choice = {"key": offered["key"], "version": offered["version"]}

    given = change(wang, consents=[choice | {"granted": True}])
    assert given.status_code == 200, given.text
    assert given.json["consents"][0]["granted_at"].endswith("+08:00")
    withdrawn = change(wang, consents=[choice | {"granted": False}])
    assert withdrawn.json["consents"][0]["granted_at"] is None
    assert [a for a in actions(owner, wang) if a.startswith("consent")] == [
        "consent.given",
        "consent.withdrawn",
    ]


@pytest.mark.parametrize(
    "choice",
    [
        {"key": "everything", "version": 1, "granted": True},
        {"key": "photo_position", "version": 2, "granted": True},
        {"key": "photo_\u0000", "version": 1, "granted": True},
    ],
)
def test_a_consent_or_version_that_nobody_asked_for_is_refused(
    resident: Callable[..., Person], choice: dict[str, Any]
) -> None:
    answer = change(resident(), consents=[choice])
    assert (answer.status_code, answer.json["code"]) == (422, "unknown_consent")


def test_a_phone_proven_by_wechat_is_bound_and_shown_masked(resident: Callable[..., Person]) -> None:
    wang, number = resident(), phone()
    bound = bind(wang, number)
    assert bound.status_code == 200, bound.text
    masked = f"{number[:3]}****{number[-4:]}"
    assert bound.json["phone_masked"] == masked
    assert wang.get("/me").json["phone_masked"] == masked
    for answer in (bound, wang.get("/me"), wang.get("/home"), wang.get("/inbox")):
        assert number not in answer.text


def test_the_latest_binding_wins_and_both_are_told_and_it_is_recorded(
    resident: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    former, now, number = resident(), resident(), phone()
    bind(former, number)
    version = former.get("/me").json["version"]

    assert bind(now, number).status_code == 200

    assert former.get("/me").json["phone_masked"] is None
    assert former.get("/me").json["phone_verified_at"] is None
    assert former.get("/me").json["version"] > version
    assert now.get("/me").json["phone_masked"]
    assert [m["kind"] for m in former.get("/inbox").json["items"]] == ["phone_lost", "phone_bound"]
    assert [m["kind"] for m in now.get("/inbox").json["items"]] == ["phone_bound"]
    assert "phone.lost" in actions(owner, former)
    assert "phone.bound" in actions(owner, now)


def test_a_number_given_up_for_another_is_free_and_its_former_holder_is_not_told(
    resident: Callable[..., Person],
) -> None:
    wang, li, first, second = resident(), resident(), phone(), phone()
    bind(wang, first)
    bind(wang, second)
    assert bind(li, first).status_code == 200
    assert wang.get("/me").json["phone_masked"][-4:] == second[-4:]
    assert "phone_lost" not in [m["kind"] for m in wang.get("/inbox").json["items"]]


def test_a_phone_code_of_another_person_is_refused(house: House, resident: Callable[..., Person]) -> None:
    wang, li = resident("wang"), resident("li")
    code = house.order("codes", name=li.name, kind="phone", phone=phone())["code"]
    answer = wang.post("/session/phone", {"code": code})
    assert (answer.status_code, answer.json["code"]) == (422, "code_rejected")
    assert wang.get("/me").json["phone_masked"] is None


def test_while_wechat_is_down_the_phone_stays_as_it_was(
    house: House, resident: Callable[..., Person]
) -> None:
    wang, number = resident(), phone()
    bind(wang, number)
    house.order("fail", api="getuserphonenumber", mode="-1")
    try:
        answer = bind(wang, phone())
    finally:
        house.order("fail", api="getuserphonenumber", mode=None)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert wang.get("/me").json["phone_masked"][-4:] == number[-4:]


@pytest.mark.parametrize(("tag", "status"), [('""', 412), ('"","x"', 412), ("*", 200), ('W/"1"', 200)])
def test_a_strange_version_is_stale_and_a_star_is_any(
    resident: Callable[..., Person], tag: str, status: int
) -> None:
    wang = resident()
    assert wang.get("/me").json["version"] == 1
    answer = wang.patch("/me", {"nickname": "王阿姨"}, headers={"If-Match": tag})
    assert answer.status_code == status, answer.text
