"""What the vendors push to us, read: receipts and replies. Pure; nobody signed any of it.

Entries that can't be read are reported beside the others and cost them nothing. Formats: Alibaba SmsReport (101867) and
SmsUp; Tencent status (59178) and reply (59179) callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import orjson

from app.adapters.sms import DeliveryState, Malformed, Parsed, Receipt, Reply, Vendor
from app.adapters.sms.phones import mainland
from app.adapters.sms.wire import parts, shanghai_time, text, unix_time

T = TypeVar("T")

# What each vendor wants to hear; Alibaba looks for a number in `code`, Tencent for `result` 0.
ACKNOWLEDGEMENTS = {
    Vendor.ALIYUN: '{"code":0,"msg":"接收成功"}'.encode(),
    Vendor.TENCENT: b'{"result":0,"errmsg":"OK"}',
}


class _Unreadable(Exception):
    """One entry can't be read; the text says why, without quoting it."""


def receipts(vendor: Vendor, body: bytes) -> Parsed[Receipt]:
    """The receipts of one push, in its order. Never raises, whatever the body."""
    return _parsed(body, _aliyun_receipt if vendor is Vendor.ALIYUN else _tencent_receipt)


def replies(vendor: Vendor, body: bytes) -> Parsed[Reply]:
    """What people answered, in its order. Never raises, whatever the body."""
    return _parsed(body, _aliyun_reply if vendor is Vendor.ALIYUN else _tencent_reply)


def _parsed(body: bytes, read: Callable[[dict[str, Any]], T]) -> Parsed[T]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Parsed((), (Malformed(None, "no JSON"),))
    # Tencent's replies come as one object; both are taken for either.
    if isinstance(told, dict):
        told = [told]
    if not isinstance(told, list):
        return Parsed((), (Malformed(None, "neither a list nor an object"),))
    items: list[T] = []
    malformed: list[Malformed] = []
    for position, entry in enumerate(told):
        try:
            if not isinstance(entry, dict):
                raise _Unreadable("no object")
            items.append(read(entry))
        except _Unreadable as e:
            malformed.append(Malformed(position, str(e)))
    return Parsed(tuple(items), tuple(malformed))


def _phone(value: object) -> str:
    phone = mainland(value)
    if phone is None:
        raise _Unreadable("no mobile number")
    return phone


def _aliyun_receipt(entry: dict[str, Any]) -> Receipt:
    success = entry.get("success")
    # Documented as a boolean; the console's test has sent it as a text.
    if success in ("true", "false"):
        success = success == "true"
    if not isinstance(success, bool):
        raise _Unreadable("success is neither true nor false")
    return Receipt(
        phone=_phone(entry.get("phone_number")),
        state=DeliveryState.DELIVERED if success else DeliveryState.FAILED,
        code=text(entry.get("err_code")) or "",
        vendor_id=text(entry.get("biz_id")),
        out_id=text(entry.get("out_id")),
        sent_at=shanghai_time(entry.get("send_time")),
        reported_at=shanghai_time(entry.get("report_time")),
        segments=parts(entry.get("sms_size")),
    )


def _tencent_receipt(entry: dict[str, Any]) -> Receipt:
    status = entry.get("report_status")
    if status not in ("SUCCESS", "FAIL"):
        raise _Unreadable("report_status is neither SUCCESS nor FAIL")
    if entry.get("nationcode") not in ("86", 86, None):
        raise _Unreadable("no number of the mainland")
    return Receipt(
        phone=_phone(entry.get("mobile")),
        state=DeliveryState.DELIVERED if status == "SUCCESS" else DeliveryState.FAILED,
        code=text(entry.get("errmsg")) or "",
        vendor_id=text(entry.get("sid")),
        out_id=text(entry.get("ext")),
        sent_at=None,
        reported_at=shanghai_time(entry.get("user_receive_time")),
    )


def _aliyun_reply(entry: dict[str, Any]) -> Reply:
    number = entry.get("sequence_id")  # a text today, a number on the older page
    return Reply(
        phone=_phone(entry.get("phone_number")),
        text=_said(entry.get("content")),
        sent_at=shanghai_time(entry.get("send_time")),
        sign=text(entry.get("sign_name")),
        extension=text(entry.get("dest_code")),
        vendor_id=str(number) if isinstance(number, int) and not isinstance(number, bool) else text(number),
    )


def _tencent_reply(entry: dict[str, Any]) -> Reply:
    if entry.get("nationcode") not in ("86", 86, None):
        raise _Unreadable("no number of the mainland")
    return Reply(
        phone=_phone(entry.get("mobile")),
        text=_said(entry.get("text")),
        sent_at=unix_time(entry.get("time")),
        sign=text(entry.get("sign")),
        extension=text(entry.get("extend")),
        vendor_id=None,
    )


def _said(value: object) -> str:
    if value == "":
        return ""
    said = text(value)
    if said is None:
        raise _Unreadable("no text")
    return said
