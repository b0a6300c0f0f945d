"""What both vendors' gateways have in common: limits, faults, bad numbers, the fate of what they take."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sandbox.sms.http import Answer
from sandbox.sms.ledger import Entry, Ledger
from sandbox.sms.push import Pusher
from sandbox.sms.scenario import Fault, Scenario

ALIYUN, TENCENT = "aliyun", "tencent"


class Refusal(Exception):
    """The whole call is refused; `status` is the HTTP status the vendor answers with."""

    def __init__(self, code: str, message: str = "", status: int = 200) -> None:
        super().__init__(code)
        self.code = code
        self.message = message or code
        self.status = status


class Order(NamedTuple):
    """One message of a call."""

    phone: str
    text: str


@dataclass(frozen=True)
class Words:
    """A vendor's own words for what both have."""

    too_fast: str
    cap: str
    fast_status: int


class _Bucket:
    """So many calls a second; a second's worth may come at once."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._most = rate, max(1.0, rate)
        self._tokens, self._filled_at = self._most, now

    def take(self, now: float) -> bool:
        """May another call pass?"""
        self._tokens = min(self._most, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Gateway:
    """One vendor's memory and behaviour. Used by the event loop alone."""

    def __init__(
        self, vendor: str, words: Words, ledger: Ledger, pusher: Pusher, clock: Callable[[], float]
    ) -> None:
        self.vendor = vendor
        self.words = words
        self.clock = clock
        self.ledger = ledger
        self.calls: Counter[str] = Counter()
        self._pusher = pusher
        self._serial = 0
        self.behave(Scenario())

    def behave(self, scenario: Scenario) -> None:
        """From now on like this."""
        self.scenario = scenario
        self._random = random.Random(scenario.seed)
        self._buckets = {name: _Bucket(rate, self.clock()) for name, rate in scenario.qps_of.items() if rate}
        if scenario.qps:
            self._buckets[""] = _Bucket(scenario.qps, self.clock())
        # Endings are compared only where there are any.
        self._endings = {k[1:]: v for k, v in scenario.numbers.items() if k.startswith("*")}
        self._pusher.behave(self.vendor, scenario.receipts)

    def answer(
        self,
        action: str,
        work: Callable[[], bytes],
        refused: Callable[[Refusal], tuple[int, bytes]],
    ) -> Answer:
        """The answer to a call: `work` carried out, refused, or spoilt as the scenario says."""
        low, high = self.scenario.latency_ms
        delay_s = (low if low == high else self._random.uniform(low, high)) / 1000
        fault = self._fault(action)
        try:
            if self._is_too_fast(action):
                raise Refusal(self.words.too_fast, status=self.words.fast_status)
            if fault is not None and _is_code(fault.mode):
                if fault.after:
                    work()
                raise Refusal(
                    fault.mode, status=200 if fault.mode.startswith("is") else self.words.fast_status
                )
            body = work() if fault is None or fault.after else b""
        except Refusal as e:
            self.calls[f"{action} {e.code}"] += 1
            status, body = refused(e)
            return Answer(status, body, delay_s=delay_s)
        self.calls[f"{action} {fault.mode if fault else 'ok'}"] += 1
        return Answer(200, body, delay_s=delay_s) if fault is None else self._spoilt(fault, delay_s)

    def error_of(self, phone: str) -> str | None:
        """What the scenario or the cap has against this number."""
        error = self.scenario.numbers.get(phone)
        if error is None and self._endings:
            error = next((code for end, code in self._endings.items() if phone.endswith(end)), None)
        cap = self.scenario.number_cap
        if error is None and cap and self.ledger.reached(self.vendor, phone) >= cap:
            return self.words.cap
        return error

    def errors_of(self, phones: Sequence[str]) -> dict[str, str]:
        """Bad numbers among these. Raises Refusal where one of them fails the whole call."""
        if not (self.scenario.numbers or self.scenario.number_cap):
            return {}
        errors = {phone: error for phone in phones if (error := self.error_of(phone)) is not None}
        if errors and self.scenario.bad_number == "batch":
            raise Refusal(next(iter(errors.values())))
        return errors

    def take(
        self,
        orders: Sequence[Order],
        *,
        sign: str,
        template: str,
        out_id: str,
        vendor_ids: Callable[[int], str],
        errors: Mapping[str, str],
    ) -> list[Entry]:
        """Carry a call out. `vendor_ids` names the message at a position; those in `errors` will not be received."""
        now, scenario = self.clock(), self.scenario
        uniform, random_ = self._random.uniform, self._random.random
        rules = scenario.receipts
        low, high = rules.delay_s
        shows_at = now + uniform(*scenario.query_lag_s)
        entries = []
        for position, order in enumerate(orders):
            error = errors.get(order.phone)
            if error is None and rules.fail and random_() < rules.fail:
                error = "UNDELIV"
            entries.append(
                Entry(
                    at=now,
                    vendor=self.vendor,
                    phone=order.phone,
                    sign=sign,
                    template=template,
                    text=order.text,
                    out_id=out_id,
                    vendor_id=vendor_ids(position),
                    due=now + uniform(low, high),
                    shows_at=shows_at,
                    error=error,
                )
            )
        self.ledger.add(entries)
        self._pusher.receipts(self.vendor, entries)
        for entry in entries:
            if entry.error is None and entry.phone in scenario.replies:
                self._pusher.reply(self.vendor, entry.phone, scenario.replies[entry.phone], at=entry.due)
        return entries

    def serial(self) -> int:
        """A number that no other call has."""
        self._serial += 1
        return self._serial

    def known(self, phone: str) -> list[Entry]:
        """What the query interface knows by now of a number, newest first."""
        now = self.clock()
        return [e for e in reversed(self.ledger.of(phone)) if e.vendor == self.vendor and e.shows_at <= now]

    def _fault(self, action: str) -> Fault | None:
        for fault in self.scenario.faults:
            if fault.times == 0 or fault.action not in (None, action):
                continue
            if fault.rate < 1 and self._random.random() >= fault.rate:
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None

    def _is_too_fast(self, action: str) -> bool:
        of = [self._buckets[name] for name in ("", action) if name in self._buckets]
        passed = [bucket.take(self.clock()) for bucket in of]  # each counts, whatever the other says
        return not all(passed)

    def _spoilt(self, fault: Fault, delay_s: float) -> Answer:
        if fault.mode == "timeout":
            return Answer(200, b"", delay_s=self.scenario.hang_s, drop=True)
        if fault.mode == "close":
            return Answer(200, b"", delay_s=delay_s, drop=True)
        if fault.mode == "drip":
            return Answer(200, _LONG_ANSWER, delay_s=delay_s, drip_s=0.2)
        if fault.mode == "badjson":
            return Answer(200, b'{"Code": "OK', delay_s=delay_s)
        if fault.mode == "empty":
            return Answer(200, b"{}", delay_s=delay_s)
        page = b"<html><body>upstream</body></html>"
        return Answer(int(fault.mode.removeprefix("http")), page, "text/html", delay_s)


_LONG_ANSWER = b'{"Code": "OK", "Message": "OK"}'.ljust(300)


def _is_code(mode: str) -> bool:
    return not re.fullmatch(r"timeout|close|drip|badjson|empty|http\d{3}", mode)
