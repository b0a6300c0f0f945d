"""Clock columns of the tickets that were open before there were any; the first version of the calendar."""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO calendar_versions (version, loaded_at, note)"
        " VALUES (1, '2026-01-01 00:00:00+08', '国务院办公厅 2026 年节假日安排') ON CONFLICT DO NOTHING"
    )
    op.execute(
        """
        UPDATE tickets
           SET stage_due_at = CASE WHEN status = 'received' THEN accept_by
                                   WHEN status IN ('accepted', 'returned') THEN dispatch_by
                                   ELSE due_at END,
               watch_at = due_at - interval '4 hours'
         WHERE status NOT IN ('closed', 'rejected', 'withdrawn', 'merged', 'referred')
           AND watch_at IS NULL
        """
    )


def downgrade() -> None:
    op.execute("DELETE FROM calendar_versions WHERE version = 1")
