"""`make chaos` with the faults that take the least time: nothing acknowledged is lost or done twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import TOP


@pytest.mark.long
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_done_twice_when_web_workers_and_redis_die_while_people_use_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.chaos", "--only", "kill-web,redis-empty"],
        cwd=TOP,
        env=os.environ | {"DEMO": "1", "ALLOW_SKIP": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=590,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert figures["tickets"]["value"] > 10
    assert figures["not_declared"]["value"] == 0
