"""A campaign from the draft to its end: who may do what when, and what each move does to its messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from app import clock
from app.messaging import campaigns
from app.places import identity
from tests.campaigns.mailroom import Mailroom, key_of, phone
from tests.campaigns.test_campaign_audiences import bound_phone
from tests.conftest import Person


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two recipients need a second person."""
    monkeypatch.setattr(campaigns, "_approval_above", 2)


def test_a_small_campaign_is_launched_once(mail: Mailroom) -> None:
    mail.flats(3)
    campaign = mail.draft()
    mail.launched(campaign)
    again = mail.clerk.post(f"/campaigns/{campaign}/launch")
    assert (again.status_code, again.json["code"]) == (409, "already_launched")
    found = mail.progress(campaign)
    assert (found["state"], found["total"], found["by_status"]["queued"]) == ("running", 3, 3)
    assert found["is_expanding"] is False


def test_a_large_campaign_needs_somebody_who_neither_wrote_nor_submitted_it(
    mail: Mailroom, small: None
) -> None:
    mail.flats(3)
    campaign = mail.draft()
    early = mail.clerk.post(f"/campaigns/{campaign}/launch")
    assert (early.status_code, early.json["code"]) == (409, "approval_needed")
    assert mail.go(campaign, "submit")["state"] == "awaiting_approval"
    early = mail.clerk.post(f"/campaigns/{campaign}/launch")
    assert (early.status_code, early.json["code"]) == (409, "approval_needed")
    own = mail.clerk.post(f"/campaigns/{campaign}/approve")
    assert (own.status_code, own.json["code"]) == (403, "second_person_needed")
    assert mail.go(campaign, "approve", by=mail.second)["state"] == "scheduled"
    mail.launched(campaign)
    assert mail.progress(campaign)["total"] == 3


def test_what_is_sent_back_or_changed_has_to_be_approved_anew(mail: Mailroom, small: None) -> None:
    mail.flats(3)
    campaign = mail.draft()
    mail.go(campaign, "submit")
    back = mail.go(campaign, "reject", {"reason": "时间写错了"}, by=mail.second)
    assert (back["state"], back["note"]) == ("draft", "时间写错了")
    mail.go(campaign, "submit")
    approved = mail.go(campaign, "approve", by=mail.second)
    stale = mail.clerk.patch(
        f"/campaigns/{campaign}", {"params": {"what": "后天停水"}}, headers={"If-Match": '"1"'}
    )
    assert stale.status_code == 412
    changed = mail.clerk.patch(
        f"/campaigns/{campaign}",
        {"params": {"what": "后天停水"}},
        headers={"If-Match": f'"{approved["version"]}"'},
    )
    assert (changed.status_code, changed.json["state"]) == (200, "draft")
    assert mail.clerk.post(f"/campaigns/{campaign}/launch").json["code"] == "approval_needed"


def test_pause_resume_and_cancel_keep_the_account_exact(mail: Mailroom) -> None:
    mail.flats(4)
    campaign = mail.launched(mail.draft())
    assert mail.go(campaign, "pause")["state"] == "paused"
    twice = mail.clerk.post(f"/campaigns/{campaign}/pause")
    assert (twice.status_code, twice.json["code"], twice.json["allowed"]) == (
        409,
        "illegal_move",
        ["resume", "cancel"],
    )
    assert mail.go(campaign, "resume")["state"] == "running"
    assert mail.go(campaign, "cancel")["state"] == "cancelled"
    found = mail.progress(campaign)
    assert (found["total"], found["by_status"]["cancelled"]) == (4, 4)
    assert mail.clerk.post(f"/campaigns/{campaign}/resume").status_code == 409
    assert mail.clerk.post(f"/campaigns/{campaign}/launch").status_code == 409


def test_a_cancelled_campaign_leaves_what_is_on_its_way_to_its_outcome(
    mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    mail.flats(2)
    campaign = mail.launched(mail.draft())
    owner.execute("UPDATE sms_batches SET state = 'sending' WHERE campaign_id = %s", [key_of(campaign)])
    owner.execute("UPDATE sms_messages SET state = 'sending' WHERE campaign_id = %s", [key_of(campaign)])
    mail.go(campaign, "cancel")
    assert mail.progress(campaign)["by_status"]["sending"] == 2


def test_cancelled_before_it_was_expanded_it_writes_nothing(mail: Mailroom) -> None:
    mail.flats(2)
    campaign = mail.draft()
    mail.go(campaign, "launch")
    mail.go(campaign, "cancel")
    mail.work()
    assert mail.progress(campaign)["total"] == 0


def test_it_waits_for_its_time(mail: Mailroom, later: Callable[..., datetime]) -> None:
    mail.flats(1)
    at = clock.rfc3339(clock.now() + timedelta(minutes=20))
    campaign = mail.draft(send_at=at)
    assert mail.go(campaign, "launch")["state"] == "scheduled"
    assert mail.clerk.post(f"/campaigns/{campaign}/launch").json["code"] == "already_launched"
    assert mail.tick(campaign)["state"] == "scheduled"
    later(minutes=21)
    assert mail.tick(campaign)["state"] == "running"
    assert mail.progress(campaign)["total"] == 1


def test_it_ends_when_nothing_is_left_to_send(mail: Mailroom, owner: psycopg.Connection[Any]) -> None:
    mail.flats(2)
    campaign = mail.launched(mail.draft())
    assert mail.tick(campaign)["state"] == "running"
    for_it = [key_of(campaign)]
    owner.execute("UPDATE sms_messages SET state = 'accepted' WHERE campaign_id = %s", for_it)
    owner.execute("UPDATE sms_batches SET state = 'done' WHERE campaign_id = %s", for_it)
    assert mail.tick(campaign)["state"] == "finished"


def test_only_what_can_be_mended_is_tried_again_in_new_batches(
    mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    mail.flats(5)
    stopped = phone()
    mail.flat(stopped)
    campaign = mail.launched(mail.draft())
    for_it = key_of(campaign)
    assert mail.clerk.post(f"/campaigns/{campaign}/retry-failed").json["code"] == "nothing_to_retry"
    ends = ["failed:", "refused:account", "refused:number", "unknown:vendor", "delivered:", "failed:"]
    rows = owner.execute(
        "SELECT id FROM sms_messages WHERE campaign_id = %s ORDER BY created_at, id", [for_it]
    ).fetchall()
    last = owner.execute(
        "SELECT id FROM sms_messages WHERE campaign_id = %s AND right(encode(phone_hash, 'hex'), 1) IS NOT NULL",
        [for_it],
    ).fetchall()
    assert len(rows) == len(last) == 6
    for (message,), end in zip(rows, ends, strict=True):
        state, _, fault = end.partition(":")
        owner.execute(
            "UPDATE sms_messages SET state = %s, fault = %s, attempts = 1 WHERE id = %s",
            [state, fault or None, message],
        )
    owner.execute("UPDATE sms_batches SET state = 'done' WHERE campaign_id = %s", [for_it])
    answer = mail.go(campaign, "retry-failed")
    assert (answer["retried"], answer["state"]) == (3, "running")
    found = mail.progress(campaign)["by_status"]
    assert (found["queued"], found["refused"], found["unknown"], found["delivered"]) == (3, 1, 1, 1)
    batches = owner.execute(
        "SELECT state, size FROM sms_batches WHERE campaign_id = %s ORDER BY state", [for_it]
    ).fetchall()
    assert batches == [("done", 6), ("queued", 3)]


def test_a_campaign_is_that_of_its_communities(mail: Mailroom, make_town: Callable[[], Any]) -> None:
    mail.flats(1)
    campaign = mail.draft()
    stranger = make_town().staff("community")
    neighbour = mail.town.staff("community", mail.town.b)
    for who in (stranger, neighbour):
        assert who.get(f"/campaigns/{campaign}").status_code == 404
        assert who.post(f"/campaigns/{campaign}/launch").status_code == 404
        assert campaign not in who.get("/campaigns").text
        assert who.post("/campaigns", mail.body()).status_code == 404
    assert campaign in mail.clerk.get("/campaigns?state=draft").text
    assert campaign in mail.street.get("/campaigns").text


def test_nobody_to_write_to_is_said_before_the_launch(mail: Mailroom) -> None:
    campaign = mail.draft()
    for move in ("submit", "launch"):
        answer = mail.clerk.post(f"/campaigns/{campaign}/{move}")
        assert (answer.status_code, answer.json["code"]) == (422, "no_audience")


def test_without_a_provider_that_knows_the_template_nothing_is_launched(mail: Mailroom) -> None:
    mail.flats(1)
    campaign = mail.draft(mail.template(providers=()))
    answer = mail.clerk.post(f"/campaigns/{campaign}/launch")
    assert (answer.status_code, answer.json["code"]) == (409, "no_sms_provider")
    assert answer.json["providers"] == {"aliyun": "no_mapping", "tencent": "no_mapping"}


def test_an_old_preview_says_nothing_of_how_many_get_it_today(
    mail: Mailroom, small: None, later: Callable[..., datetime]
) -> None:
    mail.flats(2)
    campaign = mail.draft()
    assert mail.preview(campaign)["recipients"] == 2
    mail.flats(3)
    later(hours=1)
    refused = mail.clerk.post(f"/campaigns/{campaign}/launch")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "approval_needed")


def test_an_approval_is_for_about_as_many_as_it_was_given_for(mail: Mailroom, small: None) -> None:
    mail.flats(10)
    campaign = mail.draft()
    mail.go(campaign, "submit")
    mail.go(campaign, "approve", by=mail.second)
    mail.flats(2)
    refused = mail.clerk.post(f"/campaigns/{campaign}/launch")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "approval_needed")
    found = mail.clerk.get(f"/campaigns/{campaign}").get_json()
    again = mail.clerk.patch(
        f"/campaigns/{campaign}", {"title": "停水"}, headers={"If-Match": f'"{found["version"]}"'}
    )
    assert again.get_json()["state"] == "draft"
    mail.go(campaign, "submit")
    mail.go(campaign, "approve", by=mail.second)
    mail.flats(1)
    assert mail.go(campaign, "launch")["state"] == "running"


def test_the_text_message_for_the_unread_is_promised_again_when_its_promise_was_lost(
    mail: Mailroom,
    owner: psycopg.Connection[Any],
    resident: Callable[..., Person],
    later: Callable[..., datetime],
) -> None:
    bound_phone(mail, owner, resident())
    campaign = mail.launched(mail.draft(channels=["wechat", "sms"], sms_after_min=30))
    owner.execute(
        "UPDATE outbox SET state = 'failed' WHERE kind = 'messaging.fall_back' AND payload->>'campaign_id' = %s",
        [key_of(campaign)],
    )
    later(minutes=31)
    assert mail.tick(campaign)["state"] == "running"
    mail.work()
    batches = owner.execute("SELECT count(*) FROM sms_batches WHERE campaign_id = %s", [key_of(campaign)])
    assert batches.fetchone() == (1,)


def test_what_a_cancelled_campaign_wrote_and_never_sent_takes_nobodys_share_of_the_day(
    mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    number = phone()
    mail.flat(number)
    mail.go(mail.launched(mail.draft()), "cancel")
    counted = owner.execute(
        "SELECT count FROM sms_number_days WHERE phone_hash = %s", [identity.phone_hash(number)]
    ).fetchall()
    assert counted in ([], [(0,)])


def test_a_value_that_no_text_can_hold_is_refused(mail: Mailroom) -> None:
    template, bad = mail.template(), "a\x00b"
    for body in (
        mail.body(template, params={"what": bad}),
        mail.body(template, params={"what": "停水", bad: "x"}),
        mail.body(template, title=bad),
    ):
        assert mail.clerk.post("/campaigns", body).status_code == 422
    rows = [{"phone": phone(), "values": {"what": bad}}]
    assert mail.clerk.post("/recipient-lists", {"name": "名单", "rows": rows}).status_code == 422
    assert mail.clerk.post("/recipient-lists", {"name": bad, "rows": rows}).status_code == 422
