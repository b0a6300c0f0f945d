"""Indexes on tickets that a dispatch reads, built while people work.

CONCURRENTLY can't run in a transaction: when a step fails, run the migration again; each step first removes what
a broken one left behind.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ON_HAND = "status IN ('dispatched', 'in_progress', 'suspended')"


@contextmanager
def _patiently() -> Iterator[None]:
    """Outside a transaction, without the limits that keep other migrations from standing in the way."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        yield
        op.execute("SET lock_timeout = '4s'")
        op.execute("SET statement_timeout = '60s'")


def _build(name: str, columns: list[str], *, where: str) -> None:
    op.drop_index(name, table_name="tickets", postgresql_concurrently=True, if_exists=True)
    op.create_index(
        name,
        "tickets",
        columns,
        postgresql_where=sa.text(where),
        postgresql_concurrently=True,
        if_not_exists=True,
    )


def upgrade() -> None:
    with _patiently():
        _build("ix_tickets_on_hand", ["community_id", "handler_id"], where=ON_HAND)
        _build(
            "ix_tickets_handled",
            ["community_id", "estate_id", "category_code", "id"],
            where="handler_id IS NOT NULL",
        )


def downgrade() -> None:
    with _patiently():
        for name in ("ix_tickets_handled", "ix_tickets_on_hand"):
            op.drop_index(name, table_name="tickets", postgresql_concurrently=True, if_exists=True)
