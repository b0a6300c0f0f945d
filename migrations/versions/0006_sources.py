"""Sources: other systems, their keys, what they handed in, what they are owed; likely duplicates.

The indexes on `tickets` are built beside the traffic: a big table must not stand still for them.
That ends the transaction before them, so everything here can be run again.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OPEN_TICKETS = {
    "ix_tickets_open_estate": ["community_id", "estate_id", "reported_at"],
    "ix_tickets_open_near": ["community_id", "lat", "lng"],
}


def upgrade() -> None:
    op.create_table(
        "source_claims",
        sa.Column("number_hash", sa.LargeBinary(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number_hash", name=op.f("pk_source_claims")),
        if_not_exists=True,
    )
    op.create_table(
        "source_nonces",
        sa.Column("nonce_hash", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("nonce_hash", name=op.f("pk_source_nonces")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_source_nonces_seen_at", "source_nonces", ["seen_at"], unique=False, if_not_exists=True
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("region_id", sa.BigInteger(), nullable=False),
        sa.Column("desk_id", sa.BigInteger(), nullable=False),
        sa.Column("callback_url", sa.String(length=300), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_sources_span")),
        sa.ForeignKeyConstraint(["desk_id"], ["regions.id"], name=op.f("fk_sources_desk_id_regions")),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_sources_region_id_regions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("code", name=op.f("uq_sources_code")),
        if_not_exists=True,
    )
    op.create_table(
        "source_keys",
        sa.Column("key_id", sa.String(length=24), nullable=False),
        sa.Column("source_id", sa.UUID(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_source_keys_source_id_sources")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_source_keys")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_source_keys_source_id", "source_keys", ["source_id"], unique=False, if_not_exists=True
    )
    op.create_table(
        "source_lanes",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.UUID(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("last_error", sa.String(length=60), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_source_lanes_source_id_sources")
        ),
        sa.PrimaryKeyConstraint("community_id", "source_id", name=op.f("pk_source_lanes")),
        if_not_exists=True,
    )
    op.create_table(
        "source_statuses",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.UUID(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=8), server_default="open", nullable=False),
        sa.Column("last_error", sa.String(length=60), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_source_statuses_source_id_sources")
        ),
        sa.PrimaryKeyConstraint("community_id", "ticket_id", "seq", name=op.f("pk_source_statuses")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_source_statuses_open",
        "source_statuses",
        ["community_id", "source_id", "ticket_id", "seq"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_source_statuses_queued_at", "source_statuses", ["queued_at"], unique=False, if_not_exists=True
    )
    op.create_table(
        "source_tickets",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("source_id", sa.UUID(), nullable=False),
        sa.Column("external_number", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=24), nullable=False),
        sa.Column("last_seq", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_source_tickets_source_id_sources")
        ),
        sa.PrimaryKeyConstraint("community_id", "ticket_id", name=op.f("pk_source_tickets")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_source_tickets_number",
        "source_tickets",
        ["community_id", "source_id", "external_number"],
        unique=False,
        if_not_exists=True,
    )
    op.create_table(
        "ticket_matches",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("other_id", sa.UUID(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("why", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("matched_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "other_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_matches_community_id_other_id_tickets"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_matches_community_id_ticket_id_tickets"),
        ),
        sa.PrimaryKeyConstraint("community_id", "ticket_id", "other_id", name=op.f("pk_ticket_matches")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_ticket_matches_other",
        "ticket_matches",
        ["community_id", "other_id"],
        unique=False,
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        for name, columns in OPEN_TICKETS.items():
            op.create_index(
                name,
                "tickets",
                columns,
                postgresql_where=sa.text("ended_at IS NULL"),
                postgresql_concurrently=True,
                if_not_exists=True,
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in OPEN_TICKETS:
            op.drop_index(name, table_name="tickets", postgresql_concurrently=True, if_exists=True)
    op.drop_index("ix_ticket_matches_other", table_name="ticket_matches")
    op.drop_table("ticket_matches")
    op.drop_index("ix_source_tickets_number", table_name="source_tickets")
    op.drop_table("source_tickets")
    op.drop_index("ix_source_statuses_queued_at", table_name="source_statuses")
    op.drop_index(
        "ix_source_statuses_open", table_name="source_statuses", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_table("source_statuses")
    op.drop_table("source_lanes")
    op.drop_index("ix_source_keys_source_id", table_name="source_keys")
    op.drop_table("source_keys")
    op.drop_table("sources")
    op.drop_index("ix_source_nonces_seen_at", table_name="source_nonces")
    op.drop_table("source_nonces")
    op.drop_table("source_claims")
