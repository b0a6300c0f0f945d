"""The house under load: servers, stand-ins, web server, workers and sequencer as in production, each a process."""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import harness, vote
from tools import processes, servers
from tools.processes import ServerError
from tools.program import Program

READY_S = 120
# As in production: its limits, its second factor, its periods. The stand-ins' text messages go out at any hour.
LIKE_PRODUCTION = {
    "DEMO": "0",
    "RATE_LIMITS": "on",
    "STAFF_TOTP": "required",
    "VOTE_PERIODS": "lawful",
    "SMS_WINDOW": "00:00-24:00",
}
_PORTS = {"PUBLIC_BASE_URL": 0, "WECHAT_API_BASE": 1, "ALIYUN_SMS_ENDPOINT": 2, "TENCENT_SMS_ENDPOINT": 2}


@dataclass
class World:
    """What runs. `web`, `gateways`, `metrics`: addresses without a slash at their end."""

    pg: servers.Postgres
    valkey: servers.Valkey
    environment: dict[str, str]
    folder: Path
    programs: list[Program]
    web: str
    gateways: str
    metrics: str

    def start(self) -> None:
        """Start the programs and wait until they are ready. ServerError with a sentence when one isn't."""
        port = self.web.rpartition(":")[2]
        metrics = {
            "METRICS_PORT": self.metrics.rpartition(":")[2],
            "PROMETHEUS_MULTIPROC_DIR": str(self.folder / "metrics"),
        }
        (self.folder / "metrics").mkdir()
        wechat = self.environment["WECHAT_API_BASE"].rstrip("/").rpartition(":")[2]
        push = {"PUSH_URL": f"{self.web}/callbacks/wechat/push"}
        self._start("wechat", ["sandbox", "--port", wechat, "--state", str(self.folder / "wechat")], push)
        self._start("gateways", ["sandbox.sms", "--port", self.gateways.rpartition(":")[2]], {})
        self._start("web", ["gunicorn", "-c", "deploy/gunicorn.py", "wsgi:app"], {"PORT": port, **metrics})
        counted = {"METRICS_PORT": "0", "PROMETHEUS_MULTIPROC_DIR": metrics["PROMETHEUS_MULTIPROC_DIR"]}
        self._start("workers", ["workers"], counted)
        self._start("sequencer", ["workers.sequencer"], counted)
        give_up_at = time.monotonic() + READY_S
        while not self._is_ready():
            self.ensure_running()
            if time.monotonic() > give_up_at:
                raise ServerError(f"{self.web} is not ready after {READY_S} s")
            time.sleep(0.2)

    def _start(self, name: str, module: list[str], extra: dict[str, str]) -> None:
        program = Program(
            name,
            [sys.executable, "-m", *module],
            env={**self.environment, **extra},
            cwd=harness.ROOT,
            log=self.folder / f"{name}.log",
            patience_s=25,
        )
        self.programs.append(program)
        program.start()

    def _is_ready(self) -> bool:
        try:
            for address in (f"{self.web}/readyz", f"{self.gateways}/_sandbox/sms/health"):
                urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            return False
        return True

    def ensure_running(self) -> None:
        """ServerError with the end of its log when a program has ended."""
        for program in self.programs:
            code = program.exit_code()
            if code is not None:
                raise ServerError(program.obituary(f"ended with {code}"))

    def refusals(self) -> dict[str, float]:
        """What the server itself counted as refused, by the name of the limit."""
        with urllib.request.urlopen(f"{self.metrics}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        mark = 'jiayuan_refused_total{limit="'
        return {
            line.removeprefix(mark).partition('"')[0]: float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith(mark)
        }

    @property
    def roots(self) -> dict[str, int]:
        """The first process of each server and program."""
        found = {program.name: program.identity.pid for program in self.programs if program.identity}
        assert self.pg.server is not None
        assert self.valkey.server is not None
        return found | {"postgres": self.pg.server.pid, "valkey": self.valkey.server.pid}


@contextmanager
def house() -> Iterator[World]:
    """Servers with the migrated schema and this process booted on them; programs are started by `World.start`."""
    ports = [processes.free_port() for _ in range(4)]
    claims = [processes.claim(port) for port in ports]
    base = {name: f"http://127.0.0.1:{ports[at]}" for name, at in _PORTS.items()}
    base["WECHAT_API_BASE"] += "/"
    os.environ.update(base | LIKE_PRODUCTION)
    try:
        with vote.house_with_queue() as (pg, valkey, environment, folder):
            world = World(
                pg,
                valkey,
                environment,
                folder,
                [],
                web=base["PUBLIC_BASE_URL"],
                gateways=base["ALIYUN_SMS_ENDPOINT"],
                metrics=f"http://127.0.0.1:{ports[3]}",
            )
            try:
                yield world
            finally:
                for program in reversed(world.programs):
                    program.stop()
    finally:
        for claim in claims:
            if claim is not None:
                claim.close()


def callback_token(world: World) -> str:
    """The secret in the address of the vendors' callbacks."""
    return world.environment["SMS_CALLBACK_TOKENS"].split(",")[0]
