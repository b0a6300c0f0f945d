"""Public revenue: what is published stays, also where it doesn't stand in an append-only table; changes of contracts.

A category keeps its name, a published line its vouchers and what is covered on them, a period its state, rules and
budgets what figures were made under, an answer its words. A contract in use changes to what two people agreed on. The
triggers are the last wall, as in 0001: the services refuse before.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0037"
down_revision: str | None = "0036"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

REFUSED = (
    "RAISE EXCEPTION 'published revenue stays: %', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'"
)

# name of the function → its body
FUNCTIONS = {
    "revenue_refuse": "REFUSED;",
    # A line is published with its period, and lies in it.
    "revenue_lines_come_once": """
    IF EXISTS (SELECT FROM revenue_statements AS s
               WHERE s.community_id = NEW.community_id AND s.period_id = NEW.period_id)
       OR NOT EXISTS (SELECT FROM revenue_periods AS p
                      WHERE p.community_id = NEW.community_id AND p.id = NEW.period_id
                        AND p.estate_id = NEW.estate_id AND NEW.day BETWEEN p.first_day AND p.last_day) THEN
        REFUSED;
    END IF;
    RETURN NEW;
    """,
    "revenue_papers_stay": """
    IF TG_OP <> 'INSERT' AND OLD.object_kind = 'revenue_entry' AND (
        EXISTS (SELECT FROM revenue_lines AS l
                WHERE l.community_id = OLD.community_id AND l.id = OLD.object_id)
        OR EXISTS (SELECT FROM revenue_contracts AS c
                   WHERE c.community_id = OLD.community_id AND c.id = OLD.object_id)) THEN
        REFUSED;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NEW.object_kind = 'revenue_entry' AND EXISTS (
        SELECT FROM revenue_lines AS l
        WHERE l.community_id = NEW.community_id AND l.id = NEW.object_id) THEN
        REFUSED;
    END IF;
    RETURN NEW;
    """,
    # What is covered stays covered; only what is drawn anew, into other files, replaces pages.
    "revenue_renderings_cover": """
    IF TG_OP = 'INSERT' THEN
        IF EXISTS (SELECT FROM revenue_lines AS l
                   WHERE l.community_id = NEW.community_id AND l.id = NEW.object_id
                     AND NOT l.vouchers @> jsonb_build_array(jsonb_build_object('id', NEW.file_id::text))) THEN
            REFUSED;
        END IF;
        RETURN NEW;
    END IF;
    IF NOT EXISTS (SELECT FROM revenue_lines AS l
                   WHERE l.community_id = OLD.community_id AND l.id = OLD.object_id)
       AND NOT EXISTS (SELECT FROM revenue_contracts AS c
                       WHERE c.community_id = OLD.community_id AND c.id = OLD.object_id) THEN
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE'
       OR (NEW.community_id, NEW.file_id, NEW.estate_id, NEW.object_id)
          IS DISTINCT FROM (OLD.community_id, OLD.file_id, OLD.estate_id, OLD.object_id)
       OR (OLD.state = 'ready' AND NEW.store_id = OLD.store_id
           AND (NEW.state, NEW.pages) IS DISTINCT FROM (OLD.state, OLD.pages)) THEN
        REFUSED;
    END IF;
    FOR at IN 0 .. jsonb_array_length(OLD.boxes) - 1 LOOP
        IF NEW.boxes -> at IS DISTINCT FROM OLD.boxes -> at THEN
            REFUSED;
        END IF;
    END LOOP;
    RETURN NEW;
    """,
    "revenue_settings_stay": """
    DECLARE
        of_estate uuid;
        of_community bigint;
        since date;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            of_community := NEW.community_id; of_estate := NEW.estate_id; since := NEW.valid_from;
        ELSE
            of_community := OLD.community_id; of_estate := OLD.estate_id; since := OLD.valid_from;
        END IF;
        IF EXISTS (SELECT FROM revenue_statements AS s
                   WHERE s.community_id = of_community AND s.estate_id = of_estate AND s.last_day >= since) THEN
            REFUSED;
        END IF;
        IF TG_OP = 'UPDATE' AND (NEW.community_id, NEW.estate_id, NEW.valid_from)
           IS DISTINCT FROM (OLD.community_id, OLD.estate_id, OLD.valid_from) THEN
            REFUSED;
        END IF;
    END;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
    """,
    # Its price, its beginning and what it is for never; the rest as two have agreed.
    "revenue_contracts_by_two": """
    IF NOT EXISTS (SELECT FROM revenue_lines AS l
                   WHERE l.community_id = OLD.community_id AND l.contract_id = OLD.id) THEN
        RETURN NEW;
    END IF;
    IF (NEW.community_id, NEW.id, NEW.estate_id, NEW.category_id, NEW.starts_on, NEW.price_fen, NEW.rhythm,
        NEW.created_at)
       IS DISTINCT FROM (OLD.community_id, OLD.id, OLD.estate_id, OLD.category_id, OLD.starts_on, OLD.price_fen,
                         OLD.rhythm, OLD.created_at) THEN
        REFUSED;
    END IF;
    IF (NEW.number, NEW.party, NEW.subject, NEW.ends_on, NEW.version)
       IS DISTINCT FROM (OLD.number, OLD.party, OLD.subject, OLD.ends_on, OLD.version)
       AND NOT EXISTS (
        SELECT FROM revenue_contract_changes AS c
        WHERE c.community_id = OLD.community_id AND c.contract_id = OLD.id AND c.passed
          AND c.version = NEW.version AND NEW.version = OLD.version + 1
          AND NEW.number = coalesce(c.fields -> 'number' ->> 1, OLD.number)
          AND NEW.party = coalesce(c.fields -> 'party' ->> 1, OLD.party)
          AND NEW.subject = coalesce(c.fields -> 'subject' ->> 1, OLD.subject)
          AND NEW.ends_on = coalesce((c.fields -> 'ends_on' ->> 1)::date, OLD.ends_on)) THEN
        REFUSED;
    END IF;
    RETURN NEW;
    """,
    "revenue_budgets_stay": """
    IF EXISTS (SELECT FROM revenue_statements AS s
               WHERE s.community_id = OLD.community_id AND s.estate_id = OLD.estate_id
                 AND s.last_day > coalesce(OLD.published_until, make_date(OLD.year - 1, 12, 31))) THEN
        REFUSED;
    END IF;
    RETURN OLD;
    """,
    "revenue_budget_lines_stay": """
    DECLARE
        of_community bigint;
        of_budget uuid;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            of_community := NEW.community_id; of_budget := NEW.budget_id;
        ELSE
            of_community := OLD.community_id; of_budget := OLD.budget_id;
        END IF;
        IF EXISTS (SELECT FROM revenue_budgets AS b
                   JOIN revenue_statements AS s ON s.community_id = b.community_id AND s.estate_id = b.estate_id
                   WHERE b.community_id = of_community AND b.id = of_budget
                     AND s.last_day > coalesce(b.published_until, make_date(b.year - 1, 12, 31))) THEN
            REFUSED;
        END IF;
    END;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
    """,
}

NAME_CHANGES = (
    "(NEW.community_id, NEW.id, NEW.estate_id, NEW.kind, NEW.name)"
    " IS DISTINCT FROM (OLD.community_id, OLD.id, OLD.estate_id, OLD.kind, OLD.name)"
)
REWRITES_DECISION = (
    "OLD.decided_at IS NOT NULL OR"
    " (NEW.community_id, NEW.id, NEW.estate_id, NEW.contract_id, NEW.fields, NEW.version, NEW.asked_by,"
    " NEW.asked_at) IS DISTINCT FROM"
    " (OLD.community_id, OLD.id, OLD.estate_id, OLD.contract_id, OLD.fields, OLD.version, OLD.asked_by,"
    " OLD.asked_at)"
)
# Who objected, and her words, go with her; the answer stays.
REWRITES_ANSWER = (
    "OLD.answered_at IS NOT NULL AND"
    " ((NEW.community_id, NEW.id, NEW.estate_id, NEW.line_id, NEW.ticket_id, NEW.answer_by, NEW.answer,"
    " NEW.answered_by, NEW.answered_org_id, NEW.answered_at, NEW.created_at) IS DISTINCT FROM"
    " (OLD.community_id, OLD.id, OLD.estate_id, OLD.line_id, OLD.ticket_id, OLD.answer_by, OLD.answer,"
    " OLD.answered_by, OLD.answered_org_id, OLD.answered_at, OLD.created_at)"
    " OR coalesce(NEW.resident_id <> OLD.resident_id, NEW.resident_id IS NOT NULL)"
    " OR coalesce(NEW.text <> OLD.text, NEW.text IS NOT NULL))"
)

# (name of the trigger, table, when, condition, function)
TRIGGERS = (
    (
        "name_stays",
        "revenue_categories",
        "UPDATE",
        NAME_CHANGES,
        "revenue_refuse",
    ),
    ("published_stays", "revenue_periods", "UPDATE OR DELETE", "OLD.state = 'published'", "revenue_refuse"),
    ("published_once", "revenue_lines", "INSERT", None, "revenue_lines_come_once"),
    ("published_stays", "attached_papers", "INSERT OR UPDATE OR DELETE", None, "revenue_papers_stay"),
    ("published_stays", "revenue_renderings", "INSERT OR UPDATE OR DELETE", None, "revenue_renderings_cover"),
    ("published_stays", "revenue_settings", "INSERT OR UPDATE OR DELETE", None, "revenue_settings_stay"),
    ("changed_by_two", "revenue_contracts", "UPDATE", None, "revenue_contracts_by_two"),
    ("change_stays", "revenue_contract_changes", "DELETE", None, "revenue_refuse"),
    (
        "decided_once",
        "revenue_contract_changes",
        "UPDATE",
        REWRITES_DECISION,
        "revenue_refuse",
    ),
    (
        "answer_stays",
        "revenue_objections",
        "UPDATE",
        REWRITES_ANSWER,
        "revenue_refuse",
    ),
    ("answer_stays_whole", "revenue_objections", "DELETE", None, "revenue_refuse"),
    ("entered_anew", "revenue_budgets", "UPDATE", None, "revenue_refuse"),
    ("published_stays", "revenue_budgets", "DELETE", None, "revenue_budgets_stay"),
    ("entered_anew", "revenue_budget_lines", "UPDATE", None, "revenue_refuse"),
    ("published_stays", "revenue_budget_lines", "INSERT OR DELETE", None, "revenue_budget_lines_stay"),
)


def upgrade() -> None:
    op.create_table(
        "revenue_contract_changes",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("estate_id", sa.UUID(), nullable=False),
        sa.Column("contract_id", sa.UUID(), nullable=False),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.UUID(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> asked_by",
            name=op.f("ck_revenue_contract_changes_second_person"),
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by IS NULL) AND (decided_at IS NULL) = (passed IS NULL)",
            name=op.f("ck_revenue_contract_changes_decided"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "contract_id"],
            ["revenue_contracts.community_id", "revenue_contracts.id"],
            name="fk_revenue_contract_changes_contract",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "estate_id"],
            ["estates.community_id", "estates.id"],
            name=op.f("fk_revenue_contract_changes_community_id_estate_id_estates"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_revenue_contract_changes")),
    )
    op.create_index(
        "ix_revenue_contract_changes_estate",
        "revenue_contract_changes",
        ["community_id", "estate_id", "id"],
        unique=False,
    )
    op.create_index(
        "uq_revenue_contract_changes_open",
        "revenue_contract_changes",
        ["community_id", "contract_id"],
        unique=True,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.add_column("revenue_budgets", sa.Column("published_until", sa.Date(), nullable=True))
    op.add_column("revenue_objections", sa.Column("answered_org_id", sa.UUID(), nullable=True))
    for name, body in FUNCTIONS.items():
        said = body.replace("REFUSED", REFUSED)
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {said} END $$")
    for name, table, event, condition, function in TRIGGERS:
        when = f" WHEN ({condition})" if condition is not None else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW{when} EXECUTE FUNCTION {function}()"
        )


def downgrade() -> None:
    for name, table, *_ in reversed(TRIGGERS):
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for name in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_column("revenue_objections", "answered_org_id")
    op.drop_column("revenue_budgets", "published_until")
    op.drop_index(
        "uq_revenue_contract_changes_open",
        table_name="revenue_contract_changes",
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.drop_index("ix_revenue_contract_changes_estate", table_name="revenue_contract_changes")
    op.drop_table("revenue_contract_changes")
