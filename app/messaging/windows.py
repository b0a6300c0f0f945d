"""When text messages may leave: between two hours in Shanghai, every day; emergencies at any hour.

通信短信息服务管理规定 and the carriers' rules name 08:00 to 21:00; `SMS_WINDOW` says otherwise for benches.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from app import clock
from app.messaging.sms_models import TemplateKind

ALWAYS = (time(0), time.max)

_window: tuple[time, time] = (time(8), time(21))


def configure(window: tuple[time, time]) -> None:
    """From when until when (called once by `app.boot`)."""
    global _window
    _window = window


def is_open(at: datetime, *, kind: str | None = None) -> bool:
    """May a message of this kind leave at that moment?"""
    first, end = _window
    return kind == TemplateKind.EMERGENCY or first <= clock.in_shanghai(at).time() < end


def next_open(at: datetime, *, kind: str | None = None) -> datetime:
    """That moment, or the next opening after it."""
    if is_open(at, kind=kind):
        return at
    here = clock.in_shanghai(at)
    opening = datetime.combine(here.date(), _window[0], tzinfo=here.tzinfo)
    return opening if opening > here else opening + timedelta(days=1)
