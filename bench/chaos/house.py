"""What is made to suffer: the programs of a production, each a real process, and the servers below them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import requests

from app import boot, db
from app.settings import Settings
from bench import harness
from bench.chaos import shifted
from tools import development, processes, servers

DATABASE = "chaos"
QUEUES = ("critical", "default", "media", "imports", "sms", "periodic")
# Shorter than in production, so that what a killed worker held is taken up within a run; nothing else depends on it.
LEASE_S = 20
STORE_MB, DATA_MB = 700, 1500
# How the gateways behave between faults. Receipts that aren't taken come again soon, and not within minutes.
USUAL = {"latency_ms": [20, 80], "query_lag_s": [0, 2]}
RETRY_S = [1, 2, 4, 8, 15, 30, 60, 60, 60]


class Stuck(Exception):
    """Something that had to happen by itself didn't."""


class Keeper:
    """A program that is started again when it ends, as systemd would."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._command, self._environment, self._log = list(command), dict(environment), log
        self._ends = threading.Event()
        self.process = self._start()
        self._watch = threading.Thread(target=self._keep, daemon=True, name=f"keeper-{name}")
        self._watch.start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                cwd=harness.ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while not self._ends.wait(0.1):
            if self.process.poll() is not None and not self._ends.wait(0.5):
                self.process = self._start()

    def kill(self) -> None:
        """With -9: this process alone. Another one is started within a second."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """In order, and for good; after 25 s with -9, its children with it."""
        self._ends.set()
        self._watch.join()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(25)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def child(self, name: str) -> int | None:
        """The pid of the child with that name, as `ps` shows it."""
        return next((pid for pid, shown in children_of(self.process.pid).items() if shown == name), None)


def children_of(pid: int) -> dict[int, str]:
    """The living children of a process: pid → name."""
    found = {}
    with contextlib.suppress(OSError):
        said = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        for child in map(int, said.split()):
            with contextlib.suppress(OSError):
                found[child] = Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip()
    return found


def kill9(pid: int) -> None:
    """One process, with -9."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Disk:
    """A small file system of our own, which can be full; without the right to mount, an ordinary folder."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.why_not = (done.stderr.strip() or "mount failed") if done.returncode else ""
        self._full = threading.Event()
        self._filler: threading.Thread | None = None

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Not a byte is left, and what is freed is taken again at once."""
        self._full.set()
        self._fill()
        self._filler = threading.Thread(target=self._keep_full, daemon=True)
        self._filler.start()

    def _fill(self) -> None:
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            for size in (1024 * 1024, 4096):  # by the megabyte first: it is to be full at once
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass

    def _keep_full(self) -> None:
        while self._full.is_set():
            self._fill()
            time.sleep(0.05)

    def free(self) -> None:
        """There is room again."""
        self._full.clear()
        if self._filler is not None:
            self._filler.join()
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Give it back."""
        self.free()
        if not self.why_not:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)


@dataclass
class House:
    """Everything that runs, and how it is reached."""

    folder: Path
    pg: servers.Postgres
    valkey: servers.Valkey
    data: Disk
    store: Disk
    environment: dict[str, str]
    port: int
    proxy_port: int
    programs: dict[str, Keeper] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Of the web server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def wechat(self) -> str:
        """Of the stand-in for WeChat."""
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def gateways(self) -> str:
        """Of the stand-ins for the SMS vendors."""
        return f"http://127.0.0.1:{self.port + 3}"

    @property
    def dsn(self) -> str:
        """Straight to the database, as the owner."""
        return self.pg.url("owner", DATABASE)

    @property
    def clock(self) -> Path:
        """The file by which the programs' clocks are set."""
        return self.folder / "clock"

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """As the owner, past the proxy. Raises psycopg.Error while there is no database."""
        with psycopg.connect(self.dsn, autocommit=True, connect_timeout=3) as connection:
            found = connection.execute(statement, values)
            return found.fetchall() if found.description else []

    def behave(self, *, receipts: Mapping[str, Any] | None = None, **aliyun: Any) -> None:
        """Alibaba's gateway behaves like this from now on, Tencent's as usual."""
        token = self.environment["SMS_CALLBACK_TOKENS"].split(",", maxsplit=1)[0]
        told = {}
        for vendor, more in (("aliyun", aliyun), ("tencent", {})):
            address = f"{self.url}/callbacks/sms/{vendor}/{token}"
            pushes = {"url": f"{address}/report", "replies_url": f"{address}/reply", "delay_s": [0.3, 2]}
            told[vendor] = USUAL | more | {"receipts": pushes | {"retry_s": RETRY_S} | dict(receipts or {})}
        requests.post(f"{self.gateways}/_sandbox/sms/scenario", json=told, timeout=10).raise_for_status()

    def start(self, name: str, module: str, *arguments: str, **more: str) -> Keeper:
        """Begin a program, whose clock can be set."""
        kept = Keeper(
            name,
            [sys.executable, "-m", "bench.chaos.shifted", module, *arguments],
            self.environment | {"CHAOS_CLOCK": str(self.clock)} | more,
            self.folder / f"{name}.log",
        )
        self.programs[name] = kept
        return kept

    def workers_at_work(self) -> bool:
        """Does the supervisor have all its children?"""
        names = {f"jiayuan-{name}"[:15] for name in (*QUEUES, "schedule")}
        return names <= set(children_of(self.programs["workers"].process.pid).values())

    def is_ready(self) -> bool:
        """Does the web server say that it can work?"""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        return False


def _free_block() -> int:
    while True:
        port = processes.free_port()
        if all(processes.port_is_free(port + more) for more in (1, 3)):
            return port


def wait_until(what: Any, *, within: float, of: str) -> float:
    """Seconds until `what()` was true; Stuck after `within`."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > within:
            raise Stuck(f"not within {within:g} s: {of}")
        time.sleep(0.1)
    return time.monotonic() - began


@contextmanager
def running() -> Iterator[House]:
    """The servers, a migrated database, this process booted on it; the programs are started by `open_doors`."""
    with contextlib.ExitStack() as left:
        folder = Path(tempfile.mkdtemp(prefix="jiayuan-chaos-"))
        left.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # root's database runs as somebody else, who must get in
        data, store = Disk(folder / "database", DATA_MB), Disk(folder / "photos", STORE_MB)
        left.callback(data.unmount)
        left.callback(store.unmount)
        pg = servers.Postgres(data.folder)
        left.callback(pg.stop)
        pg.start()
        # A log that is written around within 200 MB: more than the small disk would hold otherwise.
        pg.sql("ALTER SYSTEM SET max_wal_size = '192MB'")
        pg.sql("SELECT pg_reload_conf()")
        valkey = servers.Valkey(folder / "valkey")
        left.callback(valkey.stop)
        valkey.start()
        pg.create_database(DATABASE)
        port, proxy_port = _free_block(), processes.free_port()
        environment = development.environment(
            folder, port, database="", owner=pg.url("owner", DATABASE), redis=valkey.url
        ) | {
            "DATABASE_URL": pg.url("app", DATABASE).replace(f":{pg.port}/", f":{proxy_port}/"),
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
            "STORAGE_URL": f"folder:{store.folder}",
            "PORT": str(port),
            "RATE_LIMITS": "off",  # a few ask as fast as they can in place of thousands
            "LEASE_S": str(LEASE_S),
            "SMS_SETTLE_S": "15",
            "SMS_TIMEOUT_S": "4",
            "SMS_CONNECT_TIMEOUT_S": "2",
            "LOG_LEVEL": "INFO",
            "METRICS_PORT": "0",
        }
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=harness.ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
        boot(Settings.from_env(environment | {"DATABASE_URL": pg.url("app", DATABASE)}))
        left.callback(lambda: db.engine().dispose())
        house = House(folder, pg, valkey, data, store, environment, port, proxy_port)
        shifted.set_to(house.clock, 0)
        left.callback(_close, house)
        yield house


def open_doors(house: House) -> None:
    """Begin every program, and wait until all are at work."""
    log = house.folder / "proxy.log"
    proxy = [sys.executable, "-m", "bench.chaos.proxy", str(house.proxy_port), str(house.pg.port)]
    house.programs["proxy"] = Keeper("proxy", proxy, house.environment, log)
    push = f"{house.url}/callbacks/wechat/push"
    house.start("wechat", "sandbox", "--port", str(house.port + 1), PUSH_URL=push)
    house.start("gateways", "sandbox.sms", "--port", str(house.port + 3))
    house.start("web", "gunicorn", "-c", "deploy/gunicorn.py", "wsgi:app", WEB_WORKERS="2")
    house.start("workers", "workers")
    house.start("sequencer", "workers.sequencer")
    wait_until(house.is_ready, within=120, of="the web server is ready")
    wait_until(house.workers_at_work, within=120, of="all workers are there")
    for address in (f"{house.wechat}/_sandbox/health", f"{house.gateways}/_sandbox/sms/health"):
        wait_until(lambda address=address: _answers(address), within=60, of="the stand-ins are there")
    house.behave()


def _answers(address: str) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(address, timeout=2).ok
    return False


def _close(house: House) -> None:
    # The proxy may be stopped, and wouldn't hear that it is to end.
    if "proxy" in house.programs:
        with contextlib.suppress(ProcessLookupError):
            os.kill(house.programs["proxy"].process.pid, signal.SIGCONT)
    for name in ("web", "workers", "sequencer", "wechat", "gateways", "proxy"):
        if name in house.programs:
            house.programs[name].stop()


def says(url: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """What a stand-in answers to a control call."""
    if body is None:
        answer = requests.get(f"{url}{path}", timeout=30)
    else:
        answer = requests.post(f"{url}{path}", json=dict(body), timeout=30)
    answer.raise_for_status()
    return json.loads(answer.content)
