"""The complete loop: pauses, extensions, shared work, supervision, merging, referral, versions of the calendar."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "calendar_versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loaded_by", sa.UUID(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_calendar_versions")),
    )
    op.create_table(
        "ticket_callbacks",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("stars", sa.SmallInteger(), nullable=False),
        sa.Column("solved", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=True),
        sa.Column("by", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name=op.f("ck_ticket_callbacks_stars")),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_callbacks_community_id_ticket_id_tickets"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_ticket_callbacks")),
    )
    op.create_index(
        "ix_ticket_callbacks_ticket", "ticket_callbacks", ["community_id", "ticket_id"], unique=False
    )
    op.create_table(
        "ticket_extensions",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("asked_by", sa.UUID(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_extensions_community_id_ticket_id_tickets"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_ticket_extensions")),
    )
    op.create_index(
        "ix_ticket_extensions_ticket", "ticket_extensions", ["community_id", "ticket_id"], unique=False
    )
    op.create_index(
        "uq_ticket_extensions_pending",
        "ticket_extensions",
        ["community_id", "ticket_id"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "ticket_followers",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("own_ticket_id", sa.UUID(), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_followers_community_id_ticket_id_tickets"),
        ),
        sa.PrimaryKeyConstraint("community_id", "ticket_id", "resident_id", name=op.f("pk_ticket_followers")),
    )
    op.create_table(
        "ticket_parts",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("task", sa.String(length=500), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.UUID(), nullable=True),
        sa.Column("done_note", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_ticket_parts_community_id_ticket_id_tickets"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_ticket_parts_org_id_orgs")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_ticket_parts")),
        sa.UniqueConstraint(
            "community_id", "ticket_id", "org_id", name=op.f("uq_ticket_parts_community_id_ticket_id_org_id")
        ),
    )
    op.add_column("calendar_days", sa.Column("is_half", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("calendar_days", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("tickets", sa.Column("first_resolved_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("stage_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("standing_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("standing_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("supervised", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column(
        "tickets", sa.Column("supervise_level", sa.SmallInteger(), server_default="0", nullable=False)
    )
    op.add_column("tickets", sa.Column("urged", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("tickets", sa.Column("last_urged_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("returns", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("tickets", sa.Column("me_too", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("tickets", sa.Column("is_repeated", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("tickets", sa.Column("is_excluded", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("tickets", sa.Column("closer_org_id", sa.UUID(), nullable=True))
    op.add_column("tickets", sa.Column("merged_into", sa.UUID(), nullable=True))
    op.add_column("tickets", sa.Column("referred_community", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("referred_to", sa.UUID(), nullable=True))
    op.add_column("tickets", sa.Column("origin_community", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("origin_id", sa.UUID(), nullable=True))
    op.add_column("tickets", sa.Column("first_reported_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("watch_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("uploads", sa.Column("dhash", sa.BigInteger(), nullable=True))
    op.add_column("photos", sa.Column("dhash", sa.BigInteger(), nullable=True))
    op.add_column("photos", sa.Column("carried_from", sa.BigInteger(), nullable=True))
    op.add_column("photos", sa.Column("carried_to", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("photos", "carried_to")
    op.drop_column("photos", "carried_from")
    op.drop_column("photos", "dhash")
    op.drop_column("uploads", "dhash")
    op.drop_column("tickets", "watch_at")
    op.drop_column("tickets", "first_reported_at")
    op.drop_column("tickets", "origin_id")
    op.drop_column("tickets", "origin_community")
    op.drop_column("tickets", "referred_to")
    op.drop_column("tickets", "referred_community")
    op.drop_column("tickets", "merged_into")
    op.drop_column("tickets", "closer_org_id")
    op.drop_column("tickets", "is_excluded")
    op.drop_column("tickets", "is_repeated")
    op.drop_column("tickets", "me_too")
    op.drop_column("tickets", "returns")
    op.drop_column("tickets", "last_urged_at")
    op.drop_column("tickets", "urged")
    op.drop_column("tickets", "supervise_level")
    op.drop_column("tickets", "supervised")
    op.drop_column("tickets", "breached_at")
    op.drop_column("tickets", "warned_at")
    op.drop_column("tickets", "standing_until")
    op.drop_column("tickets", "standing_since")
    op.drop_column("tickets", "stage_due_at")
    op.drop_column("tickets", "first_resolved_at")
    op.drop_column("calendar_days", "version")
    op.drop_column("calendar_days", "is_half")
    op.drop_table("ticket_parts")
    op.drop_table("ticket_followers")
    op.drop_index(
        "uq_ticket_extensions_pending",
        table_name="ticket_extensions",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index("ix_ticket_extensions_ticket", table_name="ticket_extensions")
    op.drop_table("ticket_extensions")
    op.drop_index("ix_ticket_callbacks_ticket", table_name="ticket_callbacks")
    op.drop_table("ticket_callbacks")
    op.drop_table("calendar_versions")
