"""Indexes of the board, built while people work; and less to write where a column is empty in most rows.

CONCURRENTLY can't run in a transaction: when a step fails, run the migration again; each step first removes what
a broken one left behind. What replaces an index has a name of its own and is there before the other goes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OPEN_BY_STATUS = "status NOT IN ('closed', 'rejected', 'withdrawn', 'merged', 'referred')"


@contextmanager
def _patiently() -> Iterator[None]:
    """Outside a transaction, without the limits that keep other migrations from standing in the way."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        yield
        op.execute("SET lock_timeout = '4s'")
        op.execute("SET statement_timeout = '60s'")


def _build(name: str, table: str, columns: list[str], *, where: str | None = None) -> None:
    op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
    op.create_index(
        name,
        table,
        columns,
        postgresql_where=sa.text(where) if where else None,
        postgresql_concurrently=True,
        if_not_exists=True,
    )


def _drop(table: str, *names: str) -> None:
    for name in names:
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)


def upgrade() -> None:
    with _patiently():
        _build("ix_tickets_category", "tickets", ["community_id", "category_code", "id"])
        _build(
            "ix_tickets_handler",
            "tickets",
            ["community_id", "handler_id", "id"],
            where="handler_id IS NOT NULL",
        )
        _build("ix_tickets_open_due", "tickets", ["community_id", "due_at"], where="ended_at IS NULL")
        _build(
            "ix_tickets_reported_by",
            "tickets",
            ["community_id", "reporter_id"],
            where="reporter_id IS NOT NULL",
        )
        _build(
            "ix_tickets_merged", "tickets", ["community_id", "merged_into"], where="merged_into IS NOT NULL"
        )
        _build("ix_tickets_closed", "tickets", ["community_id", "closed_at"], where="closed_at IS NOT NULL")
        _build("ix_ticket_parts_org", "ticket_parts", ["community_id", "org_id", "ticket_id"])
        _drop(
            "tickets",
            "ix_tickets_due",
            "ix_tickets_reporter",
            "ix_tickets_merged_into",
            "ix_tickets_closed_at",
        )


def downgrade() -> None:
    with _patiently():
        _build("ix_tickets_due", "tickets", ["community_id", "due_at"], where=OPEN_BY_STATUS)
        _build("ix_tickets_reporter", "tickets", ["community_id", "reporter_id"])
        _build("ix_tickets_merged_into", "tickets", ["community_id", "merged_into"])
        _build("ix_tickets_closed_at", "tickets", ["community_id", "closed_at"])
        _drop("ticket_parts", "ix_ticket_parts_org")
        _drop(
            "tickets",
            "ix_tickets_closed",
            "ix_tickets_merged",
            "ix_tickets_reported_by",
            "ix_tickets_open_due",
            "ix_tickets_handler",
            "ix_tickets_category",
        )
