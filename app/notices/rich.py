"""The four marks that a notice's plain text may carry, read into what a screen shows.

A line that begins with `# ` is a heading, one with `- ` a point of a list, `**…**` is strong, and an address that
begins with http(s):// is a link. Whatever else stands there stays as it was written: a screen that knows none of this
shows the text and loses nothing. There is no way to write anything that a browser would run.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HEADING = re.compile(r"#{1,3} +(?=\S)")
_POINT = re.compile(r"[-*•] +(?=\S)")
_STRONG = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
_LINK = re.compile(r"https?://[A-Za-z0-9\-._~:/?#@!$&'*+=%;]+[A-Za-z0-9/_=\-]")


class Span(NamedTuple):
    """Words of one look."""

    text: str
    strong: bool = False
    link: bool = False


class Block(NamedTuple):
    """heading | paragraph | list, with its lines (of a list: its points)."""

    kind: str
    lines: list[list[Span]]


def _line(raw: str) -> tuple[str, str]:
    line = raw.strip()
    for kind, mark in (("heading", _HEADING), ("list", _POINT)):
        found = mark.match(line)
        if found is not None:
            return kind, line[found.end() :]
    return "paragraph", line


def _links(text: str, *, strong: bool) -> list[Span]:
    spans, at = [], 0
    for found in _LINK.finditer(text):
        spans += [Span(text[at : found.start()], strong), Span(found[0], strong, link=True)]
        at = found.end()
    return [span for span in (*spans, Span(text[at:], strong)) if span.text]


def _spans(text: str) -> list[Span]:
    spans, at = [], 0
    for found in _STRONG.finditer(text):
        spans += _links(text[at : found.start()], strong=False) + _links(found[1], strong=True)
        at = found.end()
    return spans + _links(text[at:], strong=False)


def blocks(text: str) -> list[Block]:
    """The text as its screen shows it; a heading stands alone, an empty line ends what came before."""
    found: list[Block] = []
    is_open = False
    for raw in text.splitlines():
        kind, line = _line(raw)
        if not line:
            is_open = False
            continue
        if is_open and kind != "heading" and found[-1].kind == kind:
            found[-1].lines.append(_spans(line))
        else:
            found.append(Block(kind, [_spans(line)]))
        is_open = kind != "heading"
    return found


def words(text: str) -> str:
    """The text without its marks, in one line: for the list."""
    return " ".join("".join(span.text for span in line) for block in blocks(text) for line in block.lines)
