"""Every table says how it is distributed and keeps the rules of that; planted tables that don't are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.schema import SchemaItem

from app import db
from app.tables import metadata
from tests.conftest import House
from tools import tables


def planted(*columns: SchemaItem, name: str = "planted", info: dict | None = None) -> MetaData:
    """A metadata with a good community table to point at, a reference table, and the planted one."""
    made = MetaData(naming_convention=db.NAMES)
    Table(
        "good",
        made,
        Column("community_id", BigInteger, primary_key=True, autoincrement=False),
        Column("id", Uuid, primary_key=True),
        info=db.distributed(),
    )
    Table("persons", made, Column("id", Uuid, primary_key=True), info=db.distributed("id"))
    Table("kinds", made, Column("id", Uuid, primary_key=True), info=db.reference())
    Table(name, made, *columns, info=info if info is not None else {})
    return made


def community(**more: object) -> Column[int]:
    return Column("community_id", BigInteger, primary_key=True, autoincrement=False, **more)  # type: ignore[arg-type]


def own_id() -> Column[UUID]:
    return Column("id", Uuid, primary_key=True)


def test_every_table_keeps_the_rules() -> None:
    assert tables.complaints(metadata()) == []
    assert len(metadata().tables) > 20


def test_a_good_table_is_not_complained_about() -> None:
    good = planted(
        community(),
        own_id(),
        Column("good_id", Uuid),
        Column("kind_id", Uuid),
        UniqueConstraint("community_id", "kind_id"),
        ForeignKeyConstraint(["community_id", "good_id"], ["good.community_id", "good.id"]),
        ForeignKeyConstraint(["kind_id"], ["kinds.id"]),
        info=db.distributed(),
    )
    assert tables.complaints(good) == []


BAD = {
    "no class": (planted(community(), own_id()), "says no class"),
    "a class nobody knows": (planted(own_id(), info={"class": "elsewhere"}), "says no class"),
    "no community_id at all": (planted(own_id(), info=db.distributed()), "no column to lie by"),
    "community_id not in the key": (
        planted(own_id(), Column("community_id", BigInteger, nullable=False), info=db.distributed()),
        "primary key does not begin with community_id",
    ),
    "community_id second in the key": (
        planted(own_id(), community(), info=db.distributed()),
        "primary key does not begin with community_id",
    ),
    "a unique constraint without it": (
        planted(community(), own_id(), Column("n", Integer), UniqueConstraint("n"), info=db.distributed()),
        "unique constraint uq_planted_n does not begin",
    ),
    "a unique index without it": (
        planted(
            community(),
            own_id(),
            Column("n", Integer),
            Index("ix_planted_n", "n", unique=True),
            info=db.distributed(),
        ),
        "unique index ix_planted_n does not begin",
    ),
    "a foreign key without it": (
        planted(
            community(),
            own_id(),
            Column("good_id", Uuid),
            Column("other", BigInteger),
            ForeignKeyConstraint(["other", "good_id"], ["good.community_id", "good.id"]),
            info=db.distributed(),
        ),
        "leaves the distribution",
    ),
    "a foreign key to another distribution": (
        planted(
            community(),
            own_id(),
            Column("person_id", Uuid),
            ForeignKeyConstraint(["person_id"], ["persons.id"]),
            info=db.distributed(),
        ),
        "leaves the distribution",
    ),
    "a foreign key from a reference table": (
        planted(
            own_id(),
            Column("c", BigInteger),
            Column("g", Uuid),
            ForeignKeyConstraint(["c", "g"], ["good.community_id", "good.id"]),
            info=db.reference(),
        ),
        "joins a reference table to a distributed one",
    ),
    "ON DELETE SET NULL": (
        planted(
            community(),
            own_id(),
            Column("good_id", Uuid),
            ForeignKeyConstraint(
                ["community_id", "good_id"], ["good.community_id", "good.id"], ondelete="set null"
            ),
            info=db.distributed(),
        ),
        "sets NULL",
    ),
    "a time by the database's clock": (
        planted(
            community(),
            own_id(),
            Column("at", DateTime(timezone=True), server_default=text("now()")),
            info=db.distributed(),
        ),
        "at has a server_default that the database computes",
    ),
    "an id by the database": (
        planted(
            Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
            info=db.reference(),
        ),
        "id has a server_default that the database computes",
    ),
    "a number by a sequence": (
        planted(Column("id", Integer, primary_key=True), info=db.reference()),
        "comes from a sequence",
    ),
    "an index with a name of its own": (
        planted(community(), own_id(), Index("fast", "id"), info=db.distributed()),
        "not named by the convention",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_a_planted_table_is_found(case: str) -> None:
    made, words = BAD[case]
    found = [complaint for complaint in tables.complaints(made) if complaint.startswith("planted:")]
    assert any(words in complaint for complaint in found), found


def test_a_planted_table_without_its_community_fails_the_check_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tables", "--check"])
    assert tables.main() == 0
    bad = BAD["community_id not in the key"][0]
    page = tables.page()
    monkeypatch.setattr(tables, "metadata", lambda: bad)
    monkeypatch.setattr(tables, "page", lambda: page)
    assert tables.main() == 1
    assert "planted: the primary key does not begin with community_id" in capsys.readouterr().err


def test_the_page_of_tables_is_up_to_date_and_a_change_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tables.PAGE.read_text(encoding="utf-8") == tables.page()
    for table in metadata().tables:
        assert f"| `{table}` |" in tables.page()
    old = tmp_path / "tables.md"
    old.write_text(tables.page().replace("| yes |", "|  |", 1), encoding="utf-8")
    monkeypatch.setattr(tables, "PAGE", old)
    monkeypatch.setattr(sys, "argv", ["tables", "--check"])
    assert tables.main() == 1
    assert "not what the models say" in capsys.readouterr().err


# --- what the migrated database says ---------------------------------------------------------------------


def sql(house: House, query: str) -> list[str]:
    return house.pg.sql(query, database="house").splitlines()


def test_the_application_may_not_rewrite_append_only_tables_and_may_do_so_elsewhere(house: House) -> None:
    rights: dict[str, set[str]] = {}
    # One question for all: each starts a psql.
    asked = (
        "SELECT t.tablename || ' ' || r FROM pg_tables t,"
        " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) r"
        " WHERE t.schemaname = 'public' AND has_table_privilege('jiayuan_app', 'public.' || t.tablename, r)"
    )
    for name, right in map(str.split, sql(house, asked)):
        rights.setdefault(name, set()).add(right)
    for table in metadata().tables.values():
        closed = bool(table.info.get("append_only"))
        assert rights[table.name] == {"SELECT", "INSERT"} | (set() if closed else {"UPDATE", "DELETE"}), (
            table.name
        )
    assert sql(house, "SELECT has_schema_privilege('jiayuan_app', 'public', 'CREATE')") == ["f"]


# What published revenue rests on, besides its append-only tables (ADR 0039).
PUBLISHED_STAYS = {
    "attached_papers published_stays",
    "revenue_budget_lines entered_anew",
    "revenue_budget_lines published_stays",
    "revenue_budgets entered_anew",
    "revenue_budgets published_stays",
    "revenue_categories name_stays",
    "revenue_contract_changes change_stays",
    "revenue_contract_changes decided_once",
    "revenue_contracts changed_by_two",
    "revenue_lines published_once",
    "revenue_objections answer_stays",
    "revenue_objections answer_stays_whole",
    "revenue_periods published_stays",
    "revenue_renderings published_stays",
    "revenue_settings published_stays",
}


def test_append_only_tables_have_their_triggers_and_no_other_table_has_any(house: House) -> None:
    found = set(
        sql(
            house,
            "SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')",
        )
    )
    closed = [table.name for table in metadata().tables.values() if table.info.get("append_only")]
    assert closed
    walls = {f"{table} {name}" for table in closed for name in ("append_only", "append_only_whole")}
    assert found == walls | PUBLISHED_STAYS


def test_the_database_has_the_tables_of_the_models_and_no_sequence(house: House) -> None:
    there = set(sql(house, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
    assert there == set(metadata().tables) | {"alembic_version"}
    assert sql(house, "SELECT relname FROM pg_class WHERE relkind = 'S'") == []


def test_the_page_is_made_by_its_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.tables", "--check"],
        cwd=tables.PAGE.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
