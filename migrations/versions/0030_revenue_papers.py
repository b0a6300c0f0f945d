"""Public revenue: budgets, the public files of vouchers, and imports of the property office's spreadsheet."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "revenue_budgets",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=True),
        sa.Column("basis", sa.String(length=200), nullable=False),
        sa.Column("entered_by", sa.UUID(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_budgets_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_budgets")),
        sa.UniqueConstraint(
            "community_id", "estate_id", "year", name=op.f("uq_revenue_budgets_community_id_estate_id_year")
        ),
    )
    op.create_table(
        "revenue_imports",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("file_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("file_bytes", sa.Integer(), nullable=False),
        sa.Column("file_kind", sa.String(length=8), nullable=False),
        sa.Column("file_kept", sa.Boolean(), nullable=False),
        sa.Column("errors_kept", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("makes_categories", sa.Boolean(), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("headings", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("sample", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("problem", sa.String(length=40), nullable=True),
        sa.Column("round", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_by", sa.UUID(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_imports_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_imports")),
    )
    op.create_index(
        "ix_revenue_imports_estate",
        "revenue_imports",
        ["community_id", "estate_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "revenue_renderings",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("store_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("boxes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("pages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("problem", sa.String(length=32), nullable=True),
        sa.Column("asked_by", sa.UUID(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_renderings_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "file_id", name=op.f("pk_revenue_renderings")),
    )
    op.create_index(
        "ix_revenue_renderings_object", "revenue_renderings", ["community_id", "object_id"], unique=False
    )
    op.create_table(
        "revenue_budget_lines",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("budget_id", sa.UUID(), nullable=False),
        sa.Column("category_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "amount_fen > 0 AND amount_fen < 1000000000000", name=op.f("ck_revenue_budget_lines_amount")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "budget_id"],
            ["revenue_budgets.community_id", "revenue_budgets.id"],
            name=op.f("fk_revenue_budget_lines_community_id_budget_id_revenue_budgets"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "category_id"],
            ["revenue_categories.community_id", "revenue_categories.id"],
            name="fk_revenue_budget_lines_category",
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_budget_lines")),
        sa.UniqueConstraint(
            "community_id",
            "budget_id",
            "category_id",
            name=op.f("uq_revenue_budget_lines_community_id_budget_id_category_id"),
        ),
    )
    op.create_table(
        "revenue_import_problems",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("import_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sheet", sa.String(length=40), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("column", sa.String(length=4), nullable=True),
        sa.Column("field", sa.String(length=16), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "import_id"],
            ["revenue_imports.community_id", "revenue_imports.id"],
            name="fk_revenue_import_problems_import",
        ),
        sa.PrimaryKeyConstraint("community_id", "import_id", "seq", name=op.f("pk_revenue_import_problems")),
    )


def downgrade() -> None:
    op.drop_table("revenue_import_problems")
    op.drop_table("revenue_budget_lines")
    op.drop_index("ix_revenue_renderings_object", table_name="revenue_renderings")
    op.drop_table("revenue_renderings")
    op.drop_index("ix_revenue_imports_estate", table_name="revenue_imports")
    op.drop_table("revenue_imports")
    op.drop_table("revenue_budgets")
