"""Votes: decisions with their rules, the frozen roll, ballots, their log, and results.

What trust rests on is append-only, behind the two walls of 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

APPEND_ONLY = (
    "procedure_rules",
    "voting_modes",
    "anchors",
    "ballot_leaves",
    "certified_results",
    "decision_deliveries",
    "decision_events",
    "ledger_nodes",
    "official_results",
    "roll_heads",
    "tree_heads",
    "vote_attempts",
    "ballots",
    "openings",
    "roll_houses",
    "roll_owners",
)
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
        "signing_keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("alg", sa.String(length=20), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("private_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "decisions",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("legal_mode", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("building_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("previous_id", sa.UUID(), nullable=True),
        sa.Column("petition_id", sa.UUID(), nullable=True),
        sa.Column("texts_nonce", sa.String(length=64), nullable=False),
        sa.Column("nominations_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("objections_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced_closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extension_reason", sa.String(length=200), nullable=True),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heads", sa.Integer(), nullable=True),
        sa.Column("area_centi", sa.BigInteger(), nullable=True),
        sa.Column("roll_root_hash", sa.LargeBinary(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("certified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filing_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filing_number", sa.String(length=60), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.String(length=200), nullable=True),
        sa.Column("created_by", sa.UUID(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind <> 'poll' OR legal_mode = 'poll'", name=op.f("ck_decisions_poll_stays_poll")
        ),
        sa.CheckConstraint(
            "status <> 'cancelled' OR cancel_reason IS NOT NULL",
            name=op.f("ck_decisions_cancelled_with_reason"),
        ),
        sa.CheckConstraint(
            "status <> 'open' OR frozen_at IS NOT NULL", name=op.f("ck_decisions_open_when_frozen")
        ),
        sa.CheckConstraint("closes_at > opens_at", name=op.f("ck_decisions_window")),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_decisions_community_id_estate_id_estates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "previous_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_decisions_community_id_previous_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_estate", "decisions", ["community_id", "estate_id", "status"], unique=False)
    op.create_index(
        "ix_decisions_running",
        "decisions",
        ["status", "opens_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('announced', 'open', 'closed', 'certified', 'posted')"),
    )
    op.create_table(
        "petitions",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("motions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("started_by", sa.UUID(), nullable=True),
        sa.Column("decision_id", sa.UUID(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_petitions_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_petitions")),
    )
    op.create_index("ix_petitions_estate", "petitions", ["community_id", "estate_id", "status"], unique=False)
    op.create_table(
        "procedure_rules",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("document", sa.String(length=200), nullable=True),
        sa.Column("clause", sa.String(length=200), nullable=True),
        sa.Column("adopted_on", sa.Date(), nullable=True),
        sa.Column("set_by", sa.UUID(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_procedure_rules_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_procedure_rules")),
        sa.UniqueConstraint(
            "community_id",
            "estate_id",
            "version",
            name=op.f("uq_procedure_rules_community_id_estate_id_version"),
        ),
    )
    op.create_table(
        "voting_modes",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("document", sa.String(length=200), nullable=True),
        sa.Column("system", sa.String(length=100), nullable=True),
        sa.Column("set_by", sa.UUID(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode = 'poll' OR document IS NOT NULL", name=op.f("ck_voting_modes_documented")),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_voting_modes_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_voting_modes")),
    )
    op.create_index(
        "ix_voting_modes_estate", "voting_modes", ["community_id", "estate_id", "set_at"], unique=False
    )
    op.create_table(
        "anchors",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_anchors_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", "at", name=op.f("pk_anchors")),
    )
    op.create_table(
        "ballot_leaves",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=True),
        sa.Column("rev", sa.SmallInteger(), nullable=True),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_ballot_leaves_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", "leaf_index", name=op.f("pk_ballot_leaves")),
        sa.UniqueConstraint(
            "community_id",
            "decision_id",
            "head_id",
            "rev",
            name=op.f("uq_ballot_leaves_community_id_decision_id_head_id_rev"),
        ),
    )
    op.create_table(
        "certified_results",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("log_size", sa.Integer(), nullable=True),
        sa.Column("certified_by", sa.UUID(), nullable=False),
        sa.Column("certified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_certified_results_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", name=op.f("pk_certified_results")),
    )
    op.create_table(
        "decision_deliveries",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("way", sa.String(length=8), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_decision_deliveries_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_decision_deliveries")),
        sa.UniqueConstraint(
            "community_id",
            "decision_id",
            "head_id",
            "way",
            name=op.f("uq_decision_deliveries_community_id_decision_id_head_id_way"),
        ),
    )
    op.create_table(
        "decision_events",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_decision_events_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_decision_events")),
    )
    op.create_index(
        "ix_decision_events_decision", "decision_events", ["community_id", "decision_id", "id"], unique=False
    )
    op.create_table(
        "decision_objections",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("about", sa.String(length=10), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=True),
        sa.Column("candidate_id", sa.UUID(), nullable=True),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("ticket_id", sa.UUID(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_decision_objections_community_id_decision_id_decisions"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "ticket_id"],
            ["tickets.community_id", "tickets.id"],
            name=op.f("fk_decision_objections_community_id_ticket_id_tickets"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_decision_objections")),
    )
    op.create_index(
        "ix_decision_objections_decision",
        "decision_objections",
        ["community_id", "decision_id"],
        unique=False,
    )
    op.create_table(
        "ledger_nodes",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("node_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_ledger_nodes_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "decision_id", "level", "position", name=op.f("pk_ledger_nodes")
        ),
    )
    op.create_table(
        "ledgers",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("tag_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("ballot_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("anchored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_final", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("unsealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_ledgers_begins_with_leaf_zero")),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_ledgers_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", name=op.f("pk_ledgers")),
    )
    op.create_index(
        "ix_ledgers_open",
        "ledgers",
        ["community_id", "decision_id"],
        unique=False,
        postgresql_where=sa.text("NOT is_final"),
    )
    op.create_table(
        "motions",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("matter", sa.SmallInteger(), nullable=True),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("seats", sa.SmallInteger(), nullable=True),
        sa.Column("alternates", sa.SmallInteger(), nullable=True),
        sa.CheckConstraint("matter BETWEEN 1 AND 9", name=op.f("ck_motions_matter_of_the_law")),
        sa.CheckConstraint("seats IS NULL OR matter = 3", name=op.f("ck_motions_election_is_matter_three")),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_motions_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_motions")),
        sa.UniqueConstraint(
            "community_id", "decision_id", "number", name=op.f("uq_motions_community_id_decision_id_number")
        ),
    )
    op.create_table(
        "official_results",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("entered_by", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_official_results_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_official_results")),
    )
    op.create_index(
        "ix_official_results_decision", "official_results", ["community_id", "decision_id"], unique=False
    )
    op.create_table(
        "petition_signatures",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("petition_id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_petition_signatures_community_id_owner_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "petition_id"],
            ["petitions.community_id", "petitions.id"],
            name=op.f("fk_petition_signatures_community_id_petition_id_petitions"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "petition_id", "owner_id", name=op.f("pk_petition_signatures")
        ),
    )
    op.create_table(
        "roll_heads",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tag_hash", sa.LargeBinary(), nullable=False),
        sa.Column("area_centi", sa.BigInteger(), nullable=False),
        sa.Column("houses", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("building_id", sa.UUID(), nullable=True),
        sa.Column("voter_id", sa.UUID(), nullable=True),
        sa.Column("is_developer", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_roll_heads_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", "id", name=op.f("pk_roll_heads")),
    )
    op.create_table(
        "tree_heads",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_tree_heads_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", "size", name=op.f("pk_tree_heads")),
    )
    op.create_table(
        "vote_attempts",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("rev", sa.SmallInteger(), nullable=True),
        sa.Column("why", sa.String(length=24), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_vote_attempts_community_id_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_vote_attempts")),
    )
    op.create_index(
        "ix_vote_attempts_head", "vote_attempts", ["community_id", "decision_id", "head_id"], unique=False
    )
    op.create_table(
        "ballots",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("rev", sa.SmallInteger(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("commitment_hash", sa.LargeBinary(), nullable=False),
        sa.Column("opening_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("capacity", sa.String(length=10), nullable=False),
        sa.Column("cast_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cast_by", sa.UUID(), nullable=True),
        sa.Column("paper_id", sa.UUID(), nullable=True),
        sa.Column("proxy_id", sa.UUID(), nullable=True),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("promised_at", sa.String(length=32), nullable=False),
        sa.Column("within_s", sa.Integer(), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.CheckConstraint("rev > 0", name=op.f("ck_ballots_rev_positive")),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id", "head_id"],
            ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
            name=op.f("fk_ballots_community_id_decision_id_head_id_roll_heads"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", "head_id", "rev", name=op.f("pk_ballots")),
    )
    op.create_index("ix_ballots_cast", "ballots", ["community_id", "decision_id", "cast_at"], unique=False)
    op.create_index("ix_ballots_caster", "ballots", ["community_id", "cast_by", "decision_id"], unique=False)
    op.create_table(
        "candidates",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("motion_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=True),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("statement_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("owner_id", sa.UUID(), nullable=True),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("nominated_by", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("checked_by", sa.UUID(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status <> 'refused' OR reason IS NOT NULL", name=op.f("ck_candidates_refused_with_reason")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id"],
            ["decisions.community_id", "decisions.id"],
            name=op.f("fk_candidates_community_id_decision_id_decisions"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "motion_id"],
            ["motions.community_id", "motions.id"],
            name=op.f("fk_candidates_community_id_motion_id_motions"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_candidates_community_id_owner_id_owners"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_candidates")),
    )
    op.create_index("ix_candidates_decision", "candidates", ["community_id", "decision_id"], unique=False)
    op.create_table(
        "openings",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("rev", sa.SmallInteger(), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("choices", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("area_centi", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id", "head_id"],
            ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
            name=op.f("fk_openings_community_id_decision_id_head_id_roll_heads"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", "head_id", "rev", name=op.f("pk_openings")),
    )
    op.create_table(
        "paper_ballots",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("choices_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("is_signed", sa.Boolean(), nullable=False),
        sa.Column("invalid_reason", sa.String(length=100), nullable=True),
        sa.Column("signed_on", sa.Date(), nullable=True),
        sa.Column("proxy_id", sa.UUID(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("entered_by", sa.UUID(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.UUID(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ballot_rev", sa.SmallInteger(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "confirmed_by IS NULL OR confirmed_by <> entered_by", name=op.f("ck_paper_ballots_second_person")
        ),
        sa.CheckConstraint(
            "is_signed OR invalid_reason IS NOT NULL", name=op.f("ck_paper_ballots_unsigned_is_invalid")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id", "head_id"],
            ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
            name=op.f("fk_paper_ballots_community_id_decision_id_head_id_roll_heads"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_paper_ballots")),
    )
    op.create_index(
        "ix_paper_ballots_decision", "paper_ballots", ["community_id", "decision_id", "status"], unique=False
    )
    op.create_index(
        "uq_paper_ballots_open",
        "paper_ballots",
        ["community_id", "decision_id", "head_id"],
        unique=True,
        postgresql_where=sa.text("status = 'entered'"),
    )
    op.create_table(
        "paper_requests",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("wants", sa.String(length=8), nullable=False),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("entered_by", sa.UUID(), nullable=True),
        sa.Column("done_by", sa.UUID(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id", "head_id"],
            ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
            name=op.f("fk_paper_requests_community_id_decision_id_head_id_roll_heads"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_paper_requests")),
    )
    op.create_index(
        "ix_paper_requests_decision",
        "paper_requests",
        ["community_id", "decision_id", "done_at"],
        unique=False,
    )
    op.create_table(
        "proxies",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("capacity", sa.String(length=10), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=True),
        sa.Column("resident_id", sa.UUID(), nullable=True),
        sa.Column("given_by", sa.UUID(), nullable=True),
        sa.Column("entered_by", sa.UUID(), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id", "head_id"],
            ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
            name=op.f("fk_proxies_community_id_decision_id_head_id_roll_heads"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_proxies")),
    )
    op.create_index("ix_proxies_decision", "proxies", ["community_id", "decision_id", "status"], unique=False)
    op.create_index(
        "ix_proxies_resident", "proxies", ["community_id", "resident_id", "decision_id"], unique=False
    )
    op.create_index(
        "uq_proxies_open",
        "proxies",
        ["community_id", "decision_id", "head_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'approved')"),
    )
    op.create_table(
        "roll_houses",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("house_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("building_id", sa.UUID(), nullable=True),
        sa.Column("area_centi", sa.Integer(), nullable=True),
        sa.Column("area_basis", sa.String(length=10), nullable=True),
        sa.Column("label", sa.String(length=140), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id", "head_id"],
            ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
            name=op.f("fk_roll_houses_community_id_decision_id_head_id_roll_heads"),
        ),
        sa.PrimaryKeyConstraint("community_id", "decision_id", "house_id", name=op.f("pk_roll_houses")),
    )
    op.create_index(
        "ix_roll_houses_head", "roll_houses", ["community_id", "decision_id", "head_id"], unique=False
    )
    op.create_table(
        "roll_owners",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("head_id", sa.UUID(), nullable=False),
        sa.Column("is_voter", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "decision_id", "head_id"],
            ["roll_heads.community_id", "roll_heads.decision_id", "roll_heads.id"],
            name=op.f("fk_roll_owners_community_id_decision_id_head_id_roll_heads"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "decision_id", "owner_id", "head_id", name=op.f("pk_roll_owners")
        ),
    )
    op.create_index(
        "ix_roll_owners_head", "roll_owners", ["community_id", "decision_id", "head_id"], unique=False
    )
    op.create_index("ix_roll_owners_owner", "roll_owners", ["community_id", "owner_id"], unique=False)
    op.create_table(
        "candidate_backers",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("candidate_id", sa.UUID(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "candidate_id"],
            ["candidates.community_id", "candidates.id"],
            name=op.f("fk_candidate_backers_community_id_candidate_id_candidates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "owner_id"],
            ["owners.community_id", "owners.id"],
            name=op.f("fk_candidate_backers_community_id_owner_id_owners"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "candidate_id", "owner_id", name=op.f("pk_candidate_backers")
        ),
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
    op.drop_table("candidate_backers")
    op.drop_index("ix_roll_owners_owner", table_name="roll_owners")
    op.drop_index("ix_roll_owners_head", table_name="roll_owners")
    op.drop_table("roll_owners")
    op.drop_index("ix_roll_houses_head", table_name="roll_houses")
    op.drop_table("roll_houses")
    op.drop_index(
        "uq_proxies_open", table_name="proxies", postgresql_where=sa.text("status IN ('pending', 'approved')")
    )
    op.drop_index("ix_proxies_resident", table_name="proxies")
    op.drop_index("ix_proxies_decision", table_name="proxies")
    op.drop_table("proxies")
    op.drop_index("ix_paper_requests_decision", table_name="paper_requests")
    op.drop_table("paper_requests")
    op.drop_index(
        "uq_paper_ballots_open", table_name="paper_ballots", postgresql_where=sa.text("status = 'entered'")
    )
    op.drop_index("ix_paper_ballots_decision", table_name="paper_ballots")
    op.drop_table("paper_ballots")
    op.drop_table("openings")
    op.drop_index("ix_candidates_decision", table_name="candidates")
    op.drop_table("candidates")
    op.drop_index("ix_ballots_caster", table_name="ballots")
    op.drop_index("ix_ballots_cast", table_name="ballots")
    op.drop_table("ballots")
    op.drop_index("ix_vote_attempts_head", table_name="vote_attempts")
    op.drop_table("vote_attempts")
    op.drop_table("tree_heads")
    op.drop_table("roll_heads")
    op.drop_table("petition_signatures")
    op.drop_index("ix_official_results_decision", table_name="official_results")
    op.drop_table("official_results")
    op.drop_table("motions")
    op.drop_index("ix_ledgers_open", table_name="ledgers", postgresql_where=sa.text("NOT is_final"))
    op.drop_table("ledgers")
    op.drop_table("ledger_nodes")
    op.drop_index("ix_decision_objections_decision", table_name="decision_objections")
    op.drop_table("decision_objections")
    op.drop_index("ix_decision_events_decision", table_name="decision_events")
    op.drop_table("decision_events")
    op.drop_table("decision_deliveries")
    op.drop_table("certified_results")
    op.drop_table("ballot_leaves")
    op.drop_table("anchors")
    op.drop_index("ix_voting_modes_estate", table_name="voting_modes")
    op.drop_table("voting_modes")
    op.drop_table("procedure_rules")
    op.drop_index("ix_petitions_estate", table_name="petitions")
    op.drop_table("petitions")
    op.drop_index(
        "ix_decisions_running",
        table_name="decisions",
        postgresql_where=sa.text("status IN ('announced', 'open', 'closed', 'certified', 'posted')"),
    )
    op.drop_index("ix_decisions_estate", table_name="decisions")
    op.drop_table("decisions")
    op.drop_table("signing_keys")
