"""An installation, as backup and restore find it: by its DATABASE_URL, or the one that `make run` keeps in var/."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.settings import Settings, SettingsError, environment, read_database_url
from tools import development, servers
from tools.backup.manifest import BackupError
from tools.postgres_server import DATABASE
from tools.processes import ServerError
from tools.run import VAR, only_one_run

# What a backup needs no value for, and Settings asks for.
_UNUSED = {"REDIS_URL": "redis://127.0.0.1:1/0", "PUBLIC_BASE_URL": "http://127.0.0.1"}


@dataclass(frozen=True)
class Place:
    """`environment`: the settings of the installation by name; `embedded`: kept by `make run`."""

    environment: Mapping[str, str]
    embedded: bool

    @property
    def owner(self) -> str:
        """The address of the database as its owner, without SQLAlchemy's spelling."""
        url = self.environment.get("MIGRATION_DATABASE_URL") or self.environment["DATABASE_URL"]
        return read_database_url(url).replace("postgresql+psycopg://", "postgresql://", 1)

    @property
    def settings(self) -> Settings:
        """Raises BackupError."""
        try:
            return Settings.from_env(_UNUSED | dict(self.environment))
        except SettingsError as error:
            raise BackupError(str(error)) from error

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """As the owner. Raises BackupError."""
        try:
            return psycopg.connect(self.owner, connect_timeout=10)
        except (psycopg.Error, ValueError) as error:
            raise BackupError(f"The database can't be used: {' '.join(str(error).split())}") from error


def is_own() -> bool:
    """Does the environment name a database of somebody's own?"""
    return bool(given().get("DATABASE_URL"))


def given() -> dict[str, str]:
    """The environment, with the secrets that lie in files. Raises BackupError."""
    try:
        return environment()
    except SettingsError as error:
        raise BackupError(str(error)) from error


@contextlib.contextmanager
def to_back_up() -> Iterator[Place]:
    """The installation as it is; `make run` may go on meanwhile, and its database is started when it doesn't."""
    if is_own():
        yield Place(given(), embedded=False)
        return
    if not (VAR / "dev.env").exists():
        raise BackupError(
            f"There is nothing to back up: no DATABASE_URL is set, and {VAR} holds no installation."
        )
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ServerError):  # a run goes on: its server is there, and stays
            stack.enter_context(only_one_run())
        try:
            server = stack.enter_context(servers.postgres(VAR / "postgres"))
        except ServerError as error:
            raise BackupError(str(error)) from error
        yield Place(_embedded(server, development.secrets_of(VAR / "dev.env")), embedded=True)


@contextlib.contextmanager
def to_fill(keys: Mapping[str, str]) -> Iterator[Place]:
    """A new installation with these keys, which nothing else may run on meanwhile. Raises BackupError."""
    if is_own():
        set_here = given()
        for name, value in keys.items():
            if set_here.get(name, value) != value:
                raise BackupError(f"{name} is set to another value than the backup's: which one holds?")
        yield Place({**set_here, **keys}, embedded=False)
        return
    try:
        VAR.mkdir(parents=True, exist_ok=True)
        with only_one_run(), servers.postgres(VAR / "postgres") as server:
            yield Place(_embedded(server, keys), embedded=True)
    except OSError as error:
        raise BackupError(f"{VAR} can't be written: {error.strerror}.") from error
    except ServerError as error:
        raise BackupError(str(error)) from error


def _embedded(server: servers.Postgres, secrets: Mapping[str, str]) -> dict[str, str]:
    return {
        **secrets,
        "DATABASE_URL": server.url("app", DATABASE),
        "MIGRATION_DATABASE_URL": server.url("owner", DATABASE),
        "RETENTION_DATABASE_URL": server.url("retention", DATABASE),
        "STORAGE_URL": os.environ.get("STORAGE_URL") or f"folder:{VAR / 'photos'}",
        "DEMO": "1",
    }


def client_environment(url: str) -> tuple[str, dict[str, str]]:
    """For pg_dump and pg_restore: the address without its password, and the environment that has it. A command line is
    read by everybody on the machine.
    """
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    kept = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR") if name in os.environ
    }
    return make_conninfo("", **parts), kept | ({"PGPASSWORD": str(password)} if password else {})


def settings_file() -> Path:
    """Where `make run` keeps its secrets."""
    return VAR / "dev.env"
