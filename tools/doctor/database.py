"""The database: is it there, is it ours, may the application do what it should and no more, do its keys open it?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from app import crypto, db, rekey, timeouts
from app.people import queries as people
from app.people.models import IdentityKey, IdentityKind, Resident
from app.settings import Settings
from app.tables import metadata
from tools.doctor.finding import Finding, fine, problem, warning
from tools.postgres_server import OLDEST_POSTGRES
from tools.run import TOP

SKEW_S, BAD_SKEW_S = 2, 30
_WHY = {"cross_community": "doctor"}


def look() -> Iterator[Finding]:
    """Everything about it; what needs more than a connection only when there is one."""
    try:
        with db.engine().connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        said = (str(error.orig).strip().splitlines() or ["no answer"])[0]
        yield problem("database", f"The database doesn't answer: {said}")
        return
    yield server()
    yield from letters()
    yield clock_skew()
    at_head = migrations()
    yield at_head
    if at_head.level == "fine":
        yield from rights()
        yield from keys()


def server() -> Finding:
    """Its version."""
    with db.engine().connect() as connection:
        version = int(str(connection.scalar(text("SHOW server_version_num"))))
    if version // 10_000 < OLDEST_POSTGRES:
        return problem(
            "database", f"PostgreSQL {version // 10_000} is too old: {OLDEST_POSTGRES} is the oldest."
        )
    return fine("database", f"PostgreSQL {version // 10_000} answers.")


def letters() -> Iterator[Finding]:
    """Does it know Chinese letters?"""
    with db.engine().connect() as connection:
        knows = connection.scalar(text("SELECT '甲' ~ '[[:alpha:]]'"))
    if not knows:
        yield problem(
            "database",
            "It knows no Chinese letters: make it anew with LC_CTYPE C.UTF-8, or searching finds nothing.",
        )


def clock_skew() -> Finding:
    """Do its clock and ours agree? The deadline of a ballot is the database's, the hour of a text message ours."""
    with db.engine().connect() as connection:
        began = time.monotonic()
        theirs = connection.scalar(text("SELECT clock_timestamp()"))
        way = time.monotonic() - began
    assert isinstance(theirs, datetime)
    return judge_skew(abs((datetime.now(UTC) - theirs).total_seconds()) - way)


def judge_skew(seconds: float) -> Finding:
    """The finding for clocks that are so far apart."""
    if seconds > BAD_SKEW_S:
        return problem(
            "clocks", f"The clocks of database and machine are {seconds:.0f} s apart: set both by NTP."
        )
    if seconds > SKEW_S:
        return warning(
            "clocks", f"The clocks of database and machine are {seconds:.0f} s apart: is NTP running?"
        )
    return fine("clocks", "Database and machine agree on the time.")


def pooling(chosen: Settings) -> Iterator[Finding]:
    """Where a pooler lends connections: are they what the application counts on?"""
    with db.engine().connect() as connection:
        is_pooled, missing = timeouts.is_pooled(connection), timeouts.not_kept(connection)
    if not is_pooled:
        if chosen.database_pooler:
            yield warning(
                "pooler",
                "DATABASE_POOLER is set, and no pooler is there: statements are planned anew for nothing.",
            )
        return
    if not chosen.database_pooler:
        yield warning(
            "pooler",
            "A pooler stands before the database, and DATABASE_POOLER isn't set: right only for one that knows "
            "prepared statements (PgBouncer from 1.22.1 on, with max_prepared_statements). Else set it to transaction.",
        )
    if missing:
        yield problem(
            "pooler",
            f"Behind the pooler nothing ends what hangs ({', '.join(missing)}): run the migrations once more, with "
            "DATABASE_URL in the environment, and then RECONNECT in the pooler.",
        )
    if _host_and_port(chosen.migration_database_url) == _host_and_port(chosen.database_url):
        yield problem(
            "pooler",
            "MIGRATION_DATABASE_URL leads through the pooler: migrations and backups need PostgreSQL itself.",
        )
    elif not missing:
        yield fine("pooler", "A pooler lends the connections, and what hangs on them is ended.")


def _host_and_port(url: str) -> tuple[str, int]:
    named = conninfo_to_dict(url.replace("+psycopg", "", 1))
    return str(named.get("host")), int(named.get("port") or 5432)


def migrations() -> Finding:
    """Is the schema that of this code?"""
    config = Config()
    config.set_main_option("script_location", str(TOP / "migrations"))
    script = ScriptDirectory.from_config(config)
    newest = script.get_current_head()
    try:
        with db.engine().connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return problem("migrations", "The database has no tables yet: python -m alembic upgrade head.")
    if found == newest:
        return fine("migrations", f"At head ({found}).")
    if found in {revision.revision for revision in script.walk_revisions()}:
        return problem(
            "migrations", f"It is at {found}, and this code needs {newest}: python -m alembic upgrade head."
        )
    return problem(
        "migrations", f"It is at {found}, which this code doesn't know: an older version runs on it."
    )


def rights() -> Iterator[Finding]:
    """May the application's role read everything, and rewrite nothing that is append-only?"""
    tables = metadata().tables.values()
    closed = [table.name for table in tables if table.info.get("append_only")]
    with db.engine().connect() as connection:
        is_super = connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))

        def lacking(right: str, names: list[str]) -> list[str]:
            query = text(
                "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE NOT has_table_privilege(name, :r)"
            )
            return list(connection.scalars(query, {"names": names, "r": right}))

        unread = lacking("SELECT", [table.name for table in tables])
        open_ = [
            name
            for name in closed
            if name not in lacking("UPDATE", closed) or name not in lacking("DELETE", closed)
        ]
    if is_super:
        yield problem("roles", "The application connects as a superuser: give it the role jiayuan_app.")
    elif open_:
        yield problem(
            "roles",
            f"The application may rewrite {len(open_)} append-only tables ({open_[0]}, …): it connects as their owner. "
            "Give it the role jiayuan_app, and the owner to MIGRATION_DATABASE_URL alone.",
        )
    if unread:
        yield problem(
            "roles",
            f"The application may not read {', '.join(sorted(unread)[:5])}: were the roles made late?",
        )
    if not (is_super or open_ or unread):
        yield fine("roles", "The application may do what it needs, and rewrite nothing that is append-only.")


def keys() -> Iterator[Finding]:
    """Do the keys at hand open the first and the last value of each sealed table, and does HASH_KEY find people?"""
    closed: list[str] = []
    with db.reading() as session:
        for table, columns in rekey.sealed_tables():
            order = list(table.primary_key.columns)
            ends = (order, [column.desc() for column in order])
            rows = [
                row
                for end in ends
                for row in session.execute(
                    select(table).order_by(*end).limit(1).execution_options(**_WHY)
                ).mappings()
            ]
            if not all(
                _opens(row[name], crypto.context_of(template, {str(key): row[key] for key in row}))
                for row in rows
                for name, template in columns.items()
            ):
                closed.append(table.name)
        resident = session.scalar(select(Resident).limit(1).execution_options(**_WHY))
        finds = resident is None or "residents" in closed or _is_found(resident)
    if closed:
        yield problem(
            "keys",
            f"DATA_KEYS opens values of {', '.join(closed)} no longer: a version is missing, or another key.",
        )
    if not finds:
        yield problem(
            "keys", "HASH_KEY is another one than before: every resident becomes a new one at the next login."
        )
    if not closed and finds:
        yield fine("keys", "The keys open what was sealed with them.")


def _opens(value: bytes | None, context: str) -> bool:
    try:
        return value is None or crypto.keys().decrypt(value, context) is not None
    except crypto.Undecryptable:
        return False


def _is_found(resident: Resident) -> bool:
    key_hash = crypto.keys().keyed_hash(people.openid_of(resident), IdentityKind.OPENID)
    found = db.session().scalar(
        select(IdentityKey.person_id).where(
            IdentityKey.key_hash == key_hash, IdentityKey.kind == IdentityKind.OPENID
        )
    )
    return found is not None
