"""`make backup`, `make restore`; see docs/guide/backup.md.

    python -m tools.backup make    [--to FOLDER] [--keys FOLDER|none]
    python -m tools.backup check   --from FOLDER [--keys FOLDER]
    python -m tools.backup restore --from FOLDER [--keys FOLDER]

With DATABASE_URL (MIGRATION_DATABASE_URL, STORAGE_URL) set, that installation; else what `make run` keeps in var/.
Exit codes: 0 done, 1 with a sentence, 3 when the backup is whole but rows name files that the store didn't have.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tools.backup import keys
from tools.backup.manifest import BackupError
from tools.run import VAR


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the head of this file."""
    asked = _reader().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except BackupError as error:
        print(error, file=sys.stderr, flush=True)
        return 1


def _reader() -> argparse.ArgumentParser:
    reader = argparse.ArgumentParser(prog="python -m tools.backup")
    commands = reader.add_subparsers(required=True)
    make = commands.add_parser("make")
    make.add_argument("--to", type=Path)
    make.add_argument("--keys")
    make.set_defaults(run=_make)
    for name, run in (("check", _check), ("restore", _restore)):
        command = commands.add_parser(name)
        command.add_argument("--from", dest="source", type=Path, required=True)
        command.add_argument("--keys", type=Path)
        command.set_defaults(run=run)
    return reader


def _make(asked: argparse.Namespace) -> int:
    from tools.backup.make import make

    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    to = asked.to or VAR / "backup" / at
    apart = None if asked.keys == keys.NONE else Path(asked.keys or VAR / "backup-keys" / at)
    done = make(to, apart, step=_step)
    print(f"Backed up as of {done.snapshot_at}: {to}")
    if apart is not None:
        print(
            f"The keys: {apart}. Carry them to another place than the backup; together they are the data in clear."
        )
    if done.absent:
        print(
            f"{len(done.absent)} files that rows name weren't in the store (`absent` in the manifest).",
            file=sys.stderr,
        )
        return 3
    return 0


def _check(asked: argparse.Namespace) -> int:
    from tools.backup.restore import check

    done = check(asked.source, asked.keys, step=_step)
    print(f"The backup is whole: as of {done.snapshot_at}, migration {done.migration}.")
    return 0


def _restore(asked: argparse.Namespace) -> int:
    from tools.backup.restore import restore

    done = restore(asked.source, asked.keys, step=_step)
    print(
        f"Restored as of {done.snapshot_at}, migration {done.migration}. Everything was looked at again and holds."
    )
    return 0


def _step(name: str, do: Callable[[], str]) -> None:
    print(f"  {name:<18}", end="", flush=True)
    began = time.monotonic()
    try:
        said = do()
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - began:6.1f} s  {said}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
