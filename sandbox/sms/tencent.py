"""Tencent Cloud's SMS 2021-01-11 over HTTP: SendSms, PullSmsSendStatusByPhoneNumber."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from sandbox.sms.config import SmsConfig
from sandbox.sms.gateway import Gateway, Order, Refusal, Words
from sandbox.sms.http import Answer, Request
from sandbox.sms.ledger import Entry
from sandbox.sms.signatures import NotSigned, check_tc3

WORDS = Words(too_fast="RequestLimitExceeded", cap="LimitExceeded.PhoneNumberDailyLimit", fast_status=200)
LONGEST_VALUE = 12  # of a notification's variable; the console shows each account its own
LONGEST_CONTEXT = 511
_PHONE = re.compile(r"(?:\+86|0086|86)?(1[3-9]\d{9})")
_VARIABLE = re.compile(r"\{(\d+)\}")


class Tencent:
    """The wire of one account."""

    def __init__(self, config: SmsConfig, gateway: Gateway) -> None:
        self._config = config
        self._gateway = gateway
        self._actions: Mapping[str, Callable[[dict[str, Any]], bytes]] = {
            "SendSms": self._send,
            "PullSmsSendStatusByPhoneNumber": self._pull,
        }

    def answer(self, request: Request) -> Answer:
        """The answer to one request."""
        action = request.headers.get("x-tc-action", "")
        try:
            check_tc3(
                request,
                secret_id=self._config.tencent_secret_id,
                secret=self._config.tencent_secret_key,
                now=self._gateway.clock(),
            )
            if action not in self._actions:
                raise NotSigned("InvalidAction")
            if request.headers.get("x-tc-version") != "2021-01-11":
                raise NotSigned("NoSuchVersion")
            params = _json(request.body)
        except NotSigned as e:
            self._gateway.calls[f"{action} {e.code}"] += 1
            return Answer(*_refused(Refusal(e.code)))
        return self._gateway.answer(action, lambda: self._actions[action](params), _refused)

    def _send(self, params: dict[str, Any]) -> bytes:
        gateway, numbers = self._gateway, params.get("PhoneNumberSet")
        if not isinstance(numbers, list) or not numbers:
            raise Refusal("MissingParameter.EmptyPhoneNumberSet")
        if len(numbers) > 200:
            raise Refusal("LimitExceeded.PhoneNumberCountLimit")
        if params.get("SmsSdkAppId") != self._config.tencent_app_id:
            raise Refusal("UnauthorizedOperation.SmsSdkAppIdVerifyFail")
        sign, allowed = params.get("SignName"), gateway.scenario.signs
        if not isinstance(sign, str) or not sign or (allowed and sign not in allowed):
            raise Refusal("FailedOperation.SignatureIncorrectOrUnapproved")
        context = params.get("SessionContext") or ""
        if not isinstance(context, str) or len(context.encode()) > LONGEST_CONTEXT:
            raise Refusal("InvalidParameterValue.ContentLengthLimit")
        text = self._text(params)
        phones = {str(n): _bare(n) for n in numbers}
        errors = gateway.errors_of([phone for phone in phones.values() if phone])
        orders = [Order(phone, text) for phone in phones.values() if phone and phone not in errors]
        if len(orders) + len(errors) < len(phones) and gateway.scenario.bad_number == "batch":
            raise Refusal("InvalidParameterValue.IncorrectPhoneNumber")
        stamp = int(gateway.clock())
        taken = gateway.take(
            orders,
            sign=sign,
            template=str(params["TemplateId"]),
            out_id=context,
            vendor_ids=lambda _: f"{self._config.tencent_app_id[-4:]}:{gateway.serial():020}{stamp}",
            errors={},
        )
        by_phone = {entry.phone: entry for entry in taken}
        told = [
            _status(written, by_phone.get(phone or ""), errors.get(phone or ""), context)
            for written, phone in phones.items()
        ]
        return _response({"SendStatusSet": told})

    def _text(self, params: dict[str, Any]) -> str:
        """The template filled in. Raises Refusal."""
        values = params.get("TemplateParamSet") or []
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise Refusal("InvalidParameterValue.TemplateParameterFormatError")
        if any(len(v) > LONGEST_VALUE for v in values):
            raise Refusal("InvalidParameterValue.TemplateParameterLengthLimit")
        if any("://" in v or "www." in v for v in values):
            raise Refusal("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter")
        code, templates = params.get("TemplateId"), self._gateway.scenario.templates
        if not isinstance(code, str) or not code or (templates and code not in templates):
            raise Refusal("FailedOperation.TemplateIncorrectOrUnapproved")
        if not templates:
            return orjson.dumps(values).decode()
        wanted = {int(n) for n in _VARIABLE.findall(templates[code])}
        if wanted != set(range(1, len(values) + 1)):
            raise Refusal("FailedOperation.TemplateParamSetNotMatchApprovedTemplate")
        return _VARIABLE.sub(lambda found: values[int(found.group(1)) - 1], templates[code])

    def _pull(self, params: dict[str, Any]) -> bytes:
        begin, end, offset, limit = (params.get(k, 0) for k in ("BeginTime", "EndTime", "Offset", "Limit"))
        if not all(isinstance(v, int) for v in (begin, end, offset, limit)) or not 1 <= limit <= 100:
            raise Refusal("InvalidParameterValue.LimitVerifyFail")
        now, phone = self._gateway.clock(), _bare(params.get("PhoneNumber"))
        if begin < now - 7 * 86400 - 86400:
            raise Refusal("InvalidParameterValue.BeginTimeVerifyFail")
        # Only what was reported is listed; what still waits is not.
        found = [
            e for e in self._gateway.known(phone or "") if e.due <= now and begin <= e.due <= (end or now)
        ]
        return _response({"PullSmsSendStatusSet": [_pulled(e) for e in found[offset : offset + limit]]})


def _bare(number: Any) -> str | None:
    found = _PHONE.fullmatch(number) if isinstance(number, str) else None
    return found.group(1) if found else None


def _status(written: str, entry: Entry | None, error: str | None, context: str) -> dict[str, Any]:
    if entry is None:
        code = error or "InvalidParameterValue.IncorrectPhoneNumber"
        said = {"SerialNo": "", "Fee": 0, "Code": code, "Message": code, "IsoCode": ""}
    else:
        said = {"SerialNo": entry.vendor_id, "Fee": entry.segments, "Code": "Ok", "Message": "send success"}
        said["IsoCode"] = "CN"
    return {"PhoneNumber": written, "SessionContext": context, **said}


def _pulled(entry: Entry) -> dict[str, Any]:
    return {
        "UserReceiveTime": int(entry.due),
        "CountryCode": "86",
        "SubscriberNumber": entry.phone,
        "PhoneNumber": f"+86{entry.phone}",
        "SerialNo": entry.vendor_id,
        "ReportStatus": "SUCCESS" if entry.error is None else "FAIL",
        "Description": "DELIVRD" if entry.error is None else entry.error,
        "SessionContext": entry.out_id,
    }


def _response(told: dict[str, Any]) -> bytes:
    return orjson.dumps({"Response": {**told, "RequestId": str(uuid.uuid4())}})


def _refused(e: Refusal) -> tuple[int, bytes]:
    return 200, _response({"Error": {"Code": e.code, "Message": e.message}})


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise NotSigned("InvalidParameter")
    return value
