"""The registry: units, houses, owners, holdings, where each field came from, imports; an outline for each place.

Marks say where a value came from and are append-only, behind the two walls of 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# What the application may do with a new table stands in the default privileges of 0001; append-only ones get less.
GRANTS = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_app') AND current_user <> 'jiayuan_app' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON registry_marks FROM jiayuan_app;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'jiayuan_retention') THEN
        GRANT SELECT, DELETE ON registry_marks TO jiayuan_retention;
    END IF;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "owners",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("name_hash", sa.LargeBinary(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=True),
        sa.Column("phone2_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone2_hash", sa.LargeBinary(), nullable=True),
        sa.Column("id_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id_hash", sa.LargeBinary(), nullable=True),
        sa.Column("same_as", sa.UUID(), nullable=True),
        sa.Column("is_apart", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.CheckConstraint("same_as <> id", name=op.f("ck_owners_not_own_twin")),
        sa.ForeignKeyConstraint(
            ["community_id", "same_as"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_owners_community_id_same_as_owners"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_owners")),
    )
    op.create_index("ix_owners_id_hash", "owners", ["community_id", "id_hash"], unique=False)
    op.create_index("ix_owners_name_hash", "owners", ["community_id", "name_hash"], unique=False)
    op.create_index("ix_owners_phone2_hash", "owners", ["community_id", "phone2_hash"], unique=False)
    op.create_index("ix_owners_phone_hash", "owners", ["community_id", "phone_hash"], unique=False)
    op.create_index("ix_owners_same_as", "owners", ["community_id", "same_as"], unique=False)
    op.create_table(
        "registry_imports",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("file_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("file_bytes", sa.Integer(), nullable=False),
        sa.Column("file_kind", sa.String(length=8), nullable=False),
        sa.Column("file_kept", sa.Boolean(), nullable=False),
        sa.Column("errors_kept", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("estate_community_id", sa.BigInteger(), nullable=True),
        sa.Column("estate_id", sa.UUID(), nullable=True),
        sa.Column("reach", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("headings", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("problem", sa.String(length=40), nullable=True),
        sa.Column("round", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_by", sa.UUID(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_registry_imports")),
    )
    op.create_index(
        "ix_registry_imports_files",
        "registry_imports",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("file_kept"),
    )
    op.create_index(
        "ix_registry_imports_latest", "registry_imports", ["community_id", "created_at"], unique=False
    )
    op.create_table(
        "registry_marks",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("object_kind", sa.String(length=8), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(sa.String(length=16)), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("import_id", sa.UUID(), nullable=True),
        sa.Column("sheet", sa.String(length=40), nullable=True),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_registry_marks")),
    )
    op.create_index(
        "ix_registry_marks_object", "registry_marks", ["community_id", "object_id", "at"], unique=False
    )
    op.create_table(
        "registry_stamps",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_registry_stamps")),
    )
    op.create_table(
        "registry_problems",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("import_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("sheet", sa.String(length=40), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("column", sa.String(length=4), nullable=True),
        sa.Column("field", sa.String(length=16), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("other_row", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "import_id"],
            ["registry_imports.community_id", "registry_imports.id"],
            name=op.f("fk_registry_problems_community_id_import_id_registry_imports"),
        ),
        sa.PrimaryKeyConstraint("community_id", "import_id", "seq", name=op.f("pk_registry_problems")),
    )
    op.create_table(
        "units",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("building_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("outline", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "building_id"],
            ["buildings.community_id", "buildings.id"],
            name=op.f("fk_units_community_id_building_id_buildings"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_units")),
        sa.UniqueConstraint(
            "community_id", "building_id", "name", name=op.f("uq_units_community_id_building_id_name")
        ),
    )
    op.create_table(
        "houses",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("building_id", sa.UUID(), nullable=True),
        sa.Column("unit_id", sa.UUID(), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=140), nullable=False),
        sa.Column("registered_centi", sa.Integer(), nullable=True),
        sa.Column("surveyed_centi", sa.Integer(), nullable=True),
        sa.Column("contract_centi", sa.Integer(), nullable=True),
        sa.Column("area_centi", sa.Integer(), nullable=True),
        sa.Column("area_basis", sa.String(length=10), nullable=True),
        sa.Column("outline", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_demo", sa.Boolean(), server_default="false", nullable=False),
        sa.CheckConstraint(
            "area_basis IS NOT DISTINCT FROM CASE WHEN registered_centi IS NOT NULL THEN 'registered'"
            " WHEN surveyed_centi IS NOT NULL THEN 'surveyed'"
            " WHEN contract_centi IS NOT NULL THEN 'contract' END",
            name=op.f("ck_houses_basis_counts"),
        ),
        sa.CheckConstraint(
            "area_centi IS NOT DISTINCT FROM coalesce(registered_centi, surveyed_centi, contract_centi)",
            name=op.f("ck_houses_area_counts"),
        ),
        sa.CheckConstraint("contract_centi > 0", name=op.f("ck_houses_contract_positive")),
        sa.CheckConstraint("registered_centi > 0", name=op.f("ck_houses_registered_positive")),
        sa.CheckConstraint("surveyed_centi > 0", name=op.f("ck_houses_surveyed_positive")),
        sa.ForeignKeyConstraint(
            ["community_id", "building_id"],
            ["buildings.community_id", "buildings.id"],
            name=op.f("fk_houses_community_id_building_id_buildings"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_houses_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["units.community_id", "units.id"],
            name=op.f("fk_houses_community_id_unit_id_units"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_houses")),
        sa.UniqueConstraint(
            "community_id", "estate_id", "key", name=op.f("uq_houses_community_id_estate_id_key")
        ),
    )
    op.create_index("ix_houses_building", "houses", ["community_id", "building_id"], unique=False)
    op.create_index("ix_houses_number", "houses", ["community_id", "number"], unique=False)
    op.create_table(
        "holdings",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("house_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("voter_id", sa.UUID(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("import_id", sa.UUID(), nullable=True),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_holdings_span")),
        sa.ForeignKeyConstraint(
            ["community_id", "house_id"],
            ["houses.community_id", "houses.id"],
            name=op.f("fk_holdings_community_id_house_id_houses"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "voter_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_holdings_community_id_voter_id_owners"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_holdings")),
    )
    op.create_index("ix_holdings_house", "holdings", ["community_id", "house_id", "valid_from"], unique=False)
    op.create_index(
        "uq_holdings_open",
        "holdings",
        ["community_id", "house_id"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "holding_owners",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("holding_id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "holding_id"],
            ["holdings.community_id", "holdings.id"],
            name=op.f("fk_holding_owners_community_id_holding_id_holdings"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_holding_owners_community_id_owner_id_owners"),
        ),
        sa.PrimaryKeyConstraint("community_id", "holding_id", "owner_id", name=op.f("pk_holding_owners")),
    )
    op.create_index("ix_holding_owners_owner", "holding_owners", ["community_id", "owner_id"], unique=False)
    op.add_column("buildings", sa.Column("outline", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("grids", sa.Column("outline", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("regions", sa.Column("outline", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    for table in ("buildings", "estates", "grids", "orgs"):
        op.add_column(table, sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry_marks"
        " FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()"
    )
    op.execute(
        "CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON registry_marks"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
    )
    op.execute(GRANTS)


def downgrade() -> None:
    for table in ("buildings", "estates", "grids", "orgs"):
        op.drop_column(table, "version")
    op.drop_column("regions", "outline")
    op.drop_column("grids", "outline")
    op.drop_column("buildings", "outline")
    op.drop_index("ix_holding_owners_owner", table_name="holding_owners")
    op.drop_table("holding_owners")
    op.drop_index("uq_holdings_open", table_name="holdings", postgresql_where=sa.text("valid_to IS NULL"))
    op.drop_index("ix_holdings_house", table_name="holdings")
    op.drop_table("holdings")
    op.drop_index("ix_houses_number", table_name="houses")
    op.drop_index("ix_houses_building", table_name="houses")
    op.drop_table("houses")
    op.drop_table("units")
    op.drop_table("registry_problems")
    op.drop_table("registry_stamps")
    op.drop_index("ix_registry_marks_object", table_name="registry_marks")
    op.drop_table("registry_marks")
    op.drop_index("ix_registry_imports_latest", table_name="registry_imports")
    op.drop_index(
        "ix_registry_imports_files", table_name="registry_imports", postgresql_where=sa.text("file_kept")
    )
    op.drop_table("registry_imports")
    op.drop_index("ix_owners_same_as", table_name="owners")
    op.drop_index("ix_owners_phone_hash", table_name="owners")
    op.drop_index("ix_owners_phone2_hash", table_name="owners")
    op.drop_index("ix_owners_name_hash", table_name="owners")
    op.drop_index("ix_owners_id_hash", table_name="owners")
    op.drop_table("owners")
