"""Invoices behind lines of the demonstration's books: drawn, handed in sealed, and their public files made at once."""

from __future__ import annotations

import hashlib
import io
import random
from typing import TYPE_CHECKING
from uuid import UUID

from PIL import Image, ImageDraw

from app import db, ids
from app.ids import Ref
from app.media import drawing, papers
from app.media.models import OwnerKind
from app.people.scopes import StaffActor
from app.revenue import public_files, renderings
from app.revenue.money import yuan
from app.revenue.renderings import Page

if TYPE_CHECKING:
    from tools.demo.stage import Album

SIZE = (1240, 874)  # half of an A4 page at 150 dots an inch, as invoices are printed
INK, RED, PAPER = (46, 58, 120), (190, 46, 46), (250, 247, 238)
WHO = (1, 700, 1900, 4300, 1150)
"""Where the payee's name, phone and account stand: page, x, y, width, height in 1/10,000."""


def invoice(amount_fen: int, number: int) -> bytes:
    """A scan of an invoice over that amount; the same number is the same scan."""
    rng = random.Random(f"invoice {number}")
    page = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(page)
    width, height = SIZE
    draw.text((width * 0.36, height * 0.05), "INVOICE", fill=INK, font_size=54)
    draw.text((width * 0.70, height * 0.06), f"No. {number:08d}", fill=RED, font_size=34)
    # Who is paid, in digits that mean nobody: what a clerk covers before anybody else sees it.
    for row in range(3):
        digits = " ".join(str(rng.randrange(1000, 10_000)) for _ in range(4))
        draw.text((width * 0.08, height * (0.20 + row * 0.035)), digits, fill=INK, font_size=28)
    left, top, right, bottom = width * 0.06, height * 0.36, width * 0.94, height * 0.86
    draw.rectangle((left, top, right, bottom), outline=INK, width=3)
    for row in range(1, 6):
        y = top + (bottom - top) * row / 6
        draw.line((left, y, right, y), fill=INK, width=1)
        draw.line((left + 20, y - 24, left + rng.randint(220, 420), y - 24), fill=INK, width=6)
    draw.line((width * 0.66, top, width * 0.66, bottom), fill=INK, width=1)
    draw.text((width * 0.69, bottom - 58), f"CNY {yuan(amount_fen)}", fill=INK, font_size=36)
    draw.ellipse((width * 0.70, height * 0.62, width * 0.90, height * 0.80), outline=RED, width=7)
    turned = page.rotate(rng.uniform(-0.6, 0.6), fillcolor=PAPER)
    out = io.BytesIO()
    turned.save(out, "JPEG", quality=82)
    return out.getvalue()


def hand_in(album: Album, clerk: StaffActor, scan: bytes) -> UUID:
    """Upload a scan, as the clerk; the paper waits to be attached to a draft."""
    paper_id = ids.new_id()
    album.keep(papers.key(paper_id), papers.seal(scan, paper_id), "application/octet-stream")
    papers.receive(
        paper_id=paper_id,
        owner_id=clerk.id,
        owner_kind=OwnerKind.STAFF,
        kind="jpeg",
        size_bytes=len(scan),
        sha256=hashlib.sha256(scan).digest(),
    )
    db.session().flush()  # it is looked for when it is attached
    return paper_id


def publish(album: Album, draft: Ref, paper_id: UUID, scan: bytes, clerk: StaffActor) -> None:
    """Cover who is paid, and draw the public file as a worker would: the period is published next."""
    row = renderings.cover_draft(draft, paper_id, boxes=[WHO], acting_user=clerk)
    db.session().flush()
    pages = []
    for number, made in enumerate(drawing.pages(scan, "jpeg", row.boxes), 1):
        album.keep(public_files.page_key(row.store_id, number), made.data, "image/jpeg")
        pages.append(Page(hashlib.sha256(made.data).digest(), made.width, made.height))
    renderings.made(Ref(row.community_id, row.file_id), row.store_id, pages)
