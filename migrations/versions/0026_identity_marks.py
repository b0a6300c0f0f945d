"""What stays known of an openid or a phone when its account is gone: that it went over, that it was refused."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "identity_marks",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", "kind", name=op.f("pk_identity_marks")),
    )
    op.create_index("ix_identity_marks_at", "identity_marks", ["kind", "at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_identity_marks_at", table_name="identity_marks")
    op.drop_table("identity_marks")
