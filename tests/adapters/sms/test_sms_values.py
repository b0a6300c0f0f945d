"""Codes, names of batches, receipts and replies: pure, and unmoved by whatever comes from outside."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tencentcloud.sms.v20210111 import errorcodes

from app.adapters.outcome import Outcome
from app.adapters.sms import DeliveryState, Fault, Receipt, Reply, Vendor, codes, form, out_id
from app.adapters.sms.phones import mainland
from app.adapters.sms.receipts import ACKNOWLEDGEMENTS, receipts, replies
from app.clock import SHANGHAI
from app.ids import Ref
from sandbox.sms import http as sandbox_http

# Slow on a busy machine is no fault of what is tested.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
)
ANYTHING = SIMPLE | st.lists(SIMPLE, max_size=3) | st.dictionaries(st.text(max_size=5), SIMPLE, max_size=3)
KEYS = {
    Vendor.ALIYUN: [
        "phone_number", "send_time", "report_time", "success", "err_code", "err_msg", "sms_size", "biz_id", "out_id",
        "content", "dest_code", "sequence_id", "sign_name",
    ],
    Vendor.TENCENT: [
        "user_receive_time", "nationcode", "mobile", "report_status", "errmsg", "description", "sid", "ext", "extend",
        "sign", "text", "time",
    ],
}  # fmt: skip
ALIYUN_RECEIPT = {
    "phone_number": "13900000001",
    "send_time": "2026-01-01 10:00:00",
    "report_time": "2026-01-01 10:00:07",
    "success": True,
    "err_code": "DELIVERED",
    "err_msg": "用户接收成功",
    "sms_size": "1",
    "biz_id": "900619746936498440^0",
    "out_id": "batch-77",
}
TENCENT_RECEIPT = {
    "user_receive_time": "2026-01-01 10:00:07",
    "nationcode": "86",
    "mobile": "13900000001",
    "report_status": "SUCCESS",
    "errmsg": "DELIVRD",
    "description": "用户短信送达成功",
    "sid": "2028:f8254",
}
TEN = datetime(2026, 1, 1, 10, 0, 7, tzinfo=SHANGHAI)


def test_every_code_of_tencents_sdk_has_a_meaning() -> None:
    known = [value for name, value in vars(errorcodes).items() if name.isupper() and isinstance(value, str)]
    # What managing templates and signatures answers never comes from sending.
    managing = ("Modify", "AddMarketing", "SignatureList", "TemplateList", "AlreadyPassed", "NumberLimit")
    others = ("FailedOperation.ProhibitSubAccountUse", "FailedOperation.QualificationId", "SignIdNotExist")
    open_ones = {
        code
        for code in known
        if codes.tencent(code) is codes.NOT_LISTED and not any(part in code for part in managing + others)
    }
    assert len(known) > 80
    assert open_ones == set()


@pytest.mark.parametrize("table", [codes.ALIYUN, codes.TENCENT])
def test_only_success_has_no_fault_and_each_row_has_a_source(table: dict[str, codes.Meaning]) -> None:
    for meaning in table.values():
        assert (meaning.fault is None) == (meaning.outcome is Outcome.ACCEPTED)
        assert meaning.source
        if meaning.fault in {Fault.ACCOUNT, Fault.RATE, Fault.CAP}:
            assert meaning.outcome is Outcome.THROTTLED
        if meaning.fault is Fault.NUMBER:
            assert meaning.outcome is Outcome.REFUSED


@PATIENT
@given(st.text())
def test_a_code_that_nobody_read_about_never_leads_to_a_second_message(code: str) -> None:
    for read, table in ((codes.aliyun, codes.ALIYUN), (codes.tencent, codes.TENCENT)):
        if code not in table and not code.startswith(("Throttling.", "RequestLimit", "Auth", "Unauthorized")):
            assert read(code).outcome in {Outcome.UNKNOWN, Outcome.REFUSED}


@PATIENT
@given(st.integers(0, 2**32 - 1), st.uuids())
def test_a_batchs_name_comes_back_whole(community_id: int, batch_id: UUID) -> None:
    name = out_id.encode(Ref(community_id, batch_id))
    assert out_id.decode(name) == Ref(community_id, batch_id)
    assert len(name) == 44
    assert name.isascii()


@PATIENT
@given(ANYTHING)
def test_a_foreign_name_is_none_of_ours(name: Any) -> None:
    assert out_id.decode(name) is None


@pytest.mark.parametrize(
    "name", ["j1-0000000A-" + "0" * 32, "j1-00000001-" + "0" * 32 + "\n", "j2-00000001-" + "0" * 32]
)
def test_another_spelling_is_another_name(name: str) -> None:
    assert out_id.decode(name) is None


@PATIENT
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=60), max_size=4))
def test_forms_are_written_as_urllib_writes_them(fields: dict[str, str]) -> None:
    assert form.encode(fields).decode() == urlencode(fields, errors="replace")


@PATIENT
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=60), max_size=4))
def test_the_sandbox_reads_forms_as_urllib_does(fields: dict[str, str]) -> None:
    written = urlencode(fields, errors="replace")
    assert sandbox_http.form(written) == parse_qsl(written, keep_blank_values=True)


def test_numbers_are_read_in_every_spelling_of_the_vendors() -> None:
    for written in ("13900000001", "+8613900000001", "8613900000001", "008613900000001"):
        assert mainland(written) == "13900000001"
    for odd in (
        "1390000000",
        "+85251234567",
        "１３９00000001",
        "13900000001\n",
        13900000001,
        None,
        "x" * 500,
    ):
        assert mainland(odd) is None


def test_the_documented_receipts_are_read() -> None:
    found = receipts(Vendor.ALIYUN, json.dumps([ALIYUN_RECEIPT]).encode())
    sent = datetime(2026, 1, 1, 10, tzinfo=SHANGHAI)
    assert found.items == (
        Receipt(
            "13900000001",
            DeliveryState.DELIVERED,
            "DELIVERED",
            "900619746936498440^0",
            "batch-77",
            sent,
            TEN,
            1,
        ),
    )
    assert found.malformed == ()
    found = receipts(Vendor.TENCENT, json.dumps([{**TENCENT_RECEIPT, "ext": "b"}]).encode())
    assert found.items == (
        Receipt("13900000001", DeliveryState.DELIVERED, "DELIVRD", "2028:f8254", "b", None, TEN, None),
    )


def test_a_failed_receipt_keeps_the_carriers_word() -> None:
    failed = [ALIYUN_RECEIPT | {"success": False, "err_code": "MK:0001"}]
    assert receipts(Vendor.ALIYUN, json.dumps(failed).encode()).items[0][1:3] == (
        DeliveryState.FAILED,
        "MK:0001",
    )
    undelivered = [{**TENCENT_RECEIPT, "report_status": "FAIL", "errmsg": "UNDELIV"}]
    assert receipts(Vendor.TENCENT, json.dumps(undelivered).encode()).items[0][1:3] == (
        DeliveryState.FAILED,
        "UNDELIV",
    )


def test_a_malformed_entry_costs_the_others_nothing() -> None:
    mixed: list[Any] = [
        ALIYUN_RECEIPT,
        {"phone_number": 7},
        "x",
        ALIYUN_RECEIPT | {"success": "maybe"},
        ALIYUN_RECEIPT,
    ]
    found = receipts(Vendor.ALIYUN, json.dumps(mixed).encode())
    assert len(found.items) == 2
    assert [m.position for m in found.malformed] == [1, 2, 3]


def test_the_documented_replies_are_read() -> None:
    told = {
        "phone_number": "13900000001",
        "content": "TD",
        "send_time": "2026-01-01 10:00:07",
        "dest_code": "1069",
    }
    for number in ("10", 10):
        found = replies(Vendor.ALIYUN, json.dumps([told | {"sequence_id": number}]).encode())
        assert found.items == (Reply("13900000001", "TD", TEN, None, "1069", "10"),)
    said = {
        "extend": "",
        "mobile": "13900000001",
        "nationcode": "86",
        "sign": "幸福",
        "text": "R",
        "time": 1457336869,
    }
    found = replies(Vendor.TENCENT, json.dumps(said).encode())
    at = datetime.fromtimestamp(1457336869, UTC)
    assert found.items == (Reply("13900000001", "R", at, "幸福", None, None),)


@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize("body", [b"", b"{", b"7", b"null", b'"x"', b"\xff", b"[" * 2000, b'["\\ud800"]'])
def test_a_body_that_is_nothing_is_reported(vendor: Vendor, body: bytes) -> None:
    for read in (receipts, replies):
        found = read(vendor, body)
        assert found.items == ()
        assert len(found.malformed) == 1


@pytest.mark.parametrize("vendor", list(Vendor))
@PATIENT
@given(data=st.data())
def test_no_receipt_or_reply_breaks_the_reader(vendor: Vendor, data: st.DataObject) -> None:
    value = SIMPLE | st.sampled_from(
        ["13900000001", "SUCCESS", "2026-01-01 10:00:00", "x\x00", [], {}, 10**12]
    )
    entry = st.dictionaries(st.sampled_from(KEYS[vendor]), value, max_size=6)
    good = st.just(ALIYUN_RECEIPT if vendor is Vendor.ALIYUN else TENCENT_RECEIPT)
    entries = data.draw(st.lists(entry | good | ANYTHING, max_size=5))
    body = json.dumps(entries).encode("utf-8", "surrogatepass")
    for read in (receipts, replies):
        found = read(vendor, body)
        whole_body = [m for m in found.malformed if m.position is None]
        assert len(found.items) + len(found.malformed) == (1 if whole_body else len(entries))
        for item in found.items:
            assert len(item.phone) == 11
            assert "\x00" not in "".join(part for part in item if isinstance(part, str))


@PATIENT
@given(st.binary(max_size=200))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    for vendor in Vendor:
        receipts(vendor, body)
        replies(vendor, body)


def test_each_vendor_hears_what_it_listens_for() -> None:
    assert json.loads(ACKNOWLEDGEMENTS[Vendor.ALIYUN])["code"] == 0
    assert json.loads(ACKNOWLEDGEMENTS[Vendor.TENCENT])["result"] == 0
