"""Classes of problems become a dated tree: `categories` keeps what never changes, `category_terms` the rest.

The columns that move away are dropped at once: nothing could edit them yet, so they hold what the second
migration wrote, and the next one fills the terms from the same source. A ticket learns what its words spoke for.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MOVED = ("name", "hint", "needs_photo", "is_public", "is_urgent", "questions", "sort", "is_active")

# The owner of the schema makes the table; the application's own role, where there is one, works with it.
GRANT = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_app') AND current_user <> 'jiayuan_app' THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON category_terms TO jiayuan_app;
    END IF;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "category_terms",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("parent_code", sa.String(length=32), nullable=True),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("hint", sa.String(length=120), nullable=False),
        sa.Column("questions", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("needs_photo", sa.Boolean(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("for_residents", sa.Boolean(), nullable=False),
        sa.Column("limit_amount", sa.SmallInteger(), nullable=True),
        sa.Column("limit_unit", sa.String(length=16), nullable=True),
        sa.Column("org_kind", sa.String(length=24), nullable=True),
        sa.Column("closing_text", sa.String(length=300), nullable=True),
        sa.Column("sort", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_category_terms_order")),
        sa.CheckConstraint(
            "(limit_amount IS NULL) = (limit_unit IS NULL)", name=op.f("ck_category_terms_limit_whole")
        ),
        sa.CheckConstraint("limit_amount > 0", name=op.f("ck_category_terms_limit_positive")),
        sa.CheckConstraint("parent_code <> code", name=op.f("ck_category_terms_not_its_own_parent")),
        sa.ForeignKeyConstraint(
            ["code"], ["categories.code"], name=op.f("fk_category_terms_code_categories")
        ),
        sa.ForeignKeyConstraint(
            ["parent_code"], ["categories.code"], name=op.f("fk_category_terms_parent_code_categories")
        ),
        sa.PrimaryKeyConstraint("code", "valid_from", name=op.f("pk_category_terms")),
    )
    op.create_index(
        "uq_category_terms_open",
        "category_terms",
        ["code"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.execute(GRANT)
    op.add_column("categories", sa.Column("national_code", sa.String(length=8), nullable=True))
    op.add_column("categories", sa.Column("national_source", sa.String(length=200), nullable=True))
    op.add_column("categories", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.create_check_constraint(
        op.f("ck_categories_national_code_sourced"),
        "categories",
        "national_code IS NULL OR national_source IS NOT NULL",
    )
    for name in MOVED:
        op.drop_column("categories", name)
    op.add_column("tickets", sa.Column("suggested_category", sa.String(length=32), nullable=True))
    op.add_column(
        "tickets", sa.Column("suggested_why", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("tickets", "suggested_why")
    op.drop_column("tickets", "suggested_category")
    for column in (
        sa.Column("name", sa.String(length=40), nullable=True),
        sa.Column("hint", sa.String(length=120), nullable=True),
        sa.Column("needs_photo", sa.Boolean(), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=True),
        sa.Column("is_urgent", sa.Boolean(), nullable=True),
        sa.Column("questions", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("sort", sa.SmallInteger(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
    ):
        op.add_column("categories", column)
    op.execute(
        """
        UPDATE categories SET name = t.name, hint = t.hint, needs_photo = t.needs_photo, is_public = t.is_public,
               is_urgent = t.is_urgent, questions = t.questions, sort = t.sort,
               is_active = t.valid_to IS NULL OR t.valid_to > current_date
          FROM (SELECT DISTINCT ON (code) * FROM category_terms
                 ORDER BY code, (valid_from > current_date), valid_from DESC) t
         WHERE t.code = categories.code
        """
    )
    for name in ("name", "hint", "needs_photo", "is_public", "is_urgent", "sort"):
        op.alter_column("categories", name, nullable=False)
    op.drop_constraint(op.f("ck_categories_national_code_sourced"), "categories")
    op.drop_column("categories", "version")
    op.drop_column("categories", "national_source")
    op.drop_column("categories", "national_code")
    op.drop_index(
        "uq_category_terms_open", table_name="category_terms", postgresql_where=sa.text("valid_to IS NULL")
    )
    op.drop_table("category_terms")
