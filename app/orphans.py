"""References that no foreign key can hold, because the two rows lie on different machines: who points nowhere?"""

from __future__ import annotations

from sqlalchemy import exists, func, select

from app import db
from app.tables import metadata


def count() -> dict[str, int]:
    """`table.column` → rows whose soft reference (`db.soft`) names a row that doesn't exist."""
    found: dict[str, int] = {}
    tables = metadata().tables
    for table in tables.values():
        for column in table.columns:
            targets = column.info.get("soft")
            if targets is None:
                continue
            named = [target.split(".") for target in targets]
            query = (
                select(func.count())
                .select_from(table)
                .where(
                    column.is_not(None),
                    *(~exists().where(tables[there].c[key] == column) for there, key in named),
                )
                .execution_options(cross_community="nightly orphan check")
            )
            found[f"{table.name}.{column.name}"] = int(db.session().scalar(query) or 0)
    return found
