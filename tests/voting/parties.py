"""Who owns houses in tests of votes; apart from conftest.py, which Python loads twice, so that numbers stay unique."""

from __future__ import annotations

import itertools
from typing import Any

from app.places.identity import Party

_names = itertools.count(1)


def owner(name: str | None = None, **more: Any) -> Party:
    """Somebody to own houses: by her name and phone always the same one."""
    number = next(_names)
    return Party(name or f"业主{_chinese(number)}", more.pop("phone", f"138{number:08d}"), **more)


def company(name: str | None = None) -> Party:
    """A body to own houses: a developer, say."""
    number = next(_names)
    return Party(name or f"{_chinese(number)}置业有限公司", f"139{number:08d}")


def _chinese(number: int) -> str:
    return "".join("零一二三四五六七八九"[int(digit)] for digit in str(number))
