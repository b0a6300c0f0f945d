"""The time-outs of the application's database role: a forgotten transaction or a lock held too long hurts everyone.

Each connection sets them for itself. Behind a pooler a transaction runs on whatever connection is free, where nobody
may have set anything; so the role keeps them as its own defaults as well. The seal of the ballot log counts on them
(docs/adr/0027): no cast is under way for longer.
"""

from __future__ import annotations

import psycopg
from sqlalchemy import Connection, text

# Seconds; a request never needs longer.
LONGEST_S = {"idle_in_transaction_session_timeout": 60, "statement_timeout": 30, "lock_timeout": 10}

# And all of it together, of an upload from when it is there: WeChat waits for an answer no longer (wx.request, by
# default and at most). What it would still ask the database for is refused then (`db.until`).
REQUEST_S = 60.0

FOR_A_SESSION = "; ".join(f"SET {name} = '{seconds}s'" for name, seconds in LONGEST_S.items())


def not_kept(connection: Connection) -> list[str]:
    """The time-outs that this role doesn't have from the start of a connection on, or has longer than ours."""
    found = connection.execute(
        text("SELECT name, reset_val::bigint FROM pg_settings WHERE name = ANY(:names)"),
        {"names": list(LONGEST_S)},
    )
    return sorted(name for name, ms in found if not 0 < ms <= LONGEST_S[name] * 1000)


def keep(connection: Connection) -> None:
    """Make those that are missing the role's own defaults in this database, which every role may do for itself.

    Connections that are there already don't have them yet.
    """
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    for name in not_kept(connection):
        connection.exec_driver_sql(
            f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET {name} = '{LONGEST_S[name]}s'"
        )


def is_pooled(connection: Connection) -> bool:
    """Does a pooler stand between us and PostgreSQL? One that lends a connection for a transaction can't tell at the
    start which process of the server will answer.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return bool(driver.info.backend_pid != connection.scalar(text("SELECT pg_backend_pid()")))
