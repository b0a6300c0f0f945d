"""Sealing everything anew under the newest data key, while the house goes on working.

Which columns hold sealed values is read from the models (`db.sealed`), so no table can be forgotten. What is done is
told by the values themselves: each names its key. A run that was killed is simply run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Select, Table, and_, func, or_, select, tuple_, update

from app import audit, crypto, db, ids
from app.ids import NOBODY
from app.media import papers
from app.media.paper_models import AttachedPaper, Paper
from app.places import imports
from app.places.registry_models import RegistryImport
from app.revenue.import_models import RevenueImport
from app.tables import metadata


class SealedTable(NamedTuple):
    """A table with columns that are sealed under the installation's key: column → what it is bound to."""

    table: Table
    columns: dict[str, str]


class Page(NamedTuple):
    """What one batch did. `last`: the key of its last row, None when nothing was left."""

    sealed: int
    last: tuple[Any, ...] | None


def sealed_tables() -> list[SealedTable]:
    """Every table that `python -m tools.rekey` has to go through, by name."""
    found = []
    for table in sorted(metadata().tables.values(), key=lambda t: t.name):
        columns = {c.name: c.info["sealed"] for c in table.columns if "sealed" in c.info}
        if columns:
            found.append(SealedTable(table, columns))
    return found


def left(sealed: SealedTable) -> int:
    """How many rows of the table still hold a value under an older key."""
    query = select(func.count()).select_from(sealed.table).where(_older(sealed))
    return int(
        db.session().scalar(query.execution_options(cross_community="sealed anew under the newest key")) or 0
    )


def page(sealed: SealedTable, *, after: tuple[Any, ...] | None, limit: int) -> Page:
    """Seal the next `limit` rows of the table anew; rows that somebody holds are left for another pass.

    Raises Undecryptable for a value that no key at hand opens; the batch is then rolled back.
    """
    table = sealed.table
    key = list(table.primary_key.columns)
    rows = db.session().execute(_next(sealed, key, after, limit)).mappings().all()
    for row in rows:
        db.session().execute(
            update(table)
            .where(*(column == row[column.name] for column in key))
            .values(_anew(sealed, row))
            .execution_options(cross_community="sealed anew under the newest key")
        )
    return Page(len(rows), tuple(rows[-1][c.name] for c in key) if rows else None)


def _next(
    sealed: SealedTable, key: list[Column[Any]], after: tuple[Any, ...] | None, limit: int
) -> Select[Any]:
    query = select(sealed.table).where(_older(sealed))
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return (
        query.order_by(*key)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(cross_community="sealed anew under the newest key")
    )


def _older(sealed: SealedTable) -> ColumnElement[bool]:
    newest = crypto.keys().newest_prefix
    columns = [sealed.table.c[name] for name in sealed.columns]
    return or_(*(and_(c.is_not(None), func.substring(c, 1, len(newest)) != newest) for c in columns))


def _anew(sealed: SealedTable, row: Mapping[Any, Any]) -> dict[str, bytes]:
    ring = crypto.keys()
    values = {}
    for name, template in sealed.columns.items():
        value = row[name]
        if value is not None and not value.startswith(ring.newest_prefix):
            context = crypto.context_of(template, row)
            values[name] = ring.encrypt(ring.decrypt(value, context), context)
    return values


def kept_files() -> dict[str, str]:
    """The sealed files that the store holds: key → what the bytes are bound to."""
    found = {}
    for of in (RegistryImport, RevenueImport):
        rows = db.session().execute(
            select(of.id, of.file_kept, of.errors_kept)
            .where(or_(of.file_kept, of.errors_kept))
            .execution_options(cross_community="sealed anew under the newest key")
        )
        for import_id, file_kept, errors_kept in rows:
            if file_kept:
                found[imports.file_key(import_id)] = f"import:{import_id}"
            if errors_kept:
                found[imports.errors_key(import_id)] = f"import:{import_id}"
    for table in (Paper, AttachedPaper):
        for paper_id in db.session().scalars(
            select(table.id).execution_options(cross_community="sealed anew under the newest key")
        ):
            found[papers.key(paper_id)] = f"paper:{paper_id}"
    return found


def fixed_values() -> Iterator[tuple[str, int]]:
    """(column, rows) of append-only tables whose values lie directly under an older data key: never rewritten, they
    need that key as long as they are kept. Only rows from before words got the key of who wrote them.
    """
    for table in sorted(metadata().tables.values(), key=lambda t: t.name):
        for column in table.columns:
            whose = column.info.get("sealed_by")
            if whose is None:
                continue
            newest = crypto.keys().newest_prefix
            query = (
                select(func.count())
                .select_from(table)
                .where(
                    column.is_not(None),
                    table.c[whose].is_(None),
                    func.substring(column, 1, len(newest)) != newest,
                )
            )
            rows = int(
                db.session().scalar(
                    query.execution_options(cross_community="sealed anew under the newest key")
                )
                or 0
            )
            if rows:
                yield f"{table.name}.{column.name}", rows


def record(sealed: SealedTable, *, rows: int) -> None:
    """The audit row of a table that was gone through."""
    audit.record(
        audit.SYSTEM,
        "data.rekeyed",
        community_id=ids.lane_of(NOBODY),
        object_kind="table",
        object_id=None,
        table=sealed.table.name,
        rows=rows,
        key=crypto.keys().versions[-1],
    )
