"""Migrations run as the owner of the schema, never wait long for a lock, and one at a time."""

from __future__ import annotations

import time

from alembic import context
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.exc import OperationalError

from app import timeouts
from app.settings import environment, read_database_url
from app.tables import metadata

target_metadata = metadata()

# Who comes while a migration waits for its lock waits behind it: a second at most. Then everybody passes, and the
# migration asks again, until the long transaction in its way is over.
LOCK_TIMEOUT = "1s"
STATEMENT_TIMEOUT = "60s"
PAUSE_S = 2.0
PATIENCE_S = 120.0


def _url() -> str:
    given = environment()
    raw = given.get("MIGRATION_DATABASE_URL") or given.get("DATABASE_URL", "")
    if not raw:
        raise SystemExit("Migrations need MIGRATION_DATABASE_URL (or DATABASE_URL).")
    return read_database_url(raw)


def run_offline() -> None:
    """Print the SQL."""
    context.configure(
        url=_url(), target_metadata=target_metadata, literal_binds=True, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Migrate. A lock that isn't had in a second is asked for again, for two minutes: better a failed deploy than a
    queue behind it. What went through stays, since each migration is a transaction of its own.
    """
    engine = create_engine(_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        if timeouts.is_pooled(connection):
            raise SystemExit(
                "Migrations go to PostgreSQL itself, not through a pooler, which forgets their lock: set "
                "MIGRATION_DATABASE_URL to the server's own address."
            )
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        # Two deploys at once: the second waits for the first. Only migrations use an advisory lock.
        connection.execute(text("SELECT pg_advisory_lock(727272)"))
        connection.commit()
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                _migrate(connection)
                break
            except OperationalError as e:
                if not isinstance(e.orig, LockNotAvailable) or time.monotonic() > give_up_at:
                    raise
                connection.rollback()
                context.config.print_stdout("A lock isn't free; asking again.")
                time.sleep(PAUSE_S)
        connection.execute(text("SELECT pg_advisory_unlock(727272)"))
        connection.commit()
    _guard_the_application()


def _guard_the_application() -> None:
    """The application's role gets its time-outs for good, which only that role itself (or a superuser) may set."""
    raw = environment().get("DATABASE_URL", "")
    if not raw or read_database_url(raw) == _url():
        return  # one role for everything, or no application here
    try:
        with create_engine(read_database_url(raw), poolclass=pool.NullPool).begin() as connection:
            timeouts.keep(connection)
    except OperationalError as e:
        # Migrated is migrated. `make doctor` says what is missing.
        context.config.print_stdout("The application's time-outs weren't set: %s", type(e.orig).__name__)


def _limit(connection: Connection) -> None:
    """The limits of the next migration. One that builds indexes lifts them, and leaves others behind."""
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))


def _migrate(connection: Connection) -> None:
    """One transaction a migration: those that build indexes concurrently end theirs on the way."""
    _limit(connection)
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        compare_type=True,
        transaction_per_migration=True,
        on_version_apply=lambda **_: _limit(connection),
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
