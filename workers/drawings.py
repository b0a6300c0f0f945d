"""Public files of vouchers: the paper is fetched, drawn anew in a process of its own, and the pages are stored."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import orjson

from app import adapters, db, outbox
from app.adapters.storage import ObjectMissing, StorageUnavailable
from app.ids import Ref
from app.outbox import Leased
from app.revenue import public_files, renderings
from app.revenue.public_files import page_key
from app.revenue.renderings import Page

TOP = Path(__file__).resolve().parent.parent
PATIENCE_S = 90.0  # twenty pages take 6 s on a machine at rest
HOLD_S = 150
MAX_TRIES = 5
# The drawer gets nothing of what the worker knows: no keys, no addresses.
_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT")


class StorageAway(Exception):
    """The store doesn't answer: try again later."""


class Undrawable(Exception):
    """The file can't be drawn; a stable word."""


class Drawn(NamedTuple):
    """A page as it is stored."""

    data: bytes
    width: int
    height: int


def draw(row: Leased) -> None:
    """Make the public file of a paper."""
    file, store_id = Ref(row.community_id, UUID(row.payload["file_id"])), UUID(row.payload["store_id"])
    with db.reading():
        wanted = renderings.wanted(file, store_id)
    if wanted is None:
        return
    if row.attempts > MAX_TRIES:
        # Each try ended without a word: what this file does kills its worker.
        with db.transaction():
            renderings.failed(file, store_id, "gave_up")
        return
    with db.transaction():
        outbox.hold(row, seconds=HOLD_S)
    try:
        stored = adapters.storage().get(wanted.paper.store_key)
        drawn = pages(wanted.paper.opened(stored), wanted.paper.kind, wanted.boxes)
        for number, page in enumerate(drawn, 1):
            adapters.storage().put(page_key(store_id, number), page.data, "image/jpeg")
    except StorageUnavailable as e:
        raise StorageAway from e
    except (ObjectMissing, Undrawable) as e:
        with db.transaction():
            renderings.failed(file, store_id, str(e) if isinstance(e, Undrawable) else "unreadable")
        return
    made = [Page(hashlib.sha256(page.data).digest(), page.width, page.height) for page in drawn]
    with db.transaction():
        if not renderings.made(file, store_id, made):
            # Meanwhile it is drawn with other boxes, or its draft is gone.
            public_files.discard(file.community_id, store_id)


def discard(row: Leased) -> None:
    """Remove the pages of a public file that is no longer shown."""
    try:
        for number in range(1, public_files.MAX_PAGES + 1):
            adapters.storage().delete(page_key(UUID(row.payload["store_id"]), number))
    except StorageUnavailable as e:
        raise StorageAway from e


def pages(data: bytes, kind: str, boxes: list[list[int]], *, patience_s: float = PATIENCE_S) -> list[Drawn]:
    """What `app.media.drawing` makes of the file. Raises Undrawable, also when the drawer dies or is too slow."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "app.media.drawing"],
            cwd=TOP,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            input=orjson.dumps({"kind": kind, "boxes": boxes}) + b"\n" + data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience_s,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise Undrawable("too_slow") from e
    drawn: list[Drawn] = []
    left = done.stdout
    while left:
        head, _, left = left.partition(b"\n")
        said = orjson.loads(head)
        if "error" in said:
            raise Undrawable(str(said["error"]))
        if "end" in said:
            return drawn
        drawn.append(Drawn(left[: said["bytes"]], said["width"], said["height"]))
        left = left[said["bytes"] :]
    raise Undrawable("unreadable")
