"""One long-running program of a development run: started, watched, started again, stopped."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools import processes
from tools.processes import Identity, ServerError

RESTARTS = 5  # within RESTART_WINDOW_S; more means that it is broken, not unlucky
RESTART_WINDOW_S = 300


class Program:
    """`python -m ...` with a log of its own, in a session of its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        patience_s: float,
    ) -> None:
        """`patience_s`: how long it may take to stop before it is killed."""
        self.name = name
        self.command = command
        self.env = env
        self.cwd = cwd
        self.log = log
        self.patience_s = patience_s
        self.identity: Identity | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: collections.deque[float] = collections.deque(maxlen=RESTARTS)

    def start(self) -> None:
        """Start it; it gets SIGTERM when we die."""
        with self.log.open("ab") as log:
            self._process = processes.start(
                self.command, log=log, env=self.env, cwd=self.cwd, death_signal=signal.SIGTERM
            )
        self.identity = Identity.of(self._process.pid)

    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        return self._process.poll() if self._process else None

    def start_again(self) -> None:
        """Start it after an unexpected end; ServerError when that happens too often."""
        now = time.monotonic()
        if len(self._starts) == RESTARTS and now - self._starts[0] < RESTART_WINDOW_S:
            raise ServerError(
                self.obituary(f"ended {RESTARTS + 1} times in {RESTART_WINDOW_S // 60} minutes")
            )
        self._starts.append(now)
        self.start()

    def obituary(self, what: str) -> str:
        """A sentence about its end and the last lines of its log."""
        return f"{self.name} {what}; the end of {self.log}:\n{processes.last_lines(self.log)}"

    def stop(self) -> None:
        """Stop it in order, then whatever its session still holds."""
        if not self._process or not self.identity:
            return
        processes.stop(self.identity, patience_s=self.patience_s)
        # The process is not waited for yet, so its number still stands for its session and nobody else's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = self.identity = None
