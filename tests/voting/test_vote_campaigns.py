"""Campaigns to the owners of a decision: who has voted gets no reminder, what the law asks for reaches everybody."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from app import db
from app.messaging import campaigns
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
