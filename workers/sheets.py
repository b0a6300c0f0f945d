"""Spreadsheets are read in a process of their own: whatever a file does to its reader, the worker stays."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

TOP = Path(__file__).resolve().parent.parent
PATIENCE_S = 240.0  # 50,000 rows take 5 s on a machine at rest
# The reader gets nothing of what the worker knows: no keys, no addresses.
_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT")


def lines(data: bytes, *, patience_s: float = PATIENCE_S) -> Iterator[Any]:
    """What `app.places.sheets` says about the file. Ends without its last word when the reader dies or is too slow."""
    with subprocess.Popen(
        [sys.executable, "-m", "app.places.sheets"],
        cwd=TOP,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            reader.kill()

        feeder = threading.Thread(target=_feed, args=(reader.stdin, data), daemon=True)
        watch = threading.Timer(patience_s, stop)
        feeder.start()
        watch.start()
        try:
            for line in reader.stdout:
                with suppress(orjson.JSONDecodeError):  # half a line, of a reader that was stopped
                    yield orjson.loads(line)
            if late.is_set():
                yield {"error": "too_slow"}
        finally:
            watch.cancel()
            reader.kill()
            feeder.join()


def _feed(pipe: Any, data: bytes) -> None:
    with suppress(BrokenPipeError, ValueError), pipe:
        pipe.write(data)
