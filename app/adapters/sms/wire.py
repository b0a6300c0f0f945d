"""Single values as vendors write them: None for anything of another type, never an exception."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from app.clock import SHANGHAI

# Longer than any field the vendors describe; a reply is at most a long SMS.
LONGEST = 1000
# A text of 500 characters makes eight.
MOST_PARTS = 99


def text(value: object) -> str | None:
    """A text that a database takes: not empty, not endless, no NUL and no half of a surrogate pair."""
    if not isinstance(value, str) or not value or len(value) > LONGEST or "\x00" in value:
        return None
    return value if value.isascii() or not any("\ud800" <= ch <= "\udfff" for ch in value) else None


def count(value: object) -> int | None:
    """A whole number from 0 on, given as a number or as its digits."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 9:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
        return value
    return None


def parts(value: object) -> int | None:
    """Into how many parts a message was cut; None for none, and for more than any text makes."""
    found = count(value)
    return found if found is not None and 0 < found <= MOST_PARTS else None


def shanghai_time(value: object) -> datetime | None:
    """`2026-01-01 10:00:00`, which the vendors write in Beijing time without saying so."""
    if not isinstance(value, str) or len(value) != 19 or value[10] != " ":
        return None
    return _read(value)


@lru_cache(maxsize=4096)  # a push tells many of the same second
def _read(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=SHANGHAI)
    except ValueError:
        return None


def unix_time(value: object) -> datetime | None:
    """Seconds since 1970, within the years 2000 to 2100."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 946684800 <= value < 4102444800:
        return None
    return datetime.fromtimestamp(value, UTC)
