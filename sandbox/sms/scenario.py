"""How one vendor's gateway behaves: read from a file or a control call, checked, and then only looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

_MODES = re.compile(r"timeout|close|drip|badjson|empty|http[45]\d\d|[A-Za-z][A-Za-z0-9_.]{1,99}")


class Mistake(Exception):
    """The scenario says something that can't be; the text says what."""


@dataclass(slots=True)
class Fault:
    """Calls that fail. `mode`: an error code, `timeout`, `close`, `drip` (five bytes a second), `badjson`, `empty` or
    `http503` and the like.

    `rate` of the calls, `times` at most (None: for ever). `after`: the call is carried out, only the answer fails.
    """

    mode: str
    rate: float = 1.0
    times: int | None = None
    after: bool = False
    action: str | None = None


@dataclass(frozen=True, kw_only=True)
class Receipts:
    """What becomes of messages, and how it is pushed. Rates from 0 to 1, times in seconds."""

    url: str | None = None
    replies_url: str | None = None
    delay_s: tuple[float, float] = (0.2, 1.0)
    loss: float = 0.0
    duplicates: float = 0.0
    fail: float = 0.0
    shuffle: bool = False
    batch: int = 100
    retry_s: tuple[float, ...] = (60.0, 300.0, 600.0)
    with_context: bool = False
    """Tencent: receipts carry `ext`, which the real one does only after a ticket."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that can be set for a vendor; the default is a gateway that does what it is asked, at once."""

    latency_ms: tuple[float, float] = (0.0, 0.0)
    qps: float = 0.0
    """Calls a second before it throttles; 0: any number."""

    qps_of: Mapping[str, float] = field(default_factory=dict)
    """The same by action: Alibaba counts each by itself."""

    hang_s: float = 30.0
    """How long a call that times out stays silent."""

    faults: tuple[Fault, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    """Error codes by number, or by its last digits as `*0007`."""

    bad_number: str = "number"
    """A bad number fails alone (`number`) or with the whole call (`batch`)."""

    number_cap: int = 0
    """Messages a number gets before the vendor's cap stops them; 0: any."""

    replies: Mapping[str, str] = field(default_factory=dict)
    """What numbers answer to whatever reaches them."""

    templates: Mapping[str, str] = field(default_factory=dict)
    """Texts by code; with none, any code and parameters are taken."""

    signs: tuple[str, ...] = ()
    query_lag_s: tuple[float, float] = (0.0, 0.0)
    receipts: Receipts = field(default_factory=Receipts)
    seed: int | None = None


def read(told: Any) -> Scenario:
    """The scenario in a JSON object; what it doesn't name is as by default. Raises Mistake."""
    values = _known(told, Scenario, "the scenario")
    if "receipts" in values:
        values["receipts"] = Receipts(**_checked(_known(values["receipts"], Receipts, "receipts")))
    if "faults" in values:
        if not isinstance(values["faults"], list):
            raise Mistake("faults must be a list")
        values["faults"] = tuple(_fault(one) for one in values["faults"])
    return Scenario(**_checked(values))


def _known(told: Any, kind: type, what: str) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise Mistake(f"{what} must be a JSON object")
    unknown = set(told) - {f.name for f in fields(kind)}
    if unknown:
        raise Mistake(f"{what} knows no {', '.join(sorted(unknown))}")
    return dict(told)


def _fault(told: Any) -> Fault:
    values = _known(told, Fault, "a fault")
    if not isinstance(values.get("mode"), str) or not _MODES.fullmatch(values["mode"]):
        raise Mistake("a fault needs a mode: a code, timeout, close, drip, badjson, empty or http503")
    times = values.get("times")
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        raise Mistake("times must be 1 or more, or null for ever")
    _share("rate", values.get("rate", 1.0))
    if not isinstance(values.get("after", False), bool):
        raise Mistake("after must be true or false")
    if values.get("action") is not None and not isinstance(values["action"], str):
        raise Mistake("action must be a text")
    return Fault(**values)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _CHECKS[name](name, value) for name, value in values.items()}


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise Mistake(f"{name} must be a number, not below 0")
    return value


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise Mistake(f"{name} must be a whole number, not below 0")
    return value


def _share(name: str, value: Any) -> float:
    if _number(name, value) > 1:
        raise Mistake(f"{name} must be from 0 to 1")
    return float(value)


def _range(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, list):
        value = [value, value]
    if len(value) != 2 or not _number(name, value[0]) <= _number(name, value[1]):
        raise Mistake(f"{name} must be a number, or two in order")
    return float(value[0]), float(value[1])


def _texts(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise Mistake(f"{name} must be texts by text")
    return value


def _numbers(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise Mistake(f"{name} must be numbers by text")
    return {key: _number(name, one) for key, one in value.items()}


def _url(name: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and value.startswith("http://127.0.0.1:")):
        raise Mistake(f"{name} must begin with http://127.0.0.1:, or be null")
    return value


def _list_of_texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise Mistake(f"{name} must be a list of texts")
    return tuple(value)


def _times(name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise Mistake(f"{name} must be a list of numbers")
    return tuple(_number(name, v) for v in value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Mistake(f"{name} must be true or false")
    return value


def _seed(name: str, value: Any) -> int | None:
    return None if value is None else _whole(name, value)


def _bad_number(name: str, value: Any) -> str:
    if value not in ("number", "batch"):
        raise Mistake(f"{name} must be number or batch")
    return str(value)


def _as_is(_: str, value: Any) -> Any:
    return value


_CHECKS: dict[str, Any] = {
    "latency_ms": _range,
    "qps": _number,
    "qps_of": _numbers,
    "hang_s": _number,
    "faults": _as_is,
    "numbers": _texts,
    "bad_number": _bad_number,
    "number_cap": _whole,
    "replies": _texts,
    "templates": _texts,
    "signs": _list_of_texts,
    "query_lag_s": _range,
    "receipts": _as_is,
    "seed": _seed,
    "url": _url,
    "replies_url": _url,
    "delay_s": _range,
    "loss": _share,
    "duplicates": _share,
    "fail": _share,
    "shuffle": _flag,
    "batch": _whole,
    "retry_s": _times,
    "with_context": _flag,
}
