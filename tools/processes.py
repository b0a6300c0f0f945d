"""What a launcher knows about operating-system processes and ports. Standard library only."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

CHILD = Path(__file__).with_name("child.py")


class ServerError(Exception):
    """A server could not be found, started or reached; the text is a sentence for whoever started it."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """A process that can be recognised after the pid was given to somebody else: pid and start mark."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of the living process `pid`; None when there is none (a zombie counts as none)."""
        mark = _start_mark(pid)
        return cls(pid, mark) if mark else None

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return _start_mark(self.pid) == self.started


def _start_mark(pid: int) -> str | None:
    """The boot and clock tick at which `pid` started, or None when it does not run."""
    try:
        # The name in parentheses may hold spaces and parentheses; what follows it does not.
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None if Path("/proc/self/stat").exists() else _start_mark_from_ps(pid)
    if fields[0] in "ZX":
        return None
    return f"{_boot()}:{fields[19]}"


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return ""


def _start_mark_from_ps(pid: int) -> str | None:
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return shown[1].strip() if len(shown) == 2 and not shown[0].startswith("Z") else None


def start(
    command: Sequence[str | Path],
    *,
    log: IO[bytes],
    errors: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    uid: int = -1,
    death_signal: signal.Signals | None = None,
    stdin: bytes | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` (an absolute path first) in a session of its own, its output into `log`.

    `errors`: where its standard error goes, if not there too.
    `death_signal` is what it gets when we die. Call from the main thread: the kernel counts the death of the
    thread that forked. `uid`: the user to become (root only). `stdin`: a few hundred bytes to feed it.
    """
    arguments = [str(part) for part in command]
    process = subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            str(CHILD),
            str(int(death_signal or 0)),
            str(os.getpid()),
            str(uid),
            *arguments,
        ],
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=log,
        stderr=errors or subprocess.STDOUT,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    if stdin is not None and process.stdin:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(stdin)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    return process


def stop(who: Identity, *, with_signal: signal.Signals = signal.SIGTERM, patience_s: float = 10) -> None:
    """Ask the process to end, wait up to `patience_s`, then kill it; silent when it is gone already."""
    _send(who, with_signal)
    if not wait_gone(who, patience_s):
        _send(who, signal.SIGKILL)
        wait_gone(who, 5)


def _send(who: Identity, kind: signal.Signals) -> None:
    if who.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(who.pid, kind)


def wait_gone(who: Identity, patience_s: float) -> bool:
    """Whether the process ended within `patience_s` seconds."""
    deadline = time.monotonic() + patience_s
    while who.is_alive():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def marked(name: str, value: str) -> list[Identity]:
    """The processes of this user that were started with `name=value` in their environment (Linux only)."""
    wanted = f"{name}={value}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            who = Identity.of(int(place.name))
            if who and who.pid != os.getpid() and wanted in (place / "environ").read_bytes().split(b"\0"):
                found.append(who)
    return found


def port_is_free(port: int) -> bool:
    """Whether somebody could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that are still winding down do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def claim(port: int) -> socket.socket | None:
    """A free port kept for us against other launchers of this machine until it is listened on, else None.

    A start takes seconds from choosing the port to listening there; two of them would choose the same one.
    The claim is a name that the kernel gives to one process and takes back at its end (Linux; elsewhere nobody
    is asked). Keep the socket for as long as the port is used.
    """
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if sys.platform == "linux":
            claimed.bind(f"\0jiayuan-port-{port}")
    except OSError:
        claimed.close()
        return None
    if port_is_free(port):
        return claimed
    claimed.close()
    return None


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_lines(path: Path, count: int = 8) -> str:
    """The end of a log file, for an error message; empty when there is no file."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    return ""


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all, whoever owned the one before."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def remembered(path: Path, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What the private file `path` holds; made and written by `make` the first time."""
    if not path.exists():
        write_private(path, json.dumps(make()))
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ServerError(f"{path} cannot be read ({error}); remove {path.parent} to start anew.") from error
    return found


def plain_environment() -> dict[str, str]:
    """An environment in which no PG* or LC_* variable of the caller changes what a server does."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return kept | {"LC_ALL": "C"}
