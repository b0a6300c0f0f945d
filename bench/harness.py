"""The frame of every bench: rounds that interleave baselines and ours, yardsticks, targets, one JSON line.

A bench takes samples with `rounds`, judges figures with `Report` and ends with `sys.exit(report.finish())`.
Absolute times drift from hour to hour on a shared machine; ratios within one round hardly do. So targets are
ratios wherever they can be, and times are judged after scaling by a yardstick measured in the same run.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import http.client
import json
import math
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUNDS = 3
ROOT = Path(__file__).resolve().parent.parent

Sample = Mapping[str, float]


def scaled(size: int) -> int:
    """`size`, times the environment's N (default 1): `make bench NAME=… N=3` works on three times as much."""
    try:
        return max(1, round(size * float(os.environ.get("N") or 1)))
    except (ValueError, OverflowError):
        sys.exit("N must be a number: it multiplies the sizes of a bench.")


# Rounds --------------------------------------------------------------------------------------------------


def rounds(
    variants: Mapping[str, Callable[[], Sample]], *, count: int = ROUNDS
) -> dict[str, dict[str, list[float]]]:
    """One sample of each variant per round, printed; every value of all rounds by variant and measure.

    The order turns with each round, so that no variant always runs on the warmest or the coldest machine.
    """
    names = list(variants)
    taken: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for number in range(count):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            sample = variants[name]()
            for measure, value in sample.items():
                taken[name].setdefault(measure, []).append(value)
            shown = "  ".join(f"{measure} {_show(value)}" for measure, value in sample.items())
            print(f"round {number + 1}  {name:<24} {shown}", flush=True)
    for name in names:
        shown = "  ".join(f"{measure} {_show(statistics.median(v))}" for measure, v in taken[name].items())
        print(f"median   {name:<24} {shown}", flush=True)
    return taken


def ratio(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """The median of the rounds' own ratios: a round's drift hits both sides and cancels out."""
    return statistics.median(a / b for a, b in zip(ours, baseline, strict=True))


def _show(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


# Verdict -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """`<=`, `>=` or `=` a bound. `slowdown` (see Yardstick) widens times and rates, not ratios."""

    sense: str
    bound: float
    slowdown: float = 1.0

    def met_by(self, value: float) -> bool:
        """Whether `value` keeps the target; a figure that could not be measured (NaN) never does."""
        if math.isnan(value):
            return False
        if self.sense == "<=":
            return value <= self.bound * self.slowdown
        if self.sense == ">=":
            return value >= self.bound / self.slowdown
        return value == self.bound

    def __str__(self) -> str:
        return f"{self.sense} {self.bound:g}"


class Report:
    """Collects the figures of one bench and says whether they hold."""

    def __init__(self, bench: str) -> None:
        self._bench = bench
        self._figures: dict[str, dict[str, Any]] = {}

    def figure(self, key: str, value: float, target: Target | None = None) -> None:
        """Adds a figure; without a target it is information and always ok."""
        known = not math.isnan(value)
        entry: dict[str, Any] = {"value": float(f"{value:.4g}") if known and abs(value) < 10_000 else value}
        if not known:
            entry["value"] = None
        if target is not None:
            entry["target"] = str(target)
            if target.slowdown != 1.0:
                entry["slowdown"] = round(target.slowdown, 3)
        entry["ok"] = target is None or target.met_by(value)
        self._figures[key] = entry

    def finish(self) -> int:
        """Prints each figure and, last, the JSON line; the exit code: 1 when a target is missed."""
        print()
        for key, entry in self._figures.items():
            verdict = "ok" if entry["ok"] else "MISSED"
            print(f"{key:<24} {entry['value']!s:>12}   {entry.get('target', 'information'):<14} {verdict}")
        ok = all(entry["ok"] for entry in self._figures.values())
        print(json.dumps({"bench": self._bench, "ok": ok, "figures": self._figures}), flush=True)
        return 0 if ok else 1


# Cost of a process ---------------------------------------------------------------------------------------


def cpu_seconds() -> float:
    """CPU time of this process so far, user + sys."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """The most memory this process has held, in 10^6 bytes.

    From VmHWM where there is one: ru_maxrss survives exec, and would show a large parent's memory as ours.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def tree_of(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for one in found:
        try:
            said = Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii")
        except OSError:
            continue
        found += [int(child) for child in said.split()]
    return found


def sample_in_fresh_process(module: str, *arguments: str, timeout_s: float = 300) -> dict[str, float]:
    """What `python -m module arguments` prints as its last line, a JSON object of numbers."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")
    taken: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return taken


# Yardsticks ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Yardstick:
    """How fast this machine is now at something simple, and how fast the reference machine was at rest."""

    name: str
    value: float
    reference: float
    unit: str

    @property
    def slowdown(self) -> float:
        """By how much time targets widen here: 1 on the reference machine, never below 1."""
        return max(1.0, self.reference / self.value) if self.value > 0 else 1.0

    def show(self) -> None:
        """Prints it."""
        print(
            f"yardstick  {self.name}: {_show(self.value)} {self.unit}"
            f" (reference {_show(self.reference)}, slowdown {self.slowdown:.2f})",
            flush=True,
        )


def cpu_yardstick() -> Yardstick:
    """Plain single-core work in Python and C, in loops per CPU second: median of five."""
    block = bytes(range(256)) * 512

    def loops() -> float:
        began = cpu_seconds()
        for _ in range(40):
            hashlib.sha256(block).digest()
            zlib.compress(block, 1)
            sum(i * i for i in range(20_000))
        return 40 / (cpu_seconds() - began)

    return Yardstick(
        "single core", statistics.median(loops() for _ in range(5)), _CPU_REFERENCE, "loops/CPU s"
    )


_CPU_REFERENCE = 515.0

_BARE_APP = """
from flask import Flask
app = Flask("bare")
@app.get("/")
def answer():
    return {"ok": True}
"""
_BARE_REFERENCE = 3160.0
PGBENCH_REFERENCE = 30_000.0


def bare_view_yardstick(seconds: float = 3.0, clients: int = 32) -> Yardstick:
    """Requests a second of a Flask view that does nothing (gunicorn gthread, 2 workers × 8 threads)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = (
        f"{sys.executable} -m gunicorn --no-control-socket -k gthread -w 2 --threads 8 --keep-alive 30"
        f" --log-level error -b 127.0.0.1:{port} bare:app"
    ).split(" ")
    folder = ROOT / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bare.py").write_text(_BARE_APP, encoding="utf-8")
    with subprocess.Popen(command, cwd=folder) as server:
        try:
            _wait_for(port, server)
            _drive(port, 0.5, clients)
            rate = statistics.median(_drive(port, seconds / 3, clients) for _ in range(3))
        finally:
            server.terminate()
    return Yardstick("bare Flask view", rate, _BARE_REFERENCE, "requests/s")


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the bare Flask view did not start")


def _drive(port: int, seconds: float, clients: int) -> float:
    """Requests a second that `clients` keep-alive connections get out of `/` together."""
    until = time.monotonic() + seconds

    def ask_again_and_again(_: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        answered = 0
        while time.monotonic() < until:
            connection.request("GET", "/")
            connection.getresponse().read()
            answered += 1
        connection.close()
        return answered

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answered = sum(pool.map(ask_again_and_again, range(clients)))
    return answered / (time.monotonic() - began)


def pgbench_yardstick(pgbench: Path, dsn: str, seconds: int = 4) -> Yardstick:
    """Transactions a second of `pgbench -S` (8 clients); makes its tables in the database `dsn` first."""
    scale = [str(pgbench), "-i", "-q", "-s", "5", dsn]
    read = [str(pgbench), "-S", "-n", "-c", "8", "-j", "2", "-M", "prepared", "-T", str(seconds), dsn]
    subprocess.run(scale, check=True, capture_output=True, timeout=120)
    done = subprocess.run(read, check=True, capture_output=True, text=True, timeout=60 + seconds)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError("pgbench told no tps")
    return Yardstick("pgbench -S", float(found[1]), PGBENCH_REFERENCE, "transactions/s")
