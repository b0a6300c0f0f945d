"""Seals all personal data anew under the newest of `DATA_KEYS`: `python -m tools.rekey`.

Before: every process runs with both keys (`DATA_KEYS="1:…,2:…"`). The house goes on working meanwhile. When it was
killed, run it again: it goes on where it stopped. Afterwards `--check` says whether anything needs an older key still;
only then may that key be taken away. Ends with 0 when nothing does, with 1 when something does, with 2 when the
settings can't be read.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import NamedTuple

from app import adapters, boot, crypto, db, rekey
from app.adapters.storage import ObjectMissing, StorageUnavailable
from app.settings import Settings, SettingsError

BATCH = 500  # rows of one transaction: a lock on them lasts some tens of milliseconds


def main(arguments: list[str] | None = None) -> int:
    """0 when everything lies under the newest key."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only count what needs an older key")
    parser.add_argument("--batch", type=int, default=BATCH, metavar="ROWS")
    asked = parser.parse_args(arguments)
    try:
        boot(Settings.from_env())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        if not asked.check:
            seal_all(batch=asked.batch)
        return report()
    except crypto.Undecryptable as error:
        print(
            f"no key of DATA_KEYS opens a value ({error.args[0].partition(':')[0]}); nothing of it was changed",
            file=sys.stderr,
        )
        return 1


def seal_all(*, batch: int = BATCH) -> None:
    """Go through every table and every kept file; a line for each that had something."""
    for sealed in rekey.sealed_tables():
        began, rows = time.monotonic(), 0
        # Rows that were locked are passed over; they come with the next pass.
        while done := _pass(sealed, batch):
            rows += done
        if rows:
            with db.transaction():
                rekey.record(sealed, rows=rows)
            print(f"{sealed.table.name}: {rows} rows in {time.monotonic() - began:.1f} s", flush=True)
    files = sum(_seal_file(key, context) for key, context in _kept_files().items())
    if files:
        print(f"files in the store: {files}", flush=True)


def _pass(sealed: rekey.SealedTable, batch: int) -> int:
    rows, after = 0, None
    while True:

        def one(after: tuple[object, ...] | None = after) -> rekey.Page:
            with db.transaction():
                return rekey.page(sealed, after=after, limit=batch)

        done = db.retrying(one)
        if done.last is None:
            return rows
        rows, after = rows + done.sealed, done.last


def _kept_files() -> dict[str, str]:
    with db.reading():
        return rekey.kept_files()


def _seal_file(key: str, context: str) -> bool:
    ring = crypto.keys()
    try:
        stored = adapters.storage().get(key)
    except ObjectMissing:
        return False
    if stored.startswith(ring.newest_prefix):
        return False
    adapters.storage().put(
        key, ring.encrypt(ring.decrypt(stored, context), context), "application/octet-stream"
    )
    if key not in _kept_files():  # applied and thrown away meanwhile
        adapters.storage().delete(key)
    return True


def report() -> int:
    """Print what still needs an older key, and the kept files that can't be read; 1 when there is anything."""
    with db.reading():
        counts = {sealed.table.name: rekey.left(sealed) for sealed in rekey.sealed_tables()}
        counts |= dict(rekey.fixed_values())
    for name, rows in counts.items():
        if rows:
            print(f"{name}: {rows} rows need an older key")
    files = _files_left()
    if files.older:
        print(f"files in the store: {files.older} need an older key")
    if files.unread:
        print(f"files in the store: {files.unread} could not be read; nobody knows which key they need")
    newest = crypto.keys().versions[-1]
    if any(counts.values()) or files.older:
        print("an older key is still needed")
    elif files.unread:
        print("an older key may still be needed")
    else:
        print(f"everything lies under key {newest}")
        return 0
    return 1


class FilesLeft(NamedTuple):
    """Kept files that lie under an older key, and those that the store doesn't give."""

    older: int
    unread: int


def _files_left() -> FilesLeft:
    older = unread = 0
    for key in _kept_files():
        try:
            stored = adapters.storage().get(key)
        except (ObjectMissing, StorageUnavailable):
            unread += key in _kept_files()  # not what was thrown away meanwhile
        else:
            older += not stored.startswith(crypto.keys().newest_prefix)
    return FilesLeft(older, unread)


if __name__ == "__main__":
    raise SystemExit(main())
