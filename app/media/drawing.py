"""Draws a paper's pages anew, with boxes over what nobody is to read, in a process of its own: bytes in, bytes out.

A PDF may be anything, and a picture unpack to a gigabyte. So they are opened where nothing else runs, under a limit of
memory that the system keeps, and what comes out is pixels: no text layer, no EXIF, no attachment, no earlier version.

In: one line {"kind": "pdf" | a kind of picture, "boxes": [[page, x, y, width, height], …]}, then the file. Pages count
from 1, the rest is in 1/10,000 of the page's width and height. Out: for each page one line {"bytes", "width", "height"}
and its JPEG; at the end {"end": true}, or {"error": word}.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from PIL import Image, ImageDraw

from app.media import imaging
from app.media.imaging import Rendered

MEMORY = 1600 * 1024 * 1024  # of address space
EDGE = 2000  # pixels of the longer side: the small print of an invoice stays legible
MAX_PAGES = 20
WHOLE = 10_000
INK = 0x20

Box = Sequence[int]  # page, x, y, width, height


class NotDrawn(Exception):
    """The file can't be drawn; a stable word."""


def pages(data: bytes, kind: str, boxes: Sequence[Box]) -> Iterator[Rendered]:
    """The pages, one after the other. Raises NotDrawn."""
    if kind == "pdf":
        yield from _document(data, boxes)
        return
    try:
        picture = imaging.whole(data)
    except imaging.PhotoRefused as e:
        raise NotDrawn("unreadable") from e
    # Covered before it is made smaller, so that no pixel beside a box has a trace of what lies under it; and after,
    # so that the edge of the box is sharp again.
    covered = imaging.shrunk(_covered(picture, boxes, 1), EDGE)
    yield imaging.as_jpeg(_covered(covered, boxes, 1))


def _document(data: bytes, boxes: Sequence[Box]) -> Iterator[Rendered]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
        count = len(document)
        if count > MAX_PAGES:
            raise NotDrawn("too_many_pages")
        if count == 0:
            raise NotDrawn("unreadable")
        document.init_forms()  # what was filled into a form is part of the page
        for number in range(count):
            page = document[number]
            width, height = page.get_size()
            if not 1 <= max(width, height) <= 20_000 or min(width, height) <= 0:
                raise NotDrawn("unreadable")
            drawn = page.render(scale=EDGE / max(width, height)).to_pil().convert("RGB")
            yield imaging.as_jpeg(_covered(drawn, boxes, number + 1))
            page.close()
    except pypdfium2.PdfiumError as e:
        raise NotDrawn("password" if "assword" in str(e) else "unreadable") from e


def _covered(picture: Image.Image, boxes: Sequence[Box], page: int) -> Image.Image:
    """With the page's boxes painted over, each out to the next whole pixel."""
    draw = ImageDraw.Draw(picture)
    ink = INK if picture.mode == "L" else (INK, INK, INK)
    for of_page, x, y, width, height in boxes:
        if of_page == page:
            left, top = x * picture.width // WHOLE, y * picture.height // WHOLE
            right = -(-(x + width) * picture.width // WHOLE)
            bottom = -(-(y + height) * picture.height // WHOLE)
            draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), fill=ink)
    return picture


def main() -> int:
    """Reads standard input, writes the pages. A death without `end` is for the one who waits to understand."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = sys.stdout.buffer

    def say(**words: Any) -> None:
        out.write(orjson.dumps(words) + b"\n")

    head, _, data = sys.stdin.buffer.read().partition(b"\n")
    about = orjson.loads(head)
    try:
        for made in pages(data, about["kind"], about["boxes"]):
            say(bytes=len(made.data), width=made.width, height=made.height)
            out.write(made.data)
    except NotDrawn as e:
        say(error=str(e))
    except (MemoryError, OverflowError, ValueError):
        say(error="unreadable")
    else:
        say(end=True)
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
