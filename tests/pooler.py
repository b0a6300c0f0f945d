"""A real PgBouncer between the application and the tests' PostgreSQL, for transactions, by `deploy/pgbouncer.ini`.

`TEST_POOLER=/usr/sbin/pgbouncer .venv/bin/python -m pytest tests/…` runs any tests through it; with
`TEST_POOLER_PREPARES=200` through one that carries so many prepared statements (from 1.22.1 on), and without
DATABASE_POOLER.
"""

from __future__ import annotations

import atexit
import configparser
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tools import postgres_server, processes, servers
from tools.processes import Identity

TOP = Path(__file__).resolve().parent.parent
PREPARES = os.environ.get("TEST_POOLER_PREPARES", "")
# Few, so that two transactions of a client seldom get the same one, and many that something is left behind on.
CONNECTIONS = int(os.environ.get("TEST_POOL_SIZE", "4"))


def installed() -> str | None:
    """The program, if this machine has one."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Pooler:
    """PgBouncer before one PostgreSQL."""

    def __init__(self, program: str, pg: servers.Postgres, **changes: str) -> None:
        """Nothing is started yet. `changes`: settings of `deploy/pgbouncer.ini` that are others."""
        self.program, self.pg, self.changes = program, pg, changes
        self.port = processes.free_port()
        self.home = Path(tempfile.mkdtemp(prefix="jiayuan-pooler-"))
        self.log = self.home / "pgbouncer.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, and return when it takes connections."""
        settings = configparser.ConfigParser(strict=True, interpolation=None, comment_prefixes=(";",))
        settings.read(TOP / "deploy/pgbouncer.ini", encoding="utf-8")
        settings["databases"] = {"*": f"host=127.0.0.1 port={self.pg.port}"}
        settings["pgbouncer"].update(
            {
                "listen_port": str(self.port),
                "default_pool_size": str(CONNECTIONS),
                "auth_file": str(self.home / "userlist.txt"),
                **self.changes,
            }
        )
        with (self.home / "pgbouncer.ini").open("w", encoding="utf-8") as file:
            settings.write(file)
        known = [urlsplit(self.pg.url(role)) for role in ("app", "retention")]
        lines = [f'"{one.username}" "{one.password}"\n' for one in known]
        (self.home / "userlist.txt").write_text("".join(lines), encoding="utf-8")
        uid = -1
        if os.geteuid() == 0:
            uid = postgres_server.plain_user()
            for place in (self.home, *self.home.iterdir()):
                os.chown(place, uid, uid)
        with self.log.open("ab") as log:
            self._process = processes.start(
                [self.program, str(self.home / "pgbouncer.ini")],
                log=log,
                cwd=Path("/"),
                uid=uid,
                death_signal=signal.SIGKILL,
            )
        give_up_at = time.monotonic() + 20
        while time.monotonic() < give_up_at and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise servers.ServerError(f"PgBouncer did not start:\n{processes.last_lines(self.log)}")

    def stop(self) -> None:
        """End it; nothing is left."""
        if self._process is not None and (who := Identity.of(self._process.pid)):
            processes.stop(who, with_signal=signal.SIGTERM)
            self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def url(self, direct: str) -> str:
        """The address through it of a database that `direct` is the address of."""
        return direct.replace(f"@127.0.0.1:{self.pg.port}/", f"@127.0.0.1:{self.port}/")


_running: dict[Path, Pooler] = {}


def settings(pg: servers.Postgres, database: str) -> dict[str, str]:
    """The settings by which programs reach this database: through a pooler where TEST_POOLER asks for one."""
    program = os.environ.get("TEST_POOLER")
    if not program:
        return {
            "DATABASE_URL": pg.url("app", database),
            "MIGRATION_DATABASE_URL": pg.url("owner", database),
            "RETENTION_DATABASE_URL": pg.url("retention", database),
        }
    if pg.home not in _running:
        changes = {"max_prepared_statements": PREPARES} if PREPARES else {}
        _running[pg.home] = Pooler(program, pg, **changes).start()
        atexit.register(_running[pg.home].stop)
    return through(_running[pg.home], database) | ({"DATABASE_POOLER": ""} if PREPARES else {})


def through(pooler: Pooler, database: str) -> dict[str, str]:
    """The settings by which programs reach this database through it, but migrations."""
    return {
        "DATABASE_URL": pooler.url(pooler.pg.url("app", database)),
        "DATABASE_POOLER": "transaction",
        "MIGRATION_DATABASE_URL": pooler.pg.url("owner", database),
        "RETENTION_DATABASE_URL": pooler.url(pooler.pg.url("retention", database)),
    }
