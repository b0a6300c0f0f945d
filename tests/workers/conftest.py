"""A plant: web server, supervisor and workers as real processes, with servers of their own that tests may kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from redis import Redis
from redis.exceptions import RedisError

from app.ids import Kind, decode_id, decode_ref
from sandbox.config import Config
from sandbox.web import Sandbox, running
from tests.conftest import TEMPLATE, TOP, migrate, settings_for, small_jpeg
from tools import processes, servers
from tools.processes import Identity

DATABASE = "plant"
NAMES = ("critical", "default", "media", "imports", "sms", "periodic", "schedule")
# Short leases and sweeps: what is tested is that they end, not how long a production lease is.
QUICK = {"LEASE_S": "3", "SWEEP_S": "1", "RING_BELLS": "1"}


def wait_for(what: Callable[[], Any], *, within: float, of: str) -> float:
    """Seconds until `what()` was true; fails after `within`."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(requests.RequestException):
            if what():
                return time.monotonic() - began
        if time.monotonic() - began > within:
            pytest.fail(f"not within {within} s: {of}", pytrace=True)
        time.sleep(0.05)


def children_of(pid: int) -> dict[int, str]:
    """The living children of a process: pid → name."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] not in "ZX":
                found[int(place.name)] = (place / "comm").read_text(encoding="utf-8").strip()
    return found


@dataclass
class Phone:
    """A resident's phone: HTTP to the plant's web server."""

    plant: Plant
    name: str
    token: str

    def get(self, path: str) -> requests.Response:
        return self._call("GET", path)

    def post(self, path: str, json: Any = None, **kwargs: Any) -> requests.Response:
        return self._call("POST", path, json=json, **kwargs)

    def _call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(
            method, f"{self.plant.url}/bff/v1{path}", headers=headers, timeout=30, **kwargs
        )

    def photo(self, data: bytes | None = None) -> str:
        answer = self.post("/photos", files={"file": ("photo.jpg", data or small_jpeg())})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["photo_id"])

    @staticmethod
    def jpeg() -> bytes:
        return small_jpeg()

    def report(self, **more: Any) -> requests.Response:
        body = {"estate_id": self.plant.estate_id, "text": "楼道灯不亮", "client_token": uuid4().hex} | more
        return self.post("/tickets", body)

    def reports(self, count: int) -> list[str]:
        """So many tickets; their ids."""
        answers = [self.report() for _ in range(count)]
        assert {a.status_code for a in answers} == {201}
        return [str(a.json()["ticket_id"]) for a in answers]

    def allow_notices(self, count: int) -> None:
        """Tap "allow" so often. The sandbox grants two more: a call in flight may spend one and be made again."""
        openid = self.plant.sandbox.state.meet(name=self.name)
        for _ in range(count + 2):
            self.plant.sandbox.state.grant(openid, TEMPLATE)
        for _ in range(count):
            answer = self.post("/subscriptions", {"results": {TEMPLATE: "accept"}})
            assert answer.status_code == 200, answer.text

    def received(self) -> list[dict[str, Any]]:
        """What WeChat brought to this phone."""
        answer = requests.get(
            f"{self.plant.sandbox_url}_sandbox/ledger.json", params={"name": self.name}, timeout=10
        )
        return list(answer.json()["messages"])


@dataclass
class Plant:
    """Web, workers, PostgreSQL, Valkey and the WeChat stand-in."""

    home: Path
    pg: servers.Postgres
    valkey: servers.Valkey
    sandbox: Sandbox
    sandbox_url: str
    port: int
    environment: dict[str, str]
    estate_id: str = ""
    community: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    workers_with: dict[str, str] = field(default_factory=dict)
    web_with: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # --- processes

    def _start(self, name: str, *module: str, **env: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("ab") as log:
            process = processes.start(
                [sys.executable, "-m", *module],
                log=log,
                env=os.environ | self.environment | env,
                cwd=TOP,
                death_signal=signal.SIGTERM,
            )
        self.processes[name] = process
        return process

    def stop(self, name: str) -> float:
        """Stop in order; how many seconds it took."""
        process = self.processes.pop(name, None)
        if process is None:
            return 0.0
        began = time.monotonic()
        process.terminate()
        process.wait(timeout=60)
        return time.monotonic() - began

    def web(self, **env: str) -> None:
        """A web server with just these settings, ready."""
        if "web" in self.processes and self.web_with == env:
            return
        self.stop("web")
        gunicorn = ("gunicorn", "-c", "deploy/gunicorn.py", "wsgi:app")
        self._start("web", *gunicorn, PORT=str(self.port), WEB_WORKERS="1", **env)
        self.web_with = env
        wait_for(lambda: self.readyz().status_code == 200, within=40, of="web is ready")

    def workers(self, *, quick: bool = True, **env: str) -> None:
        """A supervisor with just these settings and all its workers at work. Not `quick`: as shipped."""
        wanted = QUICK | env if quick else env
        if "workers" in self.processes and self.workers_with == wanted:
            wait_for(self.all_at_work, within=40, of="all workers at work again")
            return
        self.stop("workers")
        self.start_workers(**wanted)
        wait_for(self.all_at_work, within=40, of="all workers at work")

    def start_workers(self, **env: str) -> subprocess.Popen[bytes]:
        """A supervisor with just these settings; its workers need a moment."""
        self.workers_with = env
        return self._start("workers", "workers", **env)

    def worker(self, queue: str) -> int | None:
        """The pid of the worker of that queue (or of the schedule)."""
        supervisor = self.processes["workers"].pid
        name = f"jiayuan-{queue}"[:15]
        return next((pid for pid, shown in children_of(supervisor).items() if shown == name), None)

    def horses(self, queue: str) -> list[int]:
        """The pids that work on a job of that queue now."""
        worker = self.worker(queue)
        return list(children_of(worker)) if worker else []

    def all_at_work(self) -> bool:
        """Does every child run, and does every worker listen?"""
        if any(self.worker(name) is None for name in NAMES):
            return False
        with contextlib.closing(Redis.from_url(self.valkey.url)) as redis, contextlib.suppress(RedisError):
            return len(redis.pubsub_channels("rq:pubsub:*")) == len(NAMES) - 1
        return False

    # --- looking

    def readyz(self) -> requests.Response:
        return requests.get(f"{self.url}/readyz", timeout=30)

    def sql(self, query: str) -> str:
        return self.pg.sql(query, database=DATABASE)

    def faults(self) -> list[Any]:
        """The failures that the sandbox still has in store."""
        return list(self.sandbox.state.faults())

    def numbers(self, phone: Phone) -> int:
        """How many different tickets WeChat told this phone about."""
        return len({str(message["page"]) for message in phone.received()})

    def text_checks(self, tickets: list[str]) -> set[str]:
        """The verdicts on the words of these tickets."""
        return set(self._of_tickets("text_check", tickets).splitlines())

    def count_tickets(self, tickets: list[str]) -> int:
        """How many of these tickets are there."""
        return int(self._of_tickets("count(*)", tickets))

    def _of_tickets(self, what: str, tickets: list[str]) -> str:
        names = ", ".join(f"'{decode_ref(Kind.TICKET, ticket).id}'" for ticket in tickets)
        return self.sql(f"SELECT {what} FROM tickets WHERE id IN ({names})")

    def record(self, what: str, seconds: float) -> None:
        """Keep a measurement: it is in the output of `pytest -s` and in that of a failed test."""
        sys.stdout.write(f"MEASURED {what}: {seconds:.1f} s\n")

    def owed(self) -> int:
        """Rows of promises that are not kept yet and due within the minute."""
        return int(
            self.sql(
                "SELECT (SELECT count(*) FROM outbox WHERE state = 'open' AND not_before < now() + '1 minute')"
                " + (SELECT count(*) FROM wechat_notices WHERE state = 'queued')"
            )
        )

    def settled(self, *, within: float = 30) -> float:
        """Seconds until nothing is owed any more."""
        return wait_for(lambda: self.owed() == 0, within=within, of="every promise is kept")

    def queued(self) -> int:
        """How many jobs wait in Redis."""
        with contextlib.closing(Redis.from_url(self.valkey.url)) as redis:
            return sum(int(redis.llen(f"rq:queue:{name}")) for name in NAMES[:-1])

    # --- doing

    def order(self, path: str, **body: Any) -> None:
        """Tell the sandbox something."""
        answer = requests.post(f"{self.sandbox_url}_sandbox/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text

    def resident(self) -> Phone:
        """Somebody new, logged in."""
        name = f"who-{uuid4().hex[:12]}"
        answer = requests.post(f"{self.url}/bff/v1/session", json={"code": f"demo-{name}"}, timeout=20)
        assert answer.status_code == 201, answer.text
        return Phone(self, name, answer.json()["access_token"])

    def photo_states(self, ids: list[str]) -> set[tuple[str, str]]:
        """(status, check_state) of these uploads."""
        names = ", ".join(f"'{decode_id(Kind.UPLOAD, i)}'" for i in ids)
        rows = self.sql(f"SELECT status, check_state FROM uploads WHERE id IN ({names})").splitlines()
        return {(a, b) for a, _, b in (row.partition("|") for row in rows)}


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """The servers and a migrated town; web and workers are started by what needs them."""
    home = tmp_path_factory.mktemp("plant")
    port = processes.free_port()
    with servers.postgres(fast=True) as pg, servers.valkey() as valkey:
        pg.create_database(DATABASE)
        environment = settings_for(
            pg,
            DATABASE,
            REDIS_URL=valkey.url,
            PUBLIC_BASE_URL=f"http://127.0.0.1:{port}",
            STORAGE_URL=f"folder:{home / 'photos'}",
            WECHAT_TIMEOUT_S="3",
            RATE_LIMITS="off",  # two residents report as fast as they can
        )
        migrate(environment)
        with running(
            Config(
                appid=environment["WECHAT_APPID"],
                secret=environment["WECHAT_SECRET"],
                push_token=environment["WECHAT_PUSH_TOKEN"],
                push_aes_key=environment["WECHAT_PUSH_AES_KEY"],
                templates={"ticket_progress": TEMPLATE},
                push_url=f"http://127.0.0.1:{port}/callbacks/wechat/push",
                media_delay_s=0.0,
                push_gap_s=0.5,
            )
        ) as (sandbox_url, sandbox):
            environment["WECHAT_API_BASE"] = sandbox_url
            plant = Plant(home, pg, valkey, sandbox, sandbox_url, port, environment)
            seeded = subprocess.run(
                [sys.executable, "-m", "tests.workers.seed"],
                cwd=TOP,
                env=os.environ | environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert seeded.returncode == 0, seeded.stderr
            town = json.loads(seeded.stdout.splitlines()[-1])
            plant.estate_id, plant.community = town["estate_id"], town["community"]
            try:
                yield plant
            finally:
                for name in ("workers", "web"):
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        plant.stop(name)
                for process in plant.processes.values():
                    process.kill()


@pytest.fixture
def plant(grounds: Plant) -> Iterator[Plant]:
    """The plant in good order: web and quick workers run, WeChat works. Its logs are shown when a test fails."""
    began = {path: path.stat().st_size for path in grounds.home.glob("*.log")}
    for api in ("*", "subscribe_send", "msg_sec_check", "media_check_async"):
        grounds.order("fail", api=api, mode=None)
    if not grounds.pg.is_running():
        grounds.pg.start()
    if not grounds.valkey.is_running():
        grounds.valkey.start()
    grounds.web()
    grounds.workers()
    yield grounds
    for path in sorted(grounds.home.glob("*.log")):
        with path.open("rb") as log:
            log.seek(began.get(path, 0))
            text = log.read().decode("utf-8", errors="replace")
        sys.stdout.write(f"--- {path.name}\n{text[-6000:]}\n")


def kill9(pid: int) -> None:
    """Kill one process with -9 and wait until it is gone."""
    who = Identity.of(pid)
    if who is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert processes.wait_gone(who, 5)
