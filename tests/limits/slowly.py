"""The application with one view that takes its time; started by test_pressure.py under gunicorn."""

from __future__ import annotations

import time

from bff import limits
from wsgi import app

limits.MOST_WAIT_S.update(reads=0.5, writes=2.5)


@app.get("/slow")
def slow() -> str:
    time.sleep(1.2)
    return "done"
