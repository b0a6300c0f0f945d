"""Indexes of the complete loop on tickets and photos, built while people work.

CONCURRENTLY can't run in a transaction: when a step fails, run the migration again; each step first removes what
a broken one left behind.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ENDED = "status NOT IN ('closed', 'rejected', 'withdrawn', 'merged', 'referred')"
ENDED_BEFORE = "status NOT IN ('closed', 'rejected', 'withdrawn')"


@contextmanager
def _patiently() -> Iterator[None]:
    """Outside a transaction, without the limits that keep other migrations from standing in the way."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        yield
        op.execute("SET lock_timeout = '4s'")
        op.execute("SET statement_timeout = '60s'")


def _build(
    name: str, table: str, columns: list[str], *, where: str | None = None, unique: bool = False
) -> None:
    op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        postgresql_where=sa.text(where) if where else None,
        postgresql_concurrently=True,
        if_not_exists=True,
    )


def _drop(*names: tuple[str, str]) -> None:
    for name, table in names:
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)


def upgrade() -> None:
    with _patiently():
        _build(
            "uq_tickets_number",
            "tickets",
            ["community_id", "number"],
            where="status <> 'referred'",
            unique=True,
        )
        # The predicate knows the new ends. For the moment of the swap the board sorts by another index.
        _build("ix_tickets_due", "tickets", ["community_id", "due_at"], where=ENDED)
        _build("ix_tickets_watch", "tickets", ["watch_at", "community_id"], where="watch_at IS NOT NULL")
        _build("ix_tickets_merged_into", "tickets", ["community_id", "merged_into"])
        _build("ix_photos_after", "photos", ["community_id", "attached_at"], where="stage = 'after'")
    # The index built first keeps what clients rely on.
    op.execute(
        "-- squawk-ignore ban-drop-constraint\n"
        "ALTER TABLE tickets DROP CONSTRAINT uq_tickets_community_id_number"
    )


def downgrade() -> None:
    op.create_unique_constraint("uq_tickets_community_id_number", "tickets", ["community_id", "number"])
    with _patiently():
        _drop(
            ("ix_photos_after", "photos"),
            ("ix_tickets_merged_into", "tickets"),
            ("ix_tickets_watch", "tickets"),
            ("uq_tickets_number", "tickets"),
        )
        _build("ix_tickets_due", "tickets", ["community_id", "due_at"], where=ENDED_BEFORE)
