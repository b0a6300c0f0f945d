"""Accounts belong to the organisation of their first role; logins were last seen when they were opened."""

from collections.abc import Sequence

from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        """
        UPDATE staff
           SET org_id = (SELECT r.org_id FROM staff_roles r WHERE r.staff_id = staff.id
                          ORDER BY r.valid_from, r.id LIMIT 1)
         WHERE org_id IS NULL
        """
    )
    op.execute("UPDATE staff SET password_at = created_at WHERE password_at IS NULL")
    op.execute("UPDATE staff_sessions SET seen_at = created_at WHERE seen_at IS NULL")


def downgrade() -> None:
    """Nothing: the columns go with the migration before."""
