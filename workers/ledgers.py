"""Reading a property office's ledger and entering it: the file is fetched and read first, the database comes after."""

from __future__ import annotations

import logging
from functools import partial
from uuid import UUID

from app import adapters, db, outbox
from app.adapters.storage import ObjectMissing
from app.ids import Ref
from app.outbox import Leased
from app.places import imports, queries
from app.places.import_sheets import error_sheet
from app.places.register_file import UnreadableFile
from app.revenue import ledger_file, ledger_imports
from app.revenue.import_models import LedgerState, RevenueImport
from app.revenue.ledger_file import LedgerFile
from app.revenue.words import reason
from workers.imports import HOLD_S, MAX_TRIES, stored
from workers.sheets import lines

log = logging.getLogger(__name__)


def preview(row: Leased) -> None:
    """Read a file and find what it would enter."""
    ref, round_, imported = _waiting(row, LedgerState.READING)
    if imported is None:
        return
    file = _read(row, imported)
    if file is None:
        return
    with db.reading():
        plan = ledger_imports.planned(imported, file)
    if file.problems:
        sheet = imports.seal(error_sheet(file, (), say=_said), ref.id)
        key = imports.errors_key(ref.id)
        stored(lambda: adapters.storage().put(key, sheet, "application/octet-stream"))
    with db.transaction():
        ledger_imports.previewed(ref, round_=round_, file=file, plan=plan, errors_kept=bool(file.problems))


def _said(code: str, _: int | None) -> str:
    return reason(code)


def apply(row: Leased) -> None:
    """Enter what the preview showed."""
    ref, round_, imported = _waiting(row, LedgerState.APPLYING)
    if imported is None:
        return
    file = _read(row, imported)
    if file is None:
        return
    with db.transaction():
        written = ledger_imports.write(ref, round_=round_, file=file)
    log.info("ledger import %s: %s", ref.id, "entered" if written else "to be looked at again")


def discard(row: Leased) -> None:
    """Remove an uploaded file and its error sheet."""
    ref = Ref(row.community_id, UUID(row.payload["import_id"]))
    for key in (imports.file_key(ref.id), imports.errors_key(ref.id)):
        stored(partial(adapters.storage().delete, key))
    with db.transaction():
        ledger_imports.discarded(ref)


def _waiting(row: Leased, state: LedgerState) -> tuple[Ref, int, RevenueImport | None]:
    ref, round_ = Ref(row.community_id, UUID(row.payload["import_id"])), int(row.payload["round"])
    with db.reading():
        imported = ledger_imports.waiting(ref, state, round_=round_)
    if imported is not None and row.attempts > MAX_TRIES:
        # Each try ended without a word: what this file does kills its worker.
        with db.transaction():
            ledger_imports.failed(ref, round_=round_, code="gave_up")
        imported = None
    return ref, round_, imported


def _read(row: Leased, imported: RevenueImport) -> LedgerFile | None:
    """The file as it was read; None, and the import failed, when it can't be."""
    ref = Ref(imported.community_id, imported.id)
    with db.transaction():
        outbox.hold(row, seconds=HOLD_S)

    def progress(done: int) -> None:
        with db.transaction():
            outbox.hold(row, seconds=HOLD_S)
            ledger_imports.progress(ref, done=done)

    try:
        sealed = stored(lambda: adapters.storage().get(imports.file_key(ref.id)))
        data = imports.unseal(sealed, ref.id)
        return ledger_file.read(lines(data), imported.mapping, queries.today(), progress=progress)
    except (UnreadableFile, ObjectMissing) as e:
        code = str(e) if isinstance(e, UnreadableFile) else "unreadable"
        with db.transaction():
            ledger_imports.failed(ref, round_=imported.round, code=code)
        return None
