"""The words of the screens: Chinese as written in templates, English where the reader has chosen it.

Data (names of places, classes and organisations, what people wrote) is shown as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from flask import g, request

from bff.admin.console.english import ENGLISH

COOKIE = "jiayuan_language"


def language() -> str:
    """`zh`, or `en` when the reader has switched. A page asks hundreds of times: looked up once."""
    if "language" not in g:
        g.language = "en" if request.cookies.get(COOKIE) == "en" else "zh"
    found: str = g.language
    return found


def say(chinese: str) -> str:
    """These words in the reader's language."""
    return ENGLISH.get(chinese, chinese) if language() == "en" else chinese


def for_scripts() -> dict[str, str]:
    """What the pages' scripts say, in the reader's language; nothing for Chinese, in which they are written."""
    return (
        {text: ENGLISH[text] for text in said_by_scripts() if text in ENGLISH} if language() == "en" else {}
    )


@lru_cache
def said_by_scripts() -> frozenset[str]:
    """The words in `say("…")` of our scripts."""
    folder = Path(__file__).parent / "static"
    texts = (path.read_text(encoding="utf-8") for path in folder.glob("*.js"))
    return frozenset(one for text in texts for one in re.findall(r'"([^"\n]*[\u4e00-\u9fff][^"\n]*)"', text))
