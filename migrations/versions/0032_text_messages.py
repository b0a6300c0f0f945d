"""Text messages: providers, templates, campaigns with their recipients, batches and messages; who wants none.

What the application may do with a new table stands in the default privileges of 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "campaign_recipients",
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "phone_hash", name=op.f("pk_campaign_recipients")),
    )
    op.create_table(
        "opt_outs",
        sa.Column("phone_hash", sa.LargeBinary(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("word", sa.String(length=8), nullable=True),
        sa.Column("entered_by", sa.UUID(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("phone_hash", name=op.f("pk_opt_outs")),
    )
    op.create_index("ix_opt_outs_at", "opt_outs", ["at"], unique=False)
    op.create_table(
        "recipient_lists",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("columns", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("problems", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_recipient_lists")),
    )
    op.create_table(
        "sms_number_days",
        sa.Column("phone_hash", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("phone_hash", "day", name=op.f("pk_sms_number_days")),
    )
    op.create_index("ix_sms_number_days_day", "sms_number_days", ["day"], unique=False)
    op.create_table(
        "sms_providers",
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("weight", sa.SmallInteger(), nullable=False),
        sa.Column("calls_per_s", sa.SmallInteger(), nullable=False),
        sa.Column("batch_same", sa.SmallInteger(), nullable=False),
        sa.Column("batch_personal", sa.SmallInteger(), nullable=False),
        sa.Column("price_centi", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "batch_same BETWEEN 1 AND 1000 AND batch_personal BETWEEN 1 AND 100",
            name=op.f("ck_sms_providers_batch"),
        ),
        sa.CheckConstraint("calls_per_s BETWEEN 1 AND 5000", name=op.f("ck_sms_providers_rate")),
        sa.CheckConstraint("weight BETWEEN 0 AND 100", name=op.f("ck_sms_providers_weight")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_sms_providers")),
    )
    op.create_table(
        "sms_templates",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("region_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("sign", sa.String(length=12), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(length=8), server_default="draft", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.UUID(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state = 'draft' OR approved_by IS NOT NULL", name=op.f("ck_sms_templates_approved")
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> created_by", name=op.f("ck_sms_templates_second_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_templates")),
    )
    op.create_index("ix_sms_templates_region", "sms_templates", ["region_id", "id"], unique=False)
    op.create_table(
        "campaign_parts",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("home_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("template_id", sa.UUID(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("cursor", sa.String(length=200), nullable=True),
        sa.Column("taken", sa.Integer(), server_default="0", nullable=False),
        sa.Column("excluded", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sms_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expanded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["template_id"], ["sms_templates.id"], name=op.f("fk_campaign_parts_template_id_sms_templates")
        ),
        sa.PrimaryKeyConstraint("community_id", "campaign_id", name=op.f("pk_campaign_parts")),
    )
    op.create_table(
        "campaigns",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("template_id", sa.UUID(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("audience", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("as_of", sa.String(length=10), nullable=False),
        sa.Column("channels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sms_after_min", sa.Integer(), nullable=True),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=20), server_default="draft", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("preview", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("preview_job", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("communities", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.UUID(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.UUID(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("launched_by", sa.UUID(), nullable=True),
        sa.Column("launched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> submitted_by", name=op.f("ck_campaigns_second_person")
        ),
        sa.ForeignKeyConstraint(
            ["template_id"], ["sms_templates.id"], name=op.f("fk_campaigns_template_id_sms_templates")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_campaigns")),
    )
    op.create_index(
        "ix_campaigns_going",
        "campaigns",
        ["state", "send_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('scheduled', 'running', 'paused')"),
    )
    op.create_index("ix_campaigns_latest", "campaigns", ["community_id", "id"], unique=False)
    op.create_table(
        "recipient_list_entries",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("list_id", sa.UUID(), nullable=False),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "list_id"],
            ["recipient_lists.community_id", "recipient_lists.id"],
            name=op.f("fk_recipient_list_entries_community_id_list_id_recipient_lists"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "list_id", "phone_hash", name=op.f("pk_recipient_list_entries")
        ),
    )
    op.create_table(
        "sms_provider_caps",
        sa.Column("provider_code", sa.String(length=12), nullable=False),
        sa.Column("scope", sa.String(length=12), nullable=False),
        sa.Column("most", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.CheckConstraint("most BETWEEN 1 AND 1000", name=op.f("ck_sms_provider_caps_most")),
        sa.ForeignKeyConstraint(
            ["provider_code"],
            ["sms_providers.code"],
            name=op.f("fk_sms_provider_caps_provider_code_sms_providers"),
        ),
        sa.PrimaryKeyConstraint("provider_code", "scope", name=op.f("pk_sms_provider_caps")),
    )
    op.create_table(
        "sms_template_mappings",
        sa.Column("template_id", sa.UUID(), nullable=False),
        sa.Column("provider_code", sa.String(length=12), nullable=False),
        sa.Column("vendor_code", sa.String(length=40), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("longest", sa.SmallInteger(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("updated_by", sa.UUID(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_code"],
            ["sms_providers.code"],
            name=op.f("fk_sms_template_mappings_provider_code_sms_providers"),
        ),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["sms_templates.id"],
            name=op.f("fk_sms_template_mappings_template_id_sms_templates"),
        ),
        sa.PrimaryKeyConstraint("template_id", "provider_code", name=op.f("pk_sms_template_mappings")),
    )
    op.create_table(
        "sms_batches",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="queued", nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("size", sa.SmallInteger(), nullable=False),
        sa.Column("is_personal", sa.Boolean(), nullable=False),
        sa.Column("provider_code", sa.String(length=12), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_by", sa.String(length=40), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settle_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.String(length=80), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "campaign_id"],
            ["campaign_parts.community_id", "campaign_parts.campaign_id"],
            name=op.f("fk_sms_batches_community_id_campaign_id_campaign_parts"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_sms_batches")),
    )
    op.create_index("ix_sms_batches_campaign", "sms_batches", ["community_id", "campaign_id"], unique=False)
    op.create_index(
        "ix_sms_batches_due",
        "sms_batches",
        ["community_id", "priority", "not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_sms_batches_sweep",
        "sms_batches",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'sending', 'unknown')"),
    )
    op.create_table(
        "sms_messages",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("batch_id", sa.UUID(), nullable=True),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("channel", sa.String(length=8), server_default="sms", nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("state", sa.String(length=10), server_default="queued", nullable=False),
        sa.Column("provider_code", sa.String(length=12), nullable=True),
        sa.Column("vendor_id", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=80), nullable=True),
        sa.Column("fault", sa.String(length=8), nullable=True),
        sa.Column("segments", sa.SmallInteger(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "batch_id"],
            ["sms_batches.community_id", "sms_batches.id"],
            name=op.f("fk_sms_messages_community_id_batch_id_sms_batches"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_sms_messages")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_sms_messages_batch", "sms_messages", ["community_id", "batch_id"], unique=False)
    op.create_index(
        "ix_sms_messages_campaign", "sms_messages", ["community_id", "campaign_id", "id"], unique=False
    )
    op.create_index("ix_sms_messages_phone", "sms_messages", ["community_id", "phone_hash"], unique=False)
    op.create_index(
        "ix_sms_messages_resident",
        "sms_messages",
        ["resident_id"],
        unique=False,
        postgresql_where=sa.text("resident_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_sms_messages_resident",
        table_name="sms_messages",
        postgresql_where=sa.text("resident_id IS NOT NULL"),
    )
    op.drop_index("ix_sms_messages_phone", table_name="sms_messages")
    op.drop_index("ix_sms_messages_campaign", table_name="sms_messages")
    op.drop_index("ix_sms_messages_batch", table_name="sms_messages")
    op.drop_table("sms_messages")
    op.drop_index(
        "ix_sms_batches_sweep",
        table_name="sms_batches",
        postgresql_where=sa.text("state IN ('queued', 'sending', 'unknown')"),
    )
    op.drop_index(
        "ix_sms_batches_due", table_name="sms_batches", postgresql_where=sa.text("state = 'queued'")
    )
    op.drop_index("ix_sms_batches_campaign", table_name="sms_batches")
    op.drop_table("sms_batches")
    op.drop_table("sms_template_mappings")
    op.drop_table("sms_provider_caps")
    op.drop_table("recipient_list_entries")
    op.drop_index("ix_campaigns_latest", table_name="campaigns")
    op.drop_index(
        "ix_campaigns_going",
        table_name="campaigns",
        postgresql_where=sa.text("state IN ('scheduled', 'running', 'paused')"),
    )
    op.drop_table("campaigns")
    op.drop_table("campaign_parts")
    op.drop_index("ix_sms_templates_region", table_name="sms_templates")
    op.drop_table("sms_templates")
    op.drop_table("sms_providers")
    op.drop_index("ix_sms_number_days_day", table_name="sms_number_days")
    op.drop_table("sms_number_days")
    op.drop_table("recipient_lists")
    op.drop_index("ix_opt_outs_at", table_name="opt_outs")
    op.drop_table("opt_outs")
    op.drop_table("campaign_recipients")
