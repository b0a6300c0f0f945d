"""Public revenue: rules, categories, contracts, drafts, published lines and statements, objections.

What is published is append-only, behind the two walls of 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

APPEND_ONLY = (
    "revenue_statements",
    "revenue_lines",
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
        "revenue_categories",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_categories_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_categories")),
        sa.UniqueConstraint(
            "community_id",
            "estate_id",
            "kind",
            "name",
            name=op.f("uq_revenue_categories_community_id_estate_id_kind_name"),
        ),
    )
    op.create_table(
        "revenue_periods",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("opening_fen", sa.BigInteger(), nullable=True),
        sa.Column("opening_note", sa.String(length=200), nullable=True),
        sa.Column("submitted_by", sa.UUID(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.UUID(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_note", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_revenue_periods_span")),
        sa.CheckConstraint(
            "reviewed_by IS NULL OR reviewed_by <> submitted_by",
            name=op.f("ck_revenue_periods_second_person"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_periods_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_periods")),
        sa.UniqueConstraint(
            "community_id",
            "estate_id",
            "first_day",
            name=op.f("uq_revenue_periods_community_id_estate_id_first_day"),
        ),
    )
    op.create_index(
        "uq_revenue_periods_open",
        "revenue_periods",
        ["community_id", "estate_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'published'"),
    )
    op.create_table(
        "revenue_settings",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("split_bp", sa.SmallInteger(), nullable=False),
        sa.Column("rounding", sa.String(length=10), nullable=False),
        sa.Column("rhythm", sa.String(length=10), nullable=False),
        sa.Column("posting_days", sa.SmallInteger(), nullable=False),
        sa.Column("answer_days", sa.SmallInteger(), nullable=False),
        sa.Column("keeper", sa.String(length=12), nullable=False),
        sa.Column("keeper_name", sa.String(length=80), nullable=False),
        sa.Column("basis", sa.String(length=200), nullable=False),
        sa.Column("set_by", sa.UUID(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("split_bp BETWEEN 0 AND 10000", name=op.f("ck_revenue_settings_split")),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_settings_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "estate_id", "valid_from", name=op.f("pk_revenue_settings")),
    )
    op.create_table(
        "revenue_contracts",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("category_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("party", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("rhythm", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_revenue_contracts_span")),
        sa.CheckConstraint(
            "price_fen > 0 AND price_fen < 1000000000000", name=op.f("ck_revenue_contracts_price")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "category_id"],
            ["revenue_categories.community_id", "revenue_categories.id"],
            name="fk_revenue_contracts_category",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_contracts_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_contracts")),
    )
    op.create_index(
        "ix_revenue_contracts_estate",
        "revenue_contracts",
        ["community_id", "estate_id", "starts_on"],
        unique=False,
    )
    op.create_table(
        "revenue_statements",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("period_id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("opening_fen", sa.BigInteger(), nullable=False),
        sa.Column("income_fen", sa.BigInteger(), nullable=False),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("uses_fen", sa.BigInteger(), nullable=False),
        sa.Column("fund_fen", sa.BigInteger(), nullable=False),
        sa.Column("closing_fen", sa.BigInteger(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("split_bp", sa.SmallInteger(), nullable=False),
        sa.Column("rounding", sa.String(length=10), nullable=False),
        sa.Column("posted_from", sa.Date(), nullable=False),
        sa.Column("closed_from", sa.Date(), nullable=False),
        sa.Column("submitted_by", sa.UUID(), nullable=False),
        sa.Column("reviewed_by", sa.UUID(), nullable=False),
        sa.Column("published_by", sa.UUID(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("own_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "closing_fen = opening_fen + income_fen - cost_fen - fund_fen - uses_fen",
            name=op.f("ck_revenue_statements_balance"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_statements_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "period_id"],
            ["revenue_periods.community_id", "revenue_periods.id"],
            name=op.f("fk_revenue_statements_community_id_period_id_revenue_periods"),
        ),
        sa.PrimaryKeyConstraint("community_id", "period_id", name=op.f("pk_revenue_statements")),
        sa.UniqueConstraint(
            "community_id", "estate_id", "seq", name=op.f("uq_revenue_statements_community_id_estate_id_seq")
        ),
    )
    op.create_table(
        "revenue_lines",
        sa.Column("period_id", sa.UUID(), nullable=False),
        sa.Column("vouchers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("category_id", sa.UUID(), nullable=True),
        sa.Column("debit", sa.String(length=8), nullable=False),
        sa.Column("credit", sa.String(length=8), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("counterparty", sa.String(length=80), nullable=True),
        sa.Column("contract_id", sa.UUID(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("reverses_id", sa.UUID(), nullable=True),
        sa.Column("decision_id", sa.UUID(), nullable=True),
        sa.Column("drafted_by", sa.UUID(), nullable=False),
        sa.CheckConstraint("(debit = 'bank') <> (credit = 'bank')", name=op.f("ck_revenue_lines_accounts")),
        sa.CheckConstraint(
            "credit IN ('bank', 'income', 'cost', 'use', 'fund')", name=op.f("ck_revenue_lines_credit")
        ),
        sa.CheckConstraint(
            "debit IN ('bank', 'income', 'cost', 'use', 'fund')", name=op.f("ck_revenue_lines_debit")
        ),
        sa.CheckConstraint(
            "amount_fen > 0 AND amount_fen < 1000000000000", name=op.f("ck_revenue_lines_amount")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "category_id"],
            ["revenue_categories.community_id", "revenue_categories.id"],
            name=op.f("fk_revenue_lines_community_id_category_id_revenue_categories"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "contract_id"],
            ["revenue_contracts.community_id", "revenue_contracts.id"],
            name=op.f("fk_revenue_lines_community_id_contract_id_revenue_contracts"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_lines_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "period_id"],
            ["revenue_periods.community_id", "revenue_periods.id"],
            name=op.f("fk_revenue_lines_community_id_period_id_revenue_periods"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "reverses_id"],
            ["revenue_lines.community_id", "revenue_lines.id"],
            name=op.f("fk_revenue_lines_community_id_reverses_id_revenue_lines"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_lines")),
    )
    op.create_index(
        "ix_revenue_lines_contract",
        "revenue_lines",
        ["community_id", "contract_id"],
        unique=False,
        postgresql_where=sa.text("contract_id IS NOT NULL"),
    )
    op.create_index(
        "ix_revenue_lines_estate", "revenue_lines", ["community_id", "estate_id", "day", "id"], unique=False
    )
    op.create_index("ix_revenue_lines_period", "revenue_lines", ["community_id", "period_id"], unique=False)
    op.create_index(
        "uq_revenue_lines_reverses",
        "revenue_lines",
        ["community_id", "reverses_id"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    op.create_table(
        "revenue_drafts",
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("is_computed", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("category_id", sa.UUID(), nullable=True),
        sa.Column("debit", sa.String(length=8), nullable=False),
        sa.Column("credit", sa.String(length=8), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("counterparty", sa.String(length=80), nullable=True),
        sa.Column("contract_id", sa.UUID(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("reverses_id", sa.UUID(), nullable=True),
        sa.Column("decision_id", sa.UUID(), nullable=True),
        sa.Column("drafted_by", sa.UUID(), nullable=False),
        sa.CheckConstraint("(debit = 'bank') <> (credit = 'bank')", name=op.f("ck_revenue_drafts_accounts")),
        sa.CheckConstraint(
            "credit IN ('bank', 'income', 'cost', 'use', 'fund')", name=op.f("ck_revenue_drafts_credit")
        ),
        sa.CheckConstraint(
            "debit IN ('bank', 'income', 'cost', 'use', 'fund')", name=op.f("ck_revenue_drafts_debit")
        ),
        sa.CheckConstraint(
            "amount_fen > 0 AND amount_fen < 1000000000000", name=op.f("ck_revenue_drafts_amount")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "category_id"],
            ["revenue_categories.community_id", "revenue_categories.id"],
            name=op.f("fk_revenue_drafts_community_id_category_id_revenue_categories"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "contract_id"],
            ["revenue_contracts.community_id", "revenue_contracts.id"],
            name=op.f("fk_revenue_drafts_community_id_contract_id_revenue_contracts"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_drafts_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "reverses_id"],
            ["revenue_lines.community_id", "revenue_lines.id"],
            name=op.f("fk_revenue_drafts_community_id_reverses_id_revenue_lines"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_drafts")),
    )
    op.create_index(
        "ix_revenue_drafts_estate", "revenue_drafts", ["community_id", "estate_id", "day", "id"], unique=False
    )
    op.create_index(
        "uq_revenue_drafts_reverses",
        "revenue_drafts",
        ["community_id", "reverses_id"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    op.create_table(
        "revenue_objections",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("line_id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=True),
        sa.Column("answer_by", sa.Date(), nullable=False),
        sa.Column("answer", sa.String(length=1000), nullable=True),
        sa.Column("answered_by", sa.UUID(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_objections_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "line_id"],
            ["revenue_lines.community_id", "revenue_lines.id"],
            name=op.f("fk_revenue_objections_community_id_line_id_revenue_lines"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_objections")),
    )
    op.create_index(
        "ix_revenue_objections_estate",
        "revenue_objections",
        ["community_id", "estate_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_revenue_objections_line", "revenue_objections", ["community_id", "line_id"], unique=False
    )
    op.create_index(
        "ix_revenue_objections_resident", "revenue_objections", ["community_id", "resident_id"], unique=False
    )
    op.create_index(
        "uq_revenue_objections_open",
        "revenue_objections",
        ["community_id", "line_id", "resident_id"],
        unique=True,
        postgresql_where=sa.text("answered_at IS NULL AND resident_id IS NOT NULL"),
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
    op.drop_index(
        "uq_revenue_objections_open",
        table_name="revenue_objections",
        postgresql_where=sa.text("answered_at IS NULL AND resident_id IS NOT NULL"),
    )
    op.drop_index("ix_revenue_objections_resident", table_name="revenue_objections")
    op.drop_index("ix_revenue_objections_line", table_name="revenue_objections")
    op.drop_index("ix_revenue_objections_estate", table_name="revenue_objections")
    op.drop_table("revenue_objections")
    op.drop_index(
        "uq_revenue_drafts_reverses",
        table_name="revenue_drafts",
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    op.drop_index("ix_revenue_drafts_estate", table_name="revenue_drafts")
    op.drop_table("revenue_drafts")
    op.drop_index(
        "uq_revenue_lines_reverses",
        table_name="revenue_lines",
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    op.drop_index("ix_revenue_lines_period", table_name="revenue_lines")
    op.drop_index("ix_revenue_lines_estate", table_name="revenue_lines")
    op.drop_index(
        "ix_revenue_lines_contract",
        table_name="revenue_lines",
        postgresql_where=sa.text("contract_id IS NOT NULL"),
    )
    op.drop_table("revenue_lines")
    op.drop_table("revenue_statements")
    op.drop_index("ix_revenue_contracts_estate", table_name="revenue_contracts")
    op.drop_table("revenue_contracts")
    op.drop_table("revenue_settings")
    op.drop_index(
        "uq_revenue_periods_open",
        table_name="revenue_periods",
        postgresql_where=sa.text("state <> 'published'"),
    )
    op.drop_table("revenue_periods")
    op.drop_table("revenue_categories")
