"""How long a text message is and into how many parts it is cut, which is what it costs.

Alibaba, "SMS length and billing": the signature with its 【】 counts; every character counts one, Chinese or not; up to
70 are one part, longer ones are cut into parts of 67. Tencent counts the same way.
"""

from __future__ import annotations

ONE_PART = 70
EACH_PART = 67


def length(sign: str, text: str) -> int:
    """Characters as a phone counts them: UTF-16 units, so one outside the BMP (a rare character, an emoji) is two."""
    return _units(sign) + 2 + _units(text)


def segments(sign: str, text: str) -> int:
    """Parts that are billed for `text` (parameters filled in) under `sign` (without its 【】); at least 1."""
    units = length(sign, text)
    return 1 if units <= ONE_PART else -(-units // EACH_PART)


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text) + sum(ch > "\uffff" for ch in text)
