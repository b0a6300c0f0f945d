"""Receipts and replies: who may hand them in, and what they do to messages, whenever and however often they come."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock, db
from app.adapters.sms import out_id
from app.ids import Ref
from app.messaging import inbound, opt_outs, pipeline
from tests.conftest import Caller, House, Town
from tests.sms.staging import TOKENS, Campaign, Gateways, batch_refs, fresh_phones, lay
from workers import jobs

Make = Callable[..., Campaign]
Drain = Callable[[], None]


def receipt(ref: Ref, phone: str, *, ok: bool = True, biz_id: str = "900^0", **more: Any) -> dict[str, Any]:
    return {
        "phone_number": phone,
        "send_time": "2026-01-01 10:00:00",
        "report_time": "2026-01-01 10:00:07",
        "success": ok,
        "err_code": "DELIVERED" if ok else "UNDELIV",
        "err_msg": "",
        "sms_size": "1",
        "biz_id": biz_id,
        "out_id": out_id.encode(ref),
    } | more


def push(
    visitor: Caller, body: Any, *, vendor: str = "aliyun", kind: str = "report", token: str = TOKENS[0]
) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"/callbacks/sms/{vendor}/{token}/{kind}"
    return visitor.post(path, data=data, content_type="application/json")


@pytest.fixture
def sent(campaign: Make, drain: Drain) -> Callable[[int], Campaign]:
    """`sent(5)`: a campaign that went out to so many."""

    def make(count: int, **more: Any) -> Campaign:
        made = campaign(fresh_phones(count), **more)
        drain()
        return made

    return make


def last(owner: psycopg.Connection[Any]) -> dict[str, Any]:
    names = "state, known, again, strange, against, unread"
    row = owner.execute(f"SELECT {names} FROM sms_inbound ORDER BY id DESC LIMIT 1").fetchone()
    assert row is not None
    return dict(zip(("state", "known", "again", "strange", "against", "unread"), row, strict=True))


def test_a_receipt_is_acknowledged_and_then_applied(
    sent: Callable[..., Campaign], visitor: Caller, owner: psycopg.Connection[Any]
) -> None:
    made = sent(3)
    (ref,) = batch_refs(made)
    told = [receipt(ref, made.phones[0]), receipt(ref, made.phones[1], ok=False)]
    answer = push(visitor, told)
    assert (answer.status_code, answer.json) == (200, {"code": 0, "msg": "接收成功"})
    assert made.states() == {"accepted": 3}, "nothing is done before the answer"
    jobs.drain_inbound()
    assert made.states() == {"accepted": 1, "delivered": 1, "failed": 1}
    assert last(owner) == {
        "state": "applied",
        "known": 2,
        "again": 0,
        "strange": 0,
        "against": 0,
        "unread": 0,
    }


def test_both_secrets_work_while_they_rotate_and_no_other(gateways: Gateways, visitor: Caller) -> None:
    assert push(visitor, [], token=TOKENS[1]).status_code == 200
    for wrong in ("x" * 44, TOKENS[0][:-1], TOKENS[0] + "n", "é"):
        answer = push(visitor, [], token=wrong)
        assert answer.status_code == 404
        assert "code" not in answer.json or not isinstance(answer.json["code"], int)


def test_without_a_secret_nobody_is_heard(
    gateways: Gateways, visitor: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound, "_tokens", ())
    assert push(visitor, []).status_code == 404


def test_an_allow_list_keeps_others_out(
    house: House, gateways: Gateways, visitor: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ipaddress

    monkeypatch.setattr(inbound, "_networks", (ipaddress.ip_network("203.0.113.0/24"),))
    assert push(visitor, []).status_code == 404
    visitor.client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    assert push(visitor, []).status_code == 200


def test_what_is_too_much_is_turned_away(gateways: Gateways, visitor: Caller) -> None:
    assert push(visitor, b"[" + b" " * (1024 * 1024) + b"]").status_code == 413
    assert push(visitor, [{}] * 1001).status_code == 413
    assert push(visitor, [{}] * 1000).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"null", b"[1, 2]", b'{"a": 1}', b"[[[[]]]]"])
def test_what_cannot_be_read_is_kept_and_acknowledged(
    gateways: Gateways, visitor: Caller, owner: psycopg.Connection[Any], body: bytes
) -> None:
    assert push(visitor, body).status_code == 200
    jobs.drain_inbound()
    assert last(owner)["state"] == "malformed"


def test_our_own_outage_asks_for_another_try(
    gateways: Gateways, visitor: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def away(*_: Any) -> None:
        raise OperationalError("INSERT", {}, psycopg.OperationalError("gone"))

    monkeypatch.setattr(inbound, "store", away)
    assert push(visitor, []).status_code >= 500


def test_a_receipt_that_comes_twice_or_contradicts_changes_nothing(
    sent: Callable[..., Campaign], visitor: Caller, owner: psycopg.Connection[Any]
) -> None:
    made = sent(1)
    (ref,) = batch_refs(made)
    push(visitor, [receipt(ref, made.phones[0])])
    jobs.drain_inbound()
    push(visitor, [receipt(ref, made.phones[0])])
    jobs.drain_inbound()
    assert (last(owner)["again"], last(owner)["against"]) == (1, 0)
    push(visitor, [receipt(ref, made.phones[0], ok=False)])
    jobs.drain_inbound()
    assert (last(owner)["again"], last(owner)["against"]) == (0, 1)
    assert made.states() == {"delivered": 1}


def test_a_receipt_before_our_own_record_wins(
    campaign: Make, gateways: Gateways, visitor: Caller, drain: Drain, later: Callable[..., Any]
) -> None:
    fault = {"mode": "timeout", "times": 1, "after": True, "action": "SendBatchSms"}
    gateways.behave(aliyun={"faults": [fault], "hang_s": 1})
    made = campaign(fresh_phones(2))
    (ref,) = batch_refs(made)
    drain()
    assert made.states() == {"unknown": 2}
    push(visitor, [receipt(ref, phone) for phone in made.phones])
    jobs.drain_inbound()
    assert made.states() == {"delivered": 2}
    later(minutes=11)
    drain()
    assert made.states() == {"delivered": 2}
    assert made.batches() == {"done": 1}
    assert max(gateways.received(made.phones).values()) == 1


def test_a_message_that_was_believed_lost_does_not_go_out_again_once_it_is_receipted(
    campaign: Make, gateways: Gateways, visitor: Caller, drain: Drain, later: Callable[..., Any]
) -> None:
    fault = {"mode": "timeout", "times": 1, "action": "SendBatchSms"}
    gateways.behave(aliyun={"faults": [fault], "hang_s": 1})
    made = campaign(fresh_phones(1))
    (ref,) = batch_refs(made)
    drain()
    made.set_part("paused")
    later(minutes=11)
    drain()
    assert made.states() == {"queued": 1}, "settled: it never left"
    push(visitor, [receipt(ref, made.phones[0])])
    jobs.drain_inbound()
    made.set_part("running")
    drain()
    assert made.states() == {"delivered": 1}
    assert not gateways.received(made.phones)


def test_a_repeated_failure_of_the_first_try_does_not_stop_the_second(
    sent: Callable[..., Campaign], gateways: Gateways, visitor: Caller, drain: Drain
) -> None:
    made = sent(1)
    (ref,) = batch_refs(made)
    failure = [receipt(ref, made.phones[0], ok=False)]
    push(visitor, failure)
    jobs.drain_inbound()
    assert made.states() == {"failed": 1}
    with db.transaction():  # as `retry-failed` does
        (message,) = made.sql("SELECT id FROM sms_messages WHERE campaign_id = %s")
        made.sql("UPDATE sms_messages SET state = 'sending' WHERE campaign_id = %s")
        pipeline.new_batch(ref, [message[0]], was=("sending",), not_before=clock.now())
    push(visitor, failure)
    jobs.drain_inbound()
    assert made.states() == {"queued": 1}, "the vendor repeats itself; nothing new was said"
    drain()
    assert made.states() == {"accepted": 1}
    assert gateways.received(made.phones) == {made.phones[0]: 2}


def test_an_entry_that_no_row_can_hold_costs_the_others_nothing(
    sent: Callable[..., Campaign], visitor: Caller
) -> None:
    made = sent(3)
    (ref,) = batch_refs(made)
    push(visitor, [receipt(ref, made.phones[0], sms_size="99999")])
    push(visitor, [receipt(ref, phone) for phone in made.phones[1:]])
    jobs.drain_inbound()
    assert made.states() == {"delivered": 3}


def test_a_push_that_can_not_be_applied_waits_alone(
    sent: Callable[..., Campaign],
    visitor: Caller,
    owner: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    later: Callable[..., Any],
) -> None:
    made = sent(2)
    (ref,) = batch_refs(made)
    apply = inbound.apply

    def stumble(community_id: int, reports: Any) -> Any:
        if any(report.phone == made.phones[0] for report in reports):
            raise ValueError("nobody thought of this")
        return apply(community_id, reports)

    monkeypatch.setattr(inbound, "apply", stumble)
    for phone in made.phones:
        push(visitor, [receipt(ref, phone)])
    jobs.drain_inbound()
    assert made.states() == {"accepted": 1, "delivered": 1}
    for _ in range(6):
        later(hours=2)
        jobs.drain_inbound()
    assert dict(owner.execute("SELECT state, count(*) FROM sms_inbound GROUP BY 1").fetchall()) == {
        "applied": 1,
        "malformed": 1,
    }
    assert "nobody thought of this" in caplog.text


def test_what_was_never_ours_is_counted_and_forgotten(
    gateways: Gateways, visitor: Caller, owner: psycopg.Connection[Any], town: Town
) -> None:
    from app import ids

    strange = Ref(town.a.id, ids.new_id())
    push(visitor, [receipt(strange, "13900000001"), receipt(strange, "13900000002", out_id="console-test")])
    jobs.drain_inbound()
    assert last(owner)["strange"] == 2


def test_tencent_is_found_by_its_own_number(
    sent: Callable[..., Campaign], gateways: Gateways, visitor: Caller, owner: psycopg.Connection[Any]
) -> None:
    made = sent(2, vendors=["tencent"])
    serial = gateways.entries(made.phones[0])[0]["vendor_id"]
    told = {
        "user_receive_time": "2026-01-01 10:00:07",
        "nationcode": "86",
        "mobile": made.phones[0],
        "report_status": "SUCCESS",
        "errmsg": "DELIVRD",
        "description": "",
        "sid": serial,
    }
    answer = push(visitor, [told], vendor="tencent")
    assert answer.json == {"result": 0, "errmsg": "OK"}
    jobs.drain_inbound()
    assert made.states() == {"accepted": 1, "delivered": 1}
    push(visitor, [told | {"sid": "2028:unknown"}], vendor="tencent")
    jobs.drain_inbound()
    assert last(owner)["state"] == "waiting", "its number may still be on its way to us"


@pytest.mark.parametrize("word", ["R", "td", " 退订 ", "Ｒ", "R。", "ＴＤ", "回复TD退订"])
def test_who_answers_r_hears_no_more(gateways: Gateways, visitor: Caller, word: str) -> None:
    (phone,) = fresh_phones(1)
    told = [{"phone_number": phone, "content": word, "send_time": "2026-01-01 10:00:00", "sequence_id": "1"}]
    assert push(visitor, told, kind="reply").status_code == 200
    jobs.drain_inbound()
    with db.reading():
        assert opt_outs.of(phone) is not None


def test_another_answer_is_no_wish(gateways: Gateways, visitor: Caller) -> None:
    (phone,) = fresh_phones(1)
    told = {"mobile": phone, "nationcode": "86", "text": "好的", "sign": "", "extend": "", "time": 1770000000}
    assert push(visitor, told, vendor="tencent", kind="reply").status_code == 200
    jobs.drain_inbound()
    with db.reading():
        assert opt_outs.of(phone) is None


def test_receipts_that_never_came_are_asked_for(
    sent: Callable[..., Campaign], gateways: Gateways, later: Callable[..., Any]
) -> None:
    made = sent(3)
    jobs.reconcile_sms()
    assert made.states() == {"accepted": 3}
    later(hours=2)
    jobs.reconcile_sms()
    assert made.states() == {"delivered": 3}


def test_pushes_are_taken_in_the_order_they_came_in_whoever_else_takes_some(
    gateways: Gateways, visitor: Caller, town: Town, owner: psycopg.Connection[Any]
) -> None:
    made = lay(owner, town.b.id, fresh_phones(1))
    made.sql("UPDATE sms_messages SET state = 'accepted' WHERE campaign_id = %s")
    (ref,) = batch_refs(made)
    for ok in (True, False):
        push(visitor, [receipt(ref, made.phones[0], ok=ok)])
    with psycopg.connect(
        owner.info.dsn, password=owner.info.password
    ) as another:  # it is about to lease the first
        another.execute(
            "SELECT id FROM sms_inbound WHERE state = 'waiting' ORDER BY id DESC LIMIT 1 OFFSET 1 FOR UPDATE"
        )
        with ThreadPoolExecutor(1) as pool:
            drained = pool.submit(jobs.drain_inbound)
            time.sleep(0.3)
            another.rollback()
            drained.result(20)
    assert made.states() == {"delivered": 1}


@given(
    pushes=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=4), min_size=1, max_size=4
    )
)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_order_they_come_in_the_first_word_counts(
    gateways: Gateways,
    visitor: Caller,
    town: Town,
    owner: psycopg.Connection[Any],
    pushes: list[list[tuple[int, bool]]],
) -> None:
    made = lay(owner, town.b.id, fresh_phones(4))
    made.sql("UPDATE sms_messages SET state = 'accepted' WHERE campaign_id = %s")
    (ref,) = batch_refs(made)
    first: dict[int, bool] = {}
    for entries in pushes:
        push(visitor, [receipt(ref, made.phones[n], ok=ok) for n, ok in entries])
        for n, ok in entries:
            first.setdefault(n, ok)
    jobs.drain_inbound()
    rows = made.sql("SELECT phone_hash, state FROM sms_messages WHERE campaign_id = %s")
    from app.places import identity

    states = {bytes(phone_hash): state for phone_hash, state in rows}
    for n, phone in enumerate(made.phones):
        expected = "accepted" if n not in first else "delivered" if first[n] else "failed"
        assert states[identity.phone_hash(phone)] == expected
