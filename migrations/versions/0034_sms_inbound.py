"""What the vendors of text messages push to us, kept raw until it is applied; and their own numbers for messages."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0034"
down_revision: str | None = "0033"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "sms_inbound",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("vendor", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known", sa.Integer(), server_default="0", nullable=False),
        sa.Column("again", sa.Integer(), server_default="0", nullable=False),
        sa.Column("strange", sa.Integer(), server_default="0", nullable=False),
        sa.Column("against", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unread", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_inbound")),
    )
    op.create_index(
        "ix_sms_inbound_due",
        "sms_inbound",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_sms_inbound_received_at", "sms_inbound", ["received_at"], unique=False)
    op.create_table(
        "sms_serials",
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_sms_serials")),
    )
    op.create_index("ix_sms_serials_created_at", "sms_serials", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_sms_serials_created_at", table_name="sms_serials")
    op.drop_table("sms_serials")
    op.drop_index("ix_sms_inbound_received_at", table_name="sms_inbound")
    op.drop_index(
        "ix_sms_inbound_due", table_name="sms_inbound", postgresql_where=sa.text("state = 'waiting'")
    )
    op.drop_table("sms_inbound")
