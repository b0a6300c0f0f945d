"""Posts with their rosters, and dispatch rules."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "routing_rules",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["regions.id"], name=op.f("fk_routing_rules_community_id_regions")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_routing_rules")),
    )
    op.create_table(
        "duty_posts",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("estates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("gap", sa.SmallInteger(), nullable=False),
        sa.Column("given", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("gap BETWEEN 1 AND 50", name=op.f("ck_duty_posts_gap")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["regions.id"], name=op.f("fk_duty_posts_community_id_regions")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_duty_posts_org_id_orgs")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_duty_posts")),
    )
    op.create_index(
        "uq_duty_posts_name",
        "duty_posts",
        ["community_id", "org_id", "name"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "duty_day_changes",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("post_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("away_id", sa.UUID(), nullable=True),
        sa.Column("comes_id", sa.UUID(), nullable=True),
        sa.Column("starts", sa.SmallInteger(), nullable=True),
        sa.Column("ends", sa.SmallInteger(), nullable=True),
        sa.Column("note", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(starts IS NULL) = (ends IS NULL)", name=op.f("ck_duty_day_changes_whole_hours")),
        sa.CheckConstraint(
            "away_id IS NOT NULL OR (comes_id IS NOT NULL AND starts IS NOT NULL)",
            name=op.f("ck_duty_day_changes_somebody"),
        ),
        sa.CheckConstraint(
            "starts >= 0 AND starts < 1440 AND ends > starts AND ends <= starts + 1440",
            name=op.f("ck_duty_day_changes_hours"),
        ),
        sa.ForeignKeyConstraint(["away_id"], ["staff.id"], name=op.f("fk_duty_day_changes_away_id_staff")),
        sa.ForeignKeyConstraint(["comes_id"], ["staff.id"], name=op.f("fk_duty_day_changes_comes_id_staff")),
        sa.ForeignKeyConstraint(
            ["community_id", "post_id"],
            ["duty_posts.community_id", "duty_posts.id"],
            name=op.f("fk_duty_day_changes_community_id_post_id_duty_posts"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_duty_day_changes")),
    )
    op.create_index(
        "ix_duty_day_changes_post", "duty_day_changes", ["community_id", "post_id", "day"], unique=False
    )
    op.create_table(
        "duty_standings",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("given", sa.Integer(), nullable=False),
        sa.Column("last_no", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "post_id"],
            ["duty_posts.community_id", "duty_posts.id"],
            name=op.f("fk_duty_standings_community_id_post_id_duty_posts"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_duty_standings_staff_id_staff")),
        sa.PrimaryKeyConstraint("community_id", "post_id", "staff_id", name=op.f("pk_duty_standings")),
    )
    op.create_table(
        "duty_turns",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("post_id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("weekdays", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("starts", sa.SmallInteger(), nullable=False),
        sa.Column("ends", sa.SmallInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "starts >= 0 AND starts < 1440 AND ends > starts AND ends <= starts + 1440",
            name=op.f("ck_duty_turns_hours"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_duty_turns_order")),
        sa.ForeignKeyConstraint(
            ["community_id", "post_id"],
            ["duty_posts.community_id", "duty_posts.id"],
            name=op.f("fk_duty_turns_community_id_post_id_duty_posts"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_duty_turns_staff_id_staff")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_duty_turns")),
    )
    op.create_index("ix_duty_turns_post", "duty_turns", ["community_id", "post_id"], unique=False)
    op.create_table(
        "routing_rule_terms",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.UUID(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("category_code", sa.String(length=32), nullable=True),
        sa.Column("estate_id", sa.UUID(), nullable=True),
        sa.Column("grid_id", sa.UUID(), nullable=True),
        sa.Column("time_kind", sa.String(length=16), nullable=False),
        sa.Column("days", sa.String(length=8), nullable=False),
        sa.Column("weekdays", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("starts", sa.SmallInteger(), nullable=True),
        sa.Column("ends", sa.SmallInteger(), nullable=True),
        sa.Column("urgent", sa.Boolean(), nullable=True),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("post_id", sa.UUID(), nullable=True),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(time_kind = 'window') = (starts IS NOT NULL)",
            name=op.f("ck_routing_rule_terms_window_has_hours"),
        ),
        sa.CheckConstraint(
            "(starts IS NULL) = (ends IS NULL)", name=op.f("ck_routing_rule_terms_whole_hours")
        ),
        sa.CheckConstraint(
            "estate_id IS NULL OR grid_id IS NULL", name=op.f("ck_routing_rule_terms_one_place")
        ),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_routing_rule_terms_order")
        ),
        sa.ForeignKeyConstraint(
            ["category_code"],
            ["categories.code"],
            name=op.f("fk_routing_rule_terms_category_code_categories"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_routing_rule_terms_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "grid_id"],
            ["grids.community_id", "grids.id"],
            name=op.f("fk_routing_rule_terms_community_id_grid_id_grids"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "post_id"],
            ["duty_posts.community_id", "duty_posts.id"],
            name=op.f("fk_routing_rule_terms_community_id_post_id_duty_posts"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "rule_id"],
            ["routing_rules.community_id", "routing_rules.id"],
            name=op.f("fk_routing_rule_terms_community_id_rule_id_routing_rules"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_routing_rule_terms_org_id_orgs")),
        sa.PrimaryKeyConstraint("community_id", "rule_id", "valid_from", name=op.f("pk_routing_rule_terms")),
    )
    op.create_index(
        "ix_routing_rule_terms_dates", "routing_rule_terms", ["community_id", "valid_to"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_routing_rule_terms_dates", table_name="routing_rule_terms")
    op.drop_table("routing_rule_terms")
    op.drop_index("ix_duty_turns_post", table_name="duty_turns")
    op.drop_table("duty_turns")
    op.drop_table("duty_standings")
    op.drop_index("ix_duty_day_changes_post", table_name="duty_day_changes")
    op.drop_table("duty_day_changes")
    op.drop_index(
        "uq_duty_posts_name", table_name="duty_posts", postgresql_where=sa.text("retired_at IS NULL")
    )
    op.drop_table("duty_posts")
    op.drop_table("routing_rules")
