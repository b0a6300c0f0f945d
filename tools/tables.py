"""The tables: docs/tables.md from `Table.info`, and the rules of the design (scale-out) that each table keeps.

`python -m tools.tables` writes the page; `--check` fails when it is not up to date or a table breaks a rule.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from app.db import TableClass
from app.tables import metadata

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tables.md"

HEAD = """# Tables

Made by `python -m tools.tables` from `Table.info`; not written by hand. What the classes mean stands in
`app/db.py`: *distributed* tables lie on many machines by the column named here, which leads every key;
*reference* tables are small, with a copy on each machine; *global-hash* tables are spread by their own key;
*local* ones are never queried by the application. Append-only: the application may only read and add. How long rows
are kept is declared in `app/retention.py`, and the periodic queue makes it true.

| Table | Class | By | Append-only | What a row is | Kept |
|---|---|---|---|---|---|
"""

_SPREAD = frozenset({TableClass.DISTRIBUTED, TableClass.GLOBAL_HASH})
_VOLATILE = ("now(", "random", "clock_timestamp", "current_", "statement_timestamp", "uuid", "nextval")


def complaints(tables: MetaData) -> list[str]:
    """What is wrong with these tables, one sentence each; empty when every rule is kept."""
    return [f"{table.name}: {words}" for table in tables.sorted_tables for words in _of_table(table)]


def _of_table(table: Table) -> Iterator[str]:
    kind = table.info.get("class")
    if kind not in set(TableClass):
        yield "says no class in Table.info"
        return
    by = table.info.get("by")
    if kind in _SPREAD:
        if by is None or by not in table.c:
            yield f"is {kind} but has no column to lie by"
            return
        yield from _of_keys(table, by)
    elif by is not None:
        yield f"is {kind} and lies by nothing"
    for key in table.foreign_key_constraints:
        yield from _of_foreign_key(table, key)
    yield from _of_names(table)
    for column in table.columns:
        yield from _of_defaults(column)
    if table.autoincrement_column is not None:
        yield f"{table.autoincrement_column.name} comes from a sequence; ids are made by the application"


def _of_keys(table: Table, by: str) -> Iterator[str]:
    if table.c[by].nullable:
        yield f"{by} may be NULL"
    if not _begins_with(table.primary_key, by):
        yield f"the primary key does not begin with {by}"
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint) and not _begins_with(constraint, by):
            yield f"unique constraint {constraint.name} does not begin with {by}"
    for index in table.indexes:
        if index.unique and getattr(index.expressions[0], "name", None) != by:
            yield f"unique index {index.name} does not begin with {by}"


def _begins_with(key: PrimaryKeyConstraint | UniqueConstraint, by: str) -> bool:
    return bool(list(key.columns)) and next(iter(key.columns)).name == by


def _of_foreign_key(table: Table, key: ForeignKeyConstraint) -> Iterator[str]:
    target = key.referred_table
    to = f"the foreign key to {target.name}"
    for rule in (key.ondelete, key.onupdate):
        if rule is not None and rule.upper() == "SET NULL":
            yield f"{to} sets NULL, which a part of the primary key can't be"
    kind = target.info.get("class")
    if kind == TableClass.REFERENCE:
        if table.info.get("class") == TableClass.LOCAL:
            yield f"{to} starts at a local table"
        return
    if kind not in _SPREAD or table.info.get("class") not in _SPREAD:
        yield f"{to} joins a {table.info.get('class')} table to a {kind} one"
        return
    pairs = [(element.parent.name, element.column.name) for element in key.elements]
    if not pairs or pairs[0] != (table.info["by"], target.info.get("by")):
        yield f"{to} leaves the distribution: it must begin with {table.info['by']}; say db.soft() instead"


def _of_names(table: Table) -> Iterator[str]:
    named: list[tuple[Constraint | Index, str]] = [(index, "ix uq") for index in table.indexes]
    prefixes = {
        PrimaryKeyConstraint: "pk",
        UniqueConstraint: "uq",
        ForeignKeyConstraint: "fk",
        CheckConstraint: "ck",
    }
    named += [(c, prefixes.get(type(c), "")) for c in table.constraints]
    for thing, allowed in named:
        name = str(thing.name or "")
        if not any(name.startswith(f"{prefix}_{table.name}") for prefix in allowed.split()):
            yield f"{type(thing).__name__} {name or 'without a name'} is not named by the convention"
        elif len(name) > 63:
            yield f"the name {name} is longer than the 63 characters that PostgreSQL keeps"


def _of_defaults(column: Column[object]) -> Iterator[str]:
    for which in ("server_default", "server_onupdate"):
        default = getattr(column, which)
        words = str(getattr(getattr(default, "arg", None), "text", getattr(default, "arg", ""))).lower()
        if default is not None and (which == "server_onupdate" or any(v in words for v in _VOLATILE)):
            yield f"{column.name} has a {which} that the database computes; times and ids are bound parameters"


def page() -> str:
    """The text of docs/tables.md."""
    from app import retention
    from app.db import Base

    meaning = {mapper.local_table: mapper.class_.__doc__ or "" for mapper in Base.registry.mappers}
    rows = []
    for table in sorted(metadata().tables.values(), key=lambda t: t.name):
        info = table.info
        first = " ".join(meaning.get(table, "").split("\n\n")[0].split()).replace("|", "\\|")
        by = f"`{info['by']}`" if "by" in info else ""
        rows.append(
            f"| `{table.name}` | {info['class']} | {by} | {'yes' if info.get('append_only') else ''} | {first} "
            f"| {retention.says(table.name)} |\n"
        )
    return HEAD + "".join(rows)


def main() -> int:
    """0 when written, or when the page is up to date and every rule is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wrong = complaints(metadata())
    for words in wrong:
        print(f"tables: {words}", file=sys.stderr)
    if not check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
        return int(bool(wrong))
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print(
            f"tables: docs/{PAGE.name} is not what the models say; `python -m tools.tables` writes it anew.",
            file=sys.stderr,
        )
        return 1
    if not wrong:
        print("tables: every rule is kept, and docs/tables.md is what the models say")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
