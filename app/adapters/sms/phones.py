"""Numbers of the mainland, however a vendor writes them."""

from __future__ import annotations

import re

# Tencent writes +86…, 86… or 0086…, Alibaba the bare number.
_MAINLAND = re.compile(r"(?:\+86|0086|86)?(1[0-9]{10})")


def mainland(text: object) -> str | None:
    """The 11 digits, or None for anything that is no mobile number of the mainland."""
    if not isinstance(text, str) or len(text) > 20 or not text.isascii():
        return None
    found = _MAINLAND.fullmatch(text)
    return found.group(1) if found else None
