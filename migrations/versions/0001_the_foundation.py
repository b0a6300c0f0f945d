"""The foundation: places, people, media, messages, tickets, and what work behind the request needs.

Two walls around append-only tables: the application's role may not UPDATE, DELETE or TRUNCATE them, and a
trigger refuses it to anybody but the retention role. Both are skipped for a role that doesn't exist, so the
schema also goes onto a database with a single role; the start then says which guarantee is missing.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


APPEND_ONLY = ("audit_log", "ticket_events")

GRANTS = """
DO $$
DECLARE
    closed text[] := ARRAY[{closed}];
    here record;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_app') AND current_user <> 'jiayuan_app' THEN
        FOR here IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            IF here.tablename = 'alembic_version' THEN
                EXECUTE format('GRANT SELECT ON %I TO jiayuan_app', here.tablename);
            ELSIF here.tablename = ANY (closed) THEN
                EXECUTE format('GRANT SELECT, INSERT ON %I TO jiayuan_app', here.tablename);
            ELSE
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO jiayuan_app', here.tablename);
            END IF;
        END LOOP;
        -- Tables of later migrations; an append-only one takes UPDATE and DELETE back itself.
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO jiayuan_app;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_retention') THEN
        FOR here IN SELECT unnest(closed) AS tablename LOOP
            EXECUTE format('GRANT SELECT, DELETE ON %I TO jiayuan_retention', here.tablename);
        END LOOP;
    END IF;
END
$$
"""

GUARD = """
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'jiayuan_retention' AND TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_kind", sa.String(length=24), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_actor", "audit_log", ["community_id", "actor_id", "at"], unique=False)
    op.create_index(
        "ix_audit_log_object", "audit_log", ["community_id", "object_kind", "object_id"], unique=False
    )
    op.create_table(
        "calendar_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_working", sa.Boolean(), nullable=False),
        sa.Column("is_confirmed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_calendar_days")),
    )
    op.create_table(
        "categories",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("hint", sa.String(length=120), nullable=False),
        sa.Column("needs_photo", sa.Boolean(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("questions", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("sort", sa.SmallInteger(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_categories")),
    )
    op.create_table(
        "client_tokens",
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("resident_id", "token", name=op.f("pk_client_tokens")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("actor_id", sa.UUID(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor_id", "key_hash", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "identity_keys",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.UUID(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", "kind", name=op.f("pk_identity_keys")),
    )
    op.create_index("ix_identity_keys_person_id", "identity_keys", ["person_id"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("target_type", sa.String(length=16), nullable=True),
        sa.Column("target_id", sa.String(length=60), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idem", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("resident_id", "id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("resident_id", "idem", name=op.f("uq_inbox_resident_id_idem")),
    )
    op.create_index("ix_inbox_latest", "inbox", ["resident_id", "id"], unique=False)
    op.create_index(
        "ix_inbox_unread", "inbox", ["resident_id"], unique=False, postgresql_where=sa.text("read_at IS NULL")
    )
    op.create_table(
        "media_checks",
        sa.Column("trace_id", sa.String(length=80), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("upload_id", sa.UUID(), nullable=False),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suggest", sa.String(length=8), nullable=True),
        sa.PrimaryKeyConstraint("trace_id", name=op.f("pk_media_checks")),
    )
    op.create_index(
        "ix_media_checks_open",
        "media_checks",
        ["asked_at"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(length=8), server_default="open", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idem", sa.String(length=120), nullable=False),
        sa.Column("last_error", sa.String(length=120), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("community_id", "idem", name=op.f("uq_outbox_community_id_idem")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["community_id", "queue", "not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "ix_outbox_sweep", "outbox", ["not_before"], unique=False, postgresql_where=sa.text("state = 'open'")
    )
    op.create_table(
        "person_keys",
        sa.Column("person_id", sa.UUID(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person_keys")),
    )
    op.create_table(
        "photos",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("object_kind", sa.String(length=16), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("stage", sa.String(length=8), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("owner_kind", sa.String(length=8), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("check_state", sa.String(length=8), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("position_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("attached_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_photos")),
    )
    op.create_index(
        "ix_photos_object", "photos", ["community_id", "object_kind", "object_id", "position"], unique=False
    )
    op.create_index(
        "ix_photos_review",
        "photos",
        ["community_id", "id"],
        unique=False,
        postgresql_where=sa.text("check_state = 'review'"),
    )
    op.create_table(
        "regions",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("official_code", sa.String(length=12), nullable=True),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.CheckConstraint("id > 0 AND id < 4294967296", name=op.f("ck_regions_id_fits_wire")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regions")),
    )
    op.create_table(
        "resident_index",
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "resident_id", "kind", "community_id", "object_id", name=op.f("pk_resident_index")
        ),
    )
    op.create_index(
        "ix_resident_index_latest",
        "resident_index",
        ["resident_id", "kind", "updated_at", "object_id"],
        unique=False,
    )
    op.create_table(
        "residents",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("openid_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("nickname_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_residents")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("password_hash", sa.String(length=160), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("account", name=op.f("uq_staff_account")),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_staff_sessions")),
    )
    op.create_index("ix_staff_sessions_staff_id", "staff_sessions", ["staff_id"], unique=False)
    op.create_table(
        "subscribe_credits",
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("credits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("hinted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("resident_id", "template_id", name=op.f("pk_subscribe_credits")),
    )
    op.create_table(
        "uploads",
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("owner_kind", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("check_state", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("position_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attached_community_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_created_at", "uploads", ["created_at"], unique=False)
    op.create_table(
        "wechat_events",
        sa.Column("dedup_hash", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.String(length=48), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("dedup_hash", name=op.f("pk_wechat_events")),
    )
    op.create_table(
        "wechat_notices",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("page", sa.String(length=200), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(length=8), server_default="queued", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("errcode", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_wechat_notices")),
    )
    op.create_index(
        "ix_wechat_notices_due",
        "wechat_notices",
        ["community_id", "not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_wechat_notices_resident", "wechat_notices", ["community_id", "resident_id"], unique=False
    )
    op.create_index(
        "ix_wechat_notices_sweep",
        "wechat_notices",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "consents",
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.id"], name=op.f("fk_consents_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("resident_id", "key", name=op.f("pk_consents")),
    )
    op.create_table(
        "estates",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=160), nullable=True),
        sa.Column("lng", sa.Double(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("outline", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("min_lng", sa.Double(), nullable=False),
        sa.Column("max_lng", sa.Double(), nullable=False),
        sa.Column("min_lat", sa.Double(), nullable=False),
        sa.Column("max_lat", sa.Double(), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["regions.id"], name=op.f("fk_estates_community_id_regions")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_estates")),
        sa.UniqueConstraint("community_id", "name", name=op.f("uq_estates_community_id_name")),
    )
    op.create_index("ix_estates_box", "estates", ["min_lng", "max_lng", "min_lat", "max_lat"], unique=False)
    op.create_table(
        "grids",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(["community_id"], ["regions.id"], name=op.f("fk_grids_community_id_regions")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_grids")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_grids_community_id_code")),
    )
    op.create_table(
        "login_attempts",
        sa.Column("account_hash", sa.LargeBinary(), nullable=False),
        sa.Column("failed", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_hash", name=op.f("pk_login_attempts")),
    )
    op.create_index("ix_login_attempts_last_at", "login_attempts", ["last_at"], unique=False)
    op.create_table(
        "number_counters",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["regions.id"], name=op.f("fk_number_counters_community_id_regions")
        ),
        sa.PrimaryKeyConstraint("community_id", "year", name=op.f("pk_number_counters")),
    )
    op.create_table(
        "orgs",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("region_id", sa.BigInteger(), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_orgs_region_id_regions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orgs")),
    )
    op.create_table(
        "region_terms",
        sa.Column("region_id", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["regions.id"], name=op.f("fk_region_terms_parent_id_regions")
        ),
        sa.ForeignKeyConstraint(
            ["region_id"], ["regions.id"], name=op.f("fk_region_terms_region_id_regions")
        ),
        sa.PrimaryKeyConstraint("region_id", "valid_from", name=op.f("pk_region_terms")),
    )
    op.create_index("ix_region_terms_parent", "region_terms", ["parent_id", "region_id"], unique=False)
    op.create_table(
        "resident_sessions",
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=24), nullable=True),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.id"], name=op.f("fk_resident_sessions_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("resident_id", "id", name=op.f("pk_resident_sessions")),
    )
    op.create_table(
        "buildings",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_buildings_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_buildings")),
        sa.UniqueConstraint(
            "community_id", "estate_id", "name", name=op.f("uq_buildings_community_id_estate_id_name")
        ),
    )
    op.create_table(
        "estate_terms",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("governed_by", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_estate_terms_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["governed_by"], ["regions.id"], name=op.f("fk_estate_terms_governed_by_regions")
        ),
        sa.PrimaryKeyConstraint("community_id", "estate_id", "valid_from", name=op.f("pk_estate_terms")),
    )
    op.create_index("ix_estate_terms_governed_by", "estate_terms", ["governed_by"], unique=False)
    op.create_table(
        "responsibilities",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=True),
        sa.Column("category_code", sa.String(length=32), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_responsibilities_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_responsibilities_org_id_orgs")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_responsibilities")),
    )
    op.create_index(
        "ix_responsibilities_place",
        "responsibilities",
        ["community_id", "estate_id", "category_code"],
        unique=False,
    )
    op.create_table(
        "staff_roles",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("region_id", sa.BigInteger(), nullable=True),
        sa.Column("grid_community_id", sa.BigInteger(), nullable=True),
        sa.Column("grid_id", sa.UUID(), nullable=True),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_staff_roles_org_id_orgs")),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_staff_roles_region_id_regions")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_roles_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_roles")),
    )
    op.create_index("ix_staff_roles_staff_id", "staff_roles", ["staff_id"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("number", sa.String(length=24), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("category_code", sa.String(length=32), nullable=True),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("text_check", sa.String(length=10), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reporter_id", sa.UUID(), nullable=True),
        sa.Column("is_anonymous", sa.Boolean(), nullable=False),
        sa.Column("reporter_name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("contact_phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("estate_id", sa.UUID(), nullable=True),
        sa.Column("grid_id", sa.UUID(), nullable=True),
        sa.Column("lng", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.Column("address", sa.String(length=200), nullable=True),
        sa.Column("org_id", sa.UUID(), nullable=True),
        sa.Column("dispatch_why", sa.String(length=24), nullable=True),
        sa.Column("handler_id", sa.UUID(), nullable=True),
        sa.Column("resolver_id", sa.UUID(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accept_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dispatch_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rating_stars", sa.SmallInteger(), nullable=True),
        sa.Column("rating_solved", sa.Boolean(), nullable=True),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.CheckConstraint("rating_stars BETWEEN 1 AND 5", name=op.f("ck_tickets_stars")),
        sa.ForeignKeyConstraint(
            ["category_code"], ["categories.code"], name=op.f("fk_tickets_category_code_categories")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_tickets_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "grid_id"],
            ["grids.community_id", "grids.id"],
            name=op.f("fk_tickets_community_id_grid_id_grids"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["regions.id"], name=op.f("fk_tickets_community_id_regions")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_tickets_org_id_orgs")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("community_id", "number", name=op.f("uq_tickets_community_id_number")),
    )
    op.create_index("ix_tickets_board", "tickets", ["community_id", "status", "id"], unique=False)
    op.create_index("ix_tickets_closed_at", "tickets", ["community_id", "closed_at"], unique=False)
    op.create_index(
        "ix_tickets_due",
        "tickets",
        ["community_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("status NOT IN ('closed', 'rejected', 'withdrawn')"),
    )
    op.create_index("ix_tickets_estate", "tickets", ["community_id", "estate_id", "id"], unique=False)
    op.create_index("ix_tickets_grid", "tickets", ["community_id", "grid_id", "id"], unique=False)
    op.create_index("ix_tickets_reporter", "tickets", ["community_id", "reporter_id"], unique=False)
    op.create_index("ix_tickets_org", "tickets", ["community_id", "org_id", "status", "id"], unique=False)
    op.create_table(
        "grid_covers",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("grid_id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("building_id", sa.UUID(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "building_id"],
            ["buildings.community_id", "buildings.id"],
            name=op.f("fk_grid_covers_community_id_building_id_buildings"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_grid_covers_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "grid_id"],
            ["grids.community_id", "grids.id"],
            name=op.f("fk_grid_covers_community_id_grid_id_grids"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_grid_covers")),
    )
    op.create_index("ix_grid_covers_estate", "grid_covers", ["community_id", "estate_id"], unique=False)
    op.create_table(
        "ticket_events",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("from_status", sa.String(length=12), nullable=True),
        sa.Column("to_status", sa.String(length=12), nullable=False),
        sa.Column("visibility", sa.String(length=8), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.Column("org_id", sa.UUID(), nullable=True),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("words_key_of", sa.UUID(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_events_community_id_ticket_id_tickets"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_ticket_events")),
        sa.UniqueConstraint(
            "community_id", "ticket_id", "seq", name=op.f("uq_ticket_events_community_id_ticket_id_seq")
        ),
    )
    op.execute(GUARD)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()"
        )
        op.execute(
            f"CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
    op.execute(GRANTS.format(closed=", ".join(f"'{table}'" for table in APPEND_ONLY)))


def downgrade() -> None:
    op.drop_table("ticket_events")
    op.drop_index("ix_grid_covers_estate", table_name="grid_covers")
    op.drop_table("grid_covers")
    op.drop_index("ix_tickets_reporter", table_name="tickets")
    op.drop_index("ix_tickets_org", table_name="tickets")
    op.drop_index("ix_tickets_grid", table_name="tickets")
    op.drop_index("ix_tickets_estate", table_name="tickets")
    op.drop_index(
        "ix_tickets_due",
        table_name="tickets",
        postgresql_where=sa.text("status NOT IN ('closed', 'rejected', 'withdrawn')"),
    )
    op.drop_index("ix_tickets_closed_at", table_name="tickets")
    op.drop_index("ix_tickets_board", table_name="tickets")
    op.drop_table("tickets")
    op.drop_index("ix_staff_roles_staff_id", table_name="staff_roles")
    op.drop_table("staff_roles")
    op.drop_index("ix_responsibilities_place", table_name="responsibilities")
    op.drop_table("responsibilities")
    op.drop_index("ix_estate_terms_governed_by", table_name="estate_terms")
    op.drop_table("estate_terms")
    op.drop_table("buildings")
    op.drop_table("resident_sessions")
    op.drop_index("ix_region_terms_parent", table_name="region_terms")
    op.drop_table("region_terms")
    op.drop_table("orgs")
    op.drop_table("number_counters")
    op.drop_index("ix_login_attempts_last_at", table_name="login_attempts")
    op.drop_table("login_attempts")
    op.drop_table("grids")
    op.drop_index("ix_estates_box", table_name="estates")
    op.drop_table("estates")
    op.drop_table("consents")
    op.drop_index("ix_wechat_notices_resident", table_name="wechat_notices")
    op.drop_index(
        "ix_wechat_notices_sweep", table_name="wechat_notices", postgresql_where=sa.text("state = 'queued'")
    )
    op.drop_index(
        "ix_wechat_notices_due", table_name="wechat_notices", postgresql_where=sa.text("state = 'queued'")
    )
    op.drop_table("wechat_notices")
    op.drop_table("wechat_events")
    op.drop_index("ix_uploads_created_at", table_name="uploads")
    op.drop_table("uploads")
    op.drop_table("subscribe_credits")
    op.drop_index("ix_staff_sessions_staff_id", table_name="staff_sessions")
    op.drop_table("staff_sessions")
    op.drop_table("staff")
    op.drop_table("residents")
    op.drop_index("ix_resident_index_latest", table_name="resident_index")
    op.drop_table("resident_index")
    op.drop_table("regions")
    op.drop_index("ix_photos_review", table_name="photos", postgresql_where=sa.text("check_state = 'review'"))
    op.drop_index("ix_photos_object", table_name="photos")
    op.drop_table("photos")
    op.drop_table("person_keys")
    op.drop_index("ix_outbox_sweep", table_name="outbox", postgresql_where=sa.text("state = 'open'"))
    op.drop_index("ix_outbox_due", table_name="outbox", postgresql_where=sa.text("state = 'open'"))
    op.drop_table("outbox")
    op.drop_index(
        "ix_media_checks_open", table_name="media_checks", postgresql_where=sa.text("settled_at IS NULL")
    )
    op.drop_table("media_checks")
    op.drop_index("ix_inbox_unread", table_name="inbox", postgresql_where=sa.text("read_at IS NULL"))
    op.drop_index("ix_inbox_latest", table_name="inbox")
    op.drop_table("inbox")
    op.drop_index("ix_identity_keys_person_id", table_name="identity_keys")
    op.drop_table("identity_keys")
    op.drop_index("ix_idempotency_keys_created_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("client_tokens")
    op.drop_table("categories")
    op.drop_table("calendar_days")
    op.drop_index("ix_audit_log_object", table_name="audit_log")
    op.drop_index("ix_audit_log_actor", table_name="audit_log")
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_rewriting()")
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_app') AND current_user <> 'jiayuan_app' THEN
                ALTER DEFAULT PRIVILEGES IN SCHEMA public
                    REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLES FROM jiayuan_app;
            END IF;
        END $$
        """
    )
