"""Focus groups: the dated list of groups, who is in one, and on what ground."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "focus_kinds",
        sa.Column("code", sa.String(length=24), nullable=False),
        sa.Column("basis", sa.String(length=8), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_focus_kinds")),
    )
    op.create_table(
        "focus_kind_terms",
        sa.Column("code", sa.String(length=24), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("duty", sa.String(length=200), nullable=True),
        sa.Column("review_months", sa.SmallInteger(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_focus_kind_terms_span")
        ),
        sa.ForeignKeyConstraint(
            ["code"], ["focus_kinds.code"], name=op.f("fk_focus_kind_terms_code_focus_kinds")
        ),
        sa.PrimaryKeyConstraint("code", "valid_from", name=op.f("pk_focus_kind_terms")),
    )
    op.create_table(
        "focus_persons",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("house_id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=True),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("name_hash", sa.LargeBinary(), nullable=True),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=True),
        sa.Column("id_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id_hash", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(owner_id IS NULL) = (name_sealed IS NOT NULL)", name=op.f("ck_focus_persons_named_once")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "house_id"],
            ["houses.community_id", "houses.id"],
            name=op.f("fk_focus_persons_community_id_house_id_houses"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_focus_persons_community_id_owner_id_owners"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_focus_persons")),
    )
    op.create_index("ix_focus_persons_house", "focus_persons", ["community_id", "house_id"], unique=False)
    op.create_index("ix_focus_persons_owner", "focus_persons", ["community_id", "owner_id"], unique=False)
    op.create_table(
        "focus_tags",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("person_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("basis", sa.String(length=8), nullable=False),
        sa.Column("paper", sa.String(length=40), nullable=True),
        sa.Column("consented_on", sa.Date(), nullable=True),
        sa.Column("consent_by", sa.String(length=8), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("review_on", sa.Date(), nullable=False),
        sa.Column("set_by", sa.UUID(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_reason", sa.String(length=20), nullable=True),
        sa.Column("ended_by", sa.UUID(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "basis <> 'consent' OR (paper IS NOT NULL AND consented_on IS NOT NULL AND consent_by IS NOT NULL)",
            name=op.f("ck_focus_tags_consent_proved"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_focus_tags_span")),
        sa.ForeignKeyConstraint(
            ["community_id", "person_id"],
            ["focus_persons.community_id", "focus_persons.id"],
            name=op.f("fk_focus_tags_community_id_person_id_focus_persons"),
        ),
        sa.ForeignKeyConstraint(["kind"], ["focus_kinds.code"], name=op.f("fk_focus_tags_kind_focus_kinds")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_focus_tags")),
    )
    op.create_index("ix_focus_tags_kind", "focus_tags", ["community_id", "kind"], unique=False)
    op.create_index(
        "uq_focus_tags_open",
        "focus_tags",
        ["community_id", "person_id", "kind"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_focus_tags_open", table_name="focus_tags", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index("ix_focus_tags_kind", table_name="focus_tags")
    op.drop_table("focus_tags")
    op.drop_index("ix_focus_persons_owner", table_name="focus_persons")
    op.drop_index("ix_focus_persons_house", table_name="focus_persons")
    op.drop_table("focus_persons")
    op.drop_table("focus_kind_terms")
    op.drop_table("focus_kinds")
