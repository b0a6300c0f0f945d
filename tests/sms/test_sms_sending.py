"""Sending, counted where it counts: in the gateways' own ledger of what every number received."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import psycopg
import pytest

from app import clock, db
from app.messaging import opt_outs, pipeline, settling, windows
from app.messaging.sms_models import OptOutSource
from app.queue import redis
from tests.conftest import Town
from tests.sms.staging import Campaign, Gateways, batch_refs, fresh_phones, lay

Make = Callable[..., Campaign]
Drain = Callable[[], None]


def once(phones: list[str]) -> Counter[str]:
    return Counter(dict.fromkeys(phones, 1))


def test_everybody_gets_one_message(campaign: Make, gateways: Gateways, drain: Drain) -> None:
    made = campaign(fresh_phones(250))
    drain()
    assert gateways.received(made.phones) == once(made.phones)
    assert made.states() == {"accepted": 250}
    assert made.batches() == {"done": 3}
    drain()
    assert gateways.received(made.phones) == once(made.phones)


def test_each_gets_her_own_values(campaign: Make, gateways: Gateways, drain: Drain) -> None:
    gateways.behave(aliyun={"templates": {"SMS_1": "您好${name}，请投票。"}})
    made = campaign(fresh_phones(3), personal=True)
    drain()
    assert [gateways.entries(phone)[0]["text"] for phone in made.phones] == [
        f"您好业主{n}，请投票。" for n in range(3)
    ]


def test_two_workers_share_a_campaign_without_sending_anything_twice(
    campaign: Make, gateways: Gateways, drain: Drain
) -> None:
    gateways.behave(aliyun={"latency_ms": [5, 30]})
    made = campaign(fresh_phones(300), size=10)
    others = [threading.Thread(target=drain) for _ in range(2)]
    for other in others:
        other.start()
    drain()
    for other in others:
        other.join()
    assert gateways.received(made.phones) == once(made.phones)
    assert made.states() == {"accepted": 300}


def test_what_hung_after_it_was_taken_is_settled_and_not_sent_again(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    fault = {"mode": "timeout", "times": 1, "after": True, "action": "SendBatchSms"}
    gateways.behave(aliyun={"faults": [fault], "hang_s": 1})
    made = campaign(fresh_phones(20))
    drain()
    assert made.states() == {"unknown": 20}
    later(minutes=11)
    drain()
    assert made.states()["unknown"] == 0
    assert set(made.states()) <= {"accepted", "delivered"}
    assert gateways.received(made.phones) == once(made.phones)


def test_what_hung_before_it_was_taken_goes_out_after_the_settle_time_and_not_before(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    fault = {"mode": "timeout", "times": 1, "action": "SendBatchSms"}
    gateways.behave(aliyun={"faults": [fault], "hang_s": 1})
    made = campaign(fresh_phones(20))
    drain()
    later(minutes=9)
    drain()
    assert made.states() == {"unknown": 20}
    assert not gateways.received(made.phones)
    later(minutes=2)
    drain()
    drain()
    assert made.states() == {"accepted": 20}
    assert gateways.received(made.phones) == once(made.phones)


def test_a_record_that_lags_is_waited_for(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    fault = {"mode": "timeout", "times": 1, "after": True, "action": "SendBatchSms"}
    gateways.behave(aliyun={"faults": [fault], "hang_s": 1, "query_lag_s": 400})
    made = campaign(fresh_phones(5))
    drain()
    later(minutes=2)
    drain()
    assert made.states() == {"unknown": 5}
    later(minutes=6)
    drain()
    assert made.states()["unknown"] == 0
    assert gateways.received(made.phones) == once(made.phones)


def test_a_query_that_fails_decides_nothing(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    faults = [
        {"mode": "timeout", "times": 1, "after": True, "action": "SendBatchSms"},
        {"mode": "http503", "action": "QuerySendDetails"},
    ]
    gateways.behave(aliyun={"faults": faults, "hang_s": 1})
    made = campaign(fresh_phones(5))
    drain()
    later(minutes=30)
    drain()
    assert made.states() == {"unknown": 5}
    assert gateways.received(made.phones) == once(made.phones)


def test_a_worker_that_died_in_its_call_leaves_something_to_settle(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    made = campaign(fresh_phones(10))
    (ref,) = batch_refs(made)
    with db.transaction():
        (batch,) = pipeline.lease(ref.community_id, most=1, seconds=60, who="dead", is_open=True)
    with db.reading():
        part = pipeline.part_of(batch)
    begun = pipeline.begin(batch, part, part.routes[0], needs_s=1, settle_s=600, is_open=True)
    assert len(begun) == 10
    drain()
    assert made.states() == {"sending": 10}, "its lease still lasts"
    later(seconds=61)
    drain()
    assert made.states() == {"unknown": 10}
    later(minutes=11)
    drain()
    drain()
    assert made.states() == {"accepted": 10}
    assert gateways.received(made.phones) == once(made.phones)


def test_a_worker_that_died_before_its_call_costs_only_the_lease(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    made = campaign(fresh_phones(10))
    with db.transaction():
        assert pipeline.lease(made.community_id, most=5, seconds=60, who="dead", is_open=True)
    drain()
    assert made.states() == {"queued": 10}
    later(seconds=61)
    drain()
    assert made.states() == {"accepted": 10}


def test_a_worker_that_slept_past_its_lease_begins_nothing(campaign: Make, later: Callable[..., Any]) -> None:
    made = campaign(fresh_phones(3))
    with db.transaction():
        (batch,) = pipeline.lease(made.community_id, most=1, seconds=60, who="slow", is_open=True)
    with db.reading():
        part = pipeline.part_of(batch)
    later(seconds=50)
    assert pipeline.begin(batch, part, part.routes[0], needs_s=15, settle_s=600, is_open=True) == []
    assert made.states() == {"queued": 3}


def test_a_late_outcome_changes_nothing_that_was_settled(campaign: Make, later: Callable[..., Any]) -> None:
    made = campaign(fresh_phones(2))
    with db.transaction():
        (batch,) = pipeline.lease(made.community_id, most=1, seconds=60, who="slow", is_open=True)
    with db.reading():
        part = pipeline.part_of(batch)
    begun = pipeline.begin(batch, part, part.routes[0], needs_s=1, settle_s=600, is_open=True)
    later(seconds=61)
    with db.transaction():
        settling.expire(made.community_id)
    with db.transaction():
        settling.found(made.community_id, [settling.Finding(m.id, "delivered", "DELIVERED") for m in begun])
    late = [pipeline.Result(m.id, "throttled", "Throttling.User", "rate") for m in begun]
    pipeline.record(batch, late, first_question_s=5)
    assert made.states() == {"delivered": 2}


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_campaign_that_stopped_after_the_lease_sends_no_more(campaign: Make, state: str) -> None:
    made = campaign(fresh_phones(3))
    with db.transaction():
        (batch,) = pipeline.lease(made.community_id, most=1, seconds=60, who="w", is_open=True)
    with db.reading():
        part = pipeline.part_of(batch)
    made.set_part(state)
    assert pipeline.begin(batch, part, part.routes[0], needs_s=1, settle_s=600, is_open=True) == []
    assert made.states() == {"queued": 3}


def test_what_never_left_of_a_cancelled_campaign_stays(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    fault = {"mode": "timeout", "times": 1, "action": "SendBatchSms"}
    gateways.behave(aliyun={"faults": [fault], "hang_s": 1})
    made = campaign(fresh_phones(4))
    drain()
    made.set_part("cancelled")
    later(minutes=11)
    drain()
    drain()
    assert made.states() == {"cancelled": 4}
    assert not gateways.received(made.phones)


def test_at_night_only_emergencies_leave(
    campaign: Make, gateways: Gateways, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = clock.in_shanghai(clock.now())
    monkeypatch.setattr(windows, "_window", ((here + timedelta(hours=1)).time(), time.max))
    monkeypatch.setattr(windows, "is_open", lambda *_, **__: False)
    usual, urgent = campaign(fresh_phones(3)), campaign(fresh_phones(3), priority=0)
    drain()
    assert usual.states() == {"queued": 3}
    assert urgent.states() == {"accepted": 3}


def test_what_the_vendor_puts_off_comes_later(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    gateways.behave(aliyun={"faults": [{"mode": "isv.AMOUNT_NOT_ENOUGH", "times": 1}]})
    made = campaign(fresh_phones(5))
    drain()
    assert made.states() == {"queued": 5}
    assert made.sql("SELECT DISTINCT code FROM sms_batches WHERE campaign_id = %s") == [
        ("isv.AMOUNT_NOT_ENOUGH",)
    ]
    later(minutes=2)
    drain()
    assert gateways.received(made.phones) == once(made.phones)


def test_what_is_put_off_while_its_campaign_is_cancelled_never_leaves(
    campaign: Make, gateways: Gateways, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateways.behave(aliyun={"faults": [{"mode": "isv.AMOUNT_NOT_ENOUGH"}]})
    made = campaign(fresh_phones(5))
    record = pipeline.record

    def cancelled_before(*given: Any, **named: Any) -> None:
        made.set_part("cancelled")
        record(*given, **named)

    monkeypatch.setattr(pipeline, "record", cancelled_before)
    drain()
    assert made.states() == {"cancelled": 5}
    assert made.batches() == {"cancelled": 1}


def test_a_text_that_is_refused_is_not_tried_again(campaign: Make, gateways: Gateways, drain: Drain) -> None:
    gateways.behave(aliyun={"faults": [{"mode": "isv.SMS_TEMPLATE_ILLEGAL"}]})
    made = campaign(fresh_phones(5))
    drain()
    assert made.states() == {"refused": 5}
    assert made.batches() == {"done": 1}


def test_one_bad_number_costs_the_others_time_and_not_their_message(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    phones = fresh_phones(8)
    gateways.behave(aliyun={"numbers": {phones[5]: "isv.MOBILE_NUMBER_ILLEGAL"}, "bad_number": "batch"})
    made = campaign(phones)
    for _ in range(6):
        drain()
        later(minutes=11)
    assert made.states() == {"accepted": 7, "refused": 1}
    assert gateways.received(phones) == once([p for p in phones if p != phones[5]])


def test_a_batch_is_cut_for_a_vendor_that_takes_less(
    campaign: Make, gateways: Gateways, drain: Drain
) -> None:
    made = campaign(fresh_phones(7), personal=True, vendors=["tencent"])
    drain()
    assert gateways.received(made.phones) == once(made.phones)
    assert made.batches() == {"done": 7}


def test_each_number_has_its_own_outcome_at_tencent(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    phones = fresh_phones(4)
    numbers = {
        phones[0]: "FailedOperation.PhoneNumberInBlacklist",
        phones[1]: "LimitExceeded.PhoneNumberThirtySecondLimit",
    }
    gateways.behave(tencent={"numbers": numbers})
    made = campaign(phones, vendors=["tencent"])
    drain()
    assert made.states() == {"refused": 1, "queued": 1, "accepted": 2}
    gateways.behave(tencent={})
    later(hours=1)
    drain()
    assert made.states() == {"refused": 1, "accepted": 3}
    assert gateways.received(phones) == once(phones[1:])


def test_without_a_vendor_a_campaign_waits(campaign: Make, gateways: Gateways, drain: Drain) -> None:
    made = campaign(fresh_phones(3), vendors=[])
    drain()
    assert made.states() == {"queued": 3}
    assert made.sql("SELECT code FROM sms_batches WHERE campaign_id = %s") == [("no provider",)]


def test_an_empty_redis_forgets_nothing(campaign: Make, gateways: Gateways, drain: Drain) -> None:
    made = campaign(fresh_phones(30), size=5)
    redis().flushall()
    drain()
    assert gateways.received(made.phones) == once(made.phones)


def test_a_gap_is_found_and_closed(
    campaign: Make, gateways: Gateways, drain: Drain, town: Town, owner: psycopg.Connection[Any]
) -> None:
    made = lay(owner, town.b.id, fresh_phones(6), size=3)
    made.sql("UPDATE sms_batches SET state = 'done' WHERE campaign_id = %s")
    drain()
    assert made.states() == {"queued": 6}
    with db.transaction():
        assert pipeline.mend(town.b.id) == 2
    drain()
    assert gateways.received(made.phones) == once(made.phones)


def test_a_vendor_whose_blanks_are_too_short_is_no_way_out(
    campaign: Make, gateways: Gateways, drain: Drain
) -> None:
    made = campaign(fresh_phones(2), vendors=["aliyun", "tencent"])
    made.sql(
        "UPDATE sms_template_mappings SET longest = 6 WHERE provider_code = 'tencent' AND template_id ="
        " (SELECT template_id FROM campaign_parts WHERE campaign_id = %s)"
    )
    made.sql(
        "UPDATE sms_template_mappings SET state = 'pending' WHERE provider_code = 'aliyun' AND template_id ="
        " (SELECT template_id FROM campaign_parts WHERE campaign_id = %s)"
    )
    drain()
    assert made.states() == {"queued": 2}
    assert not gateways.received(made.phones)


def test_who_opts_out_while_her_message_waits_does_not_get_it(
    campaign: Make, gateways: Gateways, drain: Drain
) -> None:
    made, emergency = campaign(fresh_phones(3)), campaign(fresh_phones(1), priority=0)
    emergency.sql(
        "UPDATE sms_templates SET kind = 'emergency' WHERE id ="
        " (SELECT template_id FROM campaign_parts WHERE campaign_id = %s)"
    )
    with db.transaction():
        for phone in (made.phones[0], emergency.phones[0]):
            opt_outs.opt_out(phone, source=OptOutSource.REPLY, word="R")
    drain()
    assert made.states() == {"accepted": 2, "cancelled": 1}
    assert set(gateways.received(made.phones)) == set(made.phones[1:])
    assert emergency.states() == {"accepted": 1}


def test_a_batch_of_which_everybody_opted_out_is_done(
    campaign: Make, gateways: Gateways, drain: Drain
) -> None:
    made = campaign(fresh_phones(1))
    with db.transaction():
        opt_outs.opt_out(made.phones[0], source=OptOutSource.DESK)
    drain()
    assert (made.states(), made.batches()) == ({"cancelled": 1}, {"done": 1})
    assert not gateways.received(made.phones)


def test_a_vendor_that_is_away_for_an_hour_fails_nobody(
    campaign: Make, gateways: Gateways, drain: Drain, later: Callable[..., Any]
) -> None:
    gateways.behave(aliyun={"faults": [{"mode": "isv.AMOUNT_NOT_ENOUGH", "times": 1}]})
    made = campaign(fresh_phones(1))
    made.sql("UPDATE sms_batches SET attempts = 60 WHERE campaign_id = %s")
    drain()
    assert made.states() == {"queued": 1}
    gateways.behave(aliyun={"faults": [{"mode": "isv.AMOUNT_NOT_ENOUGH", "times": 1}]})
    later(days=4)
    drain()
    assert made.states() == {"failed": 1}
