"""Makes a backup: the database and the files that its rows name, as of one moment, while everything goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from app import adapters, boot, clock, db, stored_files
from app.adapters.storage import ObjectMissing, StorageUnavailable
from tools.backup import keys, place
from tools.backup.manifest import (
    DATABASE,
    FORMAT,
    LIST,
    BackupError,
    Entry,
    Manifest,
    key_words,
    new_folder,
    sha256_of,
    write_durably,
)
from tools.backup.place import Place
from tools.postgres_server import find_postgres
from tools.processes import ServerError

Step = Callable[[str, Callable[[], str]], None]

SPARE = 1.2  # room on the disk, as a multiple of what the database takes: its dump is compressed


def make(to: Path, apart: Path | None, *, step: Step) -> Manifest:
    """Back the installation up into the new folder `to`, its keys into the new folder `apart`. Raises BackupError.

    What fails on the way leaves a folder without a manifest, which no restore takes.
    """
    to = to.resolve()
    if apart is not None:
        apart = apart.resolve()
        if to == apart or to in apart.parents or apart in to.parents:
            raise BackupError("The keys go to another place than the data: TO and KEYS must lie apart.")
    with place.to_back_up() as here:
        boot(here.settings)
        new_folder(to, "a backup")
        if apart is not None:
            step("keys", lambda: _keys(apart, here))
        return _Work(here, to).run(step)


def _keys(apart: Path, here: Place) -> str:
    keys.write(apart, here.environment)
    return str(apart)


class _Work:
    """One backup under way."""

    def __init__(self, here: Place, to: Path) -> None:
        self.here, self.to = here, to
        self.held: dict[str, Entry] = {}
        self.absent: set[str] = set()

    def run(self, step: Step) -> Manifest:
        began = clock.now()
        # Files that are thrown away while the database is read are copied before; those that came meanwhile, after.
        step("files", lambda: self._copy(_named_now()))
        with self.here.connect() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            snapshot = str(_one(connection, "SELECT pg_export_snapshot()"))
            at = clock.now()
            self._require_room(int(str(_one(connection, "SELECT pg_database_size(current_database())"))))
            step("database", lambda: self._dump(snapshot))
            rows = _rows(connection)
            migration = str(_one(connection, "SELECT version_num FROM alembic_version"))
            version = str(_one(connection, "SHOW server_version"))
            roles = _roles(connection)
            named = _named_in(snapshot)
        step("files since then", lambda: self._copy(named))
        write_durably(self.to / LIST, b"".join(_line(self.held[key]) for key in sorted(self.held)))
        manifest = Manifest(
            format=FORMAT,
            began_at=clock.rfc3339(began),
            snapshot_at=clock.rfc3339(at),
            finished_at=clock.rfc3339(clock.now()),
            migration=migration,
            postgres=version,
            roles=roles,
            database_sha256=sha256_of(self.to / DATABASE),
            database_bytes=(self.to / DATABASE).stat().st_size,
            rows=rows,
            list_sha256=sha256_of(self.to / LIST),
            files=len(self.held),
            files_bytes=sum(entry.bytes for entry in self.held.values()),
            absent=sorted(self.absent & named),
            keys=key_words(self.here.environment),
        )
        manifest.write(self.to, self.here.settings.hash_key)
        return manifest

    def _copy(self, wanted: Collection[str]) -> str:
        storage = adapters.storage()
        for key in sorted(set(wanted) - self.held.keys()):
            try:
                data = storage.get(key)
            except ObjectMissing:
                self.absent.add(key)
                continue
            except StorageUnavailable as error:
                raise BackupError(f"The photos can't be read: {error}.") from error
            entry = Entry(key, len(data), hashlib.sha256(data).hexdigest())
            target = self.to / entry.path
            try:
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_durably(target, data)
            except OSError as error:
                raise BackupError(f"{target.parent} can't be written: {error.strerror}.") from error
            self.held[key] = entry
            self.absent.discard(key)
        return f"{len(self.held)} files"

    def _require_room(self, database_bytes: int) -> None:
        free = shutil.disk_usage(self.to).free
        if free < SPARE * database_bytes:
            raise BackupError(
                f"The disk of {self.to} has {free // 2**20} MiB left, and the database takes "
                f"{database_bytes // 2**20} MiB."
            )

    def _dump(self, snapshot: str) -> str:
        run_client(
            self.here.owner,
            "pg_dump",
            *("--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={self.to / DATABASE}"),
            failed="The database could not be dumped",
        )
        (self.to / DATABASE).chmod(0o600)
        return f"{(self.to / DATABASE).stat().st_size // 1024} KiB"


def run_client(url: str, program: str, *arguments: str, failed: str) -> None:
    """Run pg_dump or pg_restore on the database at `url`. Raises BackupError with its last line."""
    try:
        binary = find_postgres().bin / program
    except ServerError as error:
        raise BackupError(str(error)) from error
    address, environment = place.client_environment(url)
    done = subprocess.run(
        [str(binary), *arguments, f"--dbname={address}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
        raise BackupError(f"{failed}: {said}")


def _named_now() -> set[str]:
    with db.reading() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        return stored_files.named()


def _named_in(snapshot: str) -> set[str]:
    """What the rows of the dump name, as they were at its moment."""
    with db.reading() as session:
        # The snapshot's name comes from the server: hex digits and hyphens.
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        session.execute(text(f"SET TRANSACTION SNAPSHOT '{snapshot}'"))
        session.execute(text("SET LOCAL statement_timeout = 0"))
        return stored_files.named()


def _one(connection: psycopg.Connection[tuple[Any, ...]], query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def tables(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """The tables of the installation, partitions by themselves."""
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return [str(name) for (name,) in found]


def _rows(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, int]:
    return count_rows(connection, tables(connection))


def count_rows(connection: psycopg.Connection[tuple[Any, ...]], names: Iterable[str]) -> dict[str, int]:
    """Table → how many rows this transaction sees in it."""
    query = sql.SQL("SELECT count(*) FROM public.{}")
    counted: dict[str, int] = {}
    for name in names:
        row = connection.execute(query.format(sql.Identifier(name))).fetchone()
        counted[name] = int(str(row[0])) if row else 0
    return counted


def _roles(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """Who else has rights in the database, and must be there before a restore."""
    found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'jiayuan\\_%' ORDER BY 1")
    return [str(name) for (name,) in found]


def _line(entry: Entry) -> bytes:
    return json.dumps({"key": entry.key, "bytes": entry.bytes, "sha256": entry.sha256}).encode() + b"\n"
