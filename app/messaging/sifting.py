"""Who of a page of recipients gets a message, with which words, and why the others don't. Preview and expansion ask the
same question here, so that what was shown is what is sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import text

from app import crypto, db
from app.messaging import columns, opt_outs, templates
from app.messaging.audience import Recipient
from app.messaging.sms_models import SmsTemplate
from app.messaging.templates import Fill, Parameter

_CAPPED = text(
    "SELECT d.phone_hash FROM unnest(" + columns.unnested(hashes="bytea") + ") AS asked (h)"  # noqa: S608  columns and types from here
    " JOIN sms_number_days AS d ON d.phone_hash = h AND d.day = :day WHERE d.count >= :most"
)
_MOBILE = re.compile(r"1[3-9][0-9]{9}")


class Reason(StrEnum):
    """Why somebody of the audience gets nothing."""

    NO_PHONE = "no_phone"
    NOT_MOBILE = "not_mobile"
    TWICE = "twice"  # the number has this message already: several houses, or shared with another owner
    OPTED_OUT = "opted_out"
    CAPPED = "capped"  # the number has had its share of the day
    VALUE_MISSING = "value_missing"
    VALUE_TOO_LONG = "value_too_long"
    URL_IN_VALUE = "url_in_value"
    NOT_IN_WECHAT = "not_in_wechat"


class Chosen(NamedTuple):
    """A number to write to, and the values of all parameters in their order. `no_sms`: why only WeChat may reach it."""

    phone_hash: bytes
    phone: str
    values: list[str]
    no_sms: Reason | None


@dataclass(frozen=True)
class Sieve:
    """What decides for one campaign. `most`: messages of ours that a number may get that `day`."""

    template: SmsTemplate
    params: Mapping[str, str]
    despite_opt_out: bool
    most: int
    day: date
    with_sms: bool
    with_wechat: bool

    def sift(self, recipients: Sequence[Recipient]) -> tuple[list[Chosen], Counter[str]]:
        """Each number of the page once, and how many were left out for which reason."""
        left_out: Counter[str] = Counter()
        found: dict[bytes, Chosen] = {}
        for recipient in recipients:
            known = _mobile(recipient)
            if known is None:
                left_out[Reason.NOT_MOBILE if recipient.numbers else Reason.NO_PHONE] += 1
                continue
            phone_hash, phone = known
            if phone_hash in found:
                left_out[Reason.TWICE] += 1
                continue
            values, wrong = self._values(recipient.fields)
            if wrong is not None:
                left_out[wrong] += 1
                continue
            found[phone_hash] = Chosen(
                phone_hash, phone, values, None if self.with_sms else Reason.NOT_IN_WECHAT
            )
        if self.with_sms:
            if not self.despite_opt_out:
                self._keep_from_sms(found, opt_outs.opted_out(found.keys()), Reason.OPTED_OUT, left_out)
            self._keep_from_sms(found, self._capped(found.keys()), Reason.CAPPED, left_out)
        return list(found.values()), left_out

    def _keep_from_sms(
        self, found: dict[bytes, Chosen], hashes: Collection[bytes], why: Reason, left_out: Counter[str]
    ) -> None:
        """Who may get no text message may still be told in WeChat, where the campaign goes there as well."""
        for phone_hash in hashes:
            if self.with_wechat:
                found[phone_hash] = found[phone_hash]._replace(no_sms=why)
            else:
                del found[phone_hash]
                left_out[why] += 1

    def _capped(self, hashes: Collection[bytes]) -> set[bytes]:
        if not hashes:
            return set()
        asked = {"hashes": columns.binary(hashes), "day": self.day, "most": self.most}
        return set(db.session().scalars(_CAPPED, asked))

    @cached_property
    def _parameters(self) -> list[Parameter]:
        return templates.parameters_of(self.template)

    def _values(self, fields: Mapping[str, str]) -> tuple[list[str], Reason | None]:
        values: list[str] = []
        for parameter in self._parameters:
            if parameter.fill is Fill.CAMPAIGN:
                values.append(self.params[parameter.name])
                continue
            key = parameter.name if parameter.fill is Fill.LIST else parameter.fill.value
            value = fields.get(key, "").strip()
            if not value:
                return [], Reason.VALUE_MISSING
            if len(value) > parameter.longest:
                return [], Reason.VALUE_TOO_LONG
            if templates.has_url(value):
                return [], Reason.URL_IN_VALUE
            values.append(value)
        return values, None


def is_mobile(phone: str) -> bool:
    """Is it a mobile number of the mainland, 11 digits?"""
    return _MOBILE.fullmatch(phone) is not None


def _mobile(recipient: Recipient) -> tuple[bytes, str] | None:
    for number in recipient.numbers:
        phone = crypto.keys().decrypt(number.sealed, number.context).decode()
        if is_mobile(phone):
            return number.phone_hash, phone
    return None
