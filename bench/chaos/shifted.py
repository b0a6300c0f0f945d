"""`python -m bench.chaos.shifted MODULE ARGUMENT …`: runs a program whose wall clock can be set from outside.

The file named in CHAOS_CLOCK holds by how many seconds it is wrong, as text. What measures time goes on as it was, as
on a machine whose clock is set. Forked children follow as well. Nothing of this is in the application.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
from pathlib import Path

import time_machine

_LOOKS_S = 0.1


class Clock:
    """The wall clock of the process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._off = 0.0
        self._travel: time_machine.travel | None = None

    def follow(self) -> None:
        """From now on do as the file says."""
        threading.Thread(target=self._run, daemon=True, name="clock").start()

    def _run(self) -> None:
        while True:
            self._look()
            time.sleep(_LOOKS_S)

    def _look(self) -> None:
        try:
            off = float(self._file.read_text(encoding="ascii") or 0)
        except (OSError, ValueError):
            return
        if off == self._off:
            return
        if self._travel is not None:
            self._travel.stop()
            self._travel = None
        if off:
            self._travel = time_machine.travel(time.time() + off, tick=True)
            self._travel.start()
        self._off = off


def set_to(file: Path, seconds: float) -> None:
    """Every program that follows this file is wrong by so much from now on."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds), encoding="ascii")
    new.replace(file)


def main() -> None:
    """Become the program."""
    clock = Clock(Path(os.environ["CHAOS_CLOCK"]))
    clock.follow()
    os.register_at_fork(after_in_child=clock.follow)
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
