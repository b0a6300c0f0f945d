"""Tencent Cloud SMS (2021-01-11), signed by hand: SendSms, PullSmsSendStatusByPhoneNumber."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from app import clock
from app.adapters.outcome import Outcome
from app.adapters.sms import Batch, DeliveryState, Fault, Lookup, Message, Receipt, Sent, Vendor, codes
from app.adapters.sms.http import Answer, Endpoint, NoAnswer
from app.adapters.sms.phones import mainland
from app.adapters.sms.results import for_all, not_numbers, unanswered, unreadable
from app.adapters.sms.signing import tc3
from app.adapters.sms.wire import parts, text, unix_time

log = logging.getLogger(__name__)

VERSION, SERVICE = "2021-01-11", "sms"
# One parameter set is shared by all numbers of a call: personal texts go one by one.
SAME_TEXT, PERSONAL = 200, 1
PAGE = 100
MOST_PAGES = 5
_STATES = {"SUCCESS": DeliveryState.DELIVERED, "FAIL": DeliveryState.FAILED}
# Answered where nothing was said of a number; theirs are CamelCase.
_NOT_MENTIONED = "not mentioned"


class TencentSms:
    """Made once for each process; safe to share between threads."""

    vendor = Vendor.TENCENT

    def __init__(
        self,
        *,
        endpoint: str,
        secret_id: str,
        secret_key: str,
        app_id: str,
        region: str = "ap-guangzhou",
        connect_s: float = 3.0,
        read_s: float = 10.0,
        in_flight: int = 32,
    ) -> None:
        self._endpoint = Endpoint(
            endpoint, provider="tencent", connect_s=connect_s, read_s=read_s, in_flight=in_flight
        )
        self._secret_id = secret_id
        self._secret_key = secret_key
        self._app_id = app_id
        self._region = region

    def close(self) -> None:
        """Give the connections back; the adapter may still be used afterwards."""
        self._endpoint.close()

    def batch_size(self, *, personal: bool) -> int:
        """See `Sms.batch_size`."""
        return PERSONAL if personal else SAME_TEXT

    def send(self, batch: Batch) -> list[Sent]:
        """See `Sms.send`. Tencent answers for each number."""
        if batch.is_personal:
            raise ValueError("Tencent takes one set of parameters for all numbers of a call")
        if len(batch.messages) > SAME_TEXT:
            raise ValueError(f"too many numbers for one call: {len(batch.messages)}")
        results = not_numbers(batch)
        wanted = tuple(m for m in batch.messages if m.phone not in results)
        if wanted:
            sent = self._send(replace(batch, messages=wanted))
            results |= {result.phone: result for result in sent}
        return [results[m.phone] for m in batch.messages]

    def look_up(self, phone: str, *, day: date) -> Lookup:
        """See `Sms.look_up`: only what was reported, of the last 7 days. Never conclusive: what isn't listed may wait.

        Looks into the day after as well, since a report may come after midnight.
        """
        start = datetime(day.year, day.month, day.day, tzinfo=clock.SHANGHAI)
        found: list[Receipt] = []
        for page in range(MOST_PAGES):
            params = {
                "BeginTime": int(start.timestamp()),
                "Offset": page * PAGE,
                "Limit": PAGE,
                "PhoneNumber": f"+86{phone}",
                "SmsSdkAppId": self._app_id,
                "EndTime": int((start + timedelta(days=2)).timestamp()),
            }
            answer = self._call("PullSmsSendStatusByPhoneNumber", params)
            if isinstance(answer, NoAnswer):
                return Lookup(False, False, (), answer.why)
            said = _response(answer)
            if said is None:
                return Lookup(False, False, (), f"http {answer.status}")
            entries = said.get("PullSmsSendStatusSet")
            if (code := _error(said)) is not None or not isinstance(entries, list):
                return Lookup(False, False, (), code or "unreadable")
            found.extend(r for r in (_record(entry) for entry in entries) if r is not None)
            if len(entries) < PAGE:
                break
        return Lookup(True, False, tuple(found), "Ok")

    def _send(self, batch: Batch) -> list[Sent]:
        params: dict[str, Any] = {
            "PhoneNumberSet": [f"+86{m.phone}" for m in batch.messages],
            "SmsSdkAppId": self._app_id,
            "TemplateId": batch.template.code,
            "SignName": batch.template.sign,
            "TemplateParamSet": list(batch.messages[0].values),
            "SessionContext": batch.out_id,
        }
        answer = self._call("SendSms", params)
        if isinstance(answer, NoAnswer):
            return unanswered(batch, answer)
        said = _response(answer)
        if said is None:
            return unreadable(batch, answer.status)
        code = _error(said)
        if code is not None:
            meaning = codes.tencent(code)
            if meaning is codes.NOT_LISTED or meaning.fault is Fault.ACCOUNT:
                log.error("tencent sms answers %s for a batch", code)
            # `Ok` is no error; as one it says nothing.
            return for_all(batch, codes.NOT_LISTED if meaning.outcome is Outcome.ACCEPTED else meaning, code)
        told = _by_phone(said.get("SendStatusSet"))
        return [_sent(m, told.get(m.phone)) for m in batch.messages]

    def _call(self, action: str, params: Mapping[str, Any]) -> Answer | NoAnswer:
        # ASCII with escapes, as the vendor's SDK writes it: any text goes through, even half a surrogate pair.
        body = json.dumps(params).encode()
        timestamp = int(clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "Host": self._endpoint.host,
            "X-TC-Action": action,
            "X-TC-Timestamp": str(timestamp),
            "X-TC-Version": VERSION,
            "X-TC-Region": self._region,
            "Authorization": tc3(
                secret_id=self._secret_id,
                secret_key=self._secret_key,
                service=SERVICE,
                host=self._endpoint.host,
                timestamp=timestamp,
                body=body,
            ),
        }
        return self._endpoint.post("/", what=action, headers=headers, body=body)


def _response(answer: Answer) -> dict[str, Any] | None:
    said = (answer.body or {}).get("Response")
    return said if isinstance(said, dict) and answer.status == 200 else None


def _error(said: Mapping[str, Any]) -> str | None:
    """The code of an error that holds for the whole call; None where there is none."""
    error = said.get("Error")
    if error is None:
        return None
    return (text(error.get("Code")) if isinstance(error, dict) else None) or "unreadable"


def _by_phone(entries: object) -> dict[str, Mapping[str, Any]]:
    told: dict[str, Mapping[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else ():
        phone = mainland(entry.get("PhoneNumber")) if isinstance(entry, dict) else None
        if phone is not None:
            told[phone] = entry
    return told


def _sent(message: Message, entry: Mapping[str, Any] | None) -> Sent:
    code = text(entry.get("Code")) if entry is not None else None
    if entry is None or code is None:
        return Sent(message.phone, Outcome.UNKNOWN, _NOT_MENTIONED, Fault.VENDOR)
    meaning = codes.tencent(code)
    return Sent(
        phone=message.phone,
        outcome=meaning.outcome,
        code=code,
        fault=meaning.fault,
        vendor_id=text(entry.get("SerialNo")),
        segments=parts(entry.get("Fee")),
    )


def _record(entry: object) -> Receipt | None:
    if not isinstance(entry, Mapping):
        return None
    phone = mainland(entry.get("PhoneNumber")) or mainland(entry.get("SubscriberNumber"))
    state = _STATES.get(text(entry.get("ReportStatus")) or "")
    if phone is None or state is None:
        return None
    return Receipt(
        phone=phone,
        state=state,
        code=text(entry.get("Description")) or "",
        vendor_id=text(entry.get("SerialNo")),
        out_id=text(entry.get("SessionContext")),
        sent_at=None,
        reported_at=unix_time(entry.get("UserReceiveTime")),
    )
