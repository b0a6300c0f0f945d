"""What a call as a whole makes of each of its numbers; the same for every vendor."""

from __future__ import annotations

from app.adapters.outcome import Outcome
from app.adapters.sms import Batch, Fault, Sent
from app.adapters.sms.codes import Meaning, of_call
from app.adapters.sms.http import NoAnswer

# A proxy's or gateway's own words for "I passed it on and heard nothing".
_TIMED_OUT = frozenset({408, 499})


def for_all(batch: Batch, meaning: Meaning, code: str, vendor_id: str | None = None) -> list[Sent]:
    """The same for each number of the batch."""
    meaning = of_call(meaning, len(batch.messages))
    return [Sent(m.phone, meaning.outcome, code, meaning.fault, vendor_id) for m in batch.messages]


def unanswered(batch: Batch, failed: NoAnswer) -> list[Sent]:
    """Unknown, or throttled where no connection came about."""
    outcome = Outcome.UNKNOWN if failed.may_have_arrived else Outcome.THROTTLED
    return [Sent(m.phone, outcome, failed.why, Fault.VENDOR) for m in batch.messages]


def unreadable(batch: Batch, status: int) -> list[Sent]:
    """An answer that isn't the vendor's: a 4xx was turned away at the door, anything else may have gone through."""
    turned_away = 400 <= status < 500 and status not in _TIMED_OUT
    outcome = Outcome.THROTTLED if turned_away else Outcome.UNKNOWN
    return [Sent(m.phone, outcome, f"http {status}", Fault.VENDOR) for m in batch.messages]


def not_numbers(batch: Batch) -> dict[str, Sent]:
    """Refusals of what is no mobile number of the mainland: it is never handed to a vendor, where one such number may
    fail the whole call.
    """
    return {
        m.phone: Sent(m.phone, Outcome.REFUSED, "no mobile number", Fault.NUMBER)
        for m in batch.messages
        if not (len(m.phone) == 11 and m.phone.isascii() and m.phone.isdecimal() and m.phone[0] == "1")
    }
