"""Restores a backup into an empty place, and looks at everything before it says that it is done."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from app import adapters, boot
from app.adapters.storage import StorageUnavailable
from tools.backup import keys, manifest, place, recount
from tools.backup.make import Step, count_rows, run_client, tables
from tools.backup.manifest import DATABASE, LIST, BackupError, Entry, Manifest, sha256_of
from tools.backup.place import Place
from tools.processes import write_private

TOP = Path(__file__).resolve().parent.parent.parent


def check(source: Path, apart: Path | None, *, step: Step) -> Manifest:
    """Is the backup whole, and are these its keys? Changes nothing. Raises BackupError."""
    held = manifest.read(source)
    environment = keys.for_restore(apart)
    keys.require_the_right_ones(held, environment)
    step("manifest", _said(lambda: manifest.require_authentic(source, _hash_key(environment)), "unchanged"))
    step("database file", lambda: _whole_database(source, held))
    step("files", lambda: _whole_files(source, held))
    return held


def restore(source: Path, apart: Path | None, *, step: Step) -> Manifest:
    """Restore into the empty place that the environment names, or that `make run` will use. Raises BackupError."""
    source = source.resolve()
    held = check(source, apart, step=step)
    _require_known(held)
    environment = keys.for_restore(apart)
    if not place.is_own():
        _require_no_other_keys(held)
    with place.to_fill(environment) as there:
        boot(there.settings)
        step("an empty place", lambda: _require_empty(there, held))
        step("database", lambda: _restore_database(source, there))
        step("files back", lambda: _restore_files(source))
        step("rows", lambda: _same_rows(there, held))
        absent = frozenset(held.absent)
        step("stored files", lambda: recount.files(manifest.entries(source), absent))
        step("sealed data", recount.sealed)
        step("ballot logs", recount.logs)
        step("results", recount.results)
        if there.embedded:
            settings = place.settings_file()
            if not settings.exists():
                write_private(settings, "".join(f"{name}={value}\n" for name, value in environment.items()))
    return held


def _said(do: Callable[[], None], word: str) -> Callable[[], str]:
    def run() -> str:
        do()
        return word

    return run


def _hash_key(environment: dict[str, str]) -> bytes:
    return base64.b64decode(environment["HASH_KEY"])


def _whole_database(source: Path, held: Manifest) -> str:
    try:
        if sha256_of(source / DATABASE) != held.database_sha256:
            raise BackupError(f"{source / DATABASE} is damaged: its SHA-256 isn't the manifest's.")
        if sha256_of(source / LIST) != held.list_sha256:
            raise BackupError(f"{source / LIST} is damaged: its SHA-256 isn't the manifest's.")
    except OSError as error:
        raise BackupError(f"{error.filename} can't be read: {error.strerror}.") from error
    return f"{held.database_bytes // 1024} KiB"


def _whole_files(source: Path, held: Manifest) -> str:
    count = 0
    for entry in manifest.entries(source):
        _read(source, entry)
        count += 1
    if count != held.files:
        raise BackupError(f"{source / LIST} names {count} files, and the manifest {held.files}.")
    return f"{count} files"


def _read(source: Path, entry: Entry) -> bytes:
    path = source / entry.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BackupError(f"{path} can't be read: {error.strerror}.") from error
    if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BackupError(f"{path} is damaged: its SHA-256 isn't the manifest's.")
    return data


def _require_known(held: Manifest) -> None:
    config = Config()
    config.set_main_option("script_location", str(TOP / "migrations"))
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    if held.migration not in known:
        raise BackupError(
            f"This backup is of a newer version (migration {held.migration}): restore it with that version."
        )


def _require_no_other_keys(held: Manifest) -> None:
    """What `make run` finds in var/ holds at its next start; other keys there would open nothing."""
    from tools import development

    path = place.settings_file()
    if path.exists():
        try:
            keys.require_the_right_ones(held, development.secrets_of(path))
        except BackupError as error:
            raise BackupError(f"{path} holds other keys than the backup's: this place isn't new.") from error


def _require_empty(there: Place, held: Manifest) -> str:
    with there.connect() as connection:
        if found := tables(connection):
            raise BackupError(
                f"The database isn't empty: it has {len(found)} tables. A restore never overwrites anything."
            )
        known = {str(name) for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    if missing := [name for name in held.roles if name not in known]:
        raise BackupError(
            f"The database server lacks the roles {', '.join(missing)}: make them first (docs/guide/operating.md)."
        )
    try:
        if not adapters.storage().is_empty():
            raise BackupError("The store of the photos isn't empty. A restore never overwrites anything.")
    except StorageUnavailable as error:
        raise BackupError(f"The store of the photos can't be used: {error}.") from error
    return "it is"


def _restore_database(source: Path, there: Place) -> str:
    run_client(
        there.owner,
        "pg_restore",
        *("--no-owner", "--exit-on-error", "--single-transaction", str(source / DATABASE)),
        failed="The database could not be restored, and is empty as before",
    )
    with there.connect() as connection:
        connection.autocommit = True
        connection.execute("ANALYZE")  # a planner without statistics would make the first hours slow
    return "whole"


def _restore_files(source: Path) -> str:
    count = 0
    for entry in manifest.entries(source):
        picture = entry.key.endswith(".jpg")
        try:
            adapters.storage().put(
                entry.key, _read(source, entry), "image/jpeg" if picture else "application/octet-stream"
            )
        except StorageUnavailable as error:
            raise BackupError(
                f"The store of the photos failed after {count} files ({error}). The place is half filled: empty "
                "database and store, and restore again."
            ) from error
        count += 1
    return f"{count} files"


def _same_rows(there: Place, held: Manifest) -> str:
    with there.connect() as connection:
        found = count_rows(connection, tables(connection))
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None or row[0] != held.migration:
        raise BackupError("The restored database is of another version than the manifest says.")
    if found != held.rows:
        differing = sorted(
            name for name in found.keys() | held.rows if found.get(name) != held.rows.get(name)
        )
        raise BackupError(
            f"The restored database has other rows than the manifest says: {', '.join(differing)}."
        )
    return f"{sum(found.values())} in {len(found)} tables"
