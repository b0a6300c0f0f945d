"""Demonstration data: one street, three communities, six estates, staff of every role, two hundred tickets.

    DEMO=1 python -m tools.demo --seed 7     fill an empty, migrated database; nothing when it is there already
    python -m tools.demo --accounts          who can log in, as JSON

Everything is made by the services themselves, step by step through the last 60 days, in one transaction: it is
there whole or not at all. The same seed makes the same people and reports; their moments follow from the present,
ids and keys are random as always. Exit codes: 2 when it may not or cannot run (DEMO, settings, a database that
is not empty or not migrated), 1 when it fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from tools.demo import cast

NOT_ALLOWED = (
    "Demonstration data is made only where DEMO=1 says that this is no real installation; nothing was done."
)


class Refused(Exception):
    """It can't be done here; the text is one sentence for whoever started it."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the head of this file."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Makes the demonstration data.")
    parser.add_argument("--seed", type=int, default=7, help="another number makes other reports (7)")
    parser.add_argument("--accounts", action="store_true", help="print who can log in, as JSON, and end")
    asked = parser.parse_args(arguments)
    if asked.accounts:
        print(json.dumps(cast.accounts(), ensure_ascii=False, indent=1))
        return 0
    began = time.monotonic()
    try:
        if os.environ.get("DEMO", "") in ("", "0"):
            raise Refused(NOT_ALLOWED)
        said = _make(asked.seed)
    except Refused as reason:
        print(reason, file=sys.stderr)
        return 2
    print(f"{said} ({time.monotonic() - began:.1f} s)", flush=True)
    return 0


def _make(seed: int) -> str:
    """Make it, unless it is there; the sentence that says which. Raises Refused."""
    # Imported here: --accounts needs none of it, and is asked for while others wait.
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from app import settings
    from tools.demo import seed as seeding

    try:
        return seeding.make(seed)
    except settings.SettingsError as error:
        raise Refused(str(error)) from error
    except seeding.NotHere as error:
        raise Refused(str(error)) from error
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != "42P01":  # undefined_table
            raise
        raise Refused(
            "The database has no tables yet: run `python -m alembic upgrade head` first."
        ) from error
    except OperationalError as error:
        raise Refused(f"The database cannot be used: {' '.join(str(error.orig).split())}") from error


if __name__ == "__main__":
    sys.exit(main())
