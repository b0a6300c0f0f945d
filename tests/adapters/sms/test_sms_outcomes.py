"""What an adapter makes of what a vendor does, against the sandbox's ledger."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.adapters.outcome import Outcome
from app.adapters.sms import Batch, DeliveryState, Fault, Message
from app.adapters.sms.aliyun import AliyunSms
from tests.adapters.sms.conftest import TEMPLATE, SmsWorld, batch, phone, tencent_at, today

VENDORS = pytest.mark.parametrize("vendor", ["aliyun", "tencent"])


def _outcomes(world: SmsWorld, vendor: str, count: int = 3) -> set[tuple[Outcome, Fault | None]]:
    return {(s.outcome, s.fault) for s in world.adapter(vendor).send(batch(count))}


@VENDORS
def test_each_number_receives_its_message_once(sms: SmsWorld, vendor: str) -> None:
    adapter = sms.adapter(vendor)
    sent = adapter.send(batch(adapter.batch_size(personal=False)))
    assert {s.outcome for s in sent} == {Outcome.ACCEPTED}
    assert [s.phone for s in sent] == [phone(n) for n in range(adapter.batch_size(personal=False))]
    assert all(s.vendor_id for s in sent)
    assert sms.counts() == {s.phone: 1 for s in sent}


def test_personal_texts_reach_their_numbers(sms: SmsWorld) -> None:
    sms.behave(aliyun={"templates": {"SMS_1": "您好${name}，周日投票。"}})
    assert sms.aliyun.batch_size(personal=True) == 100
    sent = sms.aliyun.send(batch(100, personal=True))
    assert {s.outcome for s in sent} == {Outcome.ACCEPTED}
    told = sms.get("ledger", phone=phone(7))["messages"]
    assert [(m["text"], m["sign"], m["out_id"]) for m in told] == [
        ("您好业主7，周日投票。", "幸福社区", "b1")
    ]


def test_a_batch_that_a_call_cannot_hold_is_an_error_of_ours(sms: SmsWorld) -> None:
    for bad in (
        lambda: sms.aliyun.send(batch(101, personal=True)),
        lambda: sms.aliyun.send(batch(1001)),
        lambda: sms.tencent.send(batch(201)),
        lambda: sms.tencent.send(batch(2, personal=True)),
        lambda: Batch("b", TEMPLATE, ()),
        lambda: Batch("b", TEMPLATE, (Message(phone(1), ("a",)),) * 2),
        lambda: Batch("b", TEMPLATE, (Message(phone(1), ()),)),
        lambda: Batch("", TEMPLATE, (Message(phone(1), ("a",)),)),
    ):
        with pytest.raises(ValueError, match=r"."):
            bad()
    assert sms.counts() == {}


@VENDORS
def test_what_is_no_number_is_refused_here_and_spares_the_others(sms: SmsWorld, vendor: str) -> None:
    sms.behave(**{vendor: {"bad_number": "batch"}})
    numbers = ("13900000001", "0571888", "１３９00000002", "+8613900000003", "13900000004")
    sent = sms.adapter(vendor).send(Batch("b", TEMPLATE, tuple(Message(n, ("x",)) for n in numbers)))
    assert [s.outcome for s in sent] == [
        Outcome.ACCEPTED, Outcome.REFUSED, Outcome.REFUSED, Outcome.REFUSED, Outcome.ACCEPTED
    ]  # fmt: skip
    assert {s.fault for s in sent if s.outcome is Outcome.REFUSED} == {Fault.NUMBER}
    assert set(sms.counts()) == {"13900000001", "13900000004"}


CALL_FAULTS: list[tuple[str, str, Outcome, Fault]] = [
    ("aliyun", "isv.AMOUNT_NOT_ENOUGH", Outcome.THROTTLED, Fault.ACCOUNT),
    ("aliyun", "isv.SMS_TEMPLATE_ILLEGAL", Outcome.REFUSED, Fault.MESSAGE),
    ("aliyun", "SignatureDoesNotMatch", Outcome.THROTTLED, Fault.ACCOUNT),
    ("aliyun", "isp.SYSTEM_ERROR", Outcome.UNKNOWN, Fault.VENDOR),
    ("aliyun", "isv.NEVER_HEARD_OF", Outcome.UNKNOWN, Fault.VENDOR),
    # One number of several: nobody says what became of the others.
    ("aliyun", "isv.MOBILE_NUMBER_ILLEGAL", Outcome.UNKNOWN, Fault.NUMBER),
    ("aliyun", "isv.BUSINESS_LIMIT_CONTROL", Outcome.UNKNOWN, Fault.CAP),
    ("tencent", "UnauthorizedOperation.ServiceSuspendDueToArrears", Outcome.THROTTLED, Fault.ACCOUNT),
    ("tencent", "FailedOperation.TemplateIncorrectOrUnapproved", Outcome.REFUSED, Fault.MESSAGE),
    ("tencent", "RequestLimitExceeded.UinLimitExceeded", Outcome.THROTTLED, Fault.RATE),
    ("tencent", "InternalError.Timeout", Outcome.UNKNOWN, Fault.VENDOR),
    ("tencent", "FailedOperation.NeverHeardOf", Outcome.UNKNOWN, Fault.VENDOR),
    ("tencent", "InvalidParameterValue.IncorrectPhoneNumber", Outcome.UNKNOWN, Fault.NUMBER),
]


@pytest.mark.parametrize(("vendor", "mode", "outcome", "fault"), CALL_FAULTS)
def test_a_refused_call_is_sorted_by_its_code(
    sms: SmsWorld, vendor: str, mode: str, outcome: Outcome, fault: Fault
) -> None:
    sms.behave(**{vendor: {"faults": [{"mode": mode, "times": 1}]}})
    assert _outcomes(sms, vendor) == {(outcome, fault)}
    assert sms.counts() == {}
    assert _outcomes(sms, vendor) == {(Outcome.ACCEPTED, None)}


@VENDORS
@pytest.mark.parametrize("mode", ["close", "badjson", "empty", "http503"])
def test_an_answer_that_got_lost_is_unknown(sms: SmsWorld, vendor: str, mode: str) -> None:
    sms.behave(**{vendor: {"faults": [{"mode": mode, "times": 1, "after": True}]}})
    assert _outcomes(sms, vendor) == {(Outcome.UNKNOWN, Fault.VENDOR)}
    assert set(sms.counts().values()) == {1}, "the vendor had taken it"


@VENDORS
def test_an_answer_that_takes_too_long_is_unknown(sms: SmsWorld, vendor: str) -> None:
    sms.behave(**{vendor: {"faults": [{"mode": "timeout", "after": True}]}})
    with sms.impatient(vendor) as adapter:
        assert {s.outcome for s in adapter.send(batch(2))} == {Outcome.UNKNOWN}
        assert not adapter.look_up(phone(1), day=today()).answered
    assert set(sms.counts().values()) == {1}, "the vendor had taken it"


@VENDORS
def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(sms: SmsWorld, vendor: str) -> None:
    sms.behave(**{vendor: {"faults": [{"mode": "drip", "after": True}]}})
    with sms.impatient(vendor) as adapter:
        began = time.monotonic()
        assert {s.outcome for s in adapter.send(batch(2))} == {Outcome.UNKNOWN}
        assert time.monotonic() - began < 10, "all of it would take a minute"
        assert not adapter.look_up(phone(1), day=today()).answered
    assert set(sms.counts().values()) == {1}, "the vendor had taken it"


@VENDORS
def test_a_server_that_is_not_there_has_sent_nothing(vendor: str) -> None:
    # A port that nobody listens on.
    adapter = (
        AliyunSms(endpoint="http://127.0.0.1:9", key_id="k", key_secret="s")
        if vendor == "aliyun"
        else tencent_at("http://127.0.0.1:9")
    )
    assert {s.outcome for s in adapter.send(batch(2))} == {Outcome.THROTTLED}
    assert not adapter.look_up(phone(1), day=today()).answered


@VENDORS
def test_too_many_calls_are_throttled_and_send_nothing(sms: SmsWorld, vendor: str) -> None:
    sms.behave(**{vendor: {"qps": 2}})
    adapter = sms.adapter(vendor)
    sent = [adapter.send(batch(1, start=n))[0] for n in range(6)]
    accepted = [s for s in sent if s.outcome is Outcome.ACCEPTED]
    assert 2 <= len(accepted) < 6
    assert {(s.outcome, s.fault) for s in sent} - {(Outcome.ACCEPTED, None)} == {
        (Outcome.THROTTLED, Fault.RATE)
    }
    assert sms.counts() == {s.phone: 1 for s in accepted}


def test_tencent_tells_bad_numbers_from_good_ones(sms: SmsWorld) -> None:
    sms.behave(
        tencent={
            "numbers": {
                phone(0): "FailedOperation.PhoneNumberInBlacklist",
                "*0001": "LimitExceeded.PhoneNumberDailyLimit",
            }
        }
    )
    sent = sms.tencent.send(batch(3))
    assert [(s.outcome, s.fault) for s in sent] == [
        (Outcome.REFUSED, Fault.NUMBER),
        (Outcome.THROTTLED, Fault.CAP),
        (Outcome.ACCEPTED, None),
    ]
    assert sms.counts() == {phone(2): 1}


def test_a_number_that_alibaba_blocks_fails_alone_or_with_its_call(sms: SmsWorld) -> None:
    blocked = {"numbers": {phone(0): "isv.MOBILE_NUMBER_ILLEGAL"}}
    sms.behave(aliyun=blocked | {"bad_number": "batch"})
    assert _outcomes(sms, "aliyun") == {(Outcome.UNKNOWN, Fault.NUMBER)}
    assert _outcomes(sms, "aliyun", 1) == {(Outcome.REFUSED, Fault.NUMBER)}
    assert sms.counts() == {}
    sms.behave(aliyun=blocked | {"receipts": {"delay_s": 0}})
    assert _outcomes(sms, "aliyun") == {(Outcome.ACCEPTED, None)}
    assert set(sms.counts()) == {phone(1), phone(2)}
    found = sms.aliyun.look_up(phone(0), day=today()).receipts
    assert [(r.state, r.code) for r in found] == [(DeliveryState.FAILED, "isv.MOBILE_NUMBER_ILLEGAL")]


def test_a_cap_of_the_vendor_stops_the_next_message(sms: SmsWorld) -> None:
    sms.behave(tencent={"number_cap": 2}, aliyun={"number_cap": 1})
    assert [s[0].outcome for s in (sms.tencent.send(batch(1)) for _ in range(3))] == [
        Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.THROTTLED
    ]  # fmt: skip
    assert [s[0].fault for s in (sms.aliyun.send(batch(1)) for _ in range(2))] == [None, Fault.CAP]


def test_alibabas_record_settles_what_was_unknown(sms: SmsWorld) -> None:
    sms.behave(
        aliyun={
            "faults": [{"mode": "close", "times": 1, "after": True}],
            "receipts": {"delay_s": 60},
        }
    )
    assert _outcomes(sms, "aliyun") == {(Outcome.UNKNOWN, Fault.VENDOR)}
    found = sms.aliyun.look_up(phone(1), day=today())
    assert (found.answered, found.is_conclusive) == (True, True)
    assert [(r.phone, r.out_id, r.state) for r in found.receipts] == [(phone(1), "b1", DeliveryState.WAITING)]
    never = sms.aliyun.look_up(phone(99), day=today())
    assert (never.answered, never.is_conclusive, never.receipts) == (True, True, ())


def test_a_record_that_lags_does_not_list_it_yet(sms: SmsWorld) -> None:
    sms.behave(aliyun={"query_lag_s": 60})
    sms.aliyun.send(batch(1))
    assert sms.aliyun.look_up(phone(0), day=today()).receipts == ()
    assert sms.counts() == {phone(0): 1}


def test_tencents_record_lists_what_was_reported_and_proves_no_absence(sms: SmsWorld) -> None:
    sms.behave(tencent={"receipts": {"delay_s": 0}})
    sms.tencent.send(batch(1))
    sms.behave(tencent={"receipts": {"delay_s": 60}})
    sms.tencent.send(batch(1, out_id="b2"))
    found = sms.tencent.look_up(phone(0), day=today())
    assert (found.answered, found.is_conclusive) == (True, False)
    assert [(r.out_id, r.state) for r in found.receipts] == [("b1", DeliveryState.DELIVERED)]


def test_more_messages_than_a_page_are_all_found(sms: SmsWorld) -> None:
    sms.behave(tencent={"receipts": {"delay_s": 0}})
    for n in range(101):
        sms.aliyun.send(batch(1, out_id=f"b{n}"))
        sms.tencent.send(batch(1, out_id=f"b{n}"))
    for adapter in (sms.aliyun, sms.tencent):
        assert {r.out_id for r in adapter.look_up(phone(0), day=today()).receipts} == {
            f"b{n}" for n in range(101)
        }


@VENDORS
@pytest.mark.parametrize("mode", ["close", "badjson", "empty", "http503", "InternalError"])
def test_a_question_that_is_not_answered_says_nothing(sms: SmsWorld, vendor: str, mode: str) -> None:
    sms.behave(**{vendor: {"faults": [{"mode": mode}]}})
    found = sms.adapter(vendor).look_up(phone(1), day=today())
    assert (found.answered, found.is_conclusive, found.receipts) == (False, False, ())


@VENDORS
def test_eight_calls_are_in_flight_at_once(sms: SmsWorld, vendor: str) -> None:
    adapter, together = sms.adapter(vendor), threading.Barrier(8)

    def one(n: int) -> Counter[Outcome]:
        together.wait()
        return Counter(s.outcome for s in adapter.send(batch(100, out_id=f"b{n}", start=n * 100)))

    send: Callable[[int], Counter[Outcome]] = one
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(send, range(8)), Counter())
    assert total == {Outcome.ACCEPTED: 800}
    assert sms.counts() == {phone(n): 1 for n in range(800)}
