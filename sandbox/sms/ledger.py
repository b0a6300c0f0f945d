"""What every number received, in the gateway's own memory: tests count here, not in our database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(slots=True)
class Entry:
    """One message to one number that the gateway took. `due` is when its fate shows, in Unix seconds."""

    at: float
    vendor: str
    phone: str
    sign: str
    template: str
    text: str
    out_id: str
    vendor_id: str
    due: float
    shows_at: float
    """From when the query interface knows of it."""

    error: str | None = None
    """Why it will not be received; None: it will."""

    @property
    def segments(self) -> int:
        """Parts it is billed for: up to 70 characters, or 67 each, with the signature's brackets."""
        size = len(f"【{self.sign}】{self.text}".encode("utf-16-le", "surrogatepass")) // 2
        return 1 if size <= 70 else (size + 66) // 67

    def state(self, now: float) -> str:
        """waiting, delivered or failed."""
        if now < self.due:
            return "waiting"
        return "delivered" if self.error is None else "failed"

    def told(self, now: float) -> dict[str, Any]:
        """The entry for a control call."""
        return {
            "at": iso(self.at),
            "vendor": self.vendor,
            "phone": self.phone,
            "sign": self.sign,
            "template": self.template,
            "text": self.text,
            "out_id": self.out_id,
            "vendor_id": self.vendor_id,
            "segments": self.segments,
            "state": self.state(now),
            "error": self.error,
        }


class Ledger:
    """All entries in the order they were taken. Written by the event loop alone."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_phone: dict[str, list[Entry]] = {}

    def add(self, entries: Iterable[Entry]) -> None:
        """Take them in."""
        for entry in entries:
            self._entries.append(entry)
            self._by_phone.setdefault(entry.phone, []).append(entry)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._by_phone.clear()

    def of(self, phone: str) -> list[Entry]:
        """What one number was sent, oldest first."""
        return self._by_phone.get(phone, [])

    def reached(self, vendor: str, phone: str) -> int:
        """How many messages of a vendor this number receives."""
        return sum(e.vendor == vendor and e.error is None for e in self.of(phone))

    def find(self, **wanted: str | None) -> Iterator[Entry]:
        """Entries by vendor, phone or out_id, newest first."""
        asked = {name: value for name, value in wanted.items() if value}
        entries = self.of(asked["phone"]) if "phone" in asked else self._entries
        for entry in reversed(entries):
            if all(getattr(entry, name) == value for name, value in asked.items()):
                yield entry

    def counts(self) -> dict[str, int]:
        """How many messages each number receives; numbers that receive none are absent."""
        return dict(Counter(e.phone for e in self._entries if e.error is None))

    def __len__(self) -> int:
        return len(self._entries)


def iso(at: float) -> str:
    """Unix seconds as a time in Shanghai."""
    return datetime.fromtimestamp(at, SHANGHAI).isoformat(timespec="milliseconds")


def wall(at: float) -> str:
    """Unix seconds as the vendors write them, without a zone."""
    return datetime.fromtimestamp(at, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
