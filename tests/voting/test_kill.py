"""Web server, sequencer and PostgreSQL killed with -9 while owners cast: every answered ballot is in the log."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import TOP


@pytest.mark.long
@pytest.mark.timeout(300)
def test_every_ballot_that_was_answered_is_in_the_log_once_whatever_was_killed_meanwhile() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.vote_kill", "--owners", "300", "--kills", "1"],
        cwd=TOP,
        env=os.environ | {"DEMO": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert figures["ballots"]["value"] == 300
    assert figures["kills"]["value"] == 3
