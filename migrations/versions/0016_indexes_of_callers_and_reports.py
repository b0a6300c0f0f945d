"""Indexes on tickets by the caller's phone and by who took a report in, built while people work.

CONCURRENTLY can't run in a transaction: when a step fails, run the migration again; each step first removes what
a broken one left behind.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEXES = (
    ("ix_tickets_contact", ["community_id", "contact_hash"], "contact_hash IS NOT NULL"),
    ("ix_tickets_taken_in_by", ["community_id", "taken_in_by", "id"], "taken_in_by IS NOT NULL"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # Without the limits that keep other migrations from standing in the way.
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        for name, columns, where in INDEXES:
            op.drop_index(name, table_name="tickets", postgresql_concurrently=True, if_exists=True)
            op.create_index(
                name,
                "tickets",
                columns,
                postgresql_where=sa.text(where),
                postgresql_concurrently=True,
                if_not_exists=True,
            )
        op.execute("SET lock_timeout = '4s'")
        op.execute("SET statement_timeout = '60s'")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        for name, _, _ in reversed(INDEXES):
            op.drop_index(name, table_name="tickets", postgresql_concurrently=True, if_exists=True)
        op.execute("SET lock_timeout = '4s'")
        op.execute("SET statement_timeout = '60s'")
