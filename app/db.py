"""The database: one session an entry, one commit an entry, tables that say how they are distributed."""

from __future__ import annotations

import gc
import itertools
import logging
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, ParamSpec, TypeVar
from uuid import UUID

import psycopg
from psycopg import pq, sql
from psycopg.adapt import PyFormat, Transformer
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import (
    BigInteger,
    Connection,
    CursorResult,
    DateTime,
    Engine,
    ExceptionContext,
    LargeBinary,
    MetaData,
    Row,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from app import meters, timeouts

log = logging.getLogger(__name__)

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class TableClass(StrEnum):
    """How a table lies on many machines; every table says it in `Table.info`."""

    DISTRIBUTED = "distributed"  # by the column named in `by`, which leads every key
    REFERENCE = "reference"  # small and global, a copy on each node
    GLOBAL_HASH = "global-hash"  # global, spread by the key named in `by`
    LOCAL = "local"  # of one node, never queried by the application


def distributed(by: str = "community_id", **more: Any) -> dict[str, Any]:
    """`info` of a table that is distributed by `by`. `append_only=True`: no role but retention rewrites it."""
    return {"class": TableClass.DISTRIBUTED, "by": by, **more}


def reference(**more: Any) -> dict[str, Any]:
    """`info` of a small table that every node holds whole."""
    return {"class": TableClass.REFERENCE, **more}


def global_hash(by: str, **more: Any) -> dict[str, Any]:
    """`info` of a global table that is spread by the hash of `by`."""
    return {"class": TableClass.GLOBAL_HASH, "by": by, **more}


def soft(*targets: str) -> dict[str, tuple[str, ...]]:
    """`info` of a column that points to a row of another distribution (`table.column`, or one of several): no foreign
    key can be there, so a nightly job counts what points nowhere.
    """
    return {"soft": targets}


def sealed(context: str) -> dict[str, str]:
    """`info` of a column that is encrypted under the installation's key (`app.crypto`).

    `context` is what the value is bound to, of the columns of its row: `"openid:{id}"`; `{at:ms}`: milliseconds since
    1970. `python -m tools.rekey` finds every such column by this and seals it anew under the newest key.
    """
    return {"sealed": context}


def sealed_by(column: str) -> dict[str, str]:
    """`info` of a column that is encrypted under the key of the person named in `column` (`person_keys`): what an
    append-only table holds is never rewritten, so the key is sealed anew instead.
    """
    return {"sealed_by": column}


def sealed_under(column: str) -> dict[str, str]:
    """`info` of a column of an append-only table that is encrypted under a key of its own, which lies sealed in
    `column` (`table.column`): that key is sealed anew instead of the values.
    """
    return {"sealed_under": column}


class Base(DeclarativeBase):
    """All models. Times are aware, ids are UUIDs made by the application, enums are stored by value."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012  read by SQLAlchemy as a class attribute
        datetime: DateTime(timezone=True),
        UUID: PG_UUID(as_uuid=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        bytes: LargeBinary,
    }


BigInt = BigInteger
Bare = Connection  # for faces, which hold no SQL

_engine: Engine | None = None
_reading: Engine | None = None  # the same connections, for questions
_statements: Engine | None = None  # and for single statements
_current: ContextVar[Session | None] = ContextVar("session", default=None)

# SQLSTATEs after which the same unit of work may simply be run again: serialization, deadlock,
# connection trouble, and a server that is starting or stopping.
_PASSING = ("40001", "40P01", "08", "57P01", "57P02", "57P03")
# And of a server that has too much to do: no connection, memory or disk left; a lock or an answer not had in time.
_OVERLOADED = ("53", "55P03", "57014")
# And of a value that no column can hold: a number too large, a letter that isn't one.
_UNHELD = ("22003", "22021", "22P05")


class TookTooLong(PoolTimeout):
    """Something is asked of the database for which nobody waits any more (`until`)."""


# May statements be prepared? Not where each transaction gets another connection: there they are unknown, or another's.
_prepares = True


def configure(url: str, *, pool_size: int = 12, slow_ms: int = 0, pooler: str = "") -> Engine:
    """Make `url` the process's database. Connections are opened on first use, checked before reuse when they have
    rested for more than a second. A statement of more than `slow_ms` milliseconds gets a line in the log (0: none).
    `pooler`: "transaction" where one lends a connection for a transaction only: nothing is kept on it (docs/adr/0048).
    """
    global _engine, _reading, _statements, _slow_s, _prepares
    dispose()
    _prepares = not pooler
    _engine = engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=_OVERFLOW,
        pool_timeout=10,
        pool_recycle=_RECYCLE_S,
        # An error's text would quote what a person wrote, and end in a log.
        hide_parameters=True,
        # The server's own time-outs don't help where nothing comes through: a connection that is silent for 45 s is
        # given up, where the system's defaults would wait for hours. A stall of half a minute is sat out.
        connect_args={
            "connect_timeout": 5,
            "application_name": "jiayuan",
            "keepalives_idle": 15,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 45_000,
        }
        | ({} if _prepares else {"prepare_threshold": None}),
    )

    # Made once: an engine with options costs as much as a statement.
    _reading = engine.execution_options(postgresql_readonly=True)
    _statements = engine.execution_options(isolation_level="AUTOCOMMIT")

    @event.listens_for(engine, "connect")
    def _guards(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_RESTED_SINCE] = time.monotonic()
        if pooler:
            return  # the next transaction has another connection; the role's own defaults hold there
        with connection.cursor() as cursor:
            cursor.execute(timeouts.FOR_A_SESSION)
        connection.commit()

    event.listen(engine, "before_cursor_execute", _in_time)
    _slow_s = slow_ms / 1000
    if slow_ms:
        event.listen(engine, "before_cursor_execute", _begins)
        event.listen(engine, "after_cursor_execute", _ends)
        event.listen(engine, "handle_error", _breaks_off)

    @event.listens_for(engine, "checkin")
    def _rests(_: Any, record: ConnectionPoolEntry) -> None:
        record.info[_RESTED_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _still_there(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        # `pool_pre_ping` asks at every use, which is a way to the server and back more for each request.
        if time.monotonic() - record.info[_RESTED_SINCE] < RESTS_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as e:
            raise InvalidatePoolError from e  # all that were opened before are tried no more

    return engine


_slow_s = 0.0
_LONGEST = 600  # letters of a statement in the log
_LIST = re.compile(r"(%\(\w+\)s(?:::\w+)?)(?:, ?%\(\w+\)s(?:::\w+)?)+")


_until: ContextVar[float] = ContextVar("until", default=math.inf)


def until(moment: float) -> None:
    """What runs here may begin statements until `moment` (of `time.monotonic()`); then TookTooLong is raised instead.
    What was committed by then stays; what wasn't is undone.
    """
    _until.set(moment)


def _in_time(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    if not statement.startswith("ROLLBACK"):
        _still_waited_for()


def _still_waited_for() -> None:
    if time.monotonic() > _until.get():
        raise TookTooLong("nobody waits for it any more")


def _begins(connection: Connection, *_: Any) -> None:
    connection.info["began"] = time.perf_counter()


def _ends(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    took = time.perf_counter() - connection.info.pop("began", float("inf"))
    if _slow_s and took >= _slow_s:
        _tell_slow(statement, took)


def _breaks_off(context: ExceptionContext) -> None:
    # What the server's time-outs cut short are the slowest of all.
    if context.connection is not None and context.statement is not None and not context.is_disconnect:
        _ends(context.connection, None, context.statement)


@contextmanager
def told_when_slow(statement: str) -> Iterator[None]:
    """Around a statement that goes to the driver as it is: a line in the log when it was slow, however it ended. Name
    its parameters in it, never their values.
    """
    began = time.perf_counter()
    try:
        yield
    finally:
        if _slow_s and (took := time.perf_counter() - began) >= _slow_s:
            _tell_slow(statement, took)


def _tell_slow(statement: str, seconds: float) -> None:
    """The statement as it was prepared: with the names of its parameters, never their values."""
    meters.add(meters.SLOW)
    said = _LIST.sub(r"\1, …", " ".join(statement.split()))
    log.warning(
        "slow statement: %.0f ms",
        seconds * 1000,
        extra={"statement": said[:_LONGEST], "ms": round(seconds * 1000)},
    )


_RESTED_SINCE = "rested_since"
_RECYCLE_S = 1800
_OVERFLOW = 4  # connections beyond the pool's size, closed when they come back
RESTS_S = 1.0  # a server that was restarted is met by connections older than this


def engine() -> Engine:
    """The process's engine."""
    return _configured(_engine)


def _configured(one: Engine | None) -> Engine:
    if one is None:
        raise RuntimeError("app.boot() has not run")
    return one


def dispose() -> None:
    """Close all connections that nobody uses now."""
    if _engine is not None:
        _engine.dispose()
    while _resting:
        _resting.pop().driver.close()


def dispose_after_fork() -> None:
    """Forget inherited connections in a child, without closing the parent's sockets."""
    if _engine is not None:
        _engine.dispose(close=False)
    _resting.clear()
    _using.clear()


def session() -> Session:
    """The session of the entry that is running. Raises RuntimeError outside transaction() and reading()."""
    current = _current.get()
    if current is None:
        raise RuntimeError("no transaction is open: entries (views, jobs, commands) open it")
    return current


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: commits at its end, rolls back on any exception, then rings the bells.

    Opened by entries only (view, job, command); refuses to nest.
    """
    if _current.get() is not None:
        raise RuntimeError("transaction() does not nest: the entry commits, services don't")
    current = Session(engine(), expire_on_commit=False)
    token = _current.set(current)
    try:
        with current:
            yield current
            current.flush()
            _still_waited_for()  # no listener hears of a COMMIT
            current.commit()
    finally:
        _current.reset(token)
    for after in current.info.get("after_commit", ()):
        try:
            after()
        except Exception:
            log.exception("after-commit action failed; the sweeper will do its work")


@contextmanager
def reading() -> Iterator[Session]:
    """A read-only session for one question; PostgreSQL refuses writes in it."""
    if _current.get() is not None:
        raise RuntimeError("reading() does not nest")
    current = Session(_configured(_reading), expire_on_commit=False, autoflush=False)
    token = _current.set(current)
    try:
        with current:
            yield current
    finally:
        _current.reset(token)


@contextmanager
def statements() -> Iterator[Connection]:
    """A bare connection on which each statement is a transaction by itself: for the few hot paths that are one
    statement and need no session. Not inside transaction() or reading().
    """
    if _current.get() is not None:
        raise RuntimeError("statements() does not nest")
    with _configured(_statements).connect() as connection:
        yield connection


class Plain:
    """A statement that goes to the driver as it is: for the few that thousands ask a minute, and of which SQLAlchemy's
    handling costs more than everything else in the request. Values by `:name`.

    `ask`, `row` and `rows` are a transaction each; `within` and `write` are part of the unit of work that is open.
    PostgreSQL plans it anew at each call for as long as the values it can see make that look better: one that is small
    beside its plan hides them, as `(SELECT :ids::uuid[])` (docs/adr/0047).
    """

    # A test reads them all, as nothing that listens to SQLAlchemy hears of them.
    made: ClassVar[list[Plain]] = []

    def __init__(self, statement: str) -> None:
        """Kept for the life of the process: make it a constant."""
        self.sql = _NAMED.sub(r"%(\1)s", statement.replace("%", "%%"))  # as people and tests read it
        # As PostgreSQL reads it: the driver would look for names in a long statement each time anew.
        self._names = list(dict.fromkeys(_NAMED.findall(statement)))
        self._is_question = _CHANGES.search(statement) is None
        self._raw = _NAMED.sub(lambda name: f"${self._names.index(name[1]) + 1}", statement).encode()
        self.made.append(self)

    def ask(self, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row of a question, which is asked once more where its connection turns out to be broken."""
        try:
            return self.row(values)
        except DBAPIError as e:
            if not e.connection_invalidated:
                raise
        dispose()  # the others broke with it
        return self.row(values)

    def within(self, values: Mapping[str, Any]) -> Sequence[Row[*tuple[Any, ...]]]:
        """All its rows, as a part of the unit of work that is open, with what was changed in it so far."""
        return self._within(values).all()

    def write(self, values: Mapping[str, Any]) -> None:
        """Carry out what gives no rows, as a part of the unit of work that is open."""
        self._within(values)

    def _within(self, values: Mapping[str, Any]) -> CursorResult[*tuple[Any, ...]]:
        current = session()
        if current.autoflush:
            current.flush()
        given = {name: values[name] for name in self._names}
        return current.connection().exec_driver_sql(self.sql, given)

    def row(self, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Its first row. Not inside transaction() or reading(). Raises DBAPIError."""
        return next(iter(self.rows(values)), None)

    def rows(self, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """All its rows. Not inside transaction() or reading(). Raises DBAPIError."""
        if _current.get() is not None:
            raise RuntimeError("a plain statement is no part of a unit of work")
        _still_waited_for()
        given = [values[name] for name in self._names]
        own: _Own | None = None
        turns = _turns if self._is_question else None
        has_turn = turns is not None and turns.acquire(timeout=_PATIENCE_S)
        try:
            own = _own()
            # Spelled out: this is on the way of every ballot.
            began = time.perf_counter()
            try:
                return own.rows(self._raw, given)
            finally:
                if _slow_s and (took := time.perf_counter() - began) >= _slow_s:
                    _tell_slow(self.sql, took)
        except psycopg.Error as e:
            raise DBAPIError.instance(
                self.sql,
                None,
                e,
                psycopg.Error,
                hide_parameters=True,
                connection_invalidated=own is not None and own.driver.closed,
                dialect=engine().dialect,
            ) from e
        finally:
            if turns is not None and has_turn:
                turns.release()
            if own is not None:
                own.rest()


class _Own:
    """A connection that commits by itself, for plain statements alone: taken out of the engine's pool for good, since
    to tell a connection each time that it commits by itself, and then that it doesn't, costs as much as a statement.

    It speaks to libpq in one step for each statement. psycopg's cursor waits in several, and lets another thread run at
    each: with four threads in a process they then wait for one another.
    """

    def __init__(self) -> None:
        pooled = engine().raw_connection()
        driver = pooled.driver_connection
        assert isinstance(driver, psycopg.Connection)
        pooled.detach()
        driver.autocommit = True
        if _prepares:
            driver.execute(_BY_INDEX, {"pid": driver.info.backend_pid}, prepare=False)
        self.driver = driver
        self._values = Transformer(driver)
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._count = itertools.count()
        self._opened = self._planned_since = self.rested_since = time.monotonic()

    def rows(self, statement: bytes, given: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What it answers. Raises psycopg.Error."""
        values = self._values
        sent = values.dump_sequence(given, [PyFormat.AUTO] * len(given))
        kind = (statement, values.types or ())
        found = self._ask(kind, sent)
        if found.status not in _WELL and found.error_field(_STATE) in _PREPARED_IS_OUT:
            self._prepared.pop(kind, None)  # it was refused before it began
            found = self._ask(kind, sent)
        if found.status not in _WELL:
            raise psycopg.errors.error_from_result(found, self.driver.info.encoding)
        if found.status != pq.ExecStatus.TUPLES_OK:
            return []
        values.set_pgresult(found)
        return values.load_rows(0, found.ntuples, tuple)

    def _ask(self, kind: tuple[bytes, tuple[int, ...]], sent: Sequence[Any]) -> pq.abc.PGresult:
        server = self.driver.pgconn
        if not _prepares:
            statement, types = kind
            return server.exec_params(statement, sent, types, self._values.formats, pq.Format.TEXT)
        name = self._prepared.get(kind)
        if name is None:
            name = b"plain_%d" % next(self._count)
            made = server.prepare(name, *kind)
            if made.status != pq.ExecStatus.COMMAND_OK:
                return made
            self._prepared[kind] = name
        return server.exec_prepared(name, sent, self._values.formats, pq.Format.TEXT)

    def answers(self) -> bool:
        """Is the server still there, after a rest? Its plans are no older than `PLANS_HOLD_S`."""
        now = time.monotonic()
        if now - self._planned_since > PLANS_HOLD_S:
            self._planned_since = now
            return (
                now - self._opened <= _RECYCLE_S
                and self.driver.pgconn.exec_(b"DISCARD PLANS").status == pq.ExecStatus.COMMAND_OK
            )
        if now - self.rested_since < RESTS_S:
            return True
        if now - self._opened > _RECYCLE_S:
            return False
        return self.driver.pgconn.exec_(b"").status == pq.ExecStatus.EMPTY_QUERY

    def rest(self) -> None:
        """Back to those that wait for the next statement, unless it is broken or enough of them do."""
        _using.discard(id(self))
        if self.driver.closed or len(_resting) >= _MAX_RESTING:
            self.driver.close()
            return
        self.rested_since = time.monotonic()
        _resting.append(self)


# PostgreSQL keeps the plan of a prepared statement. One made while a table was empty reads it from end to end, and goes
# on so while it grows, until somebody analyzes it: seconds after the first ballots the first screen took twice as long
# (docs/adr/0051). What is asked here is a row or a handful, each by an index. Where none serves after all, older
# versions count that as so dear that they would compile the statement first. A pooler says another process than the one
# it asks: nothing is left behind on a connection that others get.
_BY_INDEX = """
    SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)
    WHERE pg_backend_pid() = %(pid)s
"""
PLANS_HOLD_S = 30.0  # by which index is decided anew: of an empty table all look alike

# Who of this process asks now, where that is limited. Not longer than that is waited: the one before may wait itself.
_turns: threading.Lock | threading.Semaphore | None = None
_PATIENCE_S = 0.02


def is_here() -> bool:
    """Is the database on this machine, as far as its address says? Of what stands behind a pooler it says nothing.

    True where none is configured: then none is far away.
    """
    if _engine is None:
        return True
    if not _prepares:
        return False
    url = _engine.url.set(drivername="postgresql")
    try:
        named = conninfo_to_dict(url.render_as_string(hide_password=False))
    except psycopg.ProgrammingError:
        return False  # some option of the driver's own
    if "service" in named:
        return False
    given = named.get("hostaddr") or named.get("host") or os.environ.get("PGHOST") or ""
    hosts = str(given).split(",")
    return all(host in {"", "localhost", "127.0.0.1", "::1"} or host.startswith("/") for host in hosts)


def ask_in_turn(at_once: int) -> None:
    """Let this process ask no more than so many plain questions at the same moment, if its database is on this machine.

    There they are answered by the same processors that ask: more than these can work on are answered no sooner, and
    their servers push one another out of the caches (a twentieth to a tenth of the first screens). Nothing that writes
    or locks waits.
    """
    global _turns
    _turns = None if not is_here() else threading.Lock() if at_once == 1 else threading.Semaphore(at_once)


# No more are open than threads have asked at once. Taken and given back without a lock: each step is one of Python's.
_resting: list[_Own] = []
_using: set[int] = set()
_MAX_RESTING = 12
_STATE = pq.DiagnosticField.SQLSTATE
_WELL = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
# It isn't there any more, or a migration has changed what it answers with.
_PREPARED_IS_OUT = (b"26000", b"0A000")


def _own() -> _Own:
    own: _Own | None = None
    while own is None:
        try:
            own = _resting.pop()
        except IndexError:
            own = _Own()
            break
        if not own.answers():
            own.driver.close()
            own = None
    _using.add(id(own))
    return own


_NAMED = re.compile(r"(?<!:):([a-z]\w*)")
_CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|FOR (UPDATE|SHARE|NO KEY UPDATE|KEY SHARE))\b")


@contextmanager
def in_bulk() -> Iterator[None]:
    """Work on a hundred thousand rows that are newer than the database's statistics, in this unit of work.

    By old statistics a new decision's rows are few, and the planner looks each one up: by any index that begins with
    its keys, through all of them. A merge by the first key alone compares each with all that share it. Hashed as wholes
    they can't take longer than both are long.
    """
    with uncollected():
        session().execute(text("SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off"))
        yield
        session().execute(text("SET LOCAL enable_nestloop TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT"))


@contextmanager
def uncollected() -> Iterator[None]:
    """For work on thousands of rows at once: what is read and written stays until its end, so that Python needn't look
    through it for garbage again and again (a quarter of the time).
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def copy_in(model: type[Base], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write many rows of these columns by COPY, in this transaction: several times as fast as single inserts. A JSON
    column takes its text. What the session holds is flushed first.
    """
    session().flush()  # the rows may point to what is still to be written
    raw = session().connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    copy_rows(raw, model.__tablename__, columns, rows)


def copy_rows(
    driver: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """`copy_in` on a connection of the driver, in its transaction."""
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with told_when_slow(f"COPY {table}"), driver.cursor() as cursor, cursor.copy(command) as copy:
        for row in rows:
            copy.write_row(row)


def after_commit(action: Callable[[], None]) -> None:
    """Run `action` once this unit of work is durable; never when it rolls back."""
    session().info.setdefault("after_commit", []).append(action)


P = ParamSpec("P")
T = TypeVar("T")


def is_passing(error: BaseException) -> bool:
    """May the same unit of work simply be tried again?"""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None) or ""
    # psycopg reports a refused or lost connection without a SQLSTATE.
    return state.startswith(_PASSING) or (state == "" and type(error).__name__ == "OperationalError")


def is_overloaded(error: BaseException) -> bool:
    """Was there no connection of ours left, or has the server too much to do? Later it may have less."""
    if isinstance(error, PoolTimeout):
        return True
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, DBAPIError) and state.startswith(_OVERLOADED)


def cannot_hold(error: BaseException) -> bool:
    """Was it given a value that no column can hold: a number beyond 64 bits, or a text with NUL?"""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    # psycopg refuses NUL itself, before anything is sent.
    return state in _UNHELD or (state is None and isinstance(error.orig, psycopg.DataError))


def retrying(unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run an idempotent unit of work, again up to 4 times after serialization, deadlock or a lost connection."""
    for pause in (0.05, 0.2, 0.8, 2.0):
        try:
            return unit(*args, **kwargs)
        except DBAPIError as e:
            if not is_passing(e):
                raise
            log.warning("unit of work is tried again: %s", type(e.orig).__name__)
            time.sleep(pause)
    return unit(*args, **kwargs)


def constraint_of(error: DBAPIError) -> str | None:
    """The name of the constraint that was broken, for mapping races to refusals."""
    diag = getattr(error.orig, "diag", None)
    return getattr(diag, "constraint_name", None)


def connections() -> list[tuple[str, int]]:
    """(state, number) of the connections that all our processes have to this database now; for /metrics."""
    rows = session().execute(
        text(
            "SELECT coalesce(state, 'unknown'), count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user GROUP BY 1"
        )
    )
    return [(state, number) for state, number in rows]


def most_connections() -> int:
    """How many connections the server takes from everybody together; for /metrics."""
    return int(session().scalar(text("SHOW max_connections")) or 0)


def in_use() -> int:
    """How many of this process's connections somebody holds now; for /metrics."""
    pool = engine().pool
    return len(_using) + (pool.checkedout() if isinstance(pool, QueuePool) else 0)


def most_in_use() -> int:
    """How many connections this process may hold at a time, apart from those for plain statements; for /metrics."""
    pool = engine().pool
    return pool.size() + _OVERFLOW if isinstance(pool, QueuePool) else 0


def answers() -> bool:
    """Does the database answer now?"""
    try:
        with engine().connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError:
        return False
    return True
