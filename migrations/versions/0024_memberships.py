"""Memberships: who belongs to which house and on what it rests, objections, voters with their dates, papers.

Whom a co-owner named and who was registered to vote is append-only, behind the two walls of 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# What the application may do with a new table stands in the default privileges of 0001; append-only ones get less.
GRANTS = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_app') AND current_user <> 'jiayuan_app' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON holding_voters, voter_choices FROM jiayuan_app;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_retention') THEN
        GRANT SELECT, DELETE ON holding_voters, voter_choices TO jiayuan_retention;
    END IF;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "attached_papers",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("object_kind", sa.String(length=16), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("owner_kind", sa.String(length=8), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("attached_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_attached_papers")),
    )
    op.create_index(
        "ix_attached_papers_object",
        "attached_papers",
        ["community_id", "object_kind", "object_id", "position"],
        unique=False,
    )
    op.create_table(
        "binding_tries",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("failed", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_binding_tries")),
    )
    op.create_index("ix_binding_tries_last_at", "binding_tries", ["last_at"], unique=False)
    op.create_table(
        "papers",
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("owner_kind", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attached_community_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_papers")),
    )
    op.create_table(
        "registration_reminders",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("reminded_by", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_registration_reminders_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_registration_reminders_community_id_owner_id_owners"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "estate_id", "owner_id", "on_day", name=op.f("pk_registration_reminders")
        ),
    )
    op.create_index(
        "ix_registration_reminders_owner",
        "registration_reminders",
        ["community_id", "owner_id", "on_day"],
        unique=False,
    )
    op.create_table(
        "memberships",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("house_id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("relation", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("review", sa.String(length=16), nullable=True),
        sa.Column("voter_level", sa.String(length=8), nullable=True),
        sa.Column("basis", sa.String(length=12), nullable=True),
        sa.Column("owner_id", sa.UUID(), nullable=True),
        sa.Column("under_id", sa.UUID(), nullable=True),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("id_tail_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=True),
        sa.Column("why", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("vote_held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=20), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'verified') = (voter_level IS NOT NULL)",
            name=op.f("ck_memberships_level_when_verified"),
        ),
        sa.CheckConstraint(
            "voter_level <> 'strong' OR (relation = 'owner' AND owner_id IS NOT NULL)",
            name=op.f("ck_memberships_strong_owner"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_memberships_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "house_id"],
            ["houses.community_id", "houses.id"],
            name=op.f("fk_memberships_community_id_house_id_houses"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_memberships_community_id_owner_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "under_id"],
            ["memberships.community_id", "memberships.id"],
            name=op.f("fk_memberships_community_id_under_id_memberships"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_memberships")),
    )
    op.create_index(
        "ix_memberships_estate", "memberships", ["community_id", "estate_id", "status"], unique=False
    )
    op.create_index("ix_memberships_house", "memberships", ["community_id", "house_id"], unique=False)
    op.create_index("ix_memberships_owner", "memberships", ["community_id", "owner_id"], unique=False)
    op.create_index(
        "ix_memberships_review",
        "memberships",
        ["community_id", "estate_id", "id"],
        unique=False,
        postgresql_where=sa.text("review IS NOT NULL"),
    )
    op.create_index("ix_memberships_under", "memberships", ["community_id", "under_id"], unique=False)
    op.create_index(
        "ix_memberships_until",
        "memberships",
        ["valid_to"],
        unique=False,
        postgresql_where=sa.text("valid_to IS NOT NULL"),
    )
    op.create_index(
        "uq_memberships_open",
        "memberships",
        ["community_id", "house_id", "resident_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'verified')"),
    )
    op.create_table(
        "holding_voters",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("holding_id", sa.UUID(), nullable=False),
        sa.Column("voter_id", sa.UUID(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "holding_id"],
            ["holdings.community_id", "holdings.id"],
            name=op.f("fk_holding_voters_community_id_holding_id_holdings"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "voter_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_holding_voters_community_id_voter_id_owners"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_holding_voters")),
    )
    op.create_index(
        "ix_holding_voters_holding", "holding_voters", ["community_id", "holding_id", "at"], unique=False
    )
    op.create_table(
        "membership_alerts",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("membership_id", sa.UUID(), nullable=False),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("field", sa.String(length=8), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "membership_id"],
            ["memberships.community_id", "memberships.id"],
            name=op.f("fk_membership_alerts_community_id_membership_id_memberships"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_membership_alerts_community_id_owner_id_owners"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "membership_id", "phone_hash", name=op.f("pk_membership_alerts")
        ),
    )
    op.create_index(
        "ix_membership_alerts_owner", "membership_alerts", ["community_id", "owner_id"], unique=False
    )
    op.create_table(
        "membership_objections",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("membership_id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=8), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "membership_id"],
            ["memberships.community_id", "memberships.id"],
            name=op.f("fk_membership_objections_community_id_membership_id_memberships"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "membership_id", "resident_id", name=op.f("pk_membership_objections")
        ),
    )
    op.create_table(
        "voter_choices",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("holding_id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("chosen_id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "chosen_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_voter_choices_community_id_chosen_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "holding_id"],
            ["holdings.community_id", "holdings.id"],
            name=op.f("fk_voter_choices_community_id_holding_id_holdings"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_voter_choices_community_id_owner_id_owners"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_voter_choices")),
    )
    op.create_index("ix_voter_choices_chosen", "voter_choices", ["community_id", "chosen_id"], unique=False)
    op.create_index(
        "ix_voter_choices_holding", "voter_choices", ["community_id", "holding_id", "id"], unique=False
    )
    op.create_index("ix_voter_choices_owner", "voter_choices", ["community_id", "owner_id"], unique=False)
    op.add_column("identity_keys", sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True))
    for table in ("holding_voters", "voter_choices"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()"
        )
        op.execute(
            f"CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
    op.execute(GRANTS)


def downgrade() -> None:
    op.drop_column("identity_keys", "taken_at")
    op.drop_index("ix_voter_choices_owner", table_name="voter_choices")
    op.drop_index("ix_voter_choices_holding", table_name="voter_choices")
    op.drop_index("ix_voter_choices_chosen", table_name="voter_choices")
    op.drop_table("voter_choices")
    op.drop_table("membership_objections")
    op.drop_index("ix_membership_alerts_owner", table_name="membership_alerts")
    op.drop_table("membership_alerts")
    op.drop_index("ix_holding_voters_holding", table_name="holding_voters")
    op.drop_table("holding_voters")
    op.drop_index(
        "uq_memberships_open",
        table_name="memberships",
        postgresql_where=sa.text("status IN ('pending', 'verified')"),
    )
    op.drop_index(
        "ix_memberships_until", table_name="memberships", postgresql_where=sa.text("valid_to IS NOT NULL")
    )
    op.drop_index("ix_memberships_under", table_name="memberships")
    op.drop_index(
        "ix_memberships_review", table_name="memberships", postgresql_where=sa.text("review IS NOT NULL")
    )
    op.drop_index("ix_memberships_owner", table_name="memberships")
    op.drop_index("ix_memberships_house", table_name="memberships")
    op.drop_index("ix_memberships_estate", table_name="memberships")
    op.drop_table("memberships")
    op.drop_index("ix_registration_reminders_owner", table_name="registration_reminders")
    op.drop_table("registration_reminders")
    op.drop_table("papers")
    op.drop_index("ix_binding_tries_last_at", table_name="binding_tries")
    op.drop_table("binding_tries")
    op.drop_index("ix_attached_papers_object", table_name="attached_papers")
    op.drop_table("attached_papers")
