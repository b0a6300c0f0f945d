"""Reading a list of numbers that was handed in as a file: it is fetched and read first, the database comes after."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from app import adapters, db, outbox
from app.adapters.storage import ObjectMissing
from app.ids import Ref
from app.messaging import list_file, recipient_lists
from app.outbox import Leased
from app.places import imports
from app.places.register_file import UnreadableFile
from workers.imports import HOLD_S, MAX_TRIES, stored
from workers.sheets import lines


def read(row: Leased) -> None:
    """Put the numbers of a file into its list, and remove the file."""
    ref = Ref(row.community_id, UUID(row.payload["list_id"]))
    with db.reading():
        waits = recipient_lists.is_reading(ref)
    if waits:
        _read(row, ref)
    discard(row)


def _read(row: Leased, ref: Ref) -> None:
    if row.attempts > MAX_TRIES:
        # Each try ended without a word: what this file does kills its worker.
        with db.transaction():
            recipient_lists.failed(ref, code="gave_up")
        return
    with db.transaction():
        outbox.hold(row, seconds=HOLD_S)
    try:
        sealed = stored(lambda: adapters.storage().get(imports.file_key(ref.id)))
        rows = list_file.read(lines(imports.unseal(sealed, ref.id)))
    except (UnreadableFile, ObjectMissing) as e:
        with db.transaction():
            recipient_lists.failed(ref, code=str(e) if isinstance(e, UnreadableFile) else "unreadable")
        return
    with db.transaction():
        recipient_lists.filled(ref, rows)


def discard(row: Leased) -> None:
    """Remove an uploaded file."""
    stored(partial(adapters.storage().delete, imports.file_key(UUID(row.payload["list_id"]))))
