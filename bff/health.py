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
def head() -> str | None:
    """The newest migration that this code knows."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return ScriptDirectory.from_config(config).get_current_head()


def _at_head() -> bool:
    try:
        with db.engine().connect() as connection:
            return connection.scalar(text("SELECT version_num FROM alembic_version")) == head()
    except ProgrammingError:
        return False  # before the first migration there is no such table, or no right to read it


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
        if not _at_head():
            return _answer(503, {"status": "unavailable", "missing": ["migrations"]})
        degraded = [] if queue.answers() else ["redis"]
        return _answer(200, {"status": "ok", "degraded": degraded})
