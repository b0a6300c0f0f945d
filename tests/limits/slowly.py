"""The application with two views more, one slow and one that names its process; started by test_pressure.py."""

from __future__ import annotations

import os
import time

from bff import limits
from wsgi import app

limits.MOST_WAIT_S.update(reads=0.5, writes=2.5)


@app.get("/slow")
def slow() -> str:
    time.sleep(1.2)
    return "done"


@app.get("/process")
def process() -> str:
    return str(os.getpid())
