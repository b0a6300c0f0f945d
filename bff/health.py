"""Is the process alive, and can it do its work?"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import orjson
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask, Response
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app import db, queue

_MIGRATIONS = Path(__file__).parent.parent / "migrations"


@cache
def _older() -> frozenset[str]:
    """The migrations that this code knows, but for the newest."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    return frozenset(r.revision for r in script.walk_revisions()) - {script.get_current_head() or ""}


def _is_migrated() -> bool:
    """At the newest migration of this code, or further: while an upgrade runs, the version before it serves on a
    database that is ahead of it (expand, then contract), and no load balancer may take it away.
    """
    try:
        with db.engine().connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return False  # before the first migration there is no such table, or no right to read it
    return found is not None and found not in _older()


def _answer(status: int, body: dict[str, object]) -> Response:
    response = Response(orjson.dumps(body), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def init_app(app: Flask) -> None:
    """Add /healthz and /readyz."""

    @app.get("/healthz")
    def healthz() -> Response:
        """The process answers."""
        return _answer(200, {"status": "ok"})

    @app.get("/readyz")
    def readyz() -> Response:
        """200 when the database answers and is migrated; Redis away is degraded, because nothing is lost by it."""
        if not db.answers():
            return _answer(503, {"status": "unavailable", "missing": ["database"]})
        if not _is_migrated():
            return _answer(503, {"status": "unavailable", "missing": ["migrations"]})
        degraded = [] if queue.answers() else ["redis"]
        return _answer(200, {"status": "ok", "degraded": degraded})
