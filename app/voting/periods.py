"""The minimum periods of the law and of the estate's rules: notice, window, postings."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from app import clock
from app.voting.errors import BadWindow, NoticeTooShort, TimesMissing
from app.voting.rules import Rules

# The roll is frozen so long before the opening: what stands in it can still be read, and the opening is on time.
FREEZE_LEAD = timedelta(minutes=30)

_lawful = True


def configure(which: str) -> None:
    """`lawful`, or `any` for a demonstration (called once by `app.boot`)."""
    global _lawful
    _lawful = which == "lawful"


def are_lawful() -> bool:
    """Do the minimum periods hold in this installation?"""
    return _lawful


def end_of_day(after: datetime, days: int) -> datetime:
    """Midnight (Asia/Shanghai) that ends the last of so many whole days after that moment's own day."""
    day = clock.in_shanghai(after).date() + timedelta(days=days + 1)
    return datetime.combine(day, time.min, clock.SHANGHAI)


def check_window(rules: Rules, *, now: datetime, opens_at: datetime, closes_at: datetime) -> None:
    """Raises TimesMissing (in the past, or ends before it begins), NoticeTooShort, BadWindow."""
    if closes_at <= opens_at or opens_at <= now:
        raise TimesMissing(errors={"opens_at": [(TimesMissing.zh, TimesMissing.en)]})
    if not _lawful:
        return
    notice = clock.in_shanghai(opens_at).date() - clock.in_shanghai(now).date()
    if notice < timedelta(days=rules.notice_days):
        raise NoticeTooShort(days=rules.notice_days)
    length = closes_at - opens_at
    if not timedelta(days=rules.window_days_min) <= length <= timedelta(days=rules.window_days_max):
        raise BadWindow(least=rules.window_days_min, most=rules.window_days_max)


def objections_until(rules: Rules, *, now: datetime, opens_at: datetime) -> datetime:
    """Until when owners object to the roll: so many days from the announcement, and always before the freeze."""
    return min(end_of_day(now, rules.roll_objection_days), opens_at - FREEZE_LEAD)
