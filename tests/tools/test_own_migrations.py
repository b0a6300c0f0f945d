"""The project's own migrations on tables with rows, and the limits that each runs under."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TOP
from tests.tools.benches import figures_of
from tools import servers

# The first lifts its limits for an index and leaves others behind, as those from 0008 to 0019 do.
CHAIN = {
    "1": """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        op.execute("CREATE TABLE limits (lock text, statement text)")
        op.execute("SET lock_timeout = '4s'")
""",
    "2": """
    op.execute("INSERT INTO limits SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
""",
}
HEAD = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "{revision}", {before}, None, None


def upgrade() -> None:{body}

def downgrade() -> None:
    pass
"""


def test_a_migration_runs_under_its_own_limits_whatever_the_one_before_left_behind(
    pg: servers.Postgres, tmp_path: Path
) -> None:
    before = "None"
    for revision, body in CHAIN.items():
        text = HEAD.format(revision=revision, before=before, body=body)
        (tmp_path / f"{revision}_made_up.py").write_text(text, encoding="utf-8")
        before = f'"{revision}"'
    ini = tmp_path / "alembic.ini"
    ini.write_text(
        f"[alembic]\nscript_location = {TOP / 'migrations'}\nversion_locations = {tmp_path}\npath_separator = os\n",
        encoding="utf-8",
    )
    pg.create_database("limited")
    owner = pg.url("owner", "limited")
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(ini), "upgrade", "head"],
        cwd=TOP,
        env=os.environ | {"MIGRATION_DATABASE_URL": owner, "DATABASE_URL": owner, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert pg.sql("SELECT lock, statement FROM limits", database="limited") == "1s|1min"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_our_own_migrations_go_down_and_up_on_tables_with_rows() -> None:
    """Rows stay, the schema is that of an empty database, what had to be filled in is what it was. How long anybody
    waits is the measurement's to say: on a machine that does other things as well, a look comes late.
    """
    figures = figures_of("bench.upgrade_own")
    times = {"writers_out_s", "readers_out_s", "longest_wait_s", "held_up_longest_wait_s"}
    for name, figure in figures.items():
        assert figure["ok"] or name in times, (name, figures)
    assert figures["asked"]["value"] > 0
