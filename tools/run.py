"""`make run`: the whole of Jiayuan on this machine, until Ctrl-C.

PostgreSQL and Valkey (unless DATABASE_URL and REDIS_URL name others), migrations, demo data, the WeChat
stand-in, web server and workers; then it prints where to click and who can log in. It keeps all in `var/`
(or in the folder that JIAYUAN_VAR names).

A launcher that was killed leaves no mess: the kernel stops its children, and whatever got away is recognised
at the next start by its pid and start time, or by the mark in its environment, and stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Never

from tools import development, processes, servers
from tools.child import tie_to_parent
from tools.processes import Identity, ServerError
from tools.program import Program

TOP = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("JIAYUAN_VAR") or TOP / "var").resolve()
LOGS = VAR / "log"
STATE = VAR / "run.json"

FIRST_PORT, LAST_PORT = 8000, 8990  # blocks of ten: web, sandbox, metrics, SMS gateways, room
PORTS_USED = 4
READY_PATIENCE_S = 90
MARK = "JIAYUAN_LAUNCH"

ONE_ROLE = (
    "  note: the application connects as the owner of its tables (MIGRATION_DATABASE_URL names no other "
    "role), so nothing in the database stops it from rewriting append-only ones."
)


class Stop(Exception):
    """Somebody wants us to end: Ctrl-C, SIGTERM or the terminal's hang-up."""


class Launcher:
    """One run: what was started, in the order in which it is stopped again."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self.port = 0
        self.mark = secrets.token_hex(8)
        self.env: dict[str, str] = {}
        self.postgres: servers.Postgres | None = None
        self.valkey: servers.Valkey | None = None
        self.programs: list[Program] = []
        self._lock: IO[str] | None = None
        self._claims: list[socket.socket] = []

    def start(self, asked_port: str | None) -> None:
        """Start everything and say where it is; ServerError with a sentence when something cannot be."""
        began = time.monotonic()
        _make_folders()
        self._lock = _only_one()
        _step("last run's leftovers", _stop_leftovers, quiet=True)
        self.port, self._claims = _choose_port(asked_port)
        self._note("starting")
        self._start_servers()
        _step("migrations", lambda: self._run_to_end("migrations", "alembic", "upgrade", "head"))
        _step("demo data", lambda: self._run_to_end("demo data", "tools.demo", "--seed", "7"))
        _step("servers", self._start_programs)
        self._note("running")
        accounts = json.loads(self._run_to_end("demo accounts", "tools.demo", "--accounts"))
        sandbox, gateways = (
            any(program.name == name for program in self.programs) for name in ("sandbox", "gateways")
        )
        took = time.monotonic() - began
        print(_welcome(self.port, accounts, took, sandbox=sandbox, gateways=gateways), flush=True)

    def watch(self) -> Never:
        """Start again what ends, until Stop; ServerError when it ends too often."""
        while True:
            time.sleep(0.5)
            if self.postgres and not self.postgres.is_running():
                print("PostgreSQL ended; it is started again.", flush=True)
                self.postgres.start()
                self._note("running")
            if self.valkey and not self.valkey.is_running():
                print("Valkey ended; it is started again.", flush=True)
                self.valkey.start()
                self._note("running")
            for program in self.programs:
                code = program.exit_code()
                if code is not None:
                    print(f"{program.name} ended ({_reason(code)}); it is started again.", flush=True)
                    program.start_again()
                    self._note("running")

    def stop(self) -> None:
        """Stop everything in the reverse order: first who asks, then who answers."""
        if self._lock is None:
            return
        self._note("stopping")
        for program in reversed(self.programs):
            program.stop()
        if self.valkey:
            self.valkey.stop()
        if self.postgres:
            self.postgres.stop()
        STATE.unlink(missing_ok=True)

    def _start_servers(self) -> None:
        database, redis = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
        owner = os.environ.get("MIGRATION_DATABASE_URL", "") if database else ""
        retention = os.environ.get("RETENTION_DATABASE_URL", "") if database else ""
        if database:
            _step("your database", lambda: development.check_database("DATABASE_URL", database))
            if owner:
                development.check_database("MIGRATION_DATABASE_URL", owner)
            if development.only_one_role(os.environ):
                print(ONE_ROLE, flush=True)
        else:
            # What a killed launcher left is stopped, not adopted: the new one is our child, with our options.
            self.postgres = servers.Postgres(VAR / "postgres", adopt=False)
            _step("database", self.postgres.start)
            database, owner = self.postgres.local_url("app"), self.postgres.url("owner")
            retention = self.postgres.url("retention")
        if redis:
            _step("your Redis", lambda: development.check_redis("REDIS_URL", redis))
        else:
            self.valkey = servers.Valkey(VAR / "valkey", durable=True, adopt=False)
            _step("queue", self.valkey.start)
            redis = self.valkey.url
        self.env = development.environment(
            VAR, self.port, database=database, owner=owner or database, redis=redis, retention=retention
        )
        self.env[MARK] = self.mark

    def _start_programs(self) -> None:
        sandbox = ["sandbox", "--port", str(self.port + 1), "--state", str(VAR / "sandbox")]
        push_url = f"http://127.0.0.1:{self.port}/callbacks/wechat/push"
        web = ["gunicorn", "-c", "deploy/gunicorn.py", "wsgi:app"]
        metrics = {"METRICS_PORT": str(self.port + 2), "PROMETHEUS_MULTIPROC_DIR": str(VAR / "metrics")}
        # An address of WeChat given from outside means the real one, or somebody's own stand-in.
        if not os.environ.get("WECHAT_API_BASE"):
            self._start_program("sandbox", sandbox, {"PUSH_URL": push_url}, patience_s=5)
        if not development.has_own_gateways(os.environ):
            scenario = VAR / "sms_gateways.json"
            processes.write_private(scenario, development.gateways(self.port, self.env))
            gateways = ["sandbox.sms", "--port", str(self.port + 3), "--scenario", str(scenario)]
            self._start_program("gateways", gateways, {}, patience_s=5)
        self._start_program("web", web, {"PORT": str(self.port), **metrics}, patience_s=25)
        self._start_program("workers", ["workers"], {"METRICS_PORT": "0"}, patience_s=20)
        self._start_program("sequencer", ["workers.sequencer"], {"METRICS_PORT": "0"}, patience_s=5)
        self._wait_until_ready()

    def _start_program(
        self, name: str, module: Sequence[str], extra: Mapping[str, str], *, patience_s: float
    ) -> None:
        program = Program(
            name,
            [sys.executable, "-m", *module],
            env={**self.env, **extra},
            cwd=TOP,
            log=LOGS / f"{name}.log",
            patience_s=patience_s,
        )
        self.programs.append(program)
        program.start()
        self._note("starting")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_PATIENCE_S
        addresses = [f"http://127.0.0.1:{self.port}/readyz"]
        if any(program.name == "sandbox" for program in self.programs):
            addresses.append(f"http://127.0.0.1:{self.port + 1}/")
        if any(program.name == "gateways" for program in self.programs):
            addresses.append(f"http://127.0.0.1:{self.port + 3}/_sandbox/sms/health")
        while addresses:
            for program in self.programs:
                code = program.exit_code()
                if code is not None:
                    raise ServerError(program.obituary(f"did not start ({_reason(code)})"))
            status, answer = _fetch(addresses[0])
            if status == 200 or (status and addresses[0].endswith("/")):
                addresses.pop(0)
            elif time.monotonic() > deadline:
                said = f"it says {status}: {answer}" if status else "nothing answers"
                raise ServerError(
                    f"{addresses[0]} is not ready after {READY_PATIENCE_S} s: {said}; see {LOGS}."
                )
            else:
                time.sleep(0.1)

    def _run_to_end(self, name: str, *module: str) -> str:
        """What `python -m module` prints; ServerError with the end of its log when it fails."""
        log, printed = LOGS / f"{module[0]}.log", LOGS / f"{module[0]}.out"
        with printed.open("wb") as out, log.open("ab") as err:
            process = processes.start(
                [sys.executable, "-m", *module],
                log=out,
                errors=err,
                env=self.env,
                cwd=TOP,
                death_signal=signal.SIGTERM,
            )
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
        text = printed.read_text(encoding="utf-8", errors="replace")
        if code:
            said = f"{text}\n{processes.last_lines(log, 12)}".strip()
            raise ServerError(f"{name} failed ({_reason(code)}), see {log}:\n{said}")
        return text

    def _note(self, state: str) -> None:
        """Write down what the next start has to look for, should this one be killed."""
        us = Identity.of(os.getpid())
        children = [(program.name, program.identity) for program in self.programs]
        noted = {
            "state": state,
            "port": self.port,
            "mark": self.mark,
            "launcher": us and [us.pid, us.started],
            "children": {name: [who.pid, who.started] for name, who in children if who},
        }
        processes.write_private(STATE, json.dumps(noted, indent=1))


def main() -> int:
    """Run until told to stop. Exit code 0 after Ctrl-C or SIGTERM, 1 after a sentence about what is wrong."""
    reader = argparse.ArgumentParser(prog="make run", description="Run everything on this machine.")
    reader.add_argument("--port", help="of the web server; the next two are used as well")
    reader.add_argument(
        "--which-port", action="store_true", help="print the port of the run going on, and end"
    )
    asked = reader.parse_args()
    if asked.which_port:
        print(_noted().get("port") or FIRST_PORT)
        return 0
    launcher = Launcher()
    try:
        _listen_to_signals()
        launcher.start(asked.port)
        launcher.watch()
    except Stop:
        print("\nStopping.", flush=True)
    except ServerError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    finally:
        _ignore_signals()
        launcher.stop()
    return 0


def _listen_to_signals() -> None:
    def stop(_number: int, _frame: object) -> Never:
        _ignore_signals()
        raise Stop

    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if kind is not signal.SIGHUP or signal.getsignal(kind) is not signal.SIG_IGN:  # nohup
            signal.signal(kind, stop)
    if os.environ.get("MAKELEVEL"):
        # A make that is killed takes us along, which make by itself would not do.
        tie_to_parent(signal.SIGTERM, os.getppid())


def _ignore_signals() -> None:
    """An impatient second Ctrl-C must not leave half of it running; each step of stopping has its limit."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)


def _make_folders() -> None:
    try:
        for folder in (VAR, LOGS, VAR / "photos", VAR / "sandbox", VAR / "metrics"):
            folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ServerError(f"{VAR} cannot be written by this user: {error.strerror}.") from error


@contextlib.contextmanager
def only_one_run() -> Iterator[None]:
    """Keep `make run` from starting in this checkout meanwhile; ServerError while one goes on."""
    with _only_one():
        yield


def _only_one() -> IO[str]:
    """Hold the lock of this checkout; ServerError while another run holds it and is not about to end."""
    lock = (VAR / "run.lock").open("w")
    deadline = time.monotonic() + 2
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        noted = _noted()
        if noted.get("state") == "stopping":
            deadline = max(deadline, time.monotonic() + 1)  # each step of it has its own limit
        if time.monotonic() > deadline:
            raise ServerError(
                f"This checkout already runs at http://127.0.0.1:{noted.get('port', '?')} "
                f"(process {(noted.get('launcher') or ['?'])[0]}): stop that first, with Ctrl-C."
            )
        time.sleep(0.1)


def going_on() -> int | None:
    """The port of the run going on in this checkout, if there is one."""
    noted = _noted()
    launcher = noted.get("launcher")
    return noted.get("port") if launcher and Identity(*launcher).is_alive() else None


def _noted() -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(STATE.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _stop_leftovers() -> None:
    """Stop the programs of a run that was killed, if they are still there and really are those."""
    noted = _noted()
    left = [Identity(*who) for who in noted.get("children", {}).values()]
    for who in left:
        processes.stop(who, patience_s=10)
    for who in processes.marked(MARK, noted["mark"]) if noted.get("mark") else ():
        processes.stop(who, patience_s=3)


def _choose_port(asked: str | None) -> tuple[int, list[socket.socket]]:
    """The port asked for, or the first of the next free block of ten, with claims on it and its neighbours.

    ServerError when it cannot be had, or when there is none.
    """
    if asked:
        if not asked.isdecimal() or not 0 < int(asked) <= 65535 - PORTS_USED + 1:
            raise ServerError(f"PORT must be a number from 1 to {65535 - PORTS_USED + 1}, not {asked!r}.")
        claims, taken = _claim_block(int(asked))
        if taken:
            raise ServerError(
                f"Port {' and '.join(map(str, taken))} cannot be used (another program has it, or it is "
                "reserved): choose another with PORT=."
            )
        return int(asked), claims
    for first in range(FIRST_PORT, LAST_PORT + 1, 10):
        claims, taken = _claim_block(first)
        if not taken:
            return first, claims
    raise ServerError(
        f"No free port from {FIRST_PORT} to {LAST_PORT + PORTS_USED - 1}: choose one, with PORT=."
    )


def _claim_block(first: int) -> tuple[list[socket.socket], list[int]]:
    """Claims on the ports of a run, or the ones that somebody else has."""
    found = {port: processes.claim(port) for port in range(first, first + PORTS_USED)}
    claims = [claim for claim in found.values() if claim]
    taken = [port for port, claim in found.items() if claim is None]
    if taken:
        for claim in claims:
            claim.close()
    return claims, taken


def _step(name: str, do: Callable[[], object], *, quiet: bool = False) -> None:
    """Say what is being done before it takes its time, and how long it took."""
    if not quiet:
        print(f"  {name:<22}", end="", flush=True)
    began = time.monotonic()
    try:
        do()
    except (ServerError, Stop):
        if not quiet:
            print("failed" if not isinstance(sys.exception(), Stop) else "stopped", flush=True)
        raise
    if not quiet:
        print(f"{time.monotonic() - began:6.1f} s", flush=True)


def _fetch(url: str) -> tuple[int, str]:
    """Status and beginning of the answer; (0, "") when nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
            return answer.status, answer.read(300).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(300).decode("utf-8", "replace")
    except OSError:
        return 0, ""


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _welcome(
    port: int,
    accounts: Sequence[Mapping[str, Any]],
    seconds: float,
    *,
    sandbox: bool = True,
    gateways: bool = True,
) -> str:
    """Where to click, who can log in, and a line that shows that it works."""
    base = f"http://127.0.0.1:{port}"
    residents = [account for account in accounts if account.get("code")]
    staff = [account for account in accounts if account.get("account")]
    code = (
        "demo-wang"
        if any(r["code"] == "demo-wang" for r in residents) or not residents
        else residents[0]["code"]
    )
    login = f"""curl -s {base}/bff/v1/session -H 'Content-Type: application/json' -d '{{"code": "{code}"}}'"""
    pick = r"""sed 's/.*"access_token": *"\([^"]*\)".*/\1/'"""
    lines = [
        "",
        f"Jiayuan runs (ready after {seconds:.0f} s; Ctrl-C stops everything, data stays in {VAR}).",
        "",
        f"  documentation      {base}/docs",
        f"  resident face      {base}/bff/v1",
        f"  staff: console     {base}/admin/",
        f"  staff face         {base}/admin/api/v1",
        f"  WeChat stand-in    http://127.0.0.1:{port + 1}/   what every phone received; make it fail"
        if sandbox
        else "  WeChat             the one that WECHAT_API_BASE names",
        f"  SMS gateways       http://127.0.0.1:{port + 3}/_sandbox/sms/ledger   what every number received"
        if gateways
        else "  SMS gateways       those that ALIYUN_SMS_ENDPOINT and TENCENT_SMS_ENDPOINT name",
        f"  metrics            http://127.0.0.1:{port + 2}/metrics",
        f"  logs               {LOGS}/",
        "",
        "  staff: account, password, role, where; `totp` is the secret for an authenticator",
        *(
            _row(
                who["account"],
                who.get("password"),
                who.get("role"),
                who.get("where"),
                f"totp {who['totp']}" if who.get("totp") else None,
            )
            for who in staff
        ),
        "",
        "  residents: log in with a WeChat code; any demo-<name> is a new one",
        *(_row(who["code"], who.get("where")) for who in residents),
        "",
        "  try: log in as a resident and read her first screen",
        f'    curl -s -H "Authorization: Bearer $({login} | {pick})" {base}/bff/v1/home',
        "",
    ]
    return "\n".join(lines)


def _row(*cells: object) -> str:
    return "    " + "  ".join(f"{cell or '':<18}" for cell in cells).rstrip()


if __name__ == "__main__":
    sys.exit(main())
