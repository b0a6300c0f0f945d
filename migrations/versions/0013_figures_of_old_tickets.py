"""A promise for each community to count the tickets that are there already; workers keep it page by page."""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO outbox (community_id, id, queue, kind, payload, not_before, idem, created_at)
        SELECT community_id, gen_random_uuid(), 'default', 'tickets.fill_stints', '{"after": null, "run": "first"}',
               now(), 'fill_stints:first', now()
          FROM number_counters
         GROUP BY community_id
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'tickets.fill_stints'")
