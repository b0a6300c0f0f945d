"""Alibaba Cloud SMS (dysmsapi 2017-05-25), signed by hand: SendSms, SendBatchSms, QuerySendDetails."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from app import clock
from app.adapters.outcome import Outcome
from app.adapters.sms import Batch, DeliveryState, Fault, Lookup, Receipt, Sent, Vendor, codes
from app.adapters.sms.form import encode
from app.adapters.sms.http import Answer, Endpoint, NoAnswer
from app.adapters.sms.phones import mainland
from app.adapters.sms.results import for_all, not_numbers, unanswered, unreadable
from app.adapters.sms.signing import acs3
from app.adapters.sms.wire import count, shanghai_time, text

log = logging.getLogger(__name__)

VERSION = "2017-05-25"
# SendSms: one text for up to 1,000 numbers. SendBatchSms: parameters for each of up to 100.
SAME_TEXT, PERSONAL = 1000, 100
PAGE = 50
# Fifty a day is what a number may get of one template: a day of several templates stays below this.
MOST_PAGES = 10
# SendStatus of QuerySendDetails.
_STATES = {1: DeliveryState.WAITING, 2: DeliveryState.FAILED, 3: DeliveryState.DELIVERED}


class AliyunSms:
    """Made once for each process; safe to share between threads."""

    vendor = Vendor.ALIYUN

    def __init__(
        self,
        *,
        endpoint: str,
        key_id: str,
        key_secret: str,
        connect_s: float = 3.0,
        read_s: float = 10.0,
        in_flight: int = 32,
    ) -> None:
        self._endpoint = Endpoint(
            endpoint, provider="aliyun", connect_s=connect_s, read_s=read_s, in_flight=in_flight
        )
        self._key_id = key_id
        self._key_secret = key_secret

    def close(self) -> None:
        """Give the connections back; the adapter may still be used afterwards."""
        self._endpoint.close()

    def batch_size(self, *, personal: bool) -> int:
        """See `Sms.batch_size`."""
        return PERSONAL if personal else SAME_TEXT

    def send(self, batch: Batch) -> list[Sent]:
        """See `Sms.send`. Alibaba answers for the call as a whole; one BizId stands for all of its numbers."""
        personal = batch.is_personal
        if len(batch.messages) > self.batch_size(personal=personal):
            raise ValueError(f"too many numbers for one call: {len(batch.messages)}")
        refused = not_numbers(batch)
        if len(refused) == len(batch.messages):
            return list(refused.values())
        wanted = batch
        if refused:
            wanted = replace(batch, messages=tuple(m for m in batch.messages if m.phone not in refused))
        # SendBatchSms carries all in the body, so it serves a small batch of one text as well as a personal one.
        if personal or len(wanted.messages) <= PERSONAL:
            sent = self._send(wanted, "SendBatchSms", *_batch_parts(wanted))
        else:
            sent = self._send(wanted, "SendSms", _sms_query(wanted), {})
        if not refused:
            return sent
        by_phone = refused | {result.phone: result for result in sent}
        return [by_phone[m.phone] for m in batch.messages]

    def look_up(self, phone: str, *, day: date) -> Lookup:
        """See `Sms.look_up`: QuerySendDetails, which knows the last 30 days and lists what still waits."""
        found: list[Receipt] = []
        for page in range(1, MOST_PAGES + 1):
            query = {
                "CurrentPage": str(page),
                "PageSize": str(PAGE),
                "PhoneNumber": phone,
                "SendDate": day.strftime("%Y%m%d"),
            }
            answer = self._call("QuerySendDetails", query, {})
            if isinstance(answer, NoAnswer):
                return Lookup(False, False, (), answer.why)
            body = answer.body or {}
            code = text(body.get("Code")) or f"http {answer.status}"
            listed = body.get("SmsSendDetailDTOs")
            entries = listed.get("SmsSendDetailDTO") if isinstance(listed, dict) else None
            if code != "OK" or not isinstance(entries, list):
                return Lookup(False, False, (), code if code != "OK" else "unreadable")
            found.extend(r for r in (_record(entry) for entry in entries) if r is not None)
            total = count(body.get("TotalCount"))
            if len(entries) < PAGE or (total is not None and page * PAGE >= total):
                return Lookup(True, True, tuple(found), code)
        return Lookup(True, False, tuple(found), "too many pages")

    def _send(self, batch: Batch, action: str, query: dict[str, str], form: dict[str, str]) -> list[Sent]:
        answer = self._call(action, query, form)
        if isinstance(answer, NoAnswer):
            return unanswered(batch, answer)
        code = text(answer.body.get("Code")) if answer.body is not None else None
        if answer.body is None or not code:
            return unreadable(batch, answer.status)
        meaning = codes.aliyun(code)
        if meaning is codes.NOT_LISTED or meaning.fault is Fault.ACCOUNT:
            log.error("aliyun sms answers %s for a batch", code)
        if meaning.outcome is Outcome.ACCEPTED and answer.status != 200:
            return unreadable(batch, answer.status)
        return for_all(batch, meaning, code, text(answer.body.get("BizId")))

    def _call(self, action: str, query: dict[str, str], form: dict[str, str]) -> Answer | NoAnswer:
        body = encode(form)
        headers = {
            "accept": "application/json",
            "host": self._endpoint.host,
            "x-acs-action": action,
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
            "x-acs-date": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-version": VERSION,
        }
        if body:
            headers["content-type"] = "application/x-www-form-urlencoded"
        authorization = acs3(
            key_id=self._key_id, key_secret=self._key_secret, query=list(query.items()), headers=headers
        )
        return self._endpoint.post(
            "/?" + encode(query).decode(),
            what=action,
            headers={**headers, "authorization": authorization},
            body=body,
        )


def _batch_parts(batch: Batch) -> tuple[dict[str, str], dict[str, str]]:
    names = batch.template.parameters
    form = {
        "PhoneNumberJson": _json([m.phone for m in batch.messages]),
        "SignNameJson": _json([batch.template.sign] * len(batch.messages)),
    }
    if names:
        form["TemplateParamJson"] = _json([dict(zip(names, m.values, strict=True)) for m in batch.messages])
    return {"OutId": batch.out_id, "TemplateCode": batch.template.code}, form


def _sms_query(batch: Batch) -> dict[str, str]:
    names = batch.template.parameters
    query = {
        "OutId": batch.out_id,
        "PhoneNumbers": ",".join(m.phone for m in batch.messages),
        "SignName": batch.template.sign,
        "TemplateCode": batch.template.code,
    }
    if names:
        query["TemplateParam"] = _json(dict(zip(names, batch.messages[0].values, strict=True)))
    return query


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _record(entry: object) -> Receipt | None:
    if not isinstance(entry, Mapping):
        return None
    phone, state = mainland(entry.get("PhoneNum")), _STATES.get(count(entry.get("SendStatus")) or 0)
    if phone is None or state is None:
        return None
    sent: datetime | None = shanghai_time(entry.get("SendDate"))
    return Receipt(
        phone=phone,
        state=state,
        code=text(entry.get("ErrCode")) or "",
        vendor_id=None,
        out_id=text(entry.get("OutId")),
        sent_at=sent,
        reported_at=shanghai_time(entry.get("ReceiveDate")),
    )
