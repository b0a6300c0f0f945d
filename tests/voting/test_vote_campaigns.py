"""Campaigns to the owners of a decision: who has voted gets no reminder, what the law asks for reaches everybody."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from app import clock, db
from app.ids import Kind, decode_ref
from app.messaging import campaigns, pipeline
from app.places import identity
from app.places.identity import Party
from app.voting import deliveries
from app.voting.models import LegalMode
from tests.campaigns.mailroom import Mailroom, key_of, phone
from tests.voting.conftest import BallotBox, Vote


@pytest.fixture
def mail(box: BallotBox, monkeypatch: pytest.MonkeyPatch) -> Mailroom:
    monkeypatch.setattr(campaigns, "_approval_above", 1000)
    return Mailroom(box.town, box.work)


def to(vote: Vote, kind: str = "decision_owners") -> dict[str, Any]:
    return {"audience": {"type": kind, "ids": [vote.id]}}


@pytest.mark.parametrize(("mode", "reached"), [(LegalMode.PAPER_BACKED, 2), (LegalMode.POLL, 1)])
def test_the_opening_of_a_vote_with_effect_reaches_who_opted_out(
    box: BallotBox, mail: Mailroom, mode: LegalMode, reached: int
) -> None:
    stopped = phone()
    box.flat("101", Party("张三", stopped))
    box.flat("102", Party("李四", phone()))
    if mode is not LegalMode.POLL:
        box.allow(mode)
    vote = box.announced()
    mail.clerk.post("/opt-outs", {"phone": stopped})
    announced = mail.template(kind="decision_announced")
    assert mail.preview(mail.draft(announced, **to(vote)))["recipients"] == reached
    reminder = mail.template(kind="reminder")
    assert mail.preview(mail.draft(reminder, **to(vote)))["recipients"] == 1


def test_a_reminder_goes_to_those_who_have_not_voted(box: BallotBox, mail: Mailroom) -> None:
    first = box.flat("101", Party("张三", phone()))
    box.flat("102", Party("李四", phone()))
    who = box.resident(first)
    vote = box.announced()
    early = mail.clerk.post("/campaigns", mail.body(**to(vote, "decision_not_voted")))
    assert (early.status_code, early.json["code"]) == (404, "not_frozen")
    vote.open()
    box.again(who)
    everybody = mail.draft(**to(vote))
    not_yet = mail.draft(**to(vote, "decision_not_voted"))
    assert mail.preview(not_yet)["recipients"] == 2
    cast = who.call("PUT", f"/decisions/{vote.id}/ballot", json={"choices": {vote.motions[0]: "for"}})
    assert cast.status_code == 201, cast.text
    assert mail.preview(not_yet)["recipients"] == 1
    assert mail.preview(everybody)["recipients"] == 2


def test_a_delivered_text_message_is_proof_for_each_head_of_its_number(
    box: BallotBox, mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    shared = phone()
    for room in ("101", "102"):
        box.flat(room, Party(f"业主{room}", shared))
    box.flat("103", Party("王五", phone()))
    vote = box.announced().open()
    campaign = mail.launched(mail.draft(mail.template(kind="decision_opened"), **to(vote)))
    rows = owner.execute(
        "UPDATE sms_messages SET state = CASE WHEN phone_hash = %s THEN 'delivered' ELSE 'refused' END,"
        " settled_at = now() WHERE campaign_id = %s",
        [identity.phone_hash(shared), key_of(campaign)],
    )
    assert rows.rowcount == 2
    with db.transaction():
        deliveries.collect(vote.ref)
    with db.reading():
        counts = deliveries.counts(vote.ref)
        doors = deliveries.visit_list(vote.ref, limit=10)
    assert (counts["sms"], counts["none"]) == (2, 1)
    assert [door.head.label[-3:] for door in doors] == ["103"]


def test_a_number_that_the_vendor_blocks_is_on_the_visit_list(
    box: BallotBox, mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    phones = [phone() for _ in range(5)]
    flats = [box.flat(f"10{n}", Party(f"业主{n}", one)) for n, one in enumerate(phones, 1)]
    people = [box.resident(flat) for flat in flats[:4]]
    vote = box.announced().open()
    campaign = mail.launched(mail.draft(mail.template(kind="reminder"), **to(vote)))
    # 101 blocked; 102 blocked and has voted; 103 asks for other words; 104 blocked once, reached later; 105 unbound.
    ends = ["number", "number", "message", "number", "number"]
    for one, fault in zip(phones, ends, strict=True):
        owner.execute(
            "UPDATE sms_messages SET state = 'refused', fault = %s WHERE campaign_id = %s AND phone_hash = %s",
            [fault, key_of(campaign), identity.phone_hash(one)],
        )
    again = mail.launched(mail.draft(mail.template(kind="reminder"), **to(vote)))
    owner.execute(
        "UPDATE sms_messages SET state = 'delivered', settled_at = now() WHERE campaign_id = %s AND phone_hash = %s",
        [key_of(again), identity.phone_hash(phones[3])],
    )
    box.again(*people)
    cast = people[1].call("PUT", f"/decisions/{vote.id}/ballot", json={"choices": {vote.motions[0]: "for"}})
    assert cast.status_code == 201, cast.text
    doors = box.desk.get(f"/decisions/{vote.id}/visit-list").get_json()["items"]
    assert [(door["label"][-3:], door["why"]) for door in doors] == [
        ("101", ["sms_refused"]),
        ("105", ["unreached", "sms_refused"]),
    ]


def test_what_must_reach_everybody_leaves_for_who_opted_out_meanwhile(box: BallotBox, mail: Mailroom) -> None:
    box.flat("101", Party("张三", phone()))
    box.allow(LegalMode.PAPER_BACKED)
    vote = box.announced()
    for kind, despite in (("decision_announced", True), ("reminder", False)):
        campaign = mail.launched(mail.draft(mail.template(kind=kind), **to(vote)))
        ref = decode_ref(Kind.CAMPAIGN, campaign)
        batch = pipeline.LeasedBatch(vote.ref, ref.id, 1, 1, False, 5, "x", clock.now())
        with db.reading():
            assert pipeline.part_of(batch).despite_opt_out is despite
