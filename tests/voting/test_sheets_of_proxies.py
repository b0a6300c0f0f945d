"""A sheet that a proxy signed: it votes only while the authorisation does, and never against who gave it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from app.ids import Ref
from app.voting.rules import Transfer
from tests.conftest import Person
from tests.memberships.conftest import phone
from tests.voting.conftest import BallotBox, Vote
from tests.voting.conftest import owner as owner_
from tests.voting.test_casting import cast, head_of, rules, sell
from tests.voting.test_paper import give, known, said, sheet


class Given(NamedTuple):
    """An open vote in which the owner of 101 has authorised somebody."""

    vote: Vote
    head: str
    owner: Person
    proxy: Person
    proxy_id: str
    flat: Ref


@pytest.fixture
def given(box: BallotBox) -> Given:
    rules(box, transfer=Transfer.NEW_OWNER_UNLESS_CAST)
    flat = box.flat("101", owner_(), area=9_000)
    box.flat("102", owner_(), area=9_000)
    wang, number = box.resident(flat), phone()
    zhao = known(box, number)
    vote = box.opened()
    box.again(wang, zhao)
    proxy = give(wang, vote, number).json["proxy_id"]
    assert box.desk.post(f"/proxies/{proxy}/approve", {}).status_code == 200
    return Given(vote, head_of(vote, "101"), wang, zhao, proxy, flat)


def test_a_sheet_that_waits_is_no_ballot_once_the_authorisation_is_revoked(
    box: BallotBox, given: Given
) -> None:
    entered = sheet(given.vote, given.head, "against", proxy_id=given.proxy_id)
    assert entered.status_code == 201
    assert given.owner.post(f"/proxies/{given.proxy_id}/revoke").status_code == 200

    read = box.reviewer.post(f"/paper-ballots/{entered.json['paper_id']}/confirm", {})

    assert (read.status_code, read.json["code"], read.json["reason"]) == (
        409,
        "not_the_voter",
        "proxy_revoked",
    )
    assert cast(given.owner, given.vote, "for").status_code == 201
    assert set(said(given.vote, given.head)[1].values()) == {"for"}


def test_a_seller_s_proxy_has_no_sheet_either(box: BallotBox, given: Given) -> None:
    early = sheet(given.vote, given.head, "against", proxy_id=given.proxy_id)
    sell(box, given.flat, "新业主")
    buyer = box.resident(given.flat)
    box.again(buyer)

    read = box.reviewer.post(f"/paper-ballots/{early.json['paper_id']}/confirm", {})
    assert (read.status_code, read.json["reason"]) == (409, "sold")
    refused = {"reason": "下落不明"}
    assert box.reviewer.post(f"/paper-ballots/{early.json['paper_id']}/refuse", refused).status_code == 200
    late = sheet(given.vote, given.head, "against", proxy_id=given.proxy_id)

    assert (late.status_code, late.json["reason"]) == (409, "sold")
    assert cast(buyer, given.vote, "for").status_code == 201


def test_a_proxy_s_sheet_takes_nothing_from_who_has_cast_herself(given: Given) -> None:
    assert cast(given.owner, given.vote, "for").status_code == 201

    late = sheet(given.vote, given.head, "against", proxy_id=given.proxy_id)

    assert (late.status_code, late.json["code"]) == (409, "already_voted")


def test_nor_one_that_waited_when_she_cast(box: BallotBox, given: Given) -> None:
    waits = sheet(given.vote, given.head, "against", proxy_id=given.proxy_id)
    assert cast(given.owner, given.vote, "for").status_code == 201

    read = box.reviewer.post(f"/paper-ballots/{waits.json['paper_id']}/confirm", {})

    assert (read.status_code, read.json["code"]) == (409, "already_voted")
    assert set(said(given.vote, given.head)[1].values()) == {"for"}


def test_nobody_closes_early_while_a_sheet_waits_for_its_second_reader(box: BallotBox) -> None:
    wang, li = box.houses(9_000, 9_000)
    vote = box.opened()
    box.again(wang, li)
    assert {cast(who, vote, "for").status_code for who in (wang, li)} == {201}
    waits = sheet(vote, head_of(vote, "101"), "against")

    early = vote.go("close", {})

    assert (early.status_code, early.json["code"]) == (409, "too_early")
    assert box.reviewer.post(f"/paper-ballots/{waits.json['paper_id']}/confirm", {}).status_code == 200
    assert vote.go("close", {}).status_code == 200
