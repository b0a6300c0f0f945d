"""The watch over log files finds what it is there for, fails the run for it, and repeats none of it."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests import log_watch
from tests.conftest import TOP, House

OPENID = "o" + "Ab3_" * 6 + "xyz"
SECRET = "aB3" + "x-Y_9" * 8
LEAKS = {
    "phone": ["call 13912345678", '"139 1234 5678"', "139-1234-5678"],
    "ID number": ["id 11010519491231002X", '"110105194912310021"'],
    "openid": [f"to {OPENID}", f'{{"openid": "{OPENID}"}}'],
    "access token": ["Bearer eyJhbGciOiJI.eyJzdWIiOiIx.c2ln"],
    "secret": [f"token={SECRET}"],
}


@pytest.fixture
def aside() -> Iterator[Path]:
    """A folder that the watch over this very run doesn't read."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize(("kind", "line"), [(k, line) for k, lines in LEAKS.items() for line in lines])
def test_it_finds_a_leak_and_shows_it_masked(aside: Path, kind: str, line: str) -> None:
    (aside / "web.log").write_text(f"all is well\n{line}\n", encoding="utf-8")
    found = list(log_watch.finds(aside))
    assert [(f.file, f.line, f.kind) for f in found] == [("web.log", 2, kind)]
    assert all(len(f.masked) < 10 for f in found)


@pytest.mark.parametrize(
    "line",
    [
        f'{{"request_id": "{"abcdefgh" * 4}", "ms": 12345678901.5}}',
        f"sha256:{'0fd2' * 16}",
        "ticket 01a200e4-0099-72e6-b0b9-2b39d64ad6c1 of community 10000013",
        "tkt_aaaaaaqbuiaoemghotcl535mqj74ufak",
        "2026-11-22T01:31:46.455457 order 20261121123456789012",
    ],
)
def test_ids_and_times_are_no_leak(aside: Path, line: str) -> None:
    (aside / "web.log").write_text(line + "\n", encoding="utf-8")
    assert list(log_watch.finds(aside)) == []


@pytest.mark.long  # each runs tests of its own
@pytest.mark.parametrize("said", ["all is well", "call 13912345678 now"])
@pytest.mark.parametrize("spread", [(), ("-n", "1")])
def test_a_run_fails_for_what_stands_in_its_logs(aside: Path, said: str, spread: tuple[str, ...]) -> None:
    test = aside / "test_planted.py"
    test.write_text(
        f"def test_it(tmp_path):\n    (tmp_path / 'web.log').write_text({said!r})\n", encoding="utf-8"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "tests.log_watch"),
            *("-p", "no:valkey", "-p", "no:cacheprovider", "--rootdir", str(aside)),
            *(f"--basetemp={aside / 'base'}", *spread, str(test)),
        ],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    leaked = "139" in said
    assert done.returncode == int(leaked), done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert ("personal data in log files" in done.stdout) is leaked
    assert "13912345678" not in done.stdout


def test_what_the_house_logs_is_among_the_files_that_are_read(
    house: House, tmp_path_factory: pytest.TempPathFactory
) -> None:
    word = uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))
    logging.getLogger("watch").info("said %s", word)
    assert word in (tmp_path_factory.getbasetemp() / "house.log").read_text(encoding="utf-8")
