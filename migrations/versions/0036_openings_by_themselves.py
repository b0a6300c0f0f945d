"""Openings have no foreign key of their own.

Each is written from a ballot of its head, which has one, and neither is ever rewritten; a hundred thousand checks took
a quarter of the time that opening them took.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0036"
down_revision: str | None = "0035"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = "fk_openings_community_id_decision_id_head_id_roll_heads"


def upgrade() -> None:
    # Nobody counts on it: only the unsealing writes openings.
    op.execute(f"-- squawk-ignore ban-drop-constraint\nALTER TABLE openings DROP CONSTRAINT {KEY}")


def downgrade() -> None:
    op.create_foreign_key(
        KEY,
        "openings",
        "roll_heads",
        ["community_id", "decision_id", "head_id"],
        ["community_id", "decision_id", "id"],
    )
