"""What the processes take while the load goes on: processor and memory of each, looked at every other second."""

from __future__ import annotations

import os
import re
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.queue import Queue
from bench.harness import tree_of

EVERY_S = 2.0
SETTLED_S = 180.0
"""Before that caches fill and connections open: what memory does then says nothing about what it does for days."""

_FORKED = (*(queue.value for queue in Queue), "schedule")
_TICKS = os.sysconf("SC_CLK_TCK")
_MB = re.compile(r"^(VmRSS|RssAnon):\s+(\d+) kB", re.MULTILINE)


@dataclass
class Seen:
    """One process, or several under one name. `own_mb`: memory that is no file's and nobody else's."""

    name: str
    cpu_s: float = 0.0
    rss_mb: list[float] = field(default_factory=list)
    own_mb: list[tuple[float, float]] = field(default_factory=list)
    first_cpu_s: float | None = None

    @property
    def slope(self) -> float | None:
        """MB a minute that its own memory grew by, once settled; None when it was not watched for long enough."""
        return slope([one for one in self.own_mb if one[0] >= SETTLED_S])


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """MB a minute by least squares over (seconds, MB); None for less than two minutes."""
    if len(points) < 10 or points[-1][0] - points[0][0] < 120:
        return None
    line = statistics.linear_regression([at for at, _ in points], [mb for _, mb in points])
    return line.slope * 60


class Watch:
    """Looks at the trees of processes from `roots` (pid by name) until it is told to end.

    Each process of those in `apart` is shown by itself, the others as one for each root.
    """

    def __init__(self, roots: Mapping[str, int], apart: frozenset[str]) -> None:
        self._roots, self._apart = dict(roots), apart
        self._began, self._busy_s = time.monotonic(), busy_s()
        self._stop = threading.Event()
        self._seen: dict[object, Seen] = {}
        self._rounds = 0
        self._buried: dict[str, dict[int, float]] = {}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while True:
            self._look()
            if self._stop.wait(EVERY_S):
                return

    def _look(self) -> None:
        self._rounds += 1
        now = time.monotonic() - self._began
        for name, root in self._roots.items():
            pids = tree_of(root)
            if name in self._apart:
                # What a worker forks for a job is counted with it when the job ends.
                pids = [pid for pid in pids if pid == root or parent_of(pid) == root]
            tree = [(pid, _look_at(pid)) for pid in pids]
            living = [(pid, found) for pid, found in tree if found is not None]
            if name in self._apart:
                for pid, found in living:
                    shown = self._seen.get((name, pid))
                    if shown is None:
                        shown = self._seen[name, pid] = Seen(self._name(name, root, pid, found.comm))
                    _add(shown, now, found.cpu_s, found.rss_mb, found.own_mb)
                continue
            # A connection of PostgreSQL that has ended takes its seconds along, unless its parent has counted them.
            spent = self._buried.setdefault(name, {})
            spent |= {pid: found.cpu_s for pid, found in living if pid != root}
            root_s = next((found.alone_s for pid, found in living if pid == root), 0.0)
            shown = self._seen.setdefault(name, Seen(name))
            _add(
                shown,
                now,
                root_s + sum(spent.values()),
                sum(found.rss_mb for _, found in living),
                sum(found.own_mb for _, found in living),
            )

    def _name(self, program: str, root: int, pid: int, comm: str) -> str:
        if pid == root:
            return program
        if comm.startswith("jiayuan-"):  # the supervisor names what it forks; the kernel cuts the name
            short = comm.removeprefix("jiayuan-")
            return f"{program}: {next((name for name in _FORKED if name.startswith(short)), short)}"
        return f"{program}: {sum(1 for key in self._seen if isinstance(key, tuple) and key[0] == program)}"

    def end(self) -> tuple[list[Seen], float, float]:
        """Those that were there most of the time, by name; how many seconds were watched; and how much of a processor
        (100: one whole) everything else on this machine took meanwhile.
        """
        self._stop.set()
        self._thread.join()
        seconds = time.monotonic() - self._began
        others_s = busy_s() - self._busy_s - sum(one.cpu_s for one in self._seen.values())
        lasting = [one for one in self._seen.values() if len(one.rss_mb) > self._rounds / 2]
        return sorted(lasting, key=lambda one: one.name), seconds, 100 * max(0.0, others_s) / seconds


@dataclass
class _Found:
    comm: str
    cpu_s: float
    alone_s: float
    rss_mb: float
    own_mb: float


def _add(shown: Seen, now: float, cpu_s: float, rss_mb: float, own_mb: float) -> None:
    if shown.first_cpu_s is None:
        shown.first_cpu_s = cpu_s
    shown.cpu_s = cpu_s - shown.first_cpu_s
    shown.rss_mb.append(rss_mb)
    shown.own_mb.append((now, own_mb))


def _look_at(pid: int) -> _Found | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    comm, _, rest = stat.partition("(")[2].rpartition(")")
    own, system, of_children, system_of_children = (int(word) for word in rest.split()[11:15])
    memory = {name: int(kb) * 1024 / 1e6 for name, kb in _MB.findall(status)}
    return _Found(
        comm,
        (own + system + of_children + system_of_children) / _TICKS,
        (own + system) / _TICKS,
        memory.get("VmRSS", 0.0),
        memory.get("RssAnon", 0.0),
    )


def busy_s() -> float:
    """Processor seconds that this machine has worked since it started, all processors together."""
    words = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq = (int(word) for word in words[:7])
    return (user + nice + system + irq + softirq) / _TICKS


def parent_of(pid: int) -> int | None:
    """Whose child it is; None when it has gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])
