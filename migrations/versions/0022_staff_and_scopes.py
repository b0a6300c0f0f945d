"""Staff: second factor and recovery codes, passwords that were given out, how a login is carried, versions."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COLUMNS = {
    "staff": [
        sa.Column("org_id", sa.UUID(), nullable=True),
        sa.Column("must_change", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("password_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_pending", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("totp_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
    ],
    "staff_roles": [
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
    ],
    "staff_sessions": [
        sa.Column("mode", sa.String(length=8), server_default="token", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("client", sa.String(length=120), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
    ],
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
    op.create_foreign_key(
        op.f("fk_staff_org_id_orgs"), "staff", "orgs", ["org_id"], ["id"], postgresql_not_valid=True
    )
    # The column is new and empty, the table small: nobody waits for this.
    op.execute("ALTER TABLE staff VALIDATE CONSTRAINT fk_staff_org_id_orgs")
    op.create_table(
        "staff_recovery_codes",
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_recovery_codes_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("staff_id", "code_hash", name=op.f("pk_staff_recovery_codes")),
    )


def downgrade() -> None:
    op.drop_table("staff_recovery_codes")
    op.drop_constraint(op.f("fk_staff_org_id_orgs"), "staff", type_="foreignkey")
    for table, columns in reversed(COLUMNS.items()):
        for column in reversed(columns):
            op.drop_column(table, column.name)
