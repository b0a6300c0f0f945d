"""Alibaba Cloud's dysmsapi 2017-05-25 over HTTP: SendSms, SendBatchSms, QuerySendDetails."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from sandbox.sms.config import SmsConfig
from sandbox.sms.gateway import Gateway, Order, Refusal, Words
from sandbox.sms.http import Answer, Request, form
from sandbox.sms.ledger import Entry, wall
from sandbox.sms.signatures import Nonces, NotSigned, check_acs3

WORDS = Words(too_fast="Throttling.User", cap="isv.BUSINESS_LIMIT_CONTROL", fast_status=400)
LONGEST_VALUE = 35
_PHONE = re.compile(r"1[3-9]\d{9}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_STATES = {"waiting": 1, "failed": 2, "delivered": 3}


class Aliyun:
    """The wire of one account."""

    def __init__(self, config: SmsConfig, gateway: Gateway) -> None:
        self._config = config
        self._gateway = gateway
        self._nonces = Nonces()
        self._actions: Mapping[str, Callable[[dict[str, str]], bytes]] = {
            "SendSms": self._send_sms,
            "SendBatchSms": self._send_batch,
            "QuerySendDetails": self._query,
        }

    def answer(self, request: Request) -> Answer:
        """The answer to one request."""
        action = request.headers.get("x-acs-action", "")
        try:
            query = form(request.query)
            check_acs3(
                request,
                query,
                key_id=self._config.aliyun_key_id,
                secret=self._config.aliyun_key_secret,
                now=self._gateway.clock(),
                nonces=self._nonces,
            )
            if action not in self._actions:
                raise NotSigned("InvalidAction.NotFound", 404)
            if request.headers.get("x-acs-version") != "2017-05-25":
                raise NotSigned("InvalidVersion")
        except NotSigned as e:
            self._gateway.calls[f"{action} {e.code}"] += 1
            return Answer(*_refused(Refusal(e.code, status=e.status)))
        params = dict(query)
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            params |= dict(form(request.body.decode("utf-8", "replace")))
        return self._gateway.answer(action, lambda: self._actions[action](params), _refused)

    def _send_sms(self, params: dict[str, str]) -> bytes:
        phones = params.get("PhoneNumbers", "").split(",")
        if len(phones) > 1000:
            raise Refusal("isv.MOBILE_COUNT_OVER_LIMIT")
        values = _json(params["TemplateParam"], dict) if params.get("TemplateParam") else {}
        text = self._text(params, values)
        return self._take(params, [Order(phone, text) for phone in phones], [params.get("SignName", "")])

    def _send_batch(self, params: dict[str, str]) -> bytes:
        phones = _json(params.get("PhoneNumberJson", ""), list)
        signs = _json(params.get("SignNameJson", ""), list)
        values = (
            _json(params["TemplateParamJson"], list)
            if params.get("TemplateParamJson")
            else [{}] * len(phones)
        )
        if len(phones) > 100:
            raise Refusal("isv.MOBILE_COUNT_OVER_LIMIT")
        if not phones or not len(phones) == len(signs) == len(values):
            raise Refusal("isv.INVALID_PARAMETERS")
        orders = [Order(str(phone), self._text(params, v)) for phone, v in zip(phones, values, strict=True)]
        return self._take(params, orders, signs)

    def _take(self, params: dict[str, str], orders: list[Order], signs: list[Any]) -> bytes:
        gateway, out_id = self._gateway, params.get("OutId", "")
        if len(out_id) > 255:
            raise Refusal("isv.INVALID_PARAMETERS")
        allowed = gateway.scenario.signs
        if not all(isinstance(s, str) and s and (not allowed or s in allowed) for s in set(signs)):
            raise Refusal("isv.SMS_SIGNATURE_ILLEGAL")
        phones = [order.phone for order in orders]
        errors = gateway.errors_of(phones)
        illegal = {p: "isv.MOBILE_NUMBER_ILLEGAL" for p in phones if not _PHONE.fullmatch(p)}
        if illegal and (len(phones) == 1 or gateway.scenario.bad_number == "batch"):
            raise Refusal("isv.MOBILE_NUMBER_ILLEGAL")
        if errors and len(phones) == 1:
            raise Refusal(errors[phones[0]])
        biz_id = f"{int(gateway.clock() * 1000)}{gateway.serial():06}^0"
        gateway.take(
            orders,
            sign=signs[0],
            template=params.get("TemplateCode", ""),
            out_id=out_id,
            vendor_ids=lambda _: biz_id,
            errors=errors | illegal,
        )
        return orjson.dumps({"Code": "OK", "Message": "OK", "RequestId": _request_id(), "BizId": biz_id})

    def _text(self, params: dict[str, str], values: Any) -> str:
        """The template filled in. Raises Refusal."""
        if not isinstance(values, dict):
            raise Refusal("isv.INVALID_JSON_PARAM")
        for value in values.values():
            if not isinstance(value, str):
                raise Refusal("isv.TEMPLATE_PARAMS_ILLEGAL")
            if len(value) > LONGEST_VALUE:
                raise Refusal("isv.PARAM_LENGTH_LIMIT")
            if "://" in value or "www." in value:
                raise Refusal("isv.PARAM_NOT_SUPPORT_URL")
        code, templates = params.get("TemplateCode", ""), self._gateway.scenario.templates
        if not code or (templates and code not in templates):
            raise Refusal("isv.SMS_TEMPLATE_ILLEGAL")
        if not templates:
            return orjson.dumps(values).decode()
        if not set(_VARIABLE.findall(templates[code])) <= set(values):
            raise Refusal("isv.TEMPLATE_MISSING_PARAMETERS")
        return _VARIABLE.sub(lambda found: values[found.group(1)], templates[code])

    def _query(self, params: dict[str, str]) -> bytes:
        try:
            size, page = int(params["PageSize"]), int(params["CurrentPage"])
            phone, day = params["PhoneNumber"], params["SendDate"]
        except (KeyError, ValueError):
            raise Refusal("isv.INVALID_PARAMETERS") from None
        if not 1 <= size <= 50 or page < 1 or not re.fullmatch(r"\d{8}", day):
            raise Refusal("isv.INVALID_PARAMETERS")
        found = [e for e in self._gateway.known(phone) if wall(e.at)[:10].replace("-", "") == day]
        listed = [self._detail(e) for e in found[(page - 1) * size : page * size]]
        return orjson.dumps(
            {
                "Code": "OK",
                "Message": "OK",
                "RequestId": _request_id(),
                "TotalCount": str(len(found)),
                "SmsSendDetailDTOs": {"SmsSendDetailDTO": listed},
            }
        )

    def _detail(self, entry: Entry) -> dict[str, Any]:
        state = entry.state(self._gateway.clock())
        told: dict[str, Any] = {
            "PhoneNum": entry.phone,
            "SendStatus": _STATES[state],
            "Content": f"【{entry.sign}】{entry.text}",
            "TemplateCode": entry.template,
            "SendDate": wall(entry.at),
            "OutId": entry.out_id,
        }
        if state != "waiting":
            told |= {"ReceiveDate": wall(entry.due), "ErrCode": entry.error or "DELIVERED"}
        return told


def _refused(e: Refusal) -> tuple[int, bytes]:
    told = {"Code": e.code, "Message": e.message, "RequestId": _request_id()}
    if e.status != 200:
        told |= {"HostId": "dysmsapi.aliyuncs.com", "Recommend": ""}
    return e.status, orjson.dumps(told)


def _request_id() -> str:
    return secrets.token_hex(16).upper()


def _json(text: str, kind: type) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, kind):
        raise Refusal("isv.INVALID_JSON_PARAM")
    return value
