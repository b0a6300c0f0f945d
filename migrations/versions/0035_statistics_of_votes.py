"""The tables of a vote are analysed when a decision's rows have come in, not once they are a tenth of all there are.

By the shipped setting 40,000 new rows among half a million older ones aren't looked at, and the planner goes on taking
a decision that it has never seen for one of few rows.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0035"
down_revision: str | None = "0034"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("roll_heads", "roll_houses", "roll_owners", "ballots", "ballot_leaves", "ledger_nodes", "openings")


def upgrade() -> None:
    for table in TABLES:
        op.execute(
            f"ALTER TABLE {table} SET (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000)"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(
            f"ALTER TABLE {table} RESET (autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)"
        )
