"""The classes of problems: `python -m tools.classes load FILE` makes the database say what the file says.

Prints one line for each class that is added or changed, and at the end those that the file doesn't name, which
stay as they are. From today on, or from `--from 2027-01-01`; run again it changes nothing. `--dry-run` rolls back.
`show` prints today's tree. The committed file is app/tickets/data/classes.json. Settings come from the
environment, as for every process.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from app import boot, db
from app.audit import SYSTEM
from app.errors import AppError
from app.places import queries as places
from app.settings import Settings, SettingsError
from app.tickets import catalogue, queries


def main(arguments: list[str] | None = None) -> int:
    """0 when done, 1 when the file is refused, 2 when it can't be read."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    loading = commands.add_parser("load", help="make the database say what the file says")
    loading.add_argument("file", type=Path)
    loading.add_argument("--from", dest="since", type=date.fromisoformat, default=None, metavar="DAY")
    loading.add_argument("--dry-run", action="store_true")
    showing = commands.add_parser("show", help="print the tree")
    showing.add_argument("--on", type=date.fromisoformat, default=None, metavar="DAY")
    asked = parser.parse_args(arguments)
    try:
        boot(Settings.from_env())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return show(asked.on) if asked.command == "show" else load(asked.file, asked.since, dry_run=asked.dry_run)


class _Undo(Exception):
    """Ends the unit of work without a trace."""


def load(file: Path, since: date | None, *, dry_run: bool = False) -> int:
    """Load the file and print what changed."""
    try:
        rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["classes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{file} is no file of classes: {error}", file=sys.stderr)
        return 2
    try:
        with db.transaction():
            changes = catalogue.load(rows, since=since or places.today(), acting_user=SYSTEM)
            others = sorted(
                {term.code for term in queries.classes_on(places.today())} - {r["code"] for r in rows}
            )
            if dry_run:
                raise _Undo
    except _Undo:
        pass
    except AppError as error:
        print(f"{file} is refused, nothing is changed: {error.sentence('en')}", file=sys.stderr)
        for field, pairs in error.errors.items():
            print(f"  {field}: {'; '.join(english for _, english in pairs)}", file=sys.stderr)
        if error.extra:
            print(f"  {json.dumps(error.extra, ensure_ascii=False)}", file=sys.stderr)
        return 1
    for change in changes:
        fields = f": {', '.join(change.fields)}" if change.fields else ""
        print(f"{change.what:<8} {change.code}{fields}")
    if not changes:
        print("nothing to change")
    if others:
        print(f"not in the file, left as they are: {', '.join(others)}")
    return 0


def show(on: date | None) -> int:
    """Print the tree of a day."""
    with db.reading():
        depth: dict[str | None, int] = {None: -1}
        for term in queries.classes_on(on or places.today()):
            depth[term.code] = depth[term.parent_code] + 1
            print(f"{'  ' * depth[term.code]}{term.code}  {term.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
