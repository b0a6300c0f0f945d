"""Makes a text fit the field of a subscribe message, so that a notice is never refused for its form.

Limits: WeChat, 发送订阅消息 (sendMessage), table of parameter values. An empty value, a line break or one
character too many costs the whole message (errcode 47003).
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime

from app import clock

log = logging.getLogger(__name__)

NOTHING = "无"
DASH = "-"

_KEY = re.compile(r"([a-z_]+?)\d*")
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_AMOUNT = re.compile(r"([¥$€£]?)\s*(\d[\d,]*)(\.\d{1,2})?\s*(元)?")
_CLOCK = r"(?P<hour>[01]?\d|2[0-3])[:时](?P<minute>[0-5]\d)"
_DAY = r"(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?"
_CLOCK_ONLY = re.compile(_CLOCK + r"(?::[0-5]\d)?")
_MOMENT = re.compile(_DAY + r"(?:\s*T?\s*" + _CLOCK + r")?")


def fit(key: str, text: str) -> str:
    """The text as field `key` (`thing1`, `phrase3`, `time4` ...) accepts it; never empty.

    Words are cut (with an ellipsis where the field allows one), marks a field doesn't take are dropped,
    times with a zone are put on the wall clock of Asia/Shanghai. A time or date nobody can read becomes the
    present: the resident gets the notice, and the log a warning. Fitting twice changes nothing more.
    """
    matched = _KEY.fullmatch(key)
    fitter = _FITTERS.get(matched.group(1) if matched else "", _thing)
    return fitter(_one_line(text))


def _one_line(text: str) -> str:
    """Without control, format and unassigned characters; every run of white space is one blank."""
    kept = (" " if ch.isspace() else ch for ch in text)
    # Zs stays (it is the blank itself); Cc, Cf, Co, Cs and Cn have no place in a phone's notice.
    printable = "".join(ch for ch in kept if not unicodedata.category(ch).startswith("C"))
    return " ".join(printable.split())


def _units(text: str) -> int:
    # Whether WeChat counts an emoji as one or two isn't written anywhere; two is safe.
    return len(text.encode("utf-16-le")) // 2


def _cut(text: str, limit: int, *, ellipsis: str = "…") -> str:
    if _units(text) <= limit:
        return text
    while _units(text) > limit - len(ellipsis):
        text = text[:-1]
    return text.rstrip() + ellipsis


def _thing(text: str) -> str:
    return _cut(text, 20) or NOTHING


def _phrase(text: str) -> str:
    return re.sub(rf"[^{_HAN}]", "", text)[:5] or NOTHING


def _name(text: str) -> str:
    han = re.sub(rf"[^{_HAN}]", "", text)[:10]
    if han:
        return han
    return " ".join(re.sub(r"[^A-Za-z ]", "", _narrow(text)).split())[:20].rstrip() or NOTHING


def _number(text: str) -> str:
    found = _NUMBER.search(_narrow(text))
    return found.group()[:32].rstrip(".") if found else "0"


def _letter(text: str) -> str:
    return re.sub(r"[^A-Za-z]", "", _narrow(text))[:32] or "NA"


def _symbol(text: str) -> str:
    return re.sub(r"[^!-/:-@\[-`{-~]", "", _narrow(text))[:5] or DASH


def _character_string(text: str) -> str:
    return re.sub(r"[^!-~]", "", _narrow(text))[:32] or DASH


def _phone_number(text: str) -> str:
    return re.sub(r"[^0-9+()-]", "", _narrow(text))[:17] or DASH


def _car_number(text: str) -> str:
    return re.sub(rf"[^{_HAN}A-Za-z0-9]", "", _narrow(text))[:8] or NOTHING


def _amount(text: str) -> str:
    found = _AMOUNT.search(_narrow(text).replace("￥", "¥"))
    if found is None:
        return "0元"
    sign, whole, fraction, yuan = found.groups()
    digits = whole.replace(",", "")[:10]
    # Ten digits in all, the fraction included: fen give way before yuan do.
    if fraction and len(digits) + len(fraction) - 1 <= 10:
        digits += fraction
    return sign + digits + ("元" if yuan or not sign else "")


def _enum(text: str) -> str:
    # The listed values are known to the template alone; all that can be done here is not to send nothing.
    return text or NOTHING


def _time(text: str) -> str:
    return _span(text, _read_time)


def _date(text: str) -> str:
    return _span(text, _read_date)


def _span(text: str, read: Callable[[str], str | None]) -> str:
    parts = [part.strip() for part in re.split("[~～]", text) if part.strip()]
    moments = [read(part) for part in parts]
    if not 1 <= len(moments) <= 2 or None in moments:
        log.warning("a time in a wechat notice can't be read; the present stands in")
        now = clock.in_shanghai(clock.now())
        return f"{now.year}年{now.month}月{now.day}日 {now:%H:%M}"
    return "~".join(moment for moment in moments if moment is not None)


def _read_time(text: str) -> str | None:
    only = _CLOCK_ONLY.fullmatch(_narrow(text))
    if only is not None:
        return f"{int(only['hour']):02d}:{only['minute']}"
    moment = _read_moment(text)
    if moment is None:
        return None
    day, at = moment
    # The field wants a clock time; a bare day gets its beginning.
    return f"{day} {at or '00:00'}"


def _read_date(text: str) -> str | None:
    moment = _read_moment(text)
    if moment is None:
        return None
    day, at = moment
    return f"{day} {at}" if at else day


def _read_moment(text: str) -> tuple[str, str | None] | None:
    """The day as `2026年1月5日` and the clock time, if any."""
    text = _narrow(text)
    try:
        exact = datetime.fromisoformat(text)
    except ValueError:
        exact = None
    if exact is not None and exact.tzinfo is not None:
        here = clock.in_shanghai(exact)
        return f"{here.year}年{here.month}月{here.day}日", f"{here:%H:%M}"
    found = _MOMENT.match(text)
    if found is None:
        return None
    try:
        day = datetime(int(found["year"]), int(found["month"]), int(found["day"]), tzinfo=clock.SHANGHAI)
    except ValueError:
        return None
    at = f"{int(found['hour']):02d}:{found['minute']}" if found["hour"] else None
    return f"{day.year}年{day.month}月{day.day}日", at


def _narrow(text: str) -> str:
    """Full-width digits, letters and marks as the half-width ones that the field takes."""
    return unicodedata.normalize("NFKC", text)


_FITTERS: dict[str, Callable[[str], str]] = {
    "thing": _thing,
    "phrase": _phrase,
    "name": _name,
    "number": _number,
    "letter": _letter,
    "symbol": _symbol,
    "character_string": _character_string,
    "phone_number": _phone_number,
    "car_number": _car_number,
    "amount": _amount,
    "enum": _enum,
    "time": _time,
    "date": _date,
}
