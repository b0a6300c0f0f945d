"""One run from start to end, with small programs in the places of the real ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools import processes
from tools.processes import Identity

TOP = Path(__file__).resolve().parents[2]

SLEEP = "import time; time.sleep(600)"
ANSWER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *args): pass
port = int(sys.argv[sys.argv.index("--port") + 1] if "--port" in sys.argv else os.environ["PORT"])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
ACCOUNTS = [
    {"account": "street-demo", "password": "demo", "role": "street", "where": "寸滩街道"},
    {"code": "demo-wang", "where": "江北花园"},
]


class Run:
    """A launcher in a checkout of its own."""

    def __init__(self, checkout: Path, port: int) -> None:
        self.checkout, self.port = checkout, port
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it and give what it prints until it is ready."""
        ours = {"DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "WECHAT_API_BASE", "MAKELEVEL"}
        env = {name: value for name, value in os.environ.items() if name not in ours}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.run", "--port", str(self.port)],
            cwd=self.checkout,
            env=env | {"JIAYUAN_VAR": str(self.checkout / "var")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = []
        assert self.process.stdout
        for line in self.process.stdout:
            printed.append(line)
            if "curl -s -H" in line:
                return "".join(printed)
        raise AssertionError("".join(printed))

    def end(self, kind: signal.Signals) -> int:
        """Send a signal and give the exit code."""
        assert self.process
        self.process.send_signal(kind)
        assert self.process.stdout
        self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(30)

    def noted(self) -> dict:
        return json.loads((self.checkout / "var" / "run.json").read_text(encoding="utf-8"))

    def children(self) -> list[Identity]:
        noted = self.noted()
        return [Identity(*who) for who in noted["children"].values()]


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A folder that root's database user may enter, which pytest's own may not be."""
    with tempfile.TemporaryDirectory(prefix="jiayuan-test-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.fixture
def run_(checkout: Path) -> Iterator[Run]:
    programs = {
        "alembic": "",
        "sandbox": ANSWER,
        "gunicorn": ANSWER,
        "workers": SLEEP,
        "tools/demo": f"import sys\nif '--accounts' in sys.argv: print({json.dumps(ACCOUNTS)!r})",
    }
    shutil.copytree(TOP / "tools", checkout / "tools", ignore=shutil.ignore_patterns("__pycache__", "demo*"))
    for name, code in programs.items():
        (checkout / name).mkdir()
        (checkout / name / "__init__.py").touch()
        (checkout / name / "__main__.py").write_text(code, encoding="utf-8")
    (checkout / "workers" / "sequencer.py").write_text(SLEEP, encoding="utf-8")
    (checkout / "sandbox" / "sms.py").write_text(ANSWER, encoding="utf-8")
    # Not one that the system gives away by itself: a neighbour could be gone a moment later.
    run = Run(checkout, 20_000 + os.getpid() % 1000 * 10)
    yield run
    if run.process and run.process.poll() is None:
        run.end(signal.SIGTERM)


def wait_until(claim: Callable[[], bool], patience_s: float = 15) -> None:
    deadline = time.monotonic() + patience_s
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
def test_a_run_survives_kills_and_leaves_nothing(run_: Run) -> None:
    printed = run_.start()
    for step in ("database", "queue", "migrations", "demo data", "servers"):
        assert step in printed
    assert f"http://127.0.0.1:{run_.port}/docs" in printed
    assert "street-demo" in printed
    assert '"code": "demo-wang"' in printed
    assert "failed" not in printed

    # A program that dies is started again.
    web = Identity(*run_.noted()["children"]["web"])
    os.kill(web.pid, signal.SIGKILL)
    wait_until(lambda: run_.noted()["children"]["web"][0] != web.pid)

    # Its launcher killed, everything it started ends, and the next run takes the same port and the same data.
    secrets = (run_.checkout / "var" / "dev.env").read_bytes()
    before = run_.noted()
    children = run_.children()
    assert run_.end(signal.SIGKILL) == -signal.SIGKILL
    run_.start()
    assert not any(child.is_alive() for child in children)
    assert run_.noted()["mark"] != before["mark"]
    assert (run_.checkout / "var" / "dev.env").read_bytes() == secrets

    # Ctrl-C ends it in order.
    mark = run_.noted()["mark"]
    assert run_.end(signal.SIGINT) == 0
    assert processes.marked("JIAYUAN_LAUNCH", mark) == []
    assert not (run_.checkout / "var" / "run.json").exists()
    assert not (run_.checkout / "var" / "postgres" / "data" / "postmaster.pid").exists()
