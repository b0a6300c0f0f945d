"""A promise for each community to write the letters of its tickets anew, with their class; kept page by page."""

from collections.abc import Sequence

from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO outbox (community_id, id, queue, kind, payload, not_before, idem, created_at)
        SELECT community_id, gen_random_uuid(), 'default', 'tickets.fill_letters', '{"after": null, "run": "classes"}',
               now(), 'fill_letters:classes', now()
          FROM number_counters
         GROUP BY community_id
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE idem = 'fill_letters:classes'")
