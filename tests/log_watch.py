"""After the suite: nothing that names somebody, and nothing that logs somebody in, stands in any log file.

What the application of a test process logs goes into a file beside its other temporary ones, as it would in production;
servers and workers that tests start write theirs there as well. When the last test is through, all of them are read. A
find fails the run, and is shown masked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

# Stricter than the scrubbing of `app.logs`, which must not be what hides a mistake of its own.
PATTERNS = {
    "phone": re.compile(r"(?<![\dA-Fa-f-])1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\dA-Fa-f-])"),
    "ID number": re.compile(r"(?<![\dA-Fa-f-])[1-9]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d{4}[\dXx](?![\dA-Fa-f-])"),
    "openid": re.compile(r"(?<![\w+/-])o[A-Za-z0-9_-]{27}(?![\w+/=-])"),
    "access token": re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}"),
    "secret": re.compile(
        r"(?<![\w+/-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[A-Za-z0-9_-]{43}(?![\w+/=-])"
    ),
}
# The stand-in for WeChat is somebody else's server: it knows everybody's openid, and says so.
NOT_OURS = ("sandbox.log", "wechat.log")

_finds: pytest.StashKey[list[str]] = pytest.StashKey()


class Find(NamedTuple):
    """Something that a log must not hold, masked."""

    file: str
    line: int
    kind: str
    masked: str


def listen(folder: Path) -> None:
    """Also write what this process logs into a file there, with the same scrubbing and shape."""
    root = logging.getLogger()
    handler = logging.FileHandler(folder / "house.log", encoding="utf-8", delay=False)
    handler.setLevel(logging.INFO)
    handler.setFormatter(root.handlers[0].formatter)
    root.addHandler(handler)


def finds(folder: Path) -> Iterator[Find]:
    """What stands in the log files below the folder and shouldn't."""
    for path in sorted(folder.rglob("*.log")):
        if path.name in NOT_OURS or not path.is_file():
            continue
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                for kind, pattern in PATTERNS.items():
                    for match in pattern.finditer(line):
                        text = match.group()
                        yield Find(str(path.relative_to(folder)), number, kind, f"{text[:3]}…({len(text)})")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Read all logs, once, where the run is led."""
    if hasattr(session.config, "workerinput"):
        return
    found = list(finds(session.config._tmp_path_factory.getbasetemp()))  # type: ignore[attr-defined]
    session.config.stash[_finds] = [f"{f.file}:{f.line}: {f.kind} {f.masked}" for f in found]
    if found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was found."""
    found = config.stash.get(_finds, [])
    if found:
        terminalreporter.section("personal data in log files", red=True)
        for words in found[:20]:
            terminalreporter.write_line(words)
        terminalreporter.write_line(f"{len(found)} in all; a log holds ids and words only (CONTRIBUTING.md)")
