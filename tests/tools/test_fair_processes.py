"""The web server as shipped: its processes share the connections, and a killed one holds up no other."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHO = """
import os
def app(environ, start_response):
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
ALL = 40


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A server of two processes that tell who they are."""
    (tmp_path / "who.py").write_text(WHO, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with (tmp_path / "web.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "deploy/gunicorn.py"), "who:app"],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port), "WEB_WORKERS": "2", "PYTHONPATH": f"{tmp_path}:{ROOT}"},
            stdout=log,
            stderr=log,
        )
    try:
        yield port
    finally:
        server.terminate()
        server.wait(30)


@contextlib.contextmanager
def connected(port: int) -> Iterator[list[socket.socket]]:
    """Many connections at one moment."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(ALL)
        ]


def holders(connections: list[socket.socket]) -> Counter[int]:
    """How many of them each process answers on."""
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    said: Counter[int] = Counter()
    for connection in connections:
        got = b""
        while b"\r\n\r\n" not in got or got.endswith(b"\r\n\r\n"):
            got += connection.recv(4096)
        said[int(got.rpartition(b"\r\n\r\n")[2])] += 1
    return said


def both_at_work(port: int) -> Counter[int]:
    """The shares of two processes, once both are there; the evenest of some tries, for a busy machine starves one."""
    best: Counter[int] = Counter()
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        with contextlib.suppress(OSError), connected(port) as connections:
            shares = holders(connections)
            if len(shares) == 2 and min(shares.values()) > min(best.values(), default=0):
                best = shares
            if len(best) == 2 and min(best.values()) >= 0.4 * ALL:
                break
        time.sleep(0.2)
    return best


def test_two_processes_share_the_connections_also_after_one_was_killed(port: int) -> None:
    shares = both_at_work(port)
    assert len(shares) == 2
    assert min(shares.values()) >= 0.4 * ALL

    os.kill(next(iter(shares)), signal.SIGKILL)  # its connections are gone, and must not count any more
    later = both_at_work(port)

    assert len(set(later) - set(shares)) == 1
    assert min(later.values()) >= 0.4 * ALL
