"""Patrols: points, plans with their dated terms, shifts, tracks, visits, and the grades of zones.

Visits and grades are append-only, behind the two walls of 0001. Tracks and readings say where a person was:
the application erases them after 30 days, so they aren't.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

APPEND_ONLY = ("patrol_visits", "patrol_zone_grades")
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
        "patrol_open_shifts",
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("shift_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_patrol_open_shifts")),
    )
    op.create_table(
        "patrol_readings",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("visit_id", sa.UUID(), nullable=False),
        sa.Column("shift_id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("community_id", "visit_id", name=op.f("pk_patrol_readings")),
    )
    op.create_index("ix_patrol_readings_at", "patrol_readings", ["community_id", "at"], unique=False)
    op.create_index(
        "ix_patrol_readings_same",
        "patrol_readings",
        ["community_id", "staff_id", "fingerprint"],
        unique=False,
    )
    op.create_index("ix_patrol_readings_shift", "patrol_readings", ["community_id", "shift_id"], unique=False)
    op.create_table(
        "patrol_settings",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["regions.id"], name=op.f("fk_patrol_settings_community_id_regions")
        ),
        sa.PrimaryKeyConstraint("community_id", "key", "since", name=op.f("pk_patrol_settings")),
    )
    op.create_table(
        "patrol_plans",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_patrol_plans_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["regions.id"], name=op.f("fk_patrol_plans_community_id_regions")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_patrol_plans")),
    )
    op.create_index(
        "ix_patrol_plans_estate", "patrol_plans", ["community_id", "estate_id", "id"], unique=False
    )
    op.create_table(
        "patrol_points",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=True),
        sa.Column("grid_id", sa.UUID(), nullable=True),
        sa.Column("proof", sa.String(length=8), nullable=False),
        sa.Column("lng", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("radius_m", sa.SmallInteger(), nullable=False),
        sa.Column("code_no", sa.SmallInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "proof = 'qr' OR lng IS NOT NULL", name=op.f("ck_patrol_points_position_to_compare_with")
        ),
        sa.CheckConstraint(
            "estate_id IS NOT NULL OR grid_id IS NOT NULL", name=op.f("ck_patrol_points_somewhere")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_patrol_points_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "grid_id"],
            ["grids.community_id", "grids.id"],
            name=op.f("fk_patrol_points_community_id_grid_id_grids"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["regions.id"], name=op.f("fk_patrol_points_community_id_regions")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_patrol_points")),
    )
    op.create_index(
        "ix_patrol_points_estate", "patrol_points", ["community_id", "estate_id", "id"], unique=False
    )
    op.create_index("ix_patrol_points_grid", "patrol_points", ["community_id", "grid_id", "id"], unique=False)
    op.create_table(
        "patrol_zone_grades",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("grid_id", sa.UUID(), nullable=False),
        sa.Column("graded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grade", sa.String(length=8), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(length=8), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("regular_from", sa.Integer(), nullable=False),
        sa.Column("key_from", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "grid_id"],
            ["grids.community_id", "grids.id"],
            name=op.f("fk_patrol_zone_grades_community_id_grid_id_grids"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_patrol_zone_grades")),
    )
    op.create_index(
        "ix_patrol_zone_grades_newest",
        "patrol_zone_grades",
        ["community_id", "grid_id", "graded_at"],
        unique=False,
    )
    op.create_index("ix_patrol_zone_grades_graded_at", "patrol_zone_grades", ["graded_at"], unique=False)
    op.create_table(
        "patrol_zones",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("grid_id", sa.UUID(), nullable=False),
        sa.Column("homes", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("homes > 0", name=op.f("ck_patrol_zones_homes")),
        sa.ForeignKeyConstraint(
            ["community_id", "grid_id"],
            ["grids.community_id", "grids.id"],
            name=op.f("fk_patrol_zones_community_id_grid_id_grids"),
        ),
        sa.PrimaryKeyConstraint("community_id", "grid_id", name=op.f("pk_patrol_zones")),
    )
    op.create_table(
        "patrol_plan_terms",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.UUID(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("grade", sa.String(length=8), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=True),
        sa.Column("grid_id", sa.UUID(), nullable=True),
        sa.Column("walkers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("weekdays", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("windows", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "org_id IS NOT NULL OR grid_id IS NOT NULL", name=op.f("ck_patrol_plan_terms_somebody")
        ),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_patrol_plan_terms_forward")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "grid_id"],
            ["grids.community_id", "grids.id"],
            name=op.f("fk_patrol_plan_terms_community_id_grid_id_grids"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "plan_id"],
            ["patrol_plans.community_id", "patrol_plans.id"],
            name=op.f("fk_patrol_plan_terms_community_id_plan_id_patrol_plans"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_patrol_plan_terms_org_id_orgs")),
        sa.PrimaryKeyConstraint("community_id", "plan_id", "valid_from", name=op.f("pk_patrol_plan_terms")),
    )
    op.create_table(
        "patrol_shifts",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("plan_id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=True),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cap_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=8), nullable=True),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("head_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "plan_id"],
            ["patrol_plans.community_id", "patrol_plans.id"],
            name=op.f("fk_patrol_shifts_community_id_plan_id_patrol_plans"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_patrol_shifts_org_id_orgs")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_patrol_shifts")),
    )
    op.create_index(
        "ix_patrol_shifts_head",
        "patrol_shifts",
        ["community_id", "cap_at"],
        unique=False,
        postgresql_where=sa.text("head_sealed IS NOT NULL"),
    )
    op.create_index(
        "ix_patrol_shifts_open",
        "patrol_shifts",
        ["community_id", "cap_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_patrol_shifts_plan", "patrol_shifts", ["community_id", "plan_id", "started_at"], unique=False
    )
    op.create_index(
        "ix_patrol_shifts_staff", "patrol_shifts", ["community_id", "staff_id", "id"], unique=False
    )
    op.create_table(
        "patrol_stops",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.UUID(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("point_id", sa.UUID(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "plan_id", "valid_from"],
            ["patrol_plan_terms.community_id", "patrol_plan_terms.plan_id", "patrol_plan_terms.valid_from"],
            name=op.f("fk_patrol_stops_term"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "point_id"],
            ["patrol_points.community_id", "patrol_points.id"],
            name=op.f("fk_patrol_stops_community_id_point_id_patrol_points"),
        ),
        sa.PrimaryKeyConstraint("community_id", "plan_id", "valid_from", "seq", name=op.f("pk_patrol_stops")),
        sa.UniqueConstraint(
            "community_id",
            "plan_id",
            "valid_from",
            "point_id",
            name=op.f("uq_patrol_stops_community_id_plan_id_valid_from_point_id"),
        ),
    )
    op.create_table(
        "patrol_tracks",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("shift_id", sa.UUID(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "shift_id"],
            ["patrol_shifts.community_id", "patrol_shifts.id"],
            name=op.f("fk_patrol_tracks_community_id_shift_id_patrol_shifts"),
        ),
        sa.PrimaryKeyConstraint("community_id", "shift_id", "from_at", name=op.f("pk_patrol_tracks")),
    )
    op.create_index("ix_patrol_tracks_to_at", "patrol_tracks", ["community_id", "to_at"], unique=False)
    op.create_table(
        "patrol_visits",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("shift_id", sa.UUID(), nullable=False),
        sa.Column("plan_id", sa.UUID(), nullable=False),
        sa.Column("point_id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scan_id", sa.String(length=64), nullable=True),
        sa.Column("has_code", sa.Boolean(), nullable=False),
        sa.Column("distance_m", sa.Integer(), nullable=True),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ticket_id", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "point_id"],
            ["patrol_points.community_id", "patrol_points.id"],
            name=op.f("fk_patrol_visits_community_id_point_id_patrol_points"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "shift_id"],
            ["patrol_shifts.community_id", "patrol_shifts.id"],
            name=op.f("fk_patrol_visits_community_id_shift_id_patrol_shifts"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_patrol_visits_community_id_ticket_id_tickets"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_patrol_visits")),
    )
    op.create_index("ix_patrol_visits_plan", "patrol_visits", ["community_id", "plan_id", "at"], unique=False)
    op.create_index(
        "ix_patrol_visits_scan", "patrol_visits", ["community_id", "staff_id", "scan_id"], unique=False
    )
    op.create_index(
        "ix_patrol_visits_shift", "patrol_visits", ["community_id", "shift_id", "at"], unique=False
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
    op.drop_index("ix_patrol_visits_shift", table_name="patrol_visits")
    op.drop_index("ix_patrol_visits_scan", table_name="patrol_visits")
    op.drop_index("ix_patrol_visits_plan", table_name="patrol_visits")
    op.drop_table("patrol_visits")
    op.drop_index("ix_patrol_tracks_to_at", table_name="patrol_tracks")
    op.drop_table("patrol_tracks")
    op.drop_table("patrol_stops")
    op.drop_index("ix_patrol_shifts_staff", table_name="patrol_shifts")
    op.drop_index("ix_patrol_shifts_plan", table_name="patrol_shifts")
    op.drop_index(
        "ix_patrol_shifts_open", table_name="patrol_shifts", postgresql_where=sa.text("ended_at IS NULL")
    )
    op.drop_index(
        "ix_patrol_shifts_head",
        table_name="patrol_shifts",
        postgresql_where=sa.text("head_sealed IS NOT NULL"),
    )
    op.drop_table("patrol_shifts")
    op.drop_table("patrol_plan_terms")
    op.drop_table("patrol_zones")
    op.drop_index("ix_patrol_zone_grades_graded_at", table_name="patrol_zone_grades")
    op.drop_index("ix_patrol_zone_grades_newest", table_name="patrol_zone_grades")
    op.drop_table("patrol_zone_grades")
    op.drop_index("ix_patrol_points_grid", table_name="patrol_points")
    op.drop_index("ix_patrol_points_estate", table_name="patrol_points")
    op.drop_table("patrol_points")
    op.drop_index("ix_patrol_plans_estate", table_name="patrol_plans")
    op.drop_table("patrol_plans")
    op.drop_table("patrol_settings")
    op.drop_index("ix_patrol_readings_shift", table_name="patrol_readings")
    op.drop_index("ix_patrol_readings_same", table_name="patrol_readings")
    op.drop_index("ix_patrol_readings_at", table_name="patrol_readings")
    op.drop_table("patrol_readings")
    op.drop_table("patrol_open_shifts")
