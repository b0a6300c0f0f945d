"""Which values a field of a subscribe message takes (WeChat, sendMessage: parameter values)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_DAY = r"\d{4}年(?:0?[1-9]|1[0-2])月(?:0?[1-9]|[12]\d|3[01])日"
_ISO_DAY = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = rf"(?:{_DAY} ?)?{_CLOCK}"
_DATE = rf"(?:{_DAY}|{_ISO_DAY})(?: ?{_CLOCK})?"
_MARK = r"[!-/:-@\[-`{-~]"

_KEY = re.compile(r"([a-z_]+?)\d{1,3}")
_VALUES: dict[str, re.Pattern[str]] = {
    "thing": re.compile(r".{1,20}"),
    "number": re.compile(r"(?=.{1,32}$)-?\d+(?:\.\d+)?"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(rf"{_MARK}{{1,5}}"),
    "character_string": re.compile(r"[!-~]{1,32}"),
    "time": re.compile(rf"{_TIME}(?:~{_TIME})?"),
    "date": re.compile(rf"{_DATE}(?:~{_DATE})?"),
    "amount": re.compile(r"[¥￥$€£]?(?=[\d.]{1,11}元?$)\d{1,10}(?:\.\d+)?元?"),
    "phone_number": re.compile(r"[0-9+()-]{1,17}"),
    "car_number": re.compile(rf"(?:{_HAN}|[A-Za-z0-9]){{1,8}}"),
    "name": re.compile(rf"{_HAN}{{1,10}}|[A-Za-z .·'-]{{1,20}}"),
    "phrase": re.compile(rf"{_HAN}{{1,5}}"),
    "enum": re.compile(r".{1,20}"),
}


def wrong_field(data: Any) -> str | None:
    """The first field WeChat would refuse with 47003, as its errmsg names it; None when all are right."""
    if not isinstance(data, Mapping) or not data:
        return "data"
    for key, cell in data.items():
        value = cell.get("value") if isinstance(cell, Mapping) else None
        matched = _KEY.fullmatch(str(key))
        allowed = _VALUES.get(matched.group(1)) if matched else None
        # A value that is no text (a number, say) is refused too, and so is a blank one.
        if allowed is None or not isinstance(value, str) or not value.strip() or not allowed.fullmatch(value):
            return f"data.{key}.value"
        if any(ord(ch) < 32 or 0x7F <= ord(ch) < 0xA0 for ch in value):
            return f"data.{key}.value"
    return None
