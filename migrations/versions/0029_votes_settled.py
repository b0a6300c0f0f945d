"""Votes: delivery read by a second person, a poll's stored result, petitions counted once, rooms by their numbers.

Whom a proof was entered for and what a poll came to are append-only, behind the two walls of 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

APPEND_ONLY = (
    "poll_results",
    "delivery_entry_heads",
)
# What the application may do with a new table stands in the default privileges of 0001; append-only ones get less.
GRANTS = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_app') AND current_user <> 'jiayuan_app' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON {closed} FROM jiayuan_app;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_retention') THEN
        GRANT SELECT, DELETE ON {closed} TO jiayuan_retention;
    END IF;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "delivery_entries",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("way", sa.String(length=8), nullable=False),
        sa.Column("heads", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("entered_by", sa.UUID(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.UUID(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "status <> 'refused' OR reason IS NOT NULL", name=op.f("ck_delivery_entries_refused_with_reason")
        ),
        sa.CheckConstraint(
            "confirmed_by IS NULL OR confirmed_by <> entered_by",
            name=op.f("ck_delivery_entries_second_person"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_delivery_entries_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_delivery_entries")),
    )
    op.create_index(
        "ix_delivery_entries_decision",
        "delivery_entries",
        ["community_id", "decision_id", "status"],
        unique=False,
    )
    op.create_table(
        "poll_results",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_poll_results_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", name=op.f("pk_poll_results")),
    )
    op.create_table(
        "delivery_entry_heads",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("entry_id", sa.UUID(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id", "head_id"],
            ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
            name=op.f("fk_delivery_entry_heads_head"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["delivery_entries.community_id", "delivery_entries.id"],
            name=op.f("fk_delivery_entry_heads_community_id_entry_id_delivery_entries"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "decision_id", "head_id", "entry_id", name=op.f("pk_delivery_entry_heads")
        ),
    )
    op.create_index(
        "ix_delivery_entry_heads_entry", "delivery_entry_heads", ["community_id", "entry_id"], unique=False
    )
    op.add_column("petitions", sa.Column("heads", sa.Integer(), server_default="0", nullable=False))
    op.add_column("petitions", sa.Column("area_centi", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("petitions", sa.Column("total_heads", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "petitions", sa.Column("total_area_centi", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column("petitions", sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "roll_heads", sa.Column("sort_key", sa.String(length=120), server_default="", nullable=False)
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()"
        )
        op.execute(
            f"CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
    op.execute(GRANTS.format(closed=", ".join(APPEND_ONLY)))


def downgrade() -> None:
    op.drop_column("roll_heads", "sort_key")
    op.drop_column("petitions", "counted_at")
    op.drop_column("petitions", "total_area_centi")
    op.drop_column("petitions", "total_heads")
    op.drop_column("petitions", "area_centi")
    op.drop_column("petitions", "heads")
    op.drop_index("ix_delivery_entry_heads_entry", table_name="delivery_entry_heads")
    op.drop_table("delivery_entry_heads")
    op.drop_table("poll_results")
    op.drop_index("ix_delivery_entries_decision", table_name="delivery_entries")
    op.drop_table("delivery_entries")
