"""What is to be called back has an index of its own, and an estate's index says whose its tickets are.

Built while people work: CONCURRENTLY can't run in a transaction. When a step fails, run the migration again; each step
first removes what a broken one left behind. What replaces an index is there before the other goes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TO_CALL_BACK = (
    "status = 'closed' AND (is_urgent OR rating_stars <= 2"
    " OR substr(md5(id::text), 1, 2) COLLATE \"C\" < '1a')"
)


@contextmanager
def _patiently() -> Iterator[None]:
    """Outside a transaction, without the limits that keep other migrations from standing in the way."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        yield
        op.execute("SET lock_timeout = '4s'")
        op.execute("SET statement_timeout = '60s'")


def _drop(name: str) -> None:
    op.drop_index(name, table_name="tickets", postgresql_concurrently=True, if_exists=True)


def upgrade() -> None:
    with _patiently():
        _drop("ix_tickets_to_call_back")
        op.create_index(
            "ix_tickets_to_call_back",
            "tickets",
            ["community_id", "closed_at"],
            postgresql_where=sa.text(TO_CALL_BACK),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        _drop("ix_tickets_of_estate")
        op.create_index(
            "ix_tickets_of_estate",
            "tickets",
            ["community_id", "estate_id", "id"],
            postgresql_include=["org_id", "status"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        _drop("ix_tickets_estate")


def downgrade() -> None:
    with _patiently():
        _drop("ix_tickets_estate")
        op.create_index(
            "ix_tickets_estate",
            "tickets",
            ["community_id", "estate_id", "id"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        _drop("ix_tickets_of_estate")
        _drop("ix_tickets_to_call_back")
