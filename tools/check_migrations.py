"""Are the migrations whole? Up, equal to the models, down, up again, on a throw-away database.

`python -m tools.check_migrations` prints one line a step and ends with exit code 1 at the first that fails:
a single head; no import of `app` (a migration describes the past, the models the present); upgrade to head;
nothing left for autogenerate; downgrade to nothing; upgrade again to the same schema; and squawk over the SQL
of the newest migration, for statements that would lock a big table.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from tools import servers
from tools.processes import ServerError

TOP = Path(__file__).resolve().parent.parent
VERSIONS = TOP / "migrations" / "versions"
DATABASE = "migration_check"


class Broken(Exception):
    """A step failed; the text is what its tool said."""


def main() -> int:
    """0 when every step passes."""
    began = time.monotonic()
    try:
        _foreign_imports()
        with servers.postgres(fast=True) as server:
            server.create_database(DATABASE)
            _check(server)
    except (Broken, ServerError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"migrations: at head, reversible, equal to the models ({time.monotonic() - began:.1f} s)")
    return 0


def _check(server: servers.Postgres) -> None:
    script = ScriptDirectory.from_config(Config(TOP / "alembic.ini"))
    heads = script.get_heads()
    if len(heads) != 1:
        raise Broken(f"migrations: there must be one head, there are {len(heads)}: {', '.join(heads)}")
    _alembic(server, "upgrade", "head")
    first = schema(server, DATABASE)
    _alembic(server, "check")
    _alembic(server, "downgrade", "base")
    left = server.sql(
        "SELECT string_agg(relname, ', ') FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p', 'v', 'm', 'S') AND relname <> 'alembic_version'",
        database=DATABASE,
    )
    if left:
        raise Broken(f"migrations: downgrade to base leaves {left}")
    _alembic(server, "upgrade", "head")
    if schema(server, DATABASE) != first:
        raise Broken("migrations: down and up again gives another schema than up alone")
    newest = script.get_revision(heads[0])
    _squawk(server, f"{newest.down_revision or 'base'}:{newest.revision}")


def _alembic(server: servers.Postgres, *arguments: str) -> str:
    env = os.environ | {
        "DATABASE_URL": server.url("app", DATABASE),
        "MIGRATION_DATABASE_URL": server.url("owner", DATABASE),
    }
    return _run([sys.executable, "-m", "alembic", *arguments], env=env)


def _run(command: list[str], *, env: dict[str, str] | None = None, stdin: str | None = None) -> str:
    done = subprocess.run(command, cwd=TOP, env=env, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join([Path(command[0]).name, *command[1:]])
        raise Broken(f"migrations: `{shown}` failed:\n{(done.stdout + done.stderr).strip()[-4000:]}")
    return done.stdout


def schema(server: servers.Postgres, database: str) -> str:
    """Columns, constraints, indexes, triggers and rights, as text; in no way the order of creation."""
    return server.sql(
        """
        SELECT 'column', table_name, column_name, data_type, is_nullable, column_default
          FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 2, 3;
        SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 2, 3;
        SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2;
        SELECT 'right', table_name, grantee, privilege_type
          FROM information_schema.role_table_grants WHERE table_schema = 'public' ORDER BY 2, 3, 4;
        SELECT 'trigger', event_object_table, trigger_name, event_manipulation, action_statement
          FROM information_schema.triggers WHERE trigger_schema = 'public' ORDER BY 2, 3, 4;
        """,
        database=database,
    )


def _squawk(server: servers.Postgres, step: str) -> None:
    sql = _alembic(server, "upgrade", step, "--sql")
    name = f"{step.rpartition(':')[2]}.sql"
    _run([str(Path(sys.executable).with_name("squawk")), "--stdin-filepath", name], stdin=sql)


def _foreign_imports() -> None:
    for path in sorted(VERSIONS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                if name.split(".")[0] in {"app", "bff", "workers"}:
                    raise Broken(f"migrations: {path.name} imports {name}; a migration uses frozen literals")


if __name__ == "__main__":
    sys.exit(main())
