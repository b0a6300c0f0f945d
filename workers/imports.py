"""Reading a register and writing it: the file is fetched and read first, the database comes after."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from uuid import UUID

from app import adapters, db, outbox
from app.adapters.storage import ObjectMissing, StorageUnavailable
from app.ids import Ref
from app.outbox import Leased
from app.places import import_sheets, imports, register_file
from app.places.register_file import Register, UnreadableFile
from app.places.registry_models import ImportState, RegistryImport
from workers.sheets import lines

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_TRIES = 5
HOLD_S = 120


class StorageAway(Exception):
    """The store doesn't answer: try again later."""


def preview(row: Leased) -> None:
    """Read a file and find what it would change."""
    ref, round_, imported = _waiting(row, ImportState.READING)
    if imported is None:
        return
    try:
        register = _read(row, imported)
    except UnreadableFile as e:
        with db.transaction():
            imports.failed(ref, round_=round_, code=str(e))
        return
    _hold(row)
    with db.reading():
        plan = imports.planned(imported, register)
    has_errors = bool(register.problems or plan.conflicts)
    if has_errors:
        sheet = imports.seal(import_sheets.error_sheet(register, plan.conflicts), ref.id)
        stored(lambda: adapters.storage().put(imports.errors_key(ref.id), sheet, "application/octet-stream"))
    with db.transaction():
        imports.previewed(ref, round_=round_, register=register, plan=plan, errors_kept=has_errors)


def apply(row: Leased) -> None:
    """Write what the preview showed."""
    ref, round_, imported = _waiting(row, ImportState.APPLYING)
    if imported is None:
        return
    try:
        register = _read(row, imported)
    except UnreadableFile as e:
        with db.transaction():
            imports.failed(ref, round_=round_, code=str(e))
        return
    _hold(row)
    with db.transaction():
        written = imports.write(ref, round_=round_, register=register)
    log.info("registry import %s: %s", ref.id, "written" if written else "to be looked at again")


def discard(row: Leased) -> None:
    """Remove an uploaded file and its error sheet."""
    ref = Ref(row.community_id, UUID(row.payload["import_id"]))
    for key in (imports.file_key(ref.id), imports.errors_key(ref.id)):
        stored(partial(adapters.storage().delete, key))
    with db.transaction():
        imports.discarded(ref)


def _waiting(row: Leased, state: ImportState) -> tuple[Ref, int, RegistryImport | None]:
    ref, round_ = Ref(row.community_id, UUID(row.payload["import_id"])), int(row.payload["round"])
    with db.reading():
        imported = imports.waiting(ref, state, round_=round_)
    if imported is not None and row.attempts > MAX_TRIES:
        # Each try ended without a word: what this file does kills its worker.
        with db.transaction():
            imports.failed(ref, round_=round_, code="gave_up")
        imported = None
    return ref, round_, imported


def _hold(row: Leased) -> None:
    with db.transaction():
        outbox.hold(row, seconds=HOLD_S)


def _read(row: Leased, imported: RegistryImport) -> Register:
    ref = Ref(imported.community_id, imported.id)
    _hold(row)
    try:
        sealed = stored(lambda: adapters.storage().get(imports.file_key(ref.id)))
    except ObjectMissing as e:
        raise UnreadableFile("unreadable") from e
    with db.reading():
        about = imports.reading_of(imported)

    def progress(done: int) -> None:
        with db.transaction():
            outbox.hold(row, seconds=HOLD_S)
            imports.progress(ref, done=done)

    return register_file.read(lines(imports.unseal(sealed, ref.id)), about, progress=progress)


def stored(call: Callable[[], T]) -> T:
    """What the store answers. Raises StorageAway, for the row to be tried again."""
    try:
        return call()
    except StorageUnavailable as e:
        raise StorageAway from e
