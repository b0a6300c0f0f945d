"""Migrations run as the owner of the schema, never wait long for a lock, and one at a time."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

from app.settings import environment, read_database_url
from app.tables import metadata

target_metadata = metadata()


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
    """Migrate. A lock that isn't had in 4 s is given up: better a failed deploy than a queue behind it."""
    engine = create_engine(_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '4s'"))
        connection.execute(text("SET statement_timeout = '60s'"))
        # Two deploys at once: the second waits for the first. Only migrations use an advisory lock.
        connection.execute(text("SELECT pg_advisory_lock(727272)"))
        connection.commit()
        # One transaction a migration: those that build indexes concurrently end theirs on the way.
        context.configure(
            connection=connection,
            target_metadata=target_metadata,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("SELECT pg_advisory_unlock(727272)"))
        connection.commit()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
