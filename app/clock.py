"""The one clock: aware UTC inside, Asia/Shanghai on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """The present, aware, in UTC. Tests move it by patching this function."""
    return datetime.now(UTC)


def ahead() -> timedelta:
    """How far this clock is ahead of the database's: nothing. Tests that move `now` move this as well, so that what
    the database's own clock decides (the deadline of a ballot) moves with it.
    """
    return timedelta()


_CLOCKS_APART, _LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=30)


def made_ahead() -> dict[str, datetime]:
    """`now`; `soon`: what was written after it was written by a clock that was ahead; `long`: nobody waits or leases
    until later, unless by such a clock. For finding what that clock put off.
    """
    at = now()
    return {"now": at, "soon": at + _CLOCKS_APART, "long": at + _LONGEST_WAIT}


def in_shanghai(at: datetime) -> datetime:
    """The same instant on the wall clock of Asia/Shanghai (+08:00, no daylight saving)."""
    return at.astimezone(SHANGHAI)


def rfc3339(at: datetime) -> str:
    """The instant as the contract writes it: `2026-11-21T09:30:00+08:00`, whole seconds."""
    return in_shanghai(at).isoformat(timespec="seconds")


def from_timestamp(seconds: int) -> datetime:
    """The instant of a Unix time."""
    return datetime.fromtimestamp(seconds, UTC)
