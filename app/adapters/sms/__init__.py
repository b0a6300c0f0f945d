"""SMS as the rest of the software sees it: a Protocol and plain values, whichever vendor carries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeVar

from app.adapters.outcome import Outcome

__all__ = [
    "Batch",
    "DeliveryState",
    "Fault",
    "Lookup",
    "Malformed",
    "Message",
    "Outcome",
    "Parsed",
    "Receipt",
    "Reply",
    "Sent",
    "Sms",
    "Template",
    "Vendor",
]

# Alibaba takes an OutId below 256 characters, Tencent a SessionContext below 512 bytes.
LONGEST_OUT_ID = 255

T = TypeVar("T")


class Vendor(StrEnum):
    """Who carries the messages."""

    ALIYUN = "aliyun"
    TENCENT = "tencent"


class Fault(StrEnum):
    """What stands in the way of a message that was not accepted: it says who can do something about it."""

    NUMBER = "number"
    """This number takes no message (wrong, opted out, blocked): visit instead."""

    CAP = "cap"
    """This number has had its share for now; the vendor's frequency rules."""

    MESSAGE = "message"
    """Template, signature or parameters: somebody has to change the text."""

    ACCOUNT = "account"
    """Keys, balance, permissions, daily limits of our own account: somebody has to see to it."""

    RATE = "rate"
    """Too many calls at once: slower."""

    VENDOR = "vendor"
    """The vendor or the way there: down, slow, unreadable."""


@dataclass(frozen=True, slots=True)
class Template:
    """A vendor's approved template and signature; `parameters` names its variables in the vendor's order."""

    code: str
    sign: str
    parameters: tuple[str, ...] = ()


class Message(NamedTuple):
    """One number (11 digits) and the values of the template's parameters in their order."""

    phone: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes out in one call. Raises ValueError when it couldn't be told apart or filled in afterwards.

    A number stands in a batch once: receipts name the number and the batch, and no more.
    """

    out_id: str
    template: Template
    messages: tuple[Message, ...]

    def __post_init__(self) -> None:
        if not self.messages:
            raise ValueError("an empty batch")
        if not 0 < len(self.out_id) <= LONGEST_OUT_ID or not self.out_id.isascii():
            raise ValueError("out_id must have 1 to 255 ASCII characters")
        if len({m.phone for m in self.messages}) != len(self.messages):
            raise ValueError("a number stands twice in the batch")
        expected = len(self.template.parameters)
        if any(len(m.values) != expected for m in self.messages):
            raise ValueError(f"the template takes {expected} parameters")

    @property
    def is_personal(self) -> bool:
        """Whether the numbers get different texts."""
        first = self.messages[0].values
        return any(m.values != first for m in self.messages)


class Sent(NamedTuple):
    """What became of one number of a batch.

    `code` is the vendor's word (or ours, in lower case, where it said none). `vendor_id` is Alibaba's BizId, one for
    the call, or Tencent's SerialNo, one for the number. `segments` is how many parts will be billed, where it is said.
    """

    phone: str
    outcome: Outcome
    code: str
    fault: Fault | None = None
    vendor_id: str | None = None
    segments: int | None = None


class DeliveryState(StrEnum):
    """What the vendor says of a message it took."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Receipt(NamedTuple):
    """The fate of one message, as pushed to us or as asked for. Times are aware.

    `out_id` is what we called the batch (Tencent returns it only where that was switched on for the account).
    """

    phone: str
    state: DeliveryState
    code: str
    vendor_id: str | None
    out_id: str | None
    sent_at: datetime | None
    reported_at: datetime | None
    segments: int | None = None


class Reply(NamedTuple):
    """What somebody answered to a message, e.g. `R` or `TD` to hear no more. `sign` is the signature answered to,
    `extension` the number it was sent to, `vendor_id` what tells repeats apart; each where the vendor gives it.
    """

    phone: str
    text: str
    sent_at: datetime | None
    sign: str | None
    extension: str | None
    vendor_id: str | None


class Malformed(NamedTuple):
    """An entry of a push that can't be read: its position (None: the whole body) and why, without its content."""

    position: int | None
    why: str


class Parsed(NamedTuple, Generic[T]):
    """The readable entries of a push, and the others."""

    items: tuple[T, ...]
    malformed: tuple[Malformed, ...]


class Lookup(NamedTuple):
    """What the vendor's own record says of a number on a day.

    `answered` False: it could not be asked, try again later. `is_conclusive` False: a message that is not listed may
    still have been taken (Tencent lists only what was reported, and only lately).
    """

    answered: bool
    is_conclusive: bool
    receipts: tuple[Receipt, ...]
    code: str


class Sms(Protocol):
    """One vendor. Made once for each process; safe for many calls at once from threads."""

    @property
    def vendor(self) -> Vendor:
        """Who this is."""

    def batch_size(self, *, personal: bool) -> int:
        """How many numbers a call takes: with one text for all, or (`personal`) with parameters of their own."""

    def send(self, batch: Batch) -> Sequence[Sent]:
        """Send once, never twice: one result for each message, in the order of the batch.

        Ends within the time-outs of the settings. Raises ValueError for a batch that is larger than `batch_size`, and
        nothing else: whatever the vendor or the network does is an outcome.
        """

    def look_up(self, phone: str, *, day: date) -> Lookup:
        """What the vendor knows of messages to this number sent on this day in Shanghai, newest or oldest first."""
