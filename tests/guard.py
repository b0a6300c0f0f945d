"""Refuses, in tests, a statement on a table distributed by community that doesn't name its community.

What may look across communities says why in `execution_options(cross_community="…")`; the reasons are listed
here, so that a new one is a decision somebody reviews.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, event

from app.db import TableClass
from app.tables import metadata

ALLOWED = frozenset(
    {
        "sweeper",
        "metrics",
        "retention",
        "periodic jobs",
        "watch over limits",
        "nightly orphan check",
        "which estate is here",
        "find an estate by name",
        "which estates a community governs",
        "where an organisation works",
        "which file a value came from",
        "sealed anew under the newest key",
        "closing an account",
        "what WeChat didn't deliver",
        "files that rows name",
        "recount after a restore",
        "doctor",
        "a clock was set back",
    }
)

_MENTION = re.compile(r"\b(FROM|JOIN|UPDATE|INTO|,)\s+\"?(\w+)\"?(?:\s+AS\s+\"?(\w+)\"?)?", re.IGNORECASE)
_COLUMNS = re.compile(r"INSERT\s+INTO\s+\"?\w+\"?(?:\s+AS\s+\w+)?\s*\(([^)]*)\)", re.IGNORECASE)


class Unscoped(AssertionError):
    """The statement would ask every shard."""


def distributed_tables() -> dict[str, str]:
    """Table → the column it is distributed by."""
    return {
        table.name: table.info["by"]
        for table in metadata().tables.values()
        if table.info.get("class") == TableClass.DISTRIBUTED
    }


def complaint(statement: str, tables: dict[str, str]) -> str | None:
    """What is wrong with the statement, or None."""
    for verb, table, alias in _MENTION.findall(statement):
        column = tables.get(table)
        if column is None:
            continue
        if verb.upper() == "INTO":
            columns = _COLUMNS.search(statement)
            if columns is None or column not in columns.group(1):
                return f"INSERT INTO {table} without {column}"
            continue
        if verb == "," and not re.search(rf"\bFROM\b[^()]*,\s+{table}\b", statement):
            continue
        name = alias or table
        scoped = rf"\b{name}\.{column}\s*(=|IN\b)|=\s*{name}\.{column}\b"
        if not re.search(scoped, statement, re.IGNORECASE):
            return f"{verb.upper()} {table} without {column}"
        # Tables may name one another, but somewhere a value must say which community it is.
        given = (
            rf"\b{column}\s*(=\s*(ANY\s*\()?(\(SELECT\s+)?(%\(|\d|-\d|')|IN\s*\()"
            rf"|\bunnest\([^;]*?\) AS \w+\({column}\b"
        )
        if not re.search(given, statement, re.IGNORECASE):
            return f"{verb.upper()} {table} with no value for {column}"
    return None


def install(engine: Engine) -> None:
    """Watch every statement of the engine."""
    tables = distributed_tables()

    @lru_cache(maxsize=20_000)  # the same statements come again and again, and looking takes a millisecond
    def wrong_with(statement: str) -> str | None:
        return complaint(statement, tables)

    @event.listens_for(engine, "before_cursor_execute")
    def look(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: Any) -> None:
        reason = context.execution_options.get("cross_community") if context else None
        if reason is not None:
            if reason not in ALLOWED:
                raise Unscoped(f"cross_community={reason!r} isn't on the list in tests/guard.py")
            return
        wrong = wrong_with(statement)
        if wrong is not None:
            raise Unscoped(f"{wrong}:\n{statement}")
