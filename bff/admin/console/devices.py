"""What somebody logged in with, in words: a browser says it in a line that no clerk reads."""

from __future__ import annotations

# The first that is in it: browsers also name those before them, and Android calls itself Linux.
BROWSERS = (
    ("MicroMessenger", "微信"),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "安卓"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)
LONGEST = 40


def named(client: str | None) -> tuple[str, ...]:
    """Browser and system of a User-Agent, as far as they are known; else the beginning of what it says."""
    said = client or ""
    found = tuple(next((name for mark, name in names if mark in said), "") for names in (BROWSERS, SYSTEMS))
    return tuple(name for name in found if name) or ((said[:LONGEST],) if said else ("未知设备",))
