"""Notices: what was told to which places, each version of it, and who has read it.

What residents could read is append-only, behind the two walls of 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

APPEND_ONLY = ("notice_revisions",)
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
        "notice_reads",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("notice_community_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.SmallInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("community_id", "notice_id", "resident_id", name=op.f("pk_notice_reads")),
    )
    op.create_index("ix_notice_reads_resident_id", "notice_reads", ["resident_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("text", sa.String(length=5000), nullable=False),
        sa.Column("areas", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("homes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("publish_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("study_minutes", sa.SmallInteger(), nullable=True),
        sa.Column("revision", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.UUID(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.UUID(), nullable=True),
        sa.Column("withdrawal", sa.String(length=200), nullable=True),
        sa.Column("created_by", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(status = 'withdrawn') = (withdrawn_at IS NOT NULL)", name=op.f("ck_notices_withdrawn_then")
        ),
        sa.CheckConstraint(
            "(status IN ('published', 'withdrawn')) = (published_at IS NOT NULL)",
            name=op.f("ck_notices_published_then"),
        ),
        sa.CheckConstraint(
            "status <> 'scheduled' OR publish_at IS NOT NULL", name=op.f("ck_notices_scheduled_for")
        ),
        sa.CheckConstraint(
            "study_minutes IS NULL OR kind = 'study'", name=op.f("ck_notices_minutes_of_study")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_notices")),
    )
    op.create_index(
        "ix_notices_due",
        "notices",
        ["publish_at"],
        unique=False,
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_table(
        "notice_revisions",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("text", sa.String(length=5000), nullable=False),
        sa.Column("file_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "notice_id"],
            ["notices.community_id", "notices.id"],
            name=op.f("fk_notice_revisions_community_id_notice_id_notices"),
        ),
        sa.PrimaryKeyConstraint("community_id", "notice_id", "number", name=op.f("pk_notice_revisions")),
    )
    op.create_table(
        "notice_places",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("notice_community_id", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("building_id", sa.UUID(), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "building_id"],
            ["buildings.community_id", "buildings.id"],
            name=op.f("fk_notice_places_community_id_building_id_buildings"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_notice_places_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_notice_places")),
    )
    op.create_index(
        "ix_notice_places_estate",
        "notice_places",
        ["community_id", "estate_id", "listed_at", "notice_id"],
        unique=False,
    )
    op.create_index("ix_notice_places_notice", "notice_places", ["community_id", "notice_id"], unique=False)
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
    op.drop_index("ix_notice_places_notice", table_name="notice_places")
    op.drop_index("ix_notice_places_estate", table_name="notice_places")
    op.drop_table("notice_places")
    op.drop_table("notice_revisions")
    op.drop_index("ix_notices_due", table_name="notices", postgresql_where=sa.text("status = 'scheduled'"))
    op.drop_table("notices")
    op.drop_index("ix_notice_reads_resident_id", table_name="notice_reads")
    op.drop_table("notice_reads")
