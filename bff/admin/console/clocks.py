"""Times as a clerk reads them: the moment in Shanghai, and how long is left of a limit."""

from __future__ import annotations

from datetime import datetime, timedelta

from app import clock
from bff.admin.console.words import language, say


def moment(at: str | datetime | None) -> str:
    """`11月22日 15:04`, with the year when it is another one; nothing for none."""
    if at is None:
        return ""
    there = clock.in_shanghai(datetime.fromisoformat(at) if isinstance(at, str) else at)
    if language() == "en":
        return f"{there:%Y-%m-%d %H:%M}"
    year = "" if there.year == clock.in_shanghai(clock.now()).year else f"{there.year}年"
    return f"{year}{there.month}月{there.day}日 {there:%H:%M}"


def deadline(at: str | datetime | None) -> str:
    """The moment of a limit: a day ends at 24:00, which people don't take for the day after."""
    if at is None:
        return ""
    there = clock.in_shanghai(datetime.fromisoformat(at) if isinstance(at, str) else at)
    if there.hour == there.minute == 0:
        before = there - timedelta(minutes=1)
        if language() == "en":
            return f"{before:%Y-%m-%d} 24:00"
        return f"{before.month}月{before.day}日 24:00"
    return moment(there)


def left(due: str | datetime | None) -> str:
    """How long until a limit, or how long it is past. The page's script counts on from there in the same words."""
    if due is None:
        return ""
    until = datetime.fromisoformat(due) if isinstance(due, str) else due
    seconds = int((until - clock.now()).total_seconds())
    minutes = abs(seconds) // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        long = f"{days}{say('天')}{hours}{say('小时')}"
    elif hours:
        long = f"{hours}{say('小时')}{minutes % 60}{say('分')}"
    else:
        long = f"{minutes}{say('分')}"
    return f"{say('超时')} {long}" if seconds < 0 else f"{say('还剩')} {long}"


def urgency(due: str | datetime | None) -> str:
    """late | soon (less than two hours) | calm, for the colour."""
    if due is None:
        return "calm"
    until = datetime.fromisoformat(due) if isinstance(due, str) else due
    seconds = (until - clock.now()).total_seconds()
    return "late" if seconds < 0 else "soon" if seconds < 7200 else "calm"
