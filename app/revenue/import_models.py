"""A property office's spreadsheet on its way into the books of an estate."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKeyConstraint, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class LedgerState(StrEnum):
    """reading → mapping | previewed → applying → applied; failed when the file can't be taken."""

    READING = "reading"
    MAPPING = "mapping"
    PREVIEWED = "previewed"
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"


class RevenueImport(db.Base):
    """One uploaded file. Drafts come of it when it is applied, all or none; the file goes then, or after 30 days."""

    __tablename__ = "revenue_imports"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        Index("ix_revenue_imports_estate", "community_id", "estate_id", "created_at"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(String(12))
    file_sha256: Mapped[bytes]
    file_bytes: Mapped[int] = mapped_column(Integer)
    file_kind: Mapped[str] = mapped_column(String(8))  # xlsx | xls | csv
    file_kept: Mapped[bool] = mapped_column(Boolean)
    errors_kept: Mapped[bool] = mapped_column(Boolean, server_default="false")  # its error sheet
    makes_categories: Mapped[bool] = mapped_column(Boolean)  # that the file names and the estate doesn't have
    mapping: Mapped[dict[str, Any]]  # heading → field, by a person; wins over what is recognised
    headings: Mapped[
        list[Any] | None
    ]  # [{"sheet", "column": "A", "heading": "金额", "field": "amount"|null}, …]
    counts: Mapped[dict[str, Any] | None]  # rows, new, bad, figures, new categories, missing headings, sheets
    sample: Mapped[list[Any] | None]  # the first rows as they would be entered
    digest: Mapped[bytes | None]  # of everything the preview would write
    done: Mapped[int] = mapped_column(Integer, server_default="0")
    total: Mapped[int] = mapped_column(Integer, server_default="0")
    problem: Mapped[str | None] = mapped_column(String(40))
    round: Mapped[int] = mapped_column(Integer, server_default="1")  # what workers were asked to do with it
    created_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    created_at: Mapped[datetime]
    applied_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    applied_at: Mapped[datetime | None]  # to the microsecond when its drafts were made: so they are known


class RevenueImportProblem(db.Base):
    """A cell of an import that can't be taken. No value of it is kept."""

    __tablename__ = "revenue_import_problems"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "import_id"],
            ["revenue_imports.community_id", "revenue_imports.id"],
            name="fk_revenue_import_problems_import",  # the usual name is longer than PostgreSQL keeps
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sheet: Mapped[str] = mapped_column(String(40))
    row: Mapped[int] = mapped_column(Integer)
    column: Mapped[str | None] = mapped_column(String(4))  # the letter; None: the row as a whole
    field: Mapped[str | None] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(32))
