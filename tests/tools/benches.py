"""A bench on a hundredth of the street, and its last line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.conftest import TOP


def figures_of(module: str) -> dict[str, dict[str, Any]]:
    """What `python -m module --share 0.01` measured, by name: each with its `value`, and whether it is `ok`."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--share", "0.01"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.stdout.strip(), done.stderr[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])["figures"]
    return found
