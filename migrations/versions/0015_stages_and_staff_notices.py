"""Steps at the desk that are late, the inbox of staff, callers known by their phone, pairs that were dismissed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "staff_inbox",
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idem", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("staff_id", "id", name=op.f("pk_staff_inbox")),
        sa.UniqueConstraint("staff_id", "idem", name=op.f("uq_staff_inbox_staff_id_idem")),
    )
    op.create_index("ix_staff_inbox_created_at", "staff_inbox", ["created_at"], unique=False)
    op.create_index(
        "ix_staff_inbox_unread",
        "staff_inbox",
        ["staff_id"],
        unique=False,
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_table(
        "ticket_match_dismissals",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("one_id", sa.UUID(), nullable=False),
        sa.Column("other_id", sa.UUID(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("by", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("one_id < other_id", name=op.f("ck_ticket_match_dismissals_in_order")),
        sa.ForeignKeyConstraint(
            ["community_id", "one_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_match_dismissals_community_id_one_id_tickets"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "other_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_match_dismissals_community_id_other_id_tickets"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "one_id", "other_id", name=op.f("pk_ticket_match_dismissals")
        ),
    )
    op.create_index(
        "ix_ticket_match_dismissals_other",
        "ticket_match_dismissals",
        ["community_id", "other_id"],
        unique=False,
    )
    op.add_column("tickets", sa.Column("contact_hash", sa.LargeBinary(), nullable=True))
    op.add_column("tickets", sa.Column("taken_in_by", sa.UUID(), nullable=True))
    op.add_column("tickets", sa.Column("stage_breached_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("stage_level", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("tickets", sa.Column("stages_late", sa.SmallInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("tickets", "stages_late")
    op.drop_column("tickets", "stage_level")
    op.drop_column("tickets", "stage_breached_at")
    op.drop_column("tickets", "taken_in_by")
    op.drop_column("tickets", "contact_hash")
    op.drop_table("ticket_match_dismissals")
    op.drop_table("staff_inbox")
